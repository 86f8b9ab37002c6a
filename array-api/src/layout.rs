//! Shapes, strides and views: where each element of an array lies in its buffer.
//!
//! A [`Layout`] knows nothing of element types or devices. Broadcasting, slicing, transposing and
//! reshaping contiguous arrays only make a new layout; no element moves.

use crate::{Error, Result};

/// Shape, strides and offset of an array within a buffer, all counted in elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    shape: Vec<usize>,
    strides: Vec<isize>,
    offset: usize,
}

impl Layout {
    /// The layout of a new array: row-major (C order), no gaps.
    pub fn contiguous(shape: &[usize]) -> Self {
        let mut strides = vec![0; shape.len()];
        let mut step = 1;
        for (stride, &length) in strides.iter_mut().zip(shape).rev() {
            *stride = step;
            step *= length.max(1) as isize;
        }
        Self { shape: shape.to_vec(), strides, offset: 0 }
    }

    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements to step over in the buffer for one step along each axis.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Position in the buffer of the element with all indices zero.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1;
        self.is_empty()
            || self.shape.iter().zip(&self.strides).rev().all(|(&length, &stride)| {
                let fits = length == 1 || stride == step;
                step *= length as isize;
                fits
            })
    }

    /// The buffer range of a contiguous layout; `0..0` without elements, wherever the view lies.
    pub fn contiguous_range(&self) -> Option<std::ops::Range<usize>> {
        if self.is_empty() {
            return Some(0..0);
        }
        self.is_contiguous().then(|| self.offset..self.offset + self.len())
    }

    /// An axis number, negative counting from the end, as an index.
    pub fn axis(&self, axis: isize, operation: &'static str) -> Result<usize> {
        normalize_axis(axis, self.ndim(), operation)
    }

    /// The same elements seen with another shape, repeating axes of length 1 (stride 0) and
    /// adding axes in front, by the broadcasting rules of the standard.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        let mismatch = || Error::ShapeMismatch {
            operation: "broadcast_to",
            left: self.shape.clone(),
            right: shape.to_vec(),
        };
        let extra = shape.len().checked_sub(self.ndim()).ok_or_else(mismatch)?;
        let mut strides = vec![0; shape.len()];
        for axis in 0..self.ndim() {
            let target = shape[extra + axis];
            if self.shape[axis] == target {
                strides[extra + axis] = self.strides[axis];
            } else if self.shape[axis] != 1 {
                return Err(mismatch());
            }
        }
        if checked_len(shape).is_none() {
            return Err(Error::InvalidShape {
                operation: "broadcast_to",
                shape: shape.to_vec(),
                reason: "so many elements cannot be counted".into(),
            });
        }
        Ok(Self { shape: shape.to_vec(), strides, offset: self.offset })
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]` of `self`.
    pub fn permute(&self, axes: &[usize]) -> Self {
        debug_assert_eq!(axes.len(), self.ndim());
        Self {
            shape: axes.iter().map(|&axis| self.shape[axis]).collect(),
            strides: axes.iter().map(|&axis| self.strides[axis]).collect(),
            offset: self.offset,
        }
    }

    /// The layout with another shape over the same elements in the same order, if no element has
    /// to move for it.
    pub fn reshape(&self, shape: &[usize]) -> Option<Self> {
        if checked_len(shape) != Some(self.len()) {
            return None;
        }
        if self.is_contiguous() {
            return Some(Self { offset: self.offset, ..Self::contiguous(shape) });
        }
        // Some axes in a row become others with as many elements, if steps along the former are equal throughout.
        let axes = self.shape.iter().copied().zip(self.strides.iter().copied());
        let mut axes = axes.filter(|&(length, _)| length != 1);
        let mut strides = vec![0; shape.len()];
        let mut next = 0;
        while let Some((mut before, mut step)) = axes.next() {
            let first = next;
            let mut after = 1;
            loop {
                if after < before {
                    after *= *shape.get(next)?;
                    next += 1;
                } else if before < after {
                    let (length, stride) = axes.next()?;
                    if step != stride * length as isize {
                        return None;
                    }
                    before *= length;
                    step = stride;
                } else {
                    break;
                }
            }
            for axis in (first..next).rev().filter(|&axis| shape[axis] != 1) {
                strides[axis] = step;
                step *= shape[axis] as isize;
            }
        }
        Some(Self { shape: shape.to_vec(), strides, offset: self.offset })
    }

    /// Elements `start, start + step, ...` (`length` of them) of one axis.
    pub fn slice(&self, axis: usize, start: usize, step: isize, length: usize) -> Self {
        let mut result = self.clone();
        if length > 0 {
            debug_assert!(start < self.shape[axis]);
            result.offset = (self.offset as isize + start as isize * self.strides[axis]) as usize;
        }
        result.shape[axis] = length;
        if length > 1 {
            result.strides[axis] = self.strides[axis] * step;
        }
        result
    }

    /// One index of an axis, which goes away.
    pub fn select(&self, axis: usize, index: usize) -> Self {
        let mut result = self.slice(axis, index, 1, 1);
        result.shape.remove(axis);
        result.strides.remove(axis);
        result
    }

    /// A new axis of length 1 before `axis`.
    pub fn expand(&self, axis: usize) -> Self {
        let mut result = self.clone();
        result.shape.insert(axis, 1);
        result.strides.insert(axis, 0);
        result
    }

    /// `length` elements of the last two axes, one step along both at a time, from `(row, column)`.
    pub fn diagonal(&self, row: usize, column: usize, length: usize) -> Self {
        let n = self.ndim();
        let corner = if length == 0 {
            self.clone()
        } else {
            self.slice(n - 2, row, 1, length).slice(n - 1, column, 1, length)
        };
        let mut result = corner.clone();
        result.shape.pop();
        result.strides.pop();
        result.shape[n - 2] = length;
        result.strides[n - 2] = corner.strides[n - 2] + corner.strides[n - 1];
        result
    }

    /// The leading axes and the `trailing` last ones as layouts of their own, for a layout that is
    /// not empty. Both keep the offset.
    pub fn split(&self, trailing: usize) -> (Self, Self) {
        let leading = (0..trailing).fold(self.clone(), |rest, _| rest.select(rest.ndim() - 1, 0));
        let kept = self.ndim() - trailing;
        let trailing = (0..kept).fold(self.clone(), |rest, _| rest.select(0, 0));
        (leading, trailing)
    }

    /// The layouts of `N` arrays of one shape with neighbouring axes joined wherever that leaves
    /// all of them regular, so that loops have few and long axes. There is always one axis at
    /// least; axes of length 1 are dropped.
    pub fn collapse<const N: usize>(layouts: [&Layout; N]) -> [Layout; N] {
        match Self::collapse_all(&layouts).try_into() {
            Ok(collapsed) => collapsed,
            Err(_) => unreachable!("there are as many layouts as before"),
        }
    }

    /// [`collapse`](Self::collapse) for any number of layouts.
    pub fn collapse_all(layouts: &[&Layout]) -> Vec<Layout> {
        let mut shape: Vec<usize> = Vec::new();
        let mut strides: Vec<Vec<isize>> = vec![Vec::new(); layouts.len()];
        for axis in 0..layouts.first().map_or(0, |layout| layout.ndim()) {
            let length = layouts[0].shape[axis];
            if length == 1 {
                continue;
            }
            let joins = !shape.is_empty()
                && strides.iter().zip(layouts).all(|(strides, layout)| {
                    strides.last() == Some(&(layout.strides[axis] * length as isize))
                });
            if joins && let Some(last) = shape.last_mut() {
                *last *= length;
                strides.iter_mut().for_each(|strides| {
                    strides.pop();
                });
            } else {
                shape.push(length);
            }
            for (strides, layout) in strides.iter_mut().zip(layouts) {
                strides.push(layout.strides[axis]);
            }
        }
        if shape.is_empty() {
            shape.push(1);
            strides.iter_mut().for_each(|strides| strides.push(1));
        }
        let joined = strides.into_iter().zip(layouts);
        joined
            .map(|(strides, layout)| Layout { shape: shape.clone(), strides, offset: layout.offset })
            .collect()
    }

    /// Buffer positions of the first element of each innermost row, in row-major order.
    pub fn row_offsets(&self) -> RowOffsets<'_> {
        let outer = self.ndim().saturating_sub(1);
        RowOffsets {
            layout: self,
            index: vec![0; outer],
            position: self.offset as isize,
            left: if self.is_empty() { 0 } else { self.shape[..outer].iter().product() },
        }
    }
}

/// Iterator of [`Layout::row_offsets`].
pub struct RowOffsets<'a> {
    layout: &'a Layout,
    index: Vec<usize>,
    position: isize,
    left: usize,
}

impl RowOffsets<'_> {
    /// Jumps to row number `row`.
    pub fn starting_at(mut self, row: usize) -> Self {
        let mut rest = row;
        self.position = self.layout.offset as isize;
        for axis in (0..self.index.len()).rev() {
            let length = self.layout.shape[axis];
            self.index[axis] = rest % length.max(1);
            rest /= length.max(1);
            self.position += self.index[axis] as isize * self.layout.strides[axis];
        }
        self.left = self.left.saturating_sub(row);
        self
    }
}

impl Iterator for RowOffsets<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let here = self.position as usize;
        for axis in (0..self.index.len()).rev() {
            let (length, stride) = (self.layout.shape[axis], self.layout.strides[axis]);
            self.index[axis] += 1;
            self.position += stride;
            if self.index[axis] < length {
                break;
            }
            self.position -= stride * length as isize;
            self.index[axis] = 0;
        }
        Some(here)
    }
}

/// Number of elements of an array of a shape; none if `isize` cannot count those along the axes
/// that are not empty, so that no product of lengths or stride overflows later.
pub(crate) fn checked_len(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, &length| product.checked_mul(length.max(1)))
        .filter(|&product| isize::try_from(product).is_ok())
        .map(|product| if shape.contains(&0) { 0 } else { product })
}

/// An axis number, negative counting from the end, as an index below `ndim`.
pub(crate) fn normalize_axis(axis: isize, ndim: usize, operation: &'static str) -> Result<usize> {
    let index = if axis < 0 { axis + ndim as isize } else { axis };
    if (0..ndim as isize).contains(&index) {
        Ok(index as usize)
    } else {
        Err(Error::InvalidAxis { operation, axis, ndim })
    }
}

/// The shape that arrays of shapes `left` and `right` broadcast to: aligned at the last axis,
/// lengths equal or one of them 1.
pub fn broadcast_shapes(left: &[usize], right: &[usize], operation: &'static str) -> Result<Vec<usize>> {
    let ndim = left.len().max(right.len());
    let length =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(ndim).map_or(1, |axis| shape[axis]);
    (0..ndim)
        .map(|axis| match (length(left, axis), length(right, axis)) {
            (a, b) if a == b => Ok(a),
            (1, b) => Ok(b),
            (a, 1) => Ok(a),
            _ => Err(Error::ShapeMismatch { operation, left: left.to_vec(), right: right.to_vec() }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_of_a_view_name_its_elements() {
        let view = Layout::contiguous(&[4, 5, 6]).permute(&[2, 0, 1]).slice(0, 5, -2, 3);
        let (leading, trailing) = view.split(2);
        assert_eq!((leading.shape(), leading.strides(), leading.offset()), (&[3][..], &[-2][..], 5));
        assert_eq!((trailing.shape(), trailing.strides(), trailing.offset()), (&[4, 5][..], &[30, 6][..], 5));
        let (leading, trailing) = view.split(0);
        assert_eq!((leading.shape(), trailing.shape()), (view.shape(), &[][..]));
    }

    #[test]
    fn contiguous_strides_are_row_major() {
        let layout = Layout::contiguous(&[2, 3, 4]);
        assert_eq!(layout.strides(), [12, 4, 1]);
        assert!(layout.is_contiguous());
        assert!(!layout.permute(&[1, 0, 2]).is_contiguous());
        assert!(Layout::contiguous(&[0, 3]).is_contiguous());
    }

    #[test]
    fn broadcasting_follows_the_standard() {
        assert_eq!(broadcast_shapes(&[8, 1, 6, 1], &[7, 1, 5], "x"), Ok(vec![8, 7, 6, 5]));
        assert_eq!(broadcast_shapes(&[], &[3], "x"), Ok(vec![3]));
        assert_eq!(broadcast_shapes(&[0], &[1], "x"), Ok(vec![0]));
        assert!(broadcast_shapes(&[2, 1], &[8, 4, 3], "x").is_err());
    }

    #[test]
    fn rows_of_a_transposed_view_are_visited_in_order() {
        let layout = Layout::contiguous(&[2, 3, 4]).permute(&[1, 0, 2]);
        let offsets: Vec<_> = layout.row_offsets().collect();
        assert_eq!(offsets, [0, 12, 4, 16, 8, 20]);
        let late: Vec<_> = layout.row_offsets().starting_at(3).collect();
        assert_eq!(late, [16, 8, 20]);
    }

    #[test]
    fn collapsing_joins_only_regular_axes() {
        let a = Layout::contiguous(&[4, 5, 6]);
        let b = Layout::contiguous(&[6]).broadcast_to(&[4, 5, 6]).unwrap();
        let [a, b] = Layout::collapse([&a, &b]);
        assert_eq!(a.shape(), [20, 6]);
        assert_eq!(b.strides(), [0, 1]);
    }

    #[test]
    fn reshaping_keeps_gaps_only_where_axes_stay() {
        let view = Layout::contiguous(&[4, 6]).slice(1, 1, 2, 3);
        assert_eq!(view.reshape(&[4, 1, 3]).unwrap().strides(), [6, 0, 2]);
        assert_eq!(view.reshape(&[12]).unwrap().strides(), [2]);
        assert!(Layout::contiguous(&[4, 6]).slice(1, 1, 1, 3).reshape(&[6, 2]).is_none());
        // Whole rows of each of two images.
        let rows = Layout::contiguous(&[2, 8, 5]).slice(1, 3, 1, 4);
        assert_eq!(rows.reshape(&[2, 20]).unwrap().strides(), [40, 1]);
        assert!(rows.reshape(&[40]).is_none());
        assert_eq!(Layout::contiguous(&[3]).broadcast_to(&[4, 3]).unwrap().reshape(&[12]), None);
        assert_eq!(Layout::contiguous(&[6]).slice(0, 5, -1, 6).reshape(&[3, 2]).unwrap().strides(), [-2, -1]);
    }

    #[test]
    fn a_reshaped_view_has_the_same_elements_in_the_same_order() {
        let positions = |layout: &Layout| -> Vec<usize> {
            let length = layout.shape().last().copied().unwrap_or(1);
            let step = layout.strides().last().copied().unwrap_or(1);
            let each = |row: usize| (0..length).map(move |i| (row as isize + i as isize * step) as usize);
            layout.row_offsets().flat_map(each).collect()
        };
        let base = Layout::contiguous(&[4, 6, 5, 1, 8]);
        let views = [
            base.slice(0, 1, 2, 2),
            base.slice(1, 5, -2, 3),
            base.slice(4, 0, 2, 4),
            base.permute(&[1, 0, 3, 2, 4]),
            base.permute(&[4, 2, 0, 1, 3]).slice(1, 4, -1, 5),
        ];
        let mut found = 0;
        for view in views {
            let len = view.len();
            for a in (1..=len).filter(|a| len % a == 0) {
                for b in (1..=len / a).filter(|b| len / a % b == 0) {
                    if let Some(reshaped) = view.reshape(&[a, 1, b, len / a / b]) {
                        assert_eq!(
                            positions(&reshaped),
                            positions(&view),
                            "{view:?} as {:?}",
                            reshaped.shape()
                        );
                        found += 1;
                    }
                }
            }
        }
        assert!(found > 50, "{found}");
    }
}
