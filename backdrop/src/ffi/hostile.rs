//! Tests with what a file may be that is none of ours: damaged, absurd or made to do harm.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::tests::{COLUMNS, NAME, ROWS, ffi, gzip, image, packed, primary, read_all, save};
use super::*;
use crate::error::shown;
use crate::fits::BLOCK;
use crate::fits::handmade::{Hdu, file_of};

/// No refusal takes longer, tests beside it and unoptimised machines included.
const LONGEST: Duration = Duration::from_secs(30);

/// A file is refused in one line that names it and holds `expected`, soon, when its header is read or
/// its pixels are, and the same by a source that skips it.
fn refused(path: &Path, expected: &str) {
    let start = Instant::now();
    let error = read_all(path.to_owned(), 2).map(|_| ()).unwrap_err();
    let message = error.to_string();
    let reason = message.strip_prefix(&format!("{}: ", shown(path)));
    assert!(reason.is_some_and(|reason| reason.contains(expected)), "{message}, not {expected}");
    assert!(!message.contains(char::is_control), "{message:?}");
    if FfiHeader::read(path).is_err() {
        let reasons = FfiHeader::read_all(&[path.to_owned()]);
        assert_eq!(reasons[0].as_ref().unwrap_err().reason, reason.unwrap());
    }
    assert!(start.elapsed() < LONGEST, "{message}: {:?}", start.elapsed());
}

fn of_image(change: impl FnOnce(Hdu) -> Hdu) -> Vec<u8> {
    file_of(&[primary(), change(image())])
}

#[test]
fn headers_of_absurd_images_are_refused() {
    let dir = TempDir::new().unwrap();
    let axes = |count: usize| {
        let mut hdu = Hdu::image(8, &vec![1; count], vec![0]);
        hdu.cards.extend(image().cards.split_off(7));
        file_of(&[primary(), hdu])
    };
    let huge = 1_000_000_000_000_000_000_i64;
    for (content, expected) in [
        (of_image(|hdu| hdu.set("NAXIS1", huge)), "it declares an impossible size"),
        (of_image(|hdu| hdu.set("NAXIS1", 1_000_000_000_000_i64)), "truncated: it has"),
        (of_image(|hdu| hdu.set("NAXIS1", -199)), "NAXIS1 cannot be \"-199\""),
        (of_image(|hdu| hdu.set("NAXIS1", "1E300")), "NAXIS1 cannot be \"1E300\""),
        (of_image(|hdu| hdu.set("NAXIS", huge)), "NAXIS cannot be"),
        (of_image(|hdu| hdu.set("NAXIS", 99)), "it has no NAXIS3"),
        (axes(99), "HDU 1 has 99 axes, not 2"),
        (axes(100), "NAXIS is 100, more than 99"),
        (of_image(|hdu| hdu.set("BITPIX", 0)), "BITPIX cannot be 0"),
        (of_image(|hdu| hdu.set("BITPIX", 1_i64 << 40)), "BITPIX cannot be 1099511627776"),
        (of_image(|hdu| hdu.set("BITPIX", "'-32'")), "BITPIX cannot be \"'-32'\""),
        (of_image(|hdu| hdu.set("PCOUNT", huge)), "truncated: it has"),
        (of_image(|hdu| hdu.set("PCOUNT", i64::MAX)), "it declares an impossible size"),
        (of_image(|hdu| hdu.set("GCOUNT", 0)), "GCOUNT is 0, not 1"),
        (of_image(|hdu| hdu.set("GCOUNT", 1_000_000)), "truncated: it has"),
        (file_of(&[primary().set("NAXIS", 1).card("NAXIS1", huge)]), "truncated: it has"),
        (of_image(|hdu| hdu.set("IMAGTYPE", "'a\u{1b}b'")), "has control characters"),
        (file_of(&[primary()])[..BLOCK - 1].to_vec(), "ends within its header"),
        (Vec::new(), "the file is empty"),
        (vec![0; 10 * BLOCK], "does not begin with SIMPLE"),
        (b"SIMPLE  =".repeat(1000), "ends within its header"),
    ] {
        refused(&save(&dir, NAME, &content), expected);
    }
}

