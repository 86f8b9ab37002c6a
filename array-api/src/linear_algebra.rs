//! Linear algebra: the chapter and the extension "Linear Algebra Functions" of the array API
//! standard. Functions on matrices work on stacks of them: leading axes are a batch, and are
//! broadcast.

use crate::backend::{Backend, Triangle, View};
use crate::layout::{Layout, broadcast_shapes};
use crate::{Array, Error, Float, Numeric, Result};

/// Splits a shape into batch, rows and columns.
fn matrix_shape<'a>(shape: &'a [usize], operation: &'static str) -> Result<(&'a [usize], usize, usize)> {
    match shape {
        [batch @ .., rows, columns] => Ok((batch, *rows, *columns)),
        _ => Err(Error::InvalidShape {
            operation,
            shape: shape.to_vec(),
            reason: "a matrix has two axes".into(),
        }),
    }
}

fn square_shape<'a>(shape: &'a [usize], operation: &'static str) -> Result<(&'a [usize], usize)> {
    match matrix_shape(shape, operation)? {
        (batch, rows, columns) if rows == columns => Ok((batch, rows)),
        _ => Err(Error::InvalidShape {
            operation,
            shape: shape.to_vec(),
            reason: "the matrix must be square".into(),
        }),
    }
}

impl<T: Float, B: Backend> Array<T, B> {
    /// The array as (batch, rows, columns), the batch axes broadcast to `batch`.
    pub(crate) fn as_batch(&self, batch: &[usize]) -> Result<Self> {
        let (_, rows, columns) = matrix_shape(self.shape(), "matmul")?;
        let full: Vec<usize> = batch.iter().copied().chain([rows, columns]).collect();
        let count = Layout::contiguous(batch).len();
        self.broadcast_to(&full)?.reshape(&[count, rows, columns])
    }

    /// Matrix product, NumPy's `@`: batch axes are broadcast, a one-dimensional argument counts
    /// as a row on the left and as a column on the right.
    ///
    /// ```
    /// # use array_api::{Array, Cpu};
    /// # let xp = Cpu::new();
    /// let a = Array::arange(&xp, 0.0, 6.0, 1.0)?.reshape(&[2, 3])?;
    /// assert_eq!(a.matmul(&a.matrix_transpose()?)?.to_vec()?, [5.0, 14.0, 14.0, 50.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        let mismatch = || Error::ShapeMismatch {
            operation: "matmul",
            left: self.shape().to_vec(),
            right: other.shape().to_vec(),
        };
        if self.ndim() == 0 || other.ndim() == 0 {
            return Err(mismatch());
        }
        if self.ndim() == 1 {
            return self.expand_dims(0)?.matmul(other)?.squeeze_axis_from_end(if other.ndim() == 1 {
                1
            } else {
                2
            });
        }
        if other.ndim() == 1 {
            return self.matmul(&other.expand_dims(1)?)?.squeeze_axis_from_end(1);
        }
        let (batch_a, m, k) = matrix_shape(self.shape(), "matmul")?;
        let (batch_b, k_b, n) = matrix_shape(other.shape(), "matmul")?;
        if k != k_b {
            return Err(mismatch());
        }
        let batch = broadcast_shapes(batch_a, batch_b, "matmul").map_err(|_| mismatch())?;
        let (a, b) = (self.as_batch(&batch)?, other.as_batch(&batch)?);
        let shape: Vec<usize> = batch.into_iter().chain([m, n]).collect();
        let mut buffer = self.backend().allocate(Layout::contiguous(&shape).len())?;
        self.backend().matmul(a.view(), b.view(), &mut buffer, false)?;
        Ok(Self::from_buffer(self.backend(), buffer, &shape))
    }

    fn squeeze_axis_from_end(self, from_end: usize) -> Result<Self> {
        // A row vector result has one axis fewer than its matrix when both operands were vectors.
        let axis = -(from_end.min(self.ndim()) as isize);
        self.squeeze(&[axis])
    }

    /// Adds the matrix product `a @ b` to `self` (BLAS `gemm` with beta = 1). Batch axes of `a`
    /// and `b` must broadcast to those of `self`.
    pub fn matmul_add_assign(&mut self, a: &Self, b: &Self) -> Result<()> {
        let (batch, m, n) = matrix_shape(self.shape(), "matmul_add_assign")?;
        let (_, rows, k) = matrix_shape(a.shape(), "matmul_add_assign")?;
        let (_, k_b, columns) = matrix_shape(b.shape(), "matmul_add_assign")?;
        if (m, n, k) != (rows, columns, k_b) {
            return Err(Error::ShapeMismatch {
                operation: "matmul_add_assign",
                left: a.shape().to_vec(),
                right: b.shape().to_vec(),
            });
        }
        let (a, b) = (a.as_batch(batch)?, b.as_batch(batch)?);
        if !self.layout().is_contiguous() || self.layout().offset() != 0 {
            *self = self.copy()?;
        }
        let backend = self.backend().clone();
        let (buffer, _) = self.unique()?;
        backend.matmul(a.view(), b.view(), buffer, true)
    }

    /// Sums of products over the last `axes` axes of `self` and the first `axes` of `other`.
    pub fn tensordot(&self, other: &Self, axes: usize) -> Result<Self> {
        let split = self.ndim().checked_sub(axes);
        let fits = split.is_some_and(|s| other.shape().starts_with(&self.shape()[s..]));
        let Some(split) = split.filter(|_| fits) else {
            return Err(Error::ShapeMismatch {
                operation: "tensordot",
                left: self.shape().to_vec(),
                right: other.shape().to_vec(),
            });
        };
        let size = |part: &[usize]| Layout::contiguous(part).len();
        let (left, joined) = self.shape().split_at(split);
        let right = &other.shape()[axes..];
        let a = self.reshape(&[size(left), size(joined)])?;
        let b = other.reshape(&[size(joined), size(right)])?;
        a.matmul(&b)?.reshape(&[left, right].concat())
    }

    /// Sums of products along the last axis, after broadcasting.
    pub fn vecdot(&self, other: &Self) -> Result<Self> {
        self.multiply(other)?.sum_axes(&[-1], false)
    }
}

