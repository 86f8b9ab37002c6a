//! Pictures: charts and images with axes, as PNG or SVG files.
//!
//! A [`Picture`] draws its lines and its text through plotters and says which images lie where. In
//! a PNG file lines and text are drawn finer than the file and averaged, and the images are put
//! in their places; in an SVG file the lines and text stay what they are, and the images are
//! embedded as PNG. Sizes are in points: a pixel of the file is [`FINER`] points wide.

mod axis;
mod components;
mod frame;
mod level;
mod movie;
mod panels;
mod periodogram;
mod raster;
mod scale;

pub(crate) use components::{ComponentChart, MAX_DRAWN, Series};
pub(crate) use frame::{FrameView, percentile};
pub(crate) use level::{FlagLane, LevelChart};
pub(crate) use movie::{Movie, MovieFormat, Strip};
pub(crate) use panels::{Class, Content, Marks, Panel, Panels, SIDE};
pub(crate) use periodogram::Periodogram;

use std::error::Error;
use std::path::Path;

use backdrop::output::write_whole;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::failure::Failure;
use raster::Raster;

/// The name that the embedded font goes by.
const FONT: &str = "sans-serif";

/// Points in the width of a file's pixel: text of a few pixels gains from being drawn finer.
const FINER: u32 = 2;

/// Sizes of text in points.
const CAPTION_SIZE: u32 = 58;
const TITLE_SIZE: u32 = 50;
const LABEL_SIZE: u32 = 38;

/// The heights of the caption, and of the ticks, labels and name of an axis, in points.
const CAPTION: u32 = 170;
const LABELS: u32 = 100;

/// Colours that colour-blind readers tell apart, too (Okabe & Ito 2008).
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(crate) const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(crate) const PURPLE: RGBColor = RGBColor(204, 121, 167);
pub(crate) const SKY: RGBColor = RGBColor(86, 180, 233);
pub(crate) const DARK: RGBColor = RGBColor(70, 70, 70);
/// What stands for a pixel or a time without a value.
pub(crate) const BLANK: RGBColor = RGBColor(190, 190, 190);
/// What stands for a pixel that nothing is to be said of.
pub(crate) const PALE: RGBColor = RGBColor(238, 238, 238);

/// The format of a picture's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Svg,
}

impl Format {
    /// What the names of such files end in, without the dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }
}

/// A backend of plotters that pictures are drawn on.
pub(crate) trait Canvas: DrawingBackend<ErrorType: 'static> {
    /// Whether a wide line with sharp corners may be drawn in one piece. Plotters' own pixels
    /// extend such corners to long spikes.
    const CORNERS: bool;
}

impl Canvas for BitMapBackend<'_> {
    const CORNERS: bool = false;
}

impl Canvas for SVGBackend<'_> {
    const CORNERS: bool = true;
}

/// Where plotters draws.
type Page<DB> = DrawingArea<DB, Shift>;
type Drawn<T = ()> = Result<T, Box<dyn Error>>;

/// An image in its place: the pixel of the file that its upper left corner is at.
#[derive(Debug)]
pub(crate) struct Placed {
    x: u32,
    y: u32,
    image: Raster,
}

/// What can be written as a picture.
pub(crate) trait Picture {
    /// Width and height in points, both multiples of [`FINER`].
    fn size(&self) -> (u32, u32);

    /// Draws the lines and the text, and gives the images.
    fn draw<DB: Canvas>(&self, page: &Page<DB>) -> Drawn<Vec<Placed>>;
}

/// Writes a picture to a file, which appears whole or not at all.
pub(crate) fn write(
    path: &Path,
    picture: &impl Picture,
    format: Format,
    overwrite: bool,
) -> Result<(), Failure> {
    let bytes = match format {
        Format::Png => render(picture).and_then(|(mut base, images)| {
            images.iter().for_each(|placed| base.paste(placed.x, placed.y, &placed.image));
            Ok(base.png()?)
        }),
        Format::Svg => svg(picture).map(String::into_bytes),
    };
    Ok(write_whole(path, &bytes.map_err(cannot_draw(path))?, overwrite)?)
}

/// What went wrong with a drawing.
fn cannot_draw<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> Failure + '_ {
    move |error| Failure::Data(format!("{}: cannot draw the picture: {error}", path.display()))
}

fn use_font() -> Drawn {
    register_font(FONT, FontStyle::Normal, notosans::REGULAR_TTF)
        .map_err(|_| "the embedded font is damaged".into())
}

