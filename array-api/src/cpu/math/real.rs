//! What the algorithms need to know of a floating point type: its layout in bits, and constants
//! and polynomials to its precision.

use num_traits::Float;

use super::pair::Pair;

/// A floating point type of IEEE 754 with `p` bits of precision.
///
/// Polynomials are minimax approximations in the relative sense, the coefficient of the highest
/// power first; the error named is that of the function they approximate.
pub trait Real: Float + 'static {
    /// The exponent from which on powers of two overflow.
    const MAX_EXPONENT: Self;
    /// `2^(p-1)`: from here on all numbers are integers.
    const INTEGERS: Self;
    /// `p - 1`.
    const DIGITS: Self;
    /// Adding this to a number leaves the integer `n` nearest to it in the low bits of the sum,
    /// plus twice the bias of exponents: half of that sum is an exponent field again.
    const ROUND: Self;
    /// [`ROUND`](Self::ROUND) for integers in units of 1/16: the last four bits are below one.
    const ROUND_TO_16THS: Self;

    /// `ln 2`.
    const LN_2: Pair<Self>;
    /// `log2 e`.
    const LOG2_E: Pair<Self>;
    /// `(2^r - 1 - r ln 2) / r^2` for `|r| <= 1/2`: `2^r - 1` to `2^-59.9` (`f64`), `2^-31.1` (`f32`).
    const EXP2: &'static [Self];

    /// `ln 2`; the high part has so few bits that its product with any exponent is exact.
    const OCTAVE: Pair<Self>;
    /// `2 log2 e`.
    const TWO_LOG2_E: Pair<Self>;
    /// `(atanh(s) / s - 1) / s^2` in `s^2`, for `|s| <= 3 - 2 sqrt 2`: `atanh s` to `2^-57.6`
    /// (`f64`), `2^-28.3` (`f32`).
    const ATANH: &'static [Self];
    /// `1/3`, the leading term of the same series.
    const THIRD: Pair<Self>;
    /// `((atanh(s) / s - 1) / s^2 - 1/3) / s^2` in `s^2`: `atanh s` to `2^-66` (`f64`), `2^-38` (`f32`).
    const ATANH_TAIL: &'static [Self];

    /// `value` in this type, for the numbers in formulae.
    fn literal(value: f64) -> Self;
    /// `self * 2^n`, with `n` as adding [`ROUND`](Self::ROUND) leaves it, for `|n|` below almost
    /// twice [`MAX_EXPONENT`](Self::MAX_EXPONENT). Only a subnormal result is rounded.
    fn scale(self, n: Self) -> Self;
    /// `2^(n-1)`, if that is a normal number or `n - 1` is the exponent just below them (then 0).
    fn half_power_of_two(n: Self) -> Self;
    /// `(k, f)` with `self = 2^k (1 + f)` and `1/sqrt 2 <= 1 + f < sqrt 2`, for a normal positive
    /// number; something meaningless for any other.
    fn split(self) -> (Self, Self);
    /// `(k, m, index)` with `self = 2^k m` and `1 <= m < 2`, and the four leading bits of the fraction
    /// as the last ones of `index`, for a normal positive number; something meaningless for any other.
    fn split_by_exponent(self) -> (Self, Self, Self);
    /// The last four bits.
    fn last_four_bits(self) -> usize;
    /// The bits moved by four places to lower ones.
    fn without_last_four_bits(self) -> Self;
}

