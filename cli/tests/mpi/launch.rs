//! Starting ranks.

use std::ffi::OsStr;
use std::fmt;
use std::io::{ErrorKind, Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait_timeout::ChildExt;

use crate::common;

/// The environment variable that tells a rank which part it plays.
pub const PART: &str = "BACKDROP_TEST_PART";

/// No job takes as long, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(180);

/// How a job has ended.
pub struct Ended {
    /// The exit code of `mpiexec`. None if it had to be ended.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub after: Duration,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, stdout, stderr, after } = self;
        write!(f, "exit code {code:?} after {after:?}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}

impl Ended {
    /// The errors of the program.
    pub fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("backdrop: error: ")).collect()
    }
}

/// Has `size` ranks play a part of [`crate::ranks`].
pub fn part(size: usize, part: &[&str]) -> Ended {
    let mut command = mpiexec(size);
    command.arg(std::env::current_exe().unwrap()).env(PART, part.join(" "));
    run(&mut command)
}

/// Runs the program with `size` ranks; the command may still be given arguments and a directory.
pub fn backdrop(size: usize) -> Command {
    let mut command = mpiexec(size);
    command.arg(common::process().get_program());
    command
}

/// `mpiexec -n SIZE`, as root too, and with more ranks than cores.
fn mpiexec(size: usize) -> Command {
    let mut command = Command::new("mpiexec");
    command.args(["-n", &size.to_string()]).env_remove("USE_CUPY");
    // Open MPI 4 and 5; others do not know these variables.
    for (name, value) in [
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
        // Ranks that wait leave the cores to those that work.
        ("OMPI_MCA_mpi_yield_when_idle", "1"),
        ("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe"),
    ] {
        command.env(name, value);
    }
    command
}

/// Runs a command to its end, or ends it.
pub fn run(command: &mut Command) -> Ended {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().unwrap());
    command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let start = Instant::now();
    let mut child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "there is no {:?}, which these tests start ranks with; on Debian: apt-get install openmpi-bin",
            command.get_program()
        ),
        child => child.unwrap(),
    };
    let mut status = child.wait_timeout(TIMEOUT).unwrap();
    let code = status.and_then(|status| status.code());
    if status.is_none() {
        // Told so, mpiexec ends its ranks; killed, it would leave them.
        let id = child.id().to_string();
        let _ = Command::new("kill").args([OsStr::new("-TERM"), id.as_ref()]).status();
        status = child.wait_timeout(Duration::from_secs(10)).unwrap();
    }
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let after = start.elapsed();
    let [stdout, stderr] = [&mut stdout, &mut stderr].map(|file| {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    Ended { code, stdout, stderr, after }
}
