//! The CUDA backend: NVIDIA GPUs.
//!
//! Nothing of CUDA is needed to build this crate or to run it on the CPU: the driver, the compiler
//! (NVRTC) and the libraries (cuBLAS, cuSOLVER) are looked for when they are first called, and an
//! error names what is missing. Kernels are written in CUDA C++ and compiled for the device at their
//! first use; compiled ones are kept on disk.
//!
//! Operations are queued on one stream of the device and return at once; only what brings data back
//! to the host waits. Data come up on a second stream, while the device is at work.
//!
//! Arrays are row-major, NVIDIA's libraries column-major: `linalg` says how the two meet.

#[expect(unsafe_code, reason = "calls cuBLAS and cuSOLVER")]
mod blas;
#[expect(unsafe_code, reason = "sees elements as bytes")]
mod buffer;
#[expect(unsafe_code, reason = "calls the compiler")]
mod compile;
#[expect(unsafe_code, reason = "calls the driver")]
mod driver;
mod elementwise;
mod expression;
mod indexing;
mod linalg;
mod sorting;
mod sparse;
mod spline;
mod statistical;

use std::sync::Arc;

use compile::Source;
use driver::{Arguments, Context, Kernel};

use crate::backend::{Backend, Creation, Elementwise, Manipulation, Storage, Tile, View, check_tile};
use crate::elementwise::binary::Add;
use crate::layout::Layout;
use crate::ops::type_name;
use crate::{Array, Element, Error, Result};

pub use buffer::CudaBuffer;
pub use driver::Properties;
pub use spline::SplinePlan;

/// A CUDA device as a backend.
///
/// All values for one device share its streams, its compiled kernels and its memory.
#[derive(Debug, Clone)]
pub struct Cuda(Arc<Context>);

/// Axes that a kernel can take, after neighbours are joined.
const AXES: usize = 16;

/// Threads of a block.
const THREADS: u32 = 256;

impl Cuda {
    /// Device number `ordinal` of those that `CUDA_VISIBLE_DEVICES` lets through.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`], saying what is missing.
    pub fn new(ordinal: usize) -> Result<Self> {
        Context::open(ordinal).map(Self)
    }

    /// The devices that there are.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`], saying what is missing.
    pub fn devices() -> Result<Vec<Properties>> {
        driver::devices()
    }

    /// What this device is.
    pub fn properties(&self) -> &Properties {
        &self.0.properties
    }

    /// Bytes of memory that can still be had.
    ///
    /// # Errors
    /// [`Error::DeviceFailure`].
    pub fn free_memory(&self) -> Result<usize> {
        self.0.free_memory()
    }

    /// Waits until everything asked for has been computed.
    ///
    /// # Errors
    /// [`Error::DeviceFailure`], if something of it failed.
    pub fn synchronize(&self) -> Result<()> {
        self.0.synchronize()
    }

