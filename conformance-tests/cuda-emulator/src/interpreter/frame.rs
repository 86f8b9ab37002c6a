//! One call of a function by threads of a warp, and the loop that runs its instructions.
//!
//! Where threads part, the group with the smallest program counter runs first, so that groups meet again where the
//! code does. A group that waits for others (at a barrier, or to exchange values) is parked until they come; if
//! none can come any more, that is a fault.

use super::Counts;
use super::access::{Lapse, Memories};
use super::instruction::{Action, Call, Code, Collective};
use super::register::{LANES, Registers, each};
use super::transfer;
use crate::fault::FaultKind;

/// Threads of a warp at the same instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) pc: u32,
    pub(super) mask: u32,
}

/// Why the loop stopped.
pub(super) enum Event<'p> {
    /// All threads have returned or exited.
    Done,
    /// The threads of the mask call a function, and go on after the call.
    Call(&'p Call, u32),
    /// All threads of the warp that have not exited wait at the barrier of the current instruction.
    Barrier,
}

/// The threads of the warp that run.
pub(super) struct Threads {
    /// Those that the warp started with.
    pub(super) started: u32,
    /// Those that have not exited.
    pub(super) alive: u32,
}

/// What the loop needs besides the frame.
pub(super) struct Machine<'m> {
    pub(super) memories: &'m Memories<'m>,
    pub(super) counts: &'m mut Counts,
    pub(super) threads: &'m mut Threads,
    /// The count of instructions that the block may not pass.
    pub(super) limit: u64,
}

#[derive(Debug)]
pub(super) struct Frame {
    /// The index of the function in the module.
    pub(super) function: usize,
    /// Where the frame starts among the columns, the predicates and the local memory of the warp.
    pub(super) columns: usize,
    pub(super) predicates: usize,
    pub(super) memory: u32,
    /// The threads that made the call.
    pub(super) entered: u32,
    pub(super) current: Group,
    /// Groups that are ready to run, all behind the current one.
    ready: Vec<Group>,
    /// Groups that wait for others.
    parked: Vec<Group>,
}

impl Frame {
    pub(super) fn new(function: usize, mask: u32) -> Self {
        Self {
            function,
            columns: 0,
            predicates: 0,
            memory: 0,
            entered: mask,
            current: Group { pc: 0, mask },
            ready: Vec::new(),
            parked: Vec::new(),
        }
    }

