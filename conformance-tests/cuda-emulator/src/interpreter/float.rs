//! Floating-point arithmetic as PTX defines it (ISA chapter 9.7.3): flushed subnormals, saturation, directed
//! rounding and the approximate functions.
//!
//! Approximate functions are computed in double precision and rounded, so they are at least as exact as a
//! device's, whose error bounds the ISA gives.

use rustc_apfloat::ieee::{Double, Quad, Single};
use rustc_apfloat::{Float as _, FloatConvert as _, Round};

use super::register::Lane;

/// The not-a-number that single-precision instructions give.
pub(crate) const QUIET: f32 = f32::from_bits(0x7FFF_FFFF);

/// A result of a single-precision instruction: any not-a-number becomes the one of PTX.
#[inline(always)]
pub(crate) fn quiet(x: f32) -> f32 {
    if x.is_nan() { QUIET } else { x }
}

/// `.ftz`: a subnormal number becomes zero with its sign.
#[inline(always)]
pub(crate) fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0_f32.copysign(x) } else { x }
}

/// `.ftz` where `ftz` says so.
#[inline(always)]
pub(crate) fn flush_if(ftz: bool, x: f32) -> f32 {
    if ftz { flush(x) } else { x }
}

/// What the tables need of `f32` and `f64`.
pub(crate) trait Real: Lane {
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn is_nan(self) -> bool;
    fn is_negative(self) -> bool;
    fn category(self) -> std::num::FpCategory;
    /// The not-a-number that `min.NaN` gives.
    fn not_a_number() -> Self;
    fn saturate(self) -> Self;
    /// Rounds to an integer.
    fn integral(self, round: Round) -> Self;
    fn add_rounded(self, other: Self, round: Round) -> Self;
    fn mul_rounded(self, other: Self, round: Round) -> Self;
    fn div_rounded(self, other: Self, round: Round) -> Self;
    fn fma_rounded(self, b: Self, c: Self, round: Round) -> Self;
    fn sqrt_rounded(self, round: Round) -> Self;
    fn from_signed(value: i64, round: Round) -> Self;
    fn from_unsigned(value: u64, round: Round) -> Self;
}

macro_rules! soft {
    ($soft:ty, $value:expr) => {
        <$soft>::from_bits($value.to_bits().into())
    };
}
macro_rules! hard {
    ($t:ty, $bits:ty, $value:expr) => {
        // The bits of a number fit its own width.
        <$t>::from_bits($value.to_bits() as $bits)
    };
}

macro_rules! real {
    ($t:ty, $soft:ty, $bits:ty, $nan:expr) => {
        impl Real for $t {
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                self / other
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                <$t>::is_nan(self)
            }
            #[inline(always)]
            fn is_negative(self) -> bool {
                self.is_sign_negative()
            }
            fn category(self) -> std::num::FpCategory {
                self.classify()
            }
            #[inline(always)]
            fn not_a_number() -> Self {
                $nan
            }
            #[inline(always)]
            fn saturate(self) -> Self {
                // Not `clamp`: a not-a-number becomes zero, and so does -0.
                if self > 0.0 { if self < 1.0 { self } else { 1.0 } } else { 0.0 }
            }
            #[inline(always)]
            fn integral(self, round: Round) -> Self {
                match round {
                    Round::TowardZero => self.trunc(),
                    Round::TowardNegative => self.floor(),
                    Round::TowardPositive => self.ceil(),
                    _ => self.round_ties_even(),
                }
            }
            fn add_rounded(self, other: Self, round: Round) -> Self {
                hard!($t, $bits, soft!($soft, self).add_r(soft!($soft, other), round).value)
            }
            fn mul_rounded(self, other: Self, round: Round) -> Self {
                hard!($t, $bits, soft!($soft, self).mul_r(soft!($soft, other), round).value)
            }
            fn div_rounded(self, other: Self, round: Round) -> Self {
                hard!($t, $bits, soft!($soft, self).div_r(soft!($soft, other), round).value)
            }
            fn fma_rounded(self, b: Self, c: Self, round: Round) -> Self {
                let product_sum = soft!($soft, self).mul_add_r(soft!($soft, b), soft!($soft, c), round);
                hard!($t, $bits, product_sum.value)
            }
            fn sqrt_rounded(self, round: Round) -> Self {
                let root = self.sqrt();
                // The square of a root of 53 bits is exact in the 113 bits of a quadruple.
                let quad = |x: $t| -> Quad { soft!($soft, x).convert(&mut false).value };
                match (quad(root) * quad(root)).value.partial_cmp(&quad(self)) {
                    Some(std::cmp::Ordering::Less) if round == Round::TowardPositive => root.next_up(),
                    Some(std::cmp::Ordering::Greater)
                        if matches!(round, Round::TowardNegative | Round::TowardZero) =>
                    {
                        root.next_down()
                    }
                    _ => root,
                }
            }
            #[inline(always)]
            fn from_signed(value: i64, round: Round) -> Self {
                match round {
                    Round::NearestTiesToEven => value as $t,
                    _ => hard!($t, $bits, <$soft>::from_i128_r(value.into(), round).value),
                }
            }
            #[inline(always)]
            fn from_unsigned(value: u64, round: Round) -> Self {
                match round {
                    Round::NearestTiesToEven => value as $t,
                    _ => hard!($t, $bits, <$soft>::from_u128_r(value.into(), round).value),
                }
            }
        }
    };
}
real!(f32, Single, u32, QUIET);
real!(f64, Double, u64, f64::from_bits(0x7FFF_FFFF_FFFF_FFFF));

