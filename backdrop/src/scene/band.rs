//! Bands of rows: their series read, freed of the background, and fitted.

use std::ops::Range;
use std::time::Duration;

use array_api::{Array, Backend, s};
use ndarray::{Array2, Array3, s as part};

use super::cadences::Cadence;
use super::fit::{BLOCK, OrbitFit};
use super::{BAD, BESIDE_BAD, UNFITTED};
use crate::background::Evaluator;
use crate::error::{Error, Result};
use crate::file::AnyModel;
use crate::mask::grown;
use crate::progress::Progress;
use crate::source::FrameSource;
use crate::stream::{Wanted, for_each_batch};

/// Frames whose background is evaluated at once.
const FRAMES_AT_ONCE: usize = 8;

/// The most bytes of series that are in memory at once.
const MAX_SERIES_BYTES: usize = 1 << 30;

/// The bands of an image of (rows, columns): whole rows, with as many pixels as a square of side
/// `tile` or fewer if their series of so many cadences take too much memory, but one row at least.
pub(super) fn bands(
    (rows, columns): (usize, usize),
    cadences: usize,
    tile: usize,
) -> impl Iterator<Item = Range<usize>> {
    let row_bytes = (cadences * columns * size_of::<f32>()).max(1);
    let height = (tile.saturating_mul(tile) / columns.max(1)).min(MAX_SERIES_BYTES / row_bytes).max(1);
    (0..rows).step_by(height).map(move |first| first..rows.min(first + height))
}

/// The series of a band.
struct Series<B: Backend> {
    /// Flux less background in electrons/s, of shape (times, rows, columns); NaN or infinite where
    /// a frame has no value.
    flux: Array<f32, B>,
    /// Which pixels have no value in some frame, in row-major order.
    lacking: Vec<bool>,
}

/// An orbit that is being fitted, band by band.
pub(super) struct Orbit<'a, B: Backend> {
    backend: B,
    source: &'a dyn FrameSource,
    model: &'a dyn AnyModel,
    cadences: &'a [Cadence],
    fit: OrbitFit<B>,
    /// [`BAD`] and [`UNFITTED`] pixels.
    marks: Array2<u8>,
    /// Pixels that lack cadences.
    lacking: usize,
}

impl<'a, B: Backend> Orbit<'a, B> {
    pub(super) fn new(
        xp: &B,
        source: &'a dyn FrameSource,
        model: &'a dyn AnyModel,
        cadences: &'a [Cadence],
        fit: OrbitFit<B>,
    ) -> Self {
        let marks = Array2::zeros(source.shape());
        Self { backend: xp.clone(), source, model, cadences, fit, marks, lacking: 0 }
    }

    /// Fits some rows. Gives the weights, of shape (components, rows, columns).
    ///
    /// # Errors
    /// [`Error::Cancelled`] if `progress` says so, those of reading and of the backend.
    pub(super) fn fit_band(
        &mut self,
        rows: Range<usize>,
        progress: &dyn Progress,
        read_time: &mut Duration,
    ) -> Result<Array3<f32>> {
        let series = self.read(rows.clone(), progress, read_time)?;
        let (k, columns) = (self.fit.columns(), self.source.shape().1);
        let found = self.fit.fit(&series.flux)?;
        let Ok(mut found) = Array3::from_shape_vec((rows.len(), k + 1, columns), found) else {
            unreachable!("weights and a count for each pixel")
        };
        for ((row, column), mark) in self.marks.slice_mut(part![rows.clone(), ..]).indexed_iter_mut() {
            if self.fit.is_bad(found[(row, k, column)]) {
                *mark = BAD;
            }
        }
        for (row, lacking) in series.lacking.chunks(columns.max(1)).enumerate() {
            for (block, lacking) in lacking.chunks(BLOCK).enumerate() {
                let lacking = lacking.iter().enumerate().filter(|&(_, &lacking)| lacking);
                let lacking: Vec<usize> = lacking.map(|(column, _)| block * BLOCK + column).collect();
                self.fit_lacking(&series.flux, (rows.start, row), &lacking, &mut found)?;
            }
        }
        Ok(found.slice_move(part![.., ..k, ..]).permuted_axes([1, 0, 2]))
    }

