//! Elementwise functions: the chapter "Element-wise Functions" of the array API standard.
//!
//! Each function is one row of a table: its documentation, its method, its in-place method, its
//! operation type, an example and its definition. Functions return `Result`, since a result needs
//! memory, which a device may not have; binary functions broadcast.

use crate::backend::{Backend, View};
use crate::cpu::math::Math;
use crate::layout::broadcast_shapes;
use crate::lazy::{Expression, Lazy, Map, Zip};
use crate::ops::{Binary, Unary, WithScalar};
use crate::{Array, Cast, Element, Float, Integer, Numeric, Result};

impl<T: Element, B: Backend> Array<T, B> {
    /// A new array of `op` of each element. The named functions below are short for this.
    pub fn map<O: Unary<T>>(&self, op: &O) -> Result<Array<O::Out, B>> {
        let buffer = self.backend().map(op, self.view())?;
        Ok(Array::from_buffer(self.backend(), buffer, self.shape()))
    }

    /// Replaces each element by `op` of it, without allocating if nobody else shares the buffer.
    pub fn map_assign<O: Unary<T, Out = T>>(&mut self, op: &O) -> Result<()> {
        let backend = self.backend().clone();
        let (buffer, layout) = self.unique()?;
        backend.map_assign(op, buffer, layout)
    }

    /// A new array of `op` of the elements in the same place, after broadcasting.
    pub fn zip<O: Binary<T>>(&self, op: &O, other: &Self, name: &'static str) -> Result<Array<O::Out, B>> {
        if self.shape() == other.shape() {
            let buffer = self.backend().zip(op, self.view(), other.view())?;
            return Ok(Array::from_buffer(self.backend(), buffer, self.shape()));
        }
        let shape = broadcast_shapes(self.shape(), other.shape(), name)?;
        let (a, b) = (self.layout().broadcast_to(&shape)?, other.layout().broadcast_to(&shape)?);
        let buffer = self.backend().zip(
            op,
            View { buffer: self.buffer(), layout: &a },
            View { buffer: other.buffer(), layout: &b },
        )?;
        Ok(Array::from_buffer(self.backend(), buffer, &shape))
    }

    /// Replaces each element by `op` of it and the element of `other`, which is broadcast to the
    /// shape of `self`, without allocating if nobody else shares the buffer.
    pub fn zip_assign<O: Binary<T, Out = T>>(
        &mut self,
        op: &O,
        other: &Self,
        name: &'static str,
    ) -> Result<()> {
        let b = other.layout().broadcast_to(self.shape()).map_err(|_| crate::Error::ShapeMismatch {
            operation: name,
            left: self.shape().to_vec(),
            right: other.shape().to_vec(),
        })?;
        let backend = self.backend().clone();
        let (buffer, layout) = self.unique()?;
        backend.zip_assign(op, buffer, layout, View { buffer: other.buffer(), layout: &b })
    }
}

macro_rules! unary_functions {
    ($($(#[$doc:meta])* $name:ident, $assign:ident, $op:ident<$bound:path> $(wide = $wide:literal)?,
        $in:literal => $out:literal, |$x:ident| $body:expr, $cuda:literal $(, $each:ident)?;)*) => {
        /// Operation types of the unary functions that keep the element type.
        pub mod unary {
            use super::*;
            $(
                #[doc = concat!("See [`Array::", stringify!($name), "`](crate::Array::", stringify!($name), ").")]
                #[derive(Debug, Clone, Copy)]
                pub struct $op;
                impl<T: $bound> Unary<T> for $op {
                    type Out = T;
                    $(const EACH: Option<crate::ops::Each<T, T>> = Some(<T as Math>::$each);)?
                    $(const WIDE: bool = $wide;)?
                    #[inline(always)]
                    fn apply(&self, $x: T) -> T { $body }
                    fn cuda() -> String { concat!("return ", $cuda, ";").into() }
                }
            )*
        }
        $(
            impl<T: $bound, B: Backend> Array<T, B> {
                $(#[$doc])*
                #[doc = concat!(
                    "\n```\n# use array_api::{Array, Cpu};\n",
                    "let x = Array::from_slice(&Cpu::new(), &[", stringify!($in), "])?;\n",
                    "assert_eq!(x.", stringify!($name), "()?.to_vec()?, [", stringify!($out), "]);\n",
                    "# Ok::<(), array_api::Error>(())\n```"
                )]
                pub fn $name(&self) -> Result<Self> {
                    self.map(&unary::$op)
                }

                #[doc = concat!("[`Array::", stringify!($name), "`] in place.")]
                pub fn $assign(&mut self) -> Result<()> {
                    self.map_assign(&unary::$op)
                }
            }

            impl<B: Backend, E: Expression<B>> Lazy<E, B>
            where
                E::Item: $bound,
            {
                #[doc = concat!("[`Array::", stringify!($name), "`] in an expression.")]
                pub fn $name(self) -> Lazy<Map<unary::$op, E>, B> {
                    self.map(unary::$op)
                }
            }
        )*
    };
}

