//! The model as an npz file, a zip archive of NumPy arrays.
//!
//! | array | content |
//! |---|---|
//! | `arr_0`, `weights_basic` | weights of A1, (frames, columns), f64 |
//! | `arr_1`, `weights_full` | weights of A2, (frames, columns), f64 |
//! | `tstart`, `tstop` | start and end of each exposure, BTJD days, f64 |
//! | `quality` | quality flags of each frame, u32 |
//! | `jitter`, `background` | components, (frames, components), f64 |
//! | `average_frame` | (rows, columns), electrons/s, f64 |
//! | `jitter_pixels`, `background_pixels` | (pixels, 2): row and column, u32 |
//! | `scatter` | of a clean pixel about the model in each frame, electrons/s, f64 |
//! | `star_mask`, `saturation_mask` | (rows, columns), bool, true = keep |
//! | `metadata` | the rest as JSON text, its UTF-8 bytes as u8 |
//!
//! The weights are there twice, because NumPy users know them by position, which
//! `savez` calls `arr_0` and `arr_1`, and by name. Reading takes either.
//!
//! ```python
//! model = np.load("tessbackdrop_sector12_camera1_ccd3.npz")
//! sector = json.loads(model["metadata"].tobytes())["sector"]
//! ```

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use ndarray::{Array1, Array2, ArrayView1, Dimension, Ix1, Ix2, aview1};
use ndarray_npy::{NpzWriter, ReadNpyExt, ReadableElement, WriteNpyError, WriteNpyExt, WriteNpzError};
use serde::{Deserialize, Serialize};
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Model, Rows, not_a_model};
use crate::error::{Error, Result};
use crate::output::WholeFile;
use crate::source::Target;

/// Deflate makes at most 1032 bytes of one (zlib, technical details), so an entry
/// that declares more is damaged.
const MAX_EXPANSION: u64 = 1032;

/// Bytes of the largest numbers that are read.
const LARGEST_ELEMENT: usize = size_of::<f64>();

/// NumPy refuses longer headers, too (`max_header_size` of `numpy.load`).
const MAX_NPY_HEADER: usize = 10_000;

/// What of a model is no array.
#[derive(Serialize, Deserialize)]
struct Metadata {
    sector: u32,
    camera: u8,
    ccd: u8,
    preset: String,
    design1: String,
    design2: String,
    strap_npoly: usize,
    nknots: usize,
    seed: u64,
    quality_bitmask: u32,
    average_bitmask: u32,
    software: String,
    backend: String,
    #[serde(default)]
    asteroids: String,
    input_files: Vec<String>,
}

/// Writes the file, which appears whole or not at all. Weights go to the disk in parts.
pub(super) fn save(model: &Model, weights: [&dyn Rows; 2], path: &Path, overwrite: bool) -> Result<()> {
    let Target { sector, camera, ccd } = model.target;
    let metadata = Metadata {
        sector,
        camera,
        ccd,
        preset: model.preset.clone(),
        design1: model.design1.clone(),
        design2: model.design2.clone(),
        strap_npoly: model.strap_npoly,
        nknots: model.nknots,
        seed: model.seed,
        quality_bitmask: model.quality_bitmask,
        average_bitmask: model.average_bitmask,
        software: model.software.clone(),
        backend: model.backend.clone(),
        asteroids: model.asteroids.clone(),
        input_files: model.input_files.clone(),
    };
    let metadata = serde_json::to_vec_pretty(&metadata)
        .map_err(|error| Error::Io { path: path.to_owned(), source: error.into() })?;
    let file = WholeFile::create(path, overwrite)?;
    archive(model, weights, &metadata, file).map_err(io_error).map_err(Error::io(path))?.finish()
}

fn archive<W: Write + Seek>(
    model: &Model,
    weights: [&dyn Rows; 2],
    metadata: &[u8],
    file: W,
) -> std::result::Result<W, WriteNpzError> {
    let [weights1, weights2] = weights.map(Streamed);
    let mut file = NpzWriter::new(file);
    file.add_array("arr_0", &weights1)?;
    file.add_array("arr_1", &weights2)?;
    file.add_array("weights_basic", &weights1)?;
    file.add_array("weights_full", &weights2)?;
    file.add_array("tstart", &aview1(&model.tstart))?;
    file.add_array("tstop", &aview1(&model.tstop))?;
    file.add_array("quality", &aview1(&model.quality))?;
    file.add_array("jitter", &model.jitter)?;
    file.add_array("background", &model.background)?;
    file.add_array("average_frame", &model.average_frame)?;
    file.add_array("jitter_pixels", &positions(&model.jitter_pixels))?;
    file.add_array("background_pixels", &positions(&model.background_pixels))?;
    file.add_array("scatter", &aview1(&model.scatter))?;
    file.add_array("star_mask", &model.star_mask)?;
    file.add_array("saturation_mask", &model.saturation_mask)?;
    file.add_array("metadata", &ArrayView1::from(metadata))?;
    file.finish()
}

