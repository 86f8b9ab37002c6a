//! Cases as benchmarks of criterion.

use criterion::{Criterion, Throughput};

use crate::cases::Case;

/// Measures some cases as one group.
pub fn measure(criterion: &mut Criterion, group: &str, cases: Vec<Case>) {
    let mut group = criterion.benchmark_group(group);
    group.sample_size(10);
    for Case { name, operations, prepare } in cases {
        group.throughput(Throughput::Elements(operations));
        // The operands are made only if the case is asked for.
        let mut work = None;
        group.bench_function(name, |bencher| {
            let work = work.get_or_insert_with(|| prepare().expect("the memory of the operands"));
            bencher.iter(|| work().expect("the memory of the result"));
        });
    }
    group.finish();
}
