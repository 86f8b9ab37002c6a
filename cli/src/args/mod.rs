//! The command line. A command with many flags has a file of its own.

mod correct;
mod flag;
mod names;
mod place;
mod plot;
mod scene;
mod size;

use std::path::PathBuf;

use backdrop::ffi::Filter;
use backdrop::quality;
use backdrop::simulate::SimulationSettings;
use backdrop::source::Target;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::failure::EXIT_CODES;
use crate::selection::Selection;

pub(crate) use correct::Correct;
pub(crate) use flag::Flag;
use names::{CompressionName, LayoutName, ModelFormat, OnErrorName, PrecisionName, PresetName};
use place::Corner;
pub(crate) use place::Place;
pub(crate) use plot::{PictureName, Plot};
pub(crate) use scene::{Scene, SceneFit, SceneModel};
use size::Size;

const EXAMPLES: &str = "\
Examples:
  backdrop demo                                       see it work, without data of your own
  backdrop fit --in-dir ffis --out-dir models         fit all frames in a directory
  backdrop info models/tessbackdrop_sector1_camera1_ccd4.fits
  backdrop model models/tessbackdrop_sector1_camera1_ccd4.fits --frames 0..10 --out background.fits";

const FIT_EXAMPLES: &str = "\
Examples:
  backdrop fit --in-dir ffis --sector 1 --camera 1 --ccd 4
  backdrop fit --in-dir ffis --max-frames 100 --frames-per-rank 32 --cupy
  backdrop fit --in-dir ffis --asteroids asteroids.csv
  backdrop fit --in-dir cutouts --cutout-size 512 --json > report.json
  mpiexec -n 4 backdrop fit --mpi --in-dir ffis

The model goes to OUT_DIR/tessbackdrop_sector<S>_camera<C>_ccd<D>.fits.";

const MODEL_EXAMPLES: &str = "\
Examples:
  backdrop model MODEL.fits --frames 0 --out frame0.fits
  backdrop model MODEL.fits --frames 3 --out frame3.fits --sigma frame3_sigma.fits
  backdrop model MODEL.fits --frames 0,5,10..20 --rows 100..200 --columns 0..2048 --out cube.fits

Frames, rows and columns are counted from 0; 10..20 is 10 to 19, and 10.. goes on to the end.";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  backdrop simulate --out-dir sky --frames 60 --size 512
  backdrop simulate --out-dir sky --sector 12 --ccd 3 --compression fz --blown-out-frame 7
  backdrop simulate --out-dir sky --size 512 --variables 8 --asteroids 4 --glints 6 --gap 1
  backdrop simulate --out-dir sky --size 512 --layout tica --compression gz";

fn styles() -> Styles {
    Styles::styled()
        .header(AnsiColor::Green.on_default().bold())
        .usage(AnsiColor::Green.on_default().bold())
        .literal(AnsiColor::Cyan.on_default())
        .placeholder(AnsiColor::Cyan.on_default())
}

/// Fit the scattered light of TESS full frame images.
///
/// BackDrop models the background of the calibrated full frame images (FFIs) of NASA's TESS
/// mission: sunlight scattered by the Earth and the Moon, zodiacal light, and what the metal
/// straps behind the detectors reflect of it. A model is one small file, from which the
/// background of any pixel in any frame is computed without the images.
#[derive(Debug, Parser)]
#[command(name = "backdrop", version, styles = styles(), max_term_width = 100)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fit the background of the frames in a directory
    #[command(after_long_help = format!("{FIT_EXAMPLES}\n\n{EXIT_CODES}"))]
    Fit(Fit),
    /// Write the background of some frames and pixels from a fitted model
    #[command(after_long_help = format!("{MODEL_EXAMPLES}\n\n{EXIT_CODES}"))]
    Model(Model),
    /// Subtract a model's background from target pixel files
    #[command(after_long_help = format!("{}\n\n{EXIT_CODES}", correct::EXAMPLES))]
    Correct(Correct),
    /// Flag when scattered light is bright at single targets, or changes fast
    #[command(after_long_help = format!("{}\n\n{EXIT_CODES}", flag::EXAMPLES))]
    Flag(Flag),
    /// Fit the stars that are left when the background is gone, or write them from such a fit
    #[command(subcommand)]
    Scene(Scene),
    /// Draw a fitted model: frames, level, components, masks, or a movie
    #[command(after_long_help = format!("{}\n\n{EXIT_CODES}", plot::EXAMPLES))]
    Plot(Plot),
    /// Tell what is in a model, a scene or a full frame image
    #[command(after_long_help = EXIT_CODES)]
    Info(Info),
    /// Write made-up full frame images with a known background
    #[command(after_long_help = format!("{SIMULATE_EXAMPLES}\n\n{EXIT_CODES}"))]
    Simulate(Simulate),
    /// Simulate a small sector, fit it, and show how good the fit is
    #[command(after_long_help = EXIT_CODES)]
    Demo(Demo),
    /// Tell what this program can run on
    #[command(after_long_help = EXIT_CODES)]
    Devices(Devices),
    /// Print a completion script for a shell
    #[command(after_long_help = "\
