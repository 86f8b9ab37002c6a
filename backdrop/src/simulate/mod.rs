//! A made-up sector with a known background, to try the model on and to test it with.
//!
//! A simulated frame is
//!
//! ```text
//! F[row, column] = truth[row, column] + stars[row, column] + noise
//! truth[row, column] = light(v, u) (1 + strap[column] (1 + slope[column] (v - 1/2)))
//! ```
//!
//! with `v = row / 2048` and `u = column / 2048`. The light is zodiacal light, a glow that
//! enters from an edge, an arc around the boresight corner and a few long waves; all but the
//! first move and change from frame to frame. Straps reflect 1 to 10 % of it. The stars are as
//! many and as bright as the mission sees them and stay where they are up to the jitter of the
//! pointing; the brightest bleed. The detector adds photon and read noise. On request there are
//! variable stars with known signals, asteroids on known paths, frames with a strong glint and a
//! gap between two orbits, none of which changes anything else. All of it is drawn from one seed: the same settings give the same bits, whatever the number of
//! threads and the order in which frames are read.
//!
//! [`Simulation`] is a [`FrameSource`], so that it can be fitted without a file;
//! [`Simulation::write`] puts it on disk in the layout of the mission's calibrated
//! full frame images, or of those of TICA.

mod asteroids;
mod detector;
mod glint;
mod header;
mod light;
mod pointing;
mod settings;
mod stamp;
mod stars;
mod target_pixels;
#[cfg(test)]
mod tests;
mod tica;
mod variables;
mod write;

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::asteroids::Asteroids;
use crate::error::Result;
use crate::source::{FrameInfo, FrameSource, Target, check_read};

use detector::Detector;
use glint::Glint;
use light::{Light, Straps};
use stamp::Stamp;
use stars::{Jitter, Stars};

pub use settings::SimulationSettings;
pub use variables::{Signal, Variable};
pub use write::{Compression, WriteOptions, WrittenFiles};

/// A made-up series of frames with a known background.
///
/// ```
/// use backdrop::simulate::{Simulation, SimulationSettings};
/// use backdrop::source::FrameSource;
///
/// let settings = SimulationSettings { frames: 3, size: 32, ..Default::default() };
/// let simulation = Simulation::new(settings)?;
///
/// let mut frame = vec![0.0; 32 * 32];
/// let mut truth = vec![0.0; 32 * 32];
/// simulation.read(2, &mut frame)?;
/// simulation.truth(2, &mut truth)?;
/// // The frame has stars on top of the background.
/// let mean = |image: &[f32]| image.iter().sum::<f32>() / image.len() as f32;
/// assert!(mean(&frame) > mean(&truth));
/// # Ok::<(), backdrop::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Simulation {
    settings: SimulationSettings,
    frames: Vec<FrameInfo>,
    light: Light,
    glint: Glint,
    straps: Straps,
    stars: Stars,
    variables: Vec<Variable>,
    asteroids: Asteroids,
    detector: Detector,
}

impl Simulation {
    /// Draws the light, the stars and the detector. Frames are made when they are read.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::error::Error::InvalidArgument) if a setting is
    /// outside the range documented in [`SimulationSettings`].
    pub fn new(settings: SimulationSettings) -> Result<Self> {
        settings.check()?;
        let frames = settings.frame_infos()?;
        let stars = Stars::new(&settings);
        Ok(Self {
            light: Light::new(&settings),
            glint: Glint::new(&settings),
            straps: Straps::new(&settings),
            variables: variables::draw(&settings, &stars, frames[0].tstart)?,
            asteroids: asteroids::draw(&settings, &frames),
            stars,
            detector: Detector::new(&settings),
            frames,
            settings,
        })
    }

    /// What the simulation was made from.
    pub fn settings(&self) -> &SimulationSettings {
        &self.settings
    }

    /// The stars with known signals; they do not bleed. Their light in a frame is that in its
    /// middle.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The paths of the asteroids, at the start of each frame and the end of the last.
    pub fn asteroids(&self) -> &Asteroids {
        &self.asteroids
    }