/// The lines and text of a picture as pixels, and its images.
fn render(picture: &impl Picture) -> Drawn<(Raster, Vec<Placed>)> {
    use_font()?;
    let (width, height) = picture.size();
    let mut points = vec![0; (width * height * 3) as usize];
    let images = {
        let page = BitMapBackend::with_buffer(&mut points, (width, height)).into_drawing_area();
        page.fill(&WHITE)?;
        let images = picture.draw(&page)?;
        page.present()?;
        images
    };
    Ok((Raster::coarsened(&points, width / FINER, height / FINER), images))
}

/// A picture as the text of an SVG file.
fn svg(picture: &impl Picture) -> Drawn<String> {
    use_font()?;
    let (width, height) = picture.size();
    let mut text = String::new();
    let images = {
        let page = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        page.fill(&WHITE)?;
        let images = picture.draw(&page)?;
        page.present()?;
        images
    };
    // The same size on the page as the PNG file has, with points as the unit inside.
    let size = |finer: u32| format!("<svg width=\"{}\" height=\"{}\"", width / finer, height / finer);
    let body = text.strip_prefix(&size(1)).and_then(|text| text.trim_end().strip_suffix("</svg>"));
    let body = body.ok_or("plotters has written no SVG image")?;
    let mut svg = size(FINER) + body;
    for Placed { x, y, image } in images {
        let [x, y, width, height] = [x, y, image.width(), image.height()].map(|pixels| pixels * FINER);
        svg += &format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n",
            BASE64_STANDARD.encode(image.png()?)
        );
    }
    Ok(svg + "</svg>\n")
}

/// Draws text, with its upper left corner at `at` in points.
fn text<DB: Canvas>(page: &Page<DB>, text: &str, size: u32, at: (i32, i32)) -> Drawn {
    anchored(page, text, size, at, (HPos::Left, VPos::Top))
}

/// Draws text, with the point of it that `anchor` says at `at` in points.
fn anchored<DB: Canvas>(
    page: &Page<DB>,
    text: &str,
    size: u32,
    at: (i32, i32),
    (horizontal, vertical): (HPos, VPos),
) -> Drawn {
    let style = (FONT, size).into_text_style(page).pos(Pos::new(horizontal, vertical));
    Ok(page.draw_text(text, &style, at)?)
}

/// Draws the two lines of a picture's caption.
fn draw_caption<DB: Canvas>(page: &Page<DB>, caption: &[String; 2], left: u32) -> Drawn {
    text(page, &caption[0], CAPTION_SIZE, (left as i32, 26))?;
    text(page, &caption[1], LABEL_SIZE, (left as i32, 104))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line across the page and an image of 2 x 1 pixels.
    struct Small;

    impl Picture for Small {
        fn size(&self) -> (u32, u32) {
            (40, 20)
        }

        fn draw<DB: Canvas>(&self, page: &Page<DB>) -> Drawn<Vec<Placed>> {
            page.draw(&Rectangle::new([(0, 0), (39, 4)], BLACK.filled()))?;
            let mut image = Raster::new(2, 1, RED);
            image.set(1, 0, BLUE);
            Ok(vec![Placed { x: 4, y: 5, image }])
        }
    }

    #[test]
    fn a_png_file_has_lines_and_images_in_their_places() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("picture.png");
        write(&path, &Small, Format::Png, false).unwrap();
        let image = raster::decode(&std::fs::read(&path).unwrap());
        assert_eq!((image.width(), image.height()), (20, 10));
        assert_eq!(image.get(10, 0), BLACK);
        assert_eq!([3, 4, 5, 6].map(|x| image.get(x, 5)), [WHITE, RED, BLUE, WHITE]);
        assert!(write(&path, &Small, Format::Png, false).is_err());
    }

    #[test]
    fn an_svg_file_embeds_the_image_at_the_same_place() {
        let text = svg(&Small).unwrap();
        assert!(text.starts_with("<svg width=\"20\" height=\"10\" viewBox=\"0 0 40 20\""), "{text}");
        assert!(text.ends_with("</svg>\n"));
        assert!(text.contains("<image x=\"8\" y=\"10\" width=\"4\" height=\"2\""), "{text}");
        let encoded = text.split("base64,").nth(1).unwrap().split('"').next().unwrap();
        let image = raster::decode(&BASE64_STANDARD.decode(encoded).unwrap());
        assert_eq!([image.get(0, 0), image.get(1, 0)], [RED, BLUE]);
    }
}
