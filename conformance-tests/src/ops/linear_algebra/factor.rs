//! Cholesky factorization, determinants and inverses.

use array_api::{linalg, s};
use ndarray::Array2;
use proptest::prelude::{Strategy, any};

use super::{batch, condition, inverse, matrices, norm, positive_definite};
use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Outcome, Real, cases, for_all, host, operand_of,
    reference, require,
};
use crate::tolerance::{CHOLESKY, DETERMINANT, SOLUTION, SOLVE};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["linalg": cholesky, cholesky_large, cholesky_pivots, cholesky_of_nan, det, det_of_permutations, inv, square_only]
}

const FILL: Fill = Fill::Between(-3.0, 3.0);

/// A factor is lower triangular with a positive diagonal, and its product with itself gives `a`.
fn hold<T: Real, B: Backend>(check: &Check, found: &Array<T, B>, a: &Host<f64>) -> Outcome {
    let n = a.shape()[a.ndim() - 1] as f64;
    let l = host::download(found)?.mapv(T::wide);
    check.equal("shape of the factor", l.shape(), a.shape())?;
    for (index, &value) in l.indexed_iter() {
        let index = ndarray::Dimension::slice(&index);
        let (row, column) = (index[index.len() - 2], index[index.len() - 1]);
        require!(row != column || value > 0.0, "element {index:?} of the factor is {value}");
        require!(row >= column || value == 0.0, "element {index:?} of the factor is {value}");
    }
    let (product, size) = host::matmul(&l, &host::transpose(&l));
    for ((&found, &expected), &size) in product.iter().zip(a).zip(&size) {
        let scale = (n + 1.0) * size;
        let error = (found - expected).abs() / (T::UNIT * scale);
        check.error("l l^T - a", if scale == 0.0 { (found - expected).abs() } else { error }, &CHOLESKY)?;
    }
    Ok(())
}

