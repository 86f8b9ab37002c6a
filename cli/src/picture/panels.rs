//! Panels side by side, each an image with axes and a colour bar or a legend.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::raster::Raster;
use super::scale::Scale;
use super::{
    CAPTION, Canvas, Drawn, FINER, FONT, LABEL_SIZE, LABELS, Page, Picture, Placed, TITLE_SIZE, anchored,
    axis, draw_caption, text,
};

/// The usual width and height of an image, in points.
pub(crate) const SIDE: u32 = 880;

/// Sizes in points: the room left and right of an image for labels, and the heights of a panel's
/// title, of what is below its image and of the colour bar with its labels.
const LEFT: u32 = 150;
const MARGIN: u32 = 16;
const RIGHT: u32 = 60;
const TITLE: u32 = 152;
const BELOW: u32 = 136;
const COLOUR_BAR: u32 = 168;

/// The side of a mark in pixels of the file.
const MARK: u32 = 2;

/// Images with axes, side by side under one caption.
#[derive(Debug)]
pub(crate) struct Panels<'a> {
    pub(crate) caption: [String; 2],
    /// Width and height of an image, in points: a multiple of [`FINER`].
    pub(crate) side: u32,
    pub(crate) panels: Vec<Panel<'a>>,
}

/// An image with what it shows.
#[derive(Debug)]
pub(crate) struct Panel<'a> {
    /// Its name, and a line that says more; without both it has no title.
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    /// Rows and columns of the science area from 0 on.
    pub(crate) shape: (usize, usize),
    pub(crate) content: Content<'a>,
}

/// What the pixels of a panel are, row-major from row 0 on.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Electrons/s; NaN is drawn grey. A colour bar explains them. There may be other numbers of
    /// pixels than the shape says, if they cover the same area.
    Values { pixels: &'a [f32], columns: usize, scale: Scale },
    /// Places in a list of classes; a legend explains them.
    Classes { pixels: &'a [u8], classes: &'a [Class], marks: &'a [Marks] },
}

/// Pixels of one kind.
#[derive(Debug)]
pub(crate) struct Class {
    /// Empty if the legend is to be silent about it.
    pub(crate) name: String,
    pub(crate) colour: RGBColor,
}

/// Single pixels that are marked, however small they are.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) name: String,
    pub(crate) colour: RGBColor,
    /// (row, column) of each.
    pub(crate) pixels: Vec<(u32, u32)>,
}

impl Panels<'_> {
    fn title_height(&self) -> u32 {
        if self.panels.iter().all(|panel| panel.title.is_empty() && panel.subtitle.is_empty()) {
            0
        } else {
            TITLE
        }
    }
}

impl Picture for Panels<'_> {
    fn size(&self) -> (u32, u32) {
        let width = (LEFT + self.side + RIGHT) * self.panels.len() as u32;
        (width, CAPTION + self.title_height() + self.side + BELOW + COLOUR_BAR)
    }

    fn draw<DB: Canvas>(&self, page: &Page<DB>) -> Drawn<Vec<Placed>> {
        let (top, rest) = page.split_vertically(CAPTION);
        draw_caption(&top, &self.caption, LEFT)?;
        let mut images = Vec::new();
        for (panel, area) in self.panels.iter().zip(rest.split_evenly((1, self.panels.len()))) {
            panel.draw(&area, self.side, self.title_height(), &mut images)?;
        }
        Ok(images)
    }
}

