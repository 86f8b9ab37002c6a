//! Products, factorizations, solves, and bilinear forms at the sizes of the background model, and
//! eigenvalues. An "element" is a floating point operation: criterion's Gelem/s are GFLOP/s.
//!
//! `cargo bench -p array-api --bench linalg`; `RAYON_NUM_THREADS` sets the threads.

use array_api::{Array, Cpu, Csr, Result, linalg};
use criterion::{Criterion, criterion_group, criterion_main};

mod cases;
mod measure;

use cases::{Case, UNKNOWNS, Work, positive_definite, spread};
use measure::measure;

/// Entries of a row at equal distances, with another beginning in each row.
fn sparse(rows: usize, entries: usize) -> Result<Csr<f64, Cpu>> {
    let indptr = (0..=rows).map(|row| (row * entries) as i32).collect();
    let column = |i: usize| ((i / entries * 37 + i % entries * 223) % UNKNOWNS) as i32;
    let columns = (0..rows * entries).map(column).collect();
    let values = spread(&[rows, entries], -1.0, 1.0)?.to_vec()?;
    Csr::new(&Cpu::new(), [rows, UNKNOWNS], indptr, columns, values)
}

/// What the program does besides what is measured against NumPy.
fn others() -> Vec<Case> {
    let n = UNKNOWNS;
    let inverse = move || {
        let factor = linalg::cho_factor(&positive_definite(n)?)?;
        let eye = Array::eye(&Cpu::new(), n, None, 0)?;
        Ok(Box::new(move || factor.solve(&eye).map(drop)) as Work)
    };
    let (rows, entries) = (4096, 14);
    let bilinear = move || {
        let (matrix, sparse) = (positive_definite(n)?, sparse(rows, entries)?);
        Ok(Box::new(move || sparse.bilinear(&matrix, &sparse).map(drop)) as Work)
    };
    let eigenvalues = || {
        let matrix = spread::<f64>(&[512, 512], -1.0, 1.0)?;
        Ok(Box::new(move || linalg::eigh(&matrix).map(drop)) as Work)
    };
    vec![
        Case::new(format!("cho_solve {n} x {n}"), 2 * n.pow(3), inverse),
        Case::new(format!("bilinear {rows} x {entries}, {n}"), 2 * rows * entries * (entries + 1), bilinear),
        // The operations of the reduction to tridiagonal form and of its way back.
        Case::new("eigh 512".into(), 10 * 512_usize.pow(3) / 3, eigenvalues),
    ]
}

fn linear_algebra(criterion: &mut Criterion) {
    measure(criterion, "linalg", cases::linear_algebra());
    measure(criterion, "linalg", others());
}

criterion_group!(benches, linear_algebra);
criterion_main!(benches);
