//! Logic, shifts and bit fields (PTX ISA 9.7.1 and 9.7.8).

use super::operands::{Decoder, exactly};
use super::{Modifiers, unsupported};
use crate::fault::Fault;
use crate::interpreter::instruction::Action;
use crate::interpreter::register::{Compute, Lane, Operands, binary, each, masks, ternary, unary};
use crate::interpreter::word::Word;
use crate::ptx::syntax::{Operand, Type};

/// A function written once for the unsigned type of the size of `kind`.
macro_rules! for_bits {
    ($kind:expr, $t:ident => $compute:expr) => {
        match $kind.bytes() {
            2 => {
                type $t = u16;
                Some($compute)
            }
            4 => {
                type $t = u32;
                Some($compute)
            }
            8 => {
                type $t = u64;
                Some($compute)
            }
            _ => None,
        }
    };
}

impl Decoder<'_> {
    pub(super) fn logic(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let kind = modifiers.kind()?;
        if kind == Type::Predicate {
            return predicates(name, operands);
        }
        let (counts, word) = (Type::U32, Type::B32);
        // The type of the destination, then of each source.
        let (compute, types) = match name {
            "and" => (for_bits!(kind, T => binary(|a: T, b: T| a & b)), vec![kind; 3]),
            "or" => (for_bits!(kind, T => binary(|a: T, b: T| a | b)), vec![kind; 3]),
            "xor" => (for_bits!(kind, T => binary(|a: T, b: T| a ^ b)), vec![kind; 3]),
            "not" => (for_bits!(kind, T => unary(|a: T| !a)), vec![kind; 2]),
            "cnot" => (for_bits!(kind, T => unary(|a: T| T::from(a == 0))), vec![kind; 2]),
            "shl" => {
                let shift = for_bits!(kind, T => binary(|a: T, n: u32| a.checked_shl(n).unwrap_or(0)));
                (shift, vec![kind, kind, counts])
            }
            "shr" => (shift_right(kind), vec![kind, kind, counts]),
            "shf" => (funnel_shift(modifiers), vec![word, word, word, counts]),
            "bfe" => (extract(kind), vec![kind, kind, counts, counts]),
            "bfi" => return self.insert(kind, operands),
            "popc" => (for_bits!(kind, T => unary(|a: T| a.count_ones())), vec![counts, kind]),
            "clz" => (for_bits!(kind, T => unary(|a: T| a.leading_zeros())), vec![counts, kind]),
            "brev" => (for_bits!(kind, T => unary(|a: T| a.reverse_bits())), vec![kind; 2]),
            "bfind" => (find_leading(kind, modifiers.take("shiftamt")), vec![counts, kind]),
            "prmt" => (Some(permute(modifiers)), vec![word; 4]),
            "lop3" => return self.three_input_logic(operands),
            "fns" => (Some(ternary(nth_set_bit)), vec![word, word, word, Type::S32]),
            "bmsk" => {
                let clamp = modifiers.take("clamp");
                if !clamp && !modifiers.take("wrap") {
                    return Err(unsupported("bmsk without .clamp or .wrap"));
                }
                (Some(binary(move |a: u32, b: u32| bit_mask(a, b, clamp))), vec![word; 3])
            }
            "szext" => {
                let clamp = modifiers.take("clamp");
                if !clamp && !modifiers.take("wrap") {
                    return Err(unsupported("szext without .clamp or .wrap"));
                }
                let signed = kind.is_signed();
                let extend = move |a: u32, n: u32| {
                    let n = if clamp { n.min(32) } else { n % 32 };
                    field(a.into(), 0, n, 32, signed) as u32
                };
                (Some(binary(extend)), vec![kind, kind, counts])
            }
            _ => (None, Vec::new()),
        };
        let compute =
            compute.ok_or_else(|| unsupported(format!("{name} of type {kind:?} with these modifiers")))?;
        if operands.len() != types.len() {
            return Err(super::invalid(format!("{} operands instead of {}", operands.len(), types.len())));
        }
        let mut columns = Operands { d: self.destination(&operands[0], types[0])?, ..Operands::default() };
        let sources = [&mut columns.a, &mut columns.b, &mut columns.c];
        for ((column, operand), &kind) in sources.into_iter().zip(&operands[1..]).zip(&types[1..]) {
            *column = self.source(operand, kind)?;
        }
        Ok(Action::Compute(compute, columns))
    }

    /// `bfi.type f, a, b, c, d`: the low `d` bits of `a` put into `b` at bit `c`.
    fn insert(&mut self, kind: Type, operands: &[Operand]) -> Result<Action, Fault> {
        let [f, a, b, position, length] = exactly::<5>(operands)?;
        let compute = match kind {
            Type::B32 => insert_into::<u32>(),
            Type::B64 => insert_into::<u64>(),
            _ => return Err(unsupported(format!("bfi of type {kind:?}"))),
        };
        let columns = Operands {
            d: self.destination(f, kind)?,
            a: self.source(a, kind)?,
            b: self.source(b, kind)?,
            c: self.source(position, Type::U32)?,
            e: self.source(length, Type::U32)?,
            ..Operands::default()
        };
        Ok(Action::Compute(compute, columns))
    }

    /// `lop3.b32 d, a, b, c, table`: bit `i` of the table is the result for the bits `i = a b c`.
    fn three_input_logic(&mut self, operands: &[Operand]) -> Result<Action, Fault> {
        let [d, a, b, c, table] = exactly::<5>(operands)?;
        let Operand::Number(number) = *table else {
            return Err(unsupported("lop3 with a table that is no number"));
        };
        let table = number.bits(Type::U32);
        let compute = ternary(move |a: u32, b: u32, c: u32| {
            let term = |index: u32| {
                let [a, b, c] =
                    [(a, 4), (b, 2), (c, 1)].map(|(x, bit)| if index & bit != 0 { x } else { !x });
                if table >> index & 1 == 1 { a & b & c } else { 0 }
            };
            (0..8).fold(0, |all, index| all | term(index))
        });
        let [a, b, c] = [a, b, c].map(|operand| self.source(operand, Type::B32));
        let (a, b, c) = (a?, b?, c?);
        let d = self.destination(d, Type::B32)?;
        Ok(Action::Compute(compute, Operands { d, a, b, c, ..Operands::default() }))
    }
}

