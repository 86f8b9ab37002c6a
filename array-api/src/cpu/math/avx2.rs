//! [`Lanes`] with AVX2.

use std::arch::x86_64::{__m256, __m256d, __m256i, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_LT_OQ};

use pulp::x86::V3;

use super::lanes::{Lanes, Map, One, Two};
use super::real::Real;
use super::tables::Table;
use super::tabulated::Function;

/// The entries of a column, in two vectors, that the last four bits of `index` number.
#[inline(always)]
fn pick(simd: V3, [first, second]: [__m256; 2], index: __m256i) -> __m256 {
    let in_second = simd.avx2._mm256_slli_epi32::<28>(index);
    simd.avx._mm256_blendv_ps(
        simd.avx2._mm256_permutevar8x32_ps(first, index),
        simd.avx2._mm256_permutevar8x32_ps(second, index),
        pulp::cast(in_second),
    )
}

/// What [`Lanes::split`] makes of numbers that are not subnormal, given what [`Real::INTEGERS`] and their exponents are
/// larger by than what their exponents are to be.
#[inline(always)]
fn parts_f64(simd: V3, x: __m256d, bias: __m256d) -> (__m256d, __m256d, __m256d) {
    let bits: __m256i = pulp::cast(x);
    // The exponent becomes the last bits of a number whose last bit is worth one.
    let exponent = pulp::cast(simd.avx2._mm256_srli_epi64::<52>(bits));
    let biased = simd.avx._mm256_or_pd(exponent, simd.all(f64::INTEGERS));
    let fraction = simd.avx._mm256_and_pd(x, simd.all(f64::from_bits((1 << 52) - 1)));
    let m = simd.avx._mm256_or_pd(fraction, simd.all(1.0_f64));
    let index = pulp::cast(simd.avx2._mm256_srli_epi64::<48>(bits));
    (simd.avx._mm256_sub_pd(biased, bias), m, index)
}

/// What [`Lanes::split`] makes of numbers that are not subnormal, given what [`Real::INTEGERS`] and their exponents are
/// larger by than what their exponents are to be.
#[inline(always)]
fn parts_f32(simd: V3, x: __m256, bias: __m256) -> (__m256, __m256, __m256) {
    let bits: __m256i = pulp::cast(x);
    // The exponent becomes the last bits of a number whose last bit is worth one.
    let exponent = pulp::cast(simd.avx2._mm256_srli_epi32::<23>(bits));
    let biased = simd.avx._mm256_or_ps(exponent, simd.all(f32::INTEGERS));
    let fraction = simd.avx._mm256_and_ps(x, simd.all(f32::from_bits((1 << 23) - 1)));
    let m = simd.avx._mm256_or_ps(fraction, simd.all(1.0_f32));
    let index = pulp::cast(simd.avx2._mm256_srli_epi32::<19>(bits));
    (simd.avx._mm256_sub_ps(biased, bias), m, index)
}

impl Lanes<f64> for V3 {
    type Vector = __m256d;

    #[inline(always)]
    fn all(self, x: f64) -> __m256d {
        self.avx._mm256_set1_pd(x)
    }

    #[inline(always)]
    fn add(self, a: __m256d, b: __m256d) -> __m256d {
        self.avx._mm256_add_pd(a, b)
    }

    #[inline(always)]
    fn subtract(self, a: __m256d, b: __m256d) -> __m256d {
        self.avx._mm256_sub_pd(a, b)
    }

    #[inline(always)]
    fn multiply(self, a: __m256d, b: __m256d) -> __m256d {
        self.avx._mm256_mul_pd(a, b)
    }

    #[inline(always)]
    fn multiply_add(self, a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        self.fma._mm256_fmadd_pd(a, b, c)
    }

    #[inline(always)]
    fn clamp(self, x: __m256d, lowest: f64, highest: f64) -> __m256d {
        // Of NaN and a number these give the second operand.
        let x = self.avx._mm256_max_pd(self.all(lowest), x);
        self.avx._mm256_min_pd(self.all(highest), x)
    }

    #[inline(always)]
    fn entries<const N: usize>(self, table: &Table<f64, N>, index: __m256d) -> [__m256d; N] {
        let two = self.entries_of_two(table, [index; 2]);
        let mut entries = [index; N];
        for (entry, [first, _]) in entries.iter_mut().zip(two) {
            *entry = first;
        }
        entries
    }

