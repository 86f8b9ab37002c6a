//! Events.

use std::ffi::c_uint;

use cudarc::driver::sys::{self, CUevent, CUevent_flags, CUresult, CUstream};

use crate::context::Context;
use crate::exports::{exports, put};
use crate::handle::{self, Kind};
use crate::platform::current;
use crate::stream::{ElapsedError, Point};

/// The number of the event that a handle names.
pub(super) fn number(context: &Context, event: CUevent) -> Result<u64, CUresult> {
    handle::unpack(event, Kind::Event)
        .filter(|(device, number)| *device == context.device && context.scheduler.has_event(*number))
        .map(|(_, number)| number)
        .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
}

/// Where an event was recorded: nowhere means that there is nothing to wait for.
fn points(context: &Context, event: CUevent) -> Result<Vec<Point>, CUresult> {
    Ok(context.scheduler.recorded(number(context, event)?).into_iter().collect())
}

fn elapsed(start: CUevent, end: CUevent) -> Result<f32, CUresult> {
    let context = current()?;
    context.check()?;
    let (start, end) = (number(&context, start)?, number(&context, end)?);
    context.scheduler.elapsed(start, end).map_err(|error| match error {
        ElapsedError::Invalid => CUresult::CUDA_ERROR_INVALID_HANDLE,
        ElapsedError::NotReady => CUresult::CUDA_ERROR_NOT_READY,
    })
}

exports! {
    fn cuEventCreate(event: *mut CUevent, flags: c_uint) -> CUresult {
        let (blocking, untimed) = (
            CUevent_flags::CU_EVENT_BLOCKING_SYNC as c_uint,
            CUevent_flags::CU_EVENT_DISABLE_TIMING as c_uint,
        );
        if event.is_null() || flags & !(blocking | untimed) != 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let mut context = current()?;
        context.check()?;
        let label = context.label("cuEventCreate");
        let number = context.scheduler.create_event(flags & untimed == 0, label);
        put(event, handle::pack(Kind::Event, context.device, number))
    }

    fn cuEventRecord(event: CUevent, stream: CUstream) -> CUresult {
        let mut context = current()?;
        context.check()?;
        let (stream, event) = (context.stream(stream)?, number(&context, event)?);
        context.scheduler.record(stream, event);
        Ok(())
    }

    fn cuEventQuery(event: CUevent) -> CUresult {
        let mut context = current()?;
        let points = points(&context, event)?;
        context.poll(&points)
    }

    fn cuEventSynchronize(event: CUevent) -> CUresult {
        let mut context = current()?;
        let points = points(&context, event)?;
        context.meter.synchronisations += 1;
        context.wait_for(&points)
    }

    fn cuEventElapsedTime(milliseconds: *mut f32, start: CUevent, end: CUevent) -> CUresult {
        put(milliseconds, elapsed(start, end)?)
    }

    fn cuEventDestroy_v2(event: CUevent) -> CUresult {
        let mut context = current()?;
        let event = number(&context, event)?;
        context.scheduler.destroy_event(event);
        context.check()
    }
}

/// The name under which CUDA 12.8 and later look up `cuEventElapsedTime`; its type is the same.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cuEventElapsedTime_v2(
    milliseconds: *mut f32,
    start: CUevent,
    end: CUevent,
) -> CUresult {
    // SAFETY: the contract is that of the function of the older name.
    unsafe { cuEventElapsedTime(milliseconds, start, end) }
}
