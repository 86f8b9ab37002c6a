//! Where a memory instruction of a warp goes, with the checks of alignment and bounds.

use std::cell::Cell;

use super::address::window;
use super::instruction::Place;
use super::race::Races;
use super::register::{FULL, LANES, Registers, each};
use crate::fault::FaultKind;
use crate::memory::{Allocation, Memory, Table, find};
use crate::ptx::syntax::Space;

/// What a lane did wrong.
#[derive(Debug)]
pub(crate) struct Lapse {
    pub(crate) kind: FaultKind,
    pub(crate) lane: usize,
    pub(crate) detail: String,
}

/// An address, or an offset, of each lane.
pub(crate) type Addresses = [u64; LANES];

/// The memories that a warp can reach.
pub(crate) struct Memories<'a> {
    pub(crate) device: &'a Memory,
    /// The allocations of the device that lived when the kernel started.
    pub(crate) table: &'a Table,
    /// Where in the table the last access of each of a few instructions was.
    pub(crate) recent: Cell<[u32; 8]>,
    pub(crate) parameters: &'a Allocation,
    pub(crate) shared: &'a Allocation,
    /// The memory that each thread has for itself: `stride` bytes a lane, lane after lane.
    pub(crate) local: &'a Allocation,
    pub(crate) stride: u64,
    /// What the warps of the block did to shared memory since the last barrier, and which of them this is.
    pub(crate) races: &'a Races,
    pub(crate) warp: u32,
}

/// Part of an access: lanes whose addresses lie in one allocation, as offsets in it.
pub(crate) struct Part<'a> {
    pub(crate) allocation: &'a Allocation,
    pub(crate) space: Space,
    pub(crate) offsets: Addresses,
    pub(crate) mask: u32,
}

impl Memories<'_> {
    /// Checks an access of `bytes` bytes a lane, and calls `act` for each part of it; mostly there is only one.
    #[inline(always)]
    pub(crate) fn access(
        &self,
        registers: &Registers<'_>,
        place: Place,
        mask: u32,
        bytes: u64,
        mut act: impl FnMut(&Part<'_>) -> Result<(), Lapse>,
    ) -> Result<(), Lapse> {
        let mut rest = mask;
        while rest != 0 {
            let part = self.first_part(registers, place, rest, bytes)?;
            act(&part)?;
            rest &= !part.mask;
        }
        Ok(())
    }

    /// The part of an access that its first lane belongs to.
    #[inline(always)]
    fn first_part(
        &self,
        registers: &Registers<'_>,
        place: Place,
        mut mask: u32,
        bytes: u64,
    ) -> Result<Part<'_>, Lapse> {
        let mut addresses = addresses(registers, place, mask);
        let first = mask.trailing_zeros() as usize;
        if addresses.iter().fold(0, |bits, address| bits | address) & (bytes - 1) != 0 {
            return Err(misaligned(&addresses, mask, bytes));
        }
        let mut space = place.space;
        if space == Space::Generic {
            space = window(addresses[first]).0;
            let beside = |lane: &usize| window(addresses[*lane]).0 == space;
            if !(0..LANES).all(|lane| beside(&lane)) {
                mask = lanes(each(mask).filter(beside));
            }
            if space != Space::Global {
                addresses = addresses.map(|address| window(address).1);
            }
        }
        let allocation = match space {
            Space::Shared => self.shared,
            Space::Parameter => self.parameters,
            Space::Local => {
                self.own_lanes(&mut addresses, mask, bytes)?;
                return Ok(Part { allocation: self.local, space, offsets: addresses, mask });
            }
            _ => self.global(addresses[first], bytes, place).ok_or_else(|| {
                let fault = self.device.outside(addresses[first], bytes);
                Lapse { kind: fault.kind, lane: first, detail: fault.message }
            })?,
        };
        let start = allocation.address();
        let offsets = addresses.map(|address| address.wrapping_sub(start));
        // An offset below the start has wrapped to a large one.
        let last = allocation.bytes().wrapping_sub(bytes);
        let fits = |lane: &usize| offsets[*lane] <= last && bytes <= allocation.bytes();
        if !(0..LANES).fold(true, |all, lane| all & fits(&lane)) {
            if space == Space::Global {
                mask = lanes(each(mask).filter(fits));
            } else if let Some(lane) = each(mask).find(|lane| !fits(lane)) {
                let (address, size, label) = (addresses[lane], allocation.bytes(), allocation.label());
                let detail = format!("{bytes} bytes at {address:#x} of the {size} bytes of {label}");
                return Err(Lapse { kind: FaultKind::IllegalAddress, lane, detail });
            }
        }
        Ok(Part { allocation, space, offsets, mask })
    }

    /// The allocation of device memory that contains the first bytes of an access.
    #[inline(always)]
    fn global(&self, address: u64, bytes: u64, place: Place) -> Option<&Allocation> {
        let slot = place.base as usize % 8;
        let mut recent = self.recent.get();
        if let Some(allocation) = self.table.get(recent[slot] as usize)
            && allocation.contains(address, bytes)
        {
            return Some(allocation);
        }
        let allocation =
            find(self.table, address).filter(|allocation| allocation.contains(address, bytes))?;
        let index = self.table.partition_point(|other| other.address() < allocation.address());
        recent[slot] = index as u32;
        self.recent.set(recent);
        Some(allocation)
    }

    /// Turns addresses of local memory into offsets in that of all lanes.
    fn own_lanes(&self, addresses: &mut Addresses, mask: u32, bytes: u64) -> Result<(), Lapse> {
        let stride = self.stride;
        let outside = |lane: &usize| addresses[*lane] >= stride || stride - addresses[*lane] < bytes;
        if let Some(lane) = each(mask).find(outside) {
            let detail =
                format!("{bytes} bytes at {:#x} of the {stride} bytes of local memory", addresses[lane]);
            return Err(Lapse { kind: FaultKind::IllegalAddress, lane, detail });
        }
        for (lane, address) in addresses.iter_mut().enumerate() {
            *address = address.wrapping_add(lane as u64 * stride);
        }
        Ok(())
    }
}

/// The addresses of all lanes; those of lanes outside of `mask` repeat the first of the others.
#[inline(always)]
fn addresses(registers: &Registers<'_>, place: Place, mask: u32) -> Addresses {
    let offset = place.offset.cast_unsigned();
    let mut addresses = if place.is_wide {
        registers.lanes::<u64>(place.base).map(|base| base.wrapping_add(offset))
    } else {
        registers.lanes::<u32>(place.base).map(|base| u64::from(base.wrapping_add(offset as u32)))
    };
    if mask != FULL {
        let first = addresses[mask.trailing_zeros() as usize];
        for (lane, address) in addresses.iter_mut().enumerate() {
            *address = if mask >> lane & 1 == 1 { *address } else { first };
        }
    }
    addresses
}

fn misaligned(addresses: &Addresses, mask: u32, bytes: u64) -> Lapse {
    let lane = each(mask).find(|&lane| addresses[lane] & (bytes - 1) != 0).unwrap_or(0);
    let detail = format!("{bytes} bytes at {:#x}, which is no multiple of {bytes}", addresses[lane]);
    Lapse { kind: FaultKind::Misaligned, lane, detail }
}

fn lanes(lanes: impl Iterator<Item = usize>) -> u32 {
    lanes.fold(0, |mask, lane| mask | 1 << lane)
}
