//! The commands, a file each.

mod completions;
mod correct;
mod demo;
mod devices;
mod fit;
mod flag;
mod info;
mod model;
mod plot;
mod scene;
mod simulate;

use std::path::Path;

use array_api::Device;

use crate::args::{Command, Compute, Speech};
use crate::failure::Failure;
use crate::logging::Log;
use crate::progress::Bar;

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Fit(args) => fit::run(args),
        Command::Model(args) => model::run(args),
        Command::Correct(args) => correct::run(args),
        Command::Flag(args) => flag::run(args),
        Command::Scene(command) => scene::run(command),
        Command::Plot(args) => plot::run(args),
        Command::Info(args) => info::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Completions { shell } => completions::run(*shell),
    }
}

/// Begins to log as asked for, and gives the progress bar that goes with it.
fn speak(speech: Speech) -> Bar {
    speak_as(None, speech)
}

/// As [`speak`], for one process of several, if it has a number. The first has the progress bar.
fn speak_as(rank: Option<usize>, speech: Speech) -> Bar {
    Log::new(speech.verbose, speech.json).install(rank);
    // A log says how far the work is; a bar would be drawn across it.
    Bar::new(!speech.verbose && rank.unwrap_or(0) == 0)
}

/// The device that the flags and the environment ask for, with the threads asked for.
fn device(compute: &Compute) -> Result<Device, Failure> {
    limit_threads(compute.threads)?;
    // The environment is looked at even where the flag decides: a wrong value is an error.
    let cuda = Device::cuda_from_env()? || compute.cupy;
    match compute.device {
        Some(ordinal) if cuda => Ok(Device::cuda_device(ordinal.into())?),
        Some(ordinal) => Err(Failure::Usage(format!(
            "--device {ordinal} chooses among CUDA devices; add --cupy to run on one"
        ))),
        None if cuda => Ok(Device::cuda()?),
        None => Ok(Device::cpu()),
    }
}

/// Has all work done on so many threads.
fn limit_threads(threads: Option<u16>) -> Result<(), Failure> {
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.into())
        .build_global()
        .map_err(|error| Failure::Data(format!("cannot start {threads} threads: {error}")))
}

/// Makes a directory for results, with those above it, if it is not there.
fn make_dir(dir: &Path) -> Result<(), Failure> {
    Ok(std::fs::create_dir_all(dir).map_err(backdrop::error::Error::io(dir))?)
}
