//! A film of images with one colour scale: an animated GIF, or a PNG with more than one image
//! (APNG, Portable Network Graphics specification, third edition).
//!
//! Frames go to the file as they come, so that memory does not depend on their number. All share
//! one palette: the colours of the scale, and greys for the text. Of every frame after the first
//! only the rectangle that has changed is written.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::Path;

use backdrop::error::Error;
use backdrop::output::WholeFile;
use plotters::prelude::*;

use super::frame::rounded;
use super::panels::{Content, Panel, Panels};
use super::raster::Raster;
use super::scale::Scale;
use super::{Drawn, FINER, LABEL_SIZE, Placed, cannot_draw, render, text};
use crate::failure::Failure;

/// Width and height of the image, in points: with its labels it is 512 pixels wide.
const SIDE: u32 = 814;

/// The line under the caption that says which frame it is: its upper edge and height in points,
/// and where its text begins.
const LINE: (u32, u32) = (92, 64);
const LINE_TEXT: (i32, i32) = (150, 12);

/// The format of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MovieFormat {
    Gif,
    Apng,
}

impl MovieFormat {
    /// What the names of such files end in, without the dot.
    pub(crate) fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Gif => &["gif"],
            Self::Apng => &["png", "apng"],
        }
    }
}

/// What a film is to be like.
#[derive(Debug)]
pub(crate) struct Movie {
    pub(crate) caption: String,
    /// Rows and columns that an image covers.
    pub(crate) shape: (usize, usize),
    /// The lowest and the highest value that are told apart, in electrons/s.
    pub(crate) range: (f32, f32),
    /// How many frames there will be, at least 1.
    pub(crate) frames: u32,
    pub(crate) frames_per_second: u16,
    pub(crate) format: MovieFormat,
}

/// A frame of a film.
#[derive(Debug)]
pub(crate) struct Strip {
    /// What is written over it.
    pub(crate) line: String,
    /// Electrons/s, row-major from row 0 on.
    pub(crate) pixels: Vec<f32>,
    pub(crate) columns: usize,
}

impl Movie {
    /// Writes a film of these frames to a file, which appears whole or not at all.
    pub(crate) fn write(
        &self,
        path: &Path,
        overwrite: bool,
        frames: impl Iterator<Item = Result<Strip, Failure>>,
    ) -> Result<(), Failure> {
        let mut file = WholeFile::create(path, overwrite)?;
        let mut buffer = BufWriter::new(&mut file);
        self.write_to(path, &mut buffer, frames)?;
        buffer.flush().map_err(Error::io(path))?;
        drop(buffer);
        Ok(file.finish()?)
    }

    fn write_to<W: Write>(
        &self,
        path: &Path,
        out: W,
        frames: impl Iterator<Item = Result<Strip, Failure>>,
    ) -> Result<(), Failure> {
        let scale = rounded(self.range.0, self.range.1);
        let (mut picture, place) = self.template(scale).map_err(cannot_draw(path))?;
        let mut palette = Palette::new(scale);
        let size = (picture.width(), picture.height());
        let mut film = Film::new(out, size, &palette, self).map_err(cannot_draw(path))?;
        let mut before: Option<Vec<u8>> = None;
        for frame in frames {
            let Strip { line, pixels, columns } = frame?;
            let content = Content::Values { pixels: &pixels, columns, scale };
            let panel = Panel { title: "", subtitle: "", shape: self.shape, content };
            picture.paste(place.x, place.y, &panel.image((place.image.width(), place.image.height())));
            let line = line_raster(&line, size.0).map_err(cannot_draw(path))?;
            picture.paste(0, LINE.0 / FINER, &line);
            let indices = palette.indices(&picture);
            let changed = Rectangular::changed(before.as_deref(), &indices, size);
            film.add(changed, &changed.cut(&indices, size.0)).map_err(cannot_draw(path))?;
            before = Some(indices);
        }
        film.finish().map_err(cannot_draw(path))
    }

    /// What is the same in all frames, and the place of the image.
    fn template(&self, scale: Scale) -> Drawn<(Raster, Placed)> {
        let content = Content::Values { pixels: &[f32::NAN], columns: 1, scale };
        let panel = Panel { title: "", subtitle: "", shape: self.shape, content };
        let caption = [self.caption.clone(), String::new()];
        let (mut picture, mut images) = render(&Panels { caption, side: SIDE, panels: vec![panel] })?;
        images.iter().for_each(|placed| picture.paste(placed.x, placed.y, &placed.image));
        Ok((picture, images.swap_remove(0)))
    }
}

/// A line of text, as wide as the picture.
fn line_raster(line: &str, width: u32) -> Drawn<Raster> {
    let size = (width * FINER, LINE.1);
    let mut points = vec![0; (size.0 * size.1 * 3) as usize];
    {
        let page = BitMapBackend::with_buffer(&mut points, size).into_drawing_area();
        page.fill(&WHITE)?;
        text(&page, line, LABEL_SIZE, LINE_TEXT)?;
        page.present()?;
    }
    Ok(Raster::coarsened(&points, width, LINE.1 / FINER))
}

