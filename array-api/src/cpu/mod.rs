//! The CPU backend.
//!
//! Elementwise kernels are plain loops compiled for several instruction sets and chosen at run
//! time (pulp); matrix products and factorizations are faer's, on one thread, in blocks of fixed
//! size that rayon spreads over the cores. Every sum has a fixed order, so results have the same
//! bits whatever the number of threads.

mod buffer;
mod elementwise;
mod expression;
mod indexing;
mod linalg;
pub mod math;
mod operand;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "asks the system for huge pages")]
mod pages;
mod sorting;
mod sparse;
mod spline;
mod statistical;
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "writes past the cache"))]
pub(crate) mod swap;
mod vectors;

use rayon::prelude::*;

use crate::backend::{Backend, Creation, Storage, Tile, View, check_tile};
use crate::layout::Layout;
use crate::{Array, Element, Result, s};

pub use buffer::CpuBuffer;
pub(crate) use linalg::Dense;
pub(crate) use spline::Sums;

/// The processor as a backend.
///
/// Large operations run on all threads of the current rayon pool (`RAYON_NUM_THREADS`, or a pool
/// of the caller's); small ones, and those inside [`Storage::reduce_tiles`], on the calling one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu;

/// Working set of an image's part of a tile: a little more than what a core's second-level cache holds. Larger
/// tiles have fewer partial sums, smaller ones stay in faster memory; the best size was found by measuring
/// (`cargo bench -p backdrop --bench frame`).
const TILE_BYTES: usize = 4 * 1024 * 1024;

/// Images whose rows are in a tile together: splines take in one go what is the same for all of them.
const IMAGES: usize = 2;

/// Operations on fewer elements than this stay on the calling thread.
const PARALLEL_THRESHOLD: usize = 64 * 1024;

impl Cpu {
    /// The processor.
    pub fn new() -> Self {
        Self
    }
}

/// Whether an operation on `elements` elements is worth spreading over threads.
fn parallel(elements: usize) -> bool {
    elements >= PARALLEL_THRESHOLD && !buffer::inside_tile()
}

/// The elements of a view as a slice in row-major order, copied only if they lie otherwise.
fn contiguous<'a, T: Element>(x: View<'a, T, Cpu>) -> std::borrow::Cow<'a, [T]> {
    match x.layout.contiguous_range() {
        Some(range) => std::borrow::Cow::Borrowed(&x.buffer[range]),
        None => {
            let mut copy = vec![T::ZERO; x.layout.len()];
            elementwise::gather(x, &mut copy);
            std::borrow::Cow::Owned(copy)
        }
    }
}

/// The elements of a view in row-major order, to be changed.
fn copied<T: Element>(x: View<'_, T, Cpu>) -> Result<CpuBuffer<T>> {
    let mut copy = CpuBuffer::unspecified(x.layout.len())?;
    elementwise::gather(x, &mut copy);
    Ok(copy)
}

impl Storage for Cpu {
    type Buffer<T: Element> = CpuBuffer<T>;

