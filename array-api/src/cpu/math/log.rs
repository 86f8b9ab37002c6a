//! Logarithms without tables, for `ln(1 + x)` and powers.
//!
//! `x = 2^k (1 + f)` with `1 + f` between `1/sqrt 2` and `sqrt 2`, so that
//! `ln x = k ln 2 + ln(1 + f)`; with `s = f / (2 + f)`,
//! `ln(1 + f) = 2 atanh s = 2 s (1 + s^2/3 + s^4/5 + ...)`.

use super::pair::{Pair, fast_two_sum, polynomial};
use super::real::Real;

/// `k` and `f` of any positive finite number, subnormal ones too.
#[inline(always)]
pub(super) fn split<T: Real>(x: T) -> (T, T) {
    let subnormal = x < T::min_positive_value();
    // Factors instead of two ways, of which vector code would go both.
    let (factor, shift) = if subnormal { (T::INTEGERS, T::DIGITS) } else { (T::one(), T::zero()) };
    let (k, f) = (x * factor).split();
    (k - shift, f)
}

/// `s = f / (2 + f)`.
#[inline(always)]
pub(super) fn atanh_argument<T: Real>(f: T) -> Pair<T> {
    let (d, d_low) = fast_two_sum(T::literal(2.0), f);
    let s = f / d;
    let remainder = (-s).mul_add(d_low, (-s).mul_add(d, f));
    // 1 / (2 + f) = (1 - s) / 2.
    (s, remainder * s.mul_add(T::literal(-0.5), T::literal(0.5)))
}

/// `k ln 2 + ln(1 + f) + low`.
#[inline(always)]
fn logarithm<T: Real>(k: T, f: T, low: T) -> T {
    let (s, s_low) = atanh_argument(f);
    let z = s * s;
    let lead = s + s;
    let (sum, sum_low) = fast_two_sum(k * T::OCTAVE.0, lead);
    // All that does not wait for the polynomial comes first.
    let rest = sum_low + k.mul_add(T::OCTAVE.1, T::literal(2.0).mul_add(s_low, low));
    sum + (lead * z).mul_add(polynomial(z, T::ATANH), rest)
}

/// `y`, the logarithm of a positive finite `x`, or what the logarithm of any other `x` is.
#[inline(always)]
fn with_special_values<T: Real>(x: T, y: T) -> T {
    let special = if x == T::zero() { T::neg_infinity() } else { T::nan() };
    let special = if x > T::zero() { x } else { special };
    if (x > T::zero()) & (x < T::infinity()) { y } else { special }
}

/// `ln(1 + x)`.
#[inline(always)]
pub(super) fn log1p<T: Real>(x: T) -> T {
    // 1 + x = u + u_low without error: Knuth's sum, since either term may be the larger one.
    let u = T::one() + x;
    let rounded = u - T::one();
    let u_low = (T::one() - (u - rounded)) + (x - rounded);
    let (k, f) = u.split();
    // 2^-k u_low belongs to f. Half of the factor is made, since 2^-k may be subnormal.
    let twice_scale = T::half_power_of_two((T::ROUND + T::literal(2.0)) - k);
    let (f, f_low) = fast_two_sum(f, u_low * twice_scale * T::literal(0.5));
    // d ln(1 + f) = df / (1 + f); three terms of the geometric series do for so small a df.
    let low = f_low * f.mul_add(f - T::one(), T::one());
    let y = with_special_values(u, logarithm(k, f, low));
    // x - x^2/2 rounds to x here, and zero keeps its sign.
    if x.abs() < T::literal(0.25) * T::epsilon() { x } else { y }
}
