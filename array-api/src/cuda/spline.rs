//! Splines at fixed points.
//!
//! In a knot interval a spline is a single polynomial in `s`, the distance from the middle of the
//! interval. To evaluate, the polynomials of all intervals are made first, and a thread a point runs
//! a Horner scheme. To project onto the basis, the moments `sum f s^p` of the points of each interval
//! are taken, for which the points were sorted by interval beforehand, so that sums have a fixed
//! order; the moments then combine into the sums with each basis function.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use super::driver::Arguments;
use super::{Cuda, CudaBuffer, Source};
use crate::backend::{Sorting, Splines, Storage, View};
use crate::layout::Layout;
use crate::ops::type_name;
use crate::spline::PiecewisePolynomials;
use crate::{Float, Result};

/// Kernels for splines whose polynomials have a number of terms, and data of type `T`.
struct Spline<T>(PhantomData<T>);

/// Threads that add up the moments of a chunk of points.
const THREADS: u32 = 128;

/// Points of a chunk.
const CHUNK: usize = 4096;

/// Points of an interval that one thread may go through by itself.
const FEW: usize = 64;

/// A basis at the points of an image.
#[derive(Debug)]
pub struct SplinePlan {
    terms: usize,
    functions: usize,
    rows: usize,
    columns: usize,
    intervals: usize,
    /// The points, in row-major order.
    x: Arc<CudaBuffer<f64>>,
    /// The interval that each lies in.
    interval: CudaBuffer<i32>,
    /// The points sorted by interval, those of one in their own order.
    order: CudaBuffer<i64>,
    /// Chunks of `order`, each within one interval: `[interval, first, last]`.
    chunks: CudaBuffer<i64>,
    /// The chunks of interval `i` are number `first_chunk[i]..first_chunk[i + 1]`.
    first_chunk: CudaBuffer<i64>,
    /// Number of chunks.
    count: usize,
    /// Whether chunks are whole intervals of few points.
    few: bool,
    /// For each interval the point that powers are counted from.
    centres: CudaBuffer<f64>,
    /// Coefficients `[interval][function][power]`.
    coefficients: CudaBuffer<f64>,
}

