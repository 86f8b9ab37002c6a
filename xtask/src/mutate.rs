//! `cargo xtask mutate`: do the tests notice when the CUDA backend is wrong?
//!
//! A test suite is judged by the faults that it finds (R. A. DeMillo, R. J. Lipton and F. G. Sayward,
//! *Hints on Test Data Selection*, Computer 11, 1978). Each fault of a table is put into a copy of the
//! workspace, and the tests run there on the emulator.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::mutations::{MUTATIONS, Mutation};
use crate::trial::Place;
use crate::workspace::Workspace;
use crate::{Device, copy, environment, libraries, step};

/// How much longer than without a mutation the tests may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long they may take without one.
const LIMIT: Duration = Duration::from_secs(3600);

/// Tests named at each mutation; the others are counted.
const NAMED: usize = 3;

/// Tries all mutations whose name contains `name`, or prints them if `list`. The exit code says whether
/// all were caught.
pub fn run(workspace: &Workspace, list: bool, name: &str) -> anyhow::Result<ExitCode> {
    let chosen: Vec<&Mutation> = MUTATIONS.iter().filter(|mutation| mutation.name.contains(name)).collect();
    ensure!(!chosen.is_empty(), "no mutation's name contains {name}: `cargo xtask mutate --list` shows them");
    for mutation in &chosen {
        mutated(workspace.root(), mutation)?;
    }
    if list {
        println!("| mutation | file |\n|---|---|");
        for Mutation { name, file, .. } in chosen {
            println!("| {name} | `{file}` |");
        }
        return Ok(ExitCode::SUCCESS);
    }

    libraries::prepare(workspace, Device::Emulated)?;
    let folder = workspace.mutants();
    let place = Place {
        root: folder.join("work"),
        target: folder.join("target"),
        logs: folder.join("logs"),
        variables: environment::variables(workspace, Device::Emulated)?,
    };
    // Undoes what an earlier run may have left.
    copy::update(workspace.root(), &place.root)?;
    let cache = folder.join("cache");

    step("tests without a mutation");
    let start = Instant::now();
    let failures = place.run("no mutation", &cache, LIMIT)?;
    ensure!(
        failures.is_empty(),
        "without a mutation there is {}: see {}",
        summary(&failures),
        place.logs.display()
    );
    let limit = start.elapsed() + PATIENCE;

    let mut table = "| mutation | file | caught by |\n|---|---|---|\n".to_owned();
    let mut survivors = Vec::new();
    for (number, mutation) in chosen.iter().enumerate() {
        let start = Instant::now();
        let failures = trial(&place, mutation, &cache, limit)?;
        let Mutation { name, file, .. } = mutation;
        let caught = match failures.len() {
            0 => "SURVIVED".to_owned(),
            _ => summary(&failures),
        };
        let seconds = start.elapsed().as_secs();
        eprintln!("[{}/{}] {name}: {caught} ({seconds} s)", number + 1, chosen.len());
        table += &format!("| {name} | `{file}` | {caught} |\n");
        if failures.is_empty() {
            survivors.push(*name);
        }
    }
    print!("{table}");
    if survivors.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("no test caught: {}", survivors.join("; "));
    Ok(ExitCode::FAILURE)
}

/// The text of a mutation's file under `root`, as it is and as it becomes.
fn mutated(root: &Path, mutation: &Mutation) -> anyhow::Result<(String, String)> {
    let file = root.join(mutation.file);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mutated = mutation.apply(&text)?;
    Ok((text, mutated))
}

/// What the tests say of a mutation.
fn trial(place: &Place, mutation: &Mutation, cache: &Path, limit: Duration) -> anyhow::Result<Vec<String>> {
    // Kernels that wrong names were given to are not for the others.
    let own = tempfile::tempdir().context("cannot create a folder for kernels")?;
    let cache = if mutation.names_kernels { own.path() } else { cache };
    let (text, mutated) = mutated(&place.root, mutation)?;
    let file = place.root.join(mutation.file);
    let write =
        |text: String| fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()));
    write(mutated)?;
    let failures = place.run(mutation.name, cache, limit);
    write(text)?;
    failures
}

/// The first failures, and how many more there are.
fn summary(failures: &[String]) -> String {
    let named = failures[..failures.len().min(NAMED)].join(", ");
    match failures.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_are_named() {
        let failures = ["a", "b", "c", "d", "e"].map(str::to_owned);
        assert_eq!(summary(&failures[..1]), "a");
        assert_eq!(summary(&failures[..3]), "a, b, c");
        assert_eq!(summary(&failures), "a, b, c and 2 more");
    }
}
