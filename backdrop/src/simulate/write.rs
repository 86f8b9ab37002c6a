//! A simulation on disk: full frame images in the mission's layout, and the truth.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use crate::cube::{Card, CubeWriter};
use crate::error::{Error, Result};
use crate::ffi::{FIRST_SCIENCE_COLUMN, IMAGE_SHAPE, Layout, SCIENCE_SIZE};
use crate::fits::Writer;
use crate::output::write_whole;
use crate::progress::Progress;
use crate::source::{FrameSource, Target};

use super::header::Header;
use super::{Simulation, tica};

/// The name of the file with the true background.
const TRUTH_NAME: &str = "truth.fits";

/// How the images of a simulation are compressed. None of the ways loses a bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: `.fits`.
    #[default]
    None,
    /// The whole file by gzip: `.fits.gz`.
    Gzip,
    /// Each row of an image by gzip, as a tile-compressed FITS image: `.fits.fz`.
    Tiles,
}

impl Compression {
    /// What is added to a file name ending in `.fits`.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Tiles => ".fz",
        }
    }
}

/// How [`Simulation::write`] writes.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// Which pipeline's files the images look like.
    pub layout: Layout,
    /// How the images are compressed; the truth never is.
    pub compression: Compression,
    /// Whether to replace files that are there already.
    pub overwrite: bool,
}

/// What [`Simulation::write`] has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFiles {
    /// The full frame images, in the order of the frames.
    pub frames: Vec<PathBuf>,
    /// The true background.
    pub truth: PathBuf,
    /// The paths of the asteroids, if there are any.
    pub asteroids: Option<PathBuf>,
}

impl Simulation {
    /// Writes all frames into a directory, which is made if need be, and beside them
    /// `truth.fits`, which holds the true background of all frames as a
    /// cube (frames, rows, columns) in electrons/s, and the asteroids, if any, in `asteroids.csv`.
    /// One frame at a time is in memory.
    ///
    /// An image is 2078 rows x 2136 columns for a whole CCD, and `size` rows x (44 + `size`
    /// + 1) columns for a cut-out; its science area starts at row 0, column 44.
    ///
    /// # Errors
    /// [`Error::OutputExists`] before anything is written if a file is there already and
    /// not to be replaced; [`Error::Io`] and [`Error::Fits`] if the directory cannot be
    /// written to; [`Error::Cancelled`] when `progress` says so. Frames that were complete
    /// by then stay.
    pub fn write(&self, dir: &Path, options: WriteOptions, progress: &dyn Progress) -> Result<WrittenFiles> {
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let frames = self
            .frames
            .iter()
            .enumerate()
            .map(|(index, frame)| match options.layout {
                Layout::Spoc => frame.name.clone(),
                Layout::Tica => tica::file_name(&self.settings, index),
            })
            .map(|name| dir.join(name + options.compression.suffix()))
            .collect::<Vec<_>>();
        let truth = dir.join(TRUTH_NAME);
        let asteroids = (self.settings.asteroids > 0).then(|| dir.join(self.asteroids.name()));
        if !options.overwrite
            && let Some(path) = frames.iter().chain([&truth]).chain(&asteroids).find(|path| path.exists())
        {
            return Err(Error::OutputExists { path: path.clone() });
        }

        let (rows, columns) = self.shape();
        let Target { sector, camera, ccd } = self.settings.target;
        let cards = [
            Card::integer("SECTOR", sector.into(), "observing sector"),
            Card::integer("CAMERA", camera.into(), "camera number"),
            Card::integer("CCD", ccd.into(), "CCD chip number"),
            Card::text("BUNIT", "electrons/s", "unit of the true background"),
        ];
        let shape = [frames.len(), rows, columns];
        let mut cube = CubeWriter::create(&truth, &shape, &cards, options.overwrite)?;
        let mut frame = vec![0.0; rows * columns];
        progress.start("simulating", self.frames.len());
        for (index, path) in frames.iter().enumerate() {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            self.truth(index, &mut frame)?;
            cube.write(&frame)?;
            self.read(index, &mut frame)?;
            match options.layout {
                Layout::Spoc => self.write_frame(path, index, &frame, options)?,
                Layout::Tica => tica::write_frame(self, path, index, &frame, options)?,
            }
            progress.advance(1);
        }
        cube.finish()?;
        if let Some(path) = &asteroids {
            self.asteroids.write(path, options.overwrite)?;
        }
        progress.finish();
        Ok(WrittenFiles { frames, truth, asteroids })
    }

    /// Rows and columns of the whole image, those without sky included.
    pub(super) fn image_shape(&self) -> (usize, usize) {
        let size = self.settings.size;
        if size == SCIENCE_SIZE { IMAGE_SHAPE } else { (size, FIRST_SCIENCE_COLUMN + size + 1) }
    }

    /// What the headers of a frame say.
    pub(super) fn header(&self, index: usize) -> Header<'_> {
        Header {
            target: self.settings.target,
            info: &self.frames[index],
            index,
            live_time: self.detector.live_time(),
        }
    }

    /// Writes one full frame image.
    fn write_frame(&self, path: &Path, index: usize, frame: &[f32], options: WriteOptions) -> Result<()> {
        let Target { camera, ccd, .. } = self.settings.target;
        let header = self.header(index);
        let mut fits = Writer::new(path)?;
        fits.image::<f32>("PRIMARY", &[], &[])?;
        header.write_primary(&mut fits)?;

        if options.compression == Compression::Tiles {
            fits.compress_images()?;
        }
        let uncertainty: Vec<f32> = frame.iter().map(|&flux| self.detector.uncertainty(flux)).collect();
        let (rows, columns) = self.image_shape();
        for (kind, science) in [("cal", frame), ("uncert", &uncertainty)] {
            let name = format!("CAMERA.CCD {camera}.{ccd} {kind}");
            fits.image(&name, &[rows, columns], &self.surround(science))?;
            header.write_image(&mut fits, kind)?;
        }

        finish(fits, path, options)
    }

    /// The science area amid the rows and columns without sky, which are 0.
    pub(super) fn surround(&self, science: &[f32]) -> Vec<f32> {
        let size = self.settings.size;
        let (rows, columns) = self.image_shape();
        let mut image = vec![0.0; rows * columns];
        for (line, science) in image.chunks_exact_mut(columns).zip(science.chunks_exact(size)) {
            line[FIRST_SCIENCE_COLUMN..FIRST_SCIENCE_COLUMN + size].copy_from_slice(science);
        }
        image
    }
}

/// Writes a file that is complete in memory to the disk.
pub(super) fn finish(mut fits: Writer, path: &Path, options: WriteOptions) -> Result<()> {
    let bytes = match options.compression {
        Compression::None | Compression::Tiles => Cow::Borrowed(fits.bytes()?),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let compressed = encoder.write_all(fits.bytes()?).and_then(|()| encoder.finish());
            Cow::Owned(compressed.map_err(Error::io(path))?)
        }
    };
    write_whole(path, &bytes, options.overwrite)
}
