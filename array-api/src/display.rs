//! Printing arrays the way NumPy does, long axes shortened to their ends.

use std::fmt::{self, Debug, Display};

use crate::backend::Backend;
use crate::{Array, Element, s};

/// Longer axes are shortened once an array has more elements than this.
const SUMMARY_THRESHOLD: usize = 1000;
/// Elements shown at each end of a shortened axis.
const EDGE: usize = 3;

impl<T: Element, B: Backend> Display for Array<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shorten = self.len() > SUMMARY_THRESHOLD;
        write_axis(self, f, shorten, 1)
    }
}

impl<T: Element, B: Backend> Debug for Array<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array<{}, {}>{:?} {self}", T::DTYPE, self.backend().name(), self.shape())
    }
}

fn write_axis<T: Element, B: Backend>(
    array: &Array<T, B>,
    f: &mut fmt::Formatter<'_>,
    shorten: bool,
    indent: usize,
) -> fmt::Result {
    if array.ndim() == 0 {
        let value = array.item().map_err(|_| fmt::Error)?;
        return Display::fmt(&value, f);
    }
    let length = array.shape()[0];
    f.write_str("[")?;
    let mut index = 0;
    while index < length {
        if index > 0 && array.ndim() == 1 {
            f.write_str(", ")?;
        } else if index > 0 {
            f.write_str(",\n")?;
            write!(f, "{:indent$}", "")?;
        }
        if shorten && length > 2 * EDGE && index == EDGE {
            f.write_str("...")?;
            index = length - EDGE;
            continue;
        }
        let part = array.slice(s![index]).map_err(|_| fmt::Error)?;
        write_axis(&part, f, shorten, indent + 1)?;
        index += 1;
    }
    f.write_str("]")
}
