//! `backdrop completions`: completion scripts.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(shell: Shell) -> Result<(), Failure> {
    // Into memory first: the generator has no way to report a pipe that was closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "backdrop", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}
