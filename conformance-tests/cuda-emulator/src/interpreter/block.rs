//! The blocks of a launch: their warps, their shared memory, and the barriers that the warps meet at.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rand::{Rng, RngExt};

use super::Counts;
use super::access::Lapse;
use super::program::Program;
use super::race::Races;
use super::warp::{Arrival, Stop, Warp};
use crate::fault::{Fault, FaultKind};
use crate::memory::Allocation;

/// The blocks that are still to run, shared by the threads that run them.
pub(super) struct Queue {
    order: Vec<u64>,
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Queue {
    pub(super) fn new(order: Vec<u64>) -> Self {
        Self { order, next: AtomicUsize::new(0), stop: AtomicBool::new(false) }
    }

    /// The next block, until a fault has stopped the launch.
    fn take(&self) -> Option<u64> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        self.order.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }

    pub(super) fn remaining(&self) -> usize {
        self.order.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }
}

/// Runs blocks one after another, with the memory that they need.
pub(super) struct Worker<'p> {
    program: &'p Program<'p>,
    shared: Allocation,
    races: Races,
    warps: Vec<Warp>,
    limit: u64,
    pub(super) counts: Counts,
}

impl<'p> Worker<'p> {
    pub(super) fn new(program: &'p Program<'p>, limit: u64) -> Result<Self, Fault> {
        // Without barriers a warp runs to its end at once, and the next one takes its registers.
        let warps = if program.has_barriers { program.warps() } else { 1 };
        let short =
            || Fault::new(FaultKind::Limit, "the host has too little memory for a block of this kernel");
        let warps = (0..warps).map(|_| Warp::new(program)).collect::<Option<Vec<_>>>().ok_or_else(short)?;
        let shared =
            Allocation::new(0, u64::from(program.shared_bytes), "shared memory").ok_or_else(short)?;
        let races = Races::new(program.shared_bytes as usize);
        Ok(Self { program, shared, races, warps, limit, counts: Counts::default() })
    }

    /// Runs blocks of the queue until it is empty, or until more than `enough` instructions were executed.
    pub(super) fn run(&mut self, queue: &Queue, mut random: impl Rng, enough: u64) -> Result<(), Fault> {
        while self.counts.instructions < enough
            && let Some(block) = queue.take()
        {
            if let Err(fault) = self.block(block, &mut random) {
                queue.stop.store(true, Ordering::Relaxed);
                return Err(fault);
            }
        }
        Ok(())
    }

