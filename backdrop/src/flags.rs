//! Flags of scattered light for single targets: when it is bright there, or changes fast.
//!
//! The mission flags whole frames, but scattered light reaches one corner of a CCD at full strength
//! while another sees nothing of it. A model knows the background `B(t)` of any pixels in every
//! frame, in electrons/s a pixel, so that each target can have flags of its own:
//!
//! | bit | value | set where |
//! |---|---|---|
//! | [`BRIGHT`] | 1 | `B` exceeds a threshold |
//! | [`FAST`] | 2 | `\|dB/dt\|` exceeds a threshold, from this frame to the last one before or the first one after it that was fitted |
//! | [`NO_MODEL`] | 4 | the frame was not fitted, or there is none |
//!
//! Frames further apart than five times the usual step (a gap between orbits) say nothing about how
//! fast the background changes.

use std::path::Path;

use array_api::Backend;
use ndarray::{Array2, Axis};

use crate::background::evaluate_pixels;
use crate::error::{Error, Result, quoted};
use crate::file::{AnyModel, Model};
use crate::fits::{Column, Values, Writer};
use crate::geometry::CCD_SIZE;
use crate::output::write_whole;
use crate::statistics::median;
use crate::table;

/// The background exceeds the threshold.
pub const BRIGHT: i32 = 1;

/// The background changes faster than the threshold.
pub const FAST: i32 = 2;

/// There is no background to tell.
pub const NO_MODEL: i32 = 4;

/// The flag of the mission for scattered light, in `QUALITY` (bit 13 of the data quality flags in
/// the TESS Archive Manual).
pub const SCATTERED_LIGHT: i32 = 4096;

/// Median steps beyond which two frames do not follow one another.
const GAP: f64 = 5.0;

/// What is too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Background, in electrons/s a pixel.
    pub level: f64,
    /// Its change, in electrons/s a pixel and day.
    pub rate: f64,
}

impl Default for Thresholds {
    /// Nothing is too much.
    fn default() -> Self {
        Self { level: f64::INFINITY, rate: f64::INFINITY }
    }
}

impl Thresholds {
    /// The flags of a target in each frame; `times` are the middles of the frames in days, in
    /// ascending order, `background` is that of the target in electrons/s, NaN where there is none.
    ///
    /// ```
    /// use backdrop::flags::{BRIGHT, FAST, NO_MODEL, Thresholds};
    ///
    /// let thresholds = Thresholds { level: 100.0, rate: 400.0 };
    /// let times = [1.0, 1.1, 1.2, 1.3, 1.4];
    /// let flags = thresholds.flags(&times, &[50.0, 60.0, f64::NAN, 150.0, 160.0]);
    /// // From 60 to 150 in 0.2 days is 450 a day.
    /// assert_eq!(flags, [0, FAST, NO_MODEL, BRIGHT | FAST, BRIGHT]);
    /// ```
    ///
    /// # Panics
    /// If there are not as many times as backgrounds.
    #[must_use]
    pub fn flags(&self, times: &[f64], background: &[f64]) -> Vec<i32> {
        assert_eq!(times.len(), background.len(), "a time for each background");
        let known: Vec<usize> = (0..times.len()).filter(|&frame| background[frame].is_finite()).collect();
        let mut flags = vec![NO_MODEL; times.len()];
        for &frame in &known {
            flags[frame] = if background[frame] > self.level { BRIGHT } else { 0 };
        }
        let mut steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let longest = GAP * median(&mut steps).unwrap_or(0.0);
        for pair in known.windows(2) {
            let step = times[pair[1]] - times[pair[0]];
            let change = (background[pair[1]] - background[pair[0]]).abs();
            if step <= longest && change > self.rate * step {
                pair.iter().for_each(|&frame| flags[frame] |= FAST);
            }
        }
        flags
    }
}

