//! What can go wrong, in words that name the shapes, types and numbers involved.

use crate::DType;

/// The result of an array operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything an array operation can report.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two shapes that the operation cannot combine.
    #[error("{operation}: shapes {} and {} do not fit together", shape_text(left), shape_text(right))]
    ShapeMismatch {
        /// The operation that was asked for.
        operation: &'static str,
        /// Shape of the first operand.
        left: Vec<usize>,
        /// Shape of the second operand.
        right: Vec<usize>,
    },
    /// A single shape that the operation cannot work on.
    #[error("{operation}: shape {} is not possible here: {reason}", shape_text(shape))]
    InvalidShape {
        /// The operation that was asked for.
        operation: &'static str,
        /// The shape at fault.
        shape: Vec<usize>,
        /// What was expected instead.
        reason: String,
    },
    /// An axis number outside the array's dimensions.
    #[error("{operation}: axis {axis} is out of range for an array of {ndim} dimensions")]
    InvalidAxis {
        /// The operation that was asked for.
        operation: &'static str,
        /// The axis as given (negative counts from the end).
        axis: isize,
        /// Number of dimensions of the array.
        ndim: usize,
    },
    /// An index outside an axis.
    #[error("{operation}: index {index} is out of range for an axis of length {length}")]
    IndexOutOfRange {
        /// The operation that was asked for.
        operation: &'static str,
        /// The index as given.
        index: i64,
        /// Length of the axis.
        length: usize,
    },
    /// An argument with a value that the operation cannot use.
    #[error("{operation}: {reason}")]
    InvalidArgument {
        /// The operation that was asked for.
        operation: &'static str,
        /// What is wrong with which argument.
        reason: String,
    },
    /// A reduction without a value for no elements (minimum, argmax, ...).
    #[error("{operation}: no value is defined for an empty axis (shape {})", shape_text(shape))]
    EmptyReduction {
        /// The operation that was asked for.
        operation: &'static str,
        /// Shape of the array.
        shape: Vec<usize>,
    },
    /// Data of another element type than asked for.
    #[error("{operation}: expected elements of type {expected}, found {found}")]
    DTypeMismatch {
        /// The operation that was asked for.
        operation: &'static str,
        /// Type that the operation needs.
        expected: DType,
        /// Type that it was given.
        found: DType,
    },
    /// A matrix that is not positive definite: the Cholesky factorization stopped.
    #[error("matrix {batch} is not positive definite: pivot {pivot} is not a positive number")]
    NotPositiveDefinite {
        /// Index of the matrix in the batch (0 for a single matrix).
        batch: usize,
        /// Row and column (0-based) of the first pivot that is not positive.
        pivot: usize,
    },
    /// A singular matrix: the LU factorization met a zero pivot.
    #[error("matrix {batch} is singular: pivot {pivot} is zero or not a number")]
    Singular {
        /// Index of the matrix in the batch (0 for a single matrix).
        batch: usize,
        /// Row and column (0-based) of the first pivot that is zero.
        pivot: usize,
    },
    /// A symmetric matrix without eigenvalues that could be found.
    #[error(
        "no eigenvalues were found of matrix {batch}: an element of its lower triangle is not finite, or the \
         iteration did not converge"
    )]
    NoEigenvalues {
        /// Index of the matrix in the batch (0 for a single matrix).
        batch: usize,
    },
    /// Memory that could not be had.
    #[error("out of memory: {requested} bytes asked for{}", free_text(*free))]
    OutOfMemory {
        /// Bytes asked for.
        requested: usize,
        /// Bytes free, where the backend can tell.
        free: Option<usize>,
    },
    /// A backend that cannot be used.
    #[error("the {backend} backend is not available: {reason}")]
    BackendUnavailable {
        /// Name of the backend.
        backend: &'static str,
        /// What is missing.
        reason: String,
    },
    /// A call to a device that failed.
    #[error("{backend}: {operation} failed: {reason}")]
    DeviceFailure {
        /// Name of the backend.
        backend: &'static str,
        /// What was being done.
        operation: &'static str,
        /// What the device's library says.
        reason: String,
    },
    /// An environment variable with a value that is not understood.
    #[error("{variable}={value:?} is not understood; {expected}")]
    InvalidEnvironment {
        /// Name of the variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// The values that are.
        expected: &'static str,
    },
}

fn shape_text(shape: &[usize]) -> String {
    let inner: Vec<String> = shape.iter().map(ToString::to_string).collect();
    match inner.as_slice() {
        [one] => format!("({one},)"),
        many => format!("({})", many.join(", ")),
    }
}

fn free_text(free: Option<usize>) -> String {
    free.map_or_else(String::new, |bytes| format!(", {bytes} bytes free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_both_shapes() {
        let error = Error::ShapeMismatch { operation: "add", left: vec![2, 3], right: vec![4] };
        assert_eq!(error.to_string(), "add: shapes (2, 3) and (4,) do not fit together");
    }
}
