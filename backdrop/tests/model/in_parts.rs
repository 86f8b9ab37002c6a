//! Frames that are read where they are fitted, some rows at a time, have the fit of whole frames.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use array_api::{Array, Cpu};
use backdrop::background::Background;
use backdrop::communicator::Alone;
use backdrop::design::{Block, DesignMatrix};
use backdrop::error::{Error, Result};
use backdrop::file::Model;
use backdrop::fit::{FitOptions, FitReport, FrameFitter, Job, Precision, fit_on};
use backdrop::geometry::Window;
use backdrop::progress::{Progress, Silent};
use backdrop::quality::UNREADABLE;
use backdrop::source::{FrameInfo, FrameSource, MemorySource, OnError, Target};
use ndarray::Array2;

/// A frame has five tiles and eleven bands of the first pass, the last of which are short.
const SIZE: usize = 650;

/// Frames in memory that are read in parts or not, and some of which have rows that are lost.
struct Source {
    frames: MemorySource,
    parts: bool,
    /// Frames and a row of each, from which on nothing can be read, from this pass on.
    lost: Vec<(usize, usize, usize)>,
    pass: AtomicUsize,
    /// The most rows that were asked for at once.
    most_rows: AtomicUsize,
}

impl Source {
    fn new(parts: bool, lost: &[(usize, usize, usize)]) -> Self {
        let (pass, most_rows) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { frames: frames(), parts, lost: lost.to_vec(), pass, most_rows }
    }
}

impl FrameSource for Source {
    fn target(&self) -> Target {
        self.frames.target()
    }

    fn shape(&self) -> (usize, usize) {
        self.frames.shape()
    }

    fn frames(&self) -> &[FrameInfo] {
        self.frames.frames()
    }

    fn read(&self, index: usize, out: &mut [f32]) -> Result<()> {
        self.read_rows(index, 0..SIZE, out)
    }

    fn read_rows(&self, index: usize, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        self.most_rows.fetch_max(rows.len(), Ordering::Relaxed);
        let pass = self.pass.load(Ordering::Relaxed);
        if self.lost.iter().any(|&(frame, row, from)| frame == index && row < rows.end && from <= pass) {
            return Err(Error::InvalidArgument(format!("frame {index} is lost")));
        }
        self.frames.read_rows(index, rows, out)
    }

    fn reads_parts(&self, _: usize) -> bool {
        self.parts
    }
}

/// Tells a source which pass begins, and asks to stop after so many questions in the second one.
struct Passes<'a> {
    source: &'a Source,
    questions: AtomicUsize,
}

impl Progress for Passes<'_> {
    fn start(&self, stage: &str, _total: usize) {
        self.source.pass.store(if stage == "fit" { 2 } else { 1 }, Ordering::Relaxed);
    }

    fn advance(&self, _n: usize) {}

    fn finish(&self) {}

    fn cancelled(&self) -> bool {
        let fits = self.source.pass.load(Ordering::Relaxed) == 2;
        let less = |left: usize| left.checked_sub(usize::from(fits));
        self.questions.try_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
    }
}

/// Light that changes. Frame 2 has more pixels without a value than with one, though with flags of their own that are the
/// darkest; frame 3 is blown out; frames 0 and 5 are flagged, so that they are fitted and not averaged; some pixels of frames
/// 1 and 6 have no value.
fn frames() -> MemorySource {
    let frame = |i: usize| {
        let mut state = i as u32;
        let light = |pixel: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (row, column) = ((pixel / SIZE) as f32, (pixel % SIZE) as f32);
            150.0 + 0.01 * i as f32 * row + 0.02 * column + (state >> 8) as f32 / (1 << 24) as f32
        };
        let mut pixels: Vec<f32> = (0..SIZE * SIZE).map(light).collect();
        match i {
            2 => {
                pixels.fill(1.0);
                pixels[SIZE * SIZE / 4..].fill(f32::NAN);
            }
            3 => pixels[..10 * SIZE].fill(2e4),
            1 => pixels[70 * SIZE + 3..70 * SIZE + 9].fill(f32::NAN),
            6 => pixels[SIZE * SIZE - 3..].fill(f32::INFINITY),
            _ => {}
        }
        let (tstart, quality) = (1500.0 + i as f64, if matches!(i, 0 | 5) { 4096 } else { 0 });
        (FrameInfo { name: i.to_string(), tstart, tstop: tstart + 0.5, quality }, pixels)
    };
    let target = Target { sector: 9, camera: 4, ccd: 1 };
    MemorySource::new(target, (SIZE, SIZE), (0..9).map(frame).collect()).expect("frames")
}

