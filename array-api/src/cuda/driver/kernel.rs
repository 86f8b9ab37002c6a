//! Kernels: loading modules, and the arguments of a launch.

use std::mem::MaybeUninit;

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;

use super::{failed, unavailable};
use crate::Result;

/// A kernel.
#[derive(Debug, Clone, Copy)]
pub(in crate::cuda) struct Kernel(pub(super) sys::CUfunction);

// SAFETY: the driver's handles may be used from any thread.
unsafe impl Send for Kernel {}
// SAFETY: as above.
unsafe impl Sync for Kernel {}

/// Loads the text of a module and finds its kernels. Modules stay until the process ends.
pub(in crate::cuda) fn load(
    ptx: &std::ffi::CStr,
    kernels: &[&'static str],
) -> Result<Vec<(&'static str, Kernel)>> {
    let refused = |error: DriverError| match error.0 {
        sys::CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => unavailable(
            "the driver is older than the compiler (libnvrtc); update the driver, or put an older libnvrtc \
             into LD_LIBRARY_PATH",
        ),
        _ => failed("loading a kernel")(error),
    };
    // SAFETY: `ptx` is a text that ends with a zero byte.
    let module = unsafe { result::module::load_data(ptx.as_ptr().cast()) }.map_err(refused)?;
    let find = |&name: &&'static str| {
        let text = std::ffi::CString::new(name).map_err(|_| unavailable("a kernel's name holds a zero"))?;
        // SAFETY: the module is live.
        let function =
            unsafe { result::module::get_function(module, text) }.map_err(failed("finding a kernel"))?;
        Ok((name, Kernel(function)))
    };
    kernels.iter().map(find).collect()
}

/// The arguments of a kernel, in its order.
#[derive(Default)]
pub(in crate::cuda) struct Arguments {
    pub(super) words: Vec<u64>,
    pub(super) starts: Vec<usize>,
}

impl Arguments {
    /// Adds a number or a structure of numbers.
    pub(in crate::cuda) fn value<T: Copy>(mut self, value: T) -> Self {
        self.starts.push(self.words.len());
        let words = size_of::<T>().div_ceil(8).max(1);
        let mut bytes = vec![MaybeUninit::new(0_u64); words];
        // SAFETY: there is room for the value; what it does not fill stays zero.
        unsafe { bytes.as_mut_ptr().cast::<T>().write(value) };
        // SAFETY: every word was initialised, and values passed here have no padding.
        self.words.extend(bytes.into_iter().map(|word| unsafe { word.assume_init() }));
        self
    }
}
