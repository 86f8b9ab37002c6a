//! Functions, sums, products and choices of images of 2048 x 2048 elements, and sums over either axis,
//! each giving a new array.
//!
//! `cargo bench -p array-api --bench elementwise`; `RAYON_NUM_THREADS` sets the threads. The benchmark
//! `math` has the functions alone, on one thread, without the memory that whole images take.

use criterion::{Criterion, criterion_group, criterion_main};

mod cases;
mod measure;

use measure::measure;

fn elementwise(criterion: &mut Criterion) {
    measure(criterion, "functions", cases::functions());
    measure(criterion, "elementwise", cases::elementwise());
    measure(criterion, "sums", cases::sums());
}

criterion_group!(benches, elementwise);
criterion_main!(benches);
