//! Files that are no images of ours, damaged, or changed.

use super::*;

#[test]
fn files_of_another_layout_are_refused_with_the_reason() {
    let not_an_ffi = |reason: &str| format!("not a calibrated TESS full frame image: {reason}");
    let cube = Hdu::image(-32, &[1, 1, 1], vec![0; 4]);
    let table = Hdu::image(8, &[1, 8], vec![0; 8])
        .set("XTENSION", "'BINTABLE'")
        .card("TFIELDS", 1)
        .card("TFORM1", "'D       '");
    let wide = Hdu { data: vec![0; 2137], ..image() };
    let wide = wide.set("BITPIX", 8).set("NAXIS1", 2137).set("NAXIS2", 1);
    for (hdus, reason) in [
        (vec![primary()], "there is no image after the primary header"),
        (vec![primary(), cube], "HDU 1 has 3 axes, not 2"),
        (vec![primary(), table], "HDU 1 is a table, not an image"),
        (vec![primary(), wide], "an image of 1 x 2137 pixels, where a CCD has 2078 x 2136"),
        (
            vec![primary(), Hdu::image(-32, &[0, 100], vec![])],
            "an image of 0 x 100 pixels, where a CCD has 2078 x 2136",
        ),
        (vec![primary(), image().set("CAMERA", 5)], "CAMERA is 5, not 1 to 4"),
        (
            vec![primary(), image().set("CCD", 4)],
            "its name says camera 1, CCD 3, but its header camera 1, CCD 4",
        ),
        (vec![primary(), image().set("IMAGTYPE", "'raw     '")], "the image is of type \"raw\", not \"cal\""),
        (
            vec![primary().set("TSTOP", "1625.25"), image()],
            "TSTART 1625.25 and TSTOP 1625.25 are no exposure in BTJD days",
        ),
    ] {
        assert_eq!(refusal(&hdus), not_an_ffi(reason));
    }
    for (hdus, hdu, keyword) in [
        (vec![primary().without("TSTART"), image()], 0, "TSTART"),
        (vec![primary().set("TSTOP", "'late'"), image()], 0, "TSTOP"),
        (vec![primary(), image().without("CAMERA")], 1, "CAMERA"),
        (vec![primary(), image().set("CCD", "1.5")], 1, "CCD"),
        (vec![primary(), image().set("DQUALITY", -1)], 1, "DQUALITY"),
    ] {
        assert_eq!(refusal(&hdus), format!("HDU {hdu} has no usable keyword {keyword}"));
    }
    for (hdus, reason) in [
        ([primary(), image().set("NAXIS", 100)], "HDU 1: NAXIS is 100, more than 99"),
        ([primary(), image().set("NAXIS", -1)], "HDU 1: NAXIS cannot be \"-1\""),
        ([primary(), image().set("NAXIS", 3)], "HDU 1: it has no NAXIS3"),
        ([primary(), image().set("NAXIS1", -199)], "HDU 1: NAXIS1 cannot be \"-199\""),
        ([primary(), image().set("BITPIX", 7)], "HDU 1: BITPIX cannot be 7"),
        ([primary().set("NAXIS", "'x'"), image()], "HDU 0: NAXIS cannot be \"'x'\""),
        ([primary(), image().card("NAXIS1", 9)], "HDU 1: it has NAXIS1 more than once"),
        (
            [primary(), image().card("ZIMAGE", "T")],
            "HDU 1: its tiles are compressed by \"\"; unpack it with funpack",
        ),
    ] {
        assert_eq!(refusal(&hdus), reason);
    }
}

#[test]
fn a_text_file_is_no_image() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(&dir, NAME, b"<html>404 Not Found</html>");
    let error = FfiHeader::read(&path).unwrap_err().to_string();
    assert_eq!(error, format!("{}: not a FITS file: it does not begin with SIMPLE", path.display()));
    let path = save(&dir, &format!("{NAME}.gz"), &gzip(b"<html>404 Not Found</html>"));
    let error = FfiHeader::read(&path).unwrap_err();
    assert!(matches!(error, Error::Fits { .. }), "{error}");
}

