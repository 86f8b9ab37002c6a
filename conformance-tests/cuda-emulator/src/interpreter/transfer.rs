//! Loads, stores and atomics of a warp.
//!
//! An access of 32 lanes to adjacent addresses, or of any to one address, is one copy; others go lane by lane.

use super::Counts;
use super::access::{Addresses, Lapse, Memories, Part};
use super::instruction::{Atomic, Element, Transfer};
use super::register::{FULL, LANES, Registers, each};
use super::word::Word;
use crate::fault::FaultKind;
use crate::memory::Allocation;
use crate::ptx::syntax::Space;

/// `ld`
pub(crate) fn load(
    memories: &Memories<'_>,
    counts: &mut Counts,
    registers: &mut Registers<'_>,
    load: &Transfer,
    mask: u32,
) -> Result<(), Lapse> {
    match (load.bytes, load.elements.len()) {
        (1, 1) => load_words::<u8, 1>(memories, counts, registers, load, mask),
        (2, 1) => load_words::<u16, 1>(memories, counts, registers, load, mask),
        (4, 1) => load_words::<u32, 1>(memories, counts, registers, load, mask),
        (8, 1) => load_words::<u64, 1>(memories, counts, registers, load, mask),
        (1, _) => load_words::<u8, 4>(memories, counts, registers, load, mask),
        (2, _) => load_words::<u16, 4>(memories, counts, registers, load, mask),
        (4, _) => load_words::<u32, 4>(memories, counts, registers, load, mask),
        _ => load_words::<u64, 4>(memories, counts, registers, load, mask),
    }
}

/// `st`
pub(crate) fn store(
    memories: &Memories<'_>,
    counts: &mut Counts,
    registers: &Registers<'_>,
    store: &Transfer,
    mask: u32,
) -> Result<(), Lapse> {
    match store.bytes {
        1 => store_words::<u8>(memories, counts, registers, store, mask),
        2 => store_words::<u16>(memories, counts, registers, store, mask),
        4 => store_words::<u32>(memories, counts, registers, store, mask),
        _ => store_words::<u64>(memories, counts, registers, store, mask),
    }
}

/// How the offsets of the lanes of a warp lie.
enum Pattern {
    /// One word after another, in the order of the lanes.
    Adjacent,
    /// All the same.
    Same,
    Any,
}

#[inline(always)]
fn pattern(offsets: &Addresses, bytes: u64, mask: u32) -> Pattern {
    let step = offsets[1].wrapping_sub(offsets[0]);
    if step != 0 && (step != bytes || mask != FULL) {
        return Pattern::Any;
    }
    let expected = |lane: usize| offsets[0].wrapping_add(lane as u64 * step);
    let differs = (0..LANES).fold(0, |differs, lane| differs | (offsets[lane] ^ expected(lane)));
    match (differs, step) {
        (0, 0) => Pattern::Same,
        (0, _) => Pattern::Adjacent,
        _ => Pattern::Any,
    }
}

fn load_words<T: Word, const N: usize>(
    memories: &Memories<'_>,
    counts: &mut Counts,
    registers: &mut Registers<'_>,
    load: &Transfer,
    mask: u32,
) -> Result<(), Lapse> {
    let count = load.elements.len();
    let bytes = (T::BYTES * count) as u64;
    let mut values = [[T::zeroed(); LANES]; N];
    memories.access(registers, load.place, mask, bytes, |part| {
        if part.space == Space::Global {
            counts.bytes_read += bytes * u64::from(part.mask.count_ones());
        }
        if part.space == Space::Shared {
            let races = memories.races;
            watch(part, bytes, |start, bytes, _| races.read(memories.warp, start, bytes))?;
        }
        read(part, count, &mut values)
    })?;
    for (values, element) in values.iter().zip(&load.elements) {
        if load.is_signed {
            keep(registers, *element, &values.map(T::sign_extended), mask);
        } else {
            keep(registers, *element, &values.map(T::zero_extended), mask);
        }
    }
    Ok(())
}