/// The flags of some pixels in all frames of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetFlags {
    /// The targets, science (row, column).
    pub pixels: Vec<(usize, usize)>,
    /// The background of each in electrons/s, of shape (frames, targets).
    pub background: Array2<f64>,
    /// The flags of each, of the same shape.
    pub flags: Array2<i32>,
    thresholds: Thresholds,
}

impl TargetFlags {
    /// Flags the frames of a model for each of some pixels.
    ///
    /// # Errors
    /// As [`evaluate_pixels`].
    pub fn new<B: Backend>(
        xp: &B,
        model: &dyn AnyModel,
        pixels: &[(usize, usize)],
        thresholds: Thresholds,
    ) -> Result<Self> {
        let head = model.without_weights();
        let frames: Vec<usize> = (0..head.tstart.len()).collect();
        let background = evaluate_pixels(xp, model, &frames, pixels)?;
        let times = head.middles();
        let mut flags = Array2::zeros(background.raw_dim());
        for (mut flags, background) in flags.axis_iter_mut(Axis(1)).zip(background.axis_iter(Axis(1))) {
            let of_target = thresholds.flags(&times, &background.to_vec());
            flags.iter_mut().zip(of_target).for_each(|(to, flags)| *to = flags);
        }
        Ok(Self { pixels: pixels.to_vec(), background, flags, thresholds })
    }

    /// Writes a FITS file: the table `TARGETS` with `row` and `column` of each target, and the table
    /// `FLAGS` with a row for each frame: `TIME` (its middle in BTJD days, at the spacecraft),
    /// `QUALITY` and `BACKGROUND` (electrons/s), with an entry for each target.
    ///
    /// # Errors
    /// As [`write_whole`].
    pub fn save(&self, model: &Model, path: &Path, overwrite: bool) -> Result<()> {
        let position = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
        let rows: Vec<i32> = self.pixels.iter().map(|&(row, _)| position(row)).collect();
        let columns: Vec<i32> = self.pixels.iter().map(|&(_, column)| position(column)).collect();
        let mut file = Writer::new(path)?;
        file.image::<u8>("PRIMARY", &[], &[])?;
        file.integer("SECTOR", model.target.sector.into(), "observing sector")?;
        file.integer("CAMERA", model.target.camera.into(), "camera number")?;
        file.integer("CCD", model.target.ccd.into(), "CCD number")?;
        for (keyword, value, comment) in [
            ("BKGLEVEL", self.thresholds.level, "[electrons/s] background that is too bright"),
            ("BKGRATE", self.thresholds.rate, "[electrons/s/d] change that is too fast"),
        ] {
            if value.is_finite() {
                file.real(keyword, value, comment)?;
            }
        }
        let column = |name, values| Column { name, unit: "pixel", values: Values::I32(values) };
        file.table("TARGETS", &[column("row", &rows), column("column", &columns)])?;
        file.comment("Positions in the science area, counted from 0.")?;
        let times = model.middles();
        file.table("FLAGS", &[Column { name: "TIME", unit: "d", values: Values::F64(&times) }])?;
        let flags: Vec<i32> = self.flags.iter().copied().collect();
        let background: Vec<f32> = self.background.iter().map(|&value| value as f32).collect();
        let shape = [self.pixels.len()];
        file.append_column("QUALITY", "", &shape, &flags)?;
        file.append_column("BACKGROUND", "electrons/s", &shape, &background)?;
        file.comment("QUALITY: 1 bright, 2 changes fast, 4 no model; an entry for each target.")?;
        file.comment("TIME: BJD - 2457000 (BTJD) at the spacecraft, the middle of the frame.")?;
        write_whole(path, file.bytes()?, overwrite)
    }

    /// Frames of a target that are bright or change fast.
    ///
    /// # Panics
    /// If there is no such target.
    #[must_use]
    pub fn flagged(&self, target: usize) -> usize {
        self.flags.column(target).iter().filter(|&&flags| flags & (BRIGHT | FAST) != 0).count()
    }
}

