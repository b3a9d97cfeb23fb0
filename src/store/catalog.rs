//! The catalog: one SQLite database that names what the store holds. What it does not name does not exist.
//!
//! Investigators may read it with any SQLite. Weakness: WAL needs a local file system, so a network mount is refused.

use super::custody::{self, Act};
use super::digests;
use crate::error::{Error, ErrorKind, Result};
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Version of the store's format: it is raised whenever an older program would misread a newer store.
pub const FORMAT: u32 = 3;
/// Older format that is read too; the next commit makes it the newest.
const STILL_READ: u32 = 2;

const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE files (name TEXT PRIMARY KEY, kind TEXT NOT NULL, night INTEGER NOT NULL, bytes INTEGER NOT NULL, blake3 TEXT NOT NULL) STRICT;
CREATE TABLE inputs (input INTEGER PRIMARY KEY, digest TEXT UNIQUE, name TEXT NOT NULL, night INTEGER NOT NULL,
    rows_read INTEGER NOT NULL, rows_kept INTEGER NOT NULL, rows_known INTEGER NOT NULL, rows_quarantined INTEGER NOT NULL,
    quarantined_by_reason TEXT NOT NULL) STRICT;
CREATE TABLE nights (night INTEGER PRIMARY KEY, exchanges INTEGER NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
    first_prompt INTEGER NOT NULL, prompts INTEGER NOT NULL, first_system INTEGER NOT NULL, systems INTEGER NOT NULL,
    first_account INTEGER NOT NULL, accounts INTEGER NOT NULL, windows_cut INTEGER NOT NULL, first_turn INTEGER NOT NULL,
    turns INTEGER NOT NULL, print_bytes_cut INTEGER NOT NULL, fragments_cut INTEGER NOT NULL) STRICT;
CREATE TABLE accounts (account INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, night INTEGER NOT NULL) STRICT;
CREATE TABLE models (model INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE families (family INTEGER PRIMARY KEY, id TEXT NOT NULL, leader INTEGER NOT NULL UNIQUE, night INTEGER NOT NULL,
    merged_into INTEGER, merged_night INTEGER) STRICT;
CREATE TABLE fragments (fragment INTEGER PRIMARY KEY, id TEXT NOT NULL, field INTEGER NOT NULL, text TEXT NOT NULL, night INTEGER NOT NULL,
    head INTEGER NOT NULL, within INTEGER, known TEXT) STRICT;
";

/// For look-ups by name; a store of an older program has none.
pub const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS families_by_id ON families (id);
CREATE INDEX IF NOT EXISTS fragments_by_id ON fragments (id);
";

pub(super) fn failed(cause: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Store, format!("catalog.sqlite: {cause}"))
}

/// A connection to the catalog.
pub struct Catalog {
    /// Readers of one store share it; each query holds it for as long as it runs.
    db: Mutex<Connection>,
    /// What the next commit tells the chain of custody.
    act: Option<Act>,
    /// Keeps writers out while a database is read as it lies.
    _still: Option<File>,
}

impl Catalog {
    /// Makes the catalog of a new store.
    /// # Errors
    /// `Store` when it cannot be made.
    pub(crate) fn create(path: &Path, meta: &[(&str, String)]) -> Result<()> {
        refuse_network_mount(path)?;
        let mut db = Connection::open(path).map_err(failed)?;
        settings(&db)?;
        let change = db.transaction().map_err(failed)?;
        [TABLES, INDEXES, digests::TABLE].iter().try_for_each(|sql| change.execute_batch(sql)).map_err(failed)?;
        for (name, value) in meta {
            change.execute("INSERT INTO meta VALUES (?1, ?2)", (name, value)).map_err(failed)?;
        }
        digests::write(&change).map_err(failed)?;
        change.commit().map_err(failed)
    }

