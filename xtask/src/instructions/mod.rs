//! `cargo xtask instructions`: how many instructions the hot loops take, counted by valgrind.
//!
//! Times differ from hour to hour on a shared machine; counts do not. The loops are those of the benchmark
//! `instructions` of `backdrop`, each in a process of its own, so that none depends on those before it.

mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;

use crate::workspace::{Workspace, cargo};
use crate::{artifacts, step};
use table::{Count, Finding, Table, Verdict};

/// The benchmark.
const BENCH: &str = "instructions";

/// The function whose instructions are counted, with all that it calls.
const COUNTED: &str = "*counted_instructions*";

/// Valgrind counts each round of a string instruction. Without this, the C library clears and copies large memory by one
/// that goes byte by byte, on processors where it is fast, and hides what loops do.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS");

/// Counts all loops, or those whose name contains a text, and compares them with the table, or writes the table.
pub fn run(workspace: &Workspace, record: bool, filter: &str) -> anyhow::Result<ExitCode> {
    ensure!(!record || filter.is_empty(), "the table is recorded whole, without a name");
    let path = workspace.root().join("backdrop/benches/instructions/counts.txt");
    step("instructions of the hot loops");
    let valgrind = Command::new("valgrind").arg("--version").output();
    ensure!(
        valgrind.is_ok_and(|output| output.status.success()),
        "valgrind is needed to count instructions: apt-get install valgrind libc6-dbg, or the like"
    );
    let Some(program) = build(workspace)? else { return Ok(ExitCode::FAILURE) };
    let names = stdout(&mut Command::new(&program))?;
    let names: Vec<&str> = names.lines().filter(|name| name.contains(filter)).collect();
    ensure!(!names.is_empty(), "no loop has a name with {filter:?}");
    let counts = names.par_iter().map(|name| count(&program, name)).collect::<anyhow::Result<_>>()?;
    let found = Table { compiler: compiler()?, counts };

    if record {
        fs::write(&path, found.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
        print!("{found}");
        return Ok(ExitCode::SUCCESS);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut expected = Table::parse(&text).with_context(|| format!("in {}", path.display()))?;
    expected.counts.retain(|count| count.name.contains(filter));
    Ok(report(&expected, &found))
}

/// Prints how what was found compares with what was expected.
fn report(expected: &Table, found: &Table) -> ExitCode {
    let findings = expected.compare(found);
    let (good, bad): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| finding.verdict() == Verdict::Expected);
    good.iter().chain(&bad).for_each(|finding| println!("{finding}"));
    if bad.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!(
        "{} of {} loops differ. To record: cargo xtask instructions --record",
        bad.len(),
        findings.len()
    );
    // Another compiler makes other code: nobody's change, and not to be mended by whoever comes next.
    let other_code = |finding: &&Finding| matches!(finding.verdict(), Verdict::More | Verdict::Less);
    if expected.compiler == found.compiler || !bad.iter().all(other_code) {
        return ExitCode::FAILURE;
    }
    println!("No failure: these are of {}, the table of {}", found.compiler, expected.compiler);
    ExitCode::SUCCESS
}

/// Builds the program, on the dependencies of the tests, which take minutes. Nothing if Cargo has said why it cannot.
fn build(workspace: &Workspace) -> anyhow::Result<Option<PathBuf>> {
    let mut command = cargo();
    command.arg("--config").arg(workspace.root().join("xtask/instructions.toml"));
    // All packages, so that dependencies have the features that they have in tests.
    command.args(["bench", "--workspace", "--bench", BENCH, "--profile", "dev", "--no-run"]);
    let Some(artifacts) = artifacts::build(&mut command)? else { return Ok(None) };
    let executable = artifacts
        .into_iter()
        .find(|artifact| artifact.target.name == BENCH)
        .and_then(|artifact| artifact.executable)
        .context("cargo built no program that counts")?;
    Ok(Some(executable))
}

/// The version of the compiler.
fn compiler() -> anyhow::Result<String> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.arg("--version");
    Ok(stdout(&mut command)?.trim().to_owned())
}

/// Counts the instructions of a loop.
fn count(program: &Path, name: &str) -> anyhow::Result<Count> {
    let dir = tempfile::tempdir().context("cannot make a temporary folder")?;
    let profile = dir.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .env(TUNABLES.0, TUNABLES.1)
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .arg(name);
    let units = stdout(&mut command).with_context(|| format!("cannot count {name}"))?;
    let profile = fs::read_to_string(&profile).with_context(|| format!("no counts of {name}"))?;
    parse(name, &units, &profile).with_context(|| format!("valgrind counted nothing for {name}"))
}

/// The count of a loop, from the units of work that the program prints and the profile that valgrind writes.
fn parse(name: &str, units: &str, profile: &str) -> Option<Count> {
    let (number, unit) = units.trim().split_once(' ')?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals:"))?;
    let instructions = total.trim().parse().ok().filter(|&count| count > 0)?;
    Some(Count::new(name, instructions, number.parse().ok()?, unit))
}

/// What a program prints.
fn stdout(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} failed ({status}): {}", String::from_utf8_lossy(&stderr).trim());
    }
    String::from_utf8(stdout).with_context(|| format!("{program} printed no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_what_valgrind_writes() {
        let profile = "version: 1\nsummary: 5000\n\nfn=(0)\n0 5000\n\ntotals: 5000\n";
        assert_eq!(parse("fit", "1000 pixel\n", profile), Some(Count::new("fit", 5000, 1000, "pixel")));
        assert_eq!(parse("fit", "1000 pixel\n", "totals: 0\n"), None);
        assert_eq!(parse("fit", "", profile), None);
    }

    #[test]
    fn what_differs_fails_with_the_same_compiler_only() {
        let table = |compiler: &str, count| Table {
            compiler: compiler.into(),
            counts: vec![Count::new("fit", count, 1, "pixel")],
        };
        let expected = table("rustc 1.95.0", 100);
        assert_eq!(report(&expected, &table("rustc 1.95.0", 101)), ExitCode::SUCCESS);
        assert_eq!(report(&expected, &table("rustc 1.95.0", 110)), ExitCode::FAILURE);
        assert_eq!(report(&expected, &table("rustc 1.96.0", 110)), ExitCode::SUCCESS);
        let none = Table { counts: Vec::new(), ..table("rustc 1.96.0", 0) };
        assert_eq!(report(&expected, &none), ExitCode::FAILURE);
        assert_eq!(report(&none, &expected), ExitCode::FAILURE);
    }
}
