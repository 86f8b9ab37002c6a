//! Linear algebra: products, factorizations, systems of equations.

mod eigen;
mod factor;
mod product;
mod solve;

use proptest::collection::vec;
use proptest::prelude::Strategy;

use crate::testing::{Backend, Case, Host, host};

/// The test bodies of the chapter.
pub(crate) fn cases<B: Backend>() -> Vec<Case<B>> {
    [product::cases(), factor::cases(), solve::cases(), eigen::cases()].into_iter().flatten().collect()
}

/// Shapes of stacks: mostly none, else one or two axes.
fn batch() -> impl Strategy<Value = Vec<usize>> {
    proptest::prop_oneof![2 => vec(0..4_usize, 0..=0), 1 => vec(0..4_usize, 1..=2)]
}

/// The matrices of a stack, in row-major order, as (rows, columns).
fn matrices(x: &Host<f64>) -> Vec<ndarray::Array2<f64>> {
    let (rows, columns) = (x.shape()[x.ndim() - 2], x.shape()[x.ndim() - 1]);
    if rows * columns == 0 {
        let count = x.shape()[..x.ndim() - 2].iter().product();
        return vec![ndarray::Array2::zeros((rows, columns)); count];
    }
    let elements: Vec<f64> = x.iter().copied().collect();
    elements
        .chunks(rows * columns)
        .map(|part| ndarray::Array2::from_shape_fn((rows, columns), |(i, j)| part[i * columns + j]))
        .collect()
}

/// The largest sum of absolute values in a row; NaN if there is one.
fn norm(a: &ndarray::Array2<f64>) -> f64 {
    let sums = a.rows().into_iter().map(|row| row.iter().map(|v| v.abs()).sum());
    sums.fold(0.0, |largest: f64, sum: f64| if sum > largest || sum.is_nan() { sum } else { largest })
}

/// The inverse, by elimination with partial pivoting.
fn inverse(a: &ndarray::Array2<f64>) -> ndarray::Array2<f64> {
    let n = a.nrows();
    let mut left = a.clone();
    let mut right = ndarray::Array2::<f64>::eye(n);
    for column in 0..n {
        let pivot = (column..n).max_by(|&i, &j| left[[i, column]].abs().total_cmp(&left[[j, column]].abs()));
        let pivot = pivot.unwrap_or(column);
        for k in 0..n {
            left.swap([column, k], [pivot, k]);
            right.swap([column, k], [pivot, k]);
        }
        let scale = left[[column, column]];
        for k in 0..n {
            left[[column, k]] /= scale;
            right[[column, k]] /= scale;
        }
        for row in (0..n).filter(|&row| row != column) {
            let factor = left[[row, column]];
            for k in 0..n {
                let (l, r) = (left[[column, k]], right[[column, k]]);
                left[[row, k]] -= factor * l;
                right[[row, k]] -= factor * r;
            }
        }
    }
    right
}

/// The condition number by the norm above.
fn condition(a: &ndarray::Array2<f64>) -> f64 {
    norm(a) * norm(&inverse(a))
}

/// A symmetric positive definite matrix `g g^T + n I` from a square `g`, or a stack of them.
fn positive_definite(g: &Host<f64>) -> Host<f64> {
    let n = g.shape()[g.ndim() - 1];
    let (product, _) = host::matmul(g, &host::transpose(g));
    host::build(g.shape(), |index| {
        let diagonal = index[index.len() - 1] == index[index.len() - 2];
        product[index] + if diagonal { n as f64 } else { 0.0 }
    })
}
