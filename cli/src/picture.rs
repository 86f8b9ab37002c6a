//! Pictures of frames: panels side by side, each an image with axes and a colour bar.

use std::error::Error;
use std::path::Path;

use backdrop::output::write_whole;
use colorous::Gradient;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::failure::Failure;

/// The name that the embedded font goes by.
const FONT: &str = "sans-serif";

/// The drawing is so many times finer than the file, which text of a few pixels gains from.
const FINER: u32 = 2;

/// Sizes in pixels of the drawing: text, the image of a panel, the room left and right of it
/// for labels, and the heights of the caption, of a panel's title, of what is below its image
/// and of the colour bar with its labels.
const CAPTION_SIZE: u32 = 58;
const TITLE_SIZE: u32 = 50;
const LABEL_SIZE: u32 = 38;
const IMAGE: u32 = 880;
const LEFT: u32 = 150;
const MARGIN: u32 = 16;
const RIGHT: u32 = 60;
const CAPTION: u32 = 170;
const TITLE: u32 = 152;
const BELOW: u32 = 112;
const COLOUR_BAR: u32 = 176;

/// What stands for a pixel without a value or masked.
const BLANK: RGBColor = RGBColor(190, 190, 190);

/// Which colours stand for which values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f32,
    high: f32,
    gradient: Gradient,
    /// Whether the gradient's last colour stands for the lowest value.
    reversed: bool,
}

impl Scale {
    /// From dark to bright; told apart in grey and by colour-blind readers, too.
    pub(crate) fn brightness(low: f32, high: f32) -> Self {
        Self { low, high, gradient: colorous::VIRIDIS, reversed: false }
    }

    /// Blue below zero, white at zero, red above.
    pub(crate) fn difference(largest: f32) -> Self {
        Self { low: -largest, high: largest, gradient: colorous::RED_BLUE, reversed: true }
    }

