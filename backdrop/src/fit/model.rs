//! The model that a fit ends with.

use std::path::Path;

use super::spool::FrameRows;
use crate::error::Result;
use crate::file::{AnyModel, Format, Model, Rows};

/// A model as a fit leaves it. Its weights, which are nearly all of it, are in a temporary file if
/// they are many, so that the models of long sectors need no more memory than those of short ones.
#[derive(Debug)]
pub struct FittedModel {
    /// All but the weights.
    model: Model,
    weights: [FrameRows; 2],
}

impl FittedModel {
    /// A model of A1's and A2's weights and all else, which `model` has.
    pub(super) fn new(model: Model, weights: [FrameRows; 2]) -> Self {
        Self { model, weights }
    }

    /// Writes the model to `path`, which appears whole or not at all.
    ///
    /// # Errors
    /// As [`Model::save`], and [`Error::Io`](crate::error::Error::Io) if the temporary file cannot be read.
    pub fn save(&self, path: &Path, format: Format, overwrite: bool) -> Result<()> {
        self.model.save_with(self.weights(), path, format, overwrite)
    }

    /// The whole model, in memory.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io) if the temporary file cannot be read.
    pub fn into_model(self) -> Result<Model> {
        let Self { mut model, weights: [weights1, weights2] } = self;
        model.weights1 = weights1.to_array()?;
        model.weights2 = weights2.to_array()?;
        Ok(model)
    }
}

impl AnyModel for FittedModel {
    fn without_weights(&self) -> &Model {
        &self.model
    }

    fn weights(&self) -> [&dyn Rows; 2] {
        self.weights.each_ref().map(|weights| weights as &dyn Rows)
    }
}
