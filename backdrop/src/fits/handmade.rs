//! FITS files made by hand for tests, byte by byte from the standard and without
//! CFITSIO, so that they may also be wrong in any way.

use super::BLOCK;

/// A header-data unit: cards without `END`, and data without padding.
#[derive(Clone)]
pub(crate) struct Hdu {
    pub cards: Vec<String>,
    pub data: Vec<u8>,
}

impl Hdu {
    /// A primary HDU without data.
    pub fn primary() -> Self {
        let hdu = Self { cards: Vec::new(), data: Vec::new() };
        hdu.card("SIMPLE", "T").card("BITPIX", 8).card("NAXIS", 0)
    }

    /// An image extension of `shape`, slowest axis first, with big-endian `data`.
    pub fn image(bitpix: i64, shape: &[usize], data: Vec<u8>) -> Self {
        let mut hdu = Self { cards: Vec::new(), data }
            .card("XTENSION", "'IMAGE   '")
            .card("BITPIX", bitpix)
            .card("NAXIS", shape.len());
        for (axis, length) in (1..).zip(shape.iter().rev()) {
            hdu = hdu.card(&format!("NAXIS{axis}"), length);
        }
        hdu.card("PCOUNT", 0).card("GCOUNT", 1)
    }

    /// Adds a card, its value already in the form that FITS gives it.
    pub fn card(mut self, keyword: &str, value: impl std::fmt::Display) -> Self {
        self.cards.push(format!("{keyword:<8}= {:>20}", value.to_string()));
        self
    }

    /// Puts another value into a card.
    pub fn set(mut self, keyword: &str, value: impl std::fmt::Display) -> Self {
        let position = self.cards.iter().position(|card| card[..8].trim_end() == keyword);
        self.cards[position.unwrap()] = format!("{keyword:<8}= {:>20}", value.to_string());
        self
    }

    /// Takes a card out.
    pub fn without(mut self, keyword: &str) -> Self {
        self.cards.retain(|card| card[..8].trim_end() != keyword);
        self
    }

    fn append_to(&self, file: &mut Vec<u8>) {
        for card in self.cards.iter().map(String::as_str).chain(["END"]) {
            file.extend(format!("{card:<80}").bytes());
        }
        file.resize(file.len().next_multiple_of(BLOCK), b' ');
        file.extend(&self.data);
        file.resize(file.len().next_multiple_of(BLOCK), 0);
    }
}

/// The file that consists of `hdus`.
pub(crate) fn file_of(hdus: &[Hdu]) -> Vec<u8> {
    let mut file = Vec::new();
    for hdu in hdus {
        hdu.append_to(&mut file);
    }
    file
}
