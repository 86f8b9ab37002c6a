//! NumPy's basic slicing: integers, `start..stop;step` ranges, new axes and the ellipsis.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo};

use crate::layout::Layout;
use crate::{Error, Result};

/// One entry of a slice such as `s![2.., -1, NewAxis]`; see [`s!`](crate::s).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SliceItem {
    /// Part of an axis. Negative bounds count from the end; bounds beyond the axis are cut off.
    Range {
        /// First index, or from the beginning (the end, for a negative step).
        start: Option<isize>,
        /// Index after the last one, or to the end (the beginning, for a negative step).
        stop: Option<isize>,
        /// Distance between indices; not zero.
        step: isize,
    },
    /// One index, negative counting from the end; the axis goes away.
    Index(isize),
    /// A new axis of length 1.
    NewAxis,
    /// As many whole axes as are left over.
    Ellipsis,
}

/// A new axis of length 1 in [`s!`](crate::s).
pub struct NewAxis;

/// As many whole axes as are left over in [`s!`](crate::s).
pub struct Ellipsis;

impl From<NewAxis> for SliceItem {
    fn from(_: NewAxis) -> Self {
        Self::NewAxis
    }
}

impl From<Ellipsis> for SliceItem {
    fn from(_: Ellipsis) -> Self {
        Self::Ellipsis
    }
}

impl From<RangeFull> for SliceItem {
    fn from(_: RangeFull) -> Self {
        Self::Range { start: None, stop: None, step: 1 }
    }
}

macro_rules! from_integers {
    ($($t:ty),*) => {$(
        impl From<$t> for SliceItem {
            fn from(index: $t) -> Self {
                Self::Index(index as isize)
            }
        }
        impl From<Range<$t>> for SliceItem {
            fn from(range: Range<$t>) -> Self {
                Self::Range { start: Some(range.start as isize), stop: Some(range.end as isize), step: 1 }
            }
        }
        impl From<RangeInclusive<$t>> for SliceItem {
            fn from(range: RangeInclusive<$t>) -> Self {
                // An inclusive -1 is the last index: nothing to add to reach the end.
                let stop = Some(*range.end() as isize + 1).filter(|&stop| stop != 0);
                Self::Range { start: Some(*range.start() as isize), stop, step: 1 }
            }
        }
        impl From<RangeFrom<$t>> for SliceItem {
            fn from(range: RangeFrom<$t>) -> Self {
                Self::Range { start: Some(range.start as isize), stop: None, step: 1 }
            }
        }
        impl From<RangeTo<$t>> for SliceItem {
            fn from(range: RangeTo<$t>) -> Self {
                Self::Range { start: None, stop: Some(range.end as isize), step: 1 }
            }
        }
    )*};
}

from_integers!(i32, isize, usize);

impl SliceItem {
    /// The same range with another step, as `range;step` in [`s!`](crate::s).
    pub fn step_by(self, by: isize) -> Self {
        match self {
            Self::Range { start, stop, .. } => Self::Range { start, stop, step: by },
            other => other,
        }
    }
}

/// Builds the argument of [`Array::slice`](crate::Array::slice), with NumPy's meaning:
///
/// | NumPy | here |
/// |---|---|
/// | `x[2:5]` | `x.slice(s![2..5])` |
/// | `x[..., ::-1]` | `x.slice(s![Ellipsis, ..;-1])` |
/// | `x[:, -1]` | `x.slice(s![.., -1])` |
/// | `x[None, 1:]` | `x.slice(s![NewAxis, 1..])` |
#[macro_export]
macro_rules! s {
    (@items [$($done:expr,)*] $item:expr; $step:expr, $($rest:tt)*) => {
        $crate::s!(@items [$($done,)* $crate::SliceItem::from($item).step_by($step),] $($rest)*)
    };
    (@items [$($done:expr,)*] $item:expr; $step:expr) => {
        &[$($done,)* $crate::SliceItem::from($item).step_by($step)]
    };
    (@items [$($done:expr,)*] $item:expr, $($rest:tt)*) => {
        $crate::s!(@items [$($done,)* $crate::SliceItem::from($item),] $($rest)*)
    };
    (@items [$($done:expr,)*] $item:expr) => {
        &[$($done,)* $crate::SliceItem::from($item)]
    };
    (@items [$($done:expr,)*]) => { &[$($done,)*] };
    ($($items:tt)*) => { $crate::s!(@items [] $($items)*) };
}

