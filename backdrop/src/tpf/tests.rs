//! Corrections by a model whose background is known in closed form.

use std::path::{Path, PathBuf};

use array_api::Cpu;
use ndarray::{Array2, Array3};

use super::handmade::{CORNER, Made, measured};
use super::*;
use crate::error::{Error, Result};
use crate::file::Model;
use crate::fits::Reader;

const TARGET: Target = Target { sector: 12, camera: 1, ccd: 3 };
/// Days from one frame to the next.
const FRAME: f64 = 0.125;

/// Four frames from BTJD 1000 on; the third was not fitted. The background is
/// `10^2 + frame + x + 10 y` in electrons/s.
fn model() -> Model {
    let weights1 = Array2::from_shape_fn((4, 1), |(frame, _)| if frame == 2 { f64::NAN } else { 2.0 });
    let weights2 = Array2::from_shape_fn((4, 4), |(frame, weight)| match weight {
        _ if frame == 2 => f64::NAN,
        0 => frame as f64,
        1 => 1.0,
        2 => 10.0,
        _ => 0.0,
    });
    Model {
        target: TARGET,
        shape: (2048, 2048),
        preset: "test".into(),
        design1: "cartesian(1) ~ 2 +- 100".into(),
        design2: "cartesian(2) ~ 0 +- 200".into(),
        strap_npoly: 2,
        nknots: 50,
        seed: 0,
        quality_bitmask: 63,
        average_bitmask: 6911,
        software: "backdrop 0.1.0".into(),
        backend: "CPU".into(),
        tstart: (0..4).map(|frame| 1000.0 + FRAME * f64::from(frame)).collect(),
        tstop: (1..5).map(|frame| 1000.0 + FRAME * f64::from(frame)).collect(),
        quality: vec![0, 0, 32, 0],
        weights1,
        weights2,
        jitter: Array2::zeros((4, 0)),
        background: Array2::zeros((4, 0)),
        average_frame: Array2::zeros((2048, 2048)),
        jitter_pixels: vec![],
        background_pixels: vec![],
        scatter: vec![1.0; 4],
        asteroids: String::new(),
        input_files: vec![],
        star_mask: Array2::from_elem((2048, 2048), true),
        saturation_mask: Array2::from_elem((2048, 2048), true),
    }
}

/// What [`model`] says of a pixel; the boresight corner of CCD 3 is at row 2048, column 2048.
fn light(frame: usize, row: i64, column: i64) -> f64 {
    let coordinate = |pixel: i64| (pixel as f64 - 2048.0) / 2048.0;
    100.0 + frame as f64 + coordinate(column) + 10.0 * coordinate(row)
}

/// The middles of fifteen cadences in each of the four frames, as 2-minute ones in half-hours.
fn fast() -> Vec<f64> {
    (0..60).map(|cadence| 1000.0 + FRAME * (f64::from(cadence) + 0.5) / 15.0).collect()
}

fn corrected(tpf: &TargetPixelFile) -> Result<Corrected> {
    correct(&Cpu::new(), tpf, &model(), CorrectOptions::default(), None)
}

#[test]
fn everything_that_is_used_is_read() {
    let tpf = Made::spoc(&[1000.0, f64::NAN]).open().unwrap();
    assert_eq!((tpf.target, tpf.corner, tpf.shape()), (TARGET, Some(CORNER), (2, 2, 3)));
    assert_eq!(tpf.time[0] - tpf.time_correction[0], 1000.0);
    assert!(tpf.time[1].is_nan());
    assert_eq!(tpf.quality, [0, 1]);
    // Pixels of a row stand next to one another.
    assert_eq!(tpf.flux[(1, 1, 2)], measured(1, 5) - 7.0);
    assert_eq!(tpf.flux_error[(0, 0, 0)], 3.0);
    assert_eq!(tpf.background.as_ref().unwrap()[(1, 0, 1)], 7.0);
    assert!(tpf.background_subtracted);
    assert_eq!(tpf.aperture.unwrap(), ndarray::arr2(&[[1, 3, 1], [1, 1, 0]]));
}

