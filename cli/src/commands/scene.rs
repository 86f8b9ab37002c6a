//! `backdrop scene`: the fit of the stars, and their flux from its file.

use std::path::Path;

use array_api::{Backend, dispatch};
use backdrop::cube::{Card, CubeWriter};
use backdrop::ffi::{FfiSource, Filter, find_ffis};
use backdrop::file::{AnyModel, StoredModel};
use backdrop::output::WholeFile;
use backdrop::progress::Progress;
use backdrop::scene::{Evaluator, Scene, SceneOptions, SceneReport, file_name, fit};
use backdrop::source::{FrameSource, Target};
use serde_json::json;

use super::model::list;
use super::{device, make_dir, speak};
use crate::args::{Scene as SceneCommand, SceneFit, SceneModel};
use crate::failure::Failure;
use crate::progress::Bar;
use crate::{interrupt, output};

/// Frames that are evaluated at once: eight of a whole CCD take 270 MB.
const BATCH: usize = 8;

pub(super) fn run(command: &SceneCommand) -> Result<(), Failure> {
    match command {
        SceneCommand::Fit(args) => run_fit(args),
        SceneCommand::Model(args) => run_model(args),
    }
}

fn run_fit(args: &SceneFit) -> Result<(), Failure> {
    let bar = speak(args.speech);
    let device = device(&args.compute)?;
    let model = StoredModel::open(&args.model)?;
    let head = model.without_weights();
    let Target { sector, camera, ccd } = head.target;
    let filter = Filter { sector: Some(sector), camera: Some(camera), ccd: Some(ccd) };
    let files = find_ffis(&args.in_dir, &filter)?;
    tracing::info!(files = files.len(), directory = %args.in_dir.display(), "found");
    let source = FfiSource::open(files, Some(head.shape.0))?;
    tracing::info!(target = %source.target(), frames = source.frames().len(), "read the headers");

    let path = args.out_dir.join(file_name(head.target));
    make_dir(&args.out_dir)?;
    let options =
        SceneOptions { time_terms: args.time.into(), tile: args.tile.into(), ..SceneOptions::default() };
    let report = dispatch!(&device, |xp| fit(xp, &source, &model, &options, &path, args.overwrite, &bar))?;
    tracing::info!(file = %path.display(), seconds = report.time.as_secs_f64(), "saved");

    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    let human = format!(
        "fitted the scene of {} in {} of {}\n{}",
        output::count(report.orbits.iter().sum(), "frame"),
        output::count(report.orbits.len(), "orbit"),
        source.target(),
        output::table(&[
            ("orbits", format!("{} frames", counts(&report.orbits))),
            ("left out", left_out(&report)),
            ("components", report.components.to_string()),
            ("bad pixels", counts(&report.bad_pixels)),
            ("pixels without a fit", counts(&report.unfitted_pixels)),
            (
                "time",
                format!(
                    "{:.1} s, of which reading {:.1} s",
                    report.time.as_secs_f64(),
                    report.read_time.as_secs_f64()
                )
            ),
            ("scene", format!("{} ({})", path.display(), output::bytes(bytes))),
        ])
    );
    let machine = json!({
        "scene": path,
        "sector": sector,
        "camera": camera,
        "ccd": ccd,
        "orbits": report.orbits,
        "unfitted_frames": report.unfitted_frames,
        "missing_frames": report.missing_frames,
        "components": report.components,
        "bad_pixels": report.bad_pixels,
        "lacking_pixels": report.lacking_pixels,
        "unfitted_pixels": report.unfitted_pixels,
        "seconds": report.time.as_secs_f64(),
        "read_seconds": report.read_time.as_secs_f64(),
        "backend": device.name(),
    });
    output::result(args.speech.json, &human, &machine)
}

/// One number for each orbit.
fn counts(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ")
}

fn left_out(report: &SceneReport) -> String {
    format!(
        "{} that the model was not fitted to, {} of the model without a file",
        output::count(report.unfitted_frames, "frame"),
        report.missing_frames
    )
}

fn run_model(args: &SceneModel) -> Result<(), Failure> {
    let bar = speak(args.speech);
    let device = device(&args.compute)?;
    // Tried before the work is begun; dropped at once.
    WholeFile::create(&args.out, args.overwrite)?;
    let scene = Scene::load(&args.scene)?;
    let frames = args.frames.resolve(scene.tstart.len(), "frame").map_err(Failure::Usage)?;
    let rows = args.rows.resolve(scene.shape.0, "row").map_err(Failure::Usage)?;
    let columns = args.columns.resolve(scene.shape.1, "column").map_err(Failure::Usage)?;
    tracing::info!(frames = frames.len(), rows = rows.len(), columns = columns.len(), "evaluating");

    dispatch!(&device, |xp| write(xp, &scene, (&frames, &rows, &columns), args, &bar))?;
    let human = format!(
        "the scene in {} of {} x {} pixels, {}, in {}\n",
        output::count(frames.len(), "frame"),
        rows.len(),
        columns.len(),
        scene.target,
        args.out.display()
    );
    let machine = json!({
        "file": args.out,
        "frames": frames,
        "rows": rows.len(),
        "columns": columns.len(),
        "sector": scene.target.sector,
        "camera": scene.target.camera,
        "ccd": scene.target.ccd,
        "backend": device.name(),
    });
    output::result(args.speech.json, &human, &machine)
}

/// Evaluates a scene some frames at a time and writes the file.
fn write<B: Backend>(
    xp: &B,
    scene: &Scene,
    (frames, rows, columns): (&[usize], &[usize], &[usize]),
    args: &SceneModel,
    bar: &Bar,
) -> Result<(), Failure> {
    let name = args.scene.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let cards = [
        Card::integer("SECTOR", scene.target.sector.into(), "observing sector"),
        Card::integer("CAMERA", scene.target.camera.into(), "camera number"),
        Card::integer("CCD", scene.target.ccd.into(), "CCD chip number"),
        Card::text("BUNIT", "electrons/s", "unit of the flux less background"),
        Card::text("SCENE", name, "the scene's file"),
        Card::text("FRAMES", list(frames), "frames of the model, counted from 0"),
        Card::text("ROWS", list(rows), "science rows, counted from 0"),
        Card::text("COLUMNS", list(columns), "science columns, counted from 0"),
    ];
    let cube_shape = [frames.len(), rows.len(), columns.len()];
    let shape = if frames.len() == 1 { &cube_shape[1..] } else { &cube_shape[..] };
    let out: &Path = &args.out;
    let mut cube = CubeWriter::<f64>::create(out, shape, &cards, args.overwrite)?;
    let evaluator = Evaluator::new(xp, scene, rows, columns)?;
    bar.start("evaluating", frames.len());
    for batch in frames.chunks(BATCH) {
        interrupt::check()?;
        let flux: Vec<f64> = evaluator.evaluate(batch)?.into_iter().collect();
        cube.write(&flux)?;
        bar.advance(batch.len());
    }
    cube.finish()?;
    bar.finish();
    Ok(())
}
