use std::fmt::LowerExp;

use pulp::{Arch, Simd, WithSimd};

use super::Math;
use super::tables::Tables;

/// What the tests need of a type beyond [`Tables`].
trait Tested: Tables + LowerExp + Send + Sync {
    /// The name of the type in `reference.txt`.
    const NAME: &'static str;
    /// The exponents of the smallest and the largest power of two.
    const EXPONENTS: std::ops::RangeInclusive<i32>;
    /// The largest `k` with an exact `10^k`.
    const EXACT_POWERS_OF_TEN: i32;
    /// The number with these bits.
    fn from_hex(bits: &str) -> Self;
    /// How many representable numbers lie from `self` to `other`, of the same sign.
    fn steps_to(self, other: Self) -> u64;
    /// The value of a decimal number, correctly rounded.
    fn parse(text: &str) -> Self;
}

macro_rules! tested {
    ($float:ident, $bits:ident, $name:literal, $exponents:expr, $tens:literal) => {
        impl Tested for $float {
            const NAME: &'static str = $name;
            const EXPONENTS: std::ops::RangeInclusive<i32> = $exponents;
            const EXACT_POWERS_OF_TEN: i32 = $tens;
            fn from_hex(bits: &str) -> Self {
                $float::from_bits($bits::from_str_radix(bits, 16).unwrap())
            }
            fn steps_to(self, other: Self) -> u64 {
                u64::from(self.to_bits().abs_diff(other.to_bits()))
            }
            fn parse(text: &str) -> Self {
                text.parse().unwrap()
            }
        }
    };
}

tested!(f32, u32, "f32", -149..=127, 10);
tested!(f64, u64, "f64", -1074..=1023, 22);

/// A function of one argument, compiled for vectors as the elementwise kernels are.
trait Function: Copy {
    fn at<T: Tables>(self, x: T) -> T;
}

macro_rules! functions {
    ($($type:ident |$x:ident| $value:expr;)*) => {
        $(
            #[derive(Clone, Copy)]
            struct $type;
            impl Function for $type {
                #[inline(always)]
                fn at<T: Tables>(self, $x: T) -> T {
                    $value
                }
            }
        )*
    };
}

functions! {
    Exp |x| Math::exp(x);
    Exp2 |x| Math::exp2(x);
    Exp10 |x| Math::exp10(x);
    Expm1 |x| Math::expm1(x);
    Ln |x| Math::ln(x);
    Log2 |x| Math::log2(x);
    Log10 |x| Math::log10(x);
    Log1p |x| Math::log1p(x);
    PowOfItself |x| Math::pow(x, x);
}

struct Map<'a, T, F>(F, &'a [T], &'a mut [T]);

impl<T: Tables, F: Function> WithSimd for Map<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, &x) in self.2.iter_mut().zip(self.1) {
            *out = self.0.at(x);
        }
    }
}

fn vectorised<T: Tables, F: Function>(function: F, x: &[T]) -> Vec<T> {
    let mut out = vec![T::zero(); x.len()];
    Arch::new().dispatch(Map(function, x, &mut out));
    out
}

/// Whether two numbers are the same, zeros of either sign told apart.
fn same<T: Tables>(a: T, b: T) -> bool {
    (a.is_nan() && b.is_nan()) || (a == b && a.is_sign_negative() == b.is_sign_negative())
}

#[track_caller]
fn assert_same<T: Tested>(what: &str, value: T, expected: T) {
    assert!(same(value, expected), "{what} ({}): {value:e} instead of {expected:e}", T::NAME);
}

