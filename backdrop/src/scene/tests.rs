//! Scenes of made-up frames: a known background and series of pixels that are known, too.

use array_api::Cpu;
use ndarray::{Array1, Array2, Array3, s};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::fits::{Checksum, Reader};
use crate::progress::Silent;
use crate::source::{FrameInfo, MemorySource, Target};

const TARGET: Target = Target { sector: 7, camera: 2, ccd: 3 };
const ROWS: usize = 7;
/// More than a block, and no whole number of them.
const COLUMNS: usize = 300;

/// A model with two jitter components and one background component whose background is known.
fn model(times: &[f64]) -> Model {
    let frames = times.len();
    let wave = |frequency: f64, phase: f64| times.iter().map(move |t| (frequency * t + phase).sin());
    let mut jitter = Array2::zeros((frames, 2));
    jitter.column_mut(0).assign(&wave(9.0, 0.3).collect::<Array1<f64>>());
    jitter.column_mut(1).assign(&wave(23.0, 1.1).map(|wave| 40.0 + 0.1 * wave).collect::<Array1<f64>>());
    let background = Array2::from_shape_vec((frames, 1), wave(5.0, 2.0).collect()).unwrap();
    Model {
        target: TARGET,
        shape: (ROWS, COLUMNS),
        preset: "custom".into(),
        design1: "cartesian(1) ~ 2 +- 100".into(),
        design2: "cartesian(2) ~ 0 +- 200".into(),
        strap_npoly: 0,
        nknots: 0,
        seed: 0,
        quality_bitmask: 63,
        average_bitmask: 6911,
        software: "backdrop 0.1.0".into(),
        backend: String::new(),
        tstart: times.to_vec(),
        tstop: times.iter().map(|time| time + 0.02).collect(),
        quality: vec![0; frames],
        weights1: Array2::from_shape_fn((frames, 1), |(frame, _)| 2.0 + 0.01 * (frame % 9) as f64),
        weights2: Array2::from_shape_fn((frames, 4), |(frame, j)| ((frame + j) % 5) as f64),
        jitter,
        background,
        average_frame: Array2::zeros((ROWS, COLUMNS)),
        jitter_pixels: Vec::new(),
        background_pixels: Vec::new(),
        scatter: vec![f64::NAN; frames],
        asteroids: String::new(),
        input_files: Vec::new(),
        star_mask: Array2::from_elem((ROWS, COLUMNS), true),
        saturation_mask: Array2::from_elem((ROWS, COLUMNS), true),
    }
}

/// Times of frames 30 minutes apart.
fn times(first: f64, count: usize) -> Vec<f64> {
    (0..count).map(|frame| first + frame as f64 / 48.0).collect()
}

/// Noise of some hundred electrons/s, of shape (frames, rows, columns).
fn noise(frames: usize) -> Array3<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    Array3::from_shape_simple_fn((frames, ROWS, COLUMNS), || rng.random_range(0.0_f32..600.0))
}

/// Frames that are the model's background with `stars` on top.
fn source(model: &Model, stars: &Array3<f32>) -> MemorySource {
    let (rows, columns): (Vec<_>, Vec<_>) = ((0..ROWS).collect(), (0..COLUMNS).collect());
    let frames = (0..model.tstart.len()).map(|frame| {
        let background = model.evaluate(&Cpu::new(), &[frame], &rows, &columns).unwrap();
        let pixels = background.iter().zip(stars.index_axis(Axis(0), frame));
        let pixels = pixels.map(|(background, stars)| (background + f64::from(*stars)) as f32).collect();
        let (tstart, tstop) = (model.tstart[frame], model.tstop[frame]);
        (FrameInfo { name: format!("frame {frame}"), tstart, tstop, quality: 0 }, pixels)
    });
    MemorySource::new(TARGET, (ROWS, COLUMNS), frames.collect()).unwrap()
}

/// A scene in a directory that is there for as long as it is.
fn scene_of(
    model: &Model,
    source: &MemorySource,
    options: &SceneOptions,
) -> (Scene, SceneReport, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file_name(TARGET));
    let report = fit(&Cpu::new(), source, model, options, &path, false, &Silent).unwrap();
    (Scene::load(&path).unwrap(), report, dir)
}

