//! Asteroids that cross the field in straight lines.

use std::f64::consts::TAU;

use rand::RngExt;

use crate::asteroids::{Asteroids, Position, Track};
use crate::source::FrameInfo;

use super::stamp::{Stamp, flux};
use super::stars::Jitter;
use super::{Purpose, SimulationSettings, generator};

/// The name of the file with the asteroids.
pub(super) const FILE_NAME: &str = "asteroids.csv";
/// V - Tmag of sunlight: the TESS band is centred on that of I_C, and V - I_C of the Sun is 0.70.
const COLOUR: f64 = 0.7;
/// Places along its path that an asteroid's light is added at in each frame: no more than a
/// fifth of a pixel apart at a pixel an hour in frames of an hour.
const STEPS: usize = 5;

/// Draws the asteroids: where each is in the middle of the series and how it moves.
pub(super) fn draw(settings: &SimulationSettings, frames: &[FrameInfo]) -> Asteroids {
    let rng = &mut generator(settings.seed, Purpose::Asteroids);
    let start = frames.first().map_or(0.0, |frame| frame.tstart);
    let stop = frames.last().map_or(0.0, |frame| frame.tstop);
    let middle = (start + stop) / 2.0;
    let tracks = (1..=settings.asteroids)
        .map(|number| {
            let mut place = || rng.random_range(0.0..settings.size as f64 - 1.0);
            let (row, column) = (place(), place());
            let magnitude = rng.random_range(10.0..16.0);
            // Pixels a day.
            let speed = 24.0 * rng.random_range(0.1..1.0);
            let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
            let at = |time: f64| {
                let way = speed * (time - middle);
                Position { time, row: row + way * sin, column: column + way * cos, magnitude }
            };
            let times = frames.iter().map(|frame| frame.tstart).chain([stop]);
            Track { name: format!("simulated {number}"), positions: times.map(at).collect() }
        })
        .collect();
    Asteroids::new(FILE_NAME.into(), tracks)
}

/// The light of all asteroids in a frame.
pub(super) fn stamps(asteroids: &Asteroids, frame: &FrameInfo, jitter: Jitter) -> Vec<Stamp> {
    let step = (frame.tstop - frame.tstart) / STEPS as f64;
    let times = (0..STEPS).map(|number| frame.tstart + step * (number as f64 + 0.5));
    let positions = times.flat_map(|time| asteroids.tracks().iter().filter_map(move |track| track.at(time)));
    let stamp = |at: Position| {
        let (row, column) = (at.row + f64::from(jitter.dy), at.column + f64::from(jitter.dx));
        Stamp::new(row, column, flux(at.magnitude - COLOUR) / STEPS as f64)
    };
    positions.map(stamp).collect()
}
