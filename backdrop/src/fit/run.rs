//! The fit from beginning to end, on one rank or several.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use array_api::{Array, Backend};
use ndarray::Array2;
use rayon::prelude::*;

use super::checkpoint::{Description, Log};
use super::memory::frames_in_memory;
use super::model::FittedModel;
use super::record::Record;
use super::results::Results;
use super::round::{Pixels, Reading, Round};
use super::survey::{PixelSet, Survey, used, without};
use super::together::{Merge, Together};
use super::{FitOptions, FitReport, FrameFitter, Job, MIN_AVERAGE_FRAMES, RankReport, stop_if_cancelled};
use crate::asteroids::Asteroids;
use crate::components::SamplePixels;
use crate::design::DesignMatrix;
use crate::error::{Error, Result};
use crate::geometry::Window;
use crate::mask::Masks;
use crate::output::dir_of;
use crate::progress::Progress;
use crate::source::FrameSource;
use crate::stream::{Batches, Wanted, announce, read_ahead};

pub(super) fn run<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    options: &FitOptions,
    job: &Job,
) -> Result<(Option<FittedModel>, FitReport)> {
    let together = Together::new(job.ranks);
    let mut report = FitReport::default();
    let mut log = together.agree(open_log(xp, source, options, job))?;

    let start = Instant::now();
    let survey = survey(source, options, (&together, job.progress), &mut log, &mut report)?;
    survey.report(&mut report);
    report.survey_time = start.elapsed();

    let start = Instant::now();
    let masks = Masks::new(&survey.minimum);
    let samples = SamplePixels::draw(&masks, options.sample_pixels, options.seed);
    report.setup_time = start.elapsed();
    let columns = [options.design1.columns(), options.design2.columns()];
    let room = || {
        let directory = spool_directory(job);
        Results::new(survey.quality.len(), survey.fitted().collect(), columns, &samples, &directory)
    };
    let mut results = together.agree(together.is_root().then(room).transpose())?;
    let done = done_before(&together, &mut results, &mut log)?;
    report.resumed = done.len();

    let fit = Fit { source, options, job, together: &together, survey: &survey, samples: &samples };
    // The first frames are read while the equations are set up.
    let (fitter, mine) = fit.read_ahead(xp, &done, |windows, batches| {
        let start = Instant::now();
        let parts = (&survey, &masks, &samples);
        let mut fitter = fitter(xp, source, options, &together, parts, &mut report)?;
        report.setup_time += start.elapsed();
        job.progress.start("fit", survey.fitted().count());
        job.progress.advance(done.len());
        let results = (&mut results, &mut log);
        let mine = fit.second_pass(&mut fitter, (windows, batches), results, &mut report)?;
        job.progress.finish();
        Ok((fitter, mine))
    })?;
    report.ranks =
        together.share(Ranks(vec![(job.ranks.rank(), mine)]))?.0.into_iter().map(|(_, r)| r).collect();

    let Some(results) = results else { return Ok((None, report)) };
    results.report(&mut report);
    let average = fitter.average()?;
    drop(fitter);
    let start = Instant::now();
    let model = results.into_model(xp, samples, survey.into_model(xp, source, options, masks, average))?;
    report.components_time = start.elapsed();
    Ok((Some(model), report))
}

/// What the ranks have done, by rank.
#[derive(serde::Serialize, serde::Deserialize)]
struct Ranks(Vec<(usize, RankReport)>);

impl Merge for Ranks {
    fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort_by_key(|&(rank, _)| rank);
    }
}

/// Rank 0 opens the checkpoint, if there is to be one.
fn open_log<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    options: &FitOptions,
    job: &Job,
) -> Result<Option<Log>> {
    match job.checkpoint.filter(|_| job.ranks.rank() == 0) {
        Some(checkpoint) => Log::open(checkpoint, &describe(xp, source, options)).map(Some),
        None => Ok(None),
    }
}

/// Where results are kept meanwhile: beside the checkpoint, which takes more room, or where temporary files are.
fn spool_directory(job: &Job) -> PathBuf {
    job.checkpoint.map_or_else(std::env::temp_dir, |checkpoint| dir_of(checkpoint.path()).to_owned())
}

