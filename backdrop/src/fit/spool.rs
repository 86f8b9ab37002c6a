//! A table that is kept on the disk if it is large: residuals and weights of all frames are more than
//! memory should hold, and are needed again only once all frames are fitted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use ndarray::Array2;

use crate::components::Series;
use crate::error::{Error, Result};
use crate::file::Rows;

/// Bytes of a table that stays in memory, at most: 200 frames with 5000 pixels of each kind.
const IN_MEMORY: u64 = 8_000_000;

/// A table of numbers, whose rows are written in any order. Those that have not been written are not
/// to be read.
#[derive(Debug)]
pub(super) struct Spool<T> {
    columns: usize,
    store: Store<T>,
}

#[derive(Debug)]
enum Store<T> {
    Memory(Vec<T>),
    /// A file without a name, which is gone when it is closed, however the program ends; the directory
    /// that it is in, and its size in bytes.
    Disk {
        file: File,
        directory: PathBuf,
        size: u64,
    },
}

impl<T: Pod> Spool<T> {
    /// A table of `rows` x `columns` numbers. If it is large, it is a temporary file in `directory`.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be made there.
    pub(super) fn new(rows: usize, columns: usize, directory: &Path) -> Result<Self> {
        Self::with_limit(rows, columns, directory, IN_MEMORY)
    }

    fn with_limit(rows: usize, columns: usize, directory: &Path, in_memory: u64) -> Result<Self> {
        let size = (rows as u64).saturating_mul(columns as u64).saturating_mul(size_of::<T>() as u64);
        let store = if size <= in_memory {
            Store::Memory(vec![T::zeroed(); rows * columns])
        } else {
            let make = || {
                let file = tempfile::tempfile_in(directory)?;
                file.set_len(size)?;
                Ok(file)
            };
            let file = make().map_err(refused("make", directory, size))?;
            Store::Disk { file, directory: directory.to_owned(), size }
        };
        Ok(Self { columns, store })
    }

    /// Numbers in a row.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Writes a row.
    ///
    /// # Errors
    /// [`Error::Io`], for one if the disk is full.
    ///
    /// # Panics
    /// If it has another length than rows have, or there is no such row in memory.
    pub(super) fn write(&mut self, row: usize, values: &[T]) -> Result<()> {
        assert_eq!(values.len(), self.columns, "numbers in a row");
        match &mut self.store {
            Store::Memory(table) => table[row * self.columns..][..self.columns].copy_from_slice(values),
            Store::Disk { file, directory, size } => file
                .seek(place::<T>(row, self.columns, 0))
                .and_then(|_| file.write_all(bytemuck::cast_slice(values)))
                .map_err(refused("write", directory, *size))?,
        }
        Ok(())
    }

    /// Reads some columns of a row.
    fn read(&self, row: usize, columns: Range<usize>, out: &mut [T]) -> Result<()> {
        match &self.store {
            Store::Memory(table) => out.copy_from_slice(&table[row * self.columns..][columns]),
            Store::Disk { file, directory, size } => {
                // A shared file can be read, too.
                let mut file: &File = file;
                file.seek(place::<T>(row, self.columns, columns.start))
                    .and_then(|_| file.read_exact(bytemuck::cast_slice_mut(out)))
                    .map_err(refused("read", directory, *size))?;
            }
        }
        Ok(())
    }
}

impl Spool<f32> {
    /// Some rows and columns of the table.
    pub(super) fn part<'a>(&'a self, rows: &'a [usize], columns: Range<usize>) -> Part<'a> {
        Part { spool: self, rows, columns }
    }
}

/// Rows and columns of a table: the series of some pixels in some frames.
pub(super) struct Part<'a> {
    spool: &'a Spool<f32>,
    rows: &'a [usize],
    columns: Range<usize>,
}

impl Series for Part<'_> {
    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.columns.len())
    }

    fn read(&mut self, frames: Range<usize>, pixels: Range<usize>, out: &mut [f32]) -> Result<()> {
        let columns = self.columns.start + pixels.start..self.columns.start + pixels.end;
        // There are no chunks of length 0.
        for (&row, out) in self.rows[frames].iter().zip(out.chunks_exact_mut(pixels.len().max(1))) {
            self.spool.read(row, columns.clone(), out)?;
        }
        Ok(())
    }
}

fn place<T>(row: usize, columns: usize, column: usize) -> SeekFrom {
    SeekFrom::Start((row as u64 * columns as u64 + column as u64) * size_of::<T>() as u64)
}

/// A table with a row for each of some frames, of which the others are NaN.
#[derive(Debug)]
pub(super) struct FrameRows {
    spool: Spool<f64>,
    /// The row that a frame has in the spool.
    rows: Vec<Option<usize>>,
}

impl FrameRows {
    /// The table of frames whose rows, as far as they have one, are in `spool`.
    pub(super) fn new(spool: Spool<f64>, rows: Vec<Option<usize>>) -> Self {
        Self { spool, rows }
    }

