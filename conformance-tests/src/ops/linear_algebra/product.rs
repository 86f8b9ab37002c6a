//! Products of matrices and tensors, and diagonals.

use array_api::linalg;
use ndarray::IxDyn;
use proptest::prelude::{Just, Strategy, any};

use super::batch;
use crate::ops::creation::for_all_types_but_bool;
use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Number, Operand, Outcome, Real, cases, for_all, host,
    operand, operand_of, pair, reference, require,
};
use crate::tolerance::{MATMUL, SUM};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["linear_algebra":
        matmul, matmul_vectors, matmul_special_values, matmul_large, matmul_errors, matmul_add_assign, tensordot, vecdot,
        diagonal, trace,
    ]
}

const FILL: Fill = Fill::Between(-9.0, 9.0);

/// Compares with a product of wide matrices, `more` being added to it.
fn hold<T: Real, B: Backend>(
    check: &Check,
    what: &str,
    found: &Array<T, B>,
    (a, b): (&Host<T>, &Host<T>),
    more: Option<&Host<T>>,
) -> Outcome {
    let k = a.shape()[a.ndim() - 1] as f64;
    let (mut expected, mut size) = host::matmul(&a.mapv(T::wide), &b.mapv(T::wide));
    if let Some(more) = more {
        let more = more.mapv(T::wide);
        expected = host::zip(&expected, &more, |x, y| x + y);
        size = host::zip(&size, &more, |x, y| x + y.abs());
    }
    check.scaled(what, found, &expected, &size.mapv(|v| (k + 2.0) * v), &MATMUL)
}

/// Stacks of matrices that can be multiplied.
fn factors<T: Real>() -> impl Strategy<Value = (Operand<T>, Operand<T>)> {
    (batch(), any::<[bool; 2]>(), 0..7_usize, 0..7_usize, 0..7_usize).prop_flat_map(
        |(batch, narrow, m, k, n)| {
            let ones = vec![1; batch.len()];
            let [left, right] = narrow.map(|narrow| if narrow { ones.clone() } else { batch.clone() });
            // Leading axes of length 1 may be left out.
            let right = if narrow[1] { Vec::new() } else { right };
            (operand_of([left, vec![m, k]].concat(), FILL), operand_of([right, vec![k, n]].concat(), FILL))
        },
    )
}

fn matmul<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(factors::<T>(), |(a, b)| {
            let (x, y) = (a.on(xp)?, b.on(xp)?);
            hold(check, "matmul", &x.matmul(&y)?, (&a.host, &b.host), None)?;
            check.same("the first argument", &x, &a.host)?;
            check.same("the second argument", &y, &b.host)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    for record in reference::records::<f64>("matmul")? {
        let (a, b) = (record.input::<f64>(0)?, record.input::<f64>(1)?);
        let found = host::upload(xp, &a)?.matmul(&host::upload(xp, &b)?)?;
        let size = host::matmul(&a, &b).1.mapv(|v| 2.0 * (a.shape()[2] as f64 + 2.0) * v);
        check.scaled(&record.title(), &found, &record.output()?, &size, &MATMUL)?;
    }
    Ok(())
}

fn matmul_vectors<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // A vector on the left is a row, on the right a column; its axis does not stay.
    let cases = (batch(), 0..6_usize, 0..6_usize).prop_flat_map(|(batch, k, n)| {
        let matrix = operand_of::<f64>([batch.clone(), vec![k, n]].concat(), FILL);
        let turned = operand_of::<f64>([batch, vec![n, k]].concat(), FILL);
        (operand_of::<f64>(vec![k], FILL), matrix, turned)
    });
    for_all(cases, |(v, right, left)| {
        let vector = v.on(xp)?;
        let k = v.host.len();
        let row = host::build(&[1, k], |index| v.host[[index[1]]]);
        let column = host::build(&[k, 1], |index| v.host[[index[0]]]);
        let found = vector.matmul(&right.on(xp)?)?;
        let mut shape = right.host.shape().to_vec();
        shape.remove(shape.len() - 2);
        check.equal("shape of vector and matrix", found.shape(), &shape)?;
        hold(check, "vector and matrix", &found.expand_dims(-2)?, (&row, &right.host), None)?;
        let found = left.on(xp)?.matmul(&vector)?;
        check.equal(
            "shape of matrix and vector",
            found.shape(),
            &left.host.shape()[..left.host.ndim() - 1],
        )?;
        hold(check, "matrix and vector", &found.expand_dims(-1)?, (&left.host, &column), None)?;
        let found = vector.matmul(&vector)?;
        check.equal("shape of vector and vector", found.ndim(), 0)?;
        hold(check, "vector and vector", &found.reshape(&[1, 1])?, (&row, &column), None)
    })
}

