//! Writing a corrected target pixel file: the file that was read, with other values in it.

use std::path::Path;

use super::read::{MODEL_KEYWORD, TABLE};
use super::{Corrected, TargetPixelFile};
use crate::error::{Error, Result};
use crate::fits::Writer;
use crate::output::write_whole;

impl Corrected {
    /// Writes the target pixel file to `path` as it was read, but for
    /// - `FLUX` and `FLUX_BKG`, a column that is added if it is not there, and `FLUX_ERR` if the
    ///   standard deviation of the model was added to it,
    /// - the keywords `BACKAPP` (true) and `BKGMODEL` (`model`, the name of the model's file) of
    ///   the table,
    /// - lines of `HISTORY` in the primary header, which say what was done,
    /// - the checksums of these two, if they have any.
    ///
    /// # Errors
    /// [`Error::Fits`] if the file cannot be changed; as [`write_whole`].
    ///
    /// # Panics
    /// If it was another target pixel file that was corrected.
    pub fn save(&self, tpf: &TargetPixelFile, model: &str, path: &Path, overwrite: bool) -> Result<()> {
        assert_eq!(self.flux.dim(), tpf.shape(), "the target pixel file that was corrected");
        let mut file = Writer::edit(&tpf.path, &tpf.bytes)?;
        file.select(TABLE)?;
        file.replace_column("FLUX", values(&self.flux)?)?;
        if self.sigma_added {
            file.replace_column("FLUX_ERR", values(&self.flux_error)?)?;
        }
        let background = values(&self.background)?;
        if tpf.background.is_some() {
            file.replace_column("FLUX_BKG", background)?;
        } else {
            let (_, rows, columns) = tpf.shape();
            file.append_column("FLUX_BKG", "e-/s", &[rows, columns], background)?;
        }
        file.flag("BACKAPP", true, "background is subtracted")?;
        file.text(MODEL_KEYWORD, model, "model that was subtracted as background")?;
        file.select(0)?;
        for line in self.history(model) {
            file.history(&line)?;
        }
        write_whole(path, file.bytes()?, overwrite)
    }

    /// What was done, in lines.
    fn history(&self, model: &str) -> Vec<String> {
        let version = env!("CARGO_PKG_VERSION");
        let average = if self.options.average { " and its average frame" } else { "" };
        let mut lines = vec![
            format!("backdrop {version} correct: scattered light subtracted"),
            format!("Model: {model} (made by {})", self.model_software),
            "FLUX: what was measured (FLUX + FLUX_BKG as they were) less FLUX_BKG".to_owned(),
            format!("FLUX_BKG: the model{average}"),
            format!("{} of {} cadences corrected; the others are NaN:", self.corrected, self.frames.len()),
            format!(
                "{} in no frame of the model, {} in frames that were not fitted",
                self.unmatched, self.unfitted
            ),
        ];
        if self.pixels_outside > 0 {
            lines.push(format!("{} pixels are outside of the area fitted: NaN", self.pixels_outside));
        }
        if self.sigma_added {
            lines.push("FLUX_ERR includes the standard deviation of the model, in quadrature".to_owned());
        }
        lines
    }
}

/// The values of a column in the order of the file.
fn values(images: &ndarray::Array3<f32>) -> Result<&[f32]> {
    images.as_slice().ok_or_else(|| {
        Error::InvalidArgument("images in another order than (cadences, rows, columns)".into())
    })
}
