//! Target pixel files (TPFs): small cut-outs of the frames round a star, corrected by a model.
//!
//! Two kinds are read, which share their layout (TESS Science Data Products Description Document,
//! EXP-TESS-ARC-ICD-0014, section 5): those of the SPOC pipeline, at cadences of 20 s, 2 min or
//! as the frames, and those that TESScut, or its software astrocut, cuts out of full frame
//! images. HDU 1 is a table with a row for each cadence; its columns `FLUX`, `FLUX_ERR` and
//! `FLUX_BKG` hold an image each. HDU 2 is the aperture, an image of bit flags.
//!
//! **Where the pixels are.** The table's header gives, as a physical coordinate system of the
//! image columns, the CCD column (`1CRV5P` at pixel `1CRP5P`) and the CCD row (`2CRV5P` at
//! `2CRP5P`), where 5 is the number of the column of the table; both count from 1 and include
//! the margins, so that CCD column 45 is science column 0 and CCD row 1 science row 0. (`1CRPX5`
//! belongs to another system, that of the sky.) astrocut 1.0 to 1.4 leaves these keywords out,
//! although it means to write them; then [`TargetPixelFile::corner`] has to be given, or found by
//! [`TargetPixelFile::find`].
//!
//! **When they were taken.** `TIME` is the middle of a cadence as seen from the barycentre of
//! the solar system, and `TIMECORR` what was added for that, so that `TIME - TIMECORR` is the
//! time at the spacecraft. Frames and models have that time, too: the `TSTART` and `TSTOP` of
//! the primary header of a full frame image, which are not corrected (those of its image
//! extension are, and TESScut takes `TIME` from those and `TIMECORR` from `BARYCORR`). A cadence
//! belongs to the frame within whose exposure that middle lies. So a cadence of TESScut belongs
//! to the frame that it was cut from, and each of the fifteen 2-minute cadences of a half-hour
//! frame to that frame.
//!
//! **What the correction does.** `FLUX + FLUX_BKG` is what the detector measured: the SPOC
//! pipeline has subtracted its own estimate `FLUX_BKG` from `FLUX`, and in TESScut files it is
//! zero. That sum is kept. [`correct()`] makes
//!
//! ```text
//! FLUX     = measured flux - model (- average frame)
//! FLUX_BKG = model (+ average frame)
//! ```
//!
//! Cadences that belong to no frame, or to one that was not fitted, become NaN, and so do pixels
//! outside of the part of the CCD that the model was fitted to, the CCD's margins among them:
//! there is no background for them, and a number there would pass for a corrected one. All else,
//! `FLUX_BKG_ERR` among it, stays as it was.

mod correct;
pub mod detrend;
mod flag;
pub mod lightcurve;
mod place;
mod read;
mod save;

#[cfg(test)]
mod handmade;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use ndarray::{Array2, Array3};

use crate::source::Target;

pub use correct::{CorrectOptions, Corrected, Sigma, correct};
pub use flag::CadenceFlags;
pub use lightcurve::LightCurve;

/// What is used of a target pixel file, and its bytes.
///
/// ```
/// use array_api::Cpu;
/// use backdrop::fit::{FitOptions, fit};
/// use backdrop::progress::Silent;
/// use backdrop::simulate::{Simulation, SimulationSettings};
/// use backdrop::tpf::{CorrectOptions, TargetPixelFile, correct};
///
/// let settings = SimulationSettings { frames: 2, size: 64, flagged_frames: 0, ..Default::default() };
/// let simulation = Simulation::new(settings)?;
/// # let dir = tempfile::tempdir()?;
/// # let (path, out) = (dir.path().join("tpf.fits"), dir.path().join("corrected.fits"));
/// simulation.write_target_pixels(&path, (30, 20), (11, 11), false)?;
/// let (model, _) = fit(&Cpu::new(), &simulation, &FitOptions::default(), &Silent)?;
///
/// let tpf = TargetPixelFile::open(&path)?;
/// assert_eq!((tpf.corner, tpf.shape()), (Some((30, 20)), (2, 11, 11)));
/// let corrected = correct(&Cpu::new(), &tpf, &model, CorrectOptions::default(), None)?;
/// assert_eq!(corrected.corrected, 2);
/// corrected.save(&tpf, "model.fits", &out, false)?;
/// // Both say what the detector measured.
/// let background = &tpf.background.unwrap();
/// let difference = (&tpf.flux + background) - (&corrected.flux + &corrected.background);
/// assert!(difference.iter().all(|difference| difference.abs() < 0.01));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TargetPixelFile {
    /// The file.
    pub path: PathBuf,
    /// Its `SECTOR`, `CAMERA` and `CCD`.
    pub target: Target,
    /// The science row and column, counted from 0, of the first pixel of each image; negative
    /// where an image reaches beyond the science area. `None` if the file does not say.
    pub corner: Option<(i64, i64)>,
    /// Middle of each cadence at the barycentre of the solar system (`TIME`), in BTJD days; NaN
    /// where there is none.
    pub time: Vec<f64>,
    /// By how much `time` is later than at the spacecraft (`TIMECORR`), in days; zero where the
    /// file has no such column.
    pub time_correction: Vec<f64>,
    /// The flux (`FLUX`), (cadences, rows, columns), in electrons/s.
    pub flux: Array3<f32>,
    /// Its standard deviation (`FLUX_ERR`), of the same shape, in electrons/s.
    pub flux_error: Array3<f32>,
    /// The background that was subtracted from the flux (`FLUX_BKG`), of the same shape, in
    /// electrons/s; `None` if the file has no such column.
    pub background: Option<Array3<f32>>,
    /// Whether `background` was subtracted from the flux: unless `BACKAPP` is false.
    pub background_subtracted: bool,
    /// The mission's data quality flags of each cadence (`QUALITY`).
    pub quality: Vec<u32>,
    /// The flags of each pixel (`APERTURE`), (rows, columns); `None` if the file has none.
    pub aperture: Option<Array2<i32>>,
    /// The model that was subtracted already (`BKGMODEL`), if one was.
    pub subtracted: Option<String>,
    /// The unit of the flux (`TUNIT`), if the file names one.
    pub unit: Option<String>,
    /// The whole file.
    bytes: Vec<u8>,
}

impl TargetPixelFile {
    /// Cadences, rows and columns.
    #[must_use]
    pub fn shape(&self) -> (usize, usize, usize) {
        self.flux.dim()
    }

    /// The whole file.
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
