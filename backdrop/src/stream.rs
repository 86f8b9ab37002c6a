//! Reading ahead: the next batch of frames comes in while the current one is worked on.

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::source::FrameSource;

/// Reads the frames at `indices` in batches of `size` and hands them, in order, to `work`: the
/// indices of the batch and its pixels, (frames, rows, columns) in row-major order. At most two
/// batches are in memory. The time spent in reading is added to `read_time`.
///
/// # Errors
/// The first error of reading or of `work`, after which nothing more is read.
pub(crate) fn for_each_batch(
    source: &dyn FrameSource,
    indices: &[usize],
    size: usize,
    read_time: &mut Duration,
    mut work: impl FnMut(&[usize], Vec<f32>) -> Result<()>,
) -> Result<()> {
    let (rows, columns) = source.shape();
    let read = |batch: &[usize]| {
        let start = Instant::now();
        let mut pixels = vec![0.0; batch.len() * rows * columns];
        for (&index, frame) in batch.iter().zip(pixels.chunks_mut((rows * columns).max(1))) {
            source.read(index, frame)?;
        }
        Ok((pixels, start.elapsed()))
    };
    std::thread::scope(|scope| {
        // A channel without places: the reader waits with one batch in hand.
        let (sender, receiver) = sync_channel::<Result<(Vec<f32>, Duration)>>(0);
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
            let (pixels, time) = result?;
            *read_time += time;
            work(batch, pixels)?;
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
        for_each_batch(&source(7), &[0, 2, 3, 5, 6], 2, &mut time, |batch, pixels| {
            assert_eq!(pixels.len(), 6 * batch.len());
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
        let reading = for_each_batch(&source(3), &[0, 9, 1], 1, &mut time, |batch, _| {
            assert_eq!(batch, [0]);
            Ok(())
        });
        assert!(matches!(reading, Err(Error::InvalidArgument(_))));
        let mut calls = 0;
        let working = for_each_batch(&source(3), &[0, 1, 2], 1, &mut time, |_, _| {
            calls += 1;
            Err(Error::Cancelled)
        });
        assert!(matches!(working, Err(Error::Cancelled)) && calls == 1);
    }
}
