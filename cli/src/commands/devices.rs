//! `backdrop devices`: what this program can run on.

use array_api::Device;
use serde_json::json;

use crate::args::Devices;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &Devices) -> Result<(), Failure> {
    let chosen = Device::from_env();
    let chosen_name = chosen.as_ref().map(Device::name).ok();
    let threads = rayon::current_num_threads();
    let cuda = Device::cuda();

    let mark = |name: &str| if chosen_name == Some(name) { "  (USE_CUPY chooses this one)" } else { "" };
    let cuda_line = match &cuda {
        Ok(device) => format!("usable{}", mark(device.name())),
        Err(error) => error.to_string(),
    };
    let human = output::table(&[
        ("cpu", format!("{}{}", output::count(threads, "thread"), mark("cpu"))),
        ("cuda", cuda_line),
    ]);
    let machine = json!({
        "devices": [
            { "name": "cpu", "usable": true, "threads": threads },
            { "name": "cuda", "usable": cuda.is_ok(), "reason": cuda.err().map(|error| error.to_string()) },
        ],
        "chosen": chosen_name,
    });
    output::result(args.json, &human, &machine)?;
    chosen?;
    Ok(())
}
