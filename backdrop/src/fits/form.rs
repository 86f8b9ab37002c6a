//! How many bytes of a row the columns of a table take (FITS standard 4.0, sections 7.2 and 7.3).
//!
//! CFITSIO does not hold them against the length of a row, so that the columns of a row of one byte may
//! have any width: they would be read from the rows that follow, as much more than the file has.

/// The last byte of a row of a table in text, counted from 1, that a column takes which begins at byte
/// `start`, from its `TFORM`, such as `I4` or `F8.3`.
pub(super) fn end_in_text(form: &str, start: u64) -> Option<u64> {
    let form = form.trim();
    let (width, decimals) = match form.get(1..)?.split_once('.') {
        Some((width, decimals)) => (width, decimals),
        None => (form.get(1..)?, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !form.starts_with(['A', 'I', 'F', 'E', 'D']) || !digits(width) || !digits(decimals) {
        return None;
    }
    start.checked_sub(1)?.checked_add(width.parse().ok()?)
}

/// Bytes of a row of a binary table that a column takes, from its `TFORM`, such as `12A` or `1PE(9)`.
pub(super) fn width_in_binary(form: &str) -> Option<u64> {
    let form = form.trim();
    let digits = form.bytes().take_while(u8::is_ascii_digit).count();
    let (repeat, rest) = form.split_at(digits);
    let repeat: u64 = if repeat.is_empty() { 1 } else { repeat.parse().ok()? };
    let mut rest = rest.chars();
    let letter = rest.next()?;
    let rest = rest.as_str();
    // CFITSIO takes what follows a number for an exponent: 1E5 has 100000 values.
    let bare = |size: u64| rest.is_empty().then_some(size);
    let size = match letter {
        'X' => return rest.is_empty().then_some(repeat.div_ceil(8)),
        'L' | 'B' => bare(1)?,
        // Perhaps with the length of each of several texts, by which CFITSIO divides.
        'A' if rest.is_empty() || rest.parse::<u64>().is_ok_and(|length| length > 0) => 1,
        'I' => bare(2)?,
        'J' | 'E' => bare(4)?,
        'K' | 'D' | 'C' => bare(8)?,
        'M' => bare(16)?,
        // What is somewhere else; here is only where.
        'P' if is_element(rest) => 8,
        'Q' if is_element(rest) => 16,
        _ => return None,
    };
    repeat.checked_mul(size)
}

/// Whether a text is the type of the values of an array, perhaps with the most of them.
fn is_element(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let most =
        |rest: &str| rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).is_some_and(digits);
    text.strip_prefix(|letter: char| letter.is_ascii_uppercase())
        .is_some_and(|rest| rest.is_empty() || most(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_take_the_bytes_that_the_standard_says() {
        for (form, width) in [
            ("D", Some(8)),
            ("3E", Some(12)),
            ("0J", Some(0)),
            ("12A", Some(12)),
            ("12A4", Some(12)),
            ("9X", Some(2)),
            ("2M", Some(32)),
            ("1PE(9)", Some(8)),
            ("1QB", Some(16)),
            (" 1K ", Some(8)),
            ("1PB", Some(8)),
            ("1PA0", None),
            ("A0", None),
            ("12A-1", None),
            ("1E5", None),
            ("1.5D", None),
            ("", None),
            ("5", None),
            ("D8", None),
            ("Z", None),
            ("4611686018427387904D", None),
            ("99999999999999999999B", None),
        ] {
            assert_eq!(width_in_binary(form), width, "{form}");
        }
        for (form, end) in [
            ("I4", Some(14)),
            ("A10", Some(20)),
            ("F8.3", Some(18)),
            ("E15", Some(25)),
            ("I", None),
            ("4I", None),
            ("F8.x", None),
            ("A99999999999999999999", None),
            ("é", None),
        ] {
            assert_eq!(end_in_text(form, 11), end, "{form}");
        }
        assert_eq!(end_in_text("I4", 0), None);
    }
}
