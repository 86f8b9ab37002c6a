//! Fits that several ranks share, that are stopped and go on, and that lose frames: what comes of
//! them has the bits of an undisturbed fit on one rank.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use array_api::Cpu;
use backdrop::communicator::{Alone, Communicator, threads};
use backdrop::error::{Error, Result};
use backdrop::file::Model;
use backdrop::fit::{Checkpoint, FitOptions, FitReport, FittedModel, Job, Precision, fit, fit_on};
use backdrop::progress::{Progress, Silent};
use backdrop::quality::UNREADABLE;
use backdrop::simulate::{Simulation, SimulationSettings};
use backdrop::source::{FrameInfo, FrameSource, OnError, Target};

/// Enough frames for an average frame, no multiple of any batch, with masks that change.
fn sky() -> Simulation {
    let settings = SimulationSettings {
        frames: 59,
        size: 48,
        flagged_frames: 2,
        asteroids: 2,
        dead_columns: 1,
        ..Default::default()
    };
    Simulation::new(settings).unwrap()
}

fn options(sky: &Simulation, frames_per_batch: usize) -> FitOptions {
    FitOptions {
        frames_per_batch,
        mask_window: 20,
        asteroids: Some(sky.asteroids().clone()),
        sample_pixels: 100,
        ..FitOptions::with_nknots(backdrop::design::Preset::default(), 6)
    }
}

/// All numbers of a model as bits.
fn bits(model: &Model) -> Vec<u64> {
    let Model { weights1, weights2, jitter, background, average_frame, .. } = model;
    let numbers = [weights1, weights2, jitter, background, average_frame].into_iter().flatten();
    let numbers = numbers.chain(&model.scatter).map(|number| number.to_bits());
    numbers.chain(model.quality.iter().map(|&flags| flags.into())).collect()
}

/// The model of rank 0, and the reports of all.
fn on_ranks(
    size: usize,
    source: &(dyn FrameSource + Sync),
    options: &FitOptions,
    checkpoint: Option<&Checkpoint>,
) -> Vec<Result<(Option<FittedModel>, FitReport)>> {
    threads(size, |ranks| fit_on(&Cpu::new(), source, options, &Job { ranks, progress: &Silent, checkpoint }))
}

/// Frames of another source, some of which cannot be read, from the `n`th reading on.
struct Broken<'a> {
    sky: &'a Simulation,
    broken: Vec<(usize, usize)>,
    reads: Vec<AtomicUsize>,
}

impl<'a> Broken<'a> {
    fn new(sky: &'a Simulation, broken: &[(usize, usize)]) -> Self {
        let reads = sky.frames().iter().map(|_| AtomicUsize::new(0)).collect();
        Self { sky, broken: broken.to_vec(), reads }
    }
}

impl FrameSource for Broken<'_> {
    fn target(&self) -> Target {
        self.sky.target()
    }

    fn shape(&self) -> (usize, usize) {
        self.sky.shape()
    }

    fn frames(&self) -> &[FrameInfo] {
        self.sky.frames()
    }

    fn read(&self, index: usize, out: &mut [f32]) -> Result<()> {
        self.read_rows(index, 0..self.shape().0, out)
    }

    fn read_rows(&self, index: usize, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        let read = self.reads[index].fetch_add(1, Ordering::Relaxed);
        if self.broken.iter().any(|&(frame, from)| frame == index && read >= from) {
            return Err(Error::InvalidArgument(format!("frame {index} is lost")));
        }
        self.sky.read_rows(index, rows, out)
    }
}

/// Asks to stop after some frames of the second pass.
struct StopAfter {
    frames: usize,
    done: AtomicUsize,
    fitting: AtomicUsize,
}

impl StopAfter {
    fn new(frames: usize) -> Self {
        Self { frames, done: AtomicUsize::new(0), fitting: AtomicUsize::new(0) }
    }
}

impl Progress for StopAfter {
    fn start(&self, stage: &str, _total: usize) {
        self.done.store(0, Ordering::Relaxed);
        self.fitting.store(usize::from(stage == "fit"), Ordering::Relaxed);
    }

    fn advance(&self, n: usize) {
        self.done.fetch_add(n, Ordering::Relaxed);
    }

    fn finish(&self) {}

    fn cancelled(&self) -> bool {
        self.fitting.load(Ordering::Relaxed) == 1 && self.done.load(Ordering::Relaxed) >= self.frames
    }
}

