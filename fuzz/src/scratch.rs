//! Files for targets to read, in a directory that goes away, in memory where there is such a place.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// A new directory.
///
/// # Panics
/// If none can be made.
#[must_use]
pub fn new() -> TempDir {
    let memory = Path::new("/dev/shm");
    let builder = || tempfile::Builder::new().prefix("backdrop-fuzz-").to_owned();
    let made = if memory.is_dir() { builder().tempdir_in(memory) } else { builder().tempdir() };
    made.expect("a directory for temporary files")
}

/// Sets the directory that all targets of this process use, once.
///
/// # Panics
/// If there is one already.
pub fn set(directory: &Path) {
    DIRECTORY.set(directory.to_owned()).expect("one directory for a process");
}

/// Where a file of a name is.
///
/// # Panics
/// If no directory was [`set`].
#[must_use]
pub fn path(name: &str) -> PathBuf {
    DIRECTORY.get().expect("a directory is set").join(name)
}

/// Writes a file; gives its path.
///
/// # Panics
/// If it cannot be written.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = path(name);
    std::fs::write(&path, bytes).expect("a temporary file");
    path
}
