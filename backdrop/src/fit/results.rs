//! What the second pass gives, frame by frame, and the model that it makes.

use std::ops::Range;
use std::path::Path;

use array_api::Backend;
use ndarray::Array2;

use super::FitReport;
use super::fitter::Fitted;
use super::record::{FrameFit, Record};
use super::spool::Spool;
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
    frames.iter().enumerate().map(record).collect()
}

/// The results of all frames. Residuals are kept in single precision, the frames' own: 40 kB a frame
/// with 5000 pixels of each kind, for which there is a temporary file. The weights, 26 kB a frame with
/// the standard preset, are in memory: they are the model.
pub(super) struct Results {
    /// The frames that are to be fitted, in order.
    frames: Vec<usize>,
    /// Which of them have a result.
    done: Vec<bool>,
    weights1: Array2<f64>,
    weights2: Array2<f64>,
    /// Of shape (frames to be fitted, pixels), jitter pixels first; NaN where a pixel has no value.
    residuals: Spool,
    /// For all frames.
    scatter: Vec<f64>,
    /// Frames that could not be read, and why.
    unreadable: Vec<(usize, String)>,
    non_positive_pixels: u64,
}

impl Results {
    /// Room for the results of some `fitted` frames of all, whose designs have so many columns.
    /// Residuals are spooled in `directory`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if they cannot be.
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
            weights1: Array2::from_elem((all, n1), f64::NAN),
            weights2: Array2::from_elem((all, n2), f64::NAN),
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
    /// [`Error::Io`](crate::error::Error::Io) if its residuals cannot be written.
    pub(super) fn insert(&mut self, record: Record) -> Result<bool> {
        let Ok(row) = self.frames.binary_search(&record.frame()) else { return Ok(false) };
        match record {
            Record::Fitted(fit) => {
                let sizes = (fit.weights1.len(), fit.weights2.len(), fit.residuals.len());
                let expected = (self.weights1.ncols(), self.weights2.ncols(), self.residuals.columns());
                if self.done[row] || sizes != expected {
                    return Ok(false);
                }
                for (to, weights) in
                    [(&mut self.weights1, &fit.weights1), (&mut self.weights2, &fit.weights2)]
                {
                    to.row_mut(fit.frame).iter_mut().zip(weights).for_each(|(to, &weight)| *to = weight);
                }
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

    /// Puts weights, components (or the pixels' series, with few frames) and scatter into a model.
    pub(super) fn into_model<B: Backend>(
        mut self,
        xp: &B,
        samples: SamplePixels,
        model: &mut Model,
    ) -> Result<()> {
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
        let mut series = |pixels: Range<usize>| -> Result<Array2<f64>> {
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
        (model.weights1, model.weights2) = (self.weights1, self.weights2);
        Ok(())
    }
}
