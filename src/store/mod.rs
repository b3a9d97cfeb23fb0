//! The one door to the disk: logs in, a store of immutable files named by one catalog, outputs written whole.
//!
//! A night is written to a directory of its own, synced, and named in one SQLite transaction; until then no reader sees any of
//! it, and what a killed writer left behind is swept by the next. One writer at a time holds an operating-system lock with
//! its name inside; readers need no lock. Files are never changed after they are named: merges write new ones.
//!
//! ```text
//! DIR/catalog.sqlite    what exists           DIR/lock             who is writing
//! DIR/nights/000001/    rows.parquet prompts.parquet turns.parquet systems.parquet assigned.parquet
//!                       texts.bin postings.bin, the same of systems and turns, fingerprints of all three,
//!                       members.bin holders.bin, families and fragments by number, who is in them
//! DIR/shared/           ids-000001.keys prompts-… turns-… systems-… whole-000001.index windows-…   (merged when many)
//! ```

pub mod append;
pub mod backup;
pub mod catalog;
#[cfg(feature = "cloud")]
pub mod cloud;
pub mod contexts;
pub mod custody;
mod digests;
pub mod facts;
pub mod families;
pub mod files;
pub mod input;
pub mod key;
pub mod keys;
pub mod members;
pub mod outbox;
pub mod postings;
pub mod prints;
pub mod rewrite;
pub mod sorted;
pub mod spill;
pub mod tables;
pub mod texts;
pub mod tiers;
pub mod tree;
pub mod uses;
pub mod verify;
pub mod watch;

pub use catalog::{Catalog, FORMAT};
pub use files::Mapped;

use crate::error::{Error, ErrorKind, Result};
use arrow_array::RecordBatch;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// One committed night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Night {
    /// Its number, from 1.
    pub night: u32,
    /// Exchanges it added.
    pub exchanges: u64,
    /// Earliest moment of them, microseconds.
    pub first_seen: i64,
    /// Latest moment of them.
    pub last_seen: i64,
    /// Number of its first new prompt; prompts are numbered through the whole store.
    pub first_prompt: u32,
    /// New distinct prompts.
    pub prompts: u32,
    /// Number of its first new system prompt.
    pub first_system: u32,
    /// New distinct system prompts.
    pub systems: u32,
    /// Number of its first new account.
    pub first_account: u32,
    /// New accounts.
    pub accounts: u32,
    /// Windows of very long prompts that were left out of the index.
    pub windows_cut: u64,
    /// Number of its first new earlier turn of a user.
    pub first_turn: u32,
    /// New earlier turns of users.
    pub turns: u32,
    /// Bytes of very long texts that were not fingerprinted.
    pub print_bytes_cut: u64,
    /// Fragments that were found and not kept, because there were too many.
    pub fragments_cut: u64,
}

/// A file that the catalog names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Path below the store.
    pub name: String,
    /// What it is: `rows`, `ids`, `whole` …
    pub kind: String,
    /// The night that wrote it.
    pub night: u32,
    /// Length.
    pub bytes: u64,
    /// BLAKE3, hex.
    pub blake3: String,
}

/// A store as of one commit.
pub struct Store {
    dir: PathBuf,
    catalog: Catalog,
    nights: Vec<Night>,
    files: Vec<Named>,
    footers: tables::Footers,
}

