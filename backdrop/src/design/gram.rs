//! The weighted Gram matrix `G = A^T diag(s) A`, block by block, without forming `A`.
//!
//! For two Kronecker blocks the identities of generalised linear array models hold (Currie, Durban
//! & Eilers, *J. R. Statist. Soc. B* 68, 259, 2006): with `S[row, column]` the weights,
//!
//! `G[(i, j), (k, l)] = sum_row B_i B_k(row) sum_column S[row, column] C_j C_l(column)`,
//!
//! that is `P_row^T S P_col` with the products of all pairs of basis functions that overlap.
//! A block in `r` has no such structure, but few entries for each pixel: with the column functions
//! of a Kronecker block it gives a small matrix for each row of pixels, which the row functions
//! then combine.

use std::ops::Range;

use array_api::{Array, Backend, Csr, s};

use super::kronecker::Kronecker;
use super::matrix::{DesignMatrix, Operator, into_array_error};
use super::radial::Radial;
use crate::error::{Error, Result};

/// Bytes that the small matrices of all rows in hand may take.
const STAGE_BYTES: usize = 8 << 20;

/// How many times fewer rows a tile has than elsewhere: what is made of its pixels is nearer to the cache, and is less
/// memory for the system to clear.
const SMALLER: usize = 4;

/// The columns of two blocks of a design, the first not behind the second, and the blocks.
type Pair<'a, B> = [(Range<usize>, &'a Operator<B>); 2];

/// All pairs of blocks, in order. The parts of the Gram matrix that belong to them fill its upper
/// triangle.
pub(super) fn pairs<B: Backend>(matrix: &DesignMatrix<B>) -> Vec<Pair<'_, B>> {
    let blocks: Vec<_> = matrix.blocks().collect();
    let later = |first: usize| (first..blocks.len()).map(move |second| (first, second));
    let pairs = (0..blocks.len()).flat_map(later);
    pairs.map(|(first, second)| [blocks[first].clone(), blocks[second].clone()]).collect()
}

/// The numbers of the Gram matrix that belong to a pair of blocks: all of them, or of two Kronecker products those of
/// functions that overlap, a row for each pair of their row functions and a column for each pair of their column functions.
pub(super) fn part<B: Backend>(
    [(_, left), (_, right)]: &Pair<B>,
    weights: &Array<f64, B>,
) -> Result<Array<f64, B>> {
    match (left, right) {
        (Operator::Kronecker(a), Operator::Kronecker(b)) => two_kroneckers(a, b, weights),
        (Operator::Kronecker(a), Operator::Radial(b)) => kronecker_radial(a, b, weights),
        (Operator::Radial(a), Operator::Kronecker(b)) => {
            Ok(kronecker_radial(b, a, weights)?.matrix_transpose()?)
        }
        (Operator::Radial(a), Operator::Radial(b)) => two_radials(a, b, weights),
    }
}

/// The shape of a [`part`].
pub(super) fn part_shape<B: Backend>([(left, a), (right, b)]: &Pair<B>) -> Result<[usize; 2]> {
    match (a, b) {
        (Operator::Kronecker(a), Operator::Kronecker(b)) => Ok([
            overlaps(&a.row.matrix, &b.row.matrix)?.len(),
            overlaps(&a.column.matrix, &b.column.matrix)?.len(),
        ]),
        _ => Ok([left.len(), right.len()]),
    }
}

/// The Gram matrix from what `part` gives for each of the [`pairs`].
pub(super) fn gram<B: Backend>(
    matrix: &DesignMatrix<B>,
    mut part: impl FnMut(&Pair<B>) -> Result<Array<f64, B>>,
) -> Result<Array<f64, B>> {
    let n = matrix.columns();
    // Written by all threads: the system clears memory at its first touch, and only one would put the parts of two
    // Kronecker products in place.
    let mut gram = Array::zeros(matrix.backend(), &[1])?.broadcast_to(&[n, n])?.copy()?;
    for pair in &pairs(matrix) {
        let part = part(pair)?;
        let [(left, a), (right, b)] = pair;
        if let (Operator::Kronecker(a), Operator::Kronecker(b)) = (a, b) {
            gram = with_overlaps(gram, [(left.start, a), (right.start, b)], &part)?;
            continue;
        }
        if left != right {
            gram.assign(s![right.clone(), left.clone()], &part.matrix_transpose()?)?;
        }
        gram.assign(s![left.clone(), right.clone()], &part)?;
    }
    Ok(gram)
}

/// The pairs of functions that overlap, given their values.
fn overlaps<B: Backend>(a: &Csr<f64, B>, b: &Csr<f64, B>) -> Result<Vec<(usize, usize)>> {
    Ok(a.row_pair_products(b)?.1)
}

