//! The element types of arrays: `f32`, `f64`, `i32`, `i64`, `u8` and `bool`.

use std::fmt::{Debug, Display};

use crate::cpu::math::Math;
use crate::cpu::{Dense, Sums};

/// An element type as a value, for messages and file formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// Single precision floating point.
    Float32,
    /// Double precision floating point.
    Float64,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// 8-bit unsigned integer.
    UInt8,
    /// Truth value.
    Bool,
}

impl Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DType::Float32 => "float32",
            DType::Float64 => "float64",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::UInt8 => "uint8",
            DType::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A type that arrays can hold.
pub trait Element:
    sealed::Sealed + Copy + Default + Send + Sync + Debug + Display + PartialEq + PartialOrd + 'static
{
    /// The type as a value.
    const DTYPE: DType;
    /// Zero, or `false`.
    const ZERO: Self;
    /// One, or `true`.
    const ONE: Self;

    /// Whether the value is not a number; `false` for types that have no NaN.
    fn is_nan_value(self) -> bool {
        false
    }

    /// Whether the value is the zero that consists of zero bits, and not -0.
    fn is_zero_bits(self) -> bool;

    /// The value whose bytes, the most significant first, are those of `self`.
    #[must_use]
    fn big_endian_as_native(self) -> Self;
}

