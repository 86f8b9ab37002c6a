//! What is the same for all blocks of a launch.

use std::sync::Arc;

use super::Launch;
use super::instruction::{Action, Code};
use super::register::{FULL, LANES};
use crate::memory::{Allocation, Memory, Table};
use crate::ptx::syntax::Special;

pub(super) struct Program<'a> {
    pub(super) codes: &'a [Code],
    pub(super) entry_index: usize,
    pub(super) launch: &'a Launch,
    pub(super) memory: &'a Memory,
    pub(super) table: Arc<Table>,
    pub(super) parameters: Allocation,
    /// The address of each variable of the module.
    pub(super) addresses: Vec<u64>,
    /// What the deepest calls need.
    pub(super) columns: usize,
    pub(super) predicates: usize,
    pub(super) local: u32,
    /// Whether a warp may have to wait for others.
    pub(super) has_barriers: bool,
    pub(super) shared_bytes: u32,
}

/// What a function needs with all that it calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs {
    pub(crate) columns: usize,
    pub(crate) predicates: usize,
    pub(crate) local: u32,
    pub(crate) has_barriers: bool,
}

/// The needs of a function, or the name of one that calls itself.
pub(crate) fn needs(codes: &[Code], function: usize, callers: &mut Vec<usize>) -> Result<Needs, String> {
    let code = &codes[function];
    if callers.contains(&function) {
        return Err(code.name.clone());
    }
    callers.push(function);
    let mut deepest = Needs::default();
    for instruction in &code.instructions {
        match &instruction.action {
            Action::Call(call) => {
                let callee = needs(codes, call.function, callers)?;
                deepest.columns = deepest.columns.max(callee.columns);
                deepest.predicates = deepest.predicates.max(callee.predicates);
                deepest.local = deepest.local.max(callee.local);
                deepest.has_barriers |= callee.has_barriers;
            }
            Action::Barrier(_) => deepest.has_barriers = true,
            _ => {}
        }
    }
    callers.pop();
    Ok(Needs {
        columns: deepest.columns + code.columns(),
        predicates: deepest.predicates + code.predicates as usize,
        local: deepest.local + code.frame_bytes,
        has_barriers: deepest.has_barriers,
    })
}

impl Program<'_> {
    pub(super) fn entry(&self) -> &Code {
        &self.codes[self.entry_index]
    }

    pub(super) fn threads(&self) -> u32 {
        self.launch.block.iter().product()
    }

    pub(super) fn warps(&self) -> u32 {
        self.threads().div_ceil(LANES as u32)
    }

    /// The lanes of a warp that have a thread.
    pub(super) fn mask_of_warp(&self, index: u32) -> u32 {
        match self.threads() - index * LANES as u32 {
            0..32 => (1 << (self.threads() % LANES as u32)) - 1,
            _ => FULL,
        }
    }

    /// The coordinates of a thread in its block.
    pub(super) fn thread(&self, warp: u32, lane: usize) -> [u32; 3] {
        let [x, y, _] = self.launch.block;
        let linear = warp * LANES as u32 + lane as u32;
        [linear % x, linear / x % y, linear / x / y]
    }

    /// The values of a special register in the lanes of a warp.
    pub(super) fn special(&self, special: Special, block: [u32; 3], warp: u32) -> [u64; LANES] {
        let each = |value: &dyn Fn(usize) -> u32| std::array::from_fn(|lane| u64::from(value(lane)));
        let all = |value: u32| [u64::from(value); LANES];
        match special {
            Special::Tid(axis) => each(&|lane| self.thread(warp, lane)[usize::from(axis)]),
            Special::Ntid(axis) => all(self.launch.block[usize::from(axis)]),
            Special::Ctaid(axis) => all(block[usize::from(axis)]),
            Special::Nctaid(axis) => all(self.launch.grid[usize::from(axis)]),
            Special::LaneId => each(&|lane| lane as u32),
            Special::WarpId => all(warp),
            Special::WarpCount => all(self.warps()),
            Special::SmId | Special::GridId => all(0),
            Special::SmCount => all(1),
            Special::LaneMaskEq => each(&|lane| 1 << lane),
            Special::LaneMaskLe => each(&|lane| FULL >> (31 - lane)),
            Special::LaneMaskLt => each(&|lane| (1 << lane) - 1),
            Special::LaneMaskGe => each(&|lane| FULL << lane),
            Special::LaneMaskGt => each(&|lane| (FULL << lane) << 1),
            Special::DynamicShared => all(self.launch.dynamic_shared),
            Special::TotalShared => all(self.shared_bytes),
        }
    }
}
