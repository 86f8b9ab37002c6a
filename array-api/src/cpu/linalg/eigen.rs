//! Eigenvalues of symmetric matrices: faer's reduction to tridiagonal form, followed by divide and
//! conquer or, for small matrices and for eigenvalues alone, by QR iterations.
//!
//! A matrix is one thread's, threads share out the matrices of a stack: no bit depends on how many
//! there are.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatMut, MatRef, Par, Spec};

use super::{Cpu, CpuBuffer, Matrices, View, each_matrix, try_each};
use crate::{Error, Float, Result};

/// Eigenvalues and, in rows, eigenvectors of each matrix.
pub(super) fn values_and_vectors<T: Float>(a: View<'_, T, Cpu>) -> Result<(CpuBuffer<T>, CpuBuffer<T>)> {
    let a = Matrices::new(a);
    let n = a.rows;
    let mut values = CpuBuffer::unspecified(a.count * n)?;
    let mut vectors = CpuBuffer::unspecified(a.count * n * n)?;
    if n > 0 {
        let parts: Vec<_> =
            values[..a.count * n].chunks_mut(n).zip(vectors[..a.count * n * n].chunks_mut(n * n)).collect();
        try_each(parts, a.count * n * n, |batch, (values, vectors)| {
            // What faer puts into columns of a column-major matrix are rows of ours.
            let vectors = MatMut::from_column_major_slice_mut(vectors, n, n);
            decompose(a.get(batch), values, Some(vectors)).ok_or(Error::NoEigenvalues { batch })
        })?;
    }
    Ok((values, vectors))
}

/// Eigenvalues of each matrix.
pub(super) fn values<T: Float>(a: View<'_, T, Cpu>) -> Result<CpuBuffer<T>> {
    let a = Matrices::new(a);
    let mut values = CpuBuffer::unspecified(a.count * a.rows)?;
    each_matrix(&mut values, a.rows, a.count, |batch, values| {
        decompose(a.get(batch), values, None).ok_or(Error::NoEigenvalues { batch })
    })?;
    Ok(values)
}

/// Eigenvalues, and eigenvectors if there is a place for them; nothing if they were not found.
fn decompose<T: Float>(a: MatRef<'_, T>, values: &mut [T], vectors: Option<MatMut<'_, T>>) -> Option<()> {
    let n = a.nrows();
    let exponent = exponent(a);
    let scaled = |x: T, exponent: i32| T::from_f64(x.to_f64() * 2_f64.powi(exponent));
    let lower = Mat::from_fn(n, n, |i, j| if i >= j { scaled(a[(i, j)], -exponent) } else { T::ZERO });
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let scratch = self_adjoint_evd_scratch::<T>(n, wanted, Par::Seq, Spec::default());
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    let diagonal = DiagMut::from_slice_mut(values);
    self_adjoint_evd(lower.as_ref(), diagonal, vectors, Par::Seq, stack, Spec::default()).ok()?;
    for value in values.iter_mut() {
        *value = scaled(*value, exponent);
    }
    values.iter().all(|value| !value.is_nan_value()).then_some(())
}

/// The power of two next to the matrix's norm (Frobenius). faer's divide and conquer holds its steps
/// against absolute numbers, and is as exact as it can be only for matrices of about norm 1.
fn exponent<T: Float>(a: MatRef<'_, T>) -> i32 {
    let lower = || (0..a.ncols()).flat_map(|j| (j..a.nrows()).map(move |i| (a[(i, j)].to_f64(), i == j)));
    let largest = lower().fold(0.0, |largest: f64, (x, _)| largest.max(x.abs()));
    if largest == 0.0 {
        return 0;
    }
    let squares = lower().map(|(x, diagonal)| (x / largest).powi(2) * if diagonal { 1.0 } else { 2.0 });
    let norm = largest.log2() + 0.5 * squares.sum::<f64>().log2();
    // Powers of two beyond these are no normal numbers.
    (norm as i32).clamp(f64::MIN_EXP, f64::MAX_EXP - 2)
}
