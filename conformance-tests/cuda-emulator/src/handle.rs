//! Handles: opaque pointers that name a thing of a device.
//!
//! A handle is a number in the shape of a pointer: its kind, its device and its serial number. It lies outside
//! what a program can map, so that a program which follows it is stopped by the processor, and a handle of
//! another kind or a stale one is recognised.

use std::ptr::without_provenance_mut;

/// What a handle names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Context = 0xa1,
    Stream,
    Event,
    Module,
    Function,
    Pool,
    Blas,
    Solver,
}

const KIND_SHIFT: u32 = 56;
const DEVICE_SHIFT: u32 = 48;
const NUMBER_MASK: u64 = (1 << DEVICE_SHIFT) - 1;

/// The handle of the thing with this number on a device (below 256).
pub(crate) fn pack<T>(kind: Kind, device: usize, number: u64) -> *mut T {
    let bits = (kind as u64) << KIND_SHIFT | (device as u64 & 0xff) << DEVICE_SHIFT | number & NUMBER_MASK;
    without_provenance_mut(bits as usize)
}

/// Device and number in a handle of this kind; `None` for any other pointer.
pub(crate) fn unpack<T>(handle: *mut T, kind: Kind) -> Option<(usize, u64)> {
    let bits = handle.addr() as u64;
    let device = (bits >> DEVICE_SHIFT & 0xff) as usize;
    (bits >> KIND_SHIFT == kind as u64).then_some((device, bits & NUMBER_MASK))
}

#[cfg(test)]
mod tests {
    use super::{Kind, pack, unpack};

    #[test]
    fn a_handle_names_kind_device_and_number() {
        let handle: *mut u8 = pack(Kind::Event, 3, 77);
        assert_eq!(unpack(handle, Kind::Event), Some((3, 77)));
        assert_eq!(unpack(handle, Kind::Stream), None);
        assert_eq!(unpack(std::ptr::null_mut::<u8>(), Kind::Event), None);
    }
}
