//! Handles and their settings.

use std::ffi::{c_char, c_int, c_void};

use cudarc::cublas::sys::{
    self, cublasAtomicsMode_t, cublasHandle_t, cublasMath_t, cublasPointerMode_t, cublasStatus_t,
    cudaStream_t,
};

use super::{Kind, Status, bind, create, exports, name_of, put, require};
use crate::handle;
use crate::stream::LEGACY;

/// cuBLAS 12.9.
const VERSION: c_int = 120_900;
/// The alignment that a workspace must have.
const WORKSPACE_ALIGNMENT: usize = 256;

exports! {
    fn cublasCreate_v2(handle: *mut cublasHandle_t) -> cublasStatus_t {
        require("cublasCreate", !handle.is_null(), "a place for the handle")?;
        put(handle, create("cublasCreate", Kind::Blas)?)
    }

    fn cublasDestroy_v2(handle: cublasHandle_t) -> cublasStatus_t {
        bind(handle)?.destroy()
    }

    fn cublasSetStream_v2(handle: cublasHandle_t, stream: cudaStream_t) -> cublasStatus_t {
        bind(handle)?.set_stream(stream.cast())
    }

    fn cublasGetStream_v2(handle: cublasHandle_t, stream: *mut cudaStream_t) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let found = match bound.handle().stream {
            LEGACY => std::ptr::null_mut(),
            number => handle::pack(Kind::Stream, bound.context.device, number),
        };
        put(stream, found)
    }

    fn cublasSetPointerMode_v2(handle: cublasHandle_t, mode: cublasPointerMode_t) -> cublasStatus_t {
        bind(handle)?.handle().device_scalars = mode == cublasPointerMode_t::CUBLAS_POINTER_MODE_DEVICE;
        Ok(())
    }

    fn cublasSetMathMode(handle: cublasHandle_t, _mode: cublasMath_t) -> cublasStatus_t {
        // Every mode allows the results of the default one.
        bind(handle).map(drop)
    }

    fn cublasSetAtomicsMode(handle: cublasHandle_t, _mode: cublasAtomicsMode_t) -> cublasStatus_t {
        // No routine here uses atomics, so either mode is kept.
        bind(handle).map(drop)
    }

    fn cublasSetWorkspace_v2(handle: cublasHandle_t, workspace: *mut c_void, bytes: usize) -> cublasStatus_t {
        let bound = bind(handle)?;
        let call = "cublasSetWorkspace";
        require(call, workspace.addr().is_multiple_of(WORKSPACE_ALIGNMENT), "a workspace aligned to 256 bytes")?;
        if bytes > 0 {
            let room = bound.context.memory.containing(workspace.addr() as u64);
            let end = (workspace.addr() as u64).saturating_add(bytes as u64);
            let fits = room.is_some_and(|(start, size)| end <= start + size);
            // An allocation whose turn in its stream has not come is not known yet.
            require(call, fits || bound.context.scheduler.pending() > 0, "a workspace that is allocated")?;
        }
        Ok(())
    }

    fn cublasGetVersion_v2(_handle: cublasHandle_t, version: *mut c_int) -> cublasStatus_t {
        put(version, VERSION)
    }
}

/// The name of a status.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn cublasGetStatusName(status: Status) -> *const c_char {
    name_of(status)
}

/// What a status means: its name says it.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn cublasGetStatusString(status: Status) -> *const c_char {
    name_of(status)
}

const _: [unsafe fn(Status) -> *const c_char; 2] = [sys::cublasGetStatusName, sys::cublasGetStatusString];
