//! Loads, stores, atomics and fences (PTX ISA 9.7.9 and 9.7.13).

use super::movement::space;
use super::operands::{Decoder, exactly};
use super::{Modifiers, invalid, unsupported};
use crate::fault::Fault;
use crate::interpreter::float::{Real, greatest, least};
use crate::interpreter::instruction::{Action, Atomic, Place, Transfer};
use crate::ptx::syntax::{Operand, Space, Symbol, Type};

/// Modifiers that say how an access is ordered or cached. Accesses of the emulator are ordered as they are
/// executed, and there is no cache, so that they change nothing.
const ORDER_AND_CACHE: [&str; 34] = [
    "weak",
    "relaxed",
    "acquire",
    "release",
    "acq_rel",
    "sc",
    "volatile",
    "mmio",
    "cta",
    "cluster",
    "gpu",
    "sys",
    "gl",
    "ca",
    "cg",
    "cs",
    "lu",
    "cv",
    "wb",
    "wt",
    "nc",
    "L1::evict_normal",
    "L1::evict_unchanged",
    "L1::evict_first",
    "L1::evict_last",
    "L1::no_allocate",
    "L2::64B",
    "L2::128B",
    "L2::256B",
    "L1",
    "L2",
    "L2::evict_last",
    "L2::evict_normal",
    "L2::evict_first",
];

/// The new value of a word from its old one and the instruction's operands, all as bits.
type Update = fn(u64, u64, u64) -> u64;

impl Decoder<'_> {
    pub(super) fn memory(
        &mut self,
        name: &str,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        for word in ORDER_AND_CACHE {
            modifiers.take(word);
        }
        match name {
            "membar" | "fence" => Ok(Action::Fence),
            "prefetch" | "prefetchu" => {
                modifiers.find(space);
                Ok(Action::Hint)
            }
            "atom" | "red" => self.atomic(name == "atom", modifiers, operands),
            _ => self.transfer(name != "st", modifiers, operands),
        }
    }

    /// Where an operand in brackets points to.
    fn place(&mut self, modifiers: &mut Modifiers<'_>, operand: &Operand) -> Result<Place, Fault> {
        let space = modifiers.find(space).unwrap_or(Space::Generic);
        match *operand {
            Operand::AtRegister(base, bytes, offset) if bytes >= 4 => {
                let in_frame = space == Space::Parameter && !self.function.is_entry;
                let space = if in_frame { Space::Local } else { space };
                Ok(Place { space, base, is_wide: bytes == 8, offset })
            }
            Operand::AtSymbol(symbol, offset) => {
                let declared = self.symbol_space(symbol);
                if space != declared && !(space == Space::Generic && declared == Space::Global) {
                    return Err(invalid("a variable of another state space"));
                }
                let space = if space == Space::Parameter && !self.is_kernel_parameter(symbol) {
                    Space::Local
                } else {
                    space
                };
                let base = self.source(&Operand::Symbol(symbol, 0), Type::U64)?;
                Ok(Place { space, base, is_wide: true, offset })
            }
            _ => Err(invalid("an operand that is no address")),
        }
    }

    /// Parameters of kernels have a memory of their own, those of functions lie in the caller's frame.
    fn is_kernel_parameter(&self, symbol: Symbol) -> bool {
        let is_parameter = matches!(symbol, Symbol::Frame(index) if index < self.function.parameters);
        self.function.is_entry && is_parameter
    }

    /// `ld.global.v2.f64 {a, b}, [address]`, `st.shared.u32 [address], a`
    fn transfer(
        &mut self,
        is_load: bool,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let kind = modifiers.kind()?;
        if kind == Type::Predicate {
            return Err(unsupported("predicates in memory"));
        }
        let count = modifiers.find(|word| match word {
            "v2" => Some(2),
            "v4" => Some(4),
            _ => None,
        });
        let [first, second] = exactly::<2>(operands)?;
        let (value, address) = if is_load { (first, second) } else { (second, first) };
        let place = self.place(modifiers, address)?;
        if !is_load && place.space == Space::Constant {
            return Err(invalid("a store to constant memory"));
        }
        let values = match (count, value) {
            (Some(count), Operand::Vector(values)) if values.len() == count => &values[..],
            (None, Operand::Vector(values)) if values.len() == 1 => &values[..],
            (None, value) => std::slice::from_ref(value),
            _ => return Err(invalid("a vector of another length")),
        };
        let mut elements = Vec::new();
        for value in values {
            elements.push(self.element(value, kind, is_load)?);
        }
        let transfer =
            Transfer { place, bytes: kind.bytes(), is_signed: kind.is_signed(), elements: elements.into() };
        Ok(if is_load { Action::Load(transfer) } else { Action::Store(transfer) })
    }

    /// `atom.global.add.f64 d, [address], b`, `red.global.add.f64 [address], b`
    fn atomic(
        &mut self,
        has_result: bool,
        modifiers: &mut Modifiers<'_>,
        operands: &[Operand],
    ) -> Result<Action, Fault> {
        let kind = modifiers.kind()?;
        let mut operands = operands.iter();
        let mut next = || operands.next().ok_or_else(|| invalid("too few operands"));
        let d = if has_result { Some(self.destination(next()?, kind)?) } else { None };
        let place = self.place(modifiers, next()?)?;
        let b = self.source(next()?, kind)?;
        let swaps = modifiers.take("cas");
        let update = if swaps {
            matches!(kind, Type::B32 | Type::B64 | Type::U32 | Type::U64 | Type::S32 | Type::S64)
                .then_some((|old, b, c| if old == b { c } else { old }) as Update)
        } else {
            modifiers.find(|word| update(word, kind))
        };
        let update = update.ok_or_else(|| unsupported(format!("this atomic operation of type {kind:?}")))?;
        let c = if swaps { self.source(next()?, kind)? } else { b };
        if next().is_ok() {
            return Err(invalid("too many operands"));
        }
        Ok(Action::Atomic(Atomic { place, bytes: kind.bytes(), d, b, c, update }))
    }
}

