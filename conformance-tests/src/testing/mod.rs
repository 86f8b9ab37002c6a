//! What test bodies are written with: host arrays, random cases, comparisons, and the NumPy values.

pub(crate) mod check;
pub(crate) mod host;
pub(crate) mod operand;
pub(crate) mod reference;

use std::any::Any;
use std::fmt::{self, Debug};

use proptest::prelude::{BoxedStrategy, Strategy};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

pub(crate) use array_api::{Array, Backend, Error, Result};
pub(crate) use check::Check;
pub(crate) use host::Host;
pub(crate) use host_arrays::{Fill, Number, Real, Value, Whole};
pub(crate) use libtest_mimic::Failed;
pub(crate) use operand::{Operand, operand, operand_of, pair, shape};

/// A method of one array.
pub(crate) type Method<T, U, B> = fn(&Array<T, B>) -> Result<Array<U, B>>;
/// A method of two arrays.
pub(crate) type Method2<T, U, B> = fn(&Array<T, B>, &Array<T, B>) -> Result<Array<U, B>>;
/// A method of two arrays that overwrites the first.
pub(crate) type Method2InPlace<T, B> = fn(&mut Array<T, B>, &Array<T, B>) -> Result<()>;
/// A method of an array and an axis.
pub(crate) type AxisMethod<T, U, B> = fn(&Array<T, B>, isize) -> Result<Array<U, B>>;
/// A method of an array and some axes, which may stay with length 1.
pub(crate) type AxesMethod<T, U, B> = fn(&Array<T, B>, &[isize], bool) -> Result<Array<U, B>>;
/// A method of an array and an element.
pub(crate) type ScalarMethod<T, U, B> = fn(&Array<T, B>, T) -> Result<Array<U, B>>;

/// What a test body gives back: nothing, or why it failed.
pub(crate) type Outcome = std::result::Result<(), Failed>;

/// A test body with its name.
pub(crate) struct Case<B: Backend> {
    /// Chapter and operation, as in `elementwise::exp`.
    pub(crate) name: String,
    /// The body.
    pub(crate) body: fn(&B, &Check) -> Outcome,
}

/// Lists test bodies of a module under a chapter's name.
macro_rules! cases {
    ($chapter:literal: $($name:ident),* $(,)?) => {
        vec![$($crate::testing::Case {
            name: concat!($chapter, "::", stringify!($name)).to_owned(),
            body: $name::<B>,
        }),*]
    };
}
pub(crate) use cases;

/// Random cases of each property, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 60;

/// A random case of any type, so that the search for failing cases is compiled once for all.
struct AnyCase {
    value: Box<dyn Any>,
    show: fn(&dyn Any, &mut fmt::Formatter<'_>) -> fmt::Result,
}

impl AnyCase {
    fn new<V: Debug + 'static>(value: V) -> Self {
        let show = |value: &dyn Any, f: &mut fmt::Formatter<'_>| match value.downcast_ref::<V>() {
            Some(value) => Debug::fmt(value, f),
            None => f.write_str("a case of another type"),
        };
        Self { value: Box::new(value), show }
    }
}

impl Debug for AnyCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.show)(self.value.as_ref(), f)
    }
}

/// Runs `body` on random cases and reports the simplest one that fails. The cases are the same
/// ones in every run, unless `PROPTEST_RNG_SEED` says otherwise.
pub(crate) fn for_all<V, S>(strategy: S, body: impl Fn(V) -> Outcome) -> Outcome
where
    V: Debug + 'static,
    S: Strategy<Value = V> + 'static,
{
    search(&strategy.prop_map(AnyCase::new).boxed(), &|case: AnyCase| match case.value.downcast::<V>() {
        Ok(value) => body(*value),
        Err(_) => Err("a case of another type".into()),
    })
}

fn search(strategy: &BoxedStrategy<AnyCase>, body: &dyn Fn(AnyCase) -> Outcome) -> Outcome {
    let defaults = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { defaults.cases } else { CASES };
    let rng_seed = match defaults.rng_seed {
        RngSeed::Random => RngSeed::Fixed(2026),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let config = Config { cases, rng_seed, failure_persistence: None, ..defaults };
    TestRunner::new(config)
        .run(strategy, |case| {
            body(case).map_err(|failed| {
                TestCaseError::fail(failed.message().unwrap_or("failed without a word").to_owned())
            })
        })
        .map_err(Failed::from)
}

/// Fails with a message unless a condition holds.
macro_rules! require {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::testing::Failed::from(format!($($message)+)));
        }
    };
}
pub(crate) use require;
