//! The scattered light: where it is, how it moves, and what the straps make of it.
//!
//! With `u = column / 2048`, `v = row / 2048` and `r` the distance from the boresight
//! corner divided by the diagonal of the CCD, the light at a time `t` is, in electrons/s,
//!
//! ```text
//! zodiacal light   Z (1 + a (u - 1/2) + b (v - 1/2)),                     constant in time
//! glow             G(t) / (1 + exp((s - s0(t)) / 0.15)),                  s = (u - 1/2) cos d + (v - 1/2) sin d
//! arc              A(t) (1 + 0.4 (u - v)) exp(-(r - r0(t))^2 / (2 0.06^2))
//! waves            sum over three of  W cos(2 pi (u cos e + v sin e) 2048 / L + phase + 2 pi t / P)
//! ```
//!
//! The glow enters from the edge that the direction `d` points away from and draws back
//! again, the arc moves in and out, both with periods of a fraction of a day, as the Earth
//! and the Moon turn through the field of the sunshade. The shortest scale, the waves'
//! `L`, is 300 pixels: a spline with knots every 41 pixels follows all of it.

use std::f64::consts::TAU;
use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::ffi::SCIENCE_SIZE;
use crate::straps::STRAP_COLUMNS;

use super::{Purpose, SimulationSettings, generator};

/// The angles that phases and directions are drawn from, in radians.
const ALL_ANGLES: Range<f64> = 0.0..TAU;
const GLOW_WIDTH: f64 = 0.15;
const ARC_WIDTH: f64 = 0.06;
const ARC_SLOPE: f64 = 0.4;
const WAVES: usize = 3;
/// The part of a strap's reflected light that each of its neighbours sees.
const STRAP_WING: f64 = 0.15;

/// A quantity that goes up and down: `centre + swing sin(2 pi t / period + phase)`.
#[derive(Debug, Clone, Copy)]
struct Cycle {
    centre: f64,
    swing: f64,
    /// In days.
    period: f64,
    phase: f64,
}

impl Cycle {
    fn draw(rng: &mut ChaCha8Rng, centre: f64, swing: f64, period: f64) -> Self {
        let period = period * rng.random_range(0.85..1.15);
        Self { centre, swing, period, phase: rng.random_range(ALL_ANGLES) }
    }

    fn at(&self, days: f64) -> f64 {
        self.centre + self.swing * (TAU * days / self.period + self.phase).sin()
    }
}

#[derive(Debug, Clone, Copy)]
struct Wave {
    /// Electrons/s.
    amplitude: f64,
    /// Radians per pixel along a row and along a column.
    per_column: f64,
    per_row: f64,
    phase: f64,
    /// In days.
    period: f64,
}

impl Wave {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let direction: f64 = rng.random_range(ALL_ANGLES);
        let wave_number = TAU / rng.random_range(300.0..600.0);
        Self {
            amplitude: rng.random_range(2.0..6.0),
            per_column: wave_number * direction.cos(),
            per_row: wave_number * direction.sin(),
            phase: rng.random_range(ALL_ANGLES),
            period: rng.random_range(0.3..0.8),
        }
    }
}

/// The scattered light of a series of frames.
#[derive(Debug, Clone)]
pub(super) struct Light {
    size: usize,
    boresight_row: f64,
    boresight_column: f64,
    zodiacal: f64,
    zodiacal_slopes: [f64; 2],
    glow_direction: f64,
    glow_level: Cycle,
    glow_edge: Cycle,
    arc_level: Cycle,
    arc_radius: Cycle,
    waves: [Wave; WAVES],
}

impl Light {
    pub(super) fn new(settings: &SimulationSettings) -> Self {
        let rng = &mut generator(settings.seed, Purpose::Light);
        let edge = SCIENCE_SIZE as f64;
        Self {
            size: settings.size,
            boresight_row: edge,
            boresight_column: if settings.target.ccd % 2 == 1 { edge } else { 0.0 },
            zodiacal: rng.random_range(60.0..80.0),
            zodiacal_slopes: [rng.random_range(-0.1..0.1), rng.random_range(-0.1..0.1)],
            glow_direction: rng.random_range(ALL_ANGLES),
            glow_level: Cycle::draw(rng, 220.0, 160.0, 0.5),
            glow_edge: Cycle::draw(rng, -0.1, 0.5, 0.9),
            arc_level: Cycle::draw(rng, 90.0, 50.0, 0.7),
            arc_radius: Cycle::draw(rng, 0.6, 0.3, 0.6),
            waves: std::array::from_fn(|_| Wave::draw(rng)),
        }
    }

