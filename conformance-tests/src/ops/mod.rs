//! The test bodies, by chapters of the array API standard.

mod creation;
mod elementwise;
mod indexing;
mod manipulation;

use crate::testing::{Backend, Case};

/// All test bodies.
pub(crate) fn cases<B: Backend>() -> Vec<Case<B>> {
    [creation::cases(), elementwise::cases(), manipulation::cases(), indexing::cases()].into_iter().flatten().collect()
}
