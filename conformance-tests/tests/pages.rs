//! Pages and tables that must keep up with the code.

use std::path::{Path, PathBuf};

use conformance_tests::standard;

/// The folder of the workspace.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files of a folder, and with `deep` those of folders in it.
fn sources(folder: &Path, deep: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && deep {
            found.extend(sources(&path, deep));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_page_on_the_standard_is_up_to_date() {
    let path = workspace().join("array-api/STANDARD.md");
    assert!(
        read(&path) == standard::page(),
        "{} is out of date: cargo run -p conformance-tests --example standard > array-api/STANDARD.md",
        path.display()
    );
}

/// Public functions that no test body calls, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("from_env", "reads the environment of the whole process; from_flag does the same with a value"),
    ("cuda_from_env", "reads the environment of the whole process; from_flag does the same with a value"),
    ("cuda_device", "opens a backend, which the suite does before any test"),
    ("new", "opens a backend, which the suite does before any test"),
];

/// The names of the public functions of `array-api`: `pub fn name`, and the rows of the tables that
/// make methods.
fn operations() -> Vec<String> {
    let mut names = Vec::new();
    for path in sources(&workspace().join("array-api/src"), false) {
        // The traits of a backend are called by the operations.
        if path.ends_with("backend.rs") || path.ends_with("layout.rs") {
            continue;
        }
        let text = read(&path);
        let mut in_table = false;
        for line in text.split("#[cfg(test)]").next().unwrap_or_default().lines() {
            let code = line.trim_start();
            if let Some(rest) = code.strip_prefix("pub fn ") {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                names.extend(Some(name).filter(|name| !name.is_empty()));
            }
            in_table = match line {
                "unary_functions! {"
                | "predicates! {"
                | "binary_functions! {"
                | "comparisons! {"
                | "reduction_methods! {" => true,
                "}" => false,
                _ => in_table,
            };
            if in_table && !code.starts_with("//") && line.starts_with("    ") && !line.starts_with("     ") {
                let is_name = |word: &&str| {
                    word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                };
                names.extend(code.split(", ").take_while(is_name).map(str::to_owned));
            }
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn every_public_operation_is_called_by_a_test_body() {
    let bodies: String =
        sources(&workspace().join("conformance-tests/src/ops"), true).iter().map(|path| read(path)).collect();
    let words: std::collections::HashSet<&str> =
        bodies.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let operations = operations();
    assert!(operations.len() > 200, "only {} operations were found", operations.len());
    let exempt = |name: &str| EXEMPT.iter().any(|(other, _)| *other == name);
    let missing: Vec<&String> =
        operations.iter().filter(|name| !words.contains(name.as_str()) && !exempt(name)).collect();
    assert!(missing.is_empty(), "no test body calls {missing:?}");
}