    fn colour(&self, value: f32) -> RGBColor {
        if !value.is_finite() {
            return BLANK;
        }
        let along = f64::from((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        let colour = self.gradient.eval_continuous(if self.reversed { 1.0 - along } else { along });
        RGBColor(colour.r, colour.g, colour.b)
    }
}

/// An image with what it shows.
#[derive(Debug)]
pub(crate) struct Panel<'a> {
    /// Its name, and a line that says more.
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    /// Electrons/s, row-major; NaN is drawn grey.
    pub(crate) pixels: &'a [f32],
    /// Number of columns.
    pub(crate) columns: usize,
    pub(crate) scale: Scale,
}

/// Writes panels side by side as a PNG file.
pub(crate) fn write(
    path: &Path,
    caption: [&str; 2],
    panels: &[Panel],
    overwrite: bool,
) -> Result<(), Failure> {
    let failed = |error: Box<dyn Error>| {
        Failure::Data(format!("{}: cannot draw the picture: {error}", path.display()))
    };
    let width = (LEFT + IMAGE + RIGHT) * panels.len() as u32;
    let height = CAPTION + TITLE + IMAGE + BELOW + COLOUR_BAR;
    let mut drawing = vec![0; (width * height * 3) as usize];
    draw(&mut drawing, (width, height), caption, panels).map_err(failed)?;
    let size = (width / FINER, height / FINER);
    let png = encode(&coarsen(&drawing, size), size).map_err(|error| failed(error.into()))?;
    Ok(write_whole(path, &png, overwrite)?)
}

/// The means of squares of `FINER` x `FINER` pixels of a drawing, in three colours.
fn coarsen(drawing: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let finer = FINER as usize;
    let (width, height) = (width as usize, height as usize);
    let line = width * finer * 3;
    let mut pixels = Vec::with_capacity(width * height * 3);
    for place in 0..width * height {
        let corner = place / width * finer * line + place % width * finer * 3;
        pixels.extend((0..3).map(|colour| {
            let square = (0..finer * finer)
                .map(|i| u32::from(drawing[corner + i / finer * line + i % finer * 3 + colour]));
            (square.sum::<u32>() / (FINER * FINER)) as u8
        }));
    }
    pixels
}

fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

fn draw(pixels: &mut [u8], size: (u32, u32), caption: [&str; 2], panels: &[Panel]) -> Drawn {
    register_font(FONT, FontStyle::Normal, notosans::REGULAR_TTF)
        .map_err(|_| "the embedded font is damaged")?;
    let root = BitMapBackend::with_buffer(pixels, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (top, rest) = root.split_vertically(CAPTION);
    for (line, size, y) in [(caption[0], CAPTION_SIZE, 26), (caption[1], LABEL_SIZE, 104)] {
        top.draw_text(line, &(FONT, size).into_text_style(&top), (LEFT as i32, y))?;
    }
    for (panel, area) in panels.iter().zip(rest.split_evenly((1, panels.len()))) {
        draw_panel(panel, &area)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(panel: &Panel, area: &Area) -> Drawn {
    let (image, bar) = area.split_vertically(TITLE + IMAGE + BELOW);
    image.draw_text(panel.title, &(FONT, TITLE_SIZE).into_text_style(area), (LEFT as i32, 14))?;
    image.draw_text(panel.subtitle, &(FONT, LABEL_SIZE).into_text_style(area), (LEFT as i32, 84))?;

    let rows = panel.pixels.len() / panel.columns;
    let labels = (FONT, LABEL_SIZE);
    let mut chart = ChartBuilder::on(&image)
        .margin_top(TITLE)
        .margin_right(RIGHT)
        .margin_left(MARGIN)
        .x_label_area_size(BELOW)
        .y_label_area_size(LEFT - MARGIN)
        .build_cartesian_2d(0..panel.columns, 0..rows)?;
    let plot = chart.plotting_area().strip_coord_spec();
    let (width, height) = plot.dim_in_pixel();
    for y in 0..height {
        for x in 0..width {
            // Row 0 is at the bottom, as astronomers look at a CCD.
            let rows = share(height - 1 - y, height, rows);
            let columns = share(x, width, panel.columns);
            plot.draw_pixel((x as i32, y as i32), &panel.scale.colour(panel.mean(rows, columns)))?;
        }
    }
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(5)
        .y_labels(5)
        .x_desc("column")
        .y_desc("row")
        .label_style(labels)
        .set_all_tick_mark_size(10)
        .draw()?;
    draw_colour_bar(panel.scale, &bar)
}

fn draw_colour_bar(scale: Scale, area: &Area) -> Drawn {
    let (low, high) = (scale.low, scale.high);
    let mut chart = ChartBuilder::on(area)
        .margin_left(LEFT)
        .margin_right(RIGHT)
        .margin_bottom(8)
        .x_label_area_size(BELOW)
        .build_cartesian_2d(low..high, 0.0_f32..1.0)?;
    let plot = chart.plotting_area().strip_coord_spec();
    let (width, height) = plot.dim_in_pixel();
    for x in 0..width {
        let value = low + (high - low) * (x as f32 + 0.5) / width as f32;
        for y in 0..height {
            plot.draw_pixel((x as i32, y as i32), &scale.colour(value))?;
        }
    }
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .x_labels(6)
        .x_label_formatter(&|value| format!("{value}"))
        .x_desc("electrons/s")
        .label_style((FONT, LABEL_SIZE))
        .set_all_tick_mark_size(10)
        .draw()?;
    Ok(())
}

/// The pixels, out of `pixels`, that point `at` of `points` stands for: at least one.
fn share(at: u32, points: u32, pixels: usize) -> std::ops::Range<usize> {
    let edge = |at: u32| at as usize * pixels / points as usize;
    edge(at)..edge(at + 1).max(edge(at) + 1)
}

impl Panel<'_> {
    /// The mean of the pixels with a value; NaN if none has one.
    fn mean(&self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> f32 {
        let (mut sum, mut count) = (0.0, 0.0);
        for row in rows {
            for &value in &self.pixels[row * self.columns..][columns.clone()] {
                if value.is_finite() {
                    sum += value;
                    count += 1.0;
                }
            }
        }
        sum / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_has_its_place_in_the_picture() {
        // Larger than the pixels it shows, the same size, and smaller.
        for (points, pixels) in [(440, 128), (440, 440), (440, 2048)] {
            let shares: Vec<_> = (0..points).map(|at| share(at, points, pixels)).collect();
            assert_eq!(shares[0].start, 0);
            assert_eq!(shares[points as usize - 1].end, pixels);
            assert!(shares.iter().all(|share| !share.is_empty()));
            assert!(shares.windows(2).all(|pair| pair[1].start <= pair[0].end));
        }
    }

    #[test]
    fn zero_is_white_and_the_ends_are_blue_and_red() {
        let scale = Scale::difference(2.0);
        let RGBColor(r, g, b) = scale.colour(0.0);
        assert!(r > 235 && g > 235 && b > 235);
        let RGBColor(r, _, b) = scale.colour(-5.0);
        assert!(b > r);
        let RGBColor(r, _, b) = scale.colour(5.0);
        assert!(r > b);
        assert_eq!(scale.colour(f32::NAN), BLANK);
    }

    #[test]
    fn a_picture_is_a_png_of_the_size_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("picture.png");
        let pixels: Vec<f32> = (0..64 * 64).map(|i| i as f32).collect();
        let panel = |title| Panel {
            title,
            subtitle: "",
            pixels: &pixels,
            columns: 64,
            scale: Scale::brightness(0.0, 4096.0),
        };
        write(&path, ["caption", ""], &[panel("one"), panel("two")], false).unwrap();

        let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut image = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut image).unwrap();
        assert_eq!(info.width, 2 * (LEFT + IMAGE + RIGHT) / FINER);
        // The first row of the image is at the bottom: its first pixel is darkest.
        let at = |x: u32, y: u32| {
            let start = ((y * info.width + x) * 3) as usize;
            [image[start], image[start + 1], image[start + 2]]
        };
        let (top, bottom) = ((CAPTION + TITLE) / FINER + 2, (CAPTION + TITLE + IMAGE) / FINER - 3);
        let RGBColor(r, g, b) = panel("").scale.colour(0.0);
        assert_eq!(at(LEFT / FINER + 2, bottom), [r, g, b]);
        assert_ne!(at(LEFT / FINER + 2, top), at(LEFT / FINER + 2, bottom));
    }
}
