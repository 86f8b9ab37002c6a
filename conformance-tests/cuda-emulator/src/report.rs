//! The exported functions that a test reads the emulator with, and the records that they return as JSON.
//!
//! Each function writes at most `length` bytes and returns the length of the whole text, as `snprintf` does
//! (without a terminating zero). [`crate::client`] calls them.

#![expect(unsafe_code, reason = "exports C functions")]

use std::ffi::c_char;
use std::panic::catch_unwind;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::platform::platform;

/// A fault that the checker found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The name of the [`crate::fault::FaultKind`].
    pub kind: String,
    /// One line: call or kernel, place, nearest allocation.
    pub message: String,
    /// The device, as the program counts them.
    pub device: u64,
    /// The value of `CUDA_EMULATOR_SEED` that repeats it.
    pub seed: u64,
}

/// Something that the program made and did not give back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// "device memory", "pinned memory", "stream", "event", "module" or "library handle".
    pub what: String,
    /// The call that made it.
    pub label: String,
    /// Its size, where it has one.
    pub bytes: u64,
    /// The device, as the program counts them.
    pub device: u64,
}

/// The version of the emulator's own interface, raised when a record changes.
pub(crate) const INTERFACE_VERSION: u32 = 1;

/// What `part` returns for each device.
fn of_devices<T>(part: impl Fn(&mut Context) -> T) -> Vec<T> {
    let Ok(platform) = platform() else { return Vec::new() };
    let contexts = (0..platform.devices()).filter_map(|device| platform.context(device).ok());
    contexts.map(|mut context| part(&mut context)).collect()
}

/// Copies the JSON text of `value`, as far as it fits, and returns its length.
///
/// # Safety
/// `buffer` is null or has room for `length` bytes.
unsafe fn write_json(value: &impl Serialize, buffer: *mut c_char, length: usize) -> usize {
    let text = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
    if !buffer.is_null() {
        // SAFETY: the buffer has room for `length` bytes, and never overlaps the new text.
        unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len().min(length)) };
    }
    text.len()
}

/// The version of this interface.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn cuda_emulator_version() -> u32 {
    INTERFACE_VERSION
}

/// The meters of all devices: an array of [`crate::meter::Meter`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cuda_emulator_meter_json(buffer: *mut c_char, length: usize) -> usize {
    let meters = || of_devices(|context| context.read_meter());
    // SAFETY: the caller gives a buffer of `length` bytes.
    catch_unwind(|| unsafe { write_json(&meters(), buffer, length) }).unwrap_or(0)
}

/// Sets the meters of all devices to zero.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn cuda_emulator_reset_meter() {
    // A panic has been printed, and there is nothing to return.
    catch_unwind(|| of_devices(Context::reset_meter)).ok();
}

/// Runs everything queued and writes all faults so far: an array of [`FaultReport`]. If the text fits, the faults
/// are forgotten and the contexts work again.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cuda_emulator_faults_json(buffer: *mut c_char, length: usize) -> usize {
    let write = || {
        let faults: Vec<FaultReport> = of_devices(Context::faults).into_iter().flatten().collect();
        // SAFETY: the caller gives a buffer of `length` bytes.
        let needed = unsafe { write_json(&faults, buffer, length) };
        if !buffer.is_null() && needed <= length {
            of_devices(Context::forget_faults);
        }
        needed
    };
    catch_unwind(write).unwrap_or(0)
}

/// Runs everything queued and writes what the program holds: an array of [`Leak`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cuda_emulator_leaks_json(buffer: *mut c_char, length: usize) -> usize {
    let leaks = || -> Vec<Leak> { of_devices(Context::leaks).into_iter().flatten().collect() };
    // SAFETY: the caller gives a buffer of `length` bytes.
    catch_unwind(|| unsafe { write_json(&leaks(), buffer, length) }).unwrap_or(0)
}
