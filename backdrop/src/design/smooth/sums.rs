//! Sums over the pixels of a cell, of functions of `A2` times polynomials.

use array_api::{Backend, Csr, PiecewisePolynomials, host};
use ndarray::Array2;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::super::matrix::{RADIAL_EXPONENT, powers, spline_basis};
use super::super::{Basis, Design};
use super::cells::{Cell, Run, distance};
use super::{ANGULAR, POINTS, Pieces, RADIAL, along_axis, count};
use crate::error::{Error, Result};
use crate::geometry::{CCD_SIZE, Window};
use crate::mask;
use crate::straps;

/// A number for each product of polynomials of a cell.
type Products = [f64; POINTS];

/// A basis at some points of an axis: a few neighbouring functions at each.
struct Values {
    terms: usize,
    first: Vec<usize>,
    values: Vec<f64>,
}

impl Values {
    fn of(basis: PiecewisePolynomials, x: &[f64]) -> Self {
        let basis = Pieces(basis);
        let terms = basis.terms();
        let mut values = vec![0.0; terms * x.len()];
        let points = x.iter().zip(values.chunks_exact_mut(terms));
        let first = points.map(|(&x, values)| basis.at(x, values)).collect();
        Self { terms, first, values }
    }

    /// Functions that are one in one of the `selected` columns; behind all of them where there is none.
    fn selection(columns: &[usize], selected: &[usize]) -> Self {
        let found = |column| selected.binary_search(column);
        let first = columns.iter().map(|column| found(column).unwrap_or(selected.len())).collect();
        let values = columns.iter().map(|column| f64::from(u8::from(found(column).is_ok()))).collect();
        Self { terms: 1, first, values }
    }

    /// Sets the values to those at the points `x`.
    #[inline(always)]
    fn set(&mut self, basis: &Pieces, x: &[f64]) {
        self.terms = basis.terms();
        self.values.resize(self.terms * x.len(), 0.0);
        self.first.clear();
        let mut interval = 0;
        for (&x, values) in x.iter().zip(self.values.chunks_exact_mut(self.terms)) {
            interval = basis.interval_from(interval, x);
            basis.evaluate(interval, x, values);
            self.first.push(interval);
        }
    }

    #[inline(always)]
    fn at(&self, place: usize) -> (usize, &[f64]) {
        (self.first[place], &self.values[place * self.terms..][..self.terms])
    }
}

/// `A2` on a window.
struct Blocks {
    blocks: Vec<Block>,
    x: Vec<f64>,
    y: Vec<f64>,
}

/// A block of `A2`: the number of its first function, and what its functions are made of.
enum Block {
    Kronecker { start: usize, rows: Values, columns: Values, inner: usize },
    Radial { start: usize, basis: Pieces },
}

impl Blocks {
    fn new(design: &Design, window: &Window) -> Result<Self> {
        let straps = |start: usize, npoly: usize, selected: &[usize]| {
            Ok::<_, Error>(Block::Kronecker {
                start,
                rows: Values::of(powers(npoly)?, &window.y()),
                columns: Values::selection(window.columns(), selected),
                inner: selected.len(),
            })
        };
        let mut start = 0;
        let mut blocks = Vec::new();
        for block in design.blocks() {
            blocks.push(match block.basis {
                Basis::Cartesian { npoly } => Block::Kronecker {
                    start,
                    rows: Values::of(powers(npoly)?, &window.y()),
                    columns: Values::of(powers(npoly)?, &window.x()),
                    inner: npoly,
                },
                Basis::Spline { nknots, degree } => {
                    let basis = spline_basis(nknots, degree, 1.0)?.piecewise_polynomials();
                    let inner = basis.functions();
                    Block::Kronecker {
                        start,
                        rows: Values::of(basis.clone(), &window.v()),
                        columns: Values::of(basis, &window.u()),
                        inner,
                    }
                }
                Basis::Strap { npoly } => straps(start, npoly, &(0..CCD_SIZE).collect::<Vec<_>>())?,
                Basis::RestrictedStrap { npoly } => straps(start, npoly, &straps::restricted_columns())?,
                Basis::Radial { npoly } => Block::Radial { start, basis: Pieces(powers(npoly)?) },
                Basis::RadialSpline { nknots, degree } => {
                    let basis = spline_basis(nknots, degree, RADIAL_EXPONENT)?;
                    Block::Radial { start, basis: Pieces(basis.piecewise_polynomials()) }
                }
            });
            start += block.columns();
        }
        Ok(Self { blocks, x: window.x(), y: window.y() })
    }
}