/// The error of the system that writing an archive has failed with, as far as there is one.
fn io_error(error: WriteNpzError) -> io::Error {
    match error {
        WriteNpzError::Zip(ZipError::Io(error)) | WriteNpzError::Npy(WriteNpyError::Io(error)) => error,
        error => io::Error::other(error),
    }
}

/// Rows that are written without being in memory all at once.
struct Streamed<'a>(&'a dyn Rows);

impl WriteNpyExt for Streamed<'_> {
    fn write_npy<W: Write>(&self, mut writer: W) -> std::result::Result<(), WriteNpyError> {
        let (rows, columns) = self.0.shape();
        writer.write_all(&npy_header(rows, columns))?;
        let written = self.0.in_parts(&mut |part| {
            let bytes: Vec<u8> = part.iter().flat_map(|number| number.to_le_bytes()).collect();
            writer.write_all(&bytes).map_err(Error::io(Path::new("")))
        });
        match written {
            // The path is added where it is known.
            Err(Error::Io { source, .. }) => Err(source.into()),
            written => written.map_err(|error| io::Error::other(error).into()),
        }
    }
}

/// The header of an array of double precision in row-major order (NumPy Enhancement Proposal 1).
fn npy_header(rows: usize, columns: usize) -> Vec<u8> {
    /// Data begin at a multiple of this.
    const ALIGNMENT: usize = 64;
    const PREFIX: usize = 10;
    let mut text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns})}}");
    // With at least one blank, as NumPy pads it.
    let length = (PREFIX + text.len() + 2).next_multiple_of(ALIGNMENT) - PREFIX;
    text.extend(std::iter::repeat_n(' ', length - 1 - text.len()));
    text.push('\n');
    [b"\x93NUMPY\x01\x00".as_slice(), &(length as u16).to_le_bytes(), text.as_bytes()].concat()
}

fn positions(pixels: &[(u32, u32)]) -> Array2<u32> {
    Array2::from_shape_fn(
        (pixels.len(), 2),
        |(pixel, axis)| {
            if axis == 0 { pixels[pixel].0 } else { pixels[pixel].1 }
        },
    )
}

/// Reads the file at `path`, whose parts may still contradict one another: the model without its weights, and these.
pub(super) fn read(path: &Path) -> Result<(Model, [Array2<f64>; 2])> {
    let mut file = Archive::open(path)?;
    let weights = [file.either("weights_basic", "arr_0")?, file.either("weights_full", "arr_1")?];
    let metadata: Array1<u8> = file.array::<_, Ix1>("metadata")?;
    let metadata: Metadata = serde_json::from_slice(&metadata.to_vec())
        .map_err(|error| not_a_model(path, format!("its metadata cannot be read: {}", brief(&error))))?;
    let average_frame: Array2<f64> = file.array::<_, Ix2>("average_frame")?;
    let model = Model {
        target: Target { sector: metadata.sector, camera: metadata.camera, ccd: metadata.ccd },
        shape: average_frame.dim(),
        preset: metadata.preset,
        design1: metadata.design1,
        design2: metadata.design2,
        strap_npoly: metadata.strap_npoly,
        nknots: metadata.nknots,
        seed: metadata.seed,
        quality_bitmask: metadata.quality_bitmask,
        average_bitmask: metadata.average_bitmask,
        software: metadata.software,
        backend: metadata.backend,
        tstart: file.array::<_, Ix1>("tstart")?.to_vec(),
        tstop: file.array::<_, Ix1>("tstop")?.to_vec(),
        quality: file.array::<_, Ix1>("quality")?.to_vec(),
        weights1: Array2::default((0, 0)),
        weights2: Array2::default((0, 0)),
        jitter: file.array::<_, Ix2>("jitter")?,
        background: file.array::<_, Ix2>("background")?,
        average_frame,
        jitter_pixels: file.pixels("jitter_pixels")?,
        background_pixels: file.pixels("background_pixels")?,
        scatter: file.array::<_, Ix1>("scatter")?.to_vec(),
        asteroids: metadata.asteroids,
        input_files: metadata.input_files,
        star_mask: file.array::<_, Ix2>("star_mask")?,
        saturation_mask: file.array::<_, Ix2>("saturation_mask")?,
    };
    Ok((model, weights))
}

