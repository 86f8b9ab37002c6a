//! Where things are: the target directory, and what is kept in it for CUDA.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// The workspace's directories.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    cuda: PathBuf,
}

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks Cargo, which knows of `CARGO_TARGET_DIR` and the configuration files.
    pub fn find() -> anyhow::Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        ensure!(output.status.success(), "cargo metadata failed");
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cannot read what cargo metadata printed")?;
        Ok(Self::new(metadata.workspace_root, metadata.target_directory))
    }

    /// The workspace in `root` that builds into `target`.
    pub fn new(root: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        let target = target.into();
        Self { root: root.into(), cuda: target.join("cuda"), target }
    }

    /// The folder of the workspace's manifest.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the mutation check works.
    pub fn mutants(&self) -> PathBuf {
        self.target.join("mutants")
    }

    /// Fetched packages.
    pub fn wheels(&self) -> PathBuf {
        self.cuda.join("wheels")
    }

    /// NVIDIA's runtime compiler, and the BLAS that the emulator calls.
    pub fn libraries(&self) -> PathBuf {
        self.cuda.join("lib")
    }

    /// The emulator, under the names of the libraries that it stands for. Apart from the others, so
    /// that a search path for a real device can do without.
    pub fn emulator(&self) -> PathBuf {
        self.cuda.join("emulator")
    }

    /// The XDG cache directory of the tests.
    pub fn cache(&self) -> PathBuf {
        self.cuda.join("cache")
    }

    /// The kernels that array-api compiled, as PTX.
    pub fn kernels(&self) -> PathBuf {
        self.cache().join("array-api")
    }

    /// What ptxas said of kernels that it has assembled.
    pub fn assembled(&self) -> PathBuf {
        self.cuda.join("assembled.json")
    }
}

/// The Cargo that runs us.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