#[test]
fn each_short_cadence_gets_the_background_of_its_frame() {
    let corrected = corrected(&Made::spoc(&fast()).open().unwrap()).unwrap();
    assert_eq!((corrected.corrected, corrected.unmatched, corrected.unfitted), (45, 0, 15));
    for ((cadence, row, column), &flux) in corrected.flux.indexed_iter() {
        let frame = cadence / 15;
        assert_eq!(corrected.frames[cadence], Some(frame));
        if frame == 2 {
            assert!(flux.is_nan() && corrected.background[(cadence, row, column)].is_nan());
            continue;
        }
        // What the pipeline had taken off is put back.
        let light = light(frame, CORNER.0 + row as i64, CORNER.1 + column as i64);
        let expected = f64::from(measured(cadence, 3 * row + column)) - light;
        // A rounding in single precision is 1.5e-5 at 400, and the neighbours' light differs by
        // 5e-4 along columns, which a test in double precision would not confuse either.
        assert!((f64::from(flux) - expected).abs() < 2e-5, "{cadence} {row} {column}: {flux} {expected}");
        assert!((f64::from(corrected.background[(cadence, row, column)]) - light).abs() < 5e-6);
    }
}

#[test]
fn times_in_no_frame_have_no_flux() {
    // Before, at the two ends, between two frames (their middles are closer to their own frame),
    // after, and none.
    let end = 1000.0 + 4.0 * FRAME;
    let times = [999.999, 1000.0, end, 1000.0 + 0.99 * FRAME, 1000.0 + 1.01 * FRAME, end + 0.001, f64::NAN];
    let corrected = corrected(&Made::spoc(&times).open().unwrap()).unwrap();
    assert_eq!(corrected.frames, [None, Some(0), Some(3), Some(0), Some(1), None, None]);
    assert_eq!((corrected.corrected, corrected.unmatched, corrected.unfitted), (4, 3, 0));
    assert!(corrected.flux.index_axis(ndarray::Axis(0), 0).iter().all(|flux| flux.is_nan()));

    let tpf = Made::spoc(&[990.0, 991.0]).open().unwrap();
    let message = super::correct(&Cpu::new(), &tpf, &model(), CorrectOptions::default(), None);
    let message = message.unwrap_err().to_string();
    let expected = "none of its times (BTJD 990.0039 to 991.0039) is within a frame of the model \
                    (BTJD 1000.0000 to 1000.5000)";
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn a_file_without_time_corrections_has_times_at_the_spacecraft() {
    let mut made = Made::spoc(&[1000.0]);
    made.without_column("TIMECORR");
    // Later by the correction that nobody takes off.
    assert_eq!(made.open().unwrap().time_correction, [0.0]);
}

#[test]
fn pixels_beyond_what_was_fitted_have_no_flux() {
    let mut made = Made::spoc(&[1000.01]);
    made.cards.clear();
    made.place(5, (-1, 2046));
    let tpf = made.open().unwrap();
    assert_eq!(tpf.corner, Some((-1, 2046)));
    let corrected_flux = corrected(&tpf).unwrap();
    assert_eq!(corrected_flux.pixels_outside, 4);
    let finite = corrected_flux.flux.index_axis(ndarray::Axis(0), 0).mapv(f32::is_finite);
    // Row -1 and column 2048 are outside.
    assert_eq!(finite, ndarray::arr2(&[[false, false, false], [true, true, false]]));

    let mut small = model();
    small.shape = (101, 201);
    let tpf = Made::spoc(&[1000.01]).open().unwrap();
    let result = correct(&Cpu::new(), &tpf, &small, CorrectOptions::default(), None).unwrap();
    assert_eq!(result.pixels_outside, 5);
    small.shape = (100, 2048);
    let message =
        correct(&Cpu::new(), &tpf, &small, CorrectOptions::default(), None).unwrap_err().to_string();
    let expected = "its pixels, from row 100 and column 200 on, are outside of the 100 x 2048 pixels \
                    that the model was fitted to";
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn the_average_frame_is_subtracted_if_asked() {
    let tpf = Made::spoc(&[1000.01]).open().unwrap();
    let options = CorrectOptions { average: true };
    let mut model = model();
    let message = correct(&Cpu::new(), &tpf, &model, options, None).unwrap_err().to_string();
    assert!(message.ends_with("the model has no average frame to subtract"), "{message}");

    model.average_frame =
        Array2::from_shape_fn((2048, 2048), |(row, column)| (row * 4096 + column) as f64 / 64.0);
    let with = correct(&Cpu::new(), &tpf, &model, options, None).unwrap();
    let expected = f64::from(measured(0, 5)) - light(0, 101, 202) - (101.0 * 4096.0 + 202.0) / 64.0;
    // 6000 electrons/s with 24 bits.
    assert!((f64::from(with.flux[(0, 1, 2)]) - expected).abs() < 5e-4);
    let sum = with.flux[(0, 1, 2)] + with.background[(0, 1, 2)];
    assert!((sum - measured(0, 5)).abs() < 1e-3, "{sum}");
    assert!(LightCurve::new(&tpf, &with, 3.0).is_err());
}

#[test]
fn sigma_is_added_in_quadrature_frame_by_frame_and_pixel_by_pixel() {
    let tpf = Made::spoc(&fast()).open().unwrap();
    let sigma = |frames: &[usize], rows: &[usize], columns: &[usize]| {
        assert_eq!((rows, columns), (&[100, 101][..], &[200, 201, 202][..]));
        Ok(Array3::from_shape_fn((frames.len(), rows.len(), columns.len()), |(frame, row, column)| {
            (frames[frame] + rows[row] + columns[column]) as f64
        }))
    };
    let corrected = correct(&Cpu::new(), &tpf, &model(), CorrectOptions::default(), Some(&sigma)).unwrap();
    let error = corrected.flux_error[(50, 1, 2)];
    assert!((error - 3.0_f32.hypot(3.0 + 101.0 + 202.0)).abs() < 1e-3, "{error}");
    // Nothing was subtracted there.
    assert_eq!(corrected.flux_error[(30, 1, 2)], 3.0);
}

#[test]
fn data_of_another_target_are_refused_by_both_names() {
    let mut made = Made::spoc(&[1000.0]);
    made.primary = made.primary.set("CCD", 4);
    let error = corrected(&made.open().unwrap()).unwrap_err();
    assert!(matches!(error, Error::WrongTarget { model: TARGET, data: Target { ccd: 4, .. } }), "{error}");
}

#[test]
fn the_place_may_be_said_for_other_columns_but_not_differently() {
    let mut made = Made::spoc(&[1000.0]);
    made.cards.clear();
    assert_eq!(made.open().unwrap().corner, None);
    let message = corrected(&made.open().unwrap()).unwrap_err().to_string();
    assert!(message.contains("it does not say where its pixels are (1CRV5P, 2CRV5P)"), "{message}");
    made.place(4, CORNER);
    assert_eq!(made.open().unwrap().corner, Some(CORNER));
    made.place(6, CORNER);
    assert_eq!(made.open().unwrap().corner, Some(CORNER));
    made.place(7, (CORNER.0, CORNER.1 + 1));
    assert!(made.refusal().ends_with("1CRV6P, 2CRV6P and 1CRV7P, 2CRV7P contradict one another"));

    // The reference pixel need not be the first one.
    let mut made = Made::spoc(&[1000.0]);
    made.without_card("2CRP5P").card("2CRP5P", 3);
    assert_eq!(made.open().unwrap().corner, Some((CORNER.0 - 2, CORNER.1)));
    made.without_card("2CRP5P").card("2CRP5P", 1.5);
    assert!(made.refusal().ends_with("2CRV5P = 101 is no position on a CCD"));
}

#[test]
fn files_of_another_form_are_refused_with_the_reason() {
    let refusal = |change: &dyn Fn(&mut Made)| {
        let mut made = Made::spoc(&[1000.0]);
        change(&mut made);
        made.refusal()
    };
    let not = |reason: &str| format!("not a target pixel file: {reason}");
    for name in ["TIME", "FLUX", "FLUX_ERR", "QUALITY"] {
        let reason = format!("its table has no column {name}, or several");
        assert_eq!(
            refusal(&|made| {
                made.without_column(name);
            }),
            not(&reason)
        );
    }
    let twice = refusal(&|made| made.columns.push(made.columns[4].clone()));
    assert_eq!(twice, not("its table has no column FLUX, or several"));
    assert_eq!(refusal(&|made| made.columns[4].2 = ""), not("column FLUX does not hold images (TDIM)"));
    let turned = refusal(&|made| made.columns[5].2 = "'(2,3)'");
    assert_eq!(turned, not("column FLUX_ERR holds images of 3 x 2 pixels, FLUX of 2 x 3"));
    let large = refusal(&|made| made.columns[4].2 = "'(3,3)'");
    assert!(large.starts_with("cannot find the shape of column FLUX of HDU 1: "), "{large}");
    let whole = refusal(&|made| made.columns[4].1 = "6J".into());
    assert_eq!(whole, "HDU 1: column FLUX does not hold real numbers");
    let heap = refusal(&|made| {
        made.card("THEAP", 100);
    });
    assert_eq!(heap, not("its table has arrays of variable length"));
    let word = refusal(&|made| {
        made.card("THEAP", "'1QD'");
    });
    assert_eq!(word, heap);
    assert_eq!(
        refusal(&|made| made.primary = made.primary.clone().set("CAMERA", 5)),
        not("there is no sector 12, camera 5, CCD 3")
    );
    assert_eq!(
        refusal(&|made| made.primary = made.primary.clone().without("SECTOR")),
        "HDU 1 has no usable keyword SECTOR"
    );
    assert!(refusal(&|made| made.columns[4].1 = "PE(6)".into()).contains("HDU 1"));
}

#[test]
fn damaged_files_are_refused_and_nothing_else_happens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tpf.fits");
    let whole = Made::spoc(&fast()).bytes();
    std::fs::write(&path, &whole).unwrap();
    TargetPixelFile::open(&path).unwrap();
    for length in (0..whole.len()).step_by(997) {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(TargetPixelFile::open(&path).is_err(), "{length} bytes");
    }
    // Anything may stand in the headers: an error or a file, but no crash.
    for position in (0..3 * 2880).step_by(29) {
        for byte in [b'9', b'-', b' ', b'E', 0xff] {
            let mut damaged = whole.clone();
            damaged[position] = byte;
            std::fs::write(&path, &damaged).unwrap();
            let _ = TargetPixelFile::open(&path);
        }
    }
    std::fs::write(&path, "no FITS").unwrap();
    let message = TargetPixelFile::open(&path).unwrap_err().to_string();
    assert!(message.ends_with("not a target pixel file: it is not FITS"), "{message}");
}

fn save(made: &Made) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("corrected.fits");
    let tpf = made.open().unwrap();
    corrected(&tpf).unwrap().save(&tpf, "model.fits", &path, false).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (dir, path, bytes)
}

