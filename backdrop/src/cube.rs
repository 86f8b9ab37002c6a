//! Writing an image or a cube of images to a FITS file, one after another.
//!
//! A cube of many frames is larger than memory, so it goes to disk frame by frame. A FITS
//! file of a single image is its header, the pixels with the most significant byte first,
//! and zeros up to a whole block of 2880 bytes (FITS standard 4.0, section 3).

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::fits::BLOCK;
use crate::output::WholeFile;

/// Characters of a header card, and of the text that fits into its value (FITS standard,
/// section 4.2.1).
const CARD: usize = 80;
const TEXT: usize = 66;

/// Pixels that are written at once: their bytes stay in the cache.
const PART: usize = 1 << 13;

/// A number that a FITS image can hold.
pub trait Pixel: Copy {
    /// The value of `BITPIX`.
    const BITPIX: i32;

    /// Adds the number to `bytes`, most significant byte first.
    fn append_to(self, bytes: &mut Vec<u8>);
}

impl Pixel for u8 {
    const BITPIX: i32 = 8;

    fn append_to(self, bytes: &mut Vec<u8>) {
        bytes.push(self);
    }
}

impl Pixel for f32 {
    const BITPIX: i32 = -32;

    fn append_to(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }
}

impl Pixel for f64 {
    const BITPIX: i32 = -64;

    fn append_to(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }
}

/// The value of a keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// Text; what is not printable ASCII becomes `?`, what goes beyond a card is left off.
    Text(String),
}

/// A keyword of the header: its name (at most eight capitals and digits), value and comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The name.
    pub keyword: &'static str,
    /// The value.
    pub value: Value,
    /// What it means; what goes beyond a card is left off.
    pub comment: &'static str,
}

impl Card {
    /// A keyword that holds a whole number.
    pub fn integer(keyword: &'static str, value: i64, comment: &'static str) -> Self {
        Self { keyword, value: Value::Integer(value), comment }
    }

    /// A keyword that holds text.
    pub fn text(keyword: &'static str, value: impl Into<String>, comment: &'static str) -> Self {
        Self { keyword, value: Value::Text(value.into()), comment }
    }

    /// The card as 80 characters.
    pub(crate) fn line(&self) -> String {
        let value = match &self.value {
            Value::Integer(value) => format!("{value:>20}"),
            Value::Text(text) => {
                // A quote within text is written twice, and the closing one must fit.
                let mut quoted = String::new();
                for character in text.chars() {
                    let printable = character.is_ascii_graphic() || character == ' ';
                    let character = if printable { character } else { '?' };
                    let doubled = if character == '\'' { "''".to_owned() } else { character.into() };
                    if quoted.len() + doubled.len() > TEXT {
                        break;
                    }
                    quoted += &doubled;
                }
                format!("{:<20}", format!("'{quoted:<8}'"))
            }
        };
        card(self.keyword, &value, self.comment)
    }
}

fn card(keyword: &str, value: &str, comment: &str) -> String {
    let mut line = format!("{keyword:<8}= {value} / {comment}");
    line.truncate(CARD);
    format!("{line:<CARD$}")
}

/// A FITS file under way: an image (rows, columns), or a cube (frames, rows, columns).
///
/// ```
/// use backdrop::cube::{Card, CubeWriter};
///
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("cube.fits");
/// let unit = Card::text("BUNIT", "electrons/s", "unit of the pixels");
/// let mut cube = CubeWriter::<f64>::create(&path, &[2, 1, 3], &[unit], false)?;
/// for frame in [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] {
///     cube.write(&frame)?;
/// }
/// cube.finish()?;
/// // A block of header and a block of pixels.
/// assert_eq!(std::fs::metadata(&path)?.len(), 2 * 2880);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CubeWriter<T> {
    file: WholeFile,
    written: usize,
    /// Pixels that are still to come.
    missing: usize,
    pixel: std::marker::PhantomData<T>,
}

