//! Eigenvalues of symmetric matrices: cuSOLVER's reduction to tridiagonal form and divide and conquer.
//!
//! The lower triangle of a row-major matrix is the upper one of what lies there for the library. The
//! eigenvectors take the matrix's place as columns, which are rows to us.

use super::{Cuda, CudaBuffer, Square, axes, blas};
use crate::backend::View;
use crate::{Error, Float, Result};

/// Eigenvalues of each matrix, and if `vectors` eigenvectors in rows; else what is left there is of
/// no use.
pub(super) fn decompose<T: Float>(
    cuda: &Cuda,
    a: View<'_, T, Cuda>,
    vectors: bool,
) -> Result<(CudaBuffer<T>, CudaBuffer<T>)> {
    let [count, n, _] = axes(a.layout);
    let mut matrices = cuda.gather(a)?;
    let mut values = CudaBuffer::unspecified(&cuda.0, count * n)?;
    if matrices.len() == 0 {
        return Ok((values, matrices));
    }
    let mut info = CudaBuffer::<i32>::zeros(&cuda.0, count)?;
    let square = Square {
        operation: "eigh",
        n,
        matrices: matrices.address_mut(&cuda.0, 0)?,
        info: info.address_mut(&cuda.0, 0)?,
        count,
    };
    blas::syevd::<T>(&cuda.0, &square, values.address_mut(&cuda.0, 0)?, vectors)?;
    match info.download(&cuda.0, 0, count)?.iter().position(|&info| info != 0) {
        Some(batch) => Err(Error::NoEigenvalues { batch }),
        None => Ok((values, matrices)),
    }
}