fn predicates(name: &str, operands: &[Operand]) -> Result<Action, Fault> {
    let (d, a, b) = match *operands {
        [ref d, ref a] if matches!(name, "not") => (d, a, a),
        [ref d, ref a, ref b] if matches!(name, "and" | "or" | "xor") => (d, a, b),
        _ => return Err(unsupported(format!("{name} of predicates"))),
    };
    let f: fn(u32, u32) -> u32 = match name {
        "and" => |a, b| a & b,
        "or" => |a, b| a | b,
        "xor" => |a, b| a ^ b,
        _ => |a, _| !a,
    };
    let compute = masks(move |registers, operands, mask| {
        let value = f(registers.condition(operands.p), registers.condition(operands.q));
        registers.set_predicate(operands.d, value, mask);
    });
    let (d, p, q) = (Decoder::predicate_destination(d)?, Decoder::condition(a)?, Decoder::condition(b)?);
    Ok(Action::Compute(compute, Operands { d, p, q, ..Operands::default() }))
}

/// Shifts by more than the size give zero, or copies of the sign.
fn shift_right(kind: Type) -> Option<Compute> {
    Some(match kind {
        Type::S16 => binary(|a: i16, n: u32| a >> n.min(15)),
        Type::S32 => binary(|a: i32, n: u32| a >> n.min(31)),
        Type::S64 => binary(|a: i64, n: u32| a >> n.min(63)),
        _ => return for_bits!(kind, T => binary(|a: T, n: u32| a.checked_shr(n).unwrap_or(0))),
    })
}

/// `shf`: 32 bits of a 64-bit value that is shifted.
fn funnel_shift(modifiers: &mut Modifiers<'_>) -> Option<Compute> {
    let (left, right) = (modifiers.take("l"), modifiers.take("r"));
    let (clamp, wrap) = (modifiers.take("clamp"), modifiers.take("wrap"));
    if left == right || clamp == wrap {
        return None;
    }
    let amount = move |n: u32| if clamp { n.min(32) } else { n & 31 };
    let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    Some(if left {
        ternary(move |low: u32, high: u32, n: u32| ((join(low, high) << amount(n)) >> 32) as u32)
    } else {
        ternary(move |low: u32, high: u32, n: u32| (join(low, high) >> amount(n)) as u32)
    })
}

/// `length` bits of `value` from `position` on, with the sign extended as `bfe` has it.
fn field(value: u64, position: u32, length: u32, bits: u32, signed: bool) -> u64 {
    let (position, length) = (position & 0xFF, length & 0xFF);
    let sign = if !signed || length == 0 { 0 } else { value >> (position + length - 1).min(bits - 1) & 1 };
    let taken = value.checked_shr(position).unwrap_or(0);
    // Bits above the value's own are copies of the sign.
    let present = length.min(bits.saturating_sub(position));
    let mask = if present >= 64 { u64::MAX } else { (1 << present) - 1 };
    if sign == 1 { taken & mask | !mask } else { taken & mask }
}

