mod refused;

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::error::{Error, Result};
use crate::fits::handmade::{Hdu, file_of};
use crate::fits::{BLOCK, Writer};
use crate::source::{FrameInfo, FrameSource, Target};

/// More rows than are read at once, twice, and not a multiple of that.
pub(super) const ROWS: usize = 150;
pub(super) const COLUMNS: usize = 199;
pub(super) const NAME: &str = "tess2019140104343-s0012-1-3-0144-s_ffic.fits";
pub(super) const TARGET: Target = Target { sector: 12, camera: 1, ccd: 3 };

/// The pixel at a position of the whole image, margins included.
pub(super) fn pixel(row: usize, column: usize) -> f32 {
    (row * 1000 + column) as f32 + 0.25
}

pub(super) fn pixels() -> Vec<f32> {
    (0..ROWS * COLUMNS).map(|index| pixel(index / COLUMNS, index % COLUMNS)).collect()
}

pub(super) fn primary() -> Hdu {
    Hdu::primary()
        .card("TSTART", "1625.25")
        .card("TSTOP", "1625.27")
        .card("PROCVER", "'spoc-4.0'")
        .card("DATA_REL", 17)
}

pub(super) fn image() -> Hdu {
    let data = pixels().into_iter().flat_map(f32::to_be_bytes).collect();
    Hdu::image(-32, &[ROWS, COLUMNS], data)
        .card("CAMERA", 1)
        .card("CCD", 3)
        .card("EXPOSURE", "0.0165")
        .card("BUNIT", "'electrons/s'")
        .card("DQUALITY", 32)
        .card("IMAGTYPE", "'cal     '")
}

/// A whole file: primary HDU, image, uncertainties.
pub(super) fn ffi() -> Vec<u8> {
    file_of(&[primary(), image(), image().set("IMAGTYPE", "'uncert  '")])
}

/// The same in tiles.
pub(super) fn packed() -> Vec<u8> {
    let mut file = Writer::new(Path::new(NAME)).unwrap();
    file.image::<u8>("PRIMARY", &[], &[]).unwrap();
    file.real("TSTART", 1625.25, "").unwrap();
    file.real("TSTOP", 1625.27, "").unwrap();
    file.compress_images().unwrap();
    file.image("IMAGE", &[ROWS, COLUMNS], &pixels()).unwrap();
    for (keyword, value) in [("CAMERA", 1), ("CCD", 3), ("DQUALITY", 32)] {
        file.integer(keyword, value, "").unwrap();
    }
    file.bytes().unwrap().to_vec()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn save(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(super) fn read_all(path: PathBuf, size: usize) -> Result<Vec<f32>> {
    let source = FfiSource::open(vec![path], Some(size))?;
    let mut out = vec![0.0; size * size];
    source.read(0, &mut out).map(|()| out)
}

pub(super) fn science(size: usize) -> Vec<f32> {
    (0..size * size).map(|index| pixel(index / size, 44 + index % size)).collect()
}

/// The message for a file of `hdus`, without its path.
fn refusal(hdus: &[Hdu]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = save(&dir, NAME, &file_of(hdus));
    let message = FfiHeader::read(&path).unwrap_err().to_string();
    message.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
}

#[test]
fn the_header_is_read_from_both_hdus_and_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(&dir, NAME, &ffi());
    let header = FfiHeader::read(&path).unwrap();
    let stamp = stamp::Stamp::of(&path).unwrap();
    let expected = FfiHeader {
        path,
        layout: Layout::Spoc,
        storage: Storage::Plain,
        hdu: 1,
        rows: ROWS,
        columns: COLUMNS,
        target: TARGET,
        tstart: 1625.25,
        tstop: 1625.27,
        quality: 32,
        date_obs: None,
        exposure: Some(0.0165),
        unit: Some("electrons/s".into()),
        scale: 1.0,
        pipeline: Some("spoc-4.0".into()),
        data_release: Some(17),
        boresight: None,
        image_end: (2 * BLOCK + (4 * ROWS * COLUMNS).next_multiple_of(BLOCK)) as u64,
        plain_at: Some(2 * BLOCK as u64),
        stamp,
    };
    assert_eq!(header, expected);
    assert_eq!(header.largest_cutout(), 150);
}

#[test]
fn the_science_area_is_read_from_any_storage_under_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        (save(&dir, &format!("a/{NAME}"), &ffi()), Storage::Plain),
        (save(&dir, &format!("b[1](x)+/{NAME}"), &ffi()), Storage::Plain),
        (save(&dir, &format!("{NAME}.gz"), &gzip(&ffi())), Storage::Gzip),
        (save(&dir, &format!("{NAME}.fz"), &packed()), Storage::Tiles),
    ];
    for (path, storage) in files {
        let header = FfiHeader::read(&path).unwrap();
        assert_eq!((header.storage, header.quality, header.target), (storage, 32, TARGET));
        for size in [1, 64, 150] {
            assert_eq!(read_all(path.clone(), size).unwrap(), science(size), "{path:?} {size}");
        }
    }
}

