//! The `backdrop` program.
//!
//! Results go to standard output, progress, warnings and errors to standard error. Whatever
//! it writes to disk appears whole or not at all.
//!
//! It is a library for what [`parse`]s any command line without running it; the program is [`main`].

mod args;
mod commands;
mod failure;
mod interrupt;
mod logging;
mod output;
pub mod parse;
mod picture;
mod progress;
mod ranks;
mod selection;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use failure::Failure;
use ranks::World;

/// Does what the command line asks for; gives the exit code of the program.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => interrupt::install().and_then(|()| commands::run(&cli.command)),
        Err(error) => answer(&error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}

/// Answers what the parser makes of the command line, from one process of those that `mpiexec`
/// has started.
fn answer(error: &clap::Error) -> Result<(), Failure> {
    let mpi = cfg!(feature = "mpi") && std::env::args_os().any(|arg| arg == "--mpi");
    let world = World::start(mpi, false)?;
    world.agree(if world.is_first() { failure::answer(error) } else { Ok(()) })
}