/// Reads `count` words a lane.
#[inline(always)]
fn read<T: Word, const N: usize>(
    part: &Part<'_>,
    count: usize,
    values: &mut [[T; LANES]; N],
) -> Result<(), Lapse> {
    let (data, written) = (part.allocation.data(), part.allocation.written());
    let bytes = T::BYTES * count;
    match pattern(&part.offsets, bytes as u64, part.mask) {
        Pattern::Adjacent if count == 1 => {
            let start = part.offsets[0] as usize;
            if !written.all_set(start, LANES * bytes) {
                return Err(unwritten(part, bytes));
            }
            data.read(start, bytemuck::bytes_of_mut(&mut values[0]));
        }
        Pattern::Same => {
            let start = part.offsets[0] as usize;
            if !written.all_set(start, bytes) {
                return Err(unwritten(part, bytes));
            }
            for (index, values) in values.iter_mut().enumerate().take(count) {
                let mut value = T::zeroed();
                data.read(start + index * T::BYTES, bytemuck::bytes_of_mut(&mut value));
                for lane in each(part.mask) {
                    values[lane] = value;
                }
            }
        }
        _ => {
            for lane in each(part.mask) {
                let start = part.offsets[lane] as usize;
                for (index, values) in values.iter_mut().enumerate().take(count) {
                    let start = start + index * T::BYTES;
                    if !written.all_set(start, T::BYTES) {
                        return Err(unwritten(part, bytes));
                    }
                    data.read(start, bytemuck::bytes_of_mut(&mut values[lane]));
                }
            }
        }
    }
    Ok(())
}

/// The fault of a read, by the first lane that reads what nothing wrote.
#[cold]
fn unwritten(part: &Part<'_>, bytes: usize) -> Lapse {
    let first = each(part.mask).find_map(|lane| {
        let fault = part.allocation.check_written(part.offsets[lane] as usize, bytes).err()?;
        Some((lane, fault.message))
    });
    let (lane, detail) = first.unwrap_or_default();
    Lapse { kind: FaultKind::Uninitialized, lane, detail }
}

/// Writes loaded values to a register of any size.
#[inline(always)]
fn keep(registers: &mut Registers<'_>, element: Element, values: &[u64; LANES], mask: u32) {
    match element.register_bytes {
        2 => registers.set_lanes(element.column, &values.map(|value| value as u16), mask),
        4 => registers.set_lanes(element.column, &values.map(|value| value as u32), mask),
        _ => registers.set_lanes(element.column, values, mask),
    }
}

fn store_words<T: Word>(
    memories: &Memories<'_>,
    counts: &mut Counts,
    registers: &Registers<'_>,
    store: &Transfer,
    mask: u32,
) -> Result<(), Lapse> {
    let count = store.elements.len();
    let bytes = (T::BYTES * count) as u64;
    memories.access(registers, store.place, mask, bytes, |part| {
        if part.space == Space::Global {
            counts.bytes_written += bytes * u64::from(part.mask.count_ones());
        }
        for (index, element) in store.elements.iter().enumerate() {
            let values: [T; LANES] = match element.register_bytes {
                2 => registers.lanes::<u16>(element.column).map(|value| T::truncated(value.into())),
                4 => registers.lanes::<u32>(element.column).map(|value| T::truncated(value.into())),
                _ => registers.lanes::<u64>(element.column).map(T::truncated),
            };
            let (data, written) = (part.allocation.data(), part.allocation.written());
            if part.space == Space::Shared && index == 0 {
                let races = memories.races;
                watch(part, bytes, |start, bytes, lane| {
                    let unchanged = || lane.is_some_and(|lane| holds(part, store, registers, lane, start));
                    races.write(memories.warp, start, bytes, false, unchanged)
                })?;
            }
            if count == 1 && matches!(pattern(&part.offsets, bytes, part.mask), Pattern::Adjacent) {
                let start = part.offsets[0] as usize;
                data.write(start, bytemuck::bytes_of(&values));
                written.set(start, LANES * T::BYTES, 1);
                continue;
            }
            for lane in each(part.mask) {
                let start = part.offsets[lane] as usize + index * T::BYTES;
                data.write(start, bytemuck::bytes_of(&values[lane]));
                written.set(start, T::BYTES, 1);
            }
        }
        Ok(())
    })
}

