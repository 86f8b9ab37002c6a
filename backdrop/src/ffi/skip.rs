//! Tests of files that fail: skipped, shared between processes, changed and verified.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::tests::{COLUMNS, NAME, ROWS, TARGET, ffi, gzip, image, packed, pixels, primary, save, science};
use super::*;
use crate::error::{Error, Result};
use crate::fits::handmade::file_of;
use crate::fits::{BLOCK, Writer};
use crate::quality::UNREADABLE;
use crate::source::{FrameSource, OnError};

const SKIP: OpenOptions = OpenOptions { on_error: OnError::Skip, verify: false };
const SIZE: usize = 4;

fn name(number: usize) -> String {
    format!("tess20191401043{number:02}-s0012-1-3-0144-s_ffic.fits")
}

/// A frame that starts at BTJD 1700 + `number` days.
fn frame(number: usize) -> Vec<u8> {
    let primary = primary().set("TSTART", format!("{}.25", 1700 + number));
    file_of(&[primary.set("TSTOP", format!("{}.5", 1700 + number)), image()])
}

/// What a source says: of each frame the start and why it is unreadable.
fn said(source: &FfiSource) -> Vec<(f64, Option<String>)> {
    let frames = source.frames().iter().enumerate();
    frames.map(|(index, frame)| (frame.tstart, source.unreadable(index))).collect()
}

fn skipping(files: Vec<PathBuf>) -> Result<FfiSource> {
    FfiSource::open_with(files, Some(SIZE), &SKIP)
}

/// Six frames, of which 0 and 2 hold nothing, 3 is cut short, and 4 appears twice.
fn damaged(dir: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<_> = (0..6).map(|number| save(dir, &name(number), &frame(number))).collect();
    std::fs::write(&files[0], "").unwrap();
    std::fs::write(&files[2], "<html>").unwrap();
    std::fs::write(&files[3], &frame(3)[..5 * BLOCK]).unwrap();
    files.push(save(dir, &format!("again/{}", name(4)), &frame(4)));
    files
}

#[test]
fn files_that_fail_keep_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let files = damaged(&dir);
    let source = skipping(files.clone()).unwrap();
    let kept = format!("{}", dir.path().join("again").join(name(4)).display());
    let expected = [
        (f64::NAN, Some("the file is empty; download or copy it again".to_owned())),
        (1701.25, None),
        (f64::NAN, Some("not a FITS file: it does not begin with SIMPLE".into())),
        (
            1703.25,
            Some(format!(
                "truncated: it has {} bytes, but its headers declare {}; download or copy it again",
                5 * BLOCK,
                frame(3).len()
            )),
        ),
        // Its name is that of the frame it repeats, which it does not come after.
        (f64::NAN, Some(format!("it is the same frame as {kept} (TSTART 1704.25): remove one of them"))),
        (1704.25, None),
        (1705.25, None),
    ];
    let found = said(&source);
    // NaN is not equal to itself.
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    let mut out = [0.0; SIZE * SIZE];
    for (index, frame) in source.frames().iter().enumerate() {
        assert_eq!(frame.tstart.is_nan(), frame.tstop.is_nan());
        let read = source.read(index, &mut out);
        match source.unreadable(index) {
            None => {
                read.unwrap();
                assert_eq!((&out[..], frame.quality), (&science(SIZE)[..], 32));
            }
            Some(reason) => {
                let error = read.unwrap_err().to_string();
                assert!(error.ends_with(&format!("{}: {reason}", frame.name)), "{error}");
                assert_eq!(frame.quality, UNREADABLE);
            }
        }
    }
    assert_eq!(source.headers().len(), 3);
    assert_eq!((source.unreadable(7), source.stamp(7)), (None, 0));
    // Any of them is an error otherwise, the same that reading its header is.
    for (index, file) in files.iter().enumerate().filter(|(index, _)| [0, 2, 3].contains(index)) {
        let error = FfiSource::open(vec![files[1].clone(), file.clone()], Some(SIZE)).unwrap_err();
        assert_eq!(error.to_string(), FfiHeader::read(file).unwrap_err().to_string(), "{index}");
    }
}

#[test]
fn neither_the_order_of_files_nor_who_reads_them_matters() {
    let dir = tempfile::tempdir().unwrap();
    let files = damaged(&dir);
    let all = skipping(files.clone()).unwrap();
    let facts = |source: &FfiSource| {
        let stamps: Vec<_> = (0..source.frames().len()).map(|index| source.stamp(index)).collect();
        format!("{:?} {:?} {stamps:?} {:?}", source.frames(), said(source), source.headers())
    };
    let mut reversed = files.clone();
    reversed.reverse();
    assert_eq!(facts(&skipping(reversed).unwrap()), facts(&all));
    for parts in [1, 2, 3, 7] {
        let headers = files.chunks(files.len().div_ceil(parts)).flat_map(|part| {
            let bytes = serde_json::to_vec(&FfiHeader::read_all(part)).unwrap();
            serde_json::from_slice::<Vec<std::result::Result<FfiHeader, Unreadable>>>(&bytes).unwrap()
        });
        let headers: Vec<_> = headers.collect();
        let source = FfiSource::from_headers(files.clone(), headers.clone(), Some(SIZE), &SKIP).unwrap();
        assert_eq!(facts(&source), facts(&all), "{parts} parts");
        let strict = FfiSource::from_headers(files.clone(), headers, Some(SIZE), &OpenOptions::default());
        let expected = FfiHeader::read(&files[0]).unwrap_err().to_string();
        assert_eq!(strict.unwrap_err().to_string(), expected);
    }
    let error = FfiSource::from_headers(files, vec![], None, &SKIP).unwrap_err().to_string();
    assert_eq!(error, "0 headers for 7 files");
}

