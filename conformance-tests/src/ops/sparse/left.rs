//! Dense matrices times sparse ones.

use super::{FILL, Sparse, hold, turned, wide, with_operand};
use crate::testing::{Array, Backend, Case, Check, Outcome, Real, cases, for_all, host};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["sparse": csr_left_matmul, csr_left_matmul_transposed]
}

/// Many rows of a dense matrix, in a stack: all of them and every second one.
fn for_many_rows<T: Real, B: Backend>(
    xp: &B,
    columns: usize,
    mut hold: impl FnMut(&Array<T, B>, &host::Host<T>) -> Outcome,
) -> Outcome {
    let x = host::random::<T>(&[2, 38, columns], FILL, 2);
    let on = host::upload(xp, &x)?;
    for step in [1, 2] {
        let kept = x.slice_each_axis(|axis| {
            ndarray::Slice::from(..).step_by(if axis.axis.0 == 1 { step } else { 1 })
        });
        hold(&on.slice(array_api::s![.., ..; step])?, &kept.to_owned())?;
    }
    Ok(())
}

fn csr_left_matmul<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(with_operand::<T>(0, true), |(a, x)| {
            let found = a.on(xp)?.left_matmul(&x.on(xp)?)?;
            hold(check, "x a", &found, [&wide(&x.host), &a.dense()])
        })?;
        // More rows than are multiplied together.
        let a = Sparse::<T>::random([9, 7], FILL, 1);
        for_many_rows(xp, 9, |on, x| {
            hold(check, "rows of x a", &a.on(xp)?.left_matmul(on)?, [&wide(x), &a.dense()])
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

fn csr_left_matmul_transposed<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(with_operand::<T>(1, true), |(a, x)| {
            let found = a.on(xp)?.left_matmul_transposed(&x.on(xp)?)?;
            hold(check, "x a^T", &found, [&wide(&x.host), &turned(&a.dense())])
        })?;
        // Fewer entries than the matrix has columns, and more.
        for shape in [[3, 90], [60, 90], [1, 9]] {
            let a = Sparse::<T>::random(shape, FILL, 1);
            for_many_rows(xp, shape[1], |on, x| {
                let found = a.on(xp)?.left_matmul_transposed(on)?;
                hold(check, "rows of x a^T", &found, [&wide(x), &turned(&a.dense())])
            })?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}
