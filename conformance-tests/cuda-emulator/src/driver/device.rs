//! Devices: how many, their names and their attributes.

use std::ffi::{c_char, c_int, c_uint, c_void};

use cudarc::driver::sys::{self, CUdevice, CUdevice_attribute, CUresult, CUuuid};

use super::unknown;
use crate::exports::{exports, put};
use crate::platform::{initialise, platform};
use crate::settings::uuid;

/// CUDA 12.9.
const VERSION: c_int = 12090;
const NAME: &str = "CUDA emulator (no GPU)";
pub(super) const WARP: u32 = 32;
pub(super) const MAX_THREADS_PER_BLOCK: u32 = 1024;
pub(super) const MAX_BLOCK: [u32; 3] = [1024, 1024, 64];
pub(super) const MAX_GRID: [u32; 3] = [0x7fff_ffff, 0xffff, 0xffff];
/// Without `cuFuncSetAttribute`.
pub(super) const SHARED_PER_BLOCK: u32 = 48 << 10;
pub(super) const SHARED_PER_BLOCK_OPT_IN: u32 = 96 << 10;
pub(super) const SHARED_PER_MULTIPROCESSOR: u32 = 96 << 10;
pub(super) const THREADS_PER_MULTIPROCESSOR: u32 = 2048;
pub(super) const BLOCKS_PER_MULTIPROCESSOR: u32 = 32;
/// Few, so that kernels which loop over a grid do so for small arrays too.
pub(super) const MULTIPROCESSORS: u32 = 4;
/// The compute capability, as ten times the major number plus the minor one.
pub(super) const CAPABILITY: u32 = 70;

/// The index of a visible device.
pub(super) fn index(device: CUdevice) -> Result<usize, CUresult> {
    let devices = platform()?.devices();
    let index = usize::try_from(device).ok().filter(|device| *device < devices);
    index.ok_or(CUresult::CUDA_ERROR_INVALID_DEVICE)
}

/// The number that a device has in the machine, whatever is visible.
fn ordinal(device: CUdevice) -> Result<usize, CUresult> {
    let index = index(device)?;
    Ok(platform()?.settings.visible[index])
}

/// The attributes of a device of capability 7.0; those that depend on the board are those of a small one.
fn attribute(attribute: CUdevice_attribute, ordinal: usize) -> Result<u32, CUresult> {
    use cudarc::driver::sys::CUdevice_attribute_enum::*;
    Ok(match attribute {
        CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK => MAX_THREADS_PER_BLOCK,
        CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X => MAX_BLOCK[0],
        CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y => MAX_BLOCK[1],
        CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z => MAX_BLOCK[2],
        CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X => MAX_GRID[0],
        CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y => MAX_GRID[1],
        CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z => MAX_GRID[2],
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK => SHARED_PER_BLOCK,
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN => SHARED_PER_BLOCK_OPT_IN,
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR => SHARED_PER_MULTIPROCESSOR,
        CU_DEVICE_ATTRIBUTE_WARP_SIZE => WARP,
        CU_DEVICE_ATTRIBUTE_MAX_PITCH => 0x7fff_ffff,
        // Bytes of constant memory, and numbers of registers.
        CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY
        | CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK
        | CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR => 64 << 10,
        CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT => MULTIPROCESSORS,
        CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR => THREADS_PER_MULTIPROCESSOR,
        CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR => BLOCKS_PER_MULTIPROCESSOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR => CAPABILITY / 10,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR => CAPABILITY % 10,
        CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT
        | CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO => 2,
        // In kHz.
        CU_DEVICE_ATTRIBUTE_CLOCK_RATE | CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE => 1_000_000,
        CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH => 64,
        CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE => 1 << 20,
        CU_DEVICE_ATTRIBUTE_PCI_BUS_ID => ordinal as u32 + 1,
        CU_DEVICE_ATTRIBUTE_GPU_OVERLAP
        | CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS
        | CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING
        | CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED
        | CU_DEVICE_ATTRIBUTE_GLOBAL_L1_CACHE_SUPPORTED
        | CU_DEVICE_ATTRIBUTE_LOCAL_L1_CACHE_SUPPORTED
        | CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED => 1,
        CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED => u32::from(platform()?.settings.pools),
        CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK
        | CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID
        | CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID
        | CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT
        | CU_DEVICE_ATTRIBUTE_INTEGRATED
        | CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY
        | CU_DEVICE_ATTRIBUTE_COMPUTE_MODE
        | CU_DEVICE_ATTRIBUTE_ECC_ENABLED
        | CU_DEVICE_ATTRIBUTE_TCC_DRIVER
        | CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY
        | CU_DEVICE_ATTRIBUTE_MULTI_GPU_BOARD
        | CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS
        | CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS
        | CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED
        | CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM
        | CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH
        | CU_DEVICE_ATTRIBUTE_VIRTUAL_ADDRESS_MANAGEMENT_SUPPORTED
        | CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES
        | CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED => 0,
        other => return Err(unknown("cuDeviceGetAttribute", other)),
    })
}

exports! {
    /// NVIDIA's own libraries ask for tables of functions that no manual describes; NVRTC does while it compiles,
    /// and goes on without.
    fn cuGetExportTable(_table: *mut *const c_void, _id: *const CUuuid) -> CUresult {
        Err(CUresult::CUDA_ERROR_NOT_FOUND)
    }

    fn cuInit(flags: c_uint) -> CUresult {
        if flags != 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        initialise()
    }

    fn cuDriverGetVersion(version: *mut c_int) -> CUresult {
        put(version, VERSION)
    }

    fn cuDeviceGetCount(count: *mut c_int) -> CUresult {
        put(count, platform()?.devices() as c_int)
    }

    fn cuDeviceGet(device: *mut CUdevice, ordinal: c_int) -> CUresult {
        index(ordinal)?;
        put(device, ordinal)
    }

    fn cuDeviceGetName(name: *mut c_char, length: c_int, device: CUdevice) -> CUresult {
        index(device)?;
        let room = usize::try_from(length).unwrap_or(0);
        if name.is_null() || room == 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let bytes = NAME.len().min(room - 1);
        name.copy_from_nonoverlapping(NAME.as_ptr().cast(), bytes);
        put(name.add(bytes), 0)
    }

    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: CUdevice) -> CUresult {
        index(device)?;
        put(bytes, platform()?.settings.memory as usize)
    }

    fn cuDeviceGetAttribute(value: *mut c_int, name: CUdevice_attribute, device: CUdevice) -> CUresult {
        // Every attribute is below 2^31.
        put(value, attribute(name, ordinal(device)?)? as c_int)
    }

    fn cuDeviceGetUuid(uuid: *mut CUuuid, device: CUdevice) -> CUresult {
        put(uuid, device_uuid(device)?)
    }

    fn cuDeviceGetUuid_v2(uuid: *mut CUuuid, device: CUdevice) -> CUresult {
        put(uuid, device_uuid(device)?)
    }
}

fn device_uuid(device: CUdevice) -> Result<CUuuid, CUresult> {
    Ok(CUuuid { bytes: uuid(ordinal(device)?).map(|byte| byte as c_char) })
}
