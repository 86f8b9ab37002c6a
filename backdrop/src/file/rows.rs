//! Rows of numbers that need not be in memory.

use std::ops::Range;

use ndarray::{Array2, s};

use crate::error::Result;

/// Numbers that are read and written in parts at once.
const PART: usize = 1 << 17;

/// A table of numbers, of which some rows at a time are read.
pub trait Rows: Sync {
    /// (rows, columns).
    fn shape(&self) -> (usize, usize);

    /// Reads some rows, one after another.
    ///
    /// # Errors
    /// That of the disk that the rows are on.
    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<()>;

    /// Finds out, as far as that is not known yet, whether the rows are those that were written.
    ///
    /// # Errors
    /// That of the file that they are in.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Gives all rows to `take`, in parts of a megabyte.
    ///
    /// # Errors
    /// Those of [`read`](Self::read) and the first one of `take`, after which nothing more is read.
    fn in_parts(&self, take: &mut dyn FnMut(&[f64]) -> Result<()>) -> Result<()> {
        let (rows, columns) = self.shape();
        let each = (PART / columns.max(1)).max(1);
        let mut part = vec![0.0; each.min(rows) * columns];
        for first in (0..rows).step_by(each) {
            let last = rows.min(first + each);
            let part = &mut part[..(last - first) * columns];
            self.read(first..last, part)?;
            take(part)?;
        }
        Ok(())
    }
}

impl Rows for Array2<f64> {
    fn shape(&self) -> (usize, usize) {
        self.dim()
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<()> {
        let rows = self.slice(s![rows, ..]);
        match rows.as_slice() {
            Some(rows) => out.copy_from_slice(rows),
            None => out.iter_mut().zip(rows).for_each(|(out, &number)| *out = number),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_come_in_order_whatever_their_length() {
        for (rows, columns) in [(0, 3), (3, 0), (1, 1), (7, PART / 3), (2, PART + 1), (5, 2)] {
            let table =
                Array2::from_shape_fn((rows, columns), |(row, column)| (row * columns + column) as f64);
            let mut all = Vec::new();
            table
                .in_parts(&mut |part| {
                    all.extend_from_slice(part);
                    Ok(())
                })
                .unwrap();
            assert_eq!(all, table.iter().copied().collect::<Vec<_>>());
        }
    }
}
