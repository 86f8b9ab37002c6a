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

/// Arrays of an expression in a run: where it begins in each, and their innermost strides.
#[derive(Clone, Copy)]
struct Places<'a> {
    positions: &'a [usize],
    strides: &'a [isize],
}

impl<'a> Places<'a> {
    /// Those of the first `count` arrays, and of the others.
    fn split_at(self, count: usize) -> (Self, Self) {
        let (positions, others) = self.positions.split_at(count);
        let (strides, other_strides) = self.strides.split_at(count);
        (Self { positions, strides }, Self { positions: others, strides: other_strides })
    }

    /// Whether elements of the run follow each other in all arrays.
    fn in_place(self) -> bool {
        self.strides.iter().all(|&stride| stride == 1)
    }

    /// Writes elements `done..` of the run to `out`, at most a block.
    #[inline(always)]
    fn evaluate<E: Expression<Cpu>>(
        self,
        expression: &E,
        room: &mut E::Room,
        done: usize,
        out: &mut [E::Item],
    ) {
        if self.in_place()
            && let Ok(out) = <&mut Block<E::Item>>::try_from(&mut *out)
        {
            let positions = self.positions.iter();
            let blocks = expression.blocks(&mut InPlace { positions, done }, room);
            for (i, out) in out.iter_mut().enumerate() {
                *out = E::element::<InPlace>(&blocks, i);
            }
            return;
        }
        let places = self.positions.iter().zip(self.strides);
        let blocks = expression.blocks(&mut Gathered { places, done, len: out.len() }, room);
        for (i, out) in out.iter_mut().enumerate() {
            *out = E::element::<Gathered>(&blocks, i);
        }
    }

    /// How many of elements `done..done + len` of the run are true, at most a block.
    #[inline(always)]
    fn count<E: Expression<Cpu, Item = bool>>(
        self,
        expression: &E,
        room: &mut E::Room,
        done: usize,
        len: usize,
    ) -> i64 {
        if self.in_place() && len == BLOCK {
            let positions = self.positions.iter();
            let blocks = expression.blocks(&mut InPlace { positions, done }, room);
            let mut found = 0_u32;
            for i in 0..BLOCK {
                found += u32::from(E::element::<InPlace>(&blocks, i));
            }
            return i64::from(found);
        }
        let places = self.positions.iter().zip(self.strides);
        let blocks = expression.blocks(&mut Gathered { places, done, len }, room);
        (0..len).map(|i| i64::from(E::element::<Gathered>(&blocks, i))).sum()
    }
}

/// Evaluates a run.
struct EvaluateKernel<'a, E: Expression<Cpu>> {
    expression: &'a E,
    places: Places<'a>,
    out: &'a mut [E::Item],
}

impl<E: Expression<Cpu>> WithSimd for EvaluateKernel<'_, E> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut room = E::room();
        for (number, out) in self.out.chunks_mut(BLOCK).enumerate() {
            self.places.evaluate(self.expression, &mut room, number * BLOCK, out);
        }
    }
}

/// Counts what is true in a run.
struct CountKernel<'a, C> {
    condition: &'a C,
    places: Places<'a>,
    len: usize,
}

impl<C: Expression<Cpu, Item = bool>> WithSimd for CountKernel<'_, C> {
    type Output = i64;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> i64 {
        let Self { condition, places, len } = self;
        let mut room = C::room();
        (0..len)
            .step_by(BLOCK)
            .map(|done| places.count(condition, &mut room, done, BLOCK.min(len - done)))
            .sum()
    }
}

/// Evaluates a run of two expressions, and counts where in it a condition is true.
struct EvaluateTwoAndCountKernel<'a, E: Expression<Cpu>, F: Expression<Cpu>, C> {
    expressions: (&'a E, &'a F),
    condition: &'a C,
    /// Those of both expressions and of the condition.
    places: [Places<'a>; 3],
    out: (&'a mut [E::Item], &'a mut [F::Item]),
}

