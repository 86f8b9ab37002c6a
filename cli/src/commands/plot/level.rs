//! The level of the background in each frame.

use array_api::Backend;
use backdrop::background::Evaluator;
use backdrop::file::{AnyModel, Model};
use backdrop::progress::Progress;
use backdrop::quality::{BLOWN_OUT, NO_DATA, passes};

use crate::failure::Failure;
use crate::interrupt;
use crate::picture::{FlagLane, LevelChart, percentile};
use crate::progress::Bar;

/// Rows, and columns, of the grid of pixels that stand for all.
const GRID: usize = 48;

/// Frames that are evaluated at once.
const BATCH: usize = 64;

/// The bits of `DQUALITY` that may keep a frame out (TESS Archive Manual, data quality flags), and our
/// own, with their names.
const FLAGS: [(u32, &str); 15] = [
    (1, "attitude tweak"),
    (2, "safe mode"),
    (4, "coarse point"),
    (8, "Earth point"),
    (16, "argabrightening"),
    (32, "momentum dump"),
    (64, "cosmic ray in aperture"),
    (128, "manual exclude"),
    (256, "discontinuity"),
    (512, "impulsive outlier"),
    (1024, "collateral cosmic ray"),
    (2048, "scattered light"),
    (4096, "scattered light (2)"),
    (BLOWN_OUT, "blown out"),
    (NO_DATA, "without data"),
];

/// The level of each frame over a grid of pixels, in electrons/s; NaN for a frame without a fit.
#[derive(Debug)]
pub(super) struct Levels {
    median: Vec<f32>,
    low: Vec<f32>,
    high: Vec<f32>,
    /// The lowest and the highest value.
    lowest: Vec<f32>,
    highest: Vec<f32>,
}

impl Levels {
    pub(super) fn new<B: Backend>(xp: &B, model: &dyn AnyModel, bar: &Bar) -> Result<Self, Failure> {
        let head = model.without_weights();
        let (rows, columns) = (grid(head.shape.0), grid(head.shape.1));
        let evaluator = Evaluator::new(xp, model, &rows, &columns)?;
        let all: Vec<usize> = (0..head.tstart.len()).collect();
        let mut levels: [Vec<f32>; 5] = Default::default();
        bar.start("evaluating", all.len());
        evaluator.evaluate_in_batches(&all, BATCH, |batch, images| {
            interrupt::check()?;
            for frame in images.outer_iter() {
                let values: Vec<f32> = frame.iter().map(|&value| value as f32).collect();
                for (levels, part) in levels.iter_mut().zip([0.5, 0.05, 0.95, 0.0, 1.0]) {
                    levels.push(percentile(&values, part));
                }
            }
            bar.advance(batch.len());
            Ok::<_, Failure>(())
        })?;
        bar.finish();
        let [median, low, high, lowest, highest] = levels;
        Ok(Self { median, low, high, lowest, highest })
    }

    /// Whether a frame has a background.
    pub(super) fn is_fitted(&self, frame: usize) -> bool {
        self.median[frame].is_finite()
    }

    /// The faintest, the median and the brightest of the fitted frames that pass, in the order of
    /// time; fewer if there are fewer.
    pub(super) fn typical(&self, pass: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut frames: Vec<usize> =
            (0..self.median.len()).filter(|&frame| self.is_fitted(frame) && pass(frame)).collect();
        frames.sort_by(|&a, &b| self.median[a].total_cmp(&self.median[b]));
        let last = frames.len().saturating_sub(1);
        let mut typical: Vec<usize> =
            [0, last / 2, last].into_iter().filter_map(|at| frames.get(at).copied()).collect();
        typical.sort_unstable();
        typical.dedup();
        typical
    }

