//! Reductions.
//!
//! The elements of an output are cut into chunks. A chunk is taken by the lanes of a block, some
//! threads whose partial results are combined in pairs; the partial results of an output's chunks
//! are reduced in the same way. All of this depends on shape and strides alone, so a reduction has
//! the same bits every time; how many outputs there are does not matter, unless neighbouring ones lie
//! closer to each other than the elements of one. A lane adds up short runs of elements and then their sums, so that
//! rounding errors do not grow with the number of elements (N. J. Higham, *Accuracy and Stability
//! of Numerical Algorithms*, 2nd edition, SIAM, 2002, section 4.2).

use std::marker::PhantomData;

use crate::backend::{Storage, View};
use crate::cuda::driver::Arguments;
use crate::cuda::elementwise::short_name;
use crate::cuda::{Cuda, CudaBuffer, Source, THREADS, kernel_layouts, type_name};
use crate::layout::Layout;
use crate::ops::{CudaReduction, Reduction};
use crate::{Element, Numeric, Result};

/// Elements that a lane combines one after another before it goes on to the next such run.
const RUN: usize = 64;

/// Most elements of a lane: as many runs as a run has elements.
const LONGEST: usize = RUN * RUN;

/// Lanes that keep a device busy; if an output has more elements than these take, a lane gets longer.
const LANES: usize = 1 << 18;

/// Elements in a row that memory hands out well.
const NEIGHBOURS: usize = 32;

/// Kernels of a reduction.
struct Fold<T, R>(PhantomData<(T, R)>);

/// Kernels of the position of an extreme.
struct ArgExtreme<T, const LARGEST: bool>(PhantomData<T>);

/// The kernels of a reduction of `T` to `U`, with the definition of its accumulator `A`.
fn source<T: Element, U: Element>(name: &str, definitions: &str, parts: CudaReduction) -> Source {
    let CudaReduction { identity, load, combine, finish } = parts;
    Source {
        description: format!("{name} of {}", T::DTYPE),
        text: format!(
            r#"
typedef {t} T;
typedef {u} U;
{definitions}
static __device__ __forceinline__ A identity() {{ return {identity}; }}
static __device__ __forceinline__ A load(T x, i64 i) {{ return {load}; }}
static __device__ __forceinline__ A combine(A a, A b) {{ return {combine}; }}
static __device__ __forceinline__ U finish(A r, i64 n) {{ return {finish}; }}
const int THREADS = {THREADS}, RUN = {RUN};
{KERNELS}"#,
            t = type_name(T::DTYPE),
            u = type_name(U::DTYPE),
        ),
        kernels: &["reduce_elements", "reduce_parts"],
    }
}

const KERNELS: &str = r#"
struct Plan {
    // Outputs, and elements of each.
    i64 kept, count;
    // Lanes of an output, elements of a lane, and chunks of an output.
    i64 lanes, length, chunks;
    // Whether neighbouring threads have neighbouring outputs, and not elements of one output.
    i64 across;
};

// What is reduced: elements, or partial results, which lie along one axis.
struct Elements {
    typedef T Type;
    static const bool REGULAR = false;
    static __device__ __forceinline__ A part(T x, i64 i) { return load(x, i); }
};
struct Parts {
    typedef A Type;
    static const bool REGULAR = true;
    static __device__ __forceinline__ A part(A x, i64) { return x; }
};

// Elements first, first + step, ... before end; AT_ONCE of them are loaded at once.
template <class Input, int AT_ONCE, class At> static __device__ __forceinline__ A
lane_result(const typename Input::Type *x, i64 first, i64 step, i64 end, At at) {
    A total = identity();
    i64 i = first;
    while (i + (RUN - 1) * step < end) {
        A run = identity();
        #pragma unroll AT_ONCE
        for (int k = 0; k < RUN; ++k, i += step) run = combine(run, Input::part(x[at(i)], i));
        total = combine(total, run);
    }
    A rest = identity();
    for (; i < end; i += step) rest = combine(rest, Input::part(x[at(i)], i));
    return combine(total, rest);
}

template <class Input> static __device__ __forceinline__ void reduce(
    const typename Input::Type *x, const Layout &outer, const Layout &inner, const Plan &plan, i64 n,
    A *parts, U *out
) {
    __shared__ A results[THREADS];
    const int t = threadIdx.x, lanes = (int)plan.lanes, outputs = THREADS / lanes;
    const int lane = plan.across ? t / outputs : t % lanes;
    const i64 group = divide(blockIdx.x, plan.chunks), chunk = blockIdx.x - group * plan.chunks;
    const i64 output = group * outputs + (plan.across ? t % outputs : t / lanes);
    A result = identity();
    if (output < plan.kept) {
        const typename Input::Type *from = x + position(outer, output);
        const i64 size = lanes * plan.length, stop = (chunk + 1) * size;
        const i64 first = chunk * size + lane, end = stop < plan.count ? stop : plan.count;
        if (Input::REGULAR || inner.ndim == 1) {
            const i64 stride = inner.strides[0];
            result = lane_result<Input, 8>(from, first, lanes, end, [=](i64 i) { return i * stride; });
        } else {
            const auto at = [&](i64 i) { return position(inner, i); };
            result = lane_result<Input, 1>(from, first, lanes, end, at);
        }
    }
    results[t] = result;
    const int step = plan.across ? outputs : 1;
    for (int half = lanes / 2; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half) results[t] = combine(results[t], results[t + half * step]);
    }
    if (lane > 0 || output >= plan.kept) return;
    if (parts) parts[chunk * plan.kept + output] = results[t];
    else out[output] = finish(results[t], n);
}

