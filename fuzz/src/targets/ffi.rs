//! Full frame images: their headers, then their pixels.

use std::io::Write;

use backdrop::ffi::{FfiHeader, FfiSource};
use backdrop::source::FrameSource;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{check, note};
use crate::scratch;

pub(super) const WORDS: &[&str] = &[
    "TSTART",
    "TSTOP",
    "CAMERA",
    "CCD",
    "SECTOR",
    "DQUALITY",
    "IMAGTYPE",
    "BUNIT",
    "DATE-OBS",
    "EXPOSURE",
    "PROCVER",
    "RA_NOM",
    "CAMNUM",
    "CCDNUM",
    "STARTTJD",
    "ENDTJD",
    "QUAL_BIT",
    "COARSE",
    "RW_DESAT",
    "INT_TIME",
    "CRM",
    "CRM_N",
    "UNITS",
    "cal",
    "electron",
    "electrons",
];

const SPOC: &str = "tess2018206192942-s0001-1-4-0120-s_ffic.fits";
const TICA: &str = "hlsp_tica_tess_ffi_s0027-o1-00116470-cam1-ccd4_tess_v01_img.fits";
const GZIP: &str = "tess2018206192942-s0001-1-4-0120-s_ffic.fits.gz";
const TILES: &str = "tess2018206192942-s0001-1-4-0120-s_ffic.fits.fz";

/// The first byte chooses a name, and whether the rest is compressed first.
const FORMS: [(&str, bool); 6] =
    [(SPOC, false), (TILES, false), (TICA, false), (GZIP, true), (GZIP, false), ("frame.fits", false)];

pub(super) fn run(input: &[u8]) {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let (name, compress) = FORMS[usize::from(choice) % FORMS.len()];
    let path = if compress {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).expect("memory");
        scratch::file(name, &packed.finish().expect("memory"))
    } else {
        scratch::file(name, bytes)
    };
    let header = match FfiHeader::read(&path) {
        Ok(header) => header,
        Err(error) => return check(&error, &path),
    };
    assert!(0.0 < header.tstart && header.tstart < header.tstop && header.tstop.is_finite(), "{header:?}");
    assert!((1..=4).contains(&header.target.camera) && (1..=4).contains(&header.target.ccd), "{header:?}");
    let size = header.largest_cutout();
    let Ok(source) = FfiSource::open(vec![path.clone()], Some(size)) else {
        assert_eq!(size, 0, "a header is read twice and is another one");
        return;
    };
    assert_eq!(source.shape(), (size, size));
    assert_eq!(source.headers(), [header]);
    let mut frame = vec![0.0; size * size];
    if let Err(error) = source.read(0, &mut frame) {
        return check(&error, &path);
    }
    note("read");
    let half = size / 2;
    let mut rows = vec![0.0; (size - half) * size];
    source.read_rows(0, half..size, &mut rows).expect("rows of a frame that was read");
    let same = frame[half * size..].iter().zip(&rows).all(|(a, b)| a.to_bits() == b.to_bits());
    assert!(same, "rows that are read alone are other ones");
}
