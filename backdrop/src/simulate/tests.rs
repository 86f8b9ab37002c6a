use std::ops::Range;
use std::path::Path;

use fitsio::FitsFile;
use fitsio::hdu::HduInfo;

use super::*;
use crate::error::Error;
use crate::ffi::{FfiSource, Filter, Layout, find_ffis};
use crate::progress::{Progress, Silent};

const SMALL: usize = 64;

fn small() -> SimulationSettings {
    SimulationSettings { frames: 4, size: SMALL, seed: 7, ..SimulationSettings::default() }
}

fn simulate(settings: SimulationSettings) -> Simulation {
    Simulation::new(settings).unwrap()
}

fn frame(simulation: &Simulation, index: usize) -> Vec<f32> {
    let (rows, columns) = simulation.shape();
    let mut out = vec![f32::NAN; rows * columns];
    simulation.read(index, &mut out).unwrap();
    out
}

fn truth(simulation: &Simulation, index: usize) -> Vec<f32> {
    let (rows, columns) = simulation.shape();
    let mut out = vec![f32::NAN; rows * columns];
    simulation.truth(index, &mut out).unwrap();
    out
}

fn star_light(simulation: &Simulation, index: usize) -> Vec<f32> {
    let (rows, columns) = simulation.shape();
    let mut out = vec![f32::NAN; rows * columns];
    simulation.star_light(index, &mut out).unwrap();
    out
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    sum / count
}

fn standard_deviation(values: &[f64]) -> f64 {
    let centre = mean(values.iter().copied());
    mean(values.iter().map(|value| (value - centre).powi(2))).sqrt()
}

#[test]
fn same_settings_same_bits_whatever_the_threads_and_the_order() {
    let in_pool = |threads: usize, order: [usize; 4]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let simulation = simulate(small());
            let mut frames = vec![Vec::new(); 4];
            for index in order {
                frames[index] = frame(&simulation, index);
            }
            frames
        })
    };
    let one = in_pool(1, [0, 1, 2, 3]);
    assert_eq!(one, in_pool(3, [2, 0, 3, 1]));
    assert_ne!(one[0], one[1]);

    let other_seed = simulate(SimulationSettings { seed: 8, ..small() });
    assert_ne!(one[0], frame(&other_seed, 0));
}

#[test]
fn a_frame_is_truth_and_stars_and_noise() {
    let simulation = simulate(SimulationSettings { size: 256, ..small() });
    let (frame, truth, stars) = (frame(&simulation, 1), truth(&simulation, 1), star_light(&simulation, 1));
    // In units of the expected deviation, F / T + 720 R^2 / T^2 with T = 1425.6 s, R = 9.
    let normalised: Vec<f64> = frame
        .iter()
        .zip(truth.iter().zip(&stars))
        .map(|(&frame, (&truth, &stars))| {
            let light = f64::from(truth) + f64::from(stars);
            let variance = light / 1425.6 + 720.0 * (9.0_f64 / 1425.6).powi(2);
            (f64::from(frame) - light) / variance.sqrt()
        })
        .collect();
    // 65536 pixels: the mean scatters by 1/256, the deviation by 1/(256 sqrt 2); five sigma.
    assert!(mean(normalised.iter().copied()).abs() < 5.0 / 256.0);
    assert!((standard_deviation(&normalised) - 1.0).abs() < 5.0 / 256.0 / 1.4);
}

#[test]
fn without_stars_and_noise_a_frame_is_the_truth() {
    let bare = simulate(SimulationSettings { stars: 0.0, noise: false, ..small() });
    assert_eq!(frame(&bare, 2), truth(&bare, 2));
    // Stars and noise change nothing about the truth.
    assert_eq!(truth(&simulate(small()), 2), truth(&bare, 2));
}

