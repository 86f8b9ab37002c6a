//! The residuals of the sampled pixels: what components and the scatter of each frame come from.

use array_api::Backend;
use ndarray::{Array2, ArrayView1, Axis};

use super::FitOptions;
use super::survey::Survey;
use crate::components::{MIN_COMPONENT_FRAMES, SamplePixels, principal_components};
use crate::error::Result;
use crate::file::Model;
use crate::mask::Masks;
use crate::statistics::robust_scatter;

/// The residuals of the fitted frames. They are kept in single precision, the frames' own: 40 kB a
/// frame with 5000 pixels of each kind.
pub(super) struct Residuals {
    samples: SamplePixels,
    /// Jitter pixels first, then background pixels.
    pixels: Vec<(usize, usize)>,
    /// The frames that are fitted, in order.
    frames: Vec<usize>,
    /// Of shape (fitted frames, pixels); NaN until a frame is fitted and where a pixel has no value.
    values: Array2<f32>,
    /// For all frames.
    scatter: Vec<f64>,
}

impl Residuals {
    pub(super) fn new(masks: &Masks, options: &FitOptions, survey: &Survey) -> Self {
        let samples = SamplePixels::draw(masks, options.sample_pixels, options.seed);
        let pixels: Vec<(usize, usize)> = samples
            .jitter
            .iter()
            .chain(&samples.background)
            .map(|&(row, column)| (row as usize, column as usize))
            .collect();
        let frames: Vec<usize> = survey.fitted().collect();
        let values = Array2::from_elem((frames.len(), pixels.len()), f32::NAN);
        Self { samples, pixels, frames, values, scatter: vec![f64::NAN; survey.quality.len()] }
    }

    /// Which pixels are wanted, (row, column).
    pub(super) fn pixels(&self) -> &[(usize, usize)] {
        &self.pixels
    }

    /// Takes the residuals of a frame.
    pub(super) fn insert(&mut self, frame: usize, residuals: &ArrayView1<f64>) {
        let finite = |value: f64| if value.is_finite() { value as f32 } else { f32::NAN };
        if let Ok(row) = self.frames.binary_search(&frame) {
            self.values.row_mut(row).zip_mut_with(residuals, |to, &value| *to = finite(value));
            let background = residuals.iter().skip(self.samples.jitter.len()).copied();
            self.scatter[frame] = robust_scatter(background);
        }
    }

    /// Puts pixels, components (or the pixels' series, with few frames) and scatter into a model.
    pub(super) fn into_model<B: Backend>(self, xp: &B, model: &mut Model) -> Result<()> {
        let (jitter, background) = self.values.view().split_at(Axis(1), self.samples.jitter.len());
        let all_frames = |fitted: Array2<f64>| {
            let mut all = Array2::from_elem((model.tstart.len(), fitted.ncols()), f64::NAN);
            for (row, &frame) in fitted.rows().into_iter().zip(&self.frames) {
                all.row_mut(frame).assign(&row);
            }
            all
        };
        let series = |part: ndarray::ArrayView2<f32>| {
            if self.frames.len() >= MIN_COMPONENT_FRAMES {
                principal_components(xp, &part).map(all_frames)
            } else {
                Ok(all_frames(part.mapv(f64::from)))
            }
        };
        let (jitter, background) = (series(jitter)?, series(background)?);
        (model.jitter, model.background) = (jitter, background);
        model.jitter_pixels = self.samples.jitter;
        model.background_pixels = self.samples.background;
        model.scatter = self.scatter;
        Ok(())
    }
}
