//! Exchanges between the lanes of a warp (PTX ISA 9.7.9.6 and 9.7.13).

use super::operands::{Decoder, exactly};
use super::{Modifiers, invalid, unsupported};
use crate::fault::Fault;
use crate::interpreter::instruction::{Action, Collective, Exchange};
use crate::interpreter::register::{LANES, Lane, Registers, each};
use crate::ptx::syntax::{Operand, Type};

/// What a lane gets from one that does not take part, where the ISA leaves the value open: as a number it is none,
/// so that a program that uses it is seen to.
const OPEN: u32 = 0xFFFF_DEAD;

impl Decoder<'_> {
    pub(super) fn collective(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let kind = modifiers.kind()?;
        if name == "activemask" {
            let [d] = exactly::<1>(operands)?;
            return Ok(Action::ActiveMask(self.destination(d, Type::B32)?));
        }
        if !modifiers.take("sync") {
            return Err(unsupported(format!("{name} without .sync")));
        }
        let (members, operands) = operands.split_last().ok_or_else(|| invalid("no operands"))?;
        let members = self.source(members, Type::B32)?;
        let exchange = match name {
            "shfl" => self.shuffle(modifiers, operands)?,
            "vote" => self.vote(modifiers, kind, operands)?,
            "match" => self.find_equal(modifiers, kind, operands)?,
            _ => self.reduce(modifiers, kind, operands)?,
        };
        Ok(Action::Collective(Collective { members, exchange }))
    }

    /// `d|p`, or `d` alone.
    fn with_predicate(operand: &Operand) -> Result<(&Operand, Option<u32>), Fault> {
        match operand {
            Operand::Pair(d, p) => Ok((d, Some(Self::predicate_destination(p)?))),
            d => Ok((d, None)),
        }
    }

    /// `shfl.sync.mode.b32 d|p, a, b, c, members`
    fn shuffle(&mut self, modifiers: &mut Modifiers<'_>, operands: &[Operand]) -> Result<Exchange, Fault> {
        // The source lane from the lane's own number and the operands, and whether it is in the segment.
        type Source = fn(u32, u32, u32) -> (u32, bool);
        fn bounds(lane: u32, c: u32) -> (u32, u32, u32) {
            let segment = c >> 8 & 31;
            (segment, lane & segment, (lane & segment) | (c & 31 & !segment))
        }
        let source = modifiers.find(|word| {
            let source: Source = match word {
                "up" => |lane, b, c| (lane.wrapping_sub(b), lane >= b && lane - b >= bounds(lane, c).2),
                "down" => |lane, b, c| (lane + b, lane + b <= bounds(lane, c).2),
                "bfly" => |lane, b, c| (lane ^ b, lane ^ b <= bounds(lane, c).2),
                "idx" => |lane, b, c| {
                    let (segment, least, greatest) = bounds(lane, c);
                    let from = least | b & !segment;
                    (from, from <= greatest)
                },
                _ => return None,
            };
            Some(source)
        });
        let source = source.ok_or_else(|| unsupported("this mode of shfl"))?;
        let [d, a, b, c] = exactly::<4>(operands)?;
        let (d, p) = Self::with_predicate(d)?;
        let d = self.destination(d, Type::B32)?;
        let [a, b, c] = [a, b, c].map(|operand| self.source(operand, Type::B32));
        let (a, b, c) = (a?, b?, c?);
        Ok(Box::new(move |registers, members| {
            let [values, b, c] = [a, b, c].map(|column| *registers.lanes::<u32>(column));
            let mut results = [0; LANES];
            let mut inside = 0;
            for lane in each(members) {
                let (from, holds) = source(lane as u32, b[lane] & 31, c[lane]);
                let from = if holds { from } else { lane as u32 };
                inside |= u32::from(holds) << lane;
                results[lane] = if members >> from & 1 == 1 { values[from as usize] } else { OPEN };
            }
            registers.set_lanes(d, &results, members);
            if let Some(p) = p {
                registers.set_predicate(p, inside, members);
            }
        }))
    }

    /// `vote.sync.all.pred p, q, members`, `vote.sync.ballot.b32 d, q, members`
    fn vote(
        &mut self,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Exchange, Fault> {
        let [d, p] = exactly::<2>(operands)?;
        let p = Self::condition(p)?;
        if kind == Type::B32 && modifiers.take("ballot") {
            let d = self.destination(d, Type::B32)?;
            return Ok(Box::new(move |registers, members| {
                let votes = registers.condition(p) & members;
                registers.set_lanes(d, &[votes; LANES], members);
            }));
        }
        let holds: Option<fn(u32, u32) -> bool> = modifiers.find(|word| {
            let holds: fn(u32, u32) -> bool = match word {
                "all" => |votes, members| votes == members,
                "any" => |votes, _| votes != 0,
                "uni" => |votes, members| votes == members || votes == 0,
                _ => return None,
            };
            Some(holds)
        });
        let holds = holds.filter(|_| kind == Type::Predicate).ok_or_else(|| unsupported("this vote"))?;
        let d = Self::predicate_destination(d)?;
        Ok(Box::new(move |registers, members| {
            let result = holds(registers.condition(p) & members, members);
            registers.set_predicate(d, if result { u32::MAX } else { 0 }, members);
        }))
    }

    /// `match.any.sync.b32 d, a, members`, `match.all.sync.b32 d|p, a, members`
    fn find_equal(
        &mut self,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Exchange, Fault> {
        let all = modifiers.take("all");
        if !all && !modifiers.take("any") {
            return Err(unsupported("this mode of match"));
        }
        let [d, a] = exactly::<2>(operands)?;
        let (d, p) = Self::with_predicate(d)?;
        let (d, a) = (self.destination(d, Type::B32)?, self.source(a, kind)?);
        match kind {
            Type::B32 => Ok(equal::<u32>(d, p, a, all)),
            Type::B64 => Ok(equal::<u64>(d, p, a, all)),
            _ => Err(unsupported(format!("match of type {kind:?}"))),
        }
    }

    /// `redux.sync.add.u32 d, a, members`
    fn reduce(
        &mut self,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Exchange, Fault> {
        let join: Option<fn(u32, u32) -> u32> = modifiers.find(|word| {
            let join: fn(u32, u32) -> u32 = match (word, kind) {
                ("add", Type::U32 | Type::S32) => u32::wrapping_add,
                ("min", Type::U32) => Ord::min,
                ("max", Type::U32) => Ord::max,
                ("min", Type::S32) => |a, b| a.cast_signed().min(b.cast_signed()).cast_unsigned(),
                ("max", Type::S32) => |a, b| a.cast_signed().max(b.cast_signed()).cast_unsigned(),
                ("and", Type::B32) => |a, b| a & b,
                ("or", Type::B32) => |a, b| a | b,
                ("xor", Type::B32) => |a, b| a ^ b,
                _ => return None,
            };
            Some(join)
        });
        let join = join.ok_or_else(|| unsupported(format!("this reduction of type {kind:?}")))?;
        let [d, a] = exactly::<2>(operands)?;
        let (d, a) = (self.destination(d, kind)?, self.source(a, kind)?);
        Ok(Box::new(move |registers, members| {
            let values = registers.lanes::<u32>(a);
            let total = each(members).map(|lane| values[lane]).reduce(join).unwrap_or(0);
            registers.set_lanes(d, &[total; LANES], members);
        }))
    }
}

fn equal<T: Lane>(d: u32, p: Option<u32>, a: u32, all: bool) -> Exchange {
    Box::new(move |registers: &mut Registers<'_>, members| {
        let values = *registers.lanes::<T>(a);
        let like = |value: T| {
            each(members).filter(|&lane| values[lane] == value).fold(0, |same, lane| same | 1 << lane)
        };
        let mut results: [u32; LANES] = std::array::from_fn(|lane| like(values[lane]));
        let complete = each(members).all(|lane| results[lane] == members);
        if all && !complete {
            results = [0; LANES];
        }
        registers.set_lanes(d, &results, members);
        if let Some(p) = p {
            registers.set_predicate(p, if complete { u32::MAX } else { 0 }, members);
        }
    })
}