impl Store {
    /// Opens the store at `dir` to read it as of its last commit.
    /// # Errors
    /// `Store` when there is none, or it is damaged or of another format.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::load(dir, false)
    }

    fn load(dir: &Path, write: bool) -> Result<Self> {
        let mut store = Self::unread(dir, write)?;
        store.refresh()?;
        Ok(store)
    }

    /// Opened, but nothing read of it.
    fn unread(dir: &Path, write: bool) -> Result<Self> {
        let path = dir.join("catalog.sqlite");
        if let Err(cause) = fs::metadata(&path)
            && cause.kind() == std::io::ErrorKind::PermissionDenied
        {
            return Err(Error::io("open", &path, &cause));
        }
        if !path.is_file() {
            return Err(Error::new(ErrorKind::Store, format!("expected a store at {}, found none", dir.display()))
                .hint("stillhunt audit LOG --store DIR makes one"));
        }
        let catalog = Catalog::open(&path, write)?;
        if !write {
            catalog.snapshot()?;
        }
        Ok(Self {
            dir: dir.into(),
            catalog,
            nights: Vec::new(),
            files: Vec::new(),
            footers: tables::Footers::default(),
        })
    }

    fn refresh(&mut self) -> Result<()> {
        self.nights = self.catalog.all("SELECT * FROM nights ORDER BY night", [], |row| {
            Ok(Night {
                night: row.get(0)?,
                exchanges: row.get::<_, i64>(1)?.unsigned_abs(),
                first_seen: row.get(2)?,
                last_seen: row.get(3)?,
                first_prompt: row.get(4)?,
                prompts: row.get(5)?,
                first_system: row.get(6)?,
                systems: row.get(7)?,
                first_account: row.get(8)?,
                accounts: row.get(9)?,
                windows_cut: row.get::<_, i64>(10)?.unsigned_abs(),
                first_turn: row.get(11)?,
                turns: row.get(12)?,
                print_bytes_cut: row.get::<_, i64>(13)?.unsigned_abs(),
                fragments_cut: row.get::<_, i64>(14)?.unsigned_abs(),
            })
        })?;
        self.files = self.catalog.all("SELECT * FROM files ORDER BY night, name", [], |row| {
            Ok(Named {
                name: row.get(0)?,
                kind: row.get(1)?,
                night: row.get(2)?,
                bytes: row.get::<_, i64>(3)?.unsigned_abs(),
                blake3: row.get(4)?,
            })
        })?;
        let counts = |n: &Night| {
            [
                (n.first_prompt, n.prompts),
                (n.first_system, n.systems),
                (n.first_account, n.accounts),
                (n.first_turn, n.turns),
            ]
        };
        let mut next = [0u32; 4];
        for night in &self.nights {
            for (next, (first, new)) in next.iter_mut().zip(counts(night)) {
                let follows = (first == *next).then(|| first.checked_add(new)).flatten();
                *next = follows.ok_or_else(|| {
                    let message =
                        format!("catalog.sqlite, table nights: night {} does not follow the one before", night.night);
                    Error::new(ErrorKind::Store, message).hint("run: stillhunt store verify")
                })?;
            }
        }
        Ok(())
    }

    /// The catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Nights, oldest first.
    #[must_use]
    pub fn nights(&self) -> &[Night] {
        &self.nights
    }

    /// All named files.
    #[must_use]
    pub fn files(&self) -> &[Named] {
        &self.files
    }

    /// Files of one kind, oldest first.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Named> {
        self.files.iter().filter(move |file| file.kind == kind)
    }

    /// The files of a kind that every night has one of, in the order of the nights.
    /// # Errors
    /// `Store` when a night has none, or more than one.
    pub fn of_nights(&self, kind: &str) -> Result<Vec<&Named>> {
        let files: Vec<&Named> = self.files.iter().filter(|file| file.kind == kind).collect();
        if files.iter().map(|file| file.night).eq(self.nights.iter().map(|night| night.night)) {
            return Ok(files);
        }
        let message =
            format!("catalog.sqlite, table files: expected one file {kind} of each night, got {}", files.len());
        Err(Error::new(ErrorKind::Store, message).hint("run: stillhunt store verify"))
    }

    /// Where a named file lies.
    #[must_use]
    pub fn path(&self, file: &Named) -> PathBuf {
        self.dir.join(&file.name)
    }

    /// Single `rows` (ascending) of a named table, in its order.
    /// # Errors
    /// `Io` or `Store` when the table cannot be read.
    pub fn rows(
        &self,
        table: &Named,
        columns: &[&str],
        rows: &[u32],
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        self.footers.rows(&self.path(table), columns, rows)
    }

    /// Maps a named file and opens it; an error names the file.
    /// # Errors
    /// `Store` when it is missing, of another length, or not what `open` expects.
    pub fn read<T>(&self, file: &Named, open: impl FnOnce(Mapped) -> Result<T>) -> Result<T> {
        open(self.map(file)?).map_err(|error| error.at(&file.name))
    }

    /// Maps a named file; its length is checked, its content is `verify`'s work.
    /// # Errors
    /// `Store` when it is missing or of another length.
    pub fn map(&self, file: &Named) -> Result<Mapped> {
        let map = Mapped::open(&self.path(file))?;
        let got = map.as_ref().len() as u64;
        if got == file.bytes {
            return Ok(map);
        }
        Err(Error::new(ErrorKind::Store, format!("expected {} bytes in {}, got {got}", file.bytes, file.name))
            .hint("run: stillhunt store verify"))
    }
}

