//! The registry: known innocent texts and gateways, kept in the catalog with where they come from and since when they are public.
//!
//! What is registered explains: a fragment or a family of a registered text is counted apart and is no evidence of a ring, and the accounts
//! of a gateway are many people's. Weakness: an attacker whose text is registered is not seen; so every entry names its author.

use super::known::SINGLE;
use super::standing::family_key;
use super::view::{KnownKeys, View};
use super::{KnownSource, KnownWhat};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Digest, Level, Time};
use crate::store::{Store, Writer};
use crate::text::fold;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// The table; a store of an older program has none.
const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS registry (entry INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, text TEXT, digest TEXT,
    account TEXT, provenance TEXT NOT NULL, public_since INTEGER, added INTEGER NOT NULL, author TEXT NOT NULL) STRICT;";

/// What is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The template of an app.
    App,
    /// What a software kit puts into every request.
    Sdk,
    /// An account behind which many people stand.
    Gateway,
    /// The exercises of a course.
    Course,
    /// A public benchmark or data set.
    Benchmark,
    /// A published prompt.
    Published,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::App, Self::Sdk, Self::Gateway, Self::Course, Self::Benchmark, Self::Published];

    /// The word in commands and lists.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Sdk => "sdk",
            Self::Gateway => "gateway",
            Self::Course => "course",
            Self::Benchmark => "benchmark",
            Self::Published => "published",
        }
    }
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A text.
    Text(String),
    /// The digest that reports print of a fragment family, or that of a folded prompt.
    Digest(Digest),
    /// An account.
    Account(AccountId),
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Entry {
    /// Its name; several entries may share it.
    pub name: String,
    /// What kind of thing it is.
    pub kind: Kind,
    /// What it is about.
    pub what: What,
    /// Where it is known from.
    pub provenance: String,
    /// Since when it is public, where that is known.
    pub public_since: Option<Time>,
    /// When it was added.
    pub added: Time,
    /// By whom.
    pub author: String,
    /// The digest itself, or that of the folded text; none of an account.
    #[serde(skip)]
    pub(crate) key: Option<Digest>,
}

impl Entry {
    /// An entry about something: where it is known from and since when it is public, when it is added and by whom.
    pub(crate) fn new(
        (name, what): (String, What),
        kind: Kind,
        (provenance, public_since): (String, Option<Time>),
        (added, author): (Time, String),
    ) -> Self {
        let key = match &what {
            What::Text(text) => Some(Digest::of(fold(text).text.as_bytes())),
            What::Digest(digest) => Some(*digest),
            What::Account(_) => None,
        };
        Self { name, kind, what, provenance, public_since, added, author, key }
    }
}

/// All entries, oldest first.
/// # Errors
/// `Store` when the catalog is damaged.
pub(crate) fn entries(store: &Store) -> Result<Vec<Entry>> {
    type Row = (String, String, [Option<String>; 3], String, Option<i64>, i64, String);
    let catalog = store.catalog();
    let tables: Vec<i64> = catalog.all("SELECT 1 FROM sqlite_schema WHERE name = 'registry'", [], |row| row.get(0))?;
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let query = "SELECT name, kind, text, digest, account, provenance, public_since, added, author FROM registry ORDER BY entry";
    let rows: Vec<Row> = catalog.all(query, [], |row| {
        let what = [row.get(2)?, row.get(3)?, row.get(4)?];
        Ok((row.get(0)?, row.get(1)?, what, row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?))
    })?;
    let whole = |(name, kind, [text, digest, account], provenance, public_since, added, author): Row| {
        let key = match digest {
            Some(digest) => Some(digest.parse().ok()?),
            None => None,
        };
        let what = match (text, key, account) {
            (Some(text), Some(_), None) => What::Text(text),
            (None, Some(digest), None) => What::Digest(digest),
            (None, None, Some(account)) => What::Account(account.parse().ok()?),
            _ => return None,
        };
        let kind = Kind::ALL.into_iter().find(|of| of.word() == kind)?;
        let public_since = public_since.map(Time::new);
        let public_since = if public_since == Some(None) { return None } else { public_since.flatten() };
        Some(Entry { name, kind, what, provenance, public_since, added: Time::new(added)?, author, key })
    };
    rows.into_iter().map(|row| whole(row).ok_or_else(damaged)).collect()
}

