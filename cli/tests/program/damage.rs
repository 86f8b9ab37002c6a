//! Frames that are fast to fit, and what may happen to their files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{backdrop, empty_dir, names, with_frames};

/// The files of the frames, in their order.
pub fn frames(dir: &Path) -> Vec<PathBuf> {
    let dir = dir.join("frames");
    let names = names(&dir).into_iter().filter(|name| name.ends_with("s_ffic.fits"));
    names.map(|name| dir.join(name)).collect()
}

/// Where the data of the image begin: in the block behind the END of the second header.
fn image(bytes: &[u8]) -> usize {
    let ends = bytes.chunks(80).enumerate().filter(|(_, card)| card.starts_with(b"END     "));
    let (card, _) = ends.take(2).last().unwrap();
    ((card + 1) * 80).div_ceil(2880) * 2880
}

/// Damages six frames of a directory, each in another way, and says which.
pub fn damage(dir: &Path) -> [usize; 6] {
    let files = frames(dir);
    let at = [5, 17, 18, 40, 71, 99];
    let [truncated, emptied, text, flipped, other, lost] = at.map(|frame| &files[frame]);
    let bytes = fs::read(truncated).unwrap();
    fs::write(truncated, &bytes[..image(&bytes) + 3000]).unwrap();
    fs::write(emptied, "").unwrap();
    fs::write(text, "<html>404 Not Found</html>\n").unwrap();
    let mut bytes = fs::read(flipped).unwrap();
    let pixel = image(&bytes) + 5001;
    bytes[pixel] ^= 0x10;
    fs::write(flipped, bytes).unwrap();
    let elsewhere = with_frames(&["--ccd", "3"]);
    fs::copy(&frames(elsewhere.path())[0], other).unwrap();
    fs::remove_file(lost).unwrap();
    std::os::unix::fs::symlink("nowhere", lost).unwrap();
    at
}

/// 100 small frames, all good.
pub fn hundred_frames() -> tempfile::TempDir {
    let dir = empty_dir();
    let simulate = ["simulate", "--out-dir", "frames", "--frames", "100", "--size", "32", "--seed", "4"];
    backdrop(dir.path()).args(simulate).args(["--flagged-frames", "3"]).assert().success();
    dir
}

/// The arguments of a fit of these.
pub const SMALL: [&str; 5] = ["--in-dir", "frames", "--cutout-size", "32", "--verify"];
