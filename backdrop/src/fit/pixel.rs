//! What becomes of a pixel before anything is fitted to it.

use array_api::ops::{PARAMETERS, Unary};

/// The flux in electrons/s that replaces what is not positive before the logarithm is taken.
pub const FLOOR: f64 = 1e-5;

/// A pixel's flux; [`FLOOR`] where it has less or no value. Pixels without one have the weight of masked ones, so that any
/// number will do.
#[derive(Debug, Clone, Copy)]
pub struct Floored;

impl Unary<f32> for Floored {
    type Out = f32;
    #[inline(always)]
    fn apply(&self, flux: f32) -> f32 {
        if flux > FLOOR as f32 && flux < f32::INFINITY { flux } else { FLOOR as f32 }
    }
    fn cuda() -> String {
        "return x > p[0] && x < highest<T>() ? x : p[0];".into()
    }
    fn parameters(&self) -> [f32; PARAMETERS] {
        [FLOOR as f32; PARAMETERS]
    }
}

/// Whether a pixel has a value, and it is not positive.
#[derive(Debug, Clone, Copy)]
pub struct NonPositive;

impl Unary<f32> for NonPositive {
    type Out = bool;
    #[inline(always)]
    fn apply(&self, flux: f32) -> bool {
        flux <= 0.0 && flux > f32::NEG_INFINITY
    }
    fn cuda() -> String {
        "return x <= (T)0 && x > lowest<T>();".into()
    }
}
