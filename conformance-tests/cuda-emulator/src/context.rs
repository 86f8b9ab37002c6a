//! The state of one device: its memory, what is queued on it, and what went wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use cudarc::driver::sys::{CUresult, CUstream};

use crate::blas::Handle as LibraryHandle;
use crate::fault::{Fault, FaultKind};
use crate::handle::{self, Kind};
use crate::host::{PinnedMemory, Range};
use crate::memory::Memory;
use crate::meter::Meter;
use crate::operation::{Operation, Work};
use crate::ptx::Module;
use crate::report::{FaultReport, Leak};
use crate::stream::{LEGACY, Point, Scheduler};

/// With so many entries queued, everything runs, as a full queue of a device makes the host wait.
const LONGEST_QUEUE: usize = 4096;
/// The device addresses of one device lie so far from those of the next.
const ADDRESSES_PER_DEVICE: u64 = 1 << 44;
/// The streams that have fixed handles in the driver API.
const LEGACY_HANDLE: usize = 1;
const PER_THREAD_HANDLE: usize = 2;

/// A module that was loaded.
pub(crate) struct Loaded {
    pub(crate) module: Arc<Module>,
    pub(crate) label: String,
}

/// A kernel that was looked up.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) module: u64,
    pub(crate) kernel: String,
    /// The most dynamic shared memory of a launch, as `cuFuncSetAttribute` set it.
    pub(crate) dynamic_shared: Option<u32>,
}

/// The primary context of a device.
pub(crate) struct Context {
    pub(crate) device: usize,
    pub(crate) memory: Memory,
    pub(crate) scheduler: Scheduler<Operation>,
    pub(crate) pinned: PinnedMemory,
    pub(crate) modules: BTreeMap<u64, Loaded>,
    pub(crate) functions: BTreeMap<u64, Function>,
    pub(crate) libraries: BTreeMap<u64, LibraryHandle>,
    pub(crate) pool_attributes: BTreeMap<u32, u64>,
    pub(crate) meter: Meter,
    /// How often it is retained.
    pub(crate) retained: u32,
    seed: u64,
    serial: u64,
    broken: Option<CUresult>,
    faults: Vec<FaultReport>,
}

impl Context {
    pub(crate) fn new(device: usize, memory_bytes: u64, seed: u64) -> Self {
        let memory = Memory::new(memory_bytes);
        memory.shift(device as u64 * ADDRESSES_PER_DEVICE);
        Self {
            device,
            memory,
            scheduler: Scheduler::new(seed.wrapping_add(device as u64)),
            pinned: PinnedMemory::default(),
            modules: BTreeMap::new(),
            functions: BTreeMap::new(),
            libraries: BTreeMap::new(),
            pool_attributes: BTreeMap::new(),
            meter: Meter::default(),
            retained: 0,
            seed,
            serial: 0,
            broken: None,
            faults: Vec::new(),
        }
    }

    /// The error that broke the context, if one did.
    pub(crate) fn check(&self) -> Result<(), CUresult> {
        self.broken.map_or(Ok(()), Err)
    }

    /// A number that no other handle of the context has.
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Names a thing by the call that makes it.
    pub(crate) fn label(&mut self, call: &str) -> String {
        format!("{call} #{}", self.next_serial())
    }

