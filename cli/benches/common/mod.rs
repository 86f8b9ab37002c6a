//! What the benchmarks of the program work on.

use std::path::{Path, PathBuf};

use array_api::Cpu;
use backdrop::file::{Format, Model};
use backdrop::fit::{FitOptions, fit};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings, WriteOptions};
use ndarray::{Array2, Axis};

/// What goes wrong in a benchmark.
pub type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_backdrop");

fn simulation(frames: usize) -> Result<Simulation> {
    Ok(Simulation::new(SimulationSettings { frames, flagged_frames: 0, ..SimulationSettings::default() })?)
}

/// Writes full frames of the default sector, none of them flagged, to a directory.
pub fn frames(dir: &Path, count: usize) -> Result<Vec<PathBuf>> {
    let written = simulation(count)?.write(dir, WriteOptions::default(), &Silent)?;
    // Nothing reads it, and it would take room in the page cache.
    std::fs::remove_file(written.truth)?;
    Ok(written.frames)
}

/// Writes a model of so many full frames, with the standard preset (77 + 3122 weights a frame) and ten
/// components of either kind: that of two frames, whose weights take turns.
pub fn model(dir: &Path, frames: usize) -> Result<PathBuf> {
    let options = FitOptions { sample_pixels: 100, ..FitOptions::default() };
    let (two, _) = fit(&Cpu::new(), &simulation(2)?, &options, &Silent)?;
    let turns: Vec<usize> = (0..frames).map(|frame| frame % 2).collect();
    let start = |frame: usize| two.tstart[0] + frame as f64 / 48.0;
    let model = Model {
        tstart: (0..frames).map(start).collect(),
        tstop: (1..=frames).map(start).collect(),
        quality: vec![0; frames],
        weights1: two.weights1.select(Axis(0), &turns),
        weights2: two.weights2.select(Axis(0), &turns),
        jitter: Array2::zeros((frames, 10)),
        background: Array2::zeros((frames, 10)),
        scatter: turns.iter().map(|&turn| two.scatter[turn]).collect(),
        input_files: turns.iter().map(|&turn| two.input_files[turn].clone()).collect(),
        ..two
    };
    let path = dir.join(model.file_name(Format::Fits));
    model.save(&path, Format::Fits, false)?;
    Ok(path)
}
