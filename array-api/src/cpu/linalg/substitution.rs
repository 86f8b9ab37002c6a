//! Solving with a Cholesky factor, `l l^T x = b`: forward and backward substitution for some right-hand sides.
//!
//! The factor of a large system is read from main memory, which takes as long as the arithmetic: both ways go
//! through it in panels of rows, along their length. A panel's rows times the unknowns that are known before them are
//! subtracted on the way forth; on the way back, once its unknowns are known, they times its rows are subtracted from
//! those before them.

use pulp::Simd;
use rayon::prelude::*;

use super::GRAIN;
use crate::Float;
use crate::cpu::buffer::inside_tile;
use crate::cpu::vectors::{Kernel, LANES, Vectors, dispatch};

/// Right-hand sides solved at a time. Always exactly as many, padded with zeros, so that a
/// column meets the same instructions whatever stands beside it.
pub(super) const RHS: usize = 16;

/// Rows of a panel.
const PANEL: usize = 96;

/// Rows of a panel that a thread takes in one go. Those that are summed up in registers together divide it.
const SHARE: usize = 24;

/// Unknowns before a panel that a thread takes in one go.
const BEFORE: usize = 2 * WIDTH;

/// Numbers of a row in a block that is copied: a stretch that the processor reads ahead.
const WIDTH: usize = 96;

/// Unknowns that stay in the first-level cache while they are multiplied by several rows.
const REACH: usize = 192;

/// An unknown of each right-hand side.
pub(super) type Line<T> = [T; RHS];

/// Solves `l l^T x = b` in place: `l` has its rows one after another, as many numbers each as there are unknowns, of which
/// only those up to the diagonal are read. A line has the bytes of [`LANES`] numbers in double precision `PARTS` times.
pub(super) fn substitute<T: Float, const PARTS: usize>(l: &[T], x: &mut [Line<T>]) {
    if inside_tile() || x.len() < PANEL {
        return in_panels::<T, PARTS>(l, x);
    }
    // As one of the threads, which need not wake one at each step.
    rayon::scope(|_| in_panels::<T, PARTS>(l, x));
}

fn in_panels<T: Float, const PARTS: usize>(l: &[T], x: &mut [Line<T>]) {
    const { assert!(PARTS * LANES * size_of::<f64>() == size_of::<Line<T>>()) };
    let n = x.len();
    let panels: Vec<usize> = (0..n).step_by(PANEL).collect();
    for &start in &panels {
        let (known, rest) = x.split_at_mut(start);
        let panel = &mut rest[..PANEL.min(n - start)];
        let work = known.len() * panel.len() * RHS;
        each(panel, SHARE, work, |first, out| {
            let l = &l[(start + first) * n..];
            dispatch(Forth::<T, PARTS> { l, n, x: known, out });
        });
        dispatch(Corner::<T, PARTS> { l: &l[start * n + start..], n, x: panel, transposed: false });
    }
    for &start in panels.iter().rev() {
        let (before, rest) = x.split_at_mut(start);
        let panel = &mut rest[..PANEL.min(n - start)];
        dispatch(Corner::<T, PARTS> { l: &l[start * n + start..], n, x: panel, transposed: true });
        let (panel, work) = (&*panel, before.len() * panel.len() * RHS);
        each(before, BEFORE, work, |first, out| {
            let l = &l[start * n + first..];
            dispatch(Back::<T, PARTS> { l, n, x: panel, out });
        });
    }
}

/// Applies `f` to parts of some lines, given the number of the first one: on all threads if the work is worth it.
fn each<T: Float>(lines: &mut [Line<T>], size: usize, work: usize, f: impl Fn(usize, &mut [Line<T>]) + Sync) {
    if work >= GRAIN && !inside_tile() {
        lines.par_chunks_mut(size).enumerate().for_each(|(i, part)| f(i * size, part));
    } else {
        lines.chunks_mut(size).enumerate().for_each(|(i, part)| f(i * size, part));
    }
}

/// `out -= l x`, where row `i` of `l` begins at `i n`.
struct Forth<'a, T, const PARTS: usize> {
    l: &'a [T],
    n: usize,
    x: &'a [Line<T>],
    out: &'a mut [Line<T>],
}

/// `out -= l^T x`, where row `i` of `l` begins at `i n`.
struct Back<'a, T, const PARTS: usize> {
    l: &'a [T],
    n: usize,
    x: &'a [Line<T>],
    out: &'a mut [Line<T>],
}

/// Vectors of a line.
type InVectors<T, S, const N: usize, const PARTS: usize> = [[<T as Vectors>::Vector<S>; N]; PARTS];

#[inline(always)]
fn load<S: Simd, T: Float, const N: usize, const PARTS: usize>(line: &Line<T>) -> InVectors<T, S, N, PARTS> {
    let (parts, _) = T::vectors::<S>(line).as_chunks::<N>();
    let mut loaded = [parts[0]; PARTS];
    for (loaded, part) in loaded.iter_mut().zip(parts) {
        *loaded = *part;
    }
    loaded
}

