//! The operators `+ - * /`, between arrays, and between an array and a number on either side.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::testing::{Backend, Case, Check, Fill, Number, Outcome, cases, for_all, host, operand, pair};
use host_arrays::{Rule1, Rule2};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["operators": plus, minus, times, over, minus_sign]
}

macro_rules! operators {
    ($($name:ident, $trait:ident, $method:ident, [$($t:ty),*], |$a:ident, $b:ident| $rule:expr;)*) => {$(
        fn $name<B: Backend>(xp: &B, check: &Check) -> Outcome {
            let rule = Rule2 { float: |$a, $b| $rule, whole: operators!(@whole $trait |$a, $b| $rule) };
            $(
                for_all(pair::<$t, $t>((Fill::Sprinkled(-90.0, 90.0), Fill::Sprinkled(-9.0, 9.0))), |(a, b)| {
                    let apply = |x: $t, y: $t| x.binary(y, &rule);
                    let (x, y) = (a.on(xp)?, b.on(xp)?);
                    let expected = host::zip(&a.host, &b.host, apply);
                    check.same("array and array", &$trait::$method(&x, &y)?, &expected)?;
                    let [owned, kept] = a.twice(xp)?;
                    check.same("owned array and array", &$trait::$method(owned, &y)?, &expected)?;
                    check.same("another view of the owned array", &kept, &a.host)?;
                    check.same("sole owner and array", &$trait::$method(a.on(xp)?, &y)?, &expected)?;
                    let Some(&number) = b.host.first() else { return Ok(()) };
                    let expected = host::map(&a.host, |v| apply(v, number));
                    check.same("array and number", &$trait::$method(&x, number)?, &expected)?;
                    check.same("owned array and number", &$trait::$method(x.clone(), number)?, &expected)?;
                    check.same("another view of the array", &x, &a.host)
                })?;
            )*
            operators!(@left xp, check, $trait, $method, rule; f32 f64);
            Ok(())
        }
    )*};
    (@whole Div $rule:expr) => { |a, _| a };
    (@whole $trait:ident $rule:expr) => { $rule };
    (@left $xp:ident, $check:ident, $trait:ident, $method:ident, $rule:ident; $($t:ty)*) => {$(
        for_all(operand::<$t>(Fill::Sprinkled(-9.0, 9.0)), |a| {
            let expected = host::map(&a.host, |v| <$t as Number>::binary(2.5, v, &$rule));
            let number: $t = 2.5;
            $check.same("number and array", &$trait::$method(number, &a.on($xp)?)?, &expected)
        })?;
    )*};
}

operators! {
    plus, Add, add, [f32, f64, i32, i64, u8], |a, b| a + b;
    minus, Sub, sub, [f32, f64, i32, i64, u8], |a, b| a - b;
    times, Mul, mul, [f32, f64, i32, i64, u8], |a, b| a * b;
    over, Div, div, [f32, f64], |a, b| a / b;
}

fn minus_sign<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let rule = Rule1 { float: |x| -x, whole: |x| -x };
        for_all(operand::<T>(Fill::Sprinkled(-9.0, 9.0)), |x| {
            check.same("-x", &Neg::neg(&x.on(xp)?)?, &host::map(&x.host, |v| v.unary(&rule)))
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    body::<i32, B>(xp, check)?;
    body::<i64, B>(xp, check)?;
    body::<u8, B>(xp, check)
}
