mod refused;
mod stored;

use std::path::{Path, PathBuf};

use ndarray::{Array2, array};
use ndarray_npy::{NpzReader, NpzWriter};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::fits::handmade::{Hdu, file_of};
use crate::fits::{BLOCK, Reader};

const FORMATS: [Format; 2] = [Format::Fits, Format::Npz];

/// A small model in which every number differs, with the numbers whose bits are lost
/// most easily, text that FITS cannot hold as it is, and a frame that was not fitted.
pub(super) fn model() -> Model {
    let payload = f64::from_bits(0x7ff8_dead_beef_0001);
    Model {
        target: Target { sector: 12, camera: 1, ccd: 3 },
        shape: (3, 4),
        preset: "standard".into(),
        design1: "radial_spline(60) ~ 2 +- 100 + cartesian(4) ~ 2 +- 100".into(),
        design2: format!("spline(50) ~ 0 +- 200{}", " + radial(1) ~ 0 +- 0.5".repeat(20)),
        strap_npoly: 2,
        nknots: 50,
        seed: u64::MAX,
        quality_bitmask: 63,
        average_bitmask: u32::MAX,
        software: "backdrop 0.1.0".into(),
        backend: "CUDA (100% of a \"fast\" µ-device's cores)".into(),
        tstart: vec![1625.1, 1625.2, 1625.3],
        tstop: vec![1625.11, 1625.21, 1625.31],
        quality: vec![0, 8192, u32::MAX],
        weights1: array![[1.0, -0.0], [f64::NAN, payload], [f64::MIN_POSITIVE / 3.0, 0.1]],
        weights2: array![[1e300], [f64::NAN], [-1e-300]],
        jitter: array![[0.5, 0.25], [f64::NAN, f64::NAN], [2.0, 3.0]],
        background: Array2::zeros((3, 0)),
        average_frame: Array2::from_shape_fn((3, 4), |(row, column)| (10 * row + column) as f64 + 0.125),
        jitter_pixels: vec![(2, 3), (0, 1)],
        background_pixels: vec![],
        scatter: vec![3.25, f64::NAN, 0.1],
        asteroids: "asteroids é.csv".into(),
        input_files: vec!["a.fits".into(), "b c.fits ".into(), "d/é%20.fits".into()],
        star_mask: Array2::from_shape_fn((3, 4), |(row, column)| row != column),
        saturation_mask: Array2::from_shape_fn((3, 4), |(row, _)| row != 2),
    }
}

/// The same with neither frames nor components.
pub(super) fn empty() -> Model {
    Model {
        tstart: vec![],
        tstop: vec![],
        quality: vec![],
        scatter: vec![],
        weights1: Array2::zeros((0, 2)),
        weights2: Array2::zeros((0, 1)),
        jitter: Array2::zeros((0, 0)),
        background: Array2::zeros((0, 0)),
        input_files: vec![],
        software: "backdrop".into(),
        backend: String::new(),
        ..model()
    }
}

/// Everything in a model, numbers as their bits, so that NaN equals itself.
fn content(model: &Model) -> String {
    let bits = |array: &Array2<f64>| array.mapv(f64::to_bits);
    let without = Model {
        weights1: Array2::zeros((0, 0)),
        weights2: Array2::zeros((0, 0)),
        jitter: Array2::zeros((0, 0)),
        ..model.clone()
    };
    format!("{without:?} {} {} {}", bits(&model.weights1), bits(&model.weights2), bits(&model.jitter))
}

fn bytes_of(model: &Model, format: Format) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    model.save(&path, format, false).unwrap();
    std::fs::read(path).unwrap()
}

/// Loads a file with this content.
fn load(bytes: &[u8]) -> Result<Model> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    std::fs::write(&path, bytes).unwrap();
    Model::load(&path)
}

/// The message for a file with this content, without its path.
fn refusal(bytes: &[u8]) -> String {
    let message = load(bytes).unwrap_err().to_string();
    message.split_once("background model: ").map_or(message.as_str(), |(_, rest)| rest).to_owned()
}

