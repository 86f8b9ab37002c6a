//! Which frames make up which orbit.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::file::{AnyModel, fitted_frames};
use crate::source::FrameSource;

/// The least gap between two frames, in days, that ends an orbit. The data come down to Earth
/// between two orbits, which takes about a day; what a quality flag leaves out is shorter.
pub const ORBIT_GAP: f64 = 0.5;

/// Starts of an exposure that differ by less are the same, in days: less than a second.
const SAME_START: f64 = 1e-5;

/// A frame that is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cadence {
    /// Its place among the frames of the model.
    pub(super) model: usize,
    /// Its place among the frames of the source.
    pub(super) source: usize,
    /// The middle of the exposure, in BTJD days.
    pub(super) time: f64,
}

/// The frames of a source, matched with those of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cadences {
    /// The frames that are fitted, by orbit: one or two, each with a frame at least.
    pub(super) orbits: Vec<Vec<Cadence>>,
    /// Frames of the source that the model has no weights or no components of.
    pub(super) unfitted: usize,
    /// Frames of the model that the source does not have.
    pub(super) missing: usize,
}

impl Cadences {
    /// Finds each frame of the source among the model's, by the start of its exposure, and splits
    /// those that are fitted at the largest gap, if that is at least [`ORBIT_GAP`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the model lacks a frame of the source, or if no frame is left.
    pub(super) fn new(model: &dyn AnyModel, source: &dyn FrameSource) -> Result<Self> {
        let weighted = fitted_frames(model)?;
        let model = model.without_weights();
        let mut found = Vec::new();
        // Frames that could not be read may have no times.
        let known: Vec<usize> = (0..model.tstart.len()).filter(|&i| model.tstart[i].is_finite()).collect();
        let times: Vec<f64> = known.iter().map(|&frame| model.tstart[frame]).collect();
        for (position, frame) in source.frames().iter().enumerate() {
            let place = place(&times, frame.tstart).ok_or_else(|| unknown(&times, frame))?;
            let known = known[place];
            let time = 0.5 * (model.tstart[known] + model.tstop[known]);
            found.push(Cadence { model: known, source: position, time });
        }
        let missing = model.tstart.len().saturating_sub(found.len());
        let all = found.len();
        found.retain(|cadence| {
            let has = |matrix: &Array2<f64>| matrix.row(cadence.model).iter().all(|value| value.is_finite());
            weighted[cadence.model] && has(&model.jitter) && has(&model.background)
        });
        let unfitted = all - found.len();
        if found.is_empty() {
            return Err(Error::InvalidArgument(format!(
                "none of the {all} frames was fitted by the model: give it frames that pass its quality \
                 bitmask {}",
                model.quality_bitmask
            )));
        }
        Ok(Self { orbits: split(found), unfitted, missing })
    }
}

/// Splits frames at the largest gap.
fn split(mut cadences: Vec<Cadence>) -> Vec<Vec<Cadence>> {
    let gaps = cadences.array_windows().map(|[before, after]| after.time - before.time);
    let largest = gaps.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    match largest {
        Some((before, gap)) if gap >= ORBIT_GAP => {
            let second = cadences.split_off(before + 1);
            vec![cadences, second]
        }
        _ => vec![cadences],
    }
}

/// The place of a time in a sorted list.
fn place(times: &[f64], time: f64) -> Option<usize> {
    let after = times.partition_point(|&other| other < time);
    (after.saturating_sub(1)..times.len().min(after + 1))
        .find(|&place| (times[place] - time).abs() < SAME_START)
}

fn unknown(times: &[f64], frame: &crate::source::FrameInfo) -> Error {
    let span = match (times.first(), times.last()) {
        (Some(first), Some(last)) => format!("whose frames start at {first:.5} to {last:.5}"),
        _ => "which has none".to_owned(),
    };
    Error::InvalidArgument(format!(
        "frame {:?} (TSTART {:.5}) is not in the model, {span}: give the frames that the model was \
         fitted to",
        frame.name, frame.tstart
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(times: &[f64]) -> Vec<usize> {
        let cadence = |(place, &time)| Cadence { model: place, source: place, time };
        split(times.iter().enumerate().map(cadence).collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn orbits_are_split_at_the_largest_gap_if_it_is_long() {
        assert_eq!(lengths(&[0.0, 0.02, 0.6, 2.0, 2.02]), [3, 2]);
        assert_eq!(lengths(&[0.0, 0.02, 0.5, 0.52]), [4]);
        assert_eq!(lengths(&[0.0, 1.0]), [1, 1]);
        assert_eq!(lengths(&[7.0]), [1]);
    }

    #[test]
    fn a_time_is_found_to_less_than_a_second() {
        let times = [1.0, 1.02, 1.04];
        assert_eq!(place(&times, 1.02), Some(1));
        assert_eq!(place(&times, 1.02 + 5e-6), Some(1));
        assert_eq!(place(&times, 1.04 - 5e-6), Some(2));
        assert_eq!(place(&times, 1.03), None);
        assert_eq!(place(&times, 2.0), None);
        assert_eq!(place(&[], 2.0), None);
    }
}
