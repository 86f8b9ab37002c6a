//! Reductions and scans.
//!
//! A sum over many elements is cut into blocks whose partial results are combined pairwise, so
//! that rounding errors grow with the logarithm of their number. The blocks depend on the shape
//! alone, never on the threads.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{Cpu, CpuBuffer, contiguous, copied, parallel};
use crate::backend::{Statistical, View};
use crate::layout::Layout;
use crate::ops::{Binary, Reduction};
use crate::{Element, Float, Result};

/// Elements reduced in one go before partial results are combined.
const BLOCK: usize = 1024;

/// Partial results kept side by side within a block: enough for two vector registers of f64. The compiler makes no
/// vectors of twice as many.
const LANES: usize = 16;

/// Rows accumulated one after another before partial results are combined.
const ROWS: usize = 256;

struct BlockKernel<'a, T, R> {
    x: &'a [T],
    reduction: std::marker::PhantomData<R>,
}

impl<T: Element, R: Reduction<T>> WithSimd for BlockKernel<'_, T, R> {
    type Output = R::Accumulator;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> R::Accumulator {
        let mut lanes = [R::IDENTITY; LANES];
        let mut chunks = self.x.chunks_exact(LANES);
        for chunk in &mut chunks {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                *lane = R::combine(*lane, R::load(x));
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
            *lane = R::combine(*lane, R::load(x));
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] = R::combine(lanes[i], lanes[i + width]);
            }
            width /= 2;
        }
        lanes[0]
    }
}

/// Reduces contiguous elements, pairwise over blocks.
fn reduce_slice<T: Element, R: Reduction<T>>(x: &[T]) -> R::Accumulator {
    if x.len() <= BLOCK {
        return Arch::new().dispatch(BlockKernel { x, reduction: std::marker::PhantomData::<R> });
    }
    let half = (x.len() / 2).next_multiple_of(BLOCK);
    let (low, high) = x.split_at(half);
    let (a, b) = if parallel(x.len()) {
        rayon::join(|| reduce_slice::<T, R>(low), || reduce_slice::<T, R>(high))
    } else {
        (reduce_slice::<T, R>(low), reduce_slice::<T, R>(high))
    };
    R::combine(a, b)
}

/// Rows that are accumulated in one pass over the accumulators.
const TOGETHER: usize = 8;

struct RowsKernel<'a, T: Element, R: Reduction<T>, const N: usize> {
    accumulators: &'a mut [R::Accumulator],
    rows: [&'a [T]; N],
}

impl<T: Element, R: Reduction<T>, const N: usize> WithSimd for RowsKernel<'_, T, R, N> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let count = self.accumulators.len();
        let mut rows = self.rows;
        for row in &mut rows {
            *row = &row[..count];
        }
        for (i, accumulator) in self.accumulators.iter_mut().enumerate() {
            let mut sum = *accumulator;
            for row in &rows {
                sum = R::combine(sum, R::load(row[i]));
            }
            *accumulator = sum;
        }
    }
}

/// Reduces over rows that lie across: `out[j]` of the rows beginning at `starts`, each
/// `out.len()` contiguous elements.
fn reduce_rows<T: Element, R: Reduction<T>>(data: &[T], starts: &[usize], out: &mut [R::Out]) {
    let arch = Arch::new();
    let mut total = vec![R::IDENTITY; out.len()];
    let mut part = vec![R::IDENTITY; out.len()];
    for group in starts.chunks(ROWS) {
        part.fill(R::IDENTITY);
        let row = |start: usize| &data[start..start + out.len()];
        let (many, few) = group.as_chunks::<TOGETHER>();
        for starts in many {
            let rows = starts.map(row);
            arch.dispatch(RowsKernel::<T, R, TOGETHER> { accumulators: &mut part, rows });
        }
        for &start in few {
            arch.dispatch(RowsKernel::<T, R, 1> { accumulators: &mut part, rows: [row(start)] });
        }
        for (total, &part) in total.iter_mut().zip(&part) {
            *total = R::combine(*total, part);
        }
    }
    for (out, total) in out.iter_mut().zip(total) {
        *out = R::finish(total, starts.len());
    }
}

