//! What is recovered of a simulated sector whose true background is known: errors of the model,
//! light curves of variable stars, and what asteroids do to the fit.
//!
//! With the model `M`, the true background `T` and the frame `F`, of frame `t` and pixel `p`, in
//! electrons/s:
//!
//! ```text
//! error           e(t, p) = M(t, p) - T(t, p)
//! error of change         e(t, p) - mean of e(., p) over the frames without a glint
//! light curve     L(t)    = sum over 5 x 5 pixels of F - M
//! injected        S(t)    = the same sum of the star's own light, without noise
//! ```
//!
//! No background model can tell the sky of faint unresolved stars, which never changes, from
//! scattered light: it is in `e`, and not in the error of change, which is what photometry sees.

use std::fmt;

use array_api::Cpu;
use backdrop::asteroids::Asteroids;
use backdrop::background::Evaluator;
use backdrop::file::Model;
use backdrop::fit::{FitOptions, fit};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings, Variable};
use backdrop::source::FrameSource;
use backdrop::straps::restricted_columns;
use backdrop::uncertainty::Uncertainty;
use ndarray::{Array2, Array3, Axis};

/// What goes wrong is printed.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Rows and columns along the edge of the frame that are told apart.
const EDGE: usize = 8;
/// Frames that share a mask, by default, and where that is shorter than the sector.
pub const MASK_WINDOW: usize = 100;
const SHORT_WINDOW: usize = 15;
/// Rows and columns of an aperture on either side of the pixel that a star is in.
const APERTURE_RADIUS: usize = 2;

/// A sector with variable stars, and a strong glint in each sixth frame.
pub fn settings(size: usize, frames: usize, variables: usize) -> SimulationSettings {
    SimulationSettings {
        frames,
        size,
        variables,
        glints: frames / 6,
        flagged_frames: 0,
        ..SimulationSettings::default()
    }
}

/// The model of a simulated sector, with asteroids masked or not.
pub fn fit_sky(sky: &Simulation, asteroids: Option<&Asteroids>, mask_window: usize) -> Result<Model> {
    let options = FitOptions { asteroids: asteroids.cloned(), mask_window, ..FitOptions::default() };
    Ok(fit(&Cpu::new(), sky, &options, &Silent)?.0)
}

/// Which pixels are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Kept by the masks, and neither of the others.
    Clean,
    /// Kept by the masks, in a strap column or beside one, not at the edge.
    Strap,
    /// Kept by the masks, in the outer 8 rows or columns.
    Edge,
    /// Not kept by the masks, where the model goes on from the pixels around.
    Star,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Clean, Self::Strap, Self::Edge, Self::Star];
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean pixels",
            Self::Strap => "straps and beside",
            Self::Edge => "outer 8 pixels",
            Self::Star => "under stars",
        })
    }
}

/// The errors at some pixels in some frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    /// The pixels.
    pub place: Place,
    /// Whether the frames are those with a strong glint or the others.
    pub glint: bool,
    /// How many pixels there are.
    pub pixels: usize,
    /// Median of the error, in electrons/s.
    pub median: f64,
    /// Standard deviation of the error less its median over the clean pixels of the frame, in
    /// electrons/s.
    pub std: f64,
    /// Standard deviation of the error of change, in electrons/s.
    pub std_of_change: f64,
    /// Root mean square in the median frame of the error, less that median, over the stated sigma.
    pub over_sigma: f64,
    /// The same of the error of change.
    pub change_over_sigma: f64,
    /// The same of what noise makes of the model: of the difference from the model of the same sky
    /// without noise.
    pub noise_over_sigma: f64,
    /// That in the frame where it is largest.
    pub worst_noise_over_sigma: f64,
}

