//! What tells whether a file is still the one whose header was read.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The size of a file and the time when it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    /// Since 1970; before that as well, negative.
    seconds: i64,
    nanoseconds: u32,
}

impl Stamp {
    /// The stamp of the file at `path`, as it is now.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no such file.
    pub fn of(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::new(&metadata)).map_err(Error::io(path))
    }

    fn new(metadata: &Metadata) -> Self {
        // A system that does not keep the time has one time for all files.
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let (seconds, nanoseconds) = match modified.duration_since(UNIX_EPOCH) {
            Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                (i64::try_from(before.as_secs()).map_or(i64::MIN, i64::wrapping_neg), before.subsec_nanos())
            }
        };
        Self { size: metadata.len(), seconds, nanoseconds }
    }

    /// Checks that the file at `path` has this stamp.
    ///
    /// # Errors
    /// [`Error::Changed`] if it has another, or is gone; [`Error::Io`] if that cannot be told.
    pub fn check(self, path: &Path) -> Result<()> {
        match std::fs::metadata(path) {
            Ok(metadata) => self.check_as(&metadata, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::Changed { path: path.to_owned(), change: "it was removed".into() })
            }
            Err(error) => Err(Error::io(path)(error)),
        }
    }

    /// Checks that the file at `path` has this stamp, as what is known of it says.
    ///
    /// # Errors
    /// [`Error::Changed`] if it has another.
    pub fn check_as(self, metadata: &Metadata, path: &Path) -> Result<()> {
        let change = match Self::new(metadata) {
            now if now == self => return Ok(()),
            now if now.size != self.size => format!("its size went from {} to {} bytes", self.size, now.size),
            _ => "it was written again".into(),
        };
        Err(Error::Changed { path: path.to_owned(), change })
    }

    /// A hash that is the same in every process: FNV-1a of 64 bits (Fowler, Noll & Vo).
    pub fn hash(self) -> u64 {
        let Self { size, seconds, nanoseconds } = self;
        let bytes = [size.to_le_bytes(), seconds.to_le_bytes(), u64::from(nanoseconds).to_le_bytes()];
        bytes.as_flattened().iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn another_size_or_time_is_another_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        let time = UNIX_EPOCH + Duration::new(1_700_000_000, 500);
        let touch = |time| File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        touch(time);
        let stamp = Stamp::of(&path).unwrap();
        assert_eq!(stamp, Stamp { size: 3, seconds: 1_700_000_000, nanoseconds: 500 });
        stamp.check(&path).unwrap();
        let change = |expected: &str| {
            let error = stamp.check(&path).unwrap_err();
            assert!(matches!(error, Error::Changed { .. }));
            let text = "since its header was read: run again once files no longer change";
            assert_eq!(error.reason(&path), format!("{expected} {text}"));
            Stamp::of(&path).map_or(0, Stamp::hash)
        };
        touch(time + Duration::from_nanos(1));
        let later = change("it was written again");
        std::fs::write(&path, "abcd").unwrap();
        touch(time);
        let longer = change("its size went from 3 to 4 bytes");
        assert!(![later, longer, 0].contains(&stamp.hash()) && later != longer);
        std::fs::remove_file(&path).unwrap();
        change("it was removed");
    }

    #[test]
    fn the_hash_is_that_of_its_definition() {
        // FNV-1a of 24 zero bytes multiplies the basis by the prime 24 times.
        let expected = (0..24).fold(0xcbf2_9ce4_8422_2325_u64, |hash, _| hash.wrapping_mul(0x100_0000_01b3));
        assert_eq!(Stamp::default().hash(), expected);
        assert_eq!(Stamp { size: 1, seconds: -2, nanoseconds: 3 }.hash(), 0xadf8_1e59_2c2c_f47e);
    }
}
