use super::warp;

/// `cvt` of one 32-bit word to a 32-bit register.
fn convert(kinds: &str, from: u32) -> u32 {
    let (source, load) = match kinds.rsplit('.').next() {
        Some("f32") => ("%f1", "mov.b32 %f1, %r1;"),
        Some("f64") => ("%g1", "mov.b32 %f1, %r1; cvt.f64.f32 %g1, %f1;"),
        _ => ("%r1", ""),
    };
    let to_real = kinds.contains(".f32.") || kinds.starts_with("f32.");
    let target = if to_real { "%f2" } else { "%r2" };
    let keep = if to_real { "mov.b32 %r2, %f2;" } else { "" };
    warp(&format!("{load} cvt.{kinds} {target}, {source}; {keep}"), &[from])[0]
}

fn real(kinds: &str, from: f32) -> u32 {
    convert(kinds, from.to_bits())
}

#[test]
fn real_numbers_to_integers() {
    assert_eq!(
        ["rni", "rzi", "rmi", "rpi"].map(|round| real(&format!("{round}.s32.f32"), 2.5)),
        [2, 2, 2, 3]
    );
    let down = |x: i32| x.cast_unsigned();
    assert_eq!(
        ["rni", "rzi", "rmi", "rpi"].map(|round| real(&format!("{round}.s32.f64"), -2.5)),
        [-2, -2, -3, -2].map(down)
    );
    assert_eq!(real("rzi.s32.f32", 1e20), 0x7FFF_FFFF);
    assert_eq!(real("rzi.s32.f32", -1e20), 0x8000_0000);
    assert_eq!(real("rzi.u32.f32", -1.0), 0);
    assert_eq!(real("rzi.u8.f32", 300.0), 255);
    assert_eq!(real("rzi.s8.f32", -300.0), down(-128));
    assert_eq!(real("rzi.u32.f32", f32::NAN), 0);
    assert_eq!(real("rzi.s32.f64", f32::NAN), 0x8000_0000);
    assert_eq!(real("rzi.ftz.u32.f32", 1e-40), 0);
    assert_eq!(real("rpi.u32.f32", 1e-40), 1);
}

#[test]
fn integers_to_real_numbers() {
    let odd = (1 << 24) + 1;
    assert_eq!(convert("rn.f32.u32", odd), 16_777_216.0_f32.to_bits());
    assert_eq!(convert("rp.f32.u32", odd), 16_777_218.0_f32.to_bits());
    assert_eq!(convert("rn.f32.s32", u32::MAX), (-1.0_f32).to_bits());
    assert_eq!(convert("rn.f32.u8", 0x1FF), 255.0_f32.to_bits());
    assert_eq!(convert("rn.f32.s8", 0x1FF), (-1.0_f32).to_bits());
}

#[test]
fn integers_to_integers() {
    assert_eq!(convert("u32.u8", 0x1FF), 255);
    assert_eq!(convert("s32.s8", 0x1FF), u32::MAX);
    assert_eq!(convert("s32.s16", 0x1_8000), 0xFFFF_8000);
    assert_eq!(convert("u8.u32", 0x1FF), 255);
    assert_eq!(convert("sat.u8.s32", u32::MAX), 0);
    assert_eq!(convert("sat.s8.s32", 1000), 127);
    assert_eq!(convert("sat.u16.u32", 70_000), 65_535);
}

#[test]
fn real_numbers_to_real_numbers() {
    assert_eq!(real("rmi.f32.f32", -1.5), (-2.0_f32).to_bits());
    assert_eq!(real("rzi.f32.f32", -0.5), (-0.0_f32).to_bits());
    assert_eq!(real("sat.f32.f32", 7.0), 1.0_f32.to_bits());
    assert_eq!(real("ftz.f32.f32", 1e-40), 0);
    let narrowed = |round: &str| {
        let body = format!(
            "cvt.rn.f64.u32 %g1, %r1; rcp.rn.f64 %g1, %g1; cvt.{round}.f32.f64 %f2, %g1; mov.b32 %r2, %f2;"
        );
        f32::from_bits(warp(&body, &[3])[0])
    };
    let (down, up) = (narrowed("rm"), narrowed("rp"));
    assert_eq!(down.next_up(), up);
    assert!(f64::from(down) < 1.0 / 3.0 && f64::from(up) > 1.0 / 3.0);
    assert_eq!((narrowed("rz"), narrowed("rn")), (down, (1.0_f64 / 3.0) as f32));
}
