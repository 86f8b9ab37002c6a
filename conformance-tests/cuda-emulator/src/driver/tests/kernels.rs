//! Modules, functions and launches.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;

use cudarc::driver::sys::{CUfunction, CUfunction_attribute, CUjit_option, CUmodule, CUresult, CUstream};

use super::super::calls::*;
use super::arguments::fail;
use super::{allocate, read, stream};
use crate::meter::KernelMeter;
use crate::testing::{Session, succeed};

/// `add(p, k)`: every thread of the grid adds k to its element of p. `shared()`: has 1 KiB of shared memory.
/// `few()`: blocks of at most 64 threads.
const TEXT: &CStr = c"
.version 7.0
.target sm_70
.address_size 64

.global .align 4 .u32 answer = 42;

.visible .entry add(.param .u64 p, .param .u32 k)
{
    .reg .b32 %r<8>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [p];
    ld.param.u32 %r1, [k];
    cvta.to.global.u64 %rd1, %rd1;
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.s32 %r5, %r2, %r3, %r4;
    mul.wide.u32 %rd2, %r5, 4;
    add.s64 %rd3, %rd1, %rd2;
    ld.global.u32 %r6, [%rd3];
    add.u32 %r7, %r6, %r1;
    st.global.u32 [%rd3], %r7;
    ret;
}

.visible .entry shared()
{
    .reg .b32 %r<2>;
    .shared .align 4 .b8 buffer[1024];
    mov.u32 %r1, 1;
    st.shared.u32 [buffer], %r1;
    ret;
}

.visible .entry few()
.maxntid 64, 1, 1
{
    ret;
}
";

fn load() -> CUmodule {
    let mut module = null_mut();
    succeed!(cuModuleLoadData(&raw mut module, TEXT.as_ptr().cast()));
    module
}

fn function(module: CUmodule, name: &CStr) -> CUfunction {
    let mut function = null_mut();
    succeed!(cuModuleGetFunction(&raw mut function, module, name.as_ptr()));
    function
}

/// A launch without parameters.
fn launch(function: CUfunction, grid: [u32; 3], block: [u32; 3], shared: u32) -> CUresult {
    let ([gx, gy, gz], [bx, by, bz]) = (grid, block);
    // SAFETY: the kernel has no parameters.
    unsafe { cuLaunchKernel(function, gx, gy, gz, bx, by, bz, shared, null_mut(), null_mut(), null_mut()) }
}

/// `add` on two blocks of two threads.
fn launch_add(function: CUfunction, mut address: u64, mut summand: u32, stream: CUstream) {
    let mut parameters: [*mut c_void; 2] = [(&raw mut address).cast(), (&raw mut summand).cast()];
    succeed!(cuLaunchKernel(function, 2, 1, 1, 2, 1, 1, 0, stream, parameters.as_mut_ptr(), null_mut()));
    // The parameters were copied at the call.
    (address, summand) = (0, 0);
    assert_eq!((address, summand), (0, 0));
}

#[test]
fn kernels_run_in_the_order_of_their_stream_and_are_metered() {
    let session = Session::new(3);
    let (module, stream, device) = (load(), stream(), allocate(16));
    let add = function(module, c"add");
    session.context().reset_meter();
    succeed!(cuMemsetD32Async(device, 1, 4, stream));
    launch_add(add, device, 10, stream);
    launch_add(add, device, 100, stream);
    assert_eq!(session.context().meter.kernels["add"].bytes_read, 0, "nothing has run yet");
    succeed!(cuStreamSynchronize(stream));
    assert_eq!((read(device), read(device + 12)), (Ok(111), Ok(111)));
    let meter = session.context().read_meter();
    let add = meter.kernels["add"];
    // Two launches of four threads, each of which reads and writes four bytes.
    assert_eq!(
        add,
        KernelMeter { launches: 2, bytes_read: 32, bytes_written: 32, instructions: add.instructions }
    );
    assert_eq!(meter.launches, 2);
    assert!(add.instructions >= 8 * 10, "{} instructions", add.instructions);
    succeed!(cuModuleUnload(module));
    assert!(session.take_kinds().is_empty());
}

