//! Where the header-data units (HDUs) of a file begin and end, by their headers.
//!
//! Walks the headers in the way the FITS standard prescribes (version 4.0, section
//! 4.4.1), before CFITSIO sees the file: whatever CFITSIO would believe and fall over
//! is refused here, such as axes whose product overflows, data beyond the end of the
//! file, and tiles of length 0. So a damaged file costs neither memory nor a crash.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{BLOCK, card, form};
use crate::error::{Error, Result};

/// Ways to compress tiles whose decoders write no more pixels than the tile has, whatever
/// they read. The two others, `HCOMPRESS_1` and `PLIO_1`, trust a size inside of the data.
const COMPRESSIONS: [&str; 3] = ["RICE_1", "GZIP_1", "GZIP_2"];

/// The most pixels of an image in tiles: CFITSIO counts them in a C int.
const MAX_TILED_PIXELS: u64 = i32::MAX as u64;

/// The most axes of an image, and of one in tiles. The standard allows 999, for which CFITSIO has no room:
/// it writes the lengths of more than these over what follows in memory.
const MAX_AXES: u16 = 99;
const MAX_TILED_AXES: usize = 6;

/// The longest header that is read, in bytes: 52,428 cards.
const LONGEST_HEADER: u64 = 4 << 20;

/// The most HDUs that a file may have.
const MOST_HDUS: usize = 10_000;

/// The most columns of a table (FITS standard, section 7.3.1).
const MAX_COLUMNS: u64 = 999;

/// The part of a file that an HDU takes, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where the header begins.
    pub start: u64,
    /// Where the next HDU begins, or the file ends.
    pub end: u64,
}

/// The HDUs of a file of `size` bytes, each of which is there to its last byte.
///
/// Of the first part of a file, whose `size` is not known, these are the HDUs whose
/// headers are in that part, up to the first whose header is not.
///
/// # Errors
/// [`Error::Truncated`] if the file ends before an HDU does; [`Error::Fits`] if a
/// header is malformed; [`Error::Io`] if the file cannot be read.
pub(super) fn walk(path: &Path, file: &mut (impl Read + Seek), size: Option<u64>) -> Result<Vec<Extent>> {
    let mut extents: Vec<Extent> = Vec::new();
    let mut start = 0;
    while size.is_none_or(|size| start < size) {
        let hdu = extents.len();
        let refused =
            |reason: String| Error::Fits { path: path.to_owned(), message: format!("HDU {hdu}: {reason}") };
        if hdu == MOST_HDUS {
            return Err(refused(format!("a file of more than {MOST_HDUS} HDUs is none of an image")));
        }
        file.seek(SeekFrom::Start(start)).map_err(Error::io(path))?;
        let header = match Header::read(file, if hdu == 0 { "SIMPLE" } else { "XTENSION" }) {
            Ok(header) => header,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => match size {
                None if hdu > 0 => break,
                None => return Err(refused("its header does not end in the first part of the file".into())),
                Some(_) => {
                    return Err(refused("the file ends within its header; download or copy it again".into()));
                }
            },
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(refused(error.to_string()));
            }
            Err(error) => return Err(Error::io(path)(error)),
        };
        let data = header.check().map_err(refused)?;
        let end = data
            .checked_next_multiple_of(BLOCK as u64)
            .and_then(|data| data.checked_add(start)?.checked_add(header.bytes))
            .filter(|end| i64::try_from(*end).is_ok())
            .ok_or_else(|| refused("it declares an impossible size".into()))?;
        if let Some(actual) = size.filter(|size| end > *size) {
            return Err(Error::Truncated { path: path.to_owned(), declared: end, actual });
        }
        extents.push(Extent { start, end });
        start = end;
    }
    Ok(extents)
}

/// The cards of one header.
struct Header {
    /// Length of the header with its padding.
    bytes: u64,
    /// Values of the keywords that say how the data lie as they stand in the cards, without comments.
    values: HashMap<String, String>,
    /// A keyword that stands there more than once, although it says how the data lie.
    repeated: Option<String>,
    /// What is wrong with the first card that CFITSIO may not have.
    refused: Option<String>,
}

