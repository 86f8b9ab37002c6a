//! The main job at full size: what each stage takes, against the reading of a frame by CFITSIO.
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
use fitsio::FitsFile;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frames = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(6);
    let dir = tempfile::tempdir()?;
    let settings = SimulationSettings { frames, size: 2048, ..SimulationSettings::default() };
    Simulation::new(settings)?.write(dir.path(), WriteOptions::default(), &Silent)?;
    let source = FfiSource::open(find_ffis(dir.path(), &Filter::default())?, None)?;

    let (rows, columns) = source.shape();
    let mut frame = vec![0.0; rows * columns];
    let read = median(frames, |index| Ok(source.read(index, &mut frame)?))?;
    let paths: Vec<_> = source.headers().iter().map(|header| header.path.clone()).collect();
    let cfitsio = median(frames, |index| {
        let mut file = FitsFile::open(&paths[index])?;
        let pixels: Vec<f32> = file.hdu(1)?.read_image(&mut file)?;
        std::hint::black_box(pixels);
        Ok(())
    })?;

    let (_, report) = fit(&Cpu::new(), &source, &FitOptions::default(), &Silent)?;
    let per_frame = |total: Duration, count: usize| total / count.max(1) as u32;
    let ratio = |time: Duration| time.as_secs_f64() / cfitsio.as_secs_f64();
    let fit_time = per_frame(report.fit_time, report.fitted);
    println!("{} threads, {frames} frames of {rows} x {columns}", rayon_threads());
    println!("{:32} {:>10} {:>12}", "", "ms", "x CFITSIO");
    for (name, time) in [
        ("read a frame by CFITSIO", cfitsio),
        ("read a frame", read),
        ("first pass, a frame", per_frame(report.survey_time, report.frames)),
        ("set-up", report.setup_time),
        ("fit a frame (reading overlapped)", fit_time),
    ] {
        println!("{name:32} {:10.1} {:12.2}", time.as_secs_f64() * 1e3, ratio(time));
    }
    Ok(())
}

/// The median time of something done with each frame, twice, after a first time that does not count.
fn median(
    frames: usize,
    mut f: impl FnMut(usize) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    for round in 0..3 {
        for index in 0..frames {
            let start = Instant::now();
            f(index)?;
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn rayon_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