#[test]
fn a_cut_out_has_the_light_of_the_whole_ccd() {
    let whole = SimulationSettings { size: 128, ..small() };
    let (whole, part) = (truth(&simulate(whole), 1), truth(&simulate(small()), 1));
    for (whole, part) in whole.chunks_exact(128).zip(part.chunks_exact(SMALL)) {
        assert_eq!(whole[..SMALL], *part);
    }
}

#[test]
fn the_light_changes_from_frame_to_frame() {
    for seed in 0..3 {
        let settings = SimulationSettings { frames: 49, size: 2048, stars: 0.0, seed, ..Default::default() };
        let simulation = simulate(settings);
        // Every sixth pair of neighbours, over a day.
        let deviations = (0..48).step_by(6).map(|index| {
            let (now, next) = (truth(&simulation, index), truth(&simulation, index + 1));
            let differences: Vec<f64> =
                now.iter().zip(&next).step_by(101).map(|(now, next)| f64::from(next - now)).collect();
            standard_deviation(&differences)
        });
        let typical = mean(deviations);
        assert!(typical > 16.0, "seed {seed}: {typical} electrons/s");
    }
}

#[test]
fn stars_stay_in_place_up_to_the_jitter() {
    let simulation = simulate(small());
    let (first, second) = (star_light(&simulation, 0), star_light(&simulation, 1));
    assert_ne!(first, second);
    let total = |stars: &[f32]| stars.iter().map(|&value| f64::from(value)).sum::<f64>();
    let moved: f64 = first.iter().zip(&second).map(|(a, b)| f64::from((a - b).abs())).sum();
    // A shift of 0.03 pixels moves about 0.03 / 1.9 of a star's light at each of its flanks.
    assert!(moved < 0.1 * total(&first), "{moved} of {}", total(&first));
}

#[test]
fn a_blown_out_frame_floods_the_first_rows_of_a_strip() {
    let settings = SimulationSettings { size: 1024, blown_out_frame: Some(1), ..small() };
    let simulation = simulate(settings);
    let typical_level = |index, columns: Range<usize>| {
        let frame = frame(&simulation, index);
        let mut levels: Vec<f64> =
            columns.map(|column| mean((0..10).map(|row| f64::from(frame[row * 1024 + column])))).collect();
        levels.sort_by(f64::total_cmp);
        levels[levels.len() / 2]
    };
    assert!(typical_level(1, 0..512) > 10_000.0);
    assert!(typical_level(1, 512..1024) < 10_000.0);
    assert!(typical_level(0, 0..512) < 10_000.0);
}

#[test]
fn dead_columns_have_no_value_in_any_frame() {
    let simulation = simulate(SimulationSettings { dead_columns: 3, ..small() });
    let dead = |index| {
        let frame = frame(&simulation, index);
        let dead: Vec<usize> = (0..SMALL).filter(|&column| frame[column].is_nan()).collect();
        for (pixel, value) in frame.iter().enumerate() {
            assert_eq!(value.is_nan(), dead.contains(&(pixel % SMALL)));
        }
        dead
    };
    assert_eq!(dead(0).len(), 3);
    assert_eq!(dead(0), dead(3));
    assert!(truth(&simulation, 0).iter().all(|value| value.is_finite()));
}

fn read_image(path: &Path, hdu: usize) -> (Vec<usize>, Vec<f32>) {
    let mut file = FitsFile::open(path).unwrap();
    let hdu = file.hdu(hdu).unwrap();
    let HduInfo::ImageInfo { shape, .. } = &hdu.info else {
        panic!("not an image");
    };
    (shape.clone(), hdu.read_image(&mut file).unwrap())
}

