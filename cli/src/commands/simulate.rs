//! `backdrop simulate`: made-up full frame images.

use std::time::Instant;

use backdrop::simulate::{Signal, Simulation, WriteOptions};
use serde_json::json;

use super::{limit_threads, speak};
use crate::args::Simulate;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &Simulate) -> Result<(), Failure> {
    let bar = speak(args.speech);
    limit_threads(args.threads)?;
    // What the settings refuse was asked for on the command line.
    let simulation = Simulation::new(args.settings()).map_err(|error| Failure::Usage(error.to_string()))?;
    let options = WriteOptions {
        layout: args.layout.into(),
        compression: args.compression.into(),
        overwrite: args.overwrite,
    };
    let start = Instant::now();
    let written = simulation.write(&args.out_dir, options, &bar)?;
    tracing::info!(frames = written.frames.len(), seconds = start.elapsed().as_secs_f64(), "simulated");

    let settings = simulation.settings();
    let (count, size) = (output::count(written.frames.len(), "frame"), settings.size);
    let mut human = format!(
        "{count} of {size} x {size} pixels, {}, in {}\ntheir true background in {}\n",
        settings.target,
        args.out_dir.display(),
        written.truth.display(),
    );
    if let Some(path) = &written.asteroids {
        human += &format!("their asteroids in {}\n", path.display());
    }
    let variables = simulation.variables().iter().map(|star| {
        json!({
            "row": star.row,
            "column": star.column,
            "tmag": star.tmag,
            "flux": star.flux,
            "kind": match star.kind {
                Signal::Sinusoid => "sinusoid",
                Signal::Transit => "transit",
            },
            "amplitude": star.amplitude,
            "period": star.period,
            "epoch": star.epoch,
        })
    });
    let glint = simulation.glint_frames();
    let machine = json!({
        "frames": written.frames,
        "truth": written.truth,
        "asteroids": written.asteroids,
        "variables": variables.collect::<Vec<_>>(),
        "glint_frames": glint.collect::<Vec<_>>(),
        "sector": settings.target.sector,
        "camera": settings.target.camera,
        "ccd": settings.target.ccd,
        "size": size,
        "seed": settings.seed,
    });
    output::result(args.speech.json, &human, &machine)
}
