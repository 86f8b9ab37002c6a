//! Sparse matrices in compressed sparse row (CSR) form: an extension of the standard, named as in
//! `scipy.sparse`.

use std::ops::Range;

use crate::backend::{Backend, CsrView};
use crate::layout::Layout;
use crate::{Array, Error, Float, Result};

/// A sparse matrix: for each row, the columns and values of its entries.
///
/// ```
/// use array_api::{Array, Cpu, Csr};
///
/// // [[1, 0, 2],
/// //  [0, 3, 0]]
/// let xp = Cpu::new();
/// let a = Csr::new(&xp, [2, 3], vec![0, 2, 3], vec![0, 2, 1], vec![1.0, 2.0, 3.0])?;
/// let x = Array::from_vec(&xp, vec![1.0, 1.0, 1.0], &[3, 1])?;
/// assert_eq!(a.matmul(&x)?.to_vec()?, [3.0, 3.0]);
/// // The weighted Gram matrix a^T diag(w) a.
/// let w = Array::from_slice(&xp, &[1.0, 10.0])?;
/// assert_eq!(a.weighted_gram(&w)?.to_vec()?, [1.0, 0.0, 2.0, 0.0, 90.0, 0.0, 2.0, 0.0, 4.0]);
/// # Ok::<(), array_api::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Csr<T: Float, B: Backend> {
    indptr: Array<i32, B>,
    indices: Array<i32, B>,
    data: Array<T, B>,
    /// The rows of the stored matrix that this one consists of.
    rows: Range<usize>,
    columns: usize,
}