#[test]
fn files_have_the_layout_of_the_mission() {
    let dir = tempfile::tempdir().unwrap();
    let simulation = simulate(SimulationSettings { flagged_frames: 1, ..small() });
    let written = simulation.write(dir.path(), WriteOptions::default(), &Silent).unwrap();

    let name = written.frames[2].file_name().unwrap().to_str().unwrap();
    // Sector 1 starts at BTJD 1325.3; 69.184 s earlier in UTC; the third frame an hour later.
    assert_eq!(name, "tess2018206201050-s0001-1-4-0120-s_ffic.fits");
    let mut file = FitsFile::open(&written.frames[2]).unwrap();
    let primary = file.hdu(0).unwrap();
    let tstart: f64 = primary.read_key(&mut file, "TSTART").unwrap();
    let tstop: f64 = primary.read_key(&mut file, "TSTOP").unwrap();
    assert_eq!((tstart, tstop), (simulation.frames()[2].tstart, simulation.frames()[2].tstop));
    // Half an hour is 1/48 of a day; doubles near 1325 are 2e-13 apart.
    assert!((tstop - tstart - 1.0 / 48.0).abs() < 1e-12);
    assert_eq!(primary.read_key::<String>(&mut file, "TELESCOP").unwrap(), "TESS");
    let image = file.hdu(1).unwrap();
    assert_eq!(image.read_key::<i64>(&mut file, "CAMERA").unwrap(), 1);
    assert_eq!(image.read_key::<i64>(&mut file, "CCD").unwrap(), 4);
    assert_eq!(image.read_key::<i64>(&mut file, "DQUALITY").unwrap(), 32);
    assert_eq!(image.read_key::<String>(&mut file, "EXTNAME").unwrap(), "CAMERA.CCD 1.4 cal");

    let expected = frame(&simulation, 2);
    let (shape, pixels) = read_image(&written.frames[2], 1);
    assert_eq!(shape, [SMALL, 44 + SMALL + 1]);
    for (line, expected) in pixels.chunks_exact(44 + SMALL + 1).zip(expected.chunks_exact(SMALL)) {
        assert_eq!(line[44..44 + SMALL], *expected);
        assert!(line[..44].iter().chain(&line[44 + SMALL..]).all(|&value| value == 0.0));
    }
    let (_, uncertainty) = read_image(&written.frames[2], 2);
    let variance = f64::from(expected[0]) / 1425.6 + 720.0 * (9.0_f64 / 1425.6).powi(2);
    assert!((f64::from(uncertainty[44]) / variance.sqrt() - 1.0).abs() < 1e-6);

    let (shape, cube) = read_image(&written.truth, 0);
    assert_eq!(shape, [4, SMALL, SMALL]);
    assert_eq!(cube[2 * SMALL * SMALL..3 * SMALL * SMALL], truth(&simulation, 2));
    // Nothing else is left in the directory.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 5);
}

#[test]
fn what_is_written_is_what_the_reader_of_real_files_reads() {
    let settings = SimulationSettings { dead_columns: 1, ..small() };
    let simulation = simulate(settings);
    for compression in [Compression::None, Compression::Gzip, Compression::Tiles] {
        let dir = tempfile::tempdir().unwrap();
        let options = WriteOptions { compression, ..WriteOptions::default() };
        let written = simulation.write(dir.path(), options, &Silent).unwrap();
        let found = find_ffis(dir.path(), &Filter::default()).unwrap();
        assert_eq!(found, written.frames);
        let source = FfiSource::open(found, Some(SMALL)).unwrap();
        assert_eq!(source.target(), simulation.target());
        assert_eq!(source.shape(), simulation.shape());
        let mut read = vec![0.0; SMALL * SMALL];
        for (index, (info, made)) in source.frames().iter().zip(simulation.frames()).enumerate() {
            assert_eq!((info.tstart, info.tstop), (made.tstart, made.tstop));
            assert_eq!(info.quality, made.quality);
            source.read(index, &mut read).unwrap();
            let bits = |image: &[f32]| image.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&read), bits(&frame(&simulation, index)));
        }
    }
}

