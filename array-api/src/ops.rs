//! The elementwise functions and reductions, one definition each.
//!
//! An operation is a small type with one definition for each kind of backend: a Rust expression,
//! which the CPU compiles into its vector loops, and the same in CUDA C++, which a GPU compiles when
//! the operation is first used. The tables in [`elementwise`](crate::elementwise) add one such type,
//! with its method on [`Array`](crate::Array), by one row.
//!
//! CUDA C++ texts are bodies of device functions. In them `T` is the element type of the arguments
//! and `U` that of the result; the functions of `array-api/src/cuda/prelude.cuh` can be called.

use std::marker::PhantomData;

use crate::{Cast, DType, Element, Numeric};

/// A function of one element.
pub trait Unary<T: Element>: Copy + Send + Sync + 'static {
    /// Element type of the result.
    type Out: Element;
    /// The function of each of many elements, `out[i]` that of `x[i]`, where that is faster than a loop
    /// over [`Unary::apply`]; results have the same bits. Both slices have the same length.
    const EACH: Option<Each<T, Self::Out>> = None;
    /// Whether it is so much arithmetic that a loop over it should have the widest vectors that the processor knows; other
    /// loops wait for memory, and are faster with vectors of 32 bytes.
    const WIDE: bool = false;
    /// The function.
    fn apply(&self, x: T) -> Self::Out;
    /// The function in CUDA C++: the body of `U f(T x, const T *p)`, `p` being
    /// [`Unary::parameters`].
    fn cuda() -> String;
    /// Numbers that differ from one value of the type to another.
    fn parameters(&self) -> [T; PARAMETERS] {
        [T::ZERO; PARAMETERS]
    }
}

/// A function of each of many elements, which come first; their results go to the second slice.
pub type Each<T, U> = fn(&[T], &mut [U]);

/// Most parameters that a unary function can have.
pub const PARAMETERS: usize = 3;

/// A function of two elements of one type.
pub trait Binary<T: Element>: Copy + Send + Sync + 'static {
    /// Element type of the result.
    type Out: Element;
    /// As [`Unary::WIDE`].
    const WIDE: bool = false;
    /// The function.
    fn apply(&self, a: T, b: T) -> Self::Out;
    /// The function in CUDA C++: the body of `U f(T a, T b)`.
    fn cuda() -> String;
}

/// A binary function with its second argument fixed: `op(x, scalar)`.
#[derive(Debug, Clone, Copy)]
pub struct WithScalar<O, T>(pub O, pub T);

impl<T: Element, O: Binary<T>> Unary<T> for WithScalar<O, T> {
    type Out = O::Out;
    const WIDE: bool = O::WIDE;
    #[inline(always)]
    fn apply(&self, x: T) -> O::Out {
        self.0.apply(x, self.1)
    }
    fn cuda() -> String {
        format!("const T a = x, b = p[0]; {}", O::cuda())
    }
    fn parameters(&self) -> [T; PARAMETERS] {
        [self.1, T::ZERO, T::ZERO]
    }
}

/// A binary function with its first argument fixed: `op(scalar, x)`.
#[derive(Debug, Clone, Copy)]
pub struct ScalarWith<O, T>(pub O, pub T);

impl<T: Element, O: Binary<T>> Unary<T> for ScalarWith<O, T> {
    type Out = O::Out;
    const WIDE: bool = O::WIDE;
    #[inline(always)]
    fn apply(&self, x: T) -> O::Out {
        self.0.apply(self.1, x)
    }
    fn cuda() -> String {
        format!("const T a = p[0], b = x; {}", O::cuda())
    }
    fn parameters(&self) -> [T; PARAMETERS] {
        [self.1, T::ZERO, T::ZERO]
    }
}

/// Conversion to elements of type `U`.
#[derive(Debug, Clone, Copy)]
pub struct AsType<U>(pub PhantomData<U>);

impl<T: Cast<U>, U: Element> Unary<T> for AsType<U> {
    type Out = U;
    // AVX2 cannot convert between floating point numbers and integers of 64 bits.
    const WIDE: bool = true;
    #[inline(always)]
    fn apply(&self, x: T) -> U {
        x.cast()
    }
    fn cuda() -> String {
        "return cast<U>(x);".into()
    }
}

