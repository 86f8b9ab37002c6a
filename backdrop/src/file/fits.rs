//! The model as a FITS file.
//!
//! | HDU | name | content |
//! |---|---|---|
//! | 0 | `PRIMARY` | what the model is of and how it was made |
//! | 1 | `TIME` | table: `tstart`, `tstop`, `quality`, one row a frame |
//! | 2 | `WEIGHTS1` | f64 image, frames x columns of A1 |
//! | 3 | `WEIGHTS2` | f64 image, frames x columns of A2 |
//! | 4 | `JITTER` | f64 image, frames x components |
//! | 5 | `BKG` | f64 image, frames x components |
//! | 6 | `AVGFRAME` | f64 image, rows x columns, electrons/s |
//! | 7 | `JITPIX` | table: `row`, `column` of the jitter pixels |
//! | 8 | `BKGPIX` | table: `row`, `column` of the background pixels |
//! | 9 | `FILES` | table: `name` of each input file |
//! | 10 | `MASKS` | 8-bit image, rows x columns: bit 0 star, bit 1 saturated |
//! | 11 | `NOISE` | table: `scatter` of a clean pixel about the model, electrons/s, one row a frame |
//!
//! HDUs 0 to 6 are those of scatterbrain, the first program of this kind, whose files
//! are read as models of the preset `standard`; the others may be missing, and so
//! may the keywords that only this program writes. An array without frames or
//! components is an image with an axis of length 0, which has no data. Every HDU
//! has `CHECKSUM` and `DATASUM`. Text that is not printable ASCII is percent-encoded.

use std::path::Path;

use array_api::{Element, host};
use ndarray::Array2;

use super::stored::Weights;
use super::{Model, Rows, not_a_model};
use crate::cube::Card;
use crate::design::Preset;
use crate::error::{Error, Result, quoted};
use crate::ffi::SCIENCE_SIZE;
use crate::fits::{Column, ImageHdu, Number, Reader, Values, Writer, decode, write_at};
use crate::output::WholeFile;
use crate::source::Target;

/// The HDUs that every model has, in this order.
const NAMES: [&str; 7] = ["PRIMARY", "TIME", "WEIGHTS1", "WEIGHTS2", "JITTER", "BKG", "AVGFRAME"];

/// Bit of `MASKS` for pixels that the star mask drops.
const STAR: u8 = 1;
/// Bit of `MASKS` for pixels that the saturation mask drops.
const SATURATED: u8 = 2;

/// Writes the file, which appears whole or not at all. The images of real numbers, which are nearly all
/// of it, go to the disk in parts; the rest is put together in memory before.
pub(super) fn save(model: &Model, weights: [&dyn Rows; 2], path: &Path, overwrite: bool) -> Result<()> {
    let mut file = WholeFile::create(path, overwrite)?;
    let mut others = Writer::new(path)?;
    write_head(&mut others, model)?;
    let head = others.bytes()?.len();
    write_tables(&mut others, model)?;

    let mut end = head as u64;
    for image in images(model, weights) {
        end = image.save(&mut file, end)?;
    }
    let others = others.bytes()?;
    write_at(&mut file, 0, &others[..head])?;
    write_at(&mut file, end, &others[head..])?;
    file.finish()
}

/// An image of the model and what its header says.
struct ModelImage<'a> {
    name: &'static str,
    pixels: &'a dyn Rows,
    unit: Option<&'static str>,
    comments: &'static [&'static str],
}

/// The images between the first tables and the others.
fn images<'a>(model: &'a Model, [weights1, weights2]: [&'a dyn Rows; 2]) -> [ModelImage<'a>; 5] {
    let rows = |name, pixels, comments| ModelImage { name, pixels, unit: None, comments };
    [
        rows(
            "WEIGHTS1",
            weights1,
            &["Weights of the design matrix A1 for log10 of the flux, a row a frame."],
        ),
        rows(
            "WEIGHTS2",
            weights2,
            &["Weights of the design matrix A2 for the residual flux, a row a frame."],
        ),
        rows("JITTER", &model.jitter, &["Jitter components, a row a frame, from the pixels in JITPIX."]),
        rows("BKG", &model.background, &["Background components, a row a frame, from the pixels in BKGPIX."]),
        ModelImage {
            name: "AVGFRAME",
            pixels: &model.average_frame,
            unit: Some("electrons/s"),
            comments: &[],
        },
    ]
}

