//! Which colours stand for which values.

use colorous::Gradient;
use plotters::style::RGBColor;

use super::BLANK;

/// The number of colours of a scale: few enough that an image, or a film of images with its text,
/// needs no more than the 256 that a palette has; odd, so that there is one in the middle.
const COLOURS: usize = 201;

/// Colours for the values from one number to another; what is beyond has the colour of the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f32,
    high: f32,
    gradient: Gradient,
    /// Whether the gradient's last colour stands for the lowest value.
    reversed: bool,
}

impl Scale {
    /// From dark to bright; told apart in grey and by colour-blind readers, too.
    pub(crate) fn brightness(low: f32, high: f32) -> Self {
        Self { low, high, gradient: colorous::VIRIDIS, reversed: false }
    }

    /// Blue below zero, white at zero, red above.
    pub(crate) fn difference(largest: f32) -> Self {
        Self { low: -largest, high: largest, gradient: colorous::RED_BLUE, reversed: true }
    }

    /// The values at both ends.
    pub(crate) fn ends(&self) -> (f32, f32) {
        (self.low, self.high)
    }

    /// The colour of a value; NaN is grey.
    pub(crate) fn colour(&self, value: f32) -> RGBColor {
        if !value.is_finite() {
            return BLANK;
        }
        let along = f64::from((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.step((along * (COLOURS - 1) as f64).round() as usize)
    }

    /// All colours, that of the lowest value first, and grey.
    pub(crate) fn colours(&self) -> impl Iterator<Item = RGBColor> {
        (0..COLOURS).map(|step| self.step(step)).chain([BLANK])
    }

    fn step(&self, step: usize) -> RGBColor {
        let along = step as f64 / (COLOURS - 1) as f64;
        let colour = self.gradient.eval_continuous(if self.reversed { 1.0 - along } else { along });
        RGBColor(colour.r, colour.g, colour.b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_white_and_the_ends_are_blue_and_red() {
        let scale = Scale::difference(2.0);
        let RGBColor(r, g, b) = scale.colour(0.0);
        assert!(r > 235 && g > 235 && b > 235);
        let RGBColor(r, _, b) = scale.colour(-5.0);
        assert!(b > r);
        let RGBColor(r, _, b) = scale.colour(5.0);
        assert!(r > b);
        assert_eq!(scale.colour(f32::NAN), BLANK);
    }

    #[test]
    fn every_colour_is_one_of_the_scale() {
        let scale = Scale::brightness(-3.0, 7.0);
        let colours: Vec<_> = scale.colours().collect();
        assert_eq!(colours.len(), COLOURS + 1);
        assert_eq!(scale.colour(-3.0), colours[0]);
        assert_eq!(scale.colour(7.0), colours[COLOURS - 1]);
        assert!((0..1000).all(|i| colours.contains(&scale.colour(i as f32 * 0.01 - 3.0))));
    }
}
