//! Products of large matrices.
//!
//! Parts of both factors are copied to where the processor reads them one number after another, and tiles of the result
//! are summed up in registers (Goto and van de Geijn 2008, ACM Transactions on Mathematical Software 34, 12). The bits of
//! a number of the result depend on its row of `a` and its column of `b` only.

use faer::prelude::ReborrowMut;
use faer::{MatMut, MatRef};
use pulp::Simd;
use rayon::prelude::*;

use super::{GRAIN, for_each, row_blocks};
use crate::cpu::CpuBuffer;
use crate::cpu::buffer::inside_tile;
use crate::cpu::vectors::{Kernel, LANES, dispatch, prefetch};
use crate::{Float, Result};

/// The least rows, columns and terms of a sum for which the copies are worth their time.
pub(super) const SMALLEST: usize = 32;

/// Terms of a sum that are added up in registers.
const DEPTH: usize = 256;

/// Rows of the result that a thread takes in one go: those of `a`, copied, stay in the second-level cache.
const ROWS: usize = 192;

/// Columns of the result that a thread takes in one go.
const COLUMNS: usize = 512;

/// Rows or columns of which copies exist at a time. A multiple of [`ROWS`].
const SLAB: usize = 3840;

/// A tile: rows, and columns in units of [`LANES`] numbers in double precision. Of 32 registers, 24 hold sums.
const LARGE_TILE: (usize, usize) = (12, 2);

/// Of 16 registers that are half as long, twelve hold sums.
const SMALL_TILE: (usize, usize) = (6, 1);

/// What becomes of what is in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// The product takes its place.
    Replace,
    /// The product is added.
    Add,
    /// The product is subtracted, from the lower triangle at least; the upper one may be changed or not.
    SubtractLower,
}

/// Asks for the tiles that suit this processor.
struct Ask<'a>(&'a mut (usize, usize));

impl Kernel for Ask<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, _: S) {
        *self.0 = if N == 1 { LARGE_TILE } else { SMALL_TILE };
    }
}

/// Rows and columns of a tile.
fn tile<T: Float>() -> (usize, usize) {
    let mut tile = SMALL_TILE;
    dispatch(Ask(&mut tile));
    (tile.0, tile.1 * LANES * size_of::<f64>() / size_of::<T>())
}

/// `out = a b`, or as `update` says. `out` has its rows contiguous, the factors rows or columns.
pub(super) fn multiply<T: Float>(
    mut out: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    update: Update,
) -> Result<()> {
    let (rows, columns, terms) = (a.nrows(), b.ncols(), a.ncols());
    let (tile_rows, tile_columns) = tile::<T>();
    let depth = DEPTH.min(terms);
    let mut left = CpuBuffer::<T>::unspecified(SLAB.min(rows).next_multiple_of(tile_rows) * depth)?;
    let mut right = CpuBuffer::<T>::unspecified(SLAB.min(columns).next_multiple_of(tile_columns) * depth)?;
    let lower = update == Update::SubtractLower;
    for column in (0..columns).step_by(SLAB) {
        let width = SLAB.min(columns - column);
        for term in (0..terms).step_by(DEPTH) {
            let depth = DEPTH.min(terms - term);
            // Later terms are added to the first ones.
            let replace = update == Update::Replace && term == 0;
            let part = b.submatrix(term, column, depth, width).transpose();
            let right = packed(part, tile_columns, T::ONE, &mut right);
            for row in (0..rows).step_by(SLAB) {
                let height = SLAB.min(rows - row);
                if lower && row + height <= column {
                    continue;
                }
                let sign = if lower { -T::ONE } else { T::ONE };
                let left = packed(a.submatrix(row, term, height, depth), tile_rows, sign, &mut left);
                let out = out.rb_mut().submatrix_mut(row, column, height, width);
                let work = height * width * depth;
                for_each(blocks(out), work, |_, (top, start, block)| {
                    let a = &left[top * depth..][..block.nrows().next_multiple_of(tile_rows) * depth];
                    let b = &right[start * depth..][..block.ncols().next_multiple_of(tile_columns) * depth];
                    let lead = (row + top) as isize - (column + start) as isize;
                    let lead = if lower { lead } else { isize::MAX };
                    let mut out = Vec::with_capacity(block.nrows());
                    out.extend(block.row_iter_mut().map(|row| {
                        let row = row.try_as_row_major_mut();
                        row.expect("contiguous rows").as_slice_mut()
                    }));
                    dispatch(Block { a, b, depth, out: &mut out, replace, lead });
                });
            }
        }
    }
    Ok(())
}