/// The 256 colours of a film.
#[derive(Debug)]
struct Palette {
    colours: Vec<[u8; 3]>,
    /// The place of every colour that was looked for.
    places: HashMap<[u8; 3], u8>,
}

impl Palette {
    /// The colours of a scale, and as many greys, black and white among them, as there is room for.
    fn new(scale: Scale) -> Self {
        let mut colours: Vec<[u8; 3]> = scale.colours().map(|RGBColor(r, g, b)| [r, g, b]).collect();
        let greys = 256 - colours.len();
        colours.extend((0..greys).map(|i| [(i * 255 / (greys - 1)) as u8; 3]));
        Self { colours, places: HashMap::new() }
    }

    /// The place in the palette of the colour that is nearest to that of each pixel.
    fn indices(&mut self, picture: &Raster) -> Vec<u8> {
        let Self { colours, places } = self;
        let place = |colour: [u8; 3]| *places.entry(colour).or_insert_with(|| nearest(colours, colour));
        picture.colours().map(place).collect()
    }
}

fn nearest(colours: &[[u8; 3]], colour: [u8; 3]) -> u8 {
    let distance = |at: usize| -> u32 {
        colours[at].iter().zip(colour).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    (0..=u8::MAX).min_by_key(|&at| distance(at.into())).unwrap_or(0)
}

/// Part of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rectangular {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Rectangular {
    /// What differs between two pictures of one size; one pixel at least, as a frame has to have.
    fn changed(before: Option<&[u8]>, after: &[u8], (width, height): (u32, u32)) -> Self {
        let Some(before) = before else { return Self { left: 0, top: 0, width, height } };
        let (mut left, mut right, mut top, mut bottom) = (width, 0, height, 0);
        let lines = before.chunks_exact(width as usize).zip(after.chunks_exact(width as usize));
        for (y, (before, after)) in (0..).zip(lines) {
            let differs = |x: &u32| before[*x as usize] != after[*x as usize];
            if let (Some(first), Some(last)) = ((0..width).find(differs), (0..width).rfind(differs)) {
                (left, right) = (left.min(first), right.max(last));
                (top, bottom) = (top.min(y), y);
            }
        }
        if left > right {
            return Self { left: 0, top: 0, width: 1, height: 1 };
        }
        Self { left, top, width: right - left + 1, height: bottom - top + 1 }
    }

    /// The pixels of this part out of a picture of some width.
    fn cut(self, indices: &[u8], width: u32) -> Vec<u8> {
        let lines = indices.chunks_exact(width as usize).skip(self.top as usize).take(self.height as usize);
        lines.flat_map(|line| &line[self.left as usize..][..self.width as usize]).copied().collect()
    }
}

/// A film in the making.
enum Film<W: Write> {
    Gif { encoder: gif::Encoder<W>, hundredths: u16 },
    Apng(png::Writer<W>),
}

impl<W: Write> Film<W> {
    fn new(out: W, (width, height): (u32, u32), palette: &Palette, movie: &Movie) -> Drawn<Self> {
        let colours = palette.colours.as_flattened();
        match movie.format {
            MovieFormat::Gif => {
                let mut encoder = gif::Encoder::new(out, width as u16, height as u16, colours)?;
                encoder.set_repeat(gif::Repeat::Infinite)?;
                let hundredths = (100 + movie.frames_per_second / 2) / movie.frames_per_second;
                Ok(Self::Gif { encoder, hundredths })
            }
            MovieFormat::Apng => {
                let mut encoder = png::Encoder::new(out, width, height);
                encoder.set_color(png::ColorType::Indexed);
                encoder.set_palette(colours);
                encoder.set_animated(movie.frames, 0)?;
                encoder.set_frame_delay(1, movie.frames_per_second)?;
                Ok(Self::Apng(encoder.write_header()?))
            }
        }
    }

    /// Adds a frame that differs from the one before it in `part`.
    fn add(&mut self, part: Rectangular, indices: &[u8]) -> Drawn {
        let Rectangular { left, top, width, height } = part;
        match self {
            Self::Gif { encoder, hundredths } => {
                let frame = gif::Frame {
                    delay: *hundredths,
                    dispose: gif::DisposalMethod::Keep,
                    left: left as u16,
                    top: top as u16,
                    width: width as u16,
                    height: height as u16,
                    buffer: indices.into(),
                    ..gif::Frame::default()
                };
                Ok(encoder.write_frame(&frame)?)
            }
            Self::Apng(writer) => {
                // The size first: the encoder checks it against the place that it has.
                writer.reset_frame_position()?;
                writer.set_frame_dimension(width, height)?;
                writer.set_frame_position(left, top)?;
                Ok(writer.write_image_data(indices)?)
            }
        }
    }

