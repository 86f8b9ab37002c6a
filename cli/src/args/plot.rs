//! The flags of `backdrop plot`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Compute, Speech};
use crate::picture::{Format, MovieFormat};
use crate::selection::Selection;

pub(super) const EXAMPLES: &str = "\
Examples:
  backdrop plot MODEL.fits --out-dir pictures
  backdrop plot MODEL.fits --in-dir ffis --pictures frames --frames 0,41
  backdrop plot MODEL.fits --pictures level --out level.svg
  backdrop plot MODEL.fits --movie apng --fps 20 --frames 100..300

Pictures are named after the model: MODEL_frame41.png, MODEL_level.png, MODEL_jitter.png,
MODEL_background.png, MODEL_masks.png, MODEL_movie.gif. Frames are counted from 0; 10..20 is 10
to 19, and 10.. goes on to the end.";

#[derive(Debug, Args)]
pub(crate) struct Plot {
    /// The model's file
    pub(crate) model: PathBuf,
    /// Where the full frame images are, in this directory and below, for data and residuals
    #[arg(long, value_name = "DIR")]
    pub(crate) in_dir: Option<PathBuf>,
    /// Frames to draw, such as 0,5,10..20 [default: the faintest, the median and the brightest
    /// fitted one; all fitted ones for a movie]
    #[arg(long, value_name = "LIST")]
    pub(crate) frames: Option<Selection>,
    /// Pictures to draw [default: all that there is something to draw of]
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', conflicts_with = "movie")]
    pub(crate) pictures: Vec<PictureName>,
    /// Where the pictures go; made if need be
    #[arg(long, value_name = "DIR", default_value = ".", conflicts_with = "out")]
    pub(crate) out_dir: PathBuf,
    /// The file to write, if there is one picture, or the movie
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Format of the pictures [default: what --out ends in, else png]
    #[arg(long, value_enum, conflicts_with = "movie")]
    pub(crate) format: Option<FormatName>,
    /// Write a movie of the model in place of pictures
    #[arg(
        long, value_name = "FORMAT", value_enum, num_args = 0..=1,
        require_equals = false, default_missing_value = "gif"
    )]
    pub(crate) movie: Option<MovieName>,
    /// Frames of the movie a second, 1 to 50
    #[arg(
        long, value_name = "N", default_value_t = 10, requires = "movie",
        value_parser = clap::value_parser!(u16).range(1..=50)
    )]
    pub(crate) fps: u16,
    /// Replace files that are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) compute: Compute,
    #[command(flatten)]
    pub(crate) speech: Speech,
}

/// What can be drawn of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PictureName {
    /// Data, model and residual of a frame; without --in-dir the model alone
    Frames,
    /// The level of the background against time, with the frames left out
    Level,
    /// Jitter components against time, and their spectra
    Jitter,
    /// Background components against time, and their spectra
    Background,
    /// Star and saturation masks, and the pixels that components come from
    Masks,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FormatName {
    Png,
    Svg,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Png => Self::Png,
            FormatName::Svg => Self::Svg,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum MovieName {
    Gif,
    /// An animated PNG
    Apng,
}

impl From<MovieName> for MovieFormat {
    fn from(name: MovieName) -> Self {
        match name {
            MovieName::Gif => Self::Gif,
            MovieName::Apng => Self::Apng,
        }
    }
}