/// Cuts a matrix into blocks, each behind the numbers of its first row and column.
fn blocks<T: Float>(out: MatMut<'_, T>) -> Vec<(usize, usize, MatMut<'_, T>)> {
    let mut blocks = Vec::new();
    for (i, rows) in row_blocks(out, ROWS).into_iter().enumerate() {
        for (j, block) in row_blocks(rows.transpose_mut(), COLUMNS).into_iter().enumerate() {
            blocks.push((i * ROWS, j * COLUMNS, block.transpose_mut()));
        }
    }
    blocks
}

/// Copies the rows of `x`, times a number, in panels of `width` rows: the first column of the first panel, its second
/// one, and so on. The last panel is filled up with zeros.
fn packed<'a, T: Float>(x: MatRef<'_, T>, width: usize, times: T, to: &'a mut [T]) -> &'a [T] {
    let depth = x.ncols();
    let to = &mut to[..x.nrows().next_multiple_of(width) * depth];
    let panel = |(i, to): (usize, &mut [T])| {
        let first = i * width;
        let x = x.subrows(first, width.min(x.nrows() - first));
        match width {
            6 => pack::<T, 6>(x, times, to),
            8 => pack::<T, 8>(x, times, to),
            12 => pack::<T, 12>(x, times, to),
            16 => pack::<T, 16>(x, times, to),
            32 => pack::<T, 32>(x, times, to),
            _ => unreachable!("tiles of {width}"),
        }
    };
    if to.len() >= GRAIN / 16 && !inside_tile() {
        to.par_chunks_mut(width * depth).enumerate().for_each(panel);
    } else {
        to.chunks_mut(width * depth).enumerate().for_each(panel);
    }
    to
}

/// Copies at most `WIDTH` rows.
fn pack<T: Float, const WIDTH: usize>(x: MatRef<'_, T>, times: T, to: &mut [T]) {
    let (to, _) = to.as_chunks_mut::<WIDTH>();
    if x.col_stride() == 1 {
        let mut rows = [&[][..]; WIDTH];
        for (i, row) in rows.iter_mut().enumerate().take(x.nrows()) {
            *row = contiguous(x, i);
        }
        if x.nrows() == WIDTH {
            let rows = rows.map(|row| &row[..to.len()]);
            for (k, to) in to.iter_mut().enumerate() {
                for (to, row) in to.iter_mut().zip(rows) {
                    *to = times * row[k];
                }
            }
        } else {
            for (k, to) in to.iter_mut().enumerate() {
                for (to, row) in to.iter_mut().zip(rows) {
                    *to = row.get(k).map_or(T::ZERO, |&x| times * x);
                }
            }
        }
    } else {
        for (k, to) in to.iter_mut().enumerate() {
            let (column, rest) = to.split_at_mut(x.nrows());
            for (to, &x) in column.iter_mut().zip(contiguous(x.transpose(), k)) {
                *to = times * x;
            }
            rest.fill(T::ZERO);
        }
    }
}

/// A row whose numbers follow one another.
#[inline(always)]
fn contiguous<'a, T: Float>(x: MatRef<'a, T>, row: usize) -> &'a [T] {
    x.row(row).try_as_row_major().expect("contiguous rows").as_slice()
}

/// Tiles of the result, from copies of the rows of `a` and the columns of `b`.
struct Block<'a, 'b, T> {
    a: &'a [T],
    b: &'a [T],
    depth: usize,
    /// Its rows.
    out: &'a mut [&'b mut [T]],
    /// Whether the sums take the place of what is there, or are added.
    replace: bool,
    /// How many columns from the diagonal the first row begins: what is above the diagonal may be left out.
    lead: isize,
}