impl<T: Numeric, B: Backend> Array<T, B> {
    /// Diagonal number `k` (positive: above the main one) of a matrix or stack of matrices, a view.
    pub fn diagonal(&self, k: isize) -> Result<Self> {
        let (_, rows, columns) = matrix_shape(self.shape(), "diagonal")?;
        let distance = k.unsigned_abs();
        let (down, right) = if k < 0 { (distance, 0) } else { (0, distance) };
        let length = rows.saturating_sub(down).min(columns.saturating_sub(right));
        Ok(self.with_layout(self.layout().diagonal(down, right, length)))
    }
}

/// Functions of the extension `linalg`.
pub mod linalg {
    use super::*;

    /// Lower Cholesky factor of a symmetric positive definite matrix: `a = l l^T`. Only the lower
    /// triangle of `a` is read.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] with the matrix in the stack and the pivot.
    pub fn cholesky<T: Float, B: Backend>(a: &Array<T, B>) -> Result<Array<T, B>> {
        square_shape(a.shape(), "cholesky")?;
        factor(a.copy()?)
    }

    /// [`cholesky`] of matrices in the memory that they lie in, if nothing else has a part in it.
    fn factor<T: Float, B: Backend>(mut a: Array<T, B>) -> Result<Array<T, B>> {
        let (batch, n) = square_shape(a.shape(), "cholesky")?;
        let count = batch.iter().product();
        if !a.layout().is_contiguous() || a.layout().offset() != 0 {
            a = a.copy()?;
        }
        let backend = a.backend().clone();
        backend.cholesky(a.unique()?.0, count, n)?;
        Ok(a)
    }

    /// A Cholesky factor kept for many right-hand sides, as SciPy's `cho_factor` makes it.
    ///
    /// ```
    /// use array_api::{Array, Cpu, linalg};
    ///
    /// let xp = Cpu::new();
    /// let a = Array::from_vec(&xp, vec![4.0, 2.0, 2.0, 3.0], &[2, 2])?;
    /// let factor = linalg::cho_factor(&a)?;
    /// let x = factor.solve(&Array::from_slice(&xp, &[8.0, 8.0])?)?;
    /// let error = (&a.matmul(&x)? - &Array::from_slice(&xp, &[8.0, 8.0])?)?.abs()?.max()?;
    /// assert!(error.item()? < 1e-14);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    #[derive(Debug, Clone)]
    pub struct CholeskyFactor<T: Float, B: Backend> {
        lower: Array<T, B>,
    }

    /// Factors a symmetric positive definite matrix, or a stack of them, for
    /// [`CholeskyFactor::solve`].
    pub fn cho_factor<T: Float, B: Backend>(a: &Array<T, B>) -> Result<CholeskyFactor<T, B>> {
        Ok(CholeskyFactor { lower: cholesky(a)? })
    }