#[test]
fn a_whole_ccd_has_the_rows_and_columns_without_sky() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SimulationSettings { frames: 1, flagged_frames: 0, ..Default::default() };
    let simulation = simulate(settings);
    let written = simulation.write(dir.path(), WriteOptions::default(), &Silent).unwrap();
    let (shape, pixels) = read_image(&written.frames[0], 1);
    assert_eq!(shape, [2078, 2136]);
    let last = pixels[2047 * 2136 + 44 + 2047];
    assert_eq!(last, frame(&simulation, 0)[2048 * 2048 - 1]);
}

#[test]
fn compression_loses_nothing() {
    let simulation = simulate(SimulationSettings { dead_columns: 2, ..small() });
    let bits = |image: &[f32]| image.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let plain = tempfile::tempdir().unwrap();
    let reference = simulation.write(plain.path(), WriteOptions::default(), &Silent).unwrap();
    let (shape, pixels) = read_image(&reference.frames[3], 1);
    for (compression, suffix) in [(Compression::Gzip, ".fits.gz"), (Compression::Tiles, ".fits.fz")] {
        let dir = tempfile::tempdir().unwrap();
        let options = WriteOptions { compression, ..WriteOptions::default() };
        let written = simulation.write(dir.path(), options, &Silent).unwrap();
        assert!(written.frames[3].to_str().unwrap().ends_with(suffix));
        let bytes = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(bytes(&written.frames[3]) < bytes(&reference.frames[3]));
        let (compressed_shape, compressed) = read_image(&written.frames[3], 1);
        assert_eq!(compressed_shape, shape);
        assert_eq!(bits(&compressed), bits(&pixels), "{suffix}");
    }
}

#[test]
fn files_are_replaced_only_when_asked_and_never_left_half_written() {
    struct Impatient;
    impl Progress for Impatient {
        fn start(&self, _stage: &str, _total: usize) {}
        fn advance(&self, _n: usize) {}
        fn finish(&self) {}
        fn cancelled(&self) -> bool {
            true
        }
    }

    let dir = tempfile::tempdir().unwrap();
    let simulation = simulate(small());
    let stopped = simulation.write(dir.path(), WriteOptions::default(), &Impatient);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    let written = simulation.write(dir.path(), WriteOptions::default(), &Silent).unwrap();
    let again = simulation.write(dir.path(), WriteOptions::default(), &Silent).unwrap_err();
    assert!(matches!(again, Error::OutputExists { path } if path == written.frames[0]));
    let options = WriteOptions { overwrite: true, ..WriteOptions::default() };
    assert_eq!(simulation.write(dir.path(), options, &Silent).unwrap(), written);
}

#[test]
fn wrong_frames_are_refused() {
    let simulation = simulate(small());
    let mut out = vec![0.0; SMALL * SMALL];
    assert!(matches!(simulation.truth(4, &mut out), Err(Error::InvalidArgument(_))));
    assert!(matches!(simulation.read(0, &mut out[1..]), Err(Error::InvalidArgument(_))));
    assert!(matches!(simulation.star_light(4, &mut out), Err(Error::InvalidArgument(_))));
}

#[test]
fn what_is_added_on_request_changes_nothing_else() {
    let plain = simulate(SimulationSettings { size: 128, noise: false, ..small() });
    let more = SimulationSettings { variables: 3, asteroids: 2, glints: 1, ..plain.settings().clone() };
    let more = simulate(more);
    let glint = more.glint_frames();
    for index in 0..4 {
        assert_eq!(truth(&more, index) == truth(&plain, index), !glint.contains(&index));
        let far = |pixel: usize| {
            let (row, column) = ((pixel / 128) as f64, (pixel % 128) as f64);
            // A stamp reaches 5 pixels to each side of the nearest pixel.
            more.variables().iter().all(|star| (star.row - row).abs().max((star.column - column).abs()) > 6.0)
        };
        let (stars, more_stars) = (star_light(&plain, index), star_light(&more, index));
        let differ = (0..128 * 128).filter(|&pixel| stars[pixel] != more_stars[pixel]).collect::<Vec<_>>();
        assert!(!differ.is_empty() && !differ.into_iter().any(far));
    }
}

