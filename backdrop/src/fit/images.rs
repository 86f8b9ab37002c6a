//! Where the pixels that are fitted come from.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use array_api::{Array, Backend, Tile, s};

use crate::error::Error;
use crate::progress::Progress;
use crate::source::FrameSource;

/// Images in electrons/s that are worked on tile by tile.
pub(super) trait Images<B: Backend>: Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// What a tile covers, of shape (images, rows, columns).
    fn tile(&self, tile: &Tile) -> array_api::Result<Array<f32, B>>;
}

/// Images in memory, of shape (images, rows, columns).
impl<B: Backend> Images<B> for Array<f32, B> {
    fn count(&self) -> usize {
        self.shape()[0]
    }

    fn tile(&self, tile: &Tile) -> array_api::Result<Self> {
        self.slice(s![tile.batch.clone(), tile.rows.clone()])
    }
}

/// Frames that are read as tiles ask for them: their pixels are worked on while they are in a processor's cache,
/// and meet main memory no more.
pub(super) struct Unread<'a, B> {
    pub(super) xp: &'a B,
    pub(super) source: &'a dyn FrameSource,
    pub(super) frames: &'a [usize],
    /// Who may cancel the run; after that nothing is read any more.
    pub(super) progress: &'a dyn Progress,
    pub(super) outcome: Mutex<Outcome>,
}

/// What came of reading.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Places, among the frames, of those that could not be read, each with the first row that was asked for in vain, and why.
    failed: BTreeMap<usize, (usize, Error)>,
    /// Whether the run was cancelled, so that some rows were not read.
    pub(super) cancelled: bool,
    /// The time that it took, of all threads together.
    pub(super) time: Duration,
}

impl Outcome {
    /// The frames that could not be read, and why, and the places of the others.
    pub(super) fn split(self, frames: &[usize]) -> (Vec<(usize, Error)>, Vec<usize>) {
        let read = (0..frames.len()).filter(|place| !self.failed.contains_key(place)).collect();
        (self.failed.into_iter().map(|(place, (_, error))| (frames[place], error)).collect(), read)
    }
}

impl<B: Backend> Images<B> for Unread<'_, B> {
    fn count(&self) -> usize {
        self.frames.len()
    }

    fn tile(&self, tile: &Tile) -> array_api::Result<Array<f32, B>> {
        let columns = self.source.shape().1;
        Array::written(self.xp, &[tile.batch.len(), tile.rows.len(), columns], |out| {
            let start = Instant::now();
            let (mut failed, mut cancelled) = (Vec::new(), false);
            for (place, out) in tile.batch.clone().zip(out.chunks_mut((tile.rows.len() * columns).max(1))) {
                if self.progress.cancelled() {
                    out.fill(f32::NAN);
                    cancelled = true;
                } else if let Err(error) = self.source.read_rows(self.frames[place], tile.rows.clone(), out) {
                    out.fill(f32::NAN);
                    failed.push((place, error));
                }
            }
            let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.time += start.elapsed();
            outcome.cancelled |= cancelled;
            for (place, error) in failed {
                // The first row's, whichever thread came first.
                let known = outcome.failed.get(&place).is_some_and(|&(row, _)| row < tile.rows.start);
                if !known {
                    outcome.failed.insert(place, (tile.rows.start, error));
                }
            }
        })
    }
}
