//! The command line of the program, and lists of numbers on it.

use std::ffi::OsString;

use backdrop_cli::parse;

use super::{check_line, note};

pub(super) const WORDS: &[&str] = &[
    "fit",
    "model",
    "correct",
    "flag",
    "scene",
    "plot",
    "info",
    "simulate",
    "demo",
    "devices",
    "completions",
    "help",
    "--help",
    "-h",
    "--version",
    "-V",
    "--",
    "-",
    "--json",
    "--verbose",
    "--in-dir",
    "--out-dir",
    "--out",
    "--overwrite",
    "--format",
    "npz",
    "fits",
    "--sector",
    "--camera",
    "--ccd",
    "--max-frames",
    "--cutout-size",
    "--preset",
    "classic",
    "--nknots",
    "--quality-bitmask",
    "--asteroids",
    "--mask-window",
    "--sample-pixels",
    "--seed",
    "--frames-per-rank",
    "--mpi",
    "--buffer-gather",
    "--cupy",
    "--device",
    "--threads",
    "--frames",
    "--rows",
    "--columns",
    "--sigma",
    "--model",
    "--average",
    "--add-sigma",
    "--lightcurve",
    "--threshold",
    "--detrend",
    "--corner",
    "--frame",
    "--level",
    "--rate",
    "--pixel",
    "--targets",
    "--set-quality",
    "--pictures",
    "frames,level",
    "--movie",
    "apng",
    "--fps",
    "--time",
    "spline",
    "--tile",
    "--size",
    "--stars",
    "--no-noise",
    "--blown-out-frame",
    "--dead-columns",
    "--flagged-frames",
    "--cadence",
    "--variables",
    "--glints",
    "--gap",
    "--layout",
    "tica",
    "--compression",
    "fz",
    "bash",
    "zsh",
    "fish",
    "0,5,10..20",
    "..",
    "-3,-44",
    "100,200",
    "MODEL.fits",
];

/// Any words, one a line.
pub(super) fn run(input: &[u8]) {
    #[cfg(unix)]
    let word = |word: &[u8]| std::os::unix::ffi::OsStringExt::from_vec(word.to_vec());
    #[cfg(not(unix))]
    let word = |word: &[u8]| OsString::from(String::from_utf8_lossy(word).into_owned());
    let words: Vec<OsString> = input.split(|&byte| byte == b'\n').map(word).collect();
    let words = || [OsString::from("backdrop")].into_iter().chain(words.clone()).collect();
    let understood = parse::command_line(words());
    assert_eq!(understood, parse::command_line(words()), "the same words mean something else now");
    match understood {
        Ok(command) => note(&command),
        // Help in place of an error has lines.
        Err(message) if message.starts_with("no command given\n\n") => note("help"),
        Err(message) => {
            // What the user wrote is in it, however long that is.
            assert!(message.len() < 2000 + 10 * input.len(), "an error of {} bytes", message.len());
            check_line(&message.chars().take(400).collect::<String>());
            note(message.split('\'').next().unwrap_or_default());
        }
    }
}

/// A list of numbers; the first byte says how many there are.
pub(super) fn run_selection(input: &[u8]) {
    const LENGTHS: [usize; 6] = [0, 1, 8, 2048, 100_000, usize::MAX];
    let Some((&choice, text)) = input.split_first() else { return };
    let length = LENGTHS[usize::from(choice) % LENGTHS.len()];
    // A list that repeats everything again and again is as long as it says; that is no fault.
    let text = String::from_utf8_lossy(&text[..text.len().min(1000)]);
    if length == usize::MAX && text.contains("..") {
        return;
    }
    match parse::selection(&text, length) {
        Ok(numbers) => {
            assert!(!numbers.is_empty() && numbers.iter().all(|&number| number < length));
            note("selected");
            let listed = numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            assert_eq!(parse::selection(&listed, length), Ok(numbers), "the list of what was selected");
        }
        Err(message) => {
            check_line(&message.chars().take(400).collect::<String>());
            note(message.split('"').next().unwrap_or_default());
        }
    }
}
