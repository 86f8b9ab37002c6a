//! Data of HDUs, checked against their sums.

use std::os::unix::fs::FileExt;

use fitsio::sys;
use rayon::prelude::*;

use super::Number;
use super::checksum::Checksum;
use super::read::{Bytes, Reader};
use crate::error::{Error, Result};

/// Bytes that are read at once: a whole number of any type's values, few enough for the cache.
pub(super) const PART: usize = 1 << 18;

impl Bytes<'_> {
    /// Reads bytes from `begin` on.
    pub(super) fn read(&self, begin: u64, out: &mut [u8]) -> std::io::Result<()> {
        match self {
            Self::InFile(file) => file.read_exact_at(out, begin),
            Self::InMemory(bytes) => {
                let begin = usize::try_from(begin).unwrap_or(usize::MAX);
                let from = bytes.get(begin..).and_then(|bytes| bytes.get(..out.len()));
                out.copy_from_slice(from.ok_or(std::io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }

    /// The sum of the bytes from `start` to `end`.
    fn sum(&self, start: u64, end: u64) -> std::io::Result<Checksum> {
        let mut sum = Checksum::default();
        let mut part = vec![0; PART.min(end.saturating_sub(start) as usize)];
        for begin in (start..end).step_by(PART) {
            let part = &mut part[..PART.min((end - begin) as usize)];
            self.read(begin, part)?;
            // Data begin with a whole word in the file.
            sum.add(begin, part);
        }
        Ok(sum)
    }

    /// The same by all threads.
    pub(super) fn sum_in_parallel(&self, start: u64, end: u64) -> std::io::Result<Checksum> {
        /// Bytes that one thread reads one after another.
        const SHARE: u64 = 16 * PART as u64;
        let shares = (0..end.saturating_sub(start).div_ceil(SHARE)).into_par_iter().map(|share| {
            let start = start + share * SHARE;
            self.sum(start, end.min(start + SHARE))
        });
        shares.try_reduce(Checksum::default, |mut sum, other| {
            sum.join(other);
            Ok(sum)
        })
    }
}

impl Reader<'_> {
    /// Checks the data of the current HDU against its `DATASUM`, if it has one. CFITSIO would read them
    /// block by block. It is done by the calling thread: that which reads ahead must not wait for those that
    /// fit.
    ///
    /// # Errors
    /// [`Error::Checksum`] if they differ; [`Error::Io`].
    pub fn check_sum(&mut self) -> Result<()> {
        let Some(expected) = self.data_sum() else { return Ok(()) };
        let sum = self.bytes.sum(self.data_start()?, self.end()).map_err(Error::io(self.path()))?;
        self.compare(&expected, sum)
    }

    /// Reads all pixels of the current HDU's image, `out.len()` of them, as [`pixels`](Self::pixels) does, and
    /// checks them as [`check_sum`](Self::check_sum) does: if the file stores the same type, on all threads,
    /// and in one go.
    ///
    /// # Errors
    /// Those of both.
    pub fn intact_pixels<T: Number>(&mut self, out: &mut [T]) -> Result<()> {
        let Some((start, end)) = self.plain::<T>(out.len())? else {
            self.check_sum()?;
            return self.pixels(0, None, out);
        };
        let bytes = &self.bytes;
        let part = |(number, part): (usize, &mut [T])| {
            let begin = start + (number * PART) as u64;
            let mut sum = Checksum::default();
            let stored: &mut [u8] = bytemuck::cast_slice_mut(part);
            bytes.read(begin, stored)?;
            sum.add(begin, stored);
            part.iter_mut().for_each(|value| *value = value.in_native_order());
            Ok(sum)
        };
        let parts = out.par_chunks_mut(PART / size_of::<T>()).enumerate().map(part);
        let sums: Vec<Checksum> = parts.collect::<std::io::Result<_>>().map_err(Error::io(self.path()))?;
        let Some(expected) = self.data_sum() else { return Ok(()) };
        // What is behind the pixels fills up a block.
        let mut sum = self.bytes.sum(end, self.end()).map_err(Error::io(self.path()))?;
        sums.into_iter().for_each(|part| sum.join(part));
        self.compare(&expected, sum)
    }

    /// Where `count` pixels of the current HDU's image begin and end, if they are numbers of type `T` that stand
    /// there as they are.
    pub(super) fn plain<T: Number>(&self, count: usize) -> Result<Option<(u64, u64)>> {
        let Some(image) = self.image()? else { return Ok(None) };
        let Some(start) = self.plain_at::<T>(&image)? else { return Ok(None) };
        let end = (count as u64).checked_mul(size_of::<T>() as u64).and_then(|size| start.checked_add(size));
        Ok(end.filter(|end| *end <= self.end()).map(|end| (start, end)))
    }

    /// Checks the current HDU against its `DATASUM` and `CHECKSUM`, as far as it has them.
    ///
    /// # Errors
    /// [`Error::Checksum`] if they differ.
    pub fn check_sums(&mut self) -> Result<()> {
        match self.sums()? {
            (true, true) => Ok(()),
            (true, false) => Err(self.mismatch("CHECKSUM")),
            (false, _) => Err(self.mismatch("DATASUM")),
        }
    }

    /// Whether the data, and the whole, of the current HDU do not contradict its sums.
    fn sums(&mut self) -> Result<(bool, bool)> {
        let (mut data, mut hdu) = (0, 0);
        self.handle.call(&self.cannot("sum the data"), |file, status| {
            // SAFETY: addresses of C ints.
            unsafe { sys::ffvcks(file, &mut data, &mut hdu, status) };
        })?;
        Ok((data != -1, hdu != -1))
    }

    /// The `DATASUM` of the current HDU, if it has one.
    pub(super) fn data_sum(&self) -> Option<String> {
        self.text("DATASUM").filter(|sum| !sum.trim().is_empty())
    }

    fn compare(&self, expected: &str, sum: Checksum) -> Result<()> {
        if sum.is(expected) { Ok(()) } else { Err(self.mismatch("DATASUM")) }
    }

    fn mismatch(&self, keyword: &'static str) -> Error {
        Error::Checksum { path: self.path().to_owned(), hdu: self.hdu(), keyword }
    }
}
