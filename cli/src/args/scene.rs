//! The command line of `backdrop scene`.

use std::path::PathBuf;

use backdrop::scene::TimeTerms;
use clap::{Args, Subcommand, ValueEnum};

use super::{Compute, Speech};
use crate::failure::EXIT_CODES;
use crate::selection::Selection;

const FIT_EXAMPLES: &str = "\
Examples:
  backdrop scene fit --model models/tessbackdrop_sector1_camera1_ccd4.fits --in-dir ffis
  backdrop scene fit --model MODEL.fits --in-dir ffis --time spline --tile 256 --cupy

The scene goes to OUT_DIR/tessstarscene_sector<S>_camera<C>_ccd<D>.fits: 4 bytes for each pixel,
component and orbit, 0.8 GB for a whole CCD.";

const MODEL_EXAMPLES: &str = "\
Examples:
  backdrop scene model SCENE.fits --frames 0,5,10..20 --rows 100..200 --columns 0..64 --out cube.fits

Frames are those of the background model. Frames, rows and columns are counted from 0; 10..20 is 10
to 19, and 10.. goes on to the end.";

#[derive(Debug, Subcommand)]
pub(crate) enum Scene {
    /// Fit what is left of the frames when the background is gone
    #[command(after_long_help = format!("{FIT_EXAMPLES}\n\n{EXIT_CODES}"))]
    Fit(SceneFit),
    /// Write the scene of some frames and pixels from its file
    #[command(after_long_help = format!("{MODEL_EXAMPLES}\n\n{EXIT_CODES}"))]
    Model(SceneModel),
}

#[derive(Debug, Args)]
pub(crate) struct SceneFit {
    /// The background model, fitted to the same frames
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Where the FITS files are, in this directory and below
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) in_dir: PathBuf,
    /// Where the scene goes; made if need be
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out_dir: PathBuf,
    /// Replace a scene that is there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Fit at once as many pixels as a square of N x N has; the result does not depend on it
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..=2048))]
    pub(crate) tile: u16,
    /// How slow changes within an orbit are fitted
    #[arg(long, value_enum, default_value_t = TimeName::Quadratic)]
    pub(crate) time: TimeName,
    #[command(flatten)]
    pub(crate) compute: Compute,
    #[command(flatten)]
    pub(crate) speech: Speech,
}

#[derive(Debug, Args)]
pub(crate) struct SceneModel {
    /// The scene's file
    pub(crate) scene: PathBuf,
    /// The FITS file to write: an image for a single frame, else a cube (frames, rows, columns)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Frames, such as 0,5,10..20
    #[arg(long, value_name = "LIST", default_value = "..")]
    pub(crate) frames: Selection,
    /// Rows, such as 100..200 [default: all]
    #[arg(long, value_name = "LIST", default_value = "..", hide_default_value = true)]
    pub(crate) rows: Selection,
    /// Columns, such as 0..2048 [default: all]
    #[arg(long, value_name = "LIST", default_value = "..", hide_default_value = true)]
    pub(crate) columns: Selection,
    /// Replace a file that is there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) compute: Compute,
    #[command(flatten)]
    pub(crate) speech: Speech,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum TimeName {
    /// A parabola
    Quadratic,
    /// A quadratic spline with 20 knots
    Spline,
}

impl From<TimeName> for TimeTerms {
    fn from(name: TimeName) -> Self {
        match name {
            TimeName::Quadratic => Self::Quadratic,
            TimeName::Spline => Self::Spline,
        }
    }
}

#[cfg(test)]
mod tests {
    use backdrop::scene::{SPLINE_KNOTS, SceneOptions};
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn defaults_are_the_librarys() {
        let cli = Cli::parse_from(["backdrop", "scene", "fit", "--model", "model.fits"]);
        let Command::Scene(Scene::Fit(fit)) = cli.command else { panic!("another command") };
        let library = SceneOptions::default();
        assert_eq!(usize::from(fit.tile), library.tile);
        assert_eq!(TimeTerms::from(fit.time), library.time_terms);
        // As the help says.
        assert_eq!(SPLINE_KNOTS, 20);
    }
}
