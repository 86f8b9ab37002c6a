//! Eigenvalues and eigenvectors of symmetric matrices, against what defines them.

use array_api::linalg;
use ndarray::{Array2, Axis};
use proptest::prelude::Strategy;

use super::{batch, matrices, norm};
use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Outcome, Real, cases, for_all, host, operand_of, require,
};
use crate::tolerance::EIGEN;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["linalg":
        eigh, eigh_large, eigh_known, eigh_of_repeated_values, eigh_of_large_and_small_elements, eigh_refuses,
    ]
}

const FILL: Fill = Fill::Between(-3.0, 3.0);

/// The symmetric matrices whose lower triangles these are.
fn symmetric<T: Real>(lower: &Host<T>) -> Host<f64> {
    let turned = host::transpose(lower);
    host::build(lower.shape(), |index| {
        let above = index[index.len() - 1] > index[index.len() - 2];
        if above { turned[index].wide() } else { lower[index].wide() }
    })
}

/// `|found| / (epsilon * scale)` by norm.
fn residual<T: Real>(found: &Array2<f64>, scale: f64) -> f64 {
    let size = norm(found);
    if size == 0.0 { 0.0 } else { size / (T::UNIT * scale) }
}

/// Holds the results of both functions against `a v = v diag(w)`, `v^T v = 1`, and the rules on order
/// and signs.
fn hold<T: Real, B: Backend>(check: &Check, given: &Array<T, B>, a: &Host<f64>) -> Outcome {
    let (values, vectors) = linalg::eigh(given)?;
    let n = a.shape()[a.ndim() - 1];
    check.equal("shape of the eigenvalues", values.shape(), &a.shape()[..a.ndim() - 1])?;
    check.equal("shape of the eigenvectors", vectors.shape(), a.shape())?;
    let values = host::download(&values)?.mapv(T::wide);
    let vectors = host::download(&vectors)?.mapv(T::wide);
    let alone = linalg::eigvalsh(given)?;
    let sizes: Vec<f64> = matrices(a).iter().map(norm).collect();
    let mut at = 0;
    let scale = host::build(values.shape(), |_| {
        at += 1;
        n as f64 * sizes[(at - 1) / n]
    });
    check.scaled("eigvalsh", &alone, &values, &scale, &EIGEN)?;
    let alone = alone.to_vec()?;
    require!(alone.chunks(n.max(1)).all(<[T]>::is_sorted), "eigvalsh gives {alone:?}");
    if n == 0 {
        return Ok(());
    }
    let lists: Vec<f64> = values.iter().copied().collect();
    for ((a, v), w) in matrices(a).iter().zip(matrices(&vectors)).zip(lists.chunks(n)) {
        require!(w.is_sorted(), "eigenvalues {w:?}");
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| v[[i, j]] * w[j]);
        check.error("a v - v diag(w)", residual::<T>(&(a.dot(&v) - scaled), n as f64 * norm(a)), &EIGEN)?;
        let product = v.t().dot(&v) - Array2::<f64>::eye(n);
        check.error("v^T v - 1", residual::<T>(&product, n as f64), &EIGEN)?;
        for vector in v.axis_iter(Axis(1)) {
            let peak = vector.iter().copied().reduce(|peak, x| if x.abs() > peak.abs() { x } else { peak });
            require!(
                peak.is_some_and(|peak| peak > 0.0),
                "the largest component of {vector:?} is not positive"
            );
        }
    }
    Ok(())
}

fn eigh<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        // Any square matrix stands for the symmetric one that its lower triangle belongs to.
        let cases = (batch(), 0..9_usize)
            .prop_flat_map(|(batch, n)| operand_of::<T>([batch, vec![n, n]].concat(), FILL));
        for_all(cases, |lower| hold(check, &lower.on(xp)?, &symmetric(&lower.host)))?;
        // Above the diagonal there may be anything.
        let lower = host::random::<T>(&[3, 4, 4], FILL, 1);
        let anything = host::build(&[3, 4, 4], |i| if i[2] > i[1] { T::narrow(f64::NAN) } else { lower[i] });
        hold(check, &host::upload(xp, &anything)?, &symmetric(&lower))
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

