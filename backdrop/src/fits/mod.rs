//! The floor between this crate and CFITSIO: FITS files read and written safely.
//!
//! FITS is the Flexible Image Transport System, standard version 4.0 (IAU FITS
//! Working Group, 2018). CFITSIO does the parsing, the numeric conversions
//! (`BITPIX`, `BSCALE`, `BZERO`, `BLANK`), tile compression and checksums; this
//! module owns its file handles and turns its status codes into errors.
//!
//! - [`Reader`] opens a file on disk by its literal name (CFITSIO's extended
//!   file-name syntax, where `[`, `+` and `(` have meanings, is never parsed), or
//!   bytes in memory.
//! - [`Writer`] builds a file in memory, checksums included, without dates: the
//!   same content gives the same bytes. It also changes parts of a file that is there.
//! - [`ImageHdu`] writes an image that is larger than memory should hold to its place in a file,
//!   part by part, with the bytes that a [`Writer`] would give it.
//!
//! A handle belongs to one thread. Several threads read at once by opening a
//! handle each: the bundled CFITSIO is built reentrant.
#![expect(unsafe_code, reason = "CFITSIO is a C library; this folder is where its calls become safe")]

mod card;
mod checksum;
mod edit;
mod form;
mod image;
mod in_file;
mod intact;
mod layout;
mod read;
mod text;
mod tiles;
mod write;

#[cfg(test)]
pub(crate) mod handmade;
#[cfg(test)]
mod tests;

use std::ffi::{CString, c_char, c_int};
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use fitsio::sys;

use crate::error::{Error, Result};
#[cfg(test)]
pub(crate) use checksum::Checksum;
pub(crate) use image::{ImageHdu, write_at};
pub(crate) use in_file::InFile;
pub(crate) use read::{Image, LONGEST_TEXT, Reader};
pub(crate) use text::{decode, encode};
pub(crate) use write::{Column, Values, Writer};

/// A FITS file is a sequence of blocks of this many bytes (FITS standard, section 3.1).
pub(crate) const BLOCK: usize = 2880;

/// Room for any of CFITSIO's error texts (`FLEN_STATUS` is 31) and header values
/// (`FLEN_VALUE` 71, `FLEN_COMMENT` 73).
const TEXT_LEN: usize = 81;

/// What the first bytes of a file say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A FITS file, stored as it is (perhaps with compressed images inside).
    Fits,
    /// A file compressed by gzip.
    Gzip,
    /// A zip archive, such as NumPy's `.npz`.
    Zip,
    /// Anything else.
    Other,
}

impl Kind {
    /// Looks at the first bytes of the file at `path`; gives its size in bytes, too.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no such regular file or it cannot be read.
    pub fn of(path: &Path) -> Result<(Self, u64)> {
        let (mut file, metadata) = open_regular(path)?;
        Ok((Self::of_file(path, &mut file)?, metadata.len()))
    }

    /// Looks at the first bytes of an open file.
    fn of_file(path: &Path, file: &mut File) -> Result<Self> {
        let mut start = Vec::new();
        file.take(9).read_to_end(&mut start).map_err(Error::io(path))?;
        Ok(match start.as_slice() {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            b"SIMPLE  =" => Self::Fits,
            _ => Self::Other,
        })
    }
}

/// Opens the file at `path` for reading, if it is a regular one: opening a named pipe would wait for
/// its other end, and a device may do anything.
///
/// # Errors
/// [`Error::Io`] if it is not, or cannot be opened.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    let regular = |metadata: Metadata| {
        let reason = || std::io::Error::other("not a regular file");
        if metadata.is_file() { Ok(metadata) } else { Err(Error::io(path)(reason())) }
    };
    regular(std::fs::metadata(path).map_err(Error::io(path))?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    // It may have become a pipe since.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(Error::io(path))?;
    let metadata = regular(file.metadata().map_err(Error::io(path))?)?;
    Ok((file, metadata))
}

/// A number type that CFITSIO converts pixels and table cells to and from.
///
/// # Safety
/// `TYPE` must be CFITSIO's code for exactly this type's size and representation.
pub(crate) unsafe trait Number: bytemuck::Pod + Send + Sync {
    /// CFITSIO's code of the type in memory.
    const TYPE: c_int;
    /// The type's own form in a file, as the `BITPIX` of an image.
    const BITPIX: c_int;
    /// The type's own form in a file, as the `TFORM` of a table column.
    const FORM: &'static str;
    /// The value of which `self` has the bytes as they stand in a file.
    fn in_native_order(self) -> Self;
}

// SAFETY: TBYTE is an unsigned 8-bit integer.
unsafe impl Number for u8 {
    const TYPE: c_int = sys::TBYTE as c_int;
    const BITPIX: c_int = 8;
    const FORM: &'static str = "B";
    fn in_native_order(self) -> Self {
        self
    }
}

