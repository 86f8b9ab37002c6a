//! `backdrop devices`: what this program can run on.

use array_api::cuda::Properties;
use array_api::{Cuda, Device};
use serde_json::json;

use crate::args::Devices;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &Devices) -> Result<(), Failure> {
    let chosen = Device::cuda_from_env();
    let threads = rayon::current_num_threads();
    let mark = |cuda: bool| {
        if chosen.as_ref().ok() == Some(&cuda) { "  (USE_CUPY chooses this one)" } else { "" }
    };
    let mut rows = vec![("cpu".to_owned(), format!("{}{}", output::count(threads, "thread"), mark(false)))];
    let mut machine = vec![json!({ "name": "cpu", "usable": true, "threads": threads })];
    match Cuda::devices() {
        Ok(devices) => {
            for device in devices {
                let first = if device.ordinal == 0 { mark(true) } else { "" };
                rows.push((format!("cuda {}", device.ordinal), format!("{}{first}", words(&device))));
                let (major, minor) = device.compute_capability;
                machine.push(json!({
                    "name": "cuda",
                    "usable": true,
                    "device": device.ordinal,
                    "model": device.name,
                    "memory_bytes": device.memory,
                    "compute_capability": format!("{major}.{minor}"),
                    "multiprocessors": device.multiprocessors,
                }));
            }
        }
        Err(error) => {
            rows.push(("cuda".to_owned(), error.to_string()));
            machine.push(json!({ "name": "cuda", "usable": false, "reason": error.to_string() }));
        }
    }
    let rows: Vec<(&str, String)> = rows.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let chosen_name = chosen.as_ref().ok().map(|&cuda| if cuda { "cuda" } else { "cpu" });
    output::result(args.json, &output::table(&rows), &json!({ "devices": machine, "chosen": chosen_name }))?;
    // A choice that cannot be carried out is an error, whatever else there is.
    Device::from_env()?;
    Ok(())
}

/// A device in words: its name, memory, architecture and number of multiprocessors.
fn words(device: &Properties) -> String {
    let (major, minor) = device.compute_capability;
    format!(
        "{}, {}, compute capability {major}.{minor}, {}",
        device.name,
        output::bytes(device.memory as u64),
        output::count(device.multiprocessors as usize, "multiprocessor"),
    )
}
