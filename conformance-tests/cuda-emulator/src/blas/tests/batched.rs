//! Batches: strided, and through arrays of device pointers.

use std::ptr::null_mut;

use cudarc::cublas::sys::{
    cublasDiagType_t::*, cublasFillMode_t::*, cublasOperation_t::*, cublasSideMode_t::*, cublasStatus_t,
};
use cudarc::cusolver::sys::{cublasFillMode_t as SolverFill, cusolverStatus_t};

use super::super::cublas::calls::*;
use super::super::cusolver::calls::*;
use super::{assert_close, cublas, cusolver, download, fresh, info, session, upload};
use crate::testing::succeed;

#[test]
fn gemm_strided_and_through_pointers() {
    let Some(session) = session() else { return };
    let handle = cublas();
    let (n, one, zero) = (CUBLAS_OP_N, 1.0, 0.0);
    let (one, zero) = (&raw const one, &raw const zero);
    // 1 x 1 matrices: 2, 3 times 10 (stride 0).
    let (a, b, c) = (upload(&[2.0, 3.0]), upload(&[10.0]), fresh::<f64>(2));
    succeed!(cublasDgemmStridedBatched(handle, n, n, 1, 1, 1, one, a, 1, 1, b, 1, 0, zero, c, 1, 1, 2));
    assert_eq!(download(c, 2), [20.0, 30.0]);
    let (a_array, b_array) = (upload(&[a.wrapping_add(1), a]).cast(), upload(&[b, a]).cast());
    let c_array = upload(&[c, c.wrapping_add(1)]);
    succeed!(cublasDgemmBatched(handle, n, n, 1, 1, 1, one, a_array, 1, b_array, 1, zero, c_array, 1, 2));
    assert_eq!(download(c, 2), [30.0, 4.0]);
    assert!(session.take_kinds().is_empty());
    // An array of pointers on the host is no array of the device.
    let host = [c];
    let array = host.as_ptr();
    succeed!(cublasDgemmBatched(handle, n, n, 1, 1, 1, one, a_array, 1, b_array, 1, zero, array, 1, 1));
    assert_eq!(session.take_kinds(), ["IllegalAddress"]);
    succeed!(cublasDgemmStridedBatched(handle, n, n, 1, 1, 1, one, a, 1, 1, b, 1, 0, zero, c, 1, 0, 2));
    assert_eq!(session.take_kinds(), ["Race"], "both products write the same C");
}

#[test]
fn lu_factors_solutions_and_inverses() {
    let Some(session) = session() else { return };
    let handle = cublas();
    // [1 2; 3 4], and a singular matrix.
    let matrices = upload(&[1.0, 3.0, 2.0, 4.0, 1.0, 2.0, 2.0, 4.0]);
    let a = upload(&[matrices, matrices.wrapping_add(4)]);
    let (pivots, infos) = (fresh::<i32>(4), fresh::<i32>(2));
    succeed!(cublasDgetrfBatched(handle, 2, a, 2, pivots, infos, 2));
    assert_eq!(download(infos, 2), [0, 2], "the second pivot of the second matrix is zero");
    // Row 2 comes first: pivots count from 1.
    assert_eq!(download(pivots, 2), [2, 2]);
    assert_close(&download(matrices, 4), &[3.0, 1.0 / 3.0, 4.0, 2.0 / 3.0]);
    // Solve [1 2; 3 4] x = [5, 11]: x = [1, 2].
    let (b, mut host_info) = (upload(&[5.0, 11.0]), -1);
    let b_array = upload(&[b]);
    succeed!(cublasDgetrsBatched(
        handle,
        CUBLAS_OP_N,
        2,
        1,
        a.cast(),
        2,
        pivots,
        b_array,
        2,
        &raw mut host_info,
        1
    ));
    assert_close(&download(b, 2), &[1.0, 2.0]);
    assert_eq!(host_info, 0);
    let inverse = fresh::<f64>(4);
    succeed!(cublasDgetriBatched(handle, 2, a.cast(), 2, pivots, upload(&[inverse]), 2, infos, 1));
    assert_close(&download(inverse, 4), &[-2.0, 1.5, 1.0, -0.5]);
    assert!(session.take_kinds().is_empty());
    // SAFETY: a place for info.
    let status = unsafe {
        cublasDgetrsBatched(handle, CUBLAS_OP_N, 2, 1, a.cast(), 1, pivots, b_array, 2, &raw mut host_info, 1)
    };
    assert_eq!((status, host_info), (cublasStatus_t::CUBLAS_STATUS_INVALID_VALUE, -5));
    // In place it does not work.
    succeed!(cublasDgetriBatched(handle, 2, a.cast(), 2, pivots, a, 2, infos, 1));
    assert_eq!(session.take_kinds(), ["Race"]);
}

