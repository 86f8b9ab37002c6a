//! `cvt` (PTX ISA 9.7.9.21).
//!
//! An integer of any size is kept in a register of its size or more: of a source the low bits count, a result is
//! extended to the register by its sign.

use rustc_apfloat::Round;

use super::float::rounding;
use super::operands::{Decoder, exactly};
use super::{Modifiers, unsupported};
use crate::fault::Fault;
use crate::interpreter::float::{Real, flush_if, narrow, quiet};
use crate::interpreter::instruction::Action;
use crate::interpreter::register::{Compute, Operands, unary};
use crate::interpreter::word::Word;
use crate::ptx::syntax::{Operand, Type};

/// A rounding modifier of a conversion to an integral value.
fn integral_rounding(word: &str) -> Option<Round> {
    rounding(match word {
        "rni" => "rn",
        "rzi" => "rz",
        "rmi" => "rm",
        "rpi" => "rp",
        _ => return None,
    })
}

/// A function written once for the unsigned type of a register's size.
macro_rules! for_register {
    ($bytes:expr, $t:ident => $compute:expr) => {
        match $bytes {
            2 => {
                type $t = u16;
                $compute
            }
            4 => {
                type $t = u32;
                $compute
            }
            _ => {
                type $t = u64;
                $compute
            }
        }
    };
}

#[derive(Clone, Copy)]
struct Style {
    integral: Option<Round>,
    round: Option<Round>,
    ftz: bool,
    saturate: bool,
}

impl Decoder<'_> {
    pub(super) fn convert(
        &mut self,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let from = modifiers.kind()?;
        let to = modifiers.kind()?;
        let style = Style {
            integral: modifiers.find(integral_rounding),
            round: modifiers.find(rounding),
            ftz: modifiers.take("ftz"),
            saturate: modifiers.take("sat"),
        };
        let [d, a] = exactly::<2>(operands)?;
        let a =
            if from.is_float() { (self.source(a, from)?, from.bytes()) } else { self.wide_source(a, from)? };
        let d = if to.is_float() {
            (self.destination(d, to)?, to.bytes())
        } else {
            let element = self.element(d, to, true)?;
            (element.column, element.register_bytes)
        };
        let compute = match (from.is_float(), to.is_float()) {
            (false, false) => integer_to_integer(from, a.1, to, d.1, style),
            (false, true) => integer_to_float(from, a.1, to, style),
            (true, false) => float_to_integer(from, to, d.1, style),
            (true, true) => float_to_float(from, to, style),
        };
        let compute = compute
            .ok_or_else(|| unsupported(format!("cvt from {from:?} to {to:?} with these modifiers")))?;
        Ok(Action::Compute(compute, Operands { d: d.0, a: a.0, ..Operands::default() }))
    }
}

/// The low bits of a register as a number of the given type, in 64 bits.
#[inline(always)]
fn extend(x: u64, unused: u32, signed: bool) -> u64 {
    if signed { (((x << unused).cast_signed()) >> unused).cast_unsigned() } else { x << unused >> unused }
}

fn unused_bits(kind: Type) -> u32 {
    64 - 8 * u32::from(kind.bytes())
}

