//! The fit against a textbook solution, and what it must not depend on.

use array_api::{Array, Cpu};
use backdrop::design::{Block, Design, DesignMatrix, Preset};
use backdrop::error::Error;
use backdrop::file::Model;
use backdrop::fit::{FitOptions, FitReport, FrameFitter, Precision, fit};
use backdrop::geometry::Window;
use backdrop::mask::Masks;
use backdrop::progress::{Progress, Silent};
use backdrop::quality::{BLOWN_OUT, NO_DATA};
use backdrop::source::{FrameInfo, MemorySource, Target};
use ndarray::{Array1, Array2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TARGET: Target = Target { sector: 3, camera: 2, ccd: 4 };

/// Frames of smooth light that changes, with a star, bad pixels wherever `spoil` puts them.
fn frames(count: usize, size: usize, spoil: impl Fn(usize, &mut [f32])) -> Vec<(FrameInfo, Vec<f32>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..count)
        .map(|i| {
            let phase = i as f32 * 0.3;
            let mut pixels: Vec<f32> = (0..size * size)
                .map(|pixel| {
                    let (row, column) = ((pixel / size) as f32, (pixel % size) as f32);
                    let star = 3e3 * (-0.3 * ((row - 9.0).powi(2) + (column - 6.0).powi(2))).exp();
                    let light = 150.0 + 20.0 * (0.05 * row + phase).sin() + 0.4 * column * phase.cos();
                    light + star + rng.random_range(-1.0..1.0)
                })
                .collect();
            spoil(i, &mut pixels);
            let tstart = 1400.0 + i as f64 / 48.0;
            let info = FrameInfo { name: format!("frame {i}"), tstart, tstop: tstart + 0.02, quality: 0 };
            (info, pixels)
        })
        .collect()
}

fn options(nknots: usize) -> FitOptions {
    FitOptions::with_nknots(Preset::Standard, nknots)
}

fn run(frames: Vec<(FrameInfo, Vec<f32>)>, size: usize, options: &FitOptions) -> (Model, FitReport) {
    let source = MemorySource::new(TARGET, (size, size), frames).expect("a source");
    fit(&Cpu::new(), &source, options, &Silent).expect("a fit")
}

fn bits(matrix: &Array2<f64>) -> Vec<u64> {
    matrix.iter().map(|value| value.to_bits()).collect()
}

/// The weights from the dense normal equations, by Gaussian elimination with pivoting.
fn textbook(design: &Design, window: &Window, sigma_f: &Array1<f64>, f: &Array1<f64>) -> Array1<f64> {
    let a = super::common::dense(design, window);
    let mut left = a.t().dot(&(&a / &sigma_f.view().insert_axis(Axis(1))));
    let mut right = a.t().dot(&(f / sigma_f));
    let blocks = design.blocks();
    let sigma: Vec<f64> = blocks.iter().flat_map(Block::prior_sigmas).collect();
    let mean = blocks.iter().flat_map(|block| std::iter::repeat_n(block.prior_mean, block.columns()));
    for (i, (sigma, mean)) in sigma.into_iter().zip(mean).enumerate() {
        left[(i, i)] += sigma.powi(-2);
        right[i] += mean / sigma.powi(2);
    }
    let n = right.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| left[(i, k)].abs().total_cmp(&left[(j, k)].abs())).expect("a row");
        for column in 0..n {
            left.swap((k, column), (pivot, column));
        }
        right.swap(k, pivot);
        for i in k + 1..n {
            let factor = left[(i, k)] / left[(k, k)];
            if factor != 0.0 {
                for column in k..n {
                    let value = left[(k, column)];
                    left[(i, column)] -= factor * value;
                }
                right[i] -= factor * right[k];
            }
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| left[(k, j)] * right[j]).sum();
        right[k] = (right[k] - known) / left[(k, k)];
    }
    right
}

#[test]
fn the_background_equals_a_textbook_solution() {
    hold_background(Precision::Double, 1e-9);
    // A logarithm of 2.2 that is rounded to single precision is off by up to 1.2e-7, the flux by 2.3 times
    // that; of which some is averaged away over neighbouring pixels.
    hold_background(Precision::Single, 1e-7);
}

