//! `backdrop demo`: the whole way, on a sector whose true background is known.

use std::path::Path;
use std::time::Instant;

use array_api::{Backend, dispatch};
use backdrop::background::Evaluator;
use backdrop::ffi::{FfiSource, Filter, find_ffis};
use backdrop::file::{self, Model, file_name};
use backdrop::fit::{FitOptions, FitReport, fit};
use backdrop::output::WholeFile;
use backdrop::simulate::{Simulation, SimulationSettings, WriteOptions};
use backdrop::source::FrameSource;
use serde_json::json;

use super::fit::report_json;
use super::{device, make_dir, speak};
use crate::args::Demo;
use crate::failure::Failure;
use crate::picture::{self, FrameView, percentile};
use crate::{interrupt, output};

pub(super) fn run(args: &Demo) -> Result<(), Failure> {
    let start = Instant::now();
    let bar = speak(args.speech);
    let device = device(&args.compute)?;
    let size = usize::from(args.size);
    let settings = SimulationSettings {
        frames: args.frames.into(),
        size,
        seed: args.seed,
        flagged_frames: 2,
        ..SimulationSettings::default()
    };
    let simulation = Simulation::new(settings).map_err(|error| Failure::Usage(error.to_string()))?;
    make_dir(&args.out_dir)?;
    let model_path = args.out_dir.join(file_name(simulation.target(), file::Format::Fits));
    let picture_path = args.out_dir.join("backdrop_demo.png");
    for path in [&model_path, &picture_path] {
        WholeFile::create(path, args.overwrite)?;
    }

    let frames_dir = tempfile::Builder::new().prefix("backdrop-demo-").tempdir();
    let frames_dir = frames_dir.map_err(backdrop::error::Error::io(&std::env::temp_dir()))?;
    simulation.write(frames_dir.path(), WriteOptions::default(), &bar)?;
    tracing::info!(frames = args.frames, size, "simulated");
    let source = FfiSource::open(find_ffis(frames_dir.path(), &Filter::default())?, Some(size))?;
    let (model, report) = dispatch!(&device, |xp| fit(xp, &source, &FitOptions::default(), &bar))?;
    tracing::info!(fitted = report.fitted, "fitted");
    model.save(&model_path, file::Format::Fits, args.overwrite)?;

    let comparison = dispatch!(&device, |xp| Comparison::new(xp, &simulation, &model))?;
    draw(&picture_path, &source, &model, &comparison, args.overwrite)?;
    let human = explain(&simulation, &report, &comparison, (&model_path, &picture_path), start);
    let mut machine = report_json(&report);
    machine["model"] = json!(model_path);
    machine["picture"] = json!(picture_path);
    machine["change"] = json!(comparison.change);
    machine["change_error"] = json!(comparison.error);
    machine["seconds"] = json!(start.elapsed().as_secs_f64());
    output::result(args.speech.json, &human, &machine)
}

/// The model held against the truth.
struct Comparison {
    /// Root mean square of the true change of the background from one fitted frame to the next,
    /// over clean pixels, in electrons/s.
    change: f64,
    /// Root mean square of the modelled change less the true one, in electrons/s.
    error: f64,
    /// The fitted frame with the largest range of background, and its model.
    frame: usize,
    background: Vec<f32>,
}

impl Comparison {
    fn new<B: Backend>(xp: &B, simulation: &Simulation, model: &Model) -> Result<Self, Failure> {
        let (rows, columns) = model.shape;
        let (row_list, column_list): (Vec<_>, Vec<_>) = ((0..rows).collect(), (0..columns).collect());
        let evaluator = Evaluator::new(xp, model, &row_list, &column_list)?;
        let clean: Vec<usize> = (model.star_mask.iter().zip(&model.saturation_mask).enumerate())
            .filter(|&(_, (&star, &saturation))| star && saturation)
            .map(|(pixel, _)| pixel)
            .collect();

        let fitted = (0..model.tstart.len()).filter(|&frame| model.weights1[(frame, 0)].is_finite());
        let mut truth = vec![0.0; rows * columns];
        let mut previous: Option<(Vec<f32>, Vec<f32>)> = None;
        let (mut change, mut error, mut count) = (0.0, 0.0, 0_usize);
        let (mut widest, mut shown) = (f32::NEG_INFINITY, (0, Vec::new()));
        for frame in fitted {
            interrupt::check()?;
            simulation.truth(frame, &mut truth)?;
            let background: Vec<f32> =
                evaluator.evaluate(&[frame])?.iter().map(|&value| value as f32).collect();
            if let Some((truth_before, background_before)) = &previous {
                for &pixel in &clean {
                    let true_change = f64::from(truth[pixel] - truth_before[pixel]);
                    let modelled = f64::from(background[pixel] - background_before[pixel]);
                    change += true_change * true_change;
                    error += (modelled - true_change).powi(2);
                }
                count += clean.len();
            }
            let (low, high) = (percentile(&truth, 0.02), percentile(&truth, 0.98));
            if high - low > widest {
                (widest, shown) = (high - low, (frame, background.clone()));
            }
            previous = Some((truth.clone(), background));
        }
        let mean_square = |sum: f64| (sum / count as f64).sqrt();
        let (frame, background) = shown;
        Ok(Self { change: mean_square(change), error: mean_square(error), frame, background })
    }
}

fn draw(
    path: &Path,
    source: &FfiSource,
    model: &Model,
    comparison: &Comparison,
    overwrite: bool,
) -> Result<(), Failure> {
    let (rows, columns) = model.shape;
    let mut data = vec![0.0; rows * columns];
    source.read(comparison.frame, &mut data)?;
    let frame = &source.frames()[comparison.frame];
    let caption = format!("BackDrop on a simulated frame of {}", source.target());
    let details = format!(
        "frame {} (counted from 0), BTJD {:.4} to {:.4}, {rows} x {columns} pixels",
        comparison.frame, frame.tstart, frame.tstop
    );
    let view = FrameView::new(model, comparison.background.clone(), Some(data));
    picture::write(path, &view.panels([caption, details]), picture::Format::Png, overwrite)
}

fn explain(
    simulation: &Simulation,
    report: &FitReport,
    comparison: &Comparison,
    (model, picture): (&Path, &Path),
    start: Instant,
) -> String {
    let (rows, columns) = simulation.shape();
    let Comparison { change, error, .. } = comparison;
    let share = 100.0 * error / change;
    format!(
        "\
Simulated {frames} of {rows} x {columns} pixels with a known background, and fitted {fitted} of
them ({left_out} carry a quality flag).

From one fitted frame to the next the true background changes by {change:.1} electrons/s (root mean
square over the pixels that no star touches). The model's change differs from that by {error:.2}
electrons/s: it follows {followed:.1} % of what happens. Changes are compared, and not levels,
because a light that never changes is the same whether it is called sky or faint stars.

Beside noise, the residual in the picture may show single columns, which are straps (the model
takes what they reflect to be a straight line along the column), and fine curves, where the average
frame, which is a minimum over all frames, passes from one frame to another.

{table}",
        frames = output::count(report.frames, "frame"),
        fitted = report.fitted,
        left_out = report.frames - report.fitted,
        followed = 100.0 - share,
        table = output::table(&[
            ("picture", picture.display().to_string()),
            ("model", model.display().to_string()),
            ("time", format!("{:.1} s", start.elapsed().as_secs_f64())),
        ]),
    )
}
