//! The masks of a model, and the pixels that components come from.

use std::path::Path;

use backdrop::file::Model;

use crate::failure::Failure;
use crate::picture::{
    self, BLANK, BLUE, Class, Content, Format, Marks, ORANGE, PALE, Panel, Panels, SIDE, VERMILION,
};

/// Draws the masks on the left and, if there are some, the pixels of the components on the right.
pub(super) fn write(path: &Path, model: &Model, format: Format, overwrite: bool) -> Result<(), Failure> {
    let masks = model.star_mask.iter().zip(&model.saturation_mask);
    let pixels: Vec<u8> =
        masks.map(|(&star, &saturation)| if saturation { u8::from(!star) } else { 2 }).collect();
    let share = |part: usize| format!("{:.2} %", 100.0 * part as f64 / pixels.len().max(1) as f64);
    let count = |class: u8| share(pixels.iter().filter(|&&pixel| pixel == class).count());
    let classes = [
        Class { name: format!("kept: {}", count(0)), colour: PALE },
        Class { name: format!("star mask: {}", count(1)), colour: BLUE },
        Class { name: format!("saturation mask: {}", count(2)), colour: ORANGE },
    ];
    let plain = |colour| Class { name: String::new(), colour };
    let faint = [plain(plotters::style::WHITE), plain(BLANK), plain(BLANK)];
    let marks: Vec<Marks> =
        [("jitter", &model.jitter_pixels, VERMILION), ("background", &model.background_pixels, BLUE)]
            .into_iter()
            .filter(|(_, pixels, _)| !pixels.is_empty())
            .map(|(kind, pixels, colour)| Marks {
                name: format!("{kind} pixels: {} ({})", pixels.len(), share(pixels.len())),
                colour,
                pixels: pixels.clone(),
            })
            .collect();

    let (shape, all) = (model.shape, &pixels[..]);
    let mut panels = vec![Panel {
        title: "Masks",
        subtitle: "pixels that do not count in the fit",
        shape,
        content: Content::Classes { pixels: all, classes: &classes, marks: &[] },
    }];
    if !marks.is_empty() {
        panels.push(Panel {
            title: "Pixels of the components",
            subtitle: "drawn at random; grey: masked",
            shape,
            content: Content::Classes { pixels: all, classes: &faint, marks: &marks },
        });
    }
    let (rows, columns) = shape;
    let caption = [format!("Masks of {}", model.target), format!("{rows} x {columns} pixels")];
    picture::write(path, &Panels { caption, side: SIDE, panels }, format, overwrite)
}
