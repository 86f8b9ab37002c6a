//! The first pass over the frames: quality, the minimum image, and pixels without a value.

mod look;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use array_api::Backend;
use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::passed::{PassedPixels, hide};
use super::together::{Merge, Together};
use super::{FitOptions, FitReport, Precision, stop_if_cancelled};
use crate::error::{Error, Result};
use crate::file::Model;
use crate::mask::Masks;
use crate::progress::Progress;
use crate::quality::{self, BLOWN_OUT, NO_DATA, UNREADABLE, is_blown_out, passes};
use crate::source::{FrameInfo, FrameSource, OnError};
use crate::stream::{Batch, Wanted, announce, for_each_batch};
use look::{Darkest, InMemory, Look, Rows, Seen};

/// A set of pixels, a bit each in row-major order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PixelSet(Vec<u8>);

impl PixelSet {
    fn none(pixels: usize) -> Self {
        Self(vec![0; pixels.div_ceil(8)])
    }

    /// Inserts those whose bits are set, from a byte on.
    fn insert_bits(&mut self, first: usize, bits: &[u8]) {
        self.0[first..].iter_mut().zip(bits).for_each(|(byte, bits)| *byte |= bits);
    }

    fn insert_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(byte, other)| *byte |= other);
    }

    fn insert(&mut self, pixel: usize) {
        self.0[pixel / 8] |= 1 << (pixel % 8);
    }

    fn contains(&self, pixel: usize) -> bool {
        self.0[pixel / 8] >> (pixel % 8) & 1 == 1
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

/// Frames of a source that are used.
pub(super) fn used(source: &dyn FrameSource, options: &FitOptions) -> usize {
    let limit = if options.max_frames == 0 { usize::MAX } else { options.max_frames };
    source.frames().len().min(limit)
}

/// An image of its pixels; NaN where it has no value.
fn image_of(pixels: Vec<f32>, shape: (usize, usize)) -> Array2<f32> {
    match Array2::from_shape_vec(shape, pixels) {
        Ok(image) => image.mapv_into(|flux| if flux.is_finite() { flux } else { f32::NAN }),
        Err(error) => unreachable!("an image has rows and columns: {error}"),
    }
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

/// What the first pass finds but for images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Found {
    /// Our own flags of frames that have any.
    flags: BTreeMap<usize, u32>,
    /// Why frames could not be read.
    unreadable: BTreeMap<usize, String>,
    /// Frames that pass the average bitmask.
    averaged: usize,
    non_finite_pixels: u64,
    /// For each mask window the pixels without a value in any of its fitted frames.
    missing: BTreeMap<usize, PixelSet>,
}

impl Merge for Found {
    fn merge(&mut self, other: Self) {
        self.flags.extend(other.flags);
        self.unreadable.extend(other.unreadable);
        self.averaged += other.averaged;
        self.non_finite_pixels += other.non_finite_pixels;
        for (window, pixels) in other.missing {
            self.missing.entry(window).and_modify(|set| set.insert_all(&pixels)).or_insert(pixels);
        }
    }
}

/// What the first pass finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Survey {
    found: Found,
    /// Quality of each frame used, with our own flags.
    pub(super) quality: Vec<u32>,
    /// The pixel-wise minimum over the good frames in electrons/s, NaN where none has a value.
    pub(super) minimum: Array2<f32>,
    /// Pixels whose minimum is of other light than that around, since an asteroid passed when it
    /// was darkest.
    pub(super) brought_down: Vec<usize>,
    bitmask: u32,
}

/// A survey as it is sent and written, but for the minimum image, whose numbers follow.
#[derive(Serialize, Deserialize)]
struct Packed {
    found: Found,
    brought_down: Vec<u32>,
}

/// Frames that are read as they are looked at, some rows at a time.
struct Unread<'a> {
    source: &'a dyn FrameSource,
    frames: &'a [usize],
    progress: &'a dyn Progress,
    /// The nanoseconds that reading took, of all threads together.
    time: AtomicU64,
}

impl Rows for Unread<'_> {
    fn rows<'a>(&'a self, place: usize, rows: Range<usize>, memory: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        stop_if_cancelled(self.progress)?;
        let start = Instant::now();
        memory.resize(rows.len() * self.source.shape().1, 0.0);
        self.source.read_rows(self.frames[place], rows, memory)?;
        self.time.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        Ok(memory)
    }
}

