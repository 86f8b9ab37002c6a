//! A strong glint: the Earth or the Moon just outside of the field.
//!
//! With `u = column / 2048`, `v = row / 2048`, measured from a point `(u0, v0)` beyond the corner
//! of row 0 and column 0, which is the one farthest from the boresight, in polar coordinates `rho`
//! and `theta`, the light is, in electrons/s,
//!
//! ```text
//! L(k) (exp(-rho / 0.25) / 2 + exp(-(rho - rho0)^2 / (2 0.05^2)) cos^2(theta - theta1)
//!       + exp(-rho / 0.6) exp(-(rho sin(theta - theta2))^2 / (2 0.04^2)) / 2)
//! ```
//!
//! a halo, an arc and a ray, with `L(k) = L sin(pi (k + 1/2) / n)` in the k-th of `n` frames and
//! `L` from 1500 to 2500, several times the usual light. `rho0` grows by 0.05 from the first of
//! these frames to the last.

use std::f64::consts::{FRAC_PI_2, PI};
use std::ops::Range;

use rand::RngExt;

use crate::ffi::SCIENCE_SIZE;

use super::{Purpose, SimulationSettings, generator};

const HALO_SCALE: f64 = 0.25;
const ARC_WIDTH: f64 = 0.05;
const ARC_DRIFT: f64 = 0.05;
const RAY_SCALE: f64 = 0.6;
const RAY_WIDTH: f64 = 0.04;

/// The glint of a series of frames.
#[derive(Debug, Clone)]
pub(super) struct Glint {
    /// The frames that it is in.
    pub(super) frames: Range<usize>,
    u0: f64,
    v0: f64,
    /// `L`, in electrons/s.
    level: f64,
    arc_radius: f64,
    arc_angle: f64,
    ray_angle: f64,
}

impl Glint {
    pub(super) fn new(settings: &SimulationSettings) -> Self {
        let rng = &mut generator(settings.seed, Purpose::Glint);
        let first = rng.random_range(0..=settings.frames - settings.glints);
        Self {
            frames: first..first + settings.glints,
            u0: rng.random_range(-0.1..-0.05),
            v0: rng.random_range(-0.1..-0.05),
            level: rng.random_range(1500.0..2500.0),
            arc_radius: rng.random_range(0.2..0.25),
            arc_angle: rng.random_range(0.25..0.75) * FRAC_PI_2,
            ray_angle: rng.random_range(0.25..0.75) * FRAC_PI_2,
        }
    }

    /// Adds the glint to a row of a frame.
    pub(super) fn add_row(&self, frame: usize, row: usize, line: &mut [f32]) {
        if !self.frames.contains(&frame) {
            return;
        }
        let part = ((frame - self.frames.start) as f64 + 0.5) / self.frames.len() as f64;
        let level = self.level * (PI * part).sin();
        let arc_radius = self.arc_radius + ARC_DRIFT * part;
        let edge = SCIENCE_SIZE as f64;
        let v = row as f64 / edge - self.v0;
        let bell = |distance: f64, width: f64| (-0.5 * (distance / width).powi(2)).exp();
        for (column, value) in line.iter_mut().enumerate() {
            let u = column as f64 / edge - self.u0;
            let (rho, theta) = (u.hypot(v), v.atan2(u));
            let halo = 0.5 * (-rho / HALO_SCALE).exp();
            let arc = bell(rho - arc_radius, ARC_WIDTH) * (theta - self.arc_angle).cos().powi(2);
            let off_ray = rho * (theta - self.ray_angle).sin();
            let ray = 0.5 * (-rho / RAY_SCALE).exp() * bell(off_ray, RAY_WIDTH);
            *value += (level * (halo + arc + ray)) as f32;
        }
    }
}
