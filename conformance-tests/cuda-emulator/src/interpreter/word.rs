//! Unsigned words of all sizes as 64 bits and back.

use bytemuck::Pod;

/// A word of memory or of a register.
pub(crate) trait Word: Pod {
    const BYTES: usize = size_of::<Self>();
    fn zero_extended(self) -> u64;
    fn sign_extended(self) -> u64;
    fn truncated(value: u64) -> Self;
}

macro_rules! word {
    ($($t:ty),*) => { $(
        impl Word for $t {
            #[inline(always)]
            fn zero_extended(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn sign_extended(self) -> u64 {
                i64::from(self.cast_signed()).cast_unsigned()
            }
            #[inline(always)]
            fn truncated(value: u64) -> Self {
                value as $t
            }
        }
    )* };
}
word!(u8, u16, u32, u64);
