//! The headers of a full frame image.

use std::path::{Path, PathBuf};

use super::find::target_of_name;
use super::{IMAGE_SHAPE, gzip, largest_cutout};
use crate::error::{Error, Result};
use crate::fits::{BLOCK, Image, Kind, Reader};
use crate::source::Target;

/// The headers up to the image take some 20 kB; this is room for 2304 cards.
const HEADER_BYTES: usize = 64 * BLOCK;

/// How the image lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// As it is.
    Plain,
    /// The whole file is compressed by gzip.
    Gzip,
    /// The image is compressed in tiles (FITS standard, section 10), as fpack does.
    Tiles,
}

/// What the headers of one calibrated full frame image say.
#[derive(Debug, Clone, PartialEq)]
pub struct FfiHeader {
    /// The file.
    pub path: PathBuf,
    /// How the image lies in it.
    pub storage: Storage,
    /// The HDU of the image, counted from 0.
    pub hdu: usize,
    /// Rows of the image, margins included.
    pub rows: usize,
    /// Columns of the image, margins included.
    pub columns: usize,
    /// The sector (from the file's name, else `SECTOR`), `CAMERA` and `CCD`.
    pub target: Target,
    /// Start of the exposure (`TSTART` of the primary header), in BTJD days.
    pub tstart: f64,
    /// End of the exposure (`TSTOP` of the primary header), in BTJD days.
    pub tstop: f64,
    /// The mission's data quality flags (`DQUALITY`).
    pub quality: u32,
    /// Start of the exposure as a UTC calendar date (`DATE-OBS`).
    pub date_obs: Option<String>,
    /// Time on source (`EXPOSURE`), in days.
    pub exposure: Option<f64>,
    /// Unit of the pixels (`BUNIT`), `electrons/s`.
    pub unit: Option<String>,
    /// The pipeline's version (`PROCVER`).
    pub pipeline: Option<String>,
    /// The number of the data release (`DATA_REL`).
    pub data_release: Option<u32>,
    /// Where the camera's boresight points: right ascension, declination and roll
    /// angle (`RA_NOM`, `DEC_NOM`, `ROLL_NOM`), in degrees.
    pub boresight: Option<[f64; 3]>,
    /// Bytes of the file, uncompressed, up to the end of the image.
    pub(super) image_end: u64,
}

impl FfiHeader {
    /// Reads the headers of the file at `path`, and no pixels. A plain or fpacked
    /// file is found to have all the bytes that its headers declare; of a file
    /// compressed by gzip only the first part is read.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Fits`] or [`Error::Truncated`] if the file cannot be
    /// read; [`Error::NotAnFfi`] or [`Error::MissingKeyword`] if it is another file.
    pub fn read(path: &Path) -> Result<Self> {
        match Kind::of(path)?.0 {
            Kind::Gzip => {
                let bytes = gzip::first_bytes(path, HEADER_BYTES)?;
                let mut header = Self::parse(&mut Reader::open_start(path, &bytes)?)?;
                if header.storage == Storage::Tiles {
                    return Err(not_an_ffi(path, "compressed twice, by gzip and fpack; unpack it"));
                }
                header.storage = Storage::Gzip;
                Ok(header)
            }
            _ => Self::parse(&mut Reader::open(path)?),
        }
    }

    /// The largest square of science pixels in the image: the largest cut-out size
    /// that it can be read with.
    #[must_use]
    pub fn largest_cutout(&self) -> usize {
        largest_cutout(self.rows, self.columns)
    }