    /// Whether the file at `path` is a database without tables, or empty.
    pub(crate) fn is_blank(path: &Path) -> bool {
        let count = |db: Connection| db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, access).and_then(count).is_ok_and(|tables| tables == 0)
    }

    /// Opens it, to read or to write.
    /// # Errors
    /// `Store` when it is damaged or of another format.
    pub(crate) fn open(path: &Path, write: bool) -> Result<Self> {
        let access = if write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
        let mut still = None;
        let mut db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        if write {
            refuse_network_mount(path)?;
            settings(&db)?;
        } else {
            db.busy_timeout(std::time::Duration::from_secs(10)).map_err(failed)?;
            // A reader of a WAL database writes its index file beside it. On a disk that is read-only or full the database can
            // be read as it lies, while no writer may come; a WAL that is still there would hold commits, and then not.
            let refused = db.query_row("SELECT count(*) FROM meta", [], |_| Ok(()));
            let empty = || std::fs::metadata(path.with_extension("sqlite-wal")).map_or(0, |wal| wal.len()) == 0;
            if cannot_write(&refused) {
                still = keep_still(&path.with_file_name("lock"))?;
            }
            if cannot_write(&refused) && empty() {
                let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
                db = Connection::open_with_flags(as_it_lies(path), flags).map_err(failed)?;
            }
        }
        let catalog = Self { db: Mutex::new(db), act: None, _still: still };
        let format = catalog.meta("format").map_err(|error| {
            error
                .at("table meta")
                .hint("expected the catalog of a store; it may be damaged, or another program's. Nothing was changed")
        })?;
        if ![STILL_READ, FORMAT].iter().any(|known| format.as_deref() == Some(&known.to_string())) {
            let got = format.unwrap_or_else(|| "none".into());
            let message = format!("catalog.sqlite, table meta: expected a store of format {FORMAT}, got format {got}");
            return Err(Error::new(ErrorKind::Store, message).hint(
                "open it with the version of stillhunt that wrote it, or audit the logs again into a new store",
            ));
        }
        Ok(catalog)
    }

    /// A recorded value.
    /// # Errors
    /// `Store` when the catalog cannot be read.
    pub fn meta(&self, name: &str) -> Result<Option<String>> {
        let found = self.connection().query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0));
        match found {
            Ok(value) => Ok(Some(value)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(cause) => Err(failed(cause)),
        }
    }

    /// All rows of a query, each read by `read`.
    /// # Errors
    /// `Store` when the catalog cannot be read.
    pub fn all<T>(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let db = self.connection();
        let mut statement = db.prepare_cached(query).map_err(failed)?;
        let rows = statement.query_map(parameters, read).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// One transaction: all of `change`, with the digests of the tables it leaves, or nothing.
    /// # Errors
    /// `Store` when the catalog cannot be written.
    pub(crate) fn commit(
        &mut self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let db = self.db.get_mut().unwrap_or_else(PoisonError::into_inner);
        let transaction = db.transaction().map_err(failed)?;
        change(&transaction).and_then(|()| digests::write(&transaction)).map_err(failed)?;
        if let Some(act) = &self.act {
            custody::append(&transaction, act).map_err(failed)?;
            digests::write_one(&transaction, custody::NAME).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        self.act = None;
        Ok(())
    }

    /// What the next commit tells the chain of custody.
    pub(crate) fn witness(&mut self, act: Option<Act>) {
        self.act = act;
    }

    /// Writes the database again without its free pages, and empties its log; `false` where a reader of an older commit
    /// still needs the log.
    /// # Errors
    /// `Store` when it cannot be written.
    pub(crate) fn shrink(&self) -> Result<bool> {
        self.connection().execute_batch("VACUUM").map_err(failed)?;
        self.empty_log()
    }

    /// Brings the log into the database and cuts it to nothing.
    /// # Errors
    /// `Store` when it cannot be written.
    pub(crate) fn empty_log(&self) -> Result<bool> {
        let busy: i64 =
            self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
        Ok(busy == 0)
    }

    /// Decides about a commit in doubt, by a commit that changes no table. A writer that is killed while SQLite syncs its commit leaves
    /// one that readers who are there already do not see, and whoever opens the database after them does. What is written
    /// here takes its place in the log: from here on that commit is there, or never was.
    /// # Errors
    /// `Store` when the catalog cannot be written.
    pub(crate) fn settle(&self) -> Result<()> {
        let count: i32 = self.connection().query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        self.connection().execute_batch(&format!("PRAGMA user_version = {}", count.wrapping_add(1))).map_err(failed)
    }

    /// One read transaction from here on, so that everything read belongs to one commit.
    /// # Errors
    /// `Store` when the catalog cannot be read.
    pub(crate) fn snapshot(&self) -> Result<()> {
        self.connection().execute_batch("BEGIN").map_err(failed)
    }

    /// What SQLite's own check of the whole database finds.
    /// # Errors
    /// `Store` when it cannot be read that far.
    pub(crate) fn check(&self) -> Result<Vec<String>> {
        let mut found = self.all("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?;
        found.retain(|line| line != "ok");
        Ok(found)
    }

    /// The connection, for what reads the database as a whole.
    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that changes with every commit of another connection, as long as this one holds no snapshot.
    /// # Errors
    /// `Store` when the catalog cannot be read.
    pub fn version(&self) -> Result<i64> {
        self.connection().query_row("PRAGMA data_version", [], |row| row.get(0)).map_err(failed)
    }
}

fn cannot_write(result: &rusqlite::Result<()>) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    let cannot = |code| matches!(code, ReadOnly | CannotOpen | DiskFull | SystemIoFailure);
    matches!(result, Err(rusqlite::Error::SqliteFailure(cause, _)) if cannot(cause.code))
}

/// Shares the writers' lock, so that none begins; a copy of a store has none.
#[allow(clippy::disallowed_methods)]
fn keep_still(lock: &Path) -> Result<Option<File>> {
    let Ok(file) = File::open(lock) else { return Ok(None) };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(_) => {
            Err(Error::new(ErrorKind::Store, "catalog.sqlite: no room to read it beside the writer that is at work")
                .hint("make room on the disk, or wait for the writer to end"))
        }
    }
}

