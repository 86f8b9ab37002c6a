//! The options of BLAS routines, from cuBLAS' enumerations to the letters of the reference BLAS.
//!
//! cuSOLVER's bindings have their own copies of cuBLAS' enumerations, hence a trait.

use cudarc::{cublas, cusolver};

use super::require;
use crate::exports::Status;

/// A character option as Fortran takes it.
pub(super) type Letter = std::ffi::c_char;

pub(super) const NO_TRANSPOSE: Letter = b'N' as Letter;
pub(super) const TRANSPOSE: Letter = b'T' as Letter;
pub(super) const LOWER: Letter = b'L' as Letter;
pub(super) const UPPER: Letter = b'U' as Letter;
pub(super) const LEFT: Letter = b'L' as Letter;
pub(super) const RIGHT: Letter = b'R' as Letter;
pub(super) const UNIT: Letter = b'U' as Letter;
pub(super) const NON_UNIT: Letter = b'N' as Letter;

/// An enumeration of cuBLAS.
pub(super) trait Choice: Copy + std::fmt::Debug {
    /// The letter; `None` for a value that real matrices do not have.
    fn letter(self) -> Option<Letter>;

    /// The letter, or the invalid-value status.
    fn check<S: Status>(self, call: &str) -> Result<Letter, S> {
        require(call, self.letter().is_some(), &format!("another option than {self:?}"))?;
        self.letter().ok_or(S::INVALID)
    }
}

macro_rules! choices {
    ($($library:ident),*) => {$(
        impl Choice for $library::sys::cublasOperation_t {
            fn letter(self) -> Option<Letter> {
                match self {
                    Self::CUBLAS_OP_N => Some(NO_TRANSPOSE),
                    // Without imaginary parts the conjugate transpose is the transpose.
                    Self::CUBLAS_OP_T | Self::CUBLAS_OP_C => Some(TRANSPOSE),
                    Self::CUBLAS_OP_CONJG => None,
                }
            }
        }

        impl Choice for $library::sys::cublasFillMode_t {
            fn letter(self) -> Option<Letter> {
                match self {
                    Self::CUBLAS_FILL_MODE_LOWER => Some(LOWER),
                    Self::CUBLAS_FILL_MODE_UPPER => Some(UPPER),
                    Self::CUBLAS_FILL_MODE_FULL => None,
                }
            }
        }

        impl Choice for $library::sys::cublasSideMode_t {
            fn letter(self) -> Option<Letter> {
                Some(match self {
                    Self::CUBLAS_SIDE_LEFT => LEFT,
                    Self::CUBLAS_SIDE_RIGHT => RIGHT,
                })
            }
        }
    )*};
}

choices!(cublas, cusolver);

impl Choice for cublas::sys::cublasDiagType_t {
    fn letter(self) -> Option<Letter> {
        Some(match self {
            Self::CUBLAS_DIAG_NON_UNIT => NON_UNIT,
            Self::CUBLAS_DIAG_UNIT => UNIT,
        })
    }
}
