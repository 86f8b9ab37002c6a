//! Weighted ridge regression with a Gaussian prior, through its normal equations
//!
//! `(A^T diag(1/sigma_f) A + diag(1/sigma_w^2)) w = A^T (f / sigma_f) + mu_w / sigma_w^2`.
//!
//! `sigma_f` enters to the first power: that is the convention of the existing data products. The
//! matrix on the left depends on the mask and not on the frame, so it is factored once.

use array_api::linalg::{CholeskyFactor, cho_factor_overwrite};
use array_api::{Array, Backend};

use crate::design::{Block, DesignMatrix};
use crate::error::{Error, Result};

/// The normal equations of a design for one set of pixel weights.
pub struct NormalEquations<B: Backend> {
    factor: CholeskyFactor<f64, B>,
    /// `mu_w / sigma_w^2`.
    prior: Array<f64, B>,
}

impl<B: Backend> NormalEquations<B> {
    /// Factors the equations; `gram` is `A^T diag(1/sigma_f) A`, of shape (columns, columns), and
    /// `name` is what messages call the design.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] with the block and the column of the first pivot that is not
    /// positive.
    pub fn new(name: &str, matrix: &DesignMatrix<B>, gram: Array<f64, B>) -> Result<Self> {
        let xp = matrix.backend();
        let blocks = matrix.design().blocks();
        let sigmas: Vec<f64> = blocks.iter().flat_map(Block::prior_sigmas).collect();
        let means: Vec<f64> =
            blocks.iter().flat_map(|block| std::iter::repeat_n(block.prior_mean, block.columns())).collect();
        let precision = Array::from_slice(xp, &sigmas)?.square()?.reciprocal()?;
        let prior = (&Array::from_slice(xp, &means)? * &precision)?;

        let n = matrix.columns();
        let mut left = gram.reshape(&[n * n])?;
        // Changed in place unless someone else keeps it.
        drop(gram);
        let diagonal: Vec<i64> = (0..n).map(|i| (i * (n + 1)) as i64).collect();
        left.scatter_add(&Array::from_slice(xp, &diagonal)?, &precision, 0)?;
        let square = left.reshape(&[n, n])?;
        drop(left);
        let factor = cho_factor_overwrite(square).map_err(|error| match error {
            array_api::Error::NotPositiveDefinite { pivot, .. } => not_positive_definite(name, matrix, pivot),
            other => other.into(),
        })?;
        Ok(Self { factor, prior })
    }

    /// `(A^T diag(1/sigma_f) A + diag(1/sigma_w^2))^-1`, of shape (columns, columns): the covariance
    /// of the weights for pixels of unit variance.
    pub fn covariance(&self) -> Result<Array<f64, B>> {
        let n = self.prior.len();
        Ok(self.factor.solve(&Array::eye(self.prior.backend(), n, None, 0)?)?)
    }

    /// The weights of some frames, of shape (frames, columns), from `A^T (f / sigma_f)` of the same
    /// shape. A frame's weights do not depend on which others are solved with it.
    pub fn solve(&self, projected: &Array<f64, B>) -> Result<Array<f64, B>> {
        let right = (projected + &self.prior)?;
        Ok(self.factor.solve(&right.matrix_transpose()?)?.matrix_transpose()?)
    }
}

fn not_positive_definite<B: Backend>(name: &str, matrix: &DesignMatrix<B>, pivot: usize) -> Error {
    let (block, column) =
        matrix.block_of(pivot).map_or((String::from("no block"), pivot), |(b, c)| (b.basis.to_string(), c));
    Error::NotPositiveDefinite { design: name.to_owned(), block, column }
}
