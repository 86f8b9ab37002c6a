//! A small fit of a star scene: Cholesky factors, batched solves and medians at once.

use array_api::Cpu;
use backdrop::file::Model;
use backdrop::fit::{self, FitOptions};
use backdrop::progress::Silent;
use backdrop::scene::{self, Scene, SceneOptions, SceneReport};
use backdrop::simulate::{Simulation, SimulationSettings};
use backdrop::source::{FrameSource, MemorySource};
use libtest_mimic::Failed;
use ndarray::{Array2, Array3};

use crate::testing::{Backend, Case, Check, Outcome, cases};
use crate::tolerance;

const FRAMES: usize = 14;
const SIZE: usize = 20;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["backdrop": scene_as_on_the_cpu]
}

/// Simulated frames in which some pixels lack some cadences and a column lacks all.
fn frames() -> Result<MemorySource, Failed> {
    let settings = SimulationSettings {
        frames: FRAMES,
        size: SIZE,
        flagged_frames: 0,
        dead_columns: 1,
        ..Default::default()
    };
    let simulation = Simulation::new(settings)?;
    let read = |frame: usize| {
        let mut pixels = vec![0.0; SIZE * SIZE];
        simulation.read(frame, &mut pixels)?;
        for pixel in [5, 17, 203].into_iter().filter(|pixel| (frame + pixel).is_multiple_of(4)) {
            pixels[pixel] = f32::NAN;
        }
        Ok((simulation.frames()[frame].clone(), pixels))
    };
    let frames = (0..FRAMES).map(read).collect::<backdrop::error::Result<_>>()?;
    Ok(MemorySource::new(simulation.target(), simulation.shape(), frames)?)
}

/// Pixels without a value in some frame.
fn lacking(source: &MemorySource) -> Result<usize, Failed> {
    let mut lacking = vec![false; SIZE * SIZE];
    let mut pixels = vec![0.0; SIZE * SIZE];
    for frame in 0..FRAMES {
        source.read(frame, &mut pixels)?;
        lacking.iter_mut().zip(&pixels).for_each(|(lacking, pixel)| *lacking |= !pixel.is_finite());
    }
    Ok(lacking.into_iter().filter(|&lacking| lacking).count())
}

/// A fit, the scene at every pixel of every frame, and the bad pixels.
fn scene<B: Backend>(
    xp: &B,
    source: &MemorySource,
    model: &Model,
) -> Result<(SceneReport, Array3<f64>, Array2<u8>), Failed> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join(scene::file_name(model.target));
    let report = scene::fit(xp, source, model, &SceneOptions::default(), &path, false, &Silent)?;
    let scene = Scene::load(&path)?;
    let (frames, pixels): (Vec<_>, Vec<_>) = ((0..FRAMES).collect(), (0..SIZE).collect());
    Ok((report, scene.evaluate(xp, &frames, &pixels, &pixels)?, scene.bad_pixels(1, &pixels, &pixels)?))
}

/// The same model gives the same scene as on the CPU.
fn scene_as_on_the_cpu<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let source = frames()?;
    let (mut model, _) = fit::fit(&Cpu::new(), &source, &FitOptions::default(), &Silent)?;
    model.jitter = Array2::from_shape_fn((FRAMES, 2), |(t, j)| ((t * (3 + 2 * j)) as f64 + 0.3).sin());
    model.background = Array2::from_shape_fn((FRAMES, 1), |(t, _)| 3.0 + (0.4 * t as f64).cos());
    let (report, found, bad) = scene(xp, &source, &model)?;
    let (on_cpu, expected, bad_on_cpu) = scene(&Cpu::new(), &source, &model)?;
    check.equal("pixels that lack cadences", &report.lacking_pixels, &on_cpu.lacking_pixels)?;
    check.equal("pixels that lack any", on_cpu.lacking_pixels[0], lacking(&source)?)?;
    check.equal("bad pixels", bad, bad_on_cpu)?;
    check.equal(
        "pixels without a fit",
        found.map(|value| value.is_nan()),
        expected.map(|value| value.is_nan()),
    )?;
    let fitted = || found.iter().zip(&expected).filter(|(_, expected)| !expected.is_nan());
    let largest = fitted().fold(0.0, |largest: f64, (_, value)| largest.max(value.abs()));
    let scale = f64::from(f32::EPSILON) * largest * (report.components + 1) as f64;
    let worst = fitted().fold(0.0, |worst: f64, (a, b)| worst.max((a - b).abs() / scale));
    check.error("scene", worst, &tolerance::SCENE)
}
