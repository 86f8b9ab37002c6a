//! What some flags can be, by name.

use backdrop::design::Preset;
use backdrop::ffi::Layout;
use backdrop::file::Format;
use backdrop::fit::Precision;
use backdrop::simulate::Compression;
use backdrop::source::OnError;
use clap::ValueEnum;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PresetName {
    Standard,
    Classic,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Standard => Self::Standard,
            PresetName::Classic => Self::Classic,
        }
    }
}

/// What becomes of files that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnErrorName {
    /// The first one ends the fit
    Fail,
    /// They are skipped, and told at the end; exit code 3
    Skip,
}

impl From<OnErrorName> for OnError {
    fn from(name: OnErrorName) -> Self {
        match name {
            OnErrorName::Fail => Self::Fail,
            OnErrorName::Skip => Self::Skip,
        }
    }
}

/// The precision of pixels.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PrecisionName {
    /// Backgrounds are exact to some billionths at worst
    Double,
    /// In four fifths of the time: backgrounds are exact to less than a pixel's last digit
    Single,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::Double => Self::Double,
            PrecisionName::Single => Self::Single,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ModelFormat {
    Fits,
    Npz,
}

impl From<ModelFormat> for Format {
    fn from(format: ModelFormat) -> Self {
        match format {
            ModelFormat::Fits => Self::Fits,
            ModelFormat::Npz => Self::Npz,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LayoutName {
    /// The mission's own
    Spoc,
    /// The TESS Image CAlibrator
    Tica,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::Spoc => Self::Spoc,
            LayoutName::Tica => Self::Tica,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CompressionName {
    /// `.fits`
    None,
    /// `.fits.gz`
    Gz,
    /// `.fits.fz`
    Fz,
}

impl From<CompressionName> for Compression {
    fn from(name: CompressionName) -> Self {
        match name {
            CompressionName::None => Self::None,
            CompressionName::Gz => Self::Gzip,
            CompressionName::Fz => Self::Tiles,
        }
    }
}
