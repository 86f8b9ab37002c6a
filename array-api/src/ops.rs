//! The elementwise functions and reductions, one definition each.
//!
//! An operation is a small type with one definition for every backend: a Rust expression here,
//! which the CPU compiles into its vector loops. The tables in [`elementwise`](crate::elementwise)
//! add one such type, with its method on [`Array`](crate::Array), by one row.

use std::marker::PhantomData;

use crate::{Cast, Element, Numeric};

/// A function of one element.
pub trait Unary<T: Element>: Send + Sync {
    /// Element type of the result.
    type Out: Element;
    /// The function.
    fn apply(&self, x: T) -> Self::Out;
}

/// A function of two elements of one type.
pub trait Binary<T: Element>: Send + Sync {
    /// Element type of the result.
    type Out: Element;
    /// The function.
    fn apply(&self, a: T, b: T) -> Self::Out;
}

/// A binary function with its second argument fixed: `op(x, scalar)`.
#[derive(Debug, Clone, Copy)]
pub struct WithScalar<O, T>(pub O, pub T);

impl<T: Element, O: Binary<T>> Unary<T> for WithScalar<O, T> {
    type Out = O::Out;
    #[inline(always)]
    fn apply(&self, x: T) -> O::Out {
        self.0.apply(x, self.1)
    }
}

/// A binary function with its first argument fixed: `op(scalar, x)`.
#[derive(Debug, Clone, Copy)]
pub struct ScalarWith<O, T>(pub O, pub T);

impl<T: Element, O: Binary<T>> Unary<T> for ScalarWith<O, T> {
    type Out = O::Out;
    #[inline(always)]
    fn apply(&self, x: T) -> O::Out {
        self.0.apply(self.1, x)
    }
}

/// Conversion to elements of type `U`.
#[derive(Debug, Clone, Copy)]
pub struct AsType<U>(pub PhantomData<U>);

impl<T: Cast<U>, U: Element> Unary<T> for AsType<U> {
    type Out = U;
    #[inline(always)]
    fn apply(&self, x: T) -> U {
        x.cast()
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
}

/// A function over many elements, built up from partial results in a fixed order.
pub trait Reduction<T: Element>: Send + Sync + 'static {
    /// What is kept while elements come in.
    type Accumulator: Copy + Send + Sync;
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
}

macro_rules! reductions {
    ($($(#[$doc:meta])* $name:ident<$t:ident: $bound:path> -> $acc:ty, $out:ty {
        identity: $identity:expr,
        load: |$x:ident| $load:expr,
        combine: |$a:ident, $b:ident| $combine:expr,
        finish: |$r:ident, $n:ident| $finish:expr,
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
        }
    )*};
}

reductions! {
    /// Sum: floating point is accumulated in f64, integers in i64.
    Sum<T: Numeric> -> T::Accumulator, T::Sum {
        identity: T::Accumulator::ZERO,
        load: |x| x.accumulate(),
        combine: |a, b| a.add(b),
        finish: |r, _n| r.cast(),
    }
    /// Product, accumulated as [`Sum`] is.
    Prod<T: Numeric> -> T::Accumulator, T::Sum {
        identity: T::Accumulator::ONE,
        load: |x| x.accumulate(),
        combine: |a, b| a.multiply(b),
        finish: |r, _n| r.cast(),
    }
    /// Arithmetic mean; NaN for no element.
    Mean<T: crate::Float> -> f64, T {
        identity: 0.0,
        load: |x| x.to_f64(),
        combine: |a, b| a + b,
        finish: |r, n| T::from_f64(r / n as f64),
    }
    /// Smallest element; NaN if there is one.
    Min<T: Numeric> -> T, T {
        identity: T::HIGHEST,
        load: |x| x,
        combine: |a, b| if b < a || b.is_nan_value() { b } else { a },
        finish: |r, _n| r,
    }
    /// Largest element; NaN if there is one.
    Max<T: Numeric> -> T, T {
        identity: T::LOWEST,
        load: |x| x,
        combine: |a, b| if b > a || b.is_nan_value() { b } else { a },
        finish: |r, _n| r,
    }
    /// Whether all elements are other than zero.
    All<T: Cast<bool>> -> bool, bool {
        identity: true,
        load: |x| x.cast(),
        combine: |a, b| a & b,
        finish: |r, _n| r,
    }
    /// Whether any element is other than zero.
    Any<T: Cast<bool>> -> bool, bool {
        identity: false,
        load: |x| x.cast(),
        combine: |a, b| a | b,
        finish: |r, _n| r,
    }
    /// Number of elements other than zero.
    CountNonzero<T: Cast<bool>> -> i64, i64 {
        identity: 0,
        load: |x| i64::from(Cast::<bool>::cast(x)),
        combine: |a, b| a + b,
        finish: |r, _n| r,
    }
}