/// Against correctly rounded values, which an error below 1.5 units in the last place misses by one
/// representable number at most.
fn check_reference<T: Tested>() {
    let mut points = 0;
    for line in include_str!("reference.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (&[kind, function], numbers) = words.split_first_chunk().unwrap();
        if kind != T::NAME {
            continue;
        }
        let numbers: Vec<T> = numbers.iter().map(|bits| T::from_hex(bits)).collect();
        let x = numbers[0];
        let value = match function {
            "exp" => Math::exp(x),
            "exp2" => Math::exp2(x),
            "exp10" => Math::exp10(x),
            "expm1" => Math::expm1(x),
            "ln" => Math::ln(x),
            "log2" => Math::log2(x),
            "log10" => Math::log10(x),
            "log1p" => Math::log1p(x),
            "pow" => Math::pow(x, numbers[1]),
            _ => panic!("unknown function {function}"),
        };
        let expected = numbers[numbers.len() - 1];
        assert!(value.steps_to(expected) <= 1, "{line}: {value:e} instead of {expected:e}");
        points += 1;
    }
    assert_eq!(points, 900);
}

#[test]
fn values_are_within_one_step_of_the_nearest() {
    check_reference::<f64>();
    check_reference::<f32>();
}

/// One `f32` in 65 521, through all magnitudes, against the standard library in `f64`; errors are in
/// units of the last place of the result, where the largest over all of `f32` is 1.12 (`expm1`).
fn check_all_magnitudes<F: Function>(name: &str, function: F, exact: fn(f64) -> f64) {
    let x: Vec<f32> = (0..u32::MAX).step_by(65_521).map(f32::from_bits).collect();
    for (&x, y) in x.iter().zip(vectorised(function, &x)) {
        let expected = exact(f64::from(x));
        let rounded = expected as f32;
        if rounded == 0.0 || !rounded.is_finite() {
            assert_same(&format!("{name}({x:e})"), y, rounded);
        } else {
            let ulp = 2.0_f64.powi((rounded.abs().to_bits() >> 23).max(1) as i32 - 150);
            let error = (f64::from(y) - expected).abs() / ulp;
            assert!(error < 1.13, "{name}({x:e}): {y:e} is off by {error} units");
        }
    }
}

#[test]
fn single_precision_is_accurate_at_all_magnitudes() {
    check_all_magnitudes("exp", Exp, f64::exp);
    check_all_magnitudes("exp2", Exp2, f64::exp2);
    check_all_magnitudes("exp10", Exp10, |x| 10.0_f64.powf(x));
    check_all_magnitudes("expm1", Expm1, f64::exp_m1);
    check_all_magnitudes("ln", Ln, f64::ln);
    check_all_magnitudes("log2", Log2, f64::log2);
    check_all_magnitudes("log10", Log10, f64::log10);
    check_all_magnitudes("log1p", Log1p, f64::ln_1p);
}

fn check_exact<T: Tested>() {
    let number = |k: i32| T::literal(f64::from(k));
    for k in T::EXPONENTS {
        // 2^k by repeated exact multiplication.
        let step = T::literal(if k < 0 { 0.5 } else { 2.0 });
        let power = (0..k.abs()).fold(T::one(), |power, _| power * step);
        assert_same(&format!("exp2({k})"), Math::exp2(number(k)), power);
        assert_same(&format!("pow(2, {k})"), Math::pow(T::literal(2.0), number(k)), power);
        assert_same(&format!("log2(2^{k})"), Math::log2(power), number(k));
    }
    for k in 0..=T::EXACT_POWERS_OF_TEN {
        let power = T::parse(&format!("1e{k}"));
        assert_same(&format!("exp10({k})"), Math::exp10(number(k)), power);
        assert_same(&format!("pow(10, {k})"), Math::pow(T::literal(10.0), number(k)), power);
        assert_same(&format!("log10(10^{k})"), Math::log10(power), number(k));
    }
    for n in 1..=100 {
        let x = number(n);
        assert_same(&format!("pow({n}, 2)"), Math::pow(x, number(2)), x * x);
        assert_same(&format!("pow(-{n}, 3)"), Math::pow(-x, number(3)), -(x * x * x));
        assert_same(&format!("pow({n}^2, 0.5)"), Math::pow(x * x, T::literal(0.5)), x);
    }
}

