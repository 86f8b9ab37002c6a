//! `(A (x) C)^T f`: sums of images times the products of functions of rows and of columns.

use std::ops::Range;

use pulp::Simd;

use super::vectors::{Vectors, add_products, add_run, at_once, load_wide, of_sums, store};
use super::{LANES, SplinePlan};
use crate::Float;
use crate::cpu::vectors::{Kernel, dispatch};

/// Functions that rows are multiplied by at once.
const TOGETHER: usize = 5;

/// Columns that are worked on while their sums stay in the first-level cache.
const COLUMNS: usize = 512;

/// Adds to `out` the sums of `f`, of some rows of a plan, times the products of functions of both.
///
/// Rows between the same two knots are combined first: each of their functions then needs one pass over
/// the columns.
pub(super) fn project_kronecker<T: Float, const TERMS: usize>(
    rows: &SplinePlan,
    range: &Range<usize>,
    columns: &SplinePlan,
    f: &[T],
    out: &mut [f64],
) {
    let (functions, inner, width) = (rows.basis.degree() + 1, columns.basis.functions(), columns.columns);
    let interval_of = |row: usize| rows.row(row).1[0].interval as usize;
    let mut combined = vec![0.0; functions * width];
    let mut first = range.start;
    while first < range.end {
        let interval = interval_of(first);
        let group = (first..range.end).take_while(|&row| interval_of(row) == interval).count();
        let f = &f[(first - range.start) * width..][..group * width];
        let centre = rows.basis.centres()[interval];
        let distances: Vec<f64> = (first..first + group).map(|row| rows.row(row).0[0] - centre).collect();
        for (part, combined) in combined.chunks_mut(TOGETHER * width).enumerate() {
            let functions = RowFunctions { plan: rows, interval, first: part * TOGETHER };
            match combined.len() / width {
                1 => combine::<T, 1>(f, &distances, functions, combined),
                2 => combine::<T, 2>(f, &distances, functions, combined),
                3 => combine::<T, 3>(f, &distances, functions, combined),
                4 => combine::<T, 4>(f, &distances, functions, combined),
                _ => combine::<T, TOGETHER>(f, &distances, functions, combined),
            }
        }
        dispatch(AddLines::<TERMS> { columns, lines: &combined, out: &mut out[interval * inner..] });
        first += group;
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
    fn value(&self, j: usize, s: f64) -> f64 {
        let polynomial = self.plan.polynomial(self.interval, self.first + j);
        polynomial.iter().rev().fold(0.0, |sum, c| sum * s + c)
    }
}

/// The sums of the rows of `f` times each of some functions, row after row.
fn combine<T: Float, const FUNCTIONS: usize>(
    f: &[T],
    distances: &[f64],
    functions: RowFunctions<'_>,
    out: &mut [f64],
) {
    let width = out.len() / FUNCTIONS;
    let values: Vec<[f64; FUNCTIONS]> =
        distances.iter().map(|&s| std::array::from_fn(|j| functions.value(j, s))).collect();
    dispatch(Combine { f, width, values: &values, out });
}

/// The sums of the rows of `f` times their values of each function, a line of `out` for each. The columns of a row follow
/// each other in memory, those of the next row are far away: so some rows at a time go through a stretch of columns, whose
/// sums wait in the first-level cache for the next ones.
struct Combine<'a, T, const FUNCTIONS: usize> {
    f: &'a [T],
    width: usize,
    values: &'a [[f64; FUNCTIONS]],
    out: &'a mut [f64],
}

/// Sums of each function in some columns.
type Stretch<S, const N: usize, const FUNCTIONS: usize> = [[Vectors<S, N>; FUNCTIONS]];

