//! Questions that people keep to ask again: a name, what is asked, and whether others see it.
//!
//! The idea: a question is the values that a list or a search takes, as JSON; whoever keeps one checks it first. Weakness: a text that somebody
//! pasted is kept as they pasted it. Guarantee: a forget takes with it each question that names a forgotten account, asks with a text that is
//! forgotten, or has a text and is older than what is kept.

use super::view::{KnownKeys, View, folded_of};
use crate::error::Result;
use crate::ids::{Digest, Field, Time};
use crate::store::{Store, Writer};
use crate::text::fold;
use rusqlite::types::Type;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// The table; a store of an older program has none. A number is given once.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS saved_queries (query INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, time INTEGER NOT NULL,
    author TEXT NOT NULL, shared INTEGER NOT NULL, asks TEXT NOT NULL, given TEXT NOT NULL) STRICT;";

/// A question that is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Saved {
    /// Its number in this store, from 1.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// When it was kept.
    pub time: Time,
    /// By whom.
    pub author: String,
    /// Whether others see it.
    pub shared: bool,
    /// What it asks: the name of a list or a search.
    pub asks: String,
    /// The values that it gives, an object.
    pub given: Value,
}

/// All questions, oldest first.
/// # Errors
/// `Store` when the catalog is damaged.
pub(crate) fn all(store: &Store) -> Result<Vec<Saved>> {
    let catalog = store.catalog();
    let tables: Vec<i64> =
        catalog.all("SELECT 1 FROM sqlite_schema WHERE name = 'saved_queries'", [], |row| row.get(0))?;
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let query = "SELECT query, name, time, author, shared, asks, given FROM saved_queries ORDER BY query";
    catalog.all(query, [], |row| {
        let unknown = |column: usize, what: &str| {
            rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("expected {what}").into())
        };
        let given: String = row.get(6)?;
        Ok(Saved {
            id: row.get::<_, i64>(0)?.unsigned_abs(),
            name: row.get(1)?,
            time: Time::new(row.get(2)?).ok_or_else(|| unknown(2, "a time"))?,
            author: row.get(3)?,
            shared: row.get(4)?,
            asks: row.get(5)?,
            given: serde_json::from_str(&given).map_err(|_| unknown(6, "JSON"))?,
        })
    })
}

/// Keeps a question; returns its number. The number that it brings is not looked at.
/// # Errors
/// `Store` when the catalog cannot be written.
pub(crate) fn add(writer: &mut Writer, saved: &Saved) -> Result<u64> {
    let mut id = 0;
    writer.record(|db| {
        db.execute_batch(TABLE)?;
        let Saved { name, time, author, shared, asks, given, .. } = saved;
        let row = (name, time.micros(), author, shared, asks, given.to_string());
        let insert =
            "INSERT INTO saved_queries (name, time, author, shared, asks, given) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        db.execute(insert, row)?;
        id = db.last_insert_rowid().unsigned_abs();
        Ok(())
    })?;
    Ok(id)
}

/// Takes a question away.
/// # Errors
/// `Store` when the catalog cannot be written.
pub(crate) fn remove(writer: &mut Writer, id: u64) -> Result<()> {
    writer.record(|db| db.execute("DELETE FROM saved_queries WHERE query = ?1", [id as i64]).map(|_| ()))
}

/// Numbers of the questions that go with what is forgotten: accounts by their numbers, texts by which of each field are gone, all before a
/// moment. Questions that name an account that the store does not know any more go too.
/// # Errors
/// `Store` when the store is damaged.
pub(crate) fn doomed(
    (store, view): (&Store, &View),
    accounts: &BTreeSet<u32>,
    texts: &[Vec<bool>; 3],
    before: Option<i64>,
) -> Result<Vec<i64>> {
    let all = all(store)?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut names: BTreeSet<String> = BTreeSet::new();
    for account in accounts {
        names.extend(store.catalog().all("SELECT id FROM accounts WHERE account = ?1", [account], |row| row.get(0))?);
    }
    let mut strangers: BTreeSet<&str> = BTreeSet::new();
    for account in all.iter().filter_map(|saved| saved.given.get("account").and_then(Value::as_str)) {
        let known: Vec<i64> =
            store.catalog().all("SELECT 1 FROM accounts WHERE id = ?1", [account], |row| row.get(0))?;
        strangers.extend(known.is_empty().then_some(account));
    }
    let keys = KnownKeys::open(store)?;
    // An earlier turn has no key of its text alone.
    let mut folded = String::new();
    let turns = texts[Field::Turn as usize].iter().zip(0..).filter(|(gone, _)| **gone);
    let turns: BTreeSet<u128> = turns
        .map(|(_, turn)| {
            folded_of(view.field_text(Field::Turn, turn), &mut folded);
            Digest::of(folded.as_bytes()).short()
        })
        .collect();
    let is_gone = |saved: &Saved| {
        let text = |name: &str| saved.given.get(name).and_then(Value::as_str);
        let of_text = text("text").is_some_and(|text| {
            let key = Digest::of(fold(text).text.as_bytes()).short();
            let [prompt, system] = [&keys.prompts, &keys.systems].map(|of| of.get(key).map(|found| found.a as usize));
            let gone = |number: Option<usize>, of: &[bool]| number.and_then(|number| of.get(number)) == Some(&true);
            gone(prompt, &texts[Field::Prompt as usize])
                || gone(system, &texts[Field::System as usize])
                || turns.contains(&key)
                || before.is_some_and(|before| saved.time.micros() < before)
        });
        of_text || text("account").is_some_and(|account| names.contains(account) || strangers.contains(account))
    };
    Ok(all.iter().filter(|saved| is_gone(saved)).map(|saved| saved.id as i64).collect())
}

/// Forgets questions, by number.
/// # Errors
/// That of the catalog.
pub(crate) fn forget(db: &rusqlite::Transaction<'_>, doomed: &[i64]) -> rusqlite::Result<()> {
    doomed.iter().try_for_each(|id| db.execute("DELETE FROM saved_queries WHERE query = ?1", [id]).map(|_| ()))
}