#[test]
fn representable_results_are_exact() {
    check_exact::<f64>();
    check_exact::<f32>();
}

fn check_special_values<T: Tested>() {
    let (inf, nan, zero, one) = (T::infinity(), T::nan(), T::zero(), T::one());
    let tiny = T::min_positive_value() * T::epsilon();
    let large = T::max_value();
    for (what, value, expected) in [
        ("exp(0)", Math::exp(zero), one),
        ("exp(-0)", Math::exp(-zero), one),
        ("exp(tiny)", Math::exp(tiny), one),
        ("exp(inf)", Math::exp(inf), inf),
        ("exp(-inf)", Math::exp(-inf), zero),
        ("exp(large)", Math::exp(large), inf),
        ("exp(-large)", Math::exp(-large), zero),
        ("exp(nan)", Math::exp(nan), nan),
        ("exp2(inf)", Math::exp2(inf), inf),
        ("exp2(-inf)", Math::exp2(-inf), zero),
        ("exp2(large)", Math::exp2(large), inf),
        ("exp2(-large)", Math::exp2(-large), zero),
        ("exp2(nan)", Math::exp2(nan), nan),
        ("exp10(-0)", Math::exp10(-zero), one),
        ("exp10(inf)", Math::exp10(inf), inf),
        ("exp10(-inf)", Math::exp10(-inf), zero),
        ("exp10(large)", Math::exp10(large), inf),
        ("exp10(-large)", Math::exp10(-large), zero),
        ("exp10(nan)", Math::exp10(nan), nan),
        ("expm1(0)", Math::expm1(zero), zero),
        ("expm1(-0)", Math::expm1(-zero), -zero),
        ("expm1(tiny)", Math::expm1(tiny), tiny),
        ("expm1(-tiny)", Math::expm1(-tiny), -tiny),
        ("expm1(inf)", Math::expm1(inf), inf),
        ("expm1(-inf)", Math::expm1(-inf), -one),
        ("expm1(large)", Math::expm1(large), inf),
        ("expm1(-large)", Math::expm1(-large), -one),
        ("expm1(nan)", Math::expm1(nan), nan),
        ("log1p(0)", Math::log1p(zero), zero),
        ("log1p(-0)", Math::log1p(-zero), -zero),
        ("log1p(tiny)", Math::log1p(tiny), tiny),
        ("log1p(-tiny)", Math::log1p(-tiny), -tiny),
        ("log1p(-1)", Math::log1p(-one), -inf),
        ("log1p(-2)", Math::log1p(-one - one), nan),
        ("log1p(inf)", Math::log1p(inf), inf),
        ("log1p(-inf)", Math::log1p(-inf), nan),
        ("log1p(nan)", Math::log1p(nan), nan),
        // 1 + x is x for so large a number.
        ("log1p(large)", Math::log1p(large), Math::ln(large)),
    ] {
        assert_same(what, value, expected);
    }
    for (x, expected) in [
        (one, zero),
        (zero, -inf),
        (-zero, -inf),
        (-one, nan),
        (-tiny, nan),
        (inf, inf),
        (-inf, nan),
        (nan, nan),
    ] {
        assert_same(&format!("ln({x:e})"), Math::ln(x), expected);
        assert_same(&format!("log2({x:e})"), Math::log2(x), expected);
        assert_same(&format!("log10({x:e})"), Math::log10(x), expected);
    }
}

#[test]
fn special_values_are_those_of_the_standard() {
    check_special_values::<f64>();
    check_special_values::<f32>();
}

