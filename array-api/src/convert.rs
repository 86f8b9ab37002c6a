//! Arrays to and from `ndarray`, the edges where host data comes in and goes out.

use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

use crate::backend::Backend;
use crate::{Array, Element, Result};

impl<T: Element, B: Backend> Array<T, B> {
    /// A copy of an `ndarray` array of any dimension and order.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let host = ndarray::arr2(&[[1, 2], [3, 4]]);
    /// let x = Array::from_ndarray(&Cpu::new(), &host.t())?;
    /// assert_eq!(x.to_vec()?, [1, 3, 2, 4]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn from_ndarray<S, D>(xp: &B, array: &ArrayBase<S, D>) -> Result<Self>
    where
        S: Data<Elem = T>,
        D: Dimension,
    {
        match array.as_slice() {
            Some(elements) => Self::from_slice(xp, elements)?.reshape(array.shape()),
            None => Self::from_vec(xp, array.iter().copied().collect(), array.shape()),
        }
    }

    /// A copy as an `ndarray` array.
    pub fn to_ndarray(&self) -> Result<ArrayD<T>> {
        Ok(shaped(self.shape(), self.to_vec()?))
    }

    /// As [`to_ndarray`](Self::to_ndarray), for an array that is no longer needed: without a copy where
    /// [`into_vec`](Self::into_vec) makes none.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[1, 2, 3, 4])?.reshape(&[2, 2])?;
    /// assert_eq!(x.into_ndarray()?, ndarray::arr2(&[[1, 2], [3, 4]]).into_dyn());
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn into_ndarray(self) -> Result<ArrayD<T>> {
        let shape = self.shape().to_vec();
        Ok(shaped(&shape, self.into_vec()?))
    }
}

fn shaped<T>(shape: &[usize], elements: Vec<T>) -> ArrayD<T> {
    match ArrayD::from_shape_vec(IxDyn(shape), elements) {
        Ok(array) => array,
        Err(error) => unreachable!("there are as many elements as the shape has: {error}"),
    }
}
