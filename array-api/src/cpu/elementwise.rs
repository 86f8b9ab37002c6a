//! Elementwise kernels: one loop for each operation, on contiguous runs of elements.
//!
//! Views are cut into runs along their innermost axis. An operand whose run is contiguous is
//! used in place; any other (strided, reversed, broadcast) is first gathered into a small block
//! ([`operand`](super::operand)), so that each operation needs a single vectorised loop.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::operand::{BLOCK, Operand, for_each_run};
use super::vectors::dispatch_streaming;
use super::{Cpu, CpuBuffer, parallel};
use crate::backend::{Elementwise, Searching, View};
use crate::layout::Layout;
use crate::lazy::Expression;
use crate::ops::{Binary, Unary};
use crate::{Element, Result};

/// Elements that one thread handles at a time.
pub(super) const GRAIN: usize = 32 * 1024;

struct MapKernel<'a, T: Element, O: Unary<T>> {
    op: O,
    x: &'a [T],
    out: &'a mut [O::Out],
}

impl<T: Element, O: Unary<T>> WithSimd for MapKernel<'_, T, O> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if let Some(each) = O::EACH {
            return each(self.x, self.out);
        }
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            *out = self.op.apply(x);
        }
    }
}

struct MapAssignKernel<'a, T: Element, O: Unary<T, Out = T>> {
    op: O,
    x: &'a mut [T],
}

impl<T: Element, O: Unary<T, Out = T>> WithSimd for MapAssignKernel<'_, T, O> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if let Some(each) = O::EACH {
            let mut block = [T::ZERO; BLOCK];
            for x in self.x.chunks_mut(BLOCK) {
                let block = &mut block[..x.len()];
                block.copy_from_slice(x);
                each(block, x);
            }
            return;
        }
        for x in self.x.iter_mut() {
            *x = self.op.apply(*x);
        }
    }
}

/// Takes every `STEP`th element of both operands at the same time: gathered one after another into blocks, each would wait
/// for the processor to notice again how it is read.
struct ZipKernel<'a, T: Element, O: Binary<T>, const STEP: usize> {
    op: O,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [O::Out],
}

impl<T: Element, O: Binary<T>, const STEP: usize> WithSimd for ZipKernel<'_, T, O, STEP> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { op, a, b, out } = self;
        // Of chunks the compiler makes vectors, of steps it does not.
        let ((first, _), (second, _)) = (a.as_chunks::<STEP>(), b.as_chunks::<STEP>());
        for ((out, a), b) in out.iter_mut().zip(first).zip(second) {
            *out = op.apply(a[0], b[0]);
        }
        // At the end of a buffer the last chunk is not whole.
        let whole = first.len().min(second.len());
        if let Some(out) = out.get_mut(whole) {
            *out = op.apply(a[STEP * whole], b[STEP * whole]);
        }
    }
}

struct ZipAssignKernel<'a, T: Element, O: Binary<T, Out = T>> {
    op: O,
    a: &'a mut [T],
    b: &'a [T],
}

impl<T: Element, O: Binary<T, Out = T>> WithSimd for ZipAssignKernel<'_, T, O> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (a, &b) in self.a.iter_mut().zip(self.b) {
            *a = self.op.apply(*a, b);
        }
    }
}

/// As [`ZipKernel`], of three operands.
struct SelectKernel<'a, T: Element, const STEP: usize> {
    condition: &'a [bool],
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
}

impl<T: Element, const STEP: usize> WithSimd for SelectKernel<'_, T, STEP> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { condition, a, b, out } = self;
        let (conditions, _) = condition.as_chunks::<STEP>();
        let ((first, _), (second, _)) = (a.as_chunks::<STEP>(), b.as_chunks::<STEP>());
        for (((out, c), a), b) in out.iter_mut().zip(conditions).zip(first).zip(second) {
            // Both are loaded: the compiler would choose between addresses, and load one by one.
            *out = std::hint::select_unpredictable(c[0], a[0], b[0]);
        }
        let whole = conditions.len().min(first.len()).min(second.len());
        if let Some(out) = out.get_mut(whole) {
            *out = if condition[STEP * whole] { a[STEP * whole] } else { b[STEP * whole] };
        }
    }
}

/// Runs the loop of an operation (see [`Unary::WIDE`]).
#[inline(always)]
fn dispatch<K: WithSimd>(wide: bool, kernel: K) -> K::Output {
    if wide { Arch::new().dispatch(kernel) } else { dispatch_streaming(kernel) }
}

