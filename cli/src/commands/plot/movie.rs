//! A movie of the model.

use std::path::Path;

use array_api::Backend;
use backdrop::background::Evaluator;
use backdrop::file::AnyModel;
use backdrop::progress::Progress;

use super::frames;
use crate::failure::Failure;
use crate::interrupt;
use crate::picture::{Movie, Strip};
use crate::progress::Bar;

/// The most rows that are evaluated. Every column is, since straps are a column wide; along a column
/// the background is smooth.
const MAX_ROWS: usize = 512;

/// Writes the frames one after another, with one scale for all of them.
pub(super) fn write<B: Backend>(
    xp: &B,
    path: &Path,
    model: &dyn AnyModel,
    movie: &Movie,
    frames: &[usize],
    overwrite: bool,
    bar: &Bar,
) -> Result<(), Failure> {
    let head = model.without_weights();
    let step = head.shape.0.div_ceil(MAX_ROWS).max(1);
    let rows: Vec<usize> = (0..head.shape.0).skip(step / 2).step_by(step).collect();
    let columns: Vec<usize> = (0..head.shape.1).collect();
    let evaluator = Evaluator::new(xp, model, &rows, &columns)?;
    let strips = frames.iter().map(|&frame| {
        interrupt::check()?;
        let pixels = evaluator.evaluate(&[frame])?.iter().map(|&value| value as f32).collect();
        bar.advance(1);
        Ok(Strip { line: frames::line(head, frame)?, pixels, columns: columns.len() })
    });
    movie.write(path, overwrite, strips)
}
