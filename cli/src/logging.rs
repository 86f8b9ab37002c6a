//! What the libraries say of their work.

use std::io;

use tracing::Level;

/// Where the program logs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// Warnings, on standard error.
    Warnings,
    /// Each step, on standard output, as `--verbose` asks for.
    StepsOnStdout,
    /// Each step, on standard error, where standard output is one JSON object.
    StepsOnStderr,
}

impl Log {
    pub(crate) fn new(verbose: bool, json: bool) -> Self {
        match (verbose, json) {
            (false, _) => Self::Warnings,
            (true, false) => Self::StepsOnStdout,
            (true, true) => Self::StepsOnStderr,
        }
    }

    /// Begins logging.
    pub(crate) fn install(self) {
        // A reader of the log that goes away is no reason to stop the work.
        let log = tracing_subscriber::fmt().with_target(false).log_internal_errors(false);
        match self {
            Self::Warnings => log.with_max_level(Level::WARN).with_writer(io::stderr).without_time().init(),
            Self::StepsOnStdout => {
                log.with_max_level(Level::INFO).with_ansi(false).with_writer(io::stdout).init();
            }
            Self::StepsOnStderr => log.with_max_level(Level::INFO).with_writer(io::stderr).init(),
        }
    }
}
