//! Reads the emulator from a test that runs on it: meter, faults and leaks.
//!
//! The functions are looked up in the `libcuda.so.1` that the process has loaded, so the state is that of the
//! device under test and not of a second copy linked into the test. With a real driver there is nothing to find.
//!
//! ```no_run
//! use cuda_emulator::client::Emulator;
//!
//! if let Some(emulator) = Emulator::find() {
//!     emulator.reset_meter();
//!     // ... what is to be measured ...
//!     assert_eq!(emulator.meter().down.copies, 1);
//!     assert_eq!(emulator.take_faults(), []);
//! }
//! ```

#![expect(unsafe_code, reason = "calls C functions of a library found at run time")]

use std::ffi::c_char;

use libloading::{Library, Symbol};
use serde::de::DeserializeOwned;

pub use crate::meter::{CopyMeter, KernelMeter, Meter};
use crate::report::INTERFACE_VERSION;
pub use crate::report::{FaultReport, Leak};

/// The names under which programs load the driver.
const NAMES: [&str; 2] = ["libcuda.so.1", "libcuda.so"];

type Read = unsafe extern "C" fn(*mut c_char, usize) -> usize;

/// The emulator that this process uses as its CUDA driver.
#[derive(Debug)]
pub struct Emulator {
    /// Keeps the functions below loaded.
    _library: Library,
    meter: Read,
    reset_meter: unsafe extern "C" fn(),
    faults: Read,
    leaks: Read,
}

impl Emulator {
    /// The emulator, or `None` if the CUDA driver of this process is a real one, or absent.
    #[must_use]
    pub fn find() -> Option<Self> {
        // SAFETY: loading NVIDIA's driver or the emulator runs no code that a program must guard against.
        let library = NAMES.iter().find_map(|name| unsafe { Library::new(*name) }.ok())?;
        // SAFETY: a symbol of this name is exported by the emulator alone, with this type; the version says that
        // the others are those that this module was written for.
        let version: Symbol<'_, extern "C" fn() -> u32> =
            unsafe { library.get("cuda_emulator_version") }.ok()?;
        if version() != INTERFACE_VERSION {
            return None;
        }
        // SAFETY: as above; the library is kept for as long as the functions.
        unsafe {
            Some(Self {
                meter: *library.get("cuda_emulator_meter_json").ok()?,
                reset_meter: *library.get("cuda_emulator_reset_meter").ok()?,
                faults: *library.get("cuda_emulator_faults_json").ok()?,
                leaks: *library.get("cuda_emulator_leaks_json").ok()?,
                _library: library,
            })
        }
    }

    /// What was done on each device since the start or the last reset.
    #[must_use]
    pub fn meters(&self) -> Vec<Meter> {
        read(self.meter)
    }

    /// What was done on all devices together since the start or the last reset.
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.meters().iter().fold(Meter::default(), Meter::plus)
    }

    /// Sets the meters of all devices to zero.
    pub fn reset_meter(&self) {
        // SAFETY: a function of the emulator that takes nothing.
        unsafe { (self.reset_meter)() };
    }

    /// Runs everything queued and returns the faults since the last call. Contexts that they broke work again.
    #[must_use]
    pub fn take_faults(&self) -> Vec<FaultReport> {
        read(self.faults)
    }

    /// Runs everything queued and returns what the program made and did not give back.
    #[must_use]
    pub fn leaks(&self) -> Vec<Leak> {
        read(self.leaks)
    }
}

/// The records that a function of the emulator writes.
fn read<T: DeserializeOwned>(function: Read) -> Vec<T> {
    let mut text: Vec<u8> = Vec::new();
    loop {
        // SAFETY: the buffer has as many bytes as the call says.
        let needed = unsafe { function(text.as_mut_ptr().cast(), text.len()) };
        // The text may grow between two calls, if another thread works on the device.
        if needed <= text.len() {
            text.truncate(needed);
            break;
        }
        text.resize(needed, 0);
    }
    serde_json::from_slice(&text).expect("the emulator writes the records of its interface version")
}
