//! Two masks of a full frame that differ in 5,000 pixels, and what the normal equations take.

use array_api::{Array, Cpu};
use backdrop::design::{Design, DesignMatrix, Preset};
use backdrop::error::Result;
use backdrop::fit::FrameFitter;
use backdrop::geometry::Window;
use backdrop::mask::MASKED_SIGMA;
use backdrop::normal::NormalEquations;
use ndarray::Array2;

/// Rows and columns of a frame.
pub const SIZE: usize = 2048;

/// Pixels that the masks differ in: squares of 10 x 10, as asteroids pass.
pub const PIXELS: usize = 5000;

const CCD: u8 = 4;

/// The standard preset on a full frame, and two masks.
pub struct MaskChange {
    designs: [Design; 2],
    matrices: [DesignMatrix<Cpu>; 2],
    /// The first mask, true where a pixel is kept.
    pub before: Array2<bool>,
    /// The second one, without [`PIXELS`] more pixels.
    pub after: Array2<bool>,
    weights: Array<f64, Cpu>,
    pixels: Vec<(usize, usize)>,
    change: Array<f64, Cpu>,
}

impl MaskChange {
    /// Bases and masks.
    pub fn new() -> Result<Self> {
        let preset = Preset::default();
        let designs = [preset.design1(), preset.design2(preset.nknots())];
        let matrices = matrices(&designs)?;
        let keep = |(row, column)| (row / 10 * 31 + column / 10 * 17) % 11 > 1;
        let before = Array2::from_shape_fn((SIZE, SIZE), keep);
        let weights = before.mapv(|keep| if keep { 1.0 } else { 1.0 / MASKED_SIGMA });
        let pixels = squares(&before);
        let mut after = before.clone();
        pixels.iter().for_each(|&pixel| after[pixel] = false);
        let change = Array::full(&Cpu::new(), &[PIXELS], 1.0 / MASKED_SIGMA - 1.0)?;
        let weights = Array::from_ndarray(&Cpu::new(), &weights)?;
        Ok(Self { designs, matrices, before, after, weights, pixels, change })
    }

    /// The Gram matrices of the first mask, summed over all pixels.
    pub fn grams(&self) -> Result<[Array<f64, Cpu>; 2]> {
        let [a1, a2] = &self.matrices;
        Ok([a1.gram(&self.weights)?, a2.gram(&self.weights)?])
    }

    /// Those of the second mask, which follow from them.
    pub fn updated(&self, grams: &[Array<f64, Cpu>; 2]) -> Result<()> {
        for (design, gram) in self.designs.iter().zip(grams) {
            let rows = DesignMatrix::at_pixels(&Cpu::new(), design, CCD, &self.pixels)?;
            rows.weighted_gram_add(&self.change, &mut gram.copy()?)?;
        }
        Ok(())
    }

    /// Factors the normal equations of both designs.
    pub fn factors(&self, grams: [Array<f64, Cpu>; 2]) -> Result<()> {
        for (matrix, gram) in self.matrices.iter().zip(grams) {
            NormalEquations::new("the design", matrix, gram)?;
        }
        Ok(())
    }

    /// All set-up for the first mask: bases, Gram matrices and factors.
    pub fn fitter(&self) -> Result<FrameFitter<Cpu>> {
        FrameFitter::new(&Cpu::new(), matrices(&self.designs)?, &self.before)
    }
}

fn matrices(designs: &[Design; 2]) -> Result<[DesignMatrix<Cpu>; 2]> {
    DesignMatrix::several(&Cpu::new(), designs.each_ref(), &Window::cutout(CCD, SIZE)?)
}

/// The pixels of squares all over the frame that a mask keeps.
fn squares(keep: &Array2<bool>) -> Vec<(usize, usize)> {
    let squares = SIZE / 10;
    let corners = (0..).map(|i| (i * 79 % squares * 10, i * 83 % (squares - 1) * 10));
    let kept = corners.filter(|&corner| keep[corner]).take(PIXELS / 100);
    kept.flat_map(|(row, column)| (0..100).map(move |i| (row + i / 10, column + i % 10))).collect()
}
