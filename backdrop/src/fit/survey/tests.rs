use super::*;
use crate::asteroids::{Asteroids, Position, Track};
use crate::communicator::Alone;
use crate::progress::Silent;
use crate::source::tests::Whole;
use crate::source::{MemorySource, Target};

const SHAPE: (usize, usize) = (70, 66);

/// The minimum image of frames of 30, 10 and 20 electrons/s, but for some pixels of some frames.
fn minimum(others: &[(usize, usize, f32)], options: &FitOptions) -> Vec<f32> {
    let frame = |(i, light): (usize, f32)| {
        let (name, tstart) = (i.to_string(), i as f64);
        let mut pixels = vec![light; SHAPE.0 * SHAPE.1];
        for &(_, pixel, value) in others.iter().filter(|(frame, ..)| *frame == i) {
            pixels[pixel] = value;
        }
        (FrameInfo { name, tstart, tstop: tstart + 0.5, quality: 0 }, pixels)
    };
    let frames = [30.0, 10.0, 20.0].into_iter().enumerate().map(frame).collect();
    let source = MemorySource::new(Target { sector: 1, camera: 1, ccd: 1 }, SHAPE, frames).unwrap();
    let run = (&Together::new(&Alone), &Silent as &dyn Progress);
    let survey = Survey::run(&source, options, run, &mut FitReport::default()).unwrap();
    survey.minimum.into_raw_vec_and_offset().0
}

#[test]
fn pixels_without_a_value_leave_the_minimum_to_the_other_frames() {
    let mut others = Vec::new();
    for (pixel, value) in [(3, f32::NAN), (4, f32::INFINITY), (5, f32::NEG_INFINITY)] {
        // In the first frame, in the darkest, and in the last; none of them has a value in pixel 9.
        others.extend([(0, pixel, value), (1, pixel + 100, value), (2, pixel + 200, value)]);
    }
    others.extend((0..3).map(|frame| (frame, 9, f32::NAN)));
    for (pixel, found) in minimum(&others, &FitOptions::default()).into_iter().enumerate() {
        match pixel {
            9 => assert!(found.is_nan()),
            103..=105 => assert_eq!(found, 20.0, "{pixel}"),
            _ => assert_eq!(found, 10.0, "{pixel}"),
        }
    }
}

#[test]
fn an_asteroid_in_a_frame_without_gaps_does_not_take_the_minimum_away() {
    // Still, while the first frame is exposed.
    let position = |time| Position { time, row: 30.0, column: 30.0, magnitude: 12.0 };
    let track = Track { name: "first".into(), positions: vec![position(0.0), position(0.5)] };
    let asteroids = Asteroids::new("table".into(), vec![track]);
    let frame = FrameInfo { name: String::new(), tstart: 0.0, tstop: 0.5, quality: 0 };
    assert!(asteroids.pixels(&[frame], SHAPE).contains(&(30 * SHAPE.1 + 30)));
    let options = FitOptions { asteroids: Some(asteroids), ..FitOptions::default() };
    assert!(minimum(&[], &options).into_iter().all(|flux| flux == 10.0));
}

#[test]
fn the_minimum_is_over_good_frames_or_else_over_those_that_are_fitted() {
    // A flag that keeps a frame out of the average frame only, and one that keeps it out of the fit, too.
    const FITTED: u32 = 4096;
    const BAD: u32 = 32;
    assert!(passes(FITTED, quality::FIT_BITMASK) && !passes(FITTED, quality::AVERAGE_BITMASK));
    assert!(!passes(BAD, quality::FIT_BITMASK));
    let (rows, columns) = SHAPE;
    let pixels = |i: usize, light: f32| -> Vec<f32> {
        let noise = |pixel: usize| ((pixel * 7919 + i * 104_729) % 997) as f32 / 100.0;
        (0..rows * columns).map(|pixel| light + noise(pixel)).collect()
    };
    // Each frame: its quality, its light, and how many of its pixels have no value, from the last one on backwards.
    type Frame = (u32, f32, usize);
    let half = rows * columns / 2;
    let cases: [(&[Frame], &[usize]); 4] = [
        // Dark ones that are flagged or have no data come before the good ones, among them, and after them.
        (
            &[
                (FITTED, 5.0, 0),
                (0, 50.0, 3),
                (0, 1.0, half + 1),
                (BAD, 2.0, 0),
                (0, 49.0, half),
                (FITTED, 6.0, 0),
            ],
            &[1, 4],
        ),
        // Those that are good by their flags have no data.
        (&[(0, 1.0, half + 9), (FITTED, 5.0, 0), (BAD, 2.0, 0), (FITTED, 7.0, 5)], &[1, 3]),
        (&[(FITTED, 5.0, 0), (FITTED, 4.0, 0), (0, 2e4, 0), (0, 9.0, 0)], &[3]),
        (&[(0, 9.0, 0), (0, f32::NEG_INFINITY, half), (0, 8.0, 0)], &[0, 1, 2]),
    ];
    for (number, (frames, counted)) in cases.into_iter().enumerate() {
        let images: Vec<Vec<f32>> = (0..)
            .zip(frames)
            .map(|(i, &(_, light, missing))| {
                let mut pixels = pixels(i, if light.is_finite() { light } else { 7.0 });
                pixels[rows * columns - missing..].fill(if light.is_finite() { f32::NAN } else { light });
                pixels
            })
            .collect();
        let infos = frames.iter().enumerate().map(|(i, &(quality, ..))| FrameInfo {
            name: i.to_string(),
            tstart: i as f64,
            tstop: i as f64 + 0.5,
            quality,
        });
        let source = infos.zip(images.clone()).collect();
        let source = MemorySource::new(Target { sector: 1, camera: 1, ccd: 1 }, SHAPE, source).unwrap();
        let whole = Whole(source.clone());
        let mut expected = vec![f32::INFINITY; rows * columns];
        for &frame in counted {
            for (expected, &pixel) in expected.iter_mut().zip(&images[frame]) {
                *expected = if pixel.is_finite() { expected.min(pixel) } else { *expected };
            }
        }
        let sources: [&dyn FrameSource; 2] = [&source, &whole];
        for source in sources {
            for frames_per_batch in [1, 2, 3, 100] {
                let options = FitOptions { frames_per_batch, ..FitOptions::default() };
                let run = (&Together::new(&Alone), &Silent as &dyn Progress);
                let survey = Survey::run(source, &options, run, &mut FitReport::default()).unwrap();
                for (pixel, (found, expected)) in survey.minimum.iter().zip(&expected).enumerate() {
                    let same = found == expected || (found.is_nan() && expected.is_infinite());
                    assert!(
                        same,
                        "case {number}, {frames_per_batch} a batch, pixel {pixel}: {found}, {expected}"
                    );
                }
            }
        }
    }
}