/// In the catalog: files that the commits of the last writer replaced by merged ones, which the next writer sweeps.
const REPLACED: &str = "replaced";

/// What a writer took away because no commit names it. Files that a merge of the commit before replaced are none of it: that
/// they go is the rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Nights without a commit, and files.
    pub names: Vec<String>,
    /// Files, those in such nights too.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Swept {
    /// In one line, where there is something to tell.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        const SHOWN: usize = 3;
        if self.names.is_empty() {
            return None;
        }
        let shown = self.names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match self.names.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("swept {} files ({} bytes) that no commit names: {shown}{more}", self.files, self.bytes))
    }

    fn add(&mut self, name: String, files: u64, bytes: u64) {
        self.names.push(name);
        self.files += files;
        self.bytes += bytes;
    }
}

/// The one writer of a store.
pub struct Writer {
    /// The store as of the last commit.
    pub store: Store,
    /// Whether an earlier writer had replaced files and was stopped before all of the old ones were gone.
    pub finished_earlier: bool,
    /// What this writer's commits replaced by merged files.
    replaced: Vec<String>,
    _lock: File,
}

impl Writer {
    /// Opens the store at `dir` to write, making it where there is none; `holder` names this writer to a second one, `meta`
    /// is recorded in a new store (and anew in one without nights). Returns what an earlier writer left unfinished.
    /// # Errors
    /// `Store` when another writer holds it.
    pub fn open(dir: &Path, holder: &str, meta: &[(&str, String)]) -> Result<(Self, Swept)> {
        files::private_dir(dir)?;
        let lock = lock(&dir.join("lock"), holder)?;
        let catalog = dir.join("catalog.sqlite");
        let mut all = vec![("format", FORMAT.to_string())];
        all.extend(meta.iter().map(|(name, value)| (*name, value.clone())));
        // A database without tables is what a writer left that was killed while it made the store. Anything else stays: it
        // may be a damaged store, a newer one, or none of ours.
        if !catalog.exists() || Catalog::is_blank(&catalog) {
            Catalog::create(&catalog, &all)?;
        }
        let mut store = Store::unread(dir, true)?;
        store.catalog.refuse_damage()?;
        // Before anything is swept: a commit in doubt that came back would name files that are gone.
        store.catalog.settle()?;
        store.refresh()?;
        if store.nights.is_empty() {
            store.catalog.commit(|change| {
                all.iter().try_for_each(|(name, value)| {
                    change.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", (name, value)).map(|_| ())
                })
            })?;
        }
        for below in ["nights", "shared"] {
            files::private_dir(&dir.join(below))?;
        }
        let unfinished = store.catalog.meta(rewrite::UNFINISHED)?.is_some();
        let mut writer = Self { store, finished_earlier: unfinished, replaced: Vec::new(), _lock: lock };
        let mut swept = writer.sweep()?;
        writer.finish()?.0.into_iter().for_each(|name| swept.add(name, 1, 0));
        Ok((writer, swept))
    }