/// An npz file that is open for reading.
struct Archive<'a> {
    path: &'a Path,
    size: u64,
    zip: ZipArchive<BufReader<File>>,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let size = file.metadata().map_err(Error::io(path))?.len();
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| zip_error(path, error))?;
        Ok(Self { path, size, zip })
    }

    /// The first of two arrays that is there.
    fn either(&mut self, name: &str, other: &str) -> Result<Array2<f64>> {
        let has_name = self.zip.index_for_name(&format!("{name}.npy")).is_some();
        self.array::<_, Ix2>(if has_name { name } else { other })
    }

    /// The array called `name`.
    fn array<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> Result<ndarray::Array<T, D>> {
        let bytes = self.entry(&format!("{name}.npy"))?;
        let refused = |reason: String| not_a_model(self.path, format!("its array {name} {reason}"));
        // Compared before the library trusts the header and asks for memory.
        let declared = declared_elements(&bytes).and_then(|count| count.checked_mul(size_of::<T>()));
        if declared.is_none_or(|declared| declared > bytes.len()) {
            return Err(refused("is damaged".into()));
        }
        ndarray::Array::read_npy(bytes.as_slice())
            .map_err(|error| refused(format!("cannot be read: {}", brief(&error))))
    }

    /// An array of (row, column).
    fn pixels(&mut self, name: &str) -> Result<Vec<(u32, u32)>> {
        let positions: Array2<u32> = self.array::<_, Ix2>(name)?;
        if positions.ncols() != 2 {
            let reason = format!("its array {name} has {} columns, not 2", positions.ncols());
            return Err(not_a_model(self.path, reason));
        }
        Ok(positions.rows().into_iter().map(|position| (position[0], position[1])).collect())
    }

    /// The bytes of an entry, whose checksum is right.
    fn entry(&mut self, name: &str) -> Result<Vec<u8>> {
        let entry = match self.zip.by_name(name) {
            Err(ZipError::FileNotFound) => {
                return Err(not_a_model(self.path, format!("there is no {name} in it")));
            }
            entry => entry.map_err(|error| zip_error(self.path, error))?,
        };
        let size = entry.size();
        if size > entry.compressed_size().min(self.size).saturating_mul(MAX_EXPANSION) {
            return Err(not_a_model(self.path, format!("its entry {name} is damaged")));
        }
        let mut bytes = Vec::new();
        entry.take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io(self.path))?;
        Ok(bytes)
    }
}

/// The number of elements that the header of a NumPy array declares
/// (NumPy Enhancement Proposal 1), if it can be found.
fn declared_elements(npy: &[u8]) -> Option<usize> {
    let rest = npy.strip_prefix(b"\x93NUMPY")?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u32::from_le_bytes([*a, *b, 0, 0]), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        _ => return None,
    };
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_NPY_HEADER)?;
    let header = std::str::from_utf8(rest.get(..length)?).ok()?;
    // Exactly one shape, or the library might read another one than this.
    let (before, after) = header.split_once("shape")?;
    if before.contains('\\') || after.contains("shape") || after.contains('\\') {
        return None;
    }
    let shape = after.split_once('(')?.1.split_once(')')?.0;
    let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
    let lengths: Vec<usize> = lengths.map(|length| length.parse().ok()).collect::<Option<_>>()?;
    // Even where one of them is 0, the library counts on the others to fit into memory together.
    let others = lengths.iter().try_fold(1_usize, |count, &length| count.checked_mul(length.max(1)))?;
    isize::try_from(others.checked_mul(LARGEST_ELEMENT)?).ok()?;
    Some(lengths.iter().product())
}

/// The error for an archive that cannot be read.
fn zip_error(path: &Path, error: ZipError) -> Error {
    match error {
        ZipError::Io(source) => Error::Io { path: path.to_owned(), source },
        error => not_a_model(path, format!("a zip archive that cannot be read: {}", brief(&error))),
    }
}

/// What a library says of a file, which may go on with what it has found there, whatever that is: the
/// start of the first line.
fn brief(error: &impl std::fmt::Display) -> String {
    const LONGEST: usize = 200;
    let message = error.to_string();
    let letters = message.lines().next().unwrap_or_default().chars().take(LONGEST);
    letters.map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_the_library_writes_an_array() {
        let shapes = [(0, 3), (3, 0), (1, 1), (2, 7), (1000, 200), (1, 300_000), (100_000, 1)];
        for (rows, columns) in shapes.into_iter().chain((0..70).map(|digits| (0, 10_usize.pow(digits / 4)))) {
            let table = Array2::from_shape_fn((rows, columns), |(row, column)| (row * 1000 + column) as f64);
            let (mut streamed, mut whole) = (Vec::new(), Vec::new());
            Streamed(&table).write_npy(&mut streamed).unwrap();
            table.write_npy(&mut whole).unwrap();
            assert!(streamed == whole, "{rows} x {columns}");
        }
    }
}
