//! Creating arrays, and what an array says of itself.

use array_api::layout::Layout;
use array_api::{Ellipsis, s};
use ndarray::{ShapeBuilder, arr2};
use proptest::prelude::any;

use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Number, Outcome, Real, Result, Value, cases, for_all, host,
    operand, reference, require, shape,
};
use crate::tolerance::LINSPACE;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["creation":
        full, from_host, written, big_endian, attributes, item, copies, into_host, reclaimed, eye, meshgrid, triangles, arange, linspace, too_large,
    ]
}

/// Some columns of an image as it is in a file, by way of the host's memory.
fn big_endian<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((0..5_usize, 1..70_usize, any::<u64>()), |(rows, length, seed)| {
        let image = host::random::<f32>(&[rows, length], Fill::Sprinkled(-1e3, 1e3), seed);
        let bytes: Vec<u8> = image.iter().flat_map(|number| number.to_be_bytes()).collect();
        let start = seed as usize % length;
        let mut columns = array_api::host::zeros(rows * (length - start))?;
        array_api::host::big_endian_columns(&bytes, length, start..length, &mut columns)?;
        let found = Array::from_vec(xp, columns, &[rows, length - start])?;
        check.same(
            "columns of a file",
            &found,
            &image.slice(ndarray::s![.., start..]).to_owned().into_dyn(),
        )?;
        let swapped = image.iter().map(|number| f32::from_bits(number.to_bits().to_be()));
        let found = Array::written(xp, &[rows, length], |out| {
            out.iter_mut().zip(swapped).for_each(|(out, number)| *out = number);
            array_api::host::big_endian_in_place(out);
        })?;
        check.same("a file in place", &found, &image)?;
        let double = image.mapv(f64::from);
        let mut swapped: Vec<f64> = double.iter().map(|x| f64::from_bits(x.to_bits().to_be())).collect();
        array_api::host::big_endian_in_place(&mut swapped);
        check.equal("in double precision", bits(swapped), bits(double.into_iter().collect()))?;
        let mut whole = [1_i32.to_be(), (-7_i32).to_be()];
        array_api::host::big_endian_in_place(&mut whole);
        check.equal("whole numbers", whole, [1, -7])
    })
}

/// Arrays that are no longer needed come to the host as they are, whatever shares their memory and however they lie there.
fn into_host<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(operand::<f64>(Fill::Sprinkled(-1e3, 1e3)), |x| {
        let array = x.on(xp)?;
        let expected = host::elements(&x.host);
        check.equal("into_vec of a shared array", bits(array.clone().into_vec()?), bits(expected.clone()))?;
        let found = array.into_ndarray()?;
        check.equal("shape", found.shape(), x.host.shape())?;
        check.equal("into_ndarray", bits(found.into_iter().collect()), bits(expected.clone()))?;
        let fresh = x.on(xp)?.copy()?;
        check.equal("into_vec", bits(fresh.into_vec()?), bits(expected))?;
        // The last elements of a buffer, and the first ones.
        let numbers: Vec<f64> = (0..7).map(f64::from).collect();
        let whole = || Array::from_slice(xp, &numbers);
        check.equal("the last", whole()?.slice(array_api::s![3..])?.into_vec()?, numbers[3..].to_vec())?;
        check.equal("the first", whole()?.slice(array_api::s![..3])?.into_vec()?, numbers[..3].to_vec())
    })
}

fn bits(numbers: Vec<f64>) -> Vec<u64> {
    numbers.into_iter().map(f64::to_bits).collect()
}

fn reclaimed<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(0..2000_usize, |length| {
        let array = Array::from_vec(xp, vec![1.5; length], &[length])?;
        let shared = array.clone();
        require!(array.reclaim().is_none(), "memory is given away that another array has");
        check.same("the other array", &shared, &host::list(&vec![1.5; length]))?;
        // A device keeps its memory.
        let memory = shared.reclaim().unwrap_or_else(|| vec![0.0; length]);
        check.equal("length of the memory", memory.len(), length)
    })
}

