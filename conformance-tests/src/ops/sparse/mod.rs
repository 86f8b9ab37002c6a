//! Sparse matrices, against the dense ones that they stand for.

mod left;
mod rowwise;

use array_api::{Csr, s};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Operand, Outcome, Real, Result, cases, for_all, host,
    operand_of, reference,
};
use crate::tolerance::MATMUL;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    let own = cases!["sparse":
        csr, csr_to_dense, csr_matmul, csr_transposed_matmul, csr_transposed_matmul_of_stacks, csr_rows, weighted_gram, weighted_gram_add, weighted_cross_gram,
        row_pair_products, csr_refuses, csr_scipy,
    ];
    own.into_iter().chain(left::cases()).chain(rowwise::cases()).collect()
}

const FILL: Fill = Fill::Between(-9.0, 9.0);

/// A random sparse matrix on the host: empty rows, columns in any order, entries of one place.
#[derive(Debug, Clone)]
struct Sparse<T> {
    shape: [usize; 2],
    indptr: Vec<i32>,
    indices: Vec<i32>,
    data: Vec<T>,
}

impl<T: Real> Sparse<T> {
    fn random([rows, columns]: [usize; 2], fill: Fill, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let entries = |rng: &mut ChaCha8Rng| places(rng, columns.min(4), columns);
        let of_rows: Vec<_> = (0..rows).map(|_| entries(&mut rng)).collect();
        // Of another seed, so that values do not depend on their places.
        Self::with_entries(columns, &of_rows, T::samples(4 * rows, fill, !seed))
    }

    /// One whose neighbouring rows have entries in the same columns, mostly, as those of an image's points.
    fn in_runs([rows, columns]: [usize; 2], seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut of_rows: Vec<Vec<i32>> = Vec::new();
        for _ in 0..rows {
            let same = of_rows.last().filter(|_| rng.random_bool(0.8)).cloned();
            of_rows.push(same.unwrap_or_else(|| places(&mut rng, 6, columns)));
        }
        Self::with_entries(columns, &of_rows, T::samples(6 * rows, FILL, !seed))
    }

    /// The matrix with entries in these columns of each row, which have the first values, row by row.
    fn with_entries(columns: usize, of_rows: &[Vec<i32>], mut data: Vec<T>) -> Self {
        let mut indptr = vec![0];
        indptr.extend(of_rows.iter().scan(0, |end, of_row| {
            *end += of_row.len() as i32;
            Some(*end)
        }));
        let (shape, indices) = ([of_rows.len(), columns], of_rows.concat());
        data.truncate(indices.len());
        Self { shape, indptr, indices, data }
    }

    fn on<B: Backend>(&self, xp: &B) -> Result<Csr<T, B>> {
        Csr::new(xp, self.shape, self.indptr.clone(), self.indices.clone(), self.data.clone())
    }

    /// Columns and values of a row.
    fn row(&self, row: usize) -> impl Iterator<Item = (usize, T)> + '_ {
        let entries = self.indptr[row] as usize..self.indptr[row + 1] as usize;
        entries.map(|at| (self.indices[at] as usize, self.data[at]))
    }

    /// The matrix with all its zeros, and the same of absolute values.
    fn dense(&self) -> (Host<f64>, Host<f64>) {
        let mut both = [host::build(&self.shape, |_| 0.0), host::build(&self.shape, |_| 0.0)];
        for row in 0..self.shape[0] {
            for (column, value) in self.row(row) {
                both[0][[row, column]] += value.wide();
                both[1][[row, column]] += value.wide().abs();
            }
        }
        let [values, sizes] = both;
        (values, sizes)
    }

    /// Some rows.
    fn part(&self, rows: std::ops::Range<usize>) -> Self {
        let (start, end) = (self.indptr[rows.start], self.indptr[rows.end]);
        let entries = start as usize..end as usize;
        Self {
            shape: [rows.len(), self.shape[1]],
            indptr: self.indptr[rows.start..=rows.end].iter().map(|at| at - start).collect(),
            indices: self.indices[entries.clone()].to_vec(),
            data: self.data[entries].to_vec(),
        }
    }
}