fn source<T: Float>(terms: usize) -> Source {
    Source {
        description: format!("splines of degree {} and {} data", terms - 1, T::DTYPE),
        text: format!(
            r#"
typedef {data} Data;
const int TERMS = {terms};
const int THREADS = {THREADS};
// The interval of each point: the number of inner breakpoints that are not larger.
extern "C" __global__ void locate(const double *x, const double *inner, int count, int *interval, i64 n) {{
    i64 i = thread_number();
    if (i >= n) return;
    int low = 0, high = count;
    while (low < high) {{
        int middle = (low + high) / 2;
        if (inner[middle] <= x[i]) low = middle + 1;
        else high = middle;
    }}
    interval[i] = low;
}}
// Where the points of each interval begin in the sorted list: the first place whose interval is not
// smaller.
extern "C" __global__ void starts(const int *interval, const i64 *order, i64 points, i64 *out, i64 n) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 low = 0, high = points;
    while (low < high) {{
        i64 middle = (low + high) / 2;
        if (interval[order[middle]] < i) low = middle + 1;
        else high = middle;
    }}
    out[i] = low;
}}
extern "C" __global__ void design(
    const double *x, const int *interval, const double *centres, const double *coefficients, i64 first,
    int *indices, double *data, i64 n
) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 point = divide(i, TERMS);
    int j = (int)(i - point * TERMS), at = interval[first + point];
    double s = x[first + point] - centres[at];
    const double *c = coefficients + ((i64)at * TERMS + j) * TERMS;
    double value = c[TERMS - 1];
    for (int p = TERMS - 2; p >= 0; --p) value = value * s + c[p];
    indices[i] = at + j;
    data[i] = value;
}}
// The polynomials of a spline: [batch][interval][power].
extern "C" __global__ void polynomials(
    const double *weights, Layout layout, const double *coefficients, i64 intervals, i64 functions,
    double *out, i64 n
) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 line = divide(i, TERMS), p = i - line * TERMS, b = divide(line, intervals), at = line - b * intervals;
    double sum = 0;
    for (int j = 0; j < TERMS; ++j) {{
        sum += weights[position(layout, b * functions + at + j)] * coefficients[(at * TERMS + j) * TERMS + p];
    }}
    out[i] = sum;
}}
extern "C" __global__ void evaluate_add(
    const double *x, const int *interval, const double *centres, const double *polynomials, i64 intervals,
    i64 first, i64 points, double *out, Layout layout, i64 n
) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 b = divide(i, points), point = first + i - b * points;
    int at = interval[point];
    double s = x[point] - centres[at];
    const double *c = polynomials + (b * intervals + at) * TERMS;
    double value = c[TERMS - 1];
    for (int p = TERMS - 2; p >= 0; --p) value = fma(value, s, c[p]);
    out[position(layout, i)] += value;
}}
struct Points {{
    const double *x, *centres;
    const i64 *order, *chunks;
    i64 first, end;
}};
// Adds the moments of every `step`-th point of a chunk, as far as they lie in the range.
static __device__ __forceinline__ void moments(
    const Points &points, const Data *f, i64 chunk, int begin, int step, double *sum
) {{
    for (int p = 0; p < TERMS; ++p) sum[p] = 0;
    double centre = points.centres[points.chunks[3 * chunk]];
    i64 last = points.chunks[3 * chunk + 2];
    for (i64 k = points.chunks[3 * chunk + 1] + begin; k < last; k += step) {{
        i64 point = points.order[k];
        if (point < points.first || point >= points.end) continue;
        double s = points.x[point] - centre, term = f[point - points.first];
        for (int p = 0; p < TERMS; ++p) {{
            sum[p] += term;
            term *= s;
        }}
    }}
}}
// A block for each batch entry and chunk: [batch][chunk][power].
extern "C" __global__ void project_many(Points points, const Data *f, i64 chunks, double *out) {{
    __shared__ double shared[TERMS][THREADS];
    i64 b = divide(blockIdx.x, chunks), chunk = blockIdx.x - b * chunks;
    double sum[TERMS];
    int t = threadIdx.x;
    moments(points, f + b * (points.end - points.first), chunk, t, THREADS, sum);
    for (int p = 0; p < TERMS; ++p) shared[p][t] = sum[p];
    __syncthreads();
    for (int width = THREADS / 2; width > 0; width /= 2) {{
        if (t < width) {{
            for (int p = 0; p < TERMS; ++p) shared[p][t] += shared[p][t + width];
        }}
        __syncthreads();
    }}
    if (t < TERMS) out[(i64)blockIdx.x * TERMS + t] = shared[t][0];
}}
// A thread for each batch entry and chunk.
extern "C" __global__ void project_few(Points points, const Data *f, i64 chunks, double *out, i64 n) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 b = divide(i, chunks), chunk = i - b * chunks;
    double sum[TERMS];
    moments(points, f + b * (points.end - points.first), chunk, 0, 1, sum);
    for (int p = 0; p < TERMS; ++p) out[i * TERMS + p] = sum[p];
}}
// A thread for each batch entry and basis function.
extern "C" __global__ void combine(
    const double *moments, const i64 *first_chunk, i64 chunks, const double *coefficients, i64 intervals,
    i64 functions, double *out, i64 n
) {{
    i64 i = thread_number();
    if (i >= n) return;
    i64 b = divide(i, functions), k = i - b * functions;
    double sum = 0;
    for (int j = TERMS - 1; j >= 0; --j) {{
        i64 at = k - j;
        if (at < 0 || at >= intervals) continue;
        const double *c = coefficients + (at * TERMS + j) * TERMS;
        for (i64 chunk = first_chunk[at]; chunk < first_chunk[at + 1]; ++chunk) {{
            const double *moment = moments + (b * chunks + chunk) * TERMS;
            for (int p = 0; p < TERMS; ++p) sum += c[p] * moment[p];
        }}
    }}
    out[i] = sum;
}}
"#,
            data = type_name(T::DTYPE)
        ),
        kernels: &[
            "locate",
            "starts",
            "design",
            "polynomials",
            "evaluate_add",
            "project_many",
            "project_few",
            "combine",
        ],
    }
}

/// `struct Points` of the kernels.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct KernelPoints {
    x: u64,
    centres: u64,
    order: u64,
    chunks: u64,
    first: i64,
    end: i64,
}