#[test]
fn headers_and_files_without_end_are_refused() {
    let dir = TempDir::new().unwrap();
    let endless = |first: &str| {
        let mut bytes = format!("{first:<80}").into_bytes();
        while bytes.len() < 9 << 20 {
            let number = bytes.len() / 80;
            bytes.extend(format!("{:<80}", format!("K{number:<7}= {number:>20} / as good as any")).bytes());
        }
        bytes
    };
    let first = "SIMPLE  =                    T";
    let expected = "its header goes on for more than 4194304 bytes";
    let path = save(&dir, NAME, &endless(first));
    refused(&path, expected);
    // Of 4 GB, of which nothing is on the disk.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(4 << 30).unwrap();
    refused(&path, expected);
    let behind = [file_of(&[primary()]), endless("XTENSION= 'IMAGE   '")].concat();
    refused(&save(&dir, NAME, &behind), expected);

    let many = [file_of(&[primary()]), file_of(&vec![Hdu::image(8, &[], vec![]); 10_000])].concat();
    refused(&save(&dir, NAME, &many), "a file of more than 10000 HDUs");

    let packed = format!("{NAME}.gz");
    refused(&save(&dir, &packed, &gzip(&endless(first))), "does not end in the first part");
    let absurd = of_image(|hdu| hdu.set("PCOUNT", 1_i64 << 40));
    refused(&save(&dir, &packed, &gzip(&absurd)), "more than 67108864");
    refused(&save(&dir, &packed, &gzip(&gzip(&ffi()))), "does not begin with SIMPLE");
    refused(&save(&dir, &packed, &gzip(b"")), "does not end in the first part");
    // Far smaller than what it unpacks to.
    let bomb = gzip(&[ffi(), vec![0; 260 << 20]].concat());
    assert!(bomb.len() < 8 << 20);
    refused(&save(&dir, &packed, &bomb), "unpacks to over 268435456 bytes after its image");
}

#[test]
fn cards_that_cfitsio_has_no_room_for_are_refused() {
    let dir = TempDir::new().unwrap();
    for card in [format!("A='{}'", "x".repeat(76)), format!("AB=1 /{}", "x".repeat(74)), "=".repeat(80)] {
        let mut hdu = image();
        hdu.cards.push(card);
        refused(&save(&dir, NAME, &file_of(&[primary(), hdu])), "has a value that begins before column 11");
    }
    // What only looks like it is read.
    let mut hdu = image();
    for start in ["HISTORY a=", "        = "] {
        hdu.cards.push(format!("{start:<70}"));
    }
    hdu.cards.push(format!("{:<80}", "COMMENT = and a comment that goes on to the last column of its card"));
    read_all(save(&dir, NAME, &file_of(&[primary(), hdu])), 2).unwrap();
}

/// An image of 2 x 46 pixels in tiles, each a row, with one column, or two, of descriptors: bytes on
/// the heap, and where they begin.
fn tiles(columns: &[(&str, &str)], descriptors: &[(u32, u32)], heap: &[u8], bitpix: i64) -> Hdu {
    let width = 8 * columns.len();
    let mut data: Vec<u8> = descriptors
        .iter()
        .flat_map(|&(count, at)| [count.to_be_bytes(), at.to_be_bytes()].concat())
        .collect();
    assert_eq!(data.len(), 2 * width);
    data.extend(heap);
    let mut hdu = Hdu::image(8, &[2, width], data).set("XTENSION", "'BINTABLE'").set("PCOUNT", heap.len());
    hdu = hdu.card("TFIELDS", columns.len());
    for (number, (name, form)) in (1..).zip(columns) {
        hdu = hdu.card(&format!("TTYPE{number}"), format!("'{name}'"));
        hdu = hdu.card(&format!("TFORM{number}"), format!("'{form}'"));
    }
    let hdu = hdu.card("ZIMAGE", "T").card("ZCMPTYPE", "'GZIP_1'").card("ZBITPIX", bitpix);
    let hdu = hdu.card("ZNAXIS", 2).card("ZNAXIS1", 46).card("ZNAXIS2", 2);
    hdu.card("CAMERA", 1).card("CCD", 3).card("DQUALITY", 0)
}

