//! What of a light curve goes with the components of the model, and the rest of it.
//!
//! The jitter and background components of a model are series in time, one number a frame. With
//! each of them centred and scaled to a standard deviation of 1 over the `n` cadences that have a
//! flux, as the columns of `X`, ridge regression gives
//!
//! ```text
//! (X^T X / n + lambda I) w = X^T f / n
//! ```
//!
//! and the detrended flux is `f - X w`, which keeps the mean. With `lambda` = 0.001, a component
//! on its own is taken off but for a thousandth, and combinations in which the components hardly
//! differ, with less than a thousandth of their variance, are left alone.

#[cfg(test)]
mod tests;

use array_api::linalg::cho_factor;
use array_api::{Array, Backend};
use ndarray::{Array1, Array2, Axis};

use super::{Corrected, LightCurve};
use crate::error::{Error, Result};
use crate::file::Model;

/// The penalty on the weights of components of variance 1.
const LAMBDA: f64 = 1e-3;

impl LightCurve {
    /// Regresses the corrected flux against the [components](self) of the model, and sets
    /// [`detrended`](Self::detrended). A signal of the star that happens to go with a component
    /// is taken off with it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the model has no components, or no fewer than there are
    /// cadences with a flux: then they could take off anything.
    ///
    /// # Panics
    /// If it was another model that was subtracted.
    pub fn detrend<B: Backend>(&mut self, xp: &B, corrected: &Corrected, model: &Model) -> Result<()> {
        let refused = |reason: String| Err(Error::InvalidArgument(reason));
        let count = model.jitter.ncols() + model.background.ncols();
        if count == 0 {
            return refused("the model has no jitter or background components to detrend against".into());
        }
        let mut used = Vec::new();
        let mut design = Vec::new();
        for (cadence, frame) in corrected.frames.iter().enumerate() {
            let Some(frame) = *frame else { continue };
            let row = || model.jitter.row(frame).into_iter().chain(model.background.row(frame)).copied();
            if self.flux[cadence].is_finite() && row().all(f64::is_finite) {
                used.push(cadence);
                design.extend(row());
            }
        }
        if used.len() <= count {
            return refused(format!(
                "{} cadences with a flux are too few to detrend against {count} components",
                used.len()
            ));
        }
        let flux: Array1<f64> = used.iter().map(|&cadence| self.flux[cadence]).collect();
        let flux = &flux - flux.sum() / flux.len() as f64;
        let design = match Array2::from_shape_vec((used.len(), count), design) {
            Ok(design) => standardized(design),
            Err(error) => unreachable!("a row of all components for each cadence: {error}"),
        };
        let trend = ridge(xp, &design, &flux)?;
        let mut detrended = vec![f64::NAN; self.flux.len()];
        for (&cadence, trend) in used.iter().zip(trend) {
            detrended[cadence] = self.flux[cadence] - trend;
        }
        self.detrended = Some(detrended);
        Ok(())
    }
}

/// Columns less their means, over their standard deviations. One that is constant, up to
/// rounding, becomes zero.
fn standardized(mut design: Array2<f64>) -> Array2<f64> {
    let rows = design.nrows() as f64;
    for mut column in design.axis_iter_mut(Axis(1)) {
        let largest = column.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let mean = column.sum() / rows;
        column -= mean;
        let deviation = (column.iter().map(|value| value * value).sum::<f64>() / rows).sqrt();
        let scale = if deviation > 1e-12 * largest { 1.0 / deviation } else { 0.0 };
        column *= scale;
    }
    design
}

/// `X w`, with the weights of the regression of `flux` on `X`.
fn ridge<B: Backend>(xp: &B, design: &Array2<f64>, flux: &Array1<f64>) -> Result<Vec<f64>> {
    let (rows, columns) = design.dim();
    let x = Array::from_ndarray(xp, design)?;
    let f = Array::from_vec(xp, flux.to_vec(), &[rows, 1])?;
    let transposed = x.matrix_transpose()?;
    let n = rows as f64;
    let gram = (transposed.matmul(&x)? / n)?;
    let penalty = (Array::eye(xp, columns, None, 0)? * LAMBDA)?;
    let w = cho_factor(&(&gram + &penalty)?)?.solve(&(transposed.matmul(&f)? / n)?)?;
    Ok(x.matmul(&w)?.to_ndarray()?.into_iter().collect())
}
