//! What a program cost: launches, bytes that went up and down, calls that made the host wait, memory.
//!
//! Launches, copies and calls are counted when they are called, what a kernel read and wrote when it has run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The cost of the launches of one kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelMeter {
    /// How often it was launched.
    pub launches: u64,
    /// Instructions executed, counted for each thread.
    pub instructions: u64,
    /// Bytes read from global memory, counted for each thread.
    pub bytes_read: u64,
    /// Bytes written to global memory, counted for each thread.
    pub bytes_written: u64,
}

/// Copies in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyMeter {
    /// How many copies.
    pub copies: u64,
    /// How many bytes in all.
    pub bytes: u64,
}

impl CopyMeter {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.copies += 1;
        self.bytes += bytes;
    }
}

/// What was done on one device since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// Kernel launches in all.
    pub launches: u64,
    /// Kernel launches by name.
    pub kernels: BTreeMap<String, KernelMeter>,
    /// Calls of cuBLAS and cuSOLVER that queue work, by name.
    pub library_calls: BTreeMap<String, u64>,
    /// From the host to the device.
    pub up: CopyMeter,
    /// From the device to the host.
    pub down: CopyMeter,
    /// Within the device.
    pub across: CopyMeter,
    /// Memory sets.
    pub fills: CopyMeter,
    /// Calls that made the host wait for the device.
    pub synchronisations: u64,
    /// Allocations of device memory.
    pub allocations: u64,
    /// Bytes of device memory in use.
    pub memory_now: u64,
    /// The most bytes of device memory in use at one time.
    pub memory_peak: u64,
}

impl Meter {
    pub(crate) fn kernel(&mut self, name: &str) -> &mut KernelMeter {
        if !self.kernels.contains_key(name) {
            self.kernels.insert(name.to_owned(), KernelMeter::default());
        }
        self.kernels.get_mut(name).expect("inserted above")
    }

    /// The sum of two meters.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (name, kernel) in &other.kernels {
            let sum = self.kernel(name);
            sum.launches += kernel.launches;
            sum.instructions += kernel.instructions;
            sum.bytes_read += kernel.bytes_read;
            sum.bytes_written += kernel.bytes_written;
        }
        for (name, calls) in &other.library_calls {
            *self.library_calls.entry(name.clone()).or_default() += calls;
        }
        let copies = [
            (&mut self.up, other.up),
            (&mut self.down, other.down),
            (&mut self.across, other.across),
            (&mut self.fills, other.fills),
        ];
        for (sum, part) in copies {
            sum.copies += part.copies;
            sum.bytes += part.bytes;
        }
        self.launches += other.launches;
        self.synchronisations += other.synchronisations;
        self.allocations += other.allocations;
        self.memory_now += other.memory_now;
        self.memory_peak += other.memory_peak;
        self
    }

    pub(crate) fn library_call(&mut self, name: &str) {
        *self.library_calls.entry(name.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{CopyMeter, Meter};

    #[test]
    fn meters_of_two_devices_add_up() {
        let mut first = Meter { launches: 2, memory_peak: 100, ..Meter::default() };
        first.kernel("add").launches = 2;
        first.kernel("add").bytes_read = 16;
        first.up.add(8);
        first.library_call("cublasDgemm_v2");
        let mut second = first.clone();
        second.kernel("scale").launches = 1;
        second.synchronisations = 3;
        let sum = first.plus(&second);
        assert_eq!((sum.launches, sum.synchronisations, sum.memory_peak), (4, 3, 200));
        assert_eq!((sum.kernels["add"].launches, sum.kernels["add"].bytes_read), (4, 32));
        assert_eq!(sum.kernels["scale"].launches, 1);
        assert_eq!(sum.up, CopyMeter { copies: 2, bytes: 16 });
        assert_eq!(sum.library_calls["cublasDgemm_v2"], 2);
    }
}
