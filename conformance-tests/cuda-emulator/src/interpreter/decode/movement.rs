//! `mov`, `cvta` and `isspacep` (PTX ISA 9.7.9).

use super::operands::{Decoder, exactly};
use super::{Modifiers, invalid, unsupported};
use crate::fault::Fault;
use crate::interpreter::address::{to_generic, to_space, window};
use crate::interpreter::instruction::{Action, Constant};
use crate::interpreter::register::{Compute, FULL, Lane, Operands, Registers, Scalar, each, masks, unary};
use crate::ptx::syntax::{Operand, Space, Type};

/// The state space that a modifier names.
pub(super) fn space(word: &str) -> Option<Space> {
    Some(match word {
        "global" => Space::Global,
        "const" => Space::Constant,
        "shared" | "shared::cta" => Space::Shared,
        "local" => Space::Local,
        "param" | "param::entry" | "param::func" => Space::Parameter,
        _ => return None,
    })
}

impl Decoder<'_> {
    pub(super) fn movement(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        match name {
            "mov" => self.move_value(modifiers.kind()?, operands),
            "cvta" => self.convert_address(modifiers, operands),
            _ => self.is_space(modifiers, operands),
        }
    }

    fn move_value(&mut self, kind: Type, operands: &[Operand]) -> Result<Action, Fault> {
        let [d, a] = exactly::<2>(operands)?;
        if kind == Type::Predicate {
            let copy = masks(|registers: &mut Registers<'_>, operands: &Operands, mask| {
                registers.set_predicate(operands.d, registers.condition(operands.p), mask);
            });
            let columns = Operands {
                d: Self::predicate_destination(d)?,
                p: Self::condition(a)?,
                ..Operands::default()
            };
            return Ok(Action::Compute(copy, columns));
        }
        match (d, a) {
            (Operand::Vector(parts), _) => return self.unpack(kind, parts, a),
            (_, Operand::Vector(parts)) => return self.pack(kind, d, parts),
            (_, Operand::Clock) => {
                return Ok(Action::Clock { d: self.destination(d, kind)?, bytes: kind.bytes() });
            }
            _ => {}
        }
        let compute = match kind.bytes() {
            2 => unary(|a: u16| a),
            4 => unary(|a: u32| a),
            8 => unary(|a: u64| a),
            _ => return Err(unsupported(format!("mov of type {kind:?}"))),
        };
        let columns =
            Operands { d: self.destination(d, kind)?, a: self.source(a, kind)?, ..Operands::default() };
        Ok(Action::Compute(compute, columns))
    }

    /// `mov.b64 {low, high}, a`
    fn unpack(&mut self, kind: Type, parts: &[Operand], a: &Operand) -> Result<Action, Fault> {
        let part = part_of(kind, parts.len())?;
        let a = self.source(a, kind)?;
        let mut columns = Vec::new();
        for operand in parts {
            let skipped = matches!(operand, Operand::Nothing);
            columns.push(if skipped {
                self.constant(Constant::Sink)
            } else {
                self.destination(operand, part)?
            });
        }
        let compute = match (kind.bytes(), part.bytes()) {
            (8, 4) => unpacked::<u64, u32, 2>(columns, |a, index| (a >> (32 * index)) as u32),
            (8, 2) => unpacked::<u64, u16, 4>(columns, |a, index| (a >> (16 * index)) as u16),
            _ => unpacked::<u32, u16, 2>(columns, |a, index| (a >> (16 * index)) as u16),
        };
        Ok(Action::Compute(compute, Operands { a, ..Operands::default() }))
    }

    /// `mov.b64 d, {low, high}`
    fn pack(&mut self, kind: Type, d: &Operand, parts: &[Operand]) -> Result<Action, Fault> {
        let part = part_of(kind, parts.len())?;
        let d = self.destination(d, kind)?;
        let mut columns = Vec::new();
        for operand in parts {
            columns.push(self.source(operand, part)?);
        }
        let compute = match (kind.bytes(), part.bytes()) {
            (8, 4) => packed::<u32, u64, 2>(columns, |part, index| u64::from(part) << (32 * index)),
            (8, 2) => packed::<u16, u64, 4>(columns, |part, index| u64::from(part) << (16 * index)),
            _ => packed::<u16, u32, 2>(columns, |part, index| u32::from(part) << (16 * index)),
        };
        Ok(Action::Compute(compute, Operands { d, ..Operands::default() }))
    }

    /// `cvta.space.u64 d, a` to a generic address, `cvta.to.space.u64 d, a` from one.
    fn convert_address(
        &mut self,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let kind = modifiers.kind()?;
        if kind != Type::U64 {
            return Err(unsupported("cvta of 32-bit addresses"));
        }
        let from_generic = modifiers.take("to");
        let space = modifiers.find(space).ok_or_else(|| unsupported("cvta without a state space"))?;
        let [d, a] = exactly::<2>(operands)?;
        let compute = if from_generic {
            unary(move |a: u64| to_space(space, a))
        } else {
            unary(move |a: u64| to_generic(space, a))
        };
        let columns =
            Operands { d: self.destination(d, kind)?, a: self.source(a, kind)?, ..Operands::default() };
        Ok(Action::Compute(compute, columns))
    }

    /// `isspacep.shared p, a`
    fn is_space(&mut self, modifiers: &mut Modifiers<'_>, operands: &[Operand]) -> Result<Action, Fault> {
        let space = modifiers.find(space).ok_or_else(|| unsupported("isspacep without a state space"))?;
        let [p, a] = exactly::<2>(operands)?;
        let compute = masks(move |registers: &mut Registers<'_>, operands: &Operands, mask| {
            let addresses = registers.lanes::<u64>(operands.a);
            let inside = |lane: &usize| window(addresses[*lane]).0 == space;
            let holds = each(FULL).filter(inside).fold(0, |holds, lane| holds | 1 << lane);
            registers.set_predicate(operands.d, holds, mask);
        });
        let (d, a) = (Self::predicate_destination(p)?, self.source(a, Type::U64)?);
        Ok(Action::Compute(compute, Operands { d, a, ..Operands::default() }))
    }
}

/// The type of each of `count` parts of a value.
fn part_of(kind: Type, count: usize) -> Result<Type, Fault> {
    match (kind.bytes(), count) {
        (8, 2) => Ok(Type::B32),
        (8, 4) | (4, 2) => Ok(Type::B16),
        _ => Err(invalid(format!("a value of type {kind:?} in {count} parts"))),
    }
}

fn unpacked<A: Lane, R: Lane, const N: usize>(
    columns: Vec<u32>,
    part: impl Fn(A, usize) -> R + Scalar,
) -> Compute {
    Box::new(move |registers, operands, mask| {
        let values = *registers.lanes::<A>(operands.a);
        for (index, &column) in columns.iter().enumerate().take(N) {
            registers.set_lanes(column, &values.map(|value| part(value, index)), mask);
        }
    })
}

fn packed<A: Lane, R: Lane + std::ops::BitOr<Output = R>, const N: usize>(
    columns: Vec<u32>,
    part: impl Fn(A, usize) -> R + Scalar,
) -> Compute {
    Box::new(move |registers, operands, mask| {
        let values = std::array::from_fn(|lane| {
            (1..N).fold(part(registers.lanes::<A>(columns[0])[lane], 0), |all, index| {
                all | part(registers.lanes::<A>(columns[index])[lane], index)
            })
        });
        registers.set_lanes::<R>(operands.d, &values, mask);
    })
}
