//! Principal components of series that may be larger than memory.
//!
//! Series are read block by block: all frames of some pixels, or all pixels of some frames. What is
//! summed up over blocks is so in their order, and what a block is depends on nothing but the numbers
//! of frames and pixels, so that results repeat. In memory are a block, the Gram matrix of the shorter
//! side, and what its eigenvectors take.

use std::ops::Range;

use array_api::{Array, Backend, linalg, s};
use ndarray::{Array2, ArrayView1, ArrayView2, Ix2};
use rayon::prelude::*;

use super::{COMPONENTS, MAX_LOADING, OUTLIER_SIGMAS, ROUNDS};
use crate::error::{Error, Result};
use crate::statistics::{mean_and_std, median};

/// Values that are read at once: 8 MB, and 16 MB in double precision.
pub(super) const BLOCK: usize = 1 << 21;

/// What pixels have over time, of shape (frames, pixels).
pub(crate) trait Series {
    /// Numbers of frames and pixels.
    fn shape(&self) -> (usize, usize);

    /// Reads some pixels of some frames into `out`, frame by frame.
    ///
    /// # Errors
    /// Those of the place that they are kept in.
    fn read(&mut self, frames: Range<usize>, pixels: Range<usize>, out: &mut [f32]) -> Result<()>;
}

impl Series for ArrayView2<'_, f32> {
    fn shape(&self) -> (usize, usize) {
        self.dim()
    }

    fn read(&mut self, frames: Range<usize>, pixels: Range<usize>, out: &mut [f32]) -> Result<()> {
        let part = self.slice(ndarray::s![frames, pixels]);
        out.iter_mut().zip(part).for_each(|(to, &value)| *to = value);
        Ok(())
    }
}

/// [`principal_components`](super::principal_components) of series that are read `block` values at a
/// time.
///
/// # Errors
/// Those of the series and of the backend.
pub(super) fn components<B: Backend>(xp: &B, series: &mut dyn Series, block: usize) -> Result<Array2<f64>> {
    let (frames, _) = series.shape();
    let (means, ratios) = statistics(series, block)?;
    let mut pixels = steady_pixels(&ratios);
    let mut components = Array2::zeros((frames, 0));
    for _ in 0..ROUNDS {
        let loadings;
        let x = Centred { series: &mut *series, block, means: &means, pixels: &pixels };
        (components, loadings) = x.decompose(xp)?;
        let heavy: Vec<bool> =
            loadings.rows().into_iter().map(|pixel| pixel.iter().any(|v| v.abs() > MAX_LOADING)).collect();
        if !heavy.contains(&true) {
            break;
        }
        let mut heavy = heavy.into_iter();
        pixels.retain(|_| heavy.next() == Some(false));
    }
    Ok(components)
}

/// Ranges of at most `each` one after another, up to `length`.
fn ranges(length: usize, each: usize) -> impl Iterator<Item = Range<usize>> {
    let each = each.max(1);
    (0..length).step_by(each).map(move |start| start..length.min(start + each))
}

/// The mean over time of each pixel, and its median over its standard deviation.
fn statistics(series: &mut dyn Series, block: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let (frames, pixels) = series.shape();
    let (mut means, mut ratios) = (Vec::with_capacity(pixels), Vec::with_capacity(pixels));
    let mut values = Vec::new();
    for range in ranges(pixels, block / frames.max(1)) {
        let width = range.len();
        values.resize(frames * width, 0.0);
        series.read(0..frames, range, &mut values)?;
        let of_pixel = |pixel: usize| {
            let pixel = values.iter().skip(pixel).step_by(width);
            let mut pixel: Vec<f64> = pixel.copied().map(f64::from).collect();
            let (mean, std) = mean_and_std(&pixel);
            (mean, median(&mut pixel).unwrap_or(f64::NAN) / std)
        };
        let found: Vec<(f64, f64)> = (0..width).into_par_iter().map(of_pixel).collect();
        means.extend(found.iter().map(|&(mean, _)| mean));
        ratios.extend(found.iter().map(|&(_, ratio)| ratio));
    }
    Ok((means, ratios))
}

/// The pixels with a value in every frame whose median over their standard deviation is not an
/// outlier.
fn steady_pixels(ratios: &[f64]) -> Vec<usize> {
    let mut steady: Vec<usize> = (0..ratios.len()).filter(|&pixel| ratios[pixel].is_finite()).collect();
    loop {
        let mut values: Vec<f64> = steady.iter().map(|&pixel| ratios[pixel]).collect();
        let (_, std) = mean_and_std(&values);
        let Some(centre) = median(&mut values) else { return steady };
        let before = steady.len();
        steady.retain(|&pixel| (ratios[pixel] - centre).abs() <= OUTLIER_SIGMAS * std);
        if steady.len() == before {
            return steady;
        }
    }
}

