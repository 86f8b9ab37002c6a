//! Models whose weights stay in their files.

use std::ops::Range;

use super::super::stored::Weights;
use super::*;

/// The same weights as bits, row by row and from several places.
fn bits(weights: &dyn Rows) -> Vec<Vec<u64>> {
    let (rows, columns) = weights.shape();
    let read = |rows: Range<usize>| {
        let mut out = vec![0.0; rows.len() * columns];
        weights.read(rows, &mut out).unwrap();
        out.into_iter().map(f64::to_bits).collect::<Vec<_>>()
    };
    let whole = read(0..rows);
    let middle = rows / 3..rows - rows / 4;
    assert_eq!(read(middle.clone()), whole[middle.start * columns..middle.end * columns]);
    (0..rows)
        .map(|row| {
            let row_read = read(row..row + 1);
            assert_eq!(row_read, whole[row * columns..(row + 1) * columns]);
            row_read
        })
        .collect()
}

/// A model of so many frames, whose weights take several reads.
fn long(frames: usize) -> Model {
    let numbers = |frame: usize, column: usize| ((frame * 1009 + column) as f64).sin() * 1e3;
    Model {
        tstart: (0..frames).map(|frame| frame as f64).collect(),
        tstop: (0..frames).map(|frame| frame as f64 + 0.5).collect(),
        quality: vec![0; frames],
        scatter: vec![1.0; frames],
        weights1: Array2::from_shape_fn((frames, 3), |(frame, column)| numbers(frame, column)),
        weights2: Array2::from_shape_fn((frames, 1001), |(frame, column)| numbers(frame, column + 7)),
        jitter: Array2::zeros((frames, 0)),
        background: Array2::zeros((frames, 1)),
        ..model()
    }
}

#[test]
fn weights_in_a_file_have_the_bits_of_those_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    for whole in [model(), empty(), long(1), long(211)] {
        for format in FORMATS {
            whole.save(&path, format, true).unwrap();
            for stored in [StoredModel::open(&path), StoredModel::open_with_images(&path)] {
                let stored = stored.unwrap();
                let [found, expected] = [stored.weights(), whole.weights()].map(|weights| weights.map(bits));
                assert!(found == expected, "{format:?}");
                check_weights(&stored).unwrap();
                let in_file = |weights: &Weights| matches!(weights, Weights::InFile(_));
                assert!(stored.weights.iter().all(|weights| in_file(weights) == (format == Format::Fits)));
            }
        }
    }
}

#[test]
fn without_images_all_else_is_the_same_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    for format in FORMATS {
        let whole = model();
        let bytes = bytes_of(&whole, format);
        std::fs::write(&path, &bytes).unwrap();
        let nothing = || Array2::default((0, 0));
        let expected = Model { weights1: nothing(), weights2: nothing(), ..whole.clone() };
        let stored = StoredModel::open_with_images(&path).unwrap();
        assert_eq!(content(stored.without_weights()), content(&expected), "{format:?}");
        let stored = StoredModel::open(&path).unwrap();
        let (star_mask, saturation_mask) = (Array2::default((0, 0)), Array2::default((0, 0)));
        let expected = Model { average_frame: nothing(), star_mask, saturation_mask, ..expected };
        assert_eq!(content(stored.without_weights()), content(&expected), "{format:?}");
    }
}

#[test]
fn damage_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    for format in FORMATS {
        for number in [model().scatter[0], model().weights1[(0, 0)], model().weights2[(2, 0)]] {
            let mut bytes = bytes_of(&model(), format);
            let stored = if format == Format::Fits { number.to_be_bytes() } else { number.to_le_bytes() };
            // Of two copies of the weights, that which has the name is read.
            let position = bytes.windows(8).rposition(|window| window == stored).unwrap();
            bytes[position + 3] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let opened = StoredModel::open(&path);
            // Weights in a FITS file are not looked at before.
            assert_eq!(opened.is_ok(), format == Format::Fits && number != model().scatter[0]);
            let message = opened.and_then(|stored| check_weights(&stored)).unwrap_err().to_string();
            assert!(message.to_lowercase().contains("checksum"), "{format:?} {number}: {message}");
        }
    }
    std::fs::write(&path, "SIMPLE").unwrap();
    assert!(StoredModel::open(&path).is_err());
    assert!(matches!(StoredModel::open(&dir.path().join("none")), Err(Error::Io { .. })));
}

