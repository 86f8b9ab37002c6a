//! Reading FITS files.

use std::ffi::{CStr, CString, c_int, c_void};
use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fitsio::sys;

use super::layout::{Extent, walk};
use super::{BLOCK, Field, Handle, Kind, Number, TEXT_LEN, c_name, open_regular, text_of};
use crate::error::{Error, Result, shown};

/// The most characters of a text in a table: CFITSIO reads text by way of a buffer of ten times as many,
/// which it does not watch.
pub(crate) const LONGEST_TEXT: usize = BLOCK;
/// The most axes of an array in a table's cell that are looked at.
const MAX_AXES: usize = 8;

/// An open FITS file, positioned at one of its header-data units (HDUs, counted from 0).
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(super) handle: Handle,
    /// Where the HDUs are, each of them whole (or, in the first part of a file, at
    /// least its header).
    extents: Vec<Extent>,
    hdu: usize,
    /// Where CFITSIO keeps looking for the address and length of a file in memory.
    _memory: Option<Box<(*mut c_void, usize)>>,
    pub(super) bytes: Bytes<'a>,
}

/// Where the bytes of a file are, besides with CFITSIO.
#[derive(Debug)]
pub(super) enum Bytes<'a> {
    InFile(File),
    InMemory(&'a [u8]),
}

/// What the header of an image declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// Pixels along each axis, slowest axis first: (rows, columns).
    pub shape: Vec<u64>,
    /// Whether the pixels are stored as floating point numbers.
    pub floating: bool,
    /// Whether the image is tile-compressed inside a table.
    pub compressed: bool,
    /// Where the pixels begin, in bytes from the start of the file, if they are single precision numbers
    /// that stand there as they are: big-endian, neither compressed nor scaled.
    pub plain_at: Option<u64>,
}

impl Reader<'static> {
    /// Opens the file at `path`, whatever characters its name has. It consists of
    /// whole HDUs then, each with all bytes that its header declares.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no such file; [`Error::Fits`] if it is not FITS, or
    /// damaged; [`Error::Truncated`] if it ends too early.
    pub fn open(path: &Path) -> Result<Self> {
        let (mut file, metadata) = open_regular(path)?;
        let refused = |message: &str| Error::Fits { path: path.to_owned(), message: message.into() };
        if metadata.len() == 0 {
            return Err(refused("the file is empty; download or copy it again"));
        }
        if Kind::of_file(path, &mut file)? != Kind::Fits {
            return Err(refused("not a FITS file: it does not begin with SIMPLE"));
        }
        let extents = walk(path, &mut file, Some(metadata.len()))?;
        let name = literal_name(path)?;
        let handle = Handle::open(path, |file, status| {
            // SAFETY: the name is NUL-terminated; `file` and `status` outlive the call.
            unsafe { sys::ffdkopn(file, name.as_ptr(), sys::READONLY as c_int, status) };
        })?;
        Ok(Self { handle, extents, hdu: 0, _memory: None, bytes: Bytes::InFile(file) })
    }
}

