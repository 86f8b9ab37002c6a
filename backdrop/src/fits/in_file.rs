//! Images that stay in their files, and are checked as they are read.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use array_api::host;

use super::checksum::Checksum;
use super::intact::PART;
use super::read::{Bytes, Reader};
use crate::error::{Error, Result};

/// An image of double precision numbers that stand in a file as they are, and stay there.
#[derive(Debug)]
pub(crate) struct InFile {
    path: PathBuf,
    hdu: usize,
    bytes: Bytes<'static>,
    /// (rows, columns).
    shape: (usize, usize),
    /// Where the first one begins, and where the HDU ends.
    place: Range<u64>,
    /// What is left to be checked, until all is.
    unchecked: Mutex<Option<Unchecked>>,
}

/// The sum over the rows that have been read.
#[derive(Debug, Clone)]
struct Unchecked {
    /// The `DATASUM` of the image.
    expected: String,
    sum: Checksum,
    /// Whether the sum has a row.
    has: Vec<bool>,
}

impl InFile {
    /// (rows, columns).
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Reads some rows.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<()> {
        let new = self.unchecked().as_ref().is_some_and(|unchecked| unchecked.lacks(rows.clone()));
        let mut sum = Checksum::default();
        let mut begin = self.begin(rows.start);
        for part in out.chunks_mut(PART / size_of::<f64>()) {
            self.bytes.read(begin, bytemuck::cast_slice_mut(part)).map_err(Error::io(&self.path))?;
            host::big_endian_in_place(part);
            if new {
                sum.add_numbers(part);
            }
            begin += size_of_val(part) as u64;
        }
        // Another thread may have read some of them meanwhile.
        let mut unchecked = self.unchecked();
        if let Some(unchecked) = unchecked.as_mut().filter(|unchecked| new && unchecked.lacks(rows.clone())) {
            unchecked.sum.join(sum);
            unchecked.has[rows].fill(true);
        }
        Ok(())
    }

    /// Checks the image against its `DATASUM`, if it has one. What has been read is not read again.
    ///
    /// # Errors
    /// [`Error::Checksum`] if they differ; [`Error::Io`].
    pub fn check(&self) -> Result<()> {
        // Others may go on to read while the rest is summed up, by threads that may be these.
        let Some(Unchecked { expected, mut sum, has }) = self.unchecked().clone() else { return Ok(()) };
        let mut row = 0;
        for run in has.chunk_by(|a, b| a == b) {
            let rows = row..row + run.len();
            row = rows.end;
            if !run[0] {
                sum.join(self.sum(self.begin(rows.start)..self.begin(rows.end))?);
            }
        }
        // What is behind the numbers fills up a block.
        sum.join(self.sum(self.begin(self.shape.0)..self.place.end)?);
        if !sum.is(&expected) {
            return Err(Error::Checksum { path: self.path.clone(), hdu: self.hdu, keyword: "DATASUM" });
        }
        *self.unchecked() = None;
        Ok(())
    }

    /// Where a row begins, in bytes from the start of the file.
    fn begin(&self, row: usize) -> u64 {
        self.place.start + (row * self.shape.1 * size_of::<f64>()) as u64
    }

    fn sum(&self, place: Range<u64>) -> Result<Checksum> {
        self.bytes.sum_in_parallel(place.start, place.end).map_err(Error::io(&self.path))
    }

    fn unchecked(&self) -> MutexGuard<'_, Option<Unchecked>> {
        self.unchecked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unchecked {
    /// Whether the sum has none of some rows.
    fn lacks(&self, rows: Range<usize>) -> bool {
        self.has[rows].iter().all(|&has| !has)
    }
}

impl Reader<'_> {
    /// The image of `shape`, (rows, columns), in the current HDU, to be read later, if the file has double precision numbers,
    /// and columns of them.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn in_file(&mut self, shape: (usize, usize)) -> Result<Option<InFile>> {
        let (rows, columns) = shape;
        let (Some((start, _)), Bytes::InFile(file)) = (self.plain::<f64>(rows * columns)?, &self.bytes)
        else {
            return Ok(None);
        };
        // Rows of nothing may be any number.
        if columns == 0 {
            return Ok(None);
        }
        let path = self.path().to_owned();
        let bytes = Bytes::InFile(file.try_clone().map_err(Error::io(&path))?);
        let unchecked = self.data_sum().map(|expected| Unchecked {
            expected,
            sum: Checksum::default(),
            has: vec![false; rows],
        });
        Ok(Some(InFile {
            path,
            hdu: self.hdu(),
            bytes,
            shape,
            place: start..self.end(),
            unchecked: Mutex::new(unchecked),
        }))
    }
}
