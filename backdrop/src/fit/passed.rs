//! The pixels that asteroids pass, in the minimum image.
//!
//! A frame in which an asteroid passes a pixel says nothing of the sky there, so that it is left out
//! of the pixel's minimum. If the sky was darkest in such a frame, the minimum of the others has
//! their light, and is too high by what the sky was brighter. How bright the sky is near a pixel is
//! told by the median of a block of pixels around it, without those that asteroids pass.

use ndarray::Array2;

use crate::communicator::Communicator;
use crate::error::Result;
use crate::source::FrameInfo;
use crate::statistics::median_f32;

use super::FitOptions;

/// Rows and columns of a block.
const BLOCK: usize = 64;

/// Every so many rows and columns of a block a pixel counts for its median.
const STRIDE: usize = 4;

/// Takes away what a frame has where asteroids pass.
pub(super) fn hide(frame: &mut [f32], passed: &[usize]) {
    for &pixel in passed {
        frame[pixel] = f32::NAN;
    }
}

/// What is known of the pixels that asteroids pass in any frame.
#[derive(Debug, Clone)]
pub(super) struct PassedPixels {
    shape: (usize, usize),
    /// Positions in a frame, row-major, ascending. All else has an entry for each.
    pixels: Vec<usize>,
    /// The minimum over the frames in which no asteroid passes the pixel.
    minimum: Vec<f32>,
    /// The median of the block in the frame that the minimum is from; infinite without one.
    level: Vec<f32>,
    /// The lowest median of the block in a frame that was left out; infinite without one.
    left_out: Vec<f32>,
}

impl PassedPixels {
    /// The pixels passed in any of `frames`.
    pub(super) fn new(options: &FitOptions, frames: &[FrameInfo], shape: (usize, usize)) -> Self {
        let asteroids = options.asteroids.as_ref();
        let pixels = asteroids.map_or_else(Vec::new, |asteroids| asteroids.pixels(frames, shape));
        let nothing = vec![f32::INFINITY; pixels.len()];
        Self { shape, pixels, minimum: nothing.clone(), level: nothing.clone(), left_out: nothing }
    }

    /// Takes a frame of the minimum image, in which the pixels that `passed` has, in ascending order,
    /// are NaN.
    pub(super) fn take(&mut self, frame: &[f32], passed: &[usize]) {
        if self.pixels.is_empty() {
            return;
        }
        let columns = self.shape.1;
        let levels = self.levels(frame);
        let mut passed = passed.iter().peekable();
        for (entry, &pixel) in self.pixels.iter().enumerate() {
            while passed.next_if(|&&other| other < pixel).is_some() {}
            let level = levels[(pixel / columns / BLOCK, pixel % columns / BLOCK)];
            if passed.peek() == Some(&&pixel) {
                // Of a block without a median nothing is known: it may be the darkest.
                self.left_out[entry] = self.left_out[entry].min(level.unwrap_or(f32::NEG_INFINITY));
            } else {
                let seen = (frame[pixel], level.unwrap_or(f32::INFINITY));
                if seen < (self.minimum[entry], self.level[entry]) {
                    (self.minimum[entry], self.level[entry]) = seen;
                }
            }
        }
    }

    /// Brings together what all ranks have found of their frames.
    pub(super) fn share(&mut self, ranks: &dyn Communicator) -> Result<()> {
        let mut minimum = self.minimum.clone();
        ranks.minimum(&mut minimum)?;
        for ((level, mine), all) in self.level.iter_mut().zip(&self.minimum).zip(&minimum) {
            if mine > all {
                *level = f32::INFINITY;
            }
        }
        self.minimum = minimum;
        ranks.minimum(&mut self.level)?;
        ranks.minimum(&mut self.left_out)
    }

    /// The median of each block.
    fn levels(&self, frame: &[f32]) -> Array2<Option<f32>> {
        let (rows, columns) = self.shape;
        let mut values = Vec::with_capacity((BLOCK / STRIDE).pow(2));
        Array2::from_shape_fn((rows.div_ceil(BLOCK), columns.div_ceil(BLOCK)), |(row, column)| {
            values.clear();
            let columns_of = column * BLOCK..columns.min((column + 1) * BLOCK);
            for row in (row * BLOCK..rows.min((row + 1) * BLOCK)).step_by(STRIDE) {
                let line = &frame[row * columns..][columns_of.clone()];
                values.extend(line.iter().copied().step_by(STRIDE).filter(|flux| flux.is_finite()));
            }
            median_f32(&mut values)
        })
    }