impl Cuda {
    /// Queues kernel `name` of splines with a number of terms, a thread for each of `n` numbers.
    fn spline<T: Float>(
        &self,
        terms: usize,
        name: &'static str,
        n: usize,
        arguments: Arguments,
    ) -> Result<()> {
        self.for_each_variant::<Spline<T>>(terms, || source::<T>(terms), name, n, arguments)
    }
}

impl Splines for Cuda {
    type Plan = SplinePlan;

    fn spline_plan(
        &self,
        basis: &PiecewisePolynomials,
        x: Arc<CudaBuffer<f64>>,
        [rows, columns]: [usize; 2],
    ) -> Result<SplinePlan> {
        let (terms, points) = (basis.degree() + 1, rows * columns);
        let ends = basis.breakpoints();
        let intervals = ends.len() - 1;
        let inner = self.upload(&ends[1..intervals])?;
        let mut interval = self.allocate::<i32>(points)?;
        let arguments = Arguments::default()
            .value(x.address(&self.0, 0)?)
            .value(inner.address(&self.0, 0)?)
            .value((intervals - 1) as i32)
            .value(interval.address_mut(&self.0, 0)?)
            .value(points);
        self.spline::<f64>(terms, "locate", points, arguments)?;
        let list = Layout::contiguous(&[points]);
        let order = self.argsort(View { buffer: &interval, layout: &list }, false)?;
        let mut starts = self.allocate::<i64>(intervals + 1)?;
        let arguments = Arguments::default()
            .value(interval.address(&self.0, 0)?)
            .value(order.address(&self.0, 0)?)
            .value(points)
            .value(starts.address_mut(&self.0, 0)?)
            .value(intervals + 1);
        self.spline::<f64>(terms, "starts", intervals + 1, arguments)?;
        let starts = starts.download(&self.0, 0, intervals + 1)?;

        let few = points <= FEW * intervals;
        let mut chunks = Vec::new();
        let mut first_chunk = vec![0];
        for (at, ends) in starts.windows(2).enumerate() {
            let step = if few { points.max(1) } else { CHUNK };
            for first in (ends[0]..ends[1]).step_by(step) {
                chunks.extend([at as i64, first, ends[1].min(first + step as i64)]);
            }
            first_chunk.push((chunks.len() / 3) as i64);
        }
        Ok(SplinePlan {
            terms,
            functions: basis.functions(),
            rows,
            columns,
            intervals,
            x,
            interval,
            order,
            count: chunks.len() / 3,
            chunks: self.upload(&chunks)?,
            first_chunk: self.upload(&first_chunk)?,
            few,
            centres: self.upload(basis.centres())?,
            coefficients: self.upload(basis.coefficients())?,
        })
    }

    fn spline_design(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
    ) -> Result<(CudaBuffer<i32>, CudaBuffer<f64>)> {
        let n = rows.len() * plan.columns * plan.terms;
        let (mut indices, mut data) = (self.allocate(n)?, self.allocate(n)?);
        let arguments = Arguments::default()
            .value(plan.x.address(&self.0, 0)?)
            .value(plan.interval.address(&self.0, 0)?)
            .value(plan.centres.address(&self.0, 0)?)
            .value(plan.coefficients.address(&self.0, 0)?)
            .value(rows.start * plan.columns)
            .value(indices.address_mut(&self.0, 0)?)
            .value(data.address_mut(&self.0, 0)?)
            .value(n);
        self.spline::<f64>(plan.terms, "design", n, arguments)?;
        Ok((indices, data))
    }

    fn spline_evaluate(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
        coefficients: View<'_, f64, Self>,
    ) -> Result<CudaBuffer<f64>> {
        let shape = [coefficients.layout.shape()[0], rows.len(), plan.columns];
        let layout = Layout::contiguous(&shape);
        let mut out = CudaBuffer::zeros(&self.0, layout.len())?;
        self.spline_evaluate_add(plan, rows, coefficients, &mut out, &layout)?;
        Ok(out)
    }