impl ModelImage<'_> {
    /// Writes the image at a place of a file, and tells where it ends.
    fn save(&self, file: &mut WholeFile, start: u64) -> Result<u64> {
        let mut cards = vec![Card::text("EXTNAME", self.name, "name of this HDU")];
        cards.extend(self.unit.map(|unit| Card::text("BUNIT", unit, "physical units of image data")));
        let (rows, columns) = self.pixels.shape();
        let mut image = ImageHdu::new::<f64>(start, &[rows, columns], &cards, self.comments);
        let mut written = 0;
        self.pixels.in_parts(&mut |pixels| {
            image.write(file, written, pixels)?;
            written += pixels.len();
            Ok(())
        })?;
        image.finish(file)?;
        Ok(image.end())
    }
}

/// Writes what is before the images.
fn write_head(file: &mut Writer, model: &Model) -> Result<()> {
    write_primary(file, model)?;
    let quality: Vec<_> = model.quality.iter().copied().map(f64::from).collect();
    let column = |name, unit, values| Column { name, unit, values: Values::F64(values) };
    file.table(
        "TIME",
        &[
            column("tstart", "d", &model.tstart),
            column("tstop", "d", &model.tstop),
            column("quality", "", &quality),
        ],
    )?;
    file.text("TIMESYS", "TDB", "time system is Barycentric Dynamical Time")?;
    file.integer("BJDREFI", 2_457_000, "[d] times are BJD - 2457000 (BTJD)")
}

/// Writes what is behind the images.
fn write_tables(file: &mut Writer, model: &Model) -> Result<()> {
    write_pixels(file, "JITPIX", &model.jitter_pixels)?;
    write_pixels(file, "BKGPIX", &model.background_pixels)?;
    file.text_table("FILES", "name", &model.input_files)?;

    let drops = |keep: &bool, bit| if *keep { 0 } else { bit };
    let masks = model.star_mask.iter().zip(&model.saturation_mask);
    let masks: Vec<_> =
        masks.map(|(star, saturation)| drops(star, STAR) | drops(saturation, SATURATED)).collect();
    file.image("MASKS", &[model.shape.0, model.shape.1], &masks)?;
    file.comment("Bit 0 (value 1) is set where the star mask drops the pixel,")?;
    file.comment("bit 1 (value 2) where the saturation mask does; 0 is a clean pixel.")?;

    let scatter = Column { name: "scatter", unit: "electrons/s", values: Values::F64(&model.scatter) };
    file.table("NOISE", &[scatter])?;
    file.comment("1.4826 times the median absolute residual of the pixels in BKGPIX.")
}

fn write_primary(file: &mut Writer, model: &Model) -> Result<()> {
    let (origin, version) = match model.software.rsplit_once(' ') {
        Some((origin, version)) if !version.is_empty() => (origin, version),
        _ => (model.software.as_str(), ""),
    };
    file.image::<u8>("PRIMARY", &[], &[])?;
    file.text("ORIGIN", origin, "program that made this file")?;
    file.text("VERSION", version, "version of that program")?;
    file.integer("SECTOR", model.target.sector.into(), "observing sector")?;
    file.integer("CAMERA", model.target.camera.into(), "camera number")?;
    file.integer("CCD", model.target.ccd.into(), "CCD number")?;
    file.integer("CUTSIZE", model.shape.0 as u64, "[pixel] rows of the science area fitted")?;
    file.integer("STRPPOLY", model.strap_npoly as u64, "powers of the row in the strap block")?;
    file.text("PRESET", &model.preset, "name of the designs")?;
    file.text("DESIGN1", &model.design1, "blocks of A1, priors mean +- sigma")?;
    file.text("DESIGN2", &model.design2, "blocks of A2, priors mean +- sigma")?;
    file.integer("NKNOTS", model.nknots as u64, "knots along a side of the spline block")?;
    file.integer("SEED", model.seed, "seed of the draw of JITPIX and BKGPIX")?;
    file.integer("QUALMASK", model.quality_bitmask.into(), "flags that forbid fitting a frame")?;
    file.integer("AVGMASK", model.average_bitmask.into(), "flags that forbid averaging a frame")?;
    file.text("ASTEROID", &model.asteroids, "table of the asteroids that were masked")?;
    file.text("BACKEND", &model.backend, "what the fit ran on")?;
    file.integer("NINPUTS", model.input_files.len() as u64, "number of input files")
}

