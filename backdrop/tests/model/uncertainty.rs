//! The stated uncertainty of the model against its errors on a simulation.

use array_api::Cpu;
use backdrop::design::Preset;
use backdrop::file::Model;
use backdrop::fit::{FitOptions, fit};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings};
use backdrop::uncertainty::Uncertainty;
use ndarray::{Array2, Axis};

#[test]
fn errors_are_as_large_as_stated() {
    let size = 320;
    let settings = SimulationSettings {
        frames: 6,
        size,
        stars: 0.0,
        flagged_frames: 0,
        ..SimulationSettings::default()
    };
    let source = Simulation::new(settings).expect("a simulation");
    let xp = Cpu::new();
    let options = FitOptions::preset(Preset::Standard);
    let (model, _) = fit(&xp, &source, &options, &Silent).expect("a fit");
    let at: Vec<usize> = (0..size).collect();
    let frames: Vec<usize> = (0..6).collect();
    let background = model.evaluate(&xp, &frames, &at, &at).expect("a background");
    let sigma = Uncertainty::new(&xp, &model).expect("a covariance").sigma(&frames, &at, &at).expect("sigma");
    let mut truth = vec![0.0; size * size];
    let (mut square, mut count) = (0.0, 0.0);
    for frame in frames {
        source.truth(frame, &mut truth).expect("a frame");
        let errors = background.index_axis(Axis(0), frame).to_owned()
            - Array2::from_shape_vec((size, size), truth.iter().copied().map(f64::from).collect())
                .expect("an image");
        let ratio = errors / sigma.index_axis(Axis(0), frame);
        square += ratio.iter().map(|z| z * z).sum::<f64>();
        count += ratio.len() as f64;
    }
    // The window holds some 100 weights that the data decide on, in six frames; the noise is that of
    // the photons, so that it is larger than the frame's scatter where there is more light.
    let std = (square / count).sqrt();
    assert!((0.9..1.25).contains(&std), "{std}");
}

#[test]
fn a_model_without_scatter_says_so() {
    let settings =
        SimulationSettings { frames: 1, size: 32, flagged_frames: 0, ..SimulationSettings::default() };
    let source = Simulation::new(settings).expect("a simulation");
    let xp = Cpu::new();
    let (mut model, _) = fit(&xp, &source, &FitOptions::default(), &Silent).expect("a fit");
    model.scatter.fill(f64::NAN);
    let error = Uncertainty::new(&xp, &model).err().expect("no scatter").to_string();
    assert!(error.contains("fit the frames again"), "{error}");
}

#[test]
fn designs_that_do_not_fit_the_weights_are_refused_as_where_the_model_is_evaluated() {
    let settings =
        SimulationSettings { frames: 1, size: 32, flagged_frames: 0, ..SimulationSettings::default() };
    let source = Simulation::new(settings).expect("a simulation");
    let xp = Cpu::new();
    let (model, _) = fit(&xp, &source, &FitOptions::default(), &Silent).expect("a fit");
    // The matrix of the first would have 10^14 numbers.
    let huge = Model { design2: "spline(2048) ~ 0 +- 200 + strap(2048) ~ 0 +- 1".into(), ..model.clone() };
    let small = Model { design1: "cartesian(1) ~ 2 +- 100".into(), ..model.clone() };
    let none = Model { design2: "cube(3) ~ 0 +- 1".into(), ..model };
    for (model, expected) in [
        (huge, " weights of A2 for each frame, but its design spline(2048) ~ "),
        (small, " weights of A1 for each frame, but its design cartesian(1) ~ 2 +- 100 needs 1"),
        (none, "\"cube(3) ~ 0 +- 1\" is no block of a design matrix"),
    ] {
        let error = Uncertainty::new(&xp, &model).err().expect("no design of these weights").to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(error, model.evaluate(&xp, &[0], &[0], &[0]).unwrap_err().to_string());
    }
}

#[test]
fn a_frame_whose_own_noise_was_subtracted_counts_with_half_the_median_scatter() {
    let settings =
        SimulationSettings { frames: 4, size: 32, flagged_frames: 0, ..SimulationSettings::default() };
    let source = Simulation::new(settings).expect("a simulation");
    let xp = Cpu::new();
    let (mut model, _) = fit(&xp, &source, &FitOptions::default(), &Silent).expect("a fit");
    model.scatter = vec![0.01, 3.0, f64::NAN, 4.0];
    let uncertainty = Uncertainty::new(&xp, &model).expect("a covariance");
    assert_eq!([0, 1, 3].map(|frame| uncertainty.scatter(frame)), [1.5, 3.0, 4.0]);
    assert!(uncertainty.scatter(2).is_nan());
}
