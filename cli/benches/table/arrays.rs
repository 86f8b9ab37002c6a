//! `array-api` against NumPy and SciPy.

use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;

use crate::Bench;
use crate::cases::{self, Case, Work};
use crate::common::Result;
use crate::report::{Aim, Row, median};

/// OpenBLAS's threads look for more work for about a tenth of a second before they sleep.
const SETTLE: Duration = Duration::from_millis(200);

/// Measures all cases that are wanted.
pub fn measure(bench: &mut Bench) -> Result<()> {
    let all = bench.threads;
    let same = [(1, 1), (all, all)];
    // What NumPy does on one thread, whatever it is told.
    let alone = [(1, 1), (all, 1)];
    for (group, cases, threads, aim) in [
        ("linalg", cases::linear_algebra(), same, Aim::Speed(0.9, 1.1)),
        ("functions", cases::functions(), alone, Aim::Speed(5.0, 8.0)),
        ("elementwise", cases::elementwise(), alone, Aim::Speed(1.0, 2.0)),
        ("sums", cases::sums(), alone, Aim::Speed(1.0, 2.0)),
    ] {
        for case in cases {
            if bench.wants(group, &case.name) {
                measure_case(bench, &case, &threads, aim)?;
            }
        }
    }
    Ok(())
}

/// Measures a case with some numbers of threads of ours and of NumPy's, which take turns.
fn measure_case(bench: &mut Bench, case: &Case, threads: &[(usize, usize)], aim: Aim) -> Result<()> {
    let mut work = (case.prepare)()?;
    let seconds = bench.round_seconds;
    let request = format!("{} {seconds}", case.name);
    for &(ours, theirs) in threads {
        let pool = ThreadPoolBuilder::new().num_threads(ours).build()?;
        let mut times = (Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            if let Some(python) = bench.python(theirs)? {
                times.1.push(python.seconds(&request)?);
                if theirs > 1 {
                    std::thread::sleep(SETTLE);
                }
            }
            times.0.push(pool.install(|| mean(&mut work, seconds))?);
        }
        Row {
            name: format!("{}, threads {ours} / {theirs}", case.name),
            ours: median(times.0),
            other: (!times.1.is_empty()).then(|| median(times.1)),
            aim,
        }
        .print();
    }
    Ok(())
}

/// The mean time of work, done once before, and then for at least so many seconds.
fn mean(work: &mut Work, seconds: f64) -> array_api::Result<f64> {
    work()?;
    let (start, mut count) = (Instant::now(), 0);
    loop {
        work()?;
        count += 1;
        let passed = start.elapsed().as_secs_f64();
        if passed >= seconds {
            return Ok(passed / f64::from(count));
        }
    }
}
