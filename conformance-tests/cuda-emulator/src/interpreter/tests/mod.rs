//! Small kernels with results that follow from the definition of their instructions.

mod arithmetic;
mod compiled;
mod control;
mod conversion;
mod faults;
mod lanes;
mod memory;

use super::{Counts, Launch, run, run_limited};
use crate::fault::{Fault, FaultKind};
use crate::memory::Memory;
use crate::ptx::Module;

/// A module with one kernel `k(out, in)`, two pointers, that declares registers of all kinds.
fn kernel(body: &str) -> String {
    module("", body)
}

/// The same with other declarations before the kernel.
fn module(declarations: &str, body: &str) -> String {
    format!(
        ".version 8.8\n.target sm_70\n.address_size 64\n{declarations}\n\
         .visible .entry k(.param .u64 out, .param .u64 in)\n{{\n\
         .reg .pred %p<9>; .reg .b16 %h<9>; .reg .b32 %r<20>; .reg .b64 %d<20>; .reg .f32 %f<9>; .reg .f64 %g<9>;\n\
         ld.param.u64 %d0, [out]; ld.param.u64 %d1, [in];\n\
         mov.u32 %r0, %tid.x; mul.wide.u32 %d2, %r0, 4; add.u64 %d3, %d0, %d2; add.u64 %d4, %d1, %d2;\n\
         {body}\n}}\n"
    )
}

/// Runs kernel `k` of a text on 32-bit words: `inputs` at `in`, room for `outputs` at `out`.
fn launch(
    text: &str,
    grid: u32,
    block: u32,
    inputs: &[u32],
    outputs: usize,
) -> Result<(Vec<u32>, Counts), Fault> {
    let memory = Memory::new(1 << 24);
    let mut module = Module::parse(text)?;
    module.load(&memory)?;
    let out = memory.allocate(4 * outputs as u64, "out").unwrap();
    let from = memory.allocate(4 * inputs.len().max(1) as u64, "in").unwrap();
    memory.write(from, bytemuck::cast_slice(inputs))?;
    let parameters = [out.to_le_bytes(), from.to_le_bytes()].concat();
    let launch = Launch { grid: [grid, 1, 1], block: [block, 1, 1], dynamic_shared: 0, parameters, seed: 7 };
    let counts = run_limited(&module, module.kernel("k").unwrap(), &launch, &memory, 1 << 20)?;
    let mut results = vec![0_u32; outputs];
    memory.read(out, bytemuck::cast_slice_mut(&mut results))?;
    Ok((results, counts))
}

/// What one warp leaves in `out`, a word a thread.
fn warp(body: &str, inputs: &[u32]) -> Vec<u32> {
    let text = kernel(&format!("ld.global.u32 %r1, [%d4];\n{body}\nst.global.u32 [%d3], %r2;\nret;"));
    let (results, _) = launch(&text, 1, inputs.len() as u32, inputs, inputs.len()).unwrap();
    results
}

/// The fault of a kernel with 64 threads, 64 words of input and 64 of output.
fn fault(body: &str) -> Fault {
    launch(&kernel(body), 1, 64, &[1; 64], 64).unwrap_err()
}

/// The fault of a text that is not read.
fn refusal(body: &str) -> Fault {
    Module::parse(&kernel(body)).err().unwrap()
}
