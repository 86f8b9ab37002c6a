//! The CUDA driver, cuBLAS and cuSOLVER for a machine without a GPU.
//!
//! Built as a shared library and found through `LD_LIBRARY_PATH` under the names `libcuda.so.1`,
//! `libcublas.so.12` and `libcusolver.so.11`, it executes a CUDA program that knows nothing of it: kernels come
//! as PTX (from the real NVRTC) and are interpreted; every access to device memory is checked.
//!
//! - [`ptx`] reads the text of a module, [`interpreter`] runs a kernel, [`memory`] is the device memory with a
//!   shadow that knows which bytes were written, [`fault`] is what the checker found;
//! - [`stream`] keeps what was queued and runs it as late as allowed, in a random order that respects events;
//! - `driver` and `blas` are the exported C functions;
//! - [`meter`] counts launches, bytes and synchronisations; [`client`] reads the meter, the faults and the leaks
//!   from a test that does not link the emulator.
//!
//! The manuals followed: CUDA Driver API 12.9, cuBLAS 12.9 and cuSOLVER 12.9
//! (<https://docs.nvidia.com/cuda/archive/12.9.0/>).
//!
//! # Environment
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `CUDA_EMULATOR_DEVICES` | how many devices there are | 1 |
//! | `CUDA_EMULATOR_MEMORY` | bytes of memory of each device | 8 GiB |
//! | `CUDA_EMULATOR_POOLS` | whether devices have memory pools (0: no stream-ordered allocation) | 1 |
//! | `CUDA_EMULATOR_SEED` | seed of all random orders | random; printed with the first fault |
//! | `CUDA_EMULATOR_BLAS` | file of the BLAS and LAPACK to delegate to | `libscipy_openblas.so` |
//! | `CUDA_VISIBLE_DEVICES` | which devices the program sees, as the real driver | all |

mod blas;
pub mod client;
mod context;
mod driver;
mod exports;
pub mod fault;
mod handle;
mod host;
pub mod interpreter;
pub mod memory;
pub mod meter;
mod operation;
mod platform;
pub mod ptx;
mod report;
mod settings;
pub mod stream;
#[cfg(test)]
mod testing;
