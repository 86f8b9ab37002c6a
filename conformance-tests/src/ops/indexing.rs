//! Slices, assignment to slices, and indexing by arrays.

use array_api::{Ellipsis, NewAxis, SliceItem, s};
use ndarray::IxDyn;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::creation::for_all_types;
use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Number, Operand, Outcome, Value, cases, for_all, host,
    operand, operand_of, require,
};
use host_arrays::Rule2;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["indexing": slice, slice_macro, slice_errors, assign, assign_within_itself, take, compress, scatter_add]
}

const FILL: Fill = Fill::Sprinkled(-90.0, 90.0);

/// The indices that `start:stop:step` picks from an axis, by Python's definition.
fn picked(start: Option<isize>, stop: Option<isize>, step: isize, n: usize) -> Vec<usize> {
    let n = n as isize;
    let wrap = |bound: isize| if bound < 0 { bound + n } else { bound };
    let mut at = match start {
        Some(bound) if step > 0 => wrap(bound).max(0),
        Some(bound) => wrap(bound).min(n - 1),
        None if step > 0 => 0,
        None => n - 1,
    };
    let before_stop =
        |at: isize| stop.is_none_or(|stop| if step > 0 { at < wrap(stop) } else { at > wrap(stop) });
    let mut list = Vec::new();
    while (0..n).contains(&at) && before_stop(at) {
        list.push(at as usize);
        at += step;
    }
    list
}

/// The part of an array that slice items name; none if an index is out of range.
fn sliced<T: Value>(x: &Host<T>, items: &[SliceItem]) -> Option<Host<T>> {
    let named =
        items.iter().filter(|item| matches!(item, SliceItem::Range { .. } | SliceItem::Index(_))).count();
    let left_over = x.ndim() - named;
    let whole = SliceItem::Range { start: None, stop: None, step: 1 };
    let mut complete: Vec<SliceItem> = Vec::new();
    for &item in items {
        match item {
            SliceItem::Ellipsis => complete.extend(vec![whole; left_over]),
            other => complete.push(other),
        }
    }
    if !items.contains(&SliceItem::Ellipsis) {
        complete.extend(vec![whole; left_over]);
    }
    // For each axis of x the indices picked, and whether the axis stays.
    let mut picks = Vec::new();
    let mut shape = Vec::new();
    for item in complete {
        let length = x.shape().get(picks.len()).copied().unwrap_or(0);
        match item {
            SliceItem::NewAxis => shape.push((1, None)),
            SliceItem::Index(index) => {
                let position = if index < 0 { index + length as isize } else { index };
                if !(0..length as isize).contains(&position) {
                    return None;
                }
                picks.push(vec![position as usize]);
            }
            SliceItem::Range { start, stop, step } => {
                let list = picked(start, stop, step, length);
                shape.push((list.len(), Some(picks.len())));
                picks.push(list);
            }
            SliceItem::Ellipsis => {}
        }
    }
    let lengths: Vec<usize> = shape.iter().map(|&(length, _)| length).collect();
    Some(host::build(&lengths, |index| {
        let mut from: Vec<usize> = picks.iter().map(|list| list.first().copied().unwrap_or(0)).collect();
        for (&i, (_, axis)) in index.iter().zip(&shape) {
            if let Some(axis) = *axis {
                from[axis] = picks[axis][i];
            }
        }
        x[IxDyn(&from)]
    }))
}

/// Items for an array of some number of axes, new axes and an ellipsis among them.
fn items(ndim: usize) -> impl Strategy<Value = Vec<SliceItem>> {
    let bound = || option::of(-9..9_isize);
    let step = prop_oneof![1..4_isize, -3..0_isize];
    let one = prop_oneof![
        4 => (bound(), bound(), step).prop_map(|(start, stop, step)| SliceItem::Range { start, stop, step }),
        1 => Just((..).into()),
        2 => (-7..7_isize).prop_map(SliceItem::Index),
    ];
    (vec(one, 0..=ndim), option::of(0..=ndim), option::of(0..=ndim)).prop_map(
        |(mut items, new_axis, ellipsis)| {
            if let Some(at) = new_axis {
                items.insert(at.min(items.len()), NewAxis.into());
            }
            if let Some(at) = ellipsis {
                items.insert(at.min(items.len()), Ellipsis.into());
            }
            items
        },
    )
}

/// An operand and items that fit its number of axes.
fn with_items<T: Value>() -> impl Strategy<Value = (Operand<T>, Vec<SliceItem>)> {
    operand::<T>(FILL).prop_flat_map(|x| {
        let ndim = x.host.ndim();
        (Just(x), items(ndim))
    })
}