impl<T: Float> Kernel for Block<'_, '_, T> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        if N == 1 {
            self.tiles::<S, N, { LARGE_TILE.0 }, { LARGE_TILE.1 }>(simd);
        } else {
            self.tiles::<S, N, { SMALL_TILE.0 }, { SMALL_TILE.1 }>(simd);
        }
    }
}

impl<T: Float> Block<'_, '_, T> {
    #[inline(always)]
    fn tiles<S: Simd, const N: usize, const HEIGHT: usize, const GROUPS: usize>(self, simd: S) {
        let width = GROUPS * LANES * size_of::<f64>() / size_of::<T>();
        let Some(columns) = self.out.first().map(|row| row.len()) else { return };
        for (j, b) in self.b.chunks_exact(width * self.depth).enumerate() {
            let columns = j * width..columns.min((j + 1) * width);
            for (i, a) in self.a.chunks_exact(HEIGHT * self.depth).enumerate() {
                let rows = i * HEIGHT..self.out.len().min((i + 1) * HEIGHT);
                if self.lead.saturating_add(rows.end as isize) <= columns.start as isize {
                    continue;
                }
                let out = &mut self.out[rows];
                // They are written once the sums are there.
                for row in &*out {
                    prefetch(&row[columns.start]);
                    prefetch(&row[columns.end - 1]);
                }
                let sums = sums::<S, T, N, HEIGHT, GROUPS>(simd, a, b);
                for (row, sums) in out.iter_mut().zip(&sums) {
                    let row = &mut row[columns.clone()];
                    if row.len() == width {
                        for (to, &sum) in T::vectors_mut::<S>(row).iter_mut().zip(sums.as_flattened()) {
                            *to = if self.replace { sum } else { T::sum(simd, *to, sum) };
                        }
                    } else {
                        // As many as the widest tile has.
                        let mut whole = [T::ZERO; 32];
                        for (to, &sum) in T::vectors_mut::<S>(&mut whole).iter_mut().zip(sums.as_flattened())
                        {
                            *to = sum;
                        }
                        for (to, &sum) in row.iter_mut().zip(&whole) {
                            *to = if self.replace { sum } else { *to + sum };
                        }
                    }
                }
            }
        }
    }
}

