//! The constants of logarithms and exponentials by tables.

use pulp::Arch;

use super::lanes::{Kernel, One};
use super::pair::Pair;
use super::real::Real;
use super::tabulated::Function;

/// Numbers for each value of the four leading bits of a fraction.
pub type Column<T> = [T; 16];

/// At most four columns that are looked up together.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Table<T, const COLUMNS: usize> {
    /// Two vector registers each of `f64` in AVX-512, one of `f32`.
    pub columns: [Column<T>; COLUMNS],
    /// Of `f64` the upper halves of each column, and behind them the lower ones of the last; those of the others are zero.
    /// AVX2 permutes eight halves at once, but no numbers across its vectors.
    pub halves: [Column<u32>; 4],
}

impl<const COLUMNS: usize> Table<f64, COLUMNS> {
    /// Columns all but the last of which have at most 21 bits a number.
    const fn of(columns: [Column<f64>; COLUMNS]) -> Self {
        let mut halves = [[0; 16]; 4];
        let mut entry = 0;
        while entry < 16 * COLUMNS {
            let (column, row) = (entry / 16, entry % 16);
            let bits = columns[column][row].to_bits();
            halves[column][row] = (bits >> 32) as u32;
            if column + 1 == COLUMNS {
                halves[COLUMNS][row] = bits as u32;
            } else {
                assert!(bits as u32 == 0, "a number that the table cannot hold");
            }
            entry += 1;
        }
        Self { columns, halves }
    }
}

impl<const COLUMNS: usize> Table<f32, COLUMNS> {
    const fn of(columns: [Column<f32>; COLUMNS]) -> Self {
        Self { columns, halves: [[0; 16]; 4] }
    }
}

/// Logarithms to a base `b`.
pub struct Logarithm<T: Tables> {
    /// `1 / ln b`.
    pub lead: T,
    /// `log_b 2`. The high part has so few bits that its product with any exponent is exact, and so
    /// is the sum of that and the high part of one of the logarithms in `table`.
    pub octave: Pair<T>,
    /// [`Tables::RECIPROCALS`], and `-log_b` of them: high parts of at most 21 bits, and low parts.
    pub table: Table<T, 3>,
    /// `(log_b(1 + t) - t / ln b) / t^2`.
    pub series: T::LogSeries,
}

/// Powers of a base `b`.
pub struct Exponential<T: Tables> {
    /// `log2 b`.
    pub octaves: T,
    /// `log_b 2`.
    pub octave: Pair<T>,
    /// `(b^r - 1) / r`.
    pub series: T::ExpSeries,
}

/// What logarithms and exponentials need to know of a floating point type.
///
/// Polynomials are minimax approximations in the relative sense, the coefficient of the highest
/// power first: `log_b(1 + t)` for `-1/32 <= t <= 1/16` to `2^-56.6` (`f64`), `2^-28.4` (`f32`);
/// `b^r` for `|r| <= log_b 2 / 32` to `2^-57.0` (`f64`), `2^-29.2` (`f32`).
pub trait Tables: Real {
    /// The coefficients of a logarithm: an array, so that loops over them end where the compiler knows it. A slice in a
    /// constant has its length in memory, and other crates' code, compiled for whole programs, reads it there.
    type LogSeries: AsRef<[Self]>;
    /// The coefficients of an exponential.
    type ExpSeries: AsRef<[Self]>;
    /// Numbers `c` of six bits such that `-1/32 <= c m - 1 <= 1/16` for `m` from `1 + i/16` to
    /// `1 + (i+1)/16`; for the first `i` it is 1, for the last 1/2, so that no bit of the logarithm is lost near one.
    const RECIPROCALS: Column<Self>;
    /// `2^(i/16)`: low parts, and high parts.
    const ROOTS: Table<Self, 2>;
    /// Natural logarithms.
    const LOG_E: Logarithm<Self>;
    /// Binary logarithms.
    const LOG_2: Logarithm<Self>;
    /// Decimal logarithms.
    const LOG_10: Logarithm<Self>;
    /// Powers of e.
    const EXP_E: Exponential<Self>;
    /// Powers of two.
    const EXP_2: Exponential<Self>;
    /// Powers of ten.
    const EXP_10: Exponential<Self>;

    /// Writes the function of each of `x` to `out`, with the widest vectors that there are.
    fn map<F: Function>(function: F, x: &[Self], out: &mut [Self]);
}

