//! The program as it is run: a fit of full frames, a window of a model, and the start.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fitsio::FitsFile;
use serde_json::Value;

use crate::Bench;
use crate::common::{self, PROGRAM, Result};
use crate::report::{Aim, Row, median};

/// Frames of the model that a window is evaluated from.
const MODEL_FRAMES: usize = 1200;

/// What `--precision` can be, the default first.
const PRECISIONS: [&str; 2] = ["double", "single"];

/// Frames of a batch, the program's default.
const BATCH: usize = 16;

/// Fits full frames, and reads them by CFITSIO and by Python's fitsio in between.
pub fn fit(bench: &mut Bench) -> Result<()> {
    let names = ["set-up", "fit of a frame", "whole run", "peak memory", "program start"];
    if !names.iter().any(|name| bench.wants("fit", name)) {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    eprintln!("simulating {} full frames", bench.frames);
    let paths = common::frames(dir.path(), bench.frames)?;
    if bench.wants("fit", names[4]) {
        start(bench, dir.path())?;
    }
    if !names[..4].iter().any(|name| bench.wants("fit", name)) {
        return Ok(());
    }
    read_all(&paths)?;

    let [mut reads, mut fitsio_reads] = [const { Vec::new() }; 2];
    let mut fits: [Vec<Fit>; 2] = Default::default();
    for _ in 0..bench.long_rounds {
        reads.push(read_all(&paths)?);
        if let Some(python) = bench.python(1)? {
            for path in &paths {
                fitsio_reads.push(python.seconds(&format!("read {}", path.display()))?);
            }
        }
        for (fits, precision) in fits.iter_mut().zip(PRECISIONS) {
            fits.push(fit_once(dir.path(), precision)?);
        }
    }
    let read = median(reads);
    let of_a_frame = read / paths.len() as f64;
    let fitsio_read = (!fitsio_reads.is_empty()).then(|| median(fitsio_reads));
    let row = |name: &str, ours: f64, other: Option<f64>, aim: Aim| {
        Row { name: name.to_owned(), ours, other, aim }.print();
    };
    for (fits, precision) in fits.iter().zip(PRECISIONS) {
        let of_all = |f: &dyn Fn(&Fit) -> f64| median(fits.iter().map(f).collect());
        let named = |name: &str| format!("{name}, {precision} precision");
        if precision == PRECISIONS[0] {
            row("set-up: bases, masks, Gram, factor", of_all(&|fit| fit.setup), None, Aim::Seconds(2.0, 1.0));
        }
        let fit = of_all(&|fit| fit.of_a_frame);
        row(&named("fit of a frame / CFITSIO reads it"), fit, Some(of_a_frame), Aim::Times(2.0, 1.0));
        row(&named("fit of a frame / Python's fitsio reads it"), fit, fitsio_read, Aim::Times(2.0, 1.0));
        let name = format!("whole run, {} frames / CFITSIO reads all twice", paths.len());
        row(&named(&name), of_all(&|fit| fit.wall), Some(2.0 * read), Aim::Times(2.0, 1.3));
        let peaks: Vec<f64> = fits.iter().filter_map(|fit| fit.peak).collect();
        if !peaks.is_empty() {
            let name = format!("peak memory of that run, batches of {BATCH}");
            row(&named(&name), median(peaks), None, Aim::Bytes(1e9, 6e8));
        }
    }
    Ok(())
}

/// The seconds that CFITSIO takes to read all frames.
fn read_all(paths: &[PathBuf]) -> Result<f64> {
    let start = Instant::now();
    for path in paths {
        let mut file = FitsFile::open(path)?;
        let pixels: Vec<f32> = file.hdu(1)?.read_image(&mut file)?;
        std::hint::black_box(pixels);
    }
    Ok(start.elapsed().as_secs_f64())
}

/// A fit by the program; times in seconds.
struct Fit {
    wall: f64,
    setup: f64,
    of_a_frame: f64,
    /// The most memory that it had at a time, in bytes.
    peak: Option<f64>,
}

/// Runs a fit of all frames in a directory, and looks at its memory meanwhile.
fn fit_once(frames: &Path, precision: &str) -> Result<Fit> {
    let out = tempfile::tempdir()?;
    let batch = BATCH.to_string();
    let start = Instant::now();
    let mut child = Command::new(PROGRAM)
        .args(["fit", "--json", "--frames-per-rank", &batch, "--precision", precision])
        .args(["--in-dir".as_ref(), frames.as_os_str(), "--out-dir".as_ref(), out.path().as_os_str()])
        .stdout(Stdio::piped())
        .spawn()?;
    let (pid, over) = (child.id(), AtomicBool::new(false));
    let (report, wall, peak) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = None;
            while !over.load(Relaxed) {
                peak = peak_memory(pid).or(peak);
                std::thread::sleep(Duration::from_millis(10));
            }
            peak
        });
        let mut report = String::new();
        let done = child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut report));
        let status = child.wait();
        let wall = start.elapsed();
        over.store(true, Relaxed);
        (done.and(status).map(|status| (status, report)), wall, watch.join().unwrap_or_default())
    });
    let (status, report) = report?;
    if !status.success() {
        return Err(format!("the fit failed: {status}").into());
    }
    let report: Value = serde_json::from_str(&report)?;
    let number = |name: &str| report[name].as_f64().ok_or_else(|| format!("no {name} reported"));
    let of_a_frame = number("fit_seconds")? / number("fitted")?;
    Ok(Fit { wall: wall.as_secs_f64(), setup: number("setup_seconds")?, of_a_frame, peak })
}