#[test]
fn a_variable_star_has_its_flux_where_it_says() {
    let settings = SimulationSettings { frames: 12, size: 128, variables: 16, stars: 0.0, ..small() };
    let simulation = simulate(settings);
    assert_eq!(simulation.variables().len(), 16);
    for (number, star) in simulation.variables().iter().enumerate() {
        assert!((9.0..11.0).contains(&star.tmag) && (0.01..0.1).contains(&star.amplitude));
        for other in &simulation.variables()[..number] {
            assert!((star.row - other.row).hypot(star.column - other.column) >= 16.0);
        }
        for index in [0, 7, 11] {
            let frame = &simulation.frames()[index];
            let light = star_light(&simulation, index);
            let near = |centre: f64| centre as usize - 7..centre as usize + 9;
            let sum: f64 = near(star.row)
                .flat_map(|row| near(star.column).map(move |column| row * 128 + column))
                .map(|pixel| f64::from(light[pixel]))
                .sum();
            let expected = star.flux_at((frame.tstart + frame.tstop) / 2.0);
            // 1e-9 of the light is outside the stamp; f32 sums of 256 pixels.
            assert!((sum / expected - 1.0).abs() < 1e-6, "{sum} instead of {expected}");
        }
    }
    // Among others they stand where these are few: within 8 pixels, other stars give less than a
    // typical place of the field has.
    let among = simulate(SimulationSettings { size: 128, variables: 4, ..small() });
    let others = star_light(&simulate(SimulationSettings { size: 128, ..small() }), 0);
    let around = |row: usize, column: usize| {
        let square =
            (row - 8..=row + 8).flat_map(|row| (column - 8..=column + 8).map(move |c| row * 128 + c));
        square.map(|pixel| f64::from(others[pixel])).sum::<f64>()
    };
    let grid = (10..118).step_by(9).flat_map(|row| (10..118).step_by(9).map(move |column| (row, column)));
    let mut typical: Vec<f64> = grid.map(|(row, column)| around(row, column)).collect();
    typical.sort_by(f64::total_cmp);
    for star in among.variables() {
        let light = around(star.row as usize, star.column as usize);
        assert!(light < typical[typical.len() / 2], "{light} of others about {star:?}");
    }
    let crowded = SimulationSettings { size: 32, variables: 1, ..small() };
    assert_eq!(simulate(crowded).variables().len(), 1);
}

#[test]
fn an_asteroid_is_where_its_track_says_and_within_its_mask() {
    let bare = SimulationSettings { stars: 0.0, noise: false, size: 256, frames: 24, ..small() };
    let simulation = simulate(SimulationSettings { asteroids: 1, ..bare });
    let [track] = simulation.asteroids().tracks() else { panic!("one asteroid") };
    let (first, last) = (track.positions[0], track.positions[24]);
    let hours = 24.0 * (last.time - first.time);
    let speed = (last.row - first.row).hypot(last.column - first.column) / hours;
    assert!((0.1..1.0).contains(&speed), "{speed} pixels an hour");

    // In the middle of the series it is in the field.
    let index = 12;
    let light: Vec<f64> = frame(&simulation, index)
        .iter()
        .zip(truth(&simulation, index))
        .map(|(&frame, truth)| f64::from(frame) - f64::from(truth))
        .collect();
    let total: f64 = light.iter().sum();
    let moment = |place: &dyn Fn(usize) -> usize| {
        light.iter().enumerate().map(|(pixel, light)| place(pixel) as f64 * light).sum::<f64>() / total
    };
    let info = &simulation.frames()[index];
    let at = track.at((info.tstart + info.tstop) / 2.0).unwrap();
    // The jitter of 0.02 pixels, five sigma; f32 differences of hundreds on a star of thousands.
    assert!((moment(&|pixel| pixel / 256) - at.row).abs() < 0.1);
    assert!((moment(&|pixel| pixel % 256) - at.column).abs() < 0.1);
    // 20.44 is the magnitude of 1 electron/s, 0.7 the colour.
    let expected = 10_f64.powf(-0.4 * (at.magnitude - 0.7 - 20.44));
    assert!((total / expected - 1.0).abs() < 1e-3, "{total} instead of {expected}");

    let pixels = simulation.asteroids().pixels(&simulation.frames()[index..=index], (256, 256));
    let left: f64 = (0..light.len())
        .filter(|pixel| pixels.binary_search(pixel).is_err())
        .map(|pixel| light[pixel].abs())
        .fold(0.0, f64::max);
    assert!(left < 0.05, "{left} electrons/s beyond the mask");
}

