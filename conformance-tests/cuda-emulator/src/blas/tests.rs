//! cuBLAS and cuSOLVER calls on small matrices whose results are known from their definitions.
//!
//! They need the BLAS and LAPACK on the host that the calls delegate to; without one each test says so.

use std::ffi::c_int;
use std::ptr::null_mut;

use cudarc::cublas::sys::{cublasHandle_t, cublasStatus_t};
use cudarc::cusolver::sys::{cusolverDnHandle_t, cusolverStatus_t};

use super::library;
use crate::driver::calls::*;
use crate::testing::{Session, succeed};

mod batched;
mod products;
mod solver;

/// A turn on the machine, or `None` after a line that says what is missing.
fn session() -> Option<Session> {
    let session = Session::new(0);
    match library::check() {
        Ok(()) => Some(session),
        Err(message) => {
            eprintln!("not run: {message}");
            None
        }
    }
}

fn cublas() -> cublasHandle_t {
    let mut handle = null_mut();
    // SAFETY: a place for the handle.
    let status = unsafe { super::cublas::calls::cublasCreate_v2(&raw mut handle) };
    assert_eq!(status, cublasStatus_t::CUBLAS_STATUS_SUCCESS);
    handle
}

fn cusolver() -> cusolverDnHandle_t {
    let mut handle = null_mut();
    // SAFETY: a place for the handle.
    let status = unsafe { super::cusolver::calls::cusolverDnCreate(&raw mut handle) };
    assert_eq!(status, cusolverStatus_t::CUSOLVER_STATUS_SUCCESS);
    handle
}

/// Device memory that nothing has written, for `count` elements.
fn fresh<T>(count: usize) -> *mut T {
    let mut address = 0;
    succeed!(cuMemAlloc_v2(&raw mut address, count * size_of::<T>()));
    std::ptr::without_provenance_mut(address as usize)
}

/// Device memory with these values.
fn upload<T: Copy>(values: &[T]) -> *mut T {
    let pointer: *mut T = fresh(values.len());
    succeed!(cuMemcpyHtoD_v2(pointer.addr() as u64, values.as_ptr().cast(), size_of_val(values)));
    pointer
}

/// The values in device memory.
fn download<T: Copy + Default>(pointer: *const T, count: usize) -> Vec<T> {
    let mut values = vec![T::default(); count];
    succeed!(cuMemcpyDtoH_v2(values.as_mut_ptr().cast(), pointer.addr() as u64, count * size_of::<T>()));
    values
}

fn info(pointer: *const c_int) -> c_int {
    download(pointer, 1)[0]
}

/// Asserts that two lists of numbers agree to a few units in the last place of the largest.
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    let is_close = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 8.0 * f64::EPSILON * largest;
    assert!(found.iter().zip(expected).all(is_close), "{found:?} is not {expected:?}");
}