    /// Queues kernel `name` of the module that `K` stands for, with a thread for each of `count`
    /// numbers.
    fn for_each<K: 'static>(
        &self,
        source: impl FnOnce() -> Source,
        name: &'static str,
        count: usize,
        arguments: Arguments,
    ) -> Result<()> {
        self.for_each_variant::<K>(0, source, name, count, arguments)
    }

    /// [`Cuda::for_each`] for a module that has variants.
    fn for_each_variant<K: 'static>(
        &self,
        variant: usize,
        source: impl FnOnce() -> Source,
        name: &'static str,
        count: usize,
        arguments: Arguments,
    ) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let blocks = count.div_ceil(THREADS as usize);
        let kernel = self.kernel_variant::<K>(variant, source, name)?;
        self.launch(kernel, [blocks, 1, 1], THREADS, arguments)
    }

    /// Kernel `name` of the module that `K` stands for.
    fn kernel<K: 'static>(&self, source: impl FnOnce() -> Source, name: &'static str) -> Result<Kernel> {
        self.kernel_variant::<K>(0, source, name)
    }

    /// [`Cuda::kernel`] for a module that has variants.
    fn kernel_variant<K: 'static>(
        &self,
        variant: usize,
        source: impl FnOnce() -> Source,
        name: &'static str,
    ) -> Result<Kernel> {
        Ok(self.0.module::<K>(variant, source)?.kernel(name))
    }

    /// Queues a kernel on a grid of blocks.
    fn launch(&self, kernel: Kernel, blocks: [usize; 3], threads: u32, arguments: Arguments) -> Result<()> {
        let mut grid = [0; 3];
        for ((grid, &wanted), limit) in grid.iter_mut().zip(&blocks).zip([i32::MAX as usize, 65535, 65535]) {
            if wanted == 0 {
                return Ok(());
            }
            if wanted > limit {
                return Err(Error::InvalidArgument {
                    operation: "CUDA",
                    reason: format!("{wanted} blocks of threads are more than the {limit} of a grid's side"),
                });
            }
            *grid = wanted as u32;
        }
        self.0.launch(kernel, grid, threads, arguments)
    }

    /// A new buffer with the elements of a view in row-major order.
    fn gather<T: Element>(&self, x: View<'_, T, Self>) -> Result<CudaBuffer<T>> {
        let mut copy = self.allocate(x.layout.len())?;
        self.copy_to(x, &mut copy, &Layout::contiguous(x.layout.shape()))?;
        Ok(copy)
    }

    /// The elements of a view in row-major order, copied only if they lie otherwise.
    fn contiguous<'a, T: Element>(&self, x: View<'a, T, Self>) -> Result<Contiguous<'a, T>> {
        Ok(match x.layout.contiguous_range() {
            Some(range) => {
                Contiguous { buffer: Held::Borrowed(x.buffer), start: range.start, len: range.len() }
            }
            None => {
                let copy = self.gather(x)?;
                let len = copy.len();
                Contiguous { buffer: Held::Owned(copy), start: 0, len }
            }
        })
    }
}

/// Elements in row-major order without gaps.
struct Contiguous<'a, T: Element> {
    buffer: Held<'a, T>,
    start: usize,
    len: usize,
}

enum Held<'a, T: Element> {
    Borrowed(&'a CudaBuffer<T>),
    Owned(CudaBuffer<T>),
}

impl<T: Element> Contiguous<'_, T> {
    fn buffer(&self) -> &CudaBuffer<T> {
        match &self.buffer {
            Held::Borrowed(buffer) => buffer,
            Held::Owned(buffer) => buffer,
        }
    }

    fn address(&self, context: &Arc<Context>) -> Result<u64> {
        self.buffer().address(context, self.start)
    }
}

/// `struct Layout` of the prelude.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct KernelLayout {
    ndim: i64,
    offset: i64,
    shape: [i64; AXES],
    strides: [i64; AXES],
}

/// Layouts of arrays of one shape as kernels take them.
fn kernel_layouts<const N: usize>(layouts: [&Layout; N]) -> Result<[KernelLayout; N]> {
    match kernel_layouts_of(&layouts)?.try_into() {
        Ok(layouts) => Ok(layouts),
        Err(_) => unreachable!("there are as many layouts as before"),
    }
}

/// [`kernel_layouts`] for any number of arrays.
fn kernel_layouts_of(layouts: &[&Layout]) -> Result<Vec<KernelLayout>> {
    let as_kernels_take_it = |layout: &Layout| {
        if layout.ndim() > AXES {
            return Err(Error::InvalidShape {
                operation: "CUDA",
                shape: layouts[0].shape().to_vec(),
                reason: format!("a view may have at most {AXES} axes that do not lie one within the other"),
            });
        }
        let (ndim, offset) = (layout.ndim() as i64, layout.offset() as i64);
        let mut out = KernelLayout { ndim, offset, shape: [0; AXES], strides: [0; AXES] };
        for axis in 0..layout.ndim() {
            out.shape[axis] = layout.shape()[axis] as i64;
            out.strides[axis] = layout.strides()[axis] as i64;
        }
        Ok(out)
    };
    Layout::collapse_all(layouts).iter().map(as_kernels_take_it).collect()
}

