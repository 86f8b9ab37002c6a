//! Copies and memory sets.
//!
//! What waits follows "API synchronization behavior" of the driver API's manual: a copy between host and device
//! that is not asynchronous waits; so does an asynchronous one down to pageable memory. One up from pageable
//! memory takes the bytes at the call; one from pinned memory reads them when its turn has come.

use std::ffi::{c_uchar, c_uint, c_void};
use std::slice;

use cudarc::driver::sys::{self, CUdeviceptr, CUresult, CUstream};

use super::unknown;
use crate::context::Context;
use crate::exports::exports;
use crate::host::{Placement, Range};
use crate::operation::Work;
use crate::platform::current;
use crate::stream::LEGACY;

/// Device addresses lie above this, host addresses below.
const FIRST_DEVICE_ADDRESS: u64 = 1 << 48;

/// The host memory of a copy, `None` if it has no bytes.
fn host_range(pointer: *const c_void, bytes: usize) -> Result<Option<Range>, CUresult> {
    match (bytes, pointer.is_null()) {
        (0, _) => Ok(None),
        (_, true) => Err(CUresult::CUDA_ERROR_INVALID_VALUE),
        _ => Ok(Some(Range { start: pointer.expose_provenance(), bytes })),
    }
}

fn up(to: CUdeviceptr, from: *const c_void, bytes: usize) -> Result<(), CUresult> {
    let mut context = current()?;
    let Some(from) = host_range(from, bytes)? else { return context.check() };
    context.meter.up.add(bytes as u64);
    context.meter.synchronisations += 1;
    context.execute(LEGACY, "cuMemcpyHtoD", Work::Up { from, to })
}

/// # Safety
/// `from` points to that many bytes.
unsafe fn up_async(
    to: CUdeviceptr,
    from: *const c_void,
    bytes: usize,
    stream: CUstream,
) -> Result<(), CUresult> {
    let mut context = current()?;
    let stream = context.stream(stream)?;
    let Some(range) = host_range(from, bytes)? else { return context.check() };
    let work = match context.pinned.placement(range) {
        Placement::Pinned => Work::Up { from: range, to },
        Placement::Pageable => {
            // SAFETY: not null, and the caller vouches for the length.
            let data = unsafe { slice::from_raw_parts(from.cast::<u8>(), bytes) }.to_vec();
            Work::UpStaged { data, to }
        }
        Placement::Straddling => return Err(CUresult::CUDA_ERROR_INVALID_VALUE),
    };
    context.meter.up.add(bytes as u64);
    context.enqueue(stream, "cuMemcpyHtoDAsync", work)
}

fn down(to: *mut c_void, from: CUdeviceptr, bytes: usize) -> Result<(), CUresult> {
    let mut context = current()?;
    let Some(to) = host_range(to, bytes)? else { return context.check() };
    context.meter.down.add(bytes as u64);
    context.meter.synchronisations += 1;
    context.execute(LEGACY, "cuMemcpyDtoH", Work::Down { from, to })
}

fn down_async(to: *mut c_void, from: CUdeviceptr, bytes: usize, stream: CUstream) -> Result<(), CUresult> {
    let mut context = current()?;
    let stream = context.stream(stream)?;
    let Some(to) = host_range(to, bytes)? else { return context.check() };
    let work = Work::Down { from, to };
    let placement = context.pinned.placement(to);
    if placement == Placement::Straddling {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    context.meter.down.add(bytes as u64);
    if placement == Placement::Pinned {
        return context.enqueue(stream, "cuMemcpyDtoHAsync", work);
    }
    context.meter.synchronisations += 1;
    context.execute(stream, "cuMemcpyDtoHAsync to pageable memory", work)
}

fn across(
    to: CUdeviceptr,
    from: CUdeviceptr,
    bytes: usize,
    call: &'static str,
    stream: impl Fn(&Context) -> Result<u64, CUresult>,
) -> Result<(), CUresult> {
    let mut context = current()?;
    let stream = stream(&context)?;
    if bytes == 0 {
        return context.check();
    }
    let bytes = bytes as u64;
    context.meter.across.add(bytes);
    context.enqueue(stream, call, Work::Across { from, to, bytes })
}

fn fill(
    address: CUdeviceptr,
    pattern: Vec<u8>,
    count: usize,
    call: &'static str,
    stream: impl Fn(&Context) -> Result<u64, CUresult>,
) -> Result<(), CUresult> {
    let mut context = current()?;
    let stream = stream(&context)?;
    if !address.is_multiple_of(pattern.len() as u64) {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    if count == 0 {
        return context.check();
    }
    let count = count as u64;
    context.meter.fills.add(count.saturating_mul(pattern.len() as u64));
    context.enqueue(stream, call, Work::Fill { address, pattern, count })
}

fn legacy(_: &Context) -> Result<u64, CUresult> {
    Ok(LEGACY)
}

exports! {
    fn cuMemcpyHtoD_v2(to: CUdeviceptr, from: *const c_void, bytes: usize) -> CUresult {
        up(to, from, bytes)
    }

    fn cuMemcpyDtoH_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize) -> CUresult {
        down(to, from, bytes)
    }

    fn cuMemcpyDtoD_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize) -> CUresult {
        across(to, from, bytes, "cuMemcpyDtoD", legacy)
    }

    fn cuMemcpyHtoDAsync_v2(to: CUdeviceptr, from: *const c_void, bytes: usize, stream: CUstream) -> CUresult {
        up_async(to, from, bytes, stream)
    }

    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize, stream: CUstream) -> CUresult {
        down_async(to, from, bytes, stream)
    }

    fn cuMemcpyDtoDAsync_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: CUstream) -> CUresult {
        across(to, from, bytes, "cuMemcpyDtoDAsync", |context| context.stream(stream))
    }

    fn cuMemcpyAsync(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: CUstream) -> CUresult {
        let host = |address: CUdeviceptr| std::ptr::with_exposed_provenance_mut::<c_void>(address as usize);
        match (to >= FIRST_DEVICE_ADDRESS, from >= FIRST_DEVICE_ADDRESS) {
            (true, true) => across(to, from, bytes, "cuMemcpyAsync", |context| context.stream(stream)),
            (true, false) => up_async(to, host(from), bytes, stream),
            (false, true) => down_async(host(to), from, bytes, stream),
            (false, false) => Err(unknown("cuMemcpyAsync", format_args!("a copy from host to host"))),
        }
    }

    fn cuMemsetD8_v2(address: CUdeviceptr, value: c_uchar, count: usize) -> CUresult {
        fill(address, vec![value], count, "cuMemsetD8", legacy)
    }

    fn cuMemsetD8Async(address: CUdeviceptr, value: c_uchar, count: usize, stream: CUstream) -> CUresult {
        fill(address, vec![value], count, "cuMemsetD8Async", |context| context.stream(stream))
    }

    fn cuMemsetD32_v2(address: CUdeviceptr, value: c_uint, count: usize) -> CUresult {
        fill(address, value.to_le_bytes().to_vec(), count, "cuMemsetD32", legacy)
    }

    fn cuMemsetD32Async(address: CUdeviceptr, value: c_uint, count: usize, stream: CUstream) -> CUresult {
        fill(address, value.to_le_bytes().to_vec(), count, "cuMemsetD32Async", |context| context.stream(stream))
    }
}
