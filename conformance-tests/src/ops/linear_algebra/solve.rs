//! Systems of equations: by LU, by triangles, by a Cholesky factor.

use array_api::{Triangle, linalg, s};
use proptest::prelude::{Strategy, any};

use super::{batch, condition, matrices, norm, positive_definite};
use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Outcome, Real, Result, cases, for_all, host, operand_of,
    reference,
};
use crate::tolerance::{SOLUTION, SOLVE};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["linalg": solve, solve_triangular, cho_solve, cho_solve_columns, solve_singular, solve_errors]
}

const FILL: Fill = Fill::Between(-3.0, 3.0);

/// Residuals of a solution, matrix by matrix.
fn hold<T: Real, B: Backend>(check: &Check, found: &Array<T, B>, a: &Host<f64>, b: &Host<f64>) -> Outcome {
    let x = host::download(found)?.mapv(T::wide);
    let whole = host::broadcast_shape(&a.shape()[..a.ndim() - 2], &b.shape()[..b.ndim() - 2]);
    let (n, columns) = (a.shape()[a.ndim() - 1], b.shape()[b.ndim() - 1]);
    check.equal(
        "shape of the solution",
        x.shape(),
        &[whole.unwrap_or_default(), vec![n, columns]].concat(),
    )?;
    let (product, _) = host::matmul(a, &x);
    let residual = host::zip(&product, b, |p, b| p - b);
    let wide =
        host::build(&[&x.shape()[..x.ndim() - 2], &[n, n]].concat(), |index| host::at_broadcast(a, index));
    for ((a, x), residual) in matrices(&wide).iter().zip(matrices(&x)).zip(matrices(&residual)) {
        let scale = n as f64 * norm(a) * norm(&x);
        let error = norm(&residual);
        check.error("a x - b", if scale == 0.0 { error } else { error / (T::UNIT * scale) }, &SOLVE)?;
    }
    Ok(())
}

/// A solver on random systems in stacks, with several right-hand sides or one vector. `prepare`
/// turns a random matrix into one that the solver takes.
fn random_systems<T: Real, B: Backend>(
    xp: &B,
    check: &Check,
    prepare: fn(&Host<f64>) -> Host<f64>,
    given: fn(&Host<T>) -> Host<T>,
    solver: impl Fn(&Array<T, B>, &Array<T, B>) -> Result<Array<T, B>>,
) -> Outcome {
    let cases =
        (batch(), any::<[bool; 2]>(), 0..8_usize, 0..4_usize).prop_flat_map(|(batch, narrow, n, columns)| {
            let [left, right] = narrow.map(|narrow| if narrow { Vec::new() } else { batch.clone() });
            let a = operand_of::<f64>([left, vec![n, n]].concat(), FILL);
            (a, operand_of::<T>([right, vec![n, columns]].concat(), FILL), operand_of::<T>(vec![n], FILL))
        });
    for_all(cases, |(a, b, vector)| {
        let a = prepare(&a.host).mapv(T::narrow);
        let wide = a.mapv(T::wide);
        if matrices(&wide).iter().any(|a| condition(a).is_nan() || condition(a) >= 1e-3 / T::UNIT) {
            return Ok(());
        }
        let array = host::upload(xp, &given(&a))?;
        hold(check, &solver(&array, &b.on(xp)?)?, &wide, &b.host.mapv(T::wide))?;
        // Stored by columns.
        let turned = host::upload(xp, &host::transpose(&given(&a)))?.matrix_transpose()?;
        hold(check, &solver(&turned, &b.on(xp)?)?, &wide, &b.host.mapv(T::wide))?;
        let found = solver(&array, &vector.on(xp)?)?;
        check.equal("shape of a vector", found.shape(), &a.shape()[..a.ndim() - 1])?;
        let column = host::build(&[vector.host.len(), 1], |index| vector.host[[index[0]]].wide());
        hold(check, &found.expand_dims(-1)?, &wide, &column)
    })
}

