//! What can go wrong in this crate, one variant a cause.
//!
//! Every message is one line that names the file, keyword or argument at fault
//! and, where there is one, the way out. Paths are printed as the user gave them, but for
//! control characters, which are escaped ([`OneLine`]).

use std::fmt::{self, Write};
use std::path::{self, Path, PathBuf};

use crate::ffi::Layout;
use crate::source::Target;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with the file, keyword, block or argument it happened to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read, write, create or rename a file.
    #[error("{}: {}", shown(path), OneLine(source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// CFITSIO could not make sense of a file, or could not write it.
    #[error("{}: {}", shown(path), OneLine(message))]
    Fits {
        /// The FITS file.
        path: PathBuf,
        /// CFITSIO's own words, joined to one line.
        message: String,
    },

    /// The file does not have the layout of a calibrated full frame image.
    #[error("{}: not a calibrated TESS full frame image: {}", shown(path), OneLine(reason))]
    NotAnFfi {
        /// The file.
        path: PathBuf,
        /// What is missing or has the wrong form.
        reason: String,
    },

    /// The file ends before the data that its own headers declare.
    #[error(
        "{}: truncated: it has {actual} bytes, but its headers declare {declared}; \
         download or copy it again",
        shown(path)
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the headers say the file has.
        declared: u64,
        /// Bytes that it has (uncompressed).
        actual: u64,
    },

    /// The file is not what it was when its header was read.
    #[error("{}: {change} since its header was read: run again once files no longer change", shown(path))]
    Changed {
        /// The file.
        path: PathBuf,
        /// What became of it, such as `it was removed`.
        change: String,
    },

    /// The bytes of a file do not add up to the sum in its header.
    #[error(
        "{}: HDU {hdu} does not match its checksum ({keyword}): the file is damaged; download or copy it again",
        shown(path)
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The header-data unit, 0 for the primary one.
        hdu: usize,
        /// Which sum: `DATASUM` of the data, or `CHECKSUM` of header and data.
        keyword: &'static str,
    },

    /// The file holds no frame that can be used, as was found before.
    #[error("{}: {}", shown(path), OneLine(reason))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not, without the path.
        reason: String,
    },

    /// Unreadable files were to be skipped, but there is no other.
    #[error(
        "none of the {count} files can be used; the first of them is {}: {}",
        shown(path),
        OneLine(reason)
    )]
    AllUnreadable {
        /// How many files there are.
        count: usize,
        /// The first file.
        path: PathBuf,
        /// Why it cannot be used, without the path.
        reason: String,
    },

    /// A header lacks a keyword, or holds a value that the keyword cannot have.
    #[error("{}: HDU {hdu} has no usable keyword {keyword}", shown(path))]
    MissingKeyword {
        /// The file.
        path: PathBuf,
        /// The header-data unit, 0 for the primary one.
        hdu: usize,
        /// The keyword.
        keyword: String,
    },

    /// The frames of one fit come from more than one sector, camera or CCD.
    #[error(
        "{} is of {odd_target}, but {} is of {first_target}: \
         a fit takes frames of one sector, camera and CCD; select with --sector, --camera and --ccd",
        shown(odd),
        shown(first)
    )]
    MixedTargets {
        /// The first file of the set.
        first: PathBuf,
        /// What the first file, and so the set, is of.
        first_target: Target,
        /// The first file that differs.
        odd: PathBuf,
        /// What that file is of.
        odd_target: Target,
    },

    /// The frames of one fit come from more than one pipeline.
    #[error(
        "{} is of {odd_layout}, but {} is of {first_layout}: \
         a fit takes frames of one pipeline; keep them in different directories",
        shown(odd),
        shown(first)
    )]
    MixedLayouts {
        /// The first file of the set.
        first: PathBuf,
        /// Which pipeline made the first file.
        first_layout: Layout,
        /// The first file that differs.
        odd: PathBuf,
        /// Which pipeline made that.
        odd_layout: Layout,
    },

    /// Two files hold the same frame.
    #[error(
        "{} and {} are the same frame (TSTART {tstart}): remove one of them",
        shown(first),
        shown(second)
    )]
    DuplicateFrame {
        /// One of the files.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Start of the exposure that both have, in BTJD days.
        tstart: f64,
    },

    /// The image is too small for the cut-out asked for.
    #[error(
        "{}: an image of {rows} x {columns} pixels does not hold the science area of \
         {cutout_size} x {cutout_size}; use --cutout-size {}",
        shown(path),
        crate::ffi::largest_cutout(*rows, *columns)
    )]
    TooSmall {
        /// The file.
        path: PathBuf,
        /// Rows of its image.
        rows: usize,
        /// Columns of its image.
        columns: usize,
        /// Rows and columns of the science area asked for.
        cutout_size: usize,
    },

    /// A directory holds no frame that passes the selection.
    #[error("{}: no full frame image{selection} in this directory or below it", shown(dir))]
    NoFrames {
        /// The directory searched.
        dir: PathBuf,
        /// The selection in words with a leading space, such as ` of sector 12`; may be empty.
        selection: String,
    },

    /// A directory that was to be read does not exist or is a file.
    #[error("{}: no such directory", shown(path))]
    NoSuchDirectory {
        /// The path.
        path: PathBuf,
    },

    /// The file to be written is there already.
    #[error("{}: exists already; use --overwrite to replace it", shown(path))]
    OutputExists {
        /// The file.
        path: PathBuf,
    },

    /// The file is no saved model, or one whose parts contradict one another.
    #[error("{}: not a saved background model: {}", shown(path), OneLine(reason))]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What is missing or contradictory.
        reason: String,
    },

    /// The file is no target pixel file, or one whose parts contradict one another.
    #[error("{}: not a target pixel file: {}", shown(path), OneLine(reason))]
    NotATargetPixelFile {
        /// The file.
        path: PathBuf,
        /// What is missing or contradictory.
        reason: String,
    },

    /// The file is no saved star scene, or one whose parts contradict one another.
    #[error("{}: not a saved star scene: {}", shown(path), OneLine(reason))]
    NotAScene {
        /// The file.
        path: PathBuf,
        /// What is missing or contradictory.
        reason: String,
    },

    /// A model of one sector, camera and CCD was asked about data of another.
    #[error("the model is of {model}, but the data are of {data}: use the model of {data}")]
    WrongTarget {
        /// What the model was fitted to.
        model: Target,
        /// What the data are of.
        data: Target,
    },

    /// The normal equations of a design matrix have no unique solution.
    #[error(
        "the normal equations of {design} are not positive definite at column {column} of {block}: \
         give that block a smaller prior sigma, or mask fewer pixels"
    )]
    NotPositiveDefinite {
        /// The joined design matrix, such as `A2`.
        design: String,
        /// The block that the column belongs to, such as `spline(50)`.
        block: String,
        /// The column, 0-based within the block.
        column: usize,
    },

    /// A table that was made elsewhere lacks a column or holds an impossible value.
    #[error("{}: {}", shown(path), OneLine(reason))]
    BadTable {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line and the column.
        reason: String,
    },

    /// An argument has a value that it cannot have.
    #[error("{}", OneLine(.0))]
    InvalidArgument(String),

    /// An array operation failed: no memory, or a backend that cannot be used.
    #[error(transparent)]
    Array(#[from] array_api::Error),

    /// Another of the processes that work together has failed.
    #[error("rank {rank}: {message}")]
    OnRank {
        /// The number of that process.
        rank: usize,
        /// What went wrong there.
        message: String,
    },

    /// A checkpoint cannot be used.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint's file.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        reason: String,
    },

    /// The caller asked to stop before the work was done.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::Io`] about `path`, made to be used in `map_err`.
    ///
    /// ```
    /// use std::path::Path;
    /// use backdrop::error::Error;
    ///
    /// let path = Path::new("no-such-file.fits");
    /// let error = std::fs::File::open(path).map_err(Error::io(path)).unwrap_err();
    /// assert!(error.to_string().starts_with("no-such-file.fits: "));
    /// ```
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// The message about the file at `path`, without the path in front.
    pub(crate) fn reason(&self, path: &Path) -> String {
        let (message, prefix) = (self.to_string(), format!("{}: ", shown(path)));
        message.strip_prefix(&prefix).map_or(message.clone(), str::to_owned)
    }

    /// The error for `bytes` of memory that could not be had.
    pub(crate) fn out_of_memory(bytes: usize) -> Self {
        array_api::Error::OutOfMemory { requested: bytes, free: None }.into()
    }
}

