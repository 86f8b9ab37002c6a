//! gemm, gemv, syrk, geam, trsm, and the checks that all calls share.

use std::ptr::null_mut;

use cudarc::cublas::sys::{
    cublasDiagType_t::*, cublasFillMode_t::*, cublasOperation_t::*, cublasPointerMode_t, cublasSideMode_t::*,
    cublasStatus_t,
};

use super::super::cublas::calls::*;
use super::{cublas, download, fresh, session, upload};
use crate::driver::calls::{cuCtxSynchronize, cuStreamCreate, cuStreamDestroy_v2};
use crate::testing::succeed;

/// Asserts that calls are refused for an argument.
macro_rules! refuse {
    ($($call:expr),+ $(,)?) => {$(
        // SAFETY: the call returns before it uses a pointer.
        assert_eq!(unsafe { $call }, cublasStatus_t::CUBLAS_STATUS_INVALID_VALUE, "{}", stringify!($call));
    )+};
}

#[test]
fn gemm_with_leading_dimensions_and_transposition() {
    let Some(session) = session() else { return };
    let handle = cublas();
    // A is [1 2; 3 4] with lda 3, B = [5 6; 7 8]; both column by column.
    let (a, b) = (upload(&[1.0, 3.0, -1.0, 2.0, 4.0]), upload(&[5.0, 7.0, 6.0, 8.0]));
    let c = fresh::<f64>(5);
    let (one, zero) = (1.0, 0.0);
    // C has ldc 3: its gap is not written, and was not written before.
    succeed!(cublasDgemm_v2(
        handle,
        CUBLAS_OP_N,
        CUBLAS_OP_N,
        2,
        2,
        2,
        &raw const one,
        a,
        3,
        b,
        2,
        &raw const zero,
        c,
        3
    ));
    assert_eq!(download(c, 2), [19.0, 43.0]);
    assert_eq!(download(c.wrapping_add(3), 2), [22.0, 50.0]);
    // A^T B + C.
    succeed!(cublasDgemm_v2(
        handle,
        CUBLAS_OP_T,
        CUBLAS_OP_N,
        2,
        2,
        2,
        &raw const one,
        a,
        3,
        b,
        2,
        &raw const one,
        c,
        3
    ));
    assert_eq!(download(c, 2), [26.0 + 19.0, 38.0 + 43.0]);
    assert!(session.take_kinds().is_empty());
    // In single precision, with beta on memory that nothing wrote.
    let (a, c) = (upload(&[1.0f32]), fresh::<f32>(1));
    let one = 1.0f32;
    succeed!(cublasSgemm_v2(
        handle,
        CUBLAS_OP_N,
        CUBLAS_OP_N,
        1,
        1,
        1,
        &raw const one,
        a,
        1,
        a,
        1,
        &raw const one,
        c,
        1
    ));
    // SAFETY: a context is current.
    unsafe { cuCtxSynchronize() };
    let faults = session.take_faults();
    assert_eq!(faults[0].kind, "Uninitialized");
    assert!(faults[0].message.starts_with("cublasSgemm_v2: "), "{}", faults[0].message);
}

#[test]
fn gemm_arguments() {
    let Some(session) = session() else { return };
    let handle = cublas();
    let (a, one) = (fresh::<f64>(9), 1.0);
    let gemm = |trans, m, n, k, lda, ldb, ldc, alpha| {
        // SAFETY: alpha and beta are null or places with a number.
        unsafe {
            cublasDgemm_v2(handle, trans, CUBLAS_OP_N, m, n, k, alpha, a, lda, a, ldb, &raw const one, a, ldc)
        }
    };
    let alpha = &raw const one;
    let invalid = cublasStatus_t::CUBLAS_STATUS_INVALID_VALUE;
    assert_eq!(gemm(CUBLAS_OP_N, -1, 1, 1, 1, 1, 1, alpha), invalid);
    assert_eq!(gemm(CUBLAS_OP_N, 3, 1, 2, 2, 2, 3, alpha), invalid, "lda < m");
    assert_eq!(gemm(CUBLAS_OP_T, 3, 1, 2, 1, 2, 3, alpha), invalid, "lda < k");
    assert_eq!(gemm(CUBLAS_OP_N, 1, 1, 2, 1, 1, 1, alpha), invalid, "ldb < k");
    assert_eq!(gemm(CUBLAS_OP_N, 2, 1, 1, 2, 1, 1, alpha), invalid, "ldc < m");
    assert_eq!(gemm(CUBLAS_OP_N, 0, 0, 0, 0, 1, 1, alpha), invalid, "lda < 1");
    assert_eq!(gemm(CUBLAS_OP_N, 1, 1, 1, 1, 1, 1, std::ptr::null()), invalid);
    assert_eq!(gemm(CUBLAS_OP_CONJG, 1, 1, 1, 1, 1, 1, alpha), invalid);
    assert_eq!(gemm(CUBLAS_OP_T, 0, 0, 0, 1, 1, 1, alpha), cublasStatus_t::CUBLAS_STATUS_SUCCESS);
    assert!(session.take_kinds().is_empty());
    assert_eq!(session.context().meter.library_calls["cublasDgemm_v2"], 1);
}

