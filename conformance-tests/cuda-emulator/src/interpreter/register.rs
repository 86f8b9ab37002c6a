//! The registers of a warp, one column of 32 lanes a register, and the loops that compute on them.
//!
//! A register of 32 bits uses the first half of its column, one of 16 bits the first quarter, so that a loop over
//! the lanes is a loop over adjacent values that the compiler vectorises. Predicates are masks, one bit a lane.

use bytemuck::Pod;

/// The lanes of a warp.
pub(crate) const LANES: usize = 32;
/// The mask of all lanes.
pub(crate) const FULL: u32 = u32::MAX;

/// The values of one register in all lanes.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Column([u64; LANES]);

impl Column {
    pub(crate) const ZERO: Self = Self([0; LANES]);
}

/// A type of value that a register holds.
pub(crate) trait Lane: Pod + PartialOrd + Send + Sync {
    fn lanes(column: &Column) -> &[Self; LANES];
    fn lanes_mut(column: &mut Column) -> &mut [Self; LANES];
}

macro_rules! lane {
    ($($t:ty: $groups:literal),*) => { $(
        impl Lane for $t {
            #[inline(always)]
            fn lanes(column: &Column) -> &[Self; LANES] {
                &bytemuck::cast_ref::<[u64; LANES], [[$t; LANES]; $groups]>(&column.0)[0]
            }
            #[inline(always)]
            fn lanes_mut(column: &mut Column) -> &mut [Self; LANES] {
                &mut bytemuck::cast_mut::<[u64; LANES], [[$t; LANES]; $groups]>(&mut column.0)[0]
            }
        }
    )* };
}
lane!(u16: 4, i16: 4, u32: 2, i32: 2, f32: 2, u64: 1, i64: 1, f64: 1);

/// The registers of one call of a function in one warp.
pub(crate) struct Registers<'a> {
    pub(crate) columns: &'a mut [Column],
    pub(crate) predicates: &'a mut [u32],
}

/// A predicate as a source: its register, and all bits set if it is negated.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Condition {
    pub(crate) index: u32,
    pub(crate) invert: u32,
}

impl Registers<'_> {
    #[inline(always)]
    pub(crate) fn lanes<T: Lane>(&self, column: u32) -> &[T; LANES] {
        T::lanes(&self.columns[column as usize])
    }

    #[inline(always)]
    pub(crate) fn lanes_mut<T: Lane>(&mut self, column: u32) -> &mut [T; LANES] {
        T::lanes_mut(&mut self.columns[column as usize])
    }

    #[inline(always)]
    pub(crate) fn condition(&self, condition: Condition) -> u32 {
        self.predicates[condition.index as usize] ^ condition.invert
    }

    /// Writes the lanes of `mask`.
    #[inline(always)]
    pub(crate) fn set_predicate(&mut self, index: u32, value: u32, mask: u32) {
        let predicate = &mut self.predicates[index as usize];
        *predicate = *predicate & !mask | value & mask;
    }

    /// Writes `values` in the lanes of `mask`.
    #[inline(always)]
    pub(crate) fn set_lanes<T: Lane>(&mut self, column: u32, values: &[T; LANES], mask: u32) {
        let lanes = self.lanes_mut::<T>(column);
        if mask == FULL {
            *lanes = *values;
        } else {
            for lane in each(mask) {
                lanes[lane] = values[lane];
            }
        }
    }
}

/// The lanes of a mask, in order.
#[inline(always)]
pub(crate) fn each(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lane = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (lane < 32).then_some(lane as usize)
    })
}

/// The registers that an instruction names. Which of them are used depends on the instruction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Operands {
    /// The destination: a column, or a predicate where the instruction gives one.
    pub(crate) d: u32,
    /// A second destination.
    pub(crate) e: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
    pub(crate) p: Condition,
    pub(crate) q: Condition,
}

