//! Arrays on the host, random ones, and what operations on them mean, written out as loops.
//!
//! The bodies of the conformance tests, compiled for each backend, are not optimised: what takes its time and does not
//! depend on the backend, nor on a function that a body brings along, is here, where it is.

mod index;
mod value;

use ndarray::{ArrayD, ArrayViewD, IxDyn};

use index::{broadcast_positions, groups, inverse, next};

pub use index::broadcast_shape;
pub use value::{Fill, Number, Real, Rule1, Rule2, Value, Whole, truth, ulps};

/// An array on the host.
pub type Host<T> = ArrayD<T>;

/// The array whose element at each index a function gives.
pub fn build<T>(shape: &[usize], mut element: impl FnMut(&[usize]) -> T) -> Host<T> {
    let count = shape.iter().product();
    let mut index = vec![0; shape.len()];
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(element(&index));
        next(&mut index, shape);
    }
    of_elements(shape, elements)
}

/// The array with these elements in row-major order.
pub fn of_elements<T>(shape: &[usize], elements: Vec<T>) -> Host<T> {
    let count = elements.len();
    ArrayD::from_shape_vec(IxDyn(shape), elements)
        .unwrap_or_else(|_| panic!("{count} elements for shape {shape:?}"))
}

/// An array with random elements.
pub fn random<T: Value>(shape: &[usize], fill: Fill, seed: u64) -> Host<T> {
    of_elements(shape, T::samples(shape.iter().product(), fill, seed))
}

/// A one-dimensional array.
pub fn list<T: Clone>(values: &[T]) -> Host<T> {
    of_elements(&[values.len()], values.to_vec())
}

/// The elements in row-major order.
pub fn elements<T: Clone>(x: &Host<T>) -> Vec<T> {
    match x.as_slice() {
        Some(elements) => elements.to_vec(),
        None => x.iter().cloned().collect(),
    }
}

/// The element of `x` that belongs to an index of a shape that `x` is broadcast to.
pub fn at_broadcast<T: Copy>(x: &Host<T>, index: &[usize]) -> T {
    let extra = index.len() - x.ndim();
    let own: Vec<usize> =
        x.shape().iter().zip(&index[extra..]).map(|(&n, &i)| if n == 1 { 0 } else { i }).collect();
    x[IxDyn(&own)]
}

/// A function of the elements of one array.
pub fn map<T: Copy, U>(x: &Host<T>, f: impl FnMut(T) -> U) -> Host<U> {
    of_elements(x.shape(), elements(x).into_iter().map(f).collect())
}

/// A function of the elements of two arrays that broadcast.
pub fn zip<T: Copy, S: Copy, U>(a: &Host<T>, b: &Host<S>, mut f: impl FnMut(T, S) -> U) -> Host<U> {
    let shape = broadcast_shape(a.shape(), b.shape()).unwrap_or_default();
    let at = [a.shape(), b.shape()].map(|own| broadcast_positions(own, &shape));
    let (a, b) = (elements(a), elements(b));
    of_elements(&shape, at[0].iter().zip(&at[1]).map(|(&i, &j)| f(a[i], b[j])).collect())
}

/// Reduces some axes: `f` gets the elements of each group in row-major order.
pub fn reduce<T: Copy, U>(
    x: &Host<T>,
    axes: &[usize],
    keepdims: bool,
    mut f: impl FnMut(&[T]) -> U,
) -> Host<U> {
    let (positions, length) = groups(x.shape(), axes);
    let x_elements = elements(x);
    let gathered: Vec<T> = positions.iter().map(|&at| x_elements[at]).collect();
    let kept = x.shape().iter().enumerate().filter_map(|(axis, &n)| match axes.contains(&axis) {
        false => Some(n),
        true => keepdims.then_some(1),
    });
    let shape: Vec<usize> = kept.collect();
    let count: usize = shape.iter().product();
    of_elements(&shape, (0..count).map(|group| f(&gathered[group * length..][..length])).collect())
}

/// Applies `f` to each line of elements along an axis; it may change their number.
pub fn along<T: Copy, U: Copy>(
    x: &Host<T>,
    axis: usize,
    length: usize,
    f: impl FnMut(&[T]) -> Vec<U>,
) -> Host<U> {
    let lines: Vec<U> = reduce(x, &[axis], false, f).into_iter().flatten().collect();
    let mut shape = x.shape().to_vec();
    shape[axis] = length;
    let (positions, _) = groups(&shape, &[axis]);
    of_elements(&shape, inverse(&positions).iter().map(|&at| lines[at]).collect())
}

