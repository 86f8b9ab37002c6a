//! What NumPy and SciPy give: `reference/numpy.json`, written by `reference.py`.
//!
//! Elements are stored as their bits, in hexadecimal, so that NaN, infinities and the last digit
//! survive. Functions of one or two arrays are tabulated for all pairs of special values.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ndarray::{ArrayD, IxDyn};
use serde::Deserialize;

use super::{Failed, Host, Value};

/// An array in the file.
#[derive(Debug, Clone, Deserialize)]
struct Stored {
    dtype: String,
    shape: Vec<usize>,
    bits: String,
}

/// An operation with its arguments and its result.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    op: String,
    inputs: Vec<String>,
    #[serde(default)]
    options: BTreeMap<String, serde_json::Value>,
    output: Stored,
}

#[derive(Debug, Deserialize)]
struct File {
    arrays: BTreeMap<String, Stored>,
    records: Vec<Record>,
}

static FILE: LazyLock<std::result::Result<File, String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../reference/numpy.json")).map_err(|error| error.to_string())
});

fn file() -> std::result::Result<&'static File, Failed> {
    FILE.as_ref().map_err(|error| format!("reference/numpy.json: {error}").into())
}

/// The records of an operation whose first argument has elements `T`; there must be some.
pub(crate) fn records<T: Value>(op: &str) -> std::result::Result<Vec<&'static Record>, Failed> {
    let file = file()?;
    let dtype = T::DTYPE.to_string();
    let fits = |record: &&Record| {
        record.op == op
            && record.inputs.first().and_then(|name| file.arrays.get(name)).is_some_and(|x| x.dtype == dtype)
    };
    let found: Vec<_> = file.records.iter().filter(fits).collect();
    if found.is_empty() {
        return Err(format!("reference/numpy.json has no {op} of {dtype}").into());
    }
    Ok(found)
}

impl Record {
    /// Argument number `index`.
    pub(crate) fn input<T: Value>(&self, index: usize) -> std::result::Result<Host<T>, Failed> {
        let name = self.inputs.get(index).ok_or_else(|| format!("{}: no argument {index}", self.op))?;
        file()?.arrays.get(name).ok_or_else(|| format!("{}: no array {name}", self.op))?.decode()
    }

    /// The result.
    pub(crate) fn output<T: Value>(&self) -> std::result::Result<Host<T>, Failed> {
        self.output.decode()
    }

    /// Whether the result has elements of this type.
    pub(crate) fn gives<T: Value>(&self) -> bool {
        self.output.dtype == T::DTYPE.to_string()
    }

    /// A named number, such as an axis.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.options.get(name)?.as_f64()
    }

    /// The axis of the operation; none for all elements.
    pub(crate) fn axis(&self) -> Option<isize> {
        self.number("axis").map(|axis| axis as isize)
    }

    /// Words for messages.
    pub(crate) fn title(&self) -> String {
        format!("NumPy's {}({}, {:?})", self.op, self.inputs.join(", "), self.options)
    }
}

impl Stored {
    fn decode<T: Value>(&self) -> std::result::Result<Host<T>, Failed> {
        let wrong =
            |what: &str| Failed::from(format!("reference/numpy.json: {what} in an array of {}", self.dtype));
        if self.dtype != T::DTYPE.to_string() {
            return Err(wrong(&format!("not {}", T::DTYPE)));
        }
        let digits = 2 * size_of::<T>();
        let values = self
            .bits
            .as_bytes()
            .chunks(digits)
            .map(|chunk| std::str::from_utf8(chunk).ok().and_then(T::from_hex))
            .collect::<Option<Vec<T>>>()
            .ok_or_else(|| wrong("bad digits"))?;
        ArrayD::from_shape_vec(IxDyn(&self.shape), values).map_err(|_| wrong("wrong length"))
    }
}
