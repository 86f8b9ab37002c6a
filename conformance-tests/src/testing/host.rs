//! Arrays on the host and what operations on them mean, written out as loops.

use ndarray::{ArrayD, IxDyn};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Array, Backend, Fill, Result, Value};

/// An array on the host.
pub(crate) type Host<T> = ArrayD<T>;

/// The array whose element at each index a function gives.
pub(crate) fn build<T>(shape: &[usize], mut element: impl FnMut(&[usize]) -> T) -> Host<T> {
    ArrayD::from_shape_fn(IxDyn(shape), |index| element(ndarray::Dimension::slice(&index)))
}

/// An array with random elements.
pub(crate) fn random<T: Value>(shape: &[usize], fill: Fill, seed: u64) -> Host<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    build(shape, |_| T::sample(&mut rng, fill))
}

/// The array on a backend.
pub(crate) fn upload<T: Value, B: Backend>(xp: &B, host: &Host<T>) -> Result<Array<T, B>> {
    Array::from_vec(xp, host.iter().copied().collect(), host.shape())
}

/// The elements of an array on a backend.
pub(crate) fn download<T: Value, B: Backend>(array: &Array<T, B>) -> Result<Host<T>> {
    let values = array.to_vec()?;
    let shape = array.shape();
    ArrayD::from_shape_vec(IxDyn(shape), values).map_err(|_| array_api::Error::InvalidShape {
        operation: "to_vec",
        shape: shape.to_vec(),
        reason: "the number of elements is another one".into(),
    })
}

/// A one-dimensional array.
pub(crate) fn list<T: Clone>(values: &[T]) -> Host<T> {
    ndarray::arr1(values).into_dyn()
}

/// The shape of the elementwise combination of two shapes, aligned at their ends.
pub(crate) fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let ndim = a.len().max(b.len());
    let mut shape = vec![1; ndim];
    for (i, &n) in a.iter().rev().enumerate() {
        shape[ndim - 1 - i] = n;
    }
    for (i, &n) in b.iter().rev().enumerate() {
        let length = &mut shape[ndim - 1 - i];
        if *length == 1 {
            *length = n;
        } else if n != 1 && n != *length {
            return None;
        }
    }
    Some(shape)
}

/// The element of `x` that belongs to an index of a shape that `x` is broadcast to.
pub(crate) fn at_broadcast<T: Copy>(x: &Host<T>, index: &[usize]) -> T {
    let extra = index.len() - x.ndim();
    let own: Vec<usize> =
        x.shape().iter().zip(&index[extra..]).map(|(&n, &i)| if n == 1 { 0 } else { i }).collect();
    x[IxDyn(&own)]
}

/// A function of the elements of one array.
pub(crate) fn map<T: Copy, U>(x: &Host<T>, mut f: impl FnMut(T) -> U) -> Host<U> {
    build(x.shape(), |index| f(x[IxDyn(index)]))
}

/// A function of the elements of two arrays that broadcast.
pub(crate) fn zip<T: Copy, S: Copy, U>(a: &Host<T>, b: &Host<S>, mut f: impl FnMut(T, S) -> U) -> Host<U> {
    let shape = broadcast_shape(a.shape(), b.shape()).unwrap_or_default();
    build(&shape, |index| f(at_broadcast(a, index), at_broadcast(b, index)))
}

