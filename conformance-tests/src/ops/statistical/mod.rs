//! Reductions and running results.

mod extremes;
mod scan;
mod spread;
mod sums;

use proptest::prelude::{Just, Strategy, any};

use crate::testing::{
    Array, AxesMethod, Backend, Case, Check, Error, Fill, Host, Method, Operand, Outcome, Real, Value, cases,
    for_all, host, operand, reference,
};
use crate::tolerance::Tolerance;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    let errors = cases!["statistical": empty_axes, axis_errors];
    [sums::cases(), spread::cases(), extremes::cases(), scan::cases(), errors].into_iter().flatten().collect()
}

/// An operand, the axes to reduce as indices, and whether they stay with length 1.
fn with_axes<T: Value>(fill: Fill) -> impl Strategy<Value = (Operand<T>, Vec<usize>, bool)> {
    operand::<T>(fill).prop_flat_map(|x| {
        let ndim = x.host.ndim();
        let axes =
            any::<u8>().prop_map(move |c| (0..ndim).filter(|axis| c >> axis & 1 == 1).collect::<Vec<_>>());
        (Just(x), axes, any::<bool>())
    })
}

/// Axis numbers, every other one counted from the end.
fn numbers(axes: &[usize], ndim: usize) -> Vec<isize> {
    axes.iter().map(|&axis| axis as isize - if axis % 2 == 1 { ndim as isize } else { 0 }).collect()
}
/// A reduction over all elements and over some axes.
struct Forms<T: Value, U: Value, B: Backend> {
    op: &'static str,
    all: Method<T, U, B>,
    axes: AxesMethod<T, U, B>,
}

macro_rules! forms {
    ($op:literal, $all:ident, $axes:ident) => {
        Forms { op: $op, all: Array::$all, axes: Array::$axes }
    };
}
use forms;

impl<T: Value, U: Value, B: Backend> Forms<T, U, B> {
    /// Calls `compare` with what the reduction gives, and with a way to reduce the host array in
    /// the same manner, on random views and axes.
    fn random(
        &self,
        xp: &B,
        fill: Fill,
        compare: impl Fn(&str, &Array<U, B>, &Host<T>, &[usize], bool) -> Outcome,
    ) -> Outcome {
        for_all(with_axes::<T>(fill), |(x, axes, keepdims)| {
            let array = x.on(xp)?;
            let every: Vec<usize> = (0..x.host.ndim()).collect();
            compare(self.op, &(self.all)(&array)?, &x.host, &every, false)?;
            let found = (self.axes)(&array, &numbers(&axes, x.host.ndim()), keepdims)?;
            compare(self.op, &found, &x.host, &axes, keepdims)
        })
    }

    /// Calls `compare` with what the reduction gives and with what NumPy gave.
    fn numpy(
        &self,
        xp: &B,
        compare: impl Fn(&str, &Array<U, B>, &Host<T>, &[usize], &Host<U>) -> Outcome,
    ) -> Outcome {
        for record in reference::records::<T>(self.op)? {
            let x = record.input::<T>(0)?;
            let array = host::upload(xp, &x)?;
            let axes: Vec<usize> = match record.axis() {
                Some(axis) => vec![axis as usize],
                None => (0..x.ndim()).collect(),
            };
            let found = match record.axis() {
                Some(axis) => (self.axes)(&array, &[axis], false)?,
                None => (self.all)(&array)?,
            };
            compare(&record.title(), &found, &x, &axes, &record.output()?)?;
        }
        Ok(())
    }

    /// A reduction whose result is defined to the last bit (but for the sign of zeros).
    fn exact(&self, xp: &B, check: &Check, fill: Fill, rule: impl Fn(&[T]) -> U) -> Outcome {
        self.random(xp, fill, |what, found, x, axes, keepdims| {
            check.same_values(what, found, &host::reduce(x, axes, keepdims, &rule))
        })?;
        self.numpy(xp, |what, found, _, _, expected| check.same_values(what, found, expected))
    }
}

