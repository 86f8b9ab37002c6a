//! One allocation: its bytes and, for each byte, whether anything wrote it.
//!
//! The bytes are raw memory, not a Rust slice: the blocks of a launch access them from several threads, as the
//! blocks of a kernel do on a device.

#![expect(unsafe_code, reason = "device memory is shared between threads without borrows")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::fault::{Fault, FaultKind};

/// A zeroed block of host memory that is accessed by offset.
#[derive(Debug)]
pub(crate) struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the block owns its memory, and all access to it goes through methods that copy bytes by raw
// pointers; a kernel that races with itself gets unspecified values, as it would on a device.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// `bytes` zeros, or `None` if the host has not that much memory.
    pub(crate) fn zeroed(bytes: usize) -> Option<Self> {
        let layout = Layout::from_size_align(bytes.max(1), 256).ok()?;
        // SAFETY: the layout's size is at least one.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }

    /// The pointer to the byte at `offset`, of which `bytes` bytes may be accessed.
    #[inline(always)]
    pub(crate) fn at(&self, offset: usize, bytes: usize) -> *mut u8 {
        let end = offset.checked_add(bytes);
        assert!(end.is_some_and(|end| end <= self.layout.size()), "offset inside the block");
        // SAFETY: the offset is at most the size of the block, checked above.
        unsafe { self.start.as_ptr().add(offset) }
    }

    /// Whether all of the range is nonzero.
    #[inline(always)]
    pub(crate) fn all_set(&self, offset: usize, bytes: usize) -> bool {
        // SAFETY: `at` checked the range; the reference does not outlive this call.
        let range = unsafe { std::slice::from_raw_parts(self.at(offset, bytes), bytes) };
        // The flags are 0 or 1: a running minimum vectorises, a search with an early exit does not.
        range.iter().fold(1, |all, &flag| all & flag) == 1
    }

    /// Sets all of the range to `value`.
    #[inline(always)]
    pub(crate) fn set(&self, offset: usize, bytes: usize, value: u8) {
        // SAFETY: `at` checked the range.
        unsafe { self.at(offset, bytes).write_bytes(value, bytes) }
    }

    /// Copies `into.len()` bytes from `offset`.
    #[inline(always)]
    pub(crate) fn read(&self, offset: usize, into: &mut [u8]) {
        // SAFETY: `at` checked the range, and a borrowed slice never overlaps the block.
        unsafe { into.as_mut_ptr().copy_from_nonoverlapping(self.at(offset, into.len()), into.len()) }
    }

    /// Copies `data` to `offset`.
    #[inline(always)]
    pub(crate) fn write(&self, offset: usize, data: &[u8]) {
        // SAFETY: `at` checked the range, and a borrowed slice never overlaps the block.
        unsafe { self.at(offset, data.len()).copy_from_nonoverlapping(data.as_ptr(), data.len()) }
    }

    /// Copies `bytes` bytes from another block, which may be this one.
    pub(crate) fn copy_from(&self, offset: usize, source: &Self, from: usize, bytes: usize) {
        // SAFETY: `at` checked both ranges, and `copy_from` allows them to overlap.
        unsafe { self.at(offset, bytes).copy_from(source.at(from, bytes), bytes) }
    }

    /// Replaces the word at `offset` by `update` of it, atomically, and gives the old word.
    pub(crate) fn update_u32(&self, offset: usize, update: impl Fn(u32) -> u32) -> u32 {
        assert!(offset.is_multiple_of(4), "an aligned word");
        // SAFETY: the block is aligned to 256 bytes and the offset to the word's size; `at` checked the range.
        let word = unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) };
        word.update(Ordering::Relaxed, Ordering::Relaxed, update)
    }

    /// Replaces the word at `offset` by `update` of it, atomically, and gives the old word.
    pub(crate) fn update_u64(&self, offset: usize, update: impl Fn(u64) -> u64) -> u64 {
        assert!(offset.is_multiple_of(8), "an aligned word");
        // SAFETY: the block is aligned to 256 bytes and the offset to the word's size; `at` checked the range.
        let word = unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) };
        word.update(Ordering::Relaxed, Ordering::Relaxed, update)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// A live range of device addresses.
#[derive(Debug)]
pub(crate) struct Allocation {
    address: u64,
    bytes: u64,
    label: Arc<str>,
    data: Block,
    written: Block,
}

impl Allocation {
    /// `None` if the host has not that much memory.
    pub(crate) fn new(address: u64, bytes: u64, label: &str) -> Option<Self> {
        let size = usize::try_from(bytes).ok()?;
        let (data, written) = (Block::zeroed(size)?, Block::zeroed(size)?);
        Some(Self { address, bytes, label: label.into(), data, written })
    }

    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn label(&self) -> &Arc<str> {
        &self.label
    }

    pub(crate) fn data(&self) -> &Block {
        &self.data
    }

    /// One byte a byte of [`Allocation::data`]: 1 once it was written.
    pub(crate) fn written(&self) -> &Block {
        &self.written
    }

    /// Whether the range lies in the allocation.
    #[inline(always)]
    pub(crate) fn contains(&self, address: u64, bytes: u64) -> bool {
        // An address below the start wraps to an offset past any end.
        let offset = address.wrapping_sub(self.address);
        offset < self.bytes && bytes <= self.bytes - offset
    }

    pub(crate) fn write(&self, offset: usize, data: &[u8]) {
        self.data.write(offset, data);
        self.mark_written(offset, data.len());
    }

    pub(crate) fn read(&self, offset: usize, into: &mut [u8]) {
        self.data.read(offset, into);
    }

    pub(crate) fn mark_written(&self, offset: usize, bytes: usize) {
        self.written.set(offset, bytes, 1);
    }

    pub(crate) fn copy_from(&self, offset: usize, source: &Self, from: usize, bytes: usize) {
        self.data.copy_from(offset, &source.data, from, bytes);
        self.written.copy_from(offset, &source.written, from, bytes);
    }

    pub(crate) fn host_pointer(&self, offset: usize) -> *mut u8 {
        self.data.at(offset, 0)
    }

    /// A fault that names the first byte of the range that nothing wrote.
    pub(crate) fn check_written(&self, offset: usize, bytes: usize) -> Result<(), Fault> {
        if self.written.all_set(offset, bytes) {
            return Ok(());
        }
        let first = (0..bytes).find(|&index| !self.written.all_set(offset + index, 1)).unwrap_or(0);
        let message = format!(
            "{bytes} bytes at {:#x}: nothing wrote byte {} of the {} bytes at {:#x} ({})",
            self.address + offset as u64,
            offset + first,
            self.bytes,
            self.address,
            self.label
        );
        Err(Fault::new(FaultKind::Uninitialized, message))
    }
}
