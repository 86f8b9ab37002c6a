//! Which frames are good: the mission's flags and our own.
//!
//! Flags are the bits of `DQUALITY` as the TESS Science Data Products Description Document
//! (EXP-TESS-ARC-ICD-0014) defines them.

/// A flag of `DQUALITY` (TESS Archive Manual, data quality flags).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Flag {
    /// Bit 3: the spacecraft was in coarse point.
    CoarsePoint = 4,
    /// Bit 6: the reaction wheels were desaturated (a momentum dump).
    MomentumDump = 32,
}

/// The bit that a frame gets when a readout strip is blown out by scattered light.
pub const BLOWN_OUT: u32 = 8192;

/// The bit, outside those of the mission, that a frame gets when more than half of its pixels have
/// no value: too little to fit.
pub const NO_DATA: u32 = 1 << 16;

/// The bit, outside those of the mission, that a frame gets when its file cannot be read.
pub const UNREADABLE: u32 = 1 << 17;

/// Flags that keep a frame out of the fit, unless told otherwise: attitude tweak, safe mode, coarse
/// point, Earth point, argabrightening and momentum dump.
pub const FIT_BITMASK: u32 = 63;

/// Flags that keep a frame out of the average frame.
pub const AVERAGE_BITMASK: u32 = 6911;

use crate::statistics::median;

/// Columns of a readout strip: a CCD has four.
const STRIP: usize = 512;

/// Rows at the bottom of a strip that tell whether it is blown out.
pub(crate) const ROWS: usize = 10;

/// Mean flux of those rows, in electrons/s, beyond which a strip is blown out.
const LIMIT: f64 = 10_000.0;

/// Whether a frame with this quality passes a bitmask. Frames that are blown out, empty or unreadable
/// pass none.
pub fn passes(quality: u32, bitmask: u32) -> bool {
    quality & (bitmask | BLOWN_OUT | NO_DATA | UNREADABLE) == 0
}

/// Whether a frame is blown out: in any of the four readout strips of 512 columns, the median over
/// columns of |mean of the first 10 rows| exceeds 10000 electrons/s. Pixels without a value do
/// not count.
///
/// `frame` is row-major with `columns` columns.
pub fn is_blown_out(frame: &[f32], columns: usize) -> bool {
    let rows: Vec<&[f32]> = frame.chunks_exact(columns.max(1)).take(ROWS).collect();
    (0..columns).step_by(STRIP).any(|start| {
        let mut levels: Vec<f64> = (start..columns.min(start + STRIP))
            .filter_map(|column| {
                let values = rows.iter().map(|row| f64::from(row[column])).filter(|value| value.is_finite());
                let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
                (count > 0).then(|| (sum / f64::from(count)).abs())
            })
            .collect();
        median(&mut levels).is_some_and(|level| level > LIMIT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_cannot_be_used_pass_no_bitmask() {
        assert!(passes(0, FIT_BITMASK) && passes(64, FIT_BITMASK) && !passes(32, FIT_BITMASK));
        for flag in [BLOWN_OUT, NO_DATA, UNREADABLE] {
            assert!(!passes(flag, 0) && !passes(flag | 64, 0), "{flag}");
        }
        assert_eq!(UNREADABLE, 131_072);
    }

    #[test]
    fn one_bright_strip_is_enough_and_the_sign_does_not_matter() {
        let columns = 2048;
        let mut frame = vec![100.0_f32; 20 * columns];
        assert!(!is_blown_out(&frame, columns));
        // 300 of the 512 columns of strip 2, in the first 10 rows only.
        for row in 0..10 {
            frame[row * columns + 1100..row * columns + 1400].fill(-10_500.0);
        }
        assert!(is_blown_out(&frame, columns));
        // Less than half of the strip's columns: the median does not notice.
        let mut few = vec![100.0_f32; 20 * columns];
        for row in 0..10 {
            few[row * columns + 1100..row * columns + 1300].fill(50_000.0);
        }
        assert!(!is_blown_out(&few, columns));
    }

    #[test]
    fn pixels_without_a_value_do_not_count() {
        let mut frame = vec![20_000.0_f32; 10 * 64];
        frame[..5 * 64].fill(f32::NAN);
        assert!(is_blown_out(&frame, 64));
        assert!(!is_blown_out(&vec![f32::NAN; 640], 64));
    }
}
