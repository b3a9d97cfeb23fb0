//! Which model and key made a store.

use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::store::key::AccountKey;

/// Refuses a store that was made with another model or key. A reader may come without the key.
/// # Errors
/// `Store`, with the way to mend it.
pub fn check_identity(store: &Store, key: Option<&AccountKey>, model: &Model) -> Result<()> {
    let recorded = |name: &str| store.catalog().meta(name).map(Option::unwrap_or_default);
    let (expected, got) = (recorded("model_digest")?, model.digest().to_string());
    if expected != got {
        let message = format!(
            "expected the model {} that made the store, got {}",
            &expected[..expected.len().min(16)],
            &got[..16]
        );
        return Err(Error::new(ErrorKind::Store, message)
            .hint("give --model the directory of that model, or audit the logs again into a new store"));
    }
    key.map_or(Ok(()), |key| check_key(store, key))
}

/// Refuses an account key that the store was not made with.
/// # Errors
/// `Store`, with the way to mend it.
pub fn check_key(store: &Store, key: &AccountKey) -> Result<()> {
    if store.catalog().meta("key_commitment")?.unwrap_or_default() == key.commitment() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Store, "expected the account key that made the store, got another")
        .hint("give --key the file it was made with: with another key every account would be a stranger"))
}
