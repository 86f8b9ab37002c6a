//! How long work reports how far it is, and is told to stop.

/// What hears how far some work is. Called from the thread that does the work.
pub trait Progress: Sync {
    /// A stage of `total` steps, such as frames, begins.
    fn start(&self, stage: &str, total: usize);

    /// `n` more steps of the stage are done.
    fn advance(&self, n: usize);

    /// The stage is done.
    fn finish(&self);

    /// Whether the work is to stop at the next good place, with
    /// [`Error::Cancelled`](crate::error::Error::Cancelled).
    fn cancelled(&self) -> bool;
}

/// A [`Progress`] that says nothing and never cancels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _stage: &str, _total: usize) {}

    fn advance(&self, _n: usize) {}

    fn finish(&self) {}

    fn cancelled(&self) -> bool {
        false
    }
}
