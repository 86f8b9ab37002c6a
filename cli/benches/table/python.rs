//! The other side: NumPy, SciPy and fitsio in a Python process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::common::Result;

const PACKAGES: [&str; 3] = ["numpy", "scipy", "fitsio"];

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/table/numpy_side.py");

/// Python with the packages, in a virtual environment that is made if need be.
pub struct Environment(PathBuf);

impl Environment {
    /// The environment in `target/numpy`, or why there is none.
    pub fn new() -> Result<Self> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("numpy");
        let python = dir.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        let import = format!("import {}", PACKAGES.join(", "));
        if run(Command::new(&python).args(["-c", &import])).is_err() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
        }
        Ok(Self(python))
    }

    /// Starts Python with so many threads for BLAS and LAPACK.
    pub fn start(&self, threads: usize) -> Result<Python> {
        let mut child = Command::new(&self.0)
            .arg(SCRIPT)
            .env("OPENBLAS_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are pipes")
        };
        Ok(Python { child, requests: Some(requests), answers: BufReader::new(answers) })
    }
}

/// Runs a command that prints nothing.
fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}", message.lines().last().unwrap_or("it failed")).into())
}

/// A running `numpy_side.py`.
pub struct Python {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// The answer to a request.
    pub fn ask(&mut self, request: &str) -> Result<Value> {
        if let Some(requests) = &mut self.requests {
            writeln!(requests, "{request}")?;
        }
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        serde_json::from_str(&answer).map_err(|_| format!("Python has no answer to {request:?}").into())
    }

    /// The seconds that a request takes.
    pub fn seconds(&mut self, request: &str) -> Result<f64> {
        let answer = self.ask(request)?;
        answer["seconds"].as_f64().ok_or_else(|| format!("{request:?} took {answer}").into())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It ends when there are no more requests.
        self.requests = None;
        let _ = self.child.wait();
    }
}