#[test]
fn a_kernel_before_its_data_is_found_over_seeds() {
    let is_found = |seed: &u64| {
        let session = Session::new(*seed);
        let (module, up, work) = (load(), stream(), stream());
        let device = allocate(16);
        let values = [1u32; 4];
        succeed!(cuMemcpyHtoDAsync_v2(device, values.as_ptr().cast(), 16, up));
        launch_add(function(module, c"add"), device, 1, work);
        let kinds = session.take_kinds();
        succeed!(cuModuleUnload(module));
        assert!(kinds.is_empty() || kinds == ["Uninitialized"], "{kinds:?}");
        !kinds.is_empty()
    };
    let found = (0..40).filter(is_found).count();
    assert!((8..=32).contains(&found), "{found} of 40");
}

#[test]
fn parameters_in_one_buffer() {
    let _session = Session::new(0);
    let (module, device) = (load(), allocate(16));
    let add = function(module, c"add");
    succeed!(cuMemsetD32_v2(device, 5, 4));
    let mut buffer = [device, 7];
    let mut sizes = [12usize, 8];
    let key = std::ptr::without_provenance_mut;
    let mut extra: [*mut c_void; 5] =
        [key(1), buffer.as_mut_ptr().cast(), key(2), (&raw mut sizes[0]).cast(), key(0)];
    let launch = |extra: *mut *mut c_void| {
        // SAFETY: keys and values as the manual describes them.
        unsafe { cuLaunchKernel(add, 4, 1, 1, 1, 1, 1, 0, null_mut(), null_mut(), extra) }
    };
    assert_eq!(launch(extra.as_mut_ptr()), CUresult::CUDA_SUCCESS);
    assert_eq!(read(device), Ok(12));
    assert_eq!(launch(null_mut()), CUresult::CUDA_ERROR_INVALID_VALUE, "the kernel has parameters");
    extra[3] = (&raw mut sizes[1]).cast();
    assert_eq!(launch(extra.as_mut_ptr()), CUresult::CUDA_ERROR_INVALID_VALUE, "a parameter is missing");
}

