//! A simulated frame in the layout of the TESS Image CAlibrator.

use std::path::Path;

use crate::error::Result;
use crate::ffi::{COSMIC_RAY_WINDOW, LIGHT_PER_READOUT};
use crate::fits::Writer;
use crate::quality::Flag;
use crate::source::Target;

use super::{Simulation, SimulationSettings, WriteOptions, write};

/// The name of a frame's file.
pub(super) fn file_name(settings: &SimulationSettings, index: usize) -> String {
    let Target { sector, camera, ccd } = settings.target;
    let orbit = if settings.in_second_half(index) { 2 } else { 1 };
    let cadence = index + 1;
    format!("hlsp_tica_tess_ffi_s{sector:04}-o{orbit}-{cadence:08}-cam{camera}-ccd{ccd}_tess_v01_img.fits")
}

/// Writes one full frame image.
pub(super) fn write_frame(
    simulation: &Simulation,
    path: &Path,
    index: usize,
    frame: &[f32],
    options: WriteOptions,
) -> Result<()> {
    let (settings, info) = (simulation.settings(), &simulation.frames[index]);
    let seconds = 60.0 * settings.cadence;
    let kept = 1.0 - 2.0 / COSMIC_RAY_WINDOW;
    let time_on_source = seconds * kept * LIGHT_PER_READOUT;
    let electrons: Vec<f32> = frame.iter().map(|&flux| (f64::from(flux) * time_on_source) as f32).collect();
    let (rows, columns) = simulation.image_shape();

    let mut fits = Writer::new(path)?;
    if options.compression == write::Compression::Tiles {
        fits.compress_images()?;
    }
    fits.image("PRIMARY", &[rows, columns], &simulation.surround(&electrons))?;
    fits.text("ORIGIN", "BackDrop simulation", "made-up data")?;
    fits.text("TELESCOP", "TESS", "telescope")?;
    fits.text("INSTRUME", "TESS Photometer", "detector type")?;
    fits.integer("CAMNUM", settings.target.camera.into(), "camera number")?;
    fits.integer("CCDNUM", settings.target.ccd.into(), "CCD number")?;
    fits.integer("CADENCE", index as u64 + 1, "cadence number")?;
    fits.real("TJD_ZERO", 2_457_000.0, "[d] JD of TJD zero")?;
    fits.real("STARTTJD", info.tstart, "[d] start of the exposure in TJD")?;
    fits.real("MIDTJD", (info.tstart + info.tstop) / 2.0, "[d] middle of the exposure in TJD")?;
    fits.real("ENDTJD", info.tstop, "[d] end of the exposure in TJD")?;
    fits.real("INT_TIME", seconds, "[s] duration of the exposure")?;
    fits.real("EXPTIME", time_on_source, "[s] time on source")?;
    fits.flag("CRM", true, "cosmic ray mitigation on board")?;
    fits.real("CRM_N", COSMIC_RAY_WINDOW, "readouts of which the extremes are dropped")?;
    let has = |flag: Flag| info.quality & flag as u32 != 0;
    fits.flag("QUAL_BIT", info.quality != 0, "whether the frame is bad")?;
    fits.flag("COARSE", has(Flag::CoarsePoint), "coarse pointing")?;
    fits.flag("RW_DESAT", has(Flag::MomentumDump), "reaction wheels desaturated")?;
    fits.text("SCIPIXS", "[45:2092,1:2048]", "science pixels of a whole CCD")?;
    fits.text("UNITS", "electrons", "units of the pixels")?;
    write::finish(fits, path, options)
}
