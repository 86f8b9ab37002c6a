//! `cargo xtask test`: all tests, with the CUDA backend.

use std::fs;
use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::Context;

use crate::workspace::{Workspace, cargo};
use crate::{Device, assemble, environment, libraries, step};

/// Runs the tests, and assembles the kernels that they compiled. The exit code is that of the tests.
pub fn run(
    workspace: &Workspace,
    device: Device,
    fresh: bool,
    arguments: &[String],
) -> anyhow::Result<ExitCode> {
    libraries::prepare(workspace, device)?;
    let kernels = workspace.kernels();
    if fresh {
        match fs::remove_dir_all(&kernels) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.with_context(|| format!("cannot empty {}", kernels.display()))?,
        }
    }
    match device {
        Device::Emulated => step("tests, with an emulated CUDA device"),
        Device::Real => step("tests, with a real CUDA device"),
    }
    let mut command = cargo();
    command.arg("test");
    if !selects_packages(arguments) {
        command.arg("--workspace");
    }
    command.args(arguments).envs(environment::variables(workspace, device)?);
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        // A signal ends it without a code.
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        return Ok(ExitCode::from(code));
    }
    // A choice of tests may compile no kernels.
    if arguments.is_empty() || kernels.exists() {
        assemble::run(workspace)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether arguments of `cargo test` say which packages to test. What follows `--` is for the tests.
fn selects_packages(arguments: &[String]) -> bool {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    own.into_iter().any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_selected_before_the_dashes_alone() {
        let selects = |line: &str| {
            let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            selects_packages(&arguments)
        };
        for line in ["-p array-api", "-parray-api", "--package=array-api -- x", "--lib --package backdrop"] {
            assert!(selects(line), "{line}");
        }
        for line in ["", "--lib", "--features mpi", "-- -p", "name -- --package"] {
            assert!(!selects(line), "{line}");
        }
    }
}
