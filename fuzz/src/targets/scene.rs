//! Star scenes.

use array_api::Cpu;
use backdrop::scene::Scene;

use super::{check, note};
use crate::scratch;

pub(super) const WORDS: &[&str] = &[
    "ORBIT1",
    "ORBIT2",
    "BADPIX1",
    "BADPIX2",
    "TIME",
    "DESIGN",
    "TERMS",
    "tstart",
    "tstop",
    "orbit",
    "name",
    "SECTOR",
    "CAMERA",
    "CCD",
    "BATSIZE",
    "NCOMPS",
    "TIMETERM",
    "PRIORSIG",
    "BACKEND",
    "quadratic",
    "spline",
    "EXTNAME",
];

/// Frames, rows and columns that are evaluated at most.
const MOST: usize = 5;

pub(super) fn run(input: &[u8]) {
    let path = scratch::file("scene.fits", input);
    let scene = match Scene::load(&path) {
        Ok(scene) => scene,
        Err(error) => return check(&error, &path),
    };
    note("loaded");
    assert!(scene.orbits() <= 2);
    assert_eq!(scene.design.dim(), (scene.tstart.len(), scene.terms.len()));
    assert!(scene.shape.0 <= 2048 && scene.shape.1 <= 2048);
    let last = |length: usize| -> Vec<usize> { (0..length).rev().take(MOST).collect() };
    let (frames, rows, columns) = (last(scene.tstart.len()), last(scene.shape.0), last(scene.shape.1));
    match scene.evaluate(&Cpu::new(), &frames, &rows, &columns) {
        Ok(flux) => {
            assert_eq!(flux.dim(), (frames.len(), rows.len(), columns.len()));
            note("evaluated");
        }
        Err(error) => check(&error, &path),
    }
    for orbit in 1..=scene.orbits() {
        match scene.bad_pixels(orbit, &rows, &columns) {
            Ok(bad) => assert_eq!(bad.dim(), (rows.len(), columns.len())),
            Err(error) => check(&error, &path),
        }
    }
    assert!(scene.bad_pixels(scene.orbits() + 1, &rows, &columns).is_err());
    assert!(scene.bad_pixels(1, &[scene.shape.0], &columns).is_err());
}
