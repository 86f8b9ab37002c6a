//! The program as it is run: its start, a fit of a cut-out, and a window of a model.
//!
//! `cargo bench -p backdrop-cli --bench program`

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

use common::PROGRAM;

/// Runs the program, from its start to its end.
fn run(arguments: &[&str], paths: [(&str, &Path); 2]) {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdout(Stdio::null());
    for (flag, path) in paths {
        command.args(Some(flag).filter(|flag| !flag.is_empty())).arg(path);
    }
    let status = command.status().expect("the program is built");
    assert!(status.success(), "{command:?}: {status}");
}

fn program(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let (frames, out) = (dir.path().join("frames"), dir.path().join("models"));
    let model = dir.path().join("window.fits");
    let mut group = criterion.benchmark_group("program");
    group.sample_size(10);
    common::frames(&frames, 4).expect("frames");
    let fit = ["fit", "--overwrite", "--cutout-size", "128"];
    group.bench_function("fit of 4 frames, 128 x 128", |bencher| {
        bencher.iter(|| run(&fit, [("--in-dir", &frames), ("--out-dir", &out)]));
    });
    let sector = common::model(dir.path(), 1200).expect("a model");
    let window = ["model", "--overwrite", "--rows", "1000..1020", "--columns", "1000..1020"];
    group.bench_function("model of 20 x 20 pixels, 1200 frames", |bencher| {
        bencher.iter(|| run(&window, [("", &sector), ("--out", &model)]));
    });
    group.finish();
}

criterion_group!(benches, program);
criterion_main!(benches);
