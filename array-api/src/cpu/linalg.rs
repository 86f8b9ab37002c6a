//! Dense linear algebra: kernels of our own for large products and for solving with a factor, else faer's on
//! blocks of fixed size, which rayon spreads over threads.
//!
//! faer counts in columns, arrays lie in rows: a row-major matrix goes to faer as the transpose of
//! a column-major one, which costs nothing. The blocks do not depend on the number of
//! threads, and neither does a bit of the results.

mod eigen;
mod product;
mod substitution;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltError, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::PartialPivLu;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::prelude::{Reborrow, ReborrowMut, Solve};
use faer::{Accum, MatMut, MatRef, Par, Spec};
use rayon::prelude::*;

use product::Update;
use substitution::{Line, RHS};

use super::vectors::Vectors;
use super::{Cpu, CpuBuffer, buffer::inside_tile, contiguous, copied};
use crate::backend::{Linalg, LinalgExt, Triangle, View};
use crate::{Error, Float, Result};

/// Rows of a block in products and updates.
const BLOCK: usize = 256;

/// Columns eliminated at a time in factorizations.
const PANEL: usize = 192;

/// Multiplications that are worth another thread.
const GRAIN: usize = 1 << 18;

/// What is compiled here, for each type once, and not in each crate that calls it.
pub trait Dense: Vectors {
    /// [`substitution::substitute`].
    fn substitute(l: &[Self], x: &mut [[Self; RHS]]);
    /// [`product::multiply`].
    fn matrix_product(
        out: MatMut<'_, Self>,
        a: MatRef<'_, Self>,
        b: MatRef<'_, Self>,
        update: Update,
    ) -> Result<()>;
}

macro_rules! dense {
    ($($t:ident, $parts:literal;)*) => {$(
        impl Dense for $t {
            fn substitute(l: &[$t], x: &mut [[$t; RHS]]) {
                substitution::substitute::<$t, $parts>(l, x);
            }
            fn matrix_product(out: MatMut<'_, $t>, a: MatRef<'_, $t>, b: MatRef<'_, $t>, update: Update) -> Result<()> {
                product::multiply(out, a, b, update)
            }
        }
    )*};
}

dense! {
    f32, 1;
    f64, 2;
}

/// The matrices of a batch in a form that faer takes: as slices with rows or columns contiguous.
struct Matrices<'a, T: Float> {
    data: std::borrow::Cow<'a, [T]>,
    count: usize,
    rows: usize,
    columns: usize,
    offset: usize,
    batch_stride: isize,
    /// Distance between rows if they are contiguous, else between columns.
    stride: usize,
    by_rows: bool,
}

impl<'a, T: Float> Matrices<'a, T> {
    fn new(x: View<'a, T, Cpu>) -> Self {
        let (shape, strides) = (x.layout.shape(), x.layout.strides());
        let (count, rows, columns) = (shape[0], shape[1], shape[2]);
        // A stride of at least the row's length keeps rows apart, as faer requires.
        let regular = |across: isize, along: isize, length: usize, lines: usize| {
            (along == 1 || length <= 1) && (across >= length as isize || (lines <= 1 && across >= 0))
        };
        let by_rows = regular(strides[1], strides[2], columns, rows);
        let by_columns = regular(strides[2], strides[1], rows, columns);
        if x.layout.is_empty() || !(by_rows || by_columns) {
            return Self {
                data: std::borrow::Cow::Owned(contiguous(x).into_owned()),
                count,
                rows,
                columns,
                offset: 0,
                batch_stride: (rows * columns) as isize,
                stride: columns,
                by_rows: true,
            };
        }
        let (stride, length) = if by_rows { (strides[1], columns) } else { (strides[2], rows) };
        Self {
            data: std::borrow::Cow::Borrowed(&x.buffer[..]),
            count,
            rows,
            columns,
            offset: x.layout.offset(),
            batch_stride: strides[0],
            stride: (stride as usize).max(length),
            by_rows,
        }
    }

