//! Integer and extended-precision arithmetic (PTX ISA 9.7.1 and 9.7.2).

use super::operands::Decoder;
use super::{Modifiers, invalid, unsupported};
use crate::fault::Fault;
use crate::interpreter::instruction::Action;
use crate::interpreter::register::{
    Compute, Lane, Operands, Registers, Scalar, binary, each, masks, ternary, unary,
};
use crate::ptx::syntax::{CARRY, Operand, Type};

/// A function written once for the integer type that `kind` names: `t` in the expression.
macro_rules! for_integer {
    ($kind:expr, $t:ident => $compute:expr) => {
        match $kind {
            Type::U16 | Type::B16 => {
                type $t = u16;
                Some($compute)
            }
            Type::S16 => {
                type $t = i16;
                Some($compute)
            }
            Type::U32 | Type::B32 => {
                type $t = u32;
                Some($compute)
            }
            Type::S32 => {
                type $t = i32;
                Some($compute)
            }
            Type::U64 | Type::B64 => {
                type $t = u64;
                Some($compute)
            }
            Type::S64 => {
                type $t = i64;
                Some($compute)
            }
            _ => None,
        }
    };
}

/// The upper half of a product.
macro_rules! high_product {
    ($t:ident) => {
        // A product of two unsigned 64-bit numbers may wrap to a negative one; its bits are the same.
        |a: $t, b: $t| ((a as i128).wrapping_mul(b as i128) >> $t::BITS) as $t
    };
}

