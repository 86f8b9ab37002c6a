//! The exported functions of cuBLAS and cuSOLVER.
//!
//! A call checks its arguments as the real library does, queues on the stream of its handle and, when its turn
//! has come, delegates to a real column-major BLAS and LAPACK, so that leading dimensions, transposition,
//! triangles, pivots and info values are those of the reference. Every range of device memory is checked first,
//! with the elements that the routine touches: a triangle is a triangle, and an output that `beta == 0` only
//! writes need not have been written before.
//!
//! Sources: cuBLAS and cuSOLVER 12.9 (<https://docs.nvidia.com/cuda/archive/12.9.0/cublas/>, `.../cusolver/`),
//! LAPACK 3.12 (<https://www.netlib.org/lapack/explore-html/>).

#![expect(unsafe_code, reason = "exports C functions and calls Fortran routines")]

use std::sync::MutexGuard;

use cudarc::cublas::sys::cublasStatus_t;
use cudarc::cusolver::sys::cusolverStatus_t;
use cudarc::driver::sys::{CUresult, CUstream};

use crate::context::Context;
use crate::exports::Status;
use crate::fault::Fault;
use crate::handle::{self, Kind};
use crate::memory::Memory;
use crate::operation::Work;
use crate::platform::{current, current_device, platform};
use crate::stream::LEGACY;

mod cublas;
mod cusolver;
mod library;
mod lu;
mod matrix;
mod option;
#[cfg(test)]
mod tests;

/// What a cuBLAS or cuSOLVER handle holds.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) label: String,
    stream: u64,
    /// Whether alpha and beta are addresses of the device.
    device_scalars: bool,
}

/// The statuses that both libraries have.
trait LibraryStatus: Status {
    const NOT_INITIALIZED: Self;
    const EXECUTION_FAILED: Self;
}

impl LibraryStatus for cublasStatus_t {
    const NOT_INITIALIZED: Self = Self::CUBLAS_STATUS_NOT_INITIALIZED;
    const EXECUTION_FAILED: Self = Self::CUBLAS_STATUS_EXECUTION_FAILED;
}

impl LibraryStatus for cusolverStatus_t {
    const NOT_INITIALIZED: Self = Self::CUSOLVER_STATUS_NOT_INITIALIZED;
    const EXECUTION_FAILED: Self = Self::CUSOLVER_STATUS_EXECUTION_FAILED;
}

/// The invalid-value status, after a line that says what is wrong.
fn require<S: Status>(call: &str, condition: bool, what: &str) -> Result<(), S> {
    if condition {
        return Ok(());
    }
    eprintln!("cuda-emulator: {call}: needs {what}");
    Err(S::INVALID)
}

/// A size that may not be negative.
fn size<S: Status>(call: &str, name: &str, value: i32) -> Result<usize, S> {
    usize::try_from(value).or_else(|_| require(call, false, &format!("{name} >= 0, not {value}")).map(|()| 0))
}

/// A leading dimension of a matrix of so many rows.
fn leading<S: Status>(call: &str, name: &str, value: i32, rows: usize) -> Result<usize, S> {
    let ld = usize::try_from(value).ok().filter(|ld| *ld >= rows.max(1));
    ld.map_or_else(
        || require(call, false, &format!("{name} >= {}, not {value}", rows.max(1))).map(|()| 0),
        Ok,
    )
}

/// Makes a handle on the current device.
fn create<H, S: LibraryStatus>(call: &str, kind: Kind) -> Result<*mut H, S> {
    let mut context = current().map_err(|_| S::NOT_INITIALIZED)?;
    context.check().map_err(|_| S::NOT_INITIALIZED)?;
    if let Err(message) = library::check() {
        eprintln!("cuda-emulator: {call}: {message}");
        return Err(S::NOT_INITIALIZED);
    }
    let number = context.next_serial();
    let label = format!("{call} #{number}");
    context.libraries.insert(number, Handle { label, stream: LEGACY, device_scalars: false });
    Ok(handle::pack(kind, context.device, number))
}

/// A handle that was looked up, with its context.
struct Bound {
    context: MutexGuard<'static, Context>,
    number: u64,
}

impl Bound {
    /// The handle, whose device must be current.
    fn new<H, S: LibraryStatus>(handle: *mut H, kind: Kind) -> Result<Self, S> {
        let (device, number) = handle::unpack(handle, kind).ok_or(S::NOT_INITIALIZED)?;
        let context =
            platform().and_then(|platform| platform.context(device)).map_err(|_| S::NOT_INITIALIZED)?;
        if !context.libraries.contains_key(&number) {
            return Err(S::NOT_INITIALIZED);
        }
        if current_device() != Some(device) {
            eprintln!("cuda-emulator: a handle of device {device} is used while another device is current");
            return Err(S::EXECUTION_FAILED);
        }
        Ok(Self { context, number })
    }

    fn handle(&mut self) -> &mut Handle {
        self.context.libraries.get_mut(&self.number).expect("looked up when it was bound")
    }

    fn set_stream<S: Status>(&mut self, stream: CUstream) -> Result<(), S> {
        let stream = self.context.stream(stream).map_err(|_| S::INVALID)?;
        self.handle().stream = stream;
        Ok(())
    }

    fn destroy<S: LibraryStatus>(mut self) -> Result<(), S> {
        // The manuals say that it synchronises.
        self.context.meter.synchronisations += 1;
        let finished = self.context.finish();
        self.context.libraries.remove(&self.number);
        finished.map_err(|_| S::EXECUTION_FAILED)
    }

    /// Queues a call.
    fn enqueue<S: LibraryStatus>(
        mut self,
        call: &'static str,
        run: impl FnOnce(&Memory) -> Result<(), Fault> + Send + 'static,
    ) -> Result<(), S> {
        let stream = self.handle().stream;
        if !self.context.scheduler.has_stream(stream) {
            eprintln!("cuda-emulator: {call}: the stream of the handle was destroyed");
            return Err(S::EXECUTION_FAILED);
        }
        self.context.meter.library_call(call);
        let queued = self.context.enqueue(stream, call, Work::Library(Box::new(run)));
        queued.map_err(|_: CUresult| S::EXECUTION_FAILED)
    }
}

/// Defines a function for `f32` and for `f64`: in signature and body `T` is the type, and `CALL` the name.
macro_rules! pairs {
    ($(
        fn [$single:ident $double:ident]($($argument:ident: $type:ty),* $(,)?) -> $status:ty $body:block
    )*) => {
        $crate::blas::pairs!(@type single f32; $($single($($argument: $type),*) -> $status $body)*);
        $crate::blas::pairs!(@type double f64; $($double($($argument: $type),*) -> $status $body)*);
    };
    (@type $module:ident $real:ty; $(
        $name:ident($($argument:ident: $type:ty),*) -> $status:ty $body:block
    )*) => {
        pub(super) mod $module {
            use super::*;

            type T = $real;

            $crate::exports::exports! {$(
                fn $name($($argument: $type),*) -> $status {
                    const CALL: &str = stringify!($name);
                    $body
                }
            )*}
        }
    };
}
use pairs;