fn options() -> FitOptions {
    FitOptions {
        design1: (Block::radial_spline(6).prior(2.0, 1.0) + Block::cartesian(2).prior(2.0, 1.0)),
        design2: Block::spline(5).prior(0.0, 1.0) + Block::restricted_strap(1).prior(0.0, 1.0),
        sample_pixels: 400,
        mask_window: 4,
        frames_per_batch: 3,
        ..FitOptions::default()
    }
}

fn fitted(source: &Source, options: &FitOptions, progress: &dyn Progress) -> Result<(Model, FitReport)> {
    let job = Job { ranks: &Alone, progress, checkpoint: None };
    let (model, report) = fit_on(&Cpu::new(), source, options, &job)?;
    Ok((model.expect("there is no other rank").into_model()?, report))
}

/// All that has to be the same.
fn bits(model: &Model) -> (Vec<u64>, Vec<u32>, Vec<usize>) {
    let matrices = [&model.weights1, &model.weights2, &model.average_frame, &model.jitter, &model.background];
    let numbers = matrices.into_iter().flat_map(|matrix| matrix.iter()).chain(&model.scatter);
    let sizes = matrices.iter().map(|matrix| matrix.len());
    (numbers.map(|number| number.to_bits()).collect(), model.quality.clone(), sizes.collect())
}

fn counts(report: &FitReport) -> ([usize; 5], [u64; 2], Vec<(usize, String)>) {
    let FitReport { fitted, averaged, blown_out, without_data, mask_windows, .. } = *report;
    let numbers = [fitted, averaged, blown_out, without_data, mask_windows];
    let pixels = [report.non_finite_pixels, report.non_positive_pixels];
    (numbers, pixels, report.unreadable.clone().into_iter().collect())
}

#[test]
fn frames_read_in_parts_have_the_fit_of_whole_ones() {
    for precision in [Precision::Double, Precision::Single] {
        let whole_options = FitOptions { precision, ..options() };
        let whole = Source::new(false, &[]);
        let (expected, report) = fitted(&whole, &whole_options, &Silent).expect("a fit");
        assert_eq!(counts(&report), ([7, 5, 1, 1, 4], [9, 0], Vec::new()));
        assert_eq!(whole.most_rows.into_inner(), SIZE);
        for (threads, frames_per_batch) in [(1, 3), (2, 1), (3, 64)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let options = FitOptions { frames_per_batch, ..whole_options.clone() };
            let parts = Source::new(true, &[]);
            let (model, other) = pool.install(|| fitted(&parts, &options, &Silent)).expect("a fit");
            assert!(bits(&model) == bits(&expected), "{threads} threads, {frames_per_batch} a batch");
            assert_eq!(counts(&other), counts(&report));
            assert!(parts.most_rows.into_inner() < SIZE / 3);
        }
    }
}

