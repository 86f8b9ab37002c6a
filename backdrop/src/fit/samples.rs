//! Pixels whose residuals are wanted.

use array_api::{Array, Backend, Csr, Tile, s};

use super::fitter::{FLOOR, joined, rows_of};
use crate::background::Background;
use crate::error::Result;

/// Pixels whose residuals are wanted.
pub(super) struct Samples<B: Backend> {
    /// Their positions in a frame, row-major, in ascending order.
    positions: Array<i64, B>,
    /// How many there are above each row, and in all.
    above: Vec<usize>,
    /// Where in this order they come in the order that they are wanted in, if it is another.
    order: Option<Array<i64, B>>,
    /// Rows and columns of a frame.
    shape: (usize, usize),
    /// Their rows of `A1` and `A2`, as wanted.
    rows: [Csr<f64, B>; 2],
}

/// What a tile has of the sampled pixels.
pub(super) struct Part<B: Backend> {
    /// The tile's first frame and row.
    place: (usize, usize),
    /// Of shape (frames, pixels).
    flux: Array<f32, B>,
}

impl<B: Backend> Samples<B> {
    /// Pixels, (row, column) within the window.
    pub(super) fn new(Background { a1, a2 }: &Background<B>, pixels: &[(usize, usize)]) -> Result<Self> {
        let (xp, shape) = (a1.backend(), a1.window().shape());
        let mut sorted: Vec<usize> = (0..pixels.len()).collect();
        sorted.sort_by_key(|&pixel| pixels[pixel]);
        let position = |&pixel: &usize| (pixels[pixel].0 * shape.1 + pixels[pixel].1) as i64;
        let positions: Vec<i64> = sorted.iter().map(position).collect();
        let above = |row: usize| sorted.partition_point(|&pixel| pixels[pixel].0 < row);
        let above = (0..=shape.0).map(above).collect();
        let mut order = vec![0; pixels.len()];
        for (place, &pixel) in (0..).zip(&sorted) {
            order[pixel] = place;
        }
        let order = (!order.is_sorted()).then(|| Array::from_slice(xp, &order)).transpose()?;
        let rows = [rows_of(a1, pixels)?, rows_of(a2, pixels)?];
        Ok(Self { positions: Array::from_slice(xp, &positions)?, above, order, shape, rows })
    }

    /// Those of a tile, if there are any, of its frames.
    pub(super) fn take(&self, tile: &Tile, frames: &Array<f32, B>) -> array_api::Result<Option<Part<B>>> {
        let [first, end] = [tile.rows.start, tile.rows.end].map(|row| self.above[row]);
        if first == end {
            return Ok(None);
        }
        let mut positions = self.positions.slice(s![first..end])?;
        if tile.rows.start > 0 {
            positions = positions.subtract_scalar((tile.rows.start * self.shape.1) as i64)?;
        }
        let pixels = frames.reshape(&[tile.batch.len(), tile.rows.len() * self.shape.1])?;
        Ok(Some(Part { place: (tile.batch.start, tile.rows.start), flux: pixels.take(&positions, 1)? }))
    }

    /// The flux, less the average frame of shape (rows, columns), of shape (frames, pixels), of what all tiles of so many frames
    /// have of it.
    pub(super) fn flux(
        &self,
        frames: usize,
        mut parts: Vec<Part<B>>,
        average: Option<&Array<f32, B>>,
    ) -> Result<Array<f32, B>> {
        parts.sort_by_key(|part| part.place);
        let of_frames = parts.chunk_by(|a, b| a.place.0 == b.place.0);
        let of_frames = of_frames.map(|parts| joined(parts.iter().map(|part| &part.flux), 1));
        let of_frames = of_frames.collect::<array_api::Result<Vec<_>>>()?;
        let mut flux = match &of_frames[..] {
            [] => Array::empty(self.positions.backend(), &[frames, 0])?,
            of_frames => joined(of_frames.iter(), 0)?,
        };
        if let Some(average) = average {
            flux.subtract_assign(&average.flatten()?.take(&self.positions, 0)?)?;
        }
        flux.maximum_scalar_assign(FLOOR as f32)?;
        match &self.order {
            Some(order) => Ok(flux.take(order, 1)?),
            None => Ok(flux),
        }
    }

    /// `f - m1 - m2` for [the flux](Self::flux) of some frames and their weights.
    pub(super) fn residuals(
        &self,
        flux: &Array<f32, B>,
        w1: &Array<f64, B>,
        w2: &Array<f64, B>,
    ) -> Result<Array<f64, B>> {
        let [a1, a2] = &self.rows;
        let mut flux = flux.astype::<f64>()?;
        let mut model = a1.matmul(&w1.matrix_transpose()?)?;
        model.exp10_assign()?;
        model.add_assign(&a2.matmul(&w2.matrix_transpose()?)?)?;
        flux.subtract_assign(&model.matrix_transpose()?)?;
        Ok(flux)
    }
}
