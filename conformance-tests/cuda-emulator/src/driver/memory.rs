//! Device memory: allocation, also in stream order, and what a pointer is.

use std::ffi::{c_uint, c_void};

use cudarc::driver::sys::CUstream;
use cudarc::driver::sys::{
    self, CUcontext, CUdeviceptr, CUmemoryPool, CUmemorytype, CUpointer_attribute, CUresult,
};

use super::{pool, unknown};
use crate::exports::{exports, put};
use crate::host::Range;
use crate::operation::Work;
use crate::platform::{context_handle, current};

/// An allocation of no bytes is an error of the real driver.
fn check_request(address: *mut CUdeviceptr, bytes: usize) -> Result<u64, CUresult> {
    if address.is_null() || bytes == 0 { Err(CUresult::CUDA_ERROR_INVALID_VALUE) } else { Ok(bytes as u64) }
}

/// Where an address lies.
struct Place {
    device: bool,
    start: u64,
    bytes: u64,
}

/// # Safety
/// `value` is null or has room for the type of the attribute.
unsafe fn pointer_attribute(
    value: *mut c_void,
    attribute: CUpointer_attribute,
    address: CUdeviceptr,
) -> Result<(), CUresult> {
    use cudarc::driver::sys::CUpointer_attribute_enum::*;
    let context = current()?;
    let pinned = |address| {
        let Range { start, bytes } = context.pinned.containing(usize::try_from(address).ok()?)?;
        Some(Place { device: false, start: start as u64, bytes: bytes as u64 })
    };
    let device =
        context.memory.containing(address).map(|(start, bytes)| Place { device: true, start, bytes });
    let place = device.or_else(|| pinned(address)).ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
    // SAFETY: the caller gives room for the type that the manual names for the attribute.
    unsafe {
        match attribute {
            CU_POINTER_ATTRIBUTE_CONTEXT => put(value.cast::<CUcontext>(), context_handle(context.device)),
            CU_POINTER_ATTRIBUTE_MEMORY_TYPE if place.device => {
                put(value.cast::<c_uint>(), CUmemorytype::CU_MEMORYTYPE_DEVICE as c_uint)
            }
            CU_POINTER_ATTRIBUTE_MEMORY_TYPE => {
                put(value.cast::<c_uint>(), CUmemorytype::CU_MEMORYTYPE_HOST as c_uint)
            }
            CU_POINTER_ATTRIBUTE_DEVICE_POINTER if place.device => put(value.cast::<u64>(), address),
            CU_POINTER_ATTRIBUTE_HOST_POINTER if !place.device => put(value.cast::<u64>(), address),
            CU_POINTER_ATTRIBUTE_DEVICE_POINTER | CU_POINTER_ATTRIBUTE_HOST_POINTER => {
                Err(CUresult::CUDA_ERROR_INVALID_VALUE)
            }
            CU_POINTER_ATTRIBUTE_IS_MANAGED => put(value.cast::<c_uint>(), 0),
            CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL => put(value.cast::<i32>(), context.device as i32),
            CU_POINTER_ATTRIBUTE_RANGE_START_ADDR => put(value.cast::<u64>(), place.start),
            CU_POINTER_ATTRIBUTE_RANGE_SIZE => put(value.cast::<u64>(), place.bytes),
            other => Err(unknown("cuPointerGetAttribute", other)),
        }
    }
}

exports! {
    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> CUresult {
        let context = current()?;
        context.check()?;
        put(free, context.memory.available() as usize)?;
        put(total, context.memory.total() as usize)
    }

    fn cuMemAlloc_v2(address: *mut CUdeviceptr, bytes: usize) -> CUresult {
        let bytes = check_request(address, bytes)?;
        put(address, current()?.allocate("cuMemAlloc", bytes)?)
    }

    fn cuMemFree_v2(address: CUdeviceptr) -> CUresult {
        let mut context = current()?;
        context.meter.synchronisations += 1;
        context.free("cuMemFree", address)
    }

    fn cuMemAllocAsync(address: *mut CUdeviceptr, bytes: usize, stream: CUstream) -> CUresult {
        pool::check_pools()?;
        let bytes = check_request(address, bytes)?;
        let mut context = current()?;
        let stream = context.stream(stream)?;
        put(address, context.allocate_on(stream, "cuMemAllocAsync", bytes)?)
    }

    fn cuMemAllocFromPoolAsync(
        address: *mut CUdeviceptr,
        bytes: usize,
        pool: CUmemoryPool,
        stream: CUstream,
    ) -> CUresult {
        let bytes = check_request(address, bytes)?;
        let mut context = current()?;
        pool::check(&context, pool)?;
        let stream = context.stream(stream)?;
        put(address, context.allocate_on(stream, "cuMemAllocFromPoolAsync", bytes)?)
    }

    fn cuMemFreeAsync(address: CUdeviceptr, stream: CUstream) -> CUresult {
        let mut context = current()?;
        let stream = context.stream(stream)?;
        if context.check().is_err() {
            // Nothing runs any more, but what the program gives back is not a leak.
            return context.free("cuMemFreeAsync", address);
        }
        context.enqueue(stream, "cuMemFreeAsync", Work::Free(address))
    }

    fn cuPointerGetAttribute(value: *mut c_void, attribute: CUpointer_attribute, address: CUdeviceptr) -> CUresult {
        pointer_attribute(value, attribute, address)
    }
}