fn eigh_large<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for shape in [vec![64, 64], vec![71, 71], vec![129, 129], vec![200, 200], vec![12, 33, 33]] {
            let lower = host::random::<T>(&shape, FILL, shape[0] as u64);
            hold(check, &host::upload(xp, &lower)?, &symmetric(&lower))?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

/// The matrix of second differences of order n has the eigenvalues 2 - 2 cos(k pi / (n + 1)), and its
/// eigenvectors are sines (Golub and Van Loan, 4.8).
fn eigh_known<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for n in [1, 2, 5, 70] {
            let a = host::build(&[n, n], |i| match i[0].abs_diff(i[1]) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            });
            let (w, v) = linalg::eigh(&host::upload(xp, &a.mapv(T::narrow))?)?;
            let angle = |k: usize| (k + 1) as f64 * std::f64::consts::PI / (n + 1) as f64;
            let expected = host::build(&[n], |k| 2.0 - 2.0 * angle(k[0]).cos());
            check.scaled("eigenvalues", &w, &expected, &expected.mapv(|_| 4.0 * n as f64), &EIGEN)?;
            // Up to a sign, and the error of a vector is that of the matrix over the distance to the next
            // eigenvalue (Golub and Van Loan, 8.1).
            let distance = (0..n.max(2) - 1).map(|k| angle(k).cos() - angle(k + 1).cos());
            let distance = if n == 1 { 1.0 } else { 2.0 * distance.fold(f64::INFINITY, f64::min) };
            let length = (2.0 / (n + 1) as f64).sqrt();
            let sines = host::build(&[n, n], |i| (length * (angle(i[1]) * (i[0] + 1) as f64).sin()).abs());
            let scale = sines.mapv(|_| 4.0 * n as f64 / distance);
            check.scaled("magnitudes of components", &v.abs()?, &sines, &scale, &EIGEN)?;
        }
        // [[1, 2], [2, -2]] has the eigenvalues -3 and 2 with eigenvectors (1, -2) and (2, 1).
        let a = host::build(&[2, 2], |i| [[1.0, 2.0], [2.0, -2.0]][i[0]][i[1]]);
        let (w, v) = linalg::eigh(&host::upload(xp, &a.mapv(T::narrow))?)?;
        check.scaled("eigenvalues", &w, &host::list(&[-3.0, 2.0]), &host::list(&[8.0, 8.0]), &EIGEN)?;
        let expected = host::build(&[2, 2], |i| [[-1.0, 2.0], [2.0, 1.0]][i[0]][i[1]] / 5_f64.sqrt());
        check.scaled("eigenvectors", &v, &expected, &expected.mapv(|_| 2.0), &EIGEN)
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

fn eigh_of_repeated_values<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for n in [2, 3, 16, 70, 150] {
            let identity = host::build(&[n, n], |i| if i[0] == i[1] { 1.0 } else { 0.0 });
            let ones = identity.mapv(|_| 1.0);
            // n - 1 times -1 and n - 1; the same twice over in blocks.
            let complete = &ones - &identity;
            let blocks = host::build(&[n, n], |i| if i[0] % 2 == i[1] % 2 { 1.0 } else { 0.0 });
            for a in [&identity * 0.0, identity, ones, complete, blocks] {
                hold(check, &host::upload(xp, &a.mapv(T::narrow))?, &a)?;
            }
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

/// Squares of the elements overflow or vanish.
fn eigh_of_large_and_small_elements<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check, sizes: [f64; 2]) -> Outcome {
        for size in sizes {
            for n in [2, 9, 130] {
                let lower = host::random::<f64>(&[n, n], FILL, 3).mapv(|x| T::narrow(size * x));
                hold(check, &host::upload(xp, &lower)?, &symmetric(&lower))?;
            }
        }
        Ok(())
    }
    body::<f32, B>(xp, check, [1e30, 1e-30])?;
    body::<f64, B>(xp, check, [1e250, 1e-250])
}

fn eigh_refuses<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (count, n, row, column) in [(1, 1, 0, 0), (1, 2, 1, 0), (4, 3, 2, 2), (60, 20, 7, 3)] {
            // Of several bad matrices the first one is named, however many threads look.
            let (first, second) = ((count - 1) / 2, count - 1);
            let a = host::build(&[count, n, n], |i| {
                let hit = (i[0] == first || i[0] == second) && i[1] == row && i[2] == column;
                if hit { bad } else { 1.0 }
            });
            let a = host::upload(xp, &a)?;
            let error = Error::NoEigenvalues { batch: first };
            check.refused("eigh", linalg::eigh(&a), &error)?;
            check.refused("eigvalsh", linalg::eigvalsh(&a), &error)?;
        }
    }
    let words = ["matrix 0", "not finite", "did not converge"];
    check.refused_with("a message", linalg::eigh(&Array::full(xp, &[1, 1], f64::NAN)?), &words)?;
    let oblong = Array::<f64, B>::ones(xp, &[2, 3])?;
    check.refused_with("eigh", linalg::eigh(&oblong), &["eigh", "(2, 3)", "square"])?;
    check.refused_with("eigvalsh", linalg::eigvalsh(&oblong), &["eigvalsh", "(2, 3)", "square"])?;
    let vector = Array::<f64, B>::ones(xp, &[3])?;
    check.refused_with("eigh of a vector", linalg::eigh(&vector), &["eigh", "(3,)", "two axes"])
}
