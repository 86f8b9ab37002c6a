//! Primary contexts, and the context that is current on a thread.

use std::ffi::{c_int, c_uint};
use std::ptr::null_mut;

use cudarc::driver::sys::{self, CUcontext, CUdevice, CUresult};

use super::device::index;
use crate::exports::{exports, put};
use crate::handle::{self, Kind};
use crate::platform::{context_handle, current, current_device, platform, set_current_device};

exports! {
    fn cuDevicePrimaryCtxRetain(context: *mut CUcontext, device: CUdevice) -> CUresult {
        let device = index(device)?;
        put(context, context_handle(device))?;
        platform()?.context(device)?.retained += 1;
        Ok(())
    }

    fn cuDevicePrimaryCtxRelease_v2(device: CUdevice) -> CUresult {
        let mut context = platform()?.context(index(device)?)?;
        if context.retained == 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_CONTEXT);
        }
        context.retained -= 1;
        // What is still live stays in the report of leaks.
        if context.retained == 0 { context.finish() } else { Ok(()) }
    }

    fn cuDevicePrimaryCtxGetState(device: CUdevice, flags: *mut c_uint, active: *mut c_int) -> CUresult {
        let context = platform()?.context(index(device)?)?;
        put(flags, 0)?;
        put(active, c_int::from(context.retained > 0))
    }

    fn cuCtxSetCurrent(context: CUcontext) -> CUresult {
        if context.is_null() {
            platform()?;
            set_current_device(None);
            return Ok(());
        }
        let (device, _) = handle::unpack(context, Kind::Context).ok_or(CUresult::CUDA_ERROR_INVALID_CONTEXT)?;
        if platform()?.context(device)?.retained == 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_CONTEXT);
        }
        set_current_device(Some(device));
        Ok(())
    }

    fn cuCtxGetCurrent(context: *mut CUcontext) -> CUresult {
        platform()?;
        put(context, current_device().map_or(null_mut(), context_handle))
    }

    fn cuCtxGetDevice(device: *mut CUdevice) -> CUresult {
        put(device, current()?.device as CUdevice)
    }

    fn cuCtxSynchronize() -> CUresult {
        let mut context = current()?;
        context.meter.synchronisations += 1;
        context.finish()
    }
}