/// All pairs of numbers that section F.10.4.4 of C99 tells apart, by its own rules in its order.
fn check_special_powers<T: Tested>() {
    let literal = T::literal;
    let magnitudes = [
        T::zero(),
        T::min_positive_value() * T::epsilon(),
        literal(0.5),
        T::one() - T::epsilon(),
        T::one(),
        T::one() + T::epsilon(),
        literal(2.0),
        literal(2.5),
        literal(3.0),
        T::INTEGERS - T::one(),
        T::INTEGERS + T::one(),
        T::INTEGERS * literal(2.0),
        T::max_value(),
        T::infinity(),
        T::nan(),
    ];
    let numbers = || magnitudes.into_iter().flat_map(|a| [a, -a]);
    let finite = |a: T| a.abs() < T::infinity();
    for x in numbers() {
        for y in numbers() {
            let integer = finite(y) && y == y.trunc();
            let odd = integer && (y * literal(0.5)).trunc() != y * literal(0.5);
            let signed = |magnitude: T| if odd { magnitude.copysign(x) } else { magnitude };
            let grows = (x.abs() > T::one()) == (y > T::zero());
            let expected = if y == T::zero() || x == T::one() {
                T::one()
            } else if x.is_nan() || y.is_nan() {
                T::nan()
            } else if x == T::zero() || x.is_infinite() {
                signed(if grows { T::infinity() } else { T::zero() })
            } else if x == -T::one() && y.is_infinite() {
                T::one()
            } else if y.is_infinite() {
                if grows { T::infinity() } else { T::zero() }
            } else if x < T::zero() && !integer {
                T::nan()
            } else {
                // An ordinary power: its sign and its magnitude, which reference values check.
                signed(Math::pow(x.abs(), y))
            };
            assert_same(&format!("pow({x:e}, {y:e})"), Math::pow(x, y), expected);
        }
    }
}

#[test]
fn special_powers_are_those_of_the_standard() {
    check_special_powers::<f64>();
    check_special_powers::<f32>();
    // Magnitudes just below and above one, to the largest powers.
    assert_eq!(Math::pow(1.0 + f64::EPSILON, 1e300), f64::INFINITY);
    assert_eq!(Math::pow(1.0 - f64::EPSILON, 1e300), 0.0);
    assert_eq!(Math::pow(-1.0, 1e300), 1.0);
    assert_eq!(Math::pow(-1.0, 9_007_199_254_740_991.0), -1.0);
}

#[test]
fn results_reach_through_the_subnormal_numbers() {
    // The smallest number is 2^-1074 = e^-744.44; half of it, e^-745.13, rounds to zero.
    let smallest = f64::from_bits(1);
    assert_eq!(Math::exp(-745.0), smallest);
    assert_eq!(Math::exp(-745.2), 0.0);
    assert_eq!(Math::exp2(-1074.9), smallest);
    assert_eq!(Math::exp2(-1075.0), 0.0);
    assert_eq!(Math::exp10(-323.0), 2.0 * smallest);
    assert_eq!(Math::pow(0.5, 1074.0), smallest);
    assert_eq!(Math::ln(smallest), -744.4400719213812);
    // The largest number is below 2^1024 = e^709.7827...
    assert!(Math::exp(709.78_f64).is_finite());
    assert_eq!(Math::exp(709.79), f64::INFINITY);
    assert!(Math::expm1(709.78_f64).is_finite());
    assert_eq!(Math::expm1(709.79), f64::INFINITY);
}

fn check_vectors<T: Tested, F: Function>(function: F) {
    // Not a multiple of any vector's length, so that the loop's scalar end runs too.
    let x: Vec<T> = (0..1013).map(|i| T::literal(f64::from(i - 13) * 0.37)).collect();
    for (&x, y) in x.iter().zip(vectorised(function, &x)) {
        assert_same(&format!("f({x:e})"), y, function.at(x));
    }
}

#[test]
fn vectors_give_the_bits_that_scalars_give() {
    fn check<F: Function>(function: F) {
        check_vectors::<f64, F>(function);
        check_vectors::<f32, F>(function);
    }
    check(Exp);
    check(Exp2);
    check(Exp10);
    check(Expm1);
    check(Ln);
    check(Log2);
    check(Log10);
    check(Log1p);
    check(PowOfItself);
}

