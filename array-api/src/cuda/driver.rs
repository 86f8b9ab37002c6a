//! CUDA's driver: contexts, streams, events, memory, modules and launches.
//!
//! Together with `blas` and `compile` this is the only place where CUDA is called. A context stands
//! for a device and is opened once; it has two streams: everything is computed on one, and data
//! come up on the other, so that they arrive while the device is at work. What a kernel can break
//! is device memory alone: it is given addresses of device memory and plain numbers.
//!
//! Source: NVIDIA, *CUDA Driver API Reference Manual*.

mod kernel;
mod memory;

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cudarc::driver::result::{self, DriverError, device, mem_pool, stream};
use cudarc::driver::sys;

use super::compile::{Compiler, Module};
use crate::{Error, Result};

pub(super) use kernel::{Arguments, Kernel, load};
pub(super) use memory::Memory;
use memory::{Event, PINNED_BLOCKS, PINNED_BYTES, Pinned};

/// What is wrong when CUDA cannot be used.
pub(super) fn unavailable(reason: impl Into<String>) -> Error {
    Error::BackendUnavailable { backend: "CUDA", reason: reason.into() }
}

/// The name and the words of a driver's error.
fn words(error: DriverError) -> String {
    let text = |found: Result<&std::ffi::CStr, DriverError>| {
        found.map_or_else(|_| format!("{:?}", error.0), |text| text.to_string_lossy().into_owned())
    };
    format!("{} ({})", text(error.error_string()), text(error.error_name()))
}

/// Says which call failed.
fn failed(operation: &'static str) -> impl Fn(DriverError) -> Error {
    move |error| Error::DeviceFailure { backend: "CUDA", operation, reason: words(error) }
}

/// Locks what a panic elsewhere cannot have left half-done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    /// Its name.
    pub name: String,
    /// Its number among the visible devices.
    pub ordinal: usize,
    /// Memory in bytes.
    pub memory: usize,
    /// Compute capability: major and minor number.
    pub compute_capability: (u32, u32),
    /// Number of multiprocessors.
    pub multiprocessors: u32,
}

/// The driver, once it is known to be there.
fn driver() -> Result<()> {
    static STATE: OnceLock<Result<()>> = OnceLock::new();
    STATE
        .get_or_init(|| {
            // SAFETY: loading the driver's library runs its initialisers only.
            if !unsafe { sys::is_culib_present() } {
                return Err(unavailable(
                    "libcuda.so.1, the library of NVIDIA's driver, was not found; install the driver, \
                     or leave USE_CUPY unset to run on the CPU",
                ));
            }
            result::init().map_err(|error| unavailable(words(error)))?;
            let mut version: c_int = 0;
            // SAFETY: `version` is valid for writing.
            unsafe { sys::cuDriverGetVersion(&raw mut version) }
                .result()
                .map_err(failed("asking for the driver's version"))?;
            if version < 12_000 {
                let (major, minor) = (version / 1000, version % 1000 / 10);
                return Err(unavailable(format!(
                    "the driver is for CUDA {major}.{minor}, and 12.0 is needed; update the driver"
                )));
            }
            Ok(())
        })
        .clone()
}

/// The devices that can be used, in the driver's order; `CUDA_VISIBLE_DEVICES` chooses among them.
pub(super) fn devices() -> Result<Vec<Properties>> {
    driver()?;
    let count = device::get_count().map_err(failed("counting devices"))?;
    (0..count as usize).map(|ordinal| properties(ordinal).map(|(_, properties)| properties)).collect()
}