impl Decoder<'_> {
    pub(super) fn integer(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        match name {
            "addc" | "subc" | "madc" => return self.extended(name, modifiers, kind, operands),
            "add" | "sub" | "mad" if modifiers.take("cc") => {
                return self.extended_setting(name, modifiers, kind, operands, false);
            }
            "mul" | "mad" | "mul24" | "mad24" => return self.product(name, modifiers, kind, operands),
            "dp4a" => return self.dot_product(modifiers, kind, operands),
            _ => {}
        }
        let compute = match operands.len() {
            2 => one_operand(name, kind),
            3 => two_operands(name, kind, modifiers.take("sat")),
            4 => three_operands(name, kind),
            _ => None,
        };
        self.same_types(compute, name, kind, operands)
    }

    /// An instruction whose operands all have the same type.
    fn same_types(
        &mut self,
        compute: Option<Compute>,
        name: &str,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let compute =
            compute.ok_or_else(|| unsupported(format!("{name} of type {kind:?} with these modifiers")))?;
        let mut columns = Operands { d: self.destination(&operands[0], kind)?, ..Operands::default() };
        for (column, operand) in
            [&mut columns.a, &mut columns.b, &mut columns.c].into_iter().zip(&operands[1..])
        {
            *column = self.source(operand, kind)?;
        }
        Ok(Action::Compute(compute, columns))
    }

    fn product(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let adds = name.starts_with("mad");
        if operands.len() != if adds { 4 } else { 3 } {
            return Err(invalid(format!("{} operands", operands.len())));
        }
        if modifiers.take("wide") {
            return self.wide_product(adds, kind, operands);
        }
        let high = modifiers.take("hi");
        if !high && !modifiers.take("lo") {
            return Err(unsupported("a product without .lo, .hi or .wide"));
        }
        let compute = match (name, adds, high) {
            ("mul24" | "mad24", ..) => product_of_24_bits(kind, adds, high),
            (_, false, false) => for_integer!(kind, T => binary(|a: T, b: T| a.wrapping_mul(b))),
            (_, false, true) => for_integer!(kind, T => binary(high_product!(T))),
            (_, true, false) => {
                for_integer!(kind, T => ternary(|a: T, b: T, c: T| a.wrapping_mul(b).wrapping_add(c)))
            }
            (_, true, true) if modifiers.take("sat") => (kind == Type::S32)
                .then(|| ternary(|a: i32, b: i32, c: i32| high_product!(i32)(a, b).saturating_add(c))),
            (_, true, true) => {
                for_integer!(kind, T => ternary(|a: T, b: T, c: T| high_product!(T)(a, b).wrapping_add(c)))
            }
        };
        self.same_types(compute, name, kind, operands)
    }

    /// `mul.wide`, `mad.wide`: the result has twice the size.
    fn wide_product(&mut self, adds: bool, kind: Type, operands: &[Operand]) -> Result<Action, Fault> {
        macro_rules! wide {
            ($narrow:ty, $wide:ty) => {
                if adds {
                    ternary(|a: $narrow, b: $narrow, c: $wide| (a as $wide * b as $wide).wrapping_add(c))
                } else {
                    binary(|a: $narrow, b: $narrow| a as $wide * b as $wide)
                }
            };
        }
        let (compute, wide) = match kind {
            Type::U16 => (wide!(u16, u32), Type::U32),
            Type::S16 => (wide!(i16, i32), Type::S32),
            Type::U32 => (wide!(u32, u64), Type::U64),
            Type::S32 => (wide!(i32, i64), Type::S64),
            _ => return Err(unsupported(format!("a wide product of type {kind:?}"))),
        };
        let (d, a) = (self.destination(&operands[0], wide)?, self.source(&operands[1], kind)?);
        let b = self.source(&operands[2], kind)?;
        let c = if adds { self.source(&operands[3], wide)? } else { 0 };
        Ok(Action::Compute(compute, Operands { d, a, b, c, ..Operands::default() }))
    }

    /// `dp4a.atype.btype`: a dot product of four bytes, added to the third operand.
    fn dot_product(
        &mut self,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let first = modifiers.kind()?;
        if ![first, kind].iter().all(|kind| matches!(kind, Type::U32 | Type::S32)) {
            return Err(unsupported(format!("dp4a of types {first:?} and {kind:?}")));
        }
        let byte = |signed: bool| move |x: u8| if signed { i32::from(x.cast_signed()) } else { i32::from(x) };
        let (a_byte, b_byte) = (byte(first.is_signed()), byte(kind.is_signed()));
        let compute = ternary(move |a: u32, b: u32, c: i32| {
            let (a, b) = (a.to_le_bytes().map(a_byte), b.to_le_bytes().map(b_byte));
            (0..4).fold(c, |sum, index| sum.wrapping_add(a[index] * b[index]))
        });
        self.same_types(Some(compute), "dp4a", Type::B32, operands)
    }

    /// `addc`, `subc`, `madc`: read the carry flag, and set it with `.cc`.
    fn extended(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        if modifiers.take("cc") {
            self.extended_setting(&name[..3], modifiers, kind, operands, true)
        } else {
            let compute = extended(&name[..3], modifiers, kind, true, false);
            self.same_types(compute, name, kind, operands)
        }
    }

    /// The instructions with `.cc`, which set the carry flag.
    fn extended_setting(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        kind: Type,
        operands: &[Operand],
        reads: bool,
    ) -> Result<Action, Fault> {
        let compute = extended(name, modifiers, kind, reads, true);
        self.same_types(compute, name, kind, operands)
    }
}

fn one_operand(name: &str, kind: Type) -> Option<Compute> {
    match (name, kind) {
        ("abs", Type::S16) => Some(unary(i16::wrapping_abs)),
        ("abs", Type::S32) => Some(unary(i32::wrapping_abs)),
        ("abs", Type::S64) => Some(unary(i64::wrapping_abs)),
        ("neg", _) => for_integer!(kind, T => unary(|a: T| a.wrapping_neg())),
        _ => None,
    }
}

fn two_operands(name: &str, kind: Type, saturate: bool) -> Option<Compute> {
    if saturate {
        return match (name, kind) {
            ("add", Type::S32) => Some(binary(i32::saturating_add)),
            ("sub", Type::S32) => Some(binary(i32::saturating_sub)),
            _ => None,
        };
    }
    match name {
        "add" => for_integer!(kind, T => binary(|a: T, b: T| a.wrapping_add(b))),
        "sub" => for_integer!(kind, T => binary(|a: T, b: T| a.wrapping_sub(b))),
        "min" => for_integer!(kind, T => binary(|a: T, b: T| a.min(b))),
        "max" => for_integer!(kind, T => binary(|a: T, b: T| a.max(b))),
        // The ISA leaves a division by zero to the machine; NVIDIA's give all ones, and the dividend as remainder.
        "div" => for_integer!(kind, T => binary(|a: T, b: T| if b == 0 { !0 } else { a.wrapping_div(b) })),
        "rem" => for_integer!(kind, T => binary(|a: T, b: T| if b == 0 { a } else { a.wrapping_rem(b) })),
        _ => None,
    }
}