#[test]
fn launch_limits() {
    let session = Session::new(0);
    let module = load();
    let (shared, few) = (function(module, c"shared"), function(module, c"few"));
    let invalid = CUresult::CUDA_ERROR_INVALID_VALUE;
    for (grid, block) in [
        ([1, 1, 1], [1025, 1, 1]),
        ([1, 1, 1], [32, 33, 1]),
        ([1, 1, 1], [1, 1, 65]),
        ([1, 1, 1], [0, 1, 1]),
        ([0, 1, 1], [1, 1, 1]),
        ([1, 65536, 1], [1, 1, 1]),
        ([1, 1, 65536], [1, 1, 1]),
        ([1 << 31, 1, 1], [1, 1, 1]),
    ] {
        assert_eq!(launch(shared, grid, block, 0), invalid, "grid {grid:?}, block {block:?}");
    }
    assert_eq!(launch(few, [1, 1, 1], [64, 1, 1], 0), CUresult::CUDA_SUCCESS);
    assert_eq!(launch(few, [1, 1, 1], [65, 1, 1], 0), invalid);

    let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    assert_eq!(launch(shared, [1, 1, 1], [1, 1, 1], 47 << 10), CUresult::CUDA_SUCCESS);
    assert_eq!(launch(shared, [1, 1, 1], [1, 1, 1], (47 << 10) + 1), invalid);
    succeed!(cuFuncSetAttribute(shared, attribute, 95 << 10));
    assert_eq!(launch(shared, [1, 1, 1], [1, 1, 1], 95 << 10), CUresult::CUDA_SUCCESS);
    fail! {
        cuFuncSetAttribute(shared, attribute, (95 << 10) + 1) => CUDA_ERROR_INVALID_VALUE,
        cuFuncSetAttribute(shared, attribute, -1) => CUDA_ERROR_INVALID_VALUE,
    }
    let value = |function, attribute| {
        let mut value = -1;
        succeed!(cuFuncGetAttribute(&raw mut value, attribute, function));
        value
    };
    assert_eq!(value(shared, attribute), 95 << 10);
    assert_eq!(value(shared, CUfunction_attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 1024);
    assert_eq!(value(few, CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 64);
    succeed!(cuCtxSynchronize());
    assert!(session.take_kinds().is_empty());
}

#[test]
fn occupancy() {
    let _session = Session::new(0);
    let module = load();
    let (add, shared, few) =
        (function(module, c"add"), function(module, c"shared"), function(module, c"few"));
    let blocks = |function, threads, dynamic| {
        let mut blocks: c_int = -1;
        succeed!(cuOccupancyMaxActiveBlocksPerMultiprocessor(&raw mut blocks, function, threads, dynamic));
        blocks
    };
    // 2048 threads, 32 blocks or 96 KiB of shared memory.
    assert_eq!((blocks(add, 256, 0), blocks(add, 33, 0), blocks(add, 32, 0)), (8, 32, 32));
    assert_eq!(blocks(add, 32, 32 << 10), 3);
    assert_eq!(blocks(shared, 32, 31 << 10), 3);
    assert_eq!(blocks(few, 65, 0), 0);
    let (mut grid, mut block) = (0, 0);
    succeed!(cuOccupancyMaxPotentialBlockSize(&raw mut grid, &raw mut block, add, None, 0, 0));
    assert_eq!((grid, block), (2 * 4, 1024), "two blocks on each of four multiprocessors");
    succeed!(cuOccupancyMaxPotentialBlockSize(&raw mut grid, &raw mut block, few, None, 0, 0));
    assert_eq!((grid, block), (32 * 4, 64));
}

#[test]
fn modules_functions_and_variables() {
    let session = Session::new(0);
    let module = load();
    let (mut address, mut bytes, mut found) = (0, 0, null_mut());
    succeed!(cuModuleGetGlobal_v2(&raw mut address, &raw mut bytes, module, c"answer".as_ptr()));
    assert_eq!((read(address), bytes), (Ok(42), 4));
    assert_eq!(session.context().leaks().len(), 1, "the module, but not its variable");
    let add = function(module, c"add");
    fail! {
        cuModuleGetGlobal_v2(&raw mut address, null_mut(), module, c"question".as_ptr()) => CUDA_ERROR_NOT_FOUND,
        cuModuleGetFunction(&raw mut found, module, c"subtract".as_ptr()) => CUDA_ERROR_NOT_FOUND,
        cuModuleGetFunction(&raw mut found, add.cast(), c"add".as_ptr()) => CUDA_ERROR_INVALID_HANDLE,
    }
    succeed!(cuModuleUnload(module));
    assert_eq!(launch(add, [1, 1, 1], [1, 1, 1], 0), CUresult::CUDA_ERROR_INVALID_HANDLE);
    fail!(cuModuleUnload(module) => CUDA_ERROR_INVALID_HANDLE);
    assert!(session.context().leaks().is_empty());
}

#[test]
fn a_text_that_is_not_ptx_is_refused_with_a_log() {
    let session = Session::new(0);
    let (mut module, mut log) = (null_mut(), [1u8; 32]);
    let mut options =
        [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values: [*mut c_void; 2] = [log.as_mut_ptr().cast(), std::ptr::without_provenance_mut(log.len())];
    fail! {
        cuModuleLoadDataEx(
            &raw mut module, c"__global__ void f() {}".as_ptr().cast(), 2, options.as_mut_ptr(), values.as_mut_ptr(),
        ) => CUDA_ERROR_INVALID_PTX,
        cuModuleLoadData(&raw mut module, c"\x7fELF".as_ptr().cast()) => CUDA_ERROR_NO_BINARY_FOR_GPU,
    }
    assert!(log.starts_with(b"invalid PTX"), "{}", String::from_utf8_lossy(&log));
    assert_eq!(log[31], 0, "a log that does not fit ends with a zero");
    assert_eq!(session.take_kinds(), ["InvalidPtx"]);
    // The context is not broken.
    load();
}
