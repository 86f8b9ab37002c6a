//! The Lomb-Scargle periodogram: the spectrum of series whose times have gaps.
//!
//! For a series `y_j` of mean zero at times `t_j`, the power at angular frequency `w` is the part of
//! the sum of squares that the sinusoid of that frequency which fits best takes away:
//!
//! `P(w) = ((sum y cos w(t - tau))^2 / sum cos^2 w(t - tau)
//!        + (sum y sin w(t - tau))^2 / sum sin^2 w(t - tau)) / sum y^2`
//!
//! with `tan 2 w tau = sum sin 2wt / sum cos 2wt`, which makes sine and cosine orthogonal on the
//! times as they are (Lomb 1976, Astrophysics and Space Science 39, 447; Scargle 1982, ApJ 263,
//! 835). It is 1 for a sinusoid and about `2 / n` on average for noise in `n` points.

use std::f64::consts::TAU;

use rayon::prelude::*;

use super::axis::cadence;

/// Frequencies in the width of a peak, which is one over the time from the first to the last.
const OVERSAMPLING: f64 = 5.0;

/// The fewest points that a spectrum says anything about.
const FEWEST: usize = 8;

/// The spectra of some series at the same times.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Periodogram {
    /// From one over the length of the series to half the sampling rate, in 1/day.
    pub(crate) frequencies: Vec<f64>,
    /// Of each series at each frequency, 0 to 1; NaN for a series that does not vary.
    pub(crate) powers: Vec<Vec<f64>>,
}

impl Periodogram {
    /// The spectra of `series` at `times` in days, which increase and are regular but for
    /// gaps. None if there are fewer than 8 times.
    pub(crate) fn new(times: &[f64], series: &[Vec<f64>]) -> Option<Self> {
        if times.len() < FEWEST {
            return None;
        }
        let length = times[times.len() - 1] - times[0];
        let count = ((0.5 / cadence(times) - 1.0 / length) * length * OVERSAMPLING).floor() as usize + 1;
        let frequencies: Vec<f64> = (0..count).map(|i| (1.0 + i as f64 / OVERSAMPLING) / length).collect();
        let series: Vec<Vec<f64>> = series.iter().map(|series| without_mean(series)).collect();
        let at_frequencies: Vec<Vec<f64>> =
            frequencies.par_iter().map(|&frequency| powers(times, &series, frequency)).collect();
        let powers = (0..series.len()).map(|i| at_frequencies.iter().map(|powers| powers[i]).collect());
        Some(Self { powers: powers.collect(), frequencies })
    }
}

fn without_mean(series: &[f64]) -> Vec<f64> {
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    series.iter().map(|value| value - mean).collect()
}

