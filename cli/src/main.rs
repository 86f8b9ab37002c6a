//! The `backdrop` program.
//!
//! Results go to standard output, progress, warnings and errors to standard error. Whatever
//! it writes to disk appears whole or not at all.

mod args;
mod commands;
mod failure;
mod interrupt;
mod logging;
mod output;
mod picture;
mod progress;
mod selection;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => interrupt::install().and_then(|()| commands::run(&cli.command)),
        Err(error) => failure::answer(&error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}
