//! What a backend does: a family of small traits, one per chapter of the array API standard.
//!
//! A backend implements primitives on buffers and layouts. Views, broadcasting, argument checks
//! and composite functions are written once, in [`Array`](crate::Array), on top of these traits;
//! a new backend implements this file and touches nothing else.
//!
//! Conventions: inputs come as a [`View`] of any strides (0 for broadcast axes, negative ones
//! too); results are new buffers in row-major order unless a target is given; shapes have been
//! checked by the caller, values (indices, pivots) have not.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use crate::layout::Layout;
use crate::lazy::Expression;
use crate::ops::{Binary, CountNonzero, Reduction, Unary};
use crate::{Element, Error, Float, Numeric, Result};

/// A buffer seen through a layout: the input of a primitive.
#[derive(Debug)]
pub struct View<'a, T: Element, B: Storage> {
    /// The elements.
    pub buffer: &'a B::Buffer<T>,
    /// Which of them, in which order.
    pub layout: &'a Layout,
}

impl<T: Element, B: Storage> Clone for View<'_, T, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Element, B: Storage> Copy for View<'_, T, B> {}

/// A part of a pipeline's input: some images, some rows of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Which entries of the leading (batch) axis.
    pub batch: Range<usize>,
    /// Which rows of each.
    pub rows: Range<usize>,
}

/// Checks that a tile gave as many elements as belong there.
pub(crate) fn check_tile(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::InvalidArgument {
        operation: "tiles",
        reason: format!("a tile gave {found} elements where {expected} belong"),
    })
}

/// Memory and scheduling: the ground that the chapters stand on.
pub trait Storage: Sized + Clone + Send + Sync + Debug + 'static {
    /// A block of device memory that holds elements of one type. Dropping it frees the memory.
    type Buffer<T: Element>: Send + Sync + Debug;

    /// Short name, such as `"cpu"`.
    fn name(&self) -> &'static str;

    /// A buffer of `len` elements with unspecified values.
    fn allocate<T: Element>(&self, len: usize) -> Result<Self::Buffer<T>>;

    /// A buffer with a copy of the given elements.
    fn upload<T: Element>(&self, data: &[T]) -> Result<Self::Buffer<T>>;

    /// A buffer with the given elements, whose memory becomes the buffer's if that is the host's.
    fn adopt<T: Element>(&self, data: Vec<T>) -> Result<Self::Buffer<T>> {
        self.upload(&data)
    }

    /// A buffer of what `write` puts into `len` elements in the host's memory, where unspecified values are before.
    fn written<T: Element>(&self, len: usize, write: impl FnOnce(&mut [T])) -> Result<Self::Buffer<T>> {
        let mut data = crate::host::zeros(len)?;
        write(&mut data);
        self.adopt(data)
    }

    /// Whether buffers are in the host's memory, so that tiles are worked on by threads that can do something else in between, such
    /// as to read what a tile is made of. Otherwise much has to be read before a tile takes it.
    fn is_in_host_memory(&self) -> bool {
        false
    }

    /// The elements of a view in row-major order.
    fn download<T: Element>(&self, x: View<'_, T, Self>) -> Result<Vec<T>>;

    /// As [`download`](Self::download) of a buffer that is no longer needed: where that is the host's, the vector takes its
    /// memory if the elements lie there in order.
    fn hand_over<T: Element>(&self, buffer: Self::Buffer<T>, layout: &Layout) -> Result<Vec<T>> {
        self.download(View { buffer: &buffer, layout })
    }

    /// The memory of a buffer that is no longer needed, if it is the host's; what is in it does not
    /// matter.
    fn reclaim<T: Element>(&self, _buffer: Self::Buffer<T>) -> Option<Vec<T>> {
        None
    }

    /// Cuts `batch` images of `rows` rows into tiles whose working set, `bytes_per_row` for each
    /// row, suits the backend: a few hundred kB on a CPU, everything at once on a GPU. Those of one
    /// image are in the order of their rows, and do not depend on how many images there are, unless they
    /// take more memory than the backend has.
    fn tiles(&self, batch: usize, rows: usize, bytes_per_row: usize) -> Vec<Tile>;

    /// Runs `f` on every tile and adds up the results of tiles with the same batch entries, in
    /// the order of the tiles; `f` returns an array of `tile.batch.len() * width` elements.
    ///
    /// Inside `f`, operations run on one thread and draw temporaries from a scratch pool. The sum
    /// has the same bits whatever the number of threads.
    fn reduce_tiles<F>(&self, tiles: &[Tile], batch: usize, width: usize, f: F) -> Result<Self::Buffer<f64>>
    where
        F: Fn(&Tile) -> Result<crate::Array<f64, Self>> + Sync,
        Self: Backend;

    /// Runs `f` on every tile and puts the results side by side: `f` returns the tile's part, of
    /// shape `(tile.batch.len(), tile.rows.len(), width)`, of a `(batch, rows, width)` array.
    fn map_tiles<T: Element, F>(&self, tiles: &[Tile], shape: [usize; 3], f: F) -> Result<Self::Buffer<T>>
    where
        F: Fn(&Tile) -> Result<crate::Array<T, Self>> + Sync,
        Self: Backend;
}

