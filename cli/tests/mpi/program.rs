//! The program under `mpiexec`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{MODEL_NAME, backdrop as alone, empty_dir, fit, json, names, process, with_frames};
use crate::launch::{Ended, backdrop, run};

pub const TESTS: &[(&str, fn())] = &[
    ("ranks_make_the_model_that_one_process_makes", ranks_make_the_model_that_one_process_makes),
    ("one_rank_without_mpiexec", one_rank_without_mpiexec),
    ("each_rank_logs_under_its_number", each_rank_logs_under_its_number),
    ("an_error_of_all_ranks_is_said_once", an_error_of_all_ranks_is_said_once),
    ("an_error_of_one_rank_ends_all", an_error_of_one_rank_ends_all),
    ("help_is_said_once", help_is_said_once),
];

/// `backdrop fit --mpi` with so many ranks.
fn fit_with(size: usize, dir: &Path, args: &[&str]) -> Ended {
    run(backdrop(size).current_dir(dir).args(["fit", "--mpi"]).args(args))
}

/// The arguments that a fit of the simulated frames takes.
const FRAMES: [&str; 4] = ["--in-dir", "frames", "--cutout-size", "64"];

fn ranks_make_the_model_that_one_process_makes() {
    let dir = with_frames(&[]);
    fit(dir.path()).assert().success();
    let expected = fs::read(dir.path().join("models").join(MODEL_NAME)).unwrap();
    for (size, out, more) in [
        (1, "one", &[][..]),
        (2, "two", &["--frames-per-rank", "1"]),
        (3, "three", &["--buffer-gather"]),
        (4, "four", &["--threads", "1"]),
    ] {
        let args = [&FRAMES[..], &["--out-dir", out, "--json"], more].concat();
        let ended = fit_with(size, dir.path(), &args);
        assert_eq!(ended.code, Some(0), "{ended}");
        let report: Value = json(ended.stdout.as_bytes());
        let ranks = report["ranks"].as_array().unwrap().len();
        assert_eq!((ranks, &report["backend"]), (size, &"cpu".into()), "{ended}");
        assert_eq!(names(&dir.path().join(out)), [MODEL_NAME]);
        assert!(fs::read(dir.path().join(out).join(MODEL_NAME)).unwrap() == expected, "with {size} ranks");
    }
}

fn one_rank_without_mpiexec() {
    let dir = with_frames(&[]);
    let result = fit(dir.path()).args(["--mpi", "--json"]).assert().success();
    assert_eq!(json(&result.get_output().stdout)["ranks"].as_array().unwrap().len(), 1);
    alone(dir.path()).args(["fit", "--mpi", "--in-dir", "nowhere"]).assert().code(1);
}

fn each_rank_logs_under_its_number() {
    let dir = with_frames(&[]);
    let ended = fit_with(3, dir.path(), &[&FRAMES[..], &["--verbose"]].concat());
    assert_eq!(ended.code, Some(0), "{ended}");
    for rank in 0..3 {
        let number = format!(" rank {rank} ");
        let lines: Vec<&str> = ended.stdout.lines().filter(|line| line.contains(&number)).collect();
        assert!(lines.iter().any(|line| line.contains("read the headers")), "{ended}");
        assert_eq!(lines.iter().any(|line| line.contains("saved")), rank == 0, "{ended}");
    }
    assert_eq!(ended.stdout.matches("fitted 3 of 5 frames").count(), 1, "{ended}");
}

/// Checks that a job has failed with one error, and left nothing.
fn failed(ended: &Ended, dir: &Path, code: i32, message: &str) {
    assert_eq!((ended.code, ended.errors().len(), ended.stdout.as_str()), (Some(code), 1, ""), "{ended}");
    assert!(ended.errors()[0].contains(message), "{ended}");
    assert!(names(dir).is_empty());
}

fn an_error_of_all_ranks_is_said_once() {
    let dir = empty_dir();
    let nowhere = fit_with(3, dir.path(), &["--in-dir", "nowhere"]);
    failed(&nowhere, dir.path(), 1, "backdrop: error: nowhere: no such directory");
    let device = fit_with(3, dir.path(), &["--device", "1"]);
    failed(&device, dir.path(), 2, "--device 1 chooses among CUDA devices");
    let camera = fit_with(3, dir.path(), &["--camera", "5"]);
    failed(&camera, dir.path(), 2, "invalid value '5' for '--camera <C>'");
}

/// One rank cannot read the table of asteroids, as where one node lacks a file system.
fn an_error_of_one_rank_ends_all() {
    let dir = with_frames(&[]);
    let fit = [&["fit", "--mpi", "--out-dir", "."], &FRAMES[..]].concat();
    let mut job = backdrop(2);
    job.current_dir(dir.path()).args(&fit).args([":", "-n", "1"]);
    job.arg(process().get_program()).args(&fit).args(["--asteroids", "nowhere.csv"]);
    let ended = run(&mut job);
    assert_eq!(ended.code, Some(1), "{ended}");
    assert_eq!(ended.errors().len(), 1, "{ended}");
    assert!(ended.errors()[0].starts_with("backdrop: error: rank 2: nowhere.csv: "), "{ended}");
    assert_eq!(names(dir.path()), ["frames"]);
}

fn help_is_said_once() {
    let ended = fit_with(3, empty_dir().path(), &["--help"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(ended.stdout.matches("Usage:").count(), 1, "{ended}");
}
