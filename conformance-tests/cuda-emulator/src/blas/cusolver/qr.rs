//! Orthogonal factors: geqrf and ormqr.

use std::ffi::c_int;

use cudarc::cusolver::sys::{
    self, cublasOperation_t, cublasSideMode_t, cusolverDnHandle_t, cusolverStatus_t,
};

use super::{Real, Status, Workspace, bind, device, info, leading, put_size, require, size, workspace};
use crate::blas::matrix::{Matrix, Part, put_info};
use crate::blas::option::{Choice, LEFT, Letter};
use crate::blas::pairs;
use crate::fault::Fault;
use crate::memory::{Access, Memory};

/// The blocked routines of LAPACK work well with so many columns at a time.
const BLOCK: usize = 64;

fn geqrf_elements(m: usize, n: usize) -> usize {
    workspace(m.max(n), 3)
}

fn ormqr_elements(m: usize, n: usize) -> usize {
    workspace(m.max(n), 4)
}

fn geqrf<T: Real>(
    memory: &Memory,
    (m, n): (usize, usize),
    (a, lda): (u64, usize),
    tau: u64,
) -> Result<i32, Fault> {
    let a = Matrix::<T>::new(a, m, n, lda).pointer(memory, Part::Full, Access::ReadWrite)?;
    let tau = Matrix::<T>::vector(tau, m.min(n)).pointer(memory, Part::Full, Access::Write)?;
    let mut work = vec![T::ZERO; n.max(1) * BLOCK];
    let (m, n, lda, length, mut info) = (m as i32, n as i32, lda as i32, work.len() as i32, 0);
    // SAFETY: all elements that geqrf touches were checked above; the work space has its length.
    unsafe { (T::routines().geqrf)(&m, &n, a, &lda, tau, work.as_mut_ptr(), &length, &mut info) };
    Ok(info)
}

/// The product of C and the orthogonal factor that `k` reflectors make.
#[derive(Debug, Clone, Copy)]
struct Ormqr {
    side: Letter,
    trans: Letter,
    m: usize,
    n: usize,
    k: usize,
    a: (u64, usize),
    tau: u64,
    c: (u64, usize),
}

/// The arguments of ormqr and of its bufferSize.
struct Arguments {
    side: cublasSideMode_t,
    trans: cublasOperation_t,
    sizes: [c_int; 3],
    a: (u64, c_int),
    tau: u64,
    c: (u64, c_int),
}

impl Arguments {
    fn check(self, call: &str) -> Result<Ormqr, Status> {
        let (side, trans) = (self.side.check(call)?, self.trans.check(call)?);
        let [m, n, k] = self.sizes;
        let (m, n, k) = (size(call, "m", m)?, size(call, "n", n)?, size(call, "k", k)?);
        let order = if side == LEFT { m } else { n };
        require(call, k <= order, &format!("k <= {order}, not {k}"))?;
        let lda = leading(call, "lda", self.a.1, order)?;
        let ldc = leading(call, "ldc", self.c.1, m)?;
        Ok(Ormqr { side, trans, m, n, k, a: (self.a.0, lda), tau: self.tau, c: (self.c.0, ldc) })
    }
}

