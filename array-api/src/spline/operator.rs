//! Bases at fixed points.

use std::ops::Range;
use std::sync::Arc;

use super::PiecewisePolynomials;
use crate::backend::Backend;
use crate::{Array, Csr, Error, Float, Result};

/// A basis at fixed points: the matrix `A[x, k] = B_k(x)` as an operator.
#[derive(Debug)]
pub struct SplineOperator<B: Backend> {
    plan: Arc<B::Plan>,
    functions: usize,
    degree: usize,
    rows: Range<usize>,
    columns: usize,
    shape: Vec<usize>,
    backend: B,
}

impl<B: Backend> Clone for SplineOperator<B> {
    fn clone(&self) -> Self {
        Self {
            plan: Arc::clone(&self.plan),
            rows: self.rows.clone(),
            shape: self.shape.clone(),
            backend: self.backend.clone(),
            ..*self
        }
    }
}

impl<B: Backend> SplineOperator<B> {
    /// A basis at the points `x`, of any shape.
    pub(super) fn new(basis: &PiecewisePolynomials, x: &Array<f64, B>) -> Result<Self> {
        let (rows, columns) = match *x.shape() {
            [] => (1, 1),
            [n] => (1, n),
            [rows, ref rest @ ..] => (rows, rest.iter().product()),
        };
        let plan = x.backend().spline_plan(basis, x.to_shared()?, [rows, columns])?;
        Ok(Self {
            plan: Arc::new(plan),
            functions: basis.functions,
            degree: basis.degree,
            rows: 0..rows,
            columns,
            shape: x.shape().to_vec(),
            backend: x.backend().clone(),
        })
    }

    /// Shape of the points.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of basis functions.
    pub fn functions(&self) -> usize {
        self.functions
    }

    /// The operator for some rows (the first axis) of the points, without a copy.
    pub fn rows(&self, rows: Range<usize>) -> Result<Self> {
        if self.shape.len() < 2 || rows.start > rows.end || rows.end > self.rows.len() {
            return Err(Error::IndexOutOfRange {
                operation: "SplineOperator::rows",
                index: rows.end.max(rows.start) as i64,
                length: if self.shape.len() < 2 { 0 } else { self.rows.len() },
            });
        }
        let mut part = self.clone();
        part.shape[0] = rows.len();
        part.rows = self.rows.start + rows.start..self.rows.start + rows.end;
        Ok(part)
    }

    /// The matrix itself, one row for each point, with `degree + 1` entries each.
    pub fn design_matrix(&self) -> Result<Csr<f64, B>> {
        let points = self.rows.len() * self.columns;
        let width = self.degree + 1;
        let (indices, data) = self.backend.spline_design(&self.plan, self.rows.clone())?;
        let indptr: Vec<i32> = (0..=points).map(|row| (row * width) as i32).collect();
        Csr::from_parts(
            [points, self.functions],
            Array::from_vec(&self.backend, indptr, &[points + 1])?,
            Array::from_buffer(&self.backend, indices, &[points * width]),
            Array::from_buffer(&self.backend, data, &[points * width]),
        )
    }

    /// `A c`: the splines with the given coefficients, of shape `(..., functions)`, at the points;
    /// the result has the shape `(..., points)`.
    pub fn evaluate(&self, coefficients: &Array<f64, B>) -> Result<Array<f64, B>> {
        let (batch, count) = self.batch_of(coefficients.shape(), &[self.functions], "evaluate")?;
        let folded = coefficients.reshape(&[count, self.functions])?;
        let buffer = self.backend.spline_evaluate(&self.plan, self.rows.clone(), folded.view())?;
        Ok(Array::from_buffer(&self.backend, buffer, &[batch, &self.shape].concat()))
    }

