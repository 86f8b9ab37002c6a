//! A warp: its registers, its local memory and the stack of calls that its threads are in.

use super::Counts;
use super::access::{Lapse, Memories};
use super::frame::{Event, Frame, Group, Machine, Threads};
use super::instruction::{Action, Barrier, Call, Code, Combine, Constant};
use super::program::Program;
use super::race::Races;
use super::register::{Column, LANES, Registers};
use crate::fault::FaultKind;
use crate::memory::Allocation;
use crate::ptx::syntax::NEVER;

/// Why a warp stopped.
pub(super) enum Stop<'p> {
    Finished,
    Barrier(Arrival<'p>),
}

/// A warp at a barrier.
pub(super) struct Arrival<'p> {
    pub(super) barrier: &'p Barrier,
    pub(super) number: u32,
    /// The threads that take part; all of the block if absent.
    pub(super) threads: Option<u32>,
    /// The function and the instruction.
    pub(super) place: (usize, u32),
    /// The threads of the warp that wait, and those of them whose predicate is true.
    pub(super) waiting: u32,
    pub(super) votes: u32,
    /// The threads that exited before.
    pub(super) gone: u32,
}

pub(super) struct Warp {
    /// The number of the warp in its block.
    pub(super) index: u32,
    columns: Vec<Column>,
    predicates: Vec<u32>,
    local: Allocation,
    frames: Vec<Frame>,
    threads: Threads,
}

impl Warp {
    pub(super) fn new(program: &Program<'_>) -> Option<Self> {
        let entry = program.entry();
        let mut warp = Self {
            index: 0,
            columns: vec![Column::ZERO; program.columns],
            predicates: vec![0; program.predicates],
            local: Allocation::new(0, u64::from(program.local) * LANES as u64, "local memory")?,
            frames: Vec::new(),
            threads: Threads { started: 0, alive: 0 },
        };
        warp.fill_constants(program, entry, 0, 0);
        Some(warp)
    }

    /// Puts the threads at the start of the kernel.
    pub(super) fn start(&mut self, program: &Program<'_>, block: [u32; 3], index: u32) {
        let mask = program.mask_of_warp(index);
        self.index = index;
        self.threads = Threads { started: mask, alive: mask };
        self.frames.clear();
        self.frames.push(Frame::new(program.entry_index, mask));
        self.local.written().set(0, self.local.bytes() as usize, 0);
        let code = program.entry();
        for (offset, constant) in code.constants.iter().enumerate() {
            if let Constant::Special(special, bytes) = *constant {
                let values = program.special(special, block, index);
                let column = &mut self.columns[code.registers as usize + offset];
                set_column(column, &values, bytes);
            }
        }
    }

