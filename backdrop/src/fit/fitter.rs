//! Fitting batches of frames with one set of masks.

use std::sync::{Mutex, PoisonError};

use array_api::lazy::Expression;
use array_api::{Array, Backend, Cast, Csr, Element, Float, Lazy, s};
use ndarray::{Array2, Ix2};

use super::Precision;
use super::images::Images;
use super::samples::Samples;
use super::together::Together;
use crate::background::Background;
use crate::communicator::Alone;
use crate::design::{DesignMatrix, SmoothSums, into_array_error};
use crate::error::{Error, Result};
use crate::mask;
use crate::normal::NormalEquations;

/// The flux in electrons/s that replaces what is not positive before the logarithm is taken.
pub const FLOOR: f64 = 1e-5;

/// What is taken off the minimum image before its own background is fitted, in electrons/s.
const BELOW_MINIMUM: f64 = 1e-6;

/// The model on a window of pixels with normal equations that are factored, ready to fit frames.
pub struct FrameFitter<B: Backend> {
    background: Background<B>,
    equations: [NormalEquations<B>; 2],
    /// The mask, of shape (rows, columns), which weights are made of where they are needed: a byte of memory is read for each
    /// pixel.
    kept: Array<bool, B>,
    precision: Precision,
    /// The average frame in electrons/s, of shape (rows, columns), if one is subtracted.
    average: Option<Array<f32, B>>,
    /// The mask that the fitter was made with, true where a pixel is kept, and its Gram matrices,
    /// which those of other masks follow from; they are made when another mask is set.
    base: (Array2<bool>, Option<[Array<f64, B>; 2]>),
    /// The sums over smooth light with that mask, if they can be made without going through the pixels.
    base_smooth: Option<SmoothSums<B>>,
    /// The same with the mask that is set.
    smooth: Option<Smooth<B>>,
    samples: Option<Samples<B>>,
}

/// The sums over smooth light with a mask, by those with another one.
struct Smooth<B: Backend> {
    sums: SmoothSums<B>,
    /// The pixels that differ, if there are any.
    changed: Option<Changed<B>>,
}

/// Pixels whose weights differ.
struct Changed<B: Backend> {
    /// Their rows of `A1` and `A2`.
    rows: [Csr<f64, B>; 2],
    /// By how much each differs.
    change: Array<f64, B>,
}

/// Another mask has its Gram matrix updated by the pixels that differ if they are at most this
/// share of all; beyond, summing over all pixels anew takes less time.
const MAX_CHANGED_SHARE: usize = 32;

/// The weights of a batch of frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Weights of `A1`, of shape (frames, columns).
    pub weights1: Array2<f64>,
    /// Weights of `A2`, of shape (frames, columns).
    pub weights2: Array2<f64>,
    /// The residuals `f - m1 - m2` of the sampled pixels in electrons/s, of shape (frames, pixels);
    /// not finite where a pixel has no value.
    pub residuals: Array2<f64>,
    /// For each frame the finite pixels that were not positive after the average frame was subtracted.
    pub non_positive_pixels: Vec<u64>,
}

/// What is kept of some frames once their pixels are no longer needed, on the backend.
pub(super) struct Projected<B: Backend> {
    /// `A1^T` of the weighted logarithm of the flux, and `A2^T` of the weighted flux, of shapes (frames, columns).
    sums: [Array<f64, B>; 2],
    /// Finite pixels that are not positive, of shape (frames, 1).
    non_positive: Array<f64, B>,
    /// The flux of the sampled pixels, of shape (frames, pixels), if there are any.
    samples: Option<Array<f32, B>>,
}

impl<B: Backend> Projected<B> {
    /// Some of the frames.
    pub(super) fn take(&self, frames: &[usize]) -> Result<Self> {
        let [sums1, sums2] = &self.sums;
        let frames: Vec<i64> = frames.iter().map(|&frame| frame as i64).collect();
        let frames = Array::from_slice(sums1.backend(), &frames)?;
        Ok(Self {
            sums: [sums1.take(&frames, 0)?, sums2.take(&frames, 0)?],
            non_positive: self.non_positive.take(&frames, 0)?,
            samples: self.samples.as_ref().map(|samples| samples.take(&frames, 0)).transpose()?,
        })
    }
}

impl<B: Backend> FrameFitter<B> {
    /// Factors the normal equations of `A1` and `A2` for a mask of shape (rows, columns), true where
    /// a pixel is kept.
    ///
    /// # Errors
    /// [`NotPositiveDefinite`](crate::error::Error::NotPositiveDefinite).
    pub fn new(xp: &B, matrices: [DesignMatrix<B>; 2], keep: &Array2<bool>) -> Result<Self> {
        Self::new_on(&Together::new(&Alone), xp, matrices, keep)
    }

