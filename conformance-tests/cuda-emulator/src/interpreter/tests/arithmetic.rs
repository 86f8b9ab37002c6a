use super::{kernel, launch};

/// The 64 bits that `instructions` leave in `%d9`, from `%d5`, `%d6`, `%d7`, whose halves are `%r5`, `%r6`, `%r7`.
fn evaluate(instructions: &str, operands: [u64; 3]) -> u64 {
    let load: String = (0..3)
        .map(|index| {
            let register = 5 + index;
            let offset = 8 * index;
            format!("ld.global.u64 %d{register}, [%d1+{offset}]; cvt.u32.u64 %r{register}, %d{register};\n")
        })
        .collect();
    let reals = "mov.b32 %f5, %r5; mov.b32 %f6, %r6; mov.b32 %f7, %r7; \
                 mov.b64 %g5, %d5; mov.b64 %g6, %d6; mov.b64 %g7, %d7;";
    let text = kernel(&format!("{load}{reals}\n{instructions}\nst.global.u64 [%d0], %d9;\nret;"));
    let inputs: Vec<u32> = operands.iter().flat_map(|&word| [word as u32, (word >> 32) as u32]).collect();
    let (results, _) =
        launch(&text, 1, 1, &inputs, 2).unwrap_or_else(|fault| panic!("{instructions}: {fault}"));
    u64::from(results[1]) << 32 | u64::from(results[0])
}

/// A result of 32 bits.
fn word(instruction: &str, operands: [u64; 3]) -> u32 {
    evaluate(&format!("{instruction} cvt.u64.u32 %d9, %r9;"), operands) as u32
}

fn single(instruction: &str, operands: [f32; 3]) -> f32 {
    let bits = operands.map(|operand| operand.to_bits().into());
    f32::from_bits(evaluate(&format!("{instruction} mov.b32 %r9, %f8; cvt.u64.u32 %d9, %r9;"), bits) as u32)
}

fn double(instruction: &str, operands: [f64; 3]) -> f64 {
    f64::from_bits(evaluate(&format!("{instruction} mov.b64 %d9, %g8;"), operands.map(f64::to_bits)))
}

const BIG: u64 = 0xFFFF_FFFE;

#[test]
fn integers() {
    let cases = [
        ("add.s32 %r9, %r5, %r6;", [BIG, 5, 0], 3),
        ("add.sat.s32 %r9, %r5, %r6;", [0x7FFF_FFFF, 1, 0], 0x7FFF_FFFF),
        ("sub.sat.s32 %r9, %r5, %r6;", [0x8000_0000, 1, 0], 0x8000_0000),
        ("mul.lo.u32 %r9, %r5, %r6;", [BIG, 3, 0], 0xFFFF_FFFA),
        ("mul.hi.u32 %r9, %r5, %r6;", [BIG, BIG, 0], 0xFFFF_FFFC),
        ("mul.hi.s32 %r9, %r5, %r6;", [BIG, 3, 0], 0xFFFF_FFFF),
        ("mad.lo.s32 %r9, %r5, %r6, %r7;", [3, 4, 5], 17),
        ("mad.hi.sat.s32 %r9, %r5, %r6, %r7;", [0x4000_0000, 8, 0x7FFF_FFFF], 0x7FFF_FFFF),
        ("mul24.lo.u32 %r9, %r5, %r6;", [0xFF00_0003, 0xAB00_0002, 0], 6),
        ("mad24.lo.s32 %r9, %r5, %r6, %r7;", [0x00FF_FFFF, 7, 10], 3),
        ("div.s32 %r9, %r5, %r6;", [(-7_i32).cast_unsigned() as u64, 2, 0], (-3_i32).cast_unsigned()),
        ("rem.s32 %r9, %r5, %r6;", [(-7_i32).cast_unsigned() as u64, 2, 0], (-1_i32).cast_unsigned()),
        ("div.u32 %r9, %r5, %r6;", [BIG, 0, 0], u32::MAX),
        ("abs.s32 %r9, %r5;", [BIG, 0, 0], 2),
        ("neg.s32 %r9, %r5;", [BIG, 0, 0], 2),
        ("min.s32 %r9, %r5, %r6;", [BIG, 1, 0], BIG as u32),
        ("max.u32 %r9, %r5, %r6;", [BIG, 1, 0], BIG as u32),
        ("sad.s32 %r9, %r5, %r6, %r7;", [BIG, 3, 10], 15),
        ("dp4a.s32.s32 %r9, %r5, %r6, %r7;", [0x01FF_0203, 0x0101_0101, 1], 6),
        ("dp4a.u32.u32 %r9, %r5, %r6, %r7;", [0x01FF_0203, 0x0101_0101, 1], 262),
    ];
    for (instruction, operands, expected) in cases {
        assert_eq!(word(instruction, operands), expected, "{instruction}");
    }
    assert_eq!(evaluate("mul.wide.s32 %d9, %r5, %r6;", [BIG, 3, 0]), (-6_i64).cast_unsigned());
    assert_eq!(evaluate("mad.wide.u32 %d9, %r5, %r6, %d7;", [BIG, 2, 4]), 2 * BIG + 4);
    assert_eq!(evaluate("mul.hi.u64 %d9, %d5, %d6;", [u64::MAX, u64::MAX, 0]), u64::MAX - 1);
    assert_eq!(evaluate("mul.hi.s64 %d9, %d5, %d6;", [u64::MAX, 1, 0]), u64::MAX);
}