impl Header {
    /// Reads a header whose first keyword has to be `first`.
    fn read(file: &mut impl Read, first: &str) -> io::Result<Self> {
        let refused = |reason: String| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        let mut header = Self { bytes: 0, values: HashMap::new(), repeated: None, refused: None };
        loop {
            if header.bytes >= LONGEST_HEADER {
                return refused(format!("its header goes on for more than {LONGEST_HEADER} bytes"));
            }
            let mut block = [0; BLOCK];
            file.read_exact(&mut block)?;
            if header.bytes == 0 && String::from_utf8_lossy(&block[..8]).trim_end() != first {
                return refused(format!("it does not begin with {first}"));
            }
            header.bytes += BLOCK as u64;
            for card in block.chunks_exact(80) {
                let keyword = String::from_utf8_lossy(&card[..8]).trim_end().to_owned();
                if keyword == "END" && card[3..].iter().all(|&byte| byte == b' ') {
                    return Ok(header);
                }
                if let Some(reason) = card::refusal(card, is_structural) {
                    let keyword = keyword.escape_default();
                    header.refused.get_or_insert_with(|| format!("its card {keyword} has {reason}"));
                }
                if card[8..10] != *b"= " {
                    continue;
                }
                if is_structural(&keyword) {
                    let value = value_of(&card[10..]);
                    if header.values.insert(keyword.clone(), value).is_some() {
                        header.repeated = Some(keyword);
                    }
                }
            }
        }
    }

    /// Bytes of data that the header declares, without padding, or what is wrong with it.
    fn check(&self) -> std::result::Result<u64, String> {
        if let Some(reason) = &self.refused {
            return Err(reason.clone());
        }
        if let Some(keyword) = &self.repeated {
            return Err(format!("it has {keyword} more than once"));
        }
        // CFITSIO makes room for all of them before it looks for any.
        let columns = self.optional("TFIELDS", 0)?;
        if columns > MAX_COLUMNS {
            return Err(format!("it has {columns} columns, where a table has at most {MAX_COLUMNS}"));
        }
        self.check_columns(columns)?;
        let bits = bits(self.required("BITPIX")?)?;
        let lengths = self.axes("")?;
        let parameters = self.optional("PCOUNT", 0)?;
        let groups = self.optional("GCOUNT", 1)?;
        match self.values.get("ZIMAGE").map_or("F", String::as_str) {
            "F" => {}
            "T" => self.check_tiles()?,
            value => return Err(format!("ZIMAGE cannot be {value:?}")),
        }
        // Of random groups (section 6) CFITSIO counts the data in another way.
        if self.values.get("GROUPS").is_some_and(|value| value != "F") {
            return Err("it is of random groups".into());
        }
        if lengths.is_empty() {
            return if parameters == 0 { Ok(0) } else { Err("it has a PCOUNT without any axes".into()) };
        }
        // Its axes would be of any length then, without a byte of data.
        if groups == 0 {
            return Err("GCOUNT is 0, not 1".into());
        }
        let pixels = product(&lengths);
        let values = pixels.and_then(|pixels| pixels.checked_add(parameters)?.checked_mul(groups));
        values
            .and_then(|values| values.checked_mul(bits / 8))
            .ok_or_else(|| "it declares an impossible size".into())
    }

    /// Checks that each of the columns of a table is within its rows.
    fn check_columns(&self, columns: u64) -> std::result::Result<(), String> {
        let text = match self.values.get("XTENSION").map_or("", |value| text_of(value).trim()) {
            "TABLE" => true,
            "BINTABLE" | "A3DTABLE" | "3DTABLE" => false,
            _ => return Ok(()),
        };
        let row = self.optional("NAXIS1", 0)?;
        let mut end = Some(0_u64);
        for column in 1..=columns {
            let form = self.values.get(&format!("TFORM{column}"));
            let form = form.ok_or_else(|| format!("it has no TFORM{column}"))?;
            if text {
                let start = self.required(&format!("TBCOL{column}"))?;
                end = form::end_in_text(text_of(form), start);
            } else {
                let width = form::width_in_binary(text_of(form));
                end = width.and_then(|width| end?.checked_add(width));
            }
            if end.is_none_or(|end| end > row) {
                return Err(format!("TFORM{column} cannot be {form} in rows of {row} bytes"));
            }
        }
        Ok(())
    }

