//! Eigenvalues of symmetric matrices (syevd) and singular values (gesvd).

use std::ffi::{c_int, c_schar};

use cudarc::cusolver::sys::{
    self, cublasFillMode_t, cusolverDnHandle_t, cusolverEigMode_t, cusolverStatus_t,
};

use super::{Real, Status, Workspace, bind, device, info, leading, put_size, require, size, workspace};
use crate::blas::matrix::{Matrix, Part, put_info};
use crate::blas::option::{Choice, Letter};
use crate::blas::pairs;
use crate::fault::Fault;
use crate::memory::{Access, Memory};

fn syevd_elements(n: usize) -> usize {
    workspace(n, 5)
}

fn gesvd_elements(m: usize, n: usize) -> usize {
    workspace(m + n, 6)
}

/// Eigenvalues in ascending order, and, if asked for, eigenvectors in the place of the matrix.
fn syevd<T: Real>(
    memory: &Memory,
    vectors: bool,
    uplo: Letter,
    (n, a, lda): (usize, u64, usize),
    values: u64,
) -> Result<i32, Fault> {
    let matrix = Matrix::<T>::new(a, n, n, lda);
    matrix.pointer(memory, Part::triangle(uplo, true), Access::Read)?;
    let a = matrix.pointer(memory, Part::Full, Access::Write)?;
    let w = Matrix::<T>::vector(values, n).pointer(memory, Part::Full, Access::Write)?;
    let jobz = if vectors { b'V' } else { b'N' } as Letter;
    // The least sizes that LAPACK's manual names for eigenvectors.
    let mut work = vec![T::ZERO; 1 + 6 * n + 2 * n * n];
    let mut integers = vec![0; 3 + 5 * n];
    let (length, integer_length) = (work.len() as i32, integers.len() as i32);
    let (order, lda, mut info) = (n as i32, lda.max(1) as i32, 0);
    let (work, integers) = (work.as_mut_ptr(), integers.as_mut_ptr());
    // SAFETY: all elements that syevd touches were checked above; the work spaces have their lengths.
    unsafe {
        (T::routines().syevd)(
            &jobz,
            &uplo,
            &order,
            a,
            &lda,
            w,
            work,
            &length,
            integers,
            &integer_length,
            &mut info,
            1,
            1,
        );
    }
    if !vectors {
        // The manual: the contents are destroyed.
        matrix.fill(memory, Part::Full, T::NAN)?;
    }
    Ok(info)
}

/// A = U diag(S) V^T for a matrix with at least as many rows as columns.
#[derive(Debug, Clone, Copy)]
struct Gesvd {
    /// How much of U and V^T: `A`ll, `S`ome, `O`verwriting A, `N`one.
    jobs: [Letter; 2],
    m: usize,
    n: usize,
    a: (u64, usize),
    s: u64,
    u: (u64, usize),
    vt: (u64, usize),
    /// Where the superdiagonal of an unconverged bidiagonal form goes, if anywhere.
    superdiagonal: Option<u64>,
}

/// Whether the letter asks for a matrix of its own.
fn is_separate(job: Letter) -> bool {
    [b'A' as Letter, b'S' as Letter].contains(&job)
}

impl Gesvd {
    fn check(self, call: &str, [ldu, ldvt]: [c_int; 2]) -> Result<Self, Status> {
        let known = |job: Letter| is_separate(job) || [b'O' as Letter, b'N' as Letter].contains(&job);
        require(call, self.jobs.into_iter().all(known), "jobu and jobvt of A, S, O, N")?;
        require(call, self.jobs != [b'O' as Letter; 2], "one of jobu and jobvt other than O")?;
        require(call, self.m >= self.n, "m >= n, the only shape it supports")?;
        let rows = |job, rows| if is_separate(job) { rows } else { 0 };
        let ldu = leading(call, "ldu", ldu, rows(self.jobs[0], self.m))?;
        let ldvt = leading(call, "ldvt", ldvt, rows(self.jobs[1], self.n))?;
        Ok(Self { u: (self.u.0, ldu), vt: (self.vt.0, ldvt), ..self })
    }

