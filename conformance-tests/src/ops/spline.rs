//! Splines, against the recurrence of Cox and de Boor written out for the whole knot vector.

mod batch;
mod pieces;
mod project;
mod single;

use array_api::spline::MAX_DEGREE;
use array_api::{BSplineBasis, SplineOperator};
use ndarray::IxDyn;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use project::projected;

use crate::testing::{
    Array, Backend, Case, Check, Error, Fill, Host, Operand, Outcome, cases, for_all, host, operand_of,
    reference, require,
};
use crate::tolerance::{SPLINE, SPLINE_SUM};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    let own = cases!["spline":
        basis, intervals, nonzero_functions, design_matrix, scipy, evaluate, evaluate_add, rows, long_rows,
        points_that_are_nan, refuses,
    ];
    let parts = [batch::cases(), pieces::cases(), project::cases(), single::cases()];
    own.into_iter().chain(parts.into_iter().flatten()).collect()
}

/// A basis, points for it, and functions of them by definition.
#[derive(Debug, Clone)]
struct Setting {
    breakpoints: Vec<f64>,
    degree: usize,
    /// Inside, outside and at the breakpoints.
    points: Host<f64>,
}

/// Values and sizes (the same with every term positive) of all basis functions at a point.
struct Functions {
    values: Vec<f64>,
    sizes: Vec<f64>,
}

impl Setting {
    fn basis(&self) -> array_api::Result<BSplineBasis> {
        BSplineBasis::clamped(&self.breakpoints, self.degree)
    }

    fn knots(&self) -> Vec<f64> {
        let (first, last) = (self.breakpoints[0], self.breakpoints[self.breakpoints.len() - 1]);
        [vec![first; self.degree], self.breakpoints.clone(), vec![last; self.degree]].concat()
    }

    /// The number of functions.
    fn len(&self) -> usize {
        self.breakpoints.len() + self.degree - 1
    }

    /// The interval of a point: the ones outside belong to the first or the last interval.
    fn interval(&self, x: f64) -> usize {
        let inner = &self.breakpoints[1..self.breakpoints.len() - 1];
        inner.iter().filter(|&&b| b <= x).count()
    }

    /// B_{i,k}(x) = (x - t_i) / (t_{i+k} - t_i) B_{i,k-1} + (t_{i+k+1} - x) / (t_{i+k+1} - t_{i+1}) B_{i+1,k-1}
    /// from B_{i,0} = 1 on the interval of the point, without terms whose knots coincide. The sizes
    /// measure from the middle of the interval, as a polynomial around it does.
    fn functions(&self, x: f64) -> Functions {
        let t = self.knots();
        let interval = self.interval(x);
        let middle = 0.5 * (self.breakpoints[interval] + self.breakpoints[interval + 1]);
        let mut values: Vec<f64> =
            (0..t.len() - 1).map(|i| f64::from(u8::from(i == interval + self.degree))).collect();
        let mut sizes = values.clone();
        let far = |knot: f64| (x - middle).abs() + (knot - middle).abs();
        for k in 1..=self.degree {
            for i in 0..t.len() - 1 - k {
                let (left, right) = (t[i + k] - t[i], t[i + k + 1] - t[i + 1]);
                let share = |part: f64, whole: f64, b: f64| if whole > 0.0 { part / whole * b } else { 0.0 };
                values[i] = share(x - t[i], left, values[i]) + share(t[i + k + 1] - x, right, values[i + 1]);
                sizes[i] = share(far(t[i]), left, sizes[i]) + share(far(t[i + k + 1]), right, sizes[i + 1]);
            }
        }
        values.truncate(self.len());
        sizes.truncate(self.len());
        Functions { values, sizes }
    }

    /// The matrices `B_k(x)` over all points, values and sizes.
    fn matrices(&self) -> (Host<f64>, Host<f64>) {
        let rows: Vec<Functions> = self.points.iter().map(|&x| self.functions(x)).collect();
        let shape = [rows.len(), self.len()];
        (host::build(&shape, |i| rows[i[0]].values[i[1]]), host::build(&shape, |i| rows[i[0]].sizes[i[1]]))
    }
}

