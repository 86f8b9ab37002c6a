//! cuSOLVER's routines for one matrix.

use std::ffi::c_schar;
use std::ptr::null_mut;

use cudarc::cusolver::sys::{
    cublasFillMode_t::*, cublasOperation_t::*, cublasSideMode_t::*, cusolverEigMode_t::*, cusolverStatus_t,
};

use super::super::cusolver::calls::*;
use super::{assert_close, cusolver, download, fresh, info, session, upload};
use crate::testing::succeed;

const INVALID: cusolverStatus_t = cusolverStatus_t::CUSOLVER_STATUS_INVALID_VALUE;

#[test]
fn cholesky_of_one_triangle() {
    let Some(session) = session() else { return };
    let (handle, dev_info) = (cusolver(), fresh::<i32>(1));
    // The upper triangle of [4 2; 2 5]; below it lies something else, which stays.
    let a = upload(&[4.0, 7.0, 2.0, 5.0]);
    let (upper, mut length) = (CUBLAS_FILL_MODE_UPPER, 0);
    succeed!(cusolverDnDpotrf_bufferSize(handle, upper, 2, a, 2, &raw mut length));
    let work = fresh::<f64>(length as usize);
    succeed!(cusolverDnDpotrf(handle, upper, 2, a, 2, work, length, dev_info));
    assert_eq!((download(a, 4), info(dev_info)), (vec![2.0, 7.0, 1.0, 2.0], 0));
    let b = upload(&[8.0, 9.0, 4.0, 2.0]);
    succeed!(cusolverDnDpotrs(handle, upper, 2, 2, a, 2, b, 2, dev_info));
    assert_close(&download(b, 4), &[1.375, 1.25, 1.0, 0.0]);
    assert!(session.take_kinds().is_empty());

    // SAFETY: the calls return before they use a pointer.
    let (short, no_info, few_rows) = unsafe {
        (
            cusolverDnDpotrf(handle, upper, 2, a, 2, work, length - 1, dev_info),
            cusolverDnDpotrf(handle, upper, 2, a, 2, work, length, null_mut()),
            cusolverDnDpotrf(handle, upper, 2, a, 1, work, length, dev_info),
        )
    };
    assert_eq!((short, no_info, few_rows), (INVALID, INVALID, INVALID));
    // The workspace is shorter than was said.
    let work = fresh::<f64>(length as usize - 1);
    succeed!(cusolverDnDpotrf(handle, upper, 2, a, 2, work, length, dev_info));
    assert_eq!(session.take_kinds(), ["IllegalAddress"]);
}

#[test]
fn cholesky_says_which_minor_is_not_positive() {
    let Some(_session) = session() else { return };
    let (handle, dev_info) = (cusolver(), fresh::<i32>(1));
    let a = upload(&[1.0f32, 2.0, 2.0, 1.0]);
    let (lower, mut length) = (CUBLAS_FILL_MODE_LOWER, 0);
    succeed!(cusolverDnSpotrf_bufferSize(handle, lower, 2, a, 2, &raw mut length));
    succeed!(cusolverDnSpotrf(handle, lower, 2, a, 2, fresh(length as usize), length, dev_info));
    assert_eq!(info(dev_info), 2);
}

#[test]
fn lu_of_one_matrix() {
    let Some(session) = session() else { return };
    let (handle, dev_info, pivots) = (cusolver(), fresh::<i32>(1), fresh::<i32>(2));
    let (a, b, mut length) = (upload(&[1.0, 3.0, 2.0, 4.0]), upload(&[5.0, 11.0]), 0);
    succeed!(cusolverDnDgetrf_bufferSize(handle, 2, 2, a, 2, &raw mut length));
    succeed!(cusolverDnDgetrf(handle, 2, 2, a, 2, fresh(length as usize), pivots, dev_info));
    assert_eq!((download(pivots, 2), info(dev_info)), (vec![2, 2], 0));
    succeed!(cusolverDnDgetrs(handle, CUBLAS_OP_N, 2, 1, a, 2, pivots, b, 2, dev_info));
    assert_close(&download(b, 2), &[1.0, 2.0]);
    // [1 3; 2 4] x = [7, 10]: x = [1, 2].
    let b = upload(&[7.0, 10.0]);
    succeed!(cusolverDnDgetrs(handle, CUBLAS_OP_T, 2, 1, a, 2, pivots, b, 2, dev_info));
    assert_close(&download(b, 2), &[1.0, 2.0]);
    assert!(session.take_kinds().is_empty());
    succeed!(cusolverDnDgetrs(handle, CUBLAS_OP_N, 2, 1, a, 2, upload(&[0, 9]), b, 2, dev_info));
    assert_eq!(session.take_kinds(), ["IllegalAddress"], "those are no pivots");
}

