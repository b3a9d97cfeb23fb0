//! A file that is only ever added to, line by line, by one program at a time.
//!
//! The idea: a line is written with its line feed in one call and synced before the caller hears of it, so what was acknowledged is on
//! the disk. A last line without its line feed is what a killed program left: nobody was told that it is there, and it is cut off when
//! the file is opened again. Weakness: whoever may write the file may cut lines off its end; that shows only against a head that is kept
//! elsewhere. Guarantee: no line that was acknowledged is lost by a killed program.
#![allow(clippy::disallowed_methods)]

use crate::error::{Error, ErrorKind, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Longest line that is read, in bytes.
const LONGEST: u64 = 16 << 20;
/// Bytes that are looked at together for the end of the last line.
const BLOCK: u64 = 1 << 16;

/// Such a file, held by this program.
pub struct Appended {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines; a failed write leaves more, which are cut off before the next.
    length: u64,
}

impl Appended {
    /// Opens the file at `path` to add to it, making it where there is none (mode 0600).
    /// # Errors
    /// `Io` when it cannot be opened or read; `Config` when another program holds it, or others may read it.
    pub fn open(path: &Path) -> Result<Self> {
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
        let length = whole_bytes(&mut file).map_err(failed)?;
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
        if is_new {
            super::files::sync_dir(
                path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            )?;
        }
        Ok(Self { file, path: path.into(), length })
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

/// Bytes up to the end of the last whole line.
fn whole_bytes(file: &mut File) -> std::io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        let mut block = vec![0; (end - begin) as usize];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut block)?;
        if let Some(at) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// The whole lines of such a file, one after another. Only one is in memory.
pub struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    at: u64,
    line: Vec<u8>,
    unfinished: bool,
}

impl Lines {
    /// The lines from byte `at` on, where one must begin.
    /// # Errors
    /// `Io` when the file cannot be opened.
    pub fn open(path: &Path, at: u64) -> Result<Self> {
        let failed = |cause: std::io::Error| Error::io("read", path, &cause);
        let mut file = File::open(path).map_err(failed)?;
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        Ok(Self { reader: BufReader::new(file), path: path.into(), at, line: Vec::new(), unfinished: false })
    }

    /// The next line without its line feed; none behind the last whole one.
    /// # Errors
    /// `Io` when it cannot be read; `Input` when it is longer than 16 MiB or not UTF-8.
    pub fn read(&mut self) -> Result<Option<&str>> {
        self.line.clear();
        let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.line);
        let read = read.map_err(|cause| Error::io("read", &self.path, &cause))? as u64;
        if self.line.pop_if(|last| *last == b'\n').is_none() {
            if read == LONGEST {
                let message = format!("expected lines of at most {LONGEST} bytes in {}", self.path.display());
                return Err(Error::new(ErrorKind::Input, message));
            }
            self.unfinished = read > 0;
            return Ok(None);
        }
        self.at += read;
        let line = std::str::from_utf8(&self.line);
        line.map(Some).map_err(|_| Error::new(ErrorKind::Input, format!("expected UTF-8 in {}", self.path.display())))
    }

    /// Leaves out the rest of the line.
    fn skip(&mut self) -> Result<()> {
        let skipped = self.reader.skip_until(b'\n').map_err(|cause| Error::io("read", &self.path, &cause))?;
        self.at += skipped as u64;
        Ok(())
    }

    /// Where the next line begins.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Whether an unfinished line stood behind the last one that was read.
    #[must_use]
    pub fn unfinished(&self) -> bool {
        self.unfinished
    }
}

/// Whether a line begins at byte `at`, or the file ends there behind a whole one.
/// # Errors
/// `Io` when it cannot be read.
pub fn line_begins(path: &Path, at: u64) -> Result<bool> {
    let begins = || -> std::io::Result<bool> {
        let mut file = File::open(path)?;
        let Some(before) = at.checked_sub(1) else { return Ok(true) };
        file.seek(SeekFrom::Start(before))?;
        let mut byte = [0];
        Ok(file.read(&mut byte)? == 1 && byte == *b"\n")
    };
    begins().map_err(|cause| Error::io("read", path, &cause))
}

/// Where the first line begins of which `before` does not hold, in a file whose first lines are those of which it does: found by halving.
/// # Errors
/// As [`Lines::read`].
pub fn first_not(path: &Path, before: impl Fn(&str) -> bool) -> Result<u64> {
    let mut low = 0;
    let mut high =
        File::open(path).and_then(|mut file| whole_bytes(&mut file)).map_err(|c| Error::io("read", path, &c))?;
    while low < high {
        let middle = low + (high - low) / 2;
        // The first line that begins at the middle or behind it.
        let mut lines = Lines::open(path, middle.saturating_sub(1).max(low))?;
        if middle > low {
            lines.skip()?;
        }
        let begin = lines.at();
        if begin >= high {
            high = middle;
        } else if lines.read()?.is_some_and(&before) {
            low = lines.at();
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(path: &Path) -> (Vec<String>, bool) {
        let mut lines = Lines::open(path, 0).expect("opened");
        let mut out = Vec::new();
        while let Some(line) = lines.read().expect("read") {
            out.push(line.to_owned());
        }
        (out, lines.unfinished())
    }

    #[test]
    fn an_unfinished_line_is_cut_off_and_whole_ones_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        let mut file = Appended::open(&path).expect("made");
        file.add(&["one".into(), "two".into()]).expect("added");
        assert!(Appended::open(&path).is_err(), "one program at a time");
        drop(file);
        // Longer than the block that is looked at together.
        let unfinished = "u".repeat(3 * BLOCK as usize);
        let add =
            |text: &str| OpenOptions::new().append(true).open(&path).and_then(|mut f| f.write_all(text.as_bytes()));
        add(&unfinished).expect("written");
        assert_eq!(all(&path), (vec!["one".into(), "two".into()], true));
        let mut file = Appended::open(&path).expect("opened");
        file.add(&["three".into()]).expect("added");
        assert_eq!(all(&path), (vec!["one".into(), "two".into(), "three".into()], false));
    }

    #[test]
    fn halving_finds_what_a_walk_finds() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        for n in [0_usize, 1, 2, 7, 60] {
            // Lines of many lengths, empty ones of the number alone too.
            let lines: Vec<String> = (0..n).map(|i| format!("{i} {}", "x".repeat(i * i % 97))).collect();
            let number = |line: &str| line.split(' ').next().and_then(|n| n.parse::<usize>().ok()).expect("a number");
            std::fs::write(&path, lines.iter().flat_map(|line| [line, "\n"]).collect::<String>() + "unfinished")
                .expect("written");
            for wanted in 0..=n + 1 {
                let at = first_not(&path, |line| number(line) < wanted).expect("read");
                let mut found = Lines::open(&path, at).expect("opened");
                let found = found.read().expect("read").map(number);
                assert_eq!(found, (wanted < n).then_some(wanted), "{wanted} of {n}");
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        std::fs::write(&path, vec![b'x'; LONGEST as usize + 1]).expect("written");
        assert_eq!(Lines::open(&path, 0).expect("opened").read().err().map(|e| e.kind()), Some(ErrorKind::Input));
    }
}