/// Bases of every degree from 1 to 7, points of any shape.
fn setting() -> impl Strategy<Value = Setting> {
    let shape = prop_oneof![6 => vec(0..7_usize, 0..=3), 1 => Just(vec![3, 70])];
    (vec(0.2..2.0_f64, 1..=6), -3.0..3.0_f64, 1..=7_usize, shape, any::<u64>()).prop_map(
        |(gaps, start, degree, shape, seed)| {
            let mut breakpoints = vec![start];
            for gap in gaps {
                breakpoints.push(breakpoints[breakpoints.len() - 1] + gap);
            }
            let places = host::random::<f64>(&shape, Fill::Between(-0.15, 1.15), seed);
            let (first, last) = (breakpoints[0], breakpoints[breakpoints.len() - 1]);
            let points = places.mapv(|p| {
                // Every fourth point is a breakpoint.
                let number = (p.abs() * 1e6) as usize;
                if number.is_multiple_of(4) {
                    breakpoints[number / 4 % breakpoints.len()]
                } else {
                    first + p * (last - first)
                }
            });
            Setting { breakpoints, degree, points }
        },
    )
}

/// The operator at the points, which lie in the buffer by rows or by columns.
fn operator<B: Backend>(xp: &B, setting: &Setting) -> array_api::Result<SplineOperator<B>> {
    let mut axes: Vec<usize> = (0..setting.points.ndim()).collect();
    axes.reverse();
    let by_columns = host::upload(xp, &setting.points.t().to_owned())?.permute_dims(&axes)?;
    setting.basis()?.at(&by_columns)
}

fn basis<B: Backend>(_: &B, check: &Check) -> Outcome {
    for_all(setting(), |setting| {
        let basis = setting.basis()?;
        check.equal("degree", basis.degree(), setting.degree)?;
        check.equal("len", basis.len(), setting.len())?;
        check.equal("is_empty", basis.is_empty(), false)?;
        check.equal("knots", basis.knots(), &setting.knots())
    })
}

fn intervals<B: Backend>(_: &B, check: &Check) -> Outcome {
    for_all(setting(), |setting| {
        let basis = setting.basis()?;
        for &x in setting.points.iter().chain(&setting.breakpoints) {
            check.equal("interval", basis.interval(x), setting.interval(x))?;
        }
        check.equal("far left", basis.interval(f64::NEG_INFINITY), 0)?;
        check.equal("far right", basis.interval(f64::INFINITY), setting.breakpoints.len() - 2)
    })
}

/// Compares values of basis functions with the definition.
fn hold(
    check: &Check,
    what: &str,
    setting: &Setting,
    found: &[f64],
    values: &[f64],
    sizes: &[f64],
) -> Outcome {
    check.equal("number of functions", found.len(), values.len())?;
    for ((found, value), size) in found.iter().zip(values).zip(sizes) {
        let scale = (setting.degree + 1) as f64 * size * f64::EPSILON;
        let error = (found - value).abs();
        check.error(what, if error == 0.0 { 0.0 } else { error / scale }, &SPLINE)?;
    }
    Ok(())
}

fn nonzero_functions<B: Backend>(_: &B, check: &Check) -> Outcome {
    for_all(setting(), |setting| {
        let basis = setting.basis()?;
        for &x in &setting.points {
            let (first, values) = basis.nonzero_functions(x);
            let expected = setting.functions(x);
            check.equal("first function", first, setting.interval(x))?;
            let mut all = vec![0.0; setting.len()];
            all[first..first + values.len()].copy_from_slice(&values);
            hold(check, "nonzero_functions", &setting, &all, &expected.values, &expected.sizes)?;
        }
        Ok(())
    })
}

fn design_matrix<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(setting(), |setting| {
        let (values, sizes) = setting.matrices();
        let scale = sizes.mapv(|v| (setting.degree + 1) as f64 * v);
        let basis = setting.basis()?;
        let points = host::upload(xp, &setting.points)?;
        for matrix in [basis.design_matrix(&points)?, operator(xp, &setting)?.design_matrix()?] {
            check.equal("shape", matrix.shape(), [setting.points.len(), setting.len()])?;
            check.scaled("design_matrix", &matrix.to_dense()?, &values, &scale, &SPLINE)?;
        }
        Ok(())
    })
}