    /// The light at a time, in days from the start of the series.
    pub(super) fn at(&self, days: f64) -> Moment<'_> {
        let waves = self
            .waves
            .iter()
            .map(|wave| {
                let phase = wave.phase + TAU * days / wave.period;
                let columns = (0..self.size)
                    .map(|column| (wave.per_column * column as f64 + phase).sin_cos())
                    .collect();
                MomentOfWave { amplitude: wave.amplitude, per_row: wave.per_row, columns }
            })
            .collect();
        Moment {
            light: self,
            glow_level: self.glow_level.at(days),
            glow_edge: self.glow_edge.at(days),
            arc_level: self.arc_level.at(days),
            arc_radius: self.arc_radius.at(days),
            waves,
        }
    }
}

/// The light at one time.
#[derive(Debug)]
pub(super) struct Moment<'a> {
    light: &'a Light,
    glow_level: f64,
    glow_edge: f64,
    arc_level: f64,
    arc_radius: f64,
    waves: Vec<MomentOfWave>,
}

/// A wave at one time.
#[derive(Debug)]
struct MomentOfWave {
    /// Electrons/s.
    amplitude: f64,
    /// Radians per pixel along a column.
    per_row: f64,
    /// Sine and cosine of the phase in each column of row 0.
    columns: Vec<(f64, f64)>,
}

impl Moment<'_> {
    /// The light of one row without straps, in electrons/s.
    pub(super) fn fill_row(&self, row: usize, out: &mut [f32]) {
        let light = self.light;
        let edge = SCIENCE_SIZE as f64;
        let v = row as f64 / edge;
        let y = (row as f64 - light.boresight_row) / edge;
        let (direction_sin, direction_cos) = light.glow_direction.sin_cos();
        let [slope_u, slope_v] = light.zodiacal_slopes;
        for (column, value) in out.iter_mut().enumerate() {
            let u = column as f64 / edge;
            let x = (column as f64 - light.boresight_column) / edge;
            let r = ((x * x + y * y) / 2.0).sqrt();

            let zodiacal = light.zodiacal * (1.0 + slope_u * (u - 0.5) + slope_v * (v - 0.5));
            let s = (u - 0.5) * direction_cos + (v - 0.5) * direction_sin;
            let glow = self.glow_level / (1.0 + ((s - self.glow_edge) / GLOW_WIDTH).exp());
            let from_arc = (r - self.arc_radius) / ARC_WIDTH;
            let arc = self.arc_level * (1.0 + ARC_SLOPE * (u - v)) * (-0.5 * from_arc * from_arc).exp();
            *value = (zodiacal + glow + arc) as f32;
        }
        for wave in &self.waves {
            let (row_sin, row_cos) = (wave.per_row * row as f64).sin_cos();
            for (value, (column_sin, column_cos)) in out.iter_mut().zip(&wave.columns) {
                *value += (wave.amplitude * (column_cos * row_cos - column_sin * row_sin)) as f32;
            }
        }
    }
}

/// The extra light of the strap columns.
#[derive(Debug, Clone)]
pub(super) struct Straps {
    /// For each column the reflected fraction of the local light in the middle row of the
    /// CCD, and what the fraction gains from the first row to the last.
    columns: Vec<(f64, f64)>,
}

impl Straps {
    pub(super) fn new(settings: &SimulationSettings) -> Self {
        let rng = &mut generator(settings.seed, Purpose::Straps);
        let mut columns = vec![(0.0, 0.0); SCIENCE_SIZE];
        for number in STRAP_COLUMNS {
            // Fractions from 1 to 10 %, as many from 1 to 2 as from 5 to 10.
            let fraction = 10_f64.powf(rng.random_range(-2.0..-1.0));
            let gain = fraction * rng.random_range(-0.3..0.3);
            let strap = usize::from(number) - 1;
            for (column, share) in [(strap - 1, STRAP_WING), (strap, 1.0), (strap + 1, STRAP_WING)] {
                columns[column].0 += share * fraction;
                columns[column].1 += share * gain;
            }
        }
        columns.truncate(settings.size);
        Self { columns }
    }