    fn get(&self, index: usize) -> MatRef<'_, T> {
        let (lines, length) =
            if self.by_rows { (self.rows, self.columns) } else { (self.columns, self.rows) };
        let start = (self.offset as isize + index as isize * self.batch_stride) as usize;
        let end = if lines * length == 0 { start } else { start + (lines - 1) * self.stride + length };
        let slice = &self.data[start..end];
        let by_columns = MatRef::from_column_major_slice_with_stride(slice, length, lines, self.stride);
        if self.by_rows { by_columns.transpose() } else { by_columns }
    }
}

/// A row-major matrix for writing.
fn matrix_mut<T: Float>(data: &mut [T], rows: usize, columns: usize) -> MatMut<'_, T> {
    MatMut::from_column_major_slice_mut(data, columns, rows).transpose_mut()
}

/// Cuts a matrix into blocks of rows.
fn row_blocks<T: Float>(mut whole: MatMut<'_, T>, height: usize) -> Vec<MatMut<'_, T>> {
    let mut blocks = Vec::with_capacity(whole.nrows().div_ceil(height));
    while whole.nrows() > height {
        let (block, rest) = whole.split_at_row_mut(height);
        blocks.push(block);
        whole = rest;
    }
    blocks.push(whole);
    blocks
}

/// Applies `f` to each item with its number: on all threads if the work is worth it.
fn for_each<I: Send>(items: Vec<I>, work: usize, f: impl Fn(usize, I) + Sync + Send) {
    if items.len() > 1 && work >= GRAIN && !inside_tile() {
        // One by one: shares of several cannot be divided any more once a thread has begun with them.
        items.into_par_iter().with_max_len(1).enumerate().for_each(|(i, item)| f(i, item));
    } else {
        items.into_iter().enumerate().for_each(|(i, item)| f(i, item));
    }
}

/// `out = a b`, or `out += a b`.
fn product<T: Float>(out: MatMut<'_, T>, a: MatRef<'_, T>, b: MatRef<'_, T>, accumulate: bool) -> Result<()> {
    if out.nrows().min(out.ncols()).min(a.ncols()) >= product::SMALLEST {
        return T::matrix_product(out, a, b, if accumulate { Update::Add } else { Update::Replace });
    }
    let accumulate = if accumulate { Accum::Add } else { Accum::Replace };
    let work = out.nrows() * out.ncols() * a.ncols();
    // Blocks are cut from the longer side: rows of `out`, or of its transpose.
    if out.nrows() >= out.ncols() {
        for_each(row_blocks(out, BLOCK), work, |i, out| {
            let a = a.subrows(i * BLOCK, out.nrows());
            matmul(out, accumulate, a, b, T::ONE, Par::Seq);
        });
    } else {
        for_each(row_blocks(out.transpose_mut(), BLOCK), work, |i, out| {
            let b = b.subcols(i * BLOCK, out.nrows());
            matmul(out, accumulate, b.transpose(), a.transpose(), T::ONE, Par::Seq);
        });
    }
    Ok(())
}

/// Overwrites the lower triangle of a row-major matrix by its Cholesky factor; the error is the first
/// pivot of matrix number `batch` that is not positive.
fn factor_in_place<T: Float>(data: &mut [T], n: usize, batch: usize) -> Result<()> {
    let not_positive = |pivot| Error::NotPositiveDefinite { batch, pivot };
    for start in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - start);
        let whole = matrix_mut(data, n, n);
        let trailing = whole.submatrix_mut(start, start, n - start, n - start);
        let (panel, rest) = trailing.split_at_col_mut(width);
        let (mut corner, below) = panel.split_at_row_mut(width);
        let scratch = cholesky_in_place_scratch::<T>(width, Par::Seq, Spec::default());
        cholesky_in_place(
            corner.rb_mut(),
            LltRegularization::default(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Spec::default(),
        )
        .map_err(|LltError::NonPositivePivot { index }| not_positive(start + index))?;
        // A NaN pivot passes the comparison inside: look at the diagonal that came out.
        if let Some(bad) = (0..width).find(|&i| corner[(i, i)] <= T::ZERO || corner[(i, i)].is_nan_value()) {
            return Err(not_positive(start + bad));
        }
        let corner = corner.rb();
        let mut below = below;
        let height = below.nrows();
        for_each(row_blocks(below.rb_mut(), BLOCK), height * width * width, |_, block| {
            solve_lower_triangular_in_place(corner, block.transpose_mut(), Par::Seq);
        });
        let below = below.rb();
        let (_, rest) = rest.split_at_row_mut(width);
        T::matrix_product(rest, below, below.transpose(), Update::SubtractLower)?;
    }
    for row in 0..n {
        data[row * n + row + 1..(row + 1) * n].fill(T::ZERO);
    }
    Ok(())
}

