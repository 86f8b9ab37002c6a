//! Exchanges between the lanes of a warp, and barriers.

use super::*;

fn numbers() -> Vec<u32> {
    (0..32).map(|lane| lane * 10).collect()
}

#[test]
fn shuffles() {
    // c holds the segment mask in bits 8 to 12 and the clamp in bits 0 to 4 (ISA, shfl).
    let run = |mode: &str, b: u32, c: u32| {
        let body = format!(
            "shfl.sync.{mode}.b32 %r2|%p1, %r1, {b}, {c}, -1; selp.u32 %r3, 1000, 0, %p1; add.u32 %r2, %r2, %r3;"
        );
        warp(&body, &numbers())
    };
    let expected = |from: &dyn Fn(u32) -> Option<u32>| {
        (0..32).map(|lane| from(lane).map_or(lane * 10, |from| from * 10 + 1000)).collect::<Vec<_>>()
    };
    assert_eq!(run("up", 3, 0), expected(&|lane| lane.checked_sub(3)));
    assert_eq!(run("down", 3, 31), expected(&|lane| (lane + 3 < 32).then_some(lane + 3)));
    assert_eq!(run("bfly", 5, 31), expected(&|lane| Some(lane ^ 5)));
    assert_eq!(run("idx", 7, 31), expected(&|_| Some(7)));
    // Segments of eight lanes.
    assert_eq!(run("idx", 3, 0x181F), expected(&|lane| Some(lane / 8 * 8 + 3)));
    assert_eq!(run("up", 2, 0x1800), expected(&|lane| (lane % 8 >= 2).then(|| lane - 2)));
}

#[test]
fn votes() {
    let body = "setp.gt.u32 %p1, %r1, 200; vote.sync.ballot.b32 %r2, %p1, -1;";
    assert_eq!(warp(body, &numbers()), [0xFFE0_0000; 32]);
    let body = "setp.gt.u32 %p1, %r1, 200; vote.sync.any.pred %p2, %p1, -1; vote.sync.all.pred %p3, %p1, -1;
        vote.sync.uni.pred %p4, !%p3, -1; selp.u32 %r2, 1, 0, %p2; @%p3 add.u32 %r2, %r2, 2; @%p4 add.u32 %r2, %r2, 4;";
    assert_eq!(warp(body, &numbers()), [5; 32]);
}

#[test]
fn equal_values_find_each_other() {
    let inputs: Vec<u32> = (0..32).map(|lane| lane % 3).collect();
    let groups = [0x4924_9249_u32, 0x9249_2492, 0x2492_4924];
    let any = "match.any.sync.b32 %r2, %r1, -1;";
    assert_eq!(warp(any, &inputs), inputs.iter().map(|&value| groups[value as usize]).collect::<Vec<_>>());
    let all = "match.all.sync.b32 %r2|%p1, %r1, -1; @%p1 add.u32 %r2, %r2, 1;";
    assert_eq!(warp(all, &inputs), [0; 32]);
    assert_eq!(warp(all, &[4; 32]), [0; 32].map(|_: u32| 0));
    assert_eq!(warp("match.all.sync.b32 %r2|%p1, %r1, -1; @!%p1 mov.u32 %r2, 5;", &[4; 32]), [u32::MAX; 32]);
}

#[test]
fn reductions_of_a_warp() {
    assert_eq!(warp("redux.sync.add.u32 %r2, %r1, -1;", &numbers()), [4960; 32]);
    assert_eq!(warp("redux.sync.max.s32 %r2, %r1, -1;", &[u32::MAX, 3, 2]), [3; 3]);
    assert_eq!(warp("redux.sync.xor.b32 %r2, %r1, -1;", &[6, 3, 1]), [4; 3]);
}

#[test]
fn parts_of_a_warp_exchange_among_themselves() {
    // Each half votes with its own mask, on paths of its own.
    let body = "setp.lt.u32 %p1, %r0, 16; setp.eq.u32 %p2, %r1, 0; @%p1 bra LOW;
        vote.sync.ballot.b32 %r2, %p2, 0xFFFF0000; bra.uni END;
        LOW: vote.sync.ballot.b32 %r2, !%p2, 0xFFFF;
        END:";
    let expected: Vec<u32> = (0..32).map(|lane| if lane < 16 { 0xFFFE } else { 0 }).collect();
    assert_eq!(warp(body, &numbers()), expected);
}

#[test]
fn threads_wait_for_others_of_their_warp() {
    // Lane 0 comes to the exchange first, the others after a loop; they meet there.
    let body = "mov.u32 %r3, %r0; bra.uni TEST;
        LOOP: sub.u32 %r3, %r3, 1;
        TEST: setp.eq.u32 %p1, %r3, 0; @!%p1 bra LOOP;
        activemask.b32 %r4; bar.warp.sync -1; vote.sync.ballot.b32 %r2, 1, -1;";
    assert_eq!(warp(body, &numbers()), [u32::MAX; 32]);
    // Here the exchange lies before the loop in the text, so that lane 0 is parked at it.
    let body = "mov.u32 %r3, %r0; bra.uni TEST;
        MEET: vote.sync.ballot.b32 %r2, 1, -1; bra.uni END;
        TEST: setp.eq.u32 %p1, %r3, 0; @%p1 bra MEET; sub.u32 %r3, %r3, 1; bra.uni TEST;
        END:";
    assert_eq!(warp(body, &numbers()), [u32::MAX; 32]);
}

#[test]
fn barriers_join_the_warps_of_a_block() {
    // Every thread writes its number, and reads that of the thread opposite after the barrier.
    let declarations = ".shared .align 4 .b8 s[512];";
    let body = "mov.u32 %r3, s; shl.b32 %r4, %r0, 2; add.u32 %r3, %r3, %r4; st.shared.u32 [%r3], %r0;
        bar.sync 0; mov.u32 %r3, s; sub.u32 %r4, 508, %r4; add.u32 %r3, %r3, %r4; ld.shared.u32 %r2, [%r3];
        st.global.u32 [%d3], %r2; ret;";
    let (results, _) = launch(&module(declarations, body), 3, 128, &[], 128).unwrap();
    assert_eq!(results, (0..128).rev().collect::<Vec<_>>());
}

#[test]
fn barriers_reduce() {
    let body = "setp.gt.u32 %p1, %r0, 9; bar.red.popc.u32 %r2, 0, %p1; bar.red.and.pred %p2, 0, %p1;
        bar.red.or.pred %p3, 0, %p1; @%p2 add.u32 %r2, %r2, 1000; @%p3 add.u32 %r2, %r2, 2000;
        st.global.u32 [%d3], %r2; ret;";
    assert_eq!(launch(&kernel(body), 1, 70, &[], 70).unwrap().0, [2060; 70]);
}

#[test]
fn some_warps_share_a_barrier() {
    let body =
        "setp.ge.u32 %p1, %r0, 64; @%p1 bra END; barrier.sync 1, 64; END: st.global.u32 [%d3], %r0; ret;";
    assert_eq!(launch(&kernel(body), 1, 96, &[], 96).unwrap().0, (0..96).collect::<Vec<_>>());
}