#[test]
fn a_model_comes_back_to_the_last_bit_from_either_format() {
    for original in [model(), empty()] {
        for format in FORMATS {
            let bytes = bytes_of(&original, format);
            let loaded = load(&bytes).unwrap();
            assert_eq!(content(&loaded), content(&original), "{format:?}");
            assert_eq!(bytes_of(&loaded, format), bytes, "{format:?}");
        }
    }
}

#[test]
fn the_name_of_the_program_comes_back_whatever_it_is() {
    for software in ["", "backdrop", "backdrop 0.1.0", " 1", "a ", "a b  ", " ", "two\nlines\n"] {
        let original = Model { software: software.into(), ..empty() };
        let loaded = load(&bytes_of(&original, Format::Fits)).unwrap();
        assert_eq!(loaded.software, software);
    }
}

#[test]
fn file_names_tell_the_target_and_the_format() {
    assert_eq!(model().file_name(Format::Fits), "tessbackdrop_sector12_camera1_ccd3.fits");
    assert_eq!(model().file_name(Format::Npz), "tessbackdrop_sector12_camera1_ccd3.npz");
}

#[test]
fn data_of_another_target_are_refused_in_words_that_name_both() {
    model().check_target(Target { sector: 12, camera: 1, ccd: 3 }).unwrap();
    assert_eq!(
        model().check_target(Target { sector: 12, camera: 2, ccd: 3 }).unwrap_err().to_string(),
        "the model is of sector 12, camera 1, CCD 3, but the data are of sector 12, camera 2, CCD 3: \
         use the model of sector 12, camera 2, CCD 3"
    );
}

#[test]
fn the_fits_file_has_the_layout_that_other_programs_expect() {
    let bytes = bytes_of(&model(), Format::Fits);
    let mut file = Reader::open_bytes(Path::new("model"), &bytes).unwrap();
    let expected: [(&str, Option<&[u64]>); 12] = [
        ("PRIMARY", Some(&[])),
        ("TIME", None),
        ("WEIGHTS1", Some(&[3, 2])),
        ("WEIGHTS2", Some(&[3, 1])),
        ("JITTER", Some(&[3, 2])),
        ("BKG", Some(&[3, 0])),
        ("AVGFRAME", Some(&[3, 4])),
        ("JITPIX", None),
        ("BKGPIX", None),
        ("FILES", None),
        ("MASKS", Some(&[3, 4])),
        ("NOISE", None),
    ];
    assert_eq!(file.hdus(), expected.len());
    for (hdu, (name, shape)) in expected.into_iter().enumerate() {
        file.select(hdu).unwrap();
        assert_eq!(file.text("EXTNAME").as_deref(), Some(name));
        let image = file.image().unwrap();
        assert_eq!(image.as_ref().map(|image| image.shape.as_slice()), shape, "{name}");
        let bitpix = match name {
            "PRIMARY" | "MASKS" => 8,
            _ if shape.is_none() => 8,
            _ => -64,
        };
        assert_eq!(file.require::<i32>("BITPIX").unwrap(), bitpix, "{name}");
        assert!(file.text("CHECKSUM").is_some() && file.text("DATASUM").is_some(), "{name}");
    }
    file.select(0).unwrap();
    for (keyword, value) in
        [("SECTOR", 12), ("CAMERA", 1), ("CCD", 3), ("CUTSIZE", 3), ("STRPPOLY", 2), ("NINPUTS", 3)]
    {
        assert_eq!(file.require::<u32>(keyword).unwrap(), value, "{keyword}");
    }
    assert_eq!(file.text("ORIGIN").as_deref(), Some("backdrop"));
    assert_eq!(file.text("VERSION").as_deref(), Some("0.1.0"));
    file.select(1).unwrap();
    for (number, name, unit) in [(1, "tstart", Some("d")), (2, "tstop", Some("d")), (3, "quality", None)] {
        assert_eq!(file.text(&format!("TTYPE{number}")).as_deref(), Some(name));
        assert_eq!(file.text(&format!("TFORM{number}")).as_deref(), Some("D"));
        assert_eq!(file.text(&format!("TUNIT{number}")).as_deref(), unit);
    }
    // The first row of pixels: a star in column 0; the last: saturated, a star in column 2.
    file.select(10).unwrap();
    let mut masks = [0_u8; 12];
    file.pixels(0, None, &mut masks).unwrap();
    assert_eq!(masks, [1, 0, 0, 0, 0, 1, 0, 0, 2, 2, 3, 2]);
}

