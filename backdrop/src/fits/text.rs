//! Text in FITS headers and tables, which hold printable ASCII only.
//!
//! Other characters, such as those of a file name in another script, are written
//! as percent-encoded UTF-8 (RFC 3986, section 2.1), so that any text comes back.

/// Encodes `text` as printable ASCII: `%` and every byte outside of it become
/// `%` and two hexadecimal digits, and so does a last space, which FITS would drop.
pub(crate) fn encode(text: &str) -> String {
    let last = text.len().saturating_sub(1);
    let mut encoded = String::with_capacity(text.len());
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b' ' if position < last => encoded.push(' '),
            b'!'..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Decodes what [`encode`] wrote. Text from elsewhere, in which `%` stands for
/// itself or the bytes are no UTF-8, comes back as it is.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let Some(byte) = after.get(..2).and_then(hexadecimal) else { return text.to_owned() };
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The value of two hexadecimal digits.
fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |position: usize| char::from(digits[position]).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_ascii_is_written_as_it_is() {
        let name = "tess2018206192942-s0001-1-4-0120-s_ffic.fits (copy 2) ~&'";
        assert_eq!(encode(name), name);
        assert_eq!(decode(name), name);
    }

    #[test]
    fn everything_else_comes_back() {
        assert_eq!(encode("é 5% "), "%C3%A9 5%25%20");
        for text in ["", " ", "  ", "é 5% ", "a\nb", "%41", "星.fits", "\u{7f}"] {
            assert_eq!(decode(&encode(text)), text);
            assert!(encode(text).bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }

    #[test]
    fn text_that_was_not_encoded_is_left_alone() {
        for text in ["100%", "%G0", "50% of", "%FF", "%é"] {
            assert_eq!(decode(text), text);
        }
    }
}
