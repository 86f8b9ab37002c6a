//! Sums over pixels of smooth light, without going through the pixels.
//!
//! `A2^T diag(s) 10^(A1 w)` is linear in the image `10^(A1 w)`, which has as many numbers as there are pixels, but few
//! degrees of freedom. Where no two pieces of `A1` meet, between two rings about the boresight, it is an analytic
//! function of the distance `r` and of the angle. So each ring is cut into cells, in which a polynomial takes its
//! place, in Chebyshev polynomials of both (Trefethen, *Approximation Theory and Approximation Practice*, SIAM, 2013,
//! chapters 3, 4 and 8): its coefficients follow from `10^(A1 w)` at 56 points. What remains of the sum does not
//! depend on the frame, the sums over pixels of functions of `A2` times polynomials, and so times the light at the points:
//!
//! `A2^T diag(s) 10^(A1 w) = (A2^T diag(s) T C) 10^(P w)`, `T` the polynomials at the pixels, `C` what makes their coefficients
//! of the light at the points, and `P` the rows of `A1` there.
//!
//! How fast coefficients fall off says how near the polynomials are.

mod cells;
mod sums;
#[cfg(test)]
mod tests;

use std::f64::consts::{PI, SQRT_2};

use array_api::{Array, Backend, Csr, PiecewisePolynomials, host, s};
use ndarray::Array2;
use rayon::prelude::*;

use super::matrix::{RADIAL_EXPONENT, powers, spline_basis};
use super::{Basis, Design};
use crate::error::{Error, Result};
use crate::geometry::Window;
use cells::{Cell, cells};

/// Points, and polynomials, of a cell along `r` and along the angle.
const RADIAL: usize = 7;
const ANGULAR: usize = 8;

/// Points, and products of polynomials, of a cell; the angle changes faster.
const POINTS: usize = RADIAL * ANGULAR;

/// Cells in a ring: sectors of one width from `theta = 0`, along `x`, to a right angle.
const SECTORS: usize = 16;

/// The widest ring; pieces of `A1` that are wider are cut.
const WIDEST: f64 = 0.0125;

/// How large coefficients of the highest and of the second highest degree along an axis may be, on each line through points, in
/// terms of the average light for a cell to be resolved. Both count, since one of them is zero for an even or an odd function. Of light that falls off
/// as scattered light does, or as an exponential or a Gaussian does, the next coefficient, and so the error, is then less
/// than 1e-9 of the light in the cell; mostly it is below 1e-11.
const TAIL: [f64; 2] = [2e-8, 5e-7];

/// Coefficients of a cell that tell whether it is resolved.
const TAILS: usize = TAIL.len() * (RADIAL + ANGULAR);

/// Pixels for each point, at least, below which it takes less to go through the pixels.
const PIXELS_PER_POINT: usize = 4;

/// `A2^T diag(s) 10^(A1 w)` for the [weights](crate::mask::weight) `s` of the pixels of a window.
pub(crate) struct SmoothSums<B: Backend> {
    /// The rows of `A1` at the points of all cells, cell after cell.
    points: Csr<f64, B>,
    /// For each cell the coefficients that tell whether it is resolved, each by what it may be, and then the average light, of the
    /// light at the points.
    tails: Csr<f64, B>,
    /// `A2^T diag(s) T C`: a row for each function of `A2`, a column for each point.
    sums: Csr<f64, B>,
}

impl<B: Backend> Clone for SmoothSums<B> {
    fn clone(&self) -> Self {
        let Self { points, tails, sums } = self;
        Self { points: points.clone(), tails: tails.clone(), sums: sums.clone() }
    }
}

impl<B: Backend> SmoothSums<B> {
    /// Sums up over the pixels of a window, by whether each is kept. Nothing if `A1` has functions that are not smooth
    /// within rings, or none, or if there are too few pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] as for [`DesignMatrix::new`](super::DesignMatrix::new); errors of the backend.
    pub(crate) fn new(
        xp: &B,
        [design1, design2]: [&Design; 2],
        window: &Window,
        keep: &Array2<bool>,
    ) -> Result<Option<Self>> {
        let Some(smooth) = Smooth::new(design1)? else { return Ok(None) };
        let cells = cells(window, &smooth.rings());
        if cells.len() * POINTS * PIXELS_PER_POINT > keep.len() {
            return Ok(None);
        }
        Ok(Some(Self::over(xp, (&smooth, design2), window, keep, &cells)?))
    }

    /// Sums up over the pixels of cells.
    fn over(
        xp: &B,
        (smooth, design2): (&Smooth, &Design),
        window: &Window,
        keep: &Array2<bool>,
        cells: &[Cell],
    ) -> Result<Self> {
        Ok(Self {
            points: smooth.at_points(xp, window, cells)?,
            tails: tails(xp, cells.len())?,
            sums: sums::over_pixels(xp, design2, window, keep, cells)?,
        })
    }

