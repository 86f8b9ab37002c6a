//! What the environment says: devices, memory, seed.

use std::hash::{BuildHasher, RandomState};

/// Memory of a device where the environment names none: 8 GiB.
const DEFAULT_MEMORY: u64 = 8 << 30;
/// A handle has eight bits for the device.
const MAX_DEVICES: usize = 256;

/// The emulated machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The devices that the program sees, by their number in the machine.
    pub(crate) visible: Vec<usize>,
    /// Bytes of memory of each device.
    pub(crate) memory: u64,
    /// Seed of all random orders.
    pub(crate) seed: u64,
    /// Whether the devices have memory pools.
    pub(crate) pools: bool,
}

impl Settings {
    /// Reads the variables through `variable`.
    ///
    /// # Errors
    /// One line that names the variable which has no meaning.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str, default: u64| match variable(name) {
            None => Ok(default),
            Some(text) => text
                .trim()
                .parse()
                .map_err(|_| format!("{name}={text}: give a whole number, for example {default}")),
        };
        let devices = usize::try_from(number("CUDA_EMULATOR_DEVICES", 1)?).unwrap_or(usize::MAX);
        if devices > MAX_DEVICES {
            return Err(format!("CUDA_EMULATOR_DEVICES={devices}: at most {MAX_DEVICES} devices"));
        }
        let visible = match variable("CUDA_VISIBLE_DEVICES") {
            None => (0..devices).collect(),
            Some(list) => visible(&list, devices),
        };
        let memory = number("CUDA_EMULATOR_MEMORY", DEFAULT_MEMORY)?;
        let seed = number("CUDA_EMULATOR_SEED", RandomState::new().hash_one("seed"))?;
        let pools = number("CUDA_EMULATOR_POOLS", 1)? != 0;
        Ok(Self { visible, memory, seed, pools })
    }
}

/// The 16 bytes of a device's UUID.
pub(crate) fn uuid(device: usize) -> [u8; 16] {
    let mut bytes = *b"CUDA emulator   ";
    bytes[14..].copy_from_slice(&(device as u16).to_be_bytes());
    bytes
}

/// The devices named by `CUDA_VISIBLE_DEVICES`: numbers, or beginnings of UUIDs (`GPU-...`). As the driver does
/// it, the list ends at the first name that is no device, and a device named twice leaves none.
fn visible(list: &str, devices: usize) -> Vec<usize> {
    let find = |name: &str| match name.strip_prefix("GPU-") {
        Some(prefix) => {
            let prefix = prefix.replace('-', "").to_lowercase();
            let mut matching = (0..devices).filter(|device| {
                let hex: String = uuid(*device).iter().map(|byte| format!("{byte:02x}")).collect();
                hex.starts_with(&prefix)
            });
            matching.next().filter(|_| matching.next().is_none())
        }
        None => name.parse().ok().filter(|device| *device < devices),
    };
    let found: Vec<usize> = list.split(',').map_while(|name| find(name.trim())).collect();
    let unique = found.iter().enumerate().all(|(index, device)| !found[..index].contains(device));
    if unique { found } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::{Settings, visible};

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(|name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_and_values() {
        let default = settings(&[]).expect("nothing is set");
        assert_eq!((default.visible, default.memory, default.pools), (vec![0], 8 << 30, true));
        let set = [
            ("CUDA_EMULATOR_DEVICES", "4"),
            ("CUDA_EMULATOR_MEMORY", "1048576"),
            ("CUDA_EMULATOR_SEED", "7"),
            ("CUDA_EMULATOR_POOLS", "0"),
            ("CUDA_VISIBLE_DEVICES", "3,1"),
        ];
        assert_eq!(
            settings(&set),
            Ok(Settings { visible: vec![3, 1], memory: 1 << 20, seed: 7, pools: false })
        );
        let error = settings(&[("CUDA_EMULATOR_MEMORY", "8 GB")]).expect_err("not a number");
        assert!(error.starts_with("CUDA_EMULATOR_MEMORY=8 GB:"), "{error}");
        let error = settings(&[("CUDA_EMULATOR_DEVICES", "257")]).expect_err("too many");
        assert!(error.ends_with("at most 256 devices"), "{error}");
    }

    #[test]
    fn visible_devices_as_the_driver_reads_them() {
        assert_eq!(visible("0,2", 3), [0, 2]);
        assert_eq!(visible("1,7,0", 3), [1]);
        assert!(visible("-1", 3).is_empty());
        assert!(visible("", 3).is_empty());
        assert!(visible("1,1", 3).is_empty());
        // "CUDA emulator " and the number, in hexadecimal.
        assert_eq!(visible("GPU-43554441-2065-6d75-6c61-746f72200002", 3), [2]);
        assert!(visible("GPU-43554441", 3).is_empty());
    }
}