#[test]
fn any_number_of_ranks_gives_the_bits_of_one() {
    let sky = sky();
    let (alone, expected) = fit(&Cpu::new(), &sky, &options(&sky, 8), &Silent).unwrap();
    assert!(expected.average_used && expected.mask_windows > 2 && expected.asteroid_pixels > 0);
    for (size, batch) in [(1, 5), (2, 4), (3, 7), (4, 1), (5, 64)] {
        let mut results = on_ranks(size, &sky, &options(&sky, batch), None).into_iter();
        let (model, report) = results.next().unwrap().unwrap();
        assert_eq!(
            bits(&model.unwrap().into_model().unwrap()),
            bits(&alone),
            "{size} ranks, batches of {batch}"
        );
        assert_eq!(report.ranks.len(), size);
        assert_eq!(report.ranks.iter().map(|rank| rank.frames).sum::<usize>(), report.fitted);
        assert!(report.ranks.iter().all(|rank| batch == 64 || rank.frames > 0));
        assert_eq!(
            (report.frames, report.fitted, report.averaged, report.non_finite_pixels),
            (expected.frames, expected.fitted, expected.averaged, expected.non_finite_pixels)
        );
        assert_eq!(report.non_positive_pixels, expected.non_positive_pixels);
        assert!(results.all(|result| result.unwrap().0.is_none()));
    }
}

#[test]
fn a_fit_that_was_stopped_goes_on_with_other_ranks_and_batches() {
    let sky = sky();
    let (alone, _) = fit(&Cpu::new(), &sky, &options(&sky, 8), &Silent).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::beside(&dir.path().join("model.fits"), false);
    let mut before = 0;
    for (stop, size, batch) in [(5, 1, 3), (20, 3, 2), (41, 2, 4)] {
        let stopped = threads(size, |ranks| {
            let progress = StopAfter::new(stop);
            let job = Job { ranks, progress: &progress, checkpoint: Some(&checkpoint) };
            fit_on(&Cpu::new(), &sky, &options(&sky, batch), &job).map(|_| ())
        });
        assert!(stopped.into_iter().all(|result| matches!(result, Err(Error::Cancelled))), "{stop}");
        let length = checkpoint.path().metadata().unwrap().len();
        assert!(length > before, "{length} bytes after {stop} frames");
        before = length;
    }
    // Some of the last record is lost.
    let file = std::fs::OpenOptions::new().write(true).open(checkpoint.path()).unwrap();
    file.set_len(before - 1).unwrap();
    let mut results = on_ranks(2, &sky, &options(&sky, 3), Some(&checkpoint)).into_iter();
    let (model, report) = results.next().unwrap().unwrap();
    assert!((40..report.fitted).contains(&report.resumed), "{}", report.resumed);
    assert_eq!(report.ranks.iter().map(|rank| rank.frames).sum::<usize>(), report.fitted - report.resumed);
    assert_eq!(bits(&model.unwrap().into_model().unwrap()), bits(&alone));
    // All is in the checkpoint: nothing is fitted again.
    let job = Job { ranks: &Alone, progress: &Silent, checkpoint: Some(&checkpoint) };
    let broken: Vec<(usize, usize)> = (0..59).map(|frame| (frame, 0)).collect();
    let (model, report) = fit_on(&Cpu::new(), &Broken::new(&sky, &broken), &options(&sky, 3), &job).unwrap();
    assert_eq!((report.resumed, bits(&model.unwrap().into_model().unwrap())), (report.fitted, bits(&alone)));
}

#[test]
fn a_checkpoint_of_other_inputs_or_options_is_refused_in_words() {
    let sky = sky();
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::beside(&dir.path().join("model.fits"), false);
    let options = options(&sky, 8);
    on_ranks(1, &sky, &options, Some(&checkpoint)).remove(0).unwrap();
    let refused = |options: &FitOptions| -> Vec<String> {
        let results = on_ranks(2, &sky, options, Some(&checkpoint));
        results.into_iter().map(|result| result.unwrap_err().to_string()).collect()
    };
    let path = checkpoint.path().display();
    let of_seed = refused(&FitOptions { seed: 9, ..options.clone() });
    let words = format!("{path}: of another run: the seed was 0 and is now 9; use --restart to begin anew");
    assert_eq!(of_seed, [words.clone(), format!("rank 0: {words}")]);
    let fewer = refused(&FitOptions { max_frames: 58, ..options.clone() });
    assert!(fewer[0].contains("the number of frames was 59 and is now 58"), "{fewer:?}");
    let single = refused(&FitOptions { precision: Precision::Single, ..options.clone() });
    assert!(single[0].contains("the precision of pixels was double and is now single"), "{single:?}");
    let without = refused(&FitOptions { asteroids: None, ..options.clone() });
    assert!(without[0].contains("the table of asteroids was"), "{without:?}");
    let restart = Checkpoint::beside(Path::new(&dir.path().join("model.fits")), true);
    let anew = FitOptions { seed: 9, ..options };
    let (_, report) = on_ranks(1, &sky, &anew, Some(&restart)).remove(0).unwrap();
    assert_eq!(report.resumed, 0);
}

