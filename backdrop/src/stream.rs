//! Reading ahead: the next batches of frames come in while the current one is worked on.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use array_api::host;

use crate::error::{Error, Result};
use crate::source::FrameSource;

/// A batch of frames that has been read.
pub(crate) struct Batch<P> {
    /// The frames that could be read, in the order asked for.
    pub(crate) frames: Vec<usize>,
    /// What was made of their pixels.
    pub(crate) prepared: Result<P>,
    /// The frames that could not be read, and why.
    pub(crate) unreadable: Vec<(usize, Error)>,
}

impl<P> Batch<P> {
    /// The frames and what was made of them, if all could be read.
    ///
    /// # Errors
    /// That of the first frame that could not, or of preparing.
    pub(crate) fn whole(self) -> Result<(Vec<usize>, P)> {
        match self.unreadable.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok((self.frames, self.prepared?)),
        }
    }
}

/// Which frames are read.
pub(crate) struct Wanted<'a> {
    pub(crate) source: &'a dyn FrameSource,
    /// Rows of each frame.
    pub(crate) rows: Range<usize>,
    /// Batches are read one after another; an empty one comes as one without pixels.
    pub(crate) batches: &'a [&'a [usize]],
    /// Threads that read, a batch each.
    pub(crate) readers: usize,
}

/// Reads frames batch by batch, of each frame some rows, and hands to `work`, in order, what
/// `prepare` makes of the frames and their pixels, as [`read_ahead`] does. The time spent in reading is added to
/// `read_time`.
///
/// # Errors
/// The first error of `work`, after which nothing more is read.
pub(crate) fn for_each_batch<P: Send>(
    wanted: Wanted<'_>,
    read_time: &mut Duration,
    prepare: impl Fn(&[usize], Vec<f32>) -> Result<P> + Sync,
    work: impl FnMut(Batch<P>) -> Result<Option<Vec<f32>>>,
) -> Result<()> {
    read_ahead(wanted, prepare, |batches| batches.for_each(read_time, work))
}

/// Begins to read frames batch by batch, of each frame some rows, and calls `consume`, which takes the batches when it is
/// ready for them. `prepare` makes something of the frames and their pixels, (frames, rows, columns) in row-major order,
/// in a thread that reads. At most one batch more than there are readers is in memory.
///
/// # Errors
/// Those of `consume`, after which nothing more is read.
pub(crate) fn read_ahead<P: Send, R>(
    wanted: Wanted<'_>,
    prepare: impl Fn(&[usize], Vec<f32>) -> Result<P> + Sync,
    consume: impl FnOnce(Batches<'_, P>) -> Result<R>,
) -> Result<R> {
    let Wanted { source, rows, batches, readers } = wanted;
    let spare = Mutex::new(VecDeque::new());
    let read = |batch: &[usize]| {
        let start = Instant::now();
        let mut unreadable = Vec::new();
        // An empty batch leaves it to the next one.
        let memory = if batch.is_empty() { None } else { locked(&spare).pop_front() };
        let read = read_frames(source, &rows, batch, memory, &mut unreadable);
        let time = start.elapsed();
        let is_read = |frame: &&usize| unreadable.iter().all(|(other, _)| other != *frame);
        let frames: Vec<usize> = batch.iter().filter(is_read).copied().collect();
        let prepared = read.and_then(|pixels| prepare(&frames, pixels));
        (Batch { frames, prepared, unreadable }, time)
    };
    let read = &read;
    std::thread::scope(|scope| {
        let readers = readers.max(1);
        let receivers: Vec<_> = (0..readers)
            .map(|reader| {
                // A channel without places: a reader waits with one batch in hand.
                let (sender, receiver) = sync_channel(0);
                scope.spawn(move || {
                    for batch in batches.iter().skip(reader).step_by(readers) {
                        if sender.send(read(batch)).is_err() {
                            break;
                        }
                    }
                });
                receiver
            })
            .collect();
        // A reader that panics lets the scope panic.
        let next = receivers.iter().cycle().take(batches.len()).map_while(|receiver| receiver.recv().ok());
        consume(Batches { next: Box::new(next), spare: &spare })
    })
}

/// As [`read_ahead`], for frames that are read later, where their pixels are needed: `unread` stands for those of a batch, and the
/// source is told in time that a batch will be read.
pub(crate) fn announce<P, R>(
    source: &dyn FrameSource,
    batches: &[&[usize]],
    unread: impl Fn(&[usize]) -> P,
    consume: impl FnOnce(Batches<'_, P>) -> Result<R>,
) -> Result<R> {
    let spare = Mutex::new(VecDeque::new());
    std::thread::scope(|scope| {
        let (sender, receiver) = channel::<&[usize]>();
        scope.spawn(move || receiver.iter().flatten().for_each(|&frame| source.will_read(frame)));
        // While a batch is worked on the next one comes in, and the first one before there is any.
        let mut to_come = batches.iter().copied().filter(|batch| !batch.is_empty());
        let mut announce_next = move || {
            if let Some(batch) = to_come.next() {
                // The thread takes all that comes.
                let _ = sender.send(batch);
            }
        };
        announce_next();
        let next = batches.iter().map(|batch| {
            if !batch.is_empty() {
                announce_next();
            }
            (
                Batch { frames: batch.to_vec(), prepared: Ok(unread(batch)), unreadable: Vec::new() },
                Duration::ZERO,
            )
        });
        consume(Batches { next: Box::new(next), spare: &spare })
    })
}

/// Batches that are being read.
pub(crate) struct Batches<'a, P> {
    next: Box<dyn Iterator<Item = (Batch<P>, Duration)> + 'a>,
    spare: &'a Mutex<VecDeque<Vec<f32>>>,
}

impl<P> Batches<'_, P> {
    /// Hands all batches to `work`, in order; memory that it gives back is used again. The time spent in reading is added to
    /// `read_time`.
    ///
    /// # Errors
    /// The first error of `work`.
    pub(crate) fn for_each(
        self,
        read_time: &mut Duration,
        mut work: impl FnMut(Batch<P>) -> Result<Option<Vec<f32>>>,
    ) -> Result<()> {
        for (batch, time) in self.next {
            *read_time += time;
            if let Some(memory) = work(batch)? {
                locked(self.spare).push_back(memory);
            }
        }
        Ok(())
    }
}

