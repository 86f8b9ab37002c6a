//! Where a simulated CCD points: the world coordinate system (WCS) in the headers of its images.
//!
//! The form is the mission's: a gnomonic projection with a distortion polynomial (`TAN-SIP`;
//! Calabretta & Greisen 2002; Shupe et al. 2005), in degrees,
//!
//! ```text
//! (xi, eta) = CD (p + A(p, q), q + B(p, q)),   p = column - CRPIX1, q = row - CRPIX2
//! ```
//!
//! with pixels of 21 arcseconds and the distortion of a real image. The pointing is made up: the
//! cameras stand on one meridian, 24 degrees apart, which moves by the mission's step from sector
//! to sector. The CCDs of a camera lie around its boresight as the mission's do, so that rows
//! increase towards the boresight on all four.

use crate::error::Result;
use crate::fits::Writer;
use crate::source::Target;

/// Degrees along the side of a pixel.
const PIXEL: f64 = 21.0 / 3600.0;
/// The pixel of the image, (column, row) counted from 1, that the projection is tangent at.
const REFERENCE: [f64; 2] = [1045.0, 1001.0];
/// From the boresight to that pixel, along rows and along columns, in degrees.
const OFFSET: f64 = 6.0;
/// Right ascension of the first sector and its step, in degrees.
const FIRST_MERIDIAN: f64 = 350.0;
const STEP: f64 = 27.4;
/// The quadratic terms of the distortion of sector 1, camera 1, CCD 4, per pixel.
const DISTORTION: [(&str, f64); 6] = [
    ("A_2_0", -1.918_478_714_828e-5),
    ("A_1_1", 1.706_500_106_484e-5),
    ("A_0_2", -2.988_141_253_236e-6),
    ("B_2_0", 2.990_245_447_058e-6),
    ("B_1_1", -1.635_567_354_874e-5),
    ("B_0_2", 1.993_337_625_108e-5),
];

/// The pointing of a CCD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pointing {
    /// Right ascension and declination of the camera's boresight, in degrees.
    pub boresight: [f64; 2],
    /// Right ascension and declination of the reference pixel, in degrees.
    pub reference: [f64; 2],
    /// +1 where rows and columns increase to the north and the east, -1 where to the south and
    /// the west.
    sign: f64,
}

impl Pointing {
    pub fn new(target: Target) -> Self {
        let meridian = (FIRST_MERIDIAN + STEP * f64::from(target.sector.saturating_sub(1))) % 360.0;
        let boresight = [meridian, -12.0 - 24.0 * f64::from(target.camera.saturating_sub(1))];
        // East and north of the boresight, and the direction of rows and columns.
        let [east, north, sign] = match target.ccd {
            1 => [OFFSET, OFFSET, -1.0],
            2 => [-OFFSET, OFFSET, -1.0],
            3 => [-OFFSET, -OFFSET, 1.0],
            _ => [OFFSET, -OFFSET, 1.0],
        };
        Self { boresight, reference: deproject(boresight, [east, north]), sign }
    }