fn write_pixels(file: &mut Writer, name: &str, pixels: &[(u32, u32)]) -> Result<()> {
    let position = |value: u32| {
        let message = || Error::InvalidArgument(format!("{name}: no CCD has a pixel {value}"));
        i32::try_from(value).map_err(|_| message())
    };
    let rows: Vec<_> = pixels.iter().map(|&(row, _)| position(row)).collect::<Result<_>>()?;
    let columns: Vec<_> = pixels.iter().map(|&(_, column)| position(column)).collect::<Result<_>>()?;
    let column = |name, values| Column { name, unit: "pixel", values: Values::I32(values) };
    file.table(name, &[column("row", &rows), column("column", &columns)])?;
    file.comment("Positions in the science area, counted from 0.")
}

/// Reads the file at `path`, whose parts may still contradict one another, without or with the average
/// frame and the masks: the model without its weights, and these by `weights` from their HDUs.
pub(super) fn read<W: Rows>(
    path: &Path,
    images: bool,
    weights: impl Fn(&mut Reader, usize) -> Result<W>,
) -> Result<(Model, [W; 2])> {
    let mut file = Reader::open(path)?;
    let hdus = file.hdus();
    // By name: those that every model has come first and in order.
    let mut names = Vec::with_capacity(hdus);
    for hdu in 0..hdus {
        file.select(hdu)?;
        names.push(file.text("EXTNAME").unwrap_or_default());
        // Images are checked as they are read, if they are.
        let image = (2..NAMES.len()).contains(&hdu) || names.last().is_some_and(|name| name == "MASKS");
        if !image {
            file.check_sum()?;
        }
    }
    for (hdu, expected) in NAMES.iter().enumerate().skip(1) {
        let found = names.get(hdu).map_or("missing".into(), |name| format!("called {}", quoted(name)));
        if names.get(hdu).is_none_or(|name| name != expected) {
            return Err(not_a_model(path, format!("HDU {hdu} is {found}, not {expected:?}")));
        }
    }
    let find = |name: &str| names.iter().skip(NAMES.len()).position(|other| other == name);
    let find = |name: &str| find(name).map(|position| position + NAMES.len());

    file.select(1)?;
    let (tstart, tstop) = (file.numbers("tstart")?, file.numbers("tstop")?);
    let quality: Vec<f64> = file.numbers("quality")?;
    let quality = quality.into_iter().map(whole_number).collect::<Option<_>>();
    let quality = quality.ok_or_else(|| not_a_model(path, "quality holds no bit flags"))?;
    let weights = [weights(&mut file, 2)?, weights(&mut file, 3)?];
    let jitter = read_image(&mut file, 4)?;
    let background = read_image(&mut file, 5)?;
    let (shape, average_frame) = if images {
        let frame = read_image(&mut file, 6)?;
        (frame.dim(), frame)
    } else {
        file.select(6)?;
        (image_shape(&file, 6)?, Array2::default((0, 0)))
    };

    let pixels = |file: &mut Reader, name| match find(name) {
        Some(hdu) => read_pixels(file, hdu),
        None => Ok(Vec::new()),
    };
    let jitter_pixels = pixels(&mut file, "JITPIX")?;
    let background_pixels = pixels(&mut file, "BKGPIX")?;
    let input_files = match find("FILES") {
        Some(hdu) => {
            file.select(hdu)?;
            file.texts("name")?.iter().map(|name| decode(name)).collect()
        }
        None => Vec::new(),
    };
    let scatter = match find("NOISE") {
        Some(hdu) => {
            file.select(hdu)?;
            file.numbers("scatter")?
        }
        None => vec![f64::NAN; tstart.len()],
    };
    let masks: Array2<u8> = match find("MASKS") {
        _ if !images => Array2::default((0, 0)),
        Some(hdu) => read_image(&mut file, hdu)?,
        None => Array2::zeros(shape),
    };

    file.select(0)?;
    let cutout_size: usize = file.require("CUTSIZE")?;
    if cutout_size != shape.0 {
        let reason = format!("CUTSIZE is {cutout_size}, but AVGFRAME has {} rows", shape.0);
        return Err(not_a_model(path, reason));
    }
    let strap_npoly = file.require("STRPPOLY")?;
    let text = |keyword| file.text(keyword).map(|text| decode(&text));
    let origin = text("ORIGIN").unwrap_or_default();
    let software = match text("VERSION") {
        Some(version) if !version.is_empty() => format!("{origin} {version}"),
        _ => origin,
    };
    let designs = match (text("PRESET"), text("DESIGN1"), text("DESIGN2"), file.number("NKNOTS")) {
        (Some(preset), Some(design1), Some(design2), Some(nknots)) => {
            Designs { preset, design1, design2, nknots }
        }
        (None, None, None, None) => {
            let [columns1, columns2] = weights.each_ref().map(|weights| weights.shape().1);
            Designs::standard(columns1, columns2, strap_npoly).map_err(|reason| not_a_model(path, reason))?
        }
        _ => return Err(not_a_model(path, "it has only some of PRESET, DESIGN1, DESIGN2, NKNOTS")),
    };
    let model = Model {
        target: Target {
            sector: file.require("SECTOR")?,
            camera: file.require("CAMERA")?,
            ccd: file.require("CCD")?,
        },
        shape,
        preset: designs.preset,
        design1: designs.design1,
        design2: designs.design2,
        strap_npoly,
        nknots: designs.nknots,
        seed: file.number("SEED").unwrap_or(0),
        quality_bitmask: file.number("QUALMASK").unwrap_or(63),
        average_bitmask: file.number("AVGMASK").unwrap_or(6911),
        software,
        backend: text("BACKEND").unwrap_or_default(),
        tstart,
        tstop,
        quality,
        weights1: Array2::default((0, 0)),
        weights2: Array2::default((0, 0)),
        jitter,
        background,
        average_frame,
        jitter_pixels,
        background_pixels,
        scatter,
        asteroids: text("ASTEROID").unwrap_or_default(),
        input_files,
        star_mask: masks.mapv(|bits| bits & STAR == 0),
        saturation_mask: masks.mapv(|bits| bits & SATURATED == 0),
    };
    Ok((model, weights))
}

