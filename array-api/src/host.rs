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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any bits, NaN with a payload among them, in rows that begin at any address.
        #[test]
        fn columns_are_those_of_the_definition(
            (rows, length) in (0_usize..5, 1_usize..90),
            (from, to) in (0_usize..90, 0_usize..90),
            (before, skipped) in (0_usize..9, 0_usize..17),
            seed: u32,
        ) {
            let (from, to) = (from.min(to).min(length), from.max(to).min(length));
            let mut state = seed;
            let mut bytes = vec![0_u8; before + rows * length * 4];
            for byte in &mut bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
            let bytes = &bytes[before..];
            let columns = to - from;
            let mut out = vec![7.0_f32; skipped + rows * columns + 3];
            big_endian_columns(bytes, length, from..to, &mut out[skipped..skipped + rows * columns]).unwrap();
            let number = |place: usize| u32::from_be_bytes(*bytes[4 * place..].first_chunk().unwrap());
            for row in 0..rows {
                for column in 0..columns {
                    let found = out[skipped + row * columns + column].to_bits();
                    prop_assert_eq!(found, number(row * length + from + column));
                }
            }
            prop_assert!(out[..skipped].iter().chain(&out[out.len() - 3..]).all(|&number| number == 7.0));
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
