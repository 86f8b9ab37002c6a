//! Kernels that are compiled for the vectors of each processor.

use pulp::{Arch, Scalar, Simd, WithSimd};

/// Numbers in double precision that a kernel takes together: as many as the widest vectors have.
pub(super) const LANES: usize = 8;

/// What is done with the vectors of a processor, `N` of which make up [`LANES`].
pub(super) trait Kernel {
    /// Does it; inlined, so that it is compiled for that processor.
    fn run<S: Simd, const N: usize>(self, simd: S);
}

/// Numbers in vectors.
pub trait Vectors: Sized {
    /// A vector.
    type Vector<S: Simd>: Copy;
    /// A vector of the same number.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;
    /// `a * b + c`, rounded once.
    fn multiply_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// `a + b`.
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a - b`.
    fn difference<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// Numbers as vectors, without those at the end that fill none.
    fn vectors<S: Simd>(numbers: &[Self]) -> &[Self::Vector<S>];
    /// As [`vectors`](Self::vectors), for writing.
    fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [Self::Vector<S>];
}

macro_rules! vectors {
    ($($t:ident, $vector:ident, $splat:ident, $mul_add:ident, $add:ident, $sub:ident, $as:ident, $as_mut:ident;)*) => {$(
        impl Vectors for $t {
            type Vector<S: Simd> = S::$vector;
            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: $t) -> S::$vector {
                simd.$splat(x)
            }
            #[inline(always)]
            fn multiply_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn sum<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn difference<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$sub(a, b)
            }
            #[inline(always)]
            fn vectors<S: Simd>(numbers: &[$t]) -> &[S::$vector] {
                S::$as(numbers).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(numbers: &mut [$t]) -> &mut [S::$vector] {
                S::$as_mut(numbers).0
            }
        }
    )*};
}

vectors! {
    f32, f32s, splat_f32s, mul_add_f32s, add_f32s, sub_f32s, as_simd_f32s, as_mut_simd_f32s;
    f64, f64s, splat_f64s, mul_add_f64s, add_f64s, sub_f64s, as_simd_f64s, as_mut_simd_f64s;
}

/// Has the processor load a number into its caches, which takes no time if it is there.
#[inline(always)]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "an instruction of the processor"))]
pub(super) fn prefetch<T>(number: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is that of a reference; every such processor has the instruction.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(number).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = number;
}

/// A kernel as pulp takes it.
struct With<K, const N: usize>(K);

impl<K: Kernel, const N: usize> WithSimd for With<K, N> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        const { assert!(N * S::F64_LANES == LANES) };
        self.0.run::<S, N>(simd);
    }
}

/// Runs a kernel with the vectors of this processor. pulp's own dispatch knows their number only once it is compiled:
/// each kernel would be made for all numbers.
pub(super) fn dispatch<K: Kernel>(kernel: K) {
    match Arch::new() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V4(simd) => Simd::vectorize(simd, With::<K, 1>(kernel)),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V3(simd) => Simd::vectorize(simd, With::<K, 2>(kernel)),
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(simd) => Simd::vectorize(simd, With::<K, 4>(kernel)),
        _ => Simd::vectorize(Scalar, With::<K, LANES>(kernel)),
    }
}

/// Runs a loop that waits for memory more than for arithmetic: with vectors of 32 bytes even where there are some of 64. Arrays
/// lie at multiples of 16 bytes, so that each access of 64 bytes would meet two lines of the cache.
pub(super) fn dispatch_streaming<K: WithSimd>(kernel: K) -> K::Output {
    match Arch::new() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V4(simd) => Simd::vectorize(*simd, kernel),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V3(simd) => Simd::vectorize(simd, kernel),
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(simd) => Simd::vectorize(simd, kernel),
        _ => Simd::vectorize(Scalar, kernel),
    }
}