/// Columns of a row's entries, at most so many, in any order.
fn places(rng: &mut ChaCha8Rng, most: usize, columns: usize) -> Vec<i32> {
    let entries = if columns == 0 { 0 } else { rng.random_range(0..=most) };
    (0..entries).map(|_| rng.random_range(0..columns) as i32).collect()
}

fn sparse<T: Real>(fill: Fill) -> impl Strategy<Value = Sparse<T>> {
    (0..7_usize, 0..7_usize, any::<u64>()).prop_map(move |(m, n, seed)| Sparse::random([m, n], fill, seed))
}

/// A sparse matrix and a dense one, in a stack or not, that has `rows` rows or columns.
fn with_operand<T: Real>(rows: usize, last: bool) -> impl Strategy<Value = (Sparse<T>, Operand<T>)> {
    (sparse::<T>(FILL), vec(0..3_usize, 0..=2), 0..6_usize).prop_flat_map(move |(a, batch, n)| {
        let length = a.shape[rows];
        let tail = if last { [n, length] } else { [length, n] };
        (proptest::strategy::Just(a), operand_of::<T>([batch, tail.to_vec()].concat(), FILL))
    })
}

/// Compares with a product of dense matrices, given with the same of absolute values.
fn hold<T: Real, B: Backend>(
    check: &Check,
    what: &str,
    found: &Array<T, B>,
    [left, right]: [&(Host<f64>, Host<f64>); 2],
) -> Outcome {
    let (expected, _) = host::matmul(&left.0, &right.0);
    let (size, _) = host::matmul(&left.1, &right.1);
    // No row or column of a random matrix has more entries than rows and columns together times 4.
    let terms = 4 * left.0.shape().iter().rev().take(2).max().copied().unwrap_or(0) + 2;
    check.scaled(what, found, &expected, &size.mapv(|v| terms as f64 * v), &MATMUL)
}

fn wide<T: Real>(x: &Host<T>) -> (Host<f64>, Host<f64>) {
    (x.mapv(T::wide), x.mapv(|v| v.wide().abs()))
}

fn turned((values, sizes): &(Host<f64>, Host<f64>)) -> (Host<f64>, Host<f64>) {
    (host::transpose(values), host::transpose(sizes))
}

fn csr<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(sparse::<f32>(Fill::Few), |a| {
        let matrix = a.on(xp)?;
        check.equal("shape", matrix.shape(), a.shape)?;
        check.equal("backend", matrix.backend().name(), xp.name())?;
        check.equal("rows of the view", matrix.view().rows, 0..a.shape[0])?;
        check.equal("columns of the view", matrix.view().columns, a.shape[1])?;
        check.same_values("a clone", &matrix.clone().to_dense()?, &a.dense().0.mapv(|v| v as f32))
    })
}

fn csr_to_dense<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(sparse::<T>(Fill::Few), |a| {
            // Sums of few small numbers are exact.
            check.same_values("to_dense", &a.on(xp)?.to_dense()?, &a.dense().0.mapv(T::narrow))
        })?;
        let cases = (0..6_usize, 0..6_usize).prop_flat_map(|(m, n)| operand_of::<T>(vec![m, n], Fill::Few));
        for_all(cases, |x| {
            let found = Csr::from_dense(&x.on(xp)?)?;
            check.equal("shape", found.shape(), [x.host.shape()[0], x.host.shape()[1]])?;
            check.same_values("from_dense and to_dense", &found.to_dense()?, &x.host)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    let cube = Array::<f64, B>::zeros(xp, &[1, 1, 1])?;
    check.refused_with("no matrix", Csr::from_dense(&cube), &["Csr::from_dense", "(1, 1, 1)", "two axes"])
}

/// Runs a body for both element types.
macro_rules! for_reals {
    ($body:ident, $xp:expr, $check:expr) => {{
        $body::<f32, B>($xp, $check)?;
        $body::<f64, B>($xp, $check)
    }};
}

fn csr_matmul<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(with_operand::<T>(1, false), |(a, x)| {
            hold(check, "a x", &a.on(xp)?.matmul(&x.on(xp)?)?, [&a.dense(), &wide(&x.host)])
        })?;
        let (a, x) = (Sparse::<T>::random([700, 200], FILL, 1), host::random::<T>(&[2, 200, 50], FILL, 2));
        let (matrix, factor) = (a.on(xp)?, host::upload(xp, &x)?);
        let product = matrix.matmul(&factor)?;
        hold(check, "a large a x", &product, [&a.dense(), &wide(&x)])?;
        // A column has the same bits whatever stands beside it, a few or many.
        for columns in [1, 2, 3, 5, 8, 15, 16, 19, 31, 32, 47] {
            let found = matrix.matmul(&factor.slice(s![.., .., 0..columns])?)?;
            let expected = product.slice(s![.., .., 0..columns])?.to_ndarray()?;
            check.same_values("a product with few columns", &found, &expected)?;
        }
        Ok(())
    }
    for_reals!(body, xp, check)
}

