//! Products of CSR matrices.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::vectors::dispatch_streaming;
use super::{Cpu, CpuBuffer, contiguous, parallel};
use crate::backend::{CsrView, Sparse, View};
use crate::{Float, Result};

/// The entries of a row: columns and values.
#[inline(always)]
fn row<'a, T: Float>(a: &CsrView<'a, T, Cpu>, row: usize) -> (&'a [i32], &'a [T]) {
    let at = a.rows.start + row;
    let range = a.indptr[at] as usize..a.indptr[at + 1] as usize;
    (&a.indices[range.clone()], &a.data[range])
}

/// Rows that a thread takes at a time where each is little work.
const ROWS: usize = 64;

/// Elements of a product that a thread makes at a time.
const ELEMENTS: usize = 4096;

/// Most columns of a factor that are summed up in registers.
const NARROW: usize = 31;

/// The number of entries of a matrix.
fn entries<T: Float>(a: &CsrView<'_, T, Cpu>) -> usize {
    (a.indptr[a.rows.end] - a.indptr[a.rows.start]) as usize
}

/// `y += a x`.
#[inline(always)]
fn add_scaled<T: Float>(y: &mut [T], a: T, x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Adds some rows of `a x` to `out`, counted from the `first` one through all matrices `x`, which have `n` columns.
struct Rows<'a, T: Float> {
    a: &'a CsrView<'a, T, Cpu>,
    x: &'a [T],
    n: usize,
    first: usize,
    out: &'a mut [T],
}

impl<T: Float> WithSimd for Rows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { a, x, n, first, out } = self;
        let rows = a.rows.len();
        for (i, mut out) in (first..).zip(out.chunks_exact_mut(n)) {
            let entries = row(a, i % rows);
            let mut x = &x[i / rows * a.columns * n..][..a.columns * n];
            if n > NARROW {
                for (&column, &value) in entries.0.iter().zip(entries.1) {
                    add_scaled(out, value, &x[column as usize * n..][..n]);
                }
                continue;
            }
            loop {
                let done = match out.len() {
                    0 => break,
                    1 => add_columns::<T, 1>(entries, x, n, out),
                    2..4 => add_columns::<T, 2>(entries, x, n, out),
                    4..8 => add_columns::<T, 4>(entries, x, n, out),
                    8..16 => add_columns::<T, 8>(entries, x, n, out),
                    _ => add_columns::<T, 16>(entries, x, n, out),
                };
                out = &mut out[done..];
                x = x.get(done..).unwrap_or_default();
            }
        }
    }
}

/// Adds a row times the first `COLUMNS` columns of `x`, whose rows are `n` numbers apart, and returns how many these are.
#[inline(always)]
fn add_columns<T: Float, const COLUMNS: usize>(
    (indices, values): (&[i32], &[T]),
    x: &[T],
    n: usize,
    out: &mut [T],
) -> usize {
    let Some(out) = out.first_chunk_mut::<COLUMNS>() else { unreachable!("there are as many columns") };
    let mut sums = *out;
    for (&column, &value) in indices.iter().zip(values) {
        let Some(x) = x[column as usize * n..].first_chunk::<COLUMNS>() else {
            unreachable!("there are as many columns")
        };
        for (sum, &x) in sums.iter_mut().zip(x) {
            *sum += value * x;
        }
    }
    *out = sums;
    COLUMNS
}

/// Products of a matrix with vectors of which each lies in a row of its own, `stride` numbers apart: columns of `out`, one
/// for each vector.
fn times_vectors<T: Float>(a: &CsrView<'_, T, Cpu>, (x, stride): (&[T], usize), n: usize, out: &mut [T]) {
    for column in 0..n {
        let x = &x[column * stride..][..a.columns];
        for (r, out) in out.chunks_exact_mut(n).enumerate() {
            let (indices, values) = row(a, r);
            let entries = indices.iter().zip(values);
            out[column] = entries.fold(T::ZERO, |sum, (&index, &value)| sum + value * x[index as usize]);
        }
    }
}