#[test]
fn carries_run_through_a_chain() {
    let add = "add.cc.u32 %r8, %r5, %r6; addc.u32 %r9, 0, 0; mov.b64 %d9, {%r8, %r9};";
    assert_eq!(evaluate(add, [BIG, 3, 0]), BIG + 3);
    let subtract = "sub.cc.u64 %d8, %d5, %d6; subc.u64 %d9, %d7, 0;";
    assert_eq!(evaluate(subtract, [1, 2, 10]), 9);
    let product = "mul.lo.u32 %r8, %r5, %r6; mad.lo.cc.u32 %r8, %r5, %r6, %r7; madc.hi.u32 %r9, %r5, %r6, 0; \
                   mov.b64 %d9, {%r8, %r9};";
    assert_eq!(evaluate(product, [BIG, BIG, 0xFFFF_FFFF]), BIG * BIG + 0xFFFF_FFFF);
}

#[test]
fn bits() {
    let cases = [
        ("and.b32 %r9, %r5, %r6;", [12, 10, 0], 8),
        ("xor.b32 %r9, %r5, %r6;", [12, 10, 0], 6),
        ("not.b32 %r9, %r5;", [0, 0, 0], u32::MAX),
        ("cnot.b32 %r9, %r5;", [0, 0, 0], 1),
        ("shl.b32 %r9, %r5, %r6;", [1, 32, 0], 0),
        ("shl.b32 %r9, %r5, 4;", [3, 0, 0], 48),
        ("shr.u32 %r9, %r5, %r6;", [BIG, 40, 0], 0),
        ("shr.s32 %r9, %r5, %r6;", [BIG, 40, 0], u32::MAX),
        ("shf.l.wrap.b32 %r9, %r5, %r6, %r7;", [0x8000_0000, 1, 33], 3),
        ("shf.r.clamp.b32 %r9, %r5, %r6, %r7;", [1, 2, 40], 2),
        ("bfe.u32 %r9, %r5, %r6, %r7;", [0xABCD_1234, 8, 8], 0x12),
        ("bfe.s32 %r9, %r5, %r6, %r7;", [0xABCD_F234, 8, 8], 0xFFFF_FFF2),
        ("bfe.s32 %r9, %r5, %r6, %r7;", [0x8000_0000, 28, 8], 0xFFFF_FFF8),
        ("bfi.b32 %r9, %r5, %r6, 8, 4;", [0xF, 0, 0], 0xF00),
        ("popc.b32 %r9, %r5;", [BIG, 0, 0], 31),
        ("clz.b32 %r9, %r5;", [1, 0, 0], 31),
        ("clz.b64 %r9, %d5;", [1, 0, 0], 63),
        ("brev.b32 %r9, %r5;", [1, 0, 0], 0x8000_0000),
        ("bfind.u32 %r9, %r5;", [0x100, 0, 0], 8),
        ("bfind.s32 %r9, %r5;", [BIG, 0, 0], 0),
        ("bfind.shiftamt.u32 %r9, %r5;", [0x100, 0, 0], 23),
        ("bfind.u32 %r9, %r5;", [0, 0, 0], u32::MAX),
        ("prmt.b32 %r9, %r5, %r6, %r7;", [0x3322_1180, 0x7766_5544, 0x8074], 0xFF80_7744),
        ("prmt.b32.rc8 %r9, %r5, %r6, %r7;", [0x3322_1100, 0, 2], 0x2222_2222),
        ("lop3.b32 %r9, %r5, %r6, %r7, 0xE8;", [12, 10, 6], 14),
        ("fns.b32 %r9, %r5, %r6, %r7;", [0b1011_0100, 2, 2], 4),
        ("fns.b32 %r9, %r5, %r6, -1;", [0b1011_0100, 3, 0], 2),
        ("bmsk.clamp.b32 %r9, %r5, %r6;", [4, 8, 0], 0xFF0),
        ("szext.wrap.s32 %r9, %r5, %r6;", [0x8F, 8, 0], 0xFFFF_FF8F),
    ];
    for (instruction, operands, expected) in cases {
        let instruction = instruction.replace("prmt.b32.rc8", "prmt.rc8.b32");
        assert_eq!(word(&instruction, operands), expected, "{instruction} {operands:x?}");
    }
    assert_eq!(evaluate("bfi.b64 %d9, %d5, %d6, 60, 8;", [0xAB, 1, 0]), 0xB000_0000_0000_0001);
    assert_eq!(evaluate("bfe.u64 %d9, %d5, 32, 32;", [0xABCD_EF01_0000_0000, 0, 0]), 0xABCD_EF01);
    assert_eq!(evaluate("shr.s64 %d9, %d5, 63;", [1 << 63, 0, 0]), u64::MAX);
    assert_eq!(
        evaluate("mov.b64 {%r8, %r9}, %d5; mov.b64 %d9, {%r9, %r8};", [1 << 32 | 2, 0, 0]),
        2 << 32 | 1
    );
    assert_eq!(evaluate("mov.b32 {%h1, %h2}, %r5; cvt.u64.u16 %d9, %h2;", [0x1234_5678, 0, 0]), 0x1234);
}