/// What an instruction computes from registers in the lanes of a mask that is not empty.
pub(crate) type Compute = Box<dyn Fn(&mut Registers<'_>, &Operands, u32) + Send + Sync>;

/// A function of a lane's values. (A bound, to name it once.)
pub(crate) trait Scalar: Copy + Send + Sync + 'static {}
impl<F: Copy + Send + Sync + 'static> Scalar for F {}

/// Lets the compiler use the vector instructions of the processor at hand for `body`.
#[cfg(target_arch = "x86_64")]
fn vectorized(body: impl Fn(&mut Registers<'_>, &Operands, u32) + Scalar) -> Compute {
    match pulp::x86::V3::try_new() {
        Some(simd) => Box::new(move |registers, operands, mask| {
            simd.vectorize(
                #[inline(always)]
                || body(registers, operands, mask),
            );
        }),
        None => Box::new(body),
    }
}

/// Elsewhere the compiler's default instructions have vectors.
#[cfg(not(target_arch = "x86_64"))]
fn vectorized(body: impl Fn(&mut Registers<'_>, &Operands, u32) + Scalar) -> Compute {
    Box::new(body)
}

/// The lanes are computed in groups of this many, so that a group's sources are read before its results are
/// written: the compiler need not know that columns do not overlap.
const GROUP: usize = 8;

/// Calls `one(lane)` for the lanes of `mask`, and writes the results to column `d`.
#[inline(always)]
fn compute<R: Lane>(
    registers: &mut Registers<'_>,
    d: u32,
    mask: u32,
    one: impl Fn(&Registers<'_>, usize) -> R,
) {
    if mask == FULL {
        for start in (0..LANES).step_by(GROUP) {
            // A plain loop: the closure of `from_fn` is not always inlined, and then not vectorised.
            let mut results = [R::zeroed(); GROUP];
            for (lane, result) in results.iter_mut().enumerate() {
                *result = one(registers, start + lane);
            }
            registers.lanes_mut::<R>(d)[start..start + GROUP].copy_from_slice(&results);
        }
    } else {
        for lane in each(mask) {
            let result = one(registers, lane);
            registers.lanes_mut::<R>(d)[lane] = result;
        }
    }
}

/// `d = f(a)`.
pub(crate) fn unary<A: Lane, R: Lane>(f: impl Fn(A) -> R + Scalar) -> Compute {
    vectorized(
        #[inline(always)]
        move |registers: &mut Registers<'_>, operands: &Operands, mask: u32| {
            let Operands { d, a, .. } = *operands;
            compute(
                registers,
                d,
                mask,
                #[inline(always)]
                |from, lane| f(from.lanes::<A>(a)[lane]),
            );
        },
    )
}

/// `d = f(a, b)`.
pub(crate) fn binary<A: Lane, B: Lane, R: Lane>(f: impl Fn(A, B) -> R + Scalar) -> Compute {
    vectorized(
        #[inline(always)]
        move |registers: &mut Registers<'_>, operands: &Operands, mask: u32| {
            let Operands { d, a, b, .. } = *operands;
            compute(
                registers,
                d,
                mask,
                #[inline(always)]
                |from, lane| f(from.lanes::<A>(a)[lane], from.lanes::<B>(b)[lane]),
            );
        },
    )
}

/// `d = f(a, b, c)`.
pub(crate) fn ternary<A: Lane, B: Lane, C: Lane, R: Lane>(f: impl Fn(A, B, C) -> R + Scalar) -> Compute {
    vectorized(
        #[inline(always)]
        move |registers: &mut Registers<'_>, operands: &Operands, mask: u32| {
            let Operands { d, a, b, c, .. } = *operands;
            compute(
                registers,
                d,
                mask,
                #[inline(always)]
                |from, lane| f(from.lanes::<A>(a)[lane], from.lanes::<B>(b)[lane], from.lanes::<C>(c)[lane]),
            );
        },
    )
}

/// `d = f(a, b, p)`.
pub(crate) fn choice<A: Lane, R: Lane>(f: impl Fn(A, A, bool) -> R + Scalar) -> Compute {
    vectorized(
        #[inline(always)]
        move |registers: &mut Registers<'_>, operands: &Operands, mask: u32| {
            let Operands { d, a, b, p, .. } = *operands;
            let p = registers.condition(p);
            compute(
                registers,
                d,
                mask,
                #[inline(always)]
                |from, lane| f(from.lanes::<A>(a)[lane], from.lanes::<A>(b)[lane], p >> lane & 1 == 1),
            );
        },
    )
}

/// The mask of the lanes where `f(a, b)`; `finish` writes it.
pub(crate) fn test<A: Lane>(
    f: impl Fn(A, A) -> bool + Scalar,
    finish: impl Fn(&mut Registers<'_>, &Operands, u32, u32) + Scalar,
) -> Compute {
    vectorized(
        #[inline(always)]
        move |registers: &mut Registers<'_>, operands: &Operands, mask: u32| {
            let (a, b) = (registers.lanes::<A>(operands.a), registers.lanes::<A>(operands.b));
            let mut holds = 0;
            for lane in 0..LANES {
                holds |= u32::from(f(a[lane], b[lane])) << lane;
            }
            finish(registers, operands, holds, mask);
        },
    )
}

/// An instruction on whole masks.
pub(crate) fn masks(f: impl Fn(&mut Registers<'_>, &Operands, u32) + Scalar) -> Compute {
    Box::new(f)
}
