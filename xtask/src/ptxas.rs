//! NVIDIA's assembler of PTX, ptxas
//! (<https://docs.nvidia.com/cuda/archive/12.9.0/cuda-compiler-driver-nvcc/index.html#ptxas-options>).
//!
//! With `-v` it says what each kernel takes of a multiprocessor. Registers that a thread needs beyond
//! those it may have are spilled to memory, which makes a kernel slow.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

/// The architectures that kernels are assembled for: Volta, Ampere, Hopper and Blackwell.
const WANTED: [u32; 4] = [70, 80, 90, 100];

/// The assembler.
pub struct Ptxas {
    program: PathBuf,
    /// Those architectures of [`WANTED`] that it knows.
    architectures: Vec<u32>,
}

/// What ptxas says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The registers of a thread, in the kernel that has most.
    pub registers: u32,
    /// The functions that spill.
    pub spills: Vec<Spill>,
}

/// The bytes that a thread moves for want of registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spill {
    /// The function, which may be one that a kernel calls.
    pub function: String,
    /// Bytes stored.
    pub stores: u64,
    /// Bytes loaded.
    pub loads: u64,
}

impl Ptxas {
    /// Asks `program` what it knows.
    pub fn new(program: PathBuf) -> anyhow::Result<Self> {
        let (ok, help) = run(Command::new(&program).arg("--help"))?;
        ensure!(ok, "{} --help failed", program.display());
        let architectures: Vec<_> =
            WANTED.into_iter().filter(|wanted| help.contains(&format!("'sm_{wanted}'"))).collect();
        ensure!(
            !architectures.is_empty(),
            "{} knows none of the architectures {WANTED:?}",
            program.display()
        );
        Ok(Self { program, architectures })
    }

    /// The architectures to assemble a PTX text for.
    pub fn architectures(&self, ptx: &str) -> anyhow::Result<Vec<String>> {
        let target = target(ptx).context("it has no line .target sm_NN")?;
        Ok(choose(target, &self.architectures))
    }

    /// Assembles a PTX file, and keeps nothing of it.
    pub fn assemble(&self, file: &Path, architecture: &str) -> anyhow::Result<Report> {
        let mut command = Command::new(&self.program);
        command.args(["-v", "-arch", architecture, "-o", "/dev/null"]).arg(file);
        let (ok, text) = run(&mut command)?;
        if !ok {
            bail!("{}", first_error(&text));
        }
        parse(&text)
    }
}

/// Whether a command succeeds, and what it prints.
fn run(command: &mut Command) -> anyhow::Result<(bool, String)> {
    let output =
        command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text += &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), text))
}

/// The architecture that a PTX text is for at least, as in `.target sm_70, texmode_independent`.
fn target(ptx: &str) -> Option<&str> {
    let line = ptx.lines().find_map(|line| line.trim_start().strip_prefix(".target"))?;
    line.split([',', ' ', '\t', '/']).find(|word| word.starts_with("sm_"))
}

/// The architectures that code for `target` runs on, of those that are `known`. Code for an
/// architecture's own features (sm_90a, sm_100f) does not run on later ones, and code for one that is
/// newer than all is assembled for that.
fn choose(target: &str, known: &[u32]) -> Vec<String> {
    let at_least: Option<u32> = target.strip_prefix("sm_").and_then(|number| number.parse().ok());
    let mut chosen = Vec::new();
    if let Some(at_least) = at_least {
        chosen.extend(known.iter().filter(|known| **known >= at_least).map(|known| format!("sm_{known}")));
    }
    if chosen.is_empty() {
        chosen.push(target.to_owned());
    }
    chosen
}

/// The first line that says what is wrong.
fn first_error(text: &str) -> &str {
    let mut lines = text.lines();
    lines
        .find(|line| line.contains("error") || line.contains("fatal"))
        .unwrap_or("ptxas failed and says nothing")
}

