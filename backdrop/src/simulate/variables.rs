//! Variable stars with known signals, to see what a correction keeps of them.

use std::f64::consts::TAU;

use rand::RngExt;

use crate::error::{Error, Result};

use super::stamp::{Stamp, flux};
use super::stars::{Jitter, Stars};
use super::{Purpose, SimulationSettings, generator};

/// Pixels between a variable star and the edge of the frame, and between two of them.
const MARGIN: f64 = 12.0;
const SEPARATION: f64 = 16.0;
/// Pixels around a variable star that are to have little light of others.
const SURROUNDINGS: f64 = 8.0;
/// Places that one is chosen from, and how many are tried to find them.
const CANDIDATES: usize = 64;
const ATTEMPTS: usize = 10_000;
/// A frame has room for one in a square of this many pixels a side.
pub(super) const SQUARE: usize = 32;

/// The part of its period that a transit takes, and the part of that of its ingress.
const TRANSIT: f64 = 0.15;
const INGRESS: f64 = 0.2;

/// How a variable star varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// `amplitude sin(2 pi (t - epoch) / period)`.
    Sinusoid,
    /// A dip by `amplitude`, 0.15 periods long, about each `epoch + k period`. Its edges are
    /// straight lines in time, each a fifth of it.
    Transit,
}

/// A star whose brightness varies in a known way.
///
/// ```
/// use backdrop::simulate::{Signal, Simulation, SimulationSettings};
///
/// let settings = SimulationSettings { frames: 4, size: 64, variables: 2, ..Default::default() };
/// let simulation = Simulation::new(settings)?;
/// let [first, second] = simulation.variables() else { panic!("there are two") };
/// assert_eq!((first.kind, second.kind), (Signal::Sinusoid, Signal::Transit));
/// // A quarter of a period on a sinusoid is at its maximum, a transit deepest at its epoch.
/// let maximum = first.flux_at(first.epoch + first.period / 4.0);
/// assert!((maximum / first.flux - (1.0 + first.amplitude)).abs() < 1e-9);
/// assert!((second.signal(second.epoch) + second.amplitude).abs() < 1e-9);
/// # Ok::<(), backdrop::error::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variable {
    /// Row of the science area, counted from 0; whole at the centre of a pixel.
    pub row: f64,
    /// Column of the science area, in the same way.
    pub column: f64,
    /// Mean TESS magnitude, 9 to 11.
    pub tmag: f64,
    /// The flux that goes with it, in electrons/s.
    pub flux: f64,
    /// How it varies.
    pub kind: Signal,
    /// By which part of its flux it varies, 0.01 to 0.1.
    pub amplitude: f64,
    /// In days.
    pub period: f64,
    /// When its phase is zero, in BTJD days.
    pub epoch: f64,
}

impl Variable {
    /// By which part of its mean flux the star is brighter at a time in BTJD days.
    #[must_use]
    pub fn signal(&self, btjd: f64) -> f64 {
        let phase = (btjd - self.epoch) / self.period;
        match self.kind {
            Signal::Sinusoid => self.amplitude * (TAU * phase).sin(),
            Signal::Transit => {
                let from_middle = (phase - phase.round()).abs();
                let depth = (TRANSIT / 2.0 - from_middle) / (INGRESS * TRANSIT);
                -self.amplitude * depth.clamp(0.0, 1.0)
            }
        }
    }

    /// The flux at a time in BTJD days, in electrons/s.
    #[must_use]
    pub fn flux_at(&self, btjd: f64) -> f64 {
        self.flux * (1.0 + self.signal(btjd))
    }

    /// The star's light in a frame whose middle is at a time.
    pub(super) fn stamp(&self, btjd: f64, jitter: Jitter) -> Stamp {
        let (row, column) = (self.row + f64::from(jitter.dy), self.column + f64::from(jitter.dx));
        Stamp::new(row, column, self.flux_at(btjd))
    }
}

/// Draws the variable stars, each the most isolated of some places.
///
/// # Errors
/// [`Error::InvalidArgument`] if there is no room for them.
pub(super) fn draw(settings: &SimulationSettings, stars: &Stars, start: f64) -> Result<Vec<Variable>> {
    let rng = &mut generator(settings.seed, Purpose::Variables);
    let mut variables: Vec<Variable> = Vec::with_capacity(settings.variables);
    for number in 0..settings.variables {
        let last = settings.size as f64 - 1.0 - MARGIN;
        let mut candidates = Vec::with_capacity(CANDIDATES);
        for _ in 0..ATTEMPTS {
            if candidates.len() == CANDIDATES {
                break;
            }
            let (row, column) = (rng.random_range(MARGIN..last), rng.random_range(MARGIN..last));
            let apart = |other: &Variable| (other.row - row).hypot(other.column - column) >= SEPARATION;
            if variables.iter().all(apart) {
                candidates.push((stars.light_around(row, column, SURROUNDINGS), row, column));
            }
        }
        let best = candidates.into_iter().min_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let Some((_, row, column)) = best else {
            let message = format!("{} variable stars find no room; ask for fewer", settings.variables);
            return Err(Error::InvalidArgument(message));
        };
        let tmag = rng.random_range(9.0..11.0);
        // As many amplitudes from 1 to 2 % as from 5 to 10 %.
        let amplitude = 10_f64.powf(rng.random_range(-2.0..-1.0));
        let (kind, period) = if number % 2 == 0 {
            (Signal::Sinusoid, rng.random_range(0.15..0.5))
        } else {
            (Signal::Transit, rng.random_range(0.4..0.8))
        };
        let epoch = start + period * rng.random_range(0.0..1.0);
        variables.push(Variable { row, column, tmag, flux: flux(tmag), kind, amplitude, period, epoch });
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transit_is_a_trapezoid_once_a_period() {
        let (amplitude, period, epoch) = (0.04, 0.5, 1325.0);
        let kind = Signal::Transit;
        let star = Variable { row: 0.0, column: 0.0, tmag: 10.0, flux: 1e4, kind, amplitude, period, epoch };
        // 0.075 days long: 0.0375 to either side, of which the outer 0.015 are the edges.
        for (days, part) in [(0.0, 1.0), (0.02, 1.0), (0.03, 0.5), (0.0375, 0.0), (0.25, 0.0)] {
            for time in [epoch + days, epoch - days, epoch + 3.0 * period + days] {
                // Times near 1325 days are known to 2e-13.
                assert!((star.signal(time) + 0.04 * part).abs() < 1e-9, "{days}");
            }
        }
        assert!((star.flux_at(epoch) - 9_600.0).abs() < 1e-9);
    }
}