impl Block {
    /// How many functions of columns, or of `r`, the block is made of.
    fn inner(&self) -> usize {
        match self {
            Self::Kronecker { inner, .. } => *inner,
            Self::Radial { basis, .. } => basis.0.functions(),
        }
    }
}

/// The sums over the pixels of a cell that belong to some functions of `A2`.
struct CellSums {
    functions: Vec<usize>,
    sums: Vec<Products>,
}

/// What the sums of a cell are made in.
struct Workspace {
    /// For each function of `A2` where its sums are, if there are any.
    places: Vec<Option<u32>>,
    /// For each block the sums over a run of its functions of columns or of `r`.
    of_run: Vec<Vec<Products>>,
    /// For the pixels of a run: `r`, its place in the cell from -1 to 1, and that of the angle.
    r: Vec<f64>,
    coordinates: [Vec<f64>; 2],
    /// Products of polynomials, times the pixel's weight.
    products: Vec<Products>,
    /// Functions of `r`.
    radial: Values,
}

impl Workspace {
    fn new(blocks: &Blocks, columns: usize) -> Self {
        let of_block = |block: &Block| vec![[0.0; POINTS]; block.inner()];
        Self {
            places: vec![None; columns],
            of_run: blocks.blocks.iter().map(of_block).collect(),
            r: Vec::new(),
            coordinates: [Vec::new(), Vec::new()],
            products: Vec::new(),
            radial: Values { terms: 0, first: Vec::new(), values: Vec::new() },
        }
    }
}

/// Sums over the pixels of a cell, with the vectors of this processor.
struct SumUp<'a> {
    cell: &'a Cell,
    blocks: &'a Blocks,
    keep: &'a Array2<bool>,
    workspace: &'a mut Workspace,
}

impl WithSimd for SumUp<'_> {
    type Output = CellSums;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> CellSums {
        let Self { cell, blocks, keep, workspace } = self;
        let mut found = CellSums { functions: Vec::new(), sums: Vec::new() };
        for run in &cell.runs {
            cell.set_products(run, blocks, keep, workspace);
            for (number, block) in blocks.blocks.iter().enumerate() {
                block.add_run(run, number, workspace, &mut found);
            }
        }
        for &function in &found.functions {
            workspace.places[function] = None;
        }
        found
    }
}

impl Cell {
    /// Sets what is in a workspace for the pixels of a run.
    #[inline(always)]
    fn set_products(&self, run: &Run, blocks: &Blocks, keep: &Array2<bool>, workspace: &mut Workspace) {
        let Workspace { r, coordinates: [radial, angular], products, .. } = workspace;
        let (y, x) = (blocks.y[run.row].abs(), &blocks.x[run.columns.clone()]);
        for vector in [&mut *r, &mut *radial, &mut *angular] {
            vector.resize(x.len(), 0.0);
        }
        let (sine, cosine) = self.angle.middle.sin_cos();
        let (middle, by_half, by_half_angle) = (self.r.middle, 1.0 / self.r.half, 1.0 / self.angle.half);
        let places = r.iter_mut().zip(radial.iter_mut()).zip(angular.iter_mut());
        for (x, ((r, radial), angular)) in x.iter().zip(places) {
            let x = x.abs();
            *r = distance(x, y);
            *radial = (*r - middle) * by_half;
            *angular = arc_tangent((y * cosine - x * sine) / (x * cosine + y * sine)) * by_half_angle;
        }
        products.resize(x.len(), [0.0; POINTS]);
        let weights = (run.columns.clone()).map(|column| mask::weight(keep[[run.row, column]]));
        let places = products.iter_mut().zip(weights).zip(radial.iter().zip(&*angular));
        for ((products, weight), (&radial, &angular)) in places {
            let (radial, angular) = (polynomials::<RADIAL>(radial), polynomials::<ANGULAR>(angular));
            for (products, radial) in products.as_chunks_mut::<ANGULAR>().0.iter_mut().zip(radial) {
                let radial = weight * radial;
                for (product, angular) in products.iter_mut().zip(angular) {
                    *product = radial * angular;
                }
            }
        }
    }
}

