use array_api::{Array, Cpu};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::{Block, Design, DesignMatrix, Preset};
use super::{Smooth, SmoothSums, cells};
use crate::geometry::Window;
use crate::mask;

/// What falls off by less than a factor of ten over the CCD, about as real light does.
fn weights(design: &Design, frames: usize, steepness: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut weights = Vec::new();
    for _ in 0..frames {
        for block in design.blocks() {
            let count = block.columns();
            let slope = rng.random_range(-0.5..0.5);
            weights.extend((0..count).map(|i| match block.basis {
                super::Basis::RadialSpline { .. } => {
                    1.0 + steepness
                        * (slope * (i as f64 / count as f64).powi(2) + rng.random_range(-1e-3..1e-3))
                }
                _ => steepness * rng.random_range(-0.1..0.1),
            }));
        }
    }
    weights
}

/// The sums pixel by pixel, and how large they would be were all functions positive.
fn plain(
    designs: [&Design; 2],
    window: &Window,
    keep: &Array2<bool>,
    w: &Array<f64, Cpu>,
) -> (Vec<f64>, Vec<f64>) {
    let [a1, a2] = DesignMatrix::several(&Cpu::new(), designs, window).unwrap();
    let (rows, columns) = window.shape();
    let light = a1.dot(w).unwrap().to_vec().unwrap();
    let (mut sums, mut sizes) = (Vec::new(), Vec::new());
    for log in light.chunks(rows * columns) {
        let light: Vec<f64> =
            log.iter().zip(keep).map(|(log, &keep)| 10.0_f64.powf(*log) * mask::weight(keep)).collect();
        let ones = Array::eye(&Cpu::new(), designs[1].columns(), None, 0).unwrap();
        for function in 0..designs[1].columns() {
            let one = ones.slice(array_api::s![function..function + 1]).unwrap();
            let image = a2.dot(&one).unwrap().to_vec().unwrap();
            let terms = image.iter().zip(&light).map(|(a, light)| a * light);
            let (sum, size) =
                terms.fold((0.0, 0.0), |(sum, size), term: f64| (sum + term, size + term.abs()));
            sums.push(sum);
            sizes.push(size);
        }
    }
    (sums, sizes)
}

fn windows() -> Vec<Window> {
    let scattered = |start: usize| (start..start + 70).filter(|i| i % 7 != 3).collect::<Vec<_>>();
    let mut backwards = scattered(900);
    backwards.reverse();
    vec![
        Window::cutout(1, 64).unwrap(),
        Window::new(2, (1990..2048).collect(), (0..61).collect()).unwrap(),
        Window::new(3, scattered(1200), backwards).unwrap(),
        Window::new(4, (700..760).collect(), scattered(70)).unwrap(),
    ]
}

#[test]
fn they_are_those_over_the_pixels() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let standard = [Preset::Standard.design1(), Preset::Standard.design2(12)];
    let other = [
        Block::radial(4) + Block::radial_spline(9).degree(1) + Block::cartesian(3),
        Block::cartesian(3) + Block::radial(5) + Block::spline(5).degree(3) + Block::strap(1),
    ];
    for window in windows() {
        let shape = window.shape();
        let keep = Array2::from_shape_fn(shape, |_| rng.random_bool(0.7));
        for (designs, frames) in [(&standard, 2), (&other, 1)] {
            let designs = designs.each_ref();
            let w = weights(designs[0], frames, 1.0, &mut rng);
            let w = Array::from_vec(&Cpu::new(), w, &[frames, designs[0].columns()]).unwrap();
            // However few pixels there are.
            let smooth = Smooth::new(designs[0]).unwrap().expect("a smooth design");
            let cells = cells(&window, &smooth.rings());
            let sums = SmoothSums::over(&Cpu::new(), (&smooth, designs[1]), &window, &keep, &cells).unwrap();
            let (found, resolved) = sums.of(&w).unwrap();
            assert!(resolved.iter().all(|&resolved| resolved), "{designs:?}");
            let (plain, sizes) = plain(designs, &window, &keep, &w);
            let found = found.to_vec().unwrap();
            assert_eq!(found.len(), plain.len());
            for (i, ((found, plain), size)) in found.iter().zip(&plain).zip(&sizes).enumerate() {
                // Less than the highest coefficients allow for: this light is gentle.
                assert!((found - plain).abs() <= 1e-12 * size, "{i}: {found} instead of {plain} of {size}");
            }
        }
    }
}

#[test]
fn light_that_polynomials_do_not_follow_is_named() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let designs = [&Preset::Standard.design1(), &Preset::Standard.design2(5)];
    let window = Window::cutout(3, 96).unwrap();
    let keep = Array2::from_elem(window.shape(), true);
    let sums = SmoothSums::new(&Cpu::new(), designs, &window, &keep).unwrap().expect("enough pixels");
    let n = designs[0].columns();
    let mut w = weights(designs[0], 1, 1.0, &mut rng);
    w.extend((0..n).map(|i| if i % 2 == 0 { 40.0 } else { -40.0 }));
    w.extend(vec![f64::NAN; n]);
    w.extend(vec![1e3; n]);
    let w = Array::from_vec(&Cpu::new(), w, &[4, n]).unwrap();
    assert_eq!(sums.of(&w).unwrap().1, [true, false, false, false]);
}

#[test]
fn designs_that_are_not_smooth_and_small_windows_are_left_to_the_pixels() {
    let smooth = Design::from(Block::radial_spline(5));
    let window = |size| Window::cutout(2, size).unwrap();
    let made = |design: &Design, size: usize| {
        let keep = Array2::from_elem((size, size), true);
        SmoothSums::new(&Cpu::new(), [design, &smooth], &window(size), &keep).unwrap().is_some()
    };
    assert!(made(&smooth, 96));
    assert!(!made(&smooth, 8));
    assert!(!made(&(Block::radial_spline(5) + Block::spline(4)), 96));
    assert!(!made(&(Block::radial_spline(5) + Block::restricted_strap(1)), 96));
}