/// Making arrays.
pub trait Creation: Storage {
    /// `len` elements, all `value`.
    fn full<T: Element>(&self, len: usize, value: T) -> Result<Self::Buffer<T>>;
}

/// Functions of one element, or of two in the same place.
pub trait Elementwise: Storage {
    /// `op(x)`.
    fn map<T: Element, O: Unary<T>>(&self, op: &O, x: View<'_, T, Self>) -> Result<Self::Buffer<O::Out>>;

    /// `x = op(x)` in place.
    fn map_assign<T: Element, O: Unary<T, Out = T>>(
        &self,
        op: &O,
        x: &mut Self::Buffer<T>,
        layout: &Layout,
    ) -> Result<()>;

    /// `op(a, b)`; both layouts have the shape of the result.
    fn zip<T: Element, O: Binary<T>>(
        &self,
        op: &O,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
    ) -> Result<Self::Buffer<O::Out>>;

    /// `a = op(a, b)` in place; both layouts have the same shape.
    fn zip_assign<T: Element, O: Binary<T, Out = T>>(
        &self,
        op: &O,
        a: &mut Self::Buffer<T>,
        layout: &Layout,
        b: View<'_, T, Self>,
    ) -> Result<()>;

    /// The elements of an expression in one pass; `layouts` are those of its arrays, all of the shape of
    /// the result, from left to right.
    fn evaluate<E: Expression<Self>>(
        &self,
        expression: &E,
        layouts: &[Layout],
    ) -> Result<Self::Buffer<E::Item>>
    where
        Self: Backend;

    /// How many elements of an expression are true, over the trailing `axes` axes; `layouts` as for
    /// [`evaluate`](Self::evaluate). A backend with no loop for it evaluates the expression first.
    fn count_true<E: Expression<Self, Item = bool>>(
        &self,
        expression: &E,
        layouts: &[Layout],
        axes: usize,
    ) -> Result<Self::Buffer<i64>>
    where
        Self: Backend,
    {
        let elements = self.evaluate(expression, layouts)?;
        let layout = Layout::contiguous(layouts.first().map_or(&[], Layout::shape));
        self.reduce::<bool, CountNonzero>(View { buffer: &elements, layout: &layout }, axes)
    }

    /// [`evaluate`](Self::evaluate) of two expressions and [`count_true`](Self::count_true) of a condition of the same
    /// shape; each has its own layouts. A backend with no loop for all has one for each.
    #[expect(clippy::type_complexity, reason = "three results")]
    fn evaluate_two_and_count<E, F, C>(
        &self,
        (expression, layouts): (&E, &[Layout]),
        (other, other_layouts): (&F, &[Layout]),
        (condition, condition_layouts): (&C, &[Layout]),
        axes: usize,
    ) -> Result<(Self::Buffer<E::Item>, Self::Buffer<F::Item>, Self::Buffer<i64>)>
    where
        Self: Backend,
        E: Expression<Self>,
        F: Expression<Self>,
        C: Expression<Self, Item = bool>,
    {
        Ok((
            self.evaluate(expression, layouts)?,
            self.evaluate(other, other_layouts)?,
            self.count_true(condition, condition_layouts, axes)?,
        ))
    }
}

/// Reductions and scans.
pub trait Statistical: Storage {
    /// Reduces the trailing `axes` axes of `x`; the result has the shape of the leading ones.
    fn reduce<T: Element, R: Reduction<T>>(
        &self,
        x: View<'_, T, Self>,
        axes: usize,
    ) -> Result<Self::Buffer<R::Out>>;

