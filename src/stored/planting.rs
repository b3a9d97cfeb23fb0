//! What a store keeps of the planting of marks: counts from night to night and the newest findings, in one entry of the catalog. No key, and no
//! text but the values that responses are told apart by.

use crate::detect::planting::Watched;
use crate::error::{Error, ErrorKind, Result};
use crate::report::planting::Planting;
use crate::store::{Store, Writer};

/// The entry's name.
const NAME: &str = "planting";

/// What is kept.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Kept {
    /// Counts from night to night.
    pub(crate) watched: Watched,
    /// What the newest night said.
    pub(crate) last: Option<Planting>,
}

/// What the store keeps; nothing where no night was looked at.
/// # Errors
/// `Store` when the entry cannot be read.
pub(crate) fn kept(store: &Store) -> Result<Kept> {
    let Some(text) = store.catalog().meta(NAME)? else { return Ok(Kept::default()) };
    serde_json::from_str(&text).map_err(|cause| {
        Error::new(
            ErrorKind::Store,
            format!("catalog.sqlite, table meta: expected what was kept of planting, got {cause}"),
        )
        .hint("run: stillhunt store verify")
    })
}

/// Keeps it.
/// # Errors
/// `Io` when the catalog cannot be written.
pub(crate) fn keep(writer: &mut Writer, kept: &Kept) -> Result<()> {
    let text = serde_json::to_string(kept).unwrap_or_default();
    writer.record(|db| db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", (NAME, text)).map(|_| ()))
}
