//! Changing shapes, and joining and repeating arrays.

use array_api::layout;
use ndarray::{ArrayD, IxDyn};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};

use super::creation::for_all_types;
use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Number, Operand, Outcome, Value, cases, for_all, host,
    operand, operand_of, reference, require, shape,
};
use crate::tolerance::EXACT;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["manipulation":
        reshape, permute_dims, matrix_transpose, moveaxis, expand_dims, squeeze, broadcast_to, broadcast_arrays,
        broadcast_shapes, flip, concat, stack, unstack, roll, tile, repeat, diff, axis_out_of_range,
    ]
}

/// Values that tell elements apart and special values from one another.
const FILL: Fill = Fill::Sprinkled(-90.0, 90.0);

/// The same elements in row-major order under another shape.
fn reshaped<T: Value>(x: &Host<T>, shape: &[usize]) -> Host<T> {
    host::of_elements(shape, host::elements(x))
}

/// A view has the elements expected and the buffer of its origin.
fn view<T: Value, B: Backend>(
    check: &Check,
    what: &str,
    found: &Array<T, B>,
    origin: &Array<T, B>,
    expected: &Host<T>,
) -> Outcome {
    check.same(what, found, expected)?;
    require!(std::ptr::eq(found.buffer(), origin.buffer()), "{what} copies");
    Ok(())
}

/// Ways to factor a number into a shape.
fn factored(len: usize) -> impl Strategy<Value = Vec<usize>> {
    let divisors: Vec<usize> = (1..=len.max(1)).filter(|d| len.is_multiple_of(*d)).take(40).collect();
    (proptest::sample::select(divisors.clone()), proptest::sample::select(divisors), 0..3_usize).prop_map(
        move |(first, second, extra)| {
            let mut shape = vec![first];
            let rest = len / first;
            shape.extend(if rest.is_multiple_of(second) { [second, rest / second] } else { [1, rest] });
            shape.insert(extra, 1);
            shape
        },
    )
}

fn reshape<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = operand::<T>(FILL).prop_flat_map(|x| {
            let len = x.host.len();
            (Just(x), factored(len))
        });
        for_all(cases, |(x, shape)| {
            let array = x.on(xp)?;
            let found = array.reshape(&shape)?;
            check.same("reshape", &found, &reshaped(&x.host, &shape))?;
            let shares = std::ptr::eq(found.buffer(), array.buffer());
            require!(shares || !array.layout().is_contiguous(), "reshape copies a contiguous array");
            check.same("reshape and back", &found.reshape(x.host.shape())?, &x.host)?;
            check.same("flatten", &array.flatten()?, &reshaped(&x.host, &[x.host.len()]))?;
            let wrong = [x.host.len() + 1];
            let error = Error::ShapeMismatch {
                operation: "reshape",
                left: x.host.shape().to_vec(),
                right: wrong.to_vec(),
            };
            check.refused("reshape to another size", array.reshape(&wrong), &error)
        })
    }
    for_all_types!(body, xp, check);
    let huge = [usize::MAX, usize::MAX, 4];
    let x = Array::<f64, B>::zeros(xp, &[4])?;
    check.refused_with("reshape to a size beyond all numbers", x.reshape(&huge), &["reshape", "(4,)"])?;
    let one = Array::<f64, B>::zeros(xp, &[1, 1])?;
    let words = ["broadcast_to", "cannot be counted"];
    check.refused_with("broadcast beyond all numbers", one.broadcast_to(&[1 << 40, 1 << 40]), &words)?;
    check.refused_with("repeat beyond all numbers", x.repeat(usize::MAX, 0), &words)?;
    check.refused_with("tile beyond all numbers", x.tile(&[1 << 40, 1 << 40]), &words)
}