/// What an atomic operation makes of the old value and its operand.
fn update(word: &str, kind: Type) -> Option<Update> {
    macro_rules! of {
        ($t:ty, $f:expr) => {
            |old, b, _| {
                let f: fn($t, $t) -> $t = $f;
                f(old as $t, b as $t) as u64
            }
        };
    }
    macro_rules! single {
        ($f:expr) => {
            |old, b, _| {
                let f: fn(f32, f32) -> f32 = $f;
                f(f32::from_bits(old as u32), f32::from_bits(b as u32)).to_bits().into()
            }
        };
    }
    macro_rules! double {
        ($f:expr) => {
            |old, b, _| {
                let f: fn(f64, f64) -> f64 = $f;
                f(f64::from_bits(old), f64::from_bits(b)).to_bits()
            }
        };
    }
    Some(match (word, kind) {
        ("add", Type::U32 | Type::S32) => of!(u32, u32::wrapping_add),
        ("add", Type::U64 | Type::S64) => of!(u64, u64::wrapping_add),
        ("add", Type::F32) => single!(Real::add),
        ("add", Type::F64) => double!(Real::add),
        ("min", Type::F32) => single!(least),
        ("max", Type::F32) => single!(greatest),
        ("min", Type::U32) => of!(u32, Ord::min),
        ("max", Type::U32) => of!(u32, Ord::max),
        ("min", Type::S32) => |old, b, _| u64::from((old as i32).min(b as i32).cast_unsigned()),
        ("max", Type::S32) => |old, b, _| u64::from((old as i32).max(b as i32).cast_unsigned()),
        ("min", Type::U64) => of!(u64, Ord::min),
        ("max", Type::U64) => of!(u64, Ord::max),
        ("min", Type::S64) => of!(i64, Ord::min),
        ("max", Type::S64) => of!(i64, Ord::max),
        ("inc", Type::U32) => of!(u32, |old, b| if old >= b { 0 } else { old + 1 }),
        ("dec", Type::U32) => of!(u32, |old, b| if old == 0 || old > b { b } else { old - 1 }),
        ("and", Type::B32 | Type::B64) => |old, b, _| old & b,
        ("or", Type::B32 | Type::B64) => |old, b, _| old | b,
        ("xor", Type::B32 | Type::B64) => |old, b, _| old ^ b,
        ("exch", Type::B32 | Type::B64) => |_, b, _| b,
        _ => return None,
    })
}
