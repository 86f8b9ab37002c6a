//! What is made of a model: the background of single pixels, its uncertainty, flags, and target pixel
//! files that are corrected and detrended. The model is always the CPU's.

use array_api::Cpu;
use backdrop::file::Model;
use backdrop::flags::{BRIGHT, FAST, NO_MODEL, TargetFlags, Thresholds};
use backdrop::simulate::Simulation;
use backdrop::tpf::{CorrectOptions, Corrected, LightCurve, TargetPixelFile, correct};
use backdrop::uncertainty::Uncertainty;
use libtest_mimic::Failed;
use ndarray::{Array1, Array2, Array3, Axis, concatenate, s};

use super::sampled::{sampled_fit, simulation};
use super::{PART, hold_background, largest_error};
use crate::testing::{Backend, Case, Check, Outcome, cases, require};
use crate::tolerance;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["backdrop":
        evaluate_pixels, uncertainty_as_on_the_cpu, uncertainty_by_definition, target_flags, corrected_pixels,
        detrended_light_curve,
    ]
}

/// A sector with one frame that is not fitted, and the model of the others.
fn sector(frames: usize) -> Result<(Simulation, Model), Failed> {
    let source = simulation(frames)?;
    let (model, _) = sampled_fit(&Cpu::new(), &source, 20)?;
    Ok((source, model))
}

/// Pixels that were fitted, one twice, and others of the CCD.
const PIXELS: [(usize, usize); 7] = [(0, 0), (47, 47), (5, 30), (5, 30), (2047, 3), (1000, 1100), (47, 0)];

fn evaluate_pixels<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let (_, model) = sector(11)?;
    let frames = [10, 0, 5, 5, 1];
    let found = model.evaluate_pixels(xp, &frames, &PIXELS)?;
    check.equal("shape", found.dim(), (frames.len(), PIXELS.len()))?;
    let unfitted = frames.map(|frame| model.weights2[(frame, 0)].is_nan());
    check.equal("frames without a model", found.column(0).mapv(f64::is_nan).to_vec(), unfitted.to_vec())?;
    hold_background(check, "on the CPU", &found, &model.evaluate_pixels(&Cpu::new(), &frames, &PIXELS)?)?;
    for (&(row, column), found) in PIXELS.iter().zip(found.columns()) {
        let images = model.evaluate(xp, &frames, &[row], &[column])?;
        hold_background(check, "images of one pixel", found, &images)?;
    }
    Ok(())
}

fn uncertainty_as_on_the_cpu<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let (_, model) = sector(11)?;
    let frames = [0, 5, 10];
    let (rows, columns) = ([0, 1, 24, 47, 100], [47, 3, 20, 0]);
    let found = Uncertainty::new(xp, &model)?.sigma(&frames, &rows, &columns)?;
    let expected = Uncertainty::new(&Cpu::new(), &model)?.sigma(&frames, &rows, &columns)?;
    check.equal("shape", found.dim(), (3, 5, 4))?;
    let known = frames.map(|frame| model.scatter[frame].is_finite());
    check.equal(
        "frames with a model",
        found.slice(s![.., 0, 0]).mapv(f64::is_finite).to_vec(),
        known.to_vec(),
    )?;
    check.equal("positive", found.iter().all(|sigma| sigma.is_nan() || *sigma > 0.0), true)?;
    let error = largest_error(&found, &expected, |_, sigma| PART * sigma);
    check.error("sigma", error, &tolerance::UNCERTAINTY)
}

/// `sqrt(a^T C a)` with `C` the inverse of `A^T diag(1/sigma_f) A + 1/sigma_w^2`, written out for
/// `x^i y^j`.
fn uncertainty_by_definition<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let (_, mut model) = sector(4)?;
    model.design2 = "cartesian(3) ~ 0 +- 5".into();
    model.weights2 = Array2::zeros((model.tstart.len(), 9));
    // The boresight of CCD 4 is at row 2048, column 0.
    let functions = |row: usize, column: usize| {
        let (y, x) = (row as f64 / 2048.0 - 1.0, column as f64 / 2048.0);
        Array1::from_shape_fn(9, |k| x.powi(k as i32 % 3) * y.powi(k as i32 / 3))
    };
    let mut normal = Array2::<f64>::eye(9) / 25.0;
    for ((pixel, &star), &saturation) in model.star_mask.indexed_iter().zip(&model.saturation_mask) {
        let a = functions(pixel.0, pixel.1);
        let weight = if star && saturation { 1.0 } else { 1e-6 };
        for (i, mut row) in normal.rows_mut().into_iter().enumerate() {
            row.scaled_add(weight * a[i], &a);
        }
    }
    // No eigenvalue is above the sum of all, none below 1/25.
    let condition = normal.diag().sum() * 25.0;
    let covariance = inverse(normal);
    let (rows, columns) = ([0, 11, 40, 2047], [0, 5, 47, 300]);
    let found = Uncertainty::new(xp, &model)?.of_unit_scatter(&rows, &columns)?;
    let expected = Array2::from_shape_fn((4, 4), |(i, j)| {
        let a = functions(rows[i], columns[j]);
        a.dot(&covariance.dot(&a)).sqrt()
    });
    let scale = |_, sigma| f64::EPSILON * 9.0 * condition * sigma;
    check.error("sigma", largest_error(&found, &expected, scale), &tolerance::SOLUTION)
}

