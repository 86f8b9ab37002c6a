//! Where frames come from: the [`FrameSource`] trait, and frames held in memory.
//!
//! A frame is the science area of one exposure, a matrix `F[row, column]` in
//! electrons/s, 0-based. The fit asks for frames one by one, so that a source
//! may keep them on disk ([`FfiSource`](crate::ffi::FfiSource)), in memory
//! ([`MemorySource`]) or make them up as they are asked for.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use array_api::host;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The part of the sky survey that a frame or a model belongs to.
///
/// ```
/// use backdrop::source::Target;
///
/// let target = Target { sector: 12, camera: 1, ccd: 3 };
/// assert_eq!(target.to_string(), "sector 12, camera 1, CCD 3");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The observing sector, counted from 1.
    pub sector: u32,
    /// The camera, 1 to 4.
    pub camera: u8,
    /// The CCD of the camera, 1 to 4.
    pub ccd: u8,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sector {}, camera {}, CCD {}", self.sector, self.camera, self.ccd)
    }
}

/// What is to be done about a frame that cannot be read.
///
/// ```
/// use backdrop::source::OnError;
///
/// assert_eq!("skip".parse(), Ok(OnError::Skip));
/// assert_eq!(OnError::default().to_string(), "fail");
/// assert_eq!("ignore".parse::<OnError>(), Err("give fail or skip".to_owned()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// To end with the error.
    #[default]
    Fail,
    /// To go on without the frame, which keeps its place among the others.
    Skip,
}

impl fmt::Display for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fail => "fail",
            Self::Skip => "skip",
        })
    }
}

impl FromStr for OnError {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            _ => Err("give fail or skip".into()),
        }
    }
}

/// What is known of a frame without reading its pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameInfo {
    /// A name for messages and for the list of input files: the file name, if there is one.
    pub name: String,
    /// Start of the exposure, in BTJD days. NaN if it is not known, of an
    /// [unreadable](FrameSource::unreadable) frame only.
    pub tstart: f64,
    /// End of the exposure, in BTJD days; NaN where the start is.
    pub tstop: f64,
    /// The mission's data quality flags (`DQUALITY`), 0 for a good frame;
    /// [`UNREADABLE`](crate::quality::UNREADABLE) for an unreadable one.
    pub quality: u32,
}

/// A series of frames of one sector, camera and CCD, sorted by start time.
///
/// [`read`](Self::read) may be called from several threads at once.
pub trait FrameSource: Sync {
    /// The sector, camera and CCD of all frames.
    fn target(&self) -> Target;

    /// The science area of every frame, (rows, columns) in pixels.
    fn shape(&self) -> (usize, usize);

    /// The frames, sorted by `tstart`. Unreadable ones without a time stand where their name puts
    /// them.
    fn frames(&self) -> &[FrameInfo];

    /// Reads the frame at position `index` of [`frames`](Self::frames) into `out`,
    /// row-major (rows, columns), in electrons/s. Pixels without a value are NaN.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such frame or `out` has another
    /// length than rows x columns; whatever the place that the frame comes from
    /// can fail with. After an error the contents of `out` are unspecified.
    fn read(&self, index: usize, out: &mut [f32]) -> Result<()>;

    /// Reads some rows of the frame at position `index` into `out`, as [`read`](Self::read)
    /// does all of them. Unless a source can do better, it reads the whole frame for that.
    ///
    /// # Errors
    /// As for [`read`](Self::read), also if there are no such rows.
    fn read_rows(&self, index: usize, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        check_read_rows(self, index, &rows, out)?;
        let (all, columns) = self.shape();
        let mut frame = host::zeros(all * columns)?;
        self.read(index, &mut frame)?;
        out.copy_from_slice(&frame[rows.start * columns..][..out.len()]);
        Ok(())
    }

    /// Whether to read the frame at position `index` in parts, by [`read_rows`](Self::read_rows), takes little more time than to
    /// read it as a whole.
    fn reads_parts(&self, index: usize) -> bool {
        let _ = index;
        false
    }

    /// Says that the frame at position `index` will be read soon, so that what takes time before its pixels can be had may begin.
    /// There may be no such frame; what fails is left to [`read`](Self::read).
    fn will_read(&self, index: usize) {
        let _ = index;
    }

