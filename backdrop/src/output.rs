//! Files that appear whole or not at all.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file that is written beside its final place under a temporary name, and gets its
/// own name once it is complete and on the disk. Dropped before that, it leaves nothing.
///
/// ```
/// use std::io::Write;
/// use backdrop::output::WholeFile;
///
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("numbers.txt");
/// let mut file = WholeFile::create(&path, false)?;
/// writeln!(file, "1 2 3")?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "1 2 3\n");
///
/// let again = WholeFile::create(&path, false).unwrap_err();
/// assert!(again.to_string().contains("exists already"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WholeFile {
    file: NamedTempFile,
    path: PathBuf,
    overwrite: bool,
}

impl WholeFile {
    /// Begins a file that is to be at `path`, in a directory that exists.
    ///
    /// # Errors
    /// [`Error::OutputExists`] if there is something at `path` and not `overwrite`;
    /// [`Error::Io`] if the directory cannot be written to.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(Error::OutputExists { path: path.to_owned() });
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".backdrop-").suffix(".part");
        // Temporary files are private otherwise; this one is to be as any new file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(dir_of(path)).map_err(Error::io(path))?;
        Ok(Self { file, path: path.to_owned(), overwrite })
    }

    /// The path that the file will be at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the file is on the disk, and gives it its name.
    ///
    /// # Errors
    /// [`Error::Io`] if either fails, [`Error::OutputExists`] if something has appeared at
    /// the path since [`create`](Self::create). Nothing is left then.
    pub fn finish(self) -> Result<()> {
        let Self { file, path, overwrite } = self;
        file.as_file().sync_all().map_err(Error::io(&path))?;
        let persisted = if overwrite { file.persist(&path) } else { file.persist_noclobber(&path) };
        match persisted {
            Ok(_) => sync_dir(&path),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::OutputExists { path })
            }
            Err(error) => Err(Error::Io { path, source: error.error }),
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // To the file itself: errors of a `NamedTempFile` name the temporary path.
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

impl Seek for WholeFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.as_file_mut().seek(position)
    }
}

/// The directory that a file is in.
pub(crate) fn dir_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    }
}

/// Waits until the name of a file is on the disk, too.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    // Only Unix can open a directory for this.
    if cfg!(unix) {
        std::fs::File::open(dir_of(path)).and_then(|dir| dir.sync_all()).map_err(Error::io(path))?;
    }
    Ok(())
}

/// Writes a whole file at once.
///
/// # Errors
/// As for [`WholeFile::create`] and [`WholeFile::finish`].
pub fn write_whole(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
    let mut file = WholeFile::create(path, overwrite)?;
    file.write_all(bytes).map_err(Error::io(path))?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = WholeFile::create(&dir.path().join("half"), false).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(file);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_appears_meanwhile_is_kept_unless_it_may_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contested");
        for (overwrite, kept) in [(false, "theirs"), (true, "ours")] {
            let _ = std::fs::remove_file(&path);
            let mut file = WholeFile::create(&path, overwrite).unwrap();
            file.write_all(b"ours").unwrap();
            std::fs::write(&path, "theirs").unwrap();
            let finished = file.finish();
            assert_eq!(matches!(finished, Err(Error::OutputExists { .. })), !overwrite);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), kept);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_have_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (plain, whole) = (dir.path().join("plain"), dir.path().join("whole"));
        std::fs::File::create(&plain).unwrap();
        write_whole(&whole, b"", false).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&whole), mode(&plain));
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = write_whole(Path::new("no/such/dir/file"), b"", false).unwrap_err();
        assert!(error.to_string().starts_with("no/such/dir/file: "), "{error}");
    }
}
