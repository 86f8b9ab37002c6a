//! The checksum of an HDU (FITS standard, section 4.4.2.7 and appendix J): the sum of its 32-bit
//! words, most significant byte first, in ones' complement arithmetic.
//!
//! A sum does not depend on the order of its terms, so that the parts of an HDU may come in any.

use std::ffi::c_ulong;

use fitsio::sys;

use super::{TEXT_LEN, text_of};

/// The value of `CHECKSUM` while the sum of its HDU is taken.
pub(super) const NO_CHECKSUM: &str = "0000000000000000";

/// A sum under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checksum(u32);

impl Checksum {
    /// Adds bytes that begin `offset` bytes after a whole word.
    pub fn add(&mut self, offset: u64, bytes: &[u8]) {
        let mut sum = u64::from(self.0);
        let lead = (offset.wrapping_neg() % 4) as usize;
        let (head, rest) = bytes.split_at(lead.min(bytes.len()));
        let (words, tail) = rest.as_chunks::<4>();
        for (position, &byte) in (offset % 4..).zip(head) {
            sum += u64::from(byte) << (8 * (3 - position));
        }
        // Carries come together in the upper half, and are added at the other end.
        for words in words.chunks(1 << 24) {
            sum += words.iter().map(|&word| u64::from(u32::from_be_bytes(word))).sum::<u64>();
            sum = (sum & u64::from(u32::MAX)) + (sum >> 32);
        }
        for (position, &byte) in tail.iter().enumerate() {
            sum += u64::from(byte) << (8 * (3 - position));
        }
        self.0 = folded(sum);
    }

    /// Adds numbers in native order, which begin with a whole word in the file.
    pub fn add_numbers(&mut self, numbers: &[f64]) {
        let words = |number: &f64| {
            let bits = number.to_bits();
            (bits >> 32) + (bits & u64::from(u32::MAX))
        };
        for numbers in numbers.chunks(1 << 24) {
            self.0 = folded(u64::from(self.0) + numbers.iter().map(words).sum::<u64>());
        }
    }

    /// Adds the sum of other bytes.
    pub fn join(&mut self, other: Self) {
        self.add(0, &other.0.to_be_bytes());
    }

    /// The value of `DATASUM`.
    pub fn value(self) -> u32 {
        self.0
    }

    /// Whether this is what a `DATASUM` says.
    pub fn is(self, text: &str) -> bool {
        text.trim().parse() == Ok(self.0)
    }

    /// The value of `CHECKSUM` that makes the sum over the HDU zero: the complement, as 16
    /// characters.
    pub fn encoded(self) -> String {
        let mut text = [0; TEXT_LEN];
        // SAFETY: CFITSIO writes 16 characters and a NUL.
        unsafe { sys::ffesum(c_ulong::from(self.0), 1, text.as_mut_ptr()) };
        text_of(&text)
    }
}

/// A sum with its carries added at the other end.
fn folded(mut sum: u64) -> u32 {
    while sum > u64::from(u32::MAX) {
        sum = (sum & u64::from(u32::MAX)) + (sum >> 32);
    }
    sum as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_added_with_the_carry_at_the_other_end() {
        let mut sum = Checksum::default();
        sum.add(0, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2]);
        // 2^32 - 1 + 2 = 2^32 + 1, whose carry makes it 2.
        assert_eq!(sum.value(), 2);
    }

    #[test]
    fn parts_may_come_in_any_order_and_begin_anywhere() {
        let bytes: Vec<u8> = (0..203_u32).map(|i| (i * 97 % 251) as u8).collect();
        let mut whole = Checksum::default();
        whole.add(0, &bytes);
        let mut parts = Checksum::default();
        for range in [150..203, 0..1, 3..3, 1..7, 7..150] {
            parts.add(range.start as u64, &bytes[range]);
        }
        assert_eq!(parts, whole);
        let [mut first, mut second] = [Checksum::default(); 2];
        first.add(0, &bytes[..61]);
        second.add(61, &bytes[61..]);
        first.join(second);
        assert_eq!(first, whole);
    }

    #[test]
    fn numbers_are_summed_up_as_their_bytes() {
        let numbers: Vec<f64> =
            (0..301_u64).map(|i| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i << 60))).collect();
        for count in [0, 1, 2, 300, 301] {
            let bytes: Vec<u8> = numbers[..count].iter().flat_map(|number| number.to_be_bytes()).collect();
            let [mut expected, mut found] = [Checksum(u32::MAX - 5); 2];
            expected.add(4, &bytes);
            found.add_numbers(&numbers[..count]);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn with_the_code_in_its_place_the_sum_is_all_ones() {
        // The value of a card begins in its column 12.
        const PLACE: u64 = 11;
        for words in [&[0_u8; 4][..], &[1, 2, 3, 4, 250, 251, 252, 253], &[0xff; 12]] {
            let mut sum = Checksum::default();
            sum.add(0, words);
            let before = sum;
            sum.add(PLACE, NO_CHECKSUM.as_bytes());
            let code = sum.encoded();
            assert!(code.len() == 16 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{code}");
            let mut sum = before;
            sum.add(PLACE, code.as_bytes());
            assert_eq!(sum.value(), u32::MAX);
        }
    }
}
