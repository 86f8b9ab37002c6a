//! Searching and sorting.

use proptest::prelude::Strategy;

use super::creation::for_all_types;
use crate::testing::{
    Array, AxisMethod, Backend, Case, Check, Error, Fill, Number, Outcome, Value, cases, for_all, host,
    operand, operand_of, pair, reference, shape,
};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["searching": where_, nonzero, argmax, argmin, sort, argsort, axis_errors]
}

/// Kinds of data to search and sort: all different, many equal, special ones.
const FILLS: [Fill; 3] = [Fill::Between(-99.0, 99.0), Fill::Few, Fill::Sprinkled(-9.0, 9.0)];

fn where_<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let fill = Fill::Sprinkled(-9.0, 9.0);
        let cases = pair::<T, T>((fill, fill)).prop_flat_map(move |(a, b)| {
            let shape = host::broadcast_shape(a.host.shape(), b.host.shape()).unwrap_or_default();
            let last = shape.last().map_or(vec![], |&n| vec![n]);
            (
                proptest::strategy::Just((a, b)),
                operand_of::<bool>(shape, fill),
                operand_of::<bool>(last, fill),
            )
        });
        for_all(cases, |((a, b), full, narrow)| {
            for condition in [full, narrow] {
                let found = condition.on(xp)?.where_(&a.on(xp)?, &b.on(xp)?)?;
                let both = host::zip(&a.host, &b.host, |a, b| (a, b));
                let expected = host::zip(&condition.host, &both, |c, (a, b)| if c { a } else { b });
                check.same("where_", &found, &expected)?;
            }
            Ok(())
        })
    }
    for_all_types!(body, xp, check);
    let condition = Array::<bool, B>::ones(xp, &[2])?;
    let (a, b) = (Array::<f64, B>::ones(xp, &[3])?, Array::<f64, B>::ones(xp, &[])?);
    let error = Error::ShapeMismatch { operation: "where_", left: vec![2], right: vec![3] };
    check.refused("a condition that does not fit", condition.where_(&a, &b), &error)?;
    let error = Error::ShapeMismatch { operation: "where_", left: vec![3], right: vec![2] };
    check.refused("choices that do not fit", condition.where_(&a, &Array::ones(xp, &[2])?), &error)
}

fn nonzero<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(operand::<bool>(Fill::Few), |x| {
        let found = x.on(xp)?.nonzero()?;
        check.equal("number of axes", found.len(), x.host.ndim())?;
        let places: Vec<Vec<usize>> = x
            .host
            .indexed_iter()
            .filter(|&(_, &keep)| keep)
            .map(|(index, _)| ndarray::Dimension::slice(&index).to_vec())
            .collect();
        for (axis, list) in found.iter().enumerate() {
            let expected: Vec<i64> = places.iter().map(|place| place[axis] as i64).collect();
            check.same("nonzero", list, &host::list(&expected))?;
        }
        Ok(())
    })
}

/// Index of the first NaN, or else of the first element that none comes before.
fn first_extreme<T: Value>(x: &[T], before: fn(&T, &T) -> bool) -> i64 {
    let nan = x.iter().position(|v| v.is_nan_value());
    nan.unwrap_or_else(|| (0..x.len()).find(|&i| !x.iter().any(|v| before(v, &x[i]))).unwrap_or(0)) as i64
}

fn arg_extreme<T: Number, B: Backend>(
    xp: &B,
    check: &Check,
    op: &'static str,
    method: AxisMethod<T, i64, B>,
    before: fn(&T, &T) -> bool,
) -> Outcome {
    for fill in FILLS {
        let small = shape()
            .prop_filter("a definition takes the square of the length", |s| s.iter().all(|&n| n < 2000));
        for_all(small.prop_flat_map(move |shape| operand_of::<T>(shape, fill)), |x| {
            for axis in 0..x.host.ndim() {
                let number =
                    if axis % 2 == 0 { axis as isize } else { axis as isize - x.host.ndim() as isize };
                let found = method(&x.on(xp)?, number);
                if x.host.shape()[axis] == 0 {
                    let error = Error::EmptyReduction { operation: op, shape: x.host.shape().to_vec() };
                    check.refused("along an empty axis", found, &error)?;
                } else {
                    check.same(
                        op,
                        &found?,
                        &host::reduce(&x.host, &[axis], false, |x| first_extreme(x, before)),
                    )?;
                }
            }
            Ok(())
        })?;
    }
    for record in reference::records::<T>(op)? {
        let (array, Some(axis)) = (host::upload(xp, &record.input::<T>(0)?)?, record.axis()) else {
            continue;
        };
        check.same(&record.title(), &method(&array, axis)?, &record.output()?)?;
    }
    Ok(())
}