impl<E, F, C> WithSimd for EvaluateTwoAndCountKernel<'_, E, F, C>
where
    E: Expression<Cpu>,
    F: Expression<Cpu>,
    C: Expression<Cpu, Item = bool>,
{
    type Output = i64;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> i64 {
        let Self { expressions, condition, places: [places, other_places, condition_places], out } = self;
        let (mut room, mut other_room, mut condition_room) = (E::room(), F::room(), C::room());
        let mut count = 0;
        let blocks = out.0.chunks_mut(BLOCK).zip(out.1.chunks_mut(BLOCK));
        for (number, (out, other_out)) in blocks.enumerate() {
            let done = number * BLOCK;
            count += condition_places.count(condition, &mut condition_room, done, out.len());
            places.evaluate(expressions.0, &mut room, done, out);
            other_places.evaluate(expressions.1, &mut other_room, done, other_out);
        }
        count
    }
}

/// Innermost strides of layouts.
fn strides(layouts: &[Layout]) -> Vec<isize> {
    layouts.iter().map(|layout| layout.strides().last().copied().unwrap_or(1)).collect()
}

/// The number of elements in the leading axes of layouts, and in the trailing `axes` ones.
fn split(layouts: &[Layout], axes: usize) -> (usize, usize) {
    let shape = layouts.first().map_or(&[][..], Layout::shape);
    let (kept, each) = shape.split_at(shape.len() - axes);
    (kept.iter().product(), each.iter().product())
}

/// How many elements of an expression are true, over the trailing `axes` axes.
pub(super) fn count_true<C: Expression<Cpu, Item = bool>>(
    condition: &C,
    layouts: &[Layout],
    axes: usize,
) -> CpuBuffer<i64> {
    let (kept, each) = split(layouts, axes);
    let layouts = Layout::collapse_all(&layouts.iter().collect::<Vec<_>>());
    let strides = strides(&layouts);
    let count = |range: Range<usize>| {
        let mut count = 0;
        for_each_run(&layouts, range, &mut |Run { positions, len, .. }| {
            let places = Places { positions, strides: &strides };
            count += Arch::new().dispatch(CountKernel { condition, places, len });
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
    let strides = strides(&layouts);
    over_output(&mut out, &|range, out| {
        for_each_run(&layouts, range, &mut |run| {
            let out = &mut out[run.start..run.start + run.len];
            let places = Places { positions: run.positions, strides: &strides };
            Arch::new().dispatch(EvaluateKernel { expression, places, out });
        });
    });
    Ok(out)
}

/// [`evaluate`] of two expressions, and [`count_true`] of a condition, all of the same shape.
#[expect(clippy::type_complexity, reason = "three results")]
pub(super) fn evaluate_two_and_count<E, F, C>(
    (expression, layouts): (&E, &[Layout]),
    (other, other_layouts): (&F, &[Layout]),
    (condition, condition_layouts): (&C, &[Layout]),
    axes: usize,
) -> Result<(CpuBuffer<E::Item>, CpuBuffer<F::Item>, CpuBuffer<i64>)>
where
    E: Expression<Cpu>,
    F: Expression<Cpu>,
    C: Expression<Cpu, Item = bool>,
{
    let (kept, each) = split(layouts, axes);
    if parallel(kept * each) {
        let counts = count_true(condition, condition_layouts, axes);
        return Ok((evaluate(expression, layouts)?, evaluate(other, other_layouts)?, counts));
    }
    let mut out = (CpuBuffer::unspecified(kept * each)?, CpuBuffer::unspecified(kept * each)?);
    let (arrays, others) = (layouts.len(), other_layouts.len());
    let layouts: Vec<&Layout> = layouts.iter().chain(other_layouts).chain(condition_layouts).collect();
    let layouts = Layout::collapse_all(&layouts);
    let strides = strides(&layouts);
    let count = |entry: usize| {
        let range = entry * each..(entry + 1) * each;
        let out = (&mut out.0[range.clone()], &mut out.1[range.clone()]);
        let mut count = 0;
        for_each_run(&layouts, range, &mut |run| {
            let part = run.start..run.start + run.len;
            let places = Places { positions: run.positions, strides: &strides };
            let (places, rest) = places.split_at(arrays);
            let (other_places, condition_places) = rest.split_at(others);
            count += Arch::new().dispatch(EvaluateTwoAndCountKernel {
                expressions: (expression, other),
                condition,
                places: [places, other_places, condition_places],
                out: (&mut out.0[part.clone()], &mut out.1[part]),
            });
        });
        count
    };
    let counts: Vec<i64> = (0..kept).map(count).collect();
    Ok((out.0, out.1, CpuBuffer::from(counts)))
}
