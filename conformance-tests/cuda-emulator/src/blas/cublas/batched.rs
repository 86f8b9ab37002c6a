//! Batched LU: factors, solutions and inverses.

use std::ffi::c_int;

use cudarc::cublas::sys::{self, cublasHandle_t, cublasOperation_t, cublasStatus_t};

use super::{Real, Status, bind, device, leading, put, require, size};
use crate::blas::lu::{self, pivots};
use crate::blas::matrix::{Matrix, Part, addresses, put_info};
use crate::blas::option::Choice;
use crate::blas::pairs;
use crate::fault::{Fault, FaultKind};
use crate::memory::{Access, Memory};

/// The pivots of matrix `index` in an array for the whole batch; none if the array is null.
fn pivots_of(array: u64, index: usize, n: usize) -> Option<u64> {
    (array != 0).then(|| array + (index * n * size_of::<c_int>()) as u64)
}

/// The info value of matrix `index`.
fn info_of(array: u64, index: usize) -> u64 {
    array + (index * size_of::<c_int>()) as u64
}

/// The inverse in `c`, from the factors in `a`; info is i if the i-th pivot is zero.
fn invert<T: Real>(
    memory: &Memory,
    n: usize,
    (a, lda): (u64, usize),
    pivots: &[i32],
    (c, ldc): (u64, usize),
) -> Result<i32, Fault> {
    if a == c {
        return Err(Fault::new(
            FaultKind::Race,
            "the inverse is not computed in place: A and C are the same",
        ));
    }
    let factors = Matrix::<T>::new(a, n, n, lda).to_vec(memory)?;
    let c = Matrix::<T>::new(c, n, n, ldc);
    c.set(memory, &factors)?;
    let pointer = c.pointer(memory, Part::Full, Access::ReadWrite)?;
    let mut work = vec![T::ZERO; n.max(1)];
    let (order, ldc, length, mut info) = (n as i32, ldc as i32, work.len() as i32, 0);
    // SAFETY: all elements were checked, the pivots lie in 1..=n, and the work space has the least length.
    unsafe {
        (T::routines().getri)(&order, pointer, &ldc, pivots.as_ptr(), work.as_mut_ptr(), &length, &mut info);
    }
    Ok(info)
}

pairs! {
    fn [cublasSgetrfBatched cublasDgetrfBatched](
        handle: cublasHandle_t,
        n: c_int,
        a: *const *mut T,
        lda: c_int,
        pivot_array: *mut c_int,
        info: *mut c_int,
        batch: c_int,
    ) -> cublasStatus_t {
        let bound = bind(handle)?;
        let n = size(CALL, "n", n)?;
        let lda = leading(CALL, "lda", lda, n)?;
        let batch = size(CALL, "batchSize", batch)?;
        require(CALL, !info.is_null() || batch == 0, "a device array for info")?;
        let (a, pivot_array, info) = (device(a), device(pivot_array), device(info));
        bound.enqueue(CALL, move |memory| {
            for (index, matrix) in addresses(memory, a, batch)?.into_iter().enumerate() {
                let pivots = pivots_of(pivot_array, index, n);
                let result = lu::getrf::<T>(memory, (n, n), (matrix, lda), pivots)?;
                put_info(memory, info_of(info, index), result)?;
            }
            Ok(())
        })
    }

    fn [cublasSgetrsBatched cublasDgetrsBatched](
        handle: cublasHandle_t,
        trans: cublasOperation_t,
        n: c_int,
        right_sides: c_int,
        a: *const *const T,
        lda: c_int,
        pivot_array: *const c_int,
        b: *const *mut T,
        ldb: c_int,
        info: *mut c_int,
        batch: c_int,
    ) -> cublasStatus_t {
        let bound = bind(handle)?;
        // Unlike in the other batched routines, info is one integer of the host: minus the number of a wrong
        // argument, counted as in LAPACK's getrs.
        let checked: Result<_, (c_int, Status)> = (|| {
            let trans = trans.check(CALL).map_err(|error| (-1, error))?;
            let n = size(CALL, "n", n).map_err(|error| (-2, error))?;
            let right_sides = size(CALL, "nrhs", right_sides).map_err(|error| (-3, error))?;
            let lda = leading(CALL, "lda", lda, n).map_err(|error| (-5, error))?;
            let ldb = leading(CALL, "ldb", ldb, n).map_err(|error| (-8, error))?;
            let batch = size(CALL, "batchSize", batch).map_err(|error| (-10, error))?;
            Ok((trans, n, right_sides, lda, ldb, batch))
        })();
        put(info, checked.as_ref().map_or_else(|(info, _)| *info, |_| 0))?;
        let (trans, n, right_sides, lda, ldb, batch) = checked.map_err(|(_, error)| error)?;
        let (a, pivot_array, b) = (device(a), device(pivot_array), device(b));
        bound.enqueue(CALL, move |memory| {
            let pairs = addresses(memory, a, batch)?.into_iter().zip(addresses(memory, b, batch)?);
            for (index, (a, b)) in pairs.enumerate() {
                let array = pivots_of(pivot_array, index, n);
                let pivots = pivots(memory, array, n)?;
                lu::getrs::<T>(memory, trans, (n, right_sides), (a, lda), &pivots, (b, ldb))?;
            }
            Ok(())
        })
    }

    fn [cublasSgetriBatched cublasDgetriBatched](
        handle: cublasHandle_t,
        n: c_int,
        a: *const *const T,
        lda: c_int,
        pivot_array: *const c_int,
        c: *const *mut T,
        ldc: c_int,
        info: *mut c_int,
        batch: c_int,
    ) -> cublasStatus_t {
        let bound = bind(handle)?;
        let n = size(CALL, "n", n)?;
        let (lda, ldc) = (leading(CALL, "lda", lda, n)?, leading(CALL, "ldc", ldc, n)?);
        let batch = size(CALL, "batchSize", batch)?;
        require(CALL, !info.is_null() || batch == 0, "a device array for info")?;
        let (a, pivot_array, c, info) = (device(a), device(pivot_array), device(c), device(info));
        bound.enqueue(CALL, move |memory| {
            let pairs = addresses(memory, a, batch)?.into_iter().zip(addresses(memory, c, batch)?);
            for (index, (a, c)) in pairs.enumerate() {
                let array = pivots_of(pivot_array, index, n);
                let pivots = pivots(memory, array, n)?;
                let result = invert::<T>(memory, n, (a, lda), &pivots, (c, ldc))?;
                put_info(memory, info_of(info, index), result)?;
            }
            Ok(())
        })
    }
}
