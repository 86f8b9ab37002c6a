//! The scene at some pixels, from its file.

use array_api::{Array, Backend, s};
use ndarray::{Array2, Array3};

use super::{Scene, fit::BLOCK};
use crate::error::{Error, Result};

/// Frames that are evaluated at once: always as many, so that a frame always meets the same
/// instructions.
const FRAMES: usize = 8;

/// A scene on a window of pixels, to be evaluated for one frame after another.
///
/// Only the weights of these pixels are read, once.
pub struct Evaluator<'a, B: Backend> {
    scene: &'a Scene,
    backend: B,
    /// Rows and columns of the window.
    shape: (usize, usize),
    /// For each orbit the weights, of shape (components, pixels), a whole number of blocks.
    weights: Vec<Array<f32, B>>,
}

impl<'a, B: Backend> Evaluator<'a, B> {
    /// Reads the weights of the pixels of some rows and columns.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for rows or columns that do not exist; those of reading.
    pub fn new(xp: &B, scene: &'a Scene, rows: &[usize], columns: &[usize]) -> Result<Self> {
        let (pixels, k) = (rows.len() * columns.len(), scene.terms.len());
        let padded = pixels.next_multiple_of(BLOCK);
        let weights = (0..scene.orbits()).map(|orbit| {
            let read = scene.weights(orbit, rows, columns)?;
            let mut weights = Vec::with_capacity(k * padded);
            for component in 0..k {
                weights.extend_from_slice(&read[component * pixels..][..pixels]);
                weights.resize((component + 1) * padded, 0.0);
            }
            Ok(Array::from_vec(xp, weights, &[k, padded])?)
        });
        let weights = weights.collect::<Result<_>>()?;
        Ok(Self { scene, backend: xp.clone(), shape: (rows.len(), columns.len()), weights })
    }

    /// The scene in some frames, of shape (frames, rows, columns), in electrons/s; NaN in a frame
    /// that was not fitted, and in a pixel that was not.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for frames that do not exist.
    pub fn evaluate(&self, frames: &[usize]) -> Result<Array3<f64>> {
        let known = self.scene.tstart.len();
        if let Some(bad) = frames.iter().find(|&&frame| frame >= known) {
            return Err(Error::InvalidArgument(format!(
                "frame {bad} asked for, but the scene has {known} frames, counted from 0"
            )));
        }
        let (rows, columns) = self.shape;
        let mut result = Array3::from_elem((frames.len(), rows, columns), f64::NAN);
        for (orbit, weights) in (1..).zip(&self.weights) {
            let places: Vec<usize> =
                (0..frames.len()).filter(|&place| self.scene.orbit[frames[place]] == orbit).collect();
            for places in places.chunks(FRAMES) {
                let mut design = Array2::zeros((FRAMES, self.scene.terms.len()));
                for (mut row, &place) in design.rows_mut().into_iter().zip(places) {
                    row.assign(&self.scene.design.row(frames[place]));
                }
                let flux = self.product(&design, weights)?;
                for (image, &place) in flux.outer_iter().zip(places) {
                    result.index_axis_mut(ndarray::Axis(0), place).assign(&image);
                }
            }
        }
        Ok(result)
    }

    /// Rows of the design times the weights of all pixels.
    fn product(&self, design: &Array2<f64>, weights: &Array<f32, B>) -> Result<Array3<f64>> {
        /// Pixels whose weights are f64 numbers at a time.
        const PIXELS: usize = 1 << 18;
        let design = Array::from_ndarray(&self.backend, design)?;
        let (rows, columns) = self.shape;
        let mut flux = Array3::zeros((FRAMES, rows, columns));
        let padded = weights.shape()[1];
        for first in (0..padded).step_by(PIXELS) {
            let last = padded.min(first + PIXELS);
            let part = design.matmul(&weights.slice(s![.., first..last])?.astype::<f64>()?)?.to_vec()?;
            for (mut image, part) in flux.outer_iter_mut().zip(part.chunks_exact(last - first)) {
                for (pixel, value) in image.iter_mut().skip(first).zip(part) {
                    *pixel = *value;
                }
            }
        }
        Ok(flux)
    }
}

impl Scene {
    /// The scene at some rows and columns, of shape (frames, rows, columns), in electrons/s:
    /// the flux less the background. `frames` are positions in the scene's list of frames, which is
    /// the model's. A frame that was not fitted gives NaN, and so does a pixel that was not.
    ///
    /// Each pixel has the same bits whatever else is evaluated with it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for frames, rows or columns that do not exist; those of reading.
    pub fn evaluate<B: Backend>(
        &self,
        xp: &B,
        frames: &[usize],
        rows: &[usize],
        columns: &[usize],
    ) -> Result<Array3<f64>> {
        Evaluator::new(xp, self, rows, columns)?.evaluate(frames)
    }
}