/// The powers of series of mean zero at one frequency.
fn powers(times: &[f64], series: &[Vec<f64>], frequency: f64) -> Vec<f64> {
    let phases = times.iter().map(|time| (TAU * frequency * (time - times[0])).sin_cos());
    let (sines, cosines): (Vec<f64>, Vec<f64>) = phases.unzip();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (ss, sc, cc) = (dot(&sines, &sines), dot(&sines, &cosines), dot(&cosines, &cosines));
    // sum sin 2wt = 2 sc, sum cos 2wt = cc - ss.
    let (sin_tau, cos_tau) = (0.5 * (2.0 * sc).atan2(cc - ss)).sin_cos();
    let cosine_norm = cc * cos_tau * cos_tau + 2.0 * sc * sin_tau * cos_tau + ss * sin_tau * sin_tau;
    let sine_norm = ss * cos_tau * cos_tau - 2.0 * sc * sin_tau * cos_tau + cc * sin_tau * sin_tau;
    // At half the sampling rate of times without a gap one of the two is zero everywhere.
    let least = 1e-9 * times.len() as f64;
    let part = |sum: f64, norm: f64| if norm > least { sum * sum / norm } else { 0.0 };
    let power = |y: &Vec<f64>| {
        let (s, c) = (dot(y, &sines), dot(y, &cosines));
        let cosine = part(c * cos_tau + s * sin_tau, cosine_norm);
        let sine = part(s * cos_tau - c * sin_tau, sine_norm);
        (cosine + sine) / dot(y, y)
    };
    series.iter().map(power).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half-hours over 10 days, with two days lost.
    fn times() -> Vec<f64> {
        (0..480).filter(|i| !(200..296).contains(i)).map(|i| 1325.3 + f64::from(i) / 48.0).collect()
    }

    /// The part of the sum of squares that a cosine and a sine take away, by the normal equations.
    fn fitted(times: &[f64], y: &[f64], frequency: f64) -> f64 {
        let (mut ss, mut sc, mut cc, mut ys, mut yc, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for (t, y) in times.iter().zip(y) {
            let (s, c) = (TAU * frequency * t).sin_cos();
            (ss, sc, cc) = (ss + s * s, sc + s * c, cc + c * c);
            (ys, yc, yy) = (ys + y * s, yc + y * c, yy + y * y);
        }
        (yc * yc * ss - 2.0 * yc * ys * sc + ys * ys * cc) / (cc * ss - sc * sc) / yy
    }

    #[test]
    fn the_power_is_what_a_least_squares_sinusoid_takes_away() {
        let times = times();
        // Something without any regularity: the fractional parts of squares.
        let series: Vec<f64> = (0..times.len()).map(|i| (0.618 * (i * i) as f64).fract()).collect();
        let spectrum = Periodogram::new(&times, std::slice::from_ref(&series)).unwrap();
        let series = without_mean(&series);
        for (frequency, power) in spectrum.frequencies.iter().zip(&spectrum.powers[0]) {
            // Not at half the sampling rate, where the normal equations are singular.
            if *frequency < 23.9 {
                let expected = fitted(&times, &series, *frequency);
                assert!((power - expected).abs() < 1e-8, "{power} {expected} at {frequency}");
            }
        }
    }

    #[test]
    fn a_sinusoid_stands_at_its_frequency_with_power_one() {
        let times = times();
        let at = |frequency: f64| -> Vec<f64> {
            times.iter().map(|t| 100.0 + 3.0 * (TAU * frequency * t + 0.7).cos()).collect()
        };
        let spectrum = Periodogram::new(&times, &[at(1.7), at(12.3)]).unwrap();
        let width = 1.0 / (times[times.len() - 1] - times[0]);
        assert!((spectrum.frequencies[0] - width).abs() < 1e-12);
        assert!((spectrum.frequencies[spectrum.frequencies.len() - 1] - 24.0).abs() < width);
        for (powers, frequency) in spectrum.powers.iter().zip([1.7, 12.3]) {
            let highest = (0..powers.len()).max_by(|&a, &b| powers[a].total_cmp(&powers[b])).unwrap();
            assert!((spectrum.frequencies[highest] - frequency).abs() < width / OVERSAMPLING);
            // Less than 1 by what the next frequency of the grid misses, (pi / 10)^2 / 3 at most.
            assert!((0.96..1.0 + 1e-9).contains(&powers[highest]), "{}", powers[highest]);
        }
    }

    #[test]
    fn noise_has_the_power_of_its_degrees_of_freedom() {
        // A generator of 31 bits (Lewis, Goodman & Miller 1969); four draws make one normal enough.
        let mut state = 12_345_u64;
        let mut draw = || {
            state = state * 16_807 % 2_147_483_647;
            state as f64 / 2_147_483_647.0 - 0.5
        };
        let times = times();
        let series: Vec<f64> = times.iter().map(|_| draw() + draw() + draw() + draw()).collect();
        let spectrum = Periodogram::new(&times, &[series]).unwrap();
        let powers = &spectrum.powers[0];
        let mean = powers.iter().sum::<f64>() / powers.len() as f64;
        // Some 240 independent frequencies: the mean is known to 1 / sqrt(240), 7 %.
        let expected = 2.0 / times.len() as f64;
        assert!((mean / expected - 1.0).abs() < 0.2, "{mean} {expected}");
    }

    #[test]
    fn a_handful_of_points_has_no_spectrum_and_a_constant_no_power() {
        let times: Vec<f64> = (0..8).map(|i| f64::from(i) / 48.0).collect();
        assert!(Periodogram::new(&times[..7], &[vec![1.0; 7]]).is_none());
        let constant = Periodogram::new(&times, &[vec![1.0; 8]]).unwrap();
        assert!(constant.powers[0].iter().all(|power| power.is_nan()));
    }
}