/// Puts the [`part`] of two Kronecker products, whose columns begin at some number, in its places.
fn with_overlaps<B: Backend>(
    gram: Array<f64, B>,
    [(left, a), (right, b)]: [(usize, &Kronecker<B>); 2],
    part: &Array<f64, B>,
) -> Result<Array<f64, B>> {
    let n = gram.shape()[0];
    let rows = overlaps(&a.row.matrix, &b.row.matrix)?;
    let columns = overlaps(&a.column.matrix, &b.column.matrix)?;
    let ((_, a_columns), (_, b_columns)) = (a.functions(), b.functions());
    let mut places = Vec::with_capacity(rows.len() * columns.len());
    for &(i, k) in &rows {
        for &(j, l) in &columns {
            places.push([left + i * a_columns + j, right + k * b_columns + l]);
        }
    }
    let (xp, values) = (gram.backend().clone(), part.flatten()?);
    let mut flat = gram.reshape(&[n * n])?;
    // Changed in place: nobody else has it.
    drop(gram);
    let mut add = |place: &dyn Fn([usize; 2]) -> usize| {
        let places: Vec<i64> = places.iter().map(|&at| place(at) as i64).collect();
        flat.scatter_add(&Array::from_slice(&xp, &places)?, &values, 0)
    };
    add(&|[row, column]| row * n + column)?;
    if left != right {
        add(&|[row, column]| column * n + row)?;
    }
    Ok(flat.reshape(&[n, n])?)
}

/// Checks that weights are those of the pixels of a window.
pub(super) fn check<B: Backend>(matrix: &DesignMatrix<B>, weights: &Array<f64, B>) -> Result<()> {
    let (rows, columns) = matrix.window().shape();
    if weights.shape() == [rows, columns] {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "weights of shape {:?} do not fit a window of {rows} x {columns} pixels",
        weights.shape()
    )))
}

/// `P_row^T S P_col`.
fn two_kroneckers<B: Backend>(
    a: &Kronecker<B>,
    b: &Kronecker<B>,
    weights: &Array<f64, B>,
) -> Result<Array<f64, B>> {
    let (row_products, _) = a.row.matrix.row_pair_products(&b.row.matrix)?;
    let (column_products, _) = a.column.matrix.row_pair_products(&b.column.matrix)?;
    Ok(row_products.transposed_matmul(&sum_columns(&column_products, weights)?)?)
}

/// `S P_col`, in tiles of rows.
fn sum_columns<B: Backend>(products: &Csr<f64, B>, weights: &Array<f64, B>) -> Result<Array<f64, B>> {
    let xp = weights.backend();
    let (rows, width) = (weights.shape()[0], products.shape()[1]);
    let tiles = xp.tiles(1, rows, (weights.shape()[1] + width) * size_of::<f64>());
    let buffer = xp.map_tiles(&tiles, [1, rows, width], |tile| {
        products.left_matmul(&weights.slice(s![tile.rows.clone()])?)?.expand_dims(0)
    })?;
    Ok(Array::from_buffer(xp, buffer, &[rows, width]))
}

/// Bytes that the few entries of a pixel in a sparse matrix take.
const ENTRIES_BYTES: usize = 3 * (size_of::<f64>() + size_of::<i32>());

/// For each row of pixels `C^T diag(s) R`, then the sum over rows with the row functions.
fn kronecker_radial<B: Backend>(
    a: &Kronecker<B>,
    b: &Radial<B>,
    weights: &Array<f64, B>,
) -> Result<Array<f64, B>> {
    let xp = weights.backend();
    let (outer, inner) = a.functions();
    let width = inner * b.functions();
    let rows = weights.shape()[0];
    let mut sum = Array::zeros(xp, &[outer, width])?;
    let stage = (STAGE_BYTES / (width * size_of::<f64>()).max(1)).max(1);
    for start in (0..rows).step_by(stage) {
        let part = start..rows.min(start + stage);
        let bytes = width * size_of::<f64>() + weights.shape()[1] * ENTRIES_BYTES;
        let tiles = xp.tiles(1, part.len(), SMALLER * bytes);
        let buffer = xp.map_tiles(&tiles, [1, part.len(), width], |tile| {
            let rows = start + tile.rows.start..start + tile.rows.end;
            let radial = b.matrix(rows.clone()).map_err(into_array_error)?;
            a.column.matrix.weighted_cross_gram(&weights.slice(s![rows])?, &radial)?.reshape(&[
                1,
                tile.rows.len(),
                width,
            ])
        })?;
        let products = Array::from_buffer(xp, buffer, &[part.len(), width]);
        sum.add_assign(&a.row.matrix.rows(part)?.transposed_matmul(&products)?)?;
    }
    Ok(sum.reshape(&[outer * inner, b.functions()])?)
}

/// The sum over all pixels of the products of their few entries.
fn two_radials<B: Backend>(a: &Radial<B>, b: &Radial<B>, weights: &Array<f64, B>) -> Result<Array<f64, B>> {
    let xp = weights.backend();
    let shape = [a.functions(), b.functions()];
    let [rows, columns] = [weights.shape()[0], weights.shape()[1]];
    let tiles = xp.tiles(1, rows, SMALLER * columns * 8 * size_of::<f64>());
    let buffer = xp.reduce_tiles(&tiles, 1, shape[0] * shape[1], |tile| {
        let left = a.matrix(tile.rows.clone()).map_err(into_array_error)?;
        let w = weights.slice(s![tile.rows.clone()])?.flatten()?;
        if std::ptr::eq(a, b) {
            return left.weighted_cross_gram(&w, &left);
        }
        let right = b.matrix(tile.rows.clone()).map_err(into_array_error)?;
        left.weighted_cross_gram(&w, &right)
    })?;
    Ok(Array::from_buffer(xp, buffer, &shape))
}
