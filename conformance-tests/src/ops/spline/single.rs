//! Data in single precision: sums are in double precision all the same.

use super::project::pair;
use super::{operator, with_data};
use crate::testing::{Backend, Case, Check, Outcome, cases, for_all, host};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["spline": project_single, project_kronecker_single]
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
