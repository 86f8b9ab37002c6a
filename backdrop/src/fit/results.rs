//! What the second pass gives, frame by frame, and the model that it makes.

use array_api::Backend;
use ndarray::{Array2, ArrayView2, Axis};

use super::FitReport;
use super::fitter::Fitted;
use super::record::{FrameFit, Record};
use crate::components::{MIN_COMPONENT_FRAMES, SamplePixels, principal_components};
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
/// with 5000 pixels of each kind, and the weights of the standard preset take 26 kB.
pub(super) struct Results {
    /// The frames that are to be fitted, in order.
    frames: Vec<usize>,
    /// Which of them have a result.
    done: Vec<bool>,
    weights1: Array2<f64>,
    weights2: Array2<f64>,
    /// Of shape (frames to be fitted, pixels), jitter pixels first; NaN where a pixel has no value.
    residuals: Array2<f32>,
    /// For all frames.
    scatter: Vec<f64>,
    /// Frames that could not be read, and why.
    unreadable: Vec<(usize, String)>,
    non_positive_pixels: u64,
}

impl Results {
    /// Room for the results of some `fitted` frames of all, whose designs have so many columns.
    pub(super) fn new(all: usize, fitted: Vec<usize>, [n1, n2]: [usize; 2], samples: &SamplePixels) -> Self {
        let pixels = samples.jitter.len() + samples.background.len();
        Self {
            done: vec![false; fitted.len()],
            weights1: Array2::from_elem((all, n1), f64::NAN),
            weights2: Array2::from_elem((all, n2), f64::NAN),
            residuals: Array2::from_elem((fitted.len(), pixels), f32::NAN),
            scatter: vec![f64::NAN; all],
            frames: fitted,
            unreadable: Vec::new(),
            non_positive_pixels: 0,
        }
    }

    /// The frames that have a result.
    pub(super) fn done(&self) -> Vec<usize> {
        self.frames.iter().zip(&self.done).filter(|&(_, &done)| done).map(|(&frame, _)| frame).collect()
    }

    /// Takes the result of a frame, and tells whether it is one that was waited for.
    pub(super) fn insert(&mut self, record: Record) -> bool {
        let Ok(row) = self.frames.binary_search(&record.frame()) else { return false };
        match record {
            Record::Fitted(fit) => {
                let sizes = (fit.weights1.len(), fit.weights2.len(), fit.residuals.len());
                let expected = (self.weights1.ncols(), self.weights2.ncols(), self.residuals.ncols());
                if self.done[row] || sizes != expected {
                    return false;
                }
                for (to, weights) in
                    [(&mut self.weights1, &fit.weights1), (&mut self.weights2, &fit.weights2)]
                {
                    to.row_mut(fit.frame).iter_mut().zip(weights).for_each(|(to, &weight)| *to = weight);
                }
                self.residuals.row_mut(row).iter_mut().zip(&fit.residuals).for_each(|(to, &r)| *to = r);
                self.scatter[fit.frame] = fit.scatter;
                self.non_positive_pixels += fit.non_positive_pixels;
            }
            Record::Unreadable { frame, reason } => {
                if self.done[row] {
                    return false;
                }
                self.unreadable.push((frame, reason));
            }
        }
        self.done[row] = true;
        true
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
        if rows.len() < self.frames.len() {
            self.residuals = self.residuals.select(Axis(0), &rows);
        }
        let (jitter, background) = self.residuals.view().split_at(Axis(1), samples.jitter.len());
        let all_frames = |fitted: Array2<f64>| {
            let mut all = Array2::from_elem((model.tstart.len(), fitted.ncols()), f64::NAN);
            for (row, &frame) in fitted.rows().into_iter().zip(&frames) {
                all.row_mut(frame).assign(&row);
            }
            all
        };
        let series = |part: ArrayView2<f32>| {
            if frames.len() >= MIN_COMPONENT_FRAMES {
                principal_components(xp, &part).map(all_frames)
            } else {
                Ok(all_frames(part.mapv(f64::from)))
            }
        };
        let (jitter, background) = (series(jitter)?, series(background)?);
        (model.jitter, model.background) = (jitter, background);
        model.jitter_pixels = samples.jitter;
        model.background_pixels = samples.background;
        model.scatter = self.scatter;
        (model.weights1, model.weights2) = (self.weights1, self.weights2);
        Ok(())
    }
}
