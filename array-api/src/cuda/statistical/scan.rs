//! Running results.
//!
//! A row is cut into chunks. A thread runs through a few elements of a chunk, and the threads' last
//! results are combined over 1, 2, 4, ... neighbours (W. D. Hillis and G. L. Steele, *Data Parallel
//! Algorithms*, Communications of the ACM 29, 1986). Where a row has several chunks, the running
//! results of the chunks' totals, found in the same way, are put in front of what follows them.

use std::marker::PhantomData;

use super::rows;
use crate::backend::{Storage, View};
use crate::cuda::driver::Arguments;
use crate::cuda::elementwise::short_name;
use crate::cuda::{Cuda, CudaBuffer, Source, THREADS, kernel_layouts, type_name};
use crate::layout::Layout;
use crate::ops::Binary;
use crate::{Element, Result};

/// Neighbouring elements that a thread runs through.
const ITEMS: usize = 8;

/// Kernels of a scan.
struct Scan<T, O>(PhantomData<(T, O)>);

fn source<T: Element, O: Binary<T, Out = T>>() -> Source {
    Source {
        description: format!("running {} of {}", short_name::<O>(), T::DTYPE),
        text: format!(
            r#"
typedef {t} T;
typedef T U;
static __device__ __forceinline__ U f(T a, T b) {{ {body} }}
const int THREADS = {THREADS}, ITEMS = {ITEMS};
{KERNELS}"#,
            t = type_name(T::DTYPE),
            body = O::cuda(),
        ),
        kernels: &["scan", "put_in_front"],
    }
}

const KERNELS: &str = r#"
// A gap after the elements of each thread spreads them over the banks of the memory.
const int SPREAD = ITEMS + 1;

extern "C" __global__ void scan(
    const T *x, Layout outer, i64 stride, i64 rows, i64 length, i64 lanes_of_row, i64 chunks,
    T *out, T *totals
) {
    __shared__ T tile[THREADS * SPREAD];
    __shared__ T sums[THREADS];
    const int t = threadIdx.x, lanes = (int)lanes_of_row, lane = t % lanes, size = lanes * ITEMS;
    const i64 group = divide(blockIdx.x, chunks), chunk = blockIdx.x - group * chunks;
    const i64 row = group * (THREADS / lanes) + t / lanes, start = chunk * size;
    const i64 left = row < rows ? length - start : 0;
    const int count = (int)(left < size ? left : size);
    T *elements = tile + t / lanes * lanes * SPREAD;
    if (count > 0) {
        const T *from = x + position(outer, row) + start * stride;
        for (int i = lane; i < count; i += lanes) elements[i / ITEMS * SPREAD + i % ITEMS] = from[i * stride];
    }
    __syncthreads();

    T *own = tile + t * SPREAD;
    const int rest = count - lane * ITEMS, items = rest < ITEMS ? rest : ITEMS;
    for (int k = 1; k < items; ++k) own[k] = f(own[k - 1], own[k]);
    if (items > 0) sums[t] = own[items - 1];
    for (int step = 1; step < lanes; step *= 2) {
        __syncthreads();
        const bool follows = items > 0 && lane >= step;
        const T before = follows ? sums[t - step] : (T)0;
        __syncthreads();
        if (follows) sums[t] = f(before, sums[t]);
    }
    __syncthreads();
    if (lane > 0) {
        for (int k = 0; k < items; ++k) own[k] = f(sums[t - 1], own[k]);
    }
    if (totals && items > 0 && rest <= ITEMS) totals[row * chunks + chunk] = own[items - 1];
    __syncthreads();

    T *to = out + row * length + start;
    for (int i = lane; i < count; i += lanes) to[i] = elements[i / ITEMS * SPREAD + i % ITEMS];
}

// Puts the running total of the chunks before in front of each element but those of the first.
extern "C" __global__ void put_in_front(const T *totals, i64 length, i64 size, i64 chunks, T *out, i64 n) {
    i64 i = thread_number();
    if (i >= n) return;
    i64 row = divide(i, length), chunk = divide(i - row * length, size);
    if (chunk > 0) out[i] = f(totals[row * chunks + chunk - 1], out[i]);
}
"#;

/// How the rows of a length are cut: threads of a chunk, elements of a chunk, chunks of a row.
fn cut(length: usize) -> (usize, usize, usize) {
    let lanes = length.div_ceil(ITEMS).next_power_of_two().min(THREADS as usize);
    let size = lanes * ITEMS;
    (lanes, size, length.div_ceil(size))
}

/// Running results of `O` along the last axis.
pub(super) fn scan<T: Element, O: Binary<T, Out = T>>(
    cuda: &Cuda,
    x: View<'_, T, Cuda>,
) -> Result<CudaBuffer<T>> {
    let n = x.layout.len();
    let mut out = cuda.allocate(n)?;
    if n == 0 {
        return Ok(out);
    }
    let (rows, length) = rows(x.layout);
    let (lanes, size, chunks) = cut(length);
    let (outer, row) = x.layout.split(x.layout.ndim().min(1));
    let mut totals: CudaBuffer<T> = cuda.allocate(if chunks == 1 { 0 } else { rows * chunks })?;
    let target = out.address_mut(&cuda.0, 0)?;
    let arguments = Arguments::default()
        .value(x.buffer.address(&cuda.0, 0)?)
        .value(kernel_layouts([&outer])?)
        .value(row.strides().last().copied().unwrap_or(1))
        .value(rows)
        .value(length)
        .value(lanes)
        .value(chunks)
        .value(target)
        .value(totals.address_mut(&cuda.0, 0)?);
    let blocks = rows.div_ceil(THREADS as usize / lanes) * chunks;
    cuda.launch(cuda.kernel::<Scan<T, O>>(source::<T, O>, "scan")?, [blocks, 1, 1], THREADS, arguments)?;
    if chunks > 1 {
        let layout = Layout::contiguous(&[rows, chunks]);
        let totals = scan::<T, O>(cuda, View { buffer: &totals, layout: &layout })?;
        let arguments = Arguments::default()
            .value(totals.address(&cuda.0, 0)?)
            .value(length)
            .value(size)
            .value(chunks)
            .value(target)
            .value(n);
        cuda.for_each::<Scan<T, O>>(source::<T, O>, "put_in_front", n, arguments)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn short_rows_share_a_block_and_long_ones_are_cut() {
        assert_eq!(cut(1), (1, 8, 1));
        assert_eq!(cut(9), (2, 16, 1));
        assert_eq!(cut(2048), (256, 2048, 1));
        assert_eq!(cut(2049), (256, 2048, 2));
    }
}
