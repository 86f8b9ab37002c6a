//! Statistics of a few numbers on the host.

/// The middle value, or the mean of the two in the middle; `None` if there is none. Reorders `values`.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let (below, &mut middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    match below.iter().copied().max_by(f64::total_cmp) {
        Some(before) if n.is_multiple_of(2) => Some(0.5 * (before + middle)),
        _ => Some(middle),
    }
}

/// The middle value, the upper one of two in the middle; `None` if there is none. Reorders `values`,
/// none of which may be NaN.
pub(crate) fn median_f32(values: &mut [f32]) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

/// Mean and standard deviation (the root mean square about the mean); NaN if a value is, or if there
/// is none.
pub(crate) fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// 1.4826 times the median absolute value of those that are finite: the standard deviation of
/// normally distributed numbers about zero. NaN if there is none.
pub(crate) fn robust_scatter(values: impl Iterator<Item = f64>) -> f64 {
    /// One over the median absolute value of the standard normal distribution.
    const NORMAL: f64 = 1.482_602_218_505_602;
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).map(f64::abs).collect();
    median(&mut values).map_or(f64::NAN, |median| NORMAL * median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_those_of_sorted_values() {
        for n in 1..40_u32 {
            // Some of them equal, zeros of both signs and what is not finite among them.
            let mut values: Vec<f64> = (0..n).map(|i| f64::from(i * i * 7 % 11) - 5.0).collect();
            values[n as usize / 3] = -0.0;
            values[n as usize / 2] = if n % 5 == 0 { f64::INFINITY } else { 0.0 };
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let half = n as usize / 2;
            let expected = if n % 2 == 1 { sorted[half] } else { 0.5 * (sorted[half - 1] + sorted[half]) };
            assert_eq!(median(&mut values).map(f64::to_bits), Some(expected.to_bits()), "{sorted:?}");
        }
    }

    #[test]
    fn values_that_can_be_checked_by_hand() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut [5.0]), Some(5.0));
        assert_eq!(median(&mut []), None);
        assert_eq!(median_f32(&mut [4.0, 1.0, 2.0, 3.0]), Some(3.0));
        assert_eq!(median_f32(&mut []), None);
        assert_eq!(mean_and_std(&[1.0, 3.0]), (2.0, 1.0));
        assert!(mean_and_std(&[1.0, f64::NAN]).1.is_nan());
        let scatter = robust_scatter([-2.0, 1.0, f64::NAN, 3.0].into_iter());
        assert_eq!(scatter, 2.0 * 1.482_602_218_505_602);
        assert!(robust_scatter(std::iter::empty()).is_nan());
    }
}