#[test]
fn numpy_users_find_the_arrays_under_their_names() {
    let bytes = bytes_of(&model(), Format::Npz);
    let mut file = NpzReader::new(std::io::Cursor::new(bytes)).unwrap();
    for (name, expected) in [
        ("arr_0", model().weights1),
        ("weights_basic", model().weights1),
        ("arr_1", model().weights2),
        ("weights_full", model().weights2),
        ("average_frame", model().average_frame),
    ] {
        let array: Array2<f64> = file.by_name(name).unwrap();
        assert_eq!(array.mapv(f64::to_bits), expected.mapv(f64::to_bits), "{name}");
    }
    let star_mask: Array2<bool> = file.by_name("star_mask").unwrap();
    assert_eq!(star_mask, model().star_mask);
    let pixels: Array2<u32> = file.by_name("jitter_pixels").unwrap();
    assert_eq!(pixels, array![[2, 3], [0, 1]]);
}

#[test]
fn an_npz_with_either_naming_of_the_weights_is_read() {
    let bytes = bytes_of(&model(), Format::Npz);
    for dropped in [["arr_0.npy", "arr_1.npy"], ["weights_basic.npy", "weights_full.npy"]] {
        let mut old = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
        let mut new = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for index in 0..old.len() {
            let entry = old.by_index_raw(index).unwrap();
            if !dropped.contains(&entry.name()) {
                new.raw_copy_file(entry).unwrap();
            }
        }
        let loaded = load(&new.finish().unwrap().into_inner()).unwrap();
        assert_eq!(content(&loaded), content(&model()));
    }
}

/// A matrix of f64 as an image extension.
fn matrix(name: &str, rows: usize, columns: usize, value: f64) -> Hdu {
    let data = std::iter::repeat_n(value.to_be_bytes(), rows * columns).flatten().collect();
    Hdu::image(-64, &[rows, columns], data).card("EXTNAME", format!("'{name:<8}'"))
}

/// A file of the program that came before: HDUs 0 to 6 and no more keywords than it wrote.
fn original_layout(frames: usize, columns1: usize, columns2: usize) -> Vec<Hdu> {
    let primary = Hdu::primary()
        .card("ORIGIN", "'scatterbrain'")
        .card("AUTHOR", "'somebody'")
        .card("VERSION", "'1.0.0   '")
        .card("SECTOR", 7)
        .card("CAMERA", 2)
        .card("CCD", 4)
        .card("CUTSIZE", 5)
        .card("STRPPOLY", 2);
    let rows = (0..frames).flat_map(|frame| [1500.0 + frame as f64, 1500.5 + frame as f64, 32.0]);
    let mut time = Hdu::image(8, &[frames, 24], rows.flat_map(f64::to_be_bytes).collect())
        .set("XTENSION", "'BINTABLE'")
        .card("TFIELDS", 3)
        .card("EXTNAME", "'TIME    '");
    for (number, name) in (1..).zip(["tstart", "tstop", "quality"]) {
        time = time
            .card(&format!("TTYPE{number}"), format!("'{name:<8}'"))
            .card(&format!("TFORM{number}"), "'D       '")
            .card(&format!("TUNIT{number}"), "'BJD - 2457000'");
    }
    let matrices = [
        matrix("WEIGHTS1", frames, columns1, 2.5),
        matrix("WEIGHTS2", frames, columns2, -1.5),
        matrix("JITTER", frames, 10, 0.5),
        matrix("BKG", frames, 10, 0.25),
        matrix("AVGFRAME", 5, 5, 99.0),
    ];
    [primary, time].into_iter().chain(matrices).collect()
}

/// Columns of the standard A2.
const COLUMNS2: usize = 51 * 51 + 61 + 2 * 230;

