//! Data, model and residual of single frames.

use std::path::Path;

use array_api::Backend;
use backdrop::background::Evaluator;
use backdrop::ffi::{FfiSource, Filter, find_ffis};
use backdrop::file::{AnyModel, Model};
use backdrop::source::{FrameSource, Target};

use crate::failure::Failure;
use crate::picture::FrameView;

/// Start times of the same frame in two places differ by less, in days: 0.1 s.
const SAME_TIME: f64 = 0.1 / 86_400.0;

/// The full frame images of a model's frames.
#[derive(Debug)]
pub(super) struct Frames {
    source: FfiSource,
    /// For each frame of the model its place in the source, if it has one.
    places: Vec<Option<usize>>,
}

impl Frames {
    /// The images in a directory that a model's frames are found among, by their start times.
    pub(super) fn open(dir: &Path, model: &Model) -> Result<Self, Failure> {
        let (rows, columns) = model.shape;
        if rows != columns {
            return Err(Failure::Data(format!(
                "the model is of {rows} x {columns} pixels, which no square part of an image is: leave \
                 --in-dir out"
            )));
        }
        let Target { sector, camera, ccd } = model.target;
        let filter = Filter { sector: Some(sector), camera: Some(camera), ccd: Some(ccd) };
        let source = FfiSource::open(find_ffis(dir, &filter)?, Some(rows))?;
        model.check_target(source.target())?;
        let starts: Vec<f64> = source.frames().iter().map(|frame| frame.tstart).collect();
        let places = (model.tstart.iter())
            .map(|&tstart| {
                let place = starts.partition_point(|&start| start < tstart - SAME_TIME);
                starts.get(place).filter(|&&start| start <= tstart + SAME_TIME).map(|_| place)
            })
            .collect();
        Ok(Self { source, places })
    }

    /// Whether there is an image of a frame.
    pub(super) fn has(&self, frame: usize) -> bool {
        self.places[frame].is_some()
    }

    /// Refuses frames that there is no image of.
    pub(super) fn check(&self, frames: &[usize], model: &Model, dir: &Path) -> Result<(), Failure> {
        match frames.iter().find(|&&frame| !self.has(frame)) {
            Some(&frame) => Err(Failure::Data(format!(
                "{}: no full frame image of {} that starts at BTJD {:.5}, which is frame {frame} of the model",
                dir.display(),
                model.target,
                model.tstart[frame]
            ))),
            None => Ok(()),
        }
    }

    fn read(&self, frame: usize) -> Result<Option<Vec<f32>>, Failure> {
        let Some(place) = self.places[frame] else { return Ok(None) };
        let (rows, columns) = self.source.shape();
        let mut pixels = vec![0.0; rows * columns];
        self.source.read(place, &mut pixels)?;
        Ok(Some(pixels))
    }
}

/// A frame of a model, with its data if there are images.
pub(super) fn view<B: Backend>(
    xp: &B,
    model: &dyn AnyModel,
    frames: Option<&Frames>,
    frame: usize,
) -> Result<FrameView, Failure> {
    let data = match frames {
        Some(frames) => frames.read(frame)?,
        None => None,
    };
    let head = model.without_weights();
    let (rows, columns): (Vec<_>, Vec<_>) = ((0..head.shape.0).collect(), (0..head.shape.1).collect());
    let background = Evaluator::new(xp, model, &rows, &columns)?.evaluate(&[frame])?;
    Ok(FrameView::new(head, background.iter().map(|&value| value as f32).collect(), data))
}

/// The caption of a frame; short for a single panel.
pub(super) fn caption(model: &Model, frame: usize, wide: bool) -> Result<[String; 2], Failure> {
    let Target { sector, camera, ccd } = model.target;
    let title = format!("Sector {sector}, camera {camera}, CCD {ccd}");
    let mut line = line(model, frame)?;
    if wide {
        let (rows, columns) = model.shape;
        line +=
            &format!(" (mid-exposure), quality flags {}, {rows} x {columns} pixels", model.quality[frame]);
    }
    Ok([title, line])
}

/// Which frame of a model it is, and the middle of its exposure.
pub(super) fn line(model: &Model, frame: usize) -> Result<String, Failure> {
    let btjd = 0.5 * (model.tstart[frame] + model.tstop[frame]);
    let utc = backdrop::time::utc(btjd)?;
    Ok(format!("frame {frame}, BTJD {btjd:.4}, {} UTC", utc.strftime("%Y-%m-%d %H:%M")))
}
