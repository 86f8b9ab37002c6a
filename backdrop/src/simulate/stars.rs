//! The stars: how many, how bright, where, and how the pointing's jitter moves them.
//!
//! The number of stars brighter than a TESS magnitude `m` rises as `10^(0.3 m)` from
//! Tmag 4 to 16; a star of magnitude `m` gives `10^(-0.4 (m - 20.44))` electrons/s (TESS
//! Instrument Handbook: 10 electrons/s at Tmag 17.94), spread by a Gaussian of 1.9 pixels
//! full width at half maximum and integrated over each pixel. Fainter stars are a smooth
//! floor. Pixels above the full well bleed along their column.
//!
//! Jitter is small against a pixel, so that a frame's stars are the first terms of the
//! Taylor series: `S + dx dS/dx + dy dS/dy`, from three images made once.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::ffi::SCIENCE_SIZE;
use crate::quality::Flag;

use super::stamp::{self, flux, profile};
use super::{Purpose, SimulationSettings, generator};

const BRIGHTEST_TMAG: f64 = 4.0;
const FAINTEST_TMAG: f64 = 16.0;
const COUNT_SLOPE: f64 = 0.3;
/// What a pixel holds before it bleeds, in electrons/s (200 000 electrons in 2 s).
pub(super) const FULL_WELL: f32 = 1e5;
/// The light of the stars fainter than Tmag 16, in electrons/s a pixel, at a density of
/// 20000 stars brighter than that in 1000 x 1000 pixels.
const FLOOR: f64 = 20.0;
const FLOOR_DENSITY: f64 = 20_000.0;
/// Standard deviation of the pointing along rows and columns, in pixels.
const JITTER: f64 = 0.02;
/// The same while the reaction wheels are desaturated or in coarse point.
const ROUGH_JITTER: f64 = 0.06;

/// How far the stars of a frame are from their mean places, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jitter {
    pub(super) dx: f32,
    pub(super) dy: f32,
}

impl Jitter {
    pub(super) fn of_frame(seed: u64, frame: usize, quality: u32) -> Self {
        let rough = quality & (Flag::CoarsePoint as u32 | Flag::MomentumDump as u32) != 0;
        let sigma = if rough { ROUGH_JITTER } else { JITTER };
        let rng = &mut generator(seed, Purpose::Jitter { frame });
        let mut draw = || sigma * rng.sample::<f64, _>(rand_distr::StandardNormal);
        Self { dx: draw() as f32, dy: draw() as f32 }
    }
}

/// One star.
#[derive(Debug, Clone, Copy)]
struct Star {
    /// Place in pixels; a whole number is the centre of a pixel.
    row: f64,
    column: f64,
    /// Electrons/s.
    flux: f64,
}

impl Star {
    fn draw(rng: &mut ChaCha8Rng, size: usize) -> Self {
        let [few, all] = [BRIGHTEST_TMAG, FAINTEST_TMAG].map(|m| 10_f64.powf(COUNT_SLOPE * m));
        let tmag = rng.random_range(few..all).log10() / COUNT_SLOPE;
        // Stars just outside the frame reach into it.
        let margin = stamp::RADIUS as f64;
        let mut place = || rng.random_range(-margin..size as f64 - 1.0 + margin);
        Self { row: place(), column: place(), flux: flux(tmag) }
    }
}

/// The stars of all frames: an image and what it gains per pixel of jitter.
#[derive(Debug, Clone)]
pub(super) struct Stars {
    size: usize,
    image: Vec<f32>,
    per_dx: Vec<f32>,
    per_dy: Vec<f32>,
}

impl Stars {
    pub(super) fn new(settings: &SimulationSettings) -> Self {
        let size = settings.size;
        let rng = &mut generator(settings.seed, Purpose::Stars);
        let side = (size + 2 * stamp::RADIUS) as f64 - 1.0;
        let expected = settings.stars * side * side / 1e6;
        // The number of stars in a field scatters by its square root.
        let scatter = expected.sqrt() * rng.sample::<f64, _>(rand_distr::StandardNormal);
        let count = (expected + scatter).round().max(0.0) as usize;
        let floor = FLOOR * settings.stars / FLOOR_DENSITY;
        Self::of((0..count).map(|_| Star::draw(rng, size)), size, floor)
    }

