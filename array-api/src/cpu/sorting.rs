//! Sorting along the last axis.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::{Cpu, CpuBuffer, contiguous, copied, parallel};
use crate::backend::{Sorting, View};
use crate::{Element, Numeric, Result};

/// Ascending order with NaN last.
fn ascending<T: Element>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| a.is_nan_value().cmp(&b.is_nan_value()))
}

/// The order asked for; equal elements compare equal in both, so a stable sort keeps theirs.
fn order<T: Element>(descending: bool) -> impl Fn(&T, &T) -> Ordering + Sync {
    move |a, b| if descending { ascending(b, a) } else { ascending(a, b) }
}

/// Applies `f` to each row of `length` elements.
fn for_each_row<T: Element>(data: &mut [T], length: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if length == 0 {
        return;
    }
    if parallel(data.len()) {
        data.par_chunks_mut(length).enumerate().for_each(|(i, row)| f(i, row));
    } else {
        data.chunks_mut(length).enumerate().for_each(|(i, row)| f(i, row));
    }
}

impl Sorting for Cpu {
    fn sort<T: Numeric>(&self, x: View<'_, T, Self>, descending: bool) -> Result<CpuBuffer<T>> {
        let length = x.layout.shape().last().copied().unwrap_or(1);
        let mut data = copied(x)?;
        for_each_row(&mut data, length, |_, row| row.sort_by(order(descending)));
        Ok(data)
    }

    fn argsort<T: Numeric>(&self, x: View<'_, T, Self>, descending: bool) -> Result<CpuBuffer<i64>> {
        let length = x.layout.shape().last().copied().unwrap_or(1);
        let data = contiguous(x);
        let compare = order(descending);
        let mut indices = vec![0_i64; data.len()];
        for_each_row(&mut indices, length, |i, row| {
            let values = &data[i * length..(i + 1) * length];
            row.iter_mut().enumerate().for_each(|(k, index)| *index = k as i64);
            row.sort_by(|&a, &b| compare(&values[a as usize], &values[b as usize]));
        });
        Ok(CpuBuffer::from(indices))
    }
}
