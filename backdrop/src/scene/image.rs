//! Images of a FITS file that are written in parts, in any order.
//!
//! The cube of an orbit is as large as memory may be, and its planes grow by a few rows at a time,
//! so that its parts go to their places in the file as they come. Checksums allow that: the sum of
//! an HDU does not depend on the order of its words.

use std::io::{Seek, SeekFrom, Write};

use crate::cube::{Card, Pixel};
use crate::error::{Error, Result};
use crate::fits::{BLOCK, Checksum, NO_CHECKSUM};
use crate::output::WholeFile;

/// An image in an extension of a FITS file, of which parts may have been written.
#[derive(Debug)]
pub(super) struct ImageHdu {
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
    /// slowest axis first.
    pub(super) fn new<T: Pixel>(start: u64, shape: &[usize], cards: &[Card]) -> Self {
        const AXES: [&str; 3] = ["NAXIS1", "NAXIS2", "NAXIS3"];
        let mut header = vec![
            Card::text("XTENSION", "IMAGE", "an image").line(),
            Card::integer("BITPIX", T::BITPIX.into(), "array data type").line(),
            Card::integer("NAXIS", shape.len() as i64, "number of axes").line(),
        ];
        assert!(shape.len() <= AXES.len(), "an image or a cube");
        header.extend(
            shape
                .iter()
                .rev()
                .zip(AXES)
                .map(|(&length, axis)| Card::integer(axis, length as i64, "length of the axis").line()),
        );
        header.push(Card::integer("PCOUNT", 0, "no parameters").line());
        header.push(Card::integer("GCOUNT", 1, "one group").line());
        header.extend(cards.iter().map(Card::line));
        let pixels: u64 = shape.iter().map(|&length| length as u64).product();
        let length = pixels * u64::from(T::BITPIX.unsigned_abs()) / 8;
        Self { cards: header, start, length, sum: Checksum::default() }
    }

    /// Where the next HDU begins.
    pub(super) fn end(&self) -> u64 {
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
    pub(super) fn write<T: Pixel>(&mut self, file: &mut WholeFile, first: usize, pixels: &[T]) -> Result<()> {
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
    pub(super) fn finish(&self, file: &mut WholeFile) -> Result<()> {
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
pub(super) fn write_at(file: &mut WholeFile, place: u64, bytes: &[u8]) -> Result<()> {
    let written = file.seek(SeekFrom::Start(place)).and_then(|_| file.write_all(bytes));
    written.map_err(Error::io(file.path()))
}