/// The first pass on this rank.
struct Pass<'a> {
    source: &'a dyn FrameSource,
    options: &'a FitOptions,
    found: Found,
    /// The minimum over the good frames. The masks need some image: until there is a good one, it is that over those that are
    /// fitted.
    darkest: Darkest,
}

impl Pass<'_> {
    /// Looks at some frames, and returns those that cannot be read, and why.
    fn look(&mut self, frames: &[usize], pixels: &dyn Rows) -> Vec<(usize, Error)> {
        let (rows, columns) = self.source.shape();
        let first = 0..rows.min(quality::ROWS);
        let of_first = |place: usize| {
            let blown_out = is_blown_out(pixels.rows(place, first.clone(), &mut Vec::new())?, columns);
            Ok(if blown_out { BLOWN_OUT } else { 0 })
        };
        // Our own flags of each frame.
        let mut flags: Vec<Result<u32>> = (0..frames.len()).into_par_iter().map(of_first).collect();
        let infos = || frames.iter().map(|&frame| &self.source.frames()[frame]);
        let hidden = infos().map(|info| passed_pixels(std::slice::from_ref(info), self.source, self.options));
        let mut looks: Vec<Look> = hidden.map(|hidden| Look { counts: false, hidden }).collect();
        let mut seen: Vec<Option<Seen>> = Vec::new();
        // Which frames pass is not known before all of their pixels are seen.
        let mut assumed = None;
        let fitted = loop {
            let passing = |bitmask: u32| -> Vec<bool> {
                let pass = |(info, flags): (&FrameInfo, &Result<u32>)| {
                    flags.as_ref().is_ok_and(|flags| passes(info.quality | flags, bitmask))
                };
                infos().zip(&flags).map(pass).collect()
            };
            let (good, fitted) =
                (passing(self.options.average_bitmask), passing(self.options.quality_bitmask));
            let any = good.contains(&true);
            let chosen = if any || self.found.averaged > 0 { &good } else { &fitted };
            if assumed.as_ref() == Some(chosen) {
                self.darkest.accept();
                self.found.averaged += good.iter().filter(|&&good| good).count();
                break fitted;
            }
            looks.iter_mut().zip(chosen).for_each(|(look, &chosen)| look.counts = chosen);
            let found = self.darkest.look(pixels, &looks, any && self.found.averaged == 0);
            let of_frame = |(found, flags): (Result<Seen>, &mut Result<u32>)| match (found, &mut *flags) {
                (Ok(seen), Ok(flags)) => {
                    if 2 * seen.non_finite > rows * columns {
                        *flags |= NO_DATA;
                    }
                    Some(seen)
                }
                (Err(error), Ok(_)) => {
                    *flags = Err(error);
                    None
                }
                (_, Err(_)) => None,
            };
            seen = found.into_iter().zip(&mut flags).map(of_frame).collect();
            assumed = Some(chosen.clone());
        };
        let mut unreadable = Vec::new();
        for (((&frame, flags), fitted), seen) in frames.iter().zip(flags).zip(fitted).zip(seen) {
            match flags {
                Ok(0) => {}
                Ok(flags) => drop(self.found.flags.insert(frame, flags)),
                Err(error) => unreadable.push((frame, error)),
            }
            if let Some(Seen { non_finite: count @ 1.., missing }) = seen.filter(|_| fitted) {
                self.found.non_finite_pixels += count as u64;
                let set = self.found.missing.entry(frame / self.options.mask_window);
                let set = set.or_insert_with(|| PixelSet::none(rows * columns));
                missing.iter().for_each(|(first, bits)| set.insert_bits(*first, bits));
            }
        }
        unreadable
    }
}

