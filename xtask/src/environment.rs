//! The environment variables with which programs find the libraries, and tests what they must run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::Context;

use crate::Device;
use crate::workspace::Workspace;

/// Where the dynamic linker looks first (ld.so(8)).
const SEARCH_PATH: &str = "LD_LIBRARY_PATH";

/// All variables of a test run on `device`.
pub fn variables(workspace: &Workspace, device: Device) -> anyhow::Result<Vec<(&'static str, OsString)>> {
    let inherited = env::var_os(SEARCH_PATH).unwrap_or_default();
    let path = search_path(workspace, device, &inherited)?;
    let mut variables = constants(workspace);
    variables.push((SEARCH_PATH, path));
    Ok(variables)
}

/// Those variables that do not depend on the device.
fn constants(workspace: &Workspace) -> Vec<(&'static str, OsString)> {
    vec![
        ("CONFORMANCE_REQUIRE", "cpu,cuda".into()),
        // array-api keeps the kernels that it compiled there: the next run is quicker, and they can be
        // assembled.
        ("XDG_CACHE_HOME", workspace.cache().into()),
        // Some tests take two devices.
        ("CUDA_EMULATOR_DEVICES", "2".into()),
        // Tests run in parallel already.
        ("OPENBLAS_NUM_THREADS", "1".into()),
    ]
}

/// The emulator comes before any driver that the machine has. On a real device what the user names comes
/// first, such as an NVRTC that fits an older driver, and an emulator that is still in the path goes.
fn search_path(workspace: &Workspace, device: Device, inherited: &OsStr) -> anyhow::Result<OsString> {
    let inherited = env::split_paths(inherited).filter(|folder| !folder.as_os_str().is_empty());
    let folders: Vec<PathBuf> = match device {
        Device::Emulated => {
            [workspace.emulator(), workspace.libraries()].into_iter().chain(inherited).collect()
        }
        Device::Real => {
            let emulator = workspace.emulator();
            inherited.filter(|folder| *folder != emulator).chain([workspace.libraries()]).collect()
        }
    };
    env::join_paths(folders).context("the target directory's name does not fit into LD_LIBRARY_PATH")
}

/// The variables of the emulator as commands for a POSIX shell.
pub fn shell_exports(workspace: &Workspace) -> anyhow::Result<String> {
    let mut text = String::new();
    for (name, value) in constants(workspace) {
        text += &format!("export {name}={}\n", quote(&value)?);
    }
    // Our own search path has Cargo's additions, so the shell adds its own.
    let path = quote(&search_path(workspace, Device::Emulated, OsStr::new(""))?)?;
    text += &format!("export {SEARCH_PATH}={path}\"${{{SEARCH_PATH}:+:${SEARCH_PATH}}}\"\n");
    Ok(text)
}

/// A word that a POSIX shell takes literally.
fn quote(word: &OsStr) -> anyhow::Result<String> {
    let word = word.to_str().context("the target directory's name is not UTF-8")?;
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulator_comes_first_or_not_at_all() {
        let workspace = Workspace::new("/w", "/t");
        let path = |device, inherited: &str| {
            search_path(&workspace, device, OsStr::new(inherited)).unwrap().into_string().unwrap()
        };
        assert_eq!(path(Device::Emulated, ""), "/t/cuda/emulator:/t/cuda/lib");
        assert_eq!(path(Device::Emulated, "/a::/b"), "/t/cuda/emulator:/t/cuda/lib:/a:/b");
        assert_eq!(path(Device::Real, ""), "/t/cuda/lib");
        assert_eq!(path(Device::Real, "/t/cuda/emulator:/a"), "/a:/t/cuda/lib");
    }

    #[test]
    fn a_shell_reads_back_what_is_exported() {
        let workspace = Workspace::new("/w", "/it's $HOME");
        let script = shell_exports(&workspace).unwrap() + r#"echo "$LD_LIBRARY_PATH|$XDG_CACHE_HOME""#;
        for (inherited, expected) in [
            ("", "/it's $HOME/cuda/emulator:/it's $HOME/cuda/lib|/it's $HOME/cuda/cache\n"),
            ("/a", "/it's $HOME/cuda/emulator:/it's $HOME/cuda/lib:/a|/it's $HOME/cuda/cache\n"),
        ] {
            let mut shell = std::process::Command::new("sh");
            let output = shell.args(["-c", &script]).env(SEARCH_PATH, inherited).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        }
    }
}
