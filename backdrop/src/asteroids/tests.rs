use std::path::PathBuf;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::*;
use crate::fits::BLOCK;
use crate::fits::handmade::{Hdu, file_of};

const SHAPE: (usize, usize) = (60, 80);

fn frames(start: f64, count: usize) -> Vec<FrameInfo> {
    let frame = |index| {
        let tstart = start + index as f64 / 48.0;
        FrameInfo { name: String::new(), tstart, tstop: tstart + 1.0 / 48.0, quality: 0 }
    };
    (0..count).map(frame).collect()
}

fn track(positions: &[(f64, f64, f64, f64)]) -> Track {
    let position = |&(time, row, column, magnitude)| Position { time, row, column, magnitude };
    Track { name: "2004 MN4".into(), positions: positions.iter().map(position).collect() }
}

fn asteroids(tracks: Vec<Track>) -> Asteroids {
    Asteroids::new("asteroids.csv".into(), tracks)
}

/// Positions of the pixels (row, column) that fulfil a condition.
fn where_true(condition: impl Fn(f64, f64) -> bool) -> Vec<usize> {
    let (rows, columns) = SHAPE;
    let holds = |pixel: &usize| condition((pixel / columns) as f64, (pixel % columns) as f64);
    (0..rows * columns).filter(holds).collect()
}

#[test]
fn pixels_are_those_within_reach_of_the_path_at_any_time_of_the_window() {
    const SAMPLES: u32 = 4000;
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    for (magnitude, reach) in [(16.0, 5.0), (12.0, 7.0), (9.0, 9.0)] {
        for _ in 0..10 {
            let mut time = 1000.0 + rng.random_range(-0.2..0.2);
            let positions: Vec<_> = (0..4)
                .map(|_| {
                    time += rng.random_range(0.05..0.3);
                    (time, rng.random_range(-20.0..80.0), rng.random_range(-20.0..100.0), magnitude)
                })
                .collect();
            let track = track(&positions);
            let frames = frames(1000.25, 20);
            let pixels = asteroids(vec![track.clone()]).pixels(&frames, SHAPE);

            let (start, stop) = (frames[0].tstart, frames[19].tstop);
            let (first, last) = (positions[0].0, positions[3].0);
            // Half a frame, 1/96 of a day, the asteroid stands still at either end.
            if stop <= first - 1.0 / 96.0 || last + 1.0 / 96.0 <= start {
                assert_eq!(pixels, [0; 0]);
                continue;
            }
            let path: Vec<_> = (0..=SAMPLES)
                .map(|sample| start + (stop - start) * f64::from(sample) / f64::from(SAMPLES))
                .map(|time| track.at(time.clamp(first, last)).unwrap())
                .collect();
            let step = path
                .array_windows()
                .map(|[a, b]| (a.row - b.row).hypot(a.column - b.column))
                .fold(0.0, f64::max);
            let nearest2 = |row: f64, column: f64| {
                let distances2 = path.iter().map(|at| (at.row - row).powi(2) + (at.column - column).powi(2));
                distances2.fold(f64::INFINITY, f64::min)
            };
            let reached = where_true(|row, column| nearest2(row, column) <= reach * reach);
            // No place on the path is farther from a sample than half a step; rounding is far
            // below 1e-9.
            let bound2 = (reach + step / 2.0 + 1e-9).powi(2);
            let at_most = where_true(|row, column| nearest2(row, column) <= bound2);
            assert!(reached.iter().all(|pixel| pixels.binary_search(pixel).is_ok()));
            assert!(pixels.iter().all(|pixel| at_most.binary_search(pixel).is_ok()));
            assert!(pixels.is_sorted());
        }
    }
}

#[test]
fn the_reach_is_that_of_the_magnitude() {
    let frames = frames(1000.0, 1);
    for (magnitude, reach) in
        [(20.0, 5.0), (14.0, 5.0), (13.999, 7.0), (11.0, 7.0), (10.999, 9.0), (-1.0, 9.0)]
    {
        let still = track(&[(999.0, 30.0, 40.0, magnitude), (1002.0, 30.0, 40.0, magnitude)]);
        let expected = where_true(|row, column| (row - 30.0).hypot(column - 40.0) <= reach);
        assert_eq!(asteroids(vec![still]).pixels(&frames, SHAPE), expected, "V = {magnitude}");
    }
    // 81 pixels are within 5 of a pixel, itself included: the Gauss circle problem, N(5) = 81.
    let still = track(&[(1000.0, 30.0, 40.0, 15.0)]);
    assert_eq!(asteroids(vec![still]).pixels(&frames, SHAPE).len(), 81);
}

