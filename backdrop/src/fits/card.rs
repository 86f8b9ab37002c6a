//! Cards that CFITSIO reads in another way than the FITS standard says.
//!
//! The standard has the name of a keyword in columns 1 to 8 and `= ` in columns 9 and 10, if there is
//! a value (version 4.0, section 4.1.2). CFITSIO takes what comes before the first blank or `=` for the
//! name and what comes after the first `=` for the value, wherever that is, and copies both to places
//! that have room for what a card of the standard has. So it may read other sizes than those that were
//! checked, and write beyond its memory.

/// The most characters of a value that CFITSIO has room for.
const LONGEST_VALUE: usize = 70;

/// What is wrong with a card, if CFITSIO may not have it. `is_structural` tells keywords that say how
/// the data lie.
pub(super) fn refusal(card: &[u8], is_structural: impl Fn(&str) -> bool) -> Option<&'static str> {
    /// Cards that have no value, whatever is in them.
    const COMMENTARY: [&[u8]; 4] = [b"COMMENT ", b"HISTORY ", b"CONTINUE", b"        "];
    if card.iter().any(u8::is_ascii_control) {
        return Some("control characters");
    }
    if COMMENTARY.iter().any(|name| card.starts_with(name)) {
        return None;
    }
    let equals = card.iter().position(|&byte| byte == b'=');
    let length = card.trim_ascii_end().len();
    let (name, standard) = match card.strip_prefix(b"HIERARCH ") {
        Some(rest) => (rest.split(|&byte| byte == b'=').next().unwrap_or_default(), false),
        None => {
            let name = card.split(|&byte| matches!(byte, b' ' | b'=')).next().unwrap_or_default();
            (name, card.get(8..10) == Some(b"= ") && name.len() == card[..8].trim_ascii_end().len())
        }
    };
    let name = String::from_utf8_lossy(name.trim_ascii());
    if name == "END" && length > 3 {
        return Some("more than END where the header ends");
    }
    if standard {
        return None;
    }
    if is_structural(&name) {
        return Some("a name or a value in the wrong columns");
    }
    match equals {
        Some(column) if column < 8 || length.saturating_sub(column + 1) > LONGEST_VALUE => {
            Some("a value that begins before column 11")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Option<&'static str> {
        refusal(format!("{text:<80}").as_bytes(), |name| ["NAXIS1", "ZIMAGE"].contains(&name))
    }

    #[test]
    fn cards_of_the_standard_and_harmless_others_are_taken() {
        for card in [
            "NAXIS1  =                   16 / length of axis",
            "OBJECT  = 'a=b'",
            "COMMENT   NAXIS1=5, and END of it",
            "CONTINUE  'text&'",
            "        = 5",
            "HIERARCH ESO DET NAME = 'x'",
            "DATE-OBS='2018-07-25'",
            "A REMARK without a value",
            "MYNOTE  and NAXIS1=5",
            "ENDURE  = 1",
            "END",
            "",
        ] {
            assert_eq!(refused(card), None, "{card}");
        }
    }

    #[test]
    fn cards_that_cfitsio_takes_for_others_are_refused() {
        for card in
            ["NAXIS1=5", "NAXIS1  =5", "NAXIS1 = 5", "NAXIS1 X= 5", "NAXIS1   = 5", "HIERARCH NAXIS1 = 5"]
        {
            assert_eq!(refused(card), Some("a name or a value in the wrong columns"), "{card}");
        }
        for card in ["END     OF HEADER", "END=5", "END     = 5", "END x"] {
            assert_eq!(refused(card), Some("more than END where the header ends"), "{card}");
        }
        for card in [format!("A='{}'", "x".repeat(76)), "= /".into(), format!("KEYWORD ={}", "7".repeat(71))]
        {
            assert_eq!(refused(&card), Some("a value that begins before column 11"), "{card}");
        }
        for letter in ["\0", "\n", "\u{1b}", "\u{7f}"] {
            assert_eq!(refused(&format!("OBJECT  = 'a{letter}'")), Some("control characters"));
        }
    }
}
