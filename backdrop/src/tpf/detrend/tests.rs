use array_api::Cpu;

use super::*;

/// Two series of the same variance that are orthogonal to one another and to a constant.
fn waves(count: usize) -> Array2<f64> {
    let phase = |i: usize| 2.0 * std::f64::consts::PI * i as f64 / count as f64;
    Array2::from_shape_fn((count, 2), |(i, j)| if j == 0 { phase(i).sin() } else { (3.0 * phase(i)).cos() })
}

#[test]
fn an_orthogonal_component_is_taken_off_but_for_lambda() {
    let design = standardized(waves(40));
    // Mean 0 and variance 1, orthogonal: X^T X / n is the identity.
    let gram = design.t().dot(&design) / 40.0;
    assert!((gram - Array2::<f64>::eye(2)).iter().all(|entry| entry.abs() < 1e-14));
    let flux = 5.0 * &design.column(0);
    let trend = ridge(&Cpu::new(), &design, &flux).unwrap();
    for (trend, flux) in trend.iter().zip(&flux) {
        assert!((trend - flux / 1.001).abs() < 1e-13, "{trend} {flux}");
    }
}

#[test]
fn what_does_not_go_with_a_component_stays() {
    let design = standardized(waves(40)).select(Axis(1), &[0]);
    let flux = waves(40).column(1).to_owned();
    let trend = ridge(&Cpu::new(), &design, &flux).unwrap();
    assert!(trend.iter().all(|trend| trend.abs() < 1e-14));
}

#[test]
fn constant_columns_do_nothing() {
    let design = standardized(Array2::from_elem((7, 1), 0.1));
    assert!(design.iter().all(|&value| value == 0.0));
    let flux = Array1::linspace(-1.0, 1.0, 7);
    assert_eq!(ridge(&Cpu::new(), &design, &flux).unwrap(), [0.0; 7]);
}
