//! Which pictures are drawn, and where they go.

use std::fmt;
use std::path::{Path, PathBuf};

use backdrop::file::Model;

use super::components::Kind;
use super::frames::Frames;
use super::level::Levels;
use crate::args::{PictureName, Plot};
use crate::failure::Failure;
use crate::output;
use crate::picture::{Format, MovieFormat};

/// What a file shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Frame(usize),
    Level,
    Components(Kind),
    Masks,
    /// A movie of these frames.
    Movie(Vec<usize>),
}

impl Subject {
    /// Its name in file names and for machines.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Frame(_) => "frame",
            Self::Level => "level",
            Self::Components(kind) => kind.name(),
            Self::Masks => "masks",
            Self::Movie(_) => "movie",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(frame) => write!(f, "frame {frame}"),
            Self::Level => f.write_str("the level of the background against time"),
            Self::Components(kind) => write!(f, "{} components and their spectra", kind.name()),
            Self::Masks => f.write_str("masks"),
            Self::Movie(frames) => write!(f, "movie of {}", output::count(frames.len(), "frame")),
        }
    }
}

/// The formats of pictures and movies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Formats {
    pub(super) still: Format,
    pub(super) movie: MovieFormat,
}

impl Formats {
    /// What the command line asks for, unless it contradicts itself.
    pub(super) fn of(args: &Plot) -> Result<Self, Failure> {
        let ending = args.out.as_deref().map(ending);
        let wrong = |endings: &[&str]| {
            let endings: Vec<_> = endings.iter().map(|ending| format!(".{ending}")).collect();
            let out = args.out.as_deref().unwrap_or(Path::new("")).display();
            Failure::Usage(format!("--out {out}: give a name that ends in {}", endings.join(" or ")))
        };
        let movie = args.movie.map_or(MovieFormat::Gif, MovieFormat::from);
        if let (Some(ending), Some(_)) = (&ending, args.movie)
            && !movie.extensions().contains(&ending.as_str())
        {
            return Err(wrong(movie.extensions()));
        }
        let known = [Format::Png, Format::Svg];
        let still = match (args.format.map(Format::from), ending) {
            (Some(format), Some(ending)) if ending != format.extension() => {
                return Err(wrong(&[format.extension()]));
            }
            (Some(format), _) => format,
            (None, Some(ending)) if args.movie.is_none() => known
                .into_iter()
                .find(|format| format.extension() == ending)
                .ok_or_else(|| wrong(&known.map(Format::extension)))?,
            (None, _) => Format::Png,
        };
        Ok(Self { still, movie })
    }
}

/// What a path ends in after the last dot, in small letters.
fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The files that are to be written, and what there is nothing to draw of.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) files: Vec<File>,
    /// Each with the reason.
    pub(super) left_out: Vec<(&'static str, String)>,
    pub(super) formats: Formats,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) subject: Subject,
}

impl Plan {
    pub(super) fn new(
        args: &Plot,
        formats: Formats,
        model: &Model,
        frames: Option<&Frames>,
        levels: &Levels,
    ) -> Result<Self, Failure> {
        let chosen = match &args.frames {
            Some(list) => Some(list.resolve(model.tstart.len(), "frame").map_err(Failure::Usage)?),
            None => None,
        };
        let (subjects, left_out) = if args.movie.is_some() {
            let frames = chosen.unwrap_or_else(|| (0..model.tstart.len()).collect());
            movie(frames, levels)
        } else {
            stills(args, chosen, model, frames, levels)?
        };
        if subjects.is_empty() {
            let reasons: Vec<_> =
                left_out.iter().map(|(what, reason)| format!("no picture of {what}: {reason}")).collect();
            return Err(Failure::Data(format!("{}: {}", args.model.display(), reasons.join("; "))));
        }
        let files = match &args.out {
            Some(path) => match <[Subject; 1]>::try_from(subjects) {
                Ok([subject]) => vec![File { path: path.clone(), subject }],
                Err(subjects) => {
                    return Err(Failure::Usage(format!(
                        "--out takes one picture, and there would be {}: choose one with --pictures and \
                         --frames, or use --out-dir",
                        subjects.len()
                    )));
                }
            },
            None => {
                let stem = args.model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let file = |subject| File { path: path(&args.out_dir, &stem, &subject, formats), subject };
                subjects.into_iter().map(file).collect()
            }
        };
        Ok(Self { files, left_out, formats })
    }
}

type Subjects = (Vec<Subject>, Vec<(&'static str, String)>);

/// A movie of those frames that were fitted.
fn movie(mut frames: Vec<usize>, levels: &Levels) -> Subjects {
    frames.retain(|&frame| levels.is_fitted(frame));
    if frames.is_empty() {
        (Vec::new(), vec![("frames", "none of them was fitted".to_owned())])
    } else {
        (vec![Subject::Movie(frames)], Vec::new())
    }
}

fn stills(
    args: &Plot,
    chosen: Option<Vec<usize>>,
    model: &Model,
    frames: Option<&Frames>,
    levels: &Levels,
) -> Result<Subjects, Failure> {
    let wanted = |name| args.pictures.is_empty() || args.pictures.contains(&name);
    let (mut subjects, mut left_out) = (Vec::new(), Vec::new());
    if wanted(PictureName::Frames) {
        let chosen = match chosen {
            Some(chosen) => {
                if let (Some(frames), Some(dir)) = (frames, &args.in_dir) {
                    frames.check(&chosen, model, dir)?;
                }
                chosen
            }
            None => levels.typical(|frame| frames.is_none_or(|frames| frames.has(frame))),
        };
        if chosen.is_empty() {
            let reason = match frames {
                Some(_) => "no fitted one has an image",
                None => "none was fitted",
            };
            left_out.push(("frames", reason.to_owned()));
        }
        subjects.extend(chosen.into_iter().map(Subject::Frame));
    }
    if wanted(PictureName::Level) {
        subjects.push(Subject::Level);
    }
    for (name, kind) in [(PictureName::Jitter, Kind::Jitter), (PictureName::Background, Kind::Background)] {
        if wanted(name) {
            match kind.missing(model) {
                None => subjects.push(Subject::Components(kind)),
                Some(reason) => left_out.push((kind.name(), reason)),
            }
        }
    }
    if wanted(PictureName::Masks) {
        subjects.push(Subject::Masks);
    }
    Ok((subjects, left_out))
}

/// The name that a picture has unless told otherwise.
fn path(dir: &Path, stem: &str, subject: &Subject, formats: Formats) -> PathBuf {
    let (name, extension) = match subject {
        Subject::Frame(frame) => (format!("frame{frame}"), formats.still.extension()),
        Subject::Movie(_) => ("movie".to_owned(), formats.movie.extensions()[0]),
        other => (other.name().to_owned(), formats.still.extension()),
    };
    dir.join(format!("{stem}_{name}.{extension}"))
}