fn properties(ordinal: usize) -> Result<(sys::CUdevice, Properties)> {
    let device = device::get(ordinal as c_int).map_err(failed("opening a device"))?;
    let attribute = |attribute| {
        // SAFETY: `device` was given out by the driver.
        let value = unsafe { device::get_attribute(device, attribute) };
        value.map(|value| value as u32).map_err(failed("asking for a device's attributes"))
    };
    use sys::CUdevice_attribute as Attribute;
    let properties = Properties {
        name: device::get_name(device).map_err(failed("asking for a device's name"))?,
        ordinal,
        // SAFETY: `device` was given out by the driver.
        memory: unsafe { device::total_mem(device) }.map_err(failed("asking for a device's memory"))?,
        compute_capability: (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
    };
    Ok((device, properties))
}

/// A device that is open.
pub(super) struct Context {
    pub(super) properties: Properties,
    raw: sys::CUcontext,
    /// The stream on which everything is computed.
    compute: sys::CUstream,
    /// The stream on which data come up.
    transfer: sys::CUstream,
    /// The pool that memory comes from, unless the device has none.
    pool: Option<sys::CUmemoryPool>,
    /// Freed memory by its size, for devices without a pool.
    freed: Mutex<HashMap<usize, Vec<sys::CUdeviceptr>>>,
    pinned: Mutex<Vec<Pinned>>,
    modules: Mutex<HashMap<(TypeId, usize), Arc<Module>>>,
    compiler: OnceLock<Result<Compiler>>,
    pub(super) libraries: super::blas::Libraries,
}

// SAFETY: the driver's handles may be used from any thread, and the driver locks for itself.
unsafe impl Send for Context {}
// SAFETY: as above; what is ours behind `&self` is in mutexes.
unsafe impl Sync for Context {}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Context").field(&self.properties).finish()
    }
}

/// The contexts that are open. They stay so: opening one takes longer than most programs' work.
static CONTEXTS: Mutex<BTreeMap<usize, Arc<Context>>> = Mutex::new(BTreeMap::new());

impl Context {
    /// The context of a device, which is opened at the first call.
    pub(super) fn open(ordinal: usize) -> Result<Arc<Self>> {
        driver()?;
        let count = device::get_count().map_err(failed("counting devices"))?;
        if ordinal >= count as usize {
            return Err(unavailable(match count {
                0 => "the driver finds no device".to_owned(),
                1 => format!("there is no device {ordinal}; the only one is device 0"),
                _ => format!("there is no device {ordinal}; there are devices 0 to {}", count - 1),
            }));
        }
        let mut contexts = lock(&CONTEXTS);
        if let Some(context) = contexts.get(&ordinal) {
            return Ok(Arc::clone(context));
        }
        let context = Arc::new(Self::new(ordinal)?);
        contexts.insert(ordinal, Arc::clone(&context));
        Ok(context)
    }

    fn new(ordinal: usize) -> Result<Self> {
        let (device, properties) = properties(ordinal)?;
        let open = failed("opening a device");
        // SAFETY: `device` was given out by the driver; the context is kept until the process ends.
        let raw = unsafe { result::primary_ctx::retain(device) }.map_err(&open)?;
        // SAFETY: `raw` is a live context.
        unsafe { result::ctx::set_current(raw) }.map_err(&open)?;
        let compute = stream::create(stream::StreamKind::NonBlocking).map_err(&open)?;
        let transfer = stream::create(stream::StreamKind::NonBlocking).map_err(&open)?;
        let attribute = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED;
        // SAFETY: `device` was given out by the driver.
        let pools = unsafe { device::get_attribute(device, attribute) }.map_err(&open)?;
        let pool = if pools == 0 {
            None
        } else {
            // SAFETY: `device` was given out by the driver.
            let pool = unsafe { device::get_default_mem_pool(device) }.map_err(&open)?;
            let mut keep = u64::MAX;
            // SAFETY: the attribute's value is a 64-bit number, which `keep` is.
            unsafe {
                mem_pool::set_attribute(
                    pool,
                    sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                    (&raw mut keep).cast(),
                )
            }
            .map_err(&open)?;
            Some(pool)
        };
        Ok(Self {
            properties,
            raw,
            compute,
            transfer,
            pool,
            freed: Mutex::default(),
            pinned: Mutex::default(),
            modules: Mutex::default(),
            compiler: OnceLock::new(),
            libraries: super::blas::Libraries::default(),
        })
    }

    /// Makes this context the one that the driver's calls of this thread mean.
    pub(super) fn bind(&self) -> Result<()> {
        // SAFETY: `raw` is a live context.
        unsafe { result::ctx::set_current(self.raw) }.map_err(failed("choosing a device"))
    }

