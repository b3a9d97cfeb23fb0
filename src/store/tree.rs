//! Directories that are read or written as one: the files of a bundle, and inputs that are laid out for a replay.
//!
//! A directory may come from a stranger, so links and anything that is no ordinary file are refused, and names, number and bytes are bounded before
//! anything is read. Weakness: a file that is written while it is read may be read in part; its digest then tells. Guarantee: what is written appears
//! under its name whole or not at all.
#![allow(clippy::disallowed_methods)]

use super::files::{private_dir, sync_dir, write_private};
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// Deepest directory below the first.
const DEEPEST: usize = 4;

/// Reads all files below a directory, by name with parts joined by `/`.
/// # Errors
/// `Io` when something cannot be read; `Input` at a link, a special file, a name that is not UTF-8, or beyond `most` files or `bytes`.
pub fn read_tree(dir: &Path, most: usize, bytes: u64) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut out = BTreeMap::new();
    let mut left = bytes;
    walk(dir, "", 0, &mut |name, path| {
        if out.len() == most {
            return Err(wrong(format!("expected at most {most} files in {}, got more", dir.display())));
        }
        let mut content = Vec::new();
        let file = fs::File::open(path).map_err(|cause| Error::io("read", path, &cause))?;
        file.take(left + 1).read_to_end(&mut content).map_err(|cause| Error::io("read", path, &cause))?;
        let over = || wrong(format!("expected at most {bytes} bytes in {}, got more", dir.display()));
        left = left.checked_sub(content.len() as u64).ok_or_else(over)?;
        out.insert(name.to_owned(), content);
        Ok(())
    })?;
    Ok(out)
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Input, message)
}

fn walk(dir: &Path, prefix: &str, depth: usize, each: &mut dyn FnMut(&str, &Path) -> Result<()>) -> Result<()> {
    if depth > DEEPEST {
        return Err(wrong(format!("expected at most {DEEPEST} levels of directories, got more at {}", dir.display())));
    }
    for entry in fs::read_dir(dir).map_err(|cause| Error::io("read", dir, &cause))? {
        let entry = entry.map_err(|cause| Error::io("read", dir, &cause))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|cause| Error::io("read", &path, &cause))?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| wrong(format!("expected a name in UTF-8, got {}", path.display())))?;
        let name = format!("{prefix}{name}");
        if kind.is_dir() {
            walk(&path, &format!("{name}/"), depth + 1, each)?;
        } else if kind.is_file() {
            each(&name, &path)?;
        } else {
            return Err(wrong(format!(
                "expected an ordinary file, got a link or another kind of file at {}",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Writes files into a new directory: under another name first, then renamed.
/// # Errors
/// `Config` when something of that name is there; `Io` when it cannot be written.
pub fn write_tree(dir: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    absent(dir)?;
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = dir.with_file_name(name);
    absent(&beside)?;
    let write = || -> Result<()> {
        private_dir(&beside)?;
        for (name, bytes) in files {
            let path = beside.join(name);
            private_dir(path.parent().unwrap_or(&beside))?;
            write_private(&path, bytes)?;
        }
        fs::rename(&beside, dir).map_err(|cause| Error::io("write", dir, &cause))?;
        sync_dir(dir.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    };
    write().inspect_err(|_| drop(fs::remove_dir_all(&beside)))
}

/// Refuses a path where something is.
/// # Errors
/// `Config` when something is there.
pub fn absent(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::Config, format!("expected nothing at {}, found something", path.display()))
            .hint("nothing is overwritten: move it away, or give another name")),
    }
}

/// Makes a file known under another path.
/// # Errors
/// `Io` when that cannot be done.
pub fn link(file: &Path, to: &Path) -> Result<()> {
    private_dir(to.parent().unwrap_or(Path::new(".")))?;
    let whole = fs::canonicalize(file).map_err(|cause| Error::io("read", file, &cause))?;
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(&whole, to);
    #[cfg(not(unix))]
    let linked = fs::copy(&whole, to).map(|_| ());
    linked.map_err(|cause| Error::io("make", to, &cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_as_it_was_written_and_links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("bundle");
        let files: BTreeMap<String, Vec<u8>> =
            [("a", vec![1]), ("results/1.json", vec![2, 3])].map(|(n, b)| (n.to_owned(), b)).into();
        write_tree(&at, &files).unwrap();
        assert_eq!(read_tree(&at, 2, 3).unwrap(), files);
        assert!(write_tree(&at, &files).is_err(), "nothing is overwritten");
        assert!(read_tree(&at, 1, 3).is_err(), "too many files");
        assert!(read_tree(&at, 2, 2).is_err(), "too many bytes");
        link(&at.join("a"), &at.join("b")).unwrap();
        assert!(read_tree(&at, 9, 9).is_err(), "a link");
    }
}