fn permute_dims<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = operand::<T>(FILL).prop_flat_map(|x| {
            let axes: Vec<usize> = (0..x.host.ndim()).collect();
            (Just(x), Just(axes).prop_shuffle())
        });
        for_all(cases, |(x, order)| {
            let array = x.on(xp)?;
            let expected = x.host.view().permuted_axes(IxDyn(&order)).to_owned();
            view(check, "permute_dims", &array.permute_dims(&order)?, &array, &expected)
        })
    }
    for_all_types!(body, xp, check);
    let x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    for axes in [vec![0], vec![0, 0], vec![0, 2], vec![0, 1, 2]] {
        let reason = format!("{axes:?} does not name each of 2 axes once");
        let error = Error::InvalidArgument { operation: "permute_dims", reason };
        check.refused("axes that are no permutation", x.permute_dims(&axes), &error)?;
    }
    Ok(())
}

fn matrix_transpose<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(operand::<f32>(FILL), |x| {
        let array = x.on(xp)?;
        if x.host.ndim() < 2 {
            return check.refused_with(
                "no matrix",
                array.matrix_transpose(),
                &["matrix_transpose", "two axes"],
            );
        }
        view(check, "matrix_transpose", &array.matrix_transpose()?, &array, &host::transpose(&x.host))
    })
}

/// An axis number, and the same one counted from the end.
fn both(axis: usize, ndim: usize) -> [isize; 2] {
    [axis as isize, axis as isize - ndim as isize]
}

fn moveaxis<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((operand::<i32>(FILL), any::<(u8, u8)>()), |(x, (from, to))| {
        let ndim = x.host.ndim();
        if ndim == 0 {
            return Ok(());
        }
        let (from, to) = (from as usize % ndim, to as usize % ndim);
        let mut order: Vec<usize> = (0..ndim).collect();
        let moved = order.remove(from);
        order.insert(to, moved);
        let expected = x.host.view().permuted_axes(IxDyn(&order)).to_owned();
        let array = x.on(xp)?;
        for (from, to) in both(from, ndim).into_iter().zip(both(to, ndim)) {
            view(check, "moveaxis", &array.moveaxis(from, to)?, &array, &expected)?;
        }
        Ok(())
    })
}

fn expand_dims<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(operand::<u8>(FILL), |x| {
        let array = x.on(xp)?;
        for axis in 0..=x.host.ndim() {
            let mut shape = x.host.shape().to_vec();
            shape.insert(axis, 1);
            let expected = reshaped(&x.host, &shape);
            for axis in both(axis, shape.len()) {
                view(check, "expand_dims", &array.expand_dims(axis)?, &array, &expected)?;
            }
        }
        Ok(())
    })
}

fn squeeze<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((operand::<f64>(FILL), any::<u8>()), |(x, choice)| {
        let array = x.on(xp)?;
        let ndim = x.host.ndim();
        let chosen: Vec<usize> = (0..ndim).filter(|axis| choice >> axis & 1 == 1).collect();
        let axes: Vec<isize> = chosen.iter().map(|&axis| both(axis, ndim)[axis % 2]).collect();
        if let Some(&long) =
            axes.iter().find(|&&axis| x.host.shape()[axis.rem_euclid(ndim as isize) as usize] != 1)
        {
            let error = Error::InvalidShape {
                operation: "squeeze",
                shape: x.host.shape().to_vec(),
                reason: format!("axis {long} has not length 1"),
            };
            return check.refused("a longer axis", array.squeeze(&axes), &error);
        }
        let kept: Vec<usize> =
            (0..ndim).filter(|axis| !chosen.contains(axis)).map(|axis| x.host.shape()[axis]).collect();
        view(check, "squeeze", &array.squeeze(&axes)?, &array, &reshaped(&x.host, &kept))
    })
}

fn broadcast_to<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let cases = shape().prop_flat_map(|shape| {
        let ones = vec(any::<bool>(), shape.len());
        (ones, 0..=shape.len()).prop_flat_map(move |(ones, skip)| {
            let narrow = shape.iter().zip(ones).map(|(&n, one)| if one { 1 } else { n }).skip(skip).collect();
            (operand_of::<f32>(narrow, FILL), Just(shape.clone()))
        })
    });
    for_all(cases, |(x, shape)| {
        let array = x.on(xp)?;
        let expected = host::build(&shape, |index| host::at_broadcast(&x.host, index));
        view(check, "broadcast_to", &array.broadcast_to(&shape)?, &array, &expected)
    })?;
    let x = Array::<f64, B>::zeros(xp, &[3, 1])?;
    for shape in [vec![3], vec![2, 4], vec![3, 1, 4], vec![]] {
        let error =
            Error::ShapeMismatch { operation: "broadcast_to", left: vec![3, 1], right: shape.clone() };
        check.refused("a shape that does not fit", x.broadcast_to(&shape), &error)?;
    }
    Ok(())
}

