//! Reading files compressed by gzip (RFC 1952), bounded in memory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};

/// Bytes that room is made for before any are there: those of the image of a whole CCD, and more. A
/// header may declare any number.
const ROOM: usize = 32 << 20;

/// The first `limit` uncompressed bytes of the file at `path`, or fewer if it has fewer.
///
/// # Errors
/// [`Error::Io`] if it cannot be read or the compressed data are corrupt up to there.
pub(super) fn first_bytes(path: &Path, limit: usize) -> Result<Vec<u8>> {
    Ok(decompress(path, limit)?.0)
}

/// The first `length` uncompressed bytes of the file at `path`, after the whole
/// file has been found intact by its own checksum.
///
/// # Errors
/// [`Error::Io`] if it cannot be read or the compressed data are corrupt anywhere;
/// [`Error::Truncated`] if it holds fewer bytes.
pub(super) fn intact_bytes(path: &Path, length: usize) -> Result<Vec<u8>> {
    let (bytes, mut rest) = decompress(path, length)?;
    std::io::copy(&mut rest, &mut std::io::sink()).map_err(Error::io(path))?;
    if bytes.len() < length {
        let (declared, actual) = (length as u64, bytes.len() as u64);
        return Err(Error::Truncated { path: path.to_owned(), declared, actual });
    }
    Ok(bytes)
}

/// Up to `limit` uncompressed bytes, and what comes after them.
fn decompress(path: &Path, limit: usize) -> Result<(Vec<u8>, impl Read)> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut decoder = MultiGzDecoder::new(BufReader::new(file));
    let mut bytes = Vec::with_capacity(limit.min(ROOM));
    decoder.by_ref().take(limit as u64).read_to_end(&mut bytes).map_err(Error::io(path))?;
    Ok((bytes, decoder))
}