#[test]
fn scalars_on_the_device() {
    let Some(_session) = session() else { return };
    let handle = cublas();
    let (a, x, y) = (upload(&[1.0, 2.0, 3.0, 4.0]), upload(&[1.0, 10.0]), upload(&[100.0, 0.0, 200.0]));
    let (alpha, beta) = (upload(&[2.0]), upload(&[1.0]));
    succeed!(cublasSetPointerMode_v2(handle, cublasPointerMode_t::CUBLAS_POINTER_MODE_DEVICE));
    // y = 2 A x + y, with y at every second place: A = [1 3; 2 4], A x = [31, 42].
    succeed!(cublasDgemv_v2(handle, CUBLAS_OP_N, 2, 2, alpha, a, 2, x, 1, beta, y, 2));
    assert_eq!(download(y, 3), [162.0, 0.0, 284.0]);
    succeed!(cublasSetPointerMode_v2(handle, cublasPointerMode_t::CUBLAS_POINTER_MODE_HOST));
    let (one, zero) = (1.0, 0.0);
    // Backwards through x: A^T [10, 1].
    succeed!(cublasDgemv_v2(handle, CUBLAS_OP_T, 2, 2, &raw const one, a, 2, x, -1, &raw const zero, y, 2));
    assert_eq!(download(y, 3), [12.0, 0.0, 34.0]);
    refuse!(cublasDgemv_v2(handle, CUBLAS_OP_T, 2, 2, &raw const one, a, 2, x, 0, &raw const zero, y, 2));
}

#[test]
fn syrk_touches_one_triangle() {
    let Some(session) = session() else { return };
    let handle = cublas();
    let (a, c) = (upload(&[1.0, 2.0, 3.0, 4.0]), fresh::<f64>(4));
    let (one, zero) = (1.0, 0.0);
    // A A^T for A = [1 3; 2 4] is [10 14; 14 20].
    succeed!(cublasDsyrk_v2(
        handle,
        CUBLAS_FILL_MODE_LOWER,
        CUBLAS_OP_N,
        2,
        2,
        &raw const one,
        a,
        2,
        &raw const zero,
        c,
        2
    ));
    assert_eq!(download(c, 2), [10.0, 14.0]);
    assert_eq!(download(c.wrapping_add(3), 1), [20.0]);
    assert!(session.take_kinds().is_empty());
    let mut above = 0.0f64;
    // SAFETY: a place for a number.
    unsafe { crate::driver::calls::cuMemcpyDtoH_v2((&raw mut above).cast(), c.addr() as u64 + 16, 8) };
    assert_eq!(session.take_kinds(), ["Uninitialized"], "the upper triangle was not written");
    refuse!(cublasDsyrk_v2(
        handle,
        CUBLAS_FILL_MODE_FULL,
        CUBLAS_OP_N,
        2,
        2,
        &raw const one,
        a,
        2,
        &raw const zero,
        c,
        2
    ));
}

