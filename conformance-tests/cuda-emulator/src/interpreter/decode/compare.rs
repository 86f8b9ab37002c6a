//! Comparison and selection (PTX ISA 9.7.6).

use super::operands::{Decoder, exactly};
use super::{Modifiers, invalid, unsupported};
use crate::fault::Fault;
use crate::interpreter::float::{flush, flush_if};
use crate::interpreter::instruction::Action;
use crate::interpreter::register::{Compute, LANES, Lane, Operands, Registers, choice, ternary, test};
use crate::ptx::syntax::{Operand, Type};

/// How a comparison is joined with a predicate.
#[derive(Clone, Copy)]
enum Join {
    And,
    Or,
    Xor,
}

/// Where the result of a comparison goes.
#[derive(Clone, Copy)]
enum Target {
    /// A predicate.
    One,
    /// A predicate, and another for the opposite of the comparison.
    Two,
    /// A column, with these bits where the result is true.
    Column(u32),
}

#[derive(Clone, Copy)]
struct Finish {
    join: Option<Join>,
    target: Target,
}

impl Finish {
    fn write(self, registers: &mut Registers<'_>, operands: &Operands, holds: u32, mask: u32) {
        let (first, second) = match self.join {
            None => (holds, !holds),
            Some(join) => {
                let p = registers.condition(operands.p);
                match join {
                    Join::And => (holds & p, !holds & p),
                    Join::Or => (holds | p, !holds | p),
                    Join::Xor => (holds ^ p, !holds ^ p),
                }
            }
        };
        match self.target {
            Target::One => registers.set_predicate(operands.d, first, mask),
            Target::Two => {
                registers.set_predicate(operands.d, first, mask);
                registers.set_predicate(operands.e, second, mask);
            }
            Target::Column(bits) => {
                let values: [u32; LANES] =
                    std::array::from_fn(|lane| if first >> lane & 1 == 1 { bits } else { 0 });
                registers.set_lanes(operands.d, &values, mask);
            }
        }
    }
}

impl Decoder<'_> {
    pub(super) fn compare(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let kind = modifiers.kind()?;
        match name {
            "selp" => self.select(kind, operands),
            "slct" => self.select_by_sign(modifiers, kind, operands),
            _ => self.test(name == "set", modifiers, kind, operands),
        }
    }

    /// `setp.lt.and.f32 p|q, a, b, !c` and `set.lt.and.u32.f32 d, a, b, !c`
    fn test(
        &mut self,
        is_value: bool,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let ftz = modifiers.take("ftz");
        let target = if is_value {
            let result = modifiers.kind()?;
            let bits = match result {
                Type::U32 | Type::S32 => u32::MAX,
                Type::F32 => 1.0_f32.to_bits(),
                _ => return Err(unsupported(format!("set with a result of type {result:?}"))),
            };
            Target::Column(bits)
        } else if matches!(operands.first(), Some(Operand::Pair(..))) {
            Target::Two
        } else {
            Target::One
        };
        let join = modifiers.find(|word| {
            Some(match word {
                "and" => Join::And,
                "or" => Join::Or,
                "xor" => Join::Xor,
                _ => return None,
            })
        });
        let finish = Finish { join, target };
        let compute = modifiers.find(|word| comparison(word, kind, ftz, finish));
        let compute = compute.ok_or_else(|| unsupported(format!("this comparison of type {kind:?}")))?;
        let mut columns = Operands::default();
        match (target, operands.first()) {
            (Target::Two, Some(Operand::Pair(first, second))) => {
                columns.d = Self::predicate_destination(first)?;
                columns.e = Self::predicate_destination(second)?;
            }
            (Target::Column(_), Some(first)) => columns.d = self.destination(first, Type::U32)?,
            (_, Some(first)) => columns.d = Self::predicate_destination(first)?,
            (_, None) => return Err(invalid("no operands")),
        }
        match (join, &operands[1..]) {
            (None, [a, b]) => (columns.a, columns.b) = (self.source(a, kind)?, self.source(b, kind)?),
            (Some(_), [a, b, p]) => {
                (columns.a, columns.b) = (self.source(a, kind)?, self.source(b, kind)?);
                columns.p = Self::condition(p)?;
            }
            _ => return Err(invalid(format!("{} operands", operands.len()))),
        }
        Ok(Action::Compute(compute, columns))
    }

    /// `selp.type d, a, b, p`
    fn select(&mut self, kind: Type, operands: &[Operand]) -> Result<Action, Fault> {
        let [d, a, b, p] = exactly::<4>(operands)?;
        let compute = match kind.bytes() {
            2 => choice(|a: u16, b: u16, p| if p { a } else { b }),
            4 => choice(|a: u32, b: u32, p| if p { a } else { b }),
            8 => choice(|a: u64, b: u64, p| if p { a } else { b }),
            _ => return Err(unsupported(format!("selp of type {kind:?}"))),
        };
        let (d, a, b) = (self.destination(d, kind)?, self.source(a, kind)?, self.source(b, kind)?);
        Ok(Action::Compute(compute, Operands { d, a, b, p: Self::condition(p)?, ..Operands::default() }))
    }

    /// `slct.dtype.ctype d, a, b, c`: `a` where `c >= 0`.
    fn select_by_sign(
        &mut self,
        modifiers: &mut Modifiers<'_>,
        control: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let ftz = modifiers.take("ftz");
        let kind = modifiers.kind()?;
        let [d, a, b, c] = exactly::<4>(operands)?;
        macro_rules! of {
            ($t:ty) => {
                match control {
                    Type::S32 => ternary(|a: $t, b: $t, c: i32| if c >= 0 { a } else { b }),
                    Type::F32 => {
                        ternary(move |a: $t, b: $t, c: f32| if flush_if(ftz, c) >= 0.0 { a } else { b })
                    }
                    _ => return Err(unsupported(format!("slct by type {control:?}"))),
                }
            };
        }
        let compute = match kind.bytes() {
            2 => of!(u16),
            4 => of!(u32),
            8 => of!(u64),
            _ => return Err(unsupported(format!("slct of type {kind:?}"))),
        };
        let (d, a, b) = (self.destination(d, kind)?, self.source(a, kind)?, self.source(b, kind)?);
        let c = self.source(c, control)?;
        Ok(Action::Compute(compute, Operands { d, a, b, c, ..Operands::default() }))
    }
}

