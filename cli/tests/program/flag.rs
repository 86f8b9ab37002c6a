//! `backdrop flag` and the uncertainty of `backdrop model` as their users meet them.

use std::path::Path;

use array_api::Cpu;
use backdrop::file::Model;
use backdrop::uncertainty::Uncertainty;
use predicates::str::contains;

use super::common::{MODEL_NAME, backdrop, fit, json, names, one_error, with_frames};

const MODEL: &str = "models/tessbackdrop_sector1_camera1_ccd4.fits";

/// The numbers of a FITS file of doubles with a header of one block.
fn doubles(path: &Path, count: usize) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    let numbers = bytes[2880..][..8 * count].chunks_exact(8);
    numbers.map(|bytes| f64::from_be_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn pixels_are_flagged_where_the_background_exceeds_the_threshold() {
    let dir = with_frames(&["--flagged-frames", "1"]);
    let here = dir.path();
    fit(here).assert().success();
    let model = Model::load(&here.join("models").join(MODEL_NAME)).unwrap();
    let frames = [0, 1, 2, 3, 4];
    let levels = model.evaluate_pixels(&Cpu::new(), &frames, &[(5, 6), (60, 2)]).unwrap();
    let window = model.evaluate(&Cpu::new(), &frames, &[5], &[6]).unwrap();
    for (frame, &level) in levels.column(0).iter().enumerate() {
        let same = (level - window[(frame, 0, 0)]).abs() <= 1e-9 * level.abs();
        assert!(same || (level.is_nan() && window[(frame, 0, 0)].is_nan()), "frame {frame}");
    }
    let mut known: Vec<f64> = levels.column(0).iter().copied().filter(|level| level.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    assert_eq!(known.len(), 4);
    // Between the second and the third of four: two frames of the first target exceed it.
    let level = (0.5 * (known[1] + known[2])).to_string();
    let flag = ["flag", "--model", MODEL, "--level", &level, "--pixel", "5,6", "--pixel", "60,2"];
    let result = backdrop(here).args(flag).args(["--out", "flags.fits", "--json"]).assert().success();
    let result = json(&result.get_output().stdout);
    assert_eq!((&result["targets"], &result["frames"]), (&2.into(), &5.into()));
    assert_eq!(result["flagged"][0], 2);

    std::fs::write(here.join("targets.csv"), "row,column\n5,6\n60,2\n").unwrap();
    let flag = ["flag", "--model", MODEL, "--level", &level, "--targets", "targets.csv"];
    backdrop(here).args(flag).args(["--out", "again.fits"]).assert().success();
    assert_eq!(
        std::fs::read(here.join("again.fits")).unwrap(),
        std::fs::read(here.join("flags.fits")).unwrap()
    );
}

#[test]
fn wrong_targets_and_thresholds_are_errors_in_words() {
    let dir = with_frames(&[]);
    let here = dir.path();
    fit(here).assert().success();
    let flag = |more: &[&str]| backdrop(here).args(["flag", "--model", MODEL]).args(more).assert();
    one_error("required arguments were not provided")(flag(&["--level", "5"]).code(2));
    one_error("required arguments were not provided")(flag(&["--pixel", "1,2", "--out", "x"]).code(2));
    one_error("give --out FILE")(flag(&["--level", "5", "--pixel", "1,2"]).code(2));
    one_error("are no thresholds")(flag(&["--level", "NaN", "--pixel", "1,2", "--out", "x"]).code(2));
    one_error("row 2048 is outside")(flag(&["--level", "5", "--pixel", "2048,2", "--out", "x"]).code(1));
    one_error("none.csv: No such file")(
        flag(&["--level", "5", "--targets", "none.csv", "--out", "x"]).code(1),
    );
    one_error("frames: not a regular file")(flag(&["--level", "5", "frames"]).code(1));
    assert_eq!(names(here), ["frames", "models"]);
}

#[test]
fn the_standard_deviation_of_the_model_is_written_beside_it() {
    let dir = with_frames(&["--flagged-frames", "0"]);
    let here = dir.path();
    fit(here).assert().success();
    let evaluate = ["model", MODEL, "--frames", "1,3", "--rows", "10..20", "--columns", "5..45"];
    backdrop(here).args(evaluate).args(["--out", "cube.fits", "--sigma", "sigma.fits"]).assert().success();
    let model = Model::load(&here.join(MODEL)).unwrap();
    let (rows, columns): (Vec<usize>, Vec<usize>) = ((10..20).collect(), (5..45).collect());
    let expected = Uncertainty::new(&Cpu::new(), &model).unwrap().sigma(&[1, 3], &rows, &columns).unwrap();
    let found = doubles(&here.join("sigma.fits"), 800);
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    let same = backdrop(here).args(evaluate).args(["--out", "a.fits", "--sigma", "a.fits"]).assert();
    one_error("--out and --sigma name the same file")(same.code(2));
    assert_eq!(names(here), ["cube.fits", "frames", "models", "sigma.fits"]);
}

#[test]
fn asteroids_are_masked_by_a_table() {
    let dir = with_frames(&["--asteroids", "3"]);
    let here = dir.path();
    let with = |more: &[&str]| {
        let result = fit(here).args(["--json", "--overwrite"]).args(more).assert().success();
        (json(&result.get_output().stdout), Model::load(&here.join(MODEL)).unwrap())
    };
    let (report, plain) = with(&[]);
    assert_eq!(report["asteroid_pixels"], 0);
    assert_eq!(plain.asteroids, "");
    let (report, masked) = with(&["--asteroids", "frames/asteroids.csv"]);
    assert!(report["asteroid_pixels"].as_u64().unwrap() > 0);
    assert_eq!(masked.asteroids, "asteroids.csv");
    assert_ne!(masked.weights2, plain.weights2);
    // Windows of two frames mask less than one of all.
    let (windows, _) = with(&["--asteroids", "frames/asteroids.csv", "--mask-window", "2"]);
    assert!(windows["asteroid_pixels"].as_u64() <= report["asteroid_pixels"].as_u64());
    assert!(windows["mask_windows"].as_u64() > report["mask_windows"].as_u64());

    std::fs::write(here.join("bad.csv"), "name,time,row,column,vmag\nCeres,1325,x,5,9\n").unwrap();
    let bad = fit(here).args(["--overwrite", "--asteroids", "bad.csv"]).assert();
    one_error("bad.csv: line 2, column row: \"x\" is no number")(bad.code(1));
    backdrop(here).args(["fit", "--help"]).assert().success().stdout(contains("--asteroids <FILE>"));
}