impl Storage for Cuda {
    type Buffer<T: Element> = CudaBuffer<T>;

    fn name(&self) -> &'static str {
        "cuda"
    }

    fn allocate<T: Element>(&self, len: usize) -> Result<CudaBuffer<T>> {
        CudaBuffer::unspecified(&self.0, len)
    }

    fn upload<T: Element>(&self, data: &[T]) -> Result<CudaBuffer<T>> {
        CudaBuffer::upload(&self.0, data)
    }

    fn download<T: Element>(&self, x: View<'_, T, Self>) -> Result<Vec<T>> {
        let x = self.contiguous(x)?;
        x.buffer().download(&self.0, x.start, x.len)
    }

    /// Everything at once, if half of the free memory holds its working set; else as many images at
    /// once as it holds, or as many rows of one.
    fn tiles(&self, batch: usize, rows: usize, bytes_per_row: usize) -> Vec<Tile> {
        if batch == 0 || rows == 0 {
            return Vec::new();
        }
        // If the device does not answer, the operations that follow will say why.
        let room = self.0.free_memory().map_or(usize::MAX, |free| free / 2);
        let fitting = (room / bytes_per_row.max(1)).clamp(1, batch.saturating_mul(rows));
        let (images, height) = if fitting >= rows { (fitting / rows, rows) } else { (1, fitting) };
        let starts = (0..batch).step_by(images);
        starts
            .flat_map(|first| {
                (0..rows).step_by(height).map(move |start| Tile {
                    batch: first..batch.min(first + images),
                    rows: start..rows.min(start + height),
                })
            })
            .collect()
    }

    fn reduce_tiles<F>(&self, tiles: &[Tile], batch: usize, width: usize, f: F) -> Result<CudaBuffer<f64>>
    where
        F: Fn(&Tile) -> Result<Array<f64, Self>> + Sync,
        Self: Backend,
    {
        let mut total = CudaBuffer::zeros(&self.0, batch * width)?;
        for tile in tiles {
            let part = f(tile)?;
            check_tile(part.len(), tile.batch.len() * width)?;
            let part = part.reshape(&[tile.batch.len(), width])?;
            let layout = Layout::contiguous(&[batch, width]).slice(0, tile.batch.start, 1, tile.batch.len());
            self.zip_assign(&Add, &mut total, &layout, part.view())?;
        }
        Ok(total)
    }

    fn map_tiles<T: Element, F>(&self, tiles: &[Tile], shape: [usize; 3], f: F) -> Result<CudaBuffer<T>>
    where
        F: Fn(&Tile) -> Result<Array<T, Self>> + Sync,
        Self: Backend,
    {
        let [batch, rows, width] = shape;
        let mut out = self.allocate(batch * rows * width)?;
        let whole = Layout::contiguous(&shape);
        let mut covered = 0;
        for tile in tiles {
            let part = f(tile)?;
            let shape = [tile.batch.len(), tile.rows.len(), width];
            check_tile(part.len(), shape.iter().product())?;
            let part = part.reshape(&shape)?;
            let target = whole.slice(0, tile.batch.start, 1, tile.batch.len()).slice(
                1,
                tile.rows.start,
                1,
                tile.rows.len(),
            );
            self.copy_to(part.view(), &mut out, &target)?;
            covered += part.len();
        }
        check_tile(covered, out.len())?;
        Ok(out)
    }
}

impl Creation for Cuda {
    fn full<T: Element>(&self, len: usize, value: T) -> Result<CudaBuffer<T>> {
        if value.is_zero_bits() {
            return CudaBuffer::zeros(&self.0, len);
        }
        elementwise::fill(self, len, value)
    }
}
