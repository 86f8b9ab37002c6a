//! The constants of logarithms and exponentials by tables.

use super::pair::Pair;
use super::real::Real;
use super::tabulated::Function;

/// Numbers for each value of the four leading bits of a fraction.
pub type Column<T> = [T; 16];

/// At most three columns that are looked up together.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Table<T, const COLUMNS: usize> {
    /// Two vector registers each of `f64` in AVX-512, one of `f32`.
    pub columns: [Column<T>; COLUMNS],
    /// Of `f64` the upper halves of each column, and behind them the lower ones of the last; those of the others are zero.
    /// AVX2 permutes eight halves at once, but no numbers across its vectors.
    pub halves: [Column<u32>; 4],
}

impl<const COLUMNS: usize> Table<f64, COLUMNS> {
    /// Columns all but the last of which have at most 21 bits a number.
    const fn of(columns: [Column<f64>; COLUMNS]) -> Self {
        let mut halves = [[0; 16]; 4];
        let mut entry = 0;
        while entry < 16 * COLUMNS {
            let (column, row) = (entry / 16, entry % 16);
            let bits = columns[column][row].to_bits();
            halves[column][row] = (bits >> 32) as u32;
            if column + 1 == COLUMNS {
                halves[COLUMNS][row] = bits as u32;
            } else {
                assert!(bits as u32 == 0, "a number that the table cannot hold");
            }
            entry += 1;
        }
        Self { columns, halves }
    }
}

impl<const COLUMNS: usize> Table<f32, COLUMNS> {
    const fn of(columns: [Column<f32>; COLUMNS]) -> Self {
        Self { columns, halves: [[0; 16]; 4] }
    }
}

/// Logarithms to a base `b`.
pub struct Logarithm<T: Tables> {
    /// `1 / ln b`.
    pub lead: T,
    /// `log_b 2`. The high part has so few bits that its product with any exponent is exact, and so
    /// is the sum of that and the high part of one of the logarithms in `table`.
    pub octave: Pair<T>,
    /// [`Tables::RECIPROCALS`], and `-log_b` of them: high parts of at most 21 bits, and low parts.
    pub table: Table<T, 3>,
    /// `(log_b(1 + t) - t / ln b) / t^2`.
    pub series: T::LogSeries,
}

/// Powers of a base `b`.
pub struct Exponential<T: Tables> {
    /// `log2 b`.
    pub octaves: T,
    /// `log_b 2`.
    pub octave: Pair<T>,
    /// `(b^r - 1) / r`.
    pub series: T::ExpSeries,
}

/// What logarithms and exponentials need to know of a floating point type.
///
/// Polynomials are minimax approximations in the relative sense, the coefficient of the highest
/// power first: `log_b(1 + t)` for `-1/32 <= t <= 1/16` to `2^-56.6` (`f64`), `2^-28.4` (`f32`);
/// `b^r` for `|r| <= log_b 2 / 32` to `2^-57.0` (`f64`), `2^-29.2` (`f32`).
pub trait Tables: Real {
    /// The coefficients of a logarithm: an array, so that loops over them end where the compiler knows it. A slice in a
    /// constant has its length in memory, and other crates' code, compiled for whole programs, reads it there.
    type LogSeries: AsRef<[Self]>;
    /// The coefficients of an exponential.
    type ExpSeries: AsRef<[Self]>;
    /// Numbers `c` of six bits such that `-1/32 <= c m - 1 <= 1/16` for `m` from `1 + i/16` to
    /// `1 + (i+1)/16`; for the first `i` it is 1, for the last 1/2, so that no bit of the logarithm is lost near one.
    const RECIPROCALS: Column<Self>;
    /// `2^(i/16)`: low parts, and high parts.
    const ROOTS: Table<Self, 2>;
    /// Natural logarithms.
    const LOG_E: Logarithm<Self>;
    /// Binary logarithms.
    const LOG_2: Logarithm<Self>;
    /// Decimal logarithms.
    const LOG_10: Logarithm<Self>;
    /// Powers of e.
    const EXP_E: Exponential<Self>;
    /// Powers of two.
    const EXP_2: Exponential<Self>;
    /// Powers of ten.
    const EXP_10: Exponential<Self>;

    /// Writes the function of each of `x` to `out`, with the widest vectors that there are.
    fn map<F: Function>(function: F, x: &[Self], out: &mut [Self]);
}

macro_rules! blocks {
    ($float:ident) => {
        fn map<F: $crate::cpu::math::tabulated::Function>(function: F, x: &[$float], out: &mut [$float]) {
            use pulp::Arch;

            use $crate::cpu::math::lanes::{Kernel, One};
            match Arch::new() {
                #[cfg(target_arch = "x86_64")]
                Arch::V4(lanes) => pulp::Simd::vectorize(lanes, Kernel { lanes, function, x, out }),
                #[cfg(target_arch = "x86_64")]
                Arch::V3(lanes) => pulp::Simd::vectorize(lanes, Kernel { lanes, function, x, out }),
                arch => arch.dispatch(Kernel { lanes: One, function, x, out }),
            }
        }
    };
}

mod double;
mod single;
