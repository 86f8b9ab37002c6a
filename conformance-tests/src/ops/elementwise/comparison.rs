//! Functions of two elements whose result is a truth value.

use std::cmp::Ordering;

use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Method2, Outcome, ScalarMethod, Value, cases, for_all, host,
    pair, reference,
};
use host_arrays::truth;

/// A comparison with an array and with one element.
struct Forms<T: Value, B: Backend> {
    new: Method2<T, bool, B>,
    scalar: ScalarMethod<T, bool, B>,
}

/// Both forms on random views that broadcast, and NumPy's values.
fn comparison<T: Value, B: Backend>(
    xp: &B,
    check: &Check,
    op: &'static str,
    holds: fn(T, T) -> bool,
    forms: &Forms<T, B>,
) -> Outcome {
    for fill in [Fill::Few, Fill::Sprinkled(-2.0, 3.0)] {
        for_all(pair::<T, T>((fill, Fill::Few)), |(a, b)| {
            let (x, y) = (a.on(xp)?, b.on(xp)?);
            check.same(op, &(forms.new)(&x, &y)?, &host::zip(&a.host, &b.host, holds))?;
            let Some(&scalar) = b.host.first() else { return Ok(()) };
            check.same(
                "with a scalar",
                &(forms.scalar)(&x, scalar)?,
                &host::map(&a.host, |v| holds(v, scalar)),
            )
        })?;
    }
    let (x, y) = (Array::zeros(xp, &[2, 3])?, Array::zeros(xp, &[4])?);
    let mismatch = Error::ShapeMismatch { operation: op, left: vec![2, 3], right: vec![4] };
    check.refused("shapes that do not fit", (forms.new)(&x, &y), &mismatch)?;
    for record in reference::records::<T>(op)? {
        let (a, b) = (host::upload(xp, &record.input(0)?)?, host::upload(xp, &record.input(1)?)?);
        check.same(&record.title(), &(forms.new)(&a, &b)?, &record.output()?)?;
    }
    Ok(())
}

macro_rules! comparisons {
    ($($name:ident, $scalar:ident, |$a:ident, $b:ident| $holds:expr;)*) => {
        $(fn $name<B: Backend>(xp: &B, check: &Check) -> Outcome {
            comparisons!(@types xp, check, $name, $scalar, |$a, $b| $holds; f32 f64 i32 i64 u8 bool);
            Ok(())
        })*

        pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
            cases!["elementwise": $($name),*]
        }
    };
    (@types $xp:ident, $check:ident, $name:ident, $scalar:ident, $holds:expr; $($t:ident)*) => {
        $(comparison::<$t, B>($xp, $check, stringify!($name), $holds, &Forms {
            new: Array::$name,
            scalar: Array::$scalar,
        })?;)*
    };
}

comparisons! {
    equal, equal_scalar, |a, b| a == b;
    not_equal, not_equal_scalar, |a, b| a != b;
    less, less_scalar, |a, b| a.partial_cmp(&b) == Some(Ordering::Less);
    less_equal, less_equal_scalar, |a, b| a <= b;
    greater, greater_scalar, |a, b| a.partial_cmp(&b) == Some(Ordering::Greater);
    greater_equal, greater_equal_scalar, |a, b| a >= b;
    logical_and, logical_and_scalar, |a, b| truth(a) && truth(b);
    logical_or, logical_or_scalar, |a, b| truth(a) || truth(b);
    logical_xor, logical_xor_scalar, |a, b| truth(a) != truth(b);
}