fn damaged() -> Error {
    Error::new(ErrorKind::Store, "catalog.sqlite, table registry: an entry is not whole")
        .hint("run: stillhunt store verify")
}

/// Forgets what names an account, by its number, that is still in the catalog.
/// # Errors
/// That of the catalog.
pub(crate) fn forget(db: &rusqlite::Transaction<'_>, account: u32) -> rusqlite::Result<()> {
    db.execute_batch(TABLE)?;
    let named = "DELETE FROM registry WHERE account = (SELECT id FROM accounts WHERE account = ?1)";
    db.execute(named, [account]).map(|_| ())
}

/// Adds entries, in one transaction.
/// # Errors
/// `Store` when the catalog cannot be written.
pub(crate) fn add(writer: &mut Writer, entries: &[Entry]) -> Result<()> {
    writer.record(|db| {
        db.execute_batch(TABLE)?;
        let insert = "INSERT INTO registry (name, kind, text, digest, account, provenance, public_since, added, author) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        for Entry { name, kind, what, provenance, public_since, added, author, key } in entries {
            let text = if let What::Text(text) = what { Some(text) } else { None };
            let account = if let What::Account(account) = what { Some(account.to_string()) } else { None };
            let digest = key.map(|key| key.to_string());
            let since = public_since.map(Time::micros);
            let row = (name, kind.word(), text, digest, account, provenance, since, added.micros(), author);
            db.execute(insert, row)?;
        }
        Ok(())
    })
}

/// Removes all entries of a name; returns how many there were.
/// # Errors
/// `Store` when the catalog cannot be written.
pub(crate) fn remove(writer: &mut Writer, name: &str) -> Result<u64> {
    let mut removed = 0;
    writer.record(|db| {
        db.execute_batch(TABLE)?;
        removed = db.execute("DELETE FROM registry WHERE name = ?1", [name])? as u64;
        Ok(())
    })?;
    Ok(removed)
}

/// Registered texts as the search for fragments takes them.
pub(crate) fn sources(entries: &[Entry]) -> Vec<KnownSource> {
    let source = |entry: &Entry| {
        let what = match &entry.what {
            What::Text(text) => KnownWhat::Text(text.clone()),
            What::Digest(digest) => KnownWhat::Digest(*digest),
            What::Account(_) => return None,
        };
        Some(KnownSource { name: entry.name.clone(), what })
    };
    entries.iter().filter_map(source).collect()
}

/// What of a store is registered.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    /// Families, each with the place of the first entry that names it.
    pub(crate) families: HashMap<u64, usize>,
    /// Numbers of accounts that are gateways.
    pub(crate) gateways: HashSet<u32>,
}

impl Registered {
    pub(crate) fn of(entries: &[Entry], store: &Store, view: &View) -> Result<Self> {
        let mut out = Self::default();
        if entries.is_empty() {
            return Ok(out);
        }
        let keys = KnownKeys::open(store)?;
        for (place, entry) in entries.iter().enumerate() {
            if let What::Account(account) = &entry.what {
                let query = "SELECT account FROM accounts WHERE id = ?1";
                out.gateways.extend(store.catalog().all(query, [account.to_string()], |row| row.get::<_, u32>(0))?);
            }
            let Some(digest) = entry.key else { continue };
            if let Some(record) = keys.prompts.get(digest.short()) {
                let prompt = record.a as u32;
                out.families.entry(family_key(Level::Exact, prompt)).or_insert(place);
                let near = view.family(prompt);
                if near != SINGLE {
                    out.families.entry(family_key(Level::NearDuplicate, near)).or_insert(place);
                }
            }
            if let Some(record) = keys.systems.get(digest.short()) {
                out.families.entry(family_key(Level::System, record.a as u32)).or_insert(place);
            }
        }
        Ok(out)
    }
}
