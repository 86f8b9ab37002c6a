//! Dense linear algebra: cuBLAS and cuSOLVER, and a kernel that solves with Cholesky factors.
//!
//! # Row-major arrays, column-major libraries
//! A row-major matrix of shape (r, c), its rows `s` apart, is to the libraries the transpose of what
//! it is to us: a column-major matrix of shape (c, r) with leading dimension `s`. Nothing has to
//! move for that; each call is made for the transposed equation:
//! - `C = A B` is `C^T = B^T A^T`: the factors change places. One that lies by rows is taken as it is,
//!   one that lies by columns with the transposition flag.
//! - `A X = B` with triangular `A` is `X^T A^T = B^T`: `X^T` is what lies there for `X`, and the matrix
//!   stands on its right. A row-major `A` lies there as `A^T`, whose upper triangle is our lower one;
//!   a column-major one as `A`, which the transposition flag turns.
//! - `A = L L^T`: the lower triangle of a row-major `A` is the upper triangle of what lies there, the
//!   same symmetric matrix; its factor `U = L^T`, column-major, is `L`, row-major.
//! - `P A = L U` exchanges rows, so that here `A` itself has to be column-major: it is copied anyway,
//!   since the factors take its place, and is transposed on the way; right-hand sides and solutions,
//!   too. A determinant is that of the transpose: nothing is turned for it.
//!
//! # Solving with a Cholesky factor
//! A column of the solution must not depend, to the last bit, on how many others there are. The
//! libraries choose their kernels by the number of columns and promise no such thing, so this is a
//! kernel of our own: forward and backward substitution in one launch, whatever the batch.

mod eigen;

use super::blas::{self, Product, Square, Stack, Triangular};
use super::driver::Arguments;
use super::{Cuda, CudaBuffer, Held, Source, THREADS, kernel_layouts, type_name};
use crate::backend::{Creation, Linalg, LinalgExt, Manipulation, Storage, Triangle, View};
use crate::layout::Layout;
use crate::{Error, Float, Result};

/// Kernels for matrices of `T`.
struct Dense<T>(std::marker::PhantomData<T>);

fn source<T: Float>() -> Source {
    Source {
        description: format!("linear algebra of {}", T::DTYPE),
        text: format!("typedef {} T;\n{}", type_name(T::DTYPE), include_str!("linalg.cuh")),
        kernels: &["addresses", "clear_above", "bad_pivot", "determinant", "cho_solve"],
    }
}

/// Columns that a block of `cho_solve` solves for, and its threads.
const COLUMNS: usize = 8;
const SOLVE_THREADS: u32 = 128;

/// Order up to which the matrices of a batch are factored side by side; a larger one keeps the
/// device busy by itself.
const SIDE_BY_SIDE: usize = 256;

fn side_by_side(n: usize, count: usize) -> bool {
    count > 1 && n <= SIDE_BY_SIDE
}

/// Lengths of the axes (batch, rows, columns).
fn axes(layout: &Layout) -> [usize; 3] {
    std::array::from_fn(|axis| layout.shape()[axis])
}

/// How matrices lie that the libraries can take where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    /// Whether rows are contiguous, and not columns.
    by_rows: bool,
    /// Distance between rows if they are contiguous, else between columns.
    leading: usize,
    /// From one matrix to the next.
    step: usize,
}

impl Form {
    /// The form of a view with axes (batch, rows, columns), none of them empty.
    fn of(layout: &Layout) -> Option<Self> {
        let [count, rows, columns] = axes(layout);
        let (down, across) = (layout.strides()[1], layout.strides()[2]);
        let step = if count == 1 { 0 } else { usize::try_from(layout.strides()[0]).ok()? };
        // Lines must not overlap, and the libraries count in 32 bits.
        let leading = |along: isize, length: usize, between: isize, lines: usize| {
            let between = if lines == 1 { length } else { usize::try_from(between).ok()? };
            let fits = (along == 1 || length == 1) && between >= length && between <= i32::MAX as usize;
            fits.then_some(between)
        };
        if let Some(leading) = leading(across, columns, down, rows) {
            return Some(Self { by_rows: true, leading, step });
        }
        leading(down, rows, across, columns).map(|leading| Self { by_rows: false, leading, step })
    }
}

/// Matrices in a form that the libraries take.
struct Matrices<'a, T: Float> {
    buffer: Held<'a, T>,
    offset: usize,
    form: Form,
}

