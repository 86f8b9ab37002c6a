//! Device memory: allocations at virtual addresses, with a shadow that knows which bytes were written.
//!
//! The checks are those of `compute-sanitizer`'s memcheck and initcheck: an address belongs to one live
//! allocation or the access is a fault, and a byte that nothing wrote may not be read. Addresses are never
//! host pointers (they lie above what a host program can map), and never used twice, so that a stale pointer
//! is recognised for as long as the memory object lives.

mod allocation;
mod reservation;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

pub(crate) use allocation::Allocation;

use crate::fault::{Fault, FaultKind};

/// The first device address: 2^48, which no user program on x86-64 or AArch64 can map.
const FIRST_ADDRESS: u64 = 1 << 48;
/// Allocations start at multiples of this, as `cuMemAlloc`'s do.
const ALIGNMENT: u64 = 256;
/// At least this many bytes between allocations belong to none, so that overruns are seen.
const GAP: u64 = 4096;

/// What a library call does to a range of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads all of the range.
    Read,
    /// Writes all of the range.
    Write,
    /// Reads and writes all of the range.
    ReadWrite,
}

/// The live allocations, in the order of their addresses.
pub(crate) type Table = Vec<Arc<Allocation>>;

/// The memory of an emulated device.
#[derive(Debug)]
pub struct Memory {
    total: u64,
    live: RwLock<Arc<Table>>,
    book: Mutex<Book>,
}

/// What is not needed to access memory.
#[derive(Debug)]
struct Book {
    next: u64,
    used: u64,
    peak: u64,
    /// Bytes in `reserved`.
    promised: u64,
    reserved: BTreeMap<u64, (u64, Arc<str>)>,
    freed: BTreeMap<u64, (u64, Arc<str>)>,
}

impl Memory {
    /// A device with `total_bytes` of memory.
    #[must_use]
    pub fn new(total_bytes: u64) -> Self {
        let book = Book {
            next: FIRST_ADDRESS,
            used: 0,
            peak: 0,
            promised: 0,
            reserved: BTreeMap::new(),
            freed: BTreeMap::new(),
        };
        Self { total: total_bytes, live: RwLock::default(), book: Mutex::new(book) }
    }

