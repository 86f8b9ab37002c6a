//! The `backdrop` program.
fn main() {}