    /// Why the frame at position `index` of [`frames`](Self::frames) cannot be read, in one line that
    /// does not name it, if that is known before it is asked for. Reading it is the same error then.
    fn unreadable(&self, index: usize) -> Option<String> {
        let _ = index;
        None
    }

    /// A number that changes when the frame at position `index` of [`frames`](Self::frames) is
    /// replaced by another, such as a hash of its file's size and time of modification; the same in
    /// every process. 0 if there is no such frame, or nothing of the kind is known.
    fn stamp(&self, index: usize) -> u64 {
        let _ = index;
        0
    }
}

/// Checks what every [`FrameSource::read`] is called with.
///
/// # Errors
/// [`Error::InvalidArgument`] as documented there.
pub(crate) fn check_read<S: FrameSource + ?Sized>(source: &S, index: usize, out: &[f32]) -> Result<()> {
    check_read_rows(source, index, &(0..source.shape().0), out)
}

/// Checks what every [`FrameSource::read_rows`] is called with.
///
/// # Errors
/// [`Error::InvalidArgument`] as documented there.
pub(crate) fn check_read_rows<S: FrameSource + ?Sized>(
    source: &S,
    index: usize,
    rows: &Range<usize>,
    out: &[f32],
) -> Result<()> {
    let frames = source.frames().len();
    if index >= frames {
        return Err(Error::InvalidArgument(format!(
            "frame {index} asked for, but there are {frames} frames, counted from 0"
        )));
    }
    let (all, columns) = source.shape();
    if rows.start > rows.end || rows.end > all {
        return Err(Error::InvalidArgument(format!(
            "rows {} to {} asked for, but a frame has {all}, counted from 0",
            rows.start, rows.end
        )));
    }
    if out.len() != rows.len() * columns {
        return Err(Error::InvalidArgument(format!(
            "a frame of {} x {columns} pixels does not fit a buffer of {} values",
            rows.len(),
            out.len()
        )));
    }
    Ok(())
}

/// Frames held in memory.
///
/// ```
/// use backdrop::source::{FrameInfo, FrameSource, MemorySource, Target};
///
/// let target = Target { sector: 1, camera: 1, ccd: 4 };
/// let info = FrameInfo { name: "first".into(), tstart: 1325.3, tstop: 1325.32, quality: 0 };
/// let source = MemorySource::new(target, (1, 2), vec![(info, vec![100.0, 101.5])])?;
///
/// let mut frame = [0.0; 2];
/// source.read(0, &mut frame)?;
/// assert_eq!(frame, [100.0, 101.5]);
/// # Ok::<(), backdrop::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemorySource {
    target: Target,
    shape: (usize, usize),
    frames: Vec<FrameInfo>,
    pixels: Vec<Vec<f32>>,
}

impl MemorySource {
    /// A source of the given frames, each row-major (rows, columns) in electrons/s.
    /// They may come in any order and are sorted by `tstart`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a frame has another number of pixels than
    /// `shape`, or a `tstart` that is not a number.
    pub fn new(
        target: Target,
        shape: (usize, usize),
        mut frames: Vec<(FrameInfo, Vec<f32>)>,
    ) -> Result<Self> {
        let (rows, columns) = shape;
        for (info, pixels) in &frames {
            if pixels.len() != rows * columns {
                return Err(Error::InvalidArgument(format!(
                    "frame {:?} has {} pixels, not {rows} x {columns}",
                    info.name,
                    pixels.len()
                )));
            }
            if !info.tstart.is_finite() {
                return Err(Error::InvalidArgument(format!(
                    "frame {:?} starts at {}, which is no time",
                    info.name, info.tstart
                )));
            }
        }
        frames.sort_by(|(a, _), (b, _)| a.tstart.total_cmp(&b.tstart));
        let (frames, pixels) = frames.into_iter().unzip();
        Ok(Self { target, shape, frames, pixels })
    }
}

