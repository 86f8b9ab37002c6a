//! The flags of `backdrop correct`.

use std::path::PathBuf;

use clap::Args;

use super::{Compute, Place, Speech};

pub(super) const EXAMPLES: &str = "\
Examples:
  backdrop correct tess-s0012-1-3_279.2_-23.3_11x11_astrocut.fits --model MODEL.fits
  backdrop correct cutouts/*.fits --model MODEL.fits --out-dir corrected
  backdrop correct cutouts/*.fits --model MODEL.fits --frame FFI.fits --out-dir corrected
  backdrop correct TPF.fits --model MODEL.fits --corner 50,1034
  backdrop correct TPF.fits --model MODEL.fits --lightcurve --detrend

FLUX becomes the measured flux minus the model, FLUX_BKG what was subtracted. What the SPOC
pipeline had subtracted before is put back first. Cadences that belong to no frame of the model,
or to one that was not fitted, become NaN, and so do pixels outside of the area fitted.
A light curve goes to NAME_lightcurve.fits, where NAME.fits is the corrected file.";

#[derive(Debug, Args)]
pub(crate) struct Correct {
    /// Target pixel files, of the SPOC pipeline or of TESScut
    #[arg(required = true, value_name = "TPF")]
    pub(crate) files: Vec<PathBuf>,
    /// The model, of the same sector, camera and CCD
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// The corrected file, for a single target pixel file
    #[arg(long, value_name = "FILE", conflicts_with = "out_dir")]
    pub(crate) out: Option<PathBuf>,
    /// Where the corrected files go, as NAME_backdrop.fits; made if need be [default: beside
    /// the target pixel files]
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,
    /// Subtract the average frame, too, which leaves of the stars only what changes
    #[arg(long)]
    pub(crate) average: bool,
    /// Add the standard deviation of the model to FLUX_ERR in quadrature
    #[arg(long)]
    pub(crate) add_sigma: bool,
    /// Write a simple-aperture light curve, too, before and after the correction
    #[arg(long, conflicts_with = "average")]
    pub(crate) lightcurve: bool,
    /// Take pixels so many standard deviations brighter than the median into the aperture
    #[arg(long, value_name = "SIGMA", default_value_t = 3.0, requires = "lightcurve")]
    pub(crate) threshold: f64,
    /// Take off the light curve what goes with the model's jitter and background components
    #[arg(long, requires = "lightcurve")]
    pub(crate) detrend: bool,
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