/// Applies the items to a layout, axis by axis.
pub(crate) fn slice_layout(layout: &Layout, items: &[SliceItem]) -> Result<Layout> {
    let consumed =
        items.iter().filter(|i| matches!(i, SliceItem::Range { .. } | SliceItem::Index(_))).count();
    let invalid =
        |reason: String| Error::InvalidShape { operation: "slice", shape: layout.shape().to_vec(), reason };
    if consumed > layout.ndim() {
        return Err(invalid(format!("it has fewer axes than the {consumed} that are indexed")));
    }
    if items.iter().filter(|i| matches!(i, SliceItem::Ellipsis)).count() > 1 {
        return Err(invalid("an ellipsis may stand only once".into()));
    }
    let mut result = layout.clone();
    let mut axis = 0;
    for item in items {
        match *item {
            SliceItem::NewAxis => {
                result = result.expand(axis);
                axis += 1;
            }
            SliceItem::Ellipsis => axis += layout.ndim() - consumed,
            SliceItem::Index(index) => {
                let length = result.shape()[axis];
                let position = if index < 0 { index + length as isize } else { index };
                if !(0..length as isize).contains(&position) {
                    return Err(Error::IndexOutOfRange { operation: "slice", index: index as i64, length });
                }
                result = result.select(axis, position as usize);
            }
            SliceItem::Range { start, stop, step } => {
                if step == 0 {
                    return Err(Error::InvalidArgument {
                        operation: "slice",
                        reason: "the step must not be zero".into(),
                    });
                }
                let (first, count) = resolve(start, stop, step, result.shape()[axis]);
                result = result.slice(axis, first, step, count);
                axis += 1;
            }
        }
    }
    Ok(result)
}

/// First index and number of indices of `start:stop:step` on an axis, as Python's `slice.indices`.
fn resolve(start: Option<isize>, stop: Option<isize>, step: isize, length: usize) -> (usize, usize) {
    let length = length as isize;
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |bound: isize| (if bound < 0 { bound + length } else { bound }).clamp(low, high);
    let first = start.map_or(if step > 0 { low } else { high }, clamp);
    let end = stop.map_or(if step > 0 { high } else { low }, clamp);
    let span = if step > 0 { end - first } else { first - end };
    if span <= 0 { (0, 0) } else { (first as usize, (span - 1) as usize / step.unsigned_abs() + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python: list(range(7))[start:stop:step], by walking the definition.
    fn python(start: Option<isize>, stop: Option<isize>, step: isize, n: isize) -> Vec<isize> {
        let wrap = |b: isize| if b < 0 { b + n } else { b };
        let mut at = match start {
            Some(b) => wrap(b).clamp(if step > 0 { 0 } else { -1 }, if step > 0 { n } else { n - 1 }),
            None => {
                if step > 0 {
                    0
                } else {
                    n - 1
                }
            }
        };
        let end = stop.map(wrap);
        let mut out = Vec::new();
        while (0..n).contains(&at) && end.is_none_or(|e| if step > 0 { at < e } else { at > e }) {
            out.push(at);
            at += step;
        }
        out
    }

    #[test]
    fn ranges_are_pythons() {
        let bounds: Vec<Option<isize>> = std::iter::once(None).chain((-9..10).map(Some)).collect();
        for n in [0, 1, 7] {
            for &start in &bounds {
                for &stop in &bounds {
                    for step in [-3, -1, 1, 2] {
                        let (first, count) = resolve(start, stop, step, n as usize);
                        let ours: Vec<isize> =
                            (0..count as isize).map(|i| first as isize + i * step).collect();
                        assert_eq!(ours, python(start, stop, step, n), "{start:?}:{stop:?}:{step} of {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn items_of_all_kinds() {
        let layout = Layout::contiguous(&[4, 5, 6]);
        let view = slice_layout(&layout, s![1..3, Ellipsis, NewAxis, ..;-2]).unwrap();
        assert_eq!(view.shape(), [2, 5, 1, 3]);
        assert_eq!(view.offset(), 30 + 5);
        assert_eq!(view.strides(), [30, 6, 0, -2]);
        assert_eq!(slice_layout(&layout, s![-1, 0..=2]).unwrap().shape(), [3, 6]);
        assert!(slice_layout(&layout, s![4]).is_err());
        assert!(slice_layout(&layout, s![0, 0, 0, 0]).is_err());
    }
}