#[test]
fn a_glint_outshines_the_usual_light_for_a_stretch_of_frames() {
    for seed in 0..3 {
        let settings = SimulationSettings { frames: 20, size: 512, glints: 4, seed, ..Default::default() };
        let simulation = simulate(settings);
        let glint = simulation.glint_frames();
        assert_eq!(glint.len(), 4);
        let brightest = |index| truth(&simulation, index).into_iter().fold(0.0, f32::max);
        let usual = (0..20).filter(|index| !glint.contains(index)).map(brightest).fold(0.0, f32::max);
        // sin(3 pi / 8) = 0.92 of at least 1500 electrons/s near the middle of the stretch.
        let strongest = brightest(glint.start + 1);
        assert!(strongest > 2.0 * usual, "seed {seed}: {strongest} and {usual}");
    }
}

#[test]
fn asteroids_are_written_beside_the_frames() {
    let dir = tempfile::tempdir().unwrap();
    let simulation = simulate(SimulationSettings { asteroids: 2, ..small() });
    let written = simulation.write(dir.path(), WriteOptions::default(), &Silent).unwrap();
    let read = Asteroids::read(&written.asteroids.unwrap()).unwrap();
    assert_eq!(&read, simulation.asteroids());
    assert_eq!(read.name(), "asteroids.csv");
}

#[test]
fn files_in_the_layout_of_tica_give_the_same_frames() {
    let simulation = simulate(SimulationSettings { dead_columns: 1, ..small() });
    for compression in [Compression::None, Compression::Gzip, Compression::Tiles] {
        let dir = tempfile::tempdir().unwrap();
        let options = WriteOptions { layout: Layout::Tica, compression, overwrite: false };
        let written = simulation.write(dir.path(), options, &Silent).unwrap();
        let name = written.frames[2].file_name().unwrap().to_str().unwrap();
        let expected = "hlsp_tica_tess_ffi_s0001-o2-00000003-cam1-ccd4_tess_v01_img.fits";
        assert_eq!(name, expected.to_owned() + compression.suffix());
        let found = find_ffis(dir.path(), &Filter::default()).unwrap();
        assert_eq!(found, written.frames);
        let source = FfiSource::open(found, Some(SMALL)).unwrap();
        assert_eq!((source.target(), source.headers()[0].layout), (simulation.target(), Layout::Tica));
        // 720 readouts of 1.98 s.
        assert!((source.headers()[0].scale * 1425.6 - 1.0).abs() < 1e-12);
        let mut read = vec![0.0; SMALL * SMALL];
        for (index, (info, made)) in source.frames().iter().zip(simulation.frames()).enumerate() {
            assert_eq!((info.tstart, info.tstop), (made.tstart, made.tstop));
            // QUAL_BIT is set for whatever reason.
            assert_eq!(info.quality, if made.quality == 0 { 0 } else { made.quality | 1 });
            source.read(index, &mut read).unwrap();
            for (read, made) in read.iter().zip(frame(&simulation, index)) {
                // Electrons were rounded to f32 and so is what is made of them.
                let same = (read - made).abs() <= 2.0 * f32::EPSILON * made;
                assert!(same || read.is_nan() && made.is_nan(), "{read} instead of {made}");
            }
        }
    }
}
