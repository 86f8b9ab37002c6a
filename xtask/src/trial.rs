//! Runs of the tests that execute the CUDA backend, in a copy of the workspace.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wait_timeout::ChildExt;

use crate::artifacts;
use crate::workspace::cargo;

/// The package of the tests.
const PACKAGE: &str = "conformance-tests";

/// Its files of tests that run on the device, and which tests of a file. Of the first one it is those of
/// the device, but for some that take a third of the time: others test the same kernels.
const TESTS: [(&str, &[&str]); 2] = [
    (
        "conformance",
        &[
            "cuda::",
            "--skip=searching::argsort",
            "--skip=searching::sort",
            "--skip=tiles::same_bits_on_any_number_of_threads",
            "--skip=backdrop::fit_of_512_pixels",
        ],
    ),
    ("cuda", &[]),
];

/// How array-api's error begins when NVRTC refuses a kernel.
const REFUSED: &str = "NVRTC_ERROR_COMPILATION for ";

/// A place where the tests are built and run.
pub struct Place {
    /// The workspace.
    pub root: PathBuf,
    /// The target directory.
    pub target: PathBuf,
    /// Where the output of runs is kept.
    pub logs: PathBuf,
    /// The variables of the environment.
    pub variables: Vec<(&'static str, OsString)>,
}

impl Place {
    /// Builds the tests and runs them: what went wrong, names of failed tests first. Tests that do not
    /// end within `limit` altogether are ended.
    pub fn run(&self, name: &str, cache: &Path, limit: Duration) -> anyhow::Result<Vec<String>> {
        let executables = self.build(name)?;
        let deadline = Instant::now() + limit;
        let (mut failures, mut endings) = (Vec::new(), Vec::new());
        for ((test, filter), executable) in TESTS.into_iter().zip(executables) {
            let log = self.logs.join(format!("{name}, {test}.txt"));
            let mut command = Command::new(executable);
            // As Cargo does.
            command.current_dir(self.root.join(PACKAGE));
            command.args(filter).envs(self.variables.iter().cloned()).env("XDG_CACHE_HOME", cache);
            command.stdout(create(&log)?).stderr(create(&log.with_extension("stderr.txt"))?);
            let status = finish(&mut command, deadline).with_context(|| format!("cannot run {test}"))?;
            let output = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
            let output = String::from_utf8_lossy(&output);
            if output.contains(REFUSED) {
                bail!("{name}: a kernel is no CUDA C++: see {}", log.display());
            }
            let failed = failed_tests(&output);
            endings.extend(ending(test, status, &failed));
            failures.extend(failed);
        }
        failures.extend(endings);
        Ok(failures)
    }

    /// The executables of [`TESTS`].
    fn build(&self, name: &str) -> anyhow::Result<Vec<PathBuf>> {
        let log = self.logs.join(format!("{name}, build.txt"));
        let mut command = cargo();
        command.args(["test", "--no-run", "--package", PACKAGE]);
        for (test, _) in TESTS {
            command.args(["--test", test]);
        }
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).stderr(create(&log)?);
        let Some(artifacts) = artifacts::build(&mut command)? else {
            bail!("{name}: the tests do not build: see {}", log.display());
        };
        let executable = |test: &str| {
            let found = artifacts.iter().find(|artifact| artifact.target.name == test);
            found.and_then(|artifact| artifact.executable.clone())
        };
        TESTS
            .iter()
            .map(|(test, _)| executable(test).with_context(|| format!("{PACKAGE} has no tests {test}")))
            .collect()
    }
}

/// A new file for output.
fn create(file: &Path) -> anyhow::Result<Stdio> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let created = fs::create_dir_all(folder).and_then(|()| File::create(file));
    created.map(Stdio::from).with_context(|| format!("cannot write {}", file.display()))
}

/// Runs a command; nothing if it had to be ended at the deadline.
fn finish(command: &mut Command, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    let mut child = command.stdin(Stdio::null()).spawn()?;
    let status = child.wait_timeout(deadline.saturating_duration_since(Instant::now()))?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(status)
}

/// The tests that failed, by name, in what a test program printed: it prints them in the order in
/// which they end.
fn failed_tests(output: &str) -> Vec<String> {
    let failed = |line: &str| {
        let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
        (outcome == "FAILED").then(|| format!("`{}`", name.trim_end()))
    };
    output.lines().filter_map(failed).collect()
}

/// What is wrong with the end of a test program beyond its failed tests.
fn ending(test: &str, status: Option<ExitStatus>, failed: &[String]) -> Option<String> {
    let Some(status) = status else { return Some(format!("a hang in `{test}`")) };
    match status.signal() {
        Some(signal) => Some(format!("the end of `{test}` by signal {signal}")),
        None if status.success() || !failed.is_empty() => None,
        None => Some(format!("the failure of `{test}`, {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_tests_are_read_from_both_harnesses() {
        // Of libtest, then of libtest-mimic, which aligns the outcomes.
        let output = "\nrunning 3 tests\ntest memory_is_given_back ... FAILED\ntest tests::b ... ok\n\
                      test c ... ignored\n\nfailures:\n\n---- memory_is_given_back stdout ----\n\n\
                      failures:\n    memory_is_given_back\n\n\
                      test result: FAILED. 1 passed; 1 failed; 1 ignored\n\
                      test cuda::spline::rows        ... ok\ntest cuda::spline::evaluate    ... FAILED\n";
        assert_eq!(failed_tests(output), ["`memory_is_given_back`", "`cuda::spline::evaluate`"]);
        assert!(failed_tests("running 0 tests\n\ntest result: ok. 0 passed; 0 failed\n").is_empty());
    }

    fn shell(script: &str, seconds: u64) -> Option<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        finish(Command::new("sh").args(["-c", script]), deadline).unwrap()
    }

    #[test]
    fn a_program_may_fail_die_or_hang() {
        let failed = ["`a`".to_owned()];
        assert_eq!(ending("cuda", shell("exit 0", 60), &[]), None);
        assert_eq!(ending("cuda", shell("exit 101", 60), &failed), None);
        let silent = ending("cuda", shell("exit 101", 60), &[]).unwrap();
        assert_eq!(silent, "the failure of `cuda`, exit status: 101");
        let killed = ending("cuda", shell("kill -ABRT $$", 60), &failed).unwrap();
        assert_eq!(killed, "the end of `cuda` by signal 6");
        assert_eq!(ending("cuda", shell("exec sleep 60", 0), &[]).unwrap(), "a hang in `cuda`");
    }
}
