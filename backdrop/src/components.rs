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
//! pixels. The largest value of each is positive, so that results repeat. `X` is read in parts, from the
//! disk where it is large.

mod principal;

use array_api::Backend;
use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::error::Result;
use crate::mask::Masks;
pub(crate) use principal::Series;

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
        let Masks { star, saturation } = masks;
        let draw = |stream: u64, wanted_star: bool| {
            let columns_of = |row: usize| {
                let pixels = star.row(row).into_iter().zip(saturation.row(row)).enumerate();
                pixels
                    .filter(move |&(_, (&star, &saturation))| (star == wanted_star) & saturation)
                    .map(|(column, _)| column)
            };
            // Candidates are numbered row by row.
            let counts: Vec<usize> =
                (0..star.nrows()).into_par_iter().map(|row| columns_of(row).count()).collect();
            let candidates = counts.iter().sum();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            let mut chosen = index::sample(&mut rng, candidates, count.min(candidates)).into_vec();
            chosen.sort_unstable();
            let mut chosen = chosen.into_iter().peekable();
            let mut pixels = Vec::with_capacity(chosen.len());
            let mut first = 0;
            for (row, count) in counts.into_iter().enumerate() {
                if chosen.peek().is_some_and(|&number| number < first + count) {
                    let of_row = (first..).zip(columns_of(row));
                    let of_row = of_row.filter(|(number, _)| chosen.next_if_eq(number).is_some());
                    pixels.extend(of_row.map(|(_, column)| (row as u32, column as u32)));
                }
                first += count;
            }
            pixels
        };
        let (jitter, background) = rayon::join(|| draw(0, false), || draw(1, true));
        Self { jitter, background }
    }
}

/// The principal components in time of some pixels' series, of shape (frames, pixels): at most
/// [`COMPONENTS`] orthonormal columns, of shape (frames, components).
///
/// Pixels without a value in some frame are left out, then those whose median over their standard
/// deviation is more than 5 standard deviations from the median of all (repeated until none is),
/// then, for up to five rounds, those with a loading above 0.5 in any component.
///
/// ```
/// use array_api::Cpu;
/// use backdrop::components::principal_components;
/// use ndarray::Array2;
///
/// // All pixels swing as one.
/// let series = Array2::from_shape_fn((60, 40), |(frame, pixel)| ((frame % 5) * (1 + pixel % 2)) as f32);
/// let components = principal_components(&Cpu::new(), &series.view())?;
/// assert_eq!(components.dim(), (60, 1));
/// assert!((components[(3, 0)] / components[(4, 0)] - 0.5).abs() < 1e-12);
/// # Ok::<(), backdrop::error::Error>(())
/// ```
///
/// # Errors
/// Those of the backend.
pub fn principal_components<B: Backend>(xp: &B, series: &ArrayView2<f32>) -> Result<Array2<f64>> {
    components_of(xp, &mut series.view())
}

/// The [`principal_components`] of series that may be larger than memory.
///
/// # Errors
/// Those of the series and of the backend.
pub(crate) fn components_of<B: Backend>(xp: &B, series: &mut dyn Series) -> Result<Array2<f64>> {
    principal::components(xp, series, principal::BLOCK)
}

#[cfg(test)]
mod tests;
