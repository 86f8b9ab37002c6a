//! A number of bytes on the command line.

use std::str::FromStr;

/// A number of bytes, such as `2GB`, `1.5 GiB` or `800M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give a number of bytes, such as 2GB, 1.5GiB or 800MB".to_owned();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1.0,
            "k" | "kb" => 1e3,
            "m" | "mb" => 1e6,
            "g" | "gb" => 1e9,
            "t" | "tb" => 1e12,
            "kib" => 1024.0,
            "mib" => 1024.0_f64.powi(2),
            "gib" => 1024.0_f64.powi(3),
            "tib" => 1024.0_f64.powi(4),
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        // A conversion to a whole number saturates.
        Ok(Self((number * factor) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("2GB", 2_000_000_000),
            ("1.5 GiB", 1_610_612_736),
            ("800m", 800_000_000),
            ("12", 12),
            ("0.5kb", 500),
            ("99999999999TB", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "GB", "-1GB", "1.2.3GB", "2XB", "nan", "inf", "1e3"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