    /// Running results of `op` along the last axis.
    fn scan<T: Element, O: Binary<T, Out = T>>(
        &self,
        op: &O,
        x: View<'_, T, Self>,
    ) -> Result<Self::Buffer<T>>;

    /// Median along the last axis, NaN where there is a NaN or no element.
    fn median<T: Float>(&self, x: View<'_, T, Self>) -> Result<Self::Buffer<T>>;
}

/// Moving data about.
pub trait Manipulation: Storage {
    /// Writes `x` to the elements of `target` that `layout`, of the same shape, names.
    fn copy_to<T: Element>(
        &self,
        x: View<'_, T, Self>,
        target: &mut Self::Buffer<T>,
        layout: &Layout,
    ) -> Result<()>;
}

/// Indexing by arrays.
pub trait Indexing: Storage {
    /// `x[i, indices[j], k]` for `x` of shape `(outer, length, inner)`, as `(outer, j, inner)`.
    /// Negative indices count from the end.
    fn take<T: Element>(&self, x: View<'_, T, Self>, indices: View<'_, i64, Self>)
    -> Result<Self::Buffer<T>>;

    /// `target[i, indices[j], k] += values[i, j, k]`, one after another where an index repeats.
    fn scatter_add<T: Numeric>(
        &self,
        target: &mut Self::Buffer<T>,
        layout: &Layout,
        indices: View<'_, i64, Self>,
        values: View<'_, T, Self>,
    ) -> Result<()>;

    /// The elements of `x` where `mask`, of the same shape, is true, in row-major order, and
    /// their number.
    fn compress<T: Element>(
        &self,
        x: View<'_, T, Self>,
        mask: View<'_, bool, Self>,
    ) -> Result<(Self::Buffer<T>, usize)>;
}

/// Searching.
pub trait Searching: Storage {
    /// `a` where `condition` is true, else `b`; all of one shape.
    fn select<T: Element>(
        &self,
        condition: View<'_, bool, Self>,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
    ) -> Result<Self::Buffer<T>>;

