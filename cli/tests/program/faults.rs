//! Bad days: frames that cannot be read, runs that are stopped at any moment, full disks.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use backdrop::file::Model;
use backdrop::quality::UNREADABLE;
use predicates::str::contains;

use crate::common::{MODEL_NAME, backdrop, empty_dir, fit, json, names, one_error, process, with_frames};
use crate::damage::{SMALL, damage, frames, hundred_frames};

/// Fits the frames of a directory into `models`, and gives the model's bytes.
fn fitted(dir: &Path) -> Vec<u8> {
    backdrop(dir).args(["fit", "--out-dir", "models"]).args(SMALL).assert().success();
    let path = dir.join("models").join(MODEL_NAME);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    assert!(names(&dir.join("models")).is_empty());
    bytes
}

#[test]
fn damaged_files_end_the_fit_or_are_skipped() {
    let dir = hundred_frames();
    let dir = dir.path();
    let bad = damage(dir);
    let files = frames(dir);
    let name = |frame: usize| files[frame].file_name().unwrap().to_string_lossy().into_owned();

    let fit = |more: &[&str]| {
        let mut fit = backdrop(dir);
        fit.args(["fit", "--out-dir", "models", "--json"]).args(SMALL).args(more);
        fit
    };
    one_error(&format!("{}: truncated", name(bad[0])))(fit(&[]).assert().code(1));
    assert!(!dir.join("models").join(MODEL_NAME).exists());

    let skipping = fit(&["--on-error", "skip"]).assert().code(3);
    let skipping = skipping.stderr(contains("done, with 6 unreadable frames skipped"));
    let report = json(&skipping.get_output().stdout);
    let skipped: Vec<(u64, String)> = report["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skipped| (skipped["frame"].as_u64().unwrap(), skipped["reason"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(skipped.iter().map(|(frame, _)| *frame as usize).collect::<Vec<_>>(), bad);
    for ((frame, reason), why) in
        skipped.iter().zip(["truncated", "empty", "not", "DATASUM", "CCD 3", "No such file"])
    {
        assert!(reason.contains(&name(*frame as usize)) && reason.contains(why), "{reason}, not {why}");
    }
    let skipped = Model::load(&dir.join("models").join(MODEL_NAME)).unwrap();
    let quality = |frame: usize| skipped.quality[frame];
    assert!((0..100).all(|frame| (quality(frame) & UNREADABLE != 0) == bad.contains(&frame)));

    // The good ones are fitted as if the bad ones were not there.
    for frame in bad {
        fs::remove_file(&files[frame]).unwrap();
    }
    fit(&["--overwrite"]).assert().success();
    let without = Model::load(&dir.join("models").join(MODEL_NAME)).unwrap();
    let good: Vec<usize> = (0..100).filter(|frame| !bad.contains(frame)).collect();
    assert_eq!(without.input_files.len(), good.len());
    for (row, &frame) in good.iter().enumerate() {
        assert_eq!(without.input_files[row], skipped.input_files[frame]);
        let bits = |row: ndarray::ArrayView1<f64>| row.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(without.weights2.row(row)), bits(skipped.weights2.row(frame)));
        assert_eq!(bits(without.background.row(row)), bits(skipped.background.row(frame)));
    }
}

#[test]
fn a_file_that_changes_between_the_passes_is_not_fitted() {
    // The checkpoint is of the files as they were.
    let dir = hundred_frames();
    let dir = dir.path();
    stopped_after_a_while(dir);
    let file = &frames(dir)[50];
    // Another file with the same content: its time tells.
    let bytes = fs::read(file).unwrap();
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
    let again = backdrop(dir).args(["fit", "--out-dir", "models"]).args(SMALL).assert().code(1);
    one_error("of another run: frame 50 was tess")(again);
}

