//! A digest over the rows of each catalog table, written by every commit: what SQLite's own check cannot see is a value that
//! changed into another valid one.
//!
//! A table's digest is BLAKE3 over its schema and its rows in order, each value as its type, its length and its bytes. The
//! digests stand in a table of their own, so that a lost or a foreign table shows as well. Weakness: every commit reads the
//! whole catalog, half a second at a million accounts; a writer has read all accounts by then anyway. Guarantee: a writer
//! checks them before it changes anything, so no commit puts a good digest over a damaged value.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::{BTreeMap, BTreeSet};

/// The table of digests.
pub(crate) const TABLE: &str =
    "CREATE TABLE digests (name TEXT PRIMARY KEY, n_rows INTEGER NOT NULL, blake3 TEXT NOT NULL) STRICT;";

/// Bytes gathered before they are hashed.
const BLOCK: usize = 1 << 16;

/// Rows of a table and their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Digested {
    n_rows: i64,
    blake3: String,
}

/// Names of all tables but that of the digests, with the text that made them.
fn tables(db: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let query =
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name <> 'digests'";
    db.prepare(query)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn put(out: &mut Vec<u8>, value: ValueRef<'_>) {
    let (kind, number);
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(n) => {
            number = n.to_le_bytes();
            (1, &number)
        }
        ValueRef::Real(x) => {
            kind = x.to_bits().to_le_bytes();
            (2, &kind)
        }
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(blob) => (4, blob),
    };
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn digest(db: &Connection, table: &str, sql: &str) -> rusqlite::Result<Digested> {
    let mut hash = blake3::Hasher::new_derive_key("stillhunt 2026 rows of a catalog table");
    let mut block = Vec::with_capacity(2 * BLOCK);
    put(&mut block, ValueRef::Text(sql.as_bytes()));
    let mut statement = db.prepare(&format!("SELECT * FROM \"{}\" ORDER BY rowid", table.replace('"', "\"\"")))?;
    let n_columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut n_rows = 0;
    while let Some(row) = rows.next()? {
        for column in 0..n_columns {
            put(&mut block, row.get_ref(column)?);
        }
        if block.len() >= BLOCK {
            hash.update(&block);
            block.clear();
        }
        n_rows += 1;
    }
    hash.update(&block);
    Ok(Digested { n_rows, blake3: hash.finalize().to_hex().to_string() })
}

/// Writes the digests of all tables as they are now, inside the transaction that changed them.
pub(crate) fn write(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM digests", [])?;
    for (table, sql) in tables(db)? {
        let Digested { n_rows, blake3 } = digest(db, &table, &sql)?;
        db.execute("INSERT INTO digests VALUES (?1, ?2, ?3)", (&table, n_rows, blake3))?;
    }
    Ok(())
}

/// Writes the digest of one table anew, where it changed after those of all were written.
pub(crate) fn write_one(db: &Connection, table: &str) -> rusqlite::Result<()> {
    let sql: String = db.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0))?;
    let Digested { n_rows, blake3 } = digest(db, table, &sql)?;
    db.execute("INSERT OR REPLACE INTO digests VALUES (?1, ?2, ?3)", (table, n_rows, blake3)).map(|_| ())
}

/// Every table that is not as the last commit left it, with what is wrong.
pub(crate) fn damage(db: &Connection) -> Vec<(String, String)> {
    let tables = match tables(db) {
        Ok(tables) => tables,
        Err(cause) => return vec![("sqlite_schema".to_owned(), cause.to_string())],
    };
    let recorded = |table: &str| {
        let query = "SELECT n_rows, blake3 FROM digests WHERE name = ?1";
        db.query_row(query, [table], |row| Ok(Digested { n_rows: row.get(0)?, blake3: row.get(1)? })).optional()
    };
    let mut out = Vec::new();
    for (table, sql) in &tables {
        let what = match (recorded(table), digest(db, table, sql)) {
            (Ok(Some(expected)), Ok(got)) if expected == got => continue,
            (Ok(Some(expected)), Ok(got)) => format!(
                "expected {} rows with digest {}, got {} with {}",
                expected.n_rows, expected.blake3, got.n_rows, got.blake3
            ),
            (Ok(None), Ok(_)) => "expected its digest in the table digests, found none".to_owned(),
            (Err(cause), _) => format!("its digest in the table digests cannot be read: {cause}"),
            (_, Err(cause)) => cause.to_string(),
        };
        out.push((table.clone(), what));
    }
    let names: rusqlite::Result<BTreeSet<String>> = db
        .prepare("SELECT name FROM digests")
        .and_then(|mut names| names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>());
    match names {
        Ok(names) => {
            let lost = names.into_iter().filter(|name| !tables.contains_key(name));
            out.extend(lost.map(|name| (name, "its digest is there, the table is not".to_owned())));
        }
        Err(cause) => out.push(("digests".to_owned(), cause.to_string())),
    }
    out
}
