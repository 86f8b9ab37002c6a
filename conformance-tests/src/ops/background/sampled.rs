//! What a fit keeps of single pixels: their residuals, the scatter of each frame, and components in
//! time.
//!
//! Components are singular vectors of a matrix `X` of residuals, which two backends know up to some
//! `E`. A vector is turned by it towards those of singular values `s'` next to its own `s`, by about
//! `|E| / |s - s'|` (P.-A. Wedin, *BIT* 12, 99, 1972). Where that is not small the single vectors are
//! not determined by the residuals, but the space that those of close values span is: each vector is
//! compared with the space of all that may be mixed with it, unless the first ones that are not among
//! the components belong to them.

use array_api::{Array, Cpu, linalg, s};
use backdrop::components::principal_components;
use backdrop::design::Preset;
use backdrop::file::Model;
use backdrop::fit::{FLOOR, FitOptions, FitReport, fit};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings};
use backdrop::source::FrameSource;
use libtest_mimic::Failed;
use ndarray::{Array1, Array2, ArrayView1, Axis, Ix2};

use super::{PART, largest_error};
use crate::testing::{Backend, Case, Check, Outcome, cases, require};
use crate::tolerance;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["backdrop": residuals_of_sampled_pixels, components_of_known_series, components_of_a_fit]
}

/// Small frames with asteroids and a dead column, so that masks change, and pixels lack values.
pub(super) fn simulation(frames: usize) -> Result<Simulation, Failed> {
    let settings = SimulationSettings {
        frames,
        size: 48,
        flagged_frames: usize::from(frames > 10),
        dead_columns: 1,
        asteroids: 2,
        seed: 3,
        ..Default::default()
    };
    Ok(Simulation::new(settings)?)
}

/// A fit with few knots whose masks change every `mask_window` frames.
pub(super) fn sampled_fit<B: Backend>(
    xp: &B,
    source: &Simulation,
    mask_window: usize,
) -> Result<(Model, FitReport), Failed> {
    let options = FitOptions {
        mask_window,
        frames_per_batch: 7,
        asteroids: Some(source.asteroids().clone()),
        sample_pixels: 200,
        ..FitOptions::with_nknots(Preset::default(), 6)
    };
    Ok(fit(xp, source, &options, &Silent)?)
}

/// The residuals `max(F - average, 1e-5) - background` of some pixels in the fitted frames, of shape
/// (frames, pixels), and by how much they may differ between backends: as the background does, and by
/// the rounding to single precision.
fn residuals(
    source: &Simulation,
    model: &Model,
    pixels: &[(u32, u32)],
) -> Result<(Array2<f64>, Array2<f64>), Failed> {
    let pixels: Vec<(usize, usize)> = pixels.iter().map(|&(r, c)| (r as usize, c as usize)).collect();
    let frames: Vec<usize> =
        (0..model.quality.len()).filter(|&frame| model.weights2[(frame, 0)].is_finite()).collect();
    let background = model.evaluate_pixels(&Cpu::new(), &frames, &pixels)?;
    let columns = source.shape().1;
    let mut image = vec![0.0; source.shape().0 * columns];
    let mut residuals = Array2::zeros(background.raw_dim());
    for ((mut residuals, background), &frame) in
        residuals.rows_mut().into_iter().zip(background.rows()).zip(&frames)
    {
        source.read(frame, &mut image)?;
        for ((residual, &(row, column)), background) in residuals.iter_mut().zip(&pixels).zip(background) {
            let flux = f64::from(image[row * columns + column]) - model.average_frame[(row, column)];
            // NaN would not survive a maximum.
            *residual = if flux < FLOOR { FLOOR } else { flux } - background;
        }
    }
    let rounding = residuals.mapv(|r: f64| f64::from(f32::EPSILON) * r.abs());
    Ok((residuals, background.mapv(|b| PART * b.abs()) + rounding))
}

