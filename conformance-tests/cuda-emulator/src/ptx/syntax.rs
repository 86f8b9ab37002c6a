//! What a module's text says, with names resolved but instructions not yet understood.

use std::collections::HashMap;

/// A fundamental type of PTX (ISA chapter 5.2.1). The 16-bit and packed floating-point types are not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    B8,
    B16,
    B32,
    B64,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    Predicate,
}

impl Type {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "b8" => Self::B8,
            "b16" => Self::B16,
            "b32" => Self::B32,
            "b64" => Self::B64,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "s8" => Self::S8,
            "s16" => Self::S16,
            "s32" => Self::S32,
            "s64" => Self::S64,
            "f32" => Self::F32,
            "f64" => Self::F64,
            "pred" => Self::Predicate,
            _ => return None,
        })
    }

    /// The size in bytes; a predicate has none.
    pub(crate) fn bytes(self) -> u8 {
        match self {
            Self::Predicate => 0,
            Self::B8 | Self::U8 | Self::S8 => 1,
            Self::B16 | Self::U16 | Self::S16 => 2,
            Self::B32 | Self::U32 | Self::S32 | Self::F32 => 4,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 8,
        }
    }

    /// The bytes that a register of this type has: one of 8 bits is kept in 16.
    pub(crate) fn register_bytes(self) -> u8 {
        self.bytes().max(2)
    }

    pub(crate) fn is_signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

/// A state space of PTX (ISA chapter 5.1) that can be addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Generic,
    Global,
    Constant,
    Shared,
    Local,
    Parameter,
}

/// A read-only register that the machine fills (ISA chapter 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    Tid(u8),
    Ntid(u8),
    Ctaid(u8),
    Nctaid(u8),
    LaneId,
    WarpId,
    WarpCount,
    SmId,
    SmCount,
    GridId,
    LaneMaskEq,
    LaneMaskLe,
    LaneMaskLt,
    LaneMaskGe,
    LaneMaskGt,
    DynamicShared,
    TotalShared,
}

/// A number in an instruction or an initialiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// Two's complement, in 64 bits.
    Integer(u64),
    Single(f32),
    Double(f64),
}

impl Number {
    /// The bits of the number as a value of type `to`, in the low bytes.
    pub(crate) fn bits(self, to: Type) -> u64 {
        let all = match (self, to) {
            (Self::Single(value), Type::F64) => f64::from(value).to_bits(),
            (Self::Double(value), Type::F32) => u64::from((value as f32).to_bits()),
            (Self::Integer(value), Type::F32) => u64::from((value.cast_signed() as f32).to_bits()),
            (Self::Integer(value), Type::F64) => (value.cast_signed() as f64).to_bits(),
            (Self::Integer(value), _) => value,
            (Self::Single(value), _) => u64::from(value.to_bits()),
            (Self::Double(value), _) => value.to_bits(),
        };
        match to.bytes() {
            8 => all,
            bytes => all & ((1 << (8 * bytes)) - 1),
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// A variable of the module, by its index.
    Module(usize),
    /// A parameter or local variable of the function, by its index.
    Frame(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// A register by its index among those of the function, and its size in bytes.
    Register(u32, u8),
    /// A predicate register, and whether it is negated.
    Predicate(u32, bool),
    Special(Special),
    /// `%clock`, `%clock64` and the like: different at each read.
    Clock,
    Number(Number),
    /// The address of a variable.
    Symbol(Symbol, i64),
    /// `[register + offset]`.
    AtRegister(u32, u8, i64),
    /// `[variable + offset]`.
    AtSymbol(Symbol, i64),
    /// `{a, b}`.
    Vector(Vec<Operand>),
    /// `(a, b)` of a call.
    Group(Vec<Operand>),
    /// `a|b`.
    Pair(Box<Operand>, Box<Operand>),
    /// `_`.
    Nothing,
    /// A label, a list of labels or a function.
    Name(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// The predicate that guards the instruction, and whether it is negated.
    pub(crate) guard: Option<(u32, bool)>,
    /// The opcode and its modifiers.
    pub(crate) opcode: Vec<String>,
    pub(crate) operands: Vec<Operand>,
    /// The instruction as it was written.
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// One value of an initialiser.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Initial {
    Number(Number),
    /// The address of a variable of the module, by its index, plus an offset.
    Address(usize, i64),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) space: Space,
    pub(crate) element: Type,
    pub(crate) align: u32,
    pub(crate) bytes: u64,
    /// `.extern .shared` without a size: the launch gives the size.
    pub(crate) is_dynamic: bool,
    /// Declared here, defined in no text that the emulator has.
    pub(crate) is_external: bool,
    pub(crate) initial: Vec<Initial>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) is_entry: bool,
    pub(crate) has_body: bool,
    pub(crate) max_threads: Option<u32>,
    /// The size in bytes of each register.
    pub(crate) registers: Vec<u8>,
    /// The number of predicate registers, with [`CARRY`] and [`NEVER`].
    pub(crate) predicates: u32,
    /// Parameters first, then return values, then what the body declares.
    pub(crate) variables: Vec<Variable>,
    pub(crate) parameters: usize,
    pub(crate) returns: usize,
    pub(crate) statements: Vec<Statement>,
    /// The statement that each label stands before.
    pub(crate) labels: HashMap<String, usize>,
    /// The lists of `.branchtargets`.
    pub(crate) targets: HashMap<String, Vec<String>>,
}

/// The index of the carry flag `CC.CF` among a function's predicates.
pub(crate) const CARRY: u32 = 0;
/// The index of a predicate that is false.
pub(crate) const NEVER: u32 = 1;

#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    pub(crate) variables: Vec<Variable>,
    pub(crate) functions: Vec<Function>,
}