    fn finish(self) -> Drawn {
        match self {
            Self::Gif { encoder, .. } => drop(encoder.into_inner()?),
            Self::Apng(writer) => writer.finish()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::BLANK;

    fn movie(format: MovieFormat, frames: u32) -> Movie {
        Movie {
            caption: "Background".to_owned(),
            shape: (4, 4),
            range: (0.0, 100.0),
            frames,
            frames_per_second: 10,
            format,
        }
    }

    fn strips(values: &[f32]) -> impl Iterator<Item = Result<Strip, Failure>> {
        let line = |i: usize| format!("frame {i}");
        values
            .iter()
            .enumerate()
            .map(move |(i, &value)| Ok(Strip { line: line(i), pixels: vec![value; 16], columns: 4 }))
    }

    /// The colour in the middle of the image in each frame of a GIF, as a viewer puts them together.
    fn gif_colours(bytes: &[u8]) -> Vec<[u8; 3]> {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::Indexed);
        let mut decoder = options.read_info(bytes).unwrap();
        let palette = decoder.global_palette().unwrap().to_vec();
        let width = usize::from(decoder.width());
        let mut screen = vec![0; width * usize::from(decoder.height())];
        let mut colours = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            let lines = frame.buffer.chunks_exact(frame.width.into());
            for (line, y) in lines.zip(usize::from(frame.top)..) {
                screen[y * width + usize::from(frame.left)..][..line.len()].copy_from_slice(line);
            }
            let at = usize::from(screen[250 * width + 250]) * 3;
            colours.push([palette[at], palette[at + 1], palette[at + 2]]);
        }
        colours
    }

    #[test]
    fn every_frame_of_a_gif_has_the_colours_of_the_one_scale() {
        let values = [0.0, 100.0, 100.0, f32::NAN, 37.0];
        let mut bytes = Vec::new();
        movie(MovieFormat::Gif, 5).write_to(Path::new("x"), &mut bytes, strips(&values)).unwrap();
        let scale = rounded(0.0, 100.0);
        let expected = values.map(|value| {
            let RGBColor(r, g, b) = scale.colour(value);
            [r, g, b]
        });
        assert_eq!(gif_colours(&bytes), expected);
        let RGBColor(r, g, b) = BLANK;
        assert_eq!(expected[3], [r, g, b]);
    }

    #[test]
    fn an_apng_has_all_frames_and_only_what_has_changed() {
        let mut bytes = Vec::new();
        let values = [0.0, 100.0, 50.0];
        movie(MovieFormat::Apng, 3).write_to(Path::new("x"), &mut bytes, strips(&values)).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        assert_eq!(reader.info().animation_control().unwrap().num_frames, 3);
        let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
        let mut sizes = Vec::new();
        for _ in values {
            reader.next_frame(&mut buffer).unwrap();
            let control = reader.info().frame_control().unwrap();
            assert_eq!((control.delay_num, control.delay_den), (1, 10));
            sizes.push((control.width, control.height));
        }
        assert_eq!(sizes[0], (512, reader.info().height));
        // The image, and the number in the line over it.
        assert!(sizes[1].0 == SIDE / FINER && sizes[1].1 < sizes[0].1 - 100, "{sizes:?}");
        assert!(reader.next_frame(&mut buffer).is_err());
    }

    #[test]
    fn a_failure_on_the_way_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.gif");
        let frames = strips(&[1.0]).chain([Err(Failure::Interrupted)]);
        assert!(movie(MovieFormat::Gif, 2).write(&path, false, frames).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        movie(MovieFormat::Gif, 1).write(&path, false, strips(&[1.0])).unwrap();
        assert!(path.is_file());
    }

    #[test]
    fn what_has_changed_is_found() {
        let before = [0; 20];
        let mut after = before;
        (after[6], after[13]) = (1, 1);
        let part = Rectangular::changed(Some(&before), &after, (5, 4));
        assert_eq!(part, Rectangular { left: 1, top: 1, width: 3, height: 2 });
        assert_eq!(part.cut(&after, 5), [1, 0, 0, 0, 0, 1]);
        let nothing = Rectangular::changed(Some(&before), &before, (5, 4));
        assert_eq!((nothing.width, nothing.height), (1, 1));
    }

    #[test]
    fn the_palette_has_the_scale_and_black_and_white() {
        let scale = rounded(0.0, 100.0);
        let palette = Palette::new(scale);
        assert_eq!(palette.colours.len(), 256);
        for colour in [[0; 3], [255; 3]] {
            assert_eq!(palette.colours[usize::from(nearest(&palette.colours, colour))], colour);
        }
        assert!(scale.colours().all(|RGBColor(r, g, b)| palette.colours.contains(&[r, g, b])));
    }
}
