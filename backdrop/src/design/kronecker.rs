//! Blocks that are Kronecker products: `A = B_row (x) B_col`.
//!
//! With the weights of a frame as a matrix `W[row function, column function]` and a frame as
//! `F[row, column]`, `A w` is `B_row W B_col^T` and `A^T f` is `B_row^T F B_col`.
//! `B_col` meets every pixel, so it is applied as an operator; `B_row` meets the few numbers that
//! are left of each row.

use std::ops::Range;

use array_api::{Array, Backend, Csr, Float, PiecewisePolynomials, SplineOperator, s};

use crate::error::{Error, Result};

/// One factor: a basis at the rows or the columns of a window.
pub(super) struct Factor<B: Backend> {
    /// One row for each row or column of the window, few entries each.
    pub(super) matrix: Csr<f64, B>,
    operator: Operator<B>,
    /// Where not all functions are used, those that are: the others are zero on the window.
    used: Option<Used<B>>,
}

/// The functions of a factor that are not zero somewhere on the window.
struct Used<B: Backend> {
    /// Which ones.
    functions: Range<usize>,
    /// The factor with these alone.
    matrix: Csr<f64, B>,
    operator: Operator<B>,
}

enum Operator<B: Backend> {
    /// Polynomials, on one interval or between knots.
    Polynomials(SplineOperator<B>),
    /// Functions that are one in a single place: `functions[i]` in place `places[i]`, which are `all` of
    /// them in order, or some.
    Selection { places: Array<i64, B>, functions: Array<i64, B>, all: bool },
}

impl<B: Backend> Factor<B> {
    /// Piecewise polynomials at the coordinates of the rows.
    pub(super) fn of_rows(xp: &B, basis: &PiecewisePolynomials, y: &[f64]) -> Result<Self> {
        Self::polynomials(basis, y, &Array::from_slice(xp, y)?.reshape(&[y.len(), 1])?)
    }

    /// Piecewise polynomials at the coordinates of the columns.
    pub(super) fn of_columns(xp: &B, basis: &PiecewisePolynomials, x: &[f64]) -> Result<Self> {
        Self::polynomials(basis, x, &Array::from_slice(xp, x)?)
    }

    /// The basis at some points, which are also in an array.
    fn polynomials(basis: &PiecewisePolynomials, points: &[f64], x: &Array<f64, B>) -> Result<Self> {
        let at = |basis: &PiecewisePolynomials| {
            let operator = basis.at(x)?;
            Ok::<_, Error>((operator.design_matrix()?, Operator::Polynomials(operator)))
        };
        let (matrix, operator) = at(basis)?;
        let intervals = points.iter().map(|&x| basis.interval(x));
        let used = match (intervals.clone().min(), intervals.max()) {
            (Some(first), Some(last)) if last - first + 1 < basis.centres().len() => {
                let part = basis.on_intervals(first..last + 1)?;
                let (matrix, operator) = at(&part)?;
                Some(Used { functions: first..first + part.functions(), matrix, operator })
            }
            _ => None,
        };
        Ok(Self { matrix, operator, used })
    }

    /// For each of the `selected` columns of the CCD a function that is one there; `columns` are
    /// those of the window.
    pub(super) fn selection(xp: &B, columns: &[usize], selected: &[usize]) -> Result<Self> {
        let functions: Vec<Option<usize>> =
            columns.iter().map(|column| selected.binary_search(column).ok()).collect();
        let known = functions.iter().flatten().copied();
        let used = match (known.clone().min(), known.max()) {
            (Some(first), Some(last)) => first..last + 1,
            _ => 0..0,
        };
        let (matrix, operator) = selected_functions(xp, &functions, 0..selected.len())?;
        let used = if used.len() < selected.len() {
            let (matrix, operator) = selected_functions(xp, &functions, used.clone())?;
            Some(Used { functions: used, matrix, operator })
        } else {
            None
        };
        Ok(Self { matrix, operator, used })
    }

    fn functions(&self) -> usize {
        self.matrix.shape()[1]
    }

    /// `F B` for `f` of shape (frames, rows, places), as (frames, rows, functions).
    fn project<T: Float>(&self, f: &Array<T, B>) -> Result<Array<f64, B>> {
        match &self.operator {
            Operator::Polynomials(operator) => Ok(operator.project(f)?),
            Operator::Selection { places, all: true, .. } => Ok(f.take(places, 2)?.astype()?),
            Operator::Selection { places, functions, .. } => {
                let shape = [f.shape()[0], f.shape()[1], self.functions()];
                let mut result = Array::zeros(f.backend(), &shape)?;
                result.scatter_add(functions, &f.take(places, 2)?.astype()?, 2)?;
                Ok(result)
            }
        }
    }

