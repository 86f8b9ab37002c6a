//! Writing FITS files, in memory.

use std::ffi::{c_int, c_ulong, c_void};
use std::path::Path;

use fitsio::sys;

use super::{BLOCK, Handle, Number, TEXT_LEN, c_name, text::encode};
use crate::error::Result;

/// Memory is asked for in steps of this many bytes as the file grows. It has to be a block:
/// CFITSIO takes for granted that what it skips reads as zeros, but its memory driver clears
/// only what it has just asked for when it moves the end of the file. Enlarging a large
/// allocation copies nothing where the system can remap its pages.
pub(super) const STEP: usize = BLOCK;

/// A FITS file that grows in memory, one header-data unit (HDU) after another.
///
/// Keywords go to the HDU begun last. Every HDU gets the keywords `CHECKSUM` and
/// `DATASUM` (FITS standard, section 4.4.2.7).
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) handle: Handle,
    pub(super) memory: Box<Memory>,
    /// Whether there is an HDU whose checksum is still to be written.
    pub(super) begun: bool,
}

/// A column of a table.
#[derive(Debug)]
pub(crate) struct Column<'a> {
    /// The column's name (`TTYPE`).
    pub name: &'a str,
    /// The unit of its values (`TUNIT`), may be empty.
    pub unit: &'a str,
    /// Its values, one a row.
    pub values: Values<'a>,
}

/// The values of a [`Column`].
#[derive(Debug)]
pub(crate) enum Values<'a> {
    /// Double precision numbers.
    F64(&'a [f64]),
    /// 32-bit integers.
    I32(&'a [i32]),
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::I32(values) => values.len(),
        }
    }

    fn form(&self) -> &'static str {
        match self {
            Self::F64(_) => f64::FORM,
            Self::I32(_) => i32::FORM,
        }
    }
}

/// A block of C memory that CFITSIO enlarges through `realloc`.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) address: *mut c_void,
    pub(super) length: usize,
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: null, or from realloc. The writer's handle is dropped before.
        unsafe { libc::free(self.address) };
    }
}