fn csr_transposed_matmul<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        for_all(with_operand::<T>(0, false), |(a, x)| {
            let found = a.on(xp)?.transposed_matmul(&x.on(xp)?)?;
            hold(check, "a^T x", &found, [&turned(&a.dense()), &wide(&x.host)])
        })?;
        let (a, x) = (Sparse::<T>::random([200, 700], FILL, 1), host::random::<T>(&[2, 200, 50], FILL, 2));
        let found = a.on(xp)?.transposed_matmul(&host::upload(xp, &x)?)?;
        hold(check, "a large a^T x", &found, [&turned(&a.dense()), &wide(&x)])
    }
    for_reals!(body, xp, check)
}

/// A product has the same bits whatever stands beside it.
fn csr_transposed_matmul_of_stacks<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        // As many rows as are added up in parts, and columns to keep a GPU busy without that.
        let a = Sparse::<T>::random([70, 3], FILL, 1).on(xp)?;
        let x = host::upload(xp, &host::random::<T>(&[33, 70, 1000], FILL, 2))?;
        let together = a.transposed_matmul(&x)?;
        for part in [0..1, 1..3, 28..33] {
            let alone = a.transposed_matmul(&x.slice(array_api::s![part.clone()])?)?;
            let expected = host::download(&together.slice(array_api::s![part])?)?;
            check.same("a part of a stack", &alone, &expected)?;
        }
        Ok(())
    }
    for_reals!(body, xp, check)
}

fn csr_rows<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let cases = (sparse::<f64>(FILL), any::<[u8; 4]>(), any::<u64>());
    for_all(cases, |(a, [from, to, from_again, to_again], seed)| {
        let between = |rows: usize, a: u8, b: u8| {
            let ends = [a as usize % (rows + 1), b as usize % (rows + 1)];
            ends[0].min(ends[1])..ends[0].max(ends[1])
        };
        let outer = between(a.shape[0], from, to);
        let inner = between(outer.len(), from_again, to_again);
        let part = a.part(outer.clone()).part(inner.clone());
        let found = a.on(xp)?.rows(outer)?.rows(inner)?;
        check.equal("shape of some rows", found.shape(), part.shape)?;
        check.same_values("some rows of some rows", &found.to_dense()?, &part.dense().0)?;
        // Every operation keeps to these rows.
        let [m, n] = part.shape;
        let (x, y) = (host::random::<f64>(&[n, 2], FILL, seed), host::random::<f64>(&[m, 2], FILL, seed));
        let w = host::random::<f64>(&[m], FILL, seed);
        hold(check, "a x", &found.matmul(&host::upload(xp, &x)?)?, [&part.dense(), &wide(&x)])?;
        let product = found.transposed_matmul(&host::upload(xp, &y)?)?;
        hold(check, "a^T x", &product, [&turned(&part.dense()), &wide(&y)])?;
        let gram = found.weighted_gram(&host::upload(xp, &w)?)?;
        hold_gram(check, &gram, &part, &w, &part)?;
        let (pairs, _) = found.row_pair_products(&found)?;
        check.equal("rows of the products of pairs", pairs.shape()[0], m)
    })?;
    let a = Sparse::<f64>::random([3, 2], FILL, 1).on(xp)?;
    let error = |index| Error::IndexOutOfRange { operation: "Csr::rows", index, length: 3 };
    check.refused("rows beyond the end", a.rows(1..4), &error(4))?;
    let backwards = std::ops::Range { start: 2, end: 1 };
    check.refused("rows that go backwards", a.rows(backwards), &error(2))
}

