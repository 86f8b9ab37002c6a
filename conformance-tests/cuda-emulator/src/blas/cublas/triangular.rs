//! Triangular solves: trsm, also batched.

use std::ffi::c_int;

use cudarc::cublas::sys::{
    self, cublasDiagType_t, cublasFillMode_t, cublasHandle_t, cublasOperation_t, cublasSideMode_t,
    cublasStatus_t,
};

use super::{Real, Scalar, Status, bind, device, leading, scalar, size};
use crate::blas::matrix::{Matrix, Part, addresses};
use crate::blas::option::{Choice, LEFT, Letter, NON_UNIT};
use crate::blas::pairs;
use crate::fault::Fault;
use crate::memory::{Access, Memory};

/// Solves op(A) X = alpha B or X op(A) = alpha B for X, in the place of B.
struct Trsm<T> {
    /// side, uplo, trans, diag.
    options: [Letter; 4],
    m: usize,
    n: usize,
    lda: usize,
    ldb: usize,
    alpha: Scalar<T>,
}

/// The arguments that both forms have.
struct Arguments {
    side: cublasSideMode_t,
    uplo: cublasFillMode_t,
    trans: cublasOperation_t,
    diag: cublasDiagType_t,
    m: c_int,
    n: c_int,
    lda: c_int,
    ldb: c_int,
}

impl Arguments {
    fn check<T>(self, call: &str, alpha: Scalar<T>) -> Result<Trsm<T>, Status> {
        let options =
            [self.side.check(call)?, self.uplo.check(call)?, self.trans.check(call)?, self.diag.check(call)?];
        let (m, n) = (size(call, "m", self.m)?, size(call, "n", self.n)?);
        let order = if options[0] == LEFT { m } else { n };
        let (lda, ldb) = (leading(call, "lda", self.lda, order)?, leading(call, "ldb", self.ldb, m)?);
        Ok(Trsm { options, m, n, lda, ldb, alpha })
    }
}

impl<T: Real> Trsm<T> {
    fn run(&self, memory: &Memory, a: u64, b: u64) -> Result<(), Fault> {
        let Self { options: [side, uplo, trans, diag], m, n, lda, ldb, .. } = *self;
        let alpha = self.alpha.value(memory)?;
        if m == 0 || n == 0 {
            return Ok(());
        }
        let is_zero = alpha == T::ZERO;
        let order = match (is_zero, side == LEFT) {
            (true, _) => 0,
            (false, true) => m,
            (false, false) => n,
        };
        let part = Part::triangle(uplo, diag == NON_UNIT);
        let a = Matrix::<T>::new(a, order, order, lda).pointer(memory, part, Access::Read)?;
        let access = if is_zero { Access::Write } else { Access::ReadWrite };
        let b = Matrix::<T>::new(b, m, n, ldb).pointer(memory, Part::Full, access)?;
        let (m, n, lda, ldb) = (m as i32, n as i32, lda as i32, ldb as i32);
        // SAFETY: all elements that trsm touches were checked above.
        unsafe {
            (T::routines().trsm)(&side, &uplo, &trans, &diag, &m, &n, &alpha, a, &lda, b, &ldb, 1, 1, 1, 1);
        }
        Ok(())
    }
}

pairs! {
    fn [cublasStrsm_v2 cublasDtrsm_v2](
        handle: cublasHandle_t,
        side: cublasSideMode_t,
        uplo: cublasFillMode_t,
        trans: cublasOperation_t,
        diag: cublasDiagType_t,
        m: c_int,
        n: c_int,
        alpha: *const T,
        a: *const T,
        lda: c_int,
        b: *mut T,
        ldb: c_int,
    ) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let alpha = scalar(&mut bound, alpha)?;
        let trsm = Arguments { side, uplo, trans, diag, m, n, lda, ldb }.check(CALL, alpha)?;
        let (a, b) = (device(a), device(b));
        bound.enqueue(CALL, move |memory| trsm.run(memory, a, b))
    }

    fn [cublasStrsmBatched cublasDtrsmBatched](
        handle: cublasHandle_t,
        side: cublasSideMode_t,
        uplo: cublasFillMode_t,
        trans: cublasOperation_t,
        diag: cublasDiagType_t,
        m: c_int,
        n: c_int,
        alpha: *const T,
        a: *const *const T,
        lda: c_int,
        b: *const *mut T,
        ldb: c_int,
        batch: c_int,
    ) -> cublasStatus_t {
        let mut bound = bind(handle)?;
        let alpha = scalar(&mut bound, alpha)?;
        let trsm = Arguments { side, uplo, trans, diag, m, n, lda, ldb }.check(CALL, alpha)?;
        let batch = size(CALL, "batchCount", batch)?;
        let (a, b) = (device(a), device(b));
        bound.enqueue(CALL, move |memory| {
            let mut pairs = addresses(memory, a, batch)?.into_iter().zip(addresses(memory, b, batch)?);
            pairs.try_for_each(|(a, b)| trsm.run(memory, a, b))
        })
    }
}
