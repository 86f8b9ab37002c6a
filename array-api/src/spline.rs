//! B-splines: an extension of the standard, named as in `scipy.interpolate.BSpline`.
//!
//! A [`BSplineBasis`] is a knot vector and a degree. [`BSplineBasis::at`] prepares it for fixed
//! points `x`; the operator then evaluates splines there (`A c`, with `A[x, k] = B_k(x)`) and
//! projects data onto the basis (`A^T f`) without ever forming `A`. Within one knot interval the
//! basis functions are polynomials, so both need only a few moments per interval.
//!
//! Source: C. de Boor, *A Practical Guide to Splines*, Springer, 1978.

mod operator;

use std::ops::Range;

use crate::backend::Backend;
use crate::{Array, Csr, Error, Result};

pub use operator::SplineOperator;

/// A B-spline basis: degree and knots.
///
/// ```
/// use array_api::{Array, BSplineBasis, Cpu};
///
/// let xp = Cpu::new();
/// let basis = BSplineBasis::clamped(&[0.0, 0.5, 1.0], 2)?;
/// let x = Array::linspace(&xp, 0.0, 1.0, 9, true)?;
/// let ones = Array::ones(&xp, &[basis.len()])?;
/// // The basis functions sum to one everywhere.
/// let sum = basis.at(&x)?.evaluate(&ones)?;
/// assert!((&sum - 1.0)?.abs()?.max()?.item()? < 1e-15);
/// # Ok::<(), array_api::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BSplineBasis {
    degree: usize,
    knots: Vec<f64>,
}

impl BSplineBasis {
    /// The basis on `breakpoints` (increasing) with the end knots repeated, so that the basis
    /// functions sum to one from the first to the last breakpoint. It has
    /// `breakpoints.len() + degree - 1` functions.
    pub fn clamped(breakpoints: &[f64], degree: usize) -> Result<Self> {
        let invalid = |reason: String| Error::InvalidArgument { operation: "BSplineBasis::clamped", reason };
        let (&[first, .., last], 1..) = (breakpoints, degree) else {
            return Err(invalid("at least two breakpoints and degree 1 are needed".into()));
        };
        if !breakpoints.windows(2).all(|pair| pair[0] < pair[1]) || !(last - first).is_finite() {
            return Err(invalid("the breakpoints must be finite and increase".into()));
        }
        let knots = std::iter::repeat_n(first, degree)
            .chain(breakpoints.iter().copied())
            .chain(std::iter::repeat_n(last, degree))
            .collect();
        Ok(Self { degree, knots })
    }

    /// Number of basis functions.
    pub fn len(&self) -> usize {
        self.knots.len() - self.degree - 1
    }

    /// Never true: a basis has functions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Polynomial degree.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// All knots, the repeated ones too.
    pub fn knots(&self) -> &[f64] {
        &self.knots
    }

    /// The knot interval of `x`, counted from the first of positive length. Points before the
    /// first or after the last breakpoint belong to the first or last interval (where the
    /// polynomials go on).
    pub fn interval(&self, x: f64) -> usize {
        let breakpoints = self.breakpoints();
        breakpoints[1..breakpoints.len() - 1].partition_point(|&b| b <= x)
    }

    fn breakpoints(&self) -> &[f64] {
        &self.knots[self.degree..self.knots.len() - self.degree]
    }

    /// The `degree + 1` basis functions that are not zero on the knot interval of `x`, evaluated
    /// at `x` by the recurrence of Cox and de Boor, and the number of the first of them.
    pub fn nonzero_functions(&self, x: f64) -> (usize, Vec<f64>) {
        let interval = self.interval(x);
        let (d, t, i) = (self.degree, &self.knots, interval + self.degree);
        let mut b = vec![1.0];
        for k in 1..=d {
            let mut next = vec![0.0; k + 1];
            for (j, &value) in b.iter().enumerate() {
                let (left, right) = (t[i + j + 1 - k], t[i + j + 1]);
                let share = value / (right - left);
                next[j] += (right - x) * share;
                next[j + 1] += (x - left) * share;
            }
            b = next;
        }
        (interval, b)
    }

    /// The basis as one polynomial for each function and interval.
    pub fn piecewise_polynomials(&self) -> PiecewisePolynomials {
        let breakpoints = self.breakpoints().to_vec();
        let centres: Vec<f64> = breakpoints.windows(2).map(|ends| 0.5 * (ends[0] + ends[1])).collect();
        let coefficients = centres
            .iter()
            .enumerate()
            .flat_map(|(interval, &centre)| self.local_polynomials(interval, centre))
            .collect();
        PiecewisePolynomials {
            degree: self.degree,
            functions: self.len(),
            breakpoints,
            centres,
            coefficients,
        }
    }

