//! `backdrop correct`: target pixel files without the background.

use std::path::{Path, PathBuf};

use array_api::{Backend, dispatch};
use backdrop::ffi::{FfiHeader, FfiSource};
use backdrop::file::{AnyModel, StoredModel};
use backdrop::output::WholeFile;
use backdrop::progress::Progress;
use backdrop::tpf::{CorrectOptions, Corrected, LightCurve, Sigma, TargetPixelFile, correct};
use backdrop::uncertainty::Uncertainty;
use serde_json::{Value, json};

use super::{device, make_dir, speak};
use crate::args::{Correct, Place};
use crate::failure::Failure;
use crate::progress::Bar;
use crate::{interrupt, output};

pub(super) fn run(args: &Correct) -> Result<(), Failure> {
    if let (Some(out), true) = (&args.out, args.files.len() > 1) {
        return Err(Failure::Usage(format!(
            "--out {} is one file, for {} target pixel files; use --out-dir",
            out.display(),
            args.files.len()
        )));
    }
    let bar = speak(args.speech);
    let device = device(&args.compute)?;
    let images = args.average || args.add_sigma;
    let model =
        if images { StoredModel::open_with_images(&args.model) } else { StoredModel::open(&args.model) }?;
    // A damaged model is an error once, and not of each file.
    model.check()?;
    let frame = open_frame(&args.place)?;
    if let Some(dir) = &args.out_dir {
        make_dir(dir)?;
    }
    let (machine, failed) = dispatch!(&device, |xp| correct_files(xp, &model, frame.as_ref(), args, &bar))?;
    if args.speech.json {
        let target = model.without_weights().target;
        let result = json!({
            "files": machine,
            "model": args.model,
            "sector": target.sector,
            "camera": target.camera,
            "ccd": target.ccd,
            "backend": device.name(),
        });
        output::result(true, "", &result)?;
    }
    if failed { Err(Failure::Reported(1)) } else { Ok(()) }
}

/// Works on files one by one and says what became of each: for people at once, for machines as a
/// list. One that fails does not keep the others from being worked on.
pub(super) fn each_file(
    files: &[PathBuf],
    json: bool,
    mut work: impl FnMut(&Path) -> Result<(String, Value), Failure>,
) -> Result<(Vec<Value>, bool), Failure> {
    let mut machine = Vec::new();
    let mut failed = false;
    for path in files {
        match work(path) {
            Ok((human, description)) => {
                machine.push(description);
                if !json {
                    output::text(&human)?;
                }
            }
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => {
                failed = true;
                let error = failure.to_string();
                output::error(&error);
                machine.push(json!({ "file": path, "error": error }));
            }
        }
    }
    Ok((machine, failed))
}

/// Opens a target pixel file that says where its pixels are, or is told.
pub(super) fn open(
    path: &Path,
    frame: Option<&FfiSource>,
    place: &Place,
) -> Result<TargetPixelFile, Failure> {
    let mut tpf = TargetPixelFile::open(path)?;
    tpf.corner = Some(corner(&tpf, frame, place)?);
    Ok(tpf)
}

/// What became of a target pixel file.
struct Done {
    out: PathBuf,
    light_curve: Option<(PathBuf, LightCurve)>,
    corner: Option<(i64, i64)>,
    corrected: Corrected,
}

fn correct_files<B: Backend>(
    xp: &B,
    model: &dyn AnyModel,
    frame: Option<&FfiSource>,
    args: &Correct,
    bar: &Bar,
) -> Result<(Vec<Value>, bool), Failure> {
    // For all files, since it takes seconds.
    let uncertainty = if args.add_sigma { Some(Uncertainty::new(xp, model)?) } else { None };
    bar.start("correcting", args.files.len());
    let done = each_file(&args.files, args.speech.json, |path| {
        interrupt::check()?;
        let done = correct_file(xp, path, (model, uncertainty.as_ref()), frame, args)?;
        bar.advance(1);
        Ok((done.human(path), done.machine(path)))
    })?;
    bar.finish();
    Ok(done)
}

