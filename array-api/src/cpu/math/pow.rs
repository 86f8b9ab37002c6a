//! Powers: `x^y = 2^(y log2 x)`.
//!
//! The product may be as large as the largest exponent, which takes that many digits from its
//! fraction: the logarithm is needed to nearly twice the precision of the type.

use super::exp::{clamp, power_of_two};
use super::log::{atanh_argument, split};
use super::pair::{Pair, fast_two_sum, polynomial, product, scaled};
use super::real::Real;

/// `log2 x` of a positive finite number, relative error about `2^-64` (`f64`), `2^-35` (`f32`).
#[inline(always)]
fn log2_pair<T: Real>(x: T) -> Pair<T> {
    let (k, f) = split(x);
    let (s, s_low) = atanh_argument(f);
    let z = s * s;
    let z_low = (s + s).mul_add(s_low, s.mul_add(s, -z));
    // k + lead + lead z/3, the terms that need both parts,
    let (lead, lead_low) = product((s, s_low), T::TWO_LOG2_E);
    let (third, third_low) = product((lead, lead_low), product((z, z_low), T::THIRD));
    let (sum, sum_low) = fast_two_sum(k, lead);
    let (sum, sum_lower) = fast_two_sum(sum, third);
    let low = (sum_low + sum_lower) + (lead_low + third_low);
    // then lead z^2 (1/5 + z/7 + ...), which is smaller by 2^-12 at least.
    let z_rounded = z + z_low;
    let rest = (lead + lead_low) * z_rounded * z_rounded;
    fast_two_sum(sum, rest.mul_add(polynomial(z, T::ATANH_TAIL), low))
}

/// Whether a number is an integer; infinities are.
#[inline(always)]
fn is_integer<T: Real>(y: T) -> bool {
    let a = y.abs();
    (a >= T::INTEGERS) | ((a + T::INTEGERS) - T::INTEGERS == a)
}

/// `x^y`.
#[inline(always)]
pub(super) fn pow<T: Real>(x: T, y: T) -> T {
    let a = x.abs();
    let (log, log_low) = log2_pair(a);
    let log = if a == T::zero() { T::neg_infinity() } else { log };
    let log = if a < T::infinity() { log } else { a };
    // The logarithm nearest to zero is half an epsilon, so that a larger y changes nothing; an
    // infinite one times the logarithm of one would be NaN.
    let limit = T::literal(1e20);
    let magnitude = power_of_two(scaled(clamp(y, -limit, limit), (log, log_low)));

    let integer = is_integer(y);
    let odd = integer & !is_integer(T::literal(0.5) * y);
    let value = if odd { magnitude.copysign(x) } else { magnitude };
    let undefined = (x < T::zero()) & (x > T::neg_infinity()) & !integer;
    let value = if undefined { T::nan() } else { value };
    // Whatever the other argument is, even NaN.
    if (x == T::one()) | (y == T::zero()) { T::one() } else { value }
}
