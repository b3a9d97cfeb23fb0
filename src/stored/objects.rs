//! Objects of object stores that were read whole before: by name, length and ETag → the digest of what is in them.
//!
//! So a nightly job over a prefix fetches what is new and asks of the rest no more than the listing has said. A store's ETag is a strong one: it
//! changes when the content does. Weakness: that is the store's word, so a log is held to have the digest that it had when it was read; whoever
//! wants the bytes compared lists the objects under another name or copies them to a disk. Guarantee: only a log that an earlier commit took
//! without a bad row is known so, as by its digest.

use crate::error::Result;
use crate::store::Store;
use crate::store::input::Tag;

/// The table; a store that never read from an object store has none.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS objects (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL, etag TEXT NOT NULL, digest TEXT NOT NULL) STRICT;";

/// The digest of an object that is as it was when it was read whole.
/// # Errors
/// `Store` when the catalog cannot be read.
pub(crate) fn unchanged(store: &Store, name: &str, tag: &Tag) -> Result<Option<String>> {
    let catalog = store.catalog();
    let tables: Vec<i64> = catalog.all("SELECT 1 FROM sqlite_schema WHERE name = 'objects'", [], |row| row.get(0))?;
    if tables.is_empty() {
        return Ok(None);
    }
    let query = "SELECT digest FROM objects JOIN inputs USING (digest)
        WHERE objects.name = ?1 AND objects.bytes = ?2 AND objects.etag = ?3 AND inputs.rows_quarantined = 0";
    Ok(catalog.all(query, (name, tag.bytes as i64, &tag.etag), |row| row.get(0))?.pop())
}

/// Records what was in objects, in the transaction that records that they were read.
pub(crate) fn record<'a>(
    db: &rusqlite::Transaction<'_>,
    objects: impl Iterator<Item = (&'a str, &'a Tag, &'a str)>,
) -> rusqlite::Result<()> {
    for (i, (name, tag, digest)) in objects.enumerate() {
        if i == 0 {
            db.execute_batch(TABLE)?;
        }
        let row = (name, tag.bytes as i64, &tag.etag, digest);
        db.execute("INSERT OR REPLACE INTO objects VALUES (?1, ?2, ?3, ?4)", row)?;
    }
    Ok(())
}
