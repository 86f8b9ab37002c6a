//! The test bodies, by chapters of the array API standard.

mod background;
mod creation;
mod elementwise;
mod indexing;
mod linear_algebra;
mod manipulation;
mod scene;
mod searching;
mod sparse;
mod spline;
mod statistical;
mod text;
mod tiles;

use crate::testing::{Backend, Case};

/// All test bodies.
pub(crate) fn cases<B: Backend>() -> Vec<Case<B>> {
    [
        creation::cases(),
        elementwise::cases(),
        manipulation::cases(),
        indexing::cases(),
        statistical::cases(),
        searching::cases(),
        linear_algebra::cases(),
        sparse::cases(),
        spline::cases(),
        tiles::cases(),
        text::cases(),
        background::cases(),
        scene::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
