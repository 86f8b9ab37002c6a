//! What runs when: streams, events, pinned memory, stream-ordered allocation.

use std::ptr::null_mut;

use cudarc::driver::sys::CUresult;

use super::super::calls::*;
use super::{allocate, allocate_on, event, pinned, read, stream};
use crate::testing::{Session, succeed};

/// Uploads on one stream and copies on across on another, with or without an event between them; in how many of
/// 40 seeds the checker finds a fault.
fn faults_of_two_streams(with_event: bool) -> usize {
    let is_faulty = |seed: &u64| {
        let session = Session::new(*seed);
        let (up, across, between) = (stream(), stream(), event());
        let (source, target, host) = (allocate(4), allocate(4), pinned(1));
        // SAFETY: pinned memory for one number.
        unsafe { host.write(7) };
        succeed!(cuMemcpyHtoDAsync_v2(source, host.cast(), 4, up));
        if with_event {
            succeed!(cuEventRecord(between, up), cuStreamWaitEvent(across, between, 0));
        }
        succeed!(cuMemcpyDtoDAsync_v2(target, source, 4, across));
        // SAFETY: a stream of this context.
        unsafe { cuStreamSynchronize(across) };
        let is_wrong = read(target) != Ok(7);
        let kinds = session.take_kinds();
        succeed!(cuMemFreeHost(host.cast()));
        assert_eq!(kinds, vec!["Uninitialized"; usize::from(is_wrong)]);
        is_wrong
    };
    (0..40).filter(is_faulty).count()
}

#[test]
fn a_missing_event_is_found_over_seeds() {
    let found = faults_of_two_streams(false);
    assert!((8..=32).contains(&found), "{found} of 40");
}

#[test]
fn with_the_event_all_is_well() {
    assert_eq!(faults_of_two_streams(true), 0);
}

#[test]
fn pinned_memory_is_read_when_the_copy_runs() {
    let _session = Session::new(0);
    let (stream, device, host) = (stream(), allocate(4), pinned(1));
    // SAFETY: pinned memory for one number.
    unsafe { host.write(1) };
    succeed!(cuMemcpyHtoDAsync_v2(device, host.cast(), 4, stream));
    // Too early: the copy has not run.
    // SAFETY: as above.
    unsafe { host.write(2) };
    succeed!(cuStreamSynchronize(stream));
    assert_eq!(read(device), Ok(2));

    let mut pageable = 3u32;
    succeed!(cuMemcpyHtoDAsync_v2(device, (&raw const pageable).cast(), 4, stream));
    pageable += 1;
    succeed!(cuStreamSynchronize(stream));
    assert_eq!((read(device), pageable), (Ok(3), 4));
    succeed!(cuMemFreeHost(host.cast()));
}

#[test]
fn an_asynchronous_copy_down_arrives_at_the_synchronisation() {
    let session = Session::new(0);
    let (stream, device, host) = (stream(), allocate(4), pinned(1));
    succeed!(cuMemsetD32Async(device, 9, 1, stream));
    succeed!(cuMemcpyDtoHAsync_v2(host.cast(), device, 4, stream));
    // SAFETY: pinned memory for one number.
    assert_eq!(unsafe { host.read() }, u32::MAX, "fresh pinned memory holds no number");
    assert_eq!(session.context().meter.synchronisations, 0);
    succeed!(cuStreamSynchronize(stream));
    // SAFETY: as above.
    assert_eq!(unsafe { host.read() }, 9);

    let mut pageable = 0u32;
    succeed!(cuMemcpyDtoHAsync_v2((&raw mut pageable).cast(), device, 4, stream));
    assert_eq!(pageable, 9, "a copy to pageable memory waits");
    assert_eq!(session.context().meter.synchronisations, 2);
    succeed!(cuMemFreeHost(host.cast()));
}

#[test]
fn pinned_memory_freed_too_early_is_a_fault() {
    let session = Session::new(0);
    let (stream, device, host) = (stream(), allocate(4), pinned(1));
    succeed!(cuMemcpyHtoDAsync_v2(device, host.cast(), 4, stream));
    succeed!(cuMemFreeHost(host.cast()));
    let faults = session.take_faults();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].kind, "UseAfterFree");
    assert_eq!(
        faults[0].message,
        "cuMemFreeHost: a queued cuMemcpyHtoDAsync still uses the 4 bytes of pinned memory"
    );
}

