//! Reductions: the chapters "Statistical Functions" and "Utility Functions" of the array API
//! standard.
//!
//! Every reduction comes in two forms: over all elements (`sum`), giving an array without axes,
//! and over some axes (`sum_axes`), which either go away or stay with length 1 (`keepdims`).
//! Floating point sums are accumulated in f64, in blocks, so their error does not grow with the
//! number of elements; the order of summation is fixed, whatever the number of threads.

use crate::backend::Backend;
use crate::elementwise::binary;
use crate::layout::normalize_axis;
use crate::ops::{All, Any, Binary, CountNonzero, Max, Mean, Min, Prod, Reduction, Sum};
use crate::{Array, Cast, Element, Error, Float, Numeric, Result};

impl<T: Element, B: Backend> Array<T, B> {
    /// Reduces the given axes by `R`; the named reductions are short for this.
    pub fn reduce<R: Reduction<T>>(
        &self,
        axes: &[isize],
        keepdims: bool,
        operation: &'static str,
    ) -> Result<Array<R::Out, B>> {
        let split = AxisSplit::new(self.shape(), axes, operation)?;
        let ordered = self.with_layout(self.layout().permute(&split.order));
        let buffer = self.backend().reduce::<T, R>(ordered.view(), split.reduced)?;
        Ok(Array::from_buffer(self.backend(), buffer, &split.result_shape(keepdims)))
    }

    fn all_axes(&self) -> Vec<isize> {
        (0..self.ndim() as isize).collect()
    }

    /// The view with `axis` last, and the order that undoes it.
    pub(crate) fn axis_last(&self, axis: isize, operation: &'static str) -> Result<(Self, Vec<usize>)> {
        let axis = self.layout().axis(axis, operation)?;
        let mut order: Vec<usize> = (0..self.ndim()).filter(|&other| other != axis).collect();
        order.push(axis);
        let mut back = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            back[from] = to;
        }
        Ok((self.with_layout(self.layout().permute(&order)), back))
    }
}

/// Which axes are kept and which are reduced.
pub(crate) struct AxisSplit {
    /// Kept axes, then reduced ones.
    pub(crate) order: Vec<usize>,
    pub(crate) reduced: usize,
    is_reduced: Vec<bool>,
    shape: Vec<usize>,
}

impl AxisSplit {
    pub(crate) fn new(shape: &[usize], axes: &[isize], operation: &'static str) -> Result<Self> {
        let mut is_reduced = vec![false; shape.len()];
        for &axis in axes {
            let index = normalize_axis(axis, shape.len(), operation)?;
            if std::mem::replace(&mut is_reduced[index], true) {
                return Err(Error::InvalidArgument {
                    operation,
                    reason: format!("axis {axis} is named twice"),
                });
            }
        }
        let (reduced, kept): (Vec<usize>, Vec<usize>) = (0..shape.len()).partition(|&axis| is_reduced[axis]);
        let order = kept.iter().chain(&reduced).copied().collect();
        Ok(Self { order, reduced: reduced.len(), is_reduced, shape: shape.to_vec() })
    }

    pub(crate) fn result_shape(&self, keepdims: bool) -> Vec<usize> {
        self.shape
            .iter()
            .zip(&self.is_reduced)
            .filter(|&(_, &reduced)| keepdims || !reduced)
            .map(|(&length, &reduced)| if reduced { 1 } else { length })
            .collect()
    }
}

