//! The headers of a full frame image.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::find::target_of_name;
use super::stamp::Stamp;
use super::{IMAGE_SHAPE, gzip, largest_cutout, path_as_serde, spoc, tica};
use crate::error::{Error, Result};
use crate::fits::{BLOCK, Image, Kind, Reader};
use crate::source::Target;

/// The headers up to the image take some 20 kB; this is room for 2304 cards.
pub(super) const HEADER_BYTES: usize = 64 * BLOCK;

/// Bytes of an uncompressed file up to the end of its image, at most: 36 MB of double precision
/// numbers, behind headers. What is compressed by gzip is held in memory up to there.
const LARGEST: u64 = 64 << 20;

/// How the image lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    /// As it is.
    Plain,
    /// The whole file is compressed by gzip.
    Gzip,
    /// The image is compressed in tiles (FITS standard, section 10), as fpack does.
    Tiles,
}

/// Which pipeline's files an image is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Layout {
    /// The mission's own: the Science Processing Operations Center.
    #[default]
    Spoc,
    /// The TESS Image CAlibrator.
    Tica,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spoc => "SPOC",
            Self::Tica => "TICA",
        })
    }
}

/// What the headers of one calibrated full frame image say. All numbers are finite, so that serde
/// passes them on in any format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FfiHeader {
    /// The file.
    #[serde(with = "path_as_serde")]
    pub path: PathBuf,
    /// Which pipeline made it. The keywords named below are those of SPOC; for those of TICA
    /// see the [module](super).
    pub layout: Layout,
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
    /// Unit of the pixels in the file (`BUNIT`), `electrons/s`.
    pub unit: Option<String>,
    /// What a pixel of the file is multiplied by to be in electrons/s: 1, unless the file has
    /// electrons.
    pub scale: f64,
    /// The pipeline's version (`PROCVER`).
    pub pipeline: Option<String>,
    /// The number of the data release (`DATA_REL`).
    pub data_release: Option<u32>,
    /// Where the camera's boresight points: right ascension, declination and roll
    /// angle (`RA_NOM`, `DEC_NOM`, `ROLL_NOM`), in degrees.
    pub boresight: Option<[f64; 3]>,
    /// Bytes of the file, uncompressed, up to the end of the image.
    pub(super) image_end: u64,
    /// Where the pixels begin, in bytes from the start of the file, uncompressed, if they stand there as
    /// single precision numbers.
    pub(super) plain_at: Option<u64>,
    /// What the file was like before its header was read.
    pub(super) stamp: Stamp,
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
        let stamp = Stamp::of(path)?;
        let header = match Kind::of(path)?.0 {
            Kind::Gzip => {
                let bytes = gzip::first_bytes(path, HEADER_BYTES)?;
                let mut header = Self::parse(&mut Reader::open_start(path, &bytes)?)?;
                if header.storage == Storage::Tiles {
                    return Err(not_an_ffi(path, "compressed twice, by gzip and fpack; unpack it"));
                }
                if header.image_end > LARGEST {
                    let end = header.image_end;
                    let reason = format!("its image ends {end} bytes from its start, more than {LARGEST}");
                    return Err(not_an_ffi(path, reason));
                }
                header.storage = Storage::Gzip;
                header
            }
            _ => Self::parse(&mut Reader::open(path)?)?,
        };
        Ok(Self { stamp, ..header })
    }

    /// The largest square of science pixels in the image: the largest cut-out size
    /// that it can be read with.
    #[must_use]
    pub fn largest_cutout(&self) -> usize {
        largest_cutout(self.rows, self.columns)
    }

    /// Reads the headers of an open file, whichever layout it has.
    pub(super) fn parse(reader: &mut Reader) -> Result<Self> {
        match tica::find(reader)? {
            Some(hdu) => tica::parse(reader, hdu),
            None => spoc::parse(reader),
        }
    }
}

/// The start and end of an exposure by the names of their keywords, in BTJD days.
pub(super) fn times(reader: &Reader, start: &str, stop: &str) -> Result<(f64, f64)> {
    let (tstart, tstop) = (reader.require(start)?, reader.require(stop)?);
    // The comparison is false for times that are no numbers, too.
    if !(0.0 < tstart && tstart < tstop && tstop < f64::INFINITY) {
        let reason = format!("{start} {tstart} and {stop} {tstop} are no exposure in BTJD days");
        return Err(not_an_ffi(reader.path(), reason));
    }
    Ok((tstart, tstop))
}

/// The target that the header of the image and the file's name say together. The sector of the
/// name counts; `SECTOR` of another header, if it has one, comes before that of the image.
pub(super) fn target(reader: &Reader, camera: u8, ccd: u8, other_sector: Option<u32>) -> Result<Target> {
    let named = target_of_name(reader.path());
    if let Some(named) = named.filter(|named| (named.camera, named.ccd) != (camera, ccd)) {
        let reason = format!(
            "its name says camera {}, CCD {}, but its header camera {camera}, CCD {ccd}",
            named.camera, named.ccd
        );
        return Err(not_an_ffi(reader.path(), reason));
    }
    let sector = match named.map(|named| named.sector).or(other_sector) {
        Some(sector) => sector,
        None => reader.require("SECTOR")?,
    };
    Ok(Target { sector, camera, ccd })
}

/// The finite number that a keyword holds.
pub(super) fn real(reader: &Reader, keyword: &str) -> Option<f64> {
    reader.number(keyword).filter(|number: &f64| number.is_finite())
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
pub(super) fn one_to_four(reader: &Reader, keyword: &str) -> Result<u8> {
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
