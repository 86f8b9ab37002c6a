//! The image of a point of light on a few pixels.
//!
//! A Gaussian of 1.9 pixels full width at half maximum, integrated over each pixel.

/// Standard deviation of the point spread function, in pixels: 1.9 / (2 sqrt(2 ln 2)).
pub(super) const PSF_SIGMA: f64 = 0.806_86;
/// Pixels on either side of a star's own that its light is computed for: beyond, less
/// than 1e-9 of it is left.
pub(super) const RADIUS: usize = 5;
const ZERO_POINT_TMAG: f64 = 20.44;

/// Electrons/s of a star of a TESS magnitude (TESS Instrument Handbook: 10 at Tmag 17.94).
pub(super) fn flux(tmag: f64) -> f64 {
    10_f64.powf(-0.4 * (tmag - ZERO_POINT_TMAG))
}

/// For a star at `centre` along one axis: the first pixel of its stamp, and for each pixel
/// the part of the light that falls in it and what that gains when the star moves up the
/// axis by one pixel.
pub(super) fn profile(centre: f64) -> (i64, [(f64, f64); 2 * RADIUS + 1]) {
    let first = centre.round() as i64 - RADIUS as i64;
    let below = |edge: f64| 0.5 * libm::erf((edge - centre) / (PSF_SIGMA * std::f64::consts::SQRT_2));
    let density = |edge: f64| {
        let z = (edge - centre) / PSF_SIGMA;
        (-0.5 * z * z).exp() / (PSF_SIGMA * std::f64::consts::TAU.sqrt())
    };
    let pixels = std::array::from_fn(|i| {
        let left = (first + i as i64) as f64 - 0.5;
        let right = left + 1.0;
        (below(right) - below(left), density(left) - density(right))
    });
    (first, pixels)
}

/// A point of light in one frame.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    first_row: i64,
    first_column: i64,
    /// Electrons/s in each row of the stamp.
    rows: [f64; 2 * RADIUS + 1],
    /// The part of that in each column.
    columns: [f64; 2 * RADIUS + 1],
}

impl Stamp {
    /// The light of `flux` electrons/s at a place in pixels.
    pub(super) fn new(row: f64, column: f64, flux: f64) -> Self {
        let (first_row, rows) = profile(row);
        let (first_column, columns) = profile(column);
        Self {
            first_row,
            first_column,
            rows: rows.map(|(part, _)| flux * part),
            columns: columns.map(|(part, _)| part),
        }
    }

    /// Adds what falls into a row of a frame.
    pub(super) fn add_row(&self, row: usize, line: &mut [f32]) {
        let place = usize::try_from(row as i64 - self.first_row);
        let Some(&in_row) = place.ok().and_then(|place| self.rows.get(place)) else { return };
        for (column, part) in (self.first_column..).zip(self.columns) {
            if let Some(value) = usize::try_from(column).ok().and_then(|column| line.get_mut(column)) {
                *value += (in_row * part) as f32;
            }
        }
    }
}
