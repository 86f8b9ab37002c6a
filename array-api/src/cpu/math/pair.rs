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
    let odd = coefficients.len() % 2;
    horner(x * x, coefficients, odd).mul_add(x, horner(x * x, coefficients, 1 - odd))
}

/// The polynomial whose coefficients are every second one from `first` on.
///
/// A plain loop: where the compiler splits a crate for speed of its own, it does not inline what
/// iterators call, and nothing around such a call is vectorised.
#[inline(always)]
fn horner<T: Real>(x: T, coefficients: &[T], first: usize) -> T {
    let mut sum = coefficients[first];
    let mut next = first + 2;
    while next < coefficients.len() {
        sum = sum.mul_add(x, coefficients[next]);
        next += 2;
    }
    sum
}
