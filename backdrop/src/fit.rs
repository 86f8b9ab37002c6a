//! The fit: from frames to weights.
//!
//! For a frame `F` and the average frame, with `f = max(F - average, 1e-5)`:
//! `w1 = fit(A1, log10 f)`, `m1 = 10^(A1 w1)`, `w2 = fit(A2, f - m1)`, `m2 = A2 w2`. The background
//! is `m1 + m2`. [`FrameFitter`] does this for a batch of frames; [`fit`] does it for all frames of
//! a source, which it reads twice: once for the minimum image that the masks are made from, and
//! once for the fit. Memory is a fixed number of frames besides the model, whatever the length of the
//! sector; weights and what is left of sampled pixels in all frames are in temporary files meanwhile.

mod checkpoint;
mod fitter;
mod images;
mod memory;
mod model;
mod passed;
mod record;
mod results;
mod round;
mod run;
mod samples;
mod spool;
mod survey;
mod together;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use array_api::Backend;

use crate::asteroids::Asteroids;
use crate::communicator::{Alone, Communicator};
use crate::design::{Design, Preset};
use crate::error::{Error, Result};
use crate::file::Model;
use crate::progress::Progress;
use crate::quality;
use crate::source::{FrameSource, OnError};

pub use checkpoint::Checkpoint;
pub use fitter::{FLOOR, Fitted, FrameFitter};
pub use memory::peak_memory;
pub use model::FittedModel;

/// Frames that must pass the average bitmask for an average frame to be used.
pub const MIN_AVERAGE_FRAMES: usize = 50;

/// What a fit can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// Name of the preset that the designs come from, `custom` if from none.
    pub preset: String,
    /// `A1`, which fits the logarithm of the flux to base 10.
    pub design1: Design,
    /// `A2`, which fits the flux that remains.
    pub design2: Design,
    /// Quality flags that keep a frame out of the fit.
    pub quality_bitmask: u32,
    /// Quality flags that keep a frame out of the minimum image and the average frame.
    pub average_bitmask: u32,
    /// Use at most so many frames, the first ones; 0 for all.
    pub max_frames: usize,
    /// Frames that a rank fits at once. The result does not depend on it.
    pub frames_per_batch: usize,
    /// Frames that share one mask: a pixel that has no value in any of them, or that an asteroid
    /// passes, is masked in all.
    pub mask_window: usize,
    /// Where asteroids are, whose surroundings are masked.
    pub asteroids: Option<Asteroids>,
    /// Seed of the draw of jitter and background pixels.
    pub seed: u64,
    /// Jitter pixels, and as many background pixels, whose residuals are kept, at most.
    pub sample_pixels: usize,
    /// What becomes of a frame that cannot be read.
    pub on_error: OnError,
    /// The precision of logarithms.
    pub precision: Precision,
}

/// The precision in which logarithms of pixels are. Pixels are in single precision, that of the frames; sums over
/// them, normal equations and weights are in double precision either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// Double precision: the background is exact to some 1e-9 of itself at worst, in corners of the CCD, where few pixels
    /// tell what a spline is, and to 1e-11 mostly.
    #[default]
    Double,
    /// Single precision in about four fifths of the time: the background is exact to
    /// 1e-7 of itself, less than the last digit of a pixel in a frame.
    Single,
}

impl Display for Precision {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Double => "double",
            Self::Single => "single",
        })
    }
}

impl Default for FitOptions {
    fn default() -> Self {
        Self::preset(Preset::default())
    }
}

impl FitOptions {
    /// The options of a preset.
    pub fn preset(preset: Preset) -> Self {
        Self::with_nknots(preset, preset.nknots())
    }

