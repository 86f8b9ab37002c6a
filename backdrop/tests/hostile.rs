//! Files that were made to take all memory are refused in little of it. Alone in its process, whose
//! memory is measured.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::path::Path;

use backdrop::ffi::{FfiHeader, FfiSource};
use backdrop::source::FrameSource;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What may be taken beyond the frame, in kB.
const MOST: u64 = 48 << 10;

/// The most memory that the process has ever had, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn block(cards: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> = cards.iter().flat_map(|card| format!("{card:<80}").into_bytes()).collect();
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes
}

/// An image of 2 x 46 pixels.
fn image() -> Vec<u8> {
    let primary =
        ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0", "TSTART  = 1625.25", "TSTOP   = 1625.27", "END"];
    let image = [
        "XTENSION= 'IMAGE   '",
        "BITPIX  = 8",
        "NAXIS   = 2",
        "NAXIS1  = 46",
        "NAXIS2  = 2",
        "PCOUNT  = 0",
        "GCOUNT  = 1",
        "CAMERA  = 1",
        "CCD     = 3",
        "DQUALITY= 0",
        "END",
    ];
    [block(&primary), block(&image), vec![0; 2880]].concat()
}

/// Writes a file in parts, so that this takes no memory either.
fn gzip(path: &Path, first: &[u8], part: &[u8], parts: usize) {
    let mut encoder = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(first).unwrap();
    for _ in 0..parts {
        encoder.write_all(part).unwrap();
    }
    encoder.finish().unwrap();
}

#[test]
fn files_made_to_take_all_memory_do_not_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tess2019140104343-s0012-1-3-0144-s_ffic.fits");
    let packed = path.with_extension("fits.gz");
    let card = format!("{:<80}", "COMMENT as good as any").into_bytes().repeat(36 * 100);

    let huge = ["XTENSION= 'IMAGE   '", "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 314572800", "PCOUNT  = 0"];
    let huge = block(&[&huge[..], &["GCOUNT  = 1", "END"]].concat());
    gzip(&packed, &[image(), huge].concat(), &[0; 1 << 20], 300);
    let before = peak();
    let source = FfiSource::open(vec![packed.clone()], Some(2)).unwrap();
    let error = source.read(0, &mut [0.0; 4]).unwrap_err().to_string();
    assert!(error.contains("unpacks to over 268435456 bytes after its image"), "{error}");

    let start = block(&["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"]);
    gzip(&packed, &start, &card, 400);
    let error = FfiHeader::read(&packed).unwrap_err().to_string();
    assert!(error.contains("its header does not end in the first part"), "{error}");

    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&start).unwrap();
    for _ in 0..400 {
        file.write_all(&card).unwrap();
    }
    let error = FfiHeader::read(&path).unwrap_err().to_string();
    assert!(error.contains("its header goes on for more than 4194304 bytes"), "{error}");
    let taken = peak() - before;
    assert!(taken < MOST, "{taken} kB");
}