/// The sums of a tile.
#[inline(always)]
fn sums<S: Simd, T: Float, const N: usize, const HEIGHT: usize, const GROUPS: usize>(
    simd: S,
    a: &[T],
    b: &[T],
) -> [[[T::Vector<S>; N]; GROUPS]; HEIGHT] {
    let (a, _) = a.as_chunks::<HEIGHT>();
    let (b, _) = T::vectors::<S>(b).as_chunks::<N>();
    let (b, _) = b.as_chunks::<GROUPS>();
    let mut sums = [[[T::splat(simd, T::ZERO); N]; GROUPS]; HEIGHT];
    for (a, b) in a.iter().zip(b) {
        for row in 0..HEIGHT {
            let a = T::splat(simd, a[row]);
            for group in 0..GROUPS {
                for n in 0..N {
                    sums[row][group][n] = T::multiply_add(simd, a, b[group][n], sums[row][group][n]);
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between -1 and 1; of 3,000, one is infinite and one is not a number.
    fn number<T: Float>(seed: usize) -> T {
        let bits = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match (bits >> 20) % 3000 {
            0 => T::from_f64(f64::NAN),
            1 => T::from_f64(f64::INFINITY),
            _ => T::from_f64((bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0),
        }
    }

    /// A matrix within a larger one, by rows or by columns.
    fn matrix<T: Float>(data: &[T], rows: usize, columns: usize, by_rows: bool) -> MatRef<'_, T> {
        let (lines, length) = if by_rows { (rows, columns) } else { (columns, rows) };
        let x = MatRef::from_column_major_slice_with_stride(data, length, lines, length + 3);
        if by_rows { x.transpose() } else { x }
    }

    fn data<T: Float>(rows: usize, columns: usize, seed: usize) -> Vec<T> {
        (0..(rows + 3) * (columns + 3)).map(|i| number(i + seed)).collect()
    }

    fn products_of<T: Float>(epsilon: f64) {
        let shapes = [
            (1, 1, 1),
            (6, 8, 3),
            (12, 16, DEPTH),
            (5, 7, DEPTH + 1),
            (13, 33, 2 * DEPTH + 5),
            (ROWS + 1, COLUMNS + 9, 40),
            (97, 101, 103),
            (SLAB + 7, 35, 33),
            (34, SLAB + 9, 33),
        ];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for (case, (rows, columns, terms)) in shapes.into_iter().enumerate() {
            let (a, b) = (data::<T>(rows, terms, 0), data::<T>(terms, columns, 1_000_003));
            let (a_by_rows, b_by_rows) = (case % 2 == 0, case % 4 < 2);
            let (a, b) = (matrix(&a, rows, terms, a_by_rows), matrix(&b, terms, columns, b_by_rows));
            let before: Vec<T> = (0..rows * columns).map(|i| number(i + 77)).collect();
            for update in [Update::Replace, Update::Add, Update::SubtractLower] {
                let [mut out, mut others] = [before.clone(), before.clone()];
                multiply(super::super::matrix_mut(&mut out, rows, columns), a, b, update).unwrap();
                pool.install(|| {
                    multiply(super::super::matrix_mut(&mut others, rows, columns), a, b, update).unwrap();
                });
                for (i, before) in before.iter().enumerate() {
                    let (row, column) = (i / columns, i % columns);
                    if update == Update::SubtractLower && column > row {
                        continue;
                    }
                    assert!(
                        out[i] == others[i] || out[i].is_nan_value() && others[i].is_nan_value(),
                        "the bits depend on the threads"
                    );
                    let term = |k| Float::to_f64(a[(row, k)]) * Float::to_f64(b[(k, column)]);
                    let (sum, size) = (0..terms)
                        .map(|k| (term(k), term(k).abs()))
                        .fold((0.0, 0.0), |sums, (term, size)| (sums.0 + term, sums.1 + size));
                    let before = Float::to_f64(*before);
                    let (expected, size) = match update {
                        Update::Replace => (sum, size),
                        Update::Add => (before + sum, before.abs() + size),
                        Update::SubtractLower => (before - sum, before.abs() + size),
                    };
                    let found = Float::to_f64(out[i]);
                    if expected.is_finite() {
                        // Each of at most `terms + 1` additions rounds by half a unit of what is added up.
                        let error = (found - expected).abs();
                        let most = (terms + 2) as f64 * epsilon * size;
                        assert!(error <= most, "{rows} x {terms} x {columns}, {update:?}: off by {error}");
                    } else {
                        let same = found == expected || found.is_nan() && expected.is_nan();
                        assert!(same, "{found} for {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn products_are_those_of_the_definition() {
        products_of::<f64>(f64::EPSILON);
        products_of::<f32>(f64::from(f32::EPSILON));
    }

    #[test]
    fn a_number_depends_on_its_row_and_column_only() {
        let (rows, columns, terms) = (50, 70, 300);
        let (a, b) = (data::<f64>(rows, terms, 3), data::<f64>(terms, columns, 4));
        let (a, b) = (matrix(&a, rows, terms, true), matrix(&b, terms, columns, true));
        let mut whole = vec![0.0; rows * columns];
        multiply(super::super::matrix_mut(&mut whole, rows, columns), a, b, Update::Replace).unwrap();
        let (first, last, top, bottom) = (3, 44, 5, 27);
        let mut part = vec![0.0; (bottom - top) * (last - first)];
        let (a, b) = (a.subrows(top, bottom - top), b.subcols(first, last - first));
        multiply(super::super::matrix_mut(&mut part, bottom - top, last - first), a, b, Update::Replace)
            .unwrap();
        for (row, part) in part.chunks(last - first).enumerate() {
            for (column, part) in part.iter().enumerate() {
                let whole = whole[(top + row) * columns + first + column];
                assert_eq!(part.to_bits(), whole.to_bits());
            }
        }
    }
}
