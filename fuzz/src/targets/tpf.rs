//! Target pixel files: read, corrected, flagged, and written with what was there.

use array_api::Cpu;
use backdrop::file::Model;
use backdrop::flags::Thresholds;
use backdrop::tpf::{CadenceFlags, CorrectOptions, LightCurve, TargetPixelFile, correct};
use ndarray::Array2;

use super::{check, note};
use crate::scratch;

pub(super) const WORDS: &[&str] = &[
    "TIME",
    "TIMECORR",
    "FLUX",
    "FLUX_ERR",
    "FLUX_BKG",
    "QUALITY",
    "APERTURE",
    "BKGMODEL",
    "BACKAPP",
    "SECTOR",
    "CAMERA",
    "CCD",
    "EXTNAME",
    "1CRV4P",
    "2CRV4P",
    "1CRV5P",
    "2CRV5P",
    "1CRP5P",
    "1CDL5P",
    "TUNIT4",
    "OBJECT",
    "TICID",
    "RA_OBJ",
    "DEC_OBJ",
    "BKG_QUALITY",
    "BKG_LEVEL",
    "e-/s",
];

pub(super) fn run(input: &[u8]) {
    let path = scratch::file("tpf.fits", input);
    let mut tpf = match TargetPixelFile::open(&path) {
        Ok(tpf) => tpf,
        Err(error) => return check(&error, &path),
    };
    note("read");
    let (cadences, rows, columns) = tpf.shape();
    assert!(cadences * rows * columns > 0 && [tpf.time.len(), tpf.quality.len()] == [cadences; 2]);
    if tpf.subtracted.is_some() || tpf.unit.is_some() {
        let options = CorrectOptions { average: false };
        if let Err(error) = correct(&Cpu::new(), &tpf, &model(&tpf), options, None) {
            check(&error, &path);
        }
    }
    // Whatever the file says, so that what follows has something to do.
    tpf.corner = tpf.corner.or(Some((3, -2)));
    tpf.subtracted = None;
    tpf.unit = None;
    let xp = Cpu::new();
    let model = model(&tpf);

    // Not by the length, which is one of blocks.
    let choice = input.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte));
    let options = CorrectOptions { average: choice.is_multiple_of(2) };
    let out = scratch::path("corrected.fits");
    match correct(&xp, &tpf, &model, options, None) {
        Ok(corrected) => {
            match corrected.save(&tpf, "model.fits", &out, true) {
                Ok(()) => {
                    note("corrected");
                    let again = TargetPixelFile::open(&out).expect("a file that was corrected can be read");
                    assert_eq!(again.shape(), tpf.shape());
                    let bits = |flux: f32| if flux.is_nan() { None } else { Some(flux.to_bits()) };
                    let same = again.flux.iter().zip(&corrected.flux).all(|(&a, &b)| bits(a) == bits(b));
                    assert!(same || tpf.unusual(), "what was corrected is not what was written");
                }
                Err(error) => check(&error, &path),
            }
            if let Ok(mut curve) = LightCurve::new(&tpf, &corrected, 1.0) {
                assert_eq!(curve.flux.len(), cadences);
                drop(curve.detrend(&xp, &corrected, &model));
                curve.save(&tpf, "model.fits", &out, true).expect("a light curve can be written");
                note("curve");
            }
        }
        Err(error) => check(&error, &path),
    }
    let thresholds = Thresholds { level: 100.0, rate: 10.0 };
    match CadenceFlags::new(&xp, &tpf, &model, thresholds) {
        Ok(flags) => {
            assert_eq!([flags.flags.len(), flags.background.len()], [cadences; 2]);
            if let Err(error) = flags.save(&tpf, "model.fits", choice.is_multiple_of(3), &out, true) {
                check(&error, &path);
            } else {
                note("flagged");
            }
        }
        Err(error) => check(&error, &path),
    }
}

trait Unusual {
    /// Whether numbers may not come back from the file as they went in, because it scales them.
    fn unusual(&self) -> bool;
}

impl Unusual for TargetPixelFile {
    fn unusual(&self) -> bool {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let has = |keyword: &[u8]| bytes.chunks(80).any(|card| card.starts_with(keyword));
        has(b"TSCAL") || has(b"TZERO")
    }
}

/// A model for whatever the file is of. Its frames are of all times.
fn model(tpf: &TargetPixelFile) -> Model {
    let tstart = vec![0.0, 1325.3, 1325.3 + 1.0 / 48.0, 1326.0];
    let tstop = vec![1325.3, 1325.3 + 1.0 / 48.0, 1326.0, 1e12];
    let shape = (16, 16);
    let wave = |rows: usize, columns: usize| {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((3 * i + j) as f64).sin())
    };
    Model {
        target: tpf.target,
        shape,
        preset: "standard".into(),
        design1: "cartesian(1) ~ 2 +- 100".into(),
        design2: "cartesian(2) ~ 0 +- 200".into(),
        strap_npoly: 0,
        nknots: 0,
        seed: 0,
        quality_bitmask: 63,
        average_bitmask: 6911,
        software: "backdrop 0.1.0".into(),
        backend: "CPU".into(),
        quality: vec![0, 0, 32, 0],
        weights1: wave(4, 1),
        weights2: wave(4, 4),
        jitter: wave(4, 1),
        background: wave(4, 1),
        average_frame: wave(shape.0, shape.1),
        jitter_pixels: Vec::new(),
        background_pixels: Vec::new(),
        scatter: vec![1.0; 4],
        asteroids: String::new(),
        input_files: Vec::new(),
        star_mask: Array2::from_elem(shape, true),
        saturation_mask: Array2::from_elem(shape, true),
        tstart,
        tstop,
    }
}
