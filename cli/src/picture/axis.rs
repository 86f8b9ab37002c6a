//! What the charts have in common: labels of axes, gaps in a series, and lines of many points.

use std::ops::Range;

use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;

use super::{Canvas, Drawn};

/// The label of a tick on an axis of some length that has at most so many ticks, 1, 2 or 5 times a
/// power of ten apart: with the decimals that the smallest such step needs.
pub(super) fn label(value: f64, length: f64, ticks: usize) -> String {
    let least = length / ticks as f64;
    let decade = 10_f64.powf(least.log10().floor());
    // Above 5 the next step is that of the next power of ten.
    let step = if least > 5.0 * decade { 10.0 * decade } else { decade };
    let decimals = (-step.log10()).round().clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    // What rounds to zero from below has a sign.
    if text.starts_with('-') && text.chars().all(|c| "-0.".contains(c)) { text[1..].to_owned() } else { text }
}

/// Draws a line through some points.
pub(super) fn line<DB: Canvas, X, Y>(
    chart: &mut ChartContext<DB, Cartesian2d<X, Y>>,
    points: &[(f64, f64)],
    style: ShapeStyle,
) -> Drawn
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    if DB::CORNERS {
        chart.draw_series([PathElement::new(points, style)])?;
    } else {
        chart.draw_series(points.windows(2).map(|pair| PathElement::new(pair, style)))?;
    }
    Ok(())
}

/// 1, 2 and 5 times the powers of ten in a range.
pub(super) fn key_points(range: &Range<f64>) -> Vec<f64> {
    let decades = range.start.log10().floor() as i32..=range.end.log10().ceil() as i32;
    // Divided, not multiplied by 0.1: what is nearest to 0.2 is written 0.2.
    let scaled = |step: f64, decade: i32| {
        if decade < 0 { step / 10_f64.powi(-decade) } else { step * 10_f64.powi(decade) }
    };
    let points = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|step| scaled(step, decade)));
    points.filter(|point| range.contains(point)).collect()
}

/// The range of some times with a little room on both sides; a single time has an hour.
pub(super) fn time_range(times: impl Iterator<Item = f64>) -> Range<f64> {
    let (first, last) =
        times.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), t| (low.min(t), high.max(t)));
    let room = (0.015 * (last - first)).max(1.0 / 48.0);
    first - room..last + room
}

/// The median time from one frame to the next; infinite if there is only one.
pub(super) fn cadence(times: &[f64]) -> f64 {
    let mut steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or(f64::INFINITY)
}

/// Runs of frames that have a value and follow each other without a gap of more than two and a half
/// cadences: what a line may connect.
pub(super) fn runs(times: &[f64], has_value: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let longest = 2.5 * cadence(times);
    let mut runs: Vec<Range<usize>> = Vec::new();
    for frame in (0..times.len()).filter(|&frame| has_value(frame)) {
        match runs.last_mut() {
            Some(run) if run.end == frame && times[frame] - times[frame - 1] <= longest => run.end += 1,
            _ => runs.push(frame..frame + 1),
        }
    }
    runs
}

/// A line with its first, lowest, highest and last point in each of `steps` equal parts of `range`,
/// which looks the same once a part is as narrow as the line.
pub(super) fn thinned(line: &[(f64, f64)], range: &Range<f64>, steps: usize) -> Vec<(f64, f64)> {
    let step = |x: f64| ((x - range.start) / (range.end - range.start) * steps as f64).floor() as i64;
    let mut points = Vec::with_capacity(line.len().min(4 * steps));
    for part in line.chunk_by(|a, b| step(a.0) == step(b.0)) {
        if part.len() <= 4 {
            points.extend_from_slice(part);
            continue;
        }
        let by_height = |&a: &usize, &b: &usize| part[a].1.total_cmp(&part[b].1);
        let lowest = (0..part.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..part.len()).max_by(by_height).unwrap_or(0);
        let mut kept = [0, lowest, highest, part.len() - 1];
        kept.sort_unstable();
        points.extend(kept.map(|i| part[i]));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_the_digits_that_tell_them_apart_and_no_more() {
        // Steps of 0.2, 0.05, 1, 1000 and 0.5.
        assert_eq!(label(1_326.000_000_01, 1.3, 8), "1326.0");
        assert_eq!(label(1325.35, 0.4, 8), "1325.35");
        assert_eq!(label(-0.000_000_1, 7.0, 8), "0");
        assert_eq!(label(1500.0, 6000.0, 7), "1500");
        assert_eq!(label(-0.5, 3.0, 7), "-0.5");
        assert_eq!(label(-0.000_1, 3.0, 7), "0.0");
    }

    #[test]
    fn logarithmic_axes_are_labelled_at_one_two_and_five() {
        let points = key_points(&(0.03..24.0));
        let labels: Vec<_> = points.iter().map(ToString::to_string).collect();
        assert_eq!(labels, ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10", "20"]);
    }

    #[test]
    fn a_line_ends_where_a_frame_has_no_value_or_time_is_lost() {
        let times = [0.0, 1.0, 2.0, 3.0, 4.0, 7.0, 8.0];
        assert_eq!(runs(&times, |frame| frame != 2), [0..2, 3..5, 5..7]);
        assert_eq!(runs(&times[..1], |_| true).first(), Some(&(0..1)));
        assert!(runs(&times, |_| false).is_empty());
    }

    #[test]
    fn a_thinned_line_keeps_its_peaks() {
        let line: Vec<(f64, f64)> =
            (0..10_000).map(|i| (f64::from(i), if i == 4321 { 9.0 } else { f64::from(i % 7) })).collect();
        let thin = thinned(&line, &(0.0..10_000.0), 100);
        assert!(thin.len() <= 400);
        assert!(thin.contains(&(4321.0, 9.0)));
        assert!(thin.is_sorted_by(|a, b| a.0 <= b.0));
        assert_eq!(thinned(&line[..100], &(0.0..100.0), 100), line[..100]);
    }

    #[test]
    fn one_time_has_a_range() {
        let range = time_range([1325.3].into_iter());
        assert!(range.start < 1325.3 && range.end > 1325.3);
    }
}
