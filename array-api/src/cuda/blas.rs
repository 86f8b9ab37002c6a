//! cuBLAS and cuSOLVER: handles, and the routines in the forms that `linalg` needs.
//!
//! Matrices are column-major here, as the libraries have it; `linalg` says how that meets arrays.
//! All addresses are of device memory. The libraries count in 32 bits: what is larger is refused.
//!
//! Sources: NVIDIA, *cuBLAS Library User Guide* and *cuSOLVER API Reference*.

use std::ffi::c_int;
use std::sync::{Arc, Mutex};

use cudarc::cublas::sys as cublas;
use cudarc::cusolver::sys as cusolver;

use super::driver::{Context, lock, unavailable};
use crate::{DType, Error, Float, Result};

/// The libraries' handles of a device, opened when a routine is first called. A handle is for one
/// thread at a time.
#[derive(Default)]
pub(super) struct Libraries {
    blas: Mutex<Option<Blas>>,
    solver: Mutex<Option<Solver>>,
}

/// A handle of cuBLAS. Like its context it stays until the process ends.
#[derive(Clone, Copy)]
struct Blas(cublas::cublasHandle_t);

/// A handle of cuSOLVER's dense part, which stays as long.
#[derive(Clone, Copy)]
struct Solver(cusolver::cusolverDnHandle_t);

// SAFETY: the library allows a handle on any thread, on one at a time: the mutex sees to that.
unsafe impl Send for Blas {}
// SAFETY: as above.
unsafe impl Send for Solver {}

fn missing(library: &str, package: &str) -> Error {
    unavailable(format!(
        "{library} was not found; install CUDA 12's libraries (or the Python package {package}) and put \
         their folder into LD_LIBRARY_PATH"
    ))
}

fn blas_result(operation: &'static str, status: cublas::cublasStatus_t) -> Result<()> {
    let failed = |error| Error::DeviceFailure { backend: "cuBLAS", operation, reason: format!("{error}") };
    status.result().map_err(failed)
}

fn solver_result(operation: &'static str, status: cusolver::cusolverStatus_t) -> Result<()> {
    let failed = |error| Error::DeviceFailure { backend: "cuSOLVER", operation, reason: format!("{error}") };
    status.result().map_err(failed)
}

/// Opens cuBLAS for the computing stream of the current context.
fn open_blas(context: &Context) -> Result<Blas> {
    // SAFETY: loading the library runs its initialisers only.
    if !unsafe { cublas::is_culib_present() } {
        return Err(missing("libcublas.so.12, CUDA's library of matrix products,", "nvidia-cublas-cu12"));
    }
    let mut handle = std::ptr::null_mut();
    // SAFETY: `handle` is valid for writing.
    blas_result("opening the library", unsafe { cublas::cublasCreate_v2(&raw mut handle) })?;
    // SAFETY: handle and stream are live and of one context.
    let status = unsafe { cublas::cublasSetStream_v2(handle, context.stream().cast()) };
    blas_result("choosing a stream", status)?;
    Ok(Blas(handle))
}

/// Opens cuSOLVER for the computing stream of the current context.
fn open_solver(context: &Context) -> Result<Solver> {
    // SAFETY: loading the library runs its initialisers only.
    if !unsafe { cusolver::is_culib_present() } {
        return Err(missing("libcusolver.so.11, CUDA's library of factorizations,", "nvidia-cusolver-cu12"));
    }
    let mut handle = std::ptr::null_mut();
    // SAFETY: `handle` is valid for writing.
    solver_result("opening the library", unsafe { cusolver::cusolverDnCreate(&raw mut handle) })?;
    // SAFETY: handle and stream are live and of one context.
    let status = unsafe { cusolver::cusolverDnSetStream(handle, context.stream().cast()) };
    solver_result("choosing a stream", status)?;
    Ok(Solver(handle))
}

/// A library's handle, opened if it is not yet.
fn opened<H: Copy>(handle: &mut Option<H>, open: impl FnOnce() -> Result<H>) -> Result<H> {
    match *handle {
        Some(handle) => Ok(handle),
        None => Ok(*handle.insert(open()?)),
    }
}

