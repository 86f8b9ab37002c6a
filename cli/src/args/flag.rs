//! The flags of `backdrop flag`.

use std::path::PathBuf;

use clap::Args;

use super::{Compute, Corner, Place, Speech};

pub(super) const EXAMPLES: &str = "\
Examples:
  backdrop flag TPF.fits --model MODEL.fits --level 150
  backdrop flag cutouts/*.fits --model MODEL.fits --rate 500 --set-quality --out-dir flagged
  backdrop flag --pixel 100,200 --pixel 1500,7 --model MODEL.fits --level 150 --out flags.fits
  backdrop flag --targets targets.csv --model MODEL.fits --level 150 --rate 500 --out flags.fits

Flags: 1 the background is brighter than --level, 2 it changes faster than --rate from one frame to
the next, 4 there is no model. Target pixel files get the columns BKG_QUALITY (the flags) and
BKG_LEVEL (the mean background of the optimal aperture, or of all pixels where there is none). A list
of pixels gives one file with the tables TARGETS (row, column) and FLAGS (TIME and, with an entry for
each target, QUALITY and BACKGROUND).";

#[derive(Debug, Args)]
pub(crate) struct Flag {
    /// Target pixel files, of the SPOC pipeline or of TESScut
    #[arg(value_name = "TPF", required_unless_present_any = ["pixel", "targets"])]
    pub(crate) files: Vec<PathBuf>,
    /// The model, of the same sector, camera and CCD
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Flag a background brighter than this, in electrons/s a pixel
    #[arg(long, value_name = "FLUX", required_unless_present = "rate", allow_negative_numbers = true)]
    pub(crate) level: Option<f64>,
    /// Flag a background that changes by more than this in a day, in electrons/s a pixel
    #[arg(long, value_name = "FLUX", allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,
    /// A science pixel, counted from 0, instead of target pixel files; may be given several times
    #[arg(long, value_name = "ROW,COLUMN", conflicts_with = "files")]
    pub(crate) pixel: Vec<Corner>,
    /// Science pixels in a CSV file with the columns row and column
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "pixel"])]
    pub(crate) targets: Option<PathBuf>,
    /// The file to write, for a list of pixels or a single target pixel file
    #[arg(long, value_name = "FILE", conflicts_with = "out_dir")]
    pub(crate) out: Option<PathBuf>,
    /// Where flagged target pixel files go, as NAME_flagged.fits; made if need be [default: beside
    /// them]
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,
    /// Set the mission's flag for scattered light (4096) in QUALITY, too
    #[arg(long, requires = "files")]
    pub(crate) set_quality: bool,
    /// Replace files that are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) compute: Compute,
    #[command(flatten)]
    pub(crate) speech: Speech,
}
