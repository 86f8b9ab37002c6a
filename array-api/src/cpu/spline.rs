//! Splines at fixed points.
//!
//! Neighbouring points mostly share a knot interval, so a row of points is cut once into runs of
//! one interval each. In a run a spline is a single polynomial in `s`, the distance from the middle
//! of the interval: evaluating it is a Horner scheme, projecting onto the basis needs the moments
//! `sum f s^p` only.

mod evaluate;
mod kronecker;
mod project;
mod vectors;

use std::ops::Range;
use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use evaluate::evaluate;
use kronecker::project_kronecker;
use project::project;

use super::vectors::LANES;
use super::{Cpu, CpuBuffer, contiguous, parallel};
use crate::backend::{Splines, View};
use crate::layout::Layout;
use crate::spline::{MAX_DEGREE, PiecewisePolynomials};
use crate::{Float, Result};

/// Terms that a polynomial has at most. Kernels are compiled for each number of terms that is in use, up to six, and for
/// all above together, with room for so many: sixteen of each would take several minutes to compile.
const MANY: usize = MAX_DEGREE + 1;

/// A basis at the points of an image: each row cut into runs within one knot interval.
#[derive(Debug)]
pub struct SplinePlan {
    basis: PiecewisePolynomials,
    x: Arc<CpuBuffer<f64>>,
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

    /// From the first to the last interval that points of some rows are in: of a small window few of all.
    fn intervals(&self, rows: &Range<usize>) -> Range<usize> {
        let runs = self.first_run[rows.start] as usize..self.first_run[rows.end] as usize;
        let intervals = || self.runs[runs.clone()].iter().map(|run| run.interval as usize);
        intervals().min().unwrap_or(0)..intervals().max().map_or(0, |last| last + 1)
    }

    /// The number of terms of a polynomial, for a kernel that is compiled for `TERMS`: a constant unless these are [`MANY`].
    #[inline(always)]
    fn terms<const TERMS: usize>(&self) -> usize {
        if TERMS == MANY { self.basis.degree() + 1 } else { TERMS }
    }

    /// Coefficients of function `j` of an interval, in powers of `s`.
    fn polynomial(&self, interval: usize, j: usize) -> &[f64] {
        let terms = self.basis.degree() + 1;
        &self.basis.coefficients()[(interval * terms + j) * terms..][..terms]
    }
}

/// Writes the columns and values of the functions that are not zero at each point of some rows of a plan.
struct Design<'a, const TERMS: usize> {
    plan: &'a SplinePlan,
    rows: Range<usize>,
    columns: &'a mut [i32],
    values: &'a mut [f64],
}