/// Reduces some axes: `f` gets the elements of each group in row-major order.
pub(crate) fn reduce<T: Copy, U>(
    x: &Host<T>,
    axes: &[usize],
    keepdims: bool,
    mut f: impl FnMut(&[T]) -> U,
) -> Host<U> {
    let kept: Vec<usize> = (0..x.ndim()).filter(|axis| !axes.contains(axis)).collect();
    let reduced: Vec<usize> = (0..x.ndim()).filter(|axis| axes.contains(axis)).collect();
    let lengths = |axes: &[usize]| axes.iter().map(|&axis| x.shape()[axis]).collect::<Vec<_>>();
    let (outer, inner) = (lengths(&kept), lengths(&reduced));
    let result = build(&outer, |index| {
        let mut at = vec![0; x.ndim()];
        kept.iter().zip(index).for_each(|(&axis, &i)| at[axis] = i);
        let mut group = Vec::new();
        for inside in ndarray::indices(IxDyn(&inner)) {
            let inside = ndarray::Dimension::slice(&inside).to_vec();
            reduced.iter().zip(inside).for_each(|(&axis, i)| at[axis] = i);
            group.push(x[IxDyn(&at)]);
        }
        f(&group)
    });
    if !keepdims {
        return result;
    }
    let shape: Vec<usize> =
        (0..x.ndim()).map(|axis| if axes.contains(&axis) { 1 } else { x.shape()[axis] }).collect();
    let elements: Vec<U> = result.into_iter().collect();
    let Ok(result) = ArrayD::from_shape_vec(IxDyn(&shape), elements) else {
        unreachable!("axes of length 1 do not change the number of elements");
    };
    result
}

/// Applies `f` to each line of elements along an axis; it may change their number.
pub(crate) fn along<T: Copy, U: Copy>(
    x: &Host<T>,
    axis: usize,
    length: usize,
    mut f: impl FnMut(&[T]) -> Vec<U>,
) -> Host<U> {
    let lines = reduce(x, &[axis], true, |line| f(line));
    let mut shape = x.shape().to_vec();
    shape[axis] = length;
    build(&shape, |index| {
        let mut line = index.to_vec();
        line[axis] = 0;
        lines[IxDyn(&line)][index[axis]]
    })
}

/// The sum of some numbers as if computed with twice the digits (A. Neumaier, ZAMM 54, 1974),
/// unless some are not finite.
pub(crate) fn exact_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let plain: f64 = values.clone().sum();
    if !plain.is_finite() {
        return plain;
    }
    let (mut sum, mut rest) = (0.0_f64, 0.0);
    for x in values {
        let next = sum + x;
        rest += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + rest
}

/// The matrix product of stacks of matrices, each element a sum in twice the digits, and the same
/// with absolute values.
pub(crate) fn matmul(a: &Host<f64>, b: &Host<f64>) -> (Host<f64>, Host<f64>) {
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
                let products = row.iter().zip(column).map(|(x, y)| x * y);
                sizes.push(products.clone().map(f64::abs).sum::<f64>());
                sums.push(exact_sum(products));
            }
        }
    }
    let shape = [batch.as_slice(), &[m, n]].concat();
    let stacked = |elements: Vec<f64>| {
        let mut elements = elements.into_iter();
        build(&shape, |_| elements.next().unwrap_or(f64::NAN))
    };
    (stacked(sums), stacked(sizes))
}

/// The array with its last two axes exchanged.
pub(crate) fn transpose<T: Clone>(x: &Host<T>) -> Host<T> {
    let mut view = x.view();
    view.swap_axes(x.ndim() - 2, x.ndim() - 1);
    view.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_combine_by_the_rules_of_the_standard() {
        assert_eq!(broadcast_shape(&[8, 1, 6, 1], &[7, 1, 5]), Some(vec![8, 7, 6, 5]));
        assert_eq!(broadcast_shape(&[1], &[0]), Some(vec![0]));
        assert_eq!(broadcast_shape(&[2, 1], &[8, 4, 3]), None);
    }

    #[test]
    fn groups_are_reduced_in_order() {
        let x = build(&[2, 3], |i| i[0] * 3 + i[1]);
        assert_eq!(reduce(&x, &[0], false, <[usize]>::to_vec), list(&[vec![0, 3], vec![1, 4], vec![2, 5]]));
        assert_eq!(reduce(&x, &[1], true, |g| g[2]).shape(), [2, 1]);
        assert_eq!(reduce(&x, &[], false, <[usize]>::len).shape(), [2, 3]);
        assert_eq!(along(&x, 1, 1, |line| vec![line[0] + line[2]])[[1, 0]], 8);
    }

    #[test]
    fn the_sum_keeps_what_cancels() {
        assert_eq!(exact_sum([1.0, 1e100, 1.0, -1e100].into_iter()), 2.0);
        assert!(exact_sum([f64::INFINITY, f64::NEG_INFINITY].into_iter()).is_nan());
    }
}
