//! Why the program stops, in one line, and the exit code that goes with it.

use std::fmt;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::output;

/// What `--help` says of exit codes; tests hold it against what the program does.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a file or its content is at fault, or the device
  2    the command line or the environment (USE_CUPY) is at fault
  3    done, but for frames that could not be read and were skipped
  130  interrupted by Ctrl-C or a signal; nothing half-written is left";

/// Why the program stops.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A file, its content or the device is at fault.
    Data(String),
    /// The command line or the environment is at fault.
    Usage(String),
    /// The user, or the system, asked the program to stop.
    Interrupted,
    /// The same, with what the user can do.
    Stopped(String),
    /// The work is done, but for so many frames that could not be read.
    Skipped(usize),
    /// What went wrong has been said already, or is said by another process; with the exit code.
    Reported(u8),
}

impl Failure {
    /// Says what went wrong, in one line on standard error.
    pub(crate) fn report(&self) {
        match self {
            Self::Reported(_) => {}
            Self::Skipped(_) => output::note(&self.to_string()),
            failure => output::error(&failure.to_string()),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Data(_) => 1,
            Self::Usage(_) => 2,
            Self::Skipped(_) => 3,
            Self::Interrupted | Self::Stopped(_) => 130,
            Self::Reported(code) => *code,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(message) | Self::Usage(message) | Self::Stopped(message) => f.write_str(message),
            Self::Skipped(frames) => {
                write!(f, "done, with {} skipped", output::count(*frames, "unreadable frame"))
            }
            Self::Interrupted => f.write_str("interrupted"),
            Self::Reported(_) => Ok(()),
        }
    }
}

impl From<backdrop::error::Error> for Failure {
    fn from(error: backdrop::error::Error) -> Self {
        match error {
            backdrop::error::Error::Cancelled => Self::Interrupted,
            error => Self::Data(error.to_string()),
        }
    }
}

impl From<array_api::Error> for Failure {
    fn from(error: array_api::Error) -> Self {
        match error {
            array_api::Error::InvalidEnvironment { .. } => Self::Usage(error.to_string()),
            error => Self::Data(error.to_string()),
        }
    }
}

/// Answers what the parser makes of the command line: help and version are results, the
/// rest is an error, folded to one line.
pub(crate) fn answer(error: &clap::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output::printed(error.print()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Help as an error: what a user who gave nothing needs to see.
            Err(Failure::Usage(format!("no command given\n\n{}", error.render())))
        }
        _ => Err(Failure::Usage(one_line(&error.render().to_string()))),
    }
}

/// The lines of an error of the parser, without its usage, as one.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let before_usage = message.split("\nUsage:").next().unwrap_or(message);
    let lines = before_usage.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut line = String::new();
    for part in lines.filter(|line| !line.starts_with("For more information")) {
        if !line.is_empty() {
            line += if line.ends_with(':') { " " } else { "; " };
        }
        line.extend(part.chars().flat_map(shown));
    }
    line + "; try --help"
}

/// A letter that a terminal shows; it might obey another one.
fn shown(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control().then(|| letter.escape_default());
    escaped.is_none().then_some(letter).into_iter().chain(escaped.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn parser_errors_become_one_line_that_keeps_the_hint() {
        let error = crate::args::Cli::command()
            .try_get_matches_from(["backdrop", "fit", "--in-dri", "x"])
            .unwrap_err();
        let line = one_line(&error.render().to_string());
        assert!(!line.contains('\n'));
        assert!(line.starts_with("unexpected argument '--in-dri' found; "), "{line}");
        assert!(line.contains("'--in-dir'") && line.ends_with("; try --help"), "{line}");
    }

    #[test]
    fn a_terminal_shows_what_was_written_and_does_not_obey_it() {
        let error = crate::args::Cli::command().try_get_matches_from(["backdrop", "in\rf\to"]).unwrap_err();
        let line = one_line(&error.render().to_string());
        assert!(line.starts_with(r"unrecognized subcommand 'in\rf\to'"), "{line}");
    }
}
