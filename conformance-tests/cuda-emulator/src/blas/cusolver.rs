//! The exported functions of cuSOLVER's dense part.
//!
//! A routine with a workspace states its size first; less than that is refused, and all of it is overwritten.
//! Info is written to the device when the call runs.

use cudarc::cusolver::sys::{cusolverDnHandle_t, cusolverStatus_t};

use super::library::Real;
use super::matrix::spoil_workspace;
use super::{Bound, create, leading, require, size};
use crate::exports::{exports, put};
use crate::fault::Fault;
use crate::handle::Kind;
use crate::memory::Memory;

mod cholesky;
mod lu;
mod qr;
mod settings;
mod spectral;

type Status = cusolverStatus_t;

fn bind(handle: cusolverDnHandle_t) -> Result<Bound, Status> {
    Bound::new(handle, Kind::Solver)
}

/// A device address as the C functions get it.
fn device<T>(pointer: *const T) -> u64 {
    pointer.addr() as u64
}

/// Elements of workspace that a routine on so many elements asks for. The numbers differ from routine to routine,
/// so that a size asked for another one is found out.
fn workspace(elements: usize, routine: usize) -> usize {
    elements * 32 + 64 * routine
}

/// Writes a size to the host.
///
/// # Safety
/// `place` is null or may be written.
unsafe fn put_size(call: &str, place: *mut i32, elements: usize) -> Result<(), Status> {
    let elements = i32::try_from(elements);
    require(call, elements.is_ok(), "a matrix whose workspace has less than 2^31 elements")?;
    // SAFETY: the caller says that it may be written.
    unsafe { put(place, elements.unwrap_or(i32::MAX)) }
}

/// A workspace given by the program.
#[derive(Debug, Clone, Copy)]
struct Workspace {
    address: u64,
    elements: usize,
}

impl Workspace {
    fn new<T>(call: &str, pointer: *const T, given: i32, needed: usize) -> Result<Self, Status> {
        let fits = usize::try_from(given).is_ok_and(|given| given >= needed);
        require(call, fits, &format!("Lwork >= {needed} as its bufferSize says, not {given}"))?;
        require(call, !pointer.is_null() || needed == 0, "a workspace")?;
        Ok(Self { address: device(pointer), elements: needed })
    }

    fn spoil<T: Real>(self, memory: &Memory) -> Result<(), Fault> {
        spoil_workspace::<T>(memory, self.address, self.elements)
    }
}

/// The address of an info value.
fn info(call: &str, pointer: *const i32) -> Result<u64, Status> {
    require(call, !pointer.is_null(), "an integer on the device for info")?;
    Ok(device(pointer))
}

/// The exported functions, for tests.
#[cfg(test)]
pub(super) mod calls {
    pub(crate) use super::cholesky::{double::*, single::*};
    pub(crate) use super::lu::double::*;
    pub(crate) use super::qr::double::*;
    pub(crate) use super::settings::*;
    pub(crate) use super::spectral::double::*;
}
