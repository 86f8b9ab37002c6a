//! What a fit holds in memory, counted by the allocator: no more for many frames than for few. In a process of its own,
//! where no other test takes any.
#![expect(unsafe_code, reason = "an allocator is a trait of unsafe functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use array_api::Cpu;
use backdrop::communicator::Alone;
use backdrop::components::COMPONENTS;
use backdrop::design::Block;
use backdrop::error::Result;
use backdrop::file::{AnyModel, Format, Model};
use backdrop::fit::{FitOptions, FittedModel, Job, fit_on};
use backdrop::progress::Silent;
use backdrop::source::{FrameInfo, FrameSource, Target};
use ndarray::Array2;

/// The system's allocator, which also counts.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(address, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SIZE: usize = 32;
const PIXELS: usize = SIZE * SIZE;

/// Those of `cartesian(12)`.
const COLUMNS: usize = 13 * 14 / 2;

/// Frames that are made up as they are read: a level, noise, and stars in half of the columns.
struct MadeUp(Vec<FrameInfo>);

impl MadeUp {
    fn new(frames: usize) -> Self {
        let info = |frame: usize| {
            let tstart = 1500.0 + frame as f64 / 400.0;
            FrameInfo { name: String::new(), tstart, tstop: tstart + 0.002, quality: 0 }
        };
        Self((0..frames).map(info).collect())
    }
}

impl FrameSource for MadeUp {
    fn target(&self) -> Target {
        Target { sector: 60, camera: 2, ccd: 4 }
    }

    fn shape(&self) -> (usize, usize) {
        (SIZE, SIZE)
    }

    fn frames(&self) -> &[FrameInfo] {
        &self.0
    }

    fn read(&self, frame: usize, out: &mut [f32]) -> Result<()> {
        let mut state = frame as u32;
        for (pixel, out) in out.iter_mut().enumerate() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / (1 << 24) as f32;
            let star = pixel % SIZE >= SIZE / 2 && pixel % 3 == 0;
            *out = 150.0 + 4.0 * noise + if star { 500.0 } else { 0.0 };
        }
        Ok(())
    }
}

/// A model, and the peak of what was in memory while it was fitted and saved.
fn fitted(frames: usize, format: Format) -> (FittedModel, usize) {
    let source = MadeUp::new(frames);
    let options = FitOptions {
        design1: Block::radial(2).prior(2.0, 100.0).into(),
        design2: Block::cartesian(12).into(),
        frames_per_batch: 64,
        ..FitOptions::default()
    };
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let directory = tempfile::tempdir().expect("a directory");
    let job = Job { ranks: &Alone, progress: &Silent, checkpoint: None };
    let (model, report) = fit_on(&Cpu::new(), &source, &options, &job).expect("a fit");
    let model = model.expect("there is no other rank");
    model.save(&directory.path().join("model"), format, false).expect("a model");
    assert_eq!(report.fitted, frames);
    (model, PEAK.load(Relaxed) - before)
}

/// Bytes that a model has for each frame, but for weights.
fn bytes_of_frames(model: &Model) -> usize {
    let numbers = [&model.jitter, &model.background].map(Array2::len);
    // The start, the end and the scatter of each frame, its quality and the name of its file.
    let each = 3 * size_of::<f64>() + size_of::<u32>() + size_of::<String>();
    numbers.iter().sum::<usize>() * size_of::<f64>() + model.tstart.len() * each
}

/// Says to this program that it has been started for the measurement alone.
const ALONE: &str = "BACKDROP_TEST_MEMORY";

#[test]
fn memory_does_not_grow_with_the_number_of_frames() {
    if std::env::var_os(ALONE).is_some() {
        return measure();
    }
    let mut alone = Command::new(std::env::current_exe().expect("this program"));
    alone.args(["--exact", "memory::memory_does_not_grow_with_the_number_of_frames", "--nocapture"]);
    let output = alone.env(ALONE, "1").output().expect("this program starts");
    let [said, complaints] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    println!("{said}");
    assert!(output.status.success(), "{complaints}");
    assert!(said.contains("peaks of"), "nothing was measured");
}

fn measure() {
    // What threads keep for themselves is there before.
    fitted(200, Format::Fits);
    for format in [Format::Fits, Format::Npz] {
        // As many as fill a block of the residuals that components are made from, and those of a sector.
        let [(few, few_peak), (many, many_peak)] = [4_000, 11_000].map(|frames| fitted(frames, format));
        let [few, many] = [&few, &many].map(AnyModel::without_weights);
        let frames = many.tstart.len() - few.tstart.len();
        let samples = many.jitter_pixels.len() + many.background_pixels.len();
        assert!(samples > PIXELS * 9 / 10 && many.jitter.ncols() == COMPONENTS, "{samples} sample pixels");
        let residuals = frames * samples * size_of::<f32>();
        let weights = frames * COLUMNS * size_of::<f64>();
        let others = bytes_of_frames(many) - bytes_of_frames(few);
        let growth = many_peak.saturating_sub(few_peak);
        println!(
            "{format:?}: peaks of {few_peak} and {many_peak} bytes; residuals differ by {residuals}, weights \
             by {weights}, all else by {others}"
        );
        assert!(growth < 2 * others + (1 << 20), "{growth} bytes more, {others} of them for times and names");
        // The test could not tell if they were in memory otherwise.
        assert!(weights > 2 * others + (1 << 20) && residuals > weights, "{weights} bytes of weights");
    }
}