/// The errors of the model of a sector on all columns of some rows, by place and frame.
pub fn recovery(sky: &Simulation, model: &Model, rows: &[usize]) -> Result<Vec<Recovery>> {
    let columns: Vec<usize> = (0..sky.shape().1).collect();
    let quiet = quiet_frames(sky);
    let glints: Vec<usize> = sky.glint_frames().collect();
    let errors = errors(sky, model, rows, &columns)?;
    let noiseless = Simulation::new(SimulationSettings { noise: false, ..sky.settings().clone() })?;
    let noiseless_model = fit_sky(&noiseless, None, MASK_WINDOW)?;
    let noiseless_errors = self::errors(&noiseless, &noiseless_model, rows, &columns)?;
    let places = places(model, rows);
    let mean = errors.select(Axis(0), &quiet).mean_axis(Axis(0)).ok_or("all frames have a glint")?;
    let uncertainty = Uncertainty::new(&Cpu::new(), model)?;
    let unit_sigma = uncertainty.of_unit_scatter(rows, &columns)?;
    let medians: Vec<f64> = errors
        .outer_iter()
        .map(|image| {
            let clean = image.iter().zip(&places).filter(|&(_, &place)| place == Place::Clean);
            median(clean.map(|(&error, _)| error).collect())
        })
        .collect();

    let mut table = Vec::new();
    for (glint, frames) in [(false, &quiet), (true, &glints)] {
        for place in Place::ALL {
            let pixels: Vec<(usize, usize)> =
                places.indexed_iter().filter(|&(_, &of)| of == place).map(|(pixel, _)| pixel).collect();
            if pixels.is_empty() {
                continue;
            }
            let all = |of: &dyn Fn(usize, (usize, usize)) -> f64| -> Vec<f64> {
                let each = frames.iter().flat_map(|&t| pixels.iter().map(move |&pixel| (t, pixel)));
                each.map(|(t, pixel)| of(t, pixel)).collect()
            };
            let raw = |t: usize, (row, column): (usize, usize)| errors[(t, row, column)];
            let level = |t, pixel| raw(t, pixel) - medians[t];
            let change = |t, pixel| raw(t, pixel) - mean[pixel];
            let noise = |t, pixel: (usize, usize)| raw(t, pixel) - noiseless_errors[(t, pixel.0, pixel.1)];
            // Of each frame, the root mean square of the error over the stated sigma.
            let over_sigma = |of: &dyn Fn(usize, (usize, usize)) -> f64| -> Vec<f64> {
                let ratio = |t: usize, pixel| of(t, pixel) / (uncertainty.scatter(t) * unit_sigma[pixel]);
                let frame = |&t: &usize| root_mean_square(pixels.iter().map(|&pixel| ratio(t, pixel)));
                frames.iter().map(frame).collect()
            };
            let noise_over_sigma = over_sigma(&noise);
            table.push(Recovery {
                place,
                glint,
                pixels: pixels.len(),
                median: median(all(&raw)),
                std: std(&all(&level)),
                std_of_change: std(&all(&change)),
                over_sigma: median(over_sigma(&level)),
                change_over_sigma: median(over_sigma(&change)),
                worst_noise_over_sigma: noise_over_sigma.iter().copied().fold(0.0, f64::max),
                noise_over_sigma: median(noise_over_sigma),
            });
        }
    }
    Ok(table)
}

/// The frames without a glint.
fn quiet_frames(sky: &Simulation) -> Vec<usize> {
    (0..sky.frames().len()).filter(|frame| !sky.glint_frames().contains(frame)).collect()
}

/// `M - T` of all frames, of shape (frames, rows, columns).
fn errors(sky: &Simulation, model: &Model, rows: &[usize], columns: &[usize]) -> Result<Array3<f64>> {
    let size = sky.shape().1;
    let evaluator = Evaluator::new(&Cpu::new(), model, rows, columns)?;
    let mut truth = vec![0.0; size * size];
    let mut errors = Array3::zeros((sky.frames().len(), rows.len(), columns.len()));
    for (frame, mut image) in errors.outer_iter_mut().enumerate() {
        sky.truth(frame, &mut truth)?;
        image.assign(&evaluator.evaluate(&[frame])?.index_axis(Axis(0), 0));
        for (mut line, &row) in image.outer_iter_mut().zip(rows) {
            for (error, &column) in line.iter_mut().zip(columns) {
                *error -= f64::from(truth[row * size + column]);
            }
        }
    }
    Ok(errors)
}

/// Where the pixels of some rows belong, of shape (rows, columns).
fn places(model: &Model, rows: &[usize]) -> Array2<Place> {
    let (height, width) = model.shape;
    let straps = restricted_columns();
    let at_edge = |at: usize, length: usize| at < EDGE || at + EDGE >= length;
    Array2::from_shape_fn((rows.len(), width), |(index, column)| {
        let row = rows[index];
        if !(model.star_mask[(row, column)] && model.saturation_mask[(row, column)]) {
            Place::Star
        } else if at_edge(row, height) || at_edge(column, width) {
            Place::Edge
        } else if straps.binary_search(&column).is_ok() {
            Place::Strap
        } else {
            Place::Clean
        }
    })
}

