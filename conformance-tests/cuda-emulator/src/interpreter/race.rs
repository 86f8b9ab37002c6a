//! Data races in shared memory: two warps touch the same byte, one of them writes, and no barrier lies between.
//!
//! Threads of one warp are not told apart. A write of the value that is there already does not race, as a flag that
//! several warps set is common and harmless; atomic operations do not race with each other.

use std::cell::RefCell;

/// A writer that is any number of warps with atomic operations.
const ATOMIC: u8 = 254;
/// A reader that is several warps.
const SEVERAL: u8 = 255;

/// What was done to each byte since the last barrier. Warps count from 1; 0 is none.
#[derive(Debug)]
pub(crate) struct Races {
    marks: RefCell<Marks>,
}

#[derive(Debug)]
struct Marks {
    writers: Vec<u8>,
    readers: Vec<u8>,
}

impl Races {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { marks: RefCell::new(Marks { writers: vec![0; bytes], readers: vec![0; bytes] }) }
    }

    /// Forgets what was before a barrier.
    pub(crate) fn clear(&self) {
        let Marks { writers, readers } = &mut *self.marks.borrow_mut();
        writers.fill(0);
        readers.fill(0);
    }

    /// Notes a read by the warp with this number in the block, or gives the words for a race.
    pub(crate) fn read(&self, warp: u32, start: usize, bytes: usize) -> Result<(), String> {
        let warp = number(warp);
        let Marks { writers, readers } = &mut *self.marks.borrow_mut();
        let range = start..start + bytes;
        if let Some(index) = other(&writers[range.clone()], warp) {
            return Err(race(start, index, writers[start + index], "wrote"));
        }
        for reader in &mut readers[range] {
            *reader = if *reader == 0 || *reader == warp { warp } else { SEVERAL };
        }
        Ok(())
    }

    /// Notes a write, plain or atomic; `unchanged` says whether the memory holds the value already.
    pub(crate) fn write(
        &self,
        warp: u32,
        start: usize,
        bytes: usize,
        atomic: bool,
        unchanged: impl Fn() -> bool,
    ) -> Result<(), String> {
        let warp = number(warp);
        let Marks { writers, readers } = &mut *self.marks.borrow_mut();
        let range = start..start + bytes;
        let written = other(&writers[range.clone()], warp)
            .map(|index| (index, writers[start + index], "wrote"))
            .filter(|&(_, writer, _)| !(atomic && writer == ATOMIC));
        let touched = written.or_else(|| {
            other(&readers[range.clone()], warp).map(|index| (index, readers[start + index], "read"))
        });
        if let Some((index, mark, what)) = touched
            && !unchanged()
        {
            return Err(race(start, index, mark, what));
        }
        writers[range].fill(if atomic { ATOMIC } else { warp });
        Ok(())
    }
}

/// A block has at most 32 warps.
fn number(warp: u32) -> u8 {
    warp as u8 + 1
}

/// The first mark of another warp.
fn other(marks: &[u8], warp: u8) -> Option<usize> {
    // Without an early exit, so that it vectorises; a race is rare.
    let found = marks.iter().fold(false, |found, &mark| found | (mark != 0 && mark != warp));
    if found { marks.iter().position(|&mark| mark != 0 && mark != warp) } else { None }
}

fn race(start: usize, index: usize, mark: u8, what: &str) -> String {
    let by = match mark {
        ATOMIC => "an atomic operation".into(),
        SEVERAL => "several other warps".into(),
        warp => format!("warp {}", warp - 1),
    };
    format!("{by} {what} byte {} of shared memory, and no barrier lies between", start + index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warps_race_until_a_barrier() {
        let races = Races::new(16);
        let same = || true;
        let new = || false;
        races.write(0, 0, 4, false, new).unwrap();
        races.read(0, 0, 4).unwrap();
        assert_eq!(
            races.read(1, 2, 4).unwrap_err(),
            "warp 0 wrote byte 2 of shared memory, and no barrier lies between"
        );
        races.write(1, 0, 4, false, same).unwrap();
        assert!(races.write(2, 3, 1, false, new).is_err());
        races.clear();
        races.read(1, 0, 8).unwrap();
        races.read(2, 4, 8).unwrap();
        assert!(races.write(1, 6, 1, false, new).unwrap_err().contains("several other warps read byte 6"));
        races.write(1, 0, 4, false, new).unwrap();
        races.clear();
        races.write(1, 8, 4, true, new).unwrap();
        races.write(2, 8, 4, true, new).unwrap();
        assert!(races.read(2, 8, 4).unwrap_err().contains("an atomic operation wrote byte 8"));
    }
}