#[test]
fn geam_adds_and_transposes() {
    let Some(_session) = session() else { return };
    let handle = cublas();
    // A = [1 3 5; 2 4 6], B = A^T stored as it is.
    let (a, c) = (upload(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), fresh::<f64>(6));
    let (one, ten, zero) = (1.0, 10.0, 0.0);
    let null = std::ptr::null();
    succeed!(cublasDgeam(
        handle,
        CUBLAS_OP_T,
        CUBLAS_OP_N,
        3,
        2,
        &raw const ten,
        a,
        2,
        &raw const zero,
        null,
        3,
        c,
        3
    ));
    assert_eq!(download(c, 6), [10.0, 30.0, 50.0, 20.0, 40.0, 60.0]);
    // In place: C = C + A^T.
    succeed!(cublasDgeam(
        handle,
        CUBLAS_OP_T,
        CUBLAS_OP_N,
        3,
        2,
        &raw const one,
        a,
        2,
        &raw const one,
        c,
        3,
        c,
        3
    ));
    assert_eq!(download(c, 6), [11.0, 33.0, 55.0, 22.0, 44.0, 66.0]);
    refuse!(cublasDgeam(
        handle,
        CUBLAS_OP_T,
        CUBLAS_OP_N,
        2,
        2,
        &raw const one,
        c,
        2,
        &raw const zero,
        a,
        2,
        c,
        2
    ));
}

#[test]
fn trsm_reads_one_triangle() {
    let Some(session) = session() else { return };
    let handle = cublas();
    let (a, b, two) = (fresh::<f64>(4), upload(&[2.0, 11.0]), 2.0);
    // L = [2 0; 3 5]; nothing is written above its diagonal.
    let device = |place: usize| a.wrapping_add(place).addr() as u64;
    let values = [2.0, 3.0, 5.0];
    succeed!(crate::driver::calls::cuMemcpyHtoD_v2(device(0), values.as_ptr().cast(), 16));
    succeed!(crate::driver::calls::cuMemcpyHtoD_v2(device(3), values[2..].as_ptr().cast(), 8));
    // L x = 2 b: x = [2, (22 - 6) / 5].
    succeed!(cublasDtrsm_v2(
        handle,
        CUBLAS_SIDE_LEFT,
        CUBLAS_FILL_MODE_LOWER,
        CUBLAS_OP_N,
        CUBLAS_DIAG_NON_UNIT,
        2,
        1,
        &raw const two,
        a,
        2,
        b,
        2
    ));
    assert_eq!(download(b, 2), [2.0, 3.2]);
    assert!(session.take_kinds().is_empty());
    succeed!(cublasDtrsm_v2(
        handle,
        CUBLAS_SIDE_LEFT,
        CUBLAS_FILL_MODE_UPPER,
        CUBLAS_OP_N,
        CUBLAS_DIAG_NON_UNIT,
        2,
        1,
        &raw const two,
        a,
        2,
        b,
        2
    ));
    assert_eq!(session.take_kinds(), ["Uninitialized"]);
    // From the right the order of A is the number of columns.
    refuse!(cublasDtrsm_v2(
        handle,
        CUBLAS_SIDE_RIGHT,
        CUBLAS_FILL_MODE_LOWER,
        CUBLAS_OP_N,
        CUBLAS_DIAG_UNIT,
        1,
        3,
        &raw const two,
        a,
        2,
        b,
        1
    ));
}

#[test]
fn handles_and_their_streams() {
    let Some(session) = session() else { return };
    let handle = cublas();
    let (mut stream, mut found, one) = (null_mut(), null_mut(), 1.0);
    succeed!(cuStreamCreate(&raw mut stream, 1), cublasSetStream_v2(handle, stream.cast()));
    succeed!(cublasGetStream_v2(handle, &raw mut found));
    assert_eq!(found.cast(), stream);
    succeed!(cuStreamDestroy_v2(stream));
    let a = upload(&[1.0]);
    let gemm = |handle| {
        let (n, one) = (CUBLAS_OP_N, &raw const one);
        // SAFETY: alpha and beta are places with a number.
        unsafe { cublasDgemm_v2(handle, n, n, 1, 1, 1, one, a, 1, a, 1, one, a, 1) }
    };
    assert_eq!(gemm(handle), cublasStatus_t::CUBLAS_STATUS_EXECUTION_FAILED, "the stream is gone");
    assert_eq!(session.context().leaks().last().map(|leak| leak.what.clone()), Some("library handle".into()));
    succeed!(cublasDestroy_v2(handle));
    assert_eq!(gemm(handle), cublasStatus_t::CUBLAS_STATUS_NOT_INITIALIZED);
    refuse!(cublasCreate_v2(null_mut()));
}