/// Runs `f(range, part)` over the parts of a contiguous output, on all threads if it is large. The
/// type of `f` is erased so that spreading work is compiled once, not for each operation.
pub(super) fn over_output<U: Element>(out: &mut [U], f: &(dyn Fn(std::ops::Range<usize>, &mut [U]) + Sync)) {
    if parallel(out.len()) {
        out.par_chunks_mut(GRAIN).enumerate().for_each(|(i, part)| {
            f(i * GRAIN..i * GRAIN + part.len(), part);
        });
    } else {
        f(0..out.len(), out);
    }
}

/// The elements of a view in row-major order.
pub(super) fn gather<T: Element>(x: View<'_, T, Cpu>, out: &mut [T]) {
    let layouts = Layout::collapse([x.layout]);
    over_output(out, &|range, out| {
        let mut operand = Operand::new(x.buffer, &layouts[0]);
        for_each_run(&layouts, range, &mut |run| {
            let out = &mut out[run.start..run.start + run.len];
            if let Some(value) = operand.repeated(run.positions[0]) {
                out.fill(value);
                return;
            }
            for (i, out) in out.chunks_mut(if operand.is_direct() { run.len } else { BLOCK }).enumerate() {
                out.copy_from_slice(operand.fetch(run.positions[0], i * BLOCK, out.len()));
            }
        });
    });
}

/// Writes the elements of a view to those of `target` that `layout` names.
pub(super) fn scatter<T: Element>(x: View<'_, T, Cpu>, target: &mut [T], layout: &Layout) {
    let layouts = Layout::collapse([x.layout, layout]);
    let len = x.layout.len();
    let stride = layouts[1].strides().last().copied().unwrap_or(1);
    let mut operand = Operand::new(x.buffer, &layouts[0]);
    for_each_run(&layouts, 0..len, &mut |run| {
        let mut done = 0;
        while done < run.len {
            let part = (run.len - done).min(BLOCK);
            let values = operand.fetch(run.positions[0], done, part);
            let first = run.positions[1] as isize + done as isize * stride;
            if stride == 1 {
                target[first as usize..first as usize + part].copy_from_slice(values);
            } else {
                for (i, &value) in values.iter().enumerate() {
                    target[(first + i as isize * stride) as usize] = value;
                }
            }
            done += part;
        }
    });
}

impl Elementwise for Cpu {
    fn map<T: Element, O: Unary<T>>(&self, op: &O, x: View<'_, T, Self>) -> Result<CpuBuffer<O::Out>> {
        let mut out = CpuBuffer::unspecified(x.layout.len())?;
        let layouts = Layout::collapse([x.layout]);
        over_output(&mut out, &|range, out| {
            let mut operand = Operand::new(x.buffer, &layouts[0]);
            for_each_run(&layouts, range, &mut |run| {
                let out = &mut out[run.start..run.start + run.len];
                let step = if operand.is_direct() { run.len } else { BLOCK };
                for (i, out) in out.chunks_mut(step).enumerate() {
                    let x = operand.fetch(run.positions[0], i * step, out.len());
                    dispatch(O::WIDE, MapKernel { op: *op, x, out });
                }
            });
        });
        Ok(out)
    }

    fn map_assign<T: Element, O: Unary<T, Out = T>>(
        &self,
        op: &O,
        x: &mut CpuBuffer<T>,
        layout: &Layout,
    ) -> Result<()> {
        match layout.contiguous_range() {
            Some(range) => {
                over_output(&mut x[range], &|_, x| dispatch(O::WIDE, MapAssignKernel { op: *op, x }));
            }
            None => {
                let mapped = self.map(op, View { buffer: x, layout })?;
                let source = Layout::contiguous(layout.shape());
                scatter(View { buffer: &mapped, layout: &source }, x, layout);
            }
        }
        Ok(())
    }