/// The least and the greatest number of an integer type.
fn limits(kind: Type) -> (i128, i128) {
    let bits = 8 * u32::from(kind.bytes());
    if kind.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

fn integer_to_integer(from: Type, from_bytes: u8, to: Type, to_bytes: u8, style: Style) -> Option<Compute> {
    if style.integral.is_some() || style.round.is_some() || style.ftz {
        return None;
    }
    let (in_unused, in_signed) = (unused_bits(from), from.is_signed());
    if style.saturate {
        let (least, greatest) = limits(to);
        return Some(for_register!(from_bytes, A => for_register!(to_bytes, R => unary(move |a: A| {
            let x = extend(a.zero_extended(), in_unused, in_signed);
            let x = if in_signed { i128::from(x.cast_signed()) } else { i128::from(x) };
            x.clamp(least, greatest) as R
        }))));
    }
    // The conversions that compiled code is full of.
    match (from, from_bytes, to, to_bytes) {
        (Type::U32, 4, Type::U64 | Type::S64, 8) => return Some(unary(|a: u32| u64::from(a))),
        (Type::S32, 4, Type::U64 | Type::S64, 8) => return Some(unary(|a: i32| i64::from(a))),
        (Type::U64 | Type::S64, 8, Type::U32 | Type::S32, 4) => return Some(unary(|a: u64| a as u32)),
        _ => {}
    }
    let (out_unused, out_signed) = (unused_bits(to), to.is_signed());
    Some(for_register!(from_bytes, A => for_register!(to_bytes, R => unary(move |a: A| {
        R::truncated(extend(extend(a.zero_extended(), in_unused, in_signed), out_unused, out_signed))
    }))))
}

fn integer_to_float(from: Type, from_bytes: u8, to: Type, style: Style) -> Option<Compute> {
    // `.ftz` has nothing to flush; `.sat` of an integer is not offered.
    let round = style.round?;
    if style.integral.is_some() || style.saturate {
        return None;
    }
    let nearest = round == Round::NearestTiesToEven;
    match (from, from_bytes, to) {
        (Type::S32, 4, Type::F32) if nearest => return Some(unary(|a: i32| a as f32)),
        (Type::S32, 4, Type::F64) if nearest => return Some(unary(|a: i32| f64::from(a))),
        (Type::U32, 4, Type::F32) if nearest => return Some(unary(|a: u32| a as f32)),
        (Type::U32, 4, Type::F64) if nearest => return Some(unary(|a: u32| f64::from(a))),
        _ => {}
    }
    let unused = unused_bits(from);
    macro_rules! to {
        ($real:ty) => {
            for_register!(from_bytes, A => if from.is_signed() {
                unary(move |a: A| <$real>::from_signed(extend(a.zero_extended(), unused, true).cast_signed(), round))
            } else {
                unary(move |a: A| <$real>::from_unsigned(extend(a.zero_extended(), unused, false), round))
            })
        };
    }
    Some(if to == Type::F32 { to!(f32) } else { to!(f64) })
}

/// Results out of range are the nearest in range, with or without `.sat`; what is no number becomes zero, or the
/// highest bit alone if the source or the destination has 64 bits.
fn float_to_integer(from: Type, to: Type, to_bytes: u8, style: Style) -> Option<Compute> {
    let round = style.integral?;
    if style.round.is_some() || (style.ftz && from == Type::F64) {
        return None;
    }
    let ftz = style.ftz;
    macro_rules! common {
        ($real:ty, $integer:ty, $nan:expr) => {
            match round {
                Round::TowardZero => unary(move |a: $real| if a.is_nan() { $nan } else { a as $integer }),
                Round::NearestTiesToEven => {
                    unary(move |a: $real| if a.is_nan() { $nan } else { a.round_ties_even() as $integer })
                }
                _ => unary(move |a: $real| if a.is_nan() { $nan } else { a.integral(round) as $integer }),
            }
        };
    }
    match (from, to, to_bytes) {
        (Type::F64, Type::S32, 4) => return Some(common!(f64, i32, i32::MIN)),
        (Type::F64, Type::U32, 4) => return Some(common!(f64, u32, 1 << 31)),
        (Type::F64, Type::S64, 8) => return Some(common!(f64, i64, i64::MIN)),
        (Type::F64, Type::U64, 8) => return Some(common!(f64, u64, 1 << 63)),
        (Type::F32, Type::S32, 4) if !ftz => return Some(common!(f32, i32, 0)),
        (Type::F32, Type::U32, 4) if !ftz => return Some(common!(f32, u32, 0)),
        _ => {}
    }
    let (least, greatest) = limits(to);
    let highest = 1_i128 << (8 * u32::from(to.bytes()) - 1);
    let nan = match (from == Type::F64 || to.bytes() == 8, to.is_signed()) {
        (false, _) => 0,
        (true, false) => highest,
        (true, true) => -highest,
    };
    let clamp = move |x: f64| if x.is_nan() { nan } else { (x as i128).clamp(least, greatest) };
    Some(for_register!(to_bytes, R => if from == Type::F64 {
        unary(move |a: f64| clamp(a.integral(round)) as R)
    } else {
        unary(move |a: f32| clamp(f64::from(flush_if(ftz, a).integral(round))) as R)
    }))
}

fn float_to_float(from: Type, to: Type, style: Style) -> Option<Compute> {
    let Style { integral, round, ftz, saturate } = style;
    // Rounding to an integral value is for equal types, to fewer bits for a narrower type.
    match (from, to) {
        (Type::F64, Type::F32) => round?,
        _ if round.is_some() => return None,
        _ => Round::NearestTiesToEven,
    };
    if (integral.is_some() && from != to) || (ftz && from == Type::F64 && to == Type::F64) {
        return None;
    }
    let clamp32 = move |x: f32| if saturate { Real::saturate(x) } else { x };
    let clamp64 = move |x: f64| if saturate { Real::saturate(x) } else { x };
    Some(match (from, to) {
        (Type::F64, Type::F32) => {
            let round = round?;
            if round == Round::NearestTiesToEven && !ftz && !saturate {
                unary(|a: f64| quiet(a as f32))
            } else {
                unary(move |a: f64| clamp32(quiet(flush_if(ftz, narrow(a, round)))))
            }
        }
        (Type::F32, Type::F64) => unary(move |a: f32| clamp64(f64::from(flush_if(ftz, a)))),
        (Type::F32, _) => unary(move |a: f32| {
            let a = flush_if(ftz, a);
            clamp32(integral.map_or(a, |round| quiet(a.integral(round))))
        }),
        _ => unary(move |a: f64| clamp64(integral.map_or(a, |round| a.integral(round)))),
    })
}
