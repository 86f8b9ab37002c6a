//! Names and descriptions of errors.

use std::ffi::{CStr, c_char};

use cudarc::driver::sys::{self, CUresult};

use crate::exports::{exports, name_of, put};

/// What an error means, for those that the emulator returns.
fn description(error: CUresult) -> Option<&'static CStr> {
    use cudarc::driver::sys::cudaError_enum::*;
    Some(match error {
        CUDA_SUCCESS => c"no error",
        CUDA_ERROR_INVALID_VALUE => c"invalid argument",
        CUDA_ERROR_OUT_OF_MEMORY => c"out of memory",
        CUDA_ERROR_NOT_INITIALIZED => c"initialization error",
        CUDA_ERROR_NO_DEVICE => c"no CUDA-capable device is detected",
        CUDA_ERROR_INVALID_DEVICE => c"invalid device ordinal",
        CUDA_ERROR_INVALID_CONTEXT => c"invalid device context",
        CUDA_ERROR_NO_BINARY_FOR_GPU => c"no kernel image is available for execution on the device",
        CUDA_ERROR_INVALID_PTX => c"a PTX JIT compilation failed",
        CUDA_ERROR_INVALID_HANDLE => c"invalid resource handle",
        CUDA_ERROR_NOT_FOUND => c"named symbol not found",
        CUDA_ERROR_NOT_READY => c"device not ready",
        CUDA_ERROR_ILLEGAL_ADDRESS => c"an illegal memory access was encountered",
        CUDA_ERROR_LAUNCH_TIMEOUT => c"the launch timed out and was terminated",
        CUDA_ERROR_CONTEXT_IS_DESTROYED => c"context is destroyed",
        CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED => {
            c"part or all of the requested memory range is already mapped"
        }
        CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED => c"pointer does not correspond to a registered memory region",
        CUDA_ERROR_MISALIGNED_ADDRESS => c"misaligned address",
        CUDA_ERROR_LAUNCH_FAILED => c"unspecified launch failure",
        CUDA_ERROR_NOT_SUPPORTED => c"operation not supported",
        CUDA_ERROR_SYSTEM_NOT_READY => c"system not yet initialized",
        CUDA_ERROR_UNKNOWN => c"unknown error",
        _ => return None,
    })
}

exports! {
    fn cuGetErrorName(error: CUresult, text: *mut *const c_char) -> CUresult {
        put(text, name_of(error))
    }

    fn cuGetErrorString(error: CUresult, text: *mut *const c_char) -> CUresult {
        put(text, description(error).map_or_else(|| name_of(error), CStr::as_ptr))
    }
}
