//! Buffers, and the memory that new ones come from: on each thread a scratch pool for the temporaries of a
//! tile, and for all threads some large blocks that were freed lately, which the system would have to clear,
//! page by page, if it took them back and gave them out again.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use crate::{Element, Error, Result};

thread_local! {
    static INSIDE_TILE: Cell<bool> = const { Cell::new(false) };
    static POOL: RefCell<HashMap<TypeId, Box<dyn Any>>> = RefCell::new(HashMap::new());
}

/// Buffers kept for reuse, of each element type on each thread.
const POOL_SIZE: usize = 32;

/// Elements of the smallest buffers that are kept: the allocator is fast with smaller ones, which would only
/// crowd out large ones.
const POOL_MIN: usize = 1024;

/// Bytes from which on a freed block is kept: smaller ones the allocator itself uses again.
const LARGE: usize = 1 << 20;

/// Bytes of freed large blocks that are kept, at most: an operation's result and another one's.
const KEPT: usize = 96 << 20;

/// A block that was freed: elements of which type, how many bytes, and the vector.
type Freed = (TypeId, usize, Box<dyn Any + Send>);

/// Large blocks that were freed lately, the last one at the end.
static FREED: Mutex<Vec<Freed>> = Mutex::new(Vec::new());

/// Keeps a large block that is no longer needed in place of older ones.
fn keep<T: Element>(data: Vec<T>) {
    let bytes = data.len() * size_of::<T>();
    if !(LARGE..=KEPT).contains(&bytes) {
        return;
    }
    let mut freed = FREED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut total = bytes + freed.iter().map(|(_, bytes, _)| bytes).sum::<usize>();
    let oldest = freed.iter().take_while(|(_, bytes, _)| {
        let too_much = total > KEPT;
        total -= if too_much { *bytes } else { 0 };
        too_much
    });
    let oldest = oldest.count();
    freed.drain(..oldest);
    freed.push((TypeId::of::<T>(), bytes, Box::new(data)));
}

/// A large block for `len` elements, with whatever is in it.
fn take_kept<T: Element>(len: usize) -> Option<Vec<T>> {
    let bytes = len.saturating_mul(size_of::<T>());
    if bytes < LARGE {
        return None;
    }
    let fits = |&(kind, size, _): &Freed| {
        kind == TypeId::of::<T>() && size >= bytes && size <= bytes.saturating_mul(2)
    };
    let mut freed = FREED.lock().unwrap_or_else(PoisonError::into_inner);
    let index = freed.iter().rposition(fits)?;
    let (.., block) = freed.remove(index);
    block.downcast::<Vec<T>>().ok().map(|data| *data)
}

/// Whether this thread is working on a tile.
pub(super) fn inside_tile() -> bool {
    INSIDE_TILE.get()
}

/// Runs `f` as the work on a tile: its operations stay on this thread and use the pool.
pub(super) fn in_tile<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            INSIDE_TILE.set(self.0);
        }
    }
    let _restore = Restore(INSIDE_TILE.replace(true));
    f()
}

/// Elements in main memory.
#[derive(Debug)]
pub struct CpuBuffer<T: Element>(Vec<T>);

impl<T: Element> CpuBuffer<T> {
    /// A buffer whose elements will be overwritten: whatever a recycled buffer holds, or zeros.
    pub(super) fn unspecified(len: usize) -> Result<Self> {
        let recycled = if inside_tile() { take_from_pool::<T>(len) } else { take_kept::<T>(len) };
        if let Some(mut recycled) = recycled {
            recycled.truncate(len);
            return Ok(Self(recycled));
        }
        Self::zeros(len)
    }

