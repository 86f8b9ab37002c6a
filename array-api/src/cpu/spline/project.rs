//! `A^T f`: sums of data times each basis function.

use std::ops::Range;

use pulp::Simd;

use super::SplinePlan;
use super::vectors::{Moments, add_products, add_run, at_once, of_sums};
use crate::Float;
use crate::cpu::vectors::{Kernel, dispatch};

/// Adds to `out` the sums of `f`, of some rows of a plan, times each basis function, image after image.
pub(super) fn project<T: Float, const TERMS: usize>(
    plan: &SplinePlan,
    rows: &Range<usize>,
    f: &[T],
    out: &mut [f64],
) {
    dispatch(Project::<T, TERMS> { plan, rows: rows.clone(), f, out });
}

/// A sum of `f s^p` is [`LANES`] partial sums of every eighth point of each run, over all rows, which
/// are added up in pairs at the end. The compiler makes no vectors of this by itself. Runs are short, so that
/// to begin and to end one takes as long as its points: several images go through it together.
struct Project<'a, T, const TERMS: usize> {
    plan: &'a SplinePlan,
    rows: Range<usize>,
    f: &'a [T],
    out: &'a mut [f64],
}

impl<T: Float, const TERMS: usize> Kernel for Project<'_, T, TERMS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        let Self { plan, rows, mut f, mut out } = self;
        let (size, functions) = (rows.len() * plan.columns, plan.basis.functions());
        while !f.is_empty() {
            let images = at_once::<S>(of_sums::<S, TERMS>(), (f.len() / size).min(2));
            let (these, others) = f.split_at(images * size);
            let (sums, other_sums) = std::mem::take(&mut out).split_at_mut(images * functions);
            (f, out) = (others, other_sums);
            let part = Project::<T, TERMS> { plan, rows: rows.clone(), f: these, out: sums };
            match images {
                2 => project_with::<S, T, TERMS, 2, N>(simd, part),
                _ => project_with::<S, T, TERMS, 1, N>(simd, part),
            }
        }
    }
}

#[inline(always)]
fn project_with<S: Simd, T: Float, const TERMS: usize, const IMAGES: usize, const N: usize>(
    simd: S,
    kernel: Project<'_, T, TERMS>,
) {
    let Project { plan, rows, f, out } = kernel;
    let (width, size) = (plan.columns, rows.len() * plan.columns);
    let none: Moments<S, TERMS, N, IMAGES> = [[[simd.splat_f64s(0.0); N]; TERMS]; IMAGES];
    let mut sums = vec![none; plan.basis.centres().len()];
    for (number, row) in rows.enumerate() {
        let (x, runs) = plan.row(row);
        let mut of_row = [&f[..0]; IMAGES];
        for (image, of_row) in of_row.iter_mut().enumerate() {
            *of_row = &f[image * size + number * width..][..width];
        }
        for &run in runs {
            add_run(simd, &mut sums[run.interval as usize], plan, x, run, &of_row);
        }
    }
    for (interval, sums) in sums.iter().enumerate() {
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(plan.basis.functions())) {
            add_products::<S, TERMS, N>(out, plan, interval, sums);
        }
    }
}
