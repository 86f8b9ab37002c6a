//! Products, factorizations, solves, and bilinear forms at the sizes of the background model, and
//! eigenvalues, in GFLOP/s.
//!
//! `cargo bench -p array-api --bench linalg`; `RAYON_NUM_THREADS` sets the threads.

use std::time::Instant;

use array_api::{Array, Cpu, Csr, Result, linalg};

/// The best of a few runs, in seconds.
fn best(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut shortest = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        work()?;
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    Ok(shortest)
}

/// Numbers between -1 and 1 without a pattern.
fn matrix(xp: &Cpu, rows: usize, columns: usize) -> Result<Array<f64, Cpu>> {
    let golden = 0.618_033_988_749_894_9;
    let data = (0..rows * columns).map(|i| 2.0 * (i as f64 * golden).fract() - 1.0).collect();
    Array::from_vec(xp, data, &[rows, columns])
}

fn main() -> Result<()> {
    let xp = Cpu::new();
    let show = |name: &str, operations: f64, seconds: f64| {
        println!("{name:34} {:8.1} ms {:8.1} GFLOP/s", seconds * 1e3, operations / seconds * 1e-9);
    };
    let n = 2048;
    let (a, b) = (matrix(&xp, n, n)?, matrix(&xp, n, n)?);
    show("matmul 2048 x 2048 x 2048", 2.0 * (n as f64).powi(3), best(|| a.matmul(&b).map(drop))?);

    let n = 3122;
    let symmetric = matrix(&xp, n, n)?;
    let symmetric = (&symmetric + &symmetric.matrix_transpose()?)?;
    let a = (&symmetric + &(2.0 * n as f64 * &Array::eye(&xp, n, None, 0)?)?)?;
    show("cholesky 3122", (n as f64).powi(3) / 3.0, best(|| linalg::cholesky(&a).map(drop))?);
    let factor = linalg::cho_factor(&a)?;
    for columns in [1, 16, 64] {
        let b = matrix(&xp, n, columns)?;
        let operations = 2.0 * (n * n * columns) as f64;
        let name = format!("cho_solve 3122, {columns} right-hand sides");
        show(&name, operations, best(|| factor.solve(&b).map(drop))?);
    }
    let start = Instant::now();
    let inverse = factor.solve(&Array::eye(&xp, n, None, 0)?)?;
    let name = format!("cho_solve 3122, {n} right-hand sides");
    show(&name, 2.0 * (n as f64).powi(3), start.elapsed().as_secs_f64());

    // Entries of a row at equal distances, with another beginning in each row.
    let (rows, entries) = (4096, 14);
    let indptr = (0..=rows).map(|row| (row * entries) as i32).collect();
    let columns = (0..rows * entries).map(|i| ((i / entries * 37 + i % entries * 223) % n) as i32);
    let values = matrix(&xp, rows, entries)?.to_vec()?;
    let sparse = Csr::new(&xp, [rows, n], indptr, columns.collect(), values)?;
    let operations = 2.0 * (rows * entries * (entries + 1)) as f64;
    show("bilinear 4096 x 14, 3122", operations, best(|| sparse.bilinear(&inverse, &sparse).map(drop))?);

    // The operations of the reduction to tridiagonal form and of its way back.
    let n = 512;
    let small = matrix(&xp, n, n)?;
    let operations = (4.0 / 3.0 + 2.0) * (n as f64).powi(3);
    show("eigh 512", operations, best(|| linalg::eigh(&small).map(drop))?);
    Ok(())
}