fn extract(kind: Type) -> Option<Compute> {
    Some(match kind {
        Type::U32 => ternary(|a: u32, p: u32, n: u32| field(a.into(), p, n, 32, false) as u32),
        Type::S32 => ternary(|a: u32, p: u32, n: u32| field(a.into(), p, n, 32, true) as u32),
        Type::U64 => ternary(|a: u64, p: u32, n: u32| field(a, p, n, 64, false)),
        Type::S64 => ternary(|a: u64, p: u32, n: u32| field(a, p, n, 64, true)),
        _ => return None,
    })
}

fn insert_into<T: Lane + Word>() -> Compute {
    masks(|registers, operands, mask| {
        let bits = 8 * T::BYTES as u32;
        for lane in each(mask) {
            let [from, into] =
                [operands.a, operands.b].map(|column| registers.lanes::<T>(column)[lane].zero_extended());
            let [position, length] =
                [operands.c, operands.e].map(|column| registers.lanes::<u32>(column)[lane] & 0xFF);
            let present = length.min(bits.saturating_sub(position));
            let low = if present >= 64 { u64::MAX } else { (1 << present) - 1 };
            let mask = low.checked_shl(position).unwrap_or(0);
            let value = into & !mask | from.checked_shl(position).unwrap_or(0) & mask;
            registers.lanes_mut::<T>(operands.d)[lane] = T::truncated(value);
        }
    })
}

/// The position of the highest bit that is not the sign's, or the shift that would bring it to the top.
fn find_leading(kind: Type, as_shift: bool) -> Option<Compute> {
    let position = move |zeros: u32, bits: u32| match bits.checked_sub(zeros + 1) {
        None => u32::MAX,
        Some(_) if as_shift => zeros,
        Some(position) => position,
    };
    Some(match kind {
        Type::U32 => unary(move |a: u32| position(a.leading_zeros(), 32)),
        Type::U64 => unary(move |a: u64| position(a.leading_zeros(), 64)),
        Type::S32 => unary(move |a: i32| position((a ^ a >> 31).leading_zeros(), 32)),
        Type::S64 => unary(move |a: i64| position((a ^ a >> 63).leading_zeros(), 64)),
        _ => return None,
    })
}

/// `prmt`: each byte of the result is one of eight bytes, or eight copies of its sign.
fn permute(modifiers: &mut Modifiers<'_>) -> Compute {
    let mode = modifiers.find(|word| {
        Some(match word {
            "f4e" => [0x3210_u32, 0x4321, 0x5432, 0x6543],
            "b4e" => [0x5670, 0x6701, 0x7012, 0x0123],
            "rc8" => [0x0000, 0x1111, 0x2222, 0x3333],
            "ecl" => [0x3210, 0x3211, 0x3222, 0x3333],
            "ecr" => [0x0000, 0x1110, 0x2210, 0x3210],
            "rc16" => [0x1010, 0x3232, 0x1010, 0x3232],
            _ => return None,
        })
    });
    ternary(move |a: u32, b: u32, selector: u32| {
        let bytes = (u64::from(b) << 32 | u64::from(a)).to_le_bytes();
        let selector = mode.map_or(selector, |mode| mode[(selector & 3) as usize]);
        u32::from_le_bytes(std::array::from_fn(|index| {
            let choice = selector >> (4 * index);
            let byte = bytes[(choice & 7) as usize];
            if choice & 8 == 0 { byte } else { (byte.cast_signed() >> 7).cast_unsigned() }
        }))
    })
}

/// `fns`: the position of the n-th set bit of `mask`, counted from `base` up, or down if `n` is negative.
fn nth_set_bit(mask: u32, base: u32, n: i32) -> u32 {
    if base >= 32 {
        return u32::MAX;
    }
    let set = |position: &u32| mask >> position & 1 == 1;
    let found = match n {
        0 => Some(base).filter(set),
        1.. => (base..32).filter(set).nth(n as usize - 1),
        _ => (0..=base).rev().filter(set).nth(n.unsigned_abs() as usize - 1),
    };
    found.unwrap_or(u32::MAX)
}

/// `bmsk`: `length` ones from bit `start` on.
fn bit_mask(start: u32, length: u32, clamp: bool) -> u32 {
    let (start, length) = if clamp { (start.min(32), length.min(32)) } else { (start % 32, length % 32) };
    let ones = 1_u64.checked_shl(length).map_or(u64::MAX, |bit| bit - 1);
    (ones << start) as u32
}
