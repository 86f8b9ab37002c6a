//! Predicted positions of asteroids, and the pixels that they pass.
//!
//! An asteroid moves by up to a few pixels an hour, so that the minimum image does not know it;
//! a pixel that it passes is no background. What passes where is known beforehand: a table has
//! one row for an asteroid at a time, with the columns
//!
//! | column | also called | content |
//! |---|---|---|
//! | `name` | `designation`, `object`, `target` | the asteroid; rows of one name form a [`Track`] |
//! | `time` | `btjd` | BTJD, in days |
//! | `row` | | row of the science area, counted from 0; whole at the centre of a pixel |
//! | `column` | `col` | column of the science area, in the same way |
//! | `vmag` | `V`, `v_mag`, `mag`, `magnitude` | V magnitude |
//!
//! in any order, among others, in capitals or not. It is a CSV file (RFC 4180; lines that begin
//! with `#` are left out) or the first table of a FITS file. `docs/asteroids.md` shows how to
//! make one with `tess-ephem`.
//!
//! Between two rows an asteroid moves in a straight line at constant speed. All pixels are masked
//! that are within reach of its path during a mask window: 5 pixels from V = 14 on, 7 from V = 11
//! on, and 9 if it is brighter. In the minimum image a pixel goes without the frames in which one
//! passes. Nothing is known of an asteroid before the first and after the last time of its track, so
//! that it is not masked there, but for half a frame in which it is taken to stand still: a table may
//! have the middles of the frames only.

mod path;
mod table;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::error::Result;
use crate::source::FrameInfo;

use path::{Raster, Waypoint};

/// The predicted positions of some asteroids.
///
/// ```
/// use backdrop::asteroids::Asteroids;
/// use backdrop::source::FrameInfo;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("asteroids.csv");
/// std::fs::write(&path, "\
/// name,time,row,column,vmag
/// Ceres,1325.0,40.0,10.0,9.1
/// Ceres,1326.0,40.0,34.0,9.1
/// ")?;
/// let asteroids = Asteroids::read(&path)?;
/// assert_eq!(asteroids.name(), "asteroids.csv");
///
/// let frame = FrameInfo { name: String::new(), tstart: 1325.5, tstop: 1325.5 + 1.0 / 48.0, quality: 0 };
/// let pixels = asteroids.pixels(&[frame], (64, 64));
/// // From (40, 22) to (40, 22.5), and 9 pixels around.
/// assert!(pixels.contains(&(40 * 64 + 13)) && pixels.contains(&(40 * 64 + 31)));
/// assert!(!pixels.contains(&(40 * 64 + 12)) && !pixels.contains(&(40 * 64 + 32)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Asteroids {
    name: String,
    tracks: Vec<Track>,
}

/// The positions of one asteroid.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// What the asteroid is called.
    pub name: String,
    /// Where it is when, sorted by time; at least one.
    pub positions: Vec<Position>,
}

/// Where an asteroid is at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// In BTJD days.
    pub time: f64,
    /// Row of the science area, counted from 0; whole at the centre of a pixel.
    pub row: f64,
    /// Column of the science area, counted from 0; whole at the centre of a pixel.
    pub column: f64,
    /// V magnitude.
    pub magnitude: f64,
}

