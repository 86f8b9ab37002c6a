//! What the fit recovers of a simulated sector with a known background: the numbers of
//! `docs/recovery.md` on a smaller one.

#[path = "../../examples/recovery/measure.rs"]
mod measure;

use std::sync::LazyLock;

use backdrop::file::Model;
use backdrop::simulate::{Simulation, SimulationSettings};
use measure::{MASK_WINDOW, Place, Recovery};

/// More than the 50 frames that an average frame takes.
const FRAMES: usize = 54;

static SKY: LazyLock<(Simulation, Model)> = LazyLock::new(|| {
    let sky = Simulation::new(measure::settings(256, FRAMES, 6)).expect("a simulation");
    let model = measure::fit_sky(&sky, None, MASK_WINDOW).expect("a fit");
    (sky, model)
});

/// The rows that errors are looked at in.
fn rows() -> Vec<usize> {
    (0..256).step_by(2).collect()
}

fn find(table: &[Recovery], place: Place, glint: bool) -> &Recovery {
    table.iter().find(|row| row.place == place && row.glint == glint).expect("pixels of every kind")
}

#[test]
fn the_change_of_the_background_is_recovered() {
    let (sky, model) = &*SKY;
    let table = measure::recovery(sky, model, &rows()).expect("errors");
    // The light changes by 100 electrons/s from frame to frame, glints by 2000. What is left is noise
    // (0.01) and structure that the knots, 41 pixels apart, are too far from one another for. The
    // light of straps is proportional to that of the sky, where the model has a straight line along
    // each. At the edges there are pixels on one side only.
    for (place, quiet, glint) in [
        (Place::Clean, 0.03, 1.0),
        (Place::Strap, 0.15, 2.0),
        (Place::Edge, 0.1, 2.0),
        (Place::Star, 0.06, 1.5),
    ] {
        for (limit, glint) in [(quiet, false), (glint, true)] {
            let row = find(&table, place, glint);
            assert!(row.std_of_change < limit, "{row:?}");
            // The sky of faint stars is a constant that no background model can tell from light: 22
            // electrons/s in this corner, and stars too faint for the mask.
            assert!((22.0..25.0).contains(&row.median), "{row:?}");
        }
    }
}

#[test]
fn noise_moves_the_model_by_its_stated_uncertainty() {
    let settings = SimulationSettings { stars: 0.0, variables: 0, ..SKY.0.settings().clone() };
    let sky = Simulation::new(settings).expect("a simulation");
    let model = measure::fit_sky(&sky, None, MASK_WINDOW).expect("a fit");
    let table = measure::recovery(&sky, &model, &rows()).expect("errors");
    let clean = find(&table, Place::Clean, false);
    assert!(clean.median.abs() < 0.02 && clean.std < 0.03, "{clean:?}");
    // The frame's scatter has the noise of the average frame in it, whose part is some 20 %; a
    // frame's ratio follows from about 100 weights, and the median of 45 frames is known to 2 %.
    assert!((0.7..1.1).contains(&clean.noise_over_sigma), "{clean:?}");
    // In the frame that the minimum image was made of, its noise is subtracted with the average; with
    // half the median scatter its sigma is not far off.
    assert!((0.7..2.0).contains(&clean.worst_noise_over_sigma), "{clean:?}");
    for place in [Place::Strap, Place::Edge] {
        let row = find(&table, place, false);
        assert!((0.7..1.1).contains(&row.noise_over_sigma), "{row:?}");
    }
}

#[test]
fn light_curves_keep_their_signal_and_lose_the_trend() {
    let (sky, model) = &*SKY;
    let curves = measure::light_curves(sky, model).expect("light curves");
    assert_eq!(curves.len(), 6);
    for curve in &curves {
        let quiet = &curve.quiet;
        // What the model takes of a signal is free of the noise of the aperture.
        assert!(quiet.taken.abs() < 0.01 && curve.all.taken.abs() < 0.01, "{curve:?}");
        // 1 %, and what the noise of 25 pixels and of the star allows: 4 standard errors.
        assert!((quiet.after - 1.0).abs() < 0.01 + 4.0 * quiet.after_error, "{curve:?}");
        for part in [quiet, &curve.all] {
            assert!(part.trend_before > 1000.0 && part.trend_after < part.trend_before / 100.0, "{curve:?}");
            assert!(part.trend_coefficient.abs() < 0.01, "{curve:?}");
        }
    }
    // Without the correction the trend drowns the signals.
    assert!(curves.iter().any(|curve| (curve.quiet.before - 1.0).abs() > 1.0));
}

#[test]
fn masked_asteroids_do_not_move_the_model() {
    let (sky, model) = &*SKY;
    let (paths, differences) = measure::asteroids(sky, model, 4).expect("differences");
    assert_eq!(paths.tracks().len(), 4);
    let [masked, lost, windows, _, unmasked] = &differences[..] else { panic!("{differences:?}") };
    // Masked pixels have a weight of 1e-6, and an asteroid of V = 10 some 10^4 electrons/s.
    assert!(masked.largest < 1e-3, "{masked:?}");
    // Without the masked pixels others are fitted, with other faint stars among them: a constant, and
    // in its change the noise, which is largest in the middle of a wide mask.
    assert!(lost.largest_change < 0.15, "{lost:?}");
    // The same in windows of frames which do not mask every path, so that the average frame matters.
    assert!(windows.largest < 1e-3, "{windows:?}");
    // And if they are not masked, they do move it.
    assert!(unmasked.largest > 1.0 && unmasked.largest_change > 1.0, "{unmasked:?}");
}

#[test]
fn everything_repeats_bit_for_bit_on_any_number_of_threads() {
    let measure = || {
        let sky = Simulation::new(measure::settings(96, 16, 2)).expect("a simulation");
        let model = measure::fit_sky(&sky, None, MASK_WINDOW).expect("a fit");
        let errors = measure::recovery(&sky, &model, &[0, 10, 50, 95]).expect("errors");
        let curves = measure::light_curves(&sky, &model).expect("light curves");
        let asteroids = measure::asteroids(&sky, &model, 2).expect("differences");
        (errors, curves, asteroids)
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    assert_eq!(measure(), pool.install(measure));
}
