//! What is to be told to others and has not arrived yet: a file beside the store, `STORE.outbox`, which outlives outages and restarts.
//!
//! The idea: a letter is written here before anybody tries to send it, and it is taken out once it has arrived; its name stays for a while, so
//! that a letter that is given again is not sent again. Weakness: one that arrived as the machine went down is sent once more, under the same
//! name, by which a receiver knows it; a letter that no channel takes waits for ever. Guarantee: nothing is lost that was queued, letters of a
//! channel leave in the order in which they came, and one process at a time sends.

use super::files::{create_private, read_bounded, write_private};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Largest file, and how many names of letters that arrived are kept.
const MOST_BYTES: u64 = 256 << 20;
const MOST_SENT: usize = 10_000;

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// Its name, the same however often it is given.
    pub id: String,
    /// By which channel.
    pub to: String,
    /// What is told.
    pub body: String,
}

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    schema: u32,
    waiting: Vec<Letter>,
    sent: Vec<(String, String)>,
}

/// The outbox of a store, held by this process.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    kept: Kept,
    _lock: File,
}

impl Outbox {
    /// Where the outbox of a store lies.
    #[must_use]
    pub fn path(store: &Path) -> PathBuf {
        let mut name = store.components().as_path().as_os_str().to_owned();
        name.push(".outbox");
        name.into()
    }

    /// Opens the outbox of the store at `store`, and waits for another process that holds it.
    /// # Errors
    /// `Io` when it cannot be read or locked; `Input` when it is something else.
    pub fn open(store: &Path) -> Result<Self> {
        let path = Self::path(store);
        let mut lock_name = path.clone().into_os_string();
        lock_name.push(".lock");
        let lock = create_private(Path::new(&lock_name)).map_err(|cause| Error::io("open", &lock_name, &cause))?;
        lock.lock().map_err(|cause| Error::io("lock", &lock_name, &cause))?;
        let mut kept = Kept { schema: 1, waiting: Vec::new(), sent: Vec::new() };
        if path.exists() {
            let bytes = read_bounded(&path, MOST_BYTES)?;
            let wrong = |what: String| {
                Error::new(
                    ErrorKind::Input,
                    format!("expected an outbox of schema 1 at {}, got {what}", path.display()),
                )
                .hint("alerts that had not arrived were in it; move it away, and they are to be looked up in the store")
            };
            kept = serde_json::from_slice(&bytes).map_err(|cause| wrong(cause.to_string()))?;
            if kept.schema != 1 {
                return Err(wrong(format!("schema {}", kept.schema)));
            }
        }
        Ok(Self { path, kept, _lock: lock })
    }

    /// Queues letters, each at most once: one that waits, or that has arrived, is not queued again.
    /// # Errors
    /// `Io` when the file cannot be written; then nothing is queued.
    pub fn add(&mut self, letters: &[Letter]) -> Result<()> {
        let before = self.kept.waiting.len();
        for letter in letters {
            let is_same = |other: &Letter| (&other.to, &other.id) == (&letter.to, &letter.id);
            let arrived = self.kept.sent.iter().any(|(to, id)| (to, id) == (&letter.to, &letter.id));
            if !arrived && !self.kept.waiting.iter().any(is_same) {
                self.kept.waiting.push(letter.clone());
            }
        }
        if self.kept.waiting.len() == before {
            return Ok(());
        }
        self.write().inspect_err(|_| self.kept.waiting.truncate(before))
    }

    /// Letters that wait for a channel, oldest first.
    #[must_use]
    pub fn waiting(&self, to: &str) -> Vec<Letter> {
        self.kept.waiting.iter().filter(|letter| letter.to == to).cloned().collect()
    }

    /// All letters that wait, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Letter] {
        &self.kept.waiting
    }

    /// A letter has arrived.
    /// # Errors
    /// `Io` when the file cannot be written; then the letter would be sent again.
    pub fn arrived(&mut self, letter: &Letter) -> Result<()> {
        self.kept.waiting.retain(|other| (&other.to, &other.id) != (&letter.to, &letter.id));
        self.kept.sent.push((letter.to.clone(), letter.id.clone()));
        let over = self.kept.sent.len().saturating_sub(MOST_SENT);
        self.kept.sent.drain(..over);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let bytes = serde_json::to_vec(&self.kept)
            .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write {}: {cause}", self.path.display())))?;
        write_private(&self.path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: &str, to: &str) -> Letter {
        Letter { id: id.into(), to: to.into(), body: format!("{{\"of\":\"{id}\"}}\n") }
    }

    #[test]
    fn letters_wait_in_order_and_none_is_queued_twice() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = dir.path().join("store/");
        {
            let mut outbox = Outbox::open(&store).expect("opened");
            outbox.add(&[letter("b", "x"), letter("a", "x"), letter("b", "y")]).expect("queued");
            outbox.add(&[letter("a", "x")]).expect("queued");
        }
        let mut outbox = Outbox::open(&store).expect("opened again");
        assert_eq!(outbox.waiting("x"), [letter("b", "x"), letter("a", "x")]);
        outbox.arrived(&letter("b", "x")).expect("written");
        outbox.add(&[letter("b", "x")]).expect("it arrived already");
        drop(outbox);
        let outbox = Outbox::open(&store).expect("opened again");
        assert_eq!((outbox.waiting("x"), outbox.waiting("y")), (vec![letter("a", "x")], vec![letter("b", "y")]));
        assert!(dir.path().join("store.outbox").is_file(), "beside the store, not in it");
    }

    #[test]
    fn another_file_is_named_and_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = dir.path().join("store");
        for text in ["", "{}", "{\"schema\":2,\"waiting\":[],\"sent\":[]}", "\u{1b}"] {
            write_private(&Outbox::path(&store), text.as_bytes()).expect("written");
            let error = Outbox::open(&store).expect_err(text);
            assert!(error.to_string().contains("store.outbox"), "{error}");
            assert_eq!(read_bounded(&Outbox::path(&store), 100).expect("it is there"), text.as_bytes());
        }
    }
}
