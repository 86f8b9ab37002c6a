//! Simple-aperture light curves from corrected target pixel files.
//!
//! The aperture is a threshold mask, with the definition of lightkurve's
//! `create_threshold_mask`: of the median image `m` over the cadences, those pixels are taken
//! that are as bright as
//!
//! ```text
//! threshold * 1.4826 median(|m - median(m)|) + median(m)
//! ```
//!
//! or brighter, and of these the contiguous region (by rows and columns, not diagonals) with the
//! pixel that is the nearest to the centre. Pixels without a value are never taken.

use std::path::Path;

use ndarray::{Array2, Array3, Axis};

use super::read::MODEL_KEYWORD;
use super::{Corrected, TargetPixelFile};
use crate::error::{Error, Result};
use crate::ffi::FIRST_SCIENCE_COLUMN;
use crate::fits::{Column, Reader, Values, Writer};
use crate::output::write_whole;
use crate::statistics::median;

/// From the median absolute deviation of a normal distribution to its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Flags of a pixel in `APERTURE`: it was collected, and it is in the aperture.
const COLLECTED: i32 = 1;
const IN_APERTURE: i32 = 2;

/// The light of a star, before and after the correction, cadence by cadence.
///
/// ```
/// use array_api::Cpu;
/// use backdrop::fit::{FitOptions, fit};
/// use backdrop::progress::Silent;
/// use backdrop::simulate::{Simulation, SimulationSettings};
/// use backdrop::tpf::{CorrectOptions, LightCurve, TargetPixelFile, correct};
///
/// let settings = SimulationSettings { frames: 3, size: 64, flagged_frames: 0, ..Default::default() };
/// let simulation = Simulation::new(settings)?;
/// # let dir = tempfile::tempdir()?;
/// # let (path, out) = (dir.path().join("tpf.fits"), dir.path().join("lightcurve.fits"));
/// simulation.write_target_pixels(&path, (30, 20), (11, 11), false)?;
/// let (model, _) = fit(&Cpu::new(), &simulation, &FitOptions::default(), &Silent)?;
/// let tpf = TargetPixelFile::open(&path)?;
/// let corrected = correct(&Cpu::new(), &tpf, &model, CorrectOptions::default(), None)?;
///
/// let curve = LightCurve::new(&tpf, &corrected, 3.0)?;
/// assert_eq!((curve.flux.len(), curve.aperture.dim()), (3, (11, 11)));
/// curve.save(&tpf, "model.fits", &out, false)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LightCurve {
    /// The pixels that are added up, (rows, columns).
    pub aperture: Array2<bool>,
    /// The sum of the flux as it was in the target pixel file, in electrons/s.
    pub raw_flux: Vec<f64>,
    /// The sum of the corrected flux, in electrons/s; NaN where a pixel has no value.
    pub flux: Vec<f64>,
    /// The standard deviation of both, in electrons/s, as if the pixels were independent.
    pub flux_error: Vec<f64>,
    /// The corrected flux less what goes with the components of the model, in electrons/s; see
    /// [`detrend`](Self::detrend).
    pub detrended: Option<Vec<f64>>,
}

impl LightCurve {
    /// Adds up the pixels of the [threshold mask](self) of the corrected flux.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if no pixel reaches the threshold, or the average frame was
    /// subtracted, which leaves no star to find.
    ///
    /// # Panics
    /// If it was another target pixel file that was corrected.
    pub fn new(tpf: &TargetPixelFile, corrected: &Corrected, threshold: f64) -> Result<Self> {
        assert_eq!(corrected.flux.dim(), tpf.shape(), "the target pixel file that was corrected");
        let refused = |reason: &str| Error::InvalidArgument(format!("{}: {reason}", tpf.path.display()));
        if corrected.options.average {
            return Err(refused("without the average frame there is no star to find an aperture for"));
        }
        let aperture = threshold_mask(&corrected.flux, threshold);
        if !aperture.iter().any(|&taken| taken) {
            return Err(refused(&format!("no pixel reaches the threshold of {threshold} sigma")));
        }
        let squares = corrected.flux_error.mapv(|error| error * error);
        Ok(Self {
            raw_flux: sums(&tpf.flux, &aperture),
            flux: sums(&corrected.flux, &aperture),
            flux_error: sums(&squares, &aperture).into_iter().map(f64::sqrt).collect(),
            detrended: None,
            aperture,
        })
    }

