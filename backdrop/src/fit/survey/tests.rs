use super::*;
use crate::asteroids::{Asteroids, Position, Track};
use crate::communicator::Alone;
use crate::progress::Silent;
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