    /// Index along the last axis of the first largest (`largest`) or smallest element; a NaN
    /// counts as both.
    fn arg_extreme<T: Numeric>(&self, x: View<'_, T, Self>, largest: bool) -> Result<Self::Buffer<i64>>;

    /// Row-major positions of the elements that are true, and their number.
    fn flat_nonzero(&self, x: View<'_, bool, Self>) -> Result<(Self::Buffer<i64>, usize)>;
}

/// Sorting along the last axis; NaN comes last in ascending order, equal elements keep theirs.
pub trait Sorting: Storage {
    /// Sorted elements.
    fn sort<T: Numeric>(&self, x: View<'_, T, Self>, descending: bool) -> Result<Self::Buffer<T>>;

    /// Indices that sort.
    fn argsort<T: Numeric>(&self, x: View<'_, T, Self>, descending: bool) -> Result<Self::Buffer<i64>>;
}

/// Dense linear algebra on stacks of matrices: all views have three axes, the first a batch.
pub trait Linalg: Storage {
    /// `a @ b`, added to `out` (row-major, one matrix after another) if `accumulate`.
    fn matmul<T: Float>(
        &self,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
        out: &mut Self::Buffer<T>,
        accumulate: bool,
    ) -> Result<()>;

    /// Overwrites `count` matrices of `n` rows, with which `a` begins, row-major and one after another, by their lower
    /// Cholesky factors, zero above the diagonal; only the lower triangles are read.
    fn cholesky<T: Float>(&self, a: &mut Self::Buffer<T>, count: usize, n: usize) -> Result<()>;

    /// Solves `a x = b` with a triangular `a`, of which only that triangle is read.
    fn solve_triangular<T: Float>(
        &self,
        a: View<'_, T, Self>,
        b: View<'_, T, Self>,
        triangle: Triangle,
    ) -> Result<Self::Buffer<T>>;

    /// Solves `a x = b` by LU factorization with partial pivoting.
    fn solve<T: Float>(&self, a: View<'_, T, Self>, b: View<'_, T, Self>) -> Result<Self::Buffer<T>>;

    /// Determinants, one a matrix.
    fn det<T: Float>(&self, a: View<'_, T, Self>) -> Result<Self::Buffer<T>>;

    /// Eigenvalues of symmetric matrices in ascending order, and eigenvectors of length 1, of either
    /// sign, one a row. Only the lower triangle of `a`, whose elements are finite, is read.
    fn eigh<T: Float>(&self, a: View<'_, T, Self>) -> Result<(Self::Buffer<T>, Self::Buffer<T>)>;

    /// The eigenvalues alone.
    fn eigvalsh<T: Float>(&self, a: View<'_, T, Self>) -> Result<Self::Buffer<T>>;
}

/// Which triangle of a matrix holds its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// On and below the diagonal.
    Lower,
    /// On and above the diagonal.
    Upper,
}

/// Solving with factors that are kept.
pub trait LinalgExt: Linalg {
    /// Solves `l l^T x = b` for each matrix of the batch, given its lower Cholesky factor.
    ///
    /// A column of the result does not depend on how many other columns there are.
    fn cho_solve<T: Float>(&self, l: View<'_, T, Self>, b: View<'_, T, Self>) -> Result<Self::Buffer<T>> {
        let half = self.solve_triangular(l, b, Triangle::Lower)?;
        let layout = Layout::contiguous(b.layout.shape());
        let transposed = l.layout.permute(&[0, 2, 1]);
        self.solve_triangular(
            View { buffer: l.buffer, layout: &transposed },
            View { buffer: &half, layout: &layout },
            Triangle::Upper,
        )
    }
}

/// A sparse matrix in compressed sparse row form, as a primitive sees it.
#[derive(Debug)]
pub struct CsrView<'a, T: Element, B: Storage> {
    /// Where each row's entries begin; `rows + 1` numbers.
    pub indptr: &'a B::Buffer<i32>,
    /// Column of each entry.
    pub indices: &'a B::Buffer<i32>,
    /// Value of each entry.
    pub data: &'a B::Buffer<T>,
    /// The rows of the stored matrix that are meant.
    pub rows: Range<usize>,
    /// Number of columns.
    pub columns: usize,
}

impl<T: Element, B: Storage> Clone for CsrView<'_, T, B> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), ..*self }
    }
}

/// Products of sparse matrices with dense ones. Dense views have three axes, the first a batch.
pub trait Sparse: Storage {
    /// `a x`: `x` of shape `(batch, columns, n)`, result `(batch, rows, n)`.
    fn csr_matmul<T: Float>(&self, a: CsrView<'_, T, Self>, x: View<'_, T, Self>) -> Result<Self::Buffer<T>>;

    /// `a^T x`: `x` of shape `(batch, rows, n)`, result `(batch, columns, n)`.
    fn csr_matmul_transposed<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        x: View<'_, T, Self>,
    ) -> Result<Self::Buffer<T>>;

    /// Adds `a_i^T diag(w_i) b_i`, for each row `i` of the weights `w`, of shape `(batch, m)`, to `out`,
    /// of shape `(batch, a.columns, b.columns)`, whose elements follow each other from `start` on: `a` and
    /// `b` have either `m` rows, used for every `i`, or `batch * m` rows, `m` for each `i`.
    fn csr_weighted_gram_add<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        w: View<'_, T, Self>,
        b: CsrView<'_, T, Self>,
        out: &mut Self::Buffer<T>,
        start: usize,
    ) -> Result<()>;

    /// `a_i^T m b_i` for each row `i` of two matrices of as many rows, in double precision;
    /// `m`, a view of two axes, has the shape `(a.columns, b.columns)`.
    fn csr_bilinear<T: Float>(
        &self,
        a: CsrView<'_, T, Self>,
        m: View<'_, T, Self>,
        b: CsrView<'_, T, Self>,
    ) -> Result<Self::Buffer<T>>;
}

/// Splines at fixed points, prepared once and applied many times.
pub trait Splines: Storage {
    /// A piecewise polynomial basis at fixed points.
    type Plan: Send + Sync + Debug;