/// Compares with `a^T diag(w) b` by its definition, for one set of weights.
fn hold_gram<T: Real, B: Backend>(
    check: &Check,
    found: &Array<T, B>,
    a: &Sparse<T>,
    w: &Host<T>,
    b: &Sparse<T>,
) -> Outcome {
    let weigh = |(values, sizes): (Host<f64>, Host<f64>)| {
        let weighed = host::build(values.shape(), |i| values[i] * w[[i[0]]].wide());
        (weighed, host::build(sizes.shape(), |i| sizes[i] * w[[i[0]]].wide().abs()))
    };
    hold(check, "a^T diag(w) b", found, [&turned(&a.dense()), &weigh(b.dense())])
}

fn weighted_gram<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = sparse::<T>(FILL).prop_flat_map(|a| {
            let rows = a.shape[0];
            (proptest::strategy::Just(a), operand_of::<T>(vec![rows], FILL))
        });
        for_all(cases, |(a, w)| {
            let found = a.on(xp)?.weighted_gram(&w.on(xp)?)?;
            check.equal("shape", found.shape(), &[a.shape[1], a.shape[1]])?;
            hold_gram(check, &found, &a, &w.host, &a)
        })
    }
    for_reals!(body, xp, check)
}

fn weighted_gram_add<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = sparse::<T>(FILL).prop_flat_map(|a| {
            let [rows, columns] = a.shape;
            let out = operand_of::<T>(vec![columns, columns], FILL);
            (proptest::strategy::Just(a), operand_of::<T>(vec![rows], FILL), out)
        });
        for_all(cases, |(a, w, out)| {
            let mut found = out.on(xp)?;
            let before = found.clone();
            a.on(xp)?.weighted_gram_add(&w.on(xp)?, &mut found)?;
            check.equal("shape", found.shape(), &[a.shape[1], a.shape[1]])?;
            check.same_values("whoever shares the array", &before, &out.host)?;
            let [(left, left_sizes), (right, right_sizes)] = [a.dense(), a.dense()];
            let expected = host::build(out.host.shape(), |i| {
                let terms = (0..a.shape[0]).map(|r| left[[r, i[0]]] * w.host[[r]].wide() * right[[r, i[1]]]);
                out.host[i].wide() + terms.sum::<f64>()
            });
            let sizes = host::build(out.host.shape(), |i| {
                let terms = (0..a.shape[0])
                    .map(|r| left_sizes[[r, i[0]]] * w.host[[r]].wide().abs() * right_sizes[[r, i[1]]]);
                // As many roundings as products, of up to four entries of one place each, or fewer.
                16.0 * (a.shape[0] + 1) as f64 * (out.host[i].wide().abs() + terms.sum::<f64>())
            });
            check.scaled("out + a^T diag(w) a", &found, &expected, &sizes, &MATMUL)
        })
    }
    for_reals!(body, xp, check)?;
    let a = Sparse::<f64>::random([4, 2], FILL, 1).on(xp)?;
    let mut out = Array::ones(xp, &[2, 2])?;
    let words = ["weighted_gram_add", "(4, 4)"];
    for shape in [vec![3], vec![1, 4], vec![]] {
        let w = Array::ones(xp, &shape)?;
        check.refused_with("weights that do not fit", a.weighted_gram_add(&w, &mut out), &words)?;
    }
    let w = Array::ones(xp, &[4])?;
    let error = Error::ShapeMismatch { operation: "weighted_gram_add", left: vec![2, 2], right: vec![2] };
    check.refused("a vector", a.weighted_gram_add(&w, &mut Array::ones(xp, &[2])?), &error)?;
    // What the rows do not reach stays.
    let none = Csr::new(xp, [1, 2], vec![0, 1], vec![0], vec![2.0])?;
    let mut out = Array::full(xp, &[2, 2], f64::INFINITY)?;
    out.assign(array_api::s![0, 0], &Array::full(xp, &[], 1.0)?)?;
    none.weighted_gram_add(&Array::ones(xp, &[1])?, &mut out)?;
    let reached = |i: &[usize]| if i == [0, 0] { 5.0 } else { f64::INFINITY };
    check.same_values("what rows do not reach", &out, &host::build(&[2, 2], reached))
}