    /// As [`FrameFitter::new`] on all ranks together, which share the Gram matrices.
    ///
    /// # Errors
    /// As [`FrameFitter::new`]; that of another rank.
    pub(super) fn new_on(
        together: &Together,
        xp: &B,
        [a1, a2]: [DesignMatrix<B>; 2],
        keep: &Array2<bool>,
    ) -> Result<Self> {
        let background = Background { a1, a2 };
        let equations = factored(&background, grams(together, &background, keep)?)?;
        let base_smooth = smooth_sums(&background, keep)?;
        let smooth = base_smooth.clone().map(|sums| Smooth { sums, changed: None });
        let kept = Array::from_ndarray(xp, keep)?;
        Ok(Self {
            background,
            equations,
            kept,
            precision: Precision::default(),
            average: None,
            base: (keep.clone(), None),
            base_smooth,
            smooth,
            samples: None,
        })
    }

    /// The backend that frames are fitted on.
    pub fn backend(&self) -> &B {
        self.background.a1.backend()
    }

    /// Chooses the precision of logarithms in what is fitted from now on.
    pub fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    /// The mask that the fitter was made with.
    pub fn first_mask(&self) -> &Array2<bool> {
        &self.base.0
    }

    /// Factors the normal equations anew for another mask. The Gram matrices are those of the mask
    /// that the fitter was made with, plus what the pixels that differ add or take away, so that the
    /// result does not depend on the masks set in between.
    ///
    /// # Errors
    /// As [`FrameFitter::new`].
    pub fn set_mask(&mut self, keep: &Array2<bool>) -> Result<()> {
        self.set_mask_on(&Together::new(&Alone), keep)
    }

    /// As [`set_mask`](Self::set_mask) on all ranks together, which share the Gram matrices.
    ///
    /// # Errors
    /// As [`FrameFitter::new_on`].
    pub(super) fn set_mask_on(&mut self, together: &Together, keep: &Array2<bool>) -> Result<()> {
        let xp = self.background.a1.backend();
        let changed = differing(&self.base.0, keep);
        let grams = if changed.len() > keep.len() / MAX_CHANGED_SHARE {
            let grams = grams(together, &self.background, keep)?;
            let sums = smooth_sums(&self.background, keep)?;
            self.smooth = sums.map(|sums| Smooth { sums, changed: None });
            grams
        } else {
            let base = match self.base.1.take() {
                Some(base) => base,
                None => grams(together, &self.background, &self.base.0)?,
            };
            let base = self.base.1.insert(base);
            let change = mask::weight(true) - mask::weight(false);
            let signs: Vec<f64> =
                changed.iter().map(|&pixel| if keep[pixel] { change } else { -change }).collect();
            let signs = Array::from_slice(xp, &signs)?;
            let Background { a1, a2 } = &self.background;
            let rows = [rows_of(a1, &changed)?, rows_of(a2, &changed)?];
            let grams = updated(base, &rows, &signs)?;
            let changed = (!changed.is_empty()).then_some(Changed { rows, change: signs });
            self.smooth = self.base_smooth.clone().map(|sums| Smooth { sums, changed });
            grams
        };
        self.equations = factored(&self.background, grams)?;
        self.kept = Array::from_ndarray(xp, keep)?;
        Ok(())
    }

