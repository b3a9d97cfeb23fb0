//! A fragment as the catalog has it, with its text.

use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, FamilyId, Field};
use crate::store::Store;
use crate::text::winnow::Printer;

/// A fragment as the catalog has it. Only heads are families; the others are parts of their head.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) id: FamilyId,
    pub(crate) field: Field,
    /// Folded text, slots as [`crate::family::fragment::SLOT`].
    pub(crate) text: String,
    pub(crate) head: u32,
    /// The more common head that its text lies within.
    pub(crate) within: Option<u32>,
    /// The known text that explains it.
    pub(crate) known: Option<String>,
}

impl Fragment {
    /// Whether only its number is left.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.text.is_empty()
    }

    /// The digest by which a known text may be given.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

const COLUMNS: &str = "SELECT fragment, id, field, text, head, within, known FROM fragments";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Fragment>> {
    let (id, field): (String, u32) = (row.get(1)?, row.get(2)?);
    let (text, head, within, known) = (row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?);
    let named = id.parse().ok().zip(Field::of_number(field));
    Ok(named.map(|(id, field)| Fragment { id, field, text, head, within, known }))
}

/// One fragment, by its number.
/// # Errors
/// `Store` when the catalog is damaged.
pub(crate) fn one(store: &Store, number: u32) -> Result<Fragment> {
    let found = store.catalog().all(&format!("{COLUMNS} WHERE fragment = ?1"), [number], read)?.pop().flatten();
    found.ok_or_else(|| damaged(number))
}

/// All fragments, by number: what a night reads texts for.
/// # Errors
/// `Store` when the catalog is damaged.
pub(crate) fn all(store: &Store) -> Result<Vec<Fragment>> {
    let rows: Vec<(u32, Option<Fragment>)> =
        store.catalog().all(&format!("{COLUMNS} ORDER BY fragment"), [], |row| Ok((row.get(0)?, read(row)?)))?;
    let n = rows.len() as u32;
    let whole = |f: &Fragment| f.head < n && f.within.is_none_or(|within| within < n);
    (0..)
        .zip(rows)
        .map(|(i, (number, fragment))| fragment.filter(|f| number == i && whole(f)).ok_or_else(|| damaged(number)))
        .collect()
}

fn damaged(number: u32) -> Error {
    Error::new(ErrorKind::Store, format!("catalog.sqlite, table fragments: fragment {number} is not whole"))
        .hint("run: stillhunt store verify")
}

/// The printer of a store: its secret is derived from the account key, as family names are.
pub(crate) fn printer(naming_key: &[u8; 32]) -> Printer {
    Printer::new(naming_key)
}
