//! Models whose weights need not be in memory.

use std::ops::Range;
use std::path::Path;

use ndarray::Array2;

use super::{Model, Rows, fits};
use crate::error::Result;
use crate::fits::InFile;

/// A model to be evaluated, wherever its weights are: a [`Model`] has them in memory, a [`StoredModel`] in its file, a
/// [`FittedModel`](crate::fit::FittedModel) in a temporary one.
///
/// There are no others: how rows of weights are read is this crate's affair.
pub trait AnyModel {
    /// All of the model but its weights, which may be missing here.
    fn without_weights(&self) -> &Model;

    /// The weights of `A1` and `A2`, of shapes (frames, columns).
    #[doc(hidden)]
    fn weights(&self) -> [&dyn Rows; 2];
}

impl AnyModel for Model {
    fn without_weights(&self) -> &Model {
        self
    }

    fn weights(&self) -> [&dyn Rows; 2] {
        [&self.weights1, &self.weights2]
    }
}

/// A saved model of which all but the weights has been read: those of the frames that are evaluated are read then, so that
/// a long sector takes no more memory than a short one.
///
/// The weights in a FITS file are read once when it is opened, too, to find out that they are as they were written. Those in
/// an npz file are read into memory.
///
/// ```
/// use array_api::Cpu;
/// use backdrop::background::Evaluator;
/// use backdrop::file::{AnyModel, Format, Model, StoredModel};
/// use backdrop::fit::{FitOptions, fit};
/// use backdrop::progress::Silent;
/// use backdrop::simulate::{Simulation, SimulationSettings};
///
/// let xp = Cpu::new();
/// let settings = SimulationSettings { frames: 2, size: 64, flagged_frames: 0, ..Default::default() };
/// let (model, _) = fit(&xp, &Simulation::new(settings)?, &FitOptions::default(), &Silent)?;
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join(model.file_name(Format::Fits));
/// model.save(&path, Format::Fits, false)?;
///
/// let stored = StoredModel::open(&path)?;
/// assert_eq!(stored.without_weights().tstart, model.tstart);
/// let background = Evaluator::new(&xp, &stored, &[10, 11], &[20])?.evaluate(&[0, 1])?;
/// assert_eq!(background, model.evaluate(&xp, &[0, 1], &[10, 11], &[20])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StoredModel {
    model: Model,
    pub(super) weights: [Weights; 2],
}

impl StoredModel {
    /// Reads what evaluating needs, without the images: `average_frame`, `star_mask` and `saturation_mask` have no pixels.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn open(path: &Path) -> Result<Self> {
        let (mut model, weights) = Model::read(path, false, fits::stored_weights, Weights::InMemory)?;
        model.average_frame = Array2::default((0, 0));
        (model.star_mask, model.saturation_mask) = (Array2::default((0, 0)), Array2::default((0, 0)));
        Ok(Self { model, weights })
    }

    /// Reads all but the weights.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn open_with_images(path: &Path) -> Result<Self> {
        let (model, weights) = Model::read(path, true, fits::stored_weights, Weights::InMemory)?;
        Ok(Self { model, weights })
    }
}

impl AnyModel for StoredModel {
    fn without_weights(&self) -> &Model {
        &self.model
    }

    fn weights(&self) -> [&dyn Rows; 2] {
        self.weights.each_ref().map(|weights| weights as &dyn Rows)
    }
}

/// Weights of a stored model, of shape (frames, columns).
#[derive(Debug)]
pub(super) enum Weights {
    InMemory(Array2<f64>),
    InFile { shape: (usize, usize), numbers: InFile },
}

impl Rows for Weights {
    fn shape(&self) -> (usize, usize) {
        match self {
            Self::InMemory(weights) => weights.dim(),
            Self::InFile { shape, .. } => *shape,
        }
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<()> {
        match self {
            Self::InMemory(weights) => weights.read(rows, out),
            Self::InFile { shape: (_, columns), numbers } => numbers.read(rows.start * columns, out),
        }
    }
}

/// For each frame of a model whether all of its weights are numbers.
pub(crate) fn fitted_frames(model: &dyn AnyModel) -> Result<Vec<bool>> {
    let mut fitted = vec![true; model.without_weights().tstart.len()];
    for weights in model.weights() {
        let columns = weights.shape().1.max(1);
        let mut frames = fitted.iter_mut();
        weights.in_parts(&mut |part| {
            for (frame, fitted) in part.chunks_exact(columns).zip(frames.by_ref()) {
                *fitted &= frame.iter().all(|weight| weight.is_finite());
            }
            Ok(())
        })?;
    }
    Ok(fitted)
}