    /// The frames with a strong glint.
    pub fn glint_frames(&self) -> Range<usize> {
        self.glint.frames.clone()
    }

    /// The true background of a frame: the scattered light as the detector sees it, glint and
    /// straps included, without stars, asteroids, noise, blown-out rows or dead columns.
    /// Row-major (rows, columns), in electrons/s.
    ///
    /// # Errors
    /// As for [`FrameSource::read`].
    pub fn truth(&self, index: usize, out: &mut [f32]) -> Result<()> {
        check_read(self, index, out)?;
        self.fill_rows(index, out, |_, _| ());
        Ok(())
    }

    /// The stars of a frame and the smooth light of those too faint to be seen one by
    /// one, without background, asteroids and noise. Row-major (rows, columns), in electrons/s.
    ///
    /// # Errors
    /// As for [`FrameSource::read`].
    pub fn star_light(&self, index: usize, out: &mut [f32]) -> Result<()> {
        check_read(self, index, out)?;
        out.fill(0.0);
        let (jitter, variables) = (self.jitter(index), self.variable_stamps(index));
        let size = self.settings.size;
        for (row, line) in out.chunks_exact_mut(size).enumerate() {
            self.stars.add_row(row, jitter, line);
            variables.iter().for_each(|star| star.add_row(row, line));
        }
        Ok(())
    }

    /// Fills `out` with the true background, row by row in parallel, and hands each
    /// row on to `detect`.
    fn fill_rows(&self, index: usize, out: &mut [f32], detect: impl Fn(usize, &mut [f32]) + Sync) {
        let moment = self.light.at(self.settings.days(index));
        let size = self.settings.size;
        out.par_chunks_exact_mut(size).enumerate().for_each(|(row, line)| {
            moment.fill_row(row, line);
            self.glint.add_row(index, row, line);
            self.straps.apply(row, line);
            detect(row, line);
        });
    }

    /// The variable stars of a frame.
    fn variable_stamps(&self, index: usize) -> Vec<Stamp> {
        let FrameInfo { tstart, tstop, .. } = self.frames[index];
        let (middle, jitter) = ((tstart + tstop) / 2.0, self.jitter(index));
        self.variables.iter().map(|star| star.stamp(middle, jitter)).collect()
    }

    fn jitter(&self, index: usize) -> Jitter {
        Jitter::of_frame(self.settings.seed, index, self.frames[index].quality)
    }
}

impl FrameSource for Simulation {
    fn target(&self) -> Target {
        self.settings.target
    }

    fn shape(&self) -> (usize, usize) {
        (self.settings.size, self.settings.size)
    }

    fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }

    fn read(&self, index: usize, out: &mut [f32]) -> Result<()> {
        check_read(self, index, out)?;
        let jitter = self.jitter(index);
        let mut points = self.variable_stamps(index);
        points.extend(asteroids::stamps(&self.asteroids, &self.frames[index], jitter));
        self.fill_rows(index, out, |row, line| {
            self.stars.add_row(row, jitter, line);
            points.iter().for_each(|point| point.add_row(row, line));
            self.detector.detect_row(index, row, line);
        });
        Ok(())
    }
}

/// What a random number is drawn for. Each purpose has its own stream of the
/// generator, so that adding stars changes neither the light nor the noise.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Light,
    Straps,
    Stars,
    DeadColumns,
    Variables,
    Asteroids,
    Glint,
    Jitter { frame: usize },
    Noise { frame: usize, row: usize },
}

/// The generator for one purpose.
fn generator(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    // Rows are below 2^12, so that frame and row share a stream number without collisions.
    let stream = match purpose {
        Purpose::Light => 0,
        Purpose::Straps => 1,
        Purpose::Stars => 2,
        Purpose::DeadColumns => 3,
        Purpose::Variables => 4,
        Purpose::Asteroids => 5,
        Purpose::Glint => 6,
        Purpose::Jitter { frame } => ((frame as u64 + 1) << 12) | 0xfff,
        Purpose::Noise { frame, row } => ((frame as u64 + 1) << 12) | row as u64,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}
