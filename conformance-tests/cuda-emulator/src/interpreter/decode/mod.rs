//! From the words of an instruction to what it does (PTX ISA chapter 9).
//!
//! One file a chapter; each is a table from opcode, modifiers and type to a function of a lane's values. What is
//! not in a table is a fault that names it.

mod collective;
mod compare;
mod control;
mod convert;
mod float;
mod integer;
mod logic;
mod memory;
mod modifiers;
mod movement;
mod operands;

pub(crate) use operands::Decoder;

use super::instruction::{Action, Code, Instruction, Origin};
use crate::fault::{Fault, FaultKind};
use crate::ptx::syntax::{Function, Statement, Text};
use modifiers::Modifiers;

/// A function of `module`, decoded.
pub(crate) fn function(module: &Text, function: &Function) -> Result<Code, Fault> {
    let mut decoder = Decoder::new(module, function);
    let mut instructions = Vec::with_capacity(function.statements.len() + 1);
    let mut origins = Vec::with_capacity(function.statements.len() + 1);
    for statement in &function.statements {
        instructions.push(decoder.statement(statement)?);
        origins.push(Origin { text: statement.text.clone(), line: statement.line });
    }
    // A function whose last instruction is not a jump returns at its end.
    instructions.push(Instruction { guard: None, action: Action::Return });
    origins.push(Origin { text: "end of the function".into(), line: 0 });
    decoder.finish(instructions, origins)
}

impl Decoder<'_> {
    fn statement(&mut self, statement: &Statement) -> Result<Instruction, Fault> {
        let action = self.action(statement).map_err(|problem| {
            let Fault { kind, message } = problem;
            let (name, text, line) = (self.function_name(), &statement.text, statement.line);
            Fault::new(kind, format!("line {line}, {name}, `{text}`: {message}"))
        })?;
        let guard = statement.guard.map(|(index, negated)| Self::predicate(index, negated));
        Ok(Instruction { guard, action })
    }

    fn action(&mut self, statement: &Statement) -> Result<Action, Fault> {
        let (name, words) =
            statement.opcode.split_first().map_or(("", &[][..]), |(name, words)| (name, words));
        let mut modifiers = Modifiers::new(words);
        let operands = &statement.operands[..];
        let action = match name {
            "add" | "sub" | "addc" | "subc" | "mul" | "mad" | "madc" | "mul24" | "mad24" | "div" | "rem"
            | "abs" | "neg" | "min" | "max" | "sad" | "fma" | "rcp" | "sqrt" | "rsqrt" | "sin" | "cos"
            | "lg2" | "ex2" | "tanh" | "copysign" | "testp" | "dp4a" | "dp2a" => {
                let kind = modifiers.kind()?;
                if kind.is_float() {
                    self.float(name, &mut modifiers, kind, operands)?
                } else {
                    self.integer(name, &mut modifiers, kind, operands)?
                }
            }
            "and" | "or" | "xor" | "not" | "cnot" | "shl" | "shr" | "shf" | "bfe" | "bfi" | "popc"
            | "clz" | "brev" | "bfind" | "prmt" | "lop3" | "fns" | "bmsk" | "szext" => {
                self.logic(name, &mut modifiers, operands)?
            }
            "setp" | "set" | "selp" | "slct" => self.compare(name, &mut modifiers, operands)?,
            "cvt" => self.convert(&mut modifiers, operands)?,
            "mov" | "cvta" | "isspacep" => self.movement(name, &mut modifiers, operands)?,
            "ld" | "ldu" | "st" | "atom" | "red" | "prefetch" | "prefetchu" | "membar" | "fence" => {
                self.memory(name, &mut modifiers, operands)?
            }
            "bra" | "brx" | "call" | "ret" | "exit" | "trap" | "bar" | "barrier" | "nanosleep"
            | "pmevent" => self.control(name, &mut modifiers, operands)?,
            "shfl" | "vote" | "match" | "redux" | "activemask" => {
                self.collective(name, &mut modifiers, operands)?
            }
            _ => return Err(unsupported(format!("instruction {name}"))),
        };
        modifiers.finish()?;
        Ok(action)
    }
}

/// The fault of a thing that the emulator does not know.
fn unsupported(what: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Unsupported, what)
}

/// The fault of an instruction that PTX does not allow.
fn invalid(what: impl Into<String>) -> Fault {
    Fault::new(FaultKind::InvalidPtx, what)
}