    /// Checks the header of an image in tiles (FITS standard, section 10.1).
    fn check_tiles(&self) -> std::result::Result<(), String> {
        let compression = self.values.get("ZCMPTYPE").map_or("", |value| text_of(value));
        if !COMPRESSIONS.contains(&compression) {
            return Err(format!("its tiles are compressed by {compression:?}; unpack it with funpack"));
        }
        if compression == "RICE_1" {
            self.check_rice()?;
        }
        bits(self.required("ZBITPIX")?)?;
        let lengths = self.axes("Z")?;
        if lengths.len() > MAX_TILED_AXES {
            return Err(format!("ZNAXIS is {}, more than {MAX_TILED_AXES}", lengths.len()));
        }
        // The place in a table of random numbers, which CFITSIO does not check.
        let seed = self.optional("ZDITHER0", 1)?;
        if !(1..=10_000).contains(&seed) {
            return Err(format!("ZDITHER0 is {seed}, not 1 to 10000"));
        }
        let pixels = product(&lengths).filter(|pixels| (1..=MAX_TILED_PIXELS).contains(pixels));
        if lengths.is_empty() || pixels.is_none() {
            return Err("its image in tiles has an impossible size".into());
        }
        let mut tiles = 1_u64;
        for (axis, &length) in (1..).zip(&lengths) {
            // A tile is a row, unless the header says otherwise.
            let tile = self.optional(&format!("ZTILE{axis}"), if axis == 1 { length } else { 1 })?;
            if !(1..=length).contains(&tile) {
                return Err(format!("ZTILE{axis} is {tile}, not 1 to {length}"));
            }
            tiles *= length.div_ceil(tile);
        }
        let rows: u64 = self.required("NAXIS2")?;
        if rows != tiles {
            return Err(format!("it has {rows} tiles, where its image has {tiles}"));
        }
        Ok(())
    }

    /// Checks the parameters of Rice compression (FITS standard, section 10.4.1).
    fn check_rice(&self) -> std::result::Result<(), String> {
        let block_size: u8 = self.required("ZVAL1")?;
        if ![16, 32].contains(&block_size) {
            return Err(format!("ZVAL1, the block size of its tiles, is {block_size}, not 16 or 32"));
        }
        // The first versions of fpack had another parameter in this place.
        let second = self.values.get("ZNAME2").map_or("", |value| text_of(value));
        if second != "NOISEBIT" {
            let bytes = self.optional("ZVAL2", 4)?;
            if ![1, 2, 4].contains(&bytes) {
                return Err("ZVAL2, the bytes per pixel of its tiles, is not 1, 2 or 4".into());
            }
            if bytes != 4 && self.required::<i64>("ZBITPIX")? < 0 {
                return Err(format!("ZVAL2, the bytes per pixel of its tiles of real numbers, is {bytes}"));
            }
        }
        Ok(())
    }

    /// The lengths of the axes, `NAXIS1` first, or of `ZNAXIS1` and so on.
    fn axes(&self, prefix: &str) -> std::result::Result<Vec<u64>, String> {
        let axes: u16 = self.required(&format!("{prefix}NAXIS"))?;
        if axes > MAX_AXES {
            return Err(format!("{prefix}NAXIS is {axes}, more than {MAX_AXES}"));
        }
        (1..=axes).map(|axis| self.required(&format!("{prefix}NAXIS{axis}"))).collect()
    }