    /// The stream on which everything is computed.
    pub(super) fn stream(&self) -> sys::CUstream {
        self.compute
    }

    /// Waits until everything asked for has been computed.
    pub(super) fn synchronize(&self) -> Result<()> {
        self.bind()?;
        // SAFETY: the stream is live.
        unsafe { stream::synchronize(self.compute) }.map_err(failed("waiting for the device"))
    }

    /// Bytes that can still be had, those that the pool keeps ready among them.
    pub(super) fn free_memory(&self) -> Result<usize> {
        self.bind()?;
        let (free, _) = result::mem_get_info().map_err(failed("asking for free memory"))?;
        let Some(pool) = self.pool else { return Ok(free) };
        let size = |attribute| {
            let mut size = 0_u64;
            // SAFETY: the value of both attributes is a 64-bit number, which `size` is.
            unsafe { mem_pool::get_attribute(pool, attribute, (&raw mut size).cast()) }
                .map_err(failed("asking for free memory"))?;
            Ok::<usize, Error>(size as usize)
        };
        let reserved = size(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?;
        let used = size(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?;
        Ok(free + reserved.saturating_sub(used))
    }

    /// Device memory of unspecified content, for use on `stream`.
    fn allocate_on(self: &Arc<Self>, bytes: usize, stream: sys::CUstream) -> Result<Memory> {
        self.bind()?;
        let allocate = || {
            if self.pool.is_some() {
                // SAFETY: the stream is live; the memory is used on it, or after an event on it.
                return unsafe { result::malloc_async(stream, bytes) };
            }
            match lock(&self.freed).get_mut(&bytes).and_then(Vec::pop) {
                Some(address) => Ok(address),
                // SAFETY: no more is asked for than memory.
                None => unsafe { result::malloc_sync(bytes) },
            }
        };
        let address = match allocate() {
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                // What is already freed, but not yet given back, may be enough.
                self.give_back()?;
                allocate()
            }
            other => other,
        };
        match address {
            Ok(address) => {
                Ok(Memory { context: Arc::clone(self), address, bytes, arriving: Mutex::new(None) })
            }
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                Err(Error::OutOfMemory { requested: bytes, free: self.free_memory().ok() })
            }
            Err(error) => Err(failed("allocating memory")(error)),
        }
    }

    /// Gives memory that nobody uses back to the device.
    fn give_back(&self) -> Result<()> {
        self.synchronize()?;
        let failed = failed("giving memory back");
        match self.pool {
            // SAFETY: the pool is the device's own.
            Some(pool) => unsafe { mem_pool::trim_to(pool, 0) }.map_err(failed),
            None => lock(&self.freed).drain().flat_map(|(_, addresses)| addresses).try_for_each(|address| {
                // SAFETY: the address is of an allocation that nobody uses any more.
                unsafe { result::free_sync(address) }.map_err(&failed)
            }),
        }
    }

    /// Device memory of unspecified content.
    pub(super) fn allocate(self: &Arc<Self>, bytes: usize) -> Result<Memory> {
        self.allocate_on(bytes, self.compute)
    }

    /// Device memory with the given content. The call returns before the data have arrived.
    pub(super) fn upload(self: &Arc<Self>, data: &[u8]) -> Result<Memory> {
        // Without a pool the memory may still be in use by work that is queued.
        let stream = if self.pool.is_some() { self.transfer } else { self.compute };
        let memory = self.allocate_on(data.len(), stream)?;
        let mut pinned = self.pinned(data.len())?;
        pinned.bytes_mut()[..data.len()].copy_from_slice(data);
        // SAFETY: both are valid for so many bytes; the pinned block is not given out again before
        // the event below.
        unsafe { result::memcpy_htod_async(memory.address, &pinned.bytes_mut()[..data.len()], stream) }
            .map_err(failed("copying to the device"))?;
        let arrived = Arc::new(Event::record(stream)?);
        pinned.busy = Some(Arc::clone(&arrived));
        lock(&self.pinned).push(pinned);
        if stream != self.compute {
            *lock(&memory.arriving) = Some(arrived);
        }
        Ok(memory)
    }