    /// Has [`fit`](Self::fit) give the residuals of some pixels, (row, column) within the window.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn set_samples(&mut self, pixels: &[(usize, usize)]) -> Result<()> {
        self.samples = Some(Samples::new(&self.background, pixels)?);
        Ok(())
    }

    /// Subtracts from every frame to come the average frame: the minimum image, of shape
    /// (rows, columns), less its own background. Where it has no value, nothing is subtracted.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn set_average(&mut self, minimum: &Array2<f32>) -> Result<()> {
        let (rows, columns) = minimum.dim();
        let xp = self.background.a1.backend();
        let minimum = Array::from_ndarray(xp, minimum)?.reshape(&[1, rows, columns])?;
        self.average = None;
        let [w1, w2] = self.solve(&self.project(&minimum)?.sums)?;
        let image = minimum.lazy().astype::<f64>().subtract_scalar(BELOW_MINIMUM);
        let average = image.subtract(self.background.evaluate(&w1, &w2)?.lazy()).nan_to_num(0.0, 0.0, 0.0);
        self.average = Some(average.astype::<f32>().eval()?.reshape(&[rows, columns])?);
        Ok(())
    }

    /// The average frame in electrons/s, of shape (rows, columns); zero if none is subtracted.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn average(&self) -> Result<Array2<f64>> {
        match &self.average {
            Some(average) => matrix(&average.astype()?),
            None => Ok(Array2::zeros(self.background.a1.window().shape())),
        }
    }

    /// Fits frames in electrons/s, of shape (frames, rows, columns). A frame's weights have the
    /// same bits whatever other frames are fitted with it.
    ///
    /// The sum of the smooth light over all pixels, `A2^T diag(1/sigma_f) 10^(A1 w1)`, is made of polynomials that are within
    /// 1e-9 of that light, as the fall of their coefficients tells; where it does not, that of the frame is made pixel by pixel.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn fit(&self, frames: &Array<f32, B>) -> Result<Fitted> {
        self.finish(&[self.project(frames)?])
    }

    /// All of [`fit`](Self::fit) that takes the pixels of frames.
    pub(super) fn project(&self, images: &impl Images<B>) -> Result<Projected<B>> {
        match self.precision {
            Precision::Double => self.project_pixels::<f64>(images),
            Precision::Single => self.project_pixels::<f32>(images),
        }
    }

    /// [`project`](Self::project) with logarithms of type `P`. The average frame is subtracted in single precision, that of
    /// pixels. Sums over pixels are in double precision.
    fn project_pixels<P: Float>(&self, images: &impl Images<B>) -> Result<Projected<B>>
    where
        f32: Cast<P>,
        bool: Cast<P>,
    {
        let Background { a1, a2 } = &self.background;
        let xp = a1.backend();
        let count = images.count();
        let (n1, n2) = (a1.columns(), a2.columns());
        let sampled = Mutex::new(Vec::new());
        let buffer = xp.reduce_tiles(&a1.tiles(count), count, n1 + n2 + 1, |tile| {
            let rows = || tile.rows.clone();
            let kept = self.kept.slice(s![rows()])?;
            let frames = images.tile(tile)?;
            if let Some(samples) = &self.samples
                && let Some(flux) = samples.take(tile, &frames)?
            {
                sampled.lock().unwrap_or_else(PoisonError::into_inner).push(flux);
            }
            let Observed { log, flux, non_positive } = match &self.average {
                Some(average) => {
                    observed::<P, _>(frames.lazy().subtract(average.slice(s![rows()])?.lazy()), &kept)?
                }
                None => observed(frames.lazy(), &kept)?,
            };
            let sums1 = a1.project_rows(&log, rows()).map_err(into_array_error)?;
            let sums2 = a2.project_rows(&flux, rows()).map_err(into_array_error)?;
            Array::concat(&[&sums1, &sums2, &non_positive.astype::<f64>()?.expand_dims(1)?], 1)
        })?;
        let sums = Array::from_buffer(xp, buffer, &[count, n1 + n2 + 1]);
        let sampled = sampled.into_inner().unwrap_or_else(PoisonError::into_inner);
        let flux = |samples: &Samples<B>| samples.flux(count, sampled, self.average.as_ref());
        let samples = self.samples.as_ref().map(flux).transpose()?;
        Ok(Projected {
            sums: [sums.slice(s![.., 0..n1])?, sums.slice(s![.., n1..n1 + n2])?],
            non_positive: sums.slice(s![.., n1 + n2..])?,
            samples,
        })
    }

    /// The weights of `A1` and `A2`, of shapes (frames, columns), from what [`project`](Self::project) has summed up.
    fn solve(&self, [sums1, sums2]: &[Array<f64, B>; 2]) -> Result<[Array<f64, B>; 2]> {
        let w1 = self.equations[0].solve(sums1)?;
        let w2 = self.equations[1].solve(&(sums2 - &self.smooth_light(&w1)?)?)?;
        Ok([w1, w2])
    }

    /// `A2^T` of the weighted smooth light, of shape (frames, columns of `A2`), from the weights of `A1`.
    fn smooth_light(&self, w1: &Array<f64, B>) -> Result<Array<f64, B>> {
        let Some(Smooth { sums, changed }) = &self.smooth else { return self.smooth_pixels(w1) };
        let (mut sums, resolved) = sums.of(w1)?;
        if let Some(Changed { rows: [a1, a2], change }) = changed {
            let mut light = a1.left_matmul_transposed(w1)?;
            light.exp10_assign()?;
            light.multiply_assign(change)?;
            sums.add_assign(&a2.left_matmul(&light)?)?;
        }
        let left: Vec<usize> = (0..resolved.len()).filter(|&frame| !resolved[frame]).collect();
        if left.is_empty() {
            return Ok(sums);
        }
        let weights = left.iter().map(|&frame| w1.slice(s![frame..frame + 1]));
        let of_pixels =
            self.smooth_pixels(&joined(weights.collect::<array_api::Result<Vec<_>>>()?.iter(), 0)?)?;
        for (i, &frame) in left.iter().enumerate() {
            sums.assign(s![frame..frame + 1], &of_pixels.slice(s![i..i + 1])?)?;
        }
        Ok(sums)
    }

    /// [`smooth_light`](Self::smooth_light) pixel by pixel.
    fn smooth_pixels(&self, w1: &Array<f64, B>) -> Result<Array<f64, B>> {
        let Background { a1, a2 } = &self.background;
        let (xp, count) = (a1.backend(), w1.shape()[0]);
        let buffer = xp.reduce_tiles(&a1.tiles(count), count, a2.columns(), |tile| {
            let w1 = w1.slice(s![tile.batch.clone()])?;
            let log = a1.dot_rows(&w1, tile.rows.clone()).map_err(into_array_error)?;
            let weights = mask::lazy_weights(&self.kept.slice(s![tile.rows.clone()])?);
            let light = log.lazy().exp10().multiply(weights).eval()?;
            a2.project_rows(&light, tile.rows.clone()).map_err(into_array_error)
        })?;
        Ok(Array::from_buffer(xp, buffer, &[count, a2.columns()]))
    }

    /// The result for all frames of some parts, one after another. The equations of many frames are solved
    /// in less time than those of one after the other.
    pub(super) fn finish(&self, parts: &[Projected<B>]) -> Result<Fitted> {
        let sums = |design: usize| joined(parts.iter().map(|part| &part.sums[design]), 0);
        let [w1, w2] = self.solve(&[sums(0)?, sums(1)?])?;
        let non_positive = joined(parts.iter().map(|part| &part.non_positive), 0)?;
        let residuals = match &self.samples {
            Some(samples) => {
                let flux = joined(parts.iter().filter_map(|part| part.samples.as_ref()), 0)?;
                matrix(&samples.residuals(&flux, &w1, &w2)?)?
            }
            None => Array2::zeros((w1.shape()[0], 0)),
        };
        let non_positive_pixels = non_positive.to_vec()?.into_iter().map(|count| count as u64).collect();
        Ok(Fitted { weights1: matrix(&w1)?, weights2: matrix(&w2)?, residuals, non_positive_pixels })
    }
}