fn column(file: &mut Reader, name: &str) -> Vec<f32> {
    file.arrays(name).unwrap().1
}

#[test]
fn the_saved_file_has_other_fluxes_and_the_rest_as_it_was() {
    let made = Made::spoc(&fast());
    let (_dir, path, bytes) = save(&made);
    let expected = corrected(&made.open().unwrap()).unwrap();
    let original = made.bytes();
    let mut before = Reader::open_bytes(Path::new("before"), &original).unwrap();
    let mut after = Reader::open_bytes(Path::new("after"), &bytes).unwrap();
    assert_eq!(after.hdus(), 3);
    before.select(1).unwrap();
    after.select(1).unwrap();
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&column(&mut after, "FLUX")), bits(expected.flux.as_slice().unwrap()));
    assert_eq!(bits(&column(&mut after, "FLUX_BKG")), bits(expected.background.as_slice().unwrap()));
    for name in ["FLUX_ERR", "RAW_CNTS"] {
        assert_eq!(column(&mut after, name), column(&mut before, name));
    }
    assert_eq!(after.numbers::<f64>("TIME").unwrap(), before.numbers::<f64>("TIME").unwrap());
    assert_eq!(after.flag("BACKAPP"), Some(true));
    assert_eq!(after.text("BKGMODEL").as_deref(), Some("model.fits"));
    // The aperture, header and pixels, is the last two blocks of both.
    assert_eq!(bytes[bytes.len() - 5760..], original[original.len() - 5760..]);
    let header = String::from_utf8_lossy(&bytes[..5760]).into_owned();
    assert!(header.contains("HISTORY Model: model.fits (made by backdrop 0.1.0)"));
    assert!(header.contains("HISTORY 45 of 60 cadences corrected; the others are NaN:"));
    assert!(header.contains("HISTORY 0 in no frame of the model, 15 in frames that were not fitted"));

    let again = corrected(&TargetPixelFile::open(&path).unwrap()).unwrap_err().to_string();
    assert!(again.contains("its background was subtracted already, with the model model.fits"), "{again}");
}

