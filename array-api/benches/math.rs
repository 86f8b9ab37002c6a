//! The vectorised elementwise functions on one thread, beside the standard library's.
//!
//! Each runs on 4 million elements, the size of a detector's image, in chunks that stay in the
//! second-level cache.

use array_api::{Array, Cpu, Float, Result};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Elements of a chunk: few enough for an operation to stay on the calling thread, and for its
/// result to come from the allocator's free lists instead of fresh pages.
const CHUNK: usize = 8 * 1024;
const CHUNKS: usize = 512;

/// Arguments spread evenly over `low..high`, in an order that no branch predictor can learn.
fn arguments<T: Float>(low: f64, high: f64) -> Vec<Array<T, Cpu>> {
    let golden = 0.618_033_988_749_894_9;
    let value = |i: usize| T::from_f64(low + (high - low) * (i as f64 * golden).fract());
    (0..CHUNKS)
        .map(|chunk| {
            Array::from_vec(&Cpu::new(), (0..CHUNK).map(|i| value(chunk * CHUNK + i)).collect(), &[CHUNK])
        })
        .collect::<Result<_>>()
        .expect("the memory of the arguments")
}

fn compare<T: Float>(
    criterion: &mut Criterion,
    name: &str,
    (low, high): (f64, f64),
    ours: impl Fn(&Array<T, Cpu>) -> Result<Array<T, Cpu>>,
    standard: impl Fn(T) -> T,
) {
    let chunks = arguments::<T>(low, high);
    let values: Vec<Vec<T>> =
        chunks.iter().map(Array::to_vec).collect::<Result<_>>().expect("the memory of a copy");
    let mut group = criterion.benchmark_group(format!("{name} {}", T::DTYPE));
    group.throughput(Throughput::Elements((CHUNK * CHUNKS) as u64)).sample_size(10);
    group.bench_function("array-api", |bencher| {
        bencher.iter(|| {
            for chunk in &chunks {
                std::hint::black_box(ours(chunk).expect("the memory of a chunk"));
            }
        });
    });
    group.bench_function("std", |bencher| {
        bencher.iter(|| {
            for chunk in &values {
                std::hint::black_box(chunk.iter().map(|&x| standard(x)).collect::<Vec<T>>());
            }
        });
    });
    group.finish();
}

fn all_functions<T: Float>(criterion: &mut Criterion) {
    let flux = (1e-5, 1e3);
    let magnitude = (-3.0, 3.0);
    let ten = T::from_f64(10.0);
    let power = T::from_f64(1.7);
    compare::<T>(criterion, "log10", flux, Array::log10, num_traits::Float::log10);
    compare::<T>(criterion, "exp10", magnitude, Array::exp10, |x| num_traits::Float::powf(ten, x));
    compare::<T>(criterion, "exp", magnitude, Array::exp, num_traits::Float::exp);
    compare::<T>(criterion, "ln", flux, Array::log, num_traits::Float::ln);
    compare::<T>(criterion, "pow", flux, |x| x.pow_scalar(power), |x| num_traits::Float::powf(x, power));
}

fn functions(criterion: &mut Criterion) {
    all_functions::<f64>(criterion);
    all_functions::<f32>(criterion);
}

criterion_group!(benches, functions);
criterion_main!(benches);
