//! The byte order of numbers from files.

use pulp::{Arch, Simd, WithSimd};

use crate::Element;

/// Turns big-endian numbers into those of this machine where they are.
pub(crate) fn in_place<T: Element>(numbers: &mut [T]) {
    struct InPlace<'a, T>(&'a mut [T]);
    impl<T: Element> WithSimd for InPlace<'_, T> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for number in self.0 {
                *number = number.big_endian_as_native();
            }
        }
    }
    Arch::new().dispatch(InPlace(numbers));
}

/// Turns big-endian numbers, of which each pair has the bytes and the place for as many numbers, into those of this
/// machine.
pub(crate) fn big_endian<'a>(rows: impl Iterator<Item = (&'a [u8], &'a mut [f32])>) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { past_the_cache(rows) };
    }
    rows.for_each(|(bytes, out)| one_by_one(bytes, out));
}

#[inline(always)]
fn one_by_one(bytes: &[u8], out: &mut [f32]) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out) {
        *out = f32::from_be_bytes(*bytes);
    }
}

/// [`one_by_one`] for each row, in vectors that are written past the cache.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn past_the_cache<'a>(rows: impl Iterator<Item = (&'a [u8], &'a mut [f32])>) {
    use std::arch::x86_64::{
        __m256i, _mm_sfence, _mm256_loadu_si256, _mm256_setr_epi32, _mm256_shuffle_epi8, _mm256_stream_si256,
    };
    const SIZE: usize = size_of::<f32>();
    // Each of these numbers has the places that its bytes come from, within half a vector.
    let [a, b, c, d] = [0x0001_0203, 0x0405_0607, 0x0809_0a0b, 0x0c0d_0e0f];
    let order = _mm256_setr_epi32(a, b, c, d, a, b, c, d);
    for (bytes, out) in rows {
        // SAFETY: vectors of integers have no other bits than as many numbers, and only those that are aligned are taken.
        let (first, vectors, last) = unsafe { out.align_to_mut::<__m256i>() };
        let (of_first, rest) = bytes.split_at(first.len() * SIZE);
        let (of_vectors, of_last) = rest.split_at(size_of_val(vectors));
        one_by_one(of_first, first);
        for (bytes, vector) in of_vectors.as_chunks::<{ size_of::<__m256i>() }>().0.iter().zip(vectors) {
            // SAFETY: an array of as many bytes as a vector has, which need not be aligned.
            let read = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            // SAFETY: a vector that is borrowed exclusively, and so aligned.
            unsafe { _mm256_stream_si256(vector, _mm256_shuffle_epi8(read, order)) };
        }
        one_by_one(of_last, last);
    }
    // What was written past the cache is seen by other threads from here on.
    _mm_sfence();
}
