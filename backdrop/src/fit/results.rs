//! What the second pass gives, frame by frame, and the model that it makes.

use std::ops::Range;
use std::path::Path;

use array_api::Backend;
use ndarray::Array2;
use rayon::prelude::*;

use super::FitReport;
use super::fitter::Fitted;
use super::model::FittedModel;
use super::record::{FrameFit, Record};
use super::spool::{FrameRows, Spool};
use crate::components::{MIN_COMPONENT_FRAMES, SamplePixels, Series, components_of};
use crate::error::Result;
use crate::file::Model;
use crate::quality::UNREADABLE;
use crate::statistics::robust_scatter;

/// The frames of a batch that have been fitted, each by itself.
pub(super) fn records(frames: &[usize], fitted: &Fitted, samples: &SamplePixels) -> Vec<Record> {
    let finite = |&value: &f64| if value.is_finite() { value as f32 } else { f32::NAN };
    let record = |(row, &frame): (usize, &usize)| {
        let residuals = fitted.residuals.row(row);
        let background = residuals.iter().skip(samples.jitter.len()).copied();
        Record::Fitted(FrameFit {
            frame,
            non_positive_pixels: fitted.non_positive_pixels[row],
            scatter: robust_scatter(background),
            weights1: fitted.weights1.row(row).to_vec(),
            weights2: fitted.weights2.row(row).to_vec(),
            residuals: residuals.iter().map(finite).collect(),
        })
    };
    frames.par_iter().enumerate().map(record).collect()
}

/// The results of all frames. There are temporary files for weights, 26 kB a frame with the standard
/// preset, and for residuals in single precision, the frames' own: 40 kB a frame with 5000 pixels of
/// each kind.
pub(super) struct Results {
    /// The frames that are to be fitted, in order.
    frames: Vec<usize>,
    /// Which of them have a result.
    done: Vec<bool>,
    /// Of shape (frames to be fitted, columns) for A1 and A2.
    weights: [Spool<f64>; 2],
    /// Of shape (frames to be fitted, pixels), jitter pixels first; NaN where a pixel has no value.
    residuals: Spool<f32>,
    /// For all frames.
    scatter: Vec<f64>,
    /// Frames that could not be read, and why.
    unreadable: Vec<(usize, String)>,
    non_positive_pixels: u64,
}

impl Results {
    /// Room for the results of some `fitted` frames of all, whose designs have so many columns.
    /// What is large is spooled in `directory`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be.
    pub(super) fn new(
        all: usize,
        fitted: Vec<usize>,
        [n1, n2]: [usize; 2],
        samples: &SamplePixels,
        directory: &Path,
    ) -> Result<Self> {
        let pixels = samples.jitter.len() + samples.background.len();
        Ok(Self {
            done: vec![false; fitted.len()],
            weights: [Spool::new(fitted.len(), n1, directory)?, Spool::new(fitted.len(), n2, directory)?],
            residuals: Spool::new(fitted.len(), pixels, directory)?,
            scatter: vec![f64::NAN; all],
            frames: fitted,
            unreadable: Vec::new(),
            non_positive_pixels: 0,
        })
    }

    /// The frames that have a result.
    pub(super) fn done(&self) -> Vec<usize> {
        self.frames.iter().zip(&self.done).filter(|&(_, &done)| done).map(|(&frame, _)| frame).collect()
    }

    /// Takes the result of a frame, and tells whether it is one that was waited for.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub(super) fn insert(&mut self, record: Record) -> Result<bool> {
        let Ok(row) = self.frames.binary_search(&record.frame()) else { return Ok(false) };
        match record {
            Record::Fitted(fit) => {
                let sizes = (fit.weights1.len(), fit.weights2.len(), fit.residuals.len());
                let [weights1, weights2] = &mut self.weights;
                let expected = (weights1.columns(), weights2.columns(), self.residuals.columns());
                if self.done[row] || sizes != expected {
                    return Ok(false);
                }
                weights1.write(row, &fit.weights1)?;
                weights2.write(row, &fit.weights2)?;
                self.residuals.write(row, &fit.residuals)?;
                self.scatter[fit.frame] = fit.scatter;
                self.non_positive_pixels += fit.non_positive_pixels;
            }
            Record::Unreadable { frame, reason } => {
                if self.done[row] {
                    return Ok(false);
                }
                self.unreadable.push((frame, reason));
            }
        }
        self.done[row] = true;
        Ok(true)
    }

    /// Puts what was found into a report.
    pub(super) fn report(&self, report: &mut FitReport) {
        report.non_positive_pixels = self.non_positive_pixels;
        report.unreadable.extend(self.unreadable.iter().cloned());
        report.fitted -= self.unreadable.len();
    }

    /// Adds weights, components (or the pixels' series, with few frames) and scatter to a model.
    pub(super) fn into_model<B: Backend>(
        self,
        xp: &B,
        samples: SamplePixels,
        mut model: Model,
    ) -> Result<FittedModel> {
        for &(frame, _) in &self.unreadable {
            model.quality[frame] |= UNREADABLE;
        }
        let (mut frames, mut rows) = (Vec::new(), Vec::new());
        for (row, &frame) in self.frames.iter().enumerate() {
            if self.unreadable.iter().all(|&(other, _)| other != frame) {
                frames.push(frame);
                rows.push(row);
            }
        }
        let all = model.tstart.len();
        let series = |pixels: Range<usize>| -> Result<Array2<f64>> {
            let mut part = self.residuals.part(&rows, pixels);
            let fitted = if frames.len() >= MIN_COMPONENT_FRAMES {
                components_of(xp, &mut part)?
            } else {
                let mut values = Array2::zeros(part.shape());
                if let Some(values) = values.as_slice_mut() {
                    part.read(0..frames.len(), 0..part.shape().1, values)?;
                }
                values.mapv(f64::from)
            };
            let mut series = Array2::from_elem((all, fitted.ncols()), f64::NAN);
            for (row, &frame) in fitted.rows().into_iter().zip(&frames) {
                series.row_mut(frame).assign(&row);
            }
            Ok(series)
        };
        let jitter = samples.jitter.len();
        (model.jitter, model.background) =
            (series(0..jitter)?, series(jitter..jitter + samples.background.len())?);
        model.jitter_pixels = samples.jitter;
        model.background_pixels = samples.background;
        model.scatter = self.scatter;
        let mut rows_of_frames = vec![None; all];
        frames.iter().zip(&rows).for_each(|(&frame, &row)| rows_of_frames[frame] = Some(row));
        let weights = self.weights.map(|weights| FrameRows::new(weights, rows_of_frames.clone()));
        Ok(FittedModel::new(model, weights))
    }
}
