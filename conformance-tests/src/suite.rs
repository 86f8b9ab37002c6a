//! The backends, and the suite as tests of each.

use std::sync::Arc;

use array_api::{Backend, Cpu, Error, Result};
use libtest_mimic::{Completion, Failed, Trial};

use crate::ops;
use crate::report::Report;
use crate::testing::{Case, Check};

/// The variable that names the backends which must be present.
const REQUIRE: &str = "CONFORMANCE_REQUIRE";

/// The backends, one line each.
pub fn backends() -> Vec<Suite> {
    vec![Suite::new("cpu", || Ok(Cpu::new()))]
}

/// A test body bound to a backend.
type Body = Box<dyn FnOnce(&Check) -> std::result::Result<(), Failed> + Send>;

/// The suite on one backend.
pub struct Suite {
    name: &'static str,
    tests: Result<Vec<(String, Body)>>,
}

impl Suite {
    /// The suite on the backend that `open` gives, or the reason why there is none.
    pub fn new<B: Backend>(name: &'static str, open: impl FnOnce() -> Result<B>) -> Self {
        let bind = |xp: B| {
            ops::cases::<B>()
                .into_iter()
                .map(|Case { name, body }| {
                    let xp = xp.clone();
                    (name, Box::new(move |check: &Check| body(&xp, check)) as Body)
                })
                .collect()
        };
        Self { name, tests: open().map(bind) }
    }

    fn trials(self, required: bool, report: &Arc<Report>) -> Vec<Trial> {
        let backend = self.name;
        match self.tests {
            Ok(tests) => tests
                .into_iter()
                .map(|(operation, body)| {
                    let report = Arc::clone(report);
                    Trial::test(format!("{backend}::{operation}"), move || {
                        let check = Check::default();
                        report.started(&operation, backend);
                        body(&check)?;
                        let worst = check.worst().ok_or("the body compared nothing")?;
                        report.passed(&operation, backend, worst.to_string());
                        Ok(())
                    })
                })
                .collect(),
            Err(reason) => {
                report.absent(backend, &reason);
                vec![Self::absent(backend, reason, required)]
            }
        }
    }

    /// A test that stands for all tests of a backend that is not there.
    fn absent(backend: &'static str, reason: Error, required: bool) -> Trial {
        Trial::ignorable_test(format!("{backend}::present"), move || {
            if required {
                Err(format!("{REQUIRE} asks for {backend}: {reason}").into())
            } else {
                Ok(Completion::ignored_with(reason))
            }
        })
    }
}

/// The tests of every backend. `required` lists names of backends that must be present, separated
/// by commas, as the variable `CONFORMANCE_REQUIRE` does.
pub fn trials(backends: Vec<Suite>, required: &str, report: &Arc<Report>) -> Vec<Trial> {
    let required: Vec<String> =
        required.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let known: Vec<&'static str> = backends.iter().map(|suite| suite.name).collect();
    let unknown = required.iter().filter(|name| !known.contains(&name.as_str())).map(|name| {
        let message = format!("{REQUIRE} asks for {name}, but this suite knows {}", known.join(", "));
        Trial::test(format!("{name}::present"), move || Err(message.into()))
    });
    let unknown: Vec<Trial> = unknown.collect();
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
    use libtest_mimic::{Arguments, FormatSetting, run};

    /// A backend that cannot be opened.
    fn broken() -> Vec<Suite> {
        let reason = Error::BackendUnavailable { backend: "CUDA", reason: "no device".into() };
        vec![Suite::new::<Cpu>("cuda", || Err(reason))]
    }

    fn outcome(required: &str) -> (u64, u64, String) {
        let arguments =
            Arguments { format: Some(FormatSetting::Terse), test_threads: Some(1), ..Arguments::default() };
        let report = Arc::new(Report::default());
        let conclusion = run(&arguments, trials(broken(), required, &report));
        (conclusion.num_failed, conclusion.num_ignored, report.to_string())
    }

    #[test]
    fn an_absent_backend_is_reported_and_fails_only_if_required() {
        let (failed, ignored, table) = outcome("");
        assert_eq!((failed, ignored), (0, 1));
        assert!(table.contains("cuda: not run: the CUDA backend is not available: no device"), "{table}");
        assert_eq!(outcome("cuda").0, 1);
        assert_eq!(outcome("metal").0, 1);
    }

    #[test]
    fn every_body_has_a_name_of_its_own() {
        let mut names: Vec<String> = ops::cases::<Cpu>().into_iter().map(|case| case.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
