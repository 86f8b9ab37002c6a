//! The headers of the mission's own full frame images.

use super::header::{Storage, ccd_shape, not_an_ffi, one_to_four, real, target, times};
use super::stamp::Stamp;
use super::{FfiHeader, Layout};
use crate::error::{Result, quoted};
use crate::fits::{Image, Reader};

/// Reads the headers of an open file.
pub(super) fn parse(reader: &mut Reader) -> Result<FfiHeader> {
    let path = reader.path().to_owned();
    reader.select(0)?;
    let (tstart, tstop) = times(reader, "TSTART", "TSTOP")?;
    let date_obs = reader.text("DATE-OBS");
    let pipeline = reader.text("PROCVER");
    let data_release = reader.number("DATA_REL");
    let primary_sector = reader.number("SECTOR");

    let image = find_image(reader)?;
    let (rows, columns) = ccd_shape(&image).map_err(|reason| not_an_ffi(&path, reason))?;
    if let Some(kind) = reader.text("IMAGTYPE").filter(|kind| kind != "cal") {
        return Err(not_an_ffi(&path, format!("the image is of type {}, not \"cal\"", quoted(&kind))));
    }
    let (camera, ccd) = (one_to_four(reader, "CAMERA")?, one_to_four(reader, "CCD")?);
    let target = target(reader, camera, ccd, primary_sector)?;
    let boresight = || Some([real(reader, "RA_NOM")?, real(reader, "DEC_NOM")?, real(reader, "ROLL_NOM")?]);
    Ok(FfiHeader {
        layout: Layout::Spoc,
        storage: if image.compressed { Storage::Tiles } else { Storage::Plain },
        hdu: reader.hdu(),
        rows,
        columns,
        target,
        tstart,
        tstop,
        quality: reader.require("DQUALITY")?,
        date_obs,
        exposure: real(reader, "EXPOSURE"),
        unit: reader.text("BUNIT"),
        scale: 1.0,
        pipeline,
        data_release,
        boresight: boresight(),
        image_end: reader.end(),
        plain_at: image.plain_at,
        stamp: Stamp::default(),
        path,
    })
}

/// Moves to the first image of two axes after the primary HDU: HDU 1 as the pipeline
/// writes it, perhaps a later one after a file was repacked.
fn find_image(reader: &mut Reader) -> Result<Image> {
    let path = reader.path().to_owned();
    let mut found = "there is no image after the primary header".to_owned();
    for hdu in 1..reader.hdus() {
        reader.select(hdu)?;
        match reader.image()? {
            Some(image) if image.shape.len() == 2 => return Ok(image),
            // CFITSIO would mix up its way of quantization with that of images after it.
            Some(image) if image.compressed => {
                let axes = image.shape.len();
                return Err(not_an_ffi(&path, format!("HDU {hdu} has {axes} axes in tiles, not 2")));
            }
            Some(image) => found = format!("HDU {hdu} has {} axes, not 2", image.shape.len()),
            None => found = format!("HDU {hdu} is a table, not an image"),
        }
    }
    Err(not_an_ffi(&path, found))
}