macro_rules! blocks {
    ($float:ident) => {
        fn map<F: Function>(function: F, x: &[$float], out: &mut [$float]) {
            match Arch::new() {
                #[cfg(target_arch = "x86_64")]
                Arch::V4(lanes) => pulp::Simd::vectorize(lanes, Kernel { lanes, function, x, out }),
                #[cfg(target_arch = "x86_64")]
                Arch::V3(lanes) => pulp::Simd::vectorize(lanes, Kernel { lanes, function, x, out }),
                arch => arch.dispatch(Kernel { lanes: One, function, x, out }),
            }
        }
    };
}

impl Tables for f64 {
    type LogSeries = [Self; 9];
    type ExpSeries = [Self; 6];

    blocks!(f64);

    const RECIPROCALS: Column<Self> = [
        1.0, 0.921875, 0.875, 0.828125, 0.78125, 0.75, 0.71875, 0.6875, 0.65625, 0.625, 0.609375, 0.578125,
        0.5625, 0.546875, 0.53125, 0.5,
    ];
    const ROOTS: Table<Self, 2> = Table::<Self, 2>::of([
        [
            0.0,
            8.551888157451752e-17,
            -3.0467828052296387e-17,
            8.91281419023273e-17,
            3.982015705094753e-17,
            4.65802740634249e-17,
            2.5382506934777584e-17,
            7.700948270728241e-17,
            -9.667292906131737e-17,
            -3.483994742822707e-17,
            7.949833020411156e-17,
            2.4707196682689293e-17,
            8.19900893766969e-17,
            2.9601419226373644e-17,
            3.2831076444915486e-17,
            -1.0619945567952728e-16,
        ],
        [
            1.0,
            1.0442737824274138,
            1.0905077326652577,
            1.1387886347566916,
            1.189207115002721,
            1.241857812073484,
            1.2968395546510096,
            1.3542555469368927,
            std::f64::consts::SQRT_2,
            1.4768261459394993,
            1.5422108254079407,
            1.6104903319492543,
            1.681792830507429,
            1.7562521603732995,
            1.8340080864093424,
            1.9152065613971474,
        ],
    ]);
    const LOG_E: Logarithm<Self> = Logarithm {
        lead: 1.0,
        octave: (0.6931471824645996, -1.904654299957768e-09),
        table: Table::<Self, 3>::of([
            Self::RECIPROCALS,
            [
                0.0,
                0.0813455581665039,
                0.1335315704345703,
                0.18859100341796875,
                0.24686002731323242,
                0.28768205642700195,
                0.33024168014526367,
                0.3746933937072754,
                0.42121362686157227,
                0.470003604888916,
                0.49532127380371094,
                0.5479650497436523,
                0.5753641128540039,
                0.6035351753234863,
                0.6325225830078125,
                0.6931471824645996,
            ],
            [
                0.0,
                8.128744849963734e-08,
                -1.7781004768935365e-07,
                1.6638958127235893e-07,
                5.061829337600964e-08,
                1.6024778974314217e-08,
                6.7253131844044075e-09,
                5.5734135302981986e-08,
                -1.6178526871503944e-07,
                2.4356819538025937e-08,
                1.6342631449155466e-07,
                1.209717950683853e-07,
                3.2049557948628435e-08,
                -1.5345322815132773e-07,
                -2.4264302033163373e-08,
                -1.904654299957768e-09,
            ],
        ]),
        series: [
            -0.08745036137201105,
            0.11071430974761659,
            -0.12501869628205178,
            0.14285819841082265,
            -0.16666666160141805,
            0.199999999278022,
            -0.2499999999986094,
            0.3333333333334755,
            -0.5000000000000002,
        ],
    };
    const LOG_2: Logarithm<Self> = Logarithm {
        lead: std::f64::consts::LOG2_E,
        octave: (1.0, 0.0),
        table: Table::<Self, 3>::of([
            Self::RECIPROCALS,
            [
                0.0,
                0.11735677719116211,
                0.19264507293701172,
                0.2720794677734375,
                0.3561439514160156,
                0.4150376319885254,
                0.476438045501709,
                0.5405683517456055,
                0.6076827049255371,
                0.6780719757080078,
                0.7145977020263672,
                0.7905464172363281,
                0.8300747871398926,
                0.8707170486450195,
                0.9125370979309082,
                1.0,
            ],
            [
                0.0,
                1.734469966318176e-07,
                5.005384173808031e-09,
                7.766336332071922e-08,
                -1.4119074032074064e-07,
                -1.3270968157207873e-07,
                -1.5587218566691482e-09,
                2.9617097275050637e-08,
                -1.2770429739827072e-07,
                -7.059537016037032e-08,
                7.911138447064945e-08,
                2.171347220931422e-07,
                2.1141779505896751e-07,
                -6.55899859865623e-08,
                6.081875238862094e-08,
                0.0,
            ],
        ]),
        series: [
            -0.1261642026753481,
            0.15972698562833107,
            -0.1803638531445196,
            0.20610081439762543,
            -0.24044916617388484,
            0.2885390071361986,
            -0.3606737602202346,
            0.48089834696319284,
            -0.721347520444482,
        ],
    };
    const LOG_10: Logarithm<Self> = Logarithm {
        lead: std::f64::consts::LOG10_E,
        octave: (0.30103015899658203, -1.6333260083603626e-07),
        table: Table::<Self, 3>::of([
            Self::RECIPROCALS,
            [
                0.0,
                0.035327911376953125,
                0.057991981506347656,
                0.08190393447875977,
                0.10721015930175781,
                0.12493896484375,
                0.14342212677001953,
                0.16272735595703125,
                0.18293046951293945,
                0.20412015914916992,
                0.21511554718017578,
                0.23797845840454102,
                0.2498774528503418,
                0.2621121406555176,
                0.2747011184692383,
                0.30103015899658203,
            ],
            [
                0.0,
                5.0964789856021776e-08,
                -3.4528660901321e-08,
                1.6990433836002444e-07,
                -1.8965388944600383e-07,
                -2.2823545004686755e-07,
                1.5532293565950917e-08,
                -5.845933150989524e-08,
                2.1407304725493645e-07,
                -1.7649324514102003e-07,
                -1.802227878164691e-07,
                -2.0848764884115102e-07,
                2.03662581093899e-08,
                -2.1102190604234103e-07,
                -6.152760623372148e-08,
                -1.6333260083603626e-07,
            ],
        ]),
        series: [
            -0.03797920938430969,
            0.04808261379111729,
            -0.05429492993003368,
            0.06204252726446017,
            -0.07238241145073245,
            0.0868588960670993,
            -0.10857362047520902,
            0.14476482730114568,
            -0.21714724095162602,
        ],
    };
    const EXP_E: Exponential<Self> = Exponential {
        octaves: std::f64::consts::LOG2_E,
        octave: (std::f64::consts::LN_2, 2.3190468138462996e-17),
        series: [
            0.0013889145088060192,
            0.008333496223231195,
            0.04166666665837738,
            0.16666666662846422,
            0.5000000000000008,
            1.0000000000000022,
        ],
    };
    const EXP_2: Exponential<Self> = Exponential {
        octaves: 1.0,
        octave: (1.0, 0.0),
        series: [
            0.0001540381453214559,
            0.0013333818774659398,
            0.00961812910571502,
            0.055504108652099225,
            0.2402265069591011,
            0.6931471805599468,
        ],
    };
    const EXP_10: Exponential<Self> = Exponential {
        octaves: std::f64::consts::LOG2_10,
        octave: (std::f64::consts::LOG10_2, -2.8037281277851704e-18),
        series: [
            0.20699966701274086,
            0.5393934723992109,
            1.1712551486792542,
            2.034678591827098,
            2.650949055239203,
            2.302585092994051,
        ],
    };
}

