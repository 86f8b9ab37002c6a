//! The exported functions of the driver, called as a program calls them.

use std::ffi::c_void;
use std::ptr::null_mut;

use cudarc::driver::sys::{CUevent, CUresult, CUstream};

use super::calls::*;
use crate::testing::succeed;

mod arguments;
mod kernels;
mod order;
mod reports;

/// A stream that does not wait for the legacy default stream.
fn stream() -> CUstream {
    let mut stream = null_mut();
    succeed!(cuStreamCreate(&raw mut stream, 1));
    stream
}

fn event() -> CUevent {
    let mut event = null_mut();
    succeed!(cuEventCreate(&raw mut event, 0));
    event
}

fn allocate(bytes: usize) -> u64 {
    let mut address = 0;
    succeed!(cuMemAlloc_v2(&raw mut address, bytes));
    address
}

fn allocate_on(stream: CUstream, bytes: usize) -> u64 {
    let mut address = 0;
    succeed!(cuMemAllocAsync(&raw mut address, bytes, stream));
    address
}

/// Pinned memory for `count` numbers.
fn pinned(count: usize) -> *mut u32 {
    let mut pointer: *mut c_void = null_mut();
    succeed!(cuMemHostAlloc(&raw mut pointer, count * 4, 0));
    pointer.cast()
}

/// The number at an address, or the error of the copy.
fn read(address: u64) -> Result<u32, CUresult> {
    let mut value = 0u32;
    // SAFETY: the place has four bytes.
    match unsafe { cuMemcpyDtoH_v2((&raw mut value).cast(), address, 4) } {
        CUresult::CUDA_SUCCESS => Ok(value),
        error => Err(error),
    }
}
