//! Searching and sorting: the chapters "Searching Functions" and "Sorting Functions" of the array
//! API standard.

use crate::backend::{Backend, View};
use crate::layout::broadcast_shapes;
use crate::{Array, Element, Error, Numeric, Result};

impl<B: Backend> Array<bool, B> {
    /// `a` where `self` is true, else `b`; all three are broadcast.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[-1.0, 2.0])?;
    /// let positive = x.greater_scalar(0.0)?.where_(&x, &x.zeros_like()?)?;
    /// assert_eq!(positive.to_vec()?, [0.0, 2.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn where_<T: Element>(&self, a: &Array<T, B>, b: &Array<T, B>) -> Result<Array<T, B>> {
        let shape = broadcast_shapes(a.shape(), b.shape(), "where_")?;
        let shape = broadcast_shapes(self.shape(), &shape, "where_")?;
        let condition = self.layout().broadcast_to(&shape)?;
        let (la, lb) = (a.layout().broadcast_to(&shape)?, b.layout().broadcast_to(&shape)?);
        let buffer = self.backend().select(
            View { buffer: self.buffer(), layout: &condition },
            View { buffer: a.buffer(), layout: &la },
            View { buffer: b.buffer(), layout: &lb },
        )?;
        Ok(Array::from_buffer(self.backend(), buffer, &shape))
    }

    /// The indices of the true elements, one array for each axis, in row-major order.
    pub fn nonzero(&self) -> Result<Vec<Array<i64, B>>> {
        let (buffer, count) = self.backend().flat_nonzero(self.view())?;
        let flat = Array::from_buffer(self.backend(), buffer, &[count]);
        let mut step = 1;
        let mut result = Vec::with_capacity(self.ndim());
        for &length in self.shape().iter().rev() {
            let length = length.max(1) as i64;
            result.push(flat.floor_divide_scalar(step)?.remainder_scalar(length)?);
            step *= length;
        }
        result.reverse();
        Ok(result)
    }
}

impl<T: Numeric, B: Backend> Array<T, B> {
    /// Index of the first largest element along an axis; a NaN counts as largest.
    pub fn argmax(&self, axis: isize) -> Result<Array<i64, B>> {
        self.arg_extreme(axis, true, "argmax")
    }

    /// Index of the first smallest element along an axis; a NaN counts as smallest.
    pub fn argmin(&self, axis: isize) -> Result<Array<i64, B>> {
        self.arg_extreme(axis, false, "argmin")
    }

    fn arg_extreme(&self, axis: isize, largest: bool, operation: &'static str) -> Result<Array<i64, B>> {
        let (last, _) = self.axis_last(axis, operation)?;
        if last.shape().last() == Some(&0) {
            return Err(Error::EmptyReduction { operation, shape: self.shape().to_vec() });
        }
        let buffer = self.backend().arg_extreme(last.view(), largest)?;
        Ok(Array::from_buffer(self.backend(), buffer, &last.shape()[..last.ndim() - 1]))
    }

    /// The elements sorted along an axis, NaN last (first if `descending`).
    pub fn sort(&self, axis: isize, descending: bool) -> Result<Self> {
        let (last, back) = self.axis_last(axis, "sort")?;
        let buffer = self.backend().sort(last.view(), descending)?;
        Array::from_buffer(self.backend(), buffer, last.shape()).permute_dims(&back)
    }

    /// The indices that sort along an axis; equal elements keep their order.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[3.0, 1.0, 2.0])?;
    /// assert_eq!(x.argsort(0, false)?.to_vec()?, [1, 2, 0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn argsort(&self, axis: isize, descending: bool) -> Result<Array<i64, B>> {
        let (last, back) = self.axis_last(axis, "argsort")?;
        let buffer = self.backend().argsort(last.view(), descending)?;
        Array::from_buffer(self.backend(), buffer, last.shape()).permute_dims(&back)
    }
}
