//! Splines at fixed points.
//!
//! Neighbouring points mostly share a knot interval, so a row of points is cut once into runs of
//! one interval each. In a run a spline is a single polynomial in `s`, the distance from the middle
//! of the interval: evaluating it is a Horner scheme, projecting onto the basis needs the moments
//! `sum f s^p` only.

use std::ops::Range;

use pulp::bytemuck::cast_slice;
use pulp::{Arch, Simd, WithSimd};

use super::{Cpu, CpuBuffer, contiguous};
use crate::backend::{Splines, View};
use crate::layout::Layout;
use crate::spline::PiecewisePolynomials;
use crate::{Float, Result};

/// Partial sums kept side by side.
const LANES: usize = 8;

/// A basis at the points of an image: each row cut into runs within one knot interval.
#[derive(Debug)]
pub struct SplinePlan {
    basis: PiecewisePolynomials,
    x: Vec<f64>,
    columns: usize,
    /// Runs of row `i` are number `first_run[i]..first_run[i + 1]`.
    first_run: Vec<u32>,
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    start: u32,
    end: u32,
    interval: u32,
}

impl SplinePlan {
    fn row(&self, row: usize) -> (&[f64], &[Run]) {
        let runs = self.first_run[row] as usize..self.first_run[row + 1] as usize;
        (&self.x[row * self.columns..(row + 1) * self.columns], &self.runs[runs])
    }

    /// Coefficients of function `j` of an interval, in powers of `s`.
    fn polynomial(&self, interval: usize, j: usize) -> &[f64] {
        let terms = self.basis.degree() + 1;
        &self.basis.coefficients()[(interval * terms + j) * terms..][..terms]
    }
}

/// Calls a function of a [`Simd`] whose second parameter is how many of its vectors make up [`LANES`].
macro_rules! with_vectors {
    ($function:ident::<$($parameter:ident),+>($simd:ident, $arguments:expr)) => {
        match LANES / <S as Simd>::F64_LANES {
            1 => $function::<S, $($parameter,)+ 1>($simd, $arguments),
            2 => $function::<S, $($parameter,)+ 2>($simd, $arguments),
            4 => $function::<S, $($parameter,)+ 4>($simd, $arguments),
            _ => $function::<S, $($parameter,)+ LANES>($simd, $arguments),
        }
    };
}

/// Vectors of the numbers in [`LANES`] places.
#[inline(always)]
fn load<S: Simd, const N: usize>(numbers: &[f64; LANES]) -> [S::f64s; N] {
    let (vectors, _) = S::as_simd_f64s(numbers);
    std::array::from_fn(|n| vectors[n])
}

/// Writes vectors to [`LANES`] places.
#[inline(always)]
fn store<S: Simd, const N: usize>(vectors: [S::f64s; N], out: &mut [f64; LANES]) {
    let (to, _) = S::as_mut_simd_f64s(out);
    to.iter_mut().zip(vectors).for_each(|(to, vector)| *to = vector);
}

/// Vectors of the numbers in [`LANES`] places, in double precision.
#[inline(always)]
fn load_wide<S: Simd, T: Float, const N: usize>(numbers: &[T; LANES]) -> [S::f64s; N] {
    load::<S, N>(&T::in_f64(numbers))
}

/// [`LANES`] numbers of a row; zeros stand for those behind its end.
#[inline(always)]
fn window<T: Float>(row: &[T], at: usize) -> [T; LANES] {
    match row[at..].first_chunk() {
        Some(numbers) => *numbers,
        None => {
            let mut numbers = [T::ZERO; LANES];
            numbers[..row.len() - at].copy_from_slice(&row[at..]);
            numbers
        }
    }
}

