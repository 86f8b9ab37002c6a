//! Logarithms and exponentials by tables of 16 entries, which vector registers hold, or a few lines of the cache.
//!
//! With `m` the fraction of `x = 2^k m` and `c` the entry near `1/m`, `t = c m - 1` is small, and
//! `log_b x = k log_b 2 - log_b c + log_b(1 + t)`. With `n` the integer nearest to `16 x log2 b`,
//! `b^x = 2^(n/16) b^r`, where `r = x - n/16 log_b 2` is small and `2^(n/16)` a power of two times
//! an entry (Tang, ACM Trans. Math. Softw. 15, 1989, and 16, 1990).

use super::lanes::Lanes;
use super::tables::{Exponential, Logarithm, Tables};

/// A function of one number.
pub trait Function: Copy {
    /// The function of each number of a vector.
    fn at<T: Tables, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector;
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident: $method:ident $constants:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name;
        impl Function for $name {
            #[inline(always)]
            fn at<T: Tables, L: Lanes<T>>(self, lanes: L, x: L::Vector) -> L::Vector {
                $method(lanes, &T::$constants, x)
            }
        }
    )*};
}

functions! {
    /// `e^x`.
    Exp: exp EXP_E;
    /// `2^x`.
    Exp2: exp EXP_2;
    /// `10^x`.
    Exp10: exp EXP_10;
    /// `ln x`.
    Ln: log LOG_E;
    /// `log2 x`.
    Log2: log LOG_2;
    /// `log10 x`.
    Log10: log LOG_10;
}

/// The polynomial with these coefficients, highest power first: see [`pair`](super::pair::polynomial).
#[inline(always)]
fn polynomial<T: Tables, L: Lanes<T>>(
    lanes: L,
    x: L::Vector,
    square: L::Vector,
    coefficients: &[T],
) -> L::Vector {
    let mut sums = [lanes.all(coefficients[0]), lanes.all(coefficients[1])];
    let mut next = 2;
    while next < coefficients.len() {
        sums[next % 2] = lanes.multiply_add(sums[next % 2], square, lanes.all(coefficients[next]));
        next += 1;
    }
    lanes.multiply_add(sums[next % 2], x, sums[1 - next % 2])
}

/// `log_b x`.
#[inline(always)]
fn log<T: Tables, L: Lanes<T>>(lanes: L, base: &Logarithm<T>, x: L::Vector) -> L::Vector {
    match lanes.split_normal(x) {
        Some(parts) => log_of_parts(lanes, base, parts),
        None => lanes.with_special_values(x, log_of_parts(lanes, base, lanes.split(x))),
    }
}

/// `log_b x` of positive finite numbers, given what [`Lanes::split`] makes of them.
#[inline(always)]
fn log_of_parts<T: Tables, L: Lanes<T>>(
    lanes: L,
    base: &Logarithm<T>,
    (k, m, index): (L::Vector, L::Vector, L::Vector),
) -> L::Vector {
    let [c, log, log_low] = lanes.entries(&base.table, index);
    let t = lanes.multiply_add(m, c, lanes.all(-T::one()));
    // k log_b 2 - log_b c has no error but that of its low part; where x is near one, it is zero.
    let high = lanes.multiply_add(k, lanes.all(base.octave.0), log);
    let low = lanes.multiply_add(k, lanes.all(base.octave.1), log_low);
    // Then t / ln b: what rounding leaves of the sum is a number again.
    let lead = lanes.all(base.lead);
    let sum = lanes.multiply_add(t, lead, high);
    let rest = lanes.multiply_add(t, lead, lanes.subtract(high, sum));
    let square = lanes.multiply(t, t);
    let series = polynomial(lanes, t, square, base.series.as_ref());
    lanes.add(sum, lanes.multiply_add(series, square, lanes.add(low, rest)))
}

/// `b^x`.
#[inline(always)]
fn exp<T: Tables, L: Lanes<T>>(lanes: L, base: &Exponential<T>, x: L::Vector) -> L::Vector {
    // Results overflow, or vanish, well before.
    let limit = T::literal(1.5) * T::MAX_EXPONENT / base.octaves;
    let x = lanes.clamp(x, -limit, limit);
    let round = lanes.all(T::ROUND_TO_16THS);
    let w = lanes.multiply_add(x, lanes.all(base.octaves), round);
    let n = lanes.subtract(w, round);
    let r = lanes.multiply_add(n, lanes.all(-base.octave.0), x);
    let r = lanes.multiply_add(n, lanes.all(-base.octave.1), r);
    let series = polynomial(lanes, r, lanes.multiply(r, r), base.series.as_ref());
    let [root_low, root] = lanes.entries(&T::ROOTS, w);
    let rest = lanes.multiply_add(root, lanes.multiply(r, series), root_low);
    lanes.scale(lanes.add(root, rest), w)
}
