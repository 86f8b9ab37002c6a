//! Random operands: shapes, and arrays that are views of every kind.
//!
//! An operand of some shape is cut out of a larger buffer: its axes lie there in any order, run
//! forwards or backwards, with gaps, or repeat one element. Host and backend get the same base
//! array and cut the same view out of it, each by its own means.

use std::fmt::{self, Debug};

use array_api::{SliceItem, s};
use ndarray::{Axis, IxDyn, Slice};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::{Array, Backend, Fill, Host, Result, Value, host};

/// How an axis lies in its buffer.
#[derive(Debug, Clone, Copy)]
enum Run {
    /// All elements, one after another.
    Whole,
    /// Every `step`-th element from `from`, `beyond` elements being left over at the end.
    Every { step: usize, from: usize, beyond: usize },
    /// The same from the end towards the beginning.
    Backwards { step: usize, from: usize, beyond: usize },
    /// One element again and again.
    Repeated,
}

/// A view of a buffer, on the host and as it is to be made on a backend.
#[derive(Clone)]
pub(crate) struct Operand<T> {
    /// The elements.
    pub(crate) host: Host<T>,
    base: Host<T>,
    order: Vec<usize>,
    runs: Vec<Run>,
}

impl<T: Value> Debug for Operand<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of shape {:?}: ", T::DTYPE, self.host.shape())?;
        if self.host.len() <= 40 {
            write!(f, "{:?} ", self.host.iter().collect::<Vec<_>>())?;
        }
        write!(f, "(axes in order {:?}, {:?})", self.order, self.runs)
    }
}

impl<T: Value> Operand<T> {
    /// Cuts an array of a shape out of random elements.
    fn new(shape: &[usize], order: Vec<usize>, runs: Vec<Run>, fill: Fill, seed: u64) -> Self {
        let mut base_shape = vec![0; shape.len()];
        for (axis, (&place, &run)) in order.iter().zip(&runs).enumerate() {
            base_shape[place] = match run {
                Run::Whole => shape[axis],
                Run::Every { step, from, beyond } | Run::Backwards { step, from, beyond } => {
                    from + beyond + shape[axis].checked_sub(1).map_or(0, |last| last * step + 1)
                }
                Run::Repeated => 1,
            };
        }
        let base = host::random(&base_shape, fill, seed);
        let mut view = base.view().permuted_axes(IxDyn(&order));
        for (axis, &run) in runs.iter().enumerate() {
            let axis = Axis(axis);
            match run {
                Run::Whole | Run::Repeated => {}
                Run::Every { step, from, beyond } | Run::Backwards { step, from, beyond } => {
                    let end = view.len_of(axis) - beyond;
                    view.slice_axis_inplace(
                        axis,
                        Slice::new(from as isize, Some(end as isize), step as isize),
                    );
                    if matches!(run, Run::Backwards { .. }) {
                        view.invert_axis(axis);
                    }
                }
            }
        }
        let host = T::repeated(&view, shape);
        Self { host, base, order, runs }
    }

    /// The view on a backend, the only owner of its buffer.
    pub(crate) fn on<B: Backend>(&self, xp: &B) -> Result<Array<T, B>> {
        let base = host::upload(xp, &self.base)?.permute_dims(&self.order)?;
        let items: Vec<SliceItem> = self
            .runs
            .iter()
            .zip(base.shape())
            .map(|(&run, &length)| match run {
                Run::Whole | Run::Repeated => (..).into(),
                Run::Every { step, from, beyond } => {
                    SliceItem::from(from..length - beyond).step_by(step as isize)
                }
                Run::Backwards { step, from, beyond } if length > from + beyond => {
                    let stop = from.checked_sub(1).map(|stop| stop as isize);
                    let start = Some((length - beyond - 1) as isize);
                    SliceItem::Range { start, stop, step: -(step as isize) }
                }
                Run::Backwards { .. } => (0..0).into(),
            })
            .collect();
        base.slice(&items)?.broadcast_to(self.host.shape())
    }

    /// Two views of one buffer on a backend, to see that a change of one leaves the other alone.
    pub(crate) fn twice<B: Backend>(&self, xp: &B) -> Result<[Array<T, B>; 2]> {
        let view = self.on(xp)?;
        let other = view.slice(s![array_api::Ellipsis])?;
        Ok([view, other])
    }
}

/// Shapes of up to four axes: empty ones, single elements and odd lengths, now and then a long one.
pub(crate) fn shape() -> impl Strategy<Value = Vec<usize>> {
    let length = || prop_oneof![1 => Just(0_usize), 2 => Just(1), 8 => 2..=7_usize];
    let long = prop_oneof![
        (1..=3_usize, 400..=1400_usize).prop_map(|(a, b)| vec![a, b]),
        (400..=1400_usize, 1..=3_usize).prop_map(|(a, b)| vec![a, b]),
        (66_000..=80_000_usize).prop_map(|n| vec![n]),
        (250..=300_usize, 250..=300_usize).prop_map(|(a, b)| vec![a, b]),
    ];
    prop_oneof![14 => vec(length(), 0..=4), 1 => long]
}

fn run() -> impl Strategy<Value = Run> {
    let gaps = || (1..=3_usize, 0..=2_usize, 0..=2_usize);
    prop_oneof![
        4 => Just(Run::Whole),
        2 => gaps().prop_map(|(step, from, beyond)| Run::Every { step, from, beyond }),
        2 => gaps().prop_map(|(step, from, beyond)| Run::Backwards { step, from, beyond }),
        1 => Just(Run::Repeated),
    ]
}

/// Operands of one shape.
pub(crate) fn operand_of<T: Value>(shape: Vec<usize>, fill: Fill) -> impl Strategy<Value = Operand<T>> {
    let axes: Vec<usize> = (0..shape.len()).collect();
    let order = prop_oneof![Just(axes.clone()), Just(axes).prop_shuffle()];
    (order, vec(run(), shape.len()), any::<u64>())
        .prop_map(move |(order, runs, seed)| Operand::new(&shape, order, runs, fill, seed))
}

/// Operands of any shape.
pub(crate) fn operand<T: Value>(fill: Fill) -> impl Strategy<Value = Operand<T>> {
    shape().prop_flat_map(move |shape| operand_of(shape, fill))
}

/// Two operands that broadcast: from the shape of the result, each leaves out some leading axes
/// and has length 1 along some others.
pub(crate) fn pair<T: Value, S: Value>(
    fills: (Fill, Fill),
) -> impl Strategy<Value = (Operand<T>, Operand<S>)> {
    let narrowed = |shape: Vec<usize>| {
        let axes = shape.len();
        (0..=2 * axes, vec(0..4_u8, axes)).prop_map(move |(skip, ones)| {
            // Half of the operands keep all their axes.
            let skip = if skip > axes { 0 } else { skip };
            let narrow = shape.iter().zip(ones).map(|(&n, one)| if one == 0 { 1 } else { n });
            narrow.skip(skip).collect::<Vec<usize>>()
        })
    };
    shape()
        .prop_flat_map(move |shape| (narrowed(shape.clone()), narrowed(shape)))
        .prop_flat_map(move |(a, b)| (operand_of(a, fills.0), operand_of(b, fills.1)))
}