fn broadcast_arrays<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for (a, b, c) in [([2, 1], [1, 3], [1, 1]), ([2, 3], [2, 3], [1, 3]), ([0, 1], [1, 3], [1, 1])] {
        let hosts = [a, b, c].map(|shape| host::random::<i64>(&shape, FILL, 1));
        let arrays =
            [host::upload(xp, &hosts[0])?, host::upload(xp, &hosts[1])?, host::upload(xp, &hosts[2])?];
        let together = Array::broadcast_arrays(&arrays.iter().collect::<Vec<_>>())?;
        check.equal("number of arrays", together.len(), 3)?;
        let shape = [a[0].min(b[0]).min(c[0]).max(a[0]), 3];
        for ((found, array), host) in together.iter().zip(&arrays).zip(&hosts) {
            let expected = host::build(&shape, |index| host::at_broadcast(host, index));
            view(check, "broadcast_arrays", found, array, &expected)?;
        }
    }
    check.equal("no array", Array::<f64, B>::broadcast_arrays(&[])?.len(), 0)?;
    let (x, y) = (Array::<f64, B>::zeros(xp, &[2])?, Array::<f64, B>::zeros(xp, &[3])?);
    let error = Error::ShapeMismatch { operation: "broadcast_arrays", left: vec![2], right: vec![3] };
    check.refused("shapes that do not fit", Array::broadcast_arrays(&[&x, &y]), &error)
}

fn broadcast_shapes<B: Backend>(_: &B, check: &Check) -> Outcome {
    for_all((shape(), shape()), |(a, b)| {
        let found = layout::broadcast_shapes(&a, &b, "x");
        match host::broadcast_shape(&a, &b) {
            Some(shape) => check.equal("broadcast_shapes", found, Ok(shape)),
            None => {
                let error = Error::ShapeMismatch { operation: "x", left: a, right: b };
                check.refused("shapes that do not fit", found, &error)
            }
        }
    })
}

fn flip<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((operand::<bool>(FILL), any::<u8>()), |(x, choice)| {
        let (array, ndim) = (x.on(xp)?, x.host.ndim());
        let chosen: Vec<usize> = (0..ndim).filter(|axis| choice >> axis & 1 == 1).collect();
        let expected = host::build(x.host.shape(), |index| {
            let mut from = index.to_vec();
            chosen.iter().for_each(|&axis| from[axis] = x.host.shape()[axis] - 1 - from[axis]);
            x.host[IxDyn(&from)]
        });
        let axes: Vec<isize> = chosen.iter().map(|&axis| both(axis, ndim)[axis % 2]).collect();
        view(check, "flip", &array.flip(&axes)?, &array, &expected)
    })
}

/// Up to four operands that differ in the length of one axis, and that axis.
fn joinable() -> impl Strategy<Value = (Vec<Operand<f64>>, usize)> {
    (vec(0..5_usize, 1..=3), any::<u8>(), vec(0..4_usize, 1..=4)).prop_flat_map(|(shape, axis, lengths)| {
        let axis = axis as usize % shape.len();
        let operands: Vec<_> = lengths
            .into_iter()
            .map(|length| {
                let mut shape = shape.clone();
                shape[axis] = length;
                operand_of(shape, FILL)
            })
            .collect();
        (operands, Just(axis))
    })
}