#[test]
fn a_file_of_the_original_program_is_a_standard_model() {
    let loaded = load(&file_of(&original_layout(2, 77, COLUMNS2))).unwrap();
    let expected = Model {
        target: Target { sector: 7, camera: 2, ccd: 4 },
        shape: (5, 5),
        preset: "standard".into(),
        design1: "radial_spline(60) ~ 2 +- 100 + cartesian(4) ~ 2 +- 100".into(),
        design2: "spline(50) ~ 0 +- 200 + radial_spline(60) ~ 0 +- 300 + restricted_strap(2) ~ 0 +- 30"
            .into(),
        strap_npoly: 2,
        nknots: 50,
        seed: 0,
        quality_bitmask: 63,
        average_bitmask: 6911,
        software: "scatterbrain 1.0.0".into(),
        backend: String::new(),
        tstart: vec![1500.0, 1501.0],
        tstop: vec![1500.5, 1501.5],
        quality: vec![32, 32],
        weights1: Array2::from_elem((2, 77), 2.5),
        weights2: Array2::from_elem((2, COLUMNS2), -1.5),
        jitter: Array2::from_elem((2, 10), 0.5),
        background: Array2::from_elem((2, 10), 0.25),
        average_frame: Array2::from_elem((5, 5), 99.0),
        jitter_pixels: vec![],
        background_pixels: vec![],
        scatter: vec![f64::NAN; 2],
        asteroids: String::new(),
        input_files: vec![],
        star_mask: Array2::from_elem((5, 5), true),
        saturation_mask: Array2::from_elem((5, 5), true),
    };
    assert_eq!(content(&loaded), content(&expected));
}

#[test]
fn models_that_contradict_themselves_are_not_saved() {
    let path = PathBuf::from("never-written");
    let long = format!("no file has a name as long as \"{}\"...", "a".repeat(80));
    let wrong: [(Model, &str); 8] = [
        (Model { tstop: vec![1.0], ..model() }, "3 frames have a tstart, but 1 a tstop"),
        (Model { weights2: Array2::zeros((2, 1)), ..model() }, "3 frames have a tstart, but 2 a weights2"),
        (
            Model { star_mask: Array2::from_elem((3, 3), true), ..model() },
            "the star mask has 3 x 3 pixels, not 3 x 4",
        ),
        (Model { background_pixels: vec![(0, 4)], ..model() }, "pixel (0, 4) is outside of the science area"),
        (Model { input_files: vec!["a".repeat(2881)], ..model() }, &long),
        (
            Model { scatter: vec![1.0, f64::NAN, -1.5], ..model() },
            "a frame has a scatter of -1.5 electrons/s, which cannot be negative",
        ),
        (Model { tstart: vec![2.0, 1.0, 3.0], ..model() }, "the frames are not sorted by tstart"),
        (
            Model { tstart: vec![2.0, f64::NAN, 1.0], quality: vec![0, UNREADABLE, 0], ..model() },
            "the frames are not sorted by tstart",
        ),
    ];
    for (model, reason) in wrong {
        let error = model.save(&path, Format::Fits, false).unwrap_err().to_string();
        assert_eq!(error, format!("never-written: no model to save: {reason}"));
        assert!(!path.exists());
    }
}

#[test]
fn an_existing_file_is_replaced_only_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.fits");
    Model::check_output(&path, false).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    empty().save(&path, Format::Fits, false).unwrap();
    let expected = format!("{}: exists already; use --overwrite to replace it", path.display());
    assert_eq!(Model::check_output(&path, false).unwrap_err().to_string(), expected);
    assert_eq!(model().save(&path, Format::Npz, false).unwrap_err().to_string(), expected);
    assert_eq!(content(&Model::load(&path).unwrap()), content(&empty()));
    model().save(&path, Format::Npz, true).unwrap();
    assert_eq!(content(&Model::load(&path).unwrap()), content(&model()));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_place_where_no_file_can_be_is_refused_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let error = Model::check_output(&missing.join("model.fits"), true).unwrap_err().to_string();
    assert_eq!(error, format!("{}: no such directory", missing.display()));
    for no_file in [dir.path(), Path::new("/dev/full"), Path::new("..")] {
        let error = Model::check_output(no_file, true).unwrap_err().to_string();
        assert_eq!(error, format!("{}: not a file that can be replaced", no_file.display()));
    }
}
