//! Products: gemm (also batched), gemv, syrk, and the sum geam.

use std::ffi::{c_int, c_longlong};

use cudarc::cublas::sys::{self, cublasFillMode_t, cublasHandle_t, cublasOperation_t, cublasStatus_t};

use super::{Real, Scalar, Status, bind, device, leading, require, scalar, size};
use crate::blas::matrix::{Matrix, Part, addresses, strided_addresses};
use crate::blas::option::{Choice, Letter, NO_TRANSPOSE};
use crate::blas::pairs;
use crate::fault::{Fault, FaultKind};
use crate::memory::{Access, Memory};

/// How an output is touched that is multiplied by beta first.
fn output<T: Real>(beta: T) -> Access {
    if beta == T::ZERO { Access::Write } else { Access::ReadWrite }
}

/// Rows and columns of a matrix whose transpose, if any, is `rows x columns`.
fn stored(trans: Letter, rows: usize, columns: usize) -> (usize, usize) {
    if trans == NO_TRANSPOSE { (rows, columns) } else { (columns, rows) }
}

/// C = alpha op(A) op(B) + beta C, without the places of the matrices.
struct Gemm<T> {
    trans: [Letter; 2],
    /// m, n, k.
    sizes: [usize; 3],
    /// lda, ldb, ldc.
    ld: [usize; 3],
    alpha: Scalar<T>,
    beta: Scalar<T>,
}

/// The arguments that all forms of gemm have.
struct GemmArguments {
    trans: [cublasOperation_t; 2],
    sizes: [c_int; 3],
    ld: [c_int; 3],
}

impl GemmArguments {
    fn check<T>(self, call: &str, alpha: Scalar<T>, beta: Scalar<T>) -> Result<Gemm<T>, Status> {
        let trans = [self.trans[0].check(call)?, self.trans[1].check(call)?];
        let [m, n, k] = self.sizes;
        let sizes = [size(call, "m", m)?, size(call, "n", n)?, size(call, "k", k)?];
        let [m, n, k] = sizes;
        let ld = [
            leading(call, "lda", self.ld[0], stored(trans[0], m, k).0)?,
            leading(call, "ldb", self.ld[1], stored(trans[1], k, n).0)?,
            leading(call, "ldc", self.ld[2], m)?,
        ];
        Ok(Gemm { trans, sizes, ld, alpha, beta })
    }
}

impl<T: Real> Gemm<T> {
    fn run(&self, memory: &Memory, [a, b, c]: [u64; 3]) -> Result<(), Fault> {
        let [m, n, k] = self.sizes;
        let (alpha, beta) = (self.alpha.value(memory)?, self.beta.value(memory)?);
        if m == 0 || n == 0 {
            return Ok(());
        }
        let input = |address, trans, rows, columns, ld| {
            // Nothing is read where the product is multiplied by zero.
            let (rows, columns) = if alpha == T::ZERO { (0, 0) } else { stored(trans, rows, columns) };
            Matrix::<T>::new(address, rows, columns, ld).pointer(memory, Part::Full, Access::Read)
        };
        let a = input(a, self.trans[0], m, k, self.ld[0])?;
        let b = input(b, self.trans[1], k, n, self.ld[1])?;
        let c = Matrix::<T>::new(c, m, n, self.ld[2]).pointer(memory, Part::Full, output(beta))?;
        let [m, n, k] = self.sizes.map(|size| size as i32);
        let [lda, ldb, ldc] = self.ld.map(|ld| ld as i32);
        let [transa, transb] = &self.trans;
        // SAFETY: all elements that gemm touches were checked above.
        unsafe {
            (T::routines().gemm)(transa, transb, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc, 1, 1);
        }
        Ok(())
    }
}

/// The three matrices of each product of a batch.
fn zip3(
    a: impl IntoIterator<Item = u64>,
    b: impl IntoIterator<Item = u64>,
    c: impl IntoIterator<Item = u64>,
) -> impl Iterator<Item = [u64; 3]> {
    a.into_iter().zip(b).zip(c).map(|((a, b), c)| [a, b, c])
}

/// y = alpha op(A) x + beta y.
struct Gemv<T> {
    trans: Letter,
    m: usize,
    n: usize,
    alpha: Scalar<T>,
    beta: Scalar<T>,
    a: (u64, usize),
    x: (u64, c_int),
    y: (u64, c_int),
}