    /// Fits pixels of a row of the band that begins at row `first`, and puts what is found in place.
    fn fit_lacking(
        &mut self,
        flux: &Array<f32, B>,
        (first, row): (usize, usize),
        columns: &[usize],
        found: &mut Array3<f32>,
    ) -> Result<()> {
        if columns.is_empty() {
            return Ok(());
        }
        let indices: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
        let indices = Array::from_vec(&self.backend, indices, &[columns.len()])?;
        let series = flux.slice(s![.., row])?.take(&indices, 1)?.astype::<f64>()?;
        for (&column, pixel) in columns.iter().zip(self.fit.fit_lacking(&series)?) {
            for (component, weight) in pixel.weights.iter().enumerate() {
                found[(row, component, column)] = *weight as f32;
            }
            let bad = if pixel.exceeding { BAD } else { 0 };
            let unfitted = if pixel.fitted { 0 } else { UNFITTED };
            self.marks[(first + row, column)] = bad | unfitted;
        }
        self.lacking += columns.len();
        Ok(())
    }

    /// Reads some rows of all frames, less the background.
    fn read(
        &self,
        rows: Range<usize>,
        progress: &dyn Progress,
        read_time: &mut Duration,
    ) -> Result<Series<B>> {
        let xp = &self.backend;
        let columns = self.source.shape().1;
        let (height, times) = (rows.len(), self.cadences.len());
        let model_rows: Vec<usize> = rows.clone().collect();
        let model_columns: Vec<usize> = (0..columns).collect();
        let background = Evaluator::new(xp, self.model, &model_rows, &model_columns)?;
        let frames: Vec<usize> = self.cadences.iter().map(|cadence| cadence.source).collect();

        let mut flux = Array::<f32, B>::empty(xp, &[times, height, columns])?;
        let mut lacking = vec![false; height * columns];
        let mut done = 0;
        // Pixels without a value are found while the last batch is worked on.
        let prepare = |batch: &[usize], pixels: Vec<f32>| {
            let mut lacking = vec![false; height * columns];
            for frame in pixels.chunks((height * columns).max(1)) {
                lacking.iter_mut().zip(frame).for_each(|(lacking, pixel)| *lacking |= !pixel.is_finite());
            }
            Ok((Array::from_vec(xp, pixels, &[batch.len(), height, columns])?, lacking))
        };
        let batches: Vec<&[usize]> = frames.chunks(FRAMES_AT_ONCE).collect();
        let wanted = Wanted { source: self.source, rows, batches: &batches, readers: 1 };
        for_each_batch(wanted, read_time, prepare, |batch| {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let (batch, (images, without)) = batch.whole()?;
            let last = done + batch.len();
            let frames: Vec<usize> = self.cadences[done..last].iter().map(|cadence| cadence.model).collect();
            let stars = images.astype::<f64>()?.subtract(&background.evaluate_on_backend(&frames)?)?;
            flux.assign(s![done..last], &stars.astype::<f32>()?)?;
            lacking.iter_mut().zip(without).for_each(|(lacking, without)| *lacking |= without);
            done = last;
            progress.advance(batch.len());
            Ok(images.reclaim())
        })?;
        Ok(Series { flux, lacking })
    }

    /// The marks of all pixels, those beside a bad one included, and the number of pixels that lack
    /// cadences.
    pub(super) fn finish(self) -> (Array2<u8>, usize) {
        let bad = self.marks.mapv(|mark| mark & BAD != 0);
        let mut marks = self.marks;
        marks.zip_mut_with(&grown(&bad), |mark, &grown| {
            if grown && *mark & BAD == 0 {
                *mark |= BESIDE_BAD;
            }
        });
        (marks, self.lacking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_have_the_pixels_of_a_square_and_cover_all_rows() {
        let heights = |shape, cadences, tile| -> Vec<usize> {
            let bands: Vec<_> = bands(shape, cadences, tile).collect();
            assert!(bands.array_windows().all(|[a, b]| a.end == b.start));
            assert_eq!((bands[0].start, bands[bands.len() - 1].end), (0, shape.0));
            bands.into_iter().map(|band| band.len()).collect()
        };
        assert_eq!(heights((2048, 2048), 600, 512), [128; 16]);
        assert_eq!(heights((10, 100), 5, 20), [4, 4, 2]);
        // A row at least; and never more than 1 GiB: a row takes 4 * 2048 * 32768 bytes, 4 a GiB.
        assert_eq!(heights((3, 100), 5, 1), [1; 3]);
        assert_eq!(heights((10, 2048), 1 << 15, 512), [4, 4, 2]);
    }
}
