//! Runs kernels: blocks in a random order, each warp by warp, each instruction for all threads of a warp.
//!
//! The semantics are those of the PTX ISA 8.8 (<https://docs.nvidia.com/cuda/archive/12.9.0/parallel-thread-execution/>)
//! on a device of compute capability 7.0. Checked on the way are all addresses, reads of memory that nothing wrote,
//! barriers that not all threads reach, and races of warps in shared memory.

mod access;
mod address;
mod block;
pub(crate) mod decode;
mod float;
mod frame;
pub(crate) mod instruction;
pub(crate) mod program;
mod race;
mod register;
mod transfer;
mod warp;
mod word;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread::available_parallelism;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::fault::{Fault, FaultKind};
use crate::memory::{Allocation, Memory};
use crate::ptx::{Kernel, Module};
use block::{Queue, Worker};
use program::Program;

/// The instructions that the threads of a block may execute, all together.
const LIMIT: u64 = 1 << 32;
/// After this many instructions the rest of a launch is worth more threads of the host.
const WORTH_THREADS: u64 = 1 << 21;
/// The most bytes of shared memory that a block may have (compute capability 9.0).
const SHARED_LIMIT: u32 = 227 << 10;

/// How a kernel is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The number of blocks along x, y and z.
    pub grid: [u32; 3],
    /// The number of threads of a block along x, y and z.
    pub block: [u32; 3],
    /// Bytes of shared memory besides those that the kernel declares.
    pub dynamic_shared: u32,
    /// The values of the parameters, at the offsets that [`Kernel::parameters`] gives.
    pub parameters: Vec<u8>,
    /// Decides the order of the blocks.
    pub seed: u64,
}

/// What a launch did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Instructions, counted once for each thread that executed one.
    pub instructions: u64,
    /// Bytes that threads read from global memory.
    pub bytes_read: u64,
    /// Bytes that threads wrote to global memory.
    pub bytes_written: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.instructions += other.instructions;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
    }
}

/// Runs a kernel of a loaded module to its end.
///
/// # Errors
/// The first fault of a thread; [`FaultKind::Unsupported`] if the launch does not fit the kernel.
pub fn run(module: &Module, kernel: &Kernel, launch: &Launch, memory: &Memory) -> Result<Counts, Fault> {
    run_limited(module, kernel, launch, memory, LIMIT)
}

/// [`run`] with another limit of instructions for a block.
pub(crate) fn run_limited(
    module: &Module,
    kernel: &Kernel,
    launch: &Launch,
    memory: &Memory,
    limit: u64,
) -> Result<Counts, Fault> {
    check(kernel, launch)?;
    let needs = kernel.needs();
    let parameters = Allocation::new(0, launch.parameters.len() as u64, "parameters");
    let parameters = parameters.ok_or_else(|| refused(kernel, "the parameters are too large"))?;
    parameters.write(0, &launch.parameters);
    let program = Program {
        codes: module.codes(),
        entry_index: kernel.function(),
        launch,
        memory,
        table: memory.table(),
        parameters,
        addresses: module.addresses(kernel)?,
        columns: needs.columns,
        predicates: needs.predicates,
        local: needs.local,
        has_barriers: needs.has_barriers,
        shared_bytes: kernel.static_shared() + launch.dynamic_shared,
    };
    let blocks: u64 = launch.grid.iter().map(|&axis| u64::from(axis)).product();
    let mut random = ChaCha8Rng::seed_from_u64(launch.seed);
    let mut order: Vec<u64> = (0..blocks).collect();
    order.shuffle(&mut random);
    let queue = Queue::new(order);
    let mut worker = Worker::new(&program, limit)?;
    worker.run(&queue, &mut random, WORTH_THREADS)?;
    // Asking for the number of processors takes longer than a small launch.
    if queue.remaining() == 0 {
        return Ok(worker.counts);
    }
    let helpers = available_parallelism().map_or(1, usize::from).min(queue.remaining()).saturating_sub(1);
    let helped = Mutex::new((Counts::default(), None));
    let mine = std::thread::scope(|scope| {
        for number in 1..=helpers as u64 {
            let (queue, program, helped) = (&queue, &program, &helped);
            scope.spawn(move || {
                let random = ChaCha8Rng::seed_from_u64(launch.seed.wrapping_add(number));
                let result = Worker::new(program, limit).and_then(|mut worker| {
                    worker.run(queue, random, u64::MAX)?;
                    Ok(worker.counts)
                });
                let mut helped = helped.lock().unwrap_or_else(PoisonError::into_inner);
                match result {
                    Ok(counts) => helped.0 += counts,
                    Err(fault) => helped.1 = Some(fault),
                }
            });
        }
        worker.run(&queue, &mut random, u64::MAX)
    });
    let (counts, fault) = helped.into_inner().unwrap_or_else(PoisonError::into_inner);
    mine?;
    match fault {
        Some(fault) => Err(fault),
        None => {
            worker.counts += counts;
            Ok(worker.counts)
        }
    }
}

/// Whether a launch fits its kernel and the limits of a device (CUDA C++ Programming Guide, table of compute
/// capabilities).
fn check(kernel: &Kernel, launch: &Launch) -> Result<(), Fault> {
    let [x, y, z] = launch.block;
    let threads = [x, y, z].iter().map(|&axis| u64::from(axis)).product::<u64>();
    let most = u64::from(kernel.max_threads().unwrap_or(1024));
    if threads == 0 || launch.grid.contains(&0) {
        return Err(refused(kernel, "a grid or block without threads"));
    }
    if threads > most || x > 1024 || y > 1024 || z > 64 {
        return Err(refused(kernel, &format!("a block of {x} x {y} x {z} threads; at most {most} fit")));
    }
    let [_, y, z] = launch.grid;
    if launch.grid[0] > i32::MAX.unsigned_abs() || y > 65_535 || z > 65_535 {
        return Err(refused(kernel, &format!("a grid of {:?} blocks", launch.grid)));
    }
    let shared = u64::from(kernel.static_shared()) + u64::from(launch.dynamic_shared);
    if shared > u64::from(SHARED_LIMIT) {
        return Err(refused(kernel, &format!("{shared} bytes of shared memory; {SHARED_LIMIT} fit")));
    }
    let needed = kernel.parameters().last().map_or(0, |last| last.offset + last.size);
    if launch.parameters.len() < needed as usize {
        let given = launch.parameters.len();
        return Err(refused(kernel, &format!("{given} bytes of parameters; it has {needed}")));
    }
    Ok(())
}

fn refused(kernel: &Kernel, why: &str) -> Fault {
    Fault::new(FaultKind::Unsupported, format!("launch of {}: {why}", kernel.name()))
}

#[cfg(test)]
mod tests;
