//! Arrays as text, and the choice of a device.

use array_api::{Device, USE_CUPY, dispatch};

use crate::testing::{Array, Backend, Case, Check, Outcome, Value, cases};

pub(super) fn cases<B: Backend>() -> Vec<Case<B>> {
    cases!["text": display, display_of_long_arrays, debug, device]
}

fn display<B: Backend>(xp: &B, check: &Check) -> Outcome {
    fn text<T: Value, B: Backend>(xp: &B, values: &[T], shape: &[usize]) -> array_api::Result<String> {
        Ok(Array::from_vec(xp, values.to_vec(), shape)?.to_string())
    }
    check.equal("no axis", text(xp, &[2.5], &[])?, "2.5".into())?;
    check.equal(
        "one axis",
        text(xp, &[1.0, -0.5, f64::NAN, f64::INFINITY], &[4])?,
        "[1, -0.5, NaN, inf]".into(),
    )?;
    check.equal("two axes", text(xp, &[1, 2, 3, 4], &[2, 2])?, "[[1, 2],\n [3, 4]]".into())?;
    let cube = "[[[true, false]],\n [[false, true]]]".to_owned();
    check.equal("three axes", text(xp, &[true, false, false, true], &[2, 1, 2])?, cube)?;
    check.equal("no element", text::<u8, B>(xp, &[], &[0])?, "[]".into())?;
    check.equal("empty rows", text::<u8, B>(xp, &[], &[2, 0])?, "[[],\n []]".into())?;
    check.equal("no row", text::<u8, B>(xp, &[], &[0, 2])?, "[]".into())?;
    let view = Array::from_vec(xp, vec![1, 2, 3, 4], &[2, 2])?.matrix_transpose()?.flip(&[1])?;
    check.equal("a view", view.to_string(), "[[3, 1],\n [4, 2]]".into())
}

fn display_of_long_arrays<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let short = Array::arange(xp, 0, 1000, 1)?.to_string();
    check.equal("a thousand elements", short.matches(',').count(), 999)?;
    let long = Array::arange(xp, 0, 1001, 1)?.to_string();
    check.equal("a thousand and one", long, "[0, 1, 2, ..., 998, 999, 1000]".into())?;
    let square = Array::arange(xp, 0, 10_000, 1)?.reshape(&[2500, 4])?.to_string();
    let lines: Vec<&str> = square.lines().collect();
    check.equal("first line", lines[0], "[[0, 1, 2, 3],")?;
    check.equal("middle line", lines[3], " ...,")?;
    check.equal("last line", lines[6], " [9996, 9997, 9998, 9999]]")
}

fn debug<B: Backend>(xp: &B, check: &Check) -> Outcome {
    let array = Array::from_slice(xp, &[1.5_f32, 2.0])?;
    check.equal("debug", format!("{array:?}"), format!("Array<float32, {}>[2] [1.5, 2]", xp.name()))
}

fn device<B: Backend>(_: &B, check: &Check) -> Outcome {
    check.equal("name", Device::cpu().name(), "cpu")?;
    for off in ["", "False", "F", "false", "0"] {
        check.equal("a flag for the CPU", Device::from_flag(off)?.name(), "cpu")?;
    }
    check.refused_with(
        "a flag unknown",
        Device::from_flag("maybe"),
        &[USE_CUPY, "maybe", "True, T, true or 1"],
    )?;
    // The flag for CUDA and CUDA itself give the same: a device or the reason why there is none.
    match (Device::cuda(), Device::from_flag("1")) {
        (Ok(device), Ok(_)) => check.equal("name", device.name(), "cuda")?,
        (Err(reason), flag) => check.refused("CUDA by flag", flag, &reason)?,
        (Ok(_), Err(error)) => return Err(error.into()),
    }
    let sum = dispatch!(&Device::cpu(), |xp| Array::from_slice(xp, &[1.0, 2.0])?.sum()?.item())?;
    check.equal("dispatch", sum, 3.0)
}