    fn spline_evaluate_add(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
        coefficients: View<'_, f64, Self>,
        out: &mut CudaBuffer<f64>,
        layout: &Layout,
    ) -> Result<()> {
        let n = layout.len();
        if n == 0 {
            return Ok(());
        }
        let batch = coefficients.layout.shape()[0];
        let size = batch * plan.intervals * plan.terms;
        let mut polynomials = self.allocate::<f64>(size)?;
        let [weights] = super::kernel_layouts([coefficients.layout])?;
        let arguments = Arguments::default()
            .value(coefficients.buffer.address(&self.0, 0)?)
            .value(weights)
            .value(plan.coefficients.address(&self.0, 0)?)
            .value(plan.intervals)
            .value(plan.functions)
            .value(polynomials.address_mut(&self.0, 0)?)
            .value(size);
        self.spline::<f64>(plan.terms, "polynomials", size, arguments)?;
        let [target] = super::kernel_layouts([layout])?;
        let arguments = Arguments::default()
            .value(plan.x.address(&self.0, 0)?)
            .value(plan.interval.address(&self.0, 0)?)
            .value(plan.centres.address(&self.0, 0)?)
            .value(polynomials.address(&self.0, 0)?)
            .value(plan.intervals)
            .value(rows.start * plan.columns)
            .value(rows.len() * plan.columns)
            .value(out.address_mut(&self.0, 0)?)
            .value(target)
            .value(n);
        self.spline::<f64>(plan.terms, "evaluate_add", n, arguments)
    }

    fn spline_project<T: Float>(
        &self,
        plan: &SplinePlan,
        rows: Range<usize>,
        f: View<'_, T, Self>,
    ) -> Result<CudaBuffer<f64>> {
        debug_assert!(rows.end <= plan.rows);
        let batch = f.layout.shape()[0];
        let n = batch * plan.functions;
        if f.layout.is_empty() {
            return CudaBuffer::zeros(&self.0, n);
        }
        let f = self.contiguous(f)?;
        let groups = batch * plan.count;
        let mut moments = self.allocate::<f64>(groups * plan.terms)?;
        let points = KernelPoints {
            x: plan.x.address(&self.0, 0)?,
            centres: plan.centres.address(&self.0, 0)?,
            order: plan.order.address(&self.0, 0)?,
            chunks: plan.chunks.address(&self.0, 0)?,
            first: (rows.start * plan.columns) as i64,
            end: (rows.end * plan.columns) as i64,
        };
        let arguments = Arguments::default()
            .value(points)
            .value(f.address(&self.0)?)
            .value(plan.count)
            .value(moments.address_mut(&self.0, 0)?);
        if plan.few {
            self.spline::<T>(plan.terms, "project_few", groups, arguments.value(groups))?;
        } else {
            let make = || source::<T>(plan.terms);
            let kernel = self.kernel_variant::<Spline<T>>(plan.terms, make, "project_many")?;
            self.launch(kernel, [groups, 1, 1], THREADS, arguments)?;
        }
        let mut out = self.allocate(n)?;
        let arguments = Arguments::default()
            .value(moments.address(&self.0, 0)?)
            .value(plan.first_chunk.address(&self.0, 0)?)
            .value(plan.count)
            .value(plan.coefficients.address(&self.0, 0)?)
            .value(plan.intervals)
            .value(plan.functions)
            .value(out.address_mut(&self.0, 0)?)
            .value(n);
        self.spline::<T>(plan.terms, "combine", n, arguments)?;
        Ok(out)
    }

    /// First along the rows of the image, then along what has become of its columns.
    fn spline_project_kronecker<T: Float>(
        &self,
        (plan, rows): (&SplinePlan, Range<usize>),
        columns: &SplinePlan,
        f: View<'_, T, Self>,
    ) -> Result<CudaBuffer<f64>> {
        let &[batch, height, width] = f.layout.shape() else {
            unreachable!("images have two axes besides that of the batch");
        };
        let (outer, inner) = (plan.functions, columns.functions);
        if f.layout.is_empty() {
            return CudaBuffer::zeros(&self.0, batch * outer * inner);
        }
        let f = self.gather(f)?;
        let lines = Layout::contiguous(&[batch * height, 1, width]);
        let sums = self.spline_project(columns, 0..1, View { buffer: &f, layout: &lines })?;
        let turned = Layout::contiguous(&[batch, height, inner]).permute(&[0, 2, 1]);
        let sums = self.gather(View { buffer: &sums, layout: &turned })?;
        let lines = Layout::contiguous(&[batch * inner, height, 1]);
        let sums = self.spline_project(plan, rows, View { buffer: &sums, layout: &lines })?;
        let turned = Layout::contiguous(&[batch, inner, outer]).permute(&[0, 2, 1]);
        self.gather(View { buffer: &sums, layout: &turned })
    }
}
