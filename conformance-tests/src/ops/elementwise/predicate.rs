//! Functions of one number whose result is a truth value.

use crate::testing::{
    Array, Backend, Case, Check, Fill, Method, Outcome, Value, cases, for_all, host, operand, reference,
};
use host_arrays::truth;

/// Random views and NumPy's values.
fn predicate<T: Value, B: Backend>(
    xp: &B,
    check: &Check,
    op: &str,
    method: Method<T, bool, B>,
    holds: fn(T) -> bool,
) -> Outcome {
    for_all(operand::<T>(Fill::Sprinkled(-1.0, 2.0)), |x| {
        check.same(op, &method(&x.on(xp)?)?, &host::map(&x.host, holds))
    })?;
    for record in reference::records::<T>(op)? {
        check.same(&record.title(), &method(&host::upload(xp, &record.input(0)?)?)?, &record.output()?)?;
    }
    Ok(())
}

macro_rules! predicates {
    ($([$($t:ident),*] $name:ident, |$x:ident| $holds:expr;)*) => {
        $(fn $name<B: Backend>(xp: &B, check: &Check) -> Outcome {
            $(predicate::<$t, B>(xp, check, stringify!($name), Array::$name, |$x| $holds)?;)*
            Ok(())
        })*

        pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
            cases!["elementwise": $($name),*]
        }
    };
}

predicates! {
    [f32, f64] isfinite, |x| x * 0.0 == 0.0;
    [f32, f64] isinf, |x| x.abs() > 1.0 && x == x * 2.0;
    [f32, f64] isnan, |x| x.partial_cmp(&x).is_none();
    [f32, f64] signbit, |x| 1.0_f32.copysign(x as f32) < 0.0;
    [f32, f64, i32, i64, u8, bool] logical_not, |x| !truth(x);
}