fn weighted_cross_gram<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn body<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        // Matrices of m rows for all sets of weights, or of n m rows, m for each set.
        let cases = (1..4_usize, 0..6_usize, any::<[bool; 2]>(), 0..5_usize, 0..5_usize, any::<u64>())
            .prop_flat_map(|(n, m, own, p, q, seed)| {
                let rows = own.map(|own| if own { n * m } else { m });
                let a = Sparse::<T>::random([rows[0], p], FILL, seed);
                let b = Sparse::<T>::random([rows[1], q], FILL, seed ^ 1);
                (proptest::strategy::Just((own, a, b)), operand_of::<T>(vec![n, m], FILL))
            });
        for_all(cases, |((own, a, b), w)| {
            let (n, m) = (w.host.shape()[0], w.host.shape()[1]);
            let found = a.on(xp)?.weighted_cross_gram(&w.on(xp)?, &b.on(xp)?)?;
            check.equal("shape of the stack", found.shape(), &[n, a.shape[1], b.shape[1]])?;
            for i in 0..n {
                let rows = |own: bool| if own { i * m..(i + 1) * m } else { 0..m };
                let weights = w.host.index_axis(ndarray::Axis(0), i).to_owned();
                let part = found.slice(array_api::s![i])?;
                hold_gram(check, &part, &a.part(rows(own[0])), &weights, &b.part(rows(own[1])))?;
            }
            Ok(())
        })
    }
    fn in_runs<T: Real, B: Backend>(xp: &B, check: &Check) -> Outcome {
        let cases = (0..60_usize, 0..5_usize, 0..5_usize, any::<u64>());
        for_all(cases, |(m, p, q, seed)| {
            let (a, b) = (Sparse::<T>::in_runs([m, p], seed), Sparse::<T>::in_runs([m, q], seed ^ 1));
            let w = host::random::<T>(&[m], FILL, seed ^ 2);
            let found = a.on(xp)?.weighted_cross_gram(&host::upload(xp, &w)?, &b.on(xp)?)?;
            hold_gram(check, &found, &a, &w, &b)
        })
    }
    body::<f32, B>(xp, check)?;
    body::<f64, B>(xp, check)?;
    in_runs::<f32, B>(xp, check)?;
    in_runs::<f64, B>(xp, check)?;
    // Many sets of weights, enough for all threads.
    let (a, w) = (Sparse::<f64>::random([500, 9], FILL, 1), host::random::<f64>(&[200, 500], FILL, 2));
    let found = a.on(xp)?.weighted_cross_gram(&host::upload(xp, &w)?, &a.on(xp)?)?;
    for i in [0, 1, 100, 199] {
        let weights = w.index_axis(ndarray::Axis(0), i).to_owned();
        hold_gram(check, &found.slice(array_api::s![i])?, &a, &weights, &a)?;
    }
    // So many that a GPU's threads take two columns each, and one with many columns.
    let (a, w) = (Sparse::<f64>::random([3, 9], FILL, 1), host::random::<f64>(&[4700, 3], FILL, 2));
    let found = a.on(xp)?.weighted_cross_gram(&host::upload(xp, &w)?, &a.on(xp)?)?;
    for i in [0, 2048, 4699] {
        let weights = w.index_axis(ndarray::Axis(0), i).to_owned();
        hold_gram(check, &found.slice(array_api::s![i])?, &a, &weights, &a)?;
    }
    let (a, w) = (Sparse::<f64>::random([300, 130], FILL, 1), host::random::<f64>(&[300], FILL, 2));
    hold_gram(check, &a.on(xp)?.weighted_gram(&host::upload(xp, &w)?)?, &a, &w, &a)?;
    let a = Sparse::<f64>::random([4, 2], FILL, 1).on(xp)?;
    for shape in [vec![3], vec![3, 4, 1], vec![2, 3], vec![]] {
        let w = Array::ones(xp, &shape)?;
        let words = ["weighted_cross_gram", "(4, 4)"];
        check.refused_with("weights that do not fit", a.weighted_gram(&w), &words)?;
    }
    let none = Sparse::<f64>::random([0, 2], FILL, 1).on(xp)?;
    let empty_cube = Array::ones(xp, &[0, 1, 1])?;
    check.refused_with("no rows and weights of three axes", none.weighted_gram(&empty_cube), &["(0, 1, 1)"])
}

