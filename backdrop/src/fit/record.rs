//! What is kept of a fitted frame, as bytes: what ranks send and checkpoints hold.
//!
//! Numbers lose nothing. The bytes with the sign and the exponent, which are much alike, are
//! compressed together (deflate); the others, which are noise, stay as they are.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

/// What the second pass found of a frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    Fitted(FrameFit),
    /// The frame could not be read, and why.
    Unreadable {
        frame: usize,
        reason: String,
    },
}

/// What is kept of a fitted frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FrameFit {
    pub(super) frame: usize,
    pub(super) non_positive_pixels: u64,
    /// Scatter of the background pixels in electrons/s.
    pub(super) scatter: f64,
    pub(super) weights1: Vec<f64>,
    pub(super) weights2: Vec<f64>,
    /// The residuals of the sampled pixels in electrons/s, NaN where there is none.
    pub(super) residuals: Vec<f32>,
}

/// A record as it is sent and written.
#[derive(Serialize, Deserialize)]
enum Packed {
    Fitted { frame: u64, non_positive_pixels: u64, scatter: u64, weights: [Vec<u8>; 2], residuals: Vec<u8> },
    Unreadable { frame: u64, reason: String },
}

impl Record {
    /// The frame that it is of.
    pub(super) fn frame(&self) -> usize {
        match self {
            Self::Fitted(fit) => fit.frame,
            Self::Unreadable { frame, .. } => *frame,
        }
    }

    /// The record as bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let packed = match self {
            Self::Fitted(fit) => Packed::Fitted {
                frame: fit.frame as u64,
                non_positive_pixels: fit.non_positive_pixels,
                // As bits, since a NaN has many.
                scatter: fit.scatter.to_bits(),
                weights: [pack::<8>(&fit.weights1, 2), pack::<8>(&fit.weights2, 2)],
                residuals: pack::<4>(&fit.residuals, 1),
            },
            Self::Unreadable { frame, reason } => {
                Packed::Unreadable { frame: *frame as u64, reason: reason.clone() }
            }
        };
        match postcard::to_stdvec(&packed) {
            Ok(bytes) => bytes,
            Err(error) => unreachable!("memory takes any record: {error}"),
        }
    }

    /// The record that bytes are of; `None` if they are of none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(match postcard::from_bytes(bytes).ok()? {
            Packed::Fitted {
                frame,
                non_positive_pixels,
                scatter,
                weights: [weights1, weights2],
                residuals,
            } => Self::Fitted(FrameFit {
                frame: usize::try_from(frame).ok()?,
                non_positive_pixels,
                scatter: f64::from_bits(scatter),
                weights1: unpack::<8, _>(&weights1, 2)?,
                weights2: unpack::<8, _>(&weights2, 2)?,
                residuals: unpack::<4, _>(&residuals, 1)?,
            }),
            Packed::Unreadable { frame, reason } => {
                Self::Unreadable { frame: usize::try_from(frame).ok()?, reason }
            }
        })
    }
}

/// A number of `N` bytes.
trait Number<const N: usize>: Copy {
    fn to_bytes(self) -> [u8; N];
    fn from_bytes(bytes: [u8; N]) -> Self;
}

impl Number<8> for f64 {
    fn to_bytes(self) -> [u8; 8] {
        self.to_bits().to_be_bytes()
    }

    fn from_bytes(bytes: [u8; 8]) -> Self {
        Self::from_bits(u64::from_be_bytes(bytes))
    }
}

impl Number<4> for f32 {
    fn to_bytes(self) -> [u8; 4] {
        self.to_bits().to_be_bytes()
    }

    fn from_bytes(bytes: [u8; 4]) -> Self {
        Self::from_bits(u32::from_be_bytes(bytes))
    }
}

