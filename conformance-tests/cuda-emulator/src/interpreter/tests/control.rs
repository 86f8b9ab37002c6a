use super::*;

#[test]
fn threads_part_and_meet_again() {
    // Each thread halves or triples its number until it is 1, and counts the steps (Collatz).
    let body = "mov.u32 %r2, 0;
        LOOP: setp.eq.u32 %p1, %r1, 1; @%p1 bra DONE;
        and.b32 %r3, %r1, 1; setp.eq.u32 %p2, %r3, 0; @%p2 bra EVEN;
        mad.lo.u32 %r1, %r1, 3, 1; bra.uni NEXT;
        EVEN: shr.u32 %r1, %r1, 1;
        NEXT: add.u32 %r2, %r2, 1; bra.uni LOOP;
        DONE:";
    let steps = |mut n: u32| {
        let mut count = 0;
        while n != 1 {
            n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
            count += 1;
        }
        count
    };
    let inputs: Vec<u32> = (1..=32).collect();
    assert_eq!(warp(body, &inputs), inputs.iter().map(|&n| steps(n)).collect::<Vec<_>>());
    assert_eq!(warp(body, &[27]), [111]);
}

#[test]
fn guards_hold_back_single_threads() {
    let body = "setp.gt.u32 %p1, %r1, 5; mov.u32 %r2, 0; @%p1 mov.u32 %r2, 1; @!%p1 add.u32 %r2, %r2, 2;";
    assert_eq!(warp(body, &[1, 9, 5, 6]), [2, 1, 2, 1]);
}

#[test]
fn a_table_of_targets() {
    let body = "mov.u32 %r2, 7;
        TABLE: .branchtargets A, B, C;
        brx.idx %r1, TABLE;
        A: add.u32 %r2, %r2, 1;
        B: add.u32 %r2, %r2, 10; bra.uni D;
        C: mov.u32 %r2, 0;
        D:";
    assert_eq!(warp(body, &[0, 1, 2, 1]), [18, 17, 0, 17]);
    let fault = launch(&kernel(&format!("mov.u32 %r1, 3; {body} ret;")), 1, 1, &[], 1).unwrap_err();
    assert!(fault.message.contains("index 3 of a table of 3"), "{fault}");
}

const FUNCTIONS: &str = "
    .func (.param .b32 result) twice(.param .b32 x)
    { .reg .b32 %r<3>; ld.param.u32 %r1, [x]; add.u32 %r2, %r1, %r1; st.param.b32 [result], %r2; ret; }
    .func (.param .align 8 .b8 result[16]) pair(.param .b32 x, .param .align 4 .b8 y[8])
    {
        .reg .b32 %r<5>; .reg .b64 %rd<3>; .reg .pred %p<2>; .local .align 4 .b8 depot[8];
        ld.param.u32 %r1, [x]; ld.param.u32 %r2, [y+4];
        mov.u64 %rd1, depot; st.local.u32 [%rd1+4], %r2;
        { .param .b32 a; st.param.b32 [a], %r1; .param .b32 r;
          call.uni (r), twice, (a); ld.param.b32 %r3, [r]; }
        setp.eq.u32 %p1, %r1, 3;
        st.param.b32 [result+8], %r3;
        ld.local.u32 %r4, [%rd1+4]; st.param.b32 [result], %r4;
        @%p1 ret;
        add.u32 %r4, %r4, 100; st.param.b32 [result], %r4;
        ret;
    }";

const CALL: &str = "
    { .param .b32 x; st.param.b32 [x], %r1;
      .param .align 4 .b8 y[8]; st.param.b32 [y], 0; st.param.b32 [y+4], %r0;
      .param .align 8 .b8 r[16];
      @%p1 call (r), pair, (x, y);
      @%p1 ld.param.b32 %r3, [r+8]; @%p1 ld.param.b32 %r4, [r]; }";

#[test]
fn calls_pass_values_for_each_thread() {
    let body = format!(
        "ld.global.u32 %r1, [%d4]; setp.ne.u32 %p1, %r1, 5; mov.u32 %r3, 0; mov.u32 %r4, 0; {CALL}
         mad.lo.u32 %r2, %r3, 1000, %r4; st.global.u32 [%d3], %r2; ret;"
    );
    let (results, _) = launch(&module(FUNCTIONS, &body), 1, 4, &[3, 4, 5, 6], 4).unwrap();
    // Twice the number, in thousands; and the thread's number, plus 100 unless the number is 3.
    assert_eq!(results, [6000, 8101, 0, 12_103]);
}