fn row_pair_products<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let cases = (0..6_usize, 0..5_usize, 0..5_usize, any::<u64>());
    for_all(cases, |(rows, p, q, seed)| {
        let (a, b) =
            (Sparse::<f64>::random([rows, p], FILL, seed), Sparse::<f64>::random([rows, q], FILL, seed ^ 1));
        let (found, pairs) = a.on(xp)?.row_pair_products(&b.on(xp)?)?;
        let mut expected: Vec<(usize, usize)> = Vec::new();
        for row in 0..rows {
            for (left, _) in a.row(row) {
                expected.extend(b.row(row).map(|(right, _)| (left, right)));
            }
        }
        expected.sort_unstable();
        expected.dedup();
        check.equal("pairs", &pairs, &expected)?;
        let ((left, left_size), (right, right_size)) = (a.dense(), b.dense());
        let product = |x: &Host<f64>, y: &Host<f64>| {
            host::build(&[rows, pairs.len()], |i| x[[i[0], pairs[i[1]].0]] * y[[i[0], pairs[i[1]].1]])
        };
        let size = product(&left_size, &right_size).mapv(|v| 18.0 * v);
        check.scaled("products of pairs", &found.to_dense()?, &product(&left, &right), &size, &MATMUL)
    })?;
    let (a, b) =
        (Sparse::<f64>::random([3, 2], FILL, 1).on(xp)?, Sparse::<f64>::random([4, 2], FILL, 1).on(xp)?);
    let error = Error::ShapeMismatch { operation: "row_pair_products", left: vec![3, 2], right: vec![4, 2] };
    check.refused("different numbers of rows", a.row_pair_products(&b), &error)
}

fn csr_refuses<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let new = |indptr: &[i32], indices: &[i32], data: &[f64]| {
        Csr::new(xp, [2, 3], indptr.to_vec(), indices.to_vec(), data.to_vec())
    };
    check.refused_with("too few row ends", new(&[0, 0], &[], &[]), &["Csr::new", "3 numbers"])?;
    check.refused_with("a first row that starts late", new(&[1, 1, 1], &[0], &[0.0]), &["first one 0"])?;
    check.refused_with("rows that go backwards", new(&[0, 2, 1], &[0], &[1.0]), &["must not decrease"])?;
    check.refused_with(
        "too few values",
        new(&[0, 1, 2], &[0, 1], &[1.0]),
        &["ends at 2", "2 indices", "1 values"],
    )?;
    check.refused_with("a column outside", new(&[0, 1, 1], &[3], &[1.0]), &["column 3", "3 columns"])?;
    check.refused_with("a negative column", new(&[0, 1, 1], &[-1], &[1.0]), &["column -1"])?;
    let a = new(&[0, 1, 2], &[0, 2], &[1.0, 2.0])?;
    let x = Array::ones(xp, &[4, 5])?;
    let error = |operation| Error::ShapeMismatch { operation, left: vec![2, 3], right: vec![4, 5] };
    check.refused("a x", a.matmul(&x), &error("Csr::matmul"))?;
    check.refused("a^T x", a.transposed_matmul(&x), &error("Csr::transposed_matmul"))?;
    check.refused_with("x a", a.left_matmul(&x), &["(2, 3)", "(5, 4)"])?;
    check.refused_with("x a^T", a.left_matmul_transposed(&x), &["(2, 3)", "(5, 4)"])?;
    check.refused_with("a vector", a.matmul(&Array::ones(xp, &[3])?), &["(2, 3)", "(3,)"])
}

fn csr_scipy<B: Backend>(xp: &B, check: &Check) -> Outcome {
    type Method<B> = fn(&Csr<f64, B>, &Array<f64, B>) -> Result<Array<f64, B>>;
    let methods: [(&str, Method<B>); 3] = [
        ("csr_matmul", Csr::matmul),
        ("csr_transposed_matmul", Csr::transposed_matmul),
        ("csr_weighted_gram", Csr::weighted_gram),
    ];
    for (op, method) in methods {
        for record in reference::records::<f64>(op)? {
            let a = Csr::from_dense(&host::upload(xp, &record.input(0)?)?)?;
            let found = method(&a, &host::upload(xp, &record.input(1)?)?)?;
            let expected = record.output::<f64>()?;
            let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            check.scaled(&record.title(), &found, &expected, &expected.mapv(|_| 16.0 * largest), &MATMUL)?;
        }
    }
    Ok(())
}
