//! Floating-point arithmetic (PTX ISA 9.7.3).

use rustc_apfloat::Round;

use super::operands::{Decoder, exactly};
use super::{Modifiers, unsupported};
use crate::fault::Fault;
use crate::interpreter::float::{
    Real, divide_approximately, flush_if, greatest, least, quiet, reciprocal_root_upper, reciprocal_upper,
    through_double,
};
use crate::interpreter::instruction::Action;
use crate::interpreter::register::{Compute, Operands, Scalar, binary, ternary, test, unary};
use crate::ptx::syntax::{Operand, Type};

/// The modifiers that all of the chapter shares.
#[derive(Clone, Copy)]
struct Style {
    round: Option<Round>,
    ftz: bool,
    saturate: bool,
}

/// A rounding modifier of a floating-point result.
pub(super) fn rounding(word: &str) -> Option<Round> {
    Some(match word {
        "rn" => Round::NearestTiesToEven,
        "rz" => Round::TowardZero,
        "rm" => Round::TowardNegative,
        "rp" => Round::TowardPositive,
        _ => return None,
    })
}

impl Decoder<'_> {
    pub(super) fn float(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let style = Style {
            round: modifiers.find(rounding),
            ftz: modifiers.take("ftz"),
            saturate: modifiers.take("sat"),
        };
        if name == "testp" {
            return self.test_property(modifiers, kind, operands);
        }
        let (compute, sources) = match operands.len() {
            2 => (one_operand(name, modifiers, kind, style), 1),
            3 => (two_operands(name, modifiers, kind, style), 2),
            4 => (three_operands(name, kind, style), 3),
            _ => (None, 0),
        };
        let compute =
            compute.ok_or_else(|| unsupported(format!("{name} of type {kind:?} with these modifiers")))?;
        let mut columns = Operands { d: self.destination(&operands[0], kind)?, ..Operands::default() };
        for (column, operand) in
            [&mut columns.a, &mut columns.b, &mut columns.c].into_iter().zip(&operands[1..=sources])
        {
            *column = self.source(operand, kind)?;
        }
        Ok(Action::Compute(compute, columns))
    }

    /// `testp.finite.f32 p, a`
    fn test_property(
        &mut self,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        use std::num::FpCategory::{Infinite, Nan, Normal, Subnormal, Zero};
        fn with<T: Real>(holds: impl Fn(std::num::FpCategory) -> bool + Scalar) -> Compute {
            test(
                move |a: T, _| holds(a.category()),
                |registers, operands, holds, mask| registers.set_predicate(operands.d, holds, mask),
            )
        }
        macro_rules! property {
            ($categories:pat) => {
                if kind == Type::F32 {
                    with::<f32>(|category| matches!(category, $categories))
                } else {
                    with::<f64>(|category| matches!(category, $categories))
                }
            };
        }
        let compute = modifiers.find(|word| {
            Some(match word {
                "finite" => property!(Zero | Subnormal | Normal),
                "infinite" => property!(Infinite),
                "number" => property!(Zero | Subnormal | Normal | Infinite),
                "notanumber" => property!(Nan),
                // Zero counts as normal (PTX ISA, testp).
                "normal" => property!(Normal | Zero),
                "subnormal" => property!(Subnormal),
                _ => return None,
            })
        });
        let compute = compute.ok_or_else(|| unsupported("this property"))?;
        let [d, a] = exactly::<2>(operands)?;
        let (d, a) = (Self::predicate_destination(d)?, self.source(a, kind)?);
        Ok(Action::Compute(compute, Operands { d, a, b: a, ..Operands::default() }))
    }
}

/// Single precision: flushed, saturated and quieted as the style says.
fn single1(style: Style, f: impl Fn(f32) -> f32 + Scalar) -> Compute {
    if style.ftz || style.saturate {
        unary(move |a: f32| finish(style, f(flush_if(style.ftz, a))))
    } else {
        unary(move |a: f32| quiet(f(a)))
    }
}

fn single2(style: Style, f: impl Fn(f32, f32) -> f32 + Scalar) -> Compute {
    if style.ftz || style.saturate {
        let flush = move |x| flush_if(style.ftz, x);
        binary(move |a: f32, b: f32| finish(style, f(flush(a), flush(b))))
    } else {
        binary(move |a: f32, b: f32| quiet(f(a, b)))
    }
}

fn single3(style: Style, f: impl Fn(f32, f32, f32) -> f32 + Scalar) -> Compute {
    if style.ftz || style.saturate {
        let flush = move |x| flush_if(style.ftz, x);
        ternary(move |a: f32, b: f32, c: f32| finish(style, f(flush(a), flush(b), flush(c))))
    } else {
        ternary(move |a: f32, b: f32, c: f32| quiet(f(a, b, c)))
    }
}

#[inline(always)]
fn finish(style: Style, x: f32) -> f32 {
    let x = quiet(flush_if(style.ftz, x));
    if style.saturate { x.saturate() } else { x }
}