/// The inverse of a positive definite matrix by Gauss and Jordan.
fn inverse(mut a: Array2<f64>) -> Array2<f64> {
    let n = a.nrows();
    let mut inverse = Array2::eye(n);
    for pivot in 0..n {
        let scale = 1.0 / a[(pivot, pivot)];
        for matrix in [&mut a, &mut inverse] {
            matrix.row_mut(pivot).mapv_inplace(|x| x * scale);
        }
        for row in (0..n).filter(|&row| row != pivot) {
            let factor = a[(row, pivot)];
            for matrix in [&mut a, &mut inverse] {
                let line = matrix.row(pivot).to_owned();
                matrix.row_mut(row).scaled_add(-factor, &line);
            }
        }
    }
    inverse
}

/// The middle of the widest gap between numbers, those of the outer quarters aside: a threshold that
/// rounding errors do not reach.
fn between(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let inner = &values[values.len() / 4..values.len() * 3 / 4];
    let widest = inner.windows(2).max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])));
    widest.map_or(f64::NAN, |pair| 0.5 * (pair[0] + pair[1]))
}

fn target_flags<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let (_, model) = sector(24)?;
    let times = model.middles();
    let background = model.evaluate_pixels(&Cpu::new(), &(0..24).collect::<Vec<_>>(), &PIXELS)?;
    let rates = (1..24).flat_map(|frame| {
        let (background, times) = (&background, &times);
        PIXELS.iter().enumerate().map(move |(pixel, _)| {
            (background[(frame, pixel)] - background[(frame - 1, pixel)]).abs()
                / (times[frame] - times[frame - 1])
        })
    });
    let thresholds = Thresholds { level: between(background.iter().copied()), rate: between(rates) };
    let found = TargetFlags::new(xp, &model, &PIXELS, thresholds)?;
    let expected = TargetFlags::new(&Cpu::new(), &model, &PIXELS, thresholds)?;
    hold_background(check, "background", &found.background, &expected.background)?;
    for flag in [BRIGHT, FAST, NO_MODEL] {
        let raised = found.flags.iter().filter(|&&flags| flags & flag != 0).count();
        require!(raised > 0 && raised < found.flags.len(), "flag {flag} stands {raised} times");
    }
    check.equal("flags", found.flags, expected.flags)
}

/// A target pixel file, of which two columns lie outside of the frames, and its correction with the
/// uncertainty of the model.
fn corrected<B: Backend>(
    xp: &B,
    source: &Simulation,
    model: &Model,
) -> Result<(TargetPixelFile, Corrected), Failed> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("target.fits");
    source.write_target_pixels(&path, (20, 37), (11, 11), false)?;
    let mut tpf = TargetPixelFile::open(&path)?;
    tpf.corner = Some((20, 39));
    let uncertainty = Uncertainty::new(xp, model)?;
    let sigma =
        |frames: &[usize], rows: &[usize], columns: &[usize]| uncertainty.sigma(frames, rows, columns);
    let corrected = correct(xp, &tpf, model, CorrectOptions::default(), Some(&sigma))?;
    Ok((tpf, corrected))
}

