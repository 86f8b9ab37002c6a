//! The saved model: what a fit leaves, and what the background of any pixel at any
//! time is computed from, without the images.
//!
//! A [`Model`] is kept in one file, in either of two formats with the same content:
//! - FITS (`.fits`), readable by any astronomer's tool; its layout is in [`fits`],
//! - npz (`.npz`), a zip archive of NumPy arrays; its arrays are listed in [`npz`].
//!
//! Every number comes back with the same bits, and the same model gives the same
//! bytes. A file appears whole or not at all.

pub mod fits;
pub mod npz;
mod rows;
mod stored;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use ndarray::Array2;

pub(crate) use rows::Rows;
pub(crate) use stored::check_weights;
pub use stored::{AnyModel, StoredModel, fitted_frames};

use crate::error::{Error, Result, quoted};
use crate::fits::{Kind, LONGEST_TEXT, Reader, encode};
use crate::geometry::CCD_SIZE;
use crate::output::WholeFile;
use crate::quality::UNREADABLE;
use crate::source::Target;

/// How a model is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The Flexible Image Transport System.
    Fits,
    /// A zip archive of NumPy arrays.
    Npz,
}

impl Format {
    /// What the names of such files end in, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Npz => "npz",
        }
    }
}

/// The name that the file of a target's model has by convention,
/// `tessbackdrop_sector<S>_camera<C>_ccd<D>`, and the extension of the format.
#[must_use]
pub fn file_name(target: Target, format: Format) -> String {
    let Target { sector, camera, ccd } = target;
    format!("tessbackdrop_sector{sector}_camera{camera}_ccd{ccd}.{}", format.extension())
}

/// A fitted background model of one sector, camera and CCD.
///
/// Arrays with a row for each frame have the frames in the order of their start
/// times. A frame that was not fitted has NaN in its rows of `weights1`, `weights2`,
/// `jitter` and `background`.
///
/// ```
/// use backdrop::file::{Format, Model};
/// use backdrop::source::Target;
/// use ndarray::Array2;
///
/// let model = Model {
///     target: Target { sector: 12, camera: 1, ccd: 3 },
///     shape: (2, 3),
///     preset: "standard".into(),
///     design1: "cartesian(1) ~ 2 +- 100".into(),
///     design2: "cartesian(2) ~ 0 +- 200".into(),
///     strap_npoly: 2,
///     nknots: 50,
///     seed: 0,
///     quality_bitmask: 63,
///     average_bitmask: 6911,
///     software: "backdrop 0.1.0".into(),
///     backend: "CPU".into(),
///     tstart: vec![1625.1],
///     tstop: vec![1625.12],
///     quality: vec![0],
///     weights1: Array2::from_elem((1, 1), 2.1),
///     weights2: Array2::from_elem((1, 4), 0.5),
///     jitter: Array2::zeros((1, 0)),
///     background: Array2::zeros((1, 0)),
///     average_frame: Array2::zeros((2, 3)),
///     jitter_pixels: vec![],
///     background_pixels: vec![(1, 2)],
///     scatter: vec![3.5],
///     asteroids: String::new(),
///     input_files: vec!["tess2019140104343-s0012-1-3-0144-s_ffic.fits".into()],
///     star_mask: Array2::from_elem((2, 3), true),
///     saturation_mask: Array2::from_elem((2, 3), true),
/// };
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join(model.file_name(Format::Fits));
/// assert!(path.ends_with("tessbackdrop_sector12_camera1_ccd3.fits"));
/// model.save(&path, Format::Fits, false)?;
/// assert_eq!(Model::load(&path)?, model);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The sector, camera and CCD of the frames.
    pub target: Target,
    /// The science area that was fitted, (rows, columns) from row 0 and column 0 on.
    pub shape: (usize, usize),
    /// The name of the preset, `standard` or `classic`, or whatever the designs were taken from.
    pub preset: String,
    /// The blocks of the design matrix A1 with their priors.
    pub design1: String,
    /// The blocks of the design matrix A2 with their priors.
    pub design2: String,
    /// Powers of the row in the strap block.
    pub strap_npoly: usize,
    /// Knots along each side in the spline block.
    pub nknots: usize,
    /// The seed of the draw of jitter and background pixels.
    pub seed: u64,
    /// Quality flags that keep a frame from being fitted.
    pub quality_bitmask: u32,
    /// Quality flags that keep a frame out of the average frame.
    pub average_bitmask: u32,
    /// Name and version of the program that fitted the model, such as `backdrop 0.1.0`.
    pub software: String,
    /// What the fit ran on.
    pub backend: String,
    /// Start of each exposure, in BTJD days.
    pub tstart: Vec<f64>,
    /// End of each exposure, in BTJD days.
    pub tstop: Vec<f64>,
    /// Quality flags of each frame, 8192 for a blown-out one included.
    pub quality: Vec<u32>,
    /// Weights of A1 for log10 of the flux, (frames, columns of A1).
    pub weights1: Array2<f64>,
    /// Weights of A2 for the residual flux, (frames, columns of A2).
    pub weights2: Array2<f64>,
    /// Jitter components, (frames, components); may have no columns.
    pub jitter: Array2<f64>,
    /// Background components, (frames, components); may have no columns.
    pub background: Array2<f64>,
    /// The average frame, (rows, columns), in electrons/s.
    pub average_frame: Array2<f64>,
    /// The pixels that the jitter components come from, (row, column) in the science area.
    pub jitter_pixels: Vec<(u32, u32)>,
    /// The pixels that the background components come from, (row, column) in the science area.
    pub background_pixels: Vec<(u32, u32)>,
    /// Standard deviation of a clean pixel about the model in each frame, in electrons/s: 1.4826
    /// times the median absolute residual of the background pixels. NaN where it is not known.
    pub scatter: Vec<f64>,
    /// The name of the table of asteroids that were masked; empty if there was none.
    pub asteroids: String,
    /// The names of the files that the frames were read from.
    pub input_files: Vec<String>,
    /// Pixels that no star touches are true, (rows, columns).
    pub star_mask: Array2<bool>,
    /// Pixels that no saturated star touches are true, (rows, columns).
    pub saturation_mask: Array2<bool>,
}