    /// Which functions [`evaluate`](Self::evaluate) takes.
    fn used(&self) -> Range<usize> {
        self.used.as_ref().map_or(0..self.functions(), |used| used.functions.clone())
    }

    /// The matrix of the functions that are used, and the operator.
    fn of_used(&self) -> (&Csr<f64, B>, &Operator<B>) {
        self.used.as_ref().map_or((&self.matrix, &self.operator), |used| (&used.matrix, &used.operator))
    }

    /// `C B^T` for `c` of shape (frames, rows, functions that are used), of shape (frames, rows, places).
    fn evaluate(&self, c: &Array<f64, B>) -> Result<Array<f64, B>> {
        match self.of_used() {
            (_, Operator::Polynomials(operator)) => Ok(operator.evaluate(c)?),
            (matrix, Operator::Selection { .. }) => {
                let places = matrix.shape()[0];
                let mut out = Array::zeros(c.backend(), &[c.shape()[0], c.shape()[1], places])?;
                self.evaluate_add(c, &mut out)?;
                Ok(out)
            }
        }
    }

    /// Adds [`evaluate`](Self::evaluate) to `out`.
    fn evaluate_add(&self, c: &Array<f64, B>, out: &mut Array<f64, B>) -> Result<()> {
        match self.of_used().1 {
            Operator::Polynomials(operator) => Ok(operator.evaluate_add(c, out)?),
            Operator::Selection { places, functions, .. } => {
                Ok(out.scatter_add(places, &c.take(functions, 2)?, 2)?)
            }
        }
    }
}

/// The functions in `range` of those that are one in a single place: `functions` tells which one that is in each place.
fn selected_functions<B: Backend>(
    xp: &B,
    functions: &[Option<usize>],
    range: Range<usize>,
) -> Result<(Csr<f64, B>, Operator<B>)> {
    let (mut places, mut indices, mut indptr) = (Vec::new(), Vec::new(), vec![0]);
    for (place, function) in functions.iter().enumerate() {
        if let Some(function) = function {
            places.push(place as i64);
            indices.push((function - range.start) as i32);
        }
        indptr.push(places.len() as i32);
    }
    let functions: Vec<i64> = indices.iter().copied().map(i64::from).collect();
    let operator = Operator::Selection {
        places: Array::from_slice(xp, &places)?,
        functions: Array::from_slice(xp, &functions)?,
        all: functions.iter().copied().eq(0..range.len() as i64),
    };
    let ones = vec![1.0; places.len()];
    Ok((Csr::new(xp, [indptr.len() - 1, range.len()], indptr, indices, ones)?, operator))
}

/// `B_row (x) B_col`: column `i * n_col + j` is row function `i` times column function `j`.
pub(super) struct Kronecker<B: Backend> {
    pub(super) row: Factor<B>,
    pub(super) column: Factor<B>,
}

impl<B: Backend> Kronecker<B> {
    /// Number of row functions and of column functions.
    pub(super) fn functions(&self) -> (usize, usize) {
        (self.row.functions(), self.column.functions())
    }

    /// `A^T f` over some rows; `f` has shape (frames, rows, columns).
    pub(super) fn project<T: Float>(&self, f: &Array<T, B>, rows: Range<usize>) -> Result<Array<f64, B>> {
        let (outer, inner) = self.functions();
        let weights = match (&self.row.operator, &self.column.operator) {
            (Operator::Polynomials(row), Operator::Polynomials(column)) => {
                row.rows(rows)?.project_kronecker(column, f)?
            }
            _ => self.row.matrix.rows(rows)?.transposed_matmul(&self.column.project(f)?)?,
        };
        Ok(weights.reshape(&[f.shape()[0], outer * inner])?)
    }

    /// `A w` over some rows; `w` has shape (frames, functions).
    pub(super) fn evaluate(&self, w: &Array<f64, B>, rows: Range<usize>) -> Result<Array<f64, B>> {
        self.column.evaluate(&self.of_columns(w, rows)?)
    }

    /// Adds [`evaluate`](Self::evaluate) to `out`.
    pub(super) fn evaluate_add(
        &self,
        w: &Array<f64, B>,
        rows: Range<usize>,
        out: &mut Array<f64, B>,
    ) -> Result<()> {
        self.column.evaluate_add(&self.of_columns(w, rows)?, out)
    }

    /// The weights of the column functions that are used in each row, of shape (frames, rows, column functions).
    fn of_columns(&self, w: &Array<f64, B>, rows: Range<usize>) -> Result<Array<f64, B>> {
        let (outer, inner) = self.functions();
        let w =
            w.reshape(&[w.shape()[0], outer, inner])?.slice(s![.., self.row.used(), self.column.used()])?;
        Ok(self.row.of_used().0.rows(rows)?.matmul(&w)?)
    }
}