/// Runs a fit until its checkpoint has some frames, and kills it.
fn stopped_after_a_while(dir: &Path) {
    let checkpoint = dir.join("models").join(format!("{MODEL_NAME}.checkpoint"));
    let mut fit = process();
    fit.current_dir(dir).args(["fit", "--out-dir", "models", "--frames-per-rank", "1"]).args(SMALL);
    let mut fit = fit.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let grown = || checkpoint.metadata().is_ok_and(|metadata| metadata.len() > 400_000);
    while !grown() && fit.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    fit.kill().unwrap();
    fit.wait().unwrap();
    assert!(checkpoint.exists());
}

#[test]
fn a_run_that_is_killed_goes_on_and_ends_with_the_same_bits() {
    let dir = hundred_frames();
    let dir = dir.path();
    let expected = fitted(dir);
    // Within the start, the first pass, the set-up and the first frames.
    for moment in 0..8 {
        let mut fit = process();
        fit.current_dir(dir).args(["fit", "--out-dir", "models", "--frames-per-rank", "2"]).args(SMALL);
        let mut fit = fit.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(25 * moment));
        fit.kill().unwrap();
        fit.wait().unwrap();
        // On a fast machine it may have been done already.
        if let Ok(model) = fs::read(dir.join("models").join(MODEL_NAME)) {
            assert!(model == expected);
            fs::remove_dir_all(dir.join("models")).unwrap();
        }
    }
    stopped_after_a_while(dir);
    let resumed = backdrop(dir).args(["fit", "--out-dir", "models", "--json"]).args(SMALL).assert().success();
    assert!(json(&resumed.get_output().stdout)["resumed"].as_u64().unwrap() > 0);
    assert!(fs::read(dir.join("models").join(MODEL_NAME)).unwrap() == expected);
    assert_eq!(names(&dir.join("models")).iter().filter(|name| name.ends_with("checkpoint")).count(), 0);
}

#[test]
fn an_interrupted_fit_says_how_to_go_on() {
    let dir = hundred_frames();
    let dir = dir.path();
    let expected = fitted(dir);
    for signal in ["-INT", "-TERM"] {
        let checkpoint = dir.join("models").join(format!("{MODEL_NAME}.checkpoint"));
        let mut fit = process();
        fit.current_dir(dir).args(["fit", "--out-dir", "models", "--frames-per-rank", "1"]).args(SMALL);
        let _ = fs::remove_file(&checkpoint);
        let fit = fit.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while checkpoint.metadata().map_or(0, |metadata| metadata.len()) < 200_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::process::Command::new("kill").args([signal, &fit.id().to_string()]).status().unwrap();
        let output = fit.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            message,
            format!(
                "backdrop: error: interrupted; what is finished is kept in models/{MODEL_NAME}.checkpoint: run \
                 the same command again to go on\n"
            )
        );
        assert_eq!(names(&dir.join("models")), [format!("{MODEL_NAME}.checkpoint")]);
    }
    assert!(fitted(dir) == expected);
}

#[test]
fn options_that_change_are_refused_and_a_restart_forgets() {
    let dir = hundred_frames();
    let dir = dir.path();
    stopped_after_a_while(dir);
    let fit = |more: &[&str]| {
        let mut fit = backdrop(dir);
        fit.args(["fit", "--out-dir", "models", "--json"]).args(SMALL).args(more);
        fit
    };
    one_error("of another run: the seed was 0 and is now 7; use --restart")(
        fit(&["--seed", "7"]).assert().code(1),
    );
    let anew = fit(&["--seed", "7", "--restart"]).assert().success();
    assert_eq!(json(&anew.get_output().stdout)["resumed"], 0);
}

