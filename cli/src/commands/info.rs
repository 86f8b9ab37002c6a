//! `backdrop info`: what is in a file.

use std::path::Path;

use backdrop::error::Error;
use backdrop::ffi::{FfiHeader, Storage};
use backdrop::file::{AnyModel, Model, StoredModel, fitted_frames};
use backdrop::scene::Scene;
use serde_json::{Value, json};

use crate::args::Info;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &Info) -> Result<(), Failure> {
    let mut machine = Vec::new();
    let mut failed = false;
    for path in &args.files {
        match describe(path) {
            Ok((human, mut description)) => {
                description["file"] = json!(path);
                machine.push(description);
                if !args.json {
                    output::text(&format!("{}: {human}", path.display()))?;
                }
            }
            // The other files may be fine.
            Err(error) => {
                failed = true;
                output::error(&error);
                machine.push(json!({ "file": path, "error": error }));
            }
        }
    }
    if args.json {
        output::result(true, "", &json!({ "files": machine }))?;
    }
    if failed { Err(Failure::Reported(1)) } else { Ok(()) }
}

/// What a file is, for people and for machines; or why it is neither a model nor an image.
fn describe(path: &Path) -> Result<(String, Value), String> {
    let described = StoredModel::open_with_images(path).and_then(|model| describe_model(&model));
    match described {
        Ok(described) => return Ok(described),
        Err(Error::NotAModel { .. }) => {}
        Err(error) => return Err(error.to_string()),
    }
    match Scene::load(path) {
        Ok(scene) => return Ok(describe_scene(&scene)),
        Err(Error::NotAScene { .. }) => {}
        Err(error) => return Err(error.to_string()),
    }
    match FfiHeader::read(path) {
        Ok(header) => Ok(describe_ffi(&header)),
        Err(Error::NotAnFfi { reason, .. } | Error::Fits { message: reason, .. }) => {
            Err(format!("{}: neither a full frame image nor a model: {reason}", path.display()))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn describe_model(model: &StoredModel) -> Result<(String, Value), Error> {
    let fitted = fitted_frames(model)?.into_iter().filter(|&fitted| fitted).count();
    let [weights1, weights2] = model.columns();
    let model = model.without_weights();
    let frames = model.tstart.len();
    let (rows, columns) = model.shape;
    let clean =
        model.star_mask.iter().zip(&model.saturation_mask).filter(|&(&star, &saturation)| star && saturation);
    let clean = clean.count() as f64 / (rows * columns).max(1) as f64;
    let (first, last) = (model.tstart.first().copied(), model.tstop.last().copied());
    let human = format!(
        "background model of {}\n{}",
        model.target,
        output::table(&[
            ("frames", format!("{frames}, of which {fitted} are fitted")),
            ("times", times(first, last)),
            ("pixels", format!("{rows} x {columns}, {:.1} % of them masked", 100.0 * (1.0 - clean))),
            ("preset", format!("{}, {} knots", model.preset, model.nknots)),
            ("A1", format!("{}: {} weights a frame", model.design1, weights1)),
            ("A2", format!("{}: {} weights a frame", model.design2, weights2)),
            (
                "bitmasks",
                format!(
                    "{} for the fit, {} for the average frame",
                    model.quality_bitmask, model.average_bitmask
                )
            ),
            ("jitter", components(model.jitter.ncols(), model.jitter_pixels.len())),
            ("background", components(model.background.ncols(), model.background_pixels.len())),
            ("scatter", scatter(model)),
            ("asteroids", asteroids(model)),
            ("made by", format!("{} on {}, seed {}", model.software, model.backend, model.seed)),
        ])
    );
    let machine = json!({
        "kind": "model",
        "sector": model.target.sector,
        "camera": model.target.camera,
        "ccd": model.target.ccd,
        "frames": frames,
        "fitted": fitted,
        "tstart": first,
        "tstop": last,
        "rows": rows,
        "columns": columns,
        "masked_fraction": 1.0 - clean,
        "preset": model.preset,
        "nknots": model.nknots,
        "design1": model.design1,
        "design2": model.design2,
        "weights1": weights1,
        "weights2": weights2,
        "quality_bitmask": model.quality_bitmask,
        "average_bitmask": model.average_bitmask,
        "scatter": median(&model.scatter),
        "asteroids": model.asteroids,
        "jitter_components": model.jitter.ncols(),
        "background_components": model.background.ncols(),
        "software": model.software,
        "backend": model.backend,
        "seed": model.seed,
        "input_files": model.input_files,
    });
    Ok((human, machine))
}

fn describe_scene(scene: &Scene) -> (String, Value) {
    let (rows, columns) = scene.shape;
    let (first, last) = (scene.tstart.first().copied(), scene.tstop.last().copied());
    let orbits: Vec<usize> = (1..=scene.orbits())
        .map(|number| scene.orbit.iter().filter(|&&orbit| usize::from(orbit) == number).count())
        .collect();
    let fitted: usize = orbits.iter().sum();
    let human = format!(
        "star scene of {}\n{}",
        scene.target,
        output::table(&[
            ("frames", format!("{}, of which {fitted} are fitted", scene.tstart.len())),
            ("orbits", orbits.len().to_string()),
            ("times", times(first, last)),
            ("pixels", format!("{rows} x {columns}")),
            ("components", scene.terms.join(", ")),
            ("made by", format!("{} on {}", scene.software, scene.backend)),
        ])
    );
    let machine = json!({
        "kind": "scene",
        "sector": scene.target.sector,
        "camera": scene.target.camera,
        "ccd": scene.target.ccd,
        "frames": scene.tstart.len(),
        "orbits": orbits,
        "tstart": first,
        "tstop": last,
        "rows": rows,
        "columns": columns,
        "time_terms": scene.time_terms.name(),
        "prior_sigma": scene.prior_sigma,
        "terms": scene.terms,
        "software": scene.software,
        "backend": scene.backend,
    });
    (human, machine)
}

/// The scatter of clean pixels about the model in most frames.
pub(super) fn scatter(model: &Model) -> String {
    let known = model.scatter.iter().copied().filter(|scatter| scatter.is_finite());
    let (least, largest) = known.fold((f64::INFINITY, 0.0), |(least, largest): (f64, f64), scatter| {
        (least.min(scatter), largest.max(scatter))
    });
    match median(&model.scatter) {
        Some(middle) => {
            format!("{least:.2} to {largest:.2} electrons/s about the model, {middle:.2} in the middle")
        }
        None => "not known".to_owned(),
    }
}

/// The one in the middle of those that are known.
fn median(scatter: &[f64]) -> Option<f64> {
    let mut known: Vec<f64> = scatter.iter().copied().filter(|scatter| scatter.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    known.get(known.len() / 2).copied()
}

fn asteroids(model: &Model) -> String {
    if model.asteroids.is_empty() { "not masked".to_owned() } else { format!("those of {}", model.asteroids) }
}

fn components(components: usize, pixels: usize) -> String {
    match components {
        0 => "no components".to_owned(),
        _ => format!("{} from {}", output::count(components, "component"), output::count(pixels, "pixel")),
    }
}

fn times(first: Option<f64>, last: Option<f64>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!("BTJD {first:.5} to {last:.5}"),
        _ => "none".to_owned(),
    }
}

fn describe_ffi(header: &FfiHeader) -> (String, Value) {
    let storage = match header.storage {
        Storage::Plain => "not compressed",
        Storage::Gzip => "compressed by gzip",
        Storage::Tiles => "compressed in tiles",
    };
    let unknown = || "unknown".to_owned();
    let human = format!(
        "full frame image of {}\n{}",
        header.target,
        output::table(&[
            ("layout", header.layout.to_string()),
            ("exposure", times(Some(header.tstart), Some(header.tstop))),
            ("date", header.date_obs.clone().unwrap_or_else(unknown)),
            (
                "image",
                format!("{} x {} pixels in HDU {}, {storage}", header.rows, header.columns, header.hdu)
            ),
            ("science area", format!("up to {0} x {0} pixels", header.largest_cutout())),
            ("unit", unit(header)),
            ("quality flags", header.quality.to_string()),
            ("pipeline", header.pipeline.clone().unwrap_or_else(unknown)),
        ])
    );
    let machine = json!({
        "kind": "full frame image",
        "layout": header.layout.to_string(),
        "sector": header.target.sector,
        "camera": header.target.camera,
        "ccd": header.target.ccd,
        "tstart": header.tstart,
        "tstop": header.tstop,
        "date_obs": header.date_obs,
        "hdu": header.hdu,
        "rows": header.rows,
        "columns": header.columns,
        "largest_cutout": header.largest_cutout(),
        "compression": match header.storage {
            Storage::Plain => None,
            Storage::Gzip => Some("gzip"),
            Storage::Tiles => Some("tiles"),
        },
        "unit": header.unit,
        "scale": header.scale,
        "quality": header.quality,
        "exposure_days": header.exposure,
        "pipeline": header.pipeline,
        "data_release": header.data_release,
        "boresight": header.boresight,
    });
    (human, machine)
}

/// The unit of the pixels in the file and what is made of it.
fn unit(header: &FfiHeader) -> String {
    let unit = header.unit.as_deref().unwrap_or("unknown");
    if header.scale == 1.0 {
        return unit.to_owned();
    }
    format!("{unit}, divided by {:.1} s when read", 1.0 / header.scale)
}
