//! What was said of a ring: alerts, an analyst's notes and dispositions, who is to look into it, each with author and time. Nothing is ever
//! changed or taken back.

use crate::error::Result;
use crate::ids::Time;
use crate::store::{Store, Writer};
use rusqlite::types::Type;

/// The table; a store of an older program has none.
const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS ring_events (event INTEGER PRIMARY KEY, ring TEXT NOT NULL, time INTEGER NOT NULL,
    author TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL) STRICT;";

/// What kind of thing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An alert went out; the value is the rung that the ring had reached.
    Alert,
    /// The value is the text.
    Note,
    /// The value is the analyst's verdict.
    Disposition,
    /// The value is who is to look into it; empty where nobody is.
    Assignee,
}

const KINDS: [(Kind, &str); 4] =
    [(Kind::Alert, "alert"), (Kind::Note, "note"), (Kind::Disposition, "disposition"), (Kind::Assignee, "assignee")];

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The ring's name.
    pub(crate) ring: String,
    pub(crate) time: Time,
    pub(crate) author: String,
    pub(crate) kind: Kind,
    pub(crate) value: String,
}

/// All that was said, oldest first.
/// # Errors
/// `Store` when the catalog is damaged.
pub(crate) fn events(store: &Store) -> Result<Vec<Event>> {
    let catalog = store.catalog();
    let tables: Vec<i64> =
        catalog.all("SELECT 1 FROM sqlite_schema WHERE name = 'ring_events'", [], |row| row.get(0))?;
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    catalog.all("SELECT ring, time, author, kind, value FROM ring_events ORDER BY event", [], |row| {
        let word: String = row.get(3)?;
        let kind = KINDS.iter().find(|(_, name)| *name == word);
        let unknown = |column: i32, what: &str| {
            rusqlite::Error::FromSqlConversionFailure(column as usize, Type::Text, format!("unknown {what}").into())
        };
        Ok(Event {
            ring: row.get(0)?,
            time: Time::new(row.get(1)?).ok_or_else(|| unknown(1, "time"))?,
            author: row.get(2)?,
            kind: kind.ok_or_else(|| unknown(3, "kind"))?.0,
            value: row.get(4)?,
        })
    })
}

/// Writes what was said, in one transaction.
/// # Errors
/// `Store` when the catalog cannot be written.
pub(crate) fn say(writer: &mut Writer, events: &[Event]) -> Result<()> {
    writer.record(|db| {
        db.execute_batch(TABLE)?;
        for Event { ring, time, author, kind, value } in events {
            let kind = KINDS.iter().find(|(of, _)| of == kind).map_or("", |(_, name)| name);
            let row = (ring, time.micros(), author, kind, value);
            db.execute("INSERT INTO ring_events (ring, time, author, kind, value) VALUES (?1, ?2, ?3, ?4, ?5)", row)?;
        }
        Ok(())
    })
}
