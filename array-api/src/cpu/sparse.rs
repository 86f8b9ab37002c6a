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

impl Sparse for Cpu {
    fn csr_matmul<T: Float>(&self, a: CsrView<'_, T, Self>, x: View<'_, T, Self>) -> Result<CpuBuffer<T>> {
        let (batch, n) = (x.layout.shape()[0], x.layout.shape()[2]);
        let rows = a.rows.len();
        let x = contiguous(x);
        let mut out = CpuBuffer::zeros(batch * rows * n)?;
        if n == 0 || rows == 0 {
            return Ok(out);
        }
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
        if row_stride == 1 && stride != 1 {
            // The vectors to multiply lie in rows of their own (`y a` written as `a^T y^T`): one
            // at a time, each result in cache.
            let mut vector = CpuBuffer::<T>::unspecified(columns)?;
            for (entry, out) in out.chunks_mut(columns * n).enumerate() {
                let start = x.layout.offset() as isize + entry as isize * x.layout.strides()[0];
                for j in 0..n {
                    let first = (start + j as isize * stride) as usize;
                    vector.fill(T::ZERO);
                    for (r, &value) in x.buffer[first..first + rows].iter().enumerate() {
                        let (indices, values) = row(&a, r);
                        for (&column, &entry) in indices.iter().zip(values) {
                            let sum = &mut vector[column as usize];
                            *sum += entry * value;
                        }
                    }
                    for (column, &value) in vector.iter().enumerate() {
                        out[column * n + j] = value;
                    }
                }
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
            let (from_a, from_b) = (first_row(&a, i), first_row(&b, i));
            for (r, &weight) in w[i * m..(i + 1) * m].iter().enumerate() {
                let (rows, values) = row(&a, from_a + r);
                let (columns, others) = row(&b, from_b + r);
                for (&p, &x) in rows.iter().zip(values) {
                    let scaled = weight * x;
                    let target = &mut out[p as usize * b.columns..][..b.columns];
                    for (&q, &y) in columns.iter().zip(others) {
                        target[q as usize] += scaled * y;
                    }
                }
            }
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
