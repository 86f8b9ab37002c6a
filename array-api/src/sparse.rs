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

    /// Adds [`Csr::weighted_gram`] to `out`, of shape `(columns, columns)`, in place: what some more rows
    /// add to a Gram matrix, or take away from it by negative weights, without another matrix of its size.
    ///
    /// ```
    /// use array_api::{Array, Cpu, Csr};
    ///
    /// let xp = Cpu::new();
    /// let a = Csr::from_dense(&Array::from_vec(&xp, vec![1.0, 2.0, 0.0, 3.0], &[2, 2])?)?;
    /// let mut gram = a.weighted_gram(&Array::ones(&xp, &[2])?)?;
    /// assert_eq!(gram.to_vec()?, [1.0, 2.0, 2.0, 13.0]);
    /// // Without the second row.
    /// a.rows(1..2)?.weighted_gram_add(&Array::full(&xp, &[1], -1.0)?, &mut gram)?;
    /// assert_eq!(gram.to_vec()?, [1.0, 2.0, 2.0, 4.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] for weights or an `out` of another shape.
    pub fn weighted_gram_add(&self, w: &Array<T, B>, out: &mut Array<T, B>) -> Result<()> {
        const NAME: &str = "weighted_gram_add";
        let expected = [self.columns, self.columns];
        if out.shape() != expected {
            return Err(Error::ShapeMismatch {
                operation: NAME,
                left: expected.to_vec(),
                right: out.shape().to_vec(),
            });
        }
        if w.shape() != [self.rows.len()] {
            return Err(self.other_weights(NAME, self, w));
        }
        if !out.layout().is_contiguous() {
            *out = out.copy()?;
        }
        let weights = w.reshape(&[1, w.len()])?;
        let (buffer, layout) = out.unique()?;
        let start = layout.offset();
        self.backend().csr_weighted_gram_add(self.view(), weights.view(), self.view(), buffer, start)
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
            return Err(self.other_weights("weighted_cross_gram", other, w));
        };
        let weights = w.reshape(&[batch, m])?;
        let mut shape = vec![batch, self.columns, other.columns];
        shape.drain(..2 - w.ndim());
        let mut out = Array::zeros(self.backend(), &shape)?;
        let (buffer, _) = out.unique()?;
        self.backend().csr_weighted_gram_add(self.view(), weights.view(), other.view(), buffer, 0)?;
        Ok(out)
    }

    /// The error for weights of a shape that does not fit the rows.
    fn other_weights(&self, operation: &'static str, other: &Self, w: &Array<T, B>) -> Error {
        Error::ShapeMismatch {
            operation,
            left: vec![self.rows.len(), other.rows.len()],
            right: w.shape().to_vec(),
        }
    }

    /// The bilinear forms `a_i^T m b_i` of the rows of two matrices, for dense `m` of shape
    /// `(a.columns, b.columns)`: the diagonal of `a m b^T`, one number a row, summed up in double
    /// precision. Only those elements of `m` are read that belong to entries of both rows.
    ///
    /// With `m` a covariance matrix of coefficients, and `a` as `b`, these are the variances of
    /// their sums `a x`. As a function of `m` it is the adjoint of [`Csr::weighted_cross_gram`].
    ///
    /// ```
    /// use array_api::{Array, Cpu, Csr};
    ///
    /// let xp = Cpu::new();
    /// let a = Csr::from_dense(&Array::from_vec(&xp, vec![1.0, 2.0, 0.0, 1.0], &[2, 2])?)?;
    /// let m = Array::from_vec(&xp, vec![1.0, 0.5, 0.5, 4.0], &[2, 2])?;
    /// assert_eq!(a.bilinear(&m, &a)?.to_vec()?, [19.0, 4.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] for matrices with different numbers of rows, and for an `m` of
    /// another shape.
    pub fn bilinear(&self, m: &Array<T, B>, other: &Self) -> Result<Array<T, B>> {
        let mismatch = |left: &[usize], right: &[usize]| Error::ShapeMismatch {
            operation: "Csr::bilinear",
            left: left.to_vec(),
            right: right.to_vec(),
        };
        if self.rows.len() != other.rows.len() {
            return Err(mismatch(&self.shape(), &other.shape()));
        }
        let expected = [self.columns, other.columns];
        if m.shape() != expected {
            return Err(mismatch(&expected, m.shape()));
        }
        let buffer = self.backend().csr_bilinear(self.view(), m.view(), other.view())?;
        Ok(Array::from_buffer(self.backend(), buffer, &[self.rows.len()]))
    }

    /// The products of all pairs of entries within a row: row `i` of the result holds
    /// `a[i, p] * b[i, q]` for the pairs `(p, q)` that occur in any row, in the order of the
    /// returned list (a Khatri-Rao product restricted to its structural nonzeros).
    pub fn row_pair_products(&self, other: &Self) -> Result<(Self, Vec<(usize, usize)>)> {
        const NAME: &str = "row_pair_products";
        check_rows(NAME, self, other)?;
        let (a, b) = (HostCsr::download(self)?, HostCsr::download(other)?);
        let mut pairs: Vec<(usize, usize)> = (0..self.rows.len())
            .flat_map(|row| a.row(row).map(move |(p, _)| (p, row)))
            .flat_map(|(p, row)| b.row(row).map(move |(q, _)| (p, q)))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        let rows = (0..self.rows.len()).map(|row| {
            let (b, pairs) = (&b, &pairs);
            a.row(row).flat_map(move |(p, x)| {
                b.row(row).filter_map(move |(q, y)| Some((pairs.binary_search(&(p, q)).ok()?, x * y)))
            })
        });
        Ok((Self::from_rows(self.backend(), NAME, pairs.len(), rows)?, pairs))
    }
}

