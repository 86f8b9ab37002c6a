//! Marking the pixels within reach of a path.

use super::Position;

/// How far an asteroid is masked, in pixels, by its V magnitude.
fn reach(magnitude: f64) -> f64 {
    if magnitude >= 14.0 {
        5.0
    } else if magnitude >= 11.0 {
        7.0
    } else {
        9.0
    }
}

/// A position on a path without its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waypoint {
    row: f64,
    column: f64,
    reach: f64,
}

impl From<Position> for Waypoint {
    fn from(position: Position) -> Self {
        Self { row: position.row, column: position.column, reach: reach(position.magnitude) }
    }
}

/// The pixels of a frame, some of them marked.
#[derive(Debug)]
pub(super) struct Raster {
    rows: usize,
    columns: usize,
    /// Row-major; empty as long as nothing is marked.
    marked: Vec<bool>,
}

impl Raster {
    pub(super) fn new((rows, columns): (usize, usize)) -> Self {
        Self { rows, columns, marked: Vec::new() }
    }

    /// Marks the pixels whose centres are no farther from the segment between two positions than
    /// the reach at the brighter one.
    pub(super) fn mark(&mut self, from: Waypoint, to: Waypoint) {
        let reach = from.reach.max(to.reach);
        let (dy, dx) = (to.row - from.row, to.column - from.column);
        let rows = within(from.row.min(to.row) - reach, from.row.max(to.row) + reach, self.rows);
        let columns =
            within(from.column.min(to.column) - reach, from.column.max(to.column) + reach, self.columns);
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        if self.marked.is_empty() {
            self.marked = vec![false; self.rows * self.columns];
        }
        let length2 = dy * dy + dx * dx;
        for row in rows {
            // Only the part of the segment that is near enough in this row is near any pixel of
            // it, which matters where a segment crosses the whole frame.
            let y = row as f64 - from.row;
            let [first, last] = if dy == 0.0 {
                [0.0, 1.0]
            } else {
                let [a, b] = [(y - reach) / dy, (y + reach) / dy];
                [a.min(b).clamp(0.0, 1.0), a.max(b).clamp(0.0, 1.0)]
            };
            let ends = [from.column + first * dx, from.column + last * dx];
            let near = within(ends[0].min(ends[1]) - reach, ends[0].max(ends[1]) + reach, self.columns);
            let line = &mut self.marked[row * self.columns..][..self.columns];
            for column in near {
                let x = column as f64 - from.column;
                let along = if length2 > 0.0 { ((x * dx + y * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
                let (off_x, off_y) = (x - along * dx, y - along * dy);
                line[column] |= off_x * off_x + off_y * off_y <= reach * reach;
            }
        }
    }

    /// The positions of the marked pixels, in ascending order.
    pub(super) fn into_pixels(self) -> Vec<usize> {
        self.marked.iter().enumerate().filter(|&(_, &marked)| marked).map(|(pixel, _)| pixel).collect()
    }
}

/// The whole numbers of `0..length` from `first` to `last`, one more on either side lest rounding
/// cost any.
fn within(first: f64, last: f64, length: usize) -> std::ops::Range<usize> {
    // Conversions to whole numbers saturate.
    let end = ((last + 2.0).floor().max(0.0) as usize).min(length);
    ((first - 1.0).ceil().max(0.0) as usize).min(end)..end
}
