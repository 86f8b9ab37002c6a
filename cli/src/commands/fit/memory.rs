//! How many frames are fitted at once, so that a fit stays within its memory.

use backdrop::ffi::FfiSource;
use backdrop::fit::{FitOptions, peak_memory};
use backdrop::source::FrameSource;

use crate::args::Fit;
use crate::failure::Failure;
use crate::output;

/// More frames at once gain nothing.
const MOST: usize = 64;

/// Frames in a batch, as asked for, or as many as `--memory` has room for.
///
/// # Errors
/// If it has no room for a single one.
pub(super) fn batch(args: &Fit, options: &FitOptions, source: &FfiSource) -> Result<usize, Failure> {
    let Some(memory) = args.memory else { return Ok(options.frames_per_batch) };
    let frames = match options.max_frames {
        0 => source.frames().len(),
        limit => source.frames().len().min(limit),
    };
    let needed = |batch| {
        peak_memory(&FitOptions { frames_per_batch: batch, ..options.clone() }, source.shape(), frames)
    };
    (1..=MOST.min(frames.max(1))).rev().find(|&batch| needed(batch) <= memory.0).ok_or_else(|| {
        Failure::Usage(format!(
            "--memory {}: a fit of {} takes {} at least",
            output::bytes(memory.0),
            output::count(frames, "frame"),
            output::bytes(needed(1))
        ))
    })
}
