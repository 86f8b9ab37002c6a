//! Turns operands into columns: registers, constants, special registers and addresses alike.

use std::collections::HashMap;

use super::{invalid, unsupported};
use crate::fault::Fault;
use crate::interpreter::instruction::{Code, Constant, Element, Instruction, Origin};
use crate::interpreter::register::Condition;
use crate::ptx::syntax::{Function, NEVER, Number, Operand, Space, Special, Symbol, Text, Type, Variable};

pub(crate) struct Decoder<'a> {
    pub(super) module: &'a Text,
    pub(super) function: &'a Function,
    constants: Vec<Constant>,
    known: HashMap<Constant, u32>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(module: &'a Text, function: &'a Function) -> Self {
        Self { module, function, constants: Vec::new(), known: HashMap::new() }
    }

    pub(super) fn function_name(&self) -> &str {
        &self.function.name
    }

    /// The decoded function.
    pub(super) fn finish(self, instructions: Vec<Instruction>, origins: Vec<Origin>) -> Result<Code, Fault> {
        let mut end = 0_u32;
        let mut variables = Vec::new();
        for variable in &self.function.variables {
            let size = u32::try_from(variable.bytes).ok().filter(|size| *size < 1 << 24);
            let size =
                size.ok_or_else(|| unsupported(format!("{} is larger than local memory", variable.name)))?;
            let start = end.next_multiple_of(variable.align);
            variables.push((start, size));
            end = start + size;
        }
        Ok(Code {
            name: self.function.name.clone(),
            instructions,
            origins,
            registers: self.function.registers.len() as u32,
            constants: self.constants,
            predicates: self.function.predicates,
            variables,
            parameters: self.function.parameters,
            returns: self.function.returns,
            frame_bytes: end.next_multiple_of(16),
        })
    }

    /// The column that holds `constant`.
    pub(super) fn constant(&mut self, constant: Constant) -> u32 {
        let next = self.function.registers.len() as u32 + self.constants.len() as u32;
        *self.known.entry(constant).or_insert_with(|| {
            self.constants.push(constant);
            next
        })
    }

    /// The column of a source of the given type.
    pub(super) fn source(&mut self, operand: &Operand, kind: Type) -> Result<u32, Fault> {
        let bytes = kind.register_bytes();
        match *operand {
            Operand::Register(column, register_bytes) if register_bytes == bytes => Ok(column),
            Operand::Register(..) => Err(invalid("a register whose size is not the instruction's")),
            Operand::Special(special) if bytes == 4 || special == Special::GridId => {
                Ok(self.constant(Constant::Special(special, bytes)))
            }
            Operand::Number(number) => Ok(self.constant(Constant::Bits(number.bits(kind), bytes))),
            Operand::Symbol(symbol, offset) if bytes >= 4 => {
                Ok(self.constant(address(symbol, offset, bytes)))
            }
            _ => Err(invalid("an operand that is no value of the instruction's type")),
        }
    }

    /// The column of a source that may be wider than its type, and the size of its register.
    pub(super) fn wide_source(&mut self, operand: &Operand, kind: Type) -> Result<(u32, u8), Fault> {
        match *operand {
            Operand::Register(column, bytes) if bytes >= kind.bytes() => Ok((column, bytes)),
            _ => Ok((self.source(operand, kind)?, kind.register_bytes())),
        }
    }

    /// The column of a destination of the given type.
    pub(super) fn destination(&mut self, operand: &Operand, kind: Type) -> Result<u32, Fault> {
        match *operand {
            Operand::Register(column, bytes) if bytes == kind.register_bytes() => Ok(column),
            Operand::Nothing => Ok(self.constant(Constant::Sink)),
            _ => Err(invalid("a destination that is no register of the instruction's size")),
        }
    }

    /// A register that is loaded or stored with the given type; it may be wider.
    pub(super) fn element(&mut self, operand: &Operand, kind: Type, is_load: bool) -> Result<Element, Fault> {
        match (*operand).clone() {
            Operand::Register(column, register_bytes) if register_bytes >= kind.bytes() => {
                Ok(Element { column, register_bytes })
            }
            Operand::Nothing if is_load => {
                Ok(Element { column: self.constant(Constant::Sink), register_bytes: kind.register_bytes() })
            }
            ref other if !is_load => {
                Ok(Element { column: self.source(other, kind)?, register_bytes: kind.register_bytes() })
            }
            _ => Err(invalid("an operand that is no register of at least the instruction's size")),
        }
    }

    pub(super) fn predicate(index: u32, negated: bool) -> Condition {
        Condition { index, invert: if negated { u32::MAX } else { 0 } }
    }

    /// A predicate as a source; a number is true unless it is zero.
    pub(super) fn condition(operand: &Operand) -> Result<Condition, Fault> {
        match *operand {
            Operand::Predicate(index, negated) => Ok(Self::predicate(index, negated)),
            Operand::Number(Number::Integer(value)) => Ok(Self::predicate(NEVER, value != 0)),
            _ => Err(invalid("an operand that is no predicate")),
        }
    }

    /// A predicate as a destination.
    pub(super) fn predicate_destination(operand: &Operand) -> Result<u32, Fault> {
        match *operand {
            Operand::Predicate(index, false) => Ok(index),
            _ => Err(invalid("a destination that is no predicate")),
        }
    }

    /// The statement that a label stands before.
    pub(super) fn label(&self, operand: &Operand) -> Result<u32, Fault> {
        match operand {
            Operand::Name(name) => self.label_named(name),
            _ => Err(invalid("an operand that is no label")),
        }
    }

    pub(super) fn label_named(&self, name: &str) -> Result<u32, Fault> {
        let label = self.function.labels.get(name).map(|&statement| statement as u32);
        label.ok_or_else(|| invalid(format!("there is no label {name}")))
    }

    /// The variable that a symbol stands for.
    pub(super) fn variable(&self, symbol: Symbol) -> &'a Variable {
        match symbol {
            Symbol::Module(index) => &self.module.variables[index],
            Symbol::Frame(index) => &self.function.variables[index],
        }
    }

    /// The space in which the address of a symbol counts.
    pub(super) fn symbol_space(&self, symbol: Symbol) -> Space {
        self.variable(symbol).space
    }
}

fn address(symbol: Symbol, offset: i64, bytes: u8) -> Constant {
    match symbol {
        Symbol::Module(index) => Constant::Module(index, offset, bytes),
        Symbol::Frame(index) => Constant::Frame(index, offset, bytes),
    }
}

/// Exactly `N` operands.
pub(super) fn exactly<const N: usize>(operands: &[Operand]) -> Result<&[Operand; N], Fault> {
    operands.try_into().map_err(|_| invalid(format!("{} operands instead of {N}", operands.len())))
}
