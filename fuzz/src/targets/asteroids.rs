//! Tables of asteroids, and lists of pixels.

use backdrop::asteroids::Asteroids;
use backdrop::flags::read_targets;
use backdrop::source::FrameInfo;

use super::{check, note};
use crate::scratch;

pub(super) const WORDS: &[&str] = &[
    "name",
    "designation",
    "object",
    "target",
    "time",
    "btjd",
    "row",
    "column",
    "col",
    "vmag",
    "V",
    "v_mag",
    "mag",
    "magnitude",
    "1325.31",
    "2 Pallas",
    "14.0",
    "#5",
    "\"a \"\"b\"\"\"",
    "\"a\nb\"",
    "999999",
];

pub(super) fn run(input: &[u8]) {
    let path = scratch::file("asteroids.csv", input);
    let asteroids = match Asteroids::read(&path) {
        Ok(asteroids) => asteroids,
        Err(error) => return check(&error, &path),
    };
    note("read");
    assert!(!asteroids.tracks().is_empty());
    for track in asteroids.tracks() {
        assert!(!track.positions.is_empty() && track.positions.iter().all(|at| at.time.is_finite()));
        assert!(track.positions.is_sorted_by(|a, b| a.time <= b.time));
        let time = track.positions[0].time;
        assert!(track.at(time).is_some_and(|at| at.time == time));
    }
    let frame = |tstart, tstop| FrameInfo { name: String::new(), tstart, tstop, quality: 0 };
    for frames in
        [[frame(1325.3, 1325.32), frame(1325.32, 1325.34)], [frame(0.0, 1325.3), frame(1326.0, 1e9)]]
    {
        let pixels = asteroids.pixels(&frames, (64, 48));
        assert!(pixels.is_sorted_by(|a, b| a < b) && pixels.last().is_none_or(|&last| last < 64 * 48));
    }
    // What is written is read as the same.
    let copy = scratch::path("copy.csv");
    asteroids.write(&copy, true).expect("a table that was read can be written");
    match Asteroids::read(&copy) {
        Ok(again) => {
            assert_eq!(again.tracks(), asteroids.tracks(), "a table that was written is another one");
        }
        Err(error) => panic!("a table that was written cannot be read: {error}"),
    }
}

pub(super) fn run_pixels(input: &[u8]) {
    let path = scratch::file("targets.csv", input);
    match read_targets(&path) {
        Ok(pixels) => {
            assert!(!pixels.is_empty() && pixels.iter().all(|&(row, column)| row < 2048 && column < 2048));
            note("read");
        }
        Err(error) => check(&error, &path),
    }
}
