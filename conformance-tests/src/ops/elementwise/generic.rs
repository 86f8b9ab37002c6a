//! The general forms `map`, `zip` and `reduce` with the types of operations.

use array_api::elementwise::{binary, comparison, predicate, unary};
use array_api::ops::{AsType, Clip, NanToNum, Prod, ScalarWith, Sum, WithScalar};
use array_api::{Error, s};

use crate::testing::{Array, Backend, Case, Check, Fill, Outcome, cases, for_all, host, pair};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["elementwise": map, zip, reduce]
}

fn map<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::from_slice(xp, &[-2.0, 0.5, f64::NAN])?;
    let nan = f64::NAN;
    check.same("map", &x.map(&unary::Negative)?, &host::list(&[2.0, -0.5, nan]))?;
    check.same("map to truth values", &x.map(&predicate::IsNan)?, &host::list(&[false, false, true]))?;
    check.same(
        "map to integers",
        &x.map(&AsType::<i32>(std::marker::PhantomData))?,
        &host::list(&[-2, 0, 0]),
    )?;
    let clipped = x.map(&Clip { low: -1.0, high: 0.25 })?;
    check.same("map with bounds", &clipped, &host::list(&[-1.0, 0.25, nan]))?;
    check.same(
        "number second",
        &x.map(&WithScalar(binary::Subtract, 1.0))?,
        &host::list(&[-3.0, -0.5, nan]),
    )?;
    check.same("number first", &x.map(&ScalarWith(binary::Subtract, 1.0))?, &host::list(&[3.0, 0.5, nan]))?;
    let mut changed = x.clone();
    changed.map_assign(&NanToNum { nan: 7.0, posinf: 0.0, neginf: 0.0 })?;
    check.same("map_assign", &changed, &host::list(&[-2.0, 0.5, 7.0]))?;
    check.same("the array that shared the buffer", &x, &host::list(&[-2.0, 0.5, nan]))
}

fn zip<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let fill = Fill::Sprinkled(-9.0, 9.0);
    for_all(pair::<i32, i32>((fill, fill)), |(a, b)| {
        let (x, y) = (a.on(xp)?, b.on(xp)?);
        let named = x.zip(&binary::BitwiseXor, &y, "xor")?;
        check.same("zip", &named, &host::zip(&a.host, &b.host, |a, b| a ^ b))?;
        let less = x.zip(&comparison::Less, &y, "less")?;
        check.same("zip to truth values", &less, &host::zip(&a.host, &b.host, |a, b| a < b))
    })?;
    let (mut x, y) = (Array::from_slice(xp, &[1, 2, 3])?, Array::from_slice(xp, &[4])?);
    x.zip_assign(&binary::Add, &y, "plus")?;
    check.same("zip_assign", &x, &host::list(&[5, 6, 7]))?;
    let error = Error::ShapeMismatch { operation: "plus", left: vec![1], right: vec![3] };
    let mut short = y.slice(s![..])?;
    check.refused("the operation keeps its name", short.zip_assign(&binary::Add, &x, "plus"), &error)
}

fn reduce<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::arange(xp, 1, 7, 1)?.reshape(&[2, 3])?;
    check.same("rows", &x.reduce::<Sum>(&[1], false, "sum")?, &host::list(&[6_i64, 15]))?;
    check.same(
        "columns",
        &x.reduce::<Prod>(&[0], true, "prod")?,
        &host::build(&[1, 3], |i| [4_i64, 10, 18][i[1]]),
    )?;
    let error = Error::InvalidAxis { operation: "total", axis: 2, ndim: 2 };
    check.refused("the operation keeps its name", x.reduce::<Sum>(&[2], false, "total"), &error)
}