fn cholesky<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = (batch(), 0..9_usize, any::<bool>()).prop_flat_map(|(batch, n, nan)| {
            (operand_of::<f64>([batch, vec![n, n]].concat(), FILL), proptest::strategy::Just(nan))
        });
        for_all(cases, |(g, nan)| {
            let a = positive_definite(&g.host).mapv(T::narrow);
            // Only the lower triangle counts: above it there may be anything.
            let given = host::build(a.shape(), |index| {
                let above = index[index.len() - 1] > index[index.len() - 2];
                if above && nan { T::narrow(f64::NAN) } else { a[index] }
            });
            let wide = a.mapv(T::wide);
            let found = linalg::cholesky(&host::upload(xp, &given)?)?;
            hold(check, &found, &wide)?;
            // Stored by columns.
            let columns = host::upload(xp, &host::transpose(&given))?.matrix_transpose()?;
            hold(check, &linalg::cholesky(&columns)?, &wide)?;
            hold(check, linalg::cho_factor(&columns)?.lower(), &wide)?;
            // In place, which must leave alone what others share, and elements that do not begin their buffer.
            let shared = host::upload(xp, &given)?;
            hold(check, linalg::cho_factor_overwrite(shared.clone())?.lower(), &wide)?;
            let other = shared.expand_dims(0)?;
            hold(check, linalg::cho_factor_overwrite(shared)?.lower(), &wide)?;
            check.equal("a matrix that is shared", host::download(&other)?.len(), given.len())?;
            let again = host::download(&other.squeeze(&[0])?)?;
            let same = again.iter().zip(&given).all(|(a, b)| a.wide().to_bits() == b.wide().to_bits());
            require!(same, "a matrix that is shared has changed");
            let behind = Array::concat(&[&other, &other], 0)?.slice(s![1])?;
            hold(check, linalg::cho_factor_overwrite(behind)?.lower(), &wide)?;
            hold(check, linalg::cho_factor_overwrite(host::upload(xp, &given)?)?.lower(), &wide)?;
            hold(check, linalg::cho_factor_overwrite(columns)?.lower(), &wide)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    for record in reference::records::<f64>("cholesky")? {
        let a = record.input::<f64>(0)?;
        let scale = record
            .output::<f64>()?
            .mapv(|_| 6.0 * condition(&matrices(&a)[0]) * norm(&matrices(&a)[0]).sqrt());
        let found = linalg::cholesky(&host::upload(xp, &a)?)?;
        check.scaled(&record.title(), &found, &record.output()?, &scale, &SOLUTION)?;
    }
    Ok(())
}

fn cholesky_large<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for n in [64, 127, 128, 129, 200] {
            let a = positive_definite(&host::random::<f64>(&[n, n], FILL, n as u64)).mapv(T::narrow);
            hold(check, &linalg::cholesky(&host::upload(xp, &a)?)?, &a.mapv(T::wide))?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

/// A stack of identity matrices, some diagonal elements replaced: (matrix, position, value).
fn identities(count: usize, n: usize, changes: &[(usize, usize, f64)]) -> Host<f64> {
    host::build(&[count, n, n], |index| {
        if index[1] != index[2] {
            return 0.0;
        }
        let change = changes.iter().find(|&&(matrix, at, _)| matrix == index[0] && at == index[1]);
        change.map_or(1.0, |&(_, _, value)| value)
    })
}

fn cholesky_pivots<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for (n, pivot) in [(1, 0), (5, 3), (130, 0), (130, 127), (130, 128), (300, 299)] {
        for value in [0.0, -1.0, f64::NEG_INFINITY] {
            let a = host::upload(xp, &identities(1, n, &[(0, pivot, value)]))?.reshape(&[n, n])?;
            let error = Error::NotPositiveDefinite { batch: 0, pivot };
            check.refused("a pivot that is not positive", linalg::cholesky(&a), &error)?;
            check.refused("cho_factor", linalg::cho_factor(&a), &error)?;
            check.refused("cho_factor_overwrite", linalg::cho_factor_overwrite(a.copy()?), &error)?;
            let b = Array::ones(xp, &[n])?;
            check.refused("cholesky_solve", linalg::cholesky_solve(&a, &b), &error)?;
        }
    }
    // Of several bad matrices in a stack the first one is named, however many threads look.
    for (count, n) in [(3, 2), (70, 16), (400, 8)] {
        // Threads that share the stack in halves meet the second one first.
        let (early, late) = (count / 2 - 1 + count % 2, count / 2 + count % 2);
        let a = host::upload(xp, &identities(count, n, &[(early, 1, -1.0), (late, 0, -1.0)]))?;
        let error = Error::NotPositiveDefinite { batch: early, pivot: 1 };
        for _ in 0..5 {
            check.refused("a bad matrix in a stack", linalg::cholesky(&a), &error)?;
        }
        let folded = a.reshape(&[1, count, n, n])?;
        check.refused("a bad matrix in a deeper stack", linalg::cholesky(&folded), &error)?;
    }
    // [[1, 2], [2, 1]] fails at its second pivot, 1 - 2^2.
    let a = host::upload(xp, &host::build(&[2, 2], |i| if i[0] == i[1] { 1.0 } else { 2.0 }))?;
    check.refused(
        "an indefinite matrix",
        linalg::cholesky(&a),
        &Error::NotPositiveDefinite { batch: 0, pivot: 1 },
    )
}

fn cholesky_of_nan<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for (n, at) in [(1, 0), (4, 2), (200, 150)] {
        let a = host::upload(xp, &identities(1, n, &[(0, at, f64::NAN)]))?.reshape(&[n, n])?;
        let error = Error::NotPositiveDefinite { batch: 0, pivot: at };
        check.refused("NaN on the diagonal", linalg::cholesky(&a), &error)?;
    }
    // Below the diagonal it reaches the pivot of its row.
    let mut below = identities(1, 5, &[]);
    below[[0, 3, 1]] = f64::NAN;
    let error = Error::NotPositiveDefinite { batch: 0, pivot: 3 };
    check.refused("NaN below the diagonal", linalg::cholesky(&host::upload(xp, &below)?), &error)
}