impl Block {
    /// Adds what the pixels of a run have, whose products are in a workspace, for the block of this number.
    #[inline(always)]
    fn add_run(&self, run: &Run, number: usize, workspace: &mut Workspace, found: &mut CellSums) {
        let Workspace { places, of_run, r, products, radial, .. } = workspace;
        let of_run = &mut of_run[number];
        let (start, step, rows, values, columns) = match self {
            Self::Kronecker { start, rows, columns, inner } => {
                (*start, *inner, rows.at(run.row), columns, run.columns.clone())
            }
            Self::Radial { start, basis } => {
                radial.set(basis, r);
                (*start, 0, (0, &[1.0][..]), &*radial, 0..r.len())
            }
        };
        let (mut lowest, mut highest) = (usize::MAX, 0);
        let mut done = columns.start;
        while done < columns.end {
            // Pixels with the same functions.
            let first = values.first[done];
            let same = |&column: &usize| values.first[column] == first;
            let count = (done..columns.end).take_while(same).count();
            let terms = values.terms.min(of_run.len() - first);
            if terms > 0 {
                let products = &products[done - columns.start..][..count];
                let values = &values.values[done * values.terms..][..count * values.terms];
                add_products(&mut of_run[first..first + terms], values, products);
                (lowest, highest) = (lowest.min(first), highest.max(first + terms));
            }
            done += count;
        }
        if lowest >= highest {
            return;
        }
        for (i, sums) in (lowest..).zip(&mut of_run[lowest..highest]) {
            let sums = std::mem::replace(sums, [0.0; POINTS]);
            for (j, &value) in (rows.0..).zip(rows.1) {
                let function = start + j * step + i;
                let place = match places[function] {
                    Some(place) => place as usize,
                    None => {
                        places[function] = Some(found.functions.len() as u32);
                        found.functions.push(function);
                        found.sums.push([0.0; POINTS]);
                        found.functions.len() - 1
                    }
                };
                for (total, sum) in found.sums[place].iter_mut().zip(&sums) {
                    *total += value * sum;
                }
            }
        }
    }
}

/// Adds the products at some pixels times the values of functions there, which follow each other for each pixel.
#[inline(always)]
fn add_products(sums: &mut [Products], values: &[f64], products: &[Products]) {
    match sums.as_chunks_mut::<3>() {
        ([sums], []) => add_products_of(sums, values, products),
        _ => {
            let terms = sums.len();
            for (j, sums) in sums.iter_mut().enumerate() {
                for (values, products) in values.chunks_exact(terms).zip(products) {
                    for (sum, product) in sums.iter_mut().zip(products) {
                        *sum += values[j] * product;
                    }
                }
            }
        }
    }
}

/// [`add_products`] of so many functions, whose sums stay in registers, some products at a time.
#[inline(always)]
fn add_products_of<const TERMS: usize>(sums: &mut [Products; TERMS], values: &[f64], products: &[Products]) {
    for part in 0..POINTS / ANGULAR {
        let mut totals = [[0.0; ANGULAR]; TERMS];
        for (totals, sums) in totals.iter_mut().zip(&*sums) {
            *totals = sums.as_chunks().0[part];
        }
        for (values, products) in values.as_chunks::<TERMS>().0.iter().zip(products) {
            let products: &[f64; ANGULAR] = &products.as_chunks().0[part];
            for (totals, value) in totals.iter_mut().zip(values) {
                for (total, product) in totals.iter_mut().zip(products) {
                    *total += value * product;
                }
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            sums.as_chunks_mut().0[part] = totals;
        }
    }
}

/// Chebyshev polynomials of degree 0 and on.
#[inline(always)]
fn polynomials<const N: usize>(x: f64) -> [f64; N] {
    let mut values = [1.0; N];
    values[1] = x;
    for n in 2..N {
        values[n] = 2.0 * x * values[n - 1] - values[n - 2];
    }
    values
}

/// The arc tangent of a number below 0.1, to 1e-17.
#[inline(always)]
fn arc_tangent(x: f64) -> f64 {
    let square = x * x;
    x * (0..8).rev().fold(0.0, |sum, n| 1.0 / f64::from(2 * n + 1) - square * sum)
}

/// Makes of sums of products of polynomials what multiplies the light at each point of the cell.
struct AtPoints<'a> {
    sums: &'a Products,
    radial: &'a [[f64; RADIAL]; RADIAL],
    angular: &'a [[f64; ANGULAR]; ANGULAR],
    out: &'a mut [f64],
}

