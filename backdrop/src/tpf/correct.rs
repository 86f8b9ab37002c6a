//! The flux of a target pixel file minus the model, cadence by cadence.

use std::ops::Range;

use array_api::Backend;
use ndarray::{Array3, Axis, s};

use super::TargetPixelFile;
use crate::background::Evaluator;
use crate::error::{Error, Result, shortened};
use crate::file::{AnyModel, fitted_frames};

/// Bytes of background that are evaluated at once.
const BATCH_BYTES: usize = 64 << 20;

/// How [`correct`] corrects.
///
/// ```
/// use backdrop::tpf::CorrectOptions;
///
/// // By default the model alone is subtracted.
/// assert_eq!(CorrectOptions::default(), CorrectOptions { average: false });
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CorrectOptions {
    /// Whether to subtract the model's average frame, too, which leaves of a star only what
    /// changes.
    pub average: bool,
}

/// What gives the standard deviation of a model in electrons/s, of shape (frames, rows, columns),
/// for positions in the model's list of frames, science rows and science columns.
///
/// ```
/// use backdrop::tpf::Sigma;
/// use ndarray::Array3;
///
/// let half: &Sigma = &|frames, rows, columns| {
///     Ok(Array3::from_elem((frames.len(), rows.len(), columns.len()), 0.5))
/// };
/// assert_eq!(half(&[7], &[0, 1], &[5])?.dim(), (1, 2, 1));
/// # Ok::<(), backdrop::error::Error>(())
/// ```
pub type Sigma<'a> = dyn Fn(&[usize], &[usize], &[usize]) -> Result<Array3<f64>> + 'a;

/// A target pixel file with its background subtracted. There is an example at
/// [`TargetPixelFile`].
#[derive(Debug, Clone, PartialEq)]
pub struct Corrected {
    /// The corrected flux, (cadences, rows, columns), in electrons/s; NaN where there is no
    /// background.
    pub flux: Array3<f32>,
    /// The standard deviation of the flux, of the same shape, in electrons/s, that of the model
    /// included if it was given.
    pub flux_error: Array3<f32>,
    /// What was subtracted from the flux that the detector measured, of the same shape, in
    /// electrons/s; NaN where there is no background.
    pub background: Array3<f32>,
    /// The position of each cadence's frame in the model's list of frames.
    pub frames: Vec<Option<usize>>,
    /// Cadences that were corrected.
    pub corrected: usize,
    /// Cadences that belong to no frame of the model, those without a time included.
    pub unmatched: usize,
    /// Cadences that belong to a frame that was not fitted.
    pub unfitted: usize,
    /// Pixels outside of the part of the CCD that the model was fitted to.
    pub pixels_outside: usize,
    /// How it was done.
    pub options: CorrectOptions,
    /// Whether the standard deviation of the model is part of that of the flux.
    pub sigma_added: bool,
    /// The software that fitted the model.
    pub(super) model_software: String,
}