/// Adds to the sums of some rows a line of `x` times each row's number.
#[inline(always)]
fn add<S: Simd, T: Float, const N: usize, const PARTS: usize, const ROWS: usize>(
    simd: S,
    sums: &mut [InVectors<T, S, N, PARTS>; ROWS],
    numbers: [T; ROWS],
    x: &Line<T>,
) {
    let x = load::<S, T, N, PARTS>(x);
    let mut all = [x[0][0]; ROWS];
    for row in 0..ROWS {
        all[row] = T::splat(simd, numbers[row]);
    }
    // One vector of `x` after another: those of all rows stay in registers.
    for part in 0..PARTS {
        for n in 0..N {
            for row in 0..ROWS {
                sums[row][part][n] = T::multiply_add(simd, all[row], x[part][n], sums[row][part][n]);
            }
        }
    }
}

/// Subtracts the sums of some rows from their lines.
#[inline(always)]
fn subtract<S: Simd, T: Float, const N: usize, const PARTS: usize, const ROWS: usize>(
    simd: S,
    sums: [InVectors<T, S, N, PARTS>; ROWS],
    out: &mut [Line<T>],
) {
    for (out, sums) in out.iter_mut().zip(&sums) {
        let out = T::vectors_mut::<S>(out);
        for (out, sum) in out.iter_mut().zip(sums.as_flattened()) {
            *out = T::difference(simd, *out, *sum);
        }
    }
}

#[inline(always)]
fn none<S: Simd, T: Float, const N: usize, const PARTS: usize, const ROWS: usize>(
    simd: S,
) -> [InVectors<T, S, N, PARTS>; ROWS] {
    [[[T::splat(simd, T::ZERO); N]; PARTS]; ROWS]
}

impl<T: Float, const PARTS: usize> Forth<'_, T, PARTS> {
    /// Some rows, together as many as `ROWS` say, times a part of `x`.
    #[inline(always)]
    fn rows<S: Simd, const N: usize, const ROWS: usize>(&mut self, simd: S, first: usize, from: usize) {
        let x = &self.x[from..self.x.len().min(from + REACH)];
        let mut rows = [&self.l[..0]; ROWS];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = &self.l[(first + i) * self.n + from..][..x.len()];
        }
        let mut sums = none::<S, T, N, PARTS, ROWS>(simd);
        for (k, x) in x.iter().enumerate() {
            let mut numbers = [T::ZERO; ROWS];
            for (number, row) in numbers.iter_mut().zip(&rows) {
                *number = row[k];
            }
            add::<S, T, N, PARTS, ROWS>(simd, &mut sums, numbers, x);
        }
        subtract(simd, sums, &mut self.out[first..]);
    }

    #[inline(always)]
    fn blocks<S: Simd, const N: usize, const ROWS: usize>(&mut self, simd: S) {
        let whole = self.out.len() / ROWS * ROWS;
        for from in (0..self.x.len()).step_by(REACH) {
            for first in (0..whole).step_by(ROWS) {
                self.rows::<S, N, ROWS>(simd, first, from);
            }
            for first in whole..self.out.len() {
                self.rows::<S, N, 1>(simd, first, from);
            }
        }
    }
}

impl<T: Float, const PARTS: usize> Kernel for Forth<'_, T, PARTS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(mut self, simd: S) {
        // Of 16 registers twelve hold sums, three the rows' numbers, and one a vector of `x`.
        match N * PARTS {
            1 => self.blocks::<S, N, 8>(simd),
            2 => self.blocks::<S, N, 6>(simd),
            _ => self.blocks::<S, N, 3>(simd),
        }
    }
}

impl<T: Float, const PARTS: usize> Back<'_, T, PARTS> {
    /// Some rows of a transposed block, together as many as `ROWS` say, times some lines of `x`.
    #[inline(always)]
    fn rows<S: Simd, const N: usize, const ROWS: usize>(
        simd: S,
        block: &[[T; WIDTH]],
        x: &[Line<T>],
        first: usize,
        out: &mut [Line<T>],
    ) {
        let mut sums = none::<S, T, N, PARTS, ROWS>(simd);
        for (x, l) in x.iter().zip(block) {
            let mut numbers = [T::ZERO; ROWS];
            numbers.copy_from_slice(&l[first..first + ROWS]);
            add::<S, T, N, PARTS, ROWS>(simd, &mut sums, numbers, x);
        }
        subtract(simd, sums, &mut out[first..]);
    }

    #[inline(always)]
    fn blocks<S: Simd, const N: usize, const ROWS: usize>(self, simd: S) {
        let Self { l, n, x, out } = self;
        // A copy of a block, since its rows are far apart in memory.
        let mut block = [[T::ZERO; WIDTH]; SHARE];
        for (number, out) in out.chunks_mut(WIDTH).enumerate() {
            for (part, x) in x.chunks(SHARE).enumerate() {
                for (row, l) in block.iter_mut().zip(l.chunks(n).skip(part * SHARE)).take(x.len()) {
                    row[..out.len()].copy_from_slice(&l[number * WIDTH..][..out.len()]);
                }
                let whole = out.len() / ROWS * ROWS;
                for first in (0..whole).step_by(ROWS) {
                    Self::rows::<S, N, ROWS>(simd, &block, x, first, out);
                }
                for first in whole..out.len() {
                    Self::rows::<S, N, 1>(simd, &block, x, first, out);
                }
            }
        }
    }
}