    /// The pixels whose minimum is from a frame in which the sky was brighter than in one that was
    /// left out; in the minimum image they are brought down by the difference.
    pub(super) fn bring_down(&self, minimum: &mut Array2<f32>) -> Vec<usize> {
        let mut brought_down = Vec::new();
        for (entry, &pixel) in self.pixels.iter().enumerate() {
            let (level, left_out) = (self.level[entry], self.left_out[entry]);
            if level > left_out {
                brought_down.push(pixel);
                let too_high = level - left_out;
                if too_high.is_finite() {
                    minimum[(pixel / self.shape.1, pixel % self.shape.1)] -= too_high;
                }
            }
        }
        brought_down
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asteroids::{Asteroids, Position, Track};

    const SHAPE: (usize, usize) = (70, 66);

    fn passed(pixels: &[usize]) -> PassedPixels {
        let nothing = vec![f32::INFINITY; pixels.len()];
        PassedPixels {
            shape: SHAPE,
            pixels: pixels.to_vec(),
            minimum: nothing.clone(),
            level: nothing.clone(),
            left_out: nothing,
        }
    }

    /// A frame of one brightness above a pattern that stays.
    fn frame(light: f32) -> Vec<f32> {
        (0..SHAPE.0 * SHAPE.1).map(|pixel| light + (pixel % 7) as f32).collect()
    }

    #[test]
    fn what_was_darkest_where_an_asteroid_passed_is_brought_down() {
        let mut pixels = passed(&[3, 65, 66 * 69]);
        let mut minimum = Array2::from_elem(SHAPE, f32::INFINITY);
        // Darkest is the second frame, in which an asteroid passes the first two pixels, then the
        // fourth, in which it passes the last; the third pixel was seen in the second frame.
        for (light, on) in [(50.0, vec![]), (10.0, vec![3, 65]), (30.0, vec![]), (20.0, vec![66 * 69])] {
            let mut frame = frame(light);
            hide(&mut frame, &on);
            pixels.take(&frame, &on);
            minimum.iter_mut().zip(&frame).for_each(|(minimum, flux)| *minimum = minimum.min(*flux));
        }
        assert_eq!(
            (minimum[(0, 3)], minimum[(0, 65)], minimum[(69, 0)]),
            (20.0 + 3.0, 20.0 + 2.0, 10.0 + 4.0)
        );
        assert_eq!(pixels.bring_down(&mut minimum), [3, 65]);
        let expected = frame(10.0);
        assert!(minimum.iter().zip(&expected).all(|(a, b)| a == b));
    }

    #[test]
    fn pixels_that_were_never_seen_have_no_value_and_count_as_brought_down() {
        let all: Vec<usize> = (0..SHAPE.0 * SHAPE.1).collect();
        let mut pixels = passed(&all);
        let mut first = frame(5.0);
        hide(&mut first, &all);
        pixels.take(&first, &all);
        let mut minimum = Array2::from_elem(SHAPE, f32::NAN);
        assert_eq!(pixels.bring_down(&mut minimum), all);
        // Seen in another frame, but the light of the first is not known.
        pixels.take(&frame(9.0), &[]);
        let mut minimum = Array2::from_elem(SHAPE, 9.0);
        assert_eq!(pixels.bring_down(&mut minimum), all);
        assert!(minimum.iter().all(|&flux| flux == 9.0));
    }

    #[test]
    fn pixels_are_those_of_the_table() {
        let position = Position { time: 1.0, row: 20.0, column: 20.0, magnitude: 15.0 };
        let track = Track { name: "still".into(), positions: vec![position] };
        let asteroids = Asteroids::new("table".into(), vec![track]);
        let options = FitOptions { asteroids: Some(asteroids.clone()), ..FitOptions::default() };
        let frames = [FrameInfo { name: String::new(), tstart: 0.99, tstop: 1.01, quality: 0 }];
        let pixels = PassedPixels::new(&options, &frames, SHAPE);
        assert_eq!(pixels.pixels, asteroids.pixels(&frames, SHAPE));
        assert!(PassedPixels::new(&FitOptions::default(), &frames, SHAPE).pixels.is_empty());
    }
}