impl Tables for f32 {
    type LogSeries = [Self; 4];
    type ExpSeries = [Self; 3];

    blocks!(f32);

    const RECIPROCALS: Column<Self> = [
        1.0, 0.921875, 0.875, 0.828125, 0.78125, 0.75, 0.71875, 0.6875, 0.65625, 0.625, 0.609375, 0.578125,
        0.5625, 0.546875, 0.53125, 0.5,
    ];
    const ROOTS: Table<Self, 2> = Table::<Self, 2>::of([
        [
            0.0,
            4.83347e-08,
            -1.307754e-08,
            5.3862223e-08,
            3.7976353e-08,
            4.496838e-08,
            -4.0189995e-08,
            -1.0123349e-08,
            2.4203235e-08,
            -4.500899e-08,
            8.070905e-09,
            9.836217e-09,
            -2.4755327e-08,
            -9.23577e-09,
            -1.1239278e-08,
            9.845328e-09,
        ],
        [
            1.0,
            1.0442737,
            1.0905077,
            1.1387886,
            1.1892071,
            1.2418578,
            1.2968396,
            1.3542556,
            std::f32::consts::SQRT_2,
            1.4768262,
            1.5422108,
            1.6104903,
            1.6817929,
            1.7562522,
            1.8340081,
            1.9152066,
        ],
    ]);
    const LOG_E: Logarithm<Self> = Logarithm {
        lead: 1.0,
        octave: (0.69314575, 1.4286068e-06),
        table: Table::<Self, 3>::of([
            Self::RECIPROCALS,
            [
                0.0, 0.08135986, 0.13354492, 0.18859863, 0.24685669, 0.2876892, 0.3302307, 0.37469482,
                0.4212036, 0.47000122, 0.4953308, 0.54797363, 0.5753784, 0.60354614, 0.6325073, 0.69314575,
            ],
            [
                0.0,
                -1.4223828e-05,
                -1.352925e-05,
                -7.4630047e-06,
                3.3884785e-06,
                -7.1365325e-06,
                1.097398e-05,
                -1.3747773e-06,
                9.851795e-06,
                2.4085425e-06,
                -9.373317e-06,
                -8.462097e-06,
                -1.4273065e-05,
                -1.1120708e-05,
                1.5234525e-05,
                1.4286068e-06,
            ],
        ]),
        series: [0.1885523, -0.2500667, 0.33334446, -0.5],
    };
    const LOG_2: Logarithm<Self> = Logarithm {
        lead: std::f32::consts::LOG2_E,
        octave: (1.0, 0.0),
        table: Table::<Self, 3>::of([
            Self::RECIPROCALS,
            [
                0.0,
                0.117370605,
                0.19265747,
                0.27209473,
                0.35614014,
                0.41503906,
                0.47644043,
                0.54055786,
                0.60769653,
                0.67807007,
                0.7145996,
                0.79055786,
                0.8300781,
                0.87072754,
                0.9125366,
                1.0,
            ],
            [
                0.0,
                -1.3654831e-05,
                -1.2392761e-05,
                -1.51811255e-05,
                3.6735066e-06,
                -1.5632212e-06,
                -2.3857444e-06,
                1.0520034e-05,
                -1.3955982e-05,
                1.8367533e-06,
                -1.8282373e-06,
                -1.1226957e-05,
                -3.1264424e-06,
                -1.05560075e-05,
                5.376559e-07,
                0.0,
            ],
        ]),
        series: [0.27202347, -0.36077, 0.4809144, -0.7213475],
    };
    const LOG_10: Logarithm<Self> = Logarithm {
        lead: std::f32::consts::LOG10_E,
        octave: (0.3010254, 4.605039e-06),
        table: Table::<Self, 3>::of([
            Self::RECIPROCALS,
            [
                0.0,
                0.035339355,
                0.0579834,
                0.08190918,
                0.10720825,
                0.124938965,
                0.14343262,
                0.16271973,
                0.18292236,
                0.20413208,
                0.21511841,
                0.23797607,
                0.24987793,
                0.26211548,
                0.27468872,
                0.3010254,
            ],
            [
                0.0,
                -1.1393127e-05,
                8.54854e-06,
                -5.075304e-06,
                1.7176948e-06,
                -2.2823545e-07,
                -1.0474885e-05,
                7.5709354e-06,
                8.320305e-06,
                -1.2097422e-05,
                -3.0412457e-06,
                2.1756982e-06,
                -4.564709e-07,
                -3.548882e-06,
                1.2336239e-05,
                4.605039e-06,
            ],
        ]),
        series: [0.08188723, -0.10860258, 0.14476967, -0.21714725],
    };
    const EXP_E: Exponential<Self> = Exponential {
        octaves: std::f32::consts::LOG2_E,
        octave: (std::f32::consts::LN_2, -1.9046542e-09),
        series: [0.16667219, 0.5000162, 1.0],
    };
    const EXP_2: Exponential<Self> = Exponential {
        octaves: 1.0,
        octave: (1.0, 0.0),
        series: [0.05550595, 0.24023429, std::f32::consts::LN_2],
    };
    const EXP_10: Exponential<Self> = Exponential {
        octaves: std::f32::consts::LOG2_10,
        octave: (std::f32::consts::LOG10_2, -1.4320989e-08),
        series: [2.034746, 2.6510348, std::f32::consts::LN_10],
    };
}