fn hold_background(precision: Precision, tolerance: f64) {
    let size = 20;
    let spoil = |_: usize, pixels: &mut [f32]| {
        pixels[5] = -3.0;
        pixels[21] = f32::NAN;
    };
    let all = frames(2, size, spoil);
    let options = FitOptions { precision, ..options(5) };
    let (model, report) = run(all.clone(), size, &options);
    assert_eq!((report.non_finite_pixels, report.non_positive_pixels), (2, 2));

    let window = Window::cutout(TARGET.ccd, size).expect("a window");
    let image = |i: usize| Array2::from_shape_vec((size, size), all[i].1.clone()).expect("an image");
    let mut minimum = image(0);
    minimum.zip_mut_with(&image(1), |a, &b| *a = a.min(b));
    let mut keep = Masks::new(&minimum).clean().into_raw_vec_and_offset().0;
    keep[21] = false;
    let sigma_f: Array1<f64> = keep.iter().map(|&keep| if keep { 1.0 } else { 1e6 }).collect();
    for (i, (_, pixels)) in all.iter().enumerate() {
        let f: Array1<f64> = pixels
            .iter()
            .map(|&flux| if flux.is_finite() && flux > 1e-5 { f64::from(flux) } else { 1e-5 })
            .collect();
        let w1 = textbook(&options.design1, &window, &sigma_f, &f.mapv(f64::log10));
        let m1 = super::common::dense(&options.design1, &window).dot(&w1).mapv(|x| 10f64.powf(x));
        let w2 = textbook(&options.design2, &window, &sigma_f, &(&f - &m1));
        let m2 = super::common::dense(&options.design2, &window).dot(&w2);
        let expected = m1 + m2;
        let found = model.evaluate(&Cpu::new(), &[i], window.rows(), window.columns()).expect("a background");
        for (found, expected) in found.iter().zip(&expected) {
            let close = (found - expected).abs() < tolerance * expected.abs();
            assert!(close, "{precision} precision: {found} and {expected}");
        }
    }
}

#[test]
fn weights_equal_a_textbook_solution() {
    // Priors of 1 and pixels all over the CCD keep the condition of the equations near 1e4. With the
    // presets' priors it is 1e8 (splines and polynomials can both make a constant): there any two
    // solutions differ by 1e-8 in weights that the background does not see.
    let spread: Vec<usize> = (0..64).map(|i| i * 2047 / 63).collect();
    let spread = Window::new(2, spread.clone(), spread).expect("a window");
    hold_weights(&spread, Precision::Double, 1e-9);
    // Pixels that lie close together: there the smooth light is not summed up pixel by pixel.
    let close = Window::new(2, (610..674).collect(), (1000..1064).collect()).expect("a window");
    hold_weights(&close, Precision::Double, 1e-9);
    // Numbers rounded to single precision are off by 6e-8, of the smooth light of some 150 electrons/s; the
    // largest weight of what is left of it is 20.
    hold_weights(&spread, Precision::Single, 6e-8 * 150.0 / 20.0);
}

fn hold_weights(window: &Window, precision: Precision, tolerance: f64) {
    let xp = Cpu::new();
    let design1 = Block::radial_spline(6).prior(2.0, 1.0) + Block::cartesian(4).prior(2.0, 1.0);
    let design2 = Block::spline(6).prior(0.0, 1.0)
        + Block::radial_spline(9).prior(0.5, 1.0)
        + Block::restricted_strap(2).prior(0.0, 1.0);
    let mut keep = Array2::from_elem((64, 64), true);
    keep.slice_mut(ndarray::s![20..30, 40..44]).fill(false);
    let sigma_f: Array1<f64> = keep.iter().map(|&keep| if keep { 1.0 } else { 1e6 }).collect();

    let all = frames(3, 64, |_, _| ());
    let matrices = DesignMatrix::several(&xp, [&design1, &design2], window).expect("designs");
    let mut fitter = FrameFitter::new(&xp, matrices, &keep).expect("normal equations");
    fitter.set_precision(precision);
    let pixels = all.iter().flat_map(|(_, pixels)| pixels.clone()).collect();
    let fitted = fitter.fit(&Array::from_vec(&xp, pixels, &[3, 64, 64]).expect("frames")).expect("a fit");
    for (i, (_, pixels)) in all.iter().enumerate() {
        let f: Array1<f64> = pixels.iter().map(|&flux| f64::from(flux)).collect();
        let w1 = textbook(&design1, window, &sigma_f, &f.mapv(f64::log10));
        let m1 = super::common::dense(&design1, window).dot(&w1).mapv(|x| 10f64.powf(x));
        let w2 = textbook(&design2, window, &sigma_f, &(&f - &m1));
        for (ours, theirs) in [(fitted.weights1.row(i), &w1), (fitted.weights2.row(i), &w2)] {
            let scale = theirs.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
            for (a, b) in ours.iter().zip(theirs) {
                let close = (a - b).abs() < tolerance * scale;
                assert!(close, "{precision} precision: {a} and {b}, largest {scale}");
            }
        }
    }
}