fn correct_file<B: Backend>(
    xp: &B,
    path: &Path,
    (model, uncertainty): (&dyn AnyModel, Option<&Uncertainty<B>>),
    frame: Option<&FfiSource>,
    args: &Correct,
) -> Result<Done, Failure> {
    let out = args.out.clone().unwrap_or_else(|| with_suffix(path, "backdrop", args.out_dir.as_deref()));
    let light_curve_out = args.lightcurve.then(|| with_suffix(&out, "lightcurve", None));
    // Tried before the work is begun; dropped at once.
    for out in [Some(&out), light_curve_out.as_ref()].into_iter().flatten() {
        WholeFile::create(out, args.overwrite)?;
    }
    let tpf = open(path, frame, &args.place)?;
    let options = CorrectOptions { average: args.average };
    let named = |error| named(path, &Failure::from(error));
    let sigma = uncertainty.map(|uncertainty| {
        |frames: &[usize], rows: &[usize], columns: &[usize]| uncertainty.sigma(frames, rows, columns)
    });
    let sigma = sigma.as_ref().map(|sigma| sigma as &Sigma<'_>);
    let corrected = correct(xp, &tpf, model, options, sigma).map_err(named)?;
    let mut light_curve = None;
    if let Some(out) = light_curve_out {
        let mut curve = LightCurve::new(&tpf, &corrected, args.threshold)?;
        if args.detrend {
            curve.detrend(xp, &corrected, model.without_weights()).map_err(named)?;
        }
        light_curve = Some((out, curve));
    }
    let name = args.model.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    corrected.save(&tpf, &name, &out, args.overwrite)?;
    tracing::info!(file = %out.display(), "saved");
    if let Some((out, curve)) = &light_curve {
        curve.save(&tpf, &name, out, args.overwrite)?;
        tracing::info!(file = %out.display(), "saved");
    }
    Ok(Done { out, light_curve, corner: tpf.corner, corrected })
}

/// The full frame image that places are looked for in, if there is one, with all of its science
/// pixels.
pub(super) fn open_frame(place: &Place) -> Result<Option<FfiSource>, Failure> {
    let Some(path) = &place.frame else { return Ok(None) };
    let size = FfiHeader::read(path)?.largest_cutout();
    Ok(Some(FfiSource::open(vec![path.clone()], Some(size))?))
}

/// The science row and column of the first pixel: what the file says, or else what `--corner` or
/// `--frame` do.
fn corner(tpf: &TargetPixelFile, frame: Option<&FfiSource>, place: &Place) -> Result<(i64, i64), Failure> {
    let refused = |reason: String| Failure::Data(format!("{}: {reason}", tpf.path.display()));
    match (tpf.corner, place.corner.map(|corner| (corner.row, corner.column))) {
        (Some(said), Some(given)) if said != given => Err(refused(format!(
            "it says that its first pixel is at row {}, column {}, not {}, {}",
            said.0, said.1, given.0, given.1
        ))),
        (Some(corner), _) | (None, Some(corner)) => Ok(corner),
        (None, None) => match frame {
            Some(frame) => Ok(tpf.find(frame, 0)?),
            None => Err(refused(
                "it does not say where its pixels are on the CCD (1CRV5P, 2CRV5P); give a frame that it \
                 was cut from by --frame, or the science row and column of its first pixel by --corner"
                    .to_owned(),
            )),
        },
    }
}

/// A failure whose message names the file at fault.
pub(super) fn named(path: &Path, failure: &Failure) -> Failure {
    let (message, name) = (failure.to_string(), path.display().to_string());
    Failure::Data(if message.starts_with(&name) { message } else { format!("{name}: {message}") })
}

/// The name of a file that is made from another: with `_suffix` before the extension, in `dir`
/// or beside it.
pub(super) fn with_suffix(path: &Path, suffix: &str, dir: Option<&Path>) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or("fits".into(), |extension| extension.to_string_lossy());
    let name = format!("{stem}_{suffix}.{extension}");
    dir.map_or_else(|| path.with_file_name(&name), |dir| dir.join(&name))
}

impl Done {
    fn human(&self, path: &Path) -> String {
        let Corrected { frames, corrected, unmatched, unfitted, pixels_outside, .. } = &self.corrected;
        let (_, rows, columns) = self.corrected.flux.dim();
        let reasons =
            [(*unmatched, "in no frame of the model"), (*unfitted, "in frames that were not fitted")];
        let mut rest: String = reasons
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, reason)| format!(", {count} {reason}"))
            .collect();
        if *pixels_outside > 0 {
            rest += &format!("; {} outside of the area fitted", output::count(*pixels_outside, "pixel"));
        }
        let light_curve = self.light_curve.as_ref().map_or_else(String::new, |(out, curve)| {
            let taken = curve.aperture.iter().filter(|&&taken| taken).count();
            format!("; light curve of {} in {}", output::count(taken, "pixel"), out.display())
        });
        format!(
            "{}: {corrected} of {} of {rows} x {columns} pixels corrected{rest}, in {}{light_curve}\n",
            path.display(),
            output::count(frames.len(), "cadence"),
            self.out.display()
        )
    }

    fn machine(&self, path: &Path) -> Value {
        let (cadences, rows, columns) = self.corrected.flux.dim();
        json!({
            "file": path,
            "corrected_file": self.out,
            "cadences": cadences,
            "corrected": self.corrected.corrected,
            "unmatched": self.corrected.unmatched,
            "unfitted": self.corrected.unfitted,
            "rows": rows,
            "columns": columns,
            "first_row": self.corner.map(|(row, _)| row),
            "first_column": self.corner.map(|(_, column)| column),
            "pixels_outside": self.corrected.pixels_outside,
            "average": self.corrected.options.average,
            "sigma_added": self.corrected.sigma_added,
            "lightcurve": self.light_curve.as_ref().map(|(out, _)| out),
            "aperture_pixels": self.light_curve.as_ref().map(|(_, curve)| {
                curve.aperture.iter().filter(|&&taken| taken).count()
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrected_files_are_named_after_the_target_pixel_files() {
        let name =
            |path: &str, dir: Option<&str>| with_suffix(Path::new(path), "backdrop", dir.map(Path::new));
        assert_eq!(
            name("a/tess_11x11.5_astrocut.fits", None),
            Path::new("a/tess_11x11.5_astrocut_backdrop.fits")
        );
        assert_eq!(name("tess_tp.fits", Some("out")), Path::new("out/tess_tp_backdrop.fits"));
        assert_eq!(name("tess", None), Path::new("tess_backdrop.fits"));
    }
}
