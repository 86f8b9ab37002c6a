//! Sorting along the last axis, by merging.
//!
//! Runs of 1, 2, 4, ... sorted elements are merged in pairs: an element's place in the merged run is
//! its place in its own and the number of elements of the other that come before it, which a binary
//! search finds. Equal elements keep their order, since those of the first run come before equal
//! ones of the second. Up to [`TILE`] elements are merged within a block of threads, longer runs in
//! the device's memory, all pairs of all rows at once.

use std::marker::PhantomData;

use super::driver::Arguments;
use super::statistical::rows;
use super::{Cuda, CudaBuffer, Source, THREADS, kernel_layouts, type_name};
use crate::backend::{Sorting, Storage, View};
use crate::{Numeric, Result};

/// Elements that a block sorts: a power of two.
const TILE: usize = 2048;

/// Kernels that sort.
struct Sort<T, const DESCENDING: bool, const INDEXED: bool>(PhantomData<T>);

fn source<T: Numeric, const DESCENDING: bool, const INDEXED: bool>() -> Source {
    let (order, what) = (if DESCENDING { "descending" } else { "ascending" }, T::DTYPE);
    Source {
        description: format!("{} in {order} order of {what}", if INDEXED { "indices" } else { "elements" }),
        text: format!(
            "typedef {t} T;\nconst bool DESCENDING = {DESCENDING}, INDEXED = {INDEXED};\n\
             const int THREADS = {THREADS}, TILE = {TILE};\n{KERNELS}",
            t = type_name(T::DTYPE),
        ),
        kernels: &["sort_tiles", "merge_runs"],
    }
}

const KERNELS: &str = r#"
typedef unsigned short u16;

// Whether `a` comes before `b` and is not equal to it: NaN comes last in ascending order.
static __device__ __forceinline__ bool ascending(T a, T b) { return a < b || (is_nan(b) && !is_nan(a)); }
static __device__ __forceinline__ bool before(T a, T b) {
    return DESCENDING ? ascending(b, a) : ascending(a, b);
}

// Where element `i` of a row of `n`, of which runs of `run` elements are sorted, lies when pairs of
// runs are merged.
template <class I> static __device__ __forceinline__ I merged_place(const T *x, I n, I i, I run) {
    const I start = i & ~(2 * run - 1);
    const I middle = start + run < n ? start + run : n, end = middle + run < n ? middle + run : n;
    const bool left = i < middle;
    const T value = x[i];
    I low = left ? middle : start, high = left ? end : middle;
    while (low < high) {
        const I probe = low + (high - low) / 2;
        if (left ? before(x[probe], value) : !before(value, x[probe])) low = probe + 1;
        else high = probe;
    }
    return low + i - middle;
}

// Sorts tiles of `slots` elements, several rows to a block if they are short.
extern "C" __global__ void sort_tiles(
    const T *x, Layout outer, i64 stride, i64 rows, i64 length, i64 slots, i64 tiles, T *values, i64 *indices
) {
    __shared__ T value[2][TILE];
    __shared__ u16 index[2][INDEXED ? TILE : 1];
    const int width = (int)slots;
    const i64 group = divide(blockIdx.x, tiles), start = (blockIdx.x - group * tiles) * slots;
    const int n = (int)(length - start < slots ? length - start : slots);
    const i64 first = group * (TILE / width), last = rows - first;
    for (int slot = threadIdx.x; slot < TILE; slot += THREADS) {
        const int row = slot / width, i = slot % width;
        if (row >= last || i >= n) continue;
        value[0][slot] = x[position(outer, first + row) + (start + i) * stride];
        if (INDEXED) index[0][slot] = (u16)i;
    }
    __syncthreads();
    int now = 0;
    for (int run = 1; run < width; run *= 2) {
        for (int slot = threadIdx.x; slot < TILE; slot += THREADS) {
            const int row = slot / width, i = slot % width;
            if (row >= last || i >= n) continue;
            const int place = row * width + merged_place(value[now] + row * width, n, i, run);
            value[1 - now][place] = value[now][slot];
            if (INDEXED) index[1 - now][place] = index[now][slot];
        }
        now = 1 - now;
        __syncthreads();
    }
    for (int slot = threadIdx.x; slot < TILE; slot += THREADS) {
        const int row = slot / width, i = slot % width;
        if (row >= last || i >= n) continue;
        const i64 to = (first + row) * length + start + i;
        if (values) values[to] = value[now][slot];
        if (INDEXED) indices[to] = start + index[now][slot];
    }
}

// Merges pairs of sorted runs.
extern "C" __global__ void merge_runs(
    const T *values, const i64 *indices, i64 length, i64 run, T *values_to, i64 *indices_to, i64 n
) {
    const i64 number = thread_number();
    if (number >= n) return;
    const i64 row = divide(number, length), begin = row * length;
    const i64 place = begin + merged_place(values + begin, length, number - begin, run);
    if (values_to) values_to[place] = values[number];
    if (INDEXED) indices_to[place] = indices[number];
}
"#;

