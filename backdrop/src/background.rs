//! The background model itself: `10^(A1 w1) + A2 w2`.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use array_api::{Array, Backend, Tile, s};
use ndarray::{Array2, Array3, Axis, Ix2, Ix3};

use crate::design::{Design, DesignMatrix, TEMPORARIES, into_array_error};
use crate::error::{Error, Result, shortened};
use crate::file::{AnyModel, Model, Rows, check_weights};
use crate::geometry::Window;

/// The two design matrices of a model on one window of pixels.
pub struct Background<B: Backend> {
    /// `A1`, whose product with the weights is the logarithm of the flux to base 10.
    pub a1: DesignMatrix<B>,
    /// `A2`, whose product with the weights is the flux that remains, in electrons/s.
    pub a2: DesignMatrix<B>,
}

impl<B: Backend> Background<B> {
    /// Sets up both designs on a window.
    ///
    /// # Errors
    /// As [`DesignMatrix::new`].
    pub fn new(xp: &B, design1: &Design, design2: &Design, window: &Window) -> Result<Self> {
        let [a1, a2] = DesignMatrix::several(xp, [design1, design2], window)?;
        Ok(Self { a1, a2 })
    }

    /// The background of some frames in electrons/s, of shape (frames, rows, columns), from their
    /// weights, of shapes (frames, columns of `A1`) and (frames, columns of `A2`).
    pub fn evaluate(&self, w1: &Array<f64, B>, w2: &Array<f64, B>) -> Result<Array<f64, B>> {
        let frames = w1.shape()[0];
        self.evaluate_tiles(frames, &self.a1.tiles(frames), |frames| {
            Ok([w1.slice(s![frames.clone()])?, w2.slice(s![frames])?])
        })
    }

    /// As [`evaluate`](Self::evaluate) in tiles, for which `weights` gives those of their frames.
    fn evaluate_tiles(
        &self,
        frames: usize,
        tiles: &[Tile],
        weights: impl Fn(Range<usize>) -> array_api::Result<[Array<f64, B>; 2]> + Sync,
    ) -> Result<Array<f64, B>> {
        let xp = self.a1.backend();
        let (rows, columns) = self.a1.window().shape();
        let buffer = xp.map_tiles(tiles, [frames, rows, columns], |tile| {
            let [w1, w2] = weights(tile.batch.clone())?;
            let smooth = self.a1.dot_rows(&w1, tile.rows.clone()).map_err(into_array_error)?;
            let rest = self.a2.dot_rows(&w2, tile.rows.clone()).map_err(into_array_error)?;
            smooth.lazy().exp10().add(rest.lazy()).eval()
        })?;
        Ok(Array::from_buffer(xp, buffer, &[frames, rows, columns]))
    }
}

/// Bytes of result that are evaluated at once.
const BATCH_BYTES: usize = 256 << 20;

impl Model {
    /// The background in electrons/s at any rows and columns of the CCD, of shape
    /// (frames, rows, columns); `frames` are positions in the model's list of frames. A frame that
    /// was not fitted gives NaN.
    ///
    /// The pixels need not be those that were fitted, and each has the same bits whatever else is
    /// evaluated with it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for frames, rows or columns that do not exist, or designs that
    /// do not fit the weights.
    pub fn evaluate<B: Backend>(
        &self,
        xp: &B,
        frames: &[usize],
        rows: &[usize],
        columns: &[usize],
    ) -> Result<Array3<f64>> {
        let mut result = Array3::zeros((frames.len(), rows.len(), columns.len()));
        let frame_bytes = (rows.len() * columns.len() * size_of::<f64>()).max(1);
        let batch = (BATCH_BYTES / frame_bytes).max(1);
        let evaluator = Evaluator::new(xp, self, rows, columns)?;
        for (frames, mut part) in frames.chunks(batch).zip(result.axis_chunks_iter_mut(Axis(0), batch)) {
            part.assign(&evaluator.evaluate(frames)?);
        }
        Ok(result)
    }

    /// The background in electrons/s at single pixels of the CCD, science (row, column), of shape
    /// (frames, pixels); `frames` are positions in the model's list of frames. A frame that was not
    /// fitted gives NaN. The sums are those of [`evaluate`](Self::evaluate) in another order.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_pixels<B: Backend>(
        &self,
        xp: &B,
        frames: &[usize],
        pixels: &[(usize, usize)],
    ) -> Result<Array2<f64>> {
        evaluate_pixels(xp, self, frames, pixels)
    }

    /// Refuses frames that do not exist.
    pub(crate) fn check_frames(&self, frames: &[usize]) -> Result<()> {
        let known = self.tstart.len();
        match frames.iter().find(|&&frame| frame >= known) {
            Some(bad) => Err(Error::InvalidArgument(format!(
                "frame {bad} asked for, but the model has {known} frames, counted from 0"
            ))),
            None => Ok(()),
        }
    }
}