/// The memory that is free, whatever came of a thread that held it.
fn locked(spare: &Mutex<VecDeque<Vec<f32>>>) -> MutexGuard<'_, VecDeque<Vec<f32>>> {
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pixels of the frames that can be read, one after another, in `memory` if it is large enough.
fn read_frames(
    source: &dyn FrameSource,
    rows: &Range<usize>,
    frames: &[usize],
    memory: Option<Vec<f32>>,
    unreadable: &mut Vec<(usize, Error)>,
) -> Result<Vec<f32>> {
    let each = rows.len() * source.shape().1;
    let length = frames.len() * each;
    let mut pixels = match memory.filter(|memory| memory.capacity() >= length) {
        Some(mut memory) => {
            memory.resize(length, 0.0);
            memory
        }
        None => host::zeros(length)?,
    };
    let mut read = 0;
    for &frame in frames {
        match source.read_rows(frame, rows.clone(), &mut pixels[read..read + each]) {
            Ok(()) => read += each,
            Err(error) => unreadable.push((frame, error)),
        }
    }
    pixels.truncate(read);
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::source::{FrameInfo, MemorySource, Target};

    fn source(frames: usize) -> MemorySource {
        let frames = (0..frames).map(|i| {
            let info = FrameInfo { name: i.to_string(), tstart: i as f64, tstop: i as f64 + 0.5, quality: 0 };
            (info, vec![i as f32; 6])
        });
        MemorySource::new(Target { sector: 1, camera: 1, ccd: 1 }, (2, 3), frames.collect()).unwrap()
    }

    fn wanted<'a>(
        source: &'a MemorySource,
        end: usize,
        batches: &'a [&'a [usize]],
        readers: usize,
    ) -> Wanted<'a> {
        Wanted { source, rows: 0..end, batches, readers }
    }

    #[test]
    fn every_frame_comes_once_and_in_order_with_short_and_empty_batches() {
        let prepare = |batch: &[usize], pixels: Vec<f32>| {
            assert_eq!(pixels.len(), 3 * batch.len());
            Ok(pixels)
        };
        let source = source(7);
        let batches: [&[usize]; 4] = [&[0, 2], &[], &[3, 5], &[6]];
        for readers in 1..=5 {
            let mut seen = Vec::new();
            let wanted = Wanted { source: &source, rows: 1..2, batches: &batches, readers };
            for_each_batch(wanted, &mut Duration::default(), prepare, |batch| {
                let (frames, pixels) = batch.whole()?;
                for (&frame, pixels) in frames.iter().zip(pixels.chunks(3)) {
                    assert_eq!(pixels, [frame as f32; 3]);
                }
                seen.push(frames);
                Ok(Some(pixels))
            })
            .unwrap();
            assert_eq!(seen, batches);
        }
    }

    #[test]
    fn memory_that_is_given_back_outlasts_an_empty_batch() {
        let (mut addresses, mut time) = (Vec::new(), Duration::ZERO);
        let ready = |_: &[usize], pixels: Vec<f32>| Ok(pixels);
        let batches: [&[usize]; 4] = [&[0], &[1], &[], &[2]];
        for_each_batch(wanted(&source(3), 2, &batches, 1), &mut time, ready, |batch| {
            let (frames, pixels) = batch.whole()?;
            if frames.is_empty() {
                return Ok(None);
            }
            addresses.push(pixels.as_ptr().addr());
            Ok(Some(pixels))
        })
        .unwrap();
        // The first frame's is free while the empty batch is read.
        assert_eq!(addresses[2], addresses[0]);
    }

    #[test]
    fn frames_that_cannot_be_read_are_left_out_and_named() {
        let mut time = Duration::ZERO;
        let ready = |_: &[usize], pixels: Vec<f32>| Ok(pixels);
        let mut seen = Vec::new();
        let source = source(3);
        let batches: [&[usize]; 2] = [&[8, 0, 9, 1], &[2]];
        for_each_batch(wanted(&source, 2, &batches, 1), &mut time, ready, |batch| {
            let unreadable: Vec<usize> = batch.unreadable.iter().map(|&(frame, _)| frame).collect();
            seen.push((batch.frames.clone(), unreadable, batch.prepared.as_ref().unwrap().clone()));
            assert_eq!(batch.whole().is_err(), seen.len() == 1);
            Ok(None)
        })
        .unwrap();
        let first = [[0.0; 6], [1.0; 6]].concat();
        assert_eq!(seen, [(vec![0, 1], vec![8, 9], first), (vec![2], vec![], vec![2.0; 6])]);
    }

    #[test]
    fn reading_begins_before_the_first_batch_is_taken() {
        let source = source(3);
        let batches: [&[usize]; 3] = [&[0], &[1], &[2]];
        let (read, is_read) = std::sync::mpsc::channel();
        let prepare = |batch: &[usize], pixels: Vec<f32>| {
            read.send(batch.to_vec()).expect("a receiver that outlives the readers");
            Ok(pixels)
        };
        let mut time = Duration::ZERO;
        let found = read_ahead(wanted(&source, 2, &batches, 1), prepare, |batches| {
            let early = is_read.recv_timeout(Duration::from_secs(60)).expect("a batch that is read ahead");
            let mut seen = vec![early];
            batches.for_each(&mut time, |batch| {
                seen.push(batch.frames);
                Ok(None)
            })?;
            Ok(seen)
        });
        assert_eq!(found.unwrap(), [[0], [0], [1], [2]]);
        // Who wants no batch ends it.
        let ready = |_: &[usize], pixels: Vec<f32>| Ok(pixels);
        let refused = read_ahead(wanted(&source, 2, &batches, 2), ready, |_| Err::<(), _>(Error::Cancelled));
        assert!(matches!(refused, Err(Error::Cancelled)));
    }

    #[test]
    fn errors_of_both_sides_end_the_run() {
        let mut time = Duration::ZERO;
        let refuse = |batch: &[usize], _| if batch == [1] { Err(Error::Cancelled) } else { Ok(()) };
        let mut prepared = 0;
        let source = source(3);
        let batches: [&[usize]; 3] = [&[0], &[1], &[2]];
        let preparing = for_each_batch(wanted(&source, 2, &batches, 1), &mut time, refuse, |batch| {
            batch.whole()?;
            prepared += 1;
            Ok(None)
        });
        assert!(matches!(preparing, Err(Error::Cancelled)) && prepared == 1);
        let mut calls = 0;
        let ready = |_: &[usize], pixels: Vec<f32>| Ok(pixels);
        let working = for_each_batch(wanted(&source, 2, &batches, 1), &mut time, ready, |_| {
            calls += 1;
            Err(Error::Cancelled)
        });
        assert!(matches!(working, Err(Error::Cancelled)) && calls == 1);
    }
}
