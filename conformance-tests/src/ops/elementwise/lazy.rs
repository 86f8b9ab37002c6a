//! Expressions that are evaluated in one pass: the bits that the functions give one after another.

use array_api::elementwise::{binary, comparison, predicate, unary};
use array_api::lazy::Expression;
use array_api::ops::WithScalar;
use array_api::{Error, Lazy, Tile, s};

use crate::testing::{
    Array, Backend, Case, Check, Fill, Number, Outcome, Real, Result, cases, for_all, host, operand,
    operand_of, pair, shape,
};
use proptest::prelude::Strategy;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["elementwise": lazy, lazy_types, lazy_functions, lazy_parameters, lazy_shapes, lazy_counts]
}

/// Three views of one shape or of shapes that broadcast, of two types, through functions of every kind.
fn lazy<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let (flux, weight) = (Fill::Sprinkled(-10.0, 1e4), Fill::Sprinkled(0.1, 2.0));
    let same = shape().prop_flat_map(move |shape| {
        (
            operand_of::<f32>(shape.clone(), flux),
            operand_of::<f32>(shape.clone(), flux),
            operand_of::<f64>(shape, weight),
        )
    });
    let broadcast = (pair::<f32, f32>((flux, flux)), operand::<f64>(weight));
    for_all(same, |(x, y, w)| one_pass(&x.on(xp)?, &y.on(xp)?, &w.on(xp)?, check))?;
    for_all(broadcast, |((x, y), w)| {
        let (x, y, w) = (x.on(xp)?, y.on(xp)?, w.on(xp)?);
        let alone = w.sum()?;
        one_pass(&x, &y, &alone, check)?;
        one_pass(&x, &x, &w.sum()?, check)
    })
}

fn one_pass<B: Backend>(x: &Array<f32, B>, y: &Array<f32, B>, w: &Array<f64, B>, check: &Check) -> Outcome {
    let found = x.lazy().subtract(y.lazy()).nan_to_num(1.0, 2.0, 3.0).maximum_scalar(1e-5).astype::<f64>();
    let found = found.log10().multiply(w.lazy()).eval()?;
    let steps = x.subtract(y)?.nan_to_num(1.0, 2.0, 3.0)?.maximum_scalar(1e-5)?.astype::<f64>()?;
    let steps = host::download(&steps.log10()?.multiply(w)?)?;
    check.same("a logarithm", &found, &steps)?;
    let found =
        x.lazy().astype::<f64>().subtract(w.lazy().exp10()).multiply(w.lazy()).add(w.lazy()).eval()?;
    let steps = x.astype::<f64>()?.subtract(&w.exp10()?)?.multiply(w)?.add(w)?;
    check.same("a product that is added to", &found, &host::download(&steps)?)
}

