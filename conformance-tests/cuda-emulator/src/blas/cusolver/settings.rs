//! Handles.

use cudarc::cusolver::sys::{self, cudaStream_t, cusolverDnHandle_t, cusolverStatus_t};

use super::{Kind, bind, create, exports, put, require};

exports! {
    fn cusolverDnCreate(handle: *mut cusolverDnHandle_t) -> cusolverStatus_t {
        require("cusolverDnCreate", !handle.is_null(), "a place for the handle")?;
        put(handle, create("cusolverDnCreate", Kind::Solver)?)
    }

    fn cusolverDnDestroy(handle: cusolverDnHandle_t) -> cusolverStatus_t {
        bind(handle)?.destroy()
    }

    fn cusolverDnSetStream(handle: cusolverDnHandle_t, stream: cudaStream_t) -> cusolverStatus_t {
        bind(handle)?.set_stream(stream.cast())
    }
}