/// SciPy's solution of a system.
fn numpy<B: Backend>(
    xp: &B,
    check: &Check,
    op: &str,
    solver: impl Fn(&Array<f64, B>, &Array<f64, B>, bool) -> Result<Array<f64, B>>,
) -> Outcome {
    for record in reference::records::<f64>(op)? {
        let (a, b) = (record.input::<f64>(0)?, record.input::<f64>(1)?);
        let lower = record.number("lower") == Some(1.0);
        let used = match record.number("lower") {
            Some(_) if lower => host::build(a.shape(), |i| if i[1] <= i[0] { a[i] } else { 0.0 }),
            Some(_) => host::build(a.shape(), |i| if i[1] >= i[0] { a[i] } else { 0.0 }),
            None => a.clone(),
        };
        let expected = record.output::<f64>()?;
        let size = a.shape()[0] as f64 * condition(&matrices(&used)[0]) * norm(&matrices(&expected)[0]);
        let found = solver(&host::upload(xp, &a)?, &host::upload(xp, &b)?, lower)?;
        check.scaled(&record.title(), &found, &expected, &expected.mapv(|_| size), &SOLUTION)?;
    }
    Ok(())
}

fn solve<B: Backend>(xp: &B, check: &Check) -> Outcome {
    random_systems::<f32, B>(xp, check, Host::clone, Host::clone, linalg::solve)?;
    random_systems::<f64, B>(xp, check, Host::clone, Host::clone, linalg::solve)?;
    numpy(xp, check, "solve", |a, b, _| linalg::solve(a, b))?;
    // A system that needs an exchange of rows, and one of some size.
    let swap = host::build(&[2, 2], |i| if i[0] == i[1] { 0.0 } else { 1.0 });
    let found = linalg::solve(&host::upload(xp, &swap)?, &Array::from_slice(xp, &[3.0, 4.0])?)?;
    check.same("exchanged rows", &found, &host::list(&[4.0, 3.0]))?;
    let (a, b) = (host::random::<f64>(&[150, 150], FILL, 1), host::random::<f64>(&[150, 20], FILL, 2));
    hold(check, &linalg::solve(&host::upload(xp, &a)?, &host::upload(xp, &b)?)?, &a, &b)
}

/// A triangular matrix with a dominant diagonal, zeros on the other side.
fn triangle<const LOWER: bool>(g: &Host<f64>) -> Host<f64> {
    host::build(g.shape(), |index| {
        let (row, column) = (index[index.len() - 2], index[index.len() - 1]);
        match row.cmp(&column) {
            std::cmp::Ordering::Equal => 4.0 + g[index],
            std::cmp::Ordering::Greater if LOWER => g[index],
            std::cmp::Ordering::Less if !LOWER => g[index],
            _ => 0.0,
        }
    })
}

/// The same with NaN on the side that must not be read.
fn half_known<T: Real, const LOWER: bool>(a: &Host<T>) -> Host<T> {
    host::build(a.shape(), |index| {
        let (row, column) = (index[index.len() - 2], index[index.len() - 1]);
        let read = if LOWER { column <= row } else { column >= row };
        if read { a[index] } else { T::narrow(f64::NAN) }
    })
}

