//! What the CUDA backend costs and how it fails: launches, copies and waits of a fit as the
//! emulator's meter counts them, memory given back, and the errors that only a device has.
//!
//! Without a CUDA device the tests say so and pass, unless `CONFORMANCE_REQUIRE` names `cuda`. What
//! only the emulator can tell is not asked of a real device.

use std::sync::{Mutex, MutexGuard, PoisonError};

use array_api::backend::Storage;
use array_api::ops::Unary;
use array_api::{Array, Csr, Cuda, Error, linalg, s};
use backdrop::design::{DesignMatrix, Preset};
use backdrop::fit::{FitOptions, FrameFitter, fit};
use backdrop::geometry::Window;
use backdrop::progress::Silent;
use backdrop::simulate::{Simulation, SimulationSettings};
use cuda_emulator::client::{Emulator, Meter};
use ndarray::Array2;

/// The device, for one test at a time: the meter counts for all.
fn device() -> Option<(Cuda, MutexGuard<'static, ()>)> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match Cuda::new(0) {
        Ok(cuda) => Some((cuda, guard)),
        Err(error) => {
            let required = std::env::var("CONFORMANCE_REQUIRE").unwrap_or_default();
            assert!(!required.split(',').any(|name| name.trim() == "cuda"), "{error}");
            println!("not run: {error}");
            None
        }
    }
}

/// The device and the emulator that it is.
fn emulated() -> Option<(Cuda, Emulator, MutexGuard<'static, ()>)> {
    let (cuda, guard) = device()?;
    let emulator = Emulator::find();
    if emulator.is_none() {
        println!("not run: a real device has no meter");
    }
    Some((cuda, emulator?, guard))
}

const SIZE: usize = 96;

fn fitter(cuda: &Cuda) -> FrameFitter<Cuda> {
    let window = Window::new(1, (0..SIZE).collect(), (0..SIZE).collect()).unwrap();
    let preset = Preset::default();
    let (design1, design2) = (preset.design1(), preset.design2(8));
    let matrices = DesignMatrix::several(cuda, [&design1, &design2], &window).unwrap();
    let mut fitter = FrameFitter::new(cuda, matrices, &Array2::from_elem((SIZE, SIZE), true)).unwrap();
    fitter.set_average(&Array2::from_elem((SIZE, SIZE), 20.0)).unwrap();
    fitter
}

/// Pixels whose residuals are wanted: of stars, with gaps, one twice.
const SAMPLES: [(usize, usize); 5] = [(0, 0), (3, 40), (3, 40), (20, 7), (47, 47)];

/// What a batch of so many frames costs, from the host's pixels to the host's numbers, and how many
/// these are.
fn cost(cuda: &Cuda, emulator: &Emulator, fitter: &FrameFitter<Cuda>, frames: usize) -> (Meter, usize) {
    let pixels: Vec<f32> = (0..frames * SIZE * SIZE).map(|i| 100.0 + (i % 17) as f32).collect();
    emulator.reset_meter();
    let images = Array::from_vec(cuda, pixels, &[frames, SIZE, SIZE]).unwrap();
    let fitted = fitter.fit(&images).unwrap();
    (emulator.meter(), fitted.weights1.len() + fitted.weights2.len() + fitted.residuals.len())
}

/// Holds batches to their cost, with so many `arrays` that come down: the number of launches.
fn hold_to_cost(cuda: &Cuda, emulator: &Emulator, fitter: &FrameFitter<Cuda>, arrays: u64) -> u64 {
    // The first batch compiles kernels and finds out which indices are in range.
    cost(cuda, emulator, fitter, 1);
    let mut of_one = None;
    for frames in [2, 5, 16] {
        let (meter, numbers) = cost(cuda, emulator, fitter, frames);
        assert_eq!(meter.up.bytes, (frames * SIZE * SIZE * size_of::<f32>()) as u64, "{frames} frames");
        assert_eq!(meter.up.copies, 1);
        // The numbers, and for each frame the count of pixels that were not positive, and whether its smooth light was
        // summed up without going through the pixels.
        let bytes = (numbers + frames) * size_of::<f64>() + frames * size_of::<bool>();
        assert_eq!(meter.down.bytes, bytes as u64, "{frames} frames");
        assert_eq!((meter.down.copies, meter.synchronisations), (arrays + 2, arrays + 2));
        // A single frame takes fewer: views of a batch with one entry have no gaps.
        let launches = (meter.launches, meter.library_calls.clone(), meter.fills.copies, meter.allocations);
        let expected = of_one.get_or_insert_with(|| launches.clone());
        assert_eq!(*expected, launches, "the number of launches depends on the number of frames");
    }
    assert_eq!(emulator.take_faults(), []);
    of_one.map_or(0, |(launches, ..)| launches)
}

