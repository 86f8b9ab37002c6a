//! The headers of many files at once, and what is left of a file that is no frame.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::header::HEADER_BYTES;
use super::stamp::Stamp;
use super::{FfiHeader, Layout};
use crate::error::Error;
use crate::source::Target;

/// Files that are open at once while headers are read. The time goes into waiting for the file
/// system, so that this may be more than there are cores.
const OPEN_FILES: usize = 16;

/// Why a file cannot be used as a frame, and what is known of it all the same.
///
/// Like [`FfiHeader`], it can be passed from process to process by way of serde.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The reason in words, one line that does not name the file.
    pub reason: String,
    /// What its headers say if they are sound, although the file is not.
    pub(super) exposure: Option<Exposure>,
    pub(super) stamp: Stamp,
}

/// What and when a frame is of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Exposure {
    pub target: Target,
    pub layout: Layout,
    pub tstart: f64,
    pub tstop: f64,
}

impl From<&FfiHeader> for Exposure {
    fn from(header: &FfiHeader) -> Self {
        let &FfiHeader { target, layout, tstart, tstop, .. } = header;
        Self { target, layout, tstart, tstop }
    }
}

impl Unreadable {
    /// Looks once more into the file at `path`, which gave `error`: of a file that was cut short, the
    /// headers may be there.
    #[must_use]
    pub fn new(path: &Path, error: &Error) -> Self {
        let exposure = FfiHeader::read_start(path).ok().map(|header| Exposure::from(&header));
        Self { reason: error.reason(path), exposure, stamp: Stamp::of(path).unwrap_or_default() }
    }
}

impl FfiHeader {
    /// Reads the headers of `files`, several at once, and says why where there are none.
    /// Processes may share this work: headers and reasons pass through serde, and what
    /// [`FfiSource::from_headers`](super::FfiSource::from_headers) makes of them does not depend on
    /// who read them.
    ///
    /// ```
    /// use std::path::PathBuf;
    /// use backdrop::ffi::{FfiHeader, Unreadable};
    ///
    /// let read = FfiHeader::read_all(&[PathBuf::from("no-such-file.fits")]);
    /// let bytes = serde_json::to_vec(&read)?;
    /// let received: Vec<Result<FfiHeader, Unreadable>> = serde_json::from_slice(&bytes)?;
    /// assert_eq!(received, read);
    /// assert!(read[0].as_ref().is_err_and(|error| error.reason.starts_with("No such file")));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn read_all(files: &[PathBuf]) -> Vec<std::result::Result<Self, Unreadable>> {
        of_each(files, |path| Self::read(path).map_err(|error| Unreadable::new(path, &error)))
    }

    /// What the first part of a file says that is not compressed by gzip, whether or not the rest is
    /// there.
    fn read_start(path: &Path) -> crate::error::Result<Self> {
        use std::io::Read;

        let mut bytes = Vec::new();
        let (file, _) = crate::fits::open_regular(path)?;
        file.take(HEADER_BYTES as u64).read_to_end(&mut bytes).map_err(Error::io(path))?;
        Self::parse(&mut crate::fits::Reader::open_start(path, &bytes)?)
    }
}

/// What `read` makes of each file, in their order, of several at once.
pub(super) fn of_each<T: Send>(files: &[PathBuf], read: impl Fn(&Path) -> T + Sync) -> Vec<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(OPEN_FILES.min(files.len()).max(1)).build();
    match pool {
        Ok(pool) => pool.install(|| files.par_iter().map(|path| read(path)).collect()),
        // There may be as many threads already as the system allows.
        Err(_) => files.iter().map(|path| read(path)).collect(),
    }
}
