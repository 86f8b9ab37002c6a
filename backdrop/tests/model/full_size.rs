//! The main job at full size, on simulated frames whose true background is known.

use std::time::Duration;

use array_api::Cpu;
use backdrop::background::Evaluator;
use backdrop::fit::{FitOptions, fit};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings};

/// Mean and standard deviation.
fn statistics(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt())
}

#[test]
fn differences_between_frames_match_the_truth() {
    let settings =
        SimulationSettings { frames: 4, size: 2048, flagged_frames: 0, ..SimulationSettings::default() };
    let simulation = Simulation::new(settings).expect("a simulation");
    let (model, report) = fit(&Cpu::new(), &simulation, &FitOptions::default(), &Silent).expect("a fit");
    assert_eq!((model.weights1.dim(), model.weights2.dim()), ((4, 77), (4, 3122)));
    assert!(report.fit_time > Duration::ZERO && (0.01..0.7).contains(&report.masked_fraction), "{report:?}");

    let all: Vec<usize> = (0..2048).collect();
    let evaluator = Evaluator::new(&Cpu::new(), &model, &all, &all).expect("an evaluator");
    let mut truth = [vec![0.0_f32; 2048 * 2048], vec![0.0_f32; 2048 * 2048]];
    for (first, second) in [(0, 1), (0, 3)] {
        simulation.truth(first, &mut truth[0]).expect("the truth");
        simulation.truth(second, &mut truth[1]).expect("the truth");
        let fitted = evaluator.evaluate(&[first, second]).expect("a background");
        let (mut light, mut error) = (Vec::new(), Vec::new());
        for (pixel, clean) in
            model.star_mask.iter().zip(&model.saturation_mask).map(|(a, b)| a & b).enumerate()
        {
            if clean {
                let (row, column) = (pixel / 2048, pixel % 2048);
                let change = f64::from(truth[1][pixel] - truth[0][pixel]);
                light.push(change);
                error.push(fitted[(1, row, column)] - fitted[(0, row, column)] - change);
            }
        }
        let ((_, light), (bias, scatter)) = (statistics(&light), statistics(&error));
        println!("light varies by {light:.2}, the model is off by {bias:.3} +- {scatter:.3} electrons/s");
        // scatterbrain reaches a scatter of 0.30 electrons/s where the light varies by 16.
        assert!(light > if second == 3 { 16.0 } else { 8.0 }, "the simulated light changes by {light}");
        assert!(scatter < 0.3 && bias.abs() < 0.3, "frames {first} and {second}: {bias} +- {scatter}");
    }
}
