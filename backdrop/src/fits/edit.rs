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
        self.begun = ["CHECKSUM", "DATASUM"].into_iter().any(|keyword| self.has(keyword));
        Ok(())
    }

    /// Whether the current HDU has a keyword.
    fn has(&self, keyword: &str) -> bool {
        let keyword = c_name(keyword);
        let status = self.handle.status(|file, status| {
            let mut value = [0; super::TEXT_LEN];
            let null = std::ptr::null_mut();
            // SAFETY: CFITSIO writes at most FLEN_VALUE = 71 characters, NUL included.
            unsafe { sys::ffgkey(file, keyword.as_ptr(), value.as_mut_ptr(), null, status) };
        });
        status == 0
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

    /// Adds a column to the current table, which has no heap of arrays of variable length, behind
    /// the other columns. Each row has an array of `shape`, slowest axis first.
    ///
    /// # Errors
    /// [`Error::Fits`] if the table has such a column already, or another number of rows than `values`
    /// is for.
    pub fn append_column<T: Number>(
        &mut self,
        name: &str,
        unit: &str,
        shape: &[usize],
        values: &[T],
    ) -> Result<()> {
        let refused = |message: String| Err(Error::Fits { path: self.handle.path.clone(), message });
        if self.handle.field(name, "the table").is_ok() {
            return refused(format!("the table has a column {name} already"));
        }
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
        // They would be of the new column.
        const OF_COLUMNS: [&str; 9] =
            ["TTYPE", "TFORM", "TUNIT", "TDIM", "TSCAL", "TZERO", "TNULL", "TDISP", "TBCOL"];
        let places = ["1CRV", "2CRV"].iter().map(|name| format!("{name}{number}P"));
        let mut of_column = OF_COLUMNS.iter().map(|name| format!("{name}{number}")).chain(places);
        if let Some(keyword) = of_column.find(|keyword| self.has(keyword)) {
            return refused(format!("the table has {columns} columns, but a keyword {keyword}"));
        }
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

#[cfg(test)]
mod tests {
    use super::super::handmade::{Hdu, file_of};
    use super::super::{BLOCK, Column, Reader, Values};
    use super::*;

    const PATH: &str = "a.fits";

    /// A file of ours, with checksums: an image, a table, an image.
    fn written() -> Vec<u8> {
        let mut file = Writer::new(Path::new(PATH)).unwrap();
        file.image::<u8>("PRIMARY", &[], &[]).unwrap();
        let columns = [
            Column { name: "time", unit: "d", values: Values::F64(&[1.0, 2.0, 3.0]) },
            Column { name: "count", unit: "", values: Values::I32(&[1, 2, 3]) },
        ];
        file.table("TABLE", &columns).unwrap();
        file.image("LAST", &[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]).unwrap();
        file.bytes().unwrap().to_vec()
    }

    /// The same without checksums, by hand.
    fn plain() -> Vec<u8> {
        let table = Hdu::image(8, &[2, 4], vec![0; 8]).set("XTENSION", "'BINTABLE'");
        let table = table.card("TFIELDS", 1).card("TTYPE1", "'count'").card("TFORM1", "'J'");
        file_of(&[Hdu::primary(), table, Hdu::image(8, &[3], vec![7; 3])])
    }

    fn edit(bytes: &[u8]) -> Writer {
        Writer::edit(Path::new(PATH), bytes).unwrap()
    }

    /// The sums of all HDUs are right.
    fn check_sums(bytes: &[u8]) {
        let mut file = Reader::open_bytes(Path::new(PATH), bytes).unwrap();
        for hdu in 0..file.hdus() {
            file.select(hdu).unwrap();
            file.check_sum().unwrap();
        }
    }

    #[test]
    fn what_is_only_looked_at_keeps_all_its_bytes() {
        for bytes in [written(), plain()] {
            let mut file = edit(&bytes);
            assert!(file.bytes().unwrap() == bytes);
            let mut file = edit(&bytes);
            for hdu in 0..3 {
                file.select(hdu).unwrap();
            }
            assert!(file.bytes().unwrap() == bytes);
        }
    }

    #[test]
    fn cells_are_replaced_in_their_place() {
        let bytes = written();
        let mut file = edit(&bytes);
        file.select(1).unwrap();
        file.replace_column("TIME", &[1.5, f64::NAN, -0.0]).unwrap();
        let changed = file.bytes().unwrap().to_vec();
        check_sums(&changed);
        assert_eq!(changed.len(), bytes.len());
        let data = 3 * BLOCK;
        let different: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at] != changed[at]).collect();
        // The checksums of the table's header, and the first 8 of the 12 bytes of its rows.
        assert!(
            different
                .iter()
                .all(|&at| (BLOCK..2 * BLOCK).contains(&at) || (data - BLOCK..data).contains(&at))
        );
        let mut file = Reader::open_bytes(Path::new(PATH), &changed).unwrap();
        file.select(1).unwrap();
        let time = file.numbers::<f64>("time").unwrap();
        assert_eq!((time[0], time[2].to_bits()), (1.5, (-0.0_f64).to_bits()));
        assert!(time[1].is_nan());
        assert_eq!(file.numbers::<i32>("count").unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_column_is_added_behind_the_others() {
        for (bytes, rows) in [(written(), 3), (plain(), 2)] {
            let mut file = edit(&bytes);
            file.select(1).unwrap();
            // Wider than a block, so that all that follows moves.
            let values: Vec<f32> = (0..rows * 1000).map(|value| value as f32).collect();
            file.append_column("cube", "e-/s", &[20, 50], &values).unwrap();
            let changed = file.bytes().unwrap().to_vec();
            check_sums(&changed);
            let mut file = Reader::open_bytes(Path::new(PATH), &changed).unwrap();
            assert_eq!(file.hdus(), 3);
            file.select(1).unwrap();
            assert_eq!(file.arrays("cube").unwrap(), (vec![20, 50], values));
            let counts: Vec<i32> = file.numbers("count").unwrap();
            assert_eq!(counts, if rows == 3 { vec![1, 2, 3] } else { vec![0, 0] });
            file.select(2).unwrap();
            assert_eq!(file.image().unwrap().unwrap().shape.len(), if rows == 3 { 2 } else { 1 });
            assert_eq!(changed[changed.len() - BLOCK..], bytes[bytes.len() - BLOCK..]);
        }
    }

    #[test]
    fn keywords_are_changed_and_headers_grow() {
        for bytes in [written(), plain()] {
            let mut file = edit(&bytes);
            file.select(0).unwrap();
            for line in 0..100 {
                file.history(&format!("line {line}")).unwrap();
            }
            file.select(1).unwrap();
            file.flag("BACKAPP", false, "").unwrap();
            file.flag("BACKAPP", true, "").unwrap();
            file.text("NAME", "a", "").unwrap();
            file.text("NAME", "b", "").unwrap();
            let changed = file.bytes().unwrap().to_vec();
            check_sums(&changed);
            let mut file = Reader::open_bytes(Path::new(PATH), &changed).unwrap();
            let header =
                String::from_utf8_lossy(&changed[..usize::try_from(file.end()).unwrap()]).into_owned();
            assert_eq!(header.matches("HISTORY line ").count(), 100);
            file.select(1).unwrap();
            assert_eq!((file.flag("BACKAPP"), file.text("NAME").as_deref()), (Some(true), Some("b")));
            // The last HDU has moved, and nothing else has become of it.
            assert_eq!(changed[changed.len() - 2 * BLOCK..], bytes[bytes.len() - 2 * BLOCK..]);
        }
    }

    #[test]
    fn a_new_column_has_no_keywords_of_an_earlier_one() {
        let table = Hdu::image(8, &[2, 4], vec![0; 8]).set("XTENSION", "'BINTABLE'");
        let table = table.card("TFIELDS", 1).card("TTYPE1", "'count'").card("TFORM1", "'J'");
        let bytes = file_of(&[Hdu::primary(), table.card("TSCAL2", "0.0")]);
        let mut file = edit(&bytes);
        file.select(1).unwrap();
        let message = file.append_column("more", "", &[1], &[1.0_f32, 2.0]).unwrap_err().to_string();
        assert_eq!(message, "a.fits: the table has 1 columns, but a keyword TSCAL2");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bytes = plain();
        let mut file = edit(&bytes);
        file.select(1).unwrap();
        let message = file.replace_column("count", &[1_i32]).unwrap_err().to_string();
        assert_eq!(message, "a.fits: column count has 2 rows of 1 values, not 1");
        let message = file.append_column("more", "", &[2], &[1.0_f32]).unwrap_err().to_string();
        assert_eq!(message, "a.fits: 2 rows of 2 values asked for, not 1");
        assert!(file.replace_column("absent", &[1_i32, 2]).is_err());
        assert!(file.select(3).is_err());
        assert!(Writer::edit(Path::new(PATH), b"").is_err());
        assert!(Writer::edit(Path::new(PATH), &bytes[..BLOCK + 100]).is_err());
    }
}
