//! The backends, and the suite as tests of each.

use std::collections::HashSet;
use std::sync::Arc;

use array_api::{Backend, Cpu, Cuda, Result};
use libtest_mimic::{Completion, Failed, Trial};

use crate::ops;
use crate::report::Report;
use crate::testing::{Case, Check};
use cuda_emulator::client::Emulator;

/// The variable that names the backends which must be present.
const REQUIRE: &str = "CONFORMANCE_REQUIRE";

/// The backends, one line each.
// Inlined, so that all bodies are compiled once, in the test that runs them, and not in this library and its own tests.
#[inline]
pub fn backends() -> Vec<Suite> {
    vec![
        Suite::new("cpu", || Ok(Cpu::new()), |_| "the processor".into()),
        Suite::new("cuda", || Cuda::new(0), describe_cuda),
    ]
}

/// The device, and whether there is one: the emulator executes kernels on the processor.
fn describe_cuda(cuda: &Cuda) -> String {
    let device = cuda.properties();
    let (major, minor) = device.compute_capability;
    let kind = match Emulator::find() {
        Some(_) => "EMULATED on the processor, no GPU was used",
        None => "a real device",
    };
    format!("{}, compute capability {major}.{minor}: {kind}", device.name)
}

/// What the emulator, if it was used, holds against tests that have passed: faults, and memory of a
/// device that was not given back.
pub fn complaints() -> Vec<String> {
    let Some(emulator) = Emulator::find() else { return Vec::new() };
    let leaks = emulator.leaks().into_iter().filter(|leak| leak.what == "device memory");
    let leaks =
        leaks.map(|leak| format!("{} bytes of device memory were never freed: {}", leak.bytes, leak.label));
    let faults = emulator.take_faults().into_iter().map(|fault| fault.message);
    faults.chain(leaks).collect()
}

/// A test body bound to a backend.
type Body = Box<dyn FnOnce(&Check) -> std::result::Result<(), Failed> + Send>;

/// The suite on one backend.
pub struct Suite {
    name: &'static str,
    /// What the tests run on, and the tests.
    tests: Result<(String, Vec<(String, Body)>)>,
}

impl Suite {
    /// The suite on the backend that `open` gives, or the reason why there is none; `describe` says
    /// what it is.
    pub fn new<B: Backend>(
        name: &'static str,
        open: impl FnOnce() -> Result<B>,
        describe: impl FnOnce(&B) -> String,
    ) -> Self {
        let bind = |xp: B| {
            let mut names = HashSet::new();
            let tests = ops::cases::<B>()
                .into_iter()
                .map(|Case { name, body }| {
                    assert!(names.insert(name.clone()), "two bodies are called {name}");
                    let xp = xp.clone();
                    (name, Box::new(move |check: &Check| body(&xp, check)) as Body)
                })
                .collect();
            (describe(&xp), tests)
        };
        Self { name, tests: open().map(bind) }
    }

    fn trials(self, required: bool, report: &Arc<Report>) -> Vec<Trial> {
        let backend = self.name;
        match self.tests {
            Ok((description, tests)) => {
                report.present(backend, &description);
                let test = |(operation, body): (String, Body)| {
                    let report = Arc::clone(report);
                    Trial::test(format!("{backend}::{operation}"), move || {
                        let check = Check::default();
                        report.started(&operation, backend);
                        body(&check)?;
                        let worst = check.worst().ok_or("the body compared nothing")?;
                        report.passed(&operation, backend, worst.to_string());
                        Ok(())
                    })
                };
                tests.into_iter().map(test).collect()
            }
            Err(reason) => {
                // One test stands for all tests of a backend that is not there.
                let reason = reason.to_string();
                report.absent(backend, &reason, required);
                vec![Trial::ignorable_test(presence(backend), move || absence(backend, &reason, required))]
            }
        }
    }
}

/// Name of the test whether a backend is there.
fn presence(backend: &str) -> String {
    format!("{backend}::present")
}

/// What comes of the tests of a backend that is not there.
fn absence(backend: &str, reason: &str, required: bool) -> std::result::Result<Completion, Failed> {
    if required {
        Err(format!("{REQUIRE} asks for {backend}: {reason}").into())
    } else {
        Ok(Completion::ignored_with(reason))
    }
}

/// The tests of every backend. `required` lists names of backends that must be present, separated
/// by commas, as the variable `CONFORMANCE_REQUIRE` does.
pub fn trials(backends: Vec<Suite>, required: &str, report: &Arc<Report>) -> Vec<Trial> {
    let required: Vec<String> =
        required.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let known: Vec<&'static str> = backends.iter().map(|suite| suite.name).collect();
    let unknown: Vec<Trial> = required
        .iter()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| {
            let reason = format!("this suite knows only {}", known.join(", "));
            report.absent(name, &reason, true);
            let name = name.clone();
            Trial::ignorable_test(presence(&name), move || absence(&name, &reason, true))
        })
        .collect();
    backends
        .into_iter()
        .flat_map(|suite| {
            let is_required = required.iter().any(|name| name == suite.name);
            suite.trials(is_required, report)
        })
        .chain(unknown)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_backend_fails_only_if_it_is_required() {
        let ignored = absence("cuda", "no device", false);
        assert!(matches!(ignored, Ok(Completion::Ignored { reason: Some(reason) }) if reason == "no device"));
        let failed = absence("cuda", "no device", true).err().unwrap();
        assert_eq!(failed.message(), Some("CONFORMANCE_REQUIRE asks for cuda: no device"));
    }

    /// The suite on a backend that cannot be opened: names of tests, table, and whether that is an
    /// error whichever tests are selected.
    fn without_cuda(required: &str) -> (Vec<String>, String, bool) {
        let report = Arc::new(Report::default());
        let reason = array_api::Error::BackendUnavailable { backend: "CUDA", reason: "no device".into() };
        let trials = trials(vec![Suite { name: "cuda", tests: Err(reason) }], required, &report);
        let names = trials.iter().map(|trial| trial.name().to_owned()).collect();
        (names, report.to_string(), report.lacks_a_backend())
    }

    #[test]
    fn every_backend_that_is_absent_has_a_test_and_a_line() {
        let (names, table, lacking) = without_cuda("");
        assert_eq!((names, lacking), (vec!["cuda::present".to_owned()], false));
        assert_eq!(table, "cuda: not run: the CUDA backend is not available: no device\n");
        assert!(without_cuda("cuda").2);
        let (names, table, lacking) = without_cuda(" metal");
        assert_eq!((names, lacking), (vec!["cuda::present".to_owned(), "metal::present".to_owned()], true));
        assert!(table.contains("metal: not run: this suite knows only cuda"), "{table}");
    }
}
