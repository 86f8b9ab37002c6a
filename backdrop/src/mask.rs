//! Which pixels show the background alone: the star mask and the saturation mask, both true where
//! a pixel is kept, made from the minimum image (the pixel-wise minimum over the good frames).

use array_api::{Array, Backend};
use ndarray::{Array2, Axis, Zip, s};

use crate::error::Result;

/// Largest gradient of a pixel without a star, in electrons/s per pixel.
const MAX_GRADIENT: f32 = 25.0;

/// Flux of a saturated pixel, in electrons/s.
const SATURATION: f32 = 9e4;

/// How often the saturated area grows by one pixel.
const SATURATION_GROWTH: usize = 3;

/// `sigma_f` of a masked pixel; that of a clean one is 1.
pub const MASKED_SIGMA: f64 = 1e6;

/// `1 / sigma_f` of each pixel, of shape (rows, columns): 1 where the mask is true, else 1e-6.
pub(crate) fn weights<B: Backend>(xp: &B, keep: &Array2<bool>) -> Result<Array<f64, B>> {
    let weights = keep.mapv(|keep| if keep { 1.0 } else { 1.0 / MASKED_SIGMA });
    Ok(Array::from_ndarray(xp, &weights)?)
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
/// and so for the neighbours above, below, left and right.
pub fn star_mask(image: &Array2<f32>) -> Array2<bool> {
    let [rows, columns] = [gradient(image, 0), gradient(image, 1)];
    let mut masked = Array2::from_elem(image.raw_dim(), false);
    Zip::from(&mut masked).and(image).and(&rows).and(&columns).for_each(|masked, &flux, &dy, &dx| {
        // Written so that NaN is masked.
        let quiet = dy.hypot(dx) < MAX_GRADIENT && flux < SATURATION;
        *masked = !quiet;
    });
    grown(&masked).mapv_into(|masked| !masked)
}

/// A mask with the neighbours above, below, left and right of its pixels.
pub(crate) fn grown(mask: &Array2<bool>) -> Array2<bool> {
    let mut grown = mask.clone();
    for axis in [0, 1] {
        let length = mask.len_of(Axis(axis));
        if length < 2 {
            continue;
        }
        let (axis, cut) = (Axis(axis), length - 1);
        let (head, tail) = (mask.view().split_at(axis, cut).0, mask.view().split_at(axis, 1).1);
        grown.view_mut().split_at(axis, 1).1.zip_mut_with(&head, |grown, &masked| *grown |= masked);
        grown.view_mut().split_at(axis, cut).0.zip_mut_with(&tail, |grown, &masked| *grown |= masked);
    }
    grown
}

/// Differences along an axis: central inside, one-sided at the ends, zero on an axis of one pixel
/// (`numpy.gradient`).
fn gradient(image: &Array2<f32>, axis: usize) -> Array2<f32> {
    let mut result = Array2::zeros(image.raw_dim());
    let n = image.len_of(Axis(axis));
    if n < 2 {
        return result;
    }
    // Along rows of the transposed image for axis 0, so that the formula stands once.
    let (image, mut out) = if axis == 0 {
        (image.t(), result.view_mut().reversed_axes())
    } else {
        (image.view(), result.view_mut())
    };
    Zip::from(out.slice_mut(s![.., 1..n - 1]))
        .and(image.slice(s![.., 2..]))
        .and(image.slice(s![.., ..n - 2]))
        .for_each(|out, &after, &before| *out = 0.5 * (after - before));
    Zip::from(out.column_mut(0))
        .and(image.column(1))
        .and(image.column(0))
        .for_each(|out, &after, &before| *out = after - before);
    Zip::from(out.column_mut(n - 1))
        .and(image.column(n - 1))
        .and(image.column(n - 2))
        .for_each(|out, &after, &before| *out = after - before);
    result
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
        grow_where_gradient(&mut masked);
    }
    for (column, lane) in saturated.columns().into_iter().enumerate() {
        let mut length = 0;
        for row in 0..=lane.len() {
            if lane.get(row) == Some(&true) {
                length += 1;
            } else if length > 0 {
                mask_halo(&mut masked, row as f64 - 0.5 * (length + 1) as f64, column, length);
                length = 0;
            }
        }
    }
    masked.mapv_into(|masked| !masked)
}

/// Masks the pixels where the gradient of the mask, taken as zeros and ones, is not zero.
fn grow_where_gradient(masked: &mut Array2<bool>) {
    let values = masked.mapv(|masked| f32::from(u8::from(masked)));
    let [rows, columns] = [gradient(&values, 0), gradient(&values, 1)];
    Zip::from(masked).and(&rows).and(&columns).for_each(|masked, &dy, &dx| {
        *masked |= dy != 0.0 || dx != 0.0;
    });
}

/// Masks around a run of `length` saturated pixels centred at `(centre, column)`.
fn mask_halo(masked: &mut Array2<bool>, centre: f64, column: usize, length: usize) {
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
