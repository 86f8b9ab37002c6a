//! What the charts have in common: labels of axes, gaps in a series, and lines of many points.

use std::ops::Range;

/// The label of a tick on an axis of some length, with as many decimals as ticks 1, 2 or 5 times a
/// power of ten apart need if there are at most 12 of them.
pub(super) fn label(value: f64, length: f64) -> String {
    let decimals = (-(length / 12.0).log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
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
        assert_eq!(label(1325.300_000_01, 1.3), "1325.3");
        assert_eq!(label(1325.35, 0.4), "1325.35");
        assert_eq!(label(-0.000_000_1, 2.0), "0");
        assert_eq!(label(1500.0, 6000.0), "1500");
        assert_eq!(label(0.25, 1.0), "0.25");
    }

    #[test]
    fn a_line_ends_where_a_frame_has_no_value_or_time_is_lost() {
        let times = [0.0, 1.0, 2.0, 3.0, 4.0, 7.0, 8.0];
        assert_eq!(runs(&times, |frame| frame != 2), [0..2, 3..5, 5..7]);
        assert_eq!(runs(&times[..1], |_| true), [0..1]);
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
