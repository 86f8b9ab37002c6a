//! How exact results must be: one table, used by every comparison.
//!
//! A comparison measures an error in a unit and holds it against a limit. `Scaled` errors are
//! `|found - expected| / (epsilon * scale)`, where epsilon is the distance from 1 to the next
//! number of the element type and the scale, computed by the test body, is the size that rounding
//! errors of the operation have by standard error analysis (N. J. Higham, *Accuracy and Stability
//! of Numerical Algorithms*, 2nd edition, SIAM, 2002; sections given as "H").

/// What an error is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Elements whose bits differ (one NaN is like another).
    Bits,
    /// Elements whose values differ (a zero may have either sign).
    Values,
    /// Units in the last place: numbers that lie between result and expectation.
    Ulp,
    /// Multiples of epsilon times the scale of the case.
    Scaled,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// What it is for.
    pub name: &'static str,
    /// The largest error that passes.
    pub limit: f64,
    /// What errors are counted in.
    pub unit: Unit,
    /// Why it is this limit.
    pub because: &'static str,
}

macro_rules! table {
    ($($(#[$doc:meta])* $constant:ident: $limit:literal $unit:ident, $because:literal;)*) => {
        $(
            $(#[$doc])*
            pub const $constant: Tolerance = Tolerance {
                name: stringify!($constant),
                limit: $limit,
                unit: Unit::$unit,
                because: $because,
            };
        )*

        /// All rows.
        pub const TABLE: &[Tolerance] = &[$($constant),*];
    };
}

table! {
    /// Results that are defined to the last bit.
    EXACT: 0.0 Bits, "one correctly rounded operation, a comparison, or data that only moves";
    /// Results that are defined but for the sign of a zero.
    EXACT_VALUE: 0.0 Values, "the standard leaves open which of two equal zeros is larger";
    /// exp, log, sin, ... and hypot.
    TRANSCENDENTAL: 4.0 Ulp, "what NumPy promises of its vector loops and CUDA of its mathematics";
    /// The quotient rounded down, where it is too large for its neighbour to be a number.
    FLOOR_DIVIDE: 1.0 Ulp, "two roundings, of a - rest and of its quotient";
    /// log(exp(a) + exp(b)).
    LOGADDEXP: 4.0 Scaled, "the larger argument and a logarithm below ln 2 may cancel; scale: their sizes added";
    /// Sums and means of many elements.
    SUM: 1.0 Scaled, "accumulated in f64 in short runs that are added in pairs (H 4.2); scale: |sum| \
                      and 128 f64 roundings of the sum of |x|";
    /// Products of many elements.
    PROD: 1.0 Scaled, "one rounding for each factor (H 3.1); scale: their number times |product|";
    /// Variance and standard deviation.
    VARIANCE: 8.0 Scaled, "two passes (H 1.9): rounded squares of rounded distances from a rounded mean; \
                           scale: variance and the square of the mean's error";
    /// Running sums and products.
    SCAN: 1.0 Scaled, "one rounding for each step (H 3.1, 4.2); scale: steps times sum of |x| or |product|";
    /// Products of matrices, dense or sparse.
    MATMUL: 1.0 Scaled, "a rounding for each product and each addition in any order (H 3.5); scale: (k + 2) |a| |b|";
    /// The residual of a Cholesky factorization.
    CHOLESKY: 1.0 Scaled, "backward stable (H 10.3); scale: (n + 1) |l| |l^T|";
    /// The residual of a solved system.
    SOLVE: 4.0 Scaled, "backward stable (H 8.5, 9.3, 10.4) with small growth of pivots; scale: n |a| |x| by norm";
    /// A solution, compared with another one.
    SOLUTION: 4.0 Scaled, "residual times condition (H 7.1); scale: n cond(a) |x| by norm";
    /// Residuals of eigenvalues and eigenvectors, and eigenvalues compared with other ones.
    EIGEN: 4.0 Scaled, "orthogonal transformations give those of a matrix near by (G. H. Golub and C. F. Van Loan, \
                        Matrix Computations, 4th edition, 8.3); scale: n |a| by norm, n for v^T v - 1";
    /// Determinants.
    DETERMINANT: 4.0 Scaled, "backward stable factorization (H 14.6); scale: n cond(a) |det|";
    /// Values of basis functions.
    SPLINE: 8.0 Scaled, "a recurrence and a polynomial of one degree; scale: (degree + 1) times the same with \
                         every term positive";
    /// Sums over points of data times basis functions, and over functions of coefficients times them.
    SPLINE_SUM: 8.0 Scaled, "values of basis functions and a rounding for each term; scale: (terms + degree + 1) \
                             times the sum with every term positive";
    /// The background model on two backends.
    BACKGROUND: 1.0 Scaled, "the same normal equations, of condition 1e8, solved in another order; scale: 1e-8 of \
                             the background, in units of epsilon";
    /// Residuals of single pixels, and their scatter.
    RESIDUAL: 1.0 Scaled, "those of the background, and a rounding to an f32 number; scale: 1e-8 of the background \
                           and f32 epsilon times the residual, in units of epsilon";
    /// Principal components of residuals.
    COMPONENTS: 1.0 Scaled, "the angle by which an error of a matrix turns singular vectors towards those of the \
                             nearest other value (P.-A. Wedin, BIT 12, 99, 1972); scale: twice the error over the \
                             distance of the values, in units of epsilon";
    /// The standard deviation of the background model on two backends.
    UNCERTAINTY: 1.0 Scaled, "the same normal equations inverted in another order, as for the background; scale: \
                              1e-8 of the standard deviation, in units of epsilon";
    /// The scene of stars on two backends.
    SCENE: 1.0 Scaled, "flux and weights are rounded to f32 numbers; scale: f32 epsilon times the largest flux \
                        for each component and the flux itself";
    /// Evenly spaced numbers.
    LINSPACE: 2.0 Scaled, "a product and a sum in f64; scale: the larger end";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_explains_itself() {
        for (i, row) in TABLE.iter().enumerate() {
            assert!(row.because.len() > 20, "{} needs a reason", row.name);
            assert!(TABLE[..i].iter().all(|other| other.name != row.name), "{} stands twice", row.name);
            let exact = matches!(row.unit, Unit::Bits | Unit::Values);
            assert_eq!(exact, row.limit == 0.0, "{}", row.name);
        }
    }
}
