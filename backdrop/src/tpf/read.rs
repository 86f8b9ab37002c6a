//! Reading target pixel files. They come from anywhere: nothing in them is taken for granted.

use std::path::Path;

use ndarray::{Array2, Array3};

use super::TargetPixelFile;
use crate::error::{Error, Result};
use crate::ffi::FIRST_SCIENCE_COLUMN;
use crate::fits::{Kind, Reader};
use crate::source::Target;

/// The HDU of the table.
pub(super) const TABLE: usize = 1;
/// The keyword of the table that names the model that was subtracted.
pub(super) const MODEL_KEYWORD: &str = "BKGMODEL";
/// A CCD has fewer rows and columns than this, margins included; positions beyond are absurd.
const FARTHEST: f64 = 10_000.0;

impl TargetPixelFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Fits`] or [`Error::Truncated`] if the file cannot be read;
    /// [`Error::NotATargetPixelFile`] or [`Error::MissingKeyword`] if it is another file, its
    /// parts contradict one another.
    pub fn open(path: &Path) -> Result<Self> {
        match Kind::of(path)?.0 {
            Kind::Fits => {}
            Kind::Gzip => return Err(refused(path, "it is compressed by gzip; unpack it")),
            Kind::Zip => return Err(refused(path, "it is a zip archive; unpack it")),
            Kind::Other => return Err(refused(path, "it is not FITS")),
        }
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let mut file = Reader::open_bytes(path, &bytes)?;
        if file.hdus() <= TABLE {
            return Err(refused(path, "it has no table"));
        }
        file.select(TABLE)?;
        if file.image()?.is_some() {
            return Err(refused(path, "its first extension is an image, not a table"));
        }
        if file.number("PCOUNT") != Some(0) || file.has("THEAP") {
            return Err(refused(path, "its table has arrays of variable length"));
        }
        for column in ["TIME", "FLUX", "FLUX_ERR", "QUALITY"] {
            if file.column_number(column).is_none() {
                return Err(refused(path, format!("its table has no column {column}, or several")));
            }
        }
        let time: Vec<f64> = file.numbers("TIME")?;
        let time_correction = match file.column_number("TIMECORR") {
            Some(_) => file.numbers("TIMECORR")?,
            None => vec![0.0; time.len()],
        };
        let quality: Vec<i32> = file.numbers("QUALITY")?;
        let subtracted = file.text(MODEL_KEYWORD);
        let unit = file.column_number("FLUX").and_then(|column| file.text(&format!("TUNIT{column}")));
        let flux = read_images(&mut file, "FLUX", None)?;
        let shape = Some(flux.dim());
        let flux_error = read_images(&mut file, "FLUX_ERR", shape)?;
        let background = match file.column_number("FLUX_BKG") {
            Some(_) => Some(read_images(&mut file, "FLUX_BKG", shape)?),
            None => None,
        };
        let background_subtracted = file.flag("BACKAPP").unwrap_or(true);
        let corner = read_corner(&file)?;
        let target = read_target(&mut file)?;
        let aperture = read_aperture(&mut file, (flux.dim().1, flux.dim().2))?;
        drop(file);
        Ok(Self {
            path: path.to_owned(),
            target,
            corner,
            time,
            time_correction,
            flux,
            flux_error,
            background,
            background_subtracted,
            // Flags are bits, the last of which is the sign to FITS.
            quality: quality.into_iter().map(i32::cast_unsigned).collect(),
            aperture,
            subtracted,
            unit,
            bytes,
        })
    }
}

/// A column of images, (cadences, rows, columns), of the shape that is expected if there is one.
fn read_images(
    file: &mut Reader,
    name: &str,
    expected: Option<(usize, usize, usize)>,
) -> Result<Array3<f32>> {
    let (shape, values) = file.arrays(name)?;
    let [rows, columns] = shape[..] else {
        return Err(refused(file.path(), format!("column {name} does not hold images (TDIM)")));
    };
    if rows == 0 || columns == 0 {
        return Err(refused(file.path(), format!("column {name} holds images without pixels")));
    }
    let cadences = values.len() / (rows * columns);
    if cadences == 0 {
        return Err(refused(file.path(), "its table has no rows"));
    }
    if let Some(expected) = expected.filter(|&expected| expected != (cadences, rows, columns)) {
        let reason = format!(
            "column {name} holds images of {rows} x {columns} pixels, FLUX of {} x {}",
            expected.1, expected.2
        );
        return Err(refused(file.path(), reason));
    }
    Array3::from_shape_vec((cadences, rows, columns), values)
        .map_err(|_| refused(file.path(), format!("column {name} has an impossible size")))
}

/// The science row and column of the first pixel, by the physical coordinate system that each
/// column of images may have.
fn read_corner(file: &Reader) -> Result<Option<(i64, i64)>> {
    let columns: usize = file.require("TFIELDS")?;
    let mut found: Option<(usize, (i64, i64))> = None;
    for column in 1..=columns {
        let axis = |axis: u8| -> Result<Option<i64>> {
            let [value, pixel, step] = ["CRV", "CRP", "CDL"].map(|name| format!("{axis}{name}{column}P"));
            let Some(number) = file.number::<f64>(&value) else { return Ok(None) };
            // The mission's files count pixels from 1, in steps of 1.
            let pixel = file.number(&pixel).unwrap_or(1.0);
            let first = number - pixel + 1.0;
            if file.number(&step).unwrap_or(1.0) != 1.0 || first.fract() != 0.0 || first.abs() > FARTHEST {
                return Err(refused(file.path(), format!("{value} = {number} is no position on a CCD")));
            }
            Ok(Some(first as i64))
        };
        let (Some(first_column), Some(first_row)) = (axis(1)?, axis(2)?) else { continue };
        let corner = (first_row - 1, first_column - 1 - FIRST_SCIENCE_COLUMN as i64);
        match found {
            Some((other, position)) if position != corner => {
                return Err(refused(
                    file.path(),
                    format!(
                        "1CRV{other}P, 2CRV{other}P and 1CRV{column}P, 2CRV{column}P contradict one another"
                    ),
                ));
            }
            _ => found = Some((column, corner)),
        }
    }
    Ok(found.map(|(_, corner)| corner))
}

/// The sector, camera and CCD, from the primary header or else the table's.
fn read_target(file: &mut Reader) -> Result<Target> {
    file.select(0)?;
    if ["SECTOR", "CAMERA", "CCD"].iter().any(|keyword| file.number::<u32>(keyword).is_none()) {
        file.select(TABLE)?;
    }
    let target = Target {
        sector: file.require("SECTOR")?,
        camera: file.require("CAMERA")?,
        ccd: file.require("CCD")?,
    };
    if target.sector == 0 || !(1..=4).contains(&target.camera) || !(1..=4).contains(&target.ccd) {
        return Err(refused(file.path(), format!("there is no {target}")));
    }
    Ok(target)
}

/// The image called `APERTURE`, if there is one.
fn read_aperture(file: &mut Reader, shape: (usize, usize)) -> Result<Option<Array2<i32>>> {
    for hdu in TABLE + 1..file.hdus() {
        file.select(hdu)?;
        if file.text("EXTNAME").as_deref() != Some("APERTURE") {
            continue;
        }
        let Some(image) = file.image()? else {
            return Err(refused(file.path(), "its APERTURE is a table, not an image"));
        };
        if image.shape != [shape.0 as u64, shape.1 as u64] {
            let reason = format!("its APERTURE is no image of {} x {} pixels", shape.0, shape.1);
            return Err(refused(file.path(), reason));
        }
        let mut aperture = Array2::zeros(shape);
        if let Some(pixels) = aperture.as_slice_mut() {
            file.pixels(0, None, pixels)?;
        }
        return Ok(Some(aperture));
    }
    Ok(None)
}

/// The error for a file that holds something else.
fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::NotATargetPixelFile { path: path.to_owned(), reason: reason.into() }
}