fn scipy<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for record in reference::records::<f64>("design_matrix")? {
        let (points, breakpoints) = (record.input::<f64>(0)?, record.input::<f64>(1)?);
        let degree = record.number("degree").unwrap_or_default() as usize;
        let setting = Setting { breakpoints: breakpoints.iter().copied().collect(), degree, points };
        let found = setting.basis()?.design_matrix(&host::upload(xp, &setting.points)?)?.to_dense()?;
        let scale = setting.matrices().1.mapv(|v| (degree + 1) as f64 * v);
        // SciPy's last interval is open where ours is closed: the values there are the same.
        check.scaled(&record.title(), &found, &record.output()?, &scale, &SPLINE)?;
    }
    Ok(())
}

/// A setting with coefficients and data for it, in stacks of one shape.
fn with_data() -> impl Strategy<Value = (Setting, Operand<f64>, Operand<f64>)> {
    (setting(), vec(0..4_usize, 0..=2)).prop_flat_map(|(setting, batch)| {
        let fill = Fill::Between(-9.0, 9.0);
        let coefficients = operand_of::<f64>([batch.clone(), vec![setting.len()]].concat(), fill);
        let data = operand_of::<f64>([batch, setting.points.shape().to_vec()].concat(), fill);
        (Just(setting), coefficients, data)
    })
}

/// Sums over the basis functions with the given coefficients, and their scale.
fn evaluated(setting: &Setting, coefficients: &Host<f64>) -> (Host<f64>, Host<f64>) {
    let (values, sizes) = setting.matrices();
    let n = setting.points.ndim();
    let batch = &coefficients.shape()[..coefficients.ndim() - 1];
    let shape = [batch, setting.points.shape()].concat();
    let terms = (2 * setting.degree + 2) as f64;
    let sum = |matrix: &Host<f64>, f: fn(f64) -> f64| {
        host::build(&shape, |index| {
            let (batch, point) = index.split_at(index.len() - n);
            let at = point.iter().zip(setting.points.shape()).fold(0, |at, (&i, &length)| at * length + i);
            let terms =
                (0..setting.len()).map(|k| f(coefficients[IxDyn(&[batch, &[k]].concat())]) * matrix[[at, k]]);
            terms.sum::<f64>()
        })
    };
    (sum(&values, |c| c), sum(&sizes, f64::abs).mapv(|v| terms * v))
}

fn evaluate<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(with_data(), |(setting, coefficients, _)| {
        let operator = operator(xp, &setting)?;
        check.equal("shape of the points", operator.shape(), setting.points.shape())?;
        check.equal("number of functions", operator.functions(), setting.len())?;
        let (expected, scale) = evaluated(&setting, &coefficients.host);
        let found = operator.evaluate(&coefficients.on(xp)?)?;
        check.scaled("evaluate", &found, &expected, &scale, &SPLINE_SUM)?;
        let again = operator.clone().evaluate(&coefficients.on(xp)?)?;
        check.same("a clone", &again, &host::download(&found)?)
    })
}

fn evaluate_add<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(with_data(), |(setting, coefficients, data)| {
        let operator = operator(xp, &setting)?;
        let (mut expected, mut scale) = evaluated(&setting, &coefficients.host);
        expected = host::zip(&expected, &data.host, |a, b| a + b);
        scale = host::zip(&scale, &data.host, |a, b| a + b.abs());
        let coefficients = coefficients.on(xp)?;
        let [mut changed, kept] = data.twice(xp)?;
        operator.evaluate_add(&coefficients, &mut changed)?;
        check.scaled("evaluate_add, shared", &changed, &expected, &scale, &SPLINE_SUM)?;
        check.same("another view of the changed array", &kept, &data.host)?;
        let mut alone = data.on(xp)?;
        operator.evaluate_add(&coefficients, &mut alone)?;
        check.same("evaluate_add, alone", &alone, &host::download(&changed)?)
    })?;
    // The last rows of a longer buffer.
    let setting = Setting { breakpoints: vec![0.0, 1.0], degree: 1, points: host::list(&[0.25, 0.5, 1.0]) };
    let mut rows = Array::ones(xp, &[4, 3])?.slice(array_api::s![2..])?;
    operator(xp, &setting)?
        .evaluate_add(&host::upload(xp, &host::build(&[2, 2], |i| i[1] as f64))?, &mut rows)?;
    check.same("the last rows of a longer buffer", &rows, &host::build(&[2, 3], |i| [1.25, 1.5, 2.0][i[1]]))
}

