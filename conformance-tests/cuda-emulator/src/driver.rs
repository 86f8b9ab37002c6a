//! The exported functions of the driver API (`cu*`), with the checks of arguments that the real driver makes.
//!
//! Source: CUDA Driver API 12.9 (<https://docs.nvidia.com/cuda/archive/12.9.0/cuda-driver-api/>); limits:
//! CUDA C++ Programming Guide 12.9, "Technical Specifications per Compute Capability", for capability 7.0.

#![expect(unsafe_code, reason = "exports C functions")]

use std::fmt::Debug;

use cudarc::driver::sys::CUresult;

mod copy;
mod device;
mod error;
mod event;
mod function;
mod host;
mod launch;
mod memory;
mod module;
mod pool;
mod primary;
mod stream;
#[cfg(test)]
mod tests;

/// The error of something that the emulator does not know, after a line that names it.
fn unknown(call: &str, what: impl Debug) -> CUresult {
    eprintln!("cuda-emulator: {call}: {what:?} is not known to the emulator");
    CUresult::CUDA_ERROR_INVALID_VALUE
}

/// The exported functions, for tests.
#[cfg(test)]
pub(crate) mod calls {
    pub(crate) use super::copy::*;
    pub(crate) use super::device::*;
    pub(crate) use super::error::*;
    pub(crate) use super::event::*;
    pub(crate) use super::function::*;
    pub(crate) use super::host::*;
    pub(crate) use super::launch::*;
    pub(crate) use super::memory::*;
    pub(crate) use super::module::*;
    pub(crate) use super::pool::*;
    pub(crate) use super::primary::*;
    pub(crate) use super::stream::*;
}