/// What a path, or another text that came from outside, looks like in a message: characters that
/// would end the line or steer a terminal are escaped.
///
/// ```
/// use backdrop::error::OneLine;
///
/// assert_eq!(OneLine("two\nlines\u{1b}[2J").to_string(), r"two\nlines\u{1b}[2J");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneLine<T>(pub T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// A path for a message; see [`OneLine`].
///
/// ```
/// use std::path::Path;
///
/// assert_eq!(backdrop::error::shown(Path::new("a\nb/c d.fits")).to_string(), r"a\nb/c d.fits");
/// ```
#[must_use]
pub fn shown(path: &Path) -> OneLine<path::Display<'_>> {
    OneLine(path.display())
}

/// A text that came from outside, for a message: not all of it if it is long.
pub(crate) fn shortened(text: &str) -> String {
    let (start, end) = start_of(text);
    format!("{start}{end}")
}

/// As [`shortened`], in quotes.
pub(crate) fn quoted(text: &str) -> String {
    let (start, end) = start_of(text);
    format!("{start:?}{end}")
}

/// What of a text a message shows, and what stands for the rest.
fn start_of(text: &str) -> (&str, &'static str) {
    const LONGEST: usize = 80;
    text.char_indices().nth(LONGEST).map_or((text, ""), |(end, _)| (&text[..end], "..."))
}

