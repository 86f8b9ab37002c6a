//! What an `array-api` backend must do: one generic test body for each operation, run on every
//! backend present.
//!
//! A body compares an operation with its definition, written out as loops over host data, on random
//! arrays (empty ones, views with gaps, reversed, transposed and repeated axes, NaN and infinities
//! sprinkled in), and with values that NumPy and SciPy gave (`reference/numpy.json`, written by
//! `reference.py`). Limits on errors stand in one table, [`tolerance`].
//!
//! `cargo test -p conformance-tests --test conformance` runs the suite and prints a table of
//! operations and backends with the worst error of each; words after `--` select tests by name.
//! `CONFORMANCE_REQUIRE=cpu,cuda` makes it an error if one of these backends cannot be used.
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change number and choice of the random cases.
//!
//! A new backend takes one line in [`backends`].

mod ops;
mod report;
pub mod standard;
mod suite;
mod testing;
pub mod tolerance;

pub use report::Report;
pub use suite::{Suite, backends, complaints, trials};