#[test]
fn a_flux_that_is_not_a_second_is_refused() {
    let mut tpf = Made::spoc(&fast()).open().unwrap();
    tpf.unit = Some("e-".into());
    let message = corrected(&tpf).unwrap_err().to_string();
    assert!(message.contains("its flux is in e-, the model in electrons/s"), "{message}");
    tpf.unit = Some("e-/s".into());
    corrected(&tpf).unwrap();
}

#[test]
fn a_missing_background_column_is_added() {
    let mut made = Made::spoc(&fast());
    made.without_column("FLUX_BKG");
    let (_dir, _, bytes) = save(&made);
    let mut after = Reader::open_bytes(Path::new("after"), &bytes).unwrap();
    after.select(1).unwrap();
    let (shape, background) = after.arrays("FLUX_BKG").unwrap();
    assert_eq!(shape, [2, 3]);
    assert!((f64::from(background[0]) - light(0, 100, 200)).abs() < 5e-6);
    assert_eq!(after.text("TUNIT7").as_deref(), Some("e-/s"));
    assert_eq!(after.numbers::<f64>("TIME").unwrap().len(), 60);
    // Nothing was known to be subtracted before.
    let flux = column(&mut after, "FLUX");
    assert!((f64::from(flux[0]) - (493.0 - light(0, 100, 200))).abs() < 2e-5);
    after.select(2).unwrap();
    assert_eq!(after.text("EXTNAME").as_deref(), Some("APERTURE"));
}

