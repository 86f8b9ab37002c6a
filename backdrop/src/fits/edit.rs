//! Changing a FITS file, in memory: cells of tables, new columns and keywords.
//!
//! What is not touched keeps its bytes. A header-data unit (HDU) that is touched and had a
//! checksum has `CHECKSUM` and `DATASUM` renewed.

use std::ffi::{c_int, c_void};
use std::io::Cursor;
use std::path::Path;

use fitsio::sys;

use super::layout::walk;
use super::write::{Memory, STEP};
use super::{Field, Handle, Number, Writer, c_name};
use crate::error::{Error, Result};

impl Writer {
    /// A copy of the FITS file in `bytes`, to be changed; errors call it `path`.
    ///
    /// # Errors
    /// As [`Reader::open_bytes`](super::Reader::open_bytes).
    pub fn edit(path: &Path, bytes: &[u8]) -> Result<Self> {
        let hdus = walk(path, &mut Cursor::new(bytes), Some(bytes.len() as u64))?.len();
        if hdus == 0 {
            let message = "not a FITS file: it is empty".into();
            return Err(Error::Fits { path: path.to_owned(), message });
        }
        let mut memory = Box::new(Memory::copy_of(bytes).ok_or_else(|| {
            let message = format!("no memory for the {} bytes of the file", bytes.len());
            Error::Fits { path: path.to_owned(), message }
        })?);
        let (address, length) = (&raw mut memory.address, &raw mut memory.length);
        let handle = Handle::open(path, |file, status| {
            // SAFETY: the box keeps the address and length where CFITSIO was told for as long as
            // the handle lives; the block came from malloc, which realloc may enlarge.
            unsafe {
                sys::ffomem(
                    file,
                    c"memory".as_ptr(),
                    sys::READWRITE as c_int,
                    address,
                    length,
                    STEP,
                    Some(libc::realloc),
                    status,
                );
            }
        })?;
        Ok(Self { handle, memory, begun: false })
    }

    /// Moves to an HDU, counted from 0.
    ///
    /// # Errors
    /// [`Error::Fits`] if there is no such HDU or its header is malformed.
    pub fn select(&mut self, hdu: usize) -> Result<()> {
        self.close_hdu()?;
        let number = c_int::try_from(hdu + 1).unwrap_or(c_int::MAX);
        self.call(&format!("read the header of HDU {hdu}"), |file, status| {
            // SAFETY: a null pointer says that the HDU's type is not asked for.
            unsafe { sys::ffmahd(file, number, std::ptr::null_mut(), status) };
        })?;
        self.begun = [c"CHECKSUM", c"DATASUM"].into_iter().any(|keyword| {
            let status = self.handle.status(|file, status| {
                let mut value = [0; super::TEXT_LEN];
                let null = std::ptr::null_mut();
                // SAFETY: CFITSIO writes at most FLEN_VALUE = 71 characters, NUL included.
                unsafe { sys::ffgkey(file, keyword.as_ptr(), value.as_mut_ptr(), null, status) };
            });
            status == 0
        });
        Ok(())
    }

    /// Replaces all values of a column of the current table, those of the first row first.
    ///
    /// # Errors
    /// [`Error::Fits`] if there is no such column or it holds another number of values.
    pub fn replace_column<T: Number>(&mut self, name: &str, values: &[T]) -> Result<()> {
        let Field { number, repeat, .. } = self.handle.field(name, "the table")?;
        let rows = self.rows()?;
        if rows.checked_mul(repeat) != Some(values.len()) {
            let message = format!("column {name} has {rows} rows of {repeat} values, not {}", values.len());
            return Err(Error::Fits { path: self.handle.path.clone(), message });
        }
        self.column(number, values)
    }

    /// Adds a column to the current table, behind the others. Each row has an array of `shape`,
    /// slowest axis first.
    ///
    /// # Errors
    /// [`Error::Fits`] if the table has data behind its rows (a heap), or another number of rows
    /// than `values` is for.
    pub fn append_column<T: Number>(
        &mut self,
        name: &str,
        unit: &str,
        shape: &[usize],
        values: &[T],
    ) -> Result<()> {
        let refused = |message: String| Err(Error::Fits { path: self.handle.path.clone(), message });
        let (rows, repeat) = (self.rows()?, shape.iter().product::<usize>());
        if rows.checked_mul(repeat) != Some(values.len()) {
            return refused(format!("{rows} rows of {repeat} values asked for, not {}", values.len()));
        }
        let mut columns = 0;
        let mut axes: Vec<_> = shape.iter().rev().map(|&length| length as sys::LONGLONG).collect();
        let (c_column, c_unit) = (c_name(name), c_name(unit));
        let form = c_name(&format!("{repeat}{}", T::FORM));
        self.call("count the columns of the table", |file, status| {
            // SAFETY: an address of a C int.
            unsafe { sys::ffgncl(file, &mut columns, status) };
        })?;
        let number = columns + 1;
        self.call(&format!("add column {name}"), |file, status| {
            let (name, form) = (c_column.as_ptr().cast_mut(), form.as_ptr().cast_mut());
            // SAFETY: NUL-terminated strings, which are only read (the parameters lack a
            // `const`), and as many axes as are said.
            unsafe {
                sys::fficol(file, number, name, form, status);
                let count = axes.len() as c_int;
                sys::ffptdmll(file, number, count, axes.as_mut_ptr(), status);
            }
        })?;
        let keyword = c_name(&format!("TUNIT{number}"));
        self.call("write a keyword", |file, status| {
            let comment = c"physical unit of field".as_ptr();
            // SAFETY: three NUL-terminated strings.
            unsafe { sys::ffukys(file, keyword.as_ptr(), c_unit.as_ptr(), comment, status) };
        })?;
        self.column(number, values)
    }

    /// Writes a line of `HISTORY`, over as many cards as it takes.
    ///
    /// # Errors
    /// [`Error::Fits`] if there is no memory.
    pub fn history(&mut self, text: &str) -> Result<()> {
        let text = c_name(&super::text::encode(text));
        self.call("write a line of history", |file, status| {
            // SAFETY: a NUL-terminated string.
            unsafe { sys::ffphis(file, text.as_ptr(), status) };
        })
    }

    /// Moves to the last HDU, which is where the file ends.
    pub(super) fn select_last(&mut self) -> Result<()> {
        let mut hdus = 0;
        self.call("count the HDUs", |file, status| {
            // SAFETY: an address of a C int.
            unsafe {
                sys::ffthdu(file, &mut hdus, status);
                sys::ffmahd(file, hdus, std::ptr::null_mut(), status);
            }
        })
    }

    fn rows(&self) -> Result<usize> {
        let mut rows = 0;
        self.call("count the rows of the table", |file, status| {
            // SAFETY: an address of a 64-bit integer.
            unsafe { sys::ffgnrwll(file, &mut rows, status) };
        })?;
        Ok(usize::try_from(rows).unwrap_or(0))
    }
}

impl Memory {
    /// A block with a copy of `bytes`, or `None` if there is no memory.
    fn copy_of(bytes: &[u8]) -> Option<Self> {
        // SAFETY: malloc may be called with any length.
        let address: *mut c_void = unsafe { libc::malloc(bytes.len()) };
        if address.is_null() {
            return None;
        }
        // SAFETY: a new block of that length, which nothing else points into.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address.cast(), bytes.len()) };
        Some(Self { address, length: bytes.len() })
    }
}