    /// Writes the keywords of the world coordinate system of an image.
    pub fn write(&self, fits: &mut Writer) -> Result<()> {
        fits.text("RADESYS", "ICRS", "reference frame of celestial coordinates")?;
        fits.real("EQUINOX", 2000.0, "equinox of celestial coordinate system")?;
        fits.integer("WCSAXES", 2, "number of WCS axes")?;
        fits.text("CTYPE1", "RA---TAN-SIP", "Gnomonic projection + SIP distortions")?;
        fits.text("CTYPE2", "DEC--TAN-SIP", "Gnomonic projection + SIP distortions")?;
        let scale = self.sign * PIXEL;
        for (keyword, value, comment) in [
            ("CRVAL1", self.reference[0], "RA at CRPIX1, CRPIX2"),
            ("CRVAL2", self.reference[1], "DEC at CRPIX1, CRPIX2"),
            ("CRPIX1", REFERENCE[0], "X reference pixel"),
            ("CRPIX2", REFERENCE[1], "Y reference pixel"),
            ("CD1_1", scale, "Transformation matrix"),
            ("CD1_2", 0.0, "Transformation matrix"),
            ("CD2_1", 0.0, "Transformation matrix"),
            ("CD2_2", scale, "Transformation matrix"),
        ] {
            fits.real(keyword, value, comment)?;
        }
        fits.integer("A_ORDER", 2, "Polynomial order, axis 1")?;
        fits.integer("B_ORDER", 2, "Polynomial order, axis 2")?;
        for (keyword, value) in DISTORTION {
            fits.real(keyword, value, "distortion coefficient")?;
        }
        fits.text("WCSNAMEP", "PHYSICAL", "name of world coordinate system alternate P")?;
        fits.integer("WCSAXESP", 2, "number of WCS physical axes")?;
        for (axis, name, thing) in [(1, "RAWX", "column"), (2, "RAWY", "row")] {
            fits.text(&format!("CTYPE{axis}P"), name, &format!("physical WCS axis {axis} type CCD {thing}"))?;
            fits.text(&format!("CUNIT{axis}P"), "PIXEL", &format!("physical WCS axis {axis} unit"))?;
            fits.integer(&format!("CRPIX{axis}P"), 1, &format!("reference CCD {thing}"))?;
            fits.integer(&format!("CRVAL{axis}P"), 1, &format!("value at reference CCD {thing}"))?;
            fits.real(&format!("CDELT{axis}P"), 1.0, &format!("physical WCS axis {axis} step"))?;
        }
        fits.real("RA_NOM", self.boresight[0], "[deg] RA of camera boresight")?;
        fits.real("DEC_NOM", self.boresight[1], "[deg] DEC of camera boresight")?;
        fits.real("ROLL_NOM", 0.0, "[deg] roll angle of camera")
    }
}

/// The position whose gnomonic projection from `centre` is `offset`, all in degrees.
fn deproject(centre: [f64; 2], offset: [f64; 2]) -> [f64; 2] {
    // `libm`, whose results are the same bits on every machine.
    let [ra, dec] = centre.map(f64::to_radians);
    let [xi, eta] = offset.map(f64::to_radians);
    let (sin, cos) = (libm::sin(dec), libm::cos(dec));
    let towards = cos - eta * sin;
    let ra = ra + libm::atan2(xi, towards);
    let dec = libm::atan2(sin + eta * cos, libm::hypot(xi, towards));
    [ra.to_degrees().rem_euclid(360.0), dec.to_degrees()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gnomonic projection of a position from `centre` (Calabretta & Greisen 2002, by
    /// spherical trigonometry), in degrees.
    fn project(centre: [f64; 2], position: [f64; 2]) -> [f64; 2] {
        let ([ra0, dec0], [ra, dec]) = (centre.map(f64::to_radians), position.map(f64::to_radians));
        let cos_distance = dec0.sin() * dec.sin() + dec0.cos() * dec.cos() * (ra - ra0).cos();
        let xi = dec.cos() * (ra - ra0).sin() / cos_distance;
        let eta = (dec0.cos() * dec.sin() - dec0.sin() * dec.cos() * (ra - ra0).cos()) / cos_distance;
        [xi.to_degrees(), eta.to_degrees()]
    }

    #[test]
    fn reference_pixels_lie_around_the_boresight() {
        for camera in 1..=4 {
            let offsets = [[6.0, 6.0], [-6.0, 6.0], [-6.0, -6.0], [6.0, -6.0]];
            for (ccd, expected) in (1..).zip(offsets) {
                let pointing = Pointing::new(Target { sector: 3, camera, ccd });
                let offset = project(pointing.boresight, pointing.reference);
                // The declination of camera 4 costs a digit.
                assert!((offset[0] - expected[0]).abs() < 1e-11, "{camera} {ccd} {offset:?}");
                assert!((offset[1] - expected[1]).abs() < 1e-11, "{camera} {ccd} {offset:?}");
            }
        }
    }
}