    /// The stream that a handle names.
    pub(crate) fn stream(&self, handle: CUstream) -> Result<u64, CUresult> {
        match handle.addr() {
            0 | LEGACY_HANDLE => Ok(LEGACY),
            PER_THREAD_HANDLE => {
                eprintln!("cuda-emulator: the per-thread default stream is not supported: create a stream");
                Err(CUresult::CUDA_ERROR_NOT_SUPPORTED)
            }
            _ => handle::unpack(handle, Kind::Stream)
                .filter(|(device, stream)| *device == self.device && self.scheduler.has_stream(*stream))
                .map(|(_, stream)| stream)
                .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE),
        }
    }

    /// Queues work on a stream.
    pub(crate) fn enqueue(&mut self, stream: u64, call: &'static str, work: Work) -> Result<(), CUresult> {
        self.check()?;
        self.scheduler.push(stream, Operation { call, work });
        if self.scheduler.pending() >= LONGEST_QUEUE { self.finish() } else { Ok(()) }
    }

    /// Queues work on a stream and waits for it.
    pub(crate) fn execute(&mut self, stream: u64, call: &'static str, work: Work) -> Result<(), CUresult> {
        self.check()?;
        let point = self.scheduler.push(stream, Operation { call, work });
        self.wait_for(&[point])
    }

    /// Runs queued work, in a random order, until the points are reached.
    pub(crate) fn wait_for(&mut self, points: &[Point]) -> Result<(), CUresult> {
        self.run_while(|scheduler| !points.iter().all(|point| scheduler.is_reached(*point)))
    }

    /// Runs all queued work.
    pub(crate) fn finish(&mut self) -> Result<(), CUresult> {
        self.run_while(|scheduler| scheduler.pending() > 0)
    }

    /// Runs at least one operation if the points are not reached, and says whether they are then.
    pub(crate) fn poll(&mut self, points: &[Point]) -> Result<(), CUresult> {
        let mut first = true;
        self.run_while(|scheduler| {
            std::mem::take(&mut first) && !points.iter().all(|point| scheduler.is_reached(*point))
        })?;
        let reached = points.iter().all(|point| self.scheduler.is_reached(*point));
        if reached { Ok(()) } else { Err(CUresult::CUDA_ERROR_NOT_READY) }
    }

    fn run_while(&mut self, mut more: impl FnMut(&Scheduler<Operation>) -> bool) -> Result<(), CUresult> {
        self.check()?;
        self.scheduler.shuffle();
        while more(&self.scheduler)
            && let Some(operation) = self.scheduler.step()
        {
            match operation.execute(&self.memory) {
                Ok(None) => {}
                Ok(Some((kernel, counts))) => {
                    let kernel = self.meter.kernel(&kernel);
                    kernel.instructions += counts.instructions;
                    kernel.bytes_read += counts.bytes_read;
                    kernel.bytes_written += counts.bytes_written;
                }
                Err(fault) => return Err(self.break_with(&fault)),
            }
        }
        Ok(())
    }

    /// Prints a fault, keeps it, and returns the error that belongs to it.
    pub(crate) fn report(&mut self, fault: &Fault) -> CUresult {
        let Self { device, seed, .. } = *self;
        eprintln!("cuda-emulator: device {device}: {fault} (CUDA_EMULATOR_SEED={seed} repeats it)");
        self.faults.push(FaultReport {
            kind: format!("{:?}", fault.kind),
            message: fault.message.clone(),
            device: device as u64,
            seed,
        });
        match fault.kind {
            FaultKind::IllegalAddress | FaultKind::UseAfterFree | FaultKind::Uninitialized => {
                CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
            }
            FaultKind::Misaligned => CUresult::CUDA_ERROR_MISALIGNED_ADDRESS,
            FaultKind::InvalidPtx => CUresult::CUDA_ERROR_INVALID_PTX,
            FaultKind::DoubleFree => CUresult::CUDA_ERROR_INVALID_VALUE,
            FaultKind::Limit => CUresult::CUDA_ERROR_LAUNCH_TIMEOUT,
            FaultKind::BarrierDivergence | FaultKind::Race | FaultKind::Unsupported | FaultKind::Trap => {
                CUresult::CUDA_ERROR_LAUNCH_FAILED
            }
        }
    }

    /// Reports a fault of the device: from here on every call returns its error.
    fn break_with(&mut self, fault: &Fault) -> CUresult {
        let error = self.report(fault);
        self.broken = Some(error);
        for operation in self.scheduler.abandon() {
            // Memory is still given out and taken back, so that what is live afterwards is what the program holds.
            if let Work::Allocate(_) | Work::Free(_) = operation.work
                && let Err(fault) = operation.execute(&self.memory)
            {
                self.report(&fault);
            }
        }
        error
    }

    /// A live allocation of device memory.
    pub(crate) fn allocate(&mut self, call: &'static str, bytes: u64) -> Result<u64, CUresult> {
        self.check()?;
        let label = self.label(call);
        self.with_room(|memory| memory.allocate(bytes, &label))
    }

    /// An allocation that is live when its turn in the stream has come.
    pub(crate) fn allocate_on(
        &mut self,
        stream: u64,
        call: &'static str,
        bytes: u64,
    ) -> Result<u64, CUresult> {
        self.check()?;
        let label = self.label(call);
        let address = self.with_room(|memory| memory.reserve(bytes, &label))?;
        self.enqueue(stream, call, Work::Allocate(address))?;
        Ok(address)
    }

    /// Allocates, if need be after everything queued (frees among it) has run.
    fn with_room(&mut self, allocate: impl Fn(&Memory) -> Option<u64>) -> Result<u64, CUresult> {
        let address = match allocate(&self.memory) {
            Some(address) => Some(address),
            None => {
                self.finish()?;
                allocate(&self.memory)
            }
        };
        self.meter.allocations += u64::from(address.is_some());
        address.ok_or(CUresult::CUDA_ERROR_OUT_OF_MEMORY)
    }

    /// Frees device memory after everything queued has run.
    pub(crate) fn free(&mut self, call: &str, address: u64) -> Result<(), CUresult> {
        let finished = self.finish();
        match self.memory.free(address) {
            Ok(()) => finished,
            Err(fault) => {
                self.report(&Fault::new(fault.kind, format!("{call}: {}", fault.message)));
                Err(CUresult::CUDA_ERROR_INVALID_VALUE)
            }
        }
    }

    /// Frees or unregisters pinned memory. Queued work that still uses it is a fault of the program: the manual
    /// does not say that the call waits.
    pub(crate) fn unpin(&mut self, call: &str, range: Range) -> Result<(), CUresult> {
        let is_used = |operation: &Operation| operation.host_range().is_some_and(|used| used.overlaps(range));
        let user =
            self.scheduler.operations().find(|operation| is_used(operation)).map(|operation| operation.call);
        if let Some(user) = user {
            let bytes = range.bytes;
            let message = format!("{call}: a queued {user} still uses the {bytes} bytes of pinned memory");
            self.report(&Fault::new(FaultKind::UseAfterFree, message));
        }
        let finished = self.finish();
        self.pinned.remove(range.start);
        finished
    }

    /// The faults so far, after everything queued has run.
    pub(crate) fn faults(&mut self) -> Vec<FaultReport> {
        // An error of the queued work is among the faults.
        self.finish().ok();
        self.faults.clone()
    }

    /// Forgets the faults; the context works again.
    pub(crate) fn forget_faults(&mut self) {
        self.broken = None;
        self.faults.clear();
    }

    /// Everything that the program made and did not give back, after everything queued has run.
    pub(crate) fn leaks(&mut self) -> Vec<Leak> {
        // An error of the queued work is kept among the faults.
        self.finish().ok();
        let module_memory: Vec<u64> =
            self.modules.values().flat_map(|loaded| loaded.module.variable_addresses()).collect();
        let memory = self.memory.live();
        let memory = memory.iter().filter(|(address, ..)| !module_memory.contains(address));
        let memory = memory.map(|(_, bytes, label)| ("device memory", *bytes, label.as_str()));
        let pinned = self.pinned.live().map(|(bytes, label)| ("pinned memory", bytes, label));
        let streams = self.scheduler.live_streams().map(|label| ("stream", 0, label));
        let events = self.scheduler.live_events().map(|label| ("event", 0, label));
        let modules = self.modules.values().map(|loaded| ("module", 0, loaded.label.as_str()));
        let libraries = self.libraries.values().map(|handle| ("library handle", 0, handle.label.as_str()));
        let all = memory.chain(pinned).chain(streams).chain(events).chain(modules).chain(libraries);
        let device = self.device as u64;
        all.map(|(what, bytes, label)| Leak { what: what.to_owned(), label: label.to_owned(), bytes, device })
            .collect()
    }

    /// The meter with the memory as it is now.
    pub(crate) fn read_meter(&self) -> Meter {
        Meter { memory_now: self.memory.used(), memory_peak: self.memory.peak(), ..self.meter.clone() }
    }

    /// Sets the meter to zero, and the peak of the memory to what is live.
    pub(crate) fn reset_meter(&mut self) {
        self.meter = Meter::default();
        self.memory.reset_peak();
    }
}