/// In a file system of its own, which only this script sees.
#[test]
fn a_disk_that_fills_up_and_is_freed() {
    let dir = hundred_frames();
    let dir = dir.path();
    let expected = fitted(dir);
    fs::create_dir(dir.join("small")).unwrap();
    let fit = format!("{:?} fit --out-dir small {}", process().get_program(), SMALL.join(" "));
    // Room for some frames, then for all of them but not for the model, then for everything.
    let script = format!(
        "mount -t tmpfs -o size=8m tmpfs small && cd . && head -c 7800000 /dev/zero > small/filler || exit 99
         {fit} 2> first; echo $? >> first
         head -c 4300000 /dev/zero > small/filler
         {fit} 2> second; echo $? >> second
         rm small/filler
         {fit} && ls -A small > left && cp small/{MODEL_NAME} model"
    );
    let mut unshare = std::process::Command::new("unshare");
    let output = unshare
        .args(["--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(dir)
        .env_remove("USE_CUPY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    for (run, file) in [("first", ".checkpoint: "), ("second", ": ")] {
        let said = fs::read_to_string(dir.join(run)).unwrap();
        assert!(said.contains(file) && said.contains("No space left on device"), "{run}: {said}");
        assert!(said.contains("run the same command again to go on\n1\n"), "{run}: {said}");
        assert_eq!(said.lines().count(), 2, "{run}: {said}");
    }
    assert_eq!(fs::read_to_string(dir.join("left")).unwrap(), format!("{MODEL_NAME}\n"));
    assert!(fs::read(dir.join("model")).unwrap() == expected);
}

#[test]
fn memory_chooses_the_batch_and_says_when_it_is_too_little() {
    let dir = with_frames(&[]);
    fit(dir.path()).args(["--memory", "2GB"]).assert().success();
    let little = fit(dir.path()).args(["--memory", "1MB", "--overwrite"]).assert().code(2);
    one_error("--memory 1.0 MB: a fit of 5 frames takes ")(little);
    let both = fit(dir.path()).args(["--memory", "1GB", "--frames-per-rank", "3"]).assert().code(2);
    one_error("cannot be used with")(both);
    one_error("such as 2GB")(fit(dir.path()).args(["--memory", "much"]).assert().code(2));
}

#[test]
fn a_tree_is_fitted_ccd_by_ccd() {
    let dir = empty_dir();
    let dir = dir.path();
    for (ccd, frames) in [("1", "6"), ("2", "9"), ("4", "7")] {
        let out = format!("tree/ccd{ccd}/night");
        let simulate = ["simulate", "--out-dir", &out, "--ccd", ccd, "--frames", frames, "--size", "32"];
        backdrop(dir).args(simulate).assert().success();
    }
    let tree = |more: &[&str]| {
        let mut fit = backdrop(dir);
        fit.args(["fit", "--tree", "tree", "--out-dir", "models", "--cutout-size", "32", "--json"])
            .args(more);
        fit
    };
    let of = |ccd: &str| format!("tessbackdrop_sector1_camera1_ccd{ccd}.fits");
    // One is there already, one has a bad file.
    fs::create_dir(dir.join("models")).unwrap();
    fs::write(dir.join("models").join(of("2")), "mine").unwrap();
    let bad = dir.join("tree/ccd4/night").join(&names(&dir.join("tree/ccd4/night"))[2]);
    fs::write(bad, "").unwrap();
    let failed = tree(&[]).assert().code(1).stderr(contains("1 of 3 CCDs failed"));
    let ccds = json(&failed.get_output().stdout)["ccds"].clone();
    assert_eq!(ccds.as_array().unwrap().len(), 3);
    assert_eq!((&ccds[0]["ccd"], &ccds[0]["fitted"]), (&1.into(), &4.into()));
    assert!(ccds[0]["what"]["done"].is_string() && ccds[1]["what"]["there"].is_string());
    assert!(ccds[2]["what"]["failed"].as_str().unwrap().contains("empty"), "{ccds}");
    assert_eq!(fs::read(dir.join("models").join(of("2"))).unwrap(), b"mine");

    let skipping = tree(&["--on-error", "skip", "--overwrite"]).assert().code(3);
    let ccds = json(&skipping.get_output().stdout)["ccds"].clone();
    let counts: Vec<_> = (0..3)
        .map(|i| (ccds[i]["files"].as_u64(), ccds[i]["fitted"].as_u64(), ccds[i]["skipped"].as_u64()))
        .collect();
    assert_eq!(
        counts,
        [(Some(6), Some(4), Some(0)), (Some(9), Some(7), Some(0)), (Some(7), Some(4), Some(1))]
    );
    assert_eq!(names(&dir.join("models")), [of("1"), of("2"), of("4")]);
}