/// What the weights are weights of.
struct Designs {
    preset: String,
    design1: String,
    design2: String,
    nknots: usize,
}

impl Designs {
    /// The designs of a file that names none: those of the preset `standard`, with
    /// as many knots as make the weights' columns.
    fn standard(columns1: usize, columns2: usize, strap_npoly: usize) -> std::result::Result<Self, String> {
        let preset = Preset::Standard;
        let design1 = preset.design1();
        let nknots = (2..=SCIENCE_SIZE).find(|&nknots| preset.design2(nknots).columns() == columns2);
        let fits = design1.columns() == columns1 && preset.strap_npoly() == strap_npoly;
        let nknots = nknots.filter(|_| fits).ok_or_else(|| {
            format!(
                "it names no designs, and {columns1} and {columns2} weights with STRPPOLY {strap_npoly} \
                 are not those of the preset {}",
                preset.name()
            )
        })?;
        Ok(Self {
            preset: preset.name().into(),
            design1: design1.to_string(),
            design2: preset.design2(nknots).to_string(),
            nknots,
        })
    }
}

/// The weights in an HDU, (frames, columns): in the file, if they stand there as they are.
pub(super) fn stored_weights(file: &mut Reader, hdu: usize) -> Result<Weights> {
    file.select(hdu)?;
    let shape = image_shape(file, hdu)?;
    match file.in_file(shape)? {
        Some(image) => Ok(Weights::InFile(image)),
        None => Ok(Weights::InMemory(read_image(file, hdu)?)),
    }
}