/// Reads what ptxas prints with `-v`.
fn parse(text: &str) -> anyhow::Result<Report> {
    let mut registers = None;
    let mut spills = Vec::new();
    let mut function = None;
    for line in text.lines() {
        if let Some((_, name)) = line.split_once("Function properties for ") {
            function = Some(name.trim());
        } else if line.contains(" bytes spill stores") {
            let stores = number_before(line, " bytes spill stores");
            let loads = number_before(line, " bytes spill loads");
            let (Some(function), Some(stores), Some(loads)) = (function, stores, loads) else {
                bail!("ptxas printed a line that is not understood: {line}");
            };
            if stores + loads > 0 {
                spills.push(Spill { function: function.to_owned(), stores, loads });
            }
        } else if let Some(used) = number_before(line, " registers") {
            registers = registers.max(Some(used));
        }
    }
    // Without this a new wording would pass for kernels without spills.
    let registers = registers.context("ptxas printed no count of registers")?;
    ensure!(function.is_some(), "ptxas printed no properties of functions");
    Ok(Report { registers: u32::try_from(registers)?, spills })
}

/// The number that stands before `unit`.
fn number_before(line: &str, unit: &str) -> Option<u64> {
    let (before, _) = line.split_once(unit)?;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ptxas 12.9 prints.
    const CLEAN: &str = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'k0' for 'sm_80'
ptxas info    : Function properties for k0
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 29 registers, used 0 barriers, 372 bytes cmem[0], 176 bytes cmem[2]
ptxas info    : Compile time = 7.488 ms
ptxas info    : Function properties for __internal_accurate_pow
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
";
    const SPILLING: &str = "\
ptxas info    : Compiling entry function 'spill' for 'sm_80'
ptxas info    : Function properties for spill
    4944 bytes stack frame, 6160 bytes spill stores, 6360 bytes spill loads
ptxas info    : Used 64 registers, used 0 barriers, 4944 bytes cumulative stack size, 364 bytes cmem[0]
";

    #[test]
    fn registers_and_spills_are_read() {
        assert_eq!(parse(CLEAN).unwrap(), Report { registers: 29, spills: Vec::new() });
        let spill = Spill { function: "spill".to_owned(), stores: 6160, loads: 6360 };
        assert_eq!(parse(SPILLING).unwrap(), Report { registers: 64, spills: vec![spill.clone()] });
        for both in [[CLEAN, SPILLING].concat(), [SPILLING, CLEAN].concat()] {
            assert_eq!(parse(&both).unwrap(), Report { registers: 64, spills: vec![spill.clone()] });
        }
    }

    #[test]
    fn a_called_function_that_spills_counts() {
        let text = CLEAN.replace(
            "pow\n    0 bytes stack frame, 0 bytes spill s",
            "pow\n    8 bytes stack frame, 4 bytes spill s",
        );
        let spill = Spill { function: "__internal_accurate_pow".to_owned(), stores: 4, loads: 0 };
        assert_eq!(parse(&text).unwrap().spills, [spill]);
    }

    #[test]
    fn a_wording_that_is_not_understood_is_an_error() {
        assert!(parse("").is_err());
        assert!(parse(&CLEAN.replace("registers", "regs")).is_err());
        assert!(parse(&CLEAN.replace("Function properties", "Properties")).is_err());
        assert!(parse(&CLEAN.replace("spill loads", "loads")).is_err());
    }

    #[test]
    fn the_target_is_that_of_the_directive() {
        assert_eq!(
            target("// .target sm_50\n.version 8.8\n.target sm_70\n.address_size 64\n"),
            Some("sm_70")
        );
        assert_eq!(target(".target\tsm_90a, debug // sm_50"), Some("sm_90a"));
        assert_eq!(target(".version 8.8\n"), None);
    }

    #[test]
    fn architectures_are_those_that_the_code_runs_on() {
        assert_eq!(choose("sm_70", &WANTED), ["sm_70", "sm_80", "sm_90", "sm_100"]);
        assert_eq!(choose("sm_89", &WANTED), ["sm_90", "sm_100"]);
        assert_eq!(choose("sm_90", &[80, 90]), ["sm_90"]);
        assert_eq!(choose("sm_90a", &WANTED), ["sm_90a"]);
        assert_eq!(choose("sm_120", &WANTED), ["sm_120"]);
    }

    #[test]
    fn the_first_error_is_reported() {
        let text = "ptxas info    : 0 bytes gmem\nptxas k.ptx, line 27; error   : Unknown modifier '.zz'\n\
                    ptxas fatal   : Ptx assembly aborted due to errors\n";
        assert_eq!(first_error(text), "ptxas k.ptx, line 27; error   : Unknown modifier '.zz'");
        assert_eq!(first_error("Killed"), "ptxas failed and says nothing");
    }
}
