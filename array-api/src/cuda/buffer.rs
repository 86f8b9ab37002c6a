//! Buffers of elements in device memory.

use std::sync::{Arc, OnceLock};

use super::driver::{Context, Memory};
use crate::{DType, Element, Error, Result};

/// Elements in device memory.
#[derive(Debug)]
pub struct CudaBuffer<T: Element> {
    /// Nothing if there is no element.
    memory: Option<Memory>,
    len: usize,
    /// The smallest and the largest element, where they are known: for indices, which have to be
    /// checked before they are used.
    range: OnceLock<(T, T)>,
}

/// Elements as bytes.
fn bytes_of<T: Element>(data: &[T]) -> &[u8] {
    // SAFETY: elements are numbers without padding, or `bool`; each byte of them is initialised.
    unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) }
}

/// Bytes as elements.
fn elements_of<T: Element>(bytes: &[u8]) -> Vec<T> {
    let len = bytes.len() / size_of::<T>();
    let mut data: Vec<T> = Vec::with_capacity(len);
    let target: *mut u8 = data.as_mut_ptr().cast();
    // SAFETY: there is room for so many bytes. Any bytes are a number; for `bool`, where they are
    // not, every byte but zero is made a one.
    unsafe {
        if T::DTYPE == DType::Bool {
            for (i, &byte) in bytes.iter().enumerate() {
                target.add(i).write(u8::from(byte != 0));
            }
        } else {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, len * size_of::<T>());
        }
        data.set_len(len);
    }
    data
}

impl<T: Element> CudaBuffer<T> {
    /// Elements with unspecified values.
    pub(super) fn unspecified(context: &Arc<Context>, len: usize) -> Result<Self> {
        let Some(bytes) = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= isize::MAX as usize)
        else {
            let free = context.free_memory().ok();
            return Err(Error::OutOfMemory { requested: len.saturating_mul(size_of::<T>()), free });
        };
        let memory = if len == 0 { None } else { Some(context.allocate(bytes)?) };
        Ok(Self { memory, len, range: OnceLock::new() })
    }

    /// Elements that consist of zero bits.
    pub(super) fn zeros(context: &Arc<Context>, len: usize) -> Result<Self> {
        let buffer = Self::unspecified(context, len)?;
        buffer.memory.as_ref().map_or(Ok(()), |memory| context.zero(memory))?;
        Ok(buffer)
    }

    /// The given elements.
    pub(super) fn upload(context: &Arc<Context>, data: &[T]) -> Result<Self> {
        let memory = if data.is_empty() { None } else { Some(context.upload(bytes_of(data))?) };
        let buffer = Self { memory, len: data.len(), range: OnceLock::new() };
        // They may be indices: their range is known here for little.
        if T::DTYPE == DType::Int64 {
            buffer.set_range(data);
        }
        Ok(buffer)
    }

    fn set_range(&self, data: &[T]) -> Option<(T, T)> {
        let (&first, rest) = data.split_first()?;
        let range = rest.iter().fold((first, first), |(low, high), &x| {
            (if x < low { x } else { low }, if x > high { x } else { high })
        });
        Some(*self.range.get_or_init(|| range))
    }

    /// Elements `start..start + len` on the host.
    pub(super) fn download(&self, context: &Context, start: usize, len: usize) -> Result<Vec<T>> {
        let (start, len) = (start * size_of::<T>(), len * size_of::<T>());
        match &self.memory {
            Some(memory) if len > 0 => Ok(elements_of(&context.download(memory, start, len)?)),
            _ => Ok(Vec::new()),
        }
    }

    /// The smallest and the largest element; none without elements. Asks the device only if that is
    /// not known from before.
    pub(super) fn range(&self, context: &Context) -> Result<Option<(T, T)>> {
        match self.range.get() {
            Some(&range) => Ok(Some(range)),
            None => Ok(self.set_range(&self.download(context, 0, self.len)?)),
        }
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The address of element number `start`, for a kernel that reads; 0 without elements.
    pub(super) fn address(&self, context: &Arc<Context>, start: usize) -> Result<u64> {
        let Some(memory) = &self.memory else { return Ok(0) };
        if !Arc::ptr_eq(memory.context(), context) {
            return Err(Error::InvalidArgument {
                operation: "CUDA",
                reason: format!(
                    "an array on device {} meets one on device {}; move one of them through the host",
                    memory.context().properties.ordinal,
                    context.properties.ordinal
                ),
            });
        }
        Ok(memory.address()? + (start * size_of::<T>()) as u64)
    }

    /// The address of element number `start`, for a kernel that writes.
    pub(super) fn address_mut(&mut self, context: &Arc<Context>, start: usize) -> Result<u64> {
        self.range = OnceLock::new();
        self.address(context, start)
    }
}