// SAFETY: TINT is a C int, which has 32 bits wherever CFITSIO is built.
unsafe impl Number for i32 {
    const TYPE: c_int = sys::TINT as c_int;
    const BITPIX: c_int = 32;
    const FORM: &'static str = "J";
    fn in_native_order(self) -> Self {
        Self::from_be(self)
    }
}

// SAFETY: TFLOAT is a C float, IEEE 754 single precision.
unsafe impl Number for f32 {
    const TYPE: c_int = sys::TFLOAT as c_int;
    const BITPIX: c_int = -32;
    const FORM: &'static str = "E";
    fn in_native_order(self) -> Self {
        Self::from_bits(u32::from_be(self.to_bits()))
    }
}

// SAFETY: TDOUBLE is a C double, IEEE 754 double precision.
unsafe impl Number for f64 {
    const TYPE: c_int = sys::TDOUBLE as c_int;
    const BITPIX: c_int = -64;
    const FORM: &'static str = "D";
    fn in_native_order(self) -> Self {
        Self::from_bits(u64::from_be(self.to_bits()))
    }
}

/// What the header says of a column of a table.
#[derive(Debug)]
struct Field {
    /// Its place, counted from 1.
    number: c_int,
    /// CFITSIO's code of the type of its values.
    kind: c_int,
    /// Values a row; of text, characters a row.
    repeat: usize,
    /// Bytes of a value; of text, characters of one.
    width: usize,
}

/// An open CFITSIO file, closed when dropped, and the path that errors name.
#[derive(Debug)]
struct Handle {
    file: NonNull<sys::fitsfile>,
    path: PathBuf,
}

impl Handle {
    /// Runs `open`, which stores a file pointer and a status.
    fn open(path: &Path, open: impl FnOnce(&mut *mut sys::fitsfile, &mut c_int)) -> Result<Self> {
        let (mut file, mut status) = (std::ptr::null_mut(), 0);
        open(&mut file, &mut status);
        match NonNull::new(file) {
            Some(file) if status == 0 => Ok(Self { file, path: path.to_owned() }),
            _ => Err(fits_error(path, "cannot open the file", status)),
        }
    }

    /// Runs `call`, one CFITSIO call on this file, and turns its status into a
    /// result; `what` completes an error message, such as `cannot read keyword CCD`.
    fn call(&self, what: &str, call: impl FnOnce(*mut sys::fitsfile, &mut c_int)) -> Result<()> {
        match self.status(call) {
            0 => Ok(()),
            status => Err(fits_error(&self.path, what, status)),
        }
    }

    /// What the header of the current table, which messages call `table`, says of a column.
    fn field(&self, name: &str, table: &str) -> Result<Field> {
        let c_name = c_name(name);
        let (mut number, mut kind, mut repeat, mut width) = (0, 0, 0, 0);
        self.call(&format!("cannot find column {name} of {table}"), |file, status| {
            // SAFETY: the name is only read (the parameter lacks a `const`); then addresses of
            // the integer types that CFITSIO stores to.
            unsafe {
                let c_name = c_name.as_ptr().cast_mut();
                sys::ffgcno(file, sys::CASEINSEN as c_int, c_name, &mut number, status);
                sys::ffgtclll(file, number, &mut kind, &mut repeat, &mut width, status);
            }
        })?;
        usize::try_from(repeat)
            .and_then(|repeat| Ok(Field { number, kind, repeat, width: usize::try_from(width)? }))
            .map_err(|_| {
                let message = format!("{table}: column {name} has an impossible width");
                Error::Fits { path: self.path.clone(), message }
            })
    }

    /// Runs `call` and gives its status, for calls where not all failures are errors.
    fn status(&self, call: impl FnOnce(*mut sys::fitsfile, &mut c_int)) -> c_int {
        let mut status = 0;
        call(self.file.as_ptr(), &mut status);
        status
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: the pointer came from a successful open and is closed only here.
        unsafe { sys::ffclos(self.file.as_ptr(), &mut status) };
    }
}

/// CFITSIO's own words for `status`, after what was being done.
///
/// Only the text of the status is used: CFITSIO's stack of longer messages is
/// shared by all threads, so it may speak of another file.
fn fits_error(path: &Path, what: &str, status: c_int) -> Error {
    let mut text = [0; TEXT_LEN];
    // SAFETY: CFITSIO writes at most FLEN_STATUS = 31 characters, NUL included.
    unsafe { sys::ffgerr(status, text.as_mut_ptr()) };
    let text = text_of(&text);
    Error::Fits { path: path.to_owned(), message: format!("{what}: {text} (CFITSIO status {status})") }
}

/// The text in a buffer that C filled: up to the first NUL, any byte that is not ASCII replaced.
fn text_of(buffer: &[c_char]) -> String {
    let text = buffer.iter().take_while(|&&c| c != 0);
    text.map(|&c| u8::try_from(c).map_or('?', char::from)).collect()
}

/// A keyword or other name of our own as a C string.
fn c_name(name: &str) -> CString {
    CString::new(name).expect("names in this crate have no NUL")
}
