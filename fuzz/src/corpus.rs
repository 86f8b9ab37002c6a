//! Inputs that are kept in the repository, those with many blanks compressed.
//!
//! `corpus/TARGET/` has those to begin with, `regressions/TARGET/` those that were a fault once.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// The ending of inputs that are compressed for the repository; not that of frames.
const COMPRESSED: &str = "gz";

/// The directory of this crate.
#[must_use]
pub fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An input and where it is from.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// All inputs of a target in the repository, in the order of their names.
///
/// # Errors
/// If one cannot be read.
pub fn load(target: &str) -> io::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for kind in ["corpus", "regressions"] {
        inputs.extend(load_from(&home().join(kind).join(target))?);
    }
    Ok(inputs)
}

/// All inputs in a directory, in the order of their names; none if there is no such directory.
///
/// # Errors
/// If one cannot be read.
pub fn load_from(directory: &Path) -> io::Result<Vec<Input>> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(|path| Ok(Input { bytes: read(&path)?, path })).collect()
}

/// The bytes of an input.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    if path.extension().is_none_or(|extension| extension != COMPRESSED) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// Writes an input to `directory`, which is made if need be, compressed if that makes it much
/// smaller; gives its path.
///
/// # Errors
/// If it cannot be written.
pub fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    let packed = packed.finish()?;
    if bytes.len() > 2000 && packed.len() < bytes.len() / 2 {
        let path = directory.join(format!("{name}.{COMPRESSED}"));
        fs::write(&path, packed)?;
        return Ok(path);
    }
    let path = directory.join(name);
    fs::write(&path, bytes)?;
    Ok(path)
}

/// A name for an input by its bytes (FNV-1a of Fowler, Noll and Vo).
#[must_use]
pub fn name_of(bytes: &[u8]) -> String {
    let hash = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash))
}
