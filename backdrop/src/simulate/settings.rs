//! What can be chosen about a simulated sector, and the times of its frames.

use crate::error::{Error, Result};
use crate::ffi::SCIENCE_SIZE;
use crate::quality::Flag;
use crate::source::{FrameInfo, Target};
use crate::time::utc;

use super::variables::SQUARE;

/// The start of the first sector, in BTJD days.
const FIRST_SECTOR_BTJD: f64 = 1325.3;
/// The length of a sector (two orbits), in days.
const SECTOR_DAYS: f64 = 27.4;
/// Spacecraft configuration number in the names of simulated files (`SCCONFIG`).
pub(super) const SPACECRAFT_CONFIGURATION: u32 = 120;

/// What a [`Simulation`](super::Simulation) is made from.
///
/// The defaults are a sector as the mission takes it, with fewer frames:
///
/// ```
/// use backdrop::simulate::SimulationSettings;
///
/// let settings = SimulationSettings::default();
/// assert_eq!((settings.frames, settings.size, settings.cadence), (60, 2048, 30.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationSettings {
    /// Sector (1 to 9999), camera (1 to 4) and CCD (1 to 4).
    pub target: Target,
    /// How many frames there are, at least 1.
    pub frames: usize,
    /// Rows and columns of the science area, in pixels: 2048 for a whole CCD, down to 16
    /// for a cut-out. The light and the straps of a cut-out are those of the whole CCD in
    /// rows and columns `0..size`.
    pub size: usize,
    /// Where all random numbers come from.
    pub seed: u64,
    /// The number of stars brighter than Tmag 16 in a square of 1000 x 1000 pixels (34
    /// square degrees), at least 0. The floor of light of fainter stars grows with it.
    pub stars: f64,
    /// Whether to add photon and read noise.
    pub noise: bool,
    /// The frame, if any, whose first rows are flooded in one readout strip, as after a
    /// failed readout.
    pub blown_out_frame: Option<usize>,
    /// How many columns, at most `size`, have no value (NaN) in all frames.
    pub dead_columns: usize,
    /// How many frames, at most `frames`, carry a [`Flag`]: spread evenly over the series,
    /// by turns a momentum dump and coarse point.
    pub flagged_frames: usize,
    /// Time from the start of a frame to the start of the next, in minutes, more than 0.
    pub cadence: f64,
    /// How many variable stars with known signals there are, at most one in each square of
    /// 32 x 32 pixels. By turns sinusoids and transits.
    pub variables: usize,
    /// How many asteroids of V 10 to 16 cross the field, at 0.1 to 1 pixel an hour.
    pub asteroids: usize,
    /// How many frames, one after another, have a strong glint, at most `frames`.
    pub glints: usize,
    /// The days between the two halves of the series, as between the two orbits of a sector,
    /// at least 0.
    pub gap_days: f64,
}

impl Default for SimulationSettings {
    /// Sector 1, camera 1, CCD 4, which light enters from beyond the field; 60 frames of a
    /// whole CCD, two of them flagged; 20000 stars in 1000 x 1000 pixels, as away from the
    /// Galactic plane.
    fn default() -> Self {
        Self {
            target: Target { sector: 1, camera: 1, ccd: 4 },
            frames: 60,
            size: SCIENCE_SIZE,
            seed: 0,
            stars: 20_000.0,
            noise: true,
            blown_out_frame: None,
            dead_columns: 0,
            flagged_frames: 2,
            cadence: 30.0,
            variables: 0,
            asteroids: 0,
            glints: 0,
            gap_days: 0.0,
        }
    }
}