fn concat<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(joinable(), |(operands, axis)| {
        let arrays = operands.iter().map(|x| x.on(xp)).collect::<Result<Vec<_>, _>>()?;
        let views: Vec<_> = operands.iter().map(|x| x.host.view()).collect();
        let Ok(expected) = ndarray::concatenate(ndarray::Axis(axis), &views) else {
            return Err("the operands do not fit".into());
        };
        for axis in both(axis, expected.ndim()) {
            check.same("concat", &Array::concat(&arrays.iter().collect::<Vec<_>>(), axis)?, &expected)?;
        }
        Ok(())
    })?;
    let (x, y) = (Array::<u8, B>::zeros(xp, &[2, 3])?, Array::<u8, B>::zeros(xp, &[2, 4])?);
    let error = Error::ShapeMismatch { operation: "concat", left: vec![2, 3], right: vec![2, 4] };
    check.refused("lengths that differ", Array::concat(&[&x, &y], 0), &error)?;
    check.same("lengths that may differ", &Array::concat(&[&x, &y], 1)?, &host::build(&[2, 7], |_| 0))?;
    check.refused_with("nothing to join", Array::<u8, B>::concat(&[], 0), &["concat", "no array"])
}

fn stack<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let cases = (vec(0..4_usize, 0..=3), 1..=3_usize).prop_flat_map(|(shape, count)| {
        (vec(operand_of::<i64>(shape.clone(), FILL), count), 0..=shape.len())
    });
    for_all(cases, |(operands, axis)| {
        let arrays = operands.iter().map(|x| x.on(xp)).collect::<Result<Vec<_>, _>>()?;
        let mut shape = operands[0].host.shape().to_vec();
        shape.insert(axis, operands.len());
        let expected = host::build(&shape, |index| {
            let mut inside = index.to_vec();
            let which = inside.remove(axis);
            operands[which].host[IxDyn(&inside)]
        });
        for axis in both(axis, shape.len()) {
            check.same("stack", &Array::stack(&arrays.iter().collect::<Vec<_>>(), axis)?, &expected)?;
        }
        Ok(())
    })?;
    let (x, y) = (Array::<u8, B>::zeros(xp, &[2])?, Array::<u8, B>::zeros(xp, &[3])?);
    check.refused_with("shapes that differ", Array::stack(&[&x, &y], 0), &["(1, 2)", "(1, 3)"])
}

fn unstack<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(operand::<f32>(FILL), |x| {
        let array = x.on(xp)?;
        for axis in 0..x.host.ndim() {
            if x.host.shape()[axis] > 10 {
                continue;
            }
            for number in both(axis, x.host.ndim()) {
                let parts = array.unstack(number)?;
                check.equal("number of parts", parts.len(), x.host.shape()[axis])?;
                for (i, part) in parts.iter().enumerate() {
                    let expected = x.host.index_axis(ndarray::Axis(axis), i).to_owned();
                    view(check, "unstack", part, &array, &expected)?;
                }
            }
        }
        Ok(())
    })
}

fn roll<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((operand::<u8>(FILL), -20..20_isize), |(x, shift)| {
        let array = x.on(xp)?;
        for axis in 0..x.host.ndim() {
            let n = x.host.shape()[axis] as isize;
            let expected = host::build(x.host.shape(), |index| {
                let mut from = index.to_vec();
                from[axis] = (from[axis] as isize - shift).rem_euclid(n) as usize;
                x.host[IxDyn(&from)]
            });
            check.same("roll", &array.roll(shift, both(axis, x.host.ndim())[axis % 2])?, &expected)?;
        }
        Ok(())
    })
}

fn tile<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let cases = (vec(0..4_usize, 0..=3), vec(0..3_usize, 0..=4))
        .prop_flat_map(|(shape, repetitions)| (operand_of::<i32>(shape, FILL), Just(repetitions)));
    for_all(cases, |(x, repetitions)| {
        let ndim = x.host.ndim().max(repetitions.len());
        let padded = |list: &[usize]| [vec![1; ndim - list.len()], list.to_vec()].concat();
        let (shape, times) = (padded(x.host.shape()), padded(&repetitions));
        let whole: Vec<usize> = shape.iter().zip(&times).map(|(n, t)| n * t).collect();
        let wide = reshaped(&x.host, &shape);
        let expected = host::build(&whole, |index| {
            let inside: Vec<usize> = index.iter().zip(&shape).map(|(&i, &n)| i % n).collect();
            wide[IxDyn(&inside)]
        });
        check.same("tile", &x.on(xp)?.tile(&repetitions)?, &expected)
    })
}