    /// Adds [`SplineOperator::evaluate`] to `out`.
    pub fn evaluate_add(&self, coefficients: &Array<f64, B>, out: &mut Array<f64, B>) -> Result<()> {
        let (batch, count) = self.batch_of(coefficients.shape(), &[self.functions], "evaluate_add")?;
        if *out.shape() != [batch, &self.shape].concat() {
            return Err(Error::ShapeMismatch {
                operation: "evaluate_add",
                left: [batch, &self.shape].concat(),
                right: out.shape().to_vec(),
            });
        }
        let coefficients = coefficients.reshape(&[count, self.functions])?;
        let folded = [count, self.rows.len(), self.columns];
        if out.layout().reshape(&folded).is_none() {
            *out = out.copy()?;
        }
        let (buffer, layout) = out.unique()?;
        let Some(layout) = layout.reshape(&folded) else {
            unreachable!("a contiguous array takes any shape of its size");
        };
        self.backend.spline_evaluate_add(&self.plan, self.rows.clone(), coefficients.view(), buffer, &layout)
    }

    /// `A^T f`: sums of data `f`, of shape `(..., points)`, times each basis function, in double precision
    /// whatever the data's type; the result has the shape `(..., functions)`.
    pub fn project<T: Float>(&self, f: &Array<T, B>) -> Result<Array<f64, B>> {
        let (batch, count) = self.batch_of(f.shape(), &self.shape, "project")?;
        let folded = f.reshape(&[count, self.rows.len(), self.columns])?;
        let buffer = self.backend.spline_project(&self.plan, self.rows.clone(), folded.view())?;
        Ok(Array::from_buffer(&self.backend, buffer, &[batch, &[self.functions]].concat()))
    }

    /// `(A (x) C)^T f` for the Kronecker product of this basis, at points of shape `(rows, 1)`, and that of
    /// `columns`, at points of shape `(columns,)` or `(1, columns)`: sums of data `f`, of shape
    /// `(..., rows, columns)`, times the products of a function of each; the result has the shape
    /// `(..., functions, functions of columns)`. It is the `B_row^T F B_col` of generalized linear array
    /// models (Currie, Durban and Eilers, Journal of the Royal Statistical Society B 68, 2006, 259).
    ///
    /// ```
    /// use array_api::{Array, Cpu, spline::PiecewisePolynomials};
    ///
    /// let xp = Cpu::new();
    /// let line = PiecewisePolynomials::powers(2)?;
    /// let y = line.at(&Array::from_slice(&xp, &[0.0, 1.0])?.reshape(&[2, 1])?)?;
    /// let x = line.at(&Array::from_slice(&xp, &[1.0, 2.0, 3.0])?)?;
    /// // The sums of 1, x, y and y x over six points.
    /// let sums = y.project_kronecker(&x, &Array::<f64, _>::ones(&xp, &[2, 3])?)?;
    /// assert_eq!(sums.to_vec()?, [6.0, 12.0, 3.0, 6.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] for points or data of other shapes.
    pub fn project_kronecker<T: Float>(&self, columns: &Self, f: &Array<T, B>) -> Result<Array<f64, B>> {
        let shape = [self.rows.len(), columns.columns];
        let (batch, count) = self.batch_of(f.shape(), &shape, "project_kronecker")?;
        if self.columns != 1 || columns.rows.len() != 1 {
            let (left, right) = (self.shape.clone(), columns.shape.clone());
            return Err(Error::ShapeMismatch { operation: "project_kronecker", left, right });
        }
        let folded = f.reshape(&[count, shape[0], shape[1]])?;
        let rows = (&*self.plan, self.rows.clone());
        let buffer = self.backend.spline_project_kronecker(rows, &columns.plan, folded.view())?;
        let functions = [self.functions, columns.functions];
        Ok(Array::from_buffer(&self.backend, buffer, &[batch, &functions].concat()))
    }

    /// The leading axes of `shape`, which must end with `tail`, and their number of entries.
    fn batch_of<'a>(
        &self,
        shape: &'a [usize],
        tail: &[usize],
        operation: &'static str,
    ) -> Result<(&'a [usize], usize)> {
        if !shape.ends_with(tail) {
            return Err(Error::ShapeMismatch { operation, left: tail.to_vec(), right: shape.to_vec() });
        }
        let batch = &shape[..shape.len() - tail.len()];
        Ok((batch, batch.iter().product()))
    }
}
