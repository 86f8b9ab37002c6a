//! Indexing by arrays, and choosing between two arrays.
//!
//! Where an index repeats, sums have to be taken in a fixed order. With few indices one thread goes
//! through all of them for its place; with many, they are sorted first, and a thread adds up what
//! belongs to one index.

use super::driver::Arguments;
use super::{Contiguous, Cuda, CudaBuffer, Source, kernel_layouts, statistical, type_name};
use crate::backend::{Indexing, Searching, Sorting, Storage, View};
use crate::layout::Layout;
use crate::{DType, Element, Error, Numeric, Result};

/// Kernels that take and choose elements of so many bytes.
struct Take<const BYTES: usize>;

/// Kernels that add at indices.
struct Scatter<T>(std::marker::PhantomData<T>);

/// Kernels that find elements that are true.
struct Find;

/// Indices that a thread may go through for one place before sorting them is quicker.
const FEW: usize = 64;

/// Threads that are enough to keep a device busy.
const MANY: usize = 1 << 14;

fn take_source<const BYTES: usize>() -> Source {
    let word = match BYTES {
        1 => "u8",
        4 => "unsigned",
        _ => "unsigned long long",
    };
    Source {
        description: format!("taking elements of {BYTES} bytes"),
        text: format!(
            r#"
typedef {word} T;
struct Axes {{ i64 offset, outer, along, inner; }};
extern "C" __global__ void take(
    const T *x, Axes axes, i64 length, const i64 *indices, i64 count, i64 inner, T *out, i64 n
) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 row = divide(i, inner), o = divide(row, count);
    i64 index = indices[row - o * count];
    if (index < 0) index += length;
    out[i] = x[axes.offset + o * axes.outer + index * axes.along + (i - row * inner) * axes.inner];
}}
extern "C" __global__ void gather(const T *x, Layout layout, const i64 *places, T *out, i64 n) {{
    i64 i = thread_number();
    if (i < n) out[i] = x[position(layout, places[i])];
}}
extern "C" __global__ void select(
    const bool *condition, Layout lc, const T *a, Layout la, const T *b, Layout lb, T *out, i64 n
) {{
    i64 i = thread_number();
    if (i < n) out[i] = condition[position(lc, i)] ? a[position(la, i)] : b[position(lb, i)];
}}
"#
        ),
        kernels: &["take", "gather", "select"],
    }
}

fn run_take<T: Element>(cuda: &Cuda, name: &'static str, count: usize, arguments: Arguments) -> Result<()> {
    match size_of::<T>() {
        1 => cuda.for_each::<Take<1>>(take_source::<1>, name, count, arguments),
        4 => cuda.for_each::<Take<4>>(take_source::<4>, name, count, arguments),
        _ => cuda.for_each::<Take<8>>(take_source::<8>, name, count, arguments),
    }
}

fn scatter_source<T: Element>() -> Source {
    Source {
        description: format!("scatter_add of {}", T::DTYPE),
        text: format!(
            r#"
typedef {t} T;
struct Axes {{ i64 offset, outer, along, inner; }};
static __device__ __forceinline__ i64 resolve(i64 index, i64 length) {{
    return index < 0 ? index + length : index;
}}
static __device__ __forceinline__ T *place(T *target, Axes axes, i64 o, i64 index, i64 k) {{
    return target + axes.offset + o * axes.outer + index * axes.along + k * axes.inner;
}}
static __device__ __forceinline__ T value(const T *values, Axes axes, i64 o, i64 j, i64 k) {{
    return values[axes.offset + o * axes.outer + j * axes.along + k * axes.inner];
}}
extern "C" __global__ void resolve_all(const i64 *indices, i64 length, i64 *out, i64 n) {{
    i64 i = thread_number();
    if (i < n) out[i] = resolve(indices[i], length);
}}
// A thread for each pair of outer and inner index goes through all indices.
extern "C" __global__ void add_in_turn(
    T *target, Axes to, i64 length, const i64 *indices, i64 count, const T *values, Axes from, i64 inner, i64 n
) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 o = divide(i, inner), k = i - o * inner;
    for (i64 j = 0; j < count; ++j) {{
        T *at = place(target, to, o, resolve(indices[j], length), k);
        *at = add(*at, value(values, from, o, j, k));
    }}
}}
// A thread for each outer index, entry of the sorted list and inner index; the first entry of those
// with one index adds for all of them.
extern "C" __global__ void add_sorted(
    T *target, Axes to, const i64 *indices, const i64 *order, i64 count, const T *values, Axes from, i64 inner,
    i64 n
) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 row = divide(i, inner), k = i - row * inner, o = divide(row, count), s = row - o * count;
    i64 index = indices[order[s]];
    if (s > 0 && indices[order[s - 1]] == index) return;
    T *at = place(target, to, o, index, k);
    T sum = *at;
    for (; s < count && indices[order[s]] == index; ++s) sum = add(sum, value(values, from, o, order[s], k));
    *at = sum;
}}
"#,
            t = type_name(T::DTYPE),
        ),
        kernels: &["resolve_all", "add_in_turn", "add_sorted"],
    }
}