macro_rules! reduction_methods {
    ($($(#[$doc:meta])* $name:ident, $axes:ident, $op:ident<$t:ident: $bound:path> -> $out:ty, $empty:ident;)*) => {$(
        impl<$t: $bound, B: Backend> Array<$t, B> {
            $(#[$doc])*
            pub fn $name(&self) -> Result<Array<$out, B>> {
                self.$axes(&self.all_axes(), false)
            }

            #[doc = concat!("[`Array::", stringify!($name), "`] over some axes, which stay with length 1 if `keepdims`.")]
            pub fn $axes(&self, axes: &[isize], keepdims: bool) -> Result<Array<$out, B>> {
                reduction_methods!(@check $empty, self, axes, stringify!($name));
                self.reduce::<$op>(axes, keepdims, stringify!($name))
            }
        }
    )*};
    (@check defined, $array:expr, $axes:expr, $name:expr) => {};
    (@check undefined, $array:expr, $axes:expr, $name:expr) => {
        let split = AxisSplit::new($array.shape(), $axes, $name)?;
        let reduces_nothing =
            split.is_reduced.iter().zip($array.shape()).any(|(&reduced, &n)| reduced && n == 0);
        if reduces_nothing {
            return Err(Error::EmptyReduction { operation: $name, shape: $array.shape().to_vec() });
        }
    };
}

reduction_methods! {
    /// Sum of the elements; integers give `i64`. The sum of no element is 0.
    sum, sum_axes, Sum<T: Numeric> -> T::Sum, defined;
    /// Product of the elements; integers give `i64`. The product of no element is 1.
    prod, prod_axes, Prod<T: Numeric> -> T::Sum, defined;
    /// Arithmetic mean; NaN for no element.
    mean, mean_axes, Mean<T: Float> -> T, defined;
    /// Smallest element, NaN if there is one. An error for no element.
    min, min_axes, Min<T: Numeric> -> T, undefined;
    /// Largest element, NaN if there is one. An error for no element.
    max, max_axes, Max<T: Numeric> -> T, undefined;
    /// Whether all elements are other than zero; true for no element.
    all, all_axes_of, All<T: Cast<bool>> -> bool, defined;
    /// Whether any element is other than zero; false for no element.
    any, any_axes, Any<T: Cast<bool>> -> bool, defined;
    /// Number of elements other than zero.
    count_nonzero, count_nonzero_axes, CountNonzero<T: Cast<bool>> -> i64, defined;
}

impl<T: Float, B: Backend> Array<T, B> {
    /// Variance: the mean squared distance from the mean, with `correction` taken from the number
    /// of elements (0 for a whole population, 1 for a sample).
    pub fn var(&self, correction: f64) -> Result<Self> {
        self.var_axes(&self.all_axes(), correction, false)
    }

    /// [`Array::var`] over some axes.
    pub fn var_axes(&self, axes: &[isize], correction: f64, keepdims: bool) -> Result<Self> {
        let mean = self.mean_axes(axes, true)?;
        let mut distance = (self - &mean)?;
        distance.square_assign()?;
        let count = axes
            .iter()
            .map(|&axis| Ok(self.shape()[normalize_axis(axis, self.ndim(), "var")?] as f64))
            .product::<Result<f64>>()?;
        // Standard: a correction that leaves nothing to divide by gives NaN or infinity.
        let divisor = (count - correction).max(0.0);
        distance.sum_axes(axes, keepdims)?.divide_scalar(T::from_f64(divisor))
    }

    /// Standard deviation: the square root of [`Array::var`].
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])?;
    /// assert_eq!(x.std(0.0)?.item()?, 2.0);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn std(&self, correction: f64) -> Result<Self> {
        self.var(correction)?.sqrt()
    }

    /// [`Array::std`] over some axes.
    pub fn std_axes(&self, axes: &[isize], correction: f64, keepdims: bool) -> Result<Self> {
        self.var_axes(axes, correction, keepdims)?.sqrt()
    }

    /// Median of the elements: the middle one, or the mean of the middle two; NaN if there is a
    /// NaN or no element.
    pub fn median(&self) -> Result<Self> {
        let flat = self.reshape(&[self.len()])?;
        Ok(Array::from_buffer(self.backend(), self.backend().median(flat.view())?, &[]))
    }

    /// [`Array::median`] along one axis.
    pub fn median_axis(&self, axis: isize, keepdims: bool) -> Result<Self> {
        let (last, _) = self.axis_last(axis, "median")?;
        let buffer = self.backend().median(last.view())?;
        let split = AxisSplit::new(self.shape(), &[axis], "median")?;
        Ok(Array::from_buffer(self.backend(), buffer, &split.result_shape(keepdims)))
    }
}

impl<T: Numeric, B: Backend> Array<T, B>
where
    T: Cast<T::Sum>,
{
    /// Running sums along an axis, of the type that [`Array::sum`] has.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// let x = Array::from_slice(&Cpu::new(), &[1, 2, 3])?;
    /// assert_eq!(x.cumulative_sum(0)?.to_vec()?, [1_i64, 3, 6]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn cumulative_sum(&self, axis: isize) -> Result<Array<T::Sum, B>> {
        self.astype::<T::Sum>()?.scan(&binary::Add, axis, "cumulative_sum")
    }

    /// Running products along an axis, of the type that [`Array::prod`] has.
    pub fn cumulative_prod(&self, axis: isize) -> Result<Array<T::Sum, B>> {
        self.astype::<T::Sum>()?.scan(&binary::Multiply, axis, "cumulative_prod")
    }
}

impl<T: Element, B: Backend> Array<T, B> {
    fn scan<O: Binary<T, Out = T>>(&self, op: &O, axis: isize, operation: &'static str) -> Result<Self> {
        let (last, back) = self.axis_last(axis, operation)?;
        let buffer = self.backend().scan(op, last.view())?;
        let result = Array::from_buffer(self.backend(), buffer, last.shape());
        Ok(result.with_layout(result.layout().permute(&back)))
    }
}
