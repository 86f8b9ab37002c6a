//! Pinned host memory.

use std::ffi::{c_uint, c_void};

use cudarc::driver::sys::{self, CUresult};

use super::unknown;
use crate::exports::{exports, put};
use crate::host::Range;
use crate::platform::current;

/// `CU_MEMHOSTALLOC_PORTABLE`, `_DEVICEMAP` and `_WRITECOMBINED`.
const ALLOCATE_FLAGS: c_uint = 1 | 2 | 4;
/// `CU_MEMHOSTREGISTER_PORTABLE` and `_DEVICEMAP`.
const REGISTER_FLAGS: c_uint = 1 | 2;

fn allocate(call: &str, bytes: usize) -> Result<*mut c_void, CUresult> {
    let mut context = current()?;
    context.check()?;
    if bytes == 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    let label = context.label(call);
    let pointer = context.pinned.allocate(bytes, label).ok_or(CUresult::CUDA_ERROR_OUT_OF_MEMORY)?;
    Ok(pointer.cast())
}

fn unpin(call: &str, pointer: *mut c_void, owned: bool, absent: CUresult) -> Result<(), CUresult> {
    let mut context = current()?;
    let range = context.pinned.range(pointer.addr(), owned).ok_or(absent)?;
    context.unpin(call, range)
}

exports! {
    fn cuMemAllocHost_v2(pointer: *mut *mut c_void, bytes: usize) -> CUresult {
        if pointer.is_null() {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        put(pointer, allocate("cuMemAllocHost", bytes)?)
    }

    fn cuMemHostAlloc(pointer: *mut *mut c_void, bytes: usize, flags: c_uint) -> CUresult {
        if pointer.is_null() || flags & !ALLOCATE_FLAGS != 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        put(pointer, allocate("cuMemHostAlloc", bytes)?)
    }

    fn cuMemFreeHost(pointer: *mut c_void) -> CUresult {
        unpin("cuMemFreeHost", pointer, true, CUresult::CUDA_ERROR_INVALID_VALUE)
    }

    fn cuMemHostRegister_v2(pointer: *mut c_void, bytes: usize, flags: c_uint) -> CUresult {
        if pointer.is_null() || bytes == 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        if flags & !REGISTER_FLAGS != 0 {
            return Err(unknown("cuMemHostRegister", format_args!("flags {flags:#x}")));
        }
        let mut context = current()?;
        context.check()?;
        let label = context.label("cuMemHostRegister");
        let range = Range { start: pointer.expose_provenance(), bytes };
        if context.pinned.register(range, label) {
            Ok(())
        } else {
            Err(CUresult::CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED)
        }
    }

    fn cuMemHostUnregister(pointer: *mut c_void) -> CUresult {
        unpin("cuMemHostUnregister", pointer, false, CUresult::CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED)
    }
}
