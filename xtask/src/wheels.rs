//! Packages from the Python package index: how NVIDIA's compilers can be had without a GPU, a driver or
//! root's help.
//!
//! Each lies in a folder of its own: NVIDIA's packages share the Python name space `nvidia`, and pip
//! does not merge folders (<https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-t>).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::step;
use crate::workspace::Workspace;

/// A package at the version that is used.
pub struct Wheel {
    name: &'static str,
    version: &'static str,
    /// What is used of it, inside its folder.
    content: &'static str,
}

/// The compiler of CUDA C, `libnvrtc`.
pub const NVRTC: Wheel =
    Wheel { name: "nvidia-cuda-nvrtc-cu12", version: "12.9.86", content: "nvidia/cuda_nvrtc/lib" };

/// The assembler, `ptxas`, of the same release.
pub const PTXAS: Wheel =
    Wheel { name: "nvidia-cuda-nvcc-cu12", version: "12.9.86", content: "nvidia/cuda_nvcc/bin/ptxas" };

/// BLAS and LAPACK, with 32-bit integers and names that begin with `scipy_`.
pub const OPENBLAS: Wheel =
    Wheel { name: "scipy-openblas32", version: "0.3.34.481.3", content: "scipy_openblas32/lib" };

impl Wheel {
    /// The version, which says what the package does.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// What is used of the package: a folder or a file. Fetches it if it is not here yet.
    pub fn fetch(&self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let wheels = workspace.wheels();
        let folder = wheels.join(format!("{}-{}", self.name, self.version));
        if !folder.exists() {
            step(&format!("fetch {} {}", self.name, self.version));
            fs::create_dir_all(&wheels).with_context(|| format!("cannot create {}", wheels.display()))?;
            self.install(&wheels, &folder)?;
        }
        let content = folder.join(self.content);
        ensure!(
            content.exists(),
            "{} is not in {}: delete that folder, and it is fetched again",
            self.content,
            folder.display()
        );
        Ok(content)
    }

    /// Installs into a folder beside and renames it, so that the folder is whole if it exists.
    fn install(&self, wheels: &Path, folder: &Path) -> anyhow::Result<()> {
        require_pip()?;
        let partial = tempfile::tempdir_in(wheels)
            .with_context(|| format!("cannot create a folder in {}", wheels.display()))?;
        let status = pip()
            .args(["install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--target"])
            .arg(partial.path())
            .arg(format!("{}=={}", self.name, self.version))
            .stdout(Stdio::null())
            .status()
            .context("cannot start python3")?;
        ensure!(status.success(), "pip could not fetch {} {}", self.name, self.version);
        match fs::rename(partial.path(), folder) {
            // Another process was quicker.
            Err(_) if folder.exists() => Ok(()),
            renamed => renamed.with_context(|| format!("cannot create {}", folder.display())),
        }
    }
}

fn pip() -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip"]);
    // As variables: a pip that does not know one of them goes on.
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_ROOT_USER_ACTION", "ignore");
    command
}

fn pip_works() -> bool {
    let status = pip().arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Installs pip where that can be done without asking anyone: as root on Debian and its kin.
fn require_pip() -> anyhow::Result<()> {
    if pip_works() {
        return Ok(());
    }
    let debian = Path::new("/etc/debian_version").exists();
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if debian && root {
        step("install python3-pip");
        for arguments in [&["update", "-q"][..], &["install", "-qy", "python3-pip"]] {
            let status = Command::new("apt-get")
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdout(std::io::stderr())
                .status()
                .context("cannot start apt-get")?;
            ensure!(status.success(), "apt-get {} failed", arguments.join(" "));
        }
        if pip_works() {
            return Ok(());
        }
    }
    bail!(
        "python3 with pip is missing, which fetches NVIDIA's compilers: install it (on Debian: apt-get install \
         python3-pip)"
    )
}
