//! Kernels that are compiled for the vectors of each processor.

use pulp::{Arch, Scalar, Simd, WithSimd};

/// Numbers in double precision that a kernel takes together: as many as the widest vectors have.
pub(super) const LANES: usize = 8;

/// What is done with the vectors of a processor, `N` of which make up [`LANES`].
pub(super) trait Kernel {
    /// Does it; inlined, so that it is compiled for that processor.
    fn run<S: Simd, const N: usize>(self, simd: S);
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