    /// Writes the light curve to `path`, in the layout of the mission's: a table `LIGHTCURVE`
    /// with `TIME`, `FLUX`, `FLUX_ERR`, `QUALITY`, `RAW_FLUX` and, if there is one, `DETRENDED`,
    /// and an image `APERTURE` with the flags 1 for a pixel and 2 for one that is added up.
    /// `model` is the name of the model's file.
    ///
    /// # Errors
    /// [`Error::Fits`] if there is no memory; as [`write_whole`].
    pub fn save(&self, tpf: &TargetPixelFile, model: &str, path: &Path, overwrite: bool) -> Result<()> {
        let mut fits = Writer::new(path)?;
        fits.image::<u8>("PRIMARY", &[], &[])?;
        fits.text("ORIGIN", "BackDrop", "program that made this file")?;
        let creator = concat!("backdrop ", env!("CARGO_PKG_VERSION"), " lightcurve");
        fits.text("CREATOR", creator, "software")?;
        fits.text("TELESCOP", "TESS", "telescope")?;
        fits.text("INSTRUME", "TESS Photometer", "detector type")?;
        fits.integer("SECTOR", tpf.target.sector.into(), "observing sector")?;
        fits.integer("CAMERA", tpf.target.camera.into(), "camera number")?;
        fits.integer("CCD", tpf.target.ccd.into(), "CCD chip number")?;
        write_object(&mut fits, tpf)?;
        let name = tpf.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        fits.text("TPF", &name, "target pixel file")?;
        fits.text(MODEL_KEYWORD, model, "model that was subtracted as background")?;

        let column = |name, unit, values| Column { name, unit, values: Values::F64(values) };
        let quality: Vec<i32> = tpf.quality.iter().map(|flags| flags.cast_signed()).collect();
        let mut columns = vec![
            column("TIME", "BJD - 2457000, days", &tpf.time),
            column("FLUX", "e-/s", &self.flux),
            column("FLUX_ERR", "e-/s", &self.flux_error),
            Column { name: "QUALITY", unit: "", values: Values::I32(&quality) },
            column("RAW_FLUX", "e-/s", &self.raw_flux),
        ];
        columns.extend(self.detrended.as_deref().map(|flux| column("DETRENDED", "e-/s", flux)));
        fits.table("LIGHTCURVE", &columns)?;
        fits.text("TIMEREF", "SOLARSYSTEM", "barycentric correction applied to times")?;
        fits.text("TASSIGN", "SPACECRAFT", "where time is assigned")?;
        fits.text("TIMESYS", "TDB", "time system is Barycentric Dynamical Time (TDB)")?;
        fits.integer("BJDREFI", 2_457_000, "integer part of BTJD reference date")?;
        fits.real("BJDREFF", 0.0, "fraction of the day in BTJD reference date")?;
        fits.text("TIMEUNIT", "d", "time unit for TIME")?;
        fits.flag("BACKAPP", true, "background is subtracted from FLUX")?;
        fits.comment("RAW_FLUX is the sum of FLUX as it was in the target pixel file.")?;

        let flags: Vec<i32> =
            self.aperture.iter().map(|&taken| COLLECTED | if taken { IN_APERTURE } else { 0 }).collect();
        fits.image("APERTURE", self.aperture.shape(), &flags)?;
        let taken = self.aperture.iter().filter(|&&taken| taken).count();
        fits.integer("NPIXSAP", taken as u64, "Number of pixels in the aperture")?;
        if let Some((row, column)) = tpf.corner {
            fits.text("WCSNAMEP", "PHYSICAL", "name of world coordinate system alternate P")?;
            fits.integer("WCSAXESP", 2, "number of WCS physical axes")?;
            let first_column = column + FIRST_SCIENCE_COLUMN as i64 + 1;
            for (axis, name, thing, first) in
                [(1, "RAWX", "column", first_column), (2, "RAWY", "row", row + 1)]
            {
                fits.text(
                    &format!("CTYPE{axis}P"),
                    name,
                    &format!("physical WCS axis {axis} type CCD {thing}"),
                )?;
                fits.text(&format!("CUNIT{axis}P"), "PIXEL", &format!("physical WCS axis {axis} unit"))?;
                fits.integer(&format!("CRPIX{axis}P"), 1, &format!("reference CCD {thing}"))?;
                fits.real(
                    &format!("CRVAL{axis}P"),
                    first as f64,
                    &format!("value at reference CCD {thing}"),
                )?;
                fits.real(&format!("CDELT{axis}P"), 1.0, &format!("physical WCS axis {axis} step"))?;
            }
        }
        write_whole(path, fits.bytes()?, overwrite)
    }
}