/// Matrices built from others, on the host: for what is made once and used many times.
impl<T: Float, B: Backend> Csr<T, B> {
    /// The Kronecker products of rows (Khatri-Rao or face-splitting product): with `q` the columns
    /// of `other`, row `i` of the result has `a[i, j] * b[i, l]` in column `j q + l`, its entries in
    /// the order of those of `a`, and within each of those of `b`.
    ///
    /// This is the design matrix of a tensor product of two bases whose design matrices are `a` and
    /// `b`.
    ///
    /// ```
    /// use array_api::{Array, Cpu, Csr};
    ///
    /// let xp = Cpu::new();
    /// let a = Csr::from_dense(&Array::from_vec(&xp, vec![1.0, 2.0], &[1, 2])?)?;
    /// let b = Csr::from_dense(&Array::from_vec(&xp, vec![3.0, 0.0, 5.0], &[1, 3])?)?;
    /// assert_eq!(a.khatri_rao(&b)?.to_dense()?.to_vec()?, [3.0, 0.0, 5.0, 6.0, 0.0, 10.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] for different numbers of rows; [`Error::InvalidArgument`] for more
    /// columns or entries than 32-bit indices can count.
    pub fn khatri_rao(&self, other: &Self) -> Result<Self> {
        const NAME: &str = "Csr::khatri_rao";
        check_rows(NAME, self, other)?;
        let columns = count_columns(NAME, self.columns.checked_mul(other.columns))?;
        let (a, b) = (HostCsr::download(self)?, HostCsr::download(other)?);
        let rows = (0..self.rows.len()).map(|row| {
            let (b, q) = (&b, other.columns);
            a.row(row).flat_map(move |(j, x)| b.row(row).map(move |(l, y)| (j * q + l, x * y)))
        });
        Self::from_rows(self.backend(), NAME, columns, rows)
    }

    /// Matrices of as many rows side by side; each row has the entries of the first matrix, then of
    /// the second, and so on.
    ///
    /// ```
    /// use array_api::{Array, Cpu, Csr};
    ///
    /// let xp = Cpu::new();
    /// let a = Csr::from_dense(&Array::from_vec(&xp, vec![1.0, 2.0], &[2, 1])?)?;
    /// assert_eq!(Csr::hstack(&[&a, &a])?.to_dense()?.to_vec()?, [1.0, 1.0, 2.0, 2.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no matrix at all, and for more columns or entries than 32-bit
    /// indices can count; [`Error::ShapeMismatch`] for different numbers of rows.
    pub fn hstack(matrices: &[&Self]) -> Result<Self> {
        const NAME: &str = "Csr::hstack";
        let [first, ..] = matrices else {
            return Err(Error::InvalidArgument {
                operation: NAME,
                reason: "there must be at least one matrix".into(),
            });
        };
        let mut columns = 0_usize;
        let mut parts = Vec::with_capacity(matrices.len());
        for matrix in matrices {
            check_rows(NAME, first, matrix)?;
            parts.push((columns, HostCsr::download(matrix)?));
            columns = count_columns(NAME, columns.checked_add(matrix.columns))?;
        }
        let rows = (0..first.rows.len()).map(|row| {
            let parts = parts.iter();
            parts.flat_map(move |(start, part)| part.row(row).map(move |(column, x)| (start + column, x)))
        });
        Self::from_rows(first.backend(), NAME, columns, rows)
    }

    /// A matrix of rows with the given columns and values.
    fn from_rows<R: Iterator<Item = (usize, T)>>(
        xp: &B,
        operation: &'static str,
        columns: usize,
        rows: impl Iterator<Item = R>,
    ) -> Result<Self> {
        let mut indptr = vec![0];
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for row in rows {
            for (column, value) in row {
                indices.push(column as i32);
                data.push(value);
            }
            indptr.push(i32::try_from(indices.len()).map_err(|_| too_many(operation, "entries"))?);
        }
        let rows = indptr.len() - 1;
        Self::new(xp, [rows, columns], indptr, indices, data)
    }
}

fn too_many(operation: &'static str, what: &str) -> Error {
    let reason = format!("the result would have more {what} than 32-bit indices can count");
    Error::InvalidArgument { operation, reason }
}

/// A number of columns that 32-bit indices can count.
fn count_columns(operation: &'static str, columns: Option<usize>) -> Result<usize> {
    columns.filter(|&columns| i32::try_from(columns).is_ok()).ok_or_else(|| too_many(operation, "columns"))
}

fn check_rows<T: Float, B: Backend>(operation: &'static str, a: &Csr<T, B>, b: &Csr<T, B>) -> Result<()> {
    if a.rows.len() == b.rows.len() {
        return Ok(());
    }
    Err(Error::ShapeMismatch { operation, left: a.shape().to_vec(), right: b.shape().to_vec() })
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
