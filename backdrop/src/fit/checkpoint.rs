//! What is finished of a fit, on the disk, so that a fit that was stopped goes on where it was.
//!
//! A checkpoint is a file of records, each behind its length and a CRC-32 (both `u32`, little-endian):
//! a description of the run, the result of the first pass, then one record for each frame. It only
//! grows: a batch is written before the next one is fitted, and waits for the disk every ten seconds and at the end. What a crash left of a last record
//! is cut off. A checkpoint is of use to the same run only, that is, with the same inputs and options;
//! the number of ranks, of threads and of frames in a batch may change.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const MAGIC: &[u8] = b"backdrop checkpoint 1\n";

/// Bytes of the length and the check sum before a record.
const HEAD: u64 = 8;

/// Where the checkpoint of a fit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    path: PathBuf,
    restart: bool,
}

impl Checkpoint {
    /// The checkpoint beside the file that a model is to be saved in. With `restart` what is in it is
    /// not used.
    ///
    /// ```
    /// use std::path::Path;
    /// use backdrop::fit::Checkpoint;
    ///
    /// let checkpoint = Checkpoint::beside(Path::new("models/model.fits"), false);
    /// assert_eq!(checkpoint.path(), Path::new("models/model.fits.checkpoint"));
    /// ```
    #[must_use]
    pub fn beside(model: &Path, restart: bool) -> Self {
        let mut path = model.as_os_str().to_owned();
        path.push(".checkpoint");
        Self { path: path.into(), restart }
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is one that is to be used.
    #[must_use]
    pub fn exists(&self) -> bool {
        !self.restart && self.path.symlink_metadata().is_ok()
    }

    /// Removes it, as is due once the model has been saved.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(&self.path)(error)),
            _ => Ok(()),
        }
    }
}

/// What makes a run the same as another: names and values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Description(Vec<(String, String)>);

impl Description {
    pub(super) fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first thing in which another run differs, in words.
    fn difference(&self, now: &Self) -> Option<String> {
        let differ = self.0.iter().zip(&now.0).find(|(then, now)| then != now);
        match differ {
            Some(((name, then), (other, now))) if name == other => {
                Some(format!("{name} was {then} and is now {now}"))
            }
            Some(((name, _), _)) => Some(format!("{name} is no longer there")),
            None if self.0.len() < now.0.len() => Some(format!("{} is new", now.0[self.0.len()].0)),
            None if self.0.len() > now.0.len() => {
                Some(format!("{} is no longer there", self.0[now.0.len()].0))
            }
            None => None,
        }
    }
}

/// An open checkpoint. No other process can open it as long as this one has it.
pub(super) struct Log {
    file: BufReader<File>,
    path: PathBuf,
    /// Bytes that records are known to be good up to.
    good: u64,
    /// Whether a whole record has been found that is not what was written.
    damaged: bool,
    /// When what was written then had to be on the disk.
    synced: Instant,
}

/// The time after which what was written has to be on the disk.
const BETWEEN_SYNCS: Duration = Duration::from_secs(10);

