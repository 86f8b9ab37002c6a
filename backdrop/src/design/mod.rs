//! Design matrices: what the model is made of, and how it is applied without ever being formed.
//!
//! A [`Design`] says which blocks stand side by side, with which priors. [`DesignMatrix`] is that
//! design on a window of pixels and a backend: products with it, with its transpose, and its
//! weighted Gram matrix. Each block is either a Kronecker product of two thin matrices or a basis in
//! the distance from the boresight.

mod gram;
mod kronecker;
mod matrix;
mod radial;
mod smooth;
mod text;

use std::ops::Add;

pub use matrix::DesignMatrix;
pub(crate) use matrix::{TEMPORARIES, into_array_error};
pub(crate) use smooth::SmoothSums;

use crate::straps;

/// The functions that make up a block of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// `x^i y^j` for `i, j < npoly`, `j` outer: `npoly^2` columns.
    Cartesian {
        /// Number of powers along each axis.
        npoly: usize,
    },
    /// `r^k` for `k < npoly`.
    Radial {
        /// Number of powers.
        npoly: usize,
    },
    /// B-splines in `r` on breakpoints `linspace(0, 1, nknots)^(1/4)`, which are dense towards
    /// `r = 1`: `nknots + degree - 1` columns.
    RadialSpline {
        /// Number of breakpoints.
        nknots: usize,
        /// Polynomial degree.
        degree: usize,
    },
    /// Products of B-splines in `v` (outer) and `u` (inner) on `linspace(0, 1, nknots)`:
    /// `(nknots + degree - 1)^2` columns.
    Spline {
        /// Number of breakpoints along each axis.
        nknots: usize,
        /// Polynomial degree.
        degree: usize,
    },
    /// `y^k` in a single CCD column, `k` outer, for every column: `npoly * 2048` columns.
    Strap {
        /// Number of powers.
        npoly: usize,
    },
    /// `y^k` in a single CCD column, `k` outer, for the strap columns and their neighbours:
    /// `npoly * 230` columns.
    RestrictedStrap {
        /// Number of powers.
        npoly: usize,
    },
}

/// A block of a design matrix: its functions, and the Gaussian prior of their weights.
///
/// ```
/// use backdrop::design::Block;
///
/// let design = Block::radial_spline(60).prior(2.0, 100.0) + Block::cartesian(4).prior(2.0, 100.0);
/// assert_eq!(design.columns(), 77);
/// assert_eq!(design.to_string(), "radial_spline(60) ~ 2 +- 100 + cartesian(4) ~ 2 +- 100");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// The functions.
    pub basis: Basis,
    /// Mean of the prior of every weight.
    pub prior_mean: f64,
    /// Standard deviation of the prior; for a strap block that of the power `k` is
    /// `prior_sigma^(k + 1)`.
    pub prior_sigma: f64,
}

/// The degree that splines have unless told otherwise.
pub const DEFAULT_DEGREE: usize = 2;

impl Block {
    /// A block with a prior of 0 +- 100.
    pub fn new(basis: Basis) -> Self {
        Self { basis, prior_mean: 0.0, prior_sigma: 100.0 }
    }

    /// [`Basis::Cartesian`].
    pub fn cartesian(npoly: usize) -> Self {
        Self::new(Basis::Cartesian { npoly })
    }

    /// [`Basis::Radial`].
    pub fn radial(npoly: usize) -> Self {
        Self::new(Basis::Radial { npoly })
    }

    /// [`Basis::RadialSpline`] of degree 2.
    pub fn radial_spline(nknots: usize) -> Self {
        Self::new(Basis::RadialSpline { nknots, degree: DEFAULT_DEGREE })
    }

    /// [`Basis::Spline`] of degree 2.
    pub fn spline(nknots: usize) -> Self {
        Self::new(Basis::Spline { nknots, degree: DEFAULT_DEGREE })
    }

    /// [`Basis::Strap`].
    pub fn strap(npoly: usize) -> Self {
        Self::new(Basis::Strap { npoly })
    }

    /// [`Basis::RestrictedStrap`].
    pub fn restricted_strap(npoly: usize) -> Self {
        Self::new(Basis::RestrictedStrap { npoly })
    }

    /// The same block with splines of another degree; other blocks stay as they are.
    pub fn degree(mut self, new: usize) -> Self {
        if let Basis::RadialSpline { degree, .. } | Basis::Spline { degree, .. } = &mut self.basis {
            *degree = new;
        }
        self
    }

    /// The same block with another prior.
    pub fn prior(self, mean: f64, sigma: f64) -> Self {
        Self { prior_mean: mean, prior_sigma: sigma, ..self }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        let spline = |nknots: usize, degree: usize| (nknots + degree).saturating_sub(1);
        match self.basis {
            Basis::Cartesian { npoly } => npoly * npoly,
            Basis::Radial { npoly } => npoly,
            Basis::RadialSpline { nknots, degree } => spline(nknots, degree),
            Basis::Spline { nknots, degree } => spline(nknots, degree).pow(2),
            Basis::Strap { npoly } => npoly * crate::geometry::CCD_SIZE,
            Basis::RestrictedStrap { npoly } => npoly * straps::restricted_columns().len(),
        }
    }

