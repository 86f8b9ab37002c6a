//! `backdrop model`: the background of some frames and pixels, from a saved model.

use std::path::Path;

use array_api::{Backend, dispatch};
use backdrop::background::Evaluator;
use backdrop::cube::{Card, CubeWriter};
use backdrop::ffi::SCIENCE_SIZE;
use backdrop::file::{AnyModel, StoredModel};
use backdrop::output::WholeFile;
use backdrop::progress::Progress;
use backdrop::uncertainty::Uncertainty;
use serde_json::json;

use super::{device, speak};
use crate::args::Model;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::selection::Selection;
use crate::{interrupt, output};

/// Pixels that are evaluated at once while as many are written: eight frames of a whole CCD take 270 MB.
const BATCH_PIXELS: usize = 4 * SCIENCE_SIZE * SCIENCE_SIZE;

/// Frames that are evaluated at once, at most.
const BATCH: usize = 256;

pub(super) fn run(args: &Model) -> Result<(), Failure> {
    let bar = speak(args.speech);
    let device = device(&args.compute)?;
    // Tried before the work is begun; dropped at once.
    for path in [Some(&args.out), args.sigma.as_ref()].into_iter().flatten() {
        WholeFile::create(path, args.overwrite)?;
    }
    if args.sigma.as_ref() == Some(&args.out) {
        return Err(Failure::Usage("--out and --sigma name the same file".into()));
    }
    let model = match args.sigma {
        Some(_) => StoredModel::open_with_images(&args.model)?,
        None => StoredModel::open(&args.model)?,
    };
    let head = model.without_weights();
    let pixels = |selection: &Option<Selection>, fitted: usize, thing: &str| match selection {
        Some(selection) => selection.resolve(SCIENCE_SIZE, thing),
        None => Ok((0..fitted).collect()),
    };
    let frames = args.frames.resolve(head.tstart.len(), "frame").map_err(Failure::Usage)?;
    let rows = pixels(&args.rows, head.shape.0, "row").map_err(Failure::Usage)?;
    let columns = pixels(&args.columns, head.shape.1, "column").map_err(Failure::Usage)?;
    tracing::info!(frames = frames.len(), rows = rows.len(), columns = columns.len(), "evaluating");

    dispatch!(&device, |xp| write(xp, &model, (&frames, &rows, &columns), args, &bar))?;
    let human = format!(
        "{} of {} x {} pixels, {}, in {}\n",
        output::count(frames.len(), "frame"),
        rows.len(),
        columns.len(),
        head.target,
        args.out.display()
    );
    let machine = json!({
        "file": args.out,
        "sigma": args.sigma,
        "frames": frames,
        "rows": rows.len(),
        "columns": columns.len(),
        "sector": head.target.sector,
        "camera": head.target.camera,
        "ccd": head.target.ccd,
        "backend": device.name(),
    });
    output::result(args.speech.json, &human, &machine)
}

/// Evaluates a model, and its uncertainty if that is wanted, frame by frame, and writes the files.
fn write<B: Backend>(
    xp: &B,
    model: &dyn AnyModel,
    (frames, rows, columns): (&[usize], &[usize], &[usize]),
    args: &Model,
    bar: &Bar,
) -> Result<(), Failure> {
    let name = args.model.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let target = model.without_weights().target;
    let cube = |path: &Path, unit: &'static str| {
        let cards = [
            Card::integer("SECTOR", target.sector.into(), "observing sector"),
            Card::integer("CAMERA", target.camera.into(), "camera number"),
            Card::integer("CCD", target.ccd.into(), "CCD chip number"),
            Card::text("BUNIT", "electrons/s", unit),
            Card::text("MODEL", name.clone(), "the model's file"),
            Card::text("FRAMES", list(frames), "frames of the model, counted from 0"),
            Card::text("ROWS", list(rows), "science rows, counted from 0"),
            Card::text("COLUMNS", list(columns), "science columns, counted from 0"),
        ];
        let shape = [frames.len(), rows.len(), columns.len()];
        let shape = if frames.len() == 1 { &shape[1..] } else { &shape[..] };
        CubeWriter::<f64>::create(path, shape, &cards, args.overwrite)
    };
    let mut background = cube(&args.out, "unit of the background")?;
    let evaluator = Evaluator::new(xp, model, rows, columns)?;
    let mut sigma = match &args.sigma {
        Some(path) => {
            let file = cube(path, "unit of the standard deviation of the background")?;
            let uncertainty = Uncertainty::new(xp, model)?;
            let unit = uncertainty.of_unit_scatter(rows, columns)?;
            Some((file, uncertainty, unit))
        }
        None => None,
    };
    bar.start("evaluating", frames.len());
    let batch = (BATCH_PIXELS / (rows.len() * columns.len()).max(1)).clamp(1, BATCH);
    evaluator.evaluate_in_batches(frames, batch, |frames, images| {
        interrupt::check()?;
        background.write(&images.into_raw_vec_and_offset().0)?;
        if let Some((file, uncertainty, unit)) = &mut sigma {
            for &frame in frames {
                let scatter = uncertainty.scatter(frame);
                let pixels: Vec<f64> = unit.iter().map(|sigma| sigma * scatter).collect();
                file.write(&pixels)?;
            }
        }
        bar.advance(frames.len());
        Ok::<_, Failure>(())
    })?;
    // The first one is not given its name before the second is known to be complete.
    if let Some((file, ..)) = sigma {
        file.finish()?;
    }
    background.finish()?;
    bar.finish();
    Ok(())
}

/// Numbers as the command line writes them, runs as ranges.
pub(super) fn list(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [first, .., last] => format!("{first}..{}", last + 1),
        [only] => only.to_string(),
        [] => String::new(),
    });
    runs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_as_the_same_numbers() {
        let numbers = [0, 5, 10, 11, 12, 3];
        assert_eq!(list(&numbers), "0,5,10..13,3");
        assert_eq!(list(&numbers).parse::<Selection>().unwrap().resolve(20, "row").unwrap(), numbers);
    }
}
