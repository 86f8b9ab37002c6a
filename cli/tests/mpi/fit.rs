//! The fit that ranks share: same bits, whatever happens to them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use wait_timeout::ChildExt;

use crate::common::{MODEL_NAME, backdrop as alone, empty_dir, json, names};
use crate::damage::{SMALL, damage, hundred_frames};
use crate::launch::{Ended, backdrop, run};

pub const TESTS: &[(&str, fn())] = &[
    ("any_number_of_ranks_gives_the_same_bits", any_number_of_ranks_gives_the_same_bits),
    ("a_frame_takes_less_than_60_kb", a_frame_takes_less_than_60_kb),
    ("killed_at_any_moment_it_ends_with_the_same_bits", killed_at_any_moment_it_ends_with_the_same_bits),
    ("interrupted_ranks_leave_a_checkpoint", interrupted_ranks_leave_a_checkpoint),
    ("bad_frames_end_all_ranks_or_are_skipped_by_all", bad_frames_end_all_ranks_or_are_skipped_by_all),
    ("a_full_disk_ends_all_ranks", a_full_disk_ends_all_ranks),
    ("groups_of_ranks_fit_a_tree", groups_of_ranks_fit_a_tree),
];

/// `backdrop fit --mpi` of small frames with so many ranks.
fn fit_with(size: usize, dir: &Path, args: &[&str]) -> Ended {
    run(backdrop(size).current_dir(dir).args(["fit", "--mpi"]).args(SMALL).args(args))
}

/// The model that one process makes of frames, moved out of the way.
fn expected(dir: &Path, args: &[&str]) -> Vec<u8> {
    alone(dir).args(["fit", "--out-dir", "models"]).args(SMALL).args(args).assert().success();
    take(dir)
}

/// The model that was made, which is removed.
fn take(dir: &Path) -> Vec<u8> {
    let path = dir.join("models").join(MODEL_NAME);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(names(&dir.join("models")).is_empty());
    bytes
}

/// With everything that makes a fit: an average frame, asteroids, windows of frames, dead columns.
fn any_number_of_ranks_gives_the_same_bits() {
    let dir = empty_dir();
    let dir = dir.path();
    let simulate =
        ["simulate", "--out-dir", "frames", "--frames", "61", "--size", "32", "--dead-columns", "1"];
    alone(dir).args(simulate).args(["--asteroids", "2"]).assert().success();
    // A design that is solved in a fraction of the standard one's time: each window has its own equations.
    let windows = [
        "--mask-window",
        "17",
        "--asteroids",
        "frames/asteroids.csv",
        "--nknots",
        "24",
        "--out-dir",
        "models",
    ];
    let expected = expected(dir, &windows[..6]);
    for (size, more) in [
        (1, &["--buffer-gather"][..]),
        (2, &[]),
        (2, &["--buffer-gather", "--frames-per-rank", "3"]),
        (3, &["--frames-per-rank", "2"]),
        (3, &["--buffer-gather", "--frames-per-rank", "64"]),
        (4, &["--frames-per-rank", "5"]),
        (4, &["--buffer-gather", "--frames-per-rank", "1"]),
    ] {
        let ended = fit_with(size, dir, &[&windows[..], more, &["--json"]].concat());
        assert_eq!(ended.code, Some(0), "{ended}");
        let report = json(ended.stdout.as_bytes());
        let ranks = report["ranks"].as_array().unwrap();
        let frames: u64 = ranks.iter().map(|rank| rank["frames"].as_u64().unwrap()).sum();
        assert_eq!((ranks.len(), frames), (size, report["fitted"].as_u64().unwrap()));
        assert!(take(dir) == expected, "{size} ranks, {more:?}");
    }
}

/// With the standard preset, and as many sampled pixels as there can be.
fn a_frame_takes_less_than_60_kb() {
    let dir = empty_dir();
    let dir = dir.path();
    let simulate = ["simulate", "--out-dir", "frames", "--frames", "10", "--size", "320"];
    alone(dir).args(simulate).args(["--stars", "60000"]).assert().success();
    let args =
        ["fit", "--mpi", "--in-dir", "frames", "--cutout-size", "320", "--out-dir", "models", "--json"];
    let ended = run(backdrop(2).current_dir(dir).args(args));
    assert_eq!(ended.code, Some(0), "{ended}");
    let model = backdrop_model(&dir.join("models").join(MODEL_NAME));
    assert_eq!((model.jitter_pixels.len(), model.background_pixels.len()), (5000, 5000));
    for rank in json(ended.stdout.as_bytes())["ranks"].as_array().unwrap() {
        let [sent, frames] = ["sent_bytes", "frames"].map(|name| rank[name].as_u64().unwrap());
        assert!(frames > 0 && sent / frames < 60_000, "{sent} bytes for {frames} frames");
    }
}