impl<'a, T: Float> Matrices<'a, T> {
    /// The matrices of a view without empty axes, copied only if they lie in no such form.
    fn new(cuda: &Cuda, x: View<'a, T, Cuda>) -> Result<Self> {
        if let Some(form) = Form::of(x.layout) {
            return Ok(Self { buffer: Held::Borrowed(x.buffer), offset: x.layout.offset(), form });
        }
        let [_, rows, columns] = axes(x.layout);
        let form = Form { by_rows: true, leading: columns, step: rows * columns };
        Ok(Self { buffer: Held::Owned(cuda.gather(x)?), offset: 0, form })
    }

    fn stack(&self, cuda: &Cuda) -> Result<Stack> {
        let buffer = match &self.buffer {
            Held::Borrowed(buffer) => buffer,
            Held::Owned(buffer) => buffer,
        };
        let Form { leading, step, .. } = self.form;
        Ok(Stack { address: buffer.address(&cuda.0, self.offset)?, leading, step })
    }
}

/// Which pivots are bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    NotPositive,
    /// Or NaN.
    Zero,
}

/// Factors `P A = L U` of matrices, in their place.
struct Factors {
    pivots: CudaBuffer<i32>,
    info: CudaBuffer<i32>,
    /// Where the matrices are, if they were factored side by side.
    addresses: Option<CudaBuffer<i64>>,
    square: Square,
}

impl Cuda {
    /// Addresses of `count` matrices that lie `step` elements apart, on the device.
    fn addresses<T: Float>(&self, first: u64, step: usize, count: usize) -> Result<CudaBuffer<i64>> {
        let mut out = self.allocate::<i64>(count)?;
        let arguments = Arguments::default()
            .value(out.address_mut(&self.0, 0)?)
            .value(first)
            .value(step * size_of::<T>())
            .value(count);
        self.for_each::<Dense<T>>(source::<T>, "addresses", count, arguments)?;
        Ok(out)
    }

    /// The first bad pivot, as (matrix, position): of diagonals in a view with axes (batch, n), and of
    /// what the library reported, if it did. Waits for the device.
    fn bad_pivot<T: Float>(
        &self,
        buffer: &CudaBuffer<T>,
        diagonal: &Layout,
        info: Option<&CudaBuffer<i32>>,
        bad: Bad,
    ) -> Result<Option<(usize, usize)>> {
        let (n, count) = (diagonal.shape()[1], diagonal.len());
        let mut first = self.full(1, i64::MAX)?;
        let [layout] = kernel_layouts([diagonal])?;
        let arguments = Arguments::default()
            .value(buffer.address(&self.0, 0)?)
            .value(layout)
            .value(info.map_or(Ok(0), |info| info.address(&self.0, 0))?)
            .value(n)
            .value(count)
            .value(i32::from(bad == Bad::NotPositive))
            .value(first.address_mut(&self.0, 0)?);
        self.for_each::<Dense<T>>(source::<T>, "bad_pivot", count, arguments)?;
        let found = first.download(&self.0, 0, 1)?;
        let found = found.first().and_then(|&found| usize::try_from(found).ok()).filter(|&i| i < count);
        Ok(found.map(|i| (i / n, i % n)))
    }

    /// Factors `count` column-major matrices of order `n` without gaps, in place.
    fn factor_lu<T: Float>(
        &self,
        operation: &'static str,
        matrices: &mut CudaBuffer<T>,
        n: usize,
        count: usize,
    ) -> Result<Factors> {
        let mut pivots = CudaBuffer::<i32>::unspecified(&self.0, n * count)?;
        let mut info = CudaBuffer::<i32>::zeros(&self.0, count)?;
        let address = matrices.address_mut(&self.0, 0)?;
        let addresses =
            side_by_side(n, count).then(|| self.addresses::<T>(address, n * n, count)).transpose()?;
        let square = Square {
            operation,
            n,
            matrices: addresses.as_ref().map_or(Ok(address), |addresses| addresses.address(&self.0, 0))?,
            info: info.address_mut(&self.0, 0)?,
            count,
        };
        let pivot_address = pivots.address_mut(&self.0, 0)?;
        if addresses.is_some() {
            blas::getrf_batched::<T>(&self.0, &square, pivot_address)?;
        } else {
            blas::getrf::<T>(&self.0, &square, pivot_address)?;
        }
        Ok(Factors { pivots, info, addresses, square })
    }

    /// The matrices of a view, transposed and without gaps: column-major for the libraries.
    fn gather_by_columns<T: Float>(&self, x: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        self.gather(View { buffer: x.buffer, layout: &x.layout.permute(&[0, 2, 1]) })
    }
}

/// The diagonals of `count` matrices of order `n` without gaps.
fn diagonals(n: usize, count: usize) -> Layout {
    Layout::contiguous(&[count, n, n]).diagonal(0, 0, n)
}

