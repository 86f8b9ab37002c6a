//! Prints the page `array-api/STANDARD.md`.

fn main() {
    print!("{}", conformance_tests::standard::page());
}
