//! What all commands have in common, and those without a file of their own.

use std::path::Path;
use std::process::{Command as Process, Stdio};

use array_api::Cpu;
use backdrop::file::Model;
use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};

use super::common::{MODEL_NAME, backdrop, empty_dir, fit, json, names, one_error, process, with_frames};

#[test]
fn help_is_short_with_h_and_complete_with_help() {
    let dir = empty_dir();
    for command in ["fit", "model", "correct", "flag", "plot", "info", "simulate", "demo", "devices"] {
        let short = backdrop(dir.path()).args([command, "-h"]).assert().success().stderr(is_empty());
        let long = backdrop(dir.path()).args([command, "--help"]).assert().success().stderr(is_empty());
        let long = String::from_utf8(long.get_output().stdout.clone()).unwrap();
        assert!(short.get_output().stdout.len() < long.len(), "{command}");
        for code in ["0    done", "1    ", "2    ", "130  "] {
            assert!(long.contains(code), "{command}: {code}");
        }
        // Not for a terminal: no colours.
        assert!(!long.contains('\u{1b}'), "{command}");
    }
    backdrop(dir.path()).arg("--help").assert().success().stdout(contains("Examples:"));
    backdrop(dir.path()).arg("--version").assert().success().stdout(starts_with("backdrop 0."));
}

#[test]
fn fit_has_the_flags_its_users_know() {
    let help = backdrop(empty_dir().path()).args(["fit", "--help"]).assert().success();
    let help = String::from_utf8(help.get_output().stdout.clone()).unwrap();
    for flag in [
        "--cupy",
        "--mpi",
        "--max-frames",
        "--frames-per-rank",
        "--buffer-gather",
        "--verbose",
        "--in-dir",
        "--out-dir",
    ] {
        assert!(help.contains(&format!("{flag}\n")) || help.contains(&format!("{flag} <")), "{flag}");
    }
}

#[test]
fn no_command_shows_help_as_an_error() {
    let dir = empty_dir();
    let assert = backdrop(dir.path()).assert().code(2).stdout(is_empty());
    assert.stderr(contains("Usage: backdrop <COMMAND>"));
}

#[test]
fn wrong_command_lines_are_usage_errors_in_one_line() {
    let dir = empty_dir();
    for (args, message) in [
        (&["fit", "--in-dri", "x"][..], "'--in-dri' found; tip: a similar argument exists: '--in-dir'"),
        (&["fti"], "unrecognized subcommand 'fti'"),
        (&["fit", "--camera", "5"], "invalid value '5' for '--camera <C>'"),
        (&["fit", "--frames-per-rank", "0"], "invalid value '0' for '--frames-per-rank <N>'"),
        (&["fit", "--format", "hdf5"], "possible values: fits, npz"),
        #[cfg(not(feature = "mpi"))]
        (&["fit", "--mpi"], "cargo install --path cli --features mpi"),
        (&["fit", "--device", "1"], "--device 1 chooses among CUDA devices; add --cupy"),
        (&["info"], "required arguments were not provided: <FILE>"),
        (&["model", "x.fits", "--out", "y", "--frames", "9..x"], "\"x\" is no number"),
        (&["simulate", "--size", "5000"], "a size of 5000 pixels is not in 16 to 2048"),
        (&["simulate", "--frames", "3", "--blown-out-frame", "3"], "blown-out frame 3 is not one of"),
        (&["demo", "--frames", "1"], "invalid value '1' for '--frames <N>'"),
    ] {
        one_error(message)(backdrop(dir.path()).args(args).assert().code(2));
    }
    assert!(names(dir.path()).is_empty());
}