    /// The sums for some frames, of shape (frames, columns of `A2`), from their weights `w`, of shape (frames, columns
    /// of `A1`); and whether the polynomials come near the light of each.
    pub(crate) fn of(&self, w: &Array<f64, B>) -> Result<(Array<f64, B>, Vec<bool>)> {
        let mut light = self.points.matmul(&w.matrix_transpose()?)?;
        light.exp10_assign()?;
        let frames = w.shape()[0];
        let cells = light.shape()[0] / POINTS;
        let tails = self.tails.matmul(&light)?.reshape(&[cells, TAILS + 1, frames])?;
        let largest = tails.slice(s![.., 0..TAILS])?.abs()?.max_axes(&[1], false)?;
        let resolved =
            largest.less_equal(&tails.slice(s![.., TAILS])?)?.all_axes_of(&[0], false)?.to_vec()?;
        Ok((self.sums.matmul(&light)?.matrix_transpose()?, resolved))
    }
}

/// A basis along one axis, on the host.
struct Pieces(PiecewisePolynomials);

impl Pieces {
    /// How many functions are not zero at a point.
    fn terms(&self) -> usize {
        self.0.degree() + 1
    }

    /// The interval of a point, looked for from the one of a point nearby.
    #[inline(always)]
    fn interval_from(&self, mut interval: usize, x: f64) -> usize {
        let ends = self.0.breakpoints();
        while interval + 2 < ends.len() && ends[interval + 1] <= x {
            interval += 1;
        }
        while interval > 0 && ends[interval] > x {
            interval -= 1;
        }
        interval
    }

    /// Sets `values` to those of the functions that are not zero at a point of an interval.
    #[inline(always)]
    fn evaluate(&self, interval: usize, x: f64, values: &mut [f64]) {
        let (terms, distance) = (self.terms(), x - self.0.centres()[interval]);
        let mut coefficients = &self.0.coefficients()[interval * terms * terms..][..terms * terms];
        for value in values {
            let (polynomial, others) = coefficients.split_at(terms);
            *value = polynomial.iter().rev().fold(0.0, |sum, c| sum * distance + c);
            coefficients = others;
        }
    }

    /// Sets `values` to those of the functions that are not zero at a point, and returns the number of the first.
    fn at(&self, x: f64, values: &mut [f64]) -> usize {
        let interval = self.interval_from(0, x);
        self.evaluate(interval, x, values);
        interval
    }
}

/// `A1`, if it is smooth within rings.
struct Smooth(Vec<SmoothBlock>);

enum SmoothBlock {
    Cartesian { npoly: usize },
    Radial(Pieces),
}

impl Smooth {
    fn new(design: &Design) -> Result<Option<Self>> {
        let blocks = design.blocks().iter().map(|block| {
            Ok(match block.basis {
                Basis::Cartesian { npoly } => Some(SmoothBlock::Cartesian { npoly }),
                Basis::Radial { npoly } => Some(SmoothBlock::Radial(Pieces(powers(npoly)?))),
                Basis::RadialSpline { nknots, degree } => {
                    let basis = spline_basis(nknots, degree, RADIAL_EXPONENT)?;
                    Some(SmoothBlock::Radial(Pieces(basis.piecewise_polynomials())))
                }
                Basis::Spline { .. } | Basis::Strap { .. } | Basis::RestrictedStrap { .. } => None,
            })
        });
        let blocks: Result<Option<Vec<_>>> = blocks.collect();
        Ok(blocks?.filter(|blocks| !blocks.is_empty()).map(Self))
    }

    /// Where rings end, the last one at infinity.
    fn rings(&self) -> Vec<f64> {
        let mut ends = vec![0.0, 1.0];
        for block in &self.0 {
            if let SmoothBlock::Radial(basis) = block {
                ends.extend(basis.0.breakpoints().iter().filter(|&&end| 0.0 < end && end < 1.0));
            }
        }
        ends.sort_by(f64::total_cmp);
        ends.dedup();
        let mut rings = Vec::new();
        for piece in ends.windows(2) {
            let width = piece[1] - piece[0];
            let count = (width / WIDEST).ceil().max(1.0);
            rings.extend((0..count as usize).map(|i| piece[0] + width * (i + 1) as f64 / count));
        }
        rings.pop();
        rings.push(f64::INFINITY);
        rings
    }

    /// The number of functions, and how many of them have an entry at each point.
    fn functions(&self) -> (usize, usize) {
        let counts = self.0.iter().map(|block| match block {
            SmoothBlock::Cartesian { npoly } => (npoly * npoly, npoly * npoly),
            SmoothBlock::Radial(basis) => (basis.0.functions(), basis.terms()),
        });
        counts.fold((0, 0), |(columns, entries), (more, here)| (columns + more, entries + here))
    }

