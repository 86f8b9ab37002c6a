//! Flags of scattered light in a target pixel file.

use std::path::Path;

use array_api::Backend;

use super::TargetPixelFile;
use super::correct::{Part, frames_of};
use super::read::TABLE;
use crate::background::evaluate_pixels;
use crate::error::{Error, Result};
use crate::file::AnyModel;
use crate::fits::Writer;
use crate::flags::{BRIGHT, FAST, NO_MODEL, SCATTERED_LIGHT, Thresholds};
use crate::output::write_whole;

/// Bit of `APERTURE` for the pixels of the pipeline's optimal aperture.
const OPTIMAL_APERTURE: i32 = 2;

/// The scattered light in the cadences of a target pixel file.
#[derive(Debug, Clone, PartialEq)]
pub struct CadenceFlags {
    /// The flags of each cadence, as in [`flags`](crate::flags).
    pub flags: Vec<i32>,
    /// The mean background of the target's pixels in each cadence, in electrons/s a pixel; NaN where
    /// there is none.
    pub background: Vec<f64>,
    thresholds: Thresholds,
}

impl CadenceFlags {
    /// Flags the cadences of a file by the mean background over the pixels of the pipeline's optimal
    /// aperture (bit 2 of `APERTURE`), or over all pixels where there is none. Cadences have the
    /// flags of the frame that they belong to.
    ///
    /// # Errors
    /// [`Error::WrongTarget`] if the file is of another sector, camera or CCD than the model;
    /// [`Error::InvalidArgument`] if none of those pixels is where the model was fitted.
    pub fn new<B: Backend>(
        xp: &B,
        tpf: &TargetPixelFile,
        model: &dyn AnyModel,
        thresholds: Thresholds,
    ) -> Result<Self> {
        let head = model.without_weights();
        head.check_target(tpf.target)?;
        let refused = |reason: &str| Error::InvalidArgument(format!("{}: {reason}", tpf.path.display()));
        let corner =
            tpf.corner.ok_or_else(|| refused("it does not say where its pixels are: give the corner"))?;
        let (_, rows, columns) = tpf.shape();
        let taken = |pixel: (usize, usize)| {
            tpf.aperture.as_ref().is_none_or(|aperture| aperture[pixel] & OPTIMAL_APERTURE != 0)
        };
        let outside = || refused("its pixels are outside of the area that the model was fitted to");
        let part = Part::new(corner, (rows, columns), head.shape).ok_or_else(outside)?;
        let (science_rows, science_columns) = part.science(corner);
        let within = part.rows.zip(science_rows);
        let mut all = Vec::new();
        for (row, science_row) in within {
            for (column, &science_column) in part.columns.clone().zip(&science_columns) {
                all.push(((row, column), (science_row, science_column)));
            }
        }
        let aperture: Vec<_> = all.iter().filter(|&&(pixel, _)| taken(pixel)).copied().collect();
        let pixels: Vec<(usize, usize)> =
            if aperture.is_empty() { &all } else { &aperture }.iter().map(|&(_, science)| science).collect();

        let frames: Vec<usize> = (0..head.tstart.len()).collect();
        let of_pixels = evaluate_pixels(xp, model, &frames, &pixels)?;
        let background: Vec<f64> =
            of_pixels.rows().into_iter().map(|frame| frame.sum() / pixels.len() as f64).collect();
        let flags = thresholds.flags(&head.middles(), &background);
        let cadences = frames_of(tpf, &head.tstart, &head.tstop);
        let of_cadences = |of_frame: &dyn Fn(usize) -> f64| -> Vec<f64> {
            cadences.iter().map(|frame| frame.map_or(f64::NAN, of_frame)).collect()
        };
        Ok(Self {
            background: of_cadences(&|frame| background[frame]),
            flags: cadences.iter().map(|frame| frame.map_or(NO_MODEL, |frame| flags[frame])).collect(),
            thresholds,
        })
    }

    /// Cadences that are bright or change fast.
    #[must_use]
    pub fn flagged(&self) -> usize {
        self.flags.iter().filter(|&&flags| flags & (BRIGHT | FAST) != 0).count()
    }

    /// Writes the target pixel file to `path` with the columns `BKG_QUALITY` (the flags) and
    /// `BKG_LEVEL` (the mean background, electrons/s a pixel), and otherwise as it was read. With
    /// `in_quality` the mission's flag for scattered light is set in `QUALITY`, too, where the
    /// background is bright or changes fast.
    ///
    /// # Errors
    /// [`Error::Fits`] if the file cannot be changed; as [`write_whole`].
    ///
    /// # Panics
    /// If it was another file that was flagged.
    pub fn save(
        &self,
        tpf: &TargetPixelFile,
        model: &str,
        in_quality: bool,
        path: &Path,
        overwrite: bool,
    ) -> Result<()> {
        assert_eq!(self.flags.len(), tpf.time.len(), "the target pixel file that was flagged");
        let mut file = Writer::edit(&tpf.path, tpf.bytes())?;
        file.select(TABLE)?;
        let level: Vec<f32> = self.background.iter().map(|&level| level as f32).collect();
        file.append_column("BKG_QUALITY", "", &[1], &self.flags)?;
        file.append_column("BKG_LEVEL", "e-/s", &[1], &level)?;
        if in_quality {
            let quality: Vec<i32> = tpf
                .quality
                .iter()
                .zip(&self.flags)
                .map(|(quality, flags)| {
                    let scattered = if flags & (BRIGHT | FAST) != 0 { SCATTERED_LIGHT } else { 0 };
                    quality.cast_signed() | scattered
                })
                .collect();
            file.replace_column("QUALITY", &quality)?;
        }
        file.select(0)?;
        let Thresholds { level, rate } = self.thresholds;
        let mut lines = vec![
            format!("backdrop {} flag: scattered light by {model}", env!("CARGO_PKG_VERSION")),
            format!(
                "BKG_QUALITY: 1 above {level} e-/s a pixel, 2 changes by more than {rate} a day, 4 no model"
            ),
        ];
        if in_quality {
            lines.push(format!("QUALITY has {SCATTERED_LIGHT} where BKG_QUALITY has 1 or 2"));
        }
        for line in lines {
            file.history(&line)?;
        }
        write_whole(path, file.bytes()?, overwrite)
    }
}

#[cfg(test)]
mod tests;
