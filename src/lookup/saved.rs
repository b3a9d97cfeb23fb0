//! Questions that people keep in a store.

use crate::error::Result;
use crate::store::Store;
use crate::stored::saved::{Saved, all};

/// The questions of a person and those that others share, oldest first.
/// # Errors
/// `Store` when the catalog is damaged.
pub fn saved(store: &Store, author: &str) -> Result<Vec<Saved>> {
    Ok(all(store)?.into_iter().filter(|saved| saved.shared || saved.author == author).collect())
}
