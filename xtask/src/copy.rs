//! A copy of the workspace's sources, to be changed without touching them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use walkdir::WalkDir;

/// Makes `copy` hold the files of `root` that git tracks or would add, and no others. A file that is
/// right already is not written, so that Cargo need not build it again.
pub fn update(root: &Path, copy: &Path) -> anyhow::Result<()> {
    let mut wanted = BTreeSet::new();
    for file in files(root)? {
        let source = root.join(&file);
        let content = match fs::read(&source) {
            // Git still knows a file that was deleted.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            content => content.with_context(|| format!("cannot read {}", source.display()))?,
        };
        let target = copy.join(&file);
        if fs::read(&target).ok().as_ref() != Some(&content) {
            write(&target, &content)?;
        }
        wanted.insert(target);
    }
    for entry in WalkDir::new(copy) {
        let entry = entry.with_context(|| format!("cannot list {}", copy.display()))?;
        if !entry.file_type().is_dir() && !wanted.contains(entry.path()) {
            let context = || format!("cannot remove {}", entry.path().display());
            fs::remove_file(entry.path()).with_context(context)?;
        }
    }
    Ok(())
}

/// Writes a file, in a folder that may not exist yet.
fn write(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(file, content))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// The files in `root` that git tracks or would add.
fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start git, which lists the files to copy")?;
    ensure!(output.status.success(), "git does not list the files of {}", root.display());
    let names = output.stdout.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_what_git_would_add() {
        let directory = tempfile::tempdir().unwrap();
        let (root, copy) = (directory.path().join("root"), directory.path().join("copy"));
        fs::create_dir(&root).unwrap();
        assert!(Command::new("git").args(["init", "-q"]).current_dir(&root).status().unwrap().success());
        for (name, text) in [(".gitignore", "target/\n"), ("a/b c.rs", "1"), ("d.rs", "2"), ("target/e", "3")]
        {
            write(&root.join(name), text.as_bytes()).unwrap();
        }
        let listed = || {
            let files = WalkDir::new(&copy).sort_by_file_name().into_iter().map(Result::unwrap);
            let names = files.filter(|entry| entry.file_type().is_file());
            names.map(|entry| entry.path().strip_prefix(&copy).unwrap().to_owned()).collect::<Vec<_>>()
        };
        update(&root, &copy).unwrap();
        assert_eq!(listed(), [".gitignore", "a/b c.rs", "d.rs"].map(PathBuf::from));

        let written = |name: &str| fs::metadata(copy.join(name)).unwrap().modified().unwrap();
        let before = written(".gitignore");
        fs::remove_file(root.join("d.rs")).unwrap();
        fs::write(copy.join("a/b c.rs"), "broken").unwrap();
        update(&root, &copy).unwrap();
        assert_eq!(listed(), [".gitignore", "a/b c.rs"].map(PathBuf::from));
        assert_eq!(fs::read_to_string(copy.join("a/b c.rs")).unwrap(), "1");
        assert_eq!(written(".gitignore"), before);
    }
}
