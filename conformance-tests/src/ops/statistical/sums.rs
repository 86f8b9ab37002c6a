//! Sums, products, means and counts.

use super::{Forms, forms, mean_of, sum_of};
use crate::ops::creation::for_all_types;
use crate::testing::{Array, Backend, Case, Check, Fill, Outcome, Real, Value, Whole, cases, host};
use crate::tolerance::{PROD, SUM};
use host_arrays::truth;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["statistical": sum, prod, mean, all, any_true, count_nonzero, long_sums]
}

fn sum<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn real<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, T, B> = forms!("sum", sum, sum_axes);
        forms.inexact(xp, check, Fill::Holes(-9.0, 9.0), &SUM, sum_of::<T>)
    }
    fn whole<T: Whole + array_api::Numeric<Sum = i64>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, i64, B> = forms!("sum", sum, sum_axes);
        forms.exact(xp, check, Fill::Sprinkled(-9.0, 99.0), |x| {
            i64::wrap(x.iter().map(|&v| Whole::wide(v)).sum())
        })
    }
    real::<f32, B>(xp, check)?;
    real::<f64, B>(xp, check)?;
    whole::<i32, B>(xp, check)?;
    whole::<i64, B>(xp, check)?;
    whole::<u8, B>(xp, check)
}

fn prod<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn real<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, T, B> = forms!("prod", prod, prod_axes);
        forms.inexact(xp, check, Fill::Between(0.999, 1.001), &PROD, |x| {
            let product: f64 = x.iter().product();
            (product, x.len() as f64 * product.abs())
        })
    }
    fn whole<T: Whole + array_api::Numeric<Sum = i64>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, i64, B> = forms!("prod", prod, prod_axes);
        forms.exact(xp, check, Fill::Sprinkled(-9.0, 9.0), |x| {
            x.iter().fold(1_i64, |product, &v| i64::wrap(i128::from(product) * Whole::wide(v)))
        })
    }
    real::<f32, B>(xp, check)?;
    real::<f64, B>(xp, check)?;
    whole::<i32, B>(xp, check)?;
    whole::<i64, B>(xp, check)?;
    whole::<u8, B>(xp, check)
}

fn mean<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, T, B> = forms!("mean", mean, mean_axes);
        forms.inexact(xp, check, Fill::Holes(-9.0, 9.0), &SUM, mean_of::<T>)
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}
fn all<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value + array_api::Cast<bool>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, bool, B> = forms!("all", all, all_axes_of);
        forms.exact(xp, check, Fill::Few, |x| x.iter().all(|&v| truth(v)))
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn any_true<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value + array_api::Cast<bool>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, bool, B> = forms!("any", any, any_axes);
        forms.exact(xp, check, Fill::Few, |x| x.iter().any(|&v| truth(v)))
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn count_nonzero<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value + array_api::Cast<bool>, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let forms: Forms<T, i64, B> = forms!("count_nonzero", count_nonzero, count_nonzero_axes);
        forms.exact(xp, check, Fill::Few, |x| x.iter().filter(|&&v| truth(v)).count() as i64)
    }
    for_all_types!(body, xp, check);
    Ok(())
}
fn long_sums<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Ten million f32 numbers near 0.1: a sum kept in f32 would be wrong in the third digit.
    let n = 10_000_000;
    let x = host::random::<f32>(&[n], Fill::Between(0.05, 0.15), 1);
    let array = host::upload(xp, &x)?;
    let wide: Vec<f64> = x.iter().map(|v| v.wide()).collect();
    let (value, scale) = sum_of::<f32>(&wide);
    let of = |value: f64| host::build(&[], |_| value);
    check.scaled("sum of 10^7 f32", &array.sum()?, &of(value), &of(scale), &SUM)?;
    let (value, scale) = mean_of::<f32>(&wide);
    check.scaled("mean of 10^7 f32", &array.mean()?, &of(value), &of(scale), &SUM)?;
    // In columns, where every element of the result is summed on its own.
    let tall = array.reshape(&[n / 8, 8])?;
    let both =
        host::reduce(&x.mapv(f64::from).into_shape_with_order(vec![n / 8, 8])?, &[0], false, sum_of::<f32>);
    let (values, scales) = (both.mapv(|(value, _)| value), both.mapv(|(_, scale)| scale));
    check.scaled("sums of 8 columns", &tall.sum_axes(&[0], false)?, &values, &scales, &SUM)?;
    // A tenth in f64: a plain running sum is wrong by some 10^5 roundings.
    let tenths = Array::full(xp, &[n], 0.1)?;
    let (value, scale) = sum_of::<f64>(&vec![0.1; n]);
    check.scaled("sum of 10^7 tenths", &tenths.sum()?, &of(value), &of(scale), &SUM)
}
