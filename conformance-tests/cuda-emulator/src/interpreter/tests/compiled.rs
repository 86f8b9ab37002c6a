//! Kernels as NVRTC compiles them.

use super::*;

/// Runs `kernel(x, y, n)`.
fn apply<T: bytemuck::Pod>(text: &str, name: &str, x: &[T], results: usize, block: u32) -> Vec<T> {
    let memory = Memory::new(1 << 24);
    let mut module = Module::parse(text).unwrap();
    module.load(&memory).unwrap();
    let bytes: &[u8] = bytemuck::cast_slice(x);
    let from = memory.allocate(bytes.len() as u64, "x").unwrap();
    memory.write(from, bytes).unwrap();
    let to = memory.allocate((results * size_of::<T>()) as u64, "y").unwrap();
    let mut parameters = [from.to_le_bytes(), to.to_le_bytes()].concat();
    parameters.extend((x.len() as u32).to_le_bytes());
    let grid = [(results as u32).div_ceil(block), 1, 1];
    let launch = Launch { grid, block: [block, 1, 1], dynamic_shared: 0, parameters, seed: 3 };
    run(&module, module.kernel(name).unwrap(), &launch, &memory).unwrap();
    let mut y = vec![T::zeroed(); results];
    memory.read(to, bytemuck::cast_slice_mut(&mut y)).unwrap();
    module.unload(&memory).unwrap();
    assert_eq!(memory.live().len(), 2);
    y
}

#[test]
fn the_sine_of_small_and_huge_angles() {
    let mut x: Vec<f64> = (-100..100).map(|step| f64::from(step) * 0.37).collect();
    x.extend([0.0, 1e5, 105_615.5, 1e15, 1e22, -1e300, f64::MAX]);
    let y = apply(include_str!("sine.ptx"), "sine", &x, x.len(), 64);
    for (x, y) in x.iter().zip(y) {
        // CUDA promises 2 ULP (CUDA C++ Programming Guide, mathematical functions), the host's library 1.
        let error = (y - x.sin()).abs() / (x.sin().abs() * f64::EPSILON);
        assert!(error <= 3.0 || y == x.sin(), "sin {x} is {y}, not {}", x.sin());
    }
    let none = apply(include_str!("sine.ptx"), "sine", &[f64::INFINITY, f64::NAN], 2, 32);
    assert!(none.iter().all(|y| y.is_nan()));
}

#[test]
fn the_exponential_in_single_precision() {
    let x: Vec<f32> = (-880..890).map(|step| step as f32 * 0.1).collect();
    let y = apply(include_str!("exponential.ptx"), "exponential", &x, x.len(), 128);
    for (x, y) in x.iter().zip(y) {
        let exact = f64::from(*x).exp();
        if exact > f64::from(f32::MAX) {
            assert_eq!(y, f32::INFINITY);
            continue;
        }
        let unit = f64::from((exact as f32).next_up()) - f64::from(exact as f32);
        assert!((f64::from(y) - exact).abs() <= 2.0 * unit, "exp {x} is {y}, not {exact}");
    }
}

#[test]
fn a_sum_through_shared_memory() {
    let x: Vec<f64> = (1..=1000).map(f64::from).collect();
    assert_eq!(apply(include_str!("sum.ptx"), "sum", &x, 1, 64), [500_500.0]);
}

#[test]
fn a_launch_must_fit_the_kernel() {
    let memory = Memory::new(1 << 20);
    let module = Module::parse(include_str!("sum.ptx")).unwrap();
    let kernel = module.kernel("sum").unwrap();
    assert_eq!(kernel.static_shared(), 512);
    let sizes: Vec<_> =
        kernel.parameters().iter().map(|parameter| (parameter.offset, parameter.size)).collect();
    assert_eq!(sizes, [(0, 8), (8, 8), (16, 4)]);
    let good = Launch { grid: [1; 3], block: [1; 3], dynamic_shared: 0, parameters: vec![0; 20], seed: 0 };
    for bad in [
        Launch { block: [1025, 1, 1], ..good.clone() },
        Launch { block: [0, 1, 1], ..good.clone() },
        Launch { grid: [1, 70_000, 1], ..good.clone() },
        Launch { dynamic_shared: 1 << 20, ..good.clone() },
        Launch { parameters: vec![0; 19], ..good.clone() },
    ] {
        let fault = run(&module, kernel, &bad, &memory).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unsupported, "{fault}");
        assert!(fault.message.contains("sum"), "{fault}");
    }
}