fn corrected_pixels<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let (source, model) = sector(11)?;
    let (tpf, found) = corrected(xp, &source, &model)?;
    let (_, expected) = corrected(&Cpu::new(), &source, &model)?;
    let counts = (found.corrected, found.unmatched, found.unfitted, found.pixels_outside);
    check.equal("cadences and pixels", counts, (10, 0, 1, 22))?;
    check.equal("frames", &found.frames, &expected.frames)?;

    // The definition, of what the detector measured and of the model.
    let frames: Vec<usize> = (0..11).collect();
    let (rows, columns): (Vec<usize>, Vec<usize>) = ((20..31).collect(), (39..48).collect());
    let inside = |images: &Array3<f32>| images.slice(s![.., .., ..9]).mapv(f64::from);
    let light = model.evaluate(&Cpu::new(), &frames, &rows, &columns)?;
    let Some(background) = &tpf.background else { return Err("the file has no background".into()) };
    let flux = inside(&tpf.flux) + inside(background) - &light;
    let sigma = Uncertainty::new(&Cpu::new(), &model)?.sigma(&frames, &rows, &columns)?;
    let mut error = inside(&tpf.flux_error);
    // A cadence without a model has no flux, whatever its error.
    let known = |sigma: f64| if sigma.is_finite() { sigma } else { 0.0 };
    error.zip_mut_with(&sigma, |error, &sigma| *error = error.hypot(known(sigma)));

    for (what, found, on_cpu, defined) in [
        ("flux", &found.flux, &expected.flux, &flux),
        ("background", &found.background, &expected.background, &light),
        ("error of the flux", &found.flux_error, &expected.flux_error, &error),
    ] {
        let lights: Vec<f64> = light.iter().copied().collect();
        let scale =
            |i: usize, value: f64| PART * known(lights[i]).abs() + f64::from(f32::EPSILON) * value.abs();
        let (found, on_cpu) = (inside(found), inside(on_cpu));
        check.error(what, largest_error(&found, &on_cpu, scale), &tolerance::RESIDUAL)?;
        check.error(what, largest_error(&found, defined, scale), &tolerance::RESIDUAL)?;
    }
    let outside = found.flux.slice(s![.., .., 9..]).iter().all(|flux| flux.is_nan());
    check.equal("pixels beyond the frames have no flux", outside, true)
}

/// With `X` the standardized components, `f` the centred flux and `d = f - X w`, the equations
/// `(X^T X / n + lambda) w = X^T f / n` say that `f - d = X X^T d / (n lambda)`.
fn detrended_light_curve<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let (source, model) = sector(53)?;
    let (tpf, corrected) = corrected(&Cpu::new(), &source, &model)?;
    let detrended = |curve: &LightCurve| -> Result<Vec<f64>, Failed> {
        curve.detrended.clone().ok_or_else(|| "the light curve was not detrended".into())
    };
    let curve = LightCurve::new(&tpf, &corrected, 3.0)?;
    let (mut on_backend, mut on_cpu) = (curve.clone(), curve.clone());
    on_backend.detrend(xp, &corrected, &model)?;
    on_cpu.detrend(&Cpu::new(), &corrected, &model)?;
    let (found, expected) = (detrended(&on_backend)?, detrended(&on_cpu)?);

    let used: Vec<usize> = (0..53).filter(|&cadence| curve.flux[cadence].is_finite()).collect();
    check.equal("cadences", used.len(), 52)?;
    let mut x = concatenate(Axis(1), &[model.jitter.view(), model.background.view()])?.select(Axis(0), &used);
    for mut component in x.columns_mut() {
        component -= component.mean().unwrap_or_default();
        component /= component.std(0.0);
    }
    let (n, lambda) = (used.len() as f64, 1e-3);
    let flux: Array1<f64> = used.iter().map(|&cadence| curve.flux[cadence]).collect();
    let mean = flux.sum() / n;
    let rest: Array1<f64> = used.iter().map(|&cadence| found[cadence] - mean).collect();
    let trend = x.dot(&x.t().dot(&rest)) / (n * lambda);
    let defined = &flux - &trend;

    // No eigenvalue of the equations is above the sum of all, none below lambda.
    let (count, condition) = (x.ncols() as f64, (x.ncols() as f64 + lambda) / lambda);
    let largest = flux.iter().fold(0.0_f64, |largest, f| largest.max((f - mean).abs()));
    check.equal("the flux changes by more than 1 electron/s", largest > 1.0, true)?;
    let scale = |_, _| f64::EPSILON * count * condition * (largest + mean.abs());
    check.error("detrended flux", largest_error(&found, &expected, scale), &tolerance::SOLUTION)?;
    let found: Vec<f64> = used.iter().map(|&cadence| found[cadence]).collect();
    check.error("detrended flux by definition", largest_error(&found, &defined, scale), &tolerance::SOLUTION)
}
