//! Instructions as the interpreter runs them: decoded once, operands as indices of columns.

use super::register::{Compute, Condition, Operands};
use crate::ptx::syntax::{Space, Special};

/// A decoded instruction.
pub(crate) struct Instruction {
    pub(crate) guard: Option<Condition>,
    pub(crate) action: Action,
}

/// What an instruction does.
pub(crate) enum Action {
    /// Registers only.
    Compute(Compute, Operands),
    Load(Transfer),
    Store(Transfer),
    Atomic(Atomic),
    /// A memory fence.
    Fence,
    /// A hint without effect on results.
    Hint,
    /// The number of instructions executed so far, as a clock.
    Clock {
        d: u32,
        bytes: u8,
    },
    Branch(u32),
    /// `brx.idx`: the column of the index, and the targets.
    Table(u32, Box<[u32]>),
    Call(Box<Call>),
    Return,
    Exit,
    /// `trap`, or a call of a function that ends the program, with its name.
    Trap(Option<String>),
    Barrier(Barrier),
    Collective(Collective),
    /// `activemask`.
    ActiveMask(u32),
}

/// Where a memory instruction accesses: a column of addresses and an offset in a state space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) space: Space,
    pub(crate) base: u32,
    /// Whether the addresses have 64 bits, not 32.
    pub(crate) is_wide: bool,
    pub(crate) offset: i64,
}

/// A register that is loaded or stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element {
    pub(crate) column: u32,
    pub(crate) register_bytes: u8,
}

/// A load or store of one to four elements that lie side by side.
pub(crate) struct Transfer {
    pub(crate) place: Place,
    /// The size in memory of an element.
    pub(crate) bytes: u8,
    /// Whether a load into a wider register extends the sign.
    pub(crate) is_signed: bool,
    pub(crate) elements: Box<[Element]>,
}

/// A read-modify-write of 32 or 64 bits.
pub(crate) struct Atomic {
    pub(crate) place: Place,
    pub(crate) bytes: u8,
    /// The column for the old value; `red` has none.
    pub(crate) d: Option<u32>,
    pub(crate) b: u32,
    /// The new value of a compare-and-swap, whose `b` is what it compares with.
    pub(crate) c: u32,
    /// The new value from the old, `b` and `c`.
    pub(crate) update: fn(u64, u64, u64) -> u64,
}

/// A call, with the variables of the caller's frame that are copied to and from the callee's.
pub(crate) struct Call {
    /// The index of the function in the module.
    pub(crate) function: usize,
    /// Indices of the caller's variables.
    pub(crate) arguments: Vec<usize>,
    pub(crate) results: Vec<usize>,
}

/// How the predicates of a `barrier.red` are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Combine {
    Count,
    And,
    Or,
}

/// `bar.sync`, `barrier.sync` or `barrier.red`.
pub(crate) struct Barrier {
    /// The column of the barrier's number.
    pub(crate) number: u32,
    /// The column of the number of threads that take part; all of the block if absent.
    pub(crate) threads: Option<u32>,
    /// The reduction, its destination (a predicate, or a column for a count) and source.
    pub(crate) reduction: Option<(Combine, u32, Condition)>,
}

/// An instruction that exchanges values between the lanes of a warp.
pub(crate) struct Collective {
    /// The column of the mask of the lanes that take part.
    pub(crate) members: u32,
    pub(crate) exchange: Exchange,
}

pub(crate) type Exchange = Box<dyn Fn(&mut super::register::Registers<'_>, u32) + Send + Sync>;

/// The value of a column that the function's instructions read but do not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    /// The same bits in all lanes.
    Bits(u64, u8),
    Special(Special, u8),
    /// The address of a variable of the module, plus an offset.
    Module(usize, i64, u8),
    /// The address of a variable of the function's frame, plus an offset.
    Frame(usize, i64, u8),
    /// Takes results that nobody reads.
    Sink,
}

/// Where a message finds an instruction.
pub(crate) struct Origin {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A function, ready to run.
pub(crate) struct Code {
    pub(crate) name: String,
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) origins: Vec<Origin>,
    /// The columns of registers; those of `constants` follow.
    pub(crate) registers: u32,
    pub(crate) constants: Vec<Constant>,
    pub(crate) predicates: u32,
    /// Offset in the frame and size of each variable.
    pub(crate) variables: Vec<(u32, u32)>,
    pub(crate) parameters: usize,
    pub(crate) returns: usize,
    pub(crate) frame_bytes: u32,
}

impl Code {
    pub(crate) fn columns(&self) -> usize {
        self.registers as usize + self.constants.len()
    }
}
