//! The hot loops, small, for their instructions to be counted.
//!
//! `cargo xtask instructions` runs each of them under valgrind and compares what it counts with
//! `counts.txt`. Alone, this program prints the names of the loops, or runs the one that it is given:
//! once for everything that is set up at first use, and once in [`counted_instructions`], which valgrind looks
//! for. Everything runs on one thread.

mod arrays;
mod model;

use std::hint::black_box;

/// An error that another thread may report.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Something to be counted.
struct Loop {
    /// How many units of work it does.
    units: usize,
    /// What a unit is.
    unit: &'static str,
    work: Box<dyn FnMut() -> Result<()>>,
}

impl Loop {
    fn new<T, E: Into<Error>>(
        units: usize,
        unit: &'static str,
        mut work: impl FnMut() -> std::result::Result<T, E> + 'static,
    ) -> Result<Self> {
        let work = move || work().map(|result| drop(black_box(result))).map_err(Into::into);
        Ok(Self { units, unit, work: Box::new(work) })
    }
}

/// The names of loops, and what prepares each.
type Table = [(&'static str, fn() -> Result<Loop>)];

fn main() -> Result<()> {
    let loops = || arrays::LOOPS.iter().chain(model::LOOPS);
    // Cargo says that it runs a benchmark.
    let Some(name) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        loops().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let (_, prepare) = loops().find(|(other, _)| *other == name).ok_or("there is no such loop")?;
    check_processor()?;
    rayon::ThreadPoolBuilder::new().num_threads(1).build()?.install(|| {
        let Loop { units, unit, mut work } = prepare()?;
        work()?;
        counted_instructions(&mut *work)?;
        println!("{units} {unit}");
        Ok(())
    })
}

/// What valgrind counts. A name of its own, called once.
#[inline(never)]
fn counted_instructions(work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    black_box(work())
}

/// Refuses a processor on which other code would run. Valgrind knows nothing of AVX-512, so that the code for AVX2
/// is what is left on all that have it.
fn check_processor() -> Result<()> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return Ok(());
    }
    Err("instructions are counted on x86-64 processors with AVX2 and FMA only".into())
}