impl Panel<'_> {
    fn draw<DB: Canvas>(&self, area: &Page<DB>, side: u32, title: u32, images: &mut Vec<Placed>) -> Drawn {
        let (image, bar) = area.split_vertically(title + side + BELOW);
        text(&image, self.title, TITLE_SIZE, (LEFT as i32, 14))?;
        text(&image, self.subtitle, LABEL_SIZE, (LEFT as i32, 84))?;

        let (rows, columns) = self.shape;
        let mut chart = ChartBuilder::on(&image)
            .margin_top(title)
            .margin_right(RIGHT)
            .margin_left(MARGIN)
            .margin_bottom(BELOW - LABELS)
            .x_label_area_size(LABELS)
            .y_label_area_size(LEFT - MARGIN)
            .build_cartesian_2d(0..columns, 0..rows)?;
        let (place, size) = place(chart.plotting_area());
        images.push(Placed { x: place.0, y: place.1, image: self.image(size) });
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(5)
            .y_labels(5)
            .x_desc("column")
            .y_desc("row")
            .label_style((FONT, LABEL_SIZE))
            .set_all_tick_mark_size(10)
            .draw()?;
        match &self.content {
            Content::Values { scale, .. } => draw_colour_bar(*scale, &bar, images),
            Content::Classes { classes, marks, .. } => draw_legend(classes, marks, &bar),
        }
    }

    /// The image in (width, height) pixels of the file, row 0 at the bottom, as astronomers look at
    /// a CCD.
    pub(super) fn image(&self, (width, height): (u32, u32)) -> Raster {
        let (rows, columns) = match &self.content {
            Content::Values { pixels, columns, .. } => (pixels.len() / columns, *columns),
            Content::Classes { .. } => self.shape,
        };
        let mut image = Raster::new(width, height, super::BLANK);
        for y in 0..height {
            let rows = share(height - 1 - y, height, rows);
            for x in 0..width {
                let pixels = (rows.clone())
                    .flat_map(|row| share(x, width, columns).map(move |column| row * columns + column));
                image.set(x, y, self.content.colour(pixels));
            }
        }
        if let Content::Classes { marks, .. } = &self.content {
            for marks in *marks {
                for &(row, column) in &marks.pixels {
                    mark(&mut image, marks.colour, (row, column), self.shape);
                }
            }
        }
        image
    }
}

impl Content<'_> {
    /// The colour of some pixels together.
    fn colour(&self, at: impl Iterator<Item = usize>) -> RGBColor {
        match self {
            Self::Values { pixels, scale, .. } => {
                let finite = at.map(|at| pixels[at]).filter(|value| value.is_finite());
                let (sum, count) = finite.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
                // Without any, 0 / 0 is NaN, which is grey.
                scale.colour(sum / count)
            }
            Self::Classes { pixels, classes, .. } => {
                let (mut sum, mut count) = ([0_u32; 3], 0);
                for at in at {
                    let RGBColor(r, g, b) = classes[usize::from(pixels[at])].colour;
                    sum = [sum[0] + u32::from(r), sum[1] + u32::from(g), sum[2] + u32::from(b)];
                    count += 1;
                }
                let [r, g, b] = sum.map(|sum| (sum / count) as u8);
                RGBColor(r, g, b)
            }
        }
    }
}

/// Colours a square about the place of a pixel.
fn mark(image: &mut Raster, colour: RGBColor, (row, column): (u32, u32), (rows, columns): (usize, usize)) {
    let along = |at: u32, pixels: usize, length: u32| {
        let centre = ((f64::from(at) + 0.5) / pixels as f64 * f64::from(length)) as u32;
        centre.saturating_sub(MARK / 2).min(length - MARK)
    };
    let (width, height) = (image.width(), image.height());
    let (left, bottom) = (along(column, columns, width), along(row, rows, height));
    for y in bottom..bottom + MARK {
        (left..left + MARK).for_each(|x| image.set(x, height - 1 - y, colour));
    }
}

/// Where the area of a chart is, and its width and height, in pixels of the file.
fn place<DB, CT>(area: &DrawingArea<DB, CT>) -> ((u32, u32), (u32, u32))
where
    DB: DrawingBackend,
    CT: plotters::coord::CoordTranslate,
{
    let (x, y) = area.get_pixel_range();
    let size = |range: &Range<i32>| (range.end - range.start).unsigned_abs().div_ceil(FINER);
    ((x.start.unsigned_abs() / FINER, y.start.unsigned_abs() / FINER), (size(&x), size(&y)))
}

fn draw_colour_bar<DB: Canvas>(scale: Scale, area: &Page<DB>, images: &mut Vec<Placed>) -> Drawn {
    let (low, high) = scale.ends();
    let mut chart = ChartBuilder::on(area)
        .margin_left(LEFT)
        .margin_right(RIGHT)
        .margin_bottom(16)
        .x_label_area_size(LABELS)
        .build_cartesian_2d(low..high, 0.0_f32..1.0)?;
    let (place, (width, height)) = place(chart.plotting_area());
    let mut image = Raster::new(width, height, WHITE);
    for x in 0..width {
        let colour = scale.colour(low + (high - low) * (x as f32 + 0.5) / width as f32);
        (0..height).for_each(|y| image.set(x, y, colour));
    }
    images.push(Placed { x: place.0, y: place.1, image });
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .x_labels(6)
        .x_label_formatter(&|&value| axis::label(value.into(), (high - low).into(), 6))
        .x_desc("electrons/s")
        .label_style((FONT, LABEL_SIZE))
        .set_all_tick_mark_size(10)
        .draw()?;
    Ok(())
}