    /// Standard deviation of the prior of each column.
    pub fn prior_sigmas(&self) -> Vec<f64> {
        let powers = match self.basis {
            Basis::Strap { npoly } | Basis::RestrictedStrap { npoly } => npoly,
            _ => 1,
        };
        let width = self.columns() / powers.max(1);
        (0..powers).flat_map(|k| std::iter::repeat_n(self.prior_sigma.powi(k as i32 + 1), width)).collect()
    }
}

/// Blocks side by side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Design {
    blocks: Vec<Block>,
}

impl Design {
    /// The blocks, from left to right.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Number of breakpoints along each axis of the first tensor spline; 0 if there is none.
    pub fn nknots(&self) -> usize {
        let nknots = |block: &Block| match block.basis {
            Basis::Spline { nknots, .. } => Some(nknots),
            _ => None,
        };
        self.blocks.iter().find_map(nknots).unwrap_or(0)
    }

    /// Number of powers of the first strap block; 0 if there is none.
    pub fn strap_npoly(&self) -> usize {
        let npoly = |block: &Block| match block.basis {
            Basis::Strap { npoly } | Basis::RestrictedStrap { npoly } => Some(npoly),
            _ => None,
        };
        self.blocks.iter().find_map(npoly).unwrap_or(0)
    }

    /// Number of columns of all blocks.
    pub fn columns(&self) -> usize {
        self.blocks.iter().map(Block::columns).sum()
    }
}

impl From<Block> for Design {
    fn from(block: Block) -> Self {
        Self { blocks: vec![block] }
    }
}

impl Add for Block {
    type Output = Design;
    fn add(self, other: Self) -> Design {
        Design { blocks: vec![self, other] }
    }
}

impl Add<Block> for Design {
    type Output = Design;
    fn add(mut self, block: Block) -> Design {
        self.blocks.push(block);
        self
    }
}

impl Add for Design {
    type Output = Design;
    fn add(mut self, other: Self) -> Design {
        self.blocks.extend(other.blocks);
        self
    }
}

/// The two designs of the model that users know by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// Radial and tensor splines, polynomials and restricted straps: 77 and 3122 columns.
    #[default]
    Standard,
    /// The first published version of the model: polynomials, a coarser tensor spline and a
    /// constant for every column.
    Classic,
}

impl Preset {
    /// The name that files and the command line use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Classic => "classic",
        }
    }

    /// Number of breakpoints along each axis of the tensor spline.
    pub fn nknots(self) -> usize {
        match self {
            Self::Standard => 50,
            Self::Classic => 40,
        }
    }

    /// Number of powers in the strap block.
    pub fn strap_npoly(self) -> usize {
        match self {
            Self::Standard => 2,
            Self::Classic => 1,
        }
    }

    /// `A1`, which fits the logarithm of the flux to base 10.
    pub fn design1(self) -> Design {
        match self {
            Self::Standard => {
                Block::radial_spline(60).prior(2.0, 100.0) + Block::cartesian(4).prior(2.0, 100.0)
            }
            Self::Classic => Block::radial(10).prior(2.0, 3.0) + Block::cartesian(5).prior(2.0, 3.0),
        }
    }

    /// `A2`, which fits the flux that remains, with `nknots` breakpoints along each axis of the
    /// tensor spline.
    pub fn design2(self, nknots: usize) -> Design {
        match self {
            Self::Standard => {
                Block::spline(nknots).prior(0.0, 200.0)
                    + Block::radial_spline(60).prior(0.0, 300.0)
                    + Block::restricted_strap(self.strap_npoly()).prior(0.0, 30.0)
            }
            Self::Classic => {
                Block::spline(nknots).prior(0.0, 100.0) + Block::strap(self.strap_npoly()).prior(0.0, 100.0)
            }
        }
    }
}

impl std::str::FromStr for Preset {
    type Err = crate::error::Error;

    fn from_str(name: &str) -> crate::error::Result<Self> {
        [Self::Standard, Self::Classic].into_iter().find(|preset| preset.name() == name).ok_or_else(|| {
            crate::error::Error::InvalidArgument(format!(
                "there is no preset {name:?}: use standard or classic"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_the_published_numbers_of_columns() {
        let standard = Preset::Standard;
        assert_eq!(standard.design1().columns(), 77);
        let blocks: Vec<usize> = standard.design2(50).blocks().iter().map(Block::columns).collect();
        assert_eq!(blocks, [2601, 61, 460]);
        let classic = Preset::Classic;
        assert_eq!(classic.design1().columns(), 35);
        assert_eq!(classic.design2(40).columns(), 41 * 41 + 2048);
    }

    #[test]
    fn strap_priors_widen_with_the_power() {
        let sigmas = Block::restricted_strap(2).prior(0.0, 30.0).prior_sigmas();
        assert_eq!((sigmas.len(), sigmas[229], sigmas[230]), (460, 30.0, 900.0));
    }
}
