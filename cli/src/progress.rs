//! The progress bar, on standard error, if that is a terminal.

use std::sync::Mutex;

use backdrop::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::interrupt;

/// A bar with the frames done, the speed and the time left; cancels on Ctrl-C.
#[derive(Debug)]
pub(crate) struct Bar {
    shown: bool,
    bar: Mutex<ProgressBar>,
}

impl Bar {
    /// A bar that is hidden unless `shown` and standard error is a terminal.
    pub(crate) fn new(shown: bool) -> Self {
        Self { shown, bar: Mutex::new(ProgressBar::hidden()) }
    }

    fn with(&self, change: impl FnOnce(&mut ProgressBar)) {
        // A bar is whole after any panic that poisoned it.
        change(&mut self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Progress for Bar {
    fn start(&self, stage: &str, total: usize) {
        let target = if self.shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let template = "{msg:12} [{bar:32}] {pos}/{len} frames  {per_sec}  {eta} left";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("per_sec", |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.1} frames/s", state.per_sec());
            })
            .progress_chars("=> ");
        let next = ProgressBar::with_draw_target(Some(total as u64), target)
            .with_style(style)
            // An interrupted bar is to leave no trace either.
            .with_finish(ProgressFinish::AndClear)
            .with_message(stage.to_owned());
        self.with(|bar| *bar = next);
    }

    fn advance(&self, n: usize) {
        self.with(|bar| bar.inc(n as u64));
    }

    fn finish(&self) {
        self.with(|bar| bar.finish_and_clear());
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}