#[cfg(unix)]
#[test]
fn headers_pass_through_serde_to_the_last_bit_whatever_the_path() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"\xff\n"));
    std::fs::create_dir(&odd).unwrap();
    let (path, third) = (odd.join(NAME), "1625.2512345678901");
    let image = image().card("BUNIT2", "nan").set("EXPOSURE", "inf");
    std::fs::write(&path, file_of(&[primary().set("TSTART", third), image])).unwrap();
    let read = FfiHeader::read_all(&[path.clone(), odd]);
    assert_eq!(
        (read[0].as_ref().unwrap().tstart, read[0].as_ref().unwrap().exposure),
        (third.parse().unwrap(), None)
    );
    let bytes = serde_json::to_vec(&read).unwrap();
    let received: Vec<std::result::Result<FfiHeader, Unreadable>> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(received, read);
    assert_eq!(received[0].as_ref().unwrap().path, path);
    assert_eq!(read[1].as_ref().unwrap_err().reason, "not a regular file");
}

#[test]
fn files_of_another_kind_than_most_are_skipped_and_give_no_time() {
    let dir = tempfile::tempdir().unwrap();
    let other = |sector: usize, number: usize| {
        let path = format!("tess20191401043{number:02}-s{sector:04}-1-3-0144-s_ffic.fits");
        save(&dir, &path, &frame(number))
    };
    let small = {
        let image = crate::fits::handmade::Hdu { data: vec![0; 2 * 46], ..image() };
        let image = image.set("BITPIX", 8).set("NAXIS1", 46).set("NAXIS2", 2);
        let primary = primary().set("TSTART", "1709.25").set("TSTOP", "1709.5");
        save(&dir, &name(9), &file_of(&[primary, image]))
    };
    let files = vec![other(13, 1), other(12, 2), other(12, 3), other(13, 4), other(12, 5), small];
    let source = skipping(files).unwrap();
    assert_eq!(source.target(), TARGET);
    let odd = "it is of sector 13, camera 1, CCD 3, but the frames are of sector 12, camera 1, CCD 3: \
               select with --sector, --camera and --ccd";
    let expected = [
        (f64::NAN, Some(odd)),
        (1702.25, None),
        (1703.25, None),
        (f64::NAN, Some(odd)),
        (1705.25, None),
        (
            1709.25,
            Some("an image of 2 x 46 pixels does not hold the science area of 4 x 4; use --cutout-size 2"),
        ),
    ];
    let found = said(&source);
    let found: Vec<_> = found.iter().map(|(start, reason)| (*start, reason.as_deref())).collect();
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    // As many of each: the first by name decides.
    let tie = skipping(vec![other(13, 4), other(12, 3)]).unwrap();
    assert_eq!(tie.target().sector, 12);
    assert_eq!(tie.unreadable(1).as_deref(), Some(odd));
}

#[test]
fn a_time_belongs_to_one_frame() {
    let dir = tempfile::tempdir().unwrap();
    let sound = save(&dir, &name(1), &frame(1));
    // The same exposure, cut short, under a later name.
    let cut = save(&dir, &name(2), &frame(1)[..5 * BLOCK]);
    let source = skipping(vec![sound, cut]).unwrap();
    assert_eq!(source.frames()[0].tstart, 1701.25);
    assert!(source.frames()[1].tstart.is_nan() && source.unreadable(1).is_some());
}

#[test]
fn if_no_file_is_left_the_first_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..3).map(|number| save(&dir, &name(number), b"")).collect();
    let error = skipping(files.clone()).unwrap_err();
    assert!(matches!(error, Error::AllUnreadable { count: 3, .. }));
    let expected = format!(
        "none of the 3 files can be used; the first of them is {}: the file is empty; download or copy it again",
        files[0].display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(skipping(vec![]).unwrap_err().to_string(), "no files to read frames from");
}

#[test]
fn a_stamp_is_that_of_the_header() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(&dir, NAME, &ffi());
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let touch = |time| std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    touch(time);
    let open = || FfiSource::open(vec![path.clone()], Some(SIZE)).unwrap();
    let source = open();
    let stamp = source.stamp(0);
    touch(time + std::time::Duration::from_secs(1));
    assert_eq!((source.stamp(0), open().stamp(0) == stamp), (stamp, false));
    let error = source.read(0, &mut [0.0; SIZE * SIZE]).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }));
    assert!(error.to_string().contains(": it was written again since its header was read"), "{error}");
    touch(time);
    assert_eq!(open().stamp(0), stamp);
    source.read(0, &mut [0.0; SIZE * SIZE]).unwrap();
}

