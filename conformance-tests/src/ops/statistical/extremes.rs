//! Minimum and maximum.

use super::{Forms, forms, numbers, with_axes};
use crate::testing::{Array, Backend, Case, Check, Error, Fill, Number, Outcome, cases, for_all, host};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["statistical": min, max]
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
