//! Looking at frames: how many pixels have no value, and how dark each pixel gets.

use std::ops::Range;

use array_api::host;
use pulp::Arch;
use rayon::prelude::*;

use crate::error::Result;

/// Rows that are looked at together: half a megabyte of a full frame, which stays in a core's cache.
const ROWS: usize = 64;

/// Where the pixels of some frames come from.
pub(super) trait Rows: Sync {
    /// Rows of the frame at a place among them, row-major; `memory` is for those that are not in memory yet.
    fn rows<'a>(&'a self, place: usize, rows: Range<usize>, memory: &'a mut Vec<f32>) -> Result<&'a [f32]>;
}

/// A frame in memory.
pub(super) struct InMemory<'a> {
    pub(super) pixels: &'a [f32],
    pub(super) columns: usize,
}

impl Rows for InMemory<'_> {
    fn rows<'a>(&'a self, _: usize, rows: Range<usize>, _: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        Ok(&self.pixels[rows.start * self.columns..rows.end * self.columns])
    }
}

/// A frame that is looked at.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Whether the minimum is over this frame, too.
    pub(super) counts: bool,
    /// Pixels that have nothing to say about the minimum, in ascending order.
    pub(super) hidden: Vec<usize>,
}

/// What is found of a frame.
#[derive(Debug)]
pub(super) struct Seen {
    /// How many pixels have no value.
    pub(super) non_finite: usize,
    /// Which pixels have none, a bit each, eight in a byte: the first bytes of rows that lack some, and those bytes.
    pub(super) missing: Vec<(usize, Vec<u8>)>,
}

/// The pixel-wise minimum over frames.
pub(super) struct Darkest {
    columns: usize,
    image: Vec<f32>,
    /// The minimum with frames that are only being looked at.
    next: Vec<f32>,
}

impl Darkest {
    /// That over no frames: infinite.
    ///
    /// # Errors
    /// Too little memory.
    pub(super) fn new((rows, columns): (usize, usize)) -> Result<Self> {
        let (mut image, next) = (host::zeros(rows * columns)?, host::zeros(rows * columns)?);
        image.par_chunks_mut((ROWS * columns).max(1)).for_each(|rows| rows.fill(f32::INFINITY));
        Ok(Self { columns, image, next })
    }

    /// The image, row-major.
    pub(super) fn into_image(self) -> Vec<f32> {
        self.image
    }

    /// Looks at some frames all through. The minimum with them, or `afresh` over them alone, is taken when it is
    /// [accepted](Self::accept).
    pub(super) fn look(&mut self, frames: &dyn Rows, looks: &[Look], afresh: bool) -> Vec<Result<Seen>> {
        let (columns, image) = (self.columns, &self.image);
        let size = (ROWS * columns).max(1);
        let bands = self.next.par_chunks_mut(size).zip(image.par_chunks(size)).enumerate();
        let of_bands: Vec<Vec<Result<Seen>>> = bands
            .map_init(Vec::new, |memory, (band, (darkest, image))| {
                if afresh {
                    darkest.fill(f32::INFINITY);
                } else {
                    darkest.copy_from_slice(image);
                }
                let rows = band * ROWS..band * ROWS + darkest.len() / columns;
                let of_frame = |(place, look): (usize, &Look)| {
                    let pixels = frames.rows(place, rows.clone(), memory)?;
                    if look.counts {
                        let start = rows.start * columns;
                        darken(darkest, pixels, hidden_in(&look.hidden, start..start + pixels.len()), start);
                    }
                    let mut seen = Seen { non_finite: count_non_finite(pixels), missing: Vec::new() };
                    if seen.non_finite > 0 {
                        seen.missing.push((band * size / 8, non_finite_bits(pixels)));
                    }
                    Ok(seen)
                };
                looks.iter().enumerate().map(of_frame).collect()
            })
            .collect();
        let nothing = || Ok(Seen { non_finite: 0, missing: Vec::new() });
        let mut seen: Vec<Result<Seen>> = looks.iter().map(|_| nothing()).collect();
        for of_frames in of_bands {
            for (seen, of_band) in seen.iter_mut().zip(of_frames) {
                match (&mut *seen, of_band) {
                    (Ok(seen), Ok(of_band)) => {
                        seen.non_finite += of_band.non_finite;
                        seen.missing.extend(of_band.missing);
                    }
                    // That of the first rows.
                    (Ok(_), Err(error)) => *seen = Err(error),
                    (Err(_), _) => {}
                }
            }
        }
        seen
    }

    /// Takes the minimum over the frames that were looked at last.
    pub(super) fn accept(&mut self) {
        std::mem::swap(&mut self.image, &mut self.next);
    }
}

/// Those of some pixels, in ascending order, that are in a range.
fn hidden_in(pixels: &[usize], range: Range<usize>) -> &[usize] {
    &pixels[pixels.partition_point(|&pixel| pixel < range.start)
        ..pixels.partition_point(|&pixel| pixel < range.end)]
}

/// Takes the minimum with pixels that have a value, the first of which is number `start`, but for those that are hidden.
fn darken(darkest: &mut [f32], pixels: &[f32], hidden: &[usize], start: usize) {
    let before: Vec<f32> = hidden.iter().map(|pixel| darkest[pixel - start]).collect();
    Arch::new().dispatch(|| {
        for (darkest, &pixel) in darkest.iter_mut().zip(pixels) {
            // No value is less than what is not a number, and what is infinite is none.
            *darkest = if (f32::NEG_INFINITY < pixel) & (pixel < *darkest) { pixel } else { *darkest };
        }
    });
    for (pixel, before) in hidden.iter().zip(before) {
        darkest[pixel - start] = before;
    }
}

fn count_non_finite(pixels: &[f32]) -> usize {
    // Counters as wide as pixels: of wider ones a vector has half as many.
    let count = |part: &[f32]| part.iter().map(|pixel| u32::from(!pixel.is_finite())).sum::<u32>();
    Arch::new().dispatch(|| pixels.chunks(1 << 16).map(|part| count(part) as usize).sum())
}

/// A bit for each pixel, which is set if it has no value.
fn non_finite_bits(pixels: &[f32]) -> Vec<u8> {
    let bits = |pixels: &[f32]| {
        let bits = pixels.iter().enumerate().map(|(bit, pixel)| u8::from(!pixel.is_finite()) << bit);
        bits.fold(0, |byte, bit| byte | bit)
    };
    pixels.chunks(8).map(bits).collect()
}