impl<T: Float, B: Backend> Csr<T, B> {
    /// A matrix of `shape` whose row `i` has the entries `indptr[i]..indptr[i + 1]` of `indices`
    /// (their columns) and `data` (their values). Entries of one place add up.
    pub fn new(xp: &B, shape: [usize; 2], indptr: Vec<i32>, indices: Vec<i32>, data: Vec<T>) -> Result<Self> {
        let invalid = |reason: String| Error::InvalidArgument { operation: "Csr::new", reason };
        let [rows, columns] = shape;
        if indptr.len() != rows + 1 || indptr.first() != Some(&0) {
            return Err(invalid(format!("indptr must have {} numbers, the first one 0", rows + 1)));
        }
        if indptr.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(invalid("indptr must not decrease".into()));
        }
        let entries = indptr.last().map_or(0, |&last| last as usize);
        if indices.len() != entries || data.len() != entries {
            return Err(invalid(format!(
                "indptr ends at {entries}, but there are {} indices and {} values",
                indices.len(),
                data.len()
            )));
        }
        if let Some(bad) = indices.iter().find(|&&column| column < 0 || column as usize >= columns) {
            return Err(invalid(format!("column {bad} is outside a matrix of {columns} columns")));
        }
        Ok(Self {
            indptr: Array::from_vec(xp, indptr, &[rows + 1])?,
            indices: Array::from_vec(xp, indices, &[entries])?,
            data: Array::from_vec(xp, data, &[entries])?,
            rows: 0..rows,
            columns,
        })
    }

    /// A matrix of arrays that are known to fit together, as in [`Csr::new`].
    pub(crate) fn from_parts(
        shape: [usize; 2],
        indptr: Array<i32, B>,
        indices: Array<i32, B>,
        data: Array<T, B>,
    ) -> Result<Self> {
        if i32::try_from(data.len()).is_err() {
            return Err(Error::InvalidArgument {
                operation: "Csr",
                reason: format!("{} entries are more than 32-bit indices can count", data.len()),
            });
        }
        Ok(Self { indptr, indices, data, rows: 0..shape[0], columns: shape[1] })
    }

    /// The entries of a dense matrix that are not zero.
    pub fn from_dense(dense: &Array<T, B>) -> Result<Self> {
        let &[rows, columns] = dense.shape() else {
            return Err(Error::InvalidShape {
                operation: "Csr::from_dense",
                shape: dense.shape().to_vec(),
                reason: "a matrix has two axes".into(),
            });
        };
        let values = dense.to_vec()?;
        let mut indptr = vec![0];
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for row in 0..rows {
            for (column, &value) in values[row * columns..(row + 1) * columns].iter().enumerate() {
                if value != T::ZERO {
                    indices.push(column as i32);
                    data.push(value);
                }
            }
            indptr.push(indices.len() as i32);
        }
        Self::new(dense.backend(), [rows, columns], indptr, indices, data)
    }

    /// Number of rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows.len(), self.columns]
    }

    /// The backend that holds the matrix.
    pub fn backend(&self) -> &B {
        self.data.backend()
    }

    /// Some rows of the matrix, without a copy.
    pub fn rows(&self, rows: Range<usize>) -> Result<Self> {
        if rows.start > rows.end || rows.end > self.rows.len() {
            return Err(Error::IndexOutOfRange {
                operation: "Csr::rows",
                index: rows.end.max(rows.start) as i64,
                length: self.rows.len(),
            });
        }
        let start = self.rows.start;
        Ok(Self { rows: start + rows.start..start + rows.end, ..self.clone() })
    }

    /// What a backend's primitives take.
    pub fn view(&self) -> CsrView<'_, T, B> {
        CsrView {
            indptr: self.indptr.buffer(),
            indices: self.indices.buffer(),
            data: self.data.buffer(),
            rows: self.rows.clone(),
            columns: self.columns,
        }
    }

    /// The matrix with all its zeros.
    pub fn to_dense(&self) -> Result<Array<T, B>> {
        // Not a product with the unit matrix, in which an infinite entry times zero would be NaN.
        let host = HostCsr::download(self)?;
        let shape = self.shape();
        let mut dense = vec![T::ZERO; Layout::contiguous(&shape).len()];
        for row in 0..shape[0] {
            for (column, value) in host.row(row) {
                let sum = &mut dense[row * shape[1] + column];
                *sum += value;
            }
        }
        Array::from_vec(self.backend(), dense, &shape)
    }

    /// `a x` for dense `x` of shape `(..., columns, n)`.
    pub fn matmul(&self, x: &Array<T, B>) -> Result<Array<T, B>> {
        let (batch, n) = self.check_operand(x, self.columns, "Csr::matmul")?;
        let buffer = self.backend().csr_matmul(self.view(), x.as_batch(batch)?.view())?;
        Ok(Array::from_buffer(self.backend(), buffer, &[batch, &[self.rows.len(), n]].concat()))
    }

    /// `a^T x` for dense `x` of shape `(..., rows, n)`.
    pub fn transposed_matmul(&self, x: &Array<T, B>) -> Result<Array<T, B>> {
        let (batch, n) = self.check_operand(x, self.rows.len(), "Csr::transposed_matmul")?;
        let buffer = self.backend().csr_matmul_transposed(self.view(), x.as_batch(batch)?.view())?;
        Ok(Array::from_buffer(self.backend(), buffer, &[batch, &[self.columns, n]].concat()))
    }

    /// `x a` for dense `x` of shape `(..., m, rows)`.
    pub fn left_matmul(&self, x: &Array<T, B>) -> Result<Array<T, B>> {
        self.transposed_matmul(&x.matrix_transpose()?)?.matrix_transpose()
    }

    /// `x a^T` for dense `x` of shape `(..., m, columns)`.
    pub fn left_matmul_transposed(&self, x: &Array<T, B>) -> Result<Array<T, B>> {
        self.matmul(&x.matrix_transpose()?)?.matrix_transpose()
    }

    fn check_operand<'a>(
        &self,
        x: &'a Array<T, B>,
        length: usize,
        operation: &'static str,
    ) -> Result<(&'a [usize], usize)> {
        match x.shape() {
            [batch @ .., rows, n] if *rows == length => Ok((batch, *n)),
            other => Err(Error::ShapeMismatch {
                operation,
                left: vec![self.rows.len(), self.columns],
                right: other.to_vec(),
            }),
        }
    }

    /// The weighted Gram matrix `a^T diag(w) a`.
    pub fn weighted_gram(&self, w: &Array<T, B>) -> Result<Array<T, B>> {
        self.weighted_cross_gram(w, self)
    }

    /// `a^T diag(w) b`. With weights of shape `(n, m)` the result is a stack of `n` matrices
    /// `a_i^T diag(w_i) b_i`, where `a` and `b` each have either `m` rows, used for all `i`, or
    /// `n m` rows, `m` for each `i`.
    pub fn weighted_cross_gram(&self, w: &Array<T, B>, other: &Self) -> Result<Array<T, B>> {
        let sets = match *w.shape() {
            [m] => Some((1, m)),
            [n, m] => Some((n, m)),
            _ => None,
        };
        let fits = |matrix: &Self, n: usize, m: usize| {
            let rows = matrix.rows.len();
            rows == m || Some(rows) == n.checked_mul(m)
        };
        let Some((batch, m)) = sets.filter(|&(n, m)| fits(self, n, m) && fits(other, n, m)) else {
            return Err(Error::ShapeMismatch {
                operation: "weighted_cross_gram",
                left: vec![self.rows.len(), other.rows.len()],
                right: w.shape().to_vec(),
            });
        };
        let weights = w.reshape(&[batch, m])?;
        let buffer = self.backend().csr_weighted_gram(self.view(), weights.view(), other.view())?;
        let mut shape = vec![batch, self.columns, other.columns];
        shape.drain(..2 - w.ndim());
        Ok(Array::from_buffer(self.backend(), buffer, &shape))
    }

    /// The products of all pairs of entries within a row: row `i` of the result holds
    /// `a[i, p] * b[i, q]` for the pairs `(p, q)` that occur in any row, in the order of the
    /// returned list (a Khatri-Rao product restricted to its structural nonzeros).
    pub fn row_pair_products(&self, other: &Self) -> Result<(Self, Vec<(usize, usize)>)> {
        if self.rows.len() != other.rows.len() {
            return Err(Error::ShapeMismatch {
                operation: "row_pair_products",
                left: self.shape().to_vec(),
                right: other.shape().to_vec(),
            });
        }
        let (a, b) = (HostCsr::download(self)?, HostCsr::download(other)?);
        let mut pairs: Vec<(usize, usize)> = (0..self.rows.len())
            .flat_map(|row| a.row(row).map(move |(p, _)| (p, row)))
            .flat_map(|(p, row)| b.row(row).map(move |(q, _)| (p, q)))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut indptr = vec![0];
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for row in 0..self.rows.len() {
            for (p, x) in a.row(row) {
                for (q, y) in b.row(row) {
                    let Ok(column) = pairs.binary_search(&(p, q)) else { continue };
                    indices.push(column as i32);
                    data.push(x * y);
                }
            }
            indptr.push(indices.len() as i32);
        }
        let shape = [self.rows.len(), pairs.len()];
        Ok((Self::new(self.backend(), shape, indptr, indices, data)?, pairs))
    }
}

/// A sparse matrix on the host.
struct HostCsr<T> {
    indptr: Vec<i32>,
    indices: Vec<i32>,
    data: Vec<T>,
    first: usize,
}

impl<T: Float> HostCsr<T> {
    fn download<B: Backend>(matrix: &Csr<T, B>) -> Result<Self> {
        Ok(Self {
            indptr: matrix.indptr.to_vec()?,
            indices: matrix.indices.to_vec()?,
            data: matrix.data.to_vec()?,
            first: matrix.rows.start,
        })
    }

    fn row(&self, row: usize) -> impl Iterator<Item = (usize, T)> + '_ {
        let (start, end) = (self.indptr[self.first + row], self.indptr[self.first + row + 1]);
        (start as usize..end as usize).map(|i| (self.indices[i] as usize, self.data[i]))
    }
}
