//! Reductions and running results.

use proptest::prelude::{Just, Strategy, any};

use super::creation::for_all_types;
use crate::testing::value::truth;
use crate::testing::{
    Array, AxesMethod, AxisMethod, Backend, Case, Check, Error, Fill, Host, Method, Number, Operand, Outcome,
    Real, Result, Value, Whole, cases, for_all, host, operand, reference,
};
use crate::tolerance::{PROD, SCAN, SUM, VARIANCE};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["statistical":
        sum, prod, mean, var, std, min, max, all, any_true, count_nonzero, median, cumulative_sum, cumulative_prod,
        empty_axes, axis_errors, long_sums,
    ]
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

/// Variance or standard deviation with a correction.
type Spread<T, B> = fn(&Array<T, B>, f64) -> Result<Array<T, B>>;
/// The same over some axes, which may stay with length 1.
type SpreadOfAxes<T, B> = fn(&Array<T, B>, &[isize], f64, bool) -> Result<Array<T, B>>;

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
        tolerance: &crate::tolerance::Tolerance,
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
    let sum = host::exact_sum(values.iter().copied());
    let size: f64 = values.iter().map(|x| x.abs()).sum();
    (sum, sum.abs() + 128.0 * f64::EPSILON / T::UNIT * size)
}

fn mean_of<T: Real>(values: &[f64]) -> (f64, f64) {
    let (sum, scale) = sum_of::<T>(values);
    let n = values.len() as f64;
    // The quotient is rounded once more.
    (sum / n, 2.0 * scale / n)
}

fn sum<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn real<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, T, B> = forms!("sum", sum, sum_axes);
        forms.inexact(xp, check, Fill::Sprinkled(-9.0, 9.0), &SUM, sum_of::<T>)
    }
    fn whole<T: Whole + array_api::Numeric<Sum = i64>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, i64, B> = forms!("sum", sum, sum_axes);
        forms.exact(xp, check, Fill::Sprinkled(-9.0, 99.0), |x| {
            i64::wrap(x.iter().map(|&v| Whole::wide(v)).sum())
        })
    }
    real::<f32, B>(xp, check)?;
    real::<f64, B>(xp, check)?;
    whole::<i32, B>(xp, check)?;
    whole::<i64, B>(xp, check)?;
    whole::<u8, B>(xp, check)
}

fn prod<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn real<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, T, B> = forms!("prod", prod, prod_axes);
        forms.inexact(xp, check, Fill::Between(0.999, 1.001), &PROD, |x| {
            let product: f64 = x.iter().product();
            (product, x.len() as f64 * product.abs())
        })
    }
    fn whole<T: Whole + array_api::Numeric<Sum = i64>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, i64, B> = forms!("prod", prod, prod_axes);
        forms.exact(xp, check, Fill::Sprinkled(-9.0, 9.0), |x| {
            x.iter().fold(1_i64, |product, &v| i64::wrap(i128::from(product) * Whole::wide(v)))
        })
    }
    real::<f32, B>(xp, check)?;
    real::<f64, B>(xp, check)?;
    whole::<i32, B>(xp, check)?;
    whole::<i64, B>(xp, check)?;
    whole::<u8, B>(xp, check)
}

fn mean<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, T, B> = forms!("mean", mean, mean_axes);
        forms.inexact(xp, check, Fill::Sprinkled(-9.0, 9.0), &SUM, mean_of::<T>)
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

/// Variance and its scale: see [`VARIANCE`].
fn variance_of<T: Real>(x: &[f64], correction: f64) -> (f64, f64) {
    let n = x.len() as f64;
    let (mean, scale) = mean_of::<T>(x);
    let divisor = (n - correction).max(0.0);
    let variance = host::exact_sum(x.iter().map(|v| (v - mean) * (v - mean))) / divisor;
    // An error d of the mean adds n d^2 to the sum of squares.
    (variance, variance + T::UNIT * scale * scale * n / divisor)
}