fn rows<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all((with_data(), any::<[u8; 4]>()), |((setting, coefficients, data), ends)| {
        let operator = operator(xp, &setting)?;
        let ndim = setting.points.ndim();
        if ndim < 2 {
            return check.refused_with(
                "rows of a line of points",
                operator.rows(0..0),
                &["rows", "length 0"],
            );
        }
        let between = |rows: usize, a: u8, b: u8| {
            let ends = [a as usize % (rows + 1), b as usize % (rows + 1)];
            ends[0].min(ends[1])..ends[0].max(ends[1])
        };
        let outer = between(setting.points.shape()[0], ends[0], ends[1]);
        let inner = between(outer.len(), ends[2], ends[3]);
        let part = operator.rows(outer.clone())?.rows(inner.clone())?;
        let rows = outer.start + inner.start..outer.start + inner.end;
        let cut = |x: &Host<f64>, axis: usize| {
            x.slice_axis(ndarray::Axis(axis), ndarray::Slice::from(rows.clone())).to_owned()
        };
        let points = cut(&setting.points, 0);
        check.equal("shape of the points", part.shape(), points.shape())?;
        let some = Setting { points, ..setting.clone() };
        let (expected, scale) = evaluated(&some, &coefficients.host);
        check.scaled("evaluate", &part.evaluate(&coefficients.on(xp)?)?, &expected, &scale, &SPLINE_SUM)?;
        let data = cut(&data.host, data.host.ndim() - ndim);
        let (expected, scale) = projected(&some, &data);
        check.scaled("project", &part.project(&host::upload(xp, &data)?)?, &expected, &scale, &SPLINE_SUM)?;
        let (values, sizes) = some.matrices();
        let scale = sizes.mapv(|v| (some.degree + 1) as f64 * v);
        check.scaled("design_matrix", &part.design_matrix()?.to_dense()?, &values, &scale, &SPLINE)
    })?;
    let setting = Setting { breakpoints: vec![0.0, 1.0], degree: 1, points: host::build(&[3, 2], |_| 0.5) };
    let error = Error::IndexOutOfRange { operation: "SplineOperator::rows", index: 4, length: 3 };
    check.refused("rows beyond the end", operator(xp, &setting)?.rows(2..4), &error)
}

fn long_rows<B: Backend>(xp: &B, check: &Check) -> Outcome {
    // Long runs within one interval, as in an image.
    for degree in 1..=7 {
        let setting = Setting {
            breakpoints: (0..=5).map(f64::from).collect(),
            degree,
            points: host::build(&[4, 603], |i| (i[1] as f64 * 0.0083 + i[0] as f64 * 0.05).min(5.0)),
        };
        let data = host::random::<f64>(&[2, 4, 603], Fill::Between(0.0, 9.0), 1);
        let coefficients = host::random::<f64>(&[2, setting.len()], Fill::Between(-9.0, 9.0), 2);
        let operator = operator(xp, &setting)?;
        let (expected, scale) = projected(&setting, &data);
        check.scaled(
            "project",
            &operator.project(&host::upload(xp, &data)?)?,
            &expected,
            &scale,
            &SPLINE_SUM,
        )?;
        let (expected, scale) = evaluated(&setting, &coefficients);
        let found = operator.evaluate(&host::upload(xp, &coefficients)?)?;
        check.scaled("evaluate", &found, &expected, &scale, &SPLINE_SUM)?;
        // The functions sum to one between the ends.
        let ones = operator.evaluate(&Array::ones(xp, &[setting.len()])?)?;
        let (expected, scale) = evaluated(&setting, &host::build(&[setting.len()], |_| 1.0));
        check.scaled("sum of all functions", &ones, &expected.mapv(|_| 1.0), &scale, &SPLINE_SUM)?;
    }
    Ok(())
}