/// Runs a generic test body for all element types that are numbers.
macro_rules! for_all_types_but_bool {
    ($body:ident, $xp:expr, $check:expr) => {
        $body::<f32, B>($xp, $check)?;
        $body::<f64, B>($xp, $check)?;
        $body::<i32, B>($xp, $check)?;
        $body::<i64, B>($xp, $check)?;
        $body::<u8, B>($xp, $check)?;
    };
}
pub(super) use for_all_types_but_bool;

/// Runs a generic test body for all six element types.
macro_rules! for_all_types {
    ($body:ident, $xp:expr, $check:expr) => {
        $crate::ops::creation::for_all_types_but_bool!($body, $xp, $check);
        $body::<bool, B>($xp, $check)?;
    };
}
pub(super) use for_all_types;

/// Elements that the host writes, of any type, into memory that held others before.
fn written<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn of_type<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((shape(), any::<u64>()), |(shape, seed)| {
            let expected = host::random::<T>(&shape, Fill::Sprinkled(-9.0, 9.0), seed);
            drop(Array::full(xp, &shape, T::ONE)?);
            let found = Array::written(xp, &shape, |out| {
                out.iter_mut().zip(&expected).for_each(|(out, value)| *out = *value);
            })?;
            check.same("written", &found, &expected)
        })
    }
    for_all_types!(of_type, xp, check);
    let huge = Array::<f64, B>::written(xp, &[usize::MAX, 2], |_| {});
    require!(huge.is_err(), "more elements than memory can have");
    Ok(())
}

fn full<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((shape(), any::<u64>()), |(shape, seed)| {
            let value: T = host::random(&[], Fill::Sprinkled(-9.0, 9.0), seed)[[]];
            let filled = Array::full(xp, &shape, value)?;
            check.same("full", &filled, &host::build(&shape, |_| value))?;
            check.same(
                "full_like",
                &filled.zeros_like()?.full_like(value)?,
                &host::build(&shape, |_| value),
            )?;
            for zeros in [Array::zeros(xp, &shape)?, filled.zeros_like()?] {
                check.same("zeros", &zeros, &host::build(&shape, |_| T::ZERO))?;
            }
            for ones in [Array::ones(xp, &shape)?, filled.ones_like()?] {
                check.same("ones", &ones, &host::build(&shape, |_| T::ONE))?;
            }
            // Elements without values are there to be written, and not to be read.
            let mut empty = Array::<T, B>::empty(xp, &shape)?;
            check.equal("shape of empty", empty.shape().to_vec(), shape.clone())?;
            empty.assign(s![Ellipsis], &Array::full(xp, &[], value)?)?;
            check.same("empty, written to", &empty, &host::build(&shape, |_| value))
        })
    }
    for_all_types!(body, xp, check);
    for special in [0.0, -0.0, f64::NAN, f64::INFINITY, f64::from_bits(1)] {
        check.same(
            "full of a special value",
            &Array::full(xp, &[3], special)?,
            &host::list(&[special; 3]),
        )?;
        let narrow = special as f32;
        check.same("full of a special value", &Array::full(xp, &[3], narrow)?, &host::list(&[narrow; 3]))?;
    }
    Ok(())
}

