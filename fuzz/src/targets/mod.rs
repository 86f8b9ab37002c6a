//! What is run on hostile input.

mod asteroids;
pub(crate) mod checkpoint;
mod command_line;
mod ffi;
mod model;
mod scene;
mod tpf;

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use backdrop::error::Error;

/// A function that is to do right whatever its input is.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called: on the command line, and the directories of its inputs.
    pub name: &'static str,
    /// Runs it; panics where it does not do right.
    pub run: fn(&[u8]),
    /// So many bytes at the start of an input choose between several forms of it.
    pub prefix: usize,
    /// Words that its inputs have.
    pub words: &'static [&'static str],
}

/// All targets. A new one is a line here, a function, and some inputs in `corpus/`.
pub const TARGETS: &[Target] = &[
    Target { name: "ffi", run: ffi::run, prefix: 1, words: ffi::WORDS },
    Target { name: "model", run: model::run, prefix: 0, words: model::WORDS },
    Target { name: "npz", run: model::run, prefix: 0, words: model::WORDS },
    Target { name: "asteroids", run: asteroids::run, prefix: 0, words: asteroids::WORDS },
    Target { name: "pixels", run: asteroids::run_pixels, prefix: 0, words: &["row", "column", "col"] },
    Target { name: "tpf", run: tpf::run, prefix: 0, words: tpf::WORDS },
    Target { name: "scene", run: scene::run, prefix: 0, words: scene::WORDS },
    Target { name: "arguments", run: command_line::run, prefix: 0, words: command_line::WORDS },
    Target { name: "selection", run: command_line::run_selection, prefix: 1, words: &["..", ",", "0..10"] },
    Target { name: "checkpoint", run: checkpoint::run, prefix: 1, words: checkpoint::WORDS },
];

thread_local! {
    static OUTCOME: Cell<u64> = const { Cell::new(0) };
}

/// What the runs on this thread came to since this was asked last: the same number for the same kind
/// of answer.
pub fn outcome() -> u64 {
    OUTCOME.take()
}

/// Notes what a run came to, in words; numbers in them do not count.
fn note(words: &str) {
    let mut hash = DefaultHasher::new();
    words.split(|letter: char| !letter.is_ascii_alphabetic()).take(12).for_each(|word| word.hash(&mut hash));
    OUTCOME.set(OUTCOME.get().rotate_left(5) ^ hash.finish());
}

/// Checks an error about a file: one line of text that names the file.
#[track_caller]
fn check(error: &Error, path: &Path) {
    let message = error.to_string();
    check_line(&message);
    let name = path.display().to_string();
    assert!(message.starts_with(&name), "an error that does not begin with the name of the file: {message}");
    note(&message[name.len()..]);
}

/// Checks that a message is one line that a terminal shows as it is, and no endless one.
#[track_caller]
fn check_line(message: &str) {
    let odd = message.chars().find(|letter| letter.is_control());
    assert!(odd.is_none(), "an error with {odd:?} in it: {message:?}");
    assert!(message.len() < 2000, "an error of {} bytes: {message:.200}", message.len());
}
