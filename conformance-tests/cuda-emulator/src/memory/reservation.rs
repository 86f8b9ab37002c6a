//! Stream-ordered allocation: an address now, memory behind it when its turn in the stream has come.
//!
//! An access before that turn is an access outside every live allocation.

use std::sync::{Arc, PoisonError};

use super::{ALIGNMENT, Allocation, Book, GAP, Memory};
use crate::fault::{Fault, FaultKind};

impl Memory {
    /// The address of an allocation to come; [`Memory::commit`] makes it live. `None` if the device's memory is
    /// used up by what is live and what is promised.
    #[must_use]
    pub fn reserve(&self, bytes: u64, label: &str) -> Option<u64> {
        let mut book = self.book();
        if !book.has_room(bytes, self.total) {
            return None;
        }
        let address = book.next;
        book.next = address.checked_add(bytes)?.checked_add(GAP)?.checked_next_multiple_of(ALIGNMENT)?;
        book.promised += bytes;
        book.reserved.insert(address, (bytes, label.into()));
        Some(address)
    }

    /// Makes the allocation that was reserved at `address` live. Its contents count as unwritten.
    ///
    /// # Errors
    /// [`FaultKind::IllegalAddress`] if nothing is reserved there, [`FaultKind::Limit`] if the host has no memory
    /// for it.
    pub fn commit(&self, address: u64) -> Result<(), Fault> {
        let mut book = self.book();
        let Some((bytes, label)) = book.reserved.remove(&address) else {
            return Err(Fault::new(
                FaultKind::IllegalAddress,
                format!("nothing is reserved at {address:#x}"),
            ));
        };
        book.promised -= bytes;
        let allocation = Allocation::new(address, bytes, &label).ok_or_else(|| {
            Fault::new(FaultKind::Limit, format!("the host has no {bytes} bytes for {label}"))
        })?;
        book.used += bytes;
        book.peak = book.peak.max(book.used);
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let index = live.partition_point(|other| other.address() < address);
        Arc::make_mut(&mut live).insert(index, Arc::new(allocation));
        Ok(())
    }

    /// Moves the addresses of all later allocations up, so that those of several devices differ.
    pub fn shift(&self, bytes: u64) {
        self.book().next += bytes.next_multiple_of(ALIGNMENT);
    }

    /// Starts the count of [`Memory::peak`] anew from what is live.
    pub fn reset_peak(&self) {
        let mut book = self.book();
        book.peak = book.used;
    }

    /// Bytes that are neither live nor promised.
    #[must_use]
    pub fn available(&self) -> u64 {
        let book = self.book();
        self.total.saturating_sub(book.used.saturating_add(book.promised))
    }
}

impl Book {
    pub(super) fn has_room(&self, bytes: u64, total: u64) -> bool {
        let taken = self.used.checked_add(self.promised).and_then(|taken| taken.checked_add(bytes));
        taken.is_some_and(|taken| taken <= total)
    }

    /// What is reserved around an address, in words.
    pub(super) fn describe_reserved(&self, address: u64) -> Option<String> {
        let (&start, (bytes, label)) = self.reserved.range(..=address).next_back()?;
        let inside = address - start < *bytes;
        inside.then(|| {
            format!(
                "it lies in the {bytes} bytes at {start:#x} ({label}) that its stream has not allocated yet"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::fault::FaultKind;
    use crate::memory::Memory;

    #[test]
    fn a_reservation_is_live_once_it_is_committed() {
        let memory = Memory::new(1000);
        let address = memory.reserve(600, "early").expect("there is room");
        assert_eq!((memory.used(), memory.available()), (0, 400));
        let fault = memory.write(address + 8, &[1]).expect_err("not live yet");
        assert_eq!(fault.kind, FaultKind::IllegalAddress);
        assert!(fault.message.contains("(early) that its stream has not allocated yet"), "{fault}");
        assert_eq!(memory.allocate(500, "too much"), None);
        let later = memory.allocate(400, "later").expect("there is room");
        assert_eq!(memory.reserve(1, "full"), None);

        memory.commit(address).expect("it was reserved");
        memory.write(address + 8, &[7]).expect("live");
        memory.write(later, &[8]).expect("live");
        let mut byte = [0];
        memory.read(address + 8, &mut byte).expect("written");
        assert_eq!(byte, [7]);
        assert_eq!((memory.used(), memory.peak()), (1000, 1000));
        assert_eq!(memory.commit(address).expect_err("only once").kind, FaultKind::IllegalAddress);

        memory.free(address).expect("live");
        memory.reset_peak();
        assert_eq!((memory.used(), memory.peak(), memory.available()), (400, 400, 600));
        assert_eq!(memory.write(address, &[1]).expect_err("freed").kind, FaultKind::UseAfterFree);
    }
}