extern "C" __global__ void
reduce_elements(const T *x, Layout outer, Layout inner, Plan plan, i64 n, A *parts, U *out) {
    reduce<Elements>(x, outer, inner, plan, n, parts, out);
}
extern "C" __global__ void
reduce_parts(const A *x, Layout outer, Layout inner, Plan plan, i64 n, A *parts, U *out) {
    reduce<Parts>(x, outer, inner, plan, n, parts, out);
}
"#;

/// How a reduction is spread over threads: `struct Plan` of the kernels.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Plan {
    kept: i64,
    count: i64,
    lanes: i64,
    length: i64,
    chunks: i64,
    across: i64,
}

impl Plan {
    /// The plan for outputs and elements that lie so, neither of them empty.
    fn new(outer: &Layout, inner: &Layout) -> Self {
        let ([outer], [inner]) = (Layout::collapse([outer]), Layout::collapse([inner]));
        let (kept, count) = (outer.len(), inner.len());
        let last = |layout: &Layout| {
            let (shape, strides) = (layout.shape(), layout.strides());
            (shape.last().copied().unwrap_or(1), strides.last().map_or(1, |stride| stride.unsigned_abs()))
        };
        let ((width, outer_step), (_, inner_step)) = (last(&outer), last(&inner));
        let across = outer_step < inner_step;
        let outputs = if across { width.next_power_of_two().min(NEIGHBOURS) } else { 1 };
        // A lane for every eight elements keeps most of the threads at work.
        let lanes = count.div_ceil(8).next_power_of_two().min(THREADS as usize / outputs);
        let length = (count / LANES).next_multiple_of(RUN).clamp(RUN, LONGEST);
        let chunks = count.div_ceil(lanes * length);
        Self {
            kept: kept as i64,
            count: count as i64,
            lanes: lanes as i64,
            length: length as i64,
            chunks: chunks as i64,
            across: i64::from(across),
        }
    }

    /// Blocks of threads.
    fn blocks(&self) -> usize {
        let outputs = THREADS as usize / self.lanes as usize;
        (self.kept as usize).div_ceil(outputs) * self.chunks as usize
    }
}

/// Reduces the trailing axes of `x`, none of which is empty, by kernels whose accumulator takes
/// `part` bytes.
fn fold<K: 'static, T: Element, U: Element>(
    cuda: &Cuda,
    source: impl Fn() -> Source,
    part: usize,
    x: View<'_, T, Cuda>,
    axes: usize,
) -> Result<CudaBuffer<U>> {
    if x.layout.is_empty() {
        return cuda.allocate(0);
    }
    let (mut outer, mut inner) = x.layout.split(axes);
    let (kept, count) = (outer.len(), inner.len());
    let mut out = cuda.allocate(kept)?;
    let target = out.address_mut(&cuda.0, 0)?;
    let mut name = "reduce_elements";
    let mut from = x.buffer.address(&cuda.0, 0)?;
    // Holds the partial results that are being read until the kernel that reads them is queued.
    let mut _read: CudaBuffer<u8>;
    loop {
        let plan = Plan::new(&outer, &inner);
        let chunks = plan.chunks as usize;
        let wanted = if chunks == 1 { 0 } else { kept.saturating_mul(chunks).saturating_mul(part) };
        let mut parts = cuda.allocate::<u8>(wanted)?;
        let to = parts.address_mut(&cuda.0, 0)?;
        // Both parts of a view name where it begins; kernels add the two.
        let ([first], [mut steps]) = (kernel_layouts([&outer])?, kernel_layouts([&inner])?);
        steps.offset = 0;
        let arguments = Arguments::default()
            .value(from)
            .value(first)
            .value(steps)
            .value(plan)
            .value(count)
            .value(to)
            .value(target);
        cuda.launch(cuda.kernel::<K>(&source, name)?, [plan.blocks(), 1, 1], THREADS, arguments)?;
        if chunks == 1 {
            return Ok(out);
        }
        (outer, inner) = Layout::contiguous(&[chunks, kept]).permute(&[1, 0]).split(1);
        (name, from, _read) = ("reduce_parts", to, parts);
    }
}

