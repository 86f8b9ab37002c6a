//! Target pixel files made by hand for tests, in the layout of the SPOC pipeline.

use super::TargetPixelFile;
use crate::error::Result;
use crate::fits::handmade::{Hdu, file_of};

/// The pixels of an image: two rows of three.
const SHAPE: (usize, usize) = (2, 3);
const PIXELS: usize = 6;
/// The science row and column of the first pixel.
pub(super) const CORNER: (i64, i64) = (100, 200);

/// A column of a table: name, form, `TDIM` (or nothing), and the bytes of each cell.
pub(super) type MadeColumn = (&'static str, String, &'static str, Vec<Vec<u8>>);

/// A target pixel file to be made.
#[derive(Clone)]
pub(super) struct Made {
    pub columns: Vec<MadeColumn>,
    pub primary: Hdu,
    /// Cards of the table's header.
    pub cards: Vec<(String, String)>,
}

fn singles(name: &'static str, values: &[Vec<f32>]) -> MadeColumn {
    let cells = values.iter().map(|cell| cell.iter().flat_map(|value| value.to_be_bytes()).collect());
    let dim = if values[0].len() == PIXELS { "'(3,2)'" } else { "" };
    (name, format!("{}E", values[0].len()), dim, cells.collect())
}

/// The measured flux of a pixel of a cadence, without any background taken off.
pub(super) fn measured(cadence: usize, pixel: usize) -> f32 {
    500.0 + 10.0 * cadence as f32 + pixel as f32
}

impl Made {
    /// A file with cadences at these times at the spacecraft, `FLUX_BKG` of 7 subtracted from
    /// `FLUX`, in the layout of the SPOC pipeline.
    pub fn spoc(times: &[f64]) -> Self {
        let correction = 0.003_906_25; // 2^-8 day: exact in both precisions.
        let images = |value: &dyn Fn(usize, usize) -> f32| -> Vec<Vec<f32>> {
            (0..times.len()).map(|cadence| (0..PIXELS).map(|pixel| value(cadence, pixel)).collect()).collect()
        };
        let times_made = times.iter().map(|time| (time + correction).to_be_bytes().to_vec()).collect();
        let numbers = (0..times.len()).map(|cadence| (cadence as i32).to_be_bytes().to_vec()).collect();
        let columns = vec![
            ("TIME", "D".into(), "", times_made),
            singles("TIMECORR", &vec![vec![correction as f32]; times.len()]),
            ("QUALITY", "J".into(), "", numbers),
            singles("RAW_CNTS", &images(&|_, pixel| pixel as f32)),
            singles("FLUX", &images(&|cadence, pixel| measured(cadence, pixel) - 7.0)),
            singles("FLUX_ERR", &images(&|_, _| 3.0)),
            singles("FLUX_BKG", &images(&|_, _| 7.0)),
        ];
        let primary = Hdu::primary().card("SECTOR", 12).card("CAMERA", 1).card("CCD", 3);
        let primary = primary.card("OBJECT", "'TIC 25155310'").card("TICID", 25_155_310);
        let mut made = Self { columns, primary, cards: Vec::new() };
        made.card("BACKAPP", "T").place(5, CORNER);
        made
    }

    pub fn card(&mut self, keyword: &str, value: impl std::fmt::Display) -> &mut Self {
        self.cards.push((keyword.to_owned(), value.to_string()));
        self
    }

    /// Says where the first pixel is, for a column of the table.
    pub fn place(&mut self, column: usize, (row, first): (i64, i64)) -> &mut Self {
        for (axis, value) in [(1, first + 45), (2, row + 1)] {
            self.card(&format!("{axis}CRV{column}P"), value);
            self.card(&format!("{axis}CRP{column}P"), 1);
            self.card(&format!("{axis}CDL{column}P"), "1.0");
        }
        self
    }

    pub fn without_card(&mut self, keyword: &str) -> &mut Self {
        self.cards.retain(|(other, _)| other != keyword);
        self
    }

    pub fn without_column(&mut self, name: &str) -> &mut Self {
        self.columns.retain(|(other, ..)| *other != name);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let rows = self.columns[0].3.len();
        let data: Vec<u8> = (0..rows)
            .flat_map(|row| self.columns.iter().flat_map(move |column| column.3[row].clone()))
            .collect();
        let mut table = Hdu::image(8, &[rows, data.len() / rows], data)
            .set("XTENSION", "'BINTABLE'")
            .card("TFIELDS", self.columns.len());
        for (number, (name, form, dim, _)) in (1..).zip(&self.columns) {
            table = table.card(&format!("TTYPE{number}"), format!("'{name}'"));
            table = table.card(&format!("TFORM{number}"), format!("'{form}'"));
            if !dim.is_empty() {
                table = table.card(&format!("TDIM{number}"), dim);
            }
        }
        table = table.card("EXTNAME", "'PIXELS'");
        for (keyword, value) in &self.cards {
            table = table.card(keyword, value);
        }
        let aperture = [1_i32, 3, 1, 1, 1, 0].iter().flat_map(|flags| flags.to_be_bytes()).collect();
        let aperture = Hdu::image(32, &[SHAPE.0, SHAPE.1], aperture).card("EXTNAME", "'APERTURE'");
        file_of(&[self.primary.clone(), table, aperture])
    }

    pub fn open(&self) -> Result<TargetPixelFile> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tpf.fits");
        std::fs::write(&path, self.bytes()).unwrap();
        TargetPixelFile::open(&path)
    }

    /// Why it is refused, without the path.
    pub fn refusal(&self) -> String {
        let message = self.open().unwrap_err().to_string();
        message.split_once("tpf.fits: ").unwrap().1.to_owned()
    }
}