fn three_operands(name: &str, kind: Type) -> Option<Compute> {
    match name {
        "sad" => for_integer!(kind, T => ternary(|a: T, b: T, c: T| {
            let difference = if a < b { b.wrapping_sub(a) } else { a.wrapping_sub(b) };
            c.wrapping_add(difference)
        })),
        _ => None,
    }
}

/// `mul24`, `mad24`: products of the low 24 bits; `.hi` takes bits 16 to 47.
fn product_of_24_bits(kind: Type, adds: bool, high: bool) -> Option<Compute> {
    let signed = match kind {
        Type::U32 => false,
        Type::S32 => true,
        _ => return None,
    };
    let low = move |x: u32| {
        let x = i64::from(x << 8);
        if signed { x << 32 >> 40 } else { x >> 8 }
    };
    let product = move |a, b| ((low(a) * low(b)) >> if high { 16 } else { 0 }) as u32;
    Some(if adds {
        ternary(move |a: u32, b: u32, c: u32| product(a, b).wrapping_add(c))
    } else {
        binary(move |a: u32, b: u32| product(a, b))
    })
}

/// An unsigned type with carries.
trait Limb: Lane {
    fn sum(self, other: Self, carry: bool) -> (Self, bool);
    fn difference(self, other: Self, borrow: bool) -> (Self, bool);
}

macro_rules! limb {
    ($($t:ty),*) => { $(
        impl Limb for $t {
            fn sum(self, other: Self, carry: bool) -> (Self, bool) {
                self.carrying_add(other, carry)
            }
            fn difference(self, other: Self, borrow: bool) -> (Self, bool) {
                self.borrowing_sub(other, borrow)
            }
        }
    )* };
}
limb!(u32, u64);

/// Extended-precision arithmetic: `reads` the carry flag, `writes` it.
fn extended(
    name: &str,
    modifiers: &mut Modifiers<'_>,
    kind: Type,
    reads: bool,
    writes: bool,
) -> Option<Compute> {
    let high = modifiers.take("hi");
    let low = modifiers.take("lo");
    macro_rules! of {
        ($t:ident, $signed:ident) => {
            match (name, high, low) {
                ("add", false, false) => carries::<$t>(reads, writes, |a, b, _, carry| a.sum(b, carry)),
                ("sub", false, false) => {
                    carries::<$t>(reads, writes, |a, b, _, borrow| a.difference(b, borrow))
                }
                ("mad", false, true) => {
                    carries::<$t>(reads, writes, |a, b, c, carry| a.wrapping_mul(b).sum(c, carry))
                }
                ("mad", true, false) if kind.is_signed() => carries::<$t>(reads, writes, |a, b, c, carry| {
                    (high_product!($signed)(a.cast_signed(), b.cast_signed()).cast_unsigned()).sum(c, carry)
                }),
                ("mad", true, false) => {
                    carries::<$t>(reads, writes, |a, b, c, carry| high_product!($t)(a, b).sum(c, carry))
                }
                _ => return None,
            }
        };
    }
    Some(match kind {
        Type::U32 | Type::S32 | Type::B32 => of!(u32, i32),
        Type::U64 | Type::S64 | Type::B64 => of!(u64, i64),
        _ => return None,
    })
}

fn carries<T: Limb>(reads: bool, writes: bool, f: impl Fn(T, T, T, bool) -> (T, bool) + Scalar) -> Compute {
    masks(move |registers: &mut Registers<'_>, operands: &Operands, mask: u32| {
        let flag = if reads { registers.predicates[CARRY as usize] } else { 0 };
        let mut carries = 0;
        for lane in each(mask) {
            let [a, b, c] =
                [operands.a, operands.b, operands.c].map(|column| registers.lanes::<T>(column)[lane]);
            let (value, carry) = f(a, b, c, flag >> lane & 1 == 1);
            registers.lanes_mut::<T>(operands.d)[lane] = value;
            carries |= u32::from(carry) << lane;
        }
        if writes {
            registers.set_predicate(CARRY, carries, mask);
        }
    })
}