impl Linalg for Cuda {
    fn matmul<T: Float>(
        &self,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
        out: &mut CudaBuffer<T>,
        accumulate: bool,
    ) -> Result<()> {
        let [count, m, k] = axes(a.layout);
        let [_, _, n] = axes(b.layout);
        let len = count * m * n;
        if len == 0 || (k == 0 && accumulate) {
            return Ok(());
        }
        if k == 0 {
            let zero = CudaBuffer::zeros(&self.0, 1)?;
            let zeros = Layout::contiguous(&[1]).broadcast_to(&[len])?;
            return self.copy_to(View { buffer: &zero, layout: &zeros }, out, &Layout::contiguous(&[len]));
        }
        let (a, b) = (Matrices::new(self, a)?, Matrices::new(self, b)?);
        // C^T (n, m) = B^T (n, k) A^T (k, m).
        let product = Product {
            m: n,
            n: m,
            k,
            a: b.stack(self)?,
            b: a.stack(self)?,
            c: Stack { address: out.address_mut(&self.0, 0)?, leading: n, step: m * n },
            transpose_a: !b.form.by_rows,
            transpose_b: !a.form.by_rows,
            accumulate,
            count,
        };
        blas::gemm::<T>(&self.0, &product)
    }

    fn cholesky<T: Float>(&self, a: &mut CudaBuffer<T>, count: usize, n: usize) -> Result<()> {
        let len = count * n * n;
        if len == 0 {
            return Ok(());
        }
        let mut info = CudaBuffer::<i32>::zeros(&self.0, count)?;
        let address = a.address_mut(&self.0, 0)?;
        let mut square = Square {
            operation: "cholesky",
            n,
            matrices: address,
            info: info.address_mut(&self.0, 0)?,
            count,
        };
        if side_by_side(n, count) {
            let addresses = self.addresses::<T>(address, n * n, count)?;
            square.matrices = addresses.address(&self.0, 0)?;
            blas::potrf_batched::<T>(&self.0, &square)?;
        } else {
            blas::potrf::<T>(&self.0, &square)?;
        }
        let arguments = Arguments::default().value(address).value(n).value(len);
        self.for_each::<Dense<T>>(source::<T>, "clear_above", len, arguments)?;
        // The library's word is not enough: it need not take NaN for a bad pivot.
        match self.bad_pivot(a, &diagonals(n, count), Some(&info), Bad::NotPositive)? {
            Some((batch, pivot)) => Err(Error::NotPositiveDefinite { batch, pivot }),
            None => Ok(()),
        }
    }

    fn solve_triangular<T: Float>(
        &self,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
        triangle: Triangle,
    ) -> Result<CudaBuffer<T>> {
        let [count, n, columns] = axes(b.layout);
        let mut x = self.gather(b)?;
        if x.len() == 0 {
            return Ok(x);
        }
        if let Some((batch, pivot)) =
            self.bad_pivot(a.buffer, &a.layout.diagonal(0, 0, n), None, Bad::Zero)?
        {
            return Err(Error::Singular { batch, pivot });
        }
        let a = Matrices::new(self, a)?;
        let stack = a.stack(self)?;
        // X^T (columns, n) A^T (n, n) = B^T: by rows A^T lies there, by columns A.
        let system = Triangular {
            m: columns,
            n,
            upper: (triangle == Triangle::Upper) != a.form.by_rows,
            transposed: !a.form.by_rows,
            leading: stack.leading,
        };
        let address = x.address_mut(&self.0, 0)?;
        if count == 1 {
            blas::trsm::<T>(&self.0, &system, stack.address, address)?;
        } else {
            let left = self.addresses::<T>(stack.address, stack.step, count)?;
            let right = self.addresses::<T>(address, n * columns, count)?;
            let (left, right) = (left.address(&self.0, 0)?, right.address(&self.0, 0)?);
            blas::trsm_batched::<T>(&self.0, &system, left, right, count)?;
        }
        Ok(x)
    }

    fn solve<T: Float>(&self, a: View<'_, T, Self>, b: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        let [count, n, columns] = axes(b.layout);
        let mut x = self.gather_by_columns(b)?;
        if x.len() == 0 {
            return Ok(x);
        }
        let mut lu = self.gather_by_columns(a)?;
        let factors = self.factor_lu("solve", &mut lu, n, count)?;
        if let Some((batch, pivot)) =
            self.bad_pivot(&lu, &diagonals(n, count), Some(&factors.info), Bad::Zero)?
        {
            return Err(Error::Singular { batch, pivot });
        }
        let pivots = factors.pivots.address(&self.0, 0)?;
        let address = x.address_mut(&self.0, 0)?;
        if factors.addresses.is_some() {
            let right = self.addresses::<T>(address, n * columns, count)?;
            let right = right.address(&self.0, 0)?;
            blas::getrs_batched::<T>(&self.0, &factors.square, pivots, right, columns)?;
        } else {
            blas::getrs::<T>(&self.0, &factors.square, pivots, address, columns)?;
        }
        // What lies there is X^T, row-major.
        let turned = Layout::contiguous(&[count, columns, n]);
        if n == 1 || columns == 1 {
            Ok(x)
        } else {
            self.gather_by_columns(View { buffer: &x, layout: &turned })
        }
    }