#[test]
fn single_precision() {
    let tiny = f32::from_bits(1);
    let third = 1.0_f32 / 3.0;
    // The product is exact in double precision; to the nearest it is rounded up.
    assert!(f64::from(third) * f64::from(third) < f64::from(third * third));
    let cases = [
        ("add.f32 %f8, %f5, %f6;", [0.1, 0.2, 0.0], 0.1 + 0.2),
        ("add.rz.f32 %f8, %f5, %f6;", [1.0, -1e-10, 0.0], 1.0_f32.next_down()),
        ("add.ftz.f32 %f8, %f5, %f6;", [tiny, 0.0, 0.0], 0.0),
        ("add.f32 %f8, %f5, %f6;", [tiny, 0.0, 0.0], tiny),
        ("sub.rp.f32 %f8, %f5, %f6;", [1.0, 1e-10, 0.0], 1.0),
        ("mul.sat.f32 %f8, %f5, %f6;", [3.0, 2.0, 0.0], 1.0),
        ("mul.rm.f32 %f8, %f5, %f6;", [third, third, 0.0], (third * third).next_down()),
        // The rounding error of a product, which only an exact fused operation finds.
        (
            "fma.rn.f32 %f8, %f5, %f5, %f6;",
            [1.0 + f32::EPSILON, -(1.0 + 2.0 * f32::EPSILON), 0.0],
            f32::EPSILON.powi(2),
        ),
        ("div.rn.f32 %f8, %f5, %f6;", [1.0, 3.0, 0.0], third),
        ("div.approx.f32 %f8, %f5, %f6;", [1.0, 1.5e38, 0.0], 0.0),
        ("div.full.f32 %f8, %f5, %f6;", [6.0, 3.0, 0.0], 2.0),
        ("rcp.approx.ftz.f32 %f8, %f5;", [4.0, 0.0, 0.0], 0.25),
        ("sqrt.rn.f32 %f8, %f5;", [2.0, 0.0, 0.0], std::f32::consts::SQRT_2),
        ("rsqrt.approx.f32 %f8, %f5;", [4.0, 0.0, 0.0], 0.5),
        ("ex2.approx.ftz.f32 %f8, %f5;", [10.0, 0.0, 0.0], 1024.0),
        ("lg2.approx.f32 %f8, %f5;", [1024.0, 0.0, 0.0], 10.0),
        ("sin.approx.f32 %f8, %f5;", [1.0, 0.0, 0.0], 1.0_f64.sin() as f32),
        ("cos.approx.f32 %f8, %f5;", [1.0, 0.0, 0.0], 1.0_f64.cos() as f32),
        ("min.f32 %f8, %f5, %f6;", [f32::NAN, 2.0, 0.0], 2.0),
        ("max.f32 %f8, %f5, %f6;", [-1.0, 2.0, 0.0], 2.0),
        ("abs.f32 %f8, %f5;", [-2.0, 0.0, 0.0], 2.0),
        ("neg.ftz.f32 %f8, %f5;", [tiny, 0.0, 0.0], -0.0),
        ("copysign.f32 %f8, %f5, %f6;", [-1.0, 3.0, 0.0], -3.0),
        ("selp.f32 %f8, %f5, %f6, 1;", [1.0, 2.0, 0.0], 1.0),
        ("slct.f32.f32 %f8, %f5, %f6, %f7;", [1.0, 2.0, -0.5], 2.0),
    ];
    for (instruction, operands, expected) in cases {
        let result = single(instruction, operands);
        assert_eq!(result.to_bits(), expected.to_bits(), "{instruction} gives {result}, not {expected}");
    }
    // What is no number is always the same one.
    let none = single("div.rn.f32 %f8, %f5, %f6;", [0.0, 0.0, 0.0]);
    assert_eq!(none.to_bits(), 0x7FFF_FFFF);
    assert_eq!(single("min.NaN.f32 %f8, %f5, %f6;", [f32::NAN, 2.0, 0.0]).to_bits(), 0x7FFF_FFFF);
}

