//! Elementwise functions: every one on random views, in all its forms, and on NumPy's values.

mod binary;
mod comparison;
mod conversion;
mod generic;
mod lazy;
mod operator;
mod predicate;
mod unary;

use crate::testing::{Backend, Case};

/// The test bodies of the chapter.
pub(crate) fn cases<B: Backend>() -> Vec<Case<B>> {
    [
        unary::cases(),
        predicate::cases(),
        binary::cases(),
        comparison::cases(),
        conversion::cases(),
        operator::cases(),
        generic::cases(),
        lazy::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