#[test]
fn calls_do_not_see_the_registers_of_earlier_ones() {
    // The first call leaves true predicates where the inner of the second has its constant `false`.
    let functions = "
        .func first() { .reg .pred %p<9>; .reg .b32 %r<2>; mov.u32 %r1, 1;
            setp.eq.u32 %p0, %r1, 1; setp.eq.u32 %p1, %r1, 1; setp.eq.u32 %p2, %r1, 1; setp.eq.u32 %p3, %r1, 1; ret; }
        .func (.param .b32 result) inner() { .reg .b32 %r<2>; selp.u32 %r1, 1, 0, 0; st.param.b32 [result], %r1; ret; }
        .func (.param .b32 result) second() { .reg .b32 %r<2>;
            { .param .b32 r; call.uni (r), inner; ld.param.b32 %r1, [r]; } st.param.b32 [result], %r1; ret; }";
    let body = "call.uni first; { .param .b32 r; call.uni (r), second; ld.param.b32 %r2, [r]; }
        st.global.u32 [%d3], %r2; ret;";
    assert_eq!(launch(&module(functions, body), 1, 2, &[], 2).unwrap().0, [0, 0]);
}

#[test]
fn recursion_is_refused() {
    let text = module(".func f() { call.uni f; ret; }", "call.uni f; ret;");
    let fault = Module::parse(&text).err().unwrap();
    assert_eq!(fault.kind, FaultKind::Unsupported);
    assert!(fault.message.contains("f calls itself"), "{fault}");
}

#[test]
fn special_registers() {
    let body = "mov.u32 %r2, %ctaid.x; mad.lo.u32 %r2, %r2, 100, %tid.x;
        mov.u32 %r3, %ntid.x; mad.lo.u32 %r2, %r3, 10000, %r2; mov.u32 %r3, %nctaid.x; mad.lo.u32 %r2, %r3, 1000000, %r2;
        mov.u32 %r4, %ctaid.x; mad.lo.u32 %r4, %r4, %r5, %r0;
        mov.u32 %r6, %ntid.x; mov.u32 %r4, %ctaid.x; mad.lo.u32 %r4, %r4, %r6, %r0; mul.wide.u32 %d5, %r4, 4;
        add.u64 %d5, %d0, %d5; st.global.u32 [%d5], %r2; ret;";
    let (results, counts) = launch(&kernel(body), 3, 40, &[], 120).unwrap();
    for (index, result) in results.into_iter().enumerate() {
        assert_eq!(result as usize, 3_400_000 + index / 40 * 100 + index % 40);
    }
    assert_eq!((counts.bytes_written, counts.bytes_read), (480, 0));
    assert_eq!(counts.instructions % 120, 0);
    let clock =
        "mov.u64 %d5, %clock64; mov.u64 %d6, %clock64; setp.gt.u64 %p1, %d6, %d5; selp.u32 %r2, 1, 0, %p1;";
    assert_eq!(warp(clock, &[0]), [1]);
    let masks = "mov.u32 %r2, %lanemask_lt; mov.u32 %r3, %lanemask_ge; add.u32 %r2, %r2, %r3; mov.u32 %r3, %laneid; add.u32 %r2, %r2, %r3;";
    assert_eq!(warp(masks, &[0; 32]), (0..32).map(|lane| u32::MAX.wrapping_add(lane)).collect::<Vec<_>>());
}

#[test]
fn blocks_run_in_an_order_that_the_seed_decides() {
    // Each block takes a ticket; the tickets tell the order.
    let body = "mov.u32 %r3, %ctaid.x; mul.wide.u32 %d5, %r3, 4; add.u64 %d5, %d0, %d5;
        atom.global.add.u32 %r2, [%d1], 1; st.global.u32 [%d5], %r2; ret;";
    let (order, _) = launch(&kernel(body), 50, 1, &[0], 50).unwrap();
    assert_ne!(order, (0..50).collect::<Vec<_>>());
    assert_eq!(launch(&kernel(body), 50, 1, &[0], 50).unwrap().0, order);
    let mut sorted = order;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..50).collect::<Vec<_>>());
}

#[test]
fn large_launches_use_several_threads() {
    // 2000 blocks of 64 threads count to 100 and add up atomically.
    let body = "mov.u32 %r2, 0; L: add.u32 %r2, %r2, 1; setp.lt.u32 %p1, %r2, 100; @%p1 bra L;
        atom.global.add.u32 %r3, [%d1], %r2; ret;";
    let text = kernel(body);
    let (_, counts) = launch(&text, 2000, 64, &[0], 0).unwrap();
    assert!(counts.instructions > 2000 * 64 * 300);
    assert_eq!(counts.bytes_written, 2000 * 64 * 4);
}