fn matmul_special_values<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Small numbers, zeros, NaN and infinity: every product and sum is exact.
    let cases = (1..5_usize, 1..5_usize, 1..5_usize).prop_flat_map(|(m, k, n)| {
        (operand_of::<f64>(vec![m, k], Fill::Few), operand_of::<f64>(vec![k, n], Fill::Few))
    });
    for_all(cases, |(a, b)| {
        let (expected, _) = host::matmul(&a.host, &b.host);
        check.same_values("matmul", &a.on(xp)?.matmul(&b.on(xp)?)?, &expected)
    })
}

fn matmul_large<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for (m, k, n) in [(300, 40, 20), (7, 600, 290), (1, 1000, 700), (530, 9, 530), (130, 257, 129)] {
            let (a, b) = (host::random::<T>(&[m, k], FILL, 1), host::random::<T>(&[k, n], FILL, 2));
            let (x, y) = (host::upload(xp, &a)?, host::upload(xp, &b)?);
            hold(check, "matmul", &x.matmul(&y)?, (&a, &b), None)?;
            // The same matrices stored by columns: b^T a^T.
            let turned = y.matrix_transpose()?.matmul(&x.matrix_transpose()?)?;
            hold(check, "transposed matmul", &turned, (&host::transpose(&b), &host::transpose(&a)), None)?;
        }
        Ok(())
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

fn matmul_errors<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let pairs: [(&[usize], &[usize]); 6] = [
        (&[2, 3], &[2, 3]),
        (&[3], &[2]),
        (&[2, 3], &[2]),
        (&[], &[2]),
        (&[2], &[]),
        (&[2, 1, 3], &[4, 3, 1]),
    ];
    for (a, b) in pairs {
        let found = Array::<f64, B>::ones(xp, a)?.matmul(&Array::ones(xp, b)?);
        // Vectors are reported as the rows and columns that they stand for, or as they are.
        let words: Vec<String> =
            [a, b].iter().map(|s| s.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")).collect();
        check.refused_with("shapes that do not fit", found, &["matmul", &words[0], &words[1]])?;
    }
    let error = Error::ShapeMismatch { operation: "matmul", left: vec![2, 3], right: vec![4, 5] };
    let found = Array::<f32, B>::ones(xp, &[2, 3])?.matmul(&Array::ones(xp, &[4, 5])?);
    check.refused("matrices that do not fit", found, &error)
}