#[test]
fn tiles_that_do_not_hold_their_pixels_are_refused() {
    const PACKED: &str = "COMPRESSED_DATA";
    let dir = TempDir::new().unwrap();
    let path = |hdu: Hdu| save(&dir, NAME, &file_of(&[primary(), hdu]));
    let row = gzip(&[1.5_f32.to_be_bytes(); 46].concat());
    let length = u32::try_from(row.len()).unwrap();
    let one = |heap: &[u8], count: u32, bitpix: i64| {
        tiles(&[(PACKED, "1PB")], &[(count, 0), (count, 0)], heap, bitpix)
    };
    assert_eq!(read_all(path(one(&row, length, -32)), 2).unwrap(), [1.5; 4]);
    let wrong = "does not hold its pixels";
    let of = |bytes: &[u8], bitpix: i64| {
        let row = gzip(bytes);
        one(&row, u32::try_from(row.len()).unwrap(), bitpix)
    };
    // Bytes, where CFITSIO would read doubles: beyond their end.
    refused(&path(of(&[0; 46], -32)), wrong);
    refused(&path(of(&[0; 8 * 46], -32)), wrong);
    refused(&path(of(&[0; 4 * 46], -64)), wrong);
    refused(&path(of(&[0; 8 * 46], 32)), wrong);
    // A tile that unpacks to 100 MB.
    refused(&path(of(&vec![0; 100 << 20], -32)), wrong);
    refused(&path(one(&row, length - 9, -32)), wrong);
    refused(&path(one(&row, u32::MAX, -32)), "has an impossible size");
    refused(&path(one(&row, 0, -32)), wrong);
    refused(&path(tiles(&[(PACKED, "1PJ")], &[(2, 0); 2], &row, -32)), "its tiles are not of bytes");

    // More numbers than a tile has are written where there is no room for them.
    let two = |other: &str, form: &str, count: u32| {
        let columns = [(PACKED, "1PB"), (other, form)];
        tiles(&columns, &[(0, 0), (count, 0), (0, 0), (count, 0)], &vec![0; 4 << 20], -32)
    };
    refused(&path(two("UNCOMPRESSED_DATA", "1PE", 1 << 20)), wrong);
    assert_eq!(read_all(path(two("UNCOMPRESSED_DATA", "1PE", 46)), 2).unwrap(), [0.0; 4]);
    refused(&path(two("GZIP_COMPRESSED_DATA", "1PB", 1 << 20)), wrong);
    refused(&path(two("ANOTHER", "1PB", 46)), wrong);

    // Rice codes: constant rows are a number and a selector of 0 for each block.
    let rice = |code: &[u8]| {
        let hdu = one(code, u32::try_from(code.len()).unwrap(), 32);
        path(hdu.set("ZCMPTYPE", "'RICE_1'").card("ZVAL1", 32))
    };
    assert_eq!(read_all(rice(&[0, 0, 0, 7, 0, 0]), 2).unwrap(), [7.0; 4]);
    for code in
        [&[][..], &[0], &[0, 0, 0, 7], &[0, 0, 0, 7, 0], &[0, 0, 0, 7, 0x10], &[0, 0, 0, 7, 0xd0, 1, 2]]
    {
        refused(&rice(code), wrong);
    }
    // A difference that is zeros without end.
    refused(&rice(&[vec![0, 0, 0, 7, 0x10], vec![0; 1 << 20]].concat()), wrong);
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_opened() {
    use std::os::unix::fs::symlink;
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    let fifo = at("fifo.fits");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _listener = std::os::unix::net::UnixListener::bind(at("socket.fits")).unwrap();
    std::fs::create_dir(at(NAME)).unwrap();
    symlink(&fifo, at("link.fits")).unwrap();
    symlink(at("loop.fits"), at("loop.fits")).unwrap();
    symlink(at("nowhere"), at("dangling.fits")).unwrap();
    let regular = "not a regular file";
    for (path, expected) in [
        (fifo, regular),
        (at("socket.fits"), regular),
        (at(NAME), regular),
        (at("link.fits"), regular),
        (PathBuf::from("/dev/zero"), regular),
        (at("loop.fits"), "symbolic links"),
        (at("dangling.fits"), "No such file"),
        (at("a\0b"), "NUL byte"),
    ] {
        refused(&path, expected);
    }
}

#[cfg(unix)]
#[test]
fn files_that_may_not_be_read_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let path = save(&dir, NAME, &ffi());
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    // Root may read everything.
    if std::fs::read(&path).is_err() {
        refused(&path, "Permission denied");
    }
}

#[cfg(unix)]
#[test]
fn names_of_any_bytes_are_shown_in_one_line() {
    use std::os::unix::ffi::OsStrExt;
    let dir = TempDir::new().unwrap();
    for name in [&b"two\nlines.fits"[..], b"\x1b[2J\r.fits", b"\xff\xfe.fits", "é\u{2028}.fits".as_bytes()] {
        let name = std::ffi::OsStr::from_bytes(name);
        let path = dir.path().join(name);
        std::fs::write(&path, "").unwrap();
        refused(&path, "the file is empty");
        std::fs::write(&path, file_of(&[primary().card("SECTOR", 12), image()])).unwrap();
        let source = FfiSource::open(vec![path], Some(2)).unwrap();
        let shown = &crate::source::FrameSource::frames(&source)[0].name;
        assert!(!shown.contains(char::is_control) && shown.ends_with(".fits"), "{shown:?}");
    }
}

#[test]
fn any_byte_may_be_wrong() {
    let dir = TempDir::new().unwrap();
    // Small, so that most bytes are those of headers.
    let small = Hdu { data: vec![0; 4 * 46 * 2], ..image() }.set("NAXIS1", 46).set("NAXIS2", 2);
    for whole in [file_of(&[primary(), small]), packed()[..4 * BLOCK + 8 * ROWS].to_vec()] {
        for position in (0..whole.len().min(4 * BLOCK)).step_by(31) {
            for byte in [0, b'\'', b'=', b'9', 0xff] {
                let mut bytes = whole.clone();
                bytes[position] = byte;
                let path = save(&dir, NAME, &bytes);
                // It may be read or not, but does no harm.
                if let Err(error) = read_all(path.clone(), 2) {
                    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
                }
            }
        }
    }
    const { assert!(COLUMNS > 46) };
}