    /// The images of some stars on a floor.
    fn of(stars: impl Iterator<Item = Star>, size: usize, floor: f64) -> Self {
        let mut images = Self {
            size,
            // The unresolved stars thin out from one corner to the other.
            image: (0..size * size)
                .map(|pixel| {
                    let along = (pixel / size + pixel % size) as f64 / SCIENCE_SIZE as f64;
                    (floor * (1.1 - 0.1 * along)) as f32
                })
                .collect(),
            per_dx: vec![0.0; size * size],
            per_dy: vec![0.0; size * size],
        };
        for star in stars {
            images.add(star);
        }
        images.bleed();
        images
    }

    fn add(&mut self, star: Star) {
        let (first_row, rows) = profile(star.row);
        let (first_column, columns) = profile(star.column);
        for (row, (in_row, row_gain)) in (first_row..).zip(rows) {
            for (column, (in_column, column_gain)) in (first_column..).zip(columns) {
                let Some(pixel) = self.pixel(row, column) else { continue };
                self.image[pixel] += (star.flux * in_row * in_column) as f32;
                self.per_dx[pixel] += (star.flux * in_row * column_gain) as f32;
                self.per_dy[pixel] += (star.flux * row_gain * in_column) as f32;
            }
        }
    }

    fn pixel(&self, row: i64, column: i64) -> Option<usize> {
        let inside = |i: i64| usize::try_from(i).ok().filter(|&i| i < self.size);
        Some(inside(row)? * self.size + inside(column)?)
    }

    /// Moves what is above the full well along the column, half up and half down, until it
    /// finds room; at the edge of the frame it is lost. A full pixel stays full whatever
    /// the jitter.
    fn bleed(&mut self) {
        for column in 0..self.size {
            let full: Vec<usize> =
                (0..self.size).filter(|row| self.image[row * self.size + column] > FULL_WELL).collect();
            // All pixels are capped before any charge is poured, so that it passes over
            // its saturated neighbours.
            let excess: Vec<f32> = full
                .iter()
                .map(|row| {
                    let pixel = row * self.size + column;
                    std::mem::replace(&mut self.image[pixel], FULL_WELL) - FULL_WELL
                })
                .collect();
            for (&row, excess) in full.iter().zip(excess) {
                self.pour(excess / 2.0, (0..row).rev(), column);
                self.pour(excess / 2.0, row + 1..self.size, column);
            }
            for row in 0..self.size {
                let pixel = row * self.size + column;
                if self.image[pixel] >= FULL_WELL {
                    self.per_dx[pixel] = 0.0;
                    self.per_dy[pixel] = 0.0;
                }
            }
        }
    }

    fn pour(&mut self, mut charge: f32, rows: impl Iterator<Item = usize>, column: usize) {
        for row in rows {
            let pixel = &mut self.image[row * self.size + column];
            let room = FULL_WELL - *pixel;
            if charge <= room {
                *pixel += charge;
                return;
            }
            *pixel = FULL_WELL;
            charge -= room;
        }
    }

    /// The light within some pixels of a place, in electrons/s, floor included.
    pub(super) fn light_around(&self, row: f64, column: f64, reach: f64) -> f64 {
        let near = |centre: f64| {
            let first = (centre - reach).max(0.0) as usize;
            first..((centre + reach) as usize + 1).min(self.size)
        };
        let pixels = near(row).flat_map(|row| near(column).map(move |column| row * self.size + column));
        pixels.map(|pixel| f64::from(self.image[pixel])).sum()
    }