fn matmul_add_assign<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = factors::<T>().prop_flat_map(|(a, b)| {
            let (product, _) = host::matmul(&a.host.mapv(T::wide), &b.host.mapv(T::wide));
            (Just((a, b)), operand_of::<T>(product.shape().to_vec(), FILL))
        });
        for_all(cases, |((a, b), c)| {
            let (x, y) = (a.on(xp)?, b.on(xp)?);
            let [mut changed, kept] = c.twice(xp)?;
            changed.matmul_add_assign(&x, &y)?;
            hold(check, "matmul_add_assign, shared", &changed, (&a.host, &b.host), Some(&c.host))?;
            check.same("another view of the changed array", &kept, &c.host)?;
            let mut alone = c.on(xp)?;
            alone.matmul_add_assign(&x, &y)?;
            hold(check, "matmul_add_assign, alone", &alone, (&a.host, &b.host), Some(&c.host))
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    // The first rows of a longer buffer.
    let mut top = Array::<f64, B>::ones(xp, &[4, 2])?.slice(array_api::s![..2])?;
    top.matmul_add_assign(&Array::full(xp, &[2, 3], 2.0)?, &Array::ones(xp, &[3, 2])?)?;
    check.same("the first rows of a longer buffer", &top, &host::build(&[2, 2], |_| 7.0))?;
    // An array as a factor of itself.
    let mut x = Array::<f64, B>::ones(xp, &[2, 2])?;
    let itself = x.clone();
    x.matmul_add_assign(&itself, &itself.matrix_transpose()?)?;
    check.same("x += x x^T", &x, &host::build(&[2, 2], |_| 3.0))?;
    let mut c = Array::<f64, B>::zeros(xp, &[2, 2])?;
    let a = Array::ones(xp, &[2, 3])?;
    check.refused_with(
        "factors that do not fit",
        c.matmul_add_assign(&a, &a),
        &["matmul_add_assign", "(2, 3)"],
    )?;
    let wide = Array::ones(xp, &[5, 2, 2])?;
    check.refused_with("a larger stack", c.matmul_add_assign(&wide, &wide), &["(5, 2, 2)"])
}

fn tensordot<B: Backend>(xp: &B, check: &Check) -> Outcome {
    use proptest::collection::vec;
    let lengths = || vec(0..4_usize, 0..=2);
    let cases = (lengths(), lengths(), lengths()).prop_flat_map(|(left, joined, right)| {
        let axes = joined.len();
        let a = operand_of::<f64>([left, joined.clone()].concat(), FILL);
        (a, operand_of::<f64>([joined, right].concat(), FILL), Just(axes))
    });
    for_all(cases, |(a, b, axes)| {
        let found = a.on(xp)?.tensordot(&b.on(xp)?, axes)?;
        let (left, joined) = a.host.shape().split_at(a.host.ndim() - axes);
        let right = &b.host.shape()[axes..];
        let product = |parts: &[usize]| parts.iter().product::<usize>();
        let flat = |x: &Host<f64>, shape: [usize; 2]| host::of_elements(&shape, host::elements(x));
        check.equal("shape", found.shape(), &[left, right].concat())?;
        let found = found.reshape(&[product(left), product(right)])?;
        let a = flat(&a.host, [product(left), product(joined)]);
        hold(check, "tensordot", &found, (&a, &flat(&b.host, [product(joined), product(right)])), None)
    })?;
    for record in reference::records::<f64>("tensordot")? {
        let (a, b) = (record.input::<f64>(0)?, record.input::<f64>(1)?);
        let found = host::upload(xp, &a)?.tensordot(&host::upload(xp, &b)?, 2)?;
        let scale = record.output::<f64>()?.mapv(|_| 100.0);
        check.scaled(&record.title(), &found, &record.output()?, &scale, &MATMUL)?;
    }
    let (a, b) = (Array::<f64, B>::ones(xp, &[2, 3])?, Array::ones(xp, &[2, 3])?);
    let error = Error::ShapeMismatch { operation: "tensordot", left: vec![2, 3], right: vec![2, 3] };
    check.refused("axes that do not fit", a.tensordot(&b, 1), &error)?;
    check.refused("more axes than there are", a.tensordot(&b, 3), &error)
}

fn vecdot<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(pair::<T, T>((FILL, FILL)), |(a, b)| {
            let products = host::zip(&a.host, &b.host, |x, y| x.wide() * y.wide());
            if products.ndim() == 0 {
                return check.refused_with(
                    "no axis",
                    a.on(xp)?.vecdot(&b.on(xp)?),
                    &["axis -1", "0 dimensions"],
                );
            }
            let found = a.on(xp)?.vecdot(&b.on(xp)?)?;
            let last = products.ndim() - 1;
            let sum = host::reduce(&products, &[last], false, host::exact_sum);
            // Each product is rounded, and the sum as all sums are.
            let scale = host::reduce(&products, &[last], false, |x| {
                host::size(x) * (2.0 + 128.0 * f64::EPSILON / T::UNIT)
            });
            check.scaled("vecdot", &found, &sum, &scale, &SUM)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    let (a, b) = (Array::<f64, B>::ones(xp, &[2])?, Array::ones(xp, &[3])?);
    check.refused_with("lengths that differ", a.vecdot(&b), &["(2,)", "(3,)"])
}

fn diagonal<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Number, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all((operand::<T>(Fill::Sprinkled(-9.0, 9.0)), -9..9_isize), |(x, k)| {
            let array = x.on(xp)?;
            let [.., rows, columns] = *x.host.shape() else {
                return check.refused_with("no matrix", array.diagonal(k), &["diagonal", "two axes"]);
            };
            let places: Vec<(usize, usize)> = (0..rows)
                .filter_map(|row| row.checked_add_signed(k).map(|column| (row, column)))
                .filter(|&(_, column)| column < columns)
                .collect();
            let mut shape = x.host.shape()[..x.host.ndim() - 2].to_vec();
            shape.push(places.len());
            let expected = host::build(&shape, |index| {
                let (row, column) = places[index[index.len() - 1]];
                x.host[IxDyn(&[&index[..index.len() - 1], &[row, column]].concat())]
            });
            let found = array.diagonal(k)?;
            check.same("diagonal", &found, &expected)?;
            require!(std::ptr::eq(found.buffer(), array.buffer()), "diagonal copies");
            Ok(())
        })?;
        let x = Array::<T, B>::ones(xp, &[2, 3])?;
        check.equal("a diagonal beyond everything", x.diagonal(isize::MAX)?.len(), 0)?;
        check.equal("a diagonal beyond everything", x.diagonal(isize::MIN)?.len(), 0)
    }
    for_all_types_but_bool!(body, xp, check);
    Ok(())
}

fn trace<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(operand::<f64>(FILL), |x| {
        let array = x.on(xp)?;
        let [.., rows, columns] = *x.host.shape() else {
            return check.refused_with("no matrix", linalg::trace(&array), &["two axes"]);
        };
        let sums = |f: fn(f64) -> f64| {
            host::build(&x.host.shape()[..x.host.ndim() - 2], |index| {
                (0..rows.min(columns)).map(|i| f(x.host[IxDyn(&[index, &[i, i]].concat())])).sum::<f64>()
            })
        };
        check.scaled("trace", &linalg::trace(&array)?, &sums(|v| v), &sums(|v| 128.0 * v.abs()), &SUM)
    })?;
    for record in reference::records::<f64>("trace")? {
        let found = linalg::trace(&host::upload(xp, &record.input::<f64>(0)?)?)?;
        let scale = record.output::<f64>()?.mapv(|_| 16.0);
        check.scaled(&record.title(), &found, &record.output()?, &scale, &SUM)?;
    }
    Ok(())
}
