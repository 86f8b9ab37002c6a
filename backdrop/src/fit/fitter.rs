//! Fitting batches of frames with one set of masks.

use array_api::{Array, Backend, Cast, Element, Tile, s};
use ndarray::{Array2, Ix2};

use crate::background::Background;
use crate::design::{DesignMatrix, into_array_error};
use crate::error::Result;
use crate::mask::MASKED_SIGMA;
use crate::normal::NormalEquations;

/// The flux in electrons/s that replaces what is not positive before the logarithm is taken.
pub const FLOOR: f64 = 1e-5;

/// What is taken off the minimum image before its own background is fitted, in electrons/s.
const BELOW_MINIMUM: f64 = 1e-6;

/// The model on a window of pixels with normal equations that are factored, ready to fit frames.
pub struct FrameFitter<B: Backend> {
    background: Background<B>,
    equations: [NormalEquations<B>; 2],
    /// `1 / sigma_f`, of shape (rows, columns).
    weights: Array<f64, B>,
    /// The average frame in electrons/s, of shape (rows, columns), if one is subtracted.
    average: Option<Array<f64, B>>,
}

/// The weights of a batch of frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Weights of `A1`, of shape (frames, columns).
    pub weights1: Array2<f64>,
    /// Weights of `A2`, of shape (frames, columns).
    pub weights2: Array2<f64>,
    /// Finite pixels that were not positive after the average frame was subtracted.
    pub non_positive_pixels: u64,
}

/// [`Fitted`] before it leaves the backend.
struct OnDevice<B: Backend> {
    w1: Array<f64, B>,
    w2: Array<f64, B>,
    /// One number for each frame.
    non_positive: Array<f64, B>,
}

impl<B: Backend> FrameFitter<B> {
    /// Factors the normal equations of `A1` and `A2` for a mask of shape (rows, columns), true where
    /// a pixel is kept.
    ///
    /// # Errors
    /// [`NotPositiveDefinite`](crate::error::Error::NotPositiveDefinite).
    pub fn new(xp: &B, [a1, a2]: [DesignMatrix<B>; 2], keep: &Array2<bool>) -> Result<Self> {
        let weights = weights_of(xp, keep)?;
        let equations =
            [NormalEquations::new("A1", &a1, &weights)?, NormalEquations::new("A2", &a2, &weights)?];
        Ok(Self { background: Background { a1, a2 }, equations, weights, average: None })
    }

    /// Factors the normal equations anew for another mask.
    ///
    /// # Errors
    /// As [`FrameFitter::new`].
    pub fn set_mask(&mut self, keep: &Array2<bool>) -> Result<()> {
        let Background { a1, a2 } = &self.background;
        self.weights = weights_of(a1.backend(), keep)?;
        self.equations =
            [NormalEquations::new("A1", a1, &self.weights)?, NormalEquations::new("A2", a2, &self.weights)?];
        Ok(())
    }

