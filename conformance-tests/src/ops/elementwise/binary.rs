//! Functions of two numbers that keep the element type.

use std::cmp::Ordering;

use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Method2, Method2InPlace, Number, Operand, Outcome, Real,
    Result, ScalarMethod, cases, for_all, host, pair, reference,
};
use crate::tolerance::{EXACT, EXACT_VALUE, FLOOR_DIVIDE, LOGADDEXP, TRANSCENDENTAL, Tolerance};
use host_arrays::Rule2;

/// A function in all its forms.
struct Forms<T: Number, B: Backend> {
    op: &'static str,
    new: Method2<T, T, B>,
    in_place: Method2InPlace<T, B>,
    scalar: ScalarMethod<T, T, B>,
    scalar_in_place: fn(&mut Array<T, B>, T) -> Result<()>,
}

macro_rules! forms {
    ($name:ident, $in_place:ident, $scalar:ident, $scalar_in_place:ident) => {
        Forms {
            op: stringify!($name),
            new: Array::$name,
            in_place: Array::$in_place,
            scalar: Array::$scalar,
            scalar_in_place: Array::$scalar_in_place,
        }
    };
}

impl<T: Number, B: Backend> Forms<T, B> {
    /// The forms in place and with a scalar give the same bits as the one that makes a new array,
    /// and change nothing else.
    fn agree(&self, xp: &B, check: &Check, a: &Operand<T>, b: &Operand<T>) -> Outcome {
        let (x, y) = (a.on(xp)?, b.on(xp)?);
        let result = host::download(&(self.new)(&x, &y)?)?;
        let [mut changed, kept] = a.twice(xp)?;
        let outcome = (self.in_place)(&mut changed, &y);
        if result.shape() == a.host.shape() {
            outcome?;
            check.same("in place, shared", &changed, &result)?;
            let mut alone = a.on(xp)?;
            (self.in_place)(&mut alone, &y)?;
            check.same("in place, alone", &alone, &result)?;
        } else {
            let (left, right) = (a.host.shape().to_vec(), b.host.shape().to_vec());
            check.refused(
                "a larger operand",
                outcome,
                &Error::ShapeMismatch { operation: self.op, left, right },
            )?;
            check.same("unchanged after an error", &changed, &a.host)?;
        }
        check.same("another view of the changed array", &kept, &a.host)?;
        check.same("the second argument", &y, &b.host)?;
        self.agree_with_itself(xp, check, a)?;
        let Some(&scalar) = b.host.first() else { return Ok(()) };
        let expected = host::download(&(self.new)(&x, &Array::full(xp, &[], scalar)?)?)?;
        check.same("with a scalar", &(self.scalar)(&x, scalar)?, &expected)?;
        let [mut changed, kept] = a.twice(xp)?;
        (self.scalar_in_place)(&mut changed, scalar)?;
        check.same("in place with a scalar", &changed, &expected)?;
        check.same("another view of the array changed by a scalar", &kept, &a.host)
    }

    /// `x op= reversed x`: the second argument is another view of the array that changes.
    fn agree_with_itself(&self, xp: &B, check: &Check, a: &Operand<T>) -> Outcome {
        let mut x = a.on(xp)?;
        let axes: Vec<isize> = (0..x.ndim() as isize).collect();
        let reversed = x.flip(&axes)?;
        let expected = host::download(&(self.new)(&x, &reversed)?)?;
        (self.in_place)(&mut x, &reversed)?;
        check.same("in place with a view of itself", &x, &expected)
    }

    /// Shapes that do not fit are both named.
    fn mismatch(&self, xp: &B, check: &Check) -> Outcome {
        let (x, y) = (Array::zeros(xp, &[2, 3])?, Array::zeros(xp, &[4])?);
        let error = Error::ShapeMismatch { operation: self.op, left: vec![2, 3], right: vec![4] };
        check.refused("shapes that do not fit", (self.new)(&x, &y), &error)
    }

    /// NumPy's values.
    fn numpy(&self, xp: &B, check: &Check, tolerance: &Tolerance) -> Outcome {
        for record in reference::records::<T>(self.op)? {
            let (a, b) = (host::upload(xp, &record.input(0)?)?, host::upload(xp, &record.input(1)?)?);
            check.close(&record.title(), &(self.new)(&a, &b)?, &record.output()?, tolerance)?;
        }
        Ok(())
    }
}

/// All forms of a function on random views that broadcast, and NumPy's values.
fn binary<T: Number, B: Backend>(
    xp: &B,
    check: &Check,
    (fills, tolerance): ((Fill, Fill), &Tolerance),
    rule: impl Fn(T, T) -> T,
    forms: &Forms<T, B>,
) -> Outcome {
    for_all(pair::<T, T>(fills), |(a, b)| {
        let found = (forms.new)(&a.on(xp)?, &b.on(xp)?)?;
        check.close(forms.op, &found, &host::zip(&a.host, &b.host, &rule), tolerance)?;
        forms.agree(xp, check, &a, &b)
    })?;
    forms.mismatch(xp, check)?;
    forms.numpy(xp, check, tolerance)
}

