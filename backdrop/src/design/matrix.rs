//! A design on a window of pixels.

use std::collections::HashMap;
use std::ops::Range;

use array_api::{Array, BSplineBasis, Backend, Csr, Float, PiecewisePolynomials, SplineOperator};

use super::kronecker::{Factor, Kronecker};
use super::radial::Radial;
use super::{Basis, Block, Design, gram};
use crate::error::{Error, Result};
use crate::geometry::{CCD_SIZE, Window};
use crate::straps;

/// A block on a window.
pub(super) enum Operator<B: Backend> {
    Kronecker(Box<Kronecker<B>>),
    Radial(Radial<B>),
}

impl<B: Backend> Operator<B> {
    fn kronecker(block: Kronecker<B>) -> Self {
        Self::Kronecker(Box::new(block))
    }

    fn functions(&self) -> usize {
        match self {
            Self::Kronecker(block) => block.functions().0 * block.functions().1,
            Self::Radial(block) => block.functions(),
        }
    }
}

/// A design matrix `A[pixel, column]` on a window, as an operator.
///
/// ```
/// use array_api::{Array, Cpu};
/// use backdrop::design::{Block, DesignMatrix, Design};
/// use backdrop::geometry::Window;
///
/// let xp = Cpu::new();
/// let design = Design::from(Block::radial_spline(60));
/// let matrix = DesignMatrix::new(&xp, &design, &Window::cutout(1, 16)?)?;
/// // B-splines sum to one: weights of one make an image of ones.
/// let image = matrix.dot(&Array::ones(&xp, &[1, matrix.columns()])?)?;
/// assert_eq!(image.shape(), [1, 16, 16]);
/// assert!((&image - 1.0)?.abs()?.max()?.item()? < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DesignMatrix<B: Backend> {
    design: Design,
    operators: Vec<Operator<B>>,
    window: Window,
    backend: B,
}

/// Temporary images that a pipeline holds for each of its rows, which a tile must fit.
pub(crate) const TEMPORARIES: usize = 5;

impl<B: Backend> DesignMatrix<B> {
    /// Sets up the blocks of a design on a window.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a block without columns or of too high a degree.
    pub fn new(xp: &B, design: &Design, window: &Window) -> Result<Self> {
        let [matrix] = Self::several(xp, [design], window)?;
        Ok(matrix)
    }

    /// Sets up several designs on one window, which share what they have in common.
    pub fn several<const N: usize>(xp: &B, designs: [&Design; N], window: &Window) -> Result<[Self; N]> {
        let mut builder = Builder { xp, window, r: None, radial: HashMap::new() };
        let mut matrices = Vec::with_capacity(N);
        for design in designs {
            let operators =
                design.blocks().iter().map(|block| builder.operator(block)).collect::<Result<_>>()?;
            matrices.push(Self {
                design: design.clone(),
                operators,
                window: window.clone(),
                backend: xp.clone(),
            });
        }
        let mut matrices = matrices.into_iter();
        Ok(designs.map(|_| match matrices.next() {
            Some(matrix) => matrix,
            None => unreachable!("there is one matrix for each design"),
        }))
    }

    /// The rows of a design's matrix that belong to single pixels, (row, column) in science pixels
    /// of a CCD: shape (pixels, columns of the design).
    ///
    /// ```
    /// use array_api::{Array, Cpu};
    /// use backdrop::design::{Block, DesignMatrix};
    ///
    /// let xp = Cpu::new();
    /// let design = Block::spline(10) + Block::radial_spline(20);
    /// let rows = DesignMatrix::at_pixels(&xp, &design, 1, &[(5, 2000), (1024, 7), (5, 2000)])?;
    /// assert_eq!(rows.shape(), [3, design.columns()]);
    /// // Three splines along each axis and three in the distance are not zero at a pixel.
    /// let ones = Array::ones(&xp, &[design.columns(), 1])?;
    /// assert!((&rows.matmul(&ones)? - 2.0)?.abs()?.max()?.item()? < 1e-14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`DesignMatrix::new`], and [`Error::InvalidArgument`] for a pixel that is not on the CCD.
    pub fn at_pixels(xp: &B, design: &Design, ccd: u8, pixels: &[(usize, usize)]) -> Result<Csr<f64, B>> {
        let (rows, columns) = pixels.iter().copied().unzip();
        let window = Window::new(ccd, rows, columns)?;
        let r = Some(window.r_of_pairs(xp)?);
        let mut builder = Builder { xp, window: &window, r, radial: HashMap::new() };
        let parts = design
            .blocks()
            .iter()
            .map(|block| match builder.operator(block)? {
                Operator::Kronecker(block) => Ok(block.row.matrix.khatri_rao(&block.column.matrix)?),
                Operator::Radial(block) => block.matrix(0..1),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Csr::hstack(&parts.iter().collect::<Vec<_>>())?)
    }

    /// The design.
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// The pixels.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The backend that holds the matrix.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.operators.iter().map(Operator::functions).sum()
    }