/// Calls a routine of cuBLAS.
fn with_blas(
    context: &Context,
    operation: &'static str,
    call: impl FnOnce(cublas::cublasHandle_t) -> cublas::cublasStatus_t,
) -> Result<()> {
    context.bind()?;
    let mut held = lock(&context.libraries.blas);
    let Blas(handle) = opened(&mut held, || open_blas(context))?;
    blas_result(operation, call(handle))
}

/// Calls a routine of cuSOLVER.
fn with_solver(
    context: &Context,
    operation: &'static str,
    call: impl FnOnce(cusolver::cusolverDnHandle_t) -> cusolver::cusolverStatus_t,
) -> Result<()> {
    context.bind()?;
    let mut held = lock(&context.libraries.solver);
    let Solver(handle) = opened(&mut held, || open_solver(context))?;
    solver_result(operation, call(handle))
}

/// Calls the routine for single or for double precision, whichever `T` is.
macro_rules! routine {
    ($t:ty: $single:path | $double:path, $($argument:expr),* $(,)?) => {
        match <$t>::DTYPE {
            DType::Float32 => $single($($argument),*),
            _ => $double($($argument),*),
        }
    };
}

/// A number as the libraries take it.
fn int(operation: &'static str, value: usize) -> Result<c_int> {
    c_int::try_from(value).map_err(|_| Error::InvalidArgument {
        operation,
        reason: format!("{value} rows or columns are more than the {} that cuBLAS can count", c_int::MAX),
    })
}

/// Matrices that a batched routine gets at once; its grids of threads have no longer side.
const PORTION: usize = 65535;

/// Cuts a batch into portions: the first matrix of each, and how many there are.
fn portions(count: usize) -> impl Iterator<Item = (u64, c_int)> {
    (0..count).step_by(PORTION).map(move |first| (first as u64, PORTION.min(count - first) as c_int))
}

/// Bytes of `count` elements.
fn bytes<T>(count: usize) -> u64 {
    (count * size_of::<T>()) as u64
}

/// Bytes of a pointer, and of an `int`.
const POINTER: u64 = 8;
const INT: u64 = 4;

/// Matrices at equal distances.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stack {
    pub(super) address: u64,
    /// From one column to the next.
    pub(super) leading: usize,
    /// From one matrix to the next.
    pub(super) step: usize,
}

/// Products `c = op(a) op(b)` of shape (`m`, `n`), or sums with what is there before; `k` is what
/// is summed over.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) m: usize,
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) a: Stack,
    pub(super) b: Stack,
    pub(super) c: Stack,
    pub(super) transpose_a: bool,
    pub(super) transpose_b: bool,
    pub(super) accumulate: bool,
    pub(super) count: usize,
}

fn operation(transposed: bool) -> cublas::cublasOperation_t {
    if transposed { cublas::cublasOperation_t::CUBLAS_OP_T } else { cublas::cublasOperation_t::CUBLAS_OP_N }
}

/// `gemm`, and `gemmStridedBatched` for several products.
pub(super) fn gemm<T: Float>(context: &Context, product: &Product) -> Result<()> {
    const NAME: &str = "matmul";
    let Product { a, b, c, count, .. } = *product;
    let [m, n, k] = [int(NAME, product.m)?, int(NAME, product.n)?, int(NAME, product.k)?];
    let [lda, ldb, ldc] = [int(NAME, a.leading)?, int(NAME, b.leading)?, int(NAME, c.leading)?];
    let (op_a, op_b) = (operation(product.transpose_a), operation(product.transpose_b));
    if count == 1 {
        // SAFETY: the addresses are of device memory, the scalars live during the call.
        return with_blas(context, NAME, |handle| unsafe {
            routine!(T: cublas::cublasSgemm_v2 | cublas::cublasDgemm_v2,
                handle, op_a, op_b, m, n, k, &1.0, a.address as *const _, lda, b.address as *const _, ldb,
                &if product.accumulate { 1.0 } else { 0.0 }, c.address as *mut _, ldc)
        });
    }
    let [step_a, step_b, step_c] = [a.step, b.step, c.step].map(|step| step as i64);
    for (first, count) in portions(count) {
        let [a, b, c] = [a, b, c].map(|stack| stack.address + first * bytes::<T>(stack.step));
        // SAFETY: the addresses are of device memory, the scalars live during the call.
        with_blas(context, NAME, |handle| unsafe {
            routine!(T: cublas::cublasSgemmStridedBatched | cublas::cublasDgemmStridedBatched,
                handle, op_a, op_b, m, n, k, &1.0, a as *const _, lda, step_a, b as *const _, ldb, step_b,
                &if product.accumulate { 1.0 } else { 0.0 }, c as *mut _, ldc, step_c, count)
        })?;
    }
    Ok(())
}