impl SimulationSettings {
    /// Refuses settings outside their documented ranges.
    pub(super) fn check(&self) -> Result<()> {
        let Target { sector, camera, ccd } = self.target;
        let rules = [
            ((1..=9999).contains(&sector), format!("sector {sector} is not in 1 to 9999")),
            ((1..=4).contains(&camera), format!("camera {camera} is not in 1 to 4")),
            ((1..=4).contains(&ccd), format!("CCD {ccd} is not in 1 to 4")),
            (self.frames > 0, "a simulation has at least one frame".to_owned()),
            (
                (16..=SCIENCE_SIZE).contains(&self.size),
                format!("a size of {} pixels is not in 16 to {SCIENCE_SIZE}", self.size),
            ),
            (
                self.stars.is_finite() && self.stars >= 0.0,
                format!("a density of {} stars is not a number from 0 up", self.stars),
            ),
            (
                self.cadence.is_finite() && self.cadence > 0.0,
                format!("a cadence of {} minutes is not a positive number", self.cadence),
            ),
            (
                self.blown_out_frame.is_none_or(|frame| frame < self.frames),
                format!(
                    "blown-out frame {} is not one of the {} frames, counted from 0",
                    self.blown_out_frame.unwrap_or_default(),
                    self.frames
                ),
            ),
            (
                self.dead_columns <= self.size,
                format!("{} dead columns are more than all {}", self.dead_columns, self.size),
            ),
            (
                self.flagged_frames <= self.frames,
                format!("{} flagged frames are more than all {}", self.flagged_frames, self.frames),
            ),
            (
                self.variables <= (self.size / SQUARE).pow(2),
                format!(
                    "{} variable stars are more than one in each square of {SQUARE} x {SQUARE} pixels",
                    self.variables
                ),
            ),
            (
                self.glints <= self.frames,
                format!("{} frames with a glint are more than all {}", self.glints, self.frames),
            ),
            (
                self.gap_days.is_finite() && self.gap_days >= 0.0,
                format!("a gap of {} days is not a number from 0 up", self.gap_days),
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, broken)) => Err(Error::InvalidArgument(broken)),
            None => Ok(()),
        }
    }

    /// Days from the start of the series to the start of a frame.
    pub(super) fn days(&self, index: usize) -> f64 {
        self.days_without_gap(index) + self.gap_before(index)
    }

    fn days_without_gap(&self, index: usize) -> f64 {
        index as f64 * self.cadence / (24.0 * 60.0)
    }

    /// The length of the gap, if it is before a frame.
    fn gap_before(&self, index: usize) -> f64 {
        if self.in_second_half(index) { self.gap_days } else { 0.0 }
    }

    /// Whether a frame is of the second orbit.
    pub(super) fn in_second_half(&self, index: usize) -> bool {
        index >= self.frames.div_ceil(2)
    }

    /// Names, times and flags of all frames.
    pub(super) fn frame_infos(&self) -> Result<Vec<FrameInfo>> {
        let Target { sector, camera, ccd } = self.target;
        let sector_start = FIRST_SECTOR_BTJD + SECTOR_DAYS * f64::from(sector - 1);
        let mut frames = (0..self.frames)
            .map(|index| {
                let tstart = sector_start + self.days(index);
                let time = utc(tstart)?.strftime("%Y%j%H%M%S").to_string();
                let scid = SPACECRAFT_CONFIGURATION;
                Ok(FrameInfo {
                    name: format!("tess{time}-s{sector:04}-{camera}-{ccd}-{scid:04}-s_ffic.fits"),
                    tstart,
                    tstop: sector_start + self.days_without_gap(index + 1) + self.gap_before(index),
                    quality: 0,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        for turn in 0..self.flagged_frames {
            let frame = (2 * turn + 1) * self.frames / (2 * self.flagged_frames);
            let flag = if turn % 2 == 0 { Flag::MomentumDump } else { Flag::CoarsePoint };
            frames[frame].quality |= flag as u32;
        }
        Ok(frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_spread_over_the_series_and_take_turns() {
        let settings = SimulationSettings { frames: 40, flagged_frames: 4, ..SimulationSettings::default() };
        let flagged: Vec<_> = settings
            .frame_infos()
            .unwrap()
            .iter()
            .enumerate()
            .filter(|(_, frame)| frame.quality != 0)
            .map(|(index, frame)| (index, frame.quality))
            .collect();
        assert_eq!(flagged, [(5, 32), (15, 4), (25, 32), (35, 4)]);
    }

    #[test]
    fn a_gap_is_in_the_middle_of_the_series() {
        let settings = SimulationSettings { frames: 5, gap_days: 1.0, ..SimulationSettings::default() };
        let frames = settings.frame_infos().unwrap();
        for (index, [frame, next]) in frames.array_windows().enumerate() {
            assert!((frame.tstop - frame.tstart - 1.0 / 48.0).abs() < 1e-9);
            let gap = if index == 2 { 1.0 } else { 0.0 };
            assert!((next.tstart - frame.tstop - gap).abs() < 1e-9, "after frame {index}");
        }
    }

    #[test]
    fn every_setting_out_of_range_is_refused_by_name() {
        let default = SimulationSettings::default;
        let target = default().target;
        let broken = [
            (
                SimulationSettings { target: Target { sector: 0, ..target }, ..default() },
                "sector 0 is not in 1 to 9999",
            ),
            (
                SimulationSettings { target: Target { camera: 5, ..target }, ..default() },
                "camera 5 is not in 1 to 4",
            ),
            (
                SimulationSettings { target: Target { ccd: 0, ..target }, ..default() },
                "CCD 0 is not in 1 to 4",
            ),
            (
                SimulationSettings { frames: 0, flagged_frames: 0, ..default() },
                "a simulation has at least one frame",
            ),
            (SimulationSettings { size: 2049, ..default() }, "a size of 2049 pixels is not in 16 to 2048"),
            (
                SimulationSettings { stars: -1.0, ..default() },
                "a density of -1 stars is not a number from 0 up",
            ),
            (
                SimulationSettings { cadence: f64::NAN, ..default() },
                "a cadence of NaN minutes is not a positive number",
            ),
            (
                SimulationSettings { blown_out_frame: Some(60), ..default() },
                "blown-out frame 60 is not one of the 60 frames, counted from 0",
            ),
            (
                SimulationSettings { size: 16, dead_columns: 17, ..default() },
                "17 dead columns are more than all 16",
            ),
            (
                SimulationSettings { flagged_frames: 61, ..default() },
                "61 flagged frames are more than all 60",
            ),
            (
                SimulationSettings { size: 95, variables: 5, ..default() },
                "5 variable stars are more than one in each square of 32 x 32 pixels",
            ),
            (SimulationSettings { glints: 61, ..default() }, "61 frames with a glint are more than all 60"),
            (
                SimulationSettings { gap_days: -1.0, ..default() },
                "a gap of -1 days is not a number from 0 up",
            ),
        ];
        for (settings, message) in broken {
            assert_eq!(settings.check().unwrap_err().to_string(), message);
        }
        default().check().unwrap();
    }
}
