//! Checks of arguments, with the errors that the real driver returns.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};
use std::thread;

use cudarc::driver::sys::{CUdevice_attribute, CUmemPool_attribute, CUpointer_attribute, CUresult};

use super::super::calls::*;
use super::{allocate, pinned, stream};
use crate::platform::context_handle;
use crate::testing::{MEMORY, Session, succeed};

/// Asserts the error of each call.
macro_rules! fail {
    ($($call:expr => $error:ident),+ $(,)?) => {$(
        // SAFETY: places are null where the call must find that out, and valid otherwise.
        assert_eq!(unsafe { $call }, CUresult::$error, "{}", stringify!($call));
    )+};
}
pub(super) use fail;

#[test]
fn null_pointers_and_sizes() {
    let _session = Session::new(0);
    let (mut address, mut host) = (0, null_mut());
    fail! {
        cuInit(1) => CUDA_ERROR_INVALID_VALUE,
        cuDriverGetVersion(null_mut()) => CUDA_ERROR_INVALID_VALUE,
        cuMemAlloc_v2(null_mut(), 4) => CUDA_ERROR_INVALID_VALUE,
        cuMemAlloc_v2(&raw mut address, 0) => CUDA_ERROR_INVALID_VALUE,
        cuMemAllocAsync(&raw mut address, 0, null_mut()) => CUDA_ERROR_INVALID_VALUE,
        cuMemHostAlloc(&raw mut host, 0, 0) => CUDA_ERROR_INVALID_VALUE,
        cuMemHostAlloc(&raw mut host, 4, 8) => CUDA_ERROR_INVALID_VALUE,
        cuMemAllocHost_v2(null_mut(), 4) => CUDA_ERROR_INVALID_VALUE,
        cuMemcpyHtoD_v2(0, null(), 4) => CUDA_ERROR_INVALID_VALUE,
        cuMemcpyDtoH_v2(null_mut(), 0, 4) => CUDA_ERROR_INVALID_VALUE,
        cuMemsetD32Async(2, 0, 1, null_mut()) => CUDA_ERROR_INVALID_VALUE,
        cuEventCreate(null_mut(), 0) => CUDA_ERROR_INVALID_VALUE,
        cuStreamCreate(null_mut(), 0) => CUDA_ERROR_INVALID_VALUE,
        cuModuleLoadData(null_mut(), c"".as_ptr().cast()) => CUDA_ERROR_INVALID_VALUE,
        cuMemHostRegister_v2(null_mut(), 4, 0) => CUDA_ERROR_INVALID_VALUE,
    }
    // A copy of nothing needs no memory.
    succeed!(cuMemcpyHtoD_v2(0, null(), 0), cuMemcpyDtoD_v2(0, 0, 0), cuMemsetD8_v2(0, 0, 0));
}

#[test]
fn handles_are_of_the_right_kind_device_and_time() {
    let session = Session::new(0);
    let stream = stream();
    fail! {
        cuEventSynchronize(stream.cast()) => CUDA_ERROR_INVALID_HANDLE,
        cuStreamSynchronize(3 as *mut _) => CUDA_ERROR_INVALID_HANDLE,
        cuStreamSynchronize(2 as *mut _) => CUDA_ERROR_NOT_SUPPORTED,
        cuStreamDestroy_v2(null_mut()) => CUDA_ERROR_INVALID_HANDLE,
        cuModuleUnload(stream.cast()) => CUDA_ERROR_INVALID_HANDLE,
        cuCtxSetCurrent(stream.cast()) => CUDA_ERROR_INVALID_CONTEXT,
        cuCtxSetCurrent(context_handle(1)) => CUDA_ERROR_INVALID_CONTEXT,
        cuDevicePrimaryCtxRelease_v2(1) => CUDA_ERROR_INVALID_CONTEXT,
    }
    let mut other = null_mut();
    succeed!(cuDevicePrimaryCtxRetain(&raw mut other, 1), cuCtxSetCurrent(other));
    fail!(cuStreamSynchronize(stream) => CUDA_ERROR_INVALID_HANDLE);
    let on_second = allocate(8);
    succeed!(cuMemFree_v2(on_second), cuDevicePrimaryCtxRelease_v2(1));
    fail!(cuCtxSynchronize() => CUDA_ERROR_CONTEXT_IS_DESTROYED);
    succeed!(cuCtxSetCurrent(context_handle(0)));
    let on_first = allocate(8);
    assert_ne!(on_first, on_second, "devices have their own addresses");
    succeed!(cuStreamDestroy_v2(stream));
    fail!(cuStreamSynchronize(stream) => CUDA_ERROR_INVALID_HANDLE);
    assert!(session.take_kinds().is_empty());
}