impl Ormqr {
    fn run<T: Real>(&self, memory: &Memory) -> Result<i32, Fault> {
        let Self { side, trans, m, n, k, .. } = *self;
        let order = if side == LEFT { m } else { n };
        // The reflectors lie below the diagonal; their ones are not stored.
        let a = Matrix::<T>::new(self.a.0, order, k, self.a.1);
        a.pointer(memory, Part::StrictLower, Access::Read)?;
        let tau = Matrix::<T>::vector(self.tau, k).pointer(memory, Part::Full, Access::Read)?;
        let c = Matrix::<T>::new(self.c.0, m, n, self.c.1).pointer(memory, Part::Full, Access::ReadWrite)?;
        // LAPACK sets the ones while it works, so it gets a copy.
        let mut reflectors = vec![T::ZERO; order * k];
        let start = a.pointer(memory, Part::StrictLower, Access::Read)?;
        for column in 0..k {
            for row in column + 1..order {
                // SAFETY: everything below the diagonal was checked above.
                reflectors[column * order + row] = unsafe { *start.add(column * self.a.1 + row) };
            }
        }
        // ormqr keeps a triangular factor of each block at the end of the work space.
        let mut work = vec![T::ZERO; m.max(n).max(1) * BLOCK + (BLOCK + 1) * BLOCK];
        let (length, lda, ldc) = (work.len() as i32, order.max(1) as i32, self.c.1 as i32);
        let (m, n, k, mut info) = (m as i32, n as i32, k as i32, 0);
        let (reflectors, work) = (reflectors.as_ptr(), work.as_mut_ptr());
        // SAFETY: C, tau and the copy have the sizes that the arguments state; the work space has its length.
        unsafe {
            (T::routines().ormqr)(
                &side, &trans, &m, &n, &k, reflectors, &lda, tau, c, &ldc, work, &length, &mut info, 1, 1,
            );
        }
        Ok(info)
    }
}

pairs! {
    fn [cusolverDnSgeqrf_bufferSize cusolverDnDgeqrf_bufferSize](
        handle: cusolverDnHandle_t,
        m: c_int,
        n: c_int,
        _a: *mut T,
        lda: c_int,
        elements: *mut c_int,
    ) -> cusolverStatus_t {
        bind(handle)?;
        let (m, n) = (size(CALL, "m", m)?, size(CALL, "n", n)?);
        leading(CALL, "lda", lda, m)?;
        put_size(CALL, elements, geqrf_elements(m, n))
    }

    fn [cusolverDnSgeqrf cusolverDnDgeqrf](
        handle: cusolverDnHandle_t,
        m: c_int,
        n: c_int,
        a: *mut T,
        lda: c_int,
        tau: *mut T,
        work: *mut T,
        elements: c_int,
        dev_info: *mut c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let (m, n) = (size(CALL, "m", m)?, size(CALL, "n", n)?);
        let lda = leading(CALL, "lda", lda, m)?;
        let work = Workspace::new(CALL, work, elements, geqrf_elements(m, n))?;
        let (a, tau, info) = (device(a), device(tau), info(CALL, dev_info)?);
        bound.enqueue(CALL, move |memory| {
            work.spoil::<T>(memory)?;
            let result = geqrf::<T>(memory, (m, n), (a, lda), tau)?;
            put_info(memory, info, result)
        })
    }

    fn [cusolverDnSormqr_bufferSize cusolverDnDormqr_bufferSize](
        handle: cusolverDnHandle_t,
        side: cublasSideMode_t,
        trans: cublasOperation_t,
        m: c_int,
        n: c_int,
        k: c_int,
        a: *const T,
        lda: c_int,
        tau: *const T,
        c: *const T,
        ldc: c_int,
        elements: *mut c_int,
    ) -> cusolverStatus_t {
        bind(handle)?;
        let (a, c) = ((device(a), lda), (device(c), ldc));
        let ormqr = Arguments { side, trans, sizes: [m, n, k], a, tau: device(tau), c }.check(CALL)?;
        put_size(CALL, elements, ormqr_elements(ormqr.m, ormqr.n))
    }

    fn [cusolverDnSormqr cusolverDnDormqr](
        handle: cusolverDnHandle_t,
        side: cublasSideMode_t,
        trans: cublasOperation_t,
        m: c_int,
        n: c_int,
        k: c_int,
        a: *const T,
        lda: c_int,
        tau: *const T,
        c: *mut T,
        ldc: c_int,
        work: *mut T,
        elements: c_int,
        dev_info: *mut c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let (a, c) = ((device(a), lda), (device(c), ldc));
        let ormqr = Arguments { side, trans, sizes: [m, n, k], a, tau: device(tau), c }.check(CALL)?;
        let work = Workspace::new(CALL, work, elements, ormqr_elements(ormqr.m, ormqr.n))?;
        let info = info(CALL, dev_info)?;
        bound.enqueue(CALL, move |memory| {
            work.spoil::<T>(memory)?;
            let result = ormqr.run::<T>(memory)?;
            put_info(memory, info, result)
        })
    }
}
