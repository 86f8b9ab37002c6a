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
//! Logarithms and exponentials reduce their arguments further, by tables (`tabulated.rs`, constants
//! in `tables.rs`, their polynomials by Remez's algorithm). LLVM would load entries one by one, so
//! their `_each` forms look up whole vectors of them: `lanes.rs` has the operations on a single
//! number, `avx2.rs` and `avx512.rs` the same on vectors. A loop of one's own is faster without
//! tables: [`Math::exp_term`], [`Math::log1p`].
//!
//! Special values are those of IEEE 754-2019, section 9.2.1, and C99, annex F.9.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod exp;
mod lanes;
mod log;
mod pair;
mod pow;
mod real;
mod tables;
mod tabulated;
#[cfg(test)]
mod tests;

use lanes::One;
use tables::Tables;
use tabulated::{Exp, Exp2, Exp10, Function, Ln, Log2, Log10};

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
    /// `e^x`. Error: 0.78 (`f64`), 0.77 (`f32`).
    fn exp(x: Self) -> Self;
    /// `2^x`, exact for integers. Error: 0.77 (`f64` and `f32`).
    fn exp2(x: Self) -> Self;
    /// `10^x`, exact for integers whose power is representable. Error: 0.77 (`f64` and `f32`).
    fn exp10(x: Self) -> Self;
    /// `e^x - 1`, accurate near zero. Error: 1.04 (`f64`), 1.12 (`f32`).
    fn expm1(x: Self) -> Self;
    /// Natural logarithm; minus infinity for zero, NaN for negative numbers. Error: 0.76 (`f64` and
    /// `f32`).
    fn ln(x: Self) -> Self;
    /// Logarithm to base 2, exact for powers of two. Error: 0.72 (`f64`), 0.77 (`f32`).
    fn log2(x: Self) -> Self;
    /// Logarithm to base 10, exact for powers of ten that are representable. Error: 0.79 (`f64`),
    /// 0.96 (`f32`).
    fn log10(x: Self) -> Self;
    /// `ln(1 + x)`, accurate near zero. Error: 0.55 (`f64`), 0.59 (`f32`).
    fn log1p(x: Self) -> Self;
    /// `x^y`, exact whenever the power is representable. Error: 0.88 (`f64`), 0.79 (`f32`).
    fn pow(x: Self, y: Self) -> Self;

    /// [`exp`](Math::exp) of each of `x`, written to `out`: faster than a loop over it.
    fn exp_each(x: &[Self], out: &mut [Self]);
    /// [`exp2`](Math::exp2) of each of `x`, written to `out`: faster than a loop over it.
    fn exp2_each(x: &[Self], out: &mut [Self]);
    /// [`exp10`](Math::exp10) of each of `x`, written to `out`: faster than a loop over it.
    fn exp10_each(x: &[Self], out: &mut [Self]);
    /// [`ln`](Math::ln) of each of `x`, written to `out`: faster than a loop over it.
    fn ln_each(x: &[Self], out: &mut [Self]);
    /// [`log2`](Math::log2) of each of `x`, written to `out`: faster than a loop over it.
    fn log2_each(x: &[Self], out: &mut [Self]);
    /// [`log10`](Math::log10) of each of `x`, written to `out`: faster than a loop over it.
    fn log10_each(x: &[Self], out: &mut [Self]);
    /// `e^x` without the table of [`exp`](Math::exp), for the place of a term in a longer formula, which
    /// loops are vectorised with. Error: 0.76 (`f64`), 0.78 (`f32`).
    fn exp_term(x: Self) -> Self;
}

impl<T: Tables> Math for T {
    #[inline(always)]
    fn exp(x: T) -> T {
        Exp.at(One, x)
    }
    #[inline(always)]
    fn exp2(x: T) -> T {
        Exp2.at(One, x)
    }
    #[inline(always)]
    fn exp10(x: T) -> T {
        Exp10.at(One, x)
    }
    #[inline(always)]
    fn expm1(x: T) -> T {
        exp::expm1(x)
    }
    #[inline(always)]
    fn ln(x: T) -> T {
        Ln.at(One, x)
    }
    #[inline(always)]
    fn log2(x: T) -> T {
        Log2.at(One, x)
    }
    #[inline(always)]
    fn log10(x: T) -> T {
        Log10.at(One, x)
    }
    #[inline(always)]
    fn log1p(x: T) -> T {
        log::log1p(x)
    }
    #[inline(always)]
    fn pow(x: T, y: T) -> T {
        pow::pow(x, y)
    }
    fn exp_each(x: &[T], out: &mut [T]) {
        T::map(Exp, x, out);
    }
    fn exp2_each(x: &[T], out: &mut [T]) {
        T::map(Exp2, x, out);
    }
    fn exp10_each(x: &[T], out: &mut [T]) {
        T::map(Exp10, x, out);
    }
    fn ln_each(x: &[T], out: &mut [T]) {
        T::map(Ln, x, out);
    }
    fn log2_each(x: &[T], out: &mut [T]) {
        T::map(Log2, x, out);
    }
    fn log10_each(x: &[T], out: &mut [T]) {
        T::map(Log10, x, out);
    }
    #[inline(always)]
    fn exp_term(x: T) -> T {
        exp::exp(x)
    }
}
