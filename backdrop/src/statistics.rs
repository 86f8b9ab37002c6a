//! Statistics of a few numbers on the host.

/// The middle value, or the mean of the two in the middle; `None` if there is none. Sorts `values`.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(values[n / 2]),
        _ => Some(0.5 * (values[n / 2 - 1] + values[n / 2])),
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
    fn values_that_can_be_checked_by_hand() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
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
