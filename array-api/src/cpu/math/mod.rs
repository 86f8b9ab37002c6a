//! Exponentials, logarithms and powers, made to be vectorised.
//!
//! Each function is branch-free scalar Rust: arithmetic, comparisons that select, and operations
//! on bits. LLVM turns a loop over any of them into vector code for the instruction set that the
//! loop is compiled for (`pulp::Arch::dispatch`: AVX2 with FMA, AVX-512), which calls of the C
//! library's functions do not allow. All of it is `#[inline(always)]`, because code that is not
//! inlined into such a loop is compiled for the crate's own instruction set, usually the oldest.
//!
//! Products that are added to something are fused (`mul_add`), on every machine: results have the
//! same bits with and without vectors.
//!
//! The methods are the classical ones (Muller, *Elementary Functions*, 3rd edition, 2016,
//! chapters 3, 5 and 11): an argument is reduced to a short interval without loss, a minimax
//! polynomial serves there (coefficients by `fpminimax` of Sollya, <https://www.sollya.org>), and
//! sums and products whose rounding would show carry what was rounded off along. The algorithms
//! are written once; `real.rs` holds the constants of both types.
//!
//! Special values are those of IEEE 754-2019, section 9.2.1, and C99, annex F.9.

mod exp;
mod log;
mod pair;
mod pow;
mod real;
#[cfg(test)]
mod tests;

use real::Real;

/// The functions that the CPU backend has its own vector code for, for `f32` and `f64`.
///
/// They take no receiver: `x.exp()` on an `f64` would mean the standard library's function
/// without a word, so write `Math::exp(x)`.
///
/// ```
/// use array_api::cpu::math::Math;
/// assert_eq!(Math::log10(1000.0_f32), 3.0);
/// assert_eq!(Math::pow(2.0, 0.5), std::f64::consts::SQRT_2);
/// ```
///
/// Errors are the largest found, in units in the last place of the result: for `f64` over a
/// million random arguments of all magnitudes and more where the function is delicate, against
/// MPFR; for `f32` over all arguments ([`pow`](Math::pow): 200 million), against `f64`. The nearest
/// number would be off by 0.5. The larger errors of exponentials are those of subnormal results.
pub trait Math: Copy {
    /// `e^x`. Error: 0.76 (`f64`), 0.78 (`f32`).
    fn exp(x: Self) -> Self;
    /// `2^x`, exact for integers. Error: 0.75 (`f64`), 0.77 (`f32`).
    fn exp2(x: Self) -> Self;
    /// `10^x`, exact for integers whose power is representable. Error: 0.74 (`f64`), 0.78 (`f32`).
    fn exp10(x: Self) -> Self;
    /// `e^x - 1`, accurate near zero. Error: 1.04 (`f64`), 1.12 (`f32`).
    fn expm1(x: Self) -> Self;
    /// Natural logarithm; minus infinity for zero, NaN for negative numbers. Error: 0.57 (`f64` and
    /// `f32`).
    fn ln(x: Self) -> Self;
    /// Logarithm to base 2, exact for powers of two. Error: 0.59 (`f64`), 0.60 (`f32`).
    fn log2(x: Self) -> Self;
    /// Logarithm to base 10, exact for powers of ten that are representable. Error: 0.56 (`f64`),
    /// 0.58 (`f32`).
    fn log10(x: Self) -> Self;
    /// `ln(1 + x)`, accurate near zero. Error: 0.55 (`f64`), 0.59 (`f32`).
    fn log1p(x: Self) -> Self;
    /// `x^y`, exact whenever the power is representable. Error: 0.88 (`f64`), 0.79 (`f32`).
    fn pow(x: Self, y: Self) -> Self;
}

impl<T: Real> Math for T {
    #[inline(always)]
    fn exp(x: T) -> T {
        exp::exp(x)
    }
    #[inline(always)]
    fn exp2(x: T) -> T {
        exp::exp2(x)
    }
    #[inline(always)]
    fn exp10(x: T) -> T {
        exp::exp10(x)
    }
    #[inline(always)]
    fn expm1(x: T) -> T {
        exp::expm1(x)
    }
    #[inline(always)]
    fn ln(x: T) -> T {
        log::log(T::BASE_E, x)
    }
    #[inline(always)]
    fn log2(x: T) -> T {
        log::log(T::BASE_2, x)
    }
    #[inline(always)]
    fn log10(x: T) -> T {
        log::log(T::BASE_10, x)
    }
    #[inline(always)]
    fn log1p(x: T) -> T {
        log::log1p(x)
    }
    #[inline(always)]
    fn pow(x: T, y: T) -> T {
        pow::pow(x, y)
    }
}