/// Numbers of all magnitudes and kinds, the ends of the table's cells among them.
fn arguments<T: Tested>() -> Vec<T> {
    let special = [T::zero(), T::one(), T::infinity(), T::nan(), T::max_value(), T::min_positive_value()];
    let cells = (0..=64).flat_map(|i| {
        let end = T::literal(0.5 + f64::from(i) / 32.0);
        [end, end - T::epsilon(), end + T::epsilon()]
    });
    let magnitudes = T::EXPONENTS.map(|k| T::literal(1.37) * Math::exp2(T::literal(f64::from(k))));
    let positive: Vec<T> = special.into_iter().chain(cells).chain(magnitudes).collect();
    positive.iter().flat_map(|&x| [x, -x]).collect()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn tables_give_the_same_bits_on_every_instruction_set() {
    use super::lanes::{Kernel, Lanes, Map, One};
    use super::tabulated;
    use pulp::x86::{V3, V4};

    fn check_lanes<T: Tested, L: Lanes<T> + Map<T> + Simd>(lanes: L, function: impl tabulated::Function) {
        let x = arguments::<T>();
        for length in (0..40).chain([x.len()]) {
            // The last ones, so that short lengths are not always the same numbers.
            let x = &x[x.len() - length..];
            let mut out = vec![T::zero(); length];
            Simd::vectorize(lanes, Kernel { lanes, function, x, out: &mut out });
            for (&x, &y) in x.iter().zip(&out) {
                assert_same(&format!("f({x:e})"), y, function.at(One, x));
            }
        }
    }

    fn check(function: impl tabulated::Function) {
        if let Some(simd) = V3::try_new() {
            check_lanes::<f64, _>(simd, function);
            check_lanes::<f32, _>(simd, function);
        }
        if let Some(simd) = V4::try_new() {
            check_lanes::<f64, _>(simd, function);
            check_lanes::<f32, _>(simd, function);
        }
    }
    check(tabulated::Exp);
    check(tabulated::Exp2);
    check(tabulated::Exp10);
    check(tabulated::Ln);
    check(tabulated::Log2);
    check(tabulated::Log10);
}

#[test]
fn many_at_once_give_what_each_gives() {
    fn check<T: Tested>() {
        let x = arguments::<T>();
        for (one, all) in [
            (Math::exp as fn(T) -> T, Math::exp_each as fn(&[T], &mut [T])),
            (Math::exp2, Math::exp2_each),
            (Math::exp10, Math::exp10_each),
            (Math::ln, Math::ln_each),
            (Math::log2, Math::log2_each),
            (Math::log10, Math::log10_each),
        ] {
            let mut out = vec![T::zero(); x.len()];
            all(&x, &mut out);
            for (&x, &y) in x.iter().zip(&out) {
                assert_same(&format!("f({x:e})"), y, one(x));
            }
            // One of a vector's numbers is special, whatever its place.
            let special = [T::zero(), -T::one(), T::infinity(), T::nan(), -T::nan(), T::neg_infinity()];
            let smallest = T::min_positive_value();
            let edges = [smallest, smallest / T::literal(2.0), -smallest, T::max_value(), -T::max_value()];
            for &special in special.iter().chain(&edges) {
                // Pairs of vectors, a vector, and single numbers.
                for place in 0..28 {
                    let mut x: Vec<T> = (0..28).map(|i| T::literal(0.3 * f64::from(i) + 0.1)).collect();
                    x[place] = special;
                    let mut out = vec![T::zero(); x.len()];
                    all(&x, &mut out);
                    for (&x, &y) in x.iter().zip(&out) {
                        assert_same(&format!("f({x:e}) beside {special:e}"), y, one(x));
                    }
                }
            }
        }
    }
    check::<f64>();
    check::<f32>();
}