#[test]
fn a_context_must_be_current() {
    let _session = Session::new(0);
    let errors = thread::spawn(|| {
        let (mut address, mut context) = (0, null_mut());
        succeed!(cuCtxGetCurrent(&raw mut context));
        assert!(context.is_null());
        fail! {
            cuMemAlloc_v2(&raw mut address, 4) => CUDA_ERROR_INVALID_CONTEXT,
            cuCtxSynchronize() => CUDA_ERROR_INVALID_CONTEXT,
            cuStreamSynchronize(null_mut()) => CUDA_ERROR_INVALID_CONTEXT,
        }
    });
    errors.join().expect("the assertions hold");
}

#[test]
fn devices_and_their_attributes() {
    use CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_CAN_FLUSH_REMOTE_WRITES, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID,
        CU_DEVICE_ATTRIBUTE_WARP_SIZE,
    };
    let _session = Session::new(0);
    let (mut count, mut version, mut device, mut bytes) = (0, 0, -1, 0);
    succeed!(cuDeviceGetCount(&raw mut count), cuDriverGetVersion(&raw mut version));
    succeed!(cuDeviceGet(&raw mut device, 1), cuDeviceTotalMem_v2(&raw mut bytes, 1));
    assert_eq!((count, version, device, bytes), (2, 12090, 1, MEMORY as usize));
    fail!(cuDeviceGet(&raw mut device, 2) => CUDA_ERROR_INVALID_DEVICE);
    let mut name = [1 as c_char; 64];
    succeed!(cuDeviceGetName(name.as_mut_ptr(), 64, 0));
    // SAFETY: the name ends with a zero byte.
    assert_eq!(unsafe { CStr::from_ptr(name.as_ptr()) }, c"CUDA emulator (no GPU)");
    succeed!(cuDeviceGetName(name.as_mut_ptr(), 5, 0));
    // SAFETY: as above.
    assert_eq!(unsafe { CStr::from_ptr(name.as_ptr()) }, c"CUDA");
    let attribute = |attribute, device| {
        let mut value = -1;
        succeed!(cuDeviceGetAttribute(&raw mut value, attribute, device));
        value
    };
    assert_eq!(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0), 7);
    assert_eq!(attribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0), 32);
    assert_eq!(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 0), 49152);
    assert_ne!(attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 0), attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 1));
    fail! {
        cuDeviceGetAttribute(&raw mut count, CU_DEVICE_ATTRIBUTE_CAN_FLUSH_REMOTE_WRITES, 0)
            => CUDA_ERROR_INVALID_VALUE,
    }
    let mut uuids = [cudarc::driver::sys::CUuuid { bytes: [0; 16] }; 2];
    succeed!(cuDeviceGetUuid(&raw mut uuids[0], 0), cuDeviceGetUuid_v2(&raw mut uuids[1], 1));
    assert_ne!(uuids[0].bytes, uuids[1].bytes);
}

#[test]
fn memory_runs_out_and_comes_back() {
    let session = Session::new(0);
    let stream = stream();
    let (mut address, mut free, mut total) = (0, 0, 0);
    let first = super::allocate_on(stream, MEMORY as usize - 1024);
    fail!(cuMemAlloc_v2(&raw mut address, 2048) => CUDA_ERROR_OUT_OF_MEMORY);
    succeed!(cuMemGetInfo_v2(&raw mut free, &raw mut total));
    assert_eq!((free, total), (1024, MEMORY as usize));
    succeed!(cuMemFreeAsync(first, stream));
    // The queued free runs first.
    succeed!(cuMemAllocAsync(&raw mut address, 2048, stream), cuStreamSynchronize(stream));
    assert_eq!(session.context().memory.used(), 2048);
    assert_eq!(session.context().meter.allocations, 2, "one of three failed");
}

