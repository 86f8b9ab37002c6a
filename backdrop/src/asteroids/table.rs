//! Tables of asteroids as files.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use super::{Position, Track};
use crate::error::{Error, Result};
use crate::fits::{Kind, Reader};
use crate::output::WholeFile;
use crate::table::{self, COLUMN, ROW, bad, csv_error, find, number};

/// What the columns may be called; the first is what they are called here.
const NAME: &[&str] = &["name", "designation", "object", "target"];
const TIME: &[&str] = &["time", "btjd"];
const MAGNITUDE: &[&str] = &["vmag", "v", "v_mag", "mag", "magnitude"];

/// Which columns there are.
const COLUMNS: &str = "a table of asteroids has name, time, row, column, vmag";

/// BTJD days that the mission may see: until the year 2096. Julian dates and modified Julian
/// dates are above.
const LAST_TIME: f64 = 30_000.0;
/// Rows and columns beyond, in pixels, are no positions anywhere near a CCD.
const FARTHEST: f64 = 1e6;
/// No V magnitude, nor its opposite.
const FAINTEST: f64 = 50.0;

/// Reads a table in any of its forms.
pub(super) fn read(path: &Path) -> Result<Vec<Track>> {
    let tracks = match Kind::of(path)?.0 {
        Kind::Fits => read_fits(path)?,
        Kind::Gzip | Kind::Zip => return Err(bad(path, "it is compressed; unpack it")),
        Kind::Other => read_csv(path)?,
    };
    if tracks.list.is_empty() {
        return Err(bad(path, "it has no rows"));
    }
    Ok(tracks.list)
}

/// Tracks by name, in the order in which the names came.
#[derive(Default)]
struct Tracks {
    list: Vec<Track>,
    by_name: HashMap<String, usize>,
}

impl Tracks {
    /// Adds a position; says what is wrong with it, column and all, if anything is.
    fn add(&mut self, name: &str, position: Position) -> std::result::Result<(), String> {
        if name.is_empty() {
            return Err("column name is empty".into());
        }
        let Position { time, row, column, magnitude } = position;
        for (label, value, plausible, what) in [
            ("time", time, 0.0 < time && time < LAST_TIME, "time in BTJD days, which are JD - 2457000"),
            ("row", row, row.abs() <= FARTHEST, "position in pixels"),
            ("column", column, column.abs() <= FARTHEST, "position in pixels"),
            ("vmag", magnitude, magnitude.abs() <= FAINTEST, "magnitude"),
        ] {
            if !plausible {
                return Err(format!("column {label}: {value} is no {what}"));
            }
        }
        let index = *self.by_name.entry(name.to_owned()).or_insert_with(|| {
            self.list.push(Track { name: name.to_owned(), positions: Vec::new() });
            self.list.len() - 1
        });
        self.list[index].positions.push(position);
        Ok(())
    }
}

fn read_csv(path: &Path) -> Result<Tracks> {
    let (mut reader, header) = table::open(path)?;
    let find = |names| find(path, &header.iter().collect::<Vec<_>>(), names, COLUMNS);
    let (name, time, row) = (find(NAME)?, find(TIME)?, find(ROW)?);
    let (column, magnitude) = (find(COLUMN)?, find(MAGNITUDE)?);
    let mut tracks = Tracks::default();
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(path, error))?;
        let mut add = || {
            let number = |index: usize| number(&record, &header, index);
            let position = Position {
                time: number(time)?,
                row: number(row)?,
                column: number(column)?,
                magnitude: number(magnitude)?,
            };
            tracks.add(&record[name], position)
        };
        let line = record.position().map_or(0, csv::Position::line);
        add().map_err(|reason| bad(path, format!("line {line}, {reason}")))?;
    }
    Ok(tracks)
}

fn read_fits(path: &Path) -> Result<Tracks> {
    let mut file = Reader::open(path)?;
    let mut hdu = 0;
    loop {
        hdu += 1;
        if hdu >= file.hdus() {
            return Err(bad(path, "it has no table"));
        }
        file.select(hdu)?;
        if file.image()?.is_none() {
            break;
        }
    }
    let header = file.column_names();
    let find = |names| find(path, &header, names, COLUMNS).map(|index| header[index].as_str());
    let (name, time, row) = (find(NAME)?, find(TIME)?, find(ROW)?);
    let (column, magnitude) = (find(COLUMN)?, find(MAGNITUDE)?);
    // Numbered asteroids may be called by their numbers.
    let names = if file.holds_text(name)? {
        file.texts(name)?
    } else {
        file.numbers::<f64>(name)?.iter().map(f64::to_string).collect()
    };
    let [times, rows, columns, magnitudes] =
        [time, row, column, magnitude].map(|name| file.numbers::<f64>(name));
    let numbers = times?.into_iter().zip(rows?).zip(columns?).zip(magnitudes?);
    let mut tracks = Tracks::default();
    for (index, (name, (((time, row), column), magnitude))) in names.iter().zip(numbers).enumerate() {
        tracks
            .add(name.trim(), Position { time, row, column, magnitude })
            .map_err(|reason| bad(path, format!("HDU {hdu}, row {}, {reason}", index + 1)))?;
    }
    Ok(tracks)
}

/// Writes a CSV file.
pub(super) fn write(tracks: &[Track], path: &Path, overwrite: bool) -> Result<()> {
    let failed = |error: csv::Error| csv_error(path, error);
    // A name may begin with the mark of a remark.
    let mut writer = csv::WriterBuilder::new().comment(Some(table::REMARK)).from_writer(Vec::new());
    writer.write_record([NAME, TIME, ROW, COLUMN, MAGNITUDE].map(|names| names[0])).map_err(failed)?;
    for track in tracks {
        for Position { time, row, column, magnitude } in &track.positions {
            // Numbers are written so that the same ones are read.
            let numbers = [time, row, column, magnitude].map(f64::to_string);
            let values = std::iter::once(&track.name).chain(&numbers);
            writer.write_record(values).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| Error::io(path)(error.into_error()))?;
    let mut file = WholeFile::create(path, overwrite)?;
    file.write_all(&bytes).map_err(Error::io(path))?;
    file.finish()
}
