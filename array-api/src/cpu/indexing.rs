//! Indexing by arrays.

use rayon::prelude::*;

use super::buffer::inside_tile;
use super::{Cpu, CpuBuffer, contiguous};
use crate::backend::{Indexing, View};
use crate::layout::Layout;
use crate::{Element, Error, Numeric, Result};

/// Elements that a thread takes in one go: they are anywhere in memory, and mostly waited for.
const SHARE: usize = 4096;

/// Indices along an axis of `length`, the negative ones counted from the end.
fn resolve(indices: View<'_, i64, Cpu>, length: usize, operation: &'static str) -> Result<Vec<usize>> {
    contiguous(indices)
        .iter()
        .map(|&index| {
            let position = if index < 0 { index + length as i64 } else { index };
            if (0..length as i64).contains(&position) {
                Ok(position as usize)
            } else {
                Err(Error::IndexOutOfRange { operation, index, length })
            }
        })
        .collect()
}

/// Shape and strides of a three-axis layout.
fn axes(layout: &Layout) -> ([usize; 3], [isize; 3]) {
    let (shape, strides) = (layout.shape(), layout.strides());
    (std::array::from_fn(|i| shape[i]), std::array::from_fn(|i| strides[i]))
}

impl Indexing for Cpu {
    fn take<T: Element>(&self, x: View<'_, T, Self>, indices: View<'_, i64, Self>) -> Result<CpuBuffer<T>> {
        let ([outer, length, inner], [so, sl, si]) = axes(x.layout);
        let indices = resolve(indices, length, "take")?;
        let mut out = CpuBuffer::unspecified(outer * indices.len() * inner)?;
        if out.is_empty() {
            return Ok(out);
        }
        let gather = |o: usize, indices: &[usize], out: &mut [T]| {
            let start = x.layout.offset() as isize + o as isize * so;
            if inner == 1 && sl == 1 {
                let line = &x.buffer[start as usize..][..length];
                indices.iter().zip(out).for_each(|(&index, value)| *value = line[index]);
                return;
            }
            if inner == 1 {
                for (&index, value) in indices.iter().zip(out) {
                    *value = x.buffer[(start + index as isize * sl) as usize];
                }
                return;
            }
            for (&index, row) in indices.iter().zip(out.chunks_mut(inner)) {
                let first = start + index as isize * sl;
                if si == 1 {
                    row.copy_from_slice(&x.buffer[first as usize..first as usize + inner]);
                } else {
                    for (k, value) in row.iter_mut().enumerate() {
                        *value = x.buffer[(first + k as isize * si) as usize];
                    }
                }
            }
        };
        let block = indices.len() * inner;
        let whole = |first: usize, out: &mut [T]| {
            out.chunks_mut(block).enumerate().for_each(|(i, out)| gather(first + i, &indices, out));
        };
        if inside_tile() || out.len() <= SHARE {
            whole(0, &mut out);
        } else if block <= SHARE {
            let blocks = SHARE / block;
            out.par_chunks_mut(blocks * block).enumerate().for_each(|(i, out)| whole(i * blocks, out));
        } else {
            let share = (SHARE / inner).max(1);
            out.par_chunks_mut(block).enumerate().for_each(|(o, out)| {
                let parts = indices.par_chunks(share).zip(out.par_chunks_mut(share * inner));
                parts.for_each(|(indices, out)| gather(o, indices, out));
            });
        }
        Ok(out)
    }

    fn scatter_add<T: Numeric>(
        &self,
        target: &mut CpuBuffer<T>,
        layout: &Layout,
        indices: View<'_, i64, Self>,
        values: View<'_, T, Self>,
    ) -> Result<()> {
        let ([_, length, inner], [so, sl, si]) = axes(layout);
        let indices = resolve(indices, length, "scatter_add")?;
        let values = contiguous(values);
        if values.is_empty() {
            return Ok(());
        }
        for (o, block) in values.chunks(indices.len() * inner).enumerate() {
            let start = layout.offset() as isize + o as isize * so;
            if inner == 1 {
                for (&index, &value) in indices.iter().zip(block) {
                    let place = &mut target[(start + index as isize * sl) as usize];
                    *place = place.add(value);
                }
                continue;
            }
            for (&index, row) in indices.iter().zip(block.chunks(inner)) {
                let first = start + index as isize * sl;
                for (k, &value) in row.iter().enumerate() {
                    let place = &mut target[(first + k as isize * si) as usize];
                    *place = place.add(value);
                }
            }
        }
        Ok(())
    }

    fn compress<T: Element>(
        &self,
        x: View<'_, T, Self>,
        mask: View<'_, bool, Self>,
    ) -> Result<(CpuBuffer<T>, usize)> {
        let (data, mask) = (contiguous(x), contiguous(mask));
        let kept: Vec<T> =
            data.iter().zip(mask.iter()).filter(|&(_, &keep)| keep).map(|(&value, _)| value).collect();
        let count = kept.len();
        Ok((CpuBuffer::from(kept), count))
    }
}
