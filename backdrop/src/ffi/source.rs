//! Frames read from full frame images, as they are asked for.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::header::{ccd_shape, not_an_ffi};
use super::{FIRST_SCIENCE_COLUMN, FfiHeader, SCIENCE_SIZE, Storage, gzip};
use crate::error::{Error, Result};
use crate::fits::{Image, Reader};
use crate::source::{FrameInfo, FrameSource, Target, check_read_rows};

/// Rows that are read at once: half a megabyte, which stays in a core's cache until
/// the science columns have been taken out of it, while CFITSIO reads whole runs
/// from the file.
const ROWS_AT_ONCE: usize = 64;

/// The frames of one sector, camera and CCD in files, sorted by start time.
///
/// No file stays open between reads. See the [module](super) for an example.
#[derive(Debug)]
pub struct FfiSource {
    target: Target,
    shape: (usize, usize),
    headers: Vec<FfiHeader>,
    frames: Vec<FrameInfo>,
}

impl FfiSource {
    /// Reads the headers of `files`, which may come in any order, and sorts them by
    /// `TSTART`. The science area is `cutout_size` x `cutout_size` pixels, or the
    /// whole CCD if that is `None`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are no files or the cut-out size is not
    /// within 1 and [`SCIENCE_SIZE`]; as [`FfiHeader::read`] for each file;
    /// [`Error::TooSmall`], [`Error::MixedTargets`] and [`Error::MixedLayouts`] (naming the first
    /// odd file) and [`Error::DuplicateFrame`] as they say.
    pub fn open(files: Vec<PathBuf>, cutout_size: Option<usize>) -> Result<Self> {
        let size = cutout_size.unwrap_or(SCIENCE_SIZE);
        if !(1..=SCIENCE_SIZE).contains(&size) {
            return Err(Error::InvalidArgument(format!(
                "a cut-out of {size} pixels: give 1 to {SCIENCE_SIZE}"
            )));
        }
        let mut headers: Vec<FfiHeader> = Vec::with_capacity(files.len());
        for path in files {
            let header = FfiHeader::read(&path)?;
            if header.largest_cutout() < size {
                let (rows, columns) = (header.rows, header.columns);
                return Err(Error::TooSmall { path, rows, columns, cutout_size: size });
            }
            if let Some(first) = headers.first().filter(|first| first.target != header.target) {
                return Err(Error::MixedTargets {
                    first: first.path.clone(),
                    first_target: first.target,
                    odd: path,
                    odd_target: header.target,
                });
            }
            if let Some(first) = headers.first().filter(|first| first.layout != header.layout) {
                return Err(Error::MixedLayouts {
                    first: first.path.clone(),
                    first_layout: first.layout,
                    odd: path,
                    odd_layout: header.layout,
                });
            }
            headers.push(header);
        }
        let Some(target) = headers.first().map(|header| header.target) else {
            return Err(Error::InvalidArgument("no files to read frames from".into()));
        };
        headers.sort_by(|a, b| a.tstart.total_cmp(&b.tstart));
        if let Some([a, b]) = headers.array_windows().find(|[a, b]| a.tstart == b.tstart) {
            let (first, second, tstart) = (a.path.clone(), b.path.clone(), a.tstart);
            return Err(Error::DuplicateFrame { first, second, tstart });
        }
        let frames = headers.iter().map(|header| FrameInfo {
            name: file_name(&header.path),
            tstart: header.tstart,
            tstop: header.tstop,
            quality: header.quality,
        });
        let frames = frames.collect();
        Ok(Self { target, shape: (size, size), headers, frames })
    }

    /// The headers of the files, in the order of [`frames`](FrameSource::frames).
    #[must_use]
    pub fn headers(&self) -> &[FfiHeader] {
        &self.headers
    }
}

impl FrameSource for FfiSource {
    fn target(&self) -> Target {
        self.target
    }

    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }

    /// As the trait says; pixels that the file marks as undefined are NaN.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Fits`], [`Error::Truncated`] if the file cannot be
    /// read; [`Error::NotAnFfi`] if it was replaced by another since it was opened.
    fn read(&self, index: usize, out: &mut [f32]) -> Result<()> {
        self.read_rows(index, 0..self.shape.0, out)
    }

    /// As the trait says, and [`read`](Self::read); of a file that is not compressed, only these
    /// rows are read.
    fn read_rows(&self, index: usize, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        check_read_rows(self, index, &rows, out)?;
        let header = &self.headers[index];
        if header.storage == Storage::Gzip {
            let length = usize::try_from(header.image_end).unwrap_or(usize::MAX);
            let bytes = gzip::intact_bytes(&header.path, length)?;
            read_science(&mut Reader::open_bytes(&header.path, &bytes)?, header, (rows, self.shape.1), out)
        } else {
            read_science(&mut Reader::open(&header.path)?, header, (rows, self.shape.1), out)
        }
    }
}

/// Reads some rows and the first `columns` columns of the science area from an open file.
fn read_science(
    reader: &mut Reader,
    header: &FfiHeader,
    (rows, columns): (Range<usize>, usize),
    out: &mut [f32],
) -> Result<()> {
    let same_shape = |image: &Image| ccd_shape(image) == Ok((header.rows, header.columns));
    let image = if header.hdu < reader.hdus() {
        reader.select(header.hdu)?;
        reader.image()?.filter(same_shape)
    } else {
        None
    };
    let Some(image) = image else {
        return Err(not_an_ffi(&header.path, "the file has changed since its header was read"));
    };
    // Decoding does not notice wrong data, which give wrong pixels, so this has to.
    if image.compressed {
        reader.check_sum()?;
    }
    // A plain image of floating point numbers marks undefined pixels by NaN itself.
    let undefined = (!image.floating || image.compressed).then_some(f32::NAN);
    let mut buffer = vec![0.0; ROWS_AT_ONCE.min(rows.len()) * header.columns];
    for (chunk, out) in out.chunks_mut(ROWS_AT_ONCE * columns).enumerate() {
        let first = (rows.start + chunk * ROWS_AT_ONCE) * header.columns;
        let buffer = &mut buffer[..out.len() / columns * header.columns];
        reader.pixels(first as u64, undefined, buffer)?;
        for (out, row) in out.chunks_exact_mut(columns).zip(buffer.chunks_exact(header.columns)) {
            let science = &row[FIRST_SCIENCE_COLUMN..][..columns];
            if header.scale == 1.0 {
                out.copy_from_slice(science);
            } else {
                for (out, &value) in out.iter_mut().zip(science) {
                    *out = (f64::from(value) * header.scale) as f32;
                }
            }
        }
    }
    Ok(())
}

/// The last part of a path, for people to read.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
