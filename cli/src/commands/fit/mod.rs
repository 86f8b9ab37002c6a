//! `backdrop fit`: from a directory of frames to a model, or to those of all CCDs below it.

mod memory;
mod report;
mod tree;

use std::path::{Path, PathBuf};

use array_api::{Device, dispatch};
use backdrop::asteroids::Asteroids;
use backdrop::ffi::{FfiHeader, FfiSource, OpenOptions, Unreadable, find_ffis};
use backdrop::file::{Format, Model, file_name};
use backdrop::fit::{Checkpoint, FitOptions, FitReport, FittedModel, Job, fit_on};
use backdrop::source::FrameSource;

use super::{device, make_dir, speak_as};
use crate::args::Fit;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::ranks::World;

pub(super) use report::report_json;

pub(super) fn run(args: &Fit) -> Result<(), Failure> {
    let world = World::start(args.mpi, args.buffer_gather)?;
    let bar = speak_as(world.rank(), args.speech);
    let options = world.agree(options(args))?;
    let device = world.agree(world.compute(&args.compute).and_then(|compute| device(&compute)))?;
    if let Some(dir) = &args.tree {
        return tree::run(args, dir, &options, (&device, &world, &bar));
    }
    let files = find_files(args, &args.in_dir, &world)?;
    let ccd = Ccd { args, options: &options, device: &device, world: &world, bar: &bar };
    match ccd.fit(files)? {
        Some(fitted) => {
            world.agree(report::print(args, &options, device.name(), &fitted))?;
            world.agree(fitted.whole())
        }
        None => {
            world.agree(Ok(()))?;
            world.agree(Ok(()))
        }
    }
}

/// The files of a directory: rank 0 lists them, so that all have the same.
fn find_files(args: &Fit, dir: &Path, world: &World) -> Result<Vec<PathBuf>, Failure> {
    let files = world.of_first(|| Ok(find_ffis(dir, &args.filter())?))?;
    tracing::info!(files = files.len(), directory = %dir.display(), "found");
    Ok(files)
}

/// The fit of one CCD.
struct Ccd<'a> {
    args: &'a Fit,
    options: &'a FitOptions,
    device: &'a Device,
    /// The ranks that share it.
    world: &'a World,
    bar: &'a Bar,
}

/// A model that was saved.
struct Fitted {
    path: PathBuf,
    model: FittedModel,
    report: FitReport,
    source: FfiSource,
}

impl Fitted {
    /// Fails if frames had to be skipped.
    fn whole(&self) -> Result<(), Failure> {
        match self.report.unreadable.len() {
            0 => Ok(()),
            skipped => Err(Failure::Skipped(skipped)),
        }
    }
}

impl Ccd<'_> {
    /// Fits some files and saves the model, which rank 0 gets.
    fn fit(&self, files: Vec<PathBuf>) -> Result<Option<Fitted>, Failure> {
        let Self { args, device, world, bar, .. } = *self;
        let source = world.agree(self.open(files))?;
        let format = Format::from(args.format);
        let path = args.out_dir.join(file_name(source.target(), format));
        let checkpoint = Checkpoint::beside(&path, args.restart);
        // A checkpoint is there while its fit is not over: then a model is the one that it has saved
        // in its last moment, or was told to replace.
        let (resumed, batch) = world.of_first(|| {
            make_dir(&args.out_dir)?;
            let resumed = checkpoint.exists();
            Model::check_output(&path, args.overwrite || resumed)?;
            Ok((resumed, memory::batch(args, self.options, &source)?))
        })?;
        let options = FitOptions { frames_per_batch: batch, ..self.options.clone() };
        let job = Job { ranks: world.ranks(), progress: bar, checkpoint: Some(&checkpoint) };
        let fitted = dispatch!(device, |xp| fit_on(xp, &source, &options, &job));
        let (model, report) = world.agree(fitted.map_err(|error| kept(error.into(), &checkpoint)))?;
        tracing::info!(fitted = report.fitted, seconds = report.fit_time.as_secs_f64(), "fitted");
        let saved = model.map(|model| {
            model.save(&path, format, args.overwrite || resumed)?;
            checkpoint.remove()?;
            tracing::info!(file = %path.display(), "saved");
            Ok(model)
        });
        let model = world.agree(saved.transpose().map_err(|error| kept(error, &checkpoint)))?;
        Ok(model.map(|model| Fitted { path, model, report, source }))
    }

    /// Opens the files; ranks share the reading of headers.
    fn open(&self, files: Vec<PathBuf>) -> Result<FfiSource, Failure> {
        let Self { args, world, .. } = *self;
        let options = OpenOptions { on_error: args.on_error.into(), verify: args.verify };
        let source = if world.ranks().size() == 1 {
            FfiSource::open_with(files, args.cutout_size, &options)?
        } else {
            let (rank, size) = (world.ranks().rank(), world.ranks().size());
            let mine = &files[files.len() * rank / size..files.len() * (rank + 1) / size];
            let headers: Vec<Result<FfiHeader, Unreadable>> =
                world.all_of(FfiHeader::read_all(mine))?.into_iter().flatten().collect();
            FfiSource::from_headers(files, headers, args.cutout_size, &options)?
        };
        tracing::info!(target = %source.target(), frames = source.frames().len(), "read the headers");
        Ok(source)
    }
}

/// A failure with what the user can do if there is a checkpoint.
fn kept(failure: Failure, checkpoint: &Checkpoint) -> Failure {
    if checkpoint.path().symlink_metadata().is_err() {
        return failure;
    }
    let way_out = format!(
        "what is finished is kept in {}: run the same command again to go on",
        checkpoint.path().display()
    );
    match failure {
        Failure::Data(message) if !message.contains("--restart") => {
            Failure::Data(format!("{message}; {way_out}"))
        }
        Failure::Interrupted => Failure::Stopped(format!("interrupted; {way_out}")),
        failure => failure,
    }
}

fn options(args: &Fit) -> Result<FitOptions, Failure> {
    let preset = args.preset.into();
    let options = match args.nknots {
        Some(nknots) => FitOptions::with_nknots(preset, nknots),
        None => FitOptions::preset(preset),
    };
    Ok(FitOptions {
        asteroids: args.asteroids.as_deref().map(Asteroids::read).transpose()?,
        mask_window: args.mask_window.into(),
        quality_bitmask: args.quality_bitmask,
        max_frames: args.max_frames,
        frames_per_batch: args.frames_per_rank.map_or(options.frames_per_batch, usize::from),
        seed: args.seed,
        sample_pixels: args.sample_pixels,
        on_error: args.on_error.into(),
        precision: args.precision.into(),
        ..options
    })
}