#[test]
fn residuals_of_pixels_in_any_tile_come_in_the_order_asked_for() {
    let (xp, source, options) = (Cpu::new(), frames(), options());
    let window = Window::cutout(1, SIZE).expect("a window");
    let designs = [&options.design1, &options.design2];
    let matrices = || DesignMatrix::several(&xp, designs, &window).expect("designs");
    let mut fitter =
        FrameFitter::new(&xp, matrices(), &Array2::from_elem((SIZE, SIZE), true)).expect("a fitter");
    // All over the frame, some twice, and none in some tiles; then none at all.
    let scattered: Vec<(usize, usize)> = (0..300)
        .map(|i| (i * 197 % 131 + 519 * (i % 2), i * 71 % SIZE))
        .chain([(0, 649), (0, 649)])
        .collect();
    let mut pixels = vec![0.0; 3 * SIZE * SIZE];
    for (frame, pixels) in [4, 5, 7].into_iter().zip(pixels.chunks_mut(SIZE * SIZE)) {
        source.read(frame, pixels).expect("a frame");
    }
    let images = Array::from_vec(&xp, pixels.clone(), &[3, SIZE, SIZE]).expect("frames");
    for samples in [&scattered[..], &[]] {
        fitter.set_samples(samples).expect("samples");
        let fitted = fitter.fit(&images).expect("a fit");
        let weights = |w: &Array2<f64>| {
            let (frames, columns) = w.dim();
            Array::from_vec(&xp, w.iter().copied().collect(), &[frames, columns]).expect("weights")
        };
        let [a1, a2] = matrices();
        let background = Background { a1, a2 }
            .evaluate(&weights(&fitted.weights1), &weights(&fitted.weights2))
            .and_then(|background| Ok(background.to_vec()?))
            .expect("a background");
        assert_eq!(fitted.residuals.dim(), (3, samples.len()));
        for (frame, residuals) in fitted.residuals.rows().into_iter().enumerate() {
            for (residual, &(row, column)) in residuals.iter().zip(samples) {
                let pixel = (frame * SIZE + row) * SIZE + column;
                let expected = f64::from(pixels[pixel]) - background[pixel];
                assert!(
                    (residual - expected).abs() < 1e-9,
                    "({row}, {column}) of {frame}: {residual}, {expected}"
                );
            }
        }
    }
}

#[test]
fn frames_of_which_rows_are_lost_are_skipped_or_end_the_run() {
    // One that is lost from its middle on when its average is made, and two that are so later.
    let lost = [(4, 300, 1), (7, 640, 2), (8, 0, 2)];
    let skip = FitOptions { on_error: OnError::Skip, ..options() };
    let of = |parts: bool, options: &FitOptions| {
        let source = Source::new(parts, &lost);
        let progress = Passes { source: &source, questions: AtomicUsize::new(usize::MAX) };
        fitted(&source, options, &progress)
    };
    let (expected, report) = of(false, &skip).expect("a fit");
    let (model, other) = of(true, &skip).expect("a fit");
    assert_eq!(counts(&other), counts(&report));
    let reasons = [4, 7, 8].map(|frame| (frame, format!("frame {frame} is lost")));
    assert_eq!(counts(&report).2, reasons);
    assert!(bits(&model) == bits(&expected));
    for (frame, quality) in model.quality.iter().enumerate() {
        assert_eq!(quality & UNREADABLE != 0, matches!(frame, 4 | 7 | 8), "{frame}");
    }
    assert_eq!(of(true, &options()).expect_err("a lost frame").to_string(), "frame 4 is lost");
    let later = |lost: &[(usize, usize, usize)]| {
        let source = Source::new(true, lost);
        let progress = Passes { source: &source, questions: AtomicUsize::new(usize::MAX) };
        fitted(&source, &options(), &progress).expect_err("a lost frame").to_string()
    };
    // The first of a round, whichever thread comes to it first.
    assert_eq!(later(&[(8, 0, 2), (7, 649, 2)]), "frame 7 is lost");
}

#[test]
fn to_stop_while_frames_are_read_in_parts_is_no_error_of_a_frame() {
    for questions in [0, 1, 2, 7, 12, 30] {
        let source = Source::new(true, &[]);
        let progress = Passes { source: &source, questions: AtomicUsize::new(questions) };
        let options = FitOptions { on_error: OnError::Skip, ..options() };
        let stopped = fitted(&source, &options, &progress);
        assert!(matches!(stopped, Err(Error::Cancelled)), "{questions}");
    }
}
