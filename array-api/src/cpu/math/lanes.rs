//! The operations that logarithms and exponentials by tables are made of, on one number or on the
//! vectors of an instruction set, with the same bits.

use pulp::{Simd, WithSimd};

use super::tables::{Table, Tables};
use super::tabulated::Function;

/// Operations on vectors of numbers of type `T`.
pub trait Lanes<T>: Copy {
    /// A vector.
    type Vector: Copy;
    /// A vector of the same number.
    fn all(self, x: T) -> Self::Vector;
    /// `a + b`.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b`.
    fn subtract(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b`.
    fn multiply(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once.
    fn multiply_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// `x`, or the bound beyond which it is; NaN stays NaN.
    fn clamp(self, x: Self::Vector, lowest: T, highest: T) -> Self::Vector;
    /// The numbers of each column of a table in the rows that the last four bits of `index` number.
    fn entries<const N: usize>(self, table: &Table<T, N>, index: Self::Vector) -> [Self::Vector; N];
    /// [`entries`](Self::entries) for two vectors.
    #[inline(always)]
    fn entries_of_two<const N: usize>(
        self,
        table: &Table<T, N>,
        index: [Self::Vector; 2],
    ) -> [[Self::Vector; 2]; N] {
        let (first, second) = (self.entries(table, index[0]), self.entries(table, index[1]));
        let mut entries = [index; N];
        for (entry, both) in entries.iter_mut().zip(first.into_iter().zip(second)) {
            *entry = both.into();
        }
        entries
    }
    /// `(k, m, index)` with `x = 2^k m` and `1 <= m < 2`, and the four leading bits of the fraction of
    /// `m` as the last ones of `index`, for positive finite numbers, subnormal ones too; something
    /// meaningless for any other.
    fn split(self, x: Self::Vector) -> (Self::Vector, Self::Vector, Self::Vector);
    /// [`split`](Self::split) of numbers all of which are positive, finite and not subnormal. Nothing if one is not;
    /// or always, where it takes no longer to be ready for any number than to look.
    #[inline(always)]
    fn split_normal(self, _: Self::Vector) -> Option<(Self::Vector, Self::Vector, Self::Vector)> {
        None
    }
    /// `x * 2^floor(w)`, with `w` as adding [`ROUND_TO_16THS`](super::real::Real::ROUND_TO_16THS) leaves it, for `|w|` below almost
    /// twice the largest exponent. Only a subnormal result is rounded.
    fn scale(self, x: Self::Vector, w: Self::Vector) -> Self::Vector;
    /// `y`, the logarithm of a positive finite `x`, or what the logarithm of any other `x` is.
    fn with_special_values(self, x: Self::Vector, y: Self::Vector) -> Self::Vector;
}

/// Vectors that numbers in memory can be taken in.
pub trait Map<T>: Copy {
    /// Writes the function of each of `x` to `out`.
    fn map<F: Function>(self, function: F, x: &[T], out: &mut [T]);
}

/// A single number as a vector.
#[derive(Clone, Copy, Debug)]
pub struct One;

impl<T: Tables> Lanes<T> for One {
    type Vector = T;

    #[inline(always)]
    fn all(self, x: T) -> T {
        x
    }

    #[inline(always)]
    fn add(self, a: T, b: T) -> T {
        a + b
    }

    #[inline(always)]
    fn subtract(self, a: T, b: T) -> T {
        a - b
    }

    #[inline(always)]
    fn multiply(self, a: T, b: T) -> T {
        a * b
    }

    #[inline(always)]
    fn multiply_add(self, a: T, b: T, c: T) -> T {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn clamp(self, x: T, lowest: T, highest: T) -> T {
        super::exp::clamp(x, lowest, highest)
    }

    #[inline(always)]
    fn entries<const N: usize>(self, table: &Table<T, N>, index: T) -> [T; N] {
        let mut entries = [index; N];
        for (entry, column) in entries.iter_mut().zip(&table.columns) {
            *entry = column[index.last_four_bits()];
        }
        entries
    }

    #[inline(always)]
    fn split(self, x: T) -> (T, T, T) {
        let subnormal = x < T::min_positive_value();
        let (factor, shift) = if subnormal { (T::INTEGERS, T::DIGITS) } else { (T::one(), T::zero()) };
        let (k, m, index) = (x * factor).split_by_exponent();
        (k - shift, m, index)
    }

    #[inline(always)]
    fn scale(self, x: T, w: T) -> T {
        x.scale(w.without_last_four_bits())
    }

    #[inline(always)]
    fn with_special_values(self, x: T, y: T) -> T {
        let special = if x == T::zero() { T::neg_infinity() } else { x };
        let special = if x < T::zero() { -T::nan() } else { special };
        if (x > T::zero()) & (x < T::infinity()) { y } else { special }
    }
}

impl<T: Tables> Map<T> for One {
    #[inline(always)]
    fn map<F: Function>(self, function: F, x: &[T], out: &mut [T]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = function.at(One, x);
        }
    }
}

/// Two vectors at a time, for processors with too few registers to keep all constants in: each is loaded once for both.
#[derive(Clone, Copy, Debug)]
pub struct Two<L>(pub L);

impl<T: Copy, L: Lanes<T>> Lanes<T> for Two<L> {
    type Vector = [L::Vector; 2];

    #[inline(always)]
    fn all(self, x: T) -> Self::Vector {
        [self.0.all(x); 2]
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        [self.0.add(a[0], b[0]), self.0.add(a[1], b[1])]
    }

    #[inline(always)]
    fn subtract(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        [self.0.subtract(a[0], b[0]), self.0.subtract(a[1], b[1])]
    }

    #[inline(always)]
    fn multiply(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        [self.0.multiply(a[0], b[0]), self.0.multiply(a[1], b[1])]
    }

    #[inline(always)]
    fn multiply_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        [self.0.multiply_add(a[0], b[0], c[0]), self.0.multiply_add(a[1], b[1], c[1])]
    }

    #[inline(always)]
    fn clamp(self, x: Self::Vector, lowest: T, highest: T) -> Self::Vector {
        [self.0.clamp(x[0], lowest, highest), self.0.clamp(x[1], lowest, highest)]
    }

    #[inline(always)]
    fn entries<const N: usize>(self, table: &Table<T, N>, index: Self::Vector) -> [Self::Vector; N] {
        self.0.entries_of_two(table, index)
    }

    #[inline(always)]
    fn split(self, x: Self::Vector) -> (Self::Vector, Self::Vector, Self::Vector) {
        both(self.0.split(x[0]), self.0.split(x[1]))
    }

    #[inline(always)]
    fn split_normal(self, x: Self::Vector) -> Option<(Self::Vector, Self::Vector, Self::Vector)> {
        Some(both(self.0.split_normal(x[0])?, self.0.split_normal(x[1])?))
    }

    #[inline(always)]
    fn scale(self, x: Self::Vector, w: Self::Vector) -> Self::Vector {
        [self.0.scale(x[0], w[0]), self.0.scale(x[1], w[1])]
    }

    #[inline(always)]
    fn with_special_values(self, x: Self::Vector, y: Self::Vector) -> Self::Vector {
        [self.0.with_special_values(x[0], y[0]), self.0.with_special_values(x[1], y[1])]
    }
}

/// Two of each.
#[inline(always)]
fn both<V>(first: (V, V, V), second: (V, V, V)) -> ([V; 2], [V; 2], [V; 2]) {
    ([first.0, second.0], [first.1, second.1], [first.2, second.2])
}

/// [`Map::map`], to be compiled for an instruction set.
pub struct Kernel<'a, T, L, F> {
    pub lanes: L,
    pub function: F,
    pub x: &'a [T],
    pub out: &'a mut [T],
}

impl<T, L: Map<T>, F: Function> WithSimd for Kernel<'_, T, L, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.lanes.map(self.function, self.x, self.out);
    }
}
