//! What the detector makes of the light: noise, blown-out rows, dead columns.
//!
//! A frame of 30 minutes is the mean of 720 exposures of 1.98 s (the others are dropped
//! against cosmic rays), so that with `T = 1425.6 s` of light the variance of a pixel is,
//! in (electrons/s)^2,
//!
//! ```text
//! F / T + 720 R^2 / T^2
//! ```
//!
//! with `R = 9` electrons of read noise (keywords `NREADOUT`, `EXPOSURE`, `READNOIA` of the
//! mission's files). Counts are so high that a normal distribution stands for Poisson's.

use rand::RngExt;
use rand::seq::index;

use super::{Purpose, SimulationSettings, generator};

/// Electrons per readout.
const READ_NOISE: f64 = 9.0;
/// Readouts kept per minute of a frame.
pub(super) const READOUTS_PER_MINUTE: f64 = 720.0 / 30.0;
/// Seconds of light per readout (`INT_TIME`).
pub(super) const SECONDS_PER_READOUT: f64 = 1.98;
/// Columns of a readout strip; the first one is blown out.
const STRIP_COLUMNS: usize = 512;
/// What floods the first row of a blown-out strip, in electrons/s, and the number of rows
/// in which it falls to 1/e.
const FLOOD: f64 = 60_000.0;
const FLOOD_ROWS: f64 = 20.0;

/// The detector of all frames.
#[derive(Debug, Clone)]
pub(super) struct Detector {
    seed: u64,
    noise: bool,
    blown_out_frame: Option<usize>,
    dead_columns: Vec<usize>,
    /// Seconds of light in a frame.
    live_time: f64,
    /// In (electrons/s)^2.
    read_variance: f64,
}

impl Detector {
    pub(super) fn new(settings: &SimulationSettings) -> Self {
        let rng = &mut generator(settings.seed, Purpose::DeadColumns);
        let mut dead_columns = index::sample(rng, settings.size, settings.dead_columns).into_vec();
        dead_columns.sort_unstable();
        let readouts = READOUTS_PER_MINUTE * settings.cadence;
        let live_time = SECONDS_PER_READOUT * readouts;
        Self {
            seed: settings.seed,
            noise: settings.noise,
            blown_out_frame: settings.blown_out_frame,
            dead_columns,
            live_time,
            read_variance: readouts * (READ_NOISE / live_time).powi(2),
        }
    }

    /// Seconds of light in a frame.
    pub(super) fn live_time(&self) -> f64 {
        self.live_time
    }

    /// The standard deviation of a pixel of this flux, both in electrons/s.
    pub(super) fn uncertainty(&self, flux: f32) -> f32 {
        (f64::from(flux.max(0.0)) / self.live_time + self.read_variance).sqrt() as f32
    }

    /// Turns the light of a row into what is read out.
    pub(super) fn detect_row(&self, frame: usize, row: usize, line: &mut [f32]) {
        if self.blown_out_frame == Some(frame) {
            let flood = FLOOD * (-(row as f64) / FLOOD_ROWS).exp();
            for value in line.iter_mut().take(STRIP_COLUMNS) {
                *value += flood as f32;
            }
        }
        if self.noise {
            let rng = &mut generator(self.seed, Purpose::Noise { frame, row });
            for value in line.iter_mut() {
                let deviation: f32 = rng.sample(rand_distr::StandardNormal);
                *value += self.uncertainty(*value) * deviation;
            }
        }
        for &column in &self.dead_columns {
            line[column] = f32::NAN;
        }
    }
}
