//! Small fits of the background model, which run through every chapter at once, and what is made of
//! them.

mod applied;
mod sampled;

use array_api::Cpu;
use backdrop::file::Model;
use backdrop::fit::{FitOptions, Precision, fit};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings};
use backdrop::source::{FrameInfo, FrameSource, MemorySource, Target};
use libtest_mimic::Failed;
use ndarray::Array3;

use crate::testing::{Backend, Case, Check, Outcome, cases};
use crate::tolerance;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    let own = cases!["backdrop":
        fit_of_a_plane, fit_as_on_the_cpu, fit_of_512_pixels_as_on_the_cpu, fit_in_single_precision,
    ];
    own.into_iter().chain(sampled::cases()).chain(applied::cases()).collect()
}

/// The part of a background by which two backends may differ.
const PART: f64 = 1e-8;

/// The largest error; NaN, which would get lost in a maximum of floats, if one is.
fn worst(errors: impl IntoIterator<Item = f64>) -> f64 {
    errors.into_iter().fold(0.0, |worst, error| if error > worst || error.is_nan() { error } else { worst })
}

/// The largest `|found - expected|` over its scale; nothing where both are NaN, infinity if there are
/// not as many.
fn largest_error<'a>(
    found: impl IntoIterator<Item = &'a f64>,
    expected: impl IntoIterator<Item = &'a f64>,
    scale: impl Fn(usize, f64) -> f64,
) -> f64 {
    let [found, expected]: [Vec<f64>; 2] =
        [found.into_iter().copied().collect(), expected.into_iter().copied().collect()];
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let errors = found.into_iter().zip(expected).enumerate().map(|(i, (found, expected))| {
        let same = found == expected || (found.is_nan() && expected.is_nan());
        if same { 0.0 } else { (found - expected).abs() / scale(i, expected) }
    });
    worst(errors)
}

/// Holds numbers that are proportional to a background against others.
fn hold_background<'a>(
    check: &Check,
    what: &str,
    found: impl IntoIterator<Item = &'a f64>,
    expected: impl IntoIterator<Item = &'a f64>,
) -> Outcome {
    check.error(what, largest_error(found, expected, |_, b| PART * b.abs()), &tolerance::BACKGROUND)
}

/// A fit, and the background at every pixel.
fn background<B: Backend>(xp: &B, source: &dyn FrameSource) -> Result<(Model, Array3<f64>), Failed> {
    background_with(xp, source, Precision::Double)
}

/// The same with pixels in some precision.
fn background_with<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    precision: Precision,
) -> Result<(Model, Array3<f64>), Failed> {
    let options = FitOptions { precision, ..FitOptions::default() };
    let (model, report) = fit(xp, source, &options, &Silent)?;
    let (rows, columns) = source.shape();
    let (rows, columns): (Vec<_>, Vec<_>) = ((0..rows).collect(), (0..columns).collect());
    let frames: Vec<usize> = (0..report.frames).collect();
    let background = model.evaluate(xp, &frames, &rows, &columns)?;
    Ok((model, background))
}

/// Light that is a plane lies in the span of the model: it comes back but for the priors.
fn fit_of_a_plane<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let size = 40;
    let light = |row: usize, column: usize| 150.0 + 0.2 * row as f64 + 0.1 * column as f64;
    let pixels = (0..size * size).map(|pixel| light(pixel / size, pixel % size) as f32).collect();
    let info = FrameInfo { name: "plane".into(), tstart: 1400.0, tstop: 1400.02, quality: 0 };
    let target = Target { sector: 1, camera: 1, ccd: 2 };
    let (_, found) = background(xp, &MemorySource::new(target, (size, size), vec![(info, pixels)])?)?;
    let off = found.indexed_iter().map(|((_, row, column), value)| (value - light(row, column)).abs());
    check.equal("within 0.01 electrons/s of the plane", worst(off) < 0.01, true)
}

/// A simulated sector gives the same background as on the CPU.
fn fit_as_on_the_cpu<B: Backend>(xp: &B, check: &Check) -> Outcome {
    as_on_the_cpu(xp, check, 3, 96)
}

/// The same with images that are cut into many blocks and tiles.
fn fit_of_512_pixels_as_on_the_cpu<B: Backend>(xp: &B, check: &Check) -> Outcome {
    as_on_the_cpu(xp, check, 2, 512)
}

/// In single precision the background differs from that in double precision by less than 1e-7 of it.
fn fit_in_single_precision<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let settings =
        SimulationSettings { frames: 3, size: 128, flagged_frames: 0, dead_columns: 1, ..Default::default() };
    let source = Simulation::new(settings)?;
    let (model, found) = background_with(xp, &source, Precision::Single)?;
    let (in_double, expected) = background(&Cpu::new(), &source)?;
    check.equal("quality", model.quality, in_double.quality)?;
    let error = largest_error(&found, &expected, |_, b| b.abs());
    check.equal("differs in single precision", error > 1e-12, true)?;
    check.equal("within 1e-7 of the background", error < 1e-7, true)
}

/// Fits `frames` frames of `size` x `size` pixels, and compares all of them.
fn as_on_the_cpu<B: Backend>(xp: &B, check: &Check, frames: usize, size: usize) -> Outcome {
    let settings =
        SimulationSettings { frames, size, flagged_frames: 0, dead_columns: 1, ..Default::default() };
    let source = Simulation::new(settings)?;
    let (model, found) = background(xp, &source)?;
    let (on_cpu, expected) = background(&Cpu::new(), &source)?;
    check.equal("quality", model.quality, on_cpu.quality)?;
    hold_background(check, "background", &found, &expected)
}