#[test]
fn a_batch_brings_each_pixel_up_once_and_only_weights_down() {
    let Some((cuda, emulator, _guard)) = emulated() else { return };
    let mut fitter = fitter(&cuda);
    // Both sets of weights.
    let launches = hold_to_cost(&cuda, &emulator, &fitter, 2);
    fitter.set_samples(&SAMPLES).unwrap();
    // The residuals of some pixels as well. They take few launches: pixels are taken out of the frames
    // and of the average frame, and two products with rows of the designs are subtracted.
    let with_samples = hold_to_cost(&cuda, &emulator, &fitter, 3);
    assert!(
        (launches + 1..=launches + 20).contains(&with_samples),
        "{with_samples} launches, not {launches}"
    );
}

#[test]
fn partial_results_of_a_gram_matrix_stay_within_their_room() {
    let Some((cuda, emulator, _guard)) = emulated() else { return };
    // Rows as of changed pixels, with fourteen entries in each: ten chunks of 64 rows, where 256 MiB have
    // room for eight.
    let (rows, columns, entries) = (640, 2000, 14);
    let indices = (0..rows * entries).map(|i| (i * 997 % columns) as i32).collect();
    let indptr = (0..=rows).map(|row| (row * entries) as i32).collect();
    let a = Csr::new(&cuda, [rows, columns], indptr, indices, vec![1.0; rows * entries]).unwrap();
    let weights = Array::ones(&cuda, &[rows]).unwrap();
    // The first one compiles kernels.
    drop(a.weighted_gram(&weights).unwrap());
    cuda.synchronize().unwrap();
    emulator.reset_meter();
    let before = emulator.meter().memory_now;
    let gram = a.weighted_gram(&weights).unwrap();
    let matrix = (columns * columns * size_of::<f64>()) as u64;
    let meter = emulator.meter();
    assert_eq!((meter.launches, meter.up.copies, meter.down.copies, meter.synchronisations), (2, 0, 0, 0));
    cuda.synchronize().unwrap();
    // Eight partial results, and the sum of them; all begin with zeros.
    assert_eq!((emulator.meter().memory_peak - before, meter.fills.bytes), (9 * matrix, 9 * matrix));
    // Each entry is multiplied with all of its row.
    let sum = gram.sum().unwrap().item().unwrap();
    assert_eq!(sum, (rows * entries * entries) as f64);
    assert_eq!(emulator.take_faults(), []);
}

