//! The scene as a FITS file.
//!
//! | HDU name | content |
//! |---|---|
//! | `PRIMARY` | what the scene is of and how it was made |
//! | `ORBIT1`, `ORBIT2` | f32 cubes, components x rows x columns, electrons/s |
//! | `BADPIX1`, `BADPIX2` | 8-bit images, rows x columns: see [`BAD`], [`BESIDE_BAD`], [`UNFITTED`] |
//! | `TIME` | table: `tstart`, `tstop`, `orbit`, one row for each frame of the model |
//! | `DESIGN` | f64 image, frames x components |
//! | `TERMS` | table: `name` of each component |
//!
//! The first HDUs are those of scatterbrain, the first program of this kind, in its order; frames
//! of a single orbit have no `ORBIT2` and `BADPIX2`. Every HDU has `CHECKSUM` and `DATASUM`.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::{BAD, BESIDE_BAD, TimeTerms, UNFITTED};
use crate::cube::Card;
use crate::error::{Error, Result, quoted};
use crate::fits::{Column, ImageHdu, Kind, Reader, Values, Writer, decode, write_at};
use crate::geometry::CCD_SIZE;
use crate::output::WholeFile;
use crate::source::Target;

/// Names of the cubes and of the images of bad pixels.
const ORBITS: [(&str, &str); 2] = [("ORBIT1", "BADPIX1"), ("ORBIT2", "BADPIX2")];

/// The name that the file of a target's scene has by convention,
/// `tessstarscene_sector<S>_camera<C>_ccd<D>.fits`.
///
/// ```
/// use backdrop::scene::file_name;
/// use backdrop::source::Target;
///
/// let target = Target { sector: 12, camera: 1, ccd: 3 };
/// assert_eq!(file_name(target), "tessstarscene_sector12_camera1_ccd3.fits");
/// ```
#[must_use]
pub fn file_name(target: Target) -> String {
    let Target { sector, camera, ccd } = target;
    format!("tessstarscene_sector{sector}_camera{camera}_ccd{ccd}.fits")
}

/// A saved scene: all of it but the weights, of which [`Evaluator`](super::Evaluator) reads those
/// of the pixels that are asked for.
///
/// See [`fit`](super::fit()) for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// The sector, camera and CCD of the frames.
    pub target: Target,
    /// The science area that was fitted, (rows, columns) from row 0 and column 0 on.
    pub shape: (usize, usize),
    /// How slow changes are fitted.
    pub time_terms: TimeTerms,
    /// Standard deviation of the prior of every weight, in electrons/s.
    pub prior_sigma: f64,
    /// Side of a square with as many pixels as were fitted at once.
    pub tile: usize,
    /// Name and version of the program that fitted the scene, such as `backdrop 0.1.0`.
    pub software: String,
    /// What the fit ran on.
    pub backend: String,
    /// Start of each exposure, in BTJD days: the frames are those of the model, in its order.
    pub tstart: Vec<f64>,
    /// End of each exposure, in BTJD days.
    pub tstop: Vec<f64>,
    /// The orbit of each frame, 1 or 2; 0 for a frame that was not fitted.
    pub orbit: Vec<u8>,
    /// The design matrix, of shape (frames, components): what each component brings to a frame.
    /// NaN for a frame that was not fitted.
    pub design: Array2<f64>,
    /// Names of the components, such as `t^2` or `jitter 3`.
    pub terms: Vec<String>,
    /// Where the weights are; empty before there is a file.
    pub(super) path: PathBuf,
}

impl Scene {
    /// Number of orbits, 1 or 2.
    #[must_use]
    pub fn orbits(&self) -> usize {
        self.orbit.iter().copied().max().unwrap_or(0).into()
    }

    /// Refuses data of another sector, camera or CCD than the scene's.
    ///
    /// # Errors
    /// [`Error::WrongTarget`], which names both.
    pub fn check_target(&self, data: Target) -> Result<()> {
        if self.target == data { Ok(()) } else { Err(Error::WrongTarget { model: self.target, data }) }
    }

