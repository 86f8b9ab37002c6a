//! What the libraries say of their work.

use std::{fmt, io};

use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

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

    /// Begins logging, with the number of this process in each line if there are others.
    pub(crate) fn install(self, rank: Option<usize>) {
        // A reader of the log that goes away is no reason to stop the work.
        let log = tracing_subscriber::fmt().with_target(false).log_internal_errors(false);
        let log = log.with_timer(Head { time: self != Self::Warnings, rank });
        match self {
            Self::Warnings => log.with_max_level(Level::WARN).with_writer(io::stderr).init(),
            Self::StepsOnStdout => {
                log.with_max_level(Level::INFO).with_ansi(false).with_writer(io::stdout).init();
            }
            Self::StepsOnStderr => log.with_max_level(Level::INFO).with_writer(io::stderr).init(),
        }
    }
}

/// What a line of the log begins with.
struct Head {
    time: bool,
    rank: Option<usize>,
}

impl FormatTime for Head {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        if self.time {
            SystemTime.format_time(w)?;
        }
        match self.rank {
            Some(rank) if self.time => write!(w, " rank {rank}"),
            Some(rank) => write!(w, "rank {rank}"),
            None => Ok(()),
        }
    }
}