/// Vectors with the first `count` places set.
#[inline(always)]
fn first_places<S: Simd, const N: usize>(simd: S, count: usize) -> [S::m64s; N] {
    const PLACES: [f64; LANES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    let count = simd.splat_f64s(count as f64);
    load::<S, N>(&PLACES).map(|place| simd.less_than_f64s(place, count))
}

/// Adds to each `sums[p]` what the points of a run, a part of a row, have of `f (x - centre)^p`.
#[inline(always)]
fn add_run<S: Simd, T: Float, const TERMS: usize, const N: usize>(
    simd: S,
    sums: &mut [[S::f64s; N]; TERMS],
    x: &[f64],
    f: &[T],
    run: Range<usize>,
    centre: f64,
) {
    let centre = simd.splat_f64s(centre);
    // A copy, which stays in registers.
    let mut total = *sums;
    let mut add = |x: [S::f64s; N], f: [S::f64s; N]| {
        for n in 0..N {
            let s = simd.sub_f64s(x[n], centre);
            let mut power = s;
            total[0][n] = simd.add_f64s(total[0][n], f[n]);
            for sum in &mut total[1..] {
                sum[n] = simd.mul_add_f64s(f[n], power, sum[n]);
                power = simd.mul_f64s(power, s);
            }
        }
    };
    let whole = f[run.clone()].as_chunks::<LANES>().0;
    for (x, f) in x[run.clone()].as_chunks::<LANES>().0.iter().zip(whole) {
        add(load::<S, N>(x), load_wide::<S, T, N>(f));
    }
    let rest = run.len() % LANES;
    if rest > 0 {
        let (inside, at) = (first_places::<S, N>(simd, rest), run.end - rest);
        let (x, f) = (load::<S, N>(&window(x, at)), load_wide::<S, T, N>(&window(f, at)));
        // What follows the run is as nothing at the middle, even where it is not finite.
        let x = std::array::from_fn(|n| simd.select_f64s(inside[n], x[n], centre));
        let f = std::array::from_fn(|n| simd.select_f64s(inside[n], f[n], simd.splat_f64s(0.0)));
        add(x, f);
    }
    *sums = total;
}

/// The sum of [`LANES`] numbers, in pairs.
#[inline(always)]
fn total(s: &[f64]) -> f64 {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

/// Adds to the functions of an interval what the moments there make of them.
#[inline(always)]
fn add_products<const TERMS: usize>(
    out: &mut [f64],
    plan: &SplinePlan,
    interval: usize,
    moments: &[f64; TERMS],
) {
    for (j, sum) in out[interval..interval + TERMS].iter_mut().enumerate() {
        let polynomial = plan.polynomial(interval, j);
        *sum += polynomial.iter().zip(moments).map(|(c, m)| c * m).sum::<f64>();
    }
}

/// Adds to `out` the sums of `f`, of some rows of a plan, times each basis function.
///
/// A sum of `f s^p` is [`LANES`] partial sums of every eighth point of each run, over all rows, which
/// are added up in pairs at the end. The compiler makes no vectors of this by itself.
struct Project<'a, T, const TERMS: usize> {
    plan: &'a SplinePlan,
    rows: Range<usize>,
    f: &'a [T],
    out: &'a mut [f64],
}

impl<T: Float, const TERMS: usize> WithSimd for Project<'_, T, TERMS> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        with_vectors!(project_with::<T, TERMS>(simd, self));
    }
}

#[inline(always)]
fn project_with<S: Simd, T: Float, const TERMS: usize, const N: usize>(
    simd: S,
    kernel: Project<'_, T, TERMS>,
) {
    let Project { plan, rows, f, out } = kernel;
    let intervals = plan.basis.centres().len();
    let mut sums = vec![[[simd.splat_f64s(0.0); N]; TERMS]; intervals];
    for (row, f) in rows.zip(f.chunks(plan.columns)) {
        let (x, runs) = plan.row(row);
        for run in runs {
            let (span, interval) = (run.start as usize..run.end as usize, run.interval as usize);
            add_run(simd, &mut sums[interval], x, f, span, plan.basis.centres()[interval]);
        }
    }
    for (interval, sums) in sums.iter().enumerate() {
        add_products(out, plan, interval, &sums.each_ref().map(|sum| total(cast_slice(sum))));
    }
}

/// Adds to `out`, some rows of a plan, the spline with these coefficients.
struct EvaluateAdd<'a, const TERMS: usize> {
    plan: &'a SplinePlan,
    rows: Range<usize>,
    coefficients: &'a [f64],
    out: &'a mut [f64],
}