    /// The options of a preset with another number of knots along each axis of the tensor spline.
    pub fn with_nknots(preset: Preset, nknots: usize) -> Self {
        Self {
            preset: preset.name().to_owned(),
            design1: preset.design1(),
            design2: preset.design2(nknots),
            quality_bitmask: quality::FIT_BITMASK,
            average_bitmask: quality::AVERAGE_BITMASK,
            max_frames: 0,
            frames_per_batch: 16,
            mask_window: 100,
            asteroids: None,
            seed: 0,
            sample_pixels: 5000,
            on_error: OnError::Fail,
            precision: Precision::default(),
        }
    }
}

/// What a fit did and how long it took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FitReport {
    /// Frames of the source that were used.
    pub frames: usize,
    /// Frames that were fitted; the others have a quality flag of the bitmask.
    pub fitted: usize,
    /// Frames found to be blown out.
    pub blown_out: usize,
    /// Frames with too few pixels to fit.
    pub without_data: usize,
    /// Frames that could not be read, and why.
    pub unreadable: BTreeMap<usize, String>,
    /// Frames whose results are from a checkpoint.
    pub resumed: usize,
    /// Frames in the minimum image.
    pub averaged: usize,
    /// Whether an average frame was subtracted.
    pub average_used: bool,
    /// Pixels of fitted frames that have no finite value.
    pub non_finite_pixels: u64,
    /// Finite pixels of fitted frames that are not positive after the average frame is subtracted.
    pub non_positive_pixels: u64,
    /// Share of pixels that the star and saturation masks drop, 0 to 1.
    pub masked_fraction: f64,
    /// Pixels that asteroids pass, in the mask window where they are most.
    pub asteroid_pixels: usize,
    /// Sets of masks that normal equations were factored for.
    pub mask_windows: usize,
    /// Time for the first pass over the frames: reading and the minimum image.
    pub survey_time: Duration,
    /// Time for bases, masks, Gram matrices and factors.
    pub setup_time: Duration,
    /// Time for the second pass over the frames: reading and fitting.
    pub fit_time: Duration,
    /// Time for the principal components of the jitter and background pixels.
    pub components_time: Duration,
    /// Time that threads spent in reading frames, in both passes, of all threads together; where others work meanwhile, it overlaps with
    /// the work.
    pub read_time: Duration,
    /// What each rank has done, by rank; on ranks other than 0 empty. The times above are those of
    /// rank 0.
    pub ranks: Vec<RankReport>,
}

/// What one rank has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RankReport {
    /// Frames that it has fitted.
    pub frames: usize,
    /// Time that threads spent in reading frames, in both passes, of all threads together; where others work meanwhile, it overlaps with
    /// the work.
    pub read_time: Duration,
    /// Time for fitting, reading included as far as it did not overlap.
    pub fit_time: Duration,
    /// Time for bringing results to rank 0 and waiting for other ranks.
    pub wait_time: Duration,
    /// Bytes of results that it has sent.
    pub sent: u64,
}

/// How a fit is carried out, which does not change its result.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The processes that share the work.
    pub ranks: &'a dyn Communicator,
    /// What hears how far the work is; on rank 0 of all ranks.
    pub progress: &'a dyn Progress,
    /// Where what is finished is kept, so that the same fit, with any number of ranks, goes on from
    /// there if it was stopped.
    pub checkpoint: Option<&'a Checkpoint>,
}

