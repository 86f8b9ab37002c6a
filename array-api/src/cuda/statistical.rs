//! Reductions, scans and medians.

mod reduce;
mod scan;

use super::driver::Arguments;
use super::{Cuda, CudaBuffer, Source, sorting, type_name};
use crate::backend::{Creation, Statistical, Storage, View};
use crate::layout::Layout;
use crate::ops::{Binary, Reduction};
use crate::{Element, Float, Result};

pub(super) use reduce::arg_extreme;

/// The rows of an array: number and length.
pub(super) fn rows(layout: &Layout) -> (usize, usize) {
    match layout.shape().split_last() {
        Some((&length, leading)) => (leading.iter().product(), length),
        None => (1, 1),
    }
}

impl Statistical for Cuda {
    fn reduce<T: Element, R: Reduction<T>>(
        &self,
        x: View<'_, T, Self>,
        axes: usize,
    ) -> Result<CudaBuffer<R::Out>> {
        let (kept, reduced) = x.layout.shape().split_at(x.layout.ndim() - axes);
        if reduced.contains(&0) {
            return self.full(kept.iter().product(), R::finish(R::IDENTITY, 0));
        }
        reduce::reduce::<T, R>(self, x, axes)
    }

    fn scan<T: Element, O: Binary<T, Out = T>>(&self, _: &O, x: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        scan::scan::<T, O>(self, x)
    }

    fn median<T: Float>(&self, x: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        let (rows, length) = rows(x.layout);
        if length == 0 {
            return self.full(rows, T::from_f64(f64::NAN));
        }
        let sorted = sorting::sorted(self, x, false)?;
        let mut out = self.allocate(rows)?;
        let arguments = Arguments::default()
            .value(sorted.address(&self.0, 0)?)
            .value(length)
            .value(out.address_mut(&self.0, 0)?)
            .value(rows);
        self.for_each::<Middle<T>>(middle_source::<T>, "middle", rows, arguments)?;
        Ok(out)
    }
}

/// Kernels of the median.
struct Middle<T>(std::marker::PhantomData<T>);

fn middle_source<T: Float>() -> Source {
    Source {
        description: format!("median of {}", T::DTYPE),
        text: format!("typedef {} T;\n{MIDDLE}", type_name(T::DTYPE)),
        kernels: &["middle"],
    }
}

const MIDDLE: &str = r#"
extern "C" __global__ void middle(const T *sorted, i64 length, T *out, i64 rows) {
    i64 row = thread_number();
    if (row >= rows) return;
    const T *x = sorted + row * length;
    T upper = x[length / 2];
    // A NaN comes last.
    if (is_nan(x[length - 1])) out[row] = x[length - 1];
    else if (length % 2 == 1) out[row] = upper;
    else out[row] = (T)(0.5 * ((double)x[length / 2 - 1] + (double)upper));
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_along_the_last_axis() {
        assert_eq!(rows(&Layout::contiguous(&[2, 3, 4])), (6, 4));
        assert_eq!(rows(&Layout::contiguous(&[2, 0])), (2, 0));
        assert_eq!(rows(&Layout::contiguous(&[])), (1, 1));
    }
}