#[test]
fn lu_without_pivots() {
    let Some(session) = session() else { return };
    let handle = cublas();
    let matrix = upload(&[2.0, 4.0, 1.0, 5.0]);
    let (a, b, infos) = (upload(&[matrix]), upload(&[4.0, 14.0]), fresh::<i32>(1));
    succeed!(cublasDgetrfBatched(handle, 2, a, 2, null_mut(), infos, 1));
    // [2 1; 4 5] = [1 0; 2 1] [2 1; 0 3].
    assert_eq!((download(matrix, 4), info(infos)), (vec![2.0, 2.0, 1.0, 3.0], 0));
    let mut host_info = -1;
    let none = std::ptr::null();
    succeed!(cublasDgetrsBatched(
        handle,
        CUBLAS_OP_N,
        2,
        1,
        a.cast(),
        2,
        none,
        upload(&[b]),
        2,
        &raw mut host_info,
        1
    ));
    assert_eq!(download(b, 2), [1.0, 2.0]);
    assert!(session.take_kinds().is_empty());
}

#[test]
fn triangular_solves_of_a_batch() {
    let Some(_session) = session() else { return };
    let handle = cublas();
    let (triangle, right_sides, one) =
        (upload(&[2.0, 1.0, f64::NAN, 4.0]), upload(&[2.0, 9.0, 4.0, 6.0]), 1.0);
    let a = upload(&[triangle, triangle]).cast();
    let b = upload(&[right_sides, right_sides.wrapping_add(2)]);
    succeed!(cublasDtrsmBatched(
        handle,
        CUBLAS_SIDE_LEFT,
        CUBLAS_FILL_MODE_LOWER,
        CUBLAS_OP_N,
        CUBLAS_DIAG_NON_UNIT,
        2,
        1,
        &raw const one,
        a,
        2,
        b,
        2,
        2
    ));
    assert_eq!(download(right_sides, 4), [1.0, 2.0, 2.0, 1.0]);
}

#[test]
fn cholesky_of_a_batch() {
    let Some(session) = session() else { return };
    let handle = cusolver();
    // [4 2; 2 5] = L L^T with L = [2 0; 1 2], and a matrix that is not positive definite. Only the lower
    // triangles are given.
    let matrices = upload(&[4.0, 2.0, 7.0, 5.0, 1.0, 2.0, 7.0, 1.0]);
    let a = upload(&[matrices, matrices.wrapping_add(4)]);
    let infos = fresh::<i32>(2);
    let lower = SolverFill::CUBLAS_FILL_MODE_LOWER;
    succeed!(cusolverDnDpotrfBatched(handle, lower, 2, a, 2, infos, 2));
    assert_eq!(download(infos, 2), [0, 2]);
    let factor = download(matrices, 4);
    assert_eq!([factor[0], factor[1], factor[3]], [2.0, 1.0, 2.0]);
    assert!(factor[2].is_nan(), "the other triangle is destroyed");
    // L L^T x = [8, 9]: x = [1.375, 1.25].
    let b = upload(&[8.0, 9.0, 0.0, 0.0]);
    let (b_array, dev_info) = (upload(&[b]), fresh::<i32>(1));
    succeed!(cusolverDnDpotrsBatched(handle, lower, 2, 1, a, 2, b_array, 2, dev_info, 1));
    assert_close(&download(b, 2), &[1.375, 1.25]);
    assert_eq!(info(dev_info), 0);
    // SAFETY: the call returns before it uses a pointer.
    let status = unsafe { cusolverDnDpotrsBatched(handle, lower, 2, 2, a, 2, b_array, 2, dev_info, 1) };
    assert_eq!(status, cusolverStatus_t::CUSOLVER_STATUS_INVALID_VALUE, "one right-hand side only");
    assert!(session.take_kinds().is_empty());
}