    #[inline(always)]
    fn entries_of_two<const N: usize>(
        self,
        table: &Table<f64, N>,
        [first, second]: [__m256d; 2],
    ) -> [[__m256d; 2]; N] {
        // Two indices of the first vector, and two of the second, in each half of a register. So are the halves of entries that
        // they pick, and unpacking makes numbers of the first two, and of the others.
        let index = self.avx._mm256_shuffle_ps::<0b10_00_10_00>(pulp::cast(first), pulp::cast(second));
        let halves = |column: usize| pick(self, pulp::cast(table.halves[column]), pulp::cast(index));
        let mut entries = [[first, second]; N];
        for (column, entries) in entries.iter_mut().enumerate() {
            let lower = if column + 1 == N { halves(N) } else { self.avx._mm256_setzero_ps() };
            let upper = halves(column);
            *entries = [
                pulp::cast(self.avx._mm256_unpacklo_ps(lower, upper)),
                pulp::cast(self.avx._mm256_unpackhi_ps(lower, upper)),
            ];
        }
        entries
    }

    #[inline(always)]
    fn split(self, x: __m256d) -> (__m256d, __m256d, __m256d) {
        let subnormal = self.avx._mm256_cmp_pd::<_CMP_LT_OQ>(x, self.all(f64::MIN_POSITIVE));
        let scaled = self.avx._mm256_mul_pd(x, self.all(f64::INTEGERS));
        let x = self.avx._mm256_blendv_pd(x, scaled, subnormal);
        let bias = f64::INTEGERS + (f64::MAX_EXPONENT - 1.0);
        let bias = self.avx._mm256_blendv_pd(self.all(bias), self.all(bias + 52.0), subnormal);
        parts_f64(self, x, bias)
    }

    #[inline(always)]
    fn split_normal(self, x: __m256d) -> Option<(__m256d, __m256d, __m256d)> {
        // The bits of these numbers are neighbours; moved to the lowest integers, one comparison does.
        const LOWEST: i64 = f64::MIN_POSITIVE.to_bits() as i64;
        const COUNT: i64 = f64::INFINITY.to_bits() as i64 - LOWEST;
        let moved = self.avx._mm256_set1_epi64x(i64::MIN.wrapping_sub(LOWEST));
        let moved = self.avx2._mm256_add_epi64(pulp::cast(x), moved);
        let end = self.avx._mm256_set1_epi64x(i64::MIN + COUNT);
        let normal = pulp::cast(self.avx2._mm256_cmpgt_epi64(end, moved));
        let all = self.avx._mm256_movemask_pd(normal) == 0b1111;
        if !all {
            return None;
        }
        Some(parts_f64(self, x, self.all(f64::INTEGERS + (f64::MAX_EXPONENT - 1.0))))
    }

    #[inline(always)]
    fn scale(self, x: __m256d, w: __m256d) -> __m256d {
        // As Real::scale does.
        let half = self.avx2._mm256_srli_epi64::<5>(pulp::cast(w));
        let rest = self.avx2._mm256_sub_epi64(self.avx2._mm256_srli_epi64::<4>(pulp::cast(w)), half);
        let power = |biased| -> __m256d { pulp::cast(self.avx2._mm256_slli_epi64::<52>(biased)) };
        self.avx._mm256_mul_pd(self.avx._mm256_mul_pd(x, power(half)), power(rest))
    }

    #[inline(always)]
    fn with_special_values(self, x: __m256d, y: __m256d) -> __m256d {
        let zero = self.avx._mm256_setzero_pd();
        let is_zero = self.avx._mm256_cmp_pd::<_CMP_EQ_OQ>(x, zero);
        let special = self.avx._mm256_blendv_pd(x, self.all(f64::NEG_INFINITY), is_zero);
        let negative = self.avx._mm256_cmp_pd::<_CMP_LT_OQ>(x, zero);
        let special = self.avx._mm256_blendv_pd(special, self.all(-f64::NAN), negative);
        let positive = self.avx._mm256_cmp_pd::<_CMP_GT_OQ>(x, zero);
        let finite = self.avx._mm256_cmp_pd::<_CMP_LT_OQ>(x, self.all(f64::INFINITY));
        self.avx._mm256_blendv_pd(special, y, self.avx._mm256_and_pd(positive, finite))
    }
}

impl Map<f64> for V3 {
    #[inline(always)]
    fn map<F: Function>(self, function: F, x: &[f64], out: &mut [f64]) {
        let (pairs, x) = x.as_chunks::<8>();
        let (out_pairs, out) = out.as_chunks_mut::<8>();
        for (out, &x) in out_pairs.iter_mut().zip(pairs) {
            *out = pulp::cast(function.at::<f64, _>(Two(self), pulp::cast(x)));
        }
        let (vectors, rest) = x.as_chunks::<4>();
        let (out_vectors, out_rest) = out.as_chunks_mut::<4>();
        for (out, &x) in out_vectors.iter_mut().zip(vectors) {
            *out = pulp::cast(function.at::<f64, _>(self, pulp::cast(x)));
        }
        One.map(function, rest, out_rest);
    }
}

impl Lanes<f32> for V3 {
    type Vector = __m256;

    #[inline(always)]
    fn all(self, x: f32) -> __m256 {
        self.avx._mm256_set1_ps(x)
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_add_ps(a, b)
    }

    #[inline(always)]
    fn subtract(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_sub_ps(a, b)
    }

