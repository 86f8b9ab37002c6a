//! Functions of one number that keep the element type.

use std::f64::consts::LN_2;

use crate::testing::{
    Array, Backend, Case, Check, Fill, Method, Number, Outcome, Result, cases, for_all, host, operand,
    reference,
};
use crate::tolerance::{EXACT, TRANSCENDENTAL, Tolerance};
use host_arrays::Rule1;

/// A function as a method and in place.
struct Forms<T: Number, B: Backend> {
    new: Method<T, T, B>,
    in_place: fn(&mut Array<T, B>) -> Result<()>,
}

/// Both forms on random views, and NumPy's values.
fn unary<T: Number, B: Backend>(
    xp: &B,
    check: &Check,
    (op, fill, tolerance): (&str, Fill, &Tolerance),
    rule: &Rule1,
    forms: &Forms<T, B>,
) -> Outcome {
    for_all(operand::<T>(fill), |x| {
        let array = x.on(xp)?;
        let found = (forms.new)(&array)?;
        check.close(op, &found, &host::map(&x.host, |v| v.unary(rule)), tolerance)?;
        check.same("the argument", &array, &x.host)?;
        let result = host::download(&found)?;
        let [mut changed, kept] = x.twice(xp)?;
        (forms.in_place)(&mut changed)?;
        check.same("in place, shared", &changed, &result)?;
        check.same("another view of the changed array", &kept, &x.host)?;
        let mut alone = x.on(xp)?;
        (forms.in_place)(&mut alone)?;
        check.same("in place, alone", &alone, &result)
    })?;
    for record in reference::records::<T>(op)? {
        let found = (forms.new)(&host::upload(xp, &record.input(0)?)?)?;
        check.close(&record.title(), &found, &record.output()?, tolerance)?;
    }
    Ok(())
}

/// One test body for each function, for each of its element types.
macro_rules! functions {
    ($([$($t:ty),*] $name:ident, $in_place:ident, ($low:expr, $high:expr), $tolerance:ident, $float:expr, $whole:expr;)*) => {
        $(fn $name<B: Backend>(xp: &B, check: &Check) -> Outcome {
            let rule = Rule1 { float: $float, whole: $whole };
            let case = (stringify!($name), Fill::Sprinkled($low, $high), &$tolerance);
            $(unary::<$t, B>(xp, check, case, &rule, &Forms { new: Array::$name, in_place: Array::$in_place })?;)*
            Ok(())
        })*

        pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
            cases!["elementwise": $($name),*]
        }
    };
}

/// `ln(x + sqrt(x^2 + 1))` without cancellation or overflow, odd to the sign of zero.
fn asinh_of(x: f64) -> f64 {
    let a = x.abs();
    let y = if a > 1e9 { a.ln() + LN_2 } else { (a + a * a / (1.0 + a.hypot(1.0))).ln_1p() };
    y.copysign(x)
}

/// `ln(x + sqrt(x^2 - 1))` without cancellation or overflow, NaN below 1.
fn acosh_of(x: f64) -> f64 {
    let t = x - 1.0;
    if t > 1e9 { x.ln() + LN_2 } else { (t + t.sqrt() * (x + 1.0).sqrt()).ln_1p() }
}

/// `ln((1 + x) / (1 - x)) / 2` without cancellation, odd to the sign of zero.
fn atanh_of(x: f64) -> f64 {
    let a = x.abs();
    (0.5 * (2.0 * a / (1.0 - a)).ln_1p()).copysign(x)
}

/// Stands for the integer form of a function that has none.
fn none(x: i128) -> i128 {
    x
}

functions! {
    [f32, f64, i32, i64, u8] abs, abs_assign, (-100.0, 100.0), EXACT, f64::abs, i128::abs;
    [f32, f64, i32, i64, u8] negative, negative_assign, (-100.0, 100.0), EXACT, |x| -x, |x| -x;
    [f32, f64, i32, i64, u8] sign, sign_assign, (-3.0, 3.0), EXACT,
        |x| if x == 0.0 { 0.0 } else if x.is_nan() { x } else { 1.0_f64.copysign(x) }, i128::signum;
    [f32, f64, i32, i64, u8] square, square_assign, (-100.0, 100.0), EXACT, |x| x * x, |x| x * x;
    [f32, f64] sqrt, sqrt_assign, (-5.0, 100.0), EXACT, f64::sqrt, none;
    [f32, f64] reciprocal, reciprocal_assign, (-5.0, 5.0), EXACT, |x| 1.0 / x, none;
    [f32, f64] exp, exp_assign, (-80.0, 80.0), TRANSCENDENTAL, f64::exp, none;
    [f32, f64] exp2, exp2_assign, (-120.0, 120.0), TRANSCENDENTAL, f64::exp2, none;
    [f32, f64] exp10, exp10_assign, (-37.0, 37.0), TRANSCENDENTAL, |x| 10.0_f64.powf(x), none;
    [f32, f64] expm1, expm1_assign, (-3.0, 3.0), TRANSCENDENTAL, f64::exp_m1, none;
    [f32, f64] log, log_assign, (-1.0, 100.0), TRANSCENDENTAL, f64::ln, none;
    [f32, f64] log2, log2_assign, (-1.0, 100.0), TRANSCENDENTAL, f64::log2, none;
    [f32, f64] log10, log10_assign, (-1.0, 1e5), TRANSCENDENTAL, f64::log10, none;
    [f32, f64] log1p, log1p_assign, (-2.0, 3.0), TRANSCENDENTAL, f64::ln_1p, none;
    [f32, f64] sin, sin_assign, (-50.0, 50.0), TRANSCENDENTAL, f64::sin, none;
    [f32, f64] cos, cos_assign, (-50.0, 50.0), TRANSCENDENTAL, f64::cos, none;
    [f32, f64] tan, tan_assign, (-50.0, 50.0), TRANSCENDENTAL, f64::tan, none;
    [f32, f64] asin, asin_assign, (-1.1, 1.1), TRANSCENDENTAL, f64::asin, none;
    [f32, f64] acos, acos_assign, (-1.1, 1.1), TRANSCENDENTAL, f64::acos, none;
    [f32, f64] atan, atan_assign, (-20.0, 20.0), TRANSCENDENTAL, f64::atan, none;
    [f32, f64] sinh, sinh_assign, (-20.0, 20.0), TRANSCENDENTAL, f64::sinh, none;
    [f32, f64] cosh, cosh_assign, (-20.0, 20.0), TRANSCENDENTAL, f64::cosh, none;
    [f32, f64] tanh, tanh_assign, (-5.0, 5.0), TRANSCENDENTAL, f64::tanh, none;
    [f32, f64] asinh, asinh_assign, (-20.0, 20.0), TRANSCENDENTAL, asinh_of, none;
    [f32, f64] acosh, acosh_assign, (0.5, 20.0), TRANSCENDENTAL, acosh_of, none;
    [f32, f64] atanh, atanh_assign, (-1.1, 1.1), TRANSCENDENTAL, atanh_of, none;
    [f32, f64] floor, floor_assign, (-9.0, 9.0), EXACT, f64::floor, none;
    [f32, f64] ceil, ceil_assign, (-9.0, 9.0), EXACT, f64::ceil, none;
    [f32, f64] trunc, trunc_assign, (-9.0, 9.0), EXACT, f64::trunc, none;
    [f32, f64] round, round_assign, (-9.0, 9.0), EXACT, f64::round_ties_even, none;
    [i32, i64, u8] bitwise_invert, bitwise_invert_assign, (-100.0, 100.0), EXACT, |x| x, |x| -1 - x;
}