#[test]
fn pinned_memory_and_pointers() {
    use CUpointer_attribute::{CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_RANGE_SIZE};
    let _session = Session::new(0);
    let (device, host) = (allocate(64), pinned(4));
    let (mut kind, mut bytes) = (0u32, 0u64);
    succeed!(cuPointerGetAttribute((&raw mut kind).cast(), CU_POINTER_ATTRIBUTE_MEMORY_TYPE, device + 63));
    succeed!(cuPointerGetAttribute((&raw mut bytes).cast(), CU_POINTER_ATTRIBUTE_RANGE_SIZE, device + 63));
    assert_eq!((kind, bytes), (2, 64));
    let address = host.addr() as u64;
    succeed!(cuPointerGetAttribute((&raw mut kind).cast(), CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address));
    assert_eq!(kind, 1);
    let mut values = [0u32; 4];
    let place: *mut c_void = values.as_mut_ptr().cast();
    fail! {
        cuPointerGetAttribute((&raw mut kind).cast(), CU_POINTER_ATTRIBUTE_MEMORY_TYPE, place.addr() as u64)
            => CUDA_ERROR_INVALID_VALUE,
        cuMemFreeHost(place) => CUDA_ERROR_INVALID_VALUE,
        cuMemHostUnregister(host.cast()) => CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED,
        cuMemHostRegister_v2(host.cast(), 4, 0) => CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
        // Half of it is pinned.
        cuMemcpyHtoDAsync_v2(device, host.add(2).cast(), 16, null_mut()) => CUDA_ERROR_INVALID_VALUE,
    }
    succeed!(cuMemHostRegister_v2(place, 16, 0), cuMemHostUnregister(place), cuMemFreeHost(host.cast()));
    fail!(cuMemFreeHost(host.cast()) => CUDA_ERROR_INVALID_VALUE);
}

#[test]
fn the_memory_pool() {
    use CUmemPool_attribute::{
        CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC,
        CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
    };
    let session = Session::new(0);
    let (mut pool, mut address) = (null_mut(), 0);
    let (mut threshold, mut flag, mut used) = (u64::MAX, -1, 0u64);
    succeed!(cuDeviceGetDefaultMemPool(&raw mut pool, 0));
    succeed!(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, (&raw mut flag).cast()));
    succeed!(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut threshold).cast()));
    threshold = 0;
    succeed!(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut threshold).cast()));
    assert_eq!((threshold, flag), (u64::MAX, 1));
    succeed!(cuMemAllocFromPoolAsync(&raw mut address, 512, pool, null_mut()), cuCtxSynchronize());
    succeed!(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, (&raw mut used).cast()));
    assert_eq!(used, 512);
    succeed!(cuMemPoolTrimTo(pool, 0), cuDeviceGetMemPool(&raw mut pool, 1));
    fail! {
        cuMemAllocFromPoolAsync(&raw mut address, 512, pool, null_mut()) => CUDA_ERROR_INVALID_VALUE,
        cuMemAllocFromPoolAsync(&raw mut address, 512, null_mut(), null_mut()) => CUDA_ERROR_INVALID_VALUE,
    }
    assert!(session.take_kinds().is_empty());
}

#[test]
fn errors_have_names_and_descriptions() {
    let text = |call: unsafe extern "C" fn(CUresult, *mut *const c_char) -> CUresult, error| {
        let mut text = null();
        succeed!(call(error, &raw mut text));
        // SAFETY: the text ends with a zero byte and is never freed.
        unsafe { CStr::from_ptr(text) }
    };
    let error = CUresult::CUDA_ERROR_ILLEGAL_ADDRESS;
    assert_eq!(text(cuGetErrorName, error), c"CUDA_ERROR_ILLEGAL_ADDRESS");
    assert_eq!(text(cuGetErrorString, error), c"an illegal memory access was encountered");
    assert_eq!(text(cuGetErrorString, CUresult::CUDA_ERROR_TIMEOUT), c"CUDA_ERROR_TIMEOUT");
}
