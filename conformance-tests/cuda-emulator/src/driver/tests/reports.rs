//! Faults, leaks and the meter, as a test reads them.

use std::ffi::c_char;
use std::ptr::null_mut;

use cudarc::driver::sys::CUresult;
use serde::de::DeserializeOwned;

use super::super::calls::*;
use super::arguments::fail;
use super::{allocate, allocate_on, event, pinned, stream};
use crate::exports::guard;
use crate::meter::{CopyMeter, Meter};
use crate::report::{
    FaultReport, Leak, cuda_emulator_faults_json, cuda_emulator_leaks_json, cuda_emulator_meter_json,
};
use crate::testing::{Session, succeed};

fn json<T: DeserializeOwned>(call: unsafe extern "C" fn(*mut c_char, usize) -> usize) -> T {
    // SAFETY: a null buffer asks for the length.
    let length = unsafe { call(null_mut(), 0) };
    let mut text = vec![0u8; length];
    // SAFETY: the buffer has that length.
    assert_eq!(unsafe { call(text.as_mut_ptr().cast(), length) }, length);
    serde_json::from_slice(&text).expect("valid JSON")
}

#[test]
fn an_error_stays_until_the_faults_are_taken() {
    let _session = Session::new(0);
    let (stream, device, other) = (stream(), allocate(8), allocate(8));
    succeed!(cuMemsetD8Async(device, 1, 9, stream));
    let (mut address, mut handle) = (0, null_mut());
    fail! {
        cuStreamSynchronize(stream) => CUDA_ERROR_ILLEGAL_ADDRESS,
        cuMemAlloc_v2(&raw mut address, 8) => CUDA_ERROR_ILLEGAL_ADDRESS,
        cuMemsetD8Async(device, 1, 8, stream) => CUDA_ERROR_ILLEGAL_ADDRESS,
        cuCtxSynchronize() => CUDA_ERROR_ILLEGAL_ADDRESS,
        cuEventCreate(&raw mut handle, 0) => CUDA_ERROR_ILLEGAL_ADDRESS,
        // It is freed all the same.
        cuMemFree_v2(other) => CUDA_ERROR_ILLEGAL_ADDRESS,
    }
    let faults: Vec<FaultReport> = json(cuda_emulator_faults_json);
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].kind.as_str(), faults[0].device, faults[0].seed), ("IllegalAddress", 0, 1));
    let message = &faults[0].message;
    assert!(message.starts_with(&format!("cuMemsetD8Async: 9 bytes at {device:#x}")), "{message}");
    assert!(message.contains("cuMemAlloc #"), "{message}");
    assert_eq!(json::<Vec<FaultReport>>(cuda_emulator_faults_json), []);
    succeed!(cuMemsetD8Async(device, 1, 8, stream), cuStreamSynchronize(stream), cuMemFree_v2(device));
}

#[test]
fn work_after_a_fault_is_dropped_but_memory_is_not_lost() {
    let session = Session::new(0);
    let (stream, device) = (stream(), allocate(8));
    let temporary = allocate_on(stream, 8);
    succeed!(cuMemsetD8Async(temporary, 1, 16, stream), cuMemsetD8Async(device, 1, 8, stream));
    succeed!(cuMemFreeAsync(temporary, stream));
    fail!(cuStreamSynchronize(stream) => CUDA_ERROR_ILLEGAL_ADDRESS);
    assert_eq!(session.take_kinds(), ["IllegalAddress"]);
    assert_eq!(session.context().memory.used(), 8, "the free still ran");
    assert_eq!(super::read(device), Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS), "the second set did not");
    assert_eq!(session.take_kinds(), ["Uninitialized"]);
}

#[test]
fn memory_freed_twice_is_found() {
    let session = Session::new(0);
    let (stream, first, second) = (stream(), allocate(8), allocate(8));
    succeed!(cuMemFree_v2(first));
    fail! {
        cuMemFree_v2(first) => CUDA_ERROR_INVALID_VALUE,
        cuMemFree_v2(second + 4) => CUDA_ERROR_INVALID_VALUE,
    }
    assert_eq!(session.take_kinds(), ["DoubleFree", "IllegalAddress"]);
    succeed!(cuMemFreeAsync(second, stream), cuMemFreeAsync(second, stream));
    fail!(cuStreamSynchronize(stream) => CUDA_ERROR_INVALID_VALUE);
    assert_eq!(session.take_kinds(), ["DoubleFree"]);
}

#[test]
fn leaks_are_listed_with_the_call_that_made_them() {
    let _session = Session::new(0);
    assert_eq!(json::<Vec<Leak>>(cuda_emulator_leaks_json), []);
    let (stream, event, device, host) = (stream(), event(), allocate(100), pinned(5));
    let queued = allocate_on(stream, 40);
    let leaks: Vec<Leak> = json(cuda_emulator_leaks_json);
    let found: Vec<_> = leaks
        .iter()
        .map(|leak| (leak.what.as_str(), leak.bytes, leak.label.split(" #").next().unwrap_or_default()))
        .collect();
    let expected = [
        ("device memory", 100, "cuMemAlloc"),
        ("device memory", 40, "cuMemAllocAsync"),
        ("pinned memory", 20, "cuMemHostAlloc"),
        ("stream", 0, "cuStreamCreate"),
        ("event", 0, "cuEventCreate"),
    ];
    assert_eq!(found, expected);
    succeed!(cuMemFreeAsync(queued, stream), cuMemFree_v2(device), cuMemFreeHost(host.cast()));
    succeed!(cuEventDestroy_v2(event), cuStreamDestroy_v2(stream));
    assert_eq!(json::<Vec<Leak>>(cuda_emulator_leaks_json), []);
}

#[test]
fn the_meter_counts_copies_and_waits() {
    let _session = Session::new(0);
    let (stream, device, host) = (stream(), allocate(64), pinned(16));
    succeed!(cuMemsetD32Async(device, 1, 16, stream), cuMemcpyDtoHAsync_v2(host.cast(), device, 64, stream));
    succeed!(cuStreamSynchronize(stream), cuMemcpyHtoDAsync_v2(device, host.cast(), 32, stream));
    succeed!(cuMemcpyDtoDAsync_v2(device + 32, device, 16, stream), cuCtxSynchronize());
    let second = allocate(32);
    succeed!(cuMemcpyHtoD_v2(second, host.cast(), 8), cuMemFree_v2(second));
    let meters: Vec<Meter> = json(cuda_emulator_meter_json);
    assert_eq!(meters.len(), 2, "one a device");
    let expected = Meter {
        up: CopyMeter { copies: 2, bytes: 40 },
        down: CopyMeter { copies: 1, bytes: 64 },
        across: CopyMeter { copies: 1, bytes: 16 },
        fills: CopyMeter { copies: 1, bytes: 64 },
        synchronisations: 4,
        allocations: 2,
        memory_now: 64,
        memory_peak: 96,
        ..Meter::default()
    };
    assert_eq!(meters[0], expected);
    assert_eq!(meters[1], Meter::default());
    succeed!(cuMemFreeHost(host.cast()));
}

#[test]
fn a_panic_does_not_leave_the_library() {
    // SAFETY: the body uses no pointers.
    let status: CUresult = unsafe { guard("cuTest", || panic!("on purpose, by a test")) };
    assert_eq!(status, CUresult::CUDA_ERROR_UNKNOWN);
}
