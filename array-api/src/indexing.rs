//! Indexing by arrays: the chapter "Indexing Functions" of the array API standard, and NumPy's
//! indexing by masks.

use crate::backend::Backend;
use crate::layout::Layout;
use crate::{Array, Element, Error, Numeric, Result};

impl<T: Element, B: Backend> Array<T, B> {
    /// The sub-arrays at `indices` (one-dimensional, negative ones counting from the end) along
    /// an axis.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// # let xp = Cpu::new();
    /// let x = Array::from_slice(&xp, &[10, 20, 30])?;
    /// assert_eq!(x.take(&Array::from_slice(&xp, &[2, 0, -1])?, 0)?.to_vec()?, [30, 10, 30]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn take(&self, indices: &Array<i64, B>, axis: isize) -> Result<Self> {
        check_indices(indices, "take")?;
        let axis = self.layout().axis(axis, "take")?;
        let mut shape = self.shape().to_vec();
        let around = self.around_axis(axis)?;
        let buffer = self.backend().take(around.view(), indices.view())?;
        shape[axis] = indices.len();
        Ok(Array::from_buffer(self.backend(), buffer, &shape))
    }

    /// Reshaped to (before, axis, after).
    fn around_axis(&self, axis: usize) -> Result<Self> {
        self.reshape(&split_at(self.shape(), axis))
    }

    /// The elements where `mask`, of the same shape, is true, in row-major order
    /// (NumPy's `x[mask]`).
    pub fn compress(&self, mask: &Array<bool, B>) -> Result<Self> {
        if mask.shape() != self.shape() {
            return Err(Error::ShapeMismatch {
                operation: "compress",
                left: self.shape().to_vec(),
                right: mask.shape().to_vec(),
            });
        }
        let (buffer, count) = self.backend().compress(self.view(), mask.view())?;
        Ok(Array::from_buffer(self.backend(), buffer, &[count]))
    }

    /// The sub-arrays along an axis where the one-dimensional `mask` is true (NumPy's
    /// `compress`).
    pub fn compress_axis(&self, mask: &Array<bool, B>, axis: isize) -> Result<Self> {
        let index = self.layout().axis(axis, "compress")?;
        if mask.shape() != [self.shape()[index]] {
            return Err(Error::ShapeMismatch {
                operation: "compress",
                left: self.shape().to_vec(),
                right: mask.shape().to_vec(),
            });
        }
        let (buffer, count) = self.backend().flat_nonzero(mask.view())?;
        self.take(&Array::from_buffer(self.backend(), buffer, &[count]), axis)
    }
}

impl<T: Numeric, B: Backend> Array<T, B> {
    /// Adds `values` to the sub-arrays at `indices` along an axis (NumPy's `add.at`): an index
    /// that repeats receives each of its values, in order.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// # let xp = Cpu::new();
    /// let mut x = Array::zeros(&xp, &[3])?;
    /// let (at, values) = (Array::from_slice(&xp, &[0, 2, 0])?, Array::from_slice(&xp, &[1.0, 2.0, 3.0])?);
    /// x.scatter_add(&at, &values, 0)?;
    /// assert_eq!(x.to_vec()?, [4.0, 0.0, 2.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn scatter_add(&mut self, indices: &Array<i64, B>, values: &Self, axis: isize) -> Result<()> {
        check_indices(indices, "scatter_add")?;
        let axis = self.layout().axis(axis, "scatter_add")?;
        let mut expected = self.shape().to_vec();
        expected[axis] = indices.len();
        if values.shape() != expected {
            return Err(Error::ShapeMismatch {
                operation: "scatter_add",
                left: expected,
                right: values.shape().to_vec(),
            });
        }
        let values = values.around_axis(axis)?;
        let shape = split_at(self.shape(), axis);
        if !self.layout().is_contiguous() {
            *self = self.copy()?;
        }
        let backend = self.backend().clone();
        let (buffer, layout) = self.unique()?;
        let Some(layout) = layout.reshape(&shape) else {
            unreachable!("a contiguous array takes any shape of its size");
        };
        backend.scatter_add(buffer, &layout, indices.view(), values.view())
    }
}

fn check_indices<B: Backend>(indices: &Array<i64, B>, operation: &'static str) -> Result<()> {
    if indices.ndim() == 1 {
        return Ok(());
    }
    Err(Error::InvalidShape {
        operation,
        shape: indices.shape().to_vec(),
        reason: "indices must be one-dimensional".into(),
    })
}

/// Lengths before, at and after an axis.
fn split_at(shape: &[usize], axis: usize) -> [usize; 3] {
    let product = |part: &[usize]| Layout::contiguous(part).len();
    [product(&shape[..axis]), shape[axis], product(&shape[axis + 1..])]
}