#[test]
fn the_device_is_what_was_asked_for_or_an_error() {
    let dir = empty_dir();
    let maybe = backdrop(dir.path()).env("USE_CUPY", "maybe").arg("fit").assert().code(2);
    one_error("USE_CUPY=\"maybe\"")(maybe);
    let maybe = backdrop(dir.path()).env("USE_CUPY", "maybe").args(["fit", "--cupy"]).assert().code(2);
    one_error("USE_CUPY=\"maybe\"")(maybe);

    let devices = backdrop(dir.path()).args(["devices", "--json"]).assert().success();
    let devices = json(&devices.get_output().stdout);
    assert_eq!(devices["chosen"], "cpu");
    let cuda = &devices["devices"][1];
    assert_eq!(cuda["name"], "cuda");
    if cuda["usable"] == false {
        let reason = cuda["reason"].as_str().unwrap();
        for ask in [&["fit", "--cupy"][..], &["demo", "--cupy"]] {
            one_error(reason)(backdrop(dir.path()).args(ask).assert().code(1));
        }
        one_error(reason)(backdrop(dir.path()).env("USE_CUPY", "True").arg("fit").assert().code(1));
    } else {
        for what in ["model", "memory_bytes", "compute_capability"] {
            assert!(!cuda[what].is_null(), "{what} of {cuda}");
        }
        one_error("there is no device 99")(
            backdrop(dir.path()).args(["fit", "--cupy", "--device", "99"]).assert().code(1),
        );
    }
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_fit_on_cuda_gives_the_background_of_the_cpu() {
    let dir = with_frames(&[]);
    let devices = backdrop(dir.path()).args(["devices", "--json"]).assert().success();
    if json(&devices.get_output().stdout)["devices"][1]["usable"] == false {
        println!("not run: there is no CUDA device");
        return;
    }
    let background = |models: &str| {
        let model = Model::load(&dir.path().join(models).join(MODEL_NAME)).unwrap();
        let pixels: Vec<usize> = (0..64).collect();
        model.evaluate(&Cpu::new(), &[0, 1, 2, 3, 4], &pixels, &pixels).unwrap()
    };
    fit(dir.path()).assert().success();
    let expected = background("models");
    // Frames with a quality flag have no background.
    assert!(expected.iter().filter(|value| value.is_finite()).count() >= 64 * 64);
    for (models, flag) in [("by-flag", true), ("by-environment", false)] {
        let mut command = backdrop(dir.path());
        command.args(["fit", "--in-dir", "frames", "--cutout-size", "64", "--json", "--out-dir", models]);
        if flag {
            command.arg("--cupy")
        } else {
            command.env("USE_CUPY", "True")
        };
        let result = command.assert().success();
        assert_eq!(json(&result.get_output().stdout)["backend"], "cuda");
        for (found, expected) in background(models).iter().zip(&expected) {
            let as_before = (found - expected).abs() <= 1e-8 * expected.abs();
            assert!(as_before || (found.is_nan() && expected.is_nan()), "{found} is not {expected}");
        }
    }
    let model = format!("by-flag/{MODEL_NAME}");
    let evaluate = ["model", &model, "--cupy", "--device", "0", "--frames", "1", "--out", "image.fits"];
    backdrop(dir.path()).args(evaluate).assert().success();
}

#[test]
fn files_and_directories_at_fault_are_named() {
    let dir = empty_dir();
    let here = dir.path();
    one_error("nowhere: no such directory")(
        backdrop(here).args(["fit", "--in-dir", "nowhere"]).assert().code(1),
    );
    std::fs::create_dir(here.join("empty")).unwrap();
    one_error("empty: no full frame image")(
        backdrop(here).args(["fit", "--in-dir", "empty"]).assert().code(1),
    );

    let text = "tess2018206192942-s0001-1-4-0120-s_ffic.fits";
    std::fs::write(here.join(text), "not an image").unwrap();
    one_error(text)(backdrop(here).arg("fit").assert().code(1));
    one_error(text)(backdrop(here).args(["model", text, "--out", "out.fits"]).assert().code(1));
    one_error("neither a full frame image nor a model")(backdrop(here).args(["info", text]).assert().code(1));
    assert_eq!(names(here), ["empty", text]);
}

#[test]
fn pixels_in_single_precision_give_the_background_but_for_rounding() {
    let dir = with_frames(&[]);
    let background = |precision: &str| {
        let args = ["--precision", precision, "--json", "--overwrite"];
        let report = fit(dir.path()).args(args).assert().success();
        assert_eq!(json(&report.get_output().stdout)["precision"], precision);
        let model = Model::load(&dir.path().join("models").join(MODEL_NAME)).unwrap();
        assert_eq!(model.backend.contains("single precision"), precision == "single", "{}", model.backend);
        let pixels: Vec<usize> = (0..64).collect();
        model.evaluate(&Cpu::new(), &[0], &pixels, &pixels).unwrap()
    };
    let [double, single] = ["double", "single"].map(background);
    // A logarithm near zero, rounded to single precision, is off by 6e-8 at most; times ln 10.
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1.4e-7 * b;
    assert!(double != single && single.iter().zip(&double).all(close));
}

#[test]
fn from_frames_to_a_model_to_its_background() {
    let dir = with_frames(&["--blown-out-frame", "4"]);
    let here = dir.path();
    let report = fit(here).arg("--json").assert().success().stderr(is_empty());
    let report = json(&report.get_output().stdout);
    // Of five frames two are flagged (1 and 3) and one is blown out (4).
    assert_eq!((&report["frames"], &report["fitted"]), (&5.into(), &2.into()));
    assert_eq!(report["blown_out"], 1);
    assert_eq!(report["backend"], "cpu");
    let model = format!("models/{MODEL_NAME}");
    assert_eq!(report["model"], model);

    let info = backdrop(here).args(["info", "--json", &model]).assert().success();
    let info = json(&info.get_output().stdout);
    assert_eq!(info["files"][0]["kind"], "model");
    assert_eq!(info["files"][0]["fitted"], 2);
    assert_eq!(info["files"][0]["weights2"], 3122);

    let evaluate = ["model", &model, "--frames", "0,2", "--rows", "10..20", "--columns", "5..45"];
    backdrop(here).args(evaluate).args(["--out", "cube.fits"]).assert().success();
    // A block of header; 2 x 10 x 40 doubles are 6400 bytes, in blocks of 2880.
    let cube = std::fs::read(here.join("cube.fits")).unwrap();
    assert_eq!(cube.len(), 2880 + 8640);
    assert!(cube.starts_with(b"SIMPLE  =                    T"));
    let first = f64::from_be_bytes(cube[2880..2888].try_into().unwrap());
    assert!((50.0..800.0).contains(&first), "{first} electrons/s");

    let one = ["model", &model, "--frames", "2", "--out", "image.fits"];
    backdrop(here).args(one).assert().success().stdout(contains("1 frame of 64 x 64 pixels"));
    let image = std::fs::read(here.join("image.fits")).unwrap();
    assert!(String::from_utf8_lossy(&image[..2880]).contains("NAXIS   =                    2"));

    let beyond = backdrop(here).args(["model", &model, "--frames", "5", "--out", "x.fits"]).assert();
    one_error("there is no frame 5: they are 0 to 4")(beyond.code(2));
    assert_eq!(names(here), ["cube.fits", "frames", "image.fits", "models"]);
}

#[test]
fn what_is_there_is_replaced_only_when_asked() {
    let dir = with_frames(&[]);
    let here = dir.path();
    let model = here.join("models").join(MODEL_NAME);
    std::fs::create_dir(here.join("models")).unwrap();
    std::fs::write(&model, "mine").unwrap();
    one_error("exists already; use --overwrite")(fit(here).assert().code(1));
    assert_eq!(std::fs::read(&model).unwrap(), b"mine");
    fit(here).arg("--overwrite").assert().success();
    assert!(std::fs::read(&model).unwrap().starts_with(b"SIMPLE"));

    std::fs::write(here.join("out.fits"), "mine").unwrap();
    let evaluate = ["model", "models/tessbackdrop_sector1_camera1_ccd4.fits", "--out", "out.fits"];
    one_error("out.fits: exists already")(backdrop(here).args(evaluate).assert().code(1));
    one_error("exists already")(
        backdrop(here)
            .args(["simulate", "--out-dir", "frames", "--frames", "5", "--size", "64"])
            .assert()
            .code(1),
    );
    assert_eq!(std::fs::read(here.join("out.fits")).unwrap(), b"mine");
}

#[test]
fn the_model_does_not_depend_on_batches_threads_or_compression() {
    let dir = with_frames(&[]);
    let here = dir.path();
    fit(here).assert().success();
    let model = here.join("models").join(MODEL_NAME);
    let expected = std::fs::read(&model).unwrap();
    for how in [["--frames-per-rank", "1"], ["--threads", "1"]] {
        fit(here).args(["--overwrite"]).args(how).assert().success();
        assert_eq!(std::fs::read(&model).unwrap(), expected, "{how:?}");
    }
    let background = |here: &Path| {
        let model = format!("models/{MODEL_NAME}");
        let args = ["model", &model, "--overwrite", "--out", "out.fits"];
        backdrop(here).args(args).assert().success();
        std::fs::read(here.join("out.fits")).unwrap()
    };
    let expected = background(here);
    for compression in ["gz", "fz"] {
        let compressed = with_frames(&["--compression", compression]);
        fit(compressed.path()).assert().success();
        assert!(background(compressed.path()) == expected, "{compression}");
    }
}

#[test]
fn verbose_logs_to_standard_output_and_beside_json_to_standard_error() {
    let dir = with_frames(&[]);
    fit(dir.path()).arg("--verbose").assert().success().stdout(contains("INFO")).stderr(is_empty());
    let both = fit(dir.path()).args(["--verbose", "--json", "--overwrite"]).assert().success();
    let output = both.get_output();
    assert_eq!(json(&output.stdout)["fitted"], 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("INFO"));
}

#[test]
fn info_goes_on_after_a_bad_file() {
    let dir = with_frames(&[]);
    let frames = dir.path().join("frames");
    let good = &names(&frames)[0];
    let assert = backdrop(&frames).args(["info", "missing.fits", good, "--json"]).assert().code(1);
    let files = &json(&assert.get_output().stdout)["files"];
    assert!(files[0]["error"].as_str().unwrap().starts_with("missing.fits: "));
    assert_eq!(files[1]["kind"], "full frame image");
    assert_eq!((&files[1]["rows"], &files[1]["columns"]), (&64.into(), &109.into()));

    let human = backdrop(&frames).args(["info", good]).assert().success();
    human.stdout(contains("full frame image of sector 1, camera 1, CCD 4").and(contains("electrons/s")));
}

#[test]
fn frames_in_the_layout_of_tica_are_shown_and_fitted() {
    let dir = with_frames(&["--layout", "tica", "--compression", "gz", "--asteroids", "1", "--glints", "1"]);
    let frames = dir.path().join("frames");
    let [asteroids, first, .., truth] = &names(&frames)[..] else { panic!("too few files") };
    assert_eq!((asteroids.as_str(), truth.as_str()), ("asteroids.csv", "truth.fits"));
    let assert = backdrop(&frames).args(["info", first, "--json"]).assert().success();
    let file = &json(&assert.get_output().stdout)["files"][0];
    assert_eq!((&file["layout"], &file["unit"]), (&"TICA".into(), &"electrons".into()));
    backdrop(&frames).args(["info", first]).assert().stdout(contains("divided by 1425.6 s"));
    fit(dir.path()).assert().success();

    // Frames of both pipelines beside one another are refused.
    let simulate = ["simulate", "--out-dir", "frames", "--frames", "1", "--size", "64", "--overwrite"];
    backdrop(dir.path()).args(simulate).assert().success();
    fit(dir.path())
        .args(["--overwrite"])
        .assert()
        .failure()
        .stderr(contains("a fit takes frames of one pipeline"));
}

#[test]
fn npz_is_written_and_read() {
    let dir = with_frames(&[]);
    fit(dir.path()).args(["--format", "npz"]).assert().success();
    let model = "models/tessbackdrop_sector1_camera1_ccd4.npz";
    let info = backdrop(dir.path()).args(["info", model]).assert().success();
    info.stdout(contains("background model of sector 1, camera 1, CCD 4"));
}

#[test]
fn demo_shows_a_good_fit() {
    let dir = empty_dir();
    let args = ["demo", "--size", "128", "--frames", "6", "--out-dir", "results", "--json"];
    let assert = backdrop(dir.path()).args(args).assert().success();
    let result = json(&assert.get_output().stdout);
    // The light changes by tens of electrons/s from frame to frame. Photon noise of half an
    // electron/s, averaged over the hundreds of pixels between knots, leaves much less than 1.
    let [change, error] = ["change", "change_error"].map(|key| result[key].as_f64().unwrap());
    assert!(change > 10.0 && error < 1.0, "{error} of {change}");
    assert_eq!(names(&dir.path().join("results")), ["backdrop_demo.png", MODEL_NAME]);
    let picture = std::fs::read(dir.path().join("results/backdrop_demo.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
}

#[test]
fn completions_are_written_for_every_shell() {
    for (shell, mark) in [
        ("bash", "_backdrop()"),
        ("zsh", "#compdef backdrop"),
        ("fish", "complete -c backdrop"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let assert = backdrop(empty_dir().path()).args(["completions", shell]).assert().success();
        assert.stdout(contains(mark));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for args in [&["completions", "bash"][..], &["--help"], &["devices"]] {
        let mut child = process().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_whole_files_only() {
    let dir = empty_dir();
    let child = process()
        .current_dir(dir.path())
        .args(["simulate", "--out-dir", "frames", "--frames", "5000", "--size", "512"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let frames = dir.path().join("frames");
    // The first frame is there: the run is under way.
    while !frames.exists() || !names(&frames).iter().any(|name| name.starts_with("tess")) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(Process::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "backdrop: error: interrupted\n");

    let left = names(&frames);
    assert!(!left.is_empty() && left.len() < 5000);
    for name in left {
        assert!(name.starts_with("tess"), "{name} is left");
        backdrop(&frames).args(["info", &name]).assert().success();
    }
}