unary_functions! {
    /// Absolute value.
    abs, abs_assign, Abs<Numeric>, -2.5 => 2.5, |x| Numeric::abs(x), "absolute(x)";
    /// Minus the element.
    negative, negative_assign, Negative<Numeric>, 2.0 => -2.0, |x| negate(x), "negative(x)";
    /// -1, 0 or 1, by the sign of the element; NaN for NaN.
    sign, sign_assign, Sign<Numeric>, -2.5 => -1.0, |x| Numeric::sign(x), "sign(x)";
    /// The element times itself.
    square, square_assign, Square<Numeric>, 3.0 => 9.0, |x| x.multiply(x), "multiply(x, x)";
    /// Square root; NaN for negative elements.
    sqrt, sqrt_assign, Sqrt<Float>, 9.0 => 3.0, |x| num_traits::Float::sqrt(x), "sqrt(x)";
    /// One divided by the element.
    reciprocal, reciprocal_assign, Reciprocal<Float>, 4.0 => 0.25, |x| num_traits::Float::recip(x), "(T)1 / x";
    /// e to the power of the element.
    exp, exp_assign, Exp<Float>, 0.0 => 1.0, |x| Math::exp(x), "exp(x)", exp_each;
    /// 2 to the power of the element.
    exp2, exp2_assign, Exp2<Float>, 3.0 => 8.0, |x| Math::exp2(x), "exp2(x)", exp2_each;
    /// 10 to the power of the element.
    exp10, exp10_assign, Exp10<Float>, 2.0 => 100.0, |x| Math::exp10(x), "exp10(x)", exp10_each;
    /// `exp(x) - 1`, accurate near zero.
    expm1, expm1_assign, Expm1<Float> wide = true, 0.0 => 0.0, |x| Math::expm1(x), "expm1(x)";
    /// Natural logarithm; NaN for negative elements, minus infinity for zero.
    log, log_assign, Log<Float>, 1.0 => 0.0, |x| Math::ln(x), "log(x)", ln_each;
    /// Logarithm to base 2.
    log2, log2_assign, Log2<Float>, 8.0 => 3.0, |x| Math::log2(x), "log2(x)", log2_each;
    /// Logarithm to base 10.
    log10, log10_assign, Log10<Float>, 1000.0 => 3.0, |x| Math::log10(x), "log10(x)", log10_each;
    /// `log(1 + x)`, accurate near zero.
    log1p, log1p_assign, Log1p<Float> wide = true, 0.0 => 0.0, |x| Math::log1p(x), "log1p(x)";
    /// Sine of an angle in radians.
    sin, sin_assign, Sin<Float>, 0.0 => 0.0, |x| num_traits::Float::sin(x), "sin(x)";
    /// Cosine of an angle in radians.
    cos, cos_assign, Cos<Float>, 0.0 => 1.0, |x| num_traits::Float::cos(x), "cos(x)";
    /// Tangent of an angle in radians.
    tan, tan_assign, Tan<Float>, 0.0 => 0.0, |x| num_traits::Float::tan(x), "tan(x)";
    /// Inverse sine in radians, from -pi/2 to pi/2.
    asin, asin_assign, Asin<Float>, 0.0 => 0.0, |x| num_traits::Float::asin(x), "asin(x)";
    /// Inverse cosine in radians, from 0 to pi.
    acos, acos_assign, Acos<Float>, 1.0 => 0.0, |x| num_traits::Float::acos(x), "acos(x)";
    /// Inverse tangent in radians, from -pi/2 to pi/2.
    atan, atan_assign, Atan<Float>, 0.0 => 0.0, |x| num_traits::Float::atan(x), "atan(x)";
    /// Hyperbolic sine.
    sinh, sinh_assign, Sinh<Float>, 0.0 => 0.0, |x| num_traits::Float::sinh(x), "sinh(x)";
    /// Hyperbolic cosine.
    cosh, cosh_assign, Cosh<Float>, 0.0 => 1.0, |x| num_traits::Float::cosh(x), "cosh(x)";
    /// Hyperbolic tangent.
    tanh, tanh_assign, Tanh<Float>, 0.0 => 0.0, |x| num_traits::Float::tanh(x), "tanh(x)";
    /// Inverse hyperbolic sine.
    asinh, asinh_assign, Asinh<Float> wide = true, 0.0 => 0.0, |x| asinh(x), "asinh(x)";
    /// Inverse hyperbolic cosine.
    acosh, acosh_assign, Acosh<Float> wide = true, 1.0 => 0.0, |x| acosh(x), "acosh(x)";
    /// Inverse hyperbolic tangent.
    atanh, atanh_assign, Atanh<Float> wide = true, 0.0 => 0.0, |x| atanh(x), "atanh(x)";
    /// Largest integer that is not larger than the element.
    floor, floor_assign, Floor<Float>, -1.5 => -2.0, |x| num_traits::Float::floor(x), "floor(x)";
    /// Smallest integer that is not smaller than the element.
    ceil, ceil_assign, Ceil<Float>, 1.5 => 2.0, |x| num_traits::Float::ceil(x), "ceil(x)";
    /// The integer nearest to the element in the direction of zero.
    trunc, trunc_assign, Trunc<Float>, -1.5 => -1.0, |x| num_traits::Float::trunc(x), "trunc(x)";
    /// The nearest integer, halves to the even one.
    round, round_assign, Round<Float>, 2.5 => 2.0, |x| Float::round_ties_even(x), "rint(x)";
    /// Complement of each bit.
    bitwise_invert, bitwise_invert_assign, BitwiseInvert<Integer>, 5 => -6, |x| x.bitwise_invert(), "(T)~x";
}

