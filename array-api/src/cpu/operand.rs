//! Operands of elementwise operations: runs along the innermost axis of views, in place or gathered into blocks.

use pulp::{Simd, WithSimd};

use super::vectors::{dispatch_streaming, prefetch};
use crate::Element;
use crate::layout::Layout;

/// Elements in a block of gathered operands.
pub(super) const BLOCK: usize = 512;

/// Bytes that come into the cache together.
const LINE: usize = 64;

/// Lines that are asked for ahead where each is a row further: a cache keeps about eight whose addresses are a power of two
/// apart.
const LINES_AHEAD: usize = 6;

/// The blocks of a row that are kept of several rows.
const MOST_PANELS: usize = 16;

/// A stretch of the innermost axis: where it begins in the result and in each operand.
pub(super) struct Run<'a> {
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) positions: &'a [usize],
}

/// Calls `f` for the runs that make up elements `range` (in row-major order) of collapsed layouts.
/// Its type is erased so that this walk is compiled once, not for each operation.
pub(super) fn for_each_run(layouts: &[Layout], range: std::ops::Range<usize>, f: &mut dyn FnMut(Run<'_>)) {
    let inner = layouts.first().and_then(|layout| layout.shape().last()).copied().unwrap_or(1);
    if range.is_empty() || inner == 0 {
        return;
    }
    let mut rows: Vec<_> =
        layouts.iter().map(|layout| layout.row_offsets().starting_at(range.start / inner)).collect();
    let strides: Vec<isize> =
        layouts.iter().map(|layout| layout.strides().last().copied().unwrap_or(1)).collect();
    let mut positions = vec![0; layouts.len()];
    let mut at = range.start;
    let mut column = range.start % inner;
    while at < range.end {
        let len = (inner - column).min(range.end - at);
        for ((position, row), stride) in positions.iter_mut().zip(&mut rows).zip(&strides) {
            *position = (row.next().unwrap_or(0) as isize + column as isize * stride) as usize;
        }
        f(Run { start: at - range.start, len, positions: &positions });
        at += len;
        column = 0;
    }
}

/// One operand: its buffer, its innermost stride, and what is gathered of it.
pub(super) struct Operand<'a, T> {
    data: &'a [T],
    stride: isize,
    block: Vec<T>,
    /// How many rows are gathered at once: several where they lie beside each other, as in a transposed matrix.
    rows: usize,
    /// For each block of a row.
    panels: Vec<Panel<T>>,
}

impl<'a, T: Element> Operand<'a, T> {
    pub(super) fn new(data: &'a [T], layout: &Layout) -> Self {
        let stride = layout.strides().last().copied().unwrap_or(1);
        let rows = match (layout.shape(), layout.strides()) {
            // Nearer ones share lines along the row as well.
            (&[.., rows, _], &[.., 1, stride]) if stride.unsigned_abs() >= Panel::<T>::ROWS => {
                rows.min(Panel::<T>::ROWS)
            }
            _ => 1,
        };
        let block = if stride == 1 || rows > 1 { Vec::new() } else { vec![T::ZERO; BLOCK] };
        Self { data, stride, block, rows, panels: Vec::new() }
    }

    /// Whether runs need no gathering.
    pub(super) fn is_direct(&self) -> bool {
        self.stride == 1
    }

    /// What a run that begins at `position` takes every second element of, if it does.
    pub(super) fn pairs(&self, position: usize) -> Option<&'a [T]> {
        (self.stride == 2).then(|| &self.data[position..])
    }

    /// The element that is the same all along a run, if it is.
    pub(super) fn repeated(&self, position: usize) -> Option<T> {
        (self.stride == 0).then(|| self.data[position])
    }

    /// Elements `done..done + len` of a run that begins at `position`; at least one, and at most a block if they are gathered.
    pub(super) fn fetch(&mut self, position: usize, done: usize, len: usize) -> &[T] {
        match self.stride {
            1 => &self.data[position + done..position + done + len],
            0 => {
                // The same value all along: one fill serves the whole run.
                if done == 0 {
                    self.block[..BLOCK].fill(self.data[position]);
                }
                &self.block[..len]
            }
            stride => {
                let first = (position as isize + done as isize * stride) as usize;
                let number = done / BLOCK;
                if self.rows > 1 && number < MOST_PANELS {
                    if number >= self.panels.len() {
                        self.panels.resize_with(number + 1, || Panel::new(self.rows));
                    }
                    return self.panels[number].fetch(self.data, first, stride, len);
                }
                self.block.resize(BLOCK, T::ZERO);
                let block = &mut self.block[..len];
                match stride {
                    2 => dispatch_streaming(EverySecond { x: &self.data[first..], out: block }),
                    _ if stride > 0 => {
                        let every = self.data[first..].iter().step_by(stride as usize);
                        block.iter_mut().zip(every).for_each(|(out, &x)| *out = x);
                    }
                    _ => {
                        let every = self.data[..=first].iter().rev().step_by(stride.unsigned_abs());
                        block.iter_mut().zip(every).for_each(|(out, &x)| *out = x);
                    }
                }
                block
            }
        }
    }
}

/// Blocks of some rows that lie beside each other: of each line that is read all elements are kept, since those of the rows
/// to come would have to be read again.
struct Panel<T> {
    /// The position of the first row's first element.
    first: usize,
    /// How many rows and how many elements of each are there.
    rows: usize,
    len: usize,
    elements: Vec<[T; PITCH]>,
}

/// More than a block, since lines a power of two apart would push each other out of the cache.
const PITCH: usize = BLOCK + LINE;

impl<T: Element> Panel<T> {
    /// As many rows as have their elements in one line.
    const ROWS: usize = LINE / size_of::<T>();