    /// The address of a new allocation, a multiple of 256, or `None` if the device's memory is used up.
    ///
    /// Its contents count as unwritten. `label` names it in the messages of faults and in [`Memory::live`].
    #[must_use]
    pub fn allocate(&self, bytes: u64, label: &str) -> Option<u64> {
        let mut book = self.book();
        if !book.has_room(bytes, self.total) {
            return None;
        }
        let address = book.next;
        let allocation = Allocation::new(address, bytes, label)?;
        book.next = (address + bytes + GAP).next_multiple_of(ALIGNMENT);
        book.used += bytes;
        book.peak = book.peak.max(book.used);
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut live).push(Arc::new(allocation));
        Some(address)
    }

    /// Gives back the allocation that starts at `address`.
    ///
    /// # Errors
    /// [`FaultKind::DoubleFree`] if it was freed before, [`FaultKind::IllegalAddress`] if none starts there.
    pub fn free(&self, address: u64) -> Result<(), Fault> {
        let mut book = self.book();
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let Ok(index) = live.binary_search_by_key(&address, |allocation| allocation.address()) else {
            drop(live);
            if let Some((bytes, label)) = book.freed.get(&address) {
                let message = format!("the {bytes} bytes at {address:#x} ({label}) were freed before");
                return Err(Fault::new(FaultKind::DoubleFree, message));
            }
            drop(book);
            let message = format!("no allocation starts at {address:#x}; {}", self.describe(address));
            return Err(Fault::new(FaultKind::IllegalAddress, message));
        };
        let allocation = Arc::make_mut(&mut live).remove(index);
        book.used -= allocation.bytes();
        book.freed.insert(address, (allocation.bytes(), allocation.label().clone()));
        Ok(())
    }

    /// The size of the device's memory in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The bytes in live allocations.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.book().used
    }

    /// The most bytes that were in live allocations at one time.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.book().peak
    }

    /// Address, bytes and label of every live allocation, in the order of their addresses.
    #[must_use]
    pub fn live(&self) -> Vec<(u64, u64, String)> {
        let describe = |allocation: &Arc<Allocation>| {
            (allocation.address(), allocation.bytes(), allocation.label().to_string())
        };
        self.table().iter().map(describe).collect()
    }

    /// Start and size in bytes of the live allocation that contains `address`.
    #[must_use]
    pub fn containing(&self, address: u64) -> Option<(u64, u64)> {
        find(&self.table(), address).map(|allocation| (allocation.address(), allocation.bytes()))
    }

    /// Copies `data` to the device.
    ///
    /// # Errors
    /// A fault if the range does not lie in one live allocation.
    pub fn write(&self, address: u64, data: &[u8]) -> Result<(), Fault> {
        let Some((allocation, offset)) = self.range(address, data.len() as u64)? else { return Ok(()) };
        allocation.write(offset, data);
        Ok(())
    }

    /// Copies from the device.
    ///
    /// # Errors
    /// A fault if the range does not lie in one live allocation, or if a byte of it was never written.
    pub fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Fault> {
        let Some((allocation, offset)) = self.range(address, into.len() as u64)? else { return Ok(()) };
        allocation.check_written(offset, into.len())?;
        allocation.read(offset, into);
        Ok(())
    }

    /// Writes `pattern` `count` times, one after another.
    ///
    /// # Errors
    /// A fault if the range does not lie in one live allocation.
    pub fn fill(&self, address: u64, pattern: &[u8], count: u64) -> Result<(), Fault> {
        let bytes = (pattern.len() as u64).saturating_mul(count);
        let Some((allocation, offset)) = self.range(address, bytes)? else { return Ok(()) };
        // Both fit: the range lies in an allocation that the host could make.
        let block = pattern.repeat((4096 / pattern.len()).clamp(1, count as usize));
        for start in (0..bytes as usize).step_by(block.len()) {
            let end = block.len().min(bytes as usize - start);
            allocation.write(offset + start, &block[..end]);
        }
        Ok(())
    }

    /// Copies within the device. Unwritten bytes stay unwritten at the destination; copying them is no fault.
    ///
    /// # Errors
    /// A fault if a range does not lie in one live allocation.
    pub fn copy(&self, from: u64, to: u64, bytes: u64) -> Result<(), Fault> {
        let Some((source, from_offset)) = self.range(from, bytes)? else { return Ok(()) };
        let Some((target, to_offset)) = self.range(to, bytes)? else { return Ok(()) };
        target.copy_from(to_offset, &source, from_offset, bytes as usize);
        Ok(())
    }

    /// The host's address of a range, for libraries that work on device memory.
    ///
    /// The pointer is good until the allocation is freed. A range of no bytes gives a dangling pointer.
    ///
    /// # Errors
    /// A fault if the range does not lie in one live allocation, or is to be read and a byte was never written.
    pub fn host_pointer(&self, address: u64, bytes: u64, access: Access) -> Result<*mut u8, Fault> {
        let Some((allocation, offset)) = self.range(address, bytes)? else {
            return Ok(std::ptr::without_provenance_mut(ALIGNMENT as usize));
        };
        if access != Access::Write {
            allocation.check_written(offset, bytes as usize)?;
        }
        if access != Access::Read {
            allocation.mark_written(offset, bytes as usize);
        }
        Ok(allocation.host_pointer(offset))
    }

    /// The live allocations at this moment; they outlive a free for as long as the table is held.
    pub(crate) fn table(&self) -> Arc<Table> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The fault of an access to `bytes` bytes at `address` that no live allocation contains.
    pub(crate) fn outside(&self, address: u64, bytes: u64) -> Fault {
        let kind = match self.freed_around(address) {
            Some(_) => FaultKind::UseAfterFree,
            None => FaultKind::IllegalAddress,
        };
        Fault::new(kind, format!("{bytes} bytes at {address:#x}; {}", self.describe(address)))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The allocation that contains the range, and the range's offset in it; `None` for an empty range.
    fn range(&self, address: u64, bytes: u64) -> Result<Option<(Arc<Allocation>, usize)>, Fault> {
        if bytes == 0 {
            return Ok(None);
        }
        match find(&self.table(), address) {
            Some(allocation) if allocation.contains(address, bytes) => {
                Ok(Some((allocation.clone(), (address - allocation.address()) as usize)))
            }
            _ => Err(self.outside(address, bytes)),
        }
    }

    fn freed_around(&self, address: u64) -> Option<(u64, u64, Arc<str>)> {
        let book = self.book();
        let (&start, (bytes, label)) = book.freed.range(..=address).next_back()?;
        (address - start < *bytes).then(|| (start, *bytes, label.clone()))
    }

    /// Where `address` lies with respect to the allocations, in words.
    fn describe(&self, address: u64) -> String {
        if let Some((start, bytes, label)) = self.freed_around(address) {
            return format!("it lies in the {bytes} bytes at {start:#x} ({label}) that were freed");
        }
        if let Some(reserved) = self.book().describe_reserved(address) {
            return reserved;
        }
        let table = self.table();
        let after = table.partition_point(|allocation| allocation.address() <= address);
        let (before, after) = (after.checked_sub(1).map(|index| &table[index]), table.get(after));
        let distance = |allocation: &Allocation| {
            let end = allocation.address() + allocation.bytes();
            address.checked_sub(end).unwrap_or(allocation.address().saturating_sub(address))
        };
        match [before, after].into_iter().flatten().min_by_key(|allocation| distance(allocation)) {
            None => "there is no live allocation".into(),
            Some(near) => {
                let (start, bytes, label) = (near.address(), near.bytes(), near.label());
                let place = if address < start {
                    format!("{} bytes before", start - address)
                } else if address < start + bytes {
                    format!("{} bytes into", address - start)
                } else {
                    format!("{} bytes past the end of", address - start - bytes)
                };
                format!("it starts {place} the {bytes} bytes at {start:#x} ({label})")
            }
        }
    }
}

/// The allocation in `table` that contains `address`.
pub(crate) fn find(table: &Table, address: u64) -> Option<&Arc<Allocation>> {
    let after = table.partition_point(|allocation| allocation.address() <= address);
    let candidate = &table[after.checked_sub(1)?];
    candidate.contains(address, 1).then_some(candidate)
}

#[cfg(test)]
mod tests;