#[test]
fn orthogonal_factors() {
    let Some(session) = session() else { return };
    let (handle, dev_info) = (cusolver(), fresh::<i32>(1));
    // [3; 4] = Q [-5; 0].
    let (a, tau, c, mut length) = (upload(&[3.0, 4.0]), fresh::<f64>(1), upload(&[3.0, 4.0]), 0);
    succeed!(cusolverDnDgeqrf_bufferSize(handle, 2, 1, a, 2, &raw mut length));
    succeed!(cusolverDnDgeqrf(handle, 2, 1, a, 2, tau, fresh(length as usize), length, dev_info));
    assert_close(&download(a, 1), &[-5.0]);
    let (left, trans, right) = (CUBLAS_SIDE_LEFT, CUBLAS_OP_T, CUBLAS_SIDE_RIGHT);
    succeed!(cusolverDnDormqr_bufferSize(handle, left, trans, 2, 1, 1, a, 2, tau, c, 2, &raw mut length));
    let work = fresh(length as usize);
    succeed!(cusolverDnDormqr(handle, left, trans, 2, 1, 1, a, 2, tau, c, 2, work, length, dev_info));
    assert_close(&download(c, 2), &[-5.0, 0.0]);
    // From the right, to the row [3 4]: the same reflector.
    let row = upload(&[3.0, 4.0]);
    succeed!(cusolverDnDormqr(
        handle,
        right,
        CUBLAS_OP_N,
        1,
        2,
        1,
        a,
        2,
        tau,
        row,
        1,
        work,
        length,
        dev_info
    ));
    assert_close(&download(row, 2), &[-5.0, 0.0]);
    // SAFETY: the call returns before it uses a pointer.
    let status =
        unsafe { cusolverDnDormqr(handle, left, trans, 2, 1, 3, a, 2, tau, c, 2, work, length, dev_info) };
    assert_eq!(status, INVALID, "more reflectors than rows");
    assert!(session.take_kinds().is_empty());
}

#[test]
fn eigenvalues_and_eigenvectors() {
    let Some(session) = session() else { return };
    let (handle, dev_info, lower) = (cusolver(), fresh::<i32>(1), CUBLAS_FILL_MODE_LOWER);
    for vectors in [CUSOLVER_EIG_MODE_VECTOR, CUSOLVER_EIG_MODE_NOVECTOR] {
        // [2 1; 1 2] has the eigenvalues 1 and 3.
        let (a, w, mut length) = (upload(&[2.0, 1.0, f64::NAN, 2.0]), fresh::<f64>(2), 0);
        succeed!(cusolverDnDsyevd_bufferSize(handle, vectors, lower, 2, a, 2, w, &raw mut length));
        let work = fresh(length as usize);
        succeed!(cusolverDnDsyevd(handle, vectors, lower, 2, a, 2, w, work, length, dev_info));
        assert_close(&download(w, 2), &[1.0, 3.0]);
        assert_eq!(info(dev_info), 0);
        let v = download(a, 4);
        if vectors == CUSOLVER_EIG_MODE_VECTOR {
            assert_close(&[v[0] + v[1], v[2] - v[3], v[0] * v[0] + v[1] * v[1]], &[0.0, 0.0, 1.0]);
        } else {
            assert!(v.iter().all(|value| value.is_nan()), "the matrix is destroyed");
        }
    }
    assert!(session.take_kinds().is_empty());
}

#[test]
fn singular_values() {
    let Some(session) = session() else { return };
    let (handle, dev_info, mut length) = (cusolver(), fresh::<i32>(1), 0);
    let all = b'A' as c_schar;
    let matrix = [3.0, 0.0, 0.0, 0.0, -2.0, 0.0];
    let (a, s, u, vt) = (upload(&matrix), fresh::<f64>(2), fresh::<f64>(9), fresh::<f64>(4));
    succeed!(cusolverDnDgesvd_bufferSize(handle, 3, 2, &raw mut length));
    let (work, rwork) = (fresh(length as usize), fresh(1));
    succeed!(cusolverDnDgesvd(handle, all, all, 3, 2, a, 3, s, u, 3, vt, 2, work, length, rwork, dev_info));
    assert_eq!(info(dev_info), 0);
    assert_close(&download(s, 2), &[3.0, 2.0]);
    let (u, vt) = (download(u, 9), download(vt, 4));
    for (row, column) in (0..3).flat_map(|row| (0..2).map(move |column| (row, column))) {
        let product: f64 =
            [3.0, 2.0].iter().enumerate().map(|(k, s)| u[k * 3 + row] * s * vt[column * 2 + k]).sum();
        assert_close(&[product], &[matrix[column * 3 + row]]);
    }
    assert!(download(a, 6).iter().all(|value| value.is_nan()), "the matrix is destroyed");
    assert!(session.take_kinds().is_empty());
    // SAFETY: the calls return before they use a pointer.
    let (wide, jobs) = unsafe {
        (
            cusolverDnDgesvd_bufferSize(handle, 2, 3, &raw mut length),
            cusolverDnDgesvd(
                handle,
                b'O' as c_schar,
                b'O' as c_schar,
                2,
                2,
                a,
                2,
                s,
                a,
                2,
                a,
                2,
                work,
                length,
                rwork,
                dev_info,
            ),
        )
    };
    assert_eq!((wide, jobs), (INVALID, INVALID), "more columns than rows; both in the place of A");
}
