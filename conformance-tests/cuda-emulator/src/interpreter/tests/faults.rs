//! Each kind of fault, and what its message says.

use super::*;

#[track_caller]
fn assert_fault(fault: &Fault, kind: FaultKind, parts: &[&str]) {
    assert_eq!(fault.kind, kind, "{fault}");
    for part in parts {
        assert!(fault.message.contains(part), "{fault} does not say {part}");
    }
    assert!(!fault.message.contains('\n'));
}

#[test]
fn reads_and_writes_outside_of_allocations() {
    let past = fault("add.u64 %d5, %d3, 128; st.global.u32 [%d5], 0; ret;");
    let parts = [
        "kernel k",
        "block (0,0,0)",
        "thread (32,0,0)",
        "`st.global.u32 [%d5], 0;`",
        "0 bytes past the end",
        "out",
    ];
    assert_fault(&past, FaultKind::IllegalAddress, &parts);
    let before = fault("setp.eq.u32 %p1, %r0, 5; @%p1 ld.global.u32 %r2, [%d1+-4]; ret;");
    assert_fault(&before, FaultKind::IllegalAddress, &["thread (5,0,0)", "4 bytes before", "in"]);
    let null = fault("mov.u64 %d5, 0; ld.u32 %r2, [%d5]; ret;");
    assert_fault(&null, FaultKind::IllegalAddress, &["thread (0,0,0)", "at 0x0"]);
    let wide = fault("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d1+256]; ret;");
    assert_fault(&wide, FaultKind::IllegalAddress, &["16 bytes at"]);
}

#[test]
fn shared_local_and_parameter_memory_have_ends() {
    let shared = ".shared .u32 s[8]; mov.u64 %d5, s; add.u64 %d5, %d5, %d2; st.shared.u32 [%d5], 0; ret;";
    assert_fault(
        &fault(shared),
        FaultKind::IllegalAddress,
        &["thread (8,0,0)", "0x20 of the 32 bytes of shared memory"],
    );
    let local =
        ".local .align 16 .b8 l[16]; mov.u64 %d5, l; add.u64 %d5, %d5, %d2; st.local.u32 [%d5], 0; ret;";
    assert_fault(&fault(local), FaultKind::IllegalAddress, &["local memory"]);
    let parameter = "mov.b64 %d5, out; ld.param.u64 %d6, [%d5+16]; ret;";
    assert_fault(&fault(parameter), FaultKind::IllegalAddress, &["16 bytes of parameters"]);
}

#[test]
fn misaligned_addresses() {
    let all = fault("ld.global.u32 %r2, [%d4+2]; ret;");
    assert_fault(&all, FaultKind::Misaligned, &["thread (0,0,0)", "no multiple of 4"]);
    let vector = fault("ld.global.v2.u32 {%r2, %r3}, [%d4]; ret;");
    assert_fault(&vector, FaultKind::Misaligned, &["thread (1,0,0)", "no multiple of 8"]);
    let atomic = fault("atom.global.add.u64 %d5, [%d1+4], 1; ret;");
    assert_fault(&atomic, FaultKind::Misaligned, &["atom.global.add.u64"]);
}

#[test]
fn memory_that_nothing_wrote() {
    let global =
        fault("setp.eq.u32 %p1, %r0, 9; @!%p1 st.global.u32 [%d3], 0; ld.global.u32 %r2, [%d3]; ret;");
    assert_fault(&global, FaultKind::Uninitialized, &["thread (9,0,0)", "byte 36 of the 256 bytes", "out"]);
    let scattered = fault(
        "mul.wide.u32 %d5, %r0, 2; and.b64 %d5, %d5, -4; add.u64 %d5, %d0, %d5; ld.global.u32 %r2, [%d5]; ret;",
    );
    assert_fault(&scattered, FaultKind::Uninitialized, &["thread (0,0,0)"]);
    let same = fault("ld.global.u32 %r2, [%d0+8]; ret;");
    assert_fault(&same, FaultKind::Uninitialized, &["byte 8"]);
    let shared =
        fault(".shared .u32 s[64]; mov.u64 %d5, s; add.u64 %d5, %d5, %d2; ld.shared.u32 %r2, [%d5]; ret;");
    assert_fault(&shared, FaultKind::Uninitialized, &["shared memory"]);
    let local = fault(".local .align 8 .b8 l[8]; st.local.u16 [l], 1; ld.local.u32 %r2, [l]; ret;");
    assert_fault(&local, FaultKind::Uninitialized, &["4 bytes at", "nothing wrote byte", "local memory"]);
    let atomic = fault("atom.global.add.u32 %r2, [%d3], 1; ret;");
    assert_fault(&atomic, FaultKind::Uninitialized, &["thread (0,0,0)"]);
}

