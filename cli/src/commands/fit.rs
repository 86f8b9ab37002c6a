//! `backdrop fit`: from a directory of frames to a model.

use std::path::PathBuf;

use array_api::{Device, dispatch};
use backdrop::asteroids::Asteroids;
use backdrop::components::MIN_COMPONENT_FRAMES;
use backdrop::ffi::{FfiSource, find_ffis};
use backdrop::file::{Format, Model, file_name};
use backdrop::fit::{FitOptions, FitReport, fit};
use backdrop::source::FrameSource;
use serde_json::{Value, json};

use super::{device, make_dir, speak_as};
use crate::args::Fit;
use crate::failure::Failure;
use crate::output;
use crate::ranks::World;

pub(super) fn run(args: &Fit) -> Result<(), Failure> {
    let world = World::start(args.mpi, args.buffer_gather)?;
    let bar = speak_as(world.rank(), args.speech);
    let work = world.agree(prepare(args, &world))?;
    // Every rank fits all frames as long as `fit` is not shared: `world.ranks()` goes in here.
    let fitted = dispatch!(&work.device, |xp| fit(xp, &work.source, &work.options, &bar));
    let (model, report) = world.agree(fitted.map_err(Failure::from))?;
    tracing::info!(fitted = report.fitted, seconds = report.fit_time.as_secs_f64(), "fitted");
    world.agree(if world.is_first() {
        finish(args, world.ranks().size(), &work, &model, &report)
    } else {
        Ok(())
    })
}

/// What a fit takes.
struct Work {
    device: Device,
    source: FfiSource,
    options: FitOptions,
    /// Where the model goes.
    path: PathBuf,
}

fn prepare(args: &Fit, world: &World) -> Result<Work, Failure> {
    let device = device(&world.compute(&args.compute)?)?;
    let files = find_ffis(&args.in_dir, &args.filter())?;
    tracing::info!(files = files.len(), directory = %args.in_dir.display(), "found");
    let options = options(args)?;
    let source = FfiSource::open(files, args.cutout_size)?;
    tracing::info!(target = %source.target(), frames = source.frames().len(), "read the headers");

    let path = args.out_dir.join(file_name(source.target(), Format::from(args.format)));
    make_dir(&args.out_dir)?;
    Model::check_output(&path, args.overwrite)?;
    Ok(Work { device, source, options, path })
}

/// Saves the model and says what was done.
fn finish(args: &Fit, ranks: usize, work: &Work, model: &Model, report: &FitReport) -> Result<(), Failure> {
    let Work { device, source, options, path } = work;
    model.save(path, args.format.into(), args.overwrite)?;
    tracing::info!(file = %path.display(), "saved");

    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    let human = format!(
        "fitted {} of {} of {}\n{}",
        report.fitted,
        output::count(report.frames, "frame"),
        source.target(),
        output::table(&[
            ("left out", left_out(report, args.quality_bitmask)),
            ("masked", format!("{:.1} % of the pixels, for stars", 100.0 * report.masked_fraction)),
            ("asteroids", asteroids(options, report)),
            ("average frame", average(report)),
            ("components", components(model)),
            ("scatter", super::info::scatter(model)),
            ("time", times(report)),
            ("model", format!("{} ({})", path.display(), output::bytes(bytes))),
        ])
    );
    let mut machine = report_json(report);
    machine["model"] = json!(path);
    machine["sector"] = json!(source.target().sector);
    machine["camera"] = json!(source.target().camera);
    machine["ccd"] = json!(source.target().ccd);
    machine["backend"] = json!(device.name());
    machine["ranks"] = json!(ranks);
    output::result(args.speech.json, &human, &machine)
}

fn options(args: &Fit) -> Result<FitOptions, Failure> {
    let preset = args.preset.into();
    let options = match args.nknots {
        Some(nknots) => FitOptions::with_nknots(preset, nknots),
        None => FitOptions::preset(preset),
    };
    Ok(FitOptions {
        asteroids: args.asteroids.as_deref().map(Asteroids::read).transpose()?,
        mask_window: args.mask_window.into(),
        quality_bitmask: args.quality_bitmask,
        max_frames: args.max_frames,
        frames_per_batch: args.frames_per_rank.into(),
        seed: args.seed,
        sample_pixels: args.sample_pixels,
        ..options
    })
}

fn left_out(report: &FitReport, bitmask: u32) -> String {
    let others = report.frames - report.fitted;
    let flagged = others.saturating_sub(report.blown_out + report.without_data);
    let reasons = [
        (flagged, format!("with a quality flag out of {bitmask}")),
        (report.blown_out, "blown out".to_owned()),
        (report.without_data, "without data".to_owned()),
    ];
    let reasons: Vec<_> = reasons
        .into_iter()
        .filter(|&(number, _)| number > 0)
        .map(|(number, reason)| format!("{number} {reason}"))
        .collect();
    if reasons.is_empty() { "none".to_owned() } else { reasons.join(", ") }
}

fn asteroids(options: &FitOptions, report: &FitReport) -> String {
    match &options.asteroids {
        None => "not masked: no table of positions was given".to_owned(),
        Some(table) => format!(
            "up to {} masked in {}, by {}",
            output::count(report.asteroid_pixels, "pixel"),
            output::count(options.mask_window, "frame"),
            table.name()
        ),
    }
}

fn average(report: &FitReport) -> String {
    let frames = output::count(report.averaged, "frame");
    if report.average_used {
        format!("the minimum of {frames}, subtracted")
    } else {
        format!(
            "not subtracted: it takes {} frames, there are {}",
            backdrop::fit::MIN_AVERAGE_FRAMES,
            report.averaged
        )
    }
}

/// What became of the jitter and background pixels.
fn components(model: &Model) -> String {
    let (jitter, background) = (model.jitter_pixels.len(), model.background_pixels.len());
    let fitted = model.scatter.iter().filter(|scatter| scatter.is_finite()).count();
    if fitted >= MIN_COMPONENT_FRAMES {
        let (of_jitter, of_background) = (model.jitter.ncols(), model.background.ncols());
        format!("{of_jitter} of {jitter} jitter pixels, {of_background} of {background} background pixels")
    } else {
        format!(
            "none: they take {MIN_COMPONENT_FRAMES} frames; the series of {jitter} jitter and {background} \
             background pixels are kept"
        )
    }
}

fn times(report: &FitReport) -> String {
    let [survey, setup, fit] =
        [report.survey_time, report.setup_time, report.fit_time].map(|time| time.as_secs_f64());
    let per_frame = 1000.0 * fit / report.fitted.max(1) as f64;
    format!("{survey:.1} s first pass, {setup:.1} s set-up, {fit:.1} s fit ({per_frame:.0} ms a frame)")
}

/// What a fit did, for machines; times in seconds.
pub(super) fn report_json(report: &FitReport) -> Value {
    json!({
        "frames": report.frames,
        "fitted": report.fitted,
        "blown_out": report.blown_out,
        "without_data": report.without_data,
        "averaged": report.averaged,
        "average_used": report.average_used,
        "non_finite_pixels": report.non_finite_pixels,
        "non_positive_pixels": report.non_positive_pixels,
        "masked_fraction": report.masked_fraction,
        "asteroid_pixels": report.asteroid_pixels,
        "mask_windows": report.mask_windows,
        "survey_seconds": report.survey_time.as_secs_f64(),
        "setup_seconds": report.setup_time.as_secs_f64(),
        "fit_seconds": report.fit_time.as_secs_f64(),
        "components_seconds": report.components_time.as_secs_f64(),
        "read_seconds": report.read_time.as_secs_f64(),
    })
}
