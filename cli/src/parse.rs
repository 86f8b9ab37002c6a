//! What the program understands, without doing any of it, for those who try whether it understands
//! everything (`fuzz/`).

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::failure;
use crate::selection::Selection;

/// What is understood of a command line, the name of the program first, as text for developers: the
/// command with its flags, or the help or version that is asked for.
///
/// # Errors
/// What the program says of a command line that it does not understand.
///
/// ```
/// let words = |line: &str| line.split(' ').map(Into::into).collect();
/// let understood = backdrop_cli::parse::command_line(words("backdrop info --json MODEL.fits"));
/// assert!(understood.unwrap().contains("json: true"));
/// let refused = backdrop_cli::parse::command_line(words("backdrop info --jsn MODEL.fits"));
/// assert!(refused.unwrap_err().starts_with("unexpected argument '--jsn' found"));
/// ```
pub fn command_line(words: Vec<OsString>) -> Result<String, String> {
    match Cli::try_parse_from(words) {
        Ok(cli) => Ok(format!("{:?}", cli.command)),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(error.render().to_string())
        }
        Err(error) => match failure::answer(&error) {
            Ok(()) => Ok(error.render().to_string()),
            Err(failure) => Err(failure.to_string()),
        },
    }
}

/// The numbers out of `0..length` that a list such as `0,5,10..20` selects.
///
/// # Errors
/// What the program says of another text, or of numbers that are not there.
///
/// ```
/// assert_eq!(backdrop_cli::parse::selection("7,0..3", 8), Ok(vec![7, 0, 1, 2]));
/// assert!(backdrop_cli::parse::selection("8", 8).is_err());
/// ```
pub fn selection(text: &str, length: usize) -> Result<Vec<usize>, String> {
    text.parse::<Selection>()?.resolve(length, "frame")
}