/// Calls `note` with the bytes of an access: all at once, or if that finds a race, lane by lane to find its lane.
#[inline(always)]
fn watch(
    part: &Part<'_>,
    bytes: u64,
    note: impl Fn(usize, usize, Option<usize>) -> Result<(), String>,
) -> Result<(), Lapse> {
    let (start, size) = (part.offsets[0] as usize, bytes as usize);
    let together = match pattern(&part.offsets, bytes, part.mask) {
        Pattern::Adjacent => note(start, LANES * size, None).is_ok(),
        Pattern::Same => note(start, size, None).is_ok(),
        Pattern::Any => false,
    };
    if together {
        return Ok(());
    }
    each(part.mask).try_for_each(|lane| {
        let noted = note(part.offsets[lane] as usize, size, Some(lane));
        noted.map_err(|detail| Lapse { kind: FaultKind::Race, lane, detail })
    })
}

/// Whether memory holds already what a lane stores.
fn holds(part: &Part<'_>, store: &Transfer, registers: &Registers<'_>, lane: usize, start: usize) -> bool {
    let size = usize::from(store.bytes);
    store.elements.iter().enumerate().all(|(index, element)| {
        let new = match element.register_bytes {
            2 => u64::from(registers.lanes::<u16>(element.column)[lane]),
            4 => u64::from(registers.lanes::<u32>(element.column)[lane]),
            _ => registers.lanes::<u64>(element.column)[lane],
        };
        let mut old = [0; 8];
        part.allocation.data().read(start + index * size, &mut old[..size]);
        old[..size] == new.to_le_bytes()[..size]
    })
}

/// `atom`, `red`
pub(crate) fn atomic(
    memories: &Memories<'_>,
    counts: &mut Counts,
    registers: &mut Registers<'_>,
    atomic: &Atomic,
    mask: u32,
) -> Result<(), Lapse> {
    let bytes = u64::from(atomic.bytes);
    let word = |column: u32, lane: usize| match atomic.bytes {
        4 => u64::from(registers.lanes::<u32>(column)[lane]),
        _ => registers.lanes::<u64>(column)[lane],
    };
    let mut olds = [0; LANES];
    memories.access(registers, atomic.place, mask, bytes, |part| {
        if part.space == Space::Global {
            let all = bytes * u64::from(part.mask.count_ones());
            counts.bytes_read += all;
            counts.bytes_written += all;
        }
        for lane in each(part.mask) {
            let allocation: &Allocation = part.allocation;
            let offset = part.offsets[lane] as usize;
            if !allocation.written().all_set(offset, bytes as usize) {
                return Err(unwritten(part, bytes as usize));
            }
            if part.space == Space::Shared {
                memories
                    .races
                    .write(memories.warp, offset, bytes as usize, true, || false)
                    .map_err(|detail| Lapse { kind: FaultKind::Race, lane, detail })?;
            }
            let (b, c) = (word(atomic.b, lane), word(atomic.c, lane));
            let update = |old| (atomic.update)(old, b, c);
            olds[lane] = match atomic.bytes {
                4 => allocation.data().update_u32(offset, |old| update(old.into()) as u32).into(),
                _ => allocation.data().update_u64(offset, update),
            };
        }
        Ok(())
    })?;
    if let Some(column) = atomic.d {
        keep(registers, Element { column, register_bytes: atomic.bytes }, &olds, mask);
    }
    Ok(())
}
