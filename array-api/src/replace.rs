//! Elements of another type, and elements compared with bounds or replaced beyond them.

use std::marker::PhantomData;

use crate::backend::Backend;
use crate::lazy::{Expression, Lazy, Map};
use crate::ops::{AsType, Between, Clip, NanToNum, Threshold};
use crate::{Array, Cast, Element, Float, Numeric, Result};

impl<T: Element, B: Backend> Array<T, B> {
    /// The elements converted to type `U`, as NumPy's `astype`.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[1.7, -1.7])?;
    /// assert_eq!(x.astype::<i32>()?.to_vec()?, [1, -1]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn astype<U: Element>(&self) -> Result<Array<U, B>>
    where
        T: Cast<U>,
    {
        self.map(&AsType::<U>(PhantomData))
    }
}

impl<T: Numeric, B: Backend> Array<T, B> {
    /// The elements restricted to the closed interval from `low` to `high`; NaN where the element
    /// or a bound is NaN.
    pub fn clip(&self, low: T, high: T) -> Result<Self> {
        self.map(&Clip { low, high })
    }

    /// The elements of the closed interval from `low` to `high`, and `value` in place of all others, NaN among them: SciPy's
    /// `threshold` of old.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[0.5, 2.0, f64::NAN, f64::INFINITY])?;
    /// assert_eq!(x.threshold(1.0, f64::MAX, 1.0)?.to_vec()?, [1.0, 2.0, 1.0, 1.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn threshold(&self, low: T, high: T, value: T) -> Result<Self> {
        self.map(&Threshold { low, high, value })
    }

    /// Whether elements lie in the closed interval from `low` to `high`, as the `between` of pandas; NaN does not.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[-1.0, 0.0, 0.5, f64::NAN])?;
    /// assert_eq!(x.between(0.0, 1.0)?.to_vec()?, [false, true, true, false]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn between(&self, low: T, high: T) -> Result<Array<bool, B>> {
        self.map(&Between { low, high })
    }
}

impl<T: Float, B: Backend> Array<T, B> {
    /// The elements with NaN and the infinities replaced, as NumPy's `nan_to_num`.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[1.0, f64::NAN, f64::NEG_INFINITY])?;
    /// assert_eq!(x.nan_to_num(0.0, 9.0, -9.0)?.to_vec()?, [1.0, 0.0, -9.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn nan_to_num(&self, nan: T, posinf: T, neginf: T) -> Result<Self> {
        self.map(&NanToNum { nan, posinf, neginf })
    }

    /// [`Array::nan_to_num`] in place.
    pub fn nan_to_num_assign(&mut self, nan: T, posinf: T, neginf: T) -> Result<()> {
        self.map_assign(&NanToNum { nan, posinf, neginf })
    }
}

impl<B: Backend, E: Expression<B>> Lazy<E, B> {
    /// The elements converted to type `U`.
    pub fn astype<U: Element>(self) -> Lazy<Map<AsType<U>, E>, B>
    where
        E::Item: Cast<U>,
    {
        self.map(AsType(PhantomData))
    }
}

impl<B: Backend, E: Expression<B>> Lazy<E, B>
where
    E::Item: Numeric,
{
    /// [`Array::clip`] in an expression.
    pub fn clip(self, low: E::Item, high: E::Item) -> Lazy<Map<Clip<E::Item>, E>, B> {
        self.map(Clip { low, high })
    }

    /// [`Array::threshold`] in an expression.
    pub fn threshold(
        self,
        low: E::Item,
        high: E::Item,
        value: E::Item,
    ) -> Lazy<Map<Threshold<E::Item>, E>, B> {
        self.map(Threshold { low, high, value })
    }

    /// [`Array::between`] in an expression.
    pub fn between(self, low: E::Item, high: E::Item) -> Lazy<Map<Between<E::Item>, E>, B> {
        self.map(Between { low, high })
    }
}

impl<B: Backend, E: Expression<B>> Lazy<E, B>
where
    E::Item: Float,
{
    /// [`Array::nan_to_num`] in an expression.
    pub fn nan_to_num(
        self,
        nan: E::Item,
        posinf: E::Item,
        neginf: E::Item,
    ) -> Lazy<Map<NanToNum<E::Item>, E>, B> {
        self.map(NanToNum { nan, posinf, neginf })
    }
}
