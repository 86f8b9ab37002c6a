//! `backdrop correct` as its users meet it.

use std::path::Path;

use assert_cmd::Command;
use backdrop::file::{Format, Model};
use backdrop::simulate::{Simulation, SimulationSettings};
use backdrop::tpf::TargetPixelFile;
use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};
use serde_json::Value;
use tempfile::TempDir;

use super::common::{MODEL_NAME as MODEL, backdrop, names};

fn correct(dir: &Path, args: &[&str]) -> Command {
    let mut command = backdrop(dir);
    command.args(["correct", "--model", MODEL]).args(args);
    command
}

fn settings() -> SimulationSettings {
    SimulationSettings { frames: 5, size: 64, ..Default::default() }
}

/// A directory with a model, and target pixel files `a.fits` and `b.fits`.
fn with_model() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let simulation = Simulation::new(settings()).unwrap();
    simulation.write(&here.join("frames"), Default::default(), &backdrop::progress::Silent).unwrap();
    for (name, corner) in [("a.fits", (30, 20)), ("b.fits", (0, 53))] {
        simulation.write_target_pixels(&here.join(name), corner, (11, 11), false).unwrap();
    }
    backdrop(here)
        .args(["fit", "--in-dir", "frames", "--cutout-size", "64", "--nknots", "8"])
        .assert()
        .success();
    dir
}

fn json(command: &mut Command, code: i32) -> Value {
    let assert = command.arg("--json").assert().code(code);
    serde_json::from_slice(&assert.get_output().stdout).unwrap()
}

#[test]
fn corrected_files_go_beside_the_others_or_where_they_are_sent() {
    let dir = with_model();
    let here = dir.path();
    // Of five frames two are flagged and not fitted.
    let line = "a.fits: 3 of 5 cadences of 11 x 11 pixels corrected, 2 in frames that were not fitted, in a_backdrop.fits";
    correct(here, &["a.fits"]).assert().success().stdout(starts_with(line)).stderr(is_empty());
    correct(here, &["a.fits", "b.fits", "--out-dir", "new/out"]).assert().success();
    assert_eq!(names(&here.join("new/out")), ["a_backdrop.fits", "b_backdrop.fits"]);
    correct(here, &["b.fits", "--out", "c.fits"]).assert().success();
    let read = |name: &str| std::fs::read(here.join(name)).unwrap();
    assert!(read("c.fits") == read("new/out/b_backdrop.fits"));
    assert_eq!(names(here), ["a.fits", "a_backdrop.fits", "b.fits", "c.fits", "frames", "new", MODEL]);
}

#[test]
fn a_light_curve_is_written_beside_the_corrected_file() {
    let dir = with_model();
    let report = json(&mut correct(dir.path(), &["a.fits", "--lightcurve"]), 0);
    assert_eq!(report["files"][0]["lightcurve"], "a_backdrop_lightcurve.fits");
    assert!(report["files"][0]["aperture_pixels"].as_u64().unwrap() > 0);
    assert!(dir.path().join("a_backdrop_lightcurve.fits").exists());
    // Either both are written or none.
    std::fs::remove_file(dir.path().join("a_backdrop.fits")).unwrap();
    let again = correct(dir.path(), &["a.fits", "--lightcurve"]).assert().code(1);
    again.stderr(contains("a_backdrop_lightcurve.fits: exists already"));
    assert!(!dir.path().join("a_backdrop.fits").exists());
}

/// Without these options the model is read without its images.
#[test]
fn the_average_frame_and_the_uncertainty_are_of_the_models_images() {
    let dir = with_model();
    let here = dir.path();
    let path = here.join(MODEL);
    let mut model = Model::load(&path).unwrap();
    model.average_frame.fill(7.0);
    model.save(&path, Format::Fits, true).unwrap();
    let corrected = |name: &str, options: &[&str]| {
        let report = json(correct(here, &["a.fits", "--out", name]).args(options), 0);
        (TargetPixelFile::open(&here.join(name)).unwrap(), report["files"][0].clone())
    };
    let (plain, report) = corrected("plain.fits", &[]);
    assert_eq!((&report["average"], &report["sigma_added"]), (&false.into(), &false.into()));
    let (average, report) = corrected("average.fits", &["--average"]);
    assert_eq!((&report["average"], &report["sigma_added"]), (&true.into(), &false.into()));
    let (sigma, report) = corrected("sigma.fits", &["--add-sigma"]);
    assert_eq!((&report["average"], &report["sigma_added"]), (&false.into(), &true.into()));

    let pixels = plain.flux.iter().zip(&average.flux).filter(|(plain, _)| plain.is_finite());
    // Fluxes of some hundreds, in single precision.
    assert!(pixels.clone().all(|(plain, average)| (plain - average - 7.0).abs() < 1e-3));
    assert_eq!(pixels.count(), 3 * 11 * 11);
    let errors = || plain.flux_error.iter().zip(&sigma.flux_error);
    assert!(errors().all(|(plain, sigma)| plain <= sigma || plain.is_nan()));
    assert!(errors().any(|(plain, sigma)| plain < sigma));
}

