//! The chain of custody: who ran what on a store, on which inputs, when, and what came of it. Rows are added and never changed.
//!
//! The idea: each row holds the head of the row before it, and its own head is a digest over that and all of the row. A row stands in the same
//! transaction as what it tells of, so neither exists without the other. The moment and the author's name come from the edge; nothing of
//! a report depends on them. Weakness: whoever can write the catalog can write a whole new chain; that shows only against a head
//! that somebody else keeps, such as the one in a signed bundle. Guarantee: of a chain whose last head is known, no row can be changed,
//! taken out, moved or added unnoticed.

use super::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, Time};
use rusqlite::Connection;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};

/// The table; a store of an older program has none.
const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS custody (row INTEGER PRIMARY KEY, time INTEGER NOT NULL, author TEXT NOT NULL,
    command TEXT NOT NULL, arguments TEXT NOT NULL, inputs TEXT NOT NULL, result TEXT NOT NULL, previous TEXT NOT NULL,
    head TEXT NOT NULL) STRICT;";
/// Its name.
pub(crate) const NAME: &str = "custody";
/// Head of no row.
const NONE: Digest = Digest([0; 32]);
/// Longest name of an author, in characters.
const LONGEST_AUTHOR: usize = 200;

/// Something that somebody does to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Who.
    pub author: String,
    /// When.
    pub time: Time,
    /// Which command.
    pub command: String,
    /// What decides its outcome, each argument one word, with `{input:0}` for an input. No name of an account stands here, since accounts can
    /// be forgotten.
    pub arguments: Vec<String>,
    /// What it read.
    pub inputs: Vec<ActInput>,
    /// Digest of what came of it; without one, that of all tables of the catalog as it left them.
    pub result: Option<Digest>,
}

/// An input of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActInput {
    /// What it was: `log`, `known` …
    pub role: String,
    /// Its name, without directories.
    pub name: String,
    /// BLAKE3, 64 hex digits; none of standard input.
    pub blake3: Option<String>,
}

/// Who writes a store: the name that a second writer is told, and what is to be recorded of the writing.
#[derive(Clone, Debug)]
pub struct By<'a> {
    /// The name.
    pub name: &'a str,
    /// The act; none leaves no row.
    pub act: Option<Act>,
}

impl<'a> From<&'a str> for By<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, act: None }
    }
}

impl<'a> From<&'a String> for By<'a> {
    fn from(name: &'a String) -> Self {
        Self { name, act: None }
    }
}

/// A row of the chain. Its JSON names are a format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyRow {
    /// Its number, from 1.
    pub row: u64,
    /// The moment, in microseconds since 1970.
    pub time_us: i64,
    /// Who.
    pub author: String,
    /// Which command.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it read.
    pub inputs: Vec<ActInput>,
    /// Digest of what came of it.
    pub result: String,
    /// Head of the row before; zeros for the first.
    pub previous: String,
    /// Digest over all of the above.
    pub head: String,
}

impl CustodyRow {
    /// The head that the row's content asks for.
    #[must_use]
    pub fn expected_head(&self) -> Digest {
        let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 custody row");
        let parts = [
            self.row.to_string(),
            self.time_us.to_string(),
            self.author.clone(),
            self.command.clone(),
            json(&self.arguments),
            json(&self.inputs),
            self.result.clone(),
            self.previous.clone(),
        ];
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Digest(*hash.finalize().as_bytes())
    }
}

/// A list as JSON text; the lists of a row cannot fail to be written.
fn json<T: Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).unwrap_or_default()
}

/// What is wrong with a chain, oldest first: each fault names its row.
#[must_use]
pub fn faults(rows: &[CustodyRow]) -> Vec<String> {
    let mut out = Vec::new();
    let mut before = NONE.to_string();
    for (number, row) in (1u64..).zip(rows) {
        if row.row != number {
            out.push(format!("expected row {number}, got row {}: a row was taken out, added or moved", row.row));
        }
        if row.previous != before {
            out.push(format!("row {}: expected the head of the row before it, got another", row.row));
        }
        let head = row.expected_head().to_string();
        if row.head != head {
            out.push(format!("row {}: its content is not what its head was made of", row.row));
        }
        before.clone_from(&row.head);
    }
    out
}

/// The number and the head of the last row.
#[must_use]
pub fn head(rows: &[CustodyRow]) -> (u64, String) {
    rows.last().map_or((0, NONE.to_string()), |row| (row.row, row.head.clone()))
}

/// Whether a chain goes on from a head that was kept elsewhere.
/// # Errors
/// What is wrong, in words: rows that were cut off, or others in their place.
pub fn goes_on_from(rows: &[CustodyRow], row: u64, head: &str) -> std::result::Result<(), String> {
    if row == 0 {
        return Ok(());
    }
    match rows.iter().find(|of| of.row == row) {
        None => Err(format!("expected {row} rows or more, got {}: rows were cut off", rows.len())),
        Some(found) if found.head != head => Err(format!("row {row}: expected the head {head}, got {}", found.head)),
        Some(_) => Ok(()),
    }
}

/// All rows of a store, oldest first.
/// # Errors
/// `Store` when the catalog is damaged.
pub fn rows(store: &Store) -> Result<Vec<CustodyRow>> {
    let catalog = store.catalog();
    let tables: Vec<i64> = catalog.all("SELECT 1 FROM sqlite_schema WHERE name = ?1", [NAME], |row| row.get(0))?;
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    catalog.all(
        "SELECT row, time, author, command, arguments, inputs, result, previous, head FROM custody ORDER BY row",
        [],
        read,
    )
}