impl<T: Real> Gemv<T> {
    fn run(&self, memory: &Memory) -> Result<(), Fault> {
        let Self { trans, m, n, .. } = *self;
        let (alpha, beta) = (self.alpha.value(memory)?, self.beta.value(memory)?);
        let (y_length, x_length) = stored(trans, m, n);
        if m == 0 || n == 0 {
            return Ok(());
        }
        let is_read = alpha != T::ZERO;
        let (lda, (incx, incy)) = (self.a.1, (self.x.1, self.y.1));
        let a = Matrix::<T>::new(self.a.0, if is_read { m } else { 0 }, n, lda);
        let x = Matrix::<T>::strided(self.x.0, if is_read { x_length } else { 0 }, incx);
        let y = Matrix::<T>::strided(self.y.0, y_length, incy);
        let a = a.pointer(memory, Part::Full, Access::Read)?;
        let x = x.pointer(memory, Part::Full, Access::Read)?;
        let y = y.pointer(memory, Part::Full, output(beta))?;
        let (m, n, lda) = (m as i32, n as i32, lda as i32);
        // SAFETY: all elements that gemv touches were checked above.
        unsafe { (T::routines().gemv)(&trans, &m, &n, &alpha, a, &lda, x, &incx, &beta, y, &incy, 1) };
        Ok(())
    }
}

/// C = alpha op(A) op(A)^T + beta C, in one triangle of C.
struct Syrk<T> {
    uplo: Letter,
    trans: Letter,
    n: usize,
    k: usize,
    alpha: Scalar<T>,
    beta: Scalar<T>,
    a: (u64, usize),
    c: (u64, usize),
}

impl<T: Real> Syrk<T> {
    fn run(&self, memory: &Memory) -> Result<(), Fault> {
        let Self { uplo, trans, n, k, .. } = *self;
        let (alpha, beta) = (self.alpha.value(memory)?, self.beta.value(memory)?);
        let (rows, columns) = if alpha == T::ZERO { (0, 0) } else { stored(trans, n, k) };
        let a =
            Matrix::<T>::new(self.a.0, rows, columns, self.a.1).pointer(memory, Part::Full, Access::Read)?;
        let c = Matrix::<T>::new(self.c.0, n, n, self.c.1);
        let c = c.pointer(memory, Part::triangle(uplo, true), output(beta))?;
        let (n, k, lda, ldc) = (n as i32, k as i32, self.a.1 as i32, self.c.1 as i32);
        // SAFETY: all elements that syrk touches were checked above.
        unsafe { (T::routines().syrk)(&uplo, &trans, &n, &k, &alpha, a, &lda, &beta, c, &ldc, 1, 1) };
        Ok(())
    }
}

/// C = alpha op(A) + beta op(B). The reference BLAS has no such routine.
struct Geam<T> {
    trans: [Letter; 2],
    m: usize,
    n: usize,
    factors: [Scalar<T>; 2],
    inputs: [(u64, usize); 2],
    c: (u64, usize),
}

impl<T: Real> Geam<T> {
    fn run(&self, memory: &Memory) -> Result<(), Fault> {
        let (m, n) = (self.m, self.n);
        let mut sum = vec![T::ZERO; m * n];
        for index in 0..2 {
            let (trans, (address, ld)) = (self.trans[index], self.inputs[index]);
            let factor = self.factors[index].value(memory)?;
            if factor == T::ZERO {
                // The matrix is not read, as the manual says.
                continue;
            }
            let (rows, columns) = stored(trans, m, n);
            let matrix = Matrix::<T>::new(address, rows, columns, ld).to_vec(memory)?;
            for (place, sum) in sum.iter_mut().enumerate() {
                let (row, column) = (place % m, place / m);
                let element = if trans == NO_TRANSPOSE { matrix[place] } else { matrix[row * n + column] };
                *sum = *sum + factor * element;
            }
        }
        Matrix::new(self.c.0, m, n, self.c.1).set(memory, &sum)
    }
}