/// Systems `x op(a) = b` with triangular matrices `a` of order `n`, to be solved in place of `b`,
/// of shape (`m`, `n`) without gaps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Triangular {
    pub(super) m: usize,
    pub(super) n: usize,
    /// Whether `a` is upper triangular, and not lower.
    pub(super) upper: bool,
    pub(super) transposed: bool,
    /// From one column of `a` to the next.
    pub(super) leading: usize,
}

impl Triangular {
    fn numbers(&self) -> Result<(cublas::cublasFillMode_t, c_int, c_int, c_int)> {
        const NAME: &str = "solve_triangular";
        let triangle = if self.upper {
            cublas::cublasFillMode_t::CUBLAS_FILL_MODE_UPPER
        } else {
            cublas::cublasFillMode_t::CUBLAS_FILL_MODE_LOWER
        };
        Ok((triangle, int(NAME, self.m)?, int(NAME, self.n)?, int(NAME, self.leading)?))
    }
}

const RIGHT: cublas::cublasSideMode_t = cublas::cublasSideMode_t::CUBLAS_SIDE_RIGHT;
const NON_UNIT: cublas::cublasDiagType_t = cublas::cublasDiagType_t::CUBLAS_DIAG_NON_UNIT;

/// `trsm`: one system.
pub(super) fn trsm<T: Float>(context: &Context, system: &Triangular, a: u64, b: u64) -> Result<()> {
    let (triangle, m, n, lda) = system.numbers()?;
    let op = operation(system.transposed);
    // SAFETY: the addresses are of device memory, the scalar lives during the call.
    with_blas(context, "solve_triangular", |handle| unsafe {
        routine!(T: cublas::cublasStrsm_v2 | cublas::cublasDtrsm_v2,
            handle, RIGHT, triangle, op, NON_UNIT, m, n, &1.0, a as *const _, lda, b as *mut _, m)
    })
}

/// `trsmBatched`: `a` and `b` are addresses of `count` addresses.
pub(super) fn trsm_batched<T: Float>(
    context: &Context,
    system: &Triangular,
    a: u64,
    b: u64,
    count: usize,
) -> Result<()> {
    let (triangle, m, n, lda) = system.numbers()?;
    let op = operation(system.transposed);
    for (first, count) in portions(count) {
        let [a, b] = [a, b].map(|pointers| pointers + first * POINTER);
        // SAFETY: the addresses are of device memory, the scalar lives during the call.
        with_blas(context, "solve_triangular", |handle| unsafe {
            routine!(T: cublas::cublasStrsmBatched | cublas::cublasDtrsmBatched,
                handle, RIGHT, triangle, op, NON_UNIT, m, n, &1.0, a as *const _, lda, b as *const _, m, count)
        })?;
    }
    Ok(())
}

/// Square matrices without gaps, to be factored in place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Square {
    /// What they are factored for, for errors.
    pub(super) operation: &'static str,
    pub(super) n: usize,
    /// Where the first matrix lies; for batched routines, the addresses of all.
    pub(super) matrices: u64,
    /// Where an `int` a matrix tells how it went.
    pub(super) info: u64,
    pub(super) count: usize,
}

impl Square {
    /// Order, and the addresses of each matrix and its `info`.
    fn each<T>(&self) -> Result<(c_int, impl Iterator<Item = (u64, u64)>)> {
        let Self { n, matrices, info, count, .. } = *self;
        let matrix = bytes::<T>(n * n);
        Ok((int(self.operation, n)?, (0..count as u64).map(move |i| (matrices + i * matrix, info + i * INT))))
    }
}