impl<const TERMS: usize> WithSimd for EvaluateAdd<'_, TERMS> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        with_vectors!(evaluate_add_with::<TERMS>(simd, self));
    }
}

#[inline(always)]
fn evaluate_add_with<S: Simd, const TERMS: usize, const N: usize>(simd: S, kernel: EvaluateAdd<'_, TERMS>) {
    let EvaluateAdd { plan, rows, coefficients, out } = kernel;
    // Of each interval, in powers of the distance from its middle.
    let mut polynomials = vec![[0.0; TERMS]; plan.basis.centres().len()];
    for (interval, c) in polynomials.iter_mut().enumerate() {
        for (j, weight) in coefficients[interval..interval + TERMS].iter().enumerate() {
            for (c, p) in c.iter_mut().zip(plan.polynomial(interval, j)) {
                *c += weight * p;
            }
        }
    }
    for (row, out) in rows.zip(out.chunks_mut(plan.columns)) {
        let (x, runs) = plan.row(row);
        for run in runs {
            let (span, interval) = (run.start as usize..run.end as usize, run.interval as usize);
            let centre = simd.splat_f64s(plan.basis.centres()[interval]);
            let c = polynomials[interval].map(|c| simd.splat_f64s(c));
            let sum = |x: [S::f64s; N], before: [S::f64s; N]| -> [S::f64s; N] {
                std::array::from_fn(|n| {
                    let s = simd.sub_f64s(x[n], centre);
                    let mut value = c[TERMS - 1];
                    for p in (0..TERMS - 1).rev() {
                        value = simd.mul_add_f64s(value, s, c[p]);
                    }
                    simd.add_f64s(before[n], value)
                })
            };
            let whole = out[span.clone()].as_chunks_mut::<LANES>().0;
            for (out, x) in whole.iter_mut().zip(x[span.clone()].as_chunks::<LANES>().0) {
                store::<S, N>(sum(load::<S, N>(x), load::<S, N>(out)), out);
            }
            let rest = span.len() % LANES;
            if rest > 0 {
                let (inside, at) = (first_places::<S, N>(simd, rest), span.end - rest);
                let before = load::<S, N>(&window(out, at));
                let after = sum(load::<S, N>(&window(x, at)), before);
                let mut merged = [0.0; LANES];
                let vectors = std::array::from_fn(|n| simd.select_f64s(inside[n], after[n], before[n]));
                store::<S, N>(vectors, &mut merged);
                let out = &mut out[at..];
                match out.first_chunk_mut::<LANES>() {
                    Some(out) => *out = merged,
                    None => out.copy_from_slice(&merged[..out.len()]),
                }
            }
        }
    }
}

/// Adds to `out` the sums of `f`, of some rows of a plan, times the products of functions of both.
///
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
    let (x, runs) = columns.row(0);
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
            match combined.len() / width {
                1 => combine::<S, T, 1>(simd, f, &distances, value, combined),
                2 => combine::<S, T, 2>(simd, f, &distances, value, combined),
                3 => combine::<S, T, 3>(simd, f, &distances, value, combined),
                _ => combine::<S, T, TOGETHER>(simd, f, &distances, value, combined),
            }
        }
        for (j, f) in combined.chunks_exact(width).enumerate() {
            let out = &mut out[(outer + j) * inner..][..inner];
            for run in runs {
                let (span, interval) = (run.start as usize..run.end as usize, run.interval as usize);
                let mut sums = [[simd.splat_f64s(0.0); N]; TERMS];
                let centre = columns.basis.centres()[interval];
                add_run(simd, &mut sums, x, f, span, centre);
                add_products(out, columns, interval, &sums.each_ref().map(|sum| total(cast_slice(sum))));
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

/// Writes the columns and values of the functions that are not zero at each point of some rows of a plan.
struct Design<'a, const TERMS: usize> {
    plan: &'a SplinePlan,
    rows: Range<usize>,
    columns: &'a mut [[i32; TERMS]],
    values: &'a mut [[f64; TERMS]],
}

impl<const TERMS: usize> WithSimd for Design<'_, TERMS> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Design { plan, rows, columns, values } = self;
        let mut places = columns.iter_mut().zip(values);
        for row in rows {
            let (x, runs) = plan.row(row);
            for run in runs {
                let interval = run.interval as usize;
                let numbers: [i32; TERMS] = std::array::from_fn(|j| (interval + j) as i32);
                let polynomials: [[f64; TERMS]; TERMS] =
                    std::array::from_fn(|j| std::array::from_fn(|p| plan.polynomial(interval, j)[p]));
                let centre = plan.basis.centres()[interval];
                let run = run.start as usize..run.end as usize;
                for (x, (columns, values)) in x[run].iter().zip(&mut places) {
                    let s = x - centre;
                    *columns = numbers;
                    *values = polynomials.map(|c| c.iter().rev().fold(0.0, |sum, c| sum * s + c));
                }
            }
        }
    }
}

