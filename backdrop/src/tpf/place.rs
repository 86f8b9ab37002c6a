//! Where the pixels of a target pixel file are, when it does not say: found in one of its frames.
//!
//! TESScut copies pixels bit by bit. So of all places in a frame only one, but for accidents that
//! are reported, holds the same numbers as the cadence that was cut from it.

use ndarray::Array2;

use super::TargetPixelFile;
use super::correct::frames_of;
use crate::error::{Error, Result};
use crate::source::FrameSource;

impl TargetPixelFile {
    /// The science row and column of the first pixel, by looking for the pixels of a cadence in
    /// the frame at position `index` of `source` that it was cut from.
    ///
    /// ```
    /// use backdrop::simulate::{Simulation, SimulationSettings};
    /// use backdrop::tpf::TargetPixelFile;
    ///
    /// let settings = SimulationSettings { frames: 2, size: 64, ..Default::default() };
    /// let simulation = Simulation::new(settings)?;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("tpf.fits");
    /// simulation.write_target_pixels(&path, (30, 20), (11, 11), false)?;
    /// let tpf = TargetPixelFile::open(&path)?;
    /// assert_eq!(tpf.find(&simulation, 1)?, (30, 20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the frame is of another sector, camera or CCD, none of the
    /// cadences was taken in it, or its pixels are not there or there more than once; as
    /// [`FrameSource::read`].
    pub fn find<S: FrameSource + ?Sized>(&self, source: &S, index: usize) -> Result<(i64, i64)> {
        let refused = |reason: String| Error::InvalidArgument(format!("{}: {reason}", self.path.display()));
        let (rows, columns) = source.shape();
        let mut image = vec![0.0; rows * columns];
        source.read(index, &mut image)?;
        let info = &source.frames()[index];
        if source.target() != self.target {
            let (name, other, target) = (&info.name, source.target(), self.target);
            return Err(refused(format!("it is of {target}, but {name} of {other}")));
        }
        let within = frames_of(self, &[info.tstart], &[info.tstop]);
        let Some(cadence) = within.iter().position(Option::is_some) else {
            return Err(refused(format!("none of its cadences was taken during {}", info.name)));
        };
        let mut cut = self.flux.index_axis(ndarray::Axis(0), cadence).to_owned();
        if let Some(background) = self.background.as_ref().filter(|_| self.background_subtracted) {
            cut += &background.index_axis(ndarray::Axis(0), cadence);
        }
        let image = match Array2::from_shape_vec((rows, columns), image) {
            Ok(image) => image,
            Err(error) => unreachable!("a frame has all its pixels: {error}"),
        };
        match places(&cut, &image)[..] {
            [corner] => Ok(corner),
            [] => Err(refused(format!("its pixels are nowhere in {}", info.name))),
            [..] => Err(refused(format!("its pixels are in several places of {}", info.name))),
        }
    }
}

/// The places of the first pixel of `cut`, (row, column), where all of its pixels that lie within
/// `image` have the same values, among them the one nearest to the middle that has a value.
fn places(cut: &Array2<f32>, image: &Array2<f32>) -> Vec<(i64, i64)> {
    let distance = |&(row, column): &(usize, usize)| {
        (2 * row).abs_diff(cut.nrows()) + (2 * column).abs_diff(cut.ncols())
    };
    let finite = cut.indexed_iter().filter(|(_, pixel)| pixel.is_finite());
    let Some(middle) = finite.map(|(position, _)| position).min_by_key(distance) else { return Vec::new() };
    let value = cut[middle];
    let same_at = |corner: (i64, i64)| {
        cut.indexed_iter().all(|((row, column), pixel)| {
            let position =
                (usize::try_from(corner.0 + row as i64), usize::try_from(corner.1 + column as i64));
            let (Ok(row), Ok(column)) = position else { return true };
            image.get((row, column)).is_none_or(|other| other == pixel || (other.is_nan() && pixel.is_nan()))
        })
    };
    image
        .indexed_iter()
        .filter(|&(_, &pixel)| pixel == value)
        .map(|((row, column), _)| (row as i64 - middle.0 as i64, column as i64 - middle.1 as i64))
        .filter(|&corner| same_at(corner))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_out_is_found_within_and_over_the_edges() {
        // All pixels differ, but for one without a value, in the middle of the first cut-out,
        // and one that repeats another.
        let mut image = Array2::from_shape_fn((20, 30), |(row, column)| (100 * row + column) as f32);
        image[(4, 4)] = f32::NAN;
        image[(10, 10)] = image[(3, 3)];
        for corner in [(2, 2), (3, 4), (-1, -2), (16, 27), (9, 9)] {
            let cut = Array2::from_shape_fn((4, 5), |(row, column)| {
                let position =
                    (usize::try_from(corner.0 + row as i64), usize::try_from(corner.1 + column as i64));
                let (Ok(row), Ok(column)) = position else { return f32::NAN };
                image.get((row, column)).copied().unwrap_or(f32::NAN)
            });
            assert_eq!(places(&cut, &image), [corner]);
            let other = &cut + 0.25;
            assert_eq!(places(&other, &image), []);
        }
    }

    #[test]
    fn what_is_everywhere_is_in_several_places() {
        let image = Array2::<f32>::zeros((3, 4));
        assert_eq!(places(&Array2::zeros((1, 1)), &image).len(), 12);
    }
}