/// What a correction makes of the light curve of a variable star.
#[derive(Debug, Clone, PartialEq)]
pub struct LightCurve {
    /// The star.
    pub star: Variable,
    /// In the frames without a glint.
    pub quiet: Correction,
    /// In all frames.
    pub all: Correction,
}

/// A light curve before and after the model is subtracted, in some frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// The coefficient of `S` in the light curve before, by least squares with a constant.
    pub before: f64,
    /// The same after.
    pub after: f64,
    /// The standard error of that after, which follows from the scatter about the fit.
    pub after_error: f64,
    /// The part of the signal that the model takes: the coefficient of `S` in the sum of the model
    /// less that of the same sky without the variable stars.
    pub taken: f64,
    /// Standard deviation of what the background adds before: the sum of `T`, in electrons/s.
    pub trend_before: f64,
    /// Standard deviation of what it still adds after: the sum of `T - M`, in electrons/s.
    pub trend_after: f64,
    /// Standard deviation of the light curve after less `S`, noise included, in electrons/s.
    pub scatter_after: f64,
    /// The coefficient of the sum of `T` in the light curve after less `S`.
    pub trend_coefficient: f64,
}

/// The sums over the aperture of a star, frame by frame.
struct Sums {
    frame: Vec<f64>,
    truth: Vec<f64>,
    model: Vec<f64>,
    model_without: Vec<f64>,
    injected: Vec<f64>,
}

/// The light curves of the variable stars of a sector.
pub fn light_curves(sky: &Simulation, model: &Model) -> Result<Vec<LightCurve>> {
    // Variable stars change nothing else, so that what they add is their light.
    let constant = Simulation::new(SimulationSettings { variables: 0, ..sky.settings().clone() })?;
    let model_without = fit_sky(&constant, None, MASK_WINDOW)?;
    let size = sky.shape().1;
    let frames: Vec<usize> = (0..sky.frames().len()).collect();
    let mut images: [Vec<f32>; 4] = std::array::from_fn(|_| vec![0.0; size * size]);
    let mut curves = Vec::new();
    for star in sky.variables() {
        let (rows, columns) = (aperture(star.row), aperture(star.column));
        let sum_of = |model: &Model| -> Result<Vec<f64>> {
            let background = model.evaluate(&Cpu::new(), &frames, &rows, &columns)?;
            Ok(background.outer_iter().map(|image| image.sum()).collect())
        };
        let (model, model_without) = (sum_of(model)?, sum_of(&model_without)?);
        let sums = Sums { frame: Vec::new(), truth: Vec::new(), model, model_without, injected: Vec::new() };
        curves.push((star, rows, columns, sums));
    }
    for &frame in &frames {
        let [read, truth, with, without] = &mut images;
        sky.read(frame, read)?;
        sky.truth(frame, truth)?;
        sky.star_light(frame, with)?;
        constant.star_light(frame, without)?;
        for (_, rows, columns, sums) in &mut curves {
            let sum = |image: &[f32]| -> f64 {
                let pixels =
                    rows.iter().flat_map(|row| columns.iter().map(move |column| row * size + column));
                pixels.map(|pixel| f64::from(image[pixel])).sum()
            };
            sums.frame.push(sum(read));
            sums.truth.push(sum(truth));
            sums.injected.push(sum(with) - sum(without));
        }
    }
    let quiet = quiet_frames(sky);
    let curve = |(star, _, _, sums): (&Variable, _, _, Sums)| LightCurve {
        star: *star,
        quiet: sums.correction(&quiet),
        all: sums.correction(&frames),
    };
    Ok(curves.into_iter().map(curve).collect())
}