fn slice<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(with_items::<T>(), |(x, items)| {
            let array = x.on(xp)?;
            let Some(expected) = sliced(&x.host, &items) else {
                return check.refused_with(
                    "an index out of range",
                    array.slice(&items),
                    &["slice: index", "axis of length"],
                );
            };
            let found = array.slice(&items)?;
            check.same("slice", &found, &expected)?;
            require!(std::ptr::eq(found.buffer(), array.buffer()), "slice copies");
            Ok(())
        })
    }
    for_all_types!(body, xp, check);
    Ok(())
}

fn slice_macro<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::arange(xp, 0, 24, 1)?.reshape(&[2, 3, 4])?;
    let at = |i: usize, j: usize, k: usize| (12 * i + 4 * j + k) as i32;
    let same = |what: &str, found: &Array<i32, B>, shape: &[usize], f: &dyn Fn(&[usize]) -> i32| {
        check.same(what, found, &host::build(shape, f))
    };
    same("x[1]", &x.slice(s![1])?, &[3, 4], &|i| at(1, i[0], i[1]))?;
    same("x[-1, 0, 2]", &x.slice(s![-1, 0, 2])?, &[], &|_| at(1, 0, 2))?;
    same("x[:, 1:]", &x.slice(s![.., 1..])?, &[2, 2, 4], &|i| at(i[0], i[1] + 1, i[2]))?;
    same("x[..., ::-1]", &x.slice(s![Ellipsis, ..;-1])?, &[2, 3, 4], &|i| at(i[0], i[1], 3 - i[2]))?;
    same("x[None, :1, None]", &x.slice(s![NewAxis, ..1, NewAxis])?, &[1, 1, 1, 3, 4], &|i| {
        at(0, i[3], i[4])
    })?;
    same("x[..., 0:2]", &x.slice(s![Ellipsis, 0..=1])?, &[2, 3, 2], &|i| at(i[0], i[1], i[2]))?;
    same("x[..., -3:]", &x.slice(s![Ellipsis, -3..=-1])?, &[2, 3, 3], &|i| at(i[0], i[1], i[2] + 1))?;
    let (start, stop) = (3, 0);
    same("x[..., 3:0:-2]", &x.slice(s![Ellipsis, start..stop;-2])?, &[2, 3, 2], &|i| {
        at(i[0], i[1], 3 - 2 * i[2])
    })?;
    let (column, rows) = (2_usize, 0..2_usize);
    same("x[rows, :, column]", &x.slice(s![rows, .., column])?, &[2, 3], &|i| at(i[0], i[1], 2))?;
    same("x[()]", &x.slice(s![])?, &[2, 3, 4], &|i| at(i[0], i[1], i[2]))?;
    let stepped = SliceItem::from(0..4).step_by(3);
    same("a step set later", &x.slice(&[Ellipsis.into(), stepped])?, &[2, 3, 2], &|i| {
        at(i[0], i[1], 3 * i[2])
    })
}

fn slice_errors<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    for (index, given) in [(2, s![2]), (-3, s![-3])] {
        let error = Error::IndexOutOfRange { operation: "slice", index, length: 2 };
        check.refused("an index out of range", x.slice(given), &error)?;
    }
    check.refused_with(
        "an index of an empty axis",
        x.slice(s![0..0])?.slice(s![0]),
        &["index 0", "length 0"],
    )?;
    check.refused_with("too many items", x.slice(s![0, 0, 0]), &["(2, 3)", "3 that are indexed"])?;
    check.refused_with("two ellipses", x.slice(s![Ellipsis, Ellipsis]), &["ellipsis"])?;
    check.refused_with("step 0", x.slice(s![..;0]), &["step must not be zero"])?;
    let far = SliceItem::Range { start: Some(isize::MIN), stop: Some(isize::MAX), step: isize::MAX };
    check.equal("bounds beyond everything", x.slice(&[far])?.shape(), &[1, 3])?;
    let back = SliceItem::Range { start: Some(isize::MAX), stop: Some(isize::MIN), step: isize::MIN };
    check.equal("bounds beyond everything, backwards", x.slice(&[back])?.shape(), &[1, 3])
}

