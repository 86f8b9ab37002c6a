//! Exponentials without tables, for `e^x - 1`, powers, and longer formulae.
//!
//! `b^x = 2^w` with `w = x log2 b`; with `n` the integer nearest to `w` and `r = w - n`,
//! `2^w = 2^n 2^r`, and `2^r = 1 + r ln 2 + r^2 (...)` is a polynomial.

use super::pair::{Pair, fast_two_sum, polynomial, scaled};
use super::real::Real;

/// `2^n (1 + head + tail)`, with `n` as [`Real::ROUND`] leaves it.
struct Power<T> {
    n: T,
    head: T,
    tail: T,
}

impl<T: Real> Power<T> {
    /// `2^w`, for `|w|` below almost twice the largest exponent.
    #[inline(always)]
    fn of_two(w: Pair<T>) -> Self {
        let n = w.0 + T::ROUND;
        let (r, r_low) = fast_two_sum(w.0 - (n - T::ROUND), w.1);
        let (head, head_low) = scaled(r, T::LN_2);
        let tail = (r * r).mul_add(polynomial(r, T::EXP2), T::LN_2.0.mul_add(r_low, head_low));
        Self { n, head, tail }
    }

    /// The power, rounded.
    #[inline(always)]
    fn value(self) -> T {
        let (high, low) = fast_two_sum(T::one(), self.head);
        (high + (low + self.tail)).scale(self.n)
    }

    /// The power minus one. The sum is made at half its size, where the largest does not overflow.
    #[inline(always)]
    fn minus_one(self) -> T {
        let half = T::half_power_of_two(self.n);
        let (one, one_low) = fast_two_sum(half, T::literal(-0.5));
        let (high, low) = fast_two_sum(one, half * self.head);
        T::literal(2.0) * (high + half.mul_add(self.tail, one_low + low))
    }
}

/// `x`, or the bound beyond which it is; NaN stays NaN.
#[inline(always)]
pub(super) fn clamp<T: Real>(x: T, lowest: T, highest: T) -> T {
    let x = if x < lowest { lowest } else { x };
    if x > highest { highest } else { x }
}

/// `2^w`, for any `w`.
#[inline(always)]
pub(super) fn power_of_two<T: Real>(w: Pair<T>) -> T {
    let limit = T::literal(1.5) * T::MAX_EXPONENT;
    // Beyond the range of results the low part is meaningless, and may be NaN.
    let low = if w.0.abs() < limit { w.1 } else { T::zero() };
    Power::of_two((clamp(w.0, -limit, limit), low)).value()
}

/// `e^x`.
#[inline(always)]
pub(super) fn exp<T: Real>(x: T) -> T {
    let limit = T::MAX_EXPONENT;
    Power::of_two(scaled(clamp(x, -limit, limit), T::LOG2_E)).value()
}

/// `e^x - 1`.
#[inline(always)]
pub(super) fn expm1<T: Real>(x: T) -> T {
    // Results are -1 below, and overflow above with `n` still the largest exponent.
    let highest = T::LN_2.0 * T::MAX_EXPONENT + T::literal(0.2);
    let y = Power::of_two(scaled(clamp(x, T::literal(-40.0), highest), T::LOG2_E)).minus_one();
    // x + x^2/2 rounds to x here; and the sum at half its size would lose the last bit of a
    // subnormal number and the sign of zero.
    if x.abs() < T::literal(0.25) * T::epsilon() { x } else { y }
}