    /// The content of part of some device memory, once everything before is computed.
    pub(super) fn download(&self, memory: &Memory, start: usize, bytes: usize) -> Result<Vec<u8>> {
        debug_assert!(start + bytes <= memory.bytes);
        let mut pinned = self.pinned(bytes)?;
        let address = memory.address()? + start as u64;
        // SAFETY: both are valid for so many bytes; the block is ours until the stream is done.
        unsafe { result::memcpy_dtoh_async(&mut pinned.bytes_mut()[..bytes], address, self.compute) }
            .map_err(failed("copying from the device"))?;
        self.synchronize()?;
        let data = pinned.bytes_mut()[..bytes].to_vec();
        lock(&self.pinned).push(pinned);
        Ok(data)
    }

    /// Sets all bytes to zero.
    pub(super) fn zero(&self, memory: &Memory) -> Result<()> {
        let address = memory.address()?;
        // SAFETY: the memory has so many bytes.
        unsafe { result::memset_d8_async(address, 0, memory.bytes, self.compute) }
            .map_err(failed("clearing memory"))
    }

    /// Host memory that the device reads and writes by itself, at least `bytes` of it.
    fn pinned(&self, bytes: usize) -> Result<Pinned> {
        self.bind()?;
        let capacity = bytes.next_power_of_two().max(PINNED_BYTES);
        let mut blocks = lock(&self.pinned);
        let fits = |block: &Pinned| block.capacity == capacity;
        if let Some(index) = blocks.iter().position(|block| fits(block) && block.is_idle()) {
            return Ok(blocks.swap_remove(index));
        }
        if blocks.iter().filter(|block| fits(block)).count() >= PINNED_BLOCKS
            && let Some(index) = blocks.iter().position(fits)
        {
            let block = blocks.remove(index);
            drop(blocks);
            block.wait()?;
            return Ok(block);
        }
        drop(blocks);
        // SAFETY: no more is asked for than memory, which `Pinned` frees.
        match unsafe { result::malloc_host(capacity, 0) } {
            Ok(pointer) => Ok(Pinned { pointer: pointer.cast(), capacity, busy: None }),
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                Err(Error::OutOfMemory { requested: capacity, free: None })
            }
            Err(error) => Err(failed("allocating page-locked memory")(error)),
        }
    }

    /// A variant of the module of kernels that `K` stands for, compiled when it is first asked for.
    pub(super) fn module<K: 'static>(
        &self,
        variant: usize,
        source: impl FnOnce() -> super::Source,
    ) -> Result<Arc<Module>> {
        let key = (TypeId::of::<K>(), variant);
        if let Some(module) = lock(&self.modules).get(&key) {
            return Ok(Arc::clone(module));
        }
        self.bind()?;
        let compiler = self.compiler.get_or_init(|| Compiler::new(self.properties.compute_capability));
        let module = Arc::new(compiler.as_ref().map_err(Clone::clone)?.compile(&source())?);
        Ok(Arc::clone(lock(&self.modules).entry(key).or_insert(module)))
    }

    /// Queues a kernel: `blocks` blocks of `threads` threads.
    pub(super) fn launch(
        &self,
        kernel: Kernel,
        blocks: [u32; 3],
        threads: u32,
        arguments: Arguments,
    ) -> Result<()> {
        self.bind()?;
        let Arguments { mut words, starts, .. } = arguments;
        let mut pointers: Vec<*mut c_void> =
            starts.iter().map(|&start| words[start..].as_mut_ptr().cast()).collect();
        let [x, y, z] = blocks;
        // SAFETY: each pointer is to an argument of the kernel's type, as the module that launches
        // it and its source agree on; the driver copies them before it returns.
        unsafe { result::launch_kernel(kernel.0, (x, y, z), (threads, 1, 1), 0, self.compute, &mut pointers) }
            .map_err(failed("launching a kernel"))
    }
}
