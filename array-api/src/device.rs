//! Choosing a backend at run time.

#[cfg(feature = "cuda")]
use crate::Cuda;
use crate::{Cpu, Error, Result};

/// The name of the environment variable that chooses between CPU and CUDA.
pub const USE_CUPY: &str = "USE_CUPY";

/// Where arrays live and operations run.
#[derive(Debug, Clone)]
pub enum Device {
    /// The processor.
    Cpu(Cpu),
    /// A CUDA device.
    #[cfg(feature = "cuda")]
    Cuda(Cuda),
}

impl Device {
    /// The device that the environment asks for by `USE_CUPY`: `True`, `T`, `true`, `1` for CUDA;
    /// unset, empty, `False`, `F`, `false`, `0` for the CPU.
    ///
    /// # Errors
    /// [`Error::InvalidEnvironment`] for any other value, [`Error::BackendUnavailable`] if CUDA is
    /// asked for and cannot be used. There is no silent fall back.
    pub fn from_env() -> Result<Self> {
        if Self::cuda_from_env()? { Self::cuda() } else { Ok(Self::cpu()) }
    }

    /// Whether the environment asks for CUDA; see [`Device::from_env`].
    ///
    /// # Errors
    /// [`Error::InvalidEnvironment`] for a value that is not understood.
    pub fn cuda_from_env() -> Result<bool> {
        is_on(&std::env::var_os(USE_CUPY).unwrap_or_default().to_string_lossy())
    }

    /// The device that a value of `USE_CUPY` asks for; see [`Device::from_env`].
    pub fn from_flag(value: &str) -> Result<Self> {
        if is_on(value)? { Self::cuda() } else { Ok(Self::cpu()) }
    }

    /// The processor.
    pub fn cpu() -> Self {
        Self::Cpu(Cpu::new())
    }

    /// The first CUDA device of those that `CUDA_VISIBLE_DEVICES` lets through.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`], saying what is missing.
    pub fn cuda() -> Result<Self> {
        Self::cuda_device(0)
    }

    /// CUDA device number `ordinal` of those that `CUDA_VISIBLE_DEVICES` lets through.
    ///
    /// # Errors
    /// As [`Device::cuda`].
    #[cfg(feature = "cuda")]
    pub fn cuda_device(ordinal: usize) -> Result<Self> {
        Cuda::new(ordinal).map(Self::Cuda)
    }

    /// CUDA device number `ordinal`, which this build cannot use.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`], always.
    #[cfg(not(feature = "cuda"))]
    pub fn cuda_device(_ordinal: usize) -> Result<Self> {
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

/// Whether a value of `USE_CUPY` asks for CUDA.
fn is_on(value: &str) -> Result<bool> {
    match value {
        "True" | "T" | "true" | "1" => Ok(true),
        "" | "False" | "F" | "false" | "0" => Ok(false),
        other => Err(Error::InvalidEnvironment {
            variable: USE_CUPY,
            value: other.to_owned(),
            expected: "use True, T, true or 1 for CUDA, \
                       False, F, false, 0 or nothing for the CPU",
        }),
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
#[cfg(feature = "cuda")]
#[macro_export]
macro_rules! dispatch {
    ($device:expr, |$xp:ident| $body:expr) => {
        match $device {
            $crate::Device::Cpu($xp) => $body,
            $crate::Device::Cuda($xp) => $body,
        }
    };
}

/// Runs an expression with the backend of a [`Device`], of which this build has one: the CPU.
#[cfg(not(feature = "cuda"))]
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
            match Device::from_flag(on) {
                Ok(device) => assert_eq!(device.name(), "cuda"),
                Err(error) => assert!(matches!(error, Error::BackendUnavailable { .. }), "{error}"),
            }
        }
        let message = Device::from_flag("maybe").unwrap_err().to_string();
        assert!(message.contains("USE_CUPY=\"maybe\"") && message.contains("True, T, true or 1"));
    }
}