/// Minus `x`: zero changes sign too.
#[inline(always)]
fn negate<T: Numeric>(x: T) -> T {
    if x == T::ZERO { x.multiply(T::ZERO.subtract(T::ONE)) } else { T::ZERO.subtract(x) }
}

/// `asinh`, odd to the sign of zero.
#[inline(always)]
fn asinh<T: Float>(x: T) -> T {
    let a = num_traits::Float::abs(x);
    let one = T::ONE;
    // x + x^2 / (1 + sqrt(1 + x^2)) keeps small results accurate.
    let root = num_traits::Float::sqrt(a * a + one);
    let small = a + a / (root + one) * a;
    let (less_one, low) = if a < large() { (small, T::ZERO) } else { log_of_twice(a) };
    num_traits::Float::copysign(Math::log1p(less_one) + low, x)
}

/// `acosh`, accurate near one; NaN below one.
#[inline(always)]
fn acosh<T: Float>(x: T) -> T {
    let t = x - T::ONE;
    let root = num_traits::Float::sqrt(t) * num_traits::Float::sqrt(x + T::ONE);
    let (less_one, low) = if x > large() { log_of_twice(x) } else { (t + root, T::ZERO) };
    Math::log1p(less_one) + low
}

/// `(y, z)` with `ln(2 x) = ln(1 + y) + z`.
#[inline(always)]
fn log_of_twice<T: Float>(x: T) -> (T, T) {
    (x - T::ONE, T::from_f64(std::f64::consts::LN_2))
}

