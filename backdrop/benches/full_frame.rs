//! The main job at full size: what each stage takes, and the fit against the reading of a frame.
//!
//! `cargo bench -p backdrop --bench full_frame [-- FRAMES]` simulates a few full frames (2048 x
//! 2048) on disk, reads them and fits them with the standard preset.

use std::time::{Duration, Instant};

use array_api::Cpu;
use backdrop::ffi::{FfiSource, Filter, find_ffis};
use backdrop::fit::{FitOptions, fit};
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings, WriteOptions};
use backdrop::source::FrameSource;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frames = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(6);
    let dir = tempfile::tempdir()?;
    let settings = SimulationSettings { frames, size: 2048, ..SimulationSettings::default() };
    Simulation::new(settings)?.write(dir.path(), WriteOptions::default(), &Silent)?;
    let source = FfiSource::open(find_ffis(dir.path(), &Filter::default())?, None)?;

    let (rows, columns) = source.shape();
    let mut frame = vec![0.0; rows * columns];
    let mut read = Vec::new();
    for round in 0..3 {
        for index in 0..frames {
            let start = Instant::now();
            source.read(index, &mut frame)?;
            if round > 0 {
                read.push(start.elapsed());
            }
        }
    }
    read.sort_unstable();
    let read = read[read.len() / 2];

    let (_, report) = fit(&Cpu::new(), &source, &FitOptions::default(), &Silent)?;
    let per_frame = |total: Duration, count: usize| total / count.max(1) as u32;
    let ratio = |time: Duration| time.as_secs_f64() / read.as_secs_f64();
    let fit_time = per_frame(report.fit_time, report.fitted);
    println!("{} threads, {frames} frames of {rows} x {columns}", rayon_threads());
    println!("{:32} {:>10} {:>12}", "", "ms", "x read");
    for (name, time) in [
        ("read a frame", read),
        ("first pass, a frame", per_frame(report.survey_time, report.frames)),
        ("set-up", report.setup_time),
        ("fit a frame (reading overlapped)", fit_time),
    ] {
        println!("{name:32} {:10.1} {:12.2}", time.as_secs_f64() * 1e3, ratio(time));
    }
    Ok(())
}

fn rayon_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
