//! The star scene: what is left of each pixel when the background is gone, as a function of time.
//!
//! After the background of a [`Model`] is subtracted from a frame `F`, stars are left, which move
//! with the pointing and change slowly. Within an orbit the series of a pixel is fitted by
//!
//! ```text
//! F - background = X w
//! (X^T M X + 1 / prior_sigma^2) w = X^T M (F - background)
//! ```
//!
//! where `X`, of shape (times, components), holds terms in time ([`TimeTerms`]) and the model's
//! jitter and background components, and `M` is 1 where the pixel has a value, else 0. The average
//! frame is not subtracted: it is of the stars. Orbits are split at the largest gap between frames,
//! if that is at least [`ORBIT_GAP`] long. Only frames that the model was fitted to count.
//!
//! The columns of `X` are made orthogonal over the frames of the orbit, in their order, and scaled
//! to a root mean square of 1, so that a weight is an amplitude in electrons/s that single
//! precision holds as well as the data; a column that depends on those before it (there may be
//! fewer frames than columns) is zero. The file keeps `X` itself: a scene is evaluated from its
//! file alone, with the numbers of the fit.
//!
//! A pixel is *bad* if in more than 5 % of its cadences the residual is beyond 4 standard deviations
//! above the fit, that of the pixel's own residuals: 1.4826 times their median absolute deviation
//! from their median. (The plain standard deviation will not do: of any numbers at most 1 / 17, just
//! 5.9 %, are beyond 4 of it on one side.) The pixels above, below, left and right of a bad pixel
//! are marked, too.
//!
//! Memory is bounded: the fit goes through bands of whole rows, each with as many pixels as a square
//! of `tile` pixels has, whose series in one orbit are in memory at once. So each row of each frame
//! is read once, and its background evaluated once; of files that are not compressed only the rows
//! asked for are read. No bit of the result depends on the bands or the number of threads.
//!
//! This is the second model of scatterbrain (Hedges), the first program of this kind.

mod band;
mod cadences;
mod design;
mod evaluate;
mod file;
mod fit;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use array_api::Backend;
use ndarray::{Array2, Axis};

use crate::error::{Error, Result};
use crate::file::{AnyModel, Model};
use crate::progress::Progress;
use crate::source::FrameSource;

pub use cadences::ORBIT_GAP;
pub use design::{SPLINE_KNOTS, TimeTerms};
pub use evaluate::Evaluator;
pub use file::{Scene, file_name};

use band::{Orbit, bands};
use cadences::Cadences;
use file::SceneWriter;
use fit::OrbitFit;

/// Bit of a bad pixel: too many of its cadences are far above the fit.
pub const BAD: u8 = 1;
/// Bit of a pixel above, below, left or right of a bad one.
pub const BESIDE_BAD: u8 = 2;
/// Bit of a pixel that has values in fewer cadences than the fit has independent components. It has
/// no weights.
pub const UNFITTED: u8 = 4;

/// What the fit of a scene can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneOptions {
    /// How slow changes are fitted.
    pub time_terms: TimeTerms,
    /// Standard deviation of the prior of every weight, whose mean is 0, in electrons/s.
    pub prior_sigma: f64,
    /// Side of a square with as many pixels as are fitted at once (in whole rows, and in fewer if
    /// their series took more than 1 GiB). The result does not depend on it.
    pub tile: usize,
}

impl Default for SceneOptions {
    fn default() -> Self {
        Self { time_terms: TimeTerms::default(), prior_sigma: 1e8, tile: 512 }
    }
}

/// What the fit of a scene did and how long it took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SceneReport {
    /// Frames fitted in each orbit.
    pub orbits: Vec<usize>,
    /// Components, those in time included.
    pub components: usize,
    /// Frames of the source that the model was not fitted to.
    pub unfitted_frames: usize,
    /// Frames of the model that the source does not have.
    pub missing_frames: usize,
    /// Pixels that are bad themselves, in each orbit.
    pub bad_pixels: Vec<usize>,
    /// Pixels without a value in some cadence, in each orbit.
    pub lacking_pixels: Vec<usize>,
    /// Pixels with too few cadences for a fit, in each orbit.
    pub unfitted_pixels: Vec<usize>,
    /// Time spent in reading frames; it overlaps with the work.
    pub read_time: Duration,
    /// Time for everything.
    pub time: Duration,
}