impl Writer {
    /// An empty file, which errors call `path`. The first HDU is to be an image,
    /// which may have no axes.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn new(path: &Path) -> Result<Self> {
        let mut memory = Box::new(Memory { address: std::ptr::null_mut(), length: 0 });
        let (address, length) = (&raw mut memory.address, &raw mut memory.length);
        let handle = Handle::open(path, |file, status| {
            // SAFETY: the box keeps the address and length where CFITSIO was told for
            // as long as the handle lives; the block starts out empty, which is what
            // realloc wants a null pointer for.
            unsafe { sys::ffimem(file, address, length, STEP, Some(libc::realloc), status) };
        })?;
        Ok(Self { handle, memory, begun: false })
    }

    /// Begins an HDU with an image of `shape`, slowest axis first, and writes `pixels`.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    ///
    /// # Panics
    /// If `pixels` has another length than `shape` says.
    pub fn image<T: Number>(&mut self, name: &str, shape: &[usize], pixels: &[T]) -> Result<()> {
        let expected = if shape.is_empty() { 0 } else { shape.iter().product() };
        assert_eq!(pixels.len(), expected, "pixels of {name}");
        self.close_hdu()?;
        let mut axes: Vec<_> = shape.iter().rev().map(|&length| length as sys::LONGLONG).collect();
        let count = axes.len() as c_int;
        self.call("begin an image", |file, status| {
            // SAFETY: `axes` holds `count` lengths.
            unsafe { sys::ffcrimll(file, T::BITPIX, count, axes.as_mut_ptr(), status) };
        })?;
        self.begun = true;
        self.text("EXTNAME", name, "name of this HDU")?;
        if pixels.is_empty() {
            return Ok(());
        }
        self.call("write an image", |file, status| {
            let address = pixels.as_ptr().cast_mut().cast();
            // SAFETY: the pixels are of the type that the code names and are only
            // read (the parameter lacks a `const`).
            unsafe { sys::ffppr(file, T::TYPE, 1, pixels.len() as _, address, status) };
        })
    }

    /// Has the images that follow compressed row by row by gzip, without loss, as tiles
    /// in a table (FITS standard, section 10).
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn compress_images(&mut self) -> Result<()> {
        self.call("compress images", |file, status| {
            // SAFETY: two numbers. Quantization level 0 keeps every bit of real numbers.
            unsafe {
                sys::fits_set_compression_type(file, sys::GZIP_1 as c_int, status);
                sys::fits_set_quantize_level(file, 0.0, status);
            }
        })
    }

    /// Begins an HDU with a table of numbers.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    ///
    /// # Panics
    /// If the columns have different lengths.
    pub fn table(&mut self, name: &str, columns: &[Column]) -> Result<()> {
        let rows = columns.first().map_or(0, |column| column.values.len());
        let fields: Vec<_> =
            columns.iter().map(|column| (column.name, column.values.form(), column.unit)).collect();
        self.begin_table(name, rows, &fields)?;
        for (number, column) in (1..).zip(columns) {
            assert_eq!(column.values.len(), rows, "rows of column {}", column.name);
            match column.values {
                Values::F64(values) => self.column(number, values)?,
                Values::I32(values) => self.column(number, values)?,
            }
        }
        Ok(())
    }

    /// Begins an HDU with a table of one column of text, as printable ASCII
    /// (see [`encode`]).
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn text_table(&mut self, name: &str, column: &str, texts: &[String]) -> Result<()> {
        let texts: Vec<_> = texts.iter().map(|text| encode(text)).collect();
        // A width of 0 is legal, but not every reader knows that.
        let width = texts.iter().map(String::len).max().unwrap_or(0).max(1);
        self.begin_table(name, texts.len(), &[(column, &format!("{width}A"), "")])?;
        let mut bytes: Vec<u8> = Vec::with_capacity(width * texts.len());
        for text in &texts {
            bytes.extend(text.bytes().chain(std::iter::repeat_n(b' ', width - text.len())));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.call("write a table", |file, status| {
            // SAFETY: `bytes` holds that many bytes, as many as the table's rows do.
            unsafe { sys::ffptbb(file, 1, 1, bytes.len() as _, bytes.as_mut_ptr(), status) };
        })
    }

    /// Writes a keyword whose value is text, over as many cards as it takes, in place of its
    /// former value if there is one.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn text(&mut self, keyword: &str, value: &str, comment: &str) -> Result<()> {
        /// Characters of a card between the quotes of a value.
        const ROOM: usize = 68;
        let mut value = encode(value);
        // In a card a quote is two of them. CFITSIO divides a text among cards by another count than it
        // writes them by: it loses some, and comes to no end where there are 68 in a row.
        if value.len() + value.matches('\'').count() > ROOM {
            value = value.replace('\'', "%27");
        }
        let (name, value, comment) = (c_name(keyword), c_name(&value), c_name(comment));
        self.call("write a keyword", |file, status| {
            // SAFETY: three NUL-terminated strings.
            unsafe {
                sys::ffukls(file, name.as_ptr(), value.as_ptr(), comment.as_ptr(), status);
            }
        })
    }

    /// Writes a keyword whose value is true or false, in place of its former value if there is one.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn flag(&mut self, keyword: &str, value: bool, comment: &str) -> Result<()> {
        let (name, comment) = (c_name(keyword), c_name(comment));
        self.call("write a keyword", |file, status| {
            // SAFETY: two NUL-terminated strings.
            unsafe { sys::ffukyl(file, name.as_ptr(), value.into(), comment.as_ptr(), status) };
        })
    }

    /// Writes a keyword whose value is a whole number.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn integer(&mut self, keyword: &str, value: u64, comment: &str) -> Result<()> {
        let (name, comment) = (c_name(keyword), c_name(comment));
        self.call("write a keyword", |file, status| {
            // SAFETY: two NUL-terminated strings.
            unsafe { sys::ffpkyuj(file, name.as_ptr(), value, comment.as_ptr(), status) };
        })
    }

    /// Writes a keyword whose value is a real number, with all its digits.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn real(&mut self, keyword: &str, value: f64, comment: &str) -> Result<()> {
        /// Significant digits that tell any two doubles apart; negative for CFITSIO's
        /// format without trailing zeros.
        const DIGITS: c_int = -17;
        let (name, comment) = (c_name(keyword), c_name(comment));
        self.call("write a keyword", |file, status| {
            // SAFETY: two NUL-terminated strings.
            unsafe { sys::ffpkyd(file, name.as_ptr(), value, DIGITS, comment.as_ptr(), status) };
        })
    }

    /// Writes a `COMMENT`.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn comment(&mut self, comment: &str) -> Result<()> {
        let comment = c_name(comment);
        self.call("write a comment", |file, status| {
            // SAFETY: a NUL-terminated string.
            unsafe { sys::ffpcom(file, comment.as_ptr(), status) };
        })
    }

    /// Ends the last HDU and gives the whole file.
    ///
    /// # Errors
    /// [`Error::Fits`](crate::error::Error::Fits) if there is no memory.
    pub fn bytes(&mut self) -> Result<&[u8]> {
        self.close_hdu()?;
        self.select_last()?;
        let (mut head, mut data, mut end) = (0, 0, 0);
        self.call("finish the file", |file, status| {
            // SAFETY: three addresses of 64-bit integers.
            unsafe {
                sys::ffflus(file, status);
                sys::ffghadll(file, &mut head, &mut data, &mut end, status);
            }
        })?;
        let length = usize::try_from(end).expect("a file in memory has a length");
        assert!(length <= self.memory.length, "CFITSIO wrote beyond its memory");
        // SAFETY: flushed, so the block's first `length` bytes, which are all HDUs up
        // to the end of the last one, have been written; nothing moves the block
        // while `self` is borrowed.
        Ok(unsafe { std::slice::from_raw_parts(self.memory.address.cast::<u8>(), length) })
    }

    /// Begins a table; the fields are (name, form, unit).
    fn begin_table(&mut self, name: &str, rows: usize, fields: &[(&str, &str, &str)]) -> Result<()> {
        self.close_hdu()?;
        let strings: Vec<_> =
            fields.iter().map(|(name, form, unit)| (c_name(name), c_name(form), c_name(unit))).collect();
        let mut names: Vec<_> = strings.iter().map(|(name, ..)| name.as_ptr().cast_mut()).collect();
        let mut forms: Vec<_> = strings.iter().map(|(_, form, _)| form.as_ptr().cast_mut()).collect();
        let mut units: Vec<_> = strings.iter().map(|(.., unit)| unit.as_ptr().cast_mut()).collect();
        let (name, count) = (c_name(name), fields.len() as c_int);
        self.call("begin a table", |file, status| {
            // SAFETY: arrays of `count` NUL-terminated strings, which are only read
            // (the parameters lack a `const`).
            unsafe {
                sys::ffcrtb(
                    file,
                    sys::BINARY_TBL as c_int,
                    rows as sys::LONGLONG,
                    count,
                    names.as_mut_ptr(),
                    forms.as_mut_ptr(),
                    units.as_mut_ptr(),
                    name.as_ptr(),
                    status,
                );
            }
        })?;
        self.begun = true;
        Ok(())
    }

    /// Writes the values of a column of the current table; columns count from 1.
    pub(super) fn column<T: Number>(&mut self, number: c_int, values: &[T]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        self.call("write a table", |file, status| {
            let address = values.as_ptr().cast_mut().cast();
            let count = values.len() as sys::LONGLONG;
            // SAFETY: the values are of the type that the code names and are only
            // read (the parameter lacks a `const`).
            unsafe { sys::ffpcl(file, T::TYPE, number, 1, 1, count, address, status) };
        })
    }

    /// Writes the checksums of the current HDU, if there is one.
    ///
    /// As CFITSIO's `fits_write_chksum`, which however writes the date of today
    /// into the comments, so that no two files would be the same.
    pub(super) fn close_hdu(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.begun) {
            return Ok(());
        }
        let (mut datasum, mut hdusum): (c_ulong, c_ulong) = (0, 0);
        let mut checksum = [0; TEXT_LEN];
        // CFITSIO brings the lengths of tiles in the header up to date as it leaves an HDU.
        self.call("finish a header", |file, status| {
            let mut number = 0;
            let null = std::ptr::null_mut();
            // SAFETY: an address of a C int; null pointers say that types are not asked for.
            unsafe {
                sys::ffghdn(file, &mut number);
                if number > 1 {
                    sys::ffmahd(file, 1, null, status);
                    sys::ffmahd(file, number, null, status);
                }
            }
        })?;
        self.text("CHECKSUM", &"0".repeat(16), "HDU checksum")?;
        self.text("DATASUM", "0", "data unit checksum")?;
        self.call("write the checksum", |file, status| {
            // SAFETY: addresses of the integer types that CFITSIO stores to; an
            // encoded checksum has 16 characters and a NUL; the rest are
            // NUL-terminated strings, `&` meaning that the comment stays.
            unsafe {
                sys::ffrdef(file, status);
                sys::ffgcks(file, &mut datasum, &mut hdusum, status);
                let value = c_name(&datasum.to_string());
                sys::ffmkys(file, c"DATASUM".as_ptr(), value.as_ptr(), c"&".as_ptr(), status);
                sys::ffgcks(file, &mut datasum, &mut hdusum, status);
                sys::ffesum(hdusum, 1, checksum.as_mut_ptr());
                sys::ffmkys(file, c"CHECKSUM".as_ptr(), checksum.as_ptr(), c"&".as_ptr(), status);
            }
        })
    }

    pub(super) fn call(&self, what: &str, call: impl FnOnce(*mut sys::fitsfile, &mut c_int)) -> Result<()> {
        self.handle.call(&format!("cannot {what}"), call)
    }
}
