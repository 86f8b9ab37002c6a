//! Everything that is to be fast, beside what it is measured against, in one run.
//!
//! `cargo bench -p backdrop-cli --bench table [-- FRAMES] [--only NAME]` simulates full frames
//! (2048 x 2048) on disk, fits them with the program, and prints a line for each row: what ours takes,
//! what the other side takes, their ratio, and whether the target is reached. Numbers are medians of
//! several rounds, in which both sides take turns, with files in the page cache. NumPy, SciPy and
//! fitsio run in a virtual environment that is made in `target/numpy`.

mod arrays;
#[path = "../../../array-api/benches/cases/mod.rs"]
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod mask;
#[path = "../../../backdrop/benches/mask_change/mod.rs"]
mod mask_change;
mod program;
mod python;
mod report;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use clap::Parser;

use common::Result;
use python::{Environment, Python};

/// Measures what is to be fast.
#[derive(Parser)]
struct Args {
    /// Full frames of the fit; from 50 on they have an average frame and components
    #[arg(default_value_t = 64)]
    frames: usize,
    /// Only rows with this in their name, or in that of their group: fit, mask, linalg, functions,
    /// elementwise, sums, model
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Rounds of each measurement; those of a fit are fewer
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// See that all works, quickly; as cargo asks for by `cargo bench -- --test`
    #[arg(long)]
    test: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// How to measure.
struct Bench {
    frames: usize,
    rounds: usize,
    /// Rounds of what takes seconds.
    long_rounds: usize,
    /// The least time of a round in which something is done again and again.
    round_seconds: f64,
    threads: usize,
    only: Vec<String>,
    environment: Option<Environment>,
    /// Python processes by their number of threads.
    pythons: BTreeMap<usize, Python>,
}

impl Bench {
    fn new(args: Args) -> Self {
        let environment = Environment::new()
            .map_err(|error| println!("the side of NumPy, SciPy and fitsio is left out: {error}"));
        Self {
            frames: if args.test { 2 } else { args.frames },
            rounds: if args.test { 1 } else { args.rounds },
            long_rounds: if args.test { 1 } else { args.rounds.div_ceil(2) },
            round_seconds: if args.test { 0.0 } else { 0.05 },
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            only: args.only,
            environment: environment.ok(),
            pythons: BTreeMap::new(),
        }
    }

    /// Whether a row is asked for.
    fn wants(&self, group: &str, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| group.contains(only) || name.contains(only))
    }

    /// Python with so many threads, if there is one.
    fn python(&mut self, threads: usize) -> Result<Option<&mut Python>> {
        let Some(environment) = &self.environment else { return Ok(None) };
        Ok(Some(match self.pythons.entry(threads) {
            Entry::Occupied(running) => running.into_mut(),
            Entry::Vacant(none) => none.insert(environment.start(threads)?),
        }))
    }

    /// Prints what the numbers depend on.
    fn print_machine(&mut self) -> Result<()> {
        let threads = self.threads;
        let versions = self.python(1)?.map(|python| python.ask("versions")).transpose()?;
        let versions = versions.map_or("no NumPy".to_owned(), |versions| versions.to_string());
        println!("{threads} threads, {}, {versions}", instructions());
        Ok(())
    }
}

/// The widest vectors of this processor.
fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        return "AVX-512";
    } else if is_x86_feature_detected!("avx2") {
        return "AVX2";
    }
    std::env::consts::ARCH
}

fn main() -> Result<()> {
    let mut bench = Bench::new(Args::parse());
    bench.print_machine()?;
    report::print_head();
    program::fit(&mut bench)?;
    mask::measure(&bench)?;
    program::model(&bench)?;
    arrays::measure(&mut bench)
}
