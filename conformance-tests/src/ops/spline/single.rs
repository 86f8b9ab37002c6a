//! Data in single precision: sums and splines are in double precision all the same.

use array_api::s;

use super::{operator, pair, with_data};
use crate::testing::{Backend, Case, Check, Outcome, cases, for_all, host};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["spline": project_single, project_kronecker_single, evaluate_add_single]
}

fn project_single<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(with_data(), |(setting, _, data)| {
        let operator = operator(xp, &setting)?;
        let data = data.on(xp)?.astype::<f32>()?;
        let expected = operator.project(&data.astype::<f64>()?)?;
        check.same("project of f32", &operator.project(&data)?, &host::download(&expected)?)
    })
}

fn project_kronecker_single<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(pair(), |(y, x, range, data)| {
        let (y, x) = (operator(xp, &y)?.rows(range)?, operator(xp, &x)?);
        let data = data.on(xp)?.astype::<f32>()?;
        let expected = y.project_kronecker(&x, &data.astype::<f64>()?)?;
        check.same("project_kronecker of f32", &y.project_kronecker(&x, &data)?, &host::download(&expected)?)
    })
}

/// The sum is made in double precision, and rounded once.
fn evaluate_add_single<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(with_data(), |(setting, coefficients, data)| {
        let operator = operator(xp, &setting)?;
        let coefficients = coefficients.on(xp)?;
        let mut out = data.on(xp)?.astype::<f32>()?;
        let expected = (&out.astype::<f64>()? + &operator.evaluate(&coefficients)?)?.astype::<f32>()?;
        operator.evaluate_add(&coefficients, &mut out)?;
        check.same("evaluate_add to f32", &out, &host::download(&expected)?)
    })?;
    // The last rows of a longer buffer, every second column of it.
    let setting = super::Setting { breakpoints: vec![0.0, 1.0], degree: 1, points: host::list(&[0.25, 1.0]) };
    let mut rows = array_api::Array::<f32, B>::ones(xp, &[4, 4])?.slice(s![2.., ..;2])?;
    operator(xp, &setting)?
        .evaluate_add(&host::upload(xp, &host::build(&[2, 2], |i| i[1] as f64))?, &mut rows)?;
    check.same("every second column", &rows, &host::build(&[2, 2], |i| [1.25_f32, 2.0][i[1]]))
}
