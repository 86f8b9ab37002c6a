//! Tables that were made elsewhere, in CSV (RFC 4180): what is read from them, and what is wrong with
//! them, by line and column.

use std::path::Path;
use std::str::FromStr;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord, Trim};

use crate::error::{Error, Result, quoted};

/// What rows and columns of pixels may be called.
pub(crate) const ROW: &[&str] = &["row"];
/// As [`ROW`].
pub(crate) const COLUMN: &[&str] = &["column", "col"];

/// What a line begins with that is not of the table.
pub(crate) const REMARK: u8 = b'#';

/// Opens a CSV file whose first line names the columns; lines that begin with [`REMARK`] are left out.
pub(crate) fn open(path: &Path) -> Result<(Reader<std::fs::File>, StringRecord)> {
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .comment(Some(REMARK))
        .from_path(path)
        .map_err(|error| csv_error(path, error))?;
    let header = reader.headers().map_err(|error| csv_error(path, error))?.clone();
    Ok((reader, header))
}

/// Where the column is that is called by one of `names`; the earliest name that is there counts. `columns`
/// says which ones such a table has.
pub(crate) fn find(path: &Path, header: &[impl AsRef<str>], names: &[&str], columns: &str) -> Result<usize> {
    let position = |name: &&str| header.iter().position(|label| label.as_ref().eq_ignore_ascii_case(name));
    names.iter().find_map(position).ok_or_else(|| {
        let [first, others @ ..] = names else { return bad(path, "it has no columns") };
        let also = if others.is_empty() { String::new() } else { format!(" (or {})", others.join(", ")) };
        bad(path, format!("it has no column {first}{also}; {columns}"))
    })
}

/// A value of a record, which has as many as the header.
pub(crate) fn number(
    record: &StringRecord,
    header: &StringRecord,
    index: usize,
) -> std::result::Result<f64, String> {
    let text = &record[index];
    f64::from_str(text).map_err(|_| format!("column {}: {} is no number", &header[index], quoted(text)))
}

/// The error for what the CSV reader refuses.
pub(crate) fn csv_error(path: &Path, error: csv::Error) -> Error {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(source) => Error::io(path)(source),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            bad(path, format!("line {line}: it has {len} values, where the first line has {expected_len}"))
        }
        ErrorKind::Utf8 { .. } => bad(path, format!("line {line}: it is no text in UTF-8")),
        _ => bad(path, format!("line {line}: it is no CSV")),
    }
}

/// The error for a table.
pub(crate) fn bad(path: &Path, reason: impl Into<String>) -> Error {
    Error::BadTable { path: path.to_owned(), reason: reason.into() }
}
