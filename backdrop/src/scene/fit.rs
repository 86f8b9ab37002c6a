//! The fit of the time series of pixels within one orbit.
//!
//! Pixels that have a value in every cadence share one Gram matrix and its Cholesky factor; the
//! others get a Gram matrix each, all of them at once: the product of the (pixels x times) weights,
//! 1 or 0, with the (times x k^2) products of pairs of columns.

use array_api::linalg::{self, CholeskyFactor};
use array_api::{Array, Backend, s};
use ndarray::Array2;
use rayon::prelude::*;

use crate::error::Result;
use crate::statistics::median;

/// A residual beyond so many standard deviations above the fit exceeds it.
const MAX_SIGMA: f64 = 4.0;

/// A pixel is bad if more than this share of its cadences exceed the fit.
const MAX_EXCEEDING: f64 = 0.05;

/// The standard deviation of a normal distribution in median absolute deviations.
const MAD_TO_SIGMA: f64 = 1.4826;

/// Pixels of a row that are fitted at once: a few MB, in which all steps stay in a cache. The same
/// wherever the tile begins, so that a pixel always meets the same instructions.
pub(super) const BLOCK: usize = 256;

/// The precision of the prior is at least this share of the data's, so that the normal equations
/// of a pixel that lacks cadences are positive definite after rounding. It shrinks a weight that
/// the data determine by 1e-13 of itself.
const MIN_PRECISION: f64 = 1e-13;

/// The normal equations of an orbit.
pub(super) struct OrbitFit<B: Backend> {
    /// The design `X`, of shape (times, k).
    x: Array<f64, B>,
    /// Its transpose.
    xt: Array<f64, B>,
    /// `x_i x_j` for each time, of shape (times, k * k).
    pairs: Array<f64, B>,
    /// The prior's part of the normal equations, of shape (k, k).
    prior: Array<f64, B>,
    factor: CholeskyFactor<f64, B>,
    /// Columns that are not zero.
    rank: usize,
}

/// What is found for a pixel that lacks cadences.
pub(super) struct Lacking {
    /// One number for each column; NaN if the pixel has fewer cadences than the design has columns.
    pub(super) weights: Vec<f64>,
    /// Whether the weights are numbers.
    pub(super) fitted: bool,
    /// Whether too many cadences exceed the fit.
    pub(super) exceeding: bool,
}

impl<B: Backend> OrbitFit<B> {
    /// Factors the normal equations `X^T X + 1 / prior_sigma^2` of a design, of shape (times, k).
    ///
    /// # Errors
    /// Those of the backend.
    pub(super) fn new(xp: &B, design: &Array2<f64>, prior_sigma: f64) -> Result<Self> {
        let (times, k) = design.dim();
        let rank = design.columns().into_iter().filter(|column| column.iter().any(|&x| x != 0.0)).count();
        let x = Array::from_ndarray(xp, design)?;
        let xt = x.matrix_transpose()?.to_contiguous()?;
        let pairs = x.expand_dims(2)?.multiply(&x.expand_dims(1)?)?.reshape(&[times, k * k])?;
        let precision = prior_sigma.powi(-2).max(MIN_PRECISION * times as f64);
        let prior = Array::eye(xp, k, None, 0)?.multiply_scalar(precision)?;
        let factor = linalg::cho_factor(&(&xt.matmul(&x)? + &prior)?)?;
        Ok(Self { x, xt, pairs, prior, factor, rank })
    }

    /// Columns of the design.
    pub(super) fn columns(&self) -> usize {
        self.x.shape()[1]
    }

    /// Fits some rows of pixels from their series in electrons/s, of shape (times, rows, columns).
    /// The result has the shape (rows, k + 1, columns): the weights, and the number of cadences that
    /// exceed the fit. Of pixels that lack a cadence it is NaN or meaningless.
    ///
    /// # Errors
    /// Those of the backend.
    pub(super) fn fit(&self, series: &Array<f32, B>) -> Result<Vec<f32>> {
        let [times, rows, columns] = *series.shape() else { unreachable!("a series of images") };
        let xp = series.backend();
        let width = (self.columns() + 1) * columns;
        // A block as f64 numbers, its residuals, their absolute values and what sorts them.
        let tiles = xp.tiles(1, rows, 4 * times * BLOCK * size_of::<f64>());
        let buffer = xp.map_tiles(&tiles, [1, rows, width], |tile| {
            let blocks: array_api::Result<Vec<_>> = (0..columns)
                .step_by(BLOCK)
                .map(|first| {
                    let last = columns.min(first + BLOCK);
                    let block = series.slice(s![.., tile.rows.clone(), first..last])?;
                    self.fit_block(&block.permute_dims(&[1, 0, 2])?.astype::<f64>()?)
                })
                .collect();
            let blocks = blocks?;
            Array::concat(&blocks.iter().collect::<Vec<_>>(), 2)?
                .reshape(&[1, tile.rows.len(), width])?
                .astype::<f32>()
        })?;
        Ok(Array::from_buffer(xp, buffer, &[rows * width]).to_vec()?)
    }

