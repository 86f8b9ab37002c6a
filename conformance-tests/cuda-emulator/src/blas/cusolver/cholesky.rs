//! Cholesky factors: potrf and potrs, also batched.

use std::ffi::c_int;

use cudarc::cusolver::sys::{self, cublasFillMode_t, cusolverDnHandle_t, cusolverStatus_t};

use super::{Real, Workspace, bind, device, info, leading, put_size, require, size, workspace};
use crate::blas::matrix::{Matrix, Part, addresses, put_info};
use crate::blas::option::{Choice, Letter};
use crate::blas::pairs;
use crate::fault::Fault;
use crate::memory::{Access, Memory};

fn potrf_elements(n: usize) -> usize {
    workspace(n, 1)
}

/// Factors one triangle in place; info is i if the leading minor of order i is not positive.
fn potrf<T: Real>(memory: &Memory, uplo: Letter, n: usize, (a, lda): (u64, usize)) -> Result<i32, Fault> {
    let a = Matrix::<T>::new(a, n, n, lda).pointer(memory, Part::triangle(uplo, true), Access::ReadWrite)?;
    let (n, lda, mut info) = (n as i32, lda as i32, 0);
    // SAFETY: the triangle that potrf touches was checked above.
    unsafe { (T::routines().potrf)(&uplo, &n, a, &lda, &mut info, 1) };
    Ok(info)
}

/// Solves with the factor of [`potrf`].
fn potrs<T: Real>(
    memory: &Memory,
    uplo: Letter,
    (n, right_sides): (usize, usize),
    (a, lda): (u64, usize),
    (b, ldb): (u64, usize),
) -> Result<(), Fault> {
    let a = Matrix::<T>::new(a, n, n, lda).pointer(memory, Part::triangle(uplo, true), Access::Read)?;
    let b = Matrix::<T>::new(b, n, right_sides, ldb).pointer(memory, Part::Full, Access::ReadWrite)?;
    let (n, right_sides, lda, ldb, mut info) = (n as i32, right_sides as i32, lda as i32, ldb as i32, 0);
    // SAFETY: all elements that potrs touches were checked above.
    unsafe { (T::routines().potrs)(&uplo, &n, &right_sides, a, &lda, b, &ldb, &mut info, 1) };
    Ok(())
}

pairs! {
    fn [cusolverDnSpotrf_bufferSize cusolverDnDpotrf_bufferSize](
        handle: cusolverDnHandle_t,
        uplo: cublasFillMode_t,
        n: c_int,
        _a: *mut T,
        lda: c_int,
        elements: *mut c_int,
    ) -> cusolverStatus_t {
        bind(handle)?;
        uplo.check(CALL)?;
        let n = size(CALL, "n", n)?;
        leading(CALL, "lda", lda, n)?;
        put_size(CALL, elements, potrf_elements(n))
    }

    fn [cusolverDnSpotrf cusolverDnDpotrf](
        handle: cusolverDnHandle_t,
        uplo: cublasFillMode_t,
        n: c_int,
        a: *mut T,
        lda: c_int,
        work: *mut T,
        elements: c_int,
        dev_info: *mut c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let uplo = uplo.check(CALL)?;
        let n = size(CALL, "n", n)?;
        let lda = leading(CALL, "lda", lda, n)?;
        let work = Workspace::new(CALL, work, elements, potrf_elements(n))?;
        let (a, info) = (device(a), info(CALL, dev_info)?);
        bound.enqueue(CALL, move |memory| {
            work.spoil::<T>(memory)?;
            let result = potrf::<T>(memory, uplo, n, (a, lda))?;
            put_info(memory, info, result)
        })
    }

    fn [cusolverDnSpotrs cusolverDnDpotrs](
        handle: cusolverDnHandle_t,
        uplo: cublasFillMode_t,
        n: c_int,
        right_sides: c_int,
        a: *const T,
        lda: c_int,
        b: *mut T,
        ldb: c_int,
        dev_info: *mut c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let uplo = uplo.check(CALL)?;
        let (n, right_sides) = (size(CALL, "n", n)?, size(CALL, "nrhs", right_sides)?);
        let (lda, ldb) = (leading(CALL, "lda", lda, n)?, leading(CALL, "ldb", ldb, n)?);
        let (a, b, info) = (device(a), device(b), info(CALL, dev_info)?);
        bound.enqueue(CALL, move |memory| {
            potrs::<T>(memory, uplo, (n, right_sides), (a, lda), (b, ldb))?;
            put_info(memory, info, 0)
        })
    }

    fn [cusolverDnSpotrfBatched cusolverDnDpotrfBatched](
        handle: cusolverDnHandle_t,
        uplo: cublasFillMode_t,
        n: c_int,
        a: *mut *mut T,
        lda: c_int,
        info_array: *mut c_int,
        batch: c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let uplo = uplo.check(CALL)?;
        let n = size(CALL, "n", n)?;
        let lda = leading(CALL, "lda", lda, n)?;
        let batch = size(CALL, "batchSize", batch)?;
        let (a, info_array) = (device(a), info(CALL, info_array)?);
        bound.enqueue(CALL, move |memory| {
            for (index, matrix) in addresses(memory, a, batch)?.into_iter().enumerate() {
                let result = potrf::<T>(memory, uplo, n, (matrix, lda))?;
                // The manual: the other triangle is used as workspace and destroyed.
                let rest = Part::triangle(uplo, true).other();
                Matrix::new(matrix, n, n, lda).fill(memory, rest, <T as Real>::NAN)?;
                put_info(memory, info_array + (index * size_of::<c_int>()) as u64, result)?;
            }
            Ok(())
        })
    }

    fn [cusolverDnSpotrsBatched cusolverDnDpotrsBatched](
        handle: cusolverDnHandle_t,
        uplo: cublasFillMode_t,
        n: c_int,
        right_sides: c_int,
        a: *mut *mut T,
        lda: c_int,
        b: *mut *mut T,
        ldb: c_int,
        dev_info: *mut c_int,
        batch: c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let uplo = uplo.check(CALL)?;
        let n = size(CALL, "n", n)?;
        require(CALL, right_sides == 1, &format!("nrhs = 1, the only one it supports, not {right_sides}"))?;
        let (lda, ldb) = (leading(CALL, "lda", lda, n)?, leading(CALL, "ldb", ldb, n)?);
        let batch = size(CALL, "batchSize", batch)?;
        let (a, b, info) = (device(a), device(b), info(CALL, dev_info)?);
        bound.enqueue(CALL, move |memory| {
            let pairs = addresses(memory, a, batch)?.into_iter().zip(addresses(memory, b, batch)?);
            for (a, b) in pairs {
                potrs::<T>(memory, uplo, (n, 1), (a, lda), (b, ldb))?;
            }
            put_info(memory, info, 0)
        })
    }
}