/// Variance or standard deviation, `finish` turning the one into the other.
fn spread<T: Real, B: Backend>(
    xp: &B,
    check: &Check,
    op: &str,
    (all, some): (Spread<T, B>, SpreadOfAxes<T, B>),
    finish: fn((f64, f64)) -> (f64, f64),
) -> Outcome {
    let hold = |what: &str, found: &Array<T, B>, x: &Host<T>, axes: &[usize], keepdims, correction| {
        let rule = |x: &[f64]| finish(variance_of::<T>(x, correction));
        let both = host::reduce(&x.mapv(T::wide), axes, keepdims, rule);
        check.scaled(what, found, &both.mapv(|(value, _)| value), &both.mapv(|(_, scale)| scale), &VARIANCE)
    };
    for fill in [Fill::Between(-9.0, 9.0), Fill::Between(1000.0, 1001.0), Fill::Few] {
        for_all((with_axes::<T>(fill), 0..3_u8), |((x, axes, keepdims), correction)| {
            let correction = f64::from(correction) / 2.0;
            let (array, every) = (x.on(xp)?, (0..x.host.ndim()).collect::<Vec<_>>());
            hold(op, &all(&array, correction)?, &x.host, &every, false, correction)?;
            let found = some(&array, &numbers(&axes, x.host.ndim()), correction, keepdims)?;
            hold(op, &found, &x.host, &axes, keepdims, correction)?;
            check.same("the argument", &array, &x.host)
        })?;
    }
    for record in reference::records::<T>(op)? {
        let (x, correction) = (record.input::<T>(0)?, record.number("correction").unwrap_or_default());
        let array = host::upload(xp, &x)?;
        let found = match record.axis() {
            Some(axis) => some(&array, &[axis], correction, false)?,
            None => all(&array, correction)?,
        };
        let axes: Vec<usize> = record.axis().map_or((0..x.ndim()).collect(), |axis| vec![axis as usize]);
        let rule = |x: &[f64]| finish(variance_of::<T>(x, correction)).1;
        let scale = host::reduce(&x.mapv(T::wide), &axes, false, rule);
        check.scaled(&record.title(), &found, &record.output::<T>()?.mapv(T::wide), &scale, &VARIANCE)?;
    }
    Ok(())
}

fn var<B: Backend>(xp: &B, check: &Check) -> Outcome {
    spread::<f32, B>(xp, check, "var", (Array::var, Array::var_axes), |both| both)?;
    spread::<f64, B>(xp, check, "var", (Array::var, Array::var_axes), |both| both)
}

fn std<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // |sqrt(a) - sqrt(b)| is at most |a - b| / sqrt(b), and at most sqrt(|a - b|).
    fn root<T: Real>((v, scale): (f64, f64)) -> (f64, f64) {
        (v.sqrt(), (scale / v.sqrt()).min((scale / (VARIANCE.limit * T::UNIT)).sqrt()))
    }
    spread::<f32, B>(xp, check, "std", (Array::std, Array::std_axes), root::<f32>)?;
    spread::<f64, B>(xp, check, "std", (Array::std, Array::std_axes), root::<f64>)
}

/// The smallest element in an order, NaN before all.
fn extreme<T: Number>(x: &[T], before: fn(&T, &T) -> bool) -> T {
    let mut best = x.first().copied().unwrap_or(T::ZERO);
    for &v in x {
        if best.is_nan_value() {
            return best;
        }
        if v.is_nan_value() || before(&v, &best) {
            best = v;
        }
    }
    best
}

/// Minimum or maximum: as other reductions, but an error where there is no element.
fn extremes<T: Number, B: Backend>(
    xp: &B,
    check: &Check,
    forms: &Forms<T, T, B>,
    before: fn(&T, &T) -> bool,
) -> Outcome {
    for fill in [Fill::Sprinkled(-9.0, 9.0), Fill::Between(-9.0, 9.0), Fill::Few] {
        for_all(with_axes::<T>(fill), |(x, axes, keepdims)| {
            let array = x.on(xp)?;
            let shape = x.host.shape();
            let error = Error::EmptyReduction { operation: forms.op, shape: shape.to_vec() };
            let every: Vec<usize> = (0..shape.len()).collect();
            let (whole, part) =
                ((forms.all)(&array), (forms.axes)(&array, &numbers(&axes, shape.len()), keepdims));
            let rule = |x: &[T]| extreme(x, before);
            if every.iter().any(|&axis| shape[axis] == 0) {
                check.refused("over no element", whole, &error)?;
            } else {
                check.same_values(forms.op, &whole?, &host::reduce(&x.host, &every, false, rule))?;
            }
            if axes.iter().any(|&axis| shape[axis] == 0) {
                return check.refused("over an empty axis", part, &error);
            }
            check.same_values(forms.op, &part?, &host::reduce(&x.host, &axes, keepdims, rule))
        })?;
    }
    forms.numpy(xp, |what, found, _, _, expected| check.same_values(what, found, expected))
}

fn min<B: Backend>(xp: &B, check: &Check) -> Outcome {
    extremes::<f32, B>(xp, check, &forms!("min", min, min_axes), f32::lt)?;
    extremes::<f64, B>(xp, check, &forms!("min", min, min_axes), f64::lt)?;
    extremes::<i32, B>(xp, check, &forms!("min", min, min_axes), i32::lt)?;
    extremes::<i64, B>(xp, check, &forms!("min", min, min_axes), i64::lt)?;
    extremes::<u8, B>(xp, check, &forms!("min", min, min_axes), u8::lt)
}

