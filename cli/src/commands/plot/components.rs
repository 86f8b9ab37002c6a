//! Jitter and background components, or the pixel series that stand for them.

use backdrop::file::Model;
use ndarray::Array2;

use crate::picture::{ComponentChart, MAX_DRAWN, Periodogram, Series};

/// Which components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jitter,
    Background,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jitter => "jitter",
            Self::Background => "background",
        }
    }

    /// The components, (frames, components), and the pixels that they come from.
    fn of(self, model: &Model) -> (&Array2<f64>, &[(u32, u32)]) {
        match self {
            Self::Jitter => (&model.jitter, &model.jitter_pixels),
            Self::Background => (&model.background, &model.background_pixels),
        }
    }

    /// Why there is nothing to draw, if that is so.
    pub(super) fn missing(self, model: &Model) -> Option<String> {
        let (components, _) = self.of(model);
        if components.ncols() == 0 {
            Some(format!("the model has no {} components", self.name()))
        } else {
            let frames =
                components.rows().into_iter().filter(|row| row.iter().any(|value| value.is_finite()));
            match frames.count() {
                0 => Some(format!("no frame has {} components", self.name())),
                1 => Some("one frame is no series".to_owned()),
                _ => None,
            }
        }
    }
}

/// The chart of the components of a kind, which are not missing.
pub(super) fn chart(model: &Model, kind: Kind) -> ComponentChart<'_> {
    let (components, pixels) = kind.of(model);
    // With too few frames for components the series of the pixels themselves are kept.
    let of_pixels = components.ncols() == pixels.len();
    let drawn = components.ncols().min(MAX_DRAWN);
    let series: Vec<Series> = (0..drawn)
        .map(|i| {
            // The first components, which matter most, but pixels from all over the CCD.
            let i = if of_pixels { i * components.ncols() / drawn } else { i };
            let name = if of_pixels {
                let (row, column) = pixels[i];
                format!("({row}, {column})")
            } else {
                format!("{}", i + 1)
            };
            Series { name, values: components.column(i).to_vec() }
        })
        .collect();
    let (all, from) = (components.ncols(), pixels.len());
    let (title, details) = if of_pixels {
        ("Pixel (row, column)", format!("{drawn} of the series of {all} pixels, residuals in electrons/s"))
    } else {
        ("Component", format!("principal components of the residuals of {from} pixels"))
    };
    let times: Vec<f64> = model.tstart.iter().zip(&model.tstop).map(|(a, b)| 0.5 * (a + b)).collect();
    let spectra = spectra(&times, &series);
    let heading = match (kind, of_pixels) {
        (Kind::Jitter, false) => "Jitter components",
        (Kind::Jitter, true) => "Jitter pixels",
        (Kind::Background, false) => "Background components",
        (Kind::Background, true) => "Background pixels",
    };
    ComponentChart {
        caption: [format!("{heading} of {}", model.target), details],
        title,
        times,
        series,
        spectra,
    }
}

/// The spectra of series over the frames in which all of them have a value.
fn spectra(times: &[f64], series: &[Series]) -> Option<Periodogram> {
    let whole: Vec<usize> = (0..times.len())
        .filter(|&frame| series.iter().all(|series| series.values[frame].is_finite()))
        .collect();
    let pick = |values: &[f64]| whole.iter().map(|&frame| values[frame]).collect::<Vec<f64>>();
    let series: Vec<Vec<f64>> = series.iter().map(|series| pick(&series.values)).collect();
    Periodogram::new(&pick(times), &series)
}