fn backdrop_model(path: &Path) -> backdrop::file::Model {
    backdrop::file::Model::load(path).unwrap()
}

/// The processes that run the program below `mpiexec`.
fn ranks_of(mpiexec: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name is in parentheses and may have any; behind it come the state and the parent.
        let (name, rest) = stat.rsplit_once(')')?;
        let parent = rest.split_whitespace().nth(1)?.parse::<u32>().ok()?;
        (parent == mpiexec && name.ends_with("(backdrop")).then_some(id)
    });
    processes.collect()
}

/// Twenty times, one rank or all are killed somewhere between the start and the end.
fn killed_at_any_moment_it_ends_with_the_same_bits() {
    let dir = hundred_frames();
    let dir = dir.path();
    // Smaller than the standard one, since it is solved forty times.
    let design = ["--nknots", "36"];
    let expected = expected(dir, &design);
    let start = Instant::now();
    let args = [&design[..], &["--out-dir", "models", "--frames-per-rank", "2"]].concat();
    assert_eq!(fit_with(3, dir, &args).code, Some(0));
    let whole = start.elapsed();
    assert!(take(dir) == expected);
    let mut resumed = 0;
    for moment in 0..20 {
        let mut job = backdrop(3);
        job.current_dir(dir).args(["fit", "--mpi"]).args(SMALL).args(&args);
        let mut job = job.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The last ones come when the model is written, or even later.
        std::thread::sleep(whole.mul_f64(0.1 + 0.05 * f64::from(moment)));
        let ranks = ranks_of(job.id());
        let victims =
            if moment % 2 == 0 { &ranks[..] } else { &ranks[ranks.len() / 2..][..ranks.len().min(1)] };
        for victim in victims {
            let _ = Command::new("kill").args(["-KILL", &victim.to_string()]).stderr(Stdio::null()).status();
        }
        let killed = Instant::now();
        while !ranks_of(job.id()).is_empty() {
            assert!(killed.elapsed() < Duration::from_secs(30), "a rank was left");
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = job.wait_timeout(Duration::from_secs(8)).unwrap();
        assert!(ranks_of(job.id()).is_empty(), "a rank was left");
        // mpiexec itself (Open MPI 4.1) may wait for ever for a rank that was killed before the two had met.
        if status.is_none() {
            job.kill().unwrap();
            job.wait().unwrap();
        }
        if status.is_some_and(|status| status.success()) {
            assert!(take(dir) == expected);
            continue;
        }
        // Whole, if it is there, since a model appears with all that it has.
        let path = dir.join("models").join(MODEL_NAME);
        if path.exists() && !path.with_extension("fits.checkpoint").exists() {
            assert!(take(dir) == expected);
            continue;
        }
        let again = fit_with(1 + moment as usize % 3, dir, &[&args[..], &["--json"]].concat());
        assert_eq!(again.code, Some(0), "{again}");
        resumed += json(again.stdout.as_bytes())["resumed"].as_u64().unwrap();
        assert!(take_with_leftovers(dir) == expected, "killed at moment {moment}");
    }
    assert!(resumed > 0);
}

/// The model that was made; a killed process may have left a temporary file.
fn take_with_leftovers(dir: &Path) -> Vec<u8> {
    for name in names(&dir.join("models")) {
        if name.starts_with(".backdrop-") {
            fs::remove_file(dir.join("models").join(name)).unwrap();
        }
    }
    take(dir)
}

fn interrupted_ranks_leave_a_checkpoint() {
    let dir = hundred_frames();
    let dir = dir.path();
    let expected = expected(dir, &[]);
    let checkpoint = dir.join("models").join(format!("{MODEL_NAME}.checkpoint"));
    let mut job = backdrop(3);
    job.current_dir(dir).args(["fit", "--mpi", "--out-dir", "models", "--frames-per-rank", "1"]).args(SMALL);
    let mut job = job.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while checkpoint.metadata().map_or(0, |metadata| metadata.len()) < 200_000 {
        std::thread::sleep(Duration::from_millis(1));
    }
    // To one rank: the others stop with it.
    let rank = ranks_of(job.id())[2];
    assert!(Command::new("kill").args(["-INT", &rank.to_string()]).status().unwrap().success());
    assert_eq!(job.wait().unwrap().code(), Some(130));
    assert!(checkpoint.exists() && !dir.join("models").join(MODEL_NAME).exists());
    let again = fit_with(2, dir, &["--out-dir", "models", "--json"]);
    assert!(json(again.stdout.as_bytes())["resumed"].as_u64().unwrap() > 0);
    assert!(take(dir) == expected);
}

fn bad_frames_end_all_ranks_or_are_skipped_by_all() {
    let dir = hundred_frames();
    let dir = dir.path();
    let bad = damage(dir);
    for size in [2, 3] {
        let ended = fit_with(size, dir, &["--out-dir", "models"]);
        assert_eq!((ended.code, ended.errors().len()), (Some(1), 1), "{ended}");
        assert!(ended.errors()[0].contains("truncated"), "{ended}");
    }
    alone(dir).args(["fit", "--out-dir", "models", "--on-error", "skip"]).args(SMALL).assert().code(3);
    let expected = take(dir);
    for (size, more) in [(2, &[][..]), (3, &["--buffer-gather"])] {
        let args = [&["--out-dir", "models", "--on-error", "skip", "--json"], more].concat();
        let ended = fit_with(size, dir, &args);
        assert_eq!(ended.code, Some(3), "{ended}");
        assert_eq!(ended.stderr.matches("done, with 6 unreadable frames skipped").count(), 1, "{ended}");
        let report = json(ended.stdout.as_bytes());
        let skipped = report["skipped"].as_array().unwrap();
        let frames: Vec<u64> = skipped.iter().map(|skipped| skipped["frame"].as_u64().unwrap()).collect();
        assert_eq!(frames, bad.map(|frame| frame as u64));
        assert!(take(dir) == expected, "{size} ranks");
    }
}

fn a_full_disk_ends_all_ranks() {
    let dir = hundred_frames();
    let dir = dir.path();
    let expected = expected(dir, &[]);
    fs::create_dir(dir.join("models")).unwrap_or(());
    let fit = format!(
        "mpiexec -n 3 {:?} fit --mpi --out-dir models {}",
        crate::common::process().get_program(),
        SMALL.join(" ")
    );
    let script = format!(
        "mount -t tmpfs -o size=8m tmpfs models && cd . && head -c 7800000 /dev/zero > models/filler || exit 99
         {fit} 2> said; echo $? > code
         rm models/filler
         {fit} && cp models/{MODEL_NAME} model"
    );
    let mut unshare = Command::new("unshare");
    // The environment that lets mpiexec start more ranks than cores, as root.
    let template = backdrop(3);
    unshare.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = run(unshare.args(["--map-root-user", "--mount", "sh", "-c", &script]).current_dir(dir));
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(fs::read_to_string(dir.join("code")).unwrap(), "1\n");
    let said = fs::read_to_string(dir.join("said")).unwrap();
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("backdrop: error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains("No space left on device"), "{said}");
    assert!(fs::read(dir.join("model")).unwrap() == expected);
}

fn groups_of_ranks_fit_a_tree() {
    let dir = empty_dir();
    let dir = dir.path();
    for (ccd, frames) in [("1", "6"), ("2", "9"), ("3", "5")] {
        let out = format!("tree/{ccd}");
        let simulate = ["simulate", "--out-dir", &out, "--ccd", ccd, "--frames", frames, "--size", "32"];
        alone(dir).args(simulate).assert().success();
    }
    let args = ["fit", "--tree", "tree", "--cutout-size", "32", "--json", "--out-dir"];
    alone(dir).args(args).arg("alone").assert().success();
    let models = |out: &str| -> Vec<(String, Vec<u8>)> {
        let files = names(&dir.join(out)).into_iter();
        files.map(|name| (name.clone(), fs::read(dir.join(out).join(name)).unwrap())).collect()
    };
    let expected = models("alone");
    assert_eq!(expected.len(), 3);
    for size in [2, 4] {
        let out = format!("ranks{size}");
        let ended = run(backdrop(size).current_dir(dir).args(args).arg(&out).arg("--mpi"));
        assert_eq!(ended.code, Some(0), "{ended}");
        let ccds: Value = json(ended.stdout.as_bytes())["ccds"].clone();
        let numbers: Vec<_> = ccds.as_array().unwrap().iter().map(|ccd| ccd["ccd"].as_u64()).collect();
        assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
        assert!(models(&out) == expected, "{size} ranks");
    }
    // One CCD that fails does not stop the others.
    let bad = &names(&dir.join("tree/2"))[1];
    fs::write(dir.join("tree/2").join(bad), "").unwrap();
    let ended = run(backdrop(3).current_dir(dir).args(args).args(["failing", "--mpi"]));
    assert_eq!(
        (ended.code, ended.errors()),
        (Some(1), vec!["backdrop: error: 1 of 3 CCDs failed"]),
        "{ended}"
    );
    assert_eq!(models("failing").len(), 2);
}