#[test]
fn a_frames_weights_and_residuals_have_the_same_bits_in_any_batch() {
    let Some((cuda, _guard)) = device() else { return };
    // Rows for several partial sums.
    let (rows, columns, frames) = (200, 40, 10);
    let window = Window::new(1, (0..rows).collect(), (0..columns).collect()).unwrap();
    let preset = Preset::default();
    let (design1, design2) = (preset.design1(), preset.design2(8));
    let matrices = DesignMatrix::several(&cuda, [&design1, &design2], &window).unwrap();
    let mut fitter = FrameFitter::new(&cuda, matrices, &Array2::from_elem((rows, columns), true)).unwrap();
    fitter.set_samples(&[(0, 0), (199, 39), (70, 5), (71, 5)]).unwrap();
    // Numbers between 50 and 150 without a pattern.
    let golden = 0.618_033_988_749_894_9;
    let pixels = (0..frames * rows * columns).map(|i| (50.0 + 100.0 * (i as f64 * golden).fract()) as f32);
    let images = Array::from_vec(&cuda, pixels.collect(), &[frames, rows, columns]).unwrap();
    let weights = |batch: usize| {
        let starts = (0..frames).step_by(batch);
        starts
            .flat_map(|start| {
                let fitted = fitter.fit(&images.slice(s![start..start + batch]).unwrap()).unwrap();
                let all = [fitted.weights1, fitted.weights2, fitted.residuals];
                let frames: Vec<Vec<u64>> = (0..batch)
                    .map(|frame| all.iter().flat_map(|w| w.row(frame).map(|x| x.to_bits())).collect())
                    .collect();
                frames
            })
            .collect::<Vec<_>>()
    };
    let alone = weights(1);
    assert_eq!(alone.len(), frames);
    assert!(alone[0] != alone[1]);
    for batch in [2, 5, 10] {
        assert!(weights(batch) == alone, "in batches of {batch}");
    }
}

#[test]
fn a_fit_has_the_same_bits_in_any_batch() {
    let Some((cuda, _guard)) = device() else { return };
    let settings =
        SimulationSettings { frames: 51, size: 32, flagged_frames: 1, asteroids: 1, ..Default::default() };
    let source = Simulation::new(settings).unwrap();
    let fitted = |frames_per_batch: usize| {
        let options = FitOptions {
            frames_per_batch,
            mask_window: 30,
            asteroids: Some(source.asteroids().clone()),
            sample_pixels: 60,
            ..FitOptions::with_nknots(Preset::default(), 4)
        };
        let (model, report) = fit(&cuda, &source, &options, &Silent).unwrap();
        assert_eq!((report.fitted, report.average_used, report.mask_windows), (50, true, 3));
        assert_eq!(model.background.dim(), (51, 10));
        let numbers = [model.weights1, model.weights2, model.jitter, model.background, model.average_frame];
        let numbers = numbers.into_iter().flatten().chain(model.scatter);
        numbers.map(f64::to_bits).collect::<Vec<u64>>()
    };
    let one_by_one = fitted(1);
    for batch in [7, 30] {
        assert!(fitted(batch) == one_by_one, "in batches of {batch}");
    }
}

#[test]
fn memory_is_given_back() {
    let Some((cuda, emulator, _guard)) = emulated() else { return };
    // What earlier tests have dropped is freed when the device comes to it.
    cuda.synchronize().unwrap();
    let before = emulator.meter().memory_now;
    {
        let fitter = fitter(&cuda);
        cost(&cuda, &emulator, &fitter, 3);
        // Data that come up and that nothing ever uses.
        drop(Array::from_vec(&cuda, vec![1.0_f64; 1000], &[1000]).unwrap());
        assert!(emulator.meter().memory_now > before);
    }
    cuda.synchronize().unwrap();
    assert_eq!(emulator.meter().memory_now, before);
    assert_eq!(emulator.take_faults(), []);
}