impl Asteroids {
    /// Reads a table; its form is told by its first bytes.
    ///
    /// # Errors
    /// [`Error::Io`](crate::error::Error::Io), [`Error::Fits`](crate::error::Error::Fits) and
    /// [`Error::Truncated`](crate::error::Error::Truncated) if it cannot be read;
    /// [`Error::BadTable`](crate::error::Error::BadTable), which names the line and the column, if
    /// a column is missing, or a value is missing or impossible.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self::new(name, table::read(path)?))
    }

    /// Asteroids of given positions, which are sorted by time; `name` is what the table is called.
    pub(crate) fn new(name: String, mut tracks: Vec<Track>) -> Self {
        for track in &mut tracks {
            track.positions.sort_by(|a, b| a.time.total_cmp(&b.time));
        }
        Self { name, tracks }
    }

    /// The name of the file that the table was read from, without its directory.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the table, and a check sum of what it says.
    pub(crate) fn describe(&self) -> String {
        let mut sum = crc32fast::Hasher::new();
        for track in &self.tracks {
            sum.update(track.name.as_bytes());
            for Position { time, row, column, magnitude } in &track.positions {
                for number in [time, row, column, magnitude] {
                    sum.update(&number.to_le_bytes());
                }
            }
        }
        format!("{} (check sum {:08x})", self.name, sum.finalize())
    }

    /// The asteroids, in the order of their first rows.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Positions, row-major in a frame of `shape` (rows, columns) and in ascending order, of all
    /// pixels within reach of any asteroid from the start of the first of `frames` to the end of
    /// the last, the times between them included. A track of other times costs no more than a
    /// comparison.
    #[must_use]
    pub fn pixels(&self, frames: &[FrameInfo], shape: (usize, usize)) -> Vec<usize> {
        let start = frames.iter().map(|frame| frame.tstart).fold(f64::INFINITY, f64::min);
        let stop = frames.iter().map(|frame| frame.tstop).fold(f64::NEG_INFINITY, f64::max);
        let longest = frames.iter().map(|frame| frame.tstop - frame.tstart).fold(0.0, f64::max);
        let mut raster = Raster::new(shape);
        for track in &self.tracks {
            track.draw(start, stop, longest / 2.0, &mut raster);
        }
        raster.into_pixels()
    }

    /// Writes the table as CSV, whole or not at all, with all digits.
    ///
    /// # Errors
    /// [`Error::OutputExists`](crate::error::Error::OutputExists) if there is a file already and
    /// not to be replaced, [`Error::Io`](crate::error::Error::Io) if it cannot be written.
    pub fn write(&self, path: &Path, overwrite: bool) -> Result<()> {
        table::write(&self.tracks, path, overwrite)
    }
}

impl Track {
    /// The position at a time between the first and the last, on the straight line between its
    /// neighbours. `None` before the first and after the last.
    ///
    /// ```
    /// use backdrop::asteroids::{Position, Track};
    ///
    /// let at = |time, row, column| Position { time, row, column, magnitude: 12.0 };
    /// let track = Track { name: "2 Pallas".into(), positions: vec![at(1.0, 5.0, 0.0), at(3.0, 5.0, 4.0)] };
    /// assert_eq!(track.at(1.5), Some(at(1.5, 5.0, 1.0)));
    /// assert_eq!(track.at(3.5), None);
    /// ```
    #[must_use]
    pub fn at(&self, time: f64) -> Option<Position> {
        let after = self.positions.partition_point(|position| position.time <= time);
        let before = self.positions.get(after.checked_sub(1)?)?;
        let Some(next) = self.positions.get(after) else {
            return (before.time == time).then_some(*before);
        };
        let part = (time - before.time) / (next.time - before.time);
        let between = |before: f64, next: f64| before + part * (next - before);
        Some(Position {
            time,
            row: between(before.row, next.row),
            column: between(before.column, next.column),
            magnitude: between(before.magnitude, next.magnitude),
        })
    }

    /// Marks the pixels within reach of the path from `start` to `stop`, where the asteroid stays
    /// at its first and its last position for `grace` days more.
    fn draw(&self, start: f64, stop: f64, grace: f64, raster: &mut Raster) {
        let [Some(first), Some(last)] = [self.positions.first(), self.positions.last()] else { return };
        if stop <= first.time - grace || last.time + grace <= start {
            return;
        }
        let held = |time: f64| self.at(time.clamp(first.time, last.time));
        let inside = self.positions.partition_point(|position| position.time <= start)
            ..self.positions.partition_point(|position| position.time < stop);
        let between = self.positions.get(inside).unwrap_or_default();
        let mut path =
            held(start).into_iter().chain(between.iter().copied()).chain(held(stop)).map(Waypoint::from);
        let Some(mut from) = path.next() else { return };
        for to in path {
            raster.mark(from, to);
            from = to;
        }
    }
}