Examples:
  backdrop completions bash > ~/.local/share/bash-completion/completions/backdrop
  backdrop completions zsh  > ~/.zfunc/_backdrop
  backdrop completions fish > ~/.config/fish/completions/backdrop.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How a command runs.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Compute {
    /// Run on CUDA, as with USE_CUPY=True [default: the CPU]
    #[arg(long)]
    pub(crate) cupy: bool,
    /// CUDA device to run on, of those that CUDA_VISIBLE_DEVICES lets through [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) device: Option<u16>,
    /// Threads to use [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

/// How a command speaks.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Speech {
    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Log to standard output (to standard error with --json)
    #[arg(long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Fit {
    /// Where the FITS files are, in this directory and below
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) in_dir: PathBuf,
    /// Fit all sectors, cameras and CCDs in this directory and below it, instead of --in-dir
    #[arg(long, value_name = "DIR", conflicts_with = "in_dir")]
    pub(crate) tree: Option<PathBuf>,
    /// Where the model goes; made if need be
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out_dir: PathBuf,
    /// Replace a model that is there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Format of the model
    #[arg(long, value_enum, default_value_t = ModelFormat::Fits)]
    pub(crate) format: ModelFormat,

    /// Use only frames of this sector
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=9999))]
    sector: Option<u32>,
    /// Use only frames of this camera
    #[arg(long, value_name = "C", value_parser = clap::value_parser!(u8).range(1..=4))]
    camera: Option<u8>,
    /// Use only frames of this CCD
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u8).range(1..=4))]
    ccd: Option<u8>,
    /// Use at most N frames, the first ones (0 = all)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) max_frames: usize,
    /// Rows and columns of the science area that is fitted [default: the whole CCD, 2048]
    #[arg(long, value_name = "N")]
    pub(crate) cutout_size: Option<usize>,

    /// The model: the standard one, or the first published version
    #[arg(long, value_enum, default_value_t = PresetName::Standard)]
    pub(crate) preset: PresetName,
    /// Knots along each side of the CCD [default: 50 for standard, 40 for classic]
    #[arg(long, value_name = "N")]
    pub(crate) nknots: Option<usize>,
    /// Leave out frames with any of these DQUALITY flags (blown-out ones always)
    #[arg(long, value_name = "BITS", default_value_t = quality::FIT_BITMASK)]
    pub(crate) quality_bitmask: u32,
    /// Mask asteroids at the positions in this table, CSV or FITS: name, time, row, column, vmag
    #[arg(long, value_name = "FILE")]
    pub(crate) asteroids: Option<PathBuf>,
    /// Frames that share one mask, for asteroids and pixels without values
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) mask_window: u16,
    /// Jitter pixels, and as many background pixels, that components are made from, at most
    #[arg(long, value_name = "N", default_value_t = 5000)]
    pub(crate) sample_pixels: usize,
    /// Seed of the random draw of jitter and background pixels
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Precision of pixels' logarithms; sums, normal equations and weights are in double precision either way
    #[arg(long, value_enum, value_name = "NAME", default_value_t = PrecisionName::Double)]
    pub(crate) precision: PrecisionName,

    /// What becomes of files that cannot be read: the end of the fit, or rows without a model
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnErrorName::Fail)]
    pub(crate) on_error: OnErrorName,
    /// Check the CHECKSUM and DATASUM of all files
    #[arg(long)]
    pub(crate) verify: bool,
    /// Begin anew where a fit was stopped, instead of going on from its checkpoint
    #[arg(long)]
    pub(crate) restart: bool,

    /// Frames a rank fits at once; the result does not depend on it [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) frames_per_rank: Option<u16>,
    /// Memory that a rank may take, such as 2GB; as many frames are fitted at once as that allows
    #[arg(long, value_name = "SIZE", conflicts_with = "frames_per_rank")]
    pub(crate) memory: Option<Size>,
    /// Run under MPI: mpiexec -n RANKS backdrop fit --mpi ... (in builds with MPI)
    #[arg(long)]
    pub(crate) mpi: bool,
    /// With --mpi, gather with contiguous buffers instead of messages; the result is the same
    #[arg(long)]
    pub(crate) buffer_gather: bool,

    #[command(flatten)]
    pub(crate) compute: Compute,
    #[command(flatten)]
    pub(crate) speech: Speech,
}