#[test]
fn shared_memory_is_new_for_each_block() {
    let body = ".shared .u32 s; mov.u32 %r3, %ctaid.x; setp.eq.u32 %p1, %r3, 0; @%p1 st.shared.u32 [s], 1;
        ld.shared.u32 %r2, [s]; ret;";
    let fault = launch(&kernel(body), 8, 1, &[], 1).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Uninitialized);
}

#[test]
fn use_after_free() {
    let memory = Memory::new(1 << 20);
    let module = Module::parse(&kernel("ld.global.u32 %r2, [%d4]; ret;")).unwrap();
    let address = memory.allocate(4, "old").unwrap();
    memory.write(address, &[0; 4]).unwrap();
    memory.free(address).unwrap();
    let parameters = [[0; 8], address.to_le_bytes()].concat();
    let launch = Launch { grid: [1; 3], block: [1; 3], dynamic_shared: 0, parameters, seed: 0 };
    let fault = run(&module, module.kernel("k").unwrap(), &launch, &memory).unwrap_err();
    assert_fault(&fault, FaultKind::UseAfterFree, &["old", "freed"]);
}

#[test]
fn barriers_that_not_all_threads_reach() {
    let exited = fault("setp.gt.u32 %p1, %r0, 40; @%p1 exit; bar.sync 0; ret;");
    assert_fault(&exited, FaultKind::BarrierDivergence, &["`bar.sync 0;`", "41 of 64", "23 have exited"]);
    let warp = fault("setp.gt.u32 %p1, %r0, 31; @%p1 ret; bar.sync 0; ret;");
    assert_fault(&warp, FaultKind::BarrierDivergence, &["32 of 64", "32 have exited"]);
    let elsewhere = fault("setp.gt.u32 %p1, %r0, 31; @%p1 bra B; bar.sync 0; ret; B: bar.sync 0; ret;");
    assert_fault(&elsewhere, FaultKind::BarrierDivergence, &["32 wait elsewhere"]);
    let half = fault(
        "and.b32 %r2, %r0, 1; setp.eq.u32 %p1, %r2, 1; @%p1 bra B; bar.sync 0; ret; B: bar.sync 0; ret;",
    );
    assert_fault(
        &half,
        FaultKind::BarrierDivergence,
        &["lanes 0xaaaaaaaa of the warp wait here", "0x55555555"],
    );
    let count = fault("setp.gt.u32 %p1, %r0, 31; @%p1 bar.sync 1, 64; ret;");
    assert_fault(&count, FaultKind::BarrierDivergence, &["32 of 64"]);
}

#[test]
fn races_in_shared_memory() {
    // Every thread reads what the one 32 places on wrote, with no barrier between.
    let body = ".shared .align 4 .u32 s[64]; mov.u64 %d5, s; add.u64 %d6, %d5, %d2; st.shared.u32 [%d6], %r0;
        xor.b32 %r3, %r0, 32; mul.wide.u32 %d7, %r3, 4; add.u64 %d7, %d5, %d7; WAIT ld.shared.u32 %r2, [%d7];
        st.global.u32 [%d3], %r2; ret;";
    // Written instead of read, as the warp that runs first would read what nothing wrote.
    let fault = fault(
        &body
            .replace("WAIT", "")
            .replace("ld.shared.u32 %r2, [%d7];", "mov.u32 %r2, 0; st.shared.u32 [%d7], %r0;"),
    );
    assert_fault(&fault, FaultKind::Race, &["st.shared.u32", "wrote byte", "no barrier"]);
    let waits = launch(&kernel(&body.replace("WAIT", "bar.sync 0;")), 1, 64, &[], 64).unwrap();
    assert_eq!(waits.0, (0..64).map(|index| index ^ 32).collect::<Vec<_>>());
    let flag = ".shared .u32 s; st.shared.u32 [s], 1; bar.sync 0; ld.shared.u32 %r2, [s]; st.global.u32 [%d3], %r2; ret;";
    assert_eq!(launch(&kernel(flag), 1, 64, &[], 64).unwrap().0, [1; 64]);
}

