//! Blocks in the distance `r` from the boresight corner: one polynomial between two rings.

use std::ops::Range;

use array_api::{Array, Backend, Csr, Float, SplineOperator};

use crate::error::Result;

/// A basis in `r` at every pixel of a window.
pub(super) struct Radial<B: Backend> {
    operator: SplineOperator<B>,
}

impl<B: Backend> Radial<B> {
    pub(super) fn new(operator: SplineOperator<B>) -> Self {
        Self { operator }
    }

    pub(super) fn functions(&self) -> usize {
        self.operator.functions()
    }

    /// `A^T f` over some rows; `f` has shape (frames, rows, columns).
    pub(super) fn project<T: Float>(&self, f: &Array<T, B>, rows: Range<usize>) -> Result<Array<f64, B>> {
        Ok(self.operator.rows(rows)?.project(f)?)
    }

    /// `A w` over some rows; `w` has shape (frames, functions).
    pub(super) fn evaluate(&self, w: &Array<f64, B>, rows: Range<usize>) -> Result<Array<f64, B>> {
        Ok(self.operator.rows(rows)?.evaluate(w)?)
    }

    /// Adds [`evaluate`](Self::evaluate) to `out`.
    pub(super) fn evaluate_add(
        &self,
        w: &Array<f64, B>,
        rows: Range<usize>,
        out: &mut Array<f64, B>,
    ) -> Result<()> {
        Ok(self.operator.rows(rows)?.evaluate_add(w, out)?)
    }

    /// The matrix over some rows, pixel by pixel.
    pub(super) fn matrix(&self, rows: Range<usize>) -> Result<Csr<f64, B>> {
        Ok(self.operator.rows(rows)?.design_matrix()?)
    }
}