    /// Reads what a scene's file says of it, but for the weights, whose checksum is not looked at
    /// either.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Fits`], [`Error::Truncated`] or [`Error::MissingKeyword`] if the file
    /// cannot be read or is damaged; [`Error::NotAScene`] if it holds something else or its parts
    /// contradict one another.
    pub fn load(path: &Path) -> Result<Self> {
        let refused = |reason: String| not_a_scene(path, reason);
        if Kind::of(path)?.0 != Kind::Fits {
            return Err(refused("it is no FITS file".into()));
        }
        let mut file = Reader::open(path)?;
        select(&mut file, ORBITS[0].0)?;
        select(&mut file, "TIME")?;
        file.check_sum()?;
        let (tstart, tstop) = (file.numbers("tstart")?, file.numbers("tstop")?);
        let orbit: Vec<i32> = file.numbers("orbit")?;
        let orbit: Option<_> =
            orbit.into_iter().map(|orbit| u8::try_from(orbit).ok().filter(|&orbit| orbit <= 2)).collect();
        let orbit = orbit.ok_or_else(|| refused("TIME has an orbit that is not 0, 1 or 2".into()))?;
        select(&mut file, "TERMS")?;
        file.check_sum()?;
        let terms: Vec<String> = file.texts("name")?.iter().map(|name| decode(name)).collect();
        let [frames, components] = shape_of(&mut file, "DESIGN")?;
        file.check_sum()?;
        if (frames, components) != (tstart.len(), terms.len()) {
            return Err(refused(format!(
                "DESIGN has {frames} x {components} values for {} frames and {} terms",
                tstart.len(),
                terms.len()
            )));
        }
        let mut design = Array2::zeros((frames, components));
        if let Some(values) = design.as_slice_mut() {
            file.pixels(0, None, values)?;
        }

        file.select(0)?;
        let text = |keyword| file.text(keyword).map(|text| decode(&text)).unwrap_or_default();
        let time = text("TIMETERM");
        let time_terms = [TimeTerms::Quadratic, TimeTerms::Spline].into_iter().find(|t| t.name() == time);
        let mut scene = Self {
            target: Target {
                sector: file.require("SECTOR")?,
                camera: file.require("CAMERA")?,
                ccd: file.require("CCD")?,
            },
            shape: (0, 0),
            time_terms: time_terms
                .ok_or_else(|| refused(format!("there are no time terms {}", quoted(&time))))?,
            prior_sigma: file.require("PRIORSIG")?,
            tile: file.require("BATSIZE")?,
            software: [text("ORIGIN"), text("VERSION")].join(" ").trim().to_owned(),
            backend: text("BACKEND"),
            tstart,
            tstop,
            orbit,
            design,
            terms,
            path: path.to_owned(),
        };
        for (number, (cube, bad)) in ORBITS.iter().enumerate().take(scene.orbits()) {
            let [components, rows, columns] = shape_of(&mut file, cube)?;
            let shape = (rows, columns);
            if number == 0 {
                scene.shape = shape;
            }
            if rows > CCD_SIZE || columns > CCD_SIZE {
                return Err(refused(format!("{cube} is of {rows} x {columns} pixels, more than a CCD has")));
            }
            let same = shape_of(&mut file, bad)? == [rows, columns];
            if !same || shape != scene.shape || components != scene.terms.len() {
                return Err(refused(format!("the size of {cube} or {bad} is not that of the others")));
            }
        }
        Ok(scene)
    }

    /// Which pixels of some rows and columns are bad in an orbit, 1 or 2, of shape (rows, columns):
    /// [`BAD`], [`BESIDE_BAD`] and [`UNFITTED`], added up; 0 is a good pixel.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an orbit, rows or columns that do not exist; those of reading.
    pub fn bad_pixels(&self, orbit: usize, rows: &[usize], columns: &[usize]) -> Result<Array2<u8>> {
        let Some((_, bad)) = orbit.checked_sub(1).and_then(|orbit| ORBITS[..self.orbits()].get(orbit)) else {
            return Err(Error::InvalidArgument(format!(
                "orbit {orbit} asked for, but the scene has {}, counted from 1",
                self.orbits()
            )));
        };
        let found = self.read_window(bad, 1, rows, columns)?;
        match Array2::from_shape_vec((rows.len(), columns.len()), found) {
            Ok(found) => Ok(found),
            Err(error) => unreachable!("one number a pixel: {error}"),
        }
    }