#[test]
fn the_result_does_not_depend_on_batches_threads_or_order() {
    let size = 70;
    let spoil = |i: usize, pixels: &mut [f32]| {
        if i == 4 {
            pixels[100..110].fill(f32::NAN);
        }
    };
    let mut all = frames(11, size, spoil);
    for precision in [Precision::Double, Precision::Single] {
        let options = FitOptions { mask_window: 4, precision, ..options(12) };
        let (expected, report) = run(all.clone(), size, &options);
        assert_eq!(report.mask_windows, 3);
        all.reverse();
        for (threads, frames_per_batch) in [(1, 1), (2, 3), (3, 5), (2, 100)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let options = FitOptions { frames_per_batch, ..options.clone() };
            let (model, _) = pool.install(|| run(all.clone(), size, &options));
            let case = format!("{threads} threads, {frames_per_batch} a batch, {precision}");
            assert_eq!(bits(&model.weights1), bits(&expected.weights1), "{case}");
            assert_eq!(bits(&model.weights2), bits(&expected.weights2), "{case}");
            assert_eq!(model.input_files, expected.input_files);
        }
    }
}

#[test]
fn steep_light_and_changed_masks_have_the_weights_of_their_own() {
    // Light so steep that it is summed up pixel by pixel, between frames where it is not, and pixels that change.
    let (xp, size) = (Cpu::new(), 96);
    let window = Window::cutout(4, size).expect("a window");
    let options = options(9);
    let matrices =
        || DesignMatrix::several(&xp, [&options.design1, &options.design2], &window).expect("designs");
    let first = Array2::from_shape_fn((size, size), |(row, column)| (row * 31 + column * 17) % 11 > 1);
    let mut second = first.clone();
    second.slice_mut(ndarray::s![30..39, 41..45]).fill(false);
    second[(3, 3)] = !second[(3, 3)];

    // Without noise or waves, which a cut-out is too small to average away.
    let light = |i: usize, pixels: &mut [f32]| {
        for (place, pixel) in pixels.iter_mut().enumerate() {
            let (row, column) = ((place / size) as f32, (place % size) as f32);
            *pixel = match i {
                1 => 100.0 * (0.002 * (column - 48.0) * (column - 48.0)).exp(),
                _ => 150.0 + 0.05 * row + 0.02 * i as f32 * column,
            };
        }
    };
    let all = frames(3, size, light);
    let images = |range: std::ops::Range<usize>| {
        let pixels: Vec<f32> = all[range.clone()].iter().flat_map(|(_, pixels)| pixels.clone()).collect();
        Array::from_vec(&xp, pixels, &[range.len(), size, size]).expect("frames")
    };
    let mut fitter = FrameFitter::new(&xp, matrices(), &first).expect("normal equations");
    fitter.set_mask(&second).expect("a mask");
    let together = fitter.fit(&images(0..3)).expect("a fit");
    let anew = FrameFitter::new(&xp, matrices(), &second).expect("normal equations");
    for i in 0..3 {
        let alone = fitter.fit(&images(i..i + 1)).expect("a fit");
        assert_eq!(bits(&alone.weights2), bits(&together.weights2.select(Axis(0), &[i])));
        // Both backgrounds, since weights hang on rounding where functions make up for each other.
        let background = |fitted: &backdrop::fit::Fitted| {
            let [a1, a2] = matrices();
            let weights = |w: &Array2<f64>| {
                Array::from_vec(&xp, w.iter().copied().collect(), &[w.nrows(), w.ncols()]).expect("weights")
            };
            let (w1, w2) = (weights(&fitted.weights1), weights(&fitted.weights2));
            let background = backdrop::background::Background { a1, a2 };
            background.evaluate(&w1, &w2).expect("a background").to_vec().expect("numbers")
        };
        let ours = background(&alone);
        let theirs = background(&anew.fit(&images(i..i + 1)).expect("a fit"));
        let most = theirs.iter().fold(0.0, |most: f64, light| most.max(light.abs()));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert!((ours - theirs).abs() < 1e-8 * most, "frame {i}: {ours} and {theirs}");
        }
    }
}

#[test]
fn bad_pixels_do_not_reach_clean_ones() {
    let size = 64;
    let clean = frames(3, size, |_, _| ());
    let spoiled = frames(3, size, |i, pixels| {
        for row in 0..64 {
            pixels[row * 64 + 40] = f32::NAN; // a dead column
        }
        if i == 1 {
            pixels[2000] = f32::INFINITY;
            pixels[2001] = -50.0;
            pixels[2002] = 0.0;
        }
    });
    let (good, _) = run(clean, size, &options(8));
    let (bad, report) = run(spoiled, size, &options(8));
    assert_eq!(report.non_finite_pixels, 3 * 64 + 1);
    assert_eq!(report.non_positive_pixels, 2);
    let at: Vec<usize> = (0..size).collect();
    let evaluate = |model: &Model| model.evaluate(&Cpu::new(), &[0, 1, 2], &at, &at).expect("a background");
    let (good, bad) = (evaluate(&good), evaluate(&bad));
    for ((frame, row, column), value) in good.indexed_iter() {
        // The noise is 1 electron/s, uniform; leaving out a column moves the fit by less than it,
        // except near the two dark pixels, which are data like any other.
        let dark = frame == 1 && row.abs_diff(31) < 8 && column.abs_diff(17) < 8;
        let difference = (value - bad[(frame, row, column)]).abs();
        assert!(difference < 1.0 || dark, "({frame}, {row}, {column}): {difference}");
    }
}