impl Model {
    /// The name that the model's file has by convention; see [`file_name`].
    #[must_use]
    pub fn file_name(&self, format: Format) -> String {
        file_name(self.target, format)
    }

    /// Finds out whether a model can be saved at `path` later, so that a fit whose
    /// result could not be saved is not begun.
    ///
    /// # Errors
    /// [`Error::OutputExists`] if something is there and `overwrite` is not given;
    /// [`Error::InvalidArgument`] if it is no regular file; [`Error::NoSuchDirectory`]
    /// if there is no directory to put it in; [`Error::Io`] if no file can be made in
    /// that directory.
    pub fn check_output(path: &Path, overwrite: bool) -> Result<()> {
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) || path.file_name().is_none() {
            let path = path.display();
            return Err(Error::InvalidArgument(format!("{path}: not a file that can be replaced")));
        }
        match path.parent() {
            Some(dir) if dir != Path::new("") && !dir.is_dir() => {
                Err(Error::NoSuchDirectory { path: dir.to_owned() })
            }
            // Dropped at once, which removes it.
            _ => WholeFile::create(path, overwrite).map(drop),
        }
    }

    /// Writes the model to `path`, which appears whole or not at all.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the parts of the model contradict one another;
    /// as [`check_output`](Self::check_output), and [`Error::Io`] if the disk is full.
    pub fn save(&self, path: &Path, format: Format, overwrite: bool) -> Result<()> {
        self.save_with([&self.weights1, &self.weights2], path, format, overwrite)
    }

    /// Writes the model with weights of A1 and A2 that are not its own.
    ///
    /// # Errors
    /// As [`save`](Self::save), and those of the weights.
    pub(crate) fn save_with(
        &self,
        weights: [&dyn Rows; 2],
        path: &Path,
        format: Format,
        overwrite: bool,
    ) -> Result<()> {
        Self::check_output(path, overwrite)?;
        let rows = weights.map(|weights| weights.shape().0);
        self.check(rows).and_then(|()| self.check_images()).map_err(|reason| {
            Error::InvalidArgument(format!("{}: no model to save: {reason}", path.display()))
        })?;
        match format {
            Format::Fits => fits::save(self, weights, path, overwrite),
            Format::Npz => npz::save(self, weights, path, overwrite),
        }
    }

    /// Reads the model in the file at `path`, of either format, which the first
    /// bytes of the file tell.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Fits`], [`Error::Truncated`] or
    /// [`Error::MissingKeyword`] if the file cannot be read or is damaged;
    /// [`Error::NotAModel`] if it holds something else or its parts contradict one
    /// another.
    pub fn load(path: &Path) -> Result<Self> {
        let (model, [weights1, weights2]) = Self::read(path, true, fits::read_image, |weights| weights)?;
        Ok(Self { weights1, weights2, ..model })
    }

    /// Reads a model whose weights are no part of it, and these, by `in_fits` from an HDU of a FITS file. An npz file is read
    /// as a whole, with the images or without, and `in_memory` takes its weights.
    fn read<W: Rows>(
        path: &Path,
        images: bool,
        in_fits: impl Fn(&mut Reader, usize) -> Result<W>,
        in_memory: impl Fn(Array2<f64>) -> W,
    ) -> Result<(Self, [W; 2])> {
        let (model, weights) = match Kind::of(path)?.0 {
            Kind::Fits => fits::read(path, images, in_fits)?,
            Kind::Zip => {
                let (model, weights) = npz::read(path)?;
                (model, weights.map(in_memory))
            }
            Kind::Gzip => return Err(not_a_model(path, "it is compressed by gzip; unpack it")),
            Kind::Other => return Err(not_a_model(path, "neither FITS nor npz")),
        };
        let rows = weights.each_ref().map(|weights| weights.shape().0);
        let checked = model.check(rows).and_then(|()| if images { model.check_images() } else { Ok(()) });
        checked.map_err(|reason| not_a_model(path, reason))?;
        Ok((model, weights))
    }

    /// The middle of each exposure, in BTJD days.
    #[must_use]
    pub fn middles(&self) -> Vec<f64> {
        self.tstart.iter().zip(&self.tstop).map(|(start, stop)| 0.5 * (start + stop)).collect()
    }

    /// Refuses data of another sector, camera or CCD than the model's.
    ///
    /// # Errors
    /// [`Error::WrongTarget`], which names both.
    pub fn check_target(&self, data: Target) -> Result<()> {
        if self.target == data { Ok(()) } else { Err(Error::WrongTarget { model: self.target, data }) }
    }

    /// What contradicts what, if anything does, with so many rows of weights of A1 and A2.
    fn check(&self, [weights1, weights2]: [usize; 2]) -> std::result::Result<(), String> {
        let Target { sector: _, camera, ccd } = self.target;
        if !(1..=4).contains(&camera) || !(1..=4).contains(&ccd) {
            return Err(format!("there is no {}", self.target));
        }
        let frames = self.tstart.len();
        for (name, rows) in [
            ("tstop", self.tstop.len()),
            ("quality", self.quality.len()),
            ("weights1", weights1),
            ("weights2", weights2),
            ("jitter", self.jitter.nrows()),
            ("background", self.background.nrows()),
            ("scatter", self.scatter.len()),
        ] {
            if rows != frames {
                return Err(format!("{frames} frames have a tstart, but {rows} a {name}"));
            }
        }
        if let Some(scatter) = self.scatter.iter().find(|&&scatter| scatter < 0.0) {
            return Err(format!(
                "a frame has a scatter of {scatter:?} electrons/s, which cannot be negative"
            ));
        }
        let times = self.tstart.iter().zip(&self.quality);
        if times.clone().any(|(tstart, quality)| tstart.is_nan() && quality & UNREADABLE == 0) {
            return Err("a frame that could be read has no tstart".into());
        }
        if !times.map(|(tstart, _)| tstart).filter(|tstart| !tstart.is_nan()).is_sorted() {
            return Err("the frames are not sorted by tstart".into());
        }
        if self.shape.0 > CCD_SIZE || self.shape.1 > CCD_SIZE {
            let (rows, columns) = self.shape;
            return Err(format!("the average frame has {rows} x {columns} pixels, more than a CCD has"));
        }
        for (row, column) in self.jitter_pixels.iter().chain(&self.background_pixels) {
            if *row as usize >= self.shape.0 || *column as usize >= self.shape.1 {
                return Err(format!("pixel ({row}, {column}) is outside of the science area"));
            }
        }
        if let Some(name) = self.input_files.iter().find(|name| encode(name).len() > LONGEST_TEXT) {
            return Err(format!("no file has a name as long as {}", quoted(name)));
        }
        Ok(())
    }

    /// Which image has not the shape of the others, if there is one.
    fn check_images(&self) -> std::result::Result<(), String> {
        for (name, shape) in [
            ("average frame", self.average_frame.dim()),
            ("star mask", self.star_mask.dim()),
            ("saturation mask", self.saturation_mask.dim()),
        ] {
            if shape != self.shape {
                let ((rows, columns), (needed_rows, needed_columns)) = (shape, self.shape);
                return Err(format!(
                    "the {name} has {rows} x {columns} pixels, not {needed_rows} x {needed_columns}"
                ));
            }
        }
        Ok(())
    }
}

/// The error for a file that holds something else.
fn not_a_model(path: &Path, reason: impl Into<String>) -> Error {
    Error::NotAModel { path: PathBuf::from(path), reason: reason.into() }
}