#[test]
fn double_precision() {
    let third = 1.0 / 3.0;
    let cases = [
        ("add.f64 %g8, %g5, %g6;", [0.1, 0.2, 0.0], 0.1 + 0.2),
        ("add.rp.f64 %g8, %g5, %g6;", [1.0, 1e-30, 0.0], 1.0_f64.next_up()),
        (
            "fma.rn.f64 %g8, %g5, %g5, %g6;",
            [1.0 + f64::EPSILON, -(1.0 + 2.0 * f64::EPSILON), 0.0],
            f64::EPSILON.powi(2),
        ),
        ("fma.rm.f64 %g8, %g5, %g6, %g7;", [1.0, 1.0, -1e-30], 1.0_f64.next_down()),
        ("div.rn.f64 %g8, %g5, %g6;", [1.0, 3.0, 0.0], third),
        ("rcp.rz.f64 %g8, %g5;", [3.0, 0.0, 0.0], third),
        ("sqrt.rn.f64 %g8, %g5;", [2.0, 0.0, 0.0], std::f64::consts::SQRT_2),
        ("rcp.approx.ftz.f64 %g8, %g5;", [4.0, 0.0, 0.0], 0.25),
        ("rsqrt.approx.ftz.f64 %g8, %g5;", [4.0, 0.0, 0.0], 0.5),
        ("min.f64 %g8, %g5, %g6;", [0.0, -0.0, 0.0], -0.0),
        ("max.f64 %g8, %g5, %g6;", [f64::NAN, -1.0, 0.0], -1.0),
        ("selp.f64 %g8, %g5, %g6, 0;", [1.0, 2.0, 0.0], 2.0),
        ("mov.f64 %g8, 0d3FF8000000000000;", [0.0; 3], 1.5),
        ("mul.f64 %g8, %g5, 0f40000000;", [1.5, 0.0, 0.0], 3.0),
    ];
    for (instruction, operands, expected) in cases {
        let result = double(instruction, operands);
        assert_eq!(result.to_bits(), expected.to_bits(), "{instruction} gives {result}, not {expected}");
    }
}