#[test]
fn flagged_blown_out_and_empty_frames_have_nan_weights_and_spoil_nothing() {
    let size = 48;
    let mut all = frames(6, size, |i, pixels| match i {
        2 => pixels.fill(f32::NAN),
        3 => pixels[..size * 10].fill(2e4),
        _ => (),
    });
    all[1].0.quality = 32;
    let (model, report) = run(all.clone(), size, &options(8));
    assert_eq!((report.frames, report.fitted, report.blown_out, report.without_data), (6, 3, 1, 1));
    assert_eq!(model.quality, [0, 32, NO_DATA, BLOWN_OUT, 0, 0]);
    for (i, row) in model.weights2.rows().into_iter().enumerate() {
        assert_eq!(row.iter().all(|w| w.is_nan()), (1..4).contains(&i), "frame {i}");
        assert_eq!(row.iter().any(|w| w.is_nan()), (1..4).contains(&i), "frame {i}");
    }
    // The good frames alone give the same weights.
    let good = all.into_iter().enumerate().filter(|(i, _)| !(1..4).contains(i)).map(|(_, frame)| frame);
    let (alone, _) = run(good.collect(), size, &options(8));
    assert_eq!(
        bits(&alone.weights2.row(1).to_owned().insert_axis(Axis(0))),
        bits(&model.weights2.row(4).to_owned().insert_axis(Axis(0)))
    );
}

#[test]
fn an_average_frame_takes_the_stars_out() {
    let size = 40;
    let (model, report) = run(frames(60, size, |_, _| ()), size, &options(8));
    assert!(report.average_used && report.averaged == 60);
    // The star of 3000 electrons/s at (9, 6) is in the average frame, the light is not.
    assert!((model.average_frame[(9, 6)] - 3000.0).abs() < 60.0, "{}", model.average_frame[(9, 6)]);
    let far: Vec<f64> = model.average_frame.slice(ndarray::s![25.., 25..]).iter().copied().collect();
    let mean = far.iter().sum::<f64>() / far.len() as f64;
    assert!(mean.abs() < 1.0, "{mean}");

    let (few, report) = run(frames(49, size, |_, _| ()), size, &options(8));
    assert!(!report.average_used && few.average_frame.iter().all(|&value| value == 0.0));
    assert!(few.star_mask.iter().any(|&keep| !keep), "the minimum image still makes the masks");
}

#[test]
fn nothing_to_fit_is_an_error_in_words() {
    let mut all = frames(2, 16, |_, _| ());
    all.iter_mut().for_each(|(info, _)| info.quality = 8);
    let source = MemorySource::new(TARGET, (16, 16), all).expect("a source");
    let error = fit(&Cpu::new(), &source, &options(8), &Silent).expect_err("no good frame");
    assert!(error.to_string().contains("none of the 2 frames passes the quality bitmask 63"), "{error}");
}

#[test]
fn a_singular_design_names_its_block_and_column() {
    let source = MemorySource::new(TARGET, (16, 16), frames(1, 16, |_, _| ())).expect("a source");
    // The second block repeats the first, and no prior tells them apart.
    let wide = Block::cartesian(2).prior(0.0, f64::INFINITY);
    let options = FitOptions { design2: wide + wide, ..options(8) };
    match fit(&Cpu::new(), &source, &options, &Silent) {
        Err(Error::NotPositiveDefinite { design, block, column }) => {
            assert_eq!((design.as_str(), block.as_str()), ("A2", "cartesian(2)"));
            assert!(column < 4);
        }
        other => panic!("{:?}", other.map(|(_, report)| report)),
    }
}

#[test]
fn a_fit_can_be_cancelled() {
    struct Never;
    impl Progress for Never {
        fn start(&self, _: &str, _: usize) {}
        fn advance(&self, _: usize) {}
        fn finish(&self) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let source = MemorySource::new(TARGET, (16, 16), frames(3, 16, |_, _| ())).expect("a source");
    assert!(matches!(fit(&Cpu::new(), &source, &options(8), &Never), Err(Error::Cancelled)));
}