impl Survey {
    /// Looks at this rank's part of the frames, and brings together what all ranks find.
    pub(super) fn run(
        source: &dyn FrameSource,
        options: &FitOptions,
        (together, progress): (&Together, &dyn Progress),
        report: &mut FitReport,
    ) -> Result<Self> {
        let (rows, columns) = source.shape();
        let frames: Vec<usize> = (0..used(source, options)).collect();
        let mut asteroids = PassedPixels::new(options, &source.frames()[..frames.len()], (rows, columns));
        let darkest = together.agree(Darkest::new((rows, columns)))?;
        let mut pass = Pass { source, options, found: Found::default(), darkest };
        // What is around the pixels that asteroids pass is told by a whole frame.
        let in_parts = options.asteroids.is_none() && frames.iter().all(|&frame| source.reads_parts(frame));

        progress.start("minimum image", frames.len());
        // Frame by frame unless they are read in parts, and at the end of each round an empty batch, where ranks agree to go on.
        let mut batches: Vec<&[usize]> = Vec::new();
        for round in together.rounds(&frames, options.frames_per_batch) {
            batches.extend(round.chunks(if in_parts { usize::MAX } else { 1 }));
            batches.push(&[]);
        }
        let mut unreadable = BTreeMap::new();
        let mut round = Ok(0);
        let (mut read_time, mut in_parts_time) = (Duration::ZERO, Duration::ZERO);
        let mut look = |batch: Batch<Option<Vec<f32>>>| -> Result<(u32, Option<Vec<f32>>)> {
            stop_if_cancelled(progress)?;
            let looked = (batch.frames.len() + batch.unreadable.len()) as u32;
            let mut failed = batch.unreadable;
            let memory = match batch.prepared? {
                _ if batch.frames.is_empty() => None,
                Some(mut pixels) => {
                    failed.extend(pass.look(&batch.frames, &InMemory { pixels: &pixels, columns }));
                    for &frame in &batch.frames {
                        let info = &source.frames()[frame];
                        let flags = pass.found.flags.get(&frame).unwrap_or(&0);
                        if passes(info.quality | flags, options.average_bitmask) {
                            let passed = passed_pixels(std::slice::from_ref(info), source, options);
                            hide(&mut pixels, &passed);
                            asteroids.take(&pixels, &passed);
                        }
                    }
                    Some(pixels)
                }
                None => {
                    let unread = Unread { source, frames: &batch.frames, progress, time: AtomicU64::new(0) };
                    failed.extend(pass.look(&batch.frames, &unread));
                    in_parts_time += Duration::from_nanos(unread.time.into_inner());
                    None
                }
            };
            for (frame, error) in failed {
                match (options.on_error, error) {
                    // What was not read since then is no error of a frame.
                    (OnError::Fail, error) | (_, error @ Error::Cancelled) => return Err(error),
                    (OnError::Skip, error) => drop(unreadable.insert(frame, error.to_string())),
                }
            }
            Ok((looked, memory))
        };
        let work = |batch: Batch<Option<Vec<f32>>>| {
            if batch.frames.is_empty() && batch.unreadable.is_empty() {
                let mine = std::mem::replace(&mut round, Ok(0));
                let mine = mine.map(|looked: u32| looked.to_le_bytes().to_vec());
                together.finish(mine, |_, looked| {
                    progress.advance(looked.try_into().map_or(0, u32::from_le_bytes) as usize);
                    Ok(())
                })?;
                return Ok(None);
            }
            let Ok(before) = &round else { return Ok(None) };
            let mut memory = None;
            round = look(batch).map(|(looked, pixels)| {
                memory = pixels;
                before + looked
            });
            Ok(memory)
        };
        if in_parts {
            announce(source, &batches, |_| None, |batches| batches.for_each(&mut read_time, work))?;
        } else {
            // Reading is most of the work.
            let readers = rayon::current_num_threads();
            let wanted = Wanted { source, rows: 0..rows, batches: &batches, readers };
            for_each_batch(wanted, &mut read_time, |_, pixels| Ok(Some(pixels)), work)?;
        }
        report.read_time += read_time + in_parts_time;
        progress.finish();
        let Pass { mut found, darkest, .. } = pass;
        found.flags.extend(unreadable.keys().map(|&frame| (frame, UNREADABLE)));
        found.unreadable = unreadable;

        let averaged = found.averaged;
        let found = together.share(found)?;
        // Frames that are only fitted do not count if other ranks have good ones.
        let nothing = averaged == 0 && found.averaged > 0;
        let mut image = if nothing { vec![f32::INFINITY; rows * columns] } else { darkest.into_image() };
        together.ranks().minimum(&mut image)?;
        asteroids.share(together.ranks())?;
        let mut minimum = image_of(image, (rows, columns));
        let brought_down = asteroids.bring_down(&mut minimum);
        Self::new(source, options, found, (minimum, brought_down))
    }

