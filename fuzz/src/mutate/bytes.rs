//! Changes of bytes that may mean anything.

use crate::random::Random;

/// Changes `bytes` at one place, perhaps to what `other` has.
pub(super) fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let length = bytes.len();
    let at = random.below(length);
    let reach = 1 << random.below(10);
    let end = (at + 1 + random.below(reach)).min(length);
    match random.below(9) {
        0 if length > 0 => bytes[at] ^= 1 << random.below(8),
        1 if length > 0 => bytes[at] = random.bits() as u8,
        2 => number(bytes, random),
        3 if length > 0 => drop(bytes.drain(at..end)),
        4 if length > 0 => {
            let copy = bytes[at..end].to_vec();
            insert(bytes, random.below(length), &copy);
        }
        5 => {
            let from = random.below(other.len());
            let part = &other[from..(from + random.below(reach)).min(other.len())];
            insert(bytes, at, part);
        }
        6 => insert(bytes, at, &vec![random.bits() as u8; random.below(reach)]),
        7 if random.once_in(4) => bytes.truncate(at),
        _ => {
            let from = random.below(other.len());
            let part = &other[from..(from + end.saturating_sub(at)).min(other.len())];
            bytes[at..(at + part.len()).min(length)]
                .iter_mut()
                .zip(part)
                .for_each(|(byte, &new)| *byte = new);
        }
    }
}

/// Puts `part` before position `at`.
pub(super) fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    let at = at.min(bytes.len());
    drop(bytes.splice(at..at, part.iter().copied()));
}

/// Writes a number over some bytes, of any of the types that files have, one that is a limit of
/// something as likely as not.
pub(super) fn number(bytes: &mut [u8], random: &mut Random) {
    const WHOLE: [i64; 22] = [
        0,
        1,
        -1,
        2,
        3,
        7,
        8,
        16,
        63,
        127,
        128,
        255,
        256,
        2047,
        2048,
        8192,
        32767,
        65535,
        65536,
        1 << 31,
        -(1 << 31),
        i64::MAX,
    ];
    const REAL: [f64; 12] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1e-300,
        1e30,
        1e300,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
    ];
    let whole = WHOLE[random.below(WHOLE.len())];
    let real = REAL[random.below(REAL.len())];
    let mut number = match random.below(6) {
        0 => vec![whole as u8],
        1 => (whole as u16).to_be_bytes().to_vec(),
        2 => (whole as u32).to_be_bytes().to_vec(),
        3 => (whole as u64).to_be_bytes().to_vec(),
        4 => (real as f32).to_be_bytes().to_vec(),
        _ => real.to_be_bytes().to_vec(),
    };
    if random.once_in(3) {
        number.reverse();
    }
    // Where such a number would be in a table of them.
    let mut at = random.below(bytes.len());
    if random.once_in(2) {
        at -= at % number.len();
    }
    bytes.iter_mut().skip(at).zip(number).for_each(|(byte, new)| *byte = new);
}
