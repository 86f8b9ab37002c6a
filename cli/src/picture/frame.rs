//! One frame: data, background model and residual.

use backdrop::file::Model;

use super::panels::{Content, Panel, Panels, SIDE};
use super::scale::Scale;

/// A frame with what is to be shown of it, all of the shape of the model.
#[derive(Debug)]
pub(crate) struct FrameView {
    shape: (usize, usize),
    background: Vec<f32>,
    brightness: Scale,
    data: Option<Data>,
}

#[derive(Debug)]
struct Data {
    pixels: Vec<f32>,
    residual: Vec<f32>,
    difference: Scale,
    /// What the residual is.
    subtitle: String,
}

impl FrameView {
    /// The background of a frame and, where there are some, its data, both in electrons/s.
    pub(crate) fn new(model: &Model, background: Vec<f32>, data: Option<Vec<f32>>) -> Self {
        let clean: Vec<bool> =
            model.star_mask.iter().zip(&model.saturation_mask).map(|(&star, &kept)| star && kept).collect();
        // One scale for data and model, so that they can be compared: that of the background, which
        // stars are beyond.
        let (mut low, mut high) = (percentile(&background, 0.001), percentile(&background, 0.999));
        if let Some(data) = &data {
            let sky: Vec<f32> =
                data.iter().zip(&clean).filter(|&(_, clean)| *clean).map(|(&value, _)| value).collect();
            low = low.min(percentile(&sky, 0.01));
            high = high.max(percentile(&sky, 0.95));
        }
        let data = data.map(|pixels| {
            let residual: Vec<f32> = (pixels.iter().zip(&model.average_frame).zip(&background).zip(&clean))
                .map(
                    |(((data, average), background), &clean)| {
                        if clean { data - *average as f32 - background } else { f32::NAN }
                    },
                )
                .collect();
            let sizes: Vec<f32> = residual.iter().map(|value| value.abs()).collect();
            let difference = Scale::difference(percentile(&sizes, 0.98).ceil().max(1.0));
            let average_used = model.average_frame.iter().any(|&value| value != 0.0);
            let left = if average_used { "data less stars and model" } else { "data less model" };
            Data { pixels, residual, difference, subtitle: format!("{left}; grey: not fitted") }
        });
        Self { shape: model.shape, background, brightness: rounded(low, high), data }
    }

    /// The panels: data, model and residual, or the model alone.
    pub(crate) fn panels(&self, caption: [String; 2]) -> Panels<'_> {
        let panel = |title, subtitle, pixels, scale| Panel {
            title,
            subtitle,
            shape: self.shape,
            content: Content::Values { pixels, columns: self.shape.1, scale },
        };
        let fitted = self.background.iter().any(|value| value.is_finite());
        let model_is = match (fitted, &self.data) {
            (false, _) => "this frame was not fitted",
            (true, Some(_)) => "on the same scale as the data",
            (true, None) => "10^(A1 w1) + A2 w2",
        };
        let background = panel("Background model", model_is, &self.background, self.brightness);
        let panels = match &self.data {
            None => vec![background],
            Some(Data { pixels, residual, difference, subtitle }) => vec![
                panel("Data", "stars on scattered light", pixels, self.brightness),
                background,
                panel(
                    "Residual",
                    if fitted { subtitle } else { "none without a model" },
                    residual,
                    *difference,
                ),
            ],
        };
        Panels { caption, side: SIDE, panels }
    }
}

/// A scale of brightness from and to numbers that are easily read.
pub(super) fn rounded(low: f32, high: f32) -> Scale {
    if !(low.is_finite() && high.is_finite()) {
        return Scale::brightness(0.0, 1.0);
    }
    // A fiftieth of the range, rounded up to a power of ten; a flat image has a range as well.
    let step = 10_f32.powf(((high - low).max(1e-3 * high.abs()).max(1e-3) / 50.0).log10().ceil());
    let (low, high) = ((low / step).floor(), (high / step).ceil());
    Scale::brightness(low * step, high.max(low + 1.0) * step)
}

/// The value that a part of the finite values, 0 to 1, lies below.
pub(crate) fn percentile(values: &[f32], part: f64) -> f32 {
    let mut values: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if values.is_empty() {
        return f32::NAN;
    }
    let at = ((values.len() - 1) as f64 * part).round() as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_leave_out_what_is_no_number() {
        let values = [4.0, f32::NAN, 1.0, 3.0, 2.0, 5.0];
        assert_eq!(percentile(&values, 0.0), 1.0);
        assert_eq!(percentile(&values, 0.5), 3.0);
        assert_eq!(percentile(&values, 1.0), 5.0);
        assert!(percentile(&[f32::NAN], 0.5).is_nan());
    }

    #[test]
    fn scales_contain_the_values_and_have_round_ends() {
        assert_eq!(rounded(152.3, 447.9).ends(), (150.0, 450.0));
        assert_eq!(rounded(-3.2, 41.0).ends(), (-4.0, 41.0));
        let (low, high) = rounded(100.0, 100.0).ends();
        assert!(low <= 100.0 && high > 100.0);
        assert_eq!(rounded(f32::NAN, f32::NAN).ends(), (0.0, 1.0));
    }
}
