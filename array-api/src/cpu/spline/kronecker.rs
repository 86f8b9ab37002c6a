//! `(A (x) C)^T f`: sums of images times the products of functions of rows and of columns.

use std::ops::Range;

use pulp::Simd;
use pulp::bytemuck::cast_slice;

use super::SplinePlan;
use super::vectors::{add_products, add_run, at_once, of_sums};
use crate::Float;
use crate::cpu::vectors::{Kernel, dispatch};

/// Adds to `out` the sums of `f`, of some rows of a plan, times the products of functions of both.
pub(super) fn project_kronecker<T: Float, const TERMS: usize>(
    rows: &SplinePlan,
    range: &Range<usize>,
    columns: &SplinePlan,
    f: &[T],
    out: &mut [f64],
) {
    dispatch(ProjectKronecker::<T, TERMS> { rows, range: range.clone(), columns, f, out });
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

impl<T: Float, const TERMS: usize> Kernel for ProjectKronecker<'_, T, TERMS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        let Self { rows, range, columns, f, out } = self;
        let (outer_terms, inner, width) =
            (rows.basis.degree() + 1, columns.basis.functions(), columns.columns);
        let interval_of = |row: usize| rows.row(row).1[0].interval as usize;
        let mut combined = vec![0.0; outer_terms * width];
        let mut first = range.start;
        while first < range.end {
            let outer = interval_of(first);
            let group = (first..range.end).take_while(|&row| interval_of(row) == outer).count();
            let f = &f[(first - range.start) * width..][..group * width];
            let distances =
                (first..first + group).map(|row| rows.row(row).0[0] - rows.basis.centres()[outer]);
            let distances: Vec<f64> = distances.collect();
            for (four, combined) in combined.chunks_mut(TOGETHER * width).enumerate() {
                let functions = RowFunctions { plan: rows, interval: outer, first: four * TOGETHER };
                match combined.len() / width {
                    1 => combine::<S, T, 1>(simd, f, &distances, functions, combined),
                    2 => combine::<S, T, 2>(simd, f, &distances, functions, combined),
                    3 => combine::<S, T, 3>(simd, f, &distances, functions, combined),
                    _ => combine::<S, T, TOGETHER>(simd, f, &distances, functions, combined),
                }
            }
            let (mut lines, mut out) = (&combined[..], &mut out[outer * inner..]);
            while !lines.is_empty() {
                let count = at_once::<S>(of_sums::<S, TERMS>(), lines.len() / width);
                match count {
                    1 => add_lines::<S, TERMS, 1, N>(simd, columns, lines, out),
                    2 => add_lines::<S, TERMS, 2, N>(simd, columns, lines, out),
                    3 => add_lines::<S, TERMS, 3, N>(simd, columns, lines, out),
                    _ => add_lines::<S, TERMS, 4, N>(simd, columns, lines, out),
                }
                lines = &lines[count * width..];
                out = &mut out[count * inner..];
            }
            first += group;
        }
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

/// Adds to the sums of some functions of rows times those of columns what the lines have that are combined with
/// the former.
#[inline(always)]
fn add_lines<S: Simd, const TERMS: usize, const LINES: usize, const N: usize>(
    simd: S,
    columns: &SplinePlan,
    lines: &[f64],
    out: &mut [f64],
) {
    let width = columns.columns;
    let mut each = [&lines[..0]; LINES];
    for (each, line) in each.iter_mut().zip(lines.chunks_exact(width)) {
        *each = line;
    }
    let (x, runs) = columns.row(0);
    for &run in runs {
        let mut sums = [[[simd.splat_f64s(0.0); N]; TERMS]; LINES];
        add_run(simd, &mut sums, columns, x, run, &each);
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(columns.basis.functions())) {
            add_products::<S, TERMS, N>(out, columns, run.interval as usize, sums);
        }
    }
}

/// Functions of an interval of rows, from the `first` on.
#[derive(Clone, Copy)]
struct RowFunctions<'a> {
    plan: &'a SplinePlan,
    interval: usize,
    first: usize,
}

impl RowFunctions<'_> {
    /// The value of the `j`th at a distance from the middle of the interval.
    #[inline(always)]
    fn value(&self, j: usize, s: f64) -> f64 {
        let polynomial = self.plan.polynomial(self.interval, self.first + j);
        polynomial.iter().rev().fold(0.0, |sum, c| sum * s + c)
    }
}

/// The sums of the rows of `f` times each of some functions, row after row.
#[inline(always)]
fn combine<S: Simd, T: Float, const FUNCTIONS: usize>(
    simd: S,
    f: &[T],
    distances: &[f64],
    functions: RowFunctions<'_>,
    out: &mut [f64],
) {
    let width = out.len() / FUNCTIONS;
    let mut values = vec![[0.0; FUNCTIONS]; distances.len()];
    for (values, &s) in values.iter_mut().zip(distances) {
        for (j, of_function) in values.iter_mut().enumerate() {
            *of_function = functions.value(j, s);
        }
    }
    let block = 2 * S::F64_LANES;
    let whole = width - width % block;
    for start in (0..whole).step_by(block) {
        let mut sums = [[simd.splat_f64s(0.0); 2]; FUNCTIONS];
        // No zip: where a crate is compiled in parts that nothing joins again, it is a call for each row.
        let mut rows = f.chunks_exact(width);
        for values in &values {
            let Some(row) = rows.next() else { unreachable!("a row for each distance") };
            let numbers = &row[start..start + block];
            let vectors = match S::F64_LANES {
                8 => two_vectors::<S, T, 16>(numbers),
                4 => two_vectors::<S, T, 8>(numbers),
                2 => two_vectors::<S, T, 4>(numbers),
                _ => two_vectors::<S, T, 2>(numbers),
            };
            for j in 0..FUNCTIONS {
                let value = simd.splat_f64s(values[j]);
                for i in 0..2 {
                    sums[j][i] = simd.mul_add_f64s(vectors[i], value, sums[j][i]);
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
