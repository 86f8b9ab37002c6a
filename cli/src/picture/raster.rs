//! Images of pixels in three colours, and their PNG form.

use std::collections::HashMap;

use plotters::style::RGBColor;

use super::FINER;

/// An image, row-major from the upper left corner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raster {
    width: u32,
    height: u32,
    /// Red, green and blue of each pixel.
    bytes: Vec<u8>,
}

impl Raster {
    /// An image of one colour.
    pub(super) fn new(width: u32, height: u32, RGBColor(r, g, b): RGBColor) -> Self {
        Self { width, height, bytes: [r, g, b].repeat((width * height) as usize) }
    }

    /// The means of squares of `FINER` x `FINER` points of a drawing in three colours.
    pub(super) fn coarsened(points: &[u8], width: u32, height: u32) -> Self {
        let finer = FINER as usize;
        let line = width as usize * finer * 3;
        let mut bytes = Vec::with_capacity((width * height * 3) as usize);
        for place in 0..(width * height) as usize {
            let corner = place / width as usize * finer * line + place % width as usize * finer * 3;
            bytes.extend((0..3).map(|colour| {
                let square = (0..finer * finer)
                    .map(|i| u32::from(points[corner + i / finer * line + i % finer * 3 + colour]));
                (square.sum::<u32>() / (FINER * FINER)) as u8
            }));
        }
        Self { width, height, bytes }
    }

    pub(super) fn width(&self) -> u32 {
        self.width
    }

    pub(super) fn height(&self) -> u32 {
        self.height
    }

    #[cfg(test)]
    pub(super) fn get(&self, x: u32, y: u32) -> RGBColor {
        let at = self.at(x, y);
        RGBColor(self.bytes[at], self.bytes[at + 1], self.bytes[at + 2])
    }

    pub(super) fn set(&mut self, x: u32, y: u32, RGBColor(r, g, b): RGBColor) {
        let at = self.at(x, y);
        self.bytes[at..at + 3].copy_from_slice(&[r, g, b]);
    }

    /// Puts an image on this one, with its upper left corner at (x, y).
    pub(super) fn paste(&mut self, x: u32, y: u32, image: &Self) {
        for line in 0..image.height {
            let (to, from) = (self.at(x, y + line), image.at(0, line));
            let length = image.width as usize * 3;
            self.bytes[to..to + length].copy_from_slice(&image.bytes[from..from + length]);
        }
    }

    /// The colours of the pixels in their order.
    pub(super) fn colours(&self) -> impl Iterator<Item = [u8; 3]> {
        self.bytes.as_chunks::<3>().0.iter().copied()
    }

    /// The content of a PNG file: with a palette if 256 colours are enough.
    pub(super) fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_compression(png::Compression::High);
        let indexed = self.indexed();
        if let Some((palette, _)) = &indexed {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(palette.as_slice());
        } else {
            encoder.set_color(png::ColorType::Rgb);
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(indexed.as_ref().map_or(&self.bytes, |(_, indices)| indices))?;
        writer.finish()?;
        Ok(file)
    }

    /// The palette and the place of each pixel in it, if there are at most 256 colours.
    fn indexed(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut palette = Vec::new();
        let mut places = HashMap::new();
        let mut indices = Vec::with_capacity(self.bytes.len() / 3);
        for colour in self.colours() {
            let next = places.len();
            let index = *places.entry(colour).or_insert_with(|| {
                palette.extend(colour);
                next
            });
            indices.push(u8::try_from(index).ok()?);
        }
        Some((palette, indices))
    }

    fn at(&self, x: u32, y: u32) -> usize {
        ((y * self.width + x) * 3) as usize
    }
}

/// The image in a PNG file.
#[cfg(test)]
pub(super) fn decode(file: &[u8]) -> Raster {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    Raster { width: info.width, height: info.height, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_averaged_in_squares() {
        // 4 x 2 points: the left square black with one white point, the right one all white.
        let mut points = vec![0; 4 * 2 * 3];
        for (x, y) in [(1, 1), (2, 0), (3, 0), (2, 1), (3, 1)] {
            points[(y * 4 + x) * 3..][..3].fill(255);
        }
        let raster = Raster::coarsened(&points, 2, 1);
        assert_eq!(raster.get(0, 0), RGBColor(63, 63, 63));
        assert_eq!(raster.get(1, 0), RGBColor(255, 255, 255));
    }

    #[test]
    fn few_and_many_colours_come_back_from_a_file() {
        for colours in [3_u32, 400] {
            let mut raster = Raster::new(25, 16, RGBColor(0, 0, 0));
            for i in 0..400 {
                let colour = i % colours;
                raster.set(i % 25, i / 25, RGBColor((colour / 2) as u8, (colour % 2) as u8, 9));
            }
            assert_eq!(raster.indexed().is_some(), colours == 3);
            assert_eq!(decode(&raster.png().unwrap()), raster);
        }
    }
}