/// Sorted elements, and the indices that sort, as far as they are wanted.
struct Pairs<T: Numeric> {
    values: CudaBuffer<T>,
    indices: CudaBuffer<i64>,
}

impl<T: Numeric> Pairs<T> {
    /// Room for `n` elements, without those kinds that are not wanted.
    fn new(cuda: &Cuda, n: usize, values: bool, indices: bool) -> Result<Self> {
        let len = |wanted: bool| if wanted { n } else { 0 };
        Ok(Self { values: cuda.allocate(len(values))?, indices: cuda.allocate(len(indices))? })
    }

    /// The address of each kind, 0 for one that is not wanted.
    fn addresses(&mut self, cuda: &Cuda) -> Result<[u64; 2]> {
        Ok([self.values.address_mut(&cuda.0, 0)?, self.indices.address_mut(&cuda.0, 0)?])
    }
}

/// Sorts rows; gives the indices if `INDEXED`, else the elements.
fn run<T: Numeric, const DESCENDING: bool, const INDEXED: bool>(
    cuda: &Cuda,
    x: View<'_, T, Cuda>,
) -> Result<Pairs<T>> {
    let n = x.layout.len();
    if n == 0 {
        return Pairs::new(cuda, 0, false, false);
    }
    let (rows, length) = rows(x.layout);
    let (outer, row) = x.layout.split(x.layout.ndim().min(1));
    let (slots, tiles) = cut(length);
    // Merging compares elements; the last step of a sort by index needs them no more.
    let mut sorted = Pairs::new(cuda, n, !INDEXED || tiles > 1, INDEXED)?;
    let [values, indices] = sorted.addresses(cuda)?;
    let arguments = Arguments::default()
        .value(x.buffer.address(&cuda.0, 0)?)
        .value(kernel_layouts([&outer])?)
        .value(row.strides().last().copied().unwrap_or(1))
        .value(rows)
        .value(length)
        .value(slots)
        .value(tiles)
        .value(values)
        .value(indices);
    let blocks = rows.div_ceil(TILE / slots) * tiles;
    let source = source::<T, DESCENDING, INDEXED>;
    let kernel = cuda.kernel::<Sort<T, DESCENDING, INDEXED>>(source, "sort_tiles")?;
    cuda.launch(kernel, [blocks, 1, 1], THREADS, arguments)?;
    if tiles == 1 {
        return Ok(sorted);
    }
    let mut other = Pairs::new(cuda, n, true, INDEXED)?;
    let mut width = slots;
    while width < length {
        let ([values, indices], [mut values_to, indices_to]) =
            (sorted.addresses(cuda)?, other.addresses(cuda)?);
        if INDEXED && 2 * width >= length {
            values_to = 0;
        }
        let arguments = Arguments::default()
            .value(values)
            .value(indices)
            .value(length)
            .value(width)
            .value(values_to)
            .value(indices_to)
            .value(n);
        cuda.for_each::<Sort<T, DESCENDING, INDEXED>>(source, "merge_runs", n, arguments)?;
        std::mem::swap(&mut sorted, &mut other);
        width *= 2;
    }
    Ok(sorted)
}

/// How rows of a length are cut: elements that a tile has room for, and tiles of a row.
fn cut(length: usize) -> (usize, usize) {
    let slots = length.next_power_of_two().min(TILE);
    (slots, length.div_ceil(slots))
}

/// The elements sorted along the last axis.
pub(super) fn sorted<T: Numeric>(
    cuda: &Cuda,
    x: View<'_, T, Cuda>,
    descending: bool,
) -> Result<CudaBuffer<T>> {
    let pairs = if descending { run::<T, true, false>(cuda, x) } else { run::<T, false, false>(cuda, x) };
    Ok(pairs?.values)
}

impl Sorting for Cuda {
    fn sort<T: Numeric>(&self, x: View<'_, T, Self>, descending: bool) -> Result<CudaBuffer<T>> {
        sorted(self, x, descending)
    }

    fn argsort<T: Numeric>(&self, x: View<'_, T, Self>, descending: bool) -> Result<CudaBuffer<i64>> {
        let pairs = if descending { run::<T, true, true>(self, x) } else { run::<T, false, true>(self, x) };
        Ok(pairs?.indices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_hold_short_rows_whole_and_pieces_of_long_ones() {
        assert_eq!(cut(1), (1, 1));
        assert_eq!(cut(9), (16, 1));
        assert_eq!(cut(TILE), (TILE, 1));
        assert_eq!(cut(TILE + 1), (TILE, 2));
    }
}