/// Upper triangles: of a row-major matrix this is the lower one.
const UPPER: cusolver::cublasFillMode_t = cusolver::cublasFillMode_t::CUBLAS_FILL_MODE_UPPER;

/// `potrf`, one matrix after another: `a = u^T u`, of `a` only the upper triangle being used.
pub(super) fn potrf<T: Float>(context: &Arc<Context>, square: &Square) -> Result<()> {
    let (n, each) = square.each::<T>()?;
    let mut elements: c_int = 0;
    let size = &raw mut elements;
    // SAFETY: the address is of device memory, `size` is valid for writing.
    with_solver(context, square.operation, |handle| unsafe {
        routine!(T: cusolver::cusolverDnSpotrf_bufferSize | cusolver::cusolverDnDpotrf_bufferSize,
            handle, UPPER, n, square.matrices as *mut _, n, size)
    })?;
    let workspace = context.allocate(bytes::<T>(elements.max(1) as usize) as usize)?;
    let work = workspace.address()?;
    for (a, info) in each {
        // SAFETY: the addresses are of device memory, the workspace is as large as was asked for.
        with_solver(context, square.operation, |handle| unsafe {
            routine!(T: cusolver::cusolverDnSpotrf | cusolver::cusolverDnDpotrf,
                handle, UPPER, n, a as *mut _, n, work as *mut _, elements, info as *mut c_int)
        })?;
    }
    Ok(())
}

/// `potrfBatched`: the same for many matrices at once.
pub(super) fn potrf_batched<T: Float>(context: &Context, square: &Square) -> Result<()> {
    let n = int(square.operation, square.n)?;
    for (first, count) in portions(square.count) {
        let (a, info) = (square.matrices + first * POINTER, square.info + first * INT);
        // SAFETY: the addresses are of device memory.
        with_solver(context, square.operation, |handle| unsafe {
            routine!(T: cusolver::cusolverDnSpotrfBatched | cusolver::cusolverDnDpotrfBatched,
                handle, UPPER, n, a as *mut _, n, info as *mut c_int, count)
        })?;
    }
    Ok(())
}

/// `syevd`, one matrix after another: eigenvalues, ascending, `n` for each matrix, and if `vectors`
/// eigenvectors in columns in place of `a`, of which only the upper triangle is used.
pub(super) fn syevd<T: Float>(
    context: &Arc<Context>,
    square: &Square,
    values: u64,
    vectors: bool,
) -> Result<()> {
    let (n, each) = square.each::<T>()?;
    let mode = if vectors {
        cusolver::cusolverEigMode_t::CUSOLVER_EIG_MODE_VECTOR
    } else {
        cusolver::cusolverEigMode_t::CUSOLVER_EIG_MODE_NOVECTOR
    };
    let mut elements: c_int = 0;
    let size = &raw mut elements;
    // SAFETY: the addresses are of device memory, `size` is valid for writing.
    with_solver(context, square.operation, |handle| unsafe {
        routine!(T: cusolver::cusolverDnSsyevd_bufferSize | cusolver::cusolverDnDsyevd_bufferSize,
            handle, mode, UPPER, n, square.matrices as *const _, n, values as *const _, size)
    })?;
    let workspace = context.allocate(bytes::<T>(elements.max(1) as usize) as usize)?;
    let work = workspace.address()?;
    for (i, (a, info)) in each.enumerate() {
        let values = values + bytes::<T>(i * square.n);
        // SAFETY: the addresses are of device memory, the workspace is as large as was asked for.
        with_solver(context, square.operation, |handle| unsafe {
            routine!(T: cusolver::cusolverDnSsyevd | cusolver::cusolverDnDsyevd,
                handle, mode, UPPER, n, a as *mut _, n, values as *mut _, work as *mut _, elements,
                info as *mut c_int)
        })?;
    }
    Ok(())
}