    /// The survey of what was found.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if no frame is to be fitted.
    fn new(
        source: &dyn FrameSource,
        options: &FitOptions,
        found: Found,
        (minimum, brought_down): (Array2<f32>, Vec<usize>),
    ) -> Result<Self> {
        let frames = &source.frames()[..used(source, options)];
        let flags = |frame: usize| found.flags.get(&frame).copied().unwrap_or(0);
        let quality = frames.iter().enumerate().map(|(frame, info)| info.quality | flags(frame)).collect();
        let bitmask = options.quality_bitmask;
        let survey = Self { found, quality, minimum, brought_down, bitmask };
        if survey.fitted().next().is_none() {
            let (blown_out, without_data) = (survey.flagged(BLOWN_OUT), survey.flagged(NO_DATA));
            let unreadable = match survey.found.unreadable.first_key_value() {
                Some((_, reason)) => {
                    format!(", {} cannot be read, such as {reason}", survey.found.unreadable.len())
                }
                None => String::new(),
            };
            return Err(Error::InvalidArgument(format!(
                "none of the {} frames passes the quality bitmask {bitmask} \
                 ({blown_out} are blown out, {without_data} have no data{unreadable}): \
                 choose another with --quality-bitmask",
                frames.len()
            )));
        }
        Ok(survey)
    }

    /// The survey as bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let packed = Packed {
            found: self.found.clone(),
            brought_down: self.brought_down.iter().map(|&pixel| pixel as u32).collect(),
        };
        let mut bytes = match postcard::to_stdvec(&packed) {
            Ok(bytes) => bytes,
            Err(error) => unreachable!("memory takes any survey: {error}"),
        };
        let start = bytes.len();
        bytes.resize(start + self.minimum.len() * size_of::<f32>(), 0);
        let numbers = bytes[start..].as_chunks_mut().0.iter_mut();
        numbers.zip(&self.minimum).for_each(|(bytes, flux)| *bytes = flux.to_le_bytes());
        bytes
    }

    /// The survey of frames that bytes are of; `None` if they are not.
    pub(super) fn from_bytes(bytes: &[u8], source: &dyn FrameSource, options: &FitOptions) -> Option<Self> {
        let (rows, columns) = source.shape();
        let (packed, minimum) =
            bytes.split_at_checked(bytes.len().checked_sub(rows * columns * size_of::<f32>())?)?;
        let (Packed { found, brought_down }, rest) = postcard::take_from_bytes(packed).ok()?;
        let minimum = minimum.as_chunks().0;
        let brought_down: Vec<usize> = brought_down.into_iter().map(|pixel| pixel as usize).collect();
        let sizes = rest.is_empty()
            && found.missing.values().all(|set| set.0.len() == (rows * columns).div_ceil(8))
            && brought_down.iter().all(|&pixel| pixel < rows * columns);
        let minimum = minimum.iter().copied().map(f32::from_le_bytes).collect();
        let image = || image_of(minimum, (rows, columns));
        sizes.then(|| Self::new(source, options, found, (image(), brought_down)).ok()).flatten()
    }

    /// Puts what was found into a report.
    pub(super) fn report(&self, report: &mut FitReport) {
        report.frames = self.quality.len();
        report.fitted = self.fitted().count();
        report.averaged = self.found.averaged;
        report.blown_out = self.flagged(BLOWN_OUT);
        report.without_data = self.flagged(NO_DATA);
        report.non_finite_pixels = self.found.non_finite_pixels;
        report.unreadable = self.found.unreadable.clone();
    }

    /// Frames that have a flag of our own.
    fn flagged(&self, flag: u32) -> usize {
        self.found.flags.values().filter(|&&flags| flags & flag != 0).count()
    }

    /// Frames that pass the average bitmask.
    pub(super) fn averaged(&self) -> usize {
        self.found.averaged
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
        let mut dropped = self.found.missing.get(&window).cloned();
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

    /// The model, without what the second pass found.
    pub(super) fn into_model<B: Backend>(
        self,
        xp: &B,
        source: &dyn FrameSource,
        options: &FitOptions,
        masks: Masks,
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
            backend: match options.precision {
                Precision::Double => xp.name().to_owned(),
                Precision::Single => format!("{}, pixels in single precision", xp.name()),
            },
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
            weights1: Array2::zeros((frames.len(), 0)),
            weights2: Array2::zeros((frames.len(), 0)),
        }
    }
}