/// Restriction to the closed interval from `low` to `high`; NaN if any of the three is.
#[derive(Debug, Clone, Copy)]
pub struct Clip<T> {
    /// Smallest value of the result.
    pub low: T,
    /// Largest value of the result.
    pub high: T,
}

impl<T: Element> Unary<T> for Clip<T> {
    type Out = T;
    #[inline(always)]
    fn apply(&self, x: T) -> T {
        let x = if x < self.low || self.low.is_nan_value() { self.low } else { x };
        if x > self.high || self.high.is_nan_value() { self.high } else { x }
    }
    fn cuda() -> String {
        "if (x < p[0] || is_nan(p[0])) x = p[0]; return x > p[1] || is_nan(p[1]) ? p[1] : x;".into()
    }
    fn parameters(&self) -> [T; PARAMETERS] {
        [self.low, self.high, T::ZERO]
    }
}

/// Replacement of what is not in the closed interval from `low` to `high`, or is NaN.
#[derive(Debug, Clone, Copy)]
pub struct Threshold<T> {
    /// Smallest element that stays.
    pub low: T,
    /// Largest element that stays.
    pub high: T,
    /// What stands for the others.
    pub value: T,
}

impl<T: Element> Unary<T> for Threshold<T> {
    type Out = T;
    #[inline(always)]
    fn apply(&self, x: T) -> T {
        // Without a jump: both comparisons are made.
        if (x >= self.low) & (x <= self.high) { x } else { self.value }
    }
    fn cuda() -> String {
        "return x >= p[0] && x <= p[1] ? x : p[2];".into()
    }
    fn parameters(&self) -> [T; PARAMETERS] {
        [self.low, self.high, self.value]
    }
}

/// Whether an element lies in the closed interval from `low` to `high`.
#[derive(Debug, Clone, Copy)]
pub struct Between<T> {
    /// Smallest element of the interval.
    pub low: T,
    /// Largest element of the interval.
    pub high: T,
}

impl<T: Element> Unary<T> for Between<T> {
    type Out = bool;
    #[inline(always)]
    fn apply(&self, x: T) -> bool {
        (x >= self.low) & (x <= self.high)
    }
    fn cuda() -> String {
        "return x >= p[0] && x <= p[1];".into()
    }
    fn parameters(&self) -> [T; PARAMETERS] {
        [self.low, self.high, T::ZERO]
    }
}

/// Replacement of what is not finite.
#[derive(Debug, Clone, Copy)]
pub struct NanToNum<T> {
    /// What stands for NaN.
    pub nan: T,
    /// What stands for infinity.
    pub posinf: T,
    /// What stands for minus infinity.
    pub neginf: T,
}

impl<T: crate::Float> Unary<T> for NanToNum<T> {
    type Out = T;
    #[inline(always)]
    fn apply(&self, x: T) -> T {
        let x = if x.is_nan_value() { self.nan } else { x };
        let x = if x == T::HIGHEST { self.posinf } else { x };
        if x == T::LOWEST { self.neginf } else { x }
    }
    fn cuda() -> String {
        "if (is_nan(x)) x = p[0]; if (x == highest<T>()) x = p[1]; return x == lowest<T>() ? p[2] : x;".into()
    }
    fn parameters(&self) -> [T; PARAMETERS] {
        [self.nan, self.posinf, self.neginf]
    }
}

/// A function over many elements, built up from partial results in a fixed order.
pub trait Reduction<T: Element>: Send + Sync + 'static {
    /// What is kept while elements come in.
    type Accumulator: Element;
    /// Element type of the result.
    type Out: Element;
    /// The partial result of no element.
    const IDENTITY: Self::Accumulator;
    /// The partial result of one element.
    fn load(x: T) -> Self::Accumulator;
    /// The partial result of two parts, the first of which comes first.
    fn combine(a: Self::Accumulator, b: Self::Accumulator) -> Self::Accumulator;
    /// The result for `count` elements.
    fn finish(accumulator: Self::Accumulator, count: usize) -> Self::Out;
    /// The same in CUDA C++, `A` being the accumulator's type.
    const CUDA: CudaReduction;
}

/// Expressions in CUDA C++ that make up a [`Reduction`].
#[derive(Debug, Clone, Copy)]
pub struct CudaReduction {
    /// The partial result of no element.
    pub identity: &'static str,
    /// The partial result of one element `x`.
    pub load: &'static str,
    /// The partial result of two parts `a` and `b`.
    pub combine: &'static str,
    /// The result for `n` elements with the partial result `r`.
    pub finish: &'static str,
}