/// `getrf`, one matrix after another: `p a = l u`. `pivots` is for `n` numbers a matrix.
pub(super) fn getrf<T: Float>(context: &Arc<Context>, square: &Square, pivots: u64) -> Result<()> {
    let (n, each) = square.each::<T>()?;
    let mut elements: c_int = 0;
    let size = &raw mut elements;
    // SAFETY: the address is of device memory, `size` is valid for writing.
    with_solver(context, square.operation, |handle| unsafe {
        routine!(T: cusolver::cusolverDnSgetrf_bufferSize | cusolver::cusolverDnDgetrf_bufferSize,
            handle, n, n, square.matrices as *mut _, n, size)
    })?;
    let workspace = context.allocate(bytes::<T>(elements.max(1) as usize) as usize)?;
    let work = workspace.address()?;
    for (i, (a, info)) in each.enumerate() {
        let pivots = pivots + bytes::<c_int>(i * square.n);
        // SAFETY: the addresses are of device memory, the workspace is as large as was asked for.
        with_solver(context, square.operation, |handle| unsafe {
            routine!(T: cusolver::cusolverDnSgetrf | cusolver::cusolverDnDgetrf,
                handle, n, n, a as *mut _, n, work as *mut _, pivots as *mut c_int, info as *mut c_int)
        })?;
    }
    Ok(())
}

/// `getrfBatched`: the same for many matrices at once.
pub(super) fn getrf_batched<T: Float>(context: &Context, square: &Square, pivots: u64) -> Result<()> {
    let n = int(square.operation, square.n)?;
    for (first, count) in portions(square.count) {
        let (a, info) = (square.matrices + first * POINTER, square.info + first * INT);
        let pivots = pivots + first * bytes::<c_int>(square.n);
        // SAFETY: the addresses are of device memory.
        with_blas(context, square.operation, |handle| unsafe {
            routine!(T: cublas::cublasSgetrfBatched | cublas::cublasDgetrfBatched,
                handle, n, a as *const _, n, pivots as *mut c_int, info as *mut c_int, count)
        })?;
    }
    Ok(())
}

/// `getrs`, one matrix after another: solves `a x = b` in place of `b`, `columns` of them for each
/// matrix, with what [`getrf`] left.
pub(super) fn getrs<T: Float>(
    context: &Context,
    square: &Square,
    pivots: u64,
    b: u64,
    columns: usize,
) -> Result<()> {
    let (n, each) = square.each::<T>()?;
    let width = int(square.operation, columns)?;
    for (i, (a, info)) in each.enumerate() {
        let (pivots, b) = (pivots + bytes::<c_int>(i * square.n), b + bytes::<T>(i * square.n * columns));
        // SAFETY: the addresses are of device memory.
        with_solver(context, square.operation, |handle| unsafe {
            routine!(T: cusolver::cusolverDnSgetrs | cusolver::cusolverDnDgetrs,
                handle, cusolver::cublasOperation_t::CUBLAS_OP_N, n, width, a as *const _, n,
                pivots as *const c_int, b as *mut _, n, info as *mut c_int)
        })?;
    }
    Ok(())
}

/// `getrsBatched`: the same for many matrices at once; `b` is the address of addresses, too.
pub(super) fn getrs_batched<T: Float>(
    context: &Context,
    square: &Square,
    pivots: u64,
    b: u64,
    columns: usize,
) -> Result<()> {
    let (n, width) = (int(square.operation, square.n)?, int(square.operation, columns)?);
    for (first, count) in portions(square.count) {
        let [a, b] = [square.matrices, b].map(|pointers| pointers + first * POINTER);
        let pivots = pivots + first * bytes::<c_int>(square.n);
        // Tells of bad arguments only, as the status does.
        let mut info: c_int = 0;
        let info = &raw mut info;
        // SAFETY: the addresses are of device memory, `info` is valid for writing.
        with_blas(context, square.operation, |handle| unsafe {
            routine!(T: cublas::cublasSgetrsBatched | cublas::cublasDgetrsBatched,
                handle, operation(false), n, width, a as *const _, n, pivots as *const c_int, b as *const _, n,
                info, count)
        })?;
    }
    Ok(())
}