fn from_host<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(operand::<T>(Fill::Sprinkled(-9.0, 9.0)), |x| {
            let list: Vec<T> = x.host.iter().copied().collect();
            check.same("from_vec", &Array::from_vec(xp, list.clone(), x.host.shape())?, &x.host)?;
            check.same("from_slice", &Array::from_slice(xp, &list)?, &host::list(&list))?;
            // Column-major and reversed host arrays.
            let mut columns = ndarray::ArrayD::from_elem(x.host.raw_dim().f(), T::ZERO);
            columns.assign(&x.host);
            check.same("from_ndarray", &Array::from_ndarray(xp, &columns)?, &x.host)?;
            let turned = x.host.t();
            check.same("from_ndarray of a view", &Array::from_ndarray(xp, &turned)?, &turned.to_owned())?;
            let back = x.on(xp)?.to_ndarray()?;
            require!(
                back.shape() == x.host.shape() && back.iter().zip(&x.host).all(|(a, b)| a.same(*b)),
                "to_ndarray gives {back:?}"
            );
            check.equal("to_vec", x.on(xp)?.to_vec()?.len(), list.len())
        })?;
        let error = Error::InvalidShape {
            operation: "from_vec",
            shape: vec![2, 2],
            reason: "there are 3 elements".into(),
        };
        check.refused("three elements as 2 x 2", Array::from_vec(xp, vec![T::ONE; 3], &[2, 2]), &error)
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn attributes<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(operand::<i32>(Fill::Few), |x| {
        let array = x.on(xp)?;
        check.equal("shape", array.shape(), x.host.shape())?;
        check.equal("ndim", array.ndim(), x.host.ndim())?;
        check.equal("len", array.len(), x.host.len())?;
        check.equal("is_empty", array.is_empty(), x.host.is_empty())?;
        check.equal("name of the backend", array.backend().name(), xp.name())?;
        check.equal("layout", array.layout().shape(), array.shape())?;
        check.equal("view", array.view().layout.shape(), array.shape())?;
        require!(std::ptr::eq(array.view().buffer, array.buffer()), "the view has another buffer");
        let clone = array.clone();
        require!(std::ptr::eq(clone.buffer(), array.buffer()), "a clone has a buffer of its own");
        check.same("clone", &clone, &x.host)
    })?;
    let buffer = xp.upload(&[1.0, 2.0, 3.0, 4.0])?;
    check.same(
        "from_buffer",
        &Array::from_buffer(xp, buffer, &[2, 2]),
        &arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn(),
    )
}

fn item<B: Backend>(xp: &B, check: &Check) -> Outcome {
    check.equal("item of no axes", Array::full(xp, &[], 2.5)?.item()?, 2.5)?;
    check.equal("item of three axes", Array::full(xp, &[1, 1, 1], true)?.item()?, true)?;
    for shape in [vec![2], vec![0], vec![1, 2]] {
        let reason = "the array must have exactly one element".into();
        let error = Error::InvalidShape { operation: "item", shape: shape.clone(), reason };
        check.refused("item of several or none", Array::<f64, B>::zeros(xp, &shape)?.item(), &error)?;
    }
    Ok(())
}

fn copies<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(operand::<T>(Fill::Sprinkled(-9.0, 9.0)), |x| {
            let array = x.on(xp)?;
            let copy = array.copy()?;
            check.same("copy", &copy, &x.host)?;
            require!(!std::ptr::eq(copy.buffer(), array.buffer()), "a copy shares the buffer");
            require!(
                copy.layout() == &Layout::contiguous(x.host.shape()),
                "a copy lies as {:?}",
                copy.layout()
            );
            let ordered = array.to_contiguous()?;
            check.same("to_contiguous", &ordered, &x.host)?;
            require!(ordered.layout().is_contiguous(), "to_contiguous lies as {:?}", ordered.layout());
            let shared = std::ptr::eq(ordered.buffer(), array.buffer());
            check.equal("to_contiguous copies only if it must", shared, array.layout().is_contiguous())
        })
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn eye<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for (rows, columns) in [(0, 0), (1, 1), (3, 3), (2, 5), (5, 2), (0, 3), (3, 0)] {
            for k in -6..=6_isize {
                let expected = host::build(&[rows, columns], |i| {
                    if i[0] as isize + k == i[1] as isize { T::ONE } else { T::ZERO }
                });
                check.same("eye", &Array::eye(xp, rows, Some(columns), k)?, &expected)?;
                if rows == columns {
                    check.same("square eye", &Array::eye(xp, rows, None, k)?, &expected)?;
                }
            }
        }
        Ok(())
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn meshgrid<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for lengths in [vec![], vec![3], vec![2, 3], vec![2, 0, 3], vec![4, 1, 2, 3]] {
        let axes = lengths
            .iter()
            .map(|&n| Array::arange(xp, 1.0, 1.0 + n as f64, 1.0))
            .collect::<Result<Vec<Array<f64, B>>>>()?;
        let grid = Array::meshgrid(&axes.iter().collect::<Vec<_>>())?;
        check.equal("number of coordinates", grid.len(), lengths.len())?;
        for (i, coordinate) in grid.iter().enumerate() {
            check.same("coordinate", coordinate, &host::build(&lengths, |index| 1.0 + index[i] as f64))?;
            require!(std::ptr::eq(coordinate.buffer(), axes[i].buffer()), "meshgrid copies");
        }
    }
    let matrix = Array::<f64, B>::zeros(xp, &[2, 2])?;
    check.refused_with("a matrix as axis", Array::meshgrid(&[&matrix]), &["meshgrid", "(2, 2)"])
}

