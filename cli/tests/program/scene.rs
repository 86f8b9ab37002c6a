//! `backdrop scene` as its users meet it.

use std::path::Path;

use array_api::Cpu;
use assert_cmd::Command;
use backdrop::scene::Scene;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

use super::common::{backdrop, json, one_error};

const MODEL: &str = "models/tessbackdrop_sector1_camera1_ccd4.fits";
const SCENE: &str = "scenes/tessstarscene_sector1_camera1_ccd4.fits";

/// A directory with a small simulated sector in `frames`, long enough for components, and a model.
fn with_model() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let simulate = ["simulate", "--out-dir", "frames", "--frames", "56", "--size", "32"];
    backdrop(dir.path()).args(simulate).assert().success();
    let fit = ["fit", "--in-dir", "frames", "--cutout-size", "32", "--out-dir", "models"];
    backdrop(dir.path()).args(fit).assert().success();
    dir
}

fn scene_fit(dir: &Path) -> Command {
    let mut command = backdrop(dir);
    command.args(["scene", "fit", "--model", MODEL, "--in-dir", "frames", "--out-dir", "scenes"]);
    command
}

#[test]
fn help_of_both_commands_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["fit", "model"] {
        let help = backdrop(dir.path()).args(["scene", command, "--help"]).assert().success();
        help.stdout(contains("Examples:").and(contains("Exit codes:")));
    }
    backdrop(dir.path())
        .args(["scene", "--help"])
        .assert()
        .success()
        .stdout(contains("fit").and(contains("model")));
}

#[test]
fn from_frames_to_a_scene_to_its_flux() {
    let dir = with_model();
    let here = dir.path();
    let fitted = scene_fit(here).arg("--json").assert().success();
    let report = json(&fitted.get_output().stdout);
    assert_eq!(report["scene"], SCENE);
    // Two of the frames carry a quality flag.
    assert_eq!(report["orbits"], serde_json::json!([54]));
    assert_eq!((&report["unfitted_frames"], &report["missing_frames"]), (&2.into(), &0.into()));
    assert!(report["components"].as_u64().unwrap() >= 3);
    assert_eq!(report["sector"], 1);

    let select = ["--frames", "3,10..12", "--rows", "30..", "--columns", "5"];
    let evaluate = ["scene", "model", SCENE, "--out", "cube.fits", "--json"];
    let written = backdrop(here).args(evaluate).args(select).assert().success();
    let written = json(&written.get_output().stdout);
    assert_eq!((&written["frames"], &written["rows"]), (&serde_json::json!([3, 10, 11]), &2.into()));

    let scene = Scene::load(&here.join(SCENE)).unwrap();
    let expected = scene.evaluate(&Cpu::new(), &[3, 10, 11], &[30, 31], &[5]).unwrap();
    assert!(expected.iter().all(|value| value.is_finite()));
    let bytes = std::fs::read(here.join("cube.fits")).unwrap();
    // A block of header, then the pixels, most significant byte first.
    let pixels = bytes[2880..].as_chunks::<8>().0.iter().map(|&pixel| f64::from_be_bytes(pixel));
    assert!(pixels.take(6).eq(expected.iter().copied()));

    let info = json(&backdrop(here).args(["info", SCENE, "--json"]).assert().success().get_output().stdout);
    let info = &info["files"][0];
    assert_eq!((&info["kind"], &info["frames"]), (&"scene".into(), &56.into()));
    assert_eq!((&info["orbits"], &info["rows"]), (&serde_json::json!([54]), &32.into()));
    assert_eq!(info["terms"].as_array().unwrap().len() as u64, report["components"]);

    scene_fit(here)
        .arg("--overwrite")
        .assert()
        .success()
        .stdout(contains("54 frames in 1 orbit of sector 1"));
    one_error("exists already; use --overwrite")(scene_fit(here).assert().code(1));
    let beyond = backdrop(here).args(["scene", "model", SCENE, "--rows", "32", "--out", "x.fits"]).assert();
    one_error("there is no row 32: they are 0 to 31")(beyond.code(2));
    let other = backdrop(here).args(["scene", "model", MODEL, "--out", "x.fits"]).assert();
    one_error("not a saved star scene")(other.code(1));
    assert!(!here.join("x.fits").exists());
}

#[test]
fn the_scene_does_not_depend_on_threads_or_compression() {
    let dir = with_model();
    let here = dir.path();
    let scene = || std::fs::read(here.join(SCENE)).unwrap();
    scene_fit(here).args(["--threads", "1"]).assert().success();
    let one = scene();
    scene_fit(here).args(["--threads", "2", "--overwrite"]).assert().success();
    assert!(one == scene());
    std::fs::remove_dir_all(here.join("frames")).unwrap();
    let simulate =
        ["simulate", "--out-dir", "frames", "--frames", "56", "--size", "32", "--compression", "gz"];
    backdrop(here).args(simulate).assert().success();
    scene_fit(here).arg("--overwrite").assert().success();
    assert!(one == scene());
}

#[test]
fn frames_that_the_model_was_not_fitted_to_are_refused() {
    let dir = with_model();
    let here = dir.path();
    let later = ["simulate", "--out-dir", "frames", "--frames", "57", "--size", "32", "--overwrite"];
    backdrop(here).args(later).assert().success();
    one_error("is not in the model, whose frames start at")(scene_fit(here).assert().code(1));
    std::fs::remove_dir_all(here.join("frames")).unwrap();
    let other = ["simulate", "--out-dir", "frames", "--frames", "3", "--size", "32", "--ccd", "2"];
    backdrop(here).args(other).assert().success();
    one_error("no full frame image of sector 1, camera 1, CCD 4")(scene_fit(here).assert().code(1));
    assert_eq!(std::fs::read_dir(here.join("scenes")).map_or(0, Iterator::count), 0);
}
