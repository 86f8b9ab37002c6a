use array_api::Cpu;

use super::*;
use crate::fit::{FitOptions, fit};
use crate::fits::Reader;
use crate::progress::Silent;
use crate::simulate::{Simulation, SimulationSettings};

#[test]
fn cadences_have_the_flags_of_their_frames_and_the_rest_of_the_file_stays() {
    let xp = Cpu::new();
    let settings =
        SimulationSettings { frames: 6, size: 64, flagged_frames: 1, ..SimulationSettings::default() };
    let simulation = Simulation::new(settings).unwrap();
    let (model, _) = fit(&xp, &simulation, &FitOptions::default(), &Silent).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tpf.fits");
    simulation.write_target_pixels(&path, (30, 20), (5, 7), false).unwrap();
    let tpf = TargetPixelFile::open(&path).unwrap();

    // By the definition: the mean of the model over the pixels, here all of them or those of the
    // optimal aperture.
    let (rows, columns): (Vec<usize>, Vec<usize>) = ((30..35).collect(), (20..27).collect());
    let light = model.evaluate(&xp, &[0, 1, 2, 3, 4, 5], &rows, &columns).unwrap();
    let taken = |row: usize, column: usize| {
        tpf.aperture.as_ref().is_none_or(|aperture| aperture[(row, column)] & 2 != 0)
    };
    let any = (0..5).any(|row| (0..7).any(|column| taken(row, column)));
    let expected: Vec<f64> = light
        .outer_iter()
        .map(|image| {
            let used = image.indexed_iter().filter(|((row, column), _)| !any || taken(*row, *column));
            let (sum, count) = used.fold((0.0, 0.0), |(sum, count), (_, value)| (sum + value, count + 1.0));
            sum / count
        })
        .collect();
    let mut known: Vec<f64> = expected.iter().copied().filter(|level| level.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    assert_eq!(known.len(), 5);
    let thresholds = Thresholds { level: known[2], rate: f64::INFINITY };
    let flags = CadenceFlags::new(&xp, &tpf, &model, thresholds).unwrap();
    for ((&flag, &level), &expected) in flags.flags.iter().zip(&flags.background).zip(&expected) {
        let bit = if expected.is_nan() { NO_MODEL } else { i32::from(expected > known[2] + 1e-9) * BRIGHT };
        assert_eq!(flag & !i32::from((level - known[2]).abs() < 1e-9), bit);
        assert!((level - expected).abs() < 1e-9 * expected.abs() || (level.is_nan() && expected.is_nan()));
    }
    assert_eq!(flags.flags.iter().filter(|&&flags| flags == NO_MODEL).count(), 1);

    let out = dir.path().join("flagged.fits");
    flags.save(&tpf, "model.fits", true, &out, false).unwrap();
    let again = TargetPixelFile::open(&out).unwrap();
    assert_eq!((&again.flux, &again.flux_error, &again.time), (&tpf.flux, &tpf.flux_error, &tpf.time));
    for ((before, after), flags) in tpf.quality.iter().zip(&again.quality).zip(&flags.flags) {
        let set = if flags & BRIGHT != 0 { SCATTERED_LIGHT.cast_unsigned() } else { 0 };
        assert_eq!(*after, before | set);
    }
    let mut file = Reader::open(&out).unwrap();
    file.select(TABLE).unwrap();
    assert_eq!(file.numbers::<i32>("BKG_QUALITY").unwrap(), flags.flags);
    let levels: Vec<f64> = file.numbers("BKG_LEVEL").unwrap();
    for (found, expected) in levels.iter().zip(&flags.background) {
        // Single precision in the file.
        assert!((found - expected).abs() <= 1e-7 * expected.abs() || (found.is_nan() && expected.is_nan()));
    }
    for hdu in 0..file.hdus() {
        file.select(hdu).unwrap();
        file.check_sum().unwrap();
    }
}