/// The comparison that a modifier names, for a type that has it.
fn comparison(word: &str, kind: Type, ftz: bool, finish: Finish) -> Option<Compute> {
    match kind {
        Type::B16 | Type::B32 | Type::B64 if !matches!(word, "eq" | "ne") => None,
        Type::U16 | Type::B16 => unsigned::<u16>(word, finish),
        Type::U32 | Type::B32 => unsigned::<u32>(word, finish),
        Type::U64 | Type::B64 => unsigned::<u64>(word, finish),
        Type::S16 => ordered::<i16>(word, finish),
        Type::S32 => ordered::<i32>(word, finish),
        Type::S64 => ordered::<i64>(word, finish),
        Type::F32 if ftz => real::<f32>(word, finish, flush),
        Type::F32 => real::<f32>(word, finish, |x| x),
        Type::F64 if !ftz => real::<f64>(word, finish, |x| x),
        _ => None,
    }
}

macro_rules! tests {
    ($t:ty, $word:expr, $finish:expr; $($name:literal => $holds:expr),* $(,)?) => {
        match $word {
            $($name => {
                let finish: Finish = $finish;
                Some(test::<$t>($holds, move |registers, operands, holds, mask| {
                    finish.write(registers, operands, holds, mask);
                }))
            })*
            _ => None,
        }
    };
}

fn ordered<T: Lane>(word: &str, finish: Finish) -> Option<Compute> {
    tests!(T, word, finish;
        "eq" => |a, b| a == b,
        "ne" => |a, b| a != b,
        "lt" => |a, b| a < b,
        "le" => |a, b| a <= b,
        "gt" => |a, b| a > b,
        "ge" => |a, b| a >= b,
    )
}

/// Unsigned types have names of their own for the same comparisons.
fn unsigned<T: Lane>(word: &str, finish: Finish) -> Option<Compute> {
    let word = match word {
        "lo" => "lt",
        "ls" => "le",
        "hi" => "gt",
        "hs" => "ge",
        word => word,
    };
    ordered::<T>(word, finish)
}

/// Without `u` a comparison with what is no number is false, with it true.
fn real<T: Lane>(
    word: &str,
    finish: Finish,
    flush: impl Fn(T) -> T + crate::interpreter::register::Scalar,
) -> Option<Compute> {
    let is_number = |x: T| x.partial_cmp(&x).is_some();
    tests!(T, word, finish;
        "eq" => move |a, b| flush(a) == flush(b),
        "ne" => move |a, b| flush(a) < flush(b) || flush(a) > flush(b),
        "lt" => move |a, b| flush(a) < flush(b),
        "le" => move |a, b| flush(a) <= flush(b),
        "gt" => move |a, b| flush(a) > flush(b),
        "ge" => move |a, b| flush(a) >= flush(b),
        "equ" => move |a, b| !(flush(a) < flush(b) || flush(a) > flush(b)),
        "neu" => move |a, b| flush(a) != flush(b),
        "ltu" => move |a, b| flush(a) < flush(b) || !is_number(a) || !is_number(b),
        "leu" => move |a, b| flush(a) <= flush(b) || !is_number(a) || !is_number(b),
        "gtu" => move |a, b| flush(a) > flush(b) || !is_number(a) || !is_number(b),
        "geu" => move |a, b| flush(a) >= flush(b) || !is_number(a) || !is_number(b),
        "num" => move |a, b| is_number(a) && is_number(b),
        "nan" => move |a, b| !is_number(a) || !is_number(b),
    )
}
