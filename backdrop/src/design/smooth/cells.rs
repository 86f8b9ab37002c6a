//! Parts of rings about the boresight, and the pixels in them.

use std::f64::consts::{FRAC_PI_2, SQRT_2};
use std::ops::Range;

use rayon::prelude::*;

use super::SECTORS;
use crate::geometry::Window;

/// An interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) middle: f64,
    pub(super) half: f64,
}

impl Span {
    /// From the least of some numbers to the largest.
    fn of(numbers: &[f64]) -> Self {
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A single pixel has a place, but no width.
        Self { middle: 0.5 * (low + high), half: (0.5 * (high - low)).max(1e-6) }
    }

    /// The number at a place from -1 to 1.
    pub(super) fn at(self, place: f64) -> f64 {
        self.middle + self.half * place
    }
}

/// Neighbouring pixels of a row.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) row: usize,
    pub(super) columns: Range<usize>,
}

/// The pixels in a part of a ring.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) runs: Vec<Run>,
    /// How far they reach, which is less than the ring's width at the edge of a window.
    pub(super) r: Span,
    pub(super) angle: Span,
}

/// The cells that there are pixels in.
pub(super) fn cells(window: &Window, rings: &[f64]) -> Vec<Cell> {
    let (x, y) = (window.x(), window.y());
    let slopes: Vec<f64> =
        (1..SECTORS).map(|sector| (FRAC_PI_2 * sector as f64 / SECTORS as f64).tan()).collect();
    let squares: Vec<f64> = rings.iter().map(|end| 2.0 * end * end).collect();
    let of_row = |row: usize| {
        let y = y[row].abs();
        let mut runs: Vec<(usize, Run)> = Vec::new();
        let (mut ring, mut sector) = (0, 0);
        for (column, x) in x.iter().map(|x| x.abs()).enumerate() {
            // Both are mostly those of the pixel before, or neighbours.
            let square = x * x + y * y;
            while ring > 0 && squares[ring - 1] > square {
                ring -= 1;
            }
            while squares[ring] <= square {
                ring += 1;
            }
            while sector > 0 && slopes[sector - 1] * x > y {
                sector -= 1;
            }
            while sector < slopes.len() && slopes[sector] * x <= y {
                sector += 1;
            }
            let cell = ring * SECTORS + sector;
            match runs.last_mut() {
                // Where columns follow each other, so do the pixels' distances and angles.
                Some((other, run))
                    if *other == cell && window.columns()[column] == window.columns()[column - 1] + 1 =>
                {
                    run.columns.end += 1;
                }
                _ => runs.push((cell, Run { row, columns: column..column + 1 })),
            }
        }
        runs
    };
    let of_rows: Vec<Vec<(usize, Run)>> = (0..y.len()).into_par_iter().map(of_row).collect();
    let mut cells = vec![Pixels::default(); rings.len() * SECTORS];
    for (cell, run) in of_rows.into_iter().flatten() {
        let Pixels { runs, r, angle } = &mut cells[cell];
        for column in [run.columns.start, run.columns.end - 1] {
            let (x, y) = (x[column].abs(), y[run.row].abs());
            r.push(distance(x, y));
            angle.push(y.atan2(x));
        }
        runs.push(run);
    }
    let cells = cells.into_iter().filter(|pixels| !pixels.runs.is_empty());
    cells.map(|Pixels { runs, r, angle }| Cell { runs, r: Span::of(&r), angle: Span::of(&angle) }).collect()
}

/// The pixels of a cell, and the distances and angles of those at the ends of runs.
#[derive(Debug, Clone, Default)]
struct Pixels {
    runs: Vec<Run>,
    r: Vec<f64>,
    angle: Vec<f64>,
}

/// `r` of a pixel.
#[inline(always)]
pub(super) fn distance(x: f64, y: f64) -> f64 {
    (y * y + x * x).sqrt() / SQRT_2
}
