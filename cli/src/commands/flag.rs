//! `backdrop flag`: when scattered light is bright at single targets, or changes fast.

use std::path::{Path, PathBuf};

use array_api::{Device, dispatch};
use backdrop::ffi::FfiSource;
use backdrop::file::{AnyModel, StoredModel};
use backdrop::flags::{self, TargetFlags, Thresholds};
use backdrop::output::WholeFile;
use backdrop::progress::Progress;
use backdrop::tpf::CadenceFlags;
use serde_json::json;

use super::correct::{each_file, named, open, open_frame, with_suffix};
use super::{device, make_dir, speak};
use crate::args::Flag;
use crate::failure::Failure;
use crate::{interrupt, output};

pub(super) fn run(args: &Flag) -> Result<(), Failure> {
    let bar = speak(args.speech);
    flags::check(thresholds(args)).map_err(|error| Failure::Usage(error.to_string()))?;
    let device = device(&args.compute)?;
    if args.files.is_empty() {
        return of_pixels(&device, args);
    }
    if args.out.is_some() && args.files.len() > 1 {
        return Err(Failure::Usage(
            "--out is one file, for several target pixel files; use --out-dir".into(),
        ));
    }
    let model = StoredModel::open(&args.model)?;
    // A damaged model is an error once, and not of each file.
    model.check()?;
    let frame = open_frame(&args.place)?;
    if let Some(dir) = &args.out_dir {
        make_dir(dir)?;
    }
    bar.start("flagging", args.files.len());
    let (machine, failed) = each_file(&args.files, args.speech.json, |path| {
        interrupt::check()?;
        let done = of_file(&device, path, &model, frame.as_ref(), args);
        bar.advance(1);
        done
    })?;
    bar.finish();
    if args.speech.json {
        let result = json!({ "files": machine, "model": args.model, "backend": device.name() });
        output::result(true, "", &result)?;
    }
    if failed { Err(Failure::Reported(1)) } else { Ok(()) }
}

/// What is too much; nothing is where a flag is left out.
fn thresholds(args: &Flag) -> Thresholds {
    Thresholds { level: args.level.unwrap_or(f64::INFINITY), rate: args.rate.unwrap_or(f64::INFINITY) }
}

/// Flags a target pixel file.
fn of_file(
    device: &Device,
    path: &Path,
    model: &dyn AnyModel,
    frame: Option<&FfiSource>,
    args: &Flag,
) -> Result<(String, serde_json::Value), Failure> {
    let out = args.out.clone().unwrap_or_else(|| with_suffix(path, "flagged", args.out_dir.as_deref()));
    // Tried before the work is begun; dropped at once.
    WholeFile::create(&out, args.overwrite)?;
    let tpf = open(path, frame, &args.place)?;
    let failed = |error| named(path, &Failure::from(error));
    let flags =
        dispatch!(device, |xp| CadenceFlags::new(xp, &tpf, model, thresholds(args))).map_err(failed)?;
    let name = args.model.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    flags.save(&tpf, &name, args.set_quality, &out, args.overwrite)?;
    tracing::info!(file = %out.display(), "saved");
    let cadences = flags.flags.len();
    let without = flags.background.iter().filter(|level| !level.is_finite()).count();
    let human = format!(
        "{}: {} of {} flagged, {without} without a model, in {}\n",
        path.display(),
        flags.flagged(),
        output::count(cadences, "cadence"),
        out.display()
    );
    let machine = json!({
        "file": path,
        "flagged_file": out,
        "cadences": cadences,
        "flagged": flags.flagged(),
        "without_model": without,
    });
    Ok((human, machine))
}

/// Flags single pixels in all frames of the model.
fn of_pixels(device: &Device, args: &Flag) -> Result<(), Failure> {
    let Some(out) = &args.out else {
        return Err(Failure::Usage("where the flags of the pixels are to go: give --out FILE".into()));
    };
    WholeFile::create(out, args.overwrite)?;
    let pixels: Vec<(usize, usize)> = match &args.targets {
        Some(path) => flags::read_targets(path)?,
        None => args
            .pixel
            .iter()
            .map(|pixel| {
                let inside = usize::try_from(pixel.row).ok().zip(usize::try_from(pixel.column).ok());
                inside.ok_or_else(|| {
                    Failure::Usage(format!("pixel {},{} is not on the CCD", pixel.row, pixel.column))
                })
            })
            .collect::<Result<_, _>>()?,
    };
    let model = StoredModel::open(&args.model)?;
    let head = model.without_weights();
    let flags = dispatch!(device, |xp| TargetFlags::new(xp, &model, &pixels, thresholds(args)))?;
    flags.save(head, out, args.overwrite)?;
    let flagged: Vec<usize> = (0..pixels.len()).map(|target| flags.flagged(target)).collect();
    let ever = flagged.iter().filter(|&&frames| frames > 0).count();
    let human = format!(
        "{ever} of {} flagged in one or more of {}, in {}\n",
        output::count(pixels.len(), "target"),
        output::count(head.tstart.len(), "frame"),
        out.display()
    );
    let path: &PathBuf = out;
    let machine = json!({
        "flagged_file": path,
        "targets": pixels.len(),
        "frames": head.tstart.len(),
        "flagged": flagged,
        "model": args.model,
        "backend": device.name(),
    });
    output::result(args.speech.json, &human, &machine)
}