    /// Reads the headers of an open file.
    fn parse(reader: &mut Reader) -> Result<Self> {
        let path = reader.path().to_owned();
        reader.select(0)?;
        let (tstart, tstop) = (reader.require("TSTART")?, reader.require("TSTOP")?);
        // The comparison is false for times that are no numbers, too.
        if !(0.0 < tstart && tstart < tstop && tstop < f64::INFINITY) {
            let reason = format!("TSTART {tstart} and TSTOP {tstop} are no exposure in BTJD days");
            return Err(not_an_ffi(&path, reason));
        }
        let date_obs = reader.text("DATE-OBS");
        let pipeline = reader.text("PROCVER");
        let data_release = reader.number("DATA_REL");
        let primary_sector = reader.number("SECTOR");

        let image = find_image(reader)?;
        let (rows, columns) = ccd_shape(&image).map_err(|reason| not_an_ffi(&path, reason))?;
        if let Some(kind) = reader.text("IMAGTYPE").filter(|kind| kind != "cal") {
            return Err(not_an_ffi(&path, format!("the image is of type {kind:?}, not \"cal\"")));
        }
        let (camera, ccd) = (one_to_four(reader, "CAMERA")?, one_to_four(reader, "CCD")?);
        let named = target_of_name(&path);
        if let Some(named) = named.filter(|named| (named.camera, named.ccd) != (camera, ccd)) {
            let reason = format!(
                "its name says camera {}, CCD {}, but its header camera {camera}, CCD {ccd}",
                named.camera, named.ccd
            );
            return Err(not_an_ffi(&path, reason));
        }
        let sector = match named.map(|named| named.sector).or(primary_sector) {
            Some(sector) => sector,
            None => reader.require("SECTOR")?,
        };
        let boresight =
            || Some([reader.number("RA_NOM")?, reader.number("DEC_NOM")?, reader.number("ROLL_NOM")?]);
        Ok(Self {
            storage: if image.compressed { Storage::Tiles } else { Storage::Plain },
            hdu: reader.hdu(),
            rows,
            columns,
            target: Target { sector, camera, ccd },
            tstart,
            tstop,
            quality: reader.require("DQUALITY")?,
            date_obs,
            exposure: reader.number("EXPOSURE"),
            unit: reader.text("BUNIT"),
            pipeline,
            data_release,
            boresight: boresight(),
            image_end: reader.end(),
            path,
        })
    }
}

/// Moves to the first image of two axes after the primary HDU: HDU 1 as the pipeline
/// writes it, perhaps a later one after a file was repacked.
fn find_image(reader: &mut Reader) -> Result<Image> {
    let path = reader.path().to_owned();
    let mut found = "there is no image after the primary header".to_owned();
    for hdu in 1..reader.hdus() {
        reader.select(hdu)?;
        match reader.image()? {
            Some(image) if image.shape.len() == 2 => return Ok(image),
            Some(image) => found = format!("HDU {hdu} has {} axes, not 2", image.shape.len()),
            None => found = format!("HDU {hdu} is a table, not an image"),
        }
    }
    Err(not_an_ffi(&path, found))
}

/// Rows and columns of an image, if a CCD can have that many.
pub(super) fn ccd_shape(image: &Image) -> std::result::Result<(usize, usize), String> {
    let [rows, columns] = image.shape[..] else {
        return Err(format!("the image has {} axes, not 2", image.shape.len()));
    };
    let (max_rows, max_columns) = IMAGE_SHAPE;
    let within = |length, max| usize::try_from(length).ok().filter(|length| (1..=max).contains(length));
    within(rows, max_rows).zip(within(columns, max_columns)).ok_or_else(|| {
        format!("an image of {rows} x {columns} pixels, where a CCD has {max_rows} x {max_columns}")
    })
}

/// A keyword that counts cameras or CCDs.
fn one_to_four(reader: &Reader, keyword: &str) -> Result<u8> {
    let number = reader.require(keyword)?;
    if !(1..=4).contains(&number) {
        return Err(not_an_ffi(reader.path(), format!("{keyword} is {number}, not 1 to 4")));
    }
    Ok(number)
}

/// The error for a file of another layout.
pub(super) fn not_an_ffi(path: &Path, reason: impl Into<String>) -> Error {
    Error::NotAnFfi { path: path.to_owned(), reason: reason.into() }
}