fn assign<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((with_items::<T>(), any::<(u64, u8)>()), |((x, items), (seed, ones))| {
            // Numbers of elements instead of elements show which ones a slice names.
            let mut count = -1_i64;
            let numbers = host::map(&x.host, |_| {
                count += 1;
                count
            });
            let Some(target) = sliced(&numbers, &items) else { return Ok(()) };
            let narrow: Vec<usize> = target
                .shape()
                .iter()
                .enumerate()
                .map(|(i, &n)| if ones >> i & 1 == 1 { 1 } else { n })
                .collect();
            let values = host::random::<T>(&narrow, FILL, seed);
            let mut flat = host::elements(&x.host);
            for (index, &number) in target.indexed_iter() {
                flat[number as usize] = host::at_broadcast(&values, ndarray::Dimension::slice(&index));
            }
            let expected = host::of_elements(x.host.shape(), flat);
            let values = host::upload(xp, &values)?;
            let [mut changed, kept] = x.twice(xp)?;
            changed.assign(&items, &values)?;
            check.same("assign, shared", &changed, &expected)?;
            check.same("another view of the changed array", &kept, &x.host)?;
            let mut alone = x.on(xp)?;
            alone.assign(&items, &values)?;
            check.same("assign, alone", &alone, &expected)
        })
    }
    for_all_types!(body, xp, check);
    let mut x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    let values = Array::ones(xp, &[2])?;
    check.refused_with(
        "values that do not fit",
        x.assign(s![.., 1..], &Array::ones(xp, &[3])?),
        &["(3,)", "(2, 2)"],
    )?;
    check.refused_with("an index out of range", x.assign(s![5], &values), &["index 5", "length 2"])?;
    check.same("unchanged after errors", &x, &host::build(&[2, 3], |_| 0.0))
}

fn assign_within_itself<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Source and target overlap: the values are those from before the assignment.
    let mut x = Array::arange(xp, 0, 6, 1)?;
    let shifted = x.slice(s![..5])?;
    x.assign(s![1..], &shifted)?;
    check.same("x[1:] = x[:5]", &x, &host::list(&[0, 0, 1, 2, 3, 4]))?;
    check.same("the source", &shifted, &host::list(&[0, 1, 2, 3, 4]))?;
    let reversed = x.slice(s![..;-1])?;
    x.assign(s![..], &reversed)?;
    check.same("x[:] = x[::-1]", &x, &host::list(&[4, 3, 2, 1, 0, 0]))?;
    // An array that was broadcast has one element for many: it gets a buffer of its own.
    let mut row = Array::full(xp, &[1], 7)?.broadcast_to(&[3])?;
    row.assign(s![1], &Array::full(xp, &[], 8)?)?;
    check.same("one element of a broadcast array", &row, &host::list(&[7, 8, 7]))
}

/// Indices into an axis, negative ones too.
fn indices(length: usize, seed: u64) -> Vec<i64> {
    if length == 0 {
        return Vec::new();
    }
    let count = (seed % 9) as usize;
    host::random(&[count], Fill::Between(-(length as f64), length as f64), seed).into_iter().collect()
}

/// So many indices of an axis, some counted from its end.
fn indices_of(length: usize, count: usize) -> Vec<i64> {
    (0..count).map(|i| (i * i + i / 7) as i64 % (2 * length as i64) - length as i64).collect()
}

fn take<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((operand::<T>(FILL), any::<u64>()), |(x, seed)| {
            let array = x.on(xp)?;
            for axis in 0..x.host.ndim() {
                let length = x.host.shape()[axis];
                let list = indices(length, seed);
                // A strided view as indices.
                let twice: Vec<i64> = list.iter().flat_map(|&i| [i, 0]).collect();
                let picks = Array::from_slice(xp, &twice)?.slice(s![..;2])?;
                let mut shape = x.host.shape().to_vec();
                shape[axis] = list.len();
                let expected = host::build(&shape, |index| {
                    let mut from = index.to_vec();
                    from[axis] = list[from[axis]].rem_euclid(length as i64) as usize;
                    x.host[IxDyn(&from)]
                });
                check.same("take", &array.take(&picks, axis as isize)?, &expected)?;
                let negative = axis as isize - x.host.ndim() as isize;
                check.same("take", &array.take(&picks, negative)?, &expected)?;
            }
            Ok(())
        })
    }
    for_all_types!(body, xp, check);
    // Many, in shares that end anywhere: single elements, short and long rows.
    for (outer, inner, count) in
        [(3, 1, 5003), (2, 3, 3001), (1, 5000, 3), (4, 1100, 9), (301, 1, 30), (75, 2, 41)]
    {
        let (length, list) = (11, indices_of(11, count));
        let x = Array::<i32, B>::arange(xp, 0, (outer * length * inner) as i32, 1)?;
        let found = x.reshape(&[outer, length, inner])?.take(&Array::from_slice(xp, &list)?, 1)?;
        let expected = host::build(&[outer, count, inner], |index| {
            let row = index[0] * length + list[index[1]].rem_euclid(length as i64) as usize;
            (row * inner + index[2]) as i32
        });
        check.same("take of many", &found, &expected)?;
    }
    let x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    for index in [3, -4, i64::MAX, i64::MIN] {
        let error = Error::IndexOutOfRange { operation: "take", index, length: 3 };
        check.refused("an index out of range", x.take(&Array::from_slice(xp, &[0, index])?, 1), &error)?;
    }
    let matrix = Array::zeros(xp, &[1, 1])?;
    check.refused_with("a matrix of indices", x.take(&matrix, 0), &["take", "(1, 1)", "one-dimensional"])?;
    let error = Error::InvalidAxis { operation: "take", axis: 2, ndim: 2 };
    check.refused("an axis out of range", x.take(&Array::zeros(xp, &[1])?, 2), &error)
}

