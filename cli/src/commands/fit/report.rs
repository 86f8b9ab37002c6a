//! What a fit says when it is done.

use backdrop::components::MIN_COMPONENT_FRAMES;
use backdrop::file::{AnyModel, Model};
use backdrop::fit::{FitOptions, FitReport};
use backdrop::source::FrameSource;
use serde_json::{Value, json};

use super::Fitted;
use crate::args::Fit;
use crate::commands::info;
use crate::failure::Failure;
use crate::output;

/// Says what was done.
pub(super) fn print(args: &Fit, options: &FitOptions, backend: &str, fitted: &Fitted) -> Result<(), Failure> {
    let Fitted { path, model, report, source } = fitted;
    let model = model.without_weights();
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    let human = format!(
        "fitted {} of {} of {}\n{}{}{}",
        report.fitted,
        output::count(report.frames, "frame"),
        source.target(),
        output::table(&[
            ("left out", left_out(report, args.quality_bitmask)),
            ("masked", format!("{:.1} % of the pixels, for stars", 100.0 * report.masked_fraction)),
            ("asteroids", asteroids(options, report)),
            ("average frame", average(report)),
            ("components", components(model)),
            ("scatter", info::scatter(model)),
            ("time", times(report)),
            ("model", format!("{} ({})", path.display(), output::bytes(bytes))),
        ]),
        ranks(report),
        unreadable(report),
    );
    let mut machine = report_json(report);
    machine["model"] = json!(path);
    machine["sector"] = json!(source.target().sector);
    machine["camera"] = json!(source.target().camera);
    machine["ccd"] = json!(source.target().ccd);
    machine["backend"] = json!(backend);
    machine["precision"] = json!(options.precision.to_string());
    output::result(args.speech.json, &human, &machine)
}

fn left_out(report: &FitReport, bitmask: u32) -> String {
    let others = report.frames - report.fitted;
    let skipped = report.unreadable.len();
    let flagged = others.saturating_sub(report.blown_out + report.without_data + skipped);
    let reasons = [
        (flagged, format!("with a quality flag out of {bitmask}")),
        (report.blown_out, "blown out".to_owned()),
        (report.without_data, "without data".to_owned()),
        (skipped, "that cannot be read".to_owned()),
    ];
    let reasons: Vec<_> = reasons
        .into_iter()
        .filter(|&(number, _)| number > 0)
        .map(|(number, reason)| format!("{number} {reason}"))
        .collect();
    if reasons.is_empty() { "none".to_owned() } else { reasons.join(", ") }
}

fn asteroids(options: &FitOptions, report: &FitReport) -> String {
    match &options.asteroids {
        None => "not masked: no table of positions was given".to_owned(),
        Some(table) => format!(
            "up to {} masked in {}, by {}",
            output::count(report.asteroid_pixels, "pixel"),
            output::count(options.mask_window, "frame"),
            table.name()
        ),
    }
}

fn average(report: &FitReport) -> String {
    let frames = output::count(report.averaged, "frame");
    if report.average_used {
        format!("the minimum of {frames}, subtracted")
    } else {
        format!(
            "not subtracted: it takes {} frames, there are {}",
            backdrop::fit::MIN_AVERAGE_FRAMES,
            report.averaged
        )
    }
}

/// What became of the jitter and background pixels.
fn components(model: &Model) -> String {
    let (jitter, background) = (model.jitter_pixels.len(), model.background_pixels.len());
    let fitted = model.scatter.iter().filter(|scatter| scatter.is_finite()).count();
    if fitted >= MIN_COMPONENT_FRAMES {
        let (of_jitter, of_background) = (model.jitter.ncols(), model.background.ncols());
        format!("{of_jitter} of {jitter} jitter pixels, {of_background} of {background} background pixels")
    } else {
        format!(
            "none: they take {MIN_COMPONENT_FRAMES} frames; the series of {jitter} jitter and {background} \
             background pixels are kept"
        )
    }
}

fn times(report: &FitReport) -> String {
    let [survey, setup, fit] =
        [report.survey_time, report.setup_time, report.fit_time].map(|time| time.as_secs_f64());
    let per_frame = 1000.0 * fit / report.fitted.saturating_sub(report.resumed).max(1) as f64;
    let resumed = match report.resumed {
        0 => String::new(),
        frames => format!("; {} from before", output::count(frames, "frame")),
    };
    format!(
        "{survey:.1} s first pass, {setup:.1} s set-up, {fit:.1} s fit ({per_frame:.0} ms a frame){resumed}"
    )
}

/// A table of what each rank did, if there are several.
fn ranks(report: &FitReport) -> String {
    if report.ranks.len() < 2 {
        return String::new();
    }
    let mut table = "  rank  frames    read s     fit s    wait s   sent MB\n".to_owned();
    for (rank, done) in report.ranks.iter().enumerate() {
        let [read, fit, wait] =
            [done.read_time, done.fit_time, done.wait_time].map(|time| time.as_secs_f64());
        let sent = done.sent as f64 / 1e6;
        table += &format!("  {rank:4}  {:6}  {read:8.2}  {fit:8.2}  {wait:8.2}  {sent:8.2}\n", done.frames);
    }
    table
}

/// The frames that could not be read, a line each.
fn unreadable(report: &FitReport) -> String {
    report.unreadable.iter().map(|(frame, reason)| format!("  frame {frame} skipped: {reason}\n")).collect()
}

/// What a fit did, for machines; times in seconds.
pub(in crate::commands) fn report_json(report: &FitReport) -> Value {
    json!({
        "frames": report.frames,
        "fitted": report.fitted,
        "blown_out": report.blown_out,
        "without_data": report.without_data,
        "averaged": report.averaged,
        "average_used": report.average_used,
        "non_finite_pixels": report.non_finite_pixels,
        "non_positive_pixels": report.non_positive_pixels,
        "masked_fraction": report.masked_fraction,
        "asteroid_pixels": report.asteroid_pixels,
        "mask_windows": report.mask_windows,
        "survey_seconds": report.survey_time.as_secs_f64(),
        "setup_seconds": report.setup_time.as_secs_f64(),
        "fit_seconds": report.fit_time.as_secs_f64(),
        "components_seconds": report.components_time.as_secs_f64(),
        "read_seconds": report.read_time.as_secs_f64(),
        "resumed": report.resumed,
        "skipped": report.unreadable.iter().map(|(frame, reason)| json!({ "frame": frame, "reason": reason })).collect::<Vec<_>>(),
        "ranks": report.ranks.iter().map(|rank| json!({
            "frames": rank.frames,
            "read_seconds": rank.read_time.as_secs_f64(),
            "fit_seconds": rank.fit_time.as_secs_f64(),
            "wait_seconds": rank.wait_time.as_secs_f64(),
            "sent_bytes": rank.sent,
        })).collect::<Vec<_>>(),
    })
}
