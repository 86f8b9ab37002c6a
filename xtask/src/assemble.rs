//! `cargo xtask assemble`: every kernel that the tests compiled, assembled by ptxas.
//!
//! The emulator runs PTX that NVIDIA's assembler might refuse, and knows nothing of registers. What
//! ptxas said of a text is remembered, so that a run after a small change is quick.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ptxas::{Ptxas, Report};
use crate::workspace::Workspace;
use crate::{step, wheels};

/// A PTX file.
struct Kernel {
    file: PathBuf,
    text: String,
}

impl Kernel {
    /// The operation, which the comment in the first line names.
    fn description(&self) -> &str {
        self.text.lines().next().and_then(|line| line.strip_prefix("//")).map_or("no description", str::trim)
    }
}

/// What ptxas said earlier, by text and architecture.
#[derive(Default, Serialize, Deserialize)]
struct Memory {
    /// The version of ptxas.
    version: String,
    reports: BTreeMap<String, Report>,
}

impl Memory {
    /// Starts anew where there is no memory, or another version's, or one that cannot be read.
    fn load(file: &Path, version: &str) -> Self {
        let loaded: Option<Self> = fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let fresh = Self { version: version.to_owned(), ..Self::default() };
        loaded.filter(|memory| memory.version == version).unwrap_or(fresh)
    }

    fn save(&self, file: &Path) -> anyhow::Result<()> {
        let context = || format!("cannot write {}", file.display());
        fs::write(file, serde_json::to_vec(self).with_context(context)?).with_context(context)
    }
}

/// Where a text's report for an architecture is remembered.
fn key(text: &str, architecture: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}-{architecture}", hasher.finish())
}

/// Assembles all kernels in the cache. Errors and register spills are failures.
pub fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let program = wheels::PTXAS.fetch(workspace)?;
    step("assemble the kernels");
    let ptxas = Ptxas::new(program)?;
    let kernels = read_kernels(&workspace.kernels())?;
    let mut jobs = Vec::new();
    for kernel in &kernels {
        let architectures =
            ptxas.architectures(&kernel.text).with_context(|| kernel.file.display().to_string())?;
        jobs.extend(architectures.into_iter().map(|architecture| (kernel, architecture)));
    }

    let earlier = Memory::load(&workspace.assembled(), wheels::PTXAS.version());
    let results: Vec<_> = jobs
        .into_par_iter()
        .map(|(kernel, architecture)| {
            let key = key(&kernel.text, &architecture);
            let report = match earlier.reports.get(&key) {
                Some(report) => Ok(report.clone()),
                None => ptxas.assemble(&kernel.file, &architecture),
            };
            (kernel, architecture, key, report)
        })
        .collect();

    // What is no more in the cache is forgotten.
    let mut memory = Memory { version: earlier.version, ..Memory::default() };
    let mut complaints = Vec::new();
    // By length first: sm_90 comes before sm_100.
    let mut architectures: BTreeMap<(usize, String), usize> = BTreeMap::new();
    for (kernel, architecture, key, report) in results {
        let name = format!("{} ({}) for {architecture}", kernel.description(), kernel.file.display());
        match report {
            Ok(report) => {
                complaints.extend(spills(&report).map(|spill| format!("{name}: {spill}")));
                memory.reports.insert(key, report);
            }
            Err(error) => complaints.push(format!("{name}: {error:#}")),
        }
        *architectures.entry((architecture.len(), architecture)).or_default() += 1;
    }
    memory.save(&workspace.assembled())?;

    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    ensure!(
        complaints.is_empty(),
        "{} failures in assembling {} files; `cargo xtask test --fresh` forgets kernels that the source has no more",
        complaints.len(),
        kernels.len()
    );
    let counts: Vec<_> =
        architectures.iter().map(|((_, name), count)| format!("{count} for {name}")).collect();
    let registers = memory.reports.values().map(|report| report.registers).max().unwrap_or(0);
    println!("kernels assembled: {}; at most {registers} registers a thread, no spills", counts.join(", "));
    Ok(())
}

/// A line for each function that spills.
fn spills(report: &Report) -> impl Iterator<Item = String> {
    report.spills.iter().map(|spill| {
        let (stores, loads) = (spill.stores, spill.loads);
        format!("{} spills registers: {stores} bytes stored, {loads} bytes loaded", spill.function)
    })
}

/// All PTX files in a folder, by name.
fn read_kernels(folder: &Path) -> anyhow::Result<Vec<Kernel>> {
    let context = || format!("cannot list {}", folder.display());
    let mut kernels = Vec::new();
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        entries => {
            for entry in entries.with_context(context)? {
                let file = entry.with_context(context)?.path();
                if file.extension().is_some_and(|extension| extension == "ptx") {
                    let text = fs::read_to_string(&file)
                        .with_context(|| format!("cannot read {}", file.display()))?;
                    kernels.push(Kernel { file, text });
                }
            }
        }
    }
    if kernels.is_empty() {
        bail!("no kernels in {}: run `cargo xtask test`, which compiles them", folder.display());
    }
    kernels.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(kernels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ptxas::Spill;

    #[test]
    fn the_first_comment_describes_a_kernel() {
        let description =
            |text: &str| Kernel { file: PathBuf::new(), text: text.to_owned() }.description().to_owned();
        assert_eq!(description("// add of float64\n//\n.version 8.8\n"), "add of float64");
        assert_eq!(description(".version 8.8\n// no\n"), "no description");
        assert_eq!(description(""), "no description");
    }

    #[test]
    fn only_the_same_text_on_the_same_architecture_is_remembered() {
        assert_eq!(key("a", "sm_70"), key("a", "sm_70"));
        assert_ne!(key("a", "sm_70"), key("b", "sm_70"));
        assert_ne!(key("a", "sm_70"), key("a", "sm_80"));
    }

    #[test]
    fn a_memory_of_another_version_or_a_broken_one_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("assembled.json");
        let spills = vec![Spill { function: "f".to_owned(), stores: 8, loads: 16 }];
        let report = Report { registers: 40, spills };
        let mut memory = Memory::load(&file, "12.9");
        memory.reports.insert(key("a", "sm_70"), report.clone());
        memory.save(&file).unwrap();
        assert_eq!(Memory::load(&file, "12.9").reports.get(&key("a", "sm_70")), Some(&report));
        assert!(Memory::load(&file, "13.0").reports.is_empty());
        fs::write(&file, "{").unwrap();
        assert!(Memory::load(&file, "12.9").reports.is_empty());
    }

    #[test]
    fn a_folder_without_kernels_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.tmp"), "").unwrap();
        assert!(read_kernels(directory.path()).is_err());
        assert!(read_kernels(&directory.path().join("none")).is_err());
        fs::write(directory.path().join("b.ptx"), "// b").unwrap();
        fs::write(directory.path().join("a.ptx"), "// a").unwrap();
        let kernels = read_kernels(directory.path()).unwrap();
        assert_eq!(kernels.iter().map(Kernel::description).collect::<Vec<_>>(), ["a", "b"]);
    }
}