fn design<const TERMS: usize>(
    plan: &SplinePlan,
    rows: &Range<usize>,
    columns: &mut [i32],
    values: &mut [f64],
) {
    let (columns, values) = (columns.as_chunks_mut().0, values.as_chunks_mut().0);
    Arch::new().dispatch(Design::<TERMS> { plan, rows: rows.clone(), columns, values });
}

fn project_kronecker<T: Float, const TERMS: usize>(
    rows: &SplinePlan,
    range: &Range<usize>,
    columns: &SplinePlan,
    f: &[T],
    out: &mut [f64],
) {
    Arch::new().dispatch(ProjectKronecker::<T, TERMS> { rows, range: range.clone(), columns, f, out });
}

fn project<T: Float, const TERMS: usize>(plan: &SplinePlan, rows: &Range<usize>, f: &[T], out: &mut [f64]) {
    Arch::new().dispatch(Project::<T, TERMS> { plan, rows: rows.clone(), f, out });
}

fn evaluate_add<const TERMS: usize>(
    plan: &SplinePlan,
    rows: &Range<usize>,
    coefficients: &[f64],
    out: &mut [f64],
) {
    Arch::new().dispatch(EvaluateAdd::<TERMS> { plan, rows: rows.clone(), coefficients, out });
}

/// Calls a function with the number of terms of a degree, at most [`crate::spline::MAX_DEGREE`],
/// as a constant.
macro_rules! with_terms {
    ($degree:expr, $function:ident$(::<$type:ident>)?($($argument:expr),*)) => {
        match $degree {
            0 => $function::<$($type,)? 1>($($argument),*),
            1 => $function::<$($type,)? 2>($($argument),*),
            2 => $function::<$($type,)? 3>($($argument),*),
            3 => $function::<$($type,)? 4>($($argument),*),
            4 => $function::<$($type,)? 5>($($argument),*),
            5 => $function::<$($type,)? 6>($($argument),*),
            6 => $function::<$($type,)? 7>($($argument),*),
            7 => $function::<$($type,)? 8>($($argument),*),
            8 => $function::<$($type,)? 9>($($argument),*),
            9 => $function::<$($type,)? 10>($($argument),*),
            10 => $function::<$($type,)? 11>($($argument),*),
            11 => $function::<$($type,)? 12>($($argument),*),
            12 => $function::<$($type,)? 13>($($argument),*),
            13 => $function::<$($type,)? 14>($($argument),*),
            14 => $function::<$($type,)? 15>($($argument),*),
            _ => $function::<$($type,)? 16>($($argument),*),
        }
    };
}

impl Splines for Cpu {
    type Plan = SplinePlan;

