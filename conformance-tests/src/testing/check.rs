//! Comparing what a backend gives with what it should give, and keeping the worst error.

use std::cell::Cell;
use std::fmt::{Debug, Display};

use array_api::{Array, Backend, Error, Result};

use super::{Failed, Host, Number, Outcome, Real, Value};
use crate::tolerance::{self, Tolerance, Unit};

/// Comparisons of one test body.
#[derive(Debug, Default)]
pub(crate) struct Check {
    worst: Cell<Option<Worst>>,
}

/// The largest error of a test body in relation to its limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worst {
    pub(crate) error: f64,
    pub(crate) tolerance: Tolerance,
}

impl Worst {
    fn share(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { self.error / self.tolerance.limit }
    }
}

impl Display for Worst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tolerance { limit, unit, name, .. } = self.tolerance;
        match unit {
            Unit::Bits => f.write_str("the same bits"),
            Unit::Values => f.write_str("the same values"),
            Unit::Ulp => write!(f, "{} of {limit} ULP", self.error),
            Unit::Scaled => write!(f, "{:.2} of {limit} ({})", self.error, name.to_lowercase()),
        }
    }
}

impl Check {
    /// The largest error so far; none if nothing was compared.
    pub(crate) fn worst(&self) -> Option<Worst> {
        self.worst.get()
    }

    /// Holds one error against its limit.
    pub(crate) fn error(&self, what: &str, error: f64, tolerance: &Tolerance) -> Outcome {
        let new = Worst { error, tolerance: *tolerance };
        // An inexact comparison says more than an exact one without error.
        let rank = |w: &Worst| (w.share(), w.tolerance.limit > 0.0);
        if self.worst.get().is_none_or(|old| rank(&new) > rank(&old)) {
            self.worst.set(Some(new));
        }
        if error <= tolerance.limit {
            return Ok(());
        }
        let Tolerance { name, limit, unit, because, .. } = tolerance;
        Err(format!("{what}: error {error} is above the limit {limit} {unit:?} of {name}: {because}").into())
    }

    /// Compares shape and elements, `error(index, found)` being the error of an element.
    fn elements<T: Value, B: Backend>(
        &self,
        what: &str,
        found: &Array<T, B>,
        expected: (&[usize], &dyn Fn(usize) -> String),
        tolerance: &Tolerance,
        error: impl Fn(usize, T) -> f64,
    ) -> Outcome {
        let (shape, show) = expected;
        if found.shape() != shape {
            return Err(format!("{what}: shape {:?} instead of {shape:?}", found.shape()).into());
        }
        let values = found.to_vec()?;
        if values.len() != shape.iter().product::<usize>() {
            return Err(format!("{what}: {} elements in shape {shape:?}", values.len()).into());
        }
        // An array without elements was compared, too.
        let mut largest = 0.0;
        for (i, &value) in values.iter().enumerate() {
            let error = error(i, value);
            if error > tolerance.limit || error.is_nan() {
                return self.error(what, error, tolerance).map_err(|failed| {
                    let reason = failed.message().unwrap_or_default();
                    Failed::from(format!("{reason}\nelement {i}: {value:?} instead of {}", show(i)))
                });
            }
            if error > largest {
                largest = error;
            }
        }
        self.error(what, largest, tolerance)
    }

    /// The same shape and bits.
    pub(crate) fn same<T: Value, B: Backend>(
        &self,
        what: &str,
        found: &Array<T, B>,
        expected: &Host<T>,
    ) -> Outcome {
        let list = host_arrays::elements(expected);
        let show = |i: usize| format!("{:?}", list[i]);
        self.elements(what, found, (expected.shape(), &show), &tolerance::EXACT, |i, x| {
            f64::from(u8::from(!x.same(list[i])))
        })
    }

    /// The same shape and values, NaN where there should be NaN.
    pub(crate) fn same_values<T: Value, B: Backend>(
        &self,
        what: &str,
        found: &Array<T, B>,
        expected: &Host<T>,
    ) -> Outcome {
        let list = host_arrays::elements(expected);
        let show = |i: usize| format!("{:?}", list[i]);
        self.elements(what, found, (expected.shape(), &show), &tolerance::EXACT_VALUE, |i, x| {
            f64::from(u8::from(!x.same(list[i]) && x != list[i]))
        })
    }

    /// Elements within a tolerance in ULP (or bits, or values).
    pub(crate) fn close<T: Number, B: Backend>(
        &self,
        what: &str,
        found: &Array<T, B>,
        expected: &Host<T>,
        tolerance: &Tolerance,
    ) -> Outcome {
        match tolerance.unit {
            Unit::Bits => self.same(what, found, expected),
            Unit::Values => self.same_values(what, found, expected),
            Unit::Ulp | Unit::Scaled => {
                let list = host_arrays::elements(expected);
                let show = |i: usize| format!("{:?}", list[i]);
                self.elements(what, found, (expected.shape(), &show), tolerance, |i, x| x.steps(list[i]))
            }
        }
    }