impl<T: Real, B: Backend> Forms<T, T, B> {
    /// A reduction of floating point numbers within a tolerance: `rule` gives value and scale.
    fn inexact(
        &self,
        xp: &B,
        check: &Check,
        fill: Fill,
        tolerance: &Tolerance,
        rule: impl Fn(&[f64]) -> (f64, f64),
    ) -> Outcome {
        let reduced =
            |x: &Host<T>, axes: &[usize], keepdims| host::reduce(&x.mapv(T::wide), axes, keepdims, &rule);
        self.random(xp, fill, |what, found, x, axes, keepdims| {
            let both = reduced(x, axes, keepdims);
            check.scaled(
                what,
                found,
                &both.mapv(|(value, _)| value),
                &both.mapv(|(_, scale)| scale),
                tolerance,
            )
        })?;
        self.numpy(xp, |what, found, x, axes, expected| {
            let scale = reduced(x, axes, false).mapv(|(_, scale)| scale);
            check.scaled(what, found, &expected.mapv(T::wide), &scale, tolerance)
        })
    }
}
/// Sum and its scale: see [`SUM`].
fn sum_of<T: Real>(values: &[f64]) -> (f64, f64) {
    let sum = host::exact_sum(values);
    let size = host::size(values);
    (sum, sum.abs() + 128.0 * f64::EPSILON / T::UNIT * size)
}

fn mean_of<T: Real>(values: &[f64]) -> (f64, f64) {
    let (sum, scale) = sum_of::<T>(values);
    let n = values.len() as f64;
    // The quotient is rounded once more.
    (sum / n, 2.0 * scale / n)
}
fn empty_axes<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::<f64, B>::zeros(xp, &[2, 0])?;
    let of = |value: f64| host::build(&[2], |_| value);
    check.same("sum", &x.sum_axes(&[1], false)?, &of(0.0))?;
    check.same("prod", &x.prod_axes(&[1], false)?, &of(1.0))?;
    check.same("mean", &x.mean_axes(&[1], false)?, &of(f64::NAN))?;
    check.same("var", &x.var_axes(&[1], 0.0, false)?, &of(f64::NAN))?;
    check.same("median", &x.median_axis(1, false)?, &of(f64::NAN))?;
    check.same("all", &x.all_axes_of(&[1], false)?, &host::list(&[true, true]))?;
    check.same("any", &x.any_axes(&[1], false)?, &host::list(&[false, false]))?;
    check.same("no axis at all", &x.sum_axes(&[], false)?, &host::build(&[2, 0], |_| 0.0))?;
    check.same("the kept axis is empty", &x.sum_axes(&[0], false)?, &host::list(&[]))?;
    let error = |operation| Error::EmptyReduction { operation, shape: vec![2, 0] };
    check.refused("min", x.min_axes(&[1], false), &error("min"))?;
    check.refused("max", x.max(), &error("max"))?;
    check.same("min where the kept axis is empty", &x.min_axes(&[0], true)?, &host::build(&[1, 0], |_| 0.0))
}

fn axis_errors<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    for axis in [2, -3] {
        let error = |operation| Error::InvalidAxis { operation, axis, ndim: 2 };
        check.refused("sum", x.sum_axes(&[0, axis], false), &error("sum"))?;
        check.refused("prod", x.prod_axes(&[axis], true), &error("prod"))?;
        check.refused("mean", x.mean_axes(&[axis], true), &error("mean"))?;
        check.refused("min", x.min_axes(&[axis], true), &error("min"))?;
        check.refused("max", x.max_axes(&[axis], true), &error("max"))?;
        check.refused("all", x.all_axes_of(&[axis], true), &error("all"))?;
        check.refused("any", x.any_axes(&[axis], true), &error("any"))?;
        check.refused("count_nonzero", x.count_nonzero_axes(&[axis], true), &error("count_nonzero"))?;
        check.refused("median", x.median_axis(axis, true), &error("median"))?;
        check.refused("cumulative_sum", x.cumulative_sum(axis), &error("cumulative_sum"))?;
        check.refused("cumulative_prod", x.cumulative_prod(axis), &error("cumulative_prod"))?;
        check.refused_with("var", x.var_axes(&[axis], 0.0, true), &["axis", "2 dimensions"])?;
        check.refused_with("std", x.std_axes(&[axis], 0.0, true), &["axis", "2 dimensions"])?;
    }
    let twice = Error::InvalidArgument { operation: "sum", reason: "axis -1 is named twice".into() };
    check.refused("an axis named twice", x.sum_axes(&[1, -1], false), &twice)
}
