//! Runs the suite on every backend and prints the table of operations and worst errors.

use std::process::ExitCode;
use std::sync::Arc;

use conformance_tests::{Report, backends, complaints, trials};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let required = std::env::var("CONFORMANCE_REQUIRE").unwrap_or_default();
    let report = Arc::new(Report::default());
    let conclusion = libtest_mimic::run(&arguments, trials(backends(), &required, &report));
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    println!("{report}");
    let complaints = complaints();
    complaints.iter().for_each(|complaint| println!("{complaint}"));
    // Selecting tests by name may leave out the one that fails for a backend that is required.
    if report.lacks_a_backend() || !complaints.is_empty() {
        ExitCode::FAILURE
    } else {
        conclusion.exit_code()
    }
}