/// With few frames a model has the residuals themselves.
fn residuals_of_sampled_pixels<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let source = simulation(5)?;
    let (model, report) = sampled_fit(xp, &source, 2)?;
    let (on_cpu, expected_report) = sampled_fit(&Cpu::new(), &source, 2)?;
    check.equal("masks", report.mask_windows, expected_report.mask_windows)?;
    check.equal("masks of their own", report.mask_windows > 2 && report.asteroid_pixels > 50, true)?;
    check.equal("pixels", &model.jitter_pixels, &on_cpu.jitter_pixels)?;
    check.equal("pixels", &model.background_pixels, &on_cpu.background_pixels)?;
    for (what, found, expected, pixels) in [
        ("residuals of jitter pixels", &model.jitter, &on_cpu.jitter, &model.jitter_pixels),
        ("residuals of background pixels", &model.background, &on_cpu.background, &model.background_pixels),
    ] {
        require!(pixels.len() == 200, "{} {what}", pixels.len());
        for model in [&model, &on_cpu] {
            let (defined, limits) = residuals(&source, model, pixels)?;
            let limits: Vec<f64> = limits.into_iter().collect();
            let scale = |i: usize, _| limits[i];
            check.error(what, largest_error(found, &defined, scale), &tolerance::RESIDUAL)?;
            check.error(what, largest_error(found, expected, scale), &tolerance::RESIDUAL)?;
        }
    }
    // The dead column is among them.
    require!(model.jitter.iter().any(|r| r.is_nan()), "every jitter pixel has a value");
    let scatter: Vec<f64> = model
        .background
        .rows()
        .into_iter()
        .map(|frame| 1.482_602_218_505_602 * median(frame.iter().map(|r| r.abs()).collect()))
        .collect();
    hold_scatter(check, &model.scatter, &scatter)?;
    hold_scatter(check, &model.scatter, &on_cpu.scatter)
}

/// The scatter follows residuals of backgrounds of some hundred electrons/s.
fn hold_scatter(check: &Check, found: &[f64], expected: &[f64]) -> Outcome {
    let scale = |_, scatter: f64| PART * 1e3 + f64::from(f32::EPSILON) * scatter;
    check.error("scatter", largest_error(found, expected, scale), &tolerance::RESIDUAL)
}

/// Series with given singular vectors and values: Helmert's in time, whose element `k` is `k` times as
/// large as each of those before it and of the other sign, and cosines of whole frequencies over the
/// pixels, which are orthogonal, too.
fn components_of_known_series<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Two that are not told apart, and two too many.
    let values = [1000.0, 700.0, 400.0, 400.0, 200.0, 100.0, 50.0, 30.0, 20.0, 10.0, 1.0, 0.5];
    let helmert = |t: usize, k: usize| {
        let element = if t < k { -1.0 } else { k as f64 * f64::from(u8::from(t == k)) };
        element / ((k * (k + 1)) as f64).sqrt()
    };
    let cosine = |pixels: usize, p: usize, frequency: usize| {
        let angle = std::f64::consts::PI * frequency as f64 * (p as f64 + 0.5) / pixels as f64;
        (2.0 / pixels as f64).sqrt() * angle.cos()
    };
    for (frames, pixels) in [(52, 90), (90, 52)] {
        let defined = Array2::from_shape_fn((frames, values.len()), |(t, number)| helmert(t, number + 2));
        let x = Array2::from_shape_fn((frames, pixels), |(t, p)| {
            let terms = values.iter().zip(defined.row(t)).zip(1..);
            terms.map(|((value, u), number)| value * u * cosine(pixels, p, number)).sum()
        });
        let rounded: Array2<f32> = x.mapv(|x: f64| x as f32);
        let found = principal_components(xp, &rounded.view())?;
        let expected = defined.slice(ndarray::s![.., ..10]).to_owned();
        let rounding = (&x - &rounded.mapv(f64::from)).mapv(|e| e * e).sum().sqrt();
        let determined = hold_components(check, &found, &expected, &values, rounding)?;
        check.equal("components that are determined", determined, 8)?;
    }
    Ok(())
}

/// With many frames a model has the components of the residuals.
fn components_of_a_fit<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let source = simulation(53)?;
    let (model, report) = sampled_fit(xp, &source, 20)?;
    let (on_cpu, _) = sampled_fit(&Cpu::new(), &source, 20)?;
    check.equal("frames, and an average frame", (report.fitted, report.average_used), (52, true))?;
    // That of the clean pixels, and three windows.
    check.equal("sets of masks", report.mask_windows, 4)?;
    let fitted: Vec<usize> = (0..53).filter(|&frame| model.weights2[(frame, 0)].is_finite()).collect();
    for (found, expected, pixels) in [
        (&model.jitter, &on_cpu.jitter, &on_cpu.jitter_pixels),
        (&model.background, &on_cpu.background, &on_cpu.background_pixels),
    ] {
        check.equal("components", found.dim(), (53, 10))?;
        let lacking = found.rows().into_iter().filter(|frame| frame.iter().all(|u| u.is_nan())).count();
        check.equal("frames without components", lacking, 1)?;
        let (x, limits) = residuals(&source, &on_cpu, pixels)?;
        let (kept, values) = singular_values(&x.mapv(|r| f64::from(r as f32)))?;
        let error = limits.select(Axis(1), &kept).mapv(|limit| limit * limit).sum().sqrt();
        let [found, expected] = [found, expected].map(|components| components.select(Axis(0), &fitted));
        let determined = hold_components(check, &found, &expected, &values, error)?;
        require!(determined >= 8, "{determined} components are determined, of {values:?} up to {error}");
    }
    hold_scatter(check, &model.scatter, &on_cpu.scatter)
}