impl<const TERMS: usize> WithSimd for Design<'_, TERMS> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Design { plan, rows, columns, values } = self;
        let terms = plan.terms::<TERMS>();
        let mut places = columns.chunks_exact_mut(terms).zip(values.chunks_exact_mut(terms));
        for row in rows {
            let (x, runs) = plan.row(row);
            for run in runs {
                let interval = run.interval as usize;
                let (mut numbers, mut polynomials) = ([0; TERMS], [[0.0; TERMS]; TERMS]);
                for j in 0..terms {
                    numbers[j] = (interval + j) as i32;
                    polynomials[j][..terms].copy_from_slice(plan.polynomial(interval, j));
                }
                let centre = plan.basis.centres()[interval];
                let run = run.start as usize..run.end as usize;
                for (x, (columns, values)) in x[run].iter().zip(&mut places) {
                    let s = x - centre;
                    columns.copy_from_slice(&numbers[..terms]);
                    for (value, c) in values.iter_mut().zip(&polynomials) {
                        *value = c[..terms].iter().rev().fold(0.0, |sum, c| sum * s + c);
                    }
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
    Arch::new().dispatch(Design::<TERMS> { plan, rows: rows.clone(), columns, values });
}

/// Calls a function with the number of terms of a degree as a constant, or with [`MANY`].
macro_rules! with_terms {
    ($degree:expr, $function:ident$(::<$type:ident>)?($($argument:expr),*)) => {
        match $degree {
            0 => $function::<$($type,)? 1>($($argument),*),
            1 => $function::<$($type,)? 2>($($argument),*),
            2 => $function::<$($type,)? 3>($($argument),*),
            3 => $function::<$($type,)? 4>($($argument),*),
            4 => $function::<$($type,)? 5>($($argument),*),
            5 => $function::<$($type,)? 6>($($argument),*),
            _ => $function::<$($type,)? MANY>($($argument),*),
        }
    };
}

/// Sums over points of numbers of this type, for [`Float`]. Functions of a type that is known are compiled here, once,
/// and not in each crate that calls them.
pub trait Sums: Sized {
    /// Adds to `out` the sums of `f`, of some rows of a plan, times each basis function, image after image.
    fn project(plan: &SplinePlan, rows: &Range<usize>, f: &[Self], out: &mut [f64]);
    /// Adds to `out` the sums of an image `f` times the products of functions of its rows, some of those of a plan, and
    /// of its columns.
    fn project_kronecker(
        rows: (&SplinePlan, &Range<usize>),
        columns: &SplinePlan,
        f: &[Self],
        out: &mut [f64],
    );
}

macro_rules! sums {
    ($($t:ident),*) => {$(
        impl Sums for $t {
            fn project(plan: &SplinePlan, rows: &Range<usize>, f: &[$t], out: &mut [f64]) {
                with_terms!(plan.basis.degree(), project::<$t>(plan, rows, f, out));
            }
            fn project_kronecker(
                (plan, rows): (&SplinePlan, &Range<usize>),
                columns: &SplinePlan,
                f: &[$t],
                out: &mut [f64],
            ) {
                with_terms!(columns.basis.degree(), project_kronecker::<$t>(plan, rows, columns, f, out));
            }
        }
    )*};
}

sums!(f32, f64);

impl Splines for Cpu {
    type Plan = SplinePlan;

    fn spline_plan(
        &self,
        basis: &PiecewisePolynomials,
        x: Arc<CpuBuffer<f64>>,
        [rows, columns]: [usize; 2],
    ) -> Result<SplinePlan> {
        let ends = basis.breakpoints();
        let inner = &ends[1..ends.len() - 1];
        let of_row = |row: &[f64]| {
            let mut runs: Vec<Run> = Vec::new();
            let mut interval = 0;
            for (column, &point) in row.iter().enumerate() {
                // The next point is mostly in the same interval or a neighbouring one.
                while interval < inner.len() && inner[interval] <= point {
                    interval += 1;
                }
                while interval > 0 && inner[interval - 1] > point {
                    interval -= 1;
                }
                match runs.last_mut() {
                    Some(run) if run.interval == interval as u32 => run.end += 1,
                    _ => runs.push(Run {
                        start: column as u32,
                        end: column as u32 + 1,
                        interval: interval as u32,
                    }),
                }
            }
            runs
        };
        let points = &x[..rows * columns];
        let of_rows: Vec<Vec<Run>> = if parallel(points.len()) {
            points.par_chunks(columns.max(1)).map(of_row).collect()
        } else {
            points.chunks(columns.max(1)).map(of_row).collect()
        };
        let mut first_run = vec![0];
        let mut runs = Vec::with_capacity(of_rows.iter().map(Vec::len).sum());
        for of_row in of_rows {
            runs.extend(of_row);
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

    fn spline_evaluate(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
        coefficients: View<'_, f64, Self>,
    ) -> Result<CpuBuffer<f64>> {
        let mut out = CpuBuffer::unspecified(coefficients.layout.shape()[0] * rows.len() * plan.columns)?;
        if !out.is_empty() {
            let coefficients = contiguous(coefficients);
            with_terms!(plan.basis.degree(), evaluate(plan, &rows, &coefficients, &mut out, false));
        }
        Ok(out)
    }

    fn spline_evaluate_add(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
        coefficients: View<'_, f64, Self>,
        out: &mut CpuBuffer<f64>,
        layout: &Layout,
    ) -> Result<()> {
        if layout.is_empty() {
            return Ok(());
        }
        let coefficients = contiguous(coefficients);
        let Some(range) = layout.contiguous_range() else {
            // A strided target: evaluate into a copy of it.
            let mut copy = contiguous(View { buffer: out, layout }).into_owned();
            with_terms!(plan.basis.degree(), evaluate(plan, &rows, &coefficients, &mut copy, true));
            let source = Layout::contiguous(layout.shape());
            let copy = CpuBuffer::from(copy);
            super::elementwise::scatter(View { buffer: &copy, layout: &source }, out, layout);
            return Ok(());
        };
        let out = &mut out[range];
        with_terms!(plan.basis.degree(), evaluate(plan, &rows, &coefficients, out, true));
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
        T::project(plan, &rows, &f, &mut out);
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
            T::project_kronecker((plan, &rows), columns, f, out);
        }
        Ok(out)
    }
}
