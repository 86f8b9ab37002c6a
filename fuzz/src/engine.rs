//! One target for some time: inputs are changed, run, and kept if they do something new.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::corpus;
use crate::coverage::Coverage;
use crate::mutate::mutate;
use crate::random::Random;
use crate::targets::outcome;
use crate::{Target, memory, scratch};

/// An input that takes so long has no end.
const HANG: Duration = Duration::from_secs(30);
/// Inputs that are kept in memory at most.
const MOST_INPUTS: usize = 20_000;
/// A target with so many faults has enough of them to look at.
const MOST_FAILURES: usize = 20;
/// The file that says what is being run, should the process end over it.
const CURRENT: &str = "current";

/// What a run of a target came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Inputs that were run.
    pub executions: u64,
    /// Inputs that did something new, those to begin with included.
    pub inputs: usize,
    /// Edges of the control flow that were reached, if they were counted.
    pub edges: Option<usize>,
    /// Faults, and the inputs that show them.
    pub failures: Vec<(String, PathBuf)>,
}

/// How long, and with what, a target is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For how long.
    pub time: Duration,
    /// Where all random numbers come from.
    pub seed: u64,
    /// A directory whose directories of targets have inputs of earlier runs, where new ones go, too.
    pub keep: Option<PathBuf>,
}

/// Runs a target in this process, which ends if the target crashes; `current` then has the input.
///
/// # Errors
/// If inputs cannot be read or written.
pub fn run(target: &Target, settings: &Settings) -> io::Result<Summary> {
    let start = Instant::now();
    watch();
    let keep = settings.keep.as_ref().map(|keep| keep.join(target.name));
    let mut inputs: Vec<Vec<u8>> = corpus::load(target.name)?.into_iter().map(|input| input.bytes).collect();
    if let Some(keep) = &keep {
        inputs.extend(corpus::load_from(keep)?.into_iter().map(|input| input.bytes));
    }
    let mut state = State {
        target,
        coverage: Coverage::new(),
        outcomes: HashSet::new(),
        signatures: HashSet::new(),
        summary: Summary::default(),
        current: File::create(scratch::path(CURRENT))?,
    };
    for input in &inputs {
        state.execute(input)?;
    }
    if inputs.is_empty() {
        inputs.push(Vec::new());
    }
    let mut random = Random::new(settings.seed);
    while start.elapsed() < settings.time && state.summary.failures.len() < MOST_FAILURES {
        // The newest are the least tried.
        let newest = if random.once_in(2) { inputs.len().min(50) } else { inputs.len() };
        let input = &inputs[inputs.len() - 1 - random.below(newest)];
        let other = &inputs[random.below(inputs.len())];
        let input = mutate(input, other, target.prefix, target.words, &mut random);
        if state.execute(&input)? && inputs.len() < MOST_INPUTS {
            if let Some(keep) = &keep {
                corpus::write(keep, &corpus::name_of(&input), &input)?;
            }
            inputs.push(input);
        }
    }
    state.summary.inputs = inputs.len();
    state.summary.edges = state.coverage.as_ref().map(Coverage::reached);
    Ok(state.summary)
}

struct State<'a> {
    target: &'a Target,
    coverage: Option<Coverage>,
    outcomes: HashSet<u64>,
    signatures: HashSet<String>,
    summary: Summary,
    current: File,
}

impl State<'_> {
    /// Runs an input; whether it did something new.
    fn execute(&mut self, input: &[u8]) -> io::Result<bool> {
        self.summary.executions += 1;
        note_current(&self.current, self.summary.executions, input)?;
        outcome();
        if let Some(coverage) = &mut self.coverage {
            // What was counted between the runs is not of this one.
            coverage.forget();
        }
        BEGUN.store(now(), Relaxed);
        let result = self.target.check(input);
        BEGUN.store(0, Relaxed);
        let new_outcome = self.outcomes.insert(outcome());
        let new = match &mut self.coverage {
            Some(coverage) => coverage.collect(),
            None => new_outcome,
        };
        if let Err(failure) = result {
            if self.signatures.insert(failure.signature()) {
                let path = save_crash(self.target, input)?;
                self.summary.failures.push((failure.to_string(), path));
            }
            return Ok(false);
        }
        Ok(new)
    }
}

/// Keeps an input that shows a fault; gives its path.
///
/// # Errors
/// If it cannot be written.
pub fn save_crash(target: &Target, input: &[u8]) -> io::Result<PathBuf> {
    corpus::write(&corpus::home().join("crashes").join(target.name), &corpus::name_of(input), input)
}

/// Writes down which input is run next: its number, its length, and itself.
fn note_current(mut file: &File, number: u64, input: &[u8]) -> io::Result<()> {
    use std::io::Seek;
    let mut bytes = Vec::with_capacity(input.len() + 16);
    bytes.extend(number.to_le_bytes());
    bytes.extend((input.len() as u64).to_le_bytes());
    bytes.extend(input);
    file.rewind()?;
    file.write_all(&bytes)
}

/// The input that a process in `directory` ended over, and how many it had run.
///
/// # Errors
/// If there is none.
pub fn read_current(directory: &Path) -> io::Result<(u64, Vec<u8>)> {
    let mut file = File::open(directory.join(CURRENT))?;
    let (mut number, mut length) = ([0; 8], [0; 8]);
    file.read_exact(&mut number)?;
    file.read_exact(&mut length)?;
    let mut input = Vec::new();
    file.take(u64::from_le_bytes(length)).read_to_end(&mut input)?;
    Ok((u64::from_le_bytes(number), input))
}

/// When the current run began, in milliseconds; 0 between runs.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// Milliseconds since the first call, and one.
fn now() -> u64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1
}

/// Ends the process when a run has no end.
fn watch() {
    std::thread::spawn(|| {
        let (mut run, mut used) = (0, Duration::ZERO);
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let begun = BEGUN.load(Relaxed);
            if begun != run {
                (run, used) = (begun, memory::time());
            }
            // On a busy machine a run may wait, but not for ever.
            let waited = Duration::from_millis(now().saturating_sub(begun));
            if begun > 0 && waited > HANG && (memory::time() - used > HANG / 3 || waited > 10 * HANG) {
                eprintln!("no end after {} s", waited.as_secs());
                std::process::abort();
            }
        }
    });
}