    /// Room for some rows.
    fn new(rows: usize) -> Self {
        Self { first: 0, rows: 0, len: 0, elements: vec![[T::ZERO; PITCH]; rows] }
    }

    /// `len` elements from `first` on, which may be there already.
    fn fetch(&mut self, data: &[T], first: usize, stride: isize, len: usize) -> &[T] {
        let row = first.wrapping_sub(self.first);
        if row < self.rows && len <= self.len {
            return &self.elements[row][..len];
        }
        // The last rows may not lie in the buffer.
        let last = (first as isize + (len - 1) as isize * stride) as usize;
        let rows = self.elements.len().min(data.len() - first.max(last));
        (self.first, self.rows, self.len) = (first, rows, len);
        match rows {
            8 => self.gather::<8>(data, stride),
            16 => self.gather::<16>(data, stride),
            64 => self.gather::<64>(data, stride),
            _ => {
                for row in 0..rows {
                    for i in 0..len {
                        self.elements[row][i] = data[((first + row) as isize + i as isize * stride) as usize];
                    }
                }
            }
        }
        &self.elements[0][..len]
    }

    /// Gathers so many rows, line by line.
    fn gather<const ROWS: usize>(&mut self, data: &[T], stride: isize) {
        let position = |i: usize| (self.first as isize + i as isize * stride) as usize;
        let Some(rows) = self.elements.first_chunk_mut::<ROWS>() else {
            unreachable!("there are so many rows")
        };
        for i in 0..self.len.min(BLOCK) {
            prefetch(&data[position((i + LINES_AHEAD).min(self.len - 1))]);
            let Some(line) = data[position(i)..].first_chunk::<ROWS>() else {
                unreachable!("so many elements are left")
            };
            for row in 0..ROWS {
                rows[row][i] = line[row];
            }
        }
    }
}

/// Gathers elements 0, 2, 4, and so on.
struct EverySecond<'a, T> {
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Element> WithSimd for EverySecond<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // Of pairs the compiler makes vectors, of steps by two it does not.
        let (pairs, last) = self.x.as_chunks::<2>();
        for (out, pair) in self.out.iter_mut().zip(pairs) {
            *out = pair[0];
        }
        if let (Some(out), [x]) = (self.out.get_mut(pairs.len()), last) {
            *out = *x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fetches all elements of a view run by run, and those that a thread gets which begins within a row, from a buffer that
    /// ends with the last of them.
    fn compare(layout: &Layout) {
        let position = |i: usize| {
            let (mut rest, mut position) = (i, layout.offset() as isize);
            for (&n, &stride) in layout.shape().iter().zip(layout.strides()).rev() {
                position += (rest % n) as isize * stride;
                rest /= n;
            }
            position as usize
        };
        let expected: Vec<f32> = (0..layout.len()).map(|i| position(i) as f32).collect();
        let last = (0..layout.len()).map(position).max().unwrap_or_default();
        let data: Vec<f32> = (0..=last).map(|i| i as f32).collect();
        for start in [0, layout.len() / 3] {
            let mut operand = Operand::new(&data, layout);
            let mut found = Vec::new();
            for_each_run(std::slice::from_ref(layout), start..layout.len(), &mut |run| {
                for done in (0..run.len).step_by(BLOCK) {
                    found.extend_from_slice(operand.fetch(run.positions[0], done, BLOCK.min(run.len - done)));
                }
            });
            assert!(found == expected[start..], "{layout:?} from element {start} on");
        }
    }

    #[test]
    fn a_panel_gives_what_it_has_and_gathers_the_rest() {
        let data: Vec<f32> = (0..200).map(|i| i as f32).collect();
        let mut panel = Panel::new(16);
        // Of these calls the second finds too few elements, the third all, the fourth no such row.
        for (first, len) in [(0, 3), (1, 5), (2, 4), (17, 6)] {
            let expected: Vec<f32> = data[first..].iter().copied().step_by(20).take(len).collect();
            assert_eq!(panel.fetch(&data, first, 20, len), expected, "{len} from {first}");
        }
    }

    #[test]
    fn rows_beside_each_other_have_the_elements_of_the_view() {
        // Fewer than are gathered at once, as many, more; and backwards.
        for rows in [1, 2, 15, 16, 17, 33] {
            for columns in [1, 2, BLOCK - 1, BLOCK, 2 * BLOCK + 3] {
                for width in [rows, 40] {
                    let whole = Layout::contiguous(&[2, columns, width]).slice(2, 0, 1, rows);
                    let one = whole.select(0, 1);
                    compare(&one.permute(&[1, 0]));
                    compare(&one.slice(0, columns - 1, -1, columns).permute(&[1, 0]));
                    compare(&one.slice(1, rows - 1, -1, rows).permute(&[1, 0]));
                    compare(&whole.permute(&[0, 2, 1]));
                    compare(&one.permute(&[1, 0]).broadcast_to(&[2, rows, columns]).unwrap());
                }
            }
        }
        // Longer than what is kept of several rows.
        compare(&Layout::contiguous(&[(MOST_PANELS + 1) * BLOCK + 7, 20]).slice(1, 1, 1, 3).permute(&[1, 0]));
    }

    #[test]
    fn rows_with_gaps_have_the_elements_of_the_view() {
        for columns in [1, 2, 7, 8, 9, 31, BLOCK, BLOCK + 5, 3 * BLOCK] {
            for step in [2, 3, -1, -2] {
                let reach = (columns - 1) * isize::unsigned_abs(step);
                let start = if step < 0 { reach } else { 0 };
                compare(&Layout::contiguous(&[2, reach + 1]).slice(1, start, step, columns));
            }
            compare(&Layout::contiguous(&[3, 1]).broadcast_to(&[3, columns]).unwrap());
        }
    }
}