/// Adds `a^T x` to `out` for each matrix `x`, which have `n` columns.
struct Transposed<'a, T: Float> {
    a: &'a CsrView<'a, T, Cpu>,
    x: &'a [T],
    n: usize,
    out: &'a mut [T],
}

impl<T: Float> WithSimd for Transposed<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { a, x, n, out } = self;
        let matrices = x.chunks_exact(a.rows.len() * n).zip(out.chunks_exact_mut(a.columns * n));
        for (x, out) in matrices {
            for (r, x) in x.chunks_exact(n).enumerate() {
                let (indices, values) = row(a, r);
                for (&column, &value) in indices.iter().zip(values) {
                    add_scaled(&mut out[column as usize * n..][..n], value, x);
                }
            }
        }
    }
}

/// Vectors that are multiplied together where each lies in a row of its own.
const TOGETHER: usize = 8;

/// Products of a transposed matrix with vectors of which each lies in a row of its own, `stride` numbers apart: columns of
/// `out` that are `n` apart.
struct TransposedRows<'a, T: Float> {
    a: &'a CsrView<'a, T, Cpu>,
    x: &'a [T],
    stride: usize,
    n: usize,
    out: &'a mut [T],
}

impl<T: Float> WithSimd for TransposedRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { a, x, stride, n, out } = self;
        let mut sums = vec![[T::ZERO; TOGETHER]; a.columns];
        for first in (0..n).step_by(TOGETHER) {
            let count = TOGETHER.min(n - first);
            // The last vector stands in for those that are not there.
            let vectors: [&[T]; TOGETHER] =
                std::array::from_fn(|j| &x[(first + j.min(count - 1)) * stride..][..a.rows.len()]);
            sums.fill([T::ZERO; TOGETHER]);
            for r in 0..a.rows.len() {
                let mut numbers = [T::ZERO; TOGETHER];
                for (number, vector) in numbers.iter_mut().zip(vectors) {
                    *number = vector[r];
                }
                let (indices, values) = row(a, r);
                for (&column, &value) in indices.iter().zip(values) {
                    for (sum, number) in sums[column as usize].iter_mut().zip(numbers) {
                        *sum += value * number;
                    }
                }
            }
            for (sums, out) in sums.iter().zip(out.chunks_exact_mut(n)) {
                out[first..first + count].copy_from_slice(&sums[..count]);
            }
        }
    }
}

/// Entries that a row of either matrix may have for its products to be summed up in registers.
const FEW: usize = 4;

/// Adds `a^T diag(w) b` to `out`, row-major, over rows of `a` and `b` from the `first` on.
///
/// Where rows are points of an image, neighbouring ones mostly have entries in the same columns. Sums over these stay in
/// registers.
struct CrossGram<'a, T: Float> {
    a: &'a CsrView<'a, T, Cpu>,
    b: &'a CsrView<'a, T, Cpu>,
    first: [usize; 2],
    weights: &'a [T],
    out: &'a mut [T],
}

impl<T: Float> WithSimd for CrossGram<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { a, b, first, weights, out } = self;
        let n = b.columns;
        let mut ends = [0; 2];
        let mut r = 0;
        while r < weights.len() {
            for ((end, matrix), first) in ends.iter_mut().zip([a, b]).zip(first) {
                if *end == r {
                    *end += alike(matrix, first + r, weights.len() - r);
                }
            }
            let mut end = ends[0].min(ends[1]);
            let (rows, x) = row(a, first[0] + r);
            let (columns, y) = row(b, first[1] + r);
            if rows.is_empty() || columns.is_empty() {
                r = end;
                continue;
            }
            let (behind_x, behind_y) = (behind(a, first[0] + r), behind(b, first[1] + r));
            // All of them, but those that have not enough numbers behind them.
            let room = |numbers: &[T], each: usize| (numbers.len() + each).saturating_sub(FEW) / each;
            let room = room(behind_x, rows.len()).min(room(behind_y, columns.len()));
            end = end.min(r + room);
            if rows.len() > FEW || columns.len() > FEW || end == r {
                for (&p, &x) in rows.iter().zip(x) {
                    let scaled = weights[r] * x;
                    let target = &mut out[p as usize * n..][..n];
                    for (&q, &y) in columns.iter().zip(y) {
                        target[q as usize] += scaled * y;
                    }
                }
                r += 1;
                continue;
            }
            let sums = products(&weights[r..end], (behind_x, rows.len()), (behind_y, columns.len()));
            for (sums, &p) in sums.iter().zip(rows) {
                let target = &mut out[p as usize * n..][..n];
                for (&sum, &q) in sums.iter().zip(columns) {
                    target[q as usize] += sum;
                }
            }
            r = end;
        }
    }
}