/// Reduces the trailing axes of `x`, none of which is empty.
pub(super) fn reduce<T: Element, R: Reduction<T>>(
    cuda: &Cuda,
    x: View<'_, T, Cuda>,
    axes: usize,
) -> Result<CudaBuffer<R::Out>> {
    let definitions = format!("typedef {} A;", type_name(R::Accumulator::DTYPE));
    let source = || source::<T, R::Out>(&short_name::<R>(), &definitions, R::CUDA);
    fold::<Fold<T, R>, T, R::Out>(cuda, source, size_of::<R::Accumulator>(), x, axes)
}

/// Position along the last axis, which is not empty, of the first largest or smallest element; a
/// NaN counts as both.
pub(in crate::cuda) fn arg_extreme<T: Numeric>(
    cuda: &Cuda,
    x: View<'_, T, Cuda>,
    largest: bool,
) -> Result<CudaBuffer<i64>> {
    if largest { arg_extreme_of::<T, true>(cuda, x) } else { arg_extreme_of::<T, false>(cuda, x) }
}

fn arg_extreme_of<T: Numeric, const LARGEST: bool>(
    cuda: &Cuda,
    x: View<'_, T, Cuda>,
) -> Result<CudaBuffer<i64>> {
    let axes = x.layout.ndim().min(1);
    let part = size_of::<i64>() + size_of::<T::Accumulator>();
    fold::<ArgExtreme<T, LARGEST>, T, i64>(cuda, arg_source::<T, LARGEST>, part, x, axes)
}

fn arg_source<T: Numeric, const LARGEST: bool>() -> Source {
    let (name, sign) = if LARGEST { ("argmax", '>') } else { ("argmin", '<') };
    // The accumulator's type has a place for every element, and leaves no gap beside an index.
    let definitions = format!(
        r#"
typedef {value} Value;
struct A {{ i64 index; Value value; }};
static __device__ __forceinline__ A first(A a, A b) {{
    if (a.index < 0 || b.index < 0) return a.index < 0 ? b : a;
    bool nan = is_nan(b.value);
    if (nan != is_nan(a.value)) return nan ? b : a;
    if (nan || a.value == b.value) return b.index < a.index ? b : a;
    return b.value {sign} a.value ? b : a;
}}"#,
        value = type_name(T::Accumulator::DTYPE),
    );
    let parts = CudaReduction {
        identity: "A{-1, 0}",
        load: "A{i, (Value)x}",
        combine: "first(a, b)",
        finish: "r.index",
    };
    source::<T, i64>(name, &definitions, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(shape: &[usize], axes: usize, order: &[usize]) -> Plan {
        let (outer, inner) = Layout::contiguous(shape).permute(order).split(axes);
        Plan::new(&outer, &inner)
    }

    #[test]
    fn chunks_cover_all_elements_and_none_is_empty() {
        for (kept, count) in [(1, 1), (1, 10_000_000), (8, 1_250_000), (1_000_000, 3), (300, 70_000)] {
            for (order, shape) in [([0, 1], [kept, count]), ([1, 0], [count, kept])] {
                let plan = plan(&shape, 1, &order);
                let chunk = plan.lanes * plan.length;
                assert!(plan.chunks * chunk >= count as i64, "{plan:?}");
                assert!((plan.chunks - 1) * chunk < count as i64, "{plan:?}");
                assert_eq!(i64::from(THREADS) % plan.lanes, 0);
                assert_eq!(plan.across == 1, order == [1, 0] && kept > 1 && count > 1, "{plan:?}");
            }
        }
    }

    #[test]
    fn an_output_is_reduced_in_the_same_way_however_many_there_are() {
        // The pixels of images, and every second column of them.
        for columns in [1, 2] {
            let parts = |images: usize| {
                let images = Layout::contiguous(&[images, 3000, 2000 * columns]);
                let (outer, inner) = images.slice(2, 0, columns as isize, 2000).split(2);
                let plan = Plan::new(&outer, &inner);
                (plan.count, plan.lanes, plan.length, plan.chunks)
            };
            assert_eq!(parts(1), (6_000_000, 256, 64, 367));
            assert!([2, 7, 100, 5000].iter().all(|&images| parts(images) == parts(1)));
        }
    }

    #[test]
    fn partial_results_get_fewer_until_one_is_left() {
        // Ten million elements: blocks of 256 lanes with 64 elements each.
        let first = plan(&[1, 10_000_000], 1, &[0, 1]);
        assert_eq!((first.lanes, first.length, first.chunks, first.blocks()), (256, 64, 611, 611));
        let second = plan(&[611, 1], 1, &[1, 0]);
        assert_eq!((second.chunks, second.blocks()), (1, 1));
        // Many short rows: one thread for each.
        let short = plan(&[1000, 8], 1, &[0, 1]);
        assert_eq!((short.lanes, short.blocks()), (1, 4));
    }
}
