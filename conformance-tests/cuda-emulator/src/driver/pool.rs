//! The memory pool of a device. There is one: its default pool.

use std::ffi::{c_int, c_void};

use cudarc::driver::sys::{self, CUdevice, CUmemPool_attribute, CUmemoryPool, CUresult};

use super::device::index;
use super::unknown;
use crate::context::Context;
use crate::exports::{exports, get, put};
use crate::handle::{self, Kind};
use crate::platform::platform;

/// What the value of an attribute is.
enum Attribute {
    /// An `int` that may be set; 1 from the start.
    Flag,
    /// A `cuuint64_t` that may be set; 0 from the start.
    Size,
    /// A `cuuint64_t` that the pool counts.
    Counted(u64),
}

fn kind(context: &Context, attribute: CUmemPool_attribute) -> Attribute {
    use cudarc::driver::sys::CUmemPool_attribute_enum::*;
    match attribute {
        CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES
        | CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC
        | CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES => Attribute::Flag,
        CU_MEMPOOL_ATTR_RELEASE_THRESHOLD => Attribute::Size,
        // Memory that nobody uses is given back at once.
        CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT | CU_MEMPOOL_ATTR_USED_MEM_CURRENT => {
            Attribute::Counted(context.memory.used())
        }
        CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH | CU_MEMPOOL_ATTR_USED_MEM_HIGH => {
            Attribute::Counted(context.memory.peak())
        }
    }
}

fn device_of(pool: CUmemoryPool) -> Result<usize, CUresult> {
    handle::unpack(pool, Kind::Pool).map(|(device, _)| device).ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)
}

/// Whether a handle names the pool of this context's device.
pub(super) fn check(context: &Context, pool: CUmemoryPool) -> Result<(), CUresult> {
    if device_of(pool)? == context.device { Ok(()) } else { Err(CUresult::CUDA_ERROR_INVALID_VALUE) }
}

/// The only pool of a device.
fn pool_of(device: CUdevice) -> Result<CUmemoryPool, CUresult> {
    check_pools()?;
    Ok(handle::pack(Kind::Pool, index(device)?, 1))
}

/// Refuses what takes memory pools on devices that have none.
pub(super) fn check_pools() -> Result<(), CUresult> {
    if platform()?.settings.pools { Ok(()) } else { Err(CUresult::CUDA_ERROR_NOT_SUPPORTED) }
}

exports! {
    fn cuDeviceGetDefaultMemPool(pool: *mut CUmemoryPool, device: CUdevice) -> CUresult {
        put(pool, pool_of(device)?)
    }

    fn cuDeviceGetMemPool(pool: *mut CUmemoryPool, device: CUdevice) -> CUresult {
        put(pool, pool_of(device)?)
    }

    fn cuMemPoolSetAttribute(pool: CUmemoryPool, attribute: CUmemPool_attribute, value: *mut c_void) -> CUresult {
        let mut context = platform()?.context(device_of(pool)?)?;
        let value = match kind(&context, attribute) {
            Attribute::Flag => u64::from(get(value.cast::<c_int>())? != 0),
            Attribute::Size => get(value.cast::<u64>())?,
            Attribute::Counted(_) => return Err(unknown("cuMemPoolSetAttribute", attribute)),
        };
        context.pool_attributes.insert(attribute as u32, value);
        Ok(())
    }

    fn cuMemPoolGetAttribute(pool: CUmemoryPool, attribute: CUmemPool_attribute, value: *mut c_void) -> CUresult {
        let context = platform()?.context(device_of(pool)?)?;
        let set = context.pool_attributes.get(&(attribute as u32)).copied();
        match kind(&context, attribute) {
            Attribute::Flag => put(value.cast::<c_int>(), c_int::from(set.is_none_or(|flag| flag != 0))),
            Attribute::Size => put(value.cast::<u64>(), set.unwrap_or(0)),
            Attribute::Counted(bytes) => put(value.cast::<u64>(), bytes),
        }
    }

    fn cuMemPoolTrimTo(pool: CUmemoryPool, _bytes: usize) -> CUresult {
        // The pool holds nothing but what is in use.
        device_of(pool)?;
        Ok(())
    }
}