/// What the result of a fit depends on.
fn describe<B: Backend>(xp: &B, source: &dyn FrameSource, options: &FitOptions) -> Description {
    let (rows, columns) = source.shape();
    let mut run = Description::default();
    run.push("the program", concat!("backdrop ", env!("CARGO_PKG_VERSION")));
    run.push("the backend", xp.name());
    run.push("the target", source.target().to_string());
    run.push("the science area", format!("{rows} x {columns} pixels"));
    run.push("the preset", &options.preset);
    run.push("design A1", options.design1.to_string());
    run.push("design A2", options.design2.to_string());
    run.push("the quality bitmask", options.quality_bitmask.to_string());
    run.push("the bitmask of the average frame", options.average_bitmask.to_string());
    run.push("the mask window", format!("{} frames", options.mask_window));
    run.push("the precision of pixels", options.precision.to_string());
    run.push("the seed", options.seed.to_string());
    run.push("the number of sample pixels", options.sample_pixels.to_string());
    let asteroids = options.asteroids.as_ref();
    run.push("the table of asteroids", asteroids.map_or("none".to_owned(), Asteroids::describe));
    let frames = &source.frames()[..used(source, options)];
    run.push("the number of frames", frames.len().to_string());
    for (index, frame) in frames.iter().enumerate() {
        let (start, stop, stamp) = (frame.tstart, frame.tstop, source.stamp(index));
        run.push(
            format!("frame {index}"),
            format!("{} ({start} to {stop}, quality {}, stamp {stamp:x})", frame.name, frame.quality),
        );
    }
    run
}

/// The first pass, unless a checkpoint has its result.
fn survey(
    source: &dyn FrameSource,
    options: &FitOptions,
    (together, progress): (&Together, &dyn Progress),
    log: &mut Option<Log>,
    report: &mut FitReport,
) -> Result<Survey> {
    let saved = together.of_root(|| match log {
        Some(log) => Ok(log.next()?.unwrap_or_default()),
        None => Ok(Vec::new()),
    })?;
    let restored = Survey::from_bytes(&saved, source, options);
    if let Some(survey) = restored {
        return Ok(survey);
    }
    if let Some(log) = log.as_mut().filter(|_| !saved.is_empty()) {
        log.refuse(saved.len());
    }
    let survey = Survey::run(source, options, (together, progress), report)?;
    together.agree(match log {
        Some(log) => {
            log.cut().and_then(|_| log.append(&survey.to_bytes())).and_then(|()| log.sync_at_times())
        }
        None => Ok(()),
    })?;
    Ok(survey)
}

/// Takes the results that a checkpoint has. All ranks know afterwards which frames have one.
fn done_before(
    together: &Together,
    results: &mut Option<Results>,
    log: &mut Option<Log>,
) -> Result<Vec<usize>> {
    let bytes = together.of_root(|| {
        let (Some(results), Some(log)) = (results, log) else { return Ok(Vec::new()) };
        while let Some(bytes) = log.next()? {
            let record = Record::from_bytes(&bytes);
            if !record.map_or(Ok(false), |record| results.insert(record))? {
                log.refuse(bytes.len());
                break;
            }
        }
        log.cut()?;
        Ok(results.done().iter().flat_map(|&frame| (frame as u64).to_le_bytes()).collect())
    })?;
    Ok(bytes.as_chunks().0.iter().map(|&frame| u64::from_le_bytes(frame) as usize).collect())
}

/// The model on all pixels, with the normal equations of the clean ones.
fn fitter<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    options: &FitOptions,
    together: &Together,
    (survey, masks, samples): (&Survey, &Masks, &SamplePixels),
    report: &mut FitReport,
) -> Result<FrameFitter<B>> {
    let (rows, columns) = source.shape();
    let window = Window::new(source.target().ccd, (0..rows).collect(), (0..columns).collect());
    let designs = [&options.design1, &options.design2];
    let matrices = together.agree(window.and_then(|window| DesignMatrix::several(xp, designs, &window)))?;
    let clean = masks.clean();
    report.masked_fraction = clean.iter().filter(|&&keep| !keep).count() as f64 / clean.len() as f64;
    report.mask_windows = 1;
    report.average_used = survey.averaged() >= MIN_AVERAGE_FRAMES;
    let fitter = FrameFitter::new_on(together, xp, matrices, &keep(masks, survey));
    let mut fitter = together.agree(fitter)?;
    fitter.set_precision(options.precision);
    if report.average_used {
        together.agree(fitter.set_average(&survey.minimum))?;
    }
    let pixels: Vec<(usize, usize)> = samples
        .jitter
        .iter()
        .chain(&samples.background)
        .map(|&(row, column)| (row as usize, column as usize))
        .collect();
    together.agree(fitter.set_samples(&pixels))?;
    Ok(fitter)
}