    fn run<T: Real>(&self, memory: &Memory) -> Result<i32, Fault> {
        let Self { jobs: [jobu, jobvt], m, n, .. } = *self;
        let matrix = Matrix::<T>::new(self.a.0, m, n, self.a.1);
        let a = matrix.pointer(memory, Part::Full, Access::ReadWrite)?;
        let write = |matrix: Matrix<T>| matrix.pointer(memory, Part::Full, Access::Write);
        let s = write(Matrix::vector(self.s, n))?;
        // The sizes of U are m x m for A, m x n for S; those of V^T are n x n for both.
        let u_columns = if jobu == b'A' as Letter { m } else { n };
        let u = if is_separate(jobu) { (m, u_columns) } else { (0, 0) };
        let vt = if is_separate(jobvt) { (n, n) } else { (0, 0) };
        let u = write(Matrix::new(self.u.0, u.0, u.1, self.u.1))?;
        let vt = write(Matrix::new(self.vt.0, vt.0, vt.1, self.vt.1))?;
        // More than the least size that LAPACK's manual names.
        let mut work = vec![T::ZERO; 5 * m.max(1) + 64 * (m + n)];
        let length = work.len() as i32;
        let (rows, columns, mut info) = (m as i32, n as i32, 0);
        let (lda, ldu, ldvt) = (self.a.1 as i32, self.u.1 as i32, self.vt.1 as i32);
        let pointer = work.as_mut_ptr();
        // SAFETY: all elements that gesvd touches were checked above; the work space has its length.
        unsafe {
            (T::routines().gesvd)(
                &jobu, &jobvt, &rows, &columns, a, &lda, s, u, &ldu, vt, &ldvt, pointer, &length, &mut info,
                1, 1,
            );
        }
        if !self.jobs.contains(&(b'O' as Letter)) {
            // The manual: the contents are destroyed.
            matrix.fill(memory, Part::Full, T::NAN)?;
        }
        if let Some(address) = self.superdiagonal {
            let count = n.saturating_sub(1);
            Matrix::vector(address, count).set(memory, &work[1..=count])?;
        }
        Ok(info)
    }
}

pairs! {
    fn [cusolverDnSsyevd_bufferSize cusolverDnDsyevd_bufferSize](
        handle: cusolverDnHandle_t,
        _jobz: cusolverEigMode_t,
        uplo: cublasFillMode_t,
        n: c_int,
        _a: *const T,
        lda: c_int,
        _w: *const T,
        elements: *mut c_int,
    ) -> cusolverStatus_t {
        bind(handle)?;
        uplo.check(CALL)?;
        let n = size(CALL, "n", n)?;
        leading(CALL, "lda", lda, n)?;
        put_size(CALL, elements, syevd_elements(n))
    }

    fn [cusolverDnSsyevd cusolverDnDsyevd](
        handle: cusolverDnHandle_t,
        jobz: cusolverEigMode_t,
        uplo: cublasFillMode_t,
        n: c_int,
        a: *mut T,
        lda: c_int,
        w: *mut T,
        work: *mut T,
        elements: c_int,
        dev_info: *mut c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let uplo = uplo.check(CALL)?;
        let n = size(CALL, "n", n)?;
        let lda = leading(CALL, "lda", lda, n)?;
        let work = Workspace::new(CALL, work, elements, syevd_elements(n))?;
        let vectors = jobz == cusolverEigMode_t::CUSOLVER_EIG_MODE_VECTOR;
        let (a, w, info) = (device(a), device(w), info(CALL, dev_info)?);
        bound.enqueue(CALL, move |memory| {
            work.spoil::<T>(memory)?;
            let result = syevd::<T>(memory, vectors, uplo, (n, a, lda), w)?;
            put_info(memory, info, result)
        })
    }

    fn [cusolverDnSgesvd_bufferSize cusolverDnDgesvd_bufferSize](
        handle: cusolverDnHandle_t,
        m: c_int,
        n: c_int,
        elements: *mut c_int,
    ) -> cusolverStatus_t {
        bind(handle)?;
        let (m, n) = (size(CALL, "m", m)?, size(CALL, "n", n)?);
        require(CALL, m >= n, "m >= n, the only shape it supports")?;
        put_size(CALL, elements, gesvd_elements(m, n))
    }

    fn [cusolverDnSgesvd cusolverDnDgesvd](
        handle: cusolverDnHandle_t,
        jobu: c_schar,
        jobvt: c_schar,
        m: c_int,
        n: c_int,
        a: *mut T,
        lda: c_int,
        s: *mut T,
        u: *mut T,
        ldu: c_int,
        vt: *mut T,
        ldvt: c_int,
        work: *mut T,
        elements: c_int,
        rwork: *mut T,
        dev_info: *mut c_int,
    ) -> cusolverStatus_t {
        let bound = bind(handle)?;
        let (m, n) = (size(CALL, "m", m)?, size(CALL, "n", n)?);
        let lda = leading(CALL, "lda", lda, m)?;
        let superdiagonal = (!rwork.is_null()).then(|| device(rwork));
        let jobs = [jobu as Letter, jobvt as Letter];
        let (u, vt) = ((device(u), 1), (device(vt), 1));
        let gesvd = Gesvd { jobs, m, n, a: (device(a), lda), s: device(s), u, vt, superdiagonal };
        let gesvd = gesvd.check(CALL, [ldu, ldvt])?;
        let work = Workspace::new(CALL, work, elements, gesvd_elements(m, n))?;
        let info = info(CALL, dev_info)?;
        bound.enqueue(CALL, move |memory| {
            work.spoil::<T>(memory)?;
            let result = gesvd.run::<T>(memory)?;
            put_info(memory, info, result)
        })
    }
}
