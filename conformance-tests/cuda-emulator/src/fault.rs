//! What the checker found wrong: the kind of fault and one line that names the place.
//!
//! The kinds are those that NVIDIA's `compute-sanitizer` reports (memcheck, initcheck, synccheck, racecheck;
//! <https://docs.nvidia.com/compute-sanitizer/>), with those of the emulator itself added.

use std::fmt;

/// The kind of a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// An access outside every live allocation, or that crosses the end of one.
    IllegalAddress,
    /// An address that is not a multiple of the size of the access.
    Misaligned,
    /// A read of bytes that nothing wrote.
    Uninitialized,
    /// A barrier or a warp instruction that not all of the threads it waits for reach.
    BarrierDivergence,
    /// Two threads touch the same byte of shared memory, one of them writes, and no barrier lies between.
    Race,
    /// An instruction, modifier, directive or launch that the emulator does not know.
    Unsupported,
    /// A text that is not PTX.
    InvalidPtx,
    /// An access to memory that was freed.
    UseAfterFree,
    /// A second free of the same memory.
    DoubleFree,
    /// The kernel executed `trap` (a failed `assert`, for one).
    Trap,
    /// The kernel executed more instructions than a block may.
    Limit,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IllegalAddress => "illegal address",
            Self::Misaligned => "misaligned address",
            Self::Uninitialized => "read of unwritten memory",
            Self::BarrierDivergence => "divergent barrier",
            Self::Race => "data race",
            Self::Unsupported => "unsupported",
            Self::InvalidPtx => "invalid PTX",
            Self::UseAfterFree => "use after free",
            Self::DoubleFree => "double free",
            Self::Trap => "trap",
            Self::Limit => "instruction limit",
        })
    }
}

/// An error of the program that runs on the emulated device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of error it is.
    pub kind: FaultKind,
    /// One line: kernel, block, thread, instruction, address and nearest allocation, as far as they are known.
    pub message: String,
}

impl Fault {
    /// A fault of the given kind.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Fault {}
