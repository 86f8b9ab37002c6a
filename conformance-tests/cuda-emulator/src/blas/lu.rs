//! LU factors, for the batched routines of cuBLAS and for cuSOLVER.

use super::library::Real;
use super::matrix::{Matrix, Part};
use super::option::Letter;
use crate::fault::{Fault, FaultKind};
use crate::memory::{Access, Memory};

/// Factors an `m x n` matrix in place and returns info: 0, or i if the i-th pivot is zero. Without an array for
/// the pivots nothing is exchanged, as in cuBLAS and cuSOLVER.
pub(super) fn getrf<T: Real>(
    memory: &Memory,
    (rows, columns): (usize, usize),
    (address, ld): (u64, usize),
    pivots: Option<u64>,
) -> Result<i32, Fault> {
    let matrix = Matrix::<T>::new(address, rows, columns, ld);
    let Some(pivots) = pivots else { return unpivoted(memory, matrix, (rows, columns)) };
    let a = matrix.pointer(memory, Part::Full, Access::ReadWrite)?;
    let pivots =
        Matrix::<i32>::vector(pivots, rows.min(columns)).pointer(memory, Part::Full, Access::Write)?;
    let mut info = 0;
    let (m, n, ld) = (rows as i32, columns as i32, ld as i32);
    // SAFETY: every element and every pivot was checked above.
    unsafe { (T::routines().getrf)(&m, &n, a, &ld, pivots, &mut info) };
    Ok(info)
}

/// Gaussian elimination without exchanges (LAPACK has none).
fn unpivoted<T: Real>(
    memory: &Memory,
    matrix: Matrix<T>,
    (rows, columns): (usize, usize),
) -> Result<i32, Fault> {
    let mut a = matrix.to_vec(memory)?;
    let mut info = 0;
    for step in 0..rows.min(columns) {
        let pivot = a[step * rows + step];
        if pivot == T::ZERO && info == 0 {
            info = step as i32 + 1;
        }
        for row in step + 1..rows {
            let factor = a[step * rows + row] / pivot;
            a[step * rows + row] = factor;
            for column in step + 1..columns {
                a[column * rows + row] = a[column * rows + row] - factor * a[column * rows + step];
            }
        }
    }
    matrix.set(memory, &a)?;
    Ok(info)
}

/// The pivots of a factor of order `n`: those in device memory, or none exchanged.
pub(super) fn pivots(memory: &Memory, address: Option<u64>, n: usize) -> Result<Vec<i32>, Fault> {
    let Some(address) = address else { return Ok((1..=n as i32).collect()) };
    let pivots = Matrix::<i32>::vector(address, n).to_vec(memory)?;
    match pivots.iter().position(|pivot| !(1..=n as i32).contains(pivot)) {
        None => Ok(pivots),
        Some(index) => {
            let message = format!("pivot {index} is {}, outside 1..={n}", pivots[index]);
            Err(Fault::new(FaultKind::IllegalAddress, message))
        }
    }
}

/// Solves with the factors of [`getrf`].
pub(super) fn getrs<T: Real>(
    memory: &Memory,
    trans: Letter,
    (n, right_sides): (usize, usize),
    (a, lda): (u64, usize),
    pivots: &[i32],
    (b, ldb): (u64, usize),
) -> Result<(), Fault> {
    let a = Matrix::<T>::new(a, n, n, lda).pointer(memory, Part::Full, Access::Read)?;
    let b = Matrix::<T>::new(b, n, right_sides, ldb).pointer(memory, Part::Full, Access::ReadWrite)?;
    let (n, right_sides, lda, ldb, mut info) = (n as i32, right_sides as i32, lda as i32, ldb as i32, 0);
    // SAFETY: every element was checked above, and the pivots lie in 1..=n.
    unsafe {
        (T::routines().getrs)(&trans, &n, &right_sides, a, &lda, pivots.as_ptr(), b, &ldb, &mut info, 1);
    }
    Ok(())
}