fn everything(scene: &Scene) -> Array3<f64> {
    let (rows, columns): (Vec<_>, Vec<_>) = ((0..ROWS).collect(), (0..COLUMNS).collect());
    let frames: Vec<usize> = (0..scene.tstart.len()).collect();
    scene.evaluate(&Cpu::new(), &frames, &rows, &columns).unwrap()
}

/// Least squares by definition, on the columns as they are: 1, t, t^2 and the components, of which
/// the second is a large constant and a small wave.
fn textbook(model: &Model, frames: &[usize], series: &[f64]) -> Vec<f64> {
    let (first, last) = (frames[0], frames[frames.len() - 1]);
    let k = 3 + model.jitter.ncols() + model.background.ncols();
    let row = |frame: usize| -> Vec<f64> {
        let t = 2.0 * (model.tstart[frame] - model.tstart[first])
            / (model.tstart[last] - model.tstart[first])
            - 1.0;
        let components = model
            .jitter
            .row(frame)
            .into_iter()
            .chain(model.background.row(frame).into_iter().collect::<Vec<_>>());
        [1.0, t, t * t].into_iter().chain(components.copied()).collect()
    };
    let x: Vec<Vec<f64>> = frames.iter().map(|&frame| row(frame)).collect();
    // (X^T M X | X^T M f), a value that is not finite having the weight 0.
    let mut a = Array2::<f64>::zeros((k, k + 1));
    for (x, &f) in x.iter().zip(series).filter(|(_, f)| f.is_finite()) {
        for i in 0..k {
            for j in 0..k {
                a[(i, j)] += x[i] * x[j];
            }
            a[(i, k)] += x[i] * f;
        }
    }
    for i in 0..k {
        a[(i, i)] += 1e-16;
    }
    // Gauss-Jordan elimination with partial pivoting.
    for i in 0..k {
        let pivot = (i..k).max_by(|&p, &q| a[(p, i)].abs().total_cmp(&a[(q, i)].abs())).unwrap();
        for j in 0..=k {
            a.swap((i, j), (pivot, j));
        }
        for other in (0..k).filter(|&other| other != i) {
            let share = a[(other, i)] / a[(i, i)];
            for j in i..=k {
                a[(other, j)] -= share * a[(i, j)];
            }
        }
    }
    x.iter().map(|x| (0..k).map(|i| x[i] * a[(i, k)] / a[(i, i)]).sum()).collect()
}