    /// The weights of an orbit, counted from 0, for some rows and columns: (components, rows,
    /// columns) in row-major order.
    pub(super) fn weights(&self, orbit: usize, rows: &[usize], columns: &[usize]) -> Result<Vec<f32>> {
        self.read_window(ORBITS[orbit].0, self.terms.len(), rows, columns)
    }

    /// Some rows and columns of the planes of an image.
    fn read_window<T: crate::fits::Number + Default>(
        &self,
        name: &str,
        planes: usize,
        rows: &[usize],
        columns: &[usize],
    ) -> Result<Vec<T>> {
        let (all_rows, all_columns) = self.shape;
        for (thing, numbers, length) in [("row", rows, all_rows), ("column", columns, all_columns)] {
            if let Some(bad) = numbers.iter().find(|&&number| number >= length) {
                return Err(Error::InvalidArgument(format!(
                    "{thing} {bad} asked for, but the scene has {length}, counted from 0"
                )));
            }
        }
        let mut file = Reader::open(&self.path)?;
        select(&mut file, name)?;
        let mut window = Vec::with_capacity(planes * rows.len() * columns.len());
        let (first, last) = (columns.iter().min().copied(), columns.iter().max().copied());
        let Some((first, last)) = first.zip(last) else { return Ok(window) };
        let mut line = vec![T::default(); last - first + 1];
        for plane in 0..planes {
            for row in rows {
                let start = (plane * all_rows + row) * all_columns + first;
                file.pixels(start as u64, None, &mut line)?;
                window.extend(columns.iter().map(|column| line[column - first]));
            }
        }
        Ok(window)
    }
}

/// Moves to the HDU of a name.
fn select(file: &mut Reader, name: &str) -> Result<()> {
    for hdu in 0..file.hdus() {
        file.select(hdu)?;
        if file.text("EXTNAME").as_deref() == Some(name) {
            return Ok(());
        }
    }
    Err(not_a_scene(file.path(), format!("it has no {name}")))
}

/// The shape of the image of a name, which is moved to.
fn shape_of<const N: usize>(file: &mut Reader, name: &str) -> Result<[usize; N]> {
    select(file, name)?;
    let shape = file.image()?.filter(|image| !image.compressed).map(|image| image.shape);
    let lengths: Option<Vec<usize>> =
        shape.and_then(|shape| shape.into_iter().map(|length| length.try_into().ok()).collect());
    let lengths = lengths.and_then(|lengths| <[usize; N]>::try_from(lengths).ok());
    lengths.ok_or_else(|| not_a_scene(file.path(), format!("{name} is no image with {N} axes")))
}

fn not_a_scene(path: &Path, reason: String) -> Error {
    Error::NotAScene { path: path.to_owned(), reason }
}

/// The file of a scene under way: the weights of some rows after the other, orbit by orbit.
#[derive(Debug)]
pub(super) struct SceneWriter {
    file: WholeFile,
    shape: (usize, usize),
    /// For each orbit the weights and the bad pixels.
    images: Vec<[ImageHdu; 2]>,
}

impl SceneWriter {
    /// Begins the file, which is to be at `path`, with all but the images.
    ///
    /// # Errors
    /// As [`WholeFile::create`].
    pub(super) fn create(scene: &Scene, path: &Path, overwrite: bool) -> Result<Self> {
        let mut file = WholeFile::create(path, overwrite)?;
        let (rows, columns) = scene.shape;
        let mut head = Writer::new(path)?;
        write_primary(&mut head, scene)?;
        let head = head.bytes()?.len();

        let mut end = head as u64;
        let unit = || Card::text("BUNIT", "electrons/s", "unit of the weights");
        let orbits = || ORBITS.into_iter().take(scene.orbits());
        let cubes: Vec<_> = orbits()
            .map(|(name, _)| {
                let cards = [Card::text("EXTNAME", name, "name of this HDU"), unit()];
                place(&mut end, |start| {
                    ImageHdu::new::<f32>(start, &[scene.terms.len(), rows, columns], &cards, &[])
                })
            })
            .collect();
        let bad: Vec<_> = orbits()
            .map(|(_, name)| {
                let cards = [
                    Card::text("EXTNAME", name, "name of this HDU"),
                    Card::integer("BAD", BAD.into(), "bit: too often above the fit"),
                    Card::integer("BESIDE", BESIDE_BAD.into(), "bit: next to such a pixel"),
                    Card::integer("UNFITTED", UNFITTED.into(), "bit: too few cadences, no weights"),
                ];
                place(&mut end, |start| ImageHdu::new::<u8>(start, &[rows, columns], &cards, &[]))
            })
            .collect();

        let mut tables = Writer::new(path)?;
        write_primary(&mut tables, scene)?;
        write_tables(&mut tables, scene)?;
        let bytes = tables.bytes()?;
        write_at(&mut file, 0, &bytes[..head])?;
        write_at(&mut file, end, &bytes[head..])?;
        let images = cubes.into_iter().zip(bad).map(|(cube, bad)| [cube, bad]).collect();
        Ok(Self { file, shape: scene.shape, images })
    }

