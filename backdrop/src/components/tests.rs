use array_api::Cpu;
use ndarray::{Array1, array};
use rand::RngExt;

use super::principal::{components as in_blocks, largest};
use super::*;

/// Two signals in time with random amplitudes for each pixel, on a level that varies little between
/// pixels, and noise.
fn series(frames: usize, pixels: usize, noise: f64) -> (Array2<f32>, [Array1<f64>; 2]) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut draw = || rng.random_range(-1.0..1.0_f64);
    let time = |frame: usize| frame as f64 / frames as f64;
    let signals = [
        Array1::from_shape_fn(frames, |frame| (40.0 * time(frame)).sin()),
        Array1::from_shape_fn(frames, |frame| (time(frame) - 0.5).powi(2)),
    ];
    let mut x = Array2::zeros((frames, pixels));
    for mut pixel in x.columns_mut() {
        let amplitudes = [3.0 + draw(), 2.0 * draw()];
        for (frame, value) in pixel.iter_mut().enumerate() {
            let signal = amplitudes[0] * signals[0][frame] + amplitudes[1] * signals[1][frame];
            *value = (signal + noise * draw()) as f32;
        }
    }
    (x, signals)
}

fn components(series: &Array2<f32>) -> Array2<f64> {
    principal_components(&Cpu::new(), &series.view()).unwrap()
}

#[test]
fn components_are_orthonormal_and_span_what_the_pixels_have_in_common() {
    for (frames, pixels) in [(60, 200), (200, 61)] {
        let (x, signals) = series(frames, pixels, 1e-3);
        let u = components(&x);
        assert_eq!(u.dim(), (frames, COMPONENTS));
        let product = u.t().dot(&u);
        let unit = Array2::<f64>::eye(COMPONENTS);
        // With more frames than pixels the components are `X v / s`, whose rounding errors grow with the
        // square of the ratio of the largest singular value to the last, here about 1e4.
        assert!((&product - &unit).iter().all(|difference| difference.abs() < 1e-7), "{frames} frames");
        for signal in &signals {
            let mean = signal.sum() / frames as f64;
            let centred = signal - mean;
            let first_two = u.slice(ndarray::s![.., ..2]);
            let rest = &centred - &first_two.dot(&first_two.t().dot(&centred));
            // What noise of 1e-3 in each of 60 pixels or more leaves of signals of 0.07 and more.
            let norm = |x: &Array1<f64>| x.dot(x).sqrt();
            assert!(norm(&rest) < 5e-3 * norm(&centred), "{frames} frames: {}", norm(&rest));
        }
        for component in u.columns() {
            assert!(largest(&component) > 0.0);
        }
    }
}

#[test]
fn components_are_the_left_singular_vectors_of_the_largest_values() {
    for (frames, pixels) in [(52, 90), (90, 52)] {
        let (x, _) = series(frames, pixels, 0.5);
        let mut centred = x.mapv(f64::from);
        for mut pixel in centred.columns_mut() {
            let mean = pixel.sum() / frames as f64;
            pixel -= mean;
        }
        let u = components(&x);
        let gram = centred.dot(&centred.t());
        let mut previous = f64::INFINITY;
        let mut left = gram.clone();
        for component in u.columns() {
            let image = gram.dot(&component);
            let value = component.dot(&image);
            let error = (&image - &(value * &component)).mapv(f64::abs).sum();
            assert!(error < 1e-10 * gram.diag().sum(), "{frames} frames: {error}");
            assert!(value <= previous);
            previous = value;
            for (mut row, &u) in left.rows_mut().into_iter().zip(component) {
                row.scaled_add(-value * u, &component);
            }
        }
        // No direction is left with more than the last: the power method finds none.
        let mut direction = Array1::from_shape_fn(frames, |i| ((i * i) as f64).cos());
        let mut value = 0.0;
        for _ in 0..500 {
            direction = left.dot(&direction);
            value = direction.dot(&direction).sqrt();
            direction /= value;
        }
        assert!(value <= previous * (1.0 + 1e-9), "{value} > {previous}");
    }
}