    /// The lowest and the highest value over some frames, for a scale that they share, but for the 2 %
    /// of the frames that are most extreme: a glint in one is not to leave all others dark.
    pub(super) fn range(&self, frames: &[usize]) -> (f32, f32) {
        let of = |values: &[f32]| frames.iter().map(|&frame| values[frame]).collect::<Vec<f32>>();
        (percentile(&of(&self.lowest), 0.02), percentile(&of(&self.highest), 0.98))
    }

    pub(super) fn chart<'a>(&'a self, model: &'a Model) -> LevelChart<'a> {
        LevelChart {
            caption: [
                format!("Background level of {}", model.target),
                format!(
                    "the model on a grid of pixels; frames that fail the quality bitmask {} are not fitted",
                    model.quality_bitmask
                ),
            ],
            tstart: &model.tstart,
            tstop: &model.tstop,
            median: &self.median,
            low: &self.low,
            high: &self.high,
            lanes: lanes(&model.quality, model.quality_bitmask),
        }
    }
}

/// Places spread evenly over a length, the middles of equal parts; all of a short one.
fn grid(length: usize) -> Vec<usize> {
    let count = length.min(GRID);
    (0..count).map(|i| (2 * i + 1) * length / (2 * count)).collect()
}

/// The frames that do not pass a bitmask, by flag.
fn lanes(quality: &[u32], bitmask: u32) -> Vec<FlagLane> {
    let counting = bitmask | BLOWN_OUT | NO_DATA;
    let bits = (0..u32::BITS).map(|bit| 1 << bit).filter(|bit| counting & bit != 0);
    let lane = |bit: u32| FlagLane {
        name: (FLAGS.iter().find(|(flag, _)| *flag == bit))
            .map_or_else(|| format!("flag {bit}"), |(_, name)| (*name).to_owned()),
        frames: (0..quality.len()).filter(|&frame| quality[frame] & bit != 0).collect(),
    };
    let lanes: Vec<_> = bits.map(lane).filter(|lane| !lane.frames.is_empty()).collect();
    debug_assert_eq!(lanes.is_empty(), quality.iter().all(|&quality| passes(quality, bitmask)));
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(median: &[f32]) -> Levels {
        let values = || median.to_vec();
        Levels { median: values(), low: values(), high: values(), lowest: values(), highest: values() }
    }

    #[test]
    fn typical_frames_are_the_faintest_the_median_and_the_brightest() {
        let some = levels(&[5.0, f32::NAN, 9.0, 1.0, 4.0, 7.0]);
        // Sorted 1, 4, 5, 7, 9: frames 3, 0 and 2.
        assert_eq!(some.typical(|_| true), [0, 2, 3]);
        assert_eq!(some.typical(|frame| frame != 2), [3, 4, 5]);
        assert_eq!(levels(&[2.0]).typical(|_| true), [0]);
        assert!(levels(&[f32::NAN]).typical(|_| true).is_empty());
        assert_eq!(some.range(&[0, 1, 4]), (4.0, 5.0));
        // One in a hundred does not count.
        let mut glint = vec![3.0; 100];
        glint[40] = 9000.0;
        assert_eq!(levels(&glint).range(&(0..100).collect::<Vec<_>>()), (3.0, 3.0));
    }

    #[test]
    fn a_grid_is_even_and_within() {
        assert_eq!(grid(4), [0, 1, 2, 3]);
        let grid = grid(2048);
        assert_eq!((grid.len(), grid[0], grid[GRID - 1]), (GRID, 21, 2026));
    }

    #[test]
    fn a_frame_is_listed_under_each_flag_that_keeps_it_out() {
        let lanes = lanes(&[0, 32, 64, 4 | 32, BLOWN_OUT, 0], 63);
        let found: Vec<_> = lanes.iter().map(|lane| (lane.name.as_str(), &lane.frames[..])).collect();
        let expected: [(&str, &[usize]); 3] =
            [("coarse point", &[3]), ("momentum dump", &[1, 3]), ("blown out", &[4])];
        assert_eq!(found, expected);
    }
}
