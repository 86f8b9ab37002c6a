//! The inputs to begin with that the project's own writers make: as small as they can be.

use std::io;
use std::path::Path;

use array_api::Cpu;
use backdrop::ffi::Layout;
use backdrop::file::{Format, Model};
use backdrop::fit::{self, FitOptions};
use backdrop::progress::Silent;
use backdrop::scene::{self, SceneOptions};
use backdrop::simulate::{Compression, Simulation, SimulationSettings, WriteOptions};
use ndarray::{Array2, s};

use crate::targets::checkpoint;
use crate::{corpus, scratch};

/// Writes them to `corpus/`, over those that are there; those made by hand stay.
///
/// # Errors
/// If one cannot be made or written.
pub fn write() -> io::Result<()> {
    let directory = scratch::new();
    let dir = directory.path();
    let settings = SimulationSettings {
        frames: 4,
        size: 16,
        flagged_frames: 1,
        asteroids: 2,
        dead_columns: 1,
        ..SimulationSettings::default()
    };
    let simulation = Simulation::new(settings).map_err(io::Error::other)?;
    frames(&simulation, dir)?;
    simulation.write_target_pixels(&dir.join("tpf"), (2, 3), (2, 3), true).map_err(io::Error::other)?;
    keep("tpf", "spoc.fits", &std::fs::read(dir.join("tpf"))?)?;
    simulation.asteroids().write(&dir.join("asteroids"), true).map_err(io::Error::other)?;
    keep("asteroids", "simulated.csv", &std::fs::read(dir.join("asteroids"))?)?;
    let model = models(&simulation, dir)?;
    let options = SceneOptions::default();
    scene::fit(&Cpu::new(), &simulation, &model, &options, &dir.join("scene"), true, &Silent)
        .map_err(io::Error::other)?;
    keep("scene", "quadratic.fits", &std::fs::read(dir.join("scene"))?)?;
    scratch::set(dir);
    keep("checkpoint", "whole", &checkpoint::seed())?;
    keep("checkpoint", "records", &checkpoint::seed_of_records())
}

/// Frames in all forms, each after the byte that chooses the form.
fn frames(simulation: &Simulation, dir: &Path) -> io::Result<()> {
    for (choice, name, layout, compression) in [
        (0, "spoc", Layout::Spoc, Compression::None),
        (1, "tiles", Layout::Spoc, Compression::Tiles),
        (2, "tica", Layout::Tica, Compression::None),
        (3, "gzip", Layout::Spoc, Compression::None),
        (4, "gzipped", Layout::Spoc, Compression::Gzip),
    ] {
        let options = WriteOptions { layout, compression, overwrite: true };
        let written = simulation.write(dir, options, &Silent).map_err(io::Error::other)?;
        let mut input = vec![choice];
        input.extend(std::fs::read(&written.frames[0])?);
        keep("ffi", name, &input)?;
    }
    Ok(())
}

/// Models in both formats; gives one.
fn models(simulation: &Simulation, dir: &Path) -> io::Result<Model> {
    let (mut model, _) =
        fit::fit(&Cpu::new(), simulation, &FitOptions::default(), &Silent).map_err(io::Error::other)?;
    // Smaller designs, of which any weights will do.
    model.design1 = "cartesian(2) ~ 2 +- 100".into();
    model.design2 = "spline(2) ~ 0 +- 200 + radial_spline(3) ~ 0 +- 300 + radial(1) ~ 0 +- 3".into();
    let few = |weights: &Array2<f64>, columns: usize| weights.slice(s![.., ..columns]).to_owned();
    model.weights1 = few(&model.weights1, 4);
    model.weights2 = few(&model.weights2, 9 + 4 + 1);
    model.jitter = Array2::zeros((4, 0));
    model.background = Array2::zeros((4, 0));
    model.jitter_pixels.truncate(3);
    model.background_pixels.truncate(3);
    let path = dir.join("model");
    for (target, name, format) in [("model", "small.fits", Format::Fits), ("npz", "small.npz", Format::Npz)] {
        model.save(&path, format, true).map_err(io::Error::other)?;
        keep(target, name, &std::fs::read(&path)?)?;
    }
    Ok(model)
}

fn keep(target: &str, name: &str, input: &[u8]) -> io::Result<()> {
    let path = corpus::write(&corpus::home().join("corpus").join(target), name, input)?;
    println!("{}: {} bytes", path.display(), input.len());
    Ok(())
}