/// All values from those of a row on.
#[inline(always)]
fn behind<'a, T: Float>(a: &CsrView<'a, T, Cpu>, row: usize) -> &'a [T] {
    &a.data[a.indptr[a.rows.start + row] as usize..]
}

/// How many rows, at most so many, have entries in the same columns as the first of them.
#[inline(always)]
fn alike<T: Float>(a: &CsrView<'_, T, Cpu>, first: usize, most: usize) -> usize {
    #[inline(always)]
    fn of<const N: usize>(indptr: &[i32], indices: &[i32]) -> usize {
        let start = indptr[0] as usize;
        let entries = indices[start..].as_chunks::<N>().0;
        let mut rows = 1;
        while rows < indptr.len() - 1
            && indptr[rows + 1] as usize == start + (rows + 1) * N
            && entries[rows] == entries[0]
        {
            rows += 1;
        }
        rows
    }
    let indptr = &a.indptr[a.rows.start + first..][..most + 1];
    match indptr[1] - indptr[0] {
        0 => indptr.windows(2).take_while(|ends| ends[0] == ends[1]).count(),
        1 => of::<1>(indptr, a.indices),
        2 => of::<2>(indptr, a.indices),
        3 => of::<3>(indptr, a.indices),
        4 => of::<4>(indptr, a.indices),
        _ => 1,
    }
}

/// The sums of `w x_i y_j` over rows that have `x.1` and `y.1` entries each, one row after another; what is in other places means
/// nothing.
#[inline(always)]
fn products<T: Float>(weights: &[T], x: (&[T], usize), y: (&[T], usize)) -> [[T; FEW]; FEW] {
    let mut sums = [[T::ZERO; FEW]; FEW];
    for (r, &weight) in weights.iter().enumerate() {
        let chunks = (x.0[r * x.1..].first_chunk::<FEW>(), y.0[r * y.1..].first_chunk::<FEW>());
        let (Some(x), Some(y)) = chunks else { unreachable!("so many numbers are there") };
        let mut weighted = [T::ZERO; FEW];
        for (weighted, &y) in weighted.iter_mut().zip(y) {
            *weighted = weight * y;
        }
        for (sums, &x) in sums.iter_mut().zip(x) {
            for (sum, y) in sums.iter_mut().zip(weighted) {
                *sum += x * y;
            }
        }
    }
    sums
}

impl Sparse for Cpu {
    fn csr_matmul<T: Float>(&self, a: CsrView<'_, T, Self>, x: View<'_, T, Self>) -> Result<CpuBuffer<T>> {
        let (batch, n) = (x.layout.shape()[0], x.layout.shape()[2]);
        let rows = a.rows.len();
        let mut out = CpuBuffer::zeros(batch * rows * n)?;
        if n == 0 || rows == 0 {
            return Ok(out);
        }
        let [_, row_stride, stride] = [x.layout.strides()[0], x.layout.strides()[1], x.layout.strides()[2]];
        if row_stride == 1 && stride > 1 && entries(&a) < a.columns {
            // `y a^T` written as `a y^T`, with few of the numbers in `y`: these alone are read.
            for (entry, out) in out.chunks_mut(rows * n).enumerate() {
                let start = x.layout.offset() as isize + entry as isize * x.layout.strides()[0];
                let x = &x.buffer[start as usize..];
                times_vectors(&a, (x, stride as usize), n, out);
            }
            return Ok(out);
        }
        let x = contiguous(x);
        let work = |first: usize, out: &mut [T]| {
            dispatch_streaming(Rows { a: &a, x: &x, n, first, out });
        };
        if parallel(out.len().max(batch * entries(&a) * n)) {
            let rows = (ELEMENTS / n).clamp(1, ROWS);
            out.par_chunks_mut(rows * n).enumerate().for_each(|(i, out)| work(i * rows, out));
        } else {
            work(0, &mut out);
        }
        Ok(out)
    }