/// How often the error of a matrix two singular values are apart that it does not mix.
const APART: f64 = 20.0;

/// Compares components with others, of which all singular `values` are known, for matrices that differ
/// by `error` (Frobenius norm): the number of those that are determined one by one.
fn hold_components(
    check: &Check,
    found: &Array2<f64>,
    expected: &Array2<f64>,
    values: &[f64],
    error: f64,
) -> Result<usize, Failed> {
    check.equal("shape of the components", found.dim(), expected.dim())?;
    let mut determined = 0;
    for (k, component) in found.columns().into_iter().enumerate() {
        // Eigenvectors of the Gram matrix have the error of its rounding, too.
        let rounding = f64::EPSILON * (found.nrows() as f64) * values[0].powi(2) / values[k];
        let error = error + rounding;
        let distance = |j: usize| (values[j] - values[k]).abs();
        let (close, apart): (Vec<_>, Vec<_>) = (0..values.len()).partition(|&j| distance(j) < APART * error);
        if close.iter().any(|&j| j >= found.ncols()) {
            continue;
        }
        let mut rest = component.to_owned();
        for &j in &close {
            let other = expected.column(j);
            rest.scaled_add(-other.dot(&component), &other);
        }
        let nearest = apart.into_iter().map(distance).fold(values[k], f64::min);
        let angle = rest.dot(&rest).sqrt() * nearest / (2.0 * error);
        check.error("components", angle, &tolerance::COMPONENTS)?;
        if close.len() == 1 {
            determined += 1;
            check.equal("sign of a component", expected.column(k).dot(&component) > 0.0, true)?;
        }
    }
    Ok(determined)
}

/// The pixels of a matrix of series that components are made from, by definition, and the singular
/// values of what is left, in descending order.
fn singular_values(x: &Array2<f64>) -> Result<(Vec<usize>, Vec<f64>), Failed> {
    let spread = |values: ArrayView1<f64>| values.std(0.0);
    let ratio = |pixel: ArrayView1<f64>| median(pixel.to_vec()) / spread(pixel);
    let ratios: Array1<f64> = x.columns().into_iter().map(ratio).collect();
    let mut kept: Vec<usize> = (0..ratios.len()).filter(|&pixel| ratios[pixel].is_finite()).collect();
    loop {
        let left = ratios.select(Axis(0), &kept);
        let centre = median(left.to_vec());
        let outlying = |pixel: usize| (ratios[pixel] - centre).abs() > 5.0 * spread(left.view());
        let before = kept.len();
        kept.retain(|&pixel| !outlying(pixel));
        if kept.len() == before {
            break;
        }
    }
    for _ in 0..5 {
        let mut centred = x.select(Axis(1), &kept);
        centred.columns_mut().into_iter().for_each(|mut pixel| pixel -= pixel.mean().unwrap_or_default());
        let gram = Array::from_ndarray(&Cpu::new(), &centred.dot(&centred.t()))?;
        let (values, vectors) = linalg::eigh(&gram)?;
        let values: Vec<f64> =
            values.to_vec()?.into_iter().rev().map(|value| value.max(0.0).sqrt()).collect();
        let last = vectors.slice(s![.., -10..])?.flip(&[1])?.to_ndarray()?.into_dimensionality::<Ix2>()?;
        let loadings = centred.t().dot(&last) / &Array1::from(values[..10].to_vec());
        let mut heavy = loadings.rows().into_iter().map(|pixel| pixel.iter().any(|v| v.abs() > 0.5));
        let light: Vec<usize> = kept.iter().copied().filter(|_| heavy.next() == Some(false)).collect();
        if light.len() == kept.len() {
            return Ok((kept, values));
        }
        kept = light;
    }
    Err("pixels with large loadings are left after five rounds".into())
}

/// The middle of some numbers, NaN aside.
fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| !value.is_nan());
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n == 0 { f64::NAN } else { 0.5 * (values[(n - 1) / 2] + values[n / 2]) }
}