#[test]
fn comparisons() {
    let holds = |comparison: &str, kind: &str, a: f64, b: f64| {
        let (x, bits) = match kind {
            "f32" => ("f", [a, b].map(|value| u64::from((value as f32).to_bits()))),
            "f64" => ("g", [a, b].map(f64::to_bits)),
            _ => ("r", [a, b].map(|value| u64::from((value as i32).cast_unsigned()))),
        };
        let instruction = format!("setp.{comparison}.{kind} %p1, %{x}5, %{x}6; selp.u64 %d9, 1, 0, %p1;");
        evaluate(&instruction, [bits[0], bits[1], 0]) == 1
    };
    for kind in ["f32", "f64"] {
        for (a, b) in [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (f64::NAN, 1.0), (1.0, f64::NAN)] {
            let none = a.is_nan() || b.is_nan();
            for (ordered, unordered, expected) in [
                ("eq", "equ", a == b),
                ("ne", "neu", a != b && !none),
                ("lt", "ltu", a < b),
                ("le", "leu", a <= b),
                ("gt", "gtu", a > b),
                ("ge", "geu", a >= b),
                ("num", "nan", !none),
            ] {
                assert_eq!(holds(ordered, kind, a, b), expected, "{ordered}.{kind} {a} {b}");
                let expected = if ordered == "num" { none } else { expected || none };
                assert_eq!(holds(unordered, kind, a, b), expected, "{unordered}.{kind} {a} {b}");
            }
        }
    }
    assert!(holds("lt", "s32", -1.0, 1.0) && !holds("lo", "u32", -1.0, 1.0) && holds("hs", "u32", -1.0, 1.0));
    let joined = "setp.ne.u32 %p1, %r7, 0; setp.lt.and.u32 %p2|%p3, %r5, %r6, !%p1; \
                  selp.u32 %r8, 1, 0, %p2; selp.u32 %r9, 2, 0, %p3; add.u32 %r9, %r8, %r9;";
    assert_eq!([[1, 2, 0], [2, 1, 0], [1, 2, 1]].map(|operands| word(joined, operands)), [1, 2, 0]);
    assert_eq!(
        word("set.gt.u32.f32 %r9, %f5, %f6;", [1.0_f32, 0.5, 0.0].map(|x| x.to_bits().into())),
        u32::MAX
    );
    for (property, value, expected) in [
        ("finite", f32::INFINITY, 0),
        ("infinite", f32::INFINITY, 1),
        ("notanumber", f32::NAN, 1),
        ("subnormal", 1e-40, 1),
        ("normal", 1e-40, 0),
        ("number", 1.0, 1),
    ] {
        let test = format!("testp.{property}.f32 %p1, %f5; selp.u32 %r9, 1, 0, %p1;");
        assert_eq!(word(&test, [value.to_bits().into(), 0, 0]), expected, "{property} {value}");
    }
}
