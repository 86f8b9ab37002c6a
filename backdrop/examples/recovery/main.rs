//! What the fit recovers of simulated sectors with a known background, as Markdown tables.
//!
//! ```sh
//! cargo run --release -p backdrop --example recovery -- --size 512 --frames 60
//! cargo run --release -p backdrop --example recovery -- --size 2048 --frames 60 --errors-only
//! ```
//!
//! `docs/recovery.md` says what the numbers mean.

mod measure;

use backdrop::simulate::{Simulation, SimulationSettings};
use measure::{Correction, Difference, LightCurve, MASK_WINDOW, Recovery, Result};

/// Variable stars and asteroids of a sector.
const VARIABLES: usize = 20;
const ASTEROIDS: usize = 10;
/// About so many rows are looked at for errors; all columns are.
const ROWS: usize = 256;

/// What the command line asks for.
struct Arguments {
    size: usize,
    frames: usize,
    errors_only: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = Self { size: 512, frames: 60, errors_only: false };
        while let Some(word) = words.next() {
            let number = match word.as_str() {
                "--errors-only" => {
                    arguments.errors_only = true;
                    continue;
                }
                "--size" => &mut arguments.size,
                "--frames" => &mut arguments.frames,
                _ => {
                    return Err(format!(
                        "{word}: not known; there are --size N, --frames N and --errors-only"
                    )
                    .into());
                }
            };
            let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            *number = value.parse().map_err(|error| format!("{word} {value}: {error}"))?;
        }
        Ok(arguments)
    }
}

fn main() -> Result<()> {
    let Arguments { size, frames, errors_only } = Arguments::parse(std::env::args().skip(1))?;
    let sky = Simulation::new(measure::settings(size, frames, VARIABLES))?;
    let rows: Vec<usize> = (0..size).step_by(size.div_ceil(ROWS)).collect();
    println!(
        "{frames} frames of {size} x {size} pixels, {} of them with a strong glint; errors in {} rows.\n",
        sky.glint_frames().len(),
        rows.len()
    );

    let model = measure::fit_sky(&sky, None, MASK_WINDOW)?;
    print_errors("stars", &measure::recovery(&sky, &model, &rows)?);
    let starless =
        Simulation::new(SimulationSettings { stars: 0.0, variables: 0, ..sky.settings().clone() })?;
    let starless_model = measure::fit_sky(&starless, None, MASK_WINDOW)?;
    print_errors("no stars", &measure::recovery(&starless, &starless_model, &rows)?);
    if errors_only {
        return Ok(());
    }

    let curves = measure::light_curves(&sky, &model)?;
    print_curves("frames without a glint", &curves, |curve| &curve.quiet);
    print_curves("all frames", &curves, |curve| &curve.all);

    let (paths, differences) = measure::asteroids(&sky, &model, ASTEROIDS)?;
    let magnitudes: Vec<String> = paths
        .tracks()
        .iter()
        .flat_map(|track| track.positions.first())
        .map(|at| format!("{:.1}", at.magnitude))
        .collect();
    println!("Asteroids of V magnitude {}:\n", magnitudes.join(", "));
    print_differences(&differences);
    Ok(())
}

fn print_errors(sky: &str, table: &[Recovery]) {
    println!(
        "| {sky} | pixels | median | std | std of change | error / sigma | change / sigma | noise / sigma | worst frame |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in table {
        let frames = if row.glint { ", glint" } else { "" };
        println!(
            "| {}{frames} | {} | {:.3} | {:.3} | {:.3} | {:.2} | {:.2} | {:.2} | {:.2} |",
            row.place,
            row.pixels,
            row.median,
            row.std,
            row.std_of_change,
            row.over_sigma,
            row.change_over_sigma,
            row.noise_over_sigma,
            row.worst_noise_over_sigma
        );
    }
    println!();
}

fn print_curves(frames: &str, curves: &[LightCurve], part: impl Fn(&LightCurve) -> &Correction) {
    println!(
        "| {frames} | Tmag | amplitude | S before | S after | +- | S taken | T std | T - M std | ratio | scatter | T after |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for curve in curves {
        let (star, c) = (&curve.star, part(curve));
        println!(
            "| {:?} | {:.2} | {:.3} | {:.3} | {:.4} | {:.4} | {:+.5} | {:.1} | {:.2} | {:.0} | {:.1} | {:+.5} |",
            star.kind,
            star.tmag,
            star.amplitude,
            c.before,
            c.after,
            c.after_error,
            c.taken,
            c.trend_before,
            c.trend_after,
            c.trend_before / c.trend_after,
            c.scatter_after,
            c.trend_coefficient
        );
    }
    let worst = |of: &dyn Fn(&Correction) -> f64| {
        curves.iter().map(|curve| of(part(curve))).fold(f64::NEG_INFINITY, f64::max)
    };
    let ratios = curves.iter().map(|curve| part(curve).trend_before / part(curve).trend_after).collect();
    println!(
        "\nIn the worst case {:.2} % of the signal is lost or gained, {:.3} % of it by the model; of the \
         background's trend 1 / {:.0} is left in the worst case, 1 / {:.0} in the median.\n",
        100.0 * worst(&|c| (c.after - 1.0).abs()),
        100.0 * worst(&|c| c.taken.abs()),
        1.0 / worst(&|c| c.trend_after / c.trend_before),
        measure::median(ratios)
    );
}

fn print_differences(differences: &[Difference]) {
    println!("| models | largest difference | without glint | of change | root mean square |");
    println!("|---|---|---|---|---|");
    for row in differences {
        println!(
            "| {} | {:.5} | {:.5} | {:.5} | {:.5} |",
            row.models, row.largest, row.largest_quiet, row.largest_change, row.root_mean_square
        );
    }
}
