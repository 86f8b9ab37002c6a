//! Which parts of the code an input reaches, if the compiler was told to count.
//!
//! LLVM's SanitizerCoverage increments a byte at each edge of the control flow, and announces the
//! bytes of each object file before `main` by the functions below. `fuzz/with-coverage` builds so.
//! Without it there are no bytes, and what an input says when it fails has to do.
#![expect(unsafe_code, reason = "the other end of SanitizerCoverage")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// First and last (exclusive) addresses of counters.
static COUNTERS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Called by each object file that was compiled so.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, end: *mut u8) {
    let mut counters = COUNTERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let range = (start as usize, end as usize);
    if range.0 < range.1 && !counters.contains(&range) {
        counters.push(range);
    }
}

/// Called by each object file that was compiled so; which code the counters are of is not asked.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_pcs_init(_start: *const usize, _end: *const usize) {}

/// Counts for code in C, which GCC can only make call a function at each edge.
static C_COUNTERS: [AtomicU8; 1 << 15] = [const { AtomicU8::new(0) }; 1 << 15];

/// Called at each edge of code in C that was compiled so: passes on where that is.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn __sanitizer_cov_trace_pc() {
    std::arch::naked_asm!("mov rdi, [rsp]", "jmp {count}", count = sym count);
}

/// Counts the edge at an address.
#[cfg(target_arch = "x86_64")]
extern "C" fn count(address: usize) {
    let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49;
    C_COUNTERS[hash as usize].fetch_add(1, Relaxed);
}

/// What all inputs so far have reached.
#[derive(Debug)]
pub struct Coverage {
    counters: Vec<(usize, usize)>,
    /// For each counter the powers of two that it had.
    seen: Vec<u8>,
    reached: usize,
}

impl Coverage {
    /// Nothing reached yet, or `None` if nobody counts.
    pub fn new() -> Option<Self> {
        let counters = COUNTERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let length: usize = counters.iter().map(|&(start, end)| end - start).sum();
        let seen = vec![0; length + C_COUNTERS.len()];
        (length > 0).then_some(Self { counters, seen, reached: 0 })
    }

    /// How many edges were reached by any input.
    pub fn reached(&self) -> usize {
        self.reached
    }

    /// Forgets what was counted.
    pub fn forget(&mut self) {
        self.each(|_, _| {});
    }

    /// Takes what was counted, sets all counters to zero, and says whether any was new.
    pub fn collect(&mut self) -> bool {
        let (mut new, mut reached) = (false, 0);
        let mut seen = std::mem::take(&mut self.seen);
        self.each(|place, count| {
            let bit = 1 << count.ilog2();
            if seen[place] & bit == 0 {
                reached += usize::from(seen[place] == 0);
                seen[place] |= bit;
                new = true;
            }
        });
        self.seen = seen;
        self.reached += reached;
        new
    }

    /// Shows all counters that are not zero, and sets them to zero.
    fn each(&mut self, mut show: impl FnMut(usize, u8)) {
        const WORD: usize = 16;
        let mut offset = 0;
        for &(start, end) in &self.counters {
            let length = end - start;
            // SAFETY: the object files that announced these bytes stay loaded, and nothing else refers
            // to them. Threads that count at this moment may lose a count, as they may among themselves.
            let counters = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, length) };
            for (word, counters) in counters.chunks_mut(WORD).enumerate() {
                if counters == &[0; WORD][..counters.len()] {
                    continue;
                }
                for (place, counter) in counters.iter_mut().enumerate().filter(|(_, counter)| **counter > 0) {
                    show(offset + word * WORD + place, *counter);
                    *counter = 0;
                }
            }
            offset += length;
        }
        for (place, counter) in C_COUNTERS.iter().enumerate() {
            if counter.load(Relaxed) > 0 {
                show(offset + place, counter.swap(0, Relaxed));
            }
        }
    }
}