/// Fits the scene of all frames of a source to which a model was fitted, and writes it to `path`.
///
/// ```
/// use array_api::Cpu;
/// use backdrop::fit::{self, FitOptions};
/// use backdrop::progress::Silent;
/// use backdrop::scene::{self, Scene, SceneOptions};
/// use backdrop::simulate::{Simulation, SimulationSettings};
///
/// let xp = Cpu::new();
/// let settings = SimulationSettings { frames: 8, size: 32, flagged_frames: 0, ..Default::default() };
/// let frames = Simulation::new(settings)?;
/// let (mut model, _) = fit::fit(&xp, &frames, &FitOptions::default(), &Silent)?;
/// # // Few frames have no principal components: the terms in time will do.
/// # model.jitter = ndarray::Array2::zeros((8, 0));
/// # model.background = ndarray::Array2::zeros((8, 0));
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join(scene::file_name(model.target));
/// let report = scene::fit(&xp, &frames, &model, &SceneOptions::default(), &path, false, &Silent)?;
/// assert_eq!(report.orbits, [8]);
///
/// let scene = Scene::load(&path)?;
/// let pixel = scene.evaluate(&xp, &[0, 7], &[10], &[20])?;
/// println!("the stars went from {:.1} to {:.1} electrons/s", pixel[(0, 0, 0)], pixel[(1, 0, 0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::WrongTarget`] if model and frames are not of the same sector, camera and CCD;
/// [`Error::InvalidArgument`] for options that make no sense, frames that the model does not have, or
/// a model without principal components; as [`Model::check_output`]; [`Error::Cancelled`] if `progress` says so; whatever
/// reading a frame can fail with. Nothing is left at `path` then.
pub fn fit<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    model: &dyn AnyModel,
    options: &SceneOptions,
    path: &Path,
    overwrite: bool,
    progress: &dyn Progress,
) -> Result<SceneReport> {
    let start = Instant::now();
    check(options)?;
    let head = model.without_weights();
    head.check_target(source.target())?;
    Model::check_output(path, overwrite)?;
    let cadences = Cadences::new(model, source)?;
    design::check_components(head, cadences.orbits.iter().map(Vec::len).sum())?;
    let scene = unfilled(xp, source, head, options, &cadences)?;
    let mut file = SceneWriter::create(&scene, path, overwrite)?;
    let mut report = SceneReport {
        components: scene.terms.len(),
        unfitted_frames: cadences.unfitted,
        missing_frames: cadences.missing,
        ..SceneReport::default()
    };
    for (number, cadences) in cadences.orbits.iter().enumerate() {
        let rows: Vec<usize> = cadences.iter().map(|cadence| cadence.model).collect();
        let fit = OrbitFit::new(xp, &scene.design.select(Axis(0), &rows), options.prior_sigma)?;
        let mut orbit = Orbit::new(xp, source, model, cadences, fit);
        for rows in bands(source.shape(), cadences.len(), options.tile) {
            let stage = format!("orbit {}, rows {}..{}", number + 1, rows.start, rows.end);
            progress.start(&stage, cadences.len());
            let weights = orbit.fit_band(rows.clone(), progress, &mut report.read_time)?;
            for (component, weights) in weights.outer_iter().enumerate() {
                let weights: Vec<f32> = weights.iter().copied().collect();
                file.weights(number, component, rows.start, &weights)?;
            }
            progress.finish();
        }
        let (bad, lacking) = orbit.finish();
        let count = |bit: u8| bad.iter().filter(|&&bits| bits & bit != 0).count();
        report.orbits.push(cadences.len());
        report.bad_pixels.push(count(BAD));
        report.unfitted_pixels.push(count(UNFITTED));
        report.lacking_pixels.push(lacking);
        file.bad(number, &bad)?;
    }
    file.finish()?;
    report.time = start.elapsed();
    Ok(report)
}

/// The scene without weights.
fn unfilled<B: Backend>(
    xp: &B,
    source: &dyn FrameSource,
    model: &Model,
    options: &SceneOptions,
    cadences: &Cadences,
) -> Result<Scene> {
    let terms = design::terms(model, options.time_terms);
    let mut orbit = vec![0; model.tstart.len()];
    let mut design = Array2::from_elem((orbit.len(), terms.len()), f64::NAN);
    for (number, cadences) in (1..).zip(&cadences.orbits) {
        let rows = design::design(model, cadences, options.time_terms)?;
        for (cadence, row) in cadences.iter().zip(rows.rows()) {
            orbit[cadence.model] = number;
            design.row_mut(cadence.model).assign(&row);
        }
    }
    Ok(Scene {
        target: source.target(),
        shape: source.shape(),
        time_terms: options.time_terms,
        prior_sigma: options.prior_sigma,
        tile: options.tile,
        software: concat!("backdrop ", env!("CARGO_PKG_VERSION")).to_owned(),
        backend: xp.name().to_owned(),
        tstart: model.tstart.clone(),
        tstop: model.tstop.clone(),
        orbit,
        design,
        terms,
        path: PathBuf::new(),
    })
}

fn check(options: &SceneOptions) -> Result<()> {
    if options.tile == 0 {
        return Err(Error::InvalidArgument("the side of a tile (--tile) must be at least 1".into()));
    }
    if !(options.prior_sigma > 0.0 && options.prior_sigma.is_finite()) {
        return Err(Error::InvalidArgument(format!(
            "a prior sigma of {}: give a positive number of electrons/s",
            options.prior_sigma
        )));
    }
    Ok(())
}
