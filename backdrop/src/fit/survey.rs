//! The first pass over the frames: quality, the minimum image, and pixels without a value.

use array_api::{Array, Backend};
use ndarray::{Array2, Ix2};

use super::passed::{PassedPixels, hide};
use super::{FitOptions, FitReport, stop_if_cancelled};
use crate::error::{Error, Result};
use crate::file::Model;
use crate::mask::Masks;
use crate::progress::Progress;
use crate::quality::{BLOWN_OUT, NO_DATA, is_blown_out, passes};
use crate::source::{FrameInfo, FrameSource};
use crate::stream::for_each_batch;

/// A set of pixels, a bit each in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PixelSet(Vec<u64>);

impl PixelSet {
    fn none(pixels: usize) -> Self {
        Self(vec![0; pixels.div_ceil(64)])
    }

    fn insert_non_finite(&mut self, pixels: &[f32]) {
        for (word, pixels) in self.0.iter_mut().zip(pixels.chunks(64)) {
            for (bit, pixel) in pixels.iter().enumerate() {
                *word |= u64::from(!pixel.is_finite()) << bit;
            }
        }
    }

    fn insert(&mut self, pixel: usize) {
        self.0[pixel / 64] |= 1 << (pixel % 64);
    }

    fn contains(&self, pixel: usize) -> bool {
        self.0[pixel / 64] >> (pixel % 64) & 1 == 1
    }
}

/// The mask without some pixels.
pub(super) fn without(keep: &Array2<bool>, dropped: Option<&PixelSet>) -> Array2<bool> {
    let mut keep = keep.clone();
    if let Some(dropped) = dropped {
        for (pixel, keep) in keep.iter_mut().enumerate() {
            *keep &= !dropped.contains(pixel);
        }
    }
    keep
}

/// The pixels that an asteroid passes from the first of some frames to the last.
fn passed_pixels(frames: &[FrameInfo], source: &dyn FrameSource, options: &FitOptions) -> Vec<usize> {
    options.asteroids.as_ref().map_or_else(Vec::new, |asteroids| asteroids.pixels(frames, source.shape()))
}

/// Adds pixels to a set, which is made if there are any.
fn insert(set: &mut Option<PixelSet>, pixels: &[usize], source: &dyn FrameSource) {
    let (rows, columns) = source.shape();
    for &pixel in pixels {
        set.get_or_insert_with(|| PixelSet::none(rows * columns)).insert(pixel);
    }
}

/// What the first pass finds.
pub(super) struct Survey {
    /// Quality of each frame used, with our own flags.
    pub(super) quality: Vec<u32>,
    /// The pixel-wise minimum over the good frames in electrons/s, NaN where none has a value.
    pub(super) minimum: Array2<f32>,
    /// Frames that pass the average bitmask.
    pub(super) averaged: usize,
    /// For each mask window the pixels without a value in any of its fitted frames.
    pub(super) missing: Vec<Option<PixelSet>>,
    /// Pixels whose minimum is of other light than that around, since an asteroid passed when it
    /// was darkest.
    pub(super) brought_down: Vec<usize>,
    bitmask: u32,
}

