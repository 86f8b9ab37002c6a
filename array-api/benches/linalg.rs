//! Products, factorizations and solves at the sizes of the background model, in GFLOP/s.
//!
//! `cargo bench -p array-api --bench linalg`; `RAYON_NUM_THREADS` sets the threads.

use std::time::Instant;

use array_api::{Array, Cpu, Result, linalg};

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
    Ok(())
}