    fn spline_plan(&self, basis: &PiecewisePolynomials, x: View<'_, f64, Self>) -> Result<SplinePlan> {
        let (rows, columns) = (x.layout.shape()[0], x.layout.shape()[1]);
        let x = contiguous(x).into_owned();
        let ends = basis.breakpoints();
        let inner = &ends[1..ends.len() - 1];
        let mut first_run = vec![0];
        let mut runs: Vec<Run> = Vec::new();
        for row in x.chunks(columns.max(1)) {
            let begin = runs.len();
            let mut interval = 0;
            for (column, &point) in row.iter().enumerate() {
                // The next point is mostly in the same interval or a neighbouring one.
                while interval < inner.len() && inner[interval] <= point {
                    interval += 1;
                }
                while interval > 0 && inner[interval - 1] > point {
                    interval -= 1;
                }
                match runs[begin..].last_mut() {
                    Some(run) if run.interval == interval as u32 => run.end += 1,
                    _ => runs.push(Run {
                        start: column as u32,
                        end: column as u32 + 1,
                        interval: interval as u32,
                    }),
                }
            }
            first_run.push(runs.len() as u32);
        }
        // Rows without points have no runs.
        first_run.resize(rows + 1, runs.len() as u32);
        Ok(SplinePlan { basis: basis.clone(), x, columns, first_run, runs })
    }

    fn spline_design(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
    ) -> Result<(CpuBuffer<i32>, CpuBuffer<f64>)> {
        let entries = rows.len() * plan.columns * (plan.basis.degree() + 1);
        let (mut indices, mut data) = (CpuBuffer::unspecified(entries)?, CpuBuffer::unspecified(entries)?);
        with_terms!(plan.basis.degree(), design(plan, &rows, &mut indices, &mut data));
        Ok((indices, data))
    }

    fn spline_evaluate_add(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
        coefficients: View<'_, f64, Self>,
        out: &mut CpuBuffer<f64>,
        layout: &Layout,
    ) -> Result<()> {
        let size = rows.len() * plan.columns;
        if layout.is_empty() {
            return Ok(());
        }
        let coefficients = contiguous(coefficients);
        let Some(range) = layout.contiguous_range() else {
            // A strided target: evaluate into a copy of it.
            let mut copy = contiguous(View { buffer: out, layout }).into_owned();
            evaluate_batch(plan, &rows, &coefficients, &mut copy, size);
            let source = Layout::contiguous(layout.shape());
            let copy = CpuBuffer::from(copy);
            super::elementwise::scatter(View { buffer: &copy, layout: &source }, out, layout);
            return Ok(());
        };
        evaluate_batch(plan, &rows, &coefficients, &mut out[range], size);
        Ok(())
    }

    fn spline_project<T: Float>(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
        f: View<'_, T, Self>,
    ) -> Result<CpuBuffer<f64>> {
        let batch = f.layout.shape()[0];
        let functions = plan.basis.functions();
        let f = contiguous(f);
        let mut out = CpuBuffer::zeros(batch * functions)?;
        if f.is_empty() {
            return Ok(out);
        }
        let size = rows.len() * plan.columns;
        for (f, out) in f.chunks(size).zip(out.chunks_mut(functions)) {
            with_terms!(plan.basis.degree(), project::<T>(plan, &rows, f, out));
        }
        Ok(out)
    }

    fn spline_project_kronecker<T: Float>(
        &self,
        (plan, rows): (&SplinePlan, Range<usize>),
        columns: &SplinePlan,
        f: View<'_, T, Self>,
    ) -> Result<CpuBuffer<f64>> {
        let batch = f.layout.shape()[0];
        let functions = plan.basis.functions() * columns.basis.functions();
        let f = contiguous(f);
        let mut out = CpuBuffer::zeros(batch * functions)?;
        if f.is_empty() {
            return Ok(out);
        }
        for (f, out) in f.chunks(rows.len() * columns.columns).zip(out.chunks_mut(functions)) {
            with_terms!(columns.basis.degree(), project_kronecker::<T>(plan, &rows, columns, f, out));
        }
        Ok(out)
    }
}

fn evaluate_batch(
    plan: &SplinePlan,
    rows: &Range<usize>,
    coefficients: &[f64],
    out: &mut [f64],
    size: usize,
) {
    let functions = plan.basis.functions();
    for (coefficients, out) in coefficients.chunks(functions).zip(out.chunks_mut(size)) {
        with_terms!(plan.basis.degree(), evaluate_add(plan, rows, coefficients, out));
    }
}
