//! How much memory a fit takes.

use super::FitOptions;
use crate::components::MIN_COMPONENT_FRAMES;

/// Matrices of the size of the normal equations of `A2` that take memory while masks change: that of the first mask, the
/// factor before and the one in the making, and a freed block that is kept.
const MATRICES: u64 = 4;

/// Images in single and double precision, masks, tables of the bases and sums over smooth light, in bytes for each pixel.
const BYTES_PER_PIXEL: u64 = 28;

/// Gram matrices of the sampled pixels, their eigenvectors and what finding these takes.
const EIGEN_MATRICES: u64 = 6;

/// Blocks of the pixels' series that are in memory at once.
const EIGEN_BLOCKS: u64 = 64 << 20;

/// Times, names, components and the like, in bytes for each frame.
const BYTES_PER_FRAME: u64 = 500;

/// Images of frames that are read and fitted at a time.
const IMAGES: usize = 32 << 20;

/// How many frames of so many pixels are fitted at a time, while twice as many are read.
pub(super) fn frames_in_memory(pixels: usize) -> usize {
    (IMAGES / (size_of::<f32>() * pixels).max(1)).max(1)
}

/// The program itself, what its tiles and threads take, and results that are few enough to be in memory.
const FIXED: u64 = 64 << 20;

/// The most bytes that a fit of so many frames of `shape` (rows, columns) is expected to take on the
/// rank that makes the model, on a CPU. It does not grow with the number of frames once there are more of
/// them than sampled pixels; what grows are times, names and components, 0.5 kB a frame.
///
/// ```
/// use backdrop::fit::{FitOptions, peak_memory};
///
/// let options = FitOptions::default();
/// let bytes = |frames| peak_memory(&options, (2048, 2048), frames);
/// assert!(bytes(16) < 600_000_000);
/// assert_eq!(bytes(11_000) - bytes(10_000), 1000 * 500);
/// ```
#[must_use]
pub fn peak_memory(options: &FitOptions, shape: (usize, usize), frames: usize) -> u64 {
    let [pixels, frames, batch, samples] =
        [shape.0 * shape.1, frames, options.frames_per_batch.min(frames), options.sample_pixels]
            .map(|count| count as u64);
    let n2 = options.design2.columns() as u64;
    // Some frames are read while others are fitted; of a whole batch there are sums and samples.
    let images = 3 * 4 * pixels * batch.min(frames_in_memory(shape.0 * shape.1) as u64);
    let fit = MATRICES * 8 * n2 * n2 + BYTES_PER_PIXEL * pixels + images + batch * (8 * n2 + 8 * samples);
    let n = frames.min(samples);
    let components = if frames < MIN_COMPONENT_FRAMES as u64 {
        8 * samples * frames
    } else {
        EIGEN_MATRICES * 8 * n * n + EIGEN_BLOCKS
    };
    FIXED + BYTES_PER_FRAME * frames + fit.max(components)
}
