//! [`Lanes`] with AVX2.

use std::arch::x86_64::{__m256, __m256d, __m256i, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_LT_OQ};

use pulp::x86::V3;

use super::lanes::{Lanes, One};
use super::real::Real;
use super::tables::Table;
use super::tabulated::Function;

/// The entries of a table, in two vectors, that the last four bits of `index` number.
#[inline(always)]
fn pick(simd: V3, [first, second]: [__m256; 2], index: __m256i) -> __m256 {
    let in_second = simd.avx2._mm256_slli_epi32::<28>(index);
    simd.avx._mm256_blendv_ps(
        simd.avx2._mm256_permutevar8x32_ps(first, index),
        simd.avx2._mm256_permutevar8x32_ps(second, index),
        pulp::cast(in_second),
    )
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
    fn entry(self, table: &Table<f64>, index: __m256d) -> __m256d {
        let index = pulp::cast(self.avx._mm256_moveldup_ps(pulp::cast(index)));
        let low = pick(self, pulp::cast(table.halves[0]), index);
        let high = pick(self, pulp::cast(table.halves[1]), index);
        pulp::cast(self.avx._mm256_blend_ps::<0b1010_1010>(low, high))
    }

    #[inline(always)]
    fn short_entry(self, table: &Table<f64>, index: __m256d) -> __m256d {
        let index = pulp::cast(self.avx._mm256_moveldup_ps(pulp::cast(index)));
        let high = pick(self, pulp::cast(table.halves[1]), index);
        pulp::cast(self.avx._mm256_blend_ps::<0b1010_1010>(pulp::cast(self.avx._mm256_setzero_pd()), high))
    }

    #[inline(always)]
    fn split(self, x: __m256d) -> (__m256d, __m256d, __m256d) {
        let bits = |x: __m256d| -> __m256i { pulp::cast(x) };
        let subnormal = self.avx._mm256_cmp_pd::<_CMP_LT_OQ>(x, self.all(f64::MIN_POSITIVE));
        let x = self.avx._mm256_blendv_pd(x, self.avx._mm256_mul_pd(x, self.all(f64::INTEGERS)), subnormal);
        // The exponent becomes the last bits of a number whose last bit is worth one.
        let biased =
            bits(self.avx._mm256_or_pd(
                pulp::cast(self.avx2._mm256_srli_epi64::<52>(bits(x))),
                self.all(f64::INTEGERS),
            ));
        let bias = f64::INTEGERS + (f64::MAX_EXPONENT - 1.0);
        let bias = self.avx._mm256_blendv_pd(self.all(bias), self.all(bias + 52.0), subnormal);
        let k = self.avx._mm256_sub_pd(pulp::cast(biased), bias);
        let fraction = self.avx._mm256_and_pd(x, self.all(f64::from_bits((1 << 52) - 1)));
        let m = self.avx._mm256_or_pd(fraction, self.all(1.0));
        (k, m, pulp::cast(self.avx2._mm256_srli_epi64::<48>(bits(x))))
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

    #[inline(always)]
    fn map<F: Function>(self, function: F, x: &[f64], out: &mut [f64]) {
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
    fn entry(self, table: &Table<f32>, index: __m256) -> __m256 {
        pick(self, pulp::cast(table.entries), pulp::cast(index))
    }

    #[inline(always)]
    fn split(self, x: __m256) -> (__m256, __m256, __m256) {
        let bits = |x: __m256| -> __m256i { pulp::cast(x) };
        let subnormal = self.avx._mm256_cmp_ps::<_CMP_LT_OQ>(x, self.all(f32::MIN_POSITIVE));
        let x = self.avx._mm256_blendv_ps(x, self.avx._mm256_mul_ps(x, self.all(f32::INTEGERS)), subnormal);
        // The exponent becomes the last bits of a number whose last bit is worth one.
        let biased =
            bits(self.avx._mm256_or_ps(
                pulp::cast(self.avx2._mm256_srli_epi32::<23>(bits(x))),
                self.all(f32::INTEGERS),
            ));
        let bias = f32::INTEGERS + (f32::MAX_EXPONENT - 1.0);
        let bias = self.avx._mm256_blendv_ps(self.all(bias), self.all(bias + 23.0), subnormal);
        let k = self.avx._mm256_sub_ps(pulp::cast(biased), bias);
        let fraction = self.avx._mm256_and_ps(x, self.all(f32::from_bits((1 << 23) - 1)));
        let m = self.avx._mm256_or_ps(fraction, self.all(1.0_f32));
        (k, m, pulp::cast(self.avx2._mm256_srli_epi32::<19>(bits(x))))
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

    #[inline(always)]
    fn map<F: Function>(self, function: F, x: &[f32], out: &mut [f32]) {
        let (vectors, rest) = x.as_chunks::<8>();
        let (out_vectors, out_rest) = out.as_chunks_mut::<8>();
        for (out, &x) in out_vectors.iter_mut().zip(vectors) {
            *out = pulp::cast(function.at::<f32, _>(self, pulp::cast(x)));
        }
        One.map(function, rest, out_rest);
    }
}