#[test]
fn components_do_not_depend_on_the_blocks_that_series_are_read_in() {
    for (frames, pixels) in [(61, 203), (203, 61), (97, 97)] {
        let (mut x, _) = series(frames, pixels, 0.5);
        // Left out: one without a value, an outlier, and one that is a component by itself.
        x[(5, 17)] = f32::NAN;
        x.column_mut(23).mapv_inplace(|value| 1e4 + 1e-3 * value);
        x.column_mut(40).indexed_iter_mut().for_each(|(frame, value)| *value = [0.0, 1e3][frame % 2]);
        let whole = components(&x);
        assert_eq!(whole.ncols(), COMPONENTS);
        // One at a time, odd numbers, and all at once; pixels that no block is left with.
        for block in [1, 3 * frames + 5, 7 * frames.min(pixels), frames * pixels] {
            let found = in_blocks(&Cpu::new(), &mut x.view(), block).unwrap();
            // Sums of some 100 products in another order; singular values of noise, which is half as
            // large as what is left of them, are a hundredth apart.
            let error = (&found - &whole).mapv(f64::abs).into_iter().fold(0.0, f64::max);
            assert!(error < 1e-10, "{frames} frames in blocks of {block}: {error:e}");
            assert_eq!(found, in_blocks(&Cpu::new(), &mut x.view(), block).unwrap());
        }
    }
}

#[test]
fn pixels_without_values_and_outliers_do_not_count() {
    let (x, _) = series(60, 80, 0.3);
    let with = |spoil: &dyn Fn(usize) -> f32| {
        let extra = Array1::from_shape_fn(60, spoil);
        let mut spoiled = x.clone();
        spoiled.push_column(extra.view()).unwrap();
        spoiled
    };
    let expected = components(&x);
    assert_eq!(components(&with(&|frame| if frame == 7 { f32::NAN } else { 1.0 })), expected);
    // A constant pixel has no standard deviation, a steady one a median of many.
    assert_eq!(components(&with(&|_| 5.0)), expected);
    assert_eq!(components(&with(&|frame| 1e4 + (frame % 3) as f32)), expected);
    // One with a burst of its own would be a component by itself.
    assert_eq!(components(&with(&|frame| if frame == 30 { 1e4 } else { (frame % 2) as f32 })), expected);
}

#[test]
fn little_to_go_on_gives_few_components() {
    assert_eq!(components(&Array2::zeros((50, 0))).dim(), (50, 0));
    let nothing = Array2::from_elem((50, 4), f32::NAN);
    assert_eq!(components(&nothing).dim(), (50, 0));
    // All pixels do the same: one component, and rounding is none.
    let same = Array2::from_shape_fn((50, 30), |(frame, pixel)| (frame % 5) as f32 * (1 + pixel % 2) as f32);
    assert_eq!(components(&same).dim(), (50, 1));
}

#[test]
fn pixels_are_drawn_from_their_masks_and_by_the_seed() {
    let masks = Masks {
        star: array![[true, false, false, true], [true, true, false, true]],
        saturation: array![[true, true, false, true], [false, true, true, true]],
    };
    let all = SamplePixels::draw(&masks, 100, 0);
    assert_eq!(all.jitter, [(0, 1), (1, 2)]);
    assert_eq!(all.background, [(0, 0), (0, 3), (1, 1), (1, 3)]);
    let large =
        Masks { star: Array2::from_elem((50, 50), true), saturation: Array2::from_elem((50, 50), true) };
    let [a, b] = [0, 1].map(|seed| SamplePixels::draw(&large, 300, seed).background);
    assert_eq!((a.len(), b.len()), (300, 300));
    assert!(a.is_sorted() && a.windows(2).all(|pair| pair[0] != pair[1]) && a != b);
}
