//! Running sums and products.

use super::numbers;
use crate::testing::{
    Array, AxisMethod, Backend, Case, Check, Fill, Host, Outcome, Real, Whole, cases, for_all, host, operand,
    reference,
};
use crate::tolerance::SCAN;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["statistical": cumulative_sum, cumulative_prod]
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