impl Fit {
    pub(crate) fn filter(&self) -> Filter {
        Filter { sector: self.sector, camera: self.camera, ccd: self.ccd }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Model {
    /// The model's file
    pub(crate) model: PathBuf,
    /// The FITS file to write: an image for a single frame, else a cube (frames, rows, columns)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Also write the standard deviation of the background, in the same form, to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) sigma: Option<PathBuf>,
    /// Frames, such as 0,5,10..20
    #[arg(long, value_name = "LIST", default_value = "..")]
    pub(crate) frames: Selection,
    /// Rows, such as 100..200 [default: those that were fitted]
    #[arg(long, value_name = "LIST")]
    pub(crate) rows: Option<Selection>,
    /// Columns, such as 0..2048 [default: those that were fitted]
    #[arg(long, value_name = "LIST")]
    pub(crate) columns: Option<Selection>,
    /// Replace a file that is there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) compute: Compute,
    #[command(flatten)]
    pub(crate) speech: Speech,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// Models (FITS or npz), scenes and full frame images
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Where the files go; made if need be
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out_dir: PathBuf,
    /// Number of frames
    #[arg(long, value_name = "N", default_value_t = 60)]
    frames: usize,
    /// Rows and columns of the science area, 16 to 2048 (a whole CCD)
    #[arg(long, value_name = "N", default_value_t = 2048)]
    size: usize,
    /// Sector
    #[arg(long, value_name = "S", default_value_t = 1)]
    sector: u32,
    /// Camera, 1 to 4
    #[arg(long, value_name = "C", default_value_t = 1)]
    camera: u8,
    /// CCD, 1 to 4
    #[arg(long, value_name = "D", default_value_t = 4)]
    ccd: u8,
    /// Where all random numbers come from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Stars brighter than Tmag 16 in a square of 1000 x 1000 pixels
    #[arg(long, value_name = "N", default_value_t = 20_000.0)]
    stars: f64,
    /// Leave out photon and read noise
    #[arg(long)]
    no_noise: bool,
    /// Flood the first rows of a readout strip in this frame, counted from 0
    #[arg(long, value_name = "N")]
    blown_out_frame: Option<usize>,
    /// Number of columns without values
    #[arg(long, value_name = "N", default_value_t = 0)]
    dead_columns: usize,
    /// Number of frames with a DQUALITY flag [default: 2, or fewer for fewer frames]
    #[arg(long, value_name = "N")]
    flagged_frames: Option<usize>,
    /// Minutes from one frame to the next
    #[arg(long, value_name = "MINUTES", default_value_t = 30.0)]
    cadence: f64,
    /// Number of variable stars with known signals
    #[arg(long, value_name = "N", default_value_t = 0)]
    variables: usize,
    /// Number of asteroids; their paths go to OUT_DIR/asteroids.csv
    #[arg(long, value_name = "N", default_value_t = 0)]
    asteroids: usize,
    /// Number of frames, one after another, with a strong glint
    #[arg(long, value_name = "N", default_value_t = 0)]
    glints: usize,
    /// Days between the two halves of the series
    #[arg(long, value_name = "DAYS", default_value_t = 0.0)]
    gap: f64,
    /// Which pipeline's files the images look like
    #[arg(long, value_enum, default_value_t = LayoutName::Spoc)]
    pub(crate) layout: LayoutName,
    /// Compression of the images; none loses anything
    #[arg(long, value_enum, default_value_t = CompressionName::None)]
    pub(crate) compression: CompressionName,
    /// Replace files that are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Threads to use [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) speech: Speech,
}

impl Simulate {
    pub(crate) fn settings(&self) -> SimulationSettings {
        let Self { sector, camera, ccd, .. } = *self;
        SimulationSettings {
            target: Target { sector, camera, ccd },
            frames: self.frames,
            size: self.size,
            seed: self.seed,
            stars: self.stars,
            noise: !self.no_noise,
            blown_out_frame: self.blown_out_frame,
            dead_columns: self.dead_columns,
            flagged_frames: self.flagged_frames.unwrap_or(self.frames.min(2)),
            cadence: self.cadence,
            variables: self.variables,
            asteroids: self.asteroids,
            glints: self.glints,
            gap_days: self.gap,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the model and the picture go; made if need be
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out_dir: PathBuf,
    /// Number of frames, at least 4
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(4..))]
    pub(crate) frames: u16,
    /// Rows and columns of a frame, 128 to 2048
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(128..=2048))]
    pub(crate) size: u16,
    /// Where all random numbers come from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Replace files that are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) compute: Compute,
    #[command(flatten)]
    pub(crate) speech: Speech,
}

#[derive(Debug, Args)]
pub(crate) struct Devices {
    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use backdrop::design::Preset;
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn simulate_without_flags_is_the_librarys_default() {
        let cli = Cli::parse_from(["backdrop", "simulate"]);
        let Command::Simulate(simulate) = cli.command else { panic!("another command") };
        assert_eq!(simulate.settings(), SimulationSettings::default());
    }

    #[test]
    fn knots_are_as_the_help_says() {
        assert_eq!(Preset::from(PresetName::Standard).nknots(), 50);
        assert_eq!(Preset::from(PresetName::Classic).nknots(), 40);
    }

    #[test]
    fn frames_per_rank_is_the_librarys_default() {
        let mut command = Cli::command();
        let fit = command.find_subcommand_mut("fit").unwrap();
        let flag = fit.get_arguments().find(|argument| argument.get_id() == "frames_per_rank").unwrap();
        let default = backdrop::fit::FitOptions::default().frames_per_batch;
        assert!(flag.get_help().unwrap().to_string().ends_with(&format!("[default: {default}]")));
    }
}
