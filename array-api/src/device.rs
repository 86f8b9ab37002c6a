//! Choosing a backend at run time.

use crate::{Cpu, Error, Result};

/// The name of the environment variable that chooses between CPU and CUDA.
pub const USE_CUPY: &str = "USE_CUPY";

/// Where arrays live and operations run.
#[derive(Debug, Clone)]
pub enum Device {
    /// The processor.
    Cpu(Cpu),
}

impl Device {
    /// The device that the environment asks for by `USE_CUPY`: `True`, `T`, `true`, `1` for CUDA;
    /// unset, empty, `False`, `F`, `false`, `0` for the CPU.
    ///
    /// # Errors
    /// [`Error::InvalidEnvironment`] for any other value, [`Error::BackendUnavailable`] if CUDA is
    /// asked for and cannot be used. There is no silent fall back.
    pub fn from_env() -> Result<Self> {
        let value = std::env::var_os(USE_CUPY).unwrap_or_default();
        Self::from_flag(&value.to_string_lossy())
    }

    /// The device that a value of `USE_CUPY` asks for; see [`Device::from_env`].
    pub fn from_flag(value: &str) -> Result<Self> {
        match value {
            "True" | "T" | "true" | "1" => Self::cuda(),
            "" | "False" | "F" | "false" | "0" => Ok(Self::cpu()),
            other => Err(Error::InvalidEnvironment {
                variable: USE_CUPY,
                value: other.to_owned(),
                expected: "use True, T, true or 1 for CUDA, \
                           False, F, false, 0 or nothing for the CPU",
            }),
        }
    }

    /// The processor.
    pub fn cpu() -> Self {
        Self::Cpu(Cpu::new())
    }

    /// The first CUDA device.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`], saying what is missing.
    pub fn cuda() -> Result<Self> {
        Err(Error::BackendUnavailable {
            backend: "CUDA",
            reason: "not available in this build; leave USE_CUPY unset to run on the CPU".into(),
        })
    }

    /// Short name of the backend.
    pub fn name(&self) -> &'static str {
        crate::dispatch!(self, |xp| crate::backend::Storage::name(xp))
    }
}

/// Runs an expression with the backend of a [`Device`]: it is compiled once for each backend, and
/// the device's one is run.
///
/// ```
/// use array_api::{Array, Backend, Device, Result, dispatch};
///
/// fn mean<B: Backend>(xp: &B, values: &[f64]) -> Result<f64> {
///     Array::from_slice(xp, values)?.mean()?.item()
/// }
///
/// let device = Device::cpu();
/// assert_eq!(dispatch!(&device, |xp| mean(xp, &[1.0, 2.0]))?, 1.5);
/// # Ok::<(), array_api::Error>(())
/// ```
#[macro_export]
macro_rules! dispatch {
    ($device:expr, |$xp:ident| $body:expr) => {
        match $device {
            $crate::Device::Cpu($xp) => $body,
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_has_the_values_its_users_know() {
        for off in ["", "False", "F", "false", "0"] {
            assert_eq!(Device::from_flag(off).unwrap().name(), "cpu");
        }
        for on in ["True", "T", "true", "1"] {
            assert!(matches!(Device::from_flag(on), Err(Error::BackendUnavailable { .. })));
        }
        let message = Device::from_flag("maybe").unwrap_err().to_string();
        assert!(message.contains("USE_CUPY=\"maybe\"") && message.contains("True, T, true or 1"));
    }
}