#[test]
fn some_rows_are_read_from_any_storage() {
    let dir = TempDir::new().unwrap();
    for path in [
        save(&dir, NAME, &ffi()),
        save(&dir, &format!("{NAME}.gz"), &gzip(&ffi())),
        save(&dir, &format!("{NAME}.fz"), &packed()),
    ] {
        let source = FfiSource::open(vec![path], Some(100)).unwrap();
        // Fewer and more than are read at once, to the last.
        for rows in [0..1, 7..30, 20..100] {
            let mut found = vec![0.0; rows.len() * 100];
            source.read_rows(0, rows.clone(), &mut found).unwrap();
            assert_eq!(found, science(100)[rows.start * 100..rows.end * 100]);
        }
    }
}

#[test]
fn a_large_image_is_the_same_as_a_whole_and_in_parts() {
    // Larger than what stays in a cache. The numbers are small enough to be exact.
    let (rows, columns, size) = (603, 651, 600);
    let number = |row: usize, column: usize| (row * columns + column) as f32 + 0.25;
    let data = (0..rows * columns).flat_map(|i| number(i / columns, i % columns).to_be_bytes()).collect();
    let image = Hdu::image(-32, &[rows, columns], data).card("CAMERA", 1).card("CCD", 3).card("DQUALITY", 0);
    let dir = TempDir::new().unwrap();
    let plain = save(&dir, NAME, &file_of(&[primary(), image]));
    let source = FfiSource::open(vec![plain.clone()], Some(size)).unwrap();
    let mut whole = vec![0.0; size * size];
    source.read(0, &mut whole).unwrap();
    for (index, found) in whole.iter().enumerate() {
        assert_eq!(*found, number(index / size, 44 + index % size));
    }
    // Nothing comes of it but that reading takes less time; frames that there are not are none of its business.
    source.will_read(0);
    source.will_read(7);
    let mut memory = vec![f32::NAN; size * size];
    for rows in [1, 63, 64, 65, 200] {
        for start in [0, 1, 299, size - rows] {
            let part = &mut memory[..rows * size];
            source.read_rows(0, start..start + rows, part).unwrap();
            assert!(part == &whole[start * size..(start + rows) * size], "{rows} rows from {start}");
        }
    }
    source.read_rows(0, 600..600, &mut []).unwrap();

    let verified = OpenOptions { verify: true, ..OpenOptions::default() };
    let verified = FfiSource::open_with(vec![plain.clone()], Some(size), &verified).unwrap();
    let packed = save(&dir, &format!("{NAME}.gz"), &gzip(&std::fs::read(&plain).unwrap()));
    let packed = FfiSource::open(vec![packed], Some(size)).unwrap();
    let in_parts = [&source, &verified, &packed].map(|source| [0, 1].map(|index| source.reads_parts(index)));
    assert_eq!(in_parts, [[true, false], [false, false], [false, false]]);
}

#[test]
fn an_image_behind_other_extensions_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let other = Hdu::image(8, &[3], vec![1, 2, 3]);
    let path = save(&dir, NAME, &file_of(&[primary(), other, image()]));
    assert_eq!(FfiHeader::read(&path).unwrap().hdu, 2);
    assert_eq!(read_all(path, 20).unwrap(), science(20));
}

#[test]
fn scaled_integers_are_converted_and_undefined_pixels_are_nan() {
    let dir = tempfile::tempdir().unwrap();
    let data = [7_i16, -1, 20].iter().flat_map(|value| value.to_be_bytes());
    let data = std::iter::repeat_n(0, 2 * 44).chain(data).collect();
    let image = Hdu { data, ..image() }.set("BITPIX", 16).set("NAXIS1", 47).set("NAXIS2", 1);
    let image = image.card("BSCALE", "0.5").card("BZERO", 100).card("BLANK", -1);
    let image = Hdu { data: [image.data.clone(), image.data].concat(), cards: image.cards };
    let path = save(&dir, NAME, &file_of(&[primary(), image.set("NAXIS2", 2)]));
    let out = read_all(path, 2).unwrap();
    assert_eq!((out[0], out[2]), (103.5, 103.5));
    assert!(out[1].is_nan() && out[3].is_nan());
}

#[test]
fn infinite_and_undefined_floats_come_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut image = image();
    for (column, value) in [(44, f32::NAN), (45, f32::INFINITY), (46, -0.0)] {
        image.data[4 * column..][..4].copy_from_slice(&value.to_be_bytes());
    }
    let path = save(&dir, NAME, &file_of(&[primary(), image]));
    let out = read_all(path, 3).unwrap();
    assert!(out[0].is_nan());
    assert_eq!((out[1], out[2].to_bits()), (f32::INFINITY, (-0.0_f32).to_bits()));
}