/// All rows of a catalog that has the table.
#[cfg(test)]
pub(crate) fn rows_of(db: &Connection) -> rusqlite::Result<Vec<CustodyRow>> {
    let query =
        "SELECT row, time, author, command, arguments, inputs, result, previous, head FROM custody ORDER BY row";
    db.prepare(query)?.query_map([], read)?.collect()
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<CustodyRow> {
    fn list<T: serde::de::DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Vec<T>> {
        let text: String = row.get(column)?;
        let wrong = |_| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, "expected a list".into());
        serde_json::from_str(&text).map_err(wrong)
    }
    Ok(CustodyRow {
        row: row.get::<_, i64>(0)?.unsigned_abs(),
        time_us: row.get(1)?,
        author: row.get(2)?,
        command: row.get(3)?,
        arguments: list(row, 4)?,
        inputs: list(row, 5)?,
        result: row.get(6)?,
        previous: row.get(7)?,
        head: row.get(8)?,
    })
}

/// Adds a row, inside the transaction that it tells of, when the digests of the other tables are written.
pub(crate) fn append(db: &Connection, act: &Act) -> rusqlite::Result<()> {
    db.execute_batch(TABLE)?;
    let query = "SELECT row, time, author, command, arguments, inputs, result, previous, head FROM custody ORDER BY row DESC LIMIT 1";
    let last: Option<CustodyRow> = db.prepare(query)?.query_map([], read)?.next().transpose()?;
    let state = || -> rusqlite::Result<Digest> {
        let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 state of a catalog");
        let mut tables = db.prepare("SELECT name, n_rows, blake3 FROM digests WHERE name <> ?1 ORDER BY name")?;
        let mut tables = tables.query([NAME])?;
        while let Some(row) = tables.next()? {
            let line = format!("{} {} {}\n", row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?);
            hash.update(line.as_bytes());
        }
        Ok(Digest(*hash.finalize().as_bytes()))
    };
    let mut row = CustodyRow {
        row: last.as_ref().map_or(0, |last| last.row) + 1,
        time_us: act.time.micros(),
        author: act.author.chars().take(LONGEST_AUTHOR).collect(),
        command: act.command.clone(),
        arguments: act.arguments.clone(),
        inputs: act.inputs.clone(),
        result: act.result.map_or_else(state, Ok)?.to_string(),
        previous: last.map_or_else(|| NONE.to_string(), |last| last.head),
        head: String::new(),
    };
    row.head = row.expected_head().to_string();
    let (arguments, inputs) = (json(&row.arguments), json(&row.inputs));
    let values =
        (row.row as i64, row.time_us, row.author, row.command, arguments, inputs, row.result, row.previous, row.head);
    db.execute("INSERT INTO custody VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", values)?;
    Ok(())
}

/// Refuses a chain with faults.
/// # Errors
/// `Store`, with the first fault.
pub fn check(rows: &[CustodyRow]) -> Result<()> {
    match faults(rows).into_iter().next() {
        None => Ok(()),
        Some(fault) => Err(Error::new(ErrorKind::Store, format!("chain of custody: {fault}"))
            .hint("somebody changed the catalog behind the program's back; compare it with a backup")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(n: u64) -> Vec<CustodyRow> {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE digests (name TEXT, n_rows INTEGER, blake3 TEXT)").unwrap();
        for i in 0..n {
            let act = Act {
                author: format!("author {i}"),
                time: Time::new(1_000_000 * i as i64).unwrap(),
                command: "audit".into(),
                arguments: vec!["{input:0}".into(), format!("--seed={i}")],
                inputs: vec![ActInput { role: "log".into(), name: "a.jsonl".into(), blake3: Some("00".repeat(32)) }],
                result: (i % 2 == 0).then_some(Digest([i as u8; 32])),
            };
            append(&db, &act).unwrap();
        }
        rows_of(&db).unwrap()
    }

    #[test]
    fn a_chain_that_nobody_touched_has_no_fault() {
        let rows = chain(5);
        assert_eq!(faults(&rows), Vec::<String>::new());
        let (row, last) = head(&rows);
        assert_eq!(row, 5);
        goes_on_from(&rows, row, &last).unwrap();
        goes_on_from(&rows, 3, &rows[2].head).unwrap();
        assert_eq!(head(&[]).0, 0);
    }

    #[test]
    fn removing_editing_moving_and_cutting_is_found() {
        let rows = chain(5);
        let (number, last) = head(&rows);
        for at in 0..4 {
            let mut without = rows.clone();
            without.remove(at);
            assert!(!faults(&without).is_empty(), "row {at} taken out");
            let mut moved = rows.clone();
            moved.swap(at, at + 1);
            assert!(!faults(&moved).is_empty(), "row {at} moved");
        }
        let edits: [fn(&mut CustodyRow); 7] = [
            |row| row.author.push('x'),
            |row| row.time_us += 1,
            |row| row.command = "forget".into(),
            |row| row.arguments.clear(),
            |row| row.inputs[0].blake3 = None,
            |row| row.result = "00".repeat(32),
            |row| row.head = "00".repeat(32),
        ];
        for edit in edits {
            for at in 0..5 {
                let mut edited = rows.clone();
                edit(&mut edited[at]);
                assert!(edited == rows || !faults(&edited).is_empty(), "row {at}");
                // Whoever makes a new chain of it comes to another head.
                let mut before = NONE.to_string();
                for row in &mut edited {
                    row.previous = std::mem::take(&mut before);
                    row.head = row.expected_head().to_string();
                    before.clone_from(&row.head);
                }
                assert!(edited == rows || goes_on_from(&edited, number, &last).is_err(), "row {at}");
            }
        }
        let cut = &rows[..3];
        assert_eq!(faults(cut), Vec::<String>::new());
        assert!(goes_on_from(cut, number, &last).unwrap_err().contains("cut off"));
    }
}
