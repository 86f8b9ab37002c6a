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
    mpi: bool,
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
    let test = |arguments: &[&str]| -> anyhow::Result<ExitCode> {
        let mut command = cargo();
        command.arg("test").envs(environment::variables(workspace, device)?);
        if mpi {
            command.args(["--features", "backdrop-cli/mpi"]);
        }
        command.args(arguments);
        let status = command.status().context("cannot start cargo")?;
        // A signal ends it without a code.
        let code = if status.success() { Some(0) } else { status.code() };
        Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    };
    if arguments.is_empty() {
        // The examples in the documentation come last, so that the last lines are those of the tests.
        let code = test(&["--workspace", "--tests"])?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
        assemble::run(workspace)?;
        step("examples in the documentation");
        return test(&["--workspace", "--doc"]);
    }
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if !selects_packages(arguments) {
        words.insert(0, "--workspace");
    }
    let code = test(&words)?;
    // A choice of tests may compile no kernels.
    if code == ExitCode::SUCCESS && kernels.exists() {
        assemble::run(workspace)?;
    }
    Ok(code)
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
