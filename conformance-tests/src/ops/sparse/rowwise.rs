//! What belongs to the rows of two matrices: bilinear forms, products of rows, matrices side by side.

use array_api::Csr;
use proptest::prelude::{Just, Strategy, any};

use super::{FILL, Sparse, wide};
use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Outcome, Real, cases, for_all, host, operand_of,
};
use crate::tolerance::MATMUL;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["sparse": bilinear, bilinear_of_nan, bilinear_refuses, khatri_rao, hstack]
}

/// The diagonal of `a m b^T` and of the same of absolute values.
fn forms<T: Real>(a: &Sparse<T>, m: &Host<T>, b: &Sparse<T>) -> (Host<f64>, Host<f64>) {
    let ((a, a_size), (m, m_size), (b, b_size)) = (a.dense(), wide(m), b.dense());
    let form = |a: &Host<f64>, m: &Host<f64>, b: &Host<f64>| {
        let (p, q) = (a.shape()[1], b.shape()[1]);
        host::build(&a.shape()[..1], |i| {
            let pairs = (0..p).flat_map(|j| (0..q).map(move |l| (j, l)));
            let terms: Vec<f64> = pairs.map(|(j, l)| a[[i[0], j]] * m[[j, l]] * b[[i[0], l]]).collect();
            host::exact_sum(&terms)
        })
    };
    (form(&a, &m, &b), form(&a_size, &m_size, &b_size))
}

fn bilinear<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = (0..7_usize, 0..6_usize, 0..6_usize, any::<u64>()).prop_flat_map(|(rows, p, q, seed)| {
            let a = Sparse::<T>::random([rows, p], FILL, seed);
            let b = Sparse::<T>::random([rows, q], FILL, seed ^ 1);
            (Just((a, b, seed)), operand_of::<T>(vec![p, q], FILL))
        });
        // Few terms in f64, and the rounding of the result.
        let terms = if T::UNIT == f64::EPSILON { 20.0 } else { 2.0 };
        for_all(cases, |((a, b, seed), m)| {
            let (left, right, dense) = (a.on(xp)?, b.on(xp)?, m.on(xp)?);
            let (expected, size) = forms(&a, &m.host, &b);
            let found = left.bilinear(&dense, &right)?;
            check.scaled("a_i^T m b_i", &found, &expected, &size.mapv(|v| terms * v), &MATMUL)?;
            // The same rows of both, and other rows of each.
            let rows = a.shape[0];
            let (start, length) = (seed as usize % (rows + 1), (seed >> 8) as usize);
            let length = length % (rows - start + 1);
            let (here, there) = (start..start + length, rows - length..rows);
            let found = left.rows(here.clone())?.bilinear(&dense, &right.rows(there.clone())?)?;
            let (expected, size) = forms(&a.part(here), &m.host, &b.part(there));
            check.scaled("of some rows", &found, &expected, &size.mapv(|v| terms * v), &MATMUL)
        })?;
        // Enough for all threads.
        let a = Sparse::<T>::random([30_000, 40], FILL, 1);
        let b = Sparse::<T>::random([30_000, 30], FILL, 2);
        let m = host::random::<T>(&[40, 30], FILL, 3);
        let found = a.on(xp)?.bilinear(&host::upload(xp, &m)?, &b.on(xp)?)?;
        let terms = if T::UNIT == f64::EPSILON { 20.0 } else { 2.0 };
        let expected = |i: usize, absolute: bool| -> f64 {
            let size = |x: f64| if absolute { x.abs() } else { x };
            let pairs = a.row(i).flat_map(|x| b.row(i).map(move |y| (x, y)));
            pairs.map(|((j, x), (l, y))| size(x.wide() * m[[j, l]].wide() * y.wide())).sum()
        };
        let values = host::build(&[30_000], |i| expected(i[0], false));
        let sizes = host::build(&[30_000], |i| terms * expected(i[0], true));
        check.scaled("many rows", &found, &values, &sizes, &MATMUL)
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)
}

fn bilinear_of_nan<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Rows (1, 0), none, (0, 2), and one entry that is zero.
    let a = Csr::new(xp, [4, 2], vec![0, 1, 1, 2, 3], vec![0, 1, 0], vec![1.0, 2.0, 0.0])?;
    let m = host::build(&[2, 2], |i| [[f64::NAN, 3.0], [f64::INFINITY, 5.0]][i[0]][i[1]]);
    // Elements of m that no entries belong to are not read; zero times NaN is NaN.
    let found = a.bilinear(&host::upload(xp, &m)?, &a)?;
    check.same("NaN in m", &found, &host::list(&[f64::NAN, 0.0, 20.0, f64::NAN]))?;
    let b = Csr::new(xp, [4, 2], vec![0, 1, 2, 3, 4], vec![1; 4], vec![f64::NAN, f64::NAN, 1.0, 1.0])?;
    let found = a.bilinear(&Array::ones(xp, &[2, 2])?, &b)?;
    check.same("NaN in a row", &found, &host::list(&[f64::NAN, 0.0, 2.0, 0.0]))
}

