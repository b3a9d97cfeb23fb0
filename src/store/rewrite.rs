//! Replacing named files: new ones are written beside them, named in one transaction, and the old ones deleted at once.
//!
//! Named files never change, so what must go out of a store goes by new files without it. A reader that has an old file mapped keeps
//! it until it closes; one that opened the commit before and maps a file later finds it gone. Until the old
//! files, free pages of the catalog and its log are gone too, the catalog says so, and the next writer ends the work.
//!
//! Weakness: what the file system does with freed blocks is out of reach. Guarantee: a job that is killed leaves the commit before
//! or the commit after, and nothing of the commit before outlives the next writer.

use super::{Named, Writer, files};
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::PathBuf;

/// Set in the catalog from a commit that replaced files until nothing of the old ones is left: `forget` or `compact`.
pub(super) const UNFINISHED: &str = "unfinished";
/// How many commits replaced files; part of the names of the new ones, so that no name is used twice.
const ROUND: &str = "rewrites";
/// What an audit writes for people, which may lie in the store's directory and repeats the text of logs.
const OUTPUTS: [&str; 5] = ["quarantine.jsonl", "report.html", "report.json", "report.md", "families.csv"];

/// Files that will replace named ones. What is dropped before its commit leaves none.
pub struct Rewrite {
    root: PathBuf,
    round: u32,
    /// Name, kind and night of each new file.
    files: Vec<(String, String, u32)>,
    dropped: Vec<String>,
}

impl Rewrite {
    /// A file in place of `old`, to be written in a stream.
    /// # Errors
    /// `Io` when it cannot be made.
    pub fn replace(&mut self, old: &Named) -> Result<BufWriter<File>> {
        let (stem, ending) = match old.name.rsplit_once('.') {
            Some((stem, ending)) => (stem, format!(".{ending}")),
            None => (old.name.as_str(), String::new()),
        };
        let stem = match stem.rsplit_once("-r") {
            Some((before, round)) if round.bytes().all(|b| b.is_ascii_digit()) => before,
            _ => stem,
        };
        let name = format!("{stem}-r{}{ending}", self.round);
        let path = self.root.join(&name);
        self.files.push((name, old.kind.clone(), old.night));
        self.dropped.push(old.name.clone());
        files::create_output(&path)
    }

    /// Takes `old` out of the store with what replaces another file.
    pub fn drop_file(&mut self, old: &Named) {
        self.dropped.push(old.name.clone());
    }

    /// How many files it writes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it writes none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Drop for Rewrite {
    fn drop(&mut self) {
        self.files.iter().for_each(|(name, ..)| files::remove(&self.root.join(name)));
    }
}

/// What replaces files, and so what is left to do behind its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Text went out of the store: what an audit wrote for people into its directory goes as well.
    Forget,
    /// The same content in fewer files.
    Compact,
}

impl Purpose {
    fn word(self) -> &'static str {
        ["forget", "compact"][self as usize]
    }
}

impl Writer {
    /// Begins to replace files.
    /// # Errors
    /// `Store` when the catalog cannot be read.
    pub fn rewrite(&self) -> Result<Rewrite> {
        let round = self.store.catalog.meta(ROUND)?.and_then(|round| round.parse::<u32>().ok()).unwrap_or(0) + 1;
        Ok(Rewrite { root: self.store.dir.clone(), round, files: Vec::new(), dropped: Vec::new() })
    }

    /// Names the new files, drops the names of the old ones, and does all of `change`, in one transaction. [`Writer::finish`]
    /// then takes the old ones away.
    /// # Errors
    /// `Io` or `Store` when something could not be made durable; then the store is as it was.
    pub fn commit_rewrite(
        &mut self,
        mut rewrite: Rewrite,
        purpose: Purpose,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let mut named = Vec::new();
        for (name, kind, night) in &rewrite.files {
            let path = rewrite.root.join(name);
            #[allow(clippy::disallowed_methods)]
            File::open(&path).and_then(|file| file.sync_all()).map_err(|cause| Error::io("sync", &path, &cause))?;
            let (digest, bytes) = files::digest_file(&path)?;
            named.push((name.clone(), kind.clone(), *night, bytes as i64, digest.to_string()));
        }
        self.sync_dirs()?;
        // From here on a commit may exist, whatever becomes of this writer.
        rewrite.files.clear();
        self.store.catalog.commit(|transaction| {
            for name in &rewrite.dropped {
                transaction.execute("DELETE FROM files WHERE name = ?1", [name])?;
            }
            for row in named {
                transaction.execute("INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5)", row)?;
            }
            let set = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
            transaction.execute(set, (ROUND, rewrite.round.to_string()))?;
            transaction.execute(set, (UNFINISHED, purpose.word()))?;
            change(transaction)
        })?;
        self.store.refresh()
    }

    fn sync_dirs(&self) -> Result<()> {
        let root = &self.store.dir;
        for dir in super::list(&root.join("nights")).iter().chain([&root.join("nights"), &root.join("shared"), root]) {
            files::sync_dir(dir)?;
        }
        Ok(())
    }

    /// Ends what a commit that replaced files began, where there was one: deletes files that no commit names, and writes the
    /// catalog again without its free pages and its log. Returns what was removed beside named files, and whether all of it is
    /// done; a reader that is still at the older commit keeps the catalog's log, and then the next writer ends it.
    /// # Errors
    /// `Io` or `Store` when something cannot be removed.
    pub fn finish(&mut self) -> Result<(Vec<String>, bool)> {
        let Some(word) = self.store.catalog.meta(UNFINISHED)? else { return Ok((Vec::new(), true)) };
        self.sweep()?;
        let mut removed = Vec::new();
        if word == Purpose::Forget.word() {
            for name in OUTPUTS {
                let path = self.store.dir.join(name);
                match fs::remove_file(&path) {
                    Ok(()) => removed.push(name.to_owned()),
                    Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
                    Err(cause) => return Err(Error::io("remove", &path, &cause)),
                }
            }
        }
        // A deletion that a failing disk undoes must find the mark still there.
        self.sync_dirs()?;
        if !self.store.catalog.shrink()? {
            return Ok((removed, false));
        }
        self.store
            .catalog
            .commit(|change| change.execute("DELETE FROM meta WHERE name = ?1", [UNFINISHED]).map(|_| ()))?;
        self.store.catalog.empty_log()?;
        Ok((removed, true))
    }
}
