//! What a fit keeps of the pixels: residuals, components, scatter; and masks that change.

use array_api::{Array, Cpu};
use backdrop::background::Background;
use backdrop::components::COMPONENTS;
use backdrop::design::{DesignMatrix, Preset};
use backdrop::file::Model;
use backdrop::fit::{FitOptions, FrameFitter, fit};
use backdrop::geometry::Window;
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings};
use backdrop::source::FrameSource;
use ndarray::Array2;

const SIZE: usize = 64;

fn simulation(frames: usize, flagged_frames: usize) -> Simulation {
    let settings = SimulationSettings { frames, size: SIZE, flagged_frames, ..SimulationSettings::default() };
    Simulation::new(settings).expect("a simulation")
}

fn options() -> FitOptions {
    FitOptions { sample_pixels: 300, ..FitOptions::with_nknots(Preset::Standard, 8) }
}

fn run(source: &Simulation, options: &FitOptions) -> Model {
    fit(&Cpu::new(), source, options, &Silent).expect("a fit").0
}

fn bits(matrix: &Array2<f64>) -> Vec<u64> {
    matrix.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn with_few_frames_the_series_are_the_frames_less_the_model() {
    let source = simulation(5, 1);
    let model = run(&source, &options());
    assert_eq!((model.jitter_pixels.len(), model.background_pixels.len()), (300, 300));
    assert_eq!((model.jitter.dim(), model.background.dim()), ((5, 300), (5, 300)));
    let at: Vec<usize> = (0..SIZE).collect();
    let background = model.evaluate(&Cpu::new(), &[0, 1, 2, 3, 4], &at, &at).expect("a background");
    let mut frame = vec![0.0; SIZE * SIZE];
    let mut flagged = 0;
    for i in 0..5 {
        source.read(i, &mut frame).expect("a frame");
        if !model.weights1[(i, 0)].is_finite() {
            flagged += 1;
            assert!(model.jitter.row(i).iter().chain(model.background.row(i)).all(|value| value.is_nan()));
            assert!(model.scatter[i].is_nan());
            continue;
        }
        let series = [(&model.jitter_pixels, &model.jitter), (&model.background_pixels, &model.background)];
        for (pixels, series) in series {
            for (&(row, column), &residual) in pixels.iter().zip(series.row(i)) {
                let (row, column) = (row as usize, column as usize);
                let flux = f64::from(frame[row * SIZE + column]).max(1e-5);
                let expected = flux - background[(i, row, column)];
                // Residuals are kept in single precision.
                assert!((residual - expected).abs() < 1e-6 * flux, "{residual} and {expected}");
            }
        }
        let mut sizes: Vec<f64> = model.background.row(i).iter().map(|value| value.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let median = 0.5 * (sizes[149] + sizes[150]);
        assert!((model.scatter[i] - 1.4826 * median).abs() < 1e-4 * median);
    }
    assert_eq!(flagged, 1);
    for (row, column) in model.jitter_pixels {
        assert!(!model.star_mask[(row as usize, column as usize)]);
    }
    for (row, column) in model.background_pixels {
        assert!(model.star_mask[(row as usize, column as usize)]);
    }
}

#[test]
fn components_do_not_depend_on_batches_or_threads_but_on_the_seed() {
    let source = simulation(60, 2);
    let expected = run(&source, &options());
    assert_eq!((expected.jitter.dim(), expected.background.dim()), ((60, COMPONENTS), (60, COMPONENTS)));
    for i in 0..60 {
        let fitted = expected.weights1[(i, 0)].is_finite();
        assert_eq!(expected.jitter.row(i).iter().all(|value| value.is_finite()), fitted);
        assert_eq!(expected.background.row(i).iter().any(|value| value.is_nan()), !fitted);
    }
    for (threads, frames_per_batch) in [(1, 1), (3, 7)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let model = pool.install(|| run(&source, &FitOptions { frames_per_batch, ..options() }));
        assert_eq!(bits(&model.jitter), bits(&expected.jitter), "{threads} threads");
        assert_eq!(bits(&model.background), bits(&expected.background), "{threads} threads");
        assert_eq!(model.jitter_pixels, expected.jitter_pixels);
        let scatter = |model: &Model| model.scatter.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(scatter(&model), scatter(&expected));
    }
    let other = run(&source, &FitOptions { seed: 1, ..options() });
    assert_ne!(other.jitter_pixels, expected.jitter_pixels);
    assert_ne!(bits(&other.jitter), bits(&expected.jitter));
    assert_eq!(bits(&other.weights2), bits(&expected.weights2));
}

#[test]
fn a_mask_that_is_set_gives_what_a_fitter_made_with_it_gives() {
    let xp = Cpu::new();
    let window = Window::cutout(4, SIZE).expect("a window");
    let (design1, design2) = (Preset::Standard.design1(), Preset::Standard.design2(8));
    let matrices = || DesignMatrix::several(&xp, [&design1, &design2], &window).expect("designs");
    let keep = |spoil: &dyn Fn(usize, usize) -> bool| {
        Array2::from_shape_fn((SIZE, SIZE), |(row, column)| (row * column) % 11 != 3 && !spoil(row, column))
    };
    let base = keep(&|_, _| false);
    // A few pixels (updated), a quarter of all (summed anew), and pixels that come back.
    let few = keep(&|row, column| row == 20 && column < 30);
    let many = keep(&|row, column| row < 32 && column < 32);
    let back = Array2::from_shape_fn((SIZE, SIZE), |pixel| base[pixel] || pixel.0 == 5);

    let mut frame = vec![0.0; SIZE * SIZE];
    simulation(1, 0).read(0, &mut frame).expect("a frame");
    let images = Array::from_vec(&xp, frame, &[1, SIZE, SIZE]).expect("a frame");
    let background = Background::new(&xp, &design1, &design2, &window).expect("designs");
    let model = |fitter: &FrameFitter<Cpu>| {
        let fitted = fitter.fit(&images).expect("a fit");
        let [w1, w2] =
            [fitted.weights1, fitted.weights2].map(|w| Array::from_ndarray(&xp, &w).expect("weights"));
        background.evaluate(&w1, &w2).expect("a background").to_vec().expect("pixels")
    };
    let mut fitter = FrameFitter::new(&xp, matrices(), &base).expect("normal equations");
    let mut first = Vec::new();
    for mask in [&few, &many, &back, &base] {
        fitter.set_mask(mask).expect("normal equations");
        let found = model(&fitter);
        let expected = model(&FrameFitter::new(&xp, matrices(), mask).expect("normal equations"));
        for (found, expected) in found.iter().zip(&expected) {
            // The sums are the same in another order.
            assert!((found - expected).abs() < 1e-8 * expected.abs(), "{found} and {expected}");
        }
        first.push(found);
    }
    // What was set before leaves no trace.
    for (mask, first) in [&few, &many, &back, &base].into_iter().zip(&first).rev() {
        fitter.set_mask(mask).expect("normal equations");
        assert_eq!(model(&fitter), *first);
    }
}