/// Copies what the target pixel file says of the star.
fn write_object(fits: &mut Writer, tpf: &TargetPixelFile) -> Result<()> {
    let file = Reader::open_bytes(&tpf.path, &tpf.bytes)?;
    fits.text("OBJECT", &file.text("OBJECT").unwrap_or_default(), "string version of target ID")?;
    if let Some(number) = file.number("TICID") {
        fits.integer("TICID", number, "unique TESS target identifier")?;
    }
    for (keyword, comment) in [("RA_OBJ", "[deg] right ascension"), ("DEC_OBJ", "[deg] declination")] {
        // A card has no other numbers.
        if let Some(degrees) = file.number(keyword).filter(|degrees: &f64| degrees.is_finite()) {
            fits.real(keyword, degrees, comment)?;
        }
    }
    Ok(())
}

/// The [threshold mask](self) of some images (cadences, rows, columns), of shape (rows, columns).
///
/// ```
/// use backdrop::tpf::lightcurve::threshold_mask;
/// use ndarray::arr3;
///
/// let image = arr3(&[[[0.0, 1.0, 2.0], [1.0, 90.0, 1.0], [2.0, 80.0, 0.0]]]);
/// let mask = threshold_mask(&image, 3.0);
/// assert!(mask[(1, 1)] && mask[(2, 1)]);
/// assert_eq!(mask.iter().filter(|&&taken| taken).count(), 2);
/// ```
#[must_use]
pub fn threshold_mask(images: &Array3<f32>, threshold: f64) -> Array2<bool> {
    let median_image = images.map_axis(Axis(0), |pixel| {
        median_of(pixel.iter().copied().filter(|flux| flux.is_finite()).map(f64::from))
    });
    let finite: Vec<f64> = median_image.iter().copied().filter(|flux| flux.is_finite()).collect();
    let level = median_of(finite.iter().copied());
    let deviation = median_of(finite.into_iter().map(|flux| (flux - level).abs()));
    let cut = threshold * MAD_TO_SIGMA * deviation + level;
    // False for NaN.
    let bright = median_image.mapv(|flux| flux >= cut);
    contiguous(&bright)
}

/// The median of some numbers, NaN if there are none.
fn median_of(values: impl Iterator<Item = f64>) -> f64 {
    median(&mut values.collect::<Vec<_>>()).unwrap_or(f64::NAN)
}

