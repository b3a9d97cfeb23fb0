//! Files and directories: private by default, written whole or not at all, mapped read-only.
#![allow(unsafe_code, clippy::disallowed_methods)]

use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// A file mapped into memory; clones share the map. An empty file is an empty slice.
#[derive(Clone)]
pub struct Mapped(Option<Arc<memmap2::Mmap>>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |map| map)
    }
}

impl Mapped {
    /// Maps the file at `path`.
    /// # Errors
    /// `Io` when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        File::open(path).and_then(|file| Self::of(&file)).map_err(|cause| Error::io("map", path, &cause))
    }

    /// Maps a file that nobody writes to any more.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self(None));
        }
        // SAFETY: files of a store are written once, fsynced and named, and never written again; a merge removes the name,
        // which leaves the mapped pages as they are; spilled files have no name. A foreign program that truncates one can kill
        // this process, as it could any reader of a map.
        Ok(Self(Some(Arc::new(unsafe { memmap2::Mmap::map(file)? }))))
    }
}

/// Checks what a file begins with: letters that say what it is, then digits, the number of its format.
/// # Errors
/// `Store` when it is something else, or of another format.
pub fn check_magic(bytes: &[u8], magic: &[u8; 8], what: &str) -> Result<()> {
    if bytes.starts_with(magic) {
        return Ok(());
    }
    let letters = magic.iter().take_while(|byte| !byte.is_ascii_digit()).count();
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
    let got = bytes.get(..8).filter(|begin| begin[..letters] == magic[..letters]).and_then(|b| number(&b[letters..]));
    let expected = number(&magic[letters..]).unwrap_or(0);
    Err(match got {
        Some(got) => other_format(what, expected, &format!("format {got}")),
        None => Error::new(ErrorKind::Store, format!("expected {what}, got {} other bytes", bytes.len())),
    })
}

/// A file of a store whose format this program does not read.
pub(crate) fn other_format(what: &str, expected: u32, got: &str) -> Error {
    Error::new(ErrorKind::Store, format!("expected {what} of format {expected}, got {got}"))
        .hint("open it with the version of stillhunt that wrote it, or audit the logs again into a new store")
}

/// Makes a directory and its missing parents; a directory that it makes is mode 0700.
/// # Errors
/// `Io` when it cannot be made.
pub fn private_dir(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made: Vec<&Path> = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()).collect();
    builder.create(path).map_err(|cause| Error::io("make the directory", path, &cause))?;
    // A new name lasts once the directory above it is on the disk; one that may be entered but not read is not ours to sync.
    made.iter().for_each(|dir| drop(sync_dir(above(dir))));
    Ok(())
}

/// The directory that holds the name of `path`.
fn above(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file, mode 0600; an older one of that name is replaced.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a private file whole: a temporary one beside it, synced, then renamed, and the name synced.
/// # Errors
/// `Io` when it cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, &mut |out| out.write_all(bytes).map_err(|cause| Error::io("write", path, &cause)))
}

/// The same for a file that `write` fills, so that one that is there is replaced only when the new one is whole.
/// # Errors
/// `Io` when it cannot be written, and what `write` fails with.
pub fn write_whole<T>(path: &Path, write: &mut dyn FnMut(&mut dyn Write) -> Result<T>) -> Result<T> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let failed = |cause: io::Error| Error::io("write", path, &cause);
    let place = |out: io::BufWriter<File>| -> io::Result<()> {
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(above(path))?.sync_all()
    };
    let mut whole = || {
        let mut out = io::BufWriter::with_capacity(1 << 18, create_private(&beside).map_err(failed)?);
        let done = write(&mut out)?;
        place(out).map_err(failed).map(|()| done)
    };
    whole().inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

/// Lets everybody read a file that was written private.
/// # Errors
/// `Io` when its mode cannot be changed.
pub fn let_all_read(path: &Path) -> Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .map_err(|cause| Error::io("change the mode of", path, &cause))?;
    Ok(())
}

/// Makes names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|cause| Error::io("sync", path, &cause))
}

/// BLAKE3 of a whole file, in bounded memory, and its length.
/// # Errors
/// `Io` when it cannot be read.
pub fn digest_file(path: &Path) -> Result<(crate::ids::Digest, u64)> {
    let mut hash = blake3::Hasher::new();
    let bytes = File::open(path)
        .and_then(|file| io::copy(&mut io::BufReader::with_capacity(1 << 20, file), &mut hash))
        .map_err(|cause| Error::io("read", path, &cause))?;
    Ok((crate::ids::Digest(*hash.finalize().as_bytes()), bytes))
}

/// A whole file that a configuration names: at most `limit` bytes.
/// # Errors
/// `Io` when it cannot be read; `Input` when it is longer.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|cause| Error::io("read", path, &cause))?;
    if bytes.len() as u64 > limit {
        let message = format!("expected at most {limit} bytes in {}, got more", path.display());
        return Err(Error::new(ErrorKind::Input, message));
    }
    Ok(bytes)
}

/// Length of a file.
/// # Errors
/// `Io` when it cannot be asked.
pub fn length(path: &Path) -> Result<u64> {
    fs::metadata(path).map(|found| found.len()).map_err(|cause| Error::io("read", path, &cause))
}

/// What tells one state of a file from another: a file that is replaced or written has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    length: u64,
    changed: (i64, i64),
    number: u64,
}

/// The state of the file at `path`.
/// # Errors
/// `Io` when it cannot be asked.
pub fn stamp(path: &Path) -> Result<Stamp> {
    let found = fs::metadata(path).map_err(|cause| Error::io("read", path, &cause))?;
    use std::os::unix::fs::MetadataExt as _;
    Ok(Stamp { length: found.len(), changed: (found.mtime(), found.mtime_nsec()), number: found.ino() })
}

/// Bytes that may still be written to the file system of `dir`.
/// # Errors
/// `Io` when it does not say.
pub fn disk_free(dir: &Path) -> Result<u64> {
    let told = rustix::fs::statvfs(dir).map_err(|cause| Error::io("ask for free space at", dir, &cause.into()))?;
    Ok(told.f_bavail.saturating_mul(told.f_frsize))
}

/// Bytes of all files below a directory.
#[must_use]
pub fn bytes_below(dir: &Path) -> u64 {
    let below = |path: &std::path::PathBuf| {
        if path.is_dir() { bytes_below(path) } else { fs::metadata(path).map_or(0, |found| found.len()) }
    };
    super::list(dir).iter().map(below).sum()
}

/// Takes a file away, if it is there.
pub fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// A new file for output, buffered; mode 0600.
/// # Errors
/// `Io` when it cannot be made.
pub fn create_output(path: &Path) -> Result<io::BufWriter<File>> {
    create_private(path)
        .map(|file| io::BufWriter::with_capacity(1 << 18, file))
        .map_err(|c| Error::io("write", path, &c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_the_file_and_outlives_its_name() {
        let dir = tempfile::tempdir().expect("a directory");
        // Around the ends of pages, where a read too far would show.
        for n in [0, 1, 4095, 4096, 4097, 1 << 20] {
            let path = dir.path().join("file");
            let bytes: Vec<u8> = (0..n).map(|i| (i % 251) as u8).collect();
            write_private(&path, &bytes).expect("written");
            let map = Mapped::open(&path).expect("mapped");
            let other = map.clone();
            drop(map);
            remove(&path);
            assert!(other.as_ref() == bytes, "{n} bytes");
        }
        assert!(Mapped::open(&dir.path().join("nothing")).is_err());
    }
}
