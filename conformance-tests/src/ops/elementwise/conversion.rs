//! Conversion between element types, and functions with bounds or replacements as parameters.

use array_api::Cast;

use crate::testing::{
    Array, Backend, Case, Check, Fill, Number, Outcome, Real, Value, cases, for_all, host, operand, reference,
};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["elementwise": astype, clip, threshold, nan_to_num]
}

/// Conversion from one type to another: random views, and NumPy's values where it has any.
fn cast<T: Value + Cast<U>, U: Value, B: Backend>(xp: &B, check: &Check, rule: fn(T) -> U) -> Outcome {
    let what = format!("{} to {}", T::DTYPE, U::DTYPE);
    for_all(operand::<T>(Fill::Sprinkled(-300.0, 300.0)), |x| {
        let array = x.on(xp)?;
        check.same(&what, &array.astype::<U>()?, &host::map(&x.host, rule))?;
        check.same("the argument", &array, &x.host)
    })?;
    for record in reference::records::<T>("astype").unwrap_or_default() {
        if record.gives::<U>() {
            let found = host::upload(xp, &record.input::<T>(0)?)?.astype::<U>()?;
            check.same(&record.title(), &found, &record.output()?)?;
        }
    }
    Ok(())
}

/// The integer towards zero, or the end of the range beyond which a number lies; 0 for NaN.
fn truncated(x: f64, low: i128, high: i128) -> i128 {
    if x.is_nan() {
        0
    } else if x <= low as f64 {
        low
    } else if x >= high as f64 {
        high
    } else {
        x.trunc() as i128
    }
}

fn astype<B: Backend>(xp: &B, check: &Check) -> Outcome {
    macro_rules! from_each {
        ($($t:ident)* => $convert:ident $to:tt) => { $($convert!($t, $to);)* };
    }
    macro_rules! number_to_float {
        ($t:ident, $u:ident) => {
            cast::<$t, $u, B>(xp, check, |x| x as $u)?
        };
    }
    macro_rules! float_to_integer {
        ($t:ident, $u:ident) => {
            cast::<$t, $u, B>(xp, check, |x| truncated(f64::from(x), $u::MIN.into(), $u::MAX.into()) as $u)?
        };
    }
    macro_rules! integer_to_integer {
        ($t:ident, $u:ident) => {
            cast::<$t, $u, B>(xp, check, |x| i128::from(x) as $u)?
        };
    }
    macro_rules! number_to_truth {
        ($t:ident, bool) => {
            cast::<$t, bool, B>(xp, check, |x| x != $t::default())?
        };
    }
    macro_rules! truth_to_any {
        (bool, $u:ident) => {
            cast::<bool, $u, B>(xp, check, |x| if x { $u::from(true) } else { $u::default() })?
        };
    }
    from_each!(f32 f64 i32 i64 u8 => number_to_float f32);
    from_each!(f32 f64 i32 i64 u8 => number_to_float f64);
    from_each!(f32 f64 => float_to_integer i32);
    from_each!(f32 f64 => float_to_integer i64);
    from_each!(f32 f64 => float_to_integer u8);
    from_each!(i32 i64 u8 => integer_to_integer i32);
    from_each!(i32 i64 u8 => integer_to_integer i64);
    from_each!(i32 i64 u8 => integer_to_integer u8);
    from_each!(f32 f64 i32 i64 u8 => number_to_truth bool);
    from_each!(bool => truth_to_any f32);
    from_each!(bool => truth_to_any f64);
    from_each!(bool => truth_to_any i32);
    from_each!(bool => truth_to_any i64);
    from_each!(bool => truth_to_any u8);
    from_each!(bool => truth_to_any bool);
    Ok(())
}

fn clip<B: Backend>(xp: &B, check: &Check) -> Outcome {
    /// Not below `low`, then not above `high`; NaN if any of the three is.
    fn clipped<T: Number>(x: T, low: T, high: T) -> T {
        let nan = [x, low, high].into_iter().find(|v| v.is_nan_value());
        nan.unwrap_or_else(|| {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        })
    }
    fn body<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((operand::<T>(Fill::Sprinkled(-9.0, 9.0)), proptest::num::u64::ANY), |(x, seed)| {
            let bounds = host::random::<T>(&[2], Fill::Sprinkled(-9.0, 9.0), seed);
            let found = x.on(xp)?.clip(bounds[0], bounds[1])?;
            check.same_values("clip", &found, &host::map(&x.host, |v| clipped(v, bounds[0], bounds[1])))
        })?;
        for record in reference::records::<T>("clip")? {
            let bounds = record.input::<T>(1)?;
            let found = host::upload(xp, &record.input::<T>(0)?)?.clip(bounds[0], bounds[1])?;
            check.same_values(&format!("{} {bounds}", record.title()), &found, &record.output()?)?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    body::<i32, B>(xp, check)?;
    body::<i64, B>(xp, check)?;
    body::<u8, B>(xp, check)
}

/// What is between two bounds, and what stays there.
fn threshold<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((operand::<T>(Fill::Sprinkled(-9.0, 9.0)), proptest::num::u64::ANY), |(x, seed)| {
            let numbers = host::random::<T>(&[3], Fill::Sprinkled(-9.0, 9.0), seed);
            let (low, high, value) = (numbers[0], numbers[1], numbers[2]);
            let inside = |v: T| v >= low && v <= high;
            let array = x.on(xp)?;
            let expected = host::map(&x.host, |v| if inside(v) { v } else { value });
            check.same("threshold", &array.threshold(low, high, value)?, &expected)?;
            check.same("in an expression", &array.lazy().threshold(low, high, value).eval()?, &expected)?;
            let expected = host::map(&x.host, inside);
            check.same("between", &array.between(low, high)?, &expected)?;
            check.same("between in an expression", &array.lazy().between(low, high).eval()?, &expected)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    body::<i32, B>(xp, check)?;
    body::<i64, B>(xp, check)?;
    body::<u8, B>(xp, check)
}

fn nan_to_num<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let [nan, posinf, neginf] = [0.25, T::narrow(f64::INFINITY).wide(), -7.0].map(T::narrow);
        let replaced = |x: T| match x.wide() {
            v if v.is_nan() => nan,
            f64::INFINITY => posinf,
            f64::NEG_INFINITY => neginf,
            _ => x,
        };
        for_all(operand::<T>(Fill::Sprinkled(-9.0, 9.0)), |x| {
            let expected = host::map(&x.host, replaced);
            check.same("nan_to_num", &x.on(xp)?.nan_to_num(nan, posinf, neginf)?, &expected)?;
            let [mut changed, kept]: [Array<T, B>; 2] = x.twice(xp)?;
            changed.nan_to_num_assign(nan, posinf, neginf)?;
            check.same("in place", &changed, &expected)?;
            check.same("another view of the changed array", &kept, &x.host)
        })?;
        for record in reference::records::<T>("nan_to_num")? {
            let by = record.input::<T>(1)?;
            let found = host::upload(xp, &record.input::<T>(0)?)?.nan_to_num(by[0], by[1], by[2])?;
            check.same(&record.title(), &found, &record.output()?)?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}