#[test]
fn stream_ordered_memory_lives_from_its_turn_to_its_end() {
    let session = Session::new(0);
    let (stream, other) = (stream(), stream());
    let address = allocate_on(stream, 256);
    assert_eq!(session.context().memory.used(), 0, "its turn has not come");
    succeed!(cuMemsetD32Async(address, 5, 64, stream));
    succeed!(cuMemFreeAsync(address, stream));
    let second = allocate_on(stream, 256);
    assert_ne!(second, address, "freed memory is not used again");
    succeed!(cuStreamSynchronize(stream));
    let meter = session.context().read_meter();
    assert_eq!((meter.memory_now, meter.memory_peak), (256, 256));
    assert!(session.take_kinds().is_empty());

    succeed!(cuMemsetD32Async(address, 5, 64, other));
    // SAFETY: a stream of this context.
    assert_eq!(unsafe { cuStreamSynchronize(other) }, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    assert_eq!(session.take_kinds(), ["UseAfterFree"]);
}

#[test]
fn use_on_another_stream_before_the_allocation_is_found() {
    let is_found = |seed: &u64| {
        let session = Session::new(*seed);
        let (owner, user) = (stream(), stream());
        let address = allocate_on(owner, 4);
        succeed!(cuMemsetD32Async(address, 5, 1, user));
        let kinds = session.take_kinds();
        assert!(kinds.is_empty() || kinds == ["IllegalAddress"], "{kinds:?}");
        !kinds.is_empty()
    };
    let found = (0..40).filter(is_found).count();
    assert!((8..=32).contains(&found), "{found} of 40");
}

#[test]
fn a_query_makes_progress() {
    let _session = Session::new(0);
    let (stream, device, reached) = (stream(), allocate(4), event());
    // SAFETY: handles of this context.
    let query = || unsafe { (cuStreamQuery(stream), cuEventQuery(reached)) };
    assert_eq!(query(), (CUresult::CUDA_SUCCESS, CUresult::CUDA_SUCCESS), "nothing was queued");
    for value in 0..3 {
        succeed!(cuMemsetD32Async(device, value, 1, stream));
    }
    succeed!(cuEventRecord(reached, stream));
    // SAFETY: handles of this context.
    assert_eq!(unsafe { cuStreamQuery(stream) }, CUresult::CUDA_ERROR_NOT_READY);
    let more = (0..10).take_while(|_| query().1 == CUresult::CUDA_ERROR_NOT_READY).count();
    assert!(more < 10, "the loop ends");
    assert_eq!(read(device), Ok(2));
}

#[test]
fn time_between_events_as_the_driver_tells_it() {
    let _session = Session::new(0);
    let (stream, start, end) = (stream(), event(), event());
    let mut untimed = null_mut();
    succeed!(cuEventCreate(&raw mut untimed, 2));
    let mut milliseconds = -1.0;
    // SAFETY: handles of this context.
    let elapsed = |milliseconds: &mut f32, end| unsafe { cuEventElapsedTime(milliseconds, start, end) };
    assert_eq!(elapsed(&mut milliseconds, end), CUresult::CUDA_ERROR_INVALID_HANDLE, "never recorded");
    succeed!(cuEventRecord(start, stream), cuEventRecord(end, stream), cuEventRecord(untimed, stream));
    assert_eq!(elapsed(&mut milliseconds, end), CUresult::CUDA_ERROR_NOT_READY);
    succeed!(cuEventSynchronize(end));
    assert_eq!(elapsed(&mut milliseconds, end), CUresult::CUDA_SUCCESS);
    assert!(milliseconds >= 0.0);
    assert_eq!(elapsed(&mut milliseconds, untimed), CUresult::CUDA_ERROR_INVALID_HANDLE);
}

#[test]
fn a_long_queue_runs_by_itself() {
    let session = Session::new(0);
    let (stream, device) = (stream(), allocate(4));
    for value in 0..4096 {
        succeed!(cuMemsetD32Async(device, value, 1, stream));
    }
    assert_eq!(session.context().scheduler.pending(), 0);
    assert_eq!(read(device), Ok(4095));
}
