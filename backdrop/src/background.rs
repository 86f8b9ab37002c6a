//! The background model itself: `10^(A1 w1) + A2 w2`.

use array_api::{Array, Backend, s};
use ndarray::{Array2, Array3, Axis, Ix3};

use crate::design::{Design, DesignMatrix, into_array_error};
use crate::error::{Error, Result, shortened};
use crate::file::Model;
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
        let xp = self.a1.backend();
        let (rows, columns) = self.a1.window().shape();
        let frames = w1.shape()[0];
        let buffer = xp.map_tiles(&self.a1.tiles(frames), [frames, rows, columns], |tile| {
            let w1 = w1.slice(s![tile.batch.clone()])?;
            let w2 = w2.slice(s![tile.batch.clone()])?;
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
}

/// Frames that single pixels are evaluated in at once.
const FRAMES_AT_ONCE: usize = 256;

impl Model {
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
        self.check_frames(frames)?;
        let (design1, design2) = self.designs()?;
        let rows = |design: &Design| DesignMatrix::at_pixels(xp, design, self.target.ccd, pixels);
        let (a1, a2) = (rows(&design1)?, rows(&design2)?);
        let mut result = Array2::zeros((frames.len(), pixels.len()));
        for (frames, mut part) in
            frames.chunks(FRAMES_AT_ONCE).zip(result.axis_chunks_iter_mut(Axis(0), FRAMES_AT_ONCE))
        {
            // A column for each frame.
            let pick = |weights: &Array2<f64>| Array::from_ndarray(xp, &weights.select(Axis(0), frames).t());
            let mut flux = a1.matmul(&pick(&self.weights1)?)?;
            flux.exp10_assign()?;
            flux.add_assign(&a2.matmul(&pick(&self.weights2)?)?)?;
            let flux = flux.matrix_transpose()?.to_vec()?;
            part.iter_mut().zip(flux).for_each(|(to, flux)| *to = flux);
        }
        Ok(result)
    }

    /// Both designs.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if one makes no sense or does not fit the weights, so that what they
    /// ask for is in proportion to the file.
    pub(crate) fn designs(&self) -> Result<(Design, Design)> {
        let (design1, design2): (Design, Design) = (self.design1.parse()?, self.design2.parse()?);
        for (name, design, weights) in [("A1", &design1, &self.weights1), ("A2", &design2, &self.weights2)] {
            if design.columns() != weights.ncols() {
                return Err(Error::InvalidArgument(format!(
                    "the model has {} weights of {name} for each frame, but its design {} needs {}",
                    weights.ncols(),
                    shortened(&design.to_string()),
                    design.columns()
                )));
            }
        }
        Ok((design1, design2))
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

/// A model on a window of pixels, to be evaluated for one frame after another.
pub struct Evaluator<'a, B: Backend> {
    model: &'a Model,
    background: Background<B>,
    backend: B,
}

impl<'a, B: Backend> Evaluator<'a, B> {
    /// Sets a model up on the pixels of some rows and columns.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn new(xp: &B, model: &'a Model, rows: &[usize], columns: &[usize]) -> Result<Self> {
        let (design1, design2) = model.designs()?;
        let window = Window::new(model.target.ccd, rows.to_vec(), columns.to_vec())?;
        let background = Background::new(xp, &design1, &design2, &window)?;
        Ok(Self { model, background, backend: xp.clone() })
    }

    /// The background of some frames, of shape (frames, rows, columns), in electrons/s.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn evaluate(&self, frames: &[usize]) -> Result<Array3<f64>> {
        match self.evaluate_on_backend(frames)?.to_ndarray()?.into_dimensionality::<Ix3>() {
            Ok(flux) => Ok(flux),
            Err(error) => unreachable!("images of some frames have three axes: {error}"),
        }
    }

    /// As [`evaluate`](Self::evaluate), where the backend has it.
    pub(crate) fn evaluate_on_backend(&self, frames: &[usize]) -> Result<Array<f64, B>> {
        self.model.check_frames(frames)?;
        let pick = |weights: &Array2<f64>| {
            let mut rows = Vec::with_capacity(frames.len() * weights.ncols());
            for &frame in frames {
                match weights.row(frame).as_slice() {
                    Some(row) => rows.extend_from_slice(row),
                    None => rows.extend(weights.row(frame)),
                }
            }
            Array::from_vec(&self.backend, rows, &[frames.len(), weights.ncols()])
        };
        self.background.evaluate(&pick(&self.model.weights1)?, &pick(&self.model.weights2)?)
    }
}
