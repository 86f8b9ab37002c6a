//! Runs targets on hostile input for some time, and says what was found.
//!
//! Each target has a process of its own, so that a crash leaves the input that it was over.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, io};

use backdrop_fuzz::engine::{self, Settings, Summary};
use backdrop_fuzz::targets::TARGETS;
use backdrop_fuzz::{Target, corpus, scratch, seeds};
use clap::Parser;
use wait_timeout::ChildExt;

/// Run what reads input from outside on hostile input.
#[derive(Debug, Parser)]
#[command(name = "backdrop-fuzz", max_term_width = 100)]
struct Cli {
    /// The target, or `all`
    target: String,
    /// Run each target for so long
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Where all random numbers come from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Targets at a time [default: one for each core]
    #[arg(long)]
    jobs: Option<usize>,
    /// Begin with the inputs in DIR/TARGET, too, and add those that do something new
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Run one input
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Make an input that fails smaller, as long as it fails in the same way; the result is
    /// FILE.small
    #[arg(long, value_name = "FILE")]
    minimise: Option<PathBuf>,
    /// Write the inputs to begin with anew
    #[arg(long)]
    seeds: bool,
    /// Run the target in this process
    #[arg(long, hide = true, value_name = "DIR")]
    inside: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("backdrop-fuzz: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> io::Result<ExitCode> {
    let targets: Vec<Target> = TARGETS
        .iter()
        .filter(|target| ["all", target.name].contains(&cli.target.as_str()))
        .copied()
        .collect();
    if targets.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        let reason = format!("there is no target {}: they are all, {}", cli.target, names.join(", "));
        return Err(io::Error::other(reason));
    }
    if cli.seeds {
        return seeds::write().map(|()| ExitCode::SUCCESS);
    }
    if let Some(directory) = &cli.inside {
        scratch::set(directory);
        // A thread more would only be one more to wait for.
        rayon::ThreadPoolBuilder::new().num_threads(1).build_global().map_err(io::Error::other)?;
        return inside(&targets[0], cli);
    }
    if let Some(file) = &cli.replay {
        let (said, _) = replay(&targets[0], &corpus::read(file)?)?;
        println!("{}", said.as_deref().unwrap_or("nothing is wrong"));
        return Ok(if said.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if let Some(file) = &cli.minimise {
        return minimise(&targets[0], file);
    }
    let jobs = cli.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let queue = Mutex::new(targets.iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let failed = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.clamp(1, targets.len()))
            .map(|_| {
                scope.spawn(|| {
                    let mut failed = false;
                    while let Some(target) = next() {
                        failed |= fuzz(target, cli)?;
                    }
                    Ok(failed)
                })
            })
            .collect();
        let results = workers.into_iter().map(|worker| worker.join().unwrap_or(Ok(true)));
        results.collect::<io::Result<Vec<bool>>>()
    })?;
    Ok(if failed.contains(&true) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the parent starts: runs the target, and says on standard output what came of it.
fn inside(target: &Target, cli: &Cli) -> io::Result<ExitCode> {
    if let Some(file) = &cli.replay {
        if let Err(failure) = target.check(&fs::read(file)?) {
            println!("{failure}");
            return Ok(ExitCode::FAILURE);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let settings =
        Settings { time: Duration::from_secs(cli.seconds), seed: cli.seed, keep: cli.keep.clone() };
    let Summary { executions, inputs, edges, failures } = engine::run(target, &settings)?;
    println!("{executions} {inputs} {}", edges.map_or_else(|| "-".to_owned(), |edges| edges.to_string()));
    for (failure, path) in failures {
        println!("{}\t{failure}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// This program again, for one target, in a directory.
fn child(target: &Target, directory: &std::path::Path) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(target.name).arg("--inside").arg(directory);
    Ok(command)
}

/// Runs a target for the time asked for, however often its process ends before; prints a line, and
/// one for each fault. Whether there is any.
fn fuzz(target: &Target, cli: &Cli) -> io::Result<bool> {
    /// A target that ends its process so often has enough to look at.
    const MOST_CRASHES: u64 = 10;
    let start = Instant::now();
    let time = Duration::from_secs(cli.seconds);
    let mut failures: Vec<String> = Vec::new();
    let (mut executions, mut inputs, mut edges) = (0_u64, String::from("?"), String::from("-"));
    for crash in 0..MOST_CRASHES {
        let directory = scratch::new();
        let left = time.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        let mut command = child(target, directory.path())?;
        command.args(["--seconds", &left.as_secs_f64().ceil().to_string()]);
        command.args(["--seed", &cli.seed.wrapping_add(crash << 32).to_string()]);
        if let Some(keep) = &cli.keep {
            command.arg("--keep").arg(keep);
        }
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            let mut lines = said.lines();
            let numbers: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
            if let [count, new_inputs, new_edges] = numbers[..] {
                executions += count.parse::<u64>().unwrap_or(0);
                (inputs, edges) = (new_inputs.to_owned(), new_edges.to_owned());
            }
            failures.extend(lines.map(str::to_owned));
            break;
        }
        let (count, input) = engine::read_current(directory.path())?;
        executions += count;
        let path = engine::save_crash(target, &input)?;
        failures.push(format!("{}\t{}: {}", path.display(), output.status, reason(&output.stderr)));
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:<10} {executions:>9} executions {:>7.0} a second {inputs:>6} inputs {edges:>7} edges {:>3} failures",
        target.name,
        executions as f64 / seconds,
        failures.len()
    );
    for failure in &failures {
        println!("    {failure}");
    }
    Ok(!failures.is_empty())
}

/// What a process said that ended, in a line.
fn reason(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    // An address sanitizer says in a line what it found, and in the next ones where.
    let lines = text.lines().map(str::trim).filter(|line| {
        line.starts_with("==") && line.contains("ERROR") || line.starts_with('#') || !line.starts_with('=')
    });
    lines.filter(|line| !line.is_empty()).take(8).collect::<Vec<_>>().join(" | ")
}

/// Runs an input in a process of its own; what is wrong with it, and for which cause.
fn replay(target: &Target, input: &[u8]) -> io::Result<(Option<String>, String)> {
    let directory = scratch::new();
    let file = directory.path().join("input");
    fs::write(&file, input)?;
    let mut command = child(target, directory.path())?;
    command.arg("--replay").arg(&file).stdout(Stdio::piped());
    let errors = directory.path().join("errors");
    command.stderr(fs::File::create(&errors)?);
    let mut process = command.spawn()?;
    let Some(status) = process.wait_timeout(Duration::from_secs(30))? else {
        process.kill()?;
        process.wait()?;
        return Ok((Some("no end".into()), "no end".into()));
    };
    if status.success() {
        return Ok((None, String::new()));
    }
    let mut said = String::new();
    if let Some(mut stdout) = process.stdout.take() {
        io::Read::read_to_string(&mut stdout, &mut said)?;
    }
    let said = if said.trim().is_empty() {
        format!("{status}: {}", reason(&fs::read(&errors)?))
    } else {
        said.trim().to_owned()
    };
    let cause = said.chars().filter(|letter| !letter.is_ascii_digit()).take(80).collect();
    Ok((Some(said), cause))
}

/// Takes parts out of an input as long as it fails in the same way.
fn minimise(target: &Target, file: &std::path::Path) -> io::Result<ExitCode> {
    let mut input = corpus::read(file)?;
    let (Some(said), cause) = replay(target, &input)? else {
        return Err(io::Error::other("nothing is wrong with this input"));
    };
    println!("{said}");
    let mut sizes: Vec<usize> = std::iter::successors(Some(input.len() / 2), |size| Some(size / 2))
        .take_while(|&size| size > 0)
        .chain([28800, 5760, 2880, 80])
        .collect();
    sizes.sort_unstable();
    for size in sizes.into_iter().rev() {
        let mut at = target.prefix;
        // Bytes one by one only where they are few.
        while at < input.len() && input.len() / size <= 400 {
            let mut shorter = input.clone();
            drop(shorter.drain(at..(at + size).min(input.len())));
            if replay(target, &shorter)?.1 == cause {
                input = shorter;
            } else {
                at += size;
            }
        }
    }
    let path = file.with_extension("small");
    fs::write(&path, &input)?;
    println!("{} bytes in {}", input.len(), path.display());
    Ok(ExitCode::SUCCESS)
}