pairs! {
    fn [cublasSgemm_v2 cublasDgemm_v2](
        handle: cublasHandle_t,
        transa: cublasOperation_t,
        transb: cublasOperation_t,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: *const T,
        a: *const T,
        lda: c_int,
        b: *const T,
        ldb: c_int,
        beta: *const T,
        c: *mut T,
        ldc: c_int,
    ) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let (alpha, beta) = (scalar(&mut bound, alpha)?, scalar(&mut bound, beta)?);
        let arguments = GemmArguments { trans: [transa, transb], sizes: [m, n, k], ld: [lda, ldb, ldc] };
        let gemm = arguments.check(CALL, alpha, beta)?;
        let matrices = [device(a), device(b), device(c)];
        bound.enqueue(CALL, move |memory| gemm.run(memory, matrices))
    }

    fn [cublasSgemmStridedBatched cublasDgemmStridedBatched](
        handle: cublasHandle_t,
        transa: cublasOperation_t,
        transb: cublasOperation_t,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: *const T,
        a: *const T,
        lda: c_int,
        stride_a: c_longlong,
        b: *const T,
        ldb: c_int,
        stride_b: c_longlong,
        beta: *const T,
        c: *mut T,
        ldc: c_int,
        stride_c: c_longlong,
        batch: c_int,
    ) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let (alpha, beta) = (scalar(&mut bound, alpha)?, scalar(&mut bound, beta)?);
        let arguments = GemmArguments { trans: [transa, transb], sizes: [m, n, k], ld: [lda, ldb, ldc] };
        let gemm = arguments.check(CALL, alpha, beta)?;
        let batch = size(CALL, "batchCount", batch)?;
        let matrices = [device(a), device(b), device(c)];
        let strides = [stride_a, stride_b, stride_c];
        bound.enqueue(CALL, move |memory| {
            if strides[2] == 0 && batch > 1 && m > 0 && n > 0 {
                return Err(Fault::new(FaultKind::Race, "strideC is 0: every product writes the same C"));
            }
            let [a, b, c] = std::array::from_fn(|index| {
                strided_addresses::<T>(matrices[index], strides[index], batch)
            });
            zip3(a, b, c).try_for_each(|matrices| gemm.run(memory, matrices))
        })
    }

    fn [cublasSgemmBatched cublasDgemmBatched](
        handle: cublasHandle_t,
        transa: cublasOperation_t,
        transb: cublasOperation_t,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: *const T,
        a: *const *const T,
        lda: c_int,
        b: *const *const T,
        ldb: c_int,
        beta: *const T,
        c: *const *mut T,
        ldc: c_int,
        batch: c_int,
    ) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let (alpha, beta) = (scalar(&mut bound, alpha)?, scalar(&mut bound, beta)?);
        let arguments = GemmArguments { trans: [transa, transb], sizes: [m, n, k], ld: [lda, ldb, ldc] };
        let gemm = arguments.check(CALL, alpha, beta)?;
        let batch = size(CALL, "batchCount", batch)?;
        let arrays = [device(a), device(b), device(c)];
        bound.enqueue(CALL, move |memory| {
            let [a, b, c] = arrays.map(|array| addresses(memory, array, batch));
            zip3(a?, b?, c?).try_for_each(|matrices| gemm.run(memory, matrices))
        })
    }

    fn [cublasSgemv_v2 cublasDgemv_v2](
        handle: cublasHandle_t,
        trans: cublasOperation_t,
        m: c_int,
        n: c_int,
        alpha: *const T,
        a: *const T,
        lda: c_int,
        x: *const T,
        incx: c_int,
        beta: *const T,
        y: *mut T,
        incy: c_int,
    ) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let (alpha, beta) = (scalar(&mut bound, alpha)?, scalar(&mut bound, beta)?);
        let trans = trans.check(CALL)?;
        let (m, n) = (size(CALL, "m", m)?, size(CALL, "n", n)?);
        let lda = leading(CALL, "lda", lda, m)?;
        require(CALL, incx != 0 && incy != 0, "increments other than 0")?;
        let gemv = Gemv { trans, m, n, alpha, beta, a: (device(a), lda), x: (device(x), incx), y: (device(y), incy) };
        bound.enqueue(CALL, move |memory| gemv.run(memory))
    }

    fn [cublasSsyrk_v2 cublasDsyrk_v2](
        handle: cublasHandle_t,
        uplo: cublasFillMode_t,
        trans: cublasOperation_t,
        n: c_int,
        k: c_int,
        alpha: *const T,
        a: *const T,
        lda: c_int,
        beta: *const T,
        c: *mut T,
        ldc: c_int,
    ) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let (alpha, beta) = (scalar(&mut bound, alpha)?, scalar(&mut bound, beta)?);
        let (uplo, trans) = (uplo.check(CALL)?, trans.check(CALL)?);
        let (n, k) = (size(CALL, "n", n)?, size(CALL, "k", k)?);
        let lda = leading(CALL, "lda", lda, stored(trans, n, k).0)?;
        let ldc = leading(CALL, "ldc", ldc, n)?;
        let syrk = Syrk { uplo, trans, n, k, alpha, beta, a: (device(a), lda), c: (device(c), ldc) };
        bound.enqueue(CALL, move |memory| syrk.run(memory))
    }

    fn [cublasSgeam cublasDgeam](
        handle: cublasHandle_t,
        transa: cublasOperation_t,
        transb: cublasOperation_t,
        m: c_int,
        n: c_int,
        alpha: *const T,
        a: *const T,
        lda: c_int,
        beta: *const T,
        b: *const T,
        ldb: c_int,
        c: *mut T,
        ldc: c_int,
    ) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let factors = [scalar(&mut bound, alpha)?, scalar(&mut bound, beta)?];
        let trans = [transa.check(CALL)?, transb.check(CALL)?];
        let (m, n) = (size(CALL, "m", m)?, size(CALL, "n", n)?);
        let lda = leading(CALL, "lda", lda, stored(trans[0], m, n).0)?;
        let ldb = leading(CALL, "ldb", ldb, stored(trans[1], m, n).0)?;
        let ldc = leading(CALL, "ldc", ldc, m)?;
        let inputs = [(device(a), lda), (device(b), ldb)];
        let c = (device(c), ldc);
        for (input, trans) in inputs.iter().zip(trans) {
            let in_place = input.0 != c.0 || (trans == NO_TRANSPOSE && input.1 == c.1);
            require(CALL, in_place, "an input in the place of C to have its leading dimension, untransposed")?;
        }
        let geam = Geam { trans, m, n, factors, inputs, c };
        bound.enqueue(CALL, move |memory| geam.run(memory))
    }
}
