//! Models whose weights need not be in memory.

use std::ops::Range;
use std::path::Path;

use ndarray::Array2;
use rayon::prelude::*;

use super::{Model, Rows, fits};
use crate::error::{Error, Result};
use crate::fits::InFile;

/// Frames whose weights are looked at at once.
const FRAMES: usize = 32;

/// A model to be evaluated, wherever its weights are: a [`Model`] has them in memory, a [`StoredModel`] in its file, a
/// [`FittedModel`](crate::fit::FittedModel) in a temporary one.
///
/// There are no others: how rows of weights are read is this crate's affair.
pub trait AnyModel: Sync {
    /// All of the model but its weights, which may be missing here.
    fn without_weights(&self) -> &Model;

    /// The weights of `A1` and `A2`, of shapes (frames, columns).
    #[doc(hidden)]
    fn weights(&self) -> [&dyn Rows; 2];

    /// How many weights of `A1` and `A2` a frame has.
    fn columns(&self) -> [usize; 2] {
        self.weights().map(|weights| weights.shape().1)
    }
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
/// The weights in a FITS file are checked against its checksums before anything that was made of them is the result of a
/// function, or as [`Evaluator::evaluate_in_batches`](crate::background::Evaluator::evaluate_in_batches) ends. Those in an npz
/// file are read into memory.
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

    /// Checks the weights at once, such as before many results are made of them.
    ///
    /// # Errors
    /// [`Error::Checksum`] if they are not those that were written; [`Error::Io`].
    pub fn check(&self) -> Result<()> {
        check_weights(self)
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
    InFile(InFile),
}

impl Rows for Weights {
    fn shape(&self) -> (usize, usize) {
        match self {
            Self::InMemory(weights) => weights.dim(),
            Self::InFile(weights) => weights.shape(),
        }
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<()> {
        match self {
            Self::InMemory(weights) => weights.read(rows, out),
            Self::InFile(weights) => weights.read(rows, out),
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::InMemory(_) => Ok(()),
            Self::InFile(weights) => weights.check(),
        }
    }
}

/// Finds out, as far as that is not known yet, whether the weights of a model are those that were written.
///
/// # Errors
/// [`Error::Checksum`] if they are not.
pub(crate) fn check_weights(model: &dyn AnyModel) -> Result<()> {
    model.weights().into_iter().try_for_each(Rows::check)
}

/// For each frame of a model whether it was fitted: whether all of its weights are numbers.
///
/// # Errors
/// Those of reading; [`Error::Checksum`] if the weights in a file are not those that were written.
pub fn fitted_frames(model: &dyn AnyModel) -> Result<Vec<bool>> {
    let mut fitted = vec![true; model.without_weights().tstart.len()];
    for weights in model.weights() {
        let columns = weights.shape().1;
        let each = FRAMES.min(fitted.len());
        fitted.par_chunks_mut(FRAMES).enumerate().try_for_each_init(
            || vec![0.0; each * columns],
            |read, (part, fitted)| {
                let first = part * FRAMES;
                let read = &mut read[..fitted.len() * columns];
                weights.read(first..first + fitted.len(), read)?;
                // There are no chunks of length 0.
                for (frame, fitted) in read.chunks_exact(columns.max(1)).zip(fitted) {
                    *fitted &= frame.iter().all(|weight| weight.is_finite());
                }
                Ok::<_, Error>(())
            },
        )?;
    }
    check_weights(model)?;
    Ok(fitted)
}