/// The matrix `X`: the series of some of the pixels less their means over time.
struct Centred<'a> {
    series: &'a mut dyn Series,
    block: usize,
    /// Of all pixels.
    means: &'a [f64],
    /// Those that are meant, in order.
    pixels: &'a [usize],
}

impl Centred<'_> {
    /// The first left singular vectors, of shape (frames, components), and the right ones that belong
    /// to them, of shape (pixels, components).
    fn decompose<B: Backend>(mut self, xp: &B) -> Result<(Array2<f64>, Array2<f64>)> {
        let (frames, pixels) = (self.series.shape().0, self.pixels.len());
        let wanted = COMPONENTS.min(frames).min(pixels);
        if wanted == 0 {
            return Ok((Array2::zeros((frames, 0)), Array2::zeros((pixels, 0))));
        }
        let over_time = frames <= pixels;
        let shorter = frames.min(pixels);
        let mut gram = Array::zeros(xp, &[shorter, shorter])?;
        self.each_block(xp, over_time, |x| Ok(gram.matmul_add_assign(x, &x.matrix_transpose()?)?))?;

        let (values, vectors) = linalg::eigh(&gram)?;
        drop(gram);
        // In ascending order: the last ones are wanted, from the largest on.
        let values: Vec<f64> = values.to_vec()?.into_iter().rev().take(wanted).collect();
        // Rounding leaves eigenvalues of a singular matrix at this level.
        let noise = values[0] * frames.max(pixels) as f64 * f64::EPSILON;
        let rank = values.iter().take_while(|&&value| value > noise).count();
        let n = shorter as isize;
        let vectors = vectors.slice(s![.., n - rank as isize..n])?.flip(&[1])?.copy()?;
        let scales: Vec<f64> = values[..rank].iter().map(|value| value.sqrt()).collect();
        let scales = Array::from_slice(xp, &scales)?;

        let mut longer = Vec::with_capacity(frames.max(pixels) * rank);
        self.each_block(xp, over_time, |x| {
            let vectors = (&x.matrix_transpose()?.matmul(&vectors)? / &scales)?;
            longer.extend(vectors.to_vec()?);
            Ok(())
        })?;
        let longer = matrix(Array2::from_shape_vec((frames.max(pixels), rank), longer))?;
        let shorter = matrix(vectors.to_ndarray()?.into_dimensionality::<Ix2>())?;
        let (mut u, v) = if over_time { (shorter, longer) } else { (longer, shorter) };
        for mut component in u.columns_mut() {
            if largest(&component.view()) < 0.0 {
                component.mapv_inplace(|value| -value);
            }
        }
        Ok((u, v))
    }

    /// Hands out the matrix block by block: all frames of some pixels, or, transposed, all pixels of
    /// some frames.
    fn each_block<B: Backend>(
        &mut self,
        xp: &B,
        by_pixels: bool,
        mut work: impl FnMut(&Array<f64, B>) -> Result<()>,
    ) -> Result<()> {
        let (frames, pixels) = self.series.shape();
        let mut values = Vec::new();
        if by_pixels {
            for range in ranges(pixels, self.block / frames.max(1)) {
                let block = self.read(xp, 0..frames, range, &mut values)?;
                if !block.is_empty() {
                    work(&block)?;
                }
            }
        } else {
            for range in ranges(frames, self.block / pixels.max(1)) {
                work(&self.read(xp, range, 0..pixels, &mut values)?.matrix_transpose()?)?;
            }
        }
        Ok(())
    }

    /// Some frames of those pixels that are among some of all, of shape (frames, pixels).
    fn read<B: Backend>(
        &mut self,
        xp: &B,
        frames: Range<usize>,
        range: Range<usize>,
        values: &mut Vec<f32>,
    ) -> Result<Array<f64, B>> {
        let below = |end: usize| self.pixels.partition_point(|&pixel| pixel < end);
        let pixels = &self.pixels[below(range.start)..below(range.end)];
        let (count, width, first) = (frames.len(), range.len(), range.start);
        values.resize(count * width, 0.0);
        self.series.read(frames, range, values)?;
        let mut block = Vec::with_capacity(count * pixels.len());
        for frame in values.chunks_exact(width.max(1)) {
            block.extend(pixels.iter().map(|&pixel| f64::from(frame[pixel - first]) - self.means[pixel]));
        }
        Ok(Array::from_vec(xp, block, &[count, pixels.len()])?)
    }
}

/// The value of largest magnitude, the first of equals.
pub(super) fn largest(values: &ArrayView1<f64>) -> f64 {
    values.iter().fold(0.0, |largest: f64, &value| if value.abs() > largest.abs() { value } else { largest })
}

fn matrix(array: std::result::Result<Array2<f64>, ndarray::ShapeError>) -> Result<Array2<f64>> {
    array.map_err(|error| Error::InvalidArgument(format!("not a matrix: {error}")))
}
