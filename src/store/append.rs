//! A file that is only ever added to, line by line, by one program at a time.
//!
//! The idea: a line is written with its line feed in one call and synced before the caller hears of it, so what was acknowledged is on
//! the disk. A last line without its line feed is what a killed program left: nobody was told that it is there, and it is cut off when
//! the file is opened again. Weakness: whoever may write the file may cut lines off its end; that shows only against a head that is kept
//! elsewhere. Guarantee: no line that was acknowledged is lost by a killed program.
#![allow(clippy::disallowed_methods)]

use crate::error::{Error, ErrorKind, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Longest file of lines that is read.
const LONGEST: u64 = 4 << 30;

/// Such a file, held by this program.
pub struct Appended {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines; a failed write leaves more, which are cut off before the next.
    length: u64,
}

impl Appended {
    /// Opens the file at `path` to add to it, making it where there is none (mode 0600), and returns its whole lines.
    /// # Errors
    /// `Io` when it cannot be opened or read; `Config` when another program holds it, or others may read it.
    pub fn open(path: &Path) -> Result<(Self, String)> {
        let failed = |cause: std::io::Error| Error::io("open", path, &cause);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let is_new = !path.exists();
        let mut file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("expected to add to {}, but another program holds it", path.display());
                return Err(
                    Error::new(ErrorKind::Config, message).hint("stop the other one, or give each a file of its own")
                );
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let text = whole_lines(&mut file, path)?.0;
        let length = text.len() as u64;
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
        if is_new {
            super::files::sync_dir(
                path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            )?;
        }
        Ok((Self { file, path: path.into(), length }, text))
    }

    /// Adds lines, none of which holds a line feed; when this returns they are on the disk.
    /// # Errors
    /// `Io` when they cannot be written or synced; then none of them counts as written.
    pub fn add(&mut self, lines: &[String]) -> Result<()> {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += text.len() as u64;
                Ok(())
            }
            Err(cause) => {
                let _ = self.file.set_len(self.length);
                Err(Error::io("add to", &self.path, &cause))
            }
        }
    }
}

/// The whole lines of such a file, and whether an unfinished one stands behind them.
/// # Errors
/// `Io` when it cannot be read; `Input` when it is longer than four GiB or not UTF-8.
pub fn read_lines(path: &Path) -> Result<(String, bool)> {
    let mut file = File::open(path).map_err(|cause| Error::io("read", path, &cause))?;
    whole_lines(&mut file, path)
}

fn whole_lines(file: &mut File, path: &Path) -> Result<(String, bool)> {
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|cause| Error::io("read", path, &cause))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Error::new(ErrorKind::Input, format!("expected at most {LONGEST} bytes in {}", path.display())));
    }
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let unfinished = whole < bytes.len();
    bytes.truncate(whole);
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Error::new(ErrorKind::Input, format!("expected UTF-8 in {}", path.display())))?;
    Ok((text, unfinished))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_is_cut_off_and_whole_ones_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        let (mut file, before) = Appended::open(&path).expect("made");
        assert_eq!(before, "");
        file.add(&["one".into(), "two".into()]).expect("added");
        assert!(Appended::open(&path).is_err(), "one program at a time");
        drop(file);
        OpenOptions::new().append(true).open(&path).and_then(|mut f| f.write_all(b"unfini")).expect("written");
        assert_eq!(read_lines(&path).expect("read"), ("one\ntwo\n".into(), true));
        let (mut file, before) = Appended::open(&path).expect("opened");
        assert_eq!(before, "one\ntwo\n");
        file.add(&["three".into()]).expect("added");
        assert_eq!(read_lines(&path).expect("read"), ("one\ntwo\nthree\n".into(), false));
    }
}
