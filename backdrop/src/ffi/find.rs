//! Finding full frame images by their names.
//!
//! The archive's names are `tess<yyyydddhhmmss>-s<sector>-<camera>-<ccd>-<scid>-s_ffic.fits`
//! with four digits for the sector and for the spacecraft configuration `scid`, or for TICA
//! `hlsp_tica_tess_ffi_s<sector>-o<orbit>-<cadence>-cam<camera>-ccd<ccd>_tess_v<version>_img.fits`
//! with eight digits for the cadence (the first deliveries without the orbit); either perhaps
//! followed by `.gz` or `.fz`.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::{Error, Result};
use crate::source::Target;

/// Which frames are wanted; a part that is `None` may be any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// The observing sector.
    pub sector: Option<u32>,
    /// The camera, 1 to 4.
    pub camera: Option<u8>,
    /// The CCD, 1 to 4.
    pub ccd: Option<u8>,
}

impl Filter {
    /// Whether frames of `target` are wanted.
    #[must_use]
    pub fn accepts(&self, target: Target) -> bool {
        self.sector.is_none_or(|sector| sector == target.sector)
            && self.camera.is_none_or(|camera| camera == target.camera)
            && self.ccd.is_none_or(|ccd| ccd == target.ccd)
    }
}

impl fmt::Display for Filter {
    /// The parts that are given, such as `sector 12, CCD 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.sector.map(|sector| format!("sector {sector}")),
            self.camera.map(|camera| format!("camera {camera}")),
            self.ccd.map(|ccd| format!("CCD {ccd}")),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// The full frame images in `dir` and all directories below it whose names pass
/// `filter`, sorted by path. Symbolic links are followed; a directory or file that
/// can be reached in several ways, or that leads back to where it came from, counts
/// once. A link in place of a frame that leads nowhere, or to no regular file, is one of the files,
/// so that opening it says so; any other is passed over.
///
/// ```
/// use backdrop::ffi::{Filter, find_ffis};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// std::fs::write(dir.join("tess2019140104343-s0012-1-3-0144-s_ffic.fits"), "")?;
/// std::fs::write(dir.join("tess2019140104343-s0012-1-4-0144-s_ffic.fits"), "")?;
/// let filter = Filter { ccd: Some(3), ..Filter::default() };
/// assert_eq!(find_ffis(dir, &filter)?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::NoSuchDirectory`] if `dir` is no directory, [`Error::NoFrames`] if it
/// holds no such file, [`Error::Io`] if a directory below it cannot be read.
pub fn find_ffis(dir: &Path, filter: &Filter) -> Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Err(Error::NoSuchDirectory { path: dir.to_owned() });
    }
    let wanted = |path: &Path| target_of_name(path).is_some_and(|target| filter.accepts(target));
    // What was seen already, by the path that no link leads through.
    let mut seen = HashSet::new();
    let mut first_visit = move |path: &Path| std::fs::canonicalize(path).is_ok_and(|path| seen.insert(path));
    let mut files = Vec::new();
    let walk = WalkDir::new(dir).follow_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| {
        let path = entry.path();
        (entry.file_type().is_dir() || wanted(path)) && first_visit(path)
    }) {
        match entry {
            Ok(entry) if !entry.file_type().is_dir() => files.push(entry.into_path()),
            Ok(_) => {}
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) => {
                let path = error.path().unwrap_or(dir).to_owned();
                let source = error.into_io_error().unwrap_or_else(|| io::Error::other("unreadable"));
                if wanted(&path) {
                    files.push(path);
                } else if source.kind() != io::ErrorKind::NotFound && !path.is_symlink() {
                    return Err(Error::Io { path, source });
                }
            }
        }
    }
    if files.is_empty() {
        let selection = match filter.to_string() {
            parts if parts.is_empty() => parts,
            parts => format!(" of {parts}"),
        };
        return Err(Error::NoFrames { dir: dir.to_owned(), selection });
    }
    files.sort();
    Ok(files)
}

/// The sector, camera and CCD that a file's name tells, if it is the name of a
/// calibrated full frame image.
#[must_use]
pub fn target_of_name(path: &Path) -> Option<Target> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".fz")).unwrap_or(name);
    match name.strip_prefix("hlsp_tica_tess_ffi_") {
        Some(rest) => target_of_tica(rest),
        None => target_of_spoc(name),
    }
}

fn target_of_spoc(name: &str) -> Option<Target> {
    let parts: Vec<_> = name.split('-').collect();
    let [time, sector, camera, ccd, scid, "s_ffic.fits"] = parts.as_slice() else { return None };
    digits(time.strip_prefix("tess")?, 13)?;
    digits(scid, 4)?;
    target_of_parts(sector, camera, ccd)
}

/// The same of what comes after `hlsp_tica_tess_ffi_`.
fn target_of_tica(name: &str) -> Option<Target> {
    let (name, version) = name.strip_suffix("_img.fits")?.split_once("_tess_v")?;
    digits(version, 2)?;
    let parts: Vec<_> = name.split('-').collect();
    let ([sector, "o1" | "o2", cadence, camera, ccd] | [sector, cadence, camera, ccd]) = parts.as_slice()
    else {
        return None;
    };
    digits(cadence, 8)?;
    target_of_parts(sector, camera.strip_prefix("cam")?, ccd.strip_prefix("ccd")?)
}

fn target_of_parts(sector: &str, camera: &str, ccd: &str) -> Option<Target> {
    let sector = sector.strip_prefix('s')?;
    digits(sector, 4)?;
    let one_to_four = |text: &str| text.parse().ok().filter(|number| (1..=4).contains(number));
    let (camera, ccd) = (one_to_four(camera)?, one_to_four(ccd)?);
    Some(Target { sector: sector.parse().ok()?, camera, ccd })
}

