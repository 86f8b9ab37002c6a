//! Kernels: attributes and occupancy.

use std::ffi::c_int;

use cudarc::driver::sys::{self, CUfunction, CUfunction_attribute, CUoccupancyB2DSize, CUresult};

use super::device::{
    BLOCKS_PER_MULTIPROCESSOR, CAPABILITY, MAX_THREADS_PER_BLOCK, MULTIPROCESSORS, SHARED_PER_BLOCK,
    SHARED_PER_BLOCK_OPT_IN, SHARED_PER_MULTIPROCESSOR, THREADS_PER_MULTIPROCESSOR, WARP,
};
use super::unknown;
use crate::context::{Context, Function};
use crate::exports::{exports, put};
use crate::handle::{self, Kind};
use crate::platform::current;
use crate::ptx::Kernel;

/// The number of the function that a handle names.
fn number(context: &Context, function: CUfunction) -> Result<u64, CUresult> {
    handle::unpack(function, Kind::Function)
        .filter(|(device, number)| *device == context.device && context.functions.contains_key(number))
        .map(|(_, number)| number)
        .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
}

/// The function that a handle names, and its kernel.
pub(super) fn find(context: &Context, function: CUfunction) -> Result<(&Function, &Kernel), CUresult> {
    let function = &context.functions[&number(context, function)?];
    let loaded = context.modules.get(&function.module).ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)?;
    let kernel = loaded.module.kernel(&function.kernel).ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)?;
    Ok((function, kernel))
}

/// The most threads that a block of the kernel may have.
pub(super) fn max_threads(kernel: &Kernel) -> u32 {
    kernel.max_threads().map_or(MAX_THREADS_PER_BLOCK, |threads| threads.min(MAX_THREADS_PER_BLOCK))
}

/// The most dynamic shared memory that a launch may ask for.
pub(super) fn max_dynamic_shared(function: &Function, kernel: &Kernel) -> u32 {
    function.dynamic_shared.unwrap_or(SHARED_PER_BLOCK.saturating_sub(kernel.static_shared()))
}

/// How many blocks of so many threads fit on a multiprocessor.
fn blocks_per_multiprocessor(kernel: &Kernel, threads: u32, dynamic_shared: u64) -> u32 {
    if threads == 0 || threads > max_threads(kernel) {
        return 0;
    }
    let by_threads = THREADS_PER_MULTIPROCESSOR / threads.next_multiple_of(WARP);
    let shared = dynamic_shared.saturating_add(u64::from(kernel.static_shared()));
    if shared > u64::from(SHARED_PER_BLOCK_OPT_IN) {
        return 0;
    }
    let by_shared = u64::from(SHARED_PER_MULTIPROCESSOR).checked_div(shared).unwrap_or(u64::MAX);
    by_threads.min(BLOCKS_PER_MULTIPROCESSOR).min(u32::try_from(by_shared).unwrap_or(u32::MAX))
}

fn attribute(
    context: &Context,
    attribute: CUfunction_attribute,
    function: CUfunction,
) -> Result<u32, CUresult> {
    use cudarc::driver::sys::CUfunction_attribute_enum::*;
    let (function, kernel) = find(context, function)?;
    Ok(match attribute {
        CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK => max_threads(kernel),
        CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES => kernel.static_shared(),
        CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES => max_dynamic_shared(function, kernel),
        CU_FUNC_ATTRIBUTE_BINARY_VERSION => CAPABILITY,
        other => return Err(unknown("cuFuncGetAttribute", other)),
    })
}

exports! {
    fn cuFuncGetAttribute(value: *mut c_int, name: CUfunction_attribute, function: CUfunction) -> CUresult {
        // Every attribute is below 2^31.
        put(value, attribute(&*current()?, name, function)? as c_int)
    }

    fn cuFuncSetAttribute(function: CUfunction, name: CUfunction_attribute, value: c_int) -> CUresult {
        let mut context = current()?;
        context.check()?;
        let number = number(&context, function)?;
        let value = u32::try_from(value).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)?;
        match name {
            CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES => {
                let (_, kernel) = find(&context, function)?;
                if value > SHARED_PER_BLOCK_OPT_IN.saturating_sub(kernel.static_shared()) {
                    return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
                }
                if let Some(function) = context.functions.get_mut(&number) {
                    function.dynamic_shared = Some(value);
                }
                Ok(())
            }
            // A hint; percents of the shared memory.
            CUfunction_attribute::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT if value <= 100 => Ok(()),
            other => Err(unknown("cuFuncSetAttribute", other)),
        }
    }

    fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
        blocks: *mut c_int,
        function: CUfunction,
        threads: c_int,
        dynamic_shared: usize,
    ) -> CUresult {
        let context = current()?;
        let (_, kernel) = find(&context, function)?;
        let threads = u32::try_from(threads).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)?;
        put(blocks, blocks_per_multiprocessor(kernel, threads, dynamic_shared as u64) as c_int)
    }

    fn cuOccupancyMaxPotentialBlockSize(
        grid: *mut c_int,
        block: *mut c_int,
        function: CUfunction,
        shared_of_block: CUoccupancyB2DSize,
        dynamic_shared: usize,
        limit: c_int,
    ) -> CUresult {
        let context = current()?;
        let (_, kernel) = find(&context, function)?;
        let limit = match u32::try_from(limit) {
            Ok(0) => max_threads(kernel),
            Ok(limit) => limit.min(max_threads(kernel)),
            Err(_) => return Err(CUresult::CUDA_ERROR_INVALID_VALUE),
        };
        let blocks = |threads: u32| {
            let shared = shared_of_block.map_or(dynamic_shared, |shared| shared(threads as c_int));
            blocks_per_multiprocessor(kernel, threads, shared as u64)
        };
        // The largest block among those that keep the most threads resident.
        let sizes = (1..=limit.div_ceil(WARP)).map(|warps| (warps * WARP).min(limit));
        let (threads, resident) = sizes
            .map(|threads| (threads, blocks(threads)))
            .max_by_key(|(threads, blocks)| threads * blocks)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        put(grid, (resident * MULTIPROCESSORS) as c_int)?;
        put(block, threads as c_int)
    }
}