/// Every element type, and truth values.
fn lazy_types<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let fill = Fill::Sprinkled(-9.0, 9.0);
        for_all(pair::<T, T>((fill, fill)), |(a, b)| {
            let (x, y) = (a.on(xp)?, b.on(xp)?);
            let found = x.lazy().multiply(y.lazy()).add_scalar(T::ONE).minimum(y.lazy()).negative().eval()?;
            let steps = x.multiply(&y)?.add_scalar(T::ONE)?.minimum(&y)?.negative()?;
            check.same("numbers", &found, &host::download(&steps)?)?;
            let found = x.lazy().less(y.lazy()).logical_or(x.lazy().equal(y.lazy())).logical_not().eval()?;
            let steps = x.less(&y)?.logical_or(&x.equal(&y)?)?.logical_not()?;
            check.same("truth values", &found, &host::download(&steps)?)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    body::<i32, B>(xp, check)?;
    body::<i64, B>(xp, check)?;
    body::<u8, B>(xp, check)
}

/// What a function gives in an expression.
fn same<T: Real, B: Backend>(
    check: &Check,
    name: &str,
    found: &Lazy<impl Expression<B, Item = T>, B>,
    steps: Result<Array<T, B>>,
) -> Outcome {
    check.same(name, &found.eval()?, &host::download(&steps?)?)
}

/// The general forms, and that the methods of an expression are those of an array.
fn lazy_functions<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(pair::<T, T>((Fill::Sprinkled(-3.0, 3.0), Fill::Sprinkled(-3.0, 3.0))), |(a, b)| {
            let (x, y) = (a.on(xp)?, b.on(xp)?);
            macro_rules! unary {
                ($($name:ident),*) => {
                    $(same(check, stringify!($name), &x.lazy().$name(), x.$name())?;)*
                };
            }
            macro_rules! binary {
                ($($name:ident, $scalar:ident);*) => {$(
                    same(check, stringify!($name), &x.lazy().$name(y.lazy()), x.$name(&y))?;
                    same(check, stringify!($scalar), &x.lazy().$scalar(T::ONE), x.$scalar(T::ONE))?;
                )*};
            }
            unary![
                abs, sign, square, sqrt, reciprocal, exp, exp2, expm1, log, log2, log1p, sin, atan, floor,
                round
            ];
            binary![subtract, subtract_scalar; divide, divide_scalar; floor_divide, floor_divide_scalar;
                maximum, maximum_scalar; hypot, hypot_scalar; copysign, copysign_scalar];
            let found = x
                .lazy()
                .map(unary::Square)
                .zip(binary::Add, y.lazy().map(WithScalar(binary::Subtract, T::ONE)));
            same(check, "the general forms", &found, x.square()?.add(&y.subtract_scalar(T::ONE)?))?;
            let found = x.lazy().map(predicate::IsNan).zip(comparison::Equal, y.lazy().isnan()).eval()?;
            check.same("predicates", &found, &host::download(&x.isnan()?.equal(&y.isnan()?)?)?)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

/// Functions with parameters of different types keep their own.
fn lazy_parameters<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::from_slice(xp, &[-2.5_f32, 0.25, f32::NAN, 7.0])?;
    let found = x.lazy().clip(-1.0, 2.0).nan_to_num(0.5, 0.0, 0.0).add_scalar(1.0).astype::<i64>();
    let found = found.multiply_scalar(10).add_scalar(3).greater_scalar(12).eval()?;
    check.same("parameters", &found, &host::list(&[false, true, true, true]))?;
    let powers = x.lazy().astype::<i32>().bitwise_left_shift_scalar(2).eval()?;
    check.same("integers", &powers, &host::list(&[-8, 0, 0, 28]))
}

fn lazy_shapes<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let (x, y) = (Array::<f64, B>::ones(xp, &[2, 1, 3])?, Array::ones(xp, &[4, 1])?);
    let sum = x.lazy().add(y.lazy()).eval()?;
    check.equal("the shape of a sum", sum.shape(), &[2, 4, 3])?;
    let alone = x.lazy().eval()?;
    check.same("an array alone", &alone, &host::download(&x)?)?;
    let none = Array::<f64, B>::ones(xp, &[0, 3])?;
    check.equal("no element", none.lazy().exp().eval()?.shape(), &[0, 3])?;
    let number = Array::full(xp, &[], 2.0)?;
    check.same("no axis", &number.lazy().square().eval()?, &host::build(&[], |_| 4.0))?;
    let error = Error::ShapeMismatch { operation: "eval", left: vec![2, 1, 3], right: vec![2] };
    let wrong = Array::ones(xp, &[2])?;
    check.refused("shapes that do not fit", x.lazy().add(wrong.lazy()).eval(), &error)
}

/// Counts over any axes, of views and of arrays that broadcast.
fn lazy_counts<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let fill = Fill::Sprinkled(-9.0, 9.0);
    for_all((pair::<f32, f32>((fill, fill)), 0..8_usize), |((a, b), chosen)| {
        let (x, y) = (a.on(xp)?, b.on(xp)?);
        let truths = x.less(&y)?;
        let axes: Vec<isize> =
            (0..truths.ndim()).filter(|axis| chosen >> axis & 1 == 1).map(|axis| axis as isize).collect();
        let lazy = x.lazy().less(y.lazy());
        for keepdims in [false, true] {
            let found = lazy.count_nonzero_axes(&axes, keepdims)?;
            let steps = truths.count_nonzero_axes(&axes, keepdims)?;
            check.equal("shape", found.shape(), steps.shape())?;
            check.same("count", &found, &host::download(&steps)?)?;
            // Together with results of the same shape, and of another one.
            let sum = x.lazy().add(y.lazy());
            let (greater, negative) = (x.lazy().greater(y.lazy()), y.lazy().negative());
            let (elements, others, found) = sum.eval_two_and_count(&greater, &lazy, &axes, keepdims)?;
            check.same("elements", &elements, &host::download(&x.add(&y)?)?)?;
            check.same("others of them", &others, &host::download(&x.greater(&y)?)?)?;
            check.same("count of the same pass", &found, &host::download(&steps)?)?;
            let (elements, others, found) = negative.eval_two_and_count(&sum, &lazy, &axes, keepdims)?;
            check.same("elements of another shape", &elements, &host::download(&y.negative()?)?)?;
            check.same("others beside them", &others, &host::download(&x.add(&y)?)?)?;
            check.same("their count", &found, &host::download(&steps)?)?;
            let (elements, others, _) = sum.eval_two_and_count(&negative, &lazy, &axes, keepdims)?;
            check.same("elements beside another shape", &elements, &host::download(&x.add(&y)?)?)?;
            check.same("others of another shape", &others, &host::download(&y.negative()?)?)?;
        }
        Ok(())
    })?;
    // Large enough for all threads, with functions of whole blocks in the expression.
    let x = Array::arange(xp, 0.0, 300_000.0, 1.0)?.reshape(&[3, 100_000])?;
    let below = |limit: f64| x.lazy().add_scalar(1.0).log10().less_scalar(limit);
    let rows = below(5.3).count_nonzero_axes(&[1], false)?;
    check.same("rows", &rows, &host::list(&[100_000, 99_526, 0]))?;
    check.same("all", &below(4.0).count_nonzero_axes(&[0, 1], false)?, &host::build(&[], |_| 9999))?;
    let (all, roots, rows) =
        x.lazy().square().eval_two_and_count(&x.lazy().sqrt(), &below(5.3), &[1], false)?;
    check.same("squares", &all, &host::download(&x.square()?)?)?;
    check.same("roots", &roots, &host::download(&x.sqrt()?)?)?;
    check.same("rows beside squares", &rows, &host::list(&[100_000, 99_526, 0]))?;
    // In a tile, as the fit has it: one thread, rows of several images.
    let images = x.reshape(&[3, 100, 1000])?.slice(s![.., 7..90, ..-3])?;
    let tiles = [Tile { batch: 0..3, rows: 0..83 }];
    let counts = xp.reduce_tiles(&tiles, 3, 1, |_| {
        let even = images.lazy().remainder_scalar(2.0).equal_scalar(0.0);
        let (roots, single) = (images.lazy().sqrt().log10(), images.lazy().astype::<f32>().log2());
        let (roots, single, counts) = roots.eval_two_and_count(&single, &even, &[1, 2], false)?;
        assert_eq!(roots.to_vec()?, images.sqrt()?.log10()?.to_vec()?, "the bits of separate functions");
        assert_eq!(single.to_vec()?, images.astype::<f32>()?.log2()?.to_vec()?, "the bits of others");
        counts.astype::<f64>()?.expand_dims(1)
    })?;
    let counts = Array::from_buffer(xp, counts, &[3, 1]);
    // Of each row of 997 numbers that begins with an even one, 499 are even.
    check.same("counts in a tile", &counts, &host::build(&[3, 1], |_| 83.0 * 499.0))?;
    check.refused(
        "an axis that there is not",
        below(1.0).count_nonzero_axes(&[2], false),
        &Error::InvalidAxis { operation: "count_nonzero", axis: 2, ndim: 2 },
    )
}