fn one_operand(name: &str, modifiers: &mut Modifiers<'_>, kind: Type, style: Style) -> Option<Compute> {
    let is_single = kind == Type::F32;
    let approximate = modifiers.take("approx");
    if style.saturate || (style.ftz && !is_single && !approximate) {
        return None;
    }
    Some(match (name, approximate, style.round, is_single) {
        // Not flushed by `quiet`: the sign and payload of a not-a-number are unspecified, and kept.
        ("abs", false, None, true) => unary(move |a: f32| flush_if(style.ftz, a).abs()),
        ("neg", false, None, true) => unary(move |a: f32| -flush_if(style.ftz, a)),
        ("abs", false, None, false) => unary(f64::abs),
        ("neg", false, None, false) => unary(|a: f64| -a),
        ("rcp", true, None, true) | ("rcp", false, Some(Round::NearestTiesToEven), true) => {
            single1(style, |a| 1.0 / a)
        }
        ("rcp", false, Some(Round::NearestTiesToEven), false) => unary(|a: f64| 1.0 / a),
        ("rcp", false, Some(round), true) => single1(style, move |a| 1.0_f32.div_rounded(a, round)),
        ("rcp", false, Some(round), false) => unary(move |a: f64| 1.0_f64.div_rounded(a, round)),
        ("rcp", true, None, false) if style.ftz => unary(reciprocal_upper),
        ("sqrt", true, None, true) | ("sqrt", false, Some(Round::NearestTiesToEven), true) => {
            single1(style, f32::sqrt)
        }
        ("sqrt", false, Some(Round::NearestTiesToEven), false) => unary(f64::sqrt),
        ("sqrt", false, Some(round), true) => single1(style, move |a| a.sqrt_rounded(round)),
        ("sqrt", false, Some(round), false) => unary(move |a: f64| a.sqrt_rounded(round)),
        ("rsqrt", true, None, true) => single1(style, |a| through_double(|a| 1.0 / a.sqrt(), a)),
        ("rsqrt", true, None, false) if style.ftz => unary(reciprocal_root_upper),
        // Without `.ftz` the ISA lets a device use fewer bits than the full double; all of them are closest.
        ("rsqrt", true, None, false) => unary(|a: f64| 1.0 / a.sqrt()),
        ("sin", true, None, true) => single1(style, |a| through_double(f64::sin, a)),
        ("cos", true, None, true) => single1(style, |a| through_double(f64::cos, a)),
        ("lg2", true, None, true) => single1(style, |a| through_double(f64::log2, a)),
        ("ex2", true, None, true) => single1(style, |a| through_double(f64::exp2, a)),
        ("tanh", true, None, true) => single1(style, |a| through_double(f64::tanh, a)),
        _ => return None,
    })
}

fn two_operands(name: &str, modifiers: &mut Modifiers<'_>, kind: Type, style: Style) -> Option<Compute> {
    let is_single = kind == Type::F32;
    let (approximate, full) = (modifiers.take("approx"), modifiers.take("full"));
    if !is_single && (style.ftz || style.saturate || approximate || full) {
        return None;
    }
    macro_rules! rounded {
        ($near:ident, $directed:ident) => {
            match (style.round.unwrap_or(Round::NearestTiesToEven), is_single) {
                (Round::NearestTiesToEven, true) => single2(style, <f32 as Real>::$near),
                (Round::NearestTiesToEven, false) => binary(<f64 as Real>::$near),
                (round, true) => single2(style, move |a, b| a.$directed(b, round)),
                (round, false) => binary(move |a: f64, b: f64| a.$directed(b, round)),
            }
        };
    }
    macro_rules! extremum {
        ($f:ident) => {{
            let propagate = modifiers.take("NaN");
            match (is_single, propagate) {
                (true, false) => single2(style, $f::<f32>),
                (false, false) => binary($f::<f64>),
                (true, true) => single2(style, |a, b| strict(a, b, $f(a, b))),
                (false, true) => binary(|a: f64, b: f64| strict(a, b, $f(a, b))),
            }
        }};
    }
    Some(match name {
        "add" => rounded!(add, add_rounded),
        "sub" => match (style.round.unwrap_or(Round::NearestTiesToEven), is_single) {
            (Round::NearestTiesToEven, true) => single2(style, |a, b| a - b),
            (Round::NearestTiesToEven, false) => binary(|a: f64, b: f64| a - b),
            (round, true) => single2(style, move |a, b| a.add_rounded(-b, round)),
            (round, false) => binary(move |a: f64, b: f64| a.add_rounded(-b, round)),
        },
        "mul" => rounded!(mul, mul_rounded),
        "div" if approximate && style.round.is_none() => single2(style, divide_approximately),
        "div" if full && style.round.is_none() => single2(style, |a, b| a / b),
        "div" if style.round.is_some() => rounded!(div, div_rounded),
        "min" if style.round.is_none() => extremum!(least),
        "max" if style.round.is_none() => extremum!(greatest),
        // The sign of the first operand, the rest of the second.
        "copysign" if is_single && style.round.is_none() => binary(|a: f32, b: f32| b.copysign(a)),
        "copysign" if style.round.is_none() => binary(|a: f64, b: f64| b.copysign(a)),
        _ => return None,
    })
}

/// `.NaN`: no number if one of the operands is none.
#[inline(always)]
fn strict<T: Real>(a: T, b: T, otherwise: T) -> T {
    if a.is_nan() || b.is_nan() { T::not_a_number() } else { otherwise }
}

fn three_operands(name: &str, kind: Type, style: Style) -> Option<Compute> {
    let is_single = kind == Type::F32;
    if !matches!(name, "fma" | "mad") || (!is_single && (style.ftz || style.saturate)) {
        return None;
    }
    Some(match (style.round?, is_single) {
        (Round::NearestTiesToEven, true) => single3(style, f32::mul_add),
        (Round::NearestTiesToEven, false) => ternary(f64::mul_add),
        (round, true) => single3(style, move |a, b, c| a.fma_rounded(b, c, round)),
        (round, false) => ternary(move |a: f64, b: f64, c: f64| a.fma_rounded(b, c, round)),
    })
}