fn repeat<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((operand::<f64>(FILL), 0..4_usize), |(x, times)| {
        let array = x.on(xp)?;
        for axis in 0..x.host.ndim() {
            let mut shape = x.host.shape().to_vec();
            shape[axis] *= times;
            let expected = host::build(&shape, |index| {
                let mut from = index.to_vec();
                from[axis] /= times;
                x.host[IxDyn(&from)]
            });
            check.same("repeat", &array.repeat(times, both(axis, x.host.ndim())[axis % 2])?, &expected)?;
        }
        Ok(())
    })
}

fn diff<B: Backend>(xp: &B, check: &Check) -> Outcome {
    /// Differences of neighbours along an axis, once.
    fn differences<T: Number>(x: &Host<T>, axis: usize) -> Host<T> {
        let mut shape = x.shape().to_vec();
        shape[axis] = shape[axis].saturating_sub(1);
        host::build(&shape, |index| {
            let mut next = index.to_vec();
            next[axis] += 1;
            let rule = host_arrays::Rule2 { float: |a, b| a - b, whole: |a, b| a - b };
            x[IxDyn(&next)].binary(x[IxDyn(index)], &rule)
        })
    }
    fn body<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((operand::<T>(FILL), 0..4_usize), |(x, order)| {
            let array = x.on(xp)?;
            for axis in 0..x.host.ndim() {
                let expected = (0..order).fold(x.host.clone(), |x, _| differences(&x, axis));
                check.same("diff", &array.diff(order, both(axis, x.host.ndim())[axis % 2])?, &expected)?;
            }
            Ok(())
        })?;
        for record in reference::records::<T>("diff")? {
            let (Some(axis), Some(order)) = (record.axis(), record.number("order")) else { continue };
            let found = host::upload(xp, &record.input::<T>(0)?)?.diff(order as usize, axis)?;
            check.close(&record.title(), &found, &record.output()?, &EXACT)?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    body::<i32, B>(xp, check)?;
    body::<i64, B>(xp, check)?;
    body::<u8, B>(xp, check)
}

fn axis_out_of_range<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    for axis in [2, -3, isize::MAX, isize::MIN] {
        let error = |operation| Error::InvalidAxis { operation, axis, ndim: 2 };
        check.refused("moveaxis", x.moveaxis(axis, 0), &error("moveaxis"))?;
        check.refused("moveaxis", x.moveaxis(0, axis), &error("moveaxis"))?;
        check.refused("squeeze", x.squeeze(&[axis]), &error("squeeze"))?;
        check.refused("flip", x.flip(&[axis]), &error("flip"))?;
        check.refused("concat", Array::concat(&[&x], axis), &error("concat"))?;
        check.refused("unstack", x.unstack(axis), &error("unstack"))?;
        check.refused("roll", x.roll(1, axis), &error("roll"))?;
        check.refused("repeat", x.repeat(2, axis), &error("repeat"))?;
        check.refused("diff", x.diff(1, axis), &error("diff"))?;
    }
    for axis in [3, -4] {
        let error = |operation| Error::InvalidAxis { operation, axis, ndim: 3 };
        check.refused("expand_dims", x.expand_dims(axis), &error("expand_dims"))?;
        check.refused("stack", Array::stack(&[&x], axis), &error("expand_dims"))?;
    }
    let scalar = Array::<f64, B>::zeros(xp, &[])?;
    let error = Error::InvalidAxis { operation: "flip", axis: 0, ndim: 0 };
    check.refused("an axis of an array without axes", scalar.flip(&[0]), &error)?;
    check.same("no axis", &scalar.flip(&[])?, &ArrayD::zeros(IxDyn(&[])))
}