    fn name(&self) -> &'static str {
        "cpu"
    }

    fn allocate<T: Element>(&self, len: usize) -> Result<CpuBuffer<T>> {
        CpuBuffer::unspecified(len)
    }

    fn upload<T: Element>(&self, data: &[T]) -> Result<CpuBuffer<T>> {
        if !parallel(data.len()) {
            return Ok(CpuBuffer::from(data.to_vec()));
        }
        let mut copy = CpuBuffer::unspecified(data.len())?;
        elementwise::over_output(&mut copy, &|range, part| part.copy_from_slice(&data[range]));
        Ok(copy)
    }

    fn adopt<T: Element>(&self, data: Vec<T>) -> Result<CpuBuffer<T>> {
        Ok(CpuBuffer::from(data))
    }

    fn written<T: Element>(&self, len: usize, write: impl FnOnce(&mut [T])) -> Result<CpuBuffer<T>> {
        let mut buffer = CpuBuffer::unspecified(len)?;
        write(&mut buffer);
        Ok(buffer)
    }

    fn is_in_host_memory(&self) -> bool {
        true
    }

    fn download<T: Element>(&self, x: View<'_, T, Self>) -> Result<Vec<T>> {
        Ok(contiguous(x).into_owned())
    }

    fn hand_over<T: Element>(&self, buffer: CpuBuffer<T>, layout: &Layout) -> Result<Vec<T>> {
        match layout.contiguous_range() {
            Some(range) if range.start == 0 => {
                let mut elements = buffer.into_vec();
                elements.truncate(range.end);
                Ok(elements)
            }
            _ => self.download(View { buffer: &buffer, layout }),
        }
    }

    fn reclaim<T: Element>(&self, buffer: CpuBuffer<T>) -> Option<Vec<T>> {
        Some(buffer.into_vec())
    }

    fn tiles(&self, batch: usize, rows: usize, bytes_per_row: usize) -> Vec<Tile> {
        let height = (TILE_BYTES / bytes_per_row.max(1)).clamp(1, rows.max(1));
        if height == rows {
            // Small images: as many as a tile holds, but some tiles for each thread.
            let each = TILE_BYTES / rows.saturating_mul(bytes_per_row).max(1);
            let images = each.clamp(1, batch.div_ceil(4 * rayon::current_num_threads()).max(1));
            let starts = (0..batch).step_by(images);
            return starts
                .map(|start| Tile { batch: start..batch.min(start + images), rows: 0..rows })
                .collect();
        }
        // The same rows of all images, some at a time: what the images share stays in the cache.
        (0..rows)
            .step_by(height)
            .flat_map(|start| {
                let rows = start..rows.min(start + height);
                let starts = (0..batch).step_by(IMAGES);
                starts.map(move |entry| Tile { batch: entry..batch.min(entry + IMAGES), rows: rows.clone() })
            })
            .collect()
    }

    fn reduce_tiles<F>(&self, tiles: &[Tile], batch: usize, width: usize, f: F) -> Result<CpuBuffer<f64>>
    where
        F: Fn(&Tile) -> Result<Array<f64, Self>> + Sync,
        Self: Backend,
    {
        let mut total = CpuBuffer::zeros(batch * width)?;
        // In groups, so that the partial results of a long list of tiles need not all exist at once.
        for group in tiles.chunks(256) {
            // All results are kept, errors too: the first tile's is reported, whichever came first.
            // Tile by tile, so that no thread waits for long at the end.
            let tiles = group.par_iter().with_max_len(1);
            let partial: Vec<_> = tiles.map(|tile| buffer::in_tile(|| f(tile))).collect();
            let partial: Vec<_> = partial.into_iter().collect::<Result<_>>()?;
            for (tile, part) in group.iter().zip(&partial) {
                check_tile(part.len(), tile.batch.len() * width)?;
            }
            let parts: Vec<_> = partial.iter().map(|part| contiguous(part.view())).collect();
            total.par_chunks_mut(width.max(1)).enumerate().for_each(|(entry, sums)| {
                let of_entry = group.iter().zip(&parts).filter(|(tile, _)| tile.batch.contains(&entry));
                for (tile, part) in of_entry {
                    let part = &part[(entry - tile.batch.start) * width..][..width];
                    sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
                }
            });
        }
        Ok(total)
    }

    fn map_tiles<T: Element, F>(&self, tiles: &[Tile], shape: [usize; 3], f: F) -> Result<CpuBuffer<T>>
    where
        F: Fn(&Tile) -> Result<Array<T, Self>> + Sync,
        Self: Backend,
    {
        let [batch, rows, width] = shape;
        let mut out = CpuBuffer::unspecified(batch * rows * width)?;
        let covered = tiles.iter().map(|tile| tile.batch.len() * tile.rows.len() * width).sum();
        check_tile(covered, out.len())?;
        // For each tile a piece of the result for each of its entries: neighbours in the order of entries
        // and rows.
        let mut pieces: Vec<(&Tile, Vec<&mut [T]>)> = tiles.iter().map(|tile| (tile, Vec::new())).collect();
        let mut order: Vec<(usize, usize, usize)> = tiles
            .iter()
            .enumerate()
            .flat_map(|(index, tile)| tile.batch.clone().map(move |entry| (entry, tile.rows.start, index)))
            .collect();
        order.sort_unstable();
        let mut rest = &mut out[..];
        for (.., index) in order {
            let len = tiles[index].rows.len() * width;
            let (piece, after) = rest.split_at_mut(len);
            pieces[index].1.push(piece);
            rest = after;
        }
        let run = |(tile, pieces): (&Tile, Vec<&mut [T]>)| {
            buffer::in_tile(|| {
                let part = f(tile)?;
                let len = tile.rows.len() * width;
                check_tile(part.len(), pieces.len() * len)?;
                let part = part.reshape(&[pieces.len(), len])?;
                for (entry, piece) in pieces.into_iter().enumerate() {
                    elementwise::gather(part.slice(s![entry])?.view(), piece);
                }
                Ok(())
            })
        };
        // The first tile's error, whichever came first.
        let pieces = pieces.into_par_iter().with_max_len(1);
        let error = pieces.filter_map(|piece| run(piece).err()).find_first(|_| true);
        error.map_or(Ok(()), Err)?;
        Ok(out)
    }
}

impl Creation for Cpu {
    fn full<T: Element>(&self, len: usize, value: T) -> Result<CpuBuffer<T>> {
        if value.is_zero_bits() {
            return CpuBuffer::zeros(len);
        }
        let mut buffer = CpuBuffer::unspecified(len)?;
        elementwise::over_output(&mut buffer, &|_, part| part.fill(value));
        Ok(buffer)
    }
}

impl crate::backend::Manipulation for Cpu {
    fn copy_to<T: Element>(
        &self,
        x: View<'_, T, Self>,
        target: &mut CpuBuffer<T>,
        layout: &Layout,
    ) -> Result<()> {
        match layout.contiguous_range() {
            Some(range) => elementwise::gather(x, &mut target[range]),
            None => elementwise::scatter(x, target, layout),
        }
        Ok(())
    }
}
