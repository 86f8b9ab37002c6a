//! The `backdrop` program; all of it is in the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    backdrop_cli::main()
}