    /// Elements within a tolerance times epsilon times a scale, element by element.
    pub(crate) fn scaled<T: Real, B: Backend>(
        &self,
        what: &str,
        found: &Array<T, B>,
        expected: &Host<f64>,
        scale: &Host<f64>,
        tolerance: &Tolerance,
    ) -> Outcome {
        let (list, scales) = (host_arrays::elements(expected), host_arrays::elements(scale));
        if list.len() != scales.len() {
            return Err(format!("{what}: {} scales for {} elements", scales.len(), list.len()).into());
        }
        let show = |i: usize| format!("{:?} (scale {:?})", list[i], scales[i]);
        self.elements(what, found, (expected.shape(), &show), tolerance, |i, x| {
            scaled_error(x, list[i], scales[i])
        })
    }

    /// An operation that must report just this error.
    pub(crate) fn refused<R>(&self, what: &str, result: Result<R>, expected: &Error) -> Outcome {
        match result {
            Err(error) if error == *expected => self.error(what, 0.0, &tolerance::EXACT),
            Err(other) => Err(format!("{what}: reports {other:?} instead of {expected:?}").into()),
            Ok(_) => Err(format!("{what}: works, but should report {expected:?}").into()),
        }
    }

    /// An operation that must report an error whose message has all these words.
    pub(crate) fn refused_with<R>(&self, what: &str, result: Result<R>, words: &[&str]) -> Outcome {
        let message = match result {
            Err(error) => error.to_string(),
            Ok(_) => return Err(format!("{what}: works, but should report an error with {words:?}").into()),
        };
        match words.iter().find(|word| !message.contains(**word)) {
            None => self.error(what, 0.0, &tolerance::EXACT),
            Some(word) => Err(format!("{what}: {message:?} has no {word:?}").into()),
        }
    }

    /// Two things that are equal.
    pub(crate) fn equal<X: PartialEq + Debug>(&self, what: &str, found: X, expected: X) -> Outcome {
        match (found, expected) {
            (found, expected) if found == expected => self.error(what, 0.0, &tolerance::EXACT),
            (found, expected) => Err(format!("{what}: {found:?} instead of {expected:?}").into()),
        }
    }
}

/// `|found - expected|` in units of epsilon times the scale. Values that are not finite must be
/// equal. Numbers too small to be normal may differ by the smallest one.
pub(crate) fn scaled_error<T: Real>(found: T, expected: f64, scale: f64) -> f64 {
    let (x, rounded) = (found.wide(), T::narrow(expected).wide());
    if x == rounded || (x.is_nan() && rounded.is_nan()) {
        return 0.0;
    }
    if !x.is_finite() || !rounded.is_finite() {
        return f64::INFINITY;
    }
    let difference = (x - expected).abs() - 2.0 * T::at_position(1).wide();
    if difference <= 0.0 { 0.0 } else { difference / (T::UNIT * scale) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use array_api::Cpu;

    fn array(values: &[f64]) -> Array<f64, Cpu> {
        Array::from_slice(&Cpu::new(), values).unwrap()
    }

    fn host(values: &[f64]) -> Host<f64> {
        ndarray::arr1(values).into_dyn()
    }

    #[test]
    fn a_wrong_element_fails_and_the_worst_error_is_kept() {
        let check = Check::default();
        let two = 2.0 * f64::EPSILON;
        check.close("x", &array(&[1.0, 1.0 + two]), &host(&[1.0, 1.0]), &tolerance::TRANSCENDENTAL).unwrap();
        assert_eq!(check.worst().unwrap().to_string(), "2 of 4 ULP");
        assert!(check.same("x", &array(&[1.0 + two]), &host(&[1.0])).is_err());
        assert!(check.same("x", &array(&[0.0]), &host(&[-0.0])).is_err());
        assert!(check.same_values("x", &array(&[0.0, f64::NAN]), &host(&[-0.0, f64::NAN])).is_ok());
        assert!(check.same("x", &array(&[1.0]), &host(&[1.0, 1.0])).is_err());
        let (found, expected) = (array(&[3.0]), host(&[3.0 + 8.0 * f64::EPSILON]));
        assert!(check.scaled("x", &found, &expected, &host(&[8.0]), &tolerance::SUM).is_ok());
        assert!(check.scaled("x", &found, &expected, &host(&[7.0]), &tolerance::SUM).is_err());
        assert!(check.scaled("x", &found, &expected, &host(&[f64::NAN]), &tolerance::SUM).is_err());
    }

    #[test]
    fn only_the_error_asked_for_counts() {
        let check = Check::default();
        let mismatch =
            |right: usize| Error::ShapeMismatch { operation: "add", left: vec![2], right: vec![right] };
        let refused: Result<()> = Err(mismatch(3));
        assert!(check.refused("add", refused.clone(), &mismatch(3)).is_ok());
        assert!(check.refused("add", refused.clone(), &mismatch(4)).is_err());
        assert!(check.refused("add", Ok(()), &mismatch(3)).is_err());
        assert!(check.refused_with("add", refused.clone(), &["(2,)", "(3,)"]).is_ok());
        assert!(check.refused_with("add", refused, &["(4,)"]).is_err());
    }
}