fn argmax<B: Backend>(xp: &B, check: &Check) -> Outcome {
    arg_extreme::<f32, B>(xp, check, "argmax", Array::argmax, f32::gt)?;
    arg_extreme::<f64, B>(xp, check, "argmax", Array::argmax, f64::gt)?;
    arg_extreme::<i32, B>(xp, check, "argmax", Array::argmax, i32::gt)?;
    arg_extreme::<i64, B>(xp, check, "argmax", Array::argmax, i64::gt)?;
    arg_extreme::<u8, B>(xp, check, "argmax", Array::argmax, u8::gt)
}

fn argmin<B: Backend>(xp: &B, check: &Check) -> Outcome {
    arg_extreme::<f32, B>(xp, check, "argmin", Array::argmin, f32::lt)?;
    arg_extreme::<f64, B>(xp, check, "argmin", Array::argmin, f64::lt)?;
    arg_extreme::<i32, B>(xp, check, "argmin", Array::argmin, i32::lt)?;
    arg_extreme::<i64, B>(xp, check, "argmin", Array::argmin, i64::lt)?;
    arg_extreme::<u8, B>(xp, check, "argmin", Array::argmin, u8::lt)
}

/// Sorting, by value or by index, in both directions.
fn sorts<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
    for fill in FILLS {
        for_all(operand::<T>(fill), |x| {
            let array = x.on(xp)?;
            for axis in 0..x.host.ndim() {
                let number =
                    if axis % 2 == 0 { axis as isize } else { axis as isize - x.host.ndim() as isize };
                for descending in [false, true] {
                    let n = x.host.shape()[axis];
                    let both = host::along(&x.host, axis, n, |line| {
                        let order = T::sorting_order(line, descending);
                        order.into_iter().map(|i| (i as i64, line[i])).collect()
                    });
                    let (indices, sorted) = (host::map(&both, |(i, _)| i), host::map(&both, |(_, v)| v));
                    check.same("argsort", &array.argsort(number, descending)?, &indices)?;
                    check.same("sort", &array.sort(number, descending)?, &sorted)?;
                }
            }
            check.same("the argument", &array, &x.host)
        })?;
    }
    Ok(())
}

fn sort<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn numpy<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for record in reference::records::<T>("sort")? {
            let (array, Some(axis)) = (host::upload(xp, &record.input::<T>(0)?)?, record.axis()) else {
                continue;
            };
            check.same(&record.title(), &array.sort(axis, false)?, &record.output()?)?;
        }
        Ok(())
    }
    sorts::<f32, B>(xp, check)?;
    sorts::<i64, B>(xp, check)?;
    numpy::<f32, B>(xp, check)?;
    numpy::<f64, B>(xp, check)?;
    numpy::<i32, B>(xp, check)?;
    numpy::<i64, B>(xp, check)?;
    numpy::<u8, B>(xp, check)
}

fn argsort<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn numpy<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for record in reference::records::<T>("argsort")? {
            let (array, Some(axis)) = (host::upload(xp, &record.input::<T>(0)?)?, record.axis()) else {
                continue;
            };
            check.same(&record.title(), &array.argsort(axis, false)?, &record.output()?)?;
        }
        Ok(())
    }
    sorts::<f64, B>(xp, check)?;
    sorts::<i32, B>(xp, check)?;
    sorts::<u8, B>(xp, check)?;
    numpy::<f32, B>(xp, check)?;
    numpy::<f64, B>(xp, check)?;
    numpy::<i32, B>(xp, check)?;
    numpy::<i64, B>(xp, check)?;
    numpy::<u8, B>(xp, check)
}

fn axis_errors<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    for axis in [2, -3] {
        let error = |operation| Error::InvalidAxis { operation, axis, ndim: 2 };
        check.refused("argmax", x.argmax(axis), &error("argmax"))?;
        check.refused("argmin", x.argmin(axis), &error("argmin"))?;
        check.refused("sort", x.sort(axis, false), &error("sort"))?;
        check.refused("argsort", x.argsort(axis, false), &error("argsort"))?;
    }
    let scalar = Array::<f64, B>::zeros(xp, &[])?;
    let error = Error::InvalidAxis { operation: "sort", axis: 0, ndim: 0 };
    check.refused("sorting an array without axes", scalar.sort(0, false), &error)
}