#[test]
fn a_pixel_is_the_least_squares_fit_of_its_own_values_in_each_orbit() {
    let times = [times(100.0, 40), times(102.0, 31)].concat();
    let model = model(&times);
    let mut stars = noise(times.len());
    // Lacking some; lacking the start; only infinities; and a whole column in one frame.
    stars.slice_mut(s![3..30;4, 2, 17]).fill(f32::NAN);
    stars.slice_mut(s![..20, 6, 299]).fill(f32::NAN);
    stars[(50, 0, 0)] = f32::INFINITY;
    stars.slice_mut(s![10, .., 260]).fill(f32::NAN);
    let source = source(&model, &stars);
    let (scene, report, _dir) = scene_of(&model, &source, &SceneOptions::default());
    assert_eq!(report.orbits, [40, 31]);
    assert_eq!((report.components, scene.terms.len()), (6, 6));
    assert_eq!(report.lacking_pixels, [2 + ROWS, 1]);
    assert_eq!(report.unfitted_pixels, [0, 0]);
    let found = everything(&scene);
    for (row, column) in [(0, 0), (2, 17), (6, 299), (3, 260), (0, 255), (4, 256), (5, 120)] {
        for frames in [0..40, 40..71] {
            let series: Vec<f64> =
                stars.slice(s![frames.clone(), row, column]).iter().map(|&value| value.into()).collect();
            let expected = textbook(&model, &frames.clone().collect::<Vec<_>>(), &series);
            for (frame, expected) in frames.zip(expected) {
                let found = found[(frame, row, column)];
                // Flux and weights are f32 numbers of up to 1000, rounded by 3e-5. Where values lack,
                // the fit may go far off, and the rounding of weights with it.
                let scale = 1.0 + expected.abs() / 1000.0;
                assert!(
                    (found - expected).abs() < 5e-4 * scale,
                    "{row} {column} {frame}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn what_the_components_make_of_stars_comes_back() {
    let times = times(100.0, 60);
    let model = model(&times);
    let mut stars = Array3::zeros((60, ROWS, COLUMNS));
    for ((frame, row, column), star) in stars.indexed_iter_mut() {
        let t = frame as f64 / 60.0;
        let brightness = 200.0 + (row * COLUMNS + column) as f64;
        let jitter = 30.0 * model.jitter[(frame, 0)] * (column as f64).cos();
        *star = (brightness * (1.0 + 0.01 * t - 0.02 * t * t) + jitter) as f32;
    }
    let (scene, report, _dir) = scene_of(&model, &source(&model, &stars), &SceneOptions::default());
    assert_eq!(report.orbits, [60]);
    for (found, star) in everything(&scene).iter().zip(&stars) {
        // Roundings of f32 numbers of up to 2500: 1.2e-4 each.
        assert!((found - f64::from(*star)).abs() < 1e-3, "{found} {star}");
    }
    // Residuals that are roundings make no pixel bad.
    assert_eq!(report.bad_pixels, [0]);
}

#[test]
fn a_spline_follows_what_a_parabola_cannot() {
    let times = times(100.0, 200);
    let model = model(&times);
    let stars = Array3::from_shape_fn((200, ROWS, COLUMNS), |(frame, _, _)| {
        1000.0 + 50.0 * (frame as f32 * 0.05).sin()
    });
    let source = source(&model, &stars);
    let worst = |time_terms| {
        let options = SceneOptions { time_terms, ..Default::default() };
        let (scene, report, _dir) = scene_of(&model, &source, &options);
        assert_eq!(scene.time_terms, time_terms);
        let pixel = scene.evaluate(&Cpu::new(), &(0..200).collect::<Vec<_>>(), &[3], &[5]).unwrap();
        let errors = pixel.iter().zip(stars.slice(s![.., 3, 5]));
        (report.components, errors.fold(0.0, |worst: f64, (a, b)| worst.max((a - f64::from(*b)).abs())))
    };
    // Knots 10.5 frames apart: a wave of period 126 frames is met to (2 pi / 12)^3 / 100 or so.
    let (components, error) = worst(TimeTerms::Spline);
    assert_eq!(components, 24);
    assert!(error < 0.1, "{error}");
    let (components, error) = worst(TimeTerms::Quadratic);
    assert_eq!(components, 6);
    assert!(error > 10.0, "{error}");
}

#[test]
fn pixels_with_too_few_values_have_no_weights() {
    let times = times(100.0, 30);
    let model = model(&times);
    let mut stars = noise(30);
    stars.slice_mut(s![.., 1, 2]).fill(f32::NAN);
    stars.slice_mut(s![5.., 1, 3]).fill(f32::NAN);
    stars.slice_mut(s![6.., 1, 4]).fill(f32::NAN);
    let (scene, report, _dir) = scene_of(&model, &source(&model, &stars), &SceneOptions::default());
    assert_eq!((report.lacking_pixels, report.unfitted_pixels), (vec![3], vec![2]));
    assert_eq!(scene.bad_pixels(1, &[1], &[2, 3, 4]).unwrap(), ndarray::array![[UNFITTED, UNFITTED, 0]]);
    let found = everything(&scene);
    for column in [2, 3] {
        assert!(found.slice(s![.., 1, column]).iter().all(|value| value.is_nan()));
    }
    // Six values and six components: each value is met.
    for frame in 0..6 {
        let expected = f64::from(stars[(frame, 1, 4)]);
        assert!((found[(frame, 1, 4)] - expected).abs() < 1e-2 * expected, "{frame}");
    }
    assert_eq!(found.iter().filter(|value| value.is_nan()).count(), 60);
}

#[test]
fn a_single_frame_is_its_own_scene() {
    let mut model = model(&[100.0]);
    model.jitter = Array2::zeros((1, 0));
    model.background = Array2::zeros((1, 0));
    let stars = noise(1);
    let (scene, report, _dir) = scene_of(&model, &source(&model, &stars), &SceneOptions::default());
    assert_eq!((report.orbits, scene.orbits()), (vec![1], 1));
    for (found, star) in everything(&scene).iter().zip(&stars) {
        assert!((found - f64::from(*star)).abs() < 1e-4);
    }
    let beyond = scene.bad_pixels(2, &[0], &[0]).unwrap_err().to_string();
    assert_eq!(beyond, "orbit 2 asked for, but the scene has 1, counted from 1");
}

#[test]
fn no_bit_depends_on_the_tile_or_on_what_else_is_evaluated() {
    let times = [times(100.0, 30), times(102.0, 25)].concat();
    let model = model(&times);
    let mut stars = noise(times.len());
    stars.slice_mut(s![4..9, 1..6, 100..140]).fill(f32::NAN);
    let source = source(&model, &stars);
    let scenes =
        [1, 25, 40, 512].map(|tile| scene_of(&model, &source, &SceneOptions { tile, ..Default::default() }));
    let bits = |flux: &Array3<f64>| flux.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let whole = everything(&scenes[0].0);
    for (scene, report, _) in &scenes[1..] {
        assert_eq!(bits(&everything(scene)), bits(&whole), "tile {}", scene.tile);
        assert_eq!(report.bad_pixels, scenes[0].1.bad_pixels);
    }
    // A window with gaps, in any order of frames.
    let (frames, rows, columns) = ([44, 3, 29, 30], [5, 2], [299, 130, 0]);
    let window = scenes[2].0.evaluate(&Cpu::new(), &frames, &rows, &columns).unwrap();
    for ((i, j, k), value) in window.indexed_iter() {
        assert_eq!(value.to_bits(), whole[(frames[i], rows[j], columns[k])].to_bits());
    }
}

#[test]
fn no_byte_depends_on_the_number_of_threads() {
    let model = model(&times(100.0, 30));
    let mut stars = noise(30);
    stars.slice_mut(s![4..9, 1..6, 100..140]).fill(f32::NAN);
    let source = source(&model, &stars);
    let bytes = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (scene, _, _dir) = pool.install(|| scene_of(&model, &source, &SceneOptions::default()));
        std::fs::read(&scene.path).unwrap()
    });
    assert!(bytes[0] == bytes[1]);
}

#[test]
fn pixels_with_a_transient_are_bad_and_their_neighbours_marked() {
    let model = model(&times(100.0, 100));
    let mut stars = noise(100);
    // Six cadences of 100 are more than 5 %, five are not; one of them in a pixel that lacks some.
    stars.slice_mut(s![40..46, 3, 9]).fill(4000.0);
    stars.slice_mut(s![40..45, 3, 200]).fill(4000.0);
    stars.slice_mut(s![70..76, 0, 299]).fill(4000.0);
    stars.slice_mut(s![..10, 0, 299]).fill(f32::NAN);
    // Below the fit there is nothing to mark.
    stars.slice_mut(s![40..46, 5, 50]).fill(-3400.0);
    let (scene, report, _dir) = scene_of(&model, &source(&model, &stars), &SceneOptions::default());
    assert_eq!(report.bad_pixels, [2]);
    let (rows, columns): (Vec<_>, Vec<_>) = ((0..ROWS).collect(), (0..COLUMNS).collect());
    let mut expected = Array2::zeros((ROWS, COLUMNS));
    for (row, column, mark) in [
        (3, 9, BAD),
        (2, 9, BESIDE_BAD),
        (4, 9, BESIDE_BAD),
        (3, 8, BESIDE_BAD),
        (3, 10, BESIDE_BAD),
        (0, 299, BAD),
        (1, 299, BESIDE_BAD),
        (0, 298, BESIDE_BAD),
    ] {
        expected[(row, column)] = mark;
    }
    assert_eq!(scene.bad_pixels(1, &rows, &columns).unwrap(), expected);
}

#[test]
fn frames_that_the_model_does_not_fit_are_left_out() {
    let mut model = model(&times(100.0, 30));
    let source = source(&model, &noise(30));
    model.weights1.row_mut(4).fill(f64::NAN);
    model.jitter.row_mut(9).fill(f64::NAN);
    let fewer = {
        let keep = [0, 1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13];
        let read = |&frame: &usize| {
            let mut pixels = vec![0.0; ROWS * COLUMNS];
            source.read(frame, &mut pixels).unwrap();
            (source.frames()[frame].clone(), pixels)
        };
        MemorySource::new(TARGET, (ROWS, COLUMNS), keep.iter().map(read).collect()).unwrap()
    };
    let (scene, report, _dir) = scene_of(&model, &fewer, &SceneOptions::default());
    assert_eq!((report.orbits, report.unfitted_frames, report.missing_frames), (vec![10], 2, 18));
    let found = everything(&scene);
    for frame in 0..30 {
        let fitted = [0, 1, 2, 6, 7, 8, 10, 11, 12, 13].contains(&frame);
        assert_eq!(scene.orbit[frame], u8::from(fitted));
        assert_eq!(found.index_axis(Axis(0), frame).iter().any(|value| value.is_nan()), !fitted);
    }
}

#[test]
fn a_component_of_nothing_but_lacking_cadences_does_no_harm() {
    let mut model = model(&times(100.0, 30));
    // A spike, as of a momentum dump. Without frame 12 the columns depend on one another.
    model.jitter.column_mut(0).fill(0.0);
    model.jitter[(12, 0)] = 1.0;
    let mut stars = Array3::zeros((30, ROWS, COLUMNS));
    for ((frame, _, column), star) in stars.indexed_iter_mut() {
        *star = 100.0 + column as f32 + frame as f32;
    }
    stars.slice_mut(s![12, 2, ..]).fill(f32::NAN);
    let (scene, report, _dir) = scene_of(&model, &source(&model, &stars), &SceneOptions::default());
    assert_eq!((report.lacking_pixels, report.unfitted_pixels), (vec![COLUMNS], vec![0]));
    for ((frame, row, column), found) in everything(&scene).indexed_iter() {
        if (frame, row) == (12, 2) {
            // Anything goes that is a number.
            assert!(found.is_finite());
        } else {
            let star = f64::from(stars[(frame, row, column)]);
            // Roundings of f32 numbers of up to 500.
            assert!((found - star).abs() < 1e-3, "{frame} {row} {column}: {found} {star}");
        }
    }
}

/// Cancels after so many steps.
struct Impatient(std::sync::atomic::AtomicUsize);

impl Progress for Impatient {
    fn start(&self, _stage: &str, _total: usize) {}

    fn advance(&self, n: usize) {
        self.0.fetch_sub(n, std::sync::atomic::Ordering::Relaxed);
    }

    fn finish(&self) {}

    fn cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) <= 8
    }
}

