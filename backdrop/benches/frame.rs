//! Where the time of a frame goes: the fit of a batch in memory, and each step of its tiles.
//!
//! `cargo bench -p backdrop --bench frame [-- FRAMES]` fits a batch of full frames (2048 x 2048) with
//! the standard preset on all threads and on one, and times the steps of a tile on one thread, with pixels in
//! double and in single precision.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use array_api::backend::Storage;
use array_api::{Array, Cast, Cpu, Float, Tile, s};
use backdrop::design::{DesignMatrix, Preset};
use backdrop::fit::{FrameFitter, Precision};
use backdrop::geometry::Window;
use ndarray::Array2;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const SIZE: usize = 2048;

/// Repetitions, of which the fastest counts.
const ROUNDS: usize = 7;

fn main() -> Result<()> {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(8);
    let xp = Cpu::new();
    let window = Window::cutout(4, SIZE)?;
    let preset = Preset::default();
    let designs = [preset.design1(), preset.design2(preset.nknots())];
    let matrices = || DesignMatrix::several(&xp, designs.each_ref(), &window);
    let keep = Array2::from_shape_fn((SIZE, SIZE), |(row, column)| (row * 31 + column * 17) % 11 > 1);
    let mut fitter = FrameFitter::new(&xp, matrices()?, &keep)?;
    let samples: Vec<(usize, usize)> = (0..10_000).map(|i| (i * 7919 % SIZE, i * 104_729 % SIZE)).collect();
    fitter.set_samples(&samples)?;

    let pixels: Vec<f32> = (0..count * SIZE * SIZE).map(pixel).collect();
    let frames = Array::from_vec(&xp, pixels, &[count, SIZE, SIZE])?;
    println!("{count} frames of {SIZE} x {SIZE}");
    for average in [false, true] {
        if average {
            let minimum =
                Array2::from_shape_fn((SIZE, SIZE), |(row, column)| 0.9 * pixel(row * SIZE + column));
            fitter.set_average(&minimum)?;
        }
        for precision in [Precision::Double, Precision::Single] {
            fitter.set_precision(precision);
            for threads in [rayon_threads(), 1] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
                let fastest = pool.install(|| fastest(|| fitter.fit(&frames).map(drop)))?;
                let name = if average { "fit, with average" } else { "fit" };
                let name = format!("{name}, {precision} precision");
                println!("{name:40} {threads:2} threads {:8.2} ms a frame", 1e3 * fastest / count as f64);
            }
        }
    }
    steps::<f64>(&xp, &matrices()?, &frames)?;
    steps::<f32>(&xp, &matrices()?, &frames)
}

/// What each operation of a tile takes, on one thread, with pixels of a type.
fn steps<P: Float>(xp: &Cpu, [a1, a2]: &[DesignMatrix<Cpu>; 2], frames: &Array<f32, Cpu>) -> Result<()>
where
    f32: Cast<P>,
    bool: Cast<P>,
{
    let (count, pixels) = (frames.shape()[0], frames.shape().iter().product::<usize>());
    let kept = Array::full(xp, &[SIZE, SIZE], true)?;
    let average = Array::full(xp, &[SIZE, SIZE], 0.5_f32)?;
    let blocks = a1.design().blocks().iter().chain(a2.design().blocks());
    let blocks: Vec<(String, DesignMatrix<Cpu>)> = blocks
        .map(|block| {
            let matrix = DesignMatrix::new(xp, &(*block).into(), a1.window())?;
            Ok((format!("  project on {block}"), matrix))
        })
        .collect::<Result<_>>()?;
    let clock = Clock::default();
    let pass = |tile: &Tile| {
        let rows = tile.rows.clone();
        let (kept, average) = (kept.slice(s![rows.clone()])?, average.slice(s![rows.clone()])?);
        let weights = || kept.lazy().astype::<P>().maximum_scalar(P::from_f64(1e-6));
        let weights_of_flux = || kept.lazy().astype::<f32>().maximum_scalar(1e-6);
        let frames = frames.slice(s![tile.batch.clone(), rows.clone()])?;
        let flux = || frames.lazy().subtract(average.lazy());
        let non_positive = flux().between(f32::MIN, 0.0);
        let log = flux().threshold(1e-5, f32::MAX, 1e-5).astype::<P>().log10().multiply(weights());
        let weighted = flux().threshold(1e-5, f32::MAX, 1e-5).multiply(weights_of_flux());
        let (log, flux, _) = clock.of("less the average, count; log10; both weighted", || {
            log.eval_two_and_count(&weighted, &non_positive, &[1, 2], false)
        })?;
        clock.of("project on A1", || Ok(a1.project_rows(&log, rows.clone()).expect("a projection")))?;
        for (name, block) in &blocks {
            clock.of(name, || Ok(block.project_rows(&flux, rows.clone()).expect("a projection")))?;
        }
        clock.of("project on A2", || Ok(a2.project_rows(&flux, rows).expect("a projection")))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    for round in 0..3 {
        if round == 1 {
            clock.0.lock().expect("no panic").clear();
        }
        pool.install(|| xp.reduce_tiles(&a1.tiles(count), count, a2.columns(), pass))?;
    }
    println!("steps of a tile in {}, ns a pixel", P::DTYPE);
    for (name, time) in clock.0.lock().expect("no panic").iter() {
        println!("{name:45} {:6.3}", time.as_secs_f64() * 1e9 / (2 * pixels) as f64);
    }
    Ok(())
}

/// The time that operations of a name have taken.
#[derive(Default)]
struct Clock(Mutex<Vec<(String, Duration)>>);

impl Clock {
    fn of<T>(&self, name: &str, f: impl FnOnce() -> array_api::Result<T>) -> array_api::Result<T> {
        let start = Instant::now();
        let result = f()?;
        let time = start.elapsed();
        let mut times = self.0.lock().expect("no panic");
        match times.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += time,
            None => times.push((name.to_owned(), time)),
        }
        Ok(result)
    }
}

/// A made up pixel: a smooth background, and noise.
fn pixel(index: usize) -> f32 {
    let (row, column) = (index / SIZE % SIZE, index % SIZE);
    let noise = (index as u32).wrapping_mul(2_654_435_769) >> 8;
    150.0 + 0.02 * row as f32 + 0.01 * column as f32 + noise as f32 / (1 << 24) as f32
}

/// The fewest seconds that something takes.
fn fastest<E>(mut f: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        f()?;
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    Ok(fastest)
}

fn rayon_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