/// A number: arithmetic wraps around for integers, as NumPy's does.
pub trait Numeric: Element + Cast<f64> + Cast<Self::Sum> {
    /// Type of a sum over many elements: the same for floating point, `i64` for integers.
    type Sum: Numeric<Sum = Self::Sum> + Cast<f64>;
    /// Type that a sum is accumulated in: `f64` for floating point, `i64` for integers.
    type Accumulator: Numeric + Cast<Self::Sum>;
    /// The smallest value: minus infinity for floating point.
    const LOWEST: Self;
    /// The largest value: infinity for floating point.
    const HIGHEST: Self;

    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self - other`.
    fn subtract(self, other: Self) -> Self;
    /// `self * other`.
    fn multiply(self, other: Self) -> Self;
    /// `floor(self / other)`; zero for an integer divided by zero, as NumPy has it.
    fn floor_divide(self, other: Self) -> Self;
    /// The remainder of [`Numeric::floor_divide`], with the sign of `other`.
    fn remainder(self, other: Self) -> Self;
    /// `|self|`.
    fn abs(self) -> Self;
    /// -1, 0 or 1; NaN for NaN.
    fn sign(self) -> Self;
    /// The value in the accumulator's type.
    fn accumulate(self) -> Self::Accumulator;
}

/// An integer.
pub trait Integer: Numeric + Eq + Ord + std::hash::Hash {
    /// Bitwise and.
    fn bitwise_and(self, other: Self) -> Self;
    /// Bitwise or.
    fn bitwise_or(self, other: Self) -> Self;
    /// Bitwise exclusive or.
    fn bitwise_xor(self, other: Self) -> Self;
    /// Bitwise complement.
    fn bitwise_invert(self) -> Self;
    /// Shift towards the high bits; zero once every bit is shifted out.
    fn bitwise_left_shift(self, by: Self) -> Self;
    /// Arithmetic shift towards the low bits.
    fn bitwise_right_shift(self, by: Self) -> Self;
}

/// A floating point number.
///
/// `num_traits` gives the functions of the standard library, [`Math`] those that this crate
/// computes several at a time.
pub trait Float:
    Numeric<Sum = Self, Accumulator = f64> + num_traits::Float + Math + Sums + Dense + faer::traits::RealField
{
    /// The value of this type nearest to `value`.
    fn from_f64(value: f64) -> Self;
    /// The value in double precision.
    fn to_f64(self) -> f64;
    /// Numbers in double precision.
    fn in_f64<const N: usize>(numbers: &[Self; N]) -> [f64; N];
    /// Rounds to the nearest integer, halves to the even one.
    fn round_ties_even(self) -> Self;
    /// The next value of this type after `self` in the direction of `towards`.
    fn next_after(self, towards: Self) -> Self;
}

/// A conversion between element types, NumPy's `astype`.
///
/// Floating point to integer truncates towards zero and saturates at the ends of the range
/// (NaN becomes 0); anything but zero becomes `true`.
pub trait Cast<U: Element>: Element {
    /// The value as a `U`.
    fn cast(self) -> U;
}

macro_rules! elements {
    ($($t:ty, $dtype:ident, $zero:expr, $one:expr, $nan:expr, $zero_bits:expr, $from_be:expr;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
            const ZERO: Self = $zero;
            const ONE: Self = $one;
            #[inline(always)]
            fn is_nan_value(self) -> bool { let test: fn($t) -> bool = $nan; test(self) }
            #[inline(always)]
            fn is_zero_bits(self) -> bool { let test: fn($t) -> bool = $zero_bits; test(self) }
            #[inline(always)]
            fn big_endian_as_native(self) -> Self { let swapped: fn($t) -> $t = $from_be; swapped(self) }
        }
    )*};
}

elements! {
    f32, Float32, 0.0, 1.0, |x| x.is_nan(), |x| x.to_bits() == 0, |x| f32::from_bits(u32::from_be(x.to_bits()));
    f64, Float64, 0.0, 1.0, |x| x.is_nan(), |x| x.to_bits() == 0, |x| f64::from_bits(u64::from_be(x.to_bits()));
    i32, Int32, 0, 1, |_| false, |x| x == 0, i32::from_be;
    i64, Int64, 0, 1, |_| false, |x| x == 0, i64::from_be;
    u8, UInt8, 0, 1, |_| false, |x| x == 0, |x| x;
    bool, Bool, false, true, |_| false, |x| !x, |x| x;
}

macro_rules! casts {
    ($($from:ty => $($to:ty),*;)*) => {$($(
        impl Cast<$to> for $from {
            #[inline(always)]
            fn cast(self) -> $to { self as $to }
        }
    )*)*};
}

casts! {
    f32 => f32, f64, i32, i64, u8;
    f64 => f32, f64, i32, i64, u8;
    i32 => f32, f64, i32, i64, u8;
    i64 => f32, f64, i32, i64, u8;
    u8 => f32, f64, i32, i64, u8;
    bool => i32, i64, u8, bool;
}

macro_rules! bool_casts {
    ($($t:ty),*) => {$(
        impl Cast<bool> for $t {
            #[inline(always)]
            fn cast(self) -> bool { self != <$t>::ZERO }
        }
    )*};
}

bool_casts!(f32, f64, i32, i64, u8);

impl Cast<f32> for bool {
    #[inline(always)]
    fn cast(self) -> f32 {
        f32::from(u8::from(self))
    }
}

impl Cast<f64> for bool {
    #[inline(always)]
    fn cast(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// [`Float::in_f64`] of both types.
mod in_f64 {
    #[inline(always)]
    pub(super) fn f32<const N: usize>(numbers: &[f32; N]) -> [f64; N] {
        let mut wide = [0.0; N];
        for i in 0..N {
            wide[i] = f64::from(numbers[i]);
        }
        wide
    }

    #[inline(always)]
    pub(super) fn f64<const N: usize>(numbers: &[f64; N]) -> [f64; N] {
        *numbers
    }
}

macro_rules! floats {
    ($($t:ident),*) => {$(
        impl Numeric for $t {
            type Sum = $t;
            type Accumulator = f64;
            const LOWEST: Self = $t::NEG_INFINITY;
            const HIGHEST: Self = $t::INFINITY;
            #[inline(always)]
            fn add(self, other: Self) -> Self { self + other }
            #[inline(always)]
            fn subtract(self, other: Self) -> Self { self - other }
            #[inline(always)]
            fn multiply(self, other: Self) -> Self { self * other }
            #[inline(always)]
            fn floor_divide(self, other: Self) -> Self {
                let rest = self % other;
                let quotient = (self - rest) / other;
                let below = rest != 0.0 && (rest < 0.0) != (other < 0.0);
                let floor = if below { (quotient - 1.0).round() } else { quotient.round() };
                if other == 0.0 {
                    self / other
                } else if floor == 0.0 {
                    // A zero has the sign of the exact quotient.
                    (0.0 as $t).copysign(self / other)
                } else {
                    floor
                }
            }
            #[inline(always)]
            fn remainder(self, other: Self) -> Self {
                let rest = self % other;
                if rest == 0.0 {
                    (0.0 as $t).copysign(other)
                } else if (rest < 0.0) != (other < 0.0) {
                    rest + other
                } else {
                    rest
                }
            }
            #[inline(always)]
            fn abs(self) -> Self { $t::abs(self) }
            #[inline(always)]
            fn sign(self) -> Self {
                // Adding zero turns -0 into 0.
                if self > 0.0 { 1.0 } else if self < 0.0 { -1.0 } else { self + 0.0 }
            }
            #[inline(always)]
            fn accumulate(self) -> f64 { f64::from(self) }
        }
        impl Float for $t {
            #[inline(always)]
            fn from_f64(value: f64) -> Self { value as $t }
            #[inline(always)]
            fn to_f64(self) -> f64 { f64::from(self) }
            #[inline(always)]
            fn in_f64<const N: usize>(numbers: &[Self; N]) -> [f64; N] { in_f64::$t(numbers) }
            #[inline(always)]
            fn round_ties_even(self) -> Self { $t::round_ties_even(self) }
            #[inline(always)]
            fn next_after(self, towards: Self) -> Self {
                if self.is_nan() || towards.is_nan() {
                    $t::NAN
                } else if self == towards {
                    towards
                } else if towards > self {
                    self.next_up()
                } else {
                    self.next_down()
                }
            }
        }
    )*};
}

floats!(f32, f64);

macro_rules! integers {
    ($($t:ident, |$x:ident| $abs:expr, $sign:expr;)*) => {$(
        impl Numeric for $t {
            type Sum = i64;
            type Accumulator = i64;
            const LOWEST: Self = $t::MIN;
            const HIGHEST: Self = $t::MAX;
            #[inline(always)]
            fn add(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn subtract(self, other: Self) -> Self { self.wrapping_sub(other) }
            #[inline(always)]
            fn multiply(self, other: Self) -> Self { self.wrapping_mul(other) }
            #[inline(always)]
            fn floor_divide(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let quotient = self.wrapping_div(other);
                let rest = self.wrapping_rem(other);
                if rest != 0 && (rest > 0) != (other > 0) { quotient - 1 } else { quotient }
            }
            #[inline(always)]
            fn remainder(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let rest = self.wrapping_rem(other);
                if rest != 0 && (rest > 0) != (other > 0) { rest.wrapping_add(other) } else { rest }
            }
            #[inline(always)]
            fn abs(self) -> Self { let $x = self; $abs }
            #[inline(always)]
            fn sign(self) -> Self { let $x = self; $sign }
            #[inline(always)]
            fn accumulate(self) -> i64 { i64::from(self) }
        }
        impl Integer for $t {
            #[inline(always)]
            fn bitwise_and(self, other: Self) -> Self { self & other }
            #[inline(always)]
            fn bitwise_or(self, other: Self) -> Self { self | other }
            #[inline(always)]
            fn bitwise_xor(self, other: Self) -> Self { self ^ other }
            #[inline(always)]
            fn bitwise_invert(self) -> Self { !self }
            #[inline(always)]
            fn bitwise_left_shift(self, by: Self) -> Self {
                u32::try_from(by).ok().and_then(|by| self.checked_shl(by)).unwrap_or(0)
            }
            #[inline(always)]
            fn bitwise_right_shift(self, by: Self) -> Self {
                let last = $t::BITS - 1;
                let by = u32::try_from(by).unwrap_or(u32::MAX);
                if by > last { (self >> last) >> 1 } else { self >> by }
            }
        }
    )*};
}

integers! {
    i32, |x| x.wrapping_abs(), x.signum();
    i64, |x| x.wrapping_abs(), x.signum();
    u8, |x| x, u8::from(x > 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_division_rounds_down_and_remainder_follows_the_divisor() {
        assert_eq!(Numeric::floor_divide(-7_i32, 2), -4);
        assert_eq!(Numeric::remainder(-7_i32, 2), 1);
        assert_eq!(Numeric::floor_divide(7_i64, -2), -4);
        assert_eq!(Numeric::remainder(7_i64, -2), -1);
        assert_eq!(Numeric::floor_divide(5_u8, 0), 0);
        assert_eq!(Numeric::floor_divide(-7.0_f64, 2.0), -4.0);
        assert_eq!(Numeric::remainder(-7.0_f64, 2.0), 1.0);
        assert_eq!(Numeric::floor_divide(1.0_f64, 0.0), f64::INFINITY);
        assert!(Numeric::remainder(1.0_f64, 0.0).is_nan());
    }

    #[test]
    fn shifts_beyond_the_width_do_not_wrap() {
        assert_eq!(1_u8.bitwise_left_shift(8), 0);
        assert_eq!((-1_i32).bitwise_right_shift(40), -1);
        assert_eq!(8_i64.bitwise_right_shift(2), 2);
    }

    #[test]
    fn casts_saturate_and_test_for_zero() {
        assert_eq!(Cast::<u8>::cast(300.7_f64), 255);
        assert_eq!(Cast::<i32>::cast(f32::NAN), 0);
        assert!(Cast::<bool>::cast(0.5_f64));
        assert_eq!(Cast::<f64>::cast(true), 1.0);
    }
}
