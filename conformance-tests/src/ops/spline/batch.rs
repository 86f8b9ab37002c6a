//! Several images at once: each has the bits that it has alone.

use array_api::backend::Tile;
use array_api::{BSplineBasis, s};

use super::{operator, setting};
use crate::testing::{Array, Backend, Case, Check, Fill, Outcome, cases, for_all, host};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["spline": same_bits_in_any_batch, used_memory]
}

fn same_bits_in_any_batch<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((setting(), 1..10_usize), |(setting, images)| {
        let operator = operator(xp, &setting)?;
        let random = |shape: &[usize], seed| {
            let shape = [&[images], shape].concat();
            host::upload(xp, &host::random(&shape, Fill::Between(-9.0, 9.0), seed))
        };
        let (data, coefficients) = (random(operator.shape(), 1)?, random(&[operator.functions()], 2)?);
        let single = data.astype::<f32>()?;
        let (sums, of_single) = (operator.project(&data)?, operator.project(&single)?);
        let splines = operator.evaluate(&coefficients)?;
        let mut added = data.clone();
        operator.evaluate_add(&coefficients, &mut added)?;
        for image in 0..images {
            let part = |array: &Array<f64, B>| array.slice(s![image..image + 1]);
            let same = |name: &str, found: &Array<f64, B>, alone: &Array<f64, B>| {
                check.same(name, &part(found)?, &host::download(alone)?)
            };
            same("project", &sums, &operator.project(&part(&data)?)?)?;
            same("project of f32", &of_single, &operator.project(&single.slice(s![image..image + 1])?)?)?;
            let coefficients = part(&coefficients)?;
            same("evaluate", &splines, &operator.evaluate(&coefficients)?)?;
            let mut alone = part(&data)?;
            operator.evaluate_add(&coefficients, &mut alone)?;
            same("evaluate_add", &added, &alone)?;
        }
        Ok(())
    })
}

/// Splines in memory that held other numbers, as that of a tile's temporaries did, are what they are in new memory.
fn used_memory<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let breakpoints: Vec<f64> = (0..=40).map(|i| f64::from(i) / 40.0).collect();
    let points = Array::arange(xp, 0.0, 1500.0, 1.0)?.divide_scalar(1500.0)?;
    let operator = BSplineBasis::clamped(&breakpoints, 2)?.at(&points)?;
    for images in [1, 2, 3] {
        let coefficients = host::random(&[images, operator.functions()], Fill::Between(-9.0, 9.0), 3);
        let coefficients = host::upload(xp, &coefficients)?;
        let expected = host::download(&operator.evaluate(&coefficients)?)?;
        let tiles = [Tile { batch: 0..images, rows: 0..1 }];
        let found = xp.reduce_tiles(&tiles, images, 1500, |_| {
            drop(Array::full(xp, &[images, 1500], f64::NAN)?);
            operator.evaluate(&coefficients)
        })?;
        check.same("evaluate", &Array::from_buffer(xp, found, &[images, 1500]), &expected)?;
    }
    Ok(())
}