    /// Adds the stars, displaced by the jitter, to a row.
    pub(super) fn add_row(&self, row: usize, jitter: Jitter, line: &mut [f32]) {
        let of_row = row * self.size..(row + 1) * self.size;
        let images =
            self.image[of_row.clone()].iter().zip(&self.per_dx[of_row.clone()]).zip(&self.per_dy[of_row]);
        for (value, ((image, per_dx), per_dy)) in line.iter_mut().zip(images) {
            // The Taylor series may dip below zero beside a bright star; light does not.
            *value += (image + jitter.dx * per_dx + jitter.dy * per_dy).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::stamp::PSF_SIGMA;
    use super::*;

    const SIZE: usize = 64;

    fn one(row: f64, column: f64, tmag: f64) -> Stars {
        Stars::of([Star { row, column, flux: flux(tmag) }].into_iter(), SIZE, 0.0)
    }

    fn sum(image: &[f32]) -> f64 {
        image.iter().map(|&value| f64::from(value)).sum()
    }

    #[test]
    fn magnitudes_are_those_of_the_handbook() {
        // 10 electrons/s at Tmag 17.94, and 100 times fewer five magnitudes on.
        assert!((flux(17.94) - 10.0).abs() < 1e-9);
        assert!((flux(22.94) - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_star_has_its_flux_its_place_and_its_width() {
        let (row, column) = (30.3, 25.8);
        let stars = one(row, column, 10.0);
        // f32 sums of 121 pixels, and 1e-9 of the light outside the stamp.
        assert!((sum(&stars.image) / flux(10.0) - 1.0).abs() < 1e-6);
        let moment = |f: &dyn Fn(f64, f64) -> f64| {
            let weighted =
                stars.image.iter().enumerate().map(|(pixel, &value)| {
                    f((pixel / SIZE) as f64, (pixel % SIZE) as f64) * f64::from(value)
                });
            weighted.sum::<f64>() / sum(&stars.image)
        };
        // Sampling a Gaussian of 0.8 pixels in pixels leaves its centroid within 1e-3.
        assert!((moment(&|y, _| y) - row).abs() < 1e-3);
        assert!((moment(&|_, x| x) - column).abs() < 1e-3);
        // A pixel adds the variance of a uniform distribution, 1/12. The full width at half
        // maximum is 2.3548 sigma.
        let variance = moment(&|_, x| (x - column).powi(2)) - 1.0 / 12.0;
        assert!((2.3548 * variance.sqrt() - 1.9).abs() < 0.01, "{variance}");
    }

    #[test]
    fn jitter_moves_a_star_as_far_as_it_says() {
        let (dx, dy) = (0.04_f32, -0.03_f32);
        let moved = one(30.3 + f64::from(dy), 25.8 + f64::from(dx), 10.0);
        let stars = one(30.3, 25.8, 10.0);
        let mut worst = 0.0_f32;
        for row in 0..SIZE {
            let mut line = [0.0; SIZE];
            stars.add_row(row, Jitter { dx, dy }, &mut line);
            for (value, expected) in line.iter().zip(&moved.image[row * SIZE..]) {
                worst = worst.max((value - expected).abs());
            }
        }
        // The next terms of the series are at most 0.05^2 / 2 x |S''|, with |S''| < S / sigma^2.
        let peak = moved.image.iter().copied().fold(0.0, f32::max);
        assert!(worst < 0.05_f32.powi(2) / 2.0 / 0.65 * peak, "{worst} of {peak}");
    }

    #[test]
    fn saturated_stars_bleed_along_their_column_and_keep_their_charge() {
        let bright = one(32.0, 20.0, 4.0);
        let unbled_peak = flux(4.0) * (libm::erf(0.5 / (PSF_SIGMA * 2_f64.sqrt()))).powi(2);
        assert!(unbled_peak > 8.0 * f64::from(FULL_WELL), "a star this bright saturates");
        assert!((sum(&bright.image) / flux(4.0) - 1.0).abs() < 1e-6);
        assert!(bright.image.iter().all(|&value| value <= FULL_WELL));

        let full: Vec<_> = (0..SIZE * SIZE).filter(|&pixel| bright.image[pixel] == FULL_WELL).collect();
        let rows: Vec<_> =
            full.iter().filter(|&pixel| pixel % SIZE == 20).map(|pixel| pixel / SIZE).collect();
        // One run along the column, longer than the star is wide, symmetric about it.
        assert!(rows.len() > 11, "{rows:?}");
        assert_eq!(rows.len(), rows[rows.len() - 1] - rows[0] + 1);
        assert_eq!(rows[0] + rows[rows.len() - 1], 64);
        assert!(full.iter().all(|&pixel| bright.per_dx[pixel] == 0.0));
    }

    #[test]
    fn there_are_four_times_as_many_stars_two_magnitudes_on() {
        // 10^(0.3 * 2) = 3.981; 100000 draws leave 25000 below Tmag 14: 1 % is 1.6 sigma
        // of that count, 3 % is five.
        let rng = &mut generator(5, Purpose::Stars);
        let draws = 100_000;
        let brighter = (0..draws).filter(|_| Star::draw(rng, SIZE).flux > flux(14.0)).count() as f64;
        let expected =
            f64::from(draws) * (10_f64.powf(4.2) - 10_f64.powf(1.2)) / (10_f64.powf(4.8) - 10_f64.powf(1.2));
        assert!((brighter / expected - 1.0).abs() < 0.03, "{brighter} of {expected}");
    }
}
