//! Changing an input in a way that its reader may not expect.
//!
//! What kind of input it is, its first bytes tell: FITS files are changed card by card and block by
//! block, zip archives entry by entry with right checksums, text field by field, and each of them,
//! now and then, byte by byte.

mod bytes;
mod fits;
mod text;
mod zip;

use crate::random::Random;

/// Inputs grow no longer than this.
pub const LONGEST: usize = 1 << 17;

/// A change of `input`, perhaps with parts of `other`; the first `prefix` bytes are a choice of their
/// own. `words` are some that the reader knows.
pub fn mutate(input: &[u8], other: &[u8], prefix: usize, words: &[&str], random: &mut Random) -> Vec<u8> {
    let prefix = prefix.min(input.len());
    let (choice, rest) = input.split_at(prefix);
    let other = other.get(prefix..).unwrap_or_default();
    let mut choice = choice.to_vec();
    if random.once_in(20) {
        choice.iter_mut().for_each(|byte| *byte = random.below(16) as u8);
    }
    let mut rest = rest.to_vec();
    // Few changes mostly, many at times.
    let most = 1 << random.below(5);
    let changes = 1 + random.below(most);
    if random.once_in(10) {
        (0..changes).for_each(|_| bytes::change(&mut rest, other, random));
    } else if rest.starts_with(b"SIMPLE") {
        fits::change(&mut rest, other, changes, words, random);
    } else if rest.starts_with(b"PK\x03\x04") {
        zip::change(&mut rest, other, changes, words, random);
    } else {
        (0..changes).for_each(|_| text::change(&mut rest, other, words, random));
    }
    rest.truncate(LONGEST);
    choice.extend(rest);
    choice
}
