//! The BLAS and LAPACK on the host that everything is delegated to.
//!
//! Fortran's calling convention: every argument by address, and the length of each character argument at the
//! end. The names are those of the PyPI package `scipy-openblas32` (prefix `scipy_`, 32-bit integers); without
//! the prefix, those of any other LAPACK.

use std::error::Error;
use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Sub};
use std::sync::OnceLock;

use libloading::Library;

use super::option::Letter;

const DEFAULT_FILE: &str = "libscipy_openblas.so";
const PREFIXES: [&str; 2] = ["scipy_", ""];

/// An integer argument.
type Int = *const i32;
/// A character argument.
type Char = *const Letter;

macro_rules! table {
    ($($routine:ident($($argument:ty),*);)*) => {
        /// The routines for one element type.
        pub(super) struct Table<T> {
            $(pub(super) $routine: unsafe extern "C" fn($($argument),*),)*
        }

        impl<T> Table<T> {
            /// # Safety
            /// The library is a LAPACK with 32-bit integers, and `letter` stands for `T`; it is never closed.
            unsafe fn load(library: &Library, prefix: &str, letter: char) -> Result<Self, libloading::Error> {
                Ok(Self {$(
                    // SAFETY: the reference LAPACK's routine of this name has these arguments.
                    $routine: *unsafe {
                        library.get(format!("{prefix}{letter}{}_", stringify!($routine)))?
                    },
                )*})
            }
        }
    };
}

// The last arguments are the lengths of the characters.
table! {
    gemm(Char, Char, Int, Int, Int, *const T, *const T, Int, *const T, Int, *const T, *mut T, Int, usize, usize);
    gemv(Char, Int, Int, *const T, *const T, Int, *const T, Int, *const T, *mut T, Int, usize);
    trsm(Char, Char, Char, Char, Int, Int, *const T, *const T, Int, *mut T, Int, usize, usize, usize, usize);
    syrk(Char, Char, Int, Int, *const T, *const T, Int, *const T, *mut T, Int, usize, usize);
    potrf(Char, Int, *mut T, Int, *mut i32, usize);
    potrs(Char, Int, Int, *const T, Int, *mut T, Int, *mut i32, usize);
    getrf(Int, Int, *mut T, Int, *mut i32, *mut i32);
    getrs(Char, Int, Int, *const T, Int, Int, *mut T, Int, *mut i32, usize);
    getri(Int, *mut T, Int, Int, *mut T, Int, *mut i32);
    geqrf(Int, Int, *mut T, Int, *mut T, *mut T, Int, *mut i32);
    ormqr(Char, Char, Int, Int, Int, *const T, Int, *const T, *mut T, Int, *mut T, Int, *mut i32, usize, usize);
    syevd(Char, Char, Int, *mut T, Int, *mut T, *mut T, Int, *mut i32, Int, *mut i32, usize, usize);
    gesvd(Char, Char, Int, Int, *mut T, Int, *mut T, *mut T, Int, *mut T, Int, *mut T, Int, *mut i32, usize, usize);
}

struct Tables {
    single: Table<f32>,
    double: Table<f64>,
}

static TABLES: OnceLock<Result<Tables, String>> = OnceLock::new();

fn load() -> Result<Tables, String> {
    let file = std::env::var("CUDA_EMULATOR_BLAS").unwrap_or_else(|_| DEFAULT_FILE.to_owned());
    let help = "install the PyPI package scipy-openblas32 and put its lib folder on LD_LIBRARY_PATH, or name \
                another LAPACK in CUDA_EMULATOR_BLAS";
    // SAFETY: a BLAS runs nothing when it is loaded but its own set-up.
    let library = unsafe { Library::new(&file) }.map_err(|error| {
        // The loader's own words, where there are any.
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        format!("cannot load {file} ({reason}): {help}")
    })?;
    // It stays until the end: the tables point into it.
    let library = Box::leak(Box::new(library));
    let tables = PREFIXES.iter().find_map(|prefix| {
        // SAFETY: the library is a LAPACK and is never closed.
        let tables = unsafe {
            Tables {
                single: Table::load(library, prefix, 's').ok()?,
                double: Table::load(library, prefix, 'd').ok()?,
            }
        };
        // One thread: results are then the same on every run, and the tests have the other cores.
        // SAFETY: OpenBLAS' function of this name takes a number of threads.
        let set_threads =
            unsafe { library.get::<unsafe extern "C" fn(i32)>(format!("{prefix}openblas_set_num_threads")) };
        if let Ok(set_threads) = set_threads {
            // SAFETY: as above.
            unsafe { set_threads(1) };
        }
        Some(tables)
    });
    tables.ok_or_else(|| format!("{file} lacks BLAS or LAPACK routines: {help}"))
}

fn tables() -> Result<&'static Tables, &'static str> {
    TABLES.get_or_init(load).as_ref().map_err(String::as_str)
}

/// Whether there is a BLAS and LAPACK to delegate to.
pub(super) fn check() -> Result<(), &'static str> {
    tables().map(|_| ())
}

/// An element type of the libraries.
pub(crate) trait Real:
    Copy
    + Debug
    + PartialEq
    + Send
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + 'static
{
    const ZERO: Self;
    /// What destroyed elements hold.
    const NAN: Self;

    /// The routines for this type.
    ///
    /// # Panics
    /// Without a library: a handle, and so a call, exists only with one.
    fn routines() -> &'static Table<Self>;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const NAN: Self = Self::NAN;

    fn routines() -> &'static Table<Self> {
        &tables().expect("a handle exists only with a library").single
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const NAN: Self = Self::NAN;

    fn routines() -> &'static Table<Self> {
        &tables().expect("a handle exists only with a library").double
    }
}