macro_rules! functions {
    ($([$($t:ty),*] ($name:ident, $in_place:ident, $scalar:ident, $scalar_in_place:ident),
        ($low1:expr, $high1:expr), ($low2:expr, $high2:expr), $tolerance:ident, $float:expr, $whole:expr;)*) => {
        $(fn $name<B: Backend>(xp: &B, check: &Check) -> Outcome {
            let rule = Rule2 { float: $float, whole: $whole };
            let case = ((Fill::Sprinkled($low1, $high1), Fill::Sprinkled($low2, $high2)), &$tolerance);
            $(binary::<$t, B>(xp, check, case, |a, b| a.binary(b, &rule),
                &forms!($name, $in_place, $scalar, $scalar_in_place))?;)*
            Ok(())
        })*

        pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
            cases!["elementwise": $($name,)* nextafter, logaddexp]
        }
    };
}

/// Stands for the integer form of a function that has none.
fn none(a: i128, _: i128) -> i128 {
    a
}

/// Python's `a // b`, and 0 for integers divided by zero, as NumPy has it.
fn floor_quotient(a: i128, b: i128) -> i128 {
    if b == 0 { 0 } else { a.div_euclid(b) - i128::from(b < 0 && a.rem_euclid(b) != 0) }
}

/// Python's `a // b` for floating point, infinite or NaN for a division by zero.
fn floor_quotient_float(a: f64, b: f64) -> f64 {
    let rest = remainder_float(a, b);
    if b == 0.0 {
        a / b
    } else if rest.is_finite() && b.is_finite() {
        // a - rest is a multiple of b but for rounding.
        let quotient = ((a - rest) / b).round();
        if quotient == 0.0 { 0.0_f64.copysign(a / b) } else { quotient }
    } else if a.is_finite() && b.is_infinite() {
        if a != 0.0 && (a < 0.0) != (b < 0.0) { -1.0 } else { 0.0_f64.copysign(a / b) }
    } else {
        f64::NAN
    }
}

/// Python's `a % b`: the remainder of `fmod`, moved to the side of the divisor's sign.
fn remainder_float(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        0.0_f64.copysign(b)
    } else if (rest < 0.0) != (b < 0.0) {
        rest + b
    } else {
        rest
    }
}

fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn smaller(a: f64, b: f64) -> f64 {
    -larger(-a, -b)
}

/// A shift towards the high bits; negative counts and those beyond the width shift everything out.
fn shifted_left(a: i128, by: i128) -> i128 {
    if (0..64).contains(&by) { a << by } else { 0 }
}

/// A shift towards the low bits that keeps the sign, likewise.
fn shifted_right(a: i128, by: i128) -> i128 {
    a >> if (0..64).contains(&by) { by } else { 64 }
}

functions! {
    [f32, f64, i32, i64, u8] (add, add_assign, add_scalar, add_scalar_assign),
        (-100.0, 100.0), (-100.0, 100.0), EXACT, |a, b| a + b, |a, b| a + b;
    [f32, f64, i32, i64, u8] (subtract, subtract_assign, subtract_scalar, subtract_scalar_assign),
        (-100.0, 100.0), (-100.0, 100.0), EXACT, |a, b| a - b, |a, b| a - b;
    [f32, f64, i32, i64, u8] (multiply, multiply_assign, multiply_scalar, multiply_scalar_assign),
        (-100.0, 100.0), (-100.0, 100.0), EXACT, |a, b| a * b, |a, b| a * b;
    [f32, f64] (divide, divide_assign, divide_scalar, divide_scalar_assign),
        (-100.0, 100.0), (-9.0, 9.0), EXACT, |a, b| a / b, none;
    [f32, f64, i32, i64, u8] (floor_divide, floor_divide_assign, floor_divide_scalar, floor_divide_scalar_assign),
        (-100.0, 100.0), (-9.0, 9.0), FLOOR_DIVIDE, floor_quotient_float, floor_quotient;
    [f32, f64, i32, i64, u8] (remainder, remainder_assign, remainder_scalar, remainder_scalar_assign),
        (-100.0, 100.0), (-9.0, 9.0), EXACT, remainder_float,
        |a, b| if b == 0 { 0 } else { a - b * floor_quotient(a, b) };
    [f32, f64] (pow, pow_assign, pow_scalar, pow_scalar_assign),
        (-1.0, 9.0), (-9.0, 9.0), TRANSCENDENTAL, f64::powf, none;
    [f32, f64, i32, i64, u8] (maximum, maximum_assign, maximum_scalar, maximum_scalar_assign),
        (-9.0, 9.0), (-9.0, 9.0), EXACT_VALUE, larger, Ord::max;
    [f32, f64, i32, i64, u8] (minimum, minimum_assign, minimum_scalar, minimum_scalar_assign),
        (-9.0, 9.0), (-9.0, 9.0), EXACT_VALUE, smaller, Ord::min;
    [f32, f64] (atan2, atan2_assign, atan2_scalar, atan2_scalar_assign),
        (-9.0, 9.0), (-9.0, 9.0), TRANSCENDENTAL, f64::atan2, none;
    [f32, f64] (hypot, hypot_assign, hypot_scalar, hypot_scalar_assign),
        (-9.0, 9.0), (-9.0, 9.0), TRANSCENDENTAL, f64::hypot, none;
    [f32, f64] (copysign, copysign_assign, copysign_scalar, copysign_scalar_assign),
        (-9.0, 9.0), (-9.0, 9.0), EXACT, f64::copysign, none;
    [i32, i64, u8] (bitwise_and, bitwise_and_assign, bitwise_and_scalar, bitwise_and_scalar_assign),
        (-100.0, 100.0), (-100.0, 100.0), EXACT, |a, _| a, |a, b| a & b;
    [i32, i64, u8] (bitwise_or, bitwise_or_assign, bitwise_or_scalar, bitwise_or_scalar_assign),
        (-100.0, 100.0), (-100.0, 100.0), EXACT, |a, _| a, |a, b| a | b;
    [i32, i64, u8] (bitwise_xor, bitwise_xor_assign, bitwise_xor_scalar, bitwise_xor_scalar_assign),
        (-100.0, 100.0), (-100.0, 100.0), EXACT, |a, _| a, |a, b| a ^ b;
    [i32, i64, u8] (bitwise_left_shift, bitwise_left_shift_assign, bitwise_left_shift_scalar, bitwise_left_shift_scalar_assign),
        (-100.0, 100.0), (-2.0, 70.0), EXACT, |a, _| a, shifted_left;
    [i32, i64, u8] (bitwise_right_shift, bitwise_right_shift_assign, bitwise_right_shift_scalar, bitwise_right_shift_scalar_assign),
        (-100.0, 100.0), (-2.0, 70.0), EXACT, |a, _| a, shifted_right;
}