impl Sums {
    /// What the correction does in some frames.
    fn correction(&self, frames: &[usize]) -> Correction {
        let pick =
            |of: &dyn Fn(usize) -> f64| -> Vec<f64> { frames.iter().map(|&frame| of(frame)).collect() };
        let injected = pick(&|t| self.injected[t]);
        let truth = pick(&|t| self.truth[t]);
        let after = pick(&|t| self.frame[t] - self.model[t]);
        let left = pick(&|t| self.frame[t] - self.model[t] - self.injected[t]);
        let error = pick(&|t| self.model[t] - self.truth[t]);
        let (coefficient, coefficient_error) = regression(&injected, &after);
        Correction {
            before: regression(&injected, &pick(&|t| self.frame[t])).0,
            after: coefficient,
            after_error: coefficient_error,
            taken: regression(&injected, &pick(&|t| self.model[t] - self.model_without[t])).0,
            trend_before: std(&truth),
            trend_after: std(&error),
            scatter_after: std(&left),
            trend_coefficient: regression(&truth, &left).0,
        }
    }
}

/// The rows or columns of the aperture of a star.
fn aperture(centre: f64) -> Vec<usize> {
    let nearest = centre.round() as usize;
    (nearest - APERTURE_RADIUS..=nearest + APERTURE_RADIUS).collect()
}

/// How far the models of two skies are from each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What the models were fitted to.
    pub models: &'static str,
    /// The largest difference of all pixels and frames, in electrons/s.
    pub largest: f64,
    /// The same of the frames without a glint.
    pub largest_quiet: f64,
    /// The same of the frames without a glint after each pixel's mean over them is subtracted.
    pub largest_change: f64,
    /// The root mean square of the differences, in electrons/s.
    pub root_mean_square: f64,
}

/// The models of a sector with and without asteroids, masked and not.
pub fn asteroids(without: &Simulation, plain: &Model, count: usize) -> Result<(Asteroids, Vec<Difference>)> {
    let with = Simulation::new(SimulationSettings { asteroids: count, ..without.settings().clone() })?;
    let paths = with.asteroids();
    let masked = fit_sky(&with, Some(paths), MASK_WINDOW)?;
    let same_mask = fit_sky(without, Some(paths), MASK_WINDOW)?;
    let unmasked = fit_sky(&with, None, MASK_WINDOW)?;
    let windows = fit_sky(&with, Some(paths), SHORT_WINDOW)?;
    let same_windows = fit_sky(without, Some(paths), SHORT_WINDOW)?;
    let pairs = [
        ("asteroids masked; no asteroids, same mask", &masked, &same_mask),
        ("asteroids masked; no asteroids, no mask", &masked, plain),
        ("the same in short windows; no asteroids, same mask", &windows, &same_windows),
        ("the same in short windows; no asteroids, no mask", &windows, plain),
        ("asteroids not masked; no asteroids", &unmasked, plain),
    ];
    let differences: Result<_> =
        pairs.into_iter().map(|(models, a, b)| difference(without, models, a, b)).collect();
    Ok((paths.clone(), differences?))
}

/// The difference of two models of a sector on all their pixels and frames.
fn difference(sky: &Simulation, models: &'static str, a: &Model, b: &Model) -> Result<Difference> {
    let (rows, columns): (Vec<_>, Vec<_>) = ((0..a.shape.0).collect(), (0..a.shape.1).collect());
    let frames: Vec<usize> = (0..a.tstart.len()).collect();
    let background = |model: &Model| model.evaluate(&Cpu::new(), &frames, &rows, &columns);
    let off = background(a)? - background(b)?;
    let quiet = off.select(Axis(0), &quiet_frames(sky));
    let mean = quiet.mean_axis(Axis(0)).ok_or("all frames have a glint")?;
    let largest = |off: &Array3<f64>| off.iter().fold(0.0_f64, |largest, off| largest.max(off.abs()));
    Ok(Difference {
        models,
        largest: largest(&off),
        largest_quiet: largest(&quiet),
        largest_change: largest(&(quiet - mean)),
        root_mean_square: root_mean_square(off.iter().copied()),
    })
}

/// The line `y = a x + b` by least squares: `a` and its standard error.
fn regression(x: &[f64], y: &[f64]) -> (f64, f64) {
    let (x_mean, y_mean) = (mean(x), mean(y));
    let square: f64 = x.iter().map(|x| (x - x_mean).powi(2)).sum();
    let a = x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / square;
    let off: f64 = x.iter().zip(y).map(|(x, y)| (y - y_mean - a * (x - x_mean)).powi(2)).sum();
    (a, (off / (x.len() as f64 - 2.0) / square).sqrt())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn std(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn root_mean_square(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    (values.map(|value| value * value).sum::<f64>() / count).sqrt()
}

/// The middle value, of an even number the upper one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