/// Subtracts a model from a target pixel file, as the [module](super) says. `sigma`, if it is
/// given, is added to the standard deviation of the flux in quadrature.
///
/// There is an example at [`TargetPixelFile`].
///
/// # Errors
/// [`Error::WrongTarget`] if the file is of another sector, camera or CCD than the model;
/// [`Error::InvalidArgument`] if a model was subtracted from it already, its flux is none a second,
/// it does not say where its pixels are, none of them is within the part of the CCD that was fitted, no cadence belongs to a frame
/// of the model, or the model has no average frame to subtract; as [`Evaluator::evaluate`], and as `sigma`.
pub fn correct<B: Backend>(
    xp: &B,
    tpf: &TargetPixelFile,
    model: &dyn AnyModel,
    options: CorrectOptions,
    sigma: Option<&Sigma<'_>>,
) -> Result<Corrected> {
    let head = model.without_weights();
    head.check_target(tpf.target)?;
    let refused = |reason: String| Error::InvalidArgument(format!("{}: {reason}", tpf.path.display()));
    if let Some(other) = &tpf.subtracted {
        let other = shortened(other);
        return Err(refused(format!("its background was subtracted already, with the model {other}")));
    }
    if let Some(unit) = tpf.unit.as_ref().filter(|unit| !unit.trim_end().ends_with("/s")) {
        let unit = shortened(unit);
        return Err(refused(format!(
            "its flux is in {unit}, the model in electrons/s: divide FLUX, FLUX_ERR and FLUX_BKG by the \
             time on source first (cut-outs of TICA frames have electrons a frame)"
        )));
    }
    if options.average && head.average_frame.iter().all(|&pixel| pixel == 0.0) {
        return Err(refused("the model has no average frame to subtract".into()));
    }
    let (cadences, rows, columns) = tpf.shape();
    let corner = tpf.corner.ok_or_else(|| {
        refused("it does not say where its pixels are (1CRV5P, 2CRV5P): give the corner, or a frame".into())
    })?;
    let part = Part::new(corner, (rows, columns), head.shape).ok_or_else(|| {
        let (row, column) = corner;
        refused(format!(
            "its pixels, from row {row} and column {column} on, are outside of the {} x {} pixels \
             that the model was fitted to",
            head.shape.0, head.shape.1
        ))
    })?;

    let frames = frames_of(tpf, &head.tstart, &head.tstop);
    let fitted = fitted_frames(model)?;
    let unmatched = frames.iter().filter(|frame| frame.is_none()).count();
    if unmatched == cadences {
        return Err(refused(format!(
            "none of its times {} is within a frame of the model {}",
            span(tpf.time.iter().copied()),
            span(head.tstart.iter().chain(&head.tstop).copied())
        )));
    }
    // By frame, so that each is evaluated once however many cadences it has.
    let mut order: Vec<(usize, usize)> = (0..cadences)
        .filter_map(|cadence| Some((frames[cadence].filter(|&frame| fitted[frame])?, cadence)))
        .collect();
    order.sort_unstable();

    let nothing = Array3::from_elem((cadences, rows, columns), f32::NAN);
    let mut result = Corrected {
        flux: nothing.clone(),
        flux_error: tpf.flux_error.clone(),
        background: nothing,
        corrected: order.len(),
        unmatched,
        unfitted: cadences - unmatched - order.len(),
        pixels_outside: rows * columns - part.rows.len() * part.columns.len(),
        frames,
        options,
        sigma_added: sigma.is_some(),
        model_software: head.software.clone(),
    };
    let (model_rows, model_columns) = part.science(corner);
    let evaluator = Evaluator::new(xp, model, &model_rows, &model_columns)?;
    let average = options
        .average
        .then(|| head.average_frame.select(Axis(0), &model_rows).select(Axis(1), &model_columns));
    let mut distinct: Vec<usize> = order.iter().map(|&(frame, _)| frame).collect();
    distinct.dedup();
    let batch = BATCH_BYTES / (model_rows.len() * model_columns.len() * size_of::<f64>());
    let mut order = order.as_slice();
    for batch in distinct.chunks(batch.max(1)) {
        let mut light = evaluator.evaluate(batch)?;
        if let Some(average) = &average {
            light += average;
        }
        let sigma = sigma.map(|sigma| sigma(batch, &model_rows, &model_columns)).transpose()?;
        for (position, frame) in batch.iter().enumerate() {
            let light = light.index_axis(Axis(0), position);
            let sigma = sigma.as_ref().map(|sigma| sigma.index_axis(Axis(0), position));
            let count = order.partition_point(|(other, _)| other <= frame);
            let (these, rest) = order.split_at(count);
            order = rest;
            for &(_, cadence) in these {
                let at = s![cadence, part.rows.clone(), part.columns.clone()];
                let mut flux = tpf.flux.slice(at).mapv(f64::from);
                if let Some(background) = tpf.background.as_ref().filter(|_| tpf.background_subtracted) {
                    flux += &background.slice(at).mapv(f64::from);
                }
                flux -= &light;
                result.flux.slice_mut(at).assign(&flux.mapv(|flux| flux as f32));
                result.background.slice_mut(at).assign(&light.mapv(|light| light as f32));
                if let Some(sigma) = sigma {
                    result.flux_error.slice_mut(at).zip_mut_with(&sigma, |error, &sigma| {
                        *error = f64::from(*error).hypot(sigma) as f32;
                    });
                }
            }
        }
    }
    Ok(result)
}

/// The part of the images of a target pixel file that a model was fitted to.
pub(super) struct Part {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Part {
    /// The part of images of `shape` whose first pixel is at `corner` within the first rows and
    /// columns that `fitted` gives the numbers of, or `None` if there is none.
    pub(super) fn new(corner: (i64, i64), shape: (usize, usize), fitted: (usize, usize)) -> Option<Self> {
        let within = |first: i64, length: usize, fitted: usize| {
            let inside = |pixel: i64| usize::try_from(pixel.clamp(0, length as i64)).unwrap_or(0);
            let range = inside(first.saturating_neg())..inside((fitted as i64).saturating_sub(first));
            (!range.is_empty()).then_some(range)
        };
        let rows = within(corner.0, shape.0, fitted.0)?;
        Some(Self { rows, columns: within(corner.1, shape.1, fitted.1)? })
    }

    /// Its science rows and columns.
    pub(super) fn science(&self, corner: (i64, i64)) -> (Vec<usize>, Vec<usize>) {
        let science = |range: &Range<usize>, first: i64| {
            range.clone().filter_map(|pixel| usize::try_from(first + pixel as i64).ok()).collect()
        };
        (science(&self.rows, corner.0), science(&self.columns, corner.1))
    }
}

/// Of each cadence, the frame within whose exposure its middle lies at the spacecraft.
pub(super) fn frames_of(tpf: &TargetPixelFile, tstart: &[f64], tstop: &[f64]) -> Vec<Option<usize>> {
    let middle = |frame: usize| (tstart[frame] + tstop[frame]) / 2.0;
    let mut sorted: Vec<usize> = (0..tstart.len()).filter(|&frame| middle(frame).is_finite()).collect();
    sorted.sort_by(|&a, &b| middle(a).total_cmp(&middle(b)));
    tpf.time
        .iter()
        .zip(&tpf.time_correction)
        .map(|(time, correction)| {
            let time = time - correction;
            let after = sorted.partition_point(|&frame| middle(frame) < time);
            // The one before and the one after are the nearest.
            let near = &sorted[after.saturating_sub(1)..(after + 1).min(sorted.len())];
            let distance = |frame: &usize| (middle(*frame) - time).abs();
            let nearest = near.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
            // False for a time that is NaN.
            let within = distance(&nearest) <= (tstop[nearest] - tstart[nearest]) / 2.0;
            within.then_some(nearest)
        })
        .collect()
}

/// From the first to the last of some times.
fn span(times: impl Iterator<Item = f64>) -> String {
    let (first, last) =
        times.fold((f64::NAN, f64::NAN), |(first, last), time| (first.min(time), last.max(time)));
    format!("(BTJD {first:.4} to {last:.4})")
}
