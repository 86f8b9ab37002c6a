//! Pinned host memory: what the device may read and write while the host goes on.

#![expect(unsafe_code, reason = "pinned memory is given out as raw pointers")]

use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::ptr::with_exposed_provenance_mut;

/// Pinned memory starts at a page.
const PAGE: usize = 4096;
/// New memory holds this in every byte (a NaN as `f32` or `f64`): the manual promises no contents.
const FRESH: u8 = 0xff;

/// A range of host memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: usize,
    pub(crate) bytes: usize,
}

impl Range {
    /// Whether the ranges share a byte.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.start < other.start.saturating_add(other.bytes)
            && other.start < self.start.saturating_add(self.bytes)
    }

    fn contains(self, other: Self) -> bool {
        self.start <= other.start
            && other.start.saturating_add(other.bytes) <= self.start.saturating_add(self.bytes)
    }
}

#[derive(Debug)]
struct Pin {
    bytes: usize,
    /// Allocated here, not only registered.
    owned: bool,
    label: String,
}

/// How a range of host memory lies to the pinned ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    Pageable,
    Pinned,
    /// Partly pinned: an error.
    Straddling,
}

/// All pinned ranges of a context.
#[derive(Debug, Default)]
pub(crate) struct PinnedMemory {
    pins: BTreeMap<usize, Pin>,
}

impl PinnedMemory {
    /// New pinned memory, or `None` if the host has no room.
    pub(crate) fn allocate(&mut self, bytes: usize, label: String) -> Option<*mut u8> {
        let layout = Layout::from_size_align(bytes, PAGE).ok().filter(|layout| layout.size() > 0)?;
        // SAFETY: the layout's size is not zero.
        let pointer = unsafe { alloc(layout) };
        if pointer.is_null() {
            return None;
        }
        // SAFETY: the allocation has this many bytes.
        unsafe { pointer.write_bytes(FRESH, bytes) };
        self.pins.insert(pointer.expose_provenance(), Pin { bytes, owned: true, label });
        Some(pointer)
    }

    /// Pins memory that the program owns; false if a part of it is pinned already.
    pub(crate) fn register(&mut self, range: Range, label: String) -> bool {
        if self.placement(range) != Placement::Pageable {
            return false;
        }
        self.pins.insert(range.start, Pin { bytes: range.bytes, owned: false, label });
        true
    }

    /// The range that was allocated or registered (as `owned` says) at `start`.
    pub(crate) fn range(&self, start: usize, owned: bool) -> Option<Range> {
        let pin = self.pins.get(&start).filter(|pin| pin.owned == owned)?;
        Some(Range { start, bytes: pin.bytes })
    }

    /// Frees or unregisters the range that starts at `start`. Nothing queued may use it any more.
    pub(crate) fn remove(&mut self, start: usize) {
        if let Some(pin) = self.pins.remove(&start).filter(|pin| pin.owned) {
            let layout = Layout::from_size_align(pin.bytes, PAGE).expect("the layout it was allocated with");
            // SAFETY: allocated in `allocate` with this layout, and removed from the table, so freed once.
            unsafe { dealloc(with_exposed_provenance_mut(start), layout) };
        }
    }

    /// Whether a range is pinned.
    pub(crate) fn placement(&self, range: Range) -> Placement {
        let before = self.pins.range(..range.start.saturating_add(range.bytes.max(1))).next_back();
        let Some(pin) = before.map(|(start, pin)| Range { start: *start, bytes: pin.bytes }) else {
            return Placement::Pageable;
        };
        if pin.contains(range) {
            Placement::Pinned
        } else if pin.overlaps(range) {
            Placement::Straddling
        } else {
            Placement::Pageable
        }
    }

    /// Start and size of the pinned range that contains an address.
    pub(crate) fn containing(&self, address: usize) -> Option<Range> {
        let (start, pin) = self.pins.range(..=address).next_back()?;
        let range = Range { start: *start, bytes: pin.bytes };
        range.contains(Range { start: address, bytes: 1 }).then_some(range)
    }

    /// Bytes and label of every pinned range.
    pub(crate) fn live(&self) -> impl Iterator<Item = (u64, &str)> {
        self.pins.values().map(|pin| (pin.bytes as u64, pin.label.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::{PinnedMemory, Placement, Range};

    #[test]
    fn ranges_are_pinned_pageable_or_both() {
        let mut pinned = PinnedMemory::default();
        assert_eq!(pinned.allocate(0, String::new()), None);
        let start = pinned.allocate(100, "a".into()).expect("room for 100 bytes").addr();
        let place = |start, bytes| pinned.placement(Range { start, bytes });
        assert_eq!(place(start, 100), Placement::Pinned);
        assert_eq!(place(start + 90, 10), Placement::Pinned);
        assert_eq!(place(start + 90, 11), Placement::Straddling);
        assert_eq!(place(start - 1, 2), Placement::Straddling);
        assert_eq!(place(start - 1, 1), Placement::Pageable);
        assert_eq!(place(start + 100, 8), Placement::Pageable);
        assert_eq!(pinned.range(start, true), Some(Range { start, bytes: 100 }));
        assert_eq!(pinned.range(start, false), None);
        assert_eq!(pinned.containing(start + 99), Some(Range { start, bytes: 100 }));
        assert!(!pinned.register(Range { start: start + 50, bytes: 100 }, String::new()));
        pinned.remove(start);
        assert!(pinned.register(Range { start: start + 50, bytes: 100 }, "b".into()));
        assert_eq!(pinned.live().collect::<Vec<_>>(), [(100, "b")]);
        pinned.remove(start + 50);
        assert_eq!(pinned.live().count(), 0);
    }
}