fn max<B: Backend>(xp: &B, check: &Check) -> Outcome {
    extremes::<f32, B>(xp, check, &forms!("max", max, max_axes), f32::gt)?;
    extremes::<f64, B>(xp, check, &forms!("max", max, max_axes), f64::gt)?;
    extremes::<i32, B>(xp, check, &forms!("max", max, max_axes), i32::gt)?;
    extremes::<i64, B>(xp, check, &forms!("max", max, max_axes), i64::gt)?;
    extremes::<u8, B>(xp, check, &forms!("max", max, max_axes), u8::gt)
}

fn all<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value + array_api::Cast<bool>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, bool, B> = forms!("all", all, all_axes_of);
        forms.exact(xp, check, Fill::Few, |x| x.iter().all(|&v| truth(v)))
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn any_true<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value + array_api::Cast<bool>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, bool, B> = forms!("any", any, any_axes);
        forms.exact(xp, check, Fill::Few, |x| x.iter().any(|&v| truth(v)))
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn count_nonzero<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value + array_api::Cast<bool>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, i64, B> = forms!("count_nonzero", count_nonzero, count_nonzero_axes);
        forms.exact(xp, check, Fill::Few, |x| x.iter().filter(|&&v| truth(v)).count() as i64)
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn median<B: Backend>(xp: &B, check: &Check) -> Outcome {
    /// The middle of the sorted elements, or the mean of the middle two.
    fn middle<T: Real>(x: &[T]) -> T {
        let mut x: Vec<f64> = x.iter().map(|v| v.wide()).collect();
        x.sort_by(f64::total_cmp);
        let n = x.len();
        if n == 0 || x.iter().any(|v| v.is_nan()) {
            return T::narrow(f64::NAN);
        }
        T::narrow(if n % 2 == 1 { x[n / 2] } else { 0.5 * (x[n / 2 - 1] + x[n / 2]) })
    }
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for fill in [Fill::Between(-9.0, 9.0), Fill::Sprinkled(-9.0, 9.0), Fill::Few] {
            for_all((operand::<T>(fill), any::<bool>()), |(x, keepdims)| {
                let array = x.on(xp)?;
                let every: Vec<usize> = (0..x.host.ndim()).collect();
                check.same_values(
                    "median",
                    &array.median()?,
                    &host::reduce(&x.host, &every, false, middle),
                )?;
                for axis in 0..x.host.ndim() {
                    let number = numbers(&[axis], x.host.ndim())[0];
                    let expected = host::reduce(&x.host, &[axis], keepdims, middle);
                    check.same_values("median_axis", &array.median_axis(number, keepdims)?, &expected)?;
                }
                check.same("the argument", &array, &x.host)
            })?;
        }
        for record in reference::records::<T>("median")? {
            let array = host::upload(xp, &record.input::<T>(0)?)?;
            let found = match record.axis() {
                Some(axis) => array.median_axis(axis, false)?,
                None => array.median()?,
            };
            check.same_values(&record.title(), &found, &record.output()?)?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

/// Running results of a function, in double precision, each with its scale.
fn running(x: &[f64], start: f64, f: fn(f64, f64) -> f64, size: fn(f64, f64) -> f64) -> Vec<(f64, f64)> {
    let (mut value, mut scale) = (start, start);
    let step = |(i, &v): (usize, &f64)| {
        value = f(value, v);
        scale = size(scale, v.abs());
        (value, (i + 1) as f64 * scale)
    };
    x.iter().enumerate().map(step).collect()
}

/// A running sum or product of floating point numbers.
fn scan<T: Real, B: Backend>(
    xp: &B,
    check: &Check,
    (op, fill): (&str, Fill),
    method: AxisMethod<T, T, B>,
    rule: fn(&[f64]) -> Vec<(f64, f64)>,
) -> Outcome {
    let lines = |x: &Host<T>, axis: usize| host::along(&x.mapv(T::wide), axis, x.shape()[axis], rule);
    for_all(operand::<T>(fill), |x| {
        for axis in 0..x.host.ndim() {
            let both = lines(&x.host, axis);
            let found = method(&x.on(xp)?, numbers(&[axis], x.host.ndim())[0])?;
            check.scaled(
                op,
                &found,
                &both.mapv(|(value, _)| value),
                &both.mapv(|(_, scale)| scale),
                &SCAN,
            )?;
        }
        Ok(())
    })?;
    for record in reference::records::<T>(op)? {
        let (x, Some(axis)) = (record.input::<T>(0)?, record.axis()) else { continue };
        let scale = lines(&x, axis as usize).mapv(|(_, scale)| scale);
        let expected = record.output::<T>()?.mapv(T::wide);
        check.scaled(&record.title(), &method(&host::upload(xp, &x)?, axis)?, &expected, &scale, &SCAN)?;
    }
    Ok(())
}

/// A running sum or product of integers.
fn whole_scan<T: Whole, B: Backend>(
    xp: &B,
    check: &Check,
    op: &str,
    method: AxisMethod<T, i64, B>,
    (start, rule): (i128, fn(i128, i128) -> i128),
) -> Outcome {
    for_all(operand::<T>(Fill::Sprinkled(-9.0, 9.0)), |x| {
        for axis in 0..x.host.ndim() {
            let expected = host::along(&x.host, axis, x.host.shape()[axis], |line| {
                let mut value = start;
                let step = |&v: &T| {
                    value = i128::from(i64::wrap(rule(value, Whole::wide(v))));
                    i64::wrap(value)
                };
                line.iter().map(step).collect()
            });
            check.same(op, &method(&x.on(xp)?, numbers(&[axis], x.host.ndim())[0])?, &expected)?;
        }
        Ok(())
    })?;
    for record in reference::records::<T>(op)? {
        let (array, Some(axis)) = (host::upload(xp, &record.input::<T>(0)?)?, record.axis()) else {
            continue;
        };
        check.same(&record.title(), &method(&array, axis)?, &record.output()?)?;
    }
    Ok(())
}

fn cumulative_sum<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let case = ("cumulative_sum", Fill::Between(-9.0, 9.0));
    let rule = |x: &[f64]| running(x, 0.0, |a, b| a + b, |a, b| a + b);
    scan::<f32, B>(xp, check, case, Array::cumulative_sum, rule)?;
    scan::<f64, B>(xp, check, case, Array::cumulative_sum, rule)?;
    whole_scan::<i32, B>(xp, check, case.0, Array::cumulative_sum, (0, |a, b| a + b))?;
    whole_scan::<i64, B>(xp, check, case.0, Array::cumulative_sum, (0, |a, b| a + b))?;
    whole_scan::<u8, B>(xp, check, case.0, Array::cumulative_sum, (0, |a, b| a + b))
}

fn cumulative_prod<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let case = ("cumulative_prod", Fill::Between(0.999, 1.001));
    let rule = |x: &[f64]| running(x, 1.0, |a, b| a * b, |a, b| a * b);
    scan::<f32, B>(xp, check, case, Array::cumulative_prod, rule)?;
    scan::<f64, B>(xp, check, case, Array::cumulative_prod, rule)?;
    whole_scan::<i32, B>(xp, check, case.0, Array::cumulative_prod, (1, |a, b| a * b))?;
    whole_scan::<i64, B>(xp, check, case.0, Array::cumulative_prod, (1, |a, b| a * b))?;
    whole_scan::<u8, B>(xp, check, case.0, Array::cumulative_prod, (1, |a, b| a * b))
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

fn long_sums<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Ten million f32 numbers near 0.1: a sum kept in f32 would be wrong in the third digit.
    let n = 10_000_000;
    let x = host::random::<f32>(&[n], Fill::Between(0.05, 0.15), 1);
    let array = host::upload(xp, &x)?;
    let wide: Vec<f64> = x.iter().map(|v| v.wide()).collect();
    let (value, scale) = sum_of::<f32>(&wide);
    let of = |value: f64| host::build(&[], |_| value);
    check.scaled("sum of 10^7 f32", &array.sum()?, &of(value), &of(scale), &SUM)?;
    let (value, scale) = mean_of::<f32>(&wide);
    check.scaled("mean of 10^7 f32", &array.mean()?, &of(value), &of(scale), &SUM)?;
    // In columns, where every element of the result is summed on its own.
    let tall = array.reshape(&[n / 8, 8])?;
    let both =
        host::reduce(&x.mapv(f64::from).into_shape_with_order(vec![n / 8, 8])?, &[0], false, sum_of::<f32>);
    let (values, scales) = (both.mapv(|(value, _)| value), both.mapv(|(_, scale)| scale));
    check.scaled("sums of 8 columns", &tall.sum_axes(&[0], false)?, &values, &scales, &SUM)?;
    // A tenth in f64: a plain running sum is wrong by some 10^5 roundings.
    let tenths = Array::full(xp, &[n], 0.1)?;
    let (value, scale) = sum_of::<f64>(&vec![0.1; n]);
    check.scaled("sum of 10^7 tenths", &tenths.sum()?, &of(value), &of(scale), &SUM)
}
