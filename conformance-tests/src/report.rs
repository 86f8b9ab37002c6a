//! The table of operations and backends.

use std::fmt::{self, Display};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What became of each operation on each backend. Printing it gives the table.
#[derive(Debug, Default)]
pub struct Report(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    backends: Vec<&'static str>,
    /// Lines on what each backend is, or why it is absent.
    notes: Vec<String>,
    /// Whether one of the absent backends is required.
    lacks: bool,
    /// Operation, and the result on each backend.
    rows: Vec<(String, Vec<Cell>)>,
}

/// A backend and the worst error there, or none if the test failed.
type Cell = (&'static str, Option<String>);

impl Report {
    fn table(&self) -> MutexGuard<'_, Table> {
        // A table that a failing test left is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A test has begun; until it passes it counts as failed.
    pub(crate) fn started(&self, operation: &str, backend: &'static str) {
        let mut table = self.table();
        if !table.backends.contains(&backend) {
            table.backends.push(backend);
        }
        match table.rows.iter_mut().find(|(name, _)| name == operation) {
            Some((_, results)) => results.push((backend, None)),
            None => table.rows.push((operation.to_owned(), vec![(backend, None)])),
        }
    }

    /// A test has passed with this worst error.
    pub(crate) fn passed(&self, operation: &str, backend: &'static str, worst: String) {
        let mut table = self.table();
        let results = table.rows.iter_mut().find(|(name, _)| name == operation);
        let result = results.and_then(|(_, r)| r.iter_mut().find(|(name, _)| *name == backend));
        if let Some((_, result)) = result {
            *result = Some(worst);
        }
    }

    /// A backend is there: what it is.
    pub(crate) fn present(&self, backend: &str, description: &str) {
        self.table().notes.push(format!("{backend}: {description}"));
    }

    /// A backend is not there, and that is an error if it is `required`.
    pub(crate) fn absent(&self, backend: &str, reason: &str, required: bool) {
        let mut table = self.table();
        table.notes.push(format!("{backend}: not run: {reason}"));
        table.lacks |= required;
    }

    /// Whether a backend that is required is not there.
    pub fn lacks_a_backend(&self) -> bool {
        self.table().lacks
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table();
        let cell = |results: &[(&str, Option<String>)], backend: &str| match results
            .iter()
            .find(|(name, _)| *name == backend)
        {
            Some((_, Some(worst))) => format!("pass: {worst}"),
            Some((_, None)) => "FAILED".to_owned(),
            None => "not run".to_owned(),
        };
        let first = table.rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max("operation".len());
        let widths: Vec<usize> = table
            .backends
            .iter()
            .map(|name| {
                table.rows.iter().map(|(_, r)| cell(r, name).len()).max().unwrap_or(0).max(name.len())
            })
            .collect();
        if !table.rows.is_empty() {
            write!(f, "{:first$}", "operation")?;
            for (backend, width) in table.backends.iter().zip(&widths) {
                write!(f, "  {backend:width$}")?;
            }
            writeln!(f)?;
        }
        for (operation, results) in &table.rows {
            write!(f, "{operation:first$}")?;
            for (backend, width) in table.backends.iter().zip(&widths) {
                write!(f, "  {:width$}", cell(results, backend))?;
            }
            writeln!(f)?;
        }
        table.notes.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_never_passed_has_failed() {
        let report = Report::default();
        report.started("add", "cpu");
        report.started("exp", "cpu");
        report.passed("exp", "cpu", "1 of 4 ULP".into());
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines, ["operation  cpu", "add        FAILED", "exp        pass: 1 of 4 ULP"]);
    }
}