impl<T: Float, const PARTS: usize> Kernel for Back<'_, T, PARTS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        match N * PARTS {
            1 => self.blocks::<S, N, 8>(simd),
            2 => self.blocks::<S, N, 6>(simd),
            _ => self.blocks::<S, N, 3>(simd),
        }
    }
}

/// Solves with the triangle on the diagonal, or with its transpose, in place; row `i` of `l` begins at `i n`.
struct Corner<'a, T, const PARTS: usize> {
    l: &'a [T],
    n: usize,
    x: &'a mut [Line<T>],
    transposed: bool,
}

impl<T: Float, const PARTS: usize> Kernel for Corner<'_, T, PARTS> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        let Self { l, n, x, transposed } = self;
        let count = x.len();
        for step in 0..count {
            let i = if transposed { count - 1 - step } else { step };
            let mut sums = none::<S, T, N, PARTS, 1>(simd);
            if transposed {
                for j in i + 1..count {
                    add::<S, T, N, PARTS, 1>(simd, &mut sums, [l[j * n + i]], &x[j]);
                }
            } else {
                for (l, x) in l[i * n..].iter().zip(&x[..i]) {
                    add::<S, T, N, PARTS, 1>(simd, &mut sums, [*l], x);
                }
            }
            subtract(simd, sums, &mut x[i..=i]);
            let pivot = l[i * n + i];
            for x in &mut x[i] {
                *x /= pivot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between -1 and 1.
    fn number(seed: usize) -> f64 {
        let bits = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// A well-conditioned triangle, with NaN above the diagonal, and right-hand sides.
    fn system<T: Float>(n: usize) -> (Vec<T>, Vec<Line<T>>) {
        let entry = |i: usize| match (i / n).cmp(&(i % n)) {
            std::cmp::Ordering::Less => f64::NAN,
            std::cmp::Ordering::Equal => 1.5 + 0.5 * number(i),
            std::cmp::Ordering::Greater => number(i) / n as f64,
        };
        let l = (0..n * n).map(|i| T::from_f64(entry(i))).collect();
        let b = (0..n).map(|i| std::array::from_fn(|c| T::from_f64(number(7 * i + 1_000_003 * c)))).collect();
        (l, b)
    }

    fn plain<T: Float>(l: &[T], x: &[Line<T>], column: usize) -> Vec<f64> {
        let n = x.len();
        let l = |i: usize, j: usize| Float::to_f64(l[i * n + j]);
        let mut x: Vec<f64> = x.iter().map(|line| Float::to_f64(line[column])).collect();
        for i in 0..n {
            x[i] = (x[i] - (0..i).map(|j| l(i, j) * x[j]).sum::<f64>()) / l(i, i);
        }
        for i in (0..n).rev() {
            x[i] = (x[i] - (i + 1..n).map(|j| l(j, i) * x[j]).sum::<f64>()) / l(i, i);
        }
        x
    }

    fn solves_systems_of<T: Float>(sizes: &[usize], epsilon: f64) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for &n in sizes {
            let (l, b) = system::<T>(n);
            let [mut x, mut others] = [b.clone(), b.clone()];
            T::substitute(&l, &mut x);
            pool.install(|| T::substitute(&l, &mut others));
            assert!(x == others, "{n} unknowns: the bits depend on the threads");
            for column in [0, RHS / 2, RHS - 1] {
                let expected = plain(&l, &b, column);
                for (i, expected) in expected.iter().enumerate() {
                    // Each of the two ways rounds n products, of which all but one are small; pivots are at least 1.
                    let error = (Float::to_f64(x[i][column]) - expected).abs();
                    assert!(error <= 16.0 * epsilon, "{n} unknowns, number {i}: off by {error}");
                }
            }
        }
    }

    #[test]
    fn both_ways_solve_systems_of_any_size() {
        let sizes = [0, 1, 2, 5, SHARE, PANEL - 1, PANEL, PANEL + 1, 2 * PANEL + 7, BEFORE + PANEL + 5, 611];
        solves_systems_of::<f64>(&sizes, f64::EPSILON);
        solves_systems_of::<f32>(&sizes, f64::from(f32::EPSILON));
    }
}
