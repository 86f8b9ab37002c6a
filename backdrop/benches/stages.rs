//! The stages of a fit at full size (2048 x 2048 pixels, 77 + 3122 parameters), and a window of a model.
//!
//! `cargo bench -p backdrop --bench stages [-- NAME]`

mod mask_change;

use array_api::{Array, Cpu};
use backdrop::background::Evaluator;
use backdrop::ffi::{FfiSource, Filter, find_ffis};
use backdrop::file::Model;
use backdrop::fit::{FitOptions, fit};
use backdrop::mask::Masks;
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings, WriteOptions};
use backdrop::source::FrameSource;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fitsio::FitsFile;
use ndarray::{Array2, Axis};

use mask_change::{MaskChange, SIZE};

/// Frames of a batch.
const BATCH: usize = 4;

/// Frames of a model.
const SECTOR: usize = 1200;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Reading a frame, by CFITSIO and by this crate, and the masks that follow from it.
fn frames(criterion: &mut Criterion) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let settings = SimulationSettings { frames: 1, flagged_frames: 0, ..SimulationSettings::default() };
    let written = Simulation::new(settings)?.write(dir.path(), WriteOptions::default(), &Silent)?;
    let source = FfiSource::open(find_ffis(dir.path(), &Filter::default())?, None)?;
    let mut frame = vec![0.0; SIZE * SIZE];
    source.read(0, &mut frame)?;
    let minimum = Array2::from_shape_vec((SIZE, SIZE), frame.clone())?;
    let mut group = criterion.benchmark_group("frames");
    group.bench_function("read by CFITSIO", |bencher| {
        bencher.iter(|| {
            let mut file = FitsFile::open(&written.frames[0]).expect("the file");
            let hdu = file.hdu(1).expect("the image");
            hdu.read_image::<Vec<f32>>(&mut file).expect("its pixels")
        });
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| source.read(0, &mut frame).expect("a frame"));
    });
    group.sample_size(10).bench_function("masks", |bencher| {
        bencher.iter(|| Masks::new(&minimum).clean());
    });
    group.finish();
    Ok(())
}

/// The normal equations: for a first mask, and for another one.
fn normal_equations(criterion: &mut Criterion) -> Result<()> {
    let change = MaskChange::new()?;
    let grams = change.grams()?;
    let mut fitter = change.fitter()?;
    let mut group = criterion.benchmark_group("normal equations");
    group.sample_size(10);
    group.bench_function("bases, Gram, factor", |bencher| {
        bencher.iter(|| change.fitter().expect("normal equations"));
    });
    group.bench_function("Gram", |bencher| bencher.iter(|| change.grams().expect("Gram matrices")));
    group.bench_function("Gram of 5,000 pixels", |bencher| {
        bencher.iter(|| change.updated(&grams).expect("Gram matrices"));
    });
    group.bench_function("factor", |bencher| {
        let copies = || grams.each_ref().map(|gram| gram.copy().expect("the memory of a copy"));
        bencher.iter_batched(copies, |grams| change.factors(grams), BatchSize::PerIteration);
    });
    group.bench_function("mask change", |bencher| {
        bencher.iter(|| fitter.set_mask(&change.after).expect("normal equations"));
    });
    let pixel = |i: usize| 150.0 + (i % SIZE) as f32 * 0.02 + (i * 7919 % 1009) as f32 * 1e-3;
    let pixels = (0..BATCH * SIZE * SIZE).map(pixel).collect();
    let frames = Array::from_vec(&Cpu::new(), pixels, &[BATCH, SIZE, SIZE])?;
    group.bench_function(format!("fit of {BATCH} frames"), |bencher| {
        bencher.iter(|| fitter.fit(&frames).expect("weights"));
    });
    group.finish();
    Ok(())
}

/// A whole fit of a small cut-out, and a window of a model with as many frames as a sector.
fn models(criterion: &mut Criterion) -> Result<()> {
    let settings = SimulationSettings { frames: 4, size: 64, flagged_frames: 0, ..Default::default() };
    let source = Simulation::new(settings)?;
    let small = || fit(&Cpu::new(), &source, &FitOptions::default(), &Silent);
    let mut group = criterion.benchmark_group("models");
    group.sample_size(10);
    group.bench_function("fit of 4 frames, 64 x 64", |bencher| bencher.iter(|| small().expect("a model")));
    let (model, _) = small()?;
    let turns: Vec<usize> = (0..SECTOR).map(|frame| frame % 4).collect();
    let times = |start: f64| (0..SECTOR).map(|frame| start + frame as f64).collect::<Vec<_>>();
    let model = Model {
        tstart: times(0.0),
        tstop: times(0.5),
        weights1: model.weights1.select(Axis(0), &turns),
        weights2: model.weights2.select(Axis(0), &turns),
        ..model
    };
    let (window, all): (Vec<usize>, Vec<usize>) = ((20..40).collect(), (0..SECTOR).collect());
    group.bench_function(format!("20 x 20 pixels of {SECTOR} frames"), |bencher| {
        bencher.iter(|| {
            let evaluator = Evaluator::new(&Cpu::new(), &model, &window, &window).expect("an evaluator");
            evaluator.evaluate(&all).expect("a window of all frames")
        });
    });
    group.finish();
    Ok(())
}

fn stages(criterion: &mut Criterion) {
    frames(criterion).expect("frames");
    normal_equations(criterion).expect("normal equations");
    models(criterion).expect("models");
}

criterion_group!(benches, stages);
criterion_main!(benches);