/// Of the pixels that are true, the contiguous region with the one nearest to the centre.
fn contiguous(bright: &Array2<bool>) -> Array2<bool> {
    let (rows, columns) = bright.dim();
    let mut region = Array2::from_elem((rows, columns), false);
    // lightkurve's centre: half the shape, which is half a pixel beyond the middle.
    let (centre_row, centre_column) = (rows as f64 / 2.0, columns as f64 / 2.0);
    let distance = |&(row, column): &(usize, usize)| {
        (row as f64 - centre_row).powi(2) + (column as f64 - centre_column).powi(2)
    };
    let positions = bright.indexed_iter().filter(|&(_, &bright)| bright).map(|(position, _)| position);
    let Some(nearest) = positions.min_by(|a, b| distance(a).total_cmp(&distance(b))) else { return region };
    let mut waiting = vec![nearest];
    while let Some((row, column)) = waiting.pop() {
        if row >= rows || column >= columns || !bright[(row, column)] || region[(row, column)] {
            continue;
        }
        region[(row, column)] = true;
        // Before the first row or column, these are beyond the last.
        waiting.extend([
            (row + 1, column),
            (row.wrapping_sub(1), column),
            (row, column + 1),
            (row, column.wrapping_sub(1)),
        ]);
    }
    region
}

/// The sum over an aperture of each of some images.
fn sums(images: &Array3<f32>, aperture: &Array2<bool>) -> Vec<f64> {
    let sum = |image: ndarray::ArrayView2<f32>| -> f64 {
        image.iter().zip(aperture).filter(|&(_, &taken)| taken).map(|(&flux, _)| f64::from(flux)).sum()
    };
    images.outer_iter().map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One cadence with these pixels.
    fn images<const R: usize, const C: usize>(pixels: [[f32; C]; R]) -> Array3<f32> {
        ndarray::arr2(&pixels).insert_axis(Axis(0))
    }

    #[test]
    fn the_region_nearest_to_the_centre_is_taken() {
        // Of 25 pixels 9 are 0 and 9 are 2: the median is 2, the median absolute deviation 2, and
        // the cut 2 + 2 * 1.4826 * 2 = 7.9.
        let flux = images([
            [0.0, 2.0, 0.0, 9.0, 9.0],
            [2.0, 0.0, 2.0, 2.0, 0.0],
            [0.0, 2.0, 9.0, 8.0, 2.0],
            [2.0, 0.0, 0.0, 9.0, 0.0],
            [9.0, 2.0, 0.0, 2.0, 9.0],
        ]);
        let mask = threshold_mask(&flux, 2.0);
        let taken: Vec<_> = mask.indexed_iter().filter(|(_, taken)| **taken).map(|(at, _)| at).collect();
        // Not (4, 4), which touches (3, 3) by a corner only.
        assert_eq!(taken, [(2, 2), (2, 3), (3, 3)]);
    }

    #[test]
    fn the_threshold_is_in_robust_standard_deviations_and_belongs_to_the_mask() {
        // Median 0, median absolute deviation 1.
        let flux = images([[-2.0, -1.0, 0.0, 1.0, 4.4478]]);
        let count = |threshold| threshold_mask(&flux, threshold).iter().filter(|&&taken| taken).count();
        // 3 * 1.4826 is 4.4478, which single precision rounds up by 6e-8.
        assert!(f64::from(4.4478_f32) >= 3.0 * 1.4826);
        assert_eq!((count(3.0), count(3.0001)), (1, 0));
    }

    #[test]
    fn pixels_without_a_value_are_not_taken_and_do_not_count() {
        let flux = images([[f32::NAN, -1.0, -1.0, -1.5, f32::NAN]]);
        // The median is -1 and so is the cut, as most pixels do not deviate.
        let mask = threshold_mask(&flux, 3.0);
        assert_eq!(mask, ndarray::arr2(&[[false, true, true, false, false]]));
    }

    #[test]
    fn a_cadence_with_a_missing_pixel_in_the_aperture_has_no_flux() {
        let aperture = ndarray::arr2(&[[true, true, false]]);
        let flux = ndarray::arr3(&[[[1.0, 2.0, f32::NAN]], [[f32::NAN, 2.0, 3.0]]]);
        let sums = sums(&flux, &aperture);
        assert_eq!(sums[0], 3.0);
        assert!(sums[1].is_nan());
    }
}
