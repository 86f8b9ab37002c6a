//! The shared libraries that the CUDA backend loads, gathered in folders for `LD_LIBRARY_PATH`.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::artifacts::build;
use crate::workspace::{Workspace, cargo};
use crate::{Device, step, wheels};

/// The names under which programs load what the emulator stands for.
const EMULATED: [&str; 3] = ["libcuda.so.1", "libcublas.so.12", "libcusolver.so.11"];

/// Makes the folders of libraries that tests on `device` need.
pub fn prepare(workspace: &Workspace, device: Device) -> anyhow::Result<()> {
    let mut links = Vec::new();
    for wheel in [wheels::NVRTC, wheels::OPENBLAS] {
        links.extend(shared_libraries(&wheel.fetch(workspace)?)?);
    }
    link(&workspace.libraries(), &links)?;
    if device == Device::Emulated {
        step("build the emulator");
        let emulator = build_emulator()?;
        let links: Vec<_> = EMULATED.map(|name| (name.into(), emulator.clone())).into();
        link(&workspace.emulator(), &links)?;
    }
    Ok(())
}

fn build_emulator() -> anyhow::Result<PathBuf> {
    let artifacts = build(cargo().args(["build", "--release", "--package", "cuda-emulator"]))?
        .context("the emulator does not build")?;
    artifacts
        .into_iter()
        .filter(|artifact| artifact.target.name == "cuda_emulator")
        .flat_map(|artifact| artifact.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "so"))
        .context("the package cuda-emulator built no shared library: its crate-type must have cdylib")
}

/// The shared libraries in `folder` by name. All of them: they load each other.
fn shared_libraries(folder: &Path) -> anyhow::Result<Vec<(OsString, PathBuf)>> {
    let context = || format!("cannot list {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name();
        if is_shared_library(&name.to_string_lossy()) {
            found.push((name, entry.path()));
        }
    }
    ensure!(!found.is_empty(), "no shared library in {}", folder.display());
    Ok(found)
}

/// Whether a file name is that of a shared library, with a version or without: `libm.so`, `libm.so.6`.
fn is_shared_library(name: &str) -> bool {
    name.ends_with(".so") || name.contains(".so.")
}

/// Makes `folder` hold the given links, name and target, and nothing else.
fn link(folder: &Path, links: &[(OsString, PathBuf)]) -> anyhow::Result<()> {
    let context = || format!("cannot write links to {}", folder.display());
    fs::create_dir_all(folder).with_context(context)?;
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let target = fs::read_link(entry.path()).ok();
        if !links.iter().any(|link| link.0 == entry.file_name() && Some(&link.1) == target.as_ref()) {
            fs::remove_file(entry.path()).with_context(context)?;
        }
    }
    for (name, target) in links {
        match symlink(target, folder.join(name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made.with_context(context)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_libraries_are_known_by_their_names() {
        for name in ["libnvrtc.so.12", "libnvrtc-builtins.so.12.9", "libscipy_openblas.so"] {
            assert!(is_shared_library(name), "{name}");
        }
        for name in ["cmake", "libopenblas.a", "libm.song", "so"] {
            assert!(!is_shared_library(name), "{name}");
        }
    }

    #[test]
    fn a_folder_of_links_holds_those_given_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("lib");
        let old = directory.path().join("old.so");
        let new = directory.path().join("new.so");
        fs::write(&new, "new").unwrap();

        link(&folder, &[("libcuda.so.1".into(), old.clone()), ("libgone.so".into(), old)]).unwrap();
        // The targets do not exist: a link that leads nowhere is replaced too.
        let links = [("libcuda.so.1".into(), new.clone()), ("libcublas.so.12".into(), new)];
        for _ in 0..2 {
            link(&folder, &links).unwrap();
            let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, ["libcublas.so.12", "libcuda.so.1"]);
            for name in names {
                assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "new");
            }
        }
    }
}
