//! Bases as a polynomial for each function and interval.

use array_api::PiecewisePolynomials;
use proptest::collection::vec;
use proptest::prelude::any;

use super::{hold, setting};
use crate::testing::{Array, Backend, Case, Check, Fill, Outcome, cases, for_all, host};
use crate::tolerance::SPLINE_SUM;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["spline": piecewise_polynomials, on_intervals, powers]
}

fn piecewise_polynomials<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(setting(), |setting| {
        let pieces = setting.basis()?.piecewise_polynomials();
        let terms = setting.degree + 1;
        check.equal("degree", pieces.degree(), setting.degree)?;
        check.equal("functions", pieces.functions(), setting.len())?;
        check.equal("breakpoints", pieces.breakpoints(), &setting.breakpoints)?;
        check.equal(
            "coefficients",
            pieces.coefficients().len(),
            (setting.breakpoints.len() - 1) * terms * terms,
        )?;
        let middles: Vec<f64> =
            setting.breakpoints.windows(2).map(|ends| 0.5 * (ends[0] + ends[1])).collect();
        check.equal("centres", pieces.centres(), &middles)?;
        for &x in &setting.points {
            let interval = setting.interval(x);
            let expected = setting.functions(x);
            let mut all = vec![0.0; setting.len()];
            for (j, value) in all[interval..interval + terms].iter_mut().enumerate() {
                let polynomial = &pieces.coefficients()[(interval * terms + j) * terms..][..terms];
                *value = polynomial.iter().rev().fold(0.0, |sum, c| sum * (x - middles[interval]) + c);
            }
            hold(check, "polynomials", &setting, &all, &expected.values, &expected.sizes)?;
        }
        let points = host::upload(xp, &setting.points)?;
        let (by_pieces, by_basis) =
            (pieces.at(&points)?.design_matrix()?, setting.basis()?.design_matrix(&points)?);
        check.same("at", &by_pieces.to_dense()?, &host::download(&by_basis.to_dense()?)?)
    })
}

fn powers<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((1..=9_usize, vec(0..6_usize, 0..=2), any::<u64>()), |(count, shape, seed)| {
        let points = host::random::<f64>(&shape, Fill::Between(-2.0, 2.0), seed);
        let c = host::random::<f64>(&[count], Fill::Between(-9.0, 9.0), seed ^ 1);
        let f = host::random::<f64>(&shape, Fill::Between(-9.0, 9.0), seed ^ 2);
        let basis = PiecewisePolynomials::powers(count)?;
        check.equal("functions", (basis.functions(), basis.degree()), (count, count - 1))?;
        // Points behind other numbers of one buffer, which change once the operator has them.
        let points_alone = host::upload(xp, &points)?.flatten()?;
        let longer = Array::concat(&[&Array::full(xp, &[3], 99.0)?, &points_alone], 0)?;
        let mut x = longer.slice(array_api::s![3..])?.reshape(&shape)?;
        drop((points_alone, longer));
        let operator = basis.at(&x)?;
        x.subtract_scalar_assign(50.0)?;
        let sum = |x: f64, c: &dyn Fn(usize) -> f64| (0..count).map(|k| c(k) * x.powi(k as i32)).sum::<f64>();
        let values = host::map(&points, |x| sum(x, &|k| c[[k]]));
        let scale = host::map(&points, |x| 2.0 * count as f64 * sum(x.abs(), &|k| c[[k]].abs()));
        let found = operator.evaluate(&host::upload(xp, &c)?)?;
        check.scaled("evaluate", &found, &values, &scale, &SPLINE_SUM)?;
        let sums =
            host::build(&[count], |k| points.iter().zip(&f).map(|(x, f)| f * x.powi(k[0] as i32)).sum());
        let scale = host::build(&[count], |k| {
            let sizes = points.iter().zip(&f).map(|(x, f)| (f * x.powi(k[0] as i32)).abs());
            (points.len() + count) as f64 * sizes.sum::<f64>()
        });
        check.scaled("project", &operator.project(&host::upload(xp, &f)?)?, &sums, &scale, &SPLINE_SUM)
    })?;
    check.refused_with("no power", PiecewisePolynomials::powers(0), &["powers", "at least one"])
}

/// The splines of some intervals are those of the whole basis at the points there, to the last bit.
fn on_intervals<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((setting(), any::<[usize; 2]>(), any::<u64>()), |(setting, ends, seed)| {
        let whole = setting.basis()?.piecewise_polynomials();
        let count = setting.breakpoints.len() - 1;
        for &x in setting.points.iter().chain(&setting.breakpoints) {
            check.equal("interval", whole.interval(x), setting.interval(x))?;
        }
        let [a, b] = ends.map(|end| end % count);
        let intervals = a.min(b)..a.max(b) + 1;
        let part = whole.on_intervals(intervals.clone())?;
        check.equal("degree", part.degree(), setting.degree)?;
        check.equal("functions", part.functions(), intervals.len() + setting.degree)?;
        check.equal(
            "breakpoints",
            part.breakpoints(),
            &setting.breakpoints[intervals.start..=intervals.end],
        )?;
        check.equal("centres", part.centres(), &whole.centres()[intervals.clone()])?;

        let inside = |x: &f64| intervals.contains(&setting.interval(*x));
        let points: Vec<f64> = setting.points.iter().copied().filter(inside).collect();
        let points = host::upload(xp, &host::list(&points))?;
        let coefficients = host::random::<f64>(&[2, whole.functions()], Fill::Between(-9.0, 9.0), seed);
        let coefficients = host::upload(xp, &coefficients)?;
        let used = intervals.start..intervals.start + part.functions();
        let some = coefficients.slice(array_api::s![.., used])?;
        let expected = host::download(&whole.at(&points)?.evaluate(&coefficients)?)?;
        check.same("evaluate", &part.at(&points)?.evaluate(&some)?, &expected)
    })?;
    let basis = array_api::BSplineBasis::clamped(&[0.0, 1.0, 2.0], 3)?.piecewise_polynomials();
    for wrong in [0..0, 1..1, 0..3, 2..3, 5..9] {
        check.refused_with("intervals", basis.on_intervals(wrong), &["on_intervals", "of 2"])?;
    }
    Ok(())
}