/// Fits the background of all frames of a source.
///
/// The result has the same bits whatever the number of threads and `frames_per_batch`.
///
/// ```
/// use array_api::Cpu;
/// use backdrop::fit::{FitOptions, fit};
/// use backdrop::progress::Silent;
/// use backdrop::source::{FrameInfo, MemorySource, Target};
///
/// let target = Target { sector: 1, camera: 1, ccd: 4 };
/// let info = FrameInfo { name: "frame".into(), tstart: 1325.3, tstop: 1325.32, quality: 0 };
/// let source = MemorySource::new(target, (32, 32), vec![(info, vec![150.0; 32 * 32])])?;
///
/// let (model, report) = fit(&Cpu::new(), &source, &FitOptions::default(), &Silent)?;
/// assert_eq!(report.fitted, 1);
/// let background = model.evaluate(&Cpu::new(), &[0], &[5], &[7])?;
/// assert!((background[(0, 0, 0)] - 150.0).abs() < 0.01);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] for options that make no sense or if no frame passes the bitmask,
/// [`Error::NotPositiveDefinite`] if the designs are degenerate, [`Error::Cancelled`] if `progress`
/// says so, [`Error::Io`] if there is no room for results in [`temp_dir`](std::env::temp_dir), and
/// whatever reading a frame can fail with.
pub fn fit<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    options: &FitOptions,
    progress: &dyn Progress,
) -> Result<(Model, FitReport)> {
    let job = Job { ranks: &Alone, progress, checkpoint: None };
    match fit_on(xp, source, options, &job)? {
        (Some(model), report) => Ok((model.into_model()?, report)),
        (None, _) => unreachable!("rank 0 has the model"),
    }
}

/// Fits the background of all frames of a source together with other processes, which all call this
/// with the same source and options. Rank 0 gets the model, whose weights need not be in memory, the
/// others `None`.
///
/// Frames are divided into rounds of `frames_per_batch` for each rank. The result has the same bits
/// whatever the number of ranks, of threads and `frames_per_batch`, and whether or not it was stopped
/// in between and went on from a checkpoint.
///
/// ```
/// use array_api::Cpu;
/// use backdrop::communicator::{Alone, threads};
/// use backdrop::file::{Format, Model};
/// use backdrop::fit::{Checkpoint, FitOptions, Job, fit_on};
/// use backdrop::progress::Silent;
/// use backdrop::simulate::{Simulation, SimulationSettings};
///
/// # let dir = tempfile::tempdir()?;
/// let settings = SimulationSettings { frames: 5, size: 32, flagged_frames: 0, ..Default::default() };
/// let source = Simulation::new(settings)?;
/// let options = FitOptions::default();
/// let checkpoint = Checkpoint::beside(&dir.path().join("model.fits"), false);
/// let models = threads(2, |ranks| {
///     let job = Job { ranks, progress: &Silent, checkpoint: Some(&checkpoint) };
///     fit_on(&Cpu::new(), &source, &options, &job).map(|(model, _)| model)
/// });
/// let mut models = models.into_iter();
/// let (first, second) = (models.next().transpose()?.flatten(), models.next().transpose()?.flatten());
/// assert!(second.is_none());
/// let first = first.expect("rank 0 has it").into_model()?;
///
/// // All frames are in the checkpoint now; one process makes the model of them.
/// let job = Job { ranks: &Alone, progress: &Silent, checkpoint: Some(&checkpoint) };
/// let (model, report) = fit_on(&Cpu::new(), &source, &options, &job)?;
/// assert_eq!(report.resumed, 5);
/// let path = dir.path().join("model.fits");
/// model.expect("there is no other rank").save(&path, Format::Fits, false)?;
/// assert_eq!(Model::load(&path)?.weights2, first.weights2);
/// checkpoint.remove()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`fit`], but that results are kept in the directory of the checkpoint if there is one;
/// [`Error::OnRank`] if another rank fails; [`Error::Checkpoint`] and [`Error::Io`] if the checkpoint
/// cannot be used or written.
pub fn fit_on<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    options: &FitOptions,
    job: &Job,
) -> Result<(Option<FittedModel>, FitReport)> {
    check(options)?;
    run::run(xp, source, options, job)
}

fn check(options: &FitOptions) -> Result<()> {
    let needs = |name: &str| Error::InvalidArgument(format!("{name} must be at least 1"));
    if options.frames_per_batch == 0 {
        return Err(needs("the number of frames fitted at once (--frames-per-rank)"));
    }
    if options.mask_window == 0 {
        return Err(needs("the number of frames that share a mask"));
    }
    Ok(())
}

fn stop_if_cancelled(progress: &dyn Progress) -> Result<()> {
    if progress.cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}
