//! Element types as the tests see them: bits, random values, and definitions in wider types.

use std::cmp::Ordering;

use array_api::{Element, Float, Integer, Numeric};
use ndarray::ArrayViewD;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::{Host, repeated};

/// Which random values an operand holds.
#[derive(Debug, Clone, Copy)]
pub enum Fill {
    /// Evenly between two numbers.
    Between(f64, f64),
    /// Evenly between two numbers, here and there a NaN, an infinity, a zero of either sign, a
    /// subnormal or a huge number; for integers, the ends of the range.
    Sprinkled(f64, f64),
    /// Evenly between two numbers, but one in thirty is NaN or an infinity.
    Holes(f64, f64),
    /// Few different values, NaN and zeros of both signs among them, so that many are equal.
    Few,
}

/// An element type.
pub trait Value: Element {
    /// Random values.
    fn samples(count: usize, fill: Fill, seed: u64) -> Vec<Self>;

    /// A view repeated along axes of length 1 until it has a shape, in row-major order.
    fn repeated(view: &ArrayViewD<'_, Self>, shape: &[usize]) -> Host<Self>;

    /// The order that sorts: NaN last (first if descending), equal elements as they were.
    fn sorting_order(x: &[Self], descending: bool) -> Vec<usize>;

    /// The value whose bits a number written in hexadecimal gives.
    fn from_hex(digits: &str) -> Option<Self>;

    /// Whether two values are the same: equal bits, or both NaN.
    fn same(self, other: Self) -> bool;
}

/// A number, whose functions are defined by a closure on `f64` or on `i128`.
pub trait Number: Value + Numeric {
    /// A function of one number.
    fn unary(self, rule: &Rule1) -> Self;

    /// A function of two numbers.
    fn binary(self, other: Self, rule: &Rule2) -> Self;

    /// Steps from an expected value to this one: see [`ulps`]; infinite for different integers.
    fn steps(self, expected: Self) -> f64;
}

/// A function of one number, for floating point and for integers (which then wrap around).
pub struct Rule1 {
    /// In double precision.
    pub float: fn(f64) -> f64,
    /// Without limits.
    pub whole: fn(i128) -> i128,
}

/// A function of two numbers, for floating point and for integers (which then wrap around).
pub struct Rule2 {
    /// In double precision.
    pub float: fn(f64, f64) -> f64,
    /// Without limits.
    pub whole: fn(i128, i128) -> i128,
}

/// A floating point number.
pub trait Real: Number + Float {
    /// Distance from 1 to the next number.
    const UNIT: f64;

    /// The value in double precision.
    fn wide(self) -> f64;

    /// The value of this type nearest to a number.
    fn narrow(wide: f64) -> Self;

    /// Position among all values in their order, the two zeros at 0.
    fn position(self) -> i64;

    /// The value at a position.
    fn at_position(position: i64) -> Self;
}

/// An integer.
pub trait Whole: Number + Integer {
    /// The value without limits.
    fn wide(self) -> i128;

    /// The low bits of a number.
    fn wrap(wide: i128) -> Self;
}

/// What is compiled here for each type.
macro_rules! compiled {
    () => {
        fn samples(count: usize, fill: Fill, seed: u64) -> Vec<Self> {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..count).map(|_| Self::sample(&mut rng, fill)).collect()
        }

        fn repeated(view: &ArrayViewD<'_, Self>, shape: &[usize]) -> Host<Self> {
            repeated(view, shape)
        }

        fn sorting_order(x: &[Self], descending: bool) -> Vec<usize> {
            sorting_order(x, descending)
        }
    };
}

fn sorting_order<T: Value>(x: &[T], descending: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&i, &j| {
        let (a, b) = if descending { (x[j], x[i]) } else { (x[i], x[j]) };
        match (a.is_nan_value(), b.is_nan_value()) {
            (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (a, b) => a.cmp(&b),
        }
    });
    order
}

/// A random value.
trait Sample {
    fn sample(rng: &mut ChaCha8Rng, fill: Fill) -> Self;
}

