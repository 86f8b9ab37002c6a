//! The headers of the full frame images of the TESS Image CAlibrator (Fausnaugh et al. 2020,
//! RNAAS 4, 251).
//!
//! The pixels are the electrons that were collected in the frame, `UNITS = 'electrons'`. The
//! detector is read out every 2 s, of which it collects light for 0.99; in each group of `CRM_N`
//! (10) readouts the highest and the lowest are dropped on board against cosmic rays, where `CRM`
//! is true (TESS Instrument Handbook). So the time on source of a frame of `INT_TIME` seconds is
//!
//! ```text
//! T = INT_TIME (1 - 2 / CRM_N) 0.99
//! ```
//!
//! 1425.6 s of 1800 s, which is `EXPOSURE` of SPOC, by which SPOC divides, and the number of readouts
//! and the part of each that TICA's own correction for linearity takes. `EXPTIME` is not used:
//! depending on when a file was made it takes 0.99 or 0.99845 for the light in a readout.

use super::header::{Storage, ccd_shape, not_an_ffi, one_to_four, real, target, times};
use super::stamp::Stamp;
use super::{FfiHeader, Layout};
use crate::error::{Result, shortened};
use crate::fits::Reader;
use crate::quality::Flag;

/// The part of the time between two readouts in which light is collected: 1.98 s of 2 s.
pub(crate) const LIGHT_PER_READOUT: f64 = 0.99;
/// Readouts in a group of which two are dropped, if the header does not say.
pub(crate) const COSMIC_RAY_WINDOW: f64 = 10.0;
/// By which part `INT_TIME` and the times of a frame may differ: a file that is farther off
/// does not mean seconds.
const TOLERANCE: f64 = 0.05;

/// The HDU with the image of a TICA file: the first, or the second once it was packed into tiles.
/// `None` if the file has another layout.
pub(super) fn find(reader: &mut Reader) -> Result<Option<usize>> {
    for hdu in 0..reader.hdus().min(2) {
        reader.select(hdu)?;
        if reader.has("CAMNUM") {
            return Ok(Some(hdu));
        }
    }
    Ok(None)
}

/// Reads the header of an open file, whose image is in HDU `hdu`.
pub(super) fn parse(reader: &mut Reader, hdu: usize) -> Result<FfiHeader> {
    let path = reader.path().to_owned();
    let refused = |reason: String| not_an_ffi(&path, reason);
    reader.select(hdu)?;
    let Some(image) = reader.image()? else {
        return Err(refused(format!("HDU {hdu} is a table, not an image")));
    };
    let (rows, columns) = ccd_shape(&image).map_err(refused)?;
    let (tstart, tstop) = times(reader, "STARTTJD", "ENDTJD")?;
    let ccd = if reader.has("CCDNUM") { "CCDNUM" } else { "CCD" };
    let (camera, ccd) = (one_to_four(reader, "CAMNUM")?, one_to_four(reader, ccd)?);
    let unit = reader.text("UNITS");
    if let Some(unit) = unit.as_ref().filter(|unit| *unit != "electrons") {
        return Err(refused(format!("its pixels are in {}, not in electrons", shortened(unit))));
    }
    let seconds = time_on_source(reader, tstart, tstop)?;
    let boresight = || Some([real(reader, "SC_RA")?, real(reader, "SC_DEC")?, real(reader, "SC_ROLL")?]);
    Ok(FfiHeader {
        layout: Layout::Tica,
        storage: if image.compressed { Storage::Tiles } else { Storage::Plain },
        hdu,
        rows,
        columns,
        target: target(reader, camera, ccd, None)?,
        tstart,
        tstop,
        quality: quality(reader)?,
        date_obs: reader.text("DATE-OBS"),
        exposure: Some(seconds / 86_400.0),
        unit,
        scale: 1.0 / seconds,
        pipeline: reader.text("TICAVER").map(|version| format!("tica {version}")),
        data_release: None,
        boresight: boresight(),
        image_end: reader.end(),
        plain_at: image.plain_at,
        stamp: Stamp::default(),
        path,
    })
}