    fn zip<T: Element, O: Binary<T>>(
        &self,
        op: &O,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
    ) -> Result<CpuBuffer<O::Out>> {
        let mut out = CpuBuffer::unspecified(a.layout.len())?;
        let layouts = Layout::collapse([a.layout, b.layout]);
        over_output(&mut out, &|range, out| {
            let mut x = Operand::new(a.buffer, &layouts[0]);
            let mut y = Operand::new(b.buffer, &layouts[1]);
            for_each_run(&layouts, range, &mut |run| {
                let out = &mut out[run.start..run.start + run.len];
                if let (Some(a), Some(b)) = (x.pairs(run.positions[0]), y.pairs(run.positions[1])) {
                    dispatch(O::WIDE, ZipKernel::<_, _, 2> { op: *op, a, b, out });
                    return;
                }
                let step = if x.is_direct() && y.is_direct() { run.len } else { BLOCK };
                for (i, out) in out.chunks_mut(step).enumerate() {
                    let a = x.fetch(run.positions[0], i * step, out.len());
                    let b = y.fetch(run.positions[1], i * step, out.len());
                    dispatch(O::WIDE, ZipKernel::<_, _, 1> { op: *op, a, b, out });
                }
            });
        });
        Ok(out)
    }

    fn zip_assign<T: Element, O: Binary<T, Out = T>>(
        &self,
        op: &O,
        a: &mut CpuBuffer<T>,
        layout: &Layout,
        b: View<'_, T, Self>,
    ) -> Result<()> {
        let Some(target) = layout.contiguous_range() else {
            let result = self.zip(op, View { buffer: a, layout }, b)?;
            let source = Layout::contiguous(layout.shape());
            scatter(View { buffer: &result, layout: &source }, a, layout);
            return Ok(());
        };
        let layouts = Layout::collapse([b.layout]);
        over_output(&mut a[target], &|range, out| {
            let mut y = Operand::new(b.buffer, &layouts[0]);
            for_each_run(&layouts, range, &mut |run| {
                let out = &mut out[run.start..run.start + run.len];
                let step = if y.is_direct() { run.len } else { BLOCK };
                for (i, a) in out.chunks_mut(step).enumerate() {
                    let b = y.fetch(run.positions[0], i * step, a.len());
                    dispatch(O::WIDE, ZipAssignKernel { op: *op, a, b });
                }
            });
        });
        Ok(())
    }

    fn evaluate<E: Expression<Self>>(
        &self,
        expression: &E,
        layouts: &[Layout],
    ) -> Result<CpuBuffer<E::Item>> {
        super::expression::evaluate(expression, layouts)
    }

    fn count_true<E: Expression<Self, Item = bool>>(
        &self,
        expression: &E,
        layouts: &[Layout],
        axes: usize,
    ) -> Result<CpuBuffer<i64>> {
        Ok(super::expression::count_true(expression, layouts, axes))
    }

    fn evaluate_two_and_count<E, F, C>(
        &self,
        expression: (&E, &[Layout]),
        other: (&F, &[Layout]),
        condition: (&C, &[Layout]),
        axes: usize,
    ) -> Result<(CpuBuffer<E::Item>, CpuBuffer<F::Item>, CpuBuffer<i64>)>
    where
        E: Expression<Self>,
        F: Expression<Self>,
        C: Expression<Self, Item = bool>,
    {
        super::expression::evaluate_two_and_count(expression, other, condition, axes)
    }
}

impl Searching for Cpu {
    fn select<T: Element>(
        &self,
        condition: View<'_, bool, Self>,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
    ) -> Result<CpuBuffer<T>> {
        let mut out = CpuBuffer::unspecified(a.layout.len())?;
        let layouts = Layout::collapse([condition.layout, a.layout, b.layout]);
        over_output(&mut out, &|range, out| {
            let mut c = Operand::new(condition.buffer, &layouts[0]);
            let mut x = Operand::new(a.buffer, &layouts[1]);
            let mut y = Operand::new(b.buffer, &layouts[2]);
            for_each_run(&layouts, range, &mut |run| {
                let out = &mut out[run.start..run.start + run.len];
                let [first, second, third] = run.positions[..] else {
                    unreachable!("a position in each operand")
                };
                if let (Some(condition), Some(a), Some(b)) = (c.pairs(first), x.pairs(second), y.pairs(third))
                {
                    dispatch_streaming(SelectKernel::<_, 2> { condition, a, b, out });
                    return;
                }
                let direct = c.is_direct() && x.is_direct() && y.is_direct();
                let step = if direct { run.len } else { BLOCK };
                for (i, out) in out.chunks_mut(step).enumerate() {
                    let condition = c.fetch(first, i * step, out.len());
                    let a = x.fetch(second, i * step, out.len());
                    let b = y.fetch(third, i * step, out.len());
                    dispatch_streaming(SelectKernel::<_, 1> { condition, a, b, out });
                }
            });
        });
        Ok(out)
    }