    fn det<T: Float>(&self, a: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        let [count, n, _] = axes(a.layout);
        if count == 0 || n == 0 {
            return self.full(count, T::ONE);
        }
        let mut lu = self.gather(a)?;
        let factors = self.factor_lu("det", &mut lu, n, count)?;
        let mut out = self.allocate(count)?;
        let [layout] = kernel_layouts([a.layout])?;
        let arguments = Arguments::default()
            .value(lu.address(&self.0, 0)?)
            .value(factors.pivots.address(&self.0, 0)?)
            .value(n)
            .value(a.buffer.address(&self.0, 0)?)
            .value(layout)
            .value(out.address_mut(&self.0, 0)?);
        let kernel = self.kernel::<Dense<T>>(source::<T>, "determinant")?;
        self.launch(kernel, [count, 1, 1], THREADS, arguments)?;
        Ok(out)
    }

    fn eigh<T: Float>(&self, a: View<'_, T, Self>) -> Result<(CudaBuffer<T>, CudaBuffer<T>)> {
        eigen::decompose(self, a, true)
    }

    fn eigvalsh<T: Float>(&self, a: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        eigen::decompose(self, a, false).map(|(values, _)| values)
    }
}

impl LinalgExt for Cuda {
    fn cho_solve<T: Float>(&self, l: View<'_, T, Self>, b: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        let [count, n, columns] = axes(b.layout);
        let mut x = self.gather(b)?;
        if x.len() == 0 {
            return Ok(x);
        }
        let strides = l.layout.strides();
        let arguments = Arguments::default()
            .value(l.buffer.address(&self.0, l.layout.offset())?)
            .value(strides[0])
            .value(strides[1])
            .value(strides[2])
            .value(n)
            .value(x.address_mut(&self.0, 0)?)
            .value(columns);
        let kernel = self.kernel::<Dense<T>>(source::<T>, "cho_solve")?;
        self.launch(kernel, [count * columns.div_ceil(COLUMNS), 1, 1], SOLVE_THREADS, arguments)?;
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(by_rows: bool, leading: usize, step: usize) -> Option<Form> {
        Some(Form { by_rows, leading, step })
    }

    #[test]
    fn matrices_with_contiguous_rows_or_columns_stay_where_they_are() {
        let stack = Layout::contiguous(&[4, 5, 6]);
        assert_eq!(Form::of(&stack), form(true, 6, 30));
        assert_eq!(Form::of(&stack.permute(&[0, 2, 1])), form(false, 6, 30));
        // Matrices that lie one beside the other.
        assert_eq!(Form::of(&stack.permute(&[1, 0, 2])), form(true, 30, 6));
        // A part of each, from the third column on.
        assert_eq!(Form::of(&stack.slice(2, 2, 1, 3)), form(true, 6, 30));
        // One matrix for all.
        let shared = Layout::contiguous(&[5, 6]).broadcast_to(&[4, 5, 6]).unwrap();
        assert_eq!(Form::of(&shared), form(true, 6, 0));
    }

    #[test]
    fn vectors_are_matrices_with_one_line() {
        let matrix = Layout::contiguous(&[1, 5, 6]);
        assert_eq!(Form::of(&matrix.slice(1, 2, 1, 1)), form(true, 6, 0));
        assert_eq!(Form::of(&matrix.slice(2, 2, 1, 1)), form(true, 6, 0));
        assert_eq!(Form::of(&matrix.slice(2, 2, 1, 1).permute(&[0, 2, 1])), form(false, 6, 0));
    }

    #[test]
    fn other_matrices_are_copied() {
        let stack = Layout::contiguous(&[4, 5, 6]);
        for irregular in [
            stack.slice(2, 0, 2, 3),
            stack.slice(2, 5, -1, 6),
            stack.slice(1, 4, -1, 5),
            stack.slice(0, 3, -1, 4),
            Layout::contiguous(&[1, 6]).broadcast_to(&[4, 5, 6]).unwrap(),
            Layout::contiguous(&[1]).broadcast_to(&[4, 5, 6]).unwrap(),
        ] {
            assert_eq!(Form::of(&irregular), None, "{irregular:?}");
        }
    }
}
