//! Products of CSR matrices.
//!
//! Kernels of our own, and not cuSPARSE: the products here are with many dense columns or with other
//! thin matrices, results must not depend on the order in which threads meet, which cuSPARSE does
//! not promise for transposed products, and the weighted Gram matrix of two matrices is not in it.
//!
//! Sums over rows are cut into chunks: a thread goes through the rows of its chunk in order, and the
//! partial results, in double precision, are added in the order of the chunks. Where the chunks end
//! decides how sums are rounded: those of a transposed product depend on the two matrices' shapes
//! alone, so that a product has the same bits however many are asked for at once. Those of weighted
//! Gram matrices get fewer the more matrices there are, and the larger these are: of one with
//! thousands of columns few partial results have room, and threads divide up its rows as well.

use std::ops::Range;

use super::driver::Arguments;
use super::{Cuda, CudaBuffer, Source, type_name};
use crate::backend::{CsrView, Sparse, Storage, View};
use crate::{Float, Result};

/// Kernels of products.
struct Products<T>(std::marker::PhantomData<T>);

/// Threads that keep a device busy.
const BUSY: usize = 1 << 15;

/// Bytes that partial results may take.
const PARTIAL_BYTES: usize = 256 << 20;

/// Rows that are worth a thread.
const ROWS: usize = 64;

fn source<T: Float>() -> Source {
    Source {
        description: format!("products of CSR matrices of {}", T::DTYPE),
        text: format!(
            r#"
typedef {t} T;
struct Csr {{ const int *indptr, *indices; const T *data; i64 first, rows, columns; }};
struct Axes {{ i64 offset, batch, row, column; }};
// A thread for each element of the result.
extern "C" __global__ void matmul(Csr a, const T *x, Axes axes, i64 n, T *out, i64 elements) {{
    i64 i = thread_number();
    if (i >= elements) return;
    i64 line = divide(i, n), k = i - line * n, b = divide(line, a.rows), row = a.first + line - b * a.rows;
    const T *from = x + axes.offset + b * axes.batch + k * axes.column;
    double sum = 0;
    for (i64 e = a.indptr[row]; e < a.indptr[row + 1]; ++e) {{
        sum += (double)a.data[e] * (double)from[a.indices[e] * axes.row];
    }}
    out[i] = (T)sum;
}}
// A thread for each chunk of rows, batch entry and dense column; partial results
// [chunk][batch][column of a][dense column].
extern "C" __global__ void transposed(
    Csr a, const T *x, Axes axes, i64 batch, i64 n, i64 height, double *partial, i64 threads
) {{
    i64 i = thread_number();
    if (i >= threads) return;
    i64 line = divide(i, n), k = i - line * n, chunk = divide(line, batch), b = line - chunk * batch;
    double *out = partial + line * a.columns * n + k;
    i64 end = (chunk + 1) * height < a.rows ? (chunk + 1) * height : a.rows;
    for (i64 row = chunk * height; row < end; ++row) {{
        double value = x[axes.offset + b * axes.batch + row * axes.row + k * axes.column];
        for (i64 e = a.indptr[a.first + row]; e < a.indptr[a.first + row + 1]; ++e) {{
            out[a.indices[e] * n] += (double)a.data[e] * value;
        }}
    }}
}}
// A thread for each chunk of rows, batch entry and band of columns of a, which it looks for among all
// entries; partial results [chunk][batch][column of a][column of b].
extern "C" __global__ void gram(
    Csr a, Csr b, const T *w, Axes axes, i64 batch, i64 m, i64 height, i64 bands, i64 width, double *partial,
    i64 threads
) {{
    i64 i = thread_number();
    if (i >= threads) return;
    i64 line = divide(i, bands), first = (i - line * bands) * width;
    i64 chunk = divide(line, batch), entry = line - chunk * batch;
    // Either m rows for every entry, or m rows for each.
    i64 left = a.first + (a.rows == m ? 0 : entry * m), right = b.first + (b.rows == m ? 0 : entry * m);
    double *out = partial + line * a.columns * b.columns;
    i64 end = (chunk + 1) * height < m ? (chunk + 1) * height : m;
    for (i64 row = chunk * height; row < end; ++row) {{
        double weight = w[axes.offset + entry * axes.batch + row * axes.row];
        for (i64 e = a.indptr[left + row]; e < a.indptr[left + row + 1]; ++e) {{
            i64 column = a.indices[e];
            if (column < first || column >= first + width) continue;
            double scaled = weight * (double)a.data[e];
            double *to = out + column * b.columns;
            for (i64 f = b.indptr[right + row]; f < b.indptr[right + row + 1]; ++f) {{
                to[b.indices[f]] += scaled * (double)b.data[f];
            }}
        }}
    }}
}}
// A thread for each row.
extern "C" __global__ void bilinear(Csr a, Csr b, const T *m, Axes axes, T *out) {{
    i64 row = thread_number();
    if (row >= a.rows) return;
    i64 left = a.first + row, right = b.first + row;
    double sum = 0;
    for (i64 e = a.indptr[left]; e < a.indptr[left + 1]; ++e) {{
        const T *from = m + axes.offset + a.indices[e] * axes.batch;
        double line = 0;
        for (i64 f = b.indptr[right]; f < b.indptr[right + 1]; ++f) {{
            line += (double)from[b.indices[f] * axes.row] * (double)b.data[f];
        }}
        sum += (double)a.data[e] * line;
    }}
    out[row] = (T)sum;
}}
// The sums over all chunks, added to what is there if `add` says so.
extern "C" __global__ void add_chunks(const double *partial, i64 chunks, T *out, bool add, i64 n) {{
    i64 i = thread_number();
    if (i >= n) return;
    double sum = add ? (double)out[i] : 0;
    for (i64 chunk = 0; chunk < chunks; ++chunk) sum += partial[chunk * n + i];
    out[i] = (T)sum;
}}
"#,
            t = type_name(T::DTYPE),
        ),
        kernels: &["matmul", "transposed", "gram", "bilinear", "add_chunks"],
    }
}

