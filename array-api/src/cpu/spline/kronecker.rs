//! `(A (x) C)^T f`: sums of images times the products of functions of rows and of columns.

use std::ops::Range;

use pulp::bytemuck::cast_slice;
use pulp::{Arch, Simd, WithSimd};

use super::vectors::{add_products, add_run, with_vectors};
use super::{LANES, SplinePlan};
use crate::Float;

/// Adds to `out` the sums of `f`, of some rows of a plan, times the products of functions of both.
pub(super) fn project_kronecker<T: Float, const TERMS: usize>(
    rows: &SplinePlan,
    range: &Range<usize>,
    columns: &SplinePlan,
    f: &[T],
    out: &mut [f64],
) {
    Arch::new().dispatch(ProjectKronecker::<T, TERMS> { rows, range: range.clone(), columns, f, out });
}

/// Rows between the same two knots are combined first: each of their functions then needs one pass over
/// the columns.
struct ProjectKronecker<'a, T, const TERMS: usize> {
    rows: &'a SplinePlan,
    range: Range<usize>,
    columns: &'a SplinePlan,
    f: &'a [T],
    out: &'a mut [f64],
}

impl<T: Float, const TERMS: usize> WithSimd for ProjectKronecker<'_, T, TERMS> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        with_vectors!(project_kronecker_with::<T, TERMS>(simd, self));
    }
}

#[inline(always)]
fn project_kronecker_with<S: Simd, T: Float, const TERMS: usize, const N: usize>(
    simd: S,
    kernel: ProjectKronecker<'_, T, TERMS>,
) {
    let ProjectKronecker { rows, range, columns, f, out } = kernel;
    let (outer_terms, inner, width) = (rows.basis.degree() + 1, columns.basis.functions(), columns.columns);
    let interval_of = |row: usize| rows.row(row).1[0].interval as usize;
    let mut combined = vec![0.0; outer_terms * width];
    let mut first = range.start;
    while first < range.end {
        let outer = interval_of(first);
        let group = (first..range.end).take_while(|&row| interval_of(row) == outer).count();
        let f = &f[(first - range.start) * width..][..group * width];
        let distances = (first..first + group).map(|row| rows.row(row).0[0] - rows.basis.centres()[outer]);
        let distances: Vec<f64> = distances.collect();
        let value = |j: usize, s: f64| rows.polynomial(outer, j).iter().rev().fold(0.0, |sum, c| sum * s + c);
        for (four, combined) in combined.chunks_mut(TOGETHER * width).enumerate() {
            let value = |j: usize, s: f64| value(four * TOGETHER + j, s);
            let out = &mut out[(outer + four * TOGETHER) * inner..];
            let group = Group { columns, f, distances: &distances, combined, out };
            match group.combined.len() / width {
                1 => add_group::<S, T, TERMS, 1, N>(simd, group, value),
                2 => add_group::<S, T, TERMS, 2, N>(simd, group, value),
                3 => add_group::<S, T, TERMS, 3, N>(simd, group, value),
                _ => add_group::<S, T, TERMS, TOGETHER, N>(simd, group, value),
            }
        }
        first += group;
    }
}

/// The first two vectors of numbers, which are `N` in all, in double precision.
#[inline(always)]
fn two_vectors<S: Simd, T: Float, const N: usize>(numbers: &[T]) -> [S::f64s; 2] {
    let Some(numbers) = numbers.first_chunk::<N>() else { unreachable!("a block has two vectors") };
    let numbers = T::in_f64(numbers);
    let (vectors, _) = S::as_simd_f64s(&numbers);
    [vectors[0], vectors[1]]
}

/// Functions that rows are multiplied by at once: their sums stay in registers.
const TOGETHER: usize = 4;

/// Rows between the same two knots, for some of their functions.
struct Group<'a, T> {
    columns: &'a SplinePlan,
    f: &'a [T],
    /// Of each row from the middle of the interval.
    distances: &'a [f64],
    /// Room for a row for each function.
    combined: &'a mut [f64],
    /// Sums for each function with those of the columns.
    out: &'a mut [f64],
}

/// Adds to the sums of a group what its rows have, given the value of a function at a distance.
#[inline(always)]
fn add_group<S: Simd, T: Float, const TERMS: usize, const FUNCTIONS: usize, const N: usize>(
    simd: S,
    group: Group<'_, T>,
    value: impl Fn(usize, f64) -> f64,
) {
    let Group { columns, f, distances, combined, out } = group;
    combine::<S, T, FUNCTIONS>(simd, f, distances, value, combined);
    let width = columns.columns;
    let lines: [&[f64]; FUNCTIONS] = std::array::from_fn(|j| &combined[j * width..][..width]);
    let (x, runs) = columns.row(0);
    for run in runs {
        let (span, interval) = (run.start as usize..run.end as usize, run.interval as usize);
        let mut sums = [[[simd.splat_f64s(0.0); N]; TERMS]; FUNCTIONS];
        add_run(simd, &mut sums, x, &lines, span, columns.basis.centres()[interval]);
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(columns.basis.functions())) {
            add_products::<S, TERMS, N>(out, columns, interval, sums);
        }
    }
}

/// For each `j` the sum of the rows of `f` times `value(j, distance)`, row after row.
#[inline(always)]
fn combine<S: Simd, T: Float, const FUNCTIONS: usize>(
    simd: S,
    f: &[T],
    distances: &[f64],
    value: impl Fn(usize, f64) -> f64,
    out: &mut [f64],
) {
    let width = out.len() / FUNCTIONS;
    let values: Vec<[f64; FUNCTIONS]> =
        distances.iter().map(|&s| std::array::from_fn(|j| value(j, s))).collect();
    let block = 2 * S::F64_LANES;
    let whole = width - width % block;
    for start in (0..whole).step_by(block) {
        let mut sums = [[simd.splat_f64s(0.0); 2]; FUNCTIONS];
        for (row, values) in f.chunks_exact(width).zip(&values) {
            let numbers = &row[start..start + block];
            let vectors = match S::F64_LANES {
                8 => two_vectors::<S, T, 16>(numbers),
                4 => two_vectors::<S, T, 8>(numbers),
                2 => two_vectors::<S, T, 4>(numbers),
                _ => two_vectors::<S, T, 2>(numbers),
            };
            for (sums, &value) in sums.iter_mut().zip(values) {
                let value = simd.splat_f64s(value);
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = simd.mul_add_f64s(vector, value, *sum);
                }
            }
        }
        for (out, sums) in out.chunks_exact_mut(width).zip(&sums) {
            out[start..start + block].copy_from_slice(cast_slice(sums));
        }
    }
    for column in whole..width {
        for (j, out) in out.chunks_exact_mut(width).enumerate() {
            let products = f.chunks_exact(width).zip(&values);
            out[column] =
                products.fold(0.0, |sum, (row, values)| Float::to_f64(row[column]).mul_add(values[j], sum));
        }
    }
}
