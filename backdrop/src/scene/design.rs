//! The columns that a pixel's time series is fitted with.

use array_api::BSplineBasis;
use ndarray::{Array2, Axis, concatenate};

use crate::error::{Error, Result};

use super::cadences::Cadence;
use crate::file::Model;

/// Knots of the spline in time.
pub const SPLINE_KNOTS: usize = 20;

/// Degree of the spline in time.
const SPLINE_DEGREE: usize = 2;

/// A column is a combination of those before it if no more than this share of its length is left
/// when they are taken out: well above the rounding of f64 numbers, far below what a fit can tell.
const DEPENDENT: f64 = 1e-8;

/// How slow changes of a pixel are fitted, over the time of an orbit scaled to -1 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeTerms {
    /// `1`, `t` and `t^2`.
    #[default]
    Quadratic,
    /// Quadratic B-splines with [`SPLINE_KNOTS`] equidistant knots, the end knots repeated: 21 of
    /// them, which sum to one.
    Spline,
}

impl TimeTerms {
    /// The name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quadratic => "quadratic",
            Self::Spline => "spline",
        }
    }

    /// Names of the columns.
    fn terms(self) -> Vec<String> {
        match self {
            Self::Quadratic => ["1", "t", "t^2"].map(str::to_owned).to_vec(),
            Self::Spline => numbered("spline", SPLINE_KNOTS + SPLINE_DEGREE - 1),
        }
    }

    /// The columns at times, of shape (times, columns).
    fn columns(self, times: &[f64]) -> Result<Array2<f64>> {
        let (first, last) = (times.first().copied(), times.last().copied());
        let span = first.zip(last).map_or(0.0, |(first, last)| last - first);
        let middle = first.map_or(0.0, |first| first + 0.5 * span);
        // A single cadence is in the middle of its orbit.
        let scaled = |time: f64| if span > 0.0 { 2.0 * (time - middle) / span } else { 0.0 };
        let mut columns = Array2::zeros((times.len(), self.terms().len()));
        let basis = match self {
            Self::Quadratic => None,
            Self::Spline => {
                let step = 2.0 / (SPLINE_KNOTS - 1) as f64;
                let knots: Vec<f64> = (0..SPLINE_KNOTS).map(|knot| knot as f64 * step - 1.0).collect();
                Some(BSplineBasis::clamped(&knots, SPLINE_DEGREE)?)
            }
        };
        for (mut row, &time) in columns.rows_mut().into_iter().zip(times) {
            let t = scaled(time);
            match &basis {
                None => row.iter_mut().zip([1.0, t, t * t]).for_each(|(cell, power)| *cell = power),
                Some(basis) => {
                    let (first, values) = basis.nonzero_functions(t);
                    row.iter_mut().skip(first).zip(values).for_each(|(cell, value)| *cell = value);
                }
            }
        }
        Ok(columns)
    }
}

/// The names of all columns: the terms in time, then the model's components.
pub(super) fn terms(model: &Model, time: TimeTerms) -> Vec<String> {
    let mut terms = time.terms();
    terms.extend(numbered("jitter", model.jitter.ncols()));
    terms.extend(numbered("background", model.background.ncols()));
    terms
}

fn numbered(name: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{name} {number}")).collect()
}

/// The design matrix of an orbit, of shape (cadences, columns), its columns as [`orthogonal`] makes
/// them.
///
/// # Errors
/// [`Error::InvalidArgument`] if the model has pixel series in place of principal components.
pub(super) fn design(model: &Model, orbit: &[Cadence], time: TimeTerms) -> Result<Array2<f64>> {
    let times: Vec<f64> = orbit.iter().map(|cadence| cadence.time).collect();
    let rows: Vec<usize> = orbit.iter().map(|cadence| cadence.model).collect();
    let (jitter, background) = (model.jitter.select(Axis(0), &rows), model.background.select(Axis(0), &rows));
    let columns = time.columns(&times)?;
    let raw = concatenate(Axis(1), &[columns.view(), jitter.view(), background.view()]);
    match raw {
        Ok(raw) => Ok(orthogonal(raw)),
        Err(error) => unreachable!("each part has a row for each cadence: {error}"),
    }
}

