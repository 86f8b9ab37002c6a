//! Hostile input for everything of BackDrop that reads what comes from outside.
//!
//! A [`Target`] is a function of any bytes, which must come back: without a panic or a crash, within
//! [`TIME`] and [`MEMORY`], and with what it promises of its input held. [`targets::TARGETS`] is the
//! table of them. The program `backdrop-fuzz` runs them on changed inputs for some time
//! ([`engine`]), and the tests of this crate on the inputs in `corpus/` and `regressions/`.
//!
//! Nothing but `cargo` is needed. `fuzz/with-coverage` builds the same program so that it learns which
//! inputs reach new code ([`coverage`]).

pub mod corpus;
pub mod coverage;
pub mod engine;
pub mod memory;
pub mod mutate;
pub mod random;
pub mod scratch;
pub mod seeds;
pub mod targets;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use memory::{Cost, cost_of};
pub use targets::Target;

/// The most memory that any input may cost, in bytes. Inputs are a thousand times smaller.
pub const MEMORY: usize = 256 << 20;
/// The most time of the processor that any input may cost.
pub const TIME: Duration = Duration::from_secs(3);

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// What is wrong with what a target did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// The same for all failures that are probably of one cause: what was said, without its numbers.
    #[must_use]
    pub fn signature(&self) -> String {
        self.0.chars().filter(char::is_ascii_alphabetic).take(80).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the last panic said, and where.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Whether a target runs.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Keeps panics of targets from being printed: they are results here.
fn collect_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !RUNNING.load(Relaxed) {
                return usual(info);
            }
            *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string().replace('\n', " ");
        }));
    });
}

impl Target {
    /// Runs the target on an input, and says what it took.
    ///
    /// # Errors
    /// The failure, if the target panics or takes too much. (A crash of C code, or a request for
    /// memory without any measure, ends the process.)
    pub fn check(&self, input: &[u8]) -> Result<Cost, Failure> {
        collect_panics();
        RUNNING.store(true, Relaxed);
        let (result, cost) = cost_of(|| catch_unwind(AssertUnwindSafe(|| (self.run)(input))));
        RUNNING.store(false, Relaxed);
        if result.is_err() {
            return Err(Failure(PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()));
        }
        let memory = cost.allocated.max(cost.resident);
        if memory > MEMORY {
            return Err(Failure(format!("{} MB of memory", memory >> 20)));
        }
        if cost.time > TIME {
            return Err(Failure(format!("{:.1} s", cost.time.as_secs_f64())));
        }
        Ok(cost)
    }
}