    /// Coefficients of `(x - centre)^p` of the functions not zero on an interval, by the
    /// recurrence of Cox and de Boor on polynomials: `[function][p]`.
    fn local_polynomials(&self, interval: usize, centre: f64) -> Vec<f64> {
        let (d, t, i) = (self.degree, &self.knots, interval + self.degree);
        let mut b = vec![vec![1.0]];
        for k in 1..=d {
            let mut next = vec![vec![0.0; k + 1]; k + 1];
            for (j, polynomial) in b.iter().enumerate() {
                let (left, right) = (t[i + j + 1 - k], t[i + j + 1]);
                let width = right - left;
                // With s = x - centre: (right - x) = (right - centre) - s, (x - left) likewise.
                for (p, &c) in polynomial.iter().enumerate() {
                    next[j][p] += c * (right - centre) / width;
                    next[j][p + 1] -= c / width;
                    next[j + 1][p] += c * (centre - left) / width;
                    next[j + 1][p + 1] += c / width;
                }
            }
            b = next;
        }
        b.concat()
    }

    /// The matrix `A[x, k] = B_k(x)` for points `x` of any shape, one row each in row-major
    /// order (SciPy's `BSpline.design_matrix`).
    pub fn design_matrix<B: Backend>(&self, x: &Array<f64, B>) -> Result<Csr<f64, B>> {
        self.at(x)?.design_matrix()
    }

    /// Prepares the basis for the points `x`, of any shape.
    pub fn at<B: Backend>(&self, x: &Array<f64, B>) -> Result<SplineOperator<B>> {
        self.piecewise_polynomials().at(x)
    }
}

/// A basis of piecewise polynomials: a function is a polynomial on each interval, and at most
/// `degree + 1` neighbouring functions are not zero there.
#[derive(Debug, Clone, PartialEq)]
pub struct PiecewisePolynomials {
    degree: usize,
    functions: usize,
    breakpoints: Vec<f64>,
    centres: Vec<f64>,
    coefficients: Vec<f64>,
}

/// The highest degree that operators take.
pub const MAX_DEGREE: usize = 15;

