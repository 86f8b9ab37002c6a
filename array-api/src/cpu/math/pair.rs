//! Values to twice the precision of a floating point type, and polynomials.
//!
//! The sums and products are Dekker's (Numer. Math. 18, 1971) and those of Ogita, Rump & Oishi
//! (SIAM J. Sci. Comput. 26, 2005), with a fused multiplication in the place of split factors.

use super::real::Real;

/// A value as the unrounded sum of a rounded part and what rounding left over.
pub(super) type Pair<T> = (T, T);

/// `a + b` without error, for `|a| >= |b|` or `a == 0`.
#[inline(always)]
pub(super) fn fast_two_sum<T: Real>(a: T, b: T) -> Pair<T> {
    let sum = a + b;
    (sum, (a - sum) + b)
}

/// `x * y`.
#[inline(always)]
pub(super) fn scaled<T: Real>(x: T, y: Pair<T>) -> Pair<T> {
    let high = x * y.0;
    (high, x.mul_add(y.1, x.mul_add(y.0, -high)))
}

/// `x * y`.
#[inline(always)]
pub(super) fn product<T: Real>(x: Pair<T>, y: Pair<T>) -> Pair<T> {
    let (high, low) = scaled(x.0, y);
    (high, x.1.mul_add(y.0, low))
}

/// The polynomial with these coefficients, highest power first.
///
/// Odd and even powers make two Horner schemes in `x^2`, independent of one another, since a
/// processor waits several cycles for each step of one.
#[inline(always)]
pub(super) fn polynomial<T: Real>(x: T, coefficients: &[T]) -> T {
    let square = x * x;
    let horner = |first: usize| {
        let terms = coefficients[first..].iter().step_by(2).copied();
        terms.reduce(|sum, c| sum.mul_add(square, c)).unwrap_or(T::zero())
    };
    let odd = coefficients.len() % 2;
    horner(odd).mul_add(x, horner(1 - odd))
}