macro_rules! layout {
    ($float:ident, $bits:ident) => {
        const MAX_EXPONENT: $float = $float::MAX_EXP as $float;
        const INTEGERS: $float = (1_u64 << ($float::MANTISSA_DIGITS - 1)) as $float;
        const DIGITS: $float = ($float::MANTISSA_DIGITS - 1) as $float;
        const ROUND: $float = 1.5 * Self::INTEGERS + 2.0 * (Self::MAX_EXPONENT - 1.0);
        const ROUND_TO_16THS: $float = 1.5 / 16.0 * Self::INTEGERS + 2.0 * (Self::MAX_EXPONENT - 1.0);

        #[inline(always)]
        fn literal(value: f64) -> Self {
            value as $float
        }

        #[inline(always)]
        fn scale(self, n: Self) -> Self {
            // Two factors, since 2^n itself may lie outside the range of exponents.
            let half = n.to_bits() >> 1;
            let rest = n.to_bits().wrapping_sub(half);
            let power = |biased: $bits| $float::from_bits(biased << ($float::MANTISSA_DIGITS - 1));
            self * power(half) * power(rest)
        }

        #[inline(always)]
        fn half_power_of_two(n: Self) -> Self {
            let biased = n.to_bits().wrapping_sub($float::MAX_EXP as $bits);
            $float::from_bits(biased << ($float::MANTISSA_DIGITS - 1))
        }

        #[inline(always)]
        fn split(self) -> (Self, Self) {
            const LOWEST: $bits = std::$float::consts::FRAC_1_SQRT_2.to_bits();
            const ONE: $bits = (1.0 as $float).to_bits();
            const INTEGERS: $float = <$float as Real>::INTEGERS;
            const FRACTION: $bits = (1 << ($float::MANTISSA_DIGITS - 1)) - 1;
            let shifted = self.to_bits().wrapping_add(ONE - LOWEST);
            // The exponent becomes the last bits of a number whose last bit is worth one.
            let biased = (shifted >> ($float::MANTISSA_DIGITS - 1)) | INTEGERS.to_bits();
            let k = $float::from_bits(biased) - (INTEGERS + (Self::MAX_EXPONENT - 1.0));
            (k, $float::from_bits((shifted & FRACTION) + LOWEST) - 1.0)
        }

        #[inline(always)]
        fn split_by_exponent(self) -> (Self, Self, Self) {
            const DIGITS: u32 = $float::MANTISSA_DIGITS - 1;
            const INTEGERS: $float = <$float as Real>::INTEGERS;
            let bits = self.to_bits();
            let k = $float::from_bits((bits >> DIGITS) | INTEGERS.to_bits());
            let k = k - (INTEGERS + (Self::MAX_EXPONENT - 1.0));
            let m = $float::from_bits((bits & ((1 << DIGITS) - 1)) | (1.0 as $float).to_bits());
            (k, m, $float::from_bits(bits >> (DIGITS - 4)))
        }

        #[inline(always)]
        fn last_four_bits(self) -> usize {
            (self.to_bits() & 15) as usize
        }

        #[inline(always)]
        fn without_last_four_bits(self) -> Self {
            $float::from_bits(self.to_bits() >> 4)
        }
    };
}

impl Real for f64 {
    layout!(f64, u64);

    const LN_2: Pair<f64> = (std::f64::consts::LN_2, 2.3190468138462996e-17);
    const LOG2_E: Pair<f64> = (std::f64::consts::LOG2_E, 2.0355273740931033e-17);
    const EXP2: &'static [f64] = &[
        2.5301919060324995e-11,
        4.4555848801616447e-10,
        7.055209307528658e-09,
        1.0178058654229804e-07,
        1.3215485963263096e-06,
        1.5252733837763079e-05,
        0.0001540353039440754,
        0.0013333558146410422,
        0.009618129107627927,
        0.05550410866482161,
        0.24022650695910072,
    ];

    const OCTAVE: Pair<f64> = (0.6931471805598903, 5.497923018708371e-14);
    const TWO_LOG2_E: Pair<f64> = (2.8853900817779268, 4.0710547481862066e-17);
    const ATANH: &'static [f64] = &[
        0.07308261679018713,
        0.07665858859193858,
        0.0909144456439093,
        0.11111105568864711,
        0.14285714312959136,
        0.19999999999949933,
        0.3333333333333335,
    ];
    const THIRD: Pair<f64> = (1.0 / 3.0, 1.850371707708594e-17);
    const ATANH_TAIL: &'static [f64] = &[
        0.05792412973992319,
        0.058607489052735835,
        0.06667065689024834,
        0.0769230504418773,
        0.09090909076725949,
        0.11111111111389504,
        0.14285714285713155,
        0.2,
    ];
}

impl Real for f32 {
    layout!(f32, u32);

    const LN_2: Pair<f32> = (std::f32::consts::LN_2, -1.9046542e-09);
    const LOG2_E: Pair<f32> = (std::f32::consts::LOG2_E, 1.925963e-08);
    const EXP2: &'static [f32] =
        &[1.5196616e-05, 1.5453873e-04, 0.0013333859, 0.009618083, 0.055504106, 0.2402265];

    const OCTAVE: Pair<f32> = (0.69314575, 1.4286068e-06);
    const TWO_LOG2_E: Pair<f32> = (2.88539, 3.851926e-08);
    const ATANH: &'static [f32] = &[0.14792919, 0.19994284, 0.33333343];
    const THIRD: Pair<f32> = (1.0 / 3.0, -9.934108e-09);
    const ATANH_TAIL: &'static [f32] = &[0.0943559, 0.11108793, 0.14285672, 0.2];
}