fn bilinear_refuses<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let random = |shape, seed| Sparse::<f64>::random(shape, FILL, seed).on(xp);
    let (a, b, other) = (random([3, 2], 1)?, random([3, 4], 2)?, random([5, 4], 3)?);
    let error = |left: &[usize], right: &[usize]| Error::ShapeMismatch {
        operation: "Csr::bilinear",
        left: left.to_vec(),
        right: right.to_vec(),
    };
    let m = Array::ones(xp, &[2, 4])?;
    check.refused("different numbers of rows", a.bilinear(&m, &other), &error(&[3, 2], &[5, 4]))?;
    check.refused("sides exchanged", b.bilinear(&m, &a), &error(&[4, 2], &[2, 4]))?;
    for shape in [vec![2, 3], vec![3, 4], vec![8], vec![1, 2, 4], vec![]] {
        let m = Array::ones(xp, &shape)?;
        check.refused("another m", a.bilinear(&m, &b), &error(&[2, 4], &shape))?;
    }
    Ok(())
}

fn khatri_rao<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let cases = (0..6_usize, 0..5_usize, 0..5_usize, any::<u64>());
    for_all(cases, |(rows, p, q, seed)| {
        let (a, b) =
            (Sparse::<f64>::random([rows, p], FILL, seed), Sparse::<f64>::random([rows, q], FILL, seed ^ 1));
        let start = seed as usize % (rows + 1);
        for rows in [0..rows, start..rows] {
            let found = a.on(xp)?.rows(rows.clone())?.khatri_rao(&b.on(xp)?.rows(rows.clone())?)?;
            let ((left, left_size), (right, right_size)) =
                (a.part(rows.clone()).dense(), b.part(rows.clone()).dense());
            let product = |x: &Host<f64>, y: &Host<f64>| {
                host::build(&[rows.len(), p * q], |i| x[[i[0], i[1] / q]] * y[[i[0], i[1] % q]])
            };
            // A row has at most four entries: 16 products of one place.
            let size = product(&left_size, &right_size).mapv(|v| 18.0 * v);
            check.equal("shape", found.shape(), [rows.len(), p * q])?;
            check.scaled("products", &found.to_dense()?, &product(&left, &right), &size, &MATMUL)?;
        }
        Ok(())
    })?;
    // The entries of the second matrix lie within each of the first, or the sum would be zero:
    // 1e16 + 1 - 1e16 - 1, where the first addition changes nothing.
    let a = Csr::new(xp, [1, 2], vec![0, 2], vec![0, 0], vec![1.0, -1.0])?;
    let b = Csr::new(xp, [1, 1], vec![0, 2], vec![0, 0], vec![1e16, 1.0])?;
    let expected = host::build(&[1, 2], |i| if i[1] == 0 { -1.0 } else { 0.0 });
    check.same("an order that matters", &a.khatri_rao(&b)?.to_dense()?, &expected)?;
    let other = Sparse::<f64>::random([4, 2], FILL, 1).on(xp)?;
    let error = Error::ShapeMismatch { operation: "Csr::khatri_rao", left: vec![1, 2], right: vec![4, 2] };
    check.refused("different numbers of rows", a.khatri_rao(&other), &error)?;
    let broad = Csr::<f64, B>::new(xp, [1, 1 << 16], vec![0, 0], vec![], vec![])?;
    check.refused_with(
        "too many columns",
        broad.khatri_rao(&broad),
        &["Csr::khatri_rao", "columns", "32-bit"],
    )
}

fn hstack<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let cases = (0..6_usize, proptest::collection::vec(0..5_usize, 1..4), any::<u64>());
    for_all(cases, |(rows, columns, seed)| {
        let parts: Vec<Sparse<f64>> = (seed..)
            .zip(&columns)
            .map(|(seed, &columns)| Sparse::random([rows, columns], Fill::Few, seed))
            .collect();
        let start = seed as usize % (rows + 1);
        let matrices = parts.iter().map(|part| part.on(xp)?.rows(start..rows));
        let matrices = matrices.collect::<crate::testing::Result<Vec<_>>>()?;
        let found = Csr::hstack(&matrices.iter().collect::<Vec<_>>())?;
        let places: Vec<(usize, usize)> =
            columns.iter().enumerate().flat_map(|(k, &n)| (0..n).map(move |column| (k, column))).collect();
        let dense: Vec<Host<f64>> = parts.iter().map(|part| part.dense().0).collect();
        let expected = host::build(&[rows - start, places.len()], |i| {
            let (part, column) = places[i[1]];
            dense[part][[start + i[0], column]]
        });
        check.equal("shape", found.shape(), [rows - start, places.len()])?;
        check.same_values("side by side", &found.to_dense()?, &expected)
    })?;
    let random = |shape, seed| Sparse::<f64>::random(shape, FILL, seed).on(xp);
    let (a, b) = (random([3, 2], 1)?, random([4, 2], 2)?);
    let error = Error::ShapeMismatch { operation: "Csr::hstack", left: vec![3, 2], right: vec![4, 2] };
    check.refused("different numbers of rows", Csr::hstack(&[&a, &a, &b]), &error)?;
    check.refused_with("nothing", Csr::<f64, B>::hstack(&[]), &["Csr::hstack", "at least one"])?;
    let broad = Csr::<f64, B>::new(xp, [1, 1 << 30], vec![0, 0], vec![], vec![])?;
    check.refused_with("too many columns", Csr::hstack(&[&broad; 3]), &["Csr::hstack", "columns", "32-bit"])
}
