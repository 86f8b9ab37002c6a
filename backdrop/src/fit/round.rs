//! The frames of a round, as they come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use array_api::{Array, Backend};

use super::FrameFitter;
use super::fitter::Projected;
use super::images::Unread;
use super::record::Record;
use super::results::records;
use crate::components::SamplePixels;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::source::{FrameSource, OnError};
use crate::stream::Batch;

/// The frames of a batch.
pub(super) enum Pixels<B: Backend> {
    /// There are none.
    None,
    /// Images in memory, of shape (frames, rows, columns).
    Read(Array<f32, B>),
    /// They are read where they are fitted, some rows at a time.
    Unread,
}

/// How frames are read where they are fitted.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) source: &'a dyn FrameSource,
    pub(super) progress: &'a dyn Progress,
    pub(super) on_error: OnError,
}

/// The frames of a round that have been read.
pub(super) struct Round<B: Backend> {
    frames: Vec<usize>,
    projected: Vec<Projected<B>>,
    unreadable: Vec<Record>,
    /// Time spent in reading frames where they were fitted.
    pub(super) read_time: Duration,
}

impl<B: Backend> Default for Round<B> {
    fn default() -> Self {
        Self { frames: Vec::new(), projected: Vec::new(), unreadable: Vec::new(), read_time: Duration::ZERO }
    }
}

impl<B: Backend> Round<B> {
    /// Takes some frames, and gives back the memory of their images.
    pub(super) fn add(
        &mut self,
        Reading { source, progress, on_error }: Reading<'_>,
        fitter: &FrameFitter<B>,
        batch: Batch<Pixels<B>>,
    ) -> Result<Option<Vec<f32>>> {
        self.skip(batch.unreadable, on_error)?;
        match batch.prepared? {
            Pixels::None => Ok(None),
            Pixels::Read(images) => {
                self.projected.push(fitter.project(&images)?);
                self.frames.extend(batch.frames);
                Ok(images.reclaim())
            }
            Pixels::Unread => {
                let (xp, outcome) = (fitter.backend(), Mutex::default());
                let images = Unread { xp, source, frames: &batch.frames, progress, outcome };
                let projected = fitter.project(&images)?;
                let outcome = images.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
                if outcome.cancelled {
                    return Err(Error::Cancelled);
                }
                self.read_time += outcome.time;
                let (unreadable, read) = outcome.split(&batch.frames);
                let all = unreadable.is_empty();
                self.skip(unreadable, on_error)?;
                if !read.is_empty() {
                    self.projected.push(if all { projected } else { projected.take(&read)? });
                    self.frames.extend(read.into_iter().map(|place| batch.frames[place]));
                }
                Ok(None)
            }
        }
    }

    /// Goes on without frames that cannot be read, unless that is to be an error.
    fn skip(&mut self, unreadable: Vec<(usize, Error)>, on_error: OnError) -> Result<()> {
        for (frame, error) in unreadable {
            match on_error {
                OnError::Fail => return Err(error),
                OnError::Skip => {
                    self.unreadable.push(Record::Unreadable { frame, reason: error.to_string() });
                }
            }
        }
        Ok(())
    }

    /// The results of all frames.
    pub(super) fn records(self, fitter: &FrameFitter<B>, samples: &SamplePixels) -> Result<Vec<Record>> {
        if self.projected.is_empty() {
            return Ok(self.unreadable);
        }
        let mut records = records(&self.frames, &fitter.finish(&self.projected)?, samples);
        records.extend(self.unreadable);
        Ok(records)
    }
}