/// Numbers as bytes: first, byte by byte, the first `alike` of all numbers, compressed, behind their
/// length; then the others of each number.
fn pack<const N: usize>(numbers: &[impl Number<N>], alike: usize) -> Vec<u8> {
    // It is their frequency that is worth something: there is not much that repeats, however long it is looked for.
    let mut packed = DeflateEncoder::new(vec![0; size_of::<u32>()], Compression::new(2));
    for byte in 0..alike {
        let bytes: Vec<u8> = numbers.iter().map(|number| number.to_bytes()[byte]).collect();
        if let Err(error) = packed.write_all(&bytes) {
            unreachable!("memory takes any bytes: {error}");
        }
    }
    let mut packed = match packed.finish() {
        Ok(packed) => packed,
        Err(error) => unreachable!("memory takes any bytes: {error}"),
    };
    let compressed = (packed.len() - size_of::<u32>()) as u32;
    packed[..size_of::<u32>()].copy_from_slice(&compressed.to_le_bytes());
    packed.extend(numbers.iter().flat_map(|number| number.to_bytes().into_iter().skip(alike)));
    packed
}

/// The numbers that [`pack`] made bytes of; `None` if it did not.
fn unpack<const N: usize, T: Number<N>>(packed: &[u8], alike: usize) -> Option<Vec<T>> {
    let (length, packed) = packed.split_first_chunk()?;
    let (compressed, others) = packed.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let others_each = N - alike;
    let count = others.len() / others_each;
    let length = alike * count;
    let mut firsts = Vec::new();
    // One byte more, if there is one, tells that there are too many.
    DeflateDecoder::new(compressed).take(length as u64 + 1).read_to_end(&mut firsts).ok()?;
    if firsts.len() != length || others.len() != count * others_each {
        return None;
    }
    let number = |index: usize, others: &[u8]| {
        let mut bytes = [0; N];
        for (byte, to) in bytes[..alike].iter_mut().enumerate() {
            *to = firsts[byte * count + index];
        }
        bytes[alike..].copy_from_slice(others);
        T::from_bytes(bytes)
    };
    Some(others.chunks_exact(others_each).enumerate().map(|(index, others)| number(index, others)).collect())
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    use super::*;

    /// A frame as the standard preset makes it of a full frame.
    fn fit() -> FrameFit {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut normal = |sigma: f64| Normal::new(0.0, sigma).unwrap().sample(&mut rng);
        FrameFit {
            frame: 17,
            non_positive_pixels: 3,
            scatter: 5.5,
            weights1: (0..77).map(|_| normal(1.0)).collect(),
            weights2: (0..3122).map(|_| normal(20.0)).collect(),
            residuals: (0..10_000).map(|_| normal(6.0) as f32).collect(),
        }
    }

    #[test]
    fn records_come_back_to_the_bit() {
        let mut odd = fit();
        odd.weights1 = vec![0.0, -0.0, f64::INFINITY, f64::MIN_POSITIVE / 3.0];
        odd.weights2 = Vec::new();
        odd.residuals = vec![1.5];
        let unreadable = Record::Unreadable { frame: 5, reason: "lost".to_owned() };
        for record in [Record::Fitted(fit()), Record::Fitted(odd), unreadable] {
            assert_eq!(Record::from_bytes(&record.to_bytes()), Some(record));
        }
        let not_a_number = [f32::from_bits(0x7fc0_1234), f32::NAN];
        let back: Vec<f32> = unpack::<4, _>(&pack::<4>(&not_a_number, 1), 1).unwrap();
        assert!(back.iter().zip(&not_a_number).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn a_frame_of_the_standard_preset_takes_less_than_60_kb() {
        let fit = fit();
        let plain = 8 * (77 + 3122) + 4 * 10_000;
        let bytes = Record::Fitted(fit).to_bytes().len();
        assert!(bytes < 58_000 && plain > 65_000, "{bytes} of {plain}");
    }

    #[test]
    fn bytes_of_no_record_are_told() {
        let bytes = Record::Fitted(fit()).to_bytes();
        assert_eq!(Record::from_bytes(&[]), None);
        assert_eq!(Record::from_bytes(&bytes[..bytes.len() - 1]), None);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..200 {
            let mut noise = vec![0; rng.random_range(1..200)];
            rng.fill_bytes(&mut noise);
            // Whatever they are, nothing goes wrong.
            let _ = Record::from_bytes(&noise);
            let mut flipped = bytes.clone();
            let at = rng.random_range(0..200.min(bytes.len()));
            flipped[at] ^= 1 << rng.random_range(0..8);
            let _ = Record::from_bytes(&flipped);
        }
    }
}