fn nextafter<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn next<T: Real>(a: T, b: T) -> T {
        if a.wide().is_nan() || b.wide().is_nan() {
            return T::narrow(f64::NAN);
        }
        match b.position().cmp(&a.position()) {
            Ordering::Equal => b,
            // The step from the smallest number to zero keeps the sign.
            Ordering::Greater if a.position() == -1 => T::narrow(-0.0),
            Ordering::Greater => T::at_position(a.position() + 1),
            Ordering::Less => T::at_position(a.position() - 1),
        }
    }
    let case = ((Fill::Sprinkled(-2.0, 2.0), Fill::Few), &EXACT);
    let f32_forms = forms!(nextafter, nextafter_assign, nextafter_scalar, nextafter_scalar_assign);
    binary::<f32, B>(xp, check, case, next, &f32_forms)?;
    let f64_forms = forms!(nextafter, nextafter_assign, nextafter_scalar, nextafter_scalar_assign);
    binary::<f64, B>(xp, check, case, next, &f64_forms)
}

fn logaddexp<B: Backend>(xp: &B, check: &Check) -> Outcome {
    /// The larger argument and what the smaller one adds to it.
    fn parts(a: f64, b: f64) -> (f64, f64) {
        let (high, low) = (larger(a, b), smaller(a, b));
        (high, if high == low { std::f64::consts::LN_2 } else { (low - high).exp().ln_1p() })
    }
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, B> =
            forms!(logaddexp, logaddexp_assign, logaddexp_scalar, logaddexp_scalar_assign);
        let fill = Fill::Sprinkled(-9.0, 9.0);
        let compare = |what: &str, found: &Array<T, B>, a: &host::Host<T>, b: &host::Host<T>| {
            let expected = host::zip(a, b, |a, b| parts(a.wide(), b.wide())).mapv(|(high, more)| high + more);
            let scale =
                host::zip(a, b, |a, b| parts(a.wide(), b.wide())).mapv(|(high, more)| high.abs() + more);
            check.scaled(what, found, &expected, &scale, &LOGADDEXP)
        };
        for_all(pair::<T, T>((fill, fill)), |(a, b)| {
            compare("logaddexp", &(forms.new)(&a.on(xp)?, &b.on(xp)?)?, &a.host, &b.host)?;
            forms.agree(xp, check, &a, &b)
        })?;
        forms.mismatch(xp, check)?;
        for record in reference::records::<T>("logaddexp")? {
            let (a, b) = (record.input(0)?, record.input(1)?);
            let found = (forms.new)(&host::upload(xp, &a)?, &host::upload(xp, &b)?)?;
            let scale = host::zip(&a, &b, |a: T, b: T| parts(a.wide(), b.wide()))
                .mapv(|(high, more)| high.abs() + more);
            let expected = record.output::<T>()?.mapv(T::wide);
            check.scaled(&record.title(), &found, &expected, &scale, &LOGADDEXP)?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}