#[test]
fn a_background_that_was_not_subtracted_is_not_put_back() {
    let mut made = Made::spoc(&[1000.01]);
    made.without_card("BACKAPP").card("BACKAPP", 0);
    let corrected = corrected(&made.open().unwrap()).unwrap();
    assert!((f64::from(corrected.flux[(0, 0, 0)]) - (493.0 - light(0, 100, 200))).abs() < 2e-5);
}

#[test]
fn a_light_curve_is_detrended_against_the_components_of_its_frames() {
    // One cadence a frame, and a component that jumps with the frames.
    let times: Vec<f64> = (0..12).map(|frame| 1000.0 + FRAME * (f64::from(frame) + 0.5)).collect();
    let tpf = Made::spoc(&times).open().unwrap();
    let mut model = model();
    let frames = 12;
    let edge = |frame: usize| 1000.0 + FRAME * frame as f64;
    model.tstart = (0..frames).map(edge).collect();
    model.tstop = (1..=frames).map(edge).collect();
    model.quality = vec![0; frames];
    model.weights1 = Array2::from_elem((frames, 1), 2.0);
    model.weights2 = Array2::zeros((frames, 4));
    model.background = Array2::zeros((frames, 0));
    model.jitter = Array2::zeros((frames, 0));
    let corrected = correct(&Cpu::new(), &tpf, &model, CorrectOptions::default(), None).unwrap();
    let mut curve = LightCurve::new(&tpf, &corrected, 0.0).unwrap();
    let message = curve.detrend(&Cpu::new(), &corrected, &model).unwrap_err().to_string();
    assert_eq!(message, "the model has no jitter or background components to detrend against");

    // The flux of each pixel grows by 10 from cadence to cadence, as does the component.
    model.jitter = Array2::from_shape_fn((frames, 1), |(frame, _)| frame as f64);
    curve.detrend(&Cpu::new(), &corrected, &model).unwrap();
    let detrended = curve.detrended.as_ref().unwrap();
    let mean = curve.flux.iter().sum::<f64>() / 12.0;
    let pixels = curve.aperture.iter().filter(|&&taken| taken).count() as f64;
    for (cadence, flux) in detrended.iter().enumerate() {
        // All but the part 1 - 1 / 1.001 of the slope is taken off.
        let rest = 10.0 * pixels * (cadence as f64 - 5.5) * (1.0 - 1.0 / 1.001);
        assert!((flux - mean - rest).abs() < 1e-6 * mean, "{cadence}: {flux} {mean} {rest}");
    }
    model.background = Array2::zeros((frames, 11));
    let message = curve.detrend(&Cpu::new(), &corrected, &model).unwrap_err().to_string();
    assert_eq!(message, "12 cadences with a flux are too few to detrend against 12 components");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lc.fits");
    curve.save(&tpf, "model.fits", &path, false).unwrap();
    let mut file = Reader::open(&path).unwrap();
    assert_eq!(file.number::<u64>("TICID"), Some(25_155_310));
    file.select(1).unwrap();
    assert_eq!(file.numbers::<f64>("DETRENDED").unwrap(), *curve.detrended.as_ref().unwrap());
    assert_eq!(file.numbers::<f64>("FLUX").unwrap(), curve.flux);
    assert_eq!(file.numbers::<f64>("RAW_FLUX").unwrap(), curve.raw_flux);
    file.select(2).unwrap();
    assert_eq!(file.number::<f64>("CRVAL1P"), Some(245.0));
    assert_eq!(file.number::<f64>("CRVAL2P"), Some(101.0));
}