fn draw_legend<DB: Canvas>(classes: &[Class], marks: &[Marks], area: &Page<DB>) -> Drawn {
    let classes = classes.iter().map(|class| (&class.name, class.colour));
    let entries = classes.chain(marks.iter().map(|marks| (&marks.name, marks.colour)));
    for ((name, colour), y) in entries.filter(|(name, _)| !name.is_empty()).zip((0..).step_by(56)) {
        let left = LEFT as i32;
        let swatch = [(left, y + 6), (left + 36, y + 42)];
        area.draw(&Rectangle::new(swatch, colour.filled()))?;
        area.draw(&Rectangle::new(swatch, super::DARK))?;
        anchored(area, name, LABEL_SIZE, (left + 60, y + 26), (HPos::Left, VPos::Center))?;
    }
    Ok(())
}

/// The pixels, out of `pixels`, that point `at` of `points` stands for: at least one.
fn share(at: u32, points: u32, pixels: usize) -> Range<usize> {
    let edge = |at: u32| at as usize * pixels / points as usize;
    edge(at)..edge(at + 1).max(edge(at) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{BLUE, ORANGE, VERMILION, render};

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

    fn panel<'a>(title: &'a str, pixels: &'a [f32]) -> Panel<'a> {
        let content = Content::Values { pixels, columns: 64, scale: Scale::brightness(0.0, 4096.0) };
        Panel { title, subtitle: "", shape: (64, 64), content }
    }

    #[test]
    fn panels_stand_side_by_side_with_the_first_row_at_the_bottom() {
        let pixels: Vec<f32> = (0..64 * 64).map(|i| i as f32).collect();
        let caption = ["caption".to_owned(), String::new()];
        let panels = vec![panel("one", &pixels), panel("two", &pixels)];
        let (base, images) = render(&Panels { caption, side: SIDE, panels }).unwrap();
        assert_eq!(base.width(), 2 * (LEFT + SIDE + RIGHT) / FINER);
        assert_eq!(base.height(), (CAPTION + TITLE + SIDE + BELOW + COLOUR_BAR) / FINER);
        // An image and a colour bar for each panel.
        assert_eq!(images.len(), 4);
        let Placed { x, y, image } = &images[0];
        assert_eq!((*x, *y), (LEFT / FINER, (CAPTION + TITLE) / FINER));
        assert_eq!((image.width(), image.height()), (SIDE / FINER, SIDE / FINER));
        let scale = Scale::brightness(0.0, 4096.0);
        assert_eq!(image.get(0, SIDE / FINER - 1), scale.colour(0.0));
        assert_eq!(image.get(SIDE / FINER - 1, 0), scale.colour(4095.0));
        assert_eq!(images[2].x - images[0].x, (LEFT + SIDE + RIGHT) / FINER);
    }

    #[test]
    fn pixels_that_share_a_point_are_averaged_without_those_that_have_no_value() {
        let pixels = [1000.0, f32::NAN, 3000.0, 2000.0, f32::NAN, f32::NAN];
        let scale = Scale::brightness(0.0, 4096.0);
        let content = Content::Values { pixels: &pixels, columns: 2, scale };
        let image = Panel { title: "", subtitle: "", shape: (3, 2), content }.image((1, 3));
        let expected = [f32::NAN, 2500.0, 1000.0].map(|value| scale.colour(value));
        assert_eq!([0, 1, 2].map(|y| image.get(0, y)), expected);
    }

    #[test]
    fn marks_are_seen_on_their_pixel_and_classes_mix() {
        let class = |colour| Class { name: String::new(), colour };
        let classes = [class(BLUE), class(ORANGE)];
        let marks = [Marks { name: String::new(), colour: VERMILION, pixels: vec![(0, 0), (7, 5)] }];
        let pixels: Vec<u8> = (0..64).map(|i| u8::from(i % 8 >= 4)).collect();
        let content = Content::Classes { pixels: &pixels, classes: &classes, marks: &marks };
        let image = Panel { title: "", subtitle: "", shape: (8, 8), content }.image((32, 32));
        assert_eq!(image.get(1, 30), VERMILION);
        assert_eq!(image.get(22, 2), VERMILION);
        assert_eq!([image.get(10, 10), image.get(20, 10)], [BLUE, ORANGE]);
        // One point for all 64 pixels: half of each.
        let content = Content::Classes { pixels: &pixels, classes: &classes, marks: &[] };
        let image = Panel { title: "", subtitle: "", shape: (8, 8), content }.image((1, 1));
        assert_eq!(image.get(0, 0), RGBColor(115, 136, 89));
    }
}
