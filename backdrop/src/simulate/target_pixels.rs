//! A cut-out of a simulation on disk: a target pixel file in the layout of the SPOC pipeline.

use std::path::Path;

use crate::error::{Error, Result};
use crate::ffi::FIRST_SCIENCE_COLUMN;
use crate::fits::{Column, Values, Writer};
use crate::output::write_whole;
use crate::source::FrameSource;

use super::Simulation;
use super::header::BARYCENTRIC_CORRECTION;

impl Simulation {
    /// Writes the pixels from a science row and column on, as many (rows, columns) as `shape`
    /// says, as a target pixel file with a cadence for each frame.
    ///
    /// As in the files of the SPOC pipeline an estimate of the background, here the mean of the
    /// true one over the pixels, is in `FLUX_BKG` and has been subtracted from `FLUX`. It is
    /// rounded to whole electrons/s, so that the sum of both is the frame to the last bit.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are no pixels or they are not all in the frames;
    /// [`Error::OutputExists`], [`Error::Io`] and [`Error::Fits`] if the file cannot be written.
    pub fn write_target_pixels(
        &self,
        path: &Path,
        corner: (usize, usize),
        shape: (usize, usize),
        overwrite: bool,
    ) -> Result<()> {
        let (rows, columns) = shape;
        let size = self.settings.size;
        let inside = |first: usize, length: usize| first.checked_add(length).is_some_and(|end| end <= size);
        if rows * columns == 0 || !inside(corner.0, rows) || !inside(corner.1, columns) {
            return Err(Error::InvalidArgument(format!(
                "{rows} x {columns} pixels from row {} and column {} on are not in frames of {size} x {size}",
                corner.0, corner.1
            )));
        }
        let (mut flux, mut uncertainty, mut background) = (Vec::new(), Vec::new(), Vec::new());
        let (mut frame, mut truth) = (vec![0.0; size * size], vec![0.0; size * size]);
        let pixels: Vec<usize> = (corner.0..corner.0 + rows)
            .flat_map(|row| (corner.1..corner.1 + columns).map(move |column| row * size + column))
            .collect();
        for index in 0..self.frames.len() {
            self.read(index, &mut frame)?;
            self.truth(index, &mut truth)?;
            let sum: f64 = pixels.iter().map(|&pixel| f64::from(truth[pixel])).sum();
            let mean = (sum / pixels.len() as f64).round() as f32;
            flux.extend(pixels.iter().map(|&pixel| frame[pixel] - mean));
            uncertainty.extend(pixels.iter().map(|&pixel| self.detector.uncertainty(frame[pixel])));
            background.extend(pixels.iter().map(|_| mean));
        }

        let mut fits = Writer::new(path)?;
        fits.image::<u8>("PRIMARY", &[], &[])?;
        self.header(0).write_primary(&mut fits)?;
        let middle = |start: f64, stop: f64| (start + stop) / 2.0 + BARYCENTRIC_CORRECTION;
        let time: Vec<f64> = self.frames.iter().map(|info| middle(info.tstart, info.tstop)).collect();
        let correction = vec![BARYCENTRIC_CORRECTION; time.len()];
        let cadence: Vec<i32> = (0..).take(time.len()).collect();
        let quality: Vec<i32> = self.frames.iter().map(|info| info.quality.cast_signed()).collect();
        fits.table(
            "PIXELS",
            &[
                Column { name: "TIME", unit: "BJD - 2457000, days", values: Values::F64(&time) },
                Column { name: "TIMECORR", unit: "d", values: Values::F64(&correction) },
                Column { name: "CADENCENO", unit: "", values: Values::I32(&cadence) },
                Column { name: "QUALITY", unit: "", values: Values::I32(&quality) },
            ],
        )?;
        let images = [("FLUX", &flux), ("FLUX_ERR", &uncertainty), ("FLUX_BKG", &background)];
        for (number, (name, values)) in (5..).zip(images) {
            fits.append_column(name, "e-/s", &[rows, columns], values)?;
            fits.text(&format!("WCSN{number}P"), "PHYSICAL", "table column WCS name")?;
            let first = [(1, corner.1 + FIRST_SCIENCE_COLUMN + 1), (2, corner.0 + 1)];
            for (axis, first) in first {
                fits.integer(&format!("{axis}CRV{number}P"), first as u64, "physical WCS reference value")?;
                fits.integer(&format!("{axis}CRP{number}P"), 1, "physical WCS reference pixel")?;
                fits.real(&format!("{axis}CDL{number}P"), 1.0, "physical WCS step")?;
            }
        }
        fits.flag("BACKAPP", true, "background is subtracted")?;
        fits.text("TIMESYS", "TDB", "time system is Barycentric Dynamical Time (TDB)")?;
        fits.integer("BJDREFI", 2_457_000, "integer part of BTJD reference date")?;
        fits.real("BJDREFF", 0.0, "fraction of the day in BTJD reference date")?;
        // Bit 0: the pixel was collected.
        fits.image("APERTURE", &[rows, columns], &vec![1_i32; pixels.len()])?;
        write_whole(path, fits.bytes()?, overwrite)
    }
}