    /// As [`cho_factor`] with SciPy's `overwrite_a=True`: the factor takes the memory of a matrix that is no longer needed,
    /// without a copy, if no other array shares it. After an error the matrix is lost.
    ///
    /// ```
    /// use array_api::{Array, Cpu, linalg};
    ///
    /// let xp = Cpu::new();
    /// let a = Array::from_vec(&xp, vec![4.0, 2.0, 2.0, 5.0], &[2, 2])?;
    /// assert_eq!(linalg::cho_factor_overwrite(a)?.lower().to_vec()?, [2.0, 0.0, 1.0, 2.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`cholesky`].
    pub fn cho_factor_overwrite<T: Float, B: Backend>(a: Array<T, B>) -> Result<CholeskyFactor<T, B>> {
        Ok(CholeskyFactor { lower: factor(a)? })
    }

    impl<T: Float, B: Backend> CholeskyFactor<T, B> {
        /// The lower triangular factor, zero above the diagonal.
        pub fn lower(&self) -> &Array<T, B> {
            &self.lower
        }

        /// Solves `a x = b` (SciPy's `cho_solve`); a one-dimensional `b` is one column. A column
        /// of the result has the same bits however many columns are solved at once.
        pub fn solve(&self, b: &Array<T, B>) -> Result<Array<T, B>> {
            solve_with(&self.lower, b, "cho_solve", |a, b| self.lower.backend().cho_solve(a, b))
        }
    }

    /// Solves `a x = b` for a symmetric positive definite matrix (SciPy's `cho_solve` of
    /// `cho_factor`), stacks too.
    pub fn cholesky_solve<T: Float, B: Backend>(a: &Array<T, B>, b: &Array<T, B>) -> Result<Array<T, B>> {
        cho_factor(a)?.solve(b)
    }

    /// Solves `a x = b` by LU factorization with partial pivoting. A one-dimensional `b` is one
    /// column, as the standard has it.
    ///
    /// # Errors
    /// [`Error::Singular`] with the matrix in the stack and the pivot.
    pub fn solve<T: Float, B: Backend>(a: &Array<T, B>, b: &Array<T, B>) -> Result<Array<T, B>> {
        solve_with(a, b, "solve", |x, y| a.backend().solve(x, y))
    }

    /// Solves `a x = b` with a triangular matrix, of which only that triangle is read.
    ///
    /// # Errors
    /// [`Error::Singular`] for a zero on the diagonal.
    pub fn solve_triangular<T: Float, B: Backend>(
        a: &Array<T, B>,
        b: &Array<T, B>,
        triangle: Triangle,
    ) -> Result<Array<T, B>> {
        solve_with(a, b, "solve_triangular", |x, y| a.backend().solve_triangular(x, y, triangle))
    }

    /// Checks shapes, broadcasts the batch axes, and calls a backend's solver.
    fn solve_with<T: Float, B: Backend>(
        a: &Array<T, B>,
        b: &Array<T, B>,
        operation: &'static str,
        solver: impl Fn(View<'_, T, B>, View<'_, T, B>) -> Result<B::Buffer<T>>,
    ) -> Result<Array<T, B>> {
        let (batch_a, n) = square_shape(a.shape(), operation)?;
        if b.ndim() == 1 {
            let column = solve_with(a, &b.expand_dims(1)?, operation, solver)?;
            return column.squeeze(&[-1]);
        }
        let (batch_b, rows, columns) = matrix_shape(b.shape(), operation)?;
        let batch = broadcast_shapes(batch_a, batch_b, operation).ok().filter(|_| rows == n);
        let Some(batch) = batch else {
            return Err(Error::ShapeMismatch {
                operation,
                left: a.shape().to_vec(),
                right: b.shape().to_vec(),
            });
        };
        let (x, y) = (a.as_batch(&batch)?, b.as_batch(&batch)?);
        let shape: Vec<usize> = batch.into_iter().chain([n, columns]).collect();
        Ok(Array::from_buffer(a.backend(), solver(x.view(), y.view())?, &shape))
    }

    /// Inverse of a matrix. To solve a system, [`solve`] is faster and more accurate.
    pub fn inv<T: Float, B: Backend>(a: &Array<T, B>) -> Result<Array<T, B>> {
        let (_, n) = square_shape(a.shape(), "inv")?;
        solve(a, &Array::eye(a.backend(), n, None, 0)?)
    }