/// `struct Csr` of the kernels.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct KernelCsr {
    indptr: u64,
    indices: u64,
    data: u64,
    first: i64,
    rows: i64,
    columns: i64,
}

fn kernel_csr<T: Float>(cuda: &Cuda, a: &CsrView<'_, T, Cuda>) -> Result<KernelCsr> {
    Ok(KernelCsr {
        indptr: a.indptr.address(&cuda.0, 0)?,
        indices: a.indices.address(&cuda.0, 0)?,
        data: a.data.address(&cuda.0, 0)?,
        first: a.rows.start as i64,
        rows: a.rows.len() as i64,
        columns: a.columns as i64,
    })
}

/// `struct Axes` of the kernels: offset and strides of a view of two or three axes.
fn axes<T: Float>(x: View<'_, T, Cuda>) -> [i64; 4] {
    let mut axes = [x.layout.offset() as i64, 0, 0, 0];
    for (axis, &stride) in axes[1..].iter_mut().zip(x.layout.strides()) {
        *axis = stride as i64;
    }
    axes
}

/// Rows of a chunk, and the number of chunks, for `rows` rows that `threads` threads go through, with
/// `elements` elements of partial results a chunk.
fn chunks(rows: usize, threads: usize, elements: usize) -> (usize, usize) {
    let room = PARTIAL_BYTES / (elements.max(1) * size_of::<f64>());
    let wanted = BUSY.div_ceil(threads.max(1)).min(rows.div_ceil(ROWS)).min(room).max(1);
    let height = rows.div_ceil(wanted).max(1);
    (height, rows.div_ceil(height).max(1))
}

/// Bands of `columns` columns, and the columns of each, for so many `threads` without a cut: so many
/// bands that the device is kept busy.
fn bands(columns: usize, threads: usize) -> (usize, usize) {
    let wanted = BUSY.div_ceil(threads.max(1)).min(columns).max(1);
    let width = columns.div_ceil(wanted).max(1);
    (columns.div_ceil(width), width)
}

/// A batch in portions whose partial results may exist at once, `bytes` for each entry: nearly always
/// one.
fn portions(batch: usize, bytes: usize) -> impl Iterator<Item = Range<usize>> {
    let most = (PARTIAL_BYTES / bytes.max(1)).max(1);
    (0..batch).step_by(most).map(move |first| first..batch.min(first + most))
}

/// Puts the sums over the chunks of partial results to address `out`, `elements` of them, or adds them
/// to what is there. `run` gets the partial results' address, where zeros stand, and leaves them there.
fn sum_chunks<T: Float>(
    cuda: &Cuda,
    chunks: usize,
    elements: usize,
    out: u64,
    add: bool,
    run: impl FnOnce(u64) -> Result<()>,
) -> Result<()> {
    let mut partial = CudaBuffer::<f64>::zeros(&cuda.0, chunks * elements)?;
    let address = partial.address_mut(&cuda.0, 0)?;
    run(address)?;
    let arguments = Arguments::default().value(address).value(chunks).value(out).value(add).value(elements);
    cuda.for_each::<Products<T>>(source::<T>, "add_chunks", elements, arguments)
}

impl Sparse for Cuda {
    fn csr_matmul<T: Float>(&self, a: CsrView<'_, T, Self>, x: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        let (batch, n) = (x.layout.shape()[0], x.layout.shape()[2]);
        let elements = batch * a.rows.len() * n;
        let mut out = self.allocate(elements)?;
        let arguments = Arguments::default()
            .value(kernel_csr(self, &a)?)
            .value(x.buffer.address(&self.0, 0)?)
            .value(axes(x))
            .value(n)
            .value(out.address_mut(&self.0, 0)?)
            .value(elements);
        self.for_each::<Products<T>>(source::<T>, "matmul", elements, arguments)?;
        Ok(out)
    }