/// Arrays one after another along an axis.
pub(super) fn joined<'a, T: Element, B: Backend>(
    parts: impl Iterator<Item = &'a Array<T, B>>,
    axis: isize,
) -> array_api::Result<Array<T, B>> {
    match *parts.collect::<Vec<_>>() {
        [alone] => Ok(alone.clone()),
        ref parts => Array::concat(parts, axis),
    }
}

/// [`FLOOR`] where the flux is less or there is no value: pixels without one have the weight of masked ones, so that any
/// number will do.
fn floored<B: Backend>(
    flux: Lazy<impl Expression<B, Item = f32>, B>,
) -> Lazy<impl Expression<B, Item = f32>, B> {
    let floor = FLOOR as f32;
    flux.threshold(floor, f32::MAX, floor)
}

/// What is summed up of frames on a tile.
struct Observed<P: Float, B: Backend> {
    /// The logarithm of the flux, weighted, of shape (frames, rows, columns).
    log: Array<P, B>,
    /// The flux, weighted. It is that of pixels in single precision, and stays so: weights of kept pixels are one.
    flux: Array<f32, B>,
    /// For each frame the number of pixels that are not positive.
    non_positive: Array<i64, B>,
}

fn observed<P: Float, B: Backend>(
    flux: Lazy<impl Expression<B, Item = f32>, B>,
    kept: &Array<bool, B>,
) -> array_api::Result<Observed<P, B>>
where
    f32: Cast<P>,
    bool: Cast<P>,
{
    let floored = floored(flux.clone());
    let log = floored.clone().astype::<P>().log10().multiply(mask::lazy_weights(kept));
    let weighted = floored.multiply(mask::lazy_weights::<f32, _>(kept));
    let below = flux.between(f32::MIN, 0.0);
    let (log, flux, non_positive) = log.eval_two_and_count(&weighted, &below, &[1, 2], false)?;
    Ok(Observed { log, flux, non_positive })
}