impl Survey {
    pub(super) fn run<B: Backend>(
        xp: &B,
        source: &dyn FrameSource,
        options: &FitOptions,
        progress: &dyn Progress,
        report: &mut FitReport,
    ) -> Result<Self> {
        let (rows, columns) = source.shape();
        let limit = if options.max_frames == 0 { usize::MAX } else { options.max_frames };
        let mut quality: Vec<u32> = source.frames().iter().take(limit).map(|info| info.quality).collect();
        let frames: Vec<usize> = (0..quality.len()).collect();
        let mut missing: Vec<Option<PixelSet>> = vec![None; frames.len().div_ceil(options.mask_window)];
        let mut minimum = Array::full(xp, &[rows * columns], f32::INFINITY)?;
        // The masks need some image: until a frame passes the average bitmask, those that are
        // fitted make do.
        let mut substitute = minimum.clone();
        let mut averaged = 0;
        let mut asteroids = PassedPixels::new(options, &source.frames()[..frames.len()], (rows, columns));
        progress.start("minimum image", frames.len());
        let ready = |_: &[usize], pixels| Ok(pixels);
        for_each_batch(source, &frames, 1, &mut report.read_time, ready, |batch, mut pixels: Vec<f32>| {
            stop_if_cancelled(progress)?;
            let frame = batch[0];
            let non_finite = pixels.iter().filter(|pixel| !pixel.is_finite()).count();
            if 2 * non_finite > pixels.len() {
                quality[frame] |= NO_DATA;
                report.without_data += 1;
            }
            if is_blown_out(&pixels, columns) {
                quality[frame] |= BLOWN_OUT;
                report.blown_out += 1;
            }
            let fitted = passes(quality[frame], options.quality_bitmask);
            if fitted && non_finite > 0 {
                report.non_finite_pixels += non_finite as u64;
                missing[frame / options.mask_window]
                    .get_or_insert_with(|| PixelSet::none(pixels.len()))
                    .insert_non_finite(&pixels);
            }
            let good = passes(quality[frame], options.average_bitmask);
            if good || (fitted && averaged == 0) {
                let passed = passed_pixels(&source.frames()[frame..=frame], source, options);
                hide(&mut pixels, &passed);
                if good {
                    asteroids.take(&pixels, &passed);
                }
                let mut image = Array::from_vec(xp, pixels, &[rows * columns])?;
                image.nan_to_num_assign(f32::INFINITY, f32::INFINITY, f32::INFINITY)?;
                if good {
                    minimum.minimum_assign(&image)?;
                    averaged += 1;
                } else {
                    substitute.minimum_assign(&image)?;
                }
            }
            progress.advance(1);
            Ok(())
        })?;
        progress.finish();

        report.frames = quality.len();
        report.averaged = averaged;
        let bitmask = options.quality_bitmask;
        report.fitted = quality.iter().filter(|&&flags| passes(flags, bitmask)).count();
        if report.fitted == 0 {
            return Err(Error::InvalidArgument(format!(
                "none of the {} frames passes the quality bitmask {bitmask} \
                 ({} are blown out, {} have no data): choose another with --quality-bitmask",
                report.frames, report.blown_out, report.without_data
            )));
        }
        let minimum = if averaged > 0 { minimum } else { substitute };
        let minimum = minimum.reshape(&[rows, columns])?.to_ndarray()?;
        let mut minimum = match minimum.into_dimensionality::<Ix2>() {
            Ok(minimum) => minimum.mapv_into(|flux| if flux.is_finite() { flux } else { f32::NAN }),
            Err(error) => unreachable!("an image has rows and columns: {error}"),
        };
        let brought_down = asteroids.bring_down(&mut minimum);
        Ok(Self { quality, minimum, averaged, missing, brought_down, bitmask })
    }

    /// The pixels that a mask window goes without, of its own: those without a value in any of its
    /// fitted frames, and those that an asteroid passes.
    pub(super) fn dropped(
        &self,
        window: usize,
        source: &dyn FrameSource,
        options: &FitOptions,
        report: &mut FitReport,
    ) -> Option<PixelSet> {
        let mut dropped = self.missing.get(window).cloned().flatten();
        let first = window * options.mask_window;
        let frames = first..self.quality.len().min(first + options.mask_window);
        let passed = passed_pixels(&source.frames()[frames], source, options);
        report.asteroid_pixels = report.asteroid_pixels.max(passed.len());
        insert(&mut dropped, &passed, source);
        dropped
    }

    /// The frames that are fitted.
    pub(super) fn fitted(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.quality.len()).filter(|&frame| passes(self.quality[frame], self.bitmask))
    }

    /// The model with the weights that the second pass found.
    pub(super) fn into_model<B: Backend>(
        self,
        xp: &B,
        source: &dyn FrameSource,
        options: &FitOptions,
        masks: Masks,
        (weights1, weights2): (Array2<f64>, Array2<f64>),
        average_frame: Array2<f64>,
    ) -> Model {
        let frames = &source.frames()[..self.quality.len()];
        Model {
            target: source.target(),
            shape: source.shape(),
            preset: options.preset.clone(),
            design1: options.design1.to_string(),
            design2: options.design2.to_string(),
            strap_npoly: options.design2.strap_npoly(),
            nknots: options.design2.nknots(),
            seed: options.seed,
            quality_bitmask: options.quality_bitmask,
            average_bitmask: options.average_bitmask,
            software: concat!("backdrop ", env!("CARGO_PKG_VERSION")).to_owned(),
            backend: xp.name().to_owned(),
            tstart: frames.iter().map(|frame| frame.tstart).collect(),
            tstop: frames.iter().map(|frame| frame.tstop).collect(),
            jitter: Array2::zeros((frames.len(), 0)),
            background: Array2::zeros((frames.len(), 0)),
            average_frame,
            jitter_pixels: Vec::new(),
            background_pixels: Vec::new(),
            scatter: vec![f64::NAN; frames.len()],
            asteroids: options.asteroids.as_ref().map_or_else(String::new, |table| table.name().to_owned()),
            input_files: frames.iter().map(|frame| frame.name.clone()).collect(),
            star_mask: masks.star,
            saturation_mask: masks.saturation,
            quality: self.quality,
            weights1,
            weights2,
        }
    }
}
