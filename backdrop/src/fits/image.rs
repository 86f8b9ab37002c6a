//! Images of a FITS file that are written in parts, in any order.
//!
//! Weights of thousands of frames, or the cube of an orbit, whose planes grow by a few rows at a time,
//! are as large as memory may be, so that parts go to their places in the file as they come. Checksums
//! allow that: the sum of an HDU does not depend on the order of its words. The header is that which
//! CFITSIO writes.

use std::io::{Seek, SeekFrom, Write};

use super::BLOCK;
use super::checksum::{Checksum, NO_CHECKSUM};
use crate::cube::{Card, Pixel};
use crate::error::{Error, Result};
use crate::output::WholeFile;

/// An image in an extension of a FITS file, of which parts may have been written.
#[derive(Debug)]
pub(crate) struct ImageHdu {
    /// The cards up to the checksum.
    cards: Vec<String>,
    /// Where the header begins, in bytes from the start of the file.
    start: u64,
    /// Bytes of data, without padding.
    length: u64,
    sum: Checksum,
}

impl ImageHdu {
    /// An image of pixels `T` that begins at `start`, a whole number of blocks; its shape has the
    /// slowest axis first. `cards` and then lines of comment, of at most 72 characters, are in its
    /// header.
    pub(crate) fn new<T: Pixel>(start: u64, shape: &[usize], cards: &[Card], comments: &[&str]) -> Self {
        const AXES: [(&str, &str); 3] = [
            ("NAXIS1", "length of data axis 1"),
            ("NAXIS2", "length of data axis 2"),
            ("NAXIS3", "length of data axis 3"),
        ];
        assert!(shape.len() <= AXES.len(), "an image or a cube");
        let mut header = vec![
            Card::text("XTENSION", "IMAGE", "IMAGE extension").line(),
            Card::integer("BITPIX", T::BITPIX.into(), "number of bits per data pixel").line(),
            Card::integer("NAXIS", shape.len() as i64, "number of data axes").line(),
        ];
        let axes = shape.iter().rev().zip(AXES);
        header.extend(
            axes.map(|(&length, (axis, comment))| Card::integer(axis, length as i64, comment).line()),
        );
        header.push(Card::integer("PCOUNT", 0, "required keyword; must = 0").line());
        header.push(Card::integer("GCOUNT", 1, "required keyword; must = 1").line());
        header.extend(cards.iter().map(Card::line));
        header.extend(comments.iter().map(|comment| format!("{:<80}", format!("COMMENT {comment:.72}"))));
        let pixels: u64 = shape.iter().map(|&length| length as u64).product();
        let length = pixels * u64::from(T::BITPIX.unsigned_abs()) / 8;
        Self { cards: header, start, length, sum: Checksum::default() }
    }

    /// Where the next HDU begins.
    pub(crate) fn end(&self) -> u64 {
        self.data() + self.length.next_multiple_of(BLOCK as u64)
    }

    /// Where the data begin.
    fn data(&self) -> u64 {
        // The checksums and the end take three cards more.
        self.start + ((self.cards.len() + 3) * 80).next_multiple_of(BLOCK) as u64
    }

    /// Writes pixels, the first of which is pixel number `first` in storage order. Each pixel has
    /// to be written once.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn write<T: Pixel>(&mut self, file: &mut WholeFile, first: usize, pixels: &[T]) -> Result<()> {
        let mut bytes = Vec::with_capacity(size_of_val(pixels));
        for pixel in pixels {
            pixel.append_to(&mut bytes);
        }
        let offset = first as u64 * u64::from(T::BITPIX.unsigned_abs()) / 8;
        self.sum.add(offset, &bytes);
        write_at(file, self.data() + offset, &bytes)
    }

    /// Writes the header and what fills up the last block.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn finish(&self, file: &mut WholeFile) -> Result<()> {
        let header = |checksum: &str| {
            let datasum = self.sum.value().to_string();
            let sums = [
                Card::text("CHECKSUM", checksum, "HDU checksum").line(),
                Card::text("DATASUM", datasum, "data unit checksum").line(),
            ];
            let text: String = self.cards.iter().chain(&sums).map(String::as_str).chain(["END"]).collect();
            let length = text.len().next_multiple_of(BLOCK);
            format!("{text:<length$}")
        };
        let mut sum = self.sum;
        sum.add(0, header(NO_CHECKSUM).as_bytes());
        write_at(file, self.start, header(&sum.encoded()).as_bytes())?;
        let end = self.data() + self.length;
        write_at(file, end, &vec![0; (self.end() - end) as usize])
    }
}

/// Writes bytes at a place of a file.
pub(crate) fn write_at(file: &mut WholeFile, place: u64, bytes: &[u8]) -> Result<()> {
    let written = file.seek(SeekFrom::Start(place)).and_then(|_| file.write_all(bytes));
    written.map_err(Error::io(file.path()))
}