/// `struct Axes` of the kernels: offset and strides of a view of three axes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Axes([i64; 4]);

impl Axes {
    fn new(layout: &Layout) -> Self {
        let strides = layout.strides();
        Self([layout.offset() as i64, strides[0] as i64, strides[1] as i64, strides[2] as i64])
    }
}

/// The indices in order, once it is known that all of them lie on an axis of `length`.
fn checked<'a>(
    cuda: &Cuda,
    indices: View<'a, i64, Cuda>,
    length: usize,
    operation: &'static str,
) -> Result<Contiguous<'a, i64>> {
    let valid = |index: i64| (-(length as i64)..length as i64).contains(&index);
    // All of the buffer is looked at, which is known without asking the device for indices that came
    // from the host; the view may be a part of it.
    if !indices.layout.is_empty()
        && let Some((low, high)) = indices.buffer.range(&cuda.0)?
        && !(valid(low) && valid(high))
        && let Some(&index) = cuda.download(indices)?.iter().find(|&&index| !valid(index))
    {
        return Err(Error::IndexOutOfRange { operation, index, length });
    }
    cuda.contiguous(indices)
}

impl Indexing for Cuda {
    fn take<T: Element>(&self, x: View<'_, T, Self>, indices: View<'_, i64, Self>) -> Result<CudaBuffer<T>> {
        let [outer, length, inner] = [0, 1, 2].map(|axis| x.layout.shape()[axis]);
        let indices = checked(self, indices, length, "take")?;
        let n = outer * indices.len * inner;
        let mut out = self.allocate(n)?;
        let arguments = Arguments::default()
            .value(x.buffer.address(&self.0, 0)?)
            .value(Axes::new(x.layout))
            .value(length)
            .value(indices.address(&self.0)?)
            .value(indices.len)
            .value(inner)
            .value(out.address_mut(&self.0, 0)?)
            .value(n);
        run_take::<T>(self, "take", n, arguments)?;
        Ok(out)
    }

    fn scatter_add<T: Numeric>(
        &self,
        target: &mut CudaBuffer<T>,
        layout: &Layout,
        indices: View<'_, i64, Self>,
        values: View<'_, T, Self>,
    ) -> Result<()> {
        let [outer, length, inner] = [0, 1, 2].map(|axis| layout.shape()[axis]);
        let indices = checked(self, indices, length, "scatter_add")?;
        let count = indices.len;
        let source = scatter_source::<T>;
        let target = target.address_mut(&self.0, 0)?;
        let values = (values.buffer.address(&self.0, 0)?, Axes::new(values.layout));
        if count <= FEW || outer * inner >= MANY {
            let n = if count == 0 { 0 } else { outer * inner };
            let arguments = Arguments::default()
                .value(target)
                .value(Axes::new(layout))
                .value(length)
                .value(indices.address(&self.0)?)
                .value(count)
                .value(values.0)
                .value(values.1)
                .value(inner)
                .value(n);
            return self.for_each::<Scatter<T>>(source, "add_in_turn", n, arguments);
        }
        let mut resolved = self.allocate::<i64>(count)?;
        let arguments = Arguments::default()
            .value(indices.address(&self.0)?)
            .value(length)
            .value(resolved.address_mut(&self.0, 0)?)
            .value(count);
        self.for_each::<Scatter<T>>(source, "resolve_all", count, arguments)?;
        let list = Layout::contiguous(&[count]);
        let order = self.argsort(View { buffer: &resolved, layout: &list }, false)?;
        let n = outer * count * inner;
        let arguments = Arguments::default()
            .value(target)
            .value(Axes::new(layout))
            .value(resolved.address(&self.0, 0)?)
            .value(order.address(&self.0, 0)?)
            .value(count)
            .value(values.0)
            .value(values.1)
            .value(inner)
            .value(n);
        self.for_each::<Scatter<T>>(source, "add_sorted", n, arguments)
    }

    fn compress<T: Element>(
        &self,
        x: View<'_, T, Self>,
        mask: View<'_, bool, Self>,
    ) -> Result<(CudaBuffer<T>, usize)> {
        let (places, count) = self.flat_nonzero(mask)?;
        let mut out = self.allocate(count)?;
        let [layout] = kernel_layouts([x.layout])?;
        let arguments = Arguments::default()
            .value(x.buffer.address(&self.0, 0)?)
            .value(layout)
            .value(places.address(&self.0, 0)?)
            .value(out.address_mut(&self.0, 0)?)
            .value(count);
        run_take::<T>(self, "gather", count, arguments)?;
        Ok((out, count))
    }
}