#[test]
fn where_an_asteroid_is_outside_of_its_times_is_not_guessed() {
    let moving = asteroids(vec![track(&[(1000.0, 10.0, 10.0, 15.0), (1001.0, 10.0, 58.0, 15.0)])]);
    // Half a frame is 1/96 of a day.
    assert_eq!(moving.pixels(&frames(1001.0 + 1.01 / 96.0, 1), SHAPE), [0; 0]);
    assert_eq!(moving.pixels(&frames(1000.0 - 3.01 / 96.0, 1), SHAPE), [0; 0]);
    let last = moving.pixels(&frames(1001.0, 1), SHAPE);
    assert_eq!(last, where_true(|row, column| (row - 10.0).hypot(column - 58.0) <= 5.0));
    // A frame of 1/48 of a day up to the end is the last pixel of 48 in a day.
    let before = moving.pixels(&frames(1001.0 - 1.0 / 48.0, 1), SHAPE);
    let from_57_to_58 = |row: f64, column: f64| (row - 10.0).hypot(column - column.clamp(57.0, 58.0)) <= 5.0;
    assert_eq!(before, where_true(from_57_to_58));
    assert_eq!(moving.pixels(&[], SHAPE), [0; 0]);
}

#[test]
fn the_path_between_frames_that_are_apart_counts() {
    let moving = asteroids(vec![track(&[(1000.0, 10.0, 10.0, 15.0), (1001.0, 10.0, 58.0, 15.0)])]);
    let ends = [frames(1000.0, 1), frames(1000.0 + 47.0 / 48.0, 1)].concat();
    let all = where_true(|row, column| (row - 10.0).hypot(column - column.clamp(10.0, 58.0)) <= 5.0);
    assert_eq!(moving.pixels(&ends, SHAPE), all);
}

#[test]
fn long_segments_and_far_tracks_are_clipped_to_the_frame() {
    let frames = frames(1000.0, 48);
    let diagonal = track(&[(1000.0, -1e6, -1e6, 15.0), (1001.0, 1e6, 1e6, 15.0)]);
    let expected = where_true(|row, column| (row - column).abs() <= 5.0 * 2_f64.sqrt());
    assert_eq!(asteroids(vec![diagonal]).pixels(&frames, SHAPE), expected);
    let far = track(&[(1000.0, 1e6, 30.0, 15.0), (1001.0, 1e6, 31.0, 15.0)]);
    let beside = track(&[(1000.0, 30.0, 85.5, 15.0), (1001.0, 31.0, 85.5, 15.0)]);
    assert_eq!(asteroids(vec![far, beside]).pixels(&frames, SHAPE), [0; 0]);
}

fn save(dir: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn rows_of_one_name_form_a_track_sorted_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(
        &dir,
        "a b.csv",
        "# made by hand\r\n\
         V,Col, Designation ,BTJD,ROW,ccd\r\n\
         14,1,\"#5\",1000,2,1\r\n\
         15.5,20,\"Ceres, a planet\",1001.5,10,1\r\n\
         9,1e2,Pallas,1000,-3.25,1\r\n\
         15,19.5,\"Ceres, a planet\",1000.5,11,1\r\n",
    );
    let read = Asteroids::read(&path).unwrap();
    assert_eq!(read.name(), "a b.csv");
    let ceres = Track {
        name: "Ceres, a planet".into(),
        ..track(&[(1000.5, 11.0, 19.5, 15.0), (1001.5, 10.0, 20.0, 15.5)])
    };
    let pallas = Track { name: "Pallas".into(), ..track(&[(1000.0, -3.25, 100.0, 9.0)]) };
    let number = Track { name: "#5".into(), ..track(&[(1000.0, 2.0, 1.0, 14.0)]) };
    assert_eq!(read.tracks(), [number, ceres, pallas]);

    let again = dir.path().join("again.csv");
    read.write(&again, false).unwrap();
    assert_eq!(Asteroids::read(&again).unwrap().tracks(), read.tracks());
    let error = read.write(&again, false).unwrap_err().to_string();
    assert_eq!(error, format!("{}: exists already; use --overwrite to replace it", again.display()));
}

/// A table of two asteroids, whose names have the form `form`.
fn fits_table(form: &str, names: [&[u8]; 2]) -> Vec<u8> {
    let mut data = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        data.extend((1000.5 + index as f64).to_be_bytes());
        data.extend(name);
        data.extend((7.25_f32 + index as f32).to_be_bytes());
        data.extend((40 + index as i32).to_be_bytes());
        data.extend(13.5_f64.to_be_bytes());
    }
    let table = Hdu::image(8, &[2, data.len() / 2], data).set("XTENSION", "'BINTABLE'").card("TFIELDS", 5);
    let columns = [("Time", "D"), ("NAME", form), ("row", "E"), ("Column", "J"), ("vmag", "D")];
    let table = (1..).zip(columns).fold(table, |table, (number, (name, form))| {
        let [name, form] = [name, form].map(|text| format!("'{text}'"));
        table.card(&format!("TTYPE{number}"), name).card(&format!("TFORM{number}"), form)
    });
    let image = Hdu::image(8, &[3], vec![1, 2, 3]);
    file_of(&[Hdu::primary(), image, table])
}