/// Weights are checked as they are read, which is after files to be written were begun.
#[test]
fn a_model_with_damaged_weights_is_one_error_and_leaves_nothing() {
    let dir = with_model();
    let here = dir.path();
    let mut bytes = std::fs::read(here.join(MODEL)).unwrap();
    let weights = Model::load(&here.join(MODEL)).unwrap().weights2;
    // Not of a frame that was not fitted.
    let weight = weights.iter().find(|weight| weight.is_normal()).unwrap().to_be_bytes();
    let position = bytes.windows(8).position(|window| window == weight).unwrap();
    bytes[position + 5] ^= 1;
    std::fs::write(here.join(MODEL), bytes).unwrap();
    let before = names(here);
    let commands: [&[&str]; 6] = [
        &["model", MODEL, "--frames", "0", "--rows", "1..3", "--columns", "4..9", "--out", "window.fits"],
        &["model", MODEL, "--out", "window.fits"],
        &["correct", "--model", MODEL, "a.fits", "b.fits"],
        &["flag", "--model", MODEL, "--level", "1", "a.fits", "b.fits"],
        &["flag", "--model", MODEL, "--level", "1", "--pixel", "3,4", "--out", "flags.fits"],
        &["info", MODEL],
    ];
    for command in commands {
        let line = format!(
            "backdrop: error: {MODEL}: HDU 3 does not match its checksum (DATASUM): the file is damaged; \
             download or copy it again\n"
        );
        backdrop(here).args(command).assert().code(1).stdout(is_empty()).stderr(line);
        assert_eq!(names(here), before, "{command:?}");
    }
}

#[test]
fn a_bad_file_is_named_and_the_others_are_corrected() {
    let dir = with_model();
    let here = dir.path();
    let other =
        SimulationSettings { target: backdrop::source::Target { ccd: 2, ..settings().target }, ..settings() };
    Simulation::new(other).unwrap().write_target_pixels(&here.join("o.fits"), (0, 0), (3, 3), false).unwrap();
    std::fs::write(here.join("text.fits"), "no FITS").unwrap();
    let report = json(&mut correct(here, &["o.fits", "text.fits", "none.fits", MODEL, "a.fits"]), 1);
    let errors: Vec<_> = (0..4).map(|file| report["files"][file]["error"].as_str().unwrap()).collect();
    assert_eq!(
        errors[0],
        "o.fits: the model is of sector 1, camera 1, CCD 4, but the data are of sector 1, camera 1, CCD 2: \
         use the model of sector 1, camera 1, CCD 2"
    );
    assert_eq!(errors[1], "text.fits: not a target pixel file: it is not FITS");
    assert!(errors[2].starts_with("none.fits: "), "{}", errors[2]);
    assert!(errors[3].starts_with(&format!("{MODEL}: not a target pixel file")), "{}", errors[3]);
    assert_eq!(report["files"][4]["corrected"], 3);
    assert_eq!(report["files"][4]["first_column"], 20);
    assert_eq!(names(here), ["a.fits", "a_backdrop.fits", "b.fits", "frames", "o.fits", MODEL, "text.fits"]);
}

#[test]
fn nothing_is_replaced_or_corrected_twice() {
    let dir = with_model();
    let here = dir.path();
    let one_error = |args: &[&str], code: i32, message: &str| {
        let assert = correct(here, args).assert().code(code).stdout(is_empty());
        assert.stderr(starts_with("backdrop: error: ").and(contains(message)));
    };
    std::fs::write(here.join("a_backdrop.fits"), "mine").unwrap();
    one_error(&["a.fits"], 1, "a_backdrop.fits: exists already; use --overwrite");
    assert_eq!(std::fs::read(here.join("a_backdrop.fits")).unwrap(), b"mine");
    correct(here, &["a.fits", "--overwrite"]).assert().success();
    let twice = format!("its background was subtracted already, with the model {MODEL}");
    one_error(&["a_backdrop.fits"], 1, &twice);

    one_error(&["a.fits", "--corner", "30,21", "--out", "x.fits"], 1, "is at row 30, column 20, not 30, 21");
    one_error(&["b.fits", "--average"], 1, "b.fits: the model has no average frame to subtract");
    one_error(&["b.fits", "--lightcurve", "--detrend"], 1, "are too few to detrend against");
    one_error(&["b.fits", "--lightcurve", "--threshold", "1e9"], 1, "b.fits: no pixel reaches the threshold");
    one_error(
        &["a.fits", "b.fits", "--out", "x.fits"],
        2,
        "--out x.fits is one file, for 2 target pixel files",
    );
    one_error(
        &["b.fits", "--out", "x", "--out-dir", "y"],
        2,
        "'--out <FILE>' cannot be used with '--out-dir <DIR>'",
    );
    one_error(&["b.fits", "--corner", "1"], 2, "write the row and the column, such as 50,1034");
    assert_eq!(names(here), ["a.fits", "a_backdrop.fits", "b.fits", "frames", MODEL]);
}

#[test]
fn help_has_examples_and_exit_codes() {
    let help = backdrop(Path::new(".")).args(["correct", "--help"]).assert().success().stderr(is_empty());
    help.stdout(contains("Examples:").and(contains("130  ")).and(contains("--corner <ROW,COLUMN>")));
}