impl<'a> Reader<'a> {
    /// Opens a FITS file that is in memory; errors name `path`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_bytes(path: &Path, bytes: &'a [u8]) -> Result<Self> {
        Self::open_memory(path, bytes, Some(bytes.len() as u64))
    }

    /// Opens the first part of a FITS file, from which headers can be read: those
    /// that are in that part up to their end.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_start(path: &Path, bytes: &'a [u8]) -> Result<Self> {
        Self::open_memory(path, bytes, None)
    }

    fn open_memory(path: &Path, bytes: &'a [u8], size: Option<u64>) -> Result<Self> {
        let extents = walk(path, &mut Cursor::new(bytes), size)?;
        if extents.is_empty() {
            let message = "not a FITS file: it is empty".into();
            return Err(Error::Fits { path: path.to_owned(), message });
        }
        let mut memory = Box::new((bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len()));
        let (address, length) = (&raw mut memory.0, &raw mut memory.1);
        let handle = Handle::open(path, |file, status| {
            // SAFETY: opened for reading and without a way to grow, so CFITSIO only
            // reads the bytes, which are borrowed for as long as the handle lives;
            // the box keeps their address and length where CFITSIO was told.
            unsafe {
                sys::ffomem(
                    file,
                    c"memory".as_ptr(),
                    sys::READONLY as c_int,
                    address,
                    length,
                    0,
                    None,
                    status,
                );
            }
        })?;
        Ok(Self { handle, extents, hdu: 0, _memory: Some(memory), bytes: Bytes::InMemory(bytes) })
    }

    /// The path that errors name.
    pub fn path(&self) -> &Path {
        &self.handle.path
    }

    /// Moves to an HDU, counted from 0.
    ///
    /// # Errors
    /// [`Error::Fits`] if its header is malformed.
    ///
    /// # Panics
    /// If there are not that many [`hdus`](Self::hdus).
    pub fn select(&mut self, hdu: usize) -> Result<()> {
        assert!(hdu < self.hdus(), "HDU {hdu} of {}", self.hdus());
        let number = c_int::try_from(hdu + 1).unwrap_or(c_int::MAX);
        self.handle.call(&format!("cannot read the header of HDU {hdu}"), |file, status| {
            // SAFETY: a null pointer says that the HDU's type is not asked for.
            unsafe { sys::ffmahd(file, number, std::ptr::null_mut(), status) };
        })?;
        self.hdu = hdu;
        Ok(())
    }

    /// The position of the HDU moved to last.
    pub fn hdu(&self) -> usize {
        self.hdu
    }

    /// HDUs that can be moved to.
    pub fn hdus(&self) -> usize {
        self.extents.len()
    }

    /// Where the current HDU ends, in bytes from the start of the file.
    pub fn end(&self) -> u64 {
        self.extents[self.hdu].end
    }

    /// Bytes that the current HDU takes.
    pub(super) fn size(&self) -> u64 {
        let Extent { start, end } = self.extents[self.hdu];
        end - start
    }

    /// The image in the current HDU, or `None` if it holds a table.
    pub fn image(&self) -> Result<Option<Image>> {
        let (mut kind, mut axes, mut bitpix, mut compressed) = (0, 0, 0, 0);
        self.handle.call(&self.cannot("find the type"), |file, status| {
            // SAFETY: an address of a C int.
            unsafe { sys::ffghdt(file, &mut kind, status) };
        })?;
        if kind != sys::IMAGE_HDU as c_int {
            return Ok(None);
        }
        self.handle.call(&self.cannot("read BITPIX and NAXIS"), |file, status| {
            // SAFETY: addresses of C ints.
            unsafe {
                sys::ffgidt(file, &mut bitpix, status);
                sys::ffgidm(file, &mut axes, status);
                compressed = sys::fits_is_compressed_image(file, status);
            }
        })?;
        let mut shape = vec![0; usize::try_from(axes).unwrap_or(0)];
        self.handle.call(&self.cannot("read the size of the image"), |file, status| {
            // SAFETY: the vector has room for `axes` numbers.
            unsafe { sys::ffgiszll(file, axes, shape.as_mut_ptr(), status) };
        })?;
        // The fastest axis comes first in FITS, last here.
        let shape = shape.iter().rev().map(|&length| u64::try_from(length).unwrap_or(0));
        let shape = shape.collect();
        let (floating, compressed) = (bitpix < 0, compressed != 0);
        let image = Image { shape, floating, compressed, plain_at: None };
        let plain_at = self.plain_at::<f32>(&image)?;
        Ok(Some(Image { plain_at, ..image }))
    }

    /// Where the pixels of the current HDU's image begin, in bytes from the start of the file, if they are
    /// numbers of type `T` that stand there as they are.
    pub(super) fn plain_at<T: Number>(&self, image: &Image) -> Result<Option<u64>> {
        let is = |keyword, number: f64| !self.has(keyword) || self.number(keyword) == Some(number);
        let same = !image.compressed && self.number("BITPIX") == Some(T::BITPIX);
        let plain = same && is("BSCALE", 1.0) && is("BZERO", 0.0);
        plain.then(|| self.data_start()).transpose()
    }

    /// Where the data of the current HDU begin, in bytes from the start of the file.
    pub(super) fn data_start(&self) -> Result<u64> {
        let (mut header, mut data, mut end) = (0, 0, 0);
        self.handle.call(&self.cannot("find the data"), |file, status| {
            // SAFETY: addresses of C numbers of 64 bits.
            unsafe { sys::ffghadll(file, &mut header, &mut data, &mut end, status) };
        })?;
        u64::try_from(data).map_err(|_| self.refused("its data begin nowhere"))
    }

    /// The number that a keyword of the current HDU holds, or `None` if there is
    /// no such keyword or its value is something else.
    pub fn number<T: FromStr>(&self, keyword: &str) -> Option<T> {
        // FITS allows `D` for the exponent (standard, section 4.2.4).
        self.value(keyword)?.replace('D', "E").parse().ok()
    }

    /// The value of a keyword as it stands in the header, text in its quotes.
    fn value(&self, keyword: &str) -> Option<String> {
        let name = c_name(keyword);
        let mut value = [0; TEXT_LEN];
        let status = self.handle.status(|file, status| {
            // SAFETY: CFITSIO writes at most FLEN_VALUE = 71 characters, NUL included.
            unsafe {
                sys::ffgkey(file, name.as_ptr(), value.as_mut_ptr(), std::ptr::null_mut(), status);
            }
        });
        (status == 0).then(|| text_of(&value).trim().to_owned())
    }

    /// Whether the current HDU has a keyword.
    pub fn has(&self, keyword: &str) -> bool {
        self.value(keyword).is_some()
    }

    /// Whether a keyword of the current HDU is true, or `None` if there is no such keyword or its
    /// value is something else. Tables that were made from other headers have 1 and 0 for it.
    pub fn flag(&self, keyword: &str) -> Option<bool> {
        match self.number::<char>(keyword)? {
            'T' | '1' => Some(true),
            'F' | '0' => Some(false),
            _ => None,
        }
    }

    /// The text that a keyword of the current HDU holds, continued over as many
    /// cards as it takes, or `None` if there is no such keyword or its value is
    /// no text.
    pub fn text(&self, keyword: &str) -> Option<String> {
        let name = c_name(keyword);
        let mut value = std::ptr::null_mut();
        let status = self.handle.status(|file, status| {
            // SAFETY: CFITSIO stores the address of a string that it allocates.
            unsafe {
                sys::ffgkls(file, name.as_ptr(), &mut value, std::ptr::null_mut(), status);
            }
        });
        if value.is_null() {
            return None;
        }
        // SAFETY: not null, so a NUL-terminated string that is ours until freed below.
        let text = unsafe { CStr::from_ptr(value) }.to_string_lossy();
        // There are none in a FITS header, but in what claims to be one.
        let text = text.trim_end().replace(char::is_control, "?");
        let mut freed = 0;
        // SAFETY: allocated by CFITSIO, freed once.
        unsafe { sys::fffree(value.cast(), &mut freed) };
        (status == 0).then_some(text)
    }

    /// As [`number`](Self::number), where the keyword has to be there.
    ///
    /// # Errors
    /// [`Error::MissingKeyword`] if it is not, or holds no number of this type.
    pub fn require<T: FromStr>(&self, keyword: &str) -> Result<T> {
        self.number(keyword).ok_or_else(|| Error::MissingKeyword {
            path: self.handle.path.clone(),
            hdu: self.hdu,
            keyword: keyword.to_owned(),
        })
    }

    /// Reads `out.len()` pixels of the current HDU's image, in storage order, from
    /// pixel `first` on (counted from 0). The values are converted to `T`; pixels
    /// that the file marks as undefined (`BLANK`) become `undefined`, if that is given,
    /// and no bit of the others changes if the file stores the same type.
    ///
    /// # Errors
    /// [`Error::Fits`] if the image has fewer pixels or CFITSIO cannot read them.
    pub fn pixels<T: Number>(&mut self, first: u64, undefined: Option<T>, out: &mut [T]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        // CFITSIO counts pixels from 1.
        let (first, count) = (element(first.saturating_add(1)), element(out.len() as u64));
        self.handle.call(&self.cannot("read the image"), |file, status| {
            let undefined = undefined.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
            let (undefined, out) = (undefined.cast_mut().cast(), out.as_mut_ptr().cast());
            let mut any = 0;
            // SAFETY: `out` has room for `count` values of the type that the code
            // names, and `undefined` is null or one such value, which is only read.
            unsafe {
                sys::ffgpv(file, T::TYPE, first, count, undefined, out, &mut any, status);
            }
        })
    }

    /// Rows of the current HDU's table. Rows without any columns take no bytes and
    /// may be any number, so that these are refused.
    fn rows(&self) -> Result<usize> {
        let mut rows = 0;
        self.handle.call(&self.cannot("count the rows of the table"), |file, status| {
            // SAFETY: an address of a 64-bit integer.
            unsafe { sys::ffgnrwll(file, &mut rows, status) };
        })?;
        let rows = u64::try_from(rows).ok().filter(|rows| *rows <= self.size());
        rows.and_then(|rows| usize::try_from(rows).ok())
            .ok_or_else(|| self.refused("the table has an impossible number of rows"))
    }

    /// A column of numbers of the current HDU's table, by name, one number a row.
    ///
    /// # Errors
    /// [`Error::Fits`] if there is no such column, it holds something else.
    pub fn numbers<T: Number + Default>(&mut self, name: &str) -> Result<Vec<T>> {
        let Field { number: column, repeat, .. } = self.field(name)?;
        if repeat != 1 {
            return Err(self.refused(&format!("column {name} has {repeat} values a row, not 1")));
        }
        let mut out = vec![T::default(); self.rows()?];
        self.values(name, column, &mut out)?;
        Ok(out)
    }

    /// The number of a column, counted from 1, in the current HDU's table, or `None` if there is
    /// no such column.
    pub fn column_number(&self, name: &str) -> Option<usize> {
        usize::try_from(self.field(name).ok()?.number).ok()
    }

    /// A column of arrays of real numbers of the current HDU's table, by name: the shape of the
    /// array in each row, slowest axis first, and the values, those of the first row first.
    ///
    /// # Errors
    /// [`Error::Fits`] if there is no such column or it holds something else.
    pub fn arrays(&mut self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let Field { number: column, kind, repeat, .. } = self.field(name)?;
        let mut axes = 0;
        let mut lengths = [0; MAX_AXES];
        self.handle.call(&self.cannot(&format!("find the shape of column {name}")), |file, status| {
            let count = MAX_AXES as c_int;
            // SAFETY: addresses of the integer types that CFITSIO stores to, and room for as
            // many lengths as are said.
            unsafe {
                sys::ffgtdmll(file, column, count, &mut axes, lengths.as_mut_ptr(), status);
            }
        })?;
        // Other types take less room in the file than in memory, or need not be in its rows.
        if ![sys::TFLOAT, sys::TDOUBLE].contains(&kind.unsigned_abs()) || kind < 0 {
            return Err(self.refused(&format!("column {name} does not hold real numbers")));
        }
        let axes = usize::try_from(axes).unwrap_or(0).min(MAX_AXES);
        let shape: Vec<_> =
            lengths[..axes].iter().rev().map(|&length| usize::try_from(length).unwrap_or(0)).collect();
        let size = shape.iter().try_fold(1_usize, |size, length| size.checked_mul(*length));
        let count = self.rows()?.checked_mul(repeat).filter(|_| size == Some(repeat));
        let Some(count) = count else {
            return Err(self.refused(&format!("column {name} has an impossible size")));
        };
        let mut out = vec![0.0; count];
        self.values(name, column, &mut out)?;
        Ok((shape, out))
    }

    /// Fills `out` with the values of a column from its first row on.
    fn values<T: Number>(&mut self, name: &str, column: c_int, out: &mut [T]) -> Result<()> {
        let count = element(out.len() as u64);
        if count == 0 {
            return Ok(());
        }
        self.handle.call(&self.cannot(&format!("read column {name}")), |file, status| {
            let mut any = 0;
            // SAFETY: `out` has room for `count` values of the type that the code names; the
            // null pointer says that undefined cells are not asked for.
            unsafe {
                let out = out.as_mut_ptr().cast();
                let null = std::ptr::null_mut();
                sys::ffgcv(file, T::TYPE, column, 1, 1, count, null, out, &mut any, status);
            }
        })
    }

    /// A column of text of the current HDU's table, by name, one string a row; trailing
    /// spaces, which FITS does not distinguish from padding, are dropped.
    ///
    /// # Errors
    /// [`Error::Fits`] if there is no such column, or it holds something else.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let Field { number, kind, repeat, width } = self.field(name)?;
        if kind != sys::TSTRING as c_int {
            return Err(self.refused(&format!("column {name} holds no text")));
        }
        // A text of a table in ASCII counts as one value.
        if repeat != width && repeat != 1 {
            return Err(self.refused(&format!("column {name} has several texts a row, not 1")));
        }
        if width > LONGEST_TEXT {
            let reason = format!("column {name} has texts of {width} characters, the most is {LONGEST_TEXT}");
            return Err(self.refused(&reason));
        }
        let rows = self.rows()?;
        if rows == 0 || width == 0 {
            return Ok(vec![String::new(); rows]);
        }
        // All of them are in the file, so that this is no more than the file has, and a NUL each.
        let mut bytes = vec![0_u8; rows * (width + 1)];
        let mut texts: Vec<_> =
            bytes.chunks_exact_mut(width + 1).map(|text| text.as_mut_ptr().cast()).collect();
        self.handle.call(&self.cannot(&format!("read column {name}")), |file, status| {
            let (count, mut any) = (element(rows as u64), 0);
            // SAFETY: `count` addresses, each with room for the column's width and a NUL; the null
            // pointer says that undefined cells are not asked for.
            unsafe {
                let (array, null) = (texts.as_mut_ptr(), std::ptr::null_mut());
                sys::ffgcvs(file, number, 1, 1, count, null, array, &mut any, status);
            }
        })?;
        let text = |text: &[u8]| {
            let end = text.iter().position(|&byte| byte == 0).unwrap_or(width);
            String::from_utf8_lossy(&text[..end]).trim_end().to_owned()
        };
        Ok(bytes.chunks_exact(width + 1).map(text).collect())
    }

    /// The names of the columns of the current HDU's table, empty where they have none.
    pub fn column_names(&self) -> Vec<String> {
        let columns: u16 = self.number("TFIELDS").unwrap_or(0);
        (1..=columns).map(|column| self.text(&format!("TTYPE{column}")).unwrap_or_default()).collect()
    }

    /// Whether a column of the current HDU's table holds text.
    ///
    /// # Errors
    /// [`Error::Fits`] if there is no such column.
    pub fn holds_text(&self, name: &str) -> Result<bool> {
        Ok(self.field(name)?.kind == sys::TSTRING as c_int)
    }

    /// What the header says of a column.
    pub(super) fn field(&self, name: &str) -> Result<Field> {
        self.handle.field(name, &format!("HDU {}", self.hdu))
    }

    pub(super) fn cannot(&self, what: &str) -> String {
        format!("cannot {what} of HDU {}", self.hdu)
    }

    pub(super) fn refused(&self, reason: &str) -> Error {
        let path: PathBuf = self.handle.path.clone();
        Error::Fits { path, message: format!("HDU {}: {reason}", self.hdu) }
    }
}

/// A count or position as CFITSIO takes it.
fn element(value: u64) -> sys::LONGLONG {
    sys::LONGLONG::try_from(value).unwrap_or(sys::LONGLONG::MAX)
}

/// The name to give to CFITSIO for `path`. Its literal open still skips leading
/// spaces and expands a leading `~`, so a relative path starts with `./`.
pub(super) fn literal_name(path: &Path) -> Result<CString> {
    let path = if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) };
    CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|_| Error::InvalidArgument(format!("{}: a path has no NUL", shown(&path))))
}