    /// Removes what the catalog does not name.
    fn sweep(&self) -> Result<Swept> {
        let named: BTreeSet<&str> = self.store.files.iter().map(|file| file.name.as_str()).collect();
        let replaced = self.store.catalog.meta(REPLACED)?.unwrap_or_default();
        let replaced: BTreeSet<&str> = replaced.lines().collect();
        let mut swept = Swept::default();
        let relative = |path: &Path| path.strip_prefix(&self.store.dir).unwrap_or(path).display().to_string();
        for night in list(&self.store.dir.join("nights")) {
            let prefix = format!("{}/", relative(&night));
            if !named.iter().any(|name| name.starts_with(&prefix)) {
                let (files, bytes) = (list(&night).len() as u64, files::bytes_below(&night));
                fs::remove_dir_all(&night).map_err(|cause| Error::io("sweep", &night, &cause))?;
                swept.add(relative(&night), files, bytes);
            }
        }
        let dirs = list(&self.store.dir.join("nights")).into_iter().chain([self.store.dir.join("shared")]);
        for file in dirs.flat_map(|dir| list(&dir)) {
            let name = relative(&file);
            if named.contains(name.as_str()) {
                continue;
            }
            let bytes = fs::symlink_metadata(&file).map_or(0, |found| found.len());
            fs::remove_file(&file).map_err(|cause| Error::io("sweep", &file, &cause))?;
            if !replaced.contains(name.as_str()) {
                swept.add(name, 1, bytes);
            }
        }
        Ok(swept)
    }

    /// Begins the next night.
    /// # Errors
    /// `Io` when its directory cannot be made.
    pub fn begin(&self) -> Result<NewNight> {
        let night = self.store.nights.last().map_or(1, |last| last.night + 1);
        let dir = self.store.dir.join(format!("nights/{night:06}"));
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(|cause| Error::io("sweep", &dir, &cause))?;
        }
        files::private_dir(&dir)?;
        Ok(NewNight { root: self.store.dir.clone(), night, own_dir: true, files: Vec::new(), taken: BTreeSet::new() })
    }

    /// Goes on with the newest night, whose files are named already.
    /// # Errors
    /// `Store` when there is none.
    pub fn newest(&self) -> Result<NewNight> {
        let night = self.store.nights.last().map(|night| night.night);
        let night = night.ok_or_else(|| Error::new(ErrorKind::Store, "expected a night, found none"))?;
        let taken = self.store.files.iter().map(|file| file.name.clone()).collect();
        Ok(NewNight { root: self.store.dir.clone(), night, own_dir: false, files: Vec::new(), taken })
    }

    /// Names the night's files and all of `change` in one transaction, and drops the names of `merged` files.
    /// # Errors
    /// `Io` or `Store` when something could not be made durable; then nothing of the night exists. Where the catalog itself could not
    /// be written, the files stay for the next writer, who first decides whether there was a commit.
    pub fn commit(
        &mut self,
        mut night: NewNight,
        merged: &[String],
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let named = night.sync()?;
        self.replaced.extend_from_slice(merged);
        // From here on a commit may exist, whatever becomes of this writer.
        night.files.clear();
        night.own_dir = false;
        self.store.catalog.commit(|transaction| {
            for row in named {
                transaction.execute("INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5)", row)?;
            }
            for name in merged {
                transaction.execute("DELETE FROM files WHERE name = ?1", [name])?;
            }
            let replaced = (REPLACED, self.replaced.join("\n"));
            transaction.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", replaced)?;
            transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'format'", [FORMAT.to_string()])?;
            change(transaction)
        })?;
        // Merged files stay until the next writer sweeps them, so that a reader of the commit before can still map them.
        self.store.refresh()
    }

    /// What the next commit does, for the chain of custody: its row stands in the same transaction.
    pub fn witness(&mut self, act: Option<custody::Act>) {
        self.store.catalog.witness(act);
    }

    /// One transaction that adds no night.
    /// # Errors
    /// `Store` when the catalog cannot be written.
    pub fn record(&mut self, change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>) -> Result<()> {
        self.store.catalog.commit(change)
    }
}

/// What lies in a directory, in order of name; nothing where there is none.
fn list(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all
}

/// Takes the operating system's lock on `path` and writes the holder's name into it.
#[allow(clippy::disallowed_methods)]
fn lock(path: &Path, holder: &str) -> Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|cause| Error::io("open", path, &cause))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut name = String::new();
            let _ = std::io::Read::take(&mut file, 200).read_to_string(&mut name);
            return Err(Error::new(ErrorKind::Store, format!("the store is being written by {}", name.trim()))
                .hint("wait for it to end, or stop it; readers need not wait"));
        }
        Err(fs::TryLockError::Error(cause)) => return Err(Error::io("lock", path, &cause)),
    }
    file.set_len(0)
        .and_then(|()| file.write_all(holder.as_bytes()))
        .and_then(|()| file.sync_all())
        .map_err(|cause| Error::io("write", path, &cause))?;
    Ok(file)
}

