//! Reading files compressed by gzip (RFC 1952), bounded in memory and in time.

use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::fits::open_regular;

/// Bytes that may come after the image: the uncertainties take 18 MB. A file that was made to
/// expand without end has more.
const MOST_AFTER_IMAGE: u64 = 256 << 20;

/// Bytes that room is made for before any are there: those of the image of a whole CCD, and more. A
/// header may declare any number.
const ROOM: usize = 32 << 20;

/// The first `limit` uncompressed bytes of the file at `path`, or fewer if it has fewer.
///
/// # Errors
/// [`Error::Io`] if it cannot be read or the compressed data are corrupt up to there;
/// [`Error::Array`] if there is no memory.
pub(super) fn first_bytes(path: &Path, limit: usize) -> Result<Vec<u8>> {
    Ok(decompress(path, limit)?.0)
}

/// The first `length` uncompressed bytes of the file at `path`, after the whole
/// file has been found intact by its own checksum.
///
/// # Errors
/// [`Error::Io`] if it cannot be read or the compressed data are corrupt anywhere;
/// [`Error::Truncated`] if it holds fewer bytes, [`Error::Fits`] if far more;
/// [`Error::Array`] if there is no memory.
pub(super) fn intact_bytes(path: &Path, length: usize) -> Result<Vec<u8>> {
    let (bytes, rest) = decompress(path, length)?;
    let after = std::io::copy(&mut rest.take(MOST_AFTER_IMAGE + 1), &mut std::io::sink());
    if after.map_err(Error::io(path))? > MOST_AFTER_IMAGE {
        let message =
            format!("it unpacks to over {MOST_AFTER_IMAGE} bytes after its image: no full frame image does");
        return Err(Error::Fits { path: path.to_owned(), message });
    }
    if bytes.len() < length {
        let (declared, actual) = (length as u64, bytes.len() as u64);
        return Err(Error::Truncated { path: path.to_owned(), declared, actual });
    }
    Ok(bytes)
}

/// Up to `limit` uncompressed bytes, and what comes after them.
fn decompress(path: &Path, limit: usize) -> Result<(Vec<u8>, impl Read)> {
    let mut decoder = MultiGzDecoder::new(BufReader::new(open_regular(path)?.0));
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(limit.min(ROOM)).map_err(|_| Error::out_of_memory(limit))?;
    decoder.by_ref().take(limit as u64).read_to_end(&mut bytes).map_err(Error::io(path))?;
    Ok((bytes, decoder))
}
