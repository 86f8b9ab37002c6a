//! Variance, standard deviation and median.

use proptest::prelude::any;

use super::{mean_of, numbers, with_axes};
use crate::testing::{
    Array, Backend, Case, Check, Fill, Host, Outcome, Real, Result, cases, for_all, host, operand, reference,
};
use crate::tolerance::VARIANCE;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["statistical": var, std, median]
}

/// Variance or standard deviation with a correction.
type Spread<T, B> = fn(&Array<T, B>, f64) -> Result<Array<T, B>>;
/// The same over some axes, which may stay with length 1.
type SpreadOfAxes<T, B> = fn(&Array<T, B>, &[isize], f64, bool) -> Result<Array<T, B>>;
/// Variance and its scale: see [`VARIANCE`].
fn variance_of<T: Real>(x: &[f64], correction: f64) -> (f64, f64) {
    let n = x.len() as f64;
    let (mean, scale) = mean_of::<T>(x);
    let divisor = (n - correction).max(0.0);
    let squares: Vec<f64> = x.iter().map(|v| (v - mean) * (v - mean)).collect();
    let variance = host::exact_sum(&squares) / divisor;
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
fn median<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn middle<T: Real>(x: &[T]) -> T {
        let x: Vec<f64> = x.iter().map(|v| v.wide()).collect();
        T::narrow(host::median(&x))
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
