//! NumPy-like arrays over interchangeable backends, chosen at run time.
//!
//! Write numerical code once, generic over [`Backend`], and run it on any:
//!
//! ```
//! use array_api::{Array, Backend, Device, Result, dispatch, linalg};
//!
//! /// Fits a polynomial of the given degree by least squares.
//! fn polyfit<B: Backend>(xp: &B, x: &[f64], y: &[f64], degree: usize) -> Result<Vec<f64>> {
//!     let x = Array::from_slice(xp, x)?.expand_dims(1)?;
//!     let powers = Array::arange(xp, 0.0, degree as f64 + 1.0, 1.0)?;
//!     let a = x.pow(&powers)?;
//!     let at = a.matrix_transpose()?;
//!     let y = Array::from_slice(xp, y)?;
//!     linalg::cholesky_solve(&at.matmul(&a)?, &at.matmul(&y)?)?.to_vec()
//! }
//!
//! let device = Device::from_env()?; // USE_CUPY chooses
//! let c = dispatch!(&device, |xp| polyfit(xp, &[0.0, 1.0, 2.0, 3.0], &[1.0, 3.0, 5.0, 7.0], 1))?;
//! assert!((c[0] - 1.0).abs() < 1e-12 && (c[1] - 2.0).abs() < 1e-12);
//! # Ok::<(), array_api::Error>(())
//! ```
//!
//! There are two backends. [`Cpu`] runs on the processor, with SIMD and on all cores. `Cuda` (feature `cuda`,
//! on by default) runs on an NVIDIA GPU; building it needs nothing of CUDA, and using it tells what is
//! missing. `USE_CUPY=True` chooses it, `CUDA_VISIBLE_DEVICES` and `Device::cuda_device` a device:
//!
//! ```no_run
//! use array_api::{Array, Device, Result, dispatch};
//!
//! let device = Device::cuda_device(1)?;
//! let sum = dispatch!(&device, |xp| Array::<f64, _>::ones(xp, &[1000, 1000])?.exp()?.sum()?.item())?;
//! # Ok::<(), array_api::Error>(())
//! ```
//!
//! Names and meanings are those of the [Python array API standard](https://data-apis.org/array-api/2025.12/)
//! and of NumPy:
//!
//! | NumPy | here |
//! |---|---|
//! | `np.zeros((2, 3))` | `Array::<f64, _>::zeros(&xp, &[2, 3])?` |
//! | `np.linspace(0, 1, 5)` | `Array::linspace(&xp, 0.0, 1.0, 5, true)?` |
//! | `a + b`, `2 * a` | `(&a + &b)?`, `(2.0 * &a)?` |
//! | `a += b`, `np.exp(a, out=a)` | `a.add_assign(&b)?`, `a.exp_assign()?` |
//! | `a[1:3, ::-1]`, `a[:, None]` | `a.slice(s![1..3, ..;-1])?`, `a.slice(s![.., NewAxis])?` |
//! | `a[mask]`, `a[indices]` | `a.compress(&mask)?`, `a.take(&indices, 0)?` |
//! | `np.where(a > 0, a, 0)` | `a.greater_scalar(0.0)?.where_(&a, &zero)?` |
//! | `a.sum()`, `a.sum(axis=0)` | `a.sum()?`, `a.sum_axes(&[0], false)?` |
//! | `ne.evaluate("log10(a - b)")` (numexpr) | `a.lazy().subtract(b.lazy()).log10().eval()?` |
//! | `a @ b`, `a.T` | `a.matmul(&b)?`, `a.matrix_transpose()?` |
//! | `a.astype(np.float32)` | `a.astype::<f32>()?` |
//! | `scipy.linalg.cho_factor(a)`, `cho_solve` | `linalg::cho_factor(&a)?`, `factor.solve(&b)?` |
//! | `scipy.linalg.cho_factor(a, overwrite_a=True)` | `linalg::cho_factor_overwrite(a)?` |
//! | `scipy.sparse.csr_array` | [`Csr`] |
//! | `scipy.interpolate.BSpline` | [`BSplineBasis`] |

mod array;
pub mod backend;
mod convert;
pub mod cpu;
mod creation;
#[cfg(feature = "cuda")]
pub mod cuda;
mod device;
mod display;
mod element;
pub mod elementwise;
mod error;
pub mod host;
mod indexing;
pub mod layout;
pub mod lazy;
mod linear_algebra;
mod manipulation;
mod operators;
pub mod ops;
mod replace;
mod searching;
mod slice;
mod sparse;
pub mod spline;
mod statistical;

pub use array::Array;
pub use backend::{Backend, Tile, Triangle};
pub use cpu::Cpu;
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
pub use device::{Device, USE_CUPY};
pub use element::{Cast, DType, Element, Float, Integer, Numeric};
pub use error::{Error, Result};
pub use lazy::Lazy;
pub use linear_algebra::linalg;
pub use slice::{Ellipsis, NewAxis, SliceItem};
pub use sparse::Csr;
pub use spline::{BSplineBasis, PiecewisePolynomials, SplineOperator};