    /// Adds the reflected light to a row.
    pub(super) fn apply(&self, row: usize, line: &mut [f32]) {
        let v = row as f64 / SCIENCE_SIZE as f64;
        for (value, (fraction, gain)) in line.iter_mut().zip(&self.columns) {
            *value *= (1.0 + fraction + gain * (v - 0.5)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::straps::restricted_columns;

    const SIZE: usize = 2048;

    fn settings(seed: u64) -> SimulationSettings {
        SimulationSettings { seed, ..SimulationSettings::default() }
    }

    #[test]
    fn light_stays_within_the_levels_of_the_mission() {
        for seed in 0..4 {
            let light = Light::new(&settings(seed));
            let (mut lowest, mut highest) = (f32::INFINITY, 0.0_f32);
            let mut line = vec![0.0; SIZE];
            for step in 0..60 {
                let moment = light.at(f64::from(step) / 48.0);
                for row in (0..SIZE).step_by(64) {
                    moment.fill_row(row, &mut line);
                    lowest = line.iter().copied().fold(lowest, f32::min);
                    highest = line.iter().copied().fold(highest, f32::max);
                }
            }
            assert!((30.0..80.0).contains(&lowest), "seed {seed}: lowest {lowest}");
            assert!((250.0..800.0).contains(&highest), "seed {seed}: highest {highest}");
        }
    }

    #[test]
    fn light_is_smooth_over_the_spacing_of_the_knots() {
        // Between quadratic splines with knots every h = 41 pixels and a function f, the
        // error is of the order h^3 |f'''| / 100 or less; a third difference over h is h^3 f'''.
        let h = 41;
        let light = Light::new(&settings(3));
        let mut line = vec![0.0; SIZE];
        let mut worst = 0.0_f32;
        for step in 0..8 {
            let moment = light.at(f64::from(step) / 6.0);
            for row in (0..SIZE).step_by(100) {
                moment.fill_row(row, &mut line);
                for c in 0..SIZE - 3 * h {
                    let third = line[c + 3 * h] - 3.0 * line[c + 2 * h] + 3.0 * line[c + h] - line[c];
                    worst = worst.max(third.abs());
                }
            }
        }
        assert!(worst < 20.0, "third difference {worst} electrons/s");
    }

    #[test]
    fn only_strap_columns_and_their_neighbours_reflect() {
        let straps = Straps::new(&settings(1));
        let mut line = vec![100.0; SIZE];
        straps.apply(SIZE / 2, &mut line);
        let restricted = restricted_columns();
        for (column, &value) in line.iter().enumerate() {
            assert_eq!(value > 100.0, restricted.contains(&column), "column {column}");
        }
        for number in STRAP_COLUMNS {
            // A strap beside another has the other's wing on top, which is at most 15 % of 10 %.
            let extra = line[usize::from(number) - 1] - 100.0;
            assert!((1.0..10.0 + 3.0).contains(&extra), "strap {number}: {extra} %");
        }
        // Strap 874 stands alone, so its neighbours have its wings and nothing else.
        let [left, strap, right] = [line[872], line[873], line[874]].map(|value| value - 100.0);
        assert!((left / strap - 0.15).abs() < 1e-4 && (right / strap - 0.15).abs() < 1e-4);
    }

    #[test]
    fn reflection_varies_along_a_strap_in_a_straight_line() {
        let straps = Straps::new(&settings(1));
        let at = |row| {
            let mut line = vec![1000.0; SIZE];
            straps.apply(row, &mut line);
            line[873]
        };
        let (first, middle, last) = (at(0), at(1024), at(2047 + 1));
        assert_ne!(first, last);
        // 1e-3 is some units in the last place of an f32 of 1000.
        assert!((middle - (first + last) / 2.0).abs() < 1e-3, "{first} {middle} {last}");
    }
}
