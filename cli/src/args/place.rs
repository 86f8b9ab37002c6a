//! Where the pixels of a target pixel file are.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// What tells where the pixels are, for files that do not say.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Science row and column, counted from 0, of the first pixel, for files that do not say (those
    /// of astrocut 1.0 to 1.4): 2CRV5P - 1 and 1CRV5P - 45
    #[arg(long, value_name = "ROW,COLUMN", allow_hyphen_values = true, requires = "files")]
    pub(crate) corner: Option<Corner>,
    /// A full frame image that the cut-outs were made from, to find the place of their pixels in
    #[arg(long, value_name = "FFI", conflicts_with = "corner", requires = "files")]
    pub(crate) frame: Option<PathBuf>,
}

/// The science row and column of the first pixel of a cut-out, which may lie outside of the
/// science area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corner {
    pub(crate) row: i64,
    pub(crate) column: i64,
}

impl FromStr for Corner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.trim().parse::<i16>().ok().map(i64::from);
        let parts = text.split_once(',').map(|(row, column)| (number(row), number(column)));
        match parts {
            Some((Some(row), Some(column))) => Ok(Self { row, column }),
            _ => Err("write the row and the column, such as 50,1034".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corner_is_two_whole_numbers() {
        assert_eq!("50,1034".parse(), Ok(Corner { row: 50, column: 1034 }));
        assert_eq!("-3, -44".parse(), Ok(Corner { row: -3, column: -44 }));
        for wrong in ["", "50", "50,", "1.5,2", "1,2,3", "99999,0"] {
            assert!(wrong.parse::<Corner>().is_err(), "{wrong}");
        }
    }
}