impl FrameSource for MemorySource {
    fn target(&self) -> Target {
        self.target
    }

    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }

    fn read(&self, index: usize, out: &mut [f32]) -> Result<()> {
        self.read_rows(index, 0..self.shape.0, out)
    }

    fn read_rows(&self, index: usize, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
        check_read_rows(self, index, &rows, out)?;
        out.copy_from_slice(&self.pixels[index][rows.start * self.shape.1..][..out.len()]);
        Ok(())
    }

    fn reads_parts(&self, _: usize) -> bool {
        true
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const TARGET: Target = Target { sector: 12, camera: 1, ccd: 3 };

    fn info(name: &str, tstart: f64) -> FrameInfo {
        FrameInfo { name: name.into(), tstart, tstop: tstart + 0.02, quality: 0 }
    }

    #[test]
    fn frames_are_sorted_by_start_time_with_their_pixels() {
        let frames = vec![
            (info("late", 2.0), vec![2.0, 2.5]),
            (info("early", 1.0), vec![1.0, 1.5]),
            (info("latest", 3.0), vec![3.0, 3.5]),
        ];
        let source = MemorySource::new(TARGET, (2, 1), frames).unwrap();
        let names: Vec<_> = source.frames().iter().map(|frame| frame.name.as_str()).collect();
        assert_eq!(names, ["early", "late", "latest"]);
        let mut out = [0.0; 2];
        for (index, expected) in [[1.0, 1.5], [2.0, 2.5], [3.0, 3.5]].into_iter().enumerate() {
            source.read(index, &mut out).unwrap();
            assert_eq!(out, expected);
        }
    }

    /// A source that can only read whole frames.
    pub(crate) struct Whole(pub(crate) MemorySource);

    impl FrameSource for Whole {
        fn target(&self) -> Target {
            self.0.target()
        }

        fn shape(&self) -> (usize, usize) {
            self.0.shape()
        }

        fn frames(&self) -> &[FrameInfo] {
            self.0.frames()
        }

        fn read(&self, index: usize, out: &mut [f32]) -> Result<()> {
            self.0.read(index, out)
        }
    }

    #[test]
    fn some_rows_are_those_of_the_whole_frame() {
        let pixels: Vec<f32> = (0..12).map(|pixel| pixel as f32).collect();
        let memory = MemorySource::new(TARGET, (4, 3), vec![(info("only", 1.0), pixels)]).unwrap();
        let whole = Whole(memory.clone());
        let sources: [&dyn FrameSource; 2] = [&memory, &whole];
        for source in sources {
            let mut out = [0.0; 6];
            source.read_rows(0, 1..3, &mut out).unwrap();
            assert_eq!(out, [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
            source.read_rows(0, 4..4, &mut []).unwrap();
            let beyond = source.read_rows(0, 3..5, &mut out).unwrap_err().to_string();
            assert_eq!(beyond, "rows 3 to 5 asked for, but a frame has 4, counted from 0");
            let short = source.read_rows(0, 1..4, &mut out).unwrap_err().to_string();
            assert_eq!(short, "a frame of 3 x 3 pixels does not fit a buffer of 6 values");
        }
    }

    #[test]
    fn a_source_that_says_nothing_else_can_read_all_its_frames() {
        let source = MemorySource::new(TARGET, (1, 1), vec![(info("only", 1.0), vec![0.0])]).unwrap();
        assert_eq!((source.unreadable(0), source.stamp(0)), (None, 0));
    }

    #[test]
    fn wrong_calls_are_errors_that_give_the_numbers() {
        let source = MemorySource::new(TARGET, (2, 1), vec![(info("only", 1.0), vec![0.0; 2])]).unwrap();
        let beyond = source.read(1, &mut [0.0; 2]).unwrap_err();
        assert_eq!(beyond.to_string(), "frame 1 asked for, but there are 1 frames, counted from 0");
        let short = source.read(0, &mut [0.0; 3]).unwrap_err();
        assert_eq!(short.to_string(), "a frame of 2 x 1 pixels does not fit a buffer of 3 values");
    }

    #[test]
    fn frames_of_the_wrong_size_or_without_a_time_are_refused() {
        let wrong_size = vec![(info("odd", 1.0), vec![0.0; 3])];
        assert_eq!(
            MemorySource::new(TARGET, (2, 1), wrong_size).unwrap_err().to_string(),
            "frame \"odd\" has 3 pixels, not 2 x 1"
        );
        let no_time = vec![(info("odd", f64::NAN), vec![0.0; 2])];
        assert_eq!(
            MemorySource::new(TARGET, (2, 1), no_time).unwrap_err().to_string(),
            "frame \"odd\" starts at NaN, which is no time"
        );
    }
}
