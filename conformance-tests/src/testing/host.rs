//! Arrays on the host, and between host and backend.

pub(crate) use host_arrays::{
    Host, along, at_broadcast, broadcast_shape, build, elements, exact_sum, list, map, matmul, median,
    of_elements, random, reduce, size, transpose, zip,
};

use super::{Array, Backend, Result, Value};

/// The array on a backend.
pub(crate) fn upload<T: Value, B: Backend>(xp: &B, host: &Host<T>) -> Result<Array<T, B>> {
    Array::from_vec(xp, elements(host), host.shape())
}

/// The elements of an array on a backend.
pub(crate) fn download<T: Value, B: Backend>(array: &Array<T, B>) -> Result<Host<T>> {
    let values = array.to_vec()?;
    let shape = array.shape();
    Host::from_shape_vec(shape, values).map_err(|_| array_api::Error::InvalidShape {
        operation: "to_vec",
        shape: shape.to_vec(),
        reason: "the number of elements is another one".into(),
    })
}
