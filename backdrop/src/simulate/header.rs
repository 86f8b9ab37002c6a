//! The headers of simulated full frame images: the keywords of the mission's that other programs
//! look for, astrocut and lightkurve among them.

use crate::error::Result;
use crate::fits::Writer;
use crate::source::{FrameInfo, Target};
use crate::time::utc;

use super::detector::SECONDS_PER_READOUT;
use super::pointing::Pointing;
use super::settings::SPACECRAFT_CONFIGURATION;

/// By how much light reaches the barycentre of the solar system later, in days.
pub(super) const BARYCENTRIC_CORRECTION: f64 = 0.005_678;
/// Seconds that it takes to read the CCD out.
const READ_TIME: f64 = 0.02;

/// What the headers of one frame say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    pub target: Target,
    pub info: &'a FrameInfo,
    /// The position of the frame in its series, counted from 0.
    pub index: usize,
    /// Seconds of light.
    pub live_time: f64,
}

impl Header<'_> {
    /// Writes the keywords of the primary header.
    pub fn write_primary(&self, fits: &mut Writer) -> Result<()> {
        fits.flag("SIMDATA", true, "file is based on simulated data")?;
        fits.text("ORIGIN", "BackDrop simulation", "made-up data")?;
        fits.text("CREATOR", concat!("backdrop ", env!("CARGO_PKG_VERSION")), "software")?;
        fits.text("PROCVER", env!("CARGO_PKG_VERSION"), "SW version")?;
        self.write_times(fits, 0.0)?;
        self.write_target(fits)?;
        fits.integer("SECTOR", self.target.sector.into(), "observing sector")?;
        fits.integer("DATA_REL", 0, "data release version number")?;
        let configuration = SPACECRAFT_CONFIGURATION.into();
        fits.integer("SCCONFIG", configuration, "spacecraft configuration ID")?;
        fits.text("RADESYS", "ICRS", "reference frame of celestial coordinates")?;
        fits.real("EQUINOX", 2000.0, "equinox of celestial coordinate system")?;
        fits.integer("FFIINDEX", self.index as u64, "number of FFI cadence interval")
    }

    /// Writes the keywords of the header of an image of a kind, `cal` or `uncert`.
    pub fn write_image(&self, fits: &mut Writer, kind: &str) -> Result<()> {
        const DAY: f64 = 86_400.0;
        let elapsed = self.info.tstop - self.info.tstart;
        let live = self.live_time / DAY;
        fits.flag("INHERIT", true, "inherit the primary header")?;
        fits.flag("SIMDATA", true, "file is based on simulated data")?;
        self.write_target(fits)?;
        fits.real("EXPOSURE", live, "[d] time on source")?;
        fits.text("TIMEREF", "SOLARSYSTEM", "barycentric correction applied to times")?;
        fits.text("TASSIGN", "SPACECRAFT", "where time is assigned")?;
        fits.text("TIMESYS", "TDB", "time system is Barycentric Dynamical Time (TDB)")?;
        fits.integer("BJDREFI", 2_457_000, "integer part of BTJD reference date")?;
        fits.real("BJDREFF", 0.0, "fraction of the day in BTJD reference date")?;
        fits.text("TIMEUNIT", "d", "time unit for TIME, TSTART and TSTOP")?;
        fits.real("TELAPSE", elapsed, "[d] TSTOP - TSTART")?;
        fits.real("LIVETIME", live, "[d] TELAPSE multiplied by DEADC")?;
        self.write_times(fits, BARYCENTRIC_CORRECTION)?;
        fits.real("DEADC", live / elapsed, "deadtime correction")?;
        fits.real("TIMEPIXR", 0.5, "bin time beginning=0 middle=0.5 end=1")?;
        fits.real("BARYCORR", BARYCENTRIC_CORRECTION, "[d] barycentric time correction")?;
        fits.real("INT_TIME", SECONDS_PER_READOUT, "[s] photon accumulation time per frame")?;
        fits.real("READTIME", READ_TIME, "[s] readout time per frame")?;
        fits.real("FRAMETIM", SECONDS_PER_READOUT + READ_TIME, "[s] frame time (INT_TIME + READTIME)")?;
        let readouts = (self.live_time / SECONDS_PER_READOUT).round() as u64;
        fits.integer("NREADOUT", readouts, "number of read per cadence")?;
        fits.real("TIMEDEL", elapsed, "[d] time resolution of data")?;
        fits.text("BUNIT", "electrons/s", "physical units of image data")?;
        fits.flag("BACKAPP", false, "background is subtracted")?;
        fits.flag("DEADAPP", true, "deadtime applied")?;
        fits.flag("VIGNAPP", true, "vignetting or collimator correction applied")?;
        Pointing::new(self.target).write(fits)?;
        fits.integer("DQUALITY", self.info.quality.into(), "data quality flags")?;
        fits.text("IMAGTYPE", kind, "FFI image type: raw, cal, uncert")
    }

    fn write_target(&self, fits: &mut Writer) -> Result<()> {
        fits.text("TELESCOP", "TESS", "telescope")?;
        fits.text("INSTRUME", "TESS Photometer", "detector type")?;
        fits.integer("CAMERA", self.target.camera.into(), "camera number")?;
        fits.integer("CCD", self.target.ccd.into(), "CCD chip number")
    }

    /// Writes the times of the frame as they are `correction` days later.
    fn write_times(&self, fits: &mut Writer, correction: f64) -> Result<()> {
        let [tstart, tstop] = [self.info.tstart + correction, self.info.tstop + correction];
        let system = if correction == 0.0 { "TJD" } else { "BTJD" };
        fits.real("TSTART", tstart, &format!("[d] observation start time in {system}"))?;
        fits.real("TSTOP", tstop, &format!("[d] observation stop time in {system}"))?;
        fits.text("DATE-OBS", &utc(tstart)?.to_string(), "TSTART as UTC calendar date")?;
        fits.text("DATE-END", &utc(tstop)?.to_string(), "TSTOP as UTC calendar date")
    }
}