/// `cvt.f32.f64` with a rounding mode.
#[inline(always)]
pub(crate) fn narrow(x: f64, round: Round) -> f32 {
    match round {
        Round::NearestTiesToEven => x as f32,
        _ => {
            let single: Single = soft!(Double, x).convert_r(round, &mut false).value;
            hard!(f32, u32, single)
        }
    }
}

/// The lesser of two numbers: the other one if one is no number, and -0 before +0.
#[inline(always)]
pub(crate) fn least<T: Real>(a: T, b: T) -> T {
    if a.is_nan() || b < a || (a == b && b.is_negative()) { b } else { a }
}

/// The greater of two numbers.
#[inline(always)]
pub(crate) fn greatest<T: Real>(a: T, b: T) -> T {
    if a.is_nan() || b > a || (a == b && a.is_negative()) { b } else { a }
}

/// `rcp.approx.ftz.f64`: the upper half of the reciprocal of the upper half of `x`.
pub(crate) fn reciprocal_upper(x: f64) -> f64 {
    upper_half(1.0 / upper_half(x))
}

/// `rsqrt.approx.ftz.f64`.
pub(crate) fn reciprocal_root_upper(x: f64) -> f64 {
    let x = upper_half(x);
    upper_half(1.0 / x.sqrt())
}

/// The upper 32 bits of a number, with subnormal numbers flushed.
fn upper_half(x: f64) -> f64 {
    let flushed = if x.abs() < f64::MIN_POSITIVE { 0.0_f64.copysign(x) } else { x };
    let upper = f64::from_bits(flushed.to_bits() >> 32 << 32);
    // A not-a-number whose payload lay in the lower half stays one.
    if x.is_nan() && !upper.is_nan() { f64::NAN } else { upper }
}

/// `div.approx.f32`: zero for a divisor above 2^126, as the ISA has it.
pub(crate) fn divide_approximately(a: f32, b: f32) -> f32 {
    let limit = f32::from_bits(0x7E80_0000);
    if b.abs() > limit && b.is_finite() {
        if a.is_infinite() { QUIET } else { 0.0_f32.copysign(a) * 1.0_f32.copysign(b) }
    } else {
        a / b
    }
}

/// A function of a single-precision number, computed in double precision.
pub(crate) fn through_double(f: impl Fn(f64) -> f64, x: f32) -> f32 {
    f(f64::from(x)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directed_rounding_encloses_the_exact_result() {
        // 1/3 and sqrt 2 lie between neighbours, 1/4 and sqrt 4 are exact.
        for (a, b) in [(1.0_f64, 3.0), (2.0, 7.0), (-1.0, 3.0)] {
            let (down, up) =
                (a.div_rounded(b, Round::TowardNegative), a.div_rounded(b, Round::TowardPositive));
            assert_eq!(down.next_up(), up);
            assert!((down..=up).contains(&(a / b)));
            let zero = a.div_rounded(b, Round::TowardZero);
            assert_eq!(zero, if a > 0.0 { down } else { up });
        }
        assert_eq!(1.0_f32.div_rounded(4.0, Round::TowardPositive), 0.25);
        let roots = [Round::TowardNegative, Round::TowardPositive].map(|round| 2.0_f32.sqrt_rounded(round));
        assert_eq!(roots[0].next_up(), roots[1]);
        assert!(f64::from(roots[0]).powi(2) < 2.0 && f64::from(roots[1]).powi(2) > 2.0);
        assert_eq!(4.0_f64.sqrt_rounded(Round::TowardPositive), 2.0);
        assert_eq!(1.0_f32.add_rounded(1e-20, Round::TowardPositive), 1.0_f32.next_up());
        assert_eq!(1.0_f64.fma_rounded(1.0, -1e-30, Round::TowardZero), 1.0_f64.next_down());
        assert_eq!(f32::from_signed((1 << 24) + 1, Round::TowardPositive), 16_777_218.0);
        assert_eq!(f32::from_unsigned((1 << 24) + 1, Round::TowardZero), 16_777_216.0);
        assert_eq!(narrow(1.0 + 1e-12, Round::TowardPositive), 1.0_f32.next_up());
    }

    #[test]
    fn minimum_and_maximum_follow_the_signs_of_zero() {
        assert!(least(0.0_f64, -0.0).is_sign_negative() && least(-0.0_f64, 0.0).is_sign_negative());
        assert!(greatest(0.0_f64, -0.0).is_sign_positive() && greatest(-0.0_f64, 0.0).is_sign_positive());
        assert_eq!([least(f32::NAN, 1.0), least(1.0, f32::NAN), greatest(f32::NAN, 1.0)], [1.0; 3]);
        assert_eq!((least(2.0_f32, 1.0), greatest(2.0_f32, 1.0)), (1.0, 2.0));
    }

    #[test]
    fn approximate_reciprocals_have_an_empty_lower_half() {
        let r = reciprocal_upper(3.0);
        assert_eq!(r.to_bits() & 0xFFFF_FFFF, 0);
        assert!((r * 3.0 - 1.0).abs() < 1e-6);
        assert_eq!(reciprocal_upper(1e-310), f64::INFINITY);
        assert_eq!(reciprocal_upper(-f64::INFINITY).to_bits(), (-0.0_f64).to_bits());
        assert!(reciprocal_root_upper(-1.0).is_nan());
        assert_eq!(reciprocal_root_upper(4.0), 0.5);
    }

    #[test]
    fn saturation_maps_what_is_no_number_to_zero() {
        assert_eq!([f32::NAN, -1.0, 0.25, 7.0].map(Real::saturate), [0.0, 0.0, 0.25, 1.0]);
    }
}
