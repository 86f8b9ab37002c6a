//! Memory: on the device, page-locked on the host, and the events that say when it may be used.

use std::sync::{Arc, Mutex};

use cudarc::driver::result::{self, event, stream};
use cudarc::driver::sys;

use super::{Context, failed, lock};
use crate::Result;

/// The size that page-locked memory comes in at least.
pub(super) const PINNED_BYTES: usize = 64 << 10;

/// Blocks of page-locked memory of one size that may wait for the device.
pub(super) const PINNED_BLOCKS: usize = 3;

/// Page-locked host memory.
pub(super) struct Pinned {
    pub(super) pointer: *mut u8,
    pub(super) capacity: usize,
    /// What must have happened before the memory is used again.
    pub(super) busy: Option<Arc<Event>>,
}

impl Pinned {
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the pointer is to `capacity` bytes that the driver gave; they are initialised when
        // they were written before, and `u8` has no invalid values.
        unsafe { std::slice::from_raw_parts_mut(self.pointer, self.capacity) }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.busy.as_ref().is_none_or(|event| event.has_happened())
    }

    pub(super) fn wait(&self) -> Result<()> {
        self.busy.as_ref().map_or(Ok(()), |event| event.synchronize())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Errors have nobody to go to here; the next call reports the same trouble.
        let _ = self.wait();
        // SAFETY: the driver gave the memory, and the device is done with it.
        let _ = unsafe { result::free_host(self.pointer.cast()) };
    }
}

/// A point in a stream.
pub(super) struct Event(sys::CUevent);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    pub(super) fn record(stream: sys::CUstream) -> Result<Self> {
        let failed = failed("recording an event");
        let event = event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING).map_err(&failed)?;
        let event = Self(event);
        // SAFETY: event and stream are live and of one context.
        unsafe { event::record(event.0, stream) }.map_err(failed)?;
        Ok(event)
    }

    fn has_happened(&self) -> bool {
        // SAFETY: the event is live.
        unsafe { event::query(self.0) }.is_ok()
    }

    fn synchronize(&self) -> Result<()> {
        // SAFETY: the event is live.
        unsafe { event::synchronize(self.0) }.map_err(failed("waiting for a copy"))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is live, and nobody else has the handle.
        let _ = unsafe { event::destroy(self.0) };
    }
}

/// Device memory; dropping it frees it when the work queued so far is done.
pub(in crate::cuda) struct Memory {
    pub(super) context: Arc<Context>,
    pub(super) address: sys::CUdeviceptr,
    pub(super) bytes: usize,
    /// The arrival of the data, as long as the computing stream does not wait for it.
    pub(super) arriving: Mutex<Option<Arc<Event>>>,
}

impl Memory {
    /// The address, for work that is queued on the computing stream from now on.
    pub(in crate::cuda) fn address(&self) -> Result<sys::CUdeviceptr> {
        self.context.bind()?;
        let mut arriving = lock(&self.arriving);
        if let Some(event) = arriving.as_ref() {
            // SAFETY: stream and event are live and of one context.
            unsafe {
                stream::wait_event(
                    self.context.compute,
                    event.0,
                    sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT,
                )
            }
            .map_err(failed("waiting for a copy"))?;
            *arriving = None;
        }
        Ok(self.address)
    }

    /// The device.
    pub(in crate::cuda) fn context(&self) -> &Arc<Context> {
        &self.context
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({:#x}, {} bytes)", self.address, self.bytes)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Errors have nobody to go to here; the next call reports the same trouble.
        if self.address().is_err() {
            return;
        }
        if self.context.pool.is_some() {
            // SAFETY: the memory is this value's own; work that uses it is queued before.
            let _ = unsafe { result::free_async(self.address, self.context.compute) };
        } else {
            lock(&self.context.freed).entry(self.bytes).or_default().push(self.address);
        }
    }
}