fn det<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        // The determinant of Vandermonde's matrix is the product of all differences.
        for n in 0..6_usize {
            let nodes: Vec<f64> = (0..n).map(|i| (i * i) as f64 / 4.0 - 1.5).collect();
            let a = host::build(&[n, n], |index| nodes[index[0]].powi(index[1] as i32));
            let differences =
                (0..n).flat_map(|j| (0..j).map(move |i| (i, j))).map(|(i, j)| nodes[j] - nodes[i]);
            let expected: f64 = differences.product();
            let found = linalg::det(&host::upload(xp, &a.mapv(T::narrow))?)?;
            let scale = n as f64 * condition(&matrices(&a)[0]) * expected.abs();
            let of = |value: f64| host::build(&[], |_| value);
            check.scaled("Vandermonde", &found, &of(expected), &of(scale), &DETERMINANT)?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    for record in reference::records::<f64>("det")? {
        let a = record.input::<f64>(0)?;
        let mut sizes = matrices(&a).into_iter().map(|a| a.nrows() as f64 * condition(&a));
        let scale = record.output::<f64>()?.mapv(|det| det.abs() * sizes.next().unwrap_or(0.0));
        let found = linalg::det(&host::upload(xp, &a)?)?;
        check.scaled(&record.title(), &found, &record.output()?, &scale, &DETERMINANT)?;
    }
    let of = |value: f64| host::build(&[], |_| value);
    let ones = Array::<f64, B>::ones(xp, &[3, 3])?;
    check.same_values("a singular matrix", &linalg::det(&ones)?, &of(0.0))?;
    check.same("a matrix with NaN", &linalg::det(&Array::full(xp, &[2, 2], f64::NAN)?)?, &of(f64::NAN))?;
    check.same(
        "empty matrices",
        &linalg::det(&Array::<f64, B>::zeros(xp, &[2, 0, 0])?)?,
        &host::list(&[1.0, 1.0]),
    )
}

fn det_of_permutations<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Every row is twice a unit vector: the determinant is 2^n times the sign of the order.
    let orders =
        (0..9_usize).prop_flat_map(|n| proptest::strategy::Just((0..n).collect::<Vec<_>>()).prop_shuffle());
    for_all(orders, |order| {
        let n = order.len();
        let a = host::build(&[n, n], |index| if order[index[0]] == index[1] { 2.0 } else { 0.0 });
        let inversions = (0..n).map(|j| (0..j).filter(|&i| order[i] > order[j]).count()).sum::<usize>();
        let expected = 2.0_f64.powi(n as i32) * if inversions % 2 == 0 { 1.0 } else { -1.0 };
        check.same("det", &linalg::det(&host::upload(xp, &a)?)?, &host::build(&[], |_| expected))
    })
}

fn inv<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = (batch(), 0..7_usize)
            .prop_flat_map(|(batch, n)| operand_of::<T>([batch, vec![n, n]].concat(), FILL));
        for_all(cases, |a| {
            let wide = a.host.mapv(T::wide);
            // Random matrices near a singular one say nothing.
            if matrices(&wide).iter().any(|a| condition(a).is_nan() || condition(a) >= 1e-3 / T::UNIT) {
                return Ok(());
            }
            let found = host::download(&linalg::inv(&a.on(xp)?)?)?.mapv(T::wide);
            check.equal("shape of the inverse", found.shape(), wide.shape())?;
            for (a, x) in matrices(&wide).iter().zip(matrices(&found)) {
                let n = a.nrows();
                let residual = a.dot(&x) - Array2::<f64>::eye(n);
                let scale = n as f64 * norm(a) * norm(&x);
                let error = if n == 0 { 0.0 } else { norm(&residual) / (T::UNIT * scale) };
                check.error("a inv(a) - 1", error, &SOLVE)?;
            }
            Ok(())
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    for record in reference::records::<f64>("inv")? {
        let a = record.input::<f64>(0)?;
        let a2 = &matrices(&a)[0];
        let scale = record.output::<f64>()?.mapv(|_| 6.0 * condition(a2) * norm(&inverse(a2)));
        check.scaled(
            &record.title(),
            &linalg::inv(&host::upload(xp, &a)?)?,
            &record.output()?,
            &scale,
            &SOLUTION,
        )?;
    }
    let singular = Error::Singular { batch: 0, pivot: 1 };
    check.refused("a singular matrix", linalg::inv(&Array::<f64, B>::ones(xp, &[2, 2])?), &singular)
}

fn square_only<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let oblong = Array::<f64, B>::ones(xp, &[2, 3])?;
    let vector = Array::<f64, B>::ones(xp, &[3])?;
    let error = |operation| Error::InvalidShape {
        operation,
        shape: vec![2, 3],
        reason: "the matrix must be square".into(),
    };
    check.refused("cholesky", linalg::cholesky(&oblong), &error("cholesky"))?;
    check.refused("det", linalg::det(&oblong), &error("det"))?;
    check.refused("inv", linalg::inv(&oblong), &error("inv"))?;
    check.refused("solve", linalg::solve(&oblong, &vector), &error("solve"))?;
    check.refused_with(
        "cholesky of a vector",
        linalg::cholesky(&vector),
        &["cholesky", "(3,)", "two axes"],
    )?;
    check.refused_with("det of a vector", linalg::det(&vector), &["det", "(3,)", "two axes"])
}