fn points_that_are_nan<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let points = host::list(&[0.1, f64::NAN, 0.3, 0.9, f64::NAN, 0.9]);
    let setting = Setting { breakpoints: vec![0.0, 0.5, 1.0], degree: 2, points };
    let operator = operator(xp, &setting)?;
    let coefficients = host::list(&[1.0, -2.0, 3.0, 4.0]);
    let found = host::download(&operator.evaluate(&host::upload(xp, &coefficients)?)?)?;
    let known = Setting {
        points: setting
            .points
            .iter()
            .copied()
            .filter(|x| !x.is_nan())
            .collect::<ndarray::Array1<_>>()
            .into_dyn(),
        ..setting.clone()
    };
    let (expected, scale) = evaluated(&known, &coefficients);
    let kept: Vec<f64> = found.iter().copied().filter(|v| !v.is_nan()).collect();
    check.equal(
        "NaN points give NaN",
        found.iter().map(|v| v.is_nan()).collect::<Vec<_>>(),
        setting.points.iter().map(|v| v.is_nan()).collect(),
    )?;
    check.scaled("their neighbours", &Array::from_slice(xp, &kept)?, &expected, &scale, &SPLINE_SUM)
}

fn refuses<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let clamped = |breakpoints: &[f64], degree| BSplineBasis::clamped(breakpoints, degree);
    let words = ["BSplineBasis::clamped", "two breakpoints and degree 1"];
    check.refused_with("no breakpoint", clamped(&[], 1), &words)?;
    check.refused_with("one breakpoint", clamped(&[0.0], 1), &words)?;
    check.refused_with("degree 0", clamped(&[0.0, 1.0], 0), &words)?;
    for bad in
        [[0.0, 0.0], [1.0, 0.0], [0.0, f64::NAN], [f64::NAN, 0.0], [0.0, f64::INFINITY], [f64::MIN, f64::MAX]]
    {
        check.refused_with("bad breakpoints", clamped(&bad, 2), &["finite and increase"])?;
    }
    let points = Array::ones(xp, &[2, 3])?;
    let high = clamped(&[0.0, 1.0], MAX_DEGREE + 1)?;
    check.refused_with("a high degree", high.at(&points), &["degree 16", "above 15"])?;
    require!(clamped(&[0.0, 1.0], MAX_DEGREE)?.at(&points).is_ok(), "the highest degree is refused");
    let operator = clamped(&[0.0, 0.5, 1.0], 2)?.at(&points)?;
    let error = |operation, left: &[usize], right: &[usize]| Error::ShapeMismatch {
        operation,
        left: left.to_vec(),
        right: right.to_vec(),
    };
    let (c, wrong) = (Array::ones(xp, &[5, 4])?, Array::ones(xp, &[5, 3])?);
    check.refused("too few coefficients", operator.evaluate(&wrong), &error("evaluate", &[4], &[5, 3]))?;
    let mut out = Array::zeros(xp, &[2, 3])?;
    let mismatch = error("evaluate_add", &[5, 2, 3], &[2, 3]);
    check.refused("a target without stack", operator.evaluate_add(&c, &mut out), &mismatch)?;
    check.refused("data of another shape", operator.project(&c), &error("project", &[2, 3], &[5, 4]))?;
    let (column, image) =
        (clamped(&[0.0, 1.0], 1)?.at(&Array::ones(xp, &[2, 1])?)?, Array::<f64, B>::ones(xp, &[2, 3])?);
    let mismatch = error("project_kronecker", &[2, 1], &[2, 3]);
    check.refused("columns in two rows", column.project_kronecker(&operator, &image), &mismatch)?;
    let mismatch = error("project_kronecker", &[2, 1], &[2, 3]);
    check.refused(
        "an image of another shape",
        column.project_kronecker(&column.rows(0..1)?, &image),
        &mismatch,
    )
}