#[test]
fn a_file_that_is_written_while_it_is_read_gives_its_pixels_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = (save(&dir, NAME, &ffi()), ffi());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                std::fs::write(&path, &whole[..9 * BLOCK]).unwrap();
                std::fs::write(&path, &whole).unwrap();
            }
        });
        let mut out = vec![0.0; 150 * 150];
        for _ in 0..300 {
            match FfiSource::open(vec![path.clone()], Some(150)).and_then(|source| source.read(0, &mut out)) {
                Ok(()) => assert_eq!(out, science(150)),
                Err(error) => assert!(error.to_string().starts_with(&path.display().to_string()), "{error}"),
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// A file with checksums, plain or in tiles, of 3 rows.
fn summed(tiles: bool) -> Vec<u8> {
    let mut file = Writer::new(Path::new(NAME)).unwrap();
    file.image::<u8>("PRIMARY", &[], &[]).unwrap();
    file.real("TSTART", 1625.25, "").unwrap();
    file.real("TSTOP", 1625.27, "").unwrap();
    if tiles {
        file.compress_images().unwrap();
    }
    file.image("IMAGE", &[3, COLUMNS], &pixels()[..3 * COLUMNS]).unwrap();
    for (keyword, value) in [("CAMERA", 1), ("CCD", 3), ("DQUALITY", 32)] {
        file.integer(keyword, value, "").unwrap();
    }
    file.bytes().unwrap().to_vec()
}

fn read(path: &Path, verify: bool) -> Result<Vec<f32>> {
    let options = OpenOptions { verify, ..OpenOptions::default() };
    let source = FfiSource::open_with(vec![path.to_owned()], Some(3), &options)?;
    let mut out = vec![0.0; 9];
    source.read(0, &mut out).map(|()| out)
}

#[test]
fn verification_finds_a_wrong_bit_anywhere_in_the_image() {
    type Store = fn(&[u8]) -> Vec<u8>;
    let dir = tempfile::tempdir().unwrap();
    let (plain, tiles) = (summed(false), summed(true));
    let cases: [(&[u8], Store, &str); 3] =
        [(&plain, <[u8]>::to_vec, ""), (&plain, gzip, ".gz"), (&tiles, <[u8]>::to_vec, ".fz")];
    for (whole, store, suffix) in cases {
        let path = save(&dir, &format!("{NAME}{suffix}"), &store(whole));
        assert_eq!(read(&path, true).unwrap(), science(3), "{suffix}");
        let header = FfiHeader::read(&path).unwrap();
        let end = usize::try_from(header.image_end).unwrap();
        for (position, bit) in (end - BLOCK..end).step_by(7).flat_map(|at| [(at, 1), (at, 0x80)]) {
            let mut wrong = whole.to_vec();
            wrong[position] ^= bit;
            let path = save(&dir, &format!("{NAME}{suffix}"), &store(&wrong));
            let error = read(&path, true).unwrap_err();
            let text =
                "HDU 1 does not match its checksum (DATASUM): the file is damaged; download or copy it again";
            assert_eq!(error.reason(&path), text, "byte {position} of {suffix}");
            if suffix != ".fz" {
                read(&path, false).unwrap();
            }
        }
        // In the headers: the time in the first, the camera's comment in the second.
        for (hdu, text) in [(0, "BITPIX  ="), (1, "DQUALITY=")] {
            let start = whole.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
            let mut wrong = whole.to_vec();
            wrong[start + 79] = b'x';
            let path = save(&dir, &format!("{NAME}{suffix}"), &store(&wrong));
            let error = read(&path, true).unwrap_err();
            let text = format!(
                "HDU {hdu} does not match its checksum (CHECKSUM): the file is damaged; download or copy it again"
            );
            assert_eq!(error.reason(&path), text, "{suffix}");
            read(&path, false).unwrap();
        }
    }
}

#[test]
fn without_sums_there_is_nothing_to_verify_and_parts_are_verified_with_the_first() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read(&save(&dir, NAME, &ffi()), true).unwrap(), science(3));
    assert_eq!(read(&save(&dir, NAME, &packed()), true).unwrap(), science(3));
    let mut wrong = summed(false);
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    let path = save(&dir, NAME, &wrong);
    let options = OpenOptions { verify: true, ..OpenOptions::default() };
    let source = FfiSource::open_with(vec![path], Some(3), &options).unwrap();
    let mut row = [0.0; 3];
    source.read_rows(0, 1..2, &mut row).unwrap();
    assert!(matches!(source.read_rows(0, 0..1, &mut row), Err(Error::Checksum { hdu: 1, .. })));
    const { assert!(ROWS > 3) };
}