/// Applies `f` to each matrix of a batch and its part of the result, with which `out` begins.
fn each_matrix<T: Float>(
    out: &mut [T],
    size: usize,
    count: usize,
    f: impl Fn(usize, &mut [T]) -> Result<()> + Sync,
) -> Result<()> {
    if size == 0 {
        return Ok(());
    }
    let parts: Vec<_> = out[..count * size].chunks_mut(size).collect();
    try_each(parts, count * size, f)
}

/// Applies `f` to each item with its number, `elements` being the size of all results. Of several
/// errors the first item's is reported, whichever thread meets its own first.
fn try_each<I: Send>(
    items: Vec<I>,
    elements: usize,
    f: impl Fn(usize, I) -> Result<()> + Sync,
) -> Result<()> {
    let error = if items.len() > 1 && elements >= 4096 && !inside_tile() {
        items.into_par_iter().enumerate().filter_map(|(i, item)| f(i, item).err()).find_first(|_| true)
    } else {
        items.into_iter().enumerate().find_map(|(i, item)| f(i, item).err())
    };
    error.map_or(Ok(()), Err)
}

/// The first entry of a diagonal that cannot be divided by.
fn zero_pivot<T: Float>(a: MatRef<'_, T>) -> Option<usize> {
    (0..a.nrows()).find(|&i| cannot_divide(a[(i, i)]))
}

fn cannot_divide<T: Float>(pivot: T) -> bool {
    pivot == T::ZERO || pivot.is_nan_value()
}

impl Linalg for Cpu {
    fn matmul<T: Float>(
        &self,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
        out: &mut CpuBuffer<T>,
        accumulate: bool,
    ) -> Result<()> {
        let (a, b) = (Matrices::new(a), Matrices::new(b));
        let (rows, columns) = (a.rows, b.columns);
        each_matrix(out, rows * columns, a.count, |i, out| {
            if a.columns == 0 {
                if !accumulate {
                    out.fill(T::ZERO);
                }
            } else {
                product(matrix_mut(out, rows, columns), a.get(i), b.get(i), accumulate)?;
            }
            Ok(())
        })
    }

    fn cholesky<T: Float>(&self, a: &mut CpuBuffer<T>, count: usize, n: usize) -> Result<()> {
        each_matrix(a, n * n, count, |batch, data| factor_in_place(data, n, batch))
    }

    fn solve_triangular<T: Float>(
        &self,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
        triangle: Triangle,
    ) -> Result<CpuBuffer<T>> {
        let (n, columns) = (b.layout.shape()[1], b.layout.shape()[2]);
        let a = Matrices::new(a);
        let mut out = copied(b)?;
        each_matrix(&mut out, n * columns, a.count, |batch, x| {
            let a = a.get(batch);
            if let Some(pivot) = zero_pivot(a) {
                return Err(Error::Singular { batch, pivot });
            }
            let x = matrix_mut(x, n, columns);
            match triangle {
                Triangle::Lower => solve_lower_triangular_in_place(a, x, Par::Seq),
                Triangle::Upper => solve_upper_triangular_in_place(a, x, Par::Seq),
            }
            Ok(())
        })?;
        Ok(out)
    }