/// [`Model::evaluate_pixels`] of any model.
///
/// # Errors
/// As [`Model::evaluate_pixels`], and those of reading the weights.
pub fn evaluate_pixels<B: Backend>(
    xp: &B,
    model: &dyn AnyModel,
    frames: &[usize],
    pixels: &[(usize, usize)],
) -> Result<Array2<f64>> {
    let head = model.without_weights();
    head.check_frames(frames)?;
    let (design1, design2) = designs(model)?;
    let rows = |design: &Design| DesignMatrix::at_pixels(xp, design, head.target.ccd, pixels);
    let (a1, a2) = (rows(&design1)?, rows(&design2)?);
    let weights = FrameWeights::new(xp, model, frames);
    let tiles = xp.tiles(frames.len(), 1, (pixels.len() * size_of::<f64>() + weights.bytes()) * TEMPORARIES);
    let flux = xp.map_tiles(&tiles, [frames.len(), 1, pixels.len()], |tile| {
        let [w1, w2] = weights.read(tile.batch.clone())?;
        let mut flux = a1.left_matmul_transposed(&w1)?;
        flux.exp10_assign()?;
        flux.add_assign(&a2.left_matmul_transposed(&w2)?)?;
        flux.expand_dims(1)
    });
    let flux =
        Array::from_buffer(xp, weights.outcome(flux.map_err(Error::from))?, &[frames.len(), pixels.len()]);
    check_weights(model)?;
    match flux.into_ndarray()?.into_dimensionality::<Ix2>() {
        Ok(flux) => Ok(flux),
        Err(error) => unreachable!("a row for each frame: {error}"),
    }
}

/// Both designs of a model.
///
/// # Errors
/// [`Error::InvalidArgument`] if one makes no sense or does not fit the weights, so that what they
/// ask for is in proportion to the file.
pub(crate) fn designs(model: &dyn AnyModel) -> Result<(Design, Design)> {
    let head = model.without_weights();
    let (design1, design2): (Design, Design) = (head.design1.parse()?, head.design2.parse()?);
    let [weights1, weights2] = model.columns();
    for (name, design, weights) in [("A1", &design1, weights1), ("A2", &design2, weights2)] {
        if design.columns() != weights {
            return Err(Error::InvalidArgument(format!(
                "the model has {weights} weights of {name} for each frame, but its design {} needs {}",
                shortened(&design.to_string()),
                design.columns()
            )));
        }
    }
    Ok((design1, design2))
}

/// The weights of some frames of a model, which are read as tiles ask for them.
struct FrameWeights<'a, B> {
    xp: &'a B,
    weights: [&'a dyn Rows; 2],
    frames: &'a [usize],
    failed: Mutex<Option<Error>>,
}

impl<'a, B: Backend> FrameWeights<'a, B> {
    fn new(xp: &'a B, model: &'a dyn AnyModel, frames: &'a [usize]) -> Self {
        Self { xp, weights: model.weights(), frames, failed: Mutex::new(None) }
    }

    /// Bytes of the weights of a frame.
    fn bytes(&self) -> usize {
        self.weights.iter().map(|weights| weights.shape().1 * size_of::<f64>()).sum()
    }

    /// The weights of those in some places, of shapes (frames, columns).
    fn read(&self, places: Range<usize>) -> array_api::Result<[Array<f64, B>; 2]> {
        let frames = &self.frames[places];
        let read = |weights: &dyn Rows| {
            let columns = weights.shape().1;
            Array::written(self.xp, &[frames.len(), columns], |out| {
                let mut rest = &mut out[..];
                for run in frames.chunk_by(|frame, next| frame + 1 == *next) {
                    let (out, others) = rest.split_at_mut(run.len() * columns);
                    if let Err(error) = weights.read(run[0]..run[0] + run.len(), out) {
                        out.fill(f64::NAN);
                        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                    rest = others;
                }
            })
        };
        Ok([read(self.weights[0])?, read(self.weights[1])?])
    }

    /// What was made of the weights, if all could be read.
    fn outcome<T>(self, made: Result<T>) -> Result<T> {
        match self.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => made,
        }
    }
}

