//! Rust's operators on arrays.

use crate::backend::Backend;
use crate::elementwise::binary;
use crate::ops::{ScalarWith, WithScalar};
use crate::{Array, Float, Numeric, Result};

/// Arithmetic operators: array with array, array with scalar, scalar with array. An owned left
/// operand of the right shape gives its buffer to the result.
macro_rules! operators {
    ($($trait:ident, $method:ident, $op:ident<$bound:path>;)*) => {$(
        impl<T: $bound, B: Backend> std::ops::$trait<&Array<T, B>> for &Array<T, B> {
            type Output = Result<Array<T, B>>;
            fn $method(self, other: &Array<T, B>) -> Self::Output {
                self.zip(&binary::$op, other, stringify!($method))
            }
        }
        impl<T: $bound, B: Backend> std::ops::$trait<&Array<T, B>> for Array<T, B> {
            type Output = Result<Array<T, B>>;
            fn $method(mut self, other: &Array<T, B>) -> Self::Output {
                if self.shape() == other.shape() {
                    self.zip_assign(&binary::$op, other, stringify!($method))?;
                    return Ok(self);
                }
                self.zip(&binary::$op, other, stringify!($method))
            }
        }
        impl<T: $bound, B: Backend> std::ops::$trait<T> for &Array<T, B> {
            type Output = Result<Array<T, B>>;
            fn $method(self, scalar: T) -> Self::Output {
                self.map(&WithScalar(binary::$op, scalar))
            }
        }
        impl<T: $bound, B: Backend> std::ops::$trait<T> for Array<T, B> {
            type Output = Result<Array<T, B>>;
            fn $method(mut self, scalar: T) -> Self::Output {
                self.map_assign(&WithScalar(binary::$op, scalar))?;
                Ok(self)
            }
        }
        operators!(@left $trait, $method, $op, f32);
        operators!(@left $trait, $method, $op, f64);
    )*};
    (@left $trait:ident, $method:ident, $op:ident, $t:ty) => {
        impl<B: Backend> std::ops::$trait<&Array<$t, B>> for $t {
            type Output = Result<Array<$t, B>>;
            fn $method(self, array: &Array<$t, B>) -> Self::Output {
                array.map(&ScalarWith(binary::$op, self))
            }
        }
    };
}

operators! {
    Add, add, Add<Numeric>;
    Sub, sub, Subtract<Numeric>;
    Mul, mul, Multiply<Numeric>;
    Div, div, Divide<Float>;
}

impl<T: Numeric, B: Backend> std::ops::Neg for &Array<T, B> {
    type Output = Result<Array<T, B>>;
    fn neg(self) -> Self::Output {
        self.negative()
    }
}