impl Log {
    /// Opens the checkpoint of a run, or begins one.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is of another run, is no checkpoint, or is in use; [`Error::Io`].
    pub(super) fn open(checkpoint: &Checkpoint, run: &Description) -> Result<Self> {
        let path = &checkpoint.path;
        let refuse = |reason: String| Error::Checkpoint { path: path.clone(), reason };
        if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(refuse("not a file; a checkpoint is to be there".to_owned()));
        }
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = options.map_err(Error::io(path))?;
        // File systems without locks are used without.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(refuse("in use: another process fits the same model".to_owned()));
        }
        let file = BufReader::with_capacity(1 << 20, file);
        let mut log = Self { file, path: path.clone(), good: 0, damaged: false, synced: Instant::now() };
        let way_out = "use --restart to begin anew";
        if !checkpoint.restart && log.file_length()? > 0 {
            let mut magic = [0; MAGIC.len()];
            let whole = log.file.read_exact(&mut magic).is_ok() && magic == MAGIC;
            if !whole && !MAGIC.starts_with(&magic[..magic.len().min(log.file_length()? as usize)]) {
                return Err(refuse(format!("not a checkpoint; {way_out}")));
            }
            log.good = MAGIC.len() as u64;
            let found = if whole { log.next()? } else { None };
            match found.map(|bytes| postcard::from_bytes::<Description>(&bytes)) {
                Some(Ok(then)) => {
                    return match then.difference(run) {
                        Some(what) => Err(refuse(format!("of another run: {what}; {way_out}"))),
                        None => Ok(log),
                    };
                }
                None if !log.damaged => {}
                _ => return Err(refuse(format!("damaged; {way_out}"))),
            }
            // The description is on the disk before anything else is done: a run has been stopped before.
        }
        log.good = 0;
        log.cut()?;
        let description = postcard::to_stdvec(run);
        let description = description.map_err(|error| refuse(format!("cannot be written: {error}")))?;
        log.write(|file| file.write_all(MAGIC))?;
        log.good = MAGIC.len() as u64;
        log.append(&description)?;
        log.sync()?;
        crate::output::sync_dir(path)?;
        Ok(log)
    }

    /// The next record; `None` where the good ones end. Afterwards no more can be read, but written.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let left = self.file_length()?.saturating_sub(self.good);
        let Some(room) = left.checked_sub(HEAD) else { return Ok(None) };
        let mut head = [0; HEAD as usize];
        self.file.read_exact(&mut head).map_err(Error::io(&self.path))?;
        let [length, sum] =
            [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        if u64::from(length) > room {
            return Ok(None);
        }
        let mut record = Vec::new();
        record
            .try_reserve_exact(length as usize)
            .map_err(|_| array_api::Error::OutOfMemory { requested: length as usize, free: None })?;
        self.file.by_ref().take(length.into()).read_to_end(&mut record).map_err(Error::io(&self.path))?;
        if record.len() != length as usize || crc32fast::hash(&record) != sum {
            self.damaged = true;
            return Ok(None);
        }
        self.good += HEAD + u64::from(length);
        Ok(Some(record))
    }

    /// Takes back the record that was read last and gives `length` bytes; it and all behind it are
    /// not good.
    pub(super) fn refuse(&mut self, length: usize) {
        self.good -= HEAD + length as u64;
    }

    /// Drops what is behind the good records. How many bytes that are is told.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn cut(&mut self) -> Result<u64> {
        let dropped = self.file_length()? - self.good;
        let good = self.good;
        self.write(|file| {
            file.set_len(good)?;
            file.seek(SeekFrom::Start(good)).map(|_| ())
        })?;
        Ok(dropped)
    }

    /// Adds a record. It is not on the disk before [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`Error::Io`]; the good records are still there.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<()> {
        let length = u32::try_from(record.len()).map_err(|_| Error::Checkpoint {
            path: self.path.clone(),
            reason: format!("a record of {} bytes is too long", record.len()),
        })?;
        let head = [length.to_le_bytes(), crc32fast::hash(record).to_le_bytes()].concat();
        self.write(|file| {
            file.write_all(&head)?;
            file.write_all(record)
        })?;
        self.good += HEAD + u64::from(length);
        Ok(())
    }

    /// Waits until all records are on the disk, if the last time was some seconds ago: what a process
    /// has written is safe from its own end at once, and from that of the machine after this.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn sync_at_times(&mut self) -> Result<()> {
        if self.synced.elapsed() < BETWEEN_SYNCS { Ok(()) } else { self.sync() }
    }

    /// Waits until all records are on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn sync(&mut self) -> Result<()> {
        self.synced = Instant::now();
        self.write(|file| file.sync_data())
    }

    fn write(&mut self, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
        write(self.file.get_mut()).map_err(Error::io(&self.path))
    }

    fn file_length(&self) -> Result<u64> {
        Ok(self.file.get_ref().metadata().map_err(Error::io(&self.path))?.len())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Nobody is left to hear of an error. What did not get there is found missing by the next run.
        let _ = self.sync();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: &str) -> Description {
        let mut run = Description::default();
        run.push("preset", "standard");
        run.push("seed", seed);
        run
    }

    fn records(log: &mut Log) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| log.next().unwrap()).collect()
    }

    fn write(checkpoint: &Checkpoint, records: &[&[u8]]) {
        let mut log = Log::open(checkpoint, &run("1")).unwrap();
        self::records(&mut log);
        log.cut().unwrap();
        for record in records {
            log.append(record).unwrap();
        }
        log.sync().unwrap();
    }

    #[test]
    fn what_is_written_is_there_again_wherever_the_file_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::beside(&dir.path().join("model"), false);
        write(&checkpoint, &[b"first", b"", b"third"]);
        write(&checkpoint, &[b"fourth"]);
        let whole = std::fs::read(checkpoint.path()).unwrap();
        let all: [&[u8]; 4] = [b"first", b"", b"third", b"fourth"];
        // Where each record ends.
        let mut ends = vec![whole.len()];
        for record in all.iter().rev() {
            ends.insert(0, ends[0] - record.len() - HEAD as usize);
        }
        for length in (0..=whole.len()).rev() {
            std::fs::write(checkpoint.path(), &whole[..length]).unwrap();
            let mut log = Log::open(&checkpoint, &run("1")).unwrap();
            let good = ends[1..].iter().filter(|&&end| end <= length).count();
            assert_eq!(records(&mut log), all[..good], "{length}");
            let dropped = log.cut().unwrap();
            if length >= ends[0] {
                assert_eq!(dropped as usize, length - ends[good]);
            }
            drop(log);
            write(&checkpoint, &[b"more"]);
            let mut log = Log::open(&checkpoint, &run("1")).unwrap();
            assert_eq!(records(&mut log), [&all[..good], &[b"more"]].concat());
        }
    }

    #[test]
    fn any_flipped_bit_ends_the_good_records() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::beside(&dir.path().join("model"), false);
        write(&checkpoint, &[b"first", b"second"]);
        let whole = std::fs::read(checkpoint.path()).unwrap();
        let first = whole.len() - 2 * HEAD as usize - 11;
        for bit in first * 8..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(checkpoint.path(), &flipped).unwrap();
            let mut log = Log::open(&checkpoint, &run("1")).unwrap();
            let good = usize::from(bit / 8 >= first + HEAD as usize + 5);
            assert_eq!(records(&mut log).len(), good, "{bit}");
        }
    }

    #[test]
    fn other_runs_and_other_files_are_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::beside(&dir.path().join("model"), false);
        write(&checkpoint, &[b"first"]);
        let refused = |run: &Description| match Log::open(&checkpoint, run) {
            Err(Error::Checkpoint { reason, .. }) => reason,
            other => panic!("{:?}", other.map(|_| ())),
        };
        assert_eq!(
            refused(&run("2")),
            "of another run: seed was 1 and is now 2; use --restart to begin anew"
        );
        let mut longer = run("1");
        longer.push("frame 0", "a");
        assert_eq!(refused(&longer), "of another run: frame 0 is new; use --restart to begin anew");
        let log = Log::open(&checkpoint, &run("1")).unwrap();
        assert_eq!(refused(&run("1")), "in use: another process fits the same model");
        drop(log);
        let mut damaged = std::fs::read(checkpoint.path()).unwrap();
        damaged[MAGIC.len() + HEAD as usize] ^= 1;
        std::fs::write(checkpoint.path(), damaged).unwrap();
        assert_eq!(refused(&run("1")), "damaged; use --restart to begin anew");
        std::fs::write(checkpoint.path(), "something else that is longer than that").unwrap();
        assert_eq!(refused(&run("1")), "not a checkpoint; use --restart to begin anew");

        let again = Checkpoint { restart: true, ..checkpoint.clone() };
        assert!(checkpoint.exists() && !again.exists());
        assert!(records(&mut Log::open(&again, &run("2")).unwrap()).is_empty());
        checkpoint.remove().unwrap();
        checkpoint.remove().unwrap();
        assert!(!checkpoint.exists());
    }
}
