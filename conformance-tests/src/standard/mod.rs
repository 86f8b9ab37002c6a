//! How far `array-api` covers the Python array API standard 2025.12: the page
//! `array-api/STANDARD.md`, made from tables that name the methods themselves, so that a method
//! that is renamed or removed does not compile here.
//!
//! `cargo run -p conformance-tests --example standard > array-api/STANDARD.md` writes the page; a
//! test compares the two.

mod chapters;

use std::fmt::Write;

/// How much of a function of the standard there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coverage {
    /// All of it.
    Full,
    /// Some of it; the note says what is missing.
    Part,
    /// Nothing.
    None,
}

/// A function of the standard.
#[derive(Debug, Clone)]
struct Row {
    /// Its name in the standard.
    name: &'static str,
    coverage: Coverage,
    /// What stands for it here; empty if nothing does.
    here: String,
    note: &'static str,
}

/// A chapter of the standard.
struct Chapter {
    title: &'static str,
    rows: Vec<Row>,
}

/// A path without its type parameters.
fn without_parameters(path: &str) -> String {
    let mut name = String::new();
    let mut depth = 0;
    for c in path.split_whitespace().collect::<String>().replace("::<", "<").chars() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => name.push(c),
            _ => {}
        }
    }
    name
}

/// The page as Markdown.
pub fn page() -> String {
    let chapters = chapters::chapters();
    let mut page = String::from(INTRODUCTION);
    let (mut full, mut part, mut none) = (0, 0, 0);
    let mut tables = String::new();
    for Chapter { title, rows } in &chapters {
        let count = |coverage| rows.iter().filter(|row| row.coverage == coverage).count();
        full += count(Coverage::Full);
        part += count(Coverage::Part);
        none += count(Coverage::None);
        // Writing to a string cannot fail.
        let _ = writeln!(tables, "\n## {title}\n\n| standard | here | |\n|---|---|---|");
        for row in rows {
            let here = if row.here.is_empty() { String::new() } else { format!("`{}`", row.here) };
            let mark = match row.coverage {
                Coverage::Full => "yes",
                Coverage::Part => "partly",
                Coverage::None => "no",
            };
            let note = if row.note.is_empty() { mark.to_owned() } else { format!("{mark}: {}", row.note) };
            let _ = writeln!(tables, "| `{}` | {here} | {note} |", row.name);
        }
    }
    let _ = writeln!(page, "Of {} entries, {full} are there, {part} partly, {none} not.", full + part + none);
    page.push_str(&tables);
    page.push_str(CONCLUSION);
    page
}

const INTRODUCTION: &str = "\
# array-api and the array API standard

What `array-api` has of the [Python array API standard 2025.12](https://data-apis.org/array-api/2025.12/),
chapter by chapter. This page is made by `cargo run -p conformance-tests --example standard`; a test fails
when it is out of date.

Differences that hold everywhere:

- Element types are Rust's, known when a program is compiled: `Array<f32, _>` and `Array<f64, _>` never mix,
  and a function that makes no sense for an element type does not exist for it.
- Every function returns a `Result`: an operation needs memory, which may not be there.
- Optional arguments are functions of their own: `sum()` takes all axes, `sum_axes(&[0], true)` some of them.
- A number in place of the second array has a form of its own, as in `add_scalar`, and so has `out=`, as in
  `add_assign`.
- Sums of `i32` and `u8` are `i64`.

";

const CONCLUSION: &str = "
## Beyond the standard

`median`, `nan_to_num`, `exp2`, `exp10`; `compress`, `compress_axis`, `scatter_add`; `linalg::cho_factor`,
`linalg::cho_factor_overwrite`, `linalg::cholesky_solve`, `linalg::solve_triangular`, `matmul_add_assign`; sparse
matrices (`Csr`), splines (`BSplineBasis`, `PiecewisePolynomials`, `SplineOperator`) and tiles (`backend::Storage`).
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_type_parameters_only() {
        assert_eq!(without_parameters("Array :: < f64, Cpu > :: astype :: < f32 >"), "Array::astype");
        assert_eq!(without_parameters("linalg::det::<f64, Cpu>"), "linalg::det");
    }

    #[test]
    fn what_is_partly_there_says_what_is_missing() {
        for row in chapters::chapters().iter().flat_map(|chapter| &chapter.rows) {
            let said = !row.note.is_empty();
            assert!(row.coverage != Coverage::Part || said, "{} lacks a note", row.name);
            assert_eq!(row.coverage == Coverage::None, row.here.is_empty(), "{}", row.name);
        }
    }
}