#[test]
fn what_is_read_is_checked_whatever_came_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.fits");
    let whole = long(211);
    whole.save(&path, Format::Fits, false).unwrap();
    let intact = std::fs::read(&path).unwrap();
    let mut damaged = intact.clone();
    let number = whole.weights2[(100, 500)].to_be_bytes();
    let position = damaged.windows(8).position(|window| window == number).unwrap();
    damaged[position + 7] ^= 1;
    // All at once, some twice, overlapping, from the end, none of those that follow.
    let orders: [&[Range<usize>]; 6] = [
        &[],
        &[0..211, 7..7],
        &[0..100, 100..211],
        &[90..110, 100..120, 90..110, 5..6],
        &[210..211, 209..210, 0..1, 0..211],
        &[3..3, 0..50, 60..211, 50..60, 0..211],
    ];
    for order in orders {
        for (bytes, is_intact) in [(&intact, true), (&damaged, false)] {
            std::fs::write(&path, bytes).unwrap();
            let stored = StoredModel::open(&path).unwrap();
            for rows in order {
                let mut out = vec![0.0; rows.len() * 1001];
                stored.weights[1].read(rows.clone(), &mut out).unwrap();
            }
            for _ in 0..2 {
                assert_eq!(check_weights(&stored).is_ok(), is_intact, "{order:?}");
            }
            assert_eq!(fitted_frames(&stored).is_ok(), is_intact, "{order:?}");
        }
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_open_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.fits");
    long(100).save(&path, Format::Fits, false).unwrap();
    let stored = StoredModel::open(&path).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2 * BLOCK as u64).unwrap();
    let [_, weights] = stored.weights();
    let message = weights.read(98..100, &mut vec![0.0; 2002]).unwrap_err().to_string();
    assert!(message.contains("model.fits"), "{message}");
    assert!(fitted_frames(&stored).is_err() && check_weights(&stored).is_err());
}

#[test]
fn a_file_that_is_replaced_while_it_is_open_is_the_one_that_was_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.fits");
    let (first, second) = (long(20), Model { weights2: Array2::zeros((20, 1001)), ..long(20) });
    first.save(&path, Format::Fits, false).unwrap();
    let stored = StoredModel::open(&path).unwrap();
    second.save(&path, Format::Fits, true).unwrap();
    assert_eq!(stored.weights().map(bits), first.weights().map(bits));
}

#[test]
fn weights_that_are_stored_in_another_way_are_converted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.fits");
    let mut hdus = original_layout(2, 77, COLUMNS2);
    let single = std::iter::repeat_n(0.5_f32.to_be_bytes(), 2 * 77).flatten().collect();
    hdus[2] = Hdu::image(-32, &[2, 77], single).card("EXTNAME", "'WEIGHTS1'");
    hdus[3] = hdus[3].clone().card("BSCALE", 3.0);
    std::fs::write(&path, file_of(&hdus)).unwrap();
    let stored = StoredModel::open(&path).unwrap();
    let expected = [Array2::from_elem((2, 77), 0.5), Array2::from_elem((2, COLUMNS2), -4.5)];
    assert_eq!(stored.weights().map(bits), expected.each_ref().map(|weights| bits(weights)));
    assert!(stored.weights.iter().all(|weights| matches!(weights, Weights::InMemory(_))));
}

#[test]
fn frames_are_fitted_that_have_all_of_their_weights() {
    let mut model = long(211);
    for (frame, column) in [(0, 0), (100, 2), (210, 1)] {
        model.weights1[(frame, column)] = f64::NAN;
    }
    for (frame, column) in [(1, 1000), (130, 0), (131, 500)] {
        model.weights2[(frame, column)] = f64::INFINITY;
    }
    let expected: Vec<bool> = (0..211).map(|frame| ![0, 1, 100, 130, 131, 210].contains(&frame)).collect();
    assert_eq!(fitted_frames(&model).unwrap(), expected);
    let without = Model { weights1: Array2::zeros((211, 0)), weights2: Array2::zeros((211, 0)), ..model };
    assert_eq!(fitted_frames(&without).unwrap(), [true; 211]);
    assert!(fitted_frames(&empty()).unwrap().is_empty());
}

#[test]
fn rows_without_columns_may_be_any_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.fits");
    let mut hdus = original_layout(2, 77, COLUMNS2);
    for rows in [2, 1_usize << 40, 1 << 62] {
        hdus[2] = Hdu::image(-64, &[rows, 0], Vec::new())
            .card("EXTNAME", "'WEIGHTS1'")
            .card("DATASUM", "'0       '");
        std::fs::write(&path, file_of(&hdus)).unwrap();
        let [stored, loaded] =
            [StoredModel::open(&path).map(drop), Model::load(&path).map(drop)].map(Result::unwrap_err);
        assert_eq!(stored.to_string(), loaded.to_string());
    }
}