fn triangles<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((operand::<T>(Fill::Sprinkled(-9.0, 9.0)), -4..=4_isize), |(x, k)| {
            let array = x.on(xp)?;
            let shape = x.host.shape();
            if x.host.ndim() < 2 {
                let reason = String::from("a matrix has two axes");
                let error = |operation| Error::InvalidShape {
                    operation,
                    shape: shape.to_vec(),
                    reason: reason.clone(),
                };
                check.refused("tril", array.tril(k), &error("tril"))?;
                return check.refused("triu", array.triu(k), &error("triu"));
            }
            let side = |index: &[usize]| index[index.len() - 1] as isize - index[index.len() - 2] as isize;
            let part = |keep: &dyn Fn(isize) -> bool| {
                host::build(shape, |index| if keep(side(index)) { x.host[index] } else { T::ZERO })
            };
            check.same("tril", &array.tril(k)?, &part(&|side| side <= k))?;
            check.same("triu", &array.triu(k)?, &part(&|side| side >= k))
        })
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn arange<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome
    where
        f64: array_api::Cast<T>,
    {
        for record in reference::records::<T>("arange")? {
            let limits = record.input::<T>(0)?;
            let found = Array::arange(xp, limits[0], limits[1], limits[2])?;
            // NumPy adds up steps of its own making: the last digit may differ.
            let expected = record.output::<T>()?;
            check.close(
                &format!("{} {limits}", record.title()),
                &found,
                &expected,
                &crate::tolerance::TRANSCENDENTAL,
            )?;
        }
        let (zero, one) = (T::ZERO, T::ONE);
        check.refused_with(
            "step 0",
            Array::arange(xp, zero, one, zero),
            &["arange", "from 0 to 1 in steps of 0"],
        )
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    body::<i32, B>(xp, check)?;
    body::<i64, B>(xp, check)?;
    check.same("bytes", &Array::arange(xp, 250_u8, 255, 2)?, &host::list(&[250, 252, 254]))?;
    let infinite = Array::arange(xp, 0.0, f64::INFINITY, 1.0);
    check.refused_with("an infinite range", infinite, &["arange", "inf"])
}

fn linspace<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for record in reference::records::<T>("linspace")? {
            let ends = record.input::<T>(0)?;
            let count = record.number("count").unwrap_or_default() as usize;
            let endpoint = record.number("endpoint") == Some(1.0);
            let found = Array::linspace(xp, ends[0], ends[1], count, endpoint)?;
            let expected = record.output::<T>()?.mapv(T::wide);
            let scale = expected.mapv(|_| ends[0].wide().abs().max(ends[1].wide().abs()));
            check.scaled(&format!("{} {ends}", record.title()), &found, &expected, &scale, &LINSPACE)?;
            if endpoint && count > 1 {
                check.equal("last number", found.to_vec()?.last().copied(), Some(ends[1]))?;
            }
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

fn too_large<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let huge = [usize::MAX, 2];
    let words = ["(18446744073709551615, 2)", "addressed"];
    check.refused_with("full", Array::full(xp, &huge, 1.0), &words)?;
    check.refused_with("zeros", Array::<f32, B>::zeros(xp, &huge), &words)?;
    check.refused_with("empty", Array::<u8, B>::empty(xp, &huge), &words)?;
    check.refused_with("eye", Array::<f64, B>::eye(xp, 1 << 62, None, 0), &["eye", "addressed"])?;
    check.refused_with(
        "zeros with an empty axis",
        Array::<f64, B>::zeros(xp, &[1 << 40, 1 << 40, 0]),
        &["addressed"],
    )?;
    // It can be addressed, but no machine has as much memory.
    let memory = Array::<f64, B>::zeros(xp, &[1 << 56]);
    check.refused_with("zeros of 2^59 bytes", memory, &["out of memory", "576460752303423488 bytes"])
}
