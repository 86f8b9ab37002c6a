//! The emulated machine: its devices, and which of them is current on a thread.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use cudarc::driver::sys::{CUcontext, CUresult};

use crate::context::Context;
use crate::handle::{self, Kind};
use crate::settings::Settings;

/// The machine as the environment describes it at `cuInit`.
pub(crate) struct Platform {
    pub(crate) settings: Settings,
    contexts: Vec<Mutex<Context>>,
}

static PLATFORM: OnceLock<Result<Platform, String>> = OnceLock::new();

thread_local! {
    static CURRENT: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Platform {
    fn new(settings: Settings) -> Self {
        let context = |device| Mutex::new(Context::new(device, settings.memory, settings.seed));
        let contexts = (0..settings.visible.len()).map(context).collect();
        Self { settings, contexts }
    }

    pub(crate) fn devices(&self) -> usize {
        self.contexts.len()
    }

    /// The context of a device.
    pub(crate) fn context(&self, device: usize) -> Result<MutexGuard<'_, Context>, CUresult> {
        let context = self.contexts.get(device).ok_or(CUresult::CUDA_ERROR_INVALID_DEVICE)?;
        // A panic was reported where it happened; the state is still of use for the reports.
        Ok(context.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads the environment, once.
pub(crate) fn initialise() -> Result<(), CUresult> {
    let read = || Settings::read(|name| std::env::var(name).ok()).map(Platform::new);
    match PLATFORM.get_or_init(read) {
        Ok(platform) if platform.devices() == 0 => Err(CUresult::CUDA_ERROR_NO_DEVICE),
        Ok(_) => Ok(()),
        Err(message) => {
            eprintln!("cuda-emulator: {message}");
            Err(CUresult::CUDA_ERROR_SYSTEM_NOT_READY)
        }
    }
}

/// A machine for the tests of this crate, whatever the environment says.
#[cfg(test)]
pub(crate) fn initialise_with(settings: Settings) {
    PLATFORM.get_or_init(|| Ok(Platform::new(settings)));
}

/// The machine, once `cuInit` was called.
pub(crate) fn platform() -> Result<&'static Platform, CUresult> {
    let platform = PLATFORM.get().and_then(|platform| platform.as_ref().ok());
    platform.ok_or(CUresult::CUDA_ERROR_NOT_INITIALIZED)
}

/// The device that is current on this thread.
pub(crate) fn current_device() -> Option<usize> {
    CURRENT.get()
}

/// Makes a device current on this thread, or none.
pub(crate) fn set_current_device(device: Option<usize>) {
    CURRENT.set(device);
}

/// The context that is current on this thread.
pub(crate) fn current() -> Result<MutexGuard<'static, Context>, CUresult> {
    let platform = platform()?;
    let device = current_device().ok_or(CUresult::CUDA_ERROR_INVALID_CONTEXT)?;
    let context = platform.context(device)?;
    if context.retained == 0 {
        return Err(CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED);
    }
    Ok(context)
}

/// The handle of a device's context.
pub(crate) fn context_handle(device: usize) -> CUcontext {
    handle::pack(Kind::Context, device, 1)
}