    /// Prepares the points that `x` begins with, of shape `(rows, columns)` in row-major order. The plan shares the buffer.
    fn spline_plan(
        &self,
        basis: &crate::spline::PiecewisePolynomials,
        x: Arc<Self::Buffer<f64>>,
        shape: [usize; 2],
    ) -> Result<Self::Plan>;

    /// Columns and values of the matrix `A[x, k] = B_k(x)` over the given rows of the plan, point
    /// by point, `degree + 1` entries each.
    fn spline_design(
        &self,
        plan: &Self::Plan,
        rows: Range<usize>,
    ) -> Result<(Self::Buffer<i32>, Self::Buffer<f64>)>;

    /// `sum_k coefficients[batch, k] B_k(x)` over the given rows of the plan, of shape
    /// `(batch, rows, columns)`.
    fn spline_evaluate(
        &self,
        plan: &Self::Plan,
        rows: Range<usize>,
        coefficients: View<'_, f64, Self>,
    ) -> Result<Self::Buffer<f64>>;

    /// Adds [`spline_evaluate`](Self::spline_evaluate) to `out`.
    fn spline_evaluate_add(
        &self,
        plan: &Self::Plan,
        rows: Range<usize>,
        coefficients: View<'_, f64, Self>,
        out: &mut Self::Buffer<f64>,
        layout: &Layout,
    ) -> Result<()>;

    /// `sum_x f[batch, x] B_k(x)`, in double precision, over the given rows of the plan; `f` has shape
    /// `(batch, rows, columns)`, the result `(batch, k)`.
    fn spline_project<T: Float>(
        &self,
        plan: &Self::Plan,
        rows: Range<usize>,
        f: View<'_, T, Self>,
    ) -> Result<Self::Buffer<f64>>;

    /// `sum_yx f[batch, y, x] B_j(y) C_k(x)`, in double precision, over the given rows of the first plan,
    /// which has a single column, and the columns of the second, which has a single row; `f` has shape
    /// `(batch, rows, columns)`, the result `(batch, j, k)`.
    fn spline_project_kronecker<T: Float>(
        &self,
        rows: (&Self::Plan, Range<usize>),
        columns: &Self::Plan,
        f: View<'_, T, Self>,
    ) -> Result<Self::Buffer<f64>>;
}

/// Everything together.
pub trait Backend:
    Creation
    + Elementwise
    + Statistical
    + Manipulation
    + Indexing
    + Searching
    + Sorting
    + Linalg
    + LinalgExt
    + Sparse
    + Splines
{
}

impl<B> Backend for B where
    B: Creation
        + Elementwise
        + Statistical
        + Manipulation
        + Indexing
        + Searching
        + Sorting
        + Linalg
        + LinalgExt
        + Sparse
        + Splines
{
}
