//! Expressions in one loop each: neighbouring elements of all arrays are a block, made in vectors.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::elementwise::{GRAIN, over_output};
use super::operand::{Run, for_each_run};
use super::{Cpu, CpuBuffer, parallel};
use crate::layout::Layout;
use crate::lazy::{self, BLOCK, Expression, Reader};
use crate::{Array, Element, Result};

type Block<T> = [T; BLOCK];

impl<T: Copy> lazy::Block<T> for &Block<T> {
    #[inline(always)]
    fn get(&self, i: usize) -> T {
        self[i]
    }
}

impl<T: Copy> lazy::Block<T> for Block<T> {
    #[inline(always)]
    fn get(&self, i: usize) -> T {
        self[i]
    }
}

/// Gives blocks that lie in the arrays, where elements of a run follow each other.
struct InPlace<'r> {
    /// Where the run begins in the arrays that are still to come.
    positions: std::slice::Iter<'r, usize>,
    done: usize,
}

impl<'a> Reader<'a, Cpu> for InPlace<'_> {
    type Block<T: Element> = &'a Block<T>;

    #[inline(always)]
    fn block<T: Element>(&mut self, array: &'a Array<T, Cpu>) -> &'a Block<T> {
        let start = self.positions.next().copied().unwrap_or_default() + self.done;
        match array.buffer()[start..].first_chunk() {
            Some(block) => block,
            None => unreachable!("the run has so many elements"),
        }
    }

    #[inline(always)]
    fn count(&self) -> usize {
        BLOCK
    }
}

/// Gives copies, of elements that lie anywhere; a block may have fewer than [`BLOCK`].
struct Gathered<'r> {
    /// Where the run begins in the arrays that are still to come, and their innermost strides.
    places: std::iter::Zip<std::slice::Iter<'r, usize>, std::slice::Iter<'r, isize>>,
    done: usize,
    len: usize,
}

impl<'a> Reader<'a, Cpu> for Gathered<'_> {
    type Block<T: Element> = Block<T>;

    #[inline(always)]
    fn block<T: Element>(&mut self, array: &'a Array<T, Cpu>) -> Block<T> {
        let (&position, &stride) = self.places.next().unwrap_or((&0, &0));
        let data: &[T] = array.buffer();
        let mut block = [T::ZERO; BLOCK];
        let first = position as isize + self.done as isize * stride;
        match stride {
            0 => block[..self.len].fill(data[position]),
            1 => block[..self.len].copy_from_slice(&data[first as usize..][..self.len]),
            _ => {
                for (i, value) in block[..self.len].iter_mut().enumerate() {
                    *value = data[(first + i as isize * stride) as usize];
                }
            }
        }
        block
    }

    #[inline(always)]
    fn count(&self) -> usize {
        self.len
    }
}

/// Evaluates a run.
struct EvaluateKernel<'a, E: Expression<Cpu>> {
    expression: &'a E,
    positions: &'a [usize],
    strides: &'a [isize],
    out: &'a mut [E::Item],
}

impl<E: Expression<Cpu>> WithSimd for EvaluateKernel<'_, E> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { expression, positions, strides, out } = self;
        let mut room = E::room();
        let in_place = strides.iter().all(|&stride| stride == 1);
        for (number, out) in out.chunks_mut(BLOCK).enumerate() {
            let done = number * BLOCK;
            if in_place && let Ok(out) = <&mut Block<E::Item>>::try_from(&mut *out) {
                let blocks = expression.blocks(&mut InPlace { positions: positions.iter(), done }, &mut room);
                for (i, out) in out.iter_mut().enumerate() {
                    *out = E::element::<InPlace>(&blocks, i);
                }
                continue;
            }
            let places = positions.iter().zip(strides);
            let blocks = expression.blocks(&mut Gathered { places, done, len: out.len() }, &mut room);
            for (i, out) in out.iter_mut().enumerate() {
                *out = E::element::<Gathered>(&blocks, i);
            }
        }
    }
}

/// Counts what is true in a run.
struct CountKernel<'a, E> {
    expression: &'a E,
    positions: &'a [usize],
    strides: &'a [isize],
    len: usize,
}

impl<E: Expression<Cpu, Item = bool>> WithSimd for CountKernel<'_, E> {
    type Output = i64;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> i64 {
        let Self { expression, positions, strides, len } = self;
        let mut room = E::room();
        let in_place = strides.iter().all(|&stride| stride == 1);
        let mut count = 0;
        for done in (0..len).step_by(BLOCK) {
            let len = BLOCK.min(len - done);
            if in_place && len == BLOCK {
                let blocks = expression.blocks(&mut InPlace { positions: positions.iter(), done }, &mut room);
                let mut found = 0_u32;
                for i in 0..BLOCK {
                    found += u32::from(E::element::<InPlace>(&blocks, i));
                }
                count += i64::from(found);
                continue;
            }
            let places = positions.iter().zip(strides);
            let blocks = expression.blocks(&mut Gathered { places, done, len }, &mut room);
            count += (0..len).map(|i| i64::from(E::element::<Gathered>(&blocks, i))).sum::<i64>();
        }
        count
    }
}

/// How many elements of an expression are true, over the trailing `axes` axes.
pub(super) fn count_true<E: Expression<Cpu, Item = bool>>(
    expression: &E,
    layouts: &[Layout],
    axes: usize,
) -> CpuBuffer<i64> {
    let shape = layouts.first().map_or(&[][..], Layout::shape);
    let kept: usize = shape[..shape.len() - axes].iter().product();
    let each: usize = shape[shape.len() - axes..].iter().product();
    let layouts = Layout::collapse_all(&layouts.iter().collect::<Vec<_>>());
    let strides: Vec<isize> =
        layouts.iter().map(|layout| layout.strides().last().copied().unwrap_or(1)).collect();
    let count = |range: Range<usize>| {
        let mut count = 0;
        for_each_run(&layouts, range, &mut |Run { positions, len, .. }| {
            count += Arch::new().dispatch(CountKernel { expression, positions, strides: &strides, len });
        });
        count
    };
    let of_entry = |entry: usize| {
        let (start, end) = (entry * each, (entry + 1) * each);
        if !parallel(each) {
            return count(start..end);
        }
        let parts = (0..each.div_ceil(GRAIN)).into_par_iter();
        parts.map(|part| start + part * GRAIN).map(|at| count(at..end.min(at + GRAIN))).sum()
    };
    let counts: Vec<i64> = if parallel(kept * each) && !parallel(each) {
        (0..kept).into_par_iter().map(of_entry).collect()
    } else {
        (0..kept).map(of_entry).collect()
    };
    CpuBuffer::from(counts)
}

/// The elements of an expression in row-major order.
pub(super) fn evaluate<E: Expression<Cpu>>(expression: &E, layouts: &[Layout]) -> Result<CpuBuffer<E::Item>> {
    let mut out = CpuBuffer::unspecified(layouts.first().map_or(0, Layout::len))?;
    let layouts = Layout::collapse_all(&layouts.iter().collect::<Vec<_>>());
    let strides: Vec<isize> =
        layouts.iter().map(|layout| layout.strides().last().copied().unwrap_or(1)).collect();
    over_output(&mut out, &|range, out| {
        for_each_run(&layouts, range, &mut |run| {
            let out = &mut out[run.start..run.start + run.len];
            let positions = run.positions;
            Arch::new().dispatch(EvaluateKernel { expression, positions, strides: &strides, out });
        });
    });
    Ok(out)
}