    /// A buffer of zeros.
    pub(crate) fn zeros(len: usize) -> Result<Self> {
        // A request that must fail is refused before the allocator aborts the program.
        let bytes = len.saturating_mul(size_of::<T>());
        if bytes > isize::MAX as usize {
            return Err(Error::OutOfMemory { requested: bytes, free: None });
        }
        if inside_tile() {
            let mut buffer = Self::pooled_or_new(len)?;
            buffer.fill(T::ZERO);
            return Ok(buffer);
        }
        // To clear memory that is here takes less time than to have the system find, clear and map pages.
        if let Some(mut kept) = take_kept::<T>(len) {
            kept.truncate(len);
            kept.fill(T::ZERO);
            return Ok(Self(kept));
        }
        if bytes > 1 << 26 {
            let mut probe: Vec<T> = Vec::new();
            probe.try_reserve_exact(len).map_err(|_| Error::OutOfMemory { requested: bytes, free: None })?;
        }
        #[cfg_attr(not(target_os = "linux"), expect(unused_mut))]
        let mut data = vec![T::ZERO; len];
        #[cfg(target_os = "linux")]
        super::pages::prefer_huge(&mut data);
        Ok(Self(data))
    }

    /// The elements as a vector.
    pub(crate) fn into_vec(mut self) -> Vec<T> {
        std::mem::take(&mut self.0)
    }

    fn pooled_or_new(len: usize) -> Result<Self> {
        let mut data = take_from_pool::<T>(len).unwrap_or_default();
        data.truncate(len);
        data.try_reserve_exact(len - data.len())
            .map_err(|_| Error::OutOfMemory { requested: len * size_of::<T>(), free: None })?;
        data.resize(len, T::ZERO);
        Ok(Self(data))
    }
}

/// A recycled vector of at least `len` elements, but not wastefully more.
fn take_from_pool<T: Element>(len: usize) -> Option<Vec<T>> {
    if !inside_tile() || len < POOL_MIN {
        return None;
    }
    POOL.with_borrow_mut(|pool| {
        let kept = pool.get_mut(&TypeId::of::<T>())?.downcast_mut::<Vec<Vec<T>>>()?;
        let found = kept.iter().rposition(|v| v.len() >= len && v.len() <= 2 * len)?;
        Some(kept.swap_remove(found))
    })
}

impl<T: Element> From<Vec<T>> for CpuBuffer<T> {
    fn from(data: Vec<T>) -> Self {
        Self(data)
    }
}

impl<T: Element> Deref for CpuBuffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Element> DerefMut for CpuBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Element> Drop for CpuBuffer<T> {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.0);
        if !inside_tile() {
            return keep(data);
        }
        if data.len() < POOL_MIN {
            return;
        }
        // While a thread ends its pool may be gone already: then the memory is simply freed.
        let _ = POOL.try_with(|pool| {
            let Ok(mut pool) = pool.try_borrow_mut() else { return };
            let kept = pool.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(Vec::<Vec<T>>::new()));
            if let Some(kept) = kept.downcast_mut::<Vec<Vec<T>>>() {
                if kept.len() == POOL_SIZE {
                    kept.remove(0);
                }
                kept.push(data);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporaries_of_a_tile_are_recycled() {
        in_tile(|| {
            let first = CpuBuffer::<f64>::zeros(2000).unwrap();
            let address = first.as_ptr();
            drop(first);
            let second = CpuBuffer::<f64>::unspecified(1900).unwrap();
            assert_eq!((second.as_ptr(), second.len()), (address, 1900));
        });
        assert!(!inside_tile());
    }

    #[test]
    fn large_blocks_are_used_again() {
        // Of a type and a size that no other test uses at the same time.
        let large = || CpuBuffer::<u8>::unspecified(30 << 20).unwrap();
        let first = large();
        let address = first.as_ptr();
        drop(first);
        assert_eq!(large().as_ptr(), address);
        // Fresh zeros, whatever was freed.
        large().fill(1);
        assert!(CpuBuffer::<u8>::zeros(30 << 20).unwrap().iter().all(|&x| x == 0));
        // No more is kept than the limit says, and what is too large is freed at once.
        drop((0..5).map(|_| large()).collect::<Vec<_>>());
        drop(CpuBuffer::<u8>::unspecified(KEPT + 1).unwrap());
        let freed = FREED.lock().unwrap();
        assert!(freed.iter().map(|(_, bytes, _)| bytes).sum::<usize>() <= KEPT);
        assert!(freed.iter().any(|(_, bytes, _)| *bytes == 30 << 20));
    }

    #[test]
    fn impossible_sizes_are_an_error() {
        let too_much = isize::MAX as usize / 8;
        assert!(matches!(CpuBuffer::<f64>::zeros(too_much), Err(Error::OutOfMemory { .. })));
    }
}