    fn solve<T: Float>(&self, a: View<'_, T, Self>, b: View<'_, T, Self>) -> Result<CpuBuffer<T>> {
        let (n, columns) = (b.layout.shape()[1], b.layout.shape()[2]);
        let a = Matrices::new(a);
        let mut out = copied(b)?;
        each_matrix(&mut out, n * columns, a.count, |batch, x| {
            let lu = PartialPivLu::new(a.get(batch));
            if let Some(pivot) = zero_pivot(lu.U()) {
                return Err(Error::Singular { batch, pivot });
            }
            lu.solve_in_place(matrix_mut(x, n, columns));
            Ok(())
        })?;
        Ok(out)
    }

    fn det<T: Float>(&self, a: View<'_, T, Self>) -> Result<CpuBuffer<T>> {
        let a = Matrices::new(a);
        let mut out = CpuBuffer::unspecified(a.count)?;
        each_matrix(&mut out, 1, a.count, |batch, out| {
            out[0] = determinant(a.get(batch));
            Ok(())
        })?;
        Ok(out)
    }

    fn eigh<T: Float>(&self, a: View<'_, T, Self>) -> Result<(CpuBuffer<T>, CpuBuffer<T>)> {
        eigen::values_and_vectors(a)
    }

    fn eigvalsh<T: Float>(&self, a: View<'_, T, Self>) -> Result<CpuBuffer<T>> {
        eigen::values(a)
    }
}

fn determinant<T: Float>(a: MatRef<'_, T>) -> T {
    let n = a.nrows();
    if n == 0 {
        return T::ONE;
    }
    let lu = PartialPivLu::new(a);
    let (forward, _) = lu.P().arrays();
    let mut seen = vec![false; n];
    let mut negative = false;
    for start in 0..n {
        // A cycle of even length is an odd number of exchanges.
        let mut length = 0;
        let mut at = start;
        while !std::mem::replace(&mut seen[at], true) {
            at = forward[at];
            length += 1;
        }
        negative ^= length > 0 && length % 2 == 0;
    }
    let diagonal = || (0..n).map(|i| lu.U()[(i, i)]);
    let magnitude = diagonal().fold(T::ONE, |product, pivot| product * pivot);
    // What follows a zero pivot was divided by it. In a matrix without NaN the zero stands.
    let singular = magnitude.is_nan_value()
        && diagonal().any(|pivot| pivot == T::ZERO)
        && (0..n).all(|j| (0..n).all(|i| !a[(i, j)].is_nan_value()));
    if singular {
        return T::ZERO;
    }
    if negative { -magnitude } else { magnitude }
}

impl LinalgExt for Cpu {
    fn cho_solve<T: Float>(&self, l: View<'_, T, Self>, b: View<'_, T, Self>) -> Result<CpuBuffer<T>> {
        let (count, n, columns) = (b.layout.shape()[0], b.layout.shape()[1], b.layout.shape()[2]);
        let (l, b) = (contiguous(l), contiguous(b));
        let mut out = CpuBuffer::unspecified(b.len())?;
        let mut panel: Vec<Line<T>> = vec![[T::ZERO; RHS]; n];
        for batch in 0..if out.is_empty() { 0 } else { count } {
            let l = &l[batch * n * n..][..n * n];
            if let Some(pivot) = (0..n).map(|i| l[i * n + i]).position(|pivot| cannot_divide(pivot)) {
                return Err(Error::Singular { batch, pivot });
            }
            let base = batch * n * columns;
            for first in (0..columns).step_by(RHS) {
                let width = RHS.min(columns - first);
                for (row, line) in panel.iter_mut().enumerate() {
                    let from = base + row * columns + first;
                    *line = [T::ZERO; RHS];
                    line[..width].copy_from_slice(&b[from..from + width]);
                }
                T::substitute(l, &mut panel);
                for (row, line) in panel.iter().enumerate() {
                    let to = base + row * columns + first;
                    out[to..to + width].copy_from_slice(&line[..width]);
                }
            }
        }
        Ok(out)
    }
}
