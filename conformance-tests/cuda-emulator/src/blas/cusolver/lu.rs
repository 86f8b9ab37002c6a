//! LU factors: getrf and getrs.

use std::ffi::c_int;

use cudarc::cusolver::sys::{self, cublasOperation_t, cusolverDnHandle_t, cusolverStatus_t};

use super::{Workspace, bind, device, info, leading, put_size, size, workspace};
use crate::blas::lu;
use crate::blas::matrix::put_info;
use crate::blas::option::Choice;
use crate::blas::pairs;

fn getrf_elements(m: usize, n: usize) -> usize {
    workspace(m.max(n), 2)
}

/// The address of an array of pivots; none is allowed.
fn optional(pivots: *const c_int) -> Option<u64> {
    (!pivots.is_null()).then(|| device(pivots))
}

pairs! {
    fn [cusolverDnSgetrf_bufferSize cusolverDnDgetrf_bufferSize](
        handle: cusolverDnHandle_t,
        m: c_int,
        n: c_int,
        _a: *mut T,
        lda: c_int,
        elements: *mut c_int,
    ) -> cusolverStatus_t {
        bind(handle)?;
        let (m, n) = (size(CALL, "m", m)?, size(CALL, "n", n)?);
        leading(CALL, "lda", lda, m)?;
        put_size(CALL, elements, getrf_elements(m, n))
    }

    fn [cusolverDnSgetrf cusolverDnDgetrf](
        handle: cusolverDnHandle_t,
        m: c_int,
        n: c_int,
        a: *mut T,
        lda: c_int,
        work: *mut T,
        pivots: *mut c_int,
        dev_info: *mut c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let (m, n) = (size(CALL, "m", m)?, size(CALL, "n", n)?);
        let lda = leading(CALL, "lda", lda, m)?;
        // This routine is not told how long its workspace is.
        let work = Workspace::new(CALL, work, c_int::MAX, getrf_elements(m, n))?;
        let (a, pivots, info) = (device(a), optional(pivots), info(CALL, dev_info)?);
        bound.enqueue(CALL, move |memory| {
            work.spoil::<T>(memory)?;
            let result = lu::getrf::<T>(memory, (m, n), (a, lda), pivots)?;
            put_info(memory, info, result)
        })
    }

    fn [cusolverDnSgetrs cusolverDnDgetrs](
        handle: cusolverDnHandle_t,
        trans: cublasOperation_t,
        n: c_int,
        right_sides: c_int,
        a: *const T,
        lda: c_int,
        pivots: *const c_int,
        b: *mut T,
        ldb: c_int,
        dev_info: *mut c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let trans = trans.check(CALL)?;
        let (n, right_sides) = (size(CALL, "n", n)?, size(CALL, "nrhs", right_sides)?);
        let (lda, ldb) = (leading(CALL, "lda", lda, n)?, leading(CALL, "ldb", ldb, n)?);
        let (a, b, pivots, info) = (device(a), device(b), optional(pivots), info(CALL, dev_info)?);
        bound.enqueue(CALL, move |memory| {
            let pivots = lu::pivots(memory, pivots, n)?;
            lu::getrs::<T>(memory, trans, (n, right_sides), (a, lda), &pivots, (b, ldb))?;
            put_info(memory, info, 0)
        })
    }
}