/// A model on a window of pixels, to be evaluated for one frame after another.
pub struct Evaluator<'a, B: Backend> {
    model: &'a dyn AnyModel,
    background: Background<B>,
    backend: B,
}

impl<'a, B: Backend> Evaluator<'a, B> {
    /// Sets a model up on the pixels of some rows and columns.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn new(xp: &B, model: &'a dyn AnyModel, rows: &[usize], columns: &[usize]) -> Result<Self> {
        let (design1, design2) = designs(model)?;
        let ccd = model.without_weights().target.ccd;
        let window = Window::new(ccd, rows.to_vec(), columns.to_vec())?;
        let background = Background::new(xp, &design1, &design2, &window)?;
        Ok(Self { model, background, backend: xp.clone() })
    }

    /// The background of some frames, of shape (frames, rows, columns), in electrons/s.
    ///
    /// # Errors
    /// As [`Model::evaluate`], and those of reading the weights.
    pub fn evaluate(&self, frames: &[usize]) -> Result<Array3<f64>> {
        check_weights(self.model)?;
        self.evaluate_unchecked(frames)
    }

    /// Gives the background of some frames to `take`, so many frames at a time, with their numbers: it may write one
    /// batch while the next one is evaluated. Weights in a file are checked as they are read: they may be damaged, and what
    /// `take` was given with them, unless this ends well.
    ///
    /// ```
    /// # use array_api::Cpu;
    /// # use backdrop::background::Evaluator;
    /// # use backdrop::error::Error;
    /// # use backdrop::fit::{FitOptions, fit};
    /// # use backdrop::progress::Silent;
    /// # use backdrop::simulate::{Simulation, SimulationSettings};
    /// # let settings = SimulationSettings { frames: 3, size: 64, flagged_frames: 0, ..Default::default() };
    /// # let (model, _) = fit(&Cpu::new(), &Simulation::new(settings)?, &FitOptions::default(), &Silent)?;
    /// let evaluator = Evaluator::new(&Cpu::new(), &model, &[10, 11], &[20])?;
    /// let mut means = Vec::new();
    /// evaluator.evaluate_in_batches(&[0, 1, 2], 2, |_, images| {
    ///     means.extend(images.outer_iter().map(|image| image.sum() / image.len() as f64));
    ///     Ok::<_, Error>(())
    /// })?;
    /// assert_eq!(means.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); the first one of `take`, after which nothing more is evaluated.
    pub fn evaluate_in_batches<E: From<Error> + Send>(
        &self,
        frames: &[usize],
        batch: usize,
        mut take: impl FnMut(&[usize], Array3<f64>) -> std::result::Result<(), E> + Send,
    ) -> std::result::Result<(), E> {
        let mut batches = frames.chunks(batch.max(1));
        let mut ready = batches.next().map(|frames| (frames, self.evaluate_unchecked(frames)));
        while let Some((frames, images)) = ready {
            let images = images?;
            let next = batches.next();
            let evaluate = || next.map(|frames| (frames, self.evaluate_unchecked(frames)));
            let (taken, evaluated) = rayon::join(|| take(frames, images), evaluate);
            taken?;
            ready = evaluated;
        }
        Ok(check_weights(self.model)?)
    }

    fn evaluate_unchecked(&self, frames: &[usize]) -> Result<Array3<f64>> {
        match self.evaluate_on_backend(frames)?.into_ndarray()?.into_dimensionality::<Ix3>() {
            Ok(flux) => Ok(flux),
            Err(error) => unreachable!("images of some frames have three axes: {error}"),
        }
    }

    /// As [`evaluate`](Self::evaluate), where the backend has it.
    pub(crate) fn evaluate_on_backend(&self, frames: &[usize]) -> Result<Array<f64, B>> {
        self.model.without_weights().check_frames(frames)?;
        let weights = FrameWeights::new(&self.backend, self.model, frames);
        let (rows, columns) = self.background.a1.window().shape();
        let row_bytes = columns * size_of::<f64>() + weights.bytes() / rows.max(1);
        let tiles = self.backend.tiles(frames.len(), rows, row_bytes * TEMPORARIES);
        // Parts of an image share its weights.
        if tiles.iter().all(|tile| tile.rows == (0..rows)) {
            let flux = self.background.evaluate_tiles(frames.len(), &tiles, |frames| weights.read(frames));
            return weights.outcome(flux);
        }
        let read = weights.read(0..frames.len());
        let [w1, w2] = weights.outcome(read.map_err(Error::from))?;
        self.background.evaluate(&w1, &w2)
    }
}
