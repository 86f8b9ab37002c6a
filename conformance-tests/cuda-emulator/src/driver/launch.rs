//! Kernel launches.

use std::ffi::{c_uint, c_void};
use std::ptr::null_mut;
use std::slice;

use cudarc::driver::sys::{self, CUfunction, CUresult, CUstream};

use super::device::{MAX_BLOCK, MAX_GRID};
use super::function::{find, max_dynamic_shared, max_threads};
use crate::exports::exports;
use crate::interpreter::Launch;
use crate::operation::Work;
use crate::platform::current;
use crate::ptx::Kernel;

/// Keys in the `extra` argument (`CU_LAUNCH_PARAM_*` of `cuda.h`).
const EXTRA_END: usize = 0;
const EXTRA_BUFFER: usize = 1;
const EXTRA_BUFFER_SIZE: usize = 2;

/// The bytes of the parameters, from an array with a pointer to each.
///
/// # Safety
/// `pointers` has an element for each parameter, and each points to as many bytes as the parameter has.
unsafe fn gather(kernel: &Kernel, pointers: *mut *mut c_void) -> Result<Vec<u8>, CUresult> {
    let parameters = kernel.parameters();
    let end = parameters.iter().map(|parameter| parameter.offset + parameter.size).max();
    let mut bytes = vec![0; end.unwrap_or(0) as usize];
    for (index, parameter) in parameters.iter().enumerate() {
        // SAFETY: there is an element for each parameter.
        let pointer = unsafe { *pointers.add(index) };
        if pointer.is_null() {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let (start, size) = (parameter.offset as usize, parameter.size as usize);
        // SAFETY: it points to as many bytes as the parameter has.
        bytes[start..start + size].copy_from_slice(unsafe { slice::from_raw_parts(pointer.cast(), size) });
    }
    Ok(bytes)
}

/// The bytes of the parameters, from one buffer.
///
/// # Safety
/// `extra` is as the manual describes it: keys and values, ended by [`EXTRA_END`].
unsafe fn unpack(kernel: &Kernel, extra: *mut *mut c_void) -> Result<Vec<u8>, CUresult> {
    let (mut buffer, mut size): (*mut c_void, usize) = (null_mut(), 0);
    for pair in 0.. {
        // SAFETY: the list goes on until its end, which is a key without a value.
        let key = unsafe { *extra.add(2 * pair) }.addr();
        if key == EXTRA_END {
            break;
        }
        // SAFETY: as above.
        let value = unsafe { *extra.add(2 * pair + 1) };
        match key {
            EXTRA_BUFFER => buffer = value,
            // SAFETY: this key's value points to the size.
            EXTRA_BUFFER_SIZE if !value.is_null() => size = unsafe { *value.cast() },
            _ => return Err(CUresult::CUDA_ERROR_INVALID_VALUE),
        }
    }
    let end = kernel.parameters().iter().map(|parameter| parameter.offset + parameter.size).max();
    if buffer.is_null() || size < end.unwrap_or(0) as usize {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: the buffer has that many bytes.
    Ok(unsafe { slice::from_raw_parts(buffer.cast::<u8>(), size) }.to_vec())
}

exports! {
    fn cuLaunchKernel(
        function: CUfunction,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        shared_bytes: c_uint,
        stream: CUstream,
        parameters: *mut *mut c_void,
        extra: *mut *mut c_void,
    ) -> CUresult {
        let mut context = current()?;
        context.check()?;
        let stream = context.stream(stream)?;
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        let (function, kernel) = find(&context, function)?;
        let fits = |size: [u32; 3], limit: [u32; 3]| size.iter().zip(limit).all(|(size, limit)| (1..=limit).contains(size));
        let threads: u64 = block.into_iter().map(u64::from).product();
        if !fits(grid, MAX_GRID)
            || !fits(block, MAX_BLOCK)
            || threads > u64::from(max_threads(kernel))
            || shared_bytes > max_dynamic_shared(function, kernel)
        {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let bytes = match (parameters.is_null(), extra.is_null()) {
            (false, true) => gather(kernel, parameters)?,
            (true, false) => unpack(kernel, extra)?,
            (true, true) if kernel.parameters().is_empty() => Vec::new(),
            _ => return Err(CUresult::CUDA_ERROR_INVALID_VALUE),
        };
        let (module, kernel) = (context.modules[&function.module].module.clone(), function.kernel.clone());
        let seed = context.scheduler.draw();
        context.meter.launches += 1;
        context.meter.kernel(&kernel).launches += 1;
        let launch = Launch { grid, block, dynamic_shared: shared_bytes, parameters: bytes, seed };
        context.enqueue(stream, "cuLaunchKernel", Work::Launch { module, kernel, launch })
    }
}