/// Reads targets from a CSV file with the columns `row` and `column`: science pixels, counted from 0.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::BadTable`], which names the line and the column.
pub fn read_targets(path: &Path) -> Result<Vec<(usize, usize)>> {
    let (mut reader, header) = table::open(path)?;
    let names: Vec<&str> = header.iter().collect();
    let find = |of: &[&str]| table::find(path, &names, of, "a list of targets has row, column");
    let places = [find(table::ROW)?, find(table::COLUMN)?];
    let mut targets = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| table::csv_error(path, error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let pixel = |place: usize| {
            let text = &record[place];
            let pixel = text.parse().ok().filter(|&pixel: &usize| pixel < CCD_SIZE);
            pixel.ok_or_else(|| {
                let last = CCD_SIZE - 1;
                table::bad(
                    path,
                    format!("line {line}, column {}: {} is not 0 to {last}", &header[place], quoted(text)),
                )
            })
        };
        targets.push((pixel(places[0])?, pixel(places[1])?));
    }
    if targets.is_empty() {
        return Err(table::bad(path, "it has no targets"));
    }
    Ok(targets)
}

/// Refuses thresholds that are not numbers, or that flag nothing.
///
/// # Errors
/// [`Error::InvalidArgument`].
pub fn check(thresholds: Thresholds) -> Result<()> {
    let Thresholds { level, rate } = thresholds;
    if level.is_nan() || rate.is_nan() || rate < 0.0 {
        return Err(Error::InvalidArgument(format!(
            "a background of {level} and a change of {rate} are no thresholds"
        )));
    }
    if level.is_infinite() && rate.is_infinite() {
        return Err(Error::InvalidArgument("no threshold: give --level, --rate or both".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_tells_nothing_about_the_rate_but_missing_frames_do() {
        let thresholds = Thresholds { level: f64::INFINITY, rate: 10.0 };
        // Steps of 1 day, then a gap of 7 with a jump, then a slow and a fast rise.
        let times = [0.0, 1.0, 2.0, 9.0, 10.0, 11.0, 12.0];
        let background = [0.0, 1.0, 2.0, 500.0, 505.0, f64::NAN, 530.0];
        assert_eq!(thresholds.flags(&times, &background), [0, 0, 0, 0, FAST, NO_MODEL, FAST]);
        assert_eq!(Thresholds::default().flags(&times, &background), [0, 0, 0, 0, 0, NO_MODEL, 0]);
        assert!(thresholds.flags(&[], &[]).is_empty());
        assert_eq!(thresholds.flags(&[1.0], &[5.0]), [0]);
    }

    #[test]
    fn thresholds_exclude_what_equals_them() {
        let thresholds = Thresholds { level: 100.0, rate: 50.0 };
        assert_eq!(thresholds.flags(&[0.0, 1.0, 2.0], &[100.0, 150.0, 100.5]), [0, BRIGHT, BRIGHT]);
    }

    #[test]
    fn targets_are_read_or_the_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("targets.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_targets(&path).map_err(|error| error.to_string().split_once(": ").unwrap().1.to_owned())
        };
        assert_eq!(read("name,Row,COL\na,5,6\n# no\nb, 7,2047\n"), Ok(vec![(5, 6), (7, 2047)]));
        for (text, message) in [
            ("row,column\n5,2048\n", "line 2, column column: \"2048\" is not 0 to 2047"),
            ("row,column\n1,2\nx,2\n", "line 3, column row: \"x\" is not 0 to 2047"),
            ("row,columns\n1,2\n", "it has no column column (or col); a list of targets has row, column"),
            ("row,column\n", "it has no targets"),
        ] {
            assert_eq!(read(text), Err(message.to_owned()));
        }
    }

    #[test]
    fn thresholds_that_flag_nothing_are_refused() {
        assert!(check(Thresholds::default()).unwrap_err().to_string().contains("--level"));
        assert!(check(Thresholds { level: f64::NAN, rate: 1.0 }).is_err());
        assert!(check(Thresholds { level: 5.0, rate: -1.0 }).is_err());
        check(Thresholds { level: 5.0, ..Thresholds::default() }).unwrap();
    }
}