fn solve_triangular<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        random_systems::<T, B>(xp, check, triangle::<true>, half_known::<T, true>, |a, b| {
            linalg::solve_triangular(a, b, Triangle::Lower)
        })?;
        random_systems::<T, B>(xp, check, triangle::<false>, half_known::<T, false>, |a, b| {
            linalg::solve_triangular(a, b, Triangle::Upper)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    numpy(xp, check, "solve_triangular", |a, b, lower| {
        linalg::solve_triangular(a, b, if lower { Triangle::Lower } else { Triangle::Upper })
    })
}

fn cho_solve<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let factored = |a: &Array<T, B>, b: &Array<T, B>| linalg::cho_factor(a)?.solve(b);
        random_systems::<T, B>(xp, check, positive_definite, half_known::<T, true>, factored)?;
        random_systems::<T, B>(xp, check, positive_definite, Host::clone, linalg::cholesky_solve)?;
        for n in [127, 130, 260] {
            let a = positive_definite(&host::random::<f64>(&[n, n], FILL, 1)).mapv(T::narrow);
            let b = host::random::<T>(&[n, 19], FILL, 2);
            let found = linalg::cholesky_solve(&host::upload(xp, &a)?, &host::upload(xp, &b)?)?;
            hold(check, &found, &a.mapv(T::wide), &b.mapv(T::wide))?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    numpy(xp, check, "cho_solve", |a, b, _| linalg::cholesky_solve(a, b))
}

fn cho_solve_columns<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for n in [5, 150] {
            let a = positive_definite(&host::random::<f64>(&[n, n], FILL, 1)).mapv(T::narrow);
            let factor = linalg::cho_factor(&host::upload(xp, &a)?)?;
            let b = host::random::<T>(&[n, 37], FILL, 2);
            let all = host::upload(xp, &b)?;
            let together = host::download(&factor.solve(&all)?)?;
            for column in [0, 1, 15, 16, 17, 31, 32, 36] {
                let expected = together.index_axis(ndarray::Axis(1), column).to_owned();
                let alone = factor.solve(&all.slice(s![.., column])?)?;
                check.same("a column alone and among 37", &alone, &expected)?;
                // Among sixteen, at each end and in the middle.
                let own = all.slice(s![.., column..column + 1])?;
                for place in [0_usize, 7, 15] {
                    let (left, right) =
                        (all.slice(s![.., 20..20 + place])?, all.slice(s![.., 3..18 - place])?);
                    let sixteen = factor.solve(&Array::concat(&[&left, &own, &right], 1)?)?;
                    check.same("a column among 16", &sixteen.slice(s![.., place])?, &expected)?;
                }
            }
            let turned = all.matrix_transpose()?.to_contiguous()?.matrix_transpose()?;
            check.same("right-hand sides stored by columns", &factor.solve(&turned)?, &together)?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

fn solve_singular<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let b = Array::<f64, B>::ones(xp, &[3])?;
    let rank = |r: usize| host::build(&[3, 3], |i| if i[0] == i[1] && i[0] < r { 1.0 } else { 0.0 });
    for pivot in 0..3 {
        let a = host::upload(xp, &rank(pivot))?;
        let error = Error::Singular { batch: 0, pivot };
        check.refused("solve", linalg::solve(&a, &b), &error)?;
        check.refused("lower triangle", linalg::solve_triangular(&a, &b, Triangle::Lower), &error)?;
        check.refused("upper triangle", linalg::solve_triangular(&a, &b, Triangle::Upper), &error)?;
    }
    let nan = Array::full(xp, &[3, 3], f64::NAN)?;
    check.refused("a matrix of NaN", linalg::solve(&nan, &b), &Error::Singular { batch: 0, pivot: 0 })?;
    // Of several singular matrices in a stack the first one is named, though threads that share the
    // stack in halves meet the second one first.
    for count in [4, 1000] {
        let stack = host::build(&[count, 3, 3], |i| {
            let bad = (i[0] == count / 2 - 1 && i[1] == 2) || i[0] == count / 2;
            if i[1] != i[2] || bad { 0.0 } else { 1.0 }
        });
        let (a, b) = (host::upload(xp, &stack)?, Array::ones(xp, &[3, 2])?);
        for _ in 0..5 {
            let error = Error::Singular { batch: count / 2 - 1, pivot: 2 };
            check.refused("solve in a stack", linalg::solve(&a, &b), &error)?;
            let lower = linalg::solve_triangular(&a, &b, Triangle::Lower);
            check.refused("solve_triangular in a stack", lower, &error)?;
        }
    }
    Ok(())
}

fn solve_errors<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let a = Array::<f64, B>::eye(xp, 3, None, 0)?;
    let (short, stack) = (Array::ones(xp, &[2, 5])?, Array::ones(xp, &[4, 3, 1])?);
    let error = |operation| Error::ShapeMismatch { operation, left: vec![3, 3], right: vec![2, 5] };
    check.refused("solve", linalg::solve(&a, &short), &error("solve"))?;
    let lower = linalg::solve_triangular(&a, &short, Triangle::Lower);
    check.refused("solve_triangular", lower, &error("solve_triangular"))?;
    check.refused("cho_solve", linalg::cho_factor(&a)?.solve(&short), &error("cho_solve"))?;
    let wide = Array::broadcast_to(&a, &[2, 3, 3])?;
    let error = Error::ShapeMismatch { operation: "solve", left: vec![2, 3, 3], right: vec![4, 3, 1] };
    check.refused("stacks that do not fit", linalg::solve(&wide, &stack), &error)?;
    let scalar = Array::<f64, B>::ones(xp, &[])?;
    check.refused_with("no right-hand side", linalg::solve(&a, &scalar), &["solve", "two axes"])
}
