//! Splines at fixed points.
//!
//! Neighbouring points mostly share a knot interval, so a row of points is cut once into runs of
//! one interval each. In a run a spline is a single polynomial in `s`, the distance from the middle
//! of the interval: evaluating it is a Horner scheme, projecting onto the basis needs the moments
//! `sum f s^p` only.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::{Cpu, CpuBuffer, contiguous};
use crate::Result;
use crate::backend::{Splines, View};
use crate::layout::Layout;
use crate::spline::PiecewisePolynomials;

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

/// Sums `f s^p` for `p < TERMS`.
struct Moments<'a, const TERMS: usize> {
    x: &'a [f64],
    f: &'a [f64],
    centre: f64,
}

impl<const TERMS: usize> WithSimd for Moments<'_, TERMS> {
    type Output = [f64; TERMS];
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; TERMS] {
        let mut sums = [[0.0; LANES]; TERMS];
        let mut xs = self.x.chunks_exact(LANES);
        let mut fs = self.f.chunks_exact(LANES);
        for (x, f) in (&mut xs).zip(&mut fs) {
            for lane in 0..LANES {
                let s = x[lane] - self.centre;
                let mut term = f[lane];
                for sum in &mut sums {
                    sum[lane] += term;
                    term *= s;
                }
            }
        }
        for (lane, (x, f)) in xs.remainder().iter().zip(fs.remainder()).enumerate() {
            let s = x - self.centre;
            let mut term = *f;
            for sum in &mut sums {
                sum[lane] += term;
                term *= s;
            }
        }
        sums.map(|s| ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])))
    }
}

/// Adds the polynomial with coefficients `c` in powers of `s` to `out`.
struct AddPolynomial<'a, const TERMS: usize> {
    x: &'a [f64],
    centre: f64,
    c: [f64; TERMS],
    out: &'a mut [f64],
}

impl<const TERMS: usize> WithSimd for AddPolynomial<'_, TERMS> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, x) in self.out.iter_mut().zip(self.x) {
            let s = x - self.centre;
            let mut value = self.c[TERMS - 1];
            for p in (0..TERMS - 1).rev() {
                value = value.mul_add(s, self.c[p]);
            }
            *out += value;
        }
    }
}

fn project<const TERMS: usize>(plan: &SplinePlan, rows: &Range<usize>, f: &[f64], out: &mut [f64]) {
    let arch = Arch::new();
    for (row, f) in rows.clone().zip(f.chunks(plan.columns)) {
        let (x, runs) = plan.row(row);
        for run in runs {
            let (span, interval) = (run.start as usize..run.end as usize, run.interval as usize);
            let moments = arch.dispatch(Moments::<TERMS> {
                x: &x[span.clone()],
                f: &f[span],
                centre: plan.basis.centres()[interval],
            });
            for (j, sum) in out[interval..interval + TERMS].iter_mut().enumerate() {
                let polynomial = plan.polynomial(interval, j);
                *sum += polynomial.iter().zip(&moments).map(|(c, m)| c * m).sum::<f64>();
            }
        }
    }
}

fn evaluate_add<const TERMS: usize>(
    plan: &SplinePlan,
    rows: &Range<usize>,
    coefficients: &[f64],
    out: &mut [f64],
) {
    let arch = Arch::new();
    for (row, out) in rows.clone().zip(out.chunks_mut(plan.columns)) {
        let (x, runs) = plan.row(row);
        for run in runs {
            let (span, interval) = (run.start as usize..run.end as usize, run.interval as usize);
            let mut c = [0.0; TERMS];
            for (j, weight) in coefficients[interval..interval + TERMS].iter().enumerate() {
                for (sum, p) in c.iter_mut().zip(plan.polynomial(interval, j)) {
                    *sum += weight * p;
                }
            }
            let centre = plan.basis.centres()[interval];
            arch.dispatch(AddPolynomial { x: &x[span.clone()], centre, c, out: &mut out[span] });
        }
    }
}

/// Calls a function with the number of terms of a degree, at most [`crate::spline::MAX_DEGREE`],
/// as a constant.
macro_rules! with_terms {
    ($degree:expr, $function:ident($($argument:expr),*)) => {
        match $degree {
            0 => $function::<1>($($argument),*),
            1 => $function::<2>($($argument),*),
            2 => $function::<3>($($argument),*),
            3 => $function::<4>($($argument),*),
            4 => $function::<5>($($argument),*),
            5 => $function::<6>($($argument),*),
            6 => $function::<7>($($argument),*),
            7 => $function::<8>($($argument),*),
            8 => $function::<9>($($argument),*),
            9 => $function::<10>($($argument),*),
            10 => $function::<11>($($argument),*),
            11 => $function::<12>($($argument),*),
            12 => $function::<13>($($argument),*),
            13 => $function::<14>($($argument),*),
            14 => $function::<15>($($argument),*),
            _ => $function::<16>($($argument),*),
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
        let terms = plan.basis.degree() + 1;
        let entries = rows.len() * plan.columns * terms;
        let (mut indices, mut data) = (CpuBuffer::unspecified(entries)?, CpuBuffer::unspecified(entries)?);
        let mut places = indices.chunks_mut(terms).zip(data.chunks_mut(terms));
        for row in rows {
            let (x, runs) = plan.row(row);
            for run in runs {
                let interval = run.interval as usize;
                let centre = plan.basis.centres()[interval];
                for (x, (columns, values)) in x[run.start as usize..run.end as usize].iter().zip(&mut places)
                {
                    let s = x - centre;
                    for (j, (column, value)) in columns.iter_mut().zip(values).enumerate() {
                        *column = (interval + j) as i32;
                        // No fused multiply-add: outside a vectorised kernel it is a function call.
                        *value = plan.polynomial(interval, j).iter().rev().fold(0.0, |sum, c| sum * s + c);
                    }
                }
            }
        }
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

    fn spline_project(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
        f: View<'_, f64, Self>,
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
            with_terms!(plan.basis.degree(), project(plan, &rows, f, out));
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
