//! [`Lanes`] with AVX-512.

use std::arch::x86_64::{__m512, __m512d, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_ZERO};

use pulp::x86::V4;

use super::lanes::{Lanes, Map, One};
use super::real::Real;
use super::tables::Table;
use super::tabulated::Function;

/// What `vfixupimm` makes of a logarithm, four bits for each kind of argument: `x` itself (2) if that
/// is NaN (kinds 0 and 1), minus infinity (4) for zero (2), the logarithm (0) for one (3) and other
/// positive numbers (7), NaN (3) for minus infinity (4) and negative numbers (6), infinity (5) for
/// infinity (5).
const SPECIAL_VALUES: i32 = 0x0353_0422;

impl Lanes<f64> for V4 {
    type Vector = __m512d;

    #[inline(always)]
    fn all(self, x: f64) -> __m512d {
        self.avx512f._mm512_set1_pd(x)
    }

    #[inline(always)]
    fn add(self, a: __m512d, b: __m512d) -> __m512d {
        self.avx512f._mm512_add_pd(a, b)
    }

    #[inline(always)]
    fn subtract(self, a: __m512d, b: __m512d) -> __m512d {
        self.avx512f._mm512_sub_pd(a, b)
    }

    #[inline(always)]
    fn multiply(self, a: __m512d, b: __m512d) -> __m512d {
        self.avx512f._mm512_mul_pd(a, b)
    }

    #[inline(always)]
    fn multiply_add(self, a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        self.avx512f._mm512_fmadd_pd(a, b, c)
    }

    #[inline(always)]
    fn clamp(self, x: __m512d, lowest: f64, highest: f64) -> __m512d {
        // Of NaN and a number these give the second operand.
        let x = self.avx512f._mm512_max_pd(self.all(lowest), x);
        self.avx512f._mm512_min_pd(self.all(highest), x)
    }

    #[inline(always)]
    fn entries<const N: usize>(self, table: &Table<f64, N>, index: __m512d) -> [__m512d; N] {
        let mut entries = [index; N];
        for (entry, column) in entries.iter_mut().zip(&table.columns) {
            let [low, high]: [__m512d; 2] = pulp::cast(*column);
            *entry = self.avx512f._mm512_permutex2var_pd(low, pulp::cast(index), high);
        }
        entries
    }

    #[inline(always)]
    fn split(self, x: __m512d) -> (__m512d, __m512d, __m512d) {
        let k = self.avx512f._mm512_getexp_pd(x);
        let m = self.avx512f._mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_ZERO>(x);
        (k, m, pulp::cast(self.avx512f._mm512_srli_epi64::<48>(pulp::cast(m))))
    }

    #[inline(always)]
    fn scale(self, x: __m512d, w: __m512d) -> __m512d {
        self.avx512f._mm512_scalef_pd(x, self.avx512f._mm512_sub_pd(w, self.all(f64::ROUND_TO_16THS)))
    }

    #[inline(always)]
    fn with_special_values(self, x: __m512d, y: __m512d) -> __m512d {
        let choice = self.avx512f._mm512_set1_epi32(SPECIAL_VALUES);
        self.avx512f._mm512_fixupimm_pd::<0>(y, x, choice)
    }
}

impl Map<f64> for V4 {
    #[inline(always)]
    fn map<F: Function>(self, function: F, x: &[f64], out: &mut [f64]) {
        let (vectors, rest) = x.as_chunks::<8>();
        let (out_vectors, out_rest) = out.as_chunks_mut::<8>();
        for (out, &x) in out_vectors.iter_mut().zip(vectors) {
            *out = pulp::cast(function.at::<f64, _>(self, pulp::cast(x)));
        }
        One.map(function, rest, out_rest);
    }
}

impl Lanes<f32> for V4 {
    type Vector = __m512;

    #[inline(always)]
    fn all(self, x: f32) -> __m512 {
        self.avx512f._mm512_set1_ps(x)
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        self.avx512f._mm512_add_ps(a, b)
    }

    #[inline(always)]
    fn subtract(self, a: __m512, b: __m512) -> __m512 {
        self.avx512f._mm512_sub_ps(a, b)
    }

    #[inline(always)]
    fn multiply(self, a: __m512, b: __m512) -> __m512 {
        self.avx512f._mm512_mul_ps(a, b)
    }

    #[inline(always)]
    fn multiply_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        self.avx512f._mm512_fmadd_ps(a, b, c)
    }

    #[inline(always)]
    fn clamp(self, x: __m512, lowest: f32, highest: f32) -> __m512 {
        // Of NaN and a number these give the second operand.
        let x = self.avx512f._mm512_max_ps(self.all(lowest), x);
        self.avx512f._mm512_min_ps(self.all(highest), x)
    }

    #[inline(always)]
    fn entries<const N: usize>(self, table: &Table<f32, N>, index: __m512) -> [__m512; N] {
        let mut entries = [index; N];
        for (entry, column) in entries.iter_mut().zip(&table.columns) {
            *entry = self.avx512f._mm512_permutexvar_ps(pulp::cast(index), pulp::cast(*column));
        }
        entries
    }

    #[inline(always)]
    fn split(self, x: __m512) -> (__m512, __m512, __m512) {
        let k = self.avx512f._mm512_getexp_ps(x);
        let m = self.avx512f._mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_ZERO>(x);
        (k, m, pulp::cast(self.avx512f._mm512_srli_epi32::<19>(pulp::cast(m))))
    }

    #[inline(always)]
    fn scale(self, x: __m512, w: __m512) -> __m512 {
        self.avx512f._mm512_scalef_ps(x, self.avx512f._mm512_sub_ps(w, self.all(f32::ROUND_TO_16THS)))
    }

    #[inline(always)]
    fn with_special_values(self, x: __m512, y: __m512) -> __m512 {
        let choice = self.avx512f._mm512_set1_epi32(SPECIAL_VALUES);
        self.avx512f._mm512_fixupimm_ps::<0>(y, x, choice)
    }
}

impl Map<f32> for V4 {
    #[inline(always)]
    fn map<F: Function>(self, function: F, x: &[f32], out: &mut [f32]) {
        let (vectors, rest) = x.as_chunks::<16>();
        let (out_vectors, out_rest) = out.as_chunks_mut::<16>();
        for (out, &x) in out_vectors.iter_mut().zip(vectors) {
            *out = pulp::cast(function.at::<f32, _>(self, pulp::cast(x)));
        }
        One.map(function, rest, out_rest);
    }
}