    fn csr_matmul_transposed<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        x: View<'_, T, Self>,
    ) -> Result<CudaBuffer<T>> {
        let (batch, n) = (x.layout.shape()[0], x.layout.shape()[2]);
        let elements = a.columns * n;
        let mut out = self.allocate(batch * elements)?;
        if out.len() == 0 {
            return Ok(out);
        }
        let (height, chunks) = chunks(a.rows.len(), n, elements);
        for portion in portions(batch, chunks * elements * size_of::<f64>()) {
            let batch = portion.len();
            let layout = x.layout.slice(0, portion.start, 1, batch);
            let target = out.address_mut(&self.0, portion.start * elements)?;
            sum_chunks::<T>(self, chunks, batch * elements, target, false, |partial| {
                let threads = chunks * batch * n;
                let arguments = Arguments::default()
                    .value(kernel_csr(self, &a)?)
                    .value(x.buffer.address(&self.0, 0)?)
                    .value(axes(View { buffer: x.buffer, layout: &layout }))
                    .value(batch)
                    .value(n)
                    .value(height)
                    .value(partial)
                    .value(threads);
                self.for_each::<Products<T>>(source::<T>, "transposed", threads, arguments)
            })?;
        }
        Ok(out)
    }

    fn csr_weighted_gram_add<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        w: View<'_, T, Self>,
        b: CsrView<'_, T, Self>,
        out: &mut CudaBuffer<T>,
        start: usize,
    ) -> Result<()> {
        let (batch, m) = (w.layout.shape()[0], w.layout.shape()[1]);
        let elements = batch * a.columns * b.columns;
        if elements == 0 {
            return Ok(());
        }
        let (height, chunks) = chunks(m, batch, elements);
        let (bands, width) = bands(a.columns, chunks * batch);
        sum_chunks::<T>(self, chunks, elements, out.address_mut(&self.0, start)?, true, |partial| {
            let threads = chunks * batch * bands;
            let arguments = Arguments::default()
                .value(kernel_csr(self, &a)?)
                .value(kernel_csr(self, &b)?)
                .value(w.buffer.address(&self.0, 0)?)
                .value(axes(w))
                .value(batch)
                .value(m)
                .value(height)
                .value(bands)
                .value(width)
                .value(partial)
                .value(threads);
            self.for_each::<Products<T>>(source::<T>, "gram", threads, arguments)
        })
    }

    fn csr_bilinear<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        m: View<'_, T, Self>,
        b: CsrView<'_, T, Self>,
    ) -> Result<CudaBuffer<T>> {
        let rows = a.rows.len();
        let mut out = self.allocate(rows)?;
        let arguments = Arguments::default()
            .value(kernel_csr(self, &a)?)
            .value(kernel_csr(self, &b)?)
            .value(m.buffer.address(&self.0, 0)?)
            .value(axes(m))
            .value(out.address_mut(&self.0, 0)?);
        self.for_each::<Products<T>>(source::<T>, "bilinear", rows, arguments)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_all_rows_and_their_partial_results_fit() {
        // A frame of 2048 x 2048 pixels by 50 row functions and as many columns.
        assert_eq!(chunks(2048, 50, 2500), (64, 32));
        // Enough columns without a cut, a few rows, none, and results that fit 32 or 0 times.
        assert_eq!(chunks(2048, BUSY, 100), (2048, 1));
        assert_eq!(chunks(65, 1, 1), (33, 2));
        assert_eq!(chunks(0, 1, 1), (1, 1));
        assert_eq!(chunks(1 << 20, 1, 1 << 20), (1 << 15, 32));
        assert_eq!(chunks(1 << 20, 1, 1 << 30), (1 << 20, 1));
    }

    #[test]
    fn bands_cover_all_columns_and_keep_a_device_busy() {
        // Three chunks of the update of a Gram matrix of 3122 columns, and one of many small matrices.
        assert_eq!(bands(3122, 3), (3122, 1));
        assert_eq!(bands(53, 8192), (4, 14));
        assert_eq!(bands(53, BUSY), (1, 53));
        assert_eq!(bands(10, BUSY / 7), (5, 2));
        assert_eq!(bands(1, 0), (1, 1));
    }

    #[test]
    fn portions_cover_a_batch_and_their_partial_results_fit() {
        let all = |batch, bytes| portions(batch, bytes).collect::<Vec<_>>();
        assert_eq!(all(800, 640_000), [0..419, 419..800]);
        assert_eq!(all(7, PARTIAL_BYTES / 3), [0..3, 3..6, 6..7]);
        assert_eq!(all(2, 2 * PARTIAL_BYTES), [0..1, 1..2]);
        assert_eq!(all(0, 8), []);
    }
}