    /// Runs until a call, a barrier or the end.
    pub(super) fn run<'p>(
        &mut self,
        code: &'p Code,
        registers: &mut Registers<'_>,
        machine: &mut Machine<'_>,
    ) -> Result<Event<'p>, Lapse> {
        let Group { mut pc, mut mask } = self.current;
        mask &= machine.threads.alive;
        let mut meeting = self.meeting();
        loop {
            if pc >= meeting || mask == 0 {
                if mask != 0 {
                    self.ready.push(Group { pc, mask });
                }
                let Some(group) = self.select() else { return Ok(Event::Done) };
                Group { pc, mask } = group;
                self.current = group;
                meeting = self.meeting();
            }
            let instruction = &code.instructions[pc as usize];
            let active = instruction.guard.map_or(mask, |guard| mask & registers.condition(guard));
            machine.counts.instructions += u64::from(active.count_ones());
            if active == 0 {
                pc += 1;
                continue;
            }
            match &instruction.action {
                Action::Compute(compute, operands) => compute(registers, operands, active),
                Action::Load(load) => {
                    self.current.pc = pc;
                    transfer::load(machine.memories, machine.counts, registers, load, active)?;
                }
                Action::Store(store) => {
                    self.current.pc = pc;
                    transfer::store(machine.memories, machine.counts, registers, store, active)?;
                }
                Action::Atomic(atomic) => {
                    self.current.pc = pc;
                    transfer::atomic(machine.memories, machine.counts, registers, atomic, active)?;
                }
                Action::Fence => std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst),
                Action::Hint => {}
                Action::Clock { d, bytes: 4 } => {
                    registers.set_lanes(*d, &[machine.counts.instructions as u32; LANES], active);
                }
                Action::Clock { d, .. } => {
                    registers.set_lanes(*d, &[machine.counts.instructions; LANES], active);
                }
                Action::ActiveMask(d) => registers.set_lanes(*d, &[active; LANES], active),
                Action::Branch(target) => {
                    if *target <= pc && machine.counts.instructions > machine.limit {
                        self.current.pc = pc;
                        return Err(endless(active));
                    }
                    if active == mask {
                        pc = *target;
                    } else {
                        self.ready.push(Group { pc: *target, mask: active });
                        self.ready.push(Group { pc: pc + 1, mask: mask & !active });
                        (mask, meeting) = (0, 0);
                    }
                    continue;
                }
                Action::Table(column, targets) => {
                    self.current.pc = pc;
                    if machine.counts.instructions > machine.limit {
                        return Err(endless(active));
                    }
                    let indices = registers.lanes::<u32>(*column);
                    for lane in each(active) {
                        let target = targets.get(indices[lane] as usize).copied();
                        let pc = target.ok_or_else(|| outside_table(lane, indices[lane], targets.len()))?;
                        self.ready.push(Group { pc, mask: 1 << lane });
                    }
                    self.ready.push(Group { pc: pc + 1, mask: mask & !active });
                    (mask, meeting) = (0, 0);
                    continue;
                }
                Action::Call(call) => {
                    self.current = Group { pc: pc + 1, mask: active };
                    if active != mask {
                        self.ready.push(Group { pc: pc + 1, mask: mask & !active });
                    }
                    return Ok(Event::Call(call, active));
                }
                Action::Return => {
                    mask &= !active;
                    self.wake();
                }
                Action::Exit => {
                    machine.threads.alive &= !active;
                    mask &= !active;
                    self.wake();
                }
                Action::Trap(reason) => {
                    self.current.pc = pc;
                    let detail = reason.clone().unwrap_or_else(|| "the kernel stopped itself".into());
                    return Err(Lapse {
                        kind: FaultKind::Trap,
                        lane: active.trailing_zeros() as usize,
                        detail,
                    });
                }
                Action::Collective(collective) => {
                    let met = self.meet(pc, active);
                    mask |= met;
                    match exchange(collective, registers, met, machine.threads.alive)? {
                        None => {}
                        Some(missing) => {
                            self.park(pc, met, mask & !met, missing)?;
                            (mask, meeting) = (0, 0);
                            continue;
                        }
                    }
                }
                Action::Barrier(_) => {
                    let met = self.meet(pc, active);
                    mask |= met;
                    let missing = machine.threads.alive & !met;
                    if missing != 0 {
                        self.park(pc, met, mask & !met, missing)?;
                        (mask, meeting) = (0, 0);
                        continue;
                    }
                    self.current = Group { pc, mask };
                    return Ok(Event::Barrier);
                }
            }
            pc += 1;
        }
    }

    /// The program counter at which the current group meets another.
    fn meeting(&self) -> u32 {
        self.ready.iter().map(|group| group.pc).min().unwrap_or(u32::MAX)
    }

    /// Takes the ready group with the smallest program counter, joined from all that are there.
    fn select(&mut self) -> Option<Group> {
        let pc = self.ready.iter().filter(|group| group.mask != 0).map(|group| group.pc).min()?;
        let mut mask = 0;
        self.ready.retain(|group| {
            if group.pc == pc {
                mask |= group.mask;
            }
            group.pc != pc && group.mask != 0
        });
        Some(Group { pc, mask })
    }

    /// Parked groups look again whether those that they wait for have come, or are gone.
    fn wake(&mut self) {
        self.ready.append(&mut self.parked);
    }

    /// The threads at an instruction that waits: those that arrive now and those that are parked there.
    fn meet(&mut self, pc: u32, arriving: u32) -> u32 {
        self.current.pc = pc;
        let mut met = arriving;
        self.parked.retain(|group| {
            if group.pc == pc {
                met |= group.mask;
            }
            group.pc != pc
        });
        met
    }

    /// Parks `waiting` threads at `pc`; the `others` of their group, which do not execute it, go on.
    fn park(&mut self, pc: u32, waiting: u32, others: u32, missing: u32) -> Result<(), Lapse> {
        if others != 0 {
            self.ready.push(Group { pc: pc + 1, mask: others });
        }
        if self.ready.iter().all(|group| group.mask == 0) {
            let lane = waiting.trailing_zeros() as usize;
            let detail = format!("lanes {waiting:#010x} of the warp wait here for lanes {missing:#010x}");
            return Err(Lapse { kind: FaultKind::BarrierDivergence, lane, detail });
        }
        self.parked.push(Group { pc, mask: waiting });
        Ok(())
    }
}

/// Exchanges values between the lanes that take part, or gives the lanes that have not come.
fn exchange(
    collective: &Collective,
    registers: &mut Registers<'_>,
    here: u32,
    alive: u32,
) -> Result<Option<u32>, Lapse> {
    let members = *registers.lanes::<u32>(collective.members);
    let mut missing = 0;
    for lane in each(here) {
        if members[lane] >> lane & 1 == 0 {
            let detail = format!("lane {lane} is not in its own mask {:#010x}", members[lane]);
            return Err(Lapse { kind: FaultKind::BarrierDivergence, lane, detail });
        }
        missing |= members[lane] & alive & !here;
    }
    if missing != 0 {
        return Ok(Some(missing));
    }
    let mut rest = here;
    while rest != 0 {
        let members = members[rest.trailing_zeros() as usize] & here;
        (collective.exchange)(registers, members);
        rest &= !members;
    }
    Ok(None)
}

#[cold]
fn endless(active: u32) -> Lapse {
    let detail = "the block executed more instructions than it may; is this loop endless?".into();
    Lapse { kind: FaultKind::Limit, lane: active.trailing_zeros() as usize, detail }
}

#[cold]
fn outside_table(lane: usize, index: u32, length: usize) -> Lapse {
    let detail = format!("index {index} of a table of {length} targets");
    Lapse { kind: FaultKind::IllegalAddress, lane, detail }
}
