//! Loads, stores and atomics in all state spaces.

use super::*;

#[test]
fn vectors_and_narrow_words() {
    let body =
        "ld.global.v4.u8 {%h1, %h2, %h3, %h4}, [%d4]; mov.b32 %r2, {%h4, %h1}; mov.b32 %r3, {%h2, %h3};
        xor.b32 %r2, %r2, %r3; st.global.u32 [%d3], %r2; ret;";
    let (results, _) = launch(&kernel(body), 1, 2, &[0x0403_0201, 0xFF00_00FF], 2).unwrap();
    assert_eq!(results, [0x0004 ^ 0x0002 | (1 ^ 3) << 16, 0x00FF | 0x00FF << 16]);
    let signed =
        "ld.global.s8 %r2, [%d4]; ld.global.s16 %d5, [%d4]; cvt.u32.u64 %r3, %d5; sub.u32 %r2, %r2, %r3;
        st.global.u32 [%d3], %r2; ret;";
    assert_eq!(launch(&kernel(signed), 1, 1, &[0x80FF], 1).unwrap().0, [0x7F00]);
    let pairs = "mul.wide.u32 %d5, %r0, 8; add.u64 %d6, %d1, %d5; add.u64 %d7, %d0, %d5;
        ld.global.nc.v2.u32 {%r3, %r4}, [%d6]; st.global.v2.u32 [%d7], {%r4, %r3}; ret;";
    let inputs: Vec<u32> = (0..64).collect();
    let (results, counts) = launch(&kernel(pairs), 1, 32, &inputs, 64).unwrap();
    assert_eq!(results, inputs.iter().map(|index| index ^ 1).collect::<Vec<_>>());
    assert_eq!((counts.bytes_read, counts.bytes_written), (256, 256));
}

#[test]
fn adjacent_equal_and_scattered_addresses() {
    let inputs: Vec<u32> = (0..32).map(|index| index * index).collect();
    assert_eq!(warp("mov.u32 %r2, %r1;", &inputs), inputs);
    assert_eq!(warp("ld.global.u32 %r2, [%d1+12];", &inputs), [9; 32]);
    let reversed =
        "sub.u32 %r3, 31, %r0; mul.wide.u32 %d5, %r3, 4; add.u64 %d5, %d1, %d5; ld.global.u32 %r2, [%d5];";
    assert_eq!(warp(reversed, &inputs), inputs.iter().rev().copied().collect::<Vec<_>>());
    // A warp whose lanes read from two allocations.
    let both =
        "and.b32 %r3, %r0, 1; setp.eq.u32 %p1, %r3, 1; st.global.u32 [%d3], 7; selp.b64 %d5, %d3, %d4, %p1;
        ld.global.u32 %r2, [%d5];";
    let expected = (0..32).map(|index| if index % 2 == 1 { 7 } else { index * index });
    assert_eq!(warp(both, &inputs), expected.collect::<Vec<_>>());
}

const VARIABLES: &str = "
    .const .align 4 .b8 table[8] = {1, 0, 0, 0, 2, 0, 0, 0};
    .global .u32 counter = 40;
    .global .align 4 .u32 zeros[4];
    .global .u64 pointer = generic(counter);
    .shared .align 4 .u32 tile[64];";

#[test]
fn variables_of_the_module() {
    let body = "ld.const.u32 %r2, [table+4]; ld.global.u32 %r3, [counter]; add.u32 %r2, %r2, %r3;
        ld.global.u32 %r3, [zeros+12]; add.u32 %r2, %r2, %r3; ld.global.u64 %d5, [pointer]; ld.u32 %r3, [%d5];
        mad.lo.u32 %r2, %r3, 1000, %r2; st.global.u32 [%d3], %r2; ret;";
    assert_eq!(launch(&module(VARIABLES, body), 1, 2, &[], 2).unwrap().0, [40_042; 2]);
}

