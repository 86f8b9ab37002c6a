//! `A c`: splines at the points.

use std::ops::Range;

use pulp::Simd;

use super::vectors::{Vectors, at_once, first_places, load, store, window};
use super::{LANES, SplinePlan};
use crate::cpu::vectors::{Kernel, dispatch};

/// Makes `out`, some rows of a plan, image after image, the splines with these coefficients, or adds these to
/// what is there.
pub(super) fn evaluate<const TERMS: usize>(
    plan: &SplinePlan,
    rows: &Range<usize>,
    coefficients: &[f64],
    out: &mut [f64],
    add: bool,
) {
    dispatch(Evaluate::<TERMS> { plan, rows: rows.clone(), coefficients, out, add });
}

/// Several images go through a run together, as in [`project`](super::project).
struct Evaluate<'a, const TERMS: usize> {
    plan: &'a SplinePlan,
    rows: Range<usize>,
    coefficients: &'a [f64],
    out: &'a mut [f64],
    add: bool,
}

impl<const TERMS: usize> Kernel for Evaluate<'_, TERMS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        let Self { plan, rows, mut coefficients, mut out, add } = self;
        let (size, functions) = (rows.len() * plan.columns, plan.basis.functions());
        let intervals = plan.intervals(&rows);
        while !out.is_empty() {
            let images = at_once::<S>(TERMS, (out.len() / size).min(2));
            let (these, others) = coefficients.split_at(images * functions);
            let (points, other_points) = std::mem::take(&mut out).split_at_mut(images * size);
            (coefficients, out) = (others, other_points);
            let part = Evaluate::<TERMS> { plan, rows: rows.clone(), coefficients: these, out: points, add };
            match images {
                2 => evaluate_with::<S, TERMS, 2, N>(simd, part, intervals.clone()),
                _ => evaluate_with::<S, TERMS, 1, N>(simd, part, intervals.clone()),
            }
        }
    }
}

/// The splines of some intervals in powers of the distance from the middle of each.
#[inline(always)]
fn polynomials<const TERMS: usize, const IMAGES: usize>(
    plan: &SplinePlan,
    intervals: Range<usize>,
    coefficients: &[f64],
) -> Vec<[[f64; TERMS]; IMAGES]> {
    let terms = plan.terms::<TERMS>();
    let mut polynomials = vec![[[0.0; TERMS]; IMAGES]; intervals.len()];
    for (interval, of_images) in intervals.zip(&mut polynomials) {
        for (c, coefficients) in of_images.iter_mut().zip(coefficients.chunks(plan.basis.functions())) {
            for (j, weight) in coefficients[interval..interval + terms].iter().enumerate() {
                for (c, p) in c.iter_mut().zip(plan.polynomial(interval, j)) {
                    *c += weight * p;
                }
            }
        }
    }
    polynomials
}

/// Distances of points from the middle of an interval.
#[inline(always)]
fn distances<S: Simd, const N: usize>(simd: S, x: &[f64; LANES], centre: S::f64s) -> Vectors<S, N> {
    let mut s = load::<S, N>(x);
    for s in &mut s {
        *s = simd.sub_f64s(*s, centre);
    }
    s
}

/// Numbers plus a polynomial with these coefficients.
#[inline(always)]
fn plus<S: Simd, const TERMS: usize, const N: usize>(
    simd: S,
    mut numbers: Vectors<S, N>,
    s: Vectors<S, N>,
    c: &[S::f64s; TERMS],
    terms: usize,
) -> Vectors<S, N> {
    for n in 0..N {
        let mut value = c[terms - 1];
        for p in (0..terms - 1).rev() {
            value = simd.mul_add_f64s(value, s[n], c[p]);
        }
        numbers[n] = simd.add_f64s(numbers[n], value);
    }
    numbers
}

#[inline(always)]
fn evaluate_with<S: Simd, const TERMS: usize, const IMAGES: usize, const N: usize>(
    simd: S,
    kernel: Evaluate<'_, TERMS>,
    intervals: Range<usize>,
) {
    let Evaluate { plan, rows, coefficients, out, add } = kernel;
    let (width, size) = (plan.columns, rows.len() * plan.columns);
    let terms = plan.terms::<TERMS>();
    let first = intervals.start;
    let polynomials = polynomials::<TERMS, IMAGES>(plan, intervals, coefficients);
    let none = [simd.splat_f64s(0.0); N];
    for (number, row) in rows.enumerate() {
        let (x, runs) = plan.row(row);
        let mut images = out.chunks_exact_mut(size);
        let mut lines: [&mut [f64]; IMAGES] = std::array::from_fn(|_| match images.next() {
            Some(image) => &mut image[number * width..][..width],
            None => unreachable!("an output for each image"),
        });
        for run in runs {
            let (span, interval) = (run.start as usize..run.end as usize, run.interval as usize);
            let centre = simd.splat_f64s(plan.basis.centres()[interval]);
            let mut c = [[centre; TERMS]; IMAGES];
            let polynomial = polynomials[interval - first].as_flattened();
            for (c, polynomial) in c.as_flattened_mut().iter_mut().zip(polynomial) {
                *c = simd.splat_f64s(*polynomial);
            }
            let whole = x[span.clone()].as_chunks::<LANES>().0;
            for (i, x) in whole.iter().enumerate() {
                let s = distances::<S, N>(simd, x, centre);
                for (line, c) in lines.iter_mut().zip(&c) {
                    let Some(out) = line[span.start + i * LANES..].first_chunk_mut() else {
                        unreachable!("lines are as long as x")
                    };
                    let before = if add { load::<S, N>(out) } else { none };
                    store::<S, N>(plus::<S, TERMS, N>(simd, before, s, c, terms), out);
                }
            }
            let rest = span.len() % LANES;
            if rest > 0 {
                let (inside, at) = (first_places::<S, N>(simd, rest), span.end - rest);
                let s = distances::<S, N>(simd, &window(x, at), centre);
                for (line, c) in lines.iter_mut().zip(&c) {
                    let mut vectors = load::<S, N>(&window(line, at));
                    let after = plus::<S, TERMS, N>(simd, if add { vectors } else { none }, s, c, terms);
                    for n in 0..N {
                        vectors[n] = simd.select_f64s(inside[n], after[n], vectors[n]);
                    }
                    let mut merged = [0.0; LANES];
                    store::<S, N>(vectors, &mut merged);
                    let out = &mut line[at..];
                    match out.first_chunk_mut::<LANES>() {
                        Some(out) => *out = merged,
                        None => out.copy_from_slice(&merged[..out.len()]),
                    }
                }
            }
        }
    }
}