    /// Where each block's columns begin and end.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (Range<usize>, &Operator<B>)> {
        let mut start = 0;
        self.operators.iter().map(move |operator| {
            let columns = start..start + operator.functions();
            start = columns.end;
            (columns, operator)
        })
    }

    /// The block that a column belongs to, and its number within the block.
    pub fn block_of(&self, column: usize) -> Option<(&Block, usize)> {
        let mut rest = column;
        for block in self.design.blocks() {
            if rest < block.columns() {
                return Some((block, rest));
            }
            rest -= block.columns();
        }
        None
    }

    /// `A w` for the weights of some frames, of shape (frames, columns), over some rows of the
    /// window: shape (frames, rows, window columns).
    pub fn dot_rows(&self, w: &Array<f64, B>, rows: Range<usize>) -> Result<Array<f64, B>> {
        let mut out: Option<Array<f64, B>> = None;
        for (columns, operator) in self.blocks() {
            let part = w.slice(array_api::s![.., columns])?;
            match (&mut out, operator) {
                (None, Operator::Kronecker(block)) => out = Some(block.evaluate(&part, rows.clone())?),
                (None, Operator::Radial(block)) => out = Some(block.evaluate(&part, rows.clone())?),
                (Some(out), Operator::Kronecker(block)) => block.evaluate_add(&part, rows.clone(), out)?,
                (Some(out), Operator::Radial(block)) => block.evaluate_add(&part, rows.clone(), out)?,
            }
        }
        match out {
            Some(out) => Ok(out),
            None => {
                let shape = [w.shape()[0], rows.len(), self.window.shape().1];
                Ok(Array::zeros(&self.backend, &shape)?)
            }
        }
    }

    /// `A^T f` for data over some rows of the window, of shape (frames, rows, window columns):
    /// shape (frames, columns). Sums are made in double precision.
    pub fn project_rows<T: Float>(&self, f: &Array<T, B>, rows: Range<usize>) -> Result<Array<f64, B>> {
        let parts = self
            .operators
            .iter()
            .map(|operator| match operator {
                Operator::Kronecker(block) => block.project(f, rows.clone()),
                Operator::Radial(block) => block.project(f, rows.clone()),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Array::concat(&parts.iter().collect::<Vec<_>>(), 1)?)
    }

    /// `A w` for the weights of some frames, of shape (frames, columns): images of shape
    /// (frames, rows, columns).
    pub fn dot(&self, w: &Array<f64, B>) -> Result<Array<f64, B>> {
        let (rows, width) = self.window.shape();
        if w.ndim() != 2 || w.shape()[1] != self.columns() {
            return Err(Error::InvalidArgument(format!(
                "weights of shape {:?} do not fit a design of {} columns",
                w.shape(),
                self.columns()
            )));
        }
        let frames = w.shape()[0];
        let tiles = self.tiles(frames);
        let buffer = self.backend.map_tiles(&tiles, [frames, rows, width], |tile| {
            let w = w.slice(array_api::s![tile.batch.clone()])?;
            self.dot_rows(&w, tile.rows.clone()).map_err(into_array_error)
        })?;
        Ok(Array::from_buffer(&self.backend, buffer, &[frames, rows, width]))
    }

    /// `A^T f` for images of shape (frames, rows, columns): shape (frames, columns of `A`).
    pub fn project(&self, f: &Array<f64, B>) -> Result<Array<f64, B>> {
        let (rows, width) = self.window.shape();
        if f.ndim() != 3 || f.shape()[1..] != [rows, width] {
            return Err(Error::InvalidArgument(format!(
                "images of shape {:?} do not fit a window of {rows} x {width} pixels",
                f.shape()
            )));
        }
        let frames = f.shape()[0];
        let tiles = self.tiles(frames);
        let buffer = self.backend.reduce_tiles(&tiles, frames, self.columns(), |tile| {
            let f = f.slice(array_api::s![tile.batch.clone(), tile.rows.clone()])?;
            self.project_rows(&f, tile.rows.clone()).map_err(into_array_error)
        })?;
        Ok(Array::from_buffer(&self.backend, buffer, &[frames, self.columns()]))
    }

    /// The weighted Gram matrix `A^T diag(s) A` for weights of shape (rows, columns).
    pub fn gram(&self, weights: &Array<f64, B>) -> Result<Array<f64, B>> {
        gram::check(self, weights)?;
        gram::gram(self, |pair| gram::part(pair, weights))
    }

    /// The number of parts that [`gram`](Self::gram) is made of: one for each pair of blocks.
    pub(crate) fn gram_parts(&self) -> usize {
        gram::pairs(self).len()
    }

    /// How many numbers one of these parts has.
    pub(crate) fn gram_part_len(&self, index: usize) -> Result<usize> {
        Ok(gram::part_shape(&gram::pairs(self)[index])?.iter().product())
    }

    /// The numbers in one of these parts.
    pub(crate) fn gram_part(&self, index: usize, weights: &Array<f64, B>) -> Result<Vec<f64>> {
        gram::check(self, weights)?;
        Ok(gram::part(&gram::pairs(self)[index], weights)?.to_vec()?)
    }

    /// The Gram matrix of its parts.
    pub(crate) fn gram_of_parts(&self, mut parts: impl Iterator<Item = Vec<f64>>) -> Result<Array<f64, B>> {
        gram::gram(self, |pair| {
            let part = parts.next().unwrap_or_default();
            Ok(Array::from_vec(&self.backend, part, &gram::part_shape(pair)?)?)
        })
    }

    /// The tiles that images of the window are worked on in.
    pub fn tiles(&self, frames: usize) -> Vec<array_api::Tile> {
        let (rows, width) = self.window.shape();
        self.backend.tiles(frames, rows, width * TEMPORARIES * size_of::<f64>())
    }
}

