//! Where a pixel lies: coordinates on the CCD that the model's bases are functions of.
//!
//! A [`Window`] is a grid of science pixels, rows by columns, 0-based on the whole CCD. All
//! coordinates are in units of the CCD's 2048 pixels, whatever the window, so that weights fitted
//! on one window hold on any other:
//!
//! `x = (column - bore_column) / 2048`, `y = (row - bore_row) / 2048`,
//! `r = hypot(x, y) / sqrt(2)`, `u = column / 2048`, `v = row / 2048`,
//!
//! with the corner of the CCD that is nearest to the camera's boresight at row 2048 and column
//! 2048 (CCD 1 and 3) or column 0 (CCD 2 and 4).

use array_api::{Array, Backend};

use crate::error::{Error, Result};

/// Rows, and columns, of a CCD's science area.
pub const CCD_SIZE: usize = 2048;

/// A grid of pixels on a CCD.
///
/// ```
/// use backdrop::geometry::Window;
///
/// let window = Window::cutout(4, 128)?;
/// assert_eq!(window.shape(), (128, 128));
/// // The boresight corner of CCD 4 is at row 2048, column 0.
/// assert_eq!(window.x()[1], 1.0 / 2048.0);
/// assert_eq!(window.y()[0], -1.0);
/// # Ok::<(), backdrop::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    ccd: u8,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Window {
    /// The pixels in any rows and columns, in any order.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a CCD that is not 1 to 4, or a row or column outside the
    /// science area.
    pub fn new(ccd: u8, rows: Vec<usize>, columns: Vec<usize>) -> Result<Self> {
        if !(1..=4).contains(&ccd) {
            return Err(Error::InvalidArgument(format!("there is no CCD {ccd}: a camera has CCDs 1 to 4")));
        }
        for (name, indices) in [("row", &rows), ("column", &columns)] {
            if let Some(bad) = indices.iter().find(|&&index| index >= CCD_SIZE) {
                return Err(Error::InvalidArgument(format!(
                    "{name} {bad} is outside the science area of {CCD_SIZE} {name}s, counted from 0"
                )));
            }
        }
        Ok(Self { ccd, rows, columns })
    }

    /// The first `size` rows and columns: what `--cutout-size` reads.
    ///
    /// # Errors
    /// As [`Window::new`].
    pub fn cutout(ccd: u8, size: usize) -> Result<Self> {
        Self::new(ccd, (0..size).collect(), (0..size).collect())
    }

    /// The CCD, 1 to 4.
    pub fn ccd(&self) -> u8 {
        self.ccd
    }

    /// Number of rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.columns.len())
    }

    /// The rows, in pixels.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The columns, in pixels.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// `x` of each column.
    pub fn x(&self) -> Vec<f64> {
        let bore_column = if matches!(self.ccd, 1 | 3) { CCD_SIZE as f64 } else { 0.0 };
        self.columns.iter().map(|&column| (column as f64 - bore_column) / CCD_SIZE as f64).collect()
    }

    /// `y` of each row.
    pub fn y(&self) -> Vec<f64> {
        self.rows.iter().map(|&row| (row as f64 - CCD_SIZE as f64) / CCD_SIZE as f64).collect()
    }

    /// `u` of each column.
    pub fn u(&self) -> Vec<f64> {
        self.columns.iter().map(|&column| column as f64 / CCD_SIZE as f64).collect()
    }

    /// `v` of each row.
    pub fn v(&self) -> Vec<f64> {
        self.rows.iter().map(|&row| row as f64 / CCD_SIZE as f64).collect()
    }

    /// `r` of each pixel, of shape (rows, columns): the distance from the boresight corner, 1 in
    /// the corner opposite.
    pub fn r<B: Backend>(&self, xp: &B) -> Result<Array<f64, B>> {
        let [x, y] = [self.x(), self.y()].map(|x| Array::from_slice(xp, &x));
        distance(&x?, &y?.expand_dims(1)?)
    }

    /// `r` of single pixels, one in each row and the column in the same place, of shape
    /// (1, pixels): the same bits as in [`r`](Self::r).
    pub(crate) fn r_of_pairs<B: Backend>(&self, xp: &B) -> Result<Array<f64, B>> {
        let [x, y] = [self.x(), self.y()].map(|x| Array::from_slice(xp, &x));
        Ok(distance(&x?, &y?)?.expand_dims(0)?)
    }
}

/// `hypot(x, y) / sqrt(2)`.
fn distance<B: Backend>(x: &Array<f64, B>, y: &Array<f64, B>) -> Result<Array<f64, B>> {
    let r = y.lazy().square().add(x.lazy().square()).sqrt();
    Ok(r.divide_scalar(std::f64::consts::SQRT_2).eval()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_a_ccd_is_refused() {
        assert!(Window::new(5, vec![0], vec![0]).is_err());
        let message = Window::new(1, vec![2048], vec![0]).unwrap_err().to_string();
        assert!(message.starts_with("row 2048"));
    }
}