    fn required<T: std::str::FromStr>(&self, keyword: &str) -> std::result::Result<T, String> {
        let value = self.values.get(keyword).ok_or_else(|| format!("it has no {keyword}"))?;
        value.parse().map_err(|_| format!("{keyword} cannot be {value:?}"))
    }

    fn optional(&self, keyword: &str, default: u64) -> std::result::Result<u64, String> {
        if self.values.contains_key(keyword) { self.required(keyword) } else { Ok(default) }
    }
}

/// The product of lengths, if it is a number.
fn product(lengths: &[u64]) -> Option<u64> {
    lengths.iter().try_fold(1_u64, |product, length| product.checked_mul(*length))
}

/// Bits of a value, from `BITPIX`.
fn bits(bitpix: i64) -> std::result::Result<u64, String> {
    match bitpix {
        8 | 16 | 32 | 64 | -32 | -64 => Ok(bitpix.unsigned_abs()),
        _ => Err(format!("BITPIX cannot be {bitpix}")),
    }
}

/// Whether a keyword says how the data lie in the file.
fn is_structural(keyword: &str) -> bool {
    const NAMES: [&str; 12] = [
        "SIMPLE", "XTENSION", "BITPIX", "PCOUNT", "GCOUNT", "GROUPS", "TFIELDS", "THEAP", "ZIMAGE",
        "ZCMPTYPE", "ZBITPIX", "ZDITHER0",
    ];
    const PREFIXES: [&str; 7] = ["NAXIS", "ZNAXIS", "ZTILE", "ZNAME", "ZVAL", "TFORM", "TBCOL"];
    NAMES.contains(&keyword) || PREFIXES.iter().any(|prefix| keyword.starts_with(prefix))
}

/// The value in the part of a card after `= `, without the comment; text keeps its quotes.
fn value_of(card: &[u8]) -> String {
    let card = String::from_utf8_lossy(card);
    let value = card.trim_start();
    let quotes = value.strip_prefix('\'').map(|text| text.find('\'').map_or(text.len(), |end| end + 2));
    match quotes {
        Some(end) => value.get(..end).unwrap_or(value).to_owned(),
        None => value.split('/').next().unwrap_or_default().trim_end().to_owned(),
    }
}