/// The image in an HDU, (rows, columns).
pub(super) fn read_image<T: Number + Element>(file: &mut Reader, hdu: usize) -> Result<Array2<T>> {
    file.select(hdu)?;
    let shape = image_shape(file, hdu)?;
    // All of the pixels are in the file, so that there are not too many for memory.
    let mut pixels = host::zeros(shape.0 * shape.1)?;
    file.intact_pixels(&mut pixels)?;
    Array2::from_shape_vec(shape, pixels)
        .map_err(|_| not_a_model(file.path(), format!("HDU {hdu} has an impossible size")))
}

/// Rows and columns of the image in the current HDU, number `hdu`.
fn image_shape(file: &Reader, hdu: usize) -> Result<(usize, usize)> {
    let refused = |reason: &str| not_a_model(file.path(), format!("HDU {hdu} {reason}"));
    let Some(image) = file.image()? else { return Err(refused("is a table, not an image")) };
    if image.compressed {
        return Err(refused("is compressed; unpack it with funpack"));
    }
    let [rows, columns] = image.shape[..] else {
        return Err(refused(&format!("has {} axes, not 2", image.shape.len())));
    };
    let shape = usize::try_from(rows).ok().zip(usize::try_from(columns).ok());
    match shape.filter(|(rows, columns)| rows.checked_mul(*columns).is_some()) {
        Some(shape) => Ok(shape),
        None => Err(refused("has an impossible size")),
    }
}

/// The positions in an HDU's table.
fn read_pixels(file: &mut Reader, hdu: usize) -> Result<Vec<(u32, u32)>> {
    file.select(hdu)?;
    let (rows, columns): (Vec<i32>, Vec<i32>) = (file.numbers("row")?, file.numbers("column")?);
    let pixels = rows.into_iter().zip(columns);
    let pixels = pixels.map(|(row, column)| Some((row.try_into().ok()?, column.try_into().ok()?)));
    pixels
        .collect::<Option<_>>()
        .ok_or_else(|| not_a_model(file.path(), format!("HDU {hdu} has a pixel before the first")))
}

/// The flags that a number holds, if it is whole and not negative.
fn whole_number(value: f64) -> Option<u32> {
    let whole = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
    whole.then_some(value as u32)
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{empty, model};
    use super::*;

    /// The file as CFITSIO writes all of it, in memory.
    fn in_memory(model: &Model) -> Vec<u8> {
        let mut file = Writer::new(Path::new("model")).unwrap();
        write_head(&mut file, model).unwrap();
        for image in images(model, [&model.weights1, &model.weights2]) {
            let (rows, columns) = image.pixels.shape();
            let mut pixels = vec![0.0; rows * columns];
            image.pixels.read(0..rows, &mut pixels).unwrap();
            file.image(image.name, &[rows, columns], &pixels).unwrap();
            if let Some(unit) = image.unit {
                file.text("BUNIT", unit, "physical units of image data").unwrap();
            }
            for comment in image.comments {
                file.comment(comment).unwrap();
            }
        }
        write_tables(&mut file, model).unwrap();
        file.bytes().unwrap().to_vec()
    }

    #[test]
    fn the_file_has_the_bytes_that_cfitsio_gives_it() {
        // More than one part, the last of which is short, and columns that lie next to one another.
        let frames = (1 << 17) / 50 + 7;
        let numbers = |frame: usize, column: usize| ((frame * 1001 + column) as f64).sin() * 1e3;
        let long = Model {
            tstart: (0..frames).map(|frame| frame as f64).collect(),
            tstop: vec![0.5; frames],
            quality: vec![0; frames],
            scatter: vec![1.0; frames],
            weights1: Array2::from_shape_fn((7, frames), |(column, frame)| numbers(frame, column))
                .reversed_axes(),
            weights2: Array2::from_shape_fn((frames, 50), |(frame, column)| numbers(frame, column)),
            jitter: Array2::zeros((frames, 10)),
            background: Array2::from_elem((frames, 1), f64::NAN),
            ..model()
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.fits");
        for model in [model(), empty(), long] {
            model.save(&path, Format::Fits, true).unwrap();
            let (found, expected) = (std::fs::read(&path).unwrap(), in_memory(&model));
            let difference = found.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!((difference, found.len()), (None, expected.len()));
        }
    }
}