/// The mask of all windows: the clean pixels, without those whose average frame is not sound.
fn keep(masks: &Masks, survey: &Survey) -> Array2<bool> {
    let mut keep = masks.clean();
    if survey.averaged() >= MIN_AVERAGE_FRAMES {
        let columns = keep.ncols();
        for &pixel in &survey.brought_down {
            keep[(pixel / columns, pixel % columns)] = false;
        }
    }
    keep
}

/// What the second pass works on.
struct Fit<'a> {
    source: &'a dyn FrameSource,
    options: &'a FitOptions,
    job: &'a Job<'a>,
    together: &'a Together<'a>,
    survey: &'a Survey,
    samples: &'a SamplePixels,
}

impl Fit<'_> {
    /// Begins to read the frames that are not done, and calls `consume` with the batches and the mask window of each.
    fn read_ahead<B: Backend, R>(
        &self,
        xp: &B,
        done: &[usize],
        consume: impl FnOnce(Vec<usize>, Batches<'_, Pixels<B>>) -> Result<R>,
    ) -> Result<R> {
        let is_left = |frame: &usize| done.binary_search(frame).is_err();
        let left: Vec<usize> = self.survey.fitted().filter(is_left).collect();
        let (rows, columns) = self.source.shape();
        if xp.is_in_host_memory() && left.iter().all(|&frame| self.source.reads_parts(frame)) {
            let (windows, batches): (Vec<usize>, Vec<&[usize]>) =
                self.batches(&left, usize::MAX).into_iter().unzip();
            let unread = |batch: &[usize]| if batch.is_empty() { Pixels::None } else { Pixels::Unread };
            return announce(self.source, &batches, unread, |batches| consume(windows, batches));
        }
        let (windows, batches): (Vec<usize>, Vec<&[usize]>) =
            self.batches(&left, frames_in_memory(rows * columns)).into_iter().unzip();
        // The next batch goes to the device while the current one is fitted.
        let upload = |batch: &[usize], pixels: Vec<f32>| match batch.len() {
            0 => Ok(Pixels::None),
            frames => Ok(Pixels::Read(Array::from_vec(xp, pixels, &[frames, rows, columns])?)),
        };
        // Two readers: one alone would have to share two processors with the threads that fit.
        let wanted = Wanted { source: self.source, rows: 0..rows, batches: &batches, readers: 2 };
        read_ahead(wanted, upload, |batches| consume(windows, batches))
    }

    /// Fits frames, window by window.
    fn second_pass<B: Backend>(
        &self,
        fitter: &mut FrameFitter<B>,
        (windows, batches): (Vec<usize>, Batches<'_, Pixels<B>>),
        (results, log): (&mut Option<Results>, &mut Option<Log>),
        report: &mut FitReport,
    ) -> Result<RankReport> {
        let Self { source, options, job, together, .. } = *self;
        let reading = Reading { source, progress: job.progress, on_error: options.on_error };
        let mut mine = RankReport::default();
        let start = Instant::now();
        let waited = together.waited();
        let mut windows = windows.into_iter();
        let (mut window, mut dropped) = (None, None);
        let mut mask_time = Duration::ZERO;
        let (mut read_time, mut in_tiles) = (Duration::ZERO, Duration::ZERO);
        let mut round = Ok(Round::default());
        let solved = |round: Round<B>, fitter: &FrameFitter<B>| round.records(fitter, self.samples);
        let mut keep = |records| self.finish_round(records, (&mut *results, &mut *log), &mut mine);
        // The round before, until its equations are solved beside the first images of this one, which leaves no thread idle.
        let mut whole = None;
        batches.for_each(&mut read_time, |batch| {
            let next = windows.next();
            let ends = batch.frames.is_empty() && batch.unreadable.is_empty();
            if let Some(whole) = whole.take_if(|_| ends || next != window) {
                keep(solved(whole, fitter))?;
            }
            if let Some(next) = next.filter(|_| next != window) {
                let setup = Instant::now();
                self.set_mask(fitter, next, &mut dropped, report)?;
                mask_time += setup.elapsed();
            }
            window = next;
            if ends {
                match std::mem::replace(&mut round, Ok(Round::default())) {
                    Ok(round) => {
                        in_tiles += round.read_time;
                        whole = Some(round);
                    }
                    Err(error) => keep(Err(error))?,
                }
                return Ok(None);
            }
            let Ok(parts) = &mut round else { return Ok(None) };
            let (cancelled, fitter) = (stop_if_cancelled(job.progress), &*fitter);
            let add = || cancelled.and_then(|()| parts.add(reading, fitter, batch));
            let added = match whole.take() {
                Some(whole) => {
                    let (added, records) = rayon::join(add, || solved(whole, fitter));
                    keep(records)?;
                    added
                }
                None => add(),
            };
            added.or_else(|error| {
                round = Err(error);
                Ok(None)
            })
        })?;
        whole.map_or(Ok(()), |whole| keep(solved(whole, fitter)))?;
        report.read_time += read_time + in_tiles;
        report.fit_time = start.elapsed().saturating_sub(mask_time);
        report.setup_time += mask_time;
        mine.read_time = report.read_time;
        mine.wait_time = together.waited();
        mine.fit_time = report.fit_time.saturating_sub(together.waited() - waited);
        Ok(mine)
    }

    /// What this rank reads of some frames, in ascending order, one after another, and the mask window of each: the frames of
    /// a round, at most so many at once, and at its end an empty batch.
    fn batches<'f>(&self, frames: &'f [usize], at_once: usize) -> Vec<(usize, &'f [usize])> {
        let window = |frame: usize| frame / self.options.mask_window;
        let mut batches: Vec<(usize, &[usize])> = Vec::new();
        for frames in frames.chunk_by(|&a, &b| window(a) == window(b)) {
            for round in self.together.rounds(frames, self.options.frames_per_batch) {
                let parts = round.chunks(at_once).chain([&[][..]]);
                batches.extend(parts.map(|part| (window(frames[0]), part)));
            }
        }
        batches
    }

    /// Sets the mask of a window, if it is another than that of the one before, which has `dropped` some pixels of its own.
    fn set_mask<B: Backend>(
        &self,
        fitter: &mut FrameFitter<B>,
        window: usize,
        dropped: &mut Option<PixelSet>,
        report: &mut FitReport,
    ) -> Result<()> {
        let needed = self.survey.dropped(window, self.source, self.options, report);
        if needed != *dropped {
            let keep = without(fitter.first_mask(), needed.as_ref());
            self.together.agree(fitter.set_mask_on(self.together, &keep))?;
            report.mask_windows += 1;
            *dropped = needed;
        }
        Ok(())
    }

    /// Brings the results of a round to rank 0, which keeps them.
    fn finish_round(
        &self,
        records: Result<Vec<Record>>,
        (results, log): (&mut Option<Results>, &mut Option<Log>),
        mine: &mut RankReport,
    ) -> Result<()> {
        mine.frames += records.as_ref().map_or(0, Vec::len);
        if self.job.ranks.size() == 1 {
            return self.keep(records?, results, log);
        }
        let bytes = records.map(|records| joined(&records));
        mine.sent += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let mut ranks = 0;
        self.together.finish(bytes, |rank, bytes| {
            let Some(results) = results else { return Ok(()) };
            for bytes in parts(&bytes) {
                let record = Record::from_bytes(bytes);
                if !record.map_or(Ok(false), |record| results.insert(record))? {
                    let message = format!("what rank {rank} has sent is no result of a frame");
                    return Err(Error::InvalidArgument(message));
                }
                if let Some(log) = log {
                    log.append(bytes)?;
                }
                self.job.progress.advance(1);
            }
            ranks += 1;
            match log.as_mut().filter(|_| ranks == self.job.ranks.size()) {
                Some(log) => log.sync_at_times(),
                None => Ok(()),
            }
        })
    }

    /// Keeps results that have not come from another rank, and so are bytes for a checkpoint only.
    fn keep(&self, records: Vec<Record>, results: &mut Option<Results>, log: &mut Option<Log>) -> Result<()> {
        if let Some(log) = log {
            for bytes in in_bytes(&records) {
                log.append(&bytes)?;
            }
        }
        for record in records {
            if let Some(results) = results {
                results.insert(record)?;
            }
            self.job.progress.advance(1);
        }
        log.as_mut().map_or(Ok(()), Log::sync_at_times)
    }
}

/// Each record in bytes, which are compressed: on all threads.
fn in_bytes(records: &[Record]) -> Vec<Vec<u8>> {
    records.par_iter().map(Record::to_bytes).collect()
}

/// Records one after another, each behind its length.
fn joined(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in in_bytes(records) {
        bytes.extend((record.len() as u64).to_le_bytes());
        bytes.extend(record);
    }
    bytes
}

/// The parts of [`joined`] bytes.
fn parts(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (part, rest) = rest.split_at(length.min(rest.len()));
        bytes = rest;
        Some(part)
    })
}
