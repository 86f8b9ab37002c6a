//! Changing shapes and joining: the chapter "Manipulation Functions" of the array API standard.
//! Most are views.

use crate::backend::Backend;
use crate::layout::{broadcast_shapes, checked_len, normalize_axis};
use crate::slice::SliceItem;
use crate::{Array, Element, Error, Numeric, Result, s};

impl<T: Element, B: Backend> Array<T, B> {
    /// The elements, in row-major order, under another shape: a view if they need not move.
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        if checked_len(shape) != Some(self.len()) {
            return Err(Error::ShapeMismatch {
                operation: "reshape",
                left: self.shape().to_vec(),
                right: shape.to_vec(),
            });
        }
        match self.layout().reshape(shape) {
            Some(layout) => Ok(self.with_layout(layout)),
            None => self.copy()?.reshape(shape),
        }
    }

    /// All elements in one axis.
    pub fn flatten(&self) -> Result<Self> {
        self.reshape(&[self.len()])
    }

    /// A view with the axes in another order: axis `i` of the result is axis `axes[i]`.
    pub fn permute_dims(&self, axes: &[usize]) -> Result<Self> {
        let mut seen = vec![false; self.ndim()];
        let permutes = axes.len() == self.ndim()
            && axes.iter().all(|&axis| axis < seen.len() && !std::mem::replace(&mut seen[axis], true));
        if !permutes {
            return Err(Error::InvalidArgument {
                operation: "permute_dims",
                reason: format!("{axes:?} does not name each of {} axes once", self.ndim()),
            });
        }
        Ok(self.with_layout(self.layout().permute(axes)))
    }

    /// A view of a matrix, or stack of matrices, with rows and columns exchanged.
    pub fn matrix_transpose(&self) -> Result<Self> {
        let n = self.ndim();
        if n < 2 {
            return Err(Error::InvalidShape {
                operation: "matrix_transpose",
                shape: self.shape().to_vec(),
                reason: "a matrix has two axes".into(),
            });
        }
        let mut axes: Vec<usize> = (0..n).collect();
        axes.swap(n - 2, n - 1);
        self.permute_dims(&axes)
    }

    /// A view with an axis moved to another place.
    pub fn moveaxis(&self, from: isize, to: isize) -> Result<Self> {
        let from = self.layout().axis(from, "moveaxis")?;
        let to = self.layout().axis(to, "moveaxis")?;
        let mut axes: Vec<usize> = (0..self.ndim()).filter(|&axis| axis != from).collect();
        axes.insert(to, from);
        self.permute_dims(&axes)
    }

    /// A view with a new axis of length 1 before `axis` (negative: counted in the result).
    pub fn expand_dims(&self, axis: isize) -> Result<Self> {
        let axis = normalize_axis(axis, self.ndim() + 1, "expand_dims")?;
        Ok(self.with_layout(self.layout().expand(axis)))
    }

    /// A view without the named axes, which must have length 1.
    pub fn squeeze(&self, axes: &[isize]) -> Result<Self> {
        let mut drop = vec![false; self.ndim()];
        for &axis in axes {
            let index = self.layout().axis(axis, "squeeze")?;
            if self.shape()[index] != 1 {
                return Err(Error::InvalidShape {
                    operation: "squeeze",
                    shape: self.shape().to_vec(),
                    reason: format!("axis {axis} has not length 1"),
                });
            }
            drop[index] = true;
        }
        let items: Vec<SliceItem> =
            drop.iter().map(|&gone| if gone { 0.into() } else { (..).into() }).collect();
        self.slice(&items)
    }

    /// A view broadcast to a shape.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        Ok(self.with_layout(self.layout().broadcast_to(shape)?))
    }

    /// Views of all arrays broadcast to their common shape.
    pub fn broadcast_arrays(arrays: &[&Self]) -> Result<Vec<Self>> {
        let shape = arrays.iter().try_fold(Vec::new(), |shape: Vec<usize>, array| {
            broadcast_shapes(&shape, array.shape(), "broadcast_arrays")
        })?;
        arrays.iter().map(|array| array.broadcast_to(&shape)).collect()
    }

    /// A view with the order along the named axes reversed.
    pub fn flip(&self, axes: &[isize]) -> Result<Self> {
        let mut items: Vec<SliceItem> = vec![(..).into(); self.ndim()];
        for &axis in axes {
            let index = self.layout().axis(axis, "flip")?;
            items[index] = SliceItem::from(..).step_by(-1);
        }
        self.slice(&items)
    }

    /// Joins arrays along an axis that they have.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// # let xp = Cpu::new();
    /// let (a, b) = (Array::full(&xp, &[1, 2], 0.0)?, Array::full(&xp, &[2, 2], 1.0)?);
    /// assert_eq!(Array::concat(&[&a, &b], 0)?.to_vec()?, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn concat(arrays: &[&Self], axis: isize) -> Result<Self> {
        let Some(first) = arrays.first() else {
            return Err(Error::InvalidArgument {
                operation: "concat",
                reason: "there is no array to join".into(),
            });
        };
        let axis = first.layout().axis(axis, "concat")?;
        let mut shape = first.shape().to_vec();
        shape[axis] = 0;
        for array in arrays {
            let fits = array.ndim() == shape.len()
                && array.shape().iter().zip(&shape).enumerate().all(|(i, (a, b))| i == axis || a == b);
            if !fits {
                return Err(Error::ShapeMismatch {
                    operation: "concat",
                    left: first.shape().to_vec(),
                    right: array.shape().to_vec(),
                });
            }
            shape[axis] += array.shape()[axis];
        }
        let mut result = Self::empty(first.backend(), &shape)?;
        let mut start = 0;
        let mut items: Vec<SliceItem> = vec![(..).into(); shape.len()];
        for array in arrays {
            let end = start + array.shape()[axis];
            items[axis] = (start..end).into();
            result.assign(&items, array)?;
            start = end;
        }
        Ok(result)
    }

    /// Joins arrays of one shape along a new axis.
    pub fn stack(arrays: &[&Self], axis: isize) -> Result<Self> {
        let expanded = arrays.iter().map(|array| array.expand_dims(axis)).collect::<Result<Vec<_>>>()?;
        Self::concat(&expanded.iter().collect::<Vec<_>>(), axis)
    }

    /// Views of the sub-arrays along an axis, which goes away.
    pub fn unstack(&self, axis: isize) -> Result<Vec<Self>> {
        let index = self.layout().axis(axis, "unstack")?;
        (0..self.shape()[index]).map(|i| Ok(self.with_layout(self.layout().select(index, i)))).collect()
    }

    /// The elements shifted along an axis by `shift` places, those pushed out coming in at the
    /// other end.
    pub fn roll(&self, shift: isize, axis: isize) -> Result<Self> {
        let index = self.layout().axis(axis, "roll")?;
        let length = self.shape()[index] as isize;
        if length == 0 {
            return Ok(self.clone());
        }
        let cut = (length - shift.rem_euclid(length)) % length;
        let mut items: Vec<SliceItem> = vec![(..).into(); self.ndim()];
        items[index] = (cut..length).into();
        let head = self.slice(&items)?;
        items[index] = (0..cut).into();
        Self::concat(&[&head, &self.slice(&items)?], axis)
    }

    /// The array repeated `repetitions[i]` times along axis `i`; missing axes are added in front
    /// of the shorter of shape and repetitions.
    pub fn tile(&self, repetitions: &[usize]) -> Result<Self> {
        let ndim = self.ndim().max(repetitions.len());
        let pad = |values: &[usize]| {
            let mut padded = vec![1; ndim - values.len()];
            padded.extend_from_slice(values);
            padded
        };
        let (shape, times) = (pad(self.shape()), pad(repetitions));
        // Axis i becomes (times[i], shape[i]), the first by broadcasting.
        let single: Vec<usize> = shape.iter().flat_map(|&n| [1, n]).collect();
        let paired: Vec<usize> = shape.iter().zip(&times).flat_map(|(&n, &t)| [t, n]).collect();
        let result: Vec<usize> = shape.iter().zip(&times).map(|(&n, &t)| n.saturating_mul(t)).collect();
        self.reshape(&single)?.broadcast_to(&paired)?.reshape(&result)
    }

    /// Each element along an axis repeated `times` times.
    pub fn repeat(&self, times: usize, axis: isize) -> Result<Self> {
        let index = self.layout().axis(axis, "repeat")?;
        let expanded = self.expand_dims(index as isize + 1)?;
        let mut repeated = expanded.shape().to_vec();
        repeated[index + 1] = times;
        let mut result = self.shape().to_vec();
        result[index] = result[index].saturating_mul(times);
        expanded.broadcast_to(&repeated)?.reshape(&result)
    }
}

impl<T: Numeric, B: Backend> Array<T, B> {
    /// Differences between neighbours along an axis, taken `order` times.
    pub fn diff(&self, order: usize, axis: isize) -> Result<Self> {
        let (mut last, back) = self.axis_last(axis, "diff")?;
        for _ in 0..order {
            let length = last.shape().last().copied().unwrap_or(0);
            if length == 0 {
                break;
            }
            let (upper, lower) =
                (last.slice(s![crate::Ellipsis, 1..])?, last.slice(s![crate::Ellipsis, 0..length - 1])?);
            last = (&upper - &lower)?;
        }
        last.permute_dims(&back)
    }
}
