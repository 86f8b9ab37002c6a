//! The columns of a TESS CCD that lie over metal straps.
//!
//! The straps run along the columns behind the light-sensitive layer. Infrared
//! light passes through the silicon, is reflected by a strap and detected on its
//! way back, so these columns, and more weakly their neighbours, see more of any
//! light. All CCDs of all cameras have straps at the same columns
//! (TESS Instrument Handbook; the numbers are the ones of the mission's strap table).

/// Strap columns in the numbering of the mission's table: 1-based science columns
/// (1 to 2048), ascending. Subtract 1 for an index into a frame, or use
/// [`restricted_columns`].
pub const STRAP_COLUMNS: [u16; 116] = [
    77, 78, 81, 82, 85, 86, 205, 206, 209, 210, 213, 214, 333, 334, 337, 338, 341, 342, 461, 462, 465, 466,
    469, 470, 516, 517, 520, 521, 524, 525, 589, 590, 593, 594, 597, 598, 673, 674, 675, 676, 717, 718, 721,
    722, 725, 726, 845, 846, 849, 850, 853, 854, 874, 973, 977, 978, 981, 982, 1067, 1068, 1071, 1072, 1075,
    1076, 1195, 1196, 1199, 1200, 1203, 1204, 1323, 1324, 1327, 1328, 1331, 1332, 1373, 1374, 1375, 1376,
    1451, 1452, 1455, 1456, 1459, 1460, 1524, 1525, 1528, 1529, 1532, 1533, 1579, 1580, 1583, 1584, 1587,
    1588, 1707, 1708, 1711, 1712, 1715, 1716, 1835, 1836, 1839, 1840, 1843, 1844, 1963, 1964, 1967, 1968,
    1971, 1972,
];

/// The columns that a restricted strap block has terms for: each strap column and
/// its two neighbours, as 0-based science columns, ascending, each once. There are
/// 230 of them.
///
/// ```
/// let columns = backdrop::straps::restricted_columns();
/// // The first straps are columns 77 and 78 (1-based): 76 and 77, and one on either side.
/// assert_eq!(columns[..4], [75, 76, 77, 78]);
/// assert_eq!(columns.len(), 230);
/// ```
pub fn restricted_columns() -> Vec<usize> {
    let mut columns: Vec<usize> = STRAP_COLUMNS
        .iter()
        .flat_map(|&number| {
            let column = usize::from(number) - 1;
            column - 1..=column + 1
        })
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ascending_and_inside_the_ccd() {
        assert!(STRAP_COLUMNS.is_sorted_by(|a, b| a < b));
        // A neighbour on either side exists for every strap.
        assert!(STRAP_COLUMNS[0] > 1 && STRAP_COLUMNS[115] < 2048);
    }

    #[test]
    fn restricted_columns_are_straps_and_neighbours_and_nothing_else() {
        let restricted = restricted_columns();
        assert_eq!(restricted.len(), 230);
        assert!(restricted.is_sorted_by(|a, b| a < b));
        for column in 0..2048 {
            let near = STRAP_COLUMNS.iter().any(|&number| (usize::from(number) - 1).abs_diff(column) <= 1);
            assert_eq!(restricted.contains(&column), near, "column {column}");
        }
    }
}