impl Statistical for Cpu {
    fn reduce<T: Element, R: Reduction<T>>(
        &self,
        x: View<'_, T, Self>,
        axes: usize,
    ) -> Result<CpuBuffer<R::Out>> {
        let shape = x.layout.shape();
        let kept: usize = shape[..shape.len() - axes].iter().product();
        let count: usize = shape[shape.len() - axes..].iter().product();
        let mut out = CpuBuffer::unspecified(kept)?;
        if count == 0 {
            out.fill(R::finish(R::IDENTITY, 0));
            return Ok(out);
        }
        if kept == 0 {
            return Ok(out);
        }
        let (leading, trailing) = x.layout.split(axes);
        let ([outer], [reduced]) = (Layout::collapse([&leading]), Layout::collapse([&trailing]));
        let across = outer.strides().last() == Some(&1) && reduced.strides().last() != Some(&1);
        let width = outer.shape().last().copied().unwrap_or(1);
        if across && width > 1 {
            // Every row of kept elements is contiguous: go through it once for each reduced index.
            let base = reduced.offset();
            let steps: Vec<usize> = positions(&reduced).map(|at| at.wrapping_sub(base)).collect();
            let rows: Vec<usize> = outer.row_offsets().collect();
            let work = |row: usize, column: usize, out: &mut [R::Out]| {
                let first = rows[row] + column;
                let starts: Vec<usize> = steps.iter().map(|step| first.wrapping_add(*step)).collect();
                reduce_rows::<T, R>(x.buffer, &starts, out);
            };
            if parallel(kept * count) {
                out.par_chunks_mut(width).enumerate().for_each(|(row, out)| {
                    out.par_chunks_mut(BLOCK).enumerate().for_each(|(i, out)| work(row, i * BLOCK, out));
                });
            } else {
                out.chunks_mut(width).enumerate().for_each(|(row, out)| work(row, 0, out));
            }
            return Ok(out);
        }
        let data = contiguous(x);
        let finish = |i: usize, out: &mut R::Out| {
            *out = R::finish(reduce_slice::<T, R>(&data[i * count..(i + 1) * count]), count);
        };
        if parallel(kept * count) && kept > 1 {
            out.par_iter_mut().enumerate().for_each(|(i, out)| finish(i, out));
        } else {
            out.iter_mut().enumerate().for_each(|(i, out)| finish(i, out));
        }
        Ok(out)
    }

    fn scan<T: Element, O: Binary<T, Out = T>>(&self, op: &O, x: View<'_, T, Self>) -> Result<CpuBuffer<T>> {
        let length = x.layout.shape().last().copied().unwrap_or(1).max(1);
        let mut data = copied(x)?;
        let run = |row: &mut [T]| {
            for i in 1..row.len() {
                row[i] = op.apply(row[i - 1], row[i]);
            }
        };
        if parallel(data.len()) {
            data.par_chunks_mut(length).for_each(run);
        } else {
            data.chunks_mut(length).for_each(run);
        }
        Ok(data)
    }

    fn median<T: Float>(&self, x: View<'_, T, Self>) -> Result<CpuBuffer<T>> {
        let length = x.layout.shape().last().copied().unwrap_or(1);
        let rows: usize = x.layout.shape()[..x.layout.ndim().saturating_sub(1)].iter().product();
        if length == 0 {
            return Ok(CpuBuffer::from(vec![T::from_f64(f64::NAN); rows]));
        }
        let mut data = copied(x)?;
        let result: Vec<T> = if parallel(data.len()) {
            data.par_chunks_mut(length).map(median_of).collect()
        } else {
            data.chunks_mut(length).map(median_of).collect()
        };
        Ok(CpuBuffer::from(result))
    }
}

/// Buffer positions of all elements of a layout, in row-major order.
fn positions(layout: &Layout) -> impl Iterator<Item = usize> + '_ {
    let (length, stride) = match (layout.shape().last(), layout.strides().last()) {
        (Some(&length), Some(&stride)) => (length, stride),
        _ => (1, 1),
    };
    layout
        .row_offsets()
        .flat_map(move |row| (0..length).map(move |i| (row as isize + i as isize * stride) as usize))
}

/// The median of a row that is not empty, which gets reordered.
fn median_of<T: Float>(row: &mut [T]) -> T {
    if row.iter().any(|x| x.is_nan_value()) {
        return T::from_f64(f64::NAN);
    }
    let middle = row.len() / 2;
    let compare = |a: &T, b: &T| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
    let odd = row.len() % 2 == 1;
    let (below, &mut upper, _) = row.select_nth_unstable_by(middle, compare);
    if odd {
        return upper;
    }
    let lower = below.iter().copied().fold(T::LOWEST, |a, b| if b > a { b } else { a });
    T::from_f64(0.5 * (lower.to_f64() + upper.to_f64()))
}
