//! Work that waits in a stream, and how it is executed.

#![expect(unsafe_code, reason = "copies read and write the memory of the host program")]

use std::ptr::with_exposed_provenance_mut;
use std::slice;
use std::sync::Arc;

use crate::fault::{Fault, FaultKind};
use crate::host::Range;
use crate::interpreter::{self, Counts, Launch};
use crate::memory::Memory;
use crate::ptx::Module;

/// A call of cuBLAS or cuSOLVER, without its arguments.
pub(crate) type LibraryCall = Box<dyn FnOnce(&Memory) -> Result<(), Fault> + Send>;

/// What an operation does when its turn has come.
pub(crate) enum Work {
    Launch {
        module: Arc<Module>,
        kernel: String,
        launch: Launch,
    },
    /// To the device, of bytes that were taken at the call.
    UpStaged {
        data: Vec<u8>,
        to: u64,
    },
    /// To the device, of what the host memory then holds.
    Up {
        from: Range,
        to: u64,
    },
    Down {
        from: u64,
        to: Range,
    },
    Across {
        from: u64,
        to: u64,
        bytes: u64,
    },
    Fill {
        address: u64,
        pattern: Vec<u8>,
        count: u64,
    },
    /// Makes a reserved allocation live.
    Allocate(u64),
    Free(u64),
    Library(LibraryCall),
}

/// Work and the function that queued it.
pub(crate) struct Operation {
    pub(crate) call: &'static str,
    pub(crate) work: Work,
}

/// What an operation touched of the meter: the kernel and its counts.
pub(crate) type Ran = Option<(String, Counts)>;

impl Operation {
    /// Executes the work.
    ///
    /// # Errors
    /// The fault, with the name of the call before the message.
    pub(crate) fn execute(self, memory: &Memory) -> Result<Ran, Fault> {
        let call = self.call;
        self.work
            .execute(memory)
            .map_err(|fault| Fault::new(fault.kind, format!("{call}: {}", fault.message)))
    }

    /// The host memory that the work will touch.
    pub(crate) fn host_range(&self) -> Option<Range> {
        match &self.work {
            Work::Up { from: range, .. } | Work::Down { to: range, .. } => Some(*range),
            _ => None,
        }
    }
}

impl Work {
    fn execute(self, memory: &Memory) -> Result<Ran, Fault> {
        match self {
            Self::Launch { module, kernel, launch } => {
                let found = module.kernel(&kernel).ok_or_else(|| {
                    Fault::new(FaultKind::InvalidPtx, format!("the module has no kernel {kernel}"))
                })?;
                let counts = interpreter::run(&module, found, &launch, memory)?;
                return Ok(Some((kernel, counts)));
            }
            Self::UpStaged { data, to } => memory.write(to, &data)?,
            Self::Up { from, to } => {
                // SAFETY: the range is pinned memory, which stays until no queued work names it, or the memory
                // of a call that waits for this copy.
                let data =
                    unsafe { slice::from_raw_parts(with_exposed_provenance_mut(from.start), from.bytes) };
                memory.write(to, data)?;
            }
            Self::Down { from, to } => {
                // SAFETY: as above, and the program may not touch the range before it has synchronised.
                let data =
                    unsafe { slice::from_raw_parts_mut(with_exposed_provenance_mut(to.start), to.bytes) };
                memory.read(from, data)?;
            }
            Self::Across { from, to, bytes } => memory.copy(from, to, bytes)?,
            Self::Fill { address, pattern, count } => memory.fill(address, &pattern, count)?,
            Self::Allocate(address) => memory.commit(address)?,
            Self::Free(address) => memory.free(address)?,
            Self::Library(run) => run(memory)?,
        }
        Ok(None)
    }
}
