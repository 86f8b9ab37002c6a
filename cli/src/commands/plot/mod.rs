//! `backdrop plot`: pictures of a model, and of the frames beside it.

mod components;
mod frames;
mod level;
mod masks;
mod movie;
mod plan;

use std::path::Path;

use array_api::{Backend, dispatch};
use backdrop::file::{AnyModel, StoredModel};
use backdrop::output::WholeFile;
use backdrop::progress::Progress;
use serde_json::{Value, json};

use super::{device, make_dir, speak};
use crate::args::Plot;
use crate::failure::Failure;
use crate::picture::Movie;
use crate::progress::Bar;
use crate::{interrupt, output, picture};
use frames::Frames;
use level::Levels;
use plan::{Plan, Subject};

pub(super) fn run(args: &Plot) -> Result<(), Failure> {
    let bar = speak(args.speech);
    let device = device(&args.compute)?;
    let formats = plan::Formats::of(args)?;
    let model = StoredModel::open_with_images(&args.model)?;
    let head = model.without_weights();
    let frames = match &args.in_dir {
        Some(dir) => Some(Frames::open(dir, head)?),
        None => None,
    };
    let files = dispatch!(&device, |xp| {
        let levels = Levels::new(xp, &model, &bar)?;
        let plan = Plan::new(args, formats, head, frames.as_ref(), &levels)?;
        if args.out.is_none() {
            make_dir(&args.out_dir)?;
        }
        // Tried before anything is drawn; dropped at once.
        for file in &plan.files {
            WholeFile::create(&file.path, args.overwrite)?;
        }
        let drawing = Drawing { args, model: &model, frames: frames.as_ref(), levels: &levels };
        drawing.draw_all(xp, &plan, &bar)?;
        Ok::<_, Failure>(plan)
    })?;
    say(args, &files)
}

/// Says what was drawn, and what there was nothing to draw of.
fn say(args: &Plot, plan: &Plan) -> Result<(), Failure> {
    let mut human = String::new();
    for file in &plan.files {
        human += &format!("{}: {}\n", file.path.display(), file.subject);
    }
    for (what, reason) in &plan.left_out {
        human += &format!("no picture of {what}: {reason}\n");
    }
    let files: Vec<Value> = (plan.files.iter())
        .map(|file| {
            let mut value = json!({ "file": file.path, "picture": file.subject.name() });
            if let Subject::Frame(frame) = file.subject {
                value["frame"] = json!(frame);
            }
            value
        })
        .collect();
    let left_out: Vec<Value> =
        (plan.left_out.iter()).map(|(what, reason)| json!({ "picture": what, "reason": reason })).collect();
    let machine = json!({ "model": args.model, "files": files, "left_out": left_out });
    output::result(args.speech.json, &human, &machine)
}

/// What pictures are drawn from.
struct Drawing<'a> {
    args: &'a Plot,
    model: &'a StoredModel,
    frames: Option<&'a Frames>,
    levels: &'a Levels,
}

impl Drawing<'_> {
    fn draw_all<B: Backend>(&self, xp: &B, plan: &Plan, bar: &Bar) -> Result<(), Failure> {
        for file in &plan.files {
            interrupt::check()?;
            self.draw(xp, &file.subject, &file.path, plan.formats, bar)?;
            tracing::info!(file = %file.path.display(), "drawn");
        }
        Ok(())
    }

    fn draw<B: Backend>(
        &self,
        xp: &B,
        subject: &Subject,
        path: &Path,
        formats: plan::Formats,
        bar: &Bar,
    ) -> Result<(), Failure> {
        let (model, overwrite) = (self.model, self.args.overwrite);
        let head = model.without_weights();
        let still = formats.still;
        match subject {
            Subject::Frame(frame) => {
                let view = frames::view(xp, model, self.frames, *frame)?;
                let caption = frames::caption(head, *frame, self.frames.is_some())?;
                picture::write(path, &view.panels(caption), still, overwrite)
            }
            Subject::Level => picture::write(path, &self.levels.chart(head), still, overwrite),
            Subject::Components(kind) => {
                picture::write(path, &components::chart(head, *kind), still, overwrite)
            }
            Subject::Masks => masks::write(path, head, still, overwrite),
            Subject::Movie(frames) => {
                bar.start("filming", frames.len());
                let movie = Movie {
                    caption: format!("Background of {}", head.target),
                    shape: head.shape,
                    range: self.levels.range(frames),
                    frames: frames.len() as u32,
                    frames_per_second: self.args.fps,
                    format: formats.movie,
                };
                movie::write(xp, path, model, &movie, frames, overwrite, bar)?;
                bar.finish();
                Ok(())
            }
        }
    }
}
