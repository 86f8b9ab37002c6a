//! How a C function is exported: one macro that gives it its name, keeps panics inside, and checks its type.
//!
//! The type of every function is compared at compile time with that of cudarc's wrapper of the same name, which
//! was generated from NVIDIA's headers: a wrong argument does not compile.

#![expect(unsafe_code, reason = "reads and writes where a C caller says")]

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use cudarc::cublas::sys::cublasStatus_t;
use cudarc::cusolver::sys::cusolverStatus_t;
use cudarc::driver::sys::CUresult;

/// The status that a library returns.
pub(crate) trait Status: Copy {
    /// All went well.
    const SUCCESS: Self;
    /// The library itself is at fault.
    const INTERNAL: Self;
    /// A pointer or a number is not valid.
    const INVALID: Self;
}

impl Status for CUresult {
    const SUCCESS: Self = Self::CUDA_SUCCESS;
    const INTERNAL: Self = Self::CUDA_ERROR_UNKNOWN;
    const INVALID: Self = Self::CUDA_ERROR_INVALID_VALUE;
}

impl Status for cublasStatus_t {
    const SUCCESS: Self = Self::CUBLAS_STATUS_SUCCESS;
    const INTERNAL: Self = Self::CUBLAS_STATUS_INTERNAL_ERROR;
    const INVALID: Self = Self::CUBLAS_STATUS_INVALID_VALUE;
}

impl Status for cusolverStatus_t {
    const SUCCESS: Self = Self::CUSOLVER_STATUS_SUCCESS;
    const INTERNAL: Self = Self::CUSOLVER_STATUS_INTERNAL_ERROR;
    const INVALID: Self = Self::CUSOLVER_STATUS_INVALID_VALUE;
}

/// Defines exported C functions. Each body is a closure that returns `Result<(), Status>`; the status type's
/// module must be in scope as `sys`, with cudarc's wrappers in it.
macro_rules! exports {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $status:ty $body:block
    )*) => {$(
        $(#[$attribute])*
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> $status {
            // SAFETY: the caller keeps NVIDIA's contract for the function of this name: pointers are null or
            // point to as much as the manual says.
            unsafe {
                $crate::exports::guard::<$status>(stringify!($name), || -> Result<(), $status> { $body })
            }
        }

        const _: unsafe fn($($type),*) -> $status = sys::$name;
    )*};
}
pub(crate) use exports;

/// Runs the body of an exported function; a panic becomes a status and a line on standard error.
///
/// # Safety
/// The body may use the pointers that the C caller gave.
pub(crate) unsafe fn guard<S: Status>(name: &str, body: impl FnOnce() -> Result<(), S>) -> S {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => S::SUCCESS,
        Ok(Err(status)) => status,
        Err(_) => {
            eprintln!("cuda-emulator: {name}: a bug of the emulator (see the panic above)");
            S::INTERNAL
        }
    }
}

/// Writes to a place that the caller named.
///
/// # Safety
/// `pointer` is null or may be written.
pub(crate) unsafe fn put<T, S: Status>(pointer: *mut T, value: T) -> Result<(), S> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(S::INVALID);
    }
    // SAFETY: not null, aligned, and the caller says that it may be written.
    unsafe { pointer.write(value) };
    Ok(())
}

/// Reads from a place that the caller named.
///
/// # Safety
/// `pointer` is null or may be read.
pub(crate) unsafe fn get<T: Copy, S: Status>(pointer: *const T) -> Result<T, S> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(S::INVALID);
    }
    // SAFETY: not null, aligned, and the caller says that it may be read.
    Ok(unsafe { pointer.read() })
}

/// The names that were asked for: their text stays where it is for as long as the library.
static NAMES: Mutex<BTreeMap<String, CString>> = Mutex::new(BTreeMap::new());

/// The name of a status, as in NVIDIA's headers: a text that is never freed.
pub(crate) fn name_of(status: impl Debug) -> *const c_char {
    let name = format!("{status:?}");
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.entry(name.clone()).or_insert_with(|| CString::new(name).unwrap_or_default()).as_ptr()
}