/// Passes text on with its control characters escaped.
struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Of the others, the separators of lines and paragraphs and the marks that change the
        // direction of writing.
        let escaped = |c: char| {
            c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        for part in text.split_inclusive(escaped) {
            match part.chars().next_back().filter(|&last| escaped(last)) {
                Some(last) => {
                    self.0.write_str(&part[..part.len() - last.len_utf8()])?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                None => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_whatever_names_and_files_hold() {
        let path = PathBuf::from("new\nline\r\u{1b}[31m\u{2028}é.fits");
        let shown = r"new\nline\r\u{1b}[31m\u{2028}é.fits";
        let io = std::io::Error::other("two\nlines");
        for (error, expected) in [
            (Error::Io { path: path.clone(), source: io }, format!(r"{shown}: two\nlines")),
            (Error::Fits { path: path.clone(), message: "\0".into() }, format!(r"{shown}: \u{{0}}")),
            (Error::NoSuchDirectory { path: path.clone() }, format!("{shown}: no such directory")),
            (Error::InvalidArgument("a\tb".into()), r"a\tb".into()),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn of_a_long_text_the_start_is_shown() {
        assert_eq!((shortened("a b"), quoted("1\t2")), ("a b".into(), r#""1\t2""#.into()));
        let (whole, long) = ("é".repeat(80), "é".repeat(81));
        assert_eq!((shortened(&whole), quoted(&whole)), (whole.clone(), format!("\"{whole}\"")));
        assert_eq!((shortened(&long), quoted(&long)), (format!("{whole}..."), format!("\"{whole}\"...")));
    }

    #[test]
    fn a_reason_does_not_repeat_the_path() {
        let path = Path::new("a\n.fits");
        let error = Error::Truncated { path: path.to_owned(), declared: 9, actual: 3 };
        assert!(error.reason(path).starts_with("truncated: it has 3 bytes, "), "{}", error.reason(path));
        assert_eq!(Error::Cancelled.reason(path), "cancelled");
    }
}
