//! `backdrop simulate`: made-up full frame images.

use std::time::Instant;

use backdrop::simulate::{Simulation, WriteOptions};
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
    let options = WriteOptions { compression: args.compression.into(), overwrite: args.overwrite };
    let start = Instant::now();
    let written = simulation.write(&args.out_dir, options, &bar)?;
    tracing::info!(frames = written.frames.len(), seconds = start.elapsed().as_secs_f64(), "simulated");

    let settings = simulation.settings();
    let (count, size) = (output::count(written.frames.len(), "frame"), settings.size);
    let human = format!(
        "{count} of {size} x {size} pixels, {}, in {}\ntheir true background in {}\n",
        settings.target,
        args.out_dir.display(),
        written.truth.display(),
    );
    let machine = json!({
        "frames": written.frames,
        "truth": written.truth,
        "sector": settings.target.sector,
        "camera": settings.target.camera,
        "ccd": settings.target.ccd,
        "size": size,
        "seed": settings.seed,
    });
    output::result(args.speech.json, &human, &machine)
}