    /// Runs until a barrier or the end. On a fault, [`Warp::place`] tells where.
    pub(super) fn run<'p>(
        &mut self,
        program: &'p Program<'_>,
        (shared, races): (&Allocation, &Races),
        block: [u32; 3],
        counts: &mut Counts,
        limit: u64,
    ) -> Result<Stop<'p>, Lapse> {
        while let Some(frame) = self.frames.last_mut() {
            let code = &program.codes[frame.function];
            let mut registers = Registers {
                columns: &mut self.columns[frame.columns..frame.columns + code.columns()],
                predicates: &mut self.predicates
                    [frame.predicates..frame.predicates + code.predicates as usize],
            };
            let memories = Memories {
                device: program.memory,
                table: &program.table,
                recent: Default::default(),
                parameters: &program.parameters,
                shared,
                local: &self.local,
                stride: u64::from(program.local),
                races,
                warp: self.index,
            };
            let threads = &mut self.threads;
            let mut machine = Machine { memories: &memories, counts, threads, limit };
            match frame.run(code, &mut registers, &mut machine)? {
                Event::Done => self.leave(program),
                Event::Call(call, mask) => self.enter(program, call, mask, block),
                Event::Barrier => return self.arrive(program).map(Stop::Barrier),
            }
        }
        Ok(Stop::Finished)
    }

    /// The function and instruction that runs.
    pub(super) fn place(&self) -> (usize, u32) {
        self.frames.last().map_or((0, 0), |frame| (frame.function, frame.current.pc))
    }

    fn enter(&mut self, program: &Program<'_>, call: &Call, mask: u32, block: [u32; 3]) {
        let Some(caller) = self.frames.last() else { return };
        let (from, to) = (&program.codes[caller.function], &program.codes[call.function]);
        let mut frame = Frame::new(call.function, mask);
        frame.columns = caller.columns + from.columns();
        frame.predicates = caller.predicates + from.predicates as usize;
        frame.memory = caller.memory + from.frame_bytes;
        let stride = program.local as usize;
        for lane in super::register::each(mask) {
            self.local.written().set(lane * stride + frame.memory as usize, to.frame_bytes as usize, 0);
        }
        for (&argument, &parameter) in call.arguments.iter().zip(&to.variables[..to.parameters]) {
            let source = caller.memory + from.variables[argument].0;
            self.copy(stride, mask, source, frame.memory + parameter.0, parameter.1);
        }
        // Another function may have kept its own predicates there.
        self.predicates[frame.predicates + NEVER as usize] = 0;
        let (columns, memory) = (frame.columns, frame.memory);
        self.frames.push(frame);
        self.fill_constants(program, to, columns, memory);
        for (offset, constant) in to.constants.iter().enumerate() {
            if let Constant::Special(special, bytes) = *constant {
                let values = program.special(special, block, self.index);
                set_column(&mut self.columns[columns + to.registers as usize + offset], &values, bytes);
            }
        }
    }

    /// Ends the call of the top frame, whose results go to the caller's variables.
    fn leave(&mut self, program: &Program<'_>) {
        let Some(callee) = self.frames.pop() else { return };
        let Some(caller) = self.frames.last() else { return };
        let (from, to) = (&program.codes[callee.function], &program.codes[caller.function]);
        // The caller went on to the instruction after the call.
        let Action::Call(call) = &to.instructions[caller.current.pc as usize - 1].action else { return };
        let returned = callee.entered & self.threads.alive;
        let results = &from.variables[from.parameters..from.parameters + from.returns];
        for (&(offset, bytes), &variable) in results.iter().zip(&call.results) {
            let target = caller.memory + to.variables[variable].0;
            self.copy(program.local as usize, returned, callee.memory + offset, target, bytes);
        }
    }

    fn copy(&self, stride: usize, mask: u32, from: u32, to: u32, bytes: u32) {
        for lane in super::register::each(mask) {
            let [from, to] = [from, to].map(|offset| lane * stride + offset as usize);
            self.local.copy_from(to, &self.local, from, bytes as usize);
        }
    }

    /// Fills the columns that do not depend on the thread.
    fn fill_constants(&mut self, program: &Program<'_>, code: &Code, base: usize, memory: u32) {
        for (offset, constant) in code.constants.iter().enumerate() {
            let (bits, bytes) = match *constant {
                Constant::Bits(bits, bytes) => (bits, bytes),
                Constant::Module(index, offset, bytes) => {
                    (program.addresses[index].wrapping_add_signed(offset), bytes)
                }
                Constant::Frame(index, offset, bytes) => {
                    let address = u64::from(memory + code.variables[index].0);
                    (address.wrapping_add_signed(offset), bytes)
                }
                Constant::Special(..) | Constant::Sink => continue,
            };
            set_column(&mut self.columns[base + code.registers as usize + offset], &[bits; LANES], bytes);
        }
    }

    fn arrive<'p>(&mut self, program: &'p Program<'_>) -> Result<Arrival<'p>, Lapse> {
        let place = self.place();
        let Threads { started, alive } = self.threads;
        let frame_code = &program.codes[place.0];
        let Action::Barrier(barrier) = &frame_code.instructions[place.1 as usize].action else {
            unreachable!("a warp arrives at a barrier only");
        };
        let (registers, first) = (self.registers(program), alive.trailing_zeros() as usize);
        let same = |column: u32, what: &str| {
            let values = registers.lanes::<u32>(column);
            match super::register::each(alive).find(|&lane| values[lane] != values[first]) {
                None => Ok(values[first]),
                Some(lane) => {
                    let detail = format!("the threads of a warp give different {what}");
                    Err(Lapse { kind: FaultKind::BarrierDivergence, lane, detail })
                }
            }
        };
        let number = same(barrier.number, "barriers")?;
        let threads = barrier.threads.map(|column| same(column, "numbers of threads")).transpose()?;
        let votes = barrier.reduction.map_or(0, |(_, _, p)| registers.condition(p) & alive);
        Ok(Arrival { barrier, number, threads, place, waiting: alive, votes, gone: started & !alive })
    }

    /// Lets the warp go on after a barrier, with the votes of all threads and their number.
    pub(super) fn release(&mut self, program: &Program<'_>, barrier: &Barrier, votes: u32, threads: u32) {
        let alive = self.threads.alive;
        if let Some((combine, d, _)) = barrier.reduction {
            let mut registers = self.registers(program);
            match combine {
                Combine::Count => registers.set_lanes(d, &[votes; LANES], alive),
                Combine::And if votes == threads => registers.set_predicate(d, u32::MAX, alive),
                Combine::Or if votes > 0 => registers.set_predicate(d, u32::MAX, alive),
                Combine::And | Combine::Or => registers.set_predicate(d, 0, alive),
            }
        }
        if let Some(frame) = self.frames.last_mut() {
            let Group { pc, mask } = frame.current;
            frame.current = Group { pc: pc + 1, mask };
        }
    }

    /// The registers of the top frame.
    fn registers(&mut self, program: &Program<'_>) -> Registers<'_> {
        let (columns, predicates, function) = self
            .frames
            .last()
            .map_or((0, 0, program.entry_index), |frame| (frame.columns, frame.predicates, frame.function));
        let code = &program.codes[function];
        Registers {
            columns: &mut self.columns[columns..columns + code.columns()],
            predicates: &mut self.predicates[predicates..predicates + code.predicates as usize],
        }
    }
}

fn set_column(column: &mut Column, values: &[u64; LANES], bytes: u8) {
    use super::register::Lane;
    match bytes {
        2 => *u16::lanes_mut(column) = values.map(|value| value as u16),
        4 => *u32::lanes_mut(column) = values.map(|value| value as u32),
        _ => *u64::lanes_mut(column) = *values,
    }
}
