//! Streams.

use std::ffi::{c_int, c_uint};

use cudarc::driver::sys::{self, CUevent, CUresult, CUstream, CUstream_flags};

use super::event;
use crate::exports::{exports, put};
use crate::handle::{self, Kind};
use crate::platform::current;
use crate::stream::LEGACY;

fn create(call: &str, stream: *mut CUstream, flags: c_uint) -> Result<CUstream, CUresult> {
    let non_blocking = CUstream_flags::CU_STREAM_NON_BLOCKING as c_uint;
    if stream.is_null() || flags & !non_blocking != 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    let mut context = current()?;
    context.check()?;
    let label = context.label(call);
    let number = context.scheduler.create_stream(flags & non_blocking == 0, label);
    Ok(handle::pack(Kind::Stream, context.device, number))
}

exports! {
    fn cuStreamCreate(stream: *mut CUstream, flags: c_uint) -> CUresult {
        put(stream, create("cuStreamCreate", stream, flags)?)
    }

    fn cuStreamCreateWithPriority(stream: *mut CUstream, flags: c_uint, _priority: c_int) -> CUresult {
        // A priority is a hint: the real driver clamps it, and no order follows from it.
        put(stream, create("cuStreamCreateWithPriority", stream, flags)?)
    }

    fn cuStreamDestroy_v2(stream: CUstream) -> CUresult {
        let mut context = current()?;
        let number = context.stream(stream)?;
        if number == LEGACY {
            return Err(CUresult::CUDA_ERROR_INVALID_HANDLE);
        }
        context.scheduler.destroy_stream(number);
        context.check()
    }

    fn cuStreamSynchronize(stream: CUstream) -> CUresult {
        let mut context = current()?;
        let stream = context.stream(stream)?;
        context.meter.synchronisations += 1;
        let tail = context.scheduler.tail(stream);
        context.wait_for(&tail)
    }

    fn cuStreamQuery(stream: CUstream) -> CUresult {
        let mut context = current()?;
        let stream = context.stream(stream)?;
        let tail = context.scheduler.tail(stream);
        context.poll(&tail)
    }

    fn cuStreamWaitEvent(stream: CUstream, event: CUevent, flags: c_uint) -> CUresult {
        if flags != 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let mut context = current()?;
        context.check()?;
        let stream = context.stream(stream)?;
        let event = event::number(&context, event)?;
        context.scheduler.wait(stream, event);
        Ok(())
    }
}