/// The high-water mark of a process's memory in bytes, where the system tells.
fn peak_memory(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(1024.0 * kilobytes)
}

/// From the start of a fit of a cut-out of full frames to the end of its first pass over one frame: until the
/// log says that all headers are read, and from there the time that the fit reports for the pass.
fn start(bench: &Bench, frames: &Path) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..bench.rounds {
        let out = tempfile::tempdir()?;
        let start = Instant::now();
        let mut child = Command::new(PROGRAM)
            .args(["fit", "--json", "--verbose", "--cutout-size", "128", "--max-frames", "1"])
            .args(["--in-dir".as_ref(), frames.as_os_str(), "--out-dir".as_ref(), out.path().as_os_str()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut headers = None;
        if let Some(log) = child.stderr.take() {
            for line in BufReader::new(log).lines() {
                if line?.contains("read the headers") {
                    headers = Some(start.elapsed().as_secs_f64());
                }
            }
        }
        let report: Value = serde_json::from_slice(&child.wait_with_output()?.stdout)?;
        let (Some(headers), Some(survey)) = (headers, report["survey_seconds"].as_f64()) else {
            return Err("the fit does not say when it has read headers and frames".into());
        };
        times.push(headers + survey);
    }
    let name = "program start to first frame read, 128 x 128".to_owned();
    Row { name, ours: median(times), other: None, aim: Aim::Seconds(0.1, 0.05) }.print();
    Ok(())
}

/// Evaluates a window of 20 x 20 pixels in all frames of a model.
pub fn model(bench: &Bench) -> Result<()> {
    if !bench.wants("model", "backdrop model") {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let model = common::model(dir.path(), MODEL_FRAMES)?;
    let mut times = Vec::new();
    // The first time does not count.
    for round in 0..=bench.rounds {
        let start = Instant::now();
        let status = Command::new(PROGRAM)
            .args(["model", "--overwrite", "--rows", "1000..1020", "--columns", "1000..1020"])
            .args([model.as_os_str(), "--out".as_ref(), dir.path().join("window.fits").as_os_str()])
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("the model is not evaluated: {status}").into());
        }
        if round > 0 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let name = format!("backdrop model, 20 x 20 pixels, {MODEL_FRAMES} frames");
    Row { name, ours: median(times), other: None, aim: Aim::Seconds(0.05, 0.02) }.print();
    Ok(())
}
