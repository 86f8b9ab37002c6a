//! Which pixels show the background alone: the star mask and the saturation mask, both true where
//! a pixel is kept, made from the minimum image (the pixel-wise minimum over the good frames).

use array_api::lazy::{Expression, Lazy};
use array_api::{Array, Backend, Cast, Float};
use ndarray::Array2;
use rayon::prelude::*;

use crate::error::Result;

/// Largest gradient of a pixel without a star, in electrons/s per pixel.
const MAX_GRADIENT: f32 = 25.0;

/// Flux of a saturated pixel, in electrons/s.
const SATURATION: f32 = 9e4;

/// How often the saturated area grows by one pixel.
const SATURATION_GROWTH: usize = 3;

/// `sigma_f` of a masked pixel; that of a clean one is 1.
pub const MASKED_SIGMA: f64 = 1e6;

/// `1 / sigma_f` of a pixel: 1 where the mask is true, else 1e-6.
pub(crate) fn weight(keep: bool) -> f64 {
    if keep { 1.0 } else { 1.0 / MASKED_SIGMA }
}

/// [`weight`] of each pixel, of shape (rows, columns).
pub(crate) fn weights<B: Backend>(xp: &B, keep: &Array2<bool>) -> Result<Array<f64, B>> {
    Ok(lazy_weights(&Array::from_ndarray(xp, keep)?).eval()?)
}

/// [`weights`] in an expression.
pub(crate) fn lazy_weights<P: Float, B: Backend>(
    keep: &Array<bool, B>,
) -> Lazy<impl Expression<B, Item = P> + use<P, B>, B>
where
    bool: Cast<P>,
{
    keep.lazy().astype::<P>().maximum_scalar(P::from_f64(weight(false)))
}

/// Both masks of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Masks {
    /// True where there is no star, of shape (rows, columns).
    pub star: Array2<bool>,
    /// True where no saturated star reaches, of shape (rows, columns).
    pub saturation: Array2<bool>,
}

impl Masks {
    /// The masks of a minimum image in electrons/s, of shape (rows, columns).
    pub fn new(minimum: &Array2<f32>) -> Self {
        Self { star: star_mask(minimum), saturation: saturation_mask(minimum) }
    }

    /// True where both masks keep a pixel.
    pub fn clean(&self) -> Array2<bool> {
        &self.star & &self.saturation
    }
}

/// True where the gradient is below 25 electrons/s per pixel and the flux below 9e4 electrons/s,
/// and so for the neighbours above, below, left and right. Gradients are those of `numpy.gradient`: central
/// differences inside, one-sided ones at the ends, zero along an axis of one pixel.
pub fn star_mask(image: &Array2<f32>) -> Array2<bool> {
    let slope =
        |(before, after): (f32, f32), apart| if apart == 2 { 0.5 * (after - before) } else { after - before };
    let masked = by_rows(image, |Rows { above, row, below, apart }, column| {
        let [left, right] = beside(column, row.len());
        let dy = slope((above[column], below[column]), apart);
        let dx = slope((row[left], row[right]), right - left);
        let [dy, dx] = [dy, dx].map(f64::from);
        let gradient = (dy * dy + dx * dx).sqrt() as f32;
        // Written so that NaN is masked.
        let quiet = (gradient < MAX_GRADIENT) & (row[column] < SATURATION);
        !quiet
    });
    grown(&masked).mapv_into(|masked| !masked)
}

/// A mask with the neighbours above, below, left and right of its pixels.
pub(crate) fn grown(mask: &Array2<bool>) -> Array2<bool> {
    by_rows(mask, |Rows { above, row, below, .. }, column| {
        let [left, right] = beside(column, row.len());
        row[column] | above[column] | below[column] | row[left] | row[right]
    })
}

/// A row and those beside it; at the first and the last row it stands for the one that is not there.
struct Rows<'a, T> {
    above: &'a [T],
    row: &'a [T],
    below: &'a [T],
    /// How many rows the outer two are apart.
    apart: usize,
}

