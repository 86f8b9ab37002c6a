//! Chores of this workspace, as `cargo xtask ...` (<https://github.com/matklad/cargo-xtask>).
//!
//! The tests need CUDA libraries that a machine without a GPU lacks. `cargo xtask test` fetches
//! NVIDIA's compilers and builds the emulator that stands in for the driver and the GPU.

mod artifacts;
mod assemble;
mod copy;
mod environment;
mod instructions;
mod libraries;
mod mutate;
mod mutations;
mod ptxas;
mod suite;
mod trial;
mod wheels;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use workspace::Workspace;

/// Chores of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all tests, with the CUDA backend on the emulator or on a GPU, then assemble the kernels
    Test {
        /// What the CUDA backend runs on
        #[arg(long, value_enum, default_value_t = Device::Emulated)]
        device: Device,
        /// Empty the kernel cache first, of kernels that the source has no more
        #[arg(long)]
        fresh: bool,
        /// With those of many processes, under mpiexec; takes an MPI library and libclang
        #[arg(long)]
        mpi: bool,
        /// Arguments for cargo test, such as -p array-api
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Assemble every kernel that the tests compiled with ptxas, and look for register spills
    Assemble,
    /// Print the shell exports with which any command runs on the emulator: eval "$(cargo xtask env)"
    Env,
    /// Count the instructions of the hot loops under valgrind, and compare them with those recorded
    Instructions {
        /// Write what is counted to the table
        #[arg(long)]
        record: bool,
        /// Only loops whose name contains this
        name: Option<String>,
    },
    /// Break lines of the CUDA backend, one at a time, and show which tests catch each
    Mutate {
        /// Print the table of mutations only
        #[arg(long)]
        list: bool,
        /// Only mutations whose name contains this
        name: Option<String>,
    },
}

/// What the CUDA backend runs on.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Device {
    /// The emulator, on any Linux machine
    Emulated,
    /// An NVIDIA GPU with driver 575 or newer, cuBLAS and cuSOLVER. Libraries that LD_LIBRARY_PATH finds
    /// come first
    Real,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match command {
        Command::Test { device, fresh, mpi, arguments } => {
            suite::run(&workspace, device, fresh, mpi, &arguments)
        }
        Command::Assemble => assemble::run(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Env => {
            libraries::prepare(&workspace, Device::Emulated)?;
            print!("{}", environment::shell_exports(&workspace)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Instructions { record, name } => {
            instructions::run(&workspace, record, name.as_deref().unwrap_or_default())
        }
        Command::Mutate { list, name } => mutate::run(&workspace, list, name.as_deref().unwrap_or_default()),
    }
}

/// Says which step begins. Standard output is for what a shell evaluates.
fn step(name: &str) {
    eprintln!("== {name}");
}
