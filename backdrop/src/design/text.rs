//! Designs as text, the form that model files keep them in:
//! `spline(50) ~ 0 +- 200 + radial_spline(60, degree=3) ~ 0 +- 300`.

use std::fmt;
use std::str::FromStr;

use super::{Basis, Block, DEFAULT_DEGREE, Design};
use crate::error::{Error, Result, quoted};

/// The largest parameter that a text may give: beyond it a block has more columns than any CCD
/// can determine.
const LARGEST: usize = 2048;

/// The highest degree of a spline that a text may give: the time that it takes to set one up grows
/// with the third power.
const HIGHEST: usize = 50;

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, number, degree) = match *self {
            Self::Cartesian { npoly } => ("cartesian", npoly, None),
            Self::Radial { npoly } => ("radial", npoly, None),
            Self::RadialSpline { nknots, degree } => ("radial_spline", nknots, Some(degree)),
            Self::Spline { nknots, degree } => ("spline", nknots, Some(degree)),
            Self::Strap { npoly } => ("strap", npoly, None),
            Self::RestrictedStrap { npoly } => ("restricted_strap", npoly, None),
        };
        match degree.filter(|&degree| degree != DEFAULT_DEGREE) {
            Some(degree) => write!(f, "{name}({number}, degree={degree})"),
            None => write!(f, "{name}({number})"),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ~ {} +- {}", self.basis, self.prior_mean, self.prior_sigma)
    }
}

impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, block) in self.blocks.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { " + " })?;
            write!(f, "{block}")?;
        }
        Ok(())
    }
}

impl FromStr for Design {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let blocks = text.split(" + ").map(str::parse).collect::<Result<_>>()?;
        Ok(Self { blocks })
    }
}

impl FromStr for Block {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_block(text).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "{} is no block of a design matrix, such as \"spline(50) ~ 0 +- 200\"",
                quoted(text)
            ))
        })
    }
}

fn parse_block(text: &str) -> Option<Block> {
    let (basis, prior) = text.split_once(" ~ ")?;
    let (mean, sigma) = prior.split_once(" +- ")?;
    let (mean, sigma): (f64, f64) = (mean.trim().parse().ok()?, sigma.trim().parse().ok()?);
    if !mean.is_finite() || sigma.is_nan() || sigma <= 0.0 {
        return None;
    }
    let (name, arguments) = basis.trim().strip_suffix(')')?.split_once('(')?;
    let (number, degree) = match arguments.split_once(", degree=") {
        Some((number, degree)) => {
            let degree: usize = degree.parse().ok()?;
            (number, Some(Some(degree).filter(|degree| (1..=HIGHEST).contains(degree))?))
        }
        None => (arguments, None),
    };
    let number: usize = number.parse().ok().filter(|number| (1..=LARGEST).contains(number))?;
    let block = match name {
        "cartesian" => Block::cartesian(number),
        "radial" => Block::radial(number),
        "radial_spline" => Block::radial_spline(number),
        "spline" => Block::spline(number),
        "strap" => Block::strap(number),
        "restricted_strap" => Block::restricted_strap(number),
        _ => return None,
    };
    let block = degree.map_or(block, |degree| block.degree(degree));
    Some(block.prior(mean, sigma))
}

#[cfg(test)]
mod tests {
    use super::super::Preset;
    use super::*;

    #[test]
    fn designs_survive_the_way_through_text() {
        let odd =
            Block::spline(7).degree(3).prior(-1.5e-3, 0.1) + Block::strap(2).prior(1e300, f64::INFINITY);
        for design in [Preset::Standard.design1(), Preset::Classic.design2(40), odd] {
            assert_eq!(design.to_string().parse::<Design>().unwrap(), design);
        }
    }

    #[test]
    fn what_is_no_design_is_refused() {
        for bad in [
            "",
            "spline(50)",
            "spline(x) ~ 0 +- 1",
            "cube(3) ~ 0 +- 1",
            "spline(0) ~ 0 +- 1",
            "spline(5) ~ 0 +- 0",
            "spline(5) ~ nan +- 1",
            "spline(99999999999) ~ 0 +- 1",
            "spline(5, degree=0) ~ 0 +- 1",
            "spline(5, degree=51) ~ 0 +- 1",
            "spline(5, degree=18446744073709551615) ~ 0 +- 1",
        ] {
            assert!(bad.parse::<Design>().is_err(), "{bad}");
        }
        let long = "spline ".repeat(1000).parse::<Design>().unwrap_err().to_string();
        assert!(long.len() < 200 && long.starts_with("\"spline spline "), "{long}");
    }
}
