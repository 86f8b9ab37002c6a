//! The fit: from frames to weights.
//!
//! For a frame `F` and the average frame, with `f = max(F - average, 1e-5)`:
//! `w1 = fit(A1, log10 f)`, `m1 = 10^(A1 w1)`, `w2 = fit(A2, f - m1)`, `m2 = A2 w2`. The background
//! is `m1 + m2`. [`FrameFitter`] does this for a batch of frames; [`fit`] does it for all frames of
//! a source, which it reads twice: once for the minimum image that the masks are made from, and
//! once for the fit. Memory is a fixed number of frames, whatever the length of the sector.

mod fitter;
mod passed;
mod residuals;
mod survey;

use std::time::{Duration, Instant};

use array_api::{Array, Backend};
use ndarray::Array2;

use crate::asteroids::Asteroids;
use crate::design::{Design, DesignMatrix, Preset};
use crate::error::{Error, Result};
use crate::file::Model;
use crate::geometry::Window;
use crate::mask::Masks;
use crate::progress::Progress;
use crate::quality;
use crate::source::FrameSource;
use crate::stream::for_each_batch;

pub use fitter::{FLOOR, Fitted, FrameFitter};
use residuals::Residuals;
use survey::{PixelSet, Survey};

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
    /// Frames fitted at once. The result does not depend on it.
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
            frames_per_batch: 8,
            mask_window: 100,
            asteroids: None,
            seed: 0,
            sample_pixels: 5000,
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
    /// Time spent in reading frames, in both passes; it overlaps with the work.
    pub read_time: Duration,
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
/// says so, and whatever reading a frame can fail with.
pub fn fit<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    options: &FitOptions,
    progress: &dyn Progress,
) -> Result<(Model, FitReport)> {
    check(options)?;
    let mut report = FitReport::default();
    let start = Instant::now();
    let survey = Survey::run(xp, source, options, progress, &mut report)?;
    report.survey_time = start.elapsed();

    let start = Instant::now();
    let (rows, columns) = source.shape();
    let window = Window::new(source.target().ccd, (0..rows).collect(), (0..columns).collect())?;
    let matrices = DesignMatrix::several(xp, [&options.design1, &options.design2], &window)?;
    let masks = Masks::new(&survey.minimum);
    let mut keep = masks.clean();
    report.masked_fraction = keep.iter().filter(|&&keep| !keep).count() as f64 / keep.len() as f64;
    report.average_used = survey.averaged >= MIN_AVERAGE_FRAMES;
    if report.average_used {
        for &pixel in &survey.brought_down {
            keep[(pixel / columns, pixel % columns)] = false;
        }
    }
    let mut fitter = FrameFitter::new(xp, matrices, &keep)?;
    report.mask_windows = 1;
    let mut dropped: Option<PixelSet> = None;
    let mut mask_time = Duration::ZERO;
    if report.average_used {
        fitter.set_average(&survey.minimum)?;
    }
    let mut residuals = Residuals::new(&masks, options, &survey);
    fitter.set_samples(residuals.pixels())?;
    report.setup_time = start.elapsed();

    let start = Instant::now();
    let (n1, n2) = (options.design1.columns(), options.design2.columns());
    let frames = survey.quality.len();
    let mut weights1 = Array2::from_elem((frames, n1), f64::NAN);
    let mut weights2 = Array2::from_elem((frames, n2), f64::NAN);
    progress.start("fit", survey.fitted().count());
    for (window, first) in (0..frames).step_by(options.mask_window).enumerate() {
        let wanted: Vec<usize> =
            survey.fitted().filter(|&i| (first..first + options.mask_window).contains(&i)).collect();
        if wanted.is_empty() {
            continue;
        }
        let setup = Instant::now();
        let needed = survey.dropped(window, source, options, &mut report);
        if needed != dropped {
            fitter.set_mask(&survey::without(&keep, needed.as_ref()))?;
            report.mask_windows += 1;
            dropped = needed;
        }
        mask_time += setup.elapsed();
        // The next batch goes to the device while the current one is fitted.
        let upload =
            |batch: &[usize], pixels| Ok(Array::from_vec(xp, pixels, &[batch.len(), rows, columns])?);
        let size = options.frames_per_batch;
        for_each_batch(source, &wanted, size, &mut report.read_time, upload, |batch, images| {
            stop_if_cancelled(progress)?;
            let fitted = fitter.fit(&images)?;
            report.non_positive_pixels += fitted.non_positive_pixels;
            for (row, &frame) in batch.iter().enumerate() {
                weights1.row_mut(frame).assign(&fitted.weights1.row(row));
                weights2.row_mut(frame).assign(&fitted.weights2.row(row));
                residuals.insert(frame, &fitted.residuals.row(row));
            }
            progress.advance(batch.len());
            Ok(())
        })?;
    }
    progress.finish();
    report.fit_time = start.elapsed().saturating_sub(mask_time);
    report.setup_time += mask_time;
    let average = fitter.average()?;
    let start = Instant::now();
    let mut model = survey.into_model(xp, source, options, masks, (weights1, weights2), average);
    residuals.into_model(xp, &mut model)?;
    report.components_time = start.elapsed();
    Ok((model, report))
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