#[test]
fn a_file_cut_short_is_refused_when_opened_or_read() {
    let dir = tempfile::tempdir().unwrap();
    let whole = ffi();
    let image_end = 2 * BLOCK + (4 * ROWS * COLUMNS).next_multiple_of(BLOCK);
    for length in (0..whole.len()).step_by(1777) {
        let path = save(&dir, NAME, &whole[..length]);
        // Without its uncertainties a file is still whole HDUs.
        assert_eq!(FfiHeader::read(&path).is_ok(), length == image_end, "{length} bytes");
    }
    let compressed = gzip(&whole);
    for length in (0..compressed.len()).step_by(997) {
        let path = save(&dir, &format!("{NAME}.gz"), &compressed[..length]);
        assert!(read_all(path, 10).is_err(), "{length} bytes of {}", compressed.len());
    }
    // An intact gzip file of a truncated image.
    let path = save(&dir, &format!("{NAME}.gz"), &gzip(&whole[..image_end - 1]));
    assert!(matches!(read_all(path, 10), Err(Error::Truncated { .. })));
}

#[test]
fn a_corrupt_gzip_file_is_refused_wherever_a_bit_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let compressed = gzip(&ffi());
    // Past the header, whose time stamp and the like may be anything.
    for position in (10..compressed.len()).step_by(1009) {
        let mut corrupt = compressed.clone();
        corrupt[position] ^= 0x10;
        let path = save(&dir, &format!("{NAME}.gz"), &corrupt);
        assert!(read_all(path, 10).is_err(), "byte {position} of {}", compressed.len());
    }
}

#[test]
fn an_image_in_tiles_is_refused_wherever_a_bit_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let whole = packed();
    let header = FfiHeader::read(&save(&dir, NAME, &whole)).unwrap();
    assert_eq!(header.image_end, whole.len() as u64);
    // The last padding block may be all padding; the tiles lie before it.
    for position in (4 * BLOCK..whole.len() - BLOCK).step_by(1009) {
        let mut corrupt = whole.clone();
        corrupt[position] ^= 0x10;
        let error = read_all(save(&dir, NAME, &corrupt), 10).unwrap_err().to_string();
        assert!(error.contains("HDU 1 does not match its checksum (DATASUM)"), "{error}");
    }
}

#[test]
fn tiles_of_impossible_form_are_refused_before_they_are_decoded() {
    let dir = tempfile::tempdir().unwrap();
    for (card, replacement, reason) in [
        (
            "ZCMPTYPE= 'GZIP_1  '",
            "ZCMPTYPE= 'PLIO_1  '",
            "its tiles are compressed by \"PLIO_1\"; unpack it with funpack",
        ),
        ("ZCMPTYPE= 'GZIP_1  '", "ZCMPTYPE= 'RICE_1  '", "it has no ZVAL1"),
        ("ZTILE1  =                  199", "ZTILE1  =                    0", "ZTILE1 is 0, not 1 to 199"),
        ("ZTILE2  =                    1", "ZTILE2  =                  151", "ZTILE2 is 151, not 1 to 150"),
        (
            "ZNAXIS1 =                  199",
            "ZNAXIS1 =           9999999999",
            "its image in tiles has an impossible size",
        ),
        (
            "ZNAXIS2 =                  150",
            "ZNAXIS2 =                  149",
            "it has 150 tiles, where its image has 149",
        ),
        ("ZBITPIX =                  -32", "ZBITPIX =                   33", "BITPIX cannot be 33"),
        ("ZIMAGE  =                    T", "ZIMAGE  =                 'T '", "ZIMAGE cannot be \"'T '\""),
    ] {
        let mut bytes = packed();
        let position = bytes.windows(card.len()).position(|window| window == card.as_bytes()).unwrap();
        bytes[position..][..card.len()].copy_from_slice(replacement.as_bytes());
        let path = save(&dir, NAME, &bytes);
        let error = FfiHeader::read(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{}: HDU 1: {reason}", path.display()));
    }
}

#[test]
fn a_file_that_changes_after_it_was_opened_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(&dir, NAME, &ffi());
    let source = FfiSource::open(vec![path.clone()], Some(2)).unwrap();
    let mut out = [0.0; 4];
    let other = file_of(&[primary(), Hdu::image(-32, &[2, 2], vec![0; 16])]);
    let size = ffi().len();
    for (content, change) in [
        (Some(&ffi()[..20_000]), format!("its size went from {size} to 20000 bytes")),
        (Some(&other[..]), format!("its size went from {size} to {} bytes", other.len())),
        (None, "it was removed".into()),
    ] {
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = source.read(0, &mut out).unwrap_err();
        assert!(matches!(error, Error::Changed { .. }));
        let expected = format!("{change} since its header was read: run again once files no longer change");
        assert_eq!(error.reason(&path), expected);
    }
}
