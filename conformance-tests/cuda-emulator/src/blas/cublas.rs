//! The exported functions of cuBLAS.

use super::library::Real;
use super::matrix::Scalar;
use super::{Bound, create, leading, require, size};
use crate::exports::{exports, get, name_of, put};
use crate::handle::Kind;

mod batched;
mod product;
mod settings;
mod triangular;

use cudarc::cublas::sys::{cublasHandle_t, cublasStatus_t};

type Status = cublasStatus_t;

fn bind(handle: cublasHandle_t) -> Result<Bound, Status> {
    Bound::new(handle, Kind::Blas)
}

/// Alpha or beta: read now, or, in device pointer mode, when the call runs.
///
/// # Safety
/// `pointer` is null or points to a value where the pointer mode says.
unsafe fn scalar<T: Real>(bound: &mut Bound, pointer: *const T) -> Result<Scalar<T>, Status> {
    if bound.handle().device_scalars {
        return if pointer.is_null() {
            Err(Status::CUBLAS_STATUS_INVALID_VALUE)
        } else {
            Ok(Scalar::Device(pointer.addr() as u64))
        };
    }
    // SAFETY: a value of the host.
    Ok(Scalar::Host(unsafe { get(pointer) }?))
}

/// A device address as the C functions get it.
fn device<T: ?Sized>(pointer: *const T) -> u64 {
    pointer.addr() as u64
}

/// The exported functions, for tests.
#[cfg(test)]
pub(super) mod calls {
    pub(crate) use super::batched::double::*;
    pub(crate) use super::product::{double::*, single::*};
    pub(crate) use super::settings::*;
    pub(crate) use super::triangular::double::*;
}