/// The address of a database that nobody changes.
fn as_it_lies(path: &Path) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_');
    let mut out = String::from("file:");
    for &b in path.as_os_str().as_encoded_bytes() {
        if plain(b) { out.push(char::from(b)) } else { out.push_str(&format!("%{b:02X}")) }
    }
    out + "?immutable=1"
}

fn settings(db: &Connection) -> Result<()> {
    db.busy_timeout(std::time::Duration::from_secs(10)).map_err(failed)?;
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;").map_err(failed)
}

/// Names of file systems that live on another machine.
const NETWORK: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.gcsfuse",
    "lustre",
    "glusterfs",
    "fuse.glusterfs",
];

/// SQLite's WAL shares memory between processes, which a network file system cannot.
#[allow(clippy::disallowed_methods)]
fn refuse_network_mount(path: &Path) -> Result<()> {
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mounts") else { return Ok(()) };
    let dir = path.parent().and_then(|dir| dir.canonicalize().ok()).unwrap_or_default();
    match file_system(&mounts, &dir) {
        Some(kind) if NETWORK.contains(&kind) => {
            Err(Error::new(ErrorKind::Store, format!("expected a local file system at {}, got {kind}", dir.display()))
                .hint("put the store on a local disk; logs may stay on the network"))
        }
        _ => Ok(()),
    }
}

/// The kind of file system that `dir` lies on, by the longest mount point above it.
fn file_system<'a>(mounts: &'a str, dir: &Path) -> Option<&'a str> {
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    fields.filter(|(point, _)| dir.starts_with(point)).max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_decides() {
        let mounts = "/dev/sda / ext4 rw 0 0\nhost:/x /data nfs4 rw 0 0\n/dev/sdb /data/local xfs rw 0 0\n";
        let kind = |dir: &str| file_system(mounts, Path::new(dir));
        assert_eq!(kind("/home"), Some("ext4"));
        assert_eq!(kind("/data/s"), Some("nfs4"));
        assert_eq!(kind("/data/local/s"), Some("xfs"));
        assert!(NETWORK.contains(&"nfs4"));
    }
}
