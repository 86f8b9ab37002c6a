//! What the program says: results on standard output, for people or as one JSON object for
//! machines, and errors on standard error.

use std::io::{self, ErrorKind, Write};

use backdrop::error::OneLine;
use serde_json::Value;

use crate::failure::Failure;

/// Prints a result: `human` as it is, or `json` as one line.
pub(crate) fn result(json: bool, human: &str, machine: &Value) -> Result<(), Failure> {
    if json { text(&format!("{machine}\n")) } else { text(human) }
}

/// Prints text to standard output.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    printed(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// What became of printing to standard output. A reader that has seen enough and closed the
/// pipe is no error.
pub(crate) fn printed(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Data(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints what is to be known besides the result, to standard error.
pub(crate) fn note(message: &str) {
    let _ = io::stderr().lock().write_all(format!("backdrop: {message}\n").as_bytes());
}

/// Prints an error. Where that fails there is nobody left to tell.
pub(crate) fn error(message: &str) {
    // At one go, since other processes may write there too.
    let _ = io::stderr().write_all(format!("backdrop: error: {message}\n").as_bytes());
}

/// Lines of `name  value`, the values below one another; what a terminal would obey in a value from a
/// file is escaped.
pub(crate) fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("  {name:<width$}  {}\n", OneLine(value))).collect()
}

/// A number of bytes in the unit that suits it.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// A number and what it counts: `1 frame`, `2 frames`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_decimal_units() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(192_960), "193.0 kB");
        assert_eq!(bytes(35_562_240), "35.6 MB");
    }

    #[test]
    fn values_stand_below_one_another() {
        let table = table(&[("a", "1".into()), ("long", "2".into())]);
        assert_eq!(table, "  a     1\n  long  2\n");
        assert_eq!(self::table(&[("a", "1\n\u{1b}[2J".into())]), "  a  1\\n\\u{1b}[2J\n");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(count(1, "frame"), "1 frame");
        assert_eq!(count(0, "frame"), "0 frames");
    }
}
