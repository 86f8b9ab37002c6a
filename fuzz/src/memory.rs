//! What an execution costs: bytes asked for at a time, memory really used, and time of the processor.
#![expect(unsafe_code, reason = "an allocator, and a question to the operating system")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// More than this is not given: the process then ends with what it asked for. Nothing that may ask
/// for less can harm the machine.
const MOST: usize = 2 << 30;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting.
#[derive(Debug, Clone, Copy)]
pub struct Counting;

impl Counting {
    /// Counts `size` bytes; whether they may be had.
    fn take(size: usize) -> bool {
        let live = LIVE.fetch_add(size, Relaxed).saturating_add(size);
        PEAK.fetch_max(live, Relaxed);
        if live > MOST {
            LIVE.fetch_sub(size, Relaxed);
        }
        live <= MOST
    }
}

// SAFETY: all blocks are the system allocator's; a null pointer is how an allocator refuses.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises that are passed on.
        if Self::take(layout.size()) { unsafe { System.alloc(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        if Self::take(layout.size()) { unsafe { System.alloc_zeroed(layout) } } else { std::ptr::null_mut() }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !Self::take(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        let new = unsafe { System.realloc(block, layout, size) };
        LIVE.fetch_sub(if new.is_null() { size } else { layout.size() }, Relaxed);
        new
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) };
    }
}

/// What an execution took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// The most bytes that were allocated at a time by Rust, beyond those before.
    pub allocated: usize,
    /// By how many bytes the most memory that the process ever really had has grown. This counts what
    /// C allocates, too.
    pub resident: usize,
    /// Time of the processor.
    pub time: Duration,
}

/// Runs something; says what it gives and took.
pub fn cost_of<T>(run: impl FnOnce() -> T) -> (T, Cost) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let (time_before, resident_before) = usage();
    let value = run();
    let (time, resident) = usage();
    let allocated = PEAK.load(Relaxed).saturating_sub(before);
    let resident = resident.saturating_sub(resident_before);
    (value, Cost { allocated, resident, time: time.saturating_sub(time_before) })
}

/// Time of the processor that this process has had.
#[must_use]
pub fn time() -> Duration {
    usage().0
}

/// Time of the processor, and the most bytes of memory, that the process has had.
fn usage() -> (Duration, usize) {
    // SAFETY: a structure of integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the address of such a structure.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    // Linux counts kibibytes here, macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    (time(usage.ru_utime) + time(usage.ru_stime), usage.ru_maxrss.unsigned_abs() as usize * unit)
}