#[test]
fn fits_tables_have_text_beside_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let expected = |name: &str, index: f64| Track {
        name: name.into(),
        ..track(&[(1000.5 + index, 7.25 + index, 40.0 + index, 13.5)])
    };
    let texts = save(&dir, "t.fits", fits_table("8A", [b"Ceres   ", b"2004 MN4"]));
    assert_eq!(
        Asteroids::read(&texts).unwrap().tracks(),
        [expected("Ceres", 0.0), expected("2004 MN4", 1.0)]
    );
    let numbers = save(&dir, "n.fits", fits_table("J", [&433_i32.to_be_bytes(), &99942_i32.to_be_bytes()]));
    assert_eq!(Asteroids::read(&numbers).unwrap().tracks(), [expected("433", 0.0), expected("99942", 1.0)]);
}

#[test]
fn tables_that_make_no_sense_are_refused_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = |name: &str, bytes: &[u8]| {
        let path = save(&dir, name, bytes);
        let message = Asteroids::read(&path).unwrap_err().to_string();
        message.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    };
    let header = "name,time,row,column,vmag\n";
    for (row, reason) in [
        ("a,x,1,2,15", "line 3, column time: \"x\" is no number"),
        ("a,1000,1,,15", "line 3, column column: \"\" is no number"),
        (
            "a,2458000.5,1,2,15",
            "line 3, column time: 2458000.5 is no time in BTJD days, which are JD - 2457000",
        ),
        ("a,NaN,1,2,15", "line 3, column time: NaN is no time in BTJD days, which are JD - 2457000"),
        ("a,1000,inf,2,15", "line 3, column row: inf is no position in pixels"),
        ("a,1000,1,-2e6,15", "line 3, column column: -2000000 is no position in pixels"),
        ("a,1000,1,2,NaN", "line 3, column vmag: NaN is no magnitude"),
        (",1000,1,2,15", "line 3, column name is empty"),
        ("a,1000,1,2", "line 3: it has 4 values, where the first line has 5"),
    ] {
        let table = format!("{header}b,1000,1,2,15\n{row}\n");
        assert_eq!(refusal("a.csv", table.as_bytes()), reason);
    }
    assert_eq!(refusal("a.csv", header.as_bytes()), "it has no rows");
    let also = "; a table of asteroids has name, time, row, column, vmag";
    assert_eq!(
        refusal("a.csv", b""),
        format!("it has no column name (or designation, object, target){also}")
    );
    assert_eq!(refusal("a.csv", b"name,time,y\na,1,2\n"), format!("it has no column row{also}"));
    let latin = [header.as_bytes(), b"\xe9,1000,1,2,15\n"].concat();
    assert_eq!(refusal("a.csv", &latin), "line 2: it is no text in UTF-8");
    assert_eq!(refusal("a.csv.gz", b"\x1f\x8b\x08"), "it is compressed; unpack it");

    assert_eq!(refusal("a.fits", &file_of(&[Hdu::primary()])), "it has no table");
    let several = fits_table("8A4", [b"Ceres   ", b"2004 MN4"]);
    assert_eq!(refusal("a.fits", &several), "HDU 2: column NAME has several texts a row, not 1");
    let unnamed = fits_table("8A", [b"Ceres   ", b"        "]);
    assert_eq!(refusal("a.fits", &unnamed), "HDU 2, row 2, column name is empty");
}

#[test]
fn a_fits_table_with_a_wrong_byte_in_its_header_is_read_or_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fits_table("8A", [b"Ceres   ", b"2004 MN4"]);
    // A block of header and one of data end the file.
    let header = whole.len() - 2 * BLOCK..whole.len() - BLOCK;
    let cards = 80 * whole[header.clone()].chunks(80).position(|card| card.starts_with(b"END")).unwrap();
    let mut refused = 0;
    // Three bytes on is another place of each card, for its 80 are no multiple of that.
    for position in (header.start..header.start + cards).step_by(3) {
        for byte in *b"9A" {
            let mut table = whole.clone();
            table[position] = byte;
            let path = save(&dir, "a.fits", &table);
            match Asteroids::read(&path) {
                Ok(read) => assert!(!read.tracks().is_empty()),
                Err(error) => {
                    let message = error.to_string();
                    assert!(message.starts_with(&path.display().to_string()), "{message}");
                    assert!(!message.contains('\n'), "{message}");
                    refused += 1;
                }
            }
        }
    }
    // Most bytes of a header are blanks and comments; every column's name and form are not.
    assert!(refused > 30, "{refused}");
}

#[test]
fn texts_too_long_for_cfitsio_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (short, long) = (vec![b'a'; 2880], vec![b'a'; 2881]);
    let read = |name: &[u8]| {
        let table = fits_table(&format!("{}A", name.len()), [name, name]);
        Asteroids::read(&save(&dir, "a.fits", table))
    };
    assert_eq!(read(&short).unwrap().tracks()[0].name.len(), 2880);
    let error = read(&long).unwrap_err().to_string();
    assert!(error.ends_with("column NAME has texts of 2881 characters, the most is 2880"), "{error}");
}