macro_rules! reductions {
    ($($(#[$doc:meta])* $name:ident<$t:ident: $bound:path> -> $acc:ty, $out:ty {
        identity: $identity:expr, $cuda_identity:literal,
        load: |$x:ident| $load:expr, $cuda_load:literal,
        combine: |$a:ident, $b:ident| $combine:expr, $cuda_combine:literal,
        finish: |$r:ident, $n:ident| $finish:expr, $cuda_finish:literal,
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl<$t: $bound> Reduction<$t> for $name {
            type Accumulator = $acc;
            type Out = $out;
            const IDENTITY: $acc = $identity;
            #[inline(always)]
            fn load($x: $t) -> $acc { $load }
            #[inline(always)]
            fn combine($a: $acc, $b: $acc) -> $acc { $combine }
            #[inline(always)]
            fn finish($r: $acc, $n: usize) -> $out { $finish }
            const CUDA: CudaReduction = CudaReduction {
                identity: $cuda_identity,
                load: $cuda_load,
                combine: $cuda_combine,
                finish: $cuda_finish,
            };
        }
    )*};
}

reductions! {
    /// Sum: floating point is accumulated in f64, integers in i64.
    Sum<T: Numeric> -> T::Accumulator, T::Sum {
        identity: T::Accumulator::ZERO, "0",
        load: |x| x.accumulate(), "cast<A>(x)",
        combine: |a, b| a.add(b), "add(a, b)",
        finish: |r, _n| r.cast(), "cast<U>(r)",
    }
    /// Product, accumulated as [`Sum`] is.
    Prod<T: Numeric> -> T::Accumulator, T::Sum {
        identity: T::Accumulator::ONE, "1",
        load: |x| x.accumulate(), "cast<A>(x)",
        combine: |a, b| a.multiply(b), "multiply(a, b)",
        finish: |r, _n| r.cast(), "cast<U>(r)",
    }
    /// Arithmetic mean; NaN for no element.
    Mean<T: crate::Float> -> f64, T {
        identity: 0.0, "0",
        load: |x| x.to_f64(), "(A)x",
        combine: |a, b| a + b, "a + b",
        finish: |r, n| T::from_f64(r / n as f64), "(U)(r / (double)n)",
    }
    /// Smallest element; NaN if there is one.
    Min<T: Numeric> -> T, T {
        identity: T::HIGHEST, "highest<T>()",
        load: |x| x, "x",
        combine: |a, b| if b < a || b.is_nan_value() { b } else { a }, "b < a || is_nan(b) ? b : a",
        finish: |r, _n| r, "r",
    }
    /// Largest element; NaN if there is one.
    Max<T: Numeric> -> T, T {
        identity: T::LOWEST, "lowest<T>()",
        load: |x| x, "x",
        combine: |a, b| if b > a || b.is_nan_value() { b } else { a }, "b > a || is_nan(b) ? b : a",
        finish: |r, _n| r, "r",
    }
    /// Whether all elements are other than zero.
    All<T: Cast<bool>> -> bool, bool {
        identity: true, "true",
        load: |x| x.cast(), "cast<bool>(x)",
        combine: |a, b| a & b, "a & b",
        finish: |r, _n| r, "r",
    }
    /// Whether any element is other than zero.
    Any<T: Cast<bool>> -> bool, bool {
        identity: false, "false",
        load: |x| x.cast(), "cast<bool>(x)",
        combine: |a, b| a | b, "a | b",
        finish: |r, _n| r, "r",
    }
    /// Number of elements other than zero.
    CountNonzero<T: Cast<bool>> -> i64, i64 {
        identity: 0, "0",
        load: |x| i64::from(Cast::<bool>::cast(x)), "cast<bool>(x)",
        combine: |a, b| a + b, "a + b",
        finish: |r, _n| r, "r",
    }
}

/// The name of an element type in CUDA C++.
pub(crate) fn type_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Float32 => "float",
        DType::Float64 => "double",
        DType::Int32 => "int",
        DType::Int64 => "i64",
        DType::UInt8 => "u8",
        DType::Bool => "bool",
    }
}
