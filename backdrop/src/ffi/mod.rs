//! Calibrated full frame images (FFIs) of TESS, as files.
//!
//! The layout is that of the SPOC pipeline (TESS Science Data Products Description
//! Document, EXP-TESS-ARC-ICD-0014, section 4): the primary header holds the times
//! of the exposure, the first extension is the image with `CAMERA`, `CCD` and
//! `DQUALITY`, a second one its uncertainties, which are not read. An image has
//! 2078 rows of 2136 columns; the science area is rows 0 to 2047 and columns 44 to
//! 2091, counted from 0, in electrons/s. Cut-outs of the same layout, smaller, are
//! read as well. Files may be plain, compressed by gzip (`.fits.gz`) or
//! tile-compressed by fpack (`.fits.fz`).
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

mod find;
mod gzip;
mod header;
mod source;

#[cfg(test)]
mod tests;

pub use find::{Filter, find_ffis};
pub use header::{FfiHeader, Storage};
pub use source::FfiSource;

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