/// Threads of the block that adds up the counts of all blocks.
const SCANNING: u32 = 1024;

fn find_source() -> Source {
    Source {
        description: format!("positions of elements that are {}", DType::Bool),
        text: format!(
            r#"
extern "C" __global__ void count(const bool *mask, Layout layout, i64 n, i64 *counts) {{
    i64 i = thread_number();
    int found = __syncthreads_count(i < n && mask[position(layout, i)]);
    if (threadIdx.x == 0) counts[blockIdx.x] = found;
}}
// One block: what comes before each block, and how many there are in all.
extern "C" __global__ void offsets(i64 *counts, i64 blocks, i64 *total) {{
    __shared__ i64 sums[{SCANNING}];
    int t = threadIdx.x;
    i64 each = (blocks + {SCANNING} - 1) / {SCANNING};
    i64 first = t * each < blocks ? t * each : blocks;
    i64 last = first + each < blocks ? first + each : blocks;
    i64 sum = 0;
    for (i64 block = first; block < last; ++block) sum += counts[block];
    sums[t] = sum;
    __syncthreads();
    for (int step = 1; step < {SCANNING}; step *= 2) {{
        i64 before = t >= step ? sums[t - step] : 0;
        __syncthreads();
        sums[t] += before;
        __syncthreads();
    }}
    i64 at = sums[t] - sum;
    for (i64 block = first; block < last; ++block) {{
        i64 found = counts[block];
        counts[block] = at;
        at += found;
    }}
    if (t == {SCANNING} - 1) *total = sums[t];
}}
extern "C" __global__ void place(const bool *mask, Layout layout, i64 n, const i64 *offsets, i64 *out) {{
    __shared__ int found[{WARPS}];
    i64 i = thread_number();
    bool set = i < n && mask[position(layout, i)];
    unsigned votes = __ballot_sync(0xffffffffu, set);
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    if (lane == 0) found[warp] = __popc(votes);
    __syncthreads();
    i64 at = offsets[blockIdx.x] + __popc(votes & ((1u << lane) - 1));
    for (int before = 0; before < warp; ++before) at += found[before];
    if (set) out[at] = i;
}}
"#
        ),
        kernels: &["count", "offsets", "place"],
    }
}

/// Warps of a block.
const WARPS: u32 = super::THREADS / 32;

impl Searching for Cuda {
    fn select<T: Element>(
        &self,
        condition: View<'_, bool, Self>,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
    ) -> Result<CudaBuffer<T>> {
        let n = condition.layout.len();
        let mut out = self.allocate(n)?;
        let [lc, la, lb] = kernel_layouts([condition.layout, a.layout, b.layout])?;
        let arguments = Arguments::default()
            .value(condition.buffer.address(&self.0, 0)?)
            .value(lc)
            .value(a.buffer.address(&self.0, 0)?)
            .value(la)
            .value(b.buffer.address(&self.0, 0)?)
            .value(lb)
            .value(out.address_mut(&self.0, 0)?)
            .value(n);
        run_take::<T>(self, "select", n, arguments)?;
        Ok(out)
    }

    fn arg_extreme<T: Numeric>(&self, x: View<'_, T, Self>, largest: bool) -> Result<CudaBuffer<i64>> {
        statistical::arg_extreme(self, x, largest)
    }

    fn flat_nonzero(&self, x: View<'_, bool, Self>) -> Result<(CudaBuffer<i64>, usize)> {
        let n = x.layout.len();
        let blocks = n.div_ceil(super::THREADS as usize);
        if n == 0 {
            return Ok((self.allocate(0)?, 0));
        }
        let [layout] = kernel_layouts([x.layout])?;
        let (mut counts, mut total) = (self.allocate::<i64>(blocks)?, self.allocate::<i64>(1)?);
        let mask = x.buffer.address(&self.0, 0)?;
        let at = counts.address_mut(&self.0, 0)?;
        let arguments = Arguments::default().value(mask).value(layout).value(n).value(at);
        self.for_each::<Find>(find_source, "count", n, arguments)?;
        let arguments = Arguments::default().value(at).value(blocks).value(total.address_mut(&self.0, 0)?);
        self.launch(self.kernel::<Find>(find_source, "offsets")?, [1, 1, 1], SCANNING, arguments)?;
        let count = total.download(&self.0, 0, 1)?.first().copied().unwrap_or(0) as usize;
        let mut out = self.allocate(count)?;
        if count > 0 {
            let arguments = Arguments::default()
                .value(mask)
                .value(layout)
                .value(n)
                .value(at)
                .value(out.address_mut(&self.0, 0)?);
            self.for_each::<Find>(find_source, "place", n, arguments)?;
        }
        Ok((out, count))
    }
}