#[test]
fn a_frame_that_cannot_be_read_ends_the_work_of_all_ranks() {
    let sky = sky();
    let good = |frame: &usize| sky.frames()[*frame].quality == 0;
    let fitted: Vec<usize> = (0..59).filter(good).collect();
    for (frame, from) in [(0, 0), (23, 0), (58, 0), (fitted[7], 1), (fitted[44], 1)] {
        for size in [1, 3] {
            let broken = Broken::new(&sky, &[(frame, from)]);
            let results = on_ranks(size, &broken, &options(&sky, 4), None);
            let errors: Vec<String> =
                results.into_iter().map(|result| result.unwrap_err().to_string()).collect();
            assert!(errors.iter().all(|error| error.ends_with(&format!("frame {frame} is lost"))));
            assert_eq!(errors.iter().filter(|error| error.starts_with("frame")).count(), 1, "{errors:?}");
        }
    }
}

/// Counts how often the second pass asks whether to go on, which it does before it fits some frames.
#[derive(Default)]
struct Asked {
    fitting: AtomicUsize,
    times: AtomicUsize,
}

impl Progress for Asked {
    fn start(&self, stage: &str, _total: usize) {
        self.fitting.store(usize::from(stage == "fit"), Ordering::Relaxed);
    }

    fn advance(&self, _n: usize) {}

    fn finish(&self) {}

    fn cancelled(&self) -> bool {
        self.times.fetch_add(self.fitting.load(Ordering::Relaxed), Ordering::Relaxed);
        false
    }
}

#[test]
fn after_an_error_no_further_frames_are_fitted() {
    let sky = sky();
    let fitted: Vec<usize> = (0..59).filter(|&frame| sky.frames()[frame].quality == 0).collect();
    let (broken, asked) = (Broken::new(&sky, &[(fitted[5], 1)]), Asked::default());
    let job = Job { ranks: &Alone, progress: &asked, checkpoint: None };
    assert!(fit_on(&Cpu::new(), &broken, &options(&sky, 1), &job).is_err());
    assert_eq!(asked.times.into_inner(), 6);
}

#[test]
fn frames_that_cannot_be_read_are_skipped_when_asked_for() {
    let sky = sky();
    // Three that are lost from the beginning, and two that vanish between the passes.
    let lost = [(3, 0), (23, 0), (24, 0), (11, 1), (50, 1)];
    let skipping = |batch| FitOptions { on_error: OnError::Skip, ..options(&sky, batch) };
    let mut first: Option<Vec<u64>> = None;
    for (size, batch) in [(1, 8), (3, 2), (2, 64)] {
        let broken = Broken::new(&sky, &lost);
        let mut results = on_ranks(size, &broken, &skipping(batch), None).into_iter();
        let (model, report) = results.next().unwrap().unwrap();
        let model = model.unwrap().into_model().unwrap();
        let reasons: Vec<(usize, String)> = report.unreadable.clone().into_iter().collect();
        let expected = [3, 11, 23, 24, 50].map(|frame| (frame, format!("frame {frame} is lost")));
        assert_eq!(reasons, expected);
        assert_eq!((report.frames, report.fitted), (59, 59 - 5 - 2));
        for frame in 0..59 {
            let skipped = lost.iter().any(|&(other, _)| other == frame);
            assert_eq!(model.quality[frame] & UNREADABLE != 0, skipped);
            let good = !skipped && sky.frames()[frame].quality == 0;
            for row in [model.weights1.row(frame), model.weights2.row(frame), model.jitter.row(frame)] {
                assert!(row.iter().all(|number| number.is_finite() == good), "{frame}");
            }
            assert_eq!(model.scatter[frame].is_finite(), good);
        }
        let bits = bits(&model);
        assert!(*first.get_or_insert_with(|| bits.clone()) == bits, "{size} ranks");
    }
    // The others are as if the lost ones had never been there.
    let all: Vec<(usize, usize)> = (0..59).map(|frame| (frame, 0)).collect();
    let broken = Broken::new(&sky, &all);
    let error = on_ranks(2, &broken, &skipping(8), None).remove(0).unwrap_err().to_string();
    assert!(error.contains("59 cannot be read, such as frame 0 is lost"), "{error}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_ends_the_work_and_is_of_use_afterwards() {
    let sky = sky();
    let dir = tempfile::tempdir().unwrap();
    let missing = Checkpoint::beside(&dir.path().join("missing/model.fits"), false);
    let errors: Vec<String> = on_ranks(2, &sky, &options(&sky, 8), Some(&missing))
        .into_iter()
        .map(|result| result.unwrap_err().to_string())
        .collect();
    assert!(errors[0].starts_with(&missing.path().display().to_string()), "{errors:?}");
    assert_eq!(errors[1], format!("rank 0: {}", errors[0]));
    assert_eq!(Alone.size(), 1);
}
