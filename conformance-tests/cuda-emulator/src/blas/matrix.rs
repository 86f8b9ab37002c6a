//! Matrices, vectors and arrays in device memory: what a routine touches of them, and the host's pointers.

use std::marker::PhantomData;

use super::library::Real;
use super::option::{LOWER, Letter};
use crate::fault::{Fault, FaultKind};
use crate::memory::{Access, Memory};

/// The part of a matrix that a routine touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Full,
    Upper,
    Lower,
    /// Above the diagonal.
    StrictUpper,
    /// Below the diagonal.
    StrictLower,
}

impl Part {
    /// The triangle that a routine names, with the diagonal or without.
    pub(super) fn triangle(uplo: Letter, with_diagonal: bool) -> Self {
        match (uplo == LOWER, with_diagonal) {
            (true, true) => Self::Lower,
            (true, false) => Self::StrictLower,
            (false, true) => Self::Upper,
            (false, false) => Self::StrictUpper,
        }
    }

    /// What remains of the matrix.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Upper => Self::StrictLower,
            Self::Lower => Self::StrictUpper,
            Self::StrictUpper => Self::Lower,
            Self::StrictLower => Self::Upper,
        }
    }

    /// The rows of a column.
    fn rows(self, column: usize, rows: usize) -> std::ops::Range<usize> {
        match self {
            Self::Full => 0..rows,
            Self::Upper => 0..rows.min(column + 1),
            Self::StrictUpper => 0..rows.min(column),
            Self::Lower => column.min(rows)..rows,
            Self::StrictLower => (column + 1).min(rows)..rows,
        }
    }
}

/// A column-major matrix of `T` in device memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<T> {
    address: u64,
    rows: usize,
    columns: usize,
    ld: usize,
    element: PhantomData<fn() -> T>,
}

impl<T: Copy> Matrix<T> {
    pub(super) fn new(address: u64, rows: usize, columns: usize, ld: usize) -> Self {
        Self { address, rows, columns, ld, element: PhantomData }
    }

    /// `count` elements one after another.
    pub(super) fn vector(address: u64, count: usize) -> Self {
        Self::new(address, count, 1, count)
    }

    /// `count` elements at a distance, which may be negative: the address is that of the lowest.
    pub(super) fn strided(address: u64, count: usize, increment: i32) -> Self {
        Self::new(address, 1, count, increment.unsigned_abs() as usize)
    }

    /// The host's pointer to the first element, after a check of every element in `part`.
    pub(super) fn pointer(&self, memory: &Memory, part: Part, access: Access) -> Result<*mut T, Fault> {
        let bytes = size_of::<T>();
        let wrong = |kind, what: &str| {
            let Self { address, rows, columns, .. } = self;
            Err(Fault::new(kind, format!("the {rows} x {columns} matrix at {address:#x} {what}")))
        };
        if !self.address.is_multiple_of(align_of::<T>() as u64) {
            return wrong(FaultKind::Misaligned, "is not aligned to its element type");
        }
        let is_dense = part == Part::Full && (self.ld == self.rows || self.columns == 1);
        let (height, columns) =
            if is_dense { (self.rows * self.columns, 1) } else { (self.rows, self.columns) };
        let mut first = None;
        for column in 0..columns {
            let rows = part.rows(column, height);
            if rows.is_empty() {
                continue;
            }
            let offset = (column * self.ld + rows.start) * bytes;
            let address = self.address.wrapping_add(offset as u64);
            let pointer = memory.host_pointer(address, (rows.len() * bytes) as u64, access)?;
            let start = pointer.wrapping_sub(offset);
            if *first.get_or_insert(start) != start {
                return wrong(
                    FaultKind::IllegalAddress,
                    &format!("has column {column} in another allocation"),
                );
            }
        }
        // Nothing to touch: any aligned pointer will do.
        Ok(first.map_or(std::ptr::dangling_mut(), <*mut u8>::cast))
    }

    /// Sets every element of `part`.
    pub(super) fn fill(&self, memory: &Memory, part: Part, value: T) -> Result<(), Fault> {
        let start = self.pointer(memory, part, Access::Write)?;
        for column in 0..self.columns {
            for row in part.rows(column, self.rows) {
                // SAFETY: `pointer` checked every element of the part.
                unsafe { start.add(column * self.ld + row).write(value) };
            }
        }
        Ok(())
    }

    /// A copy of all elements, column by column.
    pub(super) fn to_vec(self, memory: &Memory) -> Result<Vec<T>, Fault> {
        let start = self.pointer(memory, Part::Full, Access::Read)?;
        let places =
            (0..self.columns).flat_map(|column| (0..self.rows).map(move |row| column * self.ld + row));
        // SAFETY: `pointer` checked every element.
        Ok(places.map(|place| unsafe { *start.add(place) }).collect())
    }

    /// Sets all elements, column by column.
    pub(super) fn set(&self, memory: &Memory, values: &[T]) -> Result<(), Fault> {
        let start = self.pointer(memory, Part::Full, Access::Write)?;
        for (index, value) in values.iter().enumerate().take(self.rows * self.columns) {
            let (column, row) = (index / self.rows, index % self.rows);
            // SAFETY: `pointer` checked every element.
            unsafe { start.add(column * self.ld + row).write(*value) };
        }
        Ok(())
    }
}

/// The workspace of a routine: whatever it held is lost.
pub(super) fn spoil_workspace<T: Real>(memory: &Memory, address: u64, elements: usize) -> Result<(), Fault> {
    Matrix::<T>::vector(address, elements).fill(memory, Part::Full, T::NAN)
}

/// The device addresses in an array in device memory.
pub(super) fn addresses(memory: &Memory, array: u64, count: usize) -> Result<Vec<u64>, Fault> {
    Matrix::<u64>::vector(array, count).to_vec(memory)
}

/// Writes an info value (or another integer) to device memory.
pub(super) fn put_info(memory: &Memory, address: u64, info: i32) -> Result<(), Fault> {
    Matrix::vector(address, 1).set(memory, &[info])
}

/// A factor given by the program, by value or as an address of the device.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<T> {
    Host(T),
    Device(u64),
}

impl<T: Real> Scalar<T> {
    pub(super) fn value(&self, memory: &Memory) -> Result<T, Fault> {
        match self {
            Self::Host(value) => Ok(*value),
            Self::Device(address) => Ok(Matrix::vector(*address, 1).to_vec(memory)?[0]),
        }
    }
}

/// Every `stride` elements of `T` from an address on.
pub(super) fn strided_addresses<T>(address: u64, stride: i64, count: usize) -> impl Iterator<Item = u64> {
    let step = stride.wrapping_mul(size_of::<T>() as i64);
    (0..count as i64).map(move |index| address.wrapping_add_signed(step.wrapping_mul(index)))
}