impl PiecewisePolynomials {
    /// The powers `1, x, x^2, ...`, `count` of them, as a basis with a single interval.
    ///
    /// ```
    /// use array_api::{Array, Cpu, spline::PiecewisePolynomials};
    ///
    /// let x = Array::from_slice(&Cpu::new(), &[2.0, 3.0])?;
    /// let powers = PiecewisePolynomials::powers(3)?.at(&x)?;
    /// // The sums of 1, x and x^2 over the points.
    /// assert_eq!(powers.project(&x.ones_like()?)?.to_vec()?, [2.0, 5.0, 13.0]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn powers(count: usize) -> Result<Self> {
        let degree = count.checked_sub(1).ok_or_else(|| Error::InvalidArgument {
            operation: "PiecewisePolynomials::powers",
            reason: "at least one power is needed".into(),
        })?;
        let mut coefficients = vec![0.0; count * count];
        coefficients.iter_mut().step_by(count + 1).for_each(|c| *c = 1.0);
        Ok(Self {
            degree,
            functions: count,
            breakpoints: vec![f64::NEG_INFINITY, f64::INFINITY],
            centres: vec![0.0],
            coefficients,
        })
    }

    /// Degree of the polynomials.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// Number of basis functions; functions `i..=i + degree` are not zero on interval `i`.
    pub fn functions(&self) -> usize {
        self.functions
    }

    /// Ends of the intervals. Points outside belong to the first or the last one.
    pub fn breakpoints(&self) -> &[f64] {
        &self.breakpoints
    }

    /// For each interval the point that powers are counted from.
    pub fn centres(&self) -> &[f64] {
        &self.centres
    }

    /// Coefficients `[interval][function][power]`, in powers of the distance from the centre.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// The interval that `x` belongs to.
    ///
    /// ```
    /// use array_api::spline::BSplineBasis;
    ///
    /// let basis = BSplineBasis::clamped(&[0.0, 1.0, 2.0, 4.0], 2)?.piecewise_polynomials();
    /// assert_eq!([-1.0, 0.5, 1.0, 3.9, 4.0, 9.0].map(|x| basis.interval(x)), [0, 0, 1, 2, 2, 2]);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    pub fn interval(&self, x: f64) -> usize {
        self.breakpoints[1..self.centres.len()].partition_point(|&end| end <= x)
    }

    /// The basis on some of its intervals alone: function `i` of it is function `intervals.start + i` of the whole.
    ///
    /// ```
    /// use array_api::{Array, Cpu, spline::BSplineBasis};
    ///
    /// let whole = BSplineBasis::clamped(&[0.0, 1.0, 2.0, 4.0], 2)?.piecewise_polynomials();
    /// let part = whole.on_intervals(1..2)?;
    /// assert_eq!((whole.functions(), part.functions()), (5, 3));
    /// let x = Array::from_slice(&Cpu::new(), &[1.25])?;
    /// let coefficients = Array::from_slice(&Cpu::new(), &[7.0, 1.0, 3.0, 2.0, 9.0])?;
    /// let some = coefficients.slice(array_api::s![1..4])?;
    /// let (of_whole, of_part) = (whole.at(&x)?.evaluate(&coefficients)?, part.at(&x)?.evaluate(&some)?);
    /// assert_eq!(of_whole.to_vec()?, of_part.to_vec()?);
    /// # Ok::<(), array_api::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are no such intervals, or none is asked for.
    pub fn on_intervals(&self, intervals: Range<usize>) -> Result<Self> {
        let all = self.centres.len();
        if intervals.is_empty() || intervals.end > all {
            return Err(Error::InvalidArgument {
                operation: "PiecewisePolynomials::on_intervals",
                reason: format!("intervals {intervals:?} of {all}"),
            });
        }
        let each = self.coefficients.len() / all;
        Ok(Self {
            degree: self.degree,
            functions: intervals.len() + self.degree,
            breakpoints: self.breakpoints[intervals.start..=intervals.end].to_vec(),
            centres: self.centres[intervals.clone()].to_vec(),
            coefficients: self.coefficients[intervals.start * each..intervals.end * each].to_vec(),
        })
    }

    /// Prepares the basis for the points `x`, of any shape.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a degree above [`MAX_DEGREE`].
    pub fn at<B: Backend>(&self, x: &Array<f64, B>) -> Result<SplineOperator<B>> {
        if self.degree > MAX_DEGREE {
            return Err(Error::InvalidArgument {
                operation: "PiecewisePolynomials::at",
                reason: format!("degree {} is above {MAX_DEGREE}", self.degree),
            });
        }
        SplineOperator::new(self, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadratic_functions_on_unit_intervals_are_the_textbook_ones() {
        let basis = BSplineBasis::clamped(&[0.0, 1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!(basis.len(), 6);
        // A cardinal quadratic B-spline has the values 1/8, 3/4, 1/8 in the middle.
        let (first, values) = basis.nonzero_functions(2.5);
        assert_eq!((first, values.as_slice()), (2, [0.125, 0.75, 0.125].as_slice()));
        assert_eq!(basis.nonzero_functions(0.0), (0, vec![1.0, 0.0, 0.0]));
        assert_eq!(basis.nonzero_functions(4.0), (3, vec![0.0, 0.0, 1.0]));
    }

    #[test]
    fn a_point_that_is_not_finite_spoils_its_own_interval_only() {
        let xp = crate::Cpu::new();
        let basis = BSplineBasis::clamped(&[0.0, 0.5, 1.0], 2).unwrap();
        let x = Array::from_slice(&xp, &[0.125, 0.25, 0.375, f64::INFINITY]).unwrap();
        let sums = basis
            .at(&x)
            .unwrap()
            .project(&Array::<f64, _>::ones(&xp, &[1, 4]).unwrap())
            .unwrap()
            .to_vec()
            .unwrap();
        // (1 - 2 x)^2 is the only function that the second interval does not have.
        assert_eq!(sums[0], 0.5625 + 0.25 + 0.0625);
        assert!(sums[1..].iter().all(|sum| !sum.is_finite()));
    }

    #[test]
    fn polynomials_equal_the_recurrence() {
        for degree in 1..=5 {
            let breakpoints: Vec<f64> = (0..9).map(|i| (f64::from(i) / 8.0).powf(0.25)).collect();
            let basis = BSplineBasis::clamped(&breakpoints, degree).unwrap();
            let pieces = basis.piecewise_polynomials();
            for step in 0..=1000 {
                let x = f64::from(step) / 1000.0;
                let (first, values) = basis.nonzero_functions(x);
                let s = x - 0.5 * (breakpoints[first] + breakpoints[first + 1]);
                for (j, value) in values.iter().enumerate() {
                    let at = (first * (degree + 1) + j) * (degree + 1);
                    let polynomial =
                        pieces.coefficients[at..=at + degree].iter().rev().fold(0.0, |sum, c| sum * s + c);
                    // Cancellation between powers of s costs a few ulp more for each degree.
                    assert!((polynomial - value).abs() < 1e-15 * f64::from(1 << (2 * degree)));
                }
                assert!((values.iter().sum::<f64>() - 1.0).abs() < 4e-16 * (degree + 1) as f64);
            }
        }
    }

    #[test]
    fn bad_breakpoints_are_refused() {
        assert!(BSplineBasis::clamped(&[0.0], 2).is_err());
        assert!(BSplineBasis::clamped(&[0.0, 0.0, 1.0], 2).is_err());
        assert!(BSplineBasis::clamped(&[0.0, f64::NAN], 2).is_err());
        assert!(BSplineBasis::clamped(&[0.0, 1.0], 0).is_err());
    }
}