    /// The same of a block, of shape (rows, times, columns).
    fn fit_block(&self, f: &Array<f64, B>) -> array_api::Result<Array<f64, B>> {
        let w = self.factor.solve(&self.xt.matmul(f)?)?;
        let residual = (f - &self.x.matmul(&w)?)?.permute_dims(&[0, 2, 1])?.to_contiguous()?;
        let middle = residual.median_axis(-1, true)?;
        let deviation = residual.subtract(&middle)?.abs()?.median_axis(-1, true)?;
        let largest = f.abs()?.max_axes(&[1], false)?.expand_dims(2)?;
        let sigma = deviation.multiply_scalar(MAD_TO_SIGMA)?.maximum(&least_sigma(&largest)?)?;
        let exceeding = residual.greater(&sigma.multiply_scalar(MAX_SIGMA)?)?;
        let count = exceeding.count_nonzero_axes(&[-1], false)?.astype::<f64>()?.expand_dims(1)?;
        Array::concat(&[&w, &count], 1)
    }

    /// Whether a pixel with all cadences is bad, from the number of them that exceed the fit.
    pub(super) fn is_bad(&self, exceeding: f32) -> bool {
        f64::from(exceeding) > MAX_EXCEEDING * self.x.shape()[0] as f64
    }

    /// Fits pixels that lack cadences, from their series in electrons/s, of shape (times, pixels),
    /// in which a value that is not finite has the weight 0.
    ///
    /// # Errors
    /// Those of the backend.
    pub(super) fn fit_lacking(&self, series: &Array<f64, B>) -> Result<Vec<Lacking>> {
        let (k, pixels) = (self.columns(), series.shape()[1]);
        let weights = series.isfinite()?.astype::<f64>()?.matrix_transpose()?;
        let mut f = series.copy()?;
        f.nan_to_num_assign(0.0, 0.0, 0.0)?;
        let grams = (&weights.matmul(&self.pairs)?.reshape(&[pixels, k, k])? + &self.prior)?;
        let projected = self.xt.matmul(&f)?.matrix_transpose()?.expand_dims(2)?;
        let w = linalg::solve(&grams, &projected)?.reshape(&[pixels, k])?;
        let residual = series.matrix_transpose()?.subtract(&w.matmul(&self.xt)?)?.to_vec()?;
        let f = f.matrix_transpose()?.to_vec()?;

        let times = self.x.shape()[0];
        let series = residual.par_chunks(times).zip(f.par_chunks(times));
        let w = w.to_vec()?;
        let found = w.par_chunks(k).zip(series).map(|(w, (residual, f))| {
            let residual: Vec<f64> = residual.iter().copied().filter(|value| value.is_finite()).collect();
            let fitted = residual.len() >= self.rank;
            if !fitted {
                return Lacking { weights: vec![f64::NAN; k], fitted, exceeding: false };
            }
            Lacking { weights: w.to_vec(), fitted, exceeding: exceeds(&residual, f) }
        });
        Ok(found.collect())
    }
}

/// The standard deviation below which a residual is the rounding of the data to f32 numbers, from
/// the largest of them.
fn least_sigma<B: Backend>(largest: &Array<f64, B>) -> array_api::Result<Array<f64, B>> {
    largest.multiply_scalar(f64::from(f32::EPSILON))
}

/// Whether too many of the residuals exceed the fit to the values `f`.
fn exceeds(residual: &[f64], f: &[f64]) -> bool {
    let largest = f.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let middle = median(&mut residual.to_vec()).unwrap_or(0.0);
    let mut deviation: Vec<f64> = residual.iter().map(|value| (value - middle).abs()).collect();
    let deviation = median(&mut deviation).unwrap_or(0.0);
    let sigma = (MAD_TO_SIGMA * deviation).max(largest * f64::from(f32::EPSILON));
    let count = residual.iter().filter(|&&value| value > MAX_SIGMA * sigma).count();
    count as f64 > MAX_EXCEEDING * residual.len() as f64
}