fn compress<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Value, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = operand::<T>(FILL).prop_flat_map(|x| {
            let shape = x.host.shape().to_vec();
            (Just(x), operand_of::<bool>(shape, FILL))
        });
        for_all(cases, |(x, mask)| {
            let array = x.on(xp)?;
            let kept: Vec<T> =
                x.host.iter().zip(&mask.host).filter(|&(_, &keep)| keep).map(|(&value, _)| value).collect();
            check.same("compress", &array.compress(&mask.on(xp)?)?, &host::list(&kept))?;
            for axis in 0..x.host.ndim() {
                let length = x.host.shape()[axis];
                let keep = host::random::<bool>(&[length], FILL, mask.host.len() as u64);
                let rows: Vec<usize> = (0..length).filter(|&i| keep[[i]]).collect();
                let expected = x.host.select(ndarray::Axis(axis), &rows);
                let found = array.compress_axis(&host::upload(xp, &keep)?, axis as isize)?;
                check.same("compress_axis", &found, &expected)?;
            }
            Ok(())
        })
    }
    for_all_types!(body, xp, check);
    let x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    let error = |right: &[usize]| Error::ShapeMismatch {
        operation: "compress",
        left: vec![2, 3],
        right: right.to_vec(),
    };
    check.refused("a mask of another shape", x.compress(&Array::zeros(xp, &[3])?), &error(&[3]))?;
    check.refused("a mask of another length", x.compress_axis(&Array::zeros(xp, &[3])?, 0), &error(&[3]))
}

fn scatter_add<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let rule = Rule2 { float: |a, b| a + b, whole: |a, b| a + b };
        for_all((operand::<T>(Fill::Between(-9.0, 9.0)), any::<u64>()), |(x, seed)| {
            for axis in 0..x.host.ndim() {
                let length = x.host.shape()[axis];
                let list = indices(length, seed);
                let mut shape = x.host.shape().to_vec();
                shape[axis] = list.len();
                let values = host::random::<T>(&shape, Fill::Between(-9.0, 9.0), seed ^ 1);
                let mut expected = x.host.clone();
                for (j, &index) in list.iter().enumerate() {
                    let place = index.rem_euclid(length as i64) as usize;
                    let part = values.index_axis(ndarray::Axis(axis), j);
                    let sum = ndarray::Zip::from(expected.index_axis(ndarray::Axis(axis), place))
                        .and(&part)
                        .map_collect(|&a, &b| a.binary(b, &rule));
                    expected.index_axis_mut(ndarray::Axis(axis), place).assign(&sum);
                }
                let (at, values) = (Array::from_slice(xp, &list)?, host::upload(xp, &values)?);
                let [mut changed, kept] = x.twice(xp)?;
                changed.scatter_add(&at, &values, axis as isize)?;
                check.same("scatter_add, shared", &changed, &expected)?;
                check.same("another view of the changed array", &kept, &x.host)?;
                let mut alone = x.on(xp)?;
                alone.scatter_add(&at, &values, axis as isize - x.host.ndim() as isize)?;
                check.same("scatter_add, alone", &alone, &expected)?;
            }
            Ok(())
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    body::<i32, B>(xp, check)?;
    body::<i64, B>(xp, check)?;
    body::<u8, B>(xp, check)?;
    let mut x = Array::<f64, B>::zeros(xp, &[2, 3])?;
    let one = Array::ones(xp, &[2, 1])?;
    let error = Error::IndexOutOfRange { operation: "scatter_add", index: 3, length: 3 };
    check.refused("an index out of range", x.scatter_add(&Array::from_slice(xp, &[3])?, &one, 1), &error)?;
    let error = Error::ShapeMismatch { operation: "scatter_add", left: vec![2, 2], right: vec![2, 1] };
    check.refused("too few values", x.scatter_add(&Array::from_slice(xp, &[0, 1])?, &one, 1), &error)?;
    check.same("unchanged after errors", &x, &host::build(&[2, 3], |_| 0.0))
}