#[test]
fn generic_addresses() {
    // Half of the threads go to shared, the others to local memory.
    let body = ".local .align 8 .b8 depot[16];
        mov.u64 %d5, depot; cvta.local.u64 %d5, %d5; add.u64 %d5, %d5, 4;
        mov.u64 %d6, tile; cvta.shared.u64 %d6, %d6; add.u64 %d6, %d6, %d2;
        setp.lt.u32 %p1, %r0, 16; selp.b64 %d7, %d5, %d6, %p1;
        mul.lo.u32 %r3, %r0, 3; st.u32 [%d7], %r3; ld.u32 %r4, [%d7];
        isspacep.shared %p2, %d7; selp.u32 %r5, 1000, 0, %p2; isspacep.global %p3, %d0; @!%p3 mov.u32 %r5, 5;
        cvta.to.shared.u64 %d8, %d6; @%p2 ld.shared.u32 %r4, [%d8];
        add.u32 %r2, %r4, %r5; st.u32 [%d3], %r2; ret;";
    let (results, counts) = launch(&module(VARIABLES, body), 1, 32, &[], 32).unwrap();
    assert_eq!(
        results,
        (0..32).map(|index| index * 3 + if index < 16 { 0 } else { 1000 }).collect::<Vec<_>>()
    );
    assert_eq!(counts.bytes_written, 128);
}

#[test]
fn atomics() {
    let run = |instruction: &str, start: u32| {
        let body = format!(
            "cvt.rn.f32.u32 %f1, %r0; {instruction}
             setp.ne.u32 %p1, %r0, 0; bar.sync 0; ld.global.u32 %r2, [%d1]; st.global.u32 [%d3], %r2; ret;"
        );
        launch(&kernel(&body), 1, 40, &[start], 40).unwrap().0[0]
    };
    assert_eq!(run("atom.global.add.u32 %r3, [%d1], %r0;", 5), 785);
    assert_eq!(run("red.global.add.f32 [%d1], %f1;", 1.0_f32.to_bits()), 781.0_f32.to_bits());
    assert_eq!(run("atom.min.s32 %r3, [%d1], %r0;", u32::MAX), u32::MAX);
    assert_eq!(run("atom.global.max.u32 %r3, [%d1], %r0;", 3), 39);
    assert_eq!(run("atom.global.inc.u32 %r3, [%d1], 8;", 0), 40 % 9);
    assert_eq!(run("atom.global.dec.u32 %r3, [%d1], 8;", 0), 5);
    assert_eq!(run("red.global.or.b32 [%d1], %r0;", 64), 127);
    assert_eq!(run("atom.global.exch.b32 %r3, [%d1], 9;", 1), 9);
    assert_eq!(run("atom.global.cas.b32 %r3, [%d1], %r0, 100;", 7), 100);
    assert_eq!(run("atom.global.cas.b32 %r3, [%d1], %r0, 100;", 70), 70);
    // The old values are those of some order: each once.
    let body = "atom.global.add.u32 %r2, [%d1], 1; st.global.u32 [%d3], %r2; ret;";
    let mut tickets = launch(&kernel(body), 1, 64, &[0], 64).unwrap().0;
    tickets.sort_unstable();
    assert_eq!(tickets, (0..64).collect::<Vec<_>>());
}

#[test]
fn atomics_in_shared_memory() {
    let body = "mov.u64 %d5, tile; setp.eq.u32 %p1, %r0, 0; @%p1 st.shared.u64 [%d5], 0; bar.sync 0;
        cvt.u64.u32 %d6, %r0; atom.shared.add.u64 %d7, [%d5], %d6; bar.sync 0; ld.shared.u32 %r2, [%d5];
        st.global.u32 [%d3], %r2; ret;";
    assert_eq!(
        launch(&module(&VARIABLES.replace("align 4 .u32 tile", "align 8 .u32 tile"), body), 1, 64, &[], 64)
            .unwrap()
            .0,
        [2016; 64]
    );
}

#[test]
fn shared_memory_of_the_launch() {
    let text = module(
        ".shared .align 4 .u32 fixed; .extern .shared .align 16 .b8 extra[];",
        "mov.u32 %r3, fixed; mov.u32 %r4, extra; sub.u32 %r2, %r4, %r3; mov.u32 %r5, %dynamic_smem_size;
         mad.lo.u32 %r2, %r5, 100, %r2; add.u32 %r4, %r4, %r5; st.shared.u32 [%r4+-4], 1; st.global.u32 [%d0], %r2; ret;",
    );
    let memory = Memory::new(1 << 20);
    let module = Module::parse(&text).unwrap();
    let out = memory.allocate(4, "out").unwrap();
    let launch = Launch {
        grid: [1; 3],
        block: [1; 3],
        dynamic_shared: 64,
        parameters: [out.to_le_bytes(), [0; 8]].concat(),
        seed: 1,
    };
    let kernel = module.kernel("k").unwrap();
    assert_eq!(kernel.static_shared(), 16);
    run(&module, kernel, &launch, &memory).unwrap();
    let mut result = [0; 4];
    memory.read(out, &mut result).unwrap();
    assert_eq!(u32::from_le_bytes(result), 6416);
}
