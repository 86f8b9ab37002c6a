//! Sums of data times basis functions.

use ndarray::IxDyn;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};

use super::{Setting, operator, setting, with_data};
use crate::testing::{Backend, Case, Check, Fill, Host, Operand, Outcome, cases, for_all, host, operand_of};
use crate::tolerance::SPLINE_SUM;

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["spline": project, project_kronecker]
}

/// Sums over the points of data times basis functions, and their scale.
pub(super) fn projected(setting: &Setting, data: &Host<f64>) -> (Host<f64>, Host<f64>) {
    let (values, sizes) = setting.matrices();
    let points = setting.points.len();
    let batch = &data.shape()[..data.ndim() - setting.points.ndim()];
    let count: usize = batch.iter().product();
    let flat = host::of_elements(&[count, points], host::elements(data));
    let terms = (points + setting.degree + 1) as f64;
    let shape = [batch, &[setting.len()]].concat();
    let spread = |sums: Host<f64>| host::of_elements(&shape, host::elements(&sums));
    let (sums, _) = host::matmul(&flat, &values);
    let (_, scale) = host::matmul(&flat, &sizes);
    (spread(sums), spread(scale.mapv(|v| terms * v)))
}

fn project<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(with_data(), |(setting, _, data)| {
        let found = operator(xp, &setting)?.project(&data.on(xp)?)?;
        let (expected, scale) = projected(&setting, &data.host);
        check.scaled("project", &found, &expected, &scale, &SPLINE_SUM)
    })
}

/// Two bases, points of the first in a column and of the second in a row, some rows, and data.
pub(super) fn pair() -> impl Strategy<Value = (Setting, Setting, std::ops::Range<usize>, Operand<f64>)> {
    let batch = vec(0..3_usize, 0..=2);
    (setting(), setting(), any::<[u8; 2]>(), batch).prop_flat_map(|(mut y, mut x, ends, batch)| {
        let (rows, columns) = (y.points.len(), x.points.len());
        y.points = host::build(&[rows, 1], |i| y.points.iter().nth(i[0]).copied().unwrap_or(f64::NAN));
        x.points = host::build(&[columns], |i| x.points.iter().nth(i[0]).copied().unwrap_or(f64::NAN));
        let ends = ends.map(|end| end as usize % (rows + 1));
        let range = ends[0].min(ends[1])..ends[0].max(ends[1]);
        let data = operand_of::<f64>([batch, vec![range.len(), columns]].concat(), Fill::Between(-9.0, 9.0));
        (Just(y), Just(x), Just(range), data)
    })
}

fn project_kronecker<B: Backend>(xp: &B, check: &Check) -> Outcome {
    for_all(pair(), |(y, x, range, data)| {
        let found = operator(xp, &y)?.rows(range.clone())?;
        let found = found.project_kronecker(&operator(xp, &x)?, &data.on(xp)?)?;
        let (rows, columns) = (range.len(), x.points.len());
        let shape = [&data.host.shape()[..data.host.ndim() - 2], &[y.len(), x.len()]].concat();
        let sums = |of_y: &Host<f64>, of_x: &Host<f64>, f: fn(f64) -> f64| {
            host::build(&shape, |index| {
                let (batch, functions) = index.split_at(index.len() - 2);
                let pixels = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
                let terms = pixels.map(|(row, column)| {
                    let datum = data.host[IxDyn(&[batch, &[row, column]].concat())];
                    of_y[[range.start + row, functions[0]]] * f(datum) * of_x[[column, functions[1]]]
                });
                terms.sum::<f64>()
            })
        };
        let ((of_y, sizes_y), (of_x, sizes_x)) = (y.matrices(), x.matrices());
        let terms = (rows * columns + y.degree + x.degree + 2) as f64;
        let scale = sums(&sizes_y, &sizes_x, f64::abs).mapv(|v| terms * v);
        check.scaled("project_kronecker", &found, &sums(&of_y, &of_x, |v| v), &scale, &SPLINE_SUM)
    })?;
    // An image, whose rows and columns have many points between two knots.
    let setting = |breakpoints: i32, shape: &[usize]| Setting {
        breakpoints: (0..=breakpoints).map(f64::from).collect(),
        degree: 2,
        points: host::build(shape, |i| i[0] as f64 * f64::from(breakpoints) / shape[0] as f64),
    };
    let (y, x) = (setting(3, &[37, 1]), setting(4, &[203]));
    let image = host::random::<f64>(&[37, 203], Fill::Between(0.0, 9.0), 3);
    let found = operator(xp, &y)?.project_kronecker(&operator(xp, &x)?, &host::upload(xp, &image)?)?;
    let product = |of_y: &Host<f64>, of_x: &Host<f64>| {
        host::matmul(&host::matmul(&of_y.t().to_owned(), &image).0, of_x).0
    };
    let ((of_y, sizes_y), (of_x, sizes_x)) = (y.matrices(), x.matrices());
    let scale = product(&sizes_y, &sizes_x).mapv(|v| (37.0 * 203.0) * v);
    check.scaled("project_kronecker of an image", &found, &product(&of_y, &of_x), &scale, &SPLINE_SUM)
}
