//! Changes of zip archives of NumPy arrays: of what is in them, with right checksums.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{LONGEST, bytes, text};
use crate::random::Random;

/// Changes some entries of the archive, which may come from `other`.
pub(super) fn change(
    archive: &mut Vec<u8>,
    other: &[u8],
    changes: usize,
    words: &[&str],
    random: &mut Random,
) {
    let Some(mut entries) = entries(archive) else {
        return bytes::change(archive, other, random);
    };
    for _ in 0..changes {
        if entries.is_empty() {
            break;
        }
        let at = random.below(entries.len());
        let to = random.below(entries.len());
        match random.below(12) {
            0 => drop(entries.remove(at)),
            1 => {
                let data = entries[at].1.clone();
                entries[to].1 = data;
            }
            2 => {
                let name =
                    String::from_utf8_lossy(&text::tweaked(entries[at].0.as_bytes(), random)).into_owned();
                entries[at].0 = name;
            }
            3 => {
                let others = self::entries(other).unwrap_or_default();
                if let Some(entry) = others.get(random.below(others.len())) {
                    match entries.iter_mut().find(|(name, _)| *name == entry.0) {
                        Some(same) => same.1.clone_from(&entry.1),
                        None => entries.push(entry.clone()),
                    }
                }
            }
            _ => change_array(&mut entries[at].1, words, random),
        }
    }
    let method = if random.once_in(2) { CompressionMethod::Stored } else { CompressionMethod::Deflated };
    if let Some(new) = archive_of(&entries, method) {
        *archive = new;
    }
}

/// Names and contents.
type Entries = Vec<(String, Vec<u8>)>;

fn entries(archive: &[u8]) -> Option<Entries> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).ok()?;
    let mut entries = Vec::new();
    for index in 0..archive.len().min(100) {
        let entry = archive.by_index(index).ok()?;
        let (name, mut data) = (entry.name().to_owned(), Vec::new());
        entry.take(LONGEST as u64).read_to_end(&mut data).ok()?;
        entries.push((name, data));
    }
    Some(entries)
}

/// An archive, unless two of the names are the same.
pub(crate) fn archive_of(entries: &[(String, Vec<u8>)], method: CompressionMethod) -> Option<Vec<u8>> {
    let mut file = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, data) in entries {
        file.start_file(name.as_str(), options).ok()?;
        file.write_all(data).ok()?;
    }
    Some(file.finish().ok()?.into_inner())
}

/// Changes the header or the numbers of an array.
fn change_array(array: &mut Vec<u8>, words: &[&str], random: &mut Random) {
    /// Bytes before the text of the header.
    const START: usize = 10;
    const TYPES: [&str; 12] =
        ["<f8", ">f8", "<f4", "<u4", "<i8", "|b1", "|u1", "<c16", "|O", "<U5", "<f16", "f8"];
    let end = array.iter().position(|&byte| byte == b'\n').filter(|&end| end >= START);
    let Some(end) = end.filter(|_| random.once_in(2)) else {
        // Text for people, such as the metadata, or numbers.
        let data = end.map_or(0, |end| end + 1).min(array.len());
        let mut tail = array.split_off(data);
        if tail.starts_with(b"{") {
            let own = ["\"", "{", "}", "null", "[", "1e5", "spline(3, degree=99999999999999999999) ~ 0 +- 1"];
            text::change(&mut tail, b"", if random.once_in(2) { &own } else { words }, random);
            let length = tail.len().to_string();
            set_between(array, b"'shape': (", b",)", length.as_bytes());
        } else {
            bytes::number(&mut tail, random);
        }
        array.extend(tail);
        return;
    };
    match random.below(6) {
        0 => set_between(array, b"'descr': '", b"'", random.one_of(&TYPES).as_bytes()),
        1 => set_between(array, b"'fortran_order': ", b",", b"True"),
        2 => bytes::number(&mut array[..START], random),
        3 => bytes::change(array, b"", random),
        choice => {
            let shape: Vec<String> = (0..random.below(4))
                .map(|_| match choice {
                    4 => random.below(6).to_string(),
                    _ => (*random.one_of(&text::VALUES)).to_owned(),
                })
                .collect();
            let shape = shape.join(", ") + if shape.len() == 1 { "," } else { "" };
            set_between(array, b"'shape': (", b")", shape.as_bytes());
            let header = array.iter().position(|&byte| byte == b'\n').unwrap_or(end);
            // The header's length may follow, or the data begin a little elsewhere.
            if random.once_in(2) && header > START {
                array[8..START].copy_from_slice(&((header + 1 - START) as u16).to_le_bytes());
            }
        }
    }
}

/// Replaces what is between the first `before` and the next `after`.
fn set_between(bytes: &mut Vec<u8>, before: &[u8], after: &[u8], new: &[u8]) {
    let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    let Some(start) = find(bytes, before).map(|start| start + before.len()) else { return };
    let Some(length) = find(&bytes[start..], after) else { return };
    drop(bytes.splice(start..start + length, new.iter().copied()));
}