/// Inside a tile only array operations fail.
pub(crate) fn into_array_error(error: Error) -> array_api::Error {
    match error {
        Error::Array(error) => error,
        other => array_api::Error::InvalidArgument { operation: "tile", reason: other.to_string() },
    }
}

/// Sets up blocks; bases in `r` are shared, since they hold a number for every pixel.
struct Builder<'a, B: Backend> {
    xp: &'a B,
    window: &'a Window,
    r: Option<Array<f64, B>>,
    radial: HashMap<Basis, SplineOperator<B>>,
}

impl<B: Backend> Builder<'_, B> {
    fn operator(&mut self, block: &Block) -> Result<Operator<B>> {
        let (xp, window) = (self.xp, self.window);
        let named = |error: Error| Error::InvalidArgument(format!("{}: {error}", block.basis));
        let straps = |npoly: usize, selected: &[usize]| {
            Ok::<_, Error>(Operator::kronecker(Kronecker {
                row: Factor::of_rows(xp, &powers(npoly)?, &window.y())?,
                column: Factor::selection(xp, window.columns(), selected)?,
            }))
        };
        let operator = match block.basis {
            Basis::Cartesian { npoly } => powers(npoly).and_then(|basis| {
                Ok(Operator::kronecker(Kronecker {
                    row: Factor::of_rows(xp, &basis, &window.y())?,
                    column: Factor::of_columns(xp, &basis, &window.x())?,
                }))
            }),
            Basis::Spline { nknots, degree } => spline_basis(nknots, degree, 1.0).and_then(|basis| {
                let basis = basis.piecewise_polynomials();
                Ok(Operator::kronecker(Kronecker {
                    row: Factor::of_rows(xp, &basis, &window.v())?,
                    column: Factor::of_columns(xp, &basis, &window.u())?,
                }))
            }),
            Basis::Strap { npoly } => straps(npoly, &(0..CCD_SIZE).collect::<Vec<_>>()),
            Basis::RestrictedStrap { npoly } => straps(npoly, &straps::restricted_columns()),
            Basis::Radial { npoly } => powers(npoly).and_then(|basis| self.radial(block.basis, &basis)),
            Basis::RadialSpline { nknots, degree } => spline_basis(nknots, degree, RADIAL_EXPONENT)
                .and_then(|basis| self.radial(block.basis, &basis.piecewise_polynomials())),
        };
        operator.map_err(named)
    }

    fn radial(&mut self, basis: Basis, polynomials: &PiecewisePolynomials) -> Result<Operator<B>> {
        if let Some(known) = self.radial.get(&basis) {
            return Ok(Operator::Radial(Radial::new(known.clone())));
        }
        if self.r.is_none() {
            self.r = Some(self.window.r(self.xp)?);
        }
        let Some(r) = &self.r else { unreachable!("r was just set") };
        let operator = polynomials.at(r)?;
        self.radial.insert(basis, operator.clone());
        Ok(Operator::Radial(Radial::new(operator)))
    }
}

/// Powers of a coordinate.
pub(super) fn powers(npoly: usize) -> Result<PiecewisePolynomials> {
    Ok(PiecewisePolynomials::powers(npoly)?)
}

/// The exponent of the breakpoints of splines in `r`.
pub(super) const RADIAL_EXPONENT: f64 = 0.25;

/// B-splines on breakpoints `linspace(0, 1, nknots)^exponent`.
pub(super) fn spline_basis(nknots: usize, degree: usize, exponent: f64) -> Result<BSplineBasis> {
    let last = nknots.saturating_sub(1).max(1) as f64;
    let breakpoints: Vec<f64> = (0..nknots).map(|i| (i as f64 / last).powf(exponent)).collect();
    Ok(BSplineBasis::clamped(&breakpoints, degree)?)
}
