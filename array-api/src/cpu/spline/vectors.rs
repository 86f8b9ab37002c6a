//! Vectors of several neighbouring points, and sums over a run.

use pulp::Simd;

use super::{LANES, Run, SplinePlan};
use crate::Float;

/// [`LANES`] numbers in vectors.
pub(super) type Vectors<S, const N: usize> = [<S as Simd>::f64s; N];

/// For each of some images the sums of `f s^p`, where `s` is the distance from an interval's middle, in
/// [`LANES`] parts each.
pub(super) type Moments<S, const TERMS: usize, const N: usize, const IMAGES: usize> =
    [[Vectors<S, N>; TERMS]; IMAGES];

/// Vectors of the numbers in [`LANES`] places.
#[inline(always)]
pub(super) fn load<S: Simd, const N: usize>(numbers: &[f64; LANES]) -> Vectors<S, N> {
    let (vectors, _) = S::as_simd_f64s(numbers);
    let mut loaded = [vectors[0]; N];
    for (loaded, vector) in loaded.iter_mut().zip(vectors) {
        *loaded = *vector;
    }
    loaded
}

/// Writes vectors to [`LANES`] places.
#[inline(always)]
pub(super) fn store<S: Simd, const N: usize>(vectors: Vectors<S, N>, out: &mut [f64; LANES]) {
    let (to, _) = S::as_mut_simd_f64s(out);
    for (to, vector) in to.iter_mut().zip(&vectors) {
        *to = *vector;
    }
}

/// Vectors of the numbers in [`LANES`] places, in double precision.
#[inline(always)]
pub(super) fn load_wide<S: Simd, T: Float, const N: usize>(numbers: &[T; LANES]) -> Vectors<S, N> {
    load::<S, N>(&T::in_f64(numbers))
}

/// [`LANES`] numbers of a row; zeros stand for those behind its end.
#[inline(always)]
pub(super) fn window<T: Float>(row: &[T], at: usize) -> [T; LANES] {
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
pub(super) fn first_places<S: Simd, const N: usize>(simd: S, count: usize) -> [S::m64s; N] {
    const PLACES: [f64; LANES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    let count = simd.splat_f64s(count as f64);
    let places = load::<S, N>(&PLACES);
    let mut inside = [simd.less_than_f64s(places[0], count); N];
    for n in 1..N {
        inside[n] = simd.less_than_f64s(places[n], count);
    }
    inside
}

/// Adds to the sums of an image what [`LANES`] points have, given the powers of their distances.
#[inline(always)]
fn add_points<S: Simd, const TERMS: usize, const N: usize>(
    simd: S,
    sums: &mut [Vectors<S, N>; TERMS],
    powers: &[Vectors<S, N>; TERMS],
    terms: usize,
    f: Vectors<S, N>,
) {
    for n in 0..N {
        sums[0][n] = simd.add_f64s(sums[0][n], f[n]);
    }
    for p in 1..terms {
        for n in 0..N {
            sums[p][n] = simd.mul_add_f64s(f[n], powers[p][n], sums[p][n]);
        }
    }
}

/// Powers of the distances of points from the middle of an interval, the first of which is not used.
#[inline(always)]
fn powers<S: Simd, const TERMS: usize, const N: usize>(
    simd: S,
    x: Vectors<S, N>,
    centre: S::f64s,
    terms: usize,
) -> [Vectors<S, N>; TERMS] {
    let mut powers = [[centre; N]; TERMS];
    for n in 0..N {
        let s = simd.sub_f64s(x[n], centre);
        let mut power = s;
        for powers in &mut powers[1..terms] {
            powers[n] = power;
            power = simd.mul_f64s(power, s);
        }
    }
    powers
}

/// Adds to each `sums[image][p]` what the points of a run, a part of a row at `x`, have of `f s^p`, where `s` is the
/// distance from the middle of the run's interval. The points of all images are the same ones.
#[inline(always)]
pub(super) fn add_run<S: Simd, T: Float, const TERMS: usize, const N: usize, const IMAGES: usize>(
    simd: S,
    sums: &mut Moments<S, TERMS, N, IMAGES>,
    plan: &SplinePlan,
    x: &[f64],
    run: Run,
    f: &[&[T]; IMAGES],
) {
    let (centre, terms) = (plan.basis.centres()[run.interval as usize], plan.terms::<TERMS>());
    let (centre, run) = (simd.splat_f64s(centre), run.start as usize..run.end as usize);
    // A copy, which stays in registers.
    let mut total = *sums;
    let whole = x[run.clone()].as_chunks::<LANES>().0;
    let mut f_whole = [&[[T::ZERO; LANES]; 0][..]; IMAGES];
    for image in 0..IMAGES {
        f_whole[image] = &f[image][run.clone()].as_chunks::<LANES>().0[..whole.len()];
    }
    for (i, x) in whole.iter().enumerate() {
        let powers = powers::<S, TERMS, N>(simd, load::<S, N>(x), centre, terms);
        for image in 0..IMAGES {
            add_points(simd, &mut total[image], &powers, terms, load_wide::<S, T, N>(&f_whole[image][i]));
        }
    }
    let rest = run.len() % LANES;
    if rest > 0 {
        let (inside, at) = (first_places::<S, N>(simd, rest), run.end - rest);
        // What follows the run is as nothing at the middle, even where it is not finite.
        let mut x = load::<S, N>(&window(x, at));
        for n in 0..N {
            x[n] = simd.select_f64s(inside[n], x[n], centre);
        }
        let powers = powers::<S, TERMS, N>(simd, x, centre, terms);
        for image in 0..IMAGES {
            let mut f = load_wide::<S, T, N>(&window(f[image], at));
            for n in 0..N {
                f[n] = simd.select_f64s(inside[n], f[n], simd.splat_f64s(0.0));
            }
            add_points(simd, &mut total[image], &powers, terms, f);
        }
    }
    *sums = total;
}

/// The sum of [`LANES`] numbers, in pairs.
#[inline(always)]
fn total(s: &[f64]) -> f64 {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

/// Adds to the functions of an interval what the moments of an image there make of them.
#[inline(always)]
pub(super) fn add_products<S: Simd, const TERMS: usize, const N: usize>(
    out: &mut [f64],
    plan: &SplinePlan,
    interval: usize,
    moments: &[Vectors<S, N>; TERMS],
) {
    let (mut totals, terms) = ([0.0; TERMS], plan.terms::<TERMS>());
    for p in 0..terms {
        totals[p] = total(pulp::bytemuck::cast_slice(&moments[p]));
    }
    for (j, sum) in out[interval..interval + terms].iter_mut().enumerate() {
        let polynomial = &plan.polynomial(interval, j)[..terms];
        let mut products = 0.0;
        for p in 0..terms {
            products += polynomial[p] * totals[p];
        }
        *sum += products;
    }
}

/// How many of some things, at most four, go through a run together, given how many vectors belong to each: as many
/// as the processor has registers for. A few vectors more than that wait in memory, which takes less than to go
/// through the run once more.
#[inline(always)]
pub(super) fn at_once<S: Simd>(vectors: usize, left: usize) -> usize {
    let registers = if cfg!(target_arch = "x86_64") && S::F64_LANES < 8 { 16 } else { 32 };
    ((registers + registers / 8) / vectors).min(left).clamp(1, 4)
}

/// How many vectors the sums of a run take: see [`Moments`].
pub(super) const fn of_sums<S: Simd, const TERMS: usize>() -> usize {
    TERMS * (LANES / S::F64_LANES)
}