    /// Determinant of a matrix.
    pub fn det<T: Float, B: Backend>(a: &Array<T, B>) -> Result<Array<T, B>> {
        let (batch, _) = square_shape(a.shape(), "det")?;
        let buffer = a.backend().det(a.as_batch(batch)?.view())?;
        Ok(Array::from_buffer(a.backend(), buffer, batch))
    }

    /// Eigenvalues `w` and eigenvectors `v` of a symmetric matrix, or of a stack of them:
    /// `a v = v diag(w)` and `v^T v = 1`. Only the lower triangle of `a` is read.
    ///
    /// The eigenvalues, of shape `(..., n)`, ascend. The eigenvectors are the columns of the second
    /// array, of shape `(..., n, n)`; of the two signs that each may have it has the one that makes
    /// its component of largest magnitude, the first of equal ones, positive.
    ///
    /// ```
    /// use array_api::{Array, Cpu, linalg};
    ///
    /// let a = Array::from_vec(&Cpu::new(), vec![2.0, 1.0, 1.0, 2.0], &[2, 2])?;
    /// let (w, v) = linalg::eigh(&a)?;
    /// let error = (&w - &Array::from_slice(&Cpu::new(), &[1.0, 3.0])?)?.abs()?.max()?;
    /// assert!(error.item()? < 1e-14);
    /// let error = (&a.matmul(&v)? - &(&v * &w)?)?.abs()?.max()?;
    /// assert!(error.item()? < 1e-14);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoEigenvalues`] for a matrix with NaN or an infinity in its lower triangle, and where
    /// the iteration does not converge.
    pub fn eigh<T: Float, B: Backend>(a: &Array<T, B>) -> Result<(Array<T, B>, Array<T, B>)> {
        let (stack, values_shape) = finite_symmetric(a, "eigh")?;
        let xp = a.backend();
        let (values, vectors) = xp.eigh(stack.view())?;
        let values = Array::from_buffer(xp, values, &values_shape);
        let vectors = with_positive_peaks(&Array::from_buffer(xp, vectors, a.shape()))?;
        Ok((values, vectors.matrix_transpose()?))
    }

    /// Eigenvalues of a symmetric matrix as of [`eigh`], without the eigenvectors.
    ///
    /// # Errors
    /// As for [`eigh`].
    pub fn eigvalsh<T: Float, B: Backend>(a: &Array<T, B>) -> Result<Array<T, B>> {
        let (stack, shape) = finite_symmetric(a, "eigvalsh")?;
        Ok(Array::from_buffer(a.backend(), a.backend().eigvalsh(stack.view())?, &shape))
    }

    /// A stack of symmetric matrices whose lower triangles are finite, and the shape of the
    /// eigenvalues. Algorithms differ in what they make of other matrices; some never end.
    fn finite_symmetric<T: Float, B: Backend>(
        a: &Array<T, B>,
        operation: &'static str,
    ) -> Result<(Array<T, B>, Vec<usize>)> {
        let (batch, n) = square_shape(a.shape(), operation)?;
        let stack = a.as_batch(batch)?;
        let finite = stack.tril(0)?.isfinite()?.all_axes_of(&[1, 2], false)?.to_vec()?;
        match finite.iter().position(|&finite| !finite) {
            Some(batch) => Err(Error::NoEigenvalues { batch }),
            None => Ok((stack, [batch, &[n]].concat())),
        }
    }

    /// Vectors, the rows of a stack of square matrices, turned so that the component of largest
    /// magnitude, the first of equal ones, is positive.
    fn with_positive_peaks<T: Float, B: Backend>(vectors: &Array<T, B>) -> Result<Array<T, B>> {
        if vectors.is_empty() {
            return Ok(vectors.clone());
        }
        let xp = vectors.backend();
        let (len, n) = (vectors.len(), vectors.shape()[vectors.ndim() - 1]);
        let lines = vectors.reshape(&[len / n, n])?;
        let starts = Array::arange(xp, 0, len as i64, n as i64)?;
        let peaks = vectors.reshape(&[len])?.take(&(&starts + &lines.abs()?.argmax(1)?)?, 0)?;
        let signs = Array::full(xp, &[], T::ONE)?.copysign(&peaks)?;
        lines.multiply(&signs.expand_dims(1)?)?.reshape(vectors.shape())
    }

    /// Sum of the main diagonal.
    pub fn trace<T: Float, B: Backend>(a: &Array<T, B>) -> Result<Array<T, B>> {
        a.diagonal(0)?.sum_axes(&[-1], false)
    }
}
