//! What is left of the pixels over time: jitter and background components.
//!
//! Jitter pixels are drawn at random from those that a star touches and no saturation reaches:
//! what is left of them after the background is subtracted moves with the pointing of the
//! spacecraft. Background pixels are drawn from the clean ones and show what the model misses. With
//! enough frames each set is compressed to its principal components in time, which light curves of
//! the same CCD can be corrected with; with fewer the pixels themselves are kept.
//!
//! With `X[frame, pixel]` the residuals less their mean over time, the components are the left
//! singular vectors of `X = U diag(s) V^T` that belong to the largest singular values: orthonormal
//! columns. They come from the eigenvectors of `X X^T`, or of `X^T X` where there are more frames than
//! pixels. The largest value of each is positive, so that results repeat.

use array_api::{Array, Backend, linalg};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Ix2};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::mask::Masks;
use crate::statistics::{mean_and_std, median};

/// Components of each set of pixels.
pub const COMPONENTS: usize = 10;

/// Fitted frames from which on pixels are compressed to components.
pub const MIN_COMPONENT_FRAMES: usize = 50;

/// Rounds of principal component analysis, at most.
const ROUNDS: usize = 5;

/// Largest loading (entry of `V`) of a pixel: beyond, a component shows little but that pixel.
const MAX_LOADING: f64 = 0.5;

/// Standard deviations by which a pixel's median over its scatter may differ from those of others.
const OUTLIER_SIGMAS: f64 = 5.0;

/// The pixels that components are made from, (row, column), sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SamplePixels {
    /// Pixels that the star mask drops and the saturation mask keeps.
    pub jitter: Vec<(u32, u32)>,
    /// Pixels that both masks keep.
    pub background: Vec<(u32, u32)>,
}

impl SamplePixels {
    /// Draws up to `count` pixels for either set.
    ///
    /// ```
    /// use backdrop::components::SamplePixels;
    /// use backdrop::mask::Masks;
    /// use ndarray::Array2;
    ///
    /// let star = Array2::from_shape_fn((8, 8), |(row, _)| row >= 2);
    /// let masks = Masks { star, saturation: Array2::from_elem((8, 8), true) };
    /// let pixels = SamplePixels::draw(&masks, 20, 0);
    /// // Two rows of eight pixels are stars.
    /// assert_eq!((pixels.jitter.len(), pixels.background.len()), (16, 20));
    /// assert_eq!(pixels, SamplePixels::draw(&masks, 20, 0));
    /// ```
    pub fn draw(masks: &Masks, count: usize, seed: u64) -> Self {
        let draw = |stream: u64, wanted_star: bool| {
            let candidates: Vec<(u32, u32)> = masks
                .star
                .indexed_iter()
                .zip(&masks.saturation)
                .filter(|((_, star), saturation)| **star == wanted_star && **saturation)
                .map(|(((row, column), _), _)| (row as u32, column as u32))
                .collect();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            let mut chosen =
                index::sample(&mut rng, candidates.len(), count.min(candidates.len())).into_vec();
            chosen.sort_unstable();
            chosen.into_iter().map(|index| candidates[index]).collect()
        };
        Self { jitter: draw(0, false), background: draw(1, true) }
    }
}

/// The principal components in time of some pixels' series, of shape (frames, pixels): at most
/// [`COMPONENTS`] orthonormal columns, of shape (frames, components).
///
/// Pixels without a value in some frame are left out, then those whose median over their standard
/// deviation is more than 5 standard deviations from the median of all (repeated until none is),
/// then, for up to five rounds, those with a loading above 0.5 in any component.
///
/// # Errors
/// Those of the backend.
pub fn principal_components<B: Backend>(xp: &B, series: &ArrayView2<f32>) -> Result<Array2<f64>> {
    let mut pixels = steady_pixels(series);
    let mut components = Array2::zeros((series.nrows(), 0));
    for _ in 0..ROUNDS {
        let mut x = series.select(Axis(1), &pixels).mapv(f64::from);
        for mut pixel in x.columns_mut() {
            let mean = pixel.sum() / pixel.len() as f64;
            pixel -= mean;
        }
        let loadings;
        (components, loadings) = decompose(xp, &x)?;
        let heavy: Vec<bool> =
            loadings.columns().into_iter().map(|pixel| pixel.iter().any(|v| v.abs() > MAX_LOADING)).collect();
        if !heavy.contains(&true) {
            break;
        }
        let mut heavy = heavy.into_iter();
        pixels.retain(|_| heavy.next() == Some(false));
    }
    Ok(components)
}

/// The first left singular vectors of `x`, of shape (frames, components), and the right ones that
/// belong to them, of shape (components, pixels).
fn decompose<B: Backend>(xp: &B, x: &Array2<f64>) -> Result<(Array2<f64>, Array2<f64>)> {
    let (frames, pixels) = x.dim();
    let wanted = COMPONENTS.min(frames).min(pixels);
    if wanted == 0 {
        return Ok((Array2::zeros((frames, 0)), Array2::zeros((0, pixels))));
    }
    let x = Array::from_ndarray(xp, x)?;
    let transposed = x.matrix_transpose()?;
    let over_time = frames <= pixels;
    let gram = if over_time { x.matmul(&transposed)? } else { transposed.matmul(&x)? };
    let (values, vectors) = linalg::eigh(&gram)?;
    // In ascending order: the last ones are wanted, from the largest on.
    let values: Vec<f64> = values.to_vec()?.into_iter().rev().take(wanted).collect();
    // Rounding leaves eigenvalues of a singular matrix at this level.
    let noise = values[0] * frames.max(pixels) as f64 * f64::EPSILON;
    let rank = values.iter().take_while(|&&value| value > noise).count();
    let n = gram.shape()[0] as isize;
    let vectors = vectors.slice(array_api::s![.., n - rank as isize..n])?.flip(&[1])?;
    let scales: Vec<f64> = values[..rank].iter().map(|value| value.sqrt()).collect();
    let scales = Array::from_slice(xp, &scales)?;
    let (u, v) = if over_time {
        let v = (&transposed.matmul(&vectors)? / &scales)?;
        (vectors, v)
    } else {
        ((&x.matmul(&vectors)? / &scales)?, vectors)
    };
    let (mut u, v) = (on_host(&u)?, on_host(&v)?);
    for mut component in u.columns_mut() {
        if largest(&component.view()) < 0.0 {
            component.mapv_inplace(|value| -value);
        }
    }
    Ok((u, v.reversed_axes()))
}

/// The value of largest magnitude, the first of equals.
fn largest(values: &ArrayView1<f64>) -> f64 {
    values.iter().fold(0.0, |largest: f64, &value| if value.abs() > largest.abs() { value } else { largest })
}

fn on_host<B: Backend>(array: &Array<f64, B>) -> Result<Array2<f64>> {
    let array = array.to_ndarray()?.into_dimensionality::<Ix2>();
    array.map_err(|error| Error::InvalidArgument(format!("not a matrix: {error}")))
}

/// The pixels with a value in every frame whose median over their standard deviation is not an
/// outlier.
fn steady_pixels(series: &ArrayView2<f32>) -> Vec<usize> {
    let ratio = |pixel: ArrayView1<f32>| {
        let mut values: Vec<f64> = pixel.iter().copied().map(f64::from).collect();
        let (_, std) = mean_and_std(&values);
        median(&mut values).unwrap_or(f64::NAN) / std
    };
    let ratios: Vec<f64> = series.columns().into_iter().map(ratio).collect();
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

#[cfg(test)]
mod tests;