    /// Subtracts from every frame to come the average frame: the minimum image, of shape
    /// (rows, columns), less its own background. Where it has no value, nothing is subtracted.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn set_average(&mut self, minimum: &Array2<f32>) -> Result<()> {
        let (rows, columns) = minimum.dim();
        let xp = self.background.a1.backend();
        let minimum = Array::from_ndarray(xp, minimum)?.astype::<f64>()?;
        let image = minimum.subtract_scalar(BELOW_MINIMUM)?.reshape(&[1, rows, columns])?;
        self.average = None;
        let OnDevice { w1, w2, .. } = self.fit_weights(&image)?;
        let mut average = (&image - &self.background.evaluate(&w1, &w2)?)?;
        average.nan_to_num_assign(0.0, 0.0, 0.0)?;
        self.average = Some(average.reshape(&[rows, columns])?);
        Ok(())
    }

    /// The average frame in electrons/s, of shape (rows, columns); zero if none is subtracted.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn average(&self) -> Result<Array2<f64>> {
        match &self.average {
            Some(average) => matrix(average),
            None => Ok(Array2::zeros(self.background.a1.window().shape())),
        }
    }

    /// Fits frames in electrons/s, of shape (frames, rows, columns). A frame's weights have the
    /// same bits whatever other frames are fitted with it.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn fit(&self, frames: &Array<f32, B>) -> Result<Fitted> {
        let OnDevice { w1, w2, non_positive } = self.fit_weights(frames)?;
        let non_positive_pixels = non_positive.sum()?.item()? as u64;
        Ok(Fitted { weights1: matrix(&w1)?, weights2: matrix(&w2)?, non_positive_pixels })
    }

    /// Both sets of weights and the counts.
    fn fit_weights<T: Cast<f64>>(&self, frames: &Array<T, B>) -> Result<OnDevice<B>> {
        let Background { a1, a2 } = &self.background;
        let xp = a1.backend();
        let count = frames.shape()[0];
        let tiles = a1.tiles(count);

        let n1 = a1.columns();
        let buffer = xp.reduce_tiles(&tiles, count, n1 + 1, |tile| {
            let (mut flux, non_positive) = self.flux(frames, tile)?;
            flux.log10_assign()?;
            flux.multiply_assign(&self.weights.slice(s![tile.rows.clone()])?)?;
            let projected = a1.project_rows(&flux, tile.rows.clone()).map_err(into_array_error)?;
            Array::concat(&[&projected, &non_positive], 1)
        })?;
        let sums = Array::from_buffer(xp, buffer, &[count, n1 + 1]);
        let w1 = self.equations[0].solve(&sums.slice(s![.., 0..n1])?)?;

        let buffer = xp.reduce_tiles(&tiles, count, a2.columns(), |tile| {
            let (mut flux, _) = self.flux(frames, tile)?;
            let w1 = w1.slice(s![tile.batch.clone()])?;
            let mut smooth = a1.dot_rows(&w1, tile.rows.clone()).map_err(into_array_error)?;
            smooth.exp10_assign()?;
            flux.subtract_assign(&smooth)?;
            flux.multiply_assign(&self.weights.slice(s![tile.rows.clone()])?)?;
            a2.project_rows(&flux, tile.rows.clone()).map_err(into_array_error)
        })?;
        let w2 = self.equations[1].solve(&Array::from_buffer(xp, buffer, &[count, a2.columns()]))?;
        Ok(OnDevice { w1, w2, non_positive: sums.slice(s![.., n1..])? })
    }

    /// `max(F - average, 1e-5)` on a tile, and for each frame, as a column, the number of finite
    /// pixels that were not positive.
    fn flux<T: Cast<f64>>(
        &self,
        frames: &Array<T, B>,
        tile: &Tile,
    ) -> array_api::Result<(Array<f64, B>, Array<f64, B>)> {
        let mut flux = frames.slice(s![tile.batch.clone(), tile.rows.clone()])?.astype::<f64>()?;
        if let Some(average) = &self.average {
            flux.subtract_assign(&average.slice(s![tile.rows.clone()])?)?;
        }
        // Pixels without a value have the weight of masked ones: any number will do.
        flux.nan_to_num_assign(FLOOR, FLOOR, FLOOR)?;
        let non_positive = flux.less_equal_scalar(f64::ZERO)?.count_nonzero_axes(&[1, 2], false)?;
        flux.maximum_scalar_assign(FLOOR)?;
        Ok((flux, non_positive.astype::<f64>()?.expand_dims(1)?))
    }
}

fn weights_of<B: Backend>(xp: &B, keep: &Array2<bool>) -> Result<Array<f64, B>> {
    let weights = keep.mapv(|keep| if keep { 1.0 } else { 1.0 / MASKED_SIGMA });
    Ok(Array::from_ndarray(xp, &weights)?)
}

/// A matrix on the host.
fn matrix<B: Backend>(array: &Array<f64, B>) -> Result<Array2<f64>> {
    match array.to_ndarray()?.into_dimensionality::<Ix2>() {
        Ok(matrix) => Ok(matrix),
        Err(error) => unreachable!("one row for each frame, or one for each row of pixels: {error}"),
    }
}