    /// The rows of the matrix at the points of cells.
    fn at_points<B: Backend>(&self, xp: &B, window: &Window, cells: &[Cell]) -> Result<Csr<f64, B>> {
        let sign = if matches!(window.ccd(), 1 | 3) { -1.0 } else { 1.0 };
        let (columns, entries) = self.functions();
        let points = cells.len() * POINTS;
        let indptr = (0..=points).map(|point| count(point * entries)).collect::<Result<_>>()?;
        let (mut indices, mut data) = (host::zeros(points * entries)?, host::zeros(points * entries)?);
        let of_cells = indices.par_chunks_mut(POINTS * entries).zip(data.par_chunks_mut(POINTS * entries));
        of_cells.zip(cells).for_each(|((indices, data), cell)| {
            let of_points = indices.chunks_mut(entries).zip(data.chunks_mut(entries));
            for (point, (indices, data)) in of_points.enumerate() {
                let r = cell.r.at(node(point / ANGULAR, RADIAL));
                let (sine, cosine) = cell.angle.at(node(point % ANGULAR, ANGULAR)).sin_cos();
                self.set_row([sign * SQRT_2 * r * cosine, -SQRT_2 * r * sine], r, indices, data);
            }
        });
        Ok(Csr::new(xp, [points, columns], indptr, indices, data)?)
    }

    /// Sets the columns and the values of a row, at a point at `x` and `y`.
    fn set_row(&self, [x, y]: [f64; 2], r: f64, mut indices: &mut [i32], mut data: &mut [f64]) {
        let mut columns = 0;
        for block in &self.0 {
            let (first, entries, functions) = match block {
                SmoothBlock::Cartesian { npoly } => {
                    let mut row = 1.0;
                    for data in data[..npoly * npoly].chunks_mut(*npoly) {
                        let mut power = row;
                        for value in data {
                            *value = power;
                            power *= x;
                        }
                        row *= y;
                    }
                    (0, npoly * npoly, npoly * npoly)
                }
                SmoothBlock::Radial(basis) => {
                    (basis.at(r, &mut data[..basis.terms()]), basis.terms(), basis.0.functions())
                }
            };
            for (index, column) in indices[..entries].iter_mut().zip(columns + first..) {
                *index = column as i32;
            }
            columns += functions;
            indices = &mut indices[entries..];
            data = &mut data[entries..];
        }
    }
}

/// Entries of a sparse matrix.
fn count(entries: usize) -> Result<i32> {
    i32::try_from(entries).map_err(|_| Error::InvalidArgument("a design has too many functions".into()))
}

/// Points from -1 to 1 that polynomials go through.
fn node(i: usize, count: usize) -> f64 {
    (PI * (i as f64 + 0.5) / count as f64).cos()
}

/// For each coefficient along an axis how it depends on the numbers at the points.
fn along_axis<const N: usize>() -> [[f64; N]; N] {
    let norm = |degree: usize| if degree == 0 { 1.0 } else { 2.0 } / N as f64;
    let entry =
        |degree: usize, i: usize| norm(degree) * (PI * degree as f64 * (i as f64 + 0.5) / N as f64).cos();
    std::array::from_fn(|degree| std::array::from_fn(|i| entry(degree, i)))
}

/// See [`SmoothSums::tails`].
fn tails<B: Backend>(xp: &B, cells: usize) -> Result<Csr<f64, B>> {
    let (radial, angular) = (along_axis::<RADIAL>(), along_axis::<ANGULAR>());
    // Of one cell: the points that each is made of, and their factors.
    let mut rows: Vec<Vec<(usize, f64)>> = Vec::with_capacity(TAILS + 1);
    for (i, tail) in (1..).zip(TAIL) {
        let scaled = |factors: &[f64]| factors.iter().map(|factor| factor / tail).collect::<Vec<_>>();
        let (radial, angular) = (scaled(&radial[RADIAL - i]), scaled(&angular[ANGULAR - i]));
        let ring = |b: usize| radial.iter().enumerate().map(move |(a, &factor)| (a * ANGULAR + b, factor));
        rows.extend((0..ANGULAR).map(|b| ring(b).collect()));
        let sector = |a: usize| angular.iter().enumerate().map(move |(b, &factor)| (a * ANGULAR + b, factor));
        rows.extend((0..RADIAL).map(|a| sector(a).collect()));
    }
    rows.push((0..POINTS).map(|point| (point, 1.0 / POINTS as f64)).collect());
    let mut entries = 0;
    let (mut indptr, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
    for cell in 0..cells {
        for row in &rows {
            for &(point, factor) in row {
                indices.push(count(cell * POINTS + point)?);
                data.push(factor);
            }
            entries += row.len();
            indptr.push(count(entries)?);
        }
    }
    Ok(Csr::new(xp, [cells * rows.len(), cells * POINTS], indptr, indices, data)?)
}