/// Beyond this, `1 + x^2` is `x^2` but for rounding, and `asinh` and `acosh` are `ln(2 x)`.
#[inline(always)]
fn large<T: Float>() -> T {
    num_traits::Float::recip(num_traits::Float::sqrt(<T as num_traits::Float>::epsilon()))
}

/// `atanh`, accurate near zero and near one.
#[inline(always)]
fn atanh<T: Float>(x: T) -> T {
    let a = num_traits::Float::abs(x);
    let y = Math::log1p((a + a) / (T::ONE - a)) * T::from_f64(0.5);
    num_traits::Float::copysign(y, x)
}

macro_rules! predicates {
    ($($(#[$doc:meta])* $name:ident, $op:ident<$bound:path>, |$x:ident| $body:expr, $cuda:literal;)*) => {
        /// Operation types of the unary functions whose result is a truth value.
        pub mod predicate {
            use super::*;
            $(
                #[doc = concat!("See [`Array::", stringify!($name), "`](crate::Array::", stringify!($name), ").")]
                #[derive(Debug, Clone, Copy)]
                pub struct $op;
                impl<T: $bound> Unary<T> for $op {
                    type Out = bool;
                    #[inline(always)]
                    fn apply(&self, $x: T) -> bool { $body }
                    fn cuda() -> String { concat!("return ", $cuda, ";").into() }
                }
            )*
        }
        $(
            impl<T: $bound, B: Backend> Array<T, B> {
                $(#[$doc])*
                pub fn $name(&self) -> Result<Array<bool, B>> {
                    self.map(&predicate::$op)
                }
            }

            impl<B: Backend, E: Expression<B>> Lazy<E, B>
            where
                E::Item: $bound,
            {
                #[doc = concat!("[`Array::", stringify!($name), "`] in an expression.")]
                pub fn $name(self) -> Lazy<Map<predicate::$op, E>, B> {
                    self.map(predicate::$op)
                }
            }
        )*
    };
}

predicates! {
    /// Whether the element is neither infinite nor NaN.
    isfinite, IsFinite<Float>, |x| num_traits::Float::is_finite(x), "is_finite(x)";
    /// Whether the element is plus or minus infinity.
    isinf, IsInf<Float>, |x| num_traits::Float::is_infinite(x), "is_infinite(x)";
    /// Whether the element is NaN.
    isnan, IsNan<Float>, |x| num_traits::Float::is_nan(x), "is_nan(x)";
    /// Whether the sign bit is set: true for -0 and negative NaN too.
    signbit, SignBit<Float>, |x| num_traits::Float::is_sign_negative(x), "sign_bit(x)";
    /// Whether the element is zero or false.
    logical_not, LogicalNot<Cast<bool>>, |x| !Cast::<bool>::cast(x), "!cast<bool>(x)";
}

macro_rules! binary_functions {
    ($($(#[$doc:meta])* $name:ident, $assign:ident, $scalar:ident, $scalar_assign:ident,
        $op:ident<$bound:path> $(wide = $wide:literal)?, ($in1:literal, $in2:literal) => $out:literal, |$a:ident, $b:ident| $body:expr, $cuda:literal;)*) => {
        /// Operation types of the binary functions that keep the element type.
        pub mod binary {
            use super::*;
            $(
                #[doc = concat!("See [`Array::", stringify!($name), "`](crate::Array::", stringify!($name), ").")]
                #[derive(Debug, Clone, Copy)]
                pub struct $op;
                impl<T: $bound> Binary<T> for $op {
                    type Out = T;
                    $(const WIDE: bool = $wide;)?
                    #[inline(always)]
                    fn apply(&self, $a: T, $b: T) -> T { $body }
                    fn cuda() -> String { concat!("return ", $cuda, ";").into() }
                }
            )*
        }
        $(
            impl<T: $bound, B: Backend> Array<T, B> {
                $(#[$doc])*
                #[doc = concat!(
                    "\n```\n# use array_api::{Array, Cpu};\n# let xp = Cpu::new();\n",
                    "let a = Array::from_slice(&xp, &[", stringify!($in1), "])?;\n",
                    "let b = Array::from_slice(&xp, &[", stringify!($in2), "])?;\n",
                    "assert_eq!(a.", stringify!($name), "(&b)?.to_vec()?, [", stringify!($out), "]);\n",
                    "# Ok::<(), array_api::Error>(())\n```"
                )]
                pub fn $name(&self, other: &Self) -> Result<Self> {
                    self.zip(&binary::$op, other, stringify!($name))
                }

                #[doc = concat!("[`Array::", stringify!($name), "`] in place.")]
                pub fn $assign(&mut self, other: &Self) -> Result<()> {
                    self.zip_assign(&binary::$op, other, stringify!($name))
                }

                #[doc = concat!("[`Array::", stringify!($name), "`] with the same second argument everywhere.")]
                pub fn $scalar(&self, scalar: T) -> Result<Self> {
                    self.map(&WithScalar(binary::$op, scalar))
                }

                #[doc = concat!("[`Array::", stringify!($name), "`] in place with the same second argument everywhere.")]
                pub fn $scalar_assign(&mut self, scalar: T) -> Result<()> {
                    self.map_assign(&WithScalar(binary::$op, scalar))
                }
            }

            impl<B: Backend, E: Expression<B>> Lazy<E, B>
            where
                E::Item: $bound,
            {
                #[doc = concat!("[`Array::", stringify!($name), "`] in an expression.")]
                #[allow(clippy::should_implement_trait, reason = "names are those of arrays")]
                pub fn $name<F>(self, other: Lazy<F, B>) -> Lazy<Zip<binary::$op, E, F>, B>
                where
                    F: Expression<B, Item = E::Item>,
                {
                    self.zip(binary::$op, other)
                }

                #[doc = concat!("[`Array::", stringify!($scalar), "`] in an expression.")]
                pub fn $scalar(self, scalar: E::Item) -> Lazy<Map<WithScalar<binary::$op, E::Item>, E>, B> {
                    self.map(WithScalar(binary::$op, scalar))
                }
            }
        )*
    };
}

binary_functions! {
    /// Sum.
    add, add_assign, add_scalar, add_scalar_assign, Add<Numeric>, (1.0, 2.0) => 3.0, |a, b| a.add(b), "add(a, b)";
    /// Difference.
    subtract, subtract_assign, subtract_scalar, subtract_scalar_assign, Subtract<Numeric>, (3.0, 2.0) => 1.0, |a, b| a.subtract(b), "subtract(a, b)";
    /// Product.
    multiply, multiply_assign, multiply_scalar, multiply_scalar_assign, Multiply<Numeric>, (3.0, 2.0) => 6.0, |a, b| a.multiply(b), "multiply(a, b)";
    /// Quotient.
    divide, divide_assign, divide_scalar, divide_scalar_assign, Divide<Float>, (3.0, 2.0) => 1.5, |a, b| a / b, "a / b";
    /// Quotient rounded down; integers divided by zero give zero, as in NumPy.
    floor_divide, floor_divide_assign, floor_divide_scalar, floor_divide_scalar_assign, FloorDivide<Numeric>, (-7.0, 2.0) => -4.0,
        |a, b| a.floor_divide(b), "floor_divide(a, b)";
    /// Remainder of [`Array::floor_divide`], with the sign of the divisor.
    remainder, remainder_assign, remainder_scalar, remainder_scalar_assign, Remainder<Numeric>, (-7.0, 2.0) => 1.0,
        |a, b| a.remainder(b), "floor_remainder(a, b)";
    /// The first argument to the power of the second.
    pow, pow_assign, pow_scalar, pow_scalar_assign, Pow<Float> wide = true, (2.0, 10.0) => 1024.0, |a, b| Math::pow(a, b), "pow(a, b)";
    /// The larger one; NaN if either is NaN.
    maximum, maximum_assign, maximum_scalar, maximum_scalar_assign, Maximum<Numeric>, (1.0, 2.0) => 2.0,
        |a, b| if a > b || a.is_nan_value() { a } else { b }, "a > b || is_nan(a) ? a : b";
    /// The smaller one; NaN if either is NaN.
    minimum, minimum_assign, minimum_scalar, minimum_scalar_assign, Minimum<Numeric>, (1.0, 2.0) => 1.0,
        |a, b| if a < b || a.is_nan_value() { a } else { b }, "a < b || is_nan(a) ? a : b";
    /// Angle of the point (x = second, y = first argument) in radians, from -pi to pi.
    atan2, atan2_assign, atan2_scalar, atan2_scalar_assign, Atan2<Float>, (0.0, 1.0) => 0.0, |a, b| num_traits::Float::atan2(a, b), "atan2(a, b)";
    /// `sqrt(a^2 + b^2)` without overflow on the way.
    hypot, hypot_assign, hypot_scalar, hypot_scalar_assign, Hypot<Float> wide = true, (3.0, 4.0) => 5.0, |a, b| num_traits::Float::hypot(a, b), "hypot(a, b)";
    /// The size of the first argument with the sign of the second.
    copysign, copysign_assign, copysign_scalar, copysign_scalar_assign, CopySign<Float>, (3.0, -0.0) => -3.0,
        |a, b| num_traits::Float::copysign(a, b), "copysign(a, b)";
    /// The next floating point number after the first argument towards the second.
    nextafter, nextafter_assign, nextafter_scalar, nextafter_scalar_assign, NextAfter<Float>, (1.0, 1.0) => 1.0,
        |a, b| a.next_after(b), "nextafter(a, b)";
    /// `log(exp(a) + exp(b))` without overflow on the way.
    logaddexp, logaddexp_assign, logaddexp_scalar, logaddexp_scalar_assign, LogAddExp<Float> wide = true, (0.0, 0.0) => 0.6931471805599453,
        |a, b| logaddexp(a, b), "log_add_exp(a, b)";
    /// Bits set in both.
    bitwise_and, bitwise_and_assign, bitwise_and_scalar, bitwise_and_scalar_assign, BitwiseAnd<Integer>, (6, 3) => 2,
        |a, b| a.bitwise_and(b), "(T)(a & b)";
    /// Bits set in either.
    bitwise_or, bitwise_or_assign, bitwise_or_scalar, bitwise_or_scalar_assign, BitwiseOr<Integer>, (6, 3) => 7,
        |a, b| a.bitwise_or(b), "(T)(a | b)";
    /// Bits set in one of the two.
    bitwise_xor, bitwise_xor_assign, bitwise_xor_scalar, bitwise_xor_scalar_assign, BitwiseXor<Integer>, (6, 3) => 5,
        |a, b| a.bitwise_xor(b), "(T)(a ^ b)";
    /// The first argument shifted towards the high bits.
    bitwise_left_shift, bitwise_left_shift_assign, bitwise_left_shift_scalar, bitwise_left_shift_scalar_assign, LeftShift<Integer>, (3, 2) => 12,
        |a, b| a.bitwise_left_shift(b), "shift_left(a, b)";
    /// The first argument shifted towards the low bits, the sign kept.
    bitwise_right_shift, bitwise_right_shift_assign, bitwise_right_shift_scalar, bitwise_right_shift_scalar_assign, RightShift<Integer>,
        (-12, 2) => -3, |a, b| a.bitwise_right_shift(b), "shift_right(a, b)";
}

#[inline(always)]
fn logaddexp<T: Float>(a: T, b: T) -> T {
    if a == b {
        // Equal infinities would give NaN below.
        return a + T::from_f64(std::f64::consts::LN_2);
    }
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if a.is_nan_value() { a } else { high + Math::log1p(Math::exp_term(low - high)) }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident, $scalar:ident, $op:ident<$bound:path>, |$a:ident, $b:ident| $body:expr, $cuda:literal;)*) => {
        /// Operation types of the binary functions whose result is a truth value.
        pub mod comparison {
            use super::*;
            $(
                #[doc = concat!("See [`Array::", stringify!($name), "`](crate::Array::", stringify!($name), ").")]
                #[derive(Debug, Clone, Copy)]
                pub struct $op;
                impl<T: $bound> Binary<T> for $op {
                    type Out = bool;
                    #[inline(always)]
                    fn apply(&self, $a: T, $b: T) -> bool { $body }
                    fn cuda() -> String { concat!("return ", $cuda, ";").into() }
                }
            )*
        }
        $(
            impl<T: $bound, B: Backend> Array<T, B> {
                $(#[$doc])*
                pub fn $name(&self, other: &Self) -> Result<Array<bool, B>> {
                    self.zip(&comparison::$op, other, stringify!($name))
                }

                #[doc = concat!("[`Array::", stringify!($name), "`] with the same second argument everywhere.")]
                pub fn $scalar(&self, scalar: T) -> Result<Array<bool, B>> {
                    self.map(&WithScalar(comparison::$op, scalar))
                }
            }

            impl<B: Backend, E: Expression<B>> Lazy<E, B>
            where
                E::Item: $bound,
            {
                #[doc = concat!("[`Array::", stringify!($name), "`] in an expression.")]
                #[allow(clippy::should_implement_trait, reason = "names are those of arrays")]
                pub fn $name<F>(self, other: Lazy<F, B>) -> Lazy<Zip<comparison::$op, E, F>, B>
                where
                    F: Expression<B, Item = E::Item>,
                {
                    self.zip(comparison::$op, other)
                }

                #[doc = concat!("[`Array::", stringify!($scalar), "`] in an expression.")]
                pub fn $scalar(self, scalar: E::Item) -> Lazy<Map<WithScalar<comparison::$op, E::Item>, E>, B> {
                    self.map(WithScalar(comparison::$op, scalar))
                }
            }
        )*
    };
}

comparisons! {
    /// Whether the elements are equal; NaN equals nothing.
    equal, equal_scalar, Equal<Element>, |a, b| a == b, "a == b";
    /// Whether the elements differ; NaN differs from everything.
    not_equal, not_equal_scalar, NotEqual<Element>, |a, b| a != b, "a != b";
    /// Whether the first is smaller.
    less, less_scalar, Less<Element>, |a, b| a < b, "a < b";
    /// Whether the first is smaller or equal.
    less_equal, less_equal_scalar, LessEqual<Element>, |a, b| a <= b, "a <= b";
    /// Whether the first is larger.
    greater, greater_scalar, Greater<Element>, |a, b| a > b, "a > b";
    /// Whether the first is larger or equal.
    greater_equal, greater_equal_scalar, GreaterEqual<Element>, |a, b| a >= b, "a >= b";
    /// Whether both are other than zero.
    logical_and, logical_and_scalar, LogicalAnd<Cast<bool>>,
        |a, b| Cast::<bool>::cast(a) & Cast::<bool>::cast(b), "cast<bool>(a) & cast<bool>(b)";
    /// Whether at least one is other than zero.
    logical_or, logical_or_scalar, LogicalOr<Cast<bool>>,
        |a, b| Cast::<bool>::cast(a) | Cast::<bool>::cast(b), "cast<bool>(a) | cast<bool>(b)";
    /// Whether exactly one is other than zero.
    logical_xor, logical_xor_scalar, LogicalXor<Cast<bool>>,
        |a, b| Cast::<bool>::cast(a) ^ Cast::<bool>::cast(b), "cast<bool>(a) ^ cast<bool>(b)";
}