impl WithSimd for AtPoints<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { sums, radial, angular, out } = self;
        let mut of_degrees = [[0.0; ANGULAR]; RADIAL];
        for (of_degree, sums) in of_degrees.iter_mut().zip(sums.as_chunks::<ANGULAR>().0) {
            for (sum, factors) in sums.iter().zip(angular) {
                for (of_point, factor) in of_degree.iter_mut().zip(factors) {
                    *of_point += sum * factor;
                }
            }
        }
        for (i, out) in out.as_chunks_mut::<ANGULAR>().0.iter_mut().enumerate() {
            for (of_degree, factors) in of_degrees.iter().zip(radial) {
                for (out, of_point) in out.iter_mut().zip(of_degree) {
                    *out += factors[i] * of_point;
                }
            }
        }
    }
}

/// `A2^T diag(s) T C` for the polynomials `T` of cells and what makes their coefficients, `C`: a row for each function of `A2`,
/// columns cell after cell.
pub(super) fn over_pixels<B: Backend>(
    xp: &B,
    design: &Design,
    window: &Window,
    keep: &Array2<bool>,
    cells: &[Cell],
) -> Result<Csr<f64, B>> {
    let (blocks, functions) = (Blocks::new(design, window)?, design.columns());
    let of_cell = |workspace: &mut Workspace, cell| {
        Arch::new().dispatch(SumUp { cell, blocks: &blocks, keep, workspace })
    };
    let of_cells: Vec<CellSums> =
        cells.par_iter().map_init(|| Workspace::new(&blocks, functions), of_cell).collect();
    let mut of_functions: Vec<Vec<(usize, &Products)>> = vec![Vec::new(); functions];
    for (cell, found) in of_cells.iter().enumerate() {
        for (&function, sums) in found.functions.iter().zip(&found.sums) {
            of_functions[function].push((cell, sums));
        }
    }
    let mut entries = 0;
    let mut indptr = vec![0];
    for sums in &of_functions {
        entries += sums.len() * POINTS;
        indptr.push(count(entries)?);
    }
    let (radial, angular) = (along_axis::<RADIAL>(), along_axis::<ANGULAR>());
    let (mut indices, mut data) = (host::zeros(entries)?, host::zeros(entries)?);
    let (mut rest, mut data_rest) = (&mut indices[..], &mut data[..]);
    let mut rows = Vec::with_capacity(functions);
    for sums in &of_functions {
        let (indices, others) = std::mem::take(&mut rest).split_at_mut(sums.len() * POINTS);
        let (data, other_data) = std::mem::take(&mut data_rest).split_at_mut(sums.len() * POINTS);
        (rest, data_rest) = (others, other_data);
        rows.push((sums, indices, data));
    }
    rows.into_par_iter().for_each(|(sums, indices, data)| {
        let places = indices.chunks_exact_mut(POINTS).zip(data.chunks_exact_mut(POINTS));
        for (&(cell, sums), (indices, data)) in sums.iter().zip(places) {
            for (index, column) in indices.iter_mut().zip(cell * POINTS..) {
                *index = column as i32;
            }
            Arch::new().dispatch(AtPoints { sums, radial: &radial, angular: &angular, out: data });
        }
    });
    Ok(Csr::new(xp, [functions, cells.len() * POINTS], indptr, indices, data)?)
}