/// The seconds in which light was collected.
fn time_on_source(reader: &Reader, tstart: f64, tstop: f64) -> Result<f64> {
    let elapsed = (tstop - tstart) * 86_400.0;
    let seconds: f64 = reader.number("INT_TIME").unwrap_or(elapsed);
    let off = (seconds / elapsed - 1.0).abs();
    if off.is_nan() || off > TOLERANCE {
        let reason = format!("INT_TIME is {seconds} s, but ENDTJD - STARTTJD {elapsed:.1} s");
        return Err(not_an_ffi(reader.path(), reason));
    }
    let window: f64 = reader.number("CRM_N").unwrap_or(COSMIC_RAY_WINDOW);
    let kept = if reader.flag("CRM") == Some(false) { 1.0 } else { 1.0 - 2.0 / window };
    if !(0.0 < kept && kept <= 1.0) {
        return Err(not_an_ffi(reader.path(), format!("CRM_N is {window}, not a number above 2")));
    }
    Ok(seconds * kept * LIGHT_PER_READOUT)
}

/// The flags as SPOC would set them: `QUAL_BIT` as it is, the reasons `COARSE` and `RW_DESAT` as
/// bits 3 and 6.
fn quality(reader: &Reader) -> Result<u32> {
    let bits = match reader.flag("QUAL_BIT") {
        Some(bad) => u32::from(bad),
        None => reader.require("QUAL_BIT")?,
    };
    let reasons = [("COARSE", Flag::CoarsePoint), ("RW_DESAT", Flag::MomentumDump)];
    let set = reasons.into_iter().filter(|(keyword, _)| reader.flag(keyword) == Some(true));
    Ok(set.fold(bits, |bits, (_, flag)| bits | flag as u32))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::ffi::FfiSource;
    use crate::fits::handmade::{Hdu, file_of};
    use crate::source::{FrameSource, Target};

    const NAME: &str = "hlsp_tica_tess_ffi_s0027-o1-00116470-cam1-ccd3_tess_v01_img.fits";
    const ROWS: usize = 3;
    const COLUMNS: usize = 48;

    /// An image of as many electrons as come from its column's number of electrons/s in 1425.6 s.
    fn image() -> Hdu {
        let data = (0..ROWS * COLUMNS).flat_map(|pixel| ((pixel % COLUMNS) as f32 * 1425.6).to_be_bytes());
        let mut hdu = Hdu::primary().set("BITPIX", -32).set("NAXIS", 2);
        hdu.data = data.collect();
        hdu.card("NAXIS1", COLUMNS)
            .card("NAXIS2", ROWS)
            .card("CRM_N", 10)
            .card("SC_RA", "350.5")
            .card("SC_DEC", "-54.25")
            .card("SC_ROLL", "30.0")
            .card("STARTTJD", "2036.25")
            .card("ENDTJD", "2036.270833333")
            .card("EXPTIME", "1437.76728")
            .card("INT_TIME", 1800)
            .card("QUAL_BIT", 0)
            .card("COARSE", "F")
            .card("RW_DESAT", "T")
            .card("CRM", "T")
            .card("CAMNUM", 1)
            .card("CCDNUM", 3)
            .card("UNITS", "'electrons'")
            .card("TICAVER", "'1.1.0   '")
    }

    fn save(dir: &TempDir, hdus: &[Hdu]) -> PathBuf {
        let path = dir.path().join(NAME);
        std::fs::write(&path, file_of(hdus)).unwrap();
        path
    }

    #[test]
    fn the_header_and_the_pixels_are_those_of_the_primary_hdu() {
        let dir = tempfile::tempdir().unwrap();
        // The astrometry's residuals are in a table behind the image.
        let path = save(&dir, &[image(), Hdu::image(8, &[3], vec![1, 2, 3])]);
        let header = FfiHeader::read(&path).unwrap();
        assert_eq!((header.layout, header.storage, header.hdu), (Layout::Tica, Storage::Plain, 0));
        assert_eq!((header.rows, header.columns), (ROWS, COLUMNS));
        assert_eq!(header.target, Target { sector: 27, camera: 1, ccd: 3 });
        assert_eq!((header.tstart, header.tstop, header.quality), (2036.25, 2036.270833333, 32));
        assert_eq!(header.boresight, Some([350.5, -54.25, 30.0]));
        assert_eq!(header.unit.as_deref(), Some("electrons"));
        assert_eq!(header.pipeline.as_deref(), Some("tica 1.1.0"));
        // 720 readouts of 1.98 s are 0.0165 days.
        assert!((header.exposure.unwrap() - 0.0165).abs() < 1e-12);

        let source = FfiSource::open(vec![path], Some(3)).unwrap();
        let mut out = [0.0; 9];
        source.read(0, &mut out).unwrap();
        for (pixel, value) in out.into_iter().enumerate() {
            let expected = (44 + pixel % 3) as f32;
            // Two roundings to f32.
            assert!((value - expected).abs() <= 2.0 * f32::EPSILON * expected, "{value}");
        }
    }

    #[test]
    fn the_time_on_source_follows_from_the_readouts() {
        let dir = tempfile::tempdir().unwrap();
        let seconds = |hdu: Hdu| 1.0 / FfiHeader::read(&save(&dir, &[hdu])).unwrap().scale;
        // The end of the exposure is known to 1e-9 days, which is 9e-5 s.
        for (hdu, expected) in [
            (image(), 1425.6),
            (image().set("CRM", "F"), 1782.0),
            (image().set("CRM_N", 20), 1603.8),
            (image().without("INT_TIME"), 1425.6),
            (image().without("CRM").without("CRM_N"), 1425.6),
            (image().set("ENDTJD", "2036.256944444").set("INT_TIME", 600), 475.2),
            (image().set("ENDTJD", "2036.252314815").set("INT_TIME", 200), 158.4),
        ] {
            assert!((seconds(hdu) - expected).abs() < 1e-3, "{expected} s");
        }
    }

    #[test]
    fn quality_is_a_number_or_a_truth_value() {
        let dir = tempfile::tempdir().unwrap();
        let quality = |hdu: Hdu| FfiHeader::read(&save(&dir, &[hdu])).unwrap().quality;
        assert_eq!(quality(image().set("QUAL_BIT", "T").set("COARSE", "T")), 1 | 4 | 32);
        assert_eq!(quality(image().set("QUAL_BIT", "F").without("RW_DESAT")), 0);
        assert_eq!(quality(image().set("QUAL_BIT", 128)), 128 | 32);
    }

    #[test]
    fn files_that_make_no_sense_are_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let refusal = |hdu: Hdu| {
            let path = save(&dir, &[hdu]);
            let message = FfiHeader::read(&path).unwrap_err().to_string();
            message.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
        };
        for (hdu, reason) in [
            (image().set("UNITS", "'ADU     '"), "its pixels are in ADU, not in electrons"),
            (image().set("CAMNUM", 5), "CAMNUM is 5, not 1 to 4"),
            (image().set("CCDNUM", 4), "its name says camera 1, CCD 3, but its header camera 1, CCD 4"),
            (
                image().set("ENDTJD", "2036.2"),
                "STARTTJD 2036.25 and ENDTJD 2036.2 are no exposure in BTJD days",
            ),
            (image().set("INT_TIME", 30), "INT_TIME is 30 s, but ENDTJD - STARTTJD 1800.0 s"),
            (image().set("INT_TIME", "nan"), "INT_TIME is NaN s, but ENDTJD - STARTTJD 1800.0 s"),
            (image().set("CRM_N", 2), "CRM_N is 2, not a number above 2"),
        ] {
            assert_eq!(refusal(hdu), format!("not a calibrated TESS full frame image: {reason}"));
        }
        for keyword in ["STARTTJD", "ENDTJD", "CCDNUM", "QUAL_BIT"] {
            let named = if keyword == "CCDNUM" { "CCD" } else { keyword };
            assert_eq!(refusal(image().without(keyword)), format!("HDU 0 has no usable keyword {named}"));
        }
    }

    #[test]
    fn files_of_both_pipelines_are_not_mixed() {
        use crate::simulate::{Simulation, SimulationSettings, WriteOptions};

        let dir = tempfile::tempdir().unwrap();
        let settings = SimulationSettings { frames: 1, size: 16, flagged_frames: 0, ..Default::default() };
        let simulation = Simulation::new(settings).unwrap();
        let write = |layout, overwrite| {
            let options = WriteOptions { layout, overwrite, ..WriteOptions::default() };
            let written = simulation.write(dir.path(), options, &crate::progress::Silent).unwrap();
            written.frames[0].clone()
        };
        let (spoc, tica) = (write(Layout::Spoc, false), write(Layout::Tica, true));
        let error = FfiSource::open(vec![spoc.clone(), tica.clone()], Some(16)).unwrap_err().to_string();
        let expected = format!(
            "{} is of TICA, but {} is of SPOC: a fit takes frames of one pipeline; keep them in \
             different directories",
            tica.display(),
            spoc.display()
        );
        assert_eq!(error, expected);
    }
}
