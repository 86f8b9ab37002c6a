//! Changes of text: lines, fields between commas, numbers in it.

use super::bytes;
use crate::random::Random;

/// What may stand where a number, or anything else, is expected.
pub(super) const VALUES: [&str; 44] = [
    "0",
    "1",
    "-1",
    "2",
    "4",
    "5",
    "16",
    "44",
    "63",
    "128",
    "255",
    "999",
    "1000",
    "2047",
    "2048",
    "2136",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967295",
    "9223372036854775807",
    "18446744073709551615",
    "99999999999999999999999",
    "0.5",
    "-0.0",
    "1e-320",
    "1e308",
    "1e999",
    "-1E5",
    "1D3",
    "nan",
    "inf",
    "-inf",
    "0x10",
    "1_000",
    "+7",
    " 3",
    "",
    "T",
    "\u{e9}",
    "\u{1f980}",
    "\t",
    "\u{1b}[31m",
    "%00%FF%",
];

/// Changes `text` at one place, perhaps to what `other` has.
pub(super) fn change(text: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    let separator = if random.once_in(2) { b'\n' } else { b',' };
    match random.below(10) {
        // A line or a field: something else, twice, gone, in another place.
        choice @ 0..=6 => {
            let mut parts: Vec<&[u8]> = text.split(|&byte| byte == separator || byte == b'\n').collect();
            let separators: Vec<u8> =
                text.iter().copied().filter(|&byte| byte == separator || byte == b'\n').collect();
            let others: Vec<&[u8]> = other.split(|&byte| byte == separator || byte == b'\n').collect();
            let at = random.below(parts.len());
            let tweaked = tweaked(parts[at], random);
            match choice {
                0 => parts[at] = random.one_of(&VALUES).as_bytes(),
                1 if !words.is_empty() => parts[at] = random.one_of(words).as_bytes(),
                2 => parts.insert(at, parts[at]),
                3 => drop(parts.remove(at)),
                4 => {
                    let to = random.below(parts.len());
                    parts.swap(at, to);
                }
                5 => parts.insert(at, others[random.below(others.len())]),
                _ => parts[at] = &tweaked,
            }
            let mut new = Vec::new();
            for (number, part) in parts.iter().enumerate() {
                if number > 0 {
                    new.push(separators.get(number - 1).copied().unwrap_or(separator));
                }
                new.extend_from_slice(part);
            }
            *text = new;
        }
        7 => {
            let word = if random.once_in(2) || words.is_empty() {
                random.one_of(&VALUES)
            } else {
                random.one_of(words)
            };
            bytes::insert(text, random.below(text.len() + 1), word.as_bytes());
        }
        8 => {
            let marks = ["\"", ",", "\n", "\r", "#", "'", "..", "=", "-", ";", "\0", "\u{feff}", " "];
            bytes::insert(text, random.below(text.len() + 1), random.one_of(&marks).as_bytes());
        }
        _ => bytes::change(text, other, random),
    }
}

/// A text with another number in it, if it has any, or another letter.
pub(super) fn tweaked(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut new = text.to_vec();
    if let Some(number) = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<i64>().ok()) {
        let number = match random.below(5) {
            0 => number.wrapping_add(1),
            1 => number.wrapping_sub(1),
            2 => number.wrapping_neg(),
            3 => number.wrapping_mul(2),
            _ => number.wrapping_mul(1 << random.below(40)),
        };
        return number.to_string().into_bytes();
    }
    let digits: Vec<usize> = (0..new.len()).filter(|&at| new[at].is_ascii_digit()).collect();
    let at = if digits.is_empty() { random.below(new.len()) } else { digits[random.below(digits.len())] };
    if let Some(byte) = new.get_mut(at) {
        *byte = if random.once_in(4) { b' ' + random.below(95) as u8 } else { b'0' + random.below(10) as u8 };
    }
    new
}
