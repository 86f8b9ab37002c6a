//! What can go wrong in this crate, one variant a cause.
//!
//! Every message is one line that names the file, keyword or argument at fault
//! and, where there is one, the way out. Paths are printed as the user gave them.

use std::path::{Path, PathBuf};

use crate::ffi::Layout;
use crate::source::Target;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with the file, keyword, block or argument it happened to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read, write, create or rename a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// CFITSIO could not make sense of a file, or could not write it.
    #[error("{}: {message}", path.display())]
    Fits {
        /// The FITS file.
        path: PathBuf,
        /// CFITSIO's own words, joined to one line.
        message: String,
    },

    /// The file does not have the layout of a calibrated full frame image.
    #[error("{}: not a calibrated TESS full frame image: {reason}", path.display())]
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
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the headers say the file has.
        declared: u64,
        /// Bytes that it has (uncompressed).
        actual: u64,
    },

    /// A header lacks a keyword, or holds a value that the keyword cannot have.
    #[error("{}: HDU {hdu} has no usable keyword {keyword}", path.display())]
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
        odd.display(),
        first.display()
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
        odd.display(),
        first.display()
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
        first.display(),
        second.display()
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
        path.display(),
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
    #[error("{}: no full frame image{selection} in this directory or below it", dir.display())]
    NoFrames {
        /// The directory searched.
        dir: PathBuf,
        /// The selection in words with a leading space, such as ` of sector 12`; may be empty.
        selection: String,
    },

    /// A directory that was to be read does not exist or is a file.
    #[error("{}: no such directory", path.display())]
    NoSuchDirectory {
        /// The path.
        path: PathBuf,
    },

    /// The file to be written is there already.
    #[error("{}: exists already; use --overwrite to replace it", path.display())]
    OutputExists {
        /// The file.
        path: PathBuf,
    },

    /// The file is no saved model, or one whose parts contradict one another.
    #[error("{}: not a saved background model: {reason}", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What is missing or contradictory.
        reason: String,
    },

    /// The file is no target pixel file, or one whose parts contradict one another.
    #[error("{}: not a target pixel file: {reason}", path.display())]
    NotATargetPixelFile {
        /// The file.
        path: PathBuf,
        /// What is missing or contradictory.
        reason: String,
    },

    /// The file is no saved star scene, or one whose parts contradict one another.
    #[error("{}: not a saved star scene: {reason}", path.display())]
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
    #[error("{}: {reason}", path.display())]
    BadTable {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line and the column.
        reason: String,
    },

    /// An argument has a value that it cannot have.
    #[error("{0}")]
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
}