    fn arg_extreme<T: crate::Numeric>(&self, x: View<'_, T, Self>, largest: bool) -> Result<CpuBuffer<i64>> {
        let data = super::contiguous(x);
        let length = x.layout.shape().last().copied().unwrap_or(1).max(1);
        let best = |row: &[T]| {
            let mut found = 0;
            for (i, &value) in row.iter().enumerate() {
                if row[found].is_nan_value() {
                    break;
                }
                let better = if largest { value > row[found] } else { value < row[found] };
                if better || value.is_nan_value() {
                    found = i;
                }
            }
            found as i64
        };
        let result: Vec<i64> = if parallel(data.len()) {
            data.par_chunks(length).map(best).collect()
        } else {
            data.chunks(length).map(best).collect()
        };
        Ok(CpuBuffer::from(result))
    }

    fn flat_nonzero(&self, x: View<'_, bool, Self>) -> Result<(CpuBuffer<i64>, usize)> {
        let data = super::contiguous(x);
        let found: Vec<i64> =
            data.iter().enumerate().filter(|&(_, &keep)| keep).map(|(i, _)| i as i64).collect();
        let count = found.len();
        Ok((CpuBuffer::from(found), count))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Array, Cpu, s};

    /// Some numbers, NaN and both infinities among them.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0];
        let number = |i: usize| special.get(i * 7 % 31).copied().unwrap_or(i as f32 * 0.37 - 20.0);
        (seed..seed + count).map(number).collect()
    }

    fn bits(numbers: impl IntoIterator<Item = f32>) -> Vec<u32> {
        numbers.into_iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
    }

    #[test]
    fn every_second_element_of_some_operands() {
        let xp = Cpu::new();
        for rows in [1, 3] {
            for columns in [1, 2, 3, 7, 8, 15, 16, 17, 33, 70] {
                // The last element taken may be the last of the buffer, which has no neighbour.
                for (width, first) in [(2 * columns - 1, 0), (2 * columns, 1), (2 * columns + 1, 1)] {
                    let (a, b) = (numbers(rows * width, 0), numbers(rows * width, 11));
                    let view = |x: &[f32]| {
                        let x = Array::from_slice(&xp, x)?.reshape(&[rows, width])?;
                        x.slice(s![.., first as isize..(first + 2 * columns - 1) as isize; 2])
                    };
                    let (x, y) = (view(&a).unwrap(), view(&b).unwrap());
                    assert_eq!(x.shape(), [rows, columns]);
                    let expected = (0..rows * columns).map(|i| {
                        let at = i / columns * width + first + 2 * (i % columns);
                        a[at] - b[at]
                    });
                    let found = x.subtract(&y).unwrap().to_vec().unwrap();
                    assert_eq!(bits(found), bits(expected), "{rows} x {columns} from {first} of {width}");
                    // And of three.
                    let condition = numbers(rows * width, 5);
                    let z = view(&condition).unwrap().greater_scalar(-15.0).unwrap();
                    let wide = Array::from_slice(&xp, &condition).unwrap().greater_scalar(-15.0).unwrap();
                    let wide = wide.reshape(&[rows, width]).unwrap();
                    let end = (first + 2 * columns - 1) as isize;
                    for z in [z, wide.slice(s![.., first as isize..end; 2]).unwrap()] {
                        let expected = (0..rows * columns).map(|i| {
                            let at = i / columns * width + first + 2 * (i % columns);
                            if condition[at] > -15.0 { a[at] } else { b[at] }
                        });
                        let found = z.where_(&x, &y).unwrap().to_vec().unwrap();
                        assert_eq!(bits(found), bits(expected), "{rows} x {columns} from {first} of {width}");
                    }
                }
            }
        }
    }

    #[test]
    fn each_choice_is_one_of_two() {
        let xp = Cpu::new();
        for count in [0, 1, 2, 15, 16, 17, 64, 100] {
            let (a, b) = (numbers(count, 0), numbers(count, 5));
            let condition: Vec<bool> = (0..count).map(|i| i * i % 7 < 3).collect();
            let expected = (0..count).map(|i| if condition[i] { a[i] } else { b[i] });
            let array = |x: &[f32]| Array::from_slice(&xp, x).unwrap();
            let found = Array::from_slice(&xp, &condition).unwrap().where_(&array(&a), &array(&b)).unwrap();
            assert_eq!(bits(found.to_vec().unwrap()), bits(expected), "{count}");
        }
    }
}