/// The text between the quotes of a value.
fn text_of(value: &str) -> &str {
    value.trim_matches('\'').trim_end()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::handmade::{Hdu, file_of};
    use super::*;

    fn extents(hdus: &[Hdu]) -> std::result::Result<Vec<(u64, u64)>, String> {
        let bytes = file_of(hdus);
        let extents = walk(Path::new("a"), &mut Cursor::new(&bytes), Some(bytes.len() as u64));
        let extents = extents.map_err(|error| error.to_string())?;
        Ok(extents.iter().map(|extent| (extent.start, extent.end)).collect())
    }

    /// A header for an image of 3 rows of 40 pixels in Rice-compressed tiles, one a row.
    fn tiles() -> Hdu {
        Hdu::image(8, &[3, 8], vec![0; 24])
            .set("XTENSION", "'BINTABLE'")
            .card("ZIMAGE", "T")
            .card("ZCMPTYPE", "'RICE_1  '")
            .card("ZBITPIX", 16)
            .card("ZNAXIS", 2)
            .card("ZNAXIS1", 40)
            .card("ZNAXIS2", 3)
            .card("ZVAL1", 32)
    }

    #[test]
    fn units_take_whole_blocks_of_header_and_data() {
        let image = Hdu::image(-64, &[361], vec![0; 361 * 8]);
        let long = (0..36).fold(Hdu::primary(), |hdu, number| hdu.card(&format!("KEY{number}"), number));
        let table = Hdu::image(8, &[10, 288], vec![0; 2880 + 7]).set("PCOUNT", 7);
        assert_eq!(
            extents(&[long, image, table]),
            Ok(vec![(0, 5760), (5760, 5760 + 3 * 2880), (14400, 14400 + 3 * 2880)])
        );
        assert_eq!(extents(&[Hdu::primary(), tiles()]), Ok(vec![(0, 2880), (2880, 8640)]));
    }

    #[test]
    fn the_first_part_of_a_file_has_the_units_whose_headers_are_in_it() {
        let bytes = file_of(&[Hdu::primary(), Hdu::image(8, &[9000], vec![0; 9000]), tiles()]);
        let units = |length: usize| walk(Path::new("a"), &mut Cursor::new(&bytes[..length]), None);
        assert_eq!(units(2 * BLOCK).unwrap()[1], Extent { start: 2880, end: 5760 + 4 * 2880 });
        assert_eq!(units(2 * BLOCK - 1).unwrap().len(), 1);
        assert_eq!(units(bytes.len()).unwrap().len(), 3);
        assert!(units(BLOCK - 1).is_err());
    }

    #[test]
    fn headers_that_make_no_sense_are_refused() {
        for (hdu, reason) in [
            (tiles().set("ZVAL1", 0), "ZVAL1, the block size of its tiles, is 0, not 16 or 32"),
            (
                tiles().card("ZNAME2", "'BYTEPIX '").card("ZVAL2", 0),
                "ZVAL2, the bytes per pixel of its tiles, is not 1, 2 or 4",
            ),
            (tiles().set("ZNAXIS", 0), "its image in tiles has an impossible size"),
            (tiles().set("ZNAXIS2", 0), "its image in tiles has an impossible size"),
            (tiles().card("ZVAL1", 16), "it has ZVAL1 more than once"),
            (tiles().set("ZNAXIS", 7).card("ZNAXIS3", 1), "it has no ZNAXIS4"),
            (
                (3..=7).fold(tiles().set("ZNAXIS", 7), |hdu, axis| hdu.card(&format!("ZNAXIS{axis}"), 1)),
                "ZNAXIS is 7, more than 6",
            ),
            (tiles().card("ZDITHER0", 0), "ZDITHER0 is 0, not 1 to 10000"),
            (tiles().card("ZDITHER0", -7), "ZDITHER0 cannot be \"-7\""),
            (
                tiles().set("ZBITPIX", -32).card("ZVAL2", 2),
                "ZVAL2, the bytes per pixel of its tiles of real numbers, is 2",
            ),
            (
                tiles().card("TFIELDS", 2).card("TFORM1", "'1E'").card("TFORM2", "'5B'"),
                "TFORM2 cannot be '5B' in rows of 8 bytes",
            ),
            (tiles().card("TFIELDS", 2).card("TFORM1", "'1E'"), "it has no TFORM2"),
            (
                tiles()
                    .set("XTENSION", "'TABLE'")
                    .card("TFIELDS", 1)
                    .card("TFORM1", "'I5'")
                    .card("TBCOL1", 5),
                "TFORM1 cannot be 'I5' in rows of 8 bytes",
            ),
            (Hdu::image(8, &[], vec![]).set("PCOUNT", 1), "it has a PCOUNT without any axes"),
            (Hdu::image(8, &[3, 0], vec![]).card("GROUPS", "T"), "it is of random groups"),
            (Hdu::image(8, &[1; 100], vec![0]), "NAXIS is 100, more than 99"),
            (tiles().set("PCOUNT", -1), "PCOUNT cannot be \"-1\""),
            (tiles().set("GCOUNT", i64::MAX), "it declares an impossible size"),
            (tiles().card("TFIELDS", 3_145_728), "it has 3145728 columns, where a table has at most 999"),
            (Hdu::primary(), "it does not begin with XTENSION"),
        ] {
            assert_eq!(extents(&[Hdu::primary(), hdu]), Err(format!("a: HDU 1: {reason}")));
        }
        // Of the second parameter there were two kinds.
        let old = tiles().card("ZNAME2", "'NOISEBIT'").card("ZVAL2", "16.0");
        assert_eq!(extents(&[Hdu::primary(), old]).map(|extents| extents.len()), Ok(2));
        assert_eq!(extents(&[tiles()]), Err("a: HDU 0: it does not begin with SIMPLE".into()));
    }
}
