//! Reading ahead: the next batch of frames comes in while the current one is worked on.

use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::source::FrameSource;

/// Reads the frames at `indices` in batches of `size` and hands them, in order, to `work`: the
/// indices of the batch and what `prepare` makes of its pixels, (frames, rows, columns) in row-major
/// order, in the thread that reads. At most two batches are in memory. The time spent in reading is
/// added to `read_time`.
///
/// # Errors
/// The first error of reading, `prepare` or `work`, after which nothing more is read.
pub(crate) fn for_each_batch<P: Send>(
    source: &dyn FrameSource,
    indices: &[usize],
    size: usize,
    read_time: &mut Duration,
    prepare: impl Fn(&[usize], Vec<f32>) -> Result<P> + Send,
    work: impl FnMut(&[usize], P) -> Result<()>,
) -> Result<()> {
    let rows = 0..source.shape().0;
    for_each_batch_of_rows((source, rows), indices, size, read_time, prepare, work)
}

/// As [`for_each_batch`], of some rows of each frame.
///
/// # Errors
/// As [`for_each_batch`].
pub(crate) fn for_each_batch_of_rows<P: Send>(
    (source, rows): (&dyn FrameSource, Range<usize>),
    indices: &[usize],
    size: usize,
    read_time: &mut Duration,
    prepare: impl Fn(&[usize], Vec<f32>) -> Result<P> + Send,
    mut work: impl FnMut(&[usize], P) -> Result<()>,
) -> Result<()> {
    let pixels_each = rows.len() * source.shape().1;
    let read = move |batch: &[usize]| {
        let start = Instant::now();
        let mut pixels = vec![0.0; batch.len() * pixels_each];
        for (&index, frame) in batch.iter().zip(pixels.chunks_mut(pixels_each.max(1))) {
            source.read_rows(index, rows.clone(), frame)?;
        }
        let time = start.elapsed();
        Ok((prepare(batch, pixels)?, time))
    };
    std::thread::scope(|scope| {
        // A channel without places: the reader waits with one batch in hand.
        let (sender, receiver) = sync_channel::<Result<(P, Duration)>>(0);
        scope.spawn(move || {
            for batch in indices.chunks(size.max(1)) {
                let result = read(batch);
                let failed = result.is_err();
                if sender.send(result).is_err() || failed {
                    break;
                }
            }
        });
        for (batch, result) in indices.chunks(size.max(1)).zip(receiver) {
            let (prepared, time) = result?;
            *read_time += time;
            work(batch, prepared)?;
        }
        Ok(())
    })
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

    #[test]
    fn every_frame_comes_once_and_in_order_with_a_short_last_batch() {
        let mut seen = Vec::new();
        let mut time = Duration::ZERO;
        let prepare = |batch: &[usize], pixels: Vec<f32>| {
            assert_eq!(pixels.len(), 6 * batch.len());
            Ok(pixels)
        };
        for_each_batch(&source(7), &[0, 2, 3, 5, 6], 2, &mut time, prepare, |batch, pixels| {
            for (&index, frame) in batch.iter().zip(pixels.chunks(6)) {
                assert_eq!(frame, [index as f32; 6]);
                seen.push(index);
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [0, 2, 3, 5, 6]);
    }

    #[test]
    fn errors_of_both_sides_end_the_run() {
        let mut time = Duration::ZERO;
        let ready = |_: &[usize], pixels| Ok(pixels);
        let reading = for_each_batch(&source(3), &[0, 9, 1], 1, &mut time, ready, |batch, _: Vec<f32>| {
            assert_eq!(batch, [0]);
            Ok(())
        });
        assert!(matches!(reading, Err(Error::InvalidArgument(_))));
        let refuse = |batch: &[usize], _| if batch == [1] { Err(Error::Cancelled) } else { Ok(()) };
        let mut prepared = 0;
        let preparing = for_each_batch(&source(3), &[0, 1, 2], 1, &mut time, refuse, |_, ()| {
            prepared += 1;
            Ok(())
        });
        assert!(matches!(preparing, Err(Error::Cancelled)) && prepared == 1);
        let mut calls = 0;
        let working = for_each_batch(&source(3), &[0, 1, 2], 1, &mut time, ready, |_, _: Vec<f32>| {
            calls += 1;
            Err(Error::Cancelled)
        });
        assert!(matches!(working, Err(Error::Cancelled)) && calls == 1);
    }
}