    fn block(&mut self, index: u64, random: &mut impl Rng) -> Result<(), Fault> {
        let [x, y, _] = self.program.launch.grid.map(u64::from);
        // Each coordinate is less than the grid's own, which has 32 bits.
        let block = [index % x, index / x % y, index / x / y].map(|axis| axis as u32);
        self.shared.written().set(0, self.shared.bytes() as usize, 0);
        self.races.clear();
        let limit = self.counts.instructions.saturating_add(self.limit);
        let count = self.program.warps();
        let first = if count > 1 { random.random_range(0..count) } else { 0 };
        let order = (0..count).map(|offset| (first + offset) % count);
        if !self.program.has_barriers {
            for index in order {
                self.warps[0].start(self.program, block, index);
                self.go(0, block, limit)?;
            }
            return Ok(());
        }
        for index in 0..count {
            self.warps[index as usize].start(self.program, block, index);
        }
        let mut running: Vec<u32> = order.collect();
        let mut gone = 0;
        let mut waiting: Vec<(u32, Arrival<'p>)> = Vec::new();
        loop {
            for &index in &running {
                match self.go(index as usize, block, limit)? {
                    Stop::Finished => gone += self.program.mask_of_warp(index).count_ones(),
                    Stop::Barrier(arrival) => waiting.push((index, arrival)),
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            running = self.release(&mut waiting, gone, block)?;
        }
    }

    fn go(&mut self, warp: usize, block: [u32; 3], limit: u64) -> Result<Stop<'p>, Fault> {
        let (warp, shared) = (&mut self.warps[warp], (&self.shared, &self.races));
        warp.run(self.program, shared, block, &mut self.counts, limit).map_err(|lapse| {
            let (function, pc) = warp.place();
            fault(self.program, block, warp.index, (function, pc), &lapse)
        })
    }

    /// Lets the warps go whose barrier all have reached; a fault if there are none.
    fn release(
        &mut self,
        waiting: &mut Vec<(u32, Arrival<'p>)>,
        gone: u32,
        block: [u32; 3],
    ) -> Result<Vec<u32>, Fault> {
        let mut released = Vec::new();
        let mut index = 0;
        while index < waiting.len() {
            let number = waiting[index].1.number;
            let here = waiting.iter().filter(|(_, arrival)| arrival.number == number);
            let arrived: u32 = here.clone().map(|(_, arrival)| arrived(self.program, arrival)).sum();
            let expected = waiting[index].1.threads.unwrap_or_else(|| self.program.threads());
            let strict = waiting[index].1.threads.is_none();
            let together = here.clone().all(|(_, other)| other.place == waiting[index].1.place);
            if arrived != expected || strict && !together {
                index += 1;
                continue;
            }
            let votes = here.map(|(_, arrival)| arrival.votes.count_ones()).sum();
            waiting.retain(|(warp, arrival)| {
                if arrival.number == number {
                    self.warps[*warp as usize].release(self.program, arrival.barrier, votes, expected);
                    released.push(*warp);
                }
                arrival.number != number
            });
            // A barrier of some warps orders less than this says: better a race unseen than one that is none.
            self.races.clear();
            index = 0;
        }
        if released.is_empty()
            && let Some((warp, arrival)) = waiting.first()
        {
            let total = self.program.threads();
            let same = waiting.iter().filter(|(_, other)| other.place == arrival.place);
            let arrived: u32 = same.map(|(_, other)| other.waiting.count_ones()).sum();
            let exited = gone + waiting.iter().map(|(_, other)| other.gone.count_ones()).sum::<u32>();
            let elsewhere = total - arrived - exited;
            let expected = arrival.threads.unwrap_or(total);
            let detail = format!(
                "{arrived} of {expected} threads wait at this barrier, {exited} have exited, {elsewhere} wait elsewhere"
            );
            let lane = arrival.waiting.trailing_zeros() as usize;
            let lapse = Lapse { kind: FaultKind::BarrierDivergence, lane, detail };
            return Err(fault(self.program, block, *warp, arrival.place, &lapse));
        }
        Ok(released)
    }
}

/// The threads that a warp brings to a barrier: exited ones do not come, and with a count of threads those of an
/// incomplete warp count as 32, as the ISA counts warps.
fn arrived(program: &Program<'_>, arrival: &Arrival<'_>) -> u32 {
    match arrival.threads {
        Some(_) if arrival.gone == 0 && program.threads() >= 32 => 32,
        _ => arrival.waiting.count_ones(),
    }
}

/// The fault of a lapse, with its place in words.
fn fault(program: &Program<'_>, block: [u32; 3], warp: u32, place: (usize, u32), lapse: &Lapse) -> Fault {
    let kernel = &program.entry().name;
    let code = &program.codes[place.0];
    let origin = &code.origins[place.1 as usize];
    let function = if place.0 == program.entry_index { String::new() } else { format!(" in {}", code.name) };
    let ([bx, by, bz], [x, y, z]) = (block, program.thread(warp, lapse.lane));
    let (line, text, detail) = (origin.line, &origin.text, &lapse.detail);
    let message = format!(
        "kernel {kernel}, block ({bx},{by},{bz}), thread ({x},{y},{z}){function}, line {line} `{text}`: {detail}"
    );
    Fault::new(lapse.kind, message)
}