impl<T: Pixel> CubeWriter<T> {
    /// Begins a file that is to be at `path`, with the size of its axes, slowest first.
    ///
    /// # Errors
    /// As for [`WholeFile::create`].
    pub fn create(path: &Path, shape: &[usize], cards: &[Card], overwrite: bool) -> Result<Self> {
        let mut header = card("SIMPLE", &format!("{:>20}", "T"), "conforms to FITS standards");
        let axes = (1..).zip(shape.iter().rev()).map(|(axis, &length)| {
            card(&format!("NAXIS{axis}"), &format!("{length:>20}"), "length of the axis")
        });
        header += &Card::integer("BITPIX", T::BITPIX.into(), "array data type").line();
        header += &Card::integer("NAXIS", shape.len() as i64, "number of axes").line();
        header.extend(axes);
        header.extend(cards.iter().map(Card::line));
        header += "END";
        let length = header.len().next_multiple_of(BLOCK);

        let file = WholeFile::create(path, overwrite)?;
        let pixel = std::marker::PhantomData;
        let mut cube = Self { file, written: 0, missing: shape.iter().product(), pixel };
        cube.write_bytes(format!("{header:<length$}").as_bytes())?;
        Ok(cube)
    }

    /// Adds the next pixels, such as those of one frame, in storage order.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written, [`Error::InvalidArgument`] if they are more
    /// than the shape has room for.
    pub fn write(&mut self, pixels: &[T]) -> Result<()> {
        self.missing = self.missing.checked_sub(pixels.len()).ok_or_else(|| {
            Error::InvalidArgument(format!("{}: more pixels than its shape", self.file.path().display()))
        })?;
        let mut bytes = Vec::new();
        for part in pixels.chunks(PART) {
            bytes.clear();
            part.iter().for_each(|pixel| pixel.append_to(&mut bytes));
            self.write_bytes(&bytes)?;
        }
        Ok(())
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// As for [`WholeFile::finish`], and [`Error::InvalidArgument`] if pixels are missing.
    pub fn finish(mut self) -> Result<()> {
        if self.missing > 0 {
            let path = self.file.path().display();
            return Err(Error::InvalidArgument(format!("{path}: {} pixels are missing", self.missing)));
        }
        let padding = self.written.next_multiple_of(BLOCK) - self.written;
        self.write_bytes(&vec![0; padding])?;
        self.file.finish()
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len();
        self.file.write_all(bytes).map_err(Error::io(self.file.path()))
    }
}

#[cfg(test)]
mod tests {
    use fitsio::FitsFile;
    use fitsio::hdu::HduInfo;

    use super::*;

    #[test]
    fn other_readers_find_pixels_and_keywords() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cube.fits");
        let long = "it's ".repeat(20);
        let cards = [
            Card::integer("SECTOR", -12, "a number"),
            Card::text("BUNIT", "electrons/s", "a word"),
            Card::text("LONG", long.as_str(), "cut off"),
        ];
        let pixels: Vec<f32> = (0..1000).map(|i| i as f32 * 0.1).collect();
        let mut cube = CubeWriter::create(&path, &[2, 20, 25], &cards, false).unwrap();
        cube.write(&pixels[..500]).unwrap();
        cube.write(&pixels[500..]).unwrap();
        cube.finish().unwrap();

        let mut file = FitsFile::open(&path).unwrap();
        let hdu = file.primary_hdu().unwrap();
        let HduInfo::ImageInfo { shape, .. } = &hdu.info else { panic!("no image") };
        assert_eq!(*shape, [2, 20, 25]);
        assert_eq!(hdu.read_image::<Vec<f32>>(&mut file).unwrap(), pixels);
        assert_eq!(hdu.read_key::<i64>(&mut file, "SECTOR").unwrap(), -12);
        assert_eq!(hdu.read_key::<String>(&mut file, "BUNIT").unwrap(), "electrons/s");
        let text: String = hdu.read_key(&mut file, "LONG").unwrap();
        assert!(long.starts_with(&text) && text.len() > 50, "{text}");
    }

    #[test]
    fn the_number_of_pixels_must_be_that_of_the_shape() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.fits");
        let mut image = CubeWriter::<f64>::create(&path, &[2, 2], &[], false).unwrap();
        assert!(matches!(image.write(&[0.0; 5]), Err(Error::InvalidArgument(_))));
        let mut image = CubeWriter::<f64>::create(&path, &[2, 2], &[], false).unwrap();
        image.write(&[0.0; 3]).unwrap();
        let message = image.finish().unwrap_err().to_string();
        assert!(message.ends_with("image.fits: 1 pixels are missing"), "{message}");
        assert!(!path.exists());
    }
}