#[test]
fn data_that_come_up_while_the_device_is_at_work_are_waited_for() {
    let Some((cuda, _guard)) = device() else { return };
    let size = 300;
    let ones = Array::ones(&cuda, &[size, size]).unwrap();
    for round in 0..20 {
        let busy = ones.matmul(&ones).unwrap();
        // Several blocks of page-locked memory are on their way at once, and used again.
        let uploaded = std::thread::scope(|scope| {
            let upload =
                |k: usize| Array::from_vec(&cuda, vec![(round + k) as f64; size * size], &[size, size]);
            let threads: Vec<_> = (0..6).map(|k| scope.spawn(move || upload(k).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (k, array) in uploaded.iter().enumerate() {
            let sum = array.multiply(&busy).unwrap().sum().unwrap().item().unwrap();
            assert_eq!(sum, ((round + k) * size * size * size) as f64, "round {round}");
        }
    }
}

#[test]
fn memory_that_queued_work_reads_is_not_overwritten() {
    let Some((cuda, _guard)) = device() else { return };
    let upload = |value: f64| Array::from_vec(&cuda, vec![value; 5000], &[5000]).unwrap();
    for round in 0..20 {
        let old = upload(f64::from(round));
        let sum = old.add_scalar(0.5).unwrap();
        // Data of the same size may take the place of what is dropped, but not before it is read.
        drop(old);
        let new = upload(-1.0);
        assert_eq!(sum.to_vec().unwrap(), [f64::from(round) + 0.5; 5000]);
        assert_eq!(new.to_vec().unwrap(), [-1.0; 5000]);
    }
}

#[test]
fn a_device_without_memory_pools_does_the_same() {
    if std::env::var_os("CUDA_EMULATOR_POOLS").is_some() || emulated().is_none() {
        return;
    }
    // The emulator is asked once in a process what its devices can do.
    let tests = ["data_that_come_up", "queued_work_reads", "too_little_memory", "not_positive_definite"];
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(tests)
        .env("CUDA_EMULATOR_POOLS", "0")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("4 passed"), "{text}");
}

#[test]
fn too_little_memory_is_an_error_that_says_how_much_there_is() {
    let Some((cuda, _guard)) = device() else { return };
    let free = cuda.free_memory().unwrap();
    let len = 1 << 44;
    match cuda.allocate::<f64>(len) {
        Err(Error::OutOfMemory { requested, free: Some(left) }) => {
            assert_eq!(requested, len * size_of::<f64>());
            assert!(left > 0 && left <= cuda.properties().memory);
        }
        other => panic!("{other:?}"),
    }
    // The device works as before, and the memory can be had.
    let part = Array::full(&cuda, &[free / 64], 1_u8).unwrap();
    assert_eq!(part.slice(s![..10]).unwrap().to_vec().unwrap(), [1; 10]);
    assert!(cuda.free_memory().unwrap() < free);
}

/// A function whose definition for a GPU is no CUDA C++.
#[derive(Clone, Copy)]
struct Nonsense;

impl Unary<f64> for Nonsense {
    type Out = f64;
    fn apply(&self, x: f64) -> f64 {
        x
    }
    fn cuda() -> String {
        "return not_a_function(x);".into()
    }
}

#[test]
fn a_kernel_that_does_not_compile_is_an_error_with_the_compilers_log() {
    let Some((cuda, _guard)) = device() else { return };
    let x = Array::ones(&cuda, &[3]).unwrap();
    let error = x.map(&Nonsense).unwrap_err().to_string();
    for words in ["compiling a kernel failed", "Nonsense of float64", "not_a_function", "undefined"] {
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(x.exp().unwrap().shape(), [3]);
}

#[test]
fn a_matrix_that_is_not_positive_definite_names_the_pivot() {
    let Some((cuda, _guard)) = device() else { return };
    let n = 100;
    let mut a = Array::eye(&cuda, n, None, 0).unwrap();
    a.assign(s![41, 41], &Array::full(&cuda, &[], -1.0).unwrap()).unwrap();
    let error = linalg::cholesky(&a).unwrap_err();
    assert_eq!(error, Error::NotPositiveDefinite { batch: 0, pivot: 41 });
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let Some((_, _guard)) = device() else { return };
    let count = Cuda::devices().unwrap().len();
    let error = Cuda::new(count).unwrap_err().to_string();
    assert!(error.contains(&format!("there is no device {count}")), "{error}");
}

#[test]
fn arrays_on_two_devices_do_not_mix() {
    let Some((first, _guard)) = device() else { return };
    let Ok(second) = Cuda::new(1) else {
        println!("not run: there is one device");
        return;
    };
    let x = Array::arange(&first, 0.0, 5.0, 1.0).unwrap();
    let y = Array::arange(&second, 0.0, 5.0, 1.0).unwrap();
    assert_eq!(y.exp().unwrap().to_vec().unwrap(), x.exp().unwrap().to_vec().unwrap());
    assert_eq!(second.properties().ordinal, 1);
    let error = x.add(&y).unwrap_err().to_string();
    assert!(error.contains("an array on device 1 meets one on device 0"), "{error}");
}
