//! Models, as FITS and as npz.

use array_api::Cpu;
use backdrop::background::Evaluator;
use backdrop::file::{AnyModel, Format, Model, StoredModel};
use backdrop::uncertainty::Uncertainty;
use ndarray::Array2;

use super::{check, check_line, note};
use crate::scratch;

pub(super) const WORDS: &[&str] = &[
    "SECTOR",
    "CAMERA",
    "CCD",
    "CUTSIZE",
    "STRPPOLY",
    "PRESET",
    "DESIGN1",
    "DESIGN2",
    "NKNOTS",
    "SEED",
    "QUALMASK",
    "AVGMASK",
    "ORIGIN",
    "VERSION",
    "BACKEND",
    "ASTEROID",
    "TIME",
    "WEIGHTS1",
    "WEIGHTS2",
    "JITTER",
    "BKG",
    "AVGFRAME",
    "JITPIX",
    "BKGPIX",
    "FILES",
    "MASKS",
    "NOISE",
    "tstart",
    "tstop",
    "quality",
    "row",
    "column",
    "name",
    "scatter",
    "standard",
    "classic",
    "cartesian(1) ~ 2 +- 100",
    "cartesian(2) ~ 0 +- 200",
    "radial(1) ~ 0 +- 1",
    "spline(2) ~ 0 +- 200",
    "radial_spline(2) ~ 0 +- 1",
    "spline(1) ~ 0 +- 1",
    "spline(2, degree=0) ~ 0 +- 1",
    "spline(2, degree=18446744073709551615) ~ 0 +- 1",
    "radial_spline(2, degree=3) ~ -1 +- 1e300",
    "cartesian(2048) ~ 0 +- inf",
    "strap(2048) ~ 0 +- 1",
    "radial(4) ~ 0 +- 1e-300",
    "radial(1) ~ 0 +- 1 + radial(1) ~ 0 +- 1",
];

/// Pixels and frames that are evaluated at most.
const MOST: usize = 4;

pub(super) fn run(input: &[u8]) {
    let path = scratch::file("model", input);
    let stored = StoredModel::open(&path).and_then(|stored| stored.check().map(|()| stored));
    let (model, stored) = match (Model::load(&path), stored) {
        (Ok(model), Ok(stored)) => (model, stored),
        // Only the images may be at fault.
        (Err(error), _) => return check(&error, &path),
        (Ok(_), Err(error)) => panic!("a model that can be loaded cannot be opened: {error}"),
    };
    note("loaded");
    assert!(model.shape.0 <= 2048 && model.shape.1 <= 2048);
    survives(&model, Format::Fits);
    survives(&model, Format::Npz);

    let xp = Cpu::new();
    let frames: Vec<usize> = (0..model.tstart.len().min(MOST)).collect();
    let (rows, columns) = ([0, 7, 2047], [1, 2000]);
    match model.evaluate(&xp, &frames, &rows, &columns) {
        Ok(flux) => {
            assert_eq!(flux.dim(), (frames.len(), rows.len(), columns.len()));
            note("evaluated");
            let pixels: Vec<_> = rows.iter().flat_map(|&row| columns.map(|column| (row, column))).collect();
            let single =
                model.evaluate_pixels(&xp, &frames, &pixels).expect("pixels of a model that makes sense");
            assert_eq!(single.len(), flux.len());
            for (&frame, (flux, single)) in frames.iter().zip(flux.outer_iter().zip(single.outer_iter())) {
                // What infinity times 0 comes to, or less itself, goes by the order.
                let weights = model.weights1.row(frame).into_iter().chain(model.weights2.row(frame));
                if !weights.copied().all(f64::is_finite) {
                    continue;
                }
                for (a, b) in flux.iter().zip(&single) {
                    // Sums in another order; where terms cancel they may differ by anything.
                    assert!(a.is_finite() == b.is_finite() || a.abs().max(b.abs()) > 1e290, "{a} is not {b}");
                }
            }
            let of_stored =
                Evaluator::new(&xp, &stored, &rows, &columns).and_then(|stored| stored.evaluate(&frames));
            let of_stored = of_stored.expect("weights that are in the file");
            assert!(flux.iter().map(|x| x.to_bits()).eq(of_stored.iter().map(|x| x.to_bits())));
            assert_eq!(stored.columns(), model.columns());
            assert!(model.evaluate(&xp, &[model.tstart.len()], &rows, &columns).is_err());
            assert!(model.evaluate(&xp, &frames, &[2048], &columns).is_err());
        }
        Err(error) => {
            check_line(&error.to_string());
            note(&error.to_string());
        }
    }
    // The covariance is of all pixels, and has the columns of A2 twice.
    if model.shape.0 * model.shape.1 <= 1 << 12 && model.weights2.ncols() <= 200 {
        match Uncertainty::new(&xp, &model).and_then(|sigma| sigma.sigma(&frames, &rows, &columns)) {
            Ok(sigma) => {
                assert!(sigma.iter().all(|sigma| sigma.is_nan() || *sigma >= 0.0));
                note("uncertain");
            }
            Err(error) => {
                check_line(&error.to_string());
                note(&error.to_string());
            }
        }
    }
}

/// A model that was loaded can be saved, and is then loaded as the same.
fn survives(model: &Model, format: Format) {
    let path = scratch::path("again");
    if let Err(error) = model.save(&path, format, true) {
        panic!("a model that was loaded cannot be saved: {error}");
    }
    let again = match Model::load(&path) {
        Ok(again) => again,
        Err(error) => panic!("a model that was saved cannot be loaded: {error}"),
    };
    for ((name, before), (_, after)) in arrays(model).into_iter().zip(arrays(&again)) {
        assert!(before == after, "a model that was saved is another one: {name} was {before} and is {after}");
    }
    let (before, after) = (without_arrays(model), without_arrays(&again));
    if before != after {
        let (before, after) = (format!("{before:?}"), format!("{after:?}"));
        let differs =
            before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(60);
        let part = |text: &str| text.get(differs..).unwrap_or_default().chars().take(120).collect::<String>();
        panic!("a model that was saved is another one: {} is now {}", part(&before), part(&after));
    }
}

/// The arrays of floating-point numbers in a model as bits, with which NaN is the same as itself.
fn arrays(model: &Model) -> [(&'static str, Array2<u64>); 8] {
    let list = |list: &[f64]| Array2::from_shape_fn((1, list.len()), |(_, i)| list[i].to_bits());
    let table = |array: &Array2<f64>| array.mapv(f64::to_bits);
    [
        ("tstart", list(&model.tstart)),
        ("tstop", list(&model.tstop)),
        ("weights1", table(&model.weights1)),
        ("weights2", table(&model.weights2)),
        ("jitter", table(&model.jitter)),
        ("background", table(&model.background)),
        ("average frame", table(&model.average_frame)),
        ("scatter", list(&model.scatter)),
    ]
}

/// All else in a model.
fn without_arrays(model: &Model) -> Model {
    let none = || Array2::zeros((0, 0));
    Model {
        tstart: Vec::new(),
        tstop: Vec::new(),
        weights1: none(),
        weights2: none(),
        jitter: none(),
        background: none(),
        average_frame: none(),
        scatter: Vec::new(),
        ..model.clone()
    }
}
