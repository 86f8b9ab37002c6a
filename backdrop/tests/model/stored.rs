//! Models whose weights stay in their files, evaluated.

use array_api::Cpu;
use backdrop::background::{Evaluator, evaluate_pixels};
use backdrop::error::{Error, Result};
use backdrop::file::{Format, StoredModel, fitted_frames};
use backdrop::fit::{FitOptions, fit};
use backdrop::flags::{TargetFlags, Thresholds};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings};

const ROWS: [usize; 3] = [10, 11, 40];
const COLUMNS: [usize; 2] = [20, 63];

/// Windows in batches of so many frames, one after another.
fn in_batches(stored: &StoredModel, frames: &[usize], size: usize) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    let evaluator = Evaluator::new(&Cpu::new(), stored, &ROWS, &COLUMNS)?;
    evaluator.evaluate_in_batches(frames, size, |batch, images| {
        assert!(batch.len() == images.dim().0 && batch.len() <= size.max(1));
        seen.extend_from_slice(batch);
        found.extend(images);
        Ok::<_, Error>(())
    })?;
    assert_eq!(seen, frames);
    Ok(found)
}

fn bits<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> Vec<u64> {
    numbers.into_iter().map(|number| number.to_bits()).collect()
}

#[test]
fn weights_in_a_file_give_what_those_in_memory_give_or_nothing() {
    let settings = SimulationSettings { frames: 6, size: 64, flagged_frames: 1, ..Default::default() };
    let simulation = Simulation::new(settings).expect("a simulation");
    let (whole, _) = fit(&Cpu::new(), &simulation, &FitOptions::default(), &Silent).expect("a model");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("model.fits");
    whole.save(&path, Format::Fits, false).expect("a saved model");
    let xp = Cpu::new();
    let frames: Vec<usize> = (0..6).rev().chain([2, 3, 3, 0]).collect();
    let pixels = [(10, 20), (40, 63), (0, 0)];
    let expected = whole.evaluate(&xp, &frames, &ROWS, &COLUMNS).expect("a background");
    let of_pixels = whole.evaluate_pixels(&xp, &frames, &pixels).expect("the background of pixels");

    let open = || StoredModel::open(&path).expect("a model");
    let evaluate = |stored: &StoredModel, frames: &[usize]| {
        Evaluator::new(&xp, stored, &ROWS, &COLUMNS).and_then(|evaluator| evaluator.evaluate(frames))
    };
    assert_eq!(bits(&evaluate(&open(), &frames).expect("a background")), bits(&expected));
    let found = evaluate_pixels(&xp, &open(), &frames, &pixels).expect("the background of pixels");
    assert_eq!(bits(&found), bits(&of_pixels));
    for size in [0, 1, 4, 1000] {
        let found = in_batches(&open(), &frames, size).expect("a background");
        assert_eq!(bits(&found), bits(&expected), "batches of {size}");
    }
    assert_eq!(fitted_frames(&open()).expect("weights"), fitted_frames(&whole).expect("weights"));

    let mut bytes = std::fs::read(&path).expect("the model's file");
    let weight = whole.weights2.iter().find(|weight| weight.is_normal()).expect("a fitted frame");
    let stored = weight.to_be_bytes();
    let position = bytes.windows(8).position(|window| window == stored).expect("the weight");
    bytes[position + 7] ^= 1;
    std::fs::write(&path, &bytes).expect("a damaged file");
    let damaged = |result: Result<()>| matches!(result, Err(Error::Checksum { .. }));
    // Whether or not the damaged number is needed.
    for frames in [&[5][..], &[0], &[]] {
        assert!(damaged(evaluate(&open(), frames).map(drop)));
        assert!(damaged(evaluate_pixels(&xp, &open(), frames, &pixels).map(drop)));
        assert!(damaged(in_batches(&open(), frames, 4).map(drop)));
    }
    assert!(damaged(TargetFlags::new(&xp, &open(), &pixels, Thresholds::default()).map(drop)));
    assert!(damaged(fitted_frames(&open()).map(drop)));
    assert!(damaged(open().check()));
}
