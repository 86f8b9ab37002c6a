//! The plain definition of the model: a dense design matrix, one entry at a time.

use backdrop::design::{Basis, Block, Design};
use backdrop::geometry::Window;
use ndarray::Array2;

/// Value of B-spline `k` of a degree on knots at `x`, by the recursion of Cox and de Boor with
/// 0/0 = 0; the last interval is closed.
fn b_spline(knots: &[f64], degree: usize, k: usize, x: f64) -> f64 {
    if degree == 0 {
        let last = knots[knots.len() - 1];
        let inside = knots[k] <= x && x < knots[k + 1];
        return f64::from(u8::from(inside || (x == last && knots[k] < last && knots[k + 1] == last)));
    }
    let part =
        |numerator: f64, denominator: f64| if denominator == 0.0 { 0.0 } else { numerator / denominator };
    part(x - knots[k], knots[k + degree] - knots[k]) * b_spline(knots, degree - 1, k, x)
        + part(knots[k + degree + 1] - x, knots[k + degree + 1] - knots[k + 1])
            * b_spline(knots, degree - 1, k + 1, x)
}

fn splines(nknots: usize, degree: usize, exponent: f64, x: f64) -> Vec<f64> {
    let breakpoints = (0..nknots).map(|i| (i as f64 / (nknots - 1) as f64).powf(exponent));
    let mut knots = vec![0.0; degree];
    knots.extend(breakpoints);
    knots.extend(vec![1.0; degree]);
    (0..nknots + degree - 1).map(|k| b_spline(&knots, degree, k, x)).collect()
}

fn powers(count: usize, x: f64) -> Vec<f64> {
    (0..count).map(|k| x.powi(k as i32)).collect()
}

/// Products with the first factor outer.
fn outer(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().flat_map(|a| b.iter().map(move |b| a * b)).collect()
}

/// The row of a block for one pixel.
fn block_row(block: &Block, ccd: u8, row: usize, column: usize) -> Vec<f64> {
    let bore_column = if ccd == 1 || ccd == 3 { 2048.0 } else { 0.0 };
    let (x, y) = ((column as f64 - bore_column) / 2048.0, (row as f64 - 2048.0) / 2048.0);
    let (u, v) = (column as f64 / 2048.0, row as f64 / 2048.0);
    let r = x.hypot(y) / 2f64.sqrt();
    let straps = |npoly: usize, columns: Vec<usize>| {
        let here: Vec<f64> = columns.iter().map(|&c| f64::from(u8::from(c == column))).collect();
        outer(&powers(npoly, y), &here)
    };
    match block.basis {
        Basis::Cartesian { npoly } => outer(&powers(npoly, y), &powers(npoly, x)),
        Basis::Radial { npoly } => powers(npoly, r),
        Basis::RadialSpline { nknots, degree } => splines(nknots, degree, 0.25, r),
        Basis::Spline { nknots, degree } => {
            outer(&splines(nknots, degree, 1.0, v), &splines(nknots, degree, 1.0, u))
        }
        Basis::Strap { npoly } => straps(npoly, (0..2048).collect()),
        Basis::RestrictedStrap { npoly } => straps(npoly, restricted_columns()),
    }
}

/// Each listed strap column, 1-based, with its neighbours, 0-based.
fn restricted_columns() -> Vec<usize> {
    let mut columns: Vec<usize> = backdrop::straps::STRAP_COLUMNS
        .iter()
        .map(|&column| usize::from(column) - 1)
        .flat_map(|column| [column - 1, column, column + 1])
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The dense design matrix on a window: one row for each pixel in row-major order.
pub fn dense(design: &Design, window: &Window) -> Array2<f64> {
    let mut entries = Vec::new();
    for &row in window.rows() {
        for &column in window.columns() {
            for block in design.blocks() {
                entries.extend(block_row(block, window.ccd(), row, column));
            }
        }
    }
    let pixels = window.rows().len() * window.columns().len();
    Array2::from_shape_vec((pixels, design.columns()), entries).expect("a row for each pixel")
}
