//! The program as the tests run it.

use std::path::Path;
use std::process::Command as Process;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};
use serde_json::Value;
use tempfile::TempDir;

/// The name of the model of the frames that are simulated.
pub const MODEL_NAME: &str = "tessbackdrop_sector1_camera1_ccd4.fits";

/// The program, in a directory of its own and without the environment's choice of device.
pub fn backdrop(dir: &Path) -> Command {
    let mut command = Command::from(process());
    command.current_dir(dir);
    command
}

pub fn process() -> Process {
    let mut process = Process::new(assert_cmd::cargo::cargo_bin!("backdrop"));
    process.env_remove("USE_CUPY");
    process
}

pub fn empty_dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A directory with a small simulated sector in `frames`.
pub fn with_frames(more: &[&str]) -> TempDir {
    let dir = empty_dir();
    let simulate = ["simulate", "--out-dir", "frames", "--frames", "5", "--size", "64"];
    backdrop(dir.path()).args(simulate).args(more).assert().success();
    dir
}

pub fn fit(dir: &Path) -> Command {
    let mut command = backdrop(dir);
    command.args(["fit", "--in-dir", "frames", "--cutout-size", "64", "--out-dir", "models"]);
    command
}

pub fn json(stdout: &[u8]) -> Value {
    let text = std::str::from_utf8(stdout).unwrap();
    assert_eq!(text.trim_end().lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(text).unwrap()
}

pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// One line on standard error that begins as all errors do, and nothing on standard output.
pub fn one_error(message: &str) -> impl Fn(assert_cmd::assert::Assert) + '_ {
    move |assert| {
        assert
            .stdout(is_empty())
            .stderr(starts_with("backdrop: error: ").and(contains(message)))
            .stderr(predicate::function(|text: &str| text.lines().count() == 1));
    }
}