#[test]
fn frames_are_sorted_by_start_time_and_read_by_several_threads() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..6)
        .map(|number| {
            let mut image = image();
            image.data[4 * 44..][..4].copy_from_slice(&(number as f32).to_be_bytes());
            let start = format!("{}.5", 1700 - number);
            let primary = primary().set("TSTART", start).set("TSTOP", 1701);
            save(&dir, &format!("{number}/{NAME}"), &file_of(&[primary, image]))
        })
        .collect();
    let source = FfiSource::open(files, Some(100)).unwrap();
    assert_eq!((source.target(), source.shape()), (TARGET, (100, 100)));
    let last = FrameInfo { name: NAME.into(), tstart: 1700.5, tstop: 1701.0, quality: 32 };
    assert_eq!(source.frames()[5], last);
    std::thread::scope(|scope| {
        for index in 0..6 {
            let source = &source;
            scope.spawn(move || {
                for _ in 0..20 {
                    let mut out = vec![0.0; 10_000];
                    source.read(index, &mut out).unwrap();
                    assert_eq!(out[0], (5 - index) as f32);
                    assert_eq!(out[1..], science(100)[1..]);
                }
            });
        }
    });
}

#[test]
fn the_sector_may_come_from_the_header_where_the_name_has_none() {
    let dir = tempfile::tempdir().unwrap();
    for hdus in [[primary().card("SECTOR", 12), image()], [primary(), image().card("SECTOR", 12)]] {
        let path = save(&dir, "frame.fits", &file_of(&hdus));
        assert_eq!(FfiHeader::read(&path).unwrap().target, TARGET);
    }
    let path = save(&dir, "frame.fits", &ffi());
    let error = FfiHeader::read(&path).unwrap_err().to_string();
    assert_eq!(error, format!("{}: HDU 1 has no usable keyword SECTOR", path.display()));
}

#[test]
fn files_of_another_target_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let first = save(&dir, NAME, &ffi());
    let later = file_of(&[primary().set("TSTART", "1625.26"), image()]);
    let second = save(&dir, "tess2019140104344-s0012-1-3-0144-s_ffic.fits", &later);
    let odd = save(&dir, "tess2019140104343-s0013-1-3-0144-s_ffic.fits", &ffi());
    let error = FfiSource::open(vec![first.clone(), second, odd.clone()], Some(10)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is of sector 13, camera 1, CCD 3, but {} is of sector 12, camera 1, CCD 3: \
             a fit takes frames of one sector, camera and CCD; select with --sector, --camera and --ccd",
            odd.display(),
            first.display()
        )
    );
}

#[test]
fn two_files_of_one_frame_are_both_named() {
    let dir = tempfile::tempdir().unwrap();
    let first = save(&dir, NAME, &ffi());
    let second = save(&dir, &format!("{NAME}.gz"), &gzip(&ffi()));
    let error = FfiSource::open(vec![first.clone(), second.clone()], Some(10)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} and {} are the same frame (TSTART 1625.25): remove one of them",
            first.display(),
            second.display()
        )
    );
}

#[test]
fn cut_outs_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(&dir, NAME, &ffi());
    let too_small = |size| FfiSource::open(vec![path.clone()], size).unwrap_err().to_string();
    let expected = |size: usize| {
        format!(
            "{}: an image of 150 x 199 pixels does not hold the science area of {size} x {size}; \
             use --cutout-size 150",
            path.display()
        )
    };
    assert_eq!(too_small(None), expected(2048));
    assert_eq!(too_small(Some(151)), expected(151));
    assert_eq!(too_small(Some(0)), "a cut-out of 0 pixels: give 1 to 2048");
    assert_eq!(too_small(Some(2049)), "a cut-out of 2049 pixels: give 1 to 2048");
    let error = FfiSource::open(vec![], None).unwrap_err().to_string();
    assert_eq!(error, "no files to read frames from");
}

#[test]
fn a_real_image_has_the_values_that_astropy_reads() {
    let Ok(dir) = std::env::var("BACKDROP_TEST_DATA") else {
        println!("skipped: BACKDROP_TEST_DATA is not set");
        return;
    };
    let filter = Filter { sector: Some(1), camera: Some(1), ccd: Some(4) };
    let files = find_ffis(Path::new(&dir), &filter).unwrap();
    let source = FfiSource::open(files, Some(128)).unwrap();
    let header = &source.headers()[0];
    assert_eq!((header.rows, header.columns), (128, 173));
    assert_eq!((header.tstart, header.tstop), (1325.313100604524, 1325.333933930305));
    assert_eq!(header.date_obs.as_deref(), Some("2018-07-25T19:29:42.708Z"));
    assert_eq!(header.exposure, Some(0.016499994018));
    assert_eq!(header.boresight, Some([352.6843566894531, -64.85306549072266, -137.84681701660156]));
    let mut out = vec![0.0; 128 * 128];
    source.read(0, &mut out).unwrap();
    let corners_and_seams = [(0, 0), (0, 127), (63, 5), (64, 5), (127, 127)];
    assert_eq!(
        corners_and_seams.map(|(row, column)| out[row * 128 + column]),
        [149.69803, 1159.1384, 144.72896, 144.42078, 239.9317]
    );
    // Both sums are of the same numbers, which differ only by the order of adding.
    let sum: f64 = out.iter().copied().map(f64::from).sum();
    assert!((sum - 3497639.883117676).abs() < 1e-6, "{sum}");
}
