//! Many processes: the communicator by MPI, and the program under `mpiexec`.
//!
//! A test starts ranks, which run this same file: [`ranks`] has what they do. To add a test of the
//! communicator, add a function there and a trial here; to add one of the program, use
//! [`launch::backdrop`].

#[path = "../program/common.rs"]
#[allow(dead_code, reason = "shared with the other tests of the program")]
mod common;
#[path = "../program/damage.rs"]
mod damage;
mod fit;
mod launch;
#[path = "../../src/ranks/processes.rs"]
#[allow(dead_code, unused_imports, reason = "the program uses the rest, and its own tests do not run here")]
mod processes;
mod program;
mod ranks;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use launch::{Ended, PART, part};
use processes::PANICKED;

fn main() -> ExitCode {
    if let Some(part) = std::env::var_os(PART) {
        ranks::play(&part.to_string_lossy());
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // A job has several processes, each of which wants a core while it waits.
    arguments.test_threads.get_or_insert(1);
    let mut trials = Vec::new();
    for size in 1..=4 {
        for gather in ["messages", "buffer"] {
            for max_bytes in ["1073741824", "1000000"] {
                let rounds = move || all_well(&part(size, &["rounds", gather, max_bytes]));
                trials.push(trial(format!("rounds::{size}_ranks_{gather}_of_{max_bytes}"), rounds));
            }
            let tiny = move || all_well(&part(size, &["parts", gather, "4"]));
            trials.push(trial(format!("parts::{size}_ranks_{gather}"), tiny));
            let error = move || all_well(&part(size, &["error", gather, "100"]));
            trials.push(trial(format!("error_of_taking::{size}_ranks_{gather}"), error));
            let panic = move || panicked(&part(size, &["panic", gather, "100"]), size);
            trials.push(trial(format!("panic::{size}_ranks_{gather}"), panic));
        }
        let node = move || all_well(&part(size, &["node", "buffer", "100"]));
        trials.push(trial(format!("node::{size}_ranks"), node));
    }
    let taking = || panicked(&part(3, &["panic-of-taking", "messages", "100"]), 3);
    trials.push(trial("panic::of_taking".to_owned(), taking));
    trials.extend(program::TESTS.iter().map(|&(name, test)| trial(format!("program::{name}"), test)));
    trials.extend(fit::TESTS.iter().map(|&(name, test)| trial(format!("fit::{name}"), test)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    // A panic is a failure; libtest-mimic shows its message.
    Trial::test(name, move || {
        test();
        Ok::<(), Failed>(())
    })
}

fn all_well(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended}");
}

/// Checks that a panic has ended all ranks, soon, although the others wait for the one it was in.
fn panicked(ended: &Ended, size: usize) {
    assert_eq!(ended.code, Some(PANICKED), "{ended}");
    assert!(ended.stderr.contains("this rank has had enough"), "{ended}");
    assert!(ended.stderr.contains(&format!("of {size} panicked: all ranks end")), "{ended}");
    assert!(ended.after < Duration::from_secs(20), "{ended}");
}