/// The sum of some numbers as if computed with twice the digits (A. Neumaier, ZAMM 54, 1974),
/// unless some are not finite.
pub fn exact_sum(values: &[f64]) -> f64 {
    let plain: f64 = values.iter().sum();
    if !plain.is_finite() {
        return plain;
    }
    let (mut sum, mut rest) = (0.0_f64, 0.0);
    for &x in values {
        let next = sum + x;
        rest += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + rest
}

/// The sum of the sizes of some numbers.
pub fn size(values: &[f64]) -> f64 {
    values.iter().map(|x| x.abs()).sum()
}

/// The middle of the sorted numbers, or the mean of the middle two; NaN of none, and where there is one.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n == 0 || values.iter().any(|v| v.is_nan()) {
        f64::NAN
    } else if n % 2 == 1 {
        values[n / 2]
    } else {
        0.5 * (values[n / 2 - 1] + values[n / 2])
    }
}

/// The matrix product of stacks of matrices, each element a sum in twice the digits, and the same
/// with absolute values.
pub fn matmul(a: &Host<f64>, b: &Host<f64>) -> (Host<f64>, Host<f64>) {
    let (batch_a, m) = (&a.shape()[..a.ndim() - 2], a.shape()[a.ndim() - 2]);
    let (batch_b, n) = (&b.shape()[..b.ndim() - 2], b.shape()[b.ndim() - 1]);
    let k = a.shape()[a.ndim() - 1];
    let batch = broadcast_shape(batch_a, batch_b).unwrap_or_default();
    let (mut sums, mut sizes) = (Vec::new(), Vec::new());
    for entry in ndarray::indices(IxDyn(&batch)) {
        let entry = ndarray::Dimension::slice(&entry);
        let element = |x: &Host<f64>, i: usize, j: usize| at_broadcast(x, &[entry, &[i, j]].concat());
        let rows: Vec<Vec<f64>> = (0..m).map(|i| (0..k).map(|l| element(a, i, l)).collect()).collect();
        let columns: Vec<Vec<f64>> = (0..n).map(|j| (0..k).map(|l| element(b, l, j)).collect()).collect();
        for row in &rows {
            for column in &columns {
                let products: Vec<f64> = row.iter().zip(column).map(|(x, y)| x * y).collect();
                sizes.push(size(&products));
                sums.push(exact_sum(&products));
            }
        }
    }
    let shape = [batch.as_slice(), &[m, n]].concat();
    (of_elements(&shape, sums), of_elements(&shape, sizes))
}

/// The array with its last two axes exchanged.
pub fn transpose<T: Clone>(x: &Host<T>) -> Host<T> {
    let mut view = x.view();
    view.swap_axes(x.ndim() - 2, x.ndim() - 1);
    view.as_standard_layout().into_owned()
}

/// A view repeated along axes of length 1 until it has a shape, in row-major order.
fn repeated<T: Clone>(view: &ArrayViewD<'_, T>, shape: &[usize]) -> Host<T> {
    let whole =
        view.broadcast(IxDyn(shape)).unwrap_or_else(|| panic!("{:?} is no part of {shape:?}", view.shape()));
    whole.as_standard_layout().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_reduced_in_order() {
        let x = build(&[2, 3], |i| i[0] * 3 + i[1]);
        assert_eq!(reduce(&x, &[0], false, <[usize]>::to_vec), list(&[vec![0, 3], vec![1, 4], vec![2, 5]]));
        assert_eq!(reduce(&x, &[1], true, |g| g[2]).shape(), [2, 1]);
        assert_eq!(reduce(&x, &[], false, <[usize]>::len).shape(), [2, 3]);
        assert_eq!(along(&x, 1, 1, |line| vec![line[0] + line[2]])[[1, 0]], 8);
    }

    #[test]
    fn arrays_of_any_layout_are_combined_by_their_indices() {
        let x = build(&[2, 3], |i| i[0] * 10 + i[1]);
        let turned = x.clone().reversed_axes();
        assert_eq!(elements(&turned), [0, 10, 1, 11, 2, 12]);
        assert_eq!(map(&turned, |v| v + 1)[[2, 1]], 13);
        let sum = zip(&turned, &list(&[100, 200]), |a, b| a + b);
        assert_eq!(sum, build(&[3, 2], |i| i[0] + 10 * i[1] + 100 * (i[1] + 1)));
        assert_eq!(reduce(&turned, &[0], false, <[usize]>::to_vec), list(&[vec![0, 1, 2], vec![10, 11, 12]]));
        assert_eq!(transpose(&turned), x);
        let runs = along(&turned, 0, 2, |line| vec![line[0], line[2]]);
        assert_eq!(runs, build(&[2, 2], |i| i[0] * 2 + i[1] * 10));
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(&[3.0, -1.0, 2.0]), 2.0);
        assert_eq!(median(&[3.0, -1.0, 2.0, 9.0]), 2.5);
        assert!(median(&[]).is_nan() && median(&[1.0, f64::NAN, 2.0]).is_nan());
    }

    #[test]
    fn the_sum_keeps_what_cancels() {
        assert_eq!(exact_sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert!(exact_sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }
}