/// A night that is being written. What is dropped before its commit leaves no files.
pub struct NewNight {
    root: PathBuf,
    /// Its number.
    pub night: u32,
    /// Whether its directory holds nothing that a commit has named.
    own_dir: bool,
    /// Name, kind, and the newest night that it tells of.
    files: Vec<(String, &'static str, u32)>,
    /// Names that the catalog has: none of them is written over.
    taken: BTreeSet<String>,
}

impl NewNight {
    /// Makes its files and their names durable; returns the rows by which the catalog names them.
    #[allow(clippy::type_complexity, reason = "one row of the catalog's table of files")]
    fn sync(&self) -> Result<Vec<(String, &'static str, u32, i64, String)>> {
        let mut named = Vec::new();
        for (name, kind, newest) in &self.files {
            let path = self.root.join(name);
            #[allow(clippy::disallowed_methods)]
            File::open(&path).and_then(|file| file.sync_all()).map_err(|cause| Error::io("sync", &path, &cause))?;
            let (digest, bytes) = files::digest_file(&path)?;
            named.push((name.clone(), *kind, *newest, bytes as i64, digest.to_string()));
        }
        for dir in [format!("nights/{:06}", self.night), "nights".into(), "shared".into()] {
            files::sync_dir(&self.root.join(dir))?;
        }
        files::sync_dir(&self.root)?;
        Ok(named)
    }

    fn add(&mut self, kind: &'static str, mut name: String, newest: u32) -> PathBuf {
        if self.taken.contains(&name) {
            let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
            let another = |n: &u32| format!("{stem}-{n}.{ending}");
            name = (2..).map(|n| another(&n)).find(|name| !self.taken.contains(name)).unwrap_or_default();
        }
        let path = self.root.join(&name);
        self.files.push((name, kind, newest));
        path
    }

    /// A file of the night's own directory, to be written in a stream.
    /// # Errors
    /// `Io` when it cannot be made.
    pub fn create(&mut self, kind: &'static str, name: &str) -> Result<BufWriter<File>> {
        let path = self.add(kind, format!("nights/{:06}/{name}", self.night), self.night);
        files::create_output(&path)
    }

    /// Counts a file that was written into the night's own directory as one of the night's.
    pub fn adopt(&mut self, kind: &'static str, name: &str) {
        self.add(kind, format!("nights/{:06}/{name}", self.night), self.night);
    }

    /// Where its files of one kind lie, in the order they were made.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Vec<PathBuf> {
        self.files.iter().filter(|(_, of, _)| *of == kind).map(|(name, ..)| self.root.join(name)).collect()
    }

    /// Where a file of the night's own directory lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(format!("nights/{:06}/{name}", self.night))
    }

    /// Where the file that was made last lies.
    #[must_use]
    pub fn last_path(&self) -> PathBuf {
        self.root.join(self.files.last().map_or("", |file| &file.0))
    }

    /// A file that later nights may merge, to be written in a stream.
    /// # Errors
    /// `Io` when it cannot be made.
    pub fn create_shared(&mut self, kind: &'static str) -> Result<BufWriter<File>> {
        self.create_merged(kind, self.night)
    }

    /// A file that takes the place of those of several nights, of which `newest` is the newest.
    /// # Errors
    /// `Io` when it cannot be made.
    pub fn create_merged(&mut self, kind: &'static str, newest: u32) -> Result<BufWriter<File>> {
        let ending = match kind {
            "whole" | "windows" => "index",
            "ids" | "prompts" | "systems" | "turns" => "keys",
            _ => "bin",
        };
        let path = self.add(kind, format!("shared/{kind}-{newest:06}.{ending}"), newest);
        files::create_output(&path)
    }
}

impl Drop for NewNight {
    fn drop(&mut self) {
        if self.own_dir {
            let _ = fs::remove_dir_all(self.path(""));
        }
        for (name, ..) in &self.files {
            let _ = fs::remove_file(self.root.join(name));
        }
    }
}

#[cfg(test)]
mod tests;