    #[inline(always)]
    fn multiply(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_mul_ps(a, b)
    }

    #[inline(always)]
    fn multiply_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        self.fma._mm256_fmadd_ps(a, b, c)
    }

    #[inline(always)]
    fn clamp(self, x: __m256, lowest: f32, highest: f32) -> __m256 {
        // Of NaN and a number these give the second operand.
        let x = self.avx._mm256_max_ps(self.all(lowest), x);
        self.avx._mm256_min_ps(self.all(highest), x)
    }

    #[inline(always)]
    fn entries<const N: usize>(self, table: &Table<f32, N>, index: __m256) -> [__m256; N] {
        let mut entries = [index; N];
        for (entry, column) in entries.iter_mut().zip(&table.columns) {
            *entry = pick(self, pulp::cast(*column), pulp::cast(index));
        }
        entries
    }

    #[inline(always)]
    fn split(self, x: __m256) -> (__m256, __m256, __m256) {
        let subnormal = self.avx._mm256_cmp_ps::<_CMP_LT_OQ>(x, self.all(f32::MIN_POSITIVE));
        let scaled = self.avx._mm256_mul_ps(x, self.all(f32::INTEGERS));
        let x = self.avx._mm256_blendv_ps(x, scaled, subnormal);
        let bias = f32::INTEGERS + (f32::MAX_EXPONENT - 1.0);
        let bias = self.avx._mm256_blendv_ps(self.all(bias), self.all(bias + 23.0), subnormal);
        parts_f32(self, x, bias)
    }

    #[inline(always)]
    fn split_normal(self, x: __m256) -> Option<(__m256, __m256, __m256)> {
        // The bits of these numbers are neighbours; moved to the lowest integers, one comparison does.
        const LOWEST: i32 = f32::MIN_POSITIVE.to_bits() as i32;
        const COUNT: i32 = f32::INFINITY.to_bits() as i32 - LOWEST;
        let moved = self.avx._mm256_set1_epi32(i32::MIN.wrapping_sub(LOWEST));
        let moved = self.avx2._mm256_add_epi32(pulp::cast(x), moved);
        let end = self.avx._mm256_set1_epi32(i32::MIN + COUNT);
        let normal = pulp::cast(self.avx2._mm256_cmpgt_epi32(end, moved));
        let all = self.avx._mm256_movemask_ps(normal) == 0b1111_1111;
        if !all {
            return None;
        }
        Some(parts_f32(self, x, self.all(f32::INTEGERS + (f32::MAX_EXPONENT - 1.0))))
    }

    #[inline(always)]
    fn scale(self, x: __m256, w: __m256) -> __m256 {
        // As Real::scale does.
        let half = self.avx2._mm256_srli_epi32::<5>(pulp::cast(w));
        let rest = self.avx2._mm256_sub_epi32(self.avx2._mm256_srli_epi32::<4>(pulp::cast(w)), half);
        let power = |biased| -> __m256 { pulp::cast(self.avx2._mm256_slli_epi32::<23>(biased)) };
        self.avx._mm256_mul_ps(self.avx._mm256_mul_ps(x, power(half)), power(rest))
    }

    #[inline(always)]
    fn with_special_values(self, x: __m256, y: __m256) -> __m256 {
        let zero = self.avx._mm256_setzero_ps();
        let is_zero = self.avx._mm256_cmp_ps::<_CMP_EQ_OQ>(x, zero);
        let special = self.avx._mm256_blendv_ps(x, self.all(f32::NEG_INFINITY), is_zero);
        let negative = self.avx._mm256_cmp_ps::<_CMP_LT_OQ>(x, zero);
        let special = self.avx._mm256_blendv_ps(special, self.all(-f32::NAN), negative);
        let positive = self.avx._mm256_cmp_ps::<_CMP_GT_OQ>(x, zero);
        let finite = self.avx._mm256_cmp_ps::<_CMP_LT_OQ>(x, self.all(f32::INFINITY));
        self.avx._mm256_blendv_ps(special, y, self.avx._mm256_and_ps(positive, finite))
    }
}

impl Map<f32> for V3 {
    #[inline(always)]
    fn map<F: Function>(self, function: F, x: &[f32], out: &mut [f32]) {
        let (pairs, x) = x.as_chunks::<16>();
        let (out_pairs, out) = out.as_chunks_mut::<16>();
        for (out, &x) in out_pairs.iter_mut().zip(pairs) {
            *out = pulp::cast(function.at::<f32, _>(Two(self), pulp::cast(x)));
        }
        let (vectors, rest) = x.as_chunks::<8>();
        let (out_vectors, out_rest) = out.as_chunks_mut::<8>();
        for (out, &x) in out_vectors.iter_mut().zip(vectors) {
            *out = pulp::cast(function.at::<f32, _>(self, pulp::cast(x)));
        }
        One.map(function, rest, out_rest);
    }
}