#[test]
fn exchanges_that_not_all_lanes_reach() {
    let shuffle = fault(
        "setp.gt.u32 %p1, %r0, 3; @%p1 bra B; shfl.sync.idx.b32 %r2, %r0, 0, 31, -1; ret; B: bar.sync 0; ret;",
    );
    assert_fault(&shuffle, FaultKind::BarrierDivergence, &["0x0000000f", "0xfffffff0"]);
    let stranger = fault("vote.sync.ballot.b32 %r2, 1, 0xFF; ret;");
    assert_fault(&stranger, FaultKind::BarrierDivergence, &["lane 8 is not in its own mask"]);
}

#[test]
fn traps_and_endless_loops() {
    assert_fault(
        &fault("setp.eq.u32 %p1, %r0, 33; @%p1 trap; ret;"),
        FaultKind::Trap,
        &["thread (33,0,0)", "trap"],
    );
    assert_fault(&fault("L: bra.uni L;"), FaultKind::Limit, &["endless"]);
    let text = module(
        ".extern .func __assertfail(.param .b64 a);",
        "{ .param .b64 a; st.param.b64 [a], 0; call.uni __assertfail, (a); } ret;",
    );
    assert_fault(&launch(&text, 1, 1, &[], 1).unwrap_err(), FaultKind::Trap, &["__assertfail"]);
}

#[test]
fn what_is_not_known_is_refused_when_the_module_is_read() {
    for (body, what) in [
        ("wmma.load.a.sync.aligned.row.m16n16k16.f16 {%r1}, [%d1];", "instruction wmma"),
        ("add.rn.f16 %h1, %h2, %h3;", "f16"),
        ("add.s32.wrong %r1, %r2, %r3;", "wrong"),
        ("ld.global.L7.u32 %r1, [%d1];", "modifier .L7"),
        ("cvt.rn.f16.f32 %h1, %f1;", "f16"),
        ("mov.u32 %r1, %pm0;", "register %pm0"),
        ("bar.arrive 0, 64;", "barrier"),
        (".reg .f16 %q;", "type .f16"),
        (".unknown;", "directive .unknown"),
        ("shfl.sync.sideways.b32 %r1, %r2, 1, 31, -1;", "mode of shfl"),
        ("atom.global.add.b32 %r1, [%d1], 1;", "atomic operation"),
    ] {
        let fault = refusal(body);
        assert_fault(&fault, FaultKind::Unsupported, &[what, "line "]);
    }
}

#[test]
fn texts_that_are_not_ptx() {
    for (body, what) in [
        ("add.u32 %r1, %r2", "expected"),
        ("add.u32 %r1, %d2, %r3;", "size"),
        ("bra NOWHERE;", "no label NOWHERE"),
        ("setp.eq.u32 %r1, %r2, %r3;", "no predicate"),
        ("@%r1 ret;", "no predicate"),
        ("st.const.u32 [%d1], 1;", "constant memory"),
        ("call.uni nothing;", "no function nothing"),
    ] {
        assert_fault(&refusal(body), FaultKind::InvalidPtx, &[what, "line "]);
    }
    let undefined = module(".extern .func vprintf();", "call.uni vprintf; ret;");
    let fault = Module::parse(&undefined).err().unwrap();
    assert_fault(&fault, FaultKind::Unsupported, &["vprintf"]);
}