/// `A^T diag(1/sigma_f) A` of both designs. Each rank makes some of the parts that belong to pairs of
/// blocks; all get all of them, so that they have the same bits whatever the number of ranks.
fn grams<B: Backend>(
    together: &Together,
    background: &Background<B>,
    keep: &Array2<bool>,
) -> Result<[Array<f64, B>; 2]> {
    let Background { a1, a2 } = background;
    let weights = &together.agree(mask::weights(a1.backend(), keep))?;
    let (rank, size) = (together.ranks().rank(), together.ranks().size());
    if size == 1 {
        return Ok([a1.gram(weights)?, a2.gram(weights)?]);
    }
    let parts: Vec<(usize, usize)> = [a1, a2]
        .iter()
        .enumerate()
        .flat_map(|(i, a)| (0..a.gram_parts()).map(move |part| (i, part)))
        .collect();
    let make = |&(design, part): &(usize, usize)| [a1, a2][design].gram_part(part, weights);
    let mine: Result<Vec<Vec<f64>>> = parts.iter().skip(rank).step_by(size).map(make).collect();
    let mine = mine.map(|parts| bytemuck::cast_slice::<f64, u8>(&parts.concat()).to_vec());
    let all = together.concatenated(mine)?;
    let mut rest = &all[..];
    // Those of rank 0 come first, then those of rank 1, and so on.
    let mut found = vec![Vec::new(); parts.len()];
    for (index, (design, part)) in
        (0..size).flat_map(|rank| parts.iter().enumerate().skip(rank).step_by(size))
    {
        let bytes = [a1, a2][*design].gram_part_len(*part)? * size_of::<f64>();
        let (part, others) = rest.split_at(bytes.min(rest.len()));
        found[index] = bytemuck::pod_collect_to_vec(part);
        rest = others;
    }
    let mut found = found.into_iter();
    let mut of = |a: &DesignMatrix<B>| a.gram_of_parts(found.by_ref().take(a.gram_parts()));
    Ok([of(a1)?, of(a2)?])
}

/// The pixels in which two masks differ.
fn differing(before: &Array2<bool>, after: &Array2<bool>) -> Vec<(usize, usize)> {
    let rows = before.outer_iter().zip(after.outer_iter()).enumerate();
    rows.filter(|(_, (before, after))| before != after)
        .flat_map(|(row, (before, after))| {
            let pixels = before.into_iter().zip(after).enumerate();
            pixels.filter(|(_, (before, after))| before != after).map(move |(column, _)| (row, column))
        })
        .collect()
}

/// Gram matrices after the weights of some pixels have changed, whose rows are given.
fn updated<B: Backend>(
    grams: &[Array<f64, B>; 2],
    rows: &[Csr<f64, B>; 2],
    change: &Array<f64, B>,
) -> Result<[Array<f64, B>; 2]> {
    let update = |gram: &Array<f64, B>, rows: &Csr<f64, B>| {
        let mut sum = gram.copy()?;
        rows.weighted_gram_add(change, &mut sum)?;
        Ok::<_, Error>(sum)
    };
    Ok([update(&grams[0], &rows[0])?, update(&grams[1], &rows[1])?])
}

/// See [`SmoothSums`].
fn smooth_sums<B: Backend>(
    Background { a1, a2 }: &Background<B>,
    keep: &Array2<bool>,
) -> Result<Option<SmoothSums<B>>> {
    SmoothSums::new(a1.backend(), [a1.design(), a2.design()], a1.window(), keep)
}

/// The rows of a design's matrix that belong to some pixels of its window.
pub(super) fn rows_of<B: Backend>(
    matrix: &DesignMatrix<B>,
    pixels: &[(usize, usize)],
) -> Result<Csr<f64, B>> {
    let window = matrix.window();
    let on_ccd: Vec<(usize, usize)> =
        pixels.iter().map(|&(row, column)| (window.rows()[row], window.columns()[column])).collect();
    DesignMatrix::at_pixels(matrix.backend(), matrix.design(), window.ccd(), &on_ccd)
}

/// The normal equations of both designs.
fn factored<B: Backend>(
    background: &Background<B>,
    [gram1, gram2]: [Array<f64, B>; 2],
) -> Result<[NormalEquations<B>; 2]> {
    let Background { a1, a2 } = background;
    Ok([NormalEquations::new("A1", a1, gram1)?, NormalEquations::new("A2", a2, gram2)?])
}

/// A matrix on the host.
fn matrix<B: Backend>(array: &Array<f64, B>) -> Result<Array2<f64>> {
    match array.to_ndarray()?.into_dimensionality::<Ix2>() {
        Ok(matrix) => Ok(matrix),
        Err(error) => unreachable!("one row for each frame, or one for each row of pixels: {error}"),
    }
}