    /// The table in memory.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub(super) fn to_array(&self) -> Result<Array2<f64>> {
        let mut table = Array2::zeros(self.shape());
        if let Some(numbers) = table.as_slice_mut() {
            self.read(0..self.rows.len(), numbers)?;
        }
        Ok(table)
    }
}

impl Rows for FrameRows {
    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.spool.columns)
    }

    fn read(&self, frames: Range<usize>, out: &mut [f64]) -> Result<()> {
        let columns = self.spool.columns;
        // There are no chunks of length 0.
        for (row, out) in self.rows[frames].iter().zip(out.chunks_exact_mut(columns.max(1))) {
            match row {
                Some(row) => self.spool.read(*row, 0..columns, out)?,
                None => out.fill(f64::NAN),
            }
        }
        Ok(())
    }
}

/// The error for a temporary file that could not be used.
fn refused(what: &str, directory: &Path, size: u64) -> impl FnOnce(io::Error) -> Error {
    move |error| {
        let size = size.div_ceil(1_000_000);
        let message = format!("cannot {what} a temporary file of {size} MB for results here: {error}");
        Error::Io { path: directory.to_owned(), source: io::Error::new(error.kind(), message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(row: usize, column: usize) -> f32 {
        (row * 100 + column) as f32
    }

    /// A table of 5 x 7 numbers, all but those of row 3 written.
    fn filled(in_memory: u64) -> (Spool<f32>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::with_limit(5, 7, directory.path(), in_memory).unwrap();
        for row in [4, 0, 2, 1] {
            let values: Vec<f32> = (0..7).map(|column| value(row, column)).collect();
            spool.write(row, &values).unwrap();
        }
        (spool, directory)
    }

    #[test]
    fn any_part_is_read_from_memory_and_from_the_disk() {
        for in_memory in [140, 139] {
            let (spool, directory) = filled(in_memory);
            assert_eq!(matches!(spool.store, Store::Disk { .. }), in_memory < 140);
            // The file has no name.
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
            let rows = [0, 1, 2, 4];
            let mut part = spool.part(&rows, 2..7);
            assert_eq!(part.shape(), (4, 5));
            for (frames, pixels) in [(0..4, 0..5), (1..4, 2..4), (3..4, 4..5), (2..2, 0..5), (0..4, 3..3)] {
                let mut out = vec![f32::NAN; frames.len() * pixels.len()];
                part.read(frames.clone(), pixels.clone(), &mut out).unwrap();
                let expected: Vec<f32> = rows[frames]
                    .iter()
                    .flat_map(|&row| pixels.clone().map(move |pixel| value(row, 2 + pixel)))
                    .collect();
                assert_eq!(out, expected);
            }
        }
    }

    #[test]
    fn bits_are_kept() {
        let (mut spool, _directory) = filled(0);
        let odd = [f32::from_bits(0x7fc0_1234), -0.0, f32::INFINITY, 1e-45, f32::MAX, f32::NAN, 0.1];
        spool.write(3, &odd).unwrap();
        let mut out = [0.0; 7];
        spool.part(&[3], 0..7).read(0..1, 0..7, &mut out).unwrap();
        assert!(out.iter().zip(&odd).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn frames_without_a_row_are_not_a_number() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::with_limit(2, 3, directory.path(), 0).unwrap();
        spool.write(1, &[0.5, -0.0, f64::INFINITY]).unwrap();
        spool.write(0, &[1.0, 2.0, 3.0]).unwrap();
        let frames = FrameRows::new(spool, vec![None, Some(1), Some(0), None]);
        let table = frames.to_array().unwrap();
        assert_eq!(table.dim(), (4, 3));
        assert!(table.row(0).iter().chain(table.row(3)).all(|number| number.is_nan()));
        assert_eq!((table[(1, 0)], table[(1, 2)], table[(2, 2)]), (0.5, f64::INFINITY, 3.0));
        assert!(table[(1, 1)].is_sign_negative());
    }

    #[test]
    fn what_the_system_refuses_is_one_line_that_names_the_place() {
        let missing = Path::new("no/such/directory");
        let message = Spool::<f32>::new(11_000, 10_000, missing).err().unwrap().to_string();
        let expected = "no/such/directory: cannot make a temporary file of 440 MB for results here: ";
        assert!(message.starts_with(expected) && !message.contains('\n'), "{message}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_so() {
        let file = File::options().write(true).open("/dev/full").unwrap();
        let store = Store::Disk { file, directory: "models".into(), size: 440_000_000 };
        let message = Spool { columns: 2, store }.write(0, &[1.0_f32, 2.0]).unwrap_err().to_string();
        let expected = "models: cannot write a temporary file of 440 MB for results here: No space left";
        assert!(message.starts_with(expected), "{message}");
    }
}