    /// Writes the weights of a component for whole rows, from row `first` on.
    pub(super) fn weights(&mut self, orbit: usize, component: usize, first: usize, w: &[f32]) -> Result<()> {
        let (rows, columns) = self.shape;
        self.images[orbit][0].write(&mut self.file, (component * rows + first) * columns, w)
    }

    /// Writes all bad pixels of an orbit.
    pub(super) fn bad(&mut self, orbit: usize, bad: &Array2<u8>) -> Result<()> {
        let pixels: Vec<u8> = bad.iter().copied().collect();
        self.images[orbit][1].write(&mut self.file, 0, &pixels)
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// As [`WholeFile::finish`].
    pub(super) fn finish(mut self) -> Result<()> {
        for image in self.images.iter().flatten() {
            image.finish(&mut self.file)?;
        }
        self.file.finish()
    }
}

/// An image that begins where the last one ended.
fn place(end: &mut u64, image: impl FnOnce(u64) -> ImageHdu) -> ImageHdu {
    let image = image(*end);
    *end = image.end();
    image
}

fn write_primary(file: &mut Writer, scene: &Scene) -> Result<()> {
    let (origin, version) = scene.software.rsplit_once(' ').unwrap_or((&scene.software, ""));
    file.image::<u8>("PRIMARY", &[], &[])?;
    file.text("ORIGIN", origin, "program that made this file")?;
    file.text("VERSION", version, "version of that program")?;
    file.integer("SECTOR", scene.target.sector.into(), "observing sector")?;
    file.integer("CAMERA", scene.target.camera.into(), "camera number")?;
    file.integer("CCD", scene.target.ccd.into(), "CCD number")?;
    file.integer("BATSIZE", scene.tile as u64, "[pixel] side of the square fitted at once")?;
    file.integer("NCOMPS", scene.terms.len() as u64, "components, those in time included")?;
    file.text("TIMETERM", scene.time_terms.name(), "how slow changes are fitted")?;
    file.real("PRIORSIG", scene.prior_sigma, "[electrons/s] prior of a weight is 0 +- this")?;
    file.text("BACKEND", &scene.backend, "what the fit ran on")?;
    file.comment("Flux less background of a pixel in frame i of orbit n:")?;
    file.comment("the sum over components j of DESIGN[i, j] ORBITn[j, row, column].")
}

fn write_tables(file: &mut Writer, scene: &Scene) -> Result<()> {
    let orbit: Vec<i32> = scene.orbit.iter().copied().map(i32::from).collect();
    let time = |name, values| Column { name, unit: "d", values: Values::F64(values) };
    file.table(
        "TIME",
        &[
            time("tstart", &scene.tstart),
            time("tstop", &scene.tstop),
            Column { name: "orbit", unit: "", values: Values::I32(&orbit) },
        ],
    )?;
    file.text("TIMESYS", "TDB", "time system is Barycentric Dynamical Time")?;
    file.integer("BJDREFI", 2_457_000, "[d] times are BJD - 2457000 (BTJD)")?;
    file.comment("Frames of the background model; orbit 0 is a frame that was not fitted.")?;
    let design = scene.design.as_standard_layout();
    let values: Vec<f64> = design.iter().copied().collect();
    file.image("DESIGN", design.shape(), &values)?;
    file.comment("A row a frame, a column a component; within an orbit the columns are")?;
    file.comment("orthogonal, with a root mean square of 1.")?;
    file.text_table("TERMS", "name", &scene.terms)
}
