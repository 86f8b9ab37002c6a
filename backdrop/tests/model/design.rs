//! Structured operators against the plain dense definition, and windows against one another.

use array_api::{Array, Backend, Cpu};
use backdrop::design::{Block, Design, DesignMatrix, Preset};
use backdrop::geometry::Window;
use ndarray::{Array1, Array2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Random rows or columns of a CCD, in any order, some of them straps and edges.
fn pick(rng: &mut ChaCha8Rng, count: usize) -> Vec<usize> {
    (0..count)
        .map(|i| match i {
            0 => 0,
            1 => 2047,
            2 => usize::from(backdrop::straps::STRAP_COLUMNS[rng.random_range(0..100)]) - 1,
            _ => rng.random_range(0..2048),
        })
        .collect()
}

fn designs() -> Vec<Design> {
    let mut designs = Vec::new();
    for preset in [Preset::Standard, Preset::Classic] {
        designs.push(preset.design1());
        designs.push(preset.design2(preset.nknots()));
    }
    for degree in [1, 3, 4] {
        designs.push(
            Block::spline(6).degree(degree)
                + Block::radial_spline(9).degree(degree)
                + Block::radial(3)
                + Block::strap(3)
                + Block::cartesian(2),
        );
    }
    designs
}

/// Largest difference, relative to the largest value that the sum could have had: sums of many
/// terms lose that much to rounding in any order.
fn worst(found: &[f64], expected: &[f64], scale: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = scale.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    found.iter().zip(expected).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max)
}

fn to_vec<B: Backend>(array: &Array<f64, B>) -> Vec<f64> {
    array.to_vec().expect("a download")
}

#[test]
fn products_and_gram_equal_the_dense_definition() {
    let xp = Cpu::new();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (i, design) in designs().iter().enumerate() {
        for ccd in 1..=4 {
            let window = Window::new(ccd, pick(&mut rng, 5 + i), pick(&mut rng, 9)).expect("a window");
            let (rows, columns) = window.shape();
            let a = super::common::dense(design, &window);
            let size = a.mapv(f64::abs);
            let matrix = DesignMatrix::new(&xp, design, &window).expect("a design");

            let frames = 3;
            let w = Array2::from_shape_simple_fn((frames, a.ncols()), || rng.random_range(-1.0..1.0));
            let images = matrix.dot(&Array::from_ndarray(&xp, &w).expect("weights")).expect("images");
            let expected = w.dot(&a.t());
            let scale = w.mapv(f64::abs).dot(&size.t());
            let error = worst(
                &to_vec(&images),
                &expected.into_raw_vec_and_offset().0,
                &scale.into_raw_vec_and_offset().0,
            );
            assert!(error < 1e-13, "{design} on CCD {ccd}: A w is off by {error:e}");

            let f = Array2::from_shape_simple_fn((frames, rows * columns), || rng.random_range(-1e3..1e3));
            let stack = Array::from_ndarray(&xp, &f)
                .and_then(|f| f.reshape(&[frames, rows, columns]))
                .expect("images");
            let projected = matrix.project(&stack).expect("a projection");
            let scale = f.mapv(f64::abs).dot(&size);
            let error = worst(
                &to_vec(&projected),
                &f.dot(&a).into_raw_vec_and_offset().0,
                &scale.into_raw_vec_and_offset().0,
            );
            assert!(error < 1e-13, "{design} on CCD {ccd}: A^T f is off by {error:e}");

            let s = Array1::from_shape_simple_fn(rows * columns, || rng.random_range(0.0..1.0));
            let weights =
                Array::from_ndarray(&xp, &s).and_then(|s| s.reshape(&[rows, columns])).expect("weights");
            let gram = matrix.gram(&weights).expect("a Gram matrix");
            let weighted = &a * &s.insert_axis(Axis(1));
            let expected = a.t().dot(&weighted);
            let scale = size.t().dot(&weighted.mapv(f64::abs));
            let error = worst(
                &to_vec(&gram),
                &expected.into_raw_vec_and_offset().0,
                &scale.into_raw_vec_and_offset().0,
            );
            assert!(error < 1e-13, "{design} on CCD {ccd}: the Gram matrix is off by {error:e}");
        }
    }
}

#[test]
fn a_window_has_the_bits_of_the_whole() {
    let xp = Cpu::new();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for design in designs() {
        let whole = Window::cutout(4, 2048).expect("a CCD");
        let w = Array2::from_shape_simple_fn((1, design.columns()), || rng.random_range(-1.0..1.0));
        let w = Array::from_ndarray(&xp, &w).expect("weights");
        let image =
            to_vec(&DesignMatrix::new(&xp, &design, &whole).and_then(|a| a.dot(&w)).expect("an image"));
        let (rows, columns) = (pick(&mut rng, 40), pick(&mut rng, 50));
        let window = Window::new(4, rows.clone(), columns.clone()).expect("a window");
        let part =
            to_vec(&DesignMatrix::new(&xp, &design, &window).and_then(|a| a.dot(&w)).expect("an image"));
        let same = rows
            .iter()
            .flat_map(|row| columns.iter().map(move |column| row * 2048 + column))
            .zip(&part)
            .all(|(pixel, value)| image[pixel].to_bits() == value.to_bits());
        assert!(same, "{design}");
    }
}

#[test]
fn splines_sum_to_one_to_the_edges() {
    let xp = Cpu::new();
    for ccd in 1..=4 {
        let window = Window::new(ccd, vec![0, 1, 1000, 2047], vec![0, 1, 1000, 2047]).expect("a window");
        for block in [Block::spline(50), Block::radial_spline(60), Block::spline(7).degree(5)] {
            let matrix = DesignMatrix::new(&xp, &Design::from(block), &window).expect("a design");
            let ones = Array::ones(&xp, &[1, matrix.columns()]).expect("weights");
            for value in to_vec(&matrix.dot(&ones).expect("an image")) {
                assert!((value - 1.0).abs() < 1e-13, "{block} on CCD {ccd}: {value}");
            }
        }
    }
}

#[test]
fn each_ccd_has_its_boresight_corner() {
    let xp = Cpu::new();
    for (ccd, column) in [(1, 2047), (2, 0), (3, 2047), (4, 0)] {
        let r = |row: usize, column: usize| {
            Window::new(ccd, vec![row], vec![column]).and_then(|w| w.r(&xp)).expect("r").item().expect("r")
        };
        assert!(r(2047, column) <= 1.0 / 2048.0, "CCD {ccd}");
        assert!(r(0, 2047 - column) > 0.999, "CCD {ccd}");
    }
}

#[test]
fn impossible_designs_say_which_block() {
    let window = Window::cutout(1, 8).expect("a window");
    for block in [Block::cartesian(0), Block::radial(40), Block::spline(1), Block::spline(9).degree(0)] {
        let error = DesignMatrix::new(&Cpu::new(), &Design::from(block), &window).err().expect("an error");
        assert!(error.to_string().starts_with(&block.basis.to_string()), "{error}");
    }
}
