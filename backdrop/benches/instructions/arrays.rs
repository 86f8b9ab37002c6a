//! Operations of arrays.

use array_api::{Array, Cpu, Element, Float, linalg};

use super::{Loop, Result, Table};

/// Rows and columns of an image. Fewer elements than are worth spreading over threads, and columns that fill no
/// vector.
const SHAPE: [usize; 2] = [121, 131];

/// Rows and columns of a matrix.
const SIDE: usize = 256;

/// Right-hand sides of a solve.
const RHS: usize = 16;

pub const LOOPS: &Table = &[
    ("log10-f64", || unary::<f64, _>(FLUX, Array::log10)),
    ("log10-f32", || unary::<f32, _>(FLUX, Array::log10)),
    ("exp10-f64", || unary::<f64, _>(MAGNITUDE, Array::exp10)),
    ("exp10-f32", || unary::<f32, _>(MAGNITUDE, Array::exp10)),
    ("exp-f64", || unary::<f64, _>(MAGNITUDE, Array::exp)),
    ("exp-f32", || unary::<f32, _>(MAGNITUDE, Array::exp)),
    ("astype-f32-f64", || unary::<f32, _>(FLUX, Array::astype::<f64>)),
    ("nan-to-num-f32", || unary::<f32, _>(FLUX, |x| x.nan_to_num(1.0, 1.0, 1.0))),
    ("maximum-scalar-f32", || unary::<f32, _>(FLUX, |x| x.maximum_scalar(1e-5))),
    ("count-nonzero-f32", || unary::<f32, _>(FLUX, |x| x.less_equal_scalar(0.0)?.count_nonzero())),
    ("add-f64", || binary::<f64>(SHAPE, Array::add)),
    ("add-f32", || binary::<f32>(SHAPE, Array::add)),
    ("add-row-f64", || binary::<f64>([1, SHAPE[1]], Array::add)),
    ("add-column-f64", || binary::<f64>([SHAPE[0], 1], Array::add)),
    ("add-transposed-f64", || binary::<f64>([SHAPE[1], SHAPE[0]], |x, y| x.add(&y.matrix_transpose()?))),
    ("multiply-f64", || binary::<f64>(SHAPE, Array::multiply)),
    ("multiply-row-f64", || binary::<f64>([1, SHAPE[1]], Array::multiply)),
    ("multiply-transposed-f64", || {
        binary::<f64>([SHAPE[1], SHAPE[0]], |x, y| x.multiply(&y.matrix_transpose()?))
    }),
    ("subtract-assign-f64", || {
        let (mut x, y) = (image::<f64>(SHAPE, FLUX)?, image(SHAPE, MAGNITUDE)?);
        Loop::new(x.len(), "element", move || x.subtract_assign(&y))
    }),
    ("where-f64", || binary::<f64>(SHAPE, |x, y| x.greater_scalar(500.0)?.where_(x, y))),
    ("where-row-f64", || binary::<f64>([1, SHAPE[1]], |x, y| x.greater_scalar(500.0)?.where_(x, y))),
    ("where-transposed-f64", || {
        binary::<f64>([SHAPE[1], SHAPE[0]], |x, y| x.greater_scalar(500.0)?.where_(x, &y.matrix_transpose()?))
    }),
    ("sum-f64", || unary::<f64, _>(FLUX, Array::sum)),
    ("sum-rows-f64", || unary::<f64, _>(FLUX, |x| x.sum_axes(&[0], false))),
    ("sum-columns-f64", || unary::<f64, _>(FLUX, |x| x.sum_axes(&[1], false))),
    ("sum-rows-f32", || unary::<f32, _>(FLUX, |x| x.sum_axes(&[0], false))),
    ("sum-columns-f32", || unary::<f32, _>(FLUX, |x| x.sum_axes(&[1], false))),
    ("matmul-f64", || {
        let (a, b) = (image::<f64>([SIDE; 2], SIGNED)?, image([SIDE; 2], SIGNED)?);
        Loop::new(SIDE.pow(3), "multiply-add", move || a.matmul(&b))
    }),
    ("cholesky-f64", || {
        let a = positive_definite()?;
        Loop::new(SIDE.pow(3) / 6, "multiply-add", move || linalg::cholesky(&a))
    }),
    ("cho-solve-f64", || {
        let (factor, b) = (linalg::cho_factor(&positive_definite()?)?, image([SIDE, RHS], SIGNED)?);
        Loop::new(SIDE.pow(2) * RHS, "multiply-add", move || factor.solve(&b))
    }),
];

/// Ranges of arguments.
const FLUX: (f64, f64) = (1e-5, 1e3);
const MAGNITUDE: (f64, f64) = (-3.0, 3.0);
const SIGNED: (f64, f64) = (-1.0, 1.0);

/// Numbers spread evenly over `low..high`, without a pattern.
fn image<T: Float>(shape: [usize; 2], (low, high): (f64, f64)) -> array_api::Result<Array<T, Cpu>> {
    let golden = 0.618_033_988_749_894_9;
    let value = |i: usize| T::from_f64(low + (high - low) * (i as f64 * golden).fract());
    Array::from_vec(&Cpu::new(), (0..shape[0] * shape[1]).map(value).collect(), &shape)
}

fn positive_definite() -> array_api::Result<Array<f64, Cpu>> {
    let a = image::<f64>([SIDE; 2], SIGNED)?;
    let diagonal = (2.0 * SIDE as f64 * &Array::eye(&Cpu::new(), SIDE, None, 0)?)?;
    &(&a + &a.matrix_transpose()?)? + &diagonal
}

/// An operation on an image.
fn unary<T: Float, R: Element>(
    range: (f64, f64),
    f: impl Fn(&Array<T, Cpu>) -> array_api::Result<Array<R, Cpu>> + 'static,
) -> Result<Loop> {
    let x = image(SHAPE, range)?;
    Loop::new(x.len(), "element", move || f(&x))
}

/// An operation on an image and something of another shape.
fn binary<T: Float>(
    shape: [usize; 2],
    f: impl Fn(&Array<T, Cpu>, &Array<T, Cpu>) -> array_api::Result<Array<T, Cpu>> + 'static,
) -> Result<Loop> {
    let (x, y) = (image(SHAPE, FLUX)?, image(shape, FLUX)?);
    Loop::new(x.len(), "element", move || f(&x, &y))
}