macro_rules! reals {
    ($($t:ident, $bits:ident, $signed:ident;)*) => {$(
        impl Sample for $t {
            fn sample(rng: &mut ChaCha8Rng, fill: Fill) -> Self {
                const SPECIAL: [$t; 11] = [
                    $t::NAN, $t::INFINITY, $t::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0,
                    $t::MIN_POSITIVE, -$t::MIN_POSITIVE / 8.0, $t::MAX, $t::MIN,
                ];
                match fill {
                    Fill::Sprinkled(..) if rng.random_ratio(1, 8) => {
                        SPECIAL[rng.random_range(0..SPECIAL.len())]
                    }
                    Fill::Holes(..) if rng.random_ratio(1, 30) => SPECIAL[rng.random_range(0..3)],
                    Fill::Between(low, high) | Fill::Sprinkled(low, high) | Fill::Holes(low, high) => {
                        rng.random_range(low..high) as $t
                    }
                    Fill::Few => [0.0, -0.0, 1.0, 2.5, -3.0, $t::NAN, $t::INFINITY][rng.random_range(0..7)],
                }
            }
        }

        impl Value for $t {
            compiled!();

            fn from_hex(digits: &str) -> Option<Self> {
                $bits::from_str_radix(digits, 16).ok().map($t::from_bits)
            }

            fn same(self, other: Self) -> bool {
                self.to_bits() == other.to_bits() || (self.is_nan() && other.is_nan())
            }
        }

        impl Number for $t {
            fn unary(self, rule: &Rule1) -> Self {
                (rule.float)(f64::from(self)) as $t
            }

            fn binary(self, other: Self, rule: &Rule2) -> Self {
                (rule.float)(f64::from(self), f64::from(other)) as $t
            }

            fn steps(self, expected: Self) -> f64 {
                ulps(self, expected)
            }
        }

        impl Real for $t {
            const UNIT: f64 = $t::EPSILON as f64;

            fn wide(self) -> f64 {
                f64::from(self)
            }

            fn narrow(wide: f64) -> Self {
                wide as $t
            }

            fn position(self) -> i64 {
                let size = (self.to_bits() & !(1 << ($bits::BITS - 1))) as i64;
                if self.is_sign_negative() { -size } else { size }
            }

            fn at_position(position: i64) -> Self {
                let size = $t::from_bits(position.unsigned_abs() as $bits);
                if position < 0 { -size } else { size }
            }
        }
    )*};
}

reals! {
    f32, u32, i32;
    f64, u64, i64;
}

macro_rules! wholes {
    ($($t:ident, $bits:ident;)*) => {$(
        impl Sample for $t {
            fn sample(rng: &mut ChaCha8Rng, fill: Fill) -> Self {
                const SPECIAL: [$t; 6] = [0, 1, $t::MAX, $t::MIN, $t::MAX - 1, $t::MIN + 1];
                match fill {
                    Fill::Sprinkled(..) if rng.random_ratio(1, 8) => {
                        SPECIAL[rng.random_range(0..SPECIAL.len())]
                    }
                    Fill::Between(low, high) | Fill::Sprinkled(low, high) | Fill::Holes(low, high) => {
                        rng.random_range(low..high).floor() as $t
                    }
                    Fill::Few => rng.random_range(0..4),
                }
            }
        }

        impl Value for $t {
            compiled!();

            fn from_hex(digits: &str) -> Option<Self> {
                $bits::from_str_radix(digits, 16).ok().map(|bits| bits as $t)
            }

            fn same(self, other: Self) -> bool {
                self == other
            }
        }

        impl Number for $t {
            fn unary(self, rule: &Rule1) -> Self {
                (rule.whole)(i128::from(self)) as $t
            }

            fn binary(self, other: Self, rule: &Rule2) -> Self {
                (rule.whole)(i128::from(self), i128::from(other)) as $t
            }

            fn steps(self, expected: Self) -> f64 {
                if self == expected { 0.0 } else { f64::INFINITY }
            }
        }

        impl Whole for $t {
            fn wide(self) -> i128 {
                i128::from(self)
            }

            fn wrap(wide: i128) -> Self {
                wide as $t
            }
        }
    )*};
}

wholes! {
    i32, u32;
    i64, u64;
    u8, u8;
}

impl Sample for bool {
    fn sample(rng: &mut ChaCha8Rng, _: Fill) -> Self {
        rng.random()
    }
}

impl Value for bool {
    compiled!();

    fn from_hex(digits: &str) -> Option<Self> {
        u8::from_hex(digits).map(|bits| bits != 0)
    }

    fn same(self, other: Self) -> bool {
        self == other
    }
}

/// Whether an element is other than zero or false.
pub fn truth<T: Value>(x: T) -> bool {
    x != T::default()
}

/// Number of steps from one floating point number to another; infinite where only one is NaN, and
/// where a zero has the wrong sign.
pub fn ulps<T: Real>(found: T, expected: T) -> f64 {
    if found.same(expected) {
        return 0.0;
    }
    let wrong_zero = found == expected;
    if wrong_zero || found.wide().is_nan() || expected.wide().is_nan() {
        return f64::INFINITY;
    }
    found.position().abs_diff(expected.position()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_between_numbers_are_counted() {
        assert_eq!(ulps(1.0_f64, 1.0 + 3.0 * f64::EPSILON), 3.0);
        assert_eq!(ulps(f64::MAX, f64::INFINITY), 1.0);
        assert_eq!(ulps(f32::NAN, -f32::NAN), 0.0);
        assert!(ulps(0.0_f32, -0.0).is_infinite());
        assert!(ulps(f64::NAN, 1.0).is_infinite());
    }

    #[test]
    fn positions_count_the_values_between_two_numbers() {
        assert_eq!(1.0_f32.next_up().position() - 1.0_f32.position(), 1);
        assert_eq!(f64::from_bits(1).position() - (-f64::from_bits(1)).position(), 2);
        assert_eq!(0.0_f64.position(), (-0.0_f64).position());
        assert_eq!(f32::at_position((-2.5_f32).position()), -2.5);
    }

    #[test]
    fn hexadecimal_digits_are_bits() {
        assert_eq!(f32::from_hex("3f800000"), Some(1.0));
        assert_eq!(i32::from_hex("ffffffff"), Some(-1));
        assert!(f64::from_hex("7ff8000000000000").is_some_and(f64::is_nan));
    }
}
