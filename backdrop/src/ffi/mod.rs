//! Calibrated full frame images (FFIs) of TESS, as files.
//!
//! Two pipelines make them, the mission's own, SPOC (TESS Science Data Products Description
//! Document, EXP-TESS-ARC-ICD-0014, section 4), and the TESS Image CAlibrator, TICA (Fausnaugh et
//! al. 2020, RNAAS 4, 251), whose images are out weeks earlier. An image has 2078 rows of 2136
//! columns in either; the science area is rows 0 to 2047 and columns 44 to 2091, counted from 0.
//! Both are calibrated for bias, gain, linearity, smear and flat field, and neither has its
//! background removed. They differ in
//!
//! | | SPOC | TICA |
//! |---|---|---|
//! | name | `tess<time>-s<sector>-<camera>-<ccd>-<scid>-s_ffic.fits` | `hlsp_tica_tess_ffi_s<sector>-<orbit>-<cadence>-cam<camera>-ccd<ccd>_tess_v<version>_img.fits` |
//! | image | HDU 1 | HDU 0 |
//! | camera, CCD | `CAMERA`, `CCD` of HDU 1 | `CAMNUM`, `CCDNUM` |
//! | sector | in the name | in the name |
//! | start and end, in JD - 2457000, TDB at the spacecraft | `TSTART`, `TSTOP` of HDU 0 | `STARTTJD`, `ENDTJD` |
//! | quality flags | `DQUALITY` | `QUAL_BIT`; `COARSE` becomes bit 3 and `RW_DESAT` bit 6 |
//! | unit of the pixels | electrons/s | electrons in the frame |
//! | time on source | `EXPOSURE`, in days | `INT_TIME` seconds, of which 0.8 are kept by the filter against cosmic rays and 0.99 of that collects light: 1425.6 s of 1800 s |
//! | uncertainties | HDU 2, not read | none |
//!
//! The pixels of TICA are divided by the time on source, so that frames are in electrons/s
//! whatever the files are. Those of the two pipelines are not mixed in one fit.
//!
//! Cut-outs of the same layout, smaller, are read as well. Files may be plain, compressed by
//! gzip (`.fits.gz`) or tile-compressed by fpack (`.fits.fz`).
//!
//! ```no_run
//! use std::path::Path;
//! use backdrop::ffi::{FfiSource, Filter, find_ffis};
//! use backdrop::source::FrameSource;
//!
//! let filter = Filter { sector: Some(12), camera: Some(1), ccd: Some(3) };
//! let source = FfiSource::open(find_ffis(Path::new("ffis"), &filter)?, None)?;
//! let (rows, columns) = source.shape();
//! let mut frame = vec![0.0; rows * columns];
//! source.read(0, &mut frame)?;
//! # Ok::<(), backdrop::error::Error>(())
//! ```
//!
//! A long series has files that fail. [`FfiSource::open_with`] can keep their places and go on without
//! them, and check the sums of those that it reads. Any file is refused that is not sound, in bounded
//! time and memory, whatever is in it.

mod find;
mod gzip;
mod header;
mod path_as_serde;
mod series;
mod source;
mod spoc;
mod stamp;
mod tica;
mod unreadable;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod skip;
#[cfg(test)]
mod tests;

pub use find::{Filter, find_ffis, target_of_name};
pub use header::{FfiHeader, Layout, Storage};
pub use source::{FfiSource, OpenOptions};
pub(crate) use tica::{COSMIC_RAY_WINDOW, LIGHT_PER_READOUT};
pub use unreadable::Unreadable;

/// Rows and columns of the science area of a whole CCD, in pixels.
pub const SCIENCE_SIZE: usize = 2048;

/// The column of the image, counted from 0, at which the science area starts.
pub const FIRST_SCIENCE_COLUMN: usize = 44;

/// Rows and columns of the image of a whole CCD, the science area and all margins.
pub const IMAGE_SHAPE: (usize, usize) = (2078, 2136);

/// The largest square of science pixels in an image of `rows` x `columns` pixels:
/// the largest `--cutout-size` that it can be read with.
///
/// ```
/// assert_eq!(backdrop::ffi::largest_cutout(2078, 2136), 2048);
/// assert_eq!(backdrop::ffi::largest_cutout(128, 173), 128);
/// assert_eq!(backdrop::ffi::largest_cutout(128, 100), 56);
/// ```
#[must_use]
pub fn largest_cutout(rows: usize, columns: usize) -> usize {
    rows.min(columns.saturating_sub(FIRST_SCIENCE_COLUMN)).min(SCIENCE_SIZE)
}
