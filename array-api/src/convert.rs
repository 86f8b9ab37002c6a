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
        let data = self.to_vec()?;
        match ArrayD::from_shape_vec(IxDyn(self.shape()), data) {
            Ok(array) => Ok(array),
            Err(error) => unreachable!("a download has as many elements as the shape: {error}"),
        }
    }
}