#[test]
fn a_cancelled_fit_leaves_no_file() {
    let model = model(&times(100.0, 20));
    let source = source(&model, &noise(20));
    let dir = tempfile::tempdir().unwrap();
    let options = SceneOptions { tile: 1, ..Default::default() };
    // The first band takes 20 steps, and the second 8 before the end.
    let impatient = Impatient(36.into());
    let path = dir.path().join("scene.fits");
    let result = fit(&Cpu::new(), &source, &model, &options, &path, false, &impatient);
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(impatient.0.into_inner(), 8);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_does_not_fit_together_is_refused_and_leaves_no_file() {
    let model = model(&times(100.0, 8));
    let stars = noise(8);
    let frames = source(&model, &stars);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scene.fits");
    let options = SceneOptions::default();
    let refused = |model: &Model, options: &SceneOptions| {
        let error = fit(&Cpu::new(), &frames, model, options, &path, false, &Silent).unwrap_err();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        error.to_string()
    };
    let other = Model { target: Target { ccd: 4, ..TARGET }, ..model.clone() };
    assert!(refused(&other, &options).contains("sector 7, camera 2, CCD 4"));
    let later = super::tests::model(&times(100.0, 7));
    let message = refused(&later, &options);
    assert!(message.starts_with("frame \"frame 7\" (TSTART 100.14583) is not in the model"), "{message}");
    let series = Model { jitter: Array2::zeros((8, 7)), ..model.clone() };
    assert!(refused(&series, &options).contains("8 jitter and background series for 8 fitted frames"));
    let none = Model { weights2: Array2::from_elem((8, 4), f64::NAN), ..model.clone() };
    assert!(refused(&none, &options).starts_with("none of the 8 frames was fitted"));
    assert!(refused(&model, &SceneOptions { tile: 0, ..options.clone() }).contains("--tile"));
    assert!(refused(&model, &SceneOptions { prior_sigma: f64::NAN, ..options.clone() }).contains("NaN"));

    fit(&Cpu::new(), &frames, &model, &options, &path, false, &Silent).unwrap();
    let again = fit(&Cpu::new(), &frames, &model, &options, &path, false, &Silent).unwrap_err();
    assert!(matches!(again, Error::OutputExists { .. }));
    let scene = Scene::load(&path).unwrap();
    assert!(matches!(scene.check_target(other.target), Err(Error::WrongTarget { .. })));
    let beyond = scene.evaluate(&Cpu::new(), &[8], &[0], &[0]).unwrap_err();
    assert_eq!(beyond.to_string(), "frame 8 asked for, but the scene has 8 frames, counted from 0");
    let beyond = scene.evaluate(&Cpu::new(), &[0], &[0], &[COLUMNS]).unwrap_err();
    assert_eq!(beyond.to_string(), "column 300 asked for, but the scene has 300, counted from 0");
}

#[test]
fn the_file_is_as_the_standard_has_it() {
    let model = model(&[times(100.0, 12), times(103.0, 9)].concat());
    let (scene, _, _dir) = scene_of(&model, &source(&model, &noise(21)), &SceneOptions::default());
    let bytes = std::fs::read(&scene.path).unwrap();
    let mut file = Reader::open(&scene.path).unwrap();
    let mut start = 0;
    let mut names = Vec::new();
    for hdu in 0..file.hdus() {
        file.select(hdu).unwrap();
        names.push(file.text("EXTNAME").unwrap());
        file.check_sum().unwrap();
        // With CHECKSUM, the sum over an HDU is zero, which is all ones here.
        let mut sum = Checksum::default();
        sum.add(0, &bytes[start as usize..file.end() as usize]);
        assert_eq!(sum.value(), u32::MAX, "{}", names[hdu]);
        start = file.end();
    }
    assert_eq!(start, bytes.len() as u64);
    assert_eq!(names, ["PRIMARY", "ORBIT1", "ORBIT2", "BADPIX1", "BADPIX2", "TIME", "DESIGN", "TERMS"]);
    assert_eq!(scene.terms, ["1", "t", "t^2", "jitter 1", "jitter 2", "background 1"]);
    assert_eq!(
        (scene.target, scene.shape, scene.prior_sigma, scene.tile),
        (TARGET, (ROWS, COLUMNS), 1e8, 512)
    );
    assert_eq!(scene.software, concat!("backdrop ", env!("CARGO_PKG_VERSION")));
    // What the comments in the header say.
    let weights = scene.weights(1, &[3], &[8]).unwrap();
    let sum: f64 = weights.iter().zip(scene.design.row(15)).map(|(w, x)| f64::from(*w) * x).sum();
    let found = scene.evaluate(&Cpu::new(), &[15], &[3], &[8]).unwrap();
    // The order of six additions.
    assert!((found[(0, 0, 0)] - sum).abs() < 1e-9);
}

#[test]
fn other_files_are_no_scenes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.fits");
    model(&times(100.0, 3)).save(&path, crate::file::Format::Fits, false).unwrap();
    let error = Scene::load(&path).unwrap_err().to_string();
    assert!(error.ends_with("not a saved star scene: it has no ORBIT1"), "{error}");
    let path = dir.path().join("text");
    std::fs::write(&path, "no FITS").unwrap();
    assert!(matches!(Scene::load(&path), Err(Error::NotAScene { .. })));
}
