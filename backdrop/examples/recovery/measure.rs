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
use std::ops::Range;

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
use ndarray::{Array2, Array3, Axis, Zip};

/// What goes wrong is printed.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Rows and columns along the edge of the frame that are told apart.
const EDGE: usize = 8;
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
pub fn fit_sky(sky: &Simulation, asteroids: Option<&Asteroids>) -> Result<Model> {
    let options = FitOptions { asteroids: asteroids.cloned(), ..FitOptions::default() };
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
    /// Pixels, counted in each frame.
    pub count: usize,
    /// Median of the error, in electrons/s.
    pub median: f64,
    /// Standard deviation of the error, in electrons/s.
    pub std: f64,
    /// The same after the median over the clean pixels of each frame is subtracted.
    pub std_in_frame: f64,
    /// The standard deviation of the error of change, in electrons/s.
    pub std_of_change: f64,
    /// Root mean square of the error over the stated sigma.
    pub over_sigma: f64,
    /// Root mean square of the error of change over the stated sigma.
    pub change_over_sigma: f64,
}

/// The errors of a model on all columns of some rows, by place and frame.
pub fn recovery(sky: &Simulation, model: &Model, rows: &[usize]) -> Result<Vec<Recovery>> {
    let frames = sky.frames().len();
    let columns: Vec<usize> = (0..sky.shape().1).collect();
    let errors = errors(sky, model, rows, &columns)?;
    let places = places(model, rows);
    let quiet: Vec<usize> = (0..frames).filter(|frame| !sky.glint_frames().contains(frame)).collect();
    let mean = errors.select(Axis(0), &quiet).mean_axis(Axis(0)).ok_or("all frames have a glint")?;
    let unit_sigma = Uncertainty::new(&Cpu::new(), model)?.of_unit_scatter(rows, &columns)?;

    let frame_medians: Vec<f64> = errors
        .outer_iter()
        .map(|image| {
            let clean = image.iter().zip(&places).filter(|&(_, &place)| place == Place::Clean);
            median(clean.map(|(&error, _)| error).collect())
        })
        .collect();
    let glints: Vec<usize> = sky.glint_frames().collect();
    let mut table = Vec::new();
    for (glint, frames) in [(false, &quiet), (true, &glints)] {
        for place in Place::ALL {
            let mut raw = Vec::new();
            let mut in_frame = Vec::new();
            let mut change = Vec::new();
            let mut over_sigma = Vec::new();
            let mut change_over_sigma = Vec::new();
            for &frame in frames {
                let scatter = model.scatter[frame];
                Zip::from(errors.index_axis(Axis(0), frame))
                    .and(&places)
                    .and(&mean)
                    .and(&unit_sigma)
                    .for_each(|&error, &of, &mean, &unit| {
                        if of == place {
                            raw.push(error);
                            in_frame.push(error - frame_medians[frame]);
                            change.push(error - mean);
                            over_sigma.push(error / (scatter * unit));
                            change_over_sigma.push((error - mean) / (scatter * unit));
                        }
                    });
            }
            if raw.is_empty() {
                continue;
            }
            table.push(Recovery {
                place,
                glint,
                count: raw.len() / frames.len(),
                std: std(&raw),
                median: median(raw),
                std_in_frame: std(&in_frame),
                std_of_change: std(&change),
                over_sigma: root_mean_square(&over_sigma),
                change_over_sigma: root_mean_square(&change_over_sigma),
            });
        }
    }
    Ok(table)
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
    /// The part of the signal that is in the model: the coefficient of `S` in the sum of `M - T`.
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
    injected: Vec<f64>,
}

/// The light curves of the variable stars of a sector.
pub fn light_curves(sky: &Simulation, model: &Model) -> Result<Vec<LightCurve>> {
    // Variable stars change nothing else, so that what they add is their light.
    let constant = Simulation::new(SimulationSettings { variables: 0, ..sky.settings().clone() })?;
    let size = sky.shape().1;
    let frames: Vec<usize> = (0..sky.frames().len()).collect();
    let mut images: [Vec<f32>; 4] = std::array::from_fn(|_| vec![0.0; size * size]);
    let mut curves = Vec::new();
    for star in sky.variables() {
        let (rows, columns) = (aperture(star.row), aperture(star.column));
        let background = model.evaluate(&Cpu::new(), &frames, &rows, &columns)?;
        let model = background.outer_iter().map(|image| image.sum()).collect();
        let sums = Sums { frame: Vec::new(), truth: Vec::new(), model, injected: Vec::new() };
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
    let quiet: Vec<usize> =
        frames.iter().copied().filter(|frame| !sky.glint_frames().contains(frame)).collect();
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
            taken: regression(&injected, &error).0,
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
    /// The root mean square of the differences, in electrons/s.
    pub root_mean_square: f64,
}

/// The models of a sector with and without asteroids, masked and not.
pub fn asteroids(without: &Simulation, plain: &Model, count: usize) -> Result<(Asteroids, Vec<Difference>)> {
    let with = Simulation::new(SimulationSettings { asteroids: count, ..without.settings().clone() })?;
    let paths = with.asteroids();
    let masked = fit_sky(&with, Some(paths))?;
    let unmasked = fit_sky(&with, None)?;
    let same_mask = fit_sky(without, Some(paths))?;
    let glints = without.glint_frames();
    let differences = vec![
        difference("asteroids masked; no asteroids, the same pixels masked", &masked, &same_mask, &glints)?,
        difference("asteroids masked; no asteroids", &masked, plain, &glints)?,
        difference("no asteroids, the same pixels masked; no asteroids", &same_mask, plain, &glints)?,
        difference("asteroids not masked; no asteroids", &unmasked, plain, &glints)?,
    ];
    Ok((paths.clone(), differences))
}

/// The difference of two models on all their pixels and frames.
fn difference(models: &'static str, a: &Model, b: &Model, glints: &Range<usize>) -> Result<Difference> {
    let (rows, columns): (Vec<_>, Vec<_>) = ((0..a.shape.0).collect(), (0..a.shape.1).collect());
    let a_background = Evaluator::new(&Cpu::new(), a, &rows, &columns)?;
    let b_background = Evaluator::new(&Cpu::new(), b, &rows, &columns)?;
    let (mut largest, mut largest_quiet, mut square) = (0.0_f64, 0.0_f64, 0.0);
    for frame in 0..a.tstart.len() {
        let off = a_background.evaluate(&[frame])? - b_background.evaluate(&[frame])?;
        let worst = off.iter().fold(0.0_f64, |worst, off| worst.max(off.abs()));
        largest = largest.max(worst);
        if !glints.contains(&frame) {
            largest_quiet = largest_quiet.max(worst);
        }
        square += off.iter().map(|off| off * off).sum::<f64>() / off.len() as f64;
    }
    let root_mean_square = (square / a.tstart.len() as f64).sqrt();
    Ok(Difference { models, largest, largest_quiet, root_mean_square })
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

fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

/// The middle value, of an even number the upper one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