/// Whether a text is so many digits.
fn digits(text: &str, count: usize) -> Option<()> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        path
    }

    #[test]
    fn names_tell_the_target() {
        let target = Some(Target { sector: 12, camera: 1, ccd: 3 });
        for suffix in ["", ".gz", ".fz"] {
            let name = format!("a/tess2019140104343-s0012-1-3-0144-s_ffic.fits{suffix}");
            assert_eq!(target_of_name(Path::new(&name)), target);
        }
        let target = Some(Target { sector: 27, camera: 1, ccd: 4 });
        for (orbit, suffix) in [("-o1", ""), ("-o2", ".gz"), ("", ".fz")] {
            let name =
                format!("hlsp_tica_tess_ffi_s0027{orbit}-00116470-cam1-ccd4_tess_v01_img.fits{suffix}");
            assert_eq!(target_of_name(Path::new(&name)), target, "{name}");
        }
        for name in [
            "hlsp_tica_tess_ffi_s0027-o1-00116470-cam1-ccd5_tess_v01_img.fits",
            "hlsp_tica_tess_ffi_s0027-o3-00116470-cam1-ccd1_tess_v01_img.fits",
            "hlsp_tica_tess_ffi_s0027-o1-116470-cam1-ccd1_tess_v01_img.fits",
            "hlsp_tica_tess_ffi_s0027-o1-00116470-1-1_tess_v01_img.fits",
            "hlsp_tica_tess_ffi_s0027-cam1-ccd1_tess_v01_cat.h5",
            "hlsp_tica_tess_ffi_s0027-o1-00116470-cam1-ccd1_tess_v01_cat.fits",
            "tess2019140104343-s0012-1-3-0144-s_ffir.fits", // raw
            "tess2019140104343-s0012-5-3-0144-s_ffic.fits", // no such camera
            "tess2019140104343-s0012-1-0-0144-s_ffic.fits", // no such CCD
            "tess2019140104343-s0012-1-3-144-s_ffic.fits",
            "tess2019140104343-s012-1-3-0144-s_ffic.fits",
            "tess2019140104343-s+012-1-3-0144-s_ffic.fits",
            "tess201914010434x-s0012-1-3-0144-s_ffic.fits",
            "tess2019140104343-s0012-1-3-0144-s_ffic.fits.bz2",
            "tess2019140104343-s0012-1-3-0144-s_ffic.fits.gz.part",
            "s_ffic.fits",
        ] {
            assert_eq!(target_of_name(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn files_are_found_below_the_directory_by_target_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let late = touch(dir, "b/x/tess2019140104343-s0012-1-3-0144-s_ffic.fits.gz");
        let early = touch(dir, "a/tess2019140101343-s0012-1-3-0144-s_ffic.fits");
        touch(dir, "a/tess2019140101343-s0012-1-4-0144-s_ffic.fits");
        touch(dir, "a/tess2019140101343-s0013-1-3-0144-s_ffic.fits");
        touch(dir, "a/notes.txt");
        std::fs::create_dir(dir.join("tess2019140101343-s0012-1-3-0145-s_ffic.fits")).unwrap();
        let filter = Filter { sector: Some(12), camera: Some(1), ccd: Some(3) };
        assert_eq!(find_ffis(dir, &filter).unwrap(), [early, late]);
        assert_eq!(find_ffis(dir, &Filter::default()).unwrap().len(), 4);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_once_and_loops_do_no_harm() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let name = "tess2019140104343-s0012-1-3-0144-s_ffic.fits";
        let elsewhere = tempfile::tempdir().unwrap();
        touch(elsewhere.path(), "tess2019140101343-s0012-1-3-0144-s_ffic.fits");
        let here = touch(dir, &format!("a/{name}"));
        symlink(elsewhere.path(), dir.join("far")).unwrap();
        symlink(dir, dir.join("a/up")).unwrap();
        symlink(dir.join("a"), dir.join("b")).unwrap();
        symlink(&here, dir.join("tess2019140109999-s0012-1-3-0144-s_ffic.fits")).unwrap();
        symlink("nowhere", dir.join("dangling")).unwrap();
        let found = find_ffis(dir, &Filter::default()).unwrap();
        let far = dir.join("far/tess2019140101343-s0012-1-3-0144-s_ffic.fits");
        assert_eq!(found, [here.clone(), far.clone()]);

        let dangling = dir.join("tess2019140209999-s0012-1-3-0144-s_ffic.fits");
        symlink("nowhere", &dangling).unwrap();
        let circle = dir.join("tess2019140309999-s0012-1-3-0144-s_ffic.fits");
        symlink(&circle, &circle).unwrap();
        symlink("circle", dir.join("circle")).unwrap();
        let found = find_ffis(dir, &Filter::default()).unwrap();
        assert_eq!(found, [here, far, dangling, circle]);
    }

    #[test]
    fn a_missing_or_empty_directory_is_named_with_the_selection() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        assert_eq!(
            find_ffis(&missing, &Filter::default()).unwrap_err().to_string(),
            format!("{}: no such directory", missing.display())
        );
        let filter = Filter { sector: Some(12), camera: None, ccd: Some(3) };
        assert_eq!(
            find_ffis(dir.path(), &filter).unwrap_err().to_string(),
            format!(
                "{}: no full frame image of sector 12, CCD 3 in this directory or below it",
                dir.path().display()
            )
        );
    }
}
