//! Memory of the host, where what comes from files is on its way to an array.
//!
//! [`Array::from_vec`](crate::Array::from_vec) takes a vector over, and
//! [`Array::reclaim`](crate::Array::reclaim) gives it back, so that files are read into the same memory again and again.

use std::ops::Range;

use crate::cpu::{CpuBuffer, swap};
use crate::{Element, Error, Result};

/// So many zeros: in huge pages, if there are many and the system has plenty.
///
/// ```
/// use array_api::host;
///
/// assert_eq!(host::zeros::<f32>(3)?, [0.0; 3]);
/// assert!(host::zeros::<f32>(1 << 60).is_err());
/// # Ok::<(), array_api::Error>(())
/// ```
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn zeros<T: Element>(len: usize) -> Result<Vec<T>> {
    CpuBuffer::zeros(len).map(CpuBuffer::into_vec)
}

/// Takes some columns out of rows of big-endian numbers in single precision, as FITS images (`BITPIX` -32) and NumPy's
/// `'>f4'` have them: `bytes` are those of whole rows of `length` numbers, and `out`, of as many rows, has the columns
/// asked for.
///
/// On x86-64 with AVX2 they are written past the cache, since an image that is larger would not stay there: main memory
/// has a third less to do.
///
/// ```
/// use array_api::host;
///
/// let bytes: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_be_bytes()).collect();
/// let mut out = [0.0; 4];
/// host::big_endian_columns(&bytes, 3, 1..3, &mut out)?;
/// assert_eq!(out, [1.0, 2.0, 4.0, 5.0]);
/// # Ok::<(), array_api::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] if there are no such columns, or `out` has another number of rows than `bytes`.
pub fn big_endian_columns(bytes: &[u8], length: usize, columns: Range<usize>, out: &mut [f32]) -> Result<()> {
    const SIZE: usize = size_of::<f32>();
    let fits = columns.start <= columns.end && columns.end <= length && bytes.len().is_multiple_of(SIZE);
    let rows = (bytes.len() / SIZE).checked_div(length).unwrap_or(0);
    if !fits || rows * length * SIZE != bytes.len() || rows * columns.len() != out.len() {
        return Err(Error::InvalidArgument {
            operation: "big_endian_columns",
            reason: format!(
                "columns {} to {} of rows of {length} numbers, {} bytes of which are there, for {} numbers",
                columns.start,
                columns.end,
                bytes.len(),
                out.len()
            ),
        });
    }
    if out.is_empty() {
        return Ok(());
    }
    let rows = bytes.chunks_exact(length * SIZE).map(|row| &row[columns.start * SIZE..columns.end * SIZE]);
    swap::big_endian(rows.zip(out.chunks_exact_mut(columns.len())));
    Ok(())
}

/// Turns big-endian numbers, which were read as bytes into the memory of numbers, into those of this machine where they are.
///
/// ```
/// use array_api::host;
///
/// let mut numbers = [1.0_f32, -2.5].map(|number| f32::from_bits(number.to_bits().to_be()));
/// host::big_endian_in_place(&mut numbers);
/// assert_eq!(numbers, [1.0, -2.5]);
/// ```
pub fn big_endian_in_place<T: Element>(numbers: &mut [T]) {
    swap::in_place(numbers);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers below a bound, one after another, from a linear congruential generator.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % end
        }
    }

    /// Any bits, NaN with a payload among them, in rows that begin at any address.
    #[test]
    fn columns_are_those_of_the_definition() {
        let mut random = Random(1);
        for _ in 0..2000 {
            let (rows, length) = (random.below(5), 1 + random.below(90));
            let (a, b) = (random.below(length + 1), random.below(length + 1));
            let (from, to) = (a.min(b), a.max(b));
            let (before, skipped, count) = (random.below(9), random.below(17), rows * (to - from));
            let bytes: Vec<u8> = (0..before + rows * length * 4).map(|_| random.below(256) as u8).collect();
            let bytes = &bytes[before..];
            let mut out = vec![7.0_f32; skipped + count + 3];
            big_endian_columns(bytes, length, from..to, &mut out[skipped..skipped + count]).unwrap();
            for row in 0..rows {
                for column in from..to {
                    let number = *bytes[4 * (row * length + column)..].first_chunk().unwrap();
                    let found = out[skipped + row * (to - from) + column - from].to_bits();
                    assert_eq!(
                        found,
                        u32::from_be_bytes(number),
                        "row {row} of {rows}, column {column} of {from}..{to}"
                    );
                }
            }
            assert!(out[..skipped].iter().chain(&out[skipped + count..]).all(|&number| number == 7.0));
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let bytes = [0_u8; 24];
        for (length, columns, count) in [(3, 1..4, 6), (3, 1..3, 3), (4, 0..1, 1), (0, 0..0, 0), (5, 0..1, 1)]
        {
            let found = big_endian_columns(&bytes, length, columns, &mut vec![0.0; count]);
            assert!(matches!(found, Err(Error::InvalidArgument { .. })), "{length} {count}");
        }
        assert!(big_endian_columns(&bytes[..23], 1, 0..1, &mut [0.0; 5]).is_err());
        big_endian_columns(&bytes, 3, 2..2, &mut []).unwrap();
        big_endian_columns(&[], 3, 0..2, &mut []).unwrap();
        big_endian_columns(&[], 0, 0..0, &mut []).unwrap();
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        assert!(
            matches!(zeros::<f64>(1 << 59), Err(Error::OutOfMemory { requested, .. }) if requested == 1 << 62)
        );
        assert!(zeros::<f32>(usize::MAX).is_err());
        let large = zeros::<f32>(9 << 20).unwrap();
        assert!(large.len() == 9 << 20 && large.iter().all(|&number| number == 0.0));
    }
}
