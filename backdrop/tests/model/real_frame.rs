//! A fit of a real full frame image, a cut-out of 128 x 128 pixels of sector 1, camera 1, CCD 4.
//!
//! The folder that holds the image is named by the environment variable `BACKDROP_TEST_DATA`.

use std::path::PathBuf;

use array_api::Cpu;
use backdrop::ffi::{FfiSource, Filter, find_ffis};
use backdrop::file::{Format, Model};
use backdrop::fit::{FitOptions, fit};
use backdrop::progress::Silent;
use backdrop::source::{FrameSource, Target};

#[test]
fn the_model_follows_the_smooth_background_of_a_real_frame() {
    let Some(dir) = std::env::var_os("BACKDROP_TEST_DATA").map(PathBuf::from) else {
        println!("not run: BACKDROP_TEST_DATA names no folder with a full frame image");
        return;
    };
    let source =
        FfiSource::open(find_ffis(&dir, &Filter::default()).expect("images"), Some(128)).expect("a source");
    assert_eq!(source.target(), Target { sector: 1, camera: 1, ccd: 4 });
    let (model, report) = fit(&Cpu::new(), &source, &FitOptions::default(), &Silent).expect("a fit");
    assert_eq!(report.fitted, 1);
    assert!(model.weights1.iter().chain(&model.weights2).all(|weight| weight.is_finite()));

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(model.file_name(Format::Fits));
    model.save(&path, Format::Fits, false).expect("a file");
    let model = Model::load(&path).expect("the same model");

    let all: Vec<usize> = (0..128).collect();
    let background = model.evaluate(&Cpu::new(), &[0], &all, &all).expect("a background");
    let mut frame = vec![0.0; 128 * 128];
    source.read(0, &mut frame).expect("pixels");
    let mut residual: Vec<f64> = background
        .iter()
        .zip(&frame)
        .zip(model.star_mask.iter().zip(&model.saturation_mask))
        .filter(|(_, (star, saturation))| **star && **saturation)
        .map(|((model, &flux), _)| f64::from(flux) - model)
        .collect();
    assert!(residual.len() > 128 * 128 / 4, "{} clean pixels", residual.len());
    // Least squares makes the mean vanish: the model has a constant, and its priors are wide. Faint
    // stars below the mask's limit make an upper tail, so that the median is a little below.
    let mean = residual.iter().sum::<f64>() / residual.len() as f64;
    residual.sort_by(f64::total_cmp);
    let at = |share: f64| residual[(share * (residual.len() - 1) as f64) as usize];
    frame.sort_by(f32::total_cmp);
    let sky = f64::from(frame[frame.len() / 4]);
    println!(
        "sky near {sky:.0}; residual of clean pixels: mean {mean:.3}, quartiles {:.2}, {:.2}, {:.2} electrons/s",
        at(0.25),
        at(0.5),
        at(0.75)
    );
    assert!(mean.abs() < 0.05, "mean {mean}");
    assert!(at(0.5).abs() < 0.03 * sky, "median {}", at(0.5));
    assert!(at(0.75) - at(0.25) < 0.06 * sky, "from {} to {}", at(0.25), at(0.75));
}
