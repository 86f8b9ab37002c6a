//! How uncertain the model is, pixel by pixel.
//!
//! The weights of `A2` have the posterior covariance `s^2 C` with
//! `C = (A2^T diag(1/sigma_f) A2 + diag(1/sigma_w^2))^-1` and `s` the scatter of a frame's clean
//! pixels about the model ([`Model::scatter`]), so that the model has the standard deviation
//! `s sqrt(a^T C a)` at a pixel whose row of `A2` is `a`. The weights of `A1` add nothing that
//! counts: `A2` is fitted to what `A1` leaves, its errors included.
//!
//! This is what noise makes of the model. On simulated sectors without stars, what noise adds has
//! 0.8 of this standard deviation, on clean pixels, along straps and at the edges alike; not 1, since
//! the scatter has the noise of the average frame in it (`docs/recovery.md` has all numbers). It
//! tells nothing of
//! - light with structure that the designs cannot follow: on clean pixels without glints the whole
//!   error is 1.2 times as large as stated on a window of 512 x 512 pixels and 6 times on a CCD; along
//!   straps, where the light is no straight line, 2 and 32 times; in strong glints 30 times and more;
//! - faint stars in the clean pixels, which are an error that does not change with time.
//!
//! A frame that most of the minimum image was made of, the darkest of a short series, has its own
//! noise subtracted with the average frame: its residuals are nearly zero, its model has the noise all
//! the same. So no frame counts with less than half the median scatter of all.
//!
//! Pixels that were masked in single windows only (no value, asteroids) count as clean.

use array_api::{Array, Backend};
use ndarray::{Array2, Array3, Axis};

use crate::background::designs;
use crate::design::{Design, DesignMatrix};
use crate::error::{Error, Result};
use crate::file::{AnyModel, Model};
use crate::geometry::Window;
use crate::mask::{Masks, weights};
use crate::normal::NormalEquations;
use crate::statistics::median;

/// Pixels that are worked on at once.
const BATCH: usize = 1 << 15;

/// The covariance of a model's weights, to be asked about any pixels.
///
/// ```
/// use array_api::Cpu;
/// use backdrop::fit::{FitOptions, fit};
/// use backdrop::progress::Silent;
/// use backdrop::simulate::{Simulation, SimulationSettings};
/// use backdrop::uncertainty::Uncertainty;
///
/// let settings = SimulationSettings { frames: 2, size: 64, flagged_frames: 0, ..Default::default() };
/// let source = Simulation::new(settings)?;
/// let xp = Cpu::new();
/// let (model, _) = fit(&xp, &source, &FitOptions::default(), &Silent)?;
/// let sigma = Uncertainty::new(&xp, &model)?.sigma(&[0, 1], &[10, 11], &[20, 21, 22])?;
/// assert_eq!(sigma.dim(), (2, 2, 3));
/// // Less than the scatter of a single pixel, since many pixels tell of each weight.
/// assert!(sigma[(0, 0, 0)] < model.scatter[0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Uncertainty<'a, B: Backend> {
    model: &'a Model,
    design: Design,
    /// `C`, of shape (columns, columns).
    covariance: Array<f64, B>,
    /// The least scatter that a frame counts with.
    floor: f64,
}

/// Share of the median scatter that a frame counts with at least.
const LEAST_SCATTER: f64 = 0.5;

impl<'a, B: Backend> Uncertainty<'a, B> {
    /// Forms and inverts the normal equations of `A2` for the model's masks.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the model does not know the scatter of its frames or its designs
    /// make no sense or do not fit the weights, [`Error::NotPositiveDefinite`].
    pub fn new(xp: &B, model: &'a dyn AnyModel) -> Result<Self> {
        let (_, design) = designs(model)?;
        let model = model.without_weights();
        let mut known: Vec<f64> =
            model.scatter.iter().copied().filter(|scatter| scatter.is_finite()).collect();
        let Some(middle) = median(&mut known) else {
            return Err(Error::InvalidArgument(
                "the model does not tell the scatter of its frames, which its uncertainty follows from: \
                 fit the frames again with this version"
                    .into(),
            ));
        };
        let (rows, columns) = model.shape;
        let window = Window::new(model.target.ccd, (0..rows).collect(), (0..columns).collect())?;
        let matrix = DesignMatrix::new(xp, &design, &window)?;
        let masks = Masks { star: model.star_mask.clone(), saturation: model.saturation_mask.clone() };
        let gram = matrix.gram(&weights(xp, &masks.clean())?)?;
        let covariance = NormalEquations::new("A2", &matrix, gram)?.covariance()?;
        Ok(Self { model, design, covariance, floor: LEAST_SCATTER * middle })
    }

    /// The standard deviation of the model for a scatter of 1 electron/s, of shape (rows, columns),
    /// at any rows and columns of the CCD.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a row or column that is not on the CCD.
    pub fn of_unit_scatter(&self, rows: &[usize], columns: &[usize]) -> Result<Array2<f64>> {
        let pixels: Vec<(usize, usize)> =
            rows.iter().flat_map(|&row| columns.iter().map(move |&column| (row, column))).collect();
        let xp = self.covariance.backend();
        let mut sigma = Vec::with_capacity(pixels.len());
        for part in pixels.chunks(BATCH) {
            let a = DesignMatrix::at_pixels(xp, &self.design, self.model.target.ccd, part)?;
            let mut variance = a.bilinear(&self.covariance, &a)?;
            variance.sqrt_assign()?;
            sigma.extend(variance.to_vec()?);
        }
        let sigma = Array2::from_shape_vec((rows.len(), columns.len()), sigma);
        Ok(sigma.unwrap_or_else(|error| unreachable!("one number for each pixel: {error}")))
    }

    /// The scatter that a frame counts with, in electrons/s; NaN if it was not fitted.
    ///
    /// # Panics
    /// If there is no such frame.
    pub fn scatter(&self, frame: usize) -> f64 {
        let scatter = self.model.scatter[frame];
        // A NaN would lose against the floor.
        if scatter.is_nan() { scatter } else { scatter.max(self.floor) }
    }

    /// The standard deviation of the model in electrons/s, of shape (frames, rows, columns);
    /// `frames` are positions in the model's list of frames. NaN for a frame that was not fitted.
    ///
    /// # Errors
    /// As [`of_unit_scatter`](Self::of_unit_scatter), and for frames that do not exist.
    pub fn sigma(&self, frames: &[usize], rows: &[usize], columns: &[usize]) -> Result<Array3<f64>> {
        self.model.check_frames(frames)?;
        let unit = self.of_unit_scatter(rows, columns)?;
        let mut sigma = Array3::zeros((frames.len(), rows.len(), columns.len()));
        for (mut image, &frame) in sigma.axis_iter_mut(Axis(0)).zip(frames) {
            image.assign(&(&unit * self.scatter(frame)));
        }
        Ok(sigma)
    }
}