    fn csr_matmul_transposed<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        x: View<'_, T, Self>,
    ) -> Result<CpuBuffer<T>> {
        let (batch, columns, n) = (x.layout.shape()[0], a.columns, x.layout.shape()[2]);
        let rows = a.rows.len();
        let mut out = CpuBuffer::zeros(batch * columns * n)?;
        if out.is_empty() || rows == 0 {
            return Ok(out);
        }
        let [_, row_stride, stride] = [x.layout.strides()[0], x.layout.strides()[1], x.layout.strides()[2]];
        if row_stride == 1 && stride > 1 {
            // The vectors to multiply lie in rows of their own (`y a` written as `a^T y^T`): results in cache.
            for (entry, out) in out.chunks_mut(columns * n).enumerate() {
                let start = x.layout.offset() as isize + entry as isize * x.layout.strides()[0];
                let x = &x.buffer[start as usize..];
                dispatch_streaming(TransposedRows { a: &a, x, stride: stride as usize, n, out });
            }
            return Ok(out);
        }
        let x = contiguous(x);
        dispatch_streaming(Transposed { a: &a, x: &x, n, out: &mut out });
        Ok(out)
    }

    fn csr_weighted_gram_add<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        w: View<'_, T, Self>,
        b: CsrView<'_, T, Self>,
        out: &mut CpuBuffer<T>,
        start: usize,
    ) -> Result<()> {
        let (batch, m) = (w.layout.shape()[0], w.layout.shape()[1]);
        let size = a.columns * b.columns;
        let w = contiguous(w);
        let out = &mut out[start..start + batch * size];
        if out.is_empty() || m == 0 {
            return Ok(());
        }
        let first_row =
            |matrix: &CsrView<'_, T, Self>, i: usize| if matrix.rows.len() == m { 0 } else { i * m };
        let work = |i: usize, out: &mut [T]| {
            let first = [first_row(&a, i), first_row(&b, i)];
            dispatch_streaming(CrossGram { a: &a, b: &b, first, weights: &w[i * m..(i + 1) * m], out });
        };
        if parallel(batch * m) && batch > 1 {
            out.par_chunks_mut(size).enumerate().for_each(|(i, out)| work(i, out));
        } else {
            out.chunks_mut(size).enumerate().for_each(|(i, out)| work(i, out));
        }
        Ok(())
    }

    fn csr_bilinear<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        m: View<'_, T, Self>,
        b: CsrView<'_, T, Self>,
    ) -> Result<CpuBuffer<T>> {
        let mut out = CpuBuffer::unspecified(a.rows.len())?;
        let (down, across) = (m.layout.strides()[0], m.layout.strides()[1]);
        let work = |r: usize, out: &mut T| {
            let (rows, values) = row(&a, r);
            let (columns, others) = row(&b, r);
            let mut sum = 0.0;
            for (&p, &x) in rows.iter().zip(values) {
                let start = m.layout.offset() as isize + p as isize * down;
                let line = columns
                    .iter()
                    .zip(others)
                    .map(|(&q, &y)| m.buffer[(start + q as isize * across) as usize].to_f64() * y.to_f64());
                sum += x.to_f64() * line.fold(0.0, |sum, product| sum + product);
            }
            *out = T::from_f64(sum);
        };
        // As many products as there are if all rows have equally many entries.
        let products = entries(&a).saturating_mul(entries(&b)) / out.len().max(1);
        if parallel(products) {
            out.par_iter_mut().with_min_len(ROWS).enumerate().for_each(|(r, out)| work(r, out));
        } else {
            out.iter_mut().enumerate().for_each(|(r, out)| work(r, out));
        }
        Ok(out)
    }
}