/// The columns to the left and to the right, or the column itself at an end.
fn beside(column: usize, columns: usize) -> [usize; 2] {
    [column.saturating_sub(1), (column + 1).min(columns - 1)]
}

/// A mask that has at each pixel what `at` makes of the rows around it and of its column, on all threads.
fn by_rows<T: Copy + Sync>(
    image: &Array2<T>,
    at: impl Fn(Rows<'_, T>, usize) -> bool + Sync,
) -> Array2<bool> {
    let (rows, columns) = image.dim();
    let image = image.as_standard_layout();
    let mut mask = Array2::from_elem((rows, columns), false);
    let (Some(pixels), Some(out)) = (image.as_slice(), mask.as_slice_mut()) else {
        unreachable!("both are in row-major order")
    };
    out.par_chunks_mut(columns.max(1)).enumerate().for_each(|(number, out)| {
        let [before, after] = beside(number, rows);
        let row = |number: usize| &pixels[number * columns..][..columns];
        let (above, row, below) = (row(before), row(number), row(after));
        for (column, out) in out.iter_mut().enumerate() {
            *out = at(Rows { above, row, below, apart: after - before }, column);
        }
    });
    mask
}

/// True where no saturated pixel is near: neither within three steps of one, nor in the halo of a
/// bleed column.
///
/// A vertical run of `L` saturated pixels (flux above 9e4 electrons/s) has the radius
/// `R = 0.75 L`. If that is above 1, pixels closer than `R` to its centre are masked, and pixels
/// closer than `4 R` whose column is within `ceil(min(R / 2, 15))` of the run's.
pub fn saturation_mask(image: &Array2<f32>) -> Array2<bool> {
    let saturated = image.mapv(|flux| flux > SATURATION);
    let mut masked = saturated.clone();
    for _ in 0..SATURATION_GROWTH {
        masked = grown_by_gradient(&masked);
    }
    // The saturated pixels right above, by column; row by row, as they lie in memory.
    let mut lengths = vec![0; image.ncols()];
    for (row, pixels) in saturated.rows().into_iter().enumerate() {
        for ((column, length), &saturated) in lengths.iter_mut().enumerate().zip(pixels) {
            if saturated {
                *length += 1;
            } else if *length > 0 {
                mask_halo(&mut masked, row, column, std::mem::take(length));
            }
        }
    }
    for (column, &length) in lengths.iter().enumerate() {
        mask_halo(&mut masked, image.nrows(), column, length);
    }
    masked.mapv_into(|masked| !masked)
}

/// A mask and the pixels where its gradient, taken as zeros and ones, is not zero.
fn grown_by_gradient(mask: &Array2<bool>) -> Array2<bool> {
    by_rows(mask, |Rows { above, row, below, .. }, column| {
        let [left, right] = beside(column, row.len());
        row[column] | (above[column] != below[column]) | (row[left] != row[right])
    })
}

/// Masks around a run of `length` saturated pixels of a column, the last of which is right above row `end`.
fn mask_halo(masked: &mut Array2<bool>, end: usize, column: usize, length: usize) {
    let centre = end as f64 - 0.5 * (length + 1) as f64;
    let radius = 0.75 * length as f64;
    if radius <= 1.0 {
        return;
    }
    let spike_width = (0.5 * radius).min(15.0).ceil();
    let (rows, columns) = masked.dim();
    let within = |centre: f64, reach: f64, length: usize| {
        let first = (centre - reach).ceil().max(0.0) as usize;
        let last = (centre + reach).floor().min(length as f64 - 1.0);
        first..(last + 1.0).max(0.0) as usize
    };
    let reach = radius.max(spike_width);
    for row in within(centre, 4.0 * radius, rows) {
        for other in within(column as f64, reach, columns) {
            let across = (other as f64 - column as f64).abs();
            let distance = across.hypot(row as f64 - centre);
            if distance < radius || (distance < 4.0 * radius && across <= spike_width) {
                masked[(row, other)] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
