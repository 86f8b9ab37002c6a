//! What another mask takes: the Gram matrices of both designs and their factors, at full size.

use std::time::Instant;

use array_api::{Array, Cpu};
use backdrop::design::{DesignMatrix, Preset};
use backdrop::fit::FrameFitter;
use backdrop::geometry::Window;
use backdrop::mask::MASKED_SIGMA;
use backdrop::normal::NormalEquations;
use ndarray::Array2;

use crate::Bench;
use crate::common::Result;
use crate::report::{Aim, Row, median};

const SIZE: usize = 2048;

const CCD: u8 = 4;

/// Squares of 10 x 10 pixels that are masked anew, as by asteroids: 5,000 pixels in all.
const SQUARES: usize = 50;

/// Measures a change of 5,000 pixels.
pub fn measure(bench: &Bench) -> Result<()> {
    if !bench.wants("mask", "mask change") {
        return Ok(());
    }
    let xp = Cpu::new();
    let window = Window::cutout(CCD, SIZE)?;
    let preset = Preset::default();
    let designs = [preset.design1(), preset.design2(preset.nknots())];
    let matrices = DesignMatrix::several(&xp, designs.each_ref(), &window)?;
    let keep =
        Array2::from_shape_fn((SIZE, SIZE), |(row, column)| (row / 10 * 31 + column / 10 * 17) % 11 > 1);
    let weights = keep.mapv(|keep| if keep { 1.0 } else { 1.0 / MASKED_SIGMA });
    let weights = Array::from_ndarray(&xp, &weights)?;
    let pixels = squares(&keep);
    let mut changed = keep.clone();
    pixels.iter().for_each(|&pixel| changed[pixel] = false);
    let change = Array::full(&xp, &[pixels.len()], 1.0 / MASKED_SIGMA - 1.0)?;
    let mut fitter = FrameFitter::new(&xp, DesignMatrix::several(&xp, designs.each_ref(), &window)?, &keep)?;
    // The Gram matrices that changes begin with are made when the first one comes.
    fitter.set_mask(&changed)?;

    let [mut full, mut update, mut factor, mut total] = [const { Vec::new() }; 4];
    for _ in 0..bench.rounds {
        let start = Instant::now();
        let grams = matrices.each_ref().map(|matrix| matrix.gram(&weights));
        full.push(start.elapsed().as_secs_f64());
        let [gram1, gram2] = grams;
        let grams = [gram1?, gram2?];

        let start = Instant::now();
        for (design, gram) in designs.iter().zip(&grams) {
            let mut sum = DesignMatrix::at_pixels(&xp, design, CCD, &pixels)?.weighted_gram(&change)?;
            sum.add_assign(gram)?;
        }
        update.push(start.elapsed().as_secs_f64());

        let start = Instant::now();
        for (matrix, gram) in matrices.iter().zip(grams) {
            NormalEquations::new("the design", matrix, gram)?;
        }
        factor.push(start.elapsed().as_secs_f64());

        let start = Instant::now();
        fitter.set_mask(&changed)?;
        total.push(start.elapsed().as_secs_f64());
    }
    let (full, factor) = (median(full), median(factor));
    let row =
        |name: String, ours: f64, other: f64, aim: Aim| Row { name, ours, other: Some(other), aim }.print();
    let count = pixels.len();
    row(
        format!("mask change, Gram of {count} pixels / full Gram"),
        median(update),
        full,
        Aim::Times(0.1, 0.1),
    );
    let most = 0.1 * full + factor;
    row("mask change in all / 0.1 full Gram and a factor".into(), median(total), most, Aim::Times(1.0, 1.0));
    Ok(())
}

/// The pixels of squares all over the image that a mask keeps.
fn squares(keep: &Array2<bool>) -> Vec<(usize, usize)> {
    let corners = (0..).map(|i| (i * 7919 % (SIZE / 10) * 10, i * 104_729 % (SIZE / 10) * 10));
    let kept = corners.filter(|&corner| keep[corner]).take(SQUARES);
    kept.flat_map(|(row, column)| (0..100).map(move |i| (row + i / 10, column + i % 10))).collect()
}