impl<T: Float, const FUNCTIONS: usize> Kernel for Combine<'_, T, FUNCTIONS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        let whole = self.width - self.width % LANES;
        let mut sums = vec![[[simd.splat_f64s(0.0); N]; FUNCTIONS]; COLUMNS.min(whole) / LANES];
        for start in (0..whole).step_by(COLUMNS) {
            let columns = start..whole.min(start + COLUMNS);
            let sums = &mut sums[..columns.len() / LANES];
            sums.fill([[simd.splat_f64s(0.0); N]; FUNCTIONS]);
            // As many as leave registers for the values of each function.
            let first = if N == 1 {
                self.add_rows::<S, N, 4>(simd, 0, &columns, sums)
            } else {
                self.add_rows::<S, N, 2>(simd, 0, &columns, sums)
            };
            self.add_rows::<S, N, 1>(simd, first, &columns, sums);
            for (j, line) in self.out.chunks_exact_mut(self.width).enumerate() {
                for (sums, out) in sums.iter().zip(line[columns.clone()].as_chunks_mut().0) {
                    store::<S, N>(sums[j], out);
                }
            }
        }
        for (j, line) in self.out.chunks_exact_mut(self.width).enumerate() {
            for (column, out) in line.iter_mut().enumerate().skip(whole) {
                let products = self.f.chunks_exact(self.width).zip(self.values);
                *out = products
                    .fold(0.0, |sum, (row, values)| Float::to_f64(row[column]).mul_add(values[j], sum));
            }
        }
    }
}

impl<T: Float, const FUNCTIONS: usize> Combine<'_, T, FUNCTIONS> {
    /// Adds rows from the `first` on, so many at a time, and returns the first that is left over.
    #[inline(always)]
    fn add_rows<S: Simd, const N: usize, const ROWS: usize>(
        &self,
        simd: S,
        mut first: usize,
        columns: &Range<usize>,
        sums: &mut Stretch<S, N, FUNCTIONS>,
    ) -> usize {
        let none = simd.splat_f64s(0.0);
        while let Some(values) = self.values[first..].first_chunk::<ROWS>() {
            let mut factors = [[none; FUNCTIONS]; ROWS];
            for (factor, value) in factors.as_flattened_mut().iter_mut().zip(values.as_flattened()) {
                *factor = simd.splat_f64s(*value);
            }
            let mut rows = [&[[T::ZERO; LANES]; 0][..]; ROWS];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = self.f[(first + i) * self.width..][columns.clone()].as_chunks().0;
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let mut vectors = [[none; N]; ROWS];
                for (vectors, row) in vectors.iter_mut().zip(&rows) {
                    *vectors = load_wide::<S, T, N>(&row[i]);
                }
                for (j, sums) in sums.iter_mut().enumerate() {
                    for (vectors, factors) in vectors.iter().zip(&factors) {
                        for n in 0..N {
                            sums[n] = simd.mul_add_f64s(vectors[n], factors[j], sums[n]);
                        }
                    }
                }
            }
            first += ROWS;
        }
        first
    }
}

/// Adds to the sums of functions of rows times those of columns what the lines have that are combined with the former.
struct AddLines<'a, const TERMS: usize> {
    columns: &'a SplinePlan,
    lines: &'a [f64],
    out: &'a mut [f64],
}

impl<const TERMS: usize> Kernel for AddLines<'_, TERMS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        let Self { columns, mut lines, mut out } = self;
        let (width, inner) = (columns.columns, columns.basis.functions());
        while !lines.is_empty() {
            let count = at_once::<S>(of_sums::<S, TERMS>(), lines.len() / width);
            match count {
                1 => add_lines::<S, TERMS, 1, N>(simd, columns, lines, out),
                2 => add_lines::<S, TERMS, 2, N>(simd, columns, lines, out),
                3 => add_lines::<S, TERMS, 3, N>(simd, columns, lines, out),
                _ => add_lines::<S, TERMS, 4, N>(simd, columns, lines, out),
            }
            lines = &lines[count * width..];
            out = &mut std::mem::take(&mut out)[count * inner..];
        }
    }
}

/// The first of some lines, so many.
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