/// Refuses a model that has as many jitter and background columns as there are cadences, or more:
/// then these are no principal components but the series of single pixels, as a fit to fewer than 50
/// frames leaves them, and whatever a star does would be fitted by them exactly.
///
/// # Errors
/// [`Error::InvalidArgument`].
pub(super) fn check_components(model: &Model, cadences: usize) -> Result<()> {
    let columns = model.jitter.ncols() + model.background.ncols();
    if columns < cadences {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "the model has {columns} jitter and background series for {cadences} fitted frames, which would \
         fit anything: fit a model to at least 50 good frames, which has principal components"
    )))
}

/// The columns of a matrix, each without its share in those before it (Gram-Schmidt, done twice,
/// which is enough: Giraud, Langou & Rozloznik 2005), scaled to a root mean square of 1. A column
/// that depends on those before it becomes zero.
///
/// A weight is then the root mean square, in the unit of the data, that its column brings to the
/// fit, and single precision holds it as well as the data.
fn orthogonal(mut x: Array2<f64>) -> Array2<f64> {
    let rows = x.nrows() as f64;
    for j in 0..x.ncols() {
        let (before, mut after) = x.view_mut().split_at(Axis(1), j);
        let mut column = after.column_mut(0);
        let length = column.dot(&column).sqrt();
        for _ in 0..2 {
            for other in before.columns() {
                let share = other.dot(&column) / rows;
                column.scaled_add(-share, &other);
            }
        }
        let left = column.dot(&column).sqrt();
        if left > DEPENDENT * length {
            column *= rows.sqrt() / left;
        } else {
            column.fill(0.0);
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_quadratic_spans_minus_one_to_one() {
        let columns = TimeTerms::Quadratic.columns(&[10.0, 11.0, 14.0]).unwrap();
        assert_eq!(columns, array![[1.0, -1.0, 1.0], [1.0, -0.5, 0.25], [1.0, 1.0, 1.0]]);
        assert_eq!(TimeTerms::Quadratic.columns(&[10.0]).unwrap(), array![[1.0, 0.0, 0.0]]);
    }

    #[test]
    fn splines_sum_to_one_and_reach_to_both_ends() {
        let times: Vec<f64> = (0..101).map(|i| 2000.0 + 0.13 * f64::from(i)).collect();
        let columns = TimeTerms::Spline.columns(&times).unwrap();
        assert_eq!(columns.dim(), (101, 21));
        assert_eq!(columns.ncols(), TimeTerms::Spline.terms().len());
        for sum in columns.sum_axis(Axis(1)) {
            // A few roundings.
            assert!((sum - 1.0).abs() < 1e-14);
        }
        assert!((columns[(0, 0)] - 1.0).abs() < 1e-12 && (columns[(100, 20)] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn columns_become_orthogonal_and_span_the_same() {
        let raw = Array2::from_shape_fn((40, 5), |(t, j)| 1e3 + ((t * (j + 2)) as f64 * 0.7).sin());
        let x = orthogonal(raw.clone());
        let gram = x.t().dot(&x) / 40.0;
        for ((i, j), value) in gram.indexed_iter() {
            assert!((value - f64::from(u8::from(i == j))).abs() < 1e-14, "{i} {j}: {value}");
        }
        // Projected on the new columns, the old ones are all there.
        let left = &raw - &x.dot(&x.t().dot(&raw)) / 40.0;
        assert!(left.iter().all(|left| left.abs() < 1e-10));
    }

    #[test]
    fn columns_that_depend_on_others_are_zero() {
        let mut raw = Array2::from_shape_fn((9, 4), |(t, j)| (t as f64 + 1.0).powi(j as i32));
        let sum = &raw.column(0) * 3.0 + raw.column(1);
        raw.column_mut(2).assign(&sum);
        let x = orthogonal(raw);
        assert!(x.column(2).iter().all(|&value| value == 0.0));
        assert!(x.column(3).iter().any(|&value| value != 0.0));
        // A single cadence has a level and nothing else.
        assert_eq!(orthogonal(array![[1.0, 0.0, 0.5]]), array![[1.0, 0.0, 0.0]]);
    }
}
